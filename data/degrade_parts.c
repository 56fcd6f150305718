/* The single changes to a picture. */
#include <math.h>
#include <string.h>

#include "data/degrade_internal.h"

/* Pillow's Image.blend of one value (libImaging/Blend.c): in single precision, cut off rather than rounded. */
static uint8_t blend(int from, int to, float alpha) {
  float v = (float)from + alpha * (float)(to - from);
  v = v < 0 ? 0 : v;
  v = v > 255 ? 255 : v;
  return (uint8_t)(int)v;
}

static void look_up(uint8_t *values, size_t n, int from, float factor) {
  uint8_t table[256];
  if (factor == 1) return;
  for (int i = 0; i < 256; i++) table[i] = blend(from, i, factor);
  for (size_t i = 0; i < n; i++) values[i] = table[values[i]];
}

/* Pillow's convert("L") (libImaging/Convert.c). */
static unsigned grey(const uint8_t *p) { return (p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16; }

void um_adjust_brightness(uint8_t *rgb, size_t n, float factor) { look_up(rgb, n * 3, 0, factor); }

void um_adjust_contrast(uint8_t *rgb, size_t n, float factor) {
  uint64_t sum = 0;
  if (n == 0) return;
  for (size_t i = 0; i < n; i++) sum += grey(rgb + 3 * i);
  look_up(rgb, n * 3, (int)((double)sum / (double)n + 0.5), factor);
}

void um_adjust_saturation(uint8_t *rgb, size_t n, float factor) {
  enum { BLOCK = 128 };
  if (factor == 1) return;
  for (size_t at = 0; at < n; at += BLOCK, rgb += 3 * BLOCK) {
    uint8_t from[3 * BLOCK];
    size_t pixels = n - at < BLOCK ? n - at : BLOCK;
    for (size_t i = 0; i < pixels; i++) from[3 * i] = from[3 * i + 1] = from[3 * i + 2] = (uint8_t)grey(rgb + 3 * i);
#pragma omp simd
    for (size_t i = 0; i < 3 * pixels; i++) rgb[i] = blend(from[i], rgb[i], factor);
  }
}

void um_shift_channels(uint8_t *rgb, size_t n, const int shift[3]) {
  uint8_t table[3][256];
  if (shift[0] == 0 && shift[1] == 0 && shift[2] == 0) return;
  for (int c = 0; c < 3; c++)
    for (int i = 0; i < 256; i++) {
      int v = i + shift[c];
      table[c][i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
  for (size_t i = 0; i < n; i++, rgb += 3) rgb[0] = table[0][rgb[0]], rgb[1] = table[1][rgb[1]], rgb[2] = table[2][rgb[2]];
}

/* How far the kernel reaches; scipy's int(truncate sigma + 0.5). */
static int reach(double sigma) { return (int)(3 * sigma + 0.5); }

size_t um_gaussian_scratch(int height, int width, int channels, double sigma) {
  size_t r = (size_t)reach(sigma), row = (size_t)width * (size_t)channels;
  return ((size_t)height + 2 * r) * row + row + 2 * r * (size_t)channels + r + 1;
}

/* Four floats in a register, at any address. */
typedef float four __attribute__((vector_size(16), aligned(4), may_alias));

/* out[i] = w[0] at[i] + sum over k of w[k] (at[i - k step] + at[i + k step]), k = 1 to r. Sixteen sums at a time stay in registers. */
static void filter(float *out, const float *at, ptrdiff_t step, size_t n, const float *w, int r) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16, at += 16, out += 16) {
    const four *middle = (const four *)at;
    four a = middle[0] * w[0], b = middle[1] * w[0], c = middle[2] * w[0], d = middle[3] * w[0];
    const float *before = at, *after = at;
    for (int k = 1; k <= r; k++) {
      const four *p = (const four *)(before -= step), *q = (const four *)(after += step);
      a += (p[0] + q[0]) * w[k];
      b += (p[1] + q[1]) * w[k];
      c += (p[2] + q[2]) * w[k];
      d += (p[3] + q[3]) * w[k];
    }
    four *to = (four *)out;
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
  }
  for (; i < n; i++, at++, out++) {
    float sum = w[0] * at[0];
    for (int k = 1; k <= r; k++) sum += w[k] * (at[-k * step] + at[k * step]);
    *out = sum;
  }
}

void um_gaussian_blur(float *values, int height, int width, int channels, double sigma, float *scratch) {
  int r = reach(sigma);
  size_t row = (size_t)width * (size_t)channels, edge = (size_t)r * (size_t)channels;
  float *between = scratch, *padded = between + ((size_t)height + 2 * (size_t)r) * row, *w = padded + row + 2 * edge;
  double sum = 1;
  if (r == 0) return;
  for (int k = 1; k <= r; k++) sum += 2 * exp(-0.5 * k * k / (sigma * sigma));
  for (int k = 0; k <= r; k++) w[k] = (float)(exp(-0.5 * k * k / (sigma * sigma)) / sum);
  for (int y = 0; y < height; y++) {
    const float *in = values + (size_t)y * row;
    memcpy(padded + edge, in, row * sizeof *in);
    for (size_t i = 0; i < edge; i++) {
      padded[i] = in[i % (size_t)channels];
      padded[edge + row + i] = in[row - (size_t)channels + i % (size_t)channels];
    }
    filter(between + (size_t)(r + y) * row, padded + edge, channels, row, w, r);
  }
  float *first = between + (size_t)r * row, *last = first + (size_t)(height - 1) * row;
  for (int k = 1; k <= r; k++) {
    memcpy(first - (size_t)k * row, first, row * sizeof *first);
    memcpy(last + (size_t)k * row, last, row * sizeof *last);
  }
  for (int y = 0; y < height; y++) filter(values + (size_t)y * row, first + (size_t)y * row, (ptrdiff_t)row, row, w, r);
}

int um_downscale(um_degrader *d, uint8_t *pixels, int height_small, int width_small, um_interpolation how, um_error *err) {
  const um_image whole = {.pixels = pixels, .width = d->width, .height = d->height};
  const um_image small = {.pixels = d->small, .width = width_small, .height = height_small};
  if (height_small > d->height || width_small > d->width)
    return um_fail(err, UM_EINTERNAL, "downscale: %d x %d to %d x %d is larger", d->height, d->width, height_small, width_small);
  int status = um_resize(d->small, height_small, width_small, &whole, how, err);
  return status < 0 ? status : um_resize(pixels, d->height, d->width, &small, how, err);
}

float um_noise_level(const um_degrader *d, int k) { return d->normal[k]; }

void um_add_noise(const um_degrader *d, uint8_t *pixels, size_t bytes, double sigma, const um_rng *at) {
  enum { FIRST = 1024 / 4 }; /* Philox gives four words at once */
  int16_t level[UM_NOISE_LEVELS];
  const uint32_t key[2] = {(uint32_t)at->seed, (uint32_t)(at->seed >> 32)};
  uint32_t counter[4] = {FIRST, at->sample, at->epoch, at->stream};
  for (int k = 0; k < UM_NOISE_LEVELS; k++) level[k] = (int16_t)lround(sigma * (double)d->normal[k]);
  for (size_t i = 0; i < bytes; counter[0]++) {
    uint32_t word[4];
    um_philox(word, counter, key);
    for (int k = 0; k < 4; k++)
      for (int shift = 0; shift < 30 && i < bytes; shift += 10, i++) {
        int v = pixels[i] + level[word[k] >> shift & (UM_NOISE_LEVELS - 1)];
        pixels[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
      }
  }
}

int um_compress_jpeg(um_degrader *d, uint8_t *pixels, int quality, um_error *err) {
  size_t size;
  int status = um_jpeg_encode(d, &size, pixels, quality, err);
  if (status == UM_OK) status = um_image_decode(&d->decoded, d->jpeg, size, "augmentation.jpeg", err);
  if (status == UM_OK) memcpy(pixels, d->decoded.pixels, (size_t)d->height * (size_t)d->width * 3);
  return status;
}

void um_cut_out(uint8_t *pixels, int height, int width, int top, int left, int bottom, int right, uint8_t value) {
  if (top < 0) top = 0;
  if (left < 0) left = 0;
  if (bottom > height) bottom = height;
  if (right > width) right = width;
  if (left >= right) return;
  for (int y = top; y < bottom; y++) memset(pixels + ((size_t)y * (size_t)width + (size_t)left) * 3, value, (size_t)(right - left) * 3);
}
