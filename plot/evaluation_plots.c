#include "plot/evaluation_plots.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/curves.h"
#include "core/metrics.h"
#include "plot/made.h"

enum { BINS = 20, SIDE = 420 };

static const double diagonal[] = {0, 1};

/* " [0.91, 0.95]" or nothing. */
static const char *interval_text(char text[48], double low, double high) {
  text[0] = '\0';
  if (low < high) snprintf(text, 48, " [%.3f, %.3f]", low, high);
  return text;
}

/* "videos: AUC 0.942 [0.911, 0.967]". */
static const char *legend_text(um_plot *p, const um_plot_scores *s, const char *what, double value, double low, double high) {
  char interval[48];
  const char *name = s->name ? s->name : "", *colon = s->name ? ": " : "";
  if (!isfinite(value)) return um_plot_keep_text(p, "%s%sneeds fakes and real ones", name, colon);
  return um_plot_keep_text(p, "%s%s%s %.3f%s", name, colon, what, value, interval_text(interval, low, high));
}

/* The arrays of a curve, in memory of the plot. */
static int keep_curve(um_plot *p, um_plot_series *s, const um_curve *c) {
  const size_t n = (size_t)c->count;
  double *x = um_plot_keep(p, n, sizeof *x), *y = um_plot_keep(p, n, sizeof *y);
  if (!x || !y) return UM_ENOMEM;
  if (n > 0) memcpy(x, c->x, n * sizeof *x), memcpy(y, c->y, n * sizeof *y);
  s->x = x, s->y = y, s->count = c->count;
  return UM_OK;
}

/* Panels with room for `series` each; NULL where there is no memory. */
static um_plot_panel *begin(um_plot *out, int panels, int series) {
  *out = (um_plot){.width = SIDE};
  um_plot_panel *p = um_plot_keep(out, (size_t)panels, sizeof *p);
  for (int i = 0; p && i < panels; i++)
    if (!(p[i].series = um_plot_keep(out, (size_t)series, sizeof *p[i].series))) p = NULL;
  out->panels = p, out->panel_count = p ? panels : 0;
  return p;
}

static um_plot_axis shares(const char *name) { return (um_plot_axis){.name = name, .low = 0, .high = 1, .unit = UM_PLOT_PERCENT}; }

static um_plot_series line_of(const char *name) {
  return (um_plot_series){
      .name = name, .colour = UM_PLOT_UNCERTAIN, .dash = UM_DASH_DOTTED, .width = 1.5, .x = diagonal, .y = diagonal, .count = 2};
}

int um_plot_roc(um_plot *out, const um_plot_scores *set, int sets, um_error *err) {
  um_plot_panel *p = begin(out, 1, sets + 1);
  int status = p ? UM_OK : UM_ENOMEM;
  if (status) return um_plot_made(out, status, err);
  um_plot_series *s = (um_plot_series *)p->series;
  for (int i = 0; i < sets && !status; i++) {
    um_curve c;
    if ((status = um_roc_curve(&c, set[i].score, set[i].fake, set[i].count, true, err))) break;
    um_plot_made_look(&s[i], i);
    s[i].name = legend_text(out, &set[i], "AUC", um_auc(set[i].score, set[i].fake, set[i].count), set[i].auc_low, set[i].auc_high);
    status = s[i].name ? keep_curve(out, &s[i], &c) : UM_ENOMEM;
    um_curve_free(&c);
  }
  s[sets] = line_of("chance");
  p->title = "ROC curve", p->square = true, p->series_count = sets + 1;
  p->x = shares("real ones called fake"), p->y = shares("fakes found");
  return um_plot_made(out, status, err);
}

int um_plot_precision_recall(um_plot *out, const um_plot_scores *set, int sets, um_error *err) {
  um_plot_panel *p = begin(out, 1, sets);
  um_plot_mark *mark = um_plot_keep(out, (size_t)sets, sizeof *mark);
  int status = p && mark ? UM_OK : UM_ENOMEM;
  if (status) return um_plot_made(out, status, err);
  um_plot_series *s = (um_plot_series *)p->series;
  for (int i = 0; i < sets && !status; i++) {
    um_curve c;
    if ((status = um_precision_recall_curve(&c, set[i].score, set[i].fake, set[i].count, err))) break;
    double fakes = 0, ap = c.count > 0 ? 0 : NAN;
    bool again = c.count == 0;
    for (int k = 1; k < c.count; k++) ap += (c.x[k - 1] - c.x[k]) * c.y[k - 1];
    for (int k = 0; k < set[i].count; k++) fakes += set[i].fake[k];
    const double share = fakes / set[i].count;
    for (int k = 0; k < p->mark_count; k++) again |= fabs(mark[k].at - share) < .005;
    um_plot_made_look(&s[i], i);
    s[i].kind = UM_PLOT_STEPS; /* the precision of a recall between two points is that of the higher recall, which comes first */
    s[i].name = legend_text(out, &set[i], "average precision", ap, set[i].precision_low, set[i].precision_high);
    status = s[i].name ? keep_curve(out, &s[i], &c) : UM_ENOMEM;
    um_curve_free(&c);
    if (again || status) continue;
    um_plot_mark *m = &mark[p->mark_count++];
    *m = (um_plot_mark){.at = share, .horizontal = true, .colour = UM_PLOT_UNCERTAIN, .dash = UM_DASH_DOTTED};
    m->label = um_plot_keep_text(out, "share of fakes %.3g %%", 100 * share);
  }
  p->title = "Precision and recall", p->square = true, p->series_count = sets, p->marks = mark;
  p->x = shares("recall: fakes found"), p->y = shares("precision: fakes among those called fake");
  return um_plot_made(out, status, err);
}

int um_plot_reliability(um_plot *out, const um_plot_scores *set, int sets, um_error *err) {
  enum { B = UM_RELIABILITY_BINS };
  um_plot_panel *p = begin(out, 2, sets + 1);
  double *middle = um_plot_keep(out, B, sizeof *middle);
  int status = p && middle ? UM_OK : UM_ENOMEM;
  if (status) return um_plot_made(out, status, err);
  um_plot_series *s = (um_plot_series *)p[0].series, *bars = (um_plot_series *)p[1].series;
  for (int b = 0; b < B; b++) middle[b] = (b + .5) / B;
  for (int i = 0; i < sets && !status; i++) {
    um_reliability bin[B];
    double *mean = um_plot_keep(out, B, sizeof *mean), *share = um_plot_keep(out, B, sizeof *share),
           *count = um_plot_keep(out, B, sizeof *count);
    double error = 0;
    int filled = 0;
    if (!mean || !share || !count) status = UM_ENOMEM;
    if (!status) status = um_reliability_bins(bin, set[i].score, set[i].fake, set[i].count, err);
    if (status) break;
    for (int b = 0; b < B; b++) {
      count[b] = bin[b].count;
      if (bin[b].count == 0) continue;
      mean[filled] = bin[b].mean, share[filled++] = bin[b].share;
      error += bin[b].count * fabs(bin[b].mean - bin[b].share) / set[i].count;
    }
    um_plot_made_look(&s[i], i);
    s[i].marker = (um_plot_marker)(UM_MARKER_CIRCLE + i % 4);
    s[i].name = um_plot_keep_text(out, "%s%scalibration error %.3f", set[i].name ? set[i].name : "", set[i].name ? ": " : "", error);
    if (!s[i].name) status = UM_ENOMEM;
    s[i].x = mean, s[i].y = share, s[i].count = filled;
    bars[i] = (um_plot_series){.kind = UM_PLOT_BARS, .colour = s[i].colour, .dash = s[i].dash, .x = middle, .y = count, .count = B};
  }
  s[sets] = line_of("perfect");
  p[0].title = "Reliability", p[0].square = true, p[0].series_count = sets + 1;
  p[0].x = shares(NULL), p[0].y = shares("fakes among them");
  p[1].height = 70, p[1].series_count = sets;
  p[1].x = shares("score"), p[1].y = (um_plot_axis){.name = "scores", .unit = UM_PLOT_WHOLE};
  out->columns = 1;
  return um_plot_made(out, status, err);
}

int um_plot_score_histogram(um_plot *out, const um_plot_scores *set, double real_below, double fake_above, um_error *err) {
  um_plot_panel *p = begin(out, 1, 2);
  um_plot_mark *mark = um_plot_keep(out, 2, sizeof *mark);
  double *edge = um_plot_keep(out, BINS + 1, sizeof *edge);
  int count[2][BINS], total[2] = {0, 0}, status = p && mark && edge ? UM_OK : UM_ENOMEM;
  if (!status) status = um_score_histogram(count[0], count[1], BINS, set->score, set->fake, set->count, err);
  if (status) return um_plot_made(out, status, err);
  um_plot_series *s = (um_plot_series *)p->series;
  static const char *const names[] = {"real", "fake"};
  for (int i = 0; i <= BINS; i++) edge[i] = (double)i / BINS;
  for (int k = 0; k < 2 && !status; k++) {
    double *share = um_plot_keep(out, BINS + 1, sizeof *share);
    if (!share) status = UM_ENOMEM;
    for (int i = 0; i < BINS; i++) total[k] += count[k][i];
    for (int i = 0; i <= BINS && share; i++) share[i] = total[k] > 0 ? (double)count[k][i < BINS ? i : BINS - 1] / total[k] : NAN;
    s[k] = (um_plot_series){.kind = UM_PLOT_STEPS, .fill = .25, .x = edge, .y = share, .count = BINS + 1};
    s[k].colour = k == 0 ? UM_PLOT_REAL : UM_PLOT_FAKE, s[k].dash = k == 0 ? UM_DASH_SOLID : UM_DASH_DASHED;
    s[k].name = um_plot_keep_text(out, "%s (%d)", names[k], total[k]);
    if (!s[k].name) status = UM_ENOMEM;
  }
  if (real_below == fake_above)
    mark[p->mark_count++] = (um_plot_mark){.at = fake_above, .label = um_plot_keep_text(out, "fake above %.3g", fake_above)};
  else {
    if (isfinite(real_below))
      mark[p->mark_count++] = (um_plot_mark){.at = real_below, .label = um_plot_keep_text(out, "real below %.3g", real_below)};
    if (isfinite(fake_above))
      mark[p->mark_count++] = (um_plot_mark){.at = fake_above, .label = um_plot_keep_text(out, "fake above %.3g", fake_above)};
  }
  p->title = set->name ? um_plot_keep_text(out, "Scores of the %s", set->name) : "Scores";
  p->series_count = 2, p->marks = mark;
  p->x = (um_plot_axis){.name = "score: probability of fake", .low = 0, .high = 1};
  p->y = (um_plot_axis){.name = "share of the class", .low = 0, .high = NAN, .unit = UM_PLOT_PERCENT};
  return um_plot_made(out, status, err);
}
