/* Resizing as Pillow does it (src/libImaging/Geometry.c: ImagingScaleAffine; Resample.c), bit for bit: versions up to 12. Pillow 13
 * resizes the columns before the rows for some shapes (mostly those that shrink in height and grow in width), which rounds
 * differently in between. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"

/* source[i] = the input index that output index i takes. Pillow adds up in double; so do we, for the same rounding. */
static void nearest_indices(int *source, int out, int in) {
  double step = (double)in / out, at = step * 0.5;
  for (int i = 0; i < out; i++, at += step) {
    int s = (int)at;
    source[i] = s < in ? s : in - 1;
  }
}

static int nearest(uint8_t *out, int out_height, int out_width, const um_image *in, um_error *err) {
  int *x = malloc(((size_t)out_width + (size_t)out_height) * sizeof *x);
  if (!x) return um_fail(err, UM_ENOMEM, "no memory to resize to %d x %d", out_width, out_height);
  int *y = x + out_width;
  nearest_indices(x, out_width, in->width);
  nearest_indices(y, out_height, in->height);
  for (int i = 0; i < out_width; i++) x[i] *= 3; /* 3 x 2^28 fits */
  for (int row = 0; row < out_height; row++) {
    const uint8_t *from = in->pixels + (size_t)y[row] * (size_t)in->width * 3;
    for (int col = 0; col < out_width; col++, out += 3) {
      const uint8_t *p = from + x[col];
      out[0] = p[0], out[1] = p[1], out[2] = p[2];
    }
  }
  free(x);
  return UM_OK;
}

#define PRECISION (32 - 8 - 2) /* bits of a weight's fraction: Pillow's PRECISION_BITS */

/* The triangle filter's weights along one axis: output i is the sum over k of weight[at[i] + k] times input first[i] + k. */
typedef struct axis {
  int *first, *count, *weight;
  size_t *at;
} axis;

static void axis_free(axis *a) {
  free(a->first);
  free(a->count);
  free(a->weight);
  free(a->at);
}

/* Pillow's precompute_coeffs and normalize_coeffs_8bpc: the filter is as wide as the scale when it reduces (antialiasing). */
static int axis_make(axis *a, int out, int in, um_error *err) {
  double scale = (double)in / out, wide = scale < 1 ? 1 : scale;
  if (wide > 1 << 20) return um_fail(err, UM_EUNSUPPORTED, "resize %d to %d: the weights' 22 bits do not allow that", in, out);
  /* An output reads at most the inputs within wide of its centre, and one more at each end. */
  size_t room = ((size_t)(2 * wide) + 3) * (size_t)out;
  double *exact = malloc(((size_t)(2 * wide) + 3) * sizeof *exact);
  *a = (axis){.first = malloc((size_t)out * sizeof *a->first),
              .count = malloc((size_t)out * sizeof *a->count),
              .weight = malloc(room * sizeof *a->weight),
              .at = malloc((size_t)out * sizeof *a->at)};
  if (!exact || !a->first || !a->count || !a->weight || !a->at) {
    free(exact);
    axis_free(a);
    *a = (axis){0};
    return um_fail(err, UM_ENOMEM, "no memory to resize %d to %d", in, out);
  }
  size_t used = 0;
  for (int i = 0; i < out; i++) {
    double centre = (i + 0.5) * scale, sum = 0, inverse = 1.0 / wide;
    int first = (int)(centre - wide + 0.5), end = (int)(centre + wide + 0.5);
    if (first < 0) first = 0;
    if (end > in) end = in;
    int count = end - first;
    for (int k = 0; k < count; k++) {
      double x = fabs((k + first - centre + 0.5) * inverse);
      exact[k] = x < 1 ? 1 - x : 0;
      sum += exact[k];
    }
    a->first[i] = first;
    a->count[i] = count;
    a->at[i] = used;
    for (int k = 0; k < count; k++) {
      double w = sum != 0 ? exact[k] / sum : exact[k];
      a->weight[used++] = (int)(0.5 + w * (1 << PRECISION));
    }
  }
  free(exact);
  return UM_OK;
}

static uint8_t clip8(int v) {
  v >>= PRECISION;
  return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Each row of `rows` rows of in_width pixels becomes one of out_width. */
static void resize_rows(uint8_t *out, int out_width, const uint8_t *in, int in_width, int rows, const axis *a) {
  for (int y = 0; y < rows; y++, in += (size_t)in_width * 3) {
    for (int x = 0; x < out_width; x++, out += 3) {
      int r = 1 << (PRECISION - 1), g = r, b = r;
      const uint8_t *p = in + (size_t)a->first[x] * 3;
      const int *w = a->weight + a->at[x];
      for (int k = 0; k < a->count[x]; k++, p += 3) r += p[0] * w[k], g += p[1] * w[k], b += p[2] * w[k];
      out[0] = clip8(r), out[1] = clip8(g), out[2] = clip8(b);
    }
  }
}

/* Rows of `width` pixels, out_height of them. sum has room for a row of ints. */
static void resize_columns(uint8_t *out, int out_height, const uint8_t *in, int width, const axis *a, int *sum) {
  size_t n = (size_t)width * 3;
  for (int y = 0; y < out_height; y++, out += n) {
    const int *w = a->weight + a->at[y];
    for (size_t i = 0; i < n; i++) sum[i] = 1 << (PRECISION - 1);
    for (int k = 0; k < a->count[y]; k++) {
      const uint8_t *p = in + (size_t)(a->first[y] + k) * n;
      for (size_t i = 0; i < n; i++) sum[i] += p[i] * w[k];
    }
    for (size_t i = 0; i < n; i++) out[i] = clip8(sum[i]);
  }
}

/* First along the rows, rounded to bytes in between, then along the columns; an axis whose size stays is left alone. */
static int bilinear(uint8_t *out, int out_height, int out_width, const um_image *in, um_error *err) {
  axis x = {0}, y = {0};
  uint8_t *between = NULL;
  int *sum = NULL;
  bool rows = in->width != out_width, columns = in->height != out_height;
  int status = rows ? axis_make(&x, out_width, in->width, err) : UM_OK;
  if (status == UM_OK && columns) status = axis_make(&y, out_height, in->height, err);
  if (status < 0) goto done;
  if (!columns) {
    resize_rows(out, out_width, in->pixels, in->width, in->height, &x);
    goto done;
  }
  const uint8_t *from = in->pixels;
  sum = malloc((size_t)out_width * 3 * sizeof *sum);
  if (rows) between = malloc((size_t)in->height * (size_t)out_width * 3);
  if (!sum || (rows && !between)) {
    status = um_fail(err, UM_ENOMEM, "no memory to resize %d x %d to %d x %d", in->width, in->height, out_width, out_height);
    goto done;
  }
  if (rows) {
    resize_rows(between, out_width, in->pixels, in->width, in->height, &x);
    from = between;
  }
  resize_columns(out, out_height, from, out_width, &y, sum);
done:
  free(between);
  free(sum);
  axis_free(&x);
  axis_free(&y);
  return status;
}

int um_resize(uint8_t *out, int out_height, int out_width, const um_image *in, um_interpolation how, um_error *err) {
  if (out_width < 1 || out_height < 1 || (int64_t)out_width * out_height > UM_IMAGE_MAX_PIXELS)
    return um_fail(err, UM_EFORMAT, "resize to %d x %d: expected 1 to %d pixels in all", out_width, out_height, UM_IMAGE_MAX_PIXELS);
  if (!in->pixels) return um_fail(err, UM_EINTERNAL, "resize: no picture");
  if (in->width == out_width && in->height == out_height) {
    memcpy(out, in->pixels, (size_t)out_width * (size_t)out_height * 3);
    return UM_OK;
  }
  return (how == UM_BILINEAR ? bilinear : nearest)(out, out_height, out_width, in, err);
}
