/* From our ops to Keras' layers (keras.layers, Keras 2.3 and later), the way back of keras_graph.c:
 *
 *   a padding that is neither valid nor same    ZeroPadding2D, called NAME_pad, before the layer
 *   ADD with its ReLU                           Add, and Activation, called NAME_relu, behind it
 *   DENSE, then SIGMOID called NAME_sigmoid     Dense with activation="sigmoid" (and so on with softmax)
 *   one unit at the end without a sigmoid       the same: the model gives a probability, not a logit */
#include "weights/keras_layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void um_keras_layers_free(um_keras_layers *k) {
  for (int i = 0; i < k->count; i++) cJSON_Delete(k->layer[i].config);
  free(k->layer);
  *k = (um_keras_layers){0};
}

static bool taken(const um_keras_layers *k, const um_graph *g, const char *name) {
  for (int i = 0; i < k->count; i++)
    if (strcmp(k->layer[i].name, name) == 0) return true;
  return um_graph_find(g, name) >= 0;
}

/* Appends a layer with the config that all have; NULL when memory is short. end: added to the name, which is made new then. */
static um_keras_out *append(um_keras_layers *k, const um_graph *g, const um_node *node, const char *end, const char *kind,
                            const char *store) {
  if (k->count == k->room) {
    const int room = k->room ? 2 * k->room : 32;
    um_keras_out *grown = realloc(k->layer, sizeof *grown * (size_t)room);
    if (!grown) return NULL;
    k->layer = grown;
    k->room = room;
  }
  um_keras_out *l = &k->layer[k->count];
  *l = (um_keras_out){.kind = kind, .store = store, .ndim = node->ndim, .weight = {-1, -1}};
  memcpy(l->dim, node->dim, sizeof l->dim);
  snprintf(l->name, sizeof l->name, "%s%s", node->name, end);
  for (int i = 1; end[0] && taken(k, g, l->name); i++) snprintf(l->name, sizeof l->name, "%s%s_%d", node->name, end, i);
  for (int i = 0; i < k->count; i++) l->number += strcmp(k->layer[i].store, store) == 0;
  if (!(l->config = cJSON_CreateObject())) return NULL;
  k->count++;
  return cJSON_AddStringToObject(l->config, "name", l->name) && cJSON_AddStringToObject(l->config, "dtype", "float32") ? l : NULL;
}

static bool add_pair(cJSON *o, const char *key, int a, int b) {
  cJSON *list = cJSON_CreateIntArray((const int[]){a, b}, 2);
  if (list && cJSON_AddItemToObject(o, key, list)) return true;
  cJSON_Delete(list);
  return false;
}

static bool add_text(cJSON *o, const char *key, const char *text) { return cJSON_AddStringToObject(o, key, text) != NULL; }

static bool no_padding(const um_window *w) { return !(w->pad_before[0] | w->pad_before[1] | w->pad_after[0] | w->pad_after[1]); }

/* Whether the padding is what Keras' "same" makes of it. */
static bool is_same(const um_window *w, const um_node *x) {
  for (int i = 0; i < 2; i++) {
    const int64_t steps = (x->dim[i] + w->stride[i] - 1) / w->stride[i];
    int64_t total = (steps - 1) * w->stride[i] + w->kernel[i] - x->dim[i];
    if (total < 0) total = 0;
    if (w->pad_before[i] != total / 2 || w->pad_after[i] != total - total / 2) return false;
  }
  return true;
}

static bool never_negative(const um_graph *g, const um_node *n) {
  while (n->op == UM_OP_MAX_POOL || n->op == UM_OP_AVG_POOL) n = &g->node[n->input[0]];
  return n->activation == UM_ACT_RELU || n->op == UM_OP_RELU || n->op == UM_OP_SIGMOID || n->op == UM_OP_SOFTMAX;
}

/* A ZeroPadding2D for the window of this node, before it; the index of what the node takes then. */
static int add_padding(um_keras_layers *k, const um_graph *g, const um_node *node, int from, um_error *err) {
  const um_window *w = &node->window;
  const um_node *x = &g->node[node->input[0]];
  if (node->op == UM_OP_AVG_POOL || (node->op == UM_OP_MAX_POOL && !never_negative(g, x)))
    return um_fail(err, UM_EUNSUPPORTED, "layer %s: Keras' poolings have no such padding (%d %d %d %d)", node->name, w->pad_before[0],
                   w->pad_before[1], w->pad_after[0], w->pad_after[1]);
  um_keras_out *l = append(k, g, node, "_pad", "ZeroPadding2D", "zero_padding2d");
  if (!l) return um_fail(err, UM_ENOMEM, "no memory for a Keras model");
  memcpy(l->dim, x->dim, sizeof l->dim);
  for (int i = 0; i < 2; i++) l->dim[i] += w->pad_before[i] + w->pad_after[i];
  l->n_inputs = 1;
  l->input[0] = from;
  cJSON *rows = cJSON_CreateIntArray((const int[]){w->pad_before[0], w->pad_after[0]}, 2);
  cJSON *columns = cJSON_CreateIntArray((const int[]){w->pad_before[1], w->pad_after[1]}, 2);
  cJSON *padding = cJSON_AddArrayToObject(l->config, "padding");
  const bool ok = padding && rows && columns;
  if (ok) {
    cJSON_AddItemToArray(padding, rows);
    cJSON_AddItemToArray(padding, columns);
  } else {
    cJSON_Delete(rows);
    cJSON_Delete(columns);
  }
  if (!ok || !add_text(l->config, "data_format", "channels_last")) return um_fail(err, UM_ENOMEM, "no memory for a Keras model");
  return k->count - 1;
}

static int tensor_of(const um_model_data *d, const char *node, const char *what) {
  char name[UM_NAME_MAX + 16];
  snprintf(name, sizeof name, "%s/%s", node, what);
  for (int i = 0; i < d->count; i++)
    if (strcmp(d->name[i], name) == 0) return i;
  return -1;
}

/* The node's SIGMOID or SOFTMAX, where that is the node's own activation in Keras; -1 where it has none. */
static int own_activation(const um_graph *g, int index) {
  const um_node *node = &g->node[index];
  char name[UM_NAME_MAX + 16];
  int at = -1, takers = 0;
  if ((node->op != UM_OP_DENSE && node->op != UM_OP_CONV2D) || node->activation != UM_ACT_NONE) return -1;
  for (int i = index + 1; i < g->count; i++)
    for (int j = 0; j < g->node[i].n_inputs; j++) {
      if (g->node[i].input[j] != index) continue;
      takers++;
      if (g->node[i].op != UM_OP_SIGMOID && g->node[i].op != UM_OP_SOFTMAX) continue;
      snprintf(name, sizeof name, "%.50s_%s", node->name, um_op_kind_name(g->node[i].op));
      if (strcmp(g->node[i].name, name) == 0) at = i;
    }
  return takers == 1 ? at : -1;
}

/* Config of Conv2D and the poolings; `from` becomes the padding that stands before. */
static int take_window(um_keras_layers *k, const um_graph *g, const um_node *node, const char *kind, const char *store, int from,
                       um_error *err) {
  const um_window *w = &node->window;
  const bool valid = no_padding(w), same = !valid && is_same(w, &g->node[node->input[0]]), conv = node->op == UM_OP_CONV2D;
  if (!valid && !same && (from = add_padding(k, g, node, from, err)) < 0) return from;
  um_keras_out *l = append(k, g, node, "", kind, store);
  if (!l || !add_pair(l->config, conv ? "kernel_size" : "pool_size", w->kernel[0], w->kernel[1]) ||
      !add_pair(l->config, "strides", w->stride[0], w->stride[1]) || !add_text(l->config, "padding", same ? "same" : "valid") ||
      !add_text(l->config, "data_format", "channels_last"))
    return um_fail(err, UM_ENOMEM, "no memory for a Keras model");
  l->n_inputs = 1;
  l->input[0] = from;
  return k->count - 1;
}

/* An Activation layer behind layer `from`. */
static int add_activation(um_keras_layers *k, const um_graph *g, const um_node *node, const char *end, const char *what, int from,
                          um_error *err) {
  um_keras_out *l = append(k, g, node, end, "Activation", "activation");
  if (!l || !add_text(l->config, "activation", what)) return um_fail(err, UM_ENOMEM, "no memory for a Keras model");
  l->n_inputs = 1;
  l->input[0] = from;
  return k->count - 1;
}

static int take_plain(um_keras_layers *k, const um_graph *g, const um_node *node, const char *kind, const char *store, const int *at,
                      um_error *err) {
  um_keras_out *l = append(k, g, node, "", kind, store);
  if (!l) return um_fail(err, UM_ENOMEM, "no memory for a Keras model");
  l->n_inputs = node->n_inputs;
  for (int i = 0; i < node->n_inputs; i++) l->input[i] = at[node->input[i]];
  return k->count - 1;
}

static int take_weights(um_keras_out *l, const um_model_data *d, const um_node *node, um_error *err) {
  for (int i = 0; i < um_op_params(node->op); i++) {
    l->word[i] = um_op_param_name(node->op, i);
    l->weight[i] = tensor_of(d, node->name, l->word[i]);
    if (l->weight[i] < 0) return um_fail(err, UM_EINTERNAL, "layer %s has no %s", node->name, l->word[i]);
  }
  return UM_OK;
}

/* The layers of one node; the index of the one that gives what the node gives, or a negative um_code. at: of each node before. */
static int take_node(um_keras_layers *k, const um_model_data *d, int index, const int *at, um_error *err) {
  const um_graph *g = &d->graph;
  const um_node *node = &g->node[index];
  const int from = node->n_inputs ? at[node->input[0]] : -1;
  const int own = own_activation(g, index);
  const bool last = index == g->count - 1;
  const char *activation = node->activation == UM_ACT_RELU ? "relu"
                           : own >= 0                      ? um_op_kind_name(g->node[own].op)
                           : last                          ? "sigmoid"
                                                           : "linear";
  int self, status;
  bool ok = true;
  switch (node->op) {
  case UM_OP_INPUT: return take_plain(k, g, node, "InputLayer", "input_layer", at, err);
  case UM_OP_CONV2D:
  case UM_OP_DENSE:
    self = node->op == UM_OP_CONV2D ? take_window(k, g, node, "Conv2D", "conv2d", from, err)
                                    : take_plain(k, g, node, "Dense", "dense", at, err);
    if (self < 0) return self;
    um_keras_out *l = &k->layer[self];
    ok = cJSON_AddNumberToObject(l->config, node->op == UM_OP_CONV2D ? "filters" : "units", (double)node->units) &&
         add_text(l->config, "activation", activation) && cJSON_AddTrueToObject(l->config, "use_bias");
    if (ok && (status = take_weights(l, d, node, err)) != UM_OK) return status;
    break;
  case UM_OP_PRELU:
    if ((self = take_plain(k, g, node, "PReLU", "p_re_lu", at, err)) < 0) return self;
    ok = node->ndim == 1 || add_pair(k->layer[self].config, "shared_axes", 1, 2);
    if (ok && (status = take_weights(&k->layer[self], d, node, err)) != UM_OK) return status;
    break;
  case UM_OP_DROPOUT:
    self = take_plain(k, g, node, "Dropout", "dropout", at, err);
    ok = self < 0 || cJSON_AddNumberToObject(k->layer[self].config, "rate", node->rate);
    break;
  case UM_OP_MAX_POOL: return take_window(k, g, node, "MaxPooling2D", "max_pooling2d", from, err);
  case UM_OP_AVG_POOL: return take_window(k, g, node, "AveragePooling2D", "average_pooling2d", from, err);
  case UM_OP_GLOBAL_AVG_POOL: return take_plain(k, g, node, "GlobalAveragePooling2D", "global_average_pooling2d", at, err);
  case UM_OP_FLATTEN: return take_plain(k, g, node, "Flatten", "flatten", at, err);
  case UM_OP_RELU: return add_activation(k, g, node, "", "relu", from, err);
  case UM_OP_SIGMOID:
  case UM_OP_SOFTMAX:
    return own_activation(g, node->input[0]) == index ? from : add_activation(k, g, node, "", um_op_kind_name(node->op), from, err);
  case UM_OP_ADD:
    self = take_plain(k, g, node, "Add", "add", at, err);
    return self >= 0 && node->activation == UM_ACT_RELU ? add_activation(k, g, node, "_relu", "relu", self, err) : self;
  case UM_OP_CONCAT:
    self = take_plain(k, g, node, "Concatenate", "concatenate", at, err);
    ok = self < 0 || cJSON_AddNumberToObject(k->layer[self].config, "axis", -1);
    break;
  default: return um_fail(err, UM_EUNSUPPORTED, "layer %s: Keras has no such layer", node->name);
  }
  return ok ? self : um_fail(err, UM_ENOMEM, "no memory for a Keras model");
}

int um_keras_layers_make(um_keras_layers *k, const um_model_data *d, um_error *err) {
  const um_graph *g = &d->graph;
  *k = (um_keras_layers){0};
  if (g->count == 0) return um_fail(err, UM_EUNSUPPORTED, "a model without layers");
  int status = UM_OK, *at = malloc(sizeof *at * (size_t)g->count);
  if (!at) return um_fail(err, UM_ENOMEM, "no memory for a Keras model");
  for (int i = 0; i < g->count && status >= 0; i++) status = at[i] = take_node(k, d, i, at, err);
  const um_node *last = &g->node[g->count - 1];
  const bool gives_logit = last->op != UM_OP_SIGMOID && !(last->op == UM_OP_DENSE && last->activation == UM_ACT_NONE);
  if (status >= 0 && gives_logit) status = add_activation(k, g, last, "_sigmoid", "sigmoid", status, err);
  free(at);
  k->output = status;
  if (status < 0) um_keras_layers_free(k);
  return status < 0 ? status : UM_OK;
}

/* [null, H, W, C] or [null, C] */
static cJSON *shape_of(const um_keras_out *l) {
  cJSON *shape = cJSON_CreateArray(), *item;
  bool ok = shape && cJSON_AddItemToArray(shape, cJSON_CreateNull());
  for (int i = 0; ok && i < l->ndim; i++) ok = (item = cJSON_CreateNumber((double)l->dim[i])) && cJSON_AddItemToArray(shape, item);
  if (ok) return shape;
  cJSON_Delete(shape);
  return NULL;
}

static bool add(cJSON *o, const char *key, cJSON *item) {
  if (item && cJSON_AddItemToObject(o, key, item)) return true;
  cJSON_Delete(item);
  return false;
}

static bool put(cJSON *array, cJSON *item) {
  if (item && cJSON_AddItemToArray(array, item)) return true;
  cJSON_Delete(item);
  return false;
}

/* ["name", 0, 0] */
static cJSON *history_of(const um_keras_out *l) {
  cJSON *h = cJSON_CreateArray();
  if (h && put(h, cJSON_CreateString(l->name)) && put(h, cJSON_CreateNumber(0)) && put(h, cJSON_CreateNumber(0))) return h;
  cJSON_Delete(h);
  return NULL;
}

/* How a layer is called, in Keras 2's words: [[["name", 0, 0, {}], ...]]. */
static cJSON *calls2(const um_keras_layers *k, const um_keras_out *l) {
  cJSON *nodes = cJSON_CreateArray(), *node = l->n_inputs && nodes ? cJSON_CreateArray() : NULL;
  bool ok = nodes && (l->n_inputs == 0 || put(nodes, node));
  for (int i = 0; ok && i < l->n_inputs; i++) {
    cJSON *h = history_of(&k->layer[l->input[i]]);
    ok = put(node, h) && put(h, cJSON_CreateObject());
  }
  if (ok) return nodes;
  cJSON_Delete(nodes);
  return NULL;
}

static cJSON *tensor3(const um_keras_out *from) {
  cJSON *t = cJSON_CreateObject(), *config = t ? cJSON_AddObjectToObject(t, "config") : NULL;
  if (config && add_text(t, "class_name", "__keras_tensor__") && add(config, "shape", shape_of(from)) &&
      add_text(config, "dtype", "float32") && add(config, "keras_history", history_of(from)))
    return t;
  cJSON_Delete(t);
  return NULL;
}

/* The same in Keras 3's: [{"args": [tensor] or [[tensor, ...]], "kwargs": {}}]. */
static cJSON *calls3(const um_keras_layers *k, const um_keras_out *l) {
  cJSON *nodes = cJSON_CreateArray();
  if (!nodes || l->n_inputs == 0) return nodes;
  cJSON *node = cJSON_CreateObject(), *args = node ? cJSON_AddArrayToObject(node, "args") : NULL, *list = args;
  bool ok = put(nodes, node) && args && cJSON_AddObjectToObject(node, "kwargs");
  if (ok && l->n_inputs > 1) ok = put(args, list = cJSON_CreateArray());
  for (int i = 0; ok && i < l->n_inputs; i++) ok = put(list, tensor3(&k->layer[l->input[i]]));
  if (ok) return nodes;
  cJSON_Delete(nodes);
  return NULL;
}

static bool add_layer(cJSON *layers, const um_keras_layers *k, const um_keras_out *l, bool keras3) {
  cJSON *o = cJSON_CreateObject(), *config = cJSON_Duplicate(l->config, true);
  if (!put(layers, o)) {
    cJSON_Delete(config);
    return false;
  }
  bool ok = add(o, "config", config);
  if (ok && l->n_inputs == 0) ok = add(config, keras3 ? "batch_shape" : "batch_input_shape", shape_of(l));
  if (keras3) ok = ok && add_text(o, "module", "keras.layers") && cJSON_AddNullToObject(o, "registered_name");
  return ok && add_text(o, "class_name", l->kind) && add_text(o, "name", l->name) &&
         add(o, "inbound_nodes", keras3 ? calls3(k, l) : calls2(k, l));
}

char *um_keras_layers_config(const um_keras_layers *k, bool keras3) {
  cJSON *model = cJSON_CreateObject(), *config = model ? cJSON_AddObjectToObject(model, "config") : NULL;
  cJSON *layers = config ? cJSON_AddArrayToObject(config, "layers") : NULL, *ends[2] = {NULL};
  bool ok = layers != NULL;
  if (ok && keras3)
    ok = add_text(model, "module", "keras.src.models.functional") && add_text(model, "registered_name", "Functional") &&
         cJSON_AddObjectToObject(model, "build_config") &&
         add(cJSON_GetObjectItem(model, "build_config"), "input_shape", shape_of(&k->layer[0]));
  ok =
      ok && add_text(model, "class_name", "Functional") && add_text(config, "name", "unmask") && cJSON_AddTrueToObject(config, "trainable");
  for (int i = 0; ok && i < k->count; i++) ok = add_layer(layers, k, &k->layer[i], keras3);
  ok = ok && (ends[0] = cJSON_AddArrayToObject(config, "input_layers")) && put(ends[0], history_of(&k->layer[0])) &&
       (ends[1] = cJSON_AddArrayToObject(config, "output_layers")) && put(ends[1], history_of(&k->layer[k->output]));
  char *text = ok ? cJSON_PrintUnformatted(model) : NULL;
  cJSON_Delete(model);
  return text;
}
