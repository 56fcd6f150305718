#include "core/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool um_json_number(const cJSON *o, const char *key, double low, double high, double *out) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  if (!cJSON_IsNumber(v) || !(v->valuedouble >= low && v->valuedouble <= high)) return false;
  *out = v->valuedouble;
  return true;
}

bool um_json_int(const cJSON *o, const char *key, double low, double high, int64_t *out) {
  double v;
  if (!um_json_number(o, key, low, high, &v) || floor(v) != v) return false;
  *out = (int64_t)v;
  return true;
}

bool um_json_text(const cJSON *o, const char *key, char *out, size_t size) {
  const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
  if (!v || strlen(v) >= size) return false;
  strcpy(out, v);
  return true;
}

bool um_json_word(const cJSON *o, const char *key, const char *const *words, int count, int *out) {
  const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
  for (int i = 0; v && i < count; i++)
    if (strcmp(v, words[i]) == 0) {
      *out = i;
      return true;
    }
  return false;
}

bool um_json_exact(const cJSON *o, const char *key, double *out) {
  const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
  char *end;
  if (!v || !*v) return false;
  const double x = strtod(v, &end);
  if (*end || isnan(x)) return false;
  *out = x;
  return true;
}

bool um_json_put_number(cJSON *o, const char *key, double v) {
  return isnan(v) ? cJSON_AddNullToObject(o, key) : cJSON_AddNumberToObject(o, key, v);
}

bool um_json_put_text(cJSON *o, const char *key, const char *v) {
  return v && *v ? cJSON_AddStringToObject(o, key, v) : cJSON_AddNullToObject(o, key);
}

/* Makes a number text that is printed as it is. */
static bool make_exact(cJSON *o) {
  char text[40] = "null";
  if (isfinite(o->valuedouble))
    for (int digits = 15; digits <= 17; digits++) {
      snprintf(text, sizeof text, "%.*g", digits, o->valuedouble);
      if (strtod(text, NULL) == o->valuedouble) break;
    }
  cJSON *raw = cJSON_CreateRaw(text);
  if (!raw) return false;
  o->type = raw->type | (o->type & cJSON_StringIsConst);
  o->valuestring = raw->valuestring, raw->valuestring = NULL;
  cJSON_Delete(raw);
  return true;
}

static bool make_all_exact(cJSON *o) {
  if (cJSON_IsNumber(o)) return make_exact(o);
  for (cJSON *c = o->child; c; c = c->next)
    if (!make_all_exact(c)) return false;
  return true;
}

char *um_json_print(cJSON *o, bool formatted) {
  if (!o || !make_all_exact(o)) return NULL;
  return formatted ? cJSON_Print(o) : cJSON_PrintUnformatted(o);
}
