/* Every op of a backend against ref. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_ops.h"

/* How far a backend may be from ref, in units of the sum of the absolute values of what an element adds up (for Winograd: of the
 * largest such sum of the tensor, because a tile's sums mix).
 *   direct     f32 sums of up to some thousand products, blocked: a few dozen roundings of 6e-8 that do not all go one way.
 *   Winograd   F(4,3) multiplies errors by about 10 (Lavin & Gray 2016; Barabasz et al. 2020, table 2, for f32).
 *   elementary one rounding or two; sigmoid: exp of vector units is good to a few 1e-7.
 *   softmax    the difference of two numbers of up to 9 is rounded by up to 1e-6, by which its exp is off. */
static const double direct = 1e-6, winograd = 3e-6, sum = 1e-6, elementary = CHECK_ELEMENTARY, exact = 0, differences = 4e-6;
/* A result that is rounded to bf16: half a unit in the last of its 8 bits, which is the same or less of what it adds up. Operands of
 * such cases are bf16 themselves, so that their products are exact and the sums as good as in f32. */
static const double rounded = 1 / 256.0;

static float *absolute(const float *x, int64_t n) {
  float *a = malloc(sizeof *a * (size_t)n);
  for (int64_t i = 0; a && i < n; i++) a[i] = fabsf(x[i]);
  return a;
}

static void spread_largest(float *x, int64_t n) {
  float most = 0;
  for (int64_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
  for (int64_t i = 0; i < n; i++) x[i] = most;
}

static const char *const precisions[] = {"fp32", "tf32", "bf16"};

/* ---- convolution and dense: one shape of test for both ---- */

typedef struct linear {
  int64_t x, w, b, y; /* counts */
  float *input[4];    /* x, w, b, dy */
  float *size[4];     /* their absolute values */
  float *want[4], *got[4], *magnitude[4];
} linear; /* want...: y, dx, dw, db */

static void free_linear(linear *l) {
  for (int i = 0; i < 4; i++) free(l->input[i]), free(l->size[i]), free(l->want[i]), free(l->got[i]), free(l->magnitude[i]);
}

static check_operands operands(float *const in[4], float *const out[4], bool backward) {
  return (check_operands){
      .x = {in[0]}, .w = in[1], .b = in[2], .dy = backward ? in[3] : NULL, .y = out[0], .dx = {out[1]}, .dw = out[2], .db = out[3]};
}

static bool compare_linear(check_context *c, const um_op_desc *d, const um_op_desc *d_be, linear *l, const char *text) {
  static const char *const name[] = {"y", "dx", "dw", "db"};
  const int64_t count[4] = {l->y, l->x, l->w, l->b};
  const bool backward = (d->passes & UM_PASS_BACKWARD_WEIGHTS) != 0;
  char algorithm[sizeof((um_op *)0)->algorithm] = "";
  for (int i = 0; i < 4; i++) l->want[i] = check_room(count[i]), l->got[i] = check_room(count[i]), l->magnitude[i] = check_room(count[i]);
  check_operands want = operands(l->input, l->want, backward), got = operands(l->input, l->got, backward);
  check_operands size = operands(l->size, l->magnitude, backward);
  um_op_desc linear_part = *d;
  linear_part.activation = UM_ACT_NONE;
  got.y_seen = l->want[0]; /* so that an element on ReLU's kink falls the same way */
  if (check_run(c->ref, d, &want, NULL) != UM_OK || check_run(c->ref, &linear_part, &size, NULL) != UM_OK) return check_fail("%s", text);
  const int status = check_run(c->be, d_be, &got, algorithm);
  if (status == UM_EUNSUPPORTED) {
    c->unsupported++;
    snprintf(c->refused, sizeof c->refused, "%s", text);
    return true;
  }
  CHECK(status == UM_OK, "%s", text);
  const bool wino = strstr(algorithm, "wino") != NULL;
  c->winograd += wino;
  for (int i = 0; i < (backward ? 4 : 1); i++) {
    const double more = d_be->precision == UM_PRECISION_BF16 && i < 2 ? rounded : 0; /* y and dx */
    if (wino && i < 3) spread_largest(l->magnitude[i], count[i]);
    CHECK(check_near(name[i], l->got[i], l->want[i], l->magnitude[i], (wino && i < 3 ? winograd : direct) + more, count[i]), "%s, %s, %s",
          text, algorithm, precisions[d_be->precision]);
  }
  return true;
}

static bool run_linear(check_context *c, um_op_desc *d, const char *text) {
  linear l = {.x = um_tensor_count(&d->x[0]), .y = um_tensor_count(&d->y)};
  um_op *owner;
  l.b = d->y.dim[d->y.ndim - 1];
  l.w = d->kind == UM_OP_CONV2D ? (int64_t)d->window.kernel[0] * d->window.kernel[1] * d->x[0].dim[3] * l.b : d->x[0].dim[1] * l.b;
  const int64_t count[4] = {l.x, l.w, l.b, l.y};
  const um_precision precision = check_precision(c->be, &c->dice);
  for (int i = 0; i < 4; i++) {
    l.input[i] = check_floats(&c->dice, count[i], -1, 1);
    if (precision != UM_PRECISION_FP32) check_round(l.input[i], count[i]);
    l.size[i] = absolute(l.input[i], count[i]);
  }
  um_op_desc d_be = *d;
  d_be.precision = precision;
  d_be.x[0] = check_form(c->be, &c->dice, d->x[0].ndim, d->x[0].dim, &owner);
  const bool ok = compare_linear(c, d, &d_be, &l, text);
  if (owner) c->be->ops->plan_free(owner);
  free_linear(&l);
  return ok;
}

static const unsigned every_pass = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA | UM_PASS_BACKWARD_WEIGHTS;

/* A window that fits, with output sizes. */
static void random_window(check_dice *dice, um_window *w, int64_t H, int64_t W, int64_t *P, int64_t *Q, int largest) {
  const int64_t in[2] = {H, W};
  int64_t *out[2] = {P, Q};
  for (int i = 0; i < 2; i++) {
    do {
      w->kernel[i] = check_int(dice, 1, largest);
      w->stride[i] = check_pick(dice, 1, 1, 2, 3);
      w->pad_before[i] = check_int(dice, 0, w->kernel[i] - 1);
      w->pad_after[i] = check_int(dice, 0, w->kernel[i] - 1);
      *out[i] = (in[i] + w->pad_before[i] + w->pad_after[i] - w->kernel[i]) / w->stride[i] + 1;
    } while (in[i] + w->pad_before[i] + w->pad_after[i] < w->kernel[i]);
  }
}

static bool conv2d(check_context *c, um_algorithm algorithm) {
  check_dice *dice = &c->dice;
  um_op_desc d = {.kind = UM_OP_CONV2D, .algorithm = algorithm, .n_inputs = 1};
  /* VGG's window and whole vectors of channels are what Winograd and blocked layouts are for; they are often thrown on purpose. */
  const bool vgg = check_chance(dice, algorithm == UM_ALGO_WINOGRAD ? 0.85 : 0.4);
  const int64_t N = check_pick(dice, 1, 1, 2, 3, 5), H = check_int(dice, 1, 19), W = check_int(dice, 1, 19);
  const int64_t C = vgg ? check_pick(dice, 16, 32, 48, 64) : check_pick(dice, 1, 2, 3, 3, 5, 8, 16, 17, 32);
  const int64_t K = vgg ? check_pick(dice, 16, 32, 48, 64) : check_pick(dice, 1, 2, 3, 7, 8, 16, 19, 32, 64);
  int64_t P = H, Q = W;
  char text[160];
  if (vgg || check_chance(dice, 0.3))
    d.window = (um_window){{3, 3}, {1, 1}, {1, 1}, {1, 1}};
  else
    random_window(dice, &d.window, H, W, &P, &Q, 5);
  d.passes = check_chance(dice, 0.25) ? UM_PASS_FORWARD : every_pass;
  d.activation = check_chance(dice, 0.6) ? UM_ACT_RELU : UM_ACT_NONE;
  d.x[0] = um_tensor_plain(UM_F32, 4, (int64_t[]){N, H, W, C});
  d.y = um_tensor_plain(UM_F32, 4, (int64_t[]){N, P, Q, K});
  const um_window *w = &d.window;
  snprintf(text, sizeof text, "%dx%dx%dx%d -> %d, kernel %dx%d, stride %dx%d, padding %d %d %d %d%s", (int)N, (int)H, (int)W, (int)C,
           (int)K, w->kernel[0], w->kernel[1], w->stride[0], w->stride[1], w->pad_before[0], w->pad_before[1], w->pad_after[0],
           w->pad_after[1], d.activation ? ", relu" : "");
  return run_linear(c, &d, text);
}

static bool conv2d_auto(check_context *c) { return conv2d(c, UM_ALGO_AUTO); }
static bool conv2d_direct(check_context *c) { return conv2d(c, UM_ALGO_DIRECT); }
static bool conv2d_winograd(check_context *c) { return conv2d(c, UM_ALGO_WINOGRAD); }

static bool dense(check_context *c) {
  check_dice *dice = &c->dice;
  um_op_desc d = {.kind = UM_OP_DENSE, .n_inputs = 1};
  const int64_t N = check_pick(dice, 1, 1, 2, 5, 10, 33), I = check_pick(dice, 1, 3, 16, 100, 257, 512),
                O = check_pick(dice, 1, 1, 2, 10, 17, 256);
  char text[64];
  d.passes = check_chance(dice, 0.25) ? UM_PASS_FORWARD : every_pass;
  d.activation = check_chance(dice, 0.5) ? UM_ACT_RELU : UM_ACT_NONE;
  d.x[0] = um_tensor_plain(UM_F32, 2, (int64_t[]){N, I});
  d.y = um_tensor_plain(UM_F32, 2, (int64_t[]){N, O});
  snprintf(text, sizeof text, "%dx%d -> %d%s", (int)N, (int)I, (int)O, d.activation ? ", relu" : "");
  return run_linear(c, &d, text);
}

/* ---- ops without parameters ---- */

/* A softmax's dx = y (dy - sum of dy y): what each adds up. */
static void softmax_magnitude(float *out, const float *y, const float *size_dy, int64_t count, int64_t channels) {
  for (int64_t row = 0; row < count; row += channels) {
    float all = 0;
    for (int64_t c = row; c < row + channels; c++) all += size_dy[c] * y[c];
    for (int64_t c = row; c < row + channels; c++) out[c] = y[c] * (size_dy[c] + all);
  }
}

/* Runs d on both, x in a random form of the backend's, and compares y, every dx and a PReLU's dalpha within tolerance times the sum of
 * the absolute values that an element adds up (exact: 0). */
static bool compare_plain(check_context *c, um_op_desc *d, float *const x[], double forward, double backward, const char *text) {
  const int64_t y_count = um_tensor_count(&d->y);
  um_op_desc d_be = *d;
  d_be.precision = check_precision(c->be, &c->dice);
  const bool bf16 = d_be.precision == UM_PRECISION_BF16;
  const double more = bf16 ? rounded : 0;
  um_op *owner[UM_MAX_INPUTS] = {0};
  const int64_t channels = d->y.dim[d->y.ndim - 1];
  /* A maximum's gradient goes to the winners, a PReLU's alpha meets what is negative: their magnitudes need the same x. */
  const bool own_x = d->kind == UM_OP_MAX_POOL || d->kind == UM_OP_PRELU || d->kind == UM_OP_SOFTMAX;
  float *size_x[UM_MAX_INPUTS] = {0}, *dy = NULL, *size_dy = NULL, *seen = NULL, *alpha = NULL;
  check_operands o[3] = {0}; /* ref, backend, magnitudes */
  bool ok = false;
  dy = check_floats(&c->dice, y_count, -1, 1);
  if (d->kind == UM_OP_PRELU) alpha = check_floats(&c->dice, channels, -0.5, 1);
  for (int i = 0; i < d->n_inputs && bf16; i++) check_round(x[i], um_tensor_count(&d->x[i]));
  if (bf16) check_round(dy, y_count);
  size_dy = absolute(dy, y_count);
  for (int k = 0; k < 3; k++) {
    o[k].y = check_room(y_count);
    if (d->passes != UM_PASS_FORWARD) o[k].dy = k == 2 ? size_dy : dy;
    o[k].w = alpha;
    if (alpha) o[k].dw = check_room(channels);
    o[k].step = d->node + 3;
  }
  for (int i = 0; i < d->n_inputs; i++) {
    const int64_t count = um_tensor_count(&d->x[i]);
    d_be.x[i] = check_form(c->be, &c->dice, d->x[i].ndim, d->x[i].dim, &owner[i]);
    size_x[i] = absolute(x[i], count);
    const bool wanted = o[0].dy && (d->kind != UM_OP_CONCAT || check_chance(&c->dice, 0.7)); /* a concat's dx[i] may be NULL */
    for (int k = 0; k < 3; k++) {
      o[k].x[i] = k == 2 && !own_x ? size_x[i] : x[i];
      o[k].dx[i] = wanted ? check_room(count) : NULL;
    }
  }
  o[1].y_seen = o[2].y_seen = o[0].y;
  if (check_run(c->ref, d, &o[0], NULL) != UM_OK) goto done;
  if (bf16) { /* all take the slopes from a y that bf16 can hold: near 1 a sigmoid's loses half its bits there */
    seen = check_room(y_count);
    memcpy(seen, o[0].y, (size_t)y_count * sizeof *seen);
    check_round(seen, y_count);
    o[0].y_seen = o[1].y_seen = o[2].y_seen = seen;
    if (check_run(c->ref, d, &o[0], NULL) != UM_OK) goto done;
  }
  if (check_run(c->ref, d, &o[2], NULL) != UM_OK) goto done;
  if (d->kind == UM_OP_SOFTMAX && o[2].dx[0]) softmax_magnitude(o[2].dx[0], o[0].y, size_dy, y_count, channels);
  const int status = check_run(c->be, &d_be, &o[1], NULL);
  ok = status == UM_OK || status == UM_EUNSUPPORTED;
  if (status == UM_EUNSUPPORTED) {
    c->unsupported++;
    snprintf(c->refused, sizeof c->refused, "%s", text);
  }
  if (status != UM_OK) goto done;
  ok = check_near("y", o[1].y, o[0].y, o[2].y, forward > 0 ? forward + more : 0, y_count);
  for (int i = 0; i < d->n_inputs && ok; i++)
    if (o[0].dx[i])
      ok = check_near("dx", o[1].dx[i], o[0].dx[i], o[2].dx[i], backward > 0 ? backward + more : 0, um_tensor_count(&d->x[i]));
  if (ok && alpha && (d->passes & UM_PASS_BACKWARD_WEIGHTS)) ok = check_near("dalpha", o[1].dw, o[0].dw, o[2].dw, sum, channels);
done:
  if (!ok) check_fail("%s, %s", text, precisions[d_be.precision]);
  for (int i = 0; i < d->n_inputs; i++) {
    if (owner[i]) c->be->ops->plan_free(owner[i]);
    free(size_x[i]);
    for (int k = 0; k < 3; k++) free(o[k].dx[i]);
  }
  for (int k = 0; k < 3; k++) free(o[k].y), free(o[k].dw);
  free(dy), free(size_dy), free(seen), free(alpha);
  return ok;
}

static unsigned random_passes(check_dice *dice) {
  return check_chance(dice, 0.25) ? UM_PASS_FORWARD : UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA;
}

static bool pool(check_context *c, um_op_kind kind) {
  check_dice *dice = &c->dice;
  um_op_desc d = {.kind = kind, .n_inputs = 1, .passes = random_passes(dice)};
  const int64_t N = check_pick(dice, 1, 2, 3), H = check_int(dice, 1, 13), W = check_int(dice, 1, 13),
                C = check_pick(dice, 1, 3, 8, 16, 17, 64);
  int64_t P = (H - 2) / 2 + 1, Q = (W - 2) / 2 + 1;
  char text[128];
  d.x[0] = um_tensor_plain(UM_F32, 4, (int64_t[]){N, H, W, C});
  d.y = um_tensor_plain(UM_F32, 2, (int64_t[]){N, C});
  if (kind != UM_OP_GLOBAL_AVG_POOL) {
    if (H > 1 && W > 1 && check_chance(dice, 0.5)) /* VGG's */
      d.window = (um_window){.kernel = {2, 2}, .stride = {2, 2}};
    else
      random_window(dice, &d.window, H, W, &P, &Q, 4);
    d.y = um_tensor_plain(UM_F32, 4, (int64_t[]){N, P, Q, C});
  }
  const int64_t count = um_tensor_count(&d.x[0]);
  float *x = check_floats(dice, count, -1, 1);
  if (check_chance(dice, 0.5)) /* few values, so that many are equal: after a ReLU that is the rule */
    for (int64_t i = 0; i < count; i++) x[i] = x[i] < 0 ? 0 : ceilf(x[i] * 2);
  const um_window *w = &d.window;
  snprintf(text, sizeof text, "%dx%dx%dx%d, window %dx%d, stride %dx%d, padding %d %d %d %d", (int)N, (int)H, (int)W, (int)C, w->kernel[0],
           w->kernel[1], w->stride[0], w->stride[1], w->pad_before[0], w->pad_before[1], w->pad_after[0], w->pad_after[1]);
  /* A maximum is one of its inputs, exactly; where windows overlap, gradients are sums. */
  const bool ok = compare_plain(c, &d, (float *const[]){x}, kind == UM_OP_MAX_POOL ? exact : sum, sum, text);
  free(x);
  return ok;
}

static bool max_pool(check_context *c) { return pool(c, UM_OP_MAX_POOL); }
static bool avg_pool(check_context *c) { return pool(c, UM_OP_AVG_POOL); }
static bool global_avg_pool(check_context *c) { return pool(c, UM_OP_GLOBAL_AVG_POOL); }

/* A pointwise op's forward pass, and its backward one of dy with the y that is seen. */
static int point_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *alpha, const um_control *control, um_error *err) {
  const um_ops *ops = op->backend->ops;
  if (op->desc.kind == UM_OP_PRELU) return ops->prelu_forward(op, y, x, alpha, err);
  if (op->desc.kind == UM_OP_DROPOUT) return ops->dropout(op, y, x, control, err);
  return ops->activation_forward(op, y, x, err);
}

static int point_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *x, const um_tensor *y, const um_tensor *alpha,
                          const um_control *control, um_error *err) {
  const um_ops *ops = op->backend->ops;
  if (op->desc.kind == UM_OP_PRELU) return ops->prelu_backward_data(op, dx, dy, x, alpha, err);
  if (op->desc.kind == UM_OP_DROPOUT) return ops->dropout(op, dx, dy, control, err);
  return ops->activation_backward(op, dx, dy, y, err);
}

/* y = x and dx = dy in place, which the contract allows. */
static bool activation_in_place(check_context *c, const um_op_desc *d, const float *x) {
  enum { STEP = 11 };
  const int64_t channels = d->y.dim[d->y.ndim - 1];
  float *bend = check_floats(&c->dice, channels, -0.5, 1);
  const um_tensor vector = um_tensor_plain(UM_F32, 1, &channels);
  const int64_t count = um_tensor_count(&d->y);
  float *want_y = check_room(count), *want_dx = check_room(count), *got = check_room(count), *ones = check_room(count);
  float *size = d->kind == UM_OP_SOFTMAX ? check_room(count) : NULL;
  for (int64_t i = 0; i < count; i++) ones[i] = d->kind == UM_OP_SOFTMAX ? (float)(i % 7) : 1;
  check_operands o = {.x = {x}, .w = bend, .dy = ones, .y = want_y, .dx = {want_dx}, .step = STEP};
  check_lab lab = {.be = c->be};
  um_op *op = NULL;
  um_error err = {0};
  bool ok = check_run(c->ref, d, &o, NULL) == UM_OK && c->be->ops->plan(c->be, d, &op, &err) == UM_OK;
  if (ok) {
    um_tensor t = check_tensor(&lab, &op->y, x, "x in place"), dy = check_tensor(&lab, &op->y, ones, "dy in place");
    free(lab.piece[0].before), free(lab.piece[1].before); /* these two do change */
    lab.piece[0].before = lab.piece[1].before = NULL;
    const um_tensor alpha = check_tensor(&lab, &vector, bend, "alpha"), before = check_tensor(&lab, &op->y, x, "x");
    const um_control now = {.n = 1, .step = STEP};
    um_control *control = check_memory(&lab, sizeof now, "control");
    ok = control && c->be->ops->upload(c->be, control, &now, sizeof now, &err) == UM_OK;
    const double near = d->kind == UM_OP_SOFTMAX ? differences : elementary;
    ok = ok && point_forward(op, &t, &t, &alpha, control, &err) == UM_OK && check_read(&lab, &t, got) &&
         check_near("y in place", got, want_y, NULL, near, count);
    um_tensor seen = check_tensor(&lab, &op->y, want_y, "y seen");
    if (d->kind == UM_OP_SOFTMAX) softmax_magnitude(size, want_y, ones, count, channels);
    ok = ok && point_backward(op, &dy, &dy, &before, &seen, &alpha, control, &err) == UM_OK && check_read(&lab, &dy, got) &&
         check_near("dx in place", got, want_dx, size, near, count);
  }
  ok = check_close(&lab) && ok;
  if (op) c->be->ops->plan_free(op);
  free(want_y), free(want_dx), free(got), free(ones), free(bend), free(size);
  return ok;
}

static bool activation(check_context *c, um_op_kind kind) {
  um_op_desc d = {.kind = kind, .n_inputs = 1, .passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA};
  int64_t dim[4];
  const int ndim = check_shape(&c->dice, dim);
  d.x[0] = d.y = um_tensor_plain(UM_F32, ndim, dim);
  float *x = check_floats(&c->dice, um_tensor_count(&d.y), -9, 9);
  x[0] = 0;
  const double near = kind == UM_OP_RELU ? exact : kind == UM_OP_SOFTMAX ? differences : elementary;
  char text[64];
  if (kind == UM_OP_PRELU) d.passes |= UM_PASS_BACKWARD_WEIGHTS;
  if (kind == UM_OP_DROPOUT) {
    d.rate = check_pick(&c->dice, 0, 1, 500, 500, 999) / 1000.0;
    d.seed = (uint64_t)check_int(&c->dice, 0, 1 << 30) << 20;
    d.node = (uint32_t)check_int(&c->dice, 0, 4095);
  }
  snprintf(text, sizeof text, "%d numbers, rate %g, node %u", (int)um_tensor_count(&d.y), d.rate, d.node);
  bool ok = compare_plain(c, &d, (float *const[]){x}, near, near, text);
  ok = ok && activation_in_place(c, &d, x);
  free(x);
  return ok;
}

static bool relu(check_context *c) { return activation(c, UM_OP_RELU); }
static bool sigmoid(check_context *c) { return activation(c, UM_OP_SIGMOID); }
static bool softmax(check_context *c) { return activation(c, UM_OP_SOFTMAX); }
static bool prelu(check_context *c) { return activation(c, UM_OP_PRELU); }
static bool dropout(check_context *c) { return activation(c, UM_OP_DROPOUT); }

static bool join(check_context *c, um_op_kind kind) {
  um_op_desc d = {.kind = kind, .n_inputs = check_int(&c->dice, kind == UM_OP_ADD ? 1 : 2, 4), .passes = random_passes(&c->dice)};
  float *x[UM_MAX_INPUTS] = {0};
  int64_t dim[4], width = 0;
  const int ndim = check_shape(&c->dice, dim);
  if (kind == UM_OP_ADD && check_chance(&c->dice, 0.5)) d.activation = UM_ACT_RELU;
  for (int i = 0; i < d.n_inputs; i++) {
    if (kind == UM_OP_CONCAT) dim[ndim - 1] = check_pick(&c->dice, 1, 3, 8, 16, 17, 32);
    width += dim[ndim - 1];
    d.x[i] = um_tensor_plain(UM_F32, ndim, dim);
    x[i] = check_floats(&c->dice, um_tensor_count(&d.x[i]), -1, 1);
  }
  if (kind == UM_OP_CONCAT) dim[ndim - 1] = width;
  d.y = um_tensor_plain(UM_F32, ndim, dim);
  const bool ok = compare_plain(c, &d, x, kind == UM_OP_ADD ? sum : exact, exact, kind == UM_OP_ADD ? "add" : "concat");
  for (int i = 0; i < d.n_inputs; i++) free(x[i]);
  return ok;
}

static bool add(check_context *c) { return join(c, UM_OP_ADD); }
static bool concat(check_context *c) { return join(c, UM_OP_CONCAT); }

/* ---- all of them ---- */

static const struct {
  const char *name;
  bool (*check)(check_context *);
  int cases;
} op[] = {
    {"conv2d", conv2d_auto, 60},
    {"conv2d_direct", conv2d_direct, 40},
    {"conv2d_winograd", conv2d_winograd, 30},
    {"dense", dense, 60},
    {"max_pool", max_pool, 60},
    {"avg_pool", avg_pool, 60},
    {"global_avg_pool", global_avg_pool, 30},
    {"relu", relu, 30},
    {"sigmoid", sigmoid, 30},
    {"softmax", softmax, 30},
    {"prelu", prelu, 40},
    {"dropout", dropout, 30},
    {"add", add, 40},
    {"concat", concat, 40},
    {"reorder", check_reorder, 60},
    {"warp", check_warp, 40},
    {"bce_logits", check_bce_logits, 40},
    {"optimizer_step", check_optimizer_step, 40},
    {"sum_squares", check_sum_squares, 20},
};

int check_against_ref(um_backend *be, uint64_t seed, const char *only, int *passed) {
  um_error err = {0};
  int failures = 0;
  check_context c = {.be = be};
  if (um_ref_open(&c.ref, &err) != UM_OK) return 1;
  for (size_t i = 0; i < sizeof op / sizeof *op; i++) {
    if (only && strcmp(only, op[i].name) != 0) continue;
    bool ok = true;
    c.unsupported = c.winograd = 0;
    printf("[ RUN      ] %s: %s, %d cases\n", be->ops->name, op[i].name, op[i].cases);
    for (int k = 0; k < op[i].cases && ok; k++) {
      c.dice = (check_dice){.seed = seed, .test = (uint32_t)i + 1, .number = (uint32_t)k};
      if (!(ok = op[i].check(&c))) printf("    case %d, seed %llu\n", k, (unsigned long long)seed);
    }
    /* An op that is never run passes nothing. Winograd's convolution is the one that a backend need not have. */
    if (ok && c.unsupported == op[i].cases && op[i].check == conv2d_winograd) {
      printf("[  SKIPPED ] %s has no Winograd\n", be->ops->name);
      continue;
    }
    if (ok && c.unsupported == op[i].cases) ok = check_fail("%s: every case was refused", op[i].name);
    if (c.unsupported) printf("    %d of %d refused by plan(), such as %s\n", c.unsupported, op[i].cases, c.refused);
    if (c.winograd) printf("    Winograd in %d of %d\n", c.winograd, op[i].cases);
    printf("[ %s ] %s: %s\n", ok ? "      OK" : " FAILED ", be->ops->name, op[i].name);
    failures += !ok, *passed += ok;
  }
  c.ref->ops->close(c.ref);
  return failures;
}
