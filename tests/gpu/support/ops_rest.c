#include "ops_rest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct context {
  um_backend *be, *cpu, *ref;
  const gpu_options *o;
  check_dice dice;
  int batch;
  um_dtype type; /* of activations, now */
} context;

static um_precision precision_of(const context *c) { return c->type == UM_BF16 ? UM_PRECISION_BF16 : UM_PRECISION_FP32; }

/* Random numbers that the type can hold. */
static float *random_values(context *c, int64_t n, double low, double high) {
  float *x = check_floats(&c->dice, n, low, high);
  if (x && c->type == UM_BF16) gpu_round_bf16(x, n);
  return x;
}

/* ---- ops of the graph without parameters ---- */

/* d (of f32 tensors) on the cpu backend and, in c's type, on the device: y and every dx within `bound`. */
static bool plain_op(context *c, um_op_desc *d, float *const x[], gpu_bound bound) {
  const um_ops *ops = c->be->ops;
  const int64_t ny = um_tensor_count(&d->y);
  const bool slope = d->kind == UM_OP_RELU || d->kind == UM_OP_SIGMOID || d->kind == UM_OP_ADD, pool = !slope && d->kind != UM_OP_CONCAT;
  float *dy = random_values(c, ny, -1, 1), *y = gpu_room(ny), *seen_y = gpu_room(ny), *dx[UM_MAX_INPUTS] = {0}, *got = NULL;
  check_operands first = {.y = y}, o = {.dy = dy, .y_seen = seen_y};
  check_lab lab = {.be = c->be};
  um_error err = {0};
  um_op *op = NULL;
  um_tensor tx[UM_MAX_INPUTS], tdx[UM_MAX_INPUTS];
  const um_tensor *in[UM_MAX_INPUTS];
  um_tensor *out[UM_MAX_INPUTS];
  int64_t most = ny;
  d->passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA;
  for (int i = 0; i < d->n_inputs; i++) {
    const int64_t n = um_tensor_count(&d->x[i]);
    most = n > most ? n : most;
    first.x[i] = o.x[i] = x[i], o.dx[i] = dx[i] = gpu_room(n);
  }
  um_op_desc forward = *d;
  forward.passes = UM_PASS_FORWARD;
  bool ok = (got = gpu_room(most)) && seen_y && check_run(c->cpu, &forward, &first, NULL) == UM_OK;
  if (ok) memcpy(seen_y, y, sizeof *y * (size_t)ny);
  if (ok && c->type == UM_BF16) gpu_round_bf16(seen_y, ny); /* slopes are taken from what the device can hold */
  ok = ok && check_run(c->cpu, d, &o, NULL) == UM_OK;
  um_op_desc mine = *d;
  mine.precision = precision_of(c);
  for (int i = 0; i < d->n_inputs; i++) mine.x[i] = um_tensor_plain(c->type, d->x[i].ndim, d->x[i].dim);
  mine.y = um_tensor_plain(c->type, d->y.ndim, d->y.dim);
  if (!ok || ops->plan(c->be, &mine, &op, &err) != UM_OK) ok = gpu_fail("plan", &err);
  for (int i = 0; i < d->n_inputs && ok; i++) {
    const int64_t n = um_tensor_count(&d->x[i]);
    in[i] = &tx[i], out[i] = &tdx[i];
    tx[i] = tdx[i] = op->x[i];
    tx[i].data = gpu_input(&lab, x[i], n, c->type, "x");
    tdx[i].data = check_memory(&lab, (size_t)n * um_dtype_size(c->type), "dx");
    ok = tx[i].data && tdx[i].data;
  }
  if (ok) {
    um_tensor ty = op->y, tdy = op->y, behind = op->y, seen = op->y;
    const size_t bytes = (size_t)ny * um_dtype_size(c->type);
    void *workspace = check_memory(&lab, op->workspace_bytes, "workspace"), *scratch = check_memory(&lab, op->scratch_bytes, "scratch");
    int status = UM_OK;
    ty.data = check_memory(&lab, bytes, "y"), tdy.data = gpu_input(&lab, dy, ny, c->type, "dy");
    if (pool) status = ops->pool_forward(op, &ty, workspace, in[0], scratch, &err);
    if (d->kind == UM_OP_RELU || d->kind == UM_OP_SIGMOID) status = ops->activation_forward(op, &ty, in[0], &err);
    if (d->kind == UM_OP_ADD) status = ops->add_forward(op, &ty, in, &err);
    if (d->kind == UM_OP_CONCAT) status = ops->concat_forward(op, &ty, in, &err);
    if (status == UM_OK && pool) status = ops->pool_backward(op, out[0], &tdy, workspace, scratch, &err);
    if (status == UM_OK && d->kind == UM_OP_CONCAT) status = ops->concat_backward(op, out, &tdy, &err);
    if (status == UM_OK && slope) {
      behind.data = tdx[0].data, seen.data = gpu_input(&lab, seen_y, ny, c->type, "y seen");
      status = ops->activation_backward(op, &behind, &tdy, &seen, &err);
    }
    ok = status == UM_OK || gpu_fail(um_op_kind_name(d->kind), &err);
    ok = ok && gpu_output(&lab, got, ty.data, ny, c->type) && gpu_near("y", got, y, NULL, ny, bound, NULL);
    for (int i = 0; i < (slope ? 1 : d->n_inputs) && ok; i++) {
      const int64_t n = um_tensor_count(&d->x[i]);
      ok = gpu_output(&lab, got, tdx[i].data, n, c->type) && gpu_near("dx", got, dx[i], NULL, n, bound, NULL);
    }
  }
  ok = check_close(&lab) && ok;
  if (op) ops->plan_free(op);
  for (int i = 0; i < d->n_inputs; i++) free(dx[i]);
  free(dy), free(y), free(seen_y), free(got);
  return ok;
}

static const gpu_bound exact = {0, 0, 0};
static gpu_bound rounded(const context *c, double f32) {
  return c->type == UM_BF16 ? (gpu_bound){0, 0.008, 0.005} : (gpu_bound){0, f32, f32};
}

/* Few values, many of them 0 and many equal, as after a ReLU; all are bf16's. */
static float *like_relu(context *c, int64_t n) {
  float *x = check_floats(&c->dice, n, -1, 1);
  for (int64_t i = 0; x && i < n; i++) x[i] = x[i] < 0 ? 0 : ceilf(x[i] * 16) / 16;
  return x;
}

static bool max_pools(context *c) {
  static const int side[5] = {150, 75, 37, 18, 9}, channels[5] = {64, 128, 256, 512, 512};
  bool ok = true;
  for (int i = 0; i < 5 && ok; i++) {
    const int64_t H = c->o->small ? side[i] / 15 + 2 : side[i], C = c->o->small ? channels[i] / 16 : channels[i];
    um_op_desc d = {.kind = UM_OP_MAX_POOL, .n_inputs = 1, .window = {.kernel = {2, 2}, .stride = {2, 2}}};
    d.x[0] = um_tensor_plain(UM_F32, 4, (int64_t[]){c->batch, H, H, C});
    d.y = um_tensor_plain(UM_F32, 4, (int64_t[]){c->batch, H / 2, H / 2, C});
    float *x = like_relu(c, um_tensor_count(&d.x[0]));
    ok = plain_op(c, &d, &x, exact) || check_fail("at %dx%dx%d", (int)H, (int)H, (int)C);
    free(x);
  }
  return ok;
}

static um_tensor large(const context *c) {
  return c->o->small ? um_tensor_plain(UM_F32, 4, (int64_t[]){c->batch, 7, 5, 16})
                     : um_tensor_plain(UM_F32, 4, (int64_t[]){c->batch, 150, 150, 64});
}

static bool with_input(context *c, um_op_desc *d, int n_inputs, gpu_bound bound) {
  float *x[2] = {0};
  d->n_inputs = n_inputs;
  for (int i = 0; i < n_inputs; i++) {
    d->x[i] = large(c);
    x[i] = random_values(c, um_tensor_count(&d->x[i]), -3, 3);
  }
  const bool ok = x[0] && plain_op(c, d, x, bound);
  free(x[0]), free(x[1]);
  return ok;
}

static bool average_pools(context *c) {
  um_op_desc d = {.kind = UM_OP_AVG_POOL, .window = {.kernel = {2, 2}, .stride = {2, 2}}}, g = {.kind = UM_OP_GLOBAL_AVG_POOL};
  const um_tensor x = large(c);
  d.y = um_tensor_plain(UM_F32, 4, (int64_t[]){x.dim[0], x.dim[1] / 2, x.dim[2] / 2, x.dim[3]});
  g.y = um_tensor_plain(UM_F32, 2, (int64_t[]){x.dim[0], x.dim[3]});
  /* Sums of both signs come close to 0, so their own size is no measure: what is added is at most 3. */
  gpu_bound b = rounded(c, 1e-5);
  b.of_norm = c->type == UM_BF16 ? 0.005 : 1e-5;
  um_op_desc *const both[] = {&d, &g};
  bool ok = true;
  for (int i = 0; i < 2 && ok; i++) {
    float *v = random_values(c, um_tensor_count(&x), 0, 3);
    both[i]->n_inputs = 1, both[i]->x[0] = x;
    ok = v && plain_op(c, both[i], &v, b);
    free(v);
  }
  return ok;
}

static bool relu(context *c) {
  um_op_desc d = {.kind = UM_OP_RELU, .y = large(c)};
  return with_input(c, &d, 1, exact);
}

static bool sigmoid(context *c) {
  um_op_desc d = {.kind = UM_OP_SIGMOID, .y = large(c)};
  return with_input(c, &d, 1, rounded(c, 2e-6));
}

static bool add(context *c) {
  um_op_desc d = {.kind = UM_OP_ADD, .activation = UM_ACT_RELU, .y = large(c)};
  return with_input(c, &d, 2, c->type == UM_BF16 ? rounded(c, 0) : exact);
}

static bool concat(context *c) {
  um_op_desc d = {.kind = UM_OP_CONCAT, .y = large(c)};
  d.y.dim[3] *= 2;
  d.y = um_tensor_plain(UM_F32, 4, d.y.dim);
  return with_input(c, &d, 2, exact);
}

/* ---- ops of the backend itself ---- */

/* f32 <-> bf16 to the bit, and dst += src. */
static bool casts(context *c) {
  const um_ops *ops = c->be->ops;
  const um_tensor form = large(c);
  const int64_t n = um_tensor_count(&form);
  um_tensor wide = form, narrow = um_tensor_plain(UM_BF16, 4, form.dim), back = form, sum = um_tensor_plain(c->type, 4, form.dim),
            other = sum;
  float *x = check_floats(&c->dice, n, -2, 2), *y = random_values(c, n, -2, 2), *got = gpu_room(n), *want = gpu_room(n), *z = gpu_room(n);
  check_lab lab = {.be = c->be};
  um_error err = {0};
  int status = UM_OK;
  if (!x || !y || !got || !want || !z) return check_fail("no memory");
  x[0] = INFINITY, x[1] = -0.0f, x[2] = 1e-40f, x[3] = 3.3895314e38f;
  wide.data = gpu_input(&lab, x, n, UM_F32, "x"), other.data = gpu_input(&lab, y, n, c->type, "y");
  narrow.data = check_memory(&lab, narrow.bytes, "bf16"), back.data = check_memory(&lab, back.bytes, "f32");
  sum.data = gpu_input(&lab, y, n, c->type, "sum");
  free(lab.piece[lab.pieces - 1].before), lab.piece[lab.pieces - 1].before = NULL; /* it changes */
  status = ops->reorder(c->be, &narrow, &wide, &err);
  if (status == UM_OK) status = ops->reorder(c->be, &back, &narrow, &err);
  if (status == UM_OK) status = ops->accumulate(c->be, &sum, &other, &err);
  bool ok = status == UM_OK || gpu_fail("reorder", &err);
  for (int64_t i = 0; i < n; i++) want[i] = gpu_from_bf16(um_bf16_of(x[i])), z[i] = 2 * y[i];
  ok = ok && gpu_output(&lab, got, back.data, n, UM_F32) && (memcmp(got, want, sizeof *got * (size_t)n) == 0 || check_fail("f32 to bf16"));
  ok = ok && gpu_output(&lab, got, sum.data, n, c->type) && gpu_near("sum", got, z, NULL, n, exact, NULL);
  ok = check_close(&lab) && ok;
  free(x), free(y), free(got), free(want), free(z);
  return ok;
}

/* Each value within what ref gives when the source is moved by up to 1e-4 pixels in either direction, and 0.01 of a grey level; bf16's
 * rounding on top. */
static bool warp(context *c) {
  static const double shift[5][2] = {{0, 0}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}};
  const int side = c->o->small ? 12 : 150;
  const int64_t N = c->batch + 1, size = (int64_t)side * side * 3; /* the last one is not there: control says so */
  const um_control control = {.n = c->batch, .step = 1, .rate = 1e-3};
  const um_warp how = {.fill = UM_FILL_NEAREST, .scale = 1 / 255.0f};
  uint8_t *pixels = malloc((size_t)(N * size));
  float *labels = gpu_room(N), *out[6];
  um_warp_sample *sample = malloc(sizeof *sample * (size_t)N), *moved = malloc(sizeof *moved * (size_t)N);
  um_error err = {0};
  bool ok = pixels && labels && sample && moved;
  gpu_pictures(pixels, labels, c->o->seed, 0, N, side);
  gpu_samples(sample, c->o->seed, 0, N, side);
  for (int k = 0; k < 6; k++) {
    const um_dtype type = k < 5 ? UM_F32 : c->type;
    check_lab lab = {.be = k < 5 ? c->ref : c->be};
    const um_ops *ops = lab.be->ops;
    um_tensor x = um_tensor_plain(UM_U8, 4, (int64_t[]){N, side, side, 3}), y = um_tensor_plain(type, 4, x.dim);
    memcpy(moved, sample, sizeof *moved * (size_t)N);
    for (int64_t i = 0; i < N && k < 5; i++) moved[i].m[2] += 1e-4 * shift[k][0], moved[i].m[5] += 1e-4 * shift[k][1];
    out[k] = gpu_room(N * size);
    x.data = check_memory(&lab, x.bytes, "pixels"), y.data = check_memory(&lab, y.bytes, "y");
    void *s = check_memory(&lab, sizeof *moved * (size_t)N, "samples"), *control_there = check_memory(&lab, sizeof control, "control");
    int status = ops->upload(lab.be, x.data, pixels, x.bytes, &err);
    if (status == UM_OK) status = ops->upload(lab.be, s, moved, sizeof *moved * (size_t)N, &err);
    if (status == UM_OK) status = ops->upload(lab.be, control_there, &control, sizeof control, &err);
    if (status == UM_OK) status = ops->warp(lab.be, &y, &x, s, control_there, &how, &err);
    ok = (status == UM_OK || gpu_fail("warp", &err)) && ok;
    ok = ok && gpu_output(&lab, out[k], y.data, N * size, type);
    ok = check_close(&lab) && ok;
  }
  for (int64_t i = 0; i < N * size && ok; i++) {
    double low = out[0][i], high = low;
    for (int k = 1; k < 5; k++) low = fmin(low, out[k][i]), high = fmax(high, out[k][i]);
    const double margin = i < c->batch * size ? 0.01 / 255 + (c->type == UM_BF16 ? 0.004 * high : 0) : 0;
    if (!(out[5][i] >= low - margin && out[5][i] <= high + margin))
      ok = check_fail("[%lld]: %.9g, ref has %.9g (%.9g to %.9g)", (long long)i, out[5][i], out[0][i], low, high);
  }
  for (int k = 0; k < 6; k++) free(out[k]);
  free(pixels), free(labels), free(sample), free(moved);
  return ok;
}

/* Without weights, and with some of which one in five is 0 and labels between 0 and 1. */
static bool bce_with(context *c, bool weighted) {
  const int64_t N = 128, n = 101;
  const um_control control = {.n = n, .step = 5, .rate = 1e-3};
  float *z = check_floats(&c->dice, N, -12, 12), *t = gpu_room(N), *weights = weighted ? check_floats(&c->dice, N, 0, 3) : NULL,
        *got[2] = {gpu_room(N), gpu_room(N)};
  um_report report[2];
  um_error err = {0};
  bool ok = true;
  for (int64_t i = 0; i < N; i++) {
    t[i] = weighted ? (float)check_int(&c->dice, 0, 8) / 8 : check_chance(&c->dice, 0.5);
    if (weighted && check_chance(&c->dice, 0.2)) weights[i] = 0;
  }
  for (int k = 0; k < 2; k++) {
    check_lab lab = {.be = k ? c->be : c->ref};
    const um_ops *ops = lab.be->ops;
    um_tensor tz = um_tensor_plain(UM_F32, 2, (int64_t[]){N, 1}), dz = tz;
    void *r = check_memory(&lab, sizeof *report, "report"), *at = check_memory(&lab, sizeof control, "control");
    tz.data = gpu_input(&lab, z, N, UM_F32, "z"), dz.data = check_memory(&lab, dz.bytes, "dz");
    const float *labels = gpu_input(&lab, t, N, UM_F32, "labels");
    const float *weight = weighted ? gpu_input(&lab, weights, N, UM_F32, "weights") : NULL;
    um_report_reset(&report[k]);
    report[k].loss = 3, report[k].correct = 2, report[k].samples = 4;
    int status = ops->upload(lab.be, r, &report[k], sizeof *report, &err);
    if (status == UM_OK) status = ops->upload(lab.be, at, &control, sizeof control, &err);
    if (status == UM_OK) status = ops->bce_logits(lab.be, &dz, r, &tz, labels, weight, at, &err);
    if (status == UM_OK) status = ops->bce_logits(lab.be, NULL, r, &tz, labels, weight, at, &err);
    if (status == UM_OK) status = ops->download(lab.be, &report[k], r, sizeof *report, &err);
    ok = (status == UM_OK || gpu_fail("bce_logits", &err)) && ok;
    ok = ok && gpu_output(&lab, got[k], dz.data, N, UM_F32);
    ok = check_close(&lab) && ok;
  }
  CHECK(!ok || fabs(report[1].loss - report[0].loss) <= 1e-6 * report[0].loss, "loss %.12g, ref has %.12g", report[1].loss, report[0].loss);
  CHECK(!ok || (report[1].correct == report[0].correct && report[1].samples == 4 + 2 * n && report[1].bad_loss == UM_NEVER &&
                report[1].bad_gradient == UM_NEVER),
        "the report's counts");
  for (int64_t i = 0; i < N && ok; i++)
    if (!(i < n ? fabs((double)got[1][i] - got[0][i]) <= 3e-6 / (double)n : got[1][i] == 0))
      ok = check_fail("dz[%lld]: %.9g, ref has %.9g", (long long)i, got[1][i], got[0][i]);
  free(z), free(t), free(weights), free(got[0]), free(got[1]);
  return ok;
}

static bool bce(context *c) { return bce_with(c, false) && (bce_with(c, true) || check_fail("with weights")); }

/* As many values as VGG16 with the recipe's head has, with the bf16 copy; where weights decay, a random half of all groups of 16 does. */
static bool optimizer_case(context *c, const um_optimizer *o) {
  const int64_t n = c->o->small ? 3001 : 16812353;
  const um_control control = {.n = 1, .step = 3, .rate = um_optimizer_rate(o, 1e-3, 3), .decay = 1e-3 * o->weight_decay};
  const unsigned states = um_optimizer_states(o);
  float *in[4] = {check_floats(&c->dice, n, -1, 1), check_floats(&c->dice, n, -1, 1), check_floats(&c->dice, n, -1e-3, 1e-3),
                  check_floats(&c->dice, n, 0, 1e-2)};
  float *out[2][4];
  const size_t decaying = o->weight_decay != 0 ? (size_t)(n + 511) / 512 * sizeof(uint32_t) : 0;
  uint32_t *bits = malloc(decaying + 1);
  um_error err = {0};
  bool ok = in[0] && in[1] && in[2] && in[3] && bits;
  for (size_t i = 0; ok && i < decaying / sizeof *bits; i++) bits[i] = (uint32_t)check_int(&c->dice, 0, 0x7fffffff) * 2 + (uint32_t)(i & 1);
  for (int k = 0; k < 2; k++) {
    check_lab lab = {.be = k ? c->be : c->cpu};
    const um_ops *ops = lab.be->ops;
    float *t[4]; /* w, g, m, v */
    um_report report;
    for (int i = 0; i < 4; i++) {
      t[i] = gpu_input(&lab, in[i], n, UM_F32, "state");
      if (i == 0 || (i == 2 && states & 1) || (i == 3 && states & 2)) free(lab.piece[i].before), lab.piece[i].before = NULL;
      out[k][i] = gpu_room(n);
    }
    uint16_t *copy = check_memory(&lab, sizeof *copy * (size_t)n, "copy");
    void *r = check_memory(&lab, sizeof report, "report"), *at = check_memory(&lab, sizeof control, "control");
    uint32_t *decay = check_memory(&lab, decaying, "decay");
    um_report_reset(&report);
    int status = ops->upload(lab.be, r, &report, sizeof report, &err);
    if (status == UM_OK) status = ops->upload(lab.be, at, &control, sizeof control, &err);
    if (status == UM_OK && decay) status = ops->upload(lab.be, decay, bits, decaying, &err);
    if (status == UM_OK)
      status = ops->optimizer_step(lab.be, o, t[0], copy, states & 1 ? t[2] : NULL, states & 2 ? t[3] : NULL, r, t[1], decay, n, at, &err);
    ok = (status == UM_OK || gpu_fail("optimizer_step", &err)) && ok;
    for (int i = 0; i < 4 && ok; i++) /* w, the copy, m, v */
      ok = gpu_output(&lab, out[k][i], i == 1 ? (void *)copy : (void *)t[i], n, i == 1 ? UM_BF16 : UM_F32);
    ok = check_close(&lab) && ok;
  }
  static const char *const name[] = {"w", "the copy", "m", "v"};
  for (int i = 0; i < 4 && ok; i++) {
    if (i == 1) { /* of its own w */
      for (int64_t k = 0; k < n && ok; k++)
        if (um_bf16_of(out[1][0][k]) != um_bf16_of(out[1][1][k])) ok = check_fail("the copy: [%lld] is not w rounded", (long long)k);
      continue;
    }
    ok = gpu_near(name[i], out[1][i], out[0][i], in[i == 2 ? 1 : i], n, (gpu_bound){1e-6, 1e-6, 1e-6}, NULL);
  }
  for (int k = 0; k < 8; k++) free(out[k / 4][k % 4]);
  for (int i = 0; i < 4; i++) free(in[i]);
  free(bits);
  return ok;
}

static bool optimizers(context *c) {
  static const um_optimizer o[] = {{.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7},
                                   {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7, .epsilon_inside = true, .momentum = 0.9},
                                   {.kind = UM_OPT_SGD, .momentum = 0.9, .nesterov = true},
                                   {.kind = UM_OPT_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7},
                                   {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7, .weight_decay = 40},
                                   {.kind = UM_OPT_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7, .weight_decay = 40}};
  for (size_t i = 0; i < sizeof o / sizeof *o; i++)
    if (!optimizer_case(c, &o[i])) return check_fail("optimizer %d", (int)i);
  return true;
}

static bool sum_squares(context *c) {
  const int64_t n = c->o->small ? 3001 : 16812353;
  float *x = check_floats(&c->dice, n, -1e3, 1e3);
  double want = 0, got = 0, again = 0;
  check_lab lab = {.be = c->be};
  um_error err = {0};
  for (int64_t i = 0; x && i < n; i++) want += (double)x[i] * x[i];
  float *there = gpu_input(&lab, x, n, UM_F32, "x");
  bool ok = there && c->be->ops->sum_squares(c->be, &got, there, n, &err) == UM_OK &&
            c->be->ops->sum_squares(c->be, &again, there, n, &err) == UM_OK;
  ok = check_close(&lab) && ok;
  free(x);
  CHECK(ok, "sum_squares: %s", err.text);
  CHECK(fabs(got - want) <= 1e-11 * want && got == again, "%.17g and %.17g, expected %.17g", got, again, want);
  return true;
}

/* ---- all of them ---- */

void gpu_ops_rest(gpu_tally *t, const gpu_options *o, um_backend *be, const char *engine, bool only, int batch) {
  static const struct {
    const char *name;
    bool (*check)(context *);
    bool types;   /* in both types */
    bool library; /* has alternates */
  } part[] = {{"max_pool", max_pools, true, true},
              {"avg_pool, global_avg_pool", average_pools, true, true},
              {"relu", relu, true, false},
              {"sigmoid", sigmoid, true, false},
              {"add", add, true, false},
              {"concat", concat, true, false},
              {"reorder, accumulate", casts, true, false},
              {"warp", warp, true, false},
              {"bce_logits", bce, false, false},
              {"optimizer_step", optimizers, false, false},
              {"sum_squares", sum_squares, false, false}};
  context c = {.be = be, .o = o, .batch = batch};
  um_error err = {0};
  um_dtype type = UM_F32;
  const bool half = be->ops->precision(be, UM_PRECISION_BF16, &type) && type == UM_BF16;
  if (um_ref_open(&c.ref, &err) != UM_OK || um_cpu_open(&c.cpu, 0, &err) != UM_OK) {
    gpu_end(t, gpu_fail("the host's backends", &err));
    return;
  }
  for (size_t i = 0; i < sizeof part / sizeof *part; i++)
    for (int k = 0; k < (only && !part[i].library ? 0 : part[i].types && half ? 2 : 1); k++) {
      c.type = k ? UM_BF16 : UM_F32;
      c.dice = (check_dice){.seed = o->seed, .test = 320 + (uint32_t)i, .number = (uint32_t)k};
      gpu_begin("rest: %s, %s, batch %d, engine %s", part[i].name, um_dtype_name(c.type), batch, engine);
      gpu_end(t, part[i].check(&c));
    }
  if (!half) gpu_skip(t, "bf16: the device does not compute in it");
  c.ref->ops->close(c.ref);
  c.cpu->ops->close(c.cpu);
}
