/* The cuda kernels of layers beside convolutions, asked for what checkops does not ask: bf16, addresses that are no multiple of 16,
 * tensors larger than a grid, places of two bytes, NaN, the same bits whatever the schedule.
 *
 *   test_layers [TEST] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda_host/rig.h"

/* ---- pooling ---- */

static void pool_shapes(rig_task *t, um_op_kind kind, const int64_t *x, const um_window *w) {
  const int64_t P = kind == UM_OP_GLOBAL_AVG_POOL ? 1 : (x[1] + w->pad_before[0] + w->pad_after[0] - w->kernel[0]) / w->stride[0] + 1;
  const int64_t Q = kind == UM_OP_GLOBAL_AVG_POOL ? 1 : (x[2] + w->pad_before[1] + w->pad_after[1] - w->kernel[1]) / w->stride[1] + 1;
  *t = (rig_task){.d = {.kind = kind, .n_inputs = 1}};
  if (kind != UM_OP_GLOBAL_AVG_POOL) t->d.window = *w;
  t->d.x[0] = um_tensor_plain(UM_F32, 4, x);
  t->d.y = kind == UM_OP_GLOBAL_AVG_POOL ? um_tensor_plain(UM_F32, 2, (int64_t[]){x[0], x[3]})
                                         : um_tensor_plain(UM_F32, 4, (int64_t[]){x[0], P, Q, x[3]});
}

/* One pooling in both types against ref. A maximum is one of its inputs, its gradients are summed in ref's order, and so are the
 * average's: all of that to the bit. The average's own sum is ref's to f32's rounding. */
static bool pool_case(rig *r, um_op_kind kind, const int64_t *x, const um_window *w, bool few, bool shifted, size_t place) {
  rig_task t, want;
  pool_shapes(&t, kind, x, w);
  const int64_t in = um_tensor_count(&t.d.x[0]), out = um_tensor_count(&t.d.y);
  float *numbers_x = rig_numbers(&r->dice, in, -3, 3, few), *dy = rig_numbers(&r->dice, out, -1, 1, false);
  t.x[0] = numbers_x, t.dy = dy;
  want = t;
  t.y = rig_room(out), t.dx[0] = rig_room(in), want.y = rig_room(out), want.dx[0] = rig_room(in);
  t.shifted = shifted;
  rig_run(r, r->ref, &want, UM_F32);
  bool ok = true;
  for (int k = 0; k < 2 && ok; k++) {
    rig_run(r, r->be, &t, rig_types[k]);
    ok = kind == UM_OP_MAX_POOL ? rig_same("y", t.y, want.y, rig_types[k], true, out) : rig_near("y", t.y, want.y, rig_types[k], 1e-6, out);
    ok = ok && rig_same("dx", t.dx[0], want.dx[0], rig_types[k], false, in);
    if (place)
      ok = ok && (t.workspace == place * (size_t)out || check_fail("workspace of %zu bytes for %lld", t.workspace, (long long)out));
  }
  free(numbers_x), free(dy), free(t.y), free(t.dx[0]), free(want.y), free(want.dx[0]);
  if (!ok)
    check_fail("%s: %dx%dx%dx%d, window %dx%d, stride %dx%d%s", um_op_kind_name(kind), (int)x[0], (int)x[1], (int)x[2], (int)x[3],
               w->kernel[0], w->kernel[1], w->stride[0], w->stride[1], shifted ? ", shifted" : "");
  return ok;
}

static bool pooling(rig *r) {
  static const um_window window[] = {{{2, 2}, {2, 2}, {0, 0}, {0, 0}},
                                     {{3, 3}, {2, 2}, {1, 1}, {1, 1}},
                                     {{3, 2}, {1, 3}, {2, 0}, {0, 1}},
                                     {{2, 2}, {1, 1}, {0, 0}, {0, 0}}};
  static const um_op_kind kind[] = {UM_OP_MAX_POOL, UM_OP_AVG_POOL, UM_OP_GLOBAL_AVG_POOL};
  static const int channels[] = {1, 8, 17, 64};
  for (size_t k = 0; k < 3; k++)
    for (size_t w = 0; w < (kind[k] == UM_OP_GLOBAL_AVG_POOL ? 1 : 4); w++)
      for (size_t c = 0; c < 4; c++)
        for (int variant = 0; variant < 4; variant++)
          if (!pool_case(r, kind[k], (int64_t[]){2, 7, 10, channels[c]}, &window[w], variant % 2 == 0, variant / 2 == 1, 0)) return false;
  return pool_case(r, UM_OP_GLOBAL_AVG_POOL, (int64_t[]){3, 37, 41, 72}, &window[0], false, false, 0);
}

/* One byte holds 256 places, two 65536; a window that has more, or may lie in padding alone, is refused. */
static bool places(rig *r) {
  const um_window full = {{16, 16}, {1, 1}, {0, 0}, {0, 0}}, wide = {{17, 17}, {5, 4}, {3, 16}, {16, 2}},
                  tall = {{300, 1}, {7, 1}, {0, 0}, {0, 0}};
  const um_window vast = {{257, 256}, {1, 1}, {0, 0}, {0, 0}}, outside = {{2, 2}, {2, 2}, {2, 0}, {0, 0}};
  um_error err = {0};
  um_op *op = NULL;
  rig_task t;
  for (int c = 8; c < 10; c++)
    if (!pool_case(r, UM_OP_MAX_POOL, (int64_t[]){1, 17, 18, c}, &full, false, false, 1) ||
        !pool_case(r, UM_OP_MAX_POOL, (int64_t[]){2, 23, 20, c}, &wide, false, false, 2) ||
        !pool_case(r, UM_OP_MAX_POOL, (int64_t[]){1, 330, 2, c}, &tall, false, false, 2))
      return false;
  for (int k = 0; k < 2; k++) {
    pool_shapes(&t, UM_OP_MAX_POOL, (int64_t[]){1, 260, 260, 1}, k ? &outside : &vast);
    t.d.passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA;
    CHECK(r->be->ops->plan(r->be, &t.d, &op, &err) == UM_EUNSUPPORTED && !op, "not refused: %s", err.text);
  }
  return true;
}

/* A NaN that comes first in its window stays, one that comes later is passed over; infinities are numbers. */
static bool not_a_number(rig *r) {
  const um_window window[] = {{{2, 2}, {2, 2}, {0, 0}, {0, 0}}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}}};
  bool ok = true;
  for (int w = 0; w < 2; w++)
    for (int c = 16; c < 18; c++) {
      rig_task t, want;
      pool_shapes(&t, UM_OP_MAX_POOL, (int64_t[]){1, 8, 8, c}, &window[w]);
      const int64_t in = um_tensor_count(&t.d.x[0]), out = um_tensor_count(&t.d.y);
      float *x = rig_numbers(&r->dice, in, -3, 3, false), *dy = rig_numbers(&r->dice, out, -1, 1, false);
      for (int64_t i = 0; i < in; i++)
        if (check_chance(&r->dice, 0.4)) x[i] = (const float[]){NAN, INFINITY, -INFINITY}[check_int(&r->dice, 0, 2)];
      t.x[0] = x, t.dy = dy, want = t;
      t.y = rig_room(out), t.dx[0] = rig_room(in), want.y = rig_room(out), want.dx[0] = rig_room(in);
      rig_run(r, r->ref, &want, UM_F32);
      for (int k = 0; k < 2; k++) {
        rig_run(r, r->be, &t, rig_types[k]);
        ok = ok && rig_same("y", t.y, want.y, rig_types[k], true, out) && rig_same("dx", t.dx[0], want.dx[0], rig_types[k], false, in);
      }
      free(x), free(dy), free(t.y), free(t.dx[0]), free(want.y), free(want.dx[0]);
    }
  return ok;
}

/* ---- activations, sums, joins, casts ---- */

/* inputs of n values each through the op, in both types. */
static bool pointwise_case(rig *r, um_op_kind kind, um_activation activation, int inputs, int64_t n, bool shifted) {
  const double subnormal = 1e-40; /* a step of bf16 next to 0 */
  static const float special[] = {0, -0.0f, 1e-30f, -1e-30f, 30, -30, 100, -100, INFINITY, -INFINITY, NAN};
  rig_task t = {.d = {.kind = kind, .activation = activation, .n_inputs = inputs}}, want;
  float *dy = rig_numbers(&r->dice, n, -1, 1, false), *x[UM_MAX_INPUTS];
  bool ok = true;
  t.d.y = um_tensor_plain(UM_F32, 2, (int64_t[]){1, n});
  for (int i = 0; i < inputs; i++) {
    t.d.x[i] = t.d.y;
    t.x[i] = x[i] = rig_numbers(&r->dice, n, -9, 9, false);
    for (size_t k = 0; i == 0 && k < sizeof special / sizeof *special && (int64_t)k < n; k++) x[0][k] = rig_rounded(special[k], UM_BF16);
  }
  t.dy = dy, want = t;
  t.y = rig_room(n), t.dx[0] = rig_room(n), want.y = rig_room(n), want.dx[0] = rig_room(n);
  t.shifted = shifted;
  rig_run(r, r->ref, &want, UM_F32);
  /* The slope of what both types have, so that rounding does not move it. */
  float *seen = rig_room(n);
  for (int64_t i = 0; i < n; i++) seen[i] = isnan(want.y[i]) ? 1 : rig_rounded(want.y[i], UM_BF16);
  t.seen = want.seen = seen;
  rig_run(r, r->ref, &want, UM_F32);
  for (int k = 0; k < 2 && ok; k++) {
    rig_run(r, r->be, &t, rig_types[k]);
    const bool exact = kind == UM_OP_RELU || (kind == UM_OP_ADD && inputs <= 2);
    ok = exact ? rig_same("y", t.y, want.y, rig_types[k], false, n)
               : rig_near("y", t.y, want.y, rig_types[k], kind == UM_OP_ADD ? 2e-5 : subnormal, n);
    ok = ok && (kind == UM_OP_SIGMOID ? rig_near("dx", t.dx[0], want.dx[0], rig_types[k], subnormal, n)
                                      : rig_same("dx", t.dx[0], want.dx[0], rig_types[k], false, n));
  }
  for (int i = 0; i < inputs; i++) free(x[i]);
  free(dy), free(seen), free(t.y), free(t.dx[0]), free(want.y), free(want.dx[0]);
  return ok ? ok : check_fail("%s of %d inputs of %lld%s", um_op_kind_name(kind), inputs, (long long)n, shifted ? ", shifted" : "");
}

static bool pointwise(rig *r) {
  static const int64_t count[] = {1, 7, 64, 1003};
  for (int c = 0; c < 4; c++)
    for (int shifted = 0; shifted < 2; shifted++) {
      if (!pointwise_case(r, UM_OP_RELU, UM_ACT_NONE, 1, count[c], shifted)) return false;
      if (!pointwise_case(r, UM_OP_SIGMOID, UM_ACT_NONE, 1, count[c], shifted)) return false;
      for (int inputs = 1; inputs <= UM_MAX_INPUTS; inputs++)
        if (!pointwise_case(r, UM_OP_ADD, inputs % 2 ? UM_ACT_RELU : UM_ACT_NONE, inputs, count[c], shifted)) return false;
    }
  return true;
}

/* Rows in units of 16, 4 and 2 bytes; a gradient that nobody wants is left out. */
static bool concat(rig *r) {
  static const int width[][4] = {{8, 16, 64, 24}, {4, 2, 6, 8}, {1, 3, 17, 2}};
  bool ok = true;
  for (int w = 0; w < 3; w++)
    for (int shifted = 0; shifted < 2; shifted++) {
      rig_task t = {.d = {.kind = UM_OP_CONCAT, .n_inputs = 4}, .shifted = shifted}, want;
      int64_t all = 0, rows = 15;
      float *x[4];
      for (int i = 0; i < 4; all += width[w][i++]) {
        t.d.x[i] = um_tensor_plain(UM_F32, 4, (int64_t[]){1, 3, 5, width[w][i]});
        t.x[i] = x[i] = rig_numbers(&r->dice, rows * width[w][i], -9, 9, false);
      }
      float *dy = rig_numbers(&r->dice, rows * all, -9, 9, false);
      t.d.y = um_tensor_plain(UM_F32, 4, (int64_t[]){1, 3, 5, all});
      t.dy = dy, want = t;
      t.y = rig_room(rows * all), want.y = rig_room(rows * all);
      for (int i = 0; i < 4; i++)
        if (i != 2) t.dx[i] = rig_room(rows * width[w][i]), want.dx[i] = rig_room(rows * width[w][i]);
      rig_run(r, r->ref, &want, UM_F32);
      for (int k = 0; k < 2; k++) {
        rig_run(r, r->be, &t, rig_types[k]);
        ok = ok && rig_same("y", t.y, want.y, rig_types[k], true, rows * all);
        for (int i = 0; i < 4; i++) ok = ok && (i == 2 || rig_same("dx", t.dx[i], want.dx[i], rig_types[k], true, rows * width[w][i]));
      }
      for (int i = 0; i < 4; i++) free(x[i]), free(t.dx[i]), free(want.dx[i]);
      free(dy), free(t.y), free(want.y);
    }
  return ok;
}

/* Every bf16 there is becomes its f32; f32s of all kinds become the nearest bf16, ties the even one; same types are copied. */
static bool casts(rig *r) {
  enum { N = 1 << 16 };
  um_error err = {0};
  uint16_t *half = malloc(2 * N + 2);
  float *wide = malloc(4 * N), *back = malloc(4 * N);
  bool ok = true;
  for (int shifted = 0; shifted < 2; shifted++)
    for (int64_t n = N; n > N - 9; n -= 3) {
      const um_tensor form = um_tensor_plain(UM_F32, 1, &n);
      for (int64_t i = 0; i < n; i++) half[i] = (uint16_t)i;
      um_tensor h = um_tensor_plain(UM_BF16, 1, &n), f = rig_tensor(r, r->be, UM_F32, &form, NULL, shifted ? 4 : 0), copy = h;
      h.data = rig_bring(r, r->be, half, h.bytes, shifted ? 2 : 0), copy.data = rig_bring(r, r->be, NULL, h.bytes, 0);
      rig_must(r->be->ops->reorder(r->be, &f, &h, &err), &err, "to f32");
      rig_fetch(r->be, back, f.data, f.bytes);
      for (int64_t i = 0; i < n; i++) wide[i] = rig_widen((uint16_t)i);
      ok = ok && (memcmp(back, wide, f.bytes) == 0 || check_fail("a bf16 became another f32"));
      for (int64_t i = 0; i < n; i++) {
        /* Each bf16 with something behind it: nothing, less than half, the half, more than half. */
        const uint32_t bits = (uint32_t)i << 16 | (const uint32_t[]){0, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1234}[check_int(&r->dice, 0, 5)];
        memcpy(&wide[i], &bits, sizeof bits);
      }
      um_tensor source = f;
      source.data = rig_bring(r, r->be, wide, f.bytes, shifted ? 4 : 0);
      rig_must(r->be->ops->reorder(r->be, &h, &source, &err), &err, "to bf16");
      rig_must(r->be->ops->reorder(r->be, &copy, &h, &err), &err, "copy");
      rig_fetch(r->be, half, copy.data, h.bytes);
      for (int64_t i = 0; i < n && ok; i++)
        ok = half[i] == rig_narrow(wide[i]) || (isnan(wide[i]) && isnan(rig_widen(half[i]))) ||
             check_fail("%.9g became %04x", wide[i], half[i]);
      rig_drop(r);
    }
  free(half), free(wide), free(back);
  return ok;
}

/* dst += src. */
static bool accumulate(rig *r) {
  bool ok = true;
  for (int shifted = 0; shifted < 2; shifted++)
    for (int64_t n = 1; n < 3000 && ok; n = n * 5 + 2) {
      const um_tensor form = um_tensor_plain(UM_F32, 1, &n);
      float *a = rig_numbers(&r->dice, n, -3, 3, false), *b = rig_numbers(&r->dice, n, -3, 3, false), *got = rig_room(n);
      um_error err = {0};
      for (int k = 0; k < 2; k++) {
        const size_t shift = shifted ? um_dtype_size(rig_types[k]) : 0;
        um_tensor dst = rig_tensor(r, r->be, rig_types[k], &form, a, shift), src = rig_tensor(r, r->be, rig_types[k], &form, b, shift);
        rig_must(r->be->ops->accumulate(r->be, &dst, &src, &err), &err, "accumulate");
        rig_read(r->be, got, &dst);
        float *sum = rig_room(n);
        for (int64_t i = 0; i < n; i++) sum[i] = a[i] + b[i];
        ok = ok && rig_same("sum", got, sum, rig_types[k], false, n);
        free(sum);
        rig_drop(r);
      }
      free(a), free(b), free(got);
    }
  return ok;
}

/* More values than threads that a grid has, and than those times 8. */
static bool larger_than_a_grid(rig *r) {
  const um_window vgg = {{2, 2}, {2, 2}, {0, 0}, {0, 0}};
  return pointwise_case(r, UM_OP_RELU, UM_ACT_NONE, 1, 300007, false) && pointwise_case(r, UM_OP_ADD, UM_ACT_RELU, 2, 300007, true) &&
         pool_case(r, UM_OP_MAX_POOL, (int64_t[]){1, 151, 150, 16}, &vgg, true, false, 1) &&
         pool_case(r, UM_OP_MAX_POOL, (int64_t[]){1, 91, 90, 9}, &vgg, true, true, 1);
}

/* In place; a fused activation that is none copies. */
static bool in_place(rig *r) {
  const int64_t n = 1003;
  const um_tensor form = um_tensor_plain(UM_F32, 1, &n);
  float *x = rig_numbers(&r->dice, n, -3, 3, false), *got = rig_room(n), *want = rig_room(n);
  um_error err = {0};
  bool ok = true;
  for (int k = 0; k < 2 && ok; k++) {
    const um_precision precision = k ? UM_PRECISION_BF16 : UM_PRECISION_FP32;
    um_op_desc d = {.kind = UM_OP_RELU, .n_inputs = 1, .precision = precision, .passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA};
    um_op *relu, *none;
    d.x[0] = d.y = um_tensor_plain(rig_types[k], 1, &n);
    rig_must(r->be->ops->plan(r->be, &d, &relu, &err), &err, "plan");
    d.kind = UM_OP_ADD;
    rig_must(r->be->ops->plan(r->be, &d, &none, &err), &err, "plan");
    um_tensor t = rig_tensor(r, r->be, rig_types[k], &form, x, 0), dy = rig_tensor(r, r->be, rig_types[k], &form, x, 0);
    um_tensor copy = rig_tensor(r, r->be, rig_types[k], &form, NULL, 0);
    rig_must(r->be->ops->activation_forward(relu, &t, &t, &err), &err, "forward");
    rig_must(r->be->ops->activation_backward(relu, &dy, &dy, &t, &err), &err, "backward");
    for (int64_t i = 0; i < n; i++) want[i] = x[i] > 0 ? x[i] : 0;
    rig_read(r->be, got, &t);
    ok = ok && rig_same("y", got, want, rig_types[k], false, n);
    rig_read(r->be, got, &dy);
    ok = ok && rig_same("dx", got, want, rig_types[k], false, n);
    rig_must(r->be->ops->activation_backward(none, &copy, &dy, &t, &err), &err, "no activation");
    rig_read(r->be, got, &copy);
    ok = ok && rig_same("copy", got, want, rig_types[k], false, n);
    r->be->ops->plan_free(relu), r->be->ops->plan_free(none);
    rig_drop(r);
  }
  free(x), free(got), free(want);
  return ok;
}

/* What cannot be is refused with words, not computed. */
static bool refusals(rig *r) {
  const int64_t n = 16;
  const um_tensor form = um_tensor_plain(UM_F32, 1, &n), other = um_tensor_plain(UM_F32, 1, (int64_t[]){8});
  um_error err = {0};
  um_tensor f = rig_tensor(r, r->be, UM_F32, &form, NULL, 0), h = rig_tensor(r, r->be, UM_BF16, &form, NULL, 0), u = f, o = f;
  u.dtype = UM_U8, o.dim[0] = other.dim[0];
  CHECK(r->be->ops->accumulate(r->be, &f, &h, &err) == UM_EUNSUPPORTED && strstr(err.text, "bf16"), "accumulate: %s", err.text);
  CHECK(r->be->ops->reorder(r->be, &f, &u, &err) == UM_EUNSUPPORTED && strstr(err.text, "u8"), "reorder: %s", err.text);
  CHECK(r->be->ops->reorder(r->be, &f, &o, &err) == UM_EINTERNAL, "reorder: %s", err.text);
  return true;
}

static const rig_test tests[] = {
    {"pooling", pooling},   {"places", places},    {"not_a_number", not_a_number}, {"pointwise", pointwise},
    {"concat", concat},     {"casts", casts},      {"accumulate", accumulate},     {"larger_than_a_grid", larger_than_a_grid},
    {"in_place", in_place}, {"refusals", refusals}};

int main(int argc, char **argv) { return rig_main(argc, argv, tests, sizeof tests / sizeof *tests, NULL); }
