/* infer --explain: pictures whose heat is known without it, which faces are shown, and the most suspicious seconds, counted here once more
 * from the scores of single faces. */
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
#include "data/heat.h"
#include "tests/support/clip.h"
#include "tests/support/infer_run.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

enum { SIDE = 32, SHOWN = 256, GAP = 8 };

static double number(const cJSON *o, const char *key) { return infer_get(o, key)->valuedouble; }

/* Grey, with a red square from (8, 8) to (16, 16). */
static const uint8_t red[3] = {220, 60, 60}, grey_colour[3] = {128, 128, 128};
static bool in_square(int x, int y) { return x >= 8 && x < 16 && y >= 8 && y < 16; }

static void write_face(const char *path) {
  um_image im = {0};
  um_error err;
  assert_int_equal(um_image_alloc(&im, SIDE, SIDE, &err), UM_OK);
  for (int i = 0; i < SIDE * SIDE; i++) memcpy(im.pixels + 3 * i, in_square(i % SIDE, i / SIDE) ? red : grey_colour, 3);
  assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
  um_image_free(&im);
}

static void same_colour(const um_image *im, int x, int y, const uint8_t want[3]) {
  for (int c = 0; c < 3; c++) assert_true(abs(im->pixels[(y * im->width + x) * 3 + c] - want[c]) <= 1);
}

/* The heat is in the square, or nowhere, by which class is fake and which way the logit goes. */
static void heat(void **state) {
  static const struct {
    const char *classes[2];
    float weight;
    bool hot;
  } of[] = {{{"fake", "real"}, -3, true}, {{"fake", "real"}, 3, false}, {{"real", "fake"}, 3, true}, {{"real", "fake"}, -3, false}};
  (void)state;
  for (int k = 0; k < 4; k++) {
    const char *model = tmp_path("heat.safetensors"), *face = tmp_path("set a/the face.v1.png"), *out = tmp_path("heat"),
               *json = tmp_path("heat.json");
    char path[1024];
    um_image im = {0};
    um_error err;
    uint8_t colour[3], want[3];
    infer_heat_model(model, of[k].classes[0], of[k].classes[1], of[k].weight, 0, false);
    write_face(face);
    assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --explain %s --json %s '%s'", model, out, json, face), 0);
    cJSON *root = infer_json(json);
    const cJSON *r = infer_get(root, "results")->child, *p = infer_get(r, "pictures")->child;
    assert_int_equal(cJSON_GetArraySize(infer_get(r, "pictures")), 1);
    assert_int_equal(cJSON_GetArraySize(infer_get(r, "seconds")), 0);
    assert_string_equal(infer_get(p, "file")->valuestring, "0001-the_face.v1-frame000000-face0.png");
    assert_true(number(p, "score") == number(r, "score"));
    assert_true((number(r, "score") > 0.5) == of[k].hot);
    snprintf(path, sizeof path, "%s/%s", out, infer_get(p, "file")->valuestring);
    assert_int_equal(um_image_read(&im, path, &err), UM_OK);
    const int scale = (im.width - GAP) / 2 / SIDE; /* places lie in the middle of their pixels */
    assert_int_equal(im.width, 2 * SHOWN + GAP);
    um_heat_colour(colour, 1);
    for (int c = 0; c < 3; c++) want[c] = (uint8_t)(0.4 * red[c] + 0.6 * colour[c] + 0.5);
    for (int y = 10; y < SIDE; y += 12)
      for (int x = 10; x < SIDE; x += 12) {
        const uint8_t *plain = in_square(x, y) ? red : grey_colour;
        const int px = x * scale + scale / 2, py = y * scale + scale / 2;
        same_colour(&im, px, py, plain);
        same_colour(&im, SHOWN + GAP + px, py, in_square(x, y) && of[k].hot ? want : plain);
      }
    um_image_free(&im);
    cJSON_Delete(root);
  }
}

/* Two people of unlike brightness from frame to frame, nobody for a second, and a patch that shows up once. */
static void draw_people(uint8_t *grey, int width, int height, int i, void *arg) {
  scene_face face[3];
  int n = 0;
  (void)arg;
  face[n++] = scene_faces[0];
  if (i % 5) face[n++] = scene_faces[1];
  if (i == 3) face[n++] = scene_faces[2];
  scene_draw(grey, width, height, face, i >= 12 && i < 17 ? 0 : n);
  for (int k = 0; k < width * height; k++) grey[k] = (uint8_t)(grey[k] * (100 - i * 7 % 12 * 2) / 100);
}

/* What the pictures are of, from the list of all faces: the highest scores, of equal ones the earlier. */
static void check_pictures(const cJSON *r, int wanted) {
  const cJSON *picture = infer_get(r, "pictures"), *detail = infer_get(r, "detail");
  const int n = cJSON_GetArraySize(detail);
  bool taken[256] = {false};
  assert_int_equal(cJSON_GetArraySize(picture), n < wanted ? n : wanted);
  for (int i = 0; i < cJSON_GetArraySize(picture); i++) {
    const cJSON *p = cJSON_GetArrayItem(picture, i);
    int best = -1;
    for (int k = 0; k < n; k++)
      if (!taken[k] && (best < 0 || number(cJSON_GetArrayItem(detail, k), "score") > number(cJSON_GetArrayItem(detail, best), "score")))
        best = k;
    taken[best] = true;
    const cJSON *d = cJSON_GetArrayItem(detail, best);
    assert_true(number(p, "score") == number(d, "score"));
    assert_true(number(p, "frame") == number(d, "frame") && number(p, "track") == number(d, "track"));
  }
}

/* The first span by trying every moment: the mean over moments within 2 seconds, of those that are at least half as full as any. */
static void check_seconds(const cJSON *r) {
  const cJSON *detail = infer_get(r, "detail"), *d, *s = infer_get(r, "seconds")->child;
  double time[256], score[256], best = -1, start = 0, end = 0;
  int n = 0, most = 0;
  cJSON_ArrayForEach(d, detail) {
    if (n && time[n - 1] == number(d, "shown_s"))
      score[n - 1] = fmax(score[n - 1], number(d, "score"));
    else
      time[n] = number(d, "shown_s"), score[n++] = number(d, "score");
  }
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < n; i++) {
      double sum = 0;
      int k = i;
      for (; k < n && time[k] < time[i] + 2; k++) sum += score[k];
      if (!pass) most = k - i > most ? k - i : most;
      if (pass && 2 * (k - i) >= most && sum / (k - i) > best + 1e-12) best = sum / (k - i), start = time[i], end = time[k - 1];
    }
  bool apart = false;
  cJSON_ArrayForEach(d, detail) apart |= fabs(number(d, "shown_s") - number(d, "time_s")) > .05;
  assert_true(apart && fabs(number(s, "score") - best) < 1e-9);
  assert_true(number(s, "start_s") == start && number(s, "end_s") == end);
  for (const cJSON *a = s; a; a = a->next)
    for (const cJSON *b = a->next; b; b = b->next) {
      assert_true(number(a, "score") >= number(b, "score"));
      assert_true(number(a, "end_s") < number(b, "start_s") || number(b, "end_s") < number(a, "start_s"));
    }
}

static void people(void **state) {
  const char *model = tmp_path("people.safetensors"), *video = tmp_path("people.mp4"), *out = tmp_path("people"),
             *json = tmp_path("people.json"), *plain = tmp_path("plain.json");
  int time[28];
  const clip c = {.path = video, .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = 28, .rate = 4, .time = time, .draw = draw_people};
  (void)state;
  for (int i = 0; i < 28; i++) time[i] = 150 * i + (i % 3 == 1 ? 40 : 0); /* pictures are not where the sampling is */
  infer_heat_model(model, "fake", "real", 9, -12, true);
  clip_write(&c);
  assert_int_equal(infer_run("--model %s --quiet --json %s %s", model, plain, video), 0);
  cJSON *without = infer_json(plain);
  assert_null(cJSON_GetObjectItem(infer_get(without, "results")->child, "pictures"));
  for (int wanted = 1; wanted <= 64; wanted *= 4) {
    assert_int_equal(infer_run("--model %s --quiet --explain %s --explain-faces %d --json %s %s", model, out, wanted, json, video), 0);
    cJSON *root = infer_json(json);
    const cJSON *r = infer_get(root, "results")->child, *p;
    assert_true(cJSON_GetArraySize(infer_get(r, "detail")) > 30);
    assert_int_equal(number(infer_get(r, "dropped"), "one_frame"), 1);
    assert_true(cJSON_Compare(infer_get(r, "detail"), infer_get(infer_get(without, "results")->child, "detail"),
                              true)); /* asking changes no score */
    check_pictures(r, wanted);
    check_seconds(r);
    cJSON_ArrayForEach(p, infer_get(r, "pictures")) {
      char path[1024];
      snprintf(path, sizeof path, "%s/%s", out, infer_get(p, "file")->valuestring);
      assert_int_equal(access(path, R_OK), 0);
    }
    cJSON_Delete(root);
  }
  cJSON_Delete(without);
}

/* A folder that cannot be made, a number that is none. */
static void refused(void **state) {
  const char *model = tmp_path("refused.safetensors"), *face = tmp_path("refused.png"), *file = tmp_path("refused.txt");
  (void)state;
  infer_heat_model(model, "fake", "real", -3, 0, false);
  write_face(face);
  tmp_write(file, "x", 1);
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --explain %s/below %s 2>/dev/null", model, file, face), 1);
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --explain %s --explain-faces 0 %s 2>/dev/null", model, file, face), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(heat), cmocka_unit_test(people), cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
