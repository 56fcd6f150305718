/* gpu_bench rest and steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "train.h"

/* ---- the whole step ---- */

static int one_step(void *context, int i, um_error *err) {
  (void)i;
  return gpu_run_queue(context, 1, 0, 2e-5, true, err);
}

/* The floor of a step: every pass' larger floor, the optimizer's bytes, nothing in between. */
static double step_floor(const bench *b, int batch, um_precision precision) {
  int count;
  const gpu_layer *l = gpu_layers(b->o.small, &count);
  double seconds = 0, parameters = 0;
  for (int i = 0; i < count; i++) {
    parameters += l[i].count * ((double)l[i].in * l[i].out * l[i].kernel * l[i].kernel + l[i].out);
    for (int pass = 0; pass < GPU_PASSES; pass++)
      if (pass != GPU_BACKWARD_DATA || !l[i].first)
        seconds +=
            l[i].count * fmax(gpu_layer_flop(&l[i], batch) / b->flops[precision], gpu_layer_bytes(&l[i], batch, precision, pass) / b->copy);
  }
  /* RMSprop: weight and state read and written, gradient read, a bf16 copy written. */
  return seconds + parameters * (20 + (precision == UM_PRECISION_BF16 ? 2 : 0)) / b->copy;
}

static double step_flop(const bench *b, int batch) {
  int count;
  const gpu_layer *l = gpu_layers(b->o.small, &count);
  double flop = 0;
  for (int i = 0; i < count; i++) flop += l[i].count * gpu_layer_flop(&l[i], batch) * (l[i].first ? 2 : 3);
  return flop;
}

static int time_steps(bench *b, int batch, um_engine engine, um_precision precision, um_error *err) {
  const gpu_recipe how = {.engine = engine, .precision = precision, .side = b->o.small ? 16 : 150, .batch = batch, .training = true};
  gpu_run r;
  gpu_time t;
  gpu_timer timer = {0};
  um_report report = {0};
  int status = gpu_run_open(&r, &b->o, &how, err);
  if (!r.be || status == UM_EUNSUPPORTED) {
    printf("%-5s %5d %-7s left out: %s\n", gpu_precision_name(precision), batch, gpu_engine_name(engine), err->text);
    gpu_run_close(&r);
    return UM_OK;
  }
  r.fixed = true;
  if (status == UM_OK) status = gpu_timer_open(&timer, r.be, b->o.small, err);
  if (status == UM_OK) status = gpu_timer_steps(&timer, &t, one_step, &r, b->o.small ? 2 : 10, err);
  if (status == UM_OK) status = um_model_report(r.model, &report, err);
  if (status == UM_OK) status = um_model_check(r.model, &report, err);
  gpu_timer_close(&timer);
  gpu_run_close(&r);
  if (status != UM_OK)
    return um_fail_context(err, "%s, engine %s, batch %d", gpu_precision_name(precision), gpu_engine_name(engine), batch);
  const double floor = step_floor(b, batch, precision);
  printf("%-5s %5d %-7s %10.3f %10.3f %10.3f %11.1f %9.1f %6.1f %9.3f %6.2f\n", gpu_precision_name(precision), batch,
         gpu_engine_name(engine), t.median * 1e3, t.least * 1e3, t.most * 1e3, batch / t.median, step_flop(b, batch) / t.median * 1e-12,
         100 * step_flop(b, batch) / t.median / b->flops[precision], floor * 1e3, floor / t.median);
  fflush(stdout);
  if (b->json)
    fprintf(b->json,
            "{\"who\": \"unmask\", \"engine\": \"%s\", \"precision\": \"%s\", \"batch\": %d, \"ms\": %.5f, \"least_ms\": %.5f, "
            "\"most_ms\": %.5f}\n",
            gpu_engine_name(engine), gpu_precision_name(precision), batch, t.median * 1e3, t.least * 1e3, t.most * 1e3);
  return UM_OK;
}

int bench_steps(bench *b, um_error *err) {
  static const int batches[] = {10, 32, 128};
  static const um_precision order[] = {UM_PRECISION_BF16, UM_PRECISION_TF32, UM_PRECISION_FP32};
  static const um_engine engine[] = {UM_ENGINE_AUTO, UM_ENGINE_NATIVE, UM_ENGINE_CUDNN};
  int status = UM_OK;
  printf(
      "\nTraining steps: upload, random transform, forward, loss, backward, RMSprop; floor: the larger of arithmetic and bytes of every\n"
      "convolution and dense pass, and the optimizer's bytes\n");
  printf("%-5s %5s %-7s %10s %10s %10s %11s %9s %6s %9s %6s\n", "", "batch", "engine", "ms a step", "least", "most", "images/s", "TFLOP/s",
         "% peak", "floor ms", "floor/");
  for (int n = 0; n < (b->o.small || b->o.batch ? 1 : 3); n++)
    for (int p = 0; p < 3; p++)
      for (int e = 0; e < 3 && status == UM_OK; e++)
        status = time_steps(b, b->o.batch ? b->o.batch : b->o.small ? 2 : batches[n], engine[e], order[p], err);
  return status;
}

/* ---- what moves bytes ---- */

typedef enum kind { POOL_FORWARD, POOL_BACKWARD, SLOPE, CAST, WARP, OPTIMIZER } kind;

typedef struct job {
  bench *b;
  kind what;
  um_op *op;
  int sets;
  um_tensor in[BENCH_SETS], out[BENCH_SETS], y[BENCH_SETS];
  void *workspace[BENCH_SETS];
  void *scratch;
  um_warp_sample *sample;
  um_control *control;
  um_report *report;
  um_warp how;
  um_optimizer optimizer;
  float *w, *v, *g;
  uint16_t *copy;
  int64_t parameters;
} job;

static int launch(void *context, int i, um_error *err) {
  job *j = context;
  um_backend *be = j->b->be;
  const um_ops *ops = be->ops;
  const int s = i % j->sets;
  switch (j->what) {
  case POOL_FORWARD: return ops->pool_forward(j->op, &j->out[s], j->workspace[s], &j->in[s], j->scratch, err);
  case POOL_BACKWARD: return ops->pool_backward(j->op, &j->in[s], &j->out[s], j->workspace[s], j->scratch, err);
  case SLOPE: return ops->activation_backward(j->op, &j->out[s], &j->in[s], &j->y[s], err);
  case CAST: return ops->reorder(be, &j->out[s], &j->in[s], err);
  case WARP: return ops->warp(be, &j->out[s], &j->in[s], j->sample, j->control, &j->how, err);
  case OPTIMIZER:
    return ops->optimizer_step(be, &j->optimizer, j->w, j->copy, NULL, j->v, j->report, j->g, NULL, j->parameters, j->control, err);
  default: return um_fail(err, UM_EINTERNAL, "no such work");
  }
}

static int tensor(bench_memory *m, um_tensor *t, um_dtype type, int64_t n, int64_t h, int64_t c, um_error *err) {
  *t = um_tensor_plain(type, 4, (int64_t[]){n, h, h, c});
  t->data = bench_alloc(m, t->bytes, err);
  return t->data ? bench_fill(m, t->data, um_tensor_count(t), type, err) : UM_ENOMEM;
}

static int report_time(bench *b, job *j, const char *name, double bytes, um_error *err) {
  gpu_time t;
  const int status = gpu_timer_run(&b->timer, &t, launch, j, j->sets, err);
  if (status != UM_OK) return um_fail_context(err, "%s", name);
  printf("%-34s %9.1f us %8.1f MB %7.3f TB/s %5.1f %% of the copy's\n", name, t.median * 1e6, bytes * 1e-6, bytes / t.median * 1e-12,
         100 * bytes / t.median / b->copy);
  fflush(stdout);
  return UM_OK;
}

/* Pools and slopes of one of VGG16's blocks. */
static int block(bench *b, int batch, int side, int channels, um_dtype type, um_error *err) {
  const um_ops *ops = b->be->ops;
  bench_memory m = {.be = b->be};
  job j = {.b = b};
  char name[64];
  um_op_desc d = {.kind = UM_OP_MAX_POOL,
                  .n_inputs = 1,
                  .passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA,
                  .window = {.kernel = {2, 2}, .stride = {2, 2}}};
  d.precision = type == UM_BF16 ? UM_PRECISION_BF16 : UM_PRECISION_FP32;
  d.x[0] = um_tensor_plain(type, 4, (int64_t[]){batch, side, side, channels});
  d.y = um_tensor_plain(type, 4, (int64_t[]){batch, side / 2, side / 2, channels});
  const double x = (double)d.x[0].bytes, y = (double)d.y.bytes;
  int status = ops->plan(b->be, &d, &j.op, err);
  const double bits = status == UM_OK ? (double)j.op->workspace_bytes : 0;
  j.sets = bench_sets(b, x + y);
  if (status == UM_OK && j.op->scratch_bytes && !(j.scratch = bench_alloc(&m, j.op->scratch_bytes, err))) status = UM_ENOMEM;
  for (int s = 0; s < j.sets && status == UM_OK; s++) {
    status = tensor(&m, &j.in[s], type, batch, side, channels, err);
    if (status == UM_OK) status = tensor(&m, &j.out[s], type, batch, side / 2, channels, err);
    if (status == UM_OK && bits > 0 && !(j.workspace[s] = bench_alloc(&m, j.op->workspace_bytes, err))) status = UM_ENOMEM;
  }
  snprintf(name, sizeof name, "max_pool forward %dx%dx%d", side, side, channels);
  if (status == UM_OK) status = report_time(b, &j, name, x + y + bits, err);
  snprintf(name, sizeof name, "max_pool backward %dx%dx%d", side, side, channels);
  j.what = POOL_BACKWARD;
  if (status == UM_OK) status = report_time(b, &j, name, x + y + bits, err);
  if (j.op) ops->plan_free(j.op);
  bench_free(&m);
  if (status != UM_OK) return status;

  j = (job){.b = b, .what = SLOPE, .sets = bench_sets(b, 3 * x)};
  d.kind = UM_OP_RELU;
  d.y = d.x[0];
  status = ops->plan(b->be, &d, &j.op, err);
  for (int s = 0; s < j.sets && status == UM_OK; s++) {
    status = tensor(&m, &j.in[s], type, batch, side, channels, err);
    if (status == UM_OK) status = tensor(&m, &j.out[s], type, batch, side, channels, err);
    if (status == UM_OK) status = tensor(&m, &j.y[s], type, batch, side, channels, err);
  }
  snprintf(name, sizeof name, "slope of relu %dx%dx%d", side, side, channels);
  if (status == UM_OK) status = report_time(b, &j, name, 3 * x, err);
  if (j.op) ops->plan_free(j.op);
  bench_free(&m);
  return status;
}

static int casts(bench *b, um_error *err) {
  bench_memory m = {.be = b->be};
  const int64_t n = b->o.small ? 1000 : 16812353;
  job j = {.b = b, .what = CAST, .sets = bench_sets(b, 6.0 * (double)n)};
  int status = UM_OK;
  for (int s = 0; s < j.sets && status == UM_OK; s++) {
    status = tensor(&m, &j.in[s], UM_F32, n, 1, 1, err);
    if (status == UM_OK) status = tensor(&m, &j.out[s], UM_BF16, n, 1, 1, err);
  }
  if (status == UM_OK) status = report_time(b, &j, "f32 to bf16, all parameters", 6.0 * (double)n, err);
  bench_free(&m);
  return status;
}

static int warps(bench *b, int batch, um_dtype type, um_error *err) {
  const int side = b->o.small ? 12 : 150;
  const double bytes = (double)batch * side * side * 3 * (1 + (double)um_dtype_size(type));
  const um_control control = {.n = batch, .step = 1};
  bench_memory m = {.be = b->be};
  job j = {.b = b, .what = WARP, .sets = bench_sets(b, bytes), .how = {.fill = UM_FILL_NEAREST, .scale = 1 / 255.f}};
  um_warp_sample *sample = malloc(sizeof *sample * (size_t)batch);
  int status = UM_OK;
  j.sample = bench_alloc(&m, sizeof *sample * (size_t)batch, err), j.control = bench_alloc(&m, sizeof control, err);
  if (!sample || !j.sample || !j.control) status = UM_ENOMEM;
  if (status == UM_OK) {
    gpu_samples(sample, 1, 0, batch, side);
    status = b->be->ops->upload(b->be, j.sample, sample, sizeof *sample * (size_t)batch, err);
  }
  if (status == UM_OK) status = b->be->ops->upload(b->be, j.control, &control, sizeof control, err);
  for (int s = 0; s < j.sets && status == UM_OK; s++) {
    status = tensor(&m, &j.in[s], UM_U8, batch, side, 3, err);
    if (status == UM_OK) status = tensor(&m, &j.out[s], type, batch, side, 3, err);
  }
  if (status == UM_OK) status = report_time(b, &j, "warp, random transforms", bytes, err);
  free(sample);
  bench_free(&m);
  return status;
}

static int optimizers(bench *b, bool copy, um_error *err) {
  const int64_t n = b->o.small ? 1000 : 16812353;
  const um_control control = {.n = 1, .step = 1, .rate = 2e-5};
  bench_memory m = {.be = b->be};
  um_report report;
  job j = {.b = b, .what = OPTIMIZER, .sets = 1, .parameters = n, .optimizer = {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7}};
  float **const part[] = {&j.w, &j.v, &j.g};
  int status = UM_OK;
  um_report_reset(&report);
  for (int i = 0; i < 3 && status == UM_OK; i++)
    status = (*part[i] = bench_alloc(&m, sizeof(float) * (size_t)n, err)) ? bench_fill(&m, *part[i], n, UM_F32, err) : UM_ENOMEM;
  if (status == UM_OK) status = b->be->ops->zero(b->be, j.v, sizeof(float) * (size_t)n, err); /* a state is never negative */
  if (status == UM_OK && copy && !(j.copy = bench_alloc(&m, sizeof *j.copy * (size_t)n, err))) status = UM_ENOMEM;
  if (status == UM_OK && !(j.control = bench_alloc(&m, sizeof control, err))) status = UM_ENOMEM;
  if (status == UM_OK && !(j.report = bench_alloc(&m, sizeof report, err))) status = UM_ENOMEM;
  if (status == UM_OK) status = b->be->ops->upload(b->be, j.control, &control, sizeof control, err);
  if (status == UM_OK) status = b->be->ops->upload(b->be, j.report, &report, sizeof report, err);
  if (status == UM_OK)
    status = report_time(b, &j, copy ? "RMSprop, all parameters, bf16 copy" : "RMSprop, all parameters",
                         (20.0 + (copy ? 2 : 0)) * (double)n, err);
  bench_free(&m);
  return status;
}

/* Pools by cuDNN, beside ours above. */
static int pools_by_library(const bench *b, int batch, um_error *err) {
  static const int side[5] = {150, 75, 37, 18, 9}, channels[5] = {64, 128, 256, 512, 512};
  bench other = *b;
  int status = gpu_open(&other.be, &b->o, UM_ENGINE_CUDNN, err);
  if (status != UM_OK) {
    printf("\nPools by cuDNN left out: %s\n", err->text);
    return UM_OK;
  }
  printf("\nPools with engine cudnn, bf16, batch %d (the slopes are ours again)\n", batch);
  status = gpu_timer_open(&other.timer, other.be, b->o.small, err);
  for (int i = 0; i < 5 && status == UM_OK; i++) status = block(&other, batch, side[i], channels[i], UM_BF16, err);
  gpu_timer_close(&other.timer);
  other.be->ops->close(other.be);
  return status;
}

int bench_rest(bench *b, um_error *err) {
  static const int side[5] = {150, 75, 37, 18, 9}, channels[5] = {64, 128, 256, 512, 512};
  const int batch = b->o.batch ? b->o.batch : b->o.small ? 1 : 32;
  int status = UM_OK;
  for (int k = 0; k < 2 && status == UM_OK; k++) {
    const um_dtype type = k ? UM_F32 : UM_BF16;
    printf("\nBytes, %s, batch %d\n", um_dtype_name(type), batch);
    for (int i = 0; i < (b->o.small ? 1 : 5) && status == UM_OK; i++)
      status = block(b, batch, b->o.small ? 6 : side[i], b->o.small ? 8 : channels[i], type, err);
    if (status == UM_OK) status = warps(b, batch, type, err);
    if (status == UM_OK) status = optimizers(b, type == UM_BF16, err);
    if (status == UM_OK && type == UM_BF16) status = casts(b, err);
  }
  if (status == UM_OK) status = pools_by_library(b, batch, err);
  return status;
}
