#include "core/metrics.h"

#include <math.h>
#include <stdlib.h>

typedef struct ranked {
  double score;
  bool positive;
} ranked;

static int by_score(const void *a, const void *b) {
  double x = ((const ranked *)a)->score, y = ((const ranked *)b)->score;
  return (x > y) - (x < y);
}

/* Mann & Whitney's U over all pairs, for when there is no memory to sort in. */
static double auc_by_pairs(const double *score, const bool *positive, int n) {
  double u = 0, pairs = 0;
  for (int i = 0; i < n; i++)
    for (int j = 0; positive[i] && j < n; j++)
      if (!positive[j]) u += score[i] > score[j] ? 1 : score[i] == score[j] ? .5 : 0, pairs++;
  return pairs > 0 ? u / pairs : NAN;
}

double um_auc(const double *score, const bool *positive, int n) {
  for (int i = 0; i < n; i++)
    if (isnan(score[i])) return NAN;
  ranked *r = n > 0 ? malloc((size_t)n * sizeof *r) : NULL;
  if (!r) return auc_by_pairs(score, positive, n);
  for (int i = 0; i < n; i++) r[i] = (ranked){score[i], positive[i]};
  qsort(r, (size_t)n, sizeof *r, by_score);
  /* U = over each run of equal scores: its positives times the negatives below, and half of those beside them. */
  double u = 0, below = 0, positives = 0;
  for (int i = 0, j; i < n; i = j) {
    double p = 0, q = 0;
    for (j = i; j < n && r[j].score == r[i].score; j++) *(r[j].positive ? &p : &q) += 1;
    u += p * (below + .5 * q);
    below += q, positives += p;
  }
  free(r);
  return positives > 0 && below > 0 ? u / (positives * below) : NAN;
}

double um_log_loss(const double *score, const bool *positive, int n) {
  const double epsilon = 1e-7;
  double sum = 0;
  for (int i = 0; i < n; i++) {
    double p = score[i] < epsilon ? epsilon : score[i] > 1 - epsilon ? 1 - epsilon : score[i];
    sum -= log(positive[i] ? p : 1 - p);
  }
  return n > 0 ? sum / n : NAN;
}

double um_accuracy(const double *score, const bool *positive, int n, double threshold) {
  int hits = 0;
  for (int i = 0; i < n; i++) {
    if (isnan(score[i])) return NAN;
    hits += (score[i] > threshold) == positive[i];
  }
  return n > 0 ? (double)hits / n : NAN;
}
