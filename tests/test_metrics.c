/* Metrics and bootstrap intervals against scikit-learn, scipy and numpy (tests/golden/metrics.py); where there is no number; intervals
 * of scores whose true AUC is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "core/metrics.h"
#include "core/rng.h"

/* Only the order of the sums differs, and the equal error rate is the root that brentq stops near. */
#define TOLERANCE 1e-12
#define GOLDEN    1e-9

/* The number of a golden file, NaN for null. */
static double number(const cJSON *v) {
  assert_true(cJSON_IsNumber(v) || cJSON_IsNull(v));
  return cJSON_IsNull(v) ? NAN : v->valuedouble;
}

static void same(const char *what, double got, double expected, double tolerance) {
  if (isnan(expected) ? !isnan(got) : !(fabs(got - expected) <= tolerance * (1 + fabs(expected))))
    fail_msg("%s: got %.17g, expected %.17g", what, got, expected);
}

/* A case's scores, malloc'd. */
static int take_case(double **score, bool **positive, const cJSON *scores, const cJSON *labels) {
  const int n = cJSON_GetArraySize(scores);
  const cJSON *s = scores->child, *l = labels->child;
  *score = malloc((size_t)n * sizeof **score);
  *positive = malloc((size_t)n * sizeof **positive);
  assert_true(*score && *positive);
  assert_int_equal(cJSON_GetArraySize(labels), n);
  for (int i = 0; i < n; i++, s = s->next, l = l->next) (*score)[i] = s->valuedouble, (*positive)[i] = l->valueint == 1;
  return n;
}

static const cJSON *get(const cJSON *o, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  if (!v) fail_msg("no key %s", key);
  return v;
}

static cJSON *golden(void) {
  char *text;
  size_t size;
  um_error err;
  assert_int_equal(um_file_read(&text, &size, "tests/golden/metrics.json", 1 << 20, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  free(text);
  assert_non_null(root);
  return root;
}

static void as_scikit_learn(void **state) {
  um_error err;
  int cases = 0;
  (void)state;
  cJSON *root = golden();
  const cJSON *c;
  cJSON_ArrayForEach(c, get(root, "cases")) {
    double *score;
    bool *positive;
    um_ranking *r;
    um_measures m;
    const int n = take_case(&score, &positive, get(c, "score"), get(c, "label"));
    print_message("%s: %d scores\n", get(c, "name")->valuestring, n);
    same("auc", um_auc(score, positive, n), number(get(c, "auc")), TOLERANCE);
    same("log_loss", um_log_loss(score, positive, n), number(get(c, "log_loss")), TOLERANCE);
    same("accuracy", um_accuracy(score, positive, n, .5), number(get(c, "accuracy")), TOLERANCE);
    assert_int_equal(um_ranking_make(&r, score, positive, NULL, n, 0, .5, &err), UM_OK);
    um_ranking_measure(&m, r, NULL);
    for (int k = 0; k < UM_METRICS; k++)
      same(um_metric_key(k), m.value[k], number(get(c, um_metric_key(k))), k == UM_EQUAL_ERROR_RATE ? GOLDEN : TOLERANCE);
    const double confusion[] = {m.confusion.true_positive, m.confusion.false_negative, m.confusion.false_positive,
                                m.confusion.true_negative};
    for (int k = 0; k < 4; k++) assert_true(confusion[k] == cJSON_GetArrayItem(get(c, "confusion"), k)->valuedouble);
    um_ranking_free(r);
    free(score), free(positive);
    cases++;
  }
  assert_int_equal(cases, 13);
  cJSON_Delete(root);
}

static void weights_are(const uint32_t *weight, const cJSON *expected) {
  const cJSON *e;
  cJSON_ArrayForEach(e, expected) assert_int_equal(*weight++, e->valueint);
}

/* The same resamples, drawn by the script's own Philox, through scikit-learn. */
static void bootstrap_as_scikit_learn(void **state) {
  um_error err;
  int count = 0, differences = 0;
  (void)state;
  cJSON *root = golden();
  const cJSON *b, *c;
  cJSON_ArrayForEach(b, get(root, "bootstraps")) {
    double *score;
    bool *positive;
    um_ranking *r, *second;
    um_interval interval[UM_METRICS];
    cJSON_ArrayForEach(c, get(root, "cases")) if (!strcmp(get(c, "name")->valuestring, get(b, "case")->valuestring)) break;
    assert_non_null(c);
    const int n = take_case(&score, &positive, get(c, "score"), get(c, "label")), groups = get(b, "groups")->valueint;
    const int resamples = get(b, "resamples")->valueint;
    const uint64_t seed = (uint64_t)get(b, "seed")->valuedouble;
    int *group = malloc((size_t)n * sizeof *group), i = 0;
    uint32_t *weight = malloc((size_t)groups * sizeof *weight);
    const cJSON *g, *other = cJSON_GetObjectItem(b, "other");
    assert_true(group && weight);
    cJSON_ArrayForEach(g, get(b, "group")) group[i++] = g->valueint;
    assert_int_equal(i, n);
    um_bootstrap_weights(weight, groups, seed, 0);
    weights_are(weight, get(b, "first"));
    um_bootstrap_weights(weight, groups, seed, resamples - 1);
    weights_are(weight, get(b, "last"));
    assert_int_equal(um_ranking_make(&r, score, positive, group, n, groups, .5, &err), UM_OK);
    assert_int_equal(um_bootstrap(interval, r, resamples, seed, &err), UM_OK);
    for (int k = 0; k < UM_METRICS; k++) {
      const cJSON *pair = get(get(b, "interval"), um_metric_key(k));
      same(um_metric_key(k), interval[k].low, number(cJSON_GetArrayItem(pair, 0)), GOLDEN);
      same(um_metric_key(k), interval[k].high, number(cJSON_GetArrayItem(pair, 1)), GOLDEN);
    }
    if (other) {
      um_difference d[UM_METRICS];
      i = 0;
      cJSON_ArrayForEach(g, other) score[i++] = g->valuedouble;
      assert_int_equal(um_ranking_make(&second, score, positive, group, n, groups, .5, &err), UM_OK);
      assert_int_equal(um_bootstrap_difference(d, r, second, resamples, seed, &err), UM_OK);
      for (int k = 0; k < UM_METRICS; k++) {
        const double got[4] = {d[k].value, d[k].interval.low, d[k].interval.high, d[k].p};
        for (int j = 0; j < 4; j++)
          same(um_metric_key(k), got[j], number(cJSON_GetArrayItem(get(get(b, "difference"), um_metric_key(k)), j)), GOLDEN);
      }
      um_ranking_free(second);
      differences++;
    }
    um_ranking_free(r);
    free(score), free(positive), free(group), free(weight);
    count++;
  }
  assert_int_equal(count, 4);
  assert_int_equal(differences, 1);
  cJSON_Delete(root);
}

enum { VIDEOS = 60, FRAMES = 4, SIMULATIONS = 200 };

/* Scores of videos: fake ones are normal around d, real ones around 0, variance 1, of which the share rho is the video's own and the
 * frames' the rest; pushed through the sigmoid, which keeps the order. */
static int simulate(double *score, bool *positive, int *group, int simulation, double d, double rho) {
  const um_rng at = {.seed = 5, .stream = UM_STREAM_TEST, .sample = (uint32_t)simulation};
  int n = 0;
  for (int v = 0; v < VIDEOS; v++) {
    const double video = sqrt(rho) * um_rng_normal(&at, (uint32_t)v);
    for (int f = 0; f < FRAMES; f++, n++) {
      const double x = video + sqrt(1 - rho) * um_rng_normal(&at, (uint32_t)(VIDEOS + n));
      group[n] = v, positive[n] = v % 2, score[n] = 1 / (1 + exp(-(x + d * (v % 2))));
    }
  }
  return n;
}

/* The AUC of two normal distributions a distance d apart is Phi(d / sqrt 2): the interval must hold it in about 95 of 100 simulations
 * when groups are drawn. When frames are drawn as if each were footage of its own it must not: that test shows that groups matter. */
static void coverage(void **state) {
  const double d = 1, rho = .8, truth = .5 * erfc(-d / 2);
  double score[VIDEOS * FRAMES];
  bool positive[VIDEOS * FRAMES];
  int group[VIDEOS * FRAMES], by_video = 0, by_frame = 0;
  um_error err;
  (void)state;
  for (int s = 0; s < SIMULATIONS; s++) {
    um_interval interval[UM_METRICS];
    um_ranking *r;
    const int n = simulate(score, positive, group, s, d, rho);
    assert_int_equal(um_ranking_make(&r, score, positive, group, n, VIDEOS, .5, &err), UM_OK);
    assert_int_equal(um_bootstrap(interval, r, 400, (uint64_t)s, &err), UM_OK);
    by_video += interval[UM_AUC].low <= truth && truth <= interval[UM_AUC].high;
    um_ranking_free(r);
    assert_int_equal(um_ranking_make(&r, score, positive, NULL, n, 0, .5, &err), UM_OK);
    assert_int_equal(um_bootstrap(interval, r, 400, (uint64_t)s, &err), UM_OK);
    by_frame += interval[UM_AUC].low <= truth && truth <= interval[UM_AUC].high;
    um_ranking_free(r);
  }
  print_message("AUC %.4f held in %d of %d intervals by video, %d by frame\n", truth, by_video, SIMULATIONS, by_frame);
  /* Binomial(200, .95) is between 180 and 198 with 99.6 %; percentile intervals of 60 videos are a little short. */
  assert_in_range(by_video, 176, 198);
  assert_in_range(by_frame, 0, 160);
}

/* Two models that are equally good: p below .05 in about one of twenty; a better one: nearly always. */
static void p_values(void **state) {
  double score[VIDEOS * FRAMES], second[VIDEOS * FRAMES];
  bool positive[VIDEOS * FRAMES];
  int group[VIDEOS * FRAMES], wrong = 0, found = 0;
  um_error err;
  (void)state;
  for (int s = 0; s < 2 * SIMULATIONS; s++) {
    um_difference d[UM_METRICS];
    um_ranking *a, *b;
    const int n = simulate(score, positive, group, 1000 + s, .5, .5);
    simulate(second, positive, group, 5000 + s, s % 2 ? .5 : 1.8, .5);
    assert_int_equal(um_ranking_make(&a, score, positive, group, n, VIDEOS, .5, &err), UM_OK);
    assert_int_equal(um_ranking_make(&b, second, positive, group, n, VIDEOS, .5, &err), UM_OK);
    assert_int_equal(um_bootstrap_difference(d, a, b, 400, (uint64_t)s, &err), UM_OK);
    *(s % 2 ? &wrong : &found) += d[UM_AUC].p < .05;
    assert_true(d[UM_AUC].interval.low <= d[UM_AUC].interval.high);
    um_ranking_free(a), um_ranking_free(b);
  }
  print_message("p < 0.05 in %d of %d comparisons of equals, %d of unequals\n", wrong, SIMULATIONS, found);
  assert_in_range(wrong, 1, 24);
  assert_in_range(found, 180, 200);
}

static void no_number(void **state) {
  const double score[] = {.2, .8, NAN};
  const bool one_class[] = {true, true, true}, both[] = {true, false, true};
  (void)state;
  assert_true(isnan(um_auc(score, one_class, 2)));
  assert_true(isnan(um_auc(score, both, 3)));
  assert_true(isnan(um_auc(score, both, 0)));
  assert_true(isnan(um_log_loss(score, both, 0)));
  assert_true(isnan(um_log_loss(score, both, 3)));
  assert_true(isnan(um_accuracy(score, both, 0, .5)));
  assert_true(isnan(um_accuracy(score, both, 3, .5)));
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Enough work for several threads: to the bit what one after the other gives. */
static void threads_do_not_matter(void **state) {
  enum { N = 12000, GROUPS = 81, RESAMPLES = 401 };
  static double score[N], value[UM_METRICS][RESAMPLES];
  static bool positive[N];
  static int group[N];
  uint32_t weight[GROUPS];
  um_interval interval[UM_METRICS];
  um_ranking *r;
  um_error err;
  (void)state;
  for (int i = 0; i < N; i++) {
    const um_rng at = {.seed = 8, .stream = UM_STREAM_TEST, .sample = (uint32_t)i};
    group[i] = (int)um_rng_below(&at, 0, GROUPS), positive[i] = um_rng_below(&at, 1, 3) > 0;
    score[i] = rint(1000 * (.5 * um_rng_uniform(&at, 2) + .4 * positive[i])) / 1000;
  }
  assert_int_equal(um_ranking_make(&r, score, positive, group, N, GROUPS, .5, &err), UM_OK);
  assert_int_equal(um_bootstrap(interval, r, RESAMPLES, 77, &err), UM_OK);
  for (int b = 0; b < RESAMPLES; b++) {
    um_measures m;
    um_bootstrap_weights(weight, GROUPS, 77, b);
    um_ranking_measure(&m, r, weight);
    for (int k = 0; k < UM_METRICS; k++) value[k][b] = m.value[k];
  }
  for (int k = 0; k < UM_METRICS; k++) {
    qsort(value[k], RESAMPLES, sizeof *value[k], ascending);
    /* 2.5 and 97.5 % of 401 are order statistics themselves. */
    assert_true(interval[k].low == value[k][10] && interval[k].high == value[k][390]);
    assert_true(interval[k].low < interval[k].high);
  }
  um_ranking_free(r);
}

/* Two models whose equal error rates are equal in many resamples, though their last bits are not: the p-value is that of fractions
 * (Python's fractions.Fraction over the same resamples): 38 of them have a rate, and p is 2 (17 + 1) / 39. */
static void equal_rates(void **state) {
  enum { SAMPLES = 6 };
  static const int eighths[2][SAMPLES] = {{1, 7, 4, 5, 6, 4}, {3, 5, 6, 2, 7, 1}};
  static const bool positive[SAMPLES] = {false, false, false, false, true, true};
  double score[2][SAMPLES];
  um_ranking *r[2];
  um_difference d[UM_METRICS];
  um_error err;
  (void)state;
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < SAMPLES; i++) score[k][i] = eighths[k][i] / 8.;
    assert_int_equal(um_ranking_make(&r[k], score[k], positive, NULL, SAMPLES, 0, .5, &err), UM_OK);
  }
  assert_int_equal(um_bootstrap_difference(d, r[0], r[1], 40, 42, &err), UM_OK);
  assert_true(fabs(d[UM_EQUAL_ERROR_RATE].p - 36 / 39.) < 1e-12);
  um_ranking_free(r[0]), um_ranking_free(r[1]);
}

/* What cannot be ranked is refused, what can't be measured has no number, and neither crashes. */
static void refused(void **state) {
  const double bad[][2] = {{.5, NAN}, {.5, 1.5}, {-.1, .5}, {INFINITY, .5}};
  const double score[] = {.25, .75, .75};
  const bool positive[] = {false, true, false};
  const int group[] = {0, 1, 2};
  um_interval interval[UM_METRICS];
  um_difference d[UM_METRICS];
  um_ranking *r, *three;
  um_measures m;
  um_error err;
  (void)state;
  for (int i = 0; i < 4; i++) {
    assert_int_equal(um_ranking_make(&r, bad[i], positive, NULL, 2, 0, .5, &err), UM_ENUMERIC);
    assert_null(r);
  }
  assert_int_equal(um_ranking_make(&three, score, positive, group, 3, 3, .5, &err), UM_OK);
  assert_int_equal(um_ranking_make(&r, score, positive, group, 3, 2, .5, &err), UM_EINTERNAL);
  assert_int_equal(um_ranking_make(&r, score, positive, NULL, 0, 0, .5, &err), UM_OK);
  um_ranking_measure(&m, r, NULL);
  assert_int_equal(um_bootstrap(interval, r, 100, 1, &err), UM_OK);
  assert_int_equal(um_bootstrap_difference(d, three, r, 100, 1, &err), UM_EINTERNAL);
  for (int k = 0; k < UM_METRICS; k++) assert_true(isnan(m.value[k]) && isnan(interval[k].low) && isnan(interval[k].high));
  um_ranking_free(r);
  /* All groups left out. */
  um_ranking_measure(&m, three, (const uint32_t[]){0, 0, 0});
  for (int k = 0; k < UM_METRICS; k++) assert_true(isnan(m.value[k]));
  /* One group: a value, but no interval. */
  assert_int_equal(um_ranking_make(&r, score, positive, (const int[]){0, 0, 0}, 3, 1, .5, &err), UM_OK);
  um_ranking_measure(&m, r, NULL);
  assert_int_equal(um_bootstrap(interval, r, 100, 1, &err), UM_OK);
  assert_true(m.value[UM_AUC] == .75 && isnan(interval[UM_AUC].low));
  um_ranking_free(r), um_ranking_free(three);
  assert_null(um_metric_key(UM_METRICS));
  assert_null(um_metric_name(-1));
}

/* A threshold is passed only from above, as in Keras' p > 0.5. */
static void threshold(void **state) {
  const double score[] = {.5, .5, .6, .4};
  const bool positive[] = {true, false, true, false};
  (void)state;
  assert_true(um_accuracy(score, positive, 4, .5) == .75);
  assert_true(um_accuracy(score, positive, 4, .6) == .5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_scikit_learn), cmocka_unit_test(bootstrap_as_scikit_learn),
                                     cmocka_unit_test(coverage),        cmocka_unit_test(p_values),
                                     cmocka_unit_test(no_number),       cmocka_unit_test(equal_rates),
                                     cmocka_unit_test(refused),         cmocka_unit_test(threads_do_not_matter),
                                     cmocka_unit_test(threshold)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
