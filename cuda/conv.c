/* Convolution: the op's plan, which gives each pass the way that um_cuda_choose finds, and the table's functions, which run it.
 * Scratch is what the way asks for; the bias' gradient comes after the weights' and takes the same memory. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cuda/cuda.h"

/* Fills op->conv; dimensions are counted in int there. */
static int geometry(um_cuda_op *op, um_error *err) {
  const um_op_desc *d = &op->base.desc;
  const int64_t *x = d->x[0].dim, *y = d->y.dim;
  for (int i = 0; i < 4; i++)
    if (x[i] > INT_MAX || y[i] > INT_MAX) return um_fail(err, UM_EUNSUPPORTED, "cuda: conv2d: a dimension above %d", INT_MAX);
  /* Rows of the implicit matrices: pixels of a batch, and window times channels. */
  if (x[0] * x[1] * x[2] > INT_MAX || y[0] * y[1] * y[2] > INT_MAX || d->window.kernel[0] * d->window.kernel[1] * x[3] > INT_MAX ||
      d->window.kernel[0] * d->window.kernel[1] * y[3] > INT_MAX)
    return um_fail(err, UM_EUNSUPPORTED, "cuda: conv2d: more than %d pixels in a batch; take a smaller batch_size", INT_MAX);
  op->conv = (um_cuda_conv){.N = (int)x[0],
                            .H = (int)x[1],
                            .W = (int)x[2],
                            .C = (int)x[3],
                            .K = (int)y[3],
                            .P = (int)y[1],
                            .Q = (int)y[2],
                            .R = d->window.kernel[0],
                            .S = d->window.kernel[1],
                            .stride = {d->window.stride[0], d->window.stride[1]},
                            .pad = {d->window.pad_before[0], d->window.pad_before[1]},
                            .precision = d->precision,
                            .activation = d->activation};
  return UM_OK;
}

int um_cuda_plan_conv(um_cuda_op *op, um_error *err) {
  static const char *const names[] = {"fwd", "bwd-d", "bwd-w"};
  static const unsigned bit[] = {UM_PASS_FORWARD, UM_PASS_BACKWARD_DATA, UM_PASS_BACKWARD_WEIGHTS};
  um_cuda *cuda = (um_cuda *)op->base.backend;
  const um_op_desc *d = &op->base.desc;
  const int64_t K = d->y.dim[3];
  size_t at = 0;
  int status = geometry(op, err);
  if (status != UM_OK) return status;
  op->base.w = um_tensor_plain(UM_F32, 4, (const int64_t[]){d->window.kernel[0], d->window.kernel[1], d->x[0].dim[3], K});
  op->base.b = um_tensor_plain(UM_F32, 1, &K);
  op->base.compute = d->precision == UM_PRECISION_BF16 ? UM_BF16 : UM_F32;
  for (int p = 0; p < UM_CONV_PASSES; p++) {
    if (!(d->passes & bit[p])) continue;
    if ((status = um_cuda_choose(cuda, &op->conv, (um_conv_pass)p, &op->way[p], err)) != UM_OK) return status;
    if (op->way[p].scratch > op->base.scratch_bytes) op->base.scratch_bytes = op->way[p].scratch;
    const int n = snprintf(op->base.algorithm + at, sizeof op->base.algorithm - at, "%s%s %s", at ? ", " : "", names[p], op->way[p].name);
    at = n > 0 && at + (size_t)n < sizeof op->base.algorithm ? at + (size_t)n : sizeof op->base.algorithm - 1;
  }
  if (d->passes & UM_PASS_BACKWARD_WEIGHTS) {
    const size_t bias = um_cuda_bias_scratch(cuda, d->y.dim[0] * d->y.dim[1] * d->y.dim[2], (int)K);
    if (bias > op->base.scratch_bytes) op->base.scratch_bytes = bias;
  }
  return UM_OK;
}

static int run(um_op *base, um_conv_pass pass, void *out, const void *a, const void *b, const float *bias, void *scratch, um_error *err) {
  const um_cuda_op *op = (const um_cuda_op *)base;
  const um_cuda *cuda = (const um_cuda *)base->backend;
  const um_conv_way *way = &op->way[pass];
  return way->run(cuda, &op->conv, way, out, a, b, bias, scratch, cuda->queue, err);
}

int um_cuda_conv_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch,
                         um_error *err) {
  return run(op, UM_CONV_FORWARD, y->data, x->data, w->data, b->data, scratch, err);
}

int um_cuda_conv_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err) {
  return run(op, UM_CONV_BACKWARD_DATA, dx->data, dy->data, w->data, NULL, scratch, err);
}

int um_cuda_conv_backward_weights(um_op *base, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                  um_error *err) {
  const um_cuda_conv *g = &((const um_cuda_op *)base)->conv;
  const um_cuda *cuda = (const um_cuda *)base->backend;
  const int status = run(base, UM_CONV_BACKWARD_WEIGHTS, dw->data, x->data, dy->data, NULL, scratch, err);
  if (status != UM_OK) return status;
  return um_cuda_bias_gradient(cuda, db->data, dy->data, dy->dtype, (int64_t)g->N * g->P * g->Q, g->K, scratch, cuda->queue, err);
}
