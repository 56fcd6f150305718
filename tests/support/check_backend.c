/* What a backend does beside its ops' passes, against ref: reorders, the loss, the optimizer, norms, the random transform. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_ops.h"

float *check_room(int64_t n) { return malloc(sizeof(float) * (size_t)(n > 0 ? n : 1)); }

int check_shape(check_dice *dice, int64_t dim[4]) {
  const int ndim = check_chance(dice, 0.7) ? 4 : 2;
  dim[0] = check_pick(dice, 1, 2, 3);
  for (int i = 1; i < ndim - 1; i++) dim[i] = check_int(dice, 1, 9);
  dim[ndim - 1] = check_pick(dice, 1, 3, 8, 16, 17, 33);
  return ndim;
}

/* plain -> any layout -> plain loses nothing, padding is zero; dst += src; memory is aligned and can be zeroed. */
bool check_reorder(check_context *c) {
  int64_t dim[4];
  um_op *owner;
  um_error err = {0};
  check_lab lab = {.be = c->be};
  const int ndim = check_shape(&c->dice, dim);
  const um_tensor form = check_form(c->be, &c->dice, ndim, dim, &owner);
  const int64_t n = um_tensor_count(&form);
  float *a = check_floats(&c->dice, n, -1, 1), *b = check_floats(&c->dice, n, -1, 1), *got = check_room(n), *both = check_room(n);
  if (form.dtype == UM_BF16) check_round(a, n), check_round(b, n);
  for (int64_t i = 0; i < n; i++) both[i] = a[i] + b[i];
  if (form.dtype == UM_BF16) check_round(both, n);
  um_tensor ta = check_tensor(&lab, &form, a, "a"), tb = check_tensor(&lab, &form, b, "b"), copy = check_tensor(&lab, &form, NULL, "copy");
  bool ok = ta.data && tb.data && copy.data && check_read(&lab, &ta, got) && check_near("there and back", got, a, NULL, 0, n) &&
            check_padding(&lab, &ta);
  ok =
      ok && c->be->ops->reorder(c->be, &copy, &ta, &err) == UM_OK && check_read(&lab, &copy, got) && check_near("copy", got, a, NULL, 0, n);
  ok = ok && c->be->ops->accumulate(c->be, &copy, &tb, &err) == UM_OK && check_read(&lab, &copy, got) &&
       check_near("accumulate", got, both, NULL, 0, n) && check_padding(&lab, &copy);
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
bool check_bce_logits(check_context *c) {
  check_dice *dice = &c->dice;
  const int64_t N = check_int(dice, 1, 40), n = check_int(dice, 1, (int)N);
  const um_tensor form = um_tensor_plain(UM_F32, 2, (int64_t[]){N, 1});
  float *z = check_floats(dice, N, -12, 12), *t = check_room(N), *dz[2] = {check_room(N), check_room(N)};
  /* Soft labels and weights of a sample, of which some are none; NULL for all of them 1. */
  float *weights = check_chance(dice, 0.6) ? check_floats(dice, N, 0, 3) : NULL;
  um_report once[2], twice[2], spoilt[2], fresh;
  um_error err = {0};
  bool ok = true;
  um_report_reset(&fresh);
  for (int64_t i = 0; i < N; i++) t[i] = check_chance(dice, 0.7) ? (float)check_chance(dice, 0.5) : (float)check_int(dice, 0, 8) / 8;
  for (int64_t i = 0; weights && i < N; i++)
    if (check_chance(dice, 0.2)) weights[i] = 0;
  z[0] = check_pick(dice, 0, 100, -100, 40);
  for (int k = 0; k < 2; k++) {
    check_lab lab = {.be = k ? c->be : c->ref};
    const um_ops *ops = lab.be->ops;
    const um_control control = {.n = n, .step = 5};
    um_tensor tz = check_tensor(&lab, &form, z, "z"), tdz = check_tensor(&lab, &form, NULL, "dz");
    const float *labels = bring(&lab, t, (size_t)N * sizeof *t, "labels");
    const um_control *at = bring(&lab, &control, sizeof control, "control");
    const float *weight = weights ? bring(&lab, weights, (size_t)N * sizeof *weights, "weights") : NULL;
    um_report *report = bring(&lab, &fresh, sizeof fresh, "report");
    ok = ok && (weight || !weights);
    ok = ok && tz.data && tdz.data && labels && at && report &&
         ops->bce_logits(lab.be, &tdz, report, &tz, labels, weight, at, &err) == UM_OK && check_read(&lab, &tdz, dz[k]) &&
         fetch(&lab, &once[k], report, sizeof fresh);
    ok =
        ok && ops->bce_logits(lab.be, NULL, report, &tz, labels, weight, at, &err) == UM_OK && fetch(&lab, &twice[k], report, sizeof fresh);
    float *bad = malloc((size_t)N * sizeof *bad);
    memcpy(bad, z, (size_t)N * sizeof *bad);
    bad[n - 1] = NAN;
    um_tensor tb = check_tensor(&lab, &form, bad, "z with a NaN");
    ok = ok && tb.data && ops->bce_logits(lab.be, NULL, report, &tb, labels, weight, at, &err) == UM_OK &&
         fetch(&lab, &spoilt[k], report, sizeof fresh);
    free(bad);
    ok = check_close(&lab) && ok;
  }
  ok = ok && fabs(once[1].loss - once[0].loss) <= 1e-6 * once[0].loss + 1e-9 && once[1].correct == once[0].correct &&
       once[1].samples == n && once[1].bad_loss == UM_NEVER && once[1].bad_gradient == UM_NEVER;
  ok = ok && fabs(twice[1].loss - 2 * once[1].loss) <= 1e-12 * once[1].loss + 1e-15 && twice[1].correct == 2 * once[1].correct &&
       twice[1].samples == 2 * n;
  ok = ok && spoilt[0].bad_loss == 5 && spoilt[1].bad_loss == 5 && spoilt[1].bad_gradient == UM_NEVER;
  for (int64_t i = 0; i < N && ok; i++) ok = i < n ? fabs((double)dz[1][i] - dz[0][i]) <= 3e-6 / (double)n : dz[1][i] == 0;
  free(z), free(t), free(dz[0]), free(dz[1]), free(weights);
  return ok ? ok : check_fail("%d of %d: loss %.9g, ref has %.9g %s", (int)n, (int)N, once[1].loss, once[0].loss, err.text);
}

/* One step, in some cases with gradients that are not finite, or with a loss that was not. */
bool check_optimizer_step(check_context *c) {
  check_dice *dice = &c->dice;
  const um_optimizer o = {.kind = (um_optimizer_kind)check_int(dice, 0, 2),
                          .learning_rate = 1e-3,
                          .rho = 0.9,
                          .momentum = check_chance(dice, 0.5) ? 0.9 : 0,
                          .nesterov = check_chance(dice, 0.5),
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .weight_decay = check_chance(dice, 0.5) ? 4 : 0,
                          .epsilon = 1e-7,
                          .epsilon_inside = check_chance(dice, 0.5)};
  const um_control control = {.n = 1, .step = 7, .rate = um_optimizer_rate(&o, 1e-3, 7), .decay = 1e-3 * o.weight_decay};
  const int64_t n = check_pick(dice, 1, 3, 16, 17, 1000, 4099, 70001);
  const um_tensor form = um_tensor_plain(UM_F32, 1, &n);
  const unsigned states = um_optimizer_states(&o);
  const bool copies = check_chance(dice, 0.5), spoilt = check_chance(dice, 0.3), lost = check_chance(dice, 0.1);
  static const char *const name[] = {"w", "m", "v"};
  float *in[4] = {check_floats(dice, n, -1, 1), check_floats(dice, n, -1, 1), check_floats(dice, n, -1e-3, 1e-3),
                  check_floats(dice, n, 0, 1e-2)};
  float *out[2][3];
  uint16_t *copy[2] = {calloc((size_t)n, 2), calloc((size_t)n, 2)};
  /* Some groups of 16 decay: a word says so for 512 values. */
  const size_t words = (size_t)(n + 511) / 512;
  uint32_t *bits = calloc(words, sizeof *bits);
  for (size_t i = 0; i < words; i++) bits[i] = check_chance(dice, 0.2) ? UINT32_MAX : (uint32_t)check_int(dice, 0, 0x7fffffff);
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
    const uint32_t *decay = o.weight_decay != 0 ? bring(&lab, bits, words * sizeof *bits, "decay") : NULL;
    ok = ok && at && now && (decay || o.weight_decay == 0) &&
         lab.be->ops->optimizer_step(lab.be, &o, t[0].data, half, states & 1 ? t[2].data : NULL, states & 2 ? t[3].data : NULL, at,
                                     t[1].data, decay, n, now, &err) == UM_OK;
    ok = ok && fetch(&lab, &report[k], at, sizeof fresh) && (!half || fetch(&lab, copy[k], half, 2 * (size_t)n));
    for (int i = 0; i < 3; i++) {
      out[k][i] = check_room(n);
      ok = ok && check_read(&lab, &t[i ? i + 1 : 0], out[k][i]);
    }
    ok = check_close(&lab) && ok;
  }
  for (int i = 0; i < 3 && ok; i++) ok = check_near(name[i], out[1][i], out[0][i], NULL, CHECK_ELEMENTARY, n);
  ok = ok && memcmp(&report[0], &report[1], sizeof fresh) == 0 && (report[1].bad_gradient != UM_NEVER) == (spoilt && !lost);
  for (int64_t i = 0; copies && ok && i < n; i++) ok = copy[1][i] == (lost ? 0 : um_bf16_of(out[1][0][i]));
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < 3; i++) free(out[k][i]);
  for (int i = 0; i < 4; i++) free(in[i]);
  free(copy[0]), free(copy[1]), free(bits);
  return ok ? ok : check_fail("kind %d, momentum %g, %d values %s", (int)o.kind, o.momentum, (int)n, err.text);
}

bool check_sum_squares(check_context *c) {
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
bool check_warp(check_context *c) {
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
    out[k] = check_room(N * size);
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
