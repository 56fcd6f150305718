#include "plot/timeline.h"

#include <math.h>
#include <stdlib.h>

#include "plot/made.h"

enum { WIDTH = 760, FEW = 60 /* scores of a person that are marked each */ };

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Three times the median distance of two scores that follow one another; INFINITY where there are none. room: of all scores. */
static double usual_gap(const um_timeline *t, double *room) {
  size_t n = 0;
  for (int i = 0; i < t->person_count; i++)
    for (int k = 1; k < t->people[i].count; k++) {
      const double d = t->people[i].time[k] - t->people[i].time[k - 1];
      if (d > 0) room[n++] = d;
    }
  qsort(room, n, sizeof *room, by_value);
  return n > 0 ? 3 * room[n / 2] : INFINITY;
}

/* The person's scores, with a NaN where the line is broken. */
static int keep_person(um_plot *p, um_plot_series *s, const um_timeline_person *who, double gap) {
  double *x = um_plot_keep(p, 2 * (size_t)who->count, sizeof *x), *y = um_plot_keep(p, 2 * (size_t)who->count, sizeof *y);
  int n = 0;
  if (!x || !y) return UM_ENOMEM;
  for (int i = 0; i < who->count; i++) {
    if (i > 0 && who->time[i] - who->time[i - 1] > gap * (1 + 1e-9)) x[n] = who->time[i], y[n++] = NAN;
    x[n] = who->time[i], y[n++] = who->score[i];
  }
  s->x = x, s->y = y, s->count = n;
  if (who->name && !(s->name = um_plot_keep_text(p, "%s", who->name))) return UM_ENOMEM;
  return UM_OK;
}

/* Bands from real, below, to fake, above, and a line at each border. */
static void add_bands(um_plot_span *span, int *spans, um_plot_mark *mark, int *marks, const um_timeline *t) {
  const bool band = t->real_below < t->fake_above;
  const um_plot_span all[] = {
      {.low = t->fake_above, .high = 1, .label = "fake", .colour = UM_PLOT_FAKE},
      {.low = t->real_below, .high = t->fake_above, .label = "uncertain", .colour = UM_PLOT_UNCERTAIN},
      {.low = 0, .high = band ? t->real_below : t->fake_above, .label = "real", .colour = UM_PLOT_REAL},
  };
  for (int i = 0; i < 3; i++) {
    if ((i == 1 && !band) || !(all[i].low < all[i].high)) continue;
    span[*spans] = all[i];
    span[(*spans)++].horizontal = true;
  }
  for (int i = 0; i < (band ? 2 : 1); i++)
    mark[(*marks)++] = (um_plot_mark){
        .at = i == 0 ? t->fake_above : t->real_below, .horizontal = true, .colour = UM_PLOT_UNCERTAIN, .dash = UM_DASH_DOTTED};
}

int um_plot_timeline(um_plot *out, const um_timeline *t, um_error *err) {
  size_t all = 0;
  *out = (um_plot){.width = t->width > 0 ? t->width : WIDTH};
  for (int i = 0; i < t->person_count; i++) all += (size_t)t->people[i].count;
  um_plot_panel *p = um_plot_keep(out, 1, sizeof *p);
  um_plot_series *s = um_plot_keep(out, (size_t)t->person_count, sizeof *s);
  um_plot_span *span = um_plot_keep(out, 3 + (size_t)t->moment_count, sizeof *span);
  um_plot_mark *mark = um_plot_keep(out, 2, sizeof *mark);
  double *room = malloc((all + 1) * sizeof *room);
  int status = p && s && span && mark && room ? UM_OK : UM_ENOMEM;
  const double gap = status ? 0 : t->gap > 0 ? t->gap : usual_gap(t, room);
  free(room);
  for (int i = 0; i < t->person_count && !status; i++) {
    um_plot_made_look(&s[i], i);
    if (t->people[i].count <= FEW) s[i].marker = (um_plot_marker)(UM_MARKER_CIRCLE + i % 4);
    status = keep_person(out, &s[i], &t->people[i], gap);
  }
  if (!status && t->title && !(p->title = um_plot_keep_text(out, "%s", t->title))) status = UM_ENOMEM;
  if (status) return um_plot_made(out, status, err);
  add_bands(span, &p->span_count, mark, &p->mark_count, t);
  for (int i = 0; i < t->moment_count; i++)
    span[p->span_count++] = (um_plot_span){
        .low = t->moments[i].from, .high = t->moments[i].to, .label = i == 0 ? "most suspicious" : NULL, .density = i == 0 ? .25 : .15};
  p->x = (um_plot_axis){.name = "time", .unit = UM_PLOT_TIME, .high = t->seconds > 0 ? t->seconds : 0};
  p->y = (um_plot_axis){.name = "score: probability of fake", .low = 0, .high = 1};
  p->height = 180;
  p->series = s, p->series_count = t->person_count;
  p->marks = mark, p->spans = span;
  out->panels = p, out->panel_count = 1;
  return UM_OK;
}
