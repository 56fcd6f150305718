/* Numbers about scores: score is P(positive), in [0, 1]. The positive class is fake wherever a person sees a number. Definitions with
 * their reasons: docs/evaluation.md. Where scikit-learn has a metric, the value is its. */
#ifndef UM_CORE_METRICS_H
#define UM_CORE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* Area under the ROC curve (Mann & Whitney's U over the pairs; ties count a half); NaN where a class is missing. The three are NaN
 * where n is 0 or a score is NaN. */
double um_auc(const double *score, const bool *positive, int n);
/* Mean cross-entropy, scores clipped to [1e-7, 1 - 1e-7] as in Keras. */
double um_log_loss(const double *score, const bool *positive, int n);
/* Share of (score > threshold) == positive. */
double um_accuracy(const double *score, const bool *positive, int n, double threshold);

typedef enum um_metric {
  UM_ACCURACY,
  UM_BALANCED_ACCURACY, /* mean of the shares of positives and of negatives that are right */
  UM_LOG_LOSS,          /* as um_log_loss */
  UM_AUC,               /* as um_auc */
  UM_AVERAGE_PRECISION, /* sum over thresholds of (rise of the recall) x precision; no interpolation */
  UM_EQUAL_ERROR_RATE,  /* where the ROC curve, its points joined by straight lines, has as many misses as false alarms */
  UM_TPR_AT_1,          /* the largest true-positive rate of a threshold with a false-alarm rate of at most 1 % */
  UM_TPR_AT_5,          /* 5 % */
  UM_BRIER,             /* mean squared difference of score and truth */
  UM_CALIBRATION_ERROR, /* expected calibration error: 15 bins of equal width (i / 15, (i + 1) / 15], 0 in the first; the mean, by
                            samples, of |mean score - share of positives| */
  UM_METRICS
} um_metric;

const char *um_metric_key(int metric);  /* in files: "balanced_accuracy"; NULL past the last */
const char *um_metric_name(int metric); /* for people: "balanced accuracy" */

/* Samples by what they are and what their score says. */
typedef struct um_confusion {
  double true_positive, false_negative, false_positive, true_negative;
} um_confusion;

/* Where a class is missing, balanced accuracy, AUC, average precision, equal error rate and the true-positive rates are NaN; without
 * samples, all are. */
typedef struct um_measures {
  double value[UM_METRICS];
  um_confusion confusion;
} um_measures;

/* Scores in order, for measuring them once or, with other weights of their groups, many times. */
typedef struct um_ranking um_ranking;

/* group[i] from 0 to groups - 1 (NULL: each sample is one); the arrays are copied. UM_ENUMERIC where a score is not in [0, 1]. n may
 * be 0. */
int um_ranking_make(um_ranking **out, const double *score, const bool *positive, const int *group, int n, int groups, double threshold,
                    um_error *err);
void um_ranking_free(um_ranking *r);
int um_ranking_groups(const um_ranking *r);
int um_ranking_count(const um_ranking *r);
/* Each sample counts as often as its group's weight says; NULL: once. */
void um_ranking_measure(um_measures *m, const um_ranking *r, const uint32_t *weight);

/* Bootstrap (Efron & Tibshirani 1993, chapter 13): `resamples` times as many groups as there are are drawn with replacement, whole;
 * the interval reaches from the 2.5th to the 97.5th percentile (linear between order statistics) of the values of those resamples
 * that have one. NaN where there are fewer than two groups or half of the resamples have no value. Resample r draws from Philox at
 * (seed, UM_STREAM_BOOTSTRAP, 0, r): the same whatever the threads. */
enum { UM_RESAMPLES = 2000 };
typedef struct um_interval {
  double low, high;
} um_interval;
int um_bootstrap(um_interval interval[UM_METRICS], const um_ranking *r, int resamples, uint64_t seed, um_error *err);

/* Paired: both rankings with the same groups (their number must be equal), whose resamples are the same. p is two-sided: twice the
 * smaller share of resamples, one added to each count, in which the difference is not above, or not below, 0 (but for rounding: 1e-12); at most 1. */
typedef struct um_difference {
  double value; /* b - a */
  um_interval interval;
  double p; /* NaN where the interval is */
} um_difference;
int um_bootstrap_difference(um_difference difference[UM_METRICS], const um_ranking *a, const um_ranking *b, int resamples, uint64_t seed,
                            um_error *err);

/* How often each group is in a resample. */
void um_bootstrap_weights(uint32_t *weight, int groups, uint64_t seed, int resample);

#endif
