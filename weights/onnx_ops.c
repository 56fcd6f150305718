/* Layers with windows and weights: Conv, pooling, Gemm, MatMul, BatchNormalization; Relu, PRelu, Sigmoid and Softmax. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weights/onnx_impl.h"

int onnx_axis(int64_t axis, int ndim) {
  if (axis < 0) axis += ndim;
  return axis >= 0 && axis < ndim ? (int)axis : -1;
}

int64_t onnx_sample(const onnx_value *v) {
  int64_t n = 1;
  for (int i = 1; i < v->ndim; i++) n *= v->dim[i];
  return n;
}

int onnx_constant_in(onnx_graph *g, const onnx_node *n, int i, const char *what) {
  if (i >= n->inputs || g->operand[n->first_input + i] < 0) return -1;
  const onnx_value *v = onnx_in(g, n, i);
  if (!v || v->kind != ONNX_TENSOR) return onnx_refuse(g, n, "its %s is computed, expected a constant", what);
  if (v->turned && strcmp(what, "matrix") != 0) return onnx_refuse(g, n, "its %s is a transposed constant", what);
  if (strcmp(onnx_type_name(g->file->tensor[v->tensor].type), "?") == 0)
    return onnx_refuse(g, n, "its %s is of a type that is not read", what);
  return v->tensor;
}

/* Pictures, N C H W or N C W. */
static int take_picture(onnx_graph *g, const onnx_node *n, onnx_value *x, bool padded) {
  int status = padded ? onnx_take_padded(g, n, 0, x) : onnx_take(g, n, 0, x);
  if (status) return status;
  if (x->order != ONNX_CHW || (x->ndim != 3 && x->ndim != 4))
    return onnx_refuse(g, n, "its input is no picture N x C x H x W, but %s",
                       x->order == ONNX_HWC ? "N x H x W x C" : "flat, or its channels are not where they should be");
  return UM_OK;
}

/* The zeros that a Pad put around x become the window's. */
static void take_pad(um_window *w, const onnx_value *x) {
  for (int i = 0; x->padded && i < 2; i++) w->pad_before[i] += x->pad[i], w->pad_after[i] += x->pad[2 + i];
}

int onnx_pad(onnx_graph *g, const onnx_node *n) {
  onnx_value x, list;
  int64_t pad[2 * UM_WEIGHT_MAX_DIMS];
  um_pb mode;
  float value = onnx_float(n, "value", 0);
  int status = take_picture(g, n, &x, true), count = onnx_ints(n, "pads", pad, 2 * UM_WEIGHT_MAX_DIMS);
  if (status) return status;
  if (onnx_string(n, "mode", &mode) && !onnx_is(mode, "constant")) return onnx_refuse(g, n, "a mode that is not constant");
  if (n->inputs > 1) {
    if ((status = onnx_numbers(g, n, 1, &list))) return status;
    memcpy(pad, list.number, sizeof list.number);
    count = list.n;
  }
  const int given = onnx_constant_in(g, n, 2, "value");
  if (given < -1) return given;
  if (given >= 0 && g->file->tensor[given].count == 1) status = onnx_tensor_floats(&g->file->tensor[given], &value, g->path, g->err);
  if (status) return status;
  if (value != 0 || onnx_in(g, n, 3) || count != 2 * x.ndim || (given >= 0 && g->file->tensor[given].count != 1))
    return onnx_refuse(g, n, "other than zeros around pictures");
  for (int i = 0; i < count; i++) {
    const int axis = i % x.ndim, side = i / x.ndim;
    if (pad[i] < 0 || pad[i] > INT16_MAX || (axis < 2 && pad[i] != 0)) return onnx_refuse(g, n, "other than zeros around pictures");
    if (axis < 2) continue;
    if (!x.padded) memset(x.pad, 0, sizeof x.pad);
    x.padded = true;
    x.pad[2 * side + axis - x.ndim + 2] += (int)pad[i];
    x.dim[axis] += pad[i];
  }
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

int onnx_conv(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  um_node like = {.op = UM_OP_CONV2D, .n_inputs = 1};
  int status = take_picture(g, n, &x, true);
  if (status) return status;
  const int w = onnx_constant_in(g, n, 1, "kernel"), b = onnx_constant_in(g, n, 2, "bias");
  if (w < -1 || b < -1) return UM_EUNSUPPORTED;
  if (w < 0) return onnx_refuse(g, n, "no kernel");
  const onnx_tensor *t = &g->file->tensor[w];
  const int64_t group = onnx_int(n, "group", 1);
  if (group != 1) return onnx_refuse(g, n, "group %" PRId64 ", expected 1", group);
  if (t->ndim != x.ndim || t->dim[1] != onnx_channels(g, &x))
    return onnx_refuse(g, n, "a kernel of %d dimensions and %" PRId64 " input channels, expected %d and %" PRId64, t->ndim,
                       t->ndim > 1 ? t->dim[1] : 0, x.ndim, onnx_channels(g, &x));
  if (b >= 0 && (g->file->tensor[b].count != t->dim[0] || g->file->tensor[b].ndim != 1))
    return onnx_refuse(g, n, "a bias of %" PRId64 " values, expected %" PRId64, g->file->tensor[b].count, t->dim[0]);
  if ((status = onnx_window(g, n, &x, t->dim + 2, &like.window, false))) return status;
  take_pad(&like.window, &x);
  like.units = t->dim[0];
  like.input[0] = x.node;
  const int at = onnx_add(g, n, &like, w);
  if (at < 0) return at;
  if (!onnx_recipe_of(g, n, at, w, b, UM_WEIGHT_OIHW)) return UM_EUNSUPPORTED;
  onnx_set_chw(g, &x, at);
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

static int pool(onnx_graph *g, const onnx_node *n, um_op_kind kind) {
  onnx_value x;
  um_node like = {.op = kind, .n_inputs = 1};
  const bool ceil_mode = onnx_int(n, "ceil_mode", 0) != 0, include = onnx_int(n, "count_include_pad", 0) != 0 && kind == UM_OP_AVG_POOL;
  int status = take_picture(g, n, &x, kind == UM_OP_AVG_POOL);
  if (status || (status = onnx_window(g, n, &x, NULL, &like.window, ceil_mode))) return status;
  const um_window *w = &like.window;
  const bool padded = w->pad_before[0] || w->pad_before[1] || w->pad_after[0] || w->pad_after[1];
  if (x.padded && padded && !include) return onnx_refuse(g, n, "zeros of a Pad that count and padding that does not");
  if ((include && padded) || x.padded) { /* the average over the padding, too: a convolution */
    if (ceil_mode) return onnx_refuse(g, n, "padding that counts together with ceil_mode");
    um_window window = *w;
    take_pad(&window, &x);
    if ((status = onnx_diagonal(g, n, &x, &window, 1.0f / (float)(w->kernel[0] * w->kernel[1]), NULL))) return status;
    onnx_set_chw(g, &x, x.node);
  } else {
    like.input[0] = x.node;
    const int at = onnx_add(g, n, &like, -1);
    if (at < 0) return at;
    onnx_set_chw(g, &x, at);
  }
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

int onnx_max_pool(onnx_graph *g, const onnx_node *n) { return pool(g, n, UM_OP_MAX_POOL); }
int onnx_average_pool(onnx_graph *g, const onnx_node *n) { return pool(g, n, UM_OP_AVG_POOL); }

/* x becomes its channels' means; keep: dimensions of 1 stay where they were averaged. */
static int average_all(onnx_graph *g, const onnx_node *n, onnx_value *x, bool keep) {
  const um_node like = {.op = UM_OP_GLOBAL_AVG_POOL, .n_inputs = 1, .input = {x->node}};
  const int channel = x->order == ONNX_HWC ? x->ndim - 1 : 1, at = onnx_add(g, n, &like, -1);
  if (at < 0) return at;
  for (int i = 1; i < x->ndim; i++)
    if (i != channel) x->dim[i] = 1;
  if (!keep) {
    x->dim[1] = x->dim[channel];
    x->ndim = 2;
  }
  x->order = ONNX_ROW;
  x->node = at;
  x->shared = false;
  onnx_out(g, n, 0, x);
  return UM_OK;
}

int onnx_global_average_pool(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  const int status = take_picture(g, n, &x, false);
  return status ? status : average_all(g, n, &x, true);
}

int onnx_reduce_mean(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  int64_t axis[UM_WEIGHT_MAX_DIMS];
  int status = onnx_take(g, n, 0, &x), count = onnx_ints(n, "axes", axis, UM_WEIGHT_MAX_DIMS);
  unsigned over = 0;
  if (status) return status;
  const int given = onnx_constant_in(g, n, 1, "list of axes");
  if (given < -1) return given;
  if (given >= 0) {
    const onnx_tensor *t = &g->file->tensor[given];
    if (t->count > UM_WEIGHT_MAX_DIMS) return onnx_refuse(g, n, "more axes than there are");
    if ((status = onnx_tensor_ints(t, axis, g->path, g->err))) return status;
    count = (int)t->count;
  }
  for (int i = 0; i < count; i++) {
    const int a = onnx_axis(axis[i], x.ndim);
    if (a < 0) return onnx_refuse(g, n, "axis %" PRId64 " of %d dimensions", axis[i], x.ndim);
    over |= 1u << a;
  }
  const unsigned chw = ((1u << x.ndim) - 1) & ~3u, hwc = ((1u << (x.ndim - 1)) - 1) & ~1u;
  if (!((x.order == ONNX_CHW && over == chw) || (x.order == ONNX_HWC && over == hwc)))
    return onnx_refuse(g, n, "a mean that is not over height and width");
  return average_all(g, n, &x, onnx_int(n, "keepdims", 1) != 0);
}

/* y = alpha x w + beta b, w in x out or (turned) out x in. */
static int dense(onnx_graph *g, const onnx_node *n, onnx_value *x, int w, int b, bool turned, float alpha, float beta) {
  const onnx_tensor *t = &g->file->tensor[w];
  um_node like = {.op = UM_OP_DENSE, .n_inputs = 1};
  int status = UM_OK;
  if (x->ndim != 2 || t->ndim != 2)
    return onnx_refuse(g, n, "a product of %d and %d dimensions, expected N x K and a matrix", x->ndim, t->ndim);
  const int64_t in = t->dim[turned], out = t->dim[!turned];
  if (in != x->dim[1]) return onnx_refuse(g, n, "a matrix for %" PRId64 " inputs, there are %" PRId64, in, x->dim[1]);
  if (b >= 0) {
    const onnx_tensor *c = &g->file->tensor[b];
    const bool row = c->count == out && c->ndim > 0 && c->dim[c->ndim - 1] == out;
    if (c->ndim > 2 || (c->count != 1 && !row))
      return onnx_refuse(g, n, "a bias of %" PRId64 " values that is not one for each of the %" PRId64 " outputs", c->count, out);
  }
  if ((status = onnx_flat(g, n, x))) return status;
  like.units = out;
  like.input[0] = x->node;
  const int at = onnx_add(g, n, &like, w);
  if (at < 0) return at;
  const bool chw = x->order == ONNX_ROW_CHW && !onnx_row_order(x);
  const um_weight_layout layout = chw ? (turned ? UM_WEIGHT_OI_CHW : UM_WEIGHT_IO_CHW) : turned ? UM_WEIGHT_OI : UM_WEIGHT_OURS;
  onnx_recipe *r = onnx_recipe_of(g, n, at, w, beta == 0 ? -1 : b, layout);
  if (!r) return UM_EUNSUPPORTED;
  memcpy(r->chw, x->chw, sizeof r->chw);
  if (alpha != 1 || (b >= 0 && beta != 1 && beta != 0)) {
    double *gain = malloc((size_t)out * sizeof *gain), *none = calloc((size_t)out, sizeof *none);
    for (int64_t i = 0; gain && i < out; i++) gain[i] = (double)alpha;
    status = gain && none ? onnx_fold(g, at, gain, none) : um_fail(g->err, UM_ENOMEM, "%s: no memory for %" PRId64 " units", g->path, out);
    for (int64_t i = 0; !status && i < out; i++) r->bias_gain[i] = (double)beta;
    free(gain);
    free(none);
    if (status) return status;
  }
  x->node = at;
  x->shared = false;
  x->order = ONNX_ROW;
  x->dim[1] = out;
  onnx_out(g, n, 0, x);
  return UM_OK;
}

int onnx_gemm(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  const int status = onnx_take(g, n, 0, &x);
  if (status) return status;
  if (onnx_int(n, "transA", 0)) return onnx_refuse(g, n, "transA: what it multiplies is turned, batch and all");
  const int w = onnx_constant_in(g, n, 1, "matrix"), b = onnx_constant_in(g, n, 2, "bias");
  if (w < -1 || b < -1) return UM_EUNSUPPORTED;
  if (w < 0) return onnx_refuse(g, n, "no matrix");
  return dense(g, n, &x, w, b, (onnx_int(n, "transB", 0) != 0) != onnx_in(g, n, 1)->turned, onnx_float(n, "alpha", 1),
               onnx_float(n, "beta", 1));
}

int onnx_matmul(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  const int status = onnx_take(g, n, 0, &x);
  if (status) return status;
  const int w = onnx_constant_in(g, n, 1, "matrix");
  if (w < -1) return w;
  return w < 0 ? onnx_refuse(g, n, "no matrix") : dense(g, n, &x, w, -1, onnx_in(g, n, 1)->turned, 1, 1);
}

static int activation_node(onnx_graph *g, const onnx_node *n, onnx_value *x, um_op_kind kind) {
  const um_node like = {.op = kind, .n_inputs = 1, .input = {x->node}};
  const int at = onnx_add(g, n, &like, -1);
  if (at < 0) return at;
  x->node = at;
  x->shared = false;
  onnx_out(g, n, 0, x);
  return UM_OK;
}

/* Files of ours say by a name that ends in /Relu which ones belong to the layer before. */
static bool own_node(const onnx_graph *g, const onnx_node *n) {
  const size_t k = um_pb_size(&n->name);
  return onnx_is(g->file->producer, "unmask") && !(k > 5 && memcmp(n->name.end - 5, "/Relu", 5) == 0);
}

int onnx_relu(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  const int status = onnx_take(g, n, 0, &x);
  if (status) return status;
  um_node *node = &g->graph.node[x.node];
  const bool has = node->op == UM_OP_CONV2D || node->op == UM_OP_DENSE || node->op == UM_OP_ADD;
  if (!has || x.shared || node->activation != UM_ACT_NONE || own_node(g, n)) return activation_node(g, n, &x, UM_OP_RELU);
  node->activation = UM_ACT_RELU;
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

int onnx_sigmoid(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  const int status = onnx_take(g, n, 0, &x);
  return status ? status : activation_node(g, n, &x, UM_OP_SIGMOID);
}

/* The dimension of x that is our channels; -1 where none is. */
static int channel_axis(const onnx_graph *g, const onnx_value *x) {
  if (x->order == ONNX_CHW) return 1;
  if (x->order == ONNX_HWC || (x->order == ONNX_ROW && x->ndim == 2 && x->dim[1] == onnx_channels(g, x))) return x->ndim - 1;
  return -1;
}

int onnx_prelu(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  const int status = onnx_take(g, n, 0, &x);
  if (status) return status;
  const int slope = onnx_constant_in(g, n, 1, "slope");
  if (slope < -1) return slope;
  if (slope < 0) return onnx_refuse(g, n, "no slope");
  const onnx_tensor *t = &g->file->tensor[slope];
  const int64_t channels = onnx_channels(g, &x);
  const int axis = channel_axis(g, &x);
  /* Its dimensions are x's last ones: all 1 but the channels. Before version 7, a list was by channel. */
  bool fits = t->ndim <= x.ndim && t->count == (t->count == 1 ? 1 : channels);
  for (int i = 0; i < t->ndim && t->count > 1; i++)
    fits = fits && (t->dim[i] == 1 || x.ndim - t->ndim + i == axis || (g->file->opset < 7 && t->ndim == 1 && axis > 0));
  if (!fits) return onnx_refuse(g, n, "a slope that is neither one number nor one a channel");
  const um_node like = {.op = UM_OP_PRELU, .n_inputs = 1, .input = {x.node}};
  const int at = onnx_add(g, n, &like, slope);
  if (at < 0) return at;
  g->recipe[at] = (onnx_recipe){.bends = true, .alpha = slope};
  g->file->tensor[slope].claimed = true;
  x.node = at;
  x.shared = false;
  onnx_out(g, n, 0, &x);
  return UM_OK;
}

int onnx_softmax(onnx_graph *g, const onnx_node *n) {
  onnx_value x;
  const int status = onnx_take(g, n, 0, &x);
  if (status) return status;
  const bool old = g->file->opset < 13; /* then it was over all dimensions from the axis on */
  const int axis = onnx_axis(onnx_int(n, "axis", old ? 1 : -1), x.ndim);
  int64_t behind = 1;
  for (int i = axis + 1; i > 0 && i < x.ndim; i++) behind *= x.dim[i];
  if (axis < 0 || axis != channel_axis(g, &x) || (old && behind != 1)) return onnx_refuse(g, n, "over other than the channels");
  return activation_node(g, n, &x, UM_OP_SOFTMAX);
}

int onnx_affine(onnx_graph *g, const onnx_node *n, onnx_value *v, const double *gain, const double *shift) {
  if (!onnx_foldable(g, v)) {
    const int status = onnx_diagonal(g, n, v, NULL, 1, NULL);
    if (status) return status;
  }
  return onnx_fold(g, v->node, gain, shift);
}

int onnx_batch_norm(onnx_graph *g, const onnx_node *n) {
  static const char *const what[] = {"scale", "shift", "mean", "variance"};
  onnx_value x;
  int t[4], status = onnx_take(g, n, 0, &x);
  if (status) return status;
  const int64_t channels = onnx_channels(g, &x), area = x.order == ONNX_ROW_CHW ? x.chw[1] * x.chw[2] : 1;
  const double epsilon = (double)onnx_float(n, "epsilon", 1e-5f);
  const bool fits = x.order == ONNX_CHW || (x.ndim == 2 && x.dim[1] == channels) ||
                    (x.order == ONNX_ROW && x.ndim > 2 && x.dim[1] == channels && onnx_sample(&x) == channels);
  if (!fits) return onnx_refuse(g, n, "its channels are not where they are expected");
  if (onnx_int(n, "training_mode", 0) || (g->file->opset < 7 && !onnx_int(n, "is_test", 0)))
    return onnx_refuse(g, n, "training_mode: its mean is that of the batch");
  if (!onnx_int(n, "spatial", 1)) return onnx_refuse(g, n, "spatial=0");
  for (int i = 0; i < 4; i++) {
    if ((t[i] = onnx_constant_in(g, n, 1 + i, what[i])) < -1) return UM_EUNSUPPORTED;
    if (t[i] < 0 || g->file->tensor[t[i]].count != channels)
      return onnx_refuse(g, n, "its %s has not %" PRId64 " values, one a channel", what[i], channels);
  }
  double *gain = malloc(2 * (size_t)channels * sizeof *gain), *shift = gain ? gain + channels : NULL;
  float *value = malloc(4 * (size_t)channels * sizeof *value);
  if (!gain || !value) status = um_fail(g->err, UM_ENOMEM, "%s: no memory for %" PRId64 " channels", g->path, channels);
  for (int i = 0; i < 4 && !status; i++) status = onnx_tensor_floats(&g->file->tensor[t[i]], value + i * channels, g->path, g->err);
  for (int64_t i = 0; i < channels && !status; i++) {
    const int64_t to = i % area * (channels / area) + i / area; /* of a flattened C H W, ours H W C */
    gain[to] = (double)value[i] / sqrt((double)value[3 * channels + i] + epsilon);
    shift[to] = (double)value[channels + i] - (double)value[2 * channels + i] * gain[to];
  }
  if (!status) status = onnx_affine(g, n, &x, gain, shift);
  if (!status) onnx_out(g, n, 0, &x);
  free(gain);
  free(value);
  return status;
}
