/* The cuda kernels of a training step beside its layers, asked for what checkops does not ask: the bits of warp and of the
 * optimizers, what a bad loss or gradient does, reports over several steps, norms, recorded work with new controls, the same bits
 * whatever the schedule.
 *
 *   test_steps [TEST] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/optim.h"
#include "tests/cuda_host/rig.h"

/* ---- warp ---- */

static um_warp_sample random_sample(check_dice *dice, int64_t H, int64_t W) {
  const double angle = check_int(dice, -180, 180) * 0.017453292519943295,
               zoom = check_pick(dice, 1, 1, 5) * (0.6 + 0.1 * check_int(dice, 0, 8));
  um_warp_sample a = {
      .identity = check_chance(dice, 0.15), .flip_horizontal = check_chance(dice, 0.5), .flip_vertical = check_chance(dice, 0.3)};
  const double shear = 0.01 * check_int(dice, -30, 30);
  a.m[0] = zoom * cos(angle), a.m[1] = -sin(angle) + shear, a.m[3] = sin(angle), a.m[4] = zoom * cos(angle);
  a.m[2] = (double)H * 0.1 * check_int(dice, -40, 40), a.m[5] = (double)W * 0.1 * check_int(dice, -40, 40);
  if (check_chance(dice, 0.2)) /* whole pixels, and just below zero: where wrap and reflect jump */
    a.m[0] = a.m[4] = 1, a.m[1] = a.m[3] = 0, a.m[2] = check_int(dice, -40, 40), a.m[5] = check_int(dice, -30, 30) * 1e-17;
  if (check_chance(dice, 0.1)) a.m[2] = check_int(dice, -1, 1) * 9.7e8; /* as far as um_warp_check lets pass */
  return a;
}

static um_warp random_how(check_dice *dice, um_fill_mode fill) {
  um_warp how = {.fill = fill, .cval = 37.5f, .scale = 1 / 255.0f, .bgr = check_chance(dice, 0.5)};
  if (check_chance(dice, 0.5)) how.scale = 1, how.mean[0] = 103.939f, how.mean[1] = 116.779f, how.mean[2] = 123.68f;
  return how;
}

/* N pictures through warp on a backend; y gets N x H x W x 3 values. */
static void run_warp(rig *r, um_backend *be, um_dtype dtype, float *y, const uint8_t *pixels, const um_warp_sample *sample, int64_t N,
                     int64_t H, int64_t W, int64_t n, const um_warp *how) {
  const um_control control = {.n = n, .step = 1};
  um_error err = {0};
  um_tensor in = um_tensor_plain(UM_U8, 4, (int64_t[]){N, H, W, 3}), out = rig_tensor(r, be, dtype, &in, NULL, 0);
  in.data = rig_bring(r, be, pixels, in.bytes, 0);
  const um_warp_sample *s = rig_bring(r, be, sample, sizeof *sample * (size_t)N, 0);
  rig_must(be->ops->warp(be, &out, &in, s, rig_bring(r, be, &control, sizeof control, 0), how, &err), &err, "warp");
  rig_read(be, y, &out);
  rig_drop(r);
}

static uint8_t *random_pixels(check_dice *dice, int64_t count) {
  uint8_t *pixels = malloc((size_t)count);
  for (int64_t i = 0; i < count; i++) pixels[i] = (uint8_t)check_int(dice, 0, 255);
  return pixels;
}

/* In f32 ref's bits, in bf16 ref's value rounded; samples beyond n are 0. */
static bool warp_bits(rig *r) {
  static const int size[][2] = {{1, 1}, {1, 7}, {9, 1}, {2, 3}, {16, 21}, {33, 40}};
  enum { N = 4 };
  bool ok = true;
  for (int fill = UM_FILL_NEAREST; fill <= UM_FILL_WRAP; fill++)
    for (int s = 0; s < 6 && ok; s++)
      for (int turn = 0; turn < 3 && ok; turn++) {
        const int64_t H = size[s][0], W = size[s][1], n = check_int(&r->dice, 1, N), count = N * H * W * 3;
        const um_warp how = random_how(&r->dice, (um_fill_mode)fill);
        um_warp_sample sample[N];
        um_error err = {0};
        for (int i = 0; i < N; i++) sample[i] = random_sample(&r->dice, H, W);
        rig_must(um_warp_check(sample, N, H, W, &err), &err, "um_warp_check");
        uint8_t *pixels = random_pixels(&r->dice, count);
        float *want = rig_room(count), *got = rig_room(count);
        run_warp(r, r->ref, UM_F32, want, pixels, sample, N, H, W, n, &how);
        for (int k = 0; k < 2; k++) {
          run_warp(r, r->be, rig_types[k], got, pixels, sample, N, H, W, n, &how);
          ok = ok && rig_same("pixel", got, want, rig_types[k], true, count);
        }
        if (!ok) check_fail("%dx%d, fill %d", (int)H, (int)W, fill);
        free(pixels), free(want), free(got);
      }
  return ok;
}

/* Matrices that um_warp_check refuses lead nowhere outside all the same, and to nothing but colours. */
static bool warp_garbage(rig *r) {
  static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e19, -1e12};
  enum { N = 3, H = 5, W = 6, COUNT = N * H * W * 3 };
  uint8_t *pixels = random_pixels(&r->dice, COUNT);
  float y[COUNT];
  bool ok = true;
  for (int fill = UM_FILL_NEAREST; fill <= UM_FILL_WRAP; fill++)
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
      const um_warp how = {.fill = (um_fill_mode)fill, .cval = 7, .scale = 1};
      um_warp_sample sample[N];
      for (int i = 0; i < N; i++) {
        sample[i] = random_sample(&r->dice, H, W);
        sample[i].identity = false;
        sample[i].m[check_int(&r->dice, 0, 5)] = bad[b];
      }
      run_warp(r, r->be, UM_F32, y, pixels, sample, N, H, W, N, &how);
      for (int i = 0; i < COUNT && ok; i++) ok = (y[i] >= 0 && y[i] <= 255) || check_fail("fill %d, %g: %g", fill, bad[b], (double)y[i]);
    }
  free(pixels);
  return ok;
}

/* ---- optimizers ---- */

typedef struct state {
  float *w, *m, *v, *g;
  uint16_t *copy;
} state;

/* Gradients of many sizes, so that squares underflow, are subnormal, overflow. */
static state random_state(check_dice *dice, int64_t n) {
  state s = {check_floats(dice, n, -1, 1), check_floats(dice, n, -1e-3, 1e-3), check_floats(dice, n, 0, 1e-2), check_floats(dice, n, -1, 1),
             calloc((size_t)n, sizeof *s.copy)};
  for (int64_t i = 0; i < n; i++)
    if (check_chance(dice, 0.3)) s.g[i] *= (const float[]){1e-3f, 1e-10f, 1e-20f, 3e-23f, 1e10f, 1e19f, 1e25f, 0}[check_int(dice, 0, 7)];
  return s;
}

static void free_state(state *s) { free(s->w), free(s->m), free(s->v), free(s->g), free(s->copy); }

/* One step on the backend, from s to s. shift: bytes that every f32 array lies behind an aligned address. */
static void step_on(rig *r, const um_optimizer *o, state *s, int64_t n, const um_control *control, um_report *report, size_t shift) {
  const um_ops *ops = r->be->ops;
  const unsigned states = um_optimizer_states(o);
  const size_t bytes = (size_t)n * 4;
  um_error err = {0};
  float *w = rig_bring(r, r->be, s->w, bytes, shift), *m = rig_bring(r, r->be, s->m, bytes, shift),
        *v = rig_bring(r, r->be, s->v, bytes, shift);
  const float *g = rig_bring(r, r->be, s->g, bytes, shift);
  uint16_t *copy = s->copy ? rig_bring(r, r->be, s->copy, (size_t)n * 2, shift / 2) : NULL;
  um_report *where = rig_bring(r, r->be, report, sizeof *report, 0);
  const um_control *now = rig_bring(r, r->be, control, sizeof *control, 0);
  rig_must(ops->optimizer_step(r->be, o, w, copy, states & 1 ? m : NULL, states & 2 ? v : NULL, where, g, NULL, n, now, &err), &err,
           "step");
  rig_fetch(r->be, s->w, w, bytes), rig_fetch(r->be, s->m, m, bytes), rig_fetch(r->be, s->v, v, bytes);
  rig_fetch(r->be, report, where, sizeof *report);
  if (copy) rig_fetch(r->be, s->copy, copy, (size_t)n * 2);
  rig_drop(r);
}

static state duplicate(const state *s, int64_t n) {
  state d = {rig_room(n), rig_room(n), rig_room(n), rig_room(n), NULL};
  memcpy(d.w, s->w, (size_t)n * 4), memcpy(d.m, s->m, (size_t)n * 4), memcpy(d.v, s->v, (size_t)n * 4), memcpy(d.g, s->g, (size_t)n * 4);
  return d;
}

static bool same_state(const state *got, const state *want, int64_t n) {
  return rig_same("w", got->w, want->w, UM_F32, true, n) && rig_same("m", got->m, want->m, UM_F32, true, n) &&
         rig_same("v", got->v, want->v, UM_F32, true, n);
}

static bool same_copy(const state *s, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (isnan(s->w[i]) && isnan(rig_widen(s->copy[i]))) continue;
    CHECK(s->copy[i] == rig_narrow(s->w[i]), "copy[%lld] of %.9g: %04x, expected %04x", (long long)i, (double)s->w[i], s->copy[i],
          rig_narrow(s->w[i]));
  }
  return true;
}

static um_optimizer optimizer_of(um_optimizer_kind kind, double momentum, bool nesterov, bool inside) {
  return (um_optimizer){.kind = kind,
                        .learning_rate = 2e-3,
                        .rho = 0.9,
                        .momentum = momentum,
                        .nesterov = nesterov,
                        .beta1 = 0.9,
                        .beta2 = 0.999,
                        .epsilon = 1e-7,
                        .epsilon_inside = inside};
}

enum { OPTIMIZERS = 10 };

static um_optimizer optimizer_number(int i) {
  static const struct {
    um_optimizer_kind kind;
    double momentum;
    bool nesterov, inside;
  } all[OPTIMIZERS] = {{UM_OPT_RMSPROP, 0, false, false},  {UM_OPT_RMSPROP, 0, false, true}, {UM_OPT_RMSPROP, 0.9, false, false},
                       {UM_OPT_RMSPROP, 0.9, false, true}, {UM_OPT_SGD, 0, false, false},    {UM_OPT_SGD, 0, true, false},
                       {UM_OPT_SGD, 0.9, false, false},    {UM_OPT_SGD, 0.9, true, false},   {UM_OPT_ADAM, 0, false, false},
                       {UM_OPT_ADAM, 0, false, true}};
  return optimizer_of(all[i].kind, all[i].momentum, all[i].nesterov, all[i].inside);
}

/* Three steps: the bits of core/optim.c in w and the states, and the copy rounded to nearest even. */
static bool optimizer_bits(rig *r) {
  static const int64_t count[] = {1, 3, 4, 1023, 5000};
  bool ok = true;
  for (int i = 0; i < OPTIMIZERS; i++)
    for (int c = 0; c < 5 && ok; c++)
      for (int shifted = 0; shifted < 2 && ok; shifted++) {
        const um_optimizer o = optimizer_number(i);
        const int64_t n = count[c];
        const unsigned states = um_optimizer_states(&o);
        state got = random_state(&r->dice, n), want = duplicate(&got, n);
        um_report report;
        um_report_reset(&report);
        for (int64_t step = 1; step <= 3 && ok; step++) {
          const um_control control = {.n = 1, .step = step, .rate = um_optimizer_rate(&o, o.learning_rate, step)};
          step_on(r, &o, &got, n, &control, &report, shifted ? 4 : 0);
          um_optimizer_apply(&o, control.rate, want.w, want.g, states & 1 ? want.m : NULL, states & 2 ? want.v : NULL, n);
          ok = same_state(&got, &want, n) && same_copy(&got, n);
        }
        ok = ok && report.bad_gradient == UM_NEVER && report.bad_loss == UM_NEVER;
        if (!ok) check_fail("optimizer %d, %lld values%s", i, (long long)n, shifted ? ", shifted" : "");
        free_state(&got), free_state(&want);
      }
  return ok;
}

/* More than a grid has threads, without a copy. */
static bool optimizer_large(rig *r) {
  const um_optimizer o = optimizer_number(0);
  const int64_t n = 300003;
  const um_control control = {.n = 1, .step = 1, .rate = o.learning_rate};
  state got = random_state(&r->dice, n), want = duplicate(&got, n);
  um_report report;
  um_report_reset(&report);
  free(got.copy), got.copy = NULL;
  got.g[n - 1] = want.g[n - 1] = NAN, got.g[n - 2] = want.g[n - 2] = -INFINITY;
  step_on(r, &o, &got, n, &control, &report, 0);
  um_optimizer_apply_finite(&o, control.rate, want.w, want.g, NULL, want.v, n);
  const bool ok = same_state(&got, &want, n);
  free_state(&got), free_state(&want);
  CHECK(report.bad_gradient == ((uint64_t)1 << 36 | (uint64_t)(n - 2)), "bad_gradient is %llx", (unsigned long long)report.bad_gradient);
  return ok;
}

/* A value whose gradient is not finite stays, the others go on; the least step and index is kept. */
static bool bad_gradients(rig *r) {
  static const struct {
    int64_t step, first;
    uint64_t expected;
  } turn[] = {{9, 500, (uint64_t)9 << 36 | 500}, {9, 7, (uint64_t)9 << 36 | 7},     {10, 3, (uint64_t)9 << 36 | 7},
              {2, 900, (uint64_t)2 << 36 | 900}, {2, 998, (uint64_t)2 << 36 | 900}, {1, 0, (uint64_t)1 << 36}};
  const int64_t n = 1003;
  bool ok = true;
  for (int i = 0; i < OPTIMIZERS && ok; i++) {
    const um_optimizer o = optimizer_number(i);
    const unsigned states = um_optimizer_states(&o);
    state got = random_state(&r->dice, n), want = duplicate(&got, n);
    um_report report;
    um_report_reset(&report);
    for (size_t t = 0; t < sizeof turn / sizeof *turn && ok; t++) {
      const um_control control = {.n = 1, .step = turn[t].step, .rate = um_optimizer_rate(&o, o.learning_rate, turn[t].step)};
      float kept[4];
      const int64_t at[4] = {turn[t].first, 999, 1001, 1002};
      for (int k = 0; k < 4; k++) kept[k] = got.g[at[k]], got.g[at[k]] = want.g[at[k]] = (const float[]){NAN, INFINITY, -INFINITY, NAN}[k];
      step_on(r, &o, &got, n, &control, &report, 0);
      um_optimizer_apply_finite(&o, control.rate, want.w, want.g, states & 1 ? want.m : NULL, states & 2 ? want.v : NULL, n);
      ok = same_state(&got, &want, n) && same_copy(&got, n) &&
           (report.bad_gradient == turn[t].expected || check_fail("bad_gradient is %llx", (unsigned long long)report.bad_gradient));
      for (int k = 3; k >= 0; k--) got.g[at[k]] = want.g[at[k]] = kept[k];
    }
    if (!ok) check_fail("optimizer %d", i);
    free_state(&got), free_state(&want);
  }
  return ok;
}

/* After a loss that was not finite nothing is touched: not the values, not the copy, not the report. */
static bool bad_loss_stops(rig *r) {
  const int64_t n = 1003;
  const um_control control = {.n = 1, .step = 4, .rate = 1e-3};
  bool ok = true;
  for (int i = 0; i < OPTIMIZERS && ok; i++) {
    const um_optimizer o = optimizer_number(i);
    state got = random_state(&r->dice, n), want;
    um_report report;
    um_report_reset(&report);
    report.bad_loss = i % 2 ? 4 : 1;
    got.g[5] = NAN;
    for (int64_t k = 0; k < n; k++) got.copy[k] = 0x1234;
    want = duplicate(&got, n);
    step_on(r, &o, &got, n, &control, &report, 0);
    ok = same_state(&got, &want, n) && report.bad_gradient == UM_NEVER && report.bad_loss == (i % 2 ? 4u : 1u);
    for (int64_t k = 0; k < n; k++) ok = ok && got.copy[k] == 0x1234;
    free_state(&got), free_state(&want);
  }
  return ok ? ok : check_fail("something was changed");
}

/* ---- loss ---- */

typedef struct batch {
  int64_t N, n, step;
  float *z, *t, *dz;
} batch;

static batch random_batch(check_dice *dice, int64_t N, int64_t n, int64_t step) {
  batch b = {N, n, step, check_floats(dice, N, -20, 20), rig_room(N), rig_room(N)};
  for (int64_t i = 0; i < N; i++) b.t[i] = check_chance(dice, 0.5);
  for (int64_t i = 0; i < N; i++)
    if (check_chance(dice, 0.1)) b.z[i] = (const float[]){0, 100, -100, 800, -800, 1e-30f}[check_int(dice, 0, 5)];
  for (int64_t i = n; i < N; i++) b.z[i] = NAN; /* what nobody may look at */
  return b;
}

static void free_batch(batch *b) { free(b->z), free(b->t), free(b->dz); }

static void loss_on(rig *r, um_backend *be, batch *b, bool gradient, um_report *report) {
  const um_control control = {.n = b->n, .step = b->step};
  const um_tensor form = um_tensor_plain(UM_F32, 2, (int64_t[]){b->N, 1});
  um_error err = {0};
  um_tensor z = rig_tensor(r, be, UM_F32, &form, b->z, 0), dz = rig_tensor(r, be, UM_F32, &form, NULL, 0);
  um_report *where = rig_bring(r, be, report, sizeof *report, 0);
  rig_must(be->ops->bce_logits(be, gradient ? &dz : NULL, where, &z, rig_bring(r, be, b->t, (size_t)b->N * 4, 0), NULL,
                               rig_bring(r, be, &control, sizeof control, 0), &err),
           &err, "bce_logits");
  rig_fetch(be, report, where, sizeof *report);
  if (gradient) rig_read(be, b->dz, &dz);
  rig_drop(r);
}

/* Batches of one sample, of less and of more than a block has threads, one after another into one report. */
static bool reports(rig *r) {
  static const int size[][2] = {{1, 1}, {10, 10}, {10, 3}, {255, 255}, {256, 200}, {257, 257}, {700, 699}};
  um_report got, want;
  bool ok = true;
  um_report_reset(&got), um_report_reset(&want);
  for (int i = 0; i < 14 && ok; i++) {
    batch b = random_batch(&r->dice, size[i % 7][0], size[i % 7][1], i + 1);
    float *dz = rig_room(b.N);
    loss_on(r, r->ref, &b, true, &want);
    memcpy(dz, b.dz, (size_t)b.N * 4);
    loss_on(r, r->be, &b, i < 10, &got);
    for (int64_t k = 0; k < b.N && ok && i < 10; k++)
      ok = ((k < b.n || b.dz[k] == 0) && fabs((double)b.dz[k] - dz[k]) <= 1e-6 / (double)b.n) ||
           check_fail("dz[%d]: %g", (int)k, (double)b.dz[k]);
    ok = ok && ((fabs(got.loss - want.loss) <= 1e-13 * want.loss && got.correct == want.correct && got.samples == want.samples &&
                 got.bad_loss == UM_NEVER && got.bad_gradient == UM_NEVER) ||
                check_fail("after %d batches: %.17g of %lld, ref has %.17g", i + 1, got.loss, (long long)got.samples, want.loss));
    free(dz), free_batch(&b);
  }
  return ok;
}

/* The first step with a loss that is not finite is kept; a bad logit beyond n is none. */
static bool bad_losses(rig *r) {
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  for (int k = 0; k < 3; k++) {
    um_report report;
    um_report_reset(&report);
    for (int64_t step = 5; step < 9; step++) {
      batch b = random_batch(&r->dice, 300, 280, step);
      if (step >= 6) b.z[step == 6 ? 279 : 0] = bad[k], b.t[step == 6 ? 279 : 0] = bad[k] < 0;
      loss_on(r, r->be, &b, true, &report);
      free_batch(&b);
      CHECK(report.bad_loss == (step < 6 ? UM_NEVER : 6), "with %g after step %d: bad_loss is %lld", (double)bad[k], (int)step,
            (long long)report.bad_loss);
      CHECK(step < 6 || !isfinite(report.loss), "the sum is %g", report.loss);
    }
  }
  return true;
}

/* ---- norms, recordings ---- */

static bool norms(rig *r) {
  static const int64_t count[] = {0, 1, 3, 1000, 4099, 70001, 300003};
  for (int c = 0; c < 7; c++) {
    const int64_t n = count[c];
    float *x = check_floats(&r->dice, n, -1e3, 1e3);
    double sum[2];
    long double want = 0;
    um_error err = {0};
    for (int64_t i = 0; i < n; i++) want += (long double)x[i] * x[i];
    for (int shifted = 0; shifted < 2; shifted++)
      rig_must(r->be->ops->sum_squares(r->be, &sum[shifted], rig_bring(r, r->be, x, (size_t)n * 4, shifted ? 4 : 0), n, &err), &err,
               "sum_squares");
    free(x);
    rig_drop(r);
    CHECK(fabsl(sum[0] - want) <= 1e-13L * want, "%lld values: %.17g, expected %.17Lg", (long long)n, sum[0], want);
    CHECK(sum[0] == sum[1], "%lld values: %.17g at one address, %.17g at another", (long long)n, sum[0], sum[1]);
  }
  return true;
}

/* A step (loss, then optimizer) recorded once and run again with other controls and labels is the same as the step queued each time. */
static bool recorded(rig *r) {
  const um_ops *ops = r->be->ops;
  enum { N = 20, COUNT = 1003, STEPS = 4 };
  const um_optimizer o = optimizer_number(8);
  const um_tensor form = um_tensor_plain(UM_F32, 2, (int64_t[]){N, 1});
  const size_t bytes = COUNT * sizeof(float);
  um_error err = {0};
  um_recording *step = NULL;
  float *z = check_floats(&r->dice, N, -3, 3), labels[STEPS][N], out[2][3][COUNT];
  state s = random_state(&r->dice, COUNT);
  um_report report[2];
  double sum;
  for (int i = 0; i < STEPS; i++)
    for (int k = 0; k < N; k++) labels[i][k] = check_chance(&r->dice, 0.5);
  for (int again = 0; again < 2; again++) {
    um_report_reset(&report[again]);
    um_tensor tz = rig_tensor(r, r->be, UM_F32, &form, z, 0), dz = rig_tensor(r, r->be, UM_F32, &form, NULL, 0);
    float *w = rig_bring(r, r->be, s.w, bytes, 0), *m = rig_bring(r, r->be, s.m, bytes, 0), *v = rig_bring(r, r->be, s.v, bytes, 0);
    const float *g = rig_bring(r, r->be, s.g, bytes, 0);
    um_report *where = rig_bring(r, r->be, &report[again], sizeof report[again], 0);
    float *t = rig_bring(r, r->be, NULL, sizeof labels[0], 0);
    um_control *control = rig_bring(r, r->be, NULL, sizeof *control, 0);
    for (int i = 0; i < STEPS; i++) {
      const um_control now = {.n = N - i, .step = i + 1, .rate = um_optimizer_rate(&o, 1e-3, i + 1)};
      rig_must(ops->upload(r->be, control, &now, sizeof now, &err), &err, "upload");
      rig_must(ops->upload(r->be, t, labels[i], sizeof labels[i], &err), &err, "upload");
      if (again && i == 0) rig_must(ops->record_begin(r->be, &err), &err, "record_begin");
      if (!again || i == 0) {
        rig_must(ops->bce_logits(r->be, &dz, where, &tz, t, NULL, control, &err), &err, "bce_logits");
        rig_must(ops->optimizer_step(r->be, &o, w, NULL, m, v, where, g, NULL, COUNT, control, &err), &err, "optimizer_step");
      }
      if (again && i == 0) {
        CHECK(ops->sum_squares(r->be, &sum, g, COUNT, &err) == UM_EINTERNAL, "sum_squares waits, and was recorded");
        rig_must(ops->record_end(r->be, &step, &err), &err, "record_end");
      }
      if (again) rig_must(ops->replay(r->be, step, &err), &err, "replay");
    }
    rig_must(ops->wait(r->be, &err), &err, "wait");
    rig_fetch(r->be, out[again][0], w, bytes), rig_fetch(r->be, out[again][1], m, bytes), rig_fetch(r->be, out[again][2], v, bytes);
    rig_fetch(r->be, &report[again], where, sizeof report[again]);
    rig_drop(r);
  }
  ops->recording_free(r->be, step);
  free(z), free_state(&s);
  CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0 && memcmp(&report[0], &report[1], sizeof report[0]) == 0, "replays end elsewhere");
  CHECK(report[1].samples == N + N - 1 + N - 2 + N - 3, "%lld samples", (long long)report[1].samples);
  return true;
}

/* ---- the same bits whatever the schedule ---- */

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const void *data, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
  return hash;
}

static uint64_t digest(rig *r) {
  uint64_t hash = 0xcbf29ce484222325u;
  const int64_t n = 70001, C = 72, area = 300;
  double sum;
  um_error err = {0};
  um_report report;
  um_report_reset(&report);
  state s = random_state(&r->dice, n);
  rig_must(r->be->ops->sum_squares(r->be, &sum, rig_bring(r, r->be, s.w, (size_t)n * 4, 0), n, &err), &err, "sum_squares");
  hash = mix(hash, &sum, sizeof sum);
  batch b = random_batch(&r->dice, 700, 699, 3);
  loss_on(r, r->be, &b, true, &report);
  hash = mix(hash, b.dz, (size_t)b.N * 4);
  for (int64_t i = 100; i < n; i += 1000) s.g[i] = NAN; /* many threads for one least */
  const um_optimizer o = optimizer_number(8);
  step_on(r, &o, &s, n, &(um_control){.n = 1, .step = 3, .rate = 1e-3}, &report, 0);
  hash = mix(mix(mix(hash, s.w, (size_t)n * 4), s.copy, (size_t)n * 2), &report, sizeof report);
  rig_task t = {.d = {.kind = UM_OP_GLOBAL_AVG_POOL, .n_inputs = 1}, .x = {s.w}, .y = rig_room(3 * C)};
  t.d.x[0] = um_tensor_plain(UM_F32, 4, (int64_t[]){3, 1, area, C});
  t.d.y = um_tensor_plain(UM_F32, 2, (int64_t[]){3, C});
  for (int k = 0; k < 2; k++) {
    rig_run(r, r->be, &t, rig_types[k]);
    hash = mix(hash, t.y, (size_t)(3 * C) * 4);
  }
  free(t.y), free_batch(&b), free_state(&s);
  return hash;
}

static const rig_test tests[] = {{"warp_bits", warp_bits},
                                 {"warp_garbage", warp_garbage},
                                 {"optimizer_bits", optimizer_bits},
                                 {"optimizer_large", optimizer_large},
                                 {"bad_gradients", bad_gradients},
                                 {"bad_loss_stops", bad_loss_stops},
                                 {"reports", reports},
                                 {"bad_losses", bad_losses},
                                 {"norms", norms},
                                 {"recorded", recorded}};

int main(int argc, char **argv) { return rig_main(argc, argv, tests, sizeof tests / sizeof *tests, digest); }
