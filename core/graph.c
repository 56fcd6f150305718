#include "core/graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph_impl.h"

/* What a graph may ask for. Far above any network that is trained here, far below what makes a product of them overflow int64. */
enum { NODES_MAX = 4096, WINDOW_MAX = 1024 };
static const int64_t side_max = 1 << 16, channels_max = 1 << 24, sample_max = (int64_t)1 << 32, weights_max = (int64_t)1 << 34;

const char *um_op_kind_name(um_op_kind kind) {
  static const char *const name[UM_OP_KINDS] = {"input", "conv2d",  "max_pool", "avg_pool", "global_avg_pool", "dense",   "flatten",
                                                "relu",  "sigmoid", "add",      "concat",   "prelu",           "softmax", "dropout"};
  return (unsigned)kind < UM_OP_KINDS ? name[kind] : "?";
}

int um_op_params(um_op_kind kind) { return kind == UM_OP_CONV2D || kind == UM_OP_DENSE ? 2 : kind == UM_OP_PRELU ? 1 : 0; }

const char *um_op_param_name(um_op_kind kind, int index) { return kind == UM_OP_PRELU ? "alpha" : index ? "bias" : "kernel"; }

/* The names that Keras gives to layers that have none. */
static const char *default_name(um_op_kind kind) {
  static const char *const name[UM_OP_KINDS] = {"input",
                                                "conv2d",
                                                "max_pooling2d",
                                                "average_pooling2d",
                                                "global_average_pooling2d",
                                                "dense",
                                                "flatten",
                                                "re_lu",
                                                "activation",
                                                "add",
                                                "concatenate",
                                                "p_re_lu",
                                                "softmax",
                                                "dropout"};
  return name[kind];
}

int um_graph_find(const um_graph *g, const char *name) {
  for (int i = 0; i < g->count; i++)
    if (strcmp(g->node[i].name, name) == 0) return i;
  return -1;
}

int um_graph_copy(um_graph *out, const um_graph *g, um_error *err) {
  const size_t bytes = sizeof *g->node * (size_t)g->count;
  *out = (um_graph){.node = malloc(bytes ? bytes : 1)};
  if (!out->node) return um_fail(err, UM_ENOMEM, "graph: no memory for %d nodes", g->count);
  memcpy(out->node, g->node, bytes);
  out->count = g->count;
  return UM_OK;
}

void um_graph_free(um_graph *g) {
  free(g->node);
  *g = (um_graph){0};
}

static int set_name(const um_graph *g, um_node *node, const char *name, um_error *err) {
  if (!name) {
    const char *base = default_name(node->op);
    snprintf(node->name, sizeof node->name, "%s", base);
    for (int i = 1; um_graph_find(g, node->name) >= 0; i++) snprintf(node->name, sizeof node->name, "%s_%d", base, i);
    return UM_OK;
  }
  size_t length = strlen(name);
  if (length == 0 || length >= UM_NAME_MAX)
    return um_fail(err, UM_ECONFIG, "graph: a node's name has %zu characters, expected 1 to %d", length, UM_NAME_MAX - 1);
  /* Names become keys of weight files ("name/kernel") and columns of tables. */
  for (const char *c = name; *c; c++)
    if ((unsigned char)*c <= ' ' || *c == '/' || *c == 127)
      return um_fail(err, UM_ECONFIG, "graph: node %d: its name holds a blank, a slash or a control character", g->count);
  if (um_graph_find(g, name) >= 0) return um_fail(err, UM_ECONFIG, "graph: two nodes are called \"%s\"", name);
  memcpy(node->name, name, length + 1);
  return UM_OK;
}

static int64_t sample_count(const um_node *node) {
  int64_t n = 1;
  for (int i = 0; i < node->ndim; i++) n *= node->dim[i];
  return n;
}

/* Output size of a window along one axis; 0 where it does not fit. */
static int64_t window_out(const um_window *w, int axis, int64_t in) {
  int64_t room = in + w->pad_before[axis] + w->pad_after[axis] - w->kernel[axis];
  return room < 0 ? 0 : room / w->stride[axis] + 1;
}

static int check_window(const um_node *node, const um_node *x, um_error *err) {
  const um_window *w = &node->window;
  for (int i = 0; i < 2; i++) {
    if (w->kernel[i] < 1 || w->kernel[i] > WINDOW_MAX || w->stride[i] < 1 || w->stride[i] > WINDOW_MAX)
      return um_fail(err, UM_ECONFIG, "graph: %s: window %dx%d, stride %dx%d: expected sizes from 1 to %d", node->name, w->kernel[0],
                     w->kernel[1], w->stride[0], w->stride[1], WINDOW_MAX);
    /* So every window covers at least one element that is there: a maximum or an average of none does not arise. */
    if (w->pad_before[i] < 0 || w->pad_before[i] >= w->kernel[i] || w->pad_after[i] < 0 || w->pad_after[i] >= w->kernel[i])
      return um_fail(err, UM_ECONFIG, "graph: %s: padding %d and %d around a window of %d: expected 0 to %d", node->name, w->pad_before[i],
                     w->pad_after[i], w->kernel[i], w->kernel[i] - 1);
    if (window_out(w, i, x->dim[i]) < 1)
      return um_fail(err, UM_ECONFIG, "graph: %s: a window of %dx%d does not fit into %" PRId64 "x%" PRId64 "; give a larger target_size",
                     node->name, w->kernel[0], w->kernel[1], x->dim[0], x->dim[1]);
  }
  return UM_OK;
}

/* The shape of node's output from its inputs'. */
static int infer_shape(const um_graph *g, um_node *node, um_error *err) {
  const um_node *x = node->n_inputs > 0 ? &g->node[node->input[0]] : NULL;
  bool windowed = node->op == UM_OP_CONV2D || node->op == UM_OP_MAX_POOL || node->op == UM_OP_AVG_POOL;
  if ((windowed || node->op == UM_OP_GLOBAL_AVG_POOL) && x->ndim != 3)
    return um_fail(err, UM_ECONFIG, "graph: %s: expected an input of height x width x channels, got %s with %d dimension(s)", node->name,
                   x->name, x->ndim);
  if (windowed) {
    int status = check_window(node, x, err);
    if (status != UM_OK) return status;
  }
  switch (node->op) {
  case UM_OP_INPUT: break; /* given */
  case UM_OP_CONV2D:
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL:
    node->ndim = 3;
    for (int i = 0; i < 2; i++) node->dim[i] = window_out(&node->window, i, x->dim[i]);
    node->dim[2] = node->op == UM_OP_CONV2D ? node->units : x->dim[2];
    break;
  case UM_OP_GLOBAL_AVG_POOL:
    node->ndim = 1;
    node->dim[0] = x->dim[2];
    break;
  case UM_OP_DENSE:
    if (x->ndim != 1)
      return um_fail(err, UM_ECONFIG, "graph: %s: a dense layer takes a flat input, %s has %d dimensions; put a flatten before it",
                     node->name, x->name, x->ndim);
    node->ndim = 1;
    node->dim[0] = node->units;
    break;
  case UM_OP_FLATTEN:
    node->ndim = 1;
    node->dim[0] = sample_count(x);
    break;
  case UM_OP_RELU:
  case UM_OP_SIGMOID:
  case UM_OP_PRELU:
  case UM_OP_SOFTMAX:
  case UM_OP_DROPOUT:
  case UM_OP_ADD:
  case UM_OP_CONCAT:
    node->ndim = x->ndim;
    memcpy(node->dim, x->dim, sizeof node->dim);
    for (int i = 1; i < node->n_inputs; i++) {
      const um_node *other = &g->node[node->input[i]];
      int same = x->ndim - (node->op == UM_OP_CONCAT); /* leading dimensions that must agree */
      bool fits = other->ndim == x->ndim;
      for (int k = 0; fits && k < same; k++) fits = other->dim[k] == x->dim[k];
      if (!fits)
        return um_fail(err, UM_ECONFIG, "graph: %s: its inputs %s and %s have shapes that do not go together", node->name, x->name,
                       other->name);
      if (node->op == UM_OP_CONCAT) node->dim[node->ndim - 1] += other->dim[node->ndim - 1];
    }
    break;
  default: return um_fail(err, UM_ECONFIG, "graph: %s: unknown op %d", node->name, (int)node->op);
  }
  return UM_OK;
}

static int check_sizes(const um_graph *g, const um_node *node, um_error *err) {
  bool image = node->ndim == 3;
  for (int i = 0; i < node->ndim; i++) {
    int64_t max = i == node->ndim - 1 ? (image ? channels_max : sample_max) : side_max;
    if (node->dim[i] < 1 || node->dim[i] > max)
      return um_fail(err, UM_ECONFIG, "graph: %s: dimension %d is %" PRId64 ", expected 1 to %" PRId64, node->name, i, node->dim[i], max);
  }
  if (sample_count(node) > sample_max)
    return um_fail(err, UM_ECONFIG, "graph: %s: %" PRId64 " numbers a sample, at most %" PRId64 " are allowed", node->name,
                   sample_count(node), sample_max);
  int64_t fan = 0; /* weights an output channel */
  if (node->op == UM_OP_CONV2D) fan = (int64_t)node->window.kernel[0] * node->window.kernel[1] * g->node[node->input[0]].dim[2];
  if (node->op == UM_OP_DENSE) fan = g->node[node->input[0]].dim[0];
  if (fan > weights_max / (node->units > 0 ? node->units : 1))
    return um_fail(err, UM_ECONFIG, "graph: %s: more than %" PRId64 " weights", node->name, weights_max);
  return UM_OK;
}

int um_graph_append(um_graph *g, const char *name, const um_node *like, um_error *err) {
  um_node node = *like;
  int status = set_name(g, &node, name, err);
  if (status != UM_OK) return status;
  if (g->count >= NODES_MAX) return um_fail(err, UM_ECONFIG, "graph: more than %d nodes", NODES_MAX);
  if ((node.op == UM_OP_INPUT) != (node.n_inputs == 0) || node.n_inputs > UM_MAX_INPUTS || node.n_inputs < 0)
    return um_fail(err, UM_ECONFIG, "graph: %s: a %s node with %d inputs", node.name, um_op_kind_name(node.op), node.n_inputs);
  if (node.n_inputs > 1 && node.op != UM_OP_ADD && node.op != UM_OP_CONCAT)
    return um_fail(err, UM_ECONFIG, "graph: %s: a %s node takes one input, got %d", node.name, um_op_kind_name(node.op), node.n_inputs);
  for (int i = 0; i < node.n_inputs; i++)
    if (node.input[i] < 0 || node.input[i] >= g->count)
      return um_fail(err, UM_ECONFIG, "graph: %s: input %d is node %d, expected an earlier one (0 to %d)", node.name, i, node.input[i],
                     g->count - 1);
  if (node.op == UM_OP_INPUT && g->count > 0)
    return um_fail(err, UM_ECONFIG, "graph: %s: a graph has one input, its first node", node.name);
  bool has_units = node.op == UM_OP_CONV2D || node.op == UM_OP_DENSE;
  if (has_units && (node.units < 1 || node.units > channels_max))
    return um_fail(err, UM_ECONFIG, "graph: %s: %" PRId64 " units, expected 1 to %" PRId64, node.name, node.units, channels_max);
  if (node.activation != UM_ACT_NONE && !has_units && node.op != UM_OP_ADD)
    return um_fail(err, UM_ECONFIG, "graph: %s: a %s node has no activation of its own", node.name, um_op_kind_name(node.op));
  if (node.op == UM_OP_DROPOUT && !(node.rate >= 0 && node.rate < 1))
    return um_fail(err, UM_ECONFIG, "graph: %s: rate %g, expected 0 to less than 1", node.name, node.rate);
  status = infer_shape(g, &node, err);
  if (status == UM_OK) status = check_sizes(g, &node, err);
  if (status != UM_OK) return status;

  /* The capacity is the next power of two: it grows where the count reaches one. */
  if ((g->count & (g->count - 1)) == 0) {
    um_node *grown = realloc(g->node, sizeof *grown * (g->count ? 2 * (size_t)g->count : 1));
    if (!grown) return um_fail(err, UM_ENOMEM, "graph: no memory for %d nodes", 2 * g->count);
    g->node = grown;
  }
  g->node[g->count] = node;
  return g->count++;
}

/* Keras' padding: "same" makes ceil(in / stride) outputs and puts the odd element at the end. */
static void resolve_padding(um_window *w, const um_node *x, um_padding padding) {
  for (int i = 0; i < 2; i++) {
    w->pad_before[i] = w->pad_after[i] = 0;
    if (padding == UM_PAD_VALID || w->stride[i] < 1 || w->kernel[i] < 1 || w->kernel[i] > WINDOW_MAX) continue;
    int64_t out = (x->dim[i] + w->stride[i] - 1) / w->stride[i];
    int64_t total = (out - 1) * w->stride[i] + w->kernel[i] - x->dim[i];
    if (total < 0) total = 0;
    w->pad_before[i] = (int)(total / 2);
    w->pad_after[i] = (int)(total - total / 2);
  }
}

static int add_windowed(um_graph *g, const char *name, um_node *node, int input, const int kernel[2], const int stride[2],
                        um_padding padding, um_error *err) {
  node->n_inputs = 1;
  node->input[0] = input;
  for (int i = 0; i < 2; i++) node->window.kernel[i] = kernel[i], node->window.stride[i] = stride[i];
  if (input >= 0 && input < g->count && g->node[input].ndim == 3) resolve_padding(&node->window, &g->node[input], padding);
  return um_graph_append(g, name, node, err);
}

int um_graph_add_input(um_graph *g, const char *name, int64_t height, int64_t width, int64_t channels, um_error *err) {
  const um_node node = {.op = UM_OP_INPUT, .ndim = 3, .dim = {height, width, channels}};
  return um_graph_append(g, name, &node, err);
}

int um_graph_add_conv2d(um_graph *g, const char *name, int input, int64_t filters, const int kernel[2], const int stride[2],
                        um_padding padding, um_activation activation, um_error *err) {
  um_node node = {.op = UM_OP_CONV2D, .activation = activation, .units = filters};
  return add_windowed(g, name, &node, input, kernel, stride, padding, err);
}

static int no_window(um_op_kind kind, um_error *err) {
  return um_fail(err, UM_ECONFIG, "graph: %s is no pooling with a window", um_op_kind_name(kind));
}

int um_graph_add_pool(um_graph *g, const char *name, um_op_kind kind, int input, const int size[2], const int stride[2], um_padding padding,
                      um_error *err) {
  um_node node = {.op = kind};
  if (kind != UM_OP_MAX_POOL && kind != UM_OP_AVG_POOL) return no_window(kind, err);
  return add_windowed(g, name, &node, input, size, stride, padding, err);
}

int um_graph_add_conv2d_window(um_graph *g, const char *name, int input, int64_t filters, const um_window *window, um_activation activation,
                               um_error *err) {
  const um_node node = {.op = UM_OP_CONV2D, .activation = activation, .units = filters, .n_inputs = 1, .input = {input}, .window = *window};
  return um_graph_append(g, name, &node, err);
}

int um_graph_add_pool_window(um_graph *g, const char *name, um_op_kind kind, int input, const um_window *window, um_error *err) {
  const um_node node = {.op = kind, .n_inputs = 1, .input = {input}, .window = *window};
  if (kind != UM_OP_MAX_POOL && kind != UM_OP_AVG_POOL) return no_window(kind, err);
  return um_graph_append(g, name, &node, err);
}

int um_pool_ceil_padding(int64_t in, int size, int stride) {
  if (size < 1 || stride < 1 || in - size + stride - 1 < 0) return 0; /* no window begins inside and comes out */
  const int64_t out = (in - size + stride - 1) / stride + 1, last = (out - 1) * stride;
  return last < in ? (int)(last + size - in) : 0;
}

int um_graph_add_prelu(um_graph *g, const char *name, int input, um_error *err) {
  return um_graph_add_simple(g, name, UM_OP_PRELU, &input, 1, UM_ACT_NONE, err);
}

int um_graph_add_dropout(um_graph *g, const char *name, int input, double rate, um_error *err) {
  const um_node node = {.op = UM_OP_DROPOUT, .rate = rate, .n_inputs = 1, .input = {input}};
  return um_graph_append(g, name, &node, err);
}

int um_graph_add_dense(um_graph *g, const char *name, int input, int64_t units, um_activation activation, um_error *err) {
  const um_node node = {.op = UM_OP_DENSE, .activation = activation, .units = units, .n_inputs = 1, .input = {input}};
  return um_graph_append(g, name, &node, err);
}

int um_graph_add_simple(um_graph *g, const char *name, um_op_kind kind, const int *input, int n_inputs, um_activation activation,
                        um_error *err) {
  um_node node = {.op = kind, .activation = activation, .n_inputs = n_inputs};
  switch (kind) {
  case UM_OP_FLATTEN:
  case UM_OP_GLOBAL_AVG_POOL:
  case UM_OP_RELU:
  case UM_OP_SIGMOID:
  case UM_OP_PRELU:
  case UM_OP_SOFTMAX:
  case UM_OP_ADD:
  case UM_OP_CONCAT: break;
  default: return um_fail(err, UM_ECONFIG, "graph: a %s node needs more than inputs", um_op_kind_name(kind));
  }
  if (n_inputs < 1 || n_inputs > UM_MAX_INPUTS)
    return um_fail(err, UM_ECONFIG, "graph: a %s node with %d inputs, expected 1 to %d", um_op_kind_name(kind), n_inputs, UM_MAX_INPUTS);
  for (int i = 0; i < n_inputs; i++) node.input[i] = input[i];
  return um_graph_append(g, name, &node, err);
}
