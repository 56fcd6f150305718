/* Curves about scores against scikit-learn and numpy (tests/golden/curves.py), and what holds between them and the metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/curves.h"
#include "core/file.h"
#include "core/metrics.h"
#include "core/rng.h"

#define GOLDEN 1e-9

static const cJSON *get(const cJSON *o, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  if (!v) fail_msg("no key %s", key);
  return v;
}

static int numbers(double **out, const cJSON *a) {
  const int n = cJSON_GetArraySize(a);
  int i = 0;
  *out = malloc(((size_t)n + 1) * sizeof **out);
  assert_non_null(*out);
  for (const cJSON *v = a->child; v; v = v->next) (*out)[i++] = cJSON_IsNull(v) ? INFINITY : v->valuedouble;
  return n;
}

static void same(const char *what, const double *got, int n, const cJSON *expected) {
  double *e;
  const int m = numbers(&e, expected);
  if (n != m) fail_msg("%s: %d points, expected %d", what, n, m);
  for (int i = 0; i < n; i++)
    if (got[i] != e[i] && !(fabs(got[i] - e[i]) <= GOLDEN))
      fail_msg("%s: point %d of %d: got %.17g, expected %.17g", what, i, n, got[i], e[i]);
  free(e);
}

static void same_curve(const char *name, const um_curve *c, const cJSON *expected) {
  assert_int_equal(cJSON_GetArraySize(expected), 3);
  same(name, c->x, c->count, expected->child);
  same(name, c->y, c->count, expected->child->next);
  same(name, c->threshold, c->count, expected->child->next->next);
}

static void check_case(const cJSON *c) {
  const char *name = get(c, "name")->valuestring;
  double *score, *label;
  um_error err = {0};
  um_curve curve;
  const int n = numbers(&score, get(c, "score"));
  assert_int_equal(numbers(&label, get(c, "label")), n);
  bool *positive = malloc((size_t)n * sizeof *positive);
  assert_non_null(positive);
  for (int i = 0; i < n; i++) positive[i] = label[i] != 0;

  assert_int_equal(um_roc_curve(&curve, score, positive, n, false, &err), UM_OK);
  same_curve(name, &curve, get(c, "roc"));
  um_curve_free(&curve);
  assert_int_equal(um_roc_curve(&curve, score, positive, n, true, &err), UM_OK);
  same_curve(name, &curve, get(c, "roc_corners"));
  um_curve_free(&curve);
  assert_int_equal(um_precision_recall_curve(&curve, score, positive, n, &err), UM_OK);
  same_curve(name, &curve, get(c, "precision_recall"));
  um_curve_free(&curve);

  um_reliability bin[UM_RELIABILITY_BINS];
  double mean[UM_RELIABILITY_BINS], share[UM_RELIABILITY_BINS];
  int filled = 0, all = 0;
  assert_int_equal(um_reliability_bins(bin, score, positive, n, &err), UM_OK);
  for (int b = 0; b < UM_RELIABILITY_BINS; b++) {
    all += bin[b].count;
    if (bin[b].count > 0)
      mean[filled] = bin[b].mean, share[filled++] = bin[b].share;
    else
      assert_true(isnan(bin[b].mean) && isnan(bin[b].share));
  }
  assert_int_equal(all, n);
  same(name, mean, filled, get(c, "reliability")->child);
  same(name, share, filled, get(c, "reliability")->child->next);

  const int bins = get(c, "bins")->valueint;
  int count[2][64];
  double as_number[64];
  assert_true(bins <= 64);
  assert_int_equal(um_score_histogram(count[0], count[1], bins, score, positive, n, &err), UM_OK);
  for (int k = 0; k < 2; k++) {
    for (int b = 0; b < bins; b++) as_number[b] = count[k][b];
    same(name, as_number, bins, cJSON_GetArrayItem(get(c, "histogram"), k));
  }
  free(score);
  free(label);
  free(positive);
}

static void as_scikit_learn(void **state) {
  (void)state;
  char *text;
  size_t size;
  um_error err;
  int cases = 0;
  assert_int_equal(um_file_read(&text, &size, "tests/golden/curves.json", 1 << 20, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  free(text);
  assert_non_null(root);
  for (const cJSON *c = get(root, "cases")->child; c; c = c->next, cases++) check_case(c);
  assert_int_equal(cases, 9);
  cJSON_Delete(root);
}

/* The area under the points is the AUC, and the sum over recall the average precision, that core/metrics.h gives by other ways. */
static void areas(void **state) {
  (void)state;
  enum { N = 5000 };
  static double score[N];
  static bool positive[N];
  um_error err = {0};
  um_curve all, corners, pr;
  um_ranking *r;
  um_measures m;
  const um_rng rng = {.seed = 5, .stream = UM_STREAM_TEST};
  for (int i = 0; i < N; i++) {
    positive[i] = um_rng_uniform(&rng, 3 * (uint32_t)i) < .3;
    score[i] =
        round(1000 * (.7 * um_rng_uniform(&rng, 3 * (uint32_t)i + 1) + .3 * positive[i] * um_rng_uniform(&rng, 3 * (uint32_t)i + 2))) /
        1000;
  }
  assert_int_equal(um_ranking_make(&r, score, positive, NULL, N, 0, .5, &err), UM_OK);
  um_ranking_measure(&m, r, NULL);
  um_ranking_free(r);
  assert_int_equal(um_roc_curve(&all, score, positive, N, false, &err), UM_OK);
  assert_int_equal(um_roc_curve(&corners, score, positive, N, true, &err), UM_OK);
  assert_int_equal(um_precision_recall_curve(&pr, score, positive, N, &err), UM_OK);
  assert_true(corners.count < all.count);
  double area = 0, thin = 0, ap = 0;
  for (int i = 1; i < all.count; i++) area += (all.x[i] - all.x[i - 1]) * (all.y[i] + all.y[i - 1]) / 2;
  for (int i = 1; i < corners.count; i++) thin += (corners.x[i] - corners.x[i - 1]) * (corners.y[i] + corners.y[i - 1]) / 2;
  for (int i = 1; i < pr.count; i++) ap += (pr.x[i - 1] - pr.x[i]) * pr.y[i - 1];
  assert_true(fabs(area - m.value[UM_AUC]) < 1e-12 && fabs(thin - area) < 1e-12);
  assert_true(fabs(ap - m.value[UM_AVERAGE_PRECISION]) < 1e-12);
  um_curve_free(&all);
  um_curve_free(&corners);
  um_curve_free(&pr);
}

static void where_there_is_none(void **state) {
  (void)state;
  um_error err = {0};
  um_curve c;
  const double score[] = {.2, .4}, bad[] = {.2, 1.01}, nan[] = {NAN, .5};
  const bool fakes[] = {true, true};
  um_reliability bin[UM_RELIABILITY_BINS];
  int count[2][4];
  assert_int_equal(um_roc_curve(&c, score, fakes, 2, false, &err), UM_OK);
  assert_int_equal(c.count, 0);
  um_curve_free(&c);
  assert_int_equal(um_precision_recall_curve(&c, score, fakes, 2, &err), UM_OK);
  assert_int_equal(c.count, 0);
  um_curve_free(&c);
  assert_int_equal(um_roc_curve(&c, NULL, NULL, 0, false, &err), UM_OK);
  assert_int_equal(c.count, 0);
  um_curve_free(&c);
  assert_int_equal(um_roc_curve(&c, bad, fakes, 2, false, &err), UM_ENUMERIC);
  assert_non_null(strstr(err.text, "score 2 of 2: expected a number from 0 to 1, got 1.01"));
  assert_int_equal(um_precision_recall_curve(&c, nan, fakes, 2, &err), UM_ENUMERIC);
  assert_int_equal(um_reliability_bins(bin, bad, fakes, 2, &err), UM_ENUMERIC);
  assert_int_equal(um_score_histogram(count[0], count[1], 4, nan, fakes, 2, &err), UM_ENUMERIC);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_scikit_learn),
      cmocka_unit_test(areas),
      cmocka_unit_test(where_there_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
