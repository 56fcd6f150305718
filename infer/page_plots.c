/* Plots of the page, which stand in it as SVG and beside it as files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/page.h"
#include "plot/evaluation_plots.h"
#include "plot/timeline.h"

/* Narrow enough for half of a page and for a phone. */
#define HALF 380

/* As wide as the page. */
#define WHOLE 860

/* People of a timeline, and points of one, at most; scores of faces from which curves are drawn by video alone. */
enum { PEOPLE = 6, POINTS = 600, SCORES = 20000 };

int page_plot(const page *p, um_plot *plot, const char *name, um_error *err) {
  char *svg = NULL;
  int rc = um_plot_write(plot, p->o->report, name, err);
  if (plot->width < 1.5 * HALF) plot->width = HALF;
  if (!rc) rc = um_plot_html(&svg, plot, err);
  if (!rc) {
    html(p->f, "<figure class=\"plot\">\n");
    fputs(svg, p->f);
    html(p->f, "<figcaption>%s.svg, %s.png</figcaption></figure>\n", name, name);
  }
  free(svg);
  um_plot_free(plot);
  return rc;
}

/* ---- the timeline ---- */

typedef struct line {
  char name[32];
  double *time, *score;
  int count;
} line;

typedef struct moment {
  double time, score;
} moment;

static int by_time(const void *a, const void *b) {
  const moment *x = a, *y = b;
  return x->time != y->time ? (x->time < y->time ? -1 : 1) : (x->score > y->score) - (x->score < y->score);
}

/* Faces of one picture are one point, the highest of them. What has more points than a plot can show is drawn as the means of spans of equal
 * length. */
static int thin(moment *m, int n) {
  int kept = 0;
  for (int i = 0; i < n; i++) {
    if (kept && m[kept - 1].time == m[i].time)
      m[kept - 1].score = m[i].score;
    else
      m[kept++] = m[i];
  }
  if (kept <= POINTS) return kept;
  const double first = m[0].time, length = (m[kept - 1].time - first) / POINTS;
  int out = 0, in = 0;
  for (int k = 0; k < POINTS; k++) {
    double time = 0, score = 0;
    int count = 0;
    for (; in < kept && (k == POINTS - 1 || m[in].time < first + (k + 1) * length); in++) time += m[in].time, score += m[in].score, count++;
    if (count) m[out++] = (moment){time / count, score / count};
  }
  return out;
}

/* The line of one person, or with person < 0 of all faces. */
static int make_line(line *l, const input *in, int person, um_error *err) {
  int n = 0;
  moment *m = malloc(((size_t)in->faces + 1) * sizeof *m);
  if (m)
    for (int i = 0; i < in->faces; i++)
      if (person < 0 || in->detail[i].track == person) m[n++] = (moment){in->detail[i].shown_s, in->detail[i].score};
  if (m) qsort(m, (size_t)n, sizeof *m, by_time), n = thin(m, n);
  l->time = malloc(((size_t)n + 1) * sizeof *l->time), l->score = malloc(((size_t)n + 1) * sizeof *l->score);
  const bool whole = m && l->time && l->score;
  for (int i = 0; whole && i < n; i++) l->time[i] = m[i].time, l->score[i] = m[i].score;
  l->count = n;
  free(m);
  return whole ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for its timeline", in->path);
}

static int by_person_score(const void *a, const void *b) {
  const um_person *x = a, *y = b;
  return x->score != y->score ? (x->score > y->score ? -1 : 1) : (x->person > y->person) - (x->person < y->person);
}

/* A line each for the people with the highest scores, or one for all faces; *lines: how many. */
static int make_lines(line *l, int *lines, const input *in, um_error *err) {
  if (in->people < 2) return *lines = 1, make_line(&l[0], in, -1, err);
  um_person *order = malloc((size_t)in->people * sizeof *order);
  if (!order) return um_fail(err, UM_ENOMEM, "%s: no memory for its timeline", in->path);
  memcpy(order, in->person_score, (size_t)in->people * sizeof *order);
  qsort(order, (size_t)in->people, sizeof *order, by_person_score);
  int rc = UM_OK;
  for (*lines = 0; !rc && *lines < in->people && *lines < PEOPLE; ++*lines) {
    snprintf(l[*lines].name, sizeof l->name, "person %d", order[*lines].person);
    rc = make_line(&l[*lines], in, order[*lines].person, err);
  }
  free(order);
  return rc;
}

int page_timeline(const page *p, int index, int level, um_error *err) {
  const input *in = &p->in->at[index];
  const um_calibration *c = &p->s->preprocess.calibration;
  line l[PEOPLE] = {{{0}, NULL, NULL, 0}};
  um_timeline_person person[PEOPLE];
  um_timeline_moment moments[SPANS];
  span at[SPANS];
  um_plot plot;
  char name[64];
  int lines = 0, spans = 0, longest = 0;
  if (in->kind != UM_MEDIA_VIDEO || in->faces < 2) return UM_OK;
  int rc = make_lines(l, &lines, in, err);
  if (!rc) rc = suspicious_seconds(at, &spans, in, err);
  for (int i = 0; i < spans; i++) moments[i] = (um_timeline_moment){at[i].start, at[i].end};
  for (int i = 0; i < lines; i++) {
    person[i] = (um_timeline_person){.name = *l[i].name ? l[i].name : NULL, .time = l[i].time, .score = l[i].score, .count = l[i].count};
    if (l[i].count > longest) longest = l[i].count;
  }
  const um_timeline t = {.people = person,
                         .person_count = lines,
                         .moments = moments,
                         .moment_count = spans,
                         .real_below = c->band ? c->real_below : THRESHOLD,
                         .fake_above = c->band ? c->fake_above : THRESHOLD,
                         .width = WHOLE};
  if (!rc && longest > 1) {
    html(p->f, "<h%d>Over time</h%d>\n", level, level);
    if (in->people > PEOPLE) html(p->f, "<p class=\"note\">The %d people with the highest scores, of %d.</p>\n", PEOPLE, in->people);
    snprintf(name, sizeof name, "timeline-%04d", index + 1);
    rc = um_plot_timeline(&plot, &t, err);
    if (!rc) rc = page_plot(p, &plot, name, err);
  }
  for (int i = 0; i < PEOPLE; i++) free(l[i].time), free(l[i].score);
  return rc;
}

/* ---- a labelled set ---- */

typedef struct scores {
  um_plot_scores set[2]; /* videos, faces */
  int sets;
  double *score;
  bool *fake;
} scores;

static um_plot_scores set_of(const char *name, const double *score, const bool *fake, int n, const um_evaluation *e) {
  const um_interval auc = e->interval[UM_AUC], precision = e->interval[UM_AVERAGE_PRECISION];
  return (um_plot_scores){.name = name,
                          .score = score,
                          .fake = fake,
                          .count = n,
                          .auc_low = auc.low,
                          .auc_high = auc.high,
                          .precision_low = precision.low,
                          .precision_high = precision.high};
}

/* By video, and by face where that is something else and not too much to draw. */
static int collect(scores *s, const um_findings *r, um_error *err) {
  const um_subjects *all = &r->subjects;
  const um_calibration *map = &r->settings.calibration; /* subjects' scores are raw */
  size_t faces = 0;
  int n = 0;
  for (int i = 0; i < all->count; i++) faces += (size_t)all->at[i].faces;
  const bool by_face = faces != (size_t)all->count && faces <= SCORES;
  const size_t videos = all->count > 0 ? (size_t)all->count : 0, most = videos + (by_face ? faces : 0) + 1;
  s->score = malloc(most * sizeof *s->score), s->fake = malloc(most * sizeof *s->fake);
  if (!s->score || !s->fake) return um_fail(err, UM_ENOMEM, "no memory for %zu scores", most);
  for (int i = 0; i < all->count; i++) s->score[n] = um_calibrated(map, all->at[i].score), s->fake[n++] = all->at[i].fake;
  for (int i = 0; by_face && i < all->count; i++)
    for (int k = 0; k < all->at[i].faces; k++) s->score[n] = um_calibrated(map, all->at[i].face[k]), s->fake[n++] = all->at[i].fake;
  s->set[0] = set_of(by_face ? "videos" : NULL, s->score, s->fake, all->count, &r->all.video);
  if (by_face) s->set[1] = set_of("faces", s->score + all->count, s->fake + all->count, n - all->count, &r->all.frame);
  s->sets = by_face ? 2 : 1;
  return UM_OK;
}

int page_evaluation_plots(const page *p, um_error *err) {
  const um_calibration *c = &p->s->preprocess.calibration;
  scores s = {0};
  um_plot plot;
  if (p->r->subjects.count == 0) return UM_OK;
  int rc = collect(&s, p->r, err);
  if (!rc) html(p->f, "<div class=\"plots\">\n");
  if (!rc && !(rc = um_plot_roc(&plot, s.set, s.sets, err))) rc = page_plot(p, &plot, "roc", err);
  if (!rc && !(rc = um_plot_precision_recall(&plot, s.set, s.sets, err))) rc = page_plot(p, &plot, "precision-recall", err);
  if (!rc && !(rc = um_plot_reliability(&plot, s.set, s.sets, err))) rc = page_plot(p, &plot, "reliability", err);
  if (!rc && !(rc = um_plot_score_histogram(&plot, s.set, c->band ? c->real_below : THRESHOLD, c->band ? c->fake_above : THRESHOLD, err)))
    rc = page_plot(p, &plot, "scores", err);
  if (!rc) html(p->f, "</div>\n");
  free(s.score), free(s.fake);
  return rc;
}
