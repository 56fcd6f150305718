/* All metrics of a set of scores in one pass over their order. What does not need the order is summed by group beforehand, so that a
 * resample costs one look at each sample. */
#include "core/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "core/curves.h"

typedef struct sample {
  double score;
  int group;
  bool positive;
} sample;

/* Sums over a group's samples. */
typedef struct sums {
  um_confusion confusion;
  double loss, square;
} sums;

struct um_ranking {
  sample *at; /* highest score first */
  sums *group;
  int n, groups;
};

static const struct {
  const char *key, *name;
} names[UM_METRICS] = {
    [UM_ACCURACY] = {"accuracy", "accuracy"},
    [UM_BALANCED_ACCURACY] = {"balanced_accuracy", "balanced accuracy"},
    [UM_LOG_LOSS] = {"log_loss", "log loss"},
    [UM_AUC] = {"auc", "ROC AUC"},
    [UM_AVERAGE_PRECISION] = {"average_precision", "average precision"},
    [UM_EQUAL_ERROR_RATE] = {"eer", "equal error rate"},
    [UM_TPR_AT_1] = {"tpr_at_1_percent", "found at 1 % false alarms"},
    [UM_TPR_AT_5] = {"tpr_at_5_percent", "found at 5 % false alarms"},
    [UM_BRIER] = {"brier", "Brier score"},
    [UM_CALIBRATION_ERROR] = {"ece", "calibration error"},
};

const char *um_metric_key(int metric) { return metric >= 0 && metric < UM_METRICS ? names[metric].key : NULL; }
const char *um_metric_name(int metric) { return metric >= 0 && metric < UM_METRICS ? names[metric].name : NULL; }

static int by_score(const void *a, const void *b) {
  const double x = ((const sample *)a)->score, y = ((const sample *)b)->score;
  return (x < y) - (x > y);
}

static void add(sums *s, double score, bool positive, double threshold) {
  const bool called = score > threshold;
  const double off = score - positive;
  um_confusion *c = &s->confusion;
  *(positive ? called ? &c->true_positive : &c->false_negative : called ? &c->false_positive : &c->true_negative) += 1;
  s->loss += um_log_loss(&score, &positive, 1);
  s->square += off * off;
}

int um_ranking_make(um_ranking **out, const double *score, const bool *positive, const int *group, int n, int groups, double threshold,
                    um_error *err) {
  if (!group) groups = n;
  um_ranking *r = calloc(1, sizeof *r);
  int rc = UM_OK;
  *out = NULL;
  if (r) {
    *r = (um_ranking){.at = malloc(((size_t)n + 1) * sizeof *r->at), .group = calloc((size_t)groups + 1, sizeof *r->group), .n = n};
    r->groups = groups;
  }
  if (!r || !r->at || !r->group) rc = um_fail(err, UM_ENOMEM, "no memory to rank %d scores", n);
  for (int i = 0; !rc && i < n; i++) {
    const int g = group ? group[i] : i;
    if (!(score[i] >= 0 && score[i] <= 1))
      rc = um_fail(err, UM_ENUMERIC, "score %d of %d: expected a number from 0 to 1, got %g", i + 1, n, score[i]);
    else if (g < 0 || g >= groups)
      rc = um_fail(err, UM_EINTERNAL, "score %d of %d is of group %d, but there are %d", i + 1, n, g, groups);
    else
      r->at[i] = (sample){score[i], g, positive[i]}, add(&r->group[g], score[i], positive[i], threshold);
  }
  if (rc)
    um_ranking_free(r);
  else
    qsort(r->at, (size_t)n, sizeof *r->at, by_score), *out = r;
  return rc;
}

void um_ranking_free(um_ranking *r) {
  if (!r) return;
  free(r->at);
  free(r->group);
  free(r);
}

int um_ranking_groups(const um_ranking *r) { return r->groups; }
int um_ranking_count(const um_ranking *r) { return r->n; }

/* The sums of all groups. */
static sums total(const um_ranking *r, const uint32_t *weight) {
  sums t = {0};
  for (int g = 0; g < r->groups; g++) {
    const double w = weight ? weight[g] : 1;
    const sums *s = &r->group[g];
    t.confusion.true_positive += w * s->confusion.true_positive;
    t.confusion.false_negative += w * s->confusion.false_negative;
    t.confusion.false_positive += w * s->confusion.false_positive;
    t.confusion.true_negative += w * s->confusion.true_negative;
    t.loss += w * s->loss;
    t.square += w * s->square;
  }
  return t;
}

/* What comes from the order: a walk along the ROC curve from (0, 0), a step a score. */
static void walk(double value[UM_METRICS], const um_ranking *r, const uint32_t *weight, double positives, double negatives) {
  double tp = 0, fp = 0, u = 0, ap = 0, eer = NAN, tpr_1 = 0, tpr_5 = 0, off = 0, ece = 0, more = 1;
  const bool both = positives > 0 && negatives > 0;
  int bin = -1;
  for (int i = 0, j; i < r->n; i = j) {
    const double score = r->at[i].score;
    double count[2] = {0, 0};
    for (j = i; j < r->n && r->at[j].score == score; j++) count[r->at[j].positive] += weight ? weight[r->at[j].group] : 1;
    const double p = count[1], q = count[0];
    if (p + q == 0) continue;
    const int b = um_reliability_bin(score);
    if (b != bin) ece += fabs(off), off = 0, bin = b;
    off += (p + q) * score - p;
    if (!both) continue;
    u += q * (tp + .5 * p);
    if (p > 0) ap += p * (tp + p) / (tp + p + fp + q);
    /* more: by how much the misses exceed the false alarms; it falls from 1 to -1. */
    const double now = (1 - (tp + p) / positives) - (fp + q) / negatives;
    if (more > 0 && now <= 0) eer = (fp + q * (more / (more - now))) / negatives;
    more = now, tp += p, fp += q;
    if (fp / negatives <= .01) tpr_1 = tp / positives;
    if (fp / negatives <= .05) tpr_5 = tp / positives;
  }
  value[UM_CALIBRATION_ERROR] = (ece + fabs(off)) / (positives + negatives);
  value[UM_AUC] = both ? u / (positives * negatives) : NAN;
  value[UM_AVERAGE_PRECISION] = both ? ap / positives : NAN;
  value[UM_EQUAL_ERROR_RATE] = eer;
  value[UM_TPR_AT_1] = both ? tpr_1 : NAN;
  value[UM_TPR_AT_5] = both ? tpr_5 : NAN;
}

void um_ranking_measure(um_measures *m, const um_ranking *r, const uint32_t *weight) {
  const sums t = total(r, weight);
  const um_confusion *c = &t.confusion;
  const double positives = c->true_positive + c->false_negative, negatives = c->false_positive + c->true_negative;
  const double n = positives + negatives;
  m->confusion = *c;
  for (int i = 0; i < UM_METRICS; i++) m->value[i] = NAN;
  if (n == 0) return;
  m->value[UM_ACCURACY] = (c->true_positive + c->true_negative) / n;
  m->value[UM_LOG_LOSS] = t.loss / n;
  m->value[UM_BRIER] = t.square / n;
  if (positives > 0 && negatives > 0) m->value[UM_BALANCED_ACCURACY] = (c->true_positive / positives + c->true_negative / negatives) / 2;
  walk(m->value, r, weight, positives, negatives);
}
