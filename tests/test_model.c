/* The model over the ref backend: gradients against finite differences, short batches, frozen layers, the memory plan. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/model.h"
#include "core/model_impl.h"
#include "core/rng.h"

#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error e_ = {0};                                                                                                                     \
    um_error *err = &e_;                                                                                                                   \
    if ((call) < 0) fail_msg("%s: %s", #call, e_.text);                                                                                    \
  } while (0)

static const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
static const um_optimizer rmsprop = {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7};

static double uniform(uint32_t sample, uint32_t draw) {
  const um_rng at = {.seed = 7, .stream = UM_STREAM_TEST, .sample = sample};
  return um_rng_range(&at, draw, -1, 1);
}

static void fill(float *x, int64_t n, uint32_t sample) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)uniform(sample, (uint32_t)i);
}

/* conv -> pool -> conv -> flatten -> dense -> dense 1 -> sigmoid: VGG in small. */
static void build_chain(um_graph *g) {
  int at;
  *g = (um_graph){0};
  OK(at = um_graph_add_input(g, "input", 9, 7, 3, err));
  OK(at = um_graph_add_conv2d(g, "conv1", at, 5, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(at = um_graph_add_pool(g, "pool1", UM_OP_MAX_POOL, at, two, two, UM_PAD_VALID, err));
  OK(at = um_graph_add_conv2d(g, "conv2", at, 6, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(at = um_graph_add_pool(g, "pool2", UM_OP_AVG_POOL, at, two, two, UM_PAD_SAME, err));
  OK(at = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense", at, 8, UM_ACT_RELU, err));
  OK(at = um_graph_add_dense(g, "dense_1", at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err));
}

/* Everything that a chain has not: a value with three readers, an add with a fused activation, the same value added to itself, a
 * concat of unlike widths, activations as nodes (one of which may be done in place), strides, global pooling. */
static void build_dag(um_graph *g) {
  int x, a, b, c, d, e, f, at;
  *g = (um_graph){0};
  OK(x = um_graph_add_input(g, "input", 8, 6, 2, err));
  OK(a = um_graph_add_conv2d(g, "a", x, 4, three, one, UM_PAD_SAME, UM_ACT_NONE, err));
  OK(b = um_graph_add_conv2d(g, "b", a, 4, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(c = um_graph_add_simple(g, "c", UM_OP_ADD, (int[]){a, b}, 2, UM_ACT_RELU, err));
  OK(d = um_graph_add_simple(g, "d", UM_OP_CONCAT, (int[]){a, c, x}, 3, UM_ACT_NONE, err));
  OK(e = um_graph_add_conv2d(g, "e", d, 3, three, two, UM_PAD_SAME, UM_ACT_NONE, err));
  OK(e = um_graph_add_simple(g, "e_sigmoid", UM_OP_SIGMOID, &e, 1, UM_ACT_NONE, err));
  OK(f = um_graph_add_simple(g, "f", UM_OP_ADD, (int[]){e, e}, 2, UM_ACT_NONE, err));
  OK(f = um_graph_add_conv2d(g, "f_conv", f, 4, one, one, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(f = um_graph_add_simple(g, "f_relu", UM_OP_RELU, &f, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "gap", UM_OP_GLOBAL_AVG_POOL, &f, 1, UM_ACT_NONE, err));
  OK(e = um_graph_add_simple(g, "flat", UM_OP_FLATTEN, &e, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "join", UM_OP_CONCAT, (int[]){at, e}, 2, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense", at, 1, UM_ACT_NONE, err));
}

typedef struct fixture {
  um_backend *be;
  um_graph graph;
  um_model *model;
  int64_t in; /* floats a sample */
} fixture;

static void open_fixture(fixture *f, void (*build)(um_graph *), int64_t batch, bool training, const char *trainable) {
  const um_model_options o = {.batch = batch, .training = training, .trainable = trainable, .optimizer = rmsprop};
  OK(um_ref_open(&f->be, err));
  build(&f->graph);
  OK(um_model_create(&f->model, &f->graph, f->be, &o, err));
  OK(um_model_init(f->model, 3, err));
  f->in = f->graph.node[0].dim[0] * f->graph.node[0].dim[1] * f->graph.node[0].dim[2];
}

static void close_fixture(fixture *f) {
  um_model_free(f->model);
  um_graph_free(&f->graph);
  f->be->ops->close(f->be);
}

static const float labels[8] = {1, 0, 0, 1, 1, 0, 1, 0};

/* Mean loss of n samples with the parameters as they are. */
static double loss_of(fixture *f, const float *x, int64_t n) {
  um_loss_sums sums;
  OK(um_model_feed(f->model, x, n, err));
  OK(um_model_forward(f->model, err));
  OK(um_model_loss(f->model, &sums, labels, err));
  return sums.loss / (double)n;
}

static float *gradients_of(fixture *f, const float *x, int64_t n, int index) {
  int count;
  um_loss_sums sums;
  const um_param *p = um_model_params(f->model, &count);
  float *g = malloc(sizeof *g * (size_t)um_tensor_count(&p[index].plain));
  OK(um_model_feed(f->model, x, n, err));
  OK(um_model_forward(f->model, err));
  OK(um_model_backward(f->model, &sums, labels, err));
  OK(um_model_get(f->model, 'g', index, g, err));
  return g;
}

/* Central differences of the mean loss, for up to 40 elements of every parameter. Where the slopes to the left and to the right
 * differ, a ReLU or a maximum changes sides within the step: such elements are left out, a quarter of them at most. */
static void check_gradients(void (*build)(um_graph *)) {
  enum { N = 3 };
  fixture f = {0};
  int count;
  open_fixture(&f, build, N, true, "all");
  float *x = malloc(sizeof *x * (size_t)(f.in * N));
  fill(x, f.in * N, 1);
  const um_param *p = um_model_params(f.model, &count);
  for (int i = 0; i < count; i++) {
    if (p[i].plain.ndim > 1) continue; /* biases of zero leave ReLUs of dead inputs on their kink */
    float b[16];
    for (int k = 0; k < p[i].plain.dim[0]; k++) b[k] = 0.1f * (float)uniform(50 + (uint32_t)i, (uint32_t)k);
    OK(um_model_set(f.model, 'w', i, b, err));
  }
  const double middle = loss_of(&f, x, N);
  for (int i = 0; i < count; i++) {
    const int64_t n = um_tensor_count(&p[i].plain), stride = n / 40 + 1;
    float *w = malloc(sizeof *w * (size_t)n), *g = gradients_of(&f, x, N, i);
    double difference = 0, size = 0;
    int kinks = 0;
    OK(um_model_get(f.model, 'w', i, w, err));
    for (int64_t k = 0; k < n; k += stride) {
      const float at = w[k], above = at + 1e-3f, below = at - 1e-3f;
      w[k] = above;
      OK(um_model_set(f.model, 'w', i, w, err));
      const double up = loss_of(&f, x, N), right = (up - middle) / ((double)above - at);
      w[k] = below;
      OK(um_model_set(f.model, 'w', i, w, err));
      const double down = loss_of(&f, x, N), left = (middle - down) / ((double)at - below);
      w[k] = at;
      if (fabs(right - left) > 0.02 * (fabs(right) + fabs(left)) + 1e-4) {
        kinks++;
        continue;
      }
      const double slope = (up - down) / ((double)above - below);
      difference += (slope - g[k]) * (slope - g[k]);
      size += slope * slope;
    }
    OK(um_model_set(f.model, 'w', i, w, err));
    if (!(sqrt(difference) <= 1e-2 * sqrt(size) + 1e-6) || kinks > (n / stride + 1) / 4)
      fail_msg("%s: gradient differs from finite differences by %g of %g (%d kinks)", p[i].name, sqrt(difference), sqrt(size), kinks);
    if (getenv("UM_VERBOSE"))
      printf("%-12s %g of %g, %d of %d kinks\n", p[i].name, sqrt(difference), sqrt(size), kinks, (int)((n + stride - 1) / stride));
    free(w), free(g);
  }
  free(x);
  close_fixture(&f);
}

static void test_gradients_chain(void **state) {
  (void)state;
  check_gradients(build_chain);
}

static void test_gradients_dag(void **state) {
  (void)state;
  check_gradients(build_dag);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradients_chain),
      cmocka_unit_test(test_gradients_dag),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
