/* Loss, optimizer, norms. */
#include <math.h>

#include "core/optim.h"
#include "core/ref/ref.h"

int ref_bce_logits(um_backend *be, um_tensor *dz, um_report *report, const um_tensor *z, const float *labels, const float *weights,
                   const um_control *control, um_error *err) {
  (void)be, (void)err;
  const float *Z = z->data;
  float *DZ = dz ? dz->data : NULL;
  const int64_t N = z->dim[0], n = control->n;
  for (int64_t i = 0; i < n; i++) {
    const double logit = Z[i], t = labels[i];
    double loss = fmax(logit, 0) - logit * t + log1p(exp(-fabs(logit)));
    const double weight = weights ? weights[i] : 1;
    if (isnan(logit)) loss = NAN; /* fmax takes the number that is one */
    loss *= weight;
    if (!isfinite(loss) && (uint64_t)control->step < report->bad_loss) report->bad_loss = (uint64_t)control->step;
    report->loss += loss;
    report->correct += (logit > 0) == (t > 0.5);
    if (DZ) DZ[i] = (float)(weight * (1 / (1 + exp(-logit)) - t) / (double)n);
  }
  for (int64_t i = n; DZ && i < N; i++) DZ[i] = 0;
  report->samples += n;
  return UM_OK;
}

int ref_optimizer_step(um_backend *be, const um_optimizer *o, float *w, uint16_t *copy, float *m, float *v, um_report *report,
                       const float *g, const uint32_t *decay, int64_t count, const um_control *control, um_error *err) {
  (void)be, (void)err;
  if (report->bad_loss != UM_NEVER) return UM_OK;
  if (decay) um_optimizer_decay(w, g, decay, control->decay, count);
  const int64_t bad = um_optimizer_apply_finite(o, control->rate, w, g, m, v, count);
  const uint64_t mark = (uint64_t)control->step << 36 | (uint64_t)bad;
  if (bad < count && mark < report->bad_gradient) report->bad_gradient = mark;
  for (int64_t i = 0; copy && i < count; i++) copy[i] = um_bf16_of(w[i]);
  return UM_OK;
}

int ref_sum_squares(um_backend *be, double *out, const float *x, int64_t count, um_error *err) {
  (void)be, (void)err;
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += (double)x[i] * x[i];
  *out = sum;
  return UM_OK;
}
