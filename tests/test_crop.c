/* Crops against OpenCV and Pillow (tests/golden/crop.py), where their points are, what is drawn on frames, and sheets of pictures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/safetensors.h"
#include "data/draw.h"
#include "data/grid.h"
#include "data/paint.h"
#include "faces/faces.h"
#include "tests/support/tmp.h"

enum { WIDTH = 96, HEIGHT = 72 };

static um_image picture(int width, int height) {
  um_image im = {0};
  um_error err = {0};
  if (um_image_alloc(&im, width, height, &err) < 0) fail_msg("%s", err.text);
  memset(im.pixels, 0, (size_t)width * (size_t)height * 3);
  return im;
}

/* crop.py's frame. */
static um_image waves(void) {
  um_image im = picture(WIDTH, HEIGHT);
  for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
    const int v = (3 * (i / 3 % WIDTH) + 2 * (i / 3 / WIDTH) + 20 * (i % 3)) % 128;
    im.pixels[i] = (uint8_t)((v < 127 - v ? v : 127 - v) * 4);
  }
  return im;
}

static const um_tensor *golden(um_st *st, int n, const char *name) {
  char text[32];
  snprintf(text, sizeof text, "%d/%s", n, name);
  for (int i = 0; i < um_st_count(st); i++)
    if (strcmp(um_st_at(st, i)->name, text) == 0) return &um_st_at(st, i)->tensor;
  return NULL;
}

static um_detection golden_face(um_st *st, int n) {
  const float *f = golden(st, n, "face")->data;
  um_detection d = {.x = f[0], .y = f[1], .width = f[2], .height = f[3], .has_points = true};
  for (int i = 0; i < 2 * UM_POINTS; i++) d.point[i / 2][i % 2] = f[4 + i];
  return d;
}

static um_face_settings golden_settings(um_st *st, int n) {
  static const um_crop_shape shapes[] = {UM_CROP_RECIPE, UM_CROP_SQUARE, UM_CROP_TIGHT};
  const int32_t *how = golden(st, n, "how")->data;
  um_face_settings s;
  um_face_settings_recipe(&s);
  s.crop = shapes[how[0]], s.margin = how[1] / 100., s.size = how[2], s.align = how[3] != 0;
  return s;
}

/* OpenCV rounds places to 32nds of a pixel, which is 0.3 levels here, Pillow cuts its values off. */
static void as_opencv_and_pillow(void **state) {
  static const char *const peers[] = {"opencv", "pillow"};
  um_st *st;
  um_error err = {0};
  um_image frame = waves(), crop = {0};
  int cases = 0;
  (void)state;
  if (um_st_open(&st, "tests/golden/crop.safetensors", &err) < 0) fail_msg("%s", err.text);
  for (; golden(st, cases, "face"); cases++) {
    const um_detection face = golden_face(st, cases);
    const um_face_settings s = golden_settings(st, cases);
    double point[UM_POINTS][2];
    if (um_face_crop(&crop, &frame, &face, &s, &err) < 0) fail_msg("%s", err.text);
    for (int k = 0; k < 2; k++) {
      const um_tensor *want = golden(st, cases, peers[k]);
      const uint8_t *pixel = want->data;
      double sum = 0;
      int most = 0;
      const int n = crop.width * crop.height * 3;
      assert_int_equal(want->dim[0], crop.height);
      assert_int_equal(want->dim[1], crop.width);
      for (int i = 0; i < n; i++) {
        const int off = crop.pixels[i] - pixel[i];
        sum += off, most = abs(off) > most ? abs(off) : most;
      }
      if (most > 1 || fabs(sum / n) > (k ? 0.6 : 0.1)) fail_msg("case %d, %s: %d levels, %g in the mean", cases, peers[k], most, sum / n);
    }
    const float *mapped = golden(st, cases, "points")->data;
    assert_true(um_face_crop_points(point, &face, &s));
    for (int i = 0; i < 2 * UM_POINTS; i++)
      if (fabs(point[i / 2][i % 2] - (double)mapped[i]) > 1e-4)
        fail_msg("case %d, point %d: %g, %g", cases, i / 2, point[i / 2][i % 2], (double)mapped[i]);
  }
  assert_int_equal(cases, 7);
  um_st_close(st);
  um_image_free(&frame);
  um_image_free(&crop);
}

/* The middle of what is bright in a channel. */
static bool bright(double at[2], const um_image *im, int channel) {
  double sum = 0;
  at[0] = at[1] = 0;
  for (int y = 0; y < im->height; y++)
    for (int x = 0; x < im->width; x++) {
      const double v = im->pixels[3 * (y * im->width + x) + channel];
      sum += v, at[0] += v * (x + 0.5), at[1] += v * (y + 0.5);
    }
  if (sum > 0) at[0] /= sum, at[1] /= sum;
  return sum > 0;
}

/* A blob about a place in one channel. */
static void blob(um_image *im, int channel, double x, double y, double width) {
  for (int v = 0; v < im->height; v++)
    for (int u = 0; u < im->width; u++) {
      const double d = hypot(u + 0.5 - x, v + 0.5 - y) / width, level = 250 * exp(-d * d);
      if (level > 1) im->pixels[3 * (v * im->width + u) + channel] = (uint8_t)level;
    }
}

/* Eyes and a nose are drawn as blobs: in the crop the eyes are level, left before right, the nose below, and all are where the points say. */
static void eyes_are_level(void **state) {
  static const int sizes[] = {0, 33, 97, 200};
  um_error err = {0};
  um_image crop = {0};
  (void)state;
  for (int degrees = -170; degrees <= 180; degrees += 25)
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
      for (int shape = UM_CROP_RECIPE; shape <= UM_CROP_TIGHT; shape++) {
        um_image frame = picture(240, 200);
        um_face_settings s;
        const double t = degrees * acos(-1) / 180, u = cos(t), v = sin(t);
        um_detection face = {.x = 70.3, .y = 50.8, .width = 81, .height = 95, .has_points = true};
        const double x = 70.3 + 40.5, y = 50.8 + 47.5;
        const double point[UM_POINTS][2] = {
            {x - 20 * u + 12 * v, y - 20 * v - 12 * u}, {x + 20 * u + 12 * v, y + 20 * v - 12 * u}, {x - 8 * v, y + 8 * u}};
        double at[3][2], mapped[UM_POINTS][2];
        memcpy(face.point, point, sizeof point);
        for (int i = 0; i < 3; i++) blob(&frame, i, point[i][0], point[i][1], 6);
        um_face_settings_recipe(&s);
        s.crop = (um_crop_shape)shape, s.align = true, s.size = sizes[k], s.margin = 0.1;
        if (um_face_crop(&crop, &frame, &face, &s, &err) < 0) fail_msg("%s", err.text);
        assert_true(um_face_crop_points(mapped, &face, &s));
        const double scale = crop.width / (shape == UM_CROP_TIGHT ? 89. : shape == UM_CROP_SQUARE ? 105. : 97.);
        for (int i = 0; i < 3; i++) {
          assert_true(bright(at[i], &crop, i));
          if (hypot(at[i][0] - mapped[i][0], at[i][1] - mapped[i][1]) > 0.1 * fmax(1, scale))
            fail_msg("%d degrees, shape %d, size %d: point %d at %g %g, said to be at %g %g", degrees, shape, s.size, i, at[i][0], at[i][1],
                     mapped[i][0], mapped[i][1]);
        }
        assert_true(fabs(mapped[0][1] - mapped[1][1]) < 1e-6);
        assert_true(fabs(mapped[1][0] - mapped[0][0] - 40 * scale) < 0.05 * scale);
        assert_true(mapped[2][1] > mapped[0][1] && fabs(mapped[2][0] - (mapped[0][0] + mapped[1][0]) / 2) < 1e-6);
        /* It is turned around the middle: that stays the middle. */
        assert_true(fabs((mapped[0][0] + mapped[1][0]) / 2 - crop.width / 2.) < (shape == UM_CROP_RECIPE ? 0.75 * scale : 1e-6));
        um_image_free(&frame);
      }
  um_image_free(&crop);
}

/* Without points, without the wish, or with eyes on one place a crop is upright, whole pixels of the frame. */
static void upright(void **state) {
  um_detection face = {.x = 20.5, .y = 10.25, .width = 30, .height = 24, .point = {{25, 20}, {45, 30}}};
  um_face_settings s;
  um_crop c;
  double point[UM_POINTS][2], corner[4][2];
  um_error err = {0};
  um_image frame = waves(), crop = {0};
  (void)state;
  um_face_settings_recipe(&s);
  for (int k = 0; k < 3; k++) {
    s.crop = UM_CROP_SQUARE;
    s.align = k != 1;
    face.has_points = k > 0;
    if (k == 2) memcpy(face.point[1], face.point[0], sizeof face.point[0]);
    um_face_crop_place(&c, &face, &s);
    /* Side 30, its middle at 35.5, 22.25. */
    assert_true(c.x == 20 && c.y == 7 && c.width == 30 && c.height == 30 && c.angle == 0);
    assert_int_equal(um_face_crop_points(point, &face, &s), k > 0);
    if (k) assert_true(point[0][0] == 25 - 20 && point[0][1] == 20 - 7);
    assert_int_equal(um_face_crop(&crop, &frame, &face, &s, &err), UM_OK);
    for (int y = 0; y < 30; y++) assert_memory_equal(crop.pixels + 90 * y, frame.pixels + 3 * (WIDTH * (7 + y) + 20), 90);
  }
  um_face_crop_corners(corner, &c);
  static const double want[4][2] = {{20, 7}, {50, 7}, {50, 37}, {20, 37}};
  assert_memory_equal(corner, want, sizeof want);
  s.crop = UM_CROP_TIGHT;
  um_face_crop_place(&c, &face, &s);
  assert_true(c.x == 20 && c.y == 10 && c.width == 30 && c.height == 24);
  s.margin = 0.5;
  um_face_crop_place(&c, &face, &s);
  assert_true(c.x == 13 && c.y == 4 && c.width == 45 && c.height == 36); /* 13 by 12.99..: from 20.5 - 7.5, 10.25 - 6 */
  s.size = 15;                                                           /* a third and 36 / 15 */
  face.has_points = true;
  assert_true(um_face_crop_points(point, &face, &s));
  assert_true(fabs(point[0][0] - 12 / 3.) < 1e-9 && fabs(point[0][1] - 16 * 15 / 36.) < 1e-9);
  /* A quarter turn clockwise takes the corners round. */
  c = (um_crop){.x = 10, .y = 20, .width = 30, .height = 10, .angle = acos(0)};
  um_face_crop_corners(corner, &c);
  static const double turned[4][2] = {{30, 10}, {30, 40}, {20, 40}, {20, 10}};
  for (int i = 0; i < 8; i++) assert_true(fabs(corner[i / 2][i % 2] - turned[i / 2][i % 2]) < 1e-9);
  um_image_free(&frame);
  um_image_free(&crop);
}

static bool is(const um_image *im, int x, int y, int r, int g, int b) {
  const uint8_t *p = im->pixels + 3 * (y * im->width + x);
  return p[0] == r && p[1] == g && p[2] == b;
}

static void outlines_and_points(void **state) {
  um_image im = picture(60, 50);
  static const double box[4][2] = {{10, 5}, {51, 5}, {51, 45}, {10, 45}};
  int red = 0;
  (void)state;
  um_draw_outline(&im, box);
  for (int y = 0; y < 50; y++)
    for (int x = 0; x < 60; x++) {
      const int left = x - 10, above = y - 5, right = 50 - x, below = 44 - y;
      const bool inside = left >= 0 && above >= 0 && right >= 0 && below >= 0;
      /* Each side is dashed from its first corner on, the way round. */
      const bool line = inside && ((above < 2 && left / 8 % 2 == 0) || (right < 2 && above / 8 % 2 == 0) ||
                                   (below < 2 && right / 8 % 2 == 0) || (left < 2 && below / 8 % 2 == 0));
      if (is(&im, x, y, 255, 0, 0) != line) fail_msg("%d, %d", x, y);
      red += line;
    }
  assert_in_range(red, 150, 200);
  memset(im.pixels, 0, 60 * 50 * 3);
  static const double slanted[4][2] = {{30, 5}, {50, 25}, {30, 45}, {10, 25}};
  um_draw_outline(&im, slanted);
  for (int i = 0; i < 50 * 60; i++) {
    const int x = i % 60, y = i / 60;
    const double away = 20 - fabs(x + 0.5 - 30) - fabs(y + 0.5 - 25); /* inwards, times the root of 2 */
    if (is(&im, x, y, 255, 0, 0) && (away < -1.5 || away > 4.5)) fail_msg("%d, %d", x, y);
  }
  assert_true(is(&im, 30, 6, 255, 0, 0) && is(&im, 33, 9, 255, 0, 0) && is(&im, 47, 26, 255, 0, 0));
  um_draw_point(&im, 20.9, 30.1);
  for (int y = 28; y <= 32; y++)
    for (int x = 18; x <= 22; x++) assert_int_equal(is(&im, x, y, 0, 255, 0), abs(x - 20) <= 1 && abs(y - 30) <= 1);
  /* Beyond the picture, at its corners, and at no place at all nothing happens. */
  static const double wild[4][2] = {{-1e9, 5}, {NAN, 3}, {1e300, -1e300}, {70, 60}};
  um_draw_outline(&im, wild);
  um_draw_point(&im, NAN, 5);
  um_draw_point(&im, -1, 1e12);
  um_draw_point(&im, 59.5, 49.5);
  assert_true(is(&im, 59, 49, 0, 255, 0) && is(&im, 58, 48, 0, 255, 0));
  um_image_free(&im);
}

static void letters(void **state) {
  static const char *const seven[UM_TEXT_HEIGHT] = {"######", "######", "....##", "....##", "..##..",
                                                    "..##..", "..##..", "..##..", "..##..", "..##.."};
  static const char *const slash[UM_TEXT_HEIGHT] = {"....##", "....##", "....##", "....##", "..##..",
                                                    "..##..", "##....", "##....", "##....", "##...."};
  um_image im = picture(40, 20);
  (void)state;
  memset(im.pixels, 200, 40 * 20 * 3);
  um_draw_text(&im, 5, 3, "7 /");
  for (int y = 0; y < 20; y++)
    for (int x = 0; x < 40; x++) {
      const int v = y - 3, u = (x - 5) % UM_TEXT_WIDTH, which = x < 5 ? -1 : (x - 5) / UM_TEXT_WIDTH;
      const char *const *of = which == 0 ? seven : which == 2 ? slash : NULL;
      const bool ink = of && v >= 0 && v < UM_TEXT_HEIGHT && u < 6 && of[v][u] == '#';
      assert_int_equal(is(&im, x, y, 0, 0, 0), ink);
    }
  um_draw_text(&im, 30, -4, "beyond \xc3\xbc the edge");
  um_image_free(&im);
}

/* ">" is "<" in a mirror, and both are there, in either alphabet: scores say "more than" with them. */
static void more_and_less(void **state) {
  um_image less = picture(40, 40), more = picture(40, 40);
  int ink[2] = {0, 0};
  (void)state;
  for (int k = 0; k < 2; k++) {
    memset(less.pixels, 255, 40 * 40 * 3), memset(more.pixels, 255, 40 * 40 * 3);
    const double width = k ? um_paint_text_width(30, .15, "<") : 6;
    if (k)
      um_paint_text(&less, 4, 4, 30, .15, "<", (um_paint){{0, 0, 0}, 1}),
          um_paint_text(&more, 36 - width, 4, 30, .15, ">", (um_paint){{0, 0, 0}, 1});
    if (!k) um_draw_text(&less, 4, 4, "<"), um_draw_text(&more, 36 - (int)width, 4, ">");
    for (int y = 0; y < 40; y++)
      for (int x = 0; x < 40; x++) {
        const int a = less.pixels[(y * 40 + x) * 3], b = more.pixels[(y * 40 + 39 - x) * 3];
        assert_true(abs(a - b) <= 2);
        ink[k] += a < 128;
      }
    assert_true(ink[k] >= 20);
  }
  um_image_free(&less), um_image_free(&more);
}

/* Pictures of a grey each: the item's number. */
static void sheet_items(um_sheet_item *item, const int *group, int count, int width, int height) {
  um_error err = {0};
  um_image im = picture(width, height);
  for (int i = 0; i < count; i++) {
    char name[32];
    snprintf(name, sizeof name, "sheet/%d.png", i);
    memset(im.pixels, 8 * i, (size_t)(width * height) * 3);
    item[i] = (um_sheet_item){.path = strdup(tmp_path(name)), .group = group[i]};
    assert_non_null(item[i].path);
    if (um_image_write_png(&im, item[i].path, &err) < 0) fail_msg("%s", err.text);
  }
  um_image_free(&im);
}

/* The numbers of the pictures on a sheet, from the grey in the middle of the cells. */
static int on_sheet(int *number, const um_sheet_item *item, int count, int most, int side, int columns) {
  const char *path = tmp_path("sheet.jpg");
  um_error err = {0};
  um_image im = {0};
  int n = 0;
  if (um_contact_sheet_write(path, item, count, most, side, &err) < 0 || um_image_read(&im, path, &err) < 0) fail_msg("%s", err.text);
  const int wide = side + 2, high = side + 16;
  assert_int_equal(im.width, columns * wide - 2);
  assert_int_equal((im.height + 2) % high, 0);
  for (int y = 0; y < (im.height + 2) / high; y++)
    for (int x = 0; x < columns; x++) {
      const int level = im.pixels[3 * ((y * high + side / 2) * im.width + x * wide + side / 2)];
      if (level < 230) number[n++] = (level + 4) / 8;
    }
  um_image_free(&im);
  return n;
}

static void sheets(void **state) {
  static const int group[20] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2};
  um_sheet_item item[20];
  um_error err = {0};
  int n[20];
  (void)state;
  sheet_items(item, group, 20, 24, 24);
  assert_int_equal(on_sheet(n, item, 20, 100, 24, 5), 20);
  for (int i = 0; i < 20; i++) assert_int_equal(n[i], i);
  /* Eight: both of the second video, three of the others, in the middle of thirds of 10 and of 8. */
  static const int eight[] = {1, 5, 8, 10, 11, 13, 16, 18};
  assert_int_equal(on_sheet(n, item, 20, 8, 24, 3), 8);
  assert_memory_equal(n, eight, sizeof eight);
  assert_int_equal(on_sheet(n, item, 20, 11, 24, 4), 11); /* 5, 2 and 4 */
  /* Two for three videos: one each of the first two, their middles. */
  static const int two[] = {5, 11};
  assert_int_equal(on_sheet(n, item, 20, 2, 24, 2), 2);
  assert_memory_equal(n, two, sizeof two);
  assert_int_equal(on_sheet(n, item + 4, 1, 9, 48, 1), 1);
  for (int i = 0; i < 20; i++) free((char *)item[i].path);
  /* A wide picture lies in the middle of its cell; the label is below. */
  sheet_items(item, group, 1, 48, 12);
  item[0].label = "0123456789/-_.:abcxyz";
  um_image im = {0};
  const char *path = tmp_path("sheet.jpg");
  if (um_contact_sheet_write(path, item, 1, 1, 64, &err) < 0 || um_image_read(&im, path, &err) < 0) fail_msg("%s", err.text);
  assert_int_equal(im.width, 64);
  assert_int_equal(im.height, 64 + 14);
  for (int y = 0; y < 64; y += 3) {
    const int level = im.pixels[3 * (64 * y + 32)];
    assert_true(y < 22 || y > 42 ? level > 240 : y < 26 || y > 38 || level < 16);
  }
  int ink = 0;
  for (int i = 64 * 66; i < 64 * 76; i++) ink += im.pixels[3 * i] < 100;
  assert_in_range(ink, 100, 400);
  um_image_free(&im);
  free((char *)item[0].path);
  item[0].path = "/nowhere/none.png";
  assert_int_equal(um_contact_sheet_write(path, item, 1, 1, 64, &err), UM_EIO);
  assert_int_equal(um_contact_sheet_write(path, item, 0, 1, 64, &err), UM_EINTERNAL);
  item[0].path = path;
  assert_int_equal(um_contact_sheet_write("/nowhere/sheet.jpg", item, 1, 1, 64, &err), UM_EIO);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_opencv_and_pillow),
      cmocka_unit_test(eyes_are_level),
      cmocka_unit_test(upright),
      cmocka_unit_test(outlines_and_points),
      cmocka_unit_test(letters),
      cmocka_unit_test(more_and_less),
      cmocka_unit_test(sheets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
