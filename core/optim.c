#include "core/optim.h"

#include <math.h>
#include <string.h>

unsigned um_optimizer_states(const um_optimizer *o) {
  enum { M = 1, V = 2 };
  switch (o->kind) {
  case UM_OPT_RMSPROP: return o->momentum != 0 ? M | V : V;
  case UM_OPT_SGD: return o->momentum != 0 ? M : 0;
  case UM_OPT_ADAM: return M | V;
  }
  return 0;
}

/* Tieleman & Hinton 2012, lecture 6.5, as Keras: keras2 divides by sqrt(v) + eps, keras3 by sqrt(v + eps). */
static void rmsprop(const um_optimizer *o, double rate, float *w, const float *g, float *m, float *v, int64_t count) {
  const float lr = (float)rate, rho = (float)o->rho, rest = (float)(1 - o->rho), eps = (float)o->epsilon;
  const float momentum = (float)o->momentum;
  for (int64_t i = 0; i < count; i++) {
    v[i] = rho * v[i] + rest * (g[i] * g[i]);
    float step = lr * g[i] / (o->epsilon_inside ? sqrtf(v[i] + eps) : sqrtf(v[i]) + eps);
    if (o->momentum != 0) step = m[i] = momentum * m[i] + step;
    w[i] -= step;
  }
}

static void sgd(const um_optimizer *o, double rate, float *w, const float *g, float *m, int64_t count) {
  const float lr = (float)rate, momentum = (float)o->momentum;
  for (int64_t i = 0; i < count; i++) {
    float step = lr * g[i];
    if (o->momentum == 0) {
      w[i] -= step;
    } else {
      m[i] = momentum * m[i] - step;
      w[i] += o->nesterov ? momentum * m[i] - step : m[i];
    }
  }
}

/* Kingma & Ba 2014 in the form at the end of its section 2, which is Keras': the bias corrections are in the learning rate. */
static void adam(const um_optimizer *o, double rate, float *w, const float *g, float *m, float *v, int64_t count) {
  const float beta1 = (float)o->beta1, beta2 = (float)o->beta2, rest1 = (float)(1 - o->beta1), rest2 = (float)(1 - o->beta2);
  const float lr = (float)rate, eps = (float)o->epsilon;
  for (int64_t i = 0; i < count; i++) {
    m[i] = beta1 * m[i] + rest1 * g[i];
    v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);
    w[i] -= lr * m[i] / (o->epsilon_inside ? sqrtf(v[i] + eps) : sqrtf(v[i]) + eps);
  }
}

double um_optimizer_rate(const um_optimizer *o, double learning_rate, int64_t step) {
  if (o->kind != UM_OPT_ADAM) return learning_rate;
  return learning_rate * sqrt(1 - pow(o->beta2, (double)step)) / (1 - pow(o->beta1, (double)step));
}

void um_optimizer_apply(const um_optimizer *o, double rate, float *w, const float *g, float *m, float *v, int64_t count) {
  switch (o->kind) {
  case UM_OPT_RMSPROP: rmsprop(o, rate, w, g, m, v, count); break;
  case UM_OPT_SGD: sgd(o, rate, w, g, m, count); break;
  case UM_OPT_ADAM: adam(o, rate, w, g, m, v, count); break;
  }
}

void um_optimizer_decay(float *w, const float *g, const uint32_t *decay, double rate, int64_t count) {
  const float share = (float)rate;
  for (int64_t at = 0; at < count; at += 16) {
    const int n = (int)(count - at < 16 ? count - at : 16);
    if (!(decay[at / 512] >> at / 16 % 32 & 1)) continue;
#pragma omp simd
    for (int i = 0; i < n; i++) {
      const float w0 = w[at + i], less = w0 - share * w0;
      uint32_t bits;
      memcpy(&bits, &g[at + i], sizeof bits);
      w[at + i] = (bits & 0x7f800000) == 0x7f800000 ? w0 : less;
    }
  }
}

int64_t um_first_not_finite(const float *x, int64_t count) {
  enum { CHUNK = 4096 };
  for (int64_t at = 0; at < count; at += CHUNK) {
    const int n = (int)(count - at < CHUNK ? count - at : CHUNK);
    uint32_t bad = 0;
#pragma omp simd reduction(| : bad)
    for (int i = 0; i < n; i++) {
      uint32_t bits;
      memcpy(&bits, &x[at + i], sizeof bits);
      bad |= (bits & 0x7f800000) == 0x7f800000; /* infinity and NaN alone have an exponent of all ones */
    }
    for (int i = 0; bad && i < n; i++)
      if (!isfinite(x[at + i])) return at + i;
  }
  return count;
}

int64_t um_optimizer_apply_finite(const um_optimizer *o, double rate, float *w, const float *g, float *m, float *v, int64_t count) {
  const int64_t first = um_first_not_finite(g, count);
  for (int64_t at = 0; at < count;) {
    const int64_t n = um_first_not_finite(g + at, count - at);
    um_optimizer_apply(o, rate, w + at, g + at, m ? m + at : NULL, v ? v + at : NULL, n);
    at += n + 1;
  }
  return first;
}
