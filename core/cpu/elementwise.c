/* Activations, sums and joins: one pass over storage each, whatever the layout. Padding of a blocked layout is zero and stays zero
 * under relu, sums and products; sigmoid, which would not keep it, asks for plain tensors in plan(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu/cpu.h"

static int64_t stored(const um_tensor *t) { return (int64_t)(t->bytes / sizeof(float)); }

/* Channels can be joined block by block where every part but the last ends with a block. */
static bool joins_in_blocks(const um_op_desc *d) {
  const um_layout *first = d->x[0].layout;
  for (int i = 0; i < d->n_inputs; i++) {
    const um_layout *l = d->x[i].layout;
    if (!l || !l->block || l->block != first->block) return false;
    if (d->x[i].dim[3] % l->block != 0) return false;
  }
  return true;
}

int um_cpu_plan_simple(um_cpu_op *op, um_error *err) {
  um_op *base = &op->base;
  const um_op_desc *d = &base->desc;
  snprintf(base->algorithm, sizeof base->algorithm, "own");
  switch (d->kind) {
  case UM_OP_RELU:
    base->x[0] = d->x[0];
    base->y.layout = d->x[0].layout;
    base->y.bytes = d->x[0].bytes;
    return UM_OK;
  case UM_OP_SIGMOID:
    if (d->x[0].layout && !d->x[0].layout->padded) {
      base->x[0] = d->x[0];
      base->y.layout = d->x[0].layout;
      base->y.bytes = d->x[0].bytes;
    }
    return UM_OK;
  case UM_OP_ADD:
    for (int i = 0; i < d->n_inputs; i++) {
      base->x[i].layout = d->x[0].layout;
      base->x[i].bytes = d->x[0].bytes;
    }
    base->y.layout = d->x[0].layout;
    base->y.bytes = d->x[0].bytes;
    return UM_OK;
  case UM_OP_CONCAT:
    if (d->y.ndim == 4 && joins_in_blocks(d)) {
      um_md tagged = NULL, plain = NULL;
      const um_tensor *y = &d->y;
      int status = UM_OK;
      dnnl_status_t s = um_cpu_plain_activation(&plain, y);
      if (s == dnnl_success)
        s = um_md_tagged(&tagged, 4, (int64_t[12]){y->dim[0], y->dim[3], y->dim[1], y->dim[2]},
                         d->x[0].layout->block == 16 ? dnnl_nChw16c : dnnl_nChw8c);
      status = s == dnnl_success ? um_cpu_set_layout(um_cpu_of(base), &base->y, tagged, plain, err) : um_dnnl_fail(err, s, "concat");
      for (int i = 0; i < d->n_inputs; i++) base->x[i] = d->x[i];
      um_md_free(tagged);
      um_md_free(plain);
      return status;
    }
    return UM_OK; /* plain, as it is set already */
  default: return UM_OK;
  }
}

/* Which function the op applies: a node's own, or the one fused into it. */
static um_op_kind function_of(const um_op *op) {
  if (um_is_activation(op->desc.kind)) return op->desc.kind;
  return op->desc.activation == UM_ACT_RELU ? UM_OP_RELU : UM_OP_INPUT;
}

int um_cpu_activation_forward(um_op *op, um_tensor *y, const um_tensor *x, um_error *err) {
  (void)err;
  const float *from = x->data;
  float *to = y->data;
  const int64_t count = stored(y);
  if (op->desc.kind == UM_OP_SOFTMAX) return um_cpu_softmax_forward(op, y, x);
  um_cpu_enter(um_cpu_of(op));
  if (function_of(op) == UM_OP_RELU) {
#pragma omp parallel for simd
    for (int64_t i = 0; i < count; i++) {
      const float v = from[i];
      to[i] = v < 0 ? 0 : v; /* a NaN stays one */
    }
  } else {
#pragma omp parallel for
    for (int64_t i = 0; i < count; i++) to[i] = (float)(1 / (1 + exp(-(double)from[i])));
  }
  return UM_OK;
}

int um_cpu_activation_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err) {
  (void)err;
  const float *from = dy->data, *out = y->data;
  float *to = dx->data;
  const int64_t count = stored(dx);
  if (op->desc.kind == UM_OP_SOFTMAX) return um_cpu_softmax_backward(op, dx, dy, y);
  um_cpu_enter(um_cpu_of(op));
  switch (function_of(op)) {
  case UM_OP_RELU:
#pragma omp parallel for simd
    for (int64_t i = 0; i < count; i++) {
      const float d = from[i]; /* read in any case: a choice between two values is one vector instruction, a branch is not */
      to[i] = out[i] > 0 ? d : 0;
    }
    break;
  case UM_OP_SIGMOID:
#pragma omp parallel for simd
    for (int64_t i = 0; i < count; i++) to[i] = (float)((double)from[i] * ((double)out[i] * (1 - (double)out[i])));
    break;
  default:
    if (to != from) memcpy(to, from, dx->bytes);
  }
  return UM_OK;
}

int um_cpu_add_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err) {
  (void)err;
  const int inputs = op->desc.n_inputs;
  const bool relu = op->desc.activation == UM_ACT_RELU;
  const int64_t count = stored(y), chunk = 4096, chunks = (count + chunk - 1) / chunk;
  float *to = y->data;
  um_cpu_enter(um_cpu_of(op));
  /* By pieces that stay in the first-level cache while the inputs are added one after another. */
#pragma omp parallel for
  for (int64_t k = 0; k < chunks; k++) {
    const int64_t first = k * chunk, last = first + chunk < count ? first + chunk : count;
    memcpy(to + first, (const float *)x[0]->data + first, (size_t)(last - first) * sizeof *to);
    for (int j = 1; j < inputs; j++) {
      const float *from = x[j]->data;
#pragma omp simd
      for (int64_t i = first; i < last; i++) to[i] += from[i];
    }
    if (relu)
#pragma omp simd
      for (int64_t i = first; i < last; i++) {
        const float v = to[i];
        to[i] = v < 0 ? 0 : v;
      }
  }
  return UM_OK;
}

int um_cpu_accumulate(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err) {
  (void)err;
  const float *from = src->data;
  float *to = dst->data;
  const int64_t count = stored(dst);
  um_cpu_enter((um_cpu *)be);
#pragma omp parallel for simd
  for (int64_t i = 0; i < count; i++) to[i] += from[i];
  return UM_OK;
}

/* A joined tensor as rows of `width` floats, and the part of one input in each: channels of a pixel, or blocks of a sample. */
static void rows_of(const um_tensor *joined, int64_t *rows, int64_t *width) {
  *rows = joined->dim[0];
  if (!joined->layout)
    for (int i = 1; i + 1 < joined->ndim; i++) *rows *= joined->dim[i];
  *width = stored(joined) / *rows;
}

/* Copies part <-> its place in the rows of joined. */
static void copy_part(float *joined, float *part, int64_t rows, int64_t width, int64_t offset, int64_t part_width, bool join) {
#pragma omp parallel for
  for (int64_t row = 0; row < rows; row++) {
    float *a = joined + row * width + offset, *b = part + row * part_width;
    if (join) {
      memcpy(a, b, (size_t)part_width * sizeof *a);
    } else {
      memcpy(b, a, (size_t)part_width * sizeof *a);
    }
  }
}

int um_cpu_concat_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err) {
  (void)err;
  int64_t rows, width, offset = 0;
  rows_of(y, &rows, &width);
  um_cpu_enter(um_cpu_of(op));
  for (int i = 0; i < op->desc.n_inputs; i++) {
    const int64_t part = stored(x[i]) / rows;
    copy_part(y->data, x[i]->data, rows, width, offset, part, true);
    offset += part;
  }
  return UM_OK;
}

int um_cpu_concat_backward(um_op *op, um_tensor *const *dx, const um_tensor *dy, um_error *err) {
  (void)err;
  int64_t rows, width, offset = 0;
  rows_of(dy, &rows, &width);
  um_cpu_enter(um_cpu_of(op));
  for (int i = 0; i < op->desc.n_inputs; i++) {
    const int64_t part = (int64_t)(op->x[i].bytes / sizeof(float)) / rows;
    if (dx[i]) copy_part(dy->data, dx[i]->data, rows, width, offset, part, false);
    offset += part;
  }
  return UM_OK;
}
