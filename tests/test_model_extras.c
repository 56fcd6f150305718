/* How parameters begin, and what a training step has beside its layers: dropout and its masks, weights of samples, the decay of kernels. And many small models. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/cpu/cpu.h"
#include "core/rng.h"
#include "support/model_fixture.h"

enum { N = 4, H = 9, W = 7, SIZE = H * W * 3 };
static const um_warp how = {.fill = UM_FILL_NEAREST, .scale = 1 / 255.0f};

static const uint8_t *pixels(void) {
  static uint8_t x[N * SIZE];
  for (int i = 0; i < N * SIZE; i++) x[i] = (uint8_t)(128 + 127 * fixture_uniform(3, (uint32_t)i));
  return x;
}

/* Mean loss of the N pictures, queued. */
static double queued_loss(um_model *m, const float *weights, double rate, bool train) {
  const um_feed feed = {.pixels = pixels(), .labels = labels, .weights = weights, .n = N, .how = &how, .learning_rate = rate};
  um_report r;
  um_report_reset(&r);
  OK(um_model_set_report(m, &r, err));
  OK(um_model_prefetch(m, 0, &feed, err));
  OK(um_model_queue(m, 0, train, err));
  OK(um_model_report(m, &r, err));
  assert_int_equal(r.samples, N);
  return r.loss / N;
}

/* What becomes of a layer of ones behind a dropout: kept are 1 / (1 - rate), by the addresses of core/rng.h. */
static void check_mask(const float *y, int64_t count, double rate, uint64_t seed, uint32_t node, uint32_t step) {
  const um_rng at = {.seed = seed, .stream = UM_STREAM_DROPOUT, .epoch = step, .sample = node};
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) {
    const bool keeps = um_rng_uniform(&at, (uint32_t)i) >= rate;
    kept += keeps;
    assert_true(y[i] == (keeps ? (float)(1 / (1 - rate)) : 0));
  }
  /* Binomial: 5 standard deviations. */
  assert_true(fabs((double)kept - (1 - rate) * (double)count) <= 5 * sqrt(rate * (1 - rate) * (double)count));
}

static void test_masks(void **state) {
  enum { COUNT = 5000 };
  static const char *const device[] = {"ref", "cpu"};
  (void)state;
  for (int k = 0; k < 2; k++) {
    um_backend *be;
    um_op *op;
    float x[COUNT], y[COUNT];
    OK(um_backend_open(&be, device[k], 0, err));
    for (int i = 0; i < COUNT; i++) x[i] = 1;
    const uint64_t seed = 0x123456789abcdefu;
    um_op_desc d = {.kind = UM_OP_DROPOUT, .passes = UM_PASS_FORWARD, .n_inputs = 1, .rate = 0.3, .seed = seed, .node = 17};
    d.x[0] = d.y = um_tensor_plain(UM_F32, 2, (int64_t[]){5, COUNT / 5});
    OK(be->ops->plan(be, &d, &op, err));
    um_tensor tx = op->x[0], ty = op->y;
    tx.data = x, ty.data = y;
    for (int step = 1; step < 4; step++) {
      OK(be->ops->dropout(op, &ty, &tx, &(um_control){.n = 5, .step = step}, err));
      check_mask(y, COUNT, 0.3, seed, 17, (uint32_t)step);
    }
    be->ops->plan_free(op);
    be->ops->close(be);
  }
}

/* Beyond 2^32 blocks of four an element's address goes on in the node's word, where no node's is. */
static void test_far_masks(void **state) {
  const um_op_desc d = {.seed = 3, .node = 5}, other = {.seed = 3, .node = 4095};
  uint32_t near[4], far[4], elsewhere[4], want[4];
  (void)state;
  um_dropout_words(near, &d, 9, 7);
  um_dropout_words(far, &d, 9, ((int64_t)3 << 32) + 7);
  um_dropout_words(elsewhere, &other, 9, 7);
  um_philox(want, (const uint32_t[4]){7, 5 | 3 << 12, 9, UM_STREAM_DROPOUT}, (const uint32_t[2]){3, 0});
  assert_memory_equal(far, want, sizeof want);
  assert_true(memcmp(near, far, sizeof far) != 0 && memcmp(near, elsewhere, sizeof far) != 0);
  assert_true(um_dropout_threshold(0) == 0 && um_dropout_threshold(0.5) == 0x80000000u && um_dropout_threshold(1 - 1e-12) == UINT32_MAX);
}

/* Queued without training, a model for training gives what one for inference gives; in training it does not, and each step differs. */
static void test_validation_has_none(void **state) {
  static const char *const device[] = {"ref", "cpu"};
  (void)state;
  for (int k = 0; k < 2; k++) {
    fixture t = {0}, other = {0}, plain = {0};
    const um_optimizer still = {.kind = UM_OPT_SGD};
    um_model_options o = {.batch = N, .training = true, .optimizer = still, .seed = 8};
    open_fixture_with(&t, device[k], build_bent, &o);
    o.seed = 9;
    open_fixture_with(&other, device[k], build_bent, &o);
    open_fixture_on(&plain, device[k], build_bent, N, false, NULL);
    um_loss_sums sums;
    OK(um_model_feed_pixels(plain.model, pixels(), NULL, N, &how, err));
    OK(um_model_forward(plain.model, err));
    OK(um_model_loss(plain.model, &sums, labels, err));
    const double want = sums.loss / N, without = queued_loss(t.model, NULL, 0, false);
    assert_true(fabs(without - want) <= 1e-6 * want);
    /* A rate of 0 leaves the parameters: what changes is the mask alone. */
    const double first = queued_loss(t.model, NULL, 0, true), second = queued_loss(t.model, NULL, 0, true);
    assert_true(fabs(first - want) > 1e-4 && fabs(first - second) > 1e-4);
    assert_true(fabs(queued_loss(t.model, NULL, 0, false) - without) == 0);
    assert_true(fabs(queued_loss(other.model, NULL, 0, true) - first) > 1e-4);
    um_model_set_steps(t.model, 0); /* the first step again */
    assert_true(queued_loss(t.model, NULL, 0, true) == first);
    close_fixture(&t), close_fixture(&other), close_fixture(&plain);
  }
}

/* In inference, and with a rate of 0, a dropout is its input by another name; in training it is done in place where nobody needs what it
 * writes over. */
static void test_views(void **state) {
  static const struct {
    const char *name;
    bool in_place;
  } drop[] = {{"drop1", false}, {"drop2", true}, {"drop3", false}};
  (void)state;
  for (int training = 0; training < 2; training++) {
    fixture f = {0};
    open_fixture(&f, build_bent, N, training, NULL);
    const um_model *m = f.model;
    for (int i = 0; i < 3; i++) {
      const int node = um_graph_find(&f.graph, drop[i].name), x = f.graph.node[node].input[0];
      const bool same = m->view[m->value[node]].storage == m->view[m->value[x]].storage;
      assert_true((um_model_op(m, node) != NULL) == (training != 0));
      if (same != (!training || drop[i].in_place)) fail_msg("%s, training %d: in place is %d", drop[i].name, training, same);
    }
    close_fixture(&f);
  }
}

/* The gradient of a batch with weights is the mean of the samples' own gradients times theirs. */
static void test_sample_weights(void **state) {
  static const float weights[N] = {2, 0, 0.5f, 3}, ones[N] = {1, 1, 1, 1};
  static const char *const device[] = {"ref", "cpu"};
  (void)state;
  for (int k = 0; k < 2; k++) {
    fixture all = {0}, one = {0}, same = {0};
    int count;
    const um_model_options o = {.batch = N, .training = true, .optimizer = {.kind = UM_OPT_SGD}};
    open_fixture_with(&all, device[k], build_chain, &o);
    open_fixture_with(&one, device[k], build_chain, &o);
    open_fixture_with(&same, device[k], build_chain, &o);
    const double loss = queued_loss(all.model, weights, 0, true);
    assert_true(queued_loss(same.model, ones, 0, true) == queued_loss(same.model, NULL, 0, true));
    const um_param *p = um_model_params(all.model, &count);
    double want_loss = 0;
    double *want = calloc(1 << 16, sizeof *want);
    float *g = malloc(sizeof *g << 16);
    for (int s = 0; s < N; s++) {
      um_loss_sums sums;
      int64_t at = 0;
      OK(um_model_feed_pixels(one.model, pixels() + s * SIZE, NULL, 1, &how, err));
      OK(um_model_forward(one.model, err));
      OK(um_model_backward(one.model, &sums, &labels[s], err));
      want_loss += (double)weights[s] * sums.loss / N;
      for (int i = 0; i < count; i++) {
        OK(um_model_get(one.model, 'g', i, g, err));
        for (int64_t e = 0; e < um_tensor_count(&p[i].plain); e++) want[at++] += (double)weights[s] * (double)g[e] / N;
        assert_true(at < 1 << 16);
      }
    }
    assert_true(fabs(loss - want_loss) <= 1e-6 * want_loss);
    double off = 0, size = 0;
    int64_t at = 0;
    for (int i = 0; i < count; i++) {
      OK(um_model_get(all.model, 'g', i, g, err));
      for (int64_t e = 0; e < um_tensor_count(&p[i].plain); e++, at++) off += pow((double)g[e] - want[at], 2), size += pow(want[at], 2);
    }
    assert_true(sqrt(off) <= 1e-5 * sqrt(size) && size > 1e-6);
    free(want), free(g);
    close_fixture(&all), close_fixture(&one), close_fixture(&same);
  }
}

/* One step of SGD: kernels become w - lr decay w - lr g, biases and alphas w - lr g; also where only the upper layers train. */
static void test_decay(void **state) {
  static const char *const device[] = {"ref", "cpu"}, *const trainable[] = {"all", "conv2", "dense_1"};
  const double lr = 0.125, decay = 0.5;
  (void)state;
  for (int k = 0; k < 6; k++) {
    fixture f = {0};
    int count, kernels = 0, others = 0;
    um_loss_sums sums;
    const um_model_options o = {
        .batch = N, .training = true, .trainable = trainable[k / 2], .optimizer = {.kind = UM_OPT_SGD, .weight_decay = decay}};
    open_fixture_with(&f, device[k % 2], build_bent, &o);
    const um_param *p = um_model_params(f.model, &count);
    float *before[32], *g = malloc(sizeof *g << 16), *after = malloc(sizeof *after << 16);
    assert_true(count <= 32 && um_model_memory_of(f.model)->decay > 0);
    for (int i = 0; i < count; i++) {
      before[i] = malloc(p[i].plain.bytes);
      fixture_fill(before[i], um_tensor_count(&p[i].plain), 70 + (uint32_t)i);
      OK(um_model_set(f.model, 'w', i, before[i], err));
    }
    OK(um_model_feed_pixels(f.model, pixels(), NULL, N, &how, err));
    OK(um_model_forward(f.model, err));
    OK(um_model_backward(f.model, &sums, labels, err));
    OK(um_model_step(f.model, lr, err));
    for (int i = 0; i < count; i++) {
      const bool kernel = strstr(p[i].name, "/kernel") != NULL;
      OK(um_model_get(f.model, 'w', i, after, err));
      if (p[i].trainable) OK(um_model_get(f.model, 'g', i, g, err));
      kernels += kernel && p[i].trainable, others += !kernel && p[i].trainable;
      for (int64_t e = 0; e < um_tensor_count(&p[i].plain); e++) {
        const double w = (double)before[i][e], left = kernel ? w - lr * decay * w : w, want = p[i].trainable ? left - lr * (double)g[e] : w;
        if (!(fabs((double)after[e] - want) <= 3e-7 * fabs(w) + 1e-7 * fabs(lr * (double)g[e])))
          fail_msg("%s, trainable %s: %s[%d] is %g, expected %g", device[k % 2], trainable[k / 2], p[i].name, (int)e, (double)after[e],
                   want);
      }
      free(before[i]);
    }
    assert_true(kernels >= 2 && others >= 2);
    free(g), free(after);
    close_fixture(&f);
  }
}

/* ---- many models of many sizes ---- */

static int layouts_of(um_backend *be) {
  int n = 0;
  for (const struct um_layout *l = ((um_cpu *)be)->layouts; l; l = l->next) n++;
  return n;
}

static um_model *open_sized(um_backend *be, int64_t height, int64_t width) {
  const um_model_options o = {.batch = 1, .any_output = true};
  const int three[2] = {3, 3}, one[2] = {1, 1};
  um_graph g = {0};
  um_model *m;
  int at;
  OK(at = um_graph_add_input(&g, "input", height, width, 3, err));
  OK(at = um_graph_add_conv2d(&g, "conv1", at, 10, three, one, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(at = um_graph_add_prelu(&g, "bend1", at, err));
  OK(at = um_graph_add_conv2d(&g, "conv2", at, 16, three, one, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(at = um_graph_add_conv2d(&g, "conv3", at, 32, three, one, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(at = um_graph_add_conv2d(&g, "conv4", at, 2, one, one, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(um_graph_add_simple(&g, "share", UM_OP_SOFTMAX, &at, 1, UM_ACT_NONE, err));
  OK(um_model_create(&m, &g, be, &o, err));
  OK(um_model_init(m, 3, err));
  um_graph_free(&g);
  return m;
}

static void run_sized(um_model *m, float *y, int64_t height, int64_t width) {
  float *x = malloc(sizeof *x * (size_t)(height * width * 3));
  fixture_fill(x, height * width * 3, 4);
  OK(um_model_feed(m, x, 1, err));
  OK(um_model_forward(m, err));
  OK(um_model_output(m, y, err));
  free(x);
}

/* What a backend keeps for a size goes with the last model of it; one that lives on is none the worse. */
static void test_sizes(void **state) {
  enum { OUT = 2 * 14 * 15 };
  um_backend *be;
  float before[OUT], after[OUT];
  (void)state;
  OK(um_backend_open(&be, "cpu", 2, err));
  um_model *first = open_sized(be, 20, 21), *second = open_sized(be, 20, 21);
  run_sized(second, before, 20, 21);
  const int one_size = layouts_of(be);
  um_model_free(first);
  assert_int_equal(layouts_of(be), one_size);
  for (int i = 0; i < 10; i++) {
    float *y = malloc(sizeof *y * 2 * (size_t)((16 + i) * (19 + 2 * i)));
    um_model *m = open_sized(be, 22 + i, 25 + 2 * i);
    run_sized(m, y, 22 + i, 25 + 2 * i);
    um_model_free(m);
    free(y);
    assert_int_equal(layouts_of(be), one_size);
  }
  run_sized(second, after, 20, 21);
  assert_memory_equal(before, after, sizeof before);
  um_model_free(second);
  assert_int_equal(layouts_of(be), 0);
  be->ops->close(be);
}

/* Glorot's limits are filled to their ends and not passed; biases are zero; another seed is another start. */
static void test_init(void **state) {
  fixture f = {0};
  int count;
  (void)state;
  open_fixture(&f, build_chain, 1, false, NULL);
  const um_param *p = um_model_params(f.model, &count);
  const double fans[] = {9 * (3 + 5), 0, 9 * (5 + 6), 0, 2 * 2 * 6 + 8, 0, 8 + 1, 0};
  assert_int_equal(count, 8);
  for (int i = 0; i < count; i++) {
    const int64_t n = um_tensor_count(&p[i].plain);
    const double limit = fans[i] > 0 ? sqrt(6 / fans[i]) : 0;
    float *w = malloc(sizeof *w * (size_t)n), *other = malloc(sizeof *other * (size_t)n);
    double sum = 0, most = 0;
    OK(um_model_init(f.model, 3, err));
    OK(um_model_get(f.model, 'w', i, w, err));
    OK(um_model_init(f.model, 4, err));
    OK(um_model_get(f.model, 'w', i, other, err));
    for (int64_t k = 0; k < n; k++) sum += w[k], most = fmax(most, fabs(w[k]));
    assert_true(most <= limit * (1 + 1e-6));
    if (limit > 0 && n > 100) {
      assert_true(most > 0.95 * limit);
      assert_true(fabs(sum / (double)n) < 4 * limit / sqrt(3 * (double)n));
    }
    if (limit > 0) assert_true(memcmp(w, other, p[i].plain.bytes) != 0);
    free(w), free(other);
  }
  close_fixture(&f);
}

/* A layer that begins as the cosine transform does so with any seed; the others are drawn. */
static void test_init_dct(void **state) {
  enum { KERNEL = 4 * 4 * 3 * 16 };
  um_backend *be;
  um_graph g = {0};
  um_model *m;
  int count, at;
  float *w = malloc(sizeof *w << 20), expected[KERNEL];
  (void)state;
  OK(um_ref_open(&be, err));
  OK(at = um_graph_add_dct(&g, 16, 16, err));
  OK(at = um_graph_add_simple(&g, NULL, UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(um_graph_add_dense(&g, NULL, at, 1, UM_ACT_NONE, err));
  OK(um_model_create(&m, &g, be, &(um_model_options){.batch = 1}, err));
  const um_param *p = um_model_params(m, &count);
  assert_string_equal(p[0].name, "dct/kernel");
  assert_string_equal(p[2].name, "block0_conv/kernel");
  um_dct_kernel(expected);
  for (uint64_t seed = 1; seed < 3; seed++) {
    OK(um_model_init(m, seed, err));
    OK(um_model_get(m, 'w', 0, w, err));
    assert_memory_equal(w, expected, sizeof expected);
    OK(um_model_get(m, 'w', 2, w, err));
    for (int64_t i = 0; i < um_tensor_count(&p[2].plain); i++) assert_true(fabs(w[i]) <= sqrt(6.0 / (9 * (16 + 32))) * (1 + 1e-6));
  }
  free(w);
  um_model_free(m);
  um_graph_free(&g);
  be->ops->close(be);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_masks), cmocka_unit_test(test_far_masks),      cmocka_unit_test(test_validation_has_none),
      cmocka_unit_test(test_views), cmocka_unit_test(test_sample_weights), cmocka_unit_test(test_decay),
      cmocka_unit_test(test_sizes), cmocka_unit_test(test_init),           cmocka_unit_test(test_init_dct),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
