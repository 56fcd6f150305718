/* What is not as it was when a result was written: the likely causes of other scores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "infer/verify.h"

void text_clean(char *text) {
  for (unsigned char *p = (unsigned char *)text; *p; p++) {
    if (*p < 0x20 || *p == 0x7f) *p = '?';
    if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) p[0] = p[1] = '?'; /* the control characters beyond ASCII */
  }
}

static void put_clean(char *out, size_t size, const char *text) {
  snprintf(out, size, "%s", *text ? text : "-");
  text_clean(out);
}

void difference_add(differences *d, const char *what, const char *then, const char *now) {
  if (!strcmp(then, now)) return;
  if (d->count == DIFFERENCES) {
    d->more++;
    return;
  }
  difference *x = &d->at[d->count++];
  put_clean(x->what, sizeof x->what, what);
  put_clean(x->then, sizeof x->then, then);
  put_clean(x->now, sizeof x->now, now);
}

/* A member as text: "" for null or nothing. */
static const char *member_text(char *room, size_t size, const cJSON *v) {
  if (cJSON_IsString(v)) return v->valuestring;
  if (cJSON_IsBool(v)) return cJSON_IsTrue(v) ? "yes" : "no";
  if (cJSON_IsObject(v) || cJSON_IsArray(v)) return "(other members)";
  if (cJSON_IsNumber(v))
    snprintf(room, size, "%.17g", v->valuedouble);
  else
    *room = 0;
  return room;
}

static const cJSON *partner(const cJSON *of, const cJSON *child, int index) {
  return child->string ? cJSON_GetObjectItemCaseSensitive(of, child->string) : cJSON_GetArrayItem(of, index);
}

static void compare_member(differences *d, const char *prefix, const cJSON *child, int index, const cJSON *then, const cJSON *now) {
  char what[96], room[2][40];
  const int n = child->string ? snprintf(what, sizeof what, "%s%s%s", prefix, *prefix ? "." : "", child->string)
                              : snprintf(what, sizeof what, "%s %d", prefix, index + 1);
  if (n < 0 || (child->string && !strcmp(child->string, "file"))) return;
  if ((cJSON_IsObject(then) && cJSON_IsObject(now)) || (cJSON_IsArray(then) && cJSON_IsArray(now)))
    differences_add(d, what, then, now);
  else
    difference_add(d, what, member_text(room[0], sizeof room[0], then), member_text(room[1], sizeof room[1], now));
}

void differences_add(differences *d, const char *prefix, const cJSON *then, const cJSON *now) {
  const cJSON *child;
  int i = 0;
  cJSON_ArrayForEach(child, now) {
    compare_member(d, prefix, child, i, partner(then, child, i), child);
    i++;
  }
  i = 0;
  cJSON_ArrayForEach(child, then) {
    if (d->count == DIFFERENCES && d->more) return; /* whatever else such a file holds */
    if (!partner(now, child, i)) compare_member(d, prefix, child, i, child, NULL);
    i++;
  }
}
