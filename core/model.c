/* A model's memory: creation, parameters, what callers may ask of it. */
#include "core/model.h"

#include <stdlib.h>
#include <string.h>

#include "core/model_impl.h"

static void set_views(um_model *m) {
  for (int i = 0; i < m->views; i++) m->view[i].t.data = m->arena + m->storage[m->view[i].storage].offset;
  m->at = -1;
  um_model_enter(m, 0);
  for (int i = 0; i < m->params; i++) {
    um_param *p = &m->param[i];
    p->value.data = m->w + p->offset / sizeof *m->w;
    p->grad = p->value;
    p->grad.data = p->trainable ? m->g + (p->offset - m->frozen) / sizeof *m->g : NULL;
    if (p->copy.ndim) p->copy.data = m->c + p->offset / sizeof *m->w;
  }
}

/* NULL and no failure where bytes is 0. */
static void *allocate_part(um_model *m, size_t bytes, const char *what, int *status, um_error *err) {
  void *p = NULL;
  if (bytes == 0 || *status != UM_OK) return NULL;
  *status = m->be->ops->alloc(m->be, &p, bytes, err);
  if (*status != UM_OK)
    um_fail_context(err, "model: %s, %.1f of %.1f MB; take a smaller batch_size or target_size", what, (double)bytes / 1e6,
                    (double)m->memory.total / 1e6);
  return *status == UM_OK ? p : NULL;
}

/* Which of the trainable values decay: those of kernels. A tensor begins at a multiple of 64 bytes, so 16 values share a bit. */
static int mark_decay(um_model *m, um_error *err) {
  if (!m->d) return UM_OK;
  uint32_t *bits = calloc(1, m->memory.decay);
  if (!bits) return um_fail(err, UM_ENOMEM, "model: no memory for %zu bytes", m->memory.decay);
  for (int i = 0; i < m->params; i++) {
    const um_param *p = &m->param[i];
    if (!p->trainable || p->plain.ndim < 2) continue; /* vectors are biases and alphas */
    const size_t first = (p->offset - m->frozen) / 64, last = first + (p->value.bytes + 63) / 64;
    for (size_t at = first; at < last; at++) bits[at / 32] |= (uint32_t)1 << at % 32;
  }
  const int status = m->be->ops->upload(m->be, m->d, bits, m->memory.decay, err);
  free(bits);
  return status;
}

static int allocate(um_model *m, um_error *err) {
  const um_ops *ops = m->be->ops;
  const um_model_memory *size = &m->memory;
  const size_t trained = size->gradients, available = ops->memory_free(m->be);
  const unsigned states = trained ? um_optimizer_states(&m->options.optimizer) : 0;
  const size_t m_bytes = states & 1 ? trained : 0, v_bytes = states & 2 ? trained : 0;
  int status = UM_OK;
  if (available && size->total > available)
    return um_fail(err, UM_ENOMEM, "model: needs %.1f MB (%.1f of activations), %.1f MB are free; take a smaller batch_size or target_size",
                   (double)size->total / 1e6, (double)size->activations / 1e6, (double)available / 1e6);
  m->w = allocate_part(m, size->parameters, "parameters", &status, err);
  m->g = allocate_part(m, trained, "gradients", &status, err);
  m->m = allocate_part(m, m_bytes, "the optimizer's state", &status, err);
  m->v = allocate_part(m, v_bytes, "the optimizer's state", &status, err);
  m->c = allocate_part(m, size->copies, "the parameters' copies", &status, err);
  m->d = allocate_part(m, size->decay, "which parameters decay", &status, err);
  m->arena = allocate_part(m, size->activations, "activations", &status, err);
  m->in = allocate_part(m, size->input, "the input", &status, err);
  for (int s = 0; s < m->slots && status == UM_OK; s++) status = ops->host_alloc(m->be, (void **)&m->slot[s].host, m->head_bytes, err);
  if (status == UM_OK) status = ops->host_alloc(m->be, (void **)&m->host_report, sizeof *m->host_report, err);
  /* Zeroed, and never anything else between tensors and in the padding of their layouts: one optimizer step runs over it all. */
  if (status == UM_OK) status = ops->zero(m->be, m->w, size->parameters, err);
  if (status == UM_OK && m->g) status = ops->zero(m->be, m->g, trained, err);
  if (status == UM_OK && m->m) status = ops->zero(m->be, m->m, m_bytes, err);
  if (status == UM_OK && m->v) status = ops->zero(m->be, m->v, v_bytes, err);
  if (status == UM_OK && m->c) status = ops->zero(m->be, m->c, size->copies, err);
  if (status != UM_OK) return status;
  for (int s = 0; s < m->slots; s++) memset(m->slot[s].host, 0, m->head_bytes);
  set_views(m);
  if ((status = mark_decay(m, err)) != UM_OK) return status;
  return um_model_reset_reports(m, err);
}

int um_model_create(um_model **out, const um_graph *graph, um_backend *be, const um_model_options *options, um_error *err) {
  um_model *m = calloc(1, sizeof *m);
  *out = NULL;
  if (!m) return um_fail(err, UM_ENOMEM, "model: no memory");
  int status = um_model_build(m, graph, be, options, err);
  if (status == UM_OK) status = allocate(m, err);
  if (status == UM_OK)
    *out = m;
  else
    um_model_free(m);
  return status;
}

int um_model_measure(um_model_memory *memory, const um_graph *graph, um_backend *be, const um_model_options *options, um_error *err) {
  um_model *m = calloc(1, sizeof *m);
  *memory = (um_model_memory){0};
  if (!m) return um_fail(err, UM_ENOMEM, "model: no memory");
  int status = um_model_build(m, graph, be, options, err);
  if (status == UM_OK) *memory = m->memory;
  um_model_free(m);
  return status;
}

int um_model_fit(int64_t *batch, const um_graph *graph, um_backend *be, const um_model_options *options, size_t available, um_error *err) {
  um_model_options o = *options;
  int64_t low = 0, high = options->batch + 1; /* low fits, high does not */
  o.sizes_only = true;
  *batch = 0;
  while (high - low > 1) {
    um_model_memory memory;
    o.batch = low + (high - low) / 2;
    int status = um_model_measure(&memory, graph, be, &o, err);
    /* A batch that is too large for the backend's counters fits no better than one that is too large for its memory. */
    if (status != UM_OK && status != UM_EUNSUPPORTED) return status;
    if (status == UM_OK && memory.total <= available)
      low = o.batch;
    else
      high = o.batch;
  }
  *batch = low;
  return UM_OK;
}

void um_model_free(um_model *m) {
  if (!m) return;
  const um_ops *ops = m->be->ops;
  if (ops->wait) ops->wait(m->be, NULL);
  um_model_drop_recordings(m);
  for (int s = 0; s < UM_SLOTS; s++)
    if (m->slot[s].host) ops->host_free(m->be, m->slot[s].host);
  if (m->host_report) ops->host_free(m->be, m->host_report);
  void *const device[] = {m->arena, m->in, m->w, m->g, m->m, m->v, m->c, m->d};
  for (size_t i = 0; i < sizeof device / sizeof *device; i++)
    if (device[i]) ops->free(m->be, device[i]);
  for (int i = 0; m->op && i < m->graph.count; i++)
    if (m->op[i]) ops->plan_free(m->op[i]);
  void *const host[] = {m->op,          m->param, m->param_of, m->view,    m->storage,   m->step, m->value,
                        m->overwritten, m->use,   m->gradient, m->reached, m->workspace, m->times};
  for (size_t i = 0; i < sizeof host / sizeof *host; i++) free(host[i]);
  for (int i = 0; m->kept && i < m->params; i++) free(m->kept[i]);
  free(m->kept);
  um_graph_free(&m->graph);
  free(m);
}

const um_model_memory *um_model_memory_of(const um_model *m) { return &m->memory; }
const um_graph *um_model_graph(const um_model *m) { return &m->graph; }
int64_t um_model_batch(const um_model *m) { return m->options.batch; }
int64_t um_model_fed(const um_model *m) { return m->n; }
int um_model_gradient_node(const um_model *m) { return m->target; }
const um_op *um_model_op(const um_model *m, int node) { return node >= 0 && node < m->graph.count ? m->op[node] : NULL; }

const um_param *um_model_params(const um_model *m, int *count) {
  *count = m->params;
  return m->param;
}

/* The tensor of one of the four buffers, and a plain one of the same shape. */
static int buffer_of(um_model *m, char which, int index, um_tensor *t, um_tensor *plain, um_error *err) {
  float *base = which == 'w' ? m->w : which == 'g' ? m->g : which == 'm' ? m->m : which == 'v' ? m->v : NULL;
  if (index < 0 || index >= m->params) return um_fail(err, UM_EINTERNAL, "model: parameter %d of %d", index, m->params);
  const um_param *p = &m->param[index];
  if (!base || (which != 'w' && !p->trainable))
    return um_fail(err, UM_EUNSUPPORTED, "model: %s has no buffer '%c' (frozen, not in training, or not needed by this optimizer)", p->name,
                   which);
  *t = p->value;
  t->data = base + (which == 'w' ? p->offset : p->offset - m->frozen) / sizeof *base;
  *plain = p->plain;
  return UM_OK;
}

/* A layer that only runs forward may have its kernel in a form that there is no way back from (Winograd's), but a checkpoint needs it:
 * a training model keeps the plain numbers of such kernels. They never change. */
static int keep_frozen(um_model *m, int index, const float *values, um_error *err) {
  const um_param *p = &m->param[index];
  if (!m->options.training || p->trainable) return UM_OK;
  if (!m->kept && !(m->kept = calloc((size_t)m->params, sizeof *m->kept))) return um_fail(err, UM_ENOMEM, "model: no memory");
  if (!m->kept[index] && !(m->kept[index] = malloc(p->plain.bytes)))
    return um_fail(err, UM_ENOMEM, "model: no memory for %zu bytes of %s", p->plain.bytes, p->name);
  memcpy(m->kept[index], values, p->plain.bytes);
  return UM_OK;
}

int um_model_set(um_model *m, char which, int index, const float *values, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_tensor t, plain;
  int status = buffer_of(m, which, index, &t, &plain, err);
  if (status != UM_OK) return status;
  if (!t.layout) {
    um_tensor copy = m->param[index].copy;
    status = ops->upload(m->be, t.data, values, plain.bytes, err);
    return status == UM_OK && which == 'w' && copy.data ? ops->reorder(m->be, &copy, &t, err) : status;
  }
  if ((status = ops->alloc(m->be, &plain.data, plain.bytes, err)) != UM_OK) return status;
  status = ops->upload(m->be, plain.data, values, plain.bytes, err);
  if (status == UM_OK) status = ops->reorder(m->be, &t, &plain, err);
  ops->free(m->be, plain.data);
  return status == UM_OK && which == 'w' ? keep_frozen(m, index, values, err) : status;
}

int um_model_get(um_model *m, char which, int index, float *values, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_tensor t, plain;
  int status = buffer_of(m, which, index, &t, &plain, err);
  if (status != UM_OK) return status;
  if (!t.layout) return ops->download(m->be, values, t.data, plain.bytes, err);
  if (which == 'w' && m->kept && m->kept[index]) {
    memcpy(values, m->kept[index], plain.bytes);
    return UM_OK;
  }
  if ((status = ops->alloc(m->be, &plain.data, plain.bytes, err)) != UM_OK) return status;
  status = ops->reorder(m->be, &plain, &t, err);
  if (status == UM_OK) status = ops->download(m->be, values, plain.data, plain.bytes, err);
  ops->free(m->be, plain.data);
  return status;
}

/* True where no forward step after the storage's last use wrote over it. */
static bool kept(const um_model *m, int storage) {
  const um_storage *s = &m->storage[storage];
  for (int i = 0; i < m->storages; i++) {
    const um_storage *o = &m->storage[i];
    bool later = o->first > s->last && o->first < m->forward_steps;
    if (later && o->offset < s->offset + s->bytes && s->offset < o->offset + o->bytes) return false;
  }
  return true;
}

/* True where an activation was done in place over a reordered copy. */
static bool copy_overwritten(const um_model *m, int storage) {
  for (int i = 0; i < m->forward_steps; i++)
    if (m->step[i].kind == UM_STEP_FORWARD && m->view[m->step[i].out[0]].storage == storage) return true;
  return false;
}

/* The node's output where it is still to be had after forward: itself, or a reordered copy that outlived it. */
static const um_tensor *find_output(const um_model *m, int node) {
  const int value = m->value[node];
  if (value < 0) return NULL;
  if (!m->overwritten[node] && kept(m, m->view[value].storage)) return &m->view[value].t;
  for (int i = 0; i < m->forward_steps; i++) {
    const um_step *s = &m->step[i];
    if (s->kind != UM_STEP_REORDER || s->in[0] != value) continue;
    const um_view *copy = &m->view[s->out[0]];
    if (kept(m, copy->storage) && !copy_overwritten(m, copy->storage)) return &copy->t;
  }
  return NULL;
}

/* The samples fed of a tensor in whatever form, as plain floats. */
static int fetch(um_model *m, float *values, const um_tensor *t, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_tensor plain = um_tensor_plain(UM_F32, t->ndim, t->dim);
  const size_t wanted = plain.bytes / (size_t)m->options.batch * (size_t)m->n;
  if (!t->layout && t->dtype == UM_F32) return ops->download(m->be, values, t->data, wanted, err);
  int status = ops->alloc(m->be, &plain.data, plain.bytes, err);
  if (status != UM_OK) return status;
  status = ops->reorder(m->be, &plain, t, err);
  if (status == UM_OK) status = ops->download(m->be, values, plain.data, wanted, err);
  ops->free(m->be, plain.data);
  return status;
}

int um_model_activation(um_model *m, int node, float *values, um_error *err) {
  if (node < 0 || node >= m->graph.count) return um_fail(err, UM_EINTERNAL, "model: node %d of %d", node, m->graph.count);
  const char *name = m->graph.node[node].name;
  if (m->state != UM_MODEL_FORWARD)
    return um_fail(err, UM_EINTERNAL, "model: %s: activations are there between forward and backward", name);
  const um_tensor *t = find_output(m, node);
  if (!t) return um_fail(err, UM_EUNSUPPORTED, "model: %s: its output is not kept by this plan", name);
  return fetch(m, values, t, err);
}

int um_model_gradient(um_model *m, float *values, um_error *err) {
  if (m->target < 0) return um_fail(err, UM_EINTERNAL, "model: a gradient by a layer in a model that was not made for it");
  int status = um_model_backward_logit(m, err);
  return status == UM_OK ? fetch(m, values, um_model_tensor(m, m->gradient[m->target]), err) : status;
}

int64_t um_model_steps(const um_model *m) { return m->steps_done; }
void um_model_set_steps(um_model *m, int64_t steps) { m->steps_done = steps; }

void um_model_time(um_model *m, bool on) {
  m->timing = on;
  memset(m->times, 0, sizeof *m->times * (size_t)m->graph.count);
  m->outside = (um_node_times){0};
}

const um_node_times *um_model_times(const um_model *m, um_node_times *outside) {
  if (outside) *outside = m->outside;
  return m->times;
}
