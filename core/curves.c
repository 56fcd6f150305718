#include "core/curves.h"

#include <math.h>
#include <stdlib.h>

typedef struct ranked {
  double score;
  bool positive;
} ranked;

static int by_score(const void *a, const void *b) {
  const double x = ((const ranked *)a)->score, y = ((const ranked *)b)->score;
  return (x < y) - (x > y);
}

static int check(const double *score, int n, um_error *err) {
  for (int i = 0; i < n; i++)
    if (!(score[i] >= 0 && score[i] <= 1))
      return um_fail(err, UM_ENUMERIC, "score %d of %d: expected a number from 0 to 1, got %g", i + 1, n, score[i]);
  return UM_OK;
}

void um_curve_free(um_curve *c) {
  free(c->x);
  free(c->y);
  free(c->threshold);
  *c = (um_curve){0};
}

/* For each different score, the highest first: x negatives and y positives that score at least as high. Room for one point more. */
static int cumulate(um_curve *out, const double *score, const bool *positive, int n, um_error *err) {
  *out = (um_curve){0};
  int status = check(score, n, err);
  if (status) return status;
  const size_t room = (size_t)n + 1;
  ranked *r = malloc(room * sizeof *r);
  *out = (um_curve){malloc(room * sizeof(double)), malloc(room * sizeof(double)), malloc(room * sizeof(double)), 0};
  if (r && out->x && out->y && out->threshold) {
    double fp = 0, tp = 0;
    for (int i = 0; i < n; i++) r[i] = (ranked){score[i], positive[i]};
    qsort(r, (size_t)n, sizeof *r, by_score);
    for (int i = 0; i < n; i++) {
      *(r[i].positive ? &tp : &fp) += 1;
      if (i + 1 < n && r[i + 1].score == r[i].score) continue;
      const int k = out->count++;
      out->x[k] = fp, out->y[k] = tp, out->threshold[k] = r[i].score;
    }
    if (fp == 0 || tp == 0) out->count = 0;
  } else {
    um_curve_free(out);
    status = um_fail(err, UM_ENOMEM, "no memory for a curve of %d scores", n);
  }
  free(r);
  return status;
}

int um_roc_curve(um_curve *out, const double *score, const bool *positive, int n, bool corners, um_error *err) {
  const int status = cumulate(out, score, positive, n, err);
  if (status || out->count == 0) return status;
  const double fp = out->x[out->count - 1], tp = out->y[out->count - 1];
  int kept = 0;
  double before_x = 0, before_y = 0; /* of the point before, which may not be kept */
  for (int i = 0; i < out->count; i++) {
    const double x = out->x[i], y = out->y[i];
    const bool inner = i > 0 && i + 1 < out->count;
    const bool straight = inner && x - before_x == out->x[i + 1] - x && y - before_y == out->y[i + 1] - y;
    before_x = x, before_y = y;
    if (corners && straight) continue;
    out->x[kept] = x, out->y[kept] = y, out->threshold[kept++] = out->threshold[i];
  }
  for (int i = kept; i > 0; i--) {
    out->x[i] = out->x[i - 1] / fp, out->y[i] = out->y[i - 1] / tp, out->threshold[i] = out->threshold[i - 1];
  }
  out->x[0] = out->y[0] = 0, out->threshold[0] = INFINITY;
  out->count = kept + 1;
  return UM_OK;
}

int um_precision_recall_curve(um_curve *out, const double *score, const bool *positive, int n, um_error *err) {
  const int status = cumulate(out, score, positive, n, err);
  if (status || out->count == 0) return status;
  const int last = out->count - 1;
  const double all = out->y[last];
  for (int i = 0; i <= last; i++) {
    const double fp = out->x[i], tp = out->y[i];
    out->x[i] = tp / all, out->y[i] = tp / (tp + fp);
  }
  for (int i = 0; i < last - i; i++) {
    const double x = out->x[i], y = out->y[i], t = out->threshold[i];
    out->x[i] = out->x[last - i], out->y[i] = out->y[last - i], out->threshold[i] = out->threshold[last - i];
    out->x[last - i] = x, out->y[last - i] = y, out->threshold[last - i] = t;
  }
  out->x[last + 1] = 0, out->y[last + 1] = 1, out->threshold[last + 1] = INFINITY;
  out->count = last + 2;
  return UM_OK;
}

int um_reliability_bin(double score) {
  const int bins = UM_RELIABILITY_BINS;
  int b = (int)ceil(score * bins) - 1;
  /* The product is rounded; the edges themselves decide. */
  if (b > 0 && score <= (double)b / bins) b--;
  if (b < bins - 1 && score > (double)(b + 1) / bins) b++;
  return b < 0 ? 0 : b;
}

int um_reliability_bins(um_reliability bin[UM_RELIABILITY_BINS], const double *score, const bool *positive, int n, um_error *err) {
  const int status = check(score, n, err);
  if (status) return status;
  for (int b = 0; b < UM_RELIABILITY_BINS; b++) bin[b] = (um_reliability){0};
  for (int i = 0; i < n; i++) {
    um_reliability *b = &bin[um_reliability_bin(score[i])];
    b->count++, b->mean += score[i], b->share += positive[i];
  }
  for (int b = 0; b < UM_RELIABILITY_BINS; b++) bin[b].mean /= bin[b].count, bin[b].share /= bin[b].count; /* 0 / 0: NaN */
  return UM_OK;
}

int um_score_histogram(int *negatives, int *positives, int bins, const double *score, const bool *positive, int n, um_error *err) {
  const int status = check(score, n, err);
  if (status) return status;
  for (int b = 0; b < bins; b++) negatives[b] = positives[b] = 0;
  for (int i = 0; i < n; i++) {
    int b = (int)(score[i] * bins);
    if (b > 0 && score[i] < (double)b / bins) b--;
    if (b < bins - 1 && score[i] >= (double)(b + 1) / bins) b++;
    if (b > bins - 1) b = bins - 1;
    (positive[i] ? positives : negatives)[b]++;
  }
  return UM_OK;
}
