/* infer --labels, --by and --compare on pictures whose scores are known: which scores go into which number. That the numbers are right
 * is tests/test_metrics.c's affair; here they are taken from the scores of the file by other ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/metrics.h"
#include "tests/support/infer_run.h"
#include "tests/support/tmp.h"

/* Three crops of each of 12 videos, two videos a footage: one real, one fake, which two methods made in turn. */
enum { VIDEOS = 12, CROPS = 3 };
static const char *const methods[] = {"swap", "puppet"};
static const char *method_of(int v) { return v % 2 ? methods[v / 2 % 2] : ""; }

/* Uses up what tmp_path keeps: to be called before it. The folder, whose manifest.csv lies beside fake/ and real/. */
static const char *crops(void) {
  static char csv[1 << 14];
  char name[64];
  int at = snprintf(csv, sizeof csv, "path,label,video,track,group,method\n");
  for (int v = 0; v < VIDEOS; v++)
    for (int f = 0; f < CROPS; f++) {
      const char *label = v % 2 ? "fake" : "real";
      /* No order between the classes: each is below and above the other here and there. */
      const uint8_t rgb[3] = {(uint8_t)(v * 53 + f * 17), (uint8_t)(v % 2 ? 40 + v * 12 + 5 * f : 90 + v * 9), (uint8_t)(f * 90 + v)};
      snprintf(name, sizeof name, "crops/%s/v%02d_%06d_00.png", label, v, f);
      infer_colour(tmp_path(name), rgb, 32, 32);
      at += snprintf(csv + at, sizeof csv - (size_t)at, "%s/v%02d_%06d_00.png,%s,v%02d.mp4,0,f%d,%s\n", label, v, f, label, v, v / 2,
                     method_of(v));
    }
  tmp_write(tmp_path("crops/manifest.csv"), csv, (unsigned long)at);
  return tmp_path("crops");
}

static double number(const cJSON *o, const char *key) {
  const cJSON *v = infer_get(o, key);
  return cJSON_IsNull(v) ? NAN : v->valuedouble;
}

/* Scores of a result file by crop or by video (its mean), of all or of one method's fakes with all real ones. */
static int scores_of(double *score, bool *fake, const cJSON *root, const char *method, bool by_video) {
  const cJSON *r;
  double sum[VIDEOS] = {0};
  int n = 0;
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    const int v = atoi(strrchr(infer_get(r, "path")->valuestring, '/') + 2);
    sum[v] += number(r, "score") / CROPS;
    if (by_video || (method && *method_of(v) && strcmp(method_of(v), method))) continue;
    score[n] = number(r, "score"), fake[n++] = v % 2;
  }
  for (int v = 0; by_video && v < VIDEOS; v++)
    if (!method || !*method_of(v) || !strcmp(method_of(v), method)) score[n] = sum[v], fake[n++] = v % 2;
  return n;
}

static void check_evaluation(const cJSON *e, const cJSON *root, const char *method, bool by_video, int groups) {
  double score[VIDEOS * CROPS];
  bool fake[VIDEOS * CROPS];
  const int n = scores_of(score, fake, root, method, by_video);
  assert_int_equal(infer_get(e, "count")->valueint, n);
  assert_int_equal(infer_get(e, "groups")->valueint, groups);
  assert_true(fabs(number(e, "auc") - um_auc(score, fake, n)) < 1e-12);
  assert_true(fabs(number(e, "accuracy") - um_accuracy(score, fake, n, .5)) < 1e-12);
  assert_true(fabs(number(e, "log_loss") - um_log_loss(score, fake, n)) < 1e-12);
  const cJSON *c = infer_get(e, "confusion");
  assert_true(number(c, "fake_called_fake") + number(c, "fake_called_real") == number(e, "fake"));
  assert_true(number(c, "fake_called_fake") + number(c, "real_called_real") == rint(n * number(e, "accuracy")));
  for (int m = 0; m < UM_METRICS; m++) {
    const cJSON *pair = infer_get(infer_get(e, "intervals"), um_metric_key(m));
    const double low = cJSON_GetArrayItem(pair, 0)->valuedouble, high = cJSON_GetArrayItem(pair, 1)->valuedouble;
    assert_true(low <= number(e, um_metric_key(m)) && number(e, um_metric_key(m)) <= high);
  }
}

/* The manifest found beside the folders, and the one that is named: the same numbers; faces of a video are one video. */
static void by_column(void **state) {
  const char *folder = crops(), *model = tmp_path("model.safetensors"), *json = tmp_path("a.json"), *again = tmp_path("again.json");
  um_error err;
  (void)state;
  infer_model(model, "fake", "real");
  assert_int_equal(
      infer_run("--model %s --faces-are-cut --labels folders --by method --json %s %s >%s.txt 2>&1", model, json, folder, json), 0);
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels %s/manifest.csv --by method --json %s --threads 1 %s/fake %s/real "
                             ">/dev/null 2>&1",
                             model, folder, again, folder, folder),
                   0);
  char *one = infer_verdicts(json), *two = infer_verdicts(again);
  assert_string_equal(one, two);
  free(one), free(two);
  cJSON *root = infer_json(json);
  const cJSON *m = infer_get(root, "metrics"), *by = infer_get(m, "by"), *part = infer_get(by, "parts");
  assert_int_equal(infer_get(m, "resamples")->valueint, UM_RESAMPLES);
  check_evaluation(infer_get(m, "frame"), root, NULL, false, VIDEOS / 2);
  check_evaluation(infer_get(m, "video"), root, NULL, true, VIDEOS / 2);
  assert_string_equal(infer_get(by, "column")->valuestring, "method");
  assert_int_equal(cJSON_GetArraySize(part), 2);
  for (int i = 0; i < 2; i++) {
    const cJSON *p = cJSON_GetArrayItem(part, i);
    assert_string_equal(infer_get(p, "value")->valuestring, methods[1 - i]);
    check_evaluation(infer_get(p, "frame"), root, methods[1 - i], false, VIDEOS / 2);
    check_evaluation(infer_get(p, "video"), root, methods[1 - i], true, VIDEOS / 2);
  }
  cJSON_Delete(root);
  /* The tables are no wider than a terminal, and name every metric. */
  char *text, name[4200];
  size_t size;
  snprintf(name, sizeof name, "%s.txt", json);
  assert_int_equal(um_file_read(&text, &size, name, 1 << 20, &err), UM_OK);
  const char *tables = strstr(text, "95 % interval");
  assert_non_null(tables);
  for (const char *line = tables; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != 0))
    assert_in_range(strcspn(line, "\n"), 0, 80);
  for (int k = 0; k < UM_METRICS; k++) assert_non_null(strstr(tables, um_metric_name(k)));
  free(text);
}

/* By folder there are parts of one class, whose AUC is no number; without resamples there are no intervals. */
static void by_folder(void **state) {
  const char *folder = crops(), *model = tmp_path("model.safetensors"), *json = tmp_path("folder.json");
  (void)state;
  infer_model(model, "fake", "real");
  assert_int_equal(
      infer_run("--model %s --faces-are-cut --labels folders --by folder --resamples 0 --json %s %s >/dev/null 2>&1", model, json, folder),
      0);
  cJSON *root = infer_json(json);
  const cJSON *parts = infer_get(infer_get(infer_get(root, "metrics"), "by"), "parts");
  assert_int_equal(cJSON_GetArraySize(parts), 2);
  for (int i = 0; i < 2; i++) {
    const cJSON *p = cJSON_GetArrayItem(parts, i), *v = infer_get(p, "video");
    assert_string_equal(infer_get(p, "value")->valuestring, i ? "real" : "fake");
    assert_int_equal(infer_get(v, "count")->valueint, VIDEOS / 2);
    assert_int_equal(infer_get(v, "fake")->valueint, i ? 0 : VIDEOS / 2);
    assert_true(cJSON_IsNull(infer_get(v, "auc")) && cJSON_IsNumber(infer_get(v, "accuracy")));
    assert_true(cJSON_IsNull(infer_get(infer_get(v, "intervals"), "accuracy")));
  }
  cJSON_Delete(root);
}

/* Two models: the differences are those of their own files; a model against itself differs in nothing. */
static void two_models(void **state) {
  const char *folder = crops(), *model = tmp_path("model.safetensors"), *other = tmp_path("other.safetensors");
  const char *a = tmp_path("a.json"), *b = tmp_path("b.json"), *json = tmp_path("compared.json");
  (void)state;
  infer_model(model, "fake", "real");
  infer_model(other, "real", "fake"); /* right where the first is wrong */
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels folders --json %s %s >/dev/null 2>&1", model, a, folder), 0);
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels folders --json %s %s >/dev/null 2>&1", other, b, folder), 0);
  for (int same = 0; same < 2; same++) {
    assert_int_equal(infer_run("--compare %s %s --json %s >%s.txt 2>&1", a, same ? a : b, json, json), 0);
    assert_true(infer_says(json, "12 videos of 6 groups"));
    assert_false(infer_says(json, "not compared"));
    cJSON *c = infer_json(json), *first = infer_json(a), *second = infer_json(same ? a : b);
    for (int k = 0; k < 2; k++) {
      const char *kind = k ? "video" : "frame";
      const cJSON *x = infer_get(infer_get(first, "metrics"), kind), *y = infer_get(infer_get(second, "metrics"), kind);
      for (int m = 0; m < UM_METRICS; m++) {
        const cJSON *d = infer_get(infer_get(c, kind), um_metric_key(m)), *pair = infer_get(d, "interval");
        const double low = cJSON_GetArrayItem(pair, 0)->valuedouble, high = cJSON_GetArrayItem(pair, 1)->valuedouble;
        assert_true(number(d, "a") == number(x, um_metric_key(m)) && number(d, "b") == number(y, um_metric_key(m)));
        assert_true(fabs(number(d, "difference") - (number(d, "b") - number(d, "a"))) < 1e-15);
        assert_true(number(d, "p") > 0 && number(d, "p") <= 1);
        if (same) assert_true(low == 0 && high == 0 && number(d, "p") == 1);
        if (!same) assert_true(low < high);
      }
    }
    cJSON_Delete(c), cJSON_Delete(first), cJSON_Delete(second);
  }
}

/* Inputs that differ are said, and left out; none in common is an error. */
static void other_inputs(void **state) {
  const char *folder = crops(), *model = tmp_path("model.safetensors"), *a = tmp_path("a.json"), *less = tmp_path("less.json");
  const char *json = tmp_path("compared.json"), *bare = tmp_path("bare.json");
  (void)state;
  infer_model(model, "fake", "real");
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels folders --json %s %s >/dev/null 2>&1", model, a, folder), 0);
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels folders --json %s %s/real %s/fake/v01_* %s/fake/v03_* >/dev/null 2>&1",
                             model, less, folder, folder, folder),
                   0);
  assert_int_equal(infer_run("--compare %s %s --json %s >%s.txt 2>&1", a, less, json, json), 0);
  assert_true(infer_says(json, "not compared: 12 inputs only in the first file"));
  assert_true(infer_says(json, "8 videos of 6 groups"));
  cJSON *c = infer_json(json);
  assert_int_equal(infer_get(infer_get(c, "not_compared"), "only_a")->valueint, 12);
  assert_int_equal(infer_get(c, "videos")->valueint, 8);
  cJSON_Delete(c);
  assert_int_equal(infer_run("--model %s --faces-are-cut --json %s %s >/dev/null 2>&1", model, bare, folder), 0);
  assert_int_equal(infer_run("--compare %s %s >%s.txt 2>&1", bare, bare, json), 1);
  assert_true(infer_says(json, "no labelled input has a score in both"));
}

/* A rule by flag is refused without --force, and gives what it says. */
static void rule_by_flag(void **state) {
  const char *folder = crops(), *model = tmp_path("model.safetensors"), *json = tmp_path("rule.json");
  (void)state;
  infer_model(model, "fake", "real");
  assert_int_equal(infer_run("--model %s --aggregate median %s >%s.txt 2>&1", model, folder, json), 2);
  assert_true(infer_says(json, "--aggregate median (the model's: mean)"));
  assert_int_equal(infer_run("--model %s --aggregate mode %s >%s.txt 2>&1", model, folder, json), 2);
  assert_true(infer_says(json, "confident"));
  assert_int_equal(infer_run("--model %s --top-k 3 %s >%s.txt 2>&1", model, folder, json), 2);
  assert_true(infer_says(json, "the rule is mean, which takes no number"));
  assert_int_equal(infer_run("--model %s --faces-are-cut --force --aggregate top_k --top-k 1 --labels folders --json %s %s >/dev/null 2>&1",
                             model, json, folder),
                   0);
  cJSON *root = infer_json(json);
  const cJSON *scoring = infer_get(infer_get(root, "model"), "scoring"), *r;
  double highest[VIDEOS] = {0};
  bool fake[VIDEOS];
  assert_string_equal(infer_get(scoring, "frames")->valuestring, "top_k");
  assert_int_equal(infer_get(scoring, "top_k")->valueint, 1);
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    const int v = atoi(strrchr(infer_get(r, "path")->valuestring, '/') + 2);
    highest[v] = fmax(highest[v], number(r, "score")), fake[v] = v % 2;
  }
  assert_true(fabs(number(infer_get(infer_get(root, "metrics"), "video"), "log_loss") - um_log_loss(highest, fake, VIDEOS)) < 1e-12);
  cJSON_Delete(root);
}

/* Manifests and result files that are not what they should be. */
static void damaged(void **state) {
  static const struct {
    const char *text, *says;
    int status;
  } csv[] = {{"label\nfake\n", "column named path", 1},
             {"path\nfake/v01_000000_00.png\n", "column named label", 1},
             {"path,label\nfake/v01_000000_00.png,forged\n", "expected fake, real or nothing", 1},
             {"path,label\nfake/v01_000000_00.png,fake\nfake/v01_000000_00.png,fake\n", "was named in line 2 already", 1},
             {"path,label,track\nfake/v01_000000_00.png,fake,x\n", "track: expected a whole number", 1},
             {"path,label\nelsewhere.png,fake\n", "names none of the inputs", 1},
             {"path,label\n\"fake", "quote", 1},
             {"path,label\nfake/v01_000000_00.png,fake\n", "--by method", 2}},
    results[] = {
        {"", "expected what infer --json wrote", 1},
        {"{\"results\":[]}", "expected what infer --json wrote", 1},
        {"{\"model\":{\"scoring\":{\"frames\":\"mode\"}},\"results\":[]}", "expected what infer --json wrote", 1},
        {"{\"model\":{\"scoring\":{}},\"results\":[{}]}", "result 1", 1},
        {"{\"model\":{\"scoring\":{}},\"results\":[{\"path\":\"a\",\"score\":2,\"detail\":[]}]}", "result 1", 1},
        {"{\"model\":{\"scoring\":{}},\"results\":[{\"path\":\"a\",\"score\":0.5,\"detail\":[]}]}", "result 1", 1},
        {"{\"model\":{\"scoring\":{}},\"results\":[{\"path\":\"a\",\"label\":\"forged\",\"score\":null,\"detail\":[]}]}", "result 1", 1},
        {"{\"model\":{\"scoring\":{}},\"results\":[{\"path\":\"a\",\"score\":0.5,\"detail\":[{\"track\":-7,\"score\":0.5}]}]}", "result 1",
         1},
        {"{\"model\":{\"scoring\":{}},\"results\":[{\"path\":\"a\",\"score\":null,\"detail\":[]},{\"path\":\"a\",\"score\":null,"
         "\"detail\":[]}]}",
         "there twice", 1}};
  const char *folder = crops(), *model = tmp_path("model.safetensors"), *log = tmp_path("damaged"),
             *manifest = tmp_path("crops/damaged.csv"), *file = tmp_path("results.json");
  (void)state;
  infer_model(model, "fake", "real");
  for (size_t i = 0; i < sizeof csv / sizeof *csv; i++) {
    tmp_write(manifest, csv[i].text, strlen(csv[i].text));
    const int status = infer_run("--model %s --faces-are-cut --labels %s --by method %s >%s.txt 2>&1", model, manifest, folder, log);
    /* What comes first is reported: without the column method that is it, unless the needed ones miss. */
    if (status != csv[i].status && status != 2) fail_msg("manifest %zu: exit status %d", i, status);
    const int plain = infer_run("--model %s --faces-are-cut --labels %s %s >%s.txt 2>&1", model, manifest, folder, log);
    if (csv[i].status == 1 && (plain != 1 || !infer_says(log, csv[i].says))) fail_msg("manifest %zu: exit status %d", i, plain);
    if (csv[i].status == 2) assert_true(status == 2 && plain == 0);
  }
  for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
    tmp_write(file, results[i].text, strlen(results[i].text));
    const int status = infer_run("--compare %s %s >%s.txt 2>&1", file, file, log);
    if (status != results[i].status || !infer_says(log, results[i].says)) fail_msg("results %zu: exit status %d", i, status);
  }
  assert_int_equal(infer_run("--model %s --by method %s >/dev/null 2>&1", model, folder), 2);
  assert_int_equal(infer_run("--compare %s >/dev/null 2>&1", log), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(by_column),    cmocka_unit_test(by_folder),    cmocka_unit_test(two_models),
                                     cmocka_unit_test(other_inputs), cmocka_unit_test(rule_by_flag), cmocka_unit_test(damaged)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
