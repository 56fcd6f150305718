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
