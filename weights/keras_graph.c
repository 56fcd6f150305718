/* From the layers of a Keras config to a graph of our ops, as the model computes at inference.
 *
 *   models inside of models    flattened
 *   Dropout, augmentation      nothing: they do nothing at inference
 *   ZeroPadding2D              part of the convolution behind it; of the MaxPooling2D behind it where no value before is negative (there
 *                              zeros and nothing at all have the same maximum)
 *   BatchNormalization         folded into the Conv2D or Dense before it (weights/keras_items.c does it to the numbers)
 *   Rescaling                  before all else: preprocessing, no node
 *   activation="sigmoid"       a node behind the layer, called NAME_sigmoid, as our own configs have it
 *
 * Layers called more than once (shared weights), several inputs or outputs, channels_first and every other class are refused by name. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph_impl.h"
#include "weights/keras.h"

enum { MAX_NUMBER = 1 << 24, MAX_NESTING = 8, MAX_WINDOW = 1024 };

/* What a layer gives: the output of a node, after zeros have been put around it. */
typedef struct value {
  int node; /* -1: nothing yet */
  int pad_before[2], pad_after[2];
  int foldable; /* the Conv2D or Dense that made it, as an entry, while nothing has been done to its sums since; else -1 */
  bool folded;  /* a BatchNormalization has been */
  bool sole;    /* one layer alone takes it, and whatever it was made of since that node */
} value;

typedef struct work {
  um_keras_config *c;
  um_graph *g;
  value *out; /* of each entry */
  int *uses;  /* of each entry: how many take it */
} work;

static const value nothing = {.node = -1, .foldable = -1};

static const cJSON *json_of(const um_keras_layer *l) { return l->json; }
static const cJSON *config_of(const um_keras_layer *l) {
  const cJSON *config = cJSON_GetObjectItemCaseSensitive(json_of(l), "config");
  return cJSON_IsObject(config) ? config : NULL;
}
static const cJSON *get(const um_keras_layer *l, const char *key) { return cJSON_GetObjectItemCaseSensitive(config_of(l), key); }

__attribute__((format(printf, 3, 4))) static int refuse(um_error *err, const um_keras_layer *l, const char *format, ...) {
  char what[512];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  return um_fail(err, UM_EUNSUPPORTED, "its layer \"%.64s\" (%.64s): %s", l->name, l->kind, what);
}

static bool whole(const cJSON *v, int least, int *out) {
  if (!cJSON_IsNumber(v) || !(v->valuedouble >= least && v->valuedouble <= MAX_NUMBER) || floor(v->valuedouble) != v->valuedouble)
    return false;
  *out = (int)v->valuedouble;
  return true;
}

/* A number, or a list of two, as Keras takes both. */
static bool pair(const cJSON *v, int least, int out[2]) {
  if (whole(v, least, &out[0])) {
    out[1] = out[0];
    return true;
  }
  if (!cJSON_IsArray(v) || !v->child || !v->child->next || v->child->next->next) return false;
  return whole(v->child, least, &out[0]) && whole(v->child->next, least, &out[1]);
}

/* The activation that a layer's config names: "" where it is no word. */
static const char *activation_of(const um_keras_layer *l) {
  const cJSON *v = get(l, "activation");
  if (!v || cJSON_IsNull(v)) return "linear";
  if (cJSON_IsObject(v)) v = cJSON_GetObjectItemCaseSensitive(v, "config"); /* {"class_name": "function", "config": "relu"} */
  return cJSON_IsString(v) ? v->valuestring : "";
}

static int check_format(const um_keras_layer *l, um_error *err) {
  const char *format = cJSON_GetStringValue(get(l, "data_format"));
  if (format && strcmp(format, "channels_last") != 0) return refuse(err, l, "data_format \"%.32s\", expected channels_last", format);
  return UM_OK;
}

/* The status of an um_graph_* call as ours: what a graph cannot be is not what the user asked for wrongly. */
static int added(int status, const um_keras_layer *l, um_error *err) {
  if (status >= 0 || status == UM_ENOMEM) return status;
  char why[600];
  snprintf(why, sizeof why, "%.599s", err ? err->text : "");
  return refuse(err, l, "%.400s", strncmp(why, "graph: ", 7) == 0 ? why + 7 : why);
}

static value made(int node) { return (value){.node = node, .foldable = -1}; }

static bool is_padded(const value *v) { return v->pad_before[0] || v->pad_before[1] || v->pad_after[0] || v->pad_after[1]; }

static int simple(work *w, const um_keras_layer *l, const char *name, um_op_kind kind, const int *input, int n, value *out, um_error *err) {
  const int node = added(um_graph_append(w->g, name, &(um_node){.op = kind, .n_inputs = n, .input = {input[0]}}, err), l, err);
  *out = made(node);
  return node < 0 ? node : UM_OK;
}

/* No value of the node is negative. */
static bool never_negative(const um_graph *g, int node) {
  const um_node *n = &g->node[node];
  while (n->op == UM_OP_MAX_POOL || n->op == UM_OP_AVG_POOL || n->op == UM_OP_FLATTEN) n = &g->node[n->input[0]];
  return n->activation == UM_ACT_RELU || n->op == UM_OP_RELU || n->op == UM_OP_SIGMOID;
}

/* Kernel, strides and padding of a window over v: its own padding ("same" as in Keras: of what has been padded before) and v's. */
static int take_window(um_window *out, const work *w, const um_keras_layer *l, const value *v, const char *size_key, um_error *err) {
  const um_node *x = &w->g->node[v->node];
  const char *padding = cJSON_GetStringValue(get(l, "padding"));
  const cJSON *strides = get(l, "strides");
  const bool same = padding && strcmp(padding, "same") == 0;
  if (!pair(get(l, size_key), 1, out->kernel)) return refuse(err, l, "%s: expected two whole numbers", size_key);
  if (!strides || cJSON_IsNull(strides))
    memcpy(out->stride, strcmp(size_key, "pool_size") == 0 ? out->kernel : (const int[2]){1, 1}, sizeof out->stride);
  else if (!pair(strides, 1, out->stride))
    return refuse(err, l, "strides: expected two whole numbers");
  if (padding && !same && strcmp(padding, "valid") != 0) return refuse(err, l, "padding \"%.32s\", expected valid or same", padding);
  if (x->ndim != 3) return refuse(err, l, "takes pictures, \"%.64s\" before it gives a flat list", x->name);
  for (int i = 0; i < 2; i++) {
    if (out->kernel[i] > MAX_WINDOW || out->stride[i] > MAX_WINDOW) return refuse(err, l, "a window of more than %d", MAX_WINDOW);
    const int64_t in = x->dim[i] + v->pad_before[i] + v->pad_after[i], steps = (in + out->stride[i] - 1) / out->stride[i];
    int64_t total = same ? (steps - 1) * out->stride[i] + out->kernel[i] - in : 0;
    if (total < 0) total = 0;
    out->pad_before[i] = v->pad_before[i] + (int)(total / 2);
    out->pad_after[i] = v->pad_after[i] + (int)(total - total / 2);
  }
  return UM_OK;
}

/* Applies the activation to the node in out (CONV2D, DENSE or ADD), as part of it where it can be. */
static int activate(work *w, const um_keras_layer *l, value *out, um_error *err) {
  const char *activation = activation_of(l);
  if (strcmp(activation, "linear") == 0) return UM_OK;
  out->foldable = -1;
  if (strcmp(activation, "relu") == 0) {
    w->g->node[out->node].activation = UM_ACT_RELU;
    return UM_OK;
  }
  if (strcmp(activation, "sigmoid") == 0) {
    char name[UM_NAME_MAX];
    snprintf(name, sizeof name, "%.50s_sigmoid", w->g->node[out->node].name);
    return simple(w, l, name, UM_OP_SIGMOID, &out->node, 1, out, err);
  }
  return refuse(err, l, "activation \"%.64s\"; there are linear, relu and sigmoid", activation[0] ? activation : "?");
}

static int conv2d(work *w, int entry, const value *v, value *out, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  um_node node = {.op = UM_OP_CONV2D, .n_inputs = 1, .input = {v->node}};
  int filters, dilation[2] = {1, 1}, groups = 1, status;
  if ((status = check_format(l, err))) return status;
  if (!whole(get(l, "filters"), 1, &filters)) return refuse(err, l, "filters: expected a whole number");
  if (get(l, "dilation_rate") && (!pair(get(l, "dilation_rate"), 1, dilation) || dilation[0] != 1 || dilation[1] != 1))
    return refuse(err, l, "a dilation_rate, which there is not");
  if (get(l, "groups") && (!whole(get(l, "groups"), 1, &groups) || groups != 1)) return refuse(err, l, "groups, which there are not");
  if ((status = take_window(&node.window, w, l, v, "kernel_size", err))) return status;
  node.units = filters;
  const int at = added(um_graph_append(w->g, l->name, &node, err), l, err);
  if (at < 0) return at;
  *out = made(at);
  out->foldable = entry;
  return activate(w, l, out, err);
}

static int dense(work *w, int entry, const value *v, value *out, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  int units;
  if (!whole(get(l, "units"), 1, &units)) return refuse(err, l, "units: expected a whole number");
  const int at = added(um_graph_add_dense(w->g, l->name, v->node, units, UM_ACT_NONE, err), l, err);
  if (at < 0) return at;
  *out = made(at);
  out->foldable = entry;
  return activate(w, l, out, err);
}

static int pool(work *w, const um_keras_layer *l, um_op_kind kind, const value *v, value *out, um_error *err) {
  um_node node = {.op = kind, .n_inputs = 1, .input = {v->node}};
  int status = check_format(l, err);
  if (status) return status;
  if (is_padded(v) && (kind != UM_OP_MAX_POOL || !never_negative(w->g, v->node)))
    return refuse(err, l, "zeros put around its input count in it; here only a convolution can have them");
  if ((status = take_window(&node.window, w, l, v, "pool_size", err))) return status;
  const int at = added(um_graph_append(w->g, l->name, &node, err), l, err);
  *out = made(at);
  return at < 0 ? at : UM_OK;
}

static int zero_padding(const um_keras_layer *l, const value *v, value *out, um_error *err) {
  const cJSON *p = get(l, "padding");
  int side[2][2], status = check_format(l, err);
  if (status) return status;
  if (whole(p, 0, &side[0][0])) {
    side[0][1] = side[1][0] = side[1][1] = side[0][0];
  } else if (!cJSON_IsArray(p) || !p->child || !p->child->next || !pair(p->child, 0, side[0]) || !pair(p->child->next, 0, side[1])) {
    return refuse(err, l, "padding: expected two pairs of whole numbers");
  }
  *out = *v;
  out->foldable = -1;
  for (int i = 0; i < 2; i++) {
    if (side[i][0] > MAX_WINDOW || side[i][1] > MAX_WINDOW || v->pad_before[i] > MAX_WINDOW || v->pad_after[i] > MAX_WINDOW)
      return refuse(err, l, "padding of more than %d", MAX_WINDOW);
    out->pad_before[i] += side[i][0];
    out->pad_after[i] += side[i][1];
  }
  return UM_OK;
}

/* The axis, a number or a list of one, is the last of a value with this many dimensions (without N). */
static bool last_axis(const cJSON *axis, int ndim) {
  if (cJSON_IsArray(axis) && axis->child && !axis->child->next) axis = axis->child;
  return !axis || (cJSON_IsNumber(axis) && (axis->valuedouble == -1 || axis->valuedouble == ndim));
}

static int batch_norm(work *w, int entry, const value *v, value *out, um_error *err) {
  um_keras_layer *l = &w->c->layer[entry];
  if (v->foldable < 0 || !v->sole || v->folded)
    return refuse(err, l, "can only be folded into a Conv2D or Dense right before it, without activation, that nothing else takes");
  if (!last_axis(get(l, "axis"), w->g->node[v->node].ndim)) return refuse(err, l, "its axis is not the last");
  if (!(l->epsilon >= 0 && l->epsilon <= 1e9)) return refuse(err, l, "epsilon: expected a number from 0");
  l->into = v->foldable;
  *out = *v;
  out->folded = true;
  return UM_OK;
}

static int rescaling(work *w, const um_keras_layer *l, const value *v, value *out, um_error *err) {
  const cJSON *scale = get(l, "scale"), *offset = get(l, "offset");
  if (v->node != 0 || !v->sole || is_padded(v)) return refuse(err, l, "there is no such op but before all others");
  if (!cJSON_IsNumber(scale) || !(scale->valuedouble >= 1e-30 && scale->valuedouble <= 1e30))
    return refuse(err, l, "scale: expected one number above 0");
  if (offset && !cJSON_IsNull(offset) && !(cJSON_IsNumber(offset) && offset->valuedouble == 0))
    return refuse(err, l, "an offset, which our preprocessing has not");
  w->c->rescale *= scale->valuedouble;
  w->c->rescaled = true;
  *out = *v;
  return UM_OK;
}

static int relu(work *w, const um_keras_layer *l, const value *v, value *out, um_error *err) {
  const um_node *n = &w->g->node[v->node];
  char fused[UM_NAME_MAX + 8];
  snprintf(fused, sizeof fused, "%s_relu", n->name);
  /* Part of the node where a BatchNormalization stood between, or where our own export took it out of the node. */
  if (v->sole && n->activation == UM_ACT_NONE && ((v->foldable >= 0 && v->folded) || (n->op == UM_OP_ADD && strcmp(l->name, fused) == 0))) {
    w->g->node[v->node].activation = UM_ACT_RELU;
    *out = made(v->node);
    return UM_OK;
  }
  return simple(w, l, l->name, UM_OP_RELU, &v->node, 1, out, err);
}

static int activation(work *w, const um_keras_layer *l, const value *v, value *out, um_error *err) {
  const char *name = activation_of(l);
  if (strcmp(name, "linear") == 0) {
    *out = *v;
    return UM_OK;
  }
  if (strcmp(name, "relu") == 0) return relu(w, l, v, out, err);
  if (strcmp(name, "sigmoid") == 0) return simple(w, l, l->name, UM_OP_SIGMOID, &v->node, 1, out, err);
  return refuse(err, l, "\"%.64s\"; there are linear, relu and sigmoid", name[0] ? name : "?");
}

static bool is_zero(const cJSON *v) { return !v || cJSON_IsNull(v) || (cJSON_IsNumber(v) && v->valuedouble == 0); }

static int merge(work *w, const um_keras_layer *l, um_op_kind kind, const value *in, int n, value *out, um_error *err) {
  um_node node = {.op = kind, .n_inputs = n};
  if (n < 2 || n > UM_MAX_INPUTS) return refuse(err, l, "%d inputs, expected 2 to %d", n, UM_MAX_INPUTS);
  for (int i = 0; i < n; i++) {
    if (is_padded(&in[i])) return refuse(err, l, "zeros put around its input; here only a convolution can have them");
    node.input[i] = in[i].node;
  }
  if (kind == UM_OP_CONCAT && !last_axis(get(l, "axis"), w->g->node[in[0].node].ndim)) return refuse(err, l, "its axis is not the last");
  const int at = added(um_graph_append(w->g, l->name, &node, err), l, err);
  *out = made(at);
  return at < 0 ? at : UM_OK;
}

static bool does_nothing(const char *kind) {
  static const char *const kinds[] = {"Dropout",
                                      "SpatialDropout2D",
                                      "AlphaDropout",
                                      "GaussianDropout",
                                      "GaussianNoise",
                                      "RandomFlip",
                                      "RandomRotation",
                                      "RandomZoom",
                                      "RandomContrast",
                                      "RandomBrightness",
                                      "RandomShear",
                                      "RandomTranslation",
                                      "ActivityRegularization"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kind, kinds[i]) == 0) return true;
  return false;
}

/* A layer (no model, no InputLayer) of these inputs. */
static int layer(work *w, int entry, const value *in, int n, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  const char *kind = l->kind;
  value *out = &w->out[entry];
  int status;
  if (n < 1) return refuse(err, l, "without an input");
  if (strcmp(kind, "Add") == 0) return merge(w, l, UM_OP_ADD, in, n, out, err);
  if (strcmp(kind, "Concatenate") == 0) return merge(w, l, UM_OP_CONCAT, in, n, out, err);
  if (n > 1) return refuse(err, l, "%d inputs, expected one", n);
  if (strcmp(kind, "Conv2D") == 0) return conv2d(w, entry, in, out, err);
  if (strcmp(kind, "MaxPooling2D") == 0) return pool(w, l, UM_OP_MAX_POOL, in, out, err);
  if (strcmp(kind, "AveragePooling2D") == 0) return pool(w, l, UM_OP_AVG_POOL, in, out, err);
  if (strcmp(kind, "ZeroPadding2D") == 0) return zero_padding(l, in, out, err);
  if (is_padded(in)) return refuse(err, l, "zeros put around its input; here only a convolution can have them");
  if (does_nothing(kind)) {
    *out = *in;
    return UM_OK;
  }
  if (strcmp(kind, "Dense") == 0) return dense(w, entry, in, out, err);
  if (strcmp(kind, "Flatten") == 0) {
    if ((status = check_format(l, err))) return status;
    if (w->g->node[in->node].ndim == 1) {
      *out = *in;
      return UM_OK;
    }
    return simple(w, l, l->name, UM_OP_FLATTEN, &in->node, 1, out, err);
  }
  if (strcmp(kind, "GlobalAveragePooling2D") == 0) {
    if ((status = check_format(l, err))) return status;
    if (cJSON_IsTrue(get(l, "keepdims"))) return refuse(err, l, "keepdims, which there is not");
    return simple(w, l, l->name, UM_OP_GLOBAL_AVG_POOL, &in->node, 1, out, err);
  }
  if (strcmp(kind, "ReLU") == 0) {
    if (!cJSON_IsNull(get(l, "max_value")) && get(l, "max_value")) return refuse(err, l, "a max_value, which there is not");
    if (!is_zero(get(l, "negative_slope")) || !is_zero(get(l, "threshold")))
      return refuse(err, l, "a negative_slope or threshold, which there is not");
    return relu(w, l, in, out, err);
  }
  if (strcmp(kind, "Activation") == 0) return activation(w, l, in, out, err);
  if (strcmp(kind, "BatchNormalization") == 0) return batch_norm(w, entry, in, out, err);
  if (strcmp(kind, "Rescaling") == 0) return rescaling(w, l, in, out, err);
  return refuse(err, l, "there is no such op here");
}

/* The input of the whole model, from an InputLayer or the first layer of a Sequential. */
static int input(work *w, int entry, const cJSON *shape, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  int dim[3];
  if (w->g->count > 0) return refuse(err, l, "a second input; a model has one here");
  const cJSON *d = cJSON_IsArray(shape) && cJSON_GetArraySize(shape) == 4 ? shape->child->next : NULL;
  for (int i = 0; i < 3; i++, d = d ? d->next : NULL)
    if (!d || !whole(d, 1, &dim[i]))
      return refuse(err, l, "its input has no fixed height, width and channels; build the model with input_shape=(150, 150, 3), say");
  /* A layer that says its input's shape is no input itself. */
  const bool own = strcmp(l->kind, "InputLayer") == 0;
  const int node = added(um_graph_add_input(w->g, own ? l->name : "input", dim[0], dim[1], dim[2], err), l, err);
  return node < 0 ? node : UM_OK;
}

static const cJSON *input_shape(const um_keras_layer *l) {
  const cJSON *shape = get(l, "batch_shape"); /* Keras 3 */
  if (!shape) shape = get(l, "batch_input_shape");
  return shape;
}

static int model(work *w, int self, const value *from, um_error *err);

/* Any layer; from: what it takes. An InputLayer hands on what the model around it is given (from, where that is something). */
static int any(work *w, int entry, const value *in, int n, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  int status;
  if (l->model) {
    if (n > 1) return refuse(err, l, "%d inputs, expected one", n);
    status = model(w, entry, n ? &in[0] : &nothing, err);
  } else if (strcmp(l->kind, "InputLayer") == 0) {
    if (n && in[0].node >= 0) {
      w->out[entry] = in[0];
      status = UM_OK;
    } else {
      status = input(w, entry, input_shape(l), err);
      w->out[entry] = made(0);
      w->out[entry].sole = true;
    }
  } else {
    status = layer(w, entry, in, n, err);
  }
  if (status) return status;
  value *out = &w->out[entry];
  /* What is still the same node's value is taken alone only if it was so all the way. */
  bool through = false;
  for (int i = 0; i < n; i++) through |= in[i].node == out->node;
  if (through && n)
    out->sole = in[0].sole && w->uses[entry] == 1;
  else
    out->sole = (l->model ? out->sole : true) && w->uses[entry] == 1;
  return UM_OK;
}

static int sequential(work *w, int self, const value *from, um_error *err) {
  const um_keras_layer *m = &w->c->layer[self];
  value at = *from;
  for (int i = self + 1; i < m->end; i = w->c->layer[i].end) w->uses[i] = 1;
  for (int i = self + 1; i < m->end; i = w->c->layer[i].end) {
    const um_keras_layer *l = &w->c->layer[i];
    if (at.node < 0 && !l->model && strcmp(l->kind, "InputLayer") != 0) {
      const cJSON *shape = input_shape(l);
      const int status = input(w, i, shape ? shape : get(m, "build_input_shape"), err);
      if (status) return status;
      at = made(0);
      at.sole = true;
    }
    const int status = any(w, i, &at, at.node >= 0, err);
    if (status) return status;
    at = w->out[i];
  }
  w->out[self] = at;
  return at.node >= 0 ? UM_OK : refuse(err, m, "without layers");
}

/* The entry of this name among the layers right inside of a model; -1 where there is none. */
static int child(const um_keras_config *c, int self, const char *name) {
  for (int i = self + 1; i < c->layer[self].end; i = c->layer[i].end)
    if (strcmp(c->layer[i].name, name) == 0) return i;
  return -1;
}

/* ["name", node, tensor, ...] */
static const char *history_name(const cJSON *h) {
  if (!cJSON_IsArray(h) || !cJSON_IsString(h->child) || !cJSON_IsNumber(h->child->next) || !cJSON_IsNumber(h->child->next->next))
    return NULL;
  return h->child->next->next->valuedouble == 0 ? h->child->valuestring : NULL;
}

typedef struct call {
  int input[UM_MAX_INPUTS], n;
} call;

static int take_input(call *k, const work *w, int self, const um_keras_layer *l, const cJSON *history, um_error *err) {
  const char *name = history_name(history);
  const int at = name ? child(w->c, self, name) : -1;
  if (at < 0) return refuse(err, l, "its inputs cannot be understood");
  if (k->n == UM_MAX_INPUTS) return refuse(err, l, "more than %d inputs", UM_MAX_INPUTS);
  k->input[k->n++] = at;
  return UM_OK;
}

/* Keras 3: the tensors in a call's arguments, in whatever lists they lie. */
static int take_arguments(call *k, const work *w, int self, const um_keras_layer *l, const cJSON *v, int depth, um_error *err) {
  const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "class_name"));
  if (cJSON_IsObject(v) && kind && strcmp(kind, "__keras_tensor__") == 0) {
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(v, "config");
    return take_input(k, w, self, l, cJSON_GetObjectItemCaseSensitive(config, "keras_history"), err);
  }
  if (!cJSON_IsArray(v) || depth == MAX_NESTING) return refuse(err, l, "is called with what is no output of a layer");
  const cJSON *item;
  cJSON_ArrayForEach(item, v) {
    const int status = take_arguments(k, w, self, l, item, depth + 1, err);
    if (status) return status;
  }
  return UM_OK;
}

static int check_keywords(const um_keras_layer *l, const cJSON *keywords, um_error *err) {
  const cJSON *v;
  cJSON_ArrayForEach(v, keywords) {
    if (strcmp(v->string, "training") == 0 && !cJSON_IsTrue(v)) continue;
    if (strcmp(v->string, "mask") == 0 && cJSON_IsNull(v)) continue;
    return refuse(err, l, "is called with %.64s", v->string);
  }
  return UM_OK;
}

/* What a layer is called with. n stays 0 where it is never called. */
static int read_call(call *k, const work *w, int self, int entry, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  const cJSON *nodes = cJSON_GetObjectItemCaseSensitive(json_of(l), "inbound_nodes"), *v;
  *k = (call){0};
  if (!cJSON_IsArray(nodes) || !nodes->child) return UM_OK;
  if (nodes->child->next) return refuse(err, l, "is called %d times, so that its weights are shared", cJSON_GetArraySize(nodes));
  const cJSON *node = nodes->child;
  int status;
  if (cJSON_IsObject(node)) {
    if ((status = check_keywords(l, cJSON_GetObjectItemCaseSensitive(node, "kwargs"), err))) return status;
    return take_arguments(k, w, self, l, cJSON_GetObjectItemCaseSensitive(node, "args"), 0, err);
  }
  if (!cJSON_IsArray(node)) return refuse(err, l, "its inputs cannot be understood");
  if (cJSON_IsString(node->child)) { /* one tensor, not in a list */
    if ((status = take_input(k, w, self, l, node, err))) return status;
    return check_keywords(l, cJSON_GetArrayItem(node, 3), err);
  }
  cJSON_ArrayForEach(v, node) {
    if ((status = take_input(k, w, self, l, v, err))) return status;
    if ((status = check_keywords(l, cJSON_GetArrayItem(v, 3), err))) return status;
  }
  return UM_OK;
}

/* The one layer that input_layers or output_layers names. */
static int end_of(const work *w, int self, const char *key, um_error *err) {
  const um_keras_layer *m = &w->c->layer[self];
  const cJSON *v = get(m, key);
  if (cJSON_IsArray(v) && cJSON_IsArray(v->child) && !v->child->next) v = v->child;
  const char *name = history_name(v);
  const int at = name ? child(w->c, self, name) : -1;
  if (at >= 0) return at;
  return refuse(err, m, "%s: expected one of its layers", key);
}

static int functional(work *w, int self, const value *from, um_error *err) {
  const um_keras_config *c = w->c;
  const int first = end_of(w, self, "input_layers", err), last = first < 0 ? first : end_of(w, self, "output_layers", err);
  call k;
  int status;
  if (last < 0) return last;
  for (int i = self + 1; i < c->layer[self].end; i = c->layer[i].end) {
    if ((status = read_call(&k, w, self, i, err))) return status;
    for (int j = 0; j < k.n; j++) w->uses[k.input[j]]++;
  }
  w->uses[last]++;
  for (int i = self + 1; i < c->layer[self].end; i = c->layer[i].end) {
    value in[UM_MAX_INPUTS];
    if ((status = read_call(&k, w, self, i, err))) return status;
    if (k.n == 0 && i != first) {
      if (w->uses[i] == 0) continue;
      return refuse(err, &c->layer[i], "a second input; a model has one here");
    }
    for (int j = 0; j < k.n; j++) {
      in[j] = w->out[k.input[j]];
      if (in[j].node < 0) return refuse(err, &c->layer[i], "comes before \"%.64s\", whose output it takes", c->layer[k.input[j]].name);
    }
    if ((status = any(w, i, k.n ? in : from, k.n ? k.n : from->node >= 0, err))) return status;
  }
  w->out[self] = w->out[last];
  return w->out[last].node >= 0 ? UM_OK : refuse(err, &c->layer[self], "its output comes from no layer");
}

static int model(work *w, int self, const value *from, um_error *err) {
  return strcmp(w->c->layer[self].kind, "Sequential") == 0 ? sequential(w, self, from, err) : functional(w, self, from, err);
}

int um_keras_graph(um_keras_config *c, um_error *err) {
  const size_t n = (size_t)c->count + 1;
  work w = {.c = c, .g = &c->graph, .out = malloc(n * sizeof *w.out), .uses = calloc(n, sizeof *w.uses)};
  int status = UM_OK;
  if (!w.out || !w.uses) {
    status = um_fail(err, UM_ENOMEM, "its config: no memory for %d layers", c->count);
    goto done;
  }
  for (int i = 0; i < c->count; i++) w.out[i] = nothing;
  if ((status = model(&w, 0, &nothing, err))) goto done;
  const um_graph *g = &c->graph;
  const int last = w.out[0].node;
  if (is_padded(&w.out[0]) || last != g->count - 1) {
    status = refuse(err, &c->layer[0], "its output is not what its last op gives");
    goto done;
  }
  c->linear = g->node[last].op == UM_OP_DENSE && g->node[last].units == 1 && g->node[last].activation == UM_ACT_NONE;
done:
  free(w.out);
  free(w.uses);
  return status;
}
