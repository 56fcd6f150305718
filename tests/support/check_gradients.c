/* ref's backward passes against central differences of its forward ones: of L = sum of r y for random r, by every operand. Linear
 * ops are exact at any step, so theirs is large; the others stay off their kinks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct problem {
  um_backend *be;
  um_op_desc d;
  float *x[UM_MAX_INPUTS], *w, *b, *r; /* r: dL/dy */
  int64_t w_count, b_count;
  double h, tolerance; /* relative, of the norm */
} problem;

static bool loss(problem *p, double *out) {
  const int64_t n = um_tensor_count(&p->d.y);
  float *y = malloc(sizeof *y * (size_t)n);
  check_operands o = {.w = p->w, .b = p->b, .y = y};
  um_op_desc forward = p->d;
  forward.passes = UM_PASS_FORWARD;
  for (int i = 0; i < p->d.n_inputs; i++) o.x[i] = p->x[i];
  const bool ok = check_run(p->be, &forward, &o, NULL) == UM_OK;
  *out = 0;
  for (int64_t i = 0; i < n; i++) *out += (double)p->r[i] * y[i];
  free(y);
  return ok;
}

/* Up to 60 elements of the operand a, whose gradient is g. */
static bool differences(problem *p, const char *what, float *a, const float *g, int64_t n) {
  const int64_t stride = n / 60 + 1;
  double off = 0, size = 0;
  for (int64_t i = 0; i < n; i += stride) {
    const float at = a[i], above = at + (float)p->h, below = at - (float)p->h;
    double up, down;
    a[i] = above;
    bool ok = loss(p, &up);
    a[i] = below;
    ok = loss(p, &down) && ok;
    a[i] = at;
    if (!ok) return false;
    const double slope = (up - down) / ((double)above - below);
    off += (slope - g[i]) * (slope - g[i]);
    size += slope * slope;
  }
  CHECK(sqrt(off) <= p->tolerance * sqrt(size) + 1e-7, "%s: differs from finite differences by %g of %g", what, sqrt(off), sqrt(size));
  return true;
}

static bool compare(problem *p) {
  check_operands o = {.w = p->w, .b = p->b, .dy = p->r};
  const um_op_desc *d = &p->d;
  float *g[UM_MAX_INPUTS + 2] = {0};
  for (int i = 0; i < d->n_inputs; i++) {
    o.x[i] = p->x[i];
    o.dx[i] = g[i] = malloc(sizeof(float) * (size_t)um_tensor_count(&d->x[i]));
  }
  if (p->w) o.dw = g[UM_MAX_INPUTS] = malloc(sizeof(float) * (size_t)p->w_count);
  if (p->b) o.db = g[UM_MAX_INPUTS + 1] = malloc(sizeof(float) * (size_t)p->b_count);
  bool ok = check_run(p->be, d, &o, NULL) == UM_OK;
  for (int i = 0; i < d->n_inputs && ok; i++) ok = differences(p, "dx", p->x[i], o.dx[i], um_tensor_count(&d->x[i]));
  if (p->w) ok = ok && differences(p, "dw", p->w, o.dw, p->w_count);
  if (p->b) ok = ok && differences(p, "db", p->b, o.db, p->b_count);
  for (int i = 0; i < UM_MAX_INPUTS + 2; i++) free(g[i]);
  return ok;
}

/* Values that are `spacing` apart, in random order. Each lies a fifth of it beyond a multiple, so none, nor a sum of up to three of
 * them, is within a fifth of zero: a step of a tenth crosses no kink. */
static float *spaced(check_dice *dice, int64_t n, double spacing) {
  float *x = malloc(sizeof *x * (size_t)n);
  for (int64_t i = 0; i < n; i++) x[i] = (float)(spacing * ((double)(i - n / 2) + 0.2));
  for (int64_t i = n - 1; i > 0; i--) {
    const int j = check_int(dice, 0, (int)i);
    const float t = x[i];
    x[i] = x[j], x[j] = t;
  }
  return x;
}

static bool one_case(um_backend *be, um_op_kind kind, check_dice *dice) {
  problem p = {.be = be, .h = 0.5, .tolerance = 1e-5};
  um_op_desc *d = &p.d;
  const int64_t N = check_int(dice, 1, 2), H = check_int(dice, 2, 6), W = check_int(dice, 2, 6), C = check_int(dice, 1, 3);
  const int k[2] = {check_int(dice, 1, H < 3 ? 2 : 3), check_int(dice, 1, W < 3 ? 2 : 3)};
  *d = (um_op_desc){.kind = kind, .n_inputs = 1, .passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA};
  for (int i = 0; i < 2; i++) {
    d->window.kernel[i] = k[i];
    d->window.stride[i] = check_int(dice, 1, 2);
    d->window.pad_before[i] = check_int(dice, 0, k[i] - 1);
    d->window.pad_after[i] = check_int(dice, 0, k[i] - 1);
  }
  const um_window *w = &d->window;
  const int64_t P = (H + w->pad_before[0] + w->pad_after[0] - k[0]) / w->stride[0] + 1;
  const int64_t Q = (W + w->pad_before[1] + w->pad_after[1] - k[1]) / w->stride[1] + 1;
  d->x[0] = d->y = um_tensor_plain(UM_F32, 4, (int64_t[]){N, H, W, C});
  switch (kind) {
  case UM_OP_CONV2D:
    p.b_count = check_int(dice, 1, 4);
    p.w_count = k[0] * k[1] * C * p.b_count;
    d->y = um_tensor_plain(UM_F32, 4, (int64_t[]){N, P, Q, p.b_count});
    break;
  case UM_OP_DENSE:
    p.b_count = check_int(dice, 1, 4);
    p.w_count = H * p.b_count;
    d->x[0] = um_tensor_plain(UM_F32, 2, (int64_t[]){N, H});
    d->y = um_tensor_plain(UM_F32, 2, (int64_t[]){N, p.b_count});
    break;
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL: d->y = um_tensor_plain(UM_F32, 4, (int64_t[]){N, P, Q, C}); break;
  case UM_OP_GLOBAL_AVG_POOL: d->y = um_tensor_plain(UM_F32, 2, (int64_t[]){N, C}); break;
  case UM_OP_PRELU: p.w_count = C; break;
  case UM_OP_DROPOUT: d->rate = 0.4, d->seed = 7, d->node = 3; break;
  case UM_OP_SOFTMAX:
  case UM_OP_SIGMOID: p.h = 1e-2, p.tolerance = 1e-3; break; /* its third derivative: h^2 / 6 of it */
  case UM_OP_ADD:
  case UM_OP_CONCAT:
    d->n_inputs = 3;
    d->x[1] = d->x[2] = d->x[0];
    if (kind == UM_OP_CONCAT) d->y.dim[3] = 3 * C, d->y = um_tensor_plain(UM_F32, 4, d->y.dim);
    if (kind == UM_OP_ADD && check_chance(dice, 0.5)) d->activation = UM_ACT_RELU;
    break;
  default: break;
  }
  const bool kinked = kind == UM_OP_MAX_POOL || kind == UM_OP_RELU || kind == UM_OP_PRELU || d->activation != UM_ACT_NONE;
  if (kinked) p.h = 0.01;
  if (kinked) p.tolerance = 2e-4; /* values of up to 20 are rounded at 1e-6 and divided by 0.02 */
  if (p.w_count) {
    d->passes |= UM_PASS_BACKWARD_WEIGHTS;
    p.w = check_floats(dice, p.w_count, -1, 1);
    if (p.b_count) p.b = check_floats(dice, p.b_count, -1, 1);
  }
  for (int i = 0; i < d->n_inputs; i++) {
    const int64_t n = um_tensor_count(&d->x[i]);
    p.x[i] = kinked ? spaced(dice, n, 0.1) : check_floats(dice, n, -2, 2);
  }
  p.r = check_floats(dice, um_tensor_count(&d->y), -1, 1);
  const bool ok = compare(&p);
  for (int i = 0; i < d->n_inputs; i++) free(p.x[i]);
  free(p.w), free(p.b), free(p.r);
  return ok;
}

static bool bce(um_backend *be, check_dice *dice) {
  enum { N = 6 };
  const int64_t n = check_int(dice, 1, N);
  float *z = check_floats(dice, N, -4, 4), dz[N], labels[N], weights[N];
  um_tensor tz = um_tensor_plain(UM_F32, 2, (int64_t[]){N, 1}), tdz = tz;
  um_report up, down, sums;
  const um_control control = {.n = n, .step = 1};
  um_error err = {0};
  bool ok = true;
  um_report_reset(&sums);
  tz.data = z, tdz.data = dz; /* ref's memory is the host's */
  for (int i = 0; i < N; i++) labels[i] = check_int(dice, 0, 4) / 4.0f, weights[i] = check_int(dice, 0, 8) / 4.0f;
  ok = be->ops->bce_logits(be, &tdz, &sums, &tz, labels, weights, &control, &err) == UM_OK;
  for (int i = 0; i < N && ok; i++) {
    const float at = z[i], above = at + 1e-2f, below = at - 1e-2f;
    z[i] = above;
    um_report_reset(&up), um_report_reset(&down);
    ok = be->ops->bce_logits(be, NULL, &up, &tz, labels, weights, &control, &err) == UM_OK;
    z[i] = below;
    ok = ok && be->ops->bce_logits(be, NULL, &down, &tz, labels, weights, &control, &err) == UM_OK;
    z[i] = at;
    const double slope = (up.loss - down.loss) / ((double)above - below) / (double)n;
    if (!(fabs(slope - dz[i]) <= 1e-5)) ok = check_fail("bce: dz[%d] of %d: %g, finite differences give %g", i, (int)n, dz[i], slope);
  }
  free(z);
  return ok;
}

int check_gradients(uint64_t seed, int *passed) {
  static const um_op_kind kind[] = {UM_OP_CONV2D, UM_OP_DENSE,   UM_OP_MAX_POOL, UM_OP_AVG_POOL, UM_OP_GLOBAL_AVG_POOL,
                                    UM_OP_RELU,   UM_OP_SIGMOID, UM_OP_SOFTMAX,  UM_OP_PRELU,    UM_OP_DROPOUT,
                                    UM_OP_ADD,    UM_OP_CONCAT,  UM_OP_INPUT /* stands for the loss */};
  enum { CASES = 12 };
  um_backend *be;
  um_error err = {0};
  int failures = 0;
  if (um_ref_open(&be, &err) != UM_OK) return 1;
  for (size_t i = 0; i < sizeof kind / sizeof *kind; i++) {
    const char *name = kind[i] == UM_OP_INPUT ? "bce_logits" : um_op_kind_name(kind[i]);
    bool ok = true;
    printf("[ RUN      ] gradient of %s, %d cases\n", name, CASES);
    for (uint32_t k = 0; k < CASES && ok; k++) {
      check_dice dice = {.seed = seed, .test = 100 + (uint32_t)i, .number = k};
      ok = kind[i] == UM_OP_INPUT ? bce(be, &dice) : one_case(be, kind[i], &dice);
      if (!ok) printf("    case %u, seed %llu\n", k, (unsigned long long)seed);
    }
    printf("[ %s ] gradient of %s\n", ok ? "      OK" : " FAILED ", name);
    failures += !ok, *passed += ok;
  }
  be->ops->close(be);
  return failures;
}
