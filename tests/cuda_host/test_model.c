/* A whole model on the emulated device: queued steps, recordings and slots against the same steps one after the other and against ref;
 * precisions; what becomes of numbers that are not finite; host memory that is written again as soon as it may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "tests/support/gradcam_fixture.h"

enum { BATCH = 4, STEPS = 9, H = 9, W = 7, SIZE = H * W * 3 };

/* Batch `step`: pixels, transforms, labels, count; the same wherever it is asked for. */
typedef struct batch {
  uint8_t pixels[BATCH * SIZE];
  um_warp_sample sample[BATCH];
  float label[BATCH];
  int64_t n;
  double rate;
  float weight[BATCH];
} batch;

static const um_warp how = {.fill = UM_FILL_NEAREST, .scale = 1 / 255.0f};

static void make_batch(batch *b, int step) {
  const um_rng at = {.seed = 11, .stream = UM_STREAM_TEST, .epoch = 3, .sample = (uint32_t)step};
  *b = (batch){.n = step % 3 == 2 ? 1 + step % BATCH : BATCH, .rate = 1e-3 * (1 + step % 4)};
  for (int i = 0; i < BATCH * SIZE; i++) b->pixels[i] = (uint8_t)(um_rng_bits(&at, (uint32_t)i) >> 24);
  for (int i = 0; i < BATCH; i++) {
    const double turn = 0.2 * (i + step % 5);
    b->sample[i] = (um_warp_sample){.m = {cos(turn), -sin(turn), 1, sin(turn), cos(turn), -1}, .flip_horizontal = i % 2};
    b->label[i] = (float)((i + step) % 2);
    b->weight[i] = 0.5f * (float)((i + 2 * step) % 4);
  }
}

typedef struct trained {
  um_backend *be;
  um_graph graph;
  um_model *model;
  um_report report;
} trained;

/* Of the models that follow: the graph (the bent one's kernels decay), and whether samples of queued batches have weights. */
static void (*build)(um_graph *) = build_chain;
static bool weighted;

static void open_trained(trained *t, const char *device, um_precision precision, um_optimizer optimizer) {
  const um_backend_options o = {.device = device, .engine = UM_ENGINE_NATIVE, .cache_dir = ""};
  OK(um_backend_open_with(&t->be, &o, err));
  build(&t->graph);
  if (build == build_bent) optimizer.weight_decay = 2;
  const um_model_options m = {.batch = BATCH, .training = true, .precision = precision, .optimizer = optimizer, .seed = 5};
  OK(um_model_create(&t->model, &t->graph, t->be, &m, err));
  OK(um_model_init(t->model, 3, err));
  um_report_reset(&t->report);
  OK(um_model_set_report(t->model, &t->report, err));
}

static void close_trained(trained *t) {
  um_model_free(t->model);
  um_graph_free(&t->graph);
  t->be->ops->close(t->be);
}

/* Steps first to last - 1, queued, from page-locked memory of which each slot's is overwritten as soon as the slot was fetched. */
static void run_queued(trained *t, int first, int last) {
  const int slots = um_model_slots(t->model);
  batch *b[2];
  for (int s = 0; s < slots; s++) OK(t->be->ops->host_alloc(t->be, (void **)&b[s], sizeof *b[s], err));
  for (int step = first; step < last; step++) {
    const int slot = step % slots;
    OK(um_model_fetched(t->model, slot, err));
    memset(b[slot], 0x5a, sizeof *b[slot]);
    make_batch(b[slot], step);
    const um_feed feed = {b[slot]->pixels, b[slot]->sample, b[slot]->label, weighted ? b[slot]->weight : NULL, b[slot]->n, &how,
                          b[slot]->rate};
    OK(um_model_prefetch(t->model, slot, &feed, err));
    OK(um_model_queue(t->model, slot, true, err));
  }
  OK(um_model_report(t->model, &t->report, err));
  for (int s = 0; s < slots; s++) t->be->ops->host_free(t->be, b[s]);
}

/* The same steps, each call done when it returns. */
static void run_direct(trained *t, int first, int last) {
  for (int step = first; step < last; step++) {
    batch b;
    um_loss_sums sums;
    make_batch(&b, step);
    OK(um_model_feed_pixels(t->model, b.pixels, b.sample, b.n, &how, err));
    OK(um_model_forward(t->model, err));
    OK(um_model_backward(t->model, &sums, b.label, err));
    OK(um_model_step(t->model, b.rate, err));
    t->report.loss += sums.loss, t->report.correct += sums.correct, t->report.samples += b.n;
  }
}

/* The distance of all parameters of two models, relative to the norm of all of b's. (One by one would not do: biases begin at 0.) */
static double distance(um_model *a, um_model *b) {
  int count;
  double off = 0, size = 0;
  const um_param *p = um_model_params(a, &count);
  for (int i = 0; i < count; i++) {
    const int64_t n = um_tensor_count(&p[i].plain);
    float *x = malloc(sizeof *x * (size_t)n), *y = malloc(sizeof *y * (size_t)n);
    OK(um_model_get(a, 'w', i, x, err));
    OK(um_model_get(b, 'w', i, y, err));
    for (int64_t k = 0; k < n; k++) off += pow((double)x[k] - y[k], 2), size += pow((double)y[k], 2);
    free(x), free(y);
  }
  return sqrt(off / size);
}

static const um_optimizer optimizers[] = {{.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7},
                                          {.kind = UM_OPT_SGD, .momentum = 0.9, .nesterov = true},
                                          {.kind = UM_OPT_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}};

/* Queued, recorded, replayed: the same bits as one call after the other, for every optimizer and precision and with short batches. */
static void queued_equals_direct(void **state) {
  (void)state;
  for (int o = 0; o < 3; o++)
    for (int p = UM_PRECISION_FP32; p <= UM_PRECISION_BF16; p++) {
      trained a = {0}, b = {0};
      open_trained(&a, "cuda", (um_precision)p, optimizers[o]);
      open_trained(&b, "cuda", (um_precision)p, optimizers[o]);
      assert_int_equal(um_model_slots(a.model), 2);
      run_queued(&a, 0, STEPS);
      run_direct(&b, 0, STEPS);
      assert_true(distance(a.model, b.model) == 0);
      assert_true(fabs(a.report.loss - b.report.loss) <= 1e-12 * b.report.loss);
      assert_int_equal(a.report.correct, b.report.correct);
      assert_int_equal(a.report.samples, b.report.samples);
      assert_int_equal(um_model_steps(a.model), STEPS);
      assert_true(a.report.bad_loss == UM_NEVER && a.report.bad_gradient == UM_NEVER);
      close_trained(&a), close_trained(&b);
    }
}

/* A stop in the middle, its report carried over to another model: the same bits again. */
static void resumed(void **state) {
  (void)state;
  trained whole = {0}, first = {0}, second = {0};
  int count;
  open_trained(&whole, "cuda", UM_PRECISION_FP32, optimizers[0]);
  open_trained(&first, "cuda", UM_PRECISION_FP32, optimizers[0]);
  open_trained(&second, "cuda", UM_PRECISION_FP32, optimizers[0]);
  run_queued(&whole, 0, STEPS);
  run_queued(&first, 0, 5);
  const um_param *p = um_model_params(first.model, &count);
  for (int i = 0; i < count; i++) {
    float *x = malloc(p[i].plain.bytes);
    for (const char *which = "wv"; *which; which++) {
      OK(um_model_get(first.model, *which, i, x, err));
      OK(um_model_set(second.model, *which, i, x, err));
    }
    free(x);
  }
  um_model_set_steps(second.model, um_model_steps(first.model));
  OK(um_model_set_report(second.model, &first.report, err));
  run_queued(&second, 5, STEPS);
  assert_true(distance(second.model, whole.model) == 0);
  assert_true(memcmp(&second.report, &whole.report, sizeof whole.report) == 0);
  close_trained(&whole), close_trained(&first), close_trained(&second);
}

/* Against ref's arithmetic in double. RMSprop's first steps are lr g / |g|, whatever the size of g: a gradient near zero that is rounded
 * otherwise moves its weight by a whole step. So SGD, whose steps are as exact as the gradients. */
static void like_ref(void **state) {
  /* Of weights about 0.3 in size after 9 steps of a few thousandths: gradients of bf16 are good to 1 in 256 or so. */
  static const double tolerance[] = {1e-6, 1e-4, 1e-3}, loss[] = {1e-6, 1e-3, 1e-2};
  (void)state;
  for (int p = UM_PRECISION_FP32; p <= UM_PRECISION_BF16; p++) {
    trained a = {0}, b = {0};
    open_trained(&a, "cuda", (um_precision)p, optimizers[1]);
    open_trained(&b, "ref", UM_PRECISION_FP32, optimizers[1]);
    run_queued(&a, 0, STEPS);
    run_queued(&b, 0, STEPS);
    const double off = distance(a.model, b.model), off_loss = fabs(a.report.loss - b.report.loss) / b.report.loss;
    print_message("precision %d: weights off by %.3g, loss by %.3g\n", p, off, off_loss);
    assert_true(off <= tolerance[p] && off_loss <= loss[p]);
    assert_int_equal(a.report.samples, b.report.samples);
    close_trained(&a), close_trained(&b);
  }
}

/* Forward and loss alone, between training steps: they change nothing. */
static void validation_between(void **state) {
  (void)state;
  trained a = {0}, b = {0};
  batch v;
  um_report before, after;
  open_trained(&a, "cuda", UM_PRECISION_BF16, optimizers[0]);
  open_trained(&b, "cuda", UM_PRECISION_BF16, optimizers[0]);
  run_queued(&a, 0, 6);
  make_batch(&v, 100);
  const um_feed feed = {v.pixels, NULL, v.label, NULL, v.n, &how, 0};
  for (int i = 0; i < 5; i++) { /* so often that both slots have a recording of it */
    OK(um_model_report(a.model, &before, err));
    OK(um_model_prefetch(a.model, i % 2, &feed, err));
    OK(um_model_queue(a.model, i % 2, false, err));
    OK(um_model_report(a.model, &after, err));
    assert_int_equal(after.samples, before.samples + v.n);
    assert_true(after.loss > before.loss);
  }
  run_queued(&a, 6, STEPS);
  run_queued(&b, 0, STEPS);
  assert_true(distance(a.model, b.model) == 0);
  close_trained(&a), close_trained(&b);
}

/* A weight that is no number: the step is named, nothing is changed from then on. */
static void not_finite(void **state) {
  (void)state;
  build = build_chain;
  trained a = {0};
  um_error e = {0};
  open_trained(&a, "cuda", UM_PRECISION_FP32, optimizers[0]);
  run_queued(&a, 0, 3);
  int count;
  const um_param *p = um_model_params(a.model, &count);
  float *bad = malloc(p[count - 2].plain.bytes), *seen = malloc(p[0].plain.bytes), *now = malloc(p[0].plain.bytes);
  for (size_t i = 0; i < p[count - 2].plain.bytes / sizeof *bad; i++) bad[i] = NAN;
  OK(um_model_set(a.model, 'w', count - 2, bad, err));
  OK(um_model_get(a.model, 'w', 0, seen, err));
  run_queued(&a, 3, 7);
  assert_true(a.report.bad_loss == 4);
  assert_int_equal(um_model_check(a.model, &a.report, &e), UM_ENUMERIC);
  assert_string_equal(e.text, "the loss is not finite (step 4)");
  OK(um_model_get(a.model, 'w', 0, now, err));
  assert_memory_equal(seen, now, p[0].plain.bytes);
  free(bad), free(seen), free(now);
  close_trained(&a);
}

/* An infinite gradient behind a loss that is finite: the parameter is named, and only what is infinite stays as it was. */
static void gradient_not_finite(void **state) {
  (void)state;
  build = build_chain;
  trained a = {0};
  um_error e = {0};
  batch b;
  int count;
  open_trained(&a, "cuda", UM_PRECISION_FP32, optimizers[1]);
  const um_param *p = um_model_params(a.model, &count);
  /* conv1's outputs near 1e37, conv2's near 1 again, and a slope of some hundreds behind them. */
  static const float scale[] = {1e37f, 1, 1e-37f, 1, 1e3f, 1, 1, 1};
  for (int i = 0; i < count; i++) {
    float *w = malloc(p[i].plain.bytes);
    OK(um_model_get(a.model, 'w', i, w, err));
    for (size_t k = 0; k < p[i].plain.bytes / sizeof *w; k++) w[k] *= scale[i];
    OK(um_model_set(a.model, 'w', i, w, err));
    free(w);
  }
  make_batch(&b, 0);
  const um_feed feed = {b.pixels, NULL, b.label, NULL, b.n, &how, 1e-3};
  OK(um_model_prefetch(a.model, 0, &feed, err));
  OK(um_model_queue(a.model, 0, true, err));
  OK(um_model_report(a.model, &a.report, err));
  assert_true(isfinite(a.report.loss) && a.report.bad_loss == UM_NEVER && a.report.bad_gradient != UM_NEVER);
  assert_int_equal(um_model_check(a.model, &a.report, &e), UM_ENUMERIC);
  assert_string_equal(e.text, "the gradient of conv2/kernel is not finite (step 1)");
  close_trained(&a);
}

/* The times of feeding and computing against a clock around all of it: both are there, neither queue worked for longer than that, calls
 * that are done when they return not even together, and what was asked for is not told again. More steps than a queue keeps times of. */
static void busy_times(void **state) {
  static const char *const devices[] = {"cuda", "cpu", "ref"};
  (void)state;
  build = build_chain;
  for (int d = 0; d < 3; d++) {
    trained a = {0};
    double feed = 0, compute = 0;
    open_trained(&a, devices[d], UM_PRECISION_FP32, optimizers[0]);
    /* Nobody waits and nobody asks: the oldest times are lost, and nothing else. */
    for (int i = 0; d == 0 && i < 100; i++) {
      OK(a.be->ops->feed_begin(a.be, i % 2, err));
      OK(a.be->ops->feed_end(a.be, i % 2, err));
    }
    OK(um_model_busy(a.model, &feed, &compute, err));
    OK(um_model_report(a.model, &a.report, err));
    OK(um_model_busy(a.model, &feed, &compute, err));
    assert_true(feed >= 0 && feed < 10 && compute == 0);
    feed = 0;
    const double start = um_seconds();
    run_queued(&a, 0, 40);
    const double took = um_seconds() - start;
    OK(um_model_busy(a.model, &feed, &compute, err));
    if (!(feed > 0 && compute > 0 && feed <= took && compute <= took)) fail_msg("%s: %g and %g of %g s", devices[d], feed, compute, took);
    if (d > 0) assert_true(feed + compute <= took);
    double again[2] = {2, 3};
    OK(um_model_busy(a.model, &again[0], &again[1], err));
    assert_true(again[0] == 2 && again[1] == 3);
    run_queued(&a, 40, 41);
    OK(um_model_busy(a.model, &again[0], &again[1], err));
    assert_true(again[0] > 2 && again[0] - 2 < feed && again[1] > 3 && again[1] - 3 < compute);
    close_trained(&a);
  }
}

/* The same once more with PReLU, softmax and dropout: recordings go through new masks, a resumed run through the same, validation has
 * none; and with weights of samples. */
static void bent_queued_equals_direct(void **state) {
  build = build_bent;
  queued_equals_direct(state);
}

static void bent_resumed(void **state) {
  build = build_bent, weighted = true;
  resumed(state);
  weighted = false;
}

static void bent_like_ref(void **state) {
  build = build_bent, weighted = true;
  like_ref(state);
  weighted = false;
}

static void bent_validation_between(void **state) {
  build = build_bent;
  validation_between(state);
}

/* Heat maps (core/gradcam.h) as ref makes them, of a batch that is not full. */
static void heat_maps(void **state) {
  static const char *const at[][2] = {{"tiny", "tiny_conv3"}, {"dct", "reduce"}};
  (void)state;
  for (int k = 0; k < 2; k++) {
    float want[GRADCAM_PICTURES * 64], map[GRADCAM_PICTURES * 64], their_peak[GRADCAM_PICTURES], peak[GRADCAM_PICTURES];
    for (int sign = -1; sign <= 1; sign += 2) {
      gradcam_fixture ref, device;
      open_gradcam(&ref, "ref", at[k][0], at[k][1], GRADCAM_PICTURES + 1);
      open_gradcam(&device, "cuda", at[k][0], at[k][1], GRADCAM_PICTURES + 1);
      feed_gradcam(&ref), feed_gradcam(&device);
      OK(um_gradcam_run(&ref.cam, want, their_peak, sign, err));
      OK(um_gradcam_run(&device.cam, map, peak, sign, err));
      for (int s = 0; s < GRADCAM_PICTURES; s++) assert_true(fabs((double)peak[s] - (double)their_peak[s]) <= 1e-5 * (double)their_peak[s]);
      for (int64_t i = 0; i < GRADCAM_PICTURES * ref.cam.height * ref.cam.width; i++)
        assert_true(fabs((double)map[i] - (double)want[i]) <= 1e-5);
      close_gradcam(&ref), close_gradcam(&device);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(queued_equals_direct),      cmocka_unit_test(resumed),      cmocka_unit_test(like_ref),
      cmocka_unit_test(validation_between),        cmocka_unit_test(not_finite),   cmocka_unit_test(gradient_not_finite),
      cmocka_unit_test(bent_queued_equals_direct), cmocka_unit_test(bent_resumed), cmocka_unit_test(bent_like_ref),
      cmocka_unit_test(bent_validation_between),   cmocka_unit_test(heat_maps),    cmocka_unit_test(busy_times),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
