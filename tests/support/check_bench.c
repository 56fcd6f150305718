/* checkops --bench: the ops on VGG16's shapes at 150x150, best of several runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/file.h"

enum { BATCH = 10 };

typedef struct bench {
  um_backend *be;
  um_op *op;
  um_tensor x, dx, y, dy, w, b, dw, db;
  void *workspace, *scratch;
} bench;

static int forward(bench *t, um_error *err) {
  const um_ops *ops = t->be->ops;
  switch (t->op->desc.kind) {
  case UM_OP_CONV2D: return ops->conv2d_forward(t->op, &t->y, &t->x, &t->w, &t->b, t->scratch, err);
  case UM_OP_DENSE: return ops->dense_forward(t->op, &t->y, &t->x, &t->w, &t->b, t->scratch, err);
  default: return ops->pool_forward(t->op, &t->y, t->workspace, &t->x, t->scratch, err);
  }
}

static int backward_data(bench *t, um_error *err) {
  const um_ops *ops = t->be->ops;
  switch (t->op->desc.kind) {
  case UM_OP_CONV2D: return ops->conv2d_backward_data(t->op, &t->dx, &t->dy, &t->w, t->scratch, err);
  case UM_OP_DENSE: return ops->dense_backward_data(t->op, &t->dx, &t->dy, &t->w, t->scratch, err);
  default: return ops->pool_backward(t->op, &t->dx, &t->dy, t->workspace, t->scratch, err);
  }
}

static int backward_weights(bench *t, um_error *err) {
  const um_ops *ops = t->be->ops;
  if (t->op->desc.kind == UM_OP_CONV2D) return ops->conv2d_backward_weights(t->op, &t->dw, &t->db, &t->x, &t->dy, t->scratch, err);
  return ops->dense_backward_weights(t->op, &t->dw, &t->db, &t->x, &t->dy, t->scratch, err);
}

/* The best of as many runs as fit in a fifth of a second, two at least (the first warms up). */
static double best(bench *t, int (*pass)(bench *, um_error *)) {
  um_error err = {0};
  double least = 1e30, until = um_seconds() + 0.2;
  for (int i = 0; i < 2 || (i < 50 && um_seconds() < until); i++) {
    const double start = um_seconds();
    if (pass(t, &err) != UM_OK) {
      check_fail("%s", err.text);
      return -1;
    }
    const double seconds = um_seconds() - start;
    if (i > 0 && seconds < least) least = seconds;
  }
  return least;
}

/* flop: of one pass; 0: bytes are what counts, and are printed as a rate. */
static int time_op(um_backend *be, um_op_desc *d, const char *name, double flop) {
  bench t = {.be = be};
  check_lab lab = {.be = be};
  um_error err = {0};
  const bool weights = d->kind == UM_OP_CONV2D || d->kind == UM_OP_DENSE;
  const bool data = d->x[0].dim[3] != 3 || d->x[0].ndim != 4; /* the first layer's is not needed */
  d->n_inputs = 1;
  d->passes = UM_PASS_FORWARD | (data ? UM_PASS_BACKWARD_DATA : 0) | (weights ? UM_PASS_BACKWARD_WEIGHTS : 0);
  if (be->ops->plan(be, d, &t.op, &err) != UM_OK) return !check_fail("%s: %s", name, err.text);
  /* In a network the layers before and after speak the op's own layout. */
  d->x[0] = t.op->x[0];
  be->ops->plan_free(t.op);
  if (be->ops->plan(be, d, &t.op, &err) != UM_OK) return !check_fail("%s: %s", name, err.text);
  check_dice dice = {.seed = 1};
  const int64_t most = um_tensor_count(&d->x[0]) > um_tensor_count(&d->y) ? um_tensor_count(&d->x[0]) : um_tensor_count(&d->y);
  const int64_t w_count = weights ? um_tensor_count(&t.op->w) : 0;
  float *values = check_floats(&dice, most > w_count ? most : w_count, -1, 1);
  t.x = check_tensor(&lab, &t.op->x[0], values, "x"), t.dx = check_tensor(&lab, &t.op->x[0], NULL, "dx");
  t.y = check_tensor(&lab, &t.op->y, NULL, "y"), t.dy = check_tensor(&lab, &t.op->y, values, "dy");
  if (weights) {
    t.w = check_tensor(&lab, &t.op->w, values, "w"), t.dw = check_tensor(&lab, &t.op->w, NULL, "dw");
    t.b = check_tensor(&lab, &t.op->b, values, "b"), t.db = check_tensor(&lab, &t.op->b, NULL, "db");
  }
  t.workspace = check_memory(&lab, t.op->workspace_bytes, "workspace"), t.scratch = check_memory(&lab, t.op->scratch_bytes, "scratch");
  const double bytes = (double)(t.x.bytes + t.y.bytes);
  int (*const pass[])(bench *, um_error *) = {forward, data ? backward_data : NULL, weights ? backward_weights : NULL};
  printf("%-12s", name);
  for (int i = 0; i < 3; i++) {
    const double seconds = pass[i] ? best(&t, pass[i]) : 0;
    if (!pass[i])
      printf(" %24s", "");
    else
      printf(" %10.3f ms %6.1f %s", seconds * 1e3, (flop > 0 ? flop : bytes) / seconds * 1e-9, flop > 0 ? "GF/s" : "GB/s");
  }
  printf("  %s\n", t.op->algorithm);
  free(values);
  be->ops->plan_free(t.op);
  return check_close(&lab) ? 0 : 1;
}

int check_bench(um_backend *be, const char *only) {
  static const struct {
    const char *name;
    int side, in, out;
  } conv[] = {{"block1_conv1", 150, 3, 64},   {"block1_conv2", 150, 64, 64},  {"block2_conv1", 75, 64, 128},
              {"block2_conv2", 75, 128, 128}, {"block3_conv1", 37, 128, 256}, {"block3_conv2", 37, 256, 256},
              {"block4_conv1", 18, 256, 512}, {"block4_conv2", 18, 512, 512}, {"block5_conv1", 9, 512, 512}};
  char device[256];
  int failures = 0;
  be->ops->describe(be, device, sizeof device);
  printf("%s; batch %d, best of several\n%-12s %24s %24s %24s\n", device, BATCH, "", "forward", "backward data", "backward weights");
  for (size_t i = 0; i < sizeof conv / sizeof *conv && (!only || strcmp(only, "conv2d") == 0); i++) {
    const int64_t side = conv[i].side, in = conv[i].in, out = conv[i].out;
    um_op_desc d = {.kind = UM_OP_CONV2D, .activation = UM_ACT_RELU, .window = {{3, 3}, {1, 1}, {1, 1}, {1, 1}}};
    d.x[0] = um_tensor_plain(UM_F32, 4, (int64_t[]){BATCH, side, side, in});
    d.y = um_tensor_plain(UM_F32, 4, (int64_t[]){BATCH, side, side, out});
    failures += time_op(be, &d, conv[i].name, 2.0 * BATCH * (double)(side * side * in * out) * 9);
  }
  if (!only || strcmp(only, "max_pool") == 0) {
    um_op_desc d = {.kind = UM_OP_MAX_POOL, .window = {.kernel = {2, 2}, .stride = {2, 2}}};
    d.x[0] = um_tensor_plain(UM_F32, 4, (int64_t[]){BATCH, 150, 150, 64});
    d.y = um_tensor_plain(UM_F32, 4, (int64_t[]){BATCH, 75, 75, 64});
    failures += time_op(be, &d, "block1_pool", 0);
  }
  if (!only || strcmp(only, "dense") == 0) {
    um_op_desc d = {.kind = UM_OP_DENSE, .activation = UM_ACT_RELU};
    d.x[0] = um_tensor_plain(UM_F32, 2, (int64_t[]){BATCH, 8192});
    d.y = um_tensor_plain(UM_F32, 2, (int64_t[]){BATCH, 256});
    failures += time_op(be, &d, "dense", 2.0 * BATCH * 8192 * 256);
  }
  return failures;
}
