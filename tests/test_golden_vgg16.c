/* Full-size VGG16 at 150 x 150 against the real Keras (tests/golden/keras_vgg16.py): the weights file that Keras wrote, logits, every
 * layer's activations, every parameter's gradient, and the losses of 20 steps of both generations' RMSprop; with convolutions by the direct
 * algorithm, by Winograd's and as chosen, and the forward pass of one image by the plain C of ref.
 *
 * Gradients and activations are compared by their count sketches, whose distance estimates the distance of the tensors within 9 %
 * (tests/support/golden.h), and by some of their values; where build/golden/vgg16_gradients.h5 is (the script's --full), whole. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hdf5.h>

#include "core/file.h"
#include "core/safetensors.h"
#include "tests/support/golden.h"
#include "weights/weights.h"

enum { BATCH = 4, STEPS = 20, SAMPLES = 32, PIXELS = GOLDEN_SIDE * GOLDEN_SIDE * 3 };

#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error failure_ = {0}, *err = &failure_;                                                                                             \
    if ((call) < 0) fail_msg("%s: %s", #call, failure_.text);                                                                              \
  } while (0)

static um_st *golden;

static const float *numbers(const char *name, int64_t count) {
  const um_st_entry *e = um_st_find(golden, name);
  if (!e || e->tensor.dtype != UM_F32 || um_tensor_count(&e->tensor) != count) fail_msg("tests/golden/vgg16.safetensors: no %s", name);
  return e->tensor.data;
}

static int open_golden(void **state) {
  um_error err = {0};
  (void)state;
  if (um_st_open(&golden, "tests/golden/vgg16.safetensors", &err)) print_error("%s (tests run from the repository root)\n", err.text);
  return golden ? 0 : -1;
}

static int close_golden(void **state) {
  (void)state;
  um_st_close(golden);
  return 0;
}

static void make_graph(um_graph *g) {
  int at;
  *g = (um_graph){0};
  OK(at = um_graph_add_vgg16(g, GOLDEN_SIDE, GOLDEN_SIDE, err));
  OK(at = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense", at, 256, UM_ACT_RELU, err));
  OK(at = um_graph_add_dense(g, "dense_1", at, 1, UM_ACT_NONE, err));
  OK(um_graph_add_simple(g, "output", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err));
}

static um_model *make_model(um_backend *be, int64_t batch, bool training, um_algorithm algorithm, bool epsilon_inside) {
  const um_model_options options = {.batch = batch,
                                    .training = training,
                                    .algorithm = algorithm,
                                    .optimizer = {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7, .epsilon_inside = epsilon_inside}};
  um_graph g;
  um_model *m;
  make_graph(&g);
  OK(um_model_create(&m, &g, be, &options, err));
  OK(um_weights_load(m, "tests/golden/vgg16.h5", NULL, NULL, err));
  um_graph_free(&g);
  return m;
}

static void feed(um_model *m, uint32_t first, uint32_t n, float *labels) {
  static uint8_t pixels[BATCH * PIXELS];
  const um_warp how = {.scale = (float)(1 / 255.0)};
  for (uint32_t i = 0; i < n; i++) {
    golden_image(pixels + i * PIXELS, first + i);
    labels[i] = golden_label(first + i);
  }
  OK(um_model_feed_pixels(m, pixels, NULL, n, &how, err));
}

static double norm(const float *x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return sqrt(sum);
}

/* Estimated norm of the difference, over Keras' norm; the samples, which show where a permutation or a shift went wrong, must agree
 * within what that norm allows one value (sample_scale times the root of the mean square). */
static double relative_error(const char *kind, const char *name, const float *values, int64_t count, uint32_t sketch_stream,
                             uint32_t sample_stream, double sample_scale) {
  char key[160];
  double mine[GOLDEN_BUCKETS], sum = 0;
  snprintf(key, sizeof key, "%s/%s/norm", kind, name);
  const double size = (double)numbers(key, 1)[0];
  snprintf(key, sizeof key, "%s/%s/sketch", kind, name);
  const float *theirs = numbers(key, GOLDEN_BUCKETS);
  snprintf(key, sizeof key, "%s/%s/samples", kind, name);
  const float *sample = numbers(key, SAMPLES);
  golden_sketch(mine, values, (size_t)count, sketch_stream);
  for (int i = 0; i < GOLDEN_BUCKETS; i++) sum += (mine[i] - (double)theirs[i]) * (mine[i] - (double)theirs[i]);
  for (uint32_t i = 0; i < SAMPLES; i++) {
    uint32_t at = (uint32_t)(golden_word(sample_stream, i) % (uint64_t)count);
    double allowed = sample_scale * (size / sqrt((double)count) + fabs((double)sample[i]));
    if (!(fabs((double)values[at] - (double)sample[i]) <= allowed))
      fail_msg("%s %s: element %u is %g, Keras has %g, allowed is a difference of %g", kind, name, at, (double)values[at],
               (double)sample[i], allowed);
  }
  return sqrt(sum) / size;
}

/* The file that the real Keras wrote holds these very bits. */
static void test_weights(void **state) {
  um_backend *be;
  int count;
  (void)state;
  OK(um_cpu_open(&be, 0, err));
  um_model *m = make_model(be, 1, false, UM_ALGO_DIRECT, false);
  const um_param *param = um_model_params(m, &count);
  assert_int_equal(count, 30);
  for (int p = 0; p < count; p++) {
    char key[160];
    int64_t n = um_tensor_count(&param[p].plain);
    float *value = malloc((size_t)n * sizeof *value);
    assert_non_null(value);
    OK(um_model_get(m, 'w', p, value, err));
    snprintf(key, sizeof key, "crc/%s", param[p].name);
    const um_st_entry *e = um_st_find(golden, key);
    assert_non_null(e);
    if (golden_crc(value, (size_t)n * sizeof *value) != *(const uint32_t *)e->tensor.data)
      fail_msg("%s differs from what Keras wrote", param[p].name);
    free(value);
  }
  um_model_free(m);
  be->ops->close(be);
}

/* Within 1e-4 of each logit. */
static void check_logits(um_model *m, int n, const char *name) {
  float logit[BATCH];
  double worst = 0;
  const float *keras = numbers("logits", BATCH);
  OK(um_model_logits(m, logit, err));
  for (int i = 0; i < n; i++) worst = fmax(worst, fabs((double)logit[i] / (double)keras[i] - 1));
  print_message("%s: logits: relative error at most %.1e\n", name, worst);
  if (!(worst <= 1e-4))
    fail_msg("%s: logits: relative error %.2e, allowed 1e-4; the first is %g, Keras has %g", name, worst, (double)logit[0],
             (double)keras[0]);
}

static void check_activations(um_model *m, const char *name) {
  const um_graph *g = um_model_graph(m);
  double worst = 0;
  int at = 0;
  for (int i = 1; i < g->count && strcmp(g->node[i].name, "dense_1") != 0; i++, at++) {
    int64_t n = BATCH;
    for (int d = 0; d < g->node[i].ndim; d++) n *= g->node[i].dim[d];
    float *value = malloc((size_t)n * sizeof *value);
    assert_non_null(value);
    OK(um_model_activation(m, i, value, err));
    double error = relative_error("activation", g->node[i].name, value, n, 1000 + (uint32_t)at, 2000 + (uint32_t)at, 1e-4);
    if (!(error <= 1e-4)) fail_msg("%s: %s: activations: relative error %.2e, allowed 1e-4", name, g->node[i].name, error);
    worst = fmax(worst, error);
    free(value);
  }
  assert_int_equal(at, 20);
  print_message("%s: activations: relative error at most %.1e\n", name, worst);
}

/* Against every value of the script's --full, where it is. */
static void check_whole(const char *name, const char *parameter, const float *value, int64_t n, double allowed) {
  double sum = 0;
  hid_t file = H5Fopen("build/golden/vgg16_gradients.h5", H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, parameter, H5P_DEFAULT);
  float *keras = malloc((size_t)n * sizeof *keras);
  assert_true(set >= 0 && keras);
  assert_true(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, keras) >= 0);
  for (int64_t i = 0; i < n; i++) sum += ((double)value[i] - (double)keras[i]) * ((double)value[i] - (double)keras[i]);
  print_message("%s: %-22s whole gradient: relative error %.1e\n", name, parameter, sqrt(sum) / norm(keras, n));
  assert_true(sqrt(sum) / norm(keras, n) <= allowed);
  free(keras);
  H5Dclose(set);
  H5Fclose(file);
}

static void check_gradients(um_model *m, const char *name, double allowed) {
  int count;
  const um_param *param = um_model_params(m, &count);
  const bool whole = um_is_file("build/golden/vgg16_gradients.h5");
  double worst = 0;
  for (int p = 0; p < count; p++) {
    int64_t n = um_tensor_count(&param[p].plain);
    float *value = malloc((size_t)n * sizeof *value);
    assert_non_null(value);
    OK(um_model_get(m, 'g', p, value, err));
    double error = relative_error("gradient", param[p].name, value, n, 3000 + (uint32_t)p, 4000 + (uint32_t)p, 30 * allowed);
    if (!(error <= allowed)) fail_msg("%s: %s: gradient: relative error %.2e, allowed %.0e", name, param[p].name, error, allowed);
    if (whole) check_whole(name, param[p].name, value, n, allowed);
    worst = fmax(worst, error);
    free(value);
  }
  print_message("%s: gradients: relative error at most %.1e\n", name, worst);
}

static void run_golden(um_algorithm algorithm, const char *name, double gradient_allowed) {
  um_backend *be;
  um_loss_sums sums = {0};
  float labels[BATCH];
  OK(um_cpu_open(&be, 0, err));
  um_model *m = make_model(be, BATCH, true, algorithm, false);
  feed(m, 0, BATCH, labels);
  memcpy(labels, numbers("labels", BATCH), sizeof labels);
  OK(um_model_forward(m, err));
  check_logits(m, BATCH, name);
  check_activations(m, name);
  OK(um_model_backward(m, &sums, labels, err));
  double loss = (double)numbers("loss", 1)[0];
  if (!(fabs(sums.loss / BATCH / loss - 1) <= 1e-5)) fail_msg("%s: loss %g, Keras has %g", name, sums.loss / BATCH, loss);
  check_gradients(m, name, gradient_allowed);
  um_model_free(m);
  be->ops->close(be);
}

static void test_direct(void **state) {
  (void)state;
  run_golden(UM_ALGO_DIRECT, "direct", 1e-3);
}

static void test_winograd(void **state) {
  (void)state;
  run_golden(UM_ALGO_WINOGRAD, "winograd", 1e-3);
}

static void test_auto(void **state) {
  (void)state;
  run_golden(UM_ALGO_AUTO, "auto", 1e-3);
}

static void test_ref(void **state) {
  um_backend *be;
  float labels[1];
  (void)state;
  OK(um_ref_open(&be, err));
  um_model *m = make_model(be, 1, false, UM_ALGO_DIRECT, false);
  feed(m, 0, 1, labels);
  OK(um_model_forward(m, err));
  check_logits(m, 1, "ref");
  um_model_free(m);
  be->ops->close(be);
}

/* 20 steps: each loss within 0.1 % of Keras', and the other generation's losses are not met, so that the placement of epsilon is seen. */
static void train(um_algorithm algorithm, bool epsilon_inside, const char *name) {
  const float *keras = numbers(epsilon_inside ? "loss/keras3" : "loss/keras2", STEPS);
  const float *other = numbers(epsilon_inside ? "loss/keras2" : "loss/keras3", STEPS);
  const double rate = (double)numbers("learning_rate", 1)[0];
  um_backend *be;
  double worst = 0, apart = 0;
  OK(um_cpu_open(&be, 0, err));
  um_model *m = make_model(be, BATCH, true, algorithm, epsilon_inside);
  for (uint32_t s = 0; s < STEPS; s++) {
    um_loss_sums sums;
    float labels[BATCH];
    feed(m, s * BATCH, BATCH, labels);
    OK(um_model_forward(m, err));
    OK(um_model_backward(m, &sums, labels, err));
    OK(um_model_step(m, rate, err));
    double loss = sums.loss / BATCH, error = fabs(loss / (double)keras[s] - 1);
    if (!(error <= 1e-3))
      fail_msg("%s: step %u: loss %.7f, Keras has %.7f: %.2e apart, allowed 1e-3", name, s, loss, (double)keras[s], error);
    worst = fmax(worst, error);
    apart = fmax(apart, fabs(loss / (double)other[s] - 1));
  }
  print_message("%s: %d losses: relative error at most %.1e (%.1e from the other generation's)\n", name, STEPS, worst, apart);
  assert_true(apart > 5e-3);
  um_model_free(m);
  be->ops->close(be);
}

static void test_train_keras2_direct(void **state) {
  (void)state;
  train(UM_ALGO_DIRECT, false, "keras2, direct");
}

static void test_train_keras2_auto(void **state) {
  (void)state;
  train(UM_ALGO_AUTO, false, "keras2, auto");
}

static void test_train_keras3_auto(void **state) {
  (void)state;
  train(UM_ALGO_AUTO, true, "keras3, auto");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_weights),
      cmocka_unit_test(test_direct),
      cmocka_unit_test(test_winograd),
      cmocka_unit_test(test_auto),
      cmocka_unit_test(test_ref),
      cmocka_unit_test(test_train_keras2_direct),
      cmocka_unit_test(test_train_keras2_auto),
      cmocka_unit_test(test_train_keras3_auto),
  };
  return cmocka_run_group_tests(tests, open_golden, close_golden);
}
