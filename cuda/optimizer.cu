/* One step of RMSprop, SGD or Adam over all parameters: one pass over memory in which values are updated, their bf16 copy is written
 * and gradients that are not finite are found. The arithmetic is core/optim.c's, float by float and in its order; products are never
 * contracted into sums and division and square root are rounded as IEEE 754 says (nvcc's default: no fast math here), so that the
 * bits are the cpu backend's. */
#include "cuda/vector.cuh"

/* um_optimizer in f32. */
struct rates {
  float rho, rest, momentum, eps;
  float beta1, rest1, beta2, rest2;
  bool nesterov, inside;
};

struct value {
  float w, m, v;
};

static __device__ inline float root(const rates &r, float v) { return r.inside ? sqrtf(v + r.eps) : sqrtf(v) + r.eps; }

/* STATES: um_optimizer_states. */
template <int KIND, unsigned STATES> static __device__ inline void update(value &a, float g, float lr, const rates &r) {
  if (KIND == UM_OPT_RMSPROP) {
    a.v = __fmul_rn(r.rho, a.v) + __fmul_rn(r.rest, __fmul_rn(g, g));
    float step = __fmul_rn(lr, g) / root(r, a.v);
    if (STATES & 1) step = a.m = __fmul_rn(r.momentum, a.m) + step;
    a.w -= step;
  } else if (KIND == UM_OPT_SGD) {
    const float step = __fmul_rn(lr, g);
    if (STATES & 1) {
      a.m = __fmul_rn(r.momentum, a.m) - step;
      a.w += r.nesterov ? __fmul_rn(r.momentum, a.m) - step : a.m;
    } else {
      a.w -= step;
    }
  } else {
    a.m = __fmul_rn(r.beta1, a.m) + __fmul_rn(r.rest1, g);
    a.v = __fmul_rn(r.beta2, a.v) + __fmul_rn(r.rest2, __fmul_rn(g, g));
    a.w -= __fmul_rn(lr, a.m) / root(r, a.v);
  }
}

/* Where a launch reads and writes; copy and decay may be NULL, m and v are there where STATES says so. */
struct arrays {
  float *w;
  um_bf16 *copy;
  float *m, *v;
  const float *g;
  const uint32_t *decay;
  um_report *report;
  const um_control *control;
};

/* V values from `at` on, all of them within the 16 that share a bit of decay. */
template <int KIND, unsigned STATES, int V>
static __device__ inline void step_at(const arrays &a, int64_t at, float lr, float share, const rates &r) {
  float w[V], m[V], v[V], g[V];
  um_read(g, a.g + at);
  um_read(w, a.w + at);
  if (STATES & 1) um_read(m, a.m + at);
  if (STATES & 2) um_read(v, a.v + at);
  if (!a.decay || !(a.decay[at / 512] >> at / 16 % 32 & 1)) share = 0;
  for (int k = 0; k < V; k++) {
    if (!(fabsf(g[k]) <= 3.402823466e38f)) {
      atomicMin((unsigned long long *)&a.report->bad_gradient, (unsigned long long)a.control->step << 36 | (unsigned long long)(at + k));
      continue;
    }
    value one = {share != 0 ? w[k] - __fmul_rn(share, w[k]) : w[k], STATES & 1 ? m[k] : 0, STATES & 2 ? v[k] : 0};
    update<KIND, STATES>(one, g[k], lr, r);
    w[k] = one.w;
    if (STATES & 1) m[k] = one.m;
    if (STATES & 2) v[k] = one.v;
  }
  um_write(a.w + at, w);
  if (STATES & 1) um_write(a.m + at, m);
  if (STATES & 2) um_write(a.v + at, v);
  if (a.copy) um_write(a.copy + at, w);
}

template <int KIND, unsigned STATES, int V>
static __global__ void __launch_bounds__(UM_BLOCK, 6) optimizer_step(arrays a, rates r, int64_t count) {
  if (a.report->bad_loss != UM_NEVER) return;
  const float lr = (float)a.control->rate, share = (float)a.control->decay;
  um_each(i, count / V) step_at<KIND, STATES, V>(a, i * V, lr, share, r);
  um_each(i, count % V) step_at<KIND, STATES, 1>(a, count - 1 - i, lr, share, r);
}

template <int KIND, unsigned STATES> static void launch(const um_cuda *cuda, const arrays &a, const rates &r, int64_t count) {
  const bool states = (!(STATES & 1) || um_aligned(a.m)) && (!(STATES & 2) || um_aligned(a.v));
  if (states && um_aligned(a.w) && um_aligned(a.g) && (uintptr_t)a.copy % 8 == 0)
    um_launch((optimizer_step<KIND, STATES, 4>), um_grid(cuda, count / 4 + 1), dim3(UM_BLOCK), 0, cuda->queue, a, r, count);
  else
    um_launch((optimizer_step<KIND, STATES, 1>), um_grid(cuda, count), dim3(UM_BLOCK), 0, cuda->queue, a, r, count);
}

int um_cuda_optimizer_step(um_backend *be, const um_optimizer *o, float *w, uint16_t *copy, float *m, float *v, um_report *report,
                           const float *g, const uint32_t *decay, int64_t count, const um_control *control, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)be;
  const unsigned states = um_optimizer_states(o);
  const rates r = {(float)o->rho,         (float)(1 - o->rho), (float)o->momentum,    (float)o->epsilon, (float)o->beta1,
                   (float)(1 - o->beta1), (float)o->beta2,     (float)(1 - o->beta2), o->nesterov,       o->epsilon_inside};
  const arrays a = {w, (um_bf16 *)copy, m, v, g, decay, report, control};
  if (count <= 0) return UM_OK;
  switch (o->kind) {
  case UM_OPT_RMSPROP:
    if (states & 1)
      launch<UM_OPT_RMSPROP, 3>(cuda, a, r, count);
    else
      launch<UM_OPT_RMSPROP, 2>(cuda, a, r, count);
    break;
  case UM_OPT_SGD:
    if (states & 1)
      launch<UM_OPT_SGD, 1>(cuda, a, r, count);
    else
      launch<UM_OPT_SGD, 0>(cuda, a, r, count);
    break;
  case UM_OPT_ADAM: launch<UM_OPT_ADAM, 3>(cuda, a, r, count); break;
  }
  return um_cuda_launched(err, "optimizer step");
}
