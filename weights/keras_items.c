/* What a list of Keras' tensors needs to be one of ours: a bias where the layer has none (use_bias=False), an alpha of one dimension, and
 * BatchNormalization in the numbers of the layer before it. At inference that layer is y = gamma (x - mean) / sqrt(variance + epsilon) + beta by channel
 * (Ioffe & Szegedy 2015, algorithm 2), x = K * in + b, so
 *   K' = K s, b' = (b - mean) s + beta, s = gamma / sqrt(variance + epsilon)
 * computed in double and rounded once. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/keras.h"
#include "weights/model_data.h"

/* Beside each item of the source. Indices are of items, -1 where there is none. */
typedef struct um_keras_item {
  bool made; /* not in the file */
  int norm;  /* the entry of the BatchNormalization that is folded in */
  int bias;  /* an item with the layer's own bias, for a folded bias */
  bool is_bias;
  int gamma, beta, mean, variance;
} um_keras_item;

static int find(const um_weight_source *s, const char *layer, const char *weight) {
  const size_t n = strlen(layer);
  for (int i = 0; i < s->count; i++) {
    const char *name = s->item[i].name;
    if (strncmp(name, layer, n) == 0 && name[n] == '/' && strcmp(name + n + 1, weight) == 0) return i;
  }
  return -1;
}

/* Room in k->item for every item of s. */
static int grow(um_weight_source *s, um_error *err) {
  um_keras_file *k = s->handle;
  struct um_keras_item *grown = realloc(k->item, sizeof *grown * ((size_t)s->count + 1));
  if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", s->path);
  for (int i = k->items; i < s->count; i++) grown[i] = (um_keras_item){.norm = -1, .bias = -1};
  k->item = grown;
  k->items = s->count;
  return UM_OK;
}

/* Appends the bias that the layer with this kernel has not. */
static int add_bias(um_weight_source *s, const char *layer, int kernel, const char *from, um_error *err) {
  um_keras_file *k = s->handle;
  char name[2100];
  snprintf(name, sizeof name, "%.2000s/bias", layer);
  um_weight_item *item = um_weight_source_add(s, name, from);
  if (!item) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", s->path);
  const um_weight_item *like = &s->item[kernel];
  item->ndim = 1;
  item->dim[0] = like->dim[like->ndim - 1];
  const int status = grow(s, err);
  if (status) return status;
  k->item[s->count - 1].made = k->item[s->count - 1].is_bias = true;
  return UM_OK;
}

/* One vector of the BatchNormalization, by name; -1 where the layer has none such and needs none. */
static int vector(int *out, const um_weight_source *s, const um_keras_layer *norm, const char *weight, bool there, int64_t n,
                  um_error *err) {
  *out = -1;
  if (!there) return UM_OK;
  *out = find(s, norm->name, weight);
  if (*out < 0) return um_fail(err, UM_EFORMAT, "%s: has no %.64s/%s, which its config says it has", s->path, norm->name, weight);
  if (s->item[*out].ndim != 1 || s->item[*out].dim[0] != n)
    return um_fail(err, UM_EFORMAT, "%s: %.300s: expected %" PRId64 " numbers", s->path, s->item[*out].from, n);
  return UM_OK;
}

static int fold(um_weight_source *s, int norm, um_error *err) {
  um_keras_file *k = s->handle;
  const um_keras_layer *l = &k->config.layer[norm], *into = &k->config.layer[l->into];
  const int kernel = find(s, into->name, "kernel");
  int bias = find(s, into->name, "bias"), status = UM_OK;
  if (kernel < 0 || s->item[kernel].ndim < 1) return um_fail(err, UM_EFORMAT, "%s: has no %.64s/kernel", s->path, into->name);
  const int64_t n = s->item[kernel].dim[s->item[kernel].ndim - 1];
  if (bias < 0) {
    if ((status = add_bias(s, into->name, kernel, "none", err))) return status;
    bias = s->count - 1;
  }
  if (s->item[bias].ndim != 1 || s->item[bias].dim[0] != n)
    return um_fail(err, UM_EFORMAT, "%s: %.300s: expected %" PRId64 " numbers", s->path, s->item[bias].from, n);
  um_keras_item f = {.norm = norm};
  if ((status = vector(&f.gamma, s, l, "gamma", l->scale, n, err))) return status;
  if ((status = vector(&f.beta, s, l, "beta", l->center, n, err))) return status;
  if ((status = vector(&f.mean, s, l, "moving_mean", true, n, err))) return status;
  if ((status = vector(&f.variance, s, l, "moving_variance", true, n, err))) return status;
  for (int i = 0; i < 2; i++) {
    const int at = i ? bias : kernel;
    f.made = k->item[at].made, f.is_bias = i == 1, f.bias = -1;
    k->item[at] = f;
  }
  snprintf(s->note, sizeof s->note, "BatchNormalization is folded into the layers before it");
  return UM_OK;
}

/* True for a layer of ours that takes a bias. */
static bool wants_bias(const um_keras_file *k, const um_graph *graph, const char *layer) {
  const um_graph *g = graph ? graph : &k->config.graph;
  const int node = um_graph_find(g, layer), entry = k->has_config ? um_keras_config_find(&k->config, layer) : -1;
  if (node < 0 || (g->node[node].op != UM_OP_CONV2D && g->node[node].op != UM_OP_DENSE)) return false;
  return entry < 0 || !k->config.layer[entry].bias;
}

/* A PReLU's alpha over pictures is 1 x 1 x C there, C here. */
static void flatten_alpha(um_weight_source *s, const um_graph *graph, int index) {
  const um_keras_file *k = s->handle;
  const um_graph *g = graph ? graph : &k->config.graph;
  um_weight_item *item = &s->item[index];
  char layer[UM_NAME_MAX];
  const char *leaf = strrchr(item->name, '/');
  if (!leaf || strcmp(leaf, "/alpha") != 0 || leaf - item->name >= UM_NAME_MAX) return;
  snprintf(layer, sizeof layer, "%.*s", (int)(leaf - item->name), item->name);
  const int node = um_graph_find(g, layer);
  if (node < 0 || g->node[node].op != UM_OP_PRELU || item->ndim != 3 || item->dim[0] != 1 || item->dim[1] != 1) return;
  item->dim[0] = item->dim[2];
  item->ndim = 1;
}

int um_keras_finish(um_weight_source *s, const um_graph *graph, um_error *err) {
  um_keras_file *k = s->handle;
  int status = grow(s, err);
  const int count = s->count;
  for (int i = 0; i < count && !status; i++) {
    char layer[2100];
    flatten_alpha(s, graph, i);
    snprintf(layer, sizeof layer, "%s", s->item[i].name);
    char *leaf = strrchr(layer, '/');
    if (!leaf || strcmp(leaf, "/kernel") != 0 || s->item[i].ndim < 1) continue;
    *leaf = 0;
    if (wants_bias(k, graph, layer) && find(s, layer, "bias") < 0) status = add_bias(s, layer, i, "zeros: the layer has no bias", err);
  }
  for (int i = 0; k->has_config && i < k->config.count && !status; i++)
    if (k->config.layer[i].into >= 0 && k->config.graph.count > 0) status = fold(s, i, err);
  if (!status && k->has_config && k->config.linear)
    snprintf(s->note, sizeof s->note, "its last layer has no sigmoid: what it gives is taken for the logit");
  return status;
}

static int read_raw(um_weight_source *s, int index, float *values, int64_t count, um_error *err) {
  um_keras_file *k = s->handle;
  hid_t dataset = -1;
  char where[1300];
  if (k->item[index].made) {
    memset(values, 0, (size_t)count * sizeof *values);
    return UM_OK;
  }
  snprintf(where, sizeof where, "%.600s: %.600s", s->path, s->item[index].from);
  int code = um_h5_open(&dataset, k->weights, s->item[index].from, s->path, err);
  if (code) return code;
  code = um_h5_read_floats(values, dataset, count, k->size, where, err);
  H5Oclose(dataset);
  return code;
}

int um_keras_read_item(um_weight_source *s, int index, float *values, int64_t count, um_error *err) {
  um_keras_file *k = s->handle;
  const um_keras_item *f = &k->item[index];
  int status = read_raw(s, index, values, count, err);
  if (status || f->norm < 0) return status;

  const um_weight_item *item = &s->item[index];
  const int64_t n = item->dim[item->ndim - 1];
  const double epsilon = k->config.layer[f->norm].epsilon;
  const int part[4] = {f->gamma, f->beta, f->mean, f->variance};
  float *vector[4] = {NULL};
  if (n > count || count % n != 0) return um_fail(err, UM_EFORMAT, "%s: %.300s: not by channel", s->path, item->from);
  for (int i = 0; i < 4 && !status; i++) {
    if (part[i] < 0) continue;
    if (!(vector[i] = malloc((size_t)n * sizeof *vector[i])))
      status = um_fail(err, UM_ENOMEM, "%s: no memory for %" PRId64 " numbers", s->path, n);
    else
      status = read_raw(s, part[i], vector[i], n, err);
  }
  for (int64_t i = 0; i < count && !status; i++) {
    const int64_t c = i % n;
    const double scale = (vector[0] ? (double)vector[0][c] : 1.0) / sqrt((double)vector[3][c] + epsilon);
    if (!isfinite(scale))
      status = um_fail(err, UM_EFORMAT, "%s: layer %.64s: variance %g of channel %" PRId64 " makes no finite number", s->path,
                       k->config.layer[f->norm].name, (double)vector[3][c], c);
    else if (f->is_bias)
      values[i] = (float)(((double)values[i] - (double)vector[2][c]) * scale + (vector[1] ? (double)vector[1][c] : 0.0));
    else
      values[i] = (float)((double)values[i] * scale);
  }
  for (int i = 0; i < 4; i++) free(vector[i]);
  return status;
}

/* Values of metadata, kept until all have been asked for. */
typedef struct finder {
  um_keras_file *k;
  cJSON *json; /* metadata.json, or NULL: attributes of the file */
  um_h5_strings kept[16];
  int count;
} finder;

static const char *find_text(void *arg, const char *key) {
  finder *f = arg;
  if (f->json) return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(f->json, key));
  if (f->count == (int)(sizeof f->kept / sizeof *f->kept) || !um_h5_has(f->k->file, key)) return NULL;
  um_h5_strings *text = &f->kept[f->count];
  if (um_h5_read_strings(text, f->k->file, key, "", NULL)) return NULL;
  f->count++;
  return text->count == 1 ? text->text[0] : NULL;
}

int um_keras_model(um_weight_source *s, um_graph *graph, um_preprocess *p, unsigned *said, um_error *err) {
  um_keras_file *k = s->handle;
  const um_keras_config *c = &k->config;
  *said = 0;
  if (c->graph.count == 0) return um_fail(err, c->error.code, "%s: %.900s", s->path, c->error.text);
  finder f = {.k = k, .json = k->metadata ? cJSON_Parse(k->metadata) : NULL};
  if (!k->metadata || f.json) *said = um_model_metadata_read(p, find_text, &f);
  for (int i = 0; i < f.count; i++) um_h5_strings_free(&f.kept[i]);
  cJSON_Delete(f.json);
  if (c->rescaled) {
    const double rescale = *said & UM_SAYS_PREPROCESS ? p->rescale * c->rescale : c->rescale;
    if (*said & UM_SAYS_PREPROCESS && p->preprocessing != UM_PREPROCESS_NONE)
      return um_fail(err, UM_EUNSUPPORTED, "%s: both a Rescaling layer and preprocessing that is no rescaling", s->path);
    p->preprocessing = UM_PREPROCESS_NONE;
    p->rescale = rescale;
    p->target_size[0] = (int)c->graph.node[0].dim[0], p->target_size[1] = (int)c->graph.node[0].dim[1];
    *said |= UM_SAYS_PREPROCESS;
  }
  return um_graph_copy(graph, &c->graph, err);
}
