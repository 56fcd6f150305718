/* What goes wrong on machines that others use, too.
 *
 *   gpu_faults [--device cuda[:N]] [--small] [--batch N] [--steps N] [--seed N] [memory] [together] [interrupt] [kill] [library]
 *
 *   memory     what is left of the device's memory holds so many pictures: that number is named, a batch of it trains, one more is
 *              refused; with another process holding the rest, and with the device to ourselves
 *   together   two processes that train on the device at the same time have the bits of one alone
 *   interrupt  a process that trains gets SIGINT within its steps: it saves and ends in good time, the device's memory is free again,
 *              and a run that goes on from what was saved has the bits of one without a stop
 *   kill       SIGKILL instead: the memory is free again, and the device goes on
 *   library    without cuDNN (a file that is none is found first): engine cudnn is refused with a remedy, native and auto train, and
 *              that it is missing is said once
 *
 * VGG16 at 150x150. Other processes are this program itself, told what to do by the words hold, run and engines. The emulated device is
 * each process' own: there memory is held by this process, and what others leave behind shows nothing. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/child.h"
#include "support/train.h"

static const double rate = 2e-5;
static const um_optimizer optimizer = {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7};
enum { PATIENCE = 120 /* s: for what another process has to say */, IN_GOOD_TIME = 15 /* s: from a signal to the end */ };
static const size_t slack = (size_t)64 << 20; /* of the device's free memory: what drivers keep of a process for a while, and grow by */

typedef struct context {
  gpu_options o;
  um_backend *be; /* engine native: what the device has, before and after */
  bool emulated;
  int steps;
  char folder[64], file[96], errors[96], hidden[96];
} context;

static bool fail(const um_error *err, const char *what) { return gpu_fail(what, err); }

static size_t memory_now(const context *c) { return c->be->ops->memory_free(c->be); }

/* Free memory comes back to what it was; a driver may take a moment for a process that is gone. */
static bool memory_is_back(const context *c, size_t before) {
  const double begin = gpu_now();
  size_t now = memory_now(c);
  const size_t allowed = c->emulated ? 0 : slack;
  while (now + allowed < before && gpu_now() - begin < IN_GOOD_TIME) usleep(50000), now = memory_now(c);
  printf("    free: %.1f MB, before %.1f MB; after %.2f s\n", (double)now / 1e6, (double)before / 1e6, gpu_now() - begin);
  CHECK(now + allowed >= before, "%.1f MB of the device's memory were free before, %.1f MB are now", (double)before / 1e6,
        (double)now / 1e6);
  return true;
}

static gpu_recipe recipe(const context *c, um_engine engine, um_precision precision) {
  return (gpu_recipe){.engine = engine,
                      .precision = precision,
                      .side = c->o.small ? 16 : 150,
                      .batch = c->o.batch   ? c->o.batch
                               : c->o.small ? 4
                                            : 10,
                      .training = true};
}

/* ---- memory ---- */

enum { PIECES = 64 };

typedef struct holder {
  gpu_child child;
  void *piece[PIECES];
  int pieces;
} holder;

/* Asks for all of the device's memory but about `leave` bytes of what is said to be free. */
static bool take(um_backend *be, holder *h, size_t leave) {
  const size_t grain = gpu_emulated(be) ? 4096 : (size_t)2 << 20;
  um_error err = {0};
  size_t most = SIZE_MAX;
  while (h->pieces < PIECES) {
    const size_t now = be->ops->memory_free(be), more = now > leave ? now - leave : 0, bytes = (more < most ? more : most) / grain * grain;
    if (bytes == 0) return true;
    if (be->ops->alloc(be, &h->piece[h->pieces], bytes, &err) == UM_OK)
      h->pieces++;
    else
      most = bytes / 2; /* there is no such piece */
  }
  return check_fail("the device's memory cannot be had in %d pieces: %s", PIECES, err.text);
}

static void give_back(um_backend *be, holder *h) {
  while (h->pieces > 0) be->ops->free(be, h->piece[--h->pieces]);
}

/* In another process; on the emulated device in this one. */
static bool hold(context *c, holder *h, size_t leave) {
  char bytes[32];
  const char *const words[] = {"hold", bytes, NULL};
  *h = (holder){0};
  if (c->emulated) return take(c->be, h, leave);
  snprintf(bytes, sizeof bytes, "%zu", leave);
  return gpu_child_start(&h->child, &c->o, &(gpu_child_options){.words = words}) && gpu_child_line(&h->child, "held", NULL, 0, PATIENCE);
}

static bool let_go(context *c, holder *h) {
  give_back(c->be, h);
  return h->child.pid == 0 || gpu_child_end(&h->child, PATIENCE, NULL) == 0;
}

/* The word hold: until its standard input ends. */
static int hold_for_parent(um_backend *be, const char *leave) {
  holder h = {0};
  char line[64];
  if (!take(be, &h, (size_t)strtoull(leave, NULL, 10))) return 1;
  printf("held %d pieces, %zu bytes are left\n", h.pieces, be->ops->memory_free(be));
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) continue;
  give_back(be, &h);
  return 0;
}

/* Three steps with a full batch, through both slots. */
static int train_full(um_model *m, const context *c, int64_t n, int side, double *loss, um_error *err) {
  const um_warp how = {.fill = UM_FILL_NEAREST, .scale = 1 / 255.f};
  uint8_t *pixels = malloc((size_t)n * (size_t)side * (size_t)side * 3);
  float *labels = malloc(sizeof *labels * (size_t)n);
  um_report report;
  int status = pixels && labels ? gpu_init(m, c->o.seed, err) : um_fail(err, UM_ENOMEM, "no memory for %lld pictures", (long long)n);
  if (status == UM_OK) gpu_pictures(pixels, labels, c->o.seed, 0, n, side);
  for (int i = 0; i < 3 && status == UM_OK; i++) {
    const int slot = i % um_model_slots(m);
    const um_feed feed = {.pixels = pixels, .labels = labels, .n = n, .how = &how, .learning_rate = rate};
    status = um_model_fetched(m, slot, err);
    if (status == UM_OK) status = um_model_prefetch(m, slot, &feed, err);
    if (status == UM_OK) status = um_model_queue(m, slot, true, err);
  }
  if (status == UM_OK) status = um_model_report(m, &report, err);
  if (status == UM_OK) status = um_model_check(m, &report, err);
  if (status == UM_OK && report.samples != 3 * n)
    status = um_fail(err, UM_EINTERNAL, "%lld samples are counted in 3 steps of %lld", (long long)report.samples, (long long)n);
  if (status == UM_OK) *loss = report.loss / (double)report.samples;
  free(pixels), free(labels);
  return status;
}

/* What fits is found, trains, and one more is refused. expected: that number (0: whatever it is). */
static bool largest_batch(context *c, const um_graph *g, um_precision precision, int64_t expected) {
  um_model_options options = {.batch = 65536, .training = true, .precision = precision, .optimizer = optimizer};
  um_error err = {0}, why = {0};
  um_model_memory size;
  um_model *m = NULL;
  int64_t fits = 0;
  double loss = NAN;
  const size_t available = memory_now(c);
  if (um_model_fit(&fits, g, c->be, &options, available, &err) != UM_OK) return fail(&err, "the batch that fits");
  CHECK(fits >= 1, "no batch fits in %.0f MB", (double)available / 1e6);
  CHECK(!expected || fits == expected, "%lld pictures are said to fit in %.1f MB, expected %lld", (long long)fits, (double)available / 1e6,
        (long long)expected);
  options.batch = fits;
  if (um_model_measure(&size, g, c->be, &options, &err) != UM_OK) return fail(&err, "measure");
  if (um_model_create(&m, g, c->be, &options, &err) != UM_OK) return fail(&err, "the batch that is said to fit");
  const int status = train_full(m, c, fits, c->o.small ? 16 : 150, &loss, &err);
  um_model_free(m);
  if (status != UM_OK) return fail(&err, "training with the batch that fits");
  CHECK(isfinite(loss) && loss > 0, "the loss of the batch that fits is %g", loss);
  if (fits == 65536) {
    printf("    %.0f MB hold 65536 pictures, the most that a batch may have: one more is not asked for\n", (double)available / 1e6);
    return true;
  }
  options.batch = fits + 1;
  const int refused = um_model_create(&m, g, c->be, &options, &why);
  um_model_free(m);
  CHECK(refused == UM_ENOMEM, "a batch of %lld, one more than fits: code %d: %s", (long long)options.batch, refused, why.text);
  CHECK(strstr(why.text, "MB are free") && strstr(why.text, "batch_size"), "the refusal does not say what is free and what to change: %s",
        why.text);
  printf("    in %.1f MB fit %lld pictures (%.1f MB), mean loss %.4f; one more: \"%s\"\n", (double)available / 1e6, (long long)fits,
         (double)size.total / 1e6, loss, why.text);
  return true;
}

/* So much is left that `pictures` fit and a half. */
static bool memory_held(context *c, const um_graph *g, um_precision precision, int64_t pictures) {
  um_model_memory size[2];
  um_error err = {0};
  holder h;
  for (int i = 0; i < 2; i++) {
    const um_model_options o = {
        .batch = pictures + i, .training = true, .precision = precision, .sizes_only = true, .optimizer = optimizer};
    if (um_model_measure(&size[i], g, c->be, &o, &err) != UM_OK) return fail(&err, "measure");
  }
  const size_t before = memory_now(c), leave = (size[0].total + size[1].total) / 2;
  bool ok = hold(c, &h, leave);
  const size_t left = memory_now(c);
  if (ok && (left < size[0].total || left >= size[1].total))
    ok = check_fail("%.1f MB are left, expected %.1f to %.1f MB: somebody else uses this device", (double)left / 1e6,
                    (double)size[0].total / 1e6, (double)size[1].total / 1e6);
  ok = ok && largest_batch(c, g, precision, pictures);
  ok = let_go(c, &h) && ok;
  return ok && memory_is_back(c, before);
}

static bool memory(context *c) {
  um_graph g;
  um_error err = {0};
  if (gpu_graph(&g, c->o.small, c->o.small ? 16 : 150, &err) < 0) return fail(&err, "a graph");
  bool ok = true;
  for (int p = 0; p < 3 && ok; p += 2) ok = memory_held(c, &g, (um_precision)p, c->o.small ? 5 : 100);
  const size_t before = memory_now(c);
  if (ok && !c->o.small) ok = largest_batch(c, &g, UM_PRECISION_FP32, 0) && memory_is_back(c, before);
  um_graph_free(&g);
  return ok;
}

/* ---- a process that trains ---- */

static volatile sig_atomic_t asked_to_stop;

static void on_interrupt(int number) {
  (void)number;
  asked_to_stop = 1;
}

static bool named(const char *name, const char *(*of)(int), int count, int *out) {
  for (*out = 0; *out < count; ++*out)
    if (strcmp(name, of(*out)) == 0) return true;
  return false;
}
static const char *engine_name(int i) { return gpu_engine_name((um_engine)i); }
static const char *precision_name(int i) { return gpu_precision_name((um_precision)i); }

/* The words run ENGINE PRECISION FILE: a step, "ready"; after a line of input "begin", the other steps, "end" and the state's digest.
 * SIGINT: the step that runs is finished, the state goes to FILE, "stopped" and the steps done; status 130. */
static int run_for_parent(context *c, int words, const char *const *word) {
  int engine, precision, status;
  gpu_run r = {0};
  um_report report;
  um_error err = {0};
  char line[64], text[65];
  if (words != 4 || !named(word[1], engine_name, 3, &engine) || !named(word[2], precision_name, 3, &precision)) return 2;
  const gpu_recipe how = recipe(c, (um_engine)engine, (um_precision)precision);
  signal(SIGINT, on_interrupt);
  status = gpu_run_open(&r, &c->o, &how, &err);
  if (status == UM_OK) status = gpu_run_train(&r, 1, rate, 1, NULL, &err);
  if (status == UM_OK) {
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) status = um_fail(&err, UM_EINTERNAL, "nobody said go");
    printf("begin %.9f\n", gpu_now());
    fflush(stdout);
  }
  while (status == UM_OK && r.step < c->o.steps && !asked_to_stop) status = gpu_run_queue(&r, 1, 0, rate, true, &err);
  if (status == UM_OK) status = um_model_report(r.model, &report, &err);
  if (status == UM_OK) status = um_model_check(r.model, &report, &err);
  if (status == UM_OK && asked_to_stop) {
    status = gpu_run_save(&r, word[3], &err);
    if (status == UM_OK) printf("stopped %lld\n", (long long)um_model_steps(r.model));
  } else if (status == UM_OK) {
    printf("end %.9f\n", gpu_now());
    status = gpu_run_digest(&r, text, &err);
    if (status == UM_OK) printf("digest %s\n", text);
  }
  gpu_run_close(&r);
  fflush(stdout);
  if (status != UM_OK) fprintf(stderr, "%s: %s\n", c->o.program, err.text);
  return status != UM_OK ? um_exit_status(status) : asked_to_stop ? 130 : 0;
}

static bool start_run(context *c, gpu_child *child, um_engine engine, um_precision precision, int steps) {
  gpu_options o = c->o;
  const char *const words[] = {"run", gpu_engine_name(engine), gpu_precision_name(precision), c->file, NULL};
  o.steps = steps;
  return gpu_child_start(child, &o, &(gpu_child_options){.words = words}) && gpu_child_line(child, "ready", NULL, 0, PATIENCE);
}

typedef struct outcome {
  double begin, end;
  char digest[65];
} outcome;

static bool finish_run(gpu_child *child, outcome *out) {
  char text[128];
  bool ok = gpu_child_line(child, "begin", text, sizeof text, PATIENCE) && sscanf(text, "%lf", &out->begin) == 1;
  ok = ok && gpu_child_line(child, "end", text, sizeof text, PATIENCE) && sscanf(text, "%lf", &out->end) == 1;
  ok = ok && gpu_child_line(child, "digest", out->digest, sizeof out->digest, PATIENCE);
  const int status = gpu_child_end(child, PATIENCE, NULL);
  return ok && (status == 0 || check_fail("the other process ended with %d", status));
}

/* ---- together ---- */

static bool together(context *c, um_engine engine, um_precision precision) {
  gpu_child child[3] = {{0}};
  outcome got[3] = {{0}};
  const size_t before = memory_now(c);
  bool ok = start_run(c, &child[0], engine, precision, c->steps) && gpu_child_say(&child[0], "go");
  ok = finish_run(&child[0], &got[0]) && ok; /* alone; it also measures for engine auto */
  /* On a machine that is taken one of them may be done before the other has begun: then again. */
  double both = 0;
  for (int k = 0; k < 5 && both <= 0 && ok; k++) {
    for (int i = 1; i < 3 && ok; i++) ok = start_run(c, &child[i], engine, precision, c->steps);
    for (int i = 1; i < 3 && ok; i++) ok = gpu_child_say(&child[i], "go") || check_fail("the other process does not listen");
    for (int i = 1; i < 3; i++) ok = finish_run(&child[i], &got[i]) && ok;
    both = fmin(got[1].end, got[2].end) - fmax(got[1].begin, got[2].begin);
  }
  if (!ok) return false;
  printf("    %d steps: %.3f s alone, %.3f and %.3f s together, %.3f s of them at the same time; state %.16s\n", c->steps,
         got[0].end - got[0].begin, got[1].end - got[1].begin, got[2].end - got[2].begin, both, got[0].digest);
  CHECK(both > 0, "the two processes did not run at the same time");
  CHECK(strlen(got[0].digest) == 64 && strcmp(got[0].digest, got[1].digest) == 0 && strcmp(got[0].digest, got[2].digest) == 0,
        "alone the state is %.16s, together %.16s and %.16s", got[0].digest, got[1].digest, got[2].digest);
  return memory_is_back(c, before);
}

/* ---- interrupt, kill ---- */

/* The state after `steps` steps, from the file where `from` is not 0. */
static bool state_after(context *c, um_engine engine, um_precision precision, int from, int steps, char digest[65]) {
  const gpu_recipe how = recipe(c, engine, precision);
  gpu_run r;
  um_error err = {0};
  int status = gpu_run_open(&r, &c->o, &how, &err);
  if (status == UM_OK && from) status = gpu_run_load(&r, c->file, true, &err);
  if (status == UM_OK && r.step != from)
    status = um_fail(&err, UM_EINTERNAL, "%s: it is of step %lld, and was said to be of step %d", c->file, (long long)r.step, from);
  if (status == UM_OK) status = gpu_run_train(&r, steps - from, rate, 50, NULL, &err);
  if (status == UM_OK) status = gpu_run_digest(&r, digest, &err);
  gpu_run_close(&r);
  return status == UM_OK || fail(&err, from ? "going on after the stop" : "without a stop");
}

/* A run that would go on for hours gets the signal `after` seconds from when its steps began. */
static bool signal_run(context *c, um_engine engine, um_precision precision, double after, int number, int *status, double *took, int *at) {
  gpu_child child;
  char text[64];
  *at = 0;
  bool ok =
      start_run(c, &child, engine, precision, 1000000) && gpu_child_say(&child, "go") && gpu_child_line(&child, "begin", NULL, 0, PATIENCE);
  const size_t during = memory_now(c);
  usleep((useconds_t)(after * 1e6));
  if (ok && kill(child.pid, number) != 0) ok = check_fail("the signal could not be sent");
  const double begin = gpu_now();
  if (ok && number == SIGINT) ok = gpu_child_line(&child, "stopped", text, sizeof text, PATIENCE) && (*at = atoi(text)) > 0;
  if (!ok && child.pid > 0) kill(child.pid, SIGKILL);
  *status = gpu_child_end(&child, PATIENCE, NULL);
  *took = gpu_now() - begin;
  printf("    signal %d after %.3f s: ended with %d within %.2f s; %.1f MB were free while it ran\n", number, after, *status, *took,
         (double)during / 1e6);
  return ok;
}

static bool interrupt(context *c, um_engine engine, um_precision precision) {
  static const double when[] = {0.05, 0.0, 0.4};
  const int rounds = c->o.small ? 1 : 3, further = c->o.small ? 2 : 20;
  for (int i = 0; i < rounds; i++) {
    const size_t before = memory_now(c);
    char straight[65], resumed[65];
    double took;
    int status, at;
    unlink(c->file);
    if (!signal_run(c, engine, precision, when[i], SIGINT, &status, &took, &at)) return false;
    CHECK(status == 130, "a run that was interrupted ended with %d, expected 130", status);
    CHECK(took <= IN_GOOD_TIME || c->emulated, "a run that was interrupted took %.1f s to end, allowed %d", took, IN_GOOD_TIME);
    if (!memory_is_back(c, before)) return false;
    if (!state_after(c, engine, precision, 0, at + further, straight) || !state_after(c, engine, precision, at, at + further, resumed))
      return false;
    printf("    stopped after %d steps; %d later: state %.16s\n", at, further, resumed);
    CHECK(strcmp(straight, resumed) == 0, "what went on after the stop has other bits: %.16s, without a stop %.16s", resumed, straight);
  }
  return true;
}

static bool killed(context *c, um_engine engine, um_precision precision) {
  const size_t before = memory_now(c);
  char state[65];
  double took;
  int status, at;
  if (!signal_run(c, engine, precision, 0.05, SIGKILL, &status, &took, &at)) return false;
  CHECK(status == 1000 + SIGKILL, "a run that was killed ended with %d", status);
  return memory_is_back(c, before) && state_after(c, engine, precision, 0, 2, state);
}

/* ---- library ---- */

/* The word engines: what cudnn says, and the loss of auto (opened twice) and native. */
static int engines_for_parent(context *c) {
  static const um_engine engine[] = {UM_ENGINE_AUTO, UM_ENGINE_NATIVE, UM_ENGINE_AUTO};
  um_backend *be;
  um_error err = {0};
  const int refused = gpu_open(&be, &c->o, UM_ENGINE_CUDNN, &err);
  printf("cudnn %d %s\n", refused, refused == UM_OK ? "was opened" : err.text);
  if (refused == UM_OK) be->ops->close(be);
  for (int i = 0; i < 3; i++) {
    const gpu_recipe how = recipe(c, engine[i], UM_PRECISION_FP32);
    gpu_run r;
    double loss = NAN;
    int status = gpu_run_open(&r, &c->o, &how, &err);
    if (status == UM_OK) status = gpu_run_train(&r, 2, rate, 2, &loss, &err);
    gpu_run_close(&r);
    if (status != UM_OK) {
      fprintf(stderr, "%s: engine %s: %s\n", c->o.program, gpu_engine_name(engine[i]), err.text);
      return um_exit_status(status);
    }
    printf("loss %.9g\n", loss);
    fflush(stdout);
  }
  return 0;
}

static int times_in_file(const char *path, const char *text) {
  char line[2048];
  int count = 0;
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) {
    const char *at = line;
    printf("    stderr: %s", line);
    while ((at = strstr(at, text))) at++, count++;
  }
  if (f) fclose(f);
  return count;
}

static bool library(context *c) {
  static const char *const name[] = {"libcudnn.so.9", "libcudnn.so"}, *const words[] = {"engines", NULL};
  gpu_child child;
  gpu_options o = c->o;
  um_backend *be;
  um_error err = {0};
  char path[160], said[1024] = "", text[64];
  double loss[3] = {0};
  const bool there = gpu_open(&be, &c->o, UM_ENGINE_CUDNN, &err) == UM_OK;
  if (there) be->ops->close(be);
  printf("    %s\n", there ? "cuDNN is there, and is hidden" : "cuDNN is not there to begin with");
  if (mkdir(c->hidden, 0700) != 0) return check_fail("%s: no such folder can be made", c->hidden);
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", c->hidden, name[i]);
    FILE *f = fopen(path, "w");
    if (!f || fclose(f) != 0) return check_fail("%s: cannot be written", path);
  }
  o.cache = ""; /* what was measured with cuDNN is no answer here */
  bool ok = gpu_child_start(&child, &o, &(gpu_child_options){.words = words, .errors = c->errors, .library_path = c->hidden});
  ok = ok && gpu_child_line(&child, "cudnn", said, sizeof said, PATIENCE);
  for (int i = 0; i < 3 && ok; i++) ok = gpu_child_line(&child, "loss", text, sizeof text, PATIENCE) && sscanf(text, "%lf", &loss[i]) == 1;
  const int status = gpu_child_end(&child, PATIENCE, NULL), times = times_in_file(c->errors, ": without cuDNN: ");
  printf("    engine cudnn: %s; losses: auto %.6f, native %.6f, auto %.6f\n", said, loss[0], loss[1], loss[2]);
  gpu_remove_folder(c->hidden);
  CHECK(ok && status == 0, "the process without cuDNN ended with %d", status);
  CHECK(atoi(said) == UM_EUNSUPPORTED && strstr(said, "cuDNN cannot be had") && strstr(said, "take \"native\" or \"auto\""),
        "engine cudnn without the library: %s", said);
  CHECK(times == 1, "that cuDNN is missing is said %d times, expected once", times);
  for (int i = 0; i < 3; i += 2)
    CHECK(fabs(loss[i] / loss[1] - 1) <= 1e-3, "engine auto's loss is %.9g, engine native's %.9g", loss[i], loss[1]);
  return true;
}

/* ---- all of it ---- */

static void one(context *c, gpu_tally *t, const char *name, bool (*check)(context *)) {
  if (!gpu_wanted(&c->o, name)) return;
  gpu_begin("%s", name);
  gpu_end(t, check(c));
}

static void each(context *c, gpu_tally *t, const char *name, bool (*check)(context *, um_engine, um_precision)) {
  static const struct {
    um_engine engine;
    um_precision precision;
  } how[] = {{UM_ENGINE_NATIVE, UM_PRECISION_BF16}, {UM_ENGINE_NATIVE, UM_PRECISION_FP32}, {UM_ENGINE_AUTO, UM_PRECISION_BF16}};
  for (int i = 0; gpu_wanted(&c->o, name) && i < (c->o.small || check == killed ? 1 : 3); i++) {
    gpu_begin("%s: %s, engine %s", name, gpu_precision_name(how[i].precision), gpu_engine_name(how[i].engine));
    gpu_end(t, check(c, how[i].engine, how[i].precision));
  }
}

static int all_parts(context *c) {
  gpu_tally tally = {0};
  char state[65];
  /* The first work of a process makes the driver keep memory for it: before anybody looks at what is free. */
  if (!state_after(c, UM_ENGINE_NATIVE, UM_PRECISION_FP32, 0, 2, state)) return 1;
  one(c, &tally, "memory", memory);
  each(c, &tally, "together", together);
  each(c, &tally, "interrupt", interrupt);
  each(c, &tally, "kill", killed);
  one(c, &tally, "library", library);
  return gpu_finish(&tally);
}

int main(int argc, char **argv) {
  context c = {0};
  um_error err = {0};
  char text[256];
  int status;
  setenv("UM_CUDA_HOST_MEMORY", "192M", 0); /* the emulated device: small, so that all of it is soon taken */
  if (!gpu_parse(&c.o, "memory|together|interrupt|kill|library", argc, argv)) return 2;
  const char *word = c.o.words ? c.o.word[0] : "";
  if (strcmp(word, "run") == 0) return run_for_parent(&c, c.o.words, c.o.word);
  if (strcmp(word, "engines") == 0) return engines_for_parent(&c);
  if (gpu_open(&c.be, &c.o, UM_ENGINE_NATIVE, &err) != UM_OK) {
    fprintf(stderr, "%s: %s\n", c.o.program, err.text);
    return um_exit_status(err.code);
  }
  c.emulated = gpu_emulated(c.be);
  if (strcmp(word, "hold") == 0 && c.o.words == 2) {
    status = hold_for_parent(c.be, c.o.word[1]);
    c.be->ops->close(c.be);
    return status;
  }
  c.steps = c.o.steps ? c.o.steps : c.o.small ? 4 : 200;
  signal(SIGPIPE, SIG_IGN); /* a process that ended early is noticed by what it did not say */
  c.be->ops->describe(c.be, text, sizeof text);
  printf("%s\n", text);
  snprintf(c.folder, sizeof c.folder, "/tmp/gpu_faults_XXXXXX");
  if (!mkdtemp(c.folder)) {
    perror(c.o.program);
    c.be->ops->close(c.be);
    return 1;
  }
  c.o.cache = c.folder; /* engine auto takes the same kernels in every process */
  snprintf(c.file, sizeof c.file, "%s/state.safetensors", c.folder);
  snprintf(c.errors, sizeof c.errors, "%s/errors", c.folder);
  snprintf(c.hidden, sizeof c.hidden, "%s/hidden", c.folder);
  status = all_parts(&c);
  gpu_remove_folder(c.folder);
  c.be->ops->close(c.be);
  return status;
}
