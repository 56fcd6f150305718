#include "core/optim.h"

#include <math.h>

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
static void rmsprop(const um_optimizer *o, float *w, const float *g, float *m, float *v, int64_t count) {
  const float lr = (float)o->learning_rate, rho = (float)o->rho, rest = (float)(1 - o->rho), eps = (float)o->epsilon;
  const float momentum = (float)o->momentum;
  for (int64_t i = 0; i < count; i++) {
    v[i] = rho * v[i] + rest * (g[i] * g[i]);
    float step = lr * g[i] / (o->epsilon_inside ? sqrtf(v[i] + eps) : sqrtf(v[i]) + eps);
    if (o->momentum != 0) step = m[i] = momentum * m[i] + step;
    w[i] -= step;
  }
}

static void sgd(const um_optimizer *o, float *w, const float *g, float *m, int64_t count) {
  const float lr = (float)o->learning_rate, momentum = (float)o->momentum;
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
static void adam(const um_optimizer *o, float *w, const float *g, float *m, float *v, int64_t count, int64_t step) {
  const float beta1 = (float)o->beta1, beta2 = (float)o->beta2, rest1 = (float)(1 - o->beta1), rest2 = (float)(1 - o->beta2);
  const float eps = (float)o->epsilon;
  const float lr = (float)(o->learning_rate * sqrt(1 - pow(o->beta2, (double)step)) / (1 - pow(o->beta1, (double)step)));
  for (int64_t i = 0; i < count; i++) {
    m[i] = beta1 * m[i] + rest1 * g[i];
    v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);
    w[i] -= lr * m[i] / (o->epsilon_inside ? sqrtf(v[i] + eps) : sqrtf(v[i]) + eps);
  }
}

void um_optimizer_apply(const um_optimizer *o, float *w, const float *g, float *m, float *v, int64_t count, int64_t step) {
  switch (o->kind) {
  case UM_OPT_RMSPROP: rmsprop(o, w, g, m, v, count); break;
  case UM_OPT_SGD: sgd(o, w, g, m, count); break;
  case UM_OPT_ADAM: adam(o, w, g, m, v, count, step); break;
  }
}
