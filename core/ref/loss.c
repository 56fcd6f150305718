/* Loss, optimizer, norms. */
#include <math.h>

#include "core/optim.h"
#include "core/ref/ref.h"

int ref_bce_logits(um_backend *be, um_tensor *dz, um_loss_sums *sums, const um_tensor *z, const float *labels, int64_t n, um_error *err) {
  (void)be, (void)err;
  const float *Z = z->data;
  float *DZ = dz ? dz->data : NULL;
  const int64_t N = z->dim[0];
  *sums = (um_loss_sums){0};
  for (int64_t i = 0; i < n; i++) {
    const double logit = Z[i], t = labels[i];
    sums->loss += fmax(logit, 0) - logit * t + log1p(exp(-fabs(logit)));
    if (isnan(logit)) sums->loss = NAN; /* fmax takes the number that is one */
    sums->correct += (logit > 0) == (t > 0.5);
    if (DZ) DZ[i] = (float)((1 / (1 + exp(-logit)) - t) / (double)n);
  }
  for (int64_t i = n; DZ && i < N; i++) DZ[i] = 0;
  return UM_OK;
}

int ref_optimizer_step(um_backend *be, const um_optimizer *o, float *w, const float *g, float *m, float *v, int64_t count, int64_t step,
                       um_error *err) {
  (void)be, (void)err;
  um_optimizer_apply(o, w, g, m, v, count, step);
  return UM_OK;
}

int ref_sum_squares(um_backend *be, double *out, const float *x, int64_t count, um_error *err) {
  (void)be, (void)err;
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += (double)x[i] * x[i];
  *out = sum;
  return UM_OK;
}
