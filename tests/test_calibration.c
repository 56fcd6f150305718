/* Calibration: the fits against scikit-learn and scipy, the thresholds against numpy (tests/golden/calibration.py), both on simulated
 * scores whose truth is known, and what files carry of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/calibration.h"
#include "core/file.h"
#include "core/metrics.h"
#include "core/rng.h"

enum { MOST = 512 };

static double number(const cJSON *o, const char *key) {
  const cJSON *v = cJSON_GetObjectItem(o, key);
  assert_true(cJSON_IsNumber(v));
  return v->valuedouble;
}

static int read_case(double raw[MOST], bool fake[MOST], const cJSON *c) {
  const cJSON *list = cJSON_GetObjectItem(c, "raw"), *labels = cJSON_GetObjectItem(c, "fake"), *v;
  int n = 0, k = 0;
  cJSON_ArrayForEach(v, list) assert_in_range(n, 0, MOST - 1), raw[n++] = v->valuedouble;
  cJSON_ArrayForEach(v, labels) assert_in_range(k, 0, n - 1), fake[k++] = v->valueint != 0;
  assert_int_equal(n, k);
  return n;
}

#define NEAR(a, b, tolerance)                                                                                                              \
  do {                                                                                                                                     \
    const double a_ = (a), b_ = (b);                                                                                                       \
    if (!(fabs(a_ - b_) <= (tolerance))) fail_msg("%s: %s is %.17g, expected %.17g", name, #a, a_, b_);                                    \
  } while (0)

static void check_rates(const cJSON *c, const char *name, um_calibration *fit, const double *raw, const bool *fake, int n) {
  const cJSON *r;
  char note[512];
  um_error err;
  int count = 0;
  cJSON_ArrayForEach(r, cJSON_GetObjectItem(c, "rates")) {
    const double f = number(r, "false_alarms"), m = number(r, "misses");
    const cJSON *has = cJSON_GetObjectItem(r, "has");
    const bool above = cJSON_GetArrayItem(has, 0)->valueint, below = cJSON_GetArrayItem(has, 1)->valueint;
    assert_int_equal(um_calibration_set_rates(fit, note, sizeof note, f, m, raw, fake, n, &err), UM_OK);
    /* Scores of one rank apart are much further apart than that. */
    NEAR(fit->fake_above, number(r, "fake_above"), 1e-9);
    NEAR(fit->real_below, number(r, "real_below"), 1e-9);
    NEAR(fit->false_alarms, above ? f : 0, 0);
    NEAR(fit->misses, below ? m : 0, 0);
    assert_true(fit->band == (above || below));
    assert_true((strstr(note, "too few real videos") != NULL) == (f > 0 && !above));
    assert_true((strstr(note, "too few fake videos") != NULL) == (m > 0 && !below));
    count++;
  }
  assert_int_equal(count, 5);
}

static void as_scikit_learn(void **state) {
  char *text, note[512];
  size_t size;
  um_error err;
  um_calibration fit;
  double raw[MOST];
  bool fake[MOST];
  int cases = 0, theirs = 0;
  (void)state;
  assert_int_equal(um_file_read(&text, &size, "tests/golden/calibration.json", 1 << 20, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  const cJSON *c;
  cJSON_ArrayForEach(c, cJSON_GetObjectItem(root, "cases")) {
    const char *name = cJSON_GetObjectItem(c, "name")->valuestring;
    const int n = read_case(raw, fake, c);
    const cJSON *pair = cJSON_GetObjectItem(c, "platt"), *their_pair = cJSON_GetObjectItem(c, "platt_sklearn");
    um_calibration_settings how = {UM_CALIBRATION_PLATT, .05, .05};
    assert_int_equal(um_calibration_fit(&fit, note, sizeof note, &how, raw, fake, n, &err), UM_OK);
    assert_int_equal(fit.method, UM_CALIBRATION_PLATT);
    NEAR(fit.slope, cJSON_GetArrayItem(pair, 0)->valuedouble, 1e-9);
    NEAR(fit.offset, cJSON_GetArrayItem(pair, 1)->valuedouble, 1e-9);
    NEAR(fit.slope, cJSON_GetArrayItem(their_pair, 0)->valuedouble, 1e-6);
    NEAR(fit.offset, cJSON_GetArrayItem(their_pair, 1)->valuedouble, 1e-6);
    for (int i = 0; i < 20; i++)
      NEAR(um_calibrated(&fit, raw[i]), cJSON_GetArrayItem(cJSON_GetObjectItem(c, "calibrated_platt"), i)->valuedouble, 1e-9);

    how.method = UM_CALIBRATION_TEMPERATURE;
    assert_int_equal(um_calibration_fit(&fit, note, sizeof note, &how, raw, fake, n, &err), UM_OK);
    assert_int_equal(fit.method, UM_CALIBRATION_TEMPERATURE);
    NEAR(fit.slope, number(c, "temperature"), 1e-9);
    NEAR(fit.offset, 0, 0);
    for (int i = 0; i < 20; i++)
      NEAR(um_calibrated(&fit, raw[i]), cJSON_GetArrayItem(cJSON_GetObjectItem(c, "calibrated"), i)->valuedouble, 1e-9);
    /* With 0 and 1 for targets a model comes out surer of itself, by ever less with more videos. */
    if (cJSON_HasObjectItem(c, "temperature_sklearn")) {
      const double hard = number(c, "temperature_sklearn");
      assert_true(fit.slope < hard && (n < 250 || fit.slope > .95 * hard));
      theirs++;
    }
    int fakes = 0;
    for (int i = 0; i < n; i++) fakes += fake[i];
    assert_true(fit.fake == fakes && fit.real == n - fakes);
    check_rates(c, name, &fit, raw, fake, n);
    cases++;
  }
  assert_int_equal(cases, 9);
  assert_int_equal(theirs, 8);
  cJSON_Delete(root);
  free(text);
}

/* n videos whose logit z is right, so that each is fake with probability sigmoid(z); the model says factor * z + shift. */
static void simulate(double *raw, bool *fake, int n, uint32_t sample, double factor, double shift) {
  const um_rng at = {.seed = 5, .stream = UM_STREAM_TEST, .sample = sample};
  for (int i = 0; i < n; i++) {
    const double z = 2 * um_rng_normal(&at, (uint32_t)i);
    fake[i] = um_rng_uniform(&at, (uint32_t)(100000 + i)) < 1 / (1 + exp(-z));
    raw[i] = 1 / (1 + exp(-(factor * z + shift)));
  }
}

static um_measures measure(const double *score, const bool *fake, int n) {
  um_ranking *r;
  um_measures m;
  um_error err;
  assert_int_equal(um_ranking_make(&r, score, fake, NULL, n, n, .5, &err), UM_OK);
  um_ranking_measure(&m, r, NULL);
  um_ranking_free(r);
  return m;
}

/* Fitted on some videos, measured on others. The right map is known: it undoes factor and shift. */
static void errors_fall(void **state) {
  enum { FIT = 1000, FRESH = 4000 };
  static double raw[FIT], fresh[FRESH], after[FRESH];
  static bool fake[FIT], truth[FRESH];
  static const double factors[] = {3, .3};
  um_calibration c;
  um_error err;
  char note[512];
  (void)state;
  for (uint32_t k = 0; k < 4; k++) {
    const um_calibration_settings how = {k < 2 ? UM_CALIBRATION_TEMPERATURE : UM_CALIBRATION_PLATT, .05, .05};
    const double factor = factors[k % 2], shift = how.method == UM_CALIBRATION_PLATT ? -1 : 0;
    simulate(raw, fake, FIT, 2 * k, factor, shift), simulate(fresh, truth, FRESH, 2 * k + 1, factor, shift);
    assert_int_equal(um_calibration_fit(&c, note, sizeof note, &how, raw, fake, FIT, &err), UM_OK);
    assert_string_equal(note, "");
    /* Four standard errors: 1000 videos give slope and offset of the true map (1 and 0) with about 0.07 and 0.09. */
    assert_true(fabs(c.slope * factor - 1) < .28);
    assert_true(fabs(c.offset + c.slope * shift) < .36);
    for (int i = 0; i < FRESH; i++) after[i] = um_calibrated(&c, fresh[i]);
    const um_measures m = measure(fresh, truth, FRESH), n = measure(after, truth, FRESH);
    assert_true(m.value[UM_CALIBRATION_ERROR] > .08 && n.value[UM_CALIBRATION_ERROR] < .04);
    assert_true(n.value[UM_LOG_LOSS] < m.value[UM_LOG_LOSS] && n.value[UM_BRIER] < m.value[UM_BRIER]);
    assert_true(n.value[UM_AUC] == m.value[UM_AUC]); /* the order stays */
  }
}

/* Of uniform scores the share above a threshold t is 1 - t, and the k-th smallest of n has the Beta(k, n + 1 - k) distribution: the
 * rate of false alarms has the mean above / (n + 1), above = floor((n + 1) f), and a known variance. Misses mirror it. */
static void rates_hold(void **state) {
  enum { DRAWS = 4000 };
  static const struct {
    int n;
    double rate;
  } tried[] = {{19, .05}, {30, .05}, {99, .01}, {250, .05}, {250, .1}};
  double raw[MOST];
  bool fake[MOST];
  char note[512];
  um_error err;
  (void)state;
  for (uint32_t t = 0; t < 5; t++) {
    const int n = tried[t].n, above = (int)floor((n + 1) * tried[t].rate + 1e-9);
    double alarms = 0, misses = 0;
    for (uint32_t d = 0; d < DRAWS; d++) {
      const um_rng at = {.seed = 9, .stream = UM_STREAM_TEST, .epoch = t, .sample = d};
      um_calibration c = {0};
      /* Real ones in the lower half and fakes in the upper: the thresholds never cross, and both are exact. */
      for (int i = 0; i < 2 * n; i++) fake[i] = i >= n, raw[i] = um_rng_uniform(&at, (uint32_t)i);
      for (int i = 0; i < n; i++) raw[i] = .5 + raw[i] / 2, raw[n + i] /= 2;
      assert_int_equal(um_calibration_set_rates(&c, note, sizeof note, tried[t].rate, tried[t].rate, raw, fake, 2 * n, &err), UM_OK);
      alarms += 1 - (c.fake_above - .5) * 2, misses += c.real_below * 2;
    }
    const double mean = above / (n + 1.), deviation = sqrt(mean * (1 - mean) / (n + 2.) / DRAWS);
    assert_true(mean <= tried[t].rate + 1e-12);
    assert_true(fabs(alarms / DRAWS - mean) < 4 * deviation);
    assert_true(fabs(misses / DRAWS - mean) < 4 * deviation);
  }
}

/* What cannot be calibrated keeps its scores, and the note says why. */
static void not_fitted(void **state) {
  double raw[60];
  bool fake[60];
  um_calibration c;
  um_error err;
  char note[512], tiny[20];
  um_calibration_settings how = {UM_CALIBRATION_TEMPERATURE, .05, .05};
  (void)state;
  for (int against = 0; against < 2; against++)
    for (int method = 1; method < UM_CALIBRATION_METHODS; method++) {
      how.method = (um_calibration_method)method;
      for (int i = 0; i < 60; i++) fake[i] = i % 2, raw[i] = against ? (fake[i] ? .3 : .6) + i * .001 : .4;
      assert_int_equal(um_calibration_fit(&c, note, sizeof note, &how, raw, fake, 60, &err), UM_OK);
      assert_non_null(strstr(note, "30 real and 30 fake videos the scores of the fake ones are not higher"));
      assert_true(c.method == UM_CALIBRATION_NONE && !c.band && c.real == 30 && um_calibrated(&c, .3) == .3);
    }
  for (int i = 0; i < 60; i++) fake[i] = i >= 51, raw[i] = i / 60.;
  assert_int_equal(um_calibration_fit(&c, note, sizeof note, &how, raw, fake, 60, &err), UM_OK);
  assert_non_null(strstr(note, "51 real and 9 fake videos to fit it on, expected at least 10 of each"));
  assert_int_equal(c.method, UM_CALIBRATION_NONE);
  assert_int_equal(um_calibration_fit(&c, tiny, sizeof tiny, &how, raw, fake, 60, &err), UM_OK);
  assert_string_equal(tiny, "not calibrated, sco");
  assert_int_equal(um_calibration_fit(&c, note, sizeof note, &how, NULL, NULL, 0, &err), UM_OK);
  assert_non_null(strstr(note, "0 real and 0 fake"));
  how.method = UM_CALIBRATION_NONE;
  assert_int_equal(um_calibration_fit(&c, note, sizeof note, &how, raw, fake, 60, &err), UM_OK);
  assert_true(!*note && !c.band && c.method == UM_CALIBRATION_NONE);
  raw[7] = NAN;
  assert_int_equal(um_calibration_fit(&c, note, sizeof note, &how, raw, fake, 60, &err), UM_ENUMERIC);
  raw[7] = 1.5;
  assert_int_equal(um_calibration_set_rates(&c, note, sizeof note, .05, .05, raw, fake, 60, &err), UM_ENUMERIC);
  assert_int_equal(um_calibration_set_rates(&c, note, sizeof note, .6, .05, raw, fake, 60, &err), UM_ECONFIG);
}

static void verdicts(void **state) {
  const um_calibration none = {0}, band = {.method = UM_CALIBRATION_TEMPERATURE,
                                           .slope = .5,
                                           .band = true,
                                           .fake_above = .78,
                                           .real_below = .31,
                                           .false_alarms = .05,
                                           .misses = .1};
  um_calibration half = band, one = band;
  char text[256];
  (void)state;
  assert_int_equal(um_verdict_of(&none, .51), UM_VERDICT_FAKE);
  assert_int_equal(um_verdict_of(&none, .5), UM_VERDICT_REAL);
  assert_int_equal(um_verdict_of(&none, NAN), UM_VERDICT_NONE);
  assert_int_equal(um_verdict_of(&band, NAN), UM_VERDICT_NONE);
  assert_int_equal(um_verdict_of(&band, .79), UM_VERDICT_FAKE);
  assert_int_equal(um_verdict_of(&band, .78), UM_VERDICT_UNCERTAIN);
  assert_int_equal(um_verdict_of(&band, .31), UM_VERDICT_UNCERTAIN);
  assert_int_equal(um_verdict_of(&band, .3), UM_VERDICT_REAL);
  assert_string_equal(um_verdict_name(UM_VERDICT_UNCERTAIN), "uncertain");
  assert_string_equal(um_verdict_name(UM_VERDICT_NONE), "none");
  assert_string_equal(um_verdict_reason(text, sizeof text, &band, .55),
                      "0.5500 lies between 0.3100 and 0.7800: more than 5 % of real videos may score as high, more than 10 % of fake ones "
                      "as low");
  half.false_alarms = 0, half.fake_above = .5;
  assert_string_equal(um_verdict_reason(text, sizeof text, &half, .4),
                      "0.4000 lies between 0.3100 and 0.5000: more than 10 % of fake videos may score as low");
  one.fake_above = one.real_below = .5;
  assert_string_equal(um_verdict_reason(text, sizeof text, &one, .5), "0.5000 is the threshold itself");
  assert_string_equal(um_verdict_reason(text, sizeof text, &band, .9), "");
  /* The map: the logit of 0.8 is log 4, its half log 2. */
  assert_true(fabs(um_calibrated(&band, .8) - 2. / 3) < 1e-15);
  assert_true(um_calibrated(&band, 0) > 0 && um_calibrated(&band, 1) < 1 && isnan(um_calibrated(&band, NAN)));
  assert_true(um_calibrated(&none, 1) == 1);
  assert_string_equal(um_calibration_text(text, sizeof text, &band),
                      "temperature 2.0000; fitted on 0 real and 0 fake videos; fake above 0.7800 (5 % false alarms); real below 0.3100 (10 "
                      "% misses)");
  assert_string_equal(um_calibration_text(text, sizeof text, &none), "none; fake above 0.5");
  assert_null(um_calibration_method_name(UM_CALIBRATION_METHODS));
  assert_null(um_calibration_method_name(-1));
}

/* What is put comes back to the last bit; what is damaged is refused. */
static void members(void **state) {
  static const char *const wrong[] = {
      "{}",
      "{\"method\":\"isotonic\",\"real\":1,\"fake\":1}",
      "{\"method\":\"platt\",\"real\":1,\"fake\":1}",
      "{\"method\":\"platt\",\"real\":1,\"fake\":1,\"slope\":0,\"offset\":0}",
      "{\"method\":\"platt\",\"real\":1,\"fake\":1,\"slope\":-1,\"offset\":0}",
      "{\"method\":\"platt\",\"real\":1,\"fake\":1,\"slope\":1e300,\"offset\":0}",
      "{\"method\":\"platt\",\"real\":1,\"fake\":1,\"slope\":1,\"offset\":\"0\"}",
      "{\"method\":\"platt\",\"real\":-1,\"fake\":1,\"slope\":1,\"offset\":0}",
      "{\"method\":\"none\",\"real\":1,\"fake\":1,\"fake_above\":0.5}",
      "{\"method\":\"none\",\"real\":1,\"fake\":1,\"fake_above\":1.5,\"real_below\":0.5,\"false_alarms\":0,\"misses\":0}",
      "{\"method\":\"none\",\"real\":1,\"fake\":1,\"fake_above\":0.4,\"real_below\":0.5,\"false_alarms\":0,\"misses\":0}",
      "{\"method\":\"none\",\"real\":1,\"fake\":1,\"fake_above\":0.5,\"real_below\":0.5,\"false_alarms\":0.9,\"misses\":0}",
      "[1]",
  };
  const um_calibration is[] = {
      {0},
      {UM_CALIBRATION_TEMPERATURE, 1 / 3., 0, false, 0, 0, 0, 0, 12, 10},
      {UM_CALIBRATION_PLATT, .1, -2 / 7., true, 2 / 3., 1 / 3., .05, 0, 40, 400},
      {UM_CALIBRATION_NONE, 0, 0, true, 2 / 3., 1 / 3., .05, .1, 40, 400},
  };
  um_calibration got;
  (void)state;
  for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
    cJSON *o = cJSON_CreateObject();
    assert_true(um_calibration_put(o, &is[i]));
    char *text = cJSON_PrintUnformatted(o);
    cJSON *back = cJSON_Parse(text);
    assert_true(um_calibration_get(&got, back));
    assert_true(got.method == is[i].method && got.slope == is[i].slope && got.offset == is[i].offset && got.band == is[i].band &&
                got.fake_above == is[i].fake_above && got.real_below == is[i].real_below && got.false_alarms == is[i].false_alarms &&
                got.misses == is[i].misses && got.real == is[i].real && got.fake == is[i].fake);
    cJSON_Delete(o), cJSON_Delete(back);
    free(text);
  }
  assert_true(um_calibration_get(&got, NULL));
  assert_true(got.method == UM_CALIBRATION_NONE && !got.band);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    cJSON *o = cJSON_Parse(wrong[i]);
    assert_non_null(o);
    if (um_calibration_get(&got, o)) fail_msg("taken: %s", wrong[i]);
    cJSON_Delete(o);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_scikit_learn), cmocka_unit_test(errors_fall), cmocka_unit_test(rates_hold),
                                     cmocka_unit_test(not_fitted),      cmocka_unit_test(verdicts),    cmocka_unit_test(members)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
