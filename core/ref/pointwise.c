/* PReLU, softmax and dropout. */
#include <math.h>

#include "core/ref/ref.h"

static int64_t channels(const um_tensor *t) { return t->dim[t->ndim - 1]; }

int ref_prelu_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *alpha, um_error *err) {
  (void)op, (void)err;
  const float *X = x->data, *A = alpha->data;
  float *Y = y->data;
  const int64_t count = um_tensor_count(y), C = channels(y);
  for (int64_t i = 0; i < count; i++) Y[i] = X[i] > 0 ? X[i] : A[i % C] * X[i];
  return UM_OK;
}

int ref_prelu_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *x, const um_tensor *alpha, um_error *err) {
  (void)op, (void)err;
  const float *X = x->data, *DY = dy->data, *A = alpha->data;
  float *DX = dx->data;
  const int64_t count = um_tensor_count(dx), C = channels(dx);
  for (int64_t i = 0; i < count; i++) DX[i] = X[i] > 0 ? DY[i] : A[i % C] * DY[i];
  return UM_OK;
}

int ref_prelu_backward_weights(um_op *op, um_tensor *dalpha, const um_tensor *x, const um_tensor *dy, void *scratch, um_error *err) {
  (void)op, (void)scratch, (void)err;
  const float *X = x->data, *DY = dy->data;
  float *DA = dalpha->data;
  const int64_t C = channels(x), rows = um_tensor_count(x) / C;
  for (int64_t c = 0; c < C; c++) {
    double sum = 0;
    for (int64_t row = 0; row < rows; row++) {
      const int64_t i = row * C + c;
      if (!(X[i] > 0)) sum += (double)DY[i] * X[i];
    }
    DA[c] = (float)sum;
  }
  return UM_OK;
}

int ref_softmax_forward(um_tensor *y, const um_tensor *x) {
  const int64_t C = channels(y), rows = um_tensor_count(y) / C;
  for (int64_t row = 0; row < rows; row++) {
    const float *X = (const float *)x->data + row * C;
    float *Y = (float *)y->data + row * C;
    double most = X[0], sum = 0;
    for (int64_t c = 1; c < C; c++)
      if (X[c] > most) most = X[c];
    for (int64_t c = 0; c < C; c++) sum += exp(X[c] - most);
    for (int64_t c = 0; c < C; c++) Y[c] = (float)(exp(X[c] - most) / sum);
  }
  return UM_OK;
}

int ref_softmax_backward(um_tensor *dx, const um_tensor *dy, const um_tensor *y) {
  const int64_t C = channels(y), rows = um_tensor_count(y) / C;
  for (int64_t row = 0; row < rows; row++) {
    const float *Y = (const float *)y->data + row * C, *DY = (const float *)dy->data + row * C;
    float *DX = (float *)dx->data + row * C;
    double sum = 0;
    for (int64_t c = 0; c < C; c++) sum += (double)DY[c] * Y[c];
    for (int64_t c = 0; c < C; c++) DX[c] = (float)(Y[c] * (DY[c] - sum));
  }
  return UM_OK;
}

int ref_dropout(um_op *op, um_tensor *y, const um_tensor *x, const um_control *control, um_error *err) {
  (void)err;
  const um_op_desc *d = &op->desc;
  const float *X = x->data, scale = (float)(1 / (1 - d->rate));
  float *Y = y->data;
  const int64_t count = um_tensor_count(y);
  const uint32_t threshold = um_dropout_threshold(d->rate);
  uint32_t word[4] = {0};
  for (int64_t i = 0; i < count; i++) {
    if (i % 4 == 0) um_dropout_words(word, d, control->step, i / 4);
    Y[i] = word[i % 4] >= threshold ? X[i] * scale : 0;
  }
  return UM_OK;
}
