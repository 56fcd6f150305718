/* Points of curves about scores, to be drawn: those of scikit-learn's functions of the same names (tests/golden/curves.py). A score is
 * P(positive), in [0, 1]; positive is fake wherever a person sees it. */
#ifndef UM_CORE_CURVES_H
#define UM_CORE_CURVES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* Points in the order of scikit-learn; malloc'd. */
typedef struct um_curve {
  double *x, *y, *threshold; /* a sample is called positive where its score is at least the threshold */
  int count;                 /* 0 where a class is missing */
} um_curve;
void um_curve_free(um_curve *c); /* safe on a zeroed struct */

/* x: false-positive rate, y: true-positive rate, from (0, 0) (threshold INFINITY) to (1, 1). corners: only the points where the
 * direction changes (drop_intermediate=True). UM_ENUMERIC where a score is not in [0, 1], in the next two as well. */
int um_roc_curve(um_curve *out, const double *score, const bool *positive, int n, bool corners, um_error *err);
/* x: recall, y: precision, from the lowest threshold (recall 1) to none (recall 0, precision 1, threshold INFINITY). The precision of a recall
 * between two points is that of the higher one's. */
int um_precision_recall_curve(um_curve *out, const double *score, const bool *positive, int n, um_error *err);

/* The bins of the expected calibration error (core/metrics.h): of equal width, (i / 15, (i + 1) / 15], 0 in the first. */
enum { UM_RELIABILITY_BINS = 15 };
typedef struct um_reliability {
  int count;
  double mean, share; /* of the scores; of positives. NaN where count is 0 */
} um_reliability;
int um_reliability_bin(double score); /* from 0 */
int um_reliability_bins(um_reliability bin[UM_RELIABILITY_BINS], const double *score, const bool *positive, int n, um_error *err);

/* How many negatives (count[0]) and positives (count[1]) score in [i / bins, (i + 1) / bins), the last with its upper edge; bins numbers each. */
int um_score_histogram(int *negatives, int *positives, int bins, const double *score, const bool *positive, int n, um_error *err);

#endif
