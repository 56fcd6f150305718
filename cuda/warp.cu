/* The random transform's pixels, a thread a pixel. What is computed is what core/ref/warp.c says and explains, operation by operation:
 * in double, in the same order, no product contracted into a sum, so that in f32 the bits are ref's. */
#include "cuda/vector.cuh"

/* The coordinate moved inside: into [0, len - 1], for reflect into (-1, len). false: outside of a constant border, or a coordinate
 * that um_warp_check would not have let pass. */
static __device__ inline bool map_coordinate(double &at, int64_t len, um_fill_mode fill) {
  const double in = at, last = (double)(len - 1);
  if (in >= 0 && in <= last) return true;
  if (fill == UM_FILL_CONSTANT || !(fabs(in) <= 2e9)) return false;
  if (fill == UM_FILL_NEAREST) {
    at = in < 0 ? 0 : last;
  } else if (len == 1) {
    at = 0;
  } else if (fill == UM_FILL_WRAP) {
    at = in < 0 ? in + __dmul_rn(last, (double)((int64_t)(-in / last) + 1)) : in - __dmul_rn(last, (double)(int64_t)(in / last));
  } else {
    const double period = 2 * (double)len;
    double folded = in;
    if (in < 0) {
      if (folded < -period) folded += __dmul_rn(period, (double)(int64_t)(-folded / period));
      folded = folded < -(double)len ? folded + period : (folded > -1e-15 ? 1e-15 : -folded) - 1;
    } else {
      folded -= __dmul_rn(period, (double)(int64_t)(folded / period));
      if (folded >= (double)len) folded = period - folded - 1;
    }
    at = folded;
  }
  return true;
}

/* The two pixels about a mapped coordinate, always inside, and their weights. */
static __device__ inline void neighbours(double at, int64_t len, int64_t (&index)[2], double (&weight)[2]) {
  const double below = floor(at);
  index[0] = (int64_t)below;
  index[1] = index[0] + 1;
  for (int i = 0; i < 2; i++) index[i] = index[i] < 0 ? 0 : index[i] >= len ? len - 1 : index[i];
  weight[1] = at - below;
  weight[0] = 1 - weight[1];
}

/* The three channels of output pixel (row, col) before the flips. */
static __device__ inline void interpolate(float (&rgb)[3], const uint8_t *pixels, int64_t H, int64_t W, const double *m, int64_t row,
                                          int64_t col, const um_warp &how) {
  double h = m[2] + __dmul_rn((double)row, m[0]) + __dmul_rn((double)col, m[1]);
  double w = m[5] + __dmul_rn((double)row, m[3]) + __dmul_rn((double)col, m[4]);
  int64_t hi[2], wi[2];
  double hw[2], ww[2];
  if (!map_coordinate(h, H, how.fill) || !map_coordinate(w, W, how.fill)) {
    rgb[0] = rgb[1] = rgb[2] = how.cval;
    return;
  }
  neighbours(h, H, hi, hw);
  neighbours(w, W, wi, ww);
  double sum[3] = {0, 0, 0};
  for (int a = 0; a < 2; a++)
    for (int b = 0; b < 2; b++)
      for (int c = 0; c < 3; c++) sum[c] += __dmul_rn(__dmul_rn((double)pixels[(hi[a] * W + wi[b]) * 3 + c], hw[a]), ww[b]);
  for (int c = 0; c < 3; c++) rgb[c] = (float)sum[c];
}

/* Shapes of core/ops.h. blockIdx.y strides over samples. */
template <class T>
static __global__ void __launch_bounds__(UM_BLOCK) warp(T *y, const uint8_t *pixels, const um_warp_sample *sample,
                                                        const um_control *control, um_warp how, int64_t N, int64_t H, int64_t W) {
  const int64_t n = control->n, area = H * W;
  for (int64_t s = blockIdx.y; s < N; s += gridDim.y) {
    const um_warp_sample *a = &sample[s];
    const uint8_t *from = pixels + s * area * 3;
    um_each(at, area) {
      T *to = y + (s * area + at) * 3;
      if (s >= n) {
        for (int c = 0; c < 3; c++) to[c] = um_from_float<T>(0);
        continue;
      }
      const int64_t row = (int64_t)((uint64_t)at / (uint64_t)W), col = at - row * W;
      /* Flips are applied to the warped picture, so this output is its pixel on the other side. */
      const int64_t i = a->flip_vertical ? H - 1 - row : row, j = a->flip_horizontal ? W - 1 - col : col;
      float rgb[3];
      if (a->identity)
        for (int c = 0; c < 3; c++) rgb[c] = from[(i * W + j) * 3 + c];
      else
        interpolate(rgb, from, H, W, a->m, i, j, how);
      for (int c = 0; c < 3; c++) to[c] = um_from_float<T>(__fmul_rn(how.bgr ? rgb[2 - c] : rgb[c], how.scale) - how.mean[c]);
    }
  }
}

int um_cuda_warp(um_backend *be, um_tensor *y, const um_tensor *pixels, const um_warp_sample *sample, const um_control *control,
                 const um_warp *how, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)be;
  const int64_t N = y->dim[0], H = y->dim[1], W = y->dim[2];
  if (um_tensor_count(y) == 0) return UM_OK;
  if ((y->dtype != UM_F32 && y->dtype != UM_BF16) || pixels->dtype != UM_U8 || y->layout || y->dim[3] != 3 ||
      !um_tensor_same_shape(y, pixels))
    return um_fail(err, UM_EUNSUPPORTED, "cuda: warp: expected N x H x W x 3 from u8 to f32 or bf16, got %s to %s",
                   um_dtype_name(pixels->dtype), um_dtype_name(y->dtype));
  const int64_t blocks = (H * W + UM_BLOCK - 1) / UM_BLOCK;
  const dim3 grid((unsigned)(blocks < (1 << 20) ? blocks : 1 << 20), (unsigned)(N < 65535 ? N : 65535));
  if (y->dtype == UM_F32)
    um_launch(warp<float>, grid, dim3(UM_BLOCK), 0, cuda->queue, (float *)y->data, (const uint8_t *)pixels->data, sample, control, *how, N,
              H, W);
  else
    um_launch(warp<um_bf16>, grid, dim3(UM_BLOCK), 0, cuda->queue, (um_bf16 *)y->data, (const uint8_t *)pixels->data, sample, control, *how,
              N, H, W);
  return um_cuda_launched(err, "warp");
}
