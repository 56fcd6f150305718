/* infer --annotate on drawn clips in grey: whatever has a colour in the copy was drawn by it. Where that must be is worked out here once more
 * from the faces that --json lists; times, sizes and sound are compared with the source's. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "data/video.h"
#include "tests/support/clip.h"
#include "tests/support/infer_run.h"
#include "tests/support/packets.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

enum { WIDTH = 800, HEIGHT = 600, RATE = 30, LINE = 3 };
static const double fps = 4;

/* P(fake) grows with brightness; faces of all people, four times a second, in frames of at most 400 pixels. */
static void write_model(const char *path, float weight, float bias) {
  um_graph g = {0};
  um_backend *be;
  um_model *m;
  um_error err;
  um_preprocess p = {.target_size = {32, 32}, .rescale = 1 / 255., .faces.detector = "haar", .faces.fps = fps, .faces.max_size = 400};
  const float values[3] = {weight / 3, weight / 3, weight / 3};
  p.faces.choice = UM_FACES_ALL;
  snprintf(p.classes[0], sizeof p.classes[0], "real");
  snprintf(p.classes[1], sizeof p.classes[1], "fake");
  int at = um_graph_add_input(&g, "input", 32, 32, 3, &err);
  at = um_graph_add_simple(&g, "mean", UM_OP_GLOBAL_AVG_POOL, &at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_dense(&g, "dense", at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_simple(&g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, &err);
  assert_true(at > 0);
  assert_int_equal(um_ref_open(&be, &err), UM_OK);
  assert_int_equal(um_model_create(&m, &g, be, &(um_model_options){.batch = 1}, &err), UM_OK);
  assert_int_equal(um_model_set(m, 'w', 0, values, &err), UM_OK);
  assert_int_equal(um_model_set(m, 'w', 1, &bias, &err), UM_OK);
  assert_int_equal(um_checkpoint_save(path, m, &p, NULL, &err), UM_OK);
  um_model_free(m);
  be->ops->close(be);
  um_graph_free(&g);
}

/* Somebody who moves to the right and down, and somebody farther away who stays; all of it grows brighter. */
typedef struct story {
  int move;    /* pixels of the middle size in 30 pictures */
  int leaves;  /* from this picture on nobody is there, and the picture is another: a cut; 0: never */
  bool nobody; /* at all */
  int frames;
} story;

static void draw_story(uint8_t *grey, int width, int height, int i, void *arg) {
  const story *s = arg;
  const int scale = width > height ? width / 400 : height / 400;
  scene_face face[2] = {{(110 + s->move * i / 30) * scale, (130 + s->move * i / 60) * scale, 70 * scale},
                        {330 * scale, 90 * scale, 40 * scale}};
  const bool gone = s->nobody || (s->leaves && i >= s->leaves);
  scene_draw(grey, width, height, face, gone ? 0 : 2);
  for (int k = 0; k < width * height; k++)
    grey[k] = gone && s->leaves ? (uint8_t)(k % width < width / 2 ? 250 : 5) : (uint8_t)(grey[k] * (60 + 40 * i / s->frames) / 100);
}

/* One face of --json: when the video shows it, where in the copy. */
typedef struct seen {
  double time_s, box[4], score;
  int track;
} seen;

/* The picture that was looked at for a time of the sampling: FFmpeg's filter fps takes the last one whose time, rounded to its ticks, is not later. */
static double shown(double time_s, const packets *source) {
  double at = 0;
  for (int i = 0; i < source->count; i++)
    if (floor(source->at[i].time_s * fps + .5) <= floor(time_s * fps + .5)) at = source->at[i].time_s;
  return at;
}

static int read_faces(seen *out, const cJSON *result, const packets *source, double scale) {
  const cJSON *d;
  int n = 0;
  cJSON_ArrayForEach(d, infer_get(result, "detail")) {
    assert_true(n < 256);
    seen *s = &out[n++];
    s->time_s = shown(infer_get(d, "time_s")->valuedouble, source), s->score = infer_get(d, "score")->valuedouble;
    s->track = (int)infer_get(d, "track")->valuedouble;
    for (int k = 0; k < 4; k++) s->box[k] = scale * cJSON_GetArrayItem(infer_get(d, "box"), k)->valuedouble;
  }
  return n;
}

/* Between two pictures that were looked at: on the line between them. False before the first and after the last. */
static bool between(seen *out, const seen *all, int n, int track, double time_s) {
  const seen *a = NULL, *b = NULL;
  for (int i = 0; i < n; i++) {
    if (all[i].track != track) continue;
    if (all[i].time_s <= time_s + 1e-6) a = &all[i];
    if (all[i].time_s >= time_s - 1e-6 && !b) b = &all[i];
  }
  if (!a || !b) return false;
  const double t = b->time_s > a->time_s ? (time_s - a->time_s) / (b->time_s - a->time_s) : 0;
  *out = *a;
  for (int k = 0; k < 4; k++) out->box[k] += t * (b->box[k] - a->box[k]);
  out->score += t * (b->score - a->score);
  return true;
}

/* 'f', 'r' where a pixel is of the colour of fake or real, 0 where it has none. Chroma is that of 2 x 2 pixels. */
static char colour(const um_image *im, int x, int y) {
  if (x < 0 || y < 0 || x >= im->width || y >= im->height) return 0;
  const uint8_t *p = im->pixels + ((size_t)y * (size_t)im->width + (size_t)x) * 3;
  const int warm = p[0] - p[2];
  return warm > 40 ? 'f' : warm < -40 ? 'r' : 0;
}

/* Where a colour begins from x to the right: -1 nowhere within `far`. */
static int begins(const um_image *im, int x, int y, int far, char which) {
  for (int k = 0; k < far; k++)
    if (colour(im, x + k, y) == which) return x + k;
  return -1;
}

static void check_face(const um_image *im, const seen *s) {
  const char want = s->score > .5 ? 'f' : 'r';
  const int x = (int)lrint(s->box[0]), y = (int)lrint(s->box[1]), w = (int)lrint(s->box[2]), h = (int)lrint(s->box[3]);
  const int row = y + h / 2, column = x + w / 2;
  if (fabs(s->score - .5) < .01) return; /* the colour changes about here */
  const int left = begins(im, x - 12, row, 24, want);
  if (abs(left - x) > 2) fail_msg("left side at %d, expected %d (%g s)", left, x, s->time_s);
  const int right = begins(im, x + w - LINE - 10, row, 24, want);
  if (abs(right - (x + w - LINE)) > 2) fail_msg("right side at %d, expected %d", right, x + w - LINE);
  assert_int_equal(colour(im, column, y + 1), want);
  assert_int_equal(colour(im, column, y + h - 2), want);
  assert_int_equal(colour(im, column, row), 0); /* the face itself stays as it is */
  assert_int_equal(colour(im, x + w / 4, y + h / 3), 0);
  /* The line of words: 13 high, 5 around it, from the left side; the bar of 6 below it, 5 from the sides. */
  const int bar = y - 4 - 3, room = w - 10, end = x + 5 + (int)lrint(room * s->score), half = x + 5 + room / 2;
  assert_int_equal(colour(im, x + 2, bar - 20), want);
  for (int k = x + 8; k < x + 5 + room - 4; k++) {
    if (abs(k - end) < 4 || abs(k - half) < 5) continue; /* where it ends; the threshold's mark */
    if (colour(im, k, bar) != (k < end ? want : 0)) fail_msg("bar of %.3f at %d of %d", s->score, k - x - 5, room);
  }
}

/* Nothing has a colour but what lies in a box, in what is written above it (or below), or in the panel. */
static void check_rest(const um_image *im, const um_image *plain, const seen *face, int faces, int panel_width, int panel_height) {
  for (int y = 0; y < im->height; y += 3)
    for (int x = 0; x < im->width; x += 3) {
      bool drawn = x < panel_width && y < panel_height;
      for (int i = 0; i < faces; i++) {
        const double *b = face[i].box;
        drawn |= x > b[0] - 4 && x < fmax(b[0] + b[2], b[0] + 240) + 4 && y > b[1] - 50 && y < b[1] + b[3] + 4;
      }
      if (drawn) continue;
      const size_t at = ((size_t)y * (size_t)im->width + (size_t)x) * 3;
      for (int c = 0; c < 3; c++)
        if (abs(im->pixels[at + c] - plain->pixels[at + c]) > 30) fail_msg("(%d, %d) differs from the source", x, y);
    }
}

/* Runs infer; compares times, sizes, sound with the source; looks at every picture of the copy. Returns how many pictures show no box. */
static int check_copy(const char *model, const char *video, const char *out, double scale, bool rest) {
  const char *json = tmp_path("annotate/result.json");
  seen all[256];
  packets a, b, sound_a, sound_b;
  assert_int_equal(infer_run("--model %s --quiet --annotate %s --json %s %s", model, out, json, video), 0);
  packets_read(&a, video, 'v', 0), packets_read(&b, out, 'v', 0);
  packets_read(&sound_a, video, 'a', 0), packets_read(&sound_b, out, 'a', 0);
  assert_int_equal(b.count, a.count);
  for (int i = 0; i < a.count; i++) assert_true(fabs(a.at[i].time_s - b.at[i].time_s) < 1e-4);
  assert_true(a.length_s == 0 || fabs(a.length_s - b.length_s) < 1e-4);
  packets_same(&sound_a, &sound_b, 1e-4);

  cJSON *root = infer_json(json);
  const int n = read_faces(all, infer_get(root, "results")->child, &a, scale);
  um_video *copy, *source;
  um_frame f, g;
  um_image im = {0}, plain = {0};
  um_error err = {0};
  int bare = 0, seen_at = 0, first = 1000, last = -1;
  for (int i = 0; i < n; i++) first = all[i].track < first ? all[i].track : first, last = all[i].track > last ? all[i].track : last;
  assert_int_equal(um_video_open(&copy, out, &(um_video_options){0}, &err), UM_OK);
  assert_int_equal(um_video_open(&source, video, &(um_video_options){0}, &err), UM_OK);
  while (um_video_next(copy, &f, &err) > 0) {
    seen now[64];
    int there = 0;
    assert_int_equal(um_video_next(source, &g, &err), 1);
    assert_true(f.width == g.width && f.height == g.height);
    assert_int_equal(um_video_rgb(copy, &im, &err), UM_OK);
    assert_int_equal(um_video_rgb(source, &plain, &err), UM_OK);
    for (int track = first; track <= last; track++)
      if (between(&now[there], all, n, track, f.time_s)) check_face(&im, &now[there]), there++;
    bool box = false; /* below the panel */
    for (int y = 120; y < im.height && !box; y += 2)
      for (int x = 0; x < im.width && !box; x += 2) box = colour(&im, x, y) != 0;
    if (there && rest) check_rest(&im, &plain, now, there, 260, 110);
    assert_true(there == 0 || box);
    bare += !box;
    seen_at += there > 0;
  }
  assert_int_equal(um_video_next(source, &g, &err), 0);
  assert_true(seen_at > (n ? a.count / 3 : -1));
  um_video_close(copy), um_video_close(source);
  um_image_free(&im), um_image_free(&plain);
  cJSON_Delete(root);
  packets_free(&a), packets_free(&b), packets_free(&sound_a), packets_free(&sound_b);
  return bare;
}

/* Two people, one of whom moves; they become fake on the way as all grows brighter. */
static void boxes_and_bars(void **state) {
  const char *model = tmp_path("annotate/m.safetensors"), *video = tmp_path("annotate/people.mp4"),
             *out = tmp_path("annotate/people-out.mp4");
  story s = {.move = 25, .frames = 50};
  const clip c = {.path = video,
                  .width = WIDTH,
                  .height = HEIGHT,
                  .frames = 50,
                  .rate = RATE,
                  .sound = "aac",
                  .sound_ms = 2000,
                  .b_frames = 1,
                  .draw = draw_story,
                  .arg = &s};
  (void)state;
  write_model(model, 20, -9);
  clip_write(&c);
  assert_int_equal(check_copy(model, video, out, 2, true), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(boxes_and_bars)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
