/* What is said about the course of a training: the schedule, the phases, the classes' weights. */
#include <stdio.h>
#include <string.h>

#include "core/config_internal.h"

/* ---- the schedule ---- */

int um_schedule_check(const um_schedule *s, int epochs, const char *where, um_error *err) {
  static const char section[] = "learning_rate_schedule";
  if (s->warmup_steps > 0 && s->warmup_epochs > 0)
    return um_fail(err, UM_ECONFIG, "%s: %s: warmup_steps and warmup_epochs are both set; take one of them out", where, section);
  if (s->warmup_epochs >= epochs && um_schedule_needs_epochs(s))
    return um_fail(err, UM_ECONFIG, "%s: %s.warmup_epochs: %g of %d epochs, which leaves none for the decay", where, section,
                   s->warmup_epochs, epochs);
  if ((s->kind == UM_SCHEDULE_COSINE || s->kind == UM_SCHEDULE_EXPONENTIAL) && s->decay_steps > 0 && s->decay_epochs > 0)
    return um_fail(err, UM_ECONFIG, "%s: %s: decay_steps and decay_epochs are both set; take one of them out", where, section);
  if (s->kind != UM_SCHEDULE_STEP) return UM_OK;
  if ((s->every_epochs > 0) == (s->boundaries.count > 0))
    return um_fail(err, UM_ECONFIG, "%s: %s: step takes either every_epochs and factor, or boundaries and values; %s", where, section,
                   s->every_epochs > 0 ? "take one of them out" : "neither is set");
  if (s->values.count != (s->boundaries.count > 0 ? s->boundaries.count + 1 : 0))
    return um_fail(err, UM_ECONFIG, "%s: %s.values: expected one more than the %d boundaries, got %d", where, section, s->boundaries.count,
                   s->values.count);
  return UM_OK;
}

/* ---- phases ---- */

static const struct {
  const char *name, *key; /* in a phase, and in the whole config */
} members[] = {
    {"epochs", "epochs"}, {"trainable", "model.trainable"}, {"learning_rate", "optimizer.learning_rate"}, {"learning_rate_schedule", NULL}};
enum { MEMBERS = sizeof members / sizeof *members };

static int unknown_member(const char *where, const char *name, um_error *err) {
  const char *names[MEMBERS];
  for (int i = 0; i < MEMBERS; i++) names[i] = members[i].name;
  const char *near = um_nearest(name, names, MEMBERS);
  return um_fail(err, UM_ECONFIG, "%s: %.60s: unknown key%s%s%s", where, name, near ? "; did you mean " : ": expected epochs, trainable, ",
                 near ? near : "learning_rate or learning_rate_schedule", near ? "?" : "");
}

/* A schedule in a phase is a whole one: nothing of the config's remains. */
static int read_schedule(um_config *c, const cJSON *phase, const cJSON *item, const um_config_source *s, um_error *err) {
  int status = um_config_defaults(c, item->string, err);
  if (status || cJSON_IsNull(item)) return status;
  if (!cJSON_IsObject(item)) {
    char got[96];
    return um_fail(err, UM_ECONFIG, "%s: %s: expected an object { ... } or null, got %s", s->name, item->string,
                   um_json_brief(item, got, sizeof got));
  }
  status = um_config_read_object(c, item, item->string, s, err);
  return status ? status : um_config_check_applies(c, phase, item->string, s, err);
}

/* *given gets whether the phase says how long it is. */
static int read_phase(um_phase *p, bool *given, const um_config *defaults, const cJSON *phase, const char *where, um_error *err) {
  const um_config_source source = {.name = where};
  um_config c = *defaults; /* a copy to read into; only values of the phase are taken from it */
  char got[96], at[1500];
  int status;
  if (!cJSON_IsObject(phase))
    return um_fail(err, UM_ECONFIG, "%s: expected an object such as {\"epochs\": 2, \"trainable\": \"head\"}, got %s", where,
                   um_json_brief(phase, got, sizeof got));
  *given = false;
  for (const cJSON *item = phase->child; item; item = item->next) {
    int m = 0;
    while (m < MEMBERS && strcmp(members[m].name, item->string) != 0) m++;
    if (m == MEMBERS) return unknown_member(where, item->string, err);
    for (const cJSON *other = phase->child; other != item; other = other->next)
      if (strcmp(other->string, item->string) == 0) return um_fail(err, UM_ECONFIG, "%s: %s: stands there twice", where, item->string);
    snprintf(at, sizeof at, "%s: %s", where, item->string);
    status = members[m].key ? um_key_read(&c, um_key_find(members[m].key), item, at, err) : read_schedule(&c, phase, item, &source, err);
    if (status) return status;
    if (m == 0) *given = true;
  }
  *p = (um_phase){.epochs = *given ? c.epochs : 0, .learning_rate = c.optimizer.learning_rate, .schedule = c.schedule};
  memcpy(p->trainable, c.trainable, sizeof p->trainable);
  return UM_OK;
}

/* All have a length but the last, which may leave it to `epochs`. */
static int share_epochs(um_config *c, bool last_given, bool total_given, const char *where, um_error *err) {
  um_phase *last = &c->phase[c->phases - 1];
  int64_t before = 0;
  for (int i = 0; i + 1 < c->phases; i++) before += c->phase[i].epochs;
  if (!last_given) {
    if (before >= c->epochs)
      return um_fail(err, UM_ECONFIG, "%s: epochs: %d, but the phases before the last take %lld; expected more", where, c->epochs,
                     (long long)before);
    last->epochs = c->epochs - (int)before;
    return UM_OK;
  }
  const int64_t sum = before + last->epochs;
  if (sum > 1000000) return um_fail(err, UM_ECONFIG, "%s: phases: %lld epochs in all, expected at most 1000000", where, (long long)sum);
  if (total_given && c->epochs != sum)
    return um_fail(err, UM_ECONFIG, "%s: epochs: %d, but the phases add up to %lld; take epochs out of the config or of the last phase",
                   where, c->epochs, (long long)sum);
  c->epochs = (int)sum;
  return UM_OK;
}

int um_course_read(um_config *c, const cJSON *root, const um_config_source *s, um_error *err) {
  const cJSON *phases = cJSON_GetObjectItemCaseSensitive(root, "phases"), *item;
  const char *from = um_config_where(s, "phases");
  bool given = false;
  char where[1400];
  int status;

  if (c->class_weight.mode == UM_CLASS_WEIGHT_BALANCED && c->data.sampling == UM_SAMPLING_BALANCED)
    return um_fail(
        err, UM_ECONFIG,
        "%s: class_weight and data.sampling: both are balanced, which would count the smaller class twice over; take one of them out",
        um_config_where(s, "class_weight"));
  c->phases_given = cJSON_IsArray(phases);
  if (!c->phases_given) {
    c->phases = 1;
    c->phase[0] = (um_phase){.epochs = c->epochs, .learning_rate = c->optimizer.learning_rate, .schedule = c->schedule};
    memcpy(c->phase[0].trainable, c->trainable, sizeof c->trainable);
    return um_schedule_check(&c->schedule, c->epochs, um_config_where(s, "learning_rate_schedule"), err);
  }
  c->phases = 0;
  cJSON_ArrayForEach(item, phases) {
    snprintf(where, sizeof where, "%s: phases[%d]", from, c->phases);
    if ((status = read_phase(&c->phase[c->phases], &given, c, item, where, err))) return status;
    if (!given && item->next) return um_fail(err, UM_ECONFIG, "%s: epochs: not set; only the last phase may leave it out", where);
    c->phases++;
  }
  if ((status = share_epochs(c, given, cJSON_GetObjectItemCaseSensitive(root, "epochs") != NULL, from, err))) return status;
  for (int i = 0; i < c->phases; i++) {
    snprintf(where, sizeof where, "%s: phases[%d]", from, i);
    if ((status = um_schedule_check(&c->phase[i].schedule, c->phase[i].epochs, where, err))) return status;
  }
  return UM_OK;
}

/* Every key of the section that applies. */
static bool add_schedule(cJSON *to, const um_config *c) {
  static const char section[] = "learning_rate_schedule";
  const size_t n = sizeof section - 1;
  cJSON *object = cJSON_AddObjectToObject(to, section);
  bool ok = object != NULL;
  for (int i = 0; ok && i < um_keys_count; i++) {
    const um_key *k = &um_keys[i];
    if (strncmp(k->name, section, n) != 0 || k->name[n] != '.' || !um_key_applies(k, c)) continue;
    cJSON *value = um_key_write(c, k);
    ok = value && cJSON_AddItemToObject(object, k->name + n + 1, value);
    if (!ok) cJSON_Delete(value);
  }
  return ok;
}

/* The last one without its length: that is what epochs leaves, so that a run can be extended. */
cJSON *um_phases_write(const um_config *c) {
  if (!c->phases_given) return cJSON_CreateNull();
  cJSON *list = cJSON_CreateArray();
  bool ok = list != NULL;
  for (int i = 0; ok && i < c->phases; i++) {
    um_config part = *c;
    cJSON *o = cJSON_CreateObject();
    part.schedule = c->phase[i].schedule;
    ok = o && cJSON_AddItemToArray(list, o);
    if (!ok) cJSON_Delete(o);
    if (ok && i + 1 < c->phases) ok = cJSON_AddNumberToObject(o, "epochs", c->phase[i].epochs);
    ok = ok && cJSON_AddStringToObject(o, "trainable", c->phase[i].trainable) &&
         cJSON_AddNumberToObject(o, "learning_rate", c->phase[i].learning_rate) && add_schedule(o, &part);
  }
  if (ok) return list;
  cJSON_Delete(list);
  return NULL;
}

/* ---- weights of the classes ---- */

bool um_class_weight_read(um_class_weight *w, const cJSON *value) {
  *w = (um_class_weight){.mode = UM_CLASS_WEIGHT_NONE, .weight = {1, 1}};
  if (cJSON_IsNull(value)) return true;
  if (cJSON_IsString(value)) {
    w->mode = UM_CLASS_WEIGHT_BALANCED;
    return strcmp(value->valuestring, "balanced") == 0;
  }
  if (!cJSON_IsObject(value) || cJSON_GetArraySize(value) != 2) return false;
  w->mode = UM_CLASS_WEIGHT_GIVEN;
  const bool turned = strcmp(value->child->string, value->child->next->string) > 0;
  int i = turned;
  for (const cJSON *item = value->child; item; item = item->next, i = !i) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble > 0 && item->valuedouble <= 1e6) || !item->string[0]) return false;
    if (snprintf(w->name[i], sizeof w->name[i], "%s", item->string) >= (int)sizeof w->name[i]) return false;
    w->weight[i] = item->valuedouble;
  }
  return strcmp(w->name[0], w->name[1]) != 0;
}

cJSON *um_class_weight_write(const um_class_weight *w) {
  if (w->mode == UM_CLASS_WEIGHT_NONE) return cJSON_CreateNull();
  if (w->mode == UM_CLASS_WEIGHT_BALANCED) return cJSON_CreateString("balanced");
  cJSON *o = cJSON_CreateObject();
  if (o && cJSON_AddNumberToObject(o, w->name[0], w->weight[0]) && cJSON_AddNumberToObject(o, w->name[1], w->weight[1])) return o;
  cJSON_Delete(o);
  return NULL;
}

int um_config_class_weights(double weight[2], const um_config *c, const char *const name[2], const int count[2], um_error *err) {
  const um_class_weight *w = &c->class_weight;
  for (int i = 0; i < 2; i++) {
    weight[i] = 1;
    if (w->mode == UM_CLASS_WEIGHT_BALANCED) weight[i] = ((double)count[0] + count[1]) / (2.0 * count[i]);
    if (w->mode != UM_CLASS_WEIGHT_GIVEN) continue;
    int k = 0;
    while (k < 2 && strcmp(w->name[k], name[i]) != 0) k++;
    if (k == 2)
      return um_fail(err, UM_ECONFIG, "class_weight: its classes are %s and %s, expected %s and %s, as the class folders are called",
                     w->name[0], w->name[1], name[0], name[1]);
    weight[i] = w->weight[k];
  }
  return UM_OK;
}
