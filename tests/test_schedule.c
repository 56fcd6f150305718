/* Learning-rate schedules, ReduceLROnPlateau, EarlyStopping and balanced class weights against the real Keras and scikit-learn
 * (tests/golden/schedules.py), read as a config says them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/config.h"
#include "core/file.h"

/* Keras computes in float: a few roundings of the first rate, and of a cosine of it. */
#define TOLERANCE 1e-6

static cJSON *golden;

static int set_up(void **state) {
  char *text;
  size_t size;
  um_error err;
  (void)state;
  if (um_file_read(&text, &size, "tests/golden/schedules.json", 1 << 20, &err)) return -1;
  golden = cJSON_Parse(text);
  free(text);
  return golden ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  cJSON_Delete(golden);
  return 0;
}

static double number(const cJSON *o, const char *key) { return cJSON_GetObjectItem(o, key)->valuedouble; }

/* A config with `value` as one of its keys. */
static um_config config_with(const char *key, const cJSON *value, int epochs) {
  um_config c;
  um_error err = {0};
  char *json = cJSON_PrintUnformatted(value), text[2048];
  snprintf(text, sizeof text, "{\"%s\": %s, \"epochs\": %d}", key, json, epochs);
  if (um_config_parse(&c, text, "golden", NULL, 0, &err)) fail_msg("%s: %s", json, err.text);
  free(json);
  return c;
}

static void rates_of_every_step(void **state) {
  const cJSON *c, *r;
  int cases = 0;
  (void)state;
  cJSON_ArrayForEach(c, cJSON_GetObjectItem(golden, "schedules")) {
    const double rate = number(c, "learning_rate");
    const int epoch_steps = (int)number(c, "epoch_steps"), epochs = (int)number(c, "epochs");
    um_config config = config_with("learning_rate_schedule", cJSON_GetObjectItem(c, "schedule"), epochs);
    double largest = 0;
    int step = 0;
    cJSON_ArrayForEach(r, cJSON_GetObjectItem(c, "rates")) largest = fmax(largest, r->valuedouble);
    cJSON_ArrayForEach(r, cJSON_GetObjectItem(c, "rates")) {
      const double ours = um_schedule_rate(&config.phase[0].schedule, rate, step, epoch_steps, config.phase[0].epochs);
      if (!(fabs(ours - r->valuedouble) <= TOLERANCE * largest))
        fail_msg("%s: step %d: %.9g, expected %.9g", cJSON_GetObjectItem(c, "name")->valuestring, step, ours, r->valuedouble);
      step++;
    }
    assert_int_equal(step, epoch_steps * epochs);
    um_config_free(&config);
    cases++;
  }
  assert_int_equal(cases, 10);
}

/* Keras has a warm-up for the cosine alone; the others' is the same line, and what follows is as without it. */
static void warm_up_of_the_others(void **state) {
  static const um_schedule with[] = {
      {.kind = UM_SCHEDULE_CONSTANT, .warmup_steps = 4, .warmup_from = 0.5},
      {.kind = UM_SCHEDULE_STEP, .every_epochs = 1, .factor = 0.1, .warmup_steps = 4, .warmup_from = 0.5},
      {.kind = UM_SCHEDULE_EXPONENTIAL, .decay_rate = 0.9, .warmup_epochs = 0.5, .warmup_from = 0.5},
      {.kind = UM_SCHEDULE_PLATEAU, .warmup_steps = 4, .warmup_from = 0.5},
      {.kind = UM_SCHEDULE_STEP, .boundaries = {1, {5}}, .values = {2, {1e-3, 1e-4}}, .warmup_steps = 4, .warmup_from = 0.5},
  };
  (void)state;
  for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
    um_schedule without = with[i];
    without.warmup_steps = 0, without.warmup_epochs = 0;
    assert_int_equal(um_schedule_warmup(&with[i], 8), 4);
    for (int s = 0; s < 4; s++) assert_true(fabs(um_schedule_rate(&with[i], 1e-3, s, 8, 9) - (5e-4 + s * 1.25e-4)) < 1e-15);
    for (int s = 4; s < 60; s++) assert_true(um_schedule_rate(&with[i], 1e-3, s, 8, 9) == um_schedule_rate(&without, 1e-3, s - 4, 8, 9));
  }
}

static void plateaus(void **state) {
  const cJSON *c, *v, *r;
  int cases = 0;
  (void)state;
  cJSON_ArrayForEach(c, cJSON_GetObjectItem(golden, "plateaus")) {
    um_config config = config_with("learning_rate_schedule", cJSON_GetObjectItem(c, "schedule"), 10);
    const um_schedule *s = &config.phase[0].schedule;
    double rate = number(c, "learning_rate");
    um_watch w;
    int epoch = 0;
    um_watch_begin(&w, s->monitor);
    for (v = cJSON_GetObjectItem(c, "values")->child, r = cJSON_GetObjectItem(c, "rates")->child; v; v = v->next, r = r->next) {
      rate = um_plateau_rate(&w, s, rate, v->valuedouble);
      if (!(fabs(rate - r->valuedouble) <= TOLERANCE * r->valuedouble))
        fail_msg("case %d, epoch %d: %.9g, expected %.9g", cases, epoch, rate, r->valuedouble);
      epoch++;
    }
    assert_true(epoch >= 12);
    um_config_free(&config);
    cases++;
  }
  assert_int_equal(cases, 6);
}

static void early_stopping(void **state) {
  const cJSON *c, *v;
  int cases = 0;
  (void)state;
  cJSON_ArrayForEach(c, cJSON_GetObjectItem(golden, "stops")) {
    um_config config = config_with("early_stopping", cJSON_GetObjectItem(c, "config"), 10);
    const um_early_stopping *e = &config.early_stopping;
    um_watch w;
    int epoch = 0, stopped = 0;
    assert_true(e->on);
    um_watch_begin(&w, e->monitor);
    cJSON_ArrayForEach(v, cJSON_GetObjectItem(c, "values")) {
      epoch++;
      um_early_stopping_note(&w, e, v->valuedouble);
      if (!stopped && um_early_stopping_due(&w, e)) stopped = epoch;
    }
    if (stopped != (int)number(c, "stopped")) fail_msg("case %d: after epoch %d, expected %g", cases, stopped, number(c, "stopped"));
    um_config_free(&config);
    cases++;
  }
  assert_int_equal(cases, 34);
}

static void balanced_class_weights(void **state) {
  const char *const name[2] = {"fake", "real"};
  const cJSON *c, *balanced = cJSON_CreateString("balanced");
  um_error err = {0};
  (void)state;
  um_config config = config_with("class_weight", balanced, 1);
  cJSON_Delete((cJSON *)(uintptr_t)balanced);
  cJSON_ArrayForEach(c, cJSON_GetObjectItem(golden, "class_weights")) {
    const cJSON *count = cJSON_GetObjectItem(c, "count"), *weight = cJSON_GetObjectItem(c, "weight");
    const int n[2] = {count->child->valueint, count->child->next->valueint};
    double w[2];
    assert_int_equal(um_config_class_weights(w, &config, name, n, &err), UM_OK);
    assert_true(fabs(w[0] - weight->child->valuedouble) < 1e-14 * w[0] && fabs(w[1] - weight->child->next->valuedouble) < 1e-14 * w[1]);
  }
  um_config_free(&config);
}

static void class_weights_go_by_name(void **state) {
  static const char *const given[] = {"class_weight={\"real\": 5, \"fake\": 0.5}"};
  const char *const name[2] = {"fake", "real"}, *const others[2] = {"bad", "good"};
  const int n[2] = {3, 9};
  um_error err = {0};
  um_config c;
  double w[2];
  (void)state;
  assert_int_equal(um_config_parse(&c, "{}", "x", given, 1, &err), UM_OK);
  assert_int_equal(um_config_class_weights(w, &c, name, n, &err), UM_OK);
  assert_true(w[0] == 0.5 && w[1] == 5);
  assert_int_equal(um_config_class_weights(w, &c, others, n, &err), UM_ECONFIG);
  assert_string_equal(err.text, "class_weight: its classes are fake and real, expected bad and good, as the class folders are called");
  um_config_free(&c);
  assert_int_equal(um_config_parse(&c, "{}", "x", NULL, 0, &err), UM_OK);
  assert_int_equal(um_config_class_weights(w, &c, others, n, &err), UM_OK);
  assert_true(w[0] == 1 && w[1] == 1);
  um_config_free(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rates_of_every_step), cmocka_unit_test(warm_up_of_the_others),  cmocka_unit_test(plateaus),
      cmocka_unit_test(early_stopping),      cmocka_unit_test(balanced_class_weights), cmocka_unit_test(class_weights_go_by_name),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
