/* cuDNN's graph API (the "backend" functions of version 9): attribute by attribute, as its reference lists them. See cudnn_graph.h. */
#ifdef UM_HAVE_CUDNN
#include "cuda/cudnn_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int um_cudnn_check(const um_cudnn *c, cudnnStatus_t s, um_error *err, const char *what) {
  char words[600] = "";

  if (s == CUDNN_STATUS_SUCCESS) return UM_OK;
  if (c->last_error) c->last_error(words, sizeof words);
  words[sizeof words - 1] = 0;
  for (char *p = words; *p; p++)
    if (*p == '\n') *p = ' ';
  return um_fail(err, s / 1000 == 3 ? UM_EUNSUPPORTED : UM_EINTERNAL, "cudnn: %s: %s (%d)%s%s", what, c->error_string(s), (int)s,
                 words[0] ? ": " : "", words);
}

/* ---- building a graph ---- */

um_cudnn_graph *um_cudnn_graph_new(um_cudnn *c) {
  um_cudnn_graph *b = calloc(1, sizeof *b);

  if (!b) return NULL;
  b->c = c;
  b->users = 1;
  return b;
}

void um_cudnn_graph_release(um_cudnn_graph *b) {
  if (!b || --b->users > 0) return;
  while (b->parts > 0) b->c->destroy_descriptor(b->part[--b->parts]); /* what uses others goes first */
  free(b);
}

cudnnBackendDescriptor_t um_cudnn_part(um_cudnn_graph *b, cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t d = NULL;

  if (b->error.code != UM_OK) return NULL;
  if (b->parts == UM_CUDNN_PARTS)
    um_fail(&b->error, UM_EINTERNAL, "cudnn: a graph of more than %d descriptors", UM_CUDNN_PARTS);
  else if (um_cudnn_check(b->c, b->c->create_descriptor(type, &d), &b->error, "descriptor") == UM_OK)
    b->part[b->parts++] = d;
  return d;
}

void um_cudnn_set(um_cudnn_graph *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  int64_t count, const void *value) {
  char what[32];

  if (b->error.code != UM_OK) return;
  snprintf(what, sizeof what, "attribute %d", (int)name);
  um_cudnn_check(b->c, b->c->set(d, name, type, count, value), &b->error, what);
}

void um_cudnn_set_int(um_cudnn_graph *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, int64_t value) {
  um_cudnn_set(b, d, name, CUDNN_TYPE_INT64, 1, &value);
}

void um_cudnn_set_part(um_cudnn_graph *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part) {
  um_cudnn_set(b, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

void um_cudnn_finish(um_cudnn_graph *b, cudnnBackendDescriptor_t d, const char *what) {
  if (b->error.code == UM_OK) um_cudnn_check(b->c, b->c->finalize(d), &b->error, what);
}

cudnnBackendDescriptor_t um_cudnn_tensor(um_cudnn_graph *b, int64_t id, cudnnDataType_t type, int64_t n, int64_t c, int64_t h, int64_t w,
                                         bool in_memory) {
  cudnnBackendDescriptor_t d = um_cudnn_part(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const int64_t size[4] = {n, c, h, w}, stride[4] = {h * w * c, 1, w * c, c};
  const bool is_virtual = !in_memory;

  um_cudnn_set_int(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
  um_cudnn_set(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  um_cudnn_set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
  um_cudnn_set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
  um_cudnn_set_int(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
  um_cudnn_set(b, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
  um_cudnn_finish(b, d, "tensor");
  return d;
}

void um_cudnn_operation(um_cudnn_graph *b, cudnnBackendDescriptor_t operation, const char *what) {
  um_cudnn_finish(b, operation, what);
  if (b->error.code != UM_OK) return;
  if (b->operations == (int)(sizeof b->operation / sizeof *b->operation))
    um_fail(&b->error, UM_EINTERNAL, "cudnn: too many operations in a graph");
  else
    b->operation[b->operations++] = operation;
}

void um_cudnn_pointwise(um_cudnn_graph *b, cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t with,
                        cudnnBackendDescriptor_t y) {
  const cudnnDataType_t f32 = CUDNN_DATA_FLOAT;
  cudnnBackendDescriptor_t how = um_cudnn_part(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR), op;

  um_cudnn_set(b, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
  um_cudnn_set(b, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &f32);
  um_cudnn_finish(b, how, "pointwise");
  op = um_cudnn_part(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  um_cudnn_set_part(b, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
  um_cudnn_set_part(b, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (with) um_cudnn_set_part(b, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, with);
  um_cudnn_set_part(b, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  um_cudnn_operation(b, op, "pointwise operation");
}

int um_cudnn_close_graph(um_cudnn_graph *b, um_error *err) {
  cudnnBackendDescriptor_t g = um_cudnn_part(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);

  if (b->c->handle) um_cudnn_set(b, g, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &b->c->handle);
  um_cudnn_set(b, g, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, b->operations, b->operation);
  um_cudnn_finish(b, g, "graph");
  b->graph = g;
  return b->error.code == UM_OK ? UM_OK : um_fail(err, b->error.code, "%s", b->error.text);
}

/* ---- engines ---- */

enum { KNOBS = 44, NOTES = 16, RESULTS = 24 };

/* The described device goes where a real one is known by its handle. */
static bool set_device(const um_cudnn *c, cudnnBackendDescriptor_t d, int name) {
  return !c->device || c->set(d, (cudnnBackendAttributeName_t)name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &c->device) == CUDNN_STATUS_SUCCESS;
}

#if CUDNN_VERSION >= 90800
enum {
  HEURISTIC_DEVICE = CUDNN_ATTR_ENGINEHEUR_DEVICEPROP,
  ENGINE_DEVICE = CUDNN_ATTR_ENGINE_DEVICEPROP,
  PLAN_DEVICE = CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP
};
#else
enum { HEURISTIC_DEVICE = 204, ENGINE_DEVICE = 1307, PLAN_DEVICE = 407 };
#endif

void um_cudnn_plan_free(void *plan) {
  um_cudnn_plan *p = plan;

  if (!p) return;
  if (p->plan) p->graph->c->destroy_descriptor(p->plan);
  if (p->config) p->graph->c->destroy_descriptor(p->config);
  um_cudnn_graph_release(p->graph);
  free(p);
}

/* What an engine's notes rule out. */
static bool suits(const um_cudnn *c, cudnnBackendDescriptor_t engine, const um_cudnn_wish *wish, bool *compiled) {
  cudnnBackendNumericalNote_t note[NOTES];
  cudnnBackendBehaviorNote_t behaviour[NOTES];
  int64_t n = 0;

  *compiled = false;
  if (c->get(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, NOTES, &n, note) != CUDNN_STATUS_SUCCESS) return false;
  for (int64_t i = 0; i < n && i < NOTES; i++) {
    switch (note[i]) {
    case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
    case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
    case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
    case CUDNN_NUMERICAL_NOTE_FFT:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13: return false;
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
      if (!wish->tensor_cores) return false;
      break;
    default: break;
    }
  }
  n = 0;
  if (c->get(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, NOTES, &n, behaviour) != CUDNN_STATUS_SUCCESS) n = 0;
  for (int64_t i = 0; i < n && i < NOTES; i++)
    if (behaviour[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) *compiled = true;
  return true;
}

/* Descriptors to read others into; false (and none) where that fails. */
static bool make_all(const um_cudnn *c, cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *d, int n) {
  for (int i = 0; i < n; i++) {
    if (c->create_descriptor(type, &d[i]) == CUDNN_STATUS_SUCCESS) continue;
    while (i > 0) c->destroy_descriptor(d[--i]);
    return false;
  }
  return true;
}

static void destroy_all(const um_cudnn *c, cudnnBackendDescriptor_t *d, int n) {
  for (int i = 0; i < n; i++) c->destroy_descriptor(d[i]);
}

/* The settings of a configuration as text: their values in the order of the engine's settings, " 4.0.1", or, where it names not all of
 * them, with their types, " 24=28". False where they cannot be read or do not fit. */
static bool settings(const um_cudnn *c, cudnnBackendDescriptor_t engine, cudnnBackendDescriptor_t config, char *text, size_t size) {
  cudnnBackendDescriptor_t choice[KNOBS];
  cudnnBackendKnobType_t type;
  int64_t all = 0, n = 0, one, value;
  size_t used = 0;
  bool good;

  if (!make_all(c, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, choice, KNOBS)) return false;
  text[0] = 0;
  if (c->get(engine, CUDNN_ATTR_ENGINE_KNOB_INFO, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &all, NULL) != CUDNN_STATUS_SUCCESS) all = -1;
  good = c->get(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, KNOBS, &n, choice) == CUDNN_STATUS_SUCCESS;
  for (int64_t i = 0; i < n && i < KNOBS && good; i++) {
    good = c->get(choice[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &one, &type) == CUDNN_STATUS_SUCCESS &&
           c->get(choice[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &one, &value) == CUDNN_STATUS_SUCCESS;
    if (good && n != all)
      used += (size_t)snprintf(text + used, size - used, "%c%d=%lld", i ? '.' : ' ', (int)type, (long long)value);
    else if (good)
      used += (size_t)snprintf(text + used, size - used, "%c%lld", i ? '.' : ' ', (long long)value);
    good = good && used < size;
  }
  destroy_all(c, choice, KNOBS);
  return good;
}

/* Takes config, a finished configuration of an engine, as a plan; NULL (and config destroyed) where it does not suit. */
static um_cudnn_plan *take(um_cudnn_graph *b, cudnnBackendDescriptor_t config, const um_cudnn_wish *wish) {
  um_cudnn *c = b->c;
  um_cudnn_plan *p = calloc(1, sizeof *p);
  cudnnBackendDescriptor_t engine = NULL;
  int64_t n = 0, index = -1, workspace = 0;
  char knobs[22] = "";
  bool good = p && make_all(c, CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine, 1);

  if (good) {
    good = c->get(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine) == CUDNN_STATUS_SUCCESS &&
           c->get(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &n, &index) == CUDNN_STATUS_SUCCESS &&
           suits(c, engine, wish, &p->compiled_at_run_time) && settings(c, engine, config, knobs, sizeof knobs);
    c->destroy_descriptor(engine);
  }
  if (!good) {
    c->destroy_descriptor(config);
    free(p);
    return NULL;
  }
  p->graph = b;
  b->users++;
  p->config = config;
  p->engine = (int)index;
  if (snprintf(p->name, sizeof p->name, "%d%s", p->engine, knobs) >= (int)sizeof p->name) {
    um_cudnn_plan_free(p);
    return NULL;
  }
  /* What the configuration says of its workspace is what its plan would; where it says nothing the plan is made now. */
  if (c->get(config, CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &workspace) == CUDNN_STATUS_SUCCESS && workspace >= 0) {
    p->workspace = (size_t)workspace;
    p->sized = true;
  } else if (um_cudnn_plan_build(p, NULL) != UM_OK) {
    um_cudnn_plan_free(p);
    return NULL;
  }
  return p;
}

/* Adds p to the list unless its name is there or the list has enough of its kind. */
static void add(um_cudnn_plan **plan, int *n, um_cudnn_plan *p, int most, int compiled_most) {
  int compiled = 0;
  bool again = false;

  if (!p) return;
  for (int i = 0; i < *n; i++) {
    compiled += plan[i]->compiled_at_run_time;
    again |= strcmp(plan[i]->name, p->name) == 0;
  }
  if (again || *n >= most || (p->compiled_at_run_time && compiled >= compiled_most))
    um_cudnn_plan_free(p);
  else
    plan[(*n)++] = p;
}

/* What the heuristics propose in one mode, at most `most` in all. */
static void propose(um_cudnn_graph *b, cudnnBackendHeurMode_t mode, const um_cudnn_wish *wish, um_cudnn_plan **plan, int *n, int most,
                    int compiled_most) {
  um_cudnn *c = b->c;
  cudnnBackendDescriptor_t h, config[RESULTS];
  int64_t found = 0;

  if (*n >= most || !make_all(c, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &h, 1)) return;
  if (c->set(h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &b->graph) == CUDNN_STATUS_SUCCESS &&
      c->set(h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode) == CUDNN_STATUS_SUCCESS && set_device(c, h, HEURISTIC_DEVICE) &&
      c->finalize(h) == CUDNN_STATUS_SUCCESS && make_all(c, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, config, RESULTS)) {
    if (c->get(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, RESULTS, &found, config) != CUDNN_STATUS_SUCCESS) found = 0;
    for (int64_t i = 0; i < RESULTS; i++) {
      if (i < found && *n < most)
        add(plan, n, take(b, config[i], wish), most, compiled_most);
      else
        c->destroy_descriptor(config[i]);
    }
  }
  c->destroy_descriptor(h);
}

/* Engine `index` with `knobs` settings of the given types (-1: all that it has, in the order of their types) and values, the others as
 * they are by default; NULL where there is no such thing. */
static um_cudnn_plan *configure(um_cudnn_graph *b, int64_t index, const int64_t *kind, const int64_t *value, int knobs,
                                const um_cudnn_wish *wish) {
  um_cudnn *c = b->c;
  cudnnBackendDescriptor_t engine = NULL, config = NULL, info[KNOBS], choice[KNOBS];
  cudnnBackendKnobType_t type[KNOBS];
  int64_t n = 0, one;
  int made = 0;
  bool good, compiled, infos = false;

  if (!make_all(c, CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine, 1)) return NULL;
  good = c->set(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &b->graph) == CUDNN_STATUS_SUCCESS &&
         c->set(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &index) == CUDNN_STATUS_SUCCESS &&
         set_device(c, engine, ENGINE_DEVICE) && c->finalize(engine) == CUDNN_STATUS_SUCCESS && suits(c, engine, wish, &compiled) &&
         make_all(c, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config, 1);
  good = good && c->set(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine) == CUDNN_STATUS_SUCCESS;
  if (good && knobs > 0) {
    for (int i = 0; i < knobs; i++) type[i] = (cudnnBackendKnobType_t)kind[i];
    if (kind[0] < 0) {
      infos = make_all(c, CUDNN_BACKEND_KNOB_INFO_DESCRIPTOR, info, KNOBS);
      good = infos && c->get(engine, CUDNN_ATTR_ENGINE_KNOB_INFO, CUDNN_TYPE_BACKEND_DESCRIPTOR, KNOBS, &n, info) == CUDNN_STATUS_SUCCESS &&
             n == knobs;
    }
    for (int i = 0; i < knobs && good && infos; i++)
      good = c->get(info[i], CUDNN_ATTR_KNOB_INFO_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &one, &type[i]) == CUDNN_STATUS_SUCCESS;
    for (int i = 1; i < knobs && good && infos; i++) {
      for (int k = i; k > 0 && type[k - 1] > type[k]; k--) {
        cudnnBackendKnobType_t t = type[k];
        type[k] = type[k - 1];
        type[k - 1] = t;
      }
    }
    for (; made < knobs && good; made++) {
      if (!make_all(c, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &choice[made], 1)) break;
      good = c->set(choice[made], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type[made]) == CUDNN_STATUS_SUCCESS &&
             c->set(choice[made], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &value[made]) == CUDNN_STATUS_SUCCESS &&
             c->finalize(choice[made]) == CUDNN_STATUS_SUCCESS;
    }
    good = good && made == knobs &&
           c->set(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, knobs, choice) == CUDNN_STATUS_SUCCESS;
  }
  good = good && c->finalize(config) == CUDNN_STATUS_SUCCESS;
  destroy_all(c, choice, made);
  if (infos) destroy_all(c, info, KNOBS);
  c->destroy_descriptor(engine);
  if (good) return take(b, config, wish);
  if (config) c->destroy_descriptor(config);
  return NULL;
}

int um_cudnn_plans(um_cudnn_graph *b, const um_cudnn_wish *wish, um_cudnn_plan **plan) {
  const int most = wish->most;
  int64_t engines = 0, one;
  int n = 0;

  if (most <= 0) return 0;
  /* Engines that are compiled when they are planned only where no other one was proposed before. */
  propose(b, CUDNN_HEUR_MODE_A, wish, plan, &n, most - most / 3, wish->compiled);
  propose(b, CUDNN_HEUR_MODE_B, wish, plan, &n, most, n ? 0 : wish->compiled);
  /* Heuristics know little of engines without tensor cores; each has few settings, so the default ones are tried. */
  if (!wish->tensor_cores &&
      b->c->get(b->graph, CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT, CUDNN_TYPE_INT64, 1, &one, &engines) == CUDNN_STATUS_SUCCESS) {
    for (int64_t i = engines - 1; i > 0 && n < most; i--) add(plan, &n, configure(b, i, NULL, NULL, 0, wish), most, n ? 0 : wish->compiled);
  }
  if (n == 0) propose(b, CUDNN_HEUR_MODE_FALLBACK, wish, plan, &n, most < 2 ? most : 2, wish->compiled);
  return n;
}

um_cudnn_plan *um_cudnn_plan_named(um_cudnn_graph *b, const um_cudnn_wish *wish, const char *name) {
  um_cudnn_plan *p;
  int64_t kind[KNOBS], value[KNOBS];
  int knobs = 0;
  char *end;
  long index = strtol(name, &end, 10);

  if (end == name || index < 0 || index > 10000) return NULL;
  while (*end && knobs < KNOBS) {
    const char *from = end + 1;
    if (*end != (knobs ? '.' : ' ')) return NULL;
    kind[knobs] = -1;
    value[knobs] = strtoll(from, &end, 10);
    if (end != from && *end == '=') {
      kind[knobs] = value[knobs];
      from = end + 1;
      value[knobs] = strtoll(from, &end, 10);
    }
    if (end == from || (knobs && (kind[knobs] < 0) != (kind[0] < 0))) return NULL;
    knobs++;
  }
  if (*end) return NULL;
  p = configure(b, index, kind, value, knobs, wish);
  if (p && strcmp(p->name, name) != 0) {
    um_cudnn_plan_free(p);
    return NULL;
  }
  return p;
}

/* ---- plans ---- */

int um_cudnn_plan_build(um_cudnn_plan *p, um_error *err) {
  um_cudnn *c = p->graph->c;
  cudnnBackendDescriptor_t d = NULL;
  int64_t n = 0, workspace = 0;
  int status;

  if (p->plan) return UM_OK;
  status = um_cudnn_check(c, c->create_descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &d), err, "plan");
  if (status != UM_OK) return status;
  if (c->handle) status = um_cudnn_check(c, c->set(d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &c->handle), err, "plan");
  if (status == UM_OK)
    status =
        um_cudnn_check(c, c->set(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &p->config), err, "plan");
  if (status == UM_OK && !set_device(c, d, PLAN_DEVICE)) status = um_fail(err, UM_EUNSUPPORTED, "cudnn: no plans for described devices");
  if (status == UM_OK) status = um_cudnn_check(c, c->finalize(d), err, "plan");
  if (status == UM_OK)
    status = um_cudnn_check(c, c->get(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &workspace), err, "workspace");
  /* The scratch of the op was sized by what the configuration said. */
  if (status == UM_OK && p->sized && (size_t)workspace > p->workspace)
    status =
        um_fail(err, UM_EINTERNAL, "cudnn: engine %s: %lld bytes of workspace, had said %zu", p->name, (long long)workspace, p->workspace);
  if (status != UM_OK) {
    c->destroy_descriptor(d);
    return status;
  }
  if (!p->sized) p->workspace = (size_t)workspace;
  p->sized = true;
  p->plan = d;
  return UM_OK;
}

int um_cudnn_plan_run(um_cudnn_plan *p, int n, const int64_t *id, void *const *data, void *workspace, cudaStream_t stream, um_error *err) {
  um_cudnn *c = p->graph->c;
  cudnnBackendDescriptor_t pack = NULL;
  int status;

  if (!c->handle) return um_fail(err, UM_EUNSUPPORTED, "cudnn: a described device cannot compute");
  status = um_cudnn_plan_build(p, err);
  if (status == UM_OK) status = um_cudnn_check(c, c->set_stream(c->handle, stream), err, "stream");
  if (status != UM_OK) return status;
  status = um_cudnn_check(c, c->create_descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack), err, "arguments");
  if (status != UM_OK) return status;
  if (status == UM_OK)
    status = um_cudnn_check(c, c->set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id), err, "arguments");
  if (status == UM_OK)
    status = um_cudnn_check(c, c->set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, data), err, "arguments");
  if (status == UM_OK)
    status = um_cudnn_check(c, c->set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace), err, "arguments");
  if (status == UM_OK) status = um_cudnn_check(c, c->finalize(pack), err, "arguments");
  if (status == UM_OK) status = um_cudnn_check(c, c->execute(c->handle, p->plan, pack), err, p->name);
  c->destroy_descriptor(pack);
  return status;
}

#else
/* Built without cuDNN: cudnn.c says so. A file must not be empty in C. */
typedef int um_cudnn_graph_is_not_built;
#endif
