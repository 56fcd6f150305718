/* Keras 3's store of variables (keras/src/saving/saving_lib.py): .weights.h5, and model.weights.h5 in a .keras file. A layer's variables
 * are datasets 0, 1, ... of the group PATH/vars; PATH is layers/conv2d_3 (class in snake case, number in the order of the model's
 * layers), below layers/functional for a layer of a model inside. tf_keras before 2.13 says _layer_checkpoint_dependencies for layers.
 * Keras 3.5 and later note each layer's name in an attribute of vars; tf_keras does not.
 *
 * So that layers get the names that the model knows them by, in this order: the config, which lists them in the same order; the attribute,
 * where the model has every layer by that name; their place among the layers of their kind, where the model is a chain. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/keras.h"

enum { MAX_DEPTH = 34, MAX_LINKS = 1 << 17, MAX_PATH = 1024 };

static const char old_name[] = "_layer_checkpoint_dependencies";

/* A group with variables. */
typedef struct store_layer {
  char *path;       /* "layers/functional/layers/conv2d_3", as Keras 3 would have it */
  char *name;       /* the attribute, or "" */
  char kind[64];    /* "conv2d" */
  int64_t number;   /* 3 */
  int first, count; /* its items of the source; item first + i is variable i */
} store_layer;

typedef struct walk {
  um_weight_source *s;
  store_layer *layer;
  int count, links;
  um_error *err;
} walk;

bool um_keras_is_store(const um_keras_file *k) {
  return !um_h5_has(k->file, "layer_names") && H5Lexists(k->file, "model_weights", H5P_DEFAULT) <= 0 &&
         (H5Lexists(k->file, "layers", H5P_DEFAULT) > 0 || H5Lexists(k->file, old_name, H5P_DEFAULT) > 0);
}

static void layer_name(char **out, hid_t vars) {
  um_h5_strings name = {0};
  *out = NULL;
  if (um_h5_has(vars, "name") && um_h5_read_strings(&name, vars, "name", "", NULL) == UM_OK) {
    if (name.count == 1) *out = strdup(name.text[0]);
    um_h5_strings_free(&name);
  }
  if (!*out) *out = strdup("");
}

/* "conv2d_3" into class and number. */
static void take_kind(store_layer *l) {
  const char *slash = strrchr(l->path, '/');
  snprintf(l->kind, sizeof l->kind, "%.60s", slash ? slash + 1 : l->path);
  char whole[sizeof l->kind];
  memcpy(whole, l->kind, sizeof whole);
  l->number = 0;
  if (um_keras_cut_number(l->kind)) l->number = strtoll(whole + strlen(l->kind) + 1, NULL, 10);
}

/* Lists the variables of a group `vars`, which lies at `from` in the file. */
static int take_vars(walk *w, hid_t vars, const char *path, const char *from) {
  um_weight_source *s = w->s;
  char where[1400], text[MAX_PATH + 32];
  H5G_info_t info;
  if (H5Gget_info(vars, &info) < 0) return um_fail(w->err, UM_EFORMAT, "%s: %.600s cannot be read", s->path, from);
  if (info.nlinks == 0) return UM_OK;
  if (info.nlinks > 64) return um_fail(w->err, UM_EUNSUPPORTED, "%s: %.600s: more than 64 variables of one layer", s->path, from);
  if ((w->count & (w->count - 1)) == 0) { /* a power of two: full */
    store_layer *grown = realloc(w->layer, sizeof *grown * (w->count ? 2 * (size_t)w->count : 1));
    if (!grown) return um_fail(w->err, UM_ENOMEM, "%s: no memory for its list of layers", s->path);
    w->layer = grown;
  }
  store_layer *l = &w->layer[w->count];
  *l = (store_layer){.path = strdup(path), .first = s->count, .count = (int)info.nlinks};
  layer_name(&l->name, vars);
  if (!l->path || !l->name) {
    free(l->path);
    free(l->name);
    return um_fail(w->err, UM_ENOMEM, "%s: no memory for its list of layers", s->path);
  }
  w->count++;
  take_kind(l);
  for (int i = 0; i < l->count; i++) {
    hid_t dataset = -1;
    char number[16];
    snprintf(number, sizeof number, "%d", i);
    snprintf(text, sizeof text, "%s/%d", from, i);
    snprintf(where, sizeof where, "%.300s: %s", s->path, text);
    um_weight_item *item = um_weight_source_add(s, text, text);
    if (!item) return um_fail(w->err, UM_ENOMEM, "%s: no memory for its list of tensors", s->path);
    int status = um_h5_open(&dataset, vars, number, where, w->err);
    if (status) return status;
    status = um_h5_shape(dataset, &item->ndim, item->dim, UM_WEIGHT_MAX_DIMS, where, w->err);
    if (!status) um_h5_dtype(item->dtype, sizeof item->dtype, dataset);
    H5Oclose(dataset);
    if (status) return status;
  }
  return UM_OK;
}

/* Every group `vars` below a group. from: its path in the file ("" for the root); path: the same in Keras 3's words. */
static int visit(walk *w, hid_t group, const char *path, const char *from, int depth) {
  um_weight_source *s = w->s;
  char name[256], path_in[MAX_PATH], from_in[MAX_PATH];
  H5G_info_t info;
  if (depth == MAX_DEPTH) return um_fail(w->err, UM_EFORMAT, "%s: groups inside of groups, more than %d deep", s->path, MAX_DEPTH);
  if (H5Gget_info(group, &info) < 0) return um_fail(w->err, UM_EFORMAT, "%s: /%.600s cannot be read", s->path, from);
  for (hsize_t i = 0; i < info.nlinks; i++) {
    if (++w->links > MAX_LINKS) return um_fail(w->err, UM_EFORMAT, "%s: more than %d groups", s->path, MAX_LINKS);
    const ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
    if (length <= 0 || length >= (ssize_t)sizeof name || strchr(name, '/'))
      return um_fail(w->err, UM_EFORMAT, "%s: in /%.600s: a name that cannot be read", s->path, from);
    /* What training keeps is no part of the model. */
    if (depth == 0 && (strcmp(name, "optimizer") == 0 || strcmp(name, "_optimizer") == 0 || strcmp(name, "metrics") == 0)) continue;
    const char *word = strcmp(name, old_name) == 0 ? "layers" : name;
    if (snprintf(from_in, sizeof from_in, "%s%s%s", from, from[0] ? "/" : "", name) >= (int)sizeof from_in ||
        snprintf(path_in, sizeof path_in, "%s%s%s", path, path[0] ? "/" : "", word) >= (int)sizeof path_in)
      return um_fail(w->err, UM_EFORMAT, "%s: a path of more than %d bytes", s->path, MAX_PATH - 1);
    hid_t inner = -1;
    int status = um_h5_open(&inner, group, name, s->path, w->err);
    if (status) return status;
    if (H5Iget_type(inner) == H5I_GROUP)
      status = strcmp(name, "vars") == 0 ? take_vars(w, inner, path, from_in) : visit(w, inner, path_in, from_in, depth + 1);
    H5Oclose(inner);
    if (status) return status;
  }
  return UM_OK;
}

/* Variable i of a layer, as Keras calls it (the order of trainable, then other variables); NULL where that is not known. */
static const char *variable_name(const um_keras_layer *l, const store_layer *at, int i) {
  static const char *const weights[] = {"kernel", "bias"}, *const norm[] = {"gamma", "beta", "moving_mean", "moving_variance"};
  if (strcmp(at->kind, "conv2d") == 0 || strcmp(at->kind, "dense") == 0) return i < 2 ? weights[i] : NULL;
  if (strcmp(at->kind, "p_re_lu") == 0) return i == 0 ? "alpha" : NULL;
  if (strcmp(at->kind, "batch_normalization") != 0) return NULL;
  const bool there[4] = {l ? l->scale : true, l ? l->center : true, true, true};
  for (int k = 0; k < 4; k++)
    if (there[k] && i-- == 0) return norm[k];
  return NULL;
}

/* Gives the items of a layer the names that go with the layer's. */
static int name_items(um_weight_source *s, const store_layer *at, const char *layer, const um_keras_layer *l, um_error *err) {
  for (int i = 0; i < at->count; i++) {
    const char *what = variable_name(l, at, i);
    char *name = NULL;
    const int n = what ? asprintf(&name, "%s/%s", layer, what) : asprintf(&name, "%s/%d", layer, i);
    if (n < 0) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", s->path);
    free(s->item[at->first + i].name);
    s->item[at->first + i].name = name;
  }
  return UM_OK;
}

/* The op that a class of the store is, or UM_OP_KINDS. */
static um_op_kind op_of(const char *kind) {
  if (strcmp(kind, "p_re_lu") == 0) return UM_OP_PRELU;
  return strcmp(kind, "conv2d") == 0 ? UM_OP_CONV2D : strcmp(kind, "dense") == 0 ? UM_OP_DENSE : UM_OP_KINDS;
}

/* Whether the graph has each layer with weights by the name in its attribute. */
static bool names_fit(const walk *w, const um_graph *graph) {
  for (int i = 0; i < w->count; i++) {
    const um_op_kind op = op_of(w->layer[i].kind);
    const int node = um_graph_find(graph, w->layer[i].name);
    if (op != UM_OP_KINDS && (node < 0 || graph->node[node].op != op)) return false;
    for (int j = 0; op != UM_OP_KINDS && j < i; j++)
      if (strcmp(w->layer[i].name, w->layer[j].name) == 0) return false;
  }
  return true;
}

/* The layers of one kind, in the order that they have in the model; where they do not lie in one group of layers there is none. */
static int in_order(const walk *w, um_op_kind op, int *order, int *count, um_error *err) {
  *count = 0;
  for (int i = 0; i < w->count; i++) {
    const store_layer *l = &w->layer[i];
    if (op_of(l->kind) != op) continue;
    const size_t length = (size_t)(strrchr(l->path, '/') ? strrchr(l->path, '/') - l->path : 0);
    const store_layer *first = *count ? &w->layer[order[0]] : l;
    if (strncmp(first->path, l->path, length + 1) != 0 || strchr(first->path + length + (length > 0), '/'))
      return um_fail(err, UM_EUNSUPPORTED,
                     "%s: layers in several models (%.200s, %.200s), whose order the file does not say; give the .keras file", w->s->path,
                     first->path, l->path);
    int at = (*count)++;
    while (at > 0 && w->layer[order[at - 1]].number > l->number) order[at] = order[at - 1], at--;
    order[at] = i;
  }
  return UM_OK;
}

static int name_by_order(walk *w, const um_graph *graph, int *order, um_error *err) {
  um_weight_source *s = w->s;
  char a[128], b[128];
  for (int i = 0; i < graph->count; i++)
    if (graph->node[i].n_inputs > 1)
      return um_fail(err, UM_EUNSUPPORTED, "%s: does not name its layers, and the model is no chain of them; give the .keras file",
                     s->path);
  for (int i = 0; i < w->count; i++)
    if (op_of(w->layer[i].kind) == UM_OP_KINDS)
      return um_fail(err, UM_EUNSUPPORTED, "%s: %.600s has variables, and the file does not say what they do; give the .keras file",
                     s->path, w->layer[i].path);
  static const um_op_kind kinds[] = {UM_OP_CONV2D, UM_OP_DENSE, UM_OP_PRELU};
  for (int kind = 0; kind < 3; kind++) {
    const um_op_kind op = kinds[kind];
    int count, there = 0, node = -1, status = in_order(w, op, order, &count, err);
    if (status) return status;
    for (int i = 0; i < graph->count; i++) there += graph->node[i].op == op;
    if (count == 0 || (op != UM_OP_CONV2D && count != there)) continue; /* another head */
    if (count != there)
      return um_fail(err, UM_EFORMAT, "%s: %d convolutions, the model has %d: the weights of another model", s->path, count, there);
    for (int i = 0; i < count; i++) {
      const store_layer *l = &w->layer[order[i]];
      const um_weight_item *kernel = &s->item[l->first];
      do node++;
      while (graph->node[node].op != op);
      const um_node *n = &graph->node[node], *x = &graph->node[n->input[0]];
      const int64_t conv[4] = {n->window.kernel[0], n->window.kernel[1], x->dim[x->ndim - 1], n->units}, dense[2] = {x->dim[0], n->units};
      const int64_t alpha[3] = {n->ndim == 3 ? 1 : n->dim[0], 1, n->dim[n->ndim - 1]};
      const int ndim = op == UM_OP_CONV2D ? 4 : op == UM_OP_DENSE ? 2 : n->ndim;
      const int64_t *want = op == UM_OP_CONV2D ? conv : op == UM_OP_DENSE ? dense : alpha;
      if (kernel->ndim != ndim || memcmp(kernel->dim, want, sizeof *want * (size_t)ndim) != 0)
        return um_fail(err, UM_EFORMAT,
                       "%s: %.300s is %s, %s of the model %s: layers have no names in this file, so that their order must fit", s->path,
                       kernel->from, um_weight_shape_text(a, sizeof a, kernel->dim, kernel->ndim), n->name,
                       um_weight_shape_text(b, sizeof b, want, ndim));
      if ((status = name_items(s, l, n->name, NULL, err))) return status;
    }
  }
  return UM_OK;
}

/* Names from the file alone: the attribute, else the path. */
static int name_alone(walk *w, um_error *err) {
  for (int i = 0; i < w->count; i++) {
    const store_layer *l = &w->layer[i];
    const int status = name_items(w->s, l, l->name[0] ? l->name : l->path, NULL, err);
    if (status) return status;
  }
  return UM_OK;
}

static int name_by_config(walk *w, const um_keras_config *c, um_error *err) {
  for (int i = 0; i < w->count; i++) {
    const store_layer *l = &w->layer[i];
    const int at = um_keras_config_at(c, l->path);
    const int status = name_items(w->s, l, at >= 0 ? c->layer[at].name : l->path, at >= 0 ? &c->layer[at] : NULL, err);
    if (status) return status;
  }
  return UM_OK;
}

int um_keras_store_list(um_weight_source *s, const um_graph *graph, um_error *err) {
  um_keras_file *k = s->handle;
  walk w = {.s = s, .err = err};
  int status, *order = NULL;
  if (!s->kind[0] || strncmp(s->kind, "Keras HDF5", 10) == 0) snprintf(s->kind, sizeof s->kind, "Keras .weights.h5");
  if ((k->weights = H5Oopen(k->file, "/", H5P_DEFAULT)) < 0)
    return um_fail(err, UM_EFORMAT, "%s: its root group cannot be opened", s->path);
  if ((status = visit(&w, k->weights, "", "", 0))) goto done;
  if (!(order = malloc(sizeof *order * ((size_t)w.count + 1)))) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for its list of layers", s->path);
    goto done;
  }
  if (k->has_config && k->config.count > 0)
    status = name_by_config(&w, &k->config, err);
  else if (!graph || names_fit(&w, graph))
    status = name_alone(&w, err);
  else
    status = name_by_order(&w, graph, order, err);
done:
  for (int i = 0; i < w.count; i++) {
    free(w.layer[i].path);
    free(w.layer[i].name);
  }
  free(w.layer);
  free(order);
  return status;
}
