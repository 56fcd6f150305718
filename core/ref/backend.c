/* ref: its device is the host's memory, its layouts are all plain, its plans decide nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ref/ref.h"

static void ref_close(um_backend *be) { free(be); }

static void ref_describe(const um_backend *be, char *text, size_t size) {
  (void)be;
  snprintf(text, size, "reference (plain C, one thread, double accumulation: slow)");
}

static size_t ref_memory_free(const um_backend *be) {
  (void)be;
  return 0;
}

static int ref_alloc(um_backend *be, void **out, size_t bytes, um_error *err) {
  (void)be;
  size_t rounded = (bytes + 63) / 64 * 64;
  *out = rounded < bytes ? NULL : aligned_alloc(64, rounded ? rounded : 64);
  return *out ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %zu bytes", bytes);
}

static void ref_free(um_backend *be, void *p) {
  (void)be;
  free(p);
}

static int ref_copy(um_backend *be, void *to, const void *from, size_t bytes, um_error *err) {
  (void)be, (void)err;
  memcpy(to, from, bytes);
  return UM_OK;
}

static bool ref_precision(const um_backend *be, um_precision precision, um_dtype *activations) {
  (void)be;
  *activations = UM_F32;
  return precision == UM_PRECISION_FP32;
}

static int ref_zero(um_backend *be, void *device, size_t bytes, um_error *err) {
  (void)be, (void)err;
  memset(device, 0, bytes);
  return UM_OK;
}

static int ref_plan(um_backend *be, const um_op_desc *d, um_op **out, um_error *err) {
  *out = NULL;
  for (int i = 0; i <= d->n_inputs; i++) {
    const um_tensor *t = i < d->n_inputs ? &d->x[i] : &d->y;
    if (t->layout || t->dtype != UM_F32)
      return um_fail(err, UM_EUNSUPPORTED, "ref: %s: only plain f32 tensors, got %s%s", um_op_kind_name(d->kind), um_dtype_name(t->dtype),
                     t->layout ? " in another backend's layout" : "");
  }
  um_op *op = calloc(1, sizeof *op);
  if (!op) return um_fail(err, UM_ENOMEM, "ref: no memory for an op");
  op->backend = be;
  op->desc = *d;
  memcpy(op->x, d->x, sizeof op->x);
  op->y = d->y;
  switch (d->kind) {
  case UM_OP_CONV2D:
    op->w = um_tensor_plain(UM_F32, 4, (int64_t[]){d->window.kernel[0], d->window.kernel[1], d->x[0].dim[3], d->y.dim[3]});
    op->b = um_tensor_plain(UM_F32, 1, (int64_t[]){d->y.dim[3]});
    op->scratch_bytes = ref_conv2d_scratch(d);
    snprintf(op->algorithm, sizeof op->algorithm, "direct");
    break;
  case UM_OP_DENSE:
    op->w = um_tensor_plain(UM_F32, 2, (int64_t[]){d->x[0].dim[1], d->y.dim[1]});
    op->b = um_tensor_plain(UM_F32, 1, (int64_t[]){d->y.dim[1]});
    op->scratch_bytes = ref_dense_scratch(d);
    break;
  case UM_OP_PRELU: op->w = um_tensor_plain(UM_F32, 1, &d->y.dim[d->y.ndim - 1]); break;
  case UM_OP_MAX_POOL: op->workspace_bytes = ref_pool_workspace(d); break;
  default: break;
  }
  *out = op;
  return UM_OK;
}

static void ref_plan_free(um_op *op) { free(op); }

static const um_ops table = {
    .name = "ref",
    .close = ref_close,
    .describe = ref_describe,
    .memory_free = ref_memory_free,
    .precision = ref_precision,
    .alloc = ref_alloc,
    .free = ref_free,
    .upload = ref_copy,
    .download = ref_copy,
    .zero = ref_zero,
    .host_alloc = ref_alloc,
    .host_free = ref_free,
    .reorder = ref_reorder,
    .plan = ref_plan,
    .plan_free = ref_plan_free,
    .conv2d_forward = ref_conv2d_forward,
    .conv2d_backward_data = ref_conv2d_backward_data,
    .conv2d_backward_weights = ref_conv2d_backward_weights,
    .dense_forward = ref_dense_forward,
    .dense_backward_data = ref_dense_backward_data,
    .dense_backward_weights = ref_dense_backward_weights,
    .pool_forward = ref_pool_forward,
    .pool_backward = ref_pool_backward,
    .activation_forward = ref_activation_forward,
    .activation_backward = ref_activation_backward,
    .prelu_forward = ref_prelu_forward,
    .prelu_backward_data = ref_prelu_backward_data,
    .prelu_backward_weights = ref_prelu_backward_weights,
    .dropout = ref_dropout,
    .add_forward = ref_add_forward,
    .concat_forward = ref_concat_forward,
    .concat_backward = ref_concat_backward,
    .accumulate = ref_accumulate,
    .warp = ref_warp,
    .bce_logits = ref_bce_logits,
    .optimizer_step = ref_optimizer_step,
    .sum_squares = ref_sum_squares,
};

int um_ref_open(um_backend **out, um_error *err) {
  um_backend *be = calloc(1, sizeof *be);
  *out = be;
  if (!be) return um_fail(err, UM_ENOMEM, "ref: no memory for the backend");
  be->ops = &table;
  be->threads = 1;
  return UM_OK;
}
