/* The draws, and the order of things: light and lens first, then the size, the sensor's noise, the compression; cut-out (DeVries & Taylor
 * 2017, "Improved regularization of convolutional neural networks with cutout") is none of these and comes last. */
#include "data/degrade.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/degrade_internal.h"

/* The first draw of each; what it draws follows. The noise's words begin at 1024. */
enum { DRAW_COLOR = 0, DRAW_BLUR = 16, DRAW_DOWNSCALE = 32, DRAW_NOISE = 48, DRAW_JPEG = 64, DRAW_CUTOUT = 80 };

#define SIGMA_MAX 20 /* of the blur: augmentation.blur_sigma's limit */

/* The value that a normal variable is below with probability p: erfc's inverse by bisection, then Newton. */
static double normal_quantile(double p) {
  double low = -8, high = 8;
  for (int i = 0; i < 60; i++) {
    double middle = (low + high) / 2;
    if (0.5 * erfc(-middle / sqrt(2)) < p)
      low = middle;
    else
      high = middle;
  }
  return (low + high) / 2;
}

/* The middle of each of equal shares, then scaled so that the variance is 1. */
static void make_levels(float *level) {
  double exact[UM_NOISE_LEVELS], sum = 0;
  for (int k = 0; k < UM_NOISE_LEVELS; k++) {
    exact[k] = normal_quantile((k + 0.5) / UM_NOISE_LEVELS);
    sum += exact[k] * exact[k];
  }
  double scale = 1 / sqrt(sum / UM_NOISE_LEVELS);
  for (int k = 0; k < UM_NOISE_LEVELS; k++) level[k] = (float)(exact[k] * scale);
}

int um_degrader_open(um_degrader **out, int height, int width, um_error *err) {
  size_t n = (size_t)height * (size_t)width * 3;
  um_degrader *d = calloc(1, sizeof *d);
  *out = NULL;
  if (d) {
    d->height = height;
    d->width = width;
    d->values = malloc((n + 1) * sizeof *d->values); /* mix (blend.c) reads four values where the last pixel has three */
    d->scratch = malloc(um_gaussian_scratch(height, width, 3, SIGMA_MAX) * sizeof *d->scratch);
    d->small = malloc(n);
    d->jpeg_capacity = n / 4 + 4096;
    d->jpeg = malloc(d->jpeg_capacity);
  }
  if (!d || !d->values || !d->scratch || !d->small || !d->jpeg) {
    um_degrader_close(d);
    return um_fail(err, UM_ENOMEM, "augmentation: no memory to change pictures of %d x %d", height, width);
  }
  make_levels(d->normal);
  *out = d;
  return UM_OK;
}

void um_degrader_close(um_degrader *d) {
  if (!d) return;
  free(d->values);
  free(d->scratch);
  free(d->small);
  free(d->jpeg);
  um_image_free(&d->decoded);
  free(d);
}

bool um_degrade_wanted(const um_augmentation_config *a) {
  return a->color_probability > 0 || a->blur_probability > 0 || a->downscale_probability > 0 || a->noise_probability > 0 ||
         a->jpeg_probability > 0 || a->cutout_probability > 0;
}

static bool chosen(const um_rng *at, uint32_t draw, double probability) { return um_rng_uniform(at, draw) < probability; }

static double draw_from(const um_rng *at, uint32_t draw, const double range[2]) { return um_rng_range(at, draw, range[0], range[1]); }

/* The side as a share of `of`, whole and at least 1. */
static int side(double share, int of) {
  int n = (int)lround(share * of);
  return n < 1 ? 1 : n;
}

static void change_colors(uint8_t *pixels, size_t n, const um_augmentation_config *a, const um_rng *at) {
  int shift[3];
  um_adjust_brightness(pixels, n, (float)draw_from(at, DRAW_COLOR + 1, a->brightness_range));
  um_adjust_contrast(pixels, n, (float)draw_from(at, DRAW_COLOR + 2, a->contrast_range));
  um_adjust_saturation(pixels, n, (float)draw_from(at, DRAW_COLOR + 3, a->saturation_range));
  for (uint32_t c = 0; c < 3; c++) shift[c] = (int)lround(um_rng_range(at, DRAW_COLOR + 4 + c, -a->rgb_shift_range, a->rgb_shift_range));
  um_shift_channels(pixels, n, shift);
}

void um_blur(um_degrader *d, uint8_t *pixels, double sigma) {
  size_t n = (size_t)d->height * (size_t)d->width * 3;
  float *v = d->values;
#pragma omp simd
  for (size_t i = 0; i < n; i++) v[i] = pixels[i];
  um_gaussian_blur(v, d->height, d->width, 3, sigma, d->scratch);
  /* A mean of bytes, up to its rounding: in 0..255 after adding a half and cutting off. */
#pragma omp simd
  for (size_t i = 0; i < n; i++) pixels[i] = (uint8_t)(int)(v[i] + 0.5f);
}

/* The centre is anywhere in the picture, so that a part may lie outside, as in the paper. */
static void cut_out_some(const um_degrader *d, uint8_t *pixels, const um_augmentation_config *a, const um_rng *at) {
  for (int i = 0; i < a->cutout_count; i++) {
    uint32_t draw = DRAW_CUTOUT + 1 + 4 * (uint32_t)i;
    int height = side(draw_from(at, draw, a->cutout_size), d->height), width = side(draw_from(at, draw + 1, a->cutout_size), d->width);
    int top = (int)um_rng_below(at, draw + 2, (uint32_t)d->height) - height / 2;
    int left = (int)um_rng_below(at, draw + 3, (uint32_t)d->width) - width / 2;
    um_cut_out(pixels, d->height, d->width, top, left, top + height, left + width, (uint8_t)lround(a->cutout_value));
  }
}

int um_degrade(um_degrader *d, uint8_t *pixels, const um_augmentation_config *a, const um_rng *at, um_error *err) {
  size_t n = (size_t)d->height * (size_t)d->width;
  int status = UM_OK;
  if (chosen(at, DRAW_COLOR, a->color_probability)) change_colors(pixels, n, a, at);
  if (chosen(at, DRAW_BLUR, a->blur_probability)) um_blur(d, pixels, draw_from(at, DRAW_BLUR + 1, a->blur_sigma));
  if (chosen(at, DRAW_DOWNSCALE, a->downscale_probability)) {
    double factor = draw_from(at, DRAW_DOWNSCALE + 1, a->downscale_factor);
    status = um_downscale(d, pixels, side(factor, d->height), side(factor, d->width), a->downscale_interpolation, err);
  }
  if (chosen(at, DRAW_NOISE, a->noise_probability)) um_add_noise(d, pixels, n * 3, draw_from(at, DRAW_NOISE + 1, a->noise_sigma), at);
  if (status == UM_OK && chosen(at, DRAW_JPEG, a->jpeg_probability)) {
    int low = (int)lround(a->jpeg_quality[0]), high = (int)lround(a->jpeg_quality[1]);
    status = um_compress_jpeg(d, pixels, low + (int)um_rng_below(at, DRAW_JPEG + 1, (uint32_t)(high - low) + 1), err);
  }
  if (chosen(at, DRAW_CUTOUT, a->cutout_probability)) cut_out_some(d, pixels, a, at);
  return status;
}
