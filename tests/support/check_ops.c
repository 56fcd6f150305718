/* Every op of a backend against ref. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* How far a backend may be from ref, in units of the sum of the absolute values of what an element adds up (for Winograd: of the
 * largest such sum of the tensor, because a tile's sums mix).
 *   direct     f32 sums of up to some thousand products, blocked: a few dozen roundings of 6e-8 that do not all go one way.
 *   Winograd   F(4,3) multiplies errors by about 10 (Lavin & Gray 2016; Barabasz et al. 2020, table 2, for f32).
 *   elementary one rounding or two; sigmoid: exp of vector units is good to a few 1e-7. */
static const double direct = 1e-6, winograd = 3e-6, sum = 1e-6, elementary = 1e-6, exact = 0;
/* A result that is rounded to bf16: half a unit in the last of its 8 bits, which is the same or less of what it adds up. Operands of
 * such cases are bf16 themselves, so that their products are exact and the sums as good as in f32. */
static const double rounded = 1 / 256.0;

typedef struct context {
  um_backend *be, *ref;
  check_dice dice;
  int unsupported; /* cases that plan() refused */
  int winograd;    /* cases in which a pass was Winograd's */
  char refused[48];
} context;

static float *absolute(const float *x, int64_t n) {
  float *a = malloc(sizeof *a * (size_t)n);
  for (int64_t i = 0; a && i < n; i++) a[i] = fabsf(x[i]);
  return a;
}

static float *room(int64_t n) { return malloc(sizeof(float) * (size_t)(n > 0 ? n : 1)); }

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

static bool compare_linear(context *c, const um_op_desc *d, const um_op_desc *d_be, linear *l, const char *text) {
  static const char *const name[] = {"y", "dx", "dw", "db"};
  const int64_t count[4] = {l->y, l->x, l->w, l->b};
  const bool backward = (d->passes & UM_PASS_BACKWARD_WEIGHTS) != 0;
  char algorithm[sizeof((um_op *)0)->algorithm] = "";
  for (int i = 0; i < 4; i++) l->want[i] = room(count[i]), l->got[i] = room(count[i]), l->magnitude[i] = room(count[i]);
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

static bool run_linear(context *c, um_op_desc *d, const char *text) {
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

static bool conv2d(context *c, um_algorithm algorithm) {
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

static bool conv2d_auto(context *c) { return conv2d(c, UM_ALGO_AUTO); }
static bool conv2d_direct(context *c) { return conv2d(c, UM_ALGO_DIRECT); }
static bool conv2d_winograd(context *c) { return conv2d(c, UM_ALGO_WINOGRAD); }

static bool dense(context *c) {
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

/* Runs d on both, x in a random form of the backend's, and compares y and every dx within tolerance times the sum of the
 * absolute values that an element adds up (exact: 0). */
static bool compare_plain(context *c, um_op_desc *d, float *const x[], double forward, double backward, const char *text) {
  const int64_t y_count = um_tensor_count(&d->y);
  um_op_desc d_be = *d;
  d_be.precision = check_precision(c->be, &c->dice);
  const bool bf16 = d_be.precision == UM_PRECISION_BF16;
  const double more = bf16 ? rounded : 0;
  um_op *owner[UM_MAX_INPUTS] = {0};
  float *size_x[UM_MAX_INPUTS] = {0}, *dy = NULL, *size_dy = NULL, *seen = NULL;
  check_operands o[3] = {0}; /* ref, backend, magnitudes */
  bool ok = false;
  dy = check_floats(&c->dice, y_count, -1, 1);
  for (int i = 0; i < d->n_inputs && bf16; i++) check_round(x[i], um_tensor_count(&d->x[i]));
  if (bf16) check_round(dy, y_count);
  size_dy = absolute(dy, y_count);
  for (int k = 0; k < 3; k++) {
    o[k].y = room(y_count);
    if (d->passes & UM_PASS_BACKWARD_DATA) o[k].dy = k == 2 ? size_dy : dy;
  }
  for (int i = 0; i < d->n_inputs; i++) {
    const int64_t count = um_tensor_count(&d->x[i]);
    d_be.x[i] = check_form(c->be, &c->dice, d->x[i].ndim, d->x[i].dim, &owner[i]);
    size_x[i] = absolute(x[i], count);
    const bool wanted = o[0].dy && (d->kind != UM_OP_CONCAT || check_chance(&c->dice, 0.7)); /* a concat's dx[i] may be NULL */
    for (int k = 0; k < 3; k++) {
      /* A maximum's gradient goes to the winners, so its magnitudes need the same ones: |dy| over the same x. */
      o[k].x[i] = k == 2 && d->kind != UM_OP_MAX_POOL ? size_x[i] : x[i];
      o[k].dx[i] = wanted ? room(count) : NULL;
    }
  }
  o[1].y_seen = o[2].y_seen = o[0].y;
  if (check_run(c->ref, d, &o[0], NULL) != UM_OK) goto done;
  if (bf16) { /* all take the slopes from a y that bf16 can hold: near 1 a sigmoid's loses half its bits there */
    seen = room(y_count);
    memcpy(seen, o[0].y, (size_t)y_count * sizeof *seen);
    check_round(seen, y_count);
    o[0].y_seen = o[1].y_seen = o[2].y_seen = seen;
    if (check_run(c->ref, d, &o[0], NULL) != UM_OK) goto done;
  }
  if (check_run(c->ref, d, &o[2], NULL) != UM_OK) goto done;
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
done:
  if (!ok) check_fail("%s, %s", text, precisions[d_be.precision]);
  for (int i = 0; i < d->n_inputs; i++) {
    if (owner[i]) c->be->ops->plan_free(owner[i]);
    free(size_x[i]);
    for (int k = 0; k < 3; k++) free(o[k].dx[i]);
  }
  for (int k = 0; k < 3; k++) free(o[k].y);
  free(dy), free(size_dy), free(seen);
  return ok;
}

static unsigned random_passes(check_dice *dice) {
  return check_chance(dice, 0.25) ? UM_PASS_FORWARD : UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA;
}

static bool pool(context *c, um_op_kind kind) {
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

static bool max_pool(context *c) { return pool(c, UM_OP_MAX_POOL); }
static bool avg_pool(context *c) { return pool(c, UM_OP_AVG_POOL); }
static bool global_avg_pool(context *c) { return pool(c, UM_OP_GLOBAL_AVG_POOL); }

static int random_shape(check_dice *dice, int64_t dim[4]) {
  const int ndim = check_chance(dice, 0.7) ? 4 : 2;
  dim[0] = check_pick(dice, 1, 2, 3);
  for (int i = 1; i < ndim - 1; i++) dim[i] = check_int(dice, 1, 9);
  dim[ndim - 1] = check_pick(dice, 1, 3, 8, 16, 17, 33);
  return ndim;
}

/* y = x and dx = dy in place, which the contract allows. */
static bool activation_in_place(context *c, const um_op_desc *d, const float *x) {
  const int64_t count = um_tensor_count(&d->y);
  float *want_y = room(count), *want_dx = room(count), *got = room(count), *ones = room(count);
  for (int64_t i = 0; i < count; i++) ones[i] = 1;
  check_operands o = {.x = {x}, .dy = ones, .y = want_y, .dx = {want_dx}};
  check_lab lab = {.be = c->be};
  um_op *op = NULL;
  um_error err = {0};
  bool ok = check_run(c->ref, d, &o, NULL) == UM_OK && c->be->ops->plan(c->be, d, &op, &err) == UM_OK;
  if (ok) {
    um_tensor t = check_tensor(&lab, &op->y, x, "x in place"), dy = check_tensor(&lab, &op->y, ones, "dy in place");
    free(lab.piece[0].before), free(lab.piece[1].before); /* these two do change */
    lab.piece[0].before = lab.piece[1].before = NULL;
    ok = c->be->ops->activation_forward(op, &t, &t, &err) == UM_OK && check_read(&lab, &t, got) &&
         check_near("y in place", got, want_y, NULL, elementary, count);
    um_tensor seen = check_tensor(&lab, &op->y, want_y, "y seen");
    ok = ok && c->be->ops->activation_backward(op, &dy, &dy, &seen, &err) == UM_OK && check_read(&lab, &dy, got) &&
         check_near("dx in place", got, want_dx, NULL, elementary, count);
  }
  ok = check_close(&lab) && ok;
  if (op) c->be->ops->plan_free(op);
  free(want_y), free(want_dx), free(got), free(ones);
  return ok;
}

static bool activation(context *c, um_op_kind kind) {
  um_op_desc d = {.kind = kind, .n_inputs = 1, .passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA};
  int64_t dim[4];
  const int ndim = random_shape(&c->dice, dim);
  d.x[0] = d.y = um_tensor_plain(UM_F32, ndim, dim);
  float *x = check_floats(&c->dice, um_tensor_count(&d.y), -9, 9);
  x[0] = 0;
  bool ok = compare_plain(c, &d, (float *const[]){x}, kind == UM_OP_RELU ? exact : elementary, kind == UM_OP_RELU ? exact : elementary, "");
  ok = ok && activation_in_place(c, &d, x);
  free(x);
  return ok;
}

static bool relu(context *c) { return activation(c, UM_OP_RELU); }
static bool sigmoid(context *c) { return activation(c, UM_OP_SIGMOID); }

static bool join(context *c, um_op_kind kind) {
  um_op_desc d = {.kind = kind, .n_inputs = check_int(&c->dice, kind == UM_OP_ADD ? 1 : 2, 4), .passes = random_passes(&c->dice)};
  float *x[UM_MAX_INPUTS] = {0};
  int64_t dim[4], width = 0;
  const int ndim = random_shape(&c->dice, dim);
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

static bool add(context *c) { return join(c, UM_OP_ADD); }
static bool concat(context *c) { return join(c, UM_OP_CONCAT); }

/* ---- ops of the backend itself ---- */

/* plain -> any layout -> plain loses nothing, padding is zero; dst += src; memory is aligned and can be zeroed. */
static bool reorder(context *c) {
  int64_t dim[4];
  um_op *owner;
  um_error err = {0};
  check_lab lab = {.be = c->be};
  const int ndim = random_shape(&c->dice, dim);
  const um_tensor form = check_form(c->be, &c->dice, ndim, dim, &owner);
  const int64_t n = um_tensor_count(&form);
  float *a = check_floats(&c->dice, n, -1, 1), *b = check_floats(&c->dice, n, -1, 1), *got = room(n), *both = room(n);
  if (form.dtype == UM_BF16) check_round(a, n), check_round(b, n);
  for (int64_t i = 0; i < n; i++) both[i] = a[i] + b[i];
  if (form.dtype == UM_BF16) check_round(both, n);
  um_tensor ta = check_tensor(&lab, &form, a, "a"), tb = check_tensor(&lab, &form, b, "b"), copy = check_tensor(&lab, &form, NULL, "copy");
  bool ok = ta.data && tb.data && copy.data && check_read(&lab, &ta, got) && check_near("there and back", got, a, NULL, exact, n) &&
            check_padding(&lab, &ta);
  ok = ok && c->be->ops->reorder(c->be, &copy, &ta, &err) == UM_OK && check_read(&lab, &copy, got) &&
       check_near("copy", got, a, NULL, exact, n);
  ok = ok && c->be->ops->accumulate(c->be, &copy, &tb, &err) == UM_OK && check_read(&lab, &copy, got) &&
       check_near("accumulate", got, both, NULL, exact, n) && check_padding(&lab, &copy);
  ok = ok && c->be->ops->zero(c->be, copy.data, copy.bytes, &err) == UM_OK && check_read(&lab, &copy, got);
  for (int64_t i = 0; ok && i < n; i++) ok = got[i] == 0;
  ok = ok && (uintptr_t)lab.piece[0].base % 64 == 0;
  ok = check_close(&lab) && ok;
  if (owner) c->be->ops->plan_free(owner);
  free(a), free(b), free(got), free(both);
  return ok ? ok : check_fail("%s", err.text);
}

/* Host bytes as an input in the lab's memory; NULL where that failed. */
static void *bring(check_lab *lab, const void *host, size_t bytes, const char *what) {
  um_error err = {0};
  void *p = check_memory(lab, bytes, what);
  if (p && lab->be->ops->upload(lab->be, p, host, bytes, &err) == UM_OK) return p;
  check_fail("%s: cannot be brought to the device: %s", what, err.text);
  return NULL;
}

static bool fetch(check_lab *lab, void *host, const void *device, size_t bytes) {
  return lab->be->ops->download(lab->be, host, device, bytes, NULL) == UM_OK;
}

/* Two calls into one report, the second without dz, and a third on a logit that is no number. */
static bool bce_logits(context *c) {
  check_dice *dice = &c->dice;
  const int64_t N = check_int(dice, 1, 40), n = check_int(dice, 1, (int)N);
  const um_tensor form = um_tensor_plain(UM_F32, 2, (int64_t[]){N, 1});
  float *z = check_floats(dice, N, -12, 12), *t = room(N), *dz[2] = {room(N), room(N)};
  um_report once[2], twice[2], spoilt[2], fresh;
  um_error err = {0};
  bool ok = true;
  um_report_reset(&fresh);
  for (int64_t i = 0; i < N; i++) t[i] = check_chance(dice, 0.5);
  z[0] = check_pick(dice, 0, 100, -100, 40);
  for (int k = 0; k < 2; k++) {
    check_lab lab = {.be = k ? c->be : c->ref};
    const um_ops *ops = lab.be->ops;
    const um_control control = {.n = n, .step = 5};
    um_tensor tz = check_tensor(&lab, &form, z, "z"), tdz = check_tensor(&lab, &form, NULL, "dz");
    const float *labels = bring(&lab, t, (size_t)N * sizeof *t, "labels");
    const um_control *at = bring(&lab, &control, sizeof control, "control");
    um_report *report = bring(&lab, &fresh, sizeof fresh, "report");
    ok = ok && tz.data && tdz.data && labels && at && report && ops->bce_logits(lab.be, &tdz, report, &tz, labels, at, &err) == UM_OK &&
         check_read(&lab, &tdz, dz[k]) && fetch(&lab, &once[k], report, sizeof fresh);
    ok = ok && ops->bce_logits(lab.be, NULL, report, &tz, labels, at, &err) == UM_OK && fetch(&lab, &twice[k], report, sizeof fresh);
    float *bad = malloc((size_t)N * sizeof *bad);
    memcpy(bad, z, (size_t)N * sizeof *bad);
    bad[n - 1] = NAN;
    um_tensor tb = check_tensor(&lab, &form, bad, "z with a NaN");
    ok = ok && tb.data && ops->bce_logits(lab.be, NULL, report, &tb, labels, at, &err) == UM_OK &&
         fetch(&lab, &spoilt[k], report, sizeof fresh);
    free(bad);
    ok = check_close(&lab) && ok;
  }
  ok = ok && fabs(once[1].loss - once[0].loss) <= 1e-6 * once[0].loss + 1e-9 && once[1].correct == once[0].correct &&
       once[1].samples == n && once[1].bad_loss == UM_NEVER && once[1].bad_gradient == UM_NEVER;
  ok = ok && fabs(twice[1].loss - 2 * once[1].loss) <= 1e-12 * once[1].loss + 1e-15 && twice[1].correct == 2 * once[1].correct &&
       twice[1].samples == 2 * n;
  ok = ok && spoilt[0].bad_loss == 5 && spoilt[1].bad_loss == 5 && spoilt[1].bad_gradient == UM_NEVER;
  for (int64_t i = 0; i < N && ok; i++) ok = i < n ? fabs((double)dz[1][i] - dz[0][i]) <= 1e-6 / (double)n : dz[1][i] == 0;
  free(z), free(t), free(dz[0]), free(dz[1]);
  return ok ? ok : check_fail("%d of %d: loss %.9g, ref has %.9g %s", (int)n, (int)N, once[1].loss, once[0].loss, err.text);
}

/* One step, in some cases with gradients that are not finite, or with a loss that was not. */
static bool optimizer_step(context *c) {
  check_dice *dice = &c->dice;
  const um_optimizer o = {.kind = (um_optimizer_kind)check_int(dice, 0, 2),
                          .learning_rate = 1e-3,
                          .rho = 0.9,
                          .momentum = check_chance(dice, 0.5) ? 0.9 : 0,
                          .nesterov = check_chance(dice, 0.5),
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .epsilon = 1e-7,
                          .epsilon_inside = check_chance(dice, 0.5)};
  const um_control control = {.n = 1, .step = 7, .rate = um_optimizer_rate(&o, 1e-3, 7)};
  const int64_t n = check_pick(dice, 1, 3, 16, 17, 1000, 4099, 70001);
  const um_tensor form = um_tensor_plain(UM_F32, 1, &n);
  const unsigned states = um_optimizer_states(&o);
  const bool copies = check_chance(dice, 0.5), spoilt = check_chance(dice, 0.3), lost = check_chance(dice, 0.1);
  static const char *const name[] = {"w", "m", "v"};
  float *in[4] = {check_floats(dice, n, -1, 1), check_floats(dice, n, -1, 1), check_floats(dice, n, -1e-3, 1e-3),
                  check_floats(dice, n, 0, 1e-2)};
  float *out[2][3];
  uint16_t *copy[2] = {calloc((size_t)n, 2), calloc((size_t)n, 2)};
  um_report report[2], fresh;
  um_error err = {0};
  bool ok = true;
  um_report_reset(&fresh);
  if (lost) fresh.bad_loss = 3;
  if (spoilt) in[1][check_int(dice, 0, (int)n - 1)] = NAN, in[1][check_int(dice, 0, (int)n - 1)] = INFINITY;
  for (int k = 0; k < 2; k++) {
    check_lab lab = {.be = k ? c->be : c->ref};
    um_tensor t[4];
    for (int i = 0; i < 4; i++) { /* w, g, m, v */
      t[i] = check_tensor(&lab, &form, in[i], i == 1 ? "g" : "state");
      ok = t[i].data && ok;
      if (i == 0 || (i == 2 && (states & 1)) || (i == 3 && (states & 2))) free(lab.piece[i].before), lab.piece[i].before = NULL;
    }
    um_report *at = bring(&lab, &fresh, sizeof fresh, "report");
    const um_control *now = bring(&lab, &control, sizeof control, "control");
    uint16_t *half = copies ? bring(&lab, copy[k], 2 * (size_t)n, "copy") : NULL;
    ok = ok && at && now &&
         lab.be->ops->optimizer_step(lab.be, &o, t[0].data, half, states & 1 ? t[2].data : NULL, states & 2 ? t[3].data : NULL, at,
                                     t[1].data, n, now, &err) == UM_OK;
    ok = ok && fetch(&lab, &report[k], at, sizeof fresh) && (!half || fetch(&lab, copy[k], half, 2 * (size_t)n));
    for (int i = 0; i < 3; i++) {
      out[k][i] = room(n);
      ok = ok && check_read(&lab, &t[i ? i + 1 : 0], out[k][i]);
    }
    ok = check_close(&lab) && ok;
  }
  for (int i = 0; i < 3 && ok; i++) ok = check_near(name[i], out[1][i], out[0][i], NULL, elementary, n);
  ok = ok && memcmp(&report[0], &report[1], sizeof fresh) == 0 && (report[1].bad_gradient != UM_NEVER) == (spoilt && !lost);
  for (int64_t i = 0; copies && ok && i < n; i++) ok = copy[1][i] == (lost ? 0 : um_bf16_of(out[1][0][i]));
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < 3; i++) free(out[k][i]);
  for (int i = 0; i < 4; i++) free(in[i]);
  free(copy[0]), free(copy[1]);
  return ok ? ok : check_fail("kind %d, momentum %g, %d values %s", (int)o.kind, o.momentum, (int)n, err.text);
}

static bool sum_squares(context *c) {
  check_dice *dice = &c->dice;
  const int64_t n = check_pick(dice, 1, 3, 17, 1000, 70001), at = check_int(dice, 0, (int)n - 1);
  const um_tensor form = um_tensor_plain(UM_F32, 1, &n);
  const float bad[] = {NAN, INFINITY, -INFINITY};
  float *x = check_floats(dice, n, -1e3, 1e3);
  double want, got, spoilt = 0;
  um_error err = {0};
  check_lab lab = {.be = c->be}, ref = {.be = c->ref};
  const um_tensor a = check_tensor(&ref, &form, x, "x"), b = check_tensor(&lab, &form, x, "x");
  bool ok = a.data && b.data && c->ref->ops->sum_squares(c->ref, &want, a.data, n, &err) == UM_OK &&
            c->be->ops->sum_squares(c->be, &got, b.data, n, &err) == UM_OK;
  ok = ok && fabs(got - want) <= 1e-12 * (double)n * want; /* both in double, in different orders */
  x[at] = bad[check_int(dice, 0, 2)];
  const um_tensor s = check_tensor(&lab, &form, x, "x with a value that is not finite");
  ok = ok && s.data && c->be->ops->sum_squares(c->be, &spoilt, s.data, n, &err) == UM_OK && !isfinite(spoilt);
  ok = check_close(&ref) && ok;
  ok = check_close(&lab) && ok;
  free(x);
  return ok ? ok : check_fail("%d values: %.17g, ref has %.17g; with %g: %g %s", (int)n, got, want, bad[0], spoilt, err.text);
}

/* A faster backend may compute coordinates in f32: at 150 pixels that is 2e-5 of a pixel. So each value must lie within what ref
 * gives when the source is moved by up to `slack` pixels (that also covers the jumps of constant, reflect and wrap), and 0.01 of
 * a grey level for the interpolation itself; PARITY asks for 1. */
static bool warp(context *c) {
  static const double shift[5][2] = {{0, 0}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}};
  const double slack = 1e-4, level = 0.01;
  check_dice *dice = &c->dice;
  enum { N = 3 };
  const int64_t H = check_pick(dice, 1, 2, 7, 16, 33, 150), W = check_pick(dice, 1, 3, 9, 16, 32, 150), n = check_int(dice, 1, N),
                size = H * W * 3;
  um_warp_sample sample[5][N] = {0};
  um_warp how = {.fill = (um_fill_mode)check_int(dice, 0, 3), .cval = 37, .scale = 1 / 255.0f, .bgr = check_chance(dice, 0.3)};
  if (how.bgr) how.scale = 1, how.mean[0] = 103.939f, how.mean[1] = 116.779f, how.mean[2] = 123.68f;
  um_error err = {0};
  uint8_t *pixels = malloc((size_t)(N * size));
  float *out[6];
  bool ok = true;
  for (int64_t i = 0; i < N * size; i++) pixels[i] = (uint8_t)check_int(dice, 0, 255);
  for (int s = 0; s < N; s++) {
    const double angle = check_int(dice, -40, 40) * 0.017453292519943295,
                 zoom = check_pick(dice, 1, 1, 3) * (0.8 + 0.1 * check_int(dice, 0, 4));
    um_warp_sample *a = &sample[0][s];
    a->identity = check_chance(dice, 0.15);
    a->flip_horizontal = check_chance(dice, 0.5), a->flip_vertical = check_chance(dice, 0.5);
    a->m[0] = zoom * cos(angle), a->m[1] = -sin(angle), a->m[3] = sin(angle), a->m[4] = zoom * cos(angle);
    a->m[2] = (double)H * 0.1 * check_int(dice, -20, 20), a->m[5] = (double)W * 0.1 * check_int(dice, -20, 20);
    for (int k = 1; k < 5; k++) {
      sample[k][s] = *a;
      sample[k][s].m[2] += slack * shift[k][0], sample[k][s].m[5] += slack * shift[k][1];
    }
  }
  const um_tensor form = um_tensor_plain(UM_U8, 4, (int64_t[]){N, H, W, 3}), wide = um_tensor_plain(UM_F32, 4, form.dim);
  for (int k = 0; k < 6; k++) { /* ref five times, then the backend */
    check_lab lab = {.be = k < 5 ? c->ref : c->be};
    out[k] = room(N * size);
    um_tensor x = form, y = check_tensor(&lab, &wide, NULL, "y");
    x.data = check_memory(&lab, x.bytes, "pixels");
    const um_warp_sample *samples = bring(&lab, sample[k < 5 ? k : 0], sizeof sample[0], "samples");
    const um_control *at = bring(&lab, &(um_control){.n = n}, sizeof(um_control), "control");
    ok = ok && y.data && x.data && samples && at && lab.be->ops->upload(lab.be, x.data, pixels, x.bytes, &err) == UM_OK &&
         lab.be->ops->warp(lab.be, &y, &x, samples, at, &how, &err) == UM_OK && check_read(&lab, &y, out[k]);
    ok = check_close(&lab) && ok;
  }
  for (int64_t i = 0; i < N * size && ok; i++) {
    double low = out[0][i], high = low;
    for (int k = 1; k < 5; k++) low = fmin(low, out[k][i]), high = fmax(high, out[k][i]);
    const double margin = i < n * size ? level * how.scale : 0;
    if (!(out[5][i] >= low - margin && out[5][i] <= high + margin))
      ok = check_fail("value %lld of %dx%d, fill %d: %.9g, ref has %.9g (%.9g to %.9g)", (long long)i, (int)H, (int)W, (int)how.fill,
                      out[5][i], out[0][i], low, high);
  }
  for (int k = 0; k < 6; k++) free(out[k]);
  free(pixels);
  return ok ? ok : check_fail("warp %s", err.text);
}

/* ---- all of them ---- */

static const struct {
  const char *name;
  bool (*check)(context *);
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
    {"add", add, 40},
    {"concat", concat, 40},
    {"reorder", reorder, 60},
    {"warp", warp, 40},
    {"bce_logits", bce_logits, 40},
    {"optimizer_step", optimizer_step, 40},
    {"sum_squares", sum_squares, 20},
};

int check_against_ref(um_backend *be, uint64_t seed, const char *only, int *passed) {
  um_error err = {0};
  int failures = 0;
  context c = {.be = be};
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
