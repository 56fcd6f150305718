/* What a training step needs beside the layers: loss, optimizer, norm. The optimizer's arithmetic is that of core/optim.c, float by
 * float; here it runs by parts on all threads, in one pass over memory. */
#include <math.h>
#include <stdlib.h>

#include "core/cpu/cpu.h"
#include "core/optim.h"

int um_cpu_bce_logits(um_backend *be, um_tensor *dz, um_report *report, const um_tensor *z, const float *labels, const float *weights,
                      const um_control *control, um_error *err) {
  (void)be;
  (void)err;
  const float *logits = z->data;
  float *gradient = dz ? dz->data : NULL;
  const int64_t batch = z->dim[0], n = control->n;
  for (int64_t i = 0; i < n; i++) {
    const double x = logits[i], t = labels[i];
    /* Not fmax, which takes the number where the other is none: a NaN must reach the sum. */
    const double weight = weights ? weights[i] : 1, loss = weight * ((x < 0 ? 0 : x) - x * t + log1p(exp(-fabs(x))));
    if (!isfinite(loss) && (uint64_t)control->step < report->bad_loss) report->bad_loss = (uint64_t)control->step;
    report->loss += loss;
    report->correct += (x > 0) == (t > 0.5);
    if (gradient) gradient[i] = (float)(weight * (1 / (1 + exp(-x)) - t) / (double)n);
  }
  for (int64_t i = n; gradient && i < batch; i++) gradient[i] = 0;
  report->samples += n;
  return UM_OK;
}

typedef struct rates {
  float lr, rho, rest, momentum, eps;
  float beta1, rest1, beta2, rest2;
} rates;

#define INLINE static inline __attribute__((always_inline))

/* The loops below are inlined into one function a kind, so that the switches inside them are gone. */
INLINE void rmsprop(const rates *r, float *restrict w, const float *restrict g, float *restrict m, float *restrict v, int64_t count,
                    bool inside, bool momentum) {
  const float lr = r->lr, rho = r->rho, rest = r->rest, mom = r->momentum, eps = r->eps;
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    v[i] = rho * v[i] + rest * (g[i] * g[i]);
    float step = lr * g[i] / (inside ? sqrtf(v[i] + eps) : sqrtf(v[i]) + eps);
    if (momentum) step = m[i] = mom * m[i] + step;
    w[i] -= step;
  }
}

INLINE void sgd(const rates *r, float *restrict w, const float *restrict g, float *restrict m, int64_t count, bool momentum,
                bool nesterov) {
  const float lr = r->lr, mom = r->momentum;
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    const float step = lr * g[i];
    if (momentum) {
      m[i] = mom * m[i] - step;
      w[i] += nesterov ? mom * m[i] - step : m[i];
    } else {
      w[i] -= step;
    }
  }
}

INLINE void adam(const rates *r, float *restrict w, const float *restrict g, float *restrict m, float *restrict v, int64_t count,
                 bool inside) {
  const float lr = r->lr, beta1 = r->beta1, rest1 = r->rest1, beta2 = r->beta2, rest2 = r->rest2, eps = r->eps;
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    m[i] = beta1 * m[i] + rest1 * g[i];
    v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);
    w[i] -= lr * m[i] / (inside ? sqrtf(v[i] + eps) : sqrtf(v[i]) + eps);
  }
}

INLINE void apply(const um_optimizer *o, const rates *r, float *w, const float *g, float *m, float *v, int64_t count) {
  switch (o->kind) {
  case UM_OPT_RMSPROP:
    if (o->momentum != 0) {
      if (o->epsilon_inside)
        rmsprop(r, w, g, m, v, count, true, true);
      else
        rmsprop(r, w, g, m, v, count, false, true);
    } else {
      if (o->epsilon_inside)
        rmsprop(r, w, g, m, v, count, true, false);
      else
        rmsprop(r, w, g, m, v, count, false, false);
    }
    break;
  case UM_OPT_SGD:
    if (o->momentum == 0)
      sgd(r, w, g, m, count, false, false);
    else if (o->nesterov)
      sgd(r, w, g, m, count, true, true);
    else
      sgd(r, w, g, m, count, true, false);
    break;
  case UM_OPT_ADAM:
    if (o->epsilon_inside)
      adam(r, w, g, m, v, count, true);
    else
      adam(r, w, g, m, v, count, false);
    break;
  }
}

typedef void apply_fn(const um_optimizer *, const rates *, float *, const float *, float *, float *, int64_t);

static void apply_any(const um_optimizer *o, const rates *r, float *w, const float *g, float *m, float *v, int64_t count) {
  apply(o, r, w, g, m, v, count);
}
#ifdef __x86_64__
__attribute__((target("avx2"))) static void apply_avx2(const um_optimizer *o, const rates *r, float *w, const float *g, float *m, float *v,
                                                       int64_t count) {
  apply(o, r, w, g, m, v, count);
}
__attribute__((target("avx512f"))) static void apply_avx512(const um_optimizer *o, const rates *r, float *w, const float *g, float *m,
                                                            float *v, int64_t count) {
  apply(o, r, w, g, m, v, count);
}
#endif

static apply_fn *choose_apply(void) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return apply_avx512;
  if (__builtin_cpu_supports("avx2")) return apply_avx2;
#endif
  return apply_any;
}

int um_cpu_optimizer_step(um_backend *be, const um_optimizer *o, float *w, uint16_t *copy, float *m, float *v, um_report *report,
                          const float *g, const uint32_t *decay, int64_t count, const um_control *control, um_error *err) {
  (void)err;
  if (report->bad_loss != UM_NEVER) return UM_OK;
  const rates r = {
      .lr = (float)control->rate,
      .rho = (float)o->rho,
      .rest = (float)(1 - o->rho),
      .momentum = (float)o->momentum,
      .eps = (float)o->epsilon,
      .beta1 = (float)o->beta1,
      .rest1 = (float)(1 - o->beta1),
      .beta2 = (float)o->beta2,
      .rest2 = (float)(1 - o->beta2),
  };
  apply_fn *const run = choose_apply();
  /* A part stays in the second-level cache from the look at its gradients to the arithmetic. */
  const int64_t chunk = 1 << 14, chunks = (count + chunk - 1) / chunk;
  int64_t bad = count;
  um_cpu_enter((um_cpu *)be);
#pragma omp parallel for reduction(min : bad)
  for (int64_t k = 0; k < chunks; k++) {
    const int64_t at = k * chunk, n = count - at < chunk ? count - at : chunk;
    float *const mk = m ? m + at : NULL, *const vk = v ? v + at : NULL;
    if (decay) um_optimizer_decay(w + at, g + at, decay + at / 512, control->decay, n);
    if (um_first_not_finite(g + at, n) == n) {
      run(o, &r, w + at, g + at, mk, vk, n);
    } else {
      const int64_t first = at + um_optimizer_apply_finite(o, control->rate, w + at, g + at, mk, vk, n);
      if (first < bad) bad = first;
    }
    for (int64_t i = at; copy && i < at + n; i++) copy[i] = um_bf16_of(w[i]);
  }
  const uint64_t mark = (uint64_t)control->step << 36 | (uint64_t)bad;
  if (bad < count && mark < report->bad_gradient) report->bad_gradient = mark;
  return UM_OK;
}

int um_cpu_sum_squares(um_backend *be, double *out, const float *x, int64_t count, um_error *err) {
  (void)err;
  /* Fixed parts, added in order: the sum does not depend on the number of threads. */
  enum { PARTS = 64 };
  double part[PARTS];
  const int64_t size = (count + PARTS - 1) / PARTS;
  um_cpu_enter((um_cpu *)be);
#pragma omp parallel for
  for (int k = 0; k < PARTS; k++) {
    const int64_t first = k * size, last = first + size < count ? first + size : count;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = first; i < last; i++) sum += (double)x[i] * (double)x[i];
    part[k] = sum;
  }
  *out = 0;
  for (int k = 0; k < PARTS; k++) *out += part[k];
  return UM_OK;
}
