/* A hundred training steps on the device against the cpu backend's in fp32: the same weights, pictures, transforms and labels; and the
 * gradients that they begin with.
 *
 *   gpu_steps [--device cuda[:N]] [--small] [--batch N] [--steps N] [--seed N] [gradients] [losses] [recipe]
 *
 *   gradients   of the first batch, parameter by parameter, against the cpu backend's; and their slope against differences of the loss
 *   losses      of every step: fp32 and tf32 by each engine against the cpu backend's, bf16 against the device's own fp32
 *   recipe      losses likewise, with dropout, sample weights and weight decay, all of them strong enough to be missed: VGG16, 10 steps, and
 *               the dct backbone at 128x128, batch 32, 20 steps
 *
 * VGG16 at 150x150, batch 10 (small: four small convolutions at 16x16, batch 4, 8 steps). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/train.h"

enum { MOST = 1000 };
/* Low enough that the losses of two roundings stay together over a hundred steps (at 2e-5 the losses of direct convolution and of Winograd's
 * are 30 % apart after fifty, at 5e-6 they stay within 0.3 %: RMSprop turns the smallest gradients into steps as long as the others'). */
static const double rate = 5e-6;

typedef struct context {
  gpu_options o;
  gpu_tally tally;
  int side, batch, steps;
  double cpu[MOST], fp32[MOST];
  bool have_fp32;
} context;

static gpu_options on_cpu(const context *c) {
  gpu_options o = c->o;
  o.device = "cpu";
  return o;
}

static gpu_recipe recipe(const context *c, um_engine engine, um_precision precision) {
  return (gpu_recipe){.engine = engine, .precision = precision, .side = c->side, .batch = c->batch, .training = true};
}

/* ---- losses ---- */

static bool train(context *c, const gpu_options *o, um_engine engine, um_precision precision, double *loss) {
  const gpu_recipe how = recipe(c, engine, precision);
  gpu_run r;
  um_error err = {0};
  int status = gpu_run_open(&r, o, &how, &err);
  if (status == UM_OK) status = gpu_run_train(&r, c->steps, rate, 1, loss, &err);
  gpu_run_close(&r);
  return status == UM_OK || gpu_fail("training", &err);
}

/* Of the first loss, of every loss (rounding grows from step to step), of the mean over all steps (in which that evens out). */
typedef struct allowed {
  double first, later, mean;
} allowed;

static double mean_of(const double *x, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += x[i];
  return sum / n;
}

static bool compare(const double *got, const double *want, int n, allowed a) {
  const double mean = fabs(mean_of(got, n) / mean_of(want, n) - 1);
  double worst = 0;
  int at = 0;
  for (int i = 0; i < n; i++) {
    const double off = fabs(got[i] / want[i] - 1);
    if (!(off <= worst)) worst = off, at = i;
  }
  printf("    losses %.6f %.6f ... %.6f; first off by %.1e, worst %.1e (step %d), mean over all %.1e\n", got[0], got[1 % n], got[n - 1],
         fabs(got[0] / want[0] - 1), worst, at + 1, mean);
  CHECK(fabs(got[0] / want[0] - 1) <= a.first, "step 1: loss %.9g, expected %.9g", got[0], want[0]);
  CHECK(worst <= a.later, "step %d: loss %.9g, expected %.9g", at + 1, got[at], want[at]);
  CHECK(mean <= a.mean, "the mean loss over %d steps differs by %.3g, allowed %.3g", n, mean, a.mean);
  return true;
}

static void losses(context *c) {
  static const um_engine engine[] = {UM_ENGINE_NATIVE, UM_ENGINE_CUDNN, UM_ENGINE_AUTO};
  static const allowed by[] = {{1e-5, 0.02, 0.002}, {2e-3, 0.02, 0.005}, {1e-2, 0.02, 0.01}};
  const gpu_options host = on_cpu(c);
  double got[MOST];
  um_error err = {0};
  gpu_begin("losses: %d steps on the cpu backend in fp32", c->steps);
  if (!gpu_end(&c->tally, train(c, &host, UM_ENGINE_AUTO, UM_PRECISION_FP32, c->cpu))) return;
  printf("    losses %.6f ... %.6f\n", c->cpu[0], c->cpu[c->steps - 1]);
  for (int precision = 0; precision < 3; precision++)
    for (size_t e = 0; e < sizeof engine / sizeof *engine; e++) {
      um_backend *be;
      um_dtype type;
      if (gpu_open(&be, &c->o, engine[e], &err) != UM_OK) {
        gpu_skip(&c->tally, "engine %s: %s", gpu_engine_name(engine[e]), err.text);
        continue;
      }
      const bool there = be->ops->precision(be, (um_precision)precision, &type);
      be->ops->close(be);
      if (!there) {
        gpu_skip(&c->tally, "%s: the device does not compute in it", gpu_precision_name((um_precision)precision));
        break;
      }
      gpu_begin("losses: %d steps in %s, engine %s", c->steps, gpu_precision_name((um_precision)precision), gpu_engine_name(engine[e]));
      bool ok = train(c, &c->o, engine[e], (um_precision)precision, got);
      const double *against = precision == UM_PRECISION_BF16 && c->have_fp32 ? c->fp32 : c->cpu;
      ok = ok && compare(got, against, c->steps, by[precision]);
      if (ok && precision == UM_PRECISION_FP32 && !c->have_fp32) {
        memcpy(c->fp32, got, sizeof got);
        c->have_fp32 = true;
      }
      gpu_end(&c->tally, ok);
    }
}

/* ---- recipe ---- */

static bool train_so(const gpu_options *o, gpu_recipe how, um_engine engine, um_precision precision, int steps, double *loss) {
  gpu_run r;
  um_error err = {0};
  how.engine = engine, how.precision = precision;
  int status = gpu_run_open(&r, o, &how, &err);
  if (status == UM_OK) status = gpu_run_train(&r, steps, rate, 1, loss, &err);
  gpu_run_close(&r);
  return status == UM_OK || gpu_fail("training", &err);
}

static void recipes(context *c) {
  static const struct {
    um_engine engine;
    um_precision precision;
    allowed within;
  } on[] = {{UM_ENGINE_NATIVE, UM_PRECISION_FP32, {1e-5, 0.01, 0.002}},
            {UM_ENGINE_AUTO, UM_PRECISION_FP32, {1e-5, 0.01, 0.002}},
            {UM_ENGINE_NATIVE, UM_PRECISION_BF16, {3e-2, 0.15, 0.05}}};
  const gpu_options host = on_cpu(c);
  for (int dct = 0; dct < 2; dct++) {
    const char *name = dct ? "dct" : c->o.small ? "tiny" : "VGG16";
    const int steps = c->o.small ? 4 : dct ? 20 : 10;
    double cpu[MOST], got[MOST], plain[MOST];
    gpu_recipe how = {.training = true, .dct = dct, .side = c->o.small ? 16 : dct ? 128 : 150, .batch = c->o.small ? 4 : dct ? 32 : 10};
    gpu_begin("recipe: %s, %d steps on the cpu backend in fp32", name, steps);
    how.dropout = 0.3, how.weights = true;
    how.decay = c->o.small ? 8000 : 4000; /* at this rate 4 or 2 % of a kernel a step */
    bool ok = train_so(&host, how, UM_ENGINE_AUTO, UM_PRECISION_FP32, steps, cpu);
    /* Each of the three moves losses by more than what is allowed in fp32 below. */
    for (int i = 0; i < 3 && ok; i++) {
      gpu_recipe less = how;
      if (i == 0) less.dropout = 0;
      if (i == 1) less.decay = 0;
      if (i == 2) less.weights = false;
      ok = train_so(&host, less, UM_ENGINE_AUTO, UM_PRECISION_FP32, steps, plain);
      double most = 0;
      for (int k = 0; k < steps; k++) most = fmax(most, fabs(plain[k] / cpu[k] - 1));
      if (ok && most < 0.03)
        ok = check_fail("without %s no loss differs by more than %.3g", i == 0 ? "dropout" : i == 1 ? "decay" : "weights", most);
      printf("    without %s losses differ by up to %.2g\n", i == 0 ? "dropout" : i == 1 ? "decay" : "weights", most);
    }
    if (!gpu_end(&c->tally, ok)) continue;
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
      if (c->o.small && on[i].engine == UM_ENGINE_AUTO) continue; /* slow on the emulated device */
      gpu_begin("recipe: %s, dropout, weights, decay: %d steps in %s, engine %s", name, steps, gpu_precision_name(on[i].precision),
                gpu_engine_name(on[i].engine));
      gpu_end(&c->tally, train_so(&c->o, how, on[i].engine, on[i].precision, steps, got) && compare(got, cpu, steps, on[i].within));
    }
  }
}

/* ---- gradients ---- */

/* Forward and backward over the first batch. */
static int first_batch(gpu_run *r, bool backward, double *loss, um_error *err) {
  const size_t size = (size_t)r->side * (size_t)r->side * 3;
  uint8_t *pixels = malloc(size * (size_t)r->batch);
  float *labels = malloc(sizeof *labels * (size_t)r->batch);
  um_loss_sums sums;
  int status = pixels && labels ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for a batch");
  if (status == UM_OK) gpu_pictures(pixels, labels, r->seed, 0, r->batch, r->side);
  if (status == UM_OK) status = um_model_feed_pixels(r->model, pixels, NULL, r->batch, &r->how, err);
  if (status == UM_OK) status = um_model_forward(r->model, err);
  if (status == UM_OK) status = backward ? um_model_backward(r->model, &sums, labels, err) : um_model_loss(r->model, &sums, labels, err);
  if (status == UM_OK) *loss = sums.loss / r->batch;
  free(pixels), free(labels);
  return status;
}

/* Every parameter's gradient: |got - want| <= of_norm |want|. */
static bool compare_gradients(gpu_run *got, gpu_run *want, double of_norm) {
  int count;
  double worst = 0;
  const char *worst_name = "";
  um_error err = {0};
  bool ok = true;
  const um_param *p = um_model_params(want->model, &count);
  for (int i = 0; i < count && ok; i++) {
    const int64_t n = um_tensor_count(&p[i].plain);
    float *a = gpu_room(n), *b = gpu_room(n);
    double off = 0, size = 0;
    ok = a && b && um_model_get(got->model, 'g', i, a, &err) == UM_OK && um_model_get(want->model, 'g', i, b, &err) == UM_OK;
    for (int64_t k = 0; k < n && ok; k++) off += ((double)a[k] - b[k]) * ((double)a[k] - b[k]), size += (double)b[k] * b[k];
    free(a), free(b);
    if (!ok) return gpu_fail(p[i].name, &err);
    const double d = size > 0 ? sqrt(off / size) : off > 0 ? INFINITY : 0;
    if (!(d <= worst)) worst = d, worst_name = p[i].name;
    if (!(d <= of_norm)) ok = check_fail("%s: its gradient differs by %.3g of its norm, allowed %.3g", p[i].name, d, of_norm);
  }
  printf("    worst of %d gradients: %.1e of its norm (%s)\n", count, worst, worst_name);
  return ok;
}

/* The loss along the gradient: its slope by differences is the gradient's norm. */
static bool slope(gpu_run *r) {
  int count;
  um_error err = {0};
  double loss[3], norm = 0;
  int status = first_batch(r, true, &loss[1], &err);
  if (status == UM_OK) status = um_model_gradient_norm(r->model, &norm, &err);
  const double h = 0.002 * loss[1] / norm; /* a change of a fifth of a percent: further on kinks are crossed */
  const um_param *p = um_model_params(r->model, &count);
  float **w = calloc((size_t)count * 2, sizeof *w);
  for (int i = 0; i < count && w && status == UM_OK; i++) {
    const int64_t n = um_tensor_count(&p[i].plain);
    w[2 * i] = gpu_room(n), w[2 * i + 1] = gpu_room(n);
    status = w[2 * i] && w[2 * i + 1] ? um_model_get(r->model, 'w', i, w[2 * i], &err) : um_fail(&err, UM_ENOMEM, "no memory");
    if (status == UM_OK) status = um_model_get(r->model, 'g', i, w[2 * i + 1], &err);
  }
  for (int side = 0; side < 3 && status == UM_OK; side++) {
    for (int i = 0; i < count && status == UM_OK; i++) {
      const int64_t n = um_tensor_count(&p[i].plain);
      float *moved = gpu_room(n);
      for (int64_t k = 0; moved && k < n; k++) moved[k] = w[2 * i][k] + (float)((side - 1) * h / norm * w[2 * i + 1][k]);
      status = moved ? um_model_set(r->model, 'w', i, moved, &err) : um_fail(&err, UM_ENOMEM, "no memory");
      free(moved);
    }
    if (status == UM_OK) status = first_batch(r, false, &loss[side], &err);
  }
  for (int i = 0; w && i < 2 * count; i++) free(w[i]);
  free(w);
  if (status != UM_OK) return gpu_fail("slope", &err);
  const double seen = (loss[2] - loss[0]) / (2 * h);
  printf("    slope along the gradient %.6g by differences, %.6g by the gradient\n", seen, norm);
  CHECK(fabs(seen / norm - 1) <= 0.02, "the slope along the gradient is %.6g, the gradient's norm %.6g", seen, norm);
  return true;
}

static void gradients(context *c) {
  static const um_engine engine[] = {UM_ENGINE_NATIVE, UM_ENGINE_CUDNN};
  static const double of_norm[] = {5e-3, 0.1, 0.3}; /* a maximum or a ReLU that falls the other way moves a whole gradient */
  const gpu_options host = on_cpu(c);
  const gpu_recipe plain = recipe(c, UM_ENGINE_AUTO, UM_PRECISION_FP32);
  gpu_run cpu;
  um_error err = {0};
  double loss;
  if (gpu_run_open(&cpu, &host, &plain, &err) != UM_OK || first_batch(&cpu, true, &loss, &err) != UM_OK) {
    gpu_begin("gradients on the cpu backend");
    gpu_end(&c->tally, gpu_fail("cpu", &err));
    gpu_run_close(&cpu);
    return;
  }
  for (int precision = 0; precision < 3; precision++)
    for (size_t e = 0; e < sizeof engine / sizeof *engine; e++) {
      const gpu_recipe how = recipe(c, engine[e], (um_precision)precision);
      const char *name = gpu_precision_name((um_precision)precision);
      gpu_run r;
      const int status = gpu_run_open(&r, &c->o, &how, &err);
      if (!r.be || status == UM_EUNSUPPORTED) {
        gpu_skip(&c->tally, "gradients in %s, engine %s: %s", name, gpu_engine_name(engine[e]), err.text);
        gpu_run_close(&r);
        continue;
      }
      gpu_begin("gradients in %s, engine %s", name, gpu_engine_name(engine[e]));
      bool ok = status == UM_OK && first_batch(&r, true, &loss, &err) == UM_OK;
      if (!ok) gpu_fail("gradients", &err);
      ok = ok && compare_gradients(&r, &cpu, of_norm[precision]);
      if (precision == UM_PRECISION_FP32) ok = ok && slope(&r);
      gpu_end(&c->tally, ok);
      gpu_run_close(&r);
    }
  gpu_run_close(&cpu);
}

int main(int argc, char **argv) {
  static context c;
  um_backend *be;
  um_error err = {0};
  char text[256];
  if (!gpu_parse(&c.o, "gradients|losses|recipe", argc, argv)) return 2;
  c.side = c.o.small ? 16 : 150;
  c.batch = c.o.batch ? c.o.batch : c.o.small ? 4 : 10;
  c.steps = c.o.steps ? c.o.steps : c.o.small ? 8 : 100;
  if (c.steps > MOST) c.steps = MOST;
  if (gpu_open(&be, &c.o, UM_ENGINE_NATIVE, &err) != UM_OK) {
    fprintf(stderr, "%s: %s\n", c.o.program, err.text);
    return um_exit_status(err.code);
  }
  be->ops->describe(be, text, sizeof text);
  be->ops->close(be);
  printf("%s\n", text);
  if (gpu_wanted(&c.o, "gradients")) gradients(&c);
  if (gpu_wanted(&c.o, "losses")) losses(&c);
  if (gpu_wanted(&c.o, "recipe")) recipes(&c);
  return gpu_finish(&c.tally);
}
