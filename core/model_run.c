/* Running a model's program: feed, forward, backward, step. Nothing is allocated here. */
#include "core/model_impl.h"

#include <math.h>

#include "core/file.h"

static um_tensor *tensor(um_model *m, int view) { return view < 0 ? NULL : &m->view[view].t; }
static void *memory(um_model *m, int storage) { return storage < 0 ? NULL : m->arena + m->storage[storage].offset; }

static int run_forward(um_model *m, const um_step *s, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_op *op = m->op[s->node];
  um_tensor *y = tensor(m, s->out[0]), *x = tensor(m, s->in[0]);
  void *workspace = memory(m, s->workspace), *scratch = memory(m, s->scratch);
  const um_param *p = m->param_of[s->node] < 0 ? NULL : &m->param[m->param_of[s->node]];
  const um_tensor *all[UM_MAX_INPUTS];
  for (int i = 0; i < s->n_in; i++) all[i] = tensor(m, s->in[i]);
  switch (op->desc.kind) {
  case UM_OP_CONV2D: return ops->conv2d_forward(op, y, x, &p[0].value, &p[1].value, scratch, err);
  case UM_OP_DENSE: return ops->dense_forward(op, y, x, &p[0].value, &p[1].value, scratch, err);
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL:
  case UM_OP_GLOBAL_AVG_POOL: return ops->pool_forward(op, y, workspace, x, scratch, err);
  case UM_OP_RELU:
  case UM_OP_SIGMOID: return ops->activation_forward(op, y, x, err);
  case UM_OP_ADD: return ops->add_forward(op, y, all, err);
  case UM_OP_CONCAT: return ops->concat_forward(op, y, all, err);
  default: return um_fail(err, UM_EINTERNAL, "model: op %s cannot be run", um_op_kind_name(op->desc.kind));
  }
}

static int run_backward_data(um_model *m, const um_step *s, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_op *op = m->op[s->node];
  const um_tensor *dy = tensor(m, s->in[0]);
  void *scratch = memory(m, s->scratch);
  const um_param *p = m->param_of[s->node] < 0 ? NULL : &m->param[m->param_of[s->node]];
  um_tensor *all[UM_MAX_INPUTS];
  for (int i = 0; i < s->n_out; i++) all[i] = tensor(m, s->out[i]);
  switch (op->desc.kind) {
  case UM_OP_CONV2D: return ops->conv2d_backward_data(op, all[0], dy, &p[0].value, scratch, err);
  case UM_OP_DENSE: return ops->dense_backward_data(op, all[0], dy, &p[0].value, scratch, err);
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL:
  case UM_OP_GLOBAL_AVG_POOL: return ops->pool_backward(op, all[0], dy, memory(m, s->workspace), scratch, err);
  case UM_OP_CONCAT: return ops->concat_backward(op, all, dy, err);
  default: return um_fail(err, UM_EINTERNAL, "model: op %s cannot be run backward", um_op_kind_name(op->desc.kind));
  }
}

static int run_backward_weights(um_model *m, const um_step *s, um_error *err) {
  um_op *op = m->op[s->node];
  um_param *p = &m->param[m->param_of[s->node]];
  const um_tensor *x = tensor(m, s->in[0]), *dy = tensor(m, s->in[1]);
  void *scratch = memory(m, s->scratch);
  return op->desc.kind == UM_OP_CONV2D ? m->be->ops->conv2d_backward_weights(op, &p[0].grad, &p[1].grad, x, dy, scratch, err)
                                       : m->be->ops->dense_backward_weights(op, &p[0].grad, &p[1].grad, x, dy, scratch, err);
}

static int run_step(um_model *m, const um_step *s, um_error *err) {
  const um_ops *ops = m->be->ops;
  switch (s->kind) {
  case UM_STEP_REORDER: return ops->reorder(m->be, tensor(m, s->out[0]), tensor(m, s->in[0]), err);
  case UM_STEP_ACCUMULATE: return ops->accumulate(m->be, tensor(m, s->out[0]), tensor(m, s->in[0]), err);
  case UM_STEP_FORWARD: return run_forward(m, s, err);
  case UM_STEP_ACTIVATION_BACKWARD:
    return ops->activation_backward(m->op[s->node], tensor(m, s->out[0]), tensor(m, s->in[0]), tensor(m, s->in[1]), err);
  case UM_STEP_BACKWARD_WEIGHTS: return run_backward_weights(m, s, err);
  case UM_STEP_BACKWARD_DATA: return run_backward_data(m, s, err);
  case UM_STEP_FEED:
  case UM_STEP_LOSS: break; /* their operands come from the host */
  }
  return um_fail(err, UM_EINTERNAL, "model: step %d is not one of its program", (int)s->kind);
}

static void count_time(um_model *m, const um_step *s, double seconds) {
  um_node_times *t = &m->times[s->node];
  switch (s->kind) {
  case UM_STEP_FORWARD: t->forward += seconds; break;
  case UM_STEP_BACKWARD_WEIGHTS: t->backward_weights += seconds; break;
  case UM_STEP_BACKWARD_DATA: t->backward_data += seconds; break;
  default: t->other += seconds; break;
  }
}

static int run_steps(um_model *m, int first, int last, um_error *err) {
  for (int i = first; i < last; i++) {
    const um_step *s = &m->step[i];
    const double start = m->timing ? um_seconds() : 0;
    int status = run_step(m, s, err);
    if (status != UM_OK) {
      um_fail_context(err, "%s", m->graph.node[s->node].name);
      return status;
    }
    if (m->timing) count_time(m, s, um_seconds() - start);
  }
  return UM_OK;
}

static int check_fed(um_model *m, int64_t n, um_error *err) {
  if (n >= 1 && n <= m->options.batch) return UM_OK;
  return um_fail(err, UM_EINTERNAL, "model: %lld samples fed, expected 1 to %lld", (long long)n, (long long)m->options.batch);
}

int um_model_feed_pixels(um_model *m, const uint8_t *pixels, const um_warp_sample *sample, int64_t n, const um_warp *how, um_error *err) {
  const double start = m->timing ? um_seconds() : 0;
  int status = check_fed(m, n, err);
  if (status != UM_OK) return status;
  if (m->pixels < 0)
    return um_fail(err, UM_EUNSUPPORTED, "model: pixels have 3 channels, its input has %lld", (long long)m->graph.node[0].dim[2]);
  um_tensor *bytes = tensor(m, m->pixels), *x = tensor(m, m->value[0]);
  m->state = UM_MODEL_EMPTY;
  status = m->be->ops->upload(m->be, bytes->data, pixels, bytes->bytes / (size_t)m->options.batch * (size_t)n, err);
  if (status == UM_OK) status = m->be->ops->warp(m->be, x, bytes, sample ? sample : m->identity, n, how, err);
  if (status != UM_OK) return status;
  m->n = n;
  m->state = UM_MODEL_FED;
  if (m->timing) m->outside.forward += um_seconds() - start;
  return UM_OK;
}

int um_model_feed(um_model *m, const float *values, int64_t n, um_error *err) {
  const double start = m->timing ? um_seconds() : 0;
  int status = check_fed(m, n, err);
  if (status != UM_OK) return status;
  um_tensor *x = tensor(m, m->value[0]);
  const size_t used = x->bytes / (size_t)m->options.batch * (size_t)n;
  m->state = UM_MODEL_EMPTY;
  status = m->be->ops->upload(m->be, x->data, values, used, err);
  if (status == UM_OK && used < x->bytes) status = m->be->ops->zero(m->be, (char *)x->data + used, x->bytes - used, err);
  if (status != UM_OK) return status;
  m->n = n;
  m->state = UM_MODEL_FED;
  if (m->timing) m->outside.forward += um_seconds() - start;
  return UM_OK;
}

int um_model_forward(um_model *m, um_error *err) {
  if (m->state != UM_MODEL_FED) return um_fail(err, UM_EINTERNAL, "model: forward without a batch fed before it");
  m->state = UM_MODEL_EMPTY;
  int status = run_steps(m, 1, m->forward_steps, err);
  if (status == UM_OK) m->state = UM_MODEL_FORWARD;
  return status;
}

int um_model_logits(um_model *m, float *logits, um_error *err) {
  if (m->state < UM_MODEL_FORWARD) return um_fail(err, UM_EINTERNAL, "model: logits before forward");
  return m->be->ops->download(m->be, logits, tensor(m, m->z)->data, sizeof *logits * (size_t)m->n, err);
}

/* The loss step stands right after the forward ones. */
static int run_loss(um_model *m, um_tensor *dz, um_loss_sums *sums, const float *labels, um_error *err) {
  const double start = m->timing ? um_seconds() : 0;
  int status = m->be->ops->bce_logits(m->be, dz, sums, tensor(m, m->z), labels, m->n, err);
  if (m->timing) m->outside.other += um_seconds() - start;
  return status;
}

int um_model_loss(um_model *m, um_loss_sums *sums, const float *labels, um_error *err) {
  if (m->state < UM_MODEL_FORWARD) return um_fail(err, UM_EINTERNAL, "model: loss before forward");
  return run_loss(m, NULL, sums, labels, err);
}

int um_model_backward(um_model *m, um_loss_sums *sums, const float *labels, um_error *err) {
  if (!m->options.training) return um_fail(err, UM_EINTERNAL, "model: backward in a model made for inference");
  if (m->state != UM_MODEL_FORWARD) return um_fail(err, UM_EINTERNAL, "model: backward without a forward before it");
  m->state = UM_MODEL_EMPTY;
  int status = run_loss(m, tensor(m, m->step[m->forward_steps].out[0]), sums, labels, err);
  if (status == UM_OK) status = run_steps(m, m->forward_steps + 1, m->steps, err);
  if (status == UM_OK) m->state = UM_MODEL_BACKWARD;
  return status;
}

int um_model_gradient_norm(um_model *m, double *norm, um_error *err) {
  if (!m->options.training) return um_fail(err, UM_EINTERNAL, "model: gradients in a model made for inference");
  int status = m->be->ops->sum_squares(m->be, norm, m->g, (int64_t)(m->memory.gradients / sizeof *m->g), err);
  *norm = sqrt(*norm);
  return status;
}

int um_model_step(um_model *m, double learning_rate, um_error *err) {
  const double start = m->timing ? um_seconds() : 0;
  if (!m->options.training) return um_fail(err, UM_EINTERNAL, "model: an optimizer step in a model made for inference");
  um_optimizer o = m->options.optimizer;
  o.learning_rate = learning_rate;
  const int64_t count = (int64_t)(m->memory.gradients / sizeof *m->g);
  float *trained = m->w + m->frozen / sizeof *m->w;
  int status = m->be->ops->optimizer_step(m->be, &o, trained, m->g, m->m, m->v, count, m->steps_done + 1, err);
  if (status == UM_OK) m->steps_done++;
  if (m->timing) m->outside.other += um_seconds() - start;
  return status;
}
