/* Running the steps of a model's program. Nothing is allocated here. */
#include "core/model_impl.h"

#include "core/file.h"

um_tensor *um_model_tensor(um_model *m, int view) { return view < 0 ? NULL : &m->view[view].t; }
static void *memory(um_model *m, int storage) { return storage < 0 ? NULL : m->arena + m->storage[storage].offset; }

/* The kernel as ops compute with it. */
static const um_tensor *kernel(const um_param *p) { return p->copy.data ? &p->copy : &p->value; }

static int run_forward(um_model *m, const um_step *s, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_op *op = m->op[s->node];
  um_tensor *y = um_model_tensor(m, s->out[0]), *x = um_model_tensor(m, s->in[0]);
  void *workspace = memory(m, s->workspace), *scratch = memory(m, s->scratch);
  const um_param *p = m->param_of[s->node] < 0 ? NULL : &m->param[m->param_of[s->node]];
  const um_tensor *all[UM_MAX_INPUTS];
  for (int i = 0; i < s->n_in; i++) all[i] = um_model_tensor(m, s->in[i]);
  switch (op->desc.kind) {
  case UM_OP_CONV2D: return ops->conv2d_forward(op, y, x, kernel(p), &p[1].value, scratch, err);
  case UM_OP_DENSE: return ops->dense_forward(op, y, x, kernel(p), &p[1].value, scratch, err);
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL:
  case UM_OP_GLOBAL_AVG_POOL: return ops->pool_forward(op, y, workspace, x, scratch, err);
  case UM_OP_RELU:
  case UM_OP_SIGMOID:
  case UM_OP_SOFTMAX: return ops->activation_forward(op, y, x, err);
  case UM_OP_PRELU: return ops->prelu_forward(op, y, x, &p->value, err);
  case UM_OP_DROPOUT:
    if (m->dropping) return ops->dropout(op, y, x, um_model_control(m), err);
    return y->data == x->data ? UM_OK : ops->reorder(m->be, y, x, err);
  case UM_OP_ADD: return ops->add_forward(op, y, all, err);
  case UM_OP_CONCAT: return ops->concat_forward(op, y, all, err);
  default: return um_fail(err, UM_EINTERNAL, "model: op %s cannot be run", um_op_kind_name(op->desc.kind));
  }
}

static int run_backward_data(um_model *m, const um_step *s, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_op *op = m->op[s->node];
  const um_tensor *dy = um_model_tensor(m, s->in[0]);
  void *scratch = memory(m, s->scratch);
  const um_param *p = m->param_of[s->node] < 0 ? NULL : &m->param[m->param_of[s->node]];
  um_tensor *all[UM_MAX_INPUTS];
  for (int i = 0; i < s->n_out; i++) all[i] = um_model_tensor(m, s->out[i]);
  switch (op->desc.kind) {
  case UM_OP_CONV2D: return ops->conv2d_backward_data(op, all[0], dy, kernel(p), scratch, err);
  case UM_OP_DENSE: return ops->dense_backward_data(op, all[0], dy, kernel(p), scratch, err);
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL:
  case UM_OP_GLOBAL_AVG_POOL: return ops->pool_backward(op, all[0], dy, memory(m, s->workspace), scratch, err);
  case UM_OP_PRELU: return ops->prelu_backward_data(op, all[0], dy, um_model_tensor(m, s->in[1]), &p->value, err);
  case UM_OP_DROPOUT: return ops->dropout(op, all[0], dy, um_model_control(m), err);
  case UM_OP_CONCAT: return ops->concat_backward(op, all, dy, err);
  default: return um_fail(err, UM_EINTERNAL, "model: op %s cannot be run backward", um_op_kind_name(op->desc.kind));
  }
}

static int run_backward_weights(um_model *m, const um_step *s, um_error *err) {
  um_op *op = m->op[s->node];
  um_param *p = &m->param[m->param_of[s->node]];
  const um_tensor *x = um_model_tensor(m, s->in[0]), *dy = um_model_tensor(m, s->in[1]);
  void *scratch = memory(m, s->scratch);
  switch (op->desc.kind) {
  case UM_OP_CONV2D: return m->be->ops->conv2d_backward_weights(op, &p[0].grad, &p[1].grad, x, dy, scratch, err);
  case UM_OP_DENSE: return m->be->ops->dense_backward_weights(op, &p[0].grad, &p[1].grad, x, dy, scratch, err);
  case UM_OP_PRELU: return m->be->ops->prelu_backward_weights(op, &p[0].grad, x, dy, scratch, err);
  default: return um_fail(err, UM_EINTERNAL, "model: op %s has no parameters", um_op_kind_name(op->desc.kind));
  }
}

static int run_step(um_model *m, const um_step *s, um_error *err) {
  const um_ops *ops = m->be->ops;
  switch (s->kind) {
  case UM_STEP_REORDER: return ops->reorder(m->be, um_model_tensor(m, s->out[0]), um_model_tensor(m, s->in[0]), err);
  case UM_STEP_ACCUMULATE: return ops->accumulate(m->be, um_model_tensor(m, s->out[0]), um_model_tensor(m, s->in[0]), err);
  case UM_STEP_FORWARD: return run_forward(m, s, err);
  case UM_STEP_ACTIVATION_BACKWARD:
    return ops->activation_backward(m->op[s->node], um_model_tensor(m, s->out[0]), um_model_tensor(m, s->in[0]),
                                    um_model_tensor(m, s->in[1]), err);
  case UM_STEP_BACKWARD_WEIGHTS: return run_backward_weights(m, s, err);
  case UM_STEP_BACKWARD_DATA: return run_backward_data(m, s, err);
  case UM_STEP_LOSS: break; /* it needs labels: its callers run it */
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

int um_model_run_steps(um_model *m, int first, int last, um_error *err) {
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
