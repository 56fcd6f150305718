/* infer --ladder on models whose scores are known from the colour: which scores each rung has and what is made of them; that nothing else
 * changes; what is refused; what is left behind. What is done to pictures: tests/test_distort.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/metrics.h"
#include "data/reencode.h"
#include "tests/support/clip.h"
#include "tests/support/infer_run.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

/* Chosen so that light changes the order: what is clipped at 255 loses its colour. */
enum { COLOURS = 8 };
static const uint8_t colours[COLOURS][3] = {{250, 130, 10}, {90, 60, 200}, {30, 200, 100}, {200, 150, 250},
                                            {60, 70, 80},   {230, 90, 20}, {10, 90, 60},   {250, 130, 40}};

/* The first half is fake. Uses up tmp_path's memory. */
static const char *faces(void) {
  char name[64];
  for (int i = 0; i < COLOURS; i++) {
    snprintf(name, sizeof name, "plain/%s/f%d.png", i < COLOURS / 2 ? "fake" : "real", i);
    infer_colour(tmp_path(name), colours[i], 40, 32);
  }
  return tmp_path("plain");
}

/* P(fake) of a colour, brighter by so many percent, as Pillow makes it: class 0 of the model is fake. */
static double known(int i, double percent) {
  uint8_t rgb[3];
  for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)fminf(255, (float)colours[i][c] * (float)(1 + percent / 100));
  return 1 - infer_known(rgb);
}

static double number(const cJSON *o, const char *key) {
  const cJSON *v = infer_get(o, key);
  return cJSON_IsNull(v) ? NAN : v->valuedouble;
}

static const cJSON *rung_of(const cJSON *root, const char *kind, double strength) {
  const cJSON *r;
  cJSON_ArrayForEach(r, infer_get(infer_get(root, "ladder"), "rungs")) {
    if (!strcmp(infer_get(r, "kind")->valuestring, kind) && number(r, "strength") == strength) return r;
  }
  fail_msg("no rung %s %g", kind, strength);
  return NULL;
}

static void lines_fit(const char *path, const char *from) {
  char *text, name[4200];
  size_t size;
  um_error err;
  snprintf(name, sizeof name, "%s.txt", path);
  assert_int_equal(um_file_read(&text, &size, name, 1 << 20, &err), UM_OK);
  const char *line = strstr(text, from);
  assert_non_null(line);
  for (; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != 0)) assert_in_range(strcspn(line, "\n"), 0, 80);
  free(text);
}

/* Every number of a brightness rung from the colours; a rung that leaves plain pictures alone has the scores of the inputs as they are. */
static void known_rungs(void **state) {
  const char *folder = faces(), *model = tmp_path("known.safetensors"), *json = tmp_path("known.json"), *plain = tmp_path("plain.json"),
             *page = tmp_path("page");
  bool fake[COLOURS];
  double aucs[4];
  (void)state;
  infer_model(model, "fake", "real");
  assert_int_equal(
      infer_run("--model %s --faces-are-cut --labels folders --ladder=brightness,blur,downscale,crop --report %s --json %s %s >%s.txt "
                "2>&1",
                model, page, json, folder, json),
      0);
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels folders --json %s %s >/dev/null 2>&1", model, plain, folder), 0);
  cJSON *root = infer_json(json), *without = infer_json(plain);
  static const double strengths[4] = {-40, -20, 20, 40};
  for (int i = 0; i < COLOURS; i++) fake[i] = i < COLOURS / 2;
  for (int k = 0; k < 4; k++) {
    const cJSON *r = rung_of(root, "brightness", strengths[k]), *scores = infer_get(r, "scores"), *video = infer_get(r, "video");
    double score[COLOURS], shift = 0, of_fake = 0;
    int changed = 0;
    assert_int_equal(cJSON_GetArraySize(scores), COLOURS);
    for (int i = 0; i < COLOURS; i++) {
      score[i] = cJSON_GetArrayItem(scores, i)->valuedouble;
      assert_true(fabs(score[i] - known(i, strengths[k])) < 1e-5);
      shift += (score[i] - known(i, 0)) / COLOURS, changed += (score[i] > .5) != (known(i, 0) > .5);
      if (fake[i]) of_fake += (score[i] - known(i, 0)) * 2 / COLOURS;
    }
    assert_true(fabs(number(r, "shift") - shift) < 1e-5 && fabs(number(r, "shift_of_fake") - of_fake) < 1e-5);
    assert_true(fabs(number(r, "shift_of_real") - (2 * shift - of_fake)) < 2e-5);
    assert_true(number(r, "changed_verdicts") == changed && number(r, "compared") == COLOURS);
    assert_true(number(r, "scored") == COLOURS && number(r, "without_score") == 0);
    assert_true(fabs(number(video, "auc") - um_auc(score, fake, COLOURS)) < 1e-12);
    assert_true(fabs(number(infer_get(r, "frame"), "auc") - um_auc(score, fake, COLOURS)) < 1e-12);
    assert_true(fabs(number(video, "accuracy") - um_accuracy(score, fake, COLOURS, .5)) < 1e-12);
    const cJSON *pair = infer_get(video, "auc_interval");
    assert_true(cJSON_GetArrayItem(pair, 0)->valuedouble <= number(video, "auc") &&
                cJSON_GetArrayItem(pair, 1)->valuedouble >= number(video, "auc"));
    aucs[k] = number(video, "auc");
    for (int i = 0; i < COLOURS; i++) score[i] = known(i, 0);
    const cJSON *change = infer_get(r, "auc_change");
    assert_true(fabs(number(change, "value") - (aucs[k] - um_auc(score, fake, COLOURS))) < 1e-12);
    assert_true(number(change, "low") <= number(change, "value") && number(change, "value") <= number(change, "high"));
  }
  assert_true(aucs[0] != aucs[3]); /* else this says little */
  static const struct {
    const char *kind;
    double strength;
  } harmless[] = {{"blur", 4}, {"downscale", 25}, {"crop", 20}};
  for (int k = 0; k < 3; k++) {
    const cJSON *r = rung_of(root, harmless[k].kind, harmless[k].strength), *change = infer_get(r, "auc_change");
    assert_true(number(change, "value") == 0 && number(change, "low") == 0 && number(change, "high") == 0);
    for (int i = 0; i < COLOURS; i++) assert_true(fabs(cJSON_GetArrayItem(infer_get(r, "scores"), i)->valuedouble - known(i, 0)) < 1e-5);
  }
  assert_int_equal(cJSON_GetArraySize(infer_get(infer_get(root, "ladder"), "rungs")), 4 + 4 + 4 + 3);
  /* All else is as without the ladder, bit for bit; its first line has the numbers of the metrics. */
  for (int k = 0; k < 2; k++) {
    static const char *const part[] = {"results", "metrics"};
    char *a = cJSON_Print(infer_get(root, part[k])), *b = cJSON_Print(infer_get(without, part[k]));
    assert_string_equal(a, b);
    cJSON_free(a), cJSON_free(b);
  }
  const cJSON *as_they_are = infer_get(infer_get(root, "ladder"), "as_they_are");
  assert_true(number(infer_get(as_they_are, "video"), "auc") == number(infer_get(infer_get(root, "metrics"), "video"), "auc"));
  assert_true(number(infer_get(as_they_are, "frame"), "accuracy") == number(infer_get(infer_get(root, "metrics"), "frame"), "accuracy"));
  cJSON_Delete(root), cJSON_Delete(without);
  lines_fit(json, "as they are");
  /* The page has it, and the plot lies beside it. */
  char name[4200], *text;
  size_t size;
  um_error err;
  snprintf(name, sizeof name, "%s/index.html", page);
  assert_int_equal(um_file_read(&text, &size, name, 1 << 24, &err), UM_OK);
  assert_non_null(strstr(text, "id=\"ladder\""));
  assert_non_null(strstr(text, "brightness +40 %"));
  free(text);
  snprintf(name, sizeof name, "%s/ladder.svg", page);
  assert_int_equal(um_file_read(&text, &size, name, 1 << 24, &err), UM_OK);
  static const char *const panels[] = {">Downscaling<", ">Blur<", ">Brightness<", ">Crop<", ">as they are<"};
  for (size_t i = 0; i < sizeof panels / sizeof *panels; i++) assert_non_null(strstr(text, panels[i]));
  free(text);
  snprintf(name, sizeof name, "%s/ladder.png", page);
  assert_true(um_is_file(name));
  assert_true(infer_says(json, "ladder: 15 rungs") && infer_says(json, "\nbrightness -40 % ") && infer_says(json, "\nblur 4 px "));
}

/* The part of a result file that the ladder is, printed again. */
static char *ladder_of(const char *path) {
  cJSON *root = infer_json(path);
  char *text = cJSON_Print(infer_get(root, "ladder"));
  cJSON_Delete(root);
  assert_non_null(text);
  return text;
}

static void draw_scene(uint8_t *grey, int width, int height, int i, void *arg) {
  scene_face face[2] = {scene_faces[0], scene_faces[1]};
  (void)arg;
  face[0].x += 3 * i;
  scene_draw(grey, width, height, face, 2);
}

/* Two videos and a picture in which faces are found. */
static const char *footage(int frames) {
  const char *a = tmp_path("footage/fake/a.mp4"), *b = tmp_path("footage/real/b.mp4"), *still = tmp_path("footage/real/still.png");
  clip c = {.path = a, .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = frames, .rate = 10, .draw = draw_scene};
  uint8_t *grey = malloc(SCENE_WIDTH * SCENE_HEIGHT);
  um_image im = {0};
  um_error err;
  clip_write(&c);
  c.path = b;
  clip_write(&c);
  assert_non_null(grey);
  assert_int_equal(um_image_alloc(&im, SCENE_WIDTH, SCENE_HEIGHT, &err), UM_OK);
  scene_draw(grey, SCENE_WIDTH, SCENE_HEIGHT, scene_faces, 3);
  for (int i = 0; i < 3 * SCENE_WIDTH * SCENE_HEIGHT; i++) im.pixels[i] = grey[i / 3];
  assert_int_equal(um_image_write_png(&im, still, &err), UM_OK);
  free(grey), um_image_free(&im);
  return tmp_path("footage");
}

static bool no_x264(void) {
  um_error err;
  if (!um_reencode_check(&err)) return false;
  printf("skipped: %s\n", err.text);
  return true;
}

/* What is drawn and encoded depends on neither the threads nor the company. */
static void same_whatever_the_threads(void **state) {
  const char *folder = footage(6), *model = tmp_path("scene.safetensors"), *one = tmp_path("one.json"), *many = tmp_path("many.json"),
             *alone = tmp_path("alone.json");
  const char *kinds = no_x264() ? "noise,crop" : "h264,noise,crop";
  (void)state;
  infer_model(model, "fake", "real");
  assert_int_equal(
      infer_run("--model %s --force --max-size 0 --ladder=%s --labels folders --threads 1 --jobs 1 --json %s %s >/dev/null 2>&1", model,
                kinds, one, folder),
      0);
  assert_int_equal(infer_run("--model %s --force --max-size 0 --ladder %s --labels folders --threads 2 --jobs 3 --json %s %s "
                             ">/dev/null 2>&1",
                             model, kinds, many, folder),
                   0);
  char *a = ladder_of(one), *b = ladder_of(many);
  assert_string_equal(a, b);
  cJSON_free(a), cJSON_free(b);
  assert_int_equal(
      infer_run("--model %s --force --max-size 0 --ladder=noise --json %s %s/real/b.mp4 >/dev/null 2>&1", model, alone, folder), 0);
  cJSON *root = infer_json(one), *single = infer_json(alone);
  for (int strength = 5; strength <= 40; strength *= 2) {
    const cJSON *scores = infer_get(rung_of(root, "noise", strength), "scores");
    assert_int_equal(cJSON_GetArraySize(scores), 3);
    const double together = cJSON_GetArrayItem(scores, 1)->valuedouble;
    assert_true(cJSON_GetArrayItem(infer_get(rung_of(single, "noise", strength), "scores"), 0)->valuedouble == together);
    assert_true(together > 0 && cJSON_GetArrayItem(scores, 2)->valuedouble > 0);
    /* The same frames under another name have other noise. */
    assert_true(cJSON_GetArrayItem(scores, 0)->valuedouble != together);
  }
  cJSON_Delete(root), cJSON_Delete(single);
}

/* Where no face is left there is no score, that is counted, and there is no AUC; what had none from the start stays one. */
static void no_face_left(void **state) {
  const char *folder = footage(6), *model = tmp_path("scene.safetensors"), *json = tmp_path("faceless.json");
  const uint8_t grey[3] = {100, 100, 100};
  (void)state;
  infer_model(model, "fake", "real");
  infer_colour(tmp_path("footage/real/blank.png"), grey, 300, 200);
  tmp_write(tmp_path("footage/real/broken.png"), "\x89PNG\r\n\x1a\nno more", 15);
  /* The largest face is found as 166 pixels wide, and at half its size as 104 at most. */
  assert_int_equal(
      infer_run("--model %s --force --max-size 0 --min-face 120 --faces all --labels folders --ladder borders --json %s %s >%s.txt 2>&1",
                model, json, folder, json),
      3);
  cJSON *root = infer_json(json);
  const cJSON *plain = infer_get(infer_get(root, "ladder"), "as_they_are"), *half = rung_of(root, "borders", 50);
  assert_true(number(plain, "scored") == 3 && number(plain, "without_score") == 2);
  assert_true(number(half, "scored") == 0 && number(half, "without_score") == 5 && number(half, "compared") == 0);
  assert_true(cJSON_IsNull(infer_get(half, "shift")) && cJSON_IsNull(infer_get(infer_get(half, "video"), "auc")));
  const cJSON *v;
  cJSON_ArrayForEach(v, infer_get(half, "scores")) assert_true(cJSON_IsNull(v));
  cJSON_Delete(root);
  remove(tmp_path("footage/real/blank.png")), remove(tmp_path("footage/real/broken.png"));
}

static void without_labels(void **state) {
  const char *folder = faces(), *model = tmp_path("known.safetensors"), *json = tmp_path("nolabels.json");
  (void)state;
  infer_model(model, "fake", "real");
  assert_int_equal(infer_run("--model %s --faces-are-cut --ladder brightness --json %s %s >%s.txt 2>&1", model, json, folder, json), 0);
  cJSON *root = infer_json(json);
  const cJSON *r = rung_of(root, "brightness", 40);
  int changed = 0;
  for (int i = 0; i < COLOURS; i++) changed += (known(i, 40) > .5) != (known(i, 0) > .5);
  assert_true(changed > 0 && number(r, "changed_verdicts") == changed);
  assert_true(!cJSON_GetObjectItemCaseSensitive(r, "video") && !cJSON_GetObjectItemCaseSensitive(r, "shift_of_fake"));
  cJSON_Delete(root);
  assert_true(infer_says(json, "no AUC without --labels"));
  lines_fit(json, "as they are");
}

static void words(void **state) {
  static const char *const wrong[] = {"--ladder=fog",      "--ladder=",     "--ladder=blur,",      "--ladder=,blur",
                                      "--ladder blur,fog", "--ladder Blur", "--ladder h264,,jpeg", "--ladder missing.mp4"};
  const char *folder = faces(), *model = tmp_path("known.safetensors"), *log = tmp_path("words");
  (void)state;
  infer_model(model, "fake", "real");
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    if (infer_run("--model %s --faces-are-cut %s %s >/dev/null 2>%s.txt", model, wrong[i], folder, log) != 2) fail_msg("%s", wrong[i]);
    assert_true(infer_says(log, "--ladder: expected h264, jpeg, downscale, blur, noise, brightness, crop or borders"));
  }
  /* An input after it is no word, and a word may be given twice; after the inputs it is taken, too. */
  assert_int_equal(infer_run("--model %s --faces-are-cut %s --ladder borders,borders >%s.txt 2>&1", model, folder, log), 0);
  assert_true(infer_says(log, "\nborders 25 %") && infer_says(log, "ladder: 2 rungs"));
  if (no_x264()) return;
  assert_int_equal(infer_run("--model %s --faces-are-cut --ladder %s/fake/f0.png >%s.txt 2>&1", model, folder, log), 0);
  assert_true(infer_says(log, "\nh264 crf 40 ") && infer_says(log, "\nborders 50 %") && infer_says(log, "ladder: 29 rungs"));
}

static int entries(const char *folder) {
  int n = 0;
  DIR *d = opendir(folder);
  for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
  if (d) closedir(d);
  return d ? n : -1;
}

/* Stopped while it encodes: the file is gone. The same without being stopped. */
static void nothing_is_left_behind(void **state) {
  const char *model = tmp_path("scene.safetensors"), *folder = footage(50), *mark = tmp_path("stopped/x"), *bin = getenv("UM_BIN");
  char tmp[4096], program[4096];
  (void)state;
  if (no_x264()) return;
  infer_model(model, "fake", "real");
  snprintf(tmp, sizeof tmp, "%.*s", (int)(strlen(mark) - 2), mark);
  snprintf(program, sizeof program, "%s/infer", bin ? bin : "bin");
  const pid_t pid = fork();
  assert_true(pid >= 0);
  if (!pid) {
    setenv("TMPDIR", tmp, 1);
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(99);
    execl(program, "infer", "--model", model, "--force", "--max-size", "0", "--jobs", "2", "--ladder=h264", folder, (char *)NULL);
    _exit(98);
  }
  int status = 0, seen = 0;
  for (int i = 0; i < 3000 && !seen && !waitpid(pid, &status, WNOHANG); i++) usleep(10000), seen = entries(tmp) > 0;
  assert_true(seen);
  kill(pid, SIGINT);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 130);
  assert_int_equal(entries(tmp), 0);
  setenv("TMPDIR", tmp, 1);
  assert_int_equal(infer_run("--model %s --force --max-size 0 --ladder=h264 %s/real/still.png >/dev/null 2>&1", model, folder), 0);
  unsetenv("TMPDIR");
  assert_int_equal(entries(tmp), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_rungs),  cmocka_unit_test(same_whatever_the_threads),
      cmocka_unit_test(no_face_left), cmocka_unit_test(without_labels),
      cmocka_unit_test(words),        cmocka_unit_test(nothing_is_left_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
