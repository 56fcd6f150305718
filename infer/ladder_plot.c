/* The ladder as a plot: AUC, or without labels the share of changed verdicts, against strength; a panel a kind. */
#include <math.h>
#include <stdio.h>

#include "infer/infer.h"
#include "plot/made.h"

enum { WIDTH = 860 }; /* three panels beside each other */

typedef struct line {
  double *y, *low, *high;
} line;

static const char *const axis[UM_DISTORTIONS] = {
    [UM_DISTORT_H264] = "constant rate factor",
    [UM_DISTORT_JPEG] = "quality",
    [UM_DISTORT_DOWNSCALE] = "percent of both sides",
    [UM_DISTORT_BLUR] = "sigma, pixels",
    [UM_DISTORT_NOISE] = "sigma, of 255",
    [UM_DISTORT_BRIGHTNESS] = "percent more or less",
    [UM_DISTORT_CROP] = "percent cut away",
    [UM_DISTORT_BORDERS] = "percent smaller",
};

static const char *const title[UM_DISTORTIONS] = {
    [UM_DISTORT_H264] = "H.264", [UM_DISTORT_JPEG] = "JPEG",       [UM_DISTORT_DOWNSCALE] = "Downscaling",
    [UM_DISTORT_BLUR] = "Blur",  [UM_DISTORT_NOISE] = "Noise",     [UM_DISTORT_BRIGHTNESS] = "Brightness",
    [UM_DISTORT_CROP] = "Crop",  [UM_DISTORT_BORDERS] = "Borders",
};

static double share(int part, int of) { return of ? (double)part / of : NAN; }

/* Rungs of one kind, from `first` on; the inputs as they are stand where the strength is that of nothing. */
static int order_of(const rung *at[8], const ladder *l, int first, int *count) {
  const um_distortion_kind kind = l->rung[first].how.kind;
  int n = 0, i = first;
  bool plain = false;
  for (; i < l->rungs && l->rung[i].how.kind == kind; i++) {
    if (!plain && (kind != UM_DISTORT_BRIGHTNESS || l->rung[i].how.strength > 0)) at[n++] = &l->plain, plain = true;
    at[n++] = &l->rung[i];
  }
  *count = n;
  return i;
}

static bool keep_line(um_plot *p, line *to, int n) {
  to->y = um_plot_keep(p, (size_t)n, sizeof *to->y), to->low = um_plot_keep(p, (size_t)n, sizeof *to->low);
  to->high = um_plot_keep(p, (size_t)n, sizeof *to->high);
  return to->y && to->low && to->high;
}

static um_plot_series series_of(const char *name, const line *from, int n, int which) {
  um_plot_series s = {.name = name, .y = from->y, .count = n};
  um_plot_made_look(&s, which);
  s.marker = which ? UM_MARKER_SQUARE : UM_MARKER_CIRCLE;
  if (!which) s.low = from->low, s.high = from->high;
  return s;
}

/* AUC by video with its interval and, where faces are not the videos, by frame; the share of inputs with a score where it changes. */
static bool fill_panel(um_plot *out, um_plot_panel *panel, const ladder *l, const rung *const *at, int n) {
  um_plot_series *s = um_plot_keep(out, 3, sizeof *s);
  um_plot_mark *mark = um_plot_keep(out, 1, sizeof *mark);
  const char **names = um_plot_keep(out, (size_t)n, sizeof *names);
  line video, frame, covered;
  if (!s || !mark || !names || !keep_line(out, &video, n) || !keep_line(out, &frame, n) || !keep_line(out, &covered, n)) return false;
  bool frames = false, lost = false;
  for (int i = 0; i < n; i++) {
    const rung *r = at[i];
    const bool plain = r == &l->plain;
    const double changed = plain ? 0 : share(r->changed, r->compared);
    video.y[i] = l->labelled ? r->video.measures.value[UM_AUC] : changed;
    video.low[i] = l->labelled ? r->video.interval[UM_AUC].low : NAN, video.high[i] = l->labelled ? r->video.interval[UM_AUC].high : NAN;
    frame.y[i] = r->frame.measures.value[UM_AUC];
    covered.y[i] = share(r->scored, l->inputs);
    frames |= l->labelled && r->frame.count != r->video.count, lost |= r->scored != l->plain.scored;
    names[i] =
        plain ? "none"
              : um_plot_keep_text(out, "%s%g", r->how.kind == UM_DISTORT_BRIGHTNESS && r->how.strength > 0 ? "+" : "", r->how.strength);
    if (!names[i]) return false;
  }
  int k = 0;
  s[k] = series_of(l->labelled ? "AUC by video" : "changed verdicts", &video, n, k), k++;
  if (frames) s[k] = series_of("AUC by frame", &frame, n, k), k++;
  if (lost) s[k] = series_of("inputs with a score", &covered, n, k), s[k].marker = UM_MARKER_TRIANGLE, k++;
  *mark = (um_plot_mark){.at = l->labelled ? l->plain.video.measures.value[UM_AUC] : 0, .horizontal = true, .label = "as they are"};
  const um_distortion_kind kind = at[n - 1]->how.kind;
  panel->title = title[kind], panel->series = s, panel->series_count = k;
  panel->x = (um_plot_axis){.name = axis[kind], .names = names, .names_count = n};
  panel->marks = mark, panel->mark_count = l->labelled && !isnan(mark->at);
  return true;
}

/* One range for all panels, so that they compare. */
static void set_range(um_plot_panel *panel, int panels, bool labelled) {
  double low = labelled ? .5 : 0;
  for (int p = 0; p < panels; p++)
    for (int k = 0; k < panel[p].series_count; k++)
      for (int i = 0; i < panel[p].series[k].count; i++) {
        const um_plot_series *s = &panel[p].series[k];
        if (s->y[i] < low) low = s->y[i];
        if (s->low && s->low[i] < low) low = s->low[i];
      }
  for (int p = 0; p < panels; p++)
    panel[p].y = (um_plot_axis){
        .name = labelled ? NULL : "share", .low = floor(low * 10) / 10, .high = 1, .unit = labelled ? UM_PLOT_NUMBER : UM_PLOT_PERCENT};
}

int ladder_plot(um_plot *out, const ladder *l, um_error *err) {
  const rung *at[8];
  int n;
  *out = (um_plot){.title = "Robustness"};
  um_plot_panel *panel = um_plot_keep(out, UM_DISTORTIONS, sizeof *panel);
  bool whole = panel;
  for (int i = 0; whole && i < l->rungs;) {
    i = order_of(at, l, i, &n);
    whole = fill_panel(out, &panel[out->panel_count++], l, at, n);
  }
  if (whole) set_range(panel, out->panel_count, l->labelled);
  out->panels = panel;
  if (out->panel_count > 1) out->width = WIDTH;
  return um_plot_made(out, whole ? UM_OK : UM_ENOMEM, err);
}
