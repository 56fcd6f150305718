#include "core/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

void um_bootstrap_weights(uint32_t *weight, int groups, uint64_t seed, int resample) {
  /* um_rng_below at draw 0, 1, ..., but four words a block instead of one. */
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint32_t word[4];
  memset(weight, 0, (size_t)groups * sizeof *weight);
  for (int i = 0; i < groups; i++) {
    if (i % 4 == 0) um_philox(word, (const uint32_t[4]){(uint32_t)i / 4, (uint32_t)resample, 0, UM_STREAM_BOOTSTRAP}, key);
    weight[((uint64_t)word[i % 4] * (uint32_t)groups) >> 32]++;
  }
}

/* value[metric x resamples + r]: of ranking b less that of a, or where a is NULL of b alone. */
static int resample(double *value, const um_ranking *a, const um_ranking *b, int resamples, uint64_t seed) {
  const int groups = um_ranking_groups(b);
  int failed = 0;
  /* What takes a few milliseconds is not worth waking threads. */
#pragma omp parallel if ((double)resamples * (um_ranking_count(b) + groups) > 4e6)
  {
    uint32_t *weight = malloc((size_t)groups * sizeof *weight);
    if (!weight) {
#pragma omp atomic write
      failed = 1;
    }
#pragma omp for schedule(static)
    for (int r = 0; r < resamples; r++) {
      um_measures of_a = {0}, of_b;
      if (!weight) continue;
      um_bootstrap_weights(weight, groups, seed, r);
      um_ranking_measure(&of_b, b, weight);
      if (a) um_ranking_measure(&of_a, a, weight);
      for (int m = 0; m < UM_METRICS; m++) value[(size_t)m * (size_t)resamples + (size_t)r] = of_b.value[m] - of_a.value[m];
    }
    free(weight);
  }
  return failed;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* numpy's default: linear between the order statistics. */
static double quantile(const double *sorted, int n, double q) {
  const double at = q * (n - 1);
  const int i = (int)at;
  return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Moves the numbers to the front, sorted; how many there are. */
static int settle(double *value, int n) {
  int kept = 0;
  for (int i = 0; i < n; i++)
    if (!isnan(value[i])) value[kept++] = value[i];
  qsort(value, (size_t)kept, sizeof *value, ascending);
  return kept;
}

/* Two values that are equal may differ by their rounding, as equal error rates do: that is no difference. */
#define ROUNDING 1e-12

static double p_value(const double *sorted, int n) {
  int below = 0, above = 0;
  for (int i = 0; i < n; i++) below += sorted[i] <= ROUNDING, above += sorted[i] >= -ROUNDING;
  const double p = 2. * ((below < above ? below : above) + 1) / (n + 1);
  return p < 1 ? p : 1;
}

int um_bootstrap_difference(um_difference difference[UM_METRICS], const um_ranking *a, const um_ranking *b, int resamples, uint64_t seed,
                            um_error *err) {
  um_measures of_a = {0}, of_b;
  um_ranking_measure(&of_b, b, NULL);
  if (a) um_ranking_measure(&of_a, a, NULL);
  for (int m = 0; m < UM_METRICS; m++) difference[m] = (um_difference){of_b.value[m] - of_a.value[m], {NAN, NAN}, NAN};
  if (a && um_ranking_groups(a) != um_ranking_groups(b))
    return um_fail(err, UM_EINTERNAL, "two rankings of %d and %d groups cannot be resampled together", um_ranking_groups(a),
                   um_ranking_groups(b));
  if (um_ranking_groups(b) < 2 || resamples < 2) return UM_OK;
  double *value = calloc(UM_METRICS, (size_t)resamples * sizeof *value);
  if (!value || resample(value, a, b, resamples, seed)) {
    free(value);
    return um_fail(err, UM_ENOMEM, "no memory for %d resamples of %d groups", resamples, um_ranking_groups(b));
  }
  for (int m = 0; m < UM_METRICS; m++) {
    double *of = value + (size_t)m * (size_t)resamples;
    const int n = settle(of, resamples);
    if (2 * n <= resamples) continue;
    difference[m].interval = (um_interval){quantile(of, n, .025), quantile(of, n, .975)};
    difference[m].p = p_value(of, n);
  }
  free(value);
  return UM_OK;
}

int um_bootstrap(um_interval interval[UM_METRICS], const um_ranking *r, int resamples, uint64_t seed, um_error *err) {
  um_difference d[UM_METRICS];
  const int rc = um_bootstrap_difference(d, NULL, r, resamples, seed, err);
  for (int m = 0; m < UM_METRICS; m++) interval[m] = d[m].interval;
  return rc;
}
