/* Faces of frames: centre, radius and crop as the recipe takes them, inputs with labels and groups, and how many frames of real clips
 * have a face. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/draw.h"
#include "data/faces.h"
#include "data/sources.h"
#include "tests/support/clip.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

static um_face_finder *finder(const char *detector, bool all, int max_size) {
  um_face_options o = {.fps = 2, .all = all, .max_size = max_size, .threads = 2};
  um_face_finder *f;
  um_error err = {0};
  snprintf(o.detector, sizeof o.detector, "%s", detector);
  if (um_face_finder_open(&f, &o, &err) < 0) fail_msg("%s", err.text);
  return f;
}

/* R's opencv: Point center(cvRound(x + w / 2), cvRound(y + h / 2)), radius = cvRound((w + h) / 4), halves to even. */
static void face_of_a_box(void **state) {
  static const struct {
    um_box box;
    double margin;
    int x, y, side;
  } cases[] = {
      {{100, 50, 40, 40, 0}, 0, 100, 50, 41},  /* centre 120, 70, radius 20 */
      {{10, 20, 35, 35, 0}, 0, 10, 20, 37},    /* 27.5 -> 28, 37.5 -> 38, 17.5 -> 18 */
      {{11, 21, 37, 37, 0}, 0, 12, 22, 37},    /* 29.5 -> 30, 39.5 -> 40, 18.5 -> 18 */
      {{100, 50, 40, 40, 0}, 0.5, 90, 40, 61}, /* radius 30 */
      {{0, 0, 31, 30, 0}, 0, 1, 0, 31},        /* 15.5 -> 16, 15, 15.25 -> 15 */
      {{100, 50, 40, 40, 0}, -0.5, 110, 60, 21},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    um_face f;
    um_face_from_box(&f, &cases[i].box, cases[i].margin);
    if (f.x != cases[i].x || f.y != cases[i].y || f.side != cases[i].side) fail_msg("case %zu: (%d, %d) %d", i, f.x, f.y, f.side);
    assert_int_equal(f.track, -1);
  }
}

static void crops(void **state) {
  um_image frame = {0}, crop = {0};
  um_error err = {0};
  (void)state;
  assert_int_equal(um_image_alloc(&frame, 10, 8, &err), UM_OK);
  for (int y = 0; y < 8; y++)
    for (int x = 0; x < 10; x++)
      for (int c = 0; c < 3; c++) frame.pixels[3 * (10 * y + x) + c] = (uint8_t)(20 * y + 2 * x + c);
  static const um_face at[] = {
      {.x = 2, .y = 3, .side = 5}, {.x = -3, .y = -2, .side = 7}, {.x = 6, .y = 4, .side = 9}, {.x = -50, .y = 30, .side = 3}};
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
    assert_int_equal(um_face_crop(&crop, &frame, &at[i], 0, &err), UM_OK);
    assert_int_equal(crop.width, at[i].side);
    assert_int_equal(crop.height, at[i].side);
    for (int y = 0; y < crop.height; y++)
      for (int x = 0; x < crop.width; x++) { /* the nearest pixel of the frame */
        int sx = at[i].x + x, sy = at[i].y + y;
        sx = sx < 0 ? 0 : sx > 9 ? 9 : sx, sy = sy < 0 ? 0 : sy > 7 ? 7 : sy;
        assert_int_equal(crop.pixels[3 * (crop.width * y + x) + 1], 20 * sy + 2 * sx + 1);
      }
  }
  assert_int_equal(um_face_crop(&crop, &frame, &at[0], 32, &err), UM_OK);
  assert_int_equal(crop.width, 32);
  assert_int_equal(crop.pixels[1], 20 * 3 + 2 * 2 + 1); /* the corner stays what it was */
  um_image_free(&frame);
  um_image_free(&crop);
}

static void box_is_dashed(void **state) {
  um_image im = {0};
  um_error err = {0};
  int red = 0;
  (void)state;
  assert_int_equal(um_image_alloc(&im, 60, 50, &err), UM_OK);
  memset(im.pixels, 9, 60 * 50 * 3);
  um_draw_box(&im, 10, 5, 41);
  for (int y = 0; y < 50; y++)
    for (int x = 0; x < 60; x++) {
      const uint8_t *p = im.pixels + 3 * (60 * y + x);
      int dx = x - 10, dy = y - 5;
      bool on_edge = dx >= 0 && dy >= 0 && dx < 41 && dy < 41 && (dx < 2 || dy < 2 || dx > 38 || dy > 38);
      bool is_red = p[0] == 255 && p[1] == 0 && p[2] == 0;
      if (is_red)
        red++, assert_true(on_edge);
      else
        assert_int_equal(p[0], 9);
      if (dy == 0 && dx >= 0 && dx < 41) assert_int_equal(is_red, dx / 8 % 2 == 0 || dx < 2 || dx > 38 ? 1 : 0);
    }
  assert_in_range(red, 120, 200);
  um_draw_box(&im, -20, -20, 300); /* outside is left out */
  um_draw_box(&im, 58, 48, 1);
  um_image_free(&im);
}

static void scene_faces_in_order(void **state) {
  uint8_t *grey = malloc(SCENE_WIDTH * SCENE_HEIGHT);
  um_face *face;
  um_error err = {0};
  int n;
  (void)state;
  scene_draw(grey, SCENE_WIDTH, SCENE_HEIGHT, scene_faces, 3);
  um_face_finder *f = finder("haar", true, 0);
  assert_int_equal(um_faces_in(f, grey, SCENE_WIDTH, SCENE_HEIGHT, SCENE_WIDTH, &face, &n, &err), UM_OK);
  assert_int_equal(n, 3);
  for (int i = 0; i < 3; i++) { /* largest first, as the scene lists them; what OpenCV finds is in test_haar */
    int cx = face[i].x + face[i].side / 2, cy = face[i].y + face[i].side / 2;
    assert_in_range(cx + 20 - scene_faces[i].x, 0, 40);
    assert_in_range(cy + 20 - scene_faces[i].y, 0, 40);
  }
  free(face);
  um_face_finder_close(f);
  f = finder("haar-strict", false, 0);
  assert_int_equal(um_faces_in(f, grey, SCENE_WIDTH, SCENE_HEIGHT, SCENE_WIDTH, &face, &n, &err), UM_OK);
  assert_int_equal(n, 1);
  assert_true(face[0].side > 150);
  free(face);
  um_face_finder_close(f);
  um_face_options bad = {.detector = "lbp"};
  assert_int_equal(um_face_finder_open(&f, &bad, &err), UM_ECONFIG);
  free(grey);
}

static const um_source *find(const um_sources *s, const char *path) {
  for (int i = 0; i < s->count; i++)
    if (strstr(s->item[i].path, path)) return &s->item[i];
  fail_msg("%s is not among the inputs", path);
  return NULL;
}

static void inputs_labels_groups(void **state) {
  static const char *const files[] = {"in/fake/a b.mp4",
                                      "in/real/a b.mp4",
                                      "in/real/deep/er/004.mp4",
                                      "in/FAKE/004_982.mp4",
                                      "in/other/ffpp_Deepfakes_123_456.MOV",
                                      "in/other/ffpp_youtube_123.mkv",
                                      "in/other/notes.txt",
                                      "in/other/.hidden.mp4",
                                      "in/other/trip_2019.mp4"};
  static const char json[] = "{\"trip_2019.mp4\": {\"label\": \"FAKE\", \"original\": \"home.mp4\"}, \"004.mp4\": {\"label\": \"REAL\"}}";
  um_sources s;
  um_error err = {0};
  (void)state;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) tmp_write(tmp_path(files[i]), "x", 1);
  const char *input[] = {tmp_path("in"), tmp_path("in/other/trip_2019.mp4"), "/nowhere/none.mp4"};
  assert_int_equal(um_sources_collect(&s, input, 3, &err), UM_OK);
  assert_int_equal(s.count, 8); /* the one that was given twice is there once; a file that is not there stays, to be named later */
  assert_string_equal(s.item[0].name, "004_982"); /* FAKE sorts before fake */
  um_sources_label_folders(&s);
  assert_int_equal(find(&s, "fake/a b")->label, 0);
  assert_int_equal(find(&s, "real/a b")->label, 1);
  assert_int_equal(find(&s, "FAKE/004_982")->label, 0);
  assert_int_equal(find(&s, "er/004.mp4")->label, 1);
  assert_int_equal(find(&s, "trip")->label, -1);
  assert_string_equal(find(&s, "fake/a b")->name, "a_b");
  assert_string_equal(find(&s, "real/a b")->name, "a_b-2");
  assert_string_equal(find(&s, "FAKE/004_982")->group, "ffpp_004");
  assert_string_equal(find(&s, "er/004.mp4")->group, "ffpp_004");
  assert_string_equal(find(&s, "Deepfakes_123_456")->group, "ffpp_123");
  assert_string_equal(find(&s, "youtube_123")->group, "ffpp_123");
  assert_string_equal(find(&s, "trip")->group, "trip_2019");
  tmp_write(tmp_path("in/metadata.json"), json, sizeof json - 1);
  assert_int_equal(um_sources_label_metadata(&s, tmp_path("in/metadata.json"), &err), UM_OK);
  assert_int_equal(find(&s, "trip")->label, 0);
  assert_string_equal(find(&s, "trip")->group, "home");
  um_sources_free(&s);
  static const char *const bad[] = {"", "[1]", "{\"a b.mp4\": {\"label\": \"MAYBE\"}}", "{\"a b.mp4\": 7}", "{\"a b.mp4\":"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(um_sources_collect(&s, input, 1, &err), UM_OK);
    tmp_write(tmp_path("in/metadata.json"), bad[i], strlen(bad[i]));
    assert_int_equal(um_sources_label_metadata(&s, tmp_path("in/metadata.json"), &err), UM_EFORMAT);
    um_sources_free(&s);
  }
}

typedef struct tally {
  int frames, found, luma_boxes, same, missing;
  um_face_finder *strict;
} tally;

/* Largest distance of a side. */
static int apart(const um_box *a, const um_box *b) {
  int d[4] = {abs(a->x - b->x), abs(a->y - b->y), abs(a->width - b->width), abs(a->height - b->height)}, most = 0;
  for (int i = 0; i < 4; i++) most = d[i] > most ? d[i] : most;
  return most;
}

/* Every eighth frame also by way of its colours: RGB, then OpenCV's grey. */
static int on_frame(void *arg, const um_frame *frame, um_video *v, const um_face *face, int count, um_error *err) {
  tally *t = arg;
  t->frames++;
  t->found += count > 0;
  (void)face;
  if (frame->number % 8) return UM_OK;
  um_image im = {0};
  um_face *luma = NULL, *colour = NULL;
  int n, m, r = um_video_rgb(v, &im, err);
  uint8_t *grey = malloc((size_t)frame->width * (size_t)frame->height);
  for (int i = 0; r == UM_OK && i < frame->width * frame->height; i++)
    grey[i] = (uint8_t)((im.pixels[3 * i] * 9798u + im.pixels[3 * i + 1] * 19235u + im.pixels[3 * i + 2] * 3735u + 16384u) >> 15);
  if (r == UM_OK) r = um_faces_in(t->strict, frame->grey, frame->width, frame->height, frame->grey_stride, &luma, &n, err);
  if (r == UM_OK) r = um_faces_in(t->strict, grey, frame->width, frame->height, frame->width, &colour, &m, err);
  if (r == UM_OK && n > 0) {
    int nearest = 1 << 20;
    for (int k = 0; k < m; k++) nearest = apart(&luma[0].box, &colour[k].box) < nearest ? apart(&luma[0].box, &colour[k].box) : nearest;
    t->luma_boxes++;
    t->same += nearest <= luma[0].box.width / 10;
  }
  free(luma), free(colour), free(grey);
  um_image_free(&im);
  return r;
}

static void real_clips_have_faces(void **state) {
  static const char *const names[] = {"fake/dfdc_widuwuoiur.mp4", "fake/dfdc_yhffcuhhjy.mp4", "fake/ffpp_NeuralTextures_004_982.mp4",
                                      "fake/uadfv_0017_fake.mp4", "real/dfdc_anndvqgoko.mp4", "real/ffpp_youtube_004.mp4"};
  const char *shared = getenv("UM_SHARED");
  tally t = {0};
  (void)state;
  um_face_finder *f = finder("haar", false, 1000);
  t.strict = finder("haar-strict", false, 1000);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[4096];
    um_error err = {0};
    snprintf(path, sizeof path, "%s/data/clips/%s", shared ? shared : "../shared", names[i]);
    if (!um_is_file(path)) continue;
    if (um_faces_walk(f, path, on_frame, &t, NULL, NULL, &err) < 0) fail_msg("%s", err.text);
  }
  um_face_finder_close(f);
  um_face_finder_close(t.strict);
  if (t.frames == 0) {
    print_message("skipped: faces of real clips, ../shared/data is not here\n");
    skip();
  }
  print_message("%d frames, a face in %d (%.1f %%); largest face on luma and on grey of RGB within a tenth of its width: %d of %d\n",
                t.frames, t.found, 100. * t.found / t.frames, t.same, t.luma_boxes);
  assert_int_equal(t.frames, 118); /* as ffmpeg -vf fps=2 gives */
  assert_true(t.found >= 0.97 * t.frames);
  assert_true(t.same >= 0.9 * t.luma_boxes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(face_of_a_box),        cmocka_unit_test(crops),
      cmocka_unit_test(box_is_dashed),        cmocka_unit_test(scene_faces_in_order),
      cmocka_unit_test(inputs_labels_groups), cmocka_unit_test(real_clips_have_faces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
