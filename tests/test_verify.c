/* infer --json carries what it takes to repeat a verdict, and infer --verify repeats it: hashes against coreutils', results that hold and
 * the many ways in which they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "core/json.h"
#include "core/rng.h"
#include "data/image.h"
#include "tests/support/clip.h"
#include "tests/support/infer_run.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

enum { PICTURES = 4 };
static const uint8_t colours[PICTURES][3] = {{255, 0, 0}, {10, 200, 30}, {120, 120, 120}, {0, 255, 255}};
static char folder[4096], model[4096], result[4096], out[4096], log_name[4096];

/* Pictures of faces that are cut already, a model for them, and what it says of them. */
static void prepare(const char *name) {
  char path[128];
  snprintf(folder, sizeof folder, "%s", tmp_path(name));
  for (int i = 0; i < PICTURES; i++) {
    snprintf(path, sizeof path, "%s/%c.png", name, 'a' + i);
    infer_colour(tmp_path(path), colours[i], 20 + 13 * i, 50);
  }
  snprintf(path, sizeof path, "%s.safetensors", name);
  snprintf(model, sizeof model, "%s", tmp_path(path));
  infer_model(model, "fake", "real");
  snprintf(path, sizeof path, "%s.json", name);
  snprintf(result, sizeof result, "%s", tmp_path(path));
  snprintf(path, sizeof path, "%s.verified.json", name);
  snprintf(out, sizeof out, "%s", tmp_path(path));
  snprintf(log_name, sizeof log_name, "%s", tmp_path(name));
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --json %s %s", model, result, folder), 0);
}

/* infer --verify of the result; its exit status. What it printed lies in log_name.txt. */
static int verified(const char *arguments) { return infer_run("--verify %s %s >%s.txt 2>&1", result, arguments, log_name); }
static bool said(const char *text) { return infer_says(log_name, text); }

/* A line of what a command prints. */
static void line_of(char *text, int size, const char *command, const char *path) {
  char whole[8192];
  snprintf(whole, sizeof whole, "%s '%s'", command, path);
  FILE *f = popen(whole, "r");
  assert_non_null(f);
  assert_non_null(fgets(text, size, f));
  pclose(f);
  text[strcspn(text, " \n")] = 0;
}

static void check_file(const cJSON *o, const char *path) {
  char text[512];
  line_of(text, sizeof text, "sha256sum", path);
  assert_string_equal(infer_get(o, "sha256")->valuestring, text);
  line_of(text, sizeof text, "stat -L -c %s", path);
  assert_true(infer_get(o, "bytes")->valuedouble == atof(text));
}

/* What the file says of files is what coreutils say, and the settings are the model's. */
static void facts(void **state) {
  (void)state;
  prepare("facts");
  cJSON *root = infer_json(result);
  const cJSON *r, *settings = infer_get(root, "settings"), *evidence = infer_get(root, "evidence"), *run = infer_get(root, "run");
  char text[512];
  int i = 0;
  assert_string_equal(infer_get(root, "format")->valuestring, "unmask-result/1");
  check_file(infer_get(root, "model"), model);
  assert_int_equal(strlen(infer_get(infer_get(root, "model"), "fingerprint")->valuestring), 64);
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    assert_int_equal(infer_get(r, "path")->valuestring[strlen(folder) + 1], 'a' + i++);
    check_file(r, infer_get(r, "path")->valuestring);
    assert_true(cJSON_IsFalse(infer_get(r, "skipped")));
  }
  assert_int_equal(i, PICTURES);
  assert_true(infer_get(settings, "rescale")->valuedouble == 1 / 255.);
  assert_string_equal(infer_get(settings, "detector")->valuestring, "haar");
  assert_true(cJSON_IsTrue(infer_get(settings, "faces_are_cut")) && cJSON_IsNull(infer_get(settings, "forced")));
  assert_int_equal(cJSON_GetArraySize(infer_get(evidence, "detector_files")), 0);
  char program[4096];
  snprintf(program, sizeof program, "%s/infer", getenv("UM_BIN") ? getenv("UM_BIN") : "bin");
  line_of(text, sizeof text, "sha256sum", program);
  assert_string_equal(infer_get(infer_get(evidence, "program"), "sha256")->valuestring, text);
  assert_int_equal(cJSON_GetArraySize(infer_get(run, "command")), 8);
  assert_string_equal(cJSON_GetArrayItem(infer_get(run, "command"), 3)->valuestring, "--faces-are-cut");
  cJSON_Delete(root);
}

/* Numbers read back to the same bits, whatever they are; cJSON's own printing loses some. */
static void exact_numbers(void **state) {
  enum { MANY = 20000 };
  int lost = 0;
  (void)state;
  for (int i = 0; i < MANY; i++) {
    uint32_t word[4];
    double x;
    const um_rng at = {.seed = 7, .stream = UM_STREAM_TEST, .sample = (uint32_t)i};
    for (uint32_t k = 0; k < 4; k++) word[k] = um_rng_bits(&at, k);
    const uint64_t bits = (uint64_t)word[0] << 32 | word[1];
    memcpy(&x, &bits, sizeof x);
    if (i % 2) x = word[2] / 4294967296. + word[3] / 18446744073709551616.; /* scores */
    if (!isfinite(x)) continue;
    cJSON *o = cJSON_CreateObject(), *back;
    cJSON_AddNumberToObject(o, "x", x);
    char *own = cJSON_PrintUnformatted(o), *text = um_json_print(o, false);
    assert_non_null(text);
    back = cJSON_Parse(text);
    assert_true(infer_get(back, "x")->valuedouble == x && strlen(text) <= 6 + 24);
    cJSON_Delete(back);
    back = cJSON_Parse(own);
    lost += infer_get(back, "x")->valuedouble != x;
    cJSON_Delete(back), cJSON_Delete(o), cJSON_free(own), cJSON_free(text);
  }
  assert_true(lost > 100);
  cJSON *o = cJSON_CreateObject();
  cJSON_AddNumberToObject(o, "none", NAN), cJSON_AddNumberToObject(o, "tenth", .1), cJSON_AddNumberToObject(o, "two", 2);
  char *text = um_json_print(o, false);
  assert_string_equal(text, "{\"none\":null,\"tenth\":0.1,\"two\":2}");
  cJSON_free(text), cJSON_Delete(o);
}

static void expect_outcome(const char *key, int n) {
  cJSON *root = infer_json(out);
  if (infer_get(infer_get(root, "counts"), key)->valueint != n) fail_msg("%s: not %d", key, n);
  cJSON_Delete(root);
}

/* Threads and jobs change nothing, nor does it matter which inputs are looked at together. */
static void it_holds(void **state) {
  char arguments[12288];
  (void)state;
  prepare("holds");
  assert_int_equal(verified(""), 0);
  assert_true(said("holds: 4 of 4 inputs, bit for bit") && !said("Not as it was then"));
  snprintf(arguments, sizeof arguments, "--threads 3 --jobs 4 --json %s", out);
  assert_int_equal(verified(arguments), 0);
  assert_true(said("holds: 4 of 4 inputs, bit for bit") && said("Not as it was then") && said("threads"));
  expect_outcome("same", 4);
  snprintf(arguments, sizeof arguments, "%s/b.png", folder);
  assert_int_equal(verified(arguments), 0);
  assert_true(said("holds: 1 of 1 input, bit for bit (of 4 results)"));
}

/* A network with everything that may add up in another order: convolutions, a wide sum, random weights. For faces of 64 x 64, and
 * calibrated. */
static void deep_model(const char *path) {
  um_graph g = {0};
  um_backend *be;
  um_model *m;
  um_error err;
  um_preprocess p = {.target_size = {64, 64}, .rescale = 1 / 255., .classes = {"fake", "real"}, .interpolation = UM_BILINEAR};
  p.calibration = (um_calibration){.method = UM_CALIBRATION_PLATT,
                                   .slope = 1 / 3.,
                                   .offset = .1,
                                   .band = true,
                                   .fake_above = .7,
                                   .real_below = .1,
                                   .real = 40,
                                   .fake = 40};
  um_face_settings_recipe(&p.faces);
  int at = um_graph_add_tiny(&g, 64, 64, &err);
  at = um_graph_add_simple(&g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_dense(&g, "dense", at, 256, UM_ACT_RELU, &err);
  at = um_graph_add_dense(&g, "dense_1", at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_simple(&g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, &err);
  assert_true(at > 0);
  assert_int_equal(um_ref_open(&be, &err), UM_OK);
  assert_int_equal(um_model_create(&m, &g, be, &(um_model_options){.batch = 1}, &err), UM_OK);
  assert_int_equal(um_model_init(m, 3, &err), UM_OK);
  assert_int_equal(um_checkpoint_save(path, m, &p, NULL, &err), UM_OK);
  um_model_free(m);
  be->ops->close(be);
  um_graph_free(&g);
}

/* A face's score does not depend on which others share its batch, nor on how full it is, nor on threads. */
static void company(void **state) {
  enum { FACES = 21 }; /* a batch and a part of one */
  char name[64], arguments[12800];
  um_image im = {0};
  um_error err;
  (void)state;
  prepare("company");
  deep_model(model);
  assert_int_equal(um_image_alloc(&im, 64, 64, &err), UM_OK);
  for (int i = 0; i < FACES; i++) {
    const um_rng at = {.seed = 11, .stream = UM_STREAM_TEST, .sample = (uint32_t)i};
    for (uint32_t k = 0; k < 64 * 64 * 3; k++) im.pixels[k] = (uint8_t)um_rng_below(&at, k, 256);
    snprintf(name, sizeof name, "company.noise/%02d.png", i);
    assert_int_equal(um_image_write_png(&im, tmp_path(name), &err), UM_OK);
  }
  um_image_free(&im);
  snprintf(folder, sizeof folder, "%s", tmp_path("company.noise"));
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --json %s --threads 1 %s", model, result, folder), 0);
  assert_int_equal(verified("--threads 3 --jobs 5"), 0);
  assert_true(said("holds: 21 of 21 inputs, bit for bit"));
  assert_int_equal(verified("--threads 2 --jobs 1"), 0);
  assert_true(said("holds: 21 of 21 inputs, bit for bit"));
  snprintf(arguments, sizeof arguments, "%s/20.png %s/03.png %s/17.png --threads 2", folder, folder, folder);
  assert_int_equal(verified(arguments), 0);
  assert_true(said("holds: 3 of 3 inputs, bit for bit (of 21 results)"));
  for (int i = 0; i < FACES; i += 20) {
    snprintf(arguments, sizeof arguments, "%s/%02d.png", folder, i);
    assert_int_equal(verified(arguments), 0);
    assert_true(said("holds: 1 of 1 input, bit for bit"));
  }
  /* Scores that differ, or the test says nothing. */
  cJSON *root = infer_json(result);
  const cJSON *first = infer_get(root, "results")->child;
  assert_true(infer_get(first, "score")->valuedouble != infer_get(first->next, "score")->valuedouble);
  assert_true(infer_get(first, "score")->valuedouble != infer_get(first, "raw_score")->valuedouble);
  assert_string_equal(infer_get(first, "verdict")->valuestring, "uncertain");
  cJSON *raw = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "results")->child, "raw_score");
  cJSON_SetNumberValue(raw, nextafter(raw->valuedouble, 1));
  char *text = um_json_print(root, false);
  tmp_write(result, text, strlen(text));
  cJSON_free(text);
  assert_int_equal(verified("--threads 1"), 1); /* as it was: nothing explains it */
  assert_true(said("does not hold: 20 of 21 inputs, 1 differs"));
  assert_int_equal(verified(tmp_path("company")), 1);
  assert_true(said("not checked: none of the 21 results is about what was given"));
  cJSON_Delete(root);
}

/* The same of real clips, walked, cut and scored. */
static void real_clips(void **state) {
  const char *shared = getenv("UM_SHARED");
  char clips[4096], path[2][4200], arguments[12800];
  (void)state;
  snprintf(clips, sizeof clips, "%s/clips", shared ? shared : "../shared/data");
  if (!um_is_folder(clips)) {
    printf("skipped: verdicts on real clips done again, %s is not there\n", clips);
    skip();
  }
  prepare("clips");
  deep_model(model);
  snprintf(path[0], sizeof path[0], "%s/fake/uadfv_0017_fake.mp4", clips);
  snprintf(path[1], sizeof path[1], "%s/real/ffpp_youtube_004.mp4", clips);
  assert_int_equal(
      infer_run("--model %s --quiet --force --faces all --fps 0.5 --max-size 480 --jobs 1 --threads 1 --json %s %s %s 2>/dev/null", model,
                result, path[0], path[1]),
      0);
  assert_int_equal(verified("--jobs 2 --threads 2"), 0);
  assert_true(said("holds: 2 of 2 inputs, bit for bit"));
  snprintf(arguments, sizeof arguments, "%s --threads 3", path[1]);
  assert_int_equal(verified(arguments), 0);
  assert_true(said("holds: 1 of 1 input, bit for bit"));
}

/* A whole video, with settings against the model's: they are repeated. */
static void draw(uint8_t *grey, int width, int height, int i, void *arg) {
  (void)i, (void)arg;
  scene_draw(grey, width, height, scene_faces, 2);
}

static void video(void **state) {
  (void)state;
  prepare("video");
  char path[4096];
  snprintf(path, sizeof path, "%s", tmp_path("video.mp4"));
  clip_write(&(clip){.path = path, .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = 6, .rate = 2, .draw = draw});
  assert_int_equal(
      infer_run("--model %s --quiet --force --faces all --max-size 0 --jobs 1 --json %s %s %s 2>/dev/null", model, result, path, folder),
      0);
  cJSON *root = infer_json(result);
  const cJSON *r = infer_get(root, "results")->child, *file;
  assert_string_equal(infer_get(infer_get(root, "settings"), "forced")->valuestring,
                      "--faces all (the model's: largest), --max-size 0 (the model's: 1000)");
  assert_int_equal(infer_get(r, "faces")->valueint, 12);
  check_file(r, path);
  assert_int_equal(cJSON_GetArraySize(infer_get(infer_get(root, "evidence"), "detector_files")), 2);
  cJSON_ArrayForEach(file, infer_get(infer_get(root, "evidence"), "detector_files")) check_file(file, infer_get(file, "file")->valuestring);
  cJSON_Delete(root);
  assert_int_equal(verified("--threads 2 --jobs 3"), 0);
  assert_true(said("holds: 5 of 5 inputs, bit for bit")); /* the pictures hold no face, and hold none again */
}

static void flip_byte(const char *path) {
  FILE *f = fopen(path, "r+b");
  assert_non_null(f);
  assert_int_equal(fseek(f, -1, SEEK_END), 0);
  const int c = fgetc(f);
  assert_int_equal(fseek(f, -1, SEEK_END), 0);
  fputc(c ^ 1, f);
  assert_int_equal(fclose(f), 0);
}

static void other_files(void **state) {
  char path[2][5000], arguments[12288];
  (void)state;
  prepare("files");
  snprintf(path[0], sizeof path[0], "%s/b.png", folder);
  flip_byte(path[0]); /* of the last chunk's checksum, which no decoder looks at: the pixels are the same, the file is not */
  snprintf(arguments, sizeof arguments, "--json %s", out);
  assert_int_equal(verified(arguments), 1);
  assert_true(said("does not hold: 3 of 4 inputs, 1 changed") && said("another file now"));
  expect_outcome("changed", 1);
  assert_int_equal(verified(path[0]), 1); /* by name it is the one of the record */
  assert_true(said("does not hold: 0 of 1 input, 1 changed"));
  assert_int_equal(unlink(path[0]), 0);
  assert_int_equal(verified(""), 1);
  assert_true(said("1 missing") && said("--root DIR"));
  assert_int_equal(verified(path[0]), 1);
  assert_true(said("there is no such file") && said("not checked"));
  /* Moved, under other names: found by what is in them. */
  infer_colour(path[0], colours[1], 20 + 13, 50);
  snprintf(path[1], sizeof path[1], "%s", tmp_path("elsewhere/deep/x.png"));
  assert_int_equal(rename(path[0], path[1]), 0);
  snprintf(arguments, sizeof arguments, "--root %s --json %s", tmp_path("elsewhere"), out);
  tmp_write(tmp_path("elsewhere/b.png"), "another one", 11);
  assert_int_equal(verified(arguments), 0);
  assert_true(said("holds: 4 of 4 inputs, bit for bit"));
  cJSON *root = infer_json(out);
  assert_string_equal(infer_get(cJSON_GetArrayItem(infer_get(root, "inputs"), 1), "found")->valuestring, path[1]);
  cJSON_Delete(root);
  assert_int_equal(verified(path[1]), 0);
  assert_int_equal(verified(tmp_path("elsewhere")), 0);
  snprintf(arguments, sizeof arguments, "%s %s", path[1], model);
  assert_int_equal(verified(arguments), 1); /* a file that the record does not have */
  assert_true(said("does not hold: 1 of 1 input, 1 not among the results"));
  assert_int_equal(verified("--root /nowhere/at/all"), 1);
}

/* What could not be read could not be read; a file that came to be is news. */
static void skipped(void **state) {
  char bad[5000], none[5000];
  (void)state;
  prepare("skipped");
  snprintf(bad, sizeof bad, "%s/e.png", folder);
  snprintf(none, sizeof none, "%s/none.png", folder);
  tmp_write(bad, "not a picture", 13);
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --json %s %s %s 2>/dev/null", model, result, folder, none), 3);
  cJSON *root = infer_json(result);
  check_file(cJSON_GetArrayItem(infer_get(root, "results"), 4), bad);
  assert_true(cJSON_IsTrue(infer_get(cJSON_GetArrayItem(infer_get(root, "results"), 4), "skipped")));
  assert_true(cJSON_IsNull(infer_get(cJSON_GetArrayItem(infer_get(root, "results"), 5), "sha256")));
  cJSON_Delete(root);
  assert_int_equal(verified(""), 0);
  assert_true(said("holds: 6 of 6 inputs, bit for bit"));
  tmp_write(none, "something", 9);
  assert_int_equal(verified(""), 1);
  assert_true(said("1 unhashed") && said("no hash of it was recorded"));
}

static void other_model(void **state) {
  char other[4096], arguments[12288];
  (void)state;
  prepare("models");
  snprintf(other, sizeof other, "%s", tmp_path("models.other.safetensors"));
  snprintf(arguments, sizeof arguments, "--model %s", other);
  assert_int_equal(verified(arguments), 1);
  assert_true(said("the model is not there"));
  infer_model(other, "real", "fake"); /* right where the first is wrong */
  assert_int_equal(verified(arguments), 1);
  assert_true(said("not the file that") && said("--force") && !said("hold:"));
  snprintf(arguments, sizeof arguments, "--model %s --force --json %s", other, out);
  assert_int_equal(verified(arguments), 1);
  assert_true(said("does not hold: 0 of 4 inputs, 4 differs") && said("  model"));
  expect_outcome("differs", 4);
  assert_int_equal(rename(model, other), 0); /* the right one, elsewhere */
  assert_int_equal(verified(""), 1);
  assert_true(said("the model is not there"));
  snprintf(arguments, sizeof arguments, "--model %s", other);
  assert_int_equal(verified(arguments), 0);
}

/* ---- results that were edited ---- */

/* A copy with another value in place of a member is verified. */
static int edited(const char *way, const char *value) {
  char copy[5000];
  snprintf(copy, sizeof copy, "%s.edited", result);
  infer_edit(result, copy, way, value);
  return infer_run("--verify %s --json %s >%s.txt 2>&1", copy, out, log_name);
}

static void edits(void **state) {
  static const struct {
    const char *way, *value, *says;
  } edit[] = {
      /* Results that are not what comes out. */
      {"results/0/score", "0.5000001", "1 differs"},
      {"results/0/detail/0/score", "0.25", "1 of 1 faces differ"},
      {"results/0/detail/0/box/0", "1", "1 of 1 faces differ"},
      {"results/0/detail/0/shown_s", "1", "1 of 1 faces differ"},
      {"results/0/frames", "2", "frames: 1 now, 2 then"},
      {"results/0/verdict", "\"uncertain\"", "1 differs"},
      {"results/1/sha256", "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", "1 changed"},
      {"results/1/path", "\"../../../etc/passwd\"", "1 changed"},
      {"results/1/path", "\"/dev/zero\"", "1 missing"},
      {"results/1/path", "\"no\\u001b[2Jwhere\"", "no?[2Jwhere"},
      {"model/sha256", "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", "not the file that"},
      {"model/file", "\"/dev/zero\"", "the model is not there"},
      /* Settings that are not the model's. */
      {"settings/margin", "0.25", "--margin 0.25 (the model's: 0)"},
      {"settings/fps", "3", "--fps 3 (the model's: 2)"},
      {"settings/forced", "\"--fps 3 (the model's: 2)\"", "changed by hand"},
      {"settings/rescale", "0.5", "not those of its model"},
      {"settings/target_size/0", "64", "not those of its model"},
      {"settings/crop_size", "64", "not those of its model"},
      /* Values that are none. */
      {"format", "\"unmask-result/2\"", "format: expected"},
      {"format", "", "an older infer"},
      {"results", "{}", "expected what infer --json wrote"},
      {"results", "[]", "holds no result"},
      {"results/0/score", "1e999", "result 1"},
      {"results/0/score", "NaN", "expected what infer --json wrote"},
      {"results/0/score", "-0.5", "result 1"},
      {"results/0/score", "null", "result 1"},
      {"results/0/detail", "[]", "result 1"},
      {"results/2/frames", "-1", "result 3"},
      {"results/2/bytes", "1e300", "result 3"},
      {"results/2/sha256", "\"abc\"", "result 3"},
      {"results/2/skipped", "true", "result 3"},
      {"results/3/verdict", "\"perhaps\"", "result 4"},
      {"results/3/detail/0/box/3", "1e30", "result 4"},
      {"results/3/detail/0/shown_s", "\"soon\"", "result 4"},
      {"results/3/detail/0/shown_s", "1e300", "result 4"},
      {"results/3/detail/0/shown_s", "null", "result 4"},
      {"results/3/detail/0/track", "-7", "result 4"},
      {"settings/batch", "1000000000", "settings: batch"},
      {"settings/batch", "0", "settings: batch"},
      {"settings/fps", "1e999", "settings:"},
      {"settings/fps", "-2", "settings:"},
      {"settings/max_size", "16777216", "settings: max_size"},
      {"settings/margin", "1000", "settings: margin"},
      {"settings/precision", "\"fp8\"", "settings: precision"},
      {"settings/detector", "\"abacus\"", "settings: detector"},
      {"settings/faces_are_cut", "", "settings: faces_are_cut"},
      {"evidence/device/backend", "\"abacus\"", "evidence or run"},
      {"run/threads", "1e12", "evidence or run"},
      {"model/sha256", "7", "model: expected"},
  };
  (void)state;
  prepare("edits");
  for (size_t i = 0; i < sizeof edit / sizeof *edit; i++) {
    const int rc = edited(edit[i].way, edit[i].value);
    if (rc != 1 || !said(edit[i].says)) fail_msg("%s = %s: %d, not \"%s\"", edit[i].way, edit[i].value, rc, edit[i].says);
    assert_false(said("\033"));
  }
  /* An older file, without it. */
  assert_int_equal(edited("results/0/detail/0/shown_s", ""), 0);
  assert_true(said("bit for bit"));
  /* Cut off. */
  char *text, cut[5000];
  size_t size;
  um_error err;
  assert_int_equal(um_file_read(&text, &size, result, 1 << 20, &err), UM_OK);
  snprintf(cut, sizeof cut, "%s.cut", result);
  for (size_t part = 0; part < 8; part++) {
    tmp_write(cut, text, size * part / 8);
    assert_int_equal(infer_run("--verify %s >%s.txt 2>&1", cut, log_name), 1);
    assert_true(said("expected what infer --json wrote"));
  }
  free(text);
  /* Nothing explains it, not how many are read at a time. */
  char jobs[12288];
  cJSON *copy = infer_json(result);
  cJSON *last_bit = cJSON_GetObjectItem(cJSON_GetObjectItem(copy, "results")->child, "score");
  cJSON_SetNumberValue(last_bit, nextafter(last_bit->valuedouble, 1));
  char *changed = um_json_print(copy, false);
  snprintf(jobs, sizeof jobs, "%s.jobs", result);
  tmp_write(jobs, changed, strlen(changed));
  cJSON_free(changed), cJSON_Delete(copy);
  assert_int_equal(infer_run("--verify %s --jobs 7 >%s.txt 2>&1", jobs, log_name), 1);
  assert_true(said("1 differs") && said("jobs"));
  /* Another version explains a score that differs a little, and is named; it explains no other verdict and no great difference. */
  cJSON *root = infer_json(result);
  const double score = infer_get(infer_get(root, "results")->child, "score")->valuedouble;
  char value[64];
  cJSON_ReplaceItemInObjectCaseSensitive(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "evidence"), "libraries"), "oneDNN",
                                         cJSON_CreateString("0.9"));
  text = um_json_print(root, false);
  tmp_write(result, text, strlen(text));
  cJSON_free(text), cJSON_Delete(root);
  assert_int_equal(verified(""), 0);
  assert_true(said("libraries.oneDNN") && said("bit for bit"));
  snprintf(value, sizeof value, "%.17g", nextafter(score, 1));
  assert_int_equal(edited("results/0/score", value), 0);
  assert_true(said("holds: 4 of 4 inputs, 3 bit for bit, 1 within") && said("libraries.oneDNN"));
  expect_outcome("close", 1);
  snprintf(value, sizeof value, "%.17g", score < .5 ? score + .02 : score - .02);
  assert_int_equal(edited("results/0/score", value), 1);
  assert_int_equal(edited("results/0/verdict", score > .5 ? "\"real\"" : "\"fake\""), 1);
}

/* A file that changes while it is read has no verdict. */
static void changing(void **state) {
  char path[4096], command[40960];
  const char *bin = getenv("UM_BIN");
  (void)state;
  prepare("changing");
  snprintf(path, sizeof path, "%s", tmp_path("changing.mp4"));
  clip_write(&(clip){.path = path, .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = 6, .rate = 2, .draw = draw});
  snprintf(command, sizeof command,
           "touch %s.on; while [ -e %s.on ]; do touch %s; done & sleep 0.1; "
           "%s/infer --model %s --quiet --json %s %s 2>%s.txt; code=$?; rm %s.on; wait; exit $code",
           path, path, path, bin ? bin : "bin", model, result, path, log_name, path);
  const int status = system(command);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 3);
  assert_true(said("changed while it was read"));
  cJSON *root = infer_json(result);
  const cJSON *r = infer_get(root, "results")->child;
  assert_true(cJSON_IsTrue(infer_get(r, "skipped")) && cJSON_IsNull(infer_get(r, "score")) && cJSON_IsNull(infer_get(r, "sha256")));
  assert_int_equal(cJSON_GetArraySize(infer_get(r, "detail")), 0);
  cJSON_Delete(root);
}

static void wrong_usage(void **state) {
  (void)state;
  prepare("usage");
  assert_int_equal(verified("--fps 2"), 2);
  assert_int_equal(verified("--labels folders"), 2);
  assert_int_equal(verified("--faces-are-cut"), 2);
  assert_int_equal(verified("--aggregate mean"), 2);
  assert_int_equal(verified("--precision bf16"), 2);
  assert_int_equal(verified("--device abacus"), 2);
  assert_int_equal(infer_run("--verify %s --root %s %s >/dev/null 2>&1", result, folder, folder), 2);
  assert_int_equal(infer_run("--model %s --root %s %s >/dev/null 2>&1", model, folder, folder), 2);
  assert_int_equal(infer_run("--verify %s >/dev/null 2>&1", tmp_path("no.json")), 1);
  assert_int_equal(infer_run("--verify %s >/dev/null 2>&1", model), 1);
  assert_int_equal(verified("--quiet --json -"), 0);
  assert_true(said("\"bit_for_bit\":\ttrue"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(facts),       cmocka_unit_test(exact_numbers), cmocka_unit_test(it_holds),
                                     cmocka_unit_test(company),     cmocka_unit_test(real_clips),    cmocka_unit_test(video),
                                     cmocka_unit_test(other_files), cmocka_unit_test(skipped),       cmocka_unit_test(other_model),
                                     cmocka_unit_test(edits),       cmocka_unit_test(changing),      cmocka_unit_test(wrong_usage)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
