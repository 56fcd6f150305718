/* The random transform's pixels, as Keras computes them: scipy.ndimage.affine_transform(order=1) on each channel as f32, then the
 * flips, then the rescale. What scipy does at the border (1.6 and later; its ni_interpolation.c):
 *   nearest   the coordinate is clamped to [0, len - 1];
 *   constant  outside [0, len - 1] the pixel is cval, whole: there is no blending towards cval within the last half pixel;
 *   reflect   d c b a | a b c d | d c b a: the coordinate is folded with period 2 len, and what then lies in (-1, 0) or
 *             (len - 1, len) takes its outer neighbour by the same rule, that is, the edge pixel twice;
 *   wrap      the period is len - 1, not len, so that the first and the last pixel are the same point. (What people expect is
 *             scipy's "grid-wrap"; Keras passes "wrap".)
 * Before 1.6 reflect's outer neighbours were mirrored about the edge pixel instead; the other modes were the same. */
#include <math.h>

#include "core/ref/ref.h"

/* The coordinate moved inside: into [0, len - 1], for reflect into (-1, len). false: outside of a constant border. */
static bool map_coordinate(double *at, int64_t len, um_fill_mode fill) {
  const double in = *at, last = (double)(len - 1);
  if (in >= 0 && in <= last) return true;
  switch (fill) {
  case UM_FILL_CONSTANT: return false;
  case UM_FILL_NEAREST: *at = in < 0 ? 0 : last; return true;
  case UM_FILL_REFLECT:
  case UM_FILL_WRAP: break;
  }
  if (len == 1) {
    *at = 0;
  } else if (fill == UM_FILL_WRAP) {
    *at = in < 0 ? in + last * (double)((int64_t)(-in / last) + 1) : in - last * (double)(int64_t)(in / last);
  } else {
    const double period = 2 * (double)len;
    double folded = in;
    if (in < 0) {
      if (folded < -period) folded += period * (double)(int64_t)(-folded / period);
      /* Just below zero -folded - 1 would round to -1 itself, whose lower neighbour is the wrong one. */
      folded = folded < -(double)len ? folded + period : (folded > -1e-15 ? 1e-15 : -folded) - 1;
    } else {
      folded -= period * (double)(int64_t)(folded / period);
      if (folded >= (double)len) folded = period - folded - 1;
    }
    *at = folded;
  }
  return true;
}

/* The two pixels about a mapped coordinate and their weights. */
static void neighbours(double at, int64_t len, int64_t index[2], double weight[2]) {
  const double below = floor(at);
  index[0] = (int64_t)below;
  index[1] = index[0] + 1;
  if (index[0] < 0) index[0] = 0;
  if (index[1] >= len) index[1] = len - 1; /* reflect: the edge twice; otherwise its weight is 0 */
  weight[1] = at - below;
  weight[0] = 1 - weight[1];
}

/* The three channels of output pixel (row, col) before the flips. */
static void interpolate(float rgb[3], const uint8_t *pixels, int64_t H, int64_t W, const double *m, int64_t row, int64_t col,
                        const um_warp *how) {
  /* The order of these sums is scipy's: where wrap or reflect jump, a rounding decides which side it is. */
  double h = m[2] + (double)row * m[0] + (double)col * m[1], w = m[5] + (double)row * m[3] + (double)col * m[4];
  int64_t hi[2], wi[2];
  double hw[2], ww[2];
  if (!map_coordinate(&h, H, how->fill) || !map_coordinate(&w, W, how->fill)) {
    rgb[0] = rgb[1] = rgb[2] = how->cval;
    return;
  }
  neighbours(h, H, hi, hw);
  neighbours(w, W, wi, ww);
  for (int c = 0; c < 3; c++) {
    double sum = 0;
    for (int a = 0; a < 2; a++)
      for (int b = 0; b < 2; b++) sum += pixels[(hi[a] * W + wi[b]) * 3 + c] * hw[a] * ww[b];
    rgb[c] = (float)sum;
  }
}

static void warp_sample(float *y, const uint8_t *pixels, int64_t H, int64_t W, const um_warp_sample *sample, const um_warp *how) {
  for (int64_t row = 0; row < H; row++)
    for (int64_t col = 0; col < W; col++) {
      /* Flips are applied to the warped picture, so this output is its pixel on the other side. */
      const int64_t i = sample->flip_vertical ? H - 1 - row : row, j = sample->flip_horizontal ? W - 1 - col : col;
      float rgb[3];
      if (sample->identity)
        for (int c = 0; c < 3; c++) rgb[c] = pixels[(i * W + j) * 3 + c];
      else
        interpolate(rgb, pixels, H, W, sample->m, i, j, how);
      for (int c = 0; c < 3; c++) y[(row * W + col) * 3 + c] = rgb[how->bgr ? 2 - c : c] * how->scale - how->mean[c];
    }
}

int ref_warp(um_backend *be, um_tensor *y, const um_tensor *pixels, const um_warp_sample *sample, const um_control *control,
             const um_warp *how, um_error *err) {
  (void)be, (void)err;
  const int64_t N = y->dim[0], H = y->dim[1], W = y->dim[2], size = H * W * 3;
  float *Y = y->data;
  for (int64_t s = 0; s < control->n; s++) warp_sample(Y + s * size, (const uint8_t *)pixels->data + s * size, H, W, &sample[s], how);
  for (int64_t i = control->n * size; i < N * size; i++) Y[i] = 0;
  return UM_OK;
}
