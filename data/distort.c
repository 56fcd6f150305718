#include "data/distort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/degrade.h"
#include "data/reencode.h"

struct um_distorter {
  um_degrader *degrader; /* of the size of the last picture */
  int width, height;
  um_image part;
};

const char *um_distortion_name(int kind) {
  static const char *const name[UM_DISTORTIONS] = {"h264", "jpeg", "downscale", "blur", "noise", "brightness", "crop", "borders"};
  return kind >= 0 && kind < UM_DISTORTIONS ? name[kind] : NULL;
}

int um_distorter_open(um_distorter **out, um_error *err) {
  *out = calloc(1, sizeof **out);
  return *out ? UM_OK : um_fail(err, UM_ENOMEM, "no memory to change pictures");
}

void um_distorter_close(um_distorter *d) {
  if (!d) return;
  um_degrader_close(d->degrader);
  um_image_free(&d->part);
  free(d);
}

/* Frames of one video have one size, so this is seldom. */
static int fit_degrader(um_distorter *d, const um_image *im, um_error *err) {
  if (d->degrader && d->width == im->width && d->height == im->height) return UM_OK;
  um_degrader_close(d->degrader);
  d->degrader = NULL;
  d->width = im->width, d->height = im->height;
  return um_degrader_open(&d->degrader, im->height, im->width, err);
}

static int share(double percent, int of) {
  const int n = (int)lround(percent / 100 * of);
  return n < 1 ? 1 : n > of ? of : n;
}

void um_distort_window(int *x, int *y, int *window_width, int *window_height, int width, int height, double percent, uint32_t input) {
  const um_rng at = {.seed = UM_DISTORT_SEED, .stream = UM_STREAM_LADDER, .sample = input};
  *window_width = share(100 - percent, width), *window_height = share(100 - percent, height);
  *x = (int)um_rng_below(&at, 0, (uint32_t)(width - *window_width) + 1);
  *y = (int)um_rng_below(&at, 1, (uint32_t)(height - *window_height) + 1);
}

static int crop(um_distorter *d, um_image *im, double percent, uint32_t input, um_error *err) {
  int x, y, width, height;
  um_distort_window(&x, &y, &width, &height, im->width, im->height, percent, input);
  int rc = um_image_alloc(&d->part, width, height, err);
  for (int row = 0; !rc && row < height; row++)
    memcpy(d->part.pixels + 3 * (size_t)row * (size_t)width, im->pixels + 3 * ((size_t)(y + row) * (size_t)im->width + (size_t)x),
           3 * (size_t)width);
  return rc ? rc : um_resize(im->pixels, im->height, im->width, &d->part, UM_BILINEAR, err);
}

static int borders(um_distorter *d, um_image *im, double percent, um_error *err) {
  const int width = share(100 - percent, im->width), height = share(100 - percent, im->height);
  const int x = (im->width - width) / 2, y = (im->height - height) / 2;
  int rc = um_image_alloc(&d->part, width, height, err);
  if (!rc) rc = um_resize(d->part.pixels, height, width, im, UM_BILINEAR, err);
  if (rc) return rc;
  memset(im->pixels, 0, 3 * (size_t)im->width * (size_t)im->height);
  for (int row = 0; row < height; row++)
    memcpy(im->pixels + 3 * ((size_t)(y + row) * (size_t)im->width + (size_t)x), d->part.pixels + 3 * (size_t)row * (size_t)width,
           3 * (size_t)width);
  return UM_OK;
}

int um_distort(um_distorter *d, um_image *im, um_distortion how, um_distorted which, um_error *err) {
  const um_rng at = {.seed = UM_DISTORT_SEED, .stream = UM_STREAM_LADDER, .epoch = which.frame, .sample = which.input};
  const size_t n = (size_t)im->width * (size_t)im->height;
  const double s = how.strength;
  int rc = UM_OK;
  switch (how.kind) {
  case UM_DISTORT_BRIGHTNESS: um_adjust_brightness(im->pixels, n, (float)(1 + s / 100)); return UM_OK;
  case UM_DISTORT_CROP: return crop(d, im, s, which.input, err);
  case UM_DISTORT_H264: return um_reencode_picture(im, s, err);
  case UM_DISTORT_BORDERS: return borders(d, im, s, err);
  default: rc = fit_degrader(d, im, err);
  }
  if (rc) return rc;
  switch (how.kind) {
  case UM_DISTORT_JPEG: return um_compress_jpeg(d->degrader, im->pixels, (int)s, err);
  case UM_DISTORT_DOWNSCALE: return um_downscale(d->degrader, im->pixels, share(s, im->height), share(s, im->width), UM_BILINEAR, err);
  case UM_DISTORT_BLUR: um_blur(d->degrader, im->pixels, s); return UM_OK;
  case UM_DISTORT_NOISE: um_add_noise(d->degrader, im->pixels, 3 * n, s, &at); return UM_OK;
  default: return um_fail(err, UM_EINTERNAL, "no change of kind %d", (int)how.kind);
  }
}
