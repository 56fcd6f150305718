/* Grad-CAM against the real Keras (tests/golden/gradcam.py), by finite differences, and on ref and cpu alike; the pictures made of it.
 * On the emulated CUDA device: tests/cuda_host/test_model.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/gradcam.h"
#include "data/heat.h"
#include "tests/support/golden.h"
#include "tests/support/gradcam_fixture.h"

enum { PICTURES = GRADCAM_PICTURES };

static um_st *golden;

static int open_golden(void **state) {
  (void)state;
  return golden_open(&golden, "tests/golden/gradcam.safetensors");
}

static int close_golden(void **state) {
  (void)state;
  um_st_close(golden);
  return 0;
}

static const float *numbers(int64_t count, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const float *numbers(int64_t count, const char *format, ...) {
  char name[160];
  va_list args;
  va_start(args, format);
  vsnprintf(name, sizeof name, format, args);
  va_end(args);
  const um_st_entry *e = um_st_find(golden, name);
  if (!e || um_tensor_count(&e->tensor) != count) fail_msg("tests/golden/gradcam.safetensors: no %s of %d values", name, (int)count);
  return e->tensor.data;
}

static double correlation(const float *a, const float *b, int64_t n) {
  double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
  for (int64_t i = 0; i < n; i++) ma += (double)a[i] / (double)n, mb += (double)b[i] / (double)n;
  for (int64_t i = 0; i < n; i++) {
    const double x = (double)a[i] - ma, y = (double)b[i] - mb;
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / sqrt(aa * bb);
}

/* The maps of every picture at a layer, both signs, against Keras': within 1e-5 of the greatest value (which is 1), and the peaks too. */
static void check_layer(const char *device, const char *model, const char *layer, int side) {
  gradcam_fixture f;
  const int64_t places = (int64_t)side * side;
  float maps[PICTURES * 256], peak[PICTURES], logit[PICTURES];
  double worst = 0, least = 1;
  open_gradcam(&f, device, model, layer, 4); /* a batch of 4 of which 3 are fed */
  assert_int_equal(f.cam.height, side);
  assert_int_equal(f.cam.width, side);
  const float *theirs = numbers(PICTURES, "%s/logits", model), *peaks = numbers(2 * PICTURES, "%s/%s/peak", model, layer);
  for (int minus = 0; minus < 2; minus++) {
    const float *want = numbers(PICTURES * places, "%s/%s/%s", model, layer, minus ? "minus" : "plus");
    feed_gradcam(&f);
    OK(um_gradcam_run(&f.cam, maps, peak, minus ? -1 : 1, err));
    OK(um_model_logits(f.model, logit, err));
    for (int s = 0; s < PICTURES; s++) {
      assert_true(fabs((double)logit[s] - (double)theirs[s]) <= 1e-5 * fmax(1, fabs((double)theirs[s])));
      const double their_peak = (double)peaks[minus * PICTURES + s];
      if (!(fabs((double)peak[s] - their_peak) <= 1e-5 * their_peak))
        fail_msg("%s %s %s: picture %d: peak %g, Keras has %g", device, model, layer, s, (double)peak[s], their_peak);
      for (int64_t i = 0; i < places; i++) worst = fmax(worst, fabs((double)maps[s * places + i] - (double)want[s * places + i]));
      if (their_peak > 0) least = fmin(least, correlation(maps + s * places, want + s * places, places));
    }
  }
  print_message("%s %s %s: off by at most %.1e, correlation at least %.9f\n", device, model, layer, worst, least);
  assert_true(worst <= 1e-5 && least > 0.999999);
  close_gradcam(&f);
}

static void test_keras(void **state) {
  static const struct {
    const char *model, *layer;
    int side;
  } at[] = {{"tiny", "tiny_conv4", 4}, {"tiny", "tiny_conv3", 8}, {"tiny", "tiny_pool2", 8}, {"dct", "reduce", 4},
            {"dct", "block3", 4},      {"dct", "block2", 8},      {"dct", "block3_conv1", 4}};
  (void)state;
  for (size_t i = 0; i < sizeof at / sizeof *at; i++)
    for (int k = 0; k < 2; k++) check_layer(k ? "cpu" : "ref", at[i].model, at[i].layer, at[i].side);
}

/* Without a name it is the last convolution, with the activation that is a layer behind it. */
static void test_layer(void **state) {
  um_graph g;
  um_error failure;
  (void)state;
  build_gradcam(&g, "dct");
  assert_string_equal(g.node[um_gradcam_layer(&g, NULL, &failure)].name, "reduce");
  assert_int_equal(um_gradcam_layer(&g, "block2", &failure), um_graph_find(&g, "block2"));
  assert_int_equal(um_gradcam_layer(&g, "nowhere", &failure), UM_ECONFIG);
  assert_non_null(strstr(failure.text, "nowhere"));
  assert_int_equal(um_gradcam_layer(&g, "dense", &failure), UM_ECONFIG);
  um_graph_free(&g);
  build_gradcam(&g, "tiny");
  assert_string_equal(g.node[um_gradcam_layer(&g, NULL, &failure)].name, "tiny_conv4");
  um_graph_free(&g);
  build_dag(&g);
  assert_string_equal(g.node[um_gradcam_layer(&g, NULL, &failure)].name, "f_relu");
  um_graph_free(&g);
  g = (um_graph){0};
  int at = um_graph_add_input(&g, "input", 4, 4, 3, &failure);
  at = um_graph_add_simple(&g, "mean", UM_OP_GLOBAL_AVG_POOL, &at, 1, UM_ACT_NONE, &failure);
  um_graph_add_dense(&g, "dense", at, 1, UM_ACT_NONE, &failure);
  assert_int_equal(um_gradcam_layer(&g, NULL, &failure), UM_ECONFIG);
  um_graph_free(&g);
}

/* um_model_gradient against central differences of the logit by the values of the layer: a model whose input is that layer's output. Behind
 * the input stand a convolution with ReLU, a sum, poolings and dense layers. */
static void build_rest(um_graph *g) {
  static const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  int x, a, at;
  *g = (um_graph){0};
  OK(x = um_graph_add_input(g, "input", 6, 5, 3, err));
  OK(a = um_graph_add_conv2d(g, "a", x, 3, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(at = um_graph_add_simple(g, "sum", UM_OP_ADD, (int[]){x, a}, 2, UM_ACT_RELU, err));
  OK(at = um_graph_add_prelu(g, "bend", at, err));
  OK(at = um_graph_add_pool(g, "pool", UM_OP_MAX_POOL, at, two, two, UM_PAD_VALID, err));
  OK(at = um_graph_add_dropout(g, "drop", at, 0.5, err));
  OK(at = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense", at, 6, UM_ACT_RELU, err));
  OK(at = um_graph_add_dense(g, "dense_1", at, 1, UM_ACT_NONE, err));
  OK(um_graph_add_simple(g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err));
}

static void test_differences(void **state) {
  enum { N = 3, SIZE = 6 * 5 * 3 };
  const um_model_options o = {.batch = 4, .gradient_at = "input"};
  fixture f = {0};
  float x[N * SIZE], gradient[N * SIZE], up[N], down[N];
  const float step = 1.0f / 512;
  int moved = 0, bent = 0;
  (void)state;
  open_fixture_with(&f, "ref", build_rest, &o);
  fixture_fill(x, N * SIZE, 40);
  OK(um_model_feed(f.model, x, N, err));
  OK(um_model_forward(f.model, err));
  OK(um_model_gradient(f.model, gradient, err));
  for (int i = 0; i < SIZE; i++) {
    const float was[N] = {x[i], x[SIZE + i], x[2 * SIZE + i]};
    for (int side = 0; side < 2; side++) { /* all samples at a time: they do not know of one another */
      for (int s = 0; s < N; s++) x[s * SIZE + i] = was[s] + (side ? -step : step);
      OK(um_model_feed(f.model, x, N, err));
      OK(um_model_forward(f.model, err));
      OK(um_model_logits(f.model, side ? down : up, err));
    }
    for (int s = 0; s < N; s++) {
      const double want = ((double)up[s] - (double)down[s]) / (2 * (double)step);
      x[s * SIZE + i] = was[s];
      moved += fabs(want) > 1e-3;
      bent += !(fabs((double)gradient[s * SIZE + i] - want) <= 2e-4 + 1e-3 * fabs(want));
    }
  }
  /* A step over a bend of a ReLU or another winner of the pooling is no derivative: rare, as steps are short. */
  print_message("%d of %d differences are not 0, %d stepped over a bend\n", moved, N * SIZE, bent);
  assert_true(moved > N * SIZE / 4 && bent <= N * SIZE / 50);
  close_fixture(&f);
}

/* A model for maps gives the logits of one for scores (of other algorithms, maybe), and has no gradients of parameters; what it does not
 * do is refused. */
static void test_model(void **state) {
  um_error failure;
  gradcam_fixture a, b;
  float one[PICTURES], two[PICTURES], gradient[PICTURES * 8 * 8 * 64];
  (void)state;
  open_gradcam(&a, "cpu", "tiny", "tiny_conv3", PICTURES);
  open_gradcam(&b, "cpu", "tiny", NULL, PICTURES);
  feed_gradcam(&a), feed_gradcam(&b);
  OK(um_model_logits(a.model, one, err));
  OK(um_model_logits(b.model, two, err));
  for (int i = 0; i < PICTURES; i++) assert_true(fabs((double)one[i] - (double)two[i]) <= 1e-6);
  assert_int_equal(um_model_memory_of(a.model)->gradients, 0);
  assert_int_equal(um_model_memory_of(a.model)->optimizer, 0);
  assert_int_equal(um_model_gradient(b.model, gradient, &failure), UM_EINTERNAL);
  OK(um_model_gradient(a.model, gradient, err));
  OK(um_model_logits(a.model, two, err)); /* they stay, bit for bit */
  assert_memory_equal(one, two, sizeof one);
  assert_int_equal(um_model_gradient(a.model, gradient, &failure), UM_EINTERNAL); /* once for each forward */
  um_model *m;
  um_model_options o = {.batch = 1, .gradient_at = "nowhere"};
  assert_int_equal(um_model_create(&m, &a.graph, a.be, &o, &failure), UM_ECONFIG);
  o.gradient_at = "dense_1";
  assert_int_equal(um_model_create(&m, &a.graph, a.be, &o, &failure), UM_ECONFIG);
  o = (um_model_options){.batch = 1, .gradient_at = "tiny_conv3", .training = true};
  assert_int_equal(um_model_create(&m, &a.graph, a.be, &o, &failure), UM_EINTERNAL);
  close_gradcam(&a), close_gradcam(&b);
}

/* By hand: two channels, weights 2 and -1. */
static void test_map(void **state) {
  const float activation[8] = {1, 1, 0, 3, 2, 0, 1, 2}, gradient[8] = {8, 0, 0, 0, 0, 0, 0, -4};
  float map[4];
  (void)state;
  um_gradcam_map(map, activation, gradient, 2, 2, 2, 1);
  assert_true(map[0] == 1 && map[1] == 0 && map[2] == 4 && map[3] == 0);
  um_gradcam_map(map, activation, gradient, 2, 2, 2, -1);
  assert_true(map[0] == 0 && map[1] == 3 && map[2] == 0 && map[3] == 0);
}

static void check_resize(const char *layer, int side, int height, int width) {
  float out[400];
  const float *map = numbers((int64_t)PICTURES * side * side, "tiny/%s/plus", layer) + (PICTURES - 1) * side * side;
  const float *want = numbers((int64_t)height * width, "resize/%s/%dx%d", layer, height, width);
  um_gradcam_resize(out, height, width, map, side, side);
  for (int i = 0; i < height * width; i++) assert_true(fabs((double)out[i] - (double)want[i]) <= 1e-6);
  um_gradcam_resize(out, side, side, map, side, side);
  assert_memory_equal(out, map, (size_t)(side * side) * sizeof *out);
}

static void test_resize(void **state) {
  (void)state;
  check_resize("tiny_conv4", 4, 11, 7);
  check_resize("tiny_conv3", 8, 20, 9);
}

/* Turbo's polynomials beside OpenCV's table of it. */
static void test_colours(void **state) {
  const float *turbo = numbers(52 * 3, "turbo");
  uint8_t rgb[3], end[3];
  int worst = 0;
  (void)state;
  for (int i = 0; i < 52; i++) {
    um_heat_colour(rgb, i / 51.0);
    for (int c = 0; c < 3; c++) worst = (int)fmax(worst, fabs(rgb[c] - (double)turbo[3 * i + c]));
  }
  print_message("colours off by at most %d of 255\n", worst);
  assert_true(worst <= 32);
  um_heat_colour(rgb, 1), um_heat_colour(end, 7);
  assert_memory_equal(rgb, end, 3);
  um_heat_colour(rgb, 0), um_heat_colour(end, NAN);
  assert_memory_equal(rgb, end, 3);
}

/* The face on the left as it is, on the right with colours where the heat is and as it is where there is none, the text below. */
static void test_picture(void **state) {
  enum { SIDE = 64, GAP = 8 };
  um_image face = {0}, out = {0};
  const float heat[4] = {0, 0, 0, 1}; /* below right */
  uint8_t hot[3];
  int black = 0;
  (void)state;
  OK(um_image_alloc(&face, 32, 24, err));
  for (int i = 0; i < 32 * 24 * 3; i++) face.pixels[i] = (uint8_t)(100 + i % 3 * 10);
  OK(um_heat_picture(&out, &face, heat, 2, 2, SIDE, "FAKE 0.9", err));
  assert_true(out.width == 2 * SIDE + GAP && out.height > 48 + 10);
  um_heat_colour(hot, 1);
  for (int c = 0; c < 3; c++) {
    const uint8_t plain = (uint8_t)(100 + c * 10);
    for (int y = 0; y < 48; y++)
      for (int x = 0; x < SIDE; x++) assert_int_equal(out.pixels[(y * out.width + x) * 3 + c], plain);
    assert_int_equal(out.pixels[(SIDE + GAP) * 3 + c], plain); /* the upper left corner: no heat */
    const int corner = out.pixels[(47 * out.width + out.width - 1) * 3 + c];
    assert_true(fabs(corner - (0.4 * plain + 0.6 * hot[c])) <= 1);
    assert_int_equal(out.pixels[(20 * out.width + SIDE + 2) * 3 + c], 255); /* between them */
  }
  for (int i = 48 * out.width; i < out.height * out.width; i++) black += out.pixels[3 * i] == 0;
  assert_true(black > 40);
  um_image_free(&face), um_image_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keras), cmocka_unit_test(test_layer),  cmocka_unit_test(test_differences), cmocka_unit_test(test_model),
      cmocka_unit_test(test_map),   cmocka_unit_test(test_resize), cmocka_unit_test(test_colours),     cmocka_unit_test(test_picture),
  };
  return cmocka_run_group_tests(tests, open_golden, close_golden);
}
