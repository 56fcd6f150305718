/* Convolution, N H W C by R S C K. Each sum is kept in double, in the order of its loops. K runs innermost because both the
 * kernel and the output have it innermost. */
#include "core/ref/ref.h"

ref_shape ref_shape_of(const um_op_desc *d) {
  const um_window *w = &d->window;
  return (ref_shape){.N = d->x[0].dim[0],
                     .H = d->x[0].dim[1],
                     .W = d->x[0].dim[2],
                     .C = d->x[0].dim[3],
                     .P = d->y.dim[1],
                     .Q = d->y.dim[2],
                     .K = d->y.dim[3],
                     .R = w->kernel[0],
                     .S = w->kernel[1],
                     .stride_h = w->stride[0],
                     .stride_w = w->stride[1],
                     .pad_h = w->pad_before[0],
                     .pad_w = w->pad_before[1]};
}

/* One sum for each element along the longer of the channel dimensions. */
size_t ref_conv2d_scratch(const um_op_desc *d) {
  ref_shape s = ref_shape_of(d);
  return sizeof(double) * (size_t)(s.C > s.K ? s.C : s.K);
}

int ref_conv2d_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch, um_error *err) {
  (void)err;
  const ref_shape d = ref_shape_of(&op->desc);
  const float *X = x->data, *W = w->data, *B = b->data;
  float *Y = y->data;
  double *sum = scratch; /* K */
  for (int64_t n = 0; n < d.N; n++)
    for (int64_t p = 0; p < d.P; p++)
      for (int64_t q = 0; q < d.Q; q++) {
        for (int64_t k = 0; k < d.K; k++) sum[k] = B[k];
        for (int r = 0; r < d.R; r++)
          for (int s = 0; s < d.S; s++) {
            int64_t h = p * d.stride_h + r - d.pad_h, v = q * d.stride_w + s - d.pad_w;
            if (h < 0 || h >= d.H || v < 0 || v >= d.W) continue;
            for (int64_t c = 0; c < d.C; c++) {
              const double value = X[((n * d.H + h) * d.W + v) * d.C + c];
              const float *kernel = W + ((r * d.S + s) * d.C + c) * d.K;
              for (int64_t k = 0; k < d.K; k++) sum[k] += value * kernel[k];
            }
          }
        for (int64_t k = 0; k < d.K; k++) Y[((n * d.P + p) * d.Q + q) * d.K + k] = (float)ref_activate(op->desc.activation, sum[k]);
      }
  return UM_OK;
}

int ref_conv2d_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err) {
  (void)err;
  const ref_shape d = ref_shape_of(&op->desc);
  const float *DY = dy->data, *W = w->data;
  float *DX = dx->data;
  double *sum = scratch; /* C */
  for (int64_t n = 0; n < d.N; n++)
    for (int64_t h = 0; h < d.H; h++)
      for (int64_t v = 0; v < d.W; v++) {
        for (int64_t c = 0; c < d.C; c++) sum[c] = 0;
        for (int r = 0; r < d.R; r++)
          for (int s = 0; s < d.S; s++) {
            /* The outputs that element (h, v) reached through kernel position (r, s): p stride + r - pad = h. */
            int64_t ph = h + d.pad_h - r, qw = v + d.pad_w - s;
            if (ph < 0 || qw < 0 || ph % d.stride_h != 0 || qw % d.stride_w != 0) continue;
            int64_t p = ph / d.stride_h, q = qw / d.stride_w;
            if (p >= d.P || q >= d.Q) continue;
            const float *gradient = DY + ((n * d.P + p) * d.Q + q) * d.K;
            for (int64_t c = 0; c < d.C; c++) {
              const float *kernel = W + ((r * d.S + s) * d.C + c) * d.K;
              for (int64_t k = 0; k < d.K; k++) sum[c] += (double)gradient[k] * kernel[k];
            }
          }
        for (int64_t c = 0; c < d.C; c++) DX[((n * d.H + h) * d.W + v) * d.C + c] = (float)sum[c];
      }
  return UM_OK;
}

int ref_conv2d_backward_weights(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                um_error *err) {
  (void)err;
  const ref_shape d = ref_shape_of(&op->desc);
  const float *X = x->data, *DY = dy->data;
  float *DW = dw->data, *DB = db->data;
  double *sum = scratch; /* K */
  for (int r = 0; r < d.R; r++)
    for (int s = 0; s < d.S; s++)
      for (int64_t c = 0; c < d.C; c++) {
        for (int64_t k = 0; k < d.K; k++) sum[k] = 0;
        for (int64_t n = 0; n < d.N; n++)
          for (int64_t p = 0; p < d.P; p++)
            for (int64_t q = 0; q < d.Q; q++) {
              int64_t h = p * d.stride_h + r - d.pad_h, v = q * d.stride_w + s - d.pad_w;
              if (h < 0 || h >= d.H || v < 0 || v >= d.W) continue;
              const double value = X[((n * d.H + h) * d.W + v) * d.C + c];
              const float *gradient = DY + ((n * d.P + p) * d.Q + q) * d.K;
              for (int64_t k = 0; k < d.K; k++) sum[k] += value * gradient[k];
            }
        for (int64_t k = 0; k < d.K; k++) DW[((r * d.S + s) * d.C + c) * d.K + k] = (float)sum[k];
      }
  for (int64_t k = 0; k < d.K; k++) sum[k] = 0;
  for (int64_t i = 0; i < d.N * d.P * d.Q; i++)
    for (int64_t k = 0; k < d.K; k++) sum[k] += DY[i * d.K + k];
  for (int64_t k = 0; k < d.K; k++) DB[k] = (float)sum[k];
  return UM_OK;
}
