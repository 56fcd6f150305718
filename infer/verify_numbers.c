/* Two values of JSON, number by number: one from a file of which nothing is known, and what was made again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/verify.h"

enum { PLACE = 256, VALUE = 40 };

void part_differs(part *p, const char *what, const char *then, const char *now) {
  const int before = p->differences.count + p->differences.more;
  difference_add(&p->differences, what, then, now);
  if (before < p->differences.count + p->differences.more) p->most = INFINITY;
}

/* In the fewest digits that read back to the same bits; "" for nothing. */
static const char *value_text(char room[VALUE], const cJSON *v) {
  room[0] = 0;
  if (cJSON_IsString(v)) return v->valuestring;
  if (cJSON_IsObject(v) || cJSON_IsArray(v)) snprintf(room, VALUE, "(%d values)", cJSON_GetArraySize(v));
  if (cJSON_IsBool(v) || cJSON_IsNull(v)) snprintf(room, VALUE, "%s", cJSON_IsNull(v) ? "none" : cJSON_IsTrue(v) ? "yes" : "no");
  for (int digits = 15; cJSON_IsNumber(v) && digits <= 17; digits++) {
    snprintf(room, VALUE, "%.*g", digits, v->valuedouble);
    if (strtod(room, NULL) == v->valuedouble) break;
  }
  return room;
}

static void compare_numbers(part *p, const char *what, const cJSON *then, const cJSON *now) {
  char room[2][VALUE];
  p->numbers++;
  if (then->valuedouble == now->valuedouble) return;
  const double by = fabs(then->valuedouble - now->valuedouble);
  difference_add(&p->differences, what, value_text(room[0], then), value_text(room[1], now));
  if (!(by <= p->most)) p->most = isnan(by) ? INFINITY : by;
}

static int times_there(const cJSON *o, const char *key) {
  int n = 0;
  const cJSON *c;
  cJSON_ArrayForEach(c, o) n += c->string && !strcmp(c->string, key);
  return n;
}

/* `now` is our own: its members are few, each there once; of `then` there may be any number. */
static void compare_objects(part *p, const char *what, const cJSON *then, const cJSON *now, bool older) {
  char place[PLACE], room[VALUE];
  const cJSON *c;
  cJSON_ArrayForEach(c, now) {
    const int n = times_there(then, c->string);
    snprintf(place, sizeof place, "%s.%s", what, c->string);
    if (n == 0 && older)
      p->lacking++;
    else if (n > 1)
      part_differs(p, place, "(there several times)", value_text(room, c));
    else
      part_compare(p, place, cJSON_GetObjectItemCaseSensitive(then, c->string), c, older);
  }
  cJSON_ArrayForEach(c, then) {
    if (p->differences.more) return; /* whatever else such a file holds */
    if (cJSON_GetObjectItemCaseSensitive(now, c->string)) continue;
    snprintf(place, sizeof place, "%s.%.64s", what, c->string);
    part_differs(p, place, value_text(room, c), "");
  }
}

static void compare_arrays(part *p, const char *what, const cJSON *then, const cJSON *now, bool older) {
  const int n = cJSON_GetArraySize(now);
  char place[PLACE], room[2][VALUE];
  int i = 0;
  if (cJSON_GetArraySize(then) != n) part_differs(p, what, value_text(room[0], then), value_text(room[1], now));
  for (const cJSON *a = then->child, *b = now->child; a && b; a = a->next, b = b->next, i++) {
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(b, "value")); /* of a part */
    if (value)
      snprintf(place, sizeof place, "%s %.64s", what, value);
    else if (n == 2 && cJSON_IsNumber(b)) /* an interval */
      snprintf(place, sizeof place, "%s.%s", what, i ? "high" : "low");
    else
      snprintf(place, sizeof place, "%s %d", what, i + 1);
    part_compare(p, place, a, b, older);
  }
}

void part_compare(part *p, const char *what, const cJSON *then, const cJSON *now, bool older) {
  char room[2][VALUE];
  if (cJSON_IsNumber(then) && cJSON_IsNumber(now)) {
    compare_numbers(p, what, then, now);
  } else if (cJSON_IsObject(then) && cJSON_IsObject(now)) {
    compare_objects(p, what, then, now, older);
  } else if (cJSON_IsArray(then) && cJSON_IsArray(now)) {
    compare_arrays(p, what, then, now, older);
  } else if (cJSON_IsString(then) && cJSON_IsString(now)) {
    part_differs(p, what, then->valuestring, now->valuestring);
  } else if (!(cJSON_IsNull(then) && cJSON_IsNull(now))) {
    const char *was = value_text(room[0], then), *is = value_text(room[1], now);
    part_differs(p, what, was, strcmp(was, is) ? is : "(of another kind)");
  }
}

void part_settle(part *p, double explained) { p->outcome = p->differences.count == 0 ? SAME : p->most <= explained ? CLOSE : DIFFERS; }
