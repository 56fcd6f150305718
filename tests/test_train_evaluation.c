/* What train says of its validation part at each epoch: against infer --labels with the model that came out, against history.csv, whose
 * numbers come another way, and against itself when stopped and resumed. The pictures are noise with more or less red, made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "core/metrics.h"
#include "core/rng.h"
#include "data/csv.h"
#include "data/image.h"
#include "tests/support/clip.h"
#include "tests/support/infer_run.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"
#include "tests/support/train_run.h"

enum { VIDEOS = 24, FRAMES = 3 }; /* of a class */

/* frames of each video, with a manifest: two people in turn, videos of both classes of one footage, fakes of two methods. The columns
 * after `columns` are left out. */
static void make_crops(const char *name, int videos, int frames, int columns, uint64_t seed) {
  char path[4096], csv[1 << 16];
  um_error err = {0};
  static const char *const head[] = {"path", "group", "video", "track", "method", "part"};
  int at = 0;
  for (int i = 0; i < columns; i++) at += snprintf(csv + at, sizeof csv - (size_t)at, "%s%s", i ? "," : "", head[i]);
  at += snprintf(csv + at, sizeof csv - (size_t)at, "\n");
  for (int label = 0; label < 2; label++) {
    snprintf(path, sizeof path, "%s/%s/%s", folder, name, label ? "real" : "fake");
    assert_int_equal(um_mkdirs(path, &err), UM_OK);
    for (int v = 0; v < videos; v++)
      for (int f = 0; f < frames; f++) {
        const um_rng r = {.seed = seed, .stream = UM_STREAM_TEST, .epoch = (uint32_t)label, .sample = (uint32_t)(v * frames + f)};
        const um_rng of_video = {.seed = seed, .stream = UM_STREAM_TEST, .epoch = 2 + (uint32_t)label, .sample = (uint32_t)v};
        const int red = (label ? -25 : 25) + (int)um_rng_below(&of_video, 0, 121) - 60;
        um_image im = {0};
        assert_int_equal(um_image_alloc(&im, 16, 16, &err), UM_OK);
        for (int k = 0; k < 16 * 16 * 3; k++) {
          const int x = 70 + (int)um_rng_below(&r, (uint32_t)k, 110) + (k % 3 ? 0 : red);
          im.pixels[k] = (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
        }
        snprintf(path, sizeof path, "%s/%s/%s/%02d_%d.png", folder, name, label ? "real" : "fake", v, f);
        assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
        um_image_free(&im);
        char field[6][80];
        snprintf(field[0], 80, "%s/%02d_%d.png", label ? "real" : "fake", v, f);
        snprintf(field[1], 80, "%s-%d", name, v / 2);
        snprintf(field[2], 80, "%d-%02d.mp4", label, v);
        snprintf(field[3], 80, "%d", f % 2);
        snprintf(field[4], 80, "%s", label ? "" : v % 3 ? "swap" : "morph");
        snprintf(field[5], 80, "%s", v % 3 == 0 ? "train" : label && v % 3 == 1 ? "val" : v % 3 == 2 ? "test" : "train");
        for (int i = 0; i < columns; i++) at += snprintf(csv + at, sizeof csv - (size_t)at, "%s%s", i ? "," : "", field[i]);
        at += snprintf(csv + at, sizeof csv - (size_t)at, "\n");
      }
  }
  snprintf(path, sizeof path, "%s/%s/manifest.csv", folder, name);
  tmp_write(path, csv, (unsigned long)at);
}

static int set_up(void **state) {
  char text[8192];
  (void)state;
  if (train_run_set_up("train_evaluation")) return -1;
  make_crops("crops", VIDEOS, FRAMES, 5, 1);
  make_crops("held", VIDEOS, FRAMES, 5, 2);
  snprintf(text, sizeof text,
           "{\"data\": {\"train_dir\": \"%s/crops\", \"validation_dir\": \"%s/held\", \"target_size\": [16, 16], \"batch_size\": 8},\n"
           " \"model\": {\"backbone\": \"tiny\", \"weights\": null, \"head\": [{\"flatten\": {}}, {\"dense\": {\"units\": 8, "
           "\"activation\": \"relu\"}}, {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}]},\n"
           " \"optimizer\": {\"name\": \"adam\", \"learning_rate\": 2e-3}, \"faces\": {\"faces\": \"all\"}, \"epochs\": 3,\n"
           " \"evaluation\": {\"resamples\": 200}}\n",
           folder, folder);
  tmp_write(in("crops.json"), text, strlen(text));
  return 0;
}

/* One field of the line of validation.csv with these values in the columns before it; "" where there is no such line. */
static const char *line(const char *file, const char *epoch, const char *by, const char *rule, const char *people, const char *part,
                        const char *scores, const char *column) {
  static char ring[8][80];
  static int at;
  char *out = ring[at++ % 8];
  const char *const wanted[] = {epoch, by, rule, people, part, scores}, *const names[] = {"epoch",  "by",   "rule",
                                                                                          "people", "part", "scores"};
  const char *const *field;
  um_csv *csv;
  um_error err = {0};
  int found = 0;
  assert_int_equal(um_csv_open(&csv, in(file), &err), UM_OK);
  const int c = um_csv_column(csv, column);
  if (c < 0) fail_msg("%s: no column %s", file, column);
  out[0] = 0;
  while (um_csv_next(csv, &field, &err) > 0) {
    bool is = true;
    for (int i = 0; i < 6; i++) is &= !strcmp(field[um_csv_column(csv, names[i])], wanted[i]);
    if (is) found++, snprintf(out, sizeof ring[0], "%s", field[c]);
  }
  um_csv_close(csv);
  if (found > 1) fail_msg("%s: %d lines of epoch %s by %s rule %s %s part %s %s", file, found, epoch, by, rule, people, part, scores);
  return out;
}

static int count_lines(const char *file) {
  size_t n;
  char *text = content(file, &n);
  int lines = 0;
  for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
  free(text);
  return lines - 1;
}

/* Both programs score the same pictures in other batches; what they say of them differs by rounding alone. */
static void near(const char *text, const cJSON *v, const char *what) {
  if (cJSON_IsNull(v) ? *text != 0 : !*text || fabs(atof(text) - v->valuedouble) > 1e-6)
    fail_msg("%s: validation.csv has \"%s\", infer %g", what, text, cJSON_IsNull(v) ? (double)NAN : v->valuedouble);
}

/* Every metric of a line, its interval (of 200 resamples both) and its counts against the object that infer wrote. */
static void same_as_infer(const char *file, const char *epoch, const char *by, const char *rule, const char *people, const char *part,
                          const char *scores, const cJSON *of_infer) {
  static const char *const called[] = {"fake_called_fake", "fake_called_real", "real_called_fake", "real_called_real"};
  const cJSON *confusion = infer_get(of_infer, "confusion"), *intervals = infer_get(of_infer, "intervals");
  for (int m = 0; m < UM_METRICS; m++) {
    const char *key = um_metric_key(m);
    char low[64], high[64];
    snprintf(low, sizeof low, "%s_low", key), snprintf(high, sizeof high, "%s_high", key);
    near(line(file, epoch, by, rule, people, part, scores, key), infer_get(of_infer, key), key);
    const cJSON *pair = infer_get(intervals, key);
    near(line(file, epoch, by, rule, people, part, scores, low), cJSON_IsNull(pair) ? pair : cJSON_GetArrayItem(pair, 0), low);
    near(line(file, epoch, by, rule, people, part, scores, high), cJSON_IsNull(pair) ? pair : cJSON_GetArrayItem(pair, 1), high);
  }
  for (int i = 0; i < 4; i++)
    near(line(file, epoch, by, rule, people, part, scores, called[i]), infer_get(confusion, called[i]), called[i]);
  near(line(file, epoch, by, rule, people, part, scores, "count"), infer_get(of_infer, "count"), "count");
  near(line(file, epoch, by, rule, people, part, scores, "fake"), infer_get(of_infer, "fake"), "fake");
  near(line(file, epoch, by, rule, people, part, scores, "groups"), infer_get(of_infer, "groups"), "groups");
}

/* The epoch that best.safetensors is from. */
static const char *best_epoch(const char *file) {
  static char text[16];
  double best = INFINITY;
  for (int i = 0; *history_field(file, i, "epoch"); i++) {
    const double loss = atof(history_field(file, i, "val_loss"));
    if (loss < best) best = loss, snprintf(text, sizeof text, "%d", i + 1);
  }
  return text;
}

static cJSON *judge_with_infer(const char *run, const char *arguments) {
  char model[128], json[128];
  snprintf(model, sizeof model, "out/%s/best.safetensors", run), snprintf(json, sizeof json, "%s.json", run);
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels folders --resamples 200 %s --json %s %s >%s 2>&1", in(model), arguments,
                             in(json), in("held"), in("infer.log")),
                   0);
  return infer_json(in(json));
}

/* From the first epoch on, but for paths. */
static void no_wide_lines(void) {
  for (const char *at = strstr(said, "Epoch 1/"); *at; at += strcspn(at, "\n") + (at[strcspn(at, "\n")] != 0)) {
    const int n = (int)strcspn(at, "\n");
    const char *path = strstr(at, folder);
    if (n > 80 && !(path && path < at + n)) fail_msg("wider than 80 columns: %.*s", n, at);
  }
}

/* By frame, by video and by method; before calibration, which there is none of. */
static void as_infer_says(void **state) {
  const char *file = "out/plain/validation.csv";
  (void)state;
  RUN(0, "$T --config $D/crops.json --out $D/out/plain --set scoring.top_k=1 --set calibration.method=none --set evaluation.by=method");
  SAYS("From frames to the score of a video, on the 48 held out, after epoch ");
  SAYS("* mean, highest ");
  SAYS("  confident, together ");
  SAYS(" (video 0.");
  assert_null(strstr(said, "Calibration"));
  no_wide_lines();
  const char *epoch = best_epoch("out/plain/history.csv");
  cJSON *json = judge_with_infer("plain", "--by method");
  const cJSON *m = infer_get(json, "metrics"), *parts = infer_get(infer_get(m, "by"), "parts"), *part;
  same_as_infer(file, epoch, "frame", "", "", "", "raw", infer_get(m, "frame"));
  same_as_infer(file, epoch, "video", "mean", "highest", "", "raw", infer_get(m, "video"));
  assert_int_equal(cJSON_GetArraySize(parts), 2);
  cJSON_ArrayForEach(part, parts) {
    const char *value = infer_get(part, "value")->valuestring;
    same_as_infer(file, epoch, "frame", "", "", value, "raw", infer_get(part, "frame"));
    same_as_infer(file, epoch, "video", "mean", "highest", value, "raw", infer_get(part, "video"));
  }
  cJSON_Delete(json);
  /* Three epochs of: all and two parts, by frame and by video; nine other rules. */
  assert_int_equal(count_lines(file), 3 * (6 + 9));
  /* history.csv has its numbers from the model's own loss and hits. */
  for (int i = 0; i < 3; i++) {
    char number[16];
    snprintf(number, sizeof number, "%d", i + 1);
    static const char *const pairs[][2] = {{"val_auc", "auc"}, {"val_accuracy", "accuracy"}, {"val_loss", "log_loss"}};
    for (int k = 0; k < 3; k++) {
      const double here = atof(line(file, number, "frame", "", "", "", "raw", pairs[k][1]));
      assert_true(fabs(here - atof(history_field("out/plain/history.csv", i, pairs[k][0]))) < 1e-6);
    }
  }
}

/* The other rules as infer makes them of the same faces, and what they differ by. */
static void rules_as_infer_makes_them(void **state) {
  static const char *const names[][2] = {{"mean_logit", "highest"}, {"median", "together"}, {"top_k", "highest"}};
  const char *file = "out/plain/validation.csv", *epoch = best_epoch("out/plain/history.csv");
  (void)state;
  for (int i = 0; i < 3; i++) {
    char arguments[128];
    snprintf(arguments, sizeof arguments, "--force --aggregate %s%s --people %s", names[i][0], i == 2 ? " --top-k 1" : "", names[i][1]);
    cJSON *json = judge_with_infer("plain", arguments);
    const cJSON *video = infer_get(infer_get(json, "metrics"), "video");
    same_as_infer(file, epoch, "video", names[i][0], names[i][1], "", "raw", video);
    static const char *const metric[] = {"auc", "log_loss"};
    for (int k = 0; k < 2; k++) {
      char column[64];
      snprintf(column, sizeof column, "%s_difference", metric[k]);
      const double own = atof(line(file, epoch, "video", "mean", "highest", "", "raw", metric[k]));
      const double other = atof(line(file, epoch, "video", names[i][0], names[i][1], "", "raw", metric[k]));
      const double difference = atof(line(file, epoch, "video", names[i][0], names[i][1], "", "raw", column));
      assert_true(fabs(difference - (other - own)) < 1e-8);
    }
    cJSON_Delete(json);
  }
  assert_string_equal(line(file, epoch, "video", "mean", "highest", "", "raw", "auc_difference"), "");
}

static bool calibration_of(um_calibration *c, const char *name) {
  um_error err = {0};
  um_st *st;
  um_graph g;
  um_preprocess p;
  if (um_checkpoint_open(&st, &g, &p, in(name), &err)) fail_msg("%s", err.text);
  um_st_close(st);
  um_graph_free(&g);
  *c = p.calibration;
  return c->method != UM_CALIBRATION_NONE;
}

/* The map in the file is that of its own epoch's videos, and what it makes of them is what infer makes. */
static void calibrated(void **state) {
  um_calibration best, last;
  (void)state;
  RUN(0, "$T --config $D/crops.json --out $D/out/calibrated --set epochs=4");
  SAYS("Calibration temperature ");
  SAYS("fitted on 24 real and 24 fake videos");
  SAYS("            calibration error by video 0.");
  no_wide_lines();
  assert_true(calibration_of(&best, "out/calibrated/best.safetensors"));
  assert_true(calibration_of(&last, "out/calibrated/last.safetensors"));
  assert_true(best.real == VIDEOS && best.fake == VIDEOS && best.slope > 0);
  const char *epoch = best_epoch("out/calibrated/history.csv");
  cJSON *json = judge_with_infer("calibrated", "");
  const cJSON *m = infer_get(json, "metrics"), *r;
  same_as_infer("out/calibrated/validation.csv", epoch, "frame", "", "", "", "calibrated", infer_get(m, "frame"));
  same_as_infer("out/calibrated/validation.csv", epoch, "video", "mean", "highest", "", "calibrated", infer_get(m, "video"));
  /* The raw scores of the videos, as infer has them, give the same fit. */
  double raw[2 * VIDEOS], sum[2 * VIDEOS][2] = {{0}};
  int count[2 * VIDEOS][2] = {{0}};
  bool fake[2 * VIDEOS];
  cJSON_ArrayForEach(r, infer_get(json, "results")) {
    const char *path = infer_get(r, "path")->valuestring, *name = strrchr(path, '/');
    const int v = atoi(name + 1) + (strstr(path, "/real/") ? VIDEOS : 0), person = name[4] == '1';
    sum[v][person] += infer_get(r, "raw_score")->valuedouble, count[v][person]++;
  }
  for (int v = 0; v < 2 * VIDEOS; v++) raw[v] = fmax(sum[v][0] / count[v][0], sum[v][1] / count[v][1]), fake[v] = v < VIDEOS;
  const um_calibration_settings how = {UM_CALIBRATION_TEMPERATURE, .05, .05};
  um_calibration again;
  um_error err = {0};
  char note[256];
  assert_int_equal(um_calibration_fit(&again, note, sizeof note, &how, raw, fake, 2 * VIDEOS, &err), UM_OK);
  assert_true(fabs(again.slope - best.slope) < 1e-4 * best.slope);
  assert_true(fabs(again.fake_above - best.fake_above) < 1e-5 && fabs(again.real_below - best.real_below) < 1e-5);
  cJSON_Delete(json);
}

/* Stopped between epochs and in the middle of one: the same files; what is saved in the middle carries no calibration. */
static void resumed_is_the_same(void **state) {
  um_calibration c;
  (void)state;
  RUN(0, "$T --config $D/crops.json --out $D/out/short --quiet --set epochs=1");
  RUN(0, "$T --resume $D/out/short --quiet --set epochs=2 --set data.workers=1");
  RUN(0, "sed -n 2p $D/out/short/validation.csv | sed 's/^1,/3,/' >>$D/out/short/validation.csv; "
         "$T --resume $D/out/short --quiet --set epochs=4"); /* a line of an epoch that the checkpoint has not */
  assert_true(same_files("out/short/validation.csv", "out/calibrated/validation.csv"));
  assert_true(same_files("out/short/best.safetensors", "out/calibrated/best.safetensors"));
  assert_true(same_files("out/short/last.safetensors", "out/calibrated/last.safetensors"));

  char config[4096], out[4096], mark[4096];
  snprintf(config, sizeof config, "%s", in("crops.json"));
  snprintf(out, sizeof out, "%s", in("out/stops"));
  snprintf(mark, sizeof mark, "%s", in("out/stops/history.csv"));
  const char *start[] = {"train", "--config", config, "--out", out, "--quiet", "--set", "data.workers=1", "--set", "epochs=400", NULL};
  int inside = 0;
  assert_int_equal(interrupted(start, mark, 20000, SIGINT, false), 130);
  for (int i = 0; i < 8 && !inside; i++) {
    const char *go_on[] = {"train", "--resume", out, "--quiet", NULL};
    um_error err = {0};
    um_st *st;
    um_position at;
    assert_int_equal(um_st_open(&st, in("out/stops/last.safetensors"), &err), UM_OK);
    assert_int_equal(um_checkpoint_position(&at, st, &err), UM_OK);
    um_st_close(st);
    assert_int_equal(calibration_of(&c, "out/stops/last.safetensors"), at.batch == 0);
    inside += at.batch > 0;
    if (!inside) assert_int_equal(interrupted(go_on, in("out/stops/config.json"), 60000 + 7000 * (useconds_t)i, SIGINT, false), 130);
  }
  assert_true(inside > 0);
  char last[16];
  int done = 0;
  while (*history_field("out/stops/history.csv", done, "epoch")) done++;
  snprintf(last, sizeof last, "%d", done + 1);
  RUN(0, "$T --resume $D/out/stops --quiet --set epochs=%s && $T --config $D/crops.json --out $D/out/whole --quiet --set epochs=%s", last,
      last);
  assert_true(same_files("out/stops/validation.csv", "out/whole/validation.csv"));
  assert_true(same_files("out/stops/last.safetensors", "out/whole/last.safetensors"));
}

/* Without a manifest each picture is a video: both ways of counting give the same, and there is no rule to choose. */
static void without_a_video_column(void **state) {
  const char *file = "out/loose/validation.csv";
  (void)state;
  RUN(0, "mkdir -p $D/loose && cp -r $D/held/fake $D/held/real $D/loose && "
         "$T --config $D/crops.json --out $D/out/loose --set data.validation_dir=$D/loose --set epochs=1 --set evaluation.by=folder");
  assert_null(strstr(said, "From frames"));
  assert_null(strstr(said, "(video"));
  assert_int_equal(count_lines(file), 2 + 2 + 4);
  for (int m = 0; m < UM_METRICS; m++)
    assert_string_equal(line(file, "1", "frame", "", "", "", "raw", um_metric_key(m)),
                        line(file, "1", "video", "mean", "highest", "", "raw", um_metric_key(m)));
  assert_int_equal(atoi(line(file, "1", "video", "mean", "highest", "", "raw", "groups")), VIDEOS * FRAMES); /* 00_0.png of both classes */
  /* A folder of one class: what needs both is empty. */
  assert_string_equal(line(file, "1", "video", "mean", "highest", "fake", "raw", "auc"), "");
  assert_string_equal(line(file, "1", "video", "mean", "highest", "fake", "raw", "eer_low"), "");
  const double right = atof(line(file, "1", "video", "mean", "highest", "fake", "raw", "fake_called_fake"));
  assert_true(fabs(atof(line(file, "1", "video", "mean", "highest", "fake", "raw", "accuracy")) - right / (VIDEOS * FRAMES)) < 1e-8);
  /* No intervals: nothing is drawn. */
  RUN(0, "$T --config $D/crops.json --out $D/out/none --quiet --set epochs=1 --set evaluation.resamples=0");
  assert_string_equal(line("out/none/validation.csv", "1", "video", "mean", "highest", "", "raw", "auc_low"), "");
  assert_true(*line("out/none/validation.csv", "1", "video", "mean", "highest", "", "raw", "auc"));
}

/* The dataset's own parts: real ones alone are held out; the test part has both classes. */
static void one_class_and_a_test_part(void **state) {
  const char *file = "out/parts/validation.csv";
  (void)state;
  make_crops("parts", VIDEOS, FRAMES, 6, 3);
  RUN(0, "$T --config $D/crops.json --out $D/out/parts --force --set data.train_dir=$D/parts --set data.validation_dir=null --set "
         "data.split_by=part --set epochs=1 --set evaluation.by=method");
  SAYS("leaves no picture of class fake for validation");
  SAYS("Calibration none");
  SAYS("0 fake videos to");
  SAYS("      16 videos - auc ");
  assert_string_equal(line(file, "1", "video", "mean", "highest", "", "raw", "auc"), "");
  assert_string_equal(line(file, "1", "frame", "", "", "", "raw", "fake"), "0");
  assert_true(*line(file, "1", "video", "mean", "highest", "", "raw", "log_loss"));
  cJSON *json = infer_json(in("out/parts/test.json"));
  const cJSON *video = infer_get(json, "video"), *frame = infer_get(json, "frame");
  assert_int_equal(infer_get(video, "count")->valueint, 16);
  assert_int_equal(infer_get(frame, "count")->valueint, infer_get(json, "pictures")->valueint);
  assert_true(fabs(infer_get(frame, "auc")->valuedouble - infer_get(json, "auc")->valuedouble) < 1e-12);
  assert_true(fabs(infer_get(frame, "log_loss")->valuedouble - infer_get(json, "loss")->valuedouble) < 1e-6);
  const cJSON *pair = infer_get(infer_get(video, "intervals"), "auc");
  assert_true(cJSON_GetArrayItem(pair, 0)->valuedouble <= infer_get(video, "auc")->valuedouble);
  assert_int_equal(cJSON_GetArraySize(infer_get(infer_get(json, "by"), "parts")), 1);
  cJSON_Delete(json);
}

/* Held-out videos, three people in each: cut and followed on the way, as infer does. */
static void videos(void **state) {
  static const char *const names[] = {"v/fake/a.mp4", "v/fake/b.mp4", "v/real/c.mp4", "v/real/d.mp4"};
  static int shift[4] = {0, 5, 11, 17};
  (void)state;
  RUN(0, "mkdir -p $D/v/fake $D/v/real");
  for (int i = 0; i < 4; i++)
    clip_write(&(clip){.path = in(names[i]),
                       .width = SCENE_WIDTH,
                       .height = SCENE_HEIGHT,
                       .frames = 6,
                       .rate = 5,
                       .draw = scene_draw_walking,
                       .arg = &shift[i]});
  RUN(0, "$T --config $D/crops.json --out $D/out/videos --set data.validation_dir=$D/v --set data.video_cache_dir=$D/cache --set epochs=2 "
         "--set faces.detector=haar --set faces.max_size=400 --set faces.fps=5 --set evaluation.by=folder");
  const char *file = "out/videos/validation.csv", *epoch = best_epoch("out/videos/history.csv");
  assert_int_equal(infer_run("--model %s --labels folders --by folder --resamples 200 --json %s %s >%s 2>&1",
                             in("out/videos/best.safetensors"), in("videos.json"), in("v"), in("infer.log")),
                   0);
  cJSON *json = infer_json(in("videos.json"));
  const cJSON *m = infer_get(json, "metrics"), *frame = infer_get(m, "frame"), *part;
  assert_true(infer_get(frame, "count")->valueint > 4 * 6);
  same_as_infer(file, epoch, "frame", "", "", "", "raw", frame);
  same_as_infer(file, epoch, "video", "mean", "highest", "", "raw", infer_get(m, "video"));
  cJSON_ArrayForEach(part, infer_get(infer_get(m, "by"), "parts"))
      same_as_infer(file, epoch, "video", "mean", "highest", infer_get(part, "value")->valuestring, "raw", infer_get(part, "video"));
  assert_true(*line(file, epoch, "video", "mean", "together", "", "raw", "auc")); /* people are told apart */
  cJSON_Delete(json);
}

static void nothing_held_out(void **state) {
  (void)state;
  RUN(0, "$T --config $D/crops.json --out $D/out/all --set data.validation_dir=null --set epochs=1");
  SAYS("Calibration none: it is fitted on held-out videos (data.validation_split)");
  assert_false(um_is_file(in("out/all/validation.csv")));
}

static void refused(void **state) {
  (void)state;
  RUN(2, "$T --config $D/crops.json --out $D/out/never --set evaluation.by=maker");
  SAYS("evaluation.by: ");
  SAYS("held/manifest.csv has no column maker");
  RUN(2, "$T --config $D/crops.json --out $D/out/never --set data.validation_dir=$D/loose --set evaluation.by=method");
  SAYS("evaluation.by: column method: there is no manifest.csv in ");
  make_crops("many", 80, FRAMES, 5, 4);
  RUN(2, "$T --config $D/crops.json --out $D/out/never --set data.validation_dir=$D/many --set evaluation.by=path");
  SAYS("evaluation.by: expected a column of at most 200 different values, found 480 in \"path\"");
  assert_false(um_is_folder(in("out/never")));
  /* A file that cannot be read back is begun anew, and it is said. */
  RUN(0, "cp -r $D/out/short $D/out/damaged && echo epoch,by >$D/out/damaged/validation.csv && echo one,frame "
         ">>$D/out/damaged/validation.csv && $T --resume $D/out/damaged --set epochs=5");
  SAYS("line 2: epoch: expected a number, got \"one\"; validation.csv begins anew");
  assert_string_equal(line("out/damaged/validation.csv", "4", "frame", "", "", "", "raw", "count"), "");
  assert_string_equal(line("out/damaged/validation.csv", "5", "frame", "", "", "", "raw", "count"), "144");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_infer_says),
      cmocka_unit_test(rules_as_infer_makes_them),
      cmocka_unit_test(calibrated),
      cmocka_unit_test(resumed_is_the_same),
      cmocka_unit_test(without_a_video_column),
      cmocka_unit_test(one_class_and_a_test_part),
      cmocka_unit_test(videos),
      cmocka_unit_test(nothing_held_out),
      cmocka_unit_test(refused),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
