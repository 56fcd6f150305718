/* The random transform against Keras of both generations (tests/golden/transform.py): what is drawn, the matrix that it means, and
 * the pixels that come of it through the backends' warp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/safetensors.h"
#include "data/transform.h"
#include "tests/support/golden.h"
#include "tests/support/picture.h"

static um_st *golden;

static int open_golden(void **state) {
  (void)state;
  return golden_open(&golden, "tests/golden/transform.safetensors");
}

static int close_golden(void **state) {
  (void)state;
  um_st_close(golden);
  return 0;
}

static void read_numbers(double *to, int n, const char *text) {
  for (int i = 0; i < n; i++) {
    char *end;
    to[i] = strtod(text, &end);
    assert_ptr_not_equal(end, text);
    text = end;
  }
  assert_int_equal(*text, 0);
}

static um_transform transform_of(const double *v) {
  return (um_transform){.theta = v[0],
                        .tx = v[1],
                        .ty = v[2],
                        .shear = v[3],
                        .zx = v[4],
                        .zy = v[5],
                        .flip_horizontal = v[6] != 0,
                        .flip_vertical = v[7] != 0};
}

/* As in the script: 4 numbers of the setting, 8 parameters, the step, identity, the matrix. */
typedef struct golden_case {
  char key[32];
  int height, width, step;
  um_semantics semantics;
  um_fill_mode fill;
  float cval;
  um_transform t;
  bool identity;
  double m[6];
} golden_case;

static bool read_case(golden_case *c, um_semantics semantics, int i) {
  double v[20];
  snprintf(c->key, sizeof c->key, "warp/%s/%d", semantics == UM_KERAS2 ? "keras2" : "keras3", i);
  const char *text = um_st_metadata(golden, c->key);
  if (!text) return false;
  read_numbers(v, 20, text);
  c->height = (int)v[0], c->width = (int)v[1], c->step = (int)v[12];
  c->semantics = semantics;
  c->fill = (um_fill_mode)v[2];
  c->cval = (float)v[3];
  c->t = transform_of(v + 4);
  c->identity = v[13] != 0;
  memcpy(c->m, v + 14, sizeof c->m);
  return true;
}

static void matrices(void **state) {
  golden_case c;
  (void)state;
  for (int g = 0; g < 2; g++) {
    int n = 0;
    for (; read_case(&c, g ? UM_KERAS3 : UM_KERAS2, n); n++) {
      um_warp_sample s;
      um_transform_matrix(&s, &c.t, c.semantics, c.height, c.width);
      assert_int_equal(s.identity, c.identity);
      assert_int_equal(s.flip_horizontal, c.t.flip_horizontal);
      assert_int_equal(s.flip_vertical, c.t.flip_vertical);
      /* numpy's products and ours differ by roundings of numbers up to 300. */
      for (int k = 0; k < 6; k++)
        if (!(fabs(s.m[k] - c.m[k]) < 1e-12 * (fabs(c.m[k]) + 300))) fail_msg("%s: m[%d] = %.17g, Keras %.17g", c.key, k, s.m[k], c.m[k]);
    }
    assert_int_equal(n, 20);
  }
}

/* The pixels: within 1/255 of Keras', which is the agreed bound; ref, the oracle, within the fixture's own rounding. */
static void check_pixels(um_backend *be, double bound) {
  golden_case c;
  um_error err;
  double worst = 0;
  for (int g = 0; g < 2; g++) {
    for (int n = 0; read_case(&c, g ? UM_KERAS3 : UM_KERAS2, n); n++) {
      const um_tensor *expected = &um_st_find(golden, c.key)->tensor;
      const uint8_t *p = expected->data;
      const int64_t dim[] = {1, c.height, c.width, 3};
      um_tensor x = um_tensor_plain(UM_U8, 4, dim), y = um_tensor_plain(UM_F32, 4, dim);
      um_warp_sample s;
      const um_warp how = {.fill = c.fill, .cval = c.cval, .scale = 1 / 255.f};
      x.data = malloc(x.bytes);
      y.data = malloc(y.bytes);
      assert_true(x.data && y.data);
      memset(y.data, 0xff, y.bytes); /* NaN */
      test_picture(x.data, c.height, c.width);
      um_transform_matrix(&s, &c.t, c.semantics, c.height, c.width);
      assert_int_equal(be->ops->warp(be, &y, &x, &s, &(um_control){.n = 1}, &how, &err), UM_OK);
      int64_t at = 0, count = um_tensor_count(&y);
      for (int64_t k = 0; k < expected->dim[0]; k++, at += c.step) {
        assert_true(at < count);
        double difference = fabs(((const float *)y.data)[at] - (p[2 * k] * 256 + p[2 * k + 1]) / 65280.);
        if (!(difference <= bound)) fail_msg("%s: element %" PRId64 " is off by %.3g / 255", c.key, at, difference * 255);
        if (difference > worst) worst = difference;
      }
      assert_true(at >= count); /* the fixture covers the whole picture */
      free(x.data);
      free(y.data);
    }
  }
  print_message("largest difference: %.5f / 255\n", worst * 255);
}

static void pixels_of_ref(void **state) {
  um_backend *be;
  um_error err;
  (void)state;
  assert_int_equal(um_ref_open(&be, &err), UM_OK);
  check_pixels(be, 0.003 / 255);
  be->ops->close(be);
}

static void pixels_of_cpu(void **state) {
  um_backend *be;
  um_error err;
  (void)state;
  if (um_cpu_open(&be, 2, &err) < 0) fail_msg("%s", err.text);
  check_pixels(be, 1 / 255.);
  be->ops->close(be);
}

static void draws(void **state) {
  int n = 0;
  (void)state;
  for (;; n++) {
    char key[32];
    double v[23];
    snprintf(key, sizeof key, "draw/%d", n);
    const char *text = um_st_metadata(golden, key);
    if (!text) break;
    read_numbers(v, 21, text);
    um_rng at = {.seed = strtoull(text, NULL, 10), .stream = UM_STREAM_AUGMENT, .epoch = (uint32_t)v[1], .sample = (uint32_t)v[2]};
    const um_augmentation_config a = {.rotation_range = v[5],
                                      .width_shift_range = v[6],
                                      .height_shift_range = v[7],
                                      .shear_range = v[8],
                                      .zoom_range = {v[9], v[10]},
                                      .horizontal_flip = v[11] != 0,
                                      .vertical_flip = v[12] != 0};
    const um_transform expected = transform_of(v + 13);
    um_transform t;
    memset(&t, 0xff, sizeof t);
    um_transform_draw(&t, &at, &a, (int)v[3], (int)v[4]);
    const double got[] = {t.theta, t.tx, t.ty, t.shear, t.zx, t.zy},
                 want[] = {expected.theta, expected.tx, expected.ty, expected.shear, expected.zx, expected.zy};
    for (int k = 0; k < 6; k++)
      if (got[k] != want[k]) fail_msg("%s: parameter %d is %.17g, Keras has %.17g", key, k, got[k], want[k]);
    assert_int_equal(t.flip_horizontal, expected.flip_horizontal);
    assert_int_equal(t.flip_vertical, expected.flip_vertical);
  }
  assert_int_equal(n, 36);
}

/* The recipe's ranges over many samples: inside, reaching near both ends, means near the middle, half of the pictures flipped. */
static void distribution(void **state) {
  enum { N = 20000 };
  const um_augmentation_config a = {.rotation_range = 40,
                                    .width_shift_range = 0.2,
                                    .height_shift_range = 0.2,
                                    .shear_range = 0.2,
                                    .zoom_range = {0.8, 1.2},
                                    .horizontal_flip = true};
  const double low[] = {-40, -30, -40, -0.2, 0.8, 0.8}, high[] = {40, 30, 40, 0.2, 1.2, 1.2};
  double least[6], most[6], sum[6] = {0};
  int flips = 0;
  (void)state;
  for (int i = 0; i < N; i++) {
    const um_rng at = {.seed = 42, .stream = UM_STREAM_AUGMENT, .epoch = 1, .sample = (uint32_t)i};
    um_transform t;
    um_transform_draw(&t, &at, &a, 150, 200);
    const double v[] = {t.theta, t.tx, t.ty, t.shear, t.zx, t.zy};
    for (int k = 0; k < 6; k++) {
      if (!i || v[k] < least[k]) least[k] = v[k];
      if (!i || v[k] > most[k]) most[k] = v[k];
      sum[k] += v[k];
    }
    flips += t.flip_horizontal;
    assert_false(t.flip_vertical);
  }
  for (int k = 0; k < 6; k++) {
    double range = high[k] - low[k];
    assert_true(least[k] >= low[k] && least[k] < low[k] + range / 1000);
    assert_true(most[k] < high[k] && most[k] > high[k] - range / 1000);
    /* The mean of N uniform numbers: standard deviation range / sqrt(12 N). */
    assert_true(fabs(sum[k] / N - (low[k] + high[k]) / 2) < 5 * range / sqrt(12.0 * N));
  }
  assert_true(abs(flips - N / 2) < 5 * sqrt(N / 4.0));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(matrices), cmocka_unit_test(pixels_of_ref), cmocka_unit_test(pixels_of_cpu),
                                     cmocka_unit_test(draws), cmocka_unit_test(distribution)};
  return cmocka_run_group_tests(tests, open_golden, close_golden);
}
