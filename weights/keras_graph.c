/* From the layers of a Keras config to a graph of our ops, as the model computes at inference: models inside of models are flattened,
 * each layer becomes what keras_ops.c makes of it. Layers called more than once (shared weights), several inputs or outputs are refused by
 * name. */
#include <stdlib.h>
#include <string.h>

#include "weights/keras_graph.h"

enum { MAX_NESTING = 8 };

static const um_keras_value nothing = {.node = -1, .foldable = -1};

/* The input of the whole model, from an InputLayer or the first layer of a Sequential. */
static int input(um_keras_work *w, int entry, const cJSON *shape, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  int dim[3];
  if (w->g->count > 0) return um_keras_refuse(err, l, "a second input; a model has one here");
  const cJSON *d = cJSON_IsArray(shape) && cJSON_GetArraySize(shape) == 4 ? shape->child->next : NULL;
  for (int i = 0; i < 3; i++, d = d ? d->next : NULL)
    if (!d || !um_keras_whole(d, 1, &dim[i]))
      return um_keras_refuse(err, l,
                             "its input has no fixed height, width and channels; build the model with input_shape=(150, 150, 3), say");
  /* A layer that says its input's shape is no input itself. */
  const bool own = strcmp(l->kind, "InputLayer") == 0;
  const int node = um_keras_added(um_graph_add_input(w->g, own ? l->name : "input", dim[0], dim[1], dim[2], err), l, err);
  return node < 0 ? node : UM_OK;
}

static const cJSON *input_shape(const um_keras_layer *l) {
  const cJSON *shape = um_keras_get(l, "batch_shape"); /* Keras 3 */
  if (!shape) shape = um_keras_get(l, "batch_input_shape");
  return shape;
}

static int model(um_keras_work *w, int self, const um_keras_value *from, um_error *err);

/* Any layer; from: what it takes. An InputLayer hands on what the model around it is given (from, where that is something). */
static int any(um_keras_work *w, int entry, const um_keras_value *in, int n, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  int status;
  if (l->model) {
    if (n > 1) return um_keras_refuse(err, l, "%d inputs, expected one", n);
    status = model(w, entry, n ? &in[0] : &nothing, err);
  } else if (strcmp(l->kind, "InputLayer") == 0) {
    if (n && in[0].node >= 0) {
      w->out[entry] = in[0];
      status = UM_OK;
    } else {
      status = input(w, entry, input_shape(l), err);
      w->out[entry] = um_keras_made(0);
      w->out[entry].sole = true;
    }
  } else {
    status = um_keras_op(w, entry, in, n, err);
  }
  if (status) return status;
  um_keras_value *out = &w->out[entry];
  /* What is still the same node's value is taken alone only if it was so all the way. */
  bool through = false;
  for (int i = 0; i < n; i++) through |= in[i].node == out->node;
  if (through && n)
    out->sole = in[0].sole && w->uses[entry] == 1;
  else
    out->sole = (l->model ? out->sole : true) && w->uses[entry] == 1;
  return UM_OK;
}

static int sequential(um_keras_work *w, int self, const um_keras_value *from, um_error *err) {
  const um_keras_layer *m = &w->c->layer[self];
  um_keras_value at = *from;
  for (int i = self + 1; i < m->end; i = w->c->layer[i].end) w->uses[i] = 1;
  for (int i = self + 1; i < m->end; i = w->c->layer[i].end) {
    const um_keras_layer *l = &w->c->layer[i];
    if (at.node < 0 && !l->model && strcmp(l->kind, "InputLayer") != 0) {
      const cJSON *shape = input_shape(l);
      const int status = input(w, i, shape ? shape : um_keras_get(m, "build_input_shape"), err);
      if (status) return status;
      at = um_keras_made(0);
      at.sole = true;
    }
    const int status = any(w, i, &at, at.node >= 0, err);
    if (status) return status;
    at = w->out[i];
  }
  w->out[self] = at;
  return at.node >= 0 ? UM_OK : um_keras_refuse(err, m, "without layers");
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

static int take_input(call *k, const um_keras_work *w, int self, const um_keras_layer *l, const cJSON *history, um_error *err) {
  const char *name = history_name(history);
  const int at = name ? child(w->c, self, name) : -1;
  if (at < 0) return um_keras_refuse(err, l, "its inputs cannot be understood");
  if (k->n == UM_MAX_INPUTS) return um_keras_refuse(err, l, "more than %d inputs", UM_MAX_INPUTS);
  k->input[k->n++] = at;
  return UM_OK;
}

/* Keras 3: the tensors in a call's arguments, in whatever lists they lie. */
static int take_arguments(call *k, const um_keras_work *w, int self, const um_keras_layer *l, const cJSON *v, int depth, um_error *err) {
  const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "class_name"));
  if (cJSON_IsObject(v) && kind && strcmp(kind, "__keras_tensor__") == 0) {
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(v, "config");
    return take_input(k, w, self, l, cJSON_GetObjectItemCaseSensitive(config, "keras_history"), err);
  }
  if (!cJSON_IsArray(v) || depth == MAX_NESTING) return um_keras_refuse(err, l, "is called with what is no output of a layer");
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
    return um_keras_refuse(err, l, "is called with %.64s", v->string);
  }
  return UM_OK;
}

/* What a layer is called with. n stays 0 where it is never called. */
static int read_call(call *k, const um_keras_work *w, int self, int entry, um_error *err) {
  const um_keras_layer *l = &w->c->layer[entry];
  const cJSON *nodes = cJSON_GetObjectItemCaseSensitive((const cJSON *)l->json, "inbound_nodes"), *v;
  *k = (call){0};
  if (!cJSON_IsArray(nodes) || !nodes->child) return UM_OK;
  if (nodes->child->next) return um_keras_refuse(err, l, "is called %d times, so that its weights are shared", cJSON_GetArraySize(nodes));
  const cJSON *node = nodes->child;
  int status;
  if (cJSON_IsObject(node)) {
    if ((status = check_keywords(l, cJSON_GetObjectItemCaseSensitive(node, "kwargs"), err))) return status;
    return take_arguments(k, w, self, l, cJSON_GetObjectItemCaseSensitive(node, "args"), 0, err);
  }
  if (!cJSON_IsArray(node)) return um_keras_refuse(err, l, "its inputs cannot be understood");
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
static int end_of(const um_keras_work *w, int self, const char *key, um_error *err) {
  const um_keras_layer *m = &w->c->layer[self];
  const cJSON *v = um_keras_get(m, key);
  if (cJSON_IsArray(v) && cJSON_IsArray(v->child) && !v->child->next) v = v->child;
  const char *name = history_name(v);
  const int at = name ? child(w->c, self, name) : -1;
  if (at >= 0) return at;
  return um_keras_refuse(err, m, "%s: expected one of its layers", key);
}

static int functional(um_keras_work *w, int self, const um_keras_value *from, um_error *err) {
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
    um_keras_value in[UM_MAX_INPUTS];
    if ((status = read_call(&k, w, self, i, err))) return status;
    if (k.n == 0 && i != first) {
      if (w->uses[i] == 0) continue;
      return um_keras_refuse(err, &c->layer[i], "a second input; a model has one here");
    }
    for (int j = 0; j < k.n; j++) {
      in[j] = w->out[k.input[j]];
      if (in[j].node < 0)
        return um_keras_refuse(err, &c->layer[i], "comes before \"%.64s\", whose output it takes", c->layer[k.input[j]].name);
    }
    if ((status = any(w, i, k.n ? in : from, k.n ? k.n : from->node >= 0, err))) return status;
  }
  w->out[self] = w->out[last];
  return w->out[last].node >= 0 ? UM_OK : um_keras_refuse(err, &c->layer[self], "its output comes from no layer");
}

static int model(um_keras_work *w, int self, const um_keras_value *from, um_error *err) {
  return strcmp(w->c->layer[self].kind, "Sequential") == 0 ? sequential(w, self, from, err) : functional(w, self, from, err);
}

int um_keras_graph(um_keras_config *c, um_error *err) {
  const size_t n = (size_t)c->count + 1;
  um_keras_work w = {.c = c, .g = &c->graph, .out = malloc(n * sizeof *w.out), .uses = calloc(n, sizeof *w.uses)};
  int status = UM_OK;
  if (!w.out || !w.uses) {
    status = um_fail(err, UM_ENOMEM, "its config: no memory for %d layers", c->count);
    goto done;
  }
  for (int i = 0; i < c->count; i++) w.out[i] = nothing;
  if ((status = model(&w, 0, &nothing, err))) goto done;
  const um_graph *g = &c->graph;
  const int last = w.out[0].node;
  if (um_keras_padded(&w.out[0]) || last != g->count - 1) {
    status = um_keras_refuse(err, &c->layer[0], "its output is not what its last op gives");
    goto done;
  }
  c->linear = g->node[last].op == UM_OP_DENSE && g->node[last].units == 1 && g->node[last].activation == UM_ACT_NONE;
done:
  free(w.out);
  free(w.uses);
  return status;
}
