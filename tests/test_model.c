/* Models on ref and cpu: gradients against finite differences, short batches, frozen layers, the order of calls. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/model_fixture.h"

/* Mean loss of n samples with the parameters as they are. */
static double loss_of(fixture *f, const float *x, int64_t n) {
  um_loss_sums sums;
  OK(um_model_feed(f->model, x, n, err));
  OK(um_model_forward(f->model, err));
  OK(um_model_loss(f->model, &sums, labels, err));
  return sums.loss / (double)n;
}

static float *gradients_of(fixture *f, const float *x, int64_t n, int index) {
  int count;
  um_loss_sums sums;
  const um_param *p = um_model_params(f->model, &count);
  float *g = malloc(sizeof *g * (size_t)um_tensor_count(&p[index].plain));
  OK(um_model_feed(f->model, x, n, err));
  OK(um_model_forward(f->model, err));
  OK(um_model_backward(f->model, &sums, labels, err));
  OK(um_model_get(f->model, 'g', index, g, err));
  return g;
}

/* Central differences of the mean loss, for up to 40 elements of every parameter. Where the slopes to the left and to the right
 * differ, a ReLU or a maximum changes sides within the step: such elements are left out, a quarter of them at most. */
static void check_gradients(void (*build)(um_graph *)) {
  enum { N = 3 };
  fixture f = {0};
  int count;
  open_fixture(&f, build, N, true, "all");
  float *x = malloc(sizeof *x * (size_t)(f.in * N));
  fixture_fill(x, f.in * N, 1);
  const um_param *p = um_model_params(f.model, &count);
  for (int i = 0; i < count; i++) {
    if (p[i].plain.ndim > 1) continue; /* biases of zero leave ReLUs of dead inputs on their kink */
    float b[16];
    for (int k = 0; k < p[i].plain.dim[0]; k++) b[k] = 0.1f * (float)fixture_uniform(50 + (uint32_t)i, (uint32_t)k);
    OK(um_model_set(f.model, 'w', i, b, err));
  }
  const double middle = loss_of(&f, x, N);
  for (int i = 0; i < count; i++) {
    const int64_t n = um_tensor_count(&p[i].plain), stride = n / 40 + 1;
    float *w = malloc(sizeof *w * (size_t)n), *g = gradients_of(&f, x, N, i);
    double difference = 0, size = 0;
    int kinks = 0;
    OK(um_model_get(f.model, 'w', i, w, err));
    for (int64_t k = 0; k < n; k += stride) {
      const float at = w[k], above = at + 1e-3f, below = at - 1e-3f;
      w[k] = above;
      OK(um_model_set(f.model, 'w', i, w, err));
      const double up = loss_of(&f, x, N), right = (up - middle) / ((double)above - at);
      w[k] = below;
      OK(um_model_set(f.model, 'w', i, w, err));
      const double down = loss_of(&f, x, N), left = (middle - down) / ((double)at - below);
      w[k] = at;
      if (fabs(right - left) > 0.02 * (fabs(right) + fabs(left)) + 1e-4) {
        kinks++;
        continue;
      }
      const double slope = (up - down) / ((double)above - below);
      difference += (slope - g[k]) * (slope - g[k]);
      size += slope * slope;
    }
    OK(um_model_set(f.model, 'w', i, w, err));
    /* The loss is known to 6e-8, so a slope over 2e-3 to 3e-5. */
    if (!(sqrt(difference) <= 1e-2 * sqrt(size) + 3e-5) || kinks > (n / stride + 1) / 4)
      fail_msg("%s: gradient differs from finite differences by %g of %g (%d kinks)", p[i].name, sqrt(difference), sqrt(size), kinks);
    free(w), free(g);
  }
  free(x);
  close_fixture(&f);
}

static void test_gradients_chain(void **state) {
  (void)state;
  check_gradients(build_chain);
}

static void test_gradients_dag(void **state) {
  (void)state;
  check_gradients(build_dag);
}

static void test_gradients_bent(void **state) {
  (void)state;
  check_gradients(build_bent); /* every forward is of the same step: with the same masks */
}

static void test_gradients_views(void **state) {
  fixture f = {0};
  (void)state;
  check_gradients(build_views);
  /* And the memory is shared where it may be. */
  open_fixture(&f, build_views, 1, true, "all");
  const um_model *m = f.model;
  const int a = m->value[um_graph_find(&f.graph, "fa")], sa = m->value[um_graph_find(&f.graph, "sa")];
  const int b = m->value[um_graph_find(&f.graph, "fb")], rb = m->value[um_graph_find(&f.graph, "rb")];
  assert_true(m->view[a].storage != m->view[sa].storage);
  assert_true(m->view[b].storage == m->view[rb].storage);
  close_fixture(&f);
}

/* ---- one model against another ---- */

/* Feeds n samples, runs forward and backward; the sums of the loss. */
static um_loss_sums run(fixture *f, const float *x, int64_t n) {
  um_loss_sums sums;
  OK(um_model_feed(f->model, x, n, err));
  OK(um_model_forward(f->model, err));
  OK(um_model_backward(f->model, &sums, labels, err));
  return sums;
}

/* The largest distance of two parameters' numbers, relative to the norm of the first. */
static double distance(fixture *a, fixture *b, char which, int index) {
  int count;
  const um_param *p = um_model_params(a->model, &count);
  const int64_t n = um_tensor_count(&p[index].plain);
  float *x = malloc(sizeof *x * (size_t)n), *y = malloc(sizeof *y * (size_t)n);
  double off = 0, size = 0;
  OK(um_model_get(a->model, which, index, x, err));
  OK(um_model_get(b->model, which, index, y, err));
  for (int64_t i = 0; i < n; i++) {
    off += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    size += (double)x[i] * x[i];
  }
  free(x), free(y);
  return off == 0 ? 0 : sqrt(off / size);
}

/* Three samples in a batch of eight give the loss and the gradients of a batch of three: to the bit on ref, where the sums merely
 * get terms of zero; on cpu blocks are cut differently. A full batch before it must leave no trace. */
static void check_short_batch(const char *device, double tolerance) {
  enum { N = 3, BATCH = 8 };
  fixture small = {0}, large = {0};
  int count;
  open_fixture_on(&small, device, build_dag, N, true, "all");
  open_fixture_on(&large, device, build_dag, BATCH, true, "all");
  float *x = malloc(sizeof *x * (size_t)(small.in * BATCH));
  fixture_fill(x, small.in * BATCH, 1);
  for (int64_t i = small.in * N; i < small.in * BATCH; i++) x[i] = NAN; /* 0 times what was there must not come back */
  run(&large, x, BATCH);
  const um_loss_sums a = run(&small, x, N), b = run(&large, x, N);
  assert_true(fabs(a.loss - b.loss) <= tolerance * a.loss);
  assert_int_equal(a.correct, b.correct);
  um_model_params(small.model, &count);
  for (int i = 0; i < count; i++) assert_true(distance(&small, &large, 'g', i) <= tolerance);
  free(x);
  close_fixture(&small);
  close_fixture(&large);
}

static void test_short_batch(void **state) {
  (void)state;
  check_short_batch("ref", 0);
  check_short_batch("cpu", 1e-6);
}

/* The same network on ref and on cpu, whose layouts, fused ops and reorders are others: logits, values, gradients, one step. */
static void check_against_ref(void (*build)(um_graph *)) {
  enum { N = 4 };
  fixture ref = {0}, cpu = {0};
  float za[N], zb[N];
  int count;
  open_fixture_on(&ref, "ref", build, N, true, "all");
  open_fixture_on(&cpu, "cpu", build, N, true, "all");
  um_model_params(ref.model, &count);
  for (int i = 0; i < count; i++) assert_true(distance(&ref, &cpu, 'w', i) == 0); /* one seed, one start; layouts lose nothing */
  float *x = malloc(sizeof *x * (size_t)(ref.in * N));
  fixture_fill(x, ref.in * N, 1);
  const um_loss_sums a = run(&ref, x, N), b = run(&cpu, x, N);
  OK(um_model_logits(ref.model, za, err));
  OK(um_model_logits(cpu.model, zb, err));
  for (int i = 0; i < N; i++) assert_true(fabs((double)za[i] - zb[i]) <= 1e-5);
  assert_true(fabs(a.loss - b.loss) <= 1e-5 * a.loss);
  for (int i = 0; i < count; i++) {
    const double d = distance(&ref, &cpu, 'g', i);
    if (!(d <= 1e-5)) fail_msg("parameter %d: gradients differ by %g", i, d);
  }
  OK(um_model_step(ref.model, 1e-3, err));
  OK(um_model_step(cpu.model, 1e-3, err));
  for (int i = 0; i < count; i++) assert_true(distance(&ref, &cpu, 'w', i) <= 1e-4);
  free(x);
  close_fixture(&ref);
  close_fixture(&cpu);
}

static void test_cpu_chain(void **state) {
  (void)state;
  check_against_ref(build_chain);
}

static void test_cpu_dag(void **state) {
  (void)state;
  check_against_ref(build_dag);
}

static void test_cpu_bent(void **state) {
  (void)state;
  check_against_ref(build_bent);
}

static void test_cpu_views(void **state) {
  (void)state;
  check_against_ref(build_views);
}

/* Values between the layers, where the plan keeps them: the same on both backends, and all but a few are there. */
static void test_activations(void **state) {
  enum { N = 2 };
  fixture ref = {0}, cpu = {0};
  int compared = 0;
  (void)state;
  open_fixture_on(&ref, "ref", build_dag, N, true, "all");
  open_fixture_on(&cpu, "cpu", build_dag, N, true, "all");
  float *x = malloc(sizeof *x * (size_t)(ref.in * N));
  fixture_fill(x, ref.in * N, 1);
  fixture *const both[] = {&ref, &cpu};
  for (int k = 0; k < 2; k++) {
    OK(um_model_feed(both[k]->model, x, N, err));
    OK(um_model_forward(both[k]->model, err));
  }
  for (int i = 0; i < ref.graph.count; i++) {
    const um_node *n = &ref.graph.node[i];
    const int64_t size = N * n->dim[0] * (n->ndim == 3 ? n->dim[1] * n->dim[2] : 1);
    float *a = malloc(sizeof *a * (size_t)size), *b = malloc(sizeof *b * (size_t)size);
    um_error e;
    const int sa = um_model_activation(ref.model, i, a, &e), sb = um_model_activation(cpu.model, i, b, &e);
    assert_true(sa == UM_OK || sa == UM_EUNSUPPORTED);
    assert_true(sb == UM_OK || sb == UM_EUNSUPPORTED);
    for (int64_t k = 0; k < size && sa == UM_OK && sb == UM_OK; k++) assert_true(fabs((double)a[k] - b[k]) <= 1e-5);
    compared += sa == UM_OK && sb == UM_OK;
    free(a), free(b);
  }
  assert_true(compared >= ref.graph.count - 3);
  free(x);
  close_fixture(&ref);
  close_fixture(&cpu);
}

/* ---- frozen layers ---- */

static void test_frozen(void **state) {
  enum { N = 4 };
  static const char *const first[] = {"conv2", "dense", "head", "dense_1"};
  fixture all = {0};
  float *x;
  int count;
  (void)state;
  open_fixture(&all, build_chain, N, true, "all");
  x = malloc(sizeof *x * (size_t)(all.in * N));
  fixture_fill(x, all.in * N, 1);
  run(&all, x, N);
  for (size_t k = 0; k < sizeof first / sizeof *first; k++) {
    fixture part = {0};
    open_fixture(&part, build_chain, N, true, first[k]);
    const um_param *p = um_model_params(part.model, &count);
    const int lowest = um_graph_find(&part.graph, strcmp(first[k], "head") == 0 ? "dense" : first[k]);
    float before[8 * 1024], after[8 * 1024];
    run(&part, x, N);
    for (int i = 0; i < count; i++) {
      um_error e;
      assert_true(p[i].trainable == (p[i].node >= lowest));
      assert_true(um_tensor_count(&p[i].plain) <= 8 * 1024);
      if (p[i].trainable) {
        assert_true(distance(&all, &part, 'g', i) == 0); /* the very same sums */
      } else {
        assert_null(p[i].grad.data);
        assert_int_equal(um_model_get(part.model, 'g', i, before, &e), UM_EUNSUPPORTED);
      }
    }
    /* Nothing is computed for what is not trained, and ops are told. */
    for (int i = 0; i < part.model->steps; i++) {
      const um_step *s = &part.model->step[i];
      if (s->kind == UM_STEP_BACKWARD_DATA) assert_true(s->node > lowest);
      if (s->kind == UM_STEP_BACKWARD_WEIGHTS || s->kind == UM_STEP_ACTIVATION_BACKWARD) assert_true(s->node >= lowest);
    }
    for (int i = 1; i < lowest; i++)
      if (um_model_op(part.model, i)) assert_int_equal(um_model_op(part.model, i)->desc.passes, UM_PASS_FORWARD);
    OK(um_model_get(part.model, 'w', 0, before, err));
    OK(um_model_step(part.model, 1e-2, err));
    OK(um_model_get(part.model, 'w', 0, after, err));
    assert_memory_equal(before, after, p[0].plain.bytes);
    assert_true(um_model_memory_of(part.model)->gradients < um_model_memory_of(all.model)->gradients);
    close_fixture(&part);
  }
  free(x);
  close_fixture(&all);
}

/* In the whole network, too, the first layer's gradient by its input is never computed. */
static void test_first_layer(void **state) {
  fixture f = {0};
  (void)state;
  open_fixture(&f, build_chain, 2, true, "all");
  for (int i = 0; i < f.model->steps; i++)
    if (f.model->step[i].kind == UM_STEP_BACKWARD_DATA) assert_true(f.model->step[i].node > 1);
  assert_int_equal(um_model_op(f.model, 1)->desc.passes, UM_PASS_FORWARD | UM_PASS_BACKWARD_WEIGHTS);
  close_fixture(&f);
}

/* ---- the rest of the contract ---- */

/* Five steps twice give the same bits, on a backend with several threads too. */
static void check_determinism(const char *device) {
  enum { N = 6 };
  fixture a = {0}, b = {0};
  fixture *const both[] = {&a, &b};
  int count;
  float *x = NULL;
  for (int k = 0; k < 2; k++) {
    open_fixture_on(both[k], device, build_dag, N, true, "all");
    if (!x) x = malloc(sizeof *x * (size_t)(a.in * N));
    for (uint32_t s = 0; s < 5; s++) {
      fixture_fill(x, a.in * N, s);
      run(both[k], x, N);
      OK(um_model_step(both[k]->model, 1e-3, err));
    }
  }
  um_model_params(a.model, &count);
  for (int i = 0; i < count; i++) assert_true(distance(&a, &b, 'w', i) == 0 && distance(&a, &b, 'v', i) == 0);
  assert_int_equal(um_model_steps(a.model), 5);
  free(x);
  close_fixture(&a);
  close_fixture(&b);
}

static void test_determinism(void **state) {
  (void)state;
  check_determinism("ref");
  check_determinism("cpu");
}

/* Between tensors, and in the padding of their layouts, the buffers hold zeros and keep them. */
static void test_padding_stays_zero(void **state) {
  enum { N = 4 };
  fixture f = {0};
  int count;
  (void)state;
  open_fixture_on(&f, "cpu", build_dag, N, true, "all"); /* 3, 4 and 13 channels: less than a block */
  float *x = malloc(sizeof *x * (size_t)(f.in * N));
  for (uint32_t s = 0; s < 3; s++) {
    fixture_fill(x, f.in * N, s);
    run(&f, x, N);
    OK(um_model_step(f.model, 1e-2, err));
  }
  const um_param *p = um_model_params(f.model, &count);
  for (int i = 0; i < count; i++) {
    const size_t end = i + 1 < count ? p[i + 1].offset : f.model->memory.parameters;
    double stored = 0, meant = 0;
    const float *w = (const float *)((const char *)f.model->w + p[i].offset);
    float *plain = malloc(p[i].plain.bytes);
    OK(um_model_get(f.model, 'w', i, plain, err));
    assert_int_equal(p[i].offset % 64, 0);
    for (size_t k = 0; k < (end - p[i].offset) / sizeof *w; k++) stored += fabs(w[k]);
    for (int64_t k = 0; k < um_tensor_count(&p[i].plain); k++) meant += fabs(plain[k]);
    assert_true(fabs(stored - meant) <= 1e-9 * meant);
    free(plain);
  }
  free(x);
  close_fixture(&f);
}

/* Pixels through the warp are the values that the warp is said to make. */
static void test_feed_pixels(void **state) {
  enum { N = 2, BATCH = 3, SIZE = 9 * 7 * 3 };
  fixture f = {0};
  uint8_t pixels[N * SIZE];
  float values[N * SIZE], a[N], b[N];
  const um_warp how = {.scale = 1 / 255.0f};
  (void)state;
  open_fixture(&f, build_chain, BATCH, false, NULL);
  for (int i = 0; i < N * SIZE; i++) pixels[i] = (uint8_t)(i * 37 % 256), values[i] = pixels[i] * (1 / 255.0f);
  OK(um_model_feed_pixels(f.model, pixels, NULL, N, &how, err));
  OK(um_model_forward(f.model, err));
  OK(um_model_logits(f.model, a, err));
  OK(um_model_feed(f.model, values, N, err));
  OK(um_model_forward(f.model, err));
  OK(um_model_logits(f.model, b, err));
  assert_memory_equal(a, b, sizeof a);
  close_fixture(&f);
}

static void test_order_of_calls(void **state) {
  fixture f = {0}, inference = {0};
  um_error e;
  um_loss_sums sums;
  float x[9 * 7 * 3 * 2], z[2];
  (void)state;
  open_fixture(&f, build_chain, 2, true, "all");
  open_fixture(&inference, build_chain, 2, false, NULL);
  fixture_fill(x, 9 * 7 * 3 * 2, 1);
  assert_int_equal(um_model_forward(f.model, &e), UM_EINTERNAL);
  assert_int_equal(um_model_logits(f.model, z, &e), UM_EINTERNAL);
  assert_int_equal(um_model_feed(f.model, x, 0, &e), UM_EINTERNAL);
  assert_int_equal(um_model_feed(f.model, x, 3, &e), UM_EINTERNAL);
  OK(um_model_feed(f.model, x, 2, err));
  assert_int_equal(um_model_backward(f.model, &sums, labels, &e), UM_EINTERNAL);
  OK(um_model_forward(f.model, err));
  assert_int_equal(um_model_forward(f.model, &e), UM_EINTERNAL); /* the input's memory may be gone */
  OK(um_model_backward(f.model, &sums, labels, err));
  assert_int_equal(um_model_backward(f.model, &sums, labels, &e), UM_EINTERNAL);
  OK(um_model_logits(f.model, z, err)); /* still there */

  OK(um_model_feed(inference.model, x, 2, err));
  OK(um_model_forward(inference.model, err));
  OK(um_model_loss(inference.model, &sums, labels, err));
  assert_int_equal(um_model_backward(inference.model, &sums, labels, &e), UM_EINTERNAL);
  assert_int_equal(um_model_step(inference.model, 1e-3, &e), UM_EINTERNAL);
  close_fixture(&f);
  close_fixture(&inference);
}

static void test_refused_graphs(void **state) {
  um_backend *be;
  um_model *m;
  um_error e;
  um_model_options o = {.batch = 1, .training = true, .optimizer = fixture_rmsprop};
  um_graph g = {0};
  (void)state;
  OK(um_ref_open(&be, err));
  int at = um_graph_add_input(&g, "input", 4, 4, 3, &e);
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ECONFIG); /* no layers */
  at = um_graph_add_simple(&g, "gap", UM_OP_GLOBAL_AVG_POOL, &at, 1, UM_ACT_NONE, &e);
  const int two_units = um_graph_add_dense(&g, "two", at, 2, UM_ACT_NONE, &e);
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ECONFIG);
  assert_non_null(strstr(e.text, "2 outputs"));
  assert_true(two_units > 0);
  um_graph_add_dense(&g, "one", at, 1, UM_ACT_NONE, &e);
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ECONFIG); /* nothing reads "two" */
  assert_non_null(strstr(e.text, "two"));
  um_graph_free(&g);

  build_chain(&g);
  o.trainable = "conv9";
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ECONFIG);
  assert_non_null(strstr(e.text, "conv9"));
  o.trainable = "out";
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ECONFIG); /* leaves nothing to train */
  um_graph_free(&g);
  be->ops->close(be);
}

/* Times are counted while they are asked for, for what was run, and start from zero each time. */
static void test_times(void **state) {
  fixture f = {0};
  um_node_times outside;
  (void)state;
  open_fixture(&f, build_chain, 2, true, "all");
  float x[9 * 7 * 3 * 2];
  fixture_fill(x, 9 * 7 * 3 * 2, 1);
  um_model_time(f.model, true);
  run(&f, x, 2);
  OK(um_model_step(f.model, 1e-3, err));
  const um_node_times *t = um_model_times(f.model, &outside);
  const int conv1 = um_graph_find(&f.graph, "conv1"), conv2 = um_graph_find(&f.graph, "conv2");
  assert_true(t[conv1].forward > 0 && t[conv1].backward_weights > 0 && t[conv1].backward_data == 0);
  assert_true(t[conv2].forward > 0 && t[conv2].backward_weights > 0 && t[conv2].backward_data > 0);
  assert_true(outside.forward > 0 && outside.other > 0);
  um_model_time(f.model, false);
  run(&f, x, 2);
  um_model_times(f.model, &outside);
  assert_true(t[conv1].forward == 0 && outside.forward == 0);
  close_fixture(&f);
}

/* Keras 2's RMSprop with momentum has epsilon inside the root, without momentum outside (tests/golden/optimizers.py): the model
 * knows. Weight 0, gradient 1: v = 0.1. */
static void test_keras2_rmsprop(void **state) {
  const double expected[] = {-1 / (sqrt(0.1) + 0.01), -1 / sqrt(0.1 + 0.01)};
  (void)state;
  for (int momentum = 0; momentum < 2; momentum++) {
    um_backend *be;
    um_graph g;
    um_model *m;
    const um_optimizer optimizer = {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 0.01, .momentum = momentum * 0.5};
    const um_model_options o = {.batch = 1, .training = true, .optimizer = optimizer};
    const float one_gradient = 1;
    float w = 0;
    OK(um_ref_open(&be, err));
    build_chain(&g);
    OK(um_model_create(&m, &g, be, &o, err));
    OK(um_model_set(m, 'g', 7, &one_gradient, err)); /* the last bias: one value */
    OK(um_model_step(m, 1.0, err));
    OK(um_model_get(m, 'w', 7, &w, err));
    assert_true(fabs(w - expected[momentum]) < 1e-5);
    um_model_free(m);
    um_graph_free(&g);
    be->ops->close(be);
  }
}

static void test_devices(void **state) {
  um_backend *be;
  um_error e;
  char text[256] = "";
  (void)state;
  OK(um_backend_open(&be, "auto", 1, err));
  assert_string_equal(be->ops->name, "cpu");
  assert_int_equal(be->threads, 1);
  be->ops->describe(be, text, sizeof text);
  assert_true(strlen(text) > 3);
  be->ops->close(be);
  assert_int_equal(um_backend_open(&be, "cuda", 0, &e), UM_EUNSUPPORTED);
  assert_non_null(strstr(e.text, "--device cpu"));
  assert_int_equal(um_backend_open(&be, "cuda:1", 0, &e), UM_EUNSUPPORTED);
  assert_int_equal(um_backend_open(&be, "tpu", 0, &e), UM_ECONFIG);
  assert_non_null(strstr(e.text, "tpu"));
  assert_null(be);
}

/* A loss that is not a number shows, in the loss and in the norm of the gradients. */
static void test_not_finite(void **state) {
  fixture f = {0};
  um_loss_sums sums;
  double norm;
  float x[9 * 7 * 3 * 2];
  (void)state;
  open_fixture(&f, build_chain, 2, true, "all");
  fixture_fill(x, 9 * 7 * 3 * 2, 1);
  run(&f, x, 2);
  OK(um_model_gradient_norm(f.model, &norm, err));
  assert_true(isfinite(norm) && norm > 0);
  const float bad[8] = {NAN};
  OK(um_model_set(f.model, 'w', 6, bad, err)); /* the last kernel: 8 values */
  sums = run(&f, x, 2);
  assert_false(isfinite(sums.loss));
  OK(um_model_gradient_norm(f.model, &norm, err));
  assert_false(isfinite(norm));
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradients_chain), cmocka_unit_test(test_gradients_dag),   cmocka_unit_test(test_gradients_bent),
      cmocka_unit_test(test_cpu_bent),        cmocka_unit_test(test_short_batch),     cmocka_unit_test(test_cpu_chain),
      cmocka_unit_test(test_cpu_dag),         cmocka_unit_test(test_activations),     cmocka_unit_test(test_frozen),
      cmocka_unit_test(test_first_layer),     cmocka_unit_test(test_determinism),     cmocka_unit_test(test_padding_stays_zero),
      cmocka_unit_test(test_feed_pixels),     cmocka_unit_test(test_order_of_calls),  cmocka_unit_test(test_refused_graphs),
      cmocka_unit_test(test_not_finite),      cmocka_unit_test(test_gradients_views), cmocka_unit_test(test_cpu_views),
      cmocka_unit_test(test_times),           cmocka_unit_test(test_keras2_rmsprop),  cmocka_unit_test(test_devices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
