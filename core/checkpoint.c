#include "core/json.h"
#include "core/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"

#define FORMAT         "unmask model"
#define FORMAT_VERSION "1"

/* Enumerations in files are words. */
static const char *const interpolations[] = {"nearest", "bilinear"};
static const char *const preprocessings[] = {"none", "caffe"};
/* The optimizer's states: bit i of um_position.states, um_model_get's letter, the tensors' prefix. */
static const struct {
  char which;
  const char *prefix;
} states[] = {{'m', "optimizer/m/"}, {'v', "optimizer/v/"}};

void um_preprocess_warp(um_warp *how, const um_preprocess *p) {
  /* keras.applications.imagenet_utils, mode "caffe": blue, green, red. */
  static const float mean[3] = {103.939f, 116.779f, 123.68f};
  memset(how, 0, sizeof *how);
  how->fill = UM_FILL_NEAREST;
  how->scale = (float)p->rescale;
  if (p->preprocessing != UM_PREPROCESS_CAFFE) return;
  how->scale = 1;
  how->bgr = true;
  memcpy(how->mean, mean, sizeof mean);
}

um_scoring um_preprocess_scoring(const um_preprocess *p) {
  um_scoring rule = p->scoring;
  if (p->faces.choice != UM_FACES_ALL) rule.together = true;
  return rule;
}

int um_preprocess_fake(const um_preprocess *p) {
  for (int i = 0; i < 2; i++)
    if (!strcasecmp(p->classes[i], "fake") || !strcasecmp(p->classes[1 - i], "real")) return i;
  return -1;
}

/* One tensor of the file: a parameter, or a state of it. */
typedef struct item {
  char which;
  int index;
  char name[UM_NAME_MAX + 40];
} item;

/* What a file of this model holds; malloc'd. */
static item *list_items(const um_model *m, unsigned with_states, int *count, um_error *err) {
  int params;
  const um_param *p = um_model_params(m, &params);
  item *list = calloc((size_t)params * 3 + 1, sizeof *list);
  *count = 0;
  if (!list) {
    um_fail(err, UM_ENOMEM, "no memory for a list of %d tensors", params * 3);
    return NULL;
  }
  for (int i = 0; i < params; i++) {
    item *w = &list[(*count)++];
    w->which = 'w', w->index = i;
    snprintf(w->name, sizeof w->name, "%s", p[i].name);
  }
  for (int s = 0; s < 2; s++)
    for (int i = 0; i < params && (with_states & 1u << s); i++) {
      if (!p[i].trainable) continue;
      item *v = &list[(*count)++];
      v->which = states[s].which, v->index = i;
      snprintf(v->name, sizeof v->name, "%s%s", states[s].prefix, p[i].name);
    }
  return list;
}

/* A model that is not calibrated says nothing of it, and its file is as those that were written before there was calibration. */
static bool put_calibration(cJSON *o, const um_calibration *c) {
  if (c->method == UM_CALIBRATION_NONE && !c->band) return true;
  cJSON *member = cJSON_AddObjectToObject(o, "calibration");
  return member && um_calibration_put(member, c);
}

bool um_preprocess_put(cJSON *o, const um_preprocess *p) {
  cJSON *scoring, *size = cJSON_CreateIntArray(p->target_size, 2);
  if (!size || !cJSON_AddItemToObject(o, "target_size", size)) {
    cJSON_Delete(size);
    return false;
  }
  return cJSON_AddStringToObject(o, "interpolation", interpolations[p->interpolation]) &&
         cJSON_AddNumberToObject(o, "rescale", p->rescale) &&
         cJSON_AddStringToObject(o, "preprocessing", preprocessings[p->preprocessing]) &&
         cJSON_AddStringToObject(o, "channels", p->preprocessing == UM_PREPROCESS_CAFFE ? "BGR" : "RGB") &&
         um_face_settings_put(o, &p->faces) && (scoring = cJSON_AddObjectToObject(o, "scoring")) && um_scoring_put(scoring, &p->scoring) &&
         put_calibration(o, &p->calibration);
}

char *um_preprocess_text(const um_preprocess *p) {
  cJSON *o = cJSON_CreateObject();
  char *text = o && um_preprocess_put(o, p) ? um_json_print(o, false) : NULL;
  cJSON_Delete(o);
  return text;
}

char *um_classes_text(const um_preprocess *p) {
  const char *const names[2] = {p->classes[0], p->classes[1]};
  cJSON *o = cJSON_CreateStringArray(names, 2);
  char *text = o ? um_json_print(o, false) : NULL;
  cJSON_Delete(o);
  return text;
}

/* Doubles as hexadecimal text: exact, infinities included. */
static bool add_double(cJSON *o, const char *key, double value) {
  char hex[48];
  snprintf(hex, sizeof hex, "%a", value);
  return cJSON_AddStringToObject(o, key, hex) != NULL;
}

static bool add_watch(cJSON *o, const char *key, const um_watch *w) {
  cJSON *to = cJSON_AddObjectToObject(o, key);
  return to && add_double(to, "best", w->best) && cJSON_AddNumberToObject(to, "wait", w->wait) &&
         cJSON_AddNumberToObject(to, "cooldown", w->cooldown);
}

static char *position_text(const um_position *p) {
  cJSON *o = cJSON_CreateObject();
  char *text = NULL;
  if (o && cJSON_AddNumberToObject(o, "epoch", p->epoch) && cJSON_AddNumberToObject(o, "batch", p->batch) &&
      cJSON_AddNumberToObject(o, "step", (double)p->step) && add_double(o, "loss_sum", p->loss_sum) &&
      cJSON_AddNumberToObject(o, "samples", (double)p->samples) && cJSON_AddNumberToObject(o, "correct", (double)p->correct) &&
      add_double(o, "best", p->best) && cJSON_AddNumberToObject(o, "best_epoch", p->best_epoch) && add_double(o, "seconds", p->seconds) &&
      cJSON_AddNumberToObject(o, "states", p->states) && cJSON_AddNumberToObject(o, "phase", p->phase) &&
      cJSON_AddNumberToObject(o, "phase_epoch", p->phase_epoch) && cJSON_AddNumberToObject(o, "before", (double)p->before) &&
      add_double(o, "rate", p->rate) && add_watch(o, "plateau", &p->plateau) && add_watch(o, "stopping", &p->stopping) &&
      cJSON_AddStringToObject(o, "data", p->data))
    text = cJSON_PrintUnformatted(o);
  cJSON_Delete(o);
  return text;
}

typedef struct fetcher {
  um_model *m;
  const item *list;
  const um_param *param;
  const char *path;
} fetcher;

static int fetch(void *arg, int i, void *data, um_error *err) {
  const fetcher *f = arg;
  const item *it = &f->list[i];
  const float *value = data;
  int64_t n = um_tensor_count(&f->param[it->index].plain);
  int status = um_model_get(f->m, it->which, it->index, data, err);
  if (status) return status;
  for (int64_t k = 0; k < n; k++)
    if (!isfinite(value[k]))
      return um_fail(err, UM_ENUMERIC, "%s: not written: %s holds %g, not a finite number", f->path, it->name, (double)value[k]);
  return UM_OK;
}

/* What a fingerprint covers: three texts, then the parameters' names and numbers in the order of their names in the file. */
static void begin_fingerprint(um_digest *d, const char *graph, const char *classes, const char *preprocessing) {
  const char *const text[] = {graph, classes, preprocessing};
  um_sha256_begin(d);
  for (int i = 0; i < 3; i++) um_digest_add(d, text[i], strlen(text[i]) + 1);
}

static void add_tensor(um_digest *d, const char *name, const um_tensor *t, const void *data) {
  um_digest_add(d, name, strlen(name) + 1);
  um_digest_add(d, data, (size_t)um_tensor_count(t) * um_dtype_size(t->dtype));
}

/* Of the first `params` of the list: the parameters, in the order in which they will lie in the file. */
static int fingerprint_model(char hex[65], fetcher *f, int params, const char *graph, const char *classes, const char *preprocessing,
                             um_error *err) {
  um_digest d;
  size_t largest = 1;
  for (int i = 0; i < params; i++)
    if (f->param[i].plain.bytes > largest) largest = f->param[i].plain.bytes;
  void *values = malloc(largest);
  int status = values ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes", f->path, largest);
  begin_fingerprint(&d, graph, classes, preprocessing);
  for (int i = 0; i < params && !status; i++) {
    status = fetch(f, i, values, err);
    if (!status) add_tensor(&d, f->list[i].name, &f->param[f->list[i].index].plain, values);
  }
  free(values);
  um_sha256_end(&d, hex);
  return status;
}

int um_checkpoint_verify(const um_st *st, char *hex, const char *path, um_error *err) {
  const char *graph = um_st_metadata(st, "graph"), *classes = um_st_metadata(st, "classes"),
             *preprocessing = um_st_metadata(st, "preprocessing"), *said = um_st_metadata(st, "fingerprint");
  char found[65];
  um_digest d;
  if (!graph || !classes || !preprocessing) return um_fail(err, UM_EFORMAT, "%s: no model of unmask", path);
  begin_fingerprint(&d, graph, classes, preprocessing);
  for (int i = 0; i < um_st_count(st); i++) {
    const um_st_entry *e = um_st_at(st, i);
    if (strncmp(e->name, "optimizer/", 10) != 0) add_tensor(&d, e->name, &e->tensor, e->tensor.data);
  }
  um_sha256_end(&d, found);
  if (hex) memcpy(hex, found, sizeof found);
  if (!said || strcmp(said, found) == 0) return UM_OK;
  return um_fail(err, UM_EFORMAT,
                 "%s: its contents are not what its fingerprint stands for: damaged, or changed by hand; copy the file again", path);
}

int um_checkpoint_save(const char *path, um_model *m, const um_preprocess *p, const um_position *position, um_error *err) {
  int count = 0, params, status = UM_OK;
  item *list = list_items(m, position ? position->states : 0, &count, err);
  um_st_entry *entry = NULL;
  char hex[65], *graph = NULL, *preprocess = um_preprocess_text(p), *classes = um_classes_text(p),
                *where = position ? position_text(position) : NULL;
  const um_param *param = um_model_params(m, &params);

  if (!list) {
    status = UM_ENOMEM;
    goto done;
  }
  entry = calloc((size_t)count + 1, sizeof *entry);
  if (!entry || !preprocess || !classes || (position && !where)) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for the metadata", path);
    goto done;
  }
  if ((status = um_graph_to_json(um_model_graph(m), &graph, err))) goto done;
  for (int i = 0; i < count; i++) {
    entry[i].name = list[i].name;
    entry[i].tensor = param[list[i].index].plain;
    entry[i].tensor.dtype = UM_F32;
  }
  fetcher f = {m, list, param, path};
  if ((status = fingerprint_model(hex, &f, params, graph, classes, preprocess, err))) goto done;
  const char *metadata[] = {
      "format",      FORMAT, "format_version", FORMAT_VERSION, "graph", graph, "classes", classes, "preprocessing", preprocess,
      "fingerprint", hex,    "position",       where,          NULL,    NULL};
  if (!position) metadata[12] = NULL;
  status = um_st_write_from(path, entry, count, metadata, fetch, &f, err);
done:
  free(graph);
  free(preprocess);
  free(classes);
  free(where);
  free(entry);
  free(list);
  return status;
}

/* Members of an object from a file; false where one is missing or of another kind. */
bool um_preprocess_get(um_preprocess *p, const cJSON *o) {
  const cJSON *size = cJSON_GetObjectItemCaseSensitive(o, "target_size");
  int interpolation = 0, preprocessing = 0;
  bool ok = cJSON_IsArray(size) && cJSON_GetArraySize(size) == 2;
  for (int i = 0; ok && i < 2; i++) {
    const cJSON *v = cJSON_GetArrayItem(size, i);
    ok = cJSON_IsNumber(v) && v->valuedouble >= 1 && v->valuedouble <= 65536 && floor(v->valuedouble) == v->valuedouble;
    if (ok) p->target_size[i] = (int)v->valuedouble;
  }
  ok = ok && um_json_word(o, "interpolation", interpolations, 2, &interpolation) &&
       um_json_word(o, "preprocessing", preprocessings, 2, &preprocessing) && um_json_number(o, "rescale", 1e-30, 1e30, &p->rescale) &&
       um_face_settings_get(&p->faces, o) && (!cJSON_HasObjectItem(o, "scoring") || cJSON_IsObject(cJSON_GetObjectItem(o, "scoring"))) &&
       um_scoring_get(&p->scoring, cJSON_GetObjectItem(o, "scoring")) &&
       um_calibration_get(&p->calibration, cJSON_GetObjectItemCaseSensitive(o, "calibration"));
  p->interpolation = interpolation;
  p->preprocessing = preprocessing;
  return ok;
}

bool um_preprocess_parse(um_preprocess *p, const char *text) {
  cJSON *o = text ? cJSON_Parse(text) : NULL;
  const bool ok = um_preprocess_get(p, o);
  cJSON_Delete(o);
  return ok;
}

bool um_classes_parse(um_preprocess *p, const char *text) {
  cJSON *classes = text ? cJSON_Parse(text) : NULL;
  bool ok = cJSON_IsArray(classes) && cJSON_GetArraySize(classes) == 2;
  for (int i = 0; ok && i < 2; i++) {
    const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(classes, i));
    ok = name && snprintf(p->classes[i], sizeof p->classes[i], "%s", name) < (int)sizeof p->classes[i];
  }
  cJSON_Delete(classes);
  return ok;
}

static int read_preprocess(um_preprocess *p, const um_st *st, const char *path, um_error *err) {
  memset(p, 0, sizeof *p);
  if (um_preprocess_parse(p, um_st_metadata(st, "preprocessing")) && um_classes_parse(p, um_st_metadata(st, "classes"))) return UM_OK;
  return um_fail(err, UM_EFORMAT, "%s: its preprocessing or its classes cannot be understood", path);
}

int um_checkpoint_open(um_st **st, um_graph *g, um_preprocess *p, const char *path, um_error *err) {
  const char *version, *graph;
  int status;

  memset(g, 0, sizeof *g);
  if ((status = um_st_open(st, path, err))) return status;
  version = um_st_metadata(*st, "format_version");
  graph = um_st_metadata(*st, "graph");
  if (!version || !graph)
    status = um_fail(err, UM_EFORMAT, "%s: a safetensors file, but no model of unmask: it says nothing of the model's structure", path);
  else if (strcmp(version, FORMAT_VERSION) != 0)
    status = um_fail(err, UM_EFORMAT, "%s: format version %.20s, expected " FORMAT_VERSION, path, version);
  if (!status) status = read_preprocess(p, *st, path, err);
  if (!status) {
    status = um_graph_from_json(g, graph, err);
    if (status) um_fail_context(err, "%s", path);
  }
  if (!status) {
    const um_node *in = g->count > 0 ? &g->node[0] : NULL;
    if (!in || in->op != UM_OP_INPUT || in->ndim != 3 || in->dim[0] != p->target_size[0] || in->dim[1] != p->target_size[1] ||
        in->dim[2] != 3)
      status =
          um_fail(err, UM_EFORMAT, "%s: its input is not %dx%dx3, as its preprocessing says", path, p->target_size[0], p->target_size[1]);
  }
  if (status) {
    um_graph_free(g);
    um_st_close(*st);
    *st = NULL;
  }
  return status;
}

static bool get_watch(const cJSON *o, const char *key, um_watch *w) {
  const cJSON *from = cJSON_GetObjectItemCaseSensitive(o, key);
  int64_t wait = 0, cooldown = 0;
  const bool ok =
      um_json_exact(from, "best", &w->best) && um_json_int(from, "wait", 0, 1e9, &wait) && um_json_int(from, "cooldown", 0, 1e9, &cooldown);
  w->wait = (int)wait, w->cooldown = (int)cooldown;
  return ok;
}

/* The course of a run; a file written before there were schedules and phases says nothing of it. */
static bool get_course(const cJSON *o, um_position *p) {
  int64_t phase = 0, first = 0;
  p->rate = -1;
  if (!cJSON_HasObjectItem(o, "phase")) return true;
  const bool ok = um_json_int(o, "phase", 0, UM_PHASES_MAX - 1, &phase) && um_json_int(o, "phase_epoch", 0, 1e9, &first) &&
                  um_json_int(o, "before", 0, 9007199254740992.0, &p->before) && um_json_exact(o, "rate", &p->rate) && p->rate >= 0 &&
                  isfinite(p->rate) && get_watch(o, "plateau", &p->plateau) && get_watch(o, "stopping", &p->stopping);
  p->phase = (int)phase, p->phase_epoch = (int)first;
  return ok && p->phase_epoch <= p->epoch;
}

int um_checkpoint_position(um_position *p, const um_st *st, um_error *err) {
  const char *text = um_st_metadata(st, "position");
  cJSON *o;
  const double most = 9007199254740992.0;
  int64_t epoch = 0, batch = 0, best_epoch = 0, with = 0;

  memset(p, 0, sizeof *p);
  if (!text)
    return um_fail(err, UM_EFORMAT, "a model without the state of its training: it can be scored with, or be model.weights of a new run");
  o = cJSON_Parse(text);
  bool ok = um_json_int(o, "epoch", 0, 1e9, &epoch) && um_json_int(o, "batch", 0, 1e9, &batch) &&
            um_json_int(o, "step", 0, most, &p->step) && um_json_exact(o, "loss_sum", &p->loss_sum) &&
            um_json_int(o, "samples", 0, most, &p->samples) && um_json_int(o, "correct", 0, most, &p->correct) &&
            um_json_exact(o, "best", &p->best) && um_json_int(o, "best_epoch", -1, 1e9, &best_epoch) &&
            um_json_exact(o, "seconds", &p->seconds) && um_json_int(o, "states", 0, 3, &with) &&
            um_json_text(o, "data", p->data, sizeof p->data);
  p->epoch = (int)epoch, p->batch = (int)batch, p->best_epoch = (int)best_epoch, p->states = (unsigned)with;
  ok = ok && get_course(o, p);
  cJSON_Delete(o);
  if (!ok) return um_fail(err, UM_EFORMAT, "its position in the run cannot be understood");
  return UM_OK;
}

int um_checkpoint_load(um_model *m, const um_st *st, um_position *position, um_error *err) {
  int count = 0, params, status = UM_OK, used = 0;
  const um_param *param = um_model_params(m, &params);
  item *list = NULL;

  if ((status = um_checkpoint_verify(st, NULL, "the file", err))) return status;
  if (position && (status = um_checkpoint_position(position, st, err))) return status;
  list = list_items(m, position ? position->states : 0, &count, err);
  if (!list) return UM_ENOMEM;
  for (int i = 0; i < count; i++) {
    const um_st_entry *e = um_st_find(st, list[i].name);
    const um_tensor *want = &param[list[i].index].plain;
    char has[64], expected[64];
    if (!e) {
      status = um_fail(err, UM_EFORMAT, "%s: not in the file", list[i].name);
      goto done;
    }
    if (e->tensor.dtype != UM_F32 || !um_tensor_same_shape(&e->tensor, want)) {
      status = um_fail(err, UM_EFORMAT, "%s: %s %s in the file, expected f32 %s", list[i].name, um_dtype_name(e->tensor.dtype),
                       um_tensor_shape_text(&e->tensor, has, sizeof has), um_tensor_shape_text(want, expected, sizeof expected));
      goto done;
    }
    if ((status = um_model_set(m, list[i].which, list[i].index, e->tensor.data, err))) goto done;
    used++;
  }
  /* The rest may be a training state that nobody asked for, and nothing else. */
  for (int i = 0; used < um_st_count(st) && i < um_st_count(st); i++) {
    const char *name = um_st_at(st, i)->name;
    bool known = !position && strncmp(name, "optimizer/", 10) == 0;
    for (int k = 0; !known && k < count; k++) known = strcmp(name, list[k].name) == 0;
    if (!known) {
      status = um_fail(err, UM_EFORMAT, "%.100s: in the file, but not in its model", name);
      goto done;
    }
  }
  if (position) um_model_set_steps(m, position->step);
done:
  free(list);
  return status;
}
