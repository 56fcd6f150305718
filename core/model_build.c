/* From a graph to a program: which op reads what in which layout, in which order, and where it lies. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model_impl.h"

enum { NONE = -1, FAILED = -2 }; /* as indices; FAILED: no memory */
static const int64_t batch_max = 1 << 16;

/* Doubles an array when its count reaches a power of two; false without memory. */
static bool grow(void **array, int count, size_t size) {
  if ((count & (count - 1)) != 0) return true;
  void *grown = realloc(*array, size * (count ? 2 * (size_t)count : 1));
  if (grown) *array = grown;
  return grown != NULL;
}

static int no_memory(um_error *err) { return um_fail(err, UM_ENOMEM, "model: no memory for its plan"); }

/* Each add_* returns an index, or FAILED. */
static int add_storage(um_model *m, size_t bytes) {
  if (!grow((void **)&m->storage, m->storages, sizeof *m->storage)) return FAILED;
  m->storage[m->storages] = (um_storage){.bytes = bytes, .first = NONE};
  return m->storages++;
}

static int add_view_of(um_model *m, const um_tensor *t, int storage) {
  if (storage < 0 || !grow((void **)&m->view, m->views, sizeof *m->view)) return FAILED;
  m->view[m->views] = (um_view){.t = *t, .storage = storage};
  m->view[m->views].t.data = NULL;
  return m->views++;
}

static int add_view(um_model *m, const um_tensor *t) { return add_view_of(m, t, add_storage(m, t->bytes)); }

static int add_step(um_model *m, um_step step) {
  if (!grow((void **)&m->step, m->steps, sizeof *m->step)) return FAILED;
  m->step[m->steps] = step;
  return m->steps++;
}

/* A step of one output and one or two inputs, without an op's workspace and scratch. */
static int add_simple_step(um_model *m, um_step_kind kind, int node, int out, int in0, int in1) {
  return add_step(m, (um_step){.kind = kind,
                               .node = node,
                               .n_out = 1,
                               .out = {out},
                               .n_in = in1 == NONE ? 1 : 2,
                               .in = {in0, in1},
                               .workspace = NONE,
                               .scratch = NONE});
}

static bool same_form(const um_tensor *a, const um_tensor *b) { return a->layout == b->layout && a->dtype == b->dtype; }

static um_tensor plain_of(const um_tensor *t) { return um_tensor_plain(t->dtype, t->ndim, t->dim); }

/* ---- structure ---- */

static um_tensor output_as(const um_model *m, int node, um_dtype dtype) {
  const um_node *n = &m->graph.node[node];
  int64_t dim[UM_MAX_DIMS] = {m->options.batch};
  for (int i = 0; i < n->ndim; i++) dim[i + 1] = n->dim[i];
  return um_tensor_plain(dtype, n->ndim + 1, dim);
}

static bool has_parameters(const um_node *n) { return um_op_params(n->op) > 0; }

/* Nodes without an op of their own: another shape over the same numbers, or nothing at all. */
static bool is_view(const um_model *m, int node) {
  const um_node *n = &m->graph.node[node];
  return n->op == UM_OP_FLATTEN || (n->op == UM_OP_DROPOUT && (!m->options.training || n->rate == 0));
}

static int find_logit(um_model *m, um_error *err) {
  const um_graph *g = &m->graph;
  if (g->count < 2) return um_fail(err, UM_ECONFIG, "model: the graph has no layers");
  const um_node *last = &g->node[g->count - 1];
  if (m->options.any_output && m->options.training) return um_fail(err, UM_EINTERNAL, "model: training needs a logit");
  if (m->options.any_output) {
    m->logit = g->count - 1;
    return UM_OK;
  }
  m->logit = last->op == UM_OP_SIGMOID ? last->input[0] : g->count - 1;
  const um_node *logit = &g->node[m->logit];
  if (logit->ndim != 1 || logit->dim[0] != 1)
    return um_fail(err, UM_ECONFIG, "model: the last layer (%s) has %" PRId64 " outputs, expected 1 (the head ends in a dense of 1 unit)",
                   logit->name, logit->dim[0]);
  /* A node that leads nowhere is a slip of whoever wrote the graph. */
  for (int i = 0; i < g->count - 1; i++) {
    bool read = false;
    for (int k = i + 1; k < g->count; k++)
      for (int j = 0; j < g->node[k].n_inputs; j++) read |= g->node[k].input[j] == i;
    if (!read) return um_fail(err, UM_ECONFIG, "model: nothing reads the output of layer %s", g->node[i].name);
  }
  return UM_OK;
}

/* In inference the backward pass ends at the target's output. */
static int find_target(um_model *m, const char *name, um_error *err) {
  const um_graph *g = &m->graph;
  m->target = NONE;
  if (!name) return UM_OK;
  if (m->options.training || m->options.any_output)
    return um_fail(err, UM_EINTERNAL, "model: gradient_at is for a model for inference with a logit");
  m->target = um_graph_find(g, name);
  if (m->target < 0) return um_fail(err, UM_ECONFIG, "model: no layer is called \"%s\"", name);
  if (m->target >= m->logit) return um_fail(err, UM_ECONFIG, "model: no gradient by \"%s\": the logit is not behind it", name);
  for (int i = m->target; i <= m->logit; i++) {
    m->reached[i] = i == m->target;
    for (int k = 0; k < g->node[i].n_inputs; k++) m->reached[i] |= m->reached[g->node[i].input[k]];
  }
  return UM_OK;
}

static int find_lowest(um_model *m, const char *trainable, um_error *err) {
  const um_graph *g = &m->graph;
  if (!trainable || strcmp(trainable, "all") == 0) {
    m->lowest = 0;
  } else if (strcmp(trainable, "head") == 0) {
    m->lowest = 0;
    while (m->lowest < g->count && g->node[m->lowest].op != UM_OP_DENSE) m->lowest++;
  } else {
    m->lowest = um_graph_find(g, trainable);
    if (m->lowest < 0)
      return um_fail(err, UM_ECONFIG, "model.trainable: no layer is called \"%s\"; expected \"all\", \"head\" or a layer's name",
                     trainable);
  }
  for (int i = 0; i < g->count; i++) {
    bool reached = has_parameters(&g->node[i]) && i >= m->lowest;
    for (int k = 0; k < g->node[i].n_inputs; k++) reached |= m->reached[g->node[i].input[k]];
    m->reached[i] = reached && m->options.training;
  }
  if (m->options.training && !m->reached[m->logit])
    return um_fail(err, UM_ECONFIG, "model.trainable: \"%s\" leaves no parameter to train", trainable ? trainable : "all");
  return UM_OK;
}

/* ---- parameters ---- */

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static int plan_parameters(um_model *m, um_error *err) {
  size_t at = 0;
  bool seen = false, copies = false;
  m->param = calloc(UM_OP_PARAMS * (size_t)m->graph.count, sizeof *m->param);
  if (!m->param) return no_memory(err);
  for (int i = 0; i < m->graph.count; i++) {
    const um_node *node = &m->graph.node[i];
    m->param_of[i] = NONE;
    if (!has_parameters(node)) continue;
    m->param_of[i] = m->params;
    if (i >= m->lowest && !seen) m->frozen = at, seen = true;
    for (int k = 0; k < um_op_params(node->op); k++) {
      um_param *p = &m->param[m->params++];
      p->value = k ? m->op[i]->b : m->op[i]->w;
      p->offset = at;
      p->plain = plain_of(&p->value);
      if (k == 0 && m->op[i]->compute == UM_BF16) p->copy = um_tensor_plain(UM_BF16, p->plain.ndim, p->plain.dim), copies = true;
      p->node = i;
      p->trainable = m->options.training && i >= m->lowest;
      snprintf(p->name, sizeof p->name, "%s/%s", node->name, um_op_param_name(node->op, k));
      at += aligned(p->value.bytes);
    }
  }
  if (!seen) m->frozen = at;
  const size_t trained = m->options.training ? at - m->frozen : 0;
  const unsigned states = um_optimizer_states(&m->options.optimizer);
  m->memory.parameters = at;
  m->memory.copies = copies ? at / 2 : 0;
  m->memory.gradients = trained;
  m->memory.decay = m->options.optimizer.weight_decay != 0 ? um_decay_bytes(trained) : 0;
  m->memory.optimizer = trained * ((states & 1) + (states >> 1 & 1));
  return UM_OK;
}

/* ---- forward ---- */

/* The view of node's output in the form of `wanted`: the value itself, a copy that is already there, or a new one. */
static int value_as(um_model *m, int node, const um_tensor *wanted, int reader) {
  const int value = m->value[node];
  if (same_form(&m->view[value].t, wanted)) return value;
  for (int i = 0; i < m->steps; i++)
    if (m->step[i].kind == UM_STEP_REORDER && m->step[i].in[0] == value && same_form(&m->view[m->step[i].out[0]].t, wanted))
      return m->step[i].out[0];
  const int copy = add_view(m, wanted);
  if (copy < 0 || add_simple_step(m, UM_STEP_REORDER, reader, copy, value, NONE) < 0) return FAILED;
  return copy;
}

/* The backward pass needs the gradients of its parameters. */
static bool trains(const um_model *m, int node) { return m->options.training && has_parameters(&m->graph.node[node]) && node >= m->lowest; }

/* True where backward reads the node's output to find the slope of its activation. */
static bool slope_needed(const um_model *m, int node) {
  const um_node *n = &m->graph.node[node];
  return m->reached[node] && node != m->target && (n->activation != UM_ACT_NONE || um_is_activation(n->op));
}

/* May its output lie over its input? A PReLU's slope follows from its input. */
static bool may_overwrite(const um_model *m, int node) {
  const um_op_kind op = m->graph.node[node].op;
  return um_is_activation(op) || op == UM_OP_DROPOUT || (op == UM_OP_PRELU && !m->reached[node]);
}

static int readers(const um_graph *g, int node) {
  int count = 0;
  for (int i = node + 1; i < g->count; i++)
    for (int k = 0; k < g->node[i].n_inputs; k++) count += g->node[i].input[k] == node;
  return count;
}

/* An activation node may write over what it reads when nobody else will read that: not another node, not the loss, not the backward
 * pass. Where that is a view (a flatten's output), the same is asked of what it is a view of. Marks the nodes whose values are lost. */
static bool take_in_place(um_model *m, int node) {
  for (int mark = 0; mark < 2; mark++)
    for (int reader = node;;) {
      const int x = m->graph.node[reader].input[0];
      if (readers(&m->graph, x) != 1 || x == m->logit || x == m->target) return false;
      if (m->use[reader][0] != m->value[x]) break; /* a reordered copy that nobody shares; x itself stays */
      if (slope_needed(m, x)) return false;
      if (mark) m->overwritten[x] = true;
      if (!is_view(m, x)) break;
      reader = x;
    }
  return true;
}

static int plan_op(um_model *m, int node, um_error *err) {
  const um_node *n = &m->graph.node[node];
  um_op_desc d = {.kind = n->op,
                  .activation = n->activation,
                  .algorithm = m->options.algorithm,
                  .precision = node == m->logit ? UM_PRECISION_FP32 : m->options.precision,
                  .sizes_only = m->options.sizes_only,
                  .passes = UM_PASS_FORWARD,
                  .n_inputs = n->n_inputs,
                  .y = output_as(m, node, UM_F32),
                  .window = n->window,
                  .rate = n->rate,
                  .seed = m->options.seed,
                  .node = (uint32_t)node};
  for (int k = 0; k < n->n_inputs; k++) {
    d.x[k] = m->view[m->value[n->input[k]]].t;
    if (m->reached[n->input[k]]) d.passes |= UM_PASS_BACKWARD_DATA;
  }
  if (trains(m, node)) d.passes |= UM_PASS_BACKWARD_WEIGHTS;
  int status = m->be->ops->plan(m->be, &d, &m->op[node], err);
  if (status == UM_OK) return status;
  um_fail_context(err, "%s", n->name);
  return status;
}

static int scratch_of(um_model *m, int node) { return m->op[node]->scratch_bytes ? add_storage(m, m->op[node]->scratch_bytes) : NONE; }

static int plan_forward_node(um_model *m, int node, um_error *err) {
  const um_node *n = &m->graph.node[node];
  int status;
  m->workspace[node] = NONE;
  if (n->op == UM_OP_DROPOUT && is_view(m, node)) {
    const int x = m->use[node][0] = m->value[n->input[0]];
    const um_tensor y = m->view[x].t;
    m->value[node] = add_view_of(m, &y, m->view[x].storage);
    return m->value[node] < 0 ? no_memory(err) : UM_OK;
  }
  if (n->op == UM_OP_FLATTEN) { /* no op: another shape over the same plain numbers */
    const um_tensor wanted = plain_of(&m->view[m->value[n->input[0]]].t), y = output_as(m, node, wanted.dtype);
    const int x = m->use[node][0] = value_as(m, n->input[0], &wanted, node);
    if (x < 0) return no_memory(err);
    m->value[node] = add_view_of(m, &y, m->view[x].storage);
    return m->value[node] < 0 ? no_memory(err) : UM_OK;
  }
  if ((status = plan_op(m, node, err)) != UM_OK) return status;
  const um_op *op = m->op[node];
  um_step step = {.kind = UM_STEP_FORWARD, .node = node, .n_out = 1, .n_in = n->n_inputs};
  for (int k = 0; k < n->n_inputs; k++) {
    step.in[k] = m->use[node][k] = value_as(m, n->input[k], &op->x[k], node);
    if (step.in[k] < 0) return no_memory(err);
  }
  const bool in_place = may_overwrite(m, node) && same_form(&op->x[0], &op->y) && take_in_place(m, node);
  m->value[node] = in_place ? add_view_of(m, &op->y, m->view[step.in[0]].storage) : add_view(m, &op->y);
  if (m->value[node] < 0) return no_memory(err);
  step.out[0] = m->value[node];
  if (op->workspace_bytes && (m->workspace[node] = add_storage(m, op->workspace_bytes)) == FAILED) return no_memory(err);
  step.workspace = m->workspace[node];
  step.scratch = scratch_of(m, node);
  if (step.scratch == FAILED || add_step(m, step) < 0) return no_memory(err);
  return UM_OK;
}

static int plan_forward(um_model *m, um_error *err) {
  static const char *const names[] = {"fp32", "tf32", "bf16"};
  um_dtype activations = UM_F32;
  int status;
  if (!m->be->ops->precision(m->be, m->options.precision, &activations))
    return um_fail(err, UM_EUNSUPPORTED, "model: the device %s does not compute in %s", m->be->ops->name, names[m->options.precision]);
  const um_tensor values = output_as(m, 0, activations);
  if ((m->input = add_storage(m, 0)) < 0 || (m->value[0] = add_view_of(m, &values, m->input)) < 0) return no_memory(err);
  for (int i = 1; i < m->graph.count; i++) {
    m->value[i] = NONE;
    if (!m->options.any_output && i > m->logit && m->graph.node[i].op == UM_OP_SIGMOID && i == m->graph.count - 1) break;
    if ((status = plan_forward_node(m, i, err)) != UM_OK) return status;
  }
  const um_tensor plain = plain_of(&m->view[m->value[m->logit]].t);
  if ((m->z = value_as(m, m->logit, &plain, m->logit)) < 0) return no_memory(err);
  m->forward_steps = m->steps;
  return UM_OK;
}

/* ---- backward ---- */

/* Adds d, a gradient of node's output in whatever layout, to what other readers have contributed. owned: d's storage may become
 * the gradient itself. */
static int contribute(um_model *m, int node, int d, bool owned, int reader) {
  const um_tensor form = m->view[m->value[node]].t;
  const bool fits = same_form(&m->view[d].t, &form);
  if (m->gradient[node] == NONE) {
    if (fits && owned) {
      m->gradient[node] = d;
      return UM_OK;
    }
    const int copy = m->gradient[node] = add_view(m, &form);
    return copy < 0 ? FAILED : add_simple_step(m, UM_STEP_REORDER, reader, copy, d, NONE);
  }
  if (!fits) {
    const int copy = add_view(m, &form);
    if (copy < 0 || add_simple_step(m, UM_STEP_REORDER, reader, copy, d, NONE) < 0) return FAILED;
    d = copy;
  }
  return add_simple_step(m, UM_STEP_ACCUMULATE, reader, m->gradient[node], d, NONE);
}

/* Convolution, dense, pools, PReLU, dropout: the parameters' gradient first, so that a copy of x made for it is gone before dx comes. */
static int backward_op(um_model *m, int node) {
  const um_node *n = &m->graph.node[node];
  const int dy = m->gradient[node];
  um_step step = {.node = node, .workspace = NONE};
  if (trains(m, node)) {
    step.kind = UM_STEP_BACKWARD_WEIGHTS;
    step.n_in = 2, step.in[0] = m->use[node][0], step.in[1] = dy;
    step.scratch = scratch_of(m, node);
    if (step.scratch == FAILED || add_step(m, step) < 0) return FAILED;
  }
  step.kind = UM_STEP_BACKWARD_DATA;
  step.n_in = 1, step.in[0] = dy;
  if (n->op == UM_OP_PRELU) step.n_in = 2, step.in[1] = m->use[node][0];
  step.workspace = m->workspace[node];
  step.n_out = n->n_inputs;
  bool any = false;
  for (int k = 0; k < n->n_inputs; k++) {
    step.out[k] = NONE;
    if (!m->reached[n->input[k]]) continue;
    if ((step.out[k] = add_view(m, &m->op[node]->x[k])) < 0) return FAILED;
    any = true;
  }
  if (!any) return UM_OK;
  step.scratch = scratch_of(m, node);
  if (step.scratch == FAILED || add_step(m, step) < 0) return FAILED;
  for (int k = 0; k < n->n_inputs; k++)
    if (step.out[k] != NONE && contribute(m, n->input[k], step.out[k], true, node) < 0) return FAILED;
  return UM_OK;
}

static int backward_node(um_model *m, int node) {
  const um_node *n = &m->graph.node[node];
  const int dy = m->gradient[node];
  if (slope_needed(m, node) && add_simple_step(m, UM_STEP_ACTIVATION_BACKWARD, node, dy, dy, m->value[node]) < 0) return FAILED;
  switch (n->op) {
  case UM_OP_INPUT: return UM_OK;
  case UM_OP_DROPOUT:
    if (!is_view(m, node)) return backward_op(m, node);
    return contribute(m, n->input[0], dy, true, node);
  case UM_OP_FLATTEN: {
    const um_tensor shape = plain_of(&m->view[m->value[n->input[0]]].t);
    const int dx = add_view_of(m, &shape, m->view[dy].storage);
    return dx < 0 ? FAILED : contribute(m, n->input[0], dx, true, node);
  }
  case UM_OP_RELU:
  case UM_OP_SIGMOID:
  case UM_OP_SOFTMAX: return contribute(m, n->input[0], dy, true, node);
  case UM_OP_ADD: {
    int last = n->n_inputs - 1; /* the last that wants the gradient may keep it; the others get copies */
    while (last >= 0 && !m->reached[n->input[last]]) last--;
    for (int k = 0; k <= last; k++)
      if (m->reached[n->input[k]] && contribute(m, n->input[k], dy, k == last, node) < 0) return FAILED;
    return UM_OK;
  }
  default: return backward_op(m, node);
  }
}

static int plan_backward(um_model *m, um_error *err) {
  const um_tensor plain = m->view[m->z].t;
  const bool backward = m->options.training || m->target != NONE;
  const int dz = backward ? add_view(m, &plain) : NONE;
  for (int i = 0; i < m->graph.count; i++) m->gradient[i] = NONE;
  if (dz == FAILED || add_simple_step(m, UM_STEP_LOSS, m->logit, dz, m->z, NONE) < 0) return no_memory(err);
  if (!backward) return UM_OK;
  if (contribute(m, m->logit, dz, true, m->logit) < 0) return no_memory(err);
  for (int i = m->logit; i > 0 && i > m->target; i--)
    if (m->reached[i] && backward_node(m, i) < 0) return no_memory(err);
  return UM_OK;
}

/* ---- lifetimes ---- */

static void touch(um_model *m, int storage, int step) {
  um_storage *s = &m->storage[storage];
  if (s->first == NONE) s->first = step;
  s->last = step;
}

static int plan_memory(um_model *m, um_error *err) {
  for (int i = 0; i < m->steps; i++) {
    const um_step *s = &m->step[i];
    for (int k = 0; k < s->n_out; k++)
      if (s->out[k] != NONE) touch(m, m->view[s->out[k]].storage, i);
    for (int k = 0; k < s->n_in; k++) touch(m, m->view[s->in[k]].storage, i);
    if (s->workspace != NONE) touch(m, s->workspace, i);
    if (s->scratch != NONE) {
      touch(m, s->scratch, i);
      if (m->storage[s->scratch].bytes > m->memory.scratch) m->memory.scratch = m->storage[s->scratch].bytes;
    }
  }
  touch(m, m->view[m->z].storage, m->steps - 1); /* the logits can be asked for to the end */
  if (m->target != NONE) {
    touch(m, m->view[m->value[m->target]].storage, m->forward_steps);
    touch(m, m->view[m->gradient[m->target]].storage, m->steps - 1);
  }
  int status = um_plan_arena(m->storage, m->storages, &m->memory.activations, err);
  um_model_plan_input(m);
  m->memory.total = m->memory.parameters + m->memory.copies + m->memory.gradients + m->memory.optimizer + m->memory.decay +
                    m->memory.input + m->memory.activations;
  return status;
}

int um_model_build(um_model *m, const um_graph *graph, um_backend *be, const um_model_options *options, um_error *err) {
  const size_t count = (size_t)graph->count;
  int status;
  m->be = be;
  m->options = *options;
  m->options.trainable = m->options.gradient_at = NULL;
  /* Keras 2 has epsilon inside the root when there is momentum (TensorFlow's fused kernel), outside otherwise. */
  um_optimizer *o = &m->options.optimizer;
  if (o->kind == UM_OPT_RMSPROP && o->momentum != 0) o->epsilon_inside = true;
  if (options->batch < 1 || options->batch > batch_max)
    return um_fail(err, UM_ECONFIG, "data.batch_size: expected 1 to %" PRId64 ", got %" PRId64, batch_max, options->batch);
  m->graph.node = malloc(sizeof *graph->node * (count + 1));
  m->op = calloc(count + 1, sizeof *m->op);
  m->param_of = calloc(count + 1, sizeof *m->param_of);
  m->value = calloc(count + 1, sizeof *m->value);
  m->overwritten = calloc(count + 1, sizeof *m->overwritten);
  m->use = calloc(count + 1, sizeof *m->use);
  m->gradient = calloc(count + 1, sizeof *m->gradient);
  m->reached = calloc(count + 1, sizeof *m->reached);
  m->workspace = calloc(count + 1, sizeof *m->workspace);
  m->times = calloc(count + 1, sizeof *m->times);
  if (!m->graph.node || !m->op || !m->param_of || !m->value || !m->overwritten || !m->use || !m->gradient || !m->reached || !m->workspace ||
      !m->times)
    return no_memory(err);
  memcpy(m->graph.node, graph->node, sizeof *graph->node * count);
  m->graph.count = graph->count;
  if ((status = find_logit(m, err)) != UM_OK || (status = find_lowest(m, options->trainable, err)) != UM_OK ||
      (status = find_target(m, options->gradient_at, err)) != UM_OK || (status = plan_forward(m, err)) != UM_OK ||
      (status = plan_parameters(m, err)) != UM_OK || (status = plan_backward(m, err)) != UM_OK)
    return status;
  return plan_memory(m, err);
}
