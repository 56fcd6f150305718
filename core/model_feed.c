/* A model at work: batches in, passes, the optimizer, the report. The same steps in two manners: one call after the other, each done
 * when it returns; or queued (prefetch, queue, report), where the host runs ahead and the device plays recordings.
 *
 * What changes from step to step (how many samples, which step, which rate) lies in device memory beside the batch, so a recording
 * stays good. Nothing is allocated here, but for um_model_feed into an input that is not f32. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/model_impl.h"

enum { QUEUED, DIRECT }; /* the two reports in the input's memory */

static size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

void um_model_plan_input(um_model *m) {
  const size_t batch = (size_t)m->options.batch;
  const um_tensor *x = &m->view[m->value[0]].t;
  size_t at = 0;
  m->slots = m->be->ops->feed_begin && m->options.training ? UM_SLOTS : 1;
  m->pixel_bytes = x->dim[3] == 3 && x->ndim == 4 ? (size_t)um_tensor_count(x) : 0;
  m->sample_offset = aligned(sizeof(um_control));
  m->label_offset = m->sample_offset + aligned(batch * sizeof(um_warp_sample));
  m->weight_offset = m->label_offset + aligned(batch * sizeof(float));
  m->head_bytes = m->weight_offset + aligned(batch * sizeof(float));
  for (int s = 0; s < m->slots; s++) {
    um_slot *slot = &m->slot[s];
    slot->x = at, at += aligned(x->bytes);
    slot->pixels = at, at += aligned(m->pixel_bytes);
    slot->head = at, at += m->head_bytes;
  }
  m->report_offset = at;
  m->memory.input = at + aligned(2 * sizeof(um_report));
}

void um_model_enter(um_model *m, int slot) {
  if (m->at == slot) return;
  for (int i = 0; i < m->views; i++)
    if (m->view[i].storage == m->input) m->view[i].t.data = m->in + m->slot[slot].x;
  m->at = slot;
}

void um_model_drop_recordings(um_model *m) {
  for (int s = 0; s < UM_SLOTS; s++)
    for (int k = 0; k < 2; k++) {
      if (m->slot[s].recording[k]) m->be->ops->recording_free(m->be, m->slot[s].recording[k]);
      m->slot[s].recording[k] = NULL;
    }
}

static um_report *device_report(um_model *m, int which) { return (um_report *)(m->in + m->report_offset) + which; }
static um_control *device_control(um_model *m, int slot) { return (um_control *)(m->in + m->slot[slot].head); }
static const float *device_labels(um_model *m, int slot) { return (const void *)(m->in + m->slot[slot].head + m->label_offset); }
static const float *device_weights(um_model *m, int slot) { return (const void *)(m->in + m->slot[slot].head + m->weight_offset); }
static um_control *host_control(um_model *m, int slot) { return (um_control *)m->slot[slot].host; }

void um_report_reset(um_report *r) { *r = (um_report){.bad_loss = UM_NEVER, .bad_gradient = UM_NEVER}; }

static int write_report(um_model *m, int which, const um_report *r, um_error *err) {
  *m->host_report = *r;
  return m->be->ops->upload(m->be, device_report(m, which), m->host_report, sizeof *r, err);
}

int um_model_reset_reports(um_model *m, um_error *err) {
  um_report fresh;
  um_report_reset(&fresh);
  const int status = write_report(m, QUEUED, &fresh, err);
  return status == UM_OK ? write_report(m, DIRECT, &fresh, err) : status;
}

static int read_report(um_model *m, int which, um_report *r, um_error *err) {
  int status = m->be->ops->download(m->be, m->host_report, device_report(m, which), sizeof *r, err);
  if (status == UM_OK) *r = *m->host_report;
  return status;
}

/* ---- a batch into a slot ---- */

static int check_count(um_model *m, int64_t n, um_error *err) {
  if (n >= 1 && n <= m->options.batch) return UM_OK;
  return um_fail(err, UM_EINTERNAL, "model: %" PRId64 " samples fed, expected 1 to %" PRId64, n, m->options.batch);
}

const um_control *um_model_control(um_model *m) { return device_control(m, m->at); }

static um_control control_of(const um_model *m, int64_t n, double learning_rate) {
  const um_optimizer *o = &m->options.optimizer;
  um_control c = {.n = n, .step = m->steps_done + 1};
  if (!m->options.training) return c;
  c.rate = um_optimizer_rate(o, learning_rate, c.step);
  c.decay = learning_rate * o->weight_decay;
  return c;
}

/* The head on the host; sample, labels and weights may be NULL. */
static void fill_head(um_model *m, int slot, const um_warp_sample *sample, const float *labels, const float *weights, int64_t n,
                      double learning_rate) {
  char *head = m->slot[slot].host;
  um_warp_sample *to = (um_warp_sample *)(head + m->sample_offset);
  float *weight = (void *)(head + m->weight_offset);
  *host_control(m, slot) = control_of(m, n, learning_rate);
  for (int64_t i = 0; i < n; i++) {
    if (sample)
      to[i] = sample[i];
    else
      to[i] = (um_warp_sample){.identity = true};
  }
  if (labels) memcpy(head + m->label_offset, labels, sizeof *labels * (size_t)n);
  for (int64_t i = 0; i < n; i++) weight[i] = weights ? weights[i] : 1;
}

/* Uploads pixels and head, and warps the pixels into the slot's x. */
static int send(um_model *m, int slot, const uint8_t *pixels, int64_t n, const um_warp *how, um_error *err) {
  const um_ops *ops = m->be->ops;
  const um_slot *s = &m->slot[slot];
  um_tensor x = m->view[m->value[0]].t, bytes = um_tensor_plain(UM_U8, x.ndim, x.dim);
  x.data = m->in + s->x, bytes.data = m->in + s->pixels;
  int status = ops->upload(m->be, bytes.data, pixels, m->pixel_bytes / (size_t)m->options.batch * (size_t)n, err);
  if (status == UM_OK) status = ops->upload(m->be, m->in + s->head, s->host, m->head_bytes, err);
  if (status != UM_OK) return status;
  const um_warp_sample *sample = (const um_warp_sample *)(m->in + s->head + m->sample_offset);
  return ops->warp(m->be, &x, &bytes, sample, device_control(m, slot), how, err);
}

static int check_pixels(um_model *m, const um_warp_sample *sample, int64_t n, um_error *err) {
  const um_node *input = &m->graph.node[0];
  int status = check_count(m, n, err);
  if (status != UM_OK) return status;
  if (!m->pixel_bytes)
    return um_fail(err, UM_EUNSUPPORTED, "model: pixels have 3 channels, its input has %" PRId64, input->dim[input->ndim - 1]);
  return sample ? um_warp_check(sample, n, input->dim[0], input->dim[1], err) : UM_OK;
}

int um_model_feed_pixels(um_model *m, const uint8_t *pixels, const um_warp_sample *sample, int64_t n, const um_warp *how, um_error *err) {
  const double start = m->timing ? um_seconds() : 0;
  int status = check_pixels(m, sample, n, err);
  if (status != UM_OK) return status;
  m->state = UM_MODEL_EMPTY;
  um_model_enter(m, 0);
  fill_head(m, 0, sample, NULL, NULL, n, 0);
  if ((status = send(m, 0, pixels, n, how, err)) != UM_OK) return status;
  m->n = n;
  m->state = UM_MODEL_FED;
  if (m->timing) m->outside.forward += um_seconds() - start;
  return UM_OK;
}

/* Host floats into the slot's x, whatever its type; only f32 is as it is. */
static int send_values(um_model *m, const float *values, size_t count, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_tensor *x = um_model_tensor(m, m->value[0]);
  if (x->dtype == UM_F32) return ops->upload(m->be, x->data, values, sizeof *values * count, err);
  uint16_t *rounded = malloc(sizeof *rounded * count);
  if (!rounded) return um_fail(err, UM_ENOMEM, "model: no memory");
  for (size_t i = 0; i < count; i++) rounded[i] = um_bf16_of(values[i]);
  int status = ops->upload(m->be, x->data, rounded, sizeof *rounded * count, err);
  free(rounded);
  return status;
}

int um_model_feed(um_model *m, const float *values, int64_t n, um_error *err) {
  const double start = m->timing ? um_seconds() : 0;
  const um_ops *ops = m->be->ops;
  int status = check_count(m, n, err);
  if (status != UM_OK) return status;
  m->state = UM_MODEL_EMPTY;
  um_model_enter(m, 0);
  fill_head(m, 0, NULL, NULL, NULL, n, 0);
  const um_tensor *x = um_model_tensor(m, m->value[0]);
  const size_t used = x->bytes / (size_t)m->options.batch * (size_t)n;
  status = send_values(m, values, used / um_dtype_size(x->dtype), err);
  if (status == UM_OK && used < x->bytes) status = ops->zero(m->be, (char *)x->data + used, x->bytes - used, err);
  if (status == UM_OK) status = ops->upload(m->be, device_control(m, 0), host_control(m, 0), sizeof(um_control), err);
  if (status != UM_OK) return status;
  m->n = n;
  m->state = UM_MODEL_FED;
  if (m->timing) m->outside.forward += um_seconds() - start;
  return UM_OK;
}

/* ---- one call after the other ---- */

int um_model_forward(um_model *m, um_error *err) {
  if (m->state != UM_MODEL_FED) return um_fail(err, UM_EINTERNAL, "model: forward without a batch fed before it");
  m->state = UM_MODEL_EMPTY;
  m->dropping = m->options.training;
  int status = um_model_run_steps(m, 0, m->forward_steps, err);
  if (status == UM_OK) m->state = UM_MODEL_FORWARD;
  return status;
}

int um_model_logits(um_model *m, float *logits, um_error *err) {
  if (m->state < UM_MODEL_FORWARD) return um_fail(err, UM_EINTERNAL, "model: logits before forward");
  return m->be->ops->download(m->be, logits, um_model_tensor(m, m->z)->data, sizeof *logits * (size_t)m->n, err);
}

int um_model_output(um_model *m, float *values, um_error *err) {
  const um_tensor *y = um_model_tensor(m, m->z);
  if (m->state < UM_MODEL_FORWARD) return um_fail(err, UM_EINTERNAL, "model: output before forward");
  return m->be->ops->download(m->be, values, y->data, y->bytes / (size_t)m->options.batch * (size_t)m->n, err);
}

/* Queues the loss of what is in the slot; dz may be NULL. Only a batch that was fetched ahead brings weights. */
static int queue_loss(um_model *m, int slot, um_tensor *dz, int report, um_error *err) {
  return m->be->ops->bce_logits(m->be, dz, device_report(m, report), um_model_tensor(m, m->z), device_labels(m, slot),
                                report == QUEUED ? device_weights(m, slot) : NULL, device_control(m, slot), err);
}

static int run_loss(um_model *m, um_tensor *dz, um_loss_sums *sums, const float *labels, um_error *err) {
  const double start = m->timing ? um_seconds() : 0;
  um_report r;
  um_report_reset(&r);
  memcpy(m->slot[0].host + m->label_offset, labels, sizeof *labels * (size_t)m->n);
  int status = m->be->ops->upload(m->be, m->in + m->slot[0].head + m->label_offset, m->slot[0].host + m->label_offset,
                                  sizeof *labels * (size_t)m->n, err);
  if (status == UM_OK) status = write_report(m, DIRECT, &r, err);
  if (status == UM_OK) status = queue_loss(m, 0, dz, DIRECT, err);
  if (status == UM_OK) status = read_report(m, DIRECT, &r, err);
  *sums = (um_loss_sums){.loss = r.loss, .correct = r.correct};
  if (m->timing) m->outside.other += um_seconds() - start;
  return status;
}

int um_model_loss(um_model *m, um_loss_sums *sums, const float *labels, um_error *err) {
  if (m->state < UM_MODEL_FORWARD) return um_fail(err, UM_EINTERNAL, "model: loss before forward");
  return run_loss(m, NULL, sums, labels, err);
}

/* The loss step stands right after the forward ones. */
static um_tensor *loss_gradient(um_model *m) { return um_model_tensor(m, m->step[m->forward_steps].out[0]); }

int um_model_backward(um_model *m, um_loss_sums *sums, const float *labels, um_error *err) {
  if (!m->options.training) return um_fail(err, UM_EINTERNAL, "model: backward in a model made for inference");
  if (m->state != UM_MODEL_FORWARD) return um_fail(err, UM_EINTERNAL, "model: backward without a forward before it");
  m->state = UM_MODEL_EMPTY;
  int status = run_loss(m, loss_gradient(m), sums, labels, err);
  if (status == UM_OK) status = um_model_run_steps(m, m->forward_steps + 1, m->steps, err);
  if (status == UM_OK) m->state = UM_MODEL_BACKWARD;
  return status;
}

int um_model_backward_logit(um_model *m, um_error *err) {
  um_tensor *dz = loss_gradient(m);
  float *ones = (void *)(m->slot[0].host + m->label_offset); /* no labels are there in this use */
  if (m->state != UM_MODEL_FORWARD) return um_fail(err, UM_EINTERNAL, "model: backward without a forward before it");
  m->state = UM_MODEL_EMPTY;
  for (int64_t i = 0; i < m->options.batch; i++) ones[i] = i < m->n ? 1 : 0;
  int status = m->be->ops->upload(m->be, dz->data, ones, sizeof *ones * (size_t)m->options.batch, err);
  if (status == UM_OK) status = um_model_run_steps(m, m->forward_steps + 1, m->steps, err);
  if (status == UM_OK) m->state = UM_MODEL_BACKWARD;
  return status;
}

int um_model_gradient_norm(um_model *m, double *norm, um_error *err) {
  if (!m->options.training) return um_fail(err, UM_EINTERNAL, "model: gradients in a model made for inference");
  int status = m->be->ops->sum_squares(m->be, norm, m->g, (int64_t)(m->memory.gradients / sizeof *m->g), err);
  *norm = sqrt(*norm);
  return status;
}

static int optimize(um_model *m, um_report *report, const um_control *control, um_error *err) {
  const int64_t count = (int64_t)(m->memory.gradients / sizeof *m->g), frozen = (int64_t)(m->frozen / sizeof *m->w);
  return m->be->ops->optimizer_step(m->be, &m->options.optimizer, m->w + frozen, m->c ? m->c + frozen : NULL, m->m, m->v, report, m->g,
                                    m->d, count, control, err);
}

int um_model_step(um_model *m, double learning_rate, um_error *err) {
  const double start = m->timing ? um_seconds() : 0;
  um_report r;
  if (!m->options.training) return um_fail(err, UM_EINTERNAL, "model: an optimizer step in a model made for inference");
  um_control *c = host_control(m, 0);
  *c = control_of(m, m->n, learning_rate);
  int status = m->be->ops->upload(m->be, device_control(m, 0), c, sizeof *c, err);
  if (status == UM_OK) status = optimize(m, device_report(m, DIRECT), device_control(m, 0), err);
  if (status == UM_OK) status = read_report(m, DIRECT, &r, err);
  if (status == UM_OK) status = um_model_check(m, &r, err);
  if (status == UM_OK) m->steps_done++;
  if (m->timing) m->outside.other += um_seconds() - start;
  return status;
}

/* ---- queued ---- */

int um_model_slots(const um_model *m) { return m->slots; }

static int check_slot(const um_model *m, int slot, um_error *err) {
  if (slot >= 0 && slot < m->slots) return UM_OK;
  return um_fail(err, UM_EINTERNAL, "model: slot %d of %d", slot, m->slots);
}

int um_model_prefetch(um_model *m, int slot, const um_feed *f, um_error *err) {
  const um_ops *ops = m->be->ops;
  const double start = um_seconds();
  int status = check_slot(m, slot, err);
  if (status == UM_OK) status = check_pixels(m, f->sample, f->n, err);
  if (status == UM_OK) status = um_model_fetched(m, slot, err); /* the head's host memory, too */
  if (status != UM_OK) return status;
  m->state = UM_MODEL_EMPTY;
  fill_head(m, slot, f->sample, f->labels, f->weights, f->n, f->learning_rate);
  if (ops->feed_begin && (status = ops->feed_begin(m->be, slot, err)) != UM_OK) return status;
  status = send(m, slot, f->pixels, f->n, f->how, err);
  if (ops->feed_end) {
    const int ended = ops->feed_end(m->be, slot, status == UM_OK ? err : NULL);
    if (status == UM_OK) status = ended;
  }
  const double took = um_seconds() - start;
  m->fed += took;
  if (m->timing) m->outside.forward += took;
  return status;
}

int um_model_fetched(um_model *m, int slot, um_error *err) {
  int status = check_slot(m, slot, err);
  return status == UM_OK && m->be->ops->feed_wait ? m->be->ops->feed_wait(m->be, slot, err) : status;
}

static int run_queued(um_model *m, int slot, bool train, um_error *err) {
  m->dropping = train;
  int status = um_model_run_steps(m, 0, m->forward_steps, err);
  const double start = m->timing ? um_seconds() : 0;
  if (status == UM_OK) status = queue_loss(m, slot, train ? loss_gradient(m) : NULL, QUEUED, err);
  if (m->timing) m->outside.other += um_seconds() - start;
  if (status == UM_OK && train) status = um_model_run_steps(m, m->forward_steps + 1, m->steps, err);
  const double before = m->timing ? um_seconds() : 0;
  if (status == UM_OK && train) status = optimize(m, device_report(m, QUEUED), device_control(m, slot), err);
  if (m->timing) m->outside.other += um_seconds() - before;
  return status;
}

static int record(um_model *m, int slot, bool train, um_error *err) {
  const um_ops *ops = m->be->ops;
  um_recording **r = &m->slot[slot].recording[train];
  int status = ops->record_begin(m->be, err);
  if (status != UM_OK) return status;
  status = run_queued(m, slot, train, err);
  const int ended = ops->record_end(m->be, r, status == UM_OK ? err : NULL);
  return status == UM_OK ? ended : status;
}

int um_model_queue(um_model *m, int slot, bool train, um_error *err) {
  const um_ops *ops = m->be->ops;
  const double start = um_seconds();
  int status = check_slot(m, slot, err);
  if (status != UM_OK) return status;
  if (train && !m->options.training) return um_fail(err, UM_EINTERNAL, "model: a training step in a model made for inference");
  m->state = UM_MODEL_EMPTY;
  um_model_enter(m, slot);
  /* The first time without recording: what libraries make at their first call is made then. Recording comes before the use begins, so
   * that the device's time of it holds nothing of the host's. */
  um_slot *s = &m->slot[slot];
  const bool replay = ops->replay && s->warm[train];
  s->warm[train] = true;
  if (replay && !s->recording[train] && (status = record(m, slot, train, err)) != UM_OK) return status;
  if (ops->use_begin && (status = ops->use_begin(m->be, slot, err)) != UM_OK) return status;
  status = replay ? ops->replay(m->be, s->recording[train], err) : run_queued(m, slot, train, err);
  if (ops->use_end) {
    const int ended = ops->use_end(m->be, slot, status == UM_OK ? err : NULL);
    if (status == UM_OK) status = ended;
  }
  m->computed += um_seconds() - start;
  if (status == UM_OK && train) m->steps_done++;
  return status;
}

int um_model_busy(um_model *m, double *feed, double *compute, um_error *err) {
  if (m->be->ops->busy) return m->be->ops->busy(m->be, feed, compute, err);
  *feed += m->fed, *compute += m->computed;
  m->fed = m->computed = 0;
  return UM_OK;
}

int um_model_queued_logits(um_model *m, int64_t n, float *logits, um_error *err) {
  int status = check_count(m, n, err);
  if (status == UM_OK && m->be->ops->wait) status = m->be->ops->wait(m->be, err);
  return status == UM_OK ? m->be->ops->download(m->be, logits, um_model_tensor(m, m->z)->data, sizeof *logits * (size_t)n, err) : status;
}

int um_model_report(um_model *m, um_report *report, um_error *err) {
  int status = m->be->ops->wait ? m->be->ops->wait(m->be, err) : UM_OK;
  return status == UM_OK ? read_report(m, QUEUED, report, err) : status;
}

int um_model_set_report(um_model *m, const um_report *report, um_error *err) {
  int status = m->be->ops->wait ? m->be->ops->wait(m->be, err) : UM_OK;
  return status == UM_OK ? write_report(m, QUEUED, report, err) : status;
}

int um_model_check(const um_model *m, const um_report *r, um_error *err) {
  if (r->bad_loss != UM_NEVER) return um_fail(err, UM_ENUMERIC, "the loss is not finite (step %" PRIu64 ")", r->bad_loss);
  if (r->bad_gradient == UM_NEVER) return UM_OK;
  const size_t at = m->frozen + (size_t)(r->bad_gradient & (((uint64_t)1 << 36) - 1)) * sizeof *m->g;
  int i = m->params - 1;
  while (i > 0 && m->param[i].offset > at) i--;
  return um_fail(err, UM_ENUMERIC, "the gradient of %s is not finite (step %" PRIu64 ")", m->param[i].name, r->bad_gradient >> 36);
}
