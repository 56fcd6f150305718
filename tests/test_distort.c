/* What the ladder does to pictures and videos (data/distort.h, data/reencode.h): against Pillow and scipy (tests/golden/distort.py), against
 * what is known of noise and of x264, and that faces are looked for in what it leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "data/distort.h"
#include "data/reencode.h"
#include "data/video.h"
#include "faces/faces.h"
#include "tests/support/clip.h"
#include "tests/support/golden.h"
#include "tests/support/picture.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

enum { H = 19, W = 26 };

static um_distorter *distorter(void) {
  um_distorter *d;
  um_error err;
  if (um_distorter_open(&d, &err)) fail_msg("%s", err.text);
  return d;
}

static void distort(um_distorter *d, um_image *im, um_distortion_kind kind, double strength, uint32_t input, uint32_t frame) {
  um_error err = {0};
  if (um_distort(d, im, (um_distortion){kind, strength}, (um_distorted){input, frame}, &err)) fail_msg("%s", err.text);
}

static um_image picture(int width, int height) {
  um_image im = {0};
  um_error err;
  assert_int_equal(um_image_alloc(&im, width, height, &err), UM_OK);
  return im;
}

static int kind_named(const char *name) {
  for (int k = 0; um_distortion_name(k); k++)
    if (!strcmp(um_distortion_name(k), name)) return k;
  return -1;
}

/* To the byte, but for the blur: its sums in single precision may fall to the other side of a half. */
static void as_pillow_and_scipy(void **state) {
  um_st *golden;
  um_distorter *d = distorter();
  int done[UM_DISTORTIONS] = {0}, windows = 0;
  (void)state;
  assert_int_equal(golden_open(&golden, "tests/golden/distort.safetensors"), 0);
  for (int i = 0; i < um_st_count(golden); i++) {
    const um_st_entry *e = um_st_at(golden, i);
    char word[16];
    double strength;
    uint32_t input;
    assert_int_equal(sscanf(e->name, "%15[a-z]/%lf/%u", word, &strength, &input), 3);
    if (!strcmp(word, "window")) {
      const int32_t *expected = e->tensor.data;
      int x, y, w, h;
      um_distort_window(&x, &y, &w, &h, 640, 360, strength, input);
      if (x != expected[0] || y != expected[1] || w != expected[2] || h != expected[3]) fail_msg("%s: %d %d %d %d", e->name, x, y, w, h);
      windows++;
      continue;
    }
    const int kind = kind_named(word);
    const uint8_t *expected = e->tensor.data;
    um_image im = picture(W, H);
    test_picture(im.pixels, H, W);
    assert_true(kind >= 0);
    distort(d, &im, (um_distortion_kind)kind, strength, input, 3);
    assert_true(im.width == W && im.height == H);
    for (int k = 0; k < W * H * 3; k++)
      if (abs(im.pixels[k] - expected[k]) > (kind == UM_DISTORT_BLUR))
        fail_msg("%s: value %d is %d, expected %d", e->name, k, im.pixels[k], expected[k]);
    um_image_free(&im);
    done[kind]++;
  }
  for (int k = 0; k < UM_DISTORTIONS; k++)
    assert_int_equal(done[k], k == UM_DISTORT_CROP ? 4 : k == UM_DISTORT_H264 || k == UM_DISTORT_NOISE ? 0 : 2);
  assert_int_equal(windows, 9);
  um_st_close(golden);
  um_distorter_close(d);
}

/* One bright column becomes the normal distribution's density. */
static void blur_of_a_line(void **state) {
  um_distorter *d = distorter();
  um_image im = picture(41, 5);
  (void)state;
  memset(im.pixels, 0, 41 * 5 * 3);
  for (int y = 0; y < 5; y++) memset(im.pixels + 3 * (41 * y + 20), 255, 3);
  distort(d, &im, UM_DISTORT_BLUR, 3, 0, 0);
  for (int x = 0; x < 41; x++) {
    const double t = (x - 20) / 3., expected = 255 * exp(-t * t / 2) / (3 * sqrt(2 * acos(-1)));
    for (int y = 0; y < 5; y++) assert_true(fabs(im.pixels[3 * (41 * y + x)] - expected) < 0.7);
  }
  um_image_free(&im), um_distorter_close(d);
}

/* Its mean, its spread, that values next to each other have nothing to do with one another, and that it is the frame's own. */
static void noise(void **state) {
  enum { SIDE = 300, N = SIDE * SIDE * 3 };
  um_distorter *d = distorter();
  um_image im[4];
  (void)state;
  static const struct {
    double sigma;
    uint32_t input, frame;
  } cases[] = {{20, 7, 0}, {20, 7, 0}, {20, 7, 1}, {20, 8, 0}};
  for (int i = 0; i < 4; i++) {
    im[i] = picture(SIDE, SIDE);
    memset(im[i].pixels, 128, N);
    distort(d, &im[i], UM_DISTORT_NOISE, cases[i].sigma, cases[i].input, cases[i].frame);
  }
  assert_memory_equal(im[0].pixels, im[1].pixels, N);
  double sum = 0, squares = 0, beside = 0, other[2] = {0, 0};
  for (int i = 0; i < N; i++) {
    const double v = im[0].pixels[i] - 128;
    sum += v, squares += v * v;
    if (i) beside += v * (im[0].pixels[i - 1] - 128);
    for (int k = 0; k < 2; k++) other[k] += v * (im[2 + k].pixels[i] - 128);
  }
  /* Five standard deviations of each estimate; rounding adds 1/12 to the variance. */
  assert_true(fabs(sum / N) < 5 * 20 / sqrt(N));
  assert_true(fabs(squares / N - (400 + 1 / 12.)) < 5 * 400 * sqrt(2. / N));
  assert_true(fabs(beside / N) < 5 * 400 / sqrt(N));
  for (int k = 0; k < 2; k++) assert_true(fabs(other[k] / N) < 5 * 400 / sqrt(N));
  for (int i = 0; i < 4; i++) um_image_free(&im[i]);
  um_distorter_close(d);
}

/* A ramp keeps its values when it is made smaller and larger again, but near its ends; a plain picture keeps all of them whatever is done. */
static void ramps_and_plains(void **state) {
  static const um_distortion_kind harmless[] = {UM_DISTORT_DOWNSCALE, UM_DISTORT_BLUR, UM_DISTORT_CROP};
  um_distorter *d = distorter();
  um_image im = picture(240, 12);
  (void)state;
  for (int i = 0; i < 240 * 12 * 3; i++) im.pixels[i] = (uint8_t)(i / 3 % 240);
  distort(d, &im, UM_DISTORT_DOWNSCALE, 25, 0, 0);
  for (int x = 8; x < 232; x++) assert_true(abs(im.pixels[3 * (240 * 6 + x)] - x) <= 1);
  for (int x = 1; x < 240; x++) assert_true(im.pixels[3 * (240 * 6 + x)] >= im.pixels[3 * (240 * 6 + x - 1)]);
  for (size_t k = 0; k < sizeof harmless / sizeof *harmless; k++) {
    memset(im.pixels, 77, 240 * 12 * 3);
    distort(d, &im, harmless[k], harmless[k] == UM_DISTORT_BLUR ? 4 : 33, 9, 9);
    for (int i = 0; i < 240 * 12 * 3; i++) assert_int_equal(im.pixels[i], 77);
  }
  um_image_free(&im), um_distorter_close(d);
}

static double squared(const um_image *a, const um_image *b) {
  double sum = 0;
  const size_t n = (size_t)a->width * (size_t)a->height * 3;
  for (size_t i = 0; i < n; i++) sum += pow(a->pixels[i] - b->pixels[i], 2);
  return sum / (double)n;
}

/* Something to lose, and that moves. */
static void draw_photo(uint8_t *grey, int width, int height, int i, void *arg) {
  const um_image *photo = arg;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) grey[y * width + x] = photo->pixels[3 * (photo->width * (y + i) + x + 2 * i)];
}

static int64_t size_of(const char *path) {
  struct stat st;
  return stat(path, &st) ? -1 : (int64_t)st.st_size;
}

/* Frames of both files, side by side: their mean squared difference; the same number of them, at the same times. */
static double difference(const char *a, const char *b) {
  const um_video_options o = {0};
  um_video *v[2];
  um_frame f[2];
  um_image im[2] = {{0}, {0}};
  um_error err;
  double sum = 0;
  int n = 0, r;
  assert_int_equal(um_video_open(&v[0], a, &o, &err), UM_OK);
  assert_int_equal(um_video_open(&v[1], b, &o, &err), UM_OK);
  while ((r = um_video_next(v[0], &f[0], &err)) == 1) {
    assert_int_equal(um_video_next(v[1], &f[1], &err), 1);
    if (fabs(f[0].time_s - f[1].time_s) > 1e-4) fail_msg("frame %d: %g s, then %g s", n, f[0].time_s, f[1].time_s);
    for (int i = 0; i < 2; i++) assert_int_equal(um_video_rgb(v[i], &im[i], &err), UM_OK);
    sum += squared(&im[0], &im[1]), n++;
  }
  assert_int_equal(r, 0);
  assert_int_equal(um_video_next(v[1], &f[1], &err), 0);
  for (int i = 0; i < 2; i++) um_image_free(&im[i]), um_video_close(v[i]);
  return sum / n;
}

static bool no_x264(void) {
  um_error err;
  if (!um_reencode_check(&err)) return false;
  printf("skipped: %s\n", err.text);
  return true;
}

/* The worse the smaller; always the same bytes; times stay, uneven ones, too; nothing is left behind. */
static void h264_of_videos(void **state) {
  static const int times[24] = {0,   20,  40,  60,  80,  100, 150, 160, 180, 200, 220, 240,
                                260, 280, 300, 320, 400, 420, 440, 460, 480, 500, 520, 560};
  const char *tmp = tmp_path("encoded/x"), *source = tmp_path("encoded.mp4");
  char path[4096], again[4096], folder[4096];
  um_image photo = {0};
  um_error err = {0};
  double last = 0;
  int64_t size = INT64_MAX;
  (void)state;
  if (no_x264()) return;
  snprintf(folder, sizeof folder, "%.*s", (int)(strlen(tmp) - 2), tmp);
  setenv("TMPDIR", folder, 1);
  test_photo(&photo, 240, 200, 1);
  const clip c = {.path = source, .width = 160, .height = 120, .frames = 24, .rate = 30, .time = times, .draw = draw_photo, .arg = &photo};
  clip_write(&c);
  for (int crf = 20; crf <= 44; crf += 8) {
    if (um_reencode(path, source, crf, NULL, NULL, &err)) fail_msg("%s", err.text);
    assert_memory_equal(path, folder, strlen(folder));
    const double now = difference(source, path);
    assert_true(now > 1.3 * last && size_of(path) < size && size_of(path) > 0);
    last = now, size = size_of(path);
    if (crf == 28) {
      char first[65], second[65];
      mallopt(M_PERTURB, 170); /* what lies in new memory is another thing then */
      assert_int_equal(um_reencode(again, source, crf, NULL, NULL, &err), UM_OK);
      mallopt(M_PERTURB, 0);
      assert_int_equal(um_sha256_file(first, path, &err), UM_OK);
      assert_int_equal(um_sha256_file(second, again, &err), UM_OK);
      assert_string_equal(first, second);
      um_reencode_remove(again);
    }
    um_reencode_remove(path);
  }
  assert_int_equal(um_reencode(path, tmp_path("nothing.mp4"), 23, NULL, NULL, &err), UM_EIO);
  tmp_write(tmp_path("junk.mp4"), "no video", 8);
  assert_int_equal(um_reencode(path, tmp_path("junk.mp4"), 23, NULL, NULL, &err), UM_EFORMAT);
  assert_int_equal(rmdir(folder), 0); /* it is empty */
  assert_int_equal(um_reencode(path, source, 23, NULL, NULL, &err), UM_EIO);
  assert_non_null(strstr(err.text, "TMPDIR"));
  unsetenv("TMPDIR");
  um_image_free(&photo);
}

/* Odd sides, too: what makes them even in the file is taken off again. */
static void h264_of_pictures(void **state) {
  um_image photo = {0}, now = {0};
  um_error err = {0};
  double last = 0;
  (void)state;
  if (no_x264()) return;
  test_photo(&photo, 161, 121, 2);
  for (int crf = 20; crf <= 44; crf += 8) {
    assert_int_equal(um_image_alloc(&now, 161, 121, &err), UM_OK);
    memcpy(now.pixels, photo.pixels, 161 * 121 * 3);
    if (um_reencode_picture(&now, crf, &err)) fail_msg("%s", err.text);
    assert_true(now.width == 161 && now.height == 121);
    const double d = squared(&photo, &now);
    assert_true(d > 1.3 * last && d < 600); /* 20 dB */
    last = d;
  }
  um_image_free(&photo), um_image_free(&now);
}

/* ---- in the walk ---- */

typedef struct notes {
  int64_t number[16];
  int frames, faces, with_face;
} notes;

static int note(void *arg, const um_face_frame *frame, um_error *err) {
  notes *n = arg;
  (void)err;
  n->faces += frame->count, n->with_face += frame->count > 0;
  for (int i = 0; i < frame->count; i++) assert_non_null(frame->image);
  return UM_OK;
}

/* The file has no face: these are drawn into it. */
static int add_faces(void *arg, um_image *frame, int64_t number, um_error *err) {
  notes *n = arg;
  (void)err;
  assert_true(frame->width == SCENE_WIDTH && frame->height == SCENE_HEIGHT);
  n->number[n->frames++] = number;
  if (number % 2) return 1;
  uint8_t *grey = malloc(SCENE_WIDTH * SCENE_HEIGHT);
  assert_non_null(grey);
  scene_draw(grey, SCENE_WIDTH, SCENE_HEIGHT, scene_faces, 3);
  for (int i = 0; i < 3 * SCENE_WIDTH * SCENE_HEIGHT; i++) frame->pixels[i] = grey[i / 3];
  free(grey);
  return UM_OK;
}

static int fail_to_change(void *arg, um_image *frame, int64_t number, um_error *err) {
  (void)arg, (void)frame;
  return number == 2 ? um_fail(err, UM_ENUMERIC, "no more") : 1;
}

/* Whichever plane a detector looks at, it sees the changed frame; one that repeats another is changed as that one was. */
static void faces_are_looked_for_in_changed_frames(void **state) {
  static const int times[4] = {0, 300, 600,
                               1500}; /* 0, 0.5, 1, then 2.5 s: at two a second the third frame stands for 1.5 s and 2 s, too */
  const char *video = tmp_path("blank.mp4");
  const clip c = {.path = video, .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = 4, .rate = 2, .time = times};
  um_error err = {0};
  (void)state;
  clip_write(&c);
  for (int k = 0; um_detector_name(k); k++) {
    const bool mtcnn = !strcmp(um_detector_name(k), "mtcnn");
    if (mtcnn && strcmp(um_detector_best(), "mtcnn")) continue;
    um_face_options o = {.threads = 1, .change = add_faces};
    um_face_finder *f;
    um_face_settings_recipe(&o.settings);
    snprintf(o.settings.detector, sizeof o.settings.detector, "%s", um_detector_name(k));
    o.settings.fps = 2, o.settings.max_size = 0, o.settings.choice = UM_FACES_ALL;
    if (um_face_finder_open(&f, &o, &err)) fail_msg("%s", err.text);
    notes n = {0};
    if (um_faces_walk(f, video, note, &n, NULL, NULL, NULL, &err)) fail_msg("%s", err.text);
    um_face_finder_close(f);
    assert_in_range(n.frames, 6, 7);
    static const int64_t expected[7] = {0, 1, 2, 2, 2, 5, 5};
    for (int i = 0; i < n.frames; i++) assert_int_equal(n.number[i], expected[i]);
    assert_int_equal(n.with_face, 4); /* numbers 0 and 2, which counts three times */
    assert_true(n.faces >= 4);
    o.change = fail_to_change;
    if (um_face_finder_open(&f, &o, &err)) fail_msg("%s", err.text);
    assert_int_equal(um_faces_walk(f, video, note, &n, NULL, NULL, NULL, &err), UM_ENUMERIC);
    um_face_finder_close(f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_pillow_and_scipy),
      cmocka_unit_test(blur_of_a_line),
      cmocka_unit_test(noise),
      cmocka_unit_test(ramps_and_plains),
      cmocka_unit_test(h264_of_videos),
      cmocka_unit_test(h264_of_pictures),
      cmocka_unit_test(faces_are_looked_for_in_changed_frames),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
