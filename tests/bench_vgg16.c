/* VGG16 at 150x150 on the cpu backend: images/s of a training step and of inference, whole and by layer, beside the fastest matrix
 * product that the machine does in the same run.
 *
 *   bench_vgg16 [--layers] [--algorithm auto|direct|winograd] [--threads N] MODE BATCH [REPEATS]
 *
 * MODE is train or infer. Prints "images/s MEDIAN  peak_MB RSS" last, for scripts; --layers prints the table and the peak too.
 * A step feeds bytes (through the identity of the random transform), goes forward and backward and steps RMSprop; the repeats'
 * median counts. GFLOP/s are those of direct convolution, so Winograd's may exceed the peak. */
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/file.h"
#include "core/model.h"
#include "core/rng.h"

enum { SIDE = 150, REPEATS_MAX = 1000 };

typedef struct options {
  bool layers, training;
  um_algorithm algorithm;
  int threads, batch, repeats;
} options;

static int usage(void) {
  fprintf(stderr, "usage: bench_vgg16 [--layers] [--algorithm auto|direct|winograd] [--threads N] train|infer BATCH [REPEATS]\n");
  return 2;
}

static bool parse(options *o, int argc, char **argv) {
  int i = 1;
  *o = (options){.algorithm = UM_ALGO_AUTO, .repeats = 5};
  for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
    if (strcmp(argv[i], "--layers") == 0) {
      o->layers = true;
    } else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      o->threads = atoi(argv[++i]);
    } else if (strcmp(argv[i], "--algorithm") == 0 && i + 1 < argc) {
      i++;
      o->algorithm = strcmp(argv[i], "direct") == 0 ? UM_ALGO_DIRECT : strcmp(argv[i], "winograd") == 0 ? UM_ALGO_WINOGRAD : UM_ALGO_AUTO;
    } else {
      return false;
    }
  }
  if (argc - i < 2 || argc - i > 3) return false;
  o->training = strcmp(argv[i], "train") == 0;
  o->batch = atoi(argv[i + 1]);
  if (argc - i == 3) o->repeats = atoi(argv[i + 2]);
  return (o->training || strcmp(argv[i], "infer") == 0) && o->batch > 0 && o->repeats > 0 && o->repeats <= REPEATS_MAX;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* GFLOP/s of the best of a few square matrix products. */
static double gemm_peak(void) {
  const dnnl_dim_t n = 2048;
  const size_t bytes = (size_t)(n * n) * sizeof(float);
  float *a = aligned_alloc(64, bytes), *b = aligned_alloc(64, bytes), *c = aligned_alloc(64, bytes);
  double best = 0;
  for (dnnl_dim_t i = 0; a && b && c && i < n * n; i++) a[i] = b[i] = (float)(i % 7) - 3;
  for (int r = 0; a && b && c && r < 6; r++) {
    const double start = um_seconds();
    dnnl_sgemm('N', 'N', n, n, n, 1.f, a, n, b, n, 0.f, c, n);
    const double rate = 2e-9 * (double)n * (double)n * (double)n / (um_seconds() - start);
    if (rate > best) best = rate;
  }
  free(a);
  free(b);
  free(c);
  return best;
}

static int make_graph(um_graph *g, um_error *err) {
  int at = um_graph_add_vgg16(g, SIDE, SIDE, err);
  if (at >= 0) at = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err);
  if (at >= 0) at = um_graph_add_dense(g, "dense", at, 256, UM_ACT_RELU, err);
  if (at >= 0) at = um_graph_add_dense(g, "dense_1", at, 1, UM_ACT_NONE, err);
  if (at >= 0) at = um_graph_add_simple(g, "sigmoid", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err);
  return at < 0 ? at : UM_OK;
}

static int one_step(um_model *m, const options *o, const uint8_t *pixels, const float *labels, um_error *err) {
  const um_warp how = {.fill = UM_FILL_NEAREST, .scale = 1.f / 255};
  um_loss_sums sums;
  float logits[1024];
  int status = um_model_feed_pixels(m, pixels, NULL, o->batch, &how, err);
  if (status == UM_OK) status = um_model_forward(m, err);
  if (status == UM_OK && !o->training && o->batch <= 1024) status = um_model_logits(m, logits, err);
  if (status == UM_OK && o->training) status = um_model_backward(m, &sums, labels, err);
  if (status == UM_OK && o->training) status = um_model_step(m, 2e-5, err);
  return status;
}

static double conv_gflop(const um_graph *g, int node, int batch) {
  const um_node *n = &g->node[node], *from = &g->node[n->input[0]];
  if (n->op == UM_OP_DENSE) return 2e-9 * batch * (double)from->dim[0] * (double)n->dim[0];
  if (n->op != UM_OP_CONV2D) return 0;
  return 2e-9 * batch * (double)(n->dim[0] * n->dim[1] * n->dim[2]) * (double)(from->dim[2] * n->window.kernel[0] * n->window.kernel[1]);
}

static void print_rate(double seconds, double gflop) {
  if (seconds <= 0)
    printf("                ");
  else if (gflop <= 0)
    printf("%8.2f        ", seconds * 1e3);
  else
    printf("%8.2f %6.0f ", seconds * 1e3, gflop / seconds);
}

static void print_layers(um_model *m, const options *o) {
  const um_graph *g = um_model_graph(m);
  um_node_times outside;
  const um_node_times *t = um_model_times(m, &outside);
  printf("%-14s %15s %15s %15s %7s  %s\n", "", "forward", "backward data", "b. weights", "other", "algorithm");
  printf("%-14s %15s %15s %15s %7s\n", "layer", "ms  GFLOP/s", "ms  GFLOP/s", "ms  GFLOP/s", "ms");
  for (int i = 1; i < g->count; i++) {
    const um_op *op = um_model_op(m, i);
    const double gflop = conv_gflop(g, i, o->batch), scale = 1.0 / o->repeats;
    if (!op && t[i].other == 0) continue;
    printf("%-14s", g->node[i].name);
    print_rate(t[i].forward * scale, gflop);
    print_rate(t[i].backward_data * scale, gflop);
    print_rate(t[i].backward_weights * scale, gflop);
    printf("%7.2f  %s\n", t[i].other * scale * 1e3, op ? op->algorithm : "");
  }
  printf("%-14s feeding %.2f ms, loss and optimizer %.2f ms\n", "outside", outside.forward / o->repeats * 1e3,
         outside.other / o->repeats * 1e3);
}

int main(int argc, char **argv) {
  options o;
  um_error err = {0};
  um_backend *be = NULL;
  um_graph g = {0};
  um_model *m = NULL;
  uint8_t *pixels = NULL;
  float *labels = NULL;
  double seconds[REPEATS_MAX], peak = 0;
  char device[160];
  int status;
  if (!parse(&o, argc, argv)) return usage();
  const um_model_options mo = {.batch = o.batch,
                               .training = o.training,
                               .algorithm = o.algorithm,
                               .optimizer = {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7}};
  const size_t bytes = (size_t)o.batch * SIDE * SIDE * 3;
  if ((status = make_graph(&g, &err)) != UM_OK) goto done;
  if ((status = um_cpu_open(&be, o.threads, &err)) != UM_OK) goto done;
  if ((status = um_model_create(&m, &g, be, &mo, &err)) != UM_OK) goto done;
  if ((status = um_model_init(m, 1, &err)) != UM_OK) goto done;
  pixels = malloc(bytes);
  labels = malloc((size_t)o.batch * sizeof *labels);
  if (!pixels || !labels) {
    status = um_fail(&err, UM_ENOMEM, "no memory for a batch of %d", o.batch);
    goto done;
  }
  for (size_t i = 0; i < bytes; i++) pixels[i] = (uint8_t)(um_rng_bits(&(um_rng){.stream = UM_STREAM_TEST}, (uint32_t)i) >> 24);
  for (int i = 0; i < o.batch; i++) labels[i] = (float)(i % 2);
  for (int i = 0; i < 2; i++) /* touches every page and warms the caches and the clock up */
    if ((status = one_step(m, &o, pixels, labels, &err)) != UM_OK) goto done;
  if (o.layers) um_model_time(m, true);
  for (int i = 0; i < o.repeats; i++) {
    const double start = um_seconds();
    if ((status = one_step(m, &o, pixels, labels, &err)) != UM_OK) goto done;
    seconds[i] = um_seconds() - start;
  }
  qsort(seconds, (size_t)o.repeats, sizeof *seconds, by_value);
  const double median = seconds[o.repeats / 2];
  struct rusage usage_now;
  getrusage(RUSAGE_SELF, &usage_now); /* before the matrices of gemm_peak */
  if (o.layers) {
    double gflop = 0;
    for (int i = 1; i < g.count; i++) {
      const double forward = conv_gflop(&g, i, o.batch);
      gflop += forward * (o.training ? (i == 1 ? 2 : 3) : 1); /* nobody wants the gradient of the pictures */
    }
    be->ops->describe(be, device, sizeof device);
    peak = gemm_peak();
    printf("VGG16 at %dx%d, %s, batch %d: %s\n", SIDE, SIDE, o.training ? "training step" : "inference", o.batch, device);
    print_layers(m, &o);
    printf("%.2f images/s, %.1f ms a batch, %.0f GFLOP/s (as direct): %.2f of the fastest matrix product's %.0f; planned %.0f MB\n",
           o.batch / median, median * 1e3, gflop / median, gflop / median / peak, peak, (double)um_model_memory_of(m)->total / 1e6);
  }
  printf("images/s %.3f  peak_MB %.0f\n", o.batch / median, (double)usage_now.ru_maxrss * 1024 / 1e6);
done:
  free(pixels);
  free(labels);
  um_model_free(m);
  um_graph_free(&g);
  if (be) be->ops->close(be);
  if (status != UM_OK) fprintf(stderr, "bench_vgg16: %s\n", err.text);
  return um_exit_status(status);
}
