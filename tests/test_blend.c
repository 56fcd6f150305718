/* Self-blended pictures: hulls, fit and deformation against OpenCV, numpy and scipy (tests/golden/augment.py); the whole by what must hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/blend.h"
#include "data/degrade.h"
#include "tests/support/golden.h"
#include "tests/support/picture.h"

enum { SIDE = 96, N = SIDE * SIDE, BYTES = N * 3 };

static um_st *golden;

static int open_golden(void **state) {
  (void)state;
  return golden_open(&golden, "tests/golden/augment.safetensors");
}

static int close_golden(void **state) {
  (void)state;
  um_st_close(golden);
  return 0;
}

static const um_st_entry *find(const char *kind, int i, const char *what) {
  char name[64];
  snprintf(name, sizeof name, "%s/%d/%s", kind, i, what);
  const um_st_entry *e = um_st_find(golden, name);
  if (!e) fail_msg("no %s", name);
  return e;
}

static um_rng address(uint32_t sample) { return (um_rng){.seed = 21, .stream = UM_STREAM_BLEND, .epoch = 3, .sample = sample}; }

static um_blender *blender(int height, int width) {
  um_blender *b;
  um_error err;
  if (um_blender_open(&b, height, width, &err) < 0) fail_msg("%s", err.text);
  return b;
}

/* The same pixels as OpenCV's convexHull and pointPolygonTest find. */
static void hulls(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    const um_st_entry *points = find("hull", i, "points"), *mask = find("hull", i, "mask");
    const float *p = points->tensor.data;
    const uint8_t *expected = mask->tensor.data;
    int n = (int)points->tensor.dim[0], height = (int)mask->tensor.dim[0], width = (int)mask->tensor.dim[1];
    um_point hull[UM_HULL_POINTS_MAX];
    float *values = calloc((size_t)(height * width), sizeof *values);
    assert_non_null(values);
    for (int k = 0; k < n; k++) hull[k] = (um_point){p[2 * k], p[2 * k + 1]};
    n = um_convex_hull(hull, n);
    um_fill_convex(values, height, width, hull, n);
    for (int k = 0; k < height * width; k++) assert_true(values[k] == (float)expected[k]);
    free(values);
  }
}

static bool has(const um_hulls *h, double x, double y) {
  for (int k = 0; k < h->points[0]; k++)
    if (hypot(h->point[0][k].x - x, h->point[0][k].y - y) < 1e-3) return true;
  return false;
}

/* Chin and temples of the mean face are where numpy's least squares put them. */
static void fits(void **state) {
  static const double place[][2] = {{0, 1.909}, {1.229, 0.041}, {-1.229, 0.041}, {0.3, -0.890}};
  um_hulls h;
  (void)state;
  for (int i = 0; i < 4; i++) {
    const float *points = find("fit", i, "points")->tensor.data, *s = find("fit", i, "similarity")->tensor.data;
    assert_true(um_outline(&h, UM_OUTLINE_FACE, points, 160, 160));
    assert_true(fabs(h.unit - hypot(s[0], s[1])) < 1e-3);
    for (size_t k = 0; k < sizeof place / sizeof *place; k++) {
      double x = place[k][0], y = place[k][1];
      assert_true(has(&h, s[0] * x - s[1] * y + s[2], s[1] * x + s[0] * y + s[3]));
    }
  }
}

/* Points that are no face's give the outline of a face that fills its crop. */
static void refuses_points(void **state) {
  float guess[10], points[10];
  um_hulls expected, h;
  (void)state;
  um_outline_guess(guess, 100, 100);
  assert_false(um_outline(&expected, UM_OUTLINE_FACE, NULL, 100, 100));
  assert_true(um_outline(&h, UM_OUTLINE_FACE, guess, 100, 100)); /* the same, as it were known */
  assert_memory_equal(&h, &expected, sizeof h);
  for (int how = 0; how < 6; how++) {
    for (int i = 0; i < 10; i++) {
      points[i] = guess[i];
      if (how == 0) points[i] = 50;            /* all at one place */
      if (how == 1) points[i] *= 0.02f;        /* too small */
      if (how == 2) points[i] *= 1000;         /* too large */
      if (how == 3) points[i] += 200;          /* elsewhere */
      if (how == 4 && i == 7) points[i] = NAN; /* not read from any file, but who knows */
      if (how == 5) points[i] = i % 2 ? 1e30f : -1e30f;
    }
    assert_false(um_outline(&h, UM_OUTLINE_FACE, points, 100, 100));
    assert_memory_equal(&h, &expected, sizeof h);
  }
}

/* As map_coordinates, in single precision: coordinates of some tens are known to 1e-5. */
static void deforms(void **state) {
  const um_st_entry *mask = find("elastic", 0, "mask"), *field = find("elastic", 0, "field"), *expected = find("elastic", 0, "out");
  int height = (int)mask->tensor.dim[0], width = (int)mask->tensor.dim[1], part = 0;
  const float *want = expected->tensor.data;
  float *out = malloc((size_t)(height * width) * sizeof *out), *scratch = malloc(um_elastic_scratch(height, width) * sizeof *scratch);
  (void)state;
  assert_true(out && scratch);
  um_elastic_warp(out, mask->tensor.data, height, width, field->tensor.data, scratch);
  for (int i = 0; i < height * width; i++) {
    assert_true(fabsf(out[i] - want[i]) < 1e-4f);
    part += want[i] > 0.01f && want[i] < 0.99f;
  }
  assert_true(part > 50);
  free(out);
  free(scratch);
}

static void elastic_fields(void **state) {
  enum { NODES = UM_ELASTIC_NODES * UM_ELASTIC_NODES };
  static float a[2 * NODES], b[2 * NODES];
  const um_rng at = address(1), other = address(2);
  double square = 0, change = 0, both = 0;
  (void)state;
  um_elastic_field(a, 2.5, 3, &at);
  um_elastic_field(b, 2.5, 3, &at);
  assert_memory_equal(a, b, sizeof a);
  um_elastic_field(b, 2.5, 3, &other);
  for (int i = 0; i < 2 * NODES; i++) {
    square += a[i] * a[i];
    both += a[i] * b[i];
    if (i % UM_ELASTIC_NODES) change += (a[i] - a[i - 1]) * (a[i] - a[i - 1]);
  }
  assert_true(fabs(sqrt(square / (2 * NODES)) - 3) < 1e-4);
  /* Noise smoothed with sigma s has the correlation exp(-d^2 / (4 s^2)) at distance d: a step changes it by 2 (1 - 0.961) of the variance. */
  assert_true(fabs(change / square - 0.078) < 0.03);
  assert_true(fabs(both / square) < 0.4); /* about 30 independent values in each */
}

/* A draw that changes nothing but the mask. */
static um_blend_draw plain(um_outline_kind outline) {
  return (um_blend_draw){.brightness = 1,
                         .contrast = 1,
                         .saturation = 1,
                         .detail = UM_BLEND_BLUR,
                         .scale = {1, 1},
                         .outline = outline,
                         .elastic = 0.02,
                         .erode = 0.02,
                         .soften = 0.04,
                         .ratio = 1};
}

/* A picture blended with itself as it is stays as it is, whatever the mask. */
static void blends_nothing(void **state) {
  static uint8_t original[BYTES], out[BYTES];
  um_blender *b = blender(SIDE, SIDE);
  um_error err;
  bool guessed;
  (void)state;
  test_picture(original, SIDE, SIDE);
  for (int kind = 0; kind < UM_OUTLINE_KINDS; kind++) {
    um_blend_draw draw = plain((um_outline_kind)kind);
    const um_rng at = address((uint32_t)kind);
    memcpy(out, original, BYTES);
    assert_int_equal(um_blend(b, out, NULL, &draw, &at, &guessed, &err), UM_OK);
    assert_true(guessed);
    assert_memory_equal(out, original, BYTES);
  }
  um_blender_close(b);
}

/* The source is one known picture, the target another: a value between them in the share of the mask; where the mask is 0, the target's own bytes. */
static void follows_the_mask(void **state) {
  static const double ratios[] = {0.25, 0.5, 0.75, 1};
  static uint8_t original[BYTES], out[BYTES], changed[BYTES];
  float points[10];
  um_blender *b = blender(SIDE, SIDE);
  um_error err;
  bool guessed;
  (void)state;
  test_picture(original, SIDE, SIDE);
  um_outline_guess(points, SIDE, SIDE);
  for (int i = 0; i < 10; i++) points[i] = SIDE / 2 + 0.8f * (points[i] - SIDE / 2);
  for (int i = 0; i < BYTES; i++) original[i] = (uint8_t)(60 + original[i] / 2); /* so that a shift by 40 clips nothing */
  for (int on_target = 0; on_target < 2; on_target++)
    for (int kind = 0; kind < UM_OUTLINE_KINDS; kind++)
      for (int r = 0; r < 4; r++) {
        um_blend_draw draw = plain((um_outline_kind)kind);
        const um_rng at = address((uint32_t)(kind + 4 * r));
        float most = 0;
        int outside = 0, inside = 0;
        draw.on_target = on_target;
        draw.ratio = ratios[r];
        draw.shift[0] = 40, draw.shift[1] = -40, draw.shift[2] = 20;
        memcpy(out, original, BYTES);
        memcpy(changed, original, BYTES);
        um_shift_channels(changed, N, draw.shift);
        const uint8_t *source = on_target ? original : changed, *target = on_target ? changed : original;
        assert_int_equal(um_blend(b, out, points, &draw, &at, &guessed, &err), UM_OK);
        assert_false(guessed);
        const float *mask = um_blend_mask(b);
        for (int i = 0; i < BYTES; i++) {
          float m = mask[i / 3];
          assert_true(m >= 0 && m <= (float)ratios[r]);
          assert_true(fabsf((float)out[i] - ((float)target[i] + m * (float)(source[i] - target[i]))) <= 0.501f);
          if (m == 0) assert_int_equal(out[i], target[i]);
          most = m > most ? m : most;
          outside += m == 0;
          inside += m > 0.999f * (float)ratios[r];
        }
        assert_true(fabs(most - ratios[r]) < 1e-6);
        assert_true(outside > BYTES / 30 && inside > BYTES / 50);
      }
  um_blender_close(b);
}

/* Which masks contain which, and that they are a face's: symmetric but for the deformation, around the points. */
static void masks(void **state) {
  static uint8_t picture[BYTES];
  static float mask[UM_OUTLINE_KINDS][N];
  float points[10];
  double area[UM_OUTLINE_KINDS] = {0};
  um_blender *b = blender(SIDE, SIDE);
  um_error err;
  bool guessed;
  (void)state;
  um_outline_guess(points, SIDE, SIDE);
  for (int i = 0; i < 10; i++) points[i] = SIDE / 2 + 0.6f * (points[i] - SIDE / 2); /* small enough to lie inside */
  for (int kind = 0; kind < UM_OUTLINE_KINDS; kind++) {
    um_blend_draw draw = plain((um_outline_kind)kind);
    const um_rng at = address(5);
    draw.elastic = 0;
    assert_int_equal(um_blend(b, picture, points, &draw, &at, &guessed, &err), UM_OK);
    memcpy(mask[kind], um_blend_mask(b), sizeof mask[kind]);
    for (int i = 0; i < N; i++) area[kind] += mask[kind][i];
    for (int i = 0; i < 6; i += 2) assert_true(mask[kind][(int)points[i + 1] * SIDE + (int)points[i]] > 0.9f); /* eyes, nose */
    for (int i = 0; i < SIDE; i++) { /* not at the picture's edge */
      assert_true(mask[kind][i] == 0 && mask[kind][N - 1 - i] == 0);
      assert_true(mask[kind][i * SIDE] == 0 && mask[kind][i * SIDE + SIDE - 1] == 0);
    }
  }
  assert_true(area[UM_OUTLINE_FACE] > 1.2 * area[UM_OUTLINE_BROWS_DOWN]);
  assert_true(area[UM_OUTLINE_BROWS_DOWN] > 1.2 * area[UM_OUTLINE_INNER]);
  assert_true(area[UM_OUTLINE_INNER] > 1.1 * area[UM_OUTLINE_PARTS]);
  for (int i = 0; i < N; i++)
    for (int kind = 1; kind < UM_OUTLINE_KINDS; kind++) assert_true(mask[kind][i] <= mask[kind - 1][i] + 1e-5f);
  /* The whole is moved with its source. */
  um_blend_draw draw = plain(UM_OUTLINE_FACE);
  const um_rng at = address(5);
  double before[2] = {0}, after[2] = {0}, sum = 0;
  draw.elastic = 0;
  draw.move[0] = 0.05, draw.move[1] = -0.03;
  assert_int_equal(um_blend(b, picture, points, &draw, &at, &guessed, &err), UM_OK);
  const float *moved = um_blend_mask(b);
  for (int i = 0; i < N; i++) {
    before[0] += mask[0][i] * (float)(i / SIDE), before[1] += mask[0][i] * (float)(i % SIDE);
    after[0] += moved[i] * (float)(i / SIDE), after[1] += moved[i] * (float)(i % SIDE);
    sum += moved[i];
  }
  assert_true(fabs(after[0] / sum - before[0] / area[0] - 0.05 * SIDE) < 0.3);
  assert_true(fabs(after[1] / sum - before[1] / area[0] + 0.03 * SIDE) < 0.3);
  um_blender_close(b);
}

/* A ramp stays a ramp when it is moved and scaled: inside of the mask the values are those of the inverse map. */
static void moves_the_source(void **state) {
  static uint8_t out[BYTES];
  um_blender *b = blender(SIDE, SIDE);
  um_error err;
  bool guessed;
  int inside = 0;
  um_blend_draw draw = plain(UM_OUTLINE_INNER);
  const um_rng at = address(5);
  (void)state;
  draw.scale[0] = 1.05, draw.scale[1] = 0.95;
  draw.move[0] = 0.01, draw.move[1] = -0.03;
  for (int i = 0; i < N; i++)
    out[3 * i] = (uint8_t)(2 * (i / SIDE) + 10), out[3 * i + 1] = (uint8_t)(2 * (i % SIDE) + 10), out[3 * i + 2] = 9;
  assert_int_equal(um_blend(b, out, NULL, &draw, &at, &guessed, &err), UM_OK);
  const float *mask = um_blend_mask(b);
  for (int i = 0; i < N; i++) {
    double middle = (SIDE - 1) / 2.0, y = (i / SIDE - middle - 0.01 * SIDE) / 1.05 + middle,
           x = (i % SIDE - middle + 0.03 * SIDE) / 0.95 + middle;
    if (mask[i] < 1) continue;
    assert_true(fabs(out[3 * i] - (2 * y + 10)) <= 0.51 && fabs(out[3 * i + 1] - (2 * x + 10)) <= 0.51);
    assert_int_equal(out[3 * i + 2], 9);
    inside++;
  }
  assert_true(inside > 500);
  um_blender_close(b);
}

/* The draws' ranges and shares; and that a blend is a function of its address alone. */
static void draws(void **state) {
  enum { TIMES = 3000 };
  int outline[UM_OUTLINE_KINDS] = {0}, detail[3] = {0}, ratio[4] = {0}, on_target = 0, shifted = 0;
  double low[3] = {9, 9, 9}, high[3] = {0};
  (void)state;
  for (uint32_t i = 0; i < TIMES; i++) {
    um_blend_draw d, again;
    const um_rng at = address(i);
    um_blend_draw_at(&d, &at);
    um_blend_draw_at(&again, &at);
    assert_true(d.amount == again.amount && d.scale[1] == again.scale[1] && d.ratio == again.ratio);
    outline[d.outline]++;
    detail[d.detail]++;
    ratio[(int)(4 * d.ratio) - 1]++;
    on_target += d.on_target;
    shifted += d.shift[0] || d.shift[1] || d.shift[2];
    const double value[3] = {d.brightness, d.scale[0], d.soften};
    for (int k = 0; k < 3; k++) low[k] = fmin(low[k], value[k]), high[k] = fmax(high[k], value[k]);
    assert_true(fabs(d.move[0]) <= 0.015 && fabs(d.move[1]) <= 0.03);
  }
  /* Five standard deviations of a count. */
  for (int k = 0; k < 4; k++) assert_in_range(outline[k], 750 - 119, 750 + 119);
  for (int k = 0; k < 3; k++) assert_in_range(detail[k], 1000 - 130, 1000 + 130);
  for (int k = 0; k < 3; k++) assert_in_range(ratio[k], 500 - 103, 500 + 103);
  assert_in_range(ratio[3], 1500 - 137, 1500 + 137);
  assert_in_range(on_target, 1500 - 137, 1500 + 137);
  assert_in_range(shifted, 900 - 126, 900 + 126);
  assert_true(low[0] < 0.901 && high[0] > 1.099 && low[1] < 0.951 && high[1] > 1.052 && low[2] < 0.021 && high[2] > 0.079);
}

/* Any size, any points that a manifest may hold, all draws: in bounds (the sanitizers look), no failure. */
static void any_size(void **state) {
  static const int size[][2] = {{1, 1}, {1, 7}, {7, 1}, {2, 2}, {3, 40}, {50, 9}, {64, 64}};
  uint8_t pixels[64 * 64 * 3];
  um_error err;
  bool guessed;
  (void)state;
  for (size_t s = 0; s < sizeof size / sizeof *size; s++) {
    um_blender *b = blender(size[s][0], size[s][1]);
    for (uint32_t i = 0; i < 60; i++) {
      um_blend_draw draw;
      const um_rng at = address(i);
      float points[10];
      double wide = (double[]){1, 10, 1000, 1e6}[i % 4];
      for (uint32_t k = 0; k < 10; k++) points[k] = (float)um_rng_range(&at, 1000 + k, -wide, 64 + wide);
      um_blend_draw_at(&draw, &at);
      test_picture(pixels, size[s][0], size[s][1]);
      assert_int_equal(um_blend(b, pixels, i % 5 ? points : NULL, &draw, &at, &guessed, &err), UM_OK);
    }
    um_blender_close(b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hulls),
      cmocka_unit_test(fits),
      cmocka_unit_test(refuses_points),
      cmocka_unit_test(deforms),
      cmocka_unit_test(elastic_fields),
      cmocka_unit_test(blends_nothing),
      cmocka_unit_test(follows_the_mask),
      cmocka_unit_test(masks),
      cmocka_unit_test(moves_the_source),
      cmocka_unit_test(draws),
      cmocka_unit_test(any_size),
  };
  return cmocka_run_group_tests(tests, open_golden, close_golden);
}
