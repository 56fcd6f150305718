/* What moves no value of ours: Identity, Cast, Dropout, Flatten, Reshape, Squeeze, Unsqueeze, Transpose, and the arithmetic of shapes that
 * PyTorch puts before a Reshape. */
#include <inttypes.h>
#include <string.h>

#include "weights/onnx_impl.h"

int onnx_numbers(onnx_graph *g, const onnx_node *n, int i, onnx_value *out) {
  const onnx_value *v = onnx_in(g, n, i);
  if (v && v->kind == ONNX_NUMBERS) {
    *out = *v;
    return UM_OK;
  }
  if (!v || v->kind != ONNX_TENSOR || g->file->tensor[v->tensor].count > UM_WEIGHT_MAX_DIMS || g->file->tensor[v->tensor].ndim > 1)
    return onnx_refuse(g, n, "its input %d is no list of dimensions", i);
  const onnx_tensor *t = &g->file->tensor[v->tensor];
  *out = (onnx_value){.kind = ONNX_NUMBERS, .n = t->ndim == 0 ? -1 : (int)t->count};
  return onnx_tensor_ints(t, out->number, g->path, g->err);
}

int onnx_same(onnx_graph *g, const onnx_node *n) {
  const onnx_value *v = onnx_in(g, n, 0);
  if (!v) return onnx_refuse(g, n, "its input is not there");
  onnx_out(g, n, 0, v);
  return UM_OK;
}

int onnx_cast(onnx_graph *g, const onnx_node *n) {
  const onnx_value *v = onnx_in(g, n, 0);
  const int64_t to = onnx_int(n, "to", 0);
  if (!v) return onnx_refuse(g, n, "its input is not there");
  onnx_value x = *v;
  const bool floats = to > 0 && to <= ONNX_BFLOAT16 && onnx_is_float((int)to), narrow = floats && to != ONNX_FLOAT && to != ONNX_DOUBLE;
  /* What is computed in 16 bits there is computed in 32 here; but an output that is asked for in 16 bits is another output. */
  const bool last =
      n->outputs > 0 && g->file->outputs > 0 && g->operand[n->first_output] >= 0 && &g->value[g->operand[n->first_output]] == g->output;
  if (x.kind == ONNX_VALUE && (!floats || (narrow && last))) return onnx_refuse(g, n, "to %s", onnx_type_name((int)(to & 31)));
  if (x.kind == ONNX_TENSOR && onnx_is_float(g->file->tensor[x.tensor].type) && !floats)
    return onnx_refuse(g, n, "a constant, to integers");
  x.floats = true;
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

int onnx_dropout(onnx_graph *g, const onnx_node *n) {
  int64_t on = 0;
  const int tensor = onnx_constant_in(g, n, 2, "training_mode");
  if (tensor < -1) return tensor;
  if (tensor >= 0) {
    const onnx_tensor *t = &g->file->tensor[tensor];
    const int status = t->count == 1 ? onnx_tensor_ints(t, &on, g->path, g->err) : UM_EUNSUPPORTED;
    if (status || on) return onnx_refuse(g, n, "training_mode");
  }
  if (g->file->opset < 7 && !onnx_int(n, "is_test", 0)) return onnx_refuse(g, n, "is_test=0: training");
  return onnx_same(g, n);
}

/* x as N x K. */
static int flatten(onnx_graph *g, const onnx_node *n, onnx_value *x) {
  const int64_t count = onnx_sample(x);
  if (onnx_row_order(x)) {
    x->order = ONNX_ROW;
  } else if (x->order == ONNX_CHW) {
    x->order = ONNX_ROW_CHW;
    x->chw[0] = x->dim[1];
    x->chw[1] = x->ndim == 4 ? x->dim[2] : 1;
    x->chw[2] = x->dim[x->ndim - 1];
  }
  const int status = onnx_flat(g, n, x);
  x->ndim = 2;
  x->dim[1] = count;
  if (!status) onnx_out(g, n, 0, x);
  return status;
}

int onnx_flatten(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  const int status = onnx_take(g, n, 0, &x);
  if (status) return status;
  const int64_t axis = onnx_int(n, "axis", 1);
  if (axis != 1 && axis != 1 - x.ndim) return onnx_refuse(g, n, "axis %" PRId64 ", expected 1: batch by everything else", axis);
  return flatten(g, n, &x);
}

int onnx_reshape(onnx_graph *g, const onnx_node *n) {
  onnx_value x, to;
  int64_t known = 1;
  int open = -1, status = onnx_take(g, n, 0, &x);
  if (status || (status = onnx_numbers(g, n, 1, &to))) return status;
  const int64_t count = onnx_sample(&x);
  if (onnx_int(n, "allowzero", 0) || to.n < 1) return onnx_refuse(g, n, "to a shape that is not N by something");
  int64_t *d = to.number;
  const bool keeps = d[0] == 0 || d[0] == ONNX_BATCH || (g->batch > 0 && d[0] == g->batch);
  if (d[0] != -1 && !keeps) return onnx_refuse(g, n, "its first dimension becomes %" PRId64 ", expected the batch", d[0]);
  for (int i = 1; i < to.n; i++) {
    if (i < x.ndim && d[i] == 0) d[i] = x.dim[i];
    if (d[i] == -1 && open < 0 && keeps) {
      open = i;
    } else if (d[i] < 1 || __builtin_mul_overflow(known, d[i], &known)) {
      return onnx_refuse(g, n, "to a shape that is not N by something");
    }
  }
  if (open >= 0) d[open] = count / known;
  if (open >= 0 ? count % known != 0 || d[open] < 1 : known != count)
    return onnx_refuse(g, n, "to other than %" PRId64 " values a picture", count);
  if (to.n == 2) return flatten(g, n, &x);
  bool same = to.n == x.ndim;
  for (int i = 1; same && i < to.n; i++) same = d[i] == x.dim[i];
  if (!same) {
    if (!onnx_row_order(&x)) return onnx_refuse(g, n, "of N x C x H x W to other than N x %" PRId64, count);
    x.order = ONNX_ROW;
    x.ndim = to.n;
    memcpy(x.dim + 1, d + 1, sizeof x.dim - sizeof *x.dim);
  }
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

/* Squeeze and Unsqueeze. */
int onnx_squeeze(onnx_graph *g, const onnx_node *n) {
  const bool un = onnx_is(n->op, "Unsqueeze");
  const onnx_value *from = onnx_in(g, n, 0);
  int64_t axis[UM_WEIGHT_MAX_DIMS];
  int status, count = onnx_ints(n, "axes", axis, UM_WEIGHT_MAX_DIMS);
  onnx_value x, list;
  if (from && from->kind == ONNX_NUMBERS) {
    x = *from;
    if ((un && x.n != -1) || (!un && x.n != 1)) return onnx_refuse(g, n, "of a list of dimensions");
    x.n = un ? 1 : -1;
    onnx_out(g, n, 0, &x);
    return UM_OK;
  }
  if ((status = onnx_take(g, n, 0, &x))) return status;
  if (n->inputs > 1) {
    if ((status = onnx_numbers(g, n, 1, &list))) return status;
    count = list.n < 0 ? 1 : list.n;
    memcpy(axis, list.number, sizeof axis);
  }
  if (!onnx_row_order(&x)) return onnx_refuse(g, n, "of N x C x H x W");
  const int ndim = un ? x.ndim + count : x.ndim;
  unsigned set = 0;
  if (count == -2 || (un && (count < 1 || ndim > UM_WEIGHT_MAX_DIMS))) return onnx_refuse(g, n, "no axes, or too many");
  for (int i = 0; i < count; i++) {
    const int a = onnx_axis(axis[i], ndim);
    if (a < 1 || set & 1u << a || (!un && x.dim[a] != 1)) return onnx_refuse(g, n, "axis %" PRId64, axis[i]);
    set |= 1u << a;
  }
  if (count < 0) /* Squeeze: all of them; whether that is the batch, too, nobody knows before it runs */
    for (int i = 1; i < x.ndim; i++) set |= (x.dim[i] == 1) << i;
  const onnx_value old = x;
  int to = 1, at = 1;
  for (; un && to < ndim; to++) x.dim[to] = set & 1u << to ? 1 : old.dim[at++];
  for (; !un && at < ndim; at++)
    if (!(set & 1u << at)) x.dim[to++] = old.dim[at];
  x.ndim = to;
  x.order = ONNX_ROW;
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

int onnx_transpose(onnx_graph *g, const onnx_node *n) {
  int64_t perm[UM_WEIGHT_MAX_DIMS];
  const onnx_value *from = onnx_in(g, n, 0);
  int count = onnx_ints(n, "perm", perm, UM_WEIGHT_MAX_DIMS), status;
  unsigned seen = 0;
  if (!from ||
      (from->kind != ONNX_VALUE && !(from->kind == ONNX_TENSOR && from->ndim == 2 && (count == -1 || (count == 2 && perm[0] == 1)))))
    return onnx_refuse(g, n, "of a constant");
  onnx_value x = *from;
  if (x.kind == ONNX_TENSOR) { /* a matrix for a MatMul */
    x.turned = !x.turned;
    onnx_out(g, n, 0, &x);
    return UM_OK;
  }
  if (count == -1)
    for (count = 0; count < x.ndim; count++) perm[count] = x.ndim - 1 - count;
  bool same = count == x.ndim, to_hwc = same && x.order == ONNX_CHW, to_chw = same && x.order == ONNX_HWC;
  if (!same) return onnx_refuse(g, n, "a perm of %d for %d dimensions", count, x.ndim);
  for (int i = 0; i < count; i++) {
    if (perm[i] < 0 || perm[i] >= count || seen & 1u << perm[i]) return onnx_refuse(g, n, "a perm that is none");
    seen |= 1u << perm[i];
    same = same && perm[i] == i;
    to_hwc = to_hwc && perm[i] == (i == 0 ? 0 : i == count - 1 ? 1 : i + 1);
    to_chw = to_chw && perm[i] == (i == 0 ? 0 : i == 1 ? count - 1 : i - 1);
  }
  if (perm[0] != 0) return onnx_refuse(g, n, "moves the batch");
  if (!same && !to_hwc && !to_chw) {
    int64_t last = 0;
    if ((status = onnx_take(g, n, 0, &x))) return status;
    bool ordered = onnx_row_order(&x);
    for (int i = 1; i < count; i++) {
      if (x.dim[perm[i]] == 1) continue;
      ordered = ordered && perm[i] > last;
      last = perm[i];
    }
    if (!ordered) return onnx_refuse(g, n, "neither N C H W to N H W C nor back");
    x.order = ONNX_ROW;
  }
  const onnx_value old = x;
  for (int i = 1; i < count; i++) x.dim[i] = old.dim[perm[i]];
  if (to_hwc || to_chw) x.order = to_hwc ? ONNX_HWC : ONNX_CHW;
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

int onnx_shape(onnx_graph *g, const onnx_node *n) {
  const onnx_value *from = onnx_in(g, n, 0);
  if (!from || from->kind == ONNX_NUMBERS) return onnx_refuse(g, n, "of what is no tensor");
  onnx_value x = {.kind = ONNX_NUMBERS};
  int64_t start = onnx_int(n, "start", 0), end = onnx_int(n, "end", from->ndim);
  if (start < 0) start += from->ndim;
  if (end < 0) end += from->ndim;
  for (int i = 0; i < from->ndim; i++)
    if (i >= start && i < end) x.number[x.n++] = i == 0 && from->kind == ONNX_VALUE ? ONNX_BATCH : from->dim[i];
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

/* One whose value is no tensor; tensors were read with the file. */
int onnx_constant(onnx_graph *g, const onnx_node *n) {
  um_pb at;
  onnx_value x = {.kind = ONNX_NUMBERS, .n = -1};
  if (onnx_attribute(n, "value_int", &at)) {
    x.number[0] = onnx_int(n, "value_int", 0);
  } else {
    x.n = onnx_ints(n, "value_ints", x.number, UM_WEIGHT_MAX_DIMS);
    if (x.n < 0) return onnx_refuse(g, n, "neither a tensor nor a few integers");
  }
  onnx_out(g, n, 0, &x);
  return UM_OK;
}
