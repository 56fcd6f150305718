/* Changes to a picture against Pillow, scipy and numpy (tests/golden/augment.py), and what is drawn of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/degrade.h"
#include "tests/support/golden.h"
#include "tests/support/picture.h"

enum { H = 20, W = 26, N = H * W, BYTES = N * 3 };

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

static um_degrader *degrader(int height, int width) {
  um_degrader *d;
  um_error err;
  if (um_degrader_open(&d, height, width, &err) < 0) fail_msg("%s", err.text);
  return d;
}

/* Entry i where its name begins with `prefix`: what follows, its data and how many values. */
static const char *entry(int i, const char *prefix, const void **data, size_t *count) {
  const um_st_entry *e = um_st_at(golden, i);
  size_t n = strlen(prefix);
  if (strncmp(e->name, prefix, n) != 0) return NULL;
  *data = e->tensor.data;
  *count = 1;
  for (int k = 0; k < e->tensor.ndim; k++) *count *= (size_t)e->tensor.dim[k];
  return e->name + n;
}

/* To the byte: ImageEnhance, JPEG, there and back, shifts. */
static void as_pillow(void **state) {
  um_degrader *d = degrader(H, W);
  um_error err;
  int cases[4] = {0};
  (void)state;
  for (int i = 0; i < um_st_count(golden); i++) {
    const void *expected;
    const char *name;
    size_t count;
    uint8_t out[BYTES];
    char word[16];
    int quality, height, width, shift[3];
    float factor;
    test_picture(out, H, W);
    if ((name = entry(i, "enhance/", &expected, &count))) {
      assert_int_equal(sscanf(name, "%15[A-Za-z]/%f", word, &factor), 2);
      if (*word == 'B') um_adjust_brightness(out, N, factor);
      if (*word == 'C' && word[2] == 'n') um_adjust_contrast(out, N, factor);
      if (*word == 'C' && word[2] == 'l') um_adjust_saturation(out, N, factor);
      cases[0]++;
    } else if ((name = entry(i, "jpeg/", &expected, &count))) {
      assert_int_equal(sscanf(name, "%d", &quality), 1);
      assert_int_equal(um_compress_jpeg(d, out, quality, &err), UM_OK);
      cases[1]++;
    } else if ((name = entry(i, "scale/", &expected, &count))) {
      assert_int_equal(sscanf(name, "%15[a-z]/%dx%d", word, &height, &width), 3);
      assert_int_equal(um_downscale(d, out, height, width, *word == 'n' ? UM_NEAREST : UM_BILINEAR, &err), UM_OK);
      cases[2]++;
    } else if ((name = entry(i, "shift/", &expected, &count))) {
      assert_int_equal(sscanf(name, "%d/%d/%d", &shift[0], &shift[1], &shift[2]), 3);
      um_shift_channels(out, N, shift);
      cases[3]++;
    } else {
      continue;
    }
    assert_int_equal(count, BYTES);
    if (memcmp(out, expected, BYTES) != 0) fail_msg("%s differs", um_st_at(golden, i)->name);
  }
  assert_int_equal(cases[0], 18);
  assert_int_equal(cases[1], 5);
  assert_int_equal(cases[2], 8);
  assert_int_equal(cases[3], 2);
  um_degrader_close(d);
}

/* In single precision: within a few roundings of values up to 255. A blurred picture is that, rounded. */
static void as_scipy(void **state) {
  um_degrader *d = degrader(H, W);
  int cases = 0;
  (void)state;
  for (int i = 0; i < um_st_count(golden); i++) {
    const void *data;
    size_t count;
    uint8_t picture[BYTES];
    float values[BYTES];
    const char *name = entry(i, "gauss/", &data, &count);
    if (!name) continue;
    const float *expected = data;
    double sigma = strtod(name, NULL);
    float *scratch = malloc(um_gaussian_scratch(H, W, 3, sigma) * sizeof *scratch);
    assert_non_null(scratch);
    test_picture(picture, H, W);
    for (int k = 0; k < BYTES; k++) values[k] = picture[k];
    um_gaussian_blur(values, H, W, 3, sigma, scratch);
    um_blur(d, picture, sigma);
    for (int k = 0; k < BYTES; k++) {
      assert_true(fabsf(values[k] - expected[k]) < 1e-4f);
      assert_true(fabsf((float)picture[k] - expected[k]) <= 0.5f + 1e-4f);
    }
    free(scratch);
    cases++;
  }
  assert_int_equal(cases, 4);
  const float *level = um_st_find(golden, "levels")->tensor.data;
  for (int k = 0; k < 1024; k++) assert_true(fabsf(um_noise_level(d, k) - level[k]) < 1e-5f);
  um_degrader_close(d);
}

/* A row, a column, a pixel: the edges are repeated, so a constant stays, and the sum of a narrow blur is kept where edges are not near. */
static void blurs_small_pictures(void **state) {
  static const int size[][2] = {{1, 1}, {1, 40}, {40, 1}, {2, 3}};
  (void)state;
  for (size_t s = 0; s < sizeof size / sizeof *size; s++) {
    int height = size[s][0], width = size[s][1];
    float values[40], *scratch = malloc(um_gaussian_scratch(height, width, 1, 5) * sizeof *scratch), sum = 0;
    assert_non_null(scratch);
    for (int i = 0; i < height * width; i++) values[i] = 77;
    um_gaussian_blur(values, height, width, 1, 5, scratch);
    for (int i = 0; i < height * width; i++) assert_true(fabsf(values[i] - 77) < 1e-4f);
    if (height * width == 40) {
      memset(values, 0, sizeof values);
      values[20] = 1;
      um_gaussian_blur(values, height, width, 1, 1, scratch);
      for (int i = 0; i < 40; i++) sum += values[i];
      assert_true(fabsf(sum - 1) < 1e-6f);
      assert_true(values[20] > values[19] && values[19] == values[21]);
    }
    free(scratch);
  }
}

/* Mean 0, the sigma asked for, another at each address, the same at the same one; clipped at both ends. */
static void noise(void **state) {
  enum { SIDE = 128, ALL = SIDE * SIDE * 3 };
  um_degrader *d = degrader(SIDE, SIDE);
  uint8_t *a = malloc(ALL), *b = malloc(ALL);
  um_rng at = {.seed = 3, .stream = UM_STREAM_DEGRADE, .epoch = 1, .sample = 9};
  double sum = 0, square = 0, pairs = 0;
  (void)state;
  assert_true(a && b);
  memset(a, 128, ALL);
  memset(b, 128, ALL);
  um_add_noise(d, a, ALL, 8, &at);
  um_add_noise(d, b, ALL, 8, &at);
  assert_memory_equal(a, b, ALL);
  for (int i = 0; i < ALL; i++) {
    sum += a[i] - 128;
    square += (a[i] - 128) * (a[i] - 128);
    if (i) pairs += (a[i] - 128) * (a[i - 1] - 128);
  }
  /* Standard errors of 49,152 draws: 8 / 222, and of the variance, 64 + 1/12 for the rounding, 64 sqrt(2) / 222. Four of them. */
  assert_true(fabs(sum / ALL) < 4 * 8 / 222.0);
  assert_true(fabs(square / ALL - 64.08) < 4 * 64 * 1.4143 / 222);
  assert_true(fabs(pairs / ALL) < 4 * 64 / 222.0); /* neighbours have nothing to do with each other */
  at.epoch = 2;
  memset(b, 128, ALL);
  um_add_noise(d, b, ALL, 8, &at);
  int same = 0;
  for (int i = 0; i < ALL; i++) same += a[i] == b[i];
  assert_true(same < ALL / 10); /* two draws of sigma 8 agree once in 28 times */
  memset(a, 0, ALL / 2);
  memset(a + ALL / 2, 255, ALL / 2);
  um_add_noise(d, a, ALL, 100, &at);
  int low = 0, high = 0;
  for (int i = 0; i < ALL / 2; i++) low += a[i] == 0, high += a[ALL / 2 + i] == 255;
  assert_true(abs(low - ALL / 4) < 600 && abs(high - ALL / 4) < 600); /* half of either end stays there: 5 standard errors */
  um_degrader_close(d);
  free(a);
  free(b);
}

static void cut_outs(void **state) {
  static const int at[][4] = {{-3, -4, 2, 5}, {18, 20, 30, 40}, {5, 6, 9, 11}, {-5, 3, -1, 9}, {4, 26, 8, 30}};
  (void)state;
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
    uint8_t out[BYTES], original[BYTES];
    test_picture(original, H, W);
    test_picture(out, H, W);
    um_cut_out(out, H, W, at[i][0], at[i][1], at[i][2], at[i][3], 200);
    for (int y = 0; y < H; y++)
      for (int x = 0; x < W; x++)
        for (int c = 0; c < 3; c++) {
          bool inside = y >= at[i][0] && y < at[i][2] && x >= at[i][1] && x < at[i][3];
          assert_int_equal(out[(y * W + x) * 3 + c], inside ? 200 : original[(y * W + x) * 3 + c]);
        }
  }
}

static um_augmentation_config nothing(void) {
  um_config c;
  um_error err;
  if (um_config_parse(&c, "{}", "test", NULL, 0, &err) < 0) fail_msg("%s", err.text);
  um_augmentation_config a = c.augmentation;
  um_config_free(&c);
  return a;
}

/* One kind at a time, with a range of one value: nothing but that is done, as often as its probability says. */
static void each_alone(void **state) {
  enum { KINDS = 6, TIMES = 400 };
  um_degrader *d = degrader(H, W);
  um_error err;
  uint8_t original[BYTES], out[BYTES], expected[BYTES];
  (void)state;
  test_picture(original, H, W);
  um_augmentation_config a = nothing();
  assert_false(um_degrade_wanted(&a));
  for (int kind = 0; kind < KINDS; kind++) {
    a = nothing();
    double *probability[KINDS] = {&a.color_probability, &a.blur_probability, &a.downscale_probability,
                                  &a.noise_probability, &a.jpeg_probability, &a.cutout_probability};
    a.brightness_range[0] = a.brightness_range[1] = 0.5;
    a.contrast_range[0] = a.contrast_range[1] = 1.5;
    a.saturation_range[0] = a.saturation_range[1] = 0.25;
    a.rgb_shift_range = 0;
    a.blur_sigma[0] = a.blur_sigma[1] = 1.25;
    a.downscale_factor[0] = a.downscale_factor[1] = 0.5;
    a.noise_sigma[0] = a.noise_sigma[1] = 5;
    a.jpeg_quality[0] = a.jpeg_quality[1] = 40;
    a.cutout_size[0] = a.cutout_size[1] = 0.4; /* 8 x 10 */
    a.cutout_value = 7;
    *probability[kind] = 0.3;
    assert_true(um_degrade_wanted(&a));
    int changed = 0;
    for (uint32_t sample = 0; sample < TIMES; sample++) {
      const um_rng at = {.seed = 11, .stream = UM_STREAM_DEGRADE, .epoch = 2, .sample = sample};
      memcpy(out, original, BYTES);
      assert_int_equal(um_degrade(d, out, &a, &at, &err), UM_OK);
      if (memcmp(out, original, BYTES) == 0) continue;
      changed++;
      memcpy(expected, original, BYTES);
      int filled = 0;
      switch (kind) {
      case 0:
        um_adjust_brightness(expected, N, 0.5f);
        um_adjust_contrast(expected, N, 1.5f);
        um_adjust_saturation(expected, N, 0.25f);
        break;
      case 1: um_blur(d, expected, 1.25); break;
      case 2: assert_int_equal(um_downscale(d, expected, H / 2, W / 2, UM_BILINEAR, &err), UM_OK); break;
      case 3: um_add_noise(d, expected, BYTES, 5, &at); break;
      case 4: assert_int_equal(um_compress_jpeg(d, expected, 40, &err), UM_OK); break;
      case 5: /* one rectangle, at least a quarter of it inside */
        for (int i = 0; i < BYTES; i++) filled += out[i] != original[i];
        assert_in_range(filled, 4 * 5 * 3 - 15, 8 * 10 * 3);
        for (int i = 0; i < BYTES; i++)
          if (out[i] != original[i]) expected[i] = 7;
        break;
      }
      assert_memory_equal(out, expected, BYTES);
    }
    /* 400 times 0.3: 120, standard deviation 9.2. */
    assert_in_range(changed, 120 - 40, 120 + 40);
  }
  um_degrader_close(d);
}

/* Values are drawn over the whole of their ranges: seen by the JPEG's quality, the one that is a whole number. */
static void ranges(void **state) {
  um_degrader *d = degrader(H, W);
  um_error err;
  uint8_t original[BYTES], out[BYTES], expected[4][BYTES];
  int seen[4] = {0};
  (void)state;
  um_augmentation_config a = nothing();
  a.jpeg_probability = 1;
  a.jpeg_quality[0] = 31, a.jpeg_quality[1] = 34;
  test_picture(original, H, W);
  for (int q = 0; q < 4; q++) {
    memcpy(expected[q], original, BYTES);
    assert_int_equal(um_compress_jpeg(d, expected[q], 31 + q, &err), UM_OK);
  }
  for (uint32_t sample = 0; sample < 200; sample++) {
    const um_rng at = {.seed = 1, .stream = UM_STREAM_DEGRADE, .sample = sample};
    memcpy(out, original, BYTES);
    assert_int_equal(um_degrade(d, out, &a, &at, &err), UM_OK);
    int found = 0;
    for (int q = 0; q < 4; q++)
      if (memcmp(out, expected[q], BYTES) == 0) seen[q]++, found++;
    assert_int_equal(found, 1);
  }
  for (int q = 0; q < 4; q++) assert_in_range(seen[q], 25, 75);
  um_degrader_close(d);
}

/* All at once on pictures of every small size, at the ends of all ranges: in bounds (the sanitizers look), and no failure. */
static void any_size(void **state) {
  um_error err;
  uint8_t pixels[9 * 9 * 3];
  (void)state;
  for (int height = 1; height <= 9; height++)
    for (int width = 1; width <= 9; width++) {
      um_degrader *d = degrader(height, width);
      for (int end = 0; end < 2; end++) {
        um_augmentation_config a = nothing();
        a.color_probability = a.blur_probability = a.downscale_probability = 1;
        a.noise_probability = a.jpeg_probability = a.cutout_probability = 1;
        a.brightness_range[0] = a.brightness_range[1] = a.contrast_range[0] = a.contrast_range[1] = end ? 10 : 0;
        a.saturation_range[0] = a.saturation_range[1] = end ? 10 : 0;
        a.blur_sigma[0] = a.blur_sigma[1] = end ? 20 : 0;
        a.downscale_factor[0] = a.downscale_factor[1] = end ? 1 : 0.02;
        a.noise_sigma[0] = a.noise_sigma[1] = end ? 128 : 0;
        a.jpeg_quality[0] = a.jpeg_quality[1] = end ? 100 : 1;
        a.cutout_size[0] = a.cutout_size[1] = end;
        a.cutout_count = end ? 64 : 1;
        for (uint32_t sample = 0; sample < 3; sample++) {
          const um_rng at = {.seed = 1, .stream = UM_STREAM_DEGRADE, .sample = sample};
          test_picture(pixels, height, width);
          assert_int_equal(um_degrade(d, pixels, &a, &at, &err), UM_OK);
        }
      }
      um_degrader_close(d);
    }
}

/* A picture of noise at quality 100 is larger than the memory set aside for it. */
static void jpeg_grows(void **state) {
  enum { SIDE = 200 };
  um_degrader *d = degrader(SIDE, SIDE);
  um_error err;
  uint8_t *pixels = malloc(SIDE * SIDE * 3), *again = malloc(SIDE * SIDE * 3);
  const um_rng at = {.seed = 1, .stream = UM_STREAM_TEST};
  double square = 0;
  (void)state;
  assert_true(pixels && again);
  for (uint32_t i = 0; i < SIDE * SIDE; i++)
    memset(pixels + 3 * i, (int)um_rng_below(&at, i, 256), 3); /* grey: nothing lost with the chroma */
  memcpy(again, pixels, SIDE * SIDE * 3);
  assert_int_equal(um_compress_jpeg(d, again, 100, &err), UM_OK);
  for (int i = 0; i < SIDE * SIDE * 3; i++) square += (again[i] - pixels[i]) * (again[i] - pixels[i]);
  assert_true(square / (SIDE * SIDE * 3) < 1); /* roundings only */
  um_degrader_close(d);
  free(pixels);
  free(again);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_pillow), cmocka_unit_test(as_scipy), cmocka_unit_test(blurs_small_pictures),
      cmocka_unit_test(noise),     cmocka_unit_test(cut_outs), cmocka_unit_test(each_alone),
      cmocka_unit_test(ranges),    cmocka_unit_test(any_size), cmocka_unit_test(jpeg_grows),
  };
  return cmocka_run_group_tests(tests, open_golden, close_golden);
}
