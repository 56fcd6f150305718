/* Binary cross-entropy from logits, its gradient and the count of right answers. One block: batches are small. */
#include "cuda/vector.cuh"

/* Terms are computed by all threads, a block's worth at a time, and added by the first in the order of samples: the sums do not
 * depend on how many threads there are. dz and weights may be NULL. Shared: UM_BLOCK doubles, then UM_BLOCK ints. */
static __global__ void __launch_bounds__(UM_BLOCK) bce_logits(float *dz, um_report *report, const float *z, const float *labels,
                                                              const float *weights, const um_control *control, int64_t N) {
  double *term = (double *)um_shared();
  int *right = (int *)(term + UM_BLOCK);
  const int64_t n = control->n < N ? control->n : N;
  double loss = report->loss;
  int64_t correct = 0;
  bool bad = false;
  for (int64_t first = 0; first < N; first += UM_BLOCK) {
    const int64_t i = first + threadIdx.x;
    if (i < n) {
      const double logit = z[i], t = labels[i], weight = weights ? weights[i] : 1;
      /* Not fmax, which takes the number where the other is none: a NaN must reach the sum. */
      term[threadIdx.x] = weight * ((logit < 0 ? 0 : logit) - __dmul_rn(logit, t) + log1p(exp(-fabs(logit))));
      right[threadIdx.x] = (logit > 0) == (t > 0.5);
      if (dz) dz[i] = (float)(weight * (1 / (1 + exp(-logit)) - t) / (double)n);
    } else if (i < N && dz) {
      dz[i] = 0;
    }
    __syncthreads();
    if (threadIdx.x == 0)
      for (int64_t k = 0; k < UM_BLOCK && first + k < n; k++) {
        loss += term[k];
        correct += right[k];
        bad = bad || !(fabs(term[k]) <= 1.7976931348623157e308);
      }
    __syncthreads();
  }
  if (threadIdx.x > 0) return;
  report->loss = loss;
  report->correct += correct;
  report->samples += n;
  const uint64_t step = (uint64_t)control->step;
  if (bad && step < report->bad_loss) report->bad_loss = step;
}

int um_cuda_bce_logits(um_backend *be, um_tensor *dz, um_report *report, const um_tensor *z, const float *labels, const float *weights,
                       const um_control *control, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)be;
  if (z->dtype != UM_F32 || z->layout || (dz && (dz->dtype != UM_F32 || dz->layout)))
    return um_fail(err, UM_EUNSUPPORTED, "cuda: bce_logits: expected plain f32, got %s", um_dtype_name(z->dtype));
  um_launch(bce_logits, dim3(1), dim3(UM_BLOCK), UM_BLOCK * (sizeof(double) + sizeof(int)), cuda->queue, dz ? (float *)dz->data : NULL,
            report, (const float *)z->data, labels, weights, control, z->dim[0]);
  return um_cuda_launched(err, "bce_logits");
}
