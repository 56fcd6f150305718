/* Inner product, N x I by I x O. */
#include "core/ref/ref.h"

size_t ref_dense_scratch(const um_op_desc *d) { return sizeof(double) * (size_t)d->y.dim[1]; }

int ref_dense_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch, um_error *err) {
  (void)err;
  const int64_t N = x->dim[0], I = x->dim[1], O = y->dim[1];
  const float *X = x->data, *W = w->data, *B = b->data;
  float *Y = y->data;
  double *sum = scratch; /* O */
  for (int64_t n = 0; n < N; n++) {
    for (int64_t o = 0; o < O; o++) sum[o] = B[o];
    for (int64_t i = 0; i < I; i++)
      for (int64_t o = 0; o < O; o++) sum[o] += (double)X[n * I + i] * W[i * O + o];
    for (int64_t o = 0; o < O; o++) Y[n * O + o] = (float)ref_activate(op->desc.activation, sum[o]);
  }
  return UM_OK;
}

int ref_dense_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err) {
  (void)op, (void)scratch, (void)err;
  const int64_t N = dx->dim[0], I = dx->dim[1], O = dy->dim[1];
  const float *DY = dy->data, *W = w->data;
  float *DX = dx->data;
  for (int64_t n = 0; n < N; n++)
    for (int64_t i = 0; i < I; i++) {
      double sum = 0;
      for (int64_t o = 0; o < O; o++) sum += (double)DY[n * O + o] * W[i * O + o];
      DX[n * I + i] = (float)sum;
    }
  return UM_OK;
}

int ref_dense_backward_weights(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                               um_error *err) {
  (void)op, (void)err;
  const int64_t N = x->dim[0], I = x->dim[1], O = dy->dim[1];
  const float *X = x->data, *DY = dy->data;
  float *DW = dw->data, *DB = db->data;
  double *sum = scratch; /* O */
  for (int64_t i = 0; i < I; i++) {
    for (int64_t o = 0; o < O; o++) sum[o] = 0;
    for (int64_t n = 0; n < N; n++)
      for (int64_t o = 0; o < O; o++) sum[o] += (double)X[n * I + i] * DY[n * O + o];
    for (int64_t o = 0; o < O; o++) DW[i * O + o] = (float)sum[o];
  }
  for (int64_t o = 0; o < O; o++) sum[o] = 0;
  for (int64_t n = 0; n < N; n++)
    for (int64_t o = 0; o < O; o++) sum[o] += DY[n * O + o];
  for (int64_t o = 0; o < O; o++) DB[o] = (float)sum[o];
  return UM_OK;
}
