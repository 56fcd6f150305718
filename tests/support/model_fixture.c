#include "model_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rng.h"

static const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
const um_optimizer fixture_rmsprop = {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7};

double fixture_uniform(uint32_t sample, uint32_t draw) {
  const um_rng at = {.seed = 7, .stream = UM_STREAM_TEST, .sample = sample};
  return um_rng_range(&at, draw, -1, 1);
}

void fixture_fill(float *x, int64_t n, uint32_t sample) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)fixture_uniform(sample, (uint32_t)i);
}

/* conv -> pool -> conv -> flatten -> dense -> dense 1 -> sigmoid: VGG in small. */
void build_chain(um_graph *g) {
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
void build_dag(um_graph *g) {
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

/* Two branches that only their sum reads (one of them may have the sum's gradient for its own, not both). Flattens are views: over a value that the backward pass still needs (a), that another node reads too (a again), and that an
 * activation may be done in place over (b). */
void build_views(um_graph *g) {
  int x, a, fa, sa, b, fb, rb, p, fp, u, v, at;
  *g = (um_graph){0};
  OK(x = um_graph_add_input(g, "input", 5, 4, 3, err));
  OK(a = um_graph_add_conv2d(g, "a", x, 4, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(fa = um_graph_add_simple(g, "fa", UM_OP_FLATTEN, &a, 1, UM_ACT_NONE, err));
  OK(sa = um_graph_add_simple(g, "sa", UM_OP_SIGMOID, &fa, 1, UM_ACT_NONE, err));
  OK(b = um_graph_add_conv2d(g, "b", x, 2, three, one, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(fb = um_graph_add_simple(g, "fb", UM_OP_FLATTEN, &b, 1, UM_ACT_NONE, err));
  OK(rb = um_graph_add_simple(g, "rb", UM_OP_RELU, &fb, 1, UM_ACT_NONE, err));
  OK(p = um_graph_add_pool(g, "p", UM_OP_MAX_POOL, a, three, two, UM_PAD_SAME, err));
  OK(fp = um_graph_add_simple(g, "fp", UM_OP_FLATTEN, &p, 1, UM_ACT_NONE, err));
  OK(u = um_graph_add_conv2d(g, "u", x, 2, three, two, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(v = um_graph_add_conv2d(g, "v", x, 2, three, two, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(v = um_graph_add_simple(g, "vs", UM_OP_SIGMOID, &v, 1, UM_ACT_NONE, err)); /* not in place: v's slope is taken from v */
  OK(u = um_graph_add_simple(g, "sum", UM_OP_ADD, (int[]){u, v}, 2, UM_ACT_NONE, err));
  OK(u = um_graph_add_simple(g, "gap", UM_OP_GLOBAL_AVG_POOL, &u, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "join", UM_OP_CONCAT, (int[]){sa, rb, fp, u}, 4, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense", at, 1, UM_ACT_NONE, err));
}

/* PReLU over pictures and over a list, softmax over channels, dropout over pictures (where it has a value of its own, because its input
 * has other readers), in place (drop2: nobody else reads dense's sums), and where a slope needs what stands before it (drop3). */
void build_bent(um_graph *g) {
  um_window w = {.kernel = {3, 3}, .stride = {2, 2}};
  int at, a, b;
  *g = (um_graph){0};
  OK(at = um_graph_add_input(g, "input", 9, 7, 3, err));
  OK(at = um_graph_add_conv2d(g, "conv1", at, 10, three, one, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(at = um_graph_add_prelu(g, "bend1", at, err));
  for (int i = 0; i < 2; i++) w.pad_after[i] = um_pool_ceil_padding(g->node[at].dim[i], 3, 2);
  OK(at = um_graph_add_pool_window(g, "pool1", UM_OP_MAX_POOL, at, &w, err));
  OK(a = um_graph_add_dropout(g, "drop1", at, 0.25, err));
  OK(a = um_graph_add_conv2d(g, "conv2", a, 6, two, one, UM_PAD_VALID, UM_ACT_RELU, err));
  OK(b = um_graph_add_conv2d(g, "conv3", at, 6, two, one, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(b = um_graph_add_simple(g, "share", UM_OP_SOFTMAX, &b, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "sum", UM_OP_ADD, (int[]){a, b}, 2, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense", at, 16, UM_ACT_NONE, err));
  OK(at = um_graph_add_dropout(g, "drop2", at, 0.5, err));
  OK(at = um_graph_add_prelu(g, "bend2", at, err));
  OK(at = um_graph_add_dense(g, "dense_1", at, 12, UM_ACT_RELU, err));
  OK(at = um_graph_add_dropout(g, "drop3", at, 0.4, err));
  OK(at = um_graph_add_dense(g, "dense_2", at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err));
}

void open_fixture_with(fixture *f, const char *device, void (*build)(um_graph *), const um_model_options *o) {
  OK(um_backend_open(&f->be, device, 0, err));
  build(&f->graph);
  OK(um_model_create(&f->model, &f->graph, f->be, o, err));
  OK(um_model_init(f->model, 3, err));
  f->in = f->graph.node[0].dim[0] * f->graph.node[0].dim[1] * f->graph.node[0].dim[2];
}

void open_fixture_on(fixture *f, const char *device, void (*build)(um_graph *), int64_t batch, bool training, const char *trainable) {
  const um_model_options o = {.batch = batch, .training = training, .trainable = trainable, .optimizer = fixture_rmsprop};
  open_fixture_with(f, device, build, &o);
}

void open_fixture(fixture *f, void (*build)(um_graph *), int64_t batch, bool training, const char *trainable) {
  open_fixture_on(f, "ref", build, batch, training, trainable);
}

void close_fixture(fixture *f) {
  um_model_free(f->model);
  um_graph_free(&f->graph);
  f->be->ops->close(f->be);
}

const float labels[8] = {1, 0, 0, 1, 1, 0, 1, 0};

void build_vgg(um_graph *g) {
  int at;
  *g = (um_graph){0};
  OK(at = um_graph_add_vgg16(g, 150, 150, err));
  OK(at = um_graph_add_simple(g, NULL, UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, NULL, at, 256, UM_ACT_RELU, err));
  OK(at = um_graph_add_dense(g, NULL, at, 1, UM_ACT_NONE, err));
  OK(um_graph_add_simple(g, NULL, UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err));
}
