/* model.head: a list of layers, each an object of one member, {"dense": {"units": 256, "activation": "relu"}}. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/config_internal.h"

#define UNITS_MAX 65536

static const char *const kinds[] = {"flatten", "global_average_pooling2d", "dense", "dropout"};
enum { KINDS = sizeof kinds / sizeof *kinds };
static const char *const activations[] = {"linear", "relu", "sigmoid"};

static const char rates[] = "a number from 0 to below 1: the share that is dropped";

static int index_of(const char *word, const char *const *name, int count) {
  for (int i = 0; word && i < count; i++)
    if (strcmp(word, name[i]) == 0) return i;
  return -1;
}

/* A node's name goes into tensor names ("dense/kernel") and files. */
static bool name_is_good(const char *name) {
  size_t n = name ? strlen(name) : 0;
  return n > 0 && n < UM_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
}

static int bad(const char *where, const char *key, const char *expected, const cJSON *value, um_error *err) {
  char got[96];
  return um_fail(err, UM_ECONFIG, "%s.%s: expected %s, got %s", where, key, expected, um_json_brief(value, got, sizeof got));
}

static int read_layer(um_head_layer *layer, const cJSON *item, const char *where, um_error *err) {
  const cJSON *body = cJSON_IsObject(item) ? item->child : NULL;
  char got[96], inside[1500];
  if (!body || body->next)
    return um_fail(err, UM_ECONFIG, "%s: expected one layer such as {\"flatten\": {}}, got %s", where,
                   um_json_brief(item, got, sizeof got));
  int kind = index_of(body->string, kinds, KINDS);
  if (kind < 0) {
    const char *near = um_nearest(body->string, kinds, KINDS);
    return um_fail(err, UM_ECONFIG, "%s: expected a layer flatten, global_average_pooling2d, dense or dropout, got \"%.40s\"%s%s%s", where,
                   body->string, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
  }
  snprintf(inside, sizeof inside, "%s.%s", where, body->string);
  if (!cJSON_IsObject(body))
    return um_fail(err, UM_ECONFIG, "%s: expected an object { ... }, got %s", inside, um_json_brief(body, got, sizeof got));

  bool rated = false;
  memset(layer, 0, sizeof *layer);
  layer->kind = kind;
  for (const cJSON *field = body->child; field; field = field->next) {
    static const char *const fields[][3] = {{"name"}, {"name"}, {"name", "units", "activation"}, {"name", "rate"}};
    static const int counts[] = {1, 1, 3, 2};
    bool dense = kind == UM_HEAD_DENSE;
    for (const cJSON *other = body->child; other != field; other = other->next)
      if (strcmp(other->string, field->string) == 0) return um_fail(err, UM_ECONFIG, "%s.%.60s: stands there twice", inside, field->string);
    if (strcmp(field->string, "name") == 0) {
      if (!cJSON_IsString(field) || !name_is_good(field->valuestring))
        return bad(inside, "name", "letters, digits and _, fewer than 64", field, err);
      snprintf(layer->name, sizeof layer->name, "%s", field->valuestring);
    } else if (dense && strcmp(field->string, "units") == 0) {
      double v = cJSON_IsNumber(field) ? field->valuedouble : 0;
      if (!(v >= 1 && v <= UNITS_MAX) || floor(v) != v) return bad(inside, "units", "a whole number from 1 to 65536", field, err);
      layer->units = (int64_t)v;
    } else if (dense && strcmp(field->string, "activation") == 0) {
      int a = cJSON_IsNull(field) ? 0 : index_of(cJSON_GetStringValue(field), activations, 3);
      if (a < 0) return bad(inside, "activation", "\"linear\", \"relu\" or \"sigmoid\"", field, err);
      layer->activation = a;
    } else if (kind == UM_HEAD_DROPOUT && strcmp(field->string, "rate") == 0) {
      const double v = cJSON_IsNumber(field) ? field->valuedouble : -1;
      if (!(v >= 0 && v < 1)) return bad(inside, "rate", rates, field, err);
      layer->rate = v, rated = true;
    } else {
      const char *near = um_nearest(field->string, fields[kind], counts[kind]);
      return um_fail(err, UM_ECONFIG, "%s.%.60s: unknown key%s%s%s", inside, field->string, near ? "; did you mean " : "", near ? near : "",
                     near ? "?" : "");
    }
  }
  if (kind == UM_HEAD_DROPOUT && !rated) return bad(inside, "rate", rates, NULL, err);
  if (kind == UM_HEAD_DENSE && layer->units == 0) return bad(inside, "units", "a whole number from 1 to 65536", NULL, err);
  return UM_OK;
}

int um_head_read(um_head_layer *layers, int *count, const cJSON *head, const char *where, um_error *err) {
  *count = 0;
  for (const cJSON *item = head->child; item; item = item->next) {
    char at[1400];
    int status;
    if (*count == UM_HEAD_MAX) return um_fail(err, UM_ECONFIG, "%s: more than %d layers", where, UM_HEAD_MAX);
    snprintf(at, sizeof at, "%s[%d]", where, *count);
    if ((status = read_layer(&layers[*count], item, at, err))) return status;
    ++*count;
  }
  const um_head_layer *last = *count > 0 ? &layers[*count - 1] : NULL;
  if (!last || last->kind != UM_HEAD_DENSE || last->units != 1 || last->activation == UM_HEAD_RELU)
    return um_fail(err, UM_ECONFIG,
                   "%s: expected it to end in {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}: one score for two classes", where);
  for (int i = 0; i + 1 < *count; i++)
    if (layers[i].kind == UM_HEAD_DENSE && layers[i].activation == UM_HEAD_SIGMOID && layers[i].units == 1)
      return um_fail(err, UM_ECONFIG, "%s[%d]: one sigmoid unit: only the last layer may be that", where, i);
  return UM_OK;
}
