/* Activations, sums, joins, and conversion between number types. */
#include <math.h>
#include <string.h>

#include "core/ref/ref.h"

double ref_activate(um_activation activation, double value) { return activation == UM_ACT_RELU && value < 0 ? 0 : value; }

/* Which function the op applies: a node's own, or the one fused into it. */
static um_op_kind function_of(const um_op *op) {
  if (um_is_activation(op->desc.kind)) return op->desc.kind;
  return op->desc.activation == UM_ACT_RELU ? UM_OP_RELU : UM_OP_INPUT; /* INPUT: none */
}

int ref_activation_forward(um_op *op, um_tensor *y, const um_tensor *x, um_error *err) {
  (void)err;
  const float *X = x->data;
  float *Y = y->data;
  const int64_t count = um_tensor_count(y);
  const bool relu = function_of(op) == UM_OP_RELU;
  if (op->desc.kind == UM_OP_SOFTMAX) return ref_softmax_forward(y, x);
  for (int64_t i = 0; i < count; i++) Y[i] = relu ? (float)ref_activate(UM_ACT_RELU, X[i]) : (float)(1 / (1 + exp(-(double)X[i])));
  return UM_OK;
}

int ref_activation_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err) {
  (void)err;
  const float *DY = dy->data, *Y = y->data;
  float *DX = dx->data;
  const int64_t count = um_tensor_count(dx);
  const um_op_kind f = function_of(op);
  if (f == UM_OP_SOFTMAX) return ref_softmax_backward(dx, dy, y);
  for (int64_t i = 0; i < count; i++) {
    double slope = f == UM_OP_RELU ? Y[i] > 0 : f == UM_OP_SIGMOID ? (double)Y[i] * (1 - (double)Y[i]) : 1;
    DX[i] = (float)(DY[i] * slope);
  }
  return UM_OK;
}

int ref_add_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err) {
  (void)err;
  float *Y = y->data;
  const int64_t count = um_tensor_count(y);
  for (int64_t i = 0; i < count; i++) {
    double sum = 0;
    for (int k = 0; k < op->desc.n_inputs; k++) sum += ((const float *)x[k]->data)[i];
    Y[i] = (float)ref_activate(op->desc.activation, sum);
  }
  return UM_OK;
}

int ref_concat_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err) {
  (void)err;
  const int64_t C = y->dim[y->ndim - 1], rows = um_tensor_count(y) / C;
  float *Y = y->data;
  for (int64_t row = 0; row < rows; row++)
    for (int k = 0; k < op->desc.n_inputs; k++) {
      const int64_t c = x[k]->dim[x[k]->ndim - 1];
      memcpy(Y, (const float *)x[k]->data + row * c, (size_t)c * sizeof *Y);
      Y += c;
    }
  return UM_OK;
}

int ref_concat_backward(um_op *op, um_tensor *const *dx, const um_tensor *dy, um_error *err) {
  (void)err;
  const int64_t C = dy->dim[dy->ndim - 1], rows = um_tensor_count(dy) / C;
  const float *DY = dy->data;
  for (int64_t row = 0; row < rows; row++)
    for (int k = 0; k < op->desc.n_inputs; k++) {
      const um_tensor *x = &op->desc.x[k];
      const int64_t c = x->dim[x->ndim - 1];
      if (dx[k]) memcpy((float *)dx[k]->data + row * c, DY, (size_t)c * sizeof *DY);
      DY += c;
    }
  return UM_OK;
}

int ref_accumulate(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err) {
  (void)be, (void)err;
  float *D = dst->data;
  const float *S = src->data;
  const int64_t count = um_tensor_count(dst);
  for (int64_t i = 0; i < count; i++) D[i] += S[i];
  return UM_OK;
}

/* bf16 is the upper half of an f32, rounded to nearest, ties to even; a NaN stays one. */
static uint16_t bf16_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float load(const um_tensor *t, int64_t i) {
  float value = 0;
  uint32_t bits;
  switch (t->dtype) {
  case UM_F32: value = ((const float *)t->data)[i]; break;
  case UM_BF16:
    bits = (uint32_t)((const uint16_t *)t->data)[i] << 16;
    memcpy(&value, &bits, sizeof value);
    break;
  case UM_U8: value = ((const uint8_t *)t->data)[i]; break;
  default: break;
  }
  return value;
}

int ref_reorder(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err) {
  (void)be;
  const int64_t count = um_tensor_count(dst);
  if (dst->layout || src->layout || !um_tensor_same_shape(dst, src))
    return um_fail(err, UM_EINTERNAL, "ref: reorder between different shapes or layouts that are not plain");
  if (dst->dtype == src->dtype) {
    memcpy(dst->data, src->data, (size_t)count * um_dtype_size(dst->dtype));
    return UM_OK;
  }
  bool readable = src->dtype == UM_F32 || src->dtype == UM_BF16 || src->dtype == UM_U8;
  if (!readable || (dst->dtype != UM_F32 && dst->dtype != UM_BF16))
    return um_fail(err, UM_EUNSUPPORTED, "ref: no conversion from %s to %s", um_dtype_name(src->dtype), um_dtype_name(dst->dtype));
  for (int64_t i = 0; i < count; i++) {
    float value = load(src, i);
    if (dst->dtype == UM_F32)
      ((float *)dst->data)[i] = value;
    else
      ((uint16_t *)dst->data)[i] = bf16_of(value);
  }
  return UM_OK;
}
