/* The config of a Keras model: the JSON that model.to_json() gives, the attribute model_config of an .h5 file, config.json of a .keras
 * file. {"class_name": "Functional" ("Model" before 2.3) or "Sequential", "config": {"layers": [{"class_name", "config", "name",
 * "inbound_nodes"}, ...], ...}}; a layer may itself be such a model. Here it is taken apart into a list of layers, each with the place of
 * its variables in Keras 3's store (keras/src/saving/saving_lib.py: by class in snake case and a number in the order of the list). */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/keras.h"

enum { MAX_LAYERS = 4096, MAX_DEPTH = 16, MAX_STORE = 1024 };

static const char *text_of(const cJSON *object, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  return text ? text : "";
}

/* keras.src.utils.naming.to_snake_case: "Conv2D" -> "conv2d", "MaxPooling2D" -> "max_pooling2d", "InputLayer" -> "input_layer". */
static void snake_case(char *out, size_t size, const char *text) {
  size_t n = 0;
  for (size_t i = 0; text[i] && n + 2 < size; i++) {
    const char c = text[i], before = i ? text[i - 1] : 0;
    const bool upper = isupper((unsigned char)c), after_lower = islower((unsigned char)before);
    /* (.)([A-Z][a-z]+) and ([a-z])([A-Z]) */
    if (upper && i > 0 && (after_lower || (islower((unsigned char)text[i + 1]) && before != '_'))) out[n++] = '_';
    out[n++] = (char)tolower((unsigned char)c);
  }
  out[n] = 0;
}

static bool is_model(const char *kind) {
  return strcmp(kind, "Functional") == 0 || strcmp(kind, "Model") == 0 || strcmp(kind, "Sequential") == 0;
}

/* The list of layers of a model; an early Sequential's config is that list itself. */
static const cJSON *layers_of(const cJSON *model) {
  const cJSON *config = cJSON_GetObjectItemCaseSensitive(model, "config");
  if (cJSON_IsArray(config)) return config;
  const cJSON *layers = cJSON_GetObjectItemCaseSensitive(config, "layers");
  return cJSON_IsArray(layers) ? layers : NULL;
}

static bool flag(const cJSON *config, const char *key, bool otherwise) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, key);
  return cJSON_IsBool(v) ? cJSON_IsTrue(v) : otherwise;
}

/* Appends one entry; its index, or a negative um_code. */
static int append(um_keras_config *c, const cJSON *json, const char *store, um_error *err) {
  if (c->count == MAX_LAYERS) return um_fail(err, UM_EUNSUPPORTED, "its config: more than %d layers", MAX_LAYERS);
  if ((c->count & (c->count - 1)) == 0) { /* a power of two: full */
    um_keras_layer *grown = realloc(c->layer, sizeof *grown * (c->count ? 2 * (size_t)c->count : 1));
    if (!grown) return um_fail(err, UM_ENOMEM, "its config: no memory for %d layers", c->count + 1);
    c->layer = grown;
  }
  const cJSON *config = cJSON_GetObjectItemCaseSensitive(json, "config");
  const cJSON *epsilon = cJSON_GetObjectItemCaseSensitive(config, "epsilon");
  /* A layer's name lies in its config; in a functional model beside it too, where inbound_nodes mean that one. */
  const char *name = text_of(json, "name")[0] ? text_of(json, "name") : text_of(config, "name");
  um_keras_layer *l = &c->layer[c->count];
  *l = (um_keras_layer){.name = strdup(name),
                        .store = strdup(store),
                        .kind = text_of(json, "class_name"),
                        .bias = flag(config, "use_bias", true),
                        .scale = flag(config, "scale", true),
                        .center = flag(config, "center", true),
                        .epsilon = cJSON_IsNumber(epsilon) ? epsilon->valuedouble : 1e-3,
                        .into = -1,
                        .end = c->count + 1,
                        .json = json};
  l->model = is_model(l->kind) && layers_of(json);
  if (!l->name || !l->store) {
    free(l->name);
    free(l->store);
    return um_fail(err, UM_ENOMEM, "its config: no memory for %d layers", c->count + 1);
  }
  return c->count++;
}

/* How many layers of the list from `first` to `layer` have this class in snake case, before this one. */
static int count_before(const cJSON *first, const cJSON *layer, const char *snake) {
  char other[128];
  int n = 0;
  for (; first != layer; first = first->next) {
    snake_case(other, sizeof other, text_of(first, "class_name"));
    n += strcmp(other, snake) == 0;
  }
  return n;
}

/* Appends a model and all that lies in it. */
static int take_model(um_keras_config *c, const cJSON *model, const char *store, int depth, um_error *err) {
  char at[MAX_STORE], snake[128];
  const int self = append(c, model, store, err);
  if (self < 0) return self;
  if (!c->layer[self].model) return self;
  if (depth == MAX_DEPTH) return um_fail(err, UM_EUNSUPPORTED, "its config: models inside of models, %d deep", depth);
  const cJSON *layers = layers_of(model), *layer;
  cJSON_ArrayForEach(layer, layers) {
    snake_case(snake, sizeof snake, text_of(layer, "class_name"));
    const int n = count_before(layers->child, layer, snake);
    char number[16] = "";
    if (n) snprintf(number, sizeof number, "_%d", n);
    const int length = snprintf(at, sizeof at, "%s%slayers/%s%s", store, store[0] ? "/" : "", snake, number);
    if (length >= (int)sizeof at) return um_fail(err, UM_EUNSUPPORTED, "its config: a layer's place in the file has %d bytes", length);
    const int status = take_model(c, layer, at, depth + 1, err);
    if (status < 0) return status;
  }
  c->layer[self].end = c->count;
  return self;
}

int um_keras_config_read(um_keras_config *c, const char *text, um_error *err) {
  int status;
  *c = (um_keras_config){.rescale = 1, .channels_first = strstr(text, "\"channels_first\"") != NULL};
  if (strlen(text) > UM_KERAS_CONFIG_MAX) {
    um_fail(&c->error, UM_EUNSUPPORTED, "its config has more than %d bytes", UM_KERAS_CONFIG_MAX);
    return UM_OK;
  }
  cJSON *json = c->parsed = cJSON_ParseWithOpts(text, NULL, true);
  if (!json) {
    um_fail(&c->error, UM_EFORMAT, "its config is not JSON");
    return UM_OK;
  }
  status = take_model(c, json, "", 0, &c->error);
  if (status >= 0 && !c->layer[0].model)
    status =
        um_fail(&c->error, UM_EUNSUPPORTED, "its config: a model of class \"%.64s\", expected Sequential or Functional", c->layer[0].kind);
  if (status >= 0) status = um_keras_graph(c, &c->error);
  if (status < 0) um_graph_free(&c->graph);
  if (status == UM_ENOMEM) {
    if (err) *err = c->error;
    return status;
  }
  return UM_OK;
}

void um_keras_config_free(um_keras_config *c) {
  for (int i = 0; i < c->count; i++) {
    free(c->layer[i].name);
    free(c->layer[i].store);
  }
  free(c->layer);
  um_graph_free(&c->graph);
  cJSON_Delete(c->parsed);
  *c = (um_keras_config){0};
}

int um_keras_config_find(const um_keras_config *c, const char *name) {
  for (int i = 0; i < c->count; i++)
    if (!c->layer[i].model && strcmp(c->layer[i].name, name) == 0) return i;
  return -1;
}

int um_keras_config_at(const um_keras_config *c, const char *store) {
  for (int i = 0; i < c->count; i++)
    if (!c->layer[i].model && strcmp(c->layer[i].store, store) == 0) return i;
  return -1;
}
