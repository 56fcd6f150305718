/* Every kernel of the cuda backend, alternate and precision at VGG16's real shapes: random numbers, poisoned outputs between guards, every
 * value against the cpu backend in fp32 and some against sums in double.
 *
 *   gpu_ops [--device cuda[:N]] [--small] [--batch N] [--seed N] [ways] [table] [rest] [more]
 *
 *   ways    each way of each pass of each layer: our kernels' variants, cuDNN's and cuBLASLt's algorithms
 *   table   the layers through the op table, as models run them, with each engine
 *   rest    pooling, slopes, casts, sums, the random transform, loss with sample weights, optimizers with weight decay
 *   more    the layers of the dct backbone and of MTCNN's networks; PReLU, softmax, dropout
 *
 * Exit status 0 where all that could be run passed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda.h"
#include "support/layers.h"
#include "support/ops_more.h"
#include "support/ops_rest.h"

enum { SAMPLES = 200 };

/* ---- ways ---- */

typedef struct operands {
  void *x, *w, *b, *dy; /* device */
} operands;

static operands bring(check_lab *lab, const gpu_problem *p, um_dtype type) {
  return (operands){gpu_input(lab, p->in[0], p->x, type, "x"), gpu_input(lab, p->in[1], p->w, type, "w"),
                    gpu_input(lab, p->in[2], p->b, UM_F32, "bias"), gpu_input(lab, p->in[3], p->y, type, "dy")};
}

/* What a pass gave, against what it should be; norm: of the differences, over that of what it should be. */
static bool judge(const gpu_problem *p, int pass, const float *got, um_precision precision, bool vendor, bool rough, const char *name,
                  double *norm) {
  const int as = rough ? GPU_FORWARD : pass; /* rough: a gradient of weights in bf16 */
  gpu_bound bound = gpu_pass_bound(precision, vendor, as, gpu_problem_products(p, pass));
  char what[256];
  bound.of_norm *= 1 + 4 / sqrt((double)gpu_problem_count(p, pass)); /* of few values a norm is no mean */
  snprintf(what, sizeof what, "%s %s %s, %s", p->layer->name, gpu_pass_name(pass), gpu_precision_name(precision), name);
  if (!gpu_near(what, got, p->want[pass], p->magnitude[pass], gpu_problem_count(p, pass), bound, norm)) return false;
  return gpu_problem_samples(p, pass, got, bound, SAMPLES) || check_fail("%s", what);
}

static bool run_way(um_cuda *cuda, const gpu_problem *p, int pass, const um_cuda_conv *g, const um_conv_way *way, const operands *o,
                    bool vendor) {
  const um_dtype type = g->precision == UM_PRECISION_BF16 && pass != GPU_BACKWARD_WEIGHTS ? UM_BF16 : UM_F32;
  const int64_t count = gpu_problem_count(p, pass);
  const void *a = pass == GPU_BACKWARD_DATA ? o->dy : o->x, *b = pass == GPU_BACKWARD_WEIGHTS ? o->dy : o->w;
  check_lab lab = {.be = &cuda->base};
  um_error err = {0};
  double norm = 0;
  void *out = check_memory(&lab, (size_t)count * um_dtype_size(type), "the output"), *scratch = check_memory(&lab, way->scratch, "scratch");
  float *got = gpu_room(count);
  bool ok = out && got && (scratch || way->scratch == 0);
  if (ok && way->run(cuda, g, way, out, a, b, pass == GPU_FORWARD ? o->b : NULL, scratch, cuda->compute, &err) != UM_OK)
    ok = gpu_fail(way->name, &err);
  ok = ok && gpu_output(&lab, got, out, count, type) && judge(p, pass, got, g->precision, vendor, way->rough, way->name, &norm);
  ok = check_close(&lab) && ok;
  printf("    %-16s %-4s %-18s %-28s %9.2e  %s\n", p->layer->name, gpu_precision_name(g->precision), gpu_pass_name(pass), way->name, norm,
         ok ? "" : "FAILED");
  free(got);
  return ok;
}

typedef int (*ways_of)(const um_cuda *, const um_cuda_conv *, um_conv_pass, um_conv_way *, int);

/* All ways of a layer; how many there were goes to *ran by provider. */
static bool layer_ways(um_cuda *cuda, const gpu_problem *p, um_precision precision, int ran[3]) {
  static const ways_of provider[] = {um_cuda_native_ways, um_cudnn_ways, um_cublas_ways};
  const um_cuda_conv g = gpu_layer_geometry(p->layer, p->batch, precision);
  check_lab lab = {.be = &cuda->base};
  const operands o = bring(&lab, p, precision == UM_PRECISION_BF16 ? UM_BF16 : UM_F32);
  bool ok = o.x && o.w && o.b && o.dy;
  for (int pass = 0; pass < GPU_PASSES && ok; pass++) {
    if (pass == GPU_BACKWARD_DATA && p->layer->first) continue;
    for (int v = 0; v < 3; v++) {
      um_conv_way way[UM_CONV_WAYS] = {0};
      const int count = provider[v](cuda, &g, (um_conv_pass)pass, way, UM_CONV_WAYS);
      if (v == 0 && count < 1) ok = check_fail("%s %s: no native way", p->layer->name, gpu_pass_name(pass));
      for (int i = 0; i < count; i++) {
        if (way[i].scratch <= cuda->workspace_limit) {
          ok = run_way(cuda, p, pass, &g, &way[i], &o, v > 0) && ok;
          ran[v]++;
        }
        if (way[i].plan && way[i].free_plan) way[i].free_plan(way[i].plan);
      }
    }
  }
  return check_close(&lab) && ok;
}

/* ---- through the table ---- */

/* A layer as a model runs it: forward with bias and ReLU, then both gradients and the bias'. */
static bool layer_table(um_backend *be, const gpu_problem *p, um_precision precision) {
  const um_ops *ops = be->ops;
  um_dtype type = UM_F32;
  um_error err = {0};
  um_op *op = NULL;
  check_lab lab = {.be = be};
  ops->precision(be, precision, &type);
  const um_op_desc d = gpu_layer_desc(p->layer, p->batch, precision, type);
  if (ops->plan(be, &d, &op, &err) != UM_OK) return gpu_fail(p->layer->name, &err);
  const operands o = bring(&lab, p, type);
  const bool conv = d.kind == UM_OP_CONV2D;
  void *scratch = check_memory(&lab, op->scratch_bytes, "scratch");
  um_tensor x = op->x[0], y = op->y, dx = x, dy = y, w = op->w, b = op->b, dw = op->w, db = op->b;
  float *got = gpu_room(p->x > p->y ? (p->x > p->w ? p->x : p->w) : (p->y > p->w ? p->y : p->w));
  bool ok = o.x && o.w && o.b && o.dy && got;
  w.dtype = op->compute == UM_BF16 ? UM_BF16 : UM_F32;
  x.data = o.x, w.data = o.w, b.data = o.b, dy.data = o.dy;
  y.data = check_memory(&lab, (size_t)p->y * um_dtype_size(type), "y"),
  dx.data = check_memory(&lab, (size_t)p->x * um_dtype_size(type), "dx");
  dw.data = check_memory(&lab, (size_t)p->w * sizeof(float), "dw"), db.data = check_memory(&lab, (size_t)p->b * sizeof(float), "db");
  int status = conv ? ops->conv2d_forward(op, &y, &x, &w, &b, scratch, &err) : ops->dense_forward(op, &y, &x, &w, &b, scratch, &err);
  if (status == UM_OK)
    status = conv ? ops->conv2d_backward_weights(op, &dw, &db, &x, &dy, scratch, &err)
                  : ops->dense_backward_weights(op, &dw, &db, &x, &dy, scratch, &err);
  if (status == UM_OK && !p->layer->first)
    status = conv ? ops->conv2d_backward_data(op, &dx, &dy, &w, scratch, &err) : ops->dense_backward_data(op, &dx, &dy, &w, scratch, &err);
  if (status != UM_OK) ok = gpu_fail(p->layer->name, &err);
  /* The library that ran is not known here, so the wider bounds count. */
  ok = ok && gpu_output(&lab, got, y.data, p->y, type) && judge(p, GPU_FORWARD, got, precision, true, false, op->algorithm, NULL);
  ok = ok && gpu_output(&lab, got, dw.data, p->w, UM_F32) &&
       judge(p, GPU_BACKWARD_WEIGHTS, got, precision, true, false, op->algorithm, NULL);
  ok = ok && gpu_output(&lab, got, db.data, p->b, UM_F32) &&
       gpu_near("db", got, p->want[3], p->magnitude[3], p->b, (gpu_bound){2e-6, 0, 1e-4}, NULL);
  if (!p->layer->first)
    ok = ok && gpu_output(&lab, got, dx.data, p->x, type) && judge(p, GPU_BACKWARD_DATA, got, precision, true, false, op->algorithm, NULL);
  printf("    %-16s %-4s %s%s\n", p->layer->name, gpu_precision_name(precision), op->algorithm, ok ? "" : "  FAILED");
  ok = check_close(&lab) && ok;
  ops->plan_free(op);
  free(got);
  return ok;
}

/* ---- all of it ---- */

typedef struct run {
  gpu_options o;
  gpu_tally tally;
  um_backend *cpu, *native, *cudnn, *automatic;
  int batch;
} run;

static void check_layer(run *r, const gpu_layer *l, bool bf16, int ran[3]) {
  gpu_problem p;
  if (!gpu_problem_make(&p, l, r->batch, bf16, r->o.seed, r->cpu)) {
    gpu_begin("%s", l->name);
    gpu_end(&r->tally, false);
    gpu_problem_free(&p);
    return;
  }
  for (int precision = UM_PRECISION_FP32; precision <= UM_PRECISION_BF16; precision++) {
    um_dtype type;
    if ((precision == UM_PRECISION_BF16) != bf16) continue;
    if (!r->native->ops->precision(r->native, (um_precision)precision, &type)) {
      gpu_skip(&r->tally, "%s in %s: the device does not compute in it", l->name, gpu_precision_name((um_precision)precision));
      continue;
    }
    if (gpu_wanted(&r->o, "ways")) {
      gpu_begin("ways: %s, %s, batch %d", l->name, gpu_precision_name((um_precision)precision), r->batch);
      gpu_end(&r->tally, layer_ways((um_cuda *)r->automatic, &p, (um_precision)precision, ran));
    }
    if (!gpu_wanted(&r->o, "table")) continue;
    um_backend *const be[] = {r->native, r->cudnn, r->automatic};
    static const char *const name[] = {"native", "cudnn", "auto"};
    for (int i = 0; i < 3; i++) {
      if (!be[i]) continue;
      gpu_begin("table: %s, %s, batch %d, engine %s", l->name, gpu_precision_name((um_precision)precision), r->batch, name[i]);
      gpu_end(&r->tally, layer_table(be[i], &p, (um_precision)precision));
    }
  }
  gpu_problem_free(&p);
}

int main(int argc, char **argv) {
  run r = {0};
  um_error err = {0};
  int count, ran[3] = {0}, status;
  char text[256];
  if (!gpu_parse(&r.o, "ways|table|rest|more", argc, argv)) return 2;
  r.batch = r.o.batch ? r.o.batch : r.o.small ? 2 : 10;
  if ((status = gpu_open(&r.native, &r.o, UM_ENGINE_NATIVE, &err)) != UM_OK || (status = um_cpu_open(&r.cpu, 0, &err)) != UM_OK) goto done;
  if (strcmp(r.native->ops->name, "cuda") != 0) {
    status = um_fail(&err, UM_ECONFIG, "--device %s: expected cuda or cuda:N", r.o.device);
    goto done;
  }
  r.native->ops->describe(r.native, text, sizeof text);
  printf("%s\n", text);
  if (gpu_open(&r.cudnn, &r.o, UM_ENGINE_CUDNN, &err) != UM_OK) gpu_skip(&r.tally, "engine cudnn: %s", err.text);
  if ((status = gpu_open(&r.automatic, &r.o, UM_ENGINE_AUTO, &err)) != UM_OK) goto done;
  if (gpu_wanted(&r.o, "ways") || gpu_wanted(&r.o, "table")) {
    const gpu_layer *l = gpu_layers(r.o.small, &count);
    for (int i = 0; i < count; i++)
      for (int bf16 = 0; bf16 < 2; bf16++) check_layer(&r, &l[i], bf16, ran);
    printf("ways that were run: %d native, %d cuDNN, %d cuBLASLt\n", ran[0], ran[1], ran[2]);
  }
  if (gpu_wanted(&r.o, "rest")) gpu_ops_rest(&r.tally, &r.o, r.native, "native", false, r.batch);
  if (gpu_wanted(&r.o, "rest") && r.cudnn) gpu_ops_rest(&r.tally, &r.o, r.cudnn, "cudnn", true, r.batch);
  if (gpu_wanted(&r.o, "more")) gpu_ops_more(&r.tally, &r.o, r.native, "native", false);
  if (gpu_wanted(&r.o, "more") && r.cudnn) gpu_ops_more(&r.tally, &r.o, r.cudnn, "cudnn", true);
  if (gpu_wanted(&r.o, "more") && !r.o.small) gpu_ops_more(&r.tally, &r.o, r.automatic, "auto", true);
done:
  if (status != UM_OK) fprintf(stderr, "%s: %s\n", r.o.program, err.text);
  um_backend *const open[] = {r.automatic, r.cudnn, r.native, r.cpu};
  for (int i = 0; i < 4; i++)
    if (open[i]) open[i]->ops->close(open[i]);
  return status != UM_OK ? um_exit_status(status) : gpu_finish(&r.tally);
}
