/* um_video_writer: what was written is read again with FFmpeg's demuxers and decoders: times, sizes, colours, sound; what stays. */
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "data/video_write.h"
#include "tests/support/clip.h"
#include "tests/support/packets.h"
#include "tests/support/tmp.h"

static void paint(um_image *im, int width, int height, const uint8_t rgb[3]) {
  um_error err;
  assert_int_equal(um_image_alloc(im, width, height, &err), UM_OK);
  for (int i = 0; i < width * height * 3; i++) im->pixels[i] = rgb[i % 3];
}

/* count pictures, the i-th of clip_level(i), at tick[i] (NULL: i). */
static void write_video(const char *path, const um_video_write_options *o, const int *tick, int count) {
  um_video_writer *w;
  um_image im = {0};
  um_error err = {0};
  if (um_video_writer_open(&w, path, o, &err)) fail_msg("%s", err.text);
  for (int i = 0; i < count; i++) {
    const uint8_t level = (uint8_t)clip_level(i);
    paint(&im, o->width, o->height, (const uint8_t[]){level, level, level});
    const int at = tick ? tick[i] : i, next = tick && i + 1 < count ? tick[i + 1] : at + 1;
    if (um_video_writer_add(w, &im, at, next - at, &err)) fail_msg("%s", err.text);
  }
  if (um_video_writer_finish(w, &err)) fail_msg("%s", err.text);
  um_video_writer_close(w);
  um_image_free(&im);
}

/* Every picture comes back, in order, at its time. */
static void check_video(const char *path, const int *tick, int count, double seconds_a_tick, double late) {
  const um_video_options o = {.threads = 1};
  um_video *v;
  um_frame f;
  um_error err = {0};
  int seen = 0, rc;
  if (um_video_open(&v, path, &o, &err)) fail_msg("%s", err.text);
  while ((rc = um_video_next(v, &f, &err)) > 0) {
    assert_int_equal(clip_index(f.grey, f.width, f.height, f.grey_stride), seen % 16);
    if (fabs(f.time_s - (tick ? tick[seen] : seen) * seconds_a_tick) > late) fail_msg("%s: picture %d at %g s", path, seen, f.time_s);
    seen++;
  }
  assert_int_equal(rc, 0);
  assert_int_equal(seen, count);
  assert_int_equal(um_video_damaged(v), 0);
  um_video_close(v);
}

static void times(void **state) {
  static const char *const names[] = {"write/even.mp4", "write/even.mov", "write/even.mkv"};
  int tick[60], at = 35;
  (void)state;
  for (int i = 0; i < 60; i++) tick[i] = at, at += i % 7 == 3 ? 1100 : i % 3 ? 20 : 71; /* variable, from 35 ticks on */
  for (int k = 0; k < 3; k++)
    for (int e = 0; e < 2; e++) {
      um_video_write_options o = {
          .width = 64, .height = 48, .tick_num = 1, .tick_den = 30, .crf = 20, .threads = 1, .encoder = e ? "mpeg4" : NULL};
      const double late = k == 2 ? 1.01e-3 : 1e-6; /* Matroska counts milliseconds */
      packets p;
      write_video(tmp_path(names[k]), &o, NULL, 40);
      check_video(tmp_path(names[k]), NULL, 40, 1 / 30., late);
      packets_read(&p, tmp_path(names[k]), 'v', 0);
      assert_string_equal(p.codec, e || strcmp(um_video_encoder(), "libx264") ? "mpeg4" : "h264");
      assert_int_equal(p.count, 40);
      if (k < 2) assert_true(fabs(p.at[39].duration_s - 1 / 30.) < 1e-6);
      packets_free(&p);
      o.tick_den = 600, o.rate = 20;
      write_video(tmp_path("write/vfr.mp4"), &o, tick, 60);
      check_video(tmp_path("write/vfr.mp4"), tick, 60, 1 / 600., 1e-6);
    }
}

/* Odd sizes get one column or row more, the same as the last; colours come back by whichever matrix they went. */
static void sizes_and_colours(void **state) {
  static const int sizes[][2] = {{64, 48}, {65, 48}, {64, 49}, {65, 49}, {1, 1}};
  static const uint8_t colours[][3] = {{213, 94, 0}, {0, 114, 178}, {138, 138, 138}, {255, 255, 255}};
  static const int matrices[] = {0, 1, 6, 9};
  (void)state;
  for (int k = 0; k < 5; k++)
    for (int c = 0; c < 4; c++) {
      const char *path = tmp_path("write/colour.mp4");
      const int width = sizes[k][0], height = sizes[k][1];
      const um_video_write_options o = {
          .width = width, .height = height, .tick_num = 1, .tick_den = 10, .crf = 10, .colours.matrix = matrices[c]};
      um_video_writer *w;
      um_video *v;
      um_frame f;
      um_image im = {0};
      um_error err;
      assert_int_equal(um_video_writer_open(&w, path, &o, &err), UM_OK);
      paint(&im, width, height, colours[c]);
      assert_int_equal(um_video_writer_add(w, &im, 0, 1, &err), UM_OK);
      assert_int_equal(um_video_writer_finish(w, &err), UM_OK);
      um_video_writer_close(w);
      assert_int_equal(um_video_open(&v, path, &(um_video_options){0}, &err), UM_OK);
      assert_int_equal(um_video_info_of(v)->width, (width + 1) / 2 * 2);
      assert_int_equal(um_video_info_of(v)->height, (height + 1) / 2 * 2);
      assert_int_equal(um_video_info_of(v)->colours.matrix, matrices[c] ? matrices[c] : 2);
      assert_int_equal(um_video_next(v, &f, &err), 1);
      assert_int_equal(um_video_rgb(v, &im, &err), UM_OK);
      for (int i = 0; i < im.width * im.height * 3; i++) assert_true(abs(im.pixels[i] - colours[c][i % 3]) <= 6);
      um_video_close(v);
      um_image_free(&im);
    }
}

static long long size_of(const char *path) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  return st.st_size;
}

/* A higher crf is a smaller file, with each encoder; one thread always writes the same bytes. */
static void quality(void **state) {
  char one[65], two[65];
  um_error err;
  (void)state;
  for (int e = 0; e < 2; e++) {
    long long before = 1LL << 40;
    for (int crf = 10; crf <= 40; crf += 15) {
      const um_video_write_options o = {.width = 96,
                                        .height = 64,
                                        .tick_num = 1,
                                        .tick_den = 25,
                                        .crf = crf,
                                        .threads = 1,
                                        .preset = "fast",
                                        .encoder = e ? "mpeg4" : NULL};
      const char *path[2] = {tmp_path("write/q.mp4"), tmp_path("write/r.mp4")};
      for (int k = 0; k < 2; k++) {
        um_video_writer *w;
        um_image im = {0};
        assert_int_equal(um_video_writer_open(&w, path[k], &o, &err), UM_OK);
        for (uint32_t i = 0, x = 1; i < 12; i++) {
          paint(&im, 96, 64, (const uint8_t[]){0, 0, 0});
          for (int p = 0; p < 96 * 64 * 3; p++) im.pixels[p] = (uint8_t)((x = x * 1664525 + 1013904223) >> 25); /* noise */
          assert_int_equal(um_video_writer_add(w, &im, i, 1, &err), UM_OK);
        }
        assert_int_equal(um_video_writer_finish(w, &err), UM_OK);
        um_video_writer_close(w);
        um_image_free(&im);
      }
      assert_true(size_of(path[0]) < before);
      before = size_of(path[0]);
      assert_int_equal(um_sha256_file(one, path[0], &err), UM_OK);
      assert_int_equal(um_sha256_file(two, path[1], &err), UM_OK);
      assert_string_equal(one, two);
    }
  }
}

/* The sound of a file, packet by packet, with its times: beside pictures that end before it, or later. */
static void sound(void **state) {
  static const struct {
    const char *from, *codec, *to;
    int ms, late_ms, copied;
  } of[] = {{"write/s.mp4", "aac", "write/t.mp4", 1500, 0, 1},       {"write/s.mp4", "aac", "write/t.mp4", 3000, 400, 1},
            {"write/s.mkv", "aac", "write/t.mp4", 1500, 0, 1},       {"write/s.mov", "aac", "write/t.mkv", 1500, 0, 1},
            {"write/s.avi", "pcm_s16le", "write/t.mkv", 1500, 0, 1}, {"write/s.mkv", "pcm_s16le", "write/t.mov", 1500, 0, 1},
            {"write/s.mkv", "wmav2", "write/t.mp4", 1500, 0, 0},     {"write/s.mp4", NULL, "write/t.mp4", 0, 0, 0}};
  (void)state;
  for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
    const char *from = tmp_path(of[k].from), *to = tmp_path(of[k].to);
    const clip c = {.path = from,
                    .width = 64,
                    .height = 48,
                    .frames = 50,
                    .rate = 25,
                    .sound = of[k].codec,
                    .sound_ms = of[k].ms,
                    .sound_late_ms = of[k].late_ms};
    const um_video_write_options o = {
        .width = 64, .height = 48, .tick_num = 1, .tick_den = 1000, .rate = 25, .crf = 25, .threads = 1, .audio_from = from};
    um_video_writer *w;
    um_image im = {0};
    um_error err = {0};
    packets a, b;
    um_video_sound s;
    clip_write(&c);
    packets_read(&a, from, 'a', 0);
    if (um_video_writer_open(&w, to, &o, &err)) fail_msg("%s", err.text);
    um_video_writer_sound(w, &s);
    assert_int_equal(s.copied, of[k].copied);
    assert_int_equal(s.left_out, of[k].codec && !of[k].copied);
    assert_string_equal(s.names, s.left_out ? of[k].codec : "");
    for (int i = 0; i < 50; i++) {
      paint(&im, 64, 48, (const uint8_t[]){9, 9, 9});
      assert_int_equal(um_video_writer_add(w, &im, lrint(1000 * a.begin_s) + 40 * i, 40, &err), UM_OK);
    }
    if (um_video_writer_finish(w, &err)) fail_msg("%s", err.text);
    um_video_writer_close(w);
    um_image_free(&im);
    packets_read(&b, to, 'a', 0);
    if (of[k].copied) {
      assert_true(a.count > 10);
      packets_same(&a, &b, strstr(of[k].from, "mkv") || strstr(of[k].to, "mkv") ? 1.01e-3 : 2e-5);
    } else {
      assert_int_equal(b.count, 0);
    }
    packets_free(&a), packets_free(&b);
  }
}

/* What was begun and not finished leaves nothing, and an old file as it was. */
static void abandoned(void **state) {
  const um_video_write_options o = {.width = 64, .height = 48, .tick_num = 1, .tick_den = 25, .crf = 20};
  const char *path = tmp_path("write/left/a.mp4"), *folder = tmp_path("write/left");
  um_video_writer *w;
  um_image im = {0};
  um_error err = {0};
  (void)state;
  tmp_write(path, "old", 3);
  assert_int_equal(um_video_writer_open(&w, path, &o, &err), UM_OK);
  assert_int_equal(files_in(folder), 2);
  paint(&im, 64, 48, (const uint8_t[]){9, 9, 9});
  for (int i = 0; i < 100; i++) assert_int_equal(um_video_writer_add(w, &im, i, 1, &err), UM_OK);
  um_video_writer_close(w);
  assert_int_equal(files_in(folder), 1);
  assert_int_equal(size_of(path), 3);
  assert_int_equal(um_video_writer_open(&w, path, &o, &err), UM_OK);
  assert_int_equal(um_video_writer_finish(w, &err), UM_EFORMAT); /* no picture */
  um_video_writer_close(w);
  assert_int_equal(files_in(folder), 1);
  um_image_free(&im);
}

/* As on a full disk: files may not grow beyond 20000 bytes. */
static void disk_full(void **state) {
  const char *path = tmp_path("write/full/a.mp4"), *folder = tmp_path("write/full");
  (void)state;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    const um_video_write_options o = {
        .width = 256, .height = 256, .tick_num = 1, .tick_den = 25, .crf = 10, .threads = 1, .encoder = "mpeg4"};
    const struct rlimit limit = {20000, 20000};
    um_video_writer *w;
    um_image im = {0};
    um_error err = {0};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int rc = um_video_writer_open(&w, path, &o, &err);
    if (!rc) rc = um_image_alloc(&im, 256, 256, &err);
    for (uint32_t i = 0, x = 1; !rc && i < 30; i++) {
      for (int p = 0; p < 256 * 256 * 3; p++) im.pixels[p] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
      rc = um_video_writer_add(w, &im, i, 1, &err);
    }
    if (!rc) rc = um_video_writer_finish(w, &err);
    um_video_writer_close(w);
    um_image_free(&im);
    _exit(rc == UM_EIO && strstr(err.text, path) && strstr(err.text, "cannot write: File too large") ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(files_in(folder), 0);
}

static void refused(void **state) {
  um_video_write_options o = {.width = 64, .height = 48, .tick_num = 1, .tick_den = 25, .crf = 20};
  um_video_writer *w;
  um_error err;
  (void)state;
  assert_int_equal(um_video_writer_open(&w, "/nonexistent/a.mp4", &o, &err), UM_EIO);
  assert_int_equal(um_video_writer_open(&w, "/dev/null", &o, &err), UM_EIO);
  o.encoder = "nothing";
  assert_int_equal(um_video_writer_open(&w, tmp_path("write/x.mp4"), &o, &err), UM_EUNSUPPORTED);
  o.encoder = NULL, o.width = 20000;
  assert_int_equal(um_video_writer_open(&w, tmp_path("write/x.mp4"), &o, &err), UM_EUNSUPPORTED);
  o.width = 64, o.audio_from = "/nonexistent";
  assert_int_equal(um_video_writer_open(&w, tmp_path("write/x.mp4"), &o, &err), UM_EFORMAT);
  assert_null(w);
  um_video_writer_close(w);
  assert_int_equal(access(tmp_path("write/x.mp4"), F_OK), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(times),  cmocka_unit_test(sizes_and_colours), cmocka_unit_test(quality),
                                     cmocka_unit_test(sound),  cmocka_unit_test(abandoned),         cmocka_unit_test(disk_full),
                                     cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
