/* um_video: which frames come out, the way round and the size they come in, grey planes, and files that are not what they should be. */
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
#include "data/video.h"
#include "tests/support/clip.h"
#include "tests/support/tmp.h"

static um_video *open_video(const char *path, double fps, int max_size) {
  um_video_options o = {.fps = fps, .max_size = max_size, .threads = 2};
  um_video *v;
  um_error err = {0};
  if (um_video_open(&v, path, &o, &err) < 0) fail_msg("%s", err.text);
  return v;
}

static int next(um_video *v, um_frame *f) {
  um_error err = {0};
  int r = um_video_next(v, f, &err);
  if (r < 0) fail_msg("%s", err.text);
  return r;
}

/* What the filter fps=N is defined to do: at tick n the last frame whose time, rounded to ticks, is not after n; the first tick is
 * the first frame's, the last one before the end of the last frame, rounded. shown[n]: index of the source frame. */
static int sampled(int *shown, const int *time, int frames, int last_duration, double fps) {
  int first = (int)floor(time[0] * fps / 600 + 0.5), end = (int)floor((time[frames - 1] + last_duration) * fps / 600 + 0.5), n = 0;
  for (int tick = first; tick < end; tick++) {
    int pick = 0;
    for (int i = 0; i < frames; i++)
      if (floor(time[i] * fps / 600 + 0.5) <= tick) pick = i;
    shown[n++] = pick;
  }
  return n;
}

static void check_sampling(const clip *c, const int *time, int last_duration, double fps) {
  int shown[1000], n = sampled(shown, time, c->frames, last_duration, fps), seen = 0;
  um_video *v = open_video(c->path, fps, 0);
  um_frame f;
  while (next(v, &f)) {
    assert_true(seen < n);
    assert_int_equal(f.number, seen);
    int index = clip_index(f.grey, f.width, f.height, f.grey_stride);
    if (index != shown[seen] % 16) fail_msg("%s at %g: frame %d shows %d, expected %d", c->path, fps, seen, index, shown[seen] % 16);
    assert_true(fabs(f.time_s - (floor(time[0] * fps / 600 + 0.5) + seen) / fps) < 1e-6);
    assert_int_equal(f.repeated, seen > 0 && shown[seen] == shown[seen - 1]);
    seen++;
  }
  assert_int_equal(seen, n);
  assert_int_equal(um_video_damaged(v), 0);
  um_video_close(v);
}

static void samples_as_the_filter(void **state) {
  static const double rates[] = {2, 1.2, 7.5, 30, 50};
  int time[75];
  (void)state;
  for (int b = 0; b <= 2; b += 2) {
    clip c = {.path = tmp_path(b ? "video/b.mp4" : "video/even.mp4"), .width = 64, .height = 48, .frames = 75, .rate = 30, .b_frames = b};
    clip_write(&c);
    for (int i = 0; i < 75; i++) time[i] = i * 20;
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) check_sampling(&c, time, 20, rates[r]);
  }
}

/* Screen recordings and phones: long and short gaps between frames. */
static void samples_variable_rates(void **state) {
  int time[40], at = 0;
  (void)state;
  for (int i = 0; i < 40; i++) {
    time[i] = at;
    at += i % 9 == 4 ? 1500 : i % 3 ? 20 : 70; /* 2.5 s, 1/30 s, 0.117 s */
  }
  clip c = {.path = tmp_path("video/vfr.mkv"), .width = 64, .height = 48, .frames = 40, .rate = 30, .time = time};
  clip_write(&c);
  um_video *v = open_video(c.path, 2, 0);
  um_frame f;
  int shown[1000], n = sampled(shown, time, 40, 20, 2), seen = 0, repeated = 0;
  for (; next(v, &f); seen++) {
    if (seen < n) assert_int_equal(clip_index(f.grey, f.width, f.height, f.grey_stride), shown[seen] % 16);
    repeated += f.repeated;
  }
  assert_in_range(seen, n - 1, n + 1); /* Matroska may not know how long the last frame lasts */
  assert_true(repeated > 5);
  um_video_close(v);
  /* Every frame, with its own time. */
  v = open_video(c.path, 0, 0);
  for (seen = 0; next(v, &f); seen++) {
    assert_int_equal(clip_index(f.grey, f.width, f.height, f.grey_stride), seen % 16);
    assert_true(fabs(f.time_s - time[seen] / 600.) < 2e-3);
  }
  assert_int_equal(seen, 40);
  um_video_close(v);
}

/* White in the upper left corner, grey in the upper right one, black below. */
static void draw_corners(uint8_t *grey, int width, int height, int i, void *arg) {
  (void)i, (void)arg;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) grey[y * width + x] = y >= height / 2 ? 0 : x < width / 2 ? 255 : 128;
}

static int corner(const um_frame *f, int right, int below) {
  int x = right ? f->width - 9 : 8, y = below ? f->height - 9 : 8;
  int v = f->grey[y * f->grey_stride + x];
  return v > 230 ? 255 : v > 110 && v < 146 ? 128 : v < 25 ? 0 : -1;
}

static void turns_as_displayed(void **state) {
  /* Corners upper left, upper right, lower left, lower right, after turning clockwise. */
  static const struct {
    int turn;
    bool mirror;
    int corner[4];
  } cases[] = {{0, false, {255, 128, 0, 0}},
               {90, false, {0, 255, 0, 128}},
               {180, false, {0, 0, 128, 255}},
               {270, false, {128, 0, 255, 0}},
               {0, true, {128, 255, 0, 0}}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    clip c = {.path = tmp_path("video/turned.mp4"),
              .width = 96,
              .height = 64,
              .frames = 4,
              .rate = 4,
              .turn = cases[i].turn,
              .mirror = cases[i].mirror,
              .draw = draw_corners};
    clip_write(&c);
    um_video *v = open_video(c.path, 2, 0);
    um_frame f;
    um_image im = {0};
    um_error err = {0};
    bool swap = cases[i].turn % 180 != 0;
    assert_int_equal(next(v, &f), 1);
    assert_int_equal(f.width, swap ? 64 : 96);
    assert_int_equal(f.height, swap ? 96 : 64);
    assert_int_equal(um_video_info_of(v)->width, f.width);
    for (int k = 0; k < 4; k++)
      if (corner(&f, k & 1, k >> 1) != cases[i].corner[k])
        fail_msg("turn %d, mirror %d: corner %d is %d", cases[i].turn, cases[i].mirror, k, corner(&f, k & 1, k >> 1));
    /* The picture in colour is turned alike. */
    assert_int_equal(um_video_rgb(v, &im, &err), UM_OK);
    assert_int_equal(im.width, f.width);
    for (int y = 0; y < f.height; y += 5)
      for (int x = 0; x < f.width; x += 5)
        assert_in_range(im.pixels[3 * (y * im.width + x) + 1] + 3, f.grey[y * f.grey_stride + x], f.grey[y * f.grey_stride + x] + 6);
    um_image_free(&im);
    um_video_close(v);
  }
}

static void sizes(void **state) {
  int w, h;
  (void)state;
  um_fit(&w, &h, 1920, 1080, 1000);
  assert_int_equal(w, 1000), assert_int_equal(h, 563); /* 562.5 */
  um_fit(&w, &h, 536, 500, 1000);
  assert_int_equal(w, 1000), assert_int_equal(h, 933);
  um_fit(&w, &h, 1, 10000, 1000);
  assert_int_equal(w, 1), assert_int_equal(h, 1000);
  um_fit(&w, &h, 320.4, 240, 0);
  assert_int_equal(w, 320), assert_int_equal(h, 240);
  /* Samples twice as wide as high; turned, too. */
  for (int turn = 0; turn <= 90; turn += 90) {
    clip c = {
        .path = tmp_path("video/sar.mp4"), .width = 64, .height = 64, .frames = 3, .rate = 4, .sar_num = 2, .sar_den = 1, .turn = turn};
    clip_write(&c);
    um_video *v = open_video(c.path, 0, 500);
    um_frame f;
    assert_int_equal(next(v, &f), 1);
    assert_int_equal(turn ? f.height : f.width, 500);
    assert_int_equal(turn ? f.width : f.height, 250);
    assert_int_equal(um_video_info_of(v)->frame_width, f.width);
    assert_int_equal(turn ? um_video_info_of(v)->height : um_video_info_of(v)->width, 128);
    um_video_close(v);
  }
  /* Two pixels square. */
  clip c = {.path = tmp_path("video/tiny.mkv"), .width = 2, .height = 2, .frames = 3, .rate = 4};
  clip_write(&c);
  um_video *v = open_video(c.path, 0, 1000);
  um_frame f;
  assert_int_equal(next(v, &f), 1);
  assert_int_equal(f.width, 1000);
  um_video_close(v);
}

static void draw_ramp(uint8_t *grey, int width, int height, int i, void *arg) {
  (void)arg;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) grey[y * width + x] = (uint8_t)((x * 2 + y + i) & 255);
}

/* The luma plane against OpenCV's formula on the colours that the same frame is converted to. */
static void grey_is_that_of_the_colours(void **state) {
  clip c = {.path = tmp_path("video/ramp.mp4"), .width = 128, .height = 96, .frames = 6, .rate = 6, .draw = draw_ramp};
  um_frame f;
  um_image im = {0};
  um_error err = {0};
  (void)state;
  clip_write(&c);
  for (int size = 0; size <= 200; size += 100) {
    um_video *v = open_video(c.path, 0, size);
    while (next(v, &f)) {
      int worst = 0;
      assert_int_equal(um_video_rgb(v, &im, &err), UM_OK);
      for (int y = 0; y < f.height; y++)
        for (int x = 0; x < f.width; x++) {
          const uint8_t *p = im.pixels + 3 * (y * f.width + x);
          int grey = (int)((p[0] * 9798u + p[1] * 19235u + p[2] * 3735u + 16384u) >> 15), d = abs(grey - f.grey[y * f.grey_stride + x]);
          worst = d > worst ? d : worst;
        }
      assert_in_range(worst, 0, 2);
    }
    um_video_close(v);
  }
  um_image_free(&im);
}

static void pictures_are_one_frame(void **state) {
  um_image im = {0};
  um_error err = {0};
  um_frame f;
  const char *path = tmp_path("video/one.png");
  (void)state;
  assert_int_equal(um_image_alloc(&im, 1, 1, &err), UM_OK);
  im.pixels[0] = 200, im.pixels[1] = 100, im.pixels[2] = 50;
  assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
  assert_int_equal(um_media_probe(path), UM_MEDIA_IMAGE);
  um_video *v = open_video(path, 2, 1000);
  assert_true(um_video_info_of(v)->picture);
  assert_int_equal(next(v, &f), 1);
  assert_int_equal(f.width, 1000);
  assert_int_equal(f.height, 1000);
  assert_int_equal(f.grey[0], 124); /* 0.299 200 + 0.587 100 + 0.114 50 = 124.2 */
  assert_int_equal(um_video_rgb(v, &im, &err), UM_OK);
  assert_int_equal(im.pixels[3 * 999999], 200);
  assert_int_equal(next(v, &f), 0);
  um_video_close(v);
  um_image_free(&im);
}

static void expect_refused(const char *path, int code, const char *says) {
  um_video_options o = {.fps = 2, .max_size = 1000};
  um_video *v = NULL;
  um_frame f;
  um_error err = {0};
  int r = um_video_open(&v, path, &o, &err);
  while (r >= 0 && (r = um_video_next(v, &f, &err)) > 0) {}
  um_video_close(v);
  if (r != code || !strstr(err.text, says) || !strstr(err.text, path))
    fail_msg("%s: expected %d \"%s\", got %d \"%s\"", path, code, says, r, err.text);
}

/* A copy of `from` with its first `size` bytes. */
static const char *cut(const char *from, const char *to, double share) {
  char *data;
  size_t size;
  um_error err;
  const char *path = tmp_path(to);
  if (um_file_read(&data, &size, from, 1 << 24, &err) < 0) fail_msg("%s", err.text);
  tmp_write(path, data, (unsigned long)((double)size * share));
  free(data);
  return path;
}

static void bad_files(void **state) {
  static const char text[] = "These are not the frames you are looking for.\n",
                    list[] = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n";
  clip good = {.path = tmp_path("video/good.mp4"), .width = 64, .height = 48, .frames = 30, .rate = 10};
  (void)state;
  clip_write(&good);
  expect_refused(tmp_path("video/none.mp4"), UM_EIO, "No such file");
  tmp_write(tmp_path("video/empty.mp4"), "", 0);
  expect_refused(tmp_path("video/empty.mp4"), UM_EFORMAT, "empty");
  tmp_write(tmp_path("video/text.mp4"), text, sizeof text - 1);
  expect_refused(tmp_path("video/text.mp4"), UM_EFORMAT, "not a video");
  assert_int_equal(um_media_probe(tmp_path("video/text.mp4")), UM_MEDIA_NONE);
  tmp_write(tmp_path("video/list.mp4"), list, sizeof list - 1);
  expect_refused(tmp_path("video/list.mp4"), UM_EFORMAT, "expected a video");
  expect_refused(cut(good.path, "video/cut.mp4", 0.6), UM_EFORMAT, "cut short"); /* the index at its end is gone */
  clip sound = {.path = tmp_path("video/sound.mp4"), .sound_only = true};
  clip_write(&sound);
  expect_refused(sound.path, UM_EFORMAT, "no video stream");
  um_error err;
  assert_int_equal(um_mkdirs(tmp_path("video/folder.mp4"), &err), UM_OK);
  expect_refused(tmp_path("video/folder.mp4"), UM_EIO, "directory");
  assert_int_equal(um_media_probe(good.path), UM_MEDIA_VIDEO);
  assert_int_equal(um_media_probe(tmp_path("video/none.mp4")), UM_MEDIA_NONE);
}

static int replace(char *data, size_t size, const char *from, const char *to) {
  int n = 0;
  for (size_t i = 0; i + 4 <= size; i++)
    if (memcmp(data + i, from, 4) == 0) memcpy(data + i, to, 4), n++;
  return n;
}

static void unknown_codec(void **state) {
  clip c = {.path = tmp_path("video/known.avi"), .width = 64, .height = 48, .frames = 10, .rate = 10};
  char *data;
  size_t size;
  um_error err;
  (void)state;
  clip_write(&c);
  assert_int_equal(um_file_read(&data, &size, c.path, 1 << 24, &err), UM_OK);
  assert_true(replace(data, size, "FMP4", "QqZz") > 0);
  tmp_write(tmp_path("video/unknown.avi"), data, size);
  free(data);
  expect_refused(tmp_path("video/unknown.avi"), UM_EUNSUPPORTED, "no decoder");
}

/* A download that broke off, and bytes that went bad: what can be decoded is, the rest is counted. */
static void damage_is_passed_over(void **state) {
  clip c = {.path = tmp_path("video/index_first.mp4"),
            .width = 160,
            .height = 120,
            .frames = 100,
            .rate = 25,
            .faststart = true,
            .draw = draw_ramp};
  char *data;
  size_t size;
  um_error err = {0};
  um_frame f;
  int seen = 0;
  (void)state;
  clip_write(&c);
  um_video *v = open_video(cut(c.path, "video/half.mp4", 0.5), 0, 0);
  while (next(v, &f)) seen++;
  assert_in_range(seen, 20, 80);
  um_video_close(v);
  assert_int_equal(um_file_read(&data, &size, c.path, 1 << 24, &err), UM_OK);
  for (size_t i = size / 3; i < size / 2; i++) data[i] = (char)(data[i] ^ (i * 37));
  tmp_write(tmp_path("video/bad_bytes.mp4"), data, size);
  free(data);
  v = open_video(tmp_path("video/bad_bytes.mp4"), 0, 0);
  for (seen = 0; next(v, &f);) seen++;
  assert_in_range(seen, 50, 99);
  assert_true(um_video_damaged(v) > 0);
  assert_true(seen + um_video_damaged(v) >= 99);
  um_video_close(v);
}

/* A time stamp hours ahead must not make the filter fill the gap with a picture for each half second. */
static void absurd_jump(void **state) {
  um_frame f;
  int seen = 0;
  (void)state;
  clip c = {.path = tmp_path("video/jump.mkv"), .width = 64, .height = 48, .frames = 11, .rate = 10, .last_late_s = 1000000};
  clip_write(&c);
  um_video *v = open_video(c.path, 2, 0);
  while (next(v, &f)) seen++;
  assert_in_range(seen, 2, 3);
  assert_int_equal(um_video_damaged(v), 1);
  um_video_close(v);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(samples_as_the_filter),
      cmocka_unit_test(samples_variable_rates),
      cmocka_unit_test(turns_as_displayed),
      cmocka_unit_test(sizes),
      cmocka_unit_test(grey_is_that_of_the_colours),
      cmocka_unit_test(pictures_are_one_frame),
      cmocka_unit_test(bad_files),
      cmocka_unit_test(unknown_codec),
      cmocka_unit_test(damage_is_passed_over),
      cmocka_unit_test(absurd_jump),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
