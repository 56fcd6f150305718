/* calibrate, and infer with what it wrote: pictures whose scores are known, fitted as the library fits them, shown by the map, called by
 * the thresholds; and what is refused. That fits and thresholds are right is tests/test_calibration.c's affair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "tests/support/infer_run.h"
#include "tests/support/tmp.h"

enum { PICTURES = 60 };

/* $D: our folder, $B: the programs; what it printed goes to the file `log`. */
static int run(const char *command) {
  char line[4096];
  snprintf(line, sizeof line, "D=%s; B=%s; %s >$D/log.txt 2>&1", tmp_path("."), getenv("UM_BIN") ? getenv("UM_BIN") : "bin", command);
  const int status = system(line);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void must_say(const char *command, int status, const char *text) {
  const int got = run(command);
  if (got != status || !infer_says(tmp_path("log"), text)) fail_msg("%s: exit status %d, expected %d and: %s", command, got, status, text);
}

static double number(const cJSON *o, const char *key) {
  const cJSON *v = infer_get(o, key);
  assert_true(cJSON_IsNumber(v));
  return v->valuedouble;
}

/* Real and fake pictures in turn, of which the fakes are greener, in footage of two; a model, and its scores in raw.json. */
static int set_up(void **state) {
  char right[8192] = "path,label,group\n", wrong[8192] = "path,label,group\n", name[64];
  (void)state;
  for (int i = 0; i < PICTURES; i++) {
    const uint8_t rgb[3] = {100, (uint8_t)(50 + 5 * (i * 7 % 30) + (i % 2 ? 50 : 0)), (uint8_t)(90 + i)};
    snprintf(name, sizeof name, "pictures/%02d.png", i);
    infer_colour(tmp_path(name), rgb, 32, 32);
    snprintf(right + strlen(right), 64, "%02d.png,%s,g%d\n", i, i % 2 ? "fake" : "real", i / 2);
    snprintf(wrong + strlen(wrong), 64, "%02d.png,%s,g%d\n", i, i % 2 ? "real" : "fake", i / 2);
  }
  tmp_write(tmp_path("pictures/right.csv"), right, strlen(right));
  tmp_write(tmp_path("pictures/wrong.csv"), wrong, strlen(wrong));
  infer_model(tmp_path("m.safetensors"), "fake", "real");
  infer_model(tmp_path("other.safetensors"), "real", "fake");
  must_say("$B/infer --model $D/m.safetensors --faces-are-cut --labels $D/pictures/right.csv --json $D/raw.json $D/pictures", 0, "verdict");
  must_say("$B/infer --model $D/m.safetensors --faces-are-cut --labels $D/pictures/wrong.csv --json $D/wrong.json $D/pictures", 0,
           "verdict");
  must_say("$B/infer --model $D/m.safetensors --faces-are-cut --json $D/unlabelled.json $D/pictures", 0, "verdict");
  must_say("$B/infer --model $D/m.safetensors --faces-are-cut --labels $D/pictures/right.csv --force --aggregate median --json "
           "$D/forced.json $D/pictures",
           0, "other settings than the model was trained on: --aggregate");
  return 0;
}

static um_calibration of_file(const char *name) {
  um_st *st;
  um_graph g;
  um_preprocess p;
  um_error err;
  if (um_checkpoint_open(&st, &g, &p, tmp_path(name), &err)) fail_msg("%s", err.text);
  assert_int_equal(um_checkpoint_verify(st, NULL, name, &err), UM_OK);
  um_st_close(st);
  um_graph_free(&g);
  return p.calibration;
}

/* The raw scores of a file and their truth. */
static void scores_of(const char *name, const char *key, double raw[PICTURES], bool fake[PICTURES]) {
  cJSON *root = infer_json(tmp_path(name));
  const cJSON *r;
  int n = 0;
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    raw[n] = number(r, key), fake[n++] = !strcmp(infer_get(r, "label")->valuestring, "fake");
    assert_true(number(infer_get(r, "detail")->child, key) == raw[n - 1]);
  }
  assert_int_equal(n, PICTURES);
  cJSON_Delete(root);
}

static bool same(const um_calibration *a, const um_calibration *b) {
  return a->method == b->method && a->slope == b->slope && a->offset == b->offset && a->band == b->band && a->fake_above == b->fake_above &&
         a->real_below == b->real_below && a->false_alarms == b->false_alarms && a->misses == b->misses && a->real == b->real &&
         a->fake == b->fake;
}

/* What infer says of the pictures with a calibrated model. */
static void check_results(const um_calibration *c, const double raw[PICTURES]) {
  cJSON *root = infer_json(tmp_path("after.json"));
  const cJSON *r;
  int i = 0, counted[2][4] = {{0}};
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    const double score = number(r, "score");
    const um_verdict v = score > c->fake_above ? UM_VERDICT_FAKE : score < c->real_below ? UM_VERDICT_REAL : UM_VERDICT_UNCERTAIN;
    assert_true(number(r, "raw_score") == raw[i]);
    assert_true(fabs(log(score / (1 - score)) - c->slope * log(raw[i] / (1 - raw[i])) - c->offset) < 1e-12);
    assert_true(number(infer_get(r, "detail")->child, "score") == score);
    assert_string_equal(infer_get(r, "verdict")->valuestring, um_verdict_name(v));
    const cJSON *why = infer_get(r, "reason");
    if (v == UM_VERDICT_UNCERTAIN)
      assert_non_null(strstr(why->valuestring, "lies between"));
    else
      assert_true(cJSON_IsNull(why));
    counted[i++ % 2][v]++;
  }
  const cJSON *verdicts = infer_get(infer_get(infer_get(root, "metrics"), "video"), "verdicts");
  assert_true(number(verdicts, "real_called_fake") == counted[0][UM_VERDICT_FAKE]);
  assert_true(number(verdicts, "real_uncertain") == counted[0][UM_VERDICT_UNCERTAIN]);
  assert_true(number(verdicts, "real_called_real") == counted[0][UM_VERDICT_REAL]);
  assert_true(number(verdicts, "fake_called_fake") == counted[1][UM_VERDICT_FAKE]);
  assert_true(number(verdicts, "fake_uncertain") == counted[1][UM_VERDICT_UNCERTAIN]);
  assert_true(number(verdicts, "fake_called_real") == counted[1][UM_VERDICT_REAL]);
  for (int k = 0; k < 2; k++) assert_true(counted[k][UM_VERDICT_UNCERTAIN] > 0 && counted[k][k ? UM_VERDICT_FAKE : UM_VERDICT_REAL] > 0);
  cJSON_Delete(root);
}

static void calibrated(void **state) {
  double raw[PICTURES], again[PICTURES];
  bool fake[PICTURES];
  char note[512];
  um_error err;
  (void)state;
  scores_of("raw.json", "score", raw, fake);
  for (int method = UM_CALIBRATION_TEMPERATURE; method < UM_CALIBRATION_METHODS; method++) {
    const um_calibration_settings how = {(um_calibration_method)method, .05, .1};
    char command[512];
    um_calibration expected;
    assert_int_equal(um_calibration_fit(&expected, note, sizeof note, &how, raw, fake, PICTURES, &err), UM_OK);
    snprintf(command, sizeof command,
             "$B/calibrate --model $D/m.safetensors --scores $D/raw.json --method %s --misses 0.1 --out $D/c.safetensors",
             um_calibration_method_name(method));
    must_say(command, 0, "by cross-validation");
    assert_true(infer_says(tmp_path("log"), "60 videos of 30 footages, 30 real and 30 fake"));
    const um_calibration c = of_file("c.safetensors");
    assert_true(same(&c, &expected) && c.false_alarms == .05 && c.misses == .1);
    must_say("$B/infer --model $D/c.safetensors --faces-are-cut --labels $D/pictures/right.csv --json $D/after.json --csv $D/after.csv "
             "$D/pictures",
             0, "fake, called uncertain");
    check_results(&c, raw);
    scores_of("after.json", "raw_score", again, fake);
    assert_memory_equal(raw, again, sizeof raw);
    assert_int_equal(run("grep -q ',uncertain,\"0[.0-9]* lies between ' $D/after.csv"), 0);
    must_say("$B/inspect $D/c.safetensors", 0, um_calibration_method_name(method));
    /* The ranking stays; the log loss is that of the scores that are shown. */
    assert_int_equal(run("$B/infer --compare --quiet --resamples 0 --json $D/pair.json $D/raw.json $D/after.json"), 0);
    cJSON *pair = infer_json(tmp_path("pair.json")), *after = infer_json(tmp_path("after.json"));
    const cJSON *video = infer_get(pair, "video");
    assert_true(number(infer_get(video, "auc"), "difference") == 0);
    assert_true(number(infer_get(video, "log_loss"), "b") < number(infer_get(video, "log_loss"), "a"));
    assert_true(fabs(number(infer_get(video, "log_loss"), "b") - number(infer_get(infer_get(after, "metrics"), "video"), "log_loss")) <
                1e-12);
    cJSON_Delete(pair), cJSON_Delete(after);
  }
}

/* The rates alone; and without a calibration the file is, byte for byte, what it was before. */
static void rates_and_back(void **state) {
  char hex[2][65];
  um_error err;
  (void)state;
  assert_int_equal(run("$B/calibrate --model $D/m.safetensors --scores $D/raw.json --out $D/a.safetensors"), 0);
  const um_calibration a = of_file("a.safetensors");
  assert_int_equal(run("$B/infer --model $D/a.safetensors --faces-are-cut --labels $D/pictures/right.csv --json $D/a.json $D/pictures"), 0);
  must_say("$B/calibrate --model $D/a.safetensors --scores $D/a.json --rates-only --false-alarms 0.2 --out $D/b.safetensors", 0,
           "uncertain");
  const um_calibration b = of_file("b.safetensors");
  assert_true(a.slope == b.slope && a.method == b.method && a.real_below == b.real_below && b.misses == .05);
  assert_true(b.false_alarms == .2 && b.fake_above < a.fake_above);
  must_say("$B/calibrate --model $D/a.safetensors --scores $D/a.json --rates-only --false-alarms 0.01 --out $D/b.safetensors", 0,
           "too few real videos (30) for a rate of false alarms of 1 %, expected at least 99: 0.5 is that threshold");
  assert_true(of_file("b.safetensors").false_alarms == 0);
  assert_int_equal(run("$B/calibrate --model $D/a.safetensors --method none --out $D/none.safetensors"), 0);
  assert_int_equal(um_sha256_file(hex[0], tmp_path("m.safetensors"), &err), UM_OK);
  assert_int_equal(um_sha256_file(hex[1], tmp_path("none.safetensors"), &err), UM_OK);
  assert_string_equal(hex[0], hex[1]);
  /* Other formats carry the numbers, and do not apply them. */
  must_say("$B/export --model $D/a.safetensors --to npz --out $D/a.npz", 0, "do not apply the model's calibration");
  must_say("$B/inspect $D/a.npz", 0, "calibration: temperature");
}

static void refused(void **state) {
#define CALIBRATE "$B/calibrate --model $D/m.safetensors --out $D/no.safetensors "
  static const struct {
    const char *command, *says;
    int status;
  } wrong[] = {
      {CALIBRATE, "--scores FILE: not given", 2},
      {CALIBRATE "--scores $D/raw.json --method isotonic", "--method: expected temperature, platt or none, got \"isotonic\"", 2},
      {CALIBRATE "--scores $D/raw.json --misses 0.6", "--misses: expected a share from 0 to 0.5", 2},
      {CALIBRATE "--scores $D/raw.json --rates-only --method platt", "leave out --method", 2},
      {CALIBRATE "--scores $D/raw.json $D/raw.json", "not an option of calibrate", 2},
      {CALIBRATE "--scores $D/absent.json", "absent.json", 1},
      {CALIBRATE "--scores $D/pictures/right.csv", "expected what infer --json wrote", 1},
      {CALIBRATE "--scores $D/wrong.json", "the scores of the fake ones are not higher", 1},
      {CALIBRATE "--scores $D/unlabelled.json", "no video has a label and a score", 1},
      {CALIBRATE "--scores $D/forced.json", "expected scores by the model's own settings, found --aggregate", 1},
      {"$B/calibrate --model $D/other.safetensors --scores $D/raw.json --out $D/no.safetensors", "found those of another model", 1},
      {"$B/calibrate --model $D/raw.json --scores $D/raw.json --out $D/no.safetensors", "raw.json", 1},
  };
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) must_say(wrong[i].command, wrong[i].status, wrong[i].says);
  assert_int_equal(run("test -e $D/no.safetensors"), 1);
  must_say("$B/calibrate --help", 0, "usage: calibrate");
  must_say("$B/calibrate --version", 0, "calibrate (unmask)");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(calibrated), cmocka_unit_test(rates_and_back), cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, set_up, NULL);
}
