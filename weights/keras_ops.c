/* What each layer of Keras is in our ops.
 *
 *   Dropout, augmentation      nothing: they do nothing at inference
 *   ZeroPadding2D              part of the convolution behind it; of the MaxPooling2D behind it where no value before is negative (there
 *                              zeros and nothing at all have the same maximum)
 *   BatchNormalization         folded into the Conv2D or Dense before it (weights/keras_items.c does it to the numbers)
 *   Rescaling                  before all else: preprocessing, no node
 *   activation="sigmoid"       a node behind the layer, called NAME_sigmoid, as our own configs have it
 *
 * channels_first and every other class are refused by name. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "weights/keras_graph.h"

enum { MAX_NUMBER = 1 << 24, MAX_WINDOW = 1024 };

const cJSON *um_keras_get(const um_keras_layer *l, const char *key) {
  const cJSON *config = cJSON_GetObjectItemCaseSensitive(l->json, "config");
  return cJSON_IsObject(config) ? cJSON_GetObjectItemCaseSensitive(config, key) : NULL;
}

int um_keras_refuse(um_error *err, const um_keras_layer *l, const char *format, ...) {
  char what[512];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  return um_fail(err, UM_EUNSUPPORTED, "its layer \"%.64s\" (%.64s): %s", l->name, l->kind, what);
}

bool um_keras_whole(const cJSON *v, int least, int *out) {
  if (!cJSON_IsNumber(v) || !(v->valuedouble >= least && v->valuedouble <= MAX_NUMBER) || floor(v->valuedouble) != v->valuedouble)
    return false;
  *out = (int)v->valuedouble;
  return true;
}

/* A number, or a list of two, as Keras takes both. */
static bool pair(const cJSON *v, int least, int out[2]) {
  if (um_keras_whole(v, least, &out[0])) {
    out[1] = out[0];
    return true;
  }
  if (!cJSON_IsArray(v) || !v->child || !v->child->next || v->child->next->next) return false;
  return um_keras_whole(v->child, least, &out[0]) && um_keras_whole(v->child->next, least, &out[1]);
}

/* The activation that a layer's config names: "" where it is no word. */
static const char *activation_of(const um_keras_layer *l) {
  const cJSON *v = um_keras_get(l, "activation");
  if (!v || cJSON_IsNull(v)) return "linear";
  if (cJSON_IsObject(v)) v = cJSON_GetObjectItemCaseSensitive(v, "config"); /* {"class_name": "function", "config": "relu"} */
  return cJSON_IsString(v) ? v->valuestring : "";
}

static int check_format(const um_keras_layer *l, um_error *err) {
  const char *format = cJSON_GetStringValue(um_keras_get(l, "data_format"));
  if (format && strcmp(format, "channels_last") != 0)
    return um_keras_refuse(err, l, "data_format \"%.32s\", expected channels_last", format);
  return UM_OK;
}

/* The status of an um_graph_* call as ours: what a graph cannot be is not what the user asked for wrongly. */
int um_keras_added(int status, const um_keras_layer *l, um_error *err) {
  if (status >= 0 || status == UM_ENOMEM) return status;
  char why[600];
  snprintf(why, sizeof why, "%.599s", err ? err->text : "");
  return um_keras_refuse(err, l, "%.400s", strncmp(why, "graph: ", 7) == 0 ? why + 7 : why);
}

static int simple(um_keras_work *w, const um_keras_layer *l, const char *name, um_op_kind kind, const int *input, int n,
                  um_keras_value *out, um_error *err) {
  const int node = um_keras_added(um_graph_append(w->g, name, &(um_node){.op = kind, .n_inputs = n, .input = {input[0]}}, err), l, err);
  *out = um_keras_made(node);
  return node < 0 ? node : UM_OK;
}

/* No value of the node is negative. */
static bool never_negative(const um_graph *g, int node) {
  const um_node *n = &g->node[node];
  while (n->op == UM_OP_MAX_POOL || n->op == UM_OP_AVG_POOL || n->op == UM_OP_FLATTEN) n = &g->node[n->input[0]];
  return n->activation == UM_ACT_RELU || n->op == UM_OP_RELU || n->op == UM_OP_SIGMOID || n->op == UM_OP_SOFTMAX;
}

/* Kernel, strides and padding of a window over v: its own padding ("same" as in Keras: of what has been padded before) and v's. */
static int take_window(um_window *out, const um_keras_work *w, const um_keras_layer *l, const um_keras_value *v, const char *size_key,
                       um_error *err) {
  const um_node *x = &w->g->node[v->node];
  const char *padding = cJSON_GetStringValue(um_keras_get(l, "padding"));
  const cJSON *strides = um_keras_get(l, "strides");
  const bool same = padding && strcmp(padding, "same") == 0;
  if (!pair(um_keras_get(l, size_key), 1, out->kernel)) return um_keras_refuse(err, l, "%s: expected two whole numbers", size_key);
  if (!strides || cJSON_IsNull(strides))
    memcpy(out->stride, strcmp(size_key, "pool_size") == 0 ? out->kernel : (const int[2]){1, 1}, sizeof out->stride);
  else if (!pair(strides, 1, out->stride))
    return um_keras_refuse(err, l, "strides: expected two whole numbers");
  if (padding && !same && strcmp(padding, "valid") != 0)
    return um_keras_refuse(err, l, "padding \"%.32s\", expected valid or same", padding);
  if (x->ndim != 3) return um_keras_refuse(err, l, "takes pictures, \"%.64s\" before it gives a flat list", x->name);
  for (int i = 0; i < 2; i++) {
    if (out->kernel[i] > MAX_WINDOW || out->stride[i] > MAX_WINDOW) return um_keras_refuse(err, l, "a window of more than %d", MAX_WINDOW);
    const int64_t in = x->dim[i] + v->pad_before[i] + v->pad_after[i], steps = (in + out->stride[i] - 1) / out->stride[i];
    int64_t total = same ? (steps - 1) * out->stride[i] + out->kernel[i] - in : 0;
    if (total < 0) total = 0;
    out->pad_before[i] = v->pad_before[i] + (int)(total / 2);
    out->pad_after[i] = v->pad_after[i] + (int)(total - total / 2);
  }
  return UM_OK;
}

/* Applies the activation to the node in out (CONV2D, DENSE or ADD), as part of it where it can be. */
static int activate(um_keras_work *w, const um_keras_layer *l, um_keras_value *out, um_error *err) {
  const char *activation = activation_of(l);
  if (strcmp(activation, "linear") == 0) return UM_OK;
  out->foldable = -1;
  if (strcmp(activation, "relu") == 0) {
    w->g->node[out->node].activation = UM_ACT_RELU;
    return UM_OK;
  }
  const bool sigmoid = strcmp(activation, "sigmoid") == 0;
  if (sigmoid || strcmp(activation, "softmax") == 0) {
    char name[UM_NAME_MAX];
    snprintf(name, sizeof name, "%.50s_%s", w->g->node[out->node].name, activation);
    return simple(w, l, name, sigmoid ? UM_OP_SIGMOID : UM_OP_SOFTMAX, &out->node, 1, out, err);
  }
  return um_keras_refuse(err, l, "activation \"%.64s\"; there are linear, relu, sigmoid and softmax", activation[0] ? activation : "?");
}

static int conv2d(um_keras_work *w, int entry, const um_keras_value *v, um_keras_value *out, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  um_node node = {.op = UM_OP_CONV2D, .n_inputs = 1, .input = {v->node}};
  int filters, dilation[2] = {1, 1}, groups = 1, status;
  if ((status = check_format(l, err))) return status;
  if (!um_keras_whole(um_keras_get(l, "filters"), 1, &filters)) return um_keras_refuse(err, l, "filters: expected a whole number");
  if (um_keras_get(l, "dilation_rate") && (!pair(um_keras_get(l, "dilation_rate"), 1, dilation) || dilation[0] != 1 || dilation[1] != 1))
    return um_keras_refuse(err, l, "a dilation_rate, which there is not");
  if (um_keras_get(l, "groups") && (!um_keras_whole(um_keras_get(l, "groups"), 1, &groups) || groups != 1))
    return um_keras_refuse(err, l, "groups, which there are not");
  if ((status = take_window(&node.window, w, l, v, "kernel_size", err))) return status;
  node.units = filters;
  const int at = um_keras_added(um_graph_append(w->g, l->name, &node, err), l, err);
  if (at < 0) return at;
  *out = um_keras_made(at);
  out->foldable = entry;
  return activate(w, l, out, err);
}

static int dense(um_keras_work *w, int entry, const um_keras_value *v, um_keras_value *out, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  int units;
  if (!um_keras_whole(um_keras_get(l, "units"), 1, &units)) return um_keras_refuse(err, l, "units: expected a whole number");
  const int at = um_keras_added(um_graph_add_dense(w->g, l->name, v->node, units, UM_ACT_NONE, err), l, err);
  if (at < 0) return at;
  *out = um_keras_made(at);
  out->foldable = entry;
  return activate(w, l, out, err);
}

static int pool(um_keras_work *w, const um_keras_layer *l, um_op_kind kind, const um_keras_value *v, um_keras_value *out, um_error *err) {
  um_node node = {.op = kind, .n_inputs = 1, .input = {v->node}};
  int status = check_format(l, err);
  if (status) return status;
  if (um_keras_padded(v) && (kind != UM_OP_MAX_POOL || !never_negative(w->g, v->node)))
    return um_keras_refuse(err, l, "zeros put around its input count in it; here only a convolution can have them");
  if ((status = take_window(&node.window, w, l, v, "pool_size", err))) return status;
  const int at = um_keras_added(um_graph_append(w->g, l->name, &node, err), l, err);
  *out = um_keras_made(at);
  return at < 0 ? at : UM_OK;
}

static int zero_padding(const um_keras_layer *l, const um_keras_value *v, um_keras_value *out, um_error *err) {
  const cJSON *p = um_keras_get(l, "padding");
  int side[2][2], status = check_format(l, err);
  if (status) return status;
  if (um_keras_whole(p, 0, &side[0][0])) {
    side[0][1] = side[1][0] = side[1][1] = side[0][0];
  } else if (!cJSON_IsArray(p) || !p->child || !p->child->next || !pair(p->child, 0, side[0]) || !pair(p->child->next, 0, side[1])) {
    return um_keras_refuse(err, l, "padding: expected two pairs of whole numbers");
  }
  *out = *v;
  out->foldable = -1;
  for (int i = 0; i < 2; i++) {
    if (side[i][0] > MAX_WINDOW || side[i][1] > MAX_WINDOW || v->pad_before[i] > MAX_WINDOW || v->pad_after[i] > MAX_WINDOW)
      return um_keras_refuse(err, l, "padding of more than %d", MAX_WINDOW);
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

static int batch_norm(um_keras_work *w, int entry, const um_keras_value *v, um_keras_value *out, um_error *err) {
  um_keras_layer *l = &w->c->layer[entry];
  if (v->foldable < 0 || !v->sole || v->folded)
    return um_keras_refuse(err, l,
                           "can only be folded into a Conv2D or Dense right before it, without activation, that nothing else takes");
  if (!last_axis(um_keras_get(l, "axis"), w->g->node[v->node].ndim)) return um_keras_refuse(err, l, "its axis is not the last");
  if (!(l->epsilon >= 0 && l->epsilon <= 1e9)) return um_keras_refuse(err, l, "epsilon: expected a number from 0");
  l->into = v->foldable;
  *out = *v;
  out->folded = true;
  return UM_OK;
}

static int rescaling(um_keras_work *w, const um_keras_layer *l, const um_keras_value *v, um_keras_value *out, um_error *err) {
  const cJSON *scale = um_keras_get(l, "scale"), *offset = um_keras_get(l, "offset");
  if (v->node != 0 || !v->sole || um_keras_padded(v)) return um_keras_refuse(err, l, "there is no such op but before all others");
  if (!cJSON_IsNumber(scale) || !(scale->valuedouble >= 1e-30 && scale->valuedouble <= 1e30))
    return um_keras_refuse(err, l, "scale: expected one number above 0");
  if (offset && !cJSON_IsNull(offset) && !(cJSON_IsNumber(offset) && offset->valuedouble == 0))
    return um_keras_refuse(err, l, "an offset, which our preprocessing has not");
  w->c->rescale *= scale->valuedouble;
  w->c->rescaled = true;
  *out = *v;
  return UM_OK;
}

static int relu(um_keras_work *w, const um_keras_layer *l, const um_keras_value *v, um_keras_value *out, um_error *err) {
  const um_node *n = &w->g->node[v->node];
  char fused[UM_NAME_MAX + 8];
  snprintf(fused, sizeof fused, "%s_relu", n->name);
  /* Part of the node where a BatchNormalization stood between, or where our own export took it out of the node. */
  const bool layer = n->op == UM_OP_CONV2D || n->op == UM_OP_DENSE;
  if (v->sole && n->activation == UM_ACT_NONE &&
      ((layer && v->foldable >= 0 && v->folded) || (n->op == UM_OP_ADD && strcmp(l->name, fused) == 0))) {
    w->g->node[v->node].activation = UM_ACT_RELU;
    *out = um_keras_made(v->node);
    return UM_OK;
  }
  return simple(w, l, l->name, UM_OP_RELU, &v->node, 1, out, err);
}

static int activation(um_keras_work *w, const um_keras_layer *l, const um_keras_value *v, um_keras_value *out, um_error *err) {
  const char *name = activation_of(l);
  if (strcmp(name, "linear") == 0) {
    *out = *v;
    return UM_OK;
  }
  if (strcmp(name, "relu") == 0) return relu(w, l, v, out, err);
  if (strcmp(name, "sigmoid") == 0) return simple(w, l, l->name, UM_OP_SIGMOID, &v->node, 1, out, err);
  if (strcmp(name, "softmax") == 0) return simple(w, l, l->name, UM_OP_SOFTMAX, &v->node, 1, out, err);
  return um_keras_refuse(err, l, "\"%.64s\"; there are linear, relu, sigmoid and softmax", name[0] ? name : "?");
}

/* One alpha a channel: over pictures it is shared along height and width. */
static int prelu(um_keras_work *w, const um_keras_layer *l, const um_keras_value *v, um_keras_value *out, um_error *err) {
  const cJSON *axes = um_keras_get(l, "shared_axes"), *axis;
  const int ndim = w->g->node[v->node].ndim;
  bool shared[4] = {false};
  cJSON_ArrayForEach(axis, axes) {
    const double a = cJSON_IsNumber(axis) ? axis->valuedouble : 0;
    if (a >= 1 && a <= 3) shared[(int)a] = true;
  }
  for (int i = 1; i <= ndim; i++)
    if (shared[i] != (i < ndim)) return um_keras_refuse(err, l, "its alpha is not one a channel (shared_axes [1, 2] over pictures)");
  return simple(w, l, l->name, UM_OP_PRELU, &v->node, 1, out, err);
}

/* What comes behind can be folded into what stands before it: at inference it is not there. */
static int dropout(um_keras_work *w, const um_keras_layer *l, const um_keras_value *v, um_keras_value *out, um_error *err) {
  const double rate = um_keras_get(l, "rate")->valuedouble;
  const int at = um_keras_added(um_graph_add_dropout(w->g, l->name, v->node, rate, err), l, err);
  *out = um_keras_made(at);
  if (v->sole) out->foldable = v->foldable, out->folded = v->folded;
  return at < 0 ? at : UM_OK;
}

static bool is_zero(const cJSON *v) { return !v || cJSON_IsNull(v) || (cJSON_IsNumber(v) && v->valuedouble == 0); }

static int merge(um_keras_work *w, const um_keras_layer *l, um_op_kind kind, const um_keras_value *in, int n, um_keras_value *out,
                 um_error *err) {
  um_node node = {.op = kind, .n_inputs = n};
  if (n < 2 || n > UM_MAX_INPUTS) return um_keras_refuse(err, l, "%d inputs, expected 2 to %d", n, UM_MAX_INPUTS);
  for (int i = 0; i < n; i++) {
    if (um_keras_padded(&in[i])) return um_keras_refuse(err, l, "zeros put around its input; here only a convolution can have them");
    node.input[i] = in[i].node;
  }
  if (kind == UM_OP_CONCAT && !last_axis(um_keras_get(l, "axis"), w->g->node[in[0].node].ndim))
    return um_keras_refuse(err, l, "its axis is not the last");
  const int at = um_keras_added(um_graph_append(w->g, l->name, &node, err), l, err);
  *out = um_keras_made(at);
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

int um_keras_op(um_keras_work *w, int entry, const um_keras_value *in, int n, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  const char *kind = l->kind;
  um_keras_value *out = &w->out[entry];
  int status;
  if (n < 1) return um_keras_refuse(err, l, "without an input");
  if (strcmp(kind, "Add") == 0) return merge(w, l, UM_OP_ADD, in, n, out, err);
  if (strcmp(kind, "Concatenate") == 0) return merge(w, l, UM_OP_CONCAT, in, n, out, err);
  if (n > 1) return um_keras_refuse(err, l, "%d inputs, expected one", n);
  if (strcmp(kind, "Conv2D") == 0) return conv2d(w, entry, in, out, err);
  if (strcmp(kind, "MaxPooling2D") == 0) return pool(w, l, UM_OP_MAX_POOL, in, out, err);
  if (strcmp(kind, "AveragePooling2D") == 0) return pool(w, l, UM_OP_AVG_POOL, in, out, err);
  if (strcmp(kind, "ZeroPadding2D") == 0) return zero_padding(l, in, out, err);
  if (um_keras_padded(in)) return um_keras_refuse(err, l, "zeros put around its input; here only a convolution can have them");
  /* With a shape of its own a Dropout drops more than numbers by themselves, as SpatialDropout2D does. */
  const bool dropping =
      strcmp(kind, "Dropout") == 0 && cJSON_IsNumber(um_keras_get(l, "rate")) && !cJSON_IsArray(um_keras_get(l, "noise_shape"));
  if (dropping) return dropout(w, l, in, out, err);
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
    if (cJSON_IsTrue(um_keras_get(l, "keepdims"))) return um_keras_refuse(err, l, "keepdims, which there is not");
    return simple(w, l, l->name, UM_OP_GLOBAL_AVG_POOL, &in->node, 1, out, err);
  }
  if (strcmp(kind, "ReLU") == 0) {
    if (!cJSON_IsNull(um_keras_get(l, "max_value")) && um_keras_get(l, "max_value"))
      return um_keras_refuse(err, l, "a max_value, which there is not");
    if (!is_zero(um_keras_get(l, "negative_slope")) || !is_zero(um_keras_get(l, "threshold")))
      return um_keras_refuse(err, l, "a negative_slope or threshold, which there is not");
    return relu(w, l, in, out, err);
  }
  if (strcmp(kind, "PReLU") == 0) return prelu(w, l, in, out, err);
  if (strcmp(kind, "Softmax") == 0) {
    if (!last_axis(um_keras_get(l, "axis"), w->g->node[in->node].ndim)) return um_keras_refuse(err, l, "its axis is not the last");
    return simple(w, l, l->name, UM_OP_SOFTMAX, &in->node, 1, out, err);
  }
  if (strcmp(kind, "Activation") == 0) return activation(w, l, in, out, err);
  if (strcmp(kind, "BatchNormalization") == 0) return batch_norm(w, entry, in, out, err);
  if (strcmp(kind, "Rescaling") == 0) return rescaling(w, l, in, out, err);
  return um_keras_refuse(err, l, "there is no such op here");
}
