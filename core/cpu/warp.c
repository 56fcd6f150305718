/* The random transform's pixels. What is computed, to the rounding, is what core/ref/warp.c says and explains; here the usual case
 * (edge fill "nearest", Keras' default) runs by rows on all threads, coordinates first, then the pixels.
 * The other fills run the reference, a sample a thread. */
#include <math.h>
#include <string.h>

#include "core/cpu/cpu.h"
#include "core/ref/ref.h"

enum { CHUNK = 256 }; /* columns at a time: their coordinates stay in the first-level cache */

typedef struct picture {
  const uint8_t *pixels;
  float *y;
  int64_t H, W;
  const um_warp_sample *sample;
  const um_warp *how;
} picture;

static inline void store_pixel(float *y, const float rgb[3], const um_warp *how) {
  for (int c = 0; c < 3; c++) y[c] = rgb[how->bgr ? 2 - c : c] * how->scale - how->mean[c];
}

static void copy_row(const picture *p, int64_t row) {
  const int64_t from_row = p->sample->flip_vertical ? p->H - 1 - row : row;
  for (int64_t col = 0; col < p->W; col++) {
    const int64_t from = p->sample->flip_horizontal ? p->W - 1 - col : col;
    const uint8_t *at = p->pixels + (from_row * p->W + from) * 3;
    store_pixel(p->y + (row * p->W + col) * 3, (float[3]){at[0], at[1], at[2]}, p->how);
  }
}

static void warp_row(const picture *p, int64_t row) {
  const double *m = p->sample->m;
  const int64_t H = p->H, W = p->W;
  const int64_t i = p->sample->flip_vertical ? H - 1 - row : row;
  const double h0 = m[2] + (double)i * m[0], w0 = m[5] + (double)i * m[3], h_max = (double)(H - 1), w_max = (double)(W - 1);
  double hw[CHUNK], ww[CHUNK];
  int32_t hi[CHUNK], wi[CHUNK];
  for (int64_t first = 0; first < W; first += CHUNK) {
    const int count = (int)(W - first < CHUNK ? W - first : CHUNK);
    const int64_t j0 = p->sample->flip_horizontal ? W - 1 - first : first, dj = p->sample->flip_horizontal ? -1 : 1;
#pragma omp simd
    for (int k = 0; k < count; k++) {
      const double j = (double)(j0 + dj * k);
      double h = h0 + j * m[1], w = w0 + j * m[4];
      h = h < 0 ? 0 : h > h_max ? h_max : h;
      w = w < 0 ? 0 : w > w_max ? w_max : w;
      hi[k] = (int32_t)h; /* not negative: truncation is floor */
      wi[k] = (int32_t)w;
      hw[k] = h - hi[k];
      ww[k] = w - wi[k];
    }
    for (int k = 0; k < count; k++) {
      const int64_t right = wi[k] < W - 1 ? 3 : 0, below = hi[k] < H - 1 ? W * 3 : 0;
      const int64_t at = (hi[k] * W + wi[k]) * 3;
      const uint8_t *q = p->pixels + at;
      const double bottom = hw[k], top = 1 - bottom, east = ww[k], west = 1 - east;
      float rgb[3];
      for (int c = 0; c < 3; c++)
        rgb[c] =
            (float)(q[c] * top * west + q[right + c] * top * east + q[below + c] * bottom * west + q[below + right + c] * bottom * east);
      store_pixel(p->y + (row * W + first + k) * 3, rgb, p->how);
    }
  }
}

int um_cpu_warp(um_backend *be, um_tensor *y, const um_tensor *pixels, const um_warp_sample *sample, const um_control *control,
                const um_warp *how, um_error *err) {
  const int64_t N = y->dim[0], H = y->dim[1], W = y->dim[2], size = H * W * 3, n = control->n;
  float *to = y->data;
  int status = UM_OK;
  um_cpu_enter((um_cpu *)be);
  if (how->fill == UM_FILL_NEAREST) {
#pragma omp parallel for
    for (int64_t r = 0; r < n * H; r++) {
      const int64_t s = r / H;
      const picture p = {(const uint8_t *)pixels->data + s * size, to + s * size, H, W, &sample[s], how};
      if (sample[s].identity) {
        copy_row(&p, r % H);
      } else {
        warp_row(&p, r % H);
      }
    }
  } else {
    const um_control single = {.n = 1};
#pragma omp parallel for reduction(min : status)
    for (int64_t s = 0; s < n; s++) {
      um_tensor out = um_tensor_plain(UM_F32, 4, (int64_t[]){1, H, W, 3}), in = um_tensor_plain(UM_U8, 4, out.dim);
      out.data = to + s * size;
      in.data = (uint8_t *)pixels->data + s * size;
      const int one = ref_warp(be, &out, &in, &sample[s], &single, how, NULL);
      if (one < status) status = one;
    }
    if (status != UM_OK) return um_fail(err, status, "warp: the reference failed");
  }
  memset(to + n * size, 0, (size_t)((N - n) * size) * sizeof *to);
  return UM_OK;
}
