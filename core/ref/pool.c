/* Pooling: maximum, average over what is not padding, average over the whole image. */
#include <string.h>

#include "core/ref/ref.h"

/* The maximum's place, row-major within its window, an int32 an output. Averages need none. */
size_t ref_pool_workspace(const um_op_desc *d) {
  bool kept = d->kind == UM_OP_MAX_POOL && (d->passes & UM_PASS_BACKWARD_DATA);
  return kept ? (size_t)um_tensor_count(&d->y) * sizeof(int32_t) : 0;
}

/* Global pooling is a window over the whole image. */
static ref_shape pool_shape(const um_op_desc *d) {
  if (d->kind != UM_OP_GLOBAL_AVG_POOL) return ref_shape_of(d);
  const int64_t *x = d->x[0].dim;
  return (ref_shape){
      .N = x[0], .H = x[1], .W = x[2], .C = x[3], .K = x[3], .P = 1, .Q = 1, .R = (int)x[1], .S = (int)x[2], .stride_h = 1, .stride_w = 1};
}

/* The part of output p's window that is inside: rows [first, last) of an input of `size`. */
static void inside(int64_t p, int stride, int pad, int kernel, int64_t size, int64_t *first, int64_t *last) {
  *first = p * stride - pad;
  *last = *first + kernel;
  if (*first < 0) *first = 0;
  if (*last > size) *last = size;
}

int ref_pool_forward(um_op *op, um_tensor *y, void *workspace, const um_tensor *x, void *scratch, um_error *err) {
  (void)scratch, (void)err;
  const ref_shape d = pool_shape(&op->desc);
  const bool max = op->desc.kind == UM_OP_MAX_POOL;
  const float *X = x->data;
  float *Y = y->data;
  int32_t *place = workspace;
  for (int64_t n = 0; n < d.N; n++)
    for (int64_t p = 0; p < d.P; p++)
      for (int64_t q = 0; q < d.Q; q++)
        for (int64_t c = 0; c < d.C; c++) {
          int64_t h0, h1, w0, w1, out = ((n * d.P + p) * d.Q + q) * d.C + c;
          inside(p, d.stride_h, d.pad_h, d.R, d.H, &h0, &h1);
          inside(q, d.stride_w, d.pad_w, d.S, d.W, &w0, &w1);
          int64_t best_h = h0, best_w = w0;
          float best = X[((n * d.H + h0) * d.W + w0) * d.C + c];
          double sum = 0;
          for (int64_t h = h0; h < h1; h++)
            for (int64_t w = w0; w < w1; w++) {
              float value = X[((n * d.H + h) * d.W + w) * d.C + c];
              sum += value;
              if (value > best) best = value, best_h = h, best_w = w;
            }
          Y[out] = max ? best : (float)(sum / (double)((h1 - h0) * (w1 - w0)));
          if (max && place) place[out] = (int32_t)((best_h - p * d.stride_h + d.pad_h) * d.S + (best_w - q * d.stride_w + d.pad_w));
        }
  return UM_OK;
}

int ref_pool_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const void *workspace, void *scratch, um_error *err) {
  (void)scratch, (void)err;
  const ref_shape d = pool_shape(&op->desc);
  const bool max = op->desc.kind == UM_OP_MAX_POOL;
  const float *DY = dy->data;
  float *DX = dx->data;
  const int32_t *place = workspace;
  memset(DX, 0, (size_t)um_tensor_count(dx) * sizeof *DX);
  for (int64_t n = 0; n < d.N; n++)
    for (int64_t p = 0; p < d.P; p++)
      for (int64_t q = 0; q < d.Q; q++)
        for (int64_t c = 0; c < d.C; c++) {
          int64_t h0, h1, w0, w1, out = ((n * d.P + p) * d.Q + q) * d.C + c;
          if (max) {
            int64_t h = p * d.stride_h - d.pad_h + place[out] / d.S, w = q * d.stride_w - d.pad_w + place[out] % d.S;
            DX[((n * d.H + h) * d.W + w) * d.C + c] += DY[out];
            continue;
          }
          inside(p, d.stride_h, d.pad_h, d.R, d.H, &h0, &h1);
          inside(q, d.stride_w, d.pad_w, d.S, d.W, &w0, &w1);
          const float share = (float)(DY[out] / (double)((h1 - h0) * (w1 - w0)));
          for (int64_t h = h0; h < h1; h++)
            for (int64_t w = w0; w < w1; w++) DX[((n * d.H + h) * d.W + w) * d.C + c] += share;
        }
  return UM_OK;
}
