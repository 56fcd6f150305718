/* infer --verify of what follows from scores: labels, metrics and the ladder, done again with other threads; edited by one digit each; of
 * files that lack what newer ones have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "core/metrics.h"
#include "tests/support/infer_run.h"
#include "tests/support/tmp.h"

enum { PICTURES = 10 };
static char folder[4096], model[4096], result[4300], copy[4400], out[4300], log_name[4300];

static bool is_fake(int i) { return i % 3 == 1 || i == 8; }

/* Greens and reds that noise, crops and light move differently; sizes of their own. */
static void picture(const char *path, int i) {
  infer_colour(path, (const uint8_t[3]){(uint8_t)(130 + 41 * i % 100), (uint8_t)(110 - 10 * i), (uint8_t)(30 * (i % 4))}, 32 + i, 40);
}

static void prepare(const char *name) {
  char path[128];
  snprintf(folder, sizeof folder, "%s", tmp_path(name));
  for (int i = 0; i < PICTURES; i++) {
    snprintf(path, sizeof path, "%s/%s/p%d.png", name, is_fake(i) ? "fake" : "real", i);
    picture(tmp_path(path), i);
  }
  snprintf(path, sizeof path, "%s.safetensors", name);
  snprintf(model, sizeof model, "%s", tmp_path(path));
  const um_calibration c = {
      .method = UM_CALIBRATION_PLATT, .slope = .5, .offset = .1, .band = true, .fake_above = .6, .real_below = .4, .real = 40, .fake = 40};
  infer_calibrated_model(model, "fake", "real", -4, .5f, false, &c);
  snprintf(result, sizeof result, "%s.json", folder), snprintf(copy, sizeof copy, "%s.edited", result);
  snprintf(out, sizeof out, "%s.verified.json", folder), snprintf(log_name, sizeof log_name, "%s", folder);
}

static void scored(const char *options) {
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --json %s %s %s 2>/dev/null", model, result, options, folder), 0);
}

static int verified(const char *arguments) { return infer_run("--verify %s --json %s %s >%s.txt 2>&1", result, out, arguments, log_name); }
/* The ladder of an edit of something else is left out. */
static int edited(const char *way, const char *value) {
  const bool rungs = !strncmp(way, "ladder", 6) || !strncmp(way, "settings", 8);
  infer_edit(result, copy, way, value);
  return infer_run("--verify %s --json %s %s >%s.txt 2>&1", copy, out, rungs ? "" : "--ladder=none", log_name);
}
static bool said(const char *text) { return infer_says(log_name, text); }

/* In the JSON of the check. */
static void expect(const char *part, const char *outcome) {
  cJSON *root = infer_json(out);
  const char *is = infer_get(infer_get(root, part), "outcome")->valuestring;
  if (strcmp(is, outcome)) fail_msg("%s: %s, not %s", part, is, outcome);
  cJSON_Delete(root);
}

static void parts_hold(void **state) {
  char arguments[9000], way[4200], other[4200];
  (void)state;
  prepare("hold");
  scored("--labels folders --by folder --resamples 200 --threads 1 --ladder=noise,crop,brightness");
  assert_int_equal(verified("--threads 3 --jobs 4"), 0);
  assert_true(said("holds: 10 of 10 inputs, labels, metrics, ladder, bit for bit"));
  assert_true(said("10 inputs to be scored again, then 11 rungs of the ladder") && said("about 1 min"));
  expect("labels", "same"), expect("metrics", "same"), expect("ladder", "same");
  /* Of the ladder as much as is wanted. */
  assert_int_equal(verified("--ladder=noise"), 0);
  assert_true(said("4 of 11 rungs"));
  assert_int_equal(verified("--ladder=none"), 0);
  assert_true(said("holds: 10 of 10 inputs, labels, metrics, bit for bit, ladder not checked") && said("left out, as asked for"));
  expect("ladder", "unchecked");
  /* Of some inputs, one of which lies elsewhere under another name: what is drawn for it goes by its old one. */
  snprintf(way, sizeof way, "%s/real/p0.png", folder), snprintf(other, sizeof other, "%s", tmp_path("moved.png"));
  assert_int_equal(rename(way, other), 0);
  snprintf(arguments, sizeof arguments, "%s %s/fake/p1.png", other, folder);
  assert_int_equal(verified(arguments), 0);
  assert_true(said("holds: 2 of 2 inputs, labels, metrics, ladder, bit for bit (of 10 results)"));
  assert_true(said("from 2 inputs scored again and of the others the scores in the result"));
  assert_true(said("of them the scores of 2 of 10 inputs"));
  assert_int_equal(verified(""), 1);
  assert_true(said("1 missing"));
  assert_int_equal(infer_run("--verify %s --root %s >%s.txt 2>&1", result, tmp_path(""), log_name), 0);
  assert_true(said("holds: 10 of 10 inputs, labels, metrics, ladder, bit for bit"));
}

/* One number each; the place and both values are named. Each recorded number that is looked at is first compared with what the test makes
 * of the scores. */
static void edits(void **state) {
  static const struct {
    const char *way, *value, *says;
  } edit[] = {
      {"metrics/video/auc", "0.123", "metrics.video.auc "},
      {"metrics/frame/log_loss", "0.123", "metrics.frame.log_loss"},
      {"metrics/video/count", "9", "metrics.video.count "},
      {"metrics/video/confusion/fake_called_real", "7", "metrics.video.confusion.fake_called_real"},
      {"metrics/video/verdicts/fake_uncertain", "7", "metrics.video.verdicts.fake_uncertain"},
      {"metrics/video/intervals/auc/0", "0.123", "metrics.video.intervals.auc.low"},
      {"metrics/video/intervals/brier/1", "0.123", "metrics.video.intervals.brier.high"},
      {"metrics/by/parts/1/video/accuracy", "0.123", "metrics.by.parts real.video.accuracy"},
      {"metrics/by/column", "\"method\"", "metrics.by.column"},
      {"metrics/resamples", "201", "metrics.resamples"},
      {"metrics/video/auc", "null", "metrics.video.auc "},
      {"metrics/video/auc", "\"0.5\"", "metrics.video.auc "},
      {"metrics/video/auc", "", "metrics.video.auc "},
      {"metrics/video/f1", "0.5", "metrics.video.f1 "},
      {"metrics/video/by\\u001b", "1", "metrics.video.by"},
      {"metrics/by/parts/0", "", "metrics.by.parts "},
      {"metrics/by", "{}", "metrics.by.column"},
      {"settings/resamples", "300", "metrics.resamples"},
      {"settings/bootstrap_seed", "43", "settings.bootstrap_seed"},
      {"settings/threshold", "0.6", "settings.threshold"},
      {"results/0/label", "\"real\"", "label of p1.png"},
      {"results/3/group", "\"p1\"", "group of p8.png"},
      {"results/3/by", "\"real\"", "by of p8.png"},
      {"results/3/video", "\"p1\"", "video of p8.png"},
      {"labels", "null", "where they came from"},
      {"ladder/rungs/2/scores/4", "0.123", "ladder, noise 20, score of p0.png"},
      {"ladder/rungs/2/scores/4", "null", "ladder, noise 20, score of p0.png"},
      {"ladder/rungs/2/scores", "[0.5]", "ladder, noise 20.scores"},
      {"ladder/rungs/0/video/auc", "0.123", "ladder, noise 5.video.auc"},
      {"ladder/rungs/0/frame/accuracy", "0.123", "ladder, noise 5.frame.accuracy"},
      {"ladder/rungs/1/changed_verdicts", "9", "ladder, noise 10.changed_verdicts"},
      {"ladder/rungs/1/shift_of_fake", "0.123", "ladder, noise 10.shift_of_fake"},
      {"ladder/rungs/1/video/auc_interval/1", "0.123", "ladder, noise 10.video.auc_interval.high"},
      {"ladder/rungs/1/auc_change/p", "0.123", "ladder, noise 10.auc_change.p"},
      {"ladder/rungs/1/strength", "5", "(there already)"},
      {"ladder/rungs/1/strength", "11", "ladder, rung 2"},
      {"ladder/rungs/1/kind", "\"rain\"", "ladder, rung 2"},
      {"ladder/rungs/1", "", "noise 10"},
      {"ladder/rungs/1", "7", "ladder, rung 2"},
      {"ladder/as_they_are/scored", "9", "ladder.as_they_are.scored"},
      {"ladder/as_they_are", "[]", "ladder.as_they_are"},
      {"ladder", "{}", "ladder.rungs"},
      {"ladder/seed", "43", "ladder.seed"},
      {"ladder/seed", "", "ladder.seed"},
      {"results/0/people/0/score", "0.123", "p1.png.people 1.score"},
      {"results/0/seconds", "[{\"start_s\":1}]", "p1.png.seconds"},
      {"results/0/dropped/doubtful", "3", "p1.png.dropped.doubtful"},
      {"results/0/kind", "\"video\"", "the summary differs"},
      {"results/0/faces", "2", "p1.png.faces "},
      /* Not even that. */
      {"metrics", "[]", "metrics or ladder: expected an object"},
      {"ladder", "7", "metrics or ladder: expected an object"},
      {"labels/from", "7", "labels: expected"},
      {"labels/files", "{}", "labels: expected"},
      {"results/0/label", "\"fak\"", "result 1"},
      {"results/0/group", "7", "result 1"},
      {"settings/resamples", "1e9", "settings: resamples"},
      {"settings/resamples", "", "settings: resamples"},
  };
  bool fake[PICTURES];
  double score[PICTURES];
  char value[64];
  int i = 0;
  (void)state;
  prepare("edits");
  scored("--labels folders --by folder --resamples 200 --ladder=noise");
  cJSON *root = infer_json(result);
  const cJSON *r, *video = infer_get(infer_get(root, "metrics"), "video");
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    fake[i] = !strcmp(infer_get(r, "label")->valuestring, "fake");
    score[i++] = infer_get(r, "score")->valuedouble;
  }
  const double auc = infer_get(video, "auc")->valuedouble;
  assert_true(auc == um_auc(score, fake, PICTURES) && auc > 0 && auc < 1);
  assert_false(cJSON_IsNull(infer_get(infer_get(video, "intervals"), "auc")));
  cJSON_Delete(root);
  for (size_t k = 0; k < sizeof edit / sizeof *edit; k++) {
    const int rc = edited(edit[k].way, edit[k].value);
    if (rc != 1 || !said(edit[k].says)) fail_msg("%s = %s: %d, not \"%s\"", edit[k].way, edit[k].value, rc, edit[k].says);
    assert_false(said("\033"));
  }
  /* The last bit, with both values. */
  snprintf(value, sizeof value, "%.17g", nextafter(auc, 0));
  assert_int_equal(edited("metrics/video/auc", value), 1);
  assert_true(said("does not hold: 10 of 10 inputs, the metrics differ, ladder not checked"));
  expect("metrics", "differs"), expect("labels", "same"), expect("ladder", "unchecked");
  root = infer_json(out);
  const cJSON *d = infer_get(infer_get(root, "metrics"), "differences");
  assert_int_equal(cJSON_GetArraySize(d), 1);
  assert_true(atof(infer_get(d->child, "then")->valuestring) == nextafter(auc, 0));
  assert_true(atof(infer_get(d->child, "now")->valuestring) == auc);
  cJSON_Delete(root);
  /* Other threads explain no metrics of the same scores. */
  snprintf(value, sizeof value, "%.17g", auc - 1e-6);
  infer_edit(result, copy, "metrics/video/auc", value);
  assert_int_equal(infer_run("--verify %s --threads 3 --ladder=none >%s.txt 2>&1", copy, log_name), 1);
  assert_true(said("the metrics differ"));
  /* With another model the scores are others, and so are the metrics: those of the result were right for its own. */
  snprintf(copy, sizeof copy, "%s.other.safetensors", folder);
  infer_model(copy, "fake", "real");
  assert_int_equal(infer_run("--verify %s --model %s --force --ladder=none >%s.txt 2>&1", result, copy, log_name), 1);
  assert_true(said("the metrics differ") && said("they follow from the scores in the result"));
  snprintf(copy, sizeof copy, "%s.edited", result);
  /* The metrics do not come from the recorded scores. */
  assert_int_equal(edited("results/2/detail/0/raw_score", "0.9"), 1);
  assert_true(said("1 differs, the metrics differ") == false && said("1 differs"));
  expect("metrics", "same");
}

/* Where labels came from is looked at again. */
static void labels(void **state) {
  char csv[4300], text[4096] = "path,label,group,video,method\n", options[9000];
  (void)state;
  prepare("labels");
  snprintf(csv, sizeof csv, "%s/list.csv", folder);
  for (int i = 0; i < PICTURES; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s/p%d.png,%s,g%d,v%d,%s\n", is_fake(i) ? "fake" : "real", i,
             is_fake(i) ? "FAKE" : "real", i / 3, i / 2, i % 2 ? "swap" : "");
  tmp_write(csv, text, strlen(text));
  snprintf(options, sizeof options, "--labels %s --by method --resamples 100", csv);
  scored(options);
  cJSON *root = infer_json(result);
  const cJSON *from = infer_get(root, "labels");
  assert_string_equal(infer_get(from, "by")->valuestring, "method");
  assert_string_equal(infer_get(infer_get(from, "files")->child, "file")->valuestring, csv);
  assert_int_equal(strlen(infer_get(infer_get(from, "files")->child, "sha256")->valuestring), 64);
  cJSON_Delete(root);
  assert_int_equal(verified("--threads 2"), 0);
  assert_true(said("holds: 10 of 10 inputs, labels, metrics, bit for bit") && said("read again from"));
  /* Where the file is as it was, it is what counts: a label that was edited is named, with the metrics that were made of it. */
  assert_int_equal(edited("results/0/label", "\"real\""), 1);
  assert_true(said("label of p1.png") && said("fake -> ") == false && said("real -> fake") && said("the labels differ"));
  expect("metrics", "same");
  assert_int_equal(edited("results/0/group", "\"g2\""), 1);
  assert_true(said("group of p1.png"));
  assert_int_equal(edited("labels/files/0/sha256", "\"0000000000000000000000000000000000000000000000000000000000000000\""), 0);
  assert_true(said("taken from the result") && said("another file now"));
  expect("labels", "unchecked"), expect("metrics", "same");
  /* Where it is not, those of the result are used, and the metrics do not follow from an edited one. */
  text[strlen(text) - 2] = 'q';
  tmp_write(csv, text, strlen(text));
  assert_int_equal(verified(""), 0);
  assert_true(said("another file now") && said("holds: 10 of 10 inputs, metrics, bit for bit"));
  assert_int_equal(edited("results/0/label", "\"real\""), 1);
  assert_true(said("the metrics differ") && said("metrics.video.fake") && said("they do not follow from the scores in the result, either"));
  assert_int_equal(edited("results/0/by", "\"other\""), 1);
  assert_true(said("metrics.by.parts"));
  assert_int_equal(unlink(csv), 0);
  assert_int_equal(verified(""), 0);
  assert_true(said("is not there any more"));
  /* With the inputs it may move: a manifest's paths go by where it lies. */
  text[strlen(text) - 2] = 'p'; /* swap */
  tmp_write(csv, text, strlen(text));
  snprintf(options, sizeof options, "%s", tmp_path("labels.away"));
  assert_int_equal(rename(folder, options), 0);
  assert_int_equal(infer_run("--verify %s --root %s >%s.txt 2>&1", result, options, log_name), 0);
  assert_true(said("holds: 10 of 10 inputs, labels, metrics, bit for bit") && said("labels.away/list.csv"));
  assert_int_equal(infer_run("--verify %s %s >%s.txt 2>&1", result, options, log_name), 0);
  assert_true(said("holds: 10 of 10 inputs, labels, metrics, bit for bit"));
  infer_edit(result, copy, "results/3/by", "\"none\"");
  assert_int_equal(infer_run("--verify %s --root %s >%s.txt 2>&1", copy, options, log_name), 1);
  assert_true(said("the labels differ") && said("by of "));
  assert_int_equal(rename(options, folder), 0);
  /* metadata.json names files wherever they lie. */
  snprintf(csv, sizeof csv, "%s", tmp_path("labels.metadata.json"));
  strcpy(text, "{\"p1.png\":{\"label\":\"FAKE\",\"original\":\"p0.png\"},\"p0.png\":{\"label\":\"REAL\"}}");
  tmp_write(csv, text, strlen(text));
  snprintf(options, sizeof options, "--labels %s --resamples 0", csv);
  scored(options);
  assert_int_equal(verified(""), 0);
  assert_true(said("holds: 10 of 10 inputs, labels, metrics, bit for bit"));
  assert_int_equal(edited("results/0/group", "\"p1\""), 1);
  assert_true(said("group of p1.png") && said("p1 -> p0"));
  assert_int_equal(edited("results/2/label", "\"fake\""), 1); /* which nothing labelled */
  assert_true(said("label of ") && said("fake -> -"));
}

/* What older files do not have is said, and is no difference; what they have counts. */
static void older(void **state) {
  char old[4300];
  (void)state;
  prepare("older");
  scored("--labels folders --by folder --resamples 50 --ladder=noise");
  snprintf(old, sizeof old, "%s.old", folder);
  infer_edit(result, old, "labels", "");
  assert_int_equal(rename(old, result), 0);
  assert_int_equal(edited("ladder/seed", ""), 0);
  assert_true(said("those by column not recorded well enough to be done again") && said("an older infer did not write"));
  assert_true(said("holds: 10 of 10 inputs, metrics, ladder, bit for bit"));
  assert_int_equal(edited("metrics/video/verdicts", ""), 0);
  assert_true(said("1 that an older infer did not write"));
  assert_int_equal(edited("ladder/rungs/0/auc_change", ""), 0);
  assert_true(said("1 numbers that an older infer did not write"));
  assert_int_equal(edited("metrics/video/auc", "0.123"), 1);
  assert_true(said("metrics.video.auc "));
  assert_int_equal(edited("settings/resamples", ""), 0);
  assert_true(said("not recorded well enough to be done again") && said("metrics not checked"));
  expect("metrics", "unchecked"), expect("ladder", "same");
}

/* Of two results: made again from the same two files, wherever they lie. */
static void comparisons(void **state) {
  static const struct {
    const char *way, *value, *says;
  } edit[] = {
      {"video/auc/b", "0.123", "comparison.video.auc.b "},
      {"video/auc/p", "0.123", "comparison.video.auc.p "},
      {"frame/brier/interval/0", "-0.9", "comparison.frame.brier.interval.low"},
      {"videos", "9", "comparison.videos"},
      {"a", "\"other.json\"", "comparison.a"},
      {"files/1/model_sha256", "\"ab\"", "comparison.files 2.model_sha256"},
      {"bootstrap_seed", "7", "comparison.bootstrap_seed"},
      {"resamples", "70", "interval.low"},
      {"files/1/sha256", "\"0000000000000000000000000000000000000000000000000000000000000000\"", "B         changed"},
      {"files/0/file", "\"/nowhere.json\"", "A         missing"},
      {"files/0", "", "expected files and resamples"},
      {"files/0/bytes", "-1", "expected files and resamples"},
      {"resamples", "1e9", "expected files and resamples"},
      {"format", "", "compare them again"},
  };
  char other[4300], b[4300], away[4300], value[64];
  (void)state;
  prepare("compared");
  scored("--labels folders --resamples 10 --threads 1");
  snprintf(b, sizeof b, "%s.b.json", folder), snprintf(other, sizeof other, "%s.b.safetensors", folder);
  infer_model(other, "fake", "real");
  assert_int_equal(
      infer_run("--model %s --faces-are-cut --quiet --labels folders --resamples 10 --json %s %s 2>/dev/null", other, b, folder), 0);
  snprintf(value, sizeof value, "%s", "compared.c.json");
  snprintf(away, sizeof away, "%s", tmp_path(value));
  assert_int_equal(infer_run("--compare %s %s --resamples 60 --json %s --quiet", result, b, away), 0);
  snprintf(result, sizeof result, "%s", away);
  assert_int_equal(verified(""), 0);
  assert_true(said("holds: the comparison of two results, bit for bit") && said("infer --verify of each"));
  expect("comparison", "same");
  cJSON *root = infer_json(result);
  const double auc = infer_get(infer_get(infer_get(root, "video"), "auc"), "a")->valuedouble;
  cJSON_Delete(root);
  for (size_t k = 0; k < sizeof edit / sizeof *edit; k++) {
    const int rc = edited(edit[k].way, edit[k].value);
    if (rc != 1 || !said(edit[k].says)) fail_msg("%s = %s: %d, not \"%s\"", edit[k].way, edit[k].value, rc, edit[k].says);
  }
  snprintf(value, sizeof value, "%.17g", auc - 1e-8);
  assert_int_equal(edited("video/auc/a", value), 1);
  assert_true(said("comparison.video.auc.a ") && said("does not hold"));
  snprintf(away, sizeof away, "%s", tmp_path("elsewhere/x.json"));
  assert_int_equal(rename(b, away), 0);
  assert_int_equal(verified(""), 1);
  assert_true(said("B         missing"));
  snprintf(b, sizeof b, "--root %s", tmp_path(""));
  assert_int_equal(verified(b), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(parts_hold), cmocka_unit_test(edits), cmocka_unit_test(labels),
                                     cmocka_unit_test(older), cmocka_unit_test(comparisons)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
