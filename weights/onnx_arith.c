/* Sums of values, and arithmetic with constants: collected while it is the input's, else folded into the layer before it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "weights/onnx_impl.h"

/* Nodes of ours take UM_MAX_INPUTS inputs: more are done in turns. Appends kind over node[0..count-1], all of one shape. */
static int join(onnx_graph *g, const onnx_node *n, um_op_kind kind, const int *node, int count) {
  int at = node[0], done = 1;
  while (done < count) {
    um_node like = {.op = kind, .n_inputs = 1, .input = {at}};
    while (done < count && like.n_inputs < UM_MAX_INPUTS) like.input[like.n_inputs++] = node[done++];
    if ((at = onnx_add(g, n, &like, -1)) < 0) return at;
  }
  return at;
}

static bool alike(const onnx_value *a, const onnx_value *b) {
  if (a->order != b->order || a->ndim != b->ndim) return false;
  if (a->order == ONNX_ROW_CHW && memcmp(a->chw, b->chw, sizeof a->chw) != 0) return false;
  return memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof *a->dim) == 0;
}

static int add_values(onnx_graph *g, const onnx_node *n) {
  onnx_value x = {0}, y;
  int status = UM_OK, at, *node = malloc((size_t)n->inputs * sizeof *node + 1);
  bool flat = false;
  if (!node) return um_fail(g->err, UM_ENOMEM, "%s: no memory for %d inputs", g->path, n->inputs);
  for (int i = 0; i < n->inputs && !status; i++) {
    if ((status = onnx_take(g, n, i, &y))) break;
    if (i == 0) x = y;
    if (!alike(&x, &y)) status = onnx_refuse(g, n, "a sum of values of different shapes or layouts");
    flat |= g->graph.node[y.node].ndim == 1;
    node[i] = y.node;
  }
  for (int i = 0; i < n->inputs && !status && flat; i++) {
    y.node = node[i];
    if (!(status = onnx_flat(g, n, &y))) node[i] = y.node;
  }
  if (!status) {
    at = join(g, n, UM_OP_ADD, node, n->inputs);
    status = at < 0 ? at : UM_OK;
    if (at >= 0 && n->inputs > 1) x.node = at, x.shared = false;
    if (at >= 0) onnx_out(g, n, 0, &x);
  }
  free(node);
  return status;
}

/* Element k of x's channels (as ours count them) of a tensor that is broadcast to x; -1 where it varies along another dimension. */
static int spread(onnx_graph *g, const onnx_node *n, const onnx_tensor *t, const onnx_value *x, const float *value, double *out) {
  const int64_t channels = onnx_channels(g, x);
  const bool whole = x->order == ONNX_ROW || x->order == ONNX_ROW_CHW; /* a channel of ours is an element of theirs */
  const int axis = x->order == ONNX_HWC ? x->ndim - 1 : 1, lead = x->ndim - t->ndim;
  if (t->count == 1 && lead >= 0) {
    for (int64_t k = 0; k < channels; k++) out[k] = (double)value[0];
    return UM_OK;
  }
  if (lead < 0 || (whole && onnx_sample(x) != channels)) return onnx_refuse(g, n, "a constant that widens what it meets");
  for (int i = 0; i < t->ndim; i++) {
    const int d = lead + i;
    if (t->dim[i] == 1) continue;
    if (d == 0 || t->dim[i] != x->dim[d] || (!whole && d != axis))
      return onnx_refuse(g, n, "a constant that is not one value for each of the %" PRId64 " channels", channels);
  }
  for (int64_t k = 0; k < channels; k++) {
    if (!whole) {
      out[k] = (double)value[k];
      continue;
    }
    int64_t at = 0, step = 1, rest = k, to = k;
    for (int d = x->ndim - 1; d > 0; d--) {
      const int64_t i = rest % x->dim[d];
      rest /= x->dim[d];
      if (d < lead) continue;
      if (t->dim[d - lead] > 1) at += i * step;
      step *= t->dim[d - lead];
    }
    if (x->order == ONNX_ROW_CHW) to = k % (x->chw[1] * x->chw[2]) * x->chw[0] + k / (x->chw[1] * x->chw[2]);
    out[to] = (double)value[at];
  }
  return UM_OK;
}

/* The bias of a layer that has none yet, as it lies in the file. */
static bool take_bias(onnx_graph *g, const onnx_value *x, int tensor) {
  const onnx_tensor *t = &g->file->tensor[tensor];
  onnx_recipe *r = &g->recipe[x->node];
  const um_node *node = &g->graph.node[x->node];
  if (!onnx_foldable(g, x) || r->b >= 0 || r->gain || t->count != node->units || x->order == ONNX_ROW_CHW) return false;
  r->b = tensor;
  g->file->tensor[tensor].claimed = true;
  return true;
}

/* y = gain x + shift on the input itself: remembered. */
static void collect(onnx_graph *g, int64_t channels, const double *gain, const double *shift) {
  onnx_pre *p = &g->pre;
  for (int64_t k = 0; k < channels; k++) {
    p->scale[k] *= gain[k];
    p->offset[k] = p->offset[k] * gain[k] + shift[k];
  }
  p->any = true;
}

int onnx_arithmetic(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  um_pb axis;
  if (n->inputs != 2) return onnx_refuse(g, n, "%d inputs, expected two", n->inputs);
  if (onnx_attribute(n, "axis", &axis)) return onnx_refuse(g, n, "axis, as operators had before version 7");
  const onnx_value *a = onnx_in(g, n, 0), *b = onnx_in(g, n, 1);
  const bool first = a && a->kind == ONNX_TENSOR; /* the constant comes first */
  const bool sub = onnx_is(n->op, "Sub"), div = onnx_is(n->op, "Div"), add = onnx_is(n->op, "Add");
  if (!a || !b || (a->kind == ONNX_TENSOR) == (b->kind == ONNX_TENSOR))
    return onnx_refuse(g, n, "expected a value that the network computes and a constant");
  const int tensor = onnx_constant_in(g, n, first ? 0 : 1, "operand");
  if (tensor < 0) return UM_EUNSUPPORTED;
  const onnx_value *from = first ? b : a;
  const bool collecting = from->kind == ONNX_VALUE && from->floats && from->pending && !from->shared;
  int status = UM_OK;
  if (collecting)
    x = *from;
  else if ((status = onnx_take(g, n, first ? 1 : 0, &x)))
    return status;
  const onnx_tensor *t = &g->file->tensor[tensor];
  const int64_t channels = onnx_channels(g, &x);
  if (!collecting && !onnx_foldable(g, &x) && channels > ONNX_MAX_DIAGONAL)
    return onnx_refuse(g, n, "over %" PRId64 " channels, and no layer before it that could take it in", channels);
  if (first && div) return onnx_refuse(g, n, "a constant divided by what the network computes");
  if (t->count > channels || t->count < 1)
    return onnx_refuse(g, n, "a constant of %" PRId64 " values, expected one for each of %" PRId64 " channels", t->count, channels);
  double *gain = malloc(2 * (size_t)channels * sizeof *gain), *shift = gain ? gain + channels : NULL;
  float *value = malloc((size_t)t->count * sizeof *value);
  if (!gain || !value) status = um_fail(g->err, UM_ENOMEM, "%s: no memory for %" PRId64 " channels", g->path, channels);
  if (!status) status = onnx_tensor_floats(t, value, g->path, g->err);
  if (!status) status = spread(g, n, t, &x, value, shift);
  for (int64_t k = 0; k < channels && !status; k++) {
    const double c = shift[k];
    gain[k] = add ? 1 : sub ? (first ? -1 : 1) : div ? 1 / c : c;
    shift[k] = add ? c : sub ? (first ? c : -c) : 0;
  }
  if (!status && collecting)
    collect(g, channels, gain, shift);
  else if (!status && !(add && take_bias(g, &x, tensor)))
    status = onnx_affine(g, n, &x, gain, shift);
  if (!status) onnx_out(g, n, 0, &x);
  free(gain);
  free(value);
  return status;
}

int onnx_add_op(onnx_graph *g, const onnx_node *n) {
  bool constant = false;
  if (n->inputs < 1) return onnx_refuse(g, n, "no input");
  for (int i = 0; i < n->inputs; i++) {
    const onnx_value *v = onnx_in(g, n, i);
    constant |= v && v->kind == ONNX_TENSOR;
  }
  if (constant && onnx_is(n->op, "Sum")) return onnx_refuse(g, n, "a sum with a constant in it");
  return constant ? onnx_arithmetic(g, n) : add_values(g, n);
}

/* Whether the sigmoid that makes the output follows. */
static bool before_the_end(const onnx_graph *g, const onnx_node *n) {
  for (int i = 0; i < g->file->nodes; i++) {
    const onnx_node *s = &g->file->node[i];
    if (onnx_is(s->op, "Sigmoid") && s->inputs == 1 && s->outputs == 1 && g->operand[s->first_input] == g->operand[n->first_output] &&
        &g->value[g->operand[s->first_output]] == g->output)
      return true;
  }
  return false;
}

int onnx_neg(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  int status = onnx_take(g, n, 0, &x);
  if (status) return status;
  if (g->negated && before_the_end(g, n)) {
    g->stripped = true;
    onnx_out(g, n, 0, &x);
    return UM_OK;
  }
  const int64_t channels = onnx_channels(g, &x);
  if (!onnx_foldable(g, &x) && channels > ONNX_MAX_DIAGONAL)
    return onnx_refuse(g, n, "over %" PRId64 " channels, and no layer before it that could take it in", channels);
  double *gain = malloc((size_t)channels * sizeof *gain), *shift = calloc((size_t)channels, sizeof *shift);
  for (int64_t k = 0; gain && k < channels; k++) gain[k] = -1;
  status = gain && shift ? onnx_affine(g, n, &x, gain, shift) : um_fail(g->err, UM_ENOMEM, "%s: no memory", g->path);
  if (!status) onnx_out(g, n, 0, &x);
  free(gain);
  free(shift);
  return status;
}

/* Dimensions picked from a Shape; or the input's channels in another order. */
int onnx_gather(onnx_graph *g, const onnx_node *n) {
  int64_t index[UM_WEIGHT_MAX_DIMS];
  const onnx_value *from = onnx_in(g, n, 0);
  const int tensor = onnx_constant_in(g, n, 1, "index");
  if (tensor < -1) return tensor;
  if (!from || tensor < 0 || g->file->tensor[tensor].count > UM_WEIGHT_MAX_DIMS)
    return onnx_refuse(g, n, "picks other than dimensions or channels");
  const onnx_tensor *t = &g->file->tensor[tensor];
  int status = onnx_tensor_ints(t, index, g->path, g->err);
  if (status) return status;
  onnx_value x = *from;
  if (x.kind == ONNX_NUMBERS && x.n >= 0 && t->ndim <= 1) {
    for (int64_t i = 0; i < t->count; i++) {
      const int at = onnx_axis(index[i], x.n);
      if (at < 0) return onnx_refuse(g, n, "index %" PRId64 " of %d", index[i], x.n);
      x.number[i] = from->number[at];
    }
    x.n = t->ndim == 0 ? -1 : (int)t->count;
    onnx_out(g, n, 0, &x);
    return UM_OK;
  }
  const int axis = x.kind == ONNX_VALUE ? onnx_axis(onnx_int(n, "axis", 0), x.ndim) : -1;
  const bool channels = x.kind == ONNX_VALUE && x.pending && !x.shared && axis == (x.order == ONNX_HWC ? x.ndim - 1 : 1) && t->ndim == 1 &&
                        t->count == x.dim[axis];
  if (!channels) return onnx_refuse(g, n, "picks other than dimensions or the input's channels");
  const onnx_pre old = g->pre;
  for (int64_t i = 0; i < t->count; i++) {
    const int c = onnx_axis(index[i], (int)x.dim[axis]);
    if (c < 0) return onnx_refuse(g, n, "channel %" PRId64 " of %" PRId64, index[i], x.dim[axis]);
    g->pre.scale[i] = old.scale[c], g->pre.offset[i] = old.offset[c], g->pre.from[i] = old.from[c];
  }
  g->pre.any = true;
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

int onnx_concat(onnx_graph *g, const onnx_node *n) {
  const onnx_value *first = onnx_in(g, n, 0);
  onnx_value x = {0}, y = {0};
  int status = UM_OK, at, *node;
  if (first && first->kind != ONNX_VALUE) { /* of dimensions, for a Reshape */
    x.kind = ONNX_NUMBERS;
    for (int i = 0; i < n->inputs && !status; i++) {
      if ((status = onnx_numbers(g, n, i, &y))) break;
      for (int k = 0; k < (y.n < 0 ? 1 : y.n) && !status; k++) {
        if (x.n == UM_WEIGHT_MAX_DIMS)
          status = onnx_refuse(g, n, "more dimensions than a value has");
        else
          x.number[x.n++] = y.number[k];
      }
    }
    if (!status) onnx_out(g, n, 0, &x);
    return status;
  }
  if (n->inputs < 1 || !(node = malloc((size_t)n->inputs * sizeof *node))) return onnx_refuse(g, n, "no input");
  int axis = -1;
  bool rows = true; /* elements in our order, and nothing but 1s before the axis */
  for (int i = 0; i < n->inputs && !status; i++) {
    if ((status = onnx_take(g, n, i, &y))) break;
    if (i == 0) {
      x = y;
      axis = onnx_axis(onnx_int(n, "axis", 1), x.ndim);
      if (axis < 1) status = onnx_refuse(g, n, "along the batch, or along a dimension that is not there");
      if (status) break;
    }
    bool same = x.ndim == y.ndim && x.order == y.order;
    for (int d = 1; same && d < x.ndim; d++) same = d == axis || x.dim[d] == y.dim[d];
    if (!same) status = onnx_refuse(g, n, "values of different shapes or layouts");
    rows = rows && onnx_row_order(&y);
    for (int d = 1; d < axis; d++) rows = rows && y.dim[d] == 1;
    if (i > 0) x.dim[axis] += y.dim[axis];
    node[i] = y.node;
  }
  const bool channels = (x.order == ONNX_CHW && axis == 1) || (x.order == ONNX_HWC && axis == x.ndim - 1);
  if (!status && !channels && !rows) status = onnx_refuse(g, n, "not along the channels");
  for (int i = 0; i < n->inputs && !status && !channels; i++) {
    y.node = node[i];
    if (!(status = onnx_flat(g, n, &y))) node[i] = y.node;
  }
  if (!status) {
    at = join(g, n, UM_OP_CONCAT, node, n->inputs);
    status = at < 0 ? at : UM_OK;
    if (at >= 0 && n->inputs > 1) x.node = at, x.shared = false;
    if (!channels) x.order = ONNX_ROW;
    if (at >= 0) onnx_out(g, n, 0, &x);
  }
  free(node);
  return status;
}
