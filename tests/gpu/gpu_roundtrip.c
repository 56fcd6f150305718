/* Train, save, resume, score on the device.
 *
 *   gpu_roundtrip [--device cuda[:N]] [--small] [--batch N] [--steps N] [--seed N] [bits] [resume] [score] [short] [numbers] [memory]
 *
 *   bits      two runs give the same bits, whether the report is read after each step or at the end alone
 *   resume    N steps, a checkpoint, a new backend and model that load it, N steps: the bits of 2 N steps without a stop
 *   score     an inference model with that checkpoint gives the training model's logits, the cpu backend likewise
 *   short     a batch that is not full gives the loss of its pictures alone
 *   numbers   a loss that is not finite is reported with its step, and nothing is changed by that step
 *   memory    a model that does not fit says so, the largest batch that fits is found, and the device goes on
 *
 * VGG16 at 150x150 in every precision, with our own kernels and, where they are there, with those that engine auto takes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/train.h"

static const double rate = 2e-5;

typedef struct context {
  gpu_options o;
  gpu_recipe how;
  int steps; /* N */
  char folder[64], file[96];
} context;

static bool fail(const um_error *err, const char *what) { return gpu_fail(what, err); }

/* ---- bits, resume ---- */

/* 2 N steps, the report read every `every`: the state after N and after 2 N, the mean losses of both halves. */
static bool straight(context *c, int every, char half[65], char whole[65], double loss[2]) {
  gpu_run r;
  um_error err = {0};
  int status = gpu_run_open(&r, &c->o, &c->how, &err);
  double each[1000];
  for (int k = 0; k < 2 && status == UM_OK; k++) {
    const int reads = (c->steps + every - 1) / every;
    status = gpu_run_train(&r, c->steps, rate, every, each, &err);
    if (status == UM_OK) status = gpu_run_digest(&r, k ? whole : half, &err);
    loss[k] = 0;
    for (int i = 0; i < reads; i++) loss[k] += each[i] * (every == 1 ? 1 : c->steps) / c->steps;
  }
  gpu_run_close(&r);
  return status == UM_OK || fail(&err, "training");
}

static bool bits(context *c) {
  char a[2][65], b[2][65];
  double la[2], lb[2];
  if (!straight(c, 1, a[0], a[1], la) || !straight(c, c->steps, b[0], b[1], lb)) return false;
  printf("    mean losses %.6f, %.6f; state %.16s, %.16s\n", la[0], la[1], a[0], a[1]);
  CHECK(strcmp(a[0], a[1]) != 0, "the state did not change in %d steps", c->steps);
  CHECK(strcmp(a[0], b[0]) == 0 && strcmp(a[1], b[1]) == 0, "two runs have other bits: %.16s %.16s, then %.16s %.16s", a[0], a[1], b[0],
        b[1]);
  CHECK(fabs(la[0] - lb[0]) <= 1e-12 * la[0] && fabs(la[1] - lb[1]) <= 1e-12 * la[1], "losses %.12g %.12g, then %.12g %.12g", la[0], la[1],
        lb[0], lb[1]);
  return true;
}

static bool resume(context *c) {
  char half[65], whole[65], again[65], text[65] = "";
  double loss[2];
  gpu_run r;
  um_error err = {0};
  if (!straight(c, c->steps, half, whole, loss)) return false;
  int status = gpu_run_open(&r, &c->o, &c->how, &err);
  if (status == UM_OK) status = gpu_run_train(&r, c->steps, rate, c->steps, NULL, &err);
  if (status == UM_OK) status = gpu_run_save(&r, c->file, &err);
  gpu_run_close(&r);
  if (status != UM_OK) return fail(&err, "until the stop");
  status = gpu_run_open(&r, &c->o, &c->how, &err);
  if (status == UM_OK) status = gpu_run_load(&r, c->file, true, &err);
  if (status == UM_OK) status = gpu_run_digest(&r, text, &err);
  const bool there = r.step == c->steps;
  if (status == UM_OK) status = gpu_run_train(&r, c->steps, rate, c->steps, NULL, &err);
  if (status == UM_OK) status = gpu_run_digest(&r, again, &err);
  gpu_run_close(&r);
  if (status != UM_OK) return fail(&err, "after the stop");
  CHECK(there, "the checkpoint's step is not %d", c->steps);
  CHECK(strcmp(text, half) == 0, "what was loaded has other bits than what was there before: %.16s, %.16s", text, half);
  CHECK(strcmp(again, whole) == 0, "a resumed run has other bits: %.16s, without the stop %.16s", again, whole);
  return true;
}

/* ---- score ---- */

/* Largest distance of two sets of logits, over the largest logit. */
static double apart(const float *a, const float *b, int n) {
  double off = 0, size = 0;
  for (int i = 0; i < n; i++) {
    if (!isfinite(a[i]) || !isfinite(b[i])) return INFINITY;
    off = fmax(off, fabs((double)a[i] - b[i])), size = fmax(size, fabs((double)b[i]));
  }
  return size > 0 ? off / size : off > 0 ? INFINITY : 0;
}

static bool score(context *c) {
  enum { PICTURES = 23 };
  static const double against_cpu[] = {1e-4, 1e-2, 5e-2};
  float logits[3][PICTURES]; /* training model, inference model, cpu */
  um_error err = {0};
  gpu_recipe how = c->how;
  gpu_options o = c->o;
  for (int k = 0; k < 3; k++) {
    gpu_run r;
    if (k == 2) o.device = "cpu", how.precision = UM_PRECISION_FP32, how.engine = UM_ENGINE_AUTO;
    how.training = k == 0;
    how.batch = k == 0 ? c->how.batch : 7; /* another batch, and a last one that is not full */
    int status = gpu_run_open(&r, &o, &how, &err);
    if (status == UM_OK && k == 0) status = gpu_run_train(&r, c->steps, rate, c->steps, NULL, &err);
    if (status == UM_OK && k == 0) status = gpu_run_save(&r, c->file, &err);
    if (status == UM_OK && k > 0) status = gpu_run_load(&r, c->file, false, &err);
    if (status == UM_OK) status = gpu_run_logits(&r, 1000, PICTURES, logits[k], &err);
    gpu_run_close(&r);
    if (status != UM_OK) return fail(&err, k == 0 ? "the training model" : k == 1 ? "the inference model" : "the cpu backend");
  }
  const double own = apart(logits[1], logits[0], PICTURES), cpu = apart(logits[1], logits[2], PICTURES);
  const double allowed = c->how.precision == UM_PRECISION_BF16 ? 2e-2 : c->how.precision == UM_PRECISION_TF32 ? 2e-3 : 1e-5;
  printf("    logits: inference off the training model by %.1e, off the cpu backend by %.1e of the largest\n", own, cpu);
  CHECK(own <= allowed, "the inference model's logits are %.3g off the training model's, allowed %.3g", own, allowed);
  CHECK(cpu <= against_cpu[c->how.precision], "logits are %.3g off the cpu backend's, allowed %.3g", cpu, against_cpu[c->how.precision]);
  return true;
}

/* ---- short batches, numbers, memory ---- */

/* Three pictures in a full-sized model, after a full batch, against a model of that size. */
static bool short_batch(context *c) {
  enum { N = 3 };
  double loss[2] = {0};
  um_error err = {0};
  for (int k = 0; k < 2; k++) {
    gpu_recipe how = c->how;
    gpu_run r;
    um_report before, now;
    if (k) how.batch = N;
    int status = gpu_run_open(&r, &c->o, &how, &err);
    if (status == UM_OK && k == 0) status = gpu_run_queue(&r, 2, 0, 0, false, &err);
    r.step = 0; /* the same pictures for both: those from 0 on */
    if (status == UM_OK) status = um_model_report(r.model, &before, &err);
    if (status == UM_OK) status = gpu_run_queue(&r, 1, N, 0, false, &err);
    if (status == UM_OK) status = um_model_report(r.model, &now, &err);
    gpu_run_close(&r);
    if (status != UM_OK) return fail(&err, "a short batch");
    CHECK(now.samples - before.samples == N, "%d pictures count as %d", N, (int)(now.samples - before.samples));
    loss[k] = now.loss - before.loss;
  }
  const double allowed = c->how.precision == UM_PRECISION_BF16 ? 1e-2 : c->how.precision == UM_PRECISION_TF32 ? 2e-3 : 1e-5;
  CHECK(fabs(loss[0] / loss[1] - 1) <= allowed, "the loss of %d pictures is %.9g in a full-sized model, %.9g in one of their size", N,
        loss[0], loss[1]);
  return true;
}

static bool numbers(context *c) {
  gpu_run r;
  um_error err = {0}, why = {0};
  um_report report;
  char before[65], after[65];
  float nan = NAN;
  int count, bias = -1, status = gpu_run_open(&r, &c->o, &c->how, &err);
  bool ok = false;
  if (status == UM_OK) status = gpu_run_queue(&r, 2, 0, rate, true, &err);
  if (status == UM_OK) status = um_model_report(r.model, &report, &err);
  if (status == UM_OK) status = um_model_check(r.model, &report, &err);
  const um_param *p = status == UM_OK ? um_model_params(r.model, &count) : NULL;
  for (int i = 0; p && i < count; i++)
    if (strcmp(p[i].name, "dense_1/bias") == 0) bias = i;
  if (status == UM_OK) status = um_model_set(r.model, 'w', bias, &nan, &err);
  if (status == UM_OK) status = gpu_run_digest(&r, before, &err);
  if (status == UM_OK) status = gpu_run_queue(&r, 2, 0, rate, true, &err);
  if (status == UM_OK) status = um_model_report(r.model, &report, &err);
  if (status == UM_OK) status = gpu_run_digest(&r, after, &err);
  if (status != UM_OK) {
    fail(&err, "numbers");
  } else if (um_model_check(r.model, &report, &why) != UM_ENUMERIC) {
    check_fail("a loss of NaN was not noticed");
  } else if (report.bad_loss != 3) {
    check_fail("the first bad loss was in step 3, the report says %llu", (unsigned long long)report.bad_loss);
  } else if (strcmp(before, after) != 0) {
    check_fail("a step without a loss changed the weights");
  } else {
    printf("    \"%s\"\n", why.text);
    ok = true;
  }
  gpu_run_close(&r);
  return ok;
}

static bool memory(context *c) {
  gpu_run r;
  um_error err = {0}, why = {0};
  int status = gpu_run_open(&r, &c->o, &c->how, &err);
  um_model *none = NULL;
  int64_t fits = 0;
  um_model_memory size = {0};
  if (status != UM_OK) {
    gpu_run_close(&r);
    return fail(&err, "memory");
  }
  um_model_options options = {.batch = 64, .training = true, .precision = c->how.precision, .optimizer = {.kind = UM_OPT_ADAM}};
  const size_t available = r.be->ops->memory_free(r.be);
  if (um_model_measure(&size, &r.graph, r.be, &options, &err) != UM_OK) {
    gpu_run_close(&r);
    return fail(&err, "measure");
  }
  options.batch = (int64_t)(2.0 * (double)available / (double)(size.activations + size.input) * 64);
  if (options.batch > 65536) { /* no model may be larger: on this device there is nothing to refuse */
    printf("    not shown here: %.0f MB hold more pictures than a batch may have\n", (double)available / 1e6);
    gpu_run_close(&r);
    return true;
  }
  const int refused = um_model_create(&none, &r.graph, r.be, &options, &why);
  bool ok = !none && refused != UM_OK;
  if (!ok) check_fail("a batch of %d pictures was not refused", (int)options.batch);
  um_model_free(none);
  if (ok && refused != UM_ENOMEM) ok = check_fail("a batch of %d: code %d: %s", (int)options.batch, refused, why.text);
  if (ok && (status = um_model_fit(&fits, &r.graph, r.be, &options, available, &err)) != UM_OK) ok = fail(&err, "the batch that fits");
  options.batch = fits;
  if (ok && fits < 1) ok = check_fail("no batch fits in %.0f MB", (double)available / 1e6);
  if (ok && um_model_measure(&size, &r.graph, r.be, &options, &err) != UM_OK) ok = fail(&err, "measure");
  if (ok)
    printf("    \"%s\"; in %.0f MB fit %lld, which take %.0f MB\n", why.text, (double)available / 1e6, (long long)fits,
           (double)size.total / 1e6);
  if (ok && size.total > available) ok = check_fail("the batch that is said to fit takes %zu bytes of %zu", size.total, available);
  /* And the device goes on. */
  if (ok && gpu_run_train(&r, 2, rate, 1, NULL, &err) != UM_OK) ok = fail(&err, "after a refusal");
  gpu_run_close(&r);
  return ok;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    bool (*check)(context *);
    bool once;   /* one precision and engine say it all */
    bool native; /* small: with our own kernels only, engine auto is slow on the emulated device */
  } part[] = {{"bits", bits, false, false},        {"resume", resume, false, false},  {"score", score, false, true},
              {"short", short_batch, false, true}, {"numbers", numbers, false, true}, {"memory", memory, true, true}};
  static const um_engine engine[] = {UM_ENGINE_NATIVE, UM_ENGINE_AUTO};
  context c = {0};
  gpu_tally tally = {0};
  um_backend *be;
  um_error err = {0};
  char text[256];
  if (!gpu_parse(&c.o, "bits|resume|score|short|numbers|memory", argc, argv)) return 2;
  c.steps = c.o.steps ? c.o.steps : c.o.small ? 2 : 20;
  if (c.steps > 1000) c.steps = 1000;
  snprintf(c.folder, sizeof c.folder, "/tmp/gpu_roundtrip_XXXXXX");
  if (!mkdtemp(c.folder)) {
    perror(c.o.program);
    return 1;
  }
  c.o.cache = c.folder; /* so that engine auto takes the same kernels in every run, as it does for people */
  snprintf(c.file, sizeof c.file, "%s/model.safetensors", c.folder);
  if (gpu_open(&be, &c.o, UM_ENGINE_NATIVE, &err) != UM_OK) {
    fprintf(stderr, "%s: %s\n", c.o.program, err.text);
    gpu_remove_folder(c.folder);
    return um_exit_status(err.code);
  }
  be->ops->describe(be, text, sizeof text);
  printf("%s\n", text);
  for (int precision = 0; precision < 3; precision++) {
    um_dtype type;
    if (!be->ops->precision(be, (um_precision)precision, &type)) {
      gpu_skip(&tally, "%s: the device does not compute in it", gpu_precision_name((um_precision)precision));
      continue;
    }
    for (int e = 0; e < 2; e++)
      for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (!gpu_wanted(&c.o, part[i].name) || (part[i].once && (precision || e)) || (part[i].native && c.o.small && e)) continue;
        c.how = (gpu_recipe){.engine = engine[e],
                             .precision = (um_precision)precision,
                             .side = c.o.small ? 16 : 150,
                             .batch = c.o.batch   ? c.o.batch
                                      : c.o.small ? 4
                                                  : 10,
                             .training = true};
        gpu_begin("%s: %s, engine %s", part[i].name, gpu_precision_name((um_precision)precision), gpu_engine_name(engine[e]));
        gpu_end(&tally, part[i].check(&c));
      }
  }
  be->ops->close(be);
  gpu_remove_folder(c.folder);
  return gpu_finish(&tally);
}
