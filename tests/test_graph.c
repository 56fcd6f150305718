/* Graphs: shapes, VGG16 as Keras counts it, JSON there and back, and JSON that nobody should trust. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/graph.h"

static const int two[2] = {2, 2}, one[2] = {1, 1}, three[2] = {3, 3};

static int must(int status, const um_error *err) {
  if (status < 0) fail_msg("%s", err->text);
  return status;
}

/* Weights of the convolutions and dense layers, counted from the shapes. */
static int64_t parameters(const um_graph *g) {
  int64_t n = 0;
  for (int i = 0; i < g->count; i++) {
    const um_node *node = &g->node[i], *x = node->n_inputs ? &g->node[node->input[0]] : NULL;
    if (node->op == UM_OP_CONV2D) n += (int64_t)node->window.kernel[0] * node->window.kernel[1] * x->dim[2] * node->units + node->units;
    if (node->op == UM_OP_DENSE) n += x->dim[0] * node->units + node->units;
  }
  return n;
}

static void build_recipe(um_graph *g) {
  um_error err = {0};
  *g = (um_graph){0};
  int at = must(um_graph_add_vgg16(g, 150, 150, &err), &err);
  at = must(um_graph_add_simple(g, NULL, UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, &err), &err);
  at = must(um_graph_add_dense(g, NULL, at, 256, UM_ACT_RELU, &err), &err);
  at = must(um_graph_add_dense(g, NULL, at, 1, UM_ACT_NONE, &err), &err);
  must(um_graph_add_simple(g, NULL, UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, &err), &err);
}

/* The numbers are those of keras.applications.VGG16(include_top=False, input_shape=(150, 150, 3)) and its summary(). */
static void test_vgg16(void **state) {
  static const int side[] = {75, 37, 18, 9, 4}, channels[] = {64, 128, 256, 512, 512};
  um_graph g;
  (void)state;
  build_recipe(&g);
  for (int b = 0; b < 5; b++) {
    char name[32];
    snprintf(name, sizeof name, "block%d_pool", b + 1);
    const int i = um_graph_find(&g, name);
    assert_true(i > 0);
    assert_int_equal(g.node[i].dim[0], side[b]);
    assert_int_equal(g.node[i].dim[1], side[b]);
    assert_int_equal(g.node[i].dim[2], channels[b]);
  }
  assert_int_equal(g.node[um_graph_find(&g, "flatten")].dim[0], 8192);
  assert_int_equal(um_graph_find(&g, "dense_1"), g.count - 2);
  assert_int_equal(parameters(&g), 16812353);
  assert_int_equal(g.count, 1 + 13 + 5 + 4);
  um_graph_free(&g);

  um_error err = {0};
  assert_int_equal(um_graph_add_vgg16(&g, 31, 150, &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "31x150"));
  um_graph_free(&g);
}

static void test_dct(void **state) {
  um_graph g = {0};
  um_error err = {0};
  (void)state;
  int at = must(um_graph_add_dct(&g, 128, 100, &err), &err);
  assert_int_equal(at, g.count - 1);
  assert_int_equal(g.node[at].dim[0], 8);
  assert_int_equal(g.node[at].dim[1], 7);
  assert_int_equal(g.node[at].dim[2], 16);
  assert_int_equal(g.node[um_graph_find(&g, "dct")].init, UM_INIT_DCT);
  assert_int_equal(parameters(&g), 496608);
  um_graph_free(&g);
  assert_int_equal(um_graph_add_dct(&g, 128, 15, &err), UM_ECONFIG);
  um_graph_free(&g);
}

/* The first layer's kernel on a grey patch is cv2.dct (OpenCV 4.6.0) of it times the gains, and nothing in the colours; on a flat patch,
 * of which an orthonormal transform leaves its mean times 4, only the first of each plane answers. */
static void test_dct_kernel(void **state) {
  static const float patch[16] = {.12f, .85f, .33f, .47f, .91f, .08f, .64f, .29f, .55f, .73f, .17f, .98f, .02f, .61f, .42f, .36f};
  static const double grey[10] = {1.8825,      12 * -0.067258,  12 * 0.048588,   40 * -0.2925,    40 * 0.157674,
                                  40 * -.0325, 100 * -0.299564, 100 * -0.000696, 100 * -0.191382, 100 * 0.215294};
  static const double flat[3] = {0.8, 0.5, 0.1}, y = 0.299 * 0.8 + 0.587 * 0.5 + 0.114 * 0.1;
  float kernel[4 * 4 * 3 * 16];
  (void)state;
  um_dct_kernel(kernel);
  for (int f = 0; f < 16; f++) {
    double on_grey = 0, on_flat = 0;
    for (int i = 0; i < 16; i++)
      for (int c = 0; c < 3; c++)
        on_grey += (double)kernel[(i * 3 + c) * 16 + f] * patch[i], on_flat += kernel[(i * 3 + c) * 16 + f] * flat[c];
    assert_float_equal(on_grey, f < 10 ? grey[f] : 0, 1e-4);
    assert_float_equal(on_flat, f == 0 ? 4 * y : f == 10 ? 3 * 4 * (0.1 - y) : f == 13 ? 3 * 4 * (0.8 - y) : 0, 1e-4);
  }
}

/* Output sizes and padding of tf.nn.conv2d (TensorFlow 2.18.1), "VALID" and "SAME". */
static void test_padding(void **state) {
  static const struct {
    int in, kernel, stride, valid, same, before, after;
  } c[] = {{7, 3, 1, 5, 7, 1, 1}, {7, 3, 2, 3, 4, 1, 1}, {8, 3, 2, 3, 4, 0, 1}, {8, 2, 2, 4, 4, 0, 0},
           {9, 2, 2, 4, 5, 0, 1}, {5, 1, 3, 2, 2, 0, 0}, {6, 5, 1, 2, 6, 2, 2}, {6, 4, 1, 3, 6, 1, 2}};
  (void)state;
  for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
    um_graph g = {0};
    um_error err = {0};
    const int kernel[2] = {c[i].kernel, c[i].kernel}, stride[2] = {c[i].stride, c[i].stride};
    const int x = must(um_graph_add_input(&g, NULL, c[i].in, c[i].in + 1, 2, &err), &err);
    const int v = must(um_graph_add_conv2d(&g, NULL, x, 4, kernel, stride, UM_PAD_VALID, UM_ACT_NONE, &err), &err);
    const int s = must(um_graph_add_conv2d(&g, NULL, x, 4, kernel, stride, UM_PAD_SAME, UM_ACT_NONE, &err), &err);
    assert_int_equal(g.node[v].dim[0], c[i].valid);
    assert_int_equal(g.node[s].dim[0], c[i].same);
    assert_int_equal(g.node[s].dim[1], (c[i].in + 1 + c[i].stride - 1) / c[i].stride);
    assert_int_equal(g.node[s].window.pad_before[0], c[i].before);
    assert_int_equal(g.node[s].window.pad_after[0], c[i].after);
    um_graph_free(&g);
  }
}

static void test_names_and_shapes(void **state) {
  um_graph g = {0};
  um_error err = {0};
  (void)state;
  const int x = must(um_graph_add_input(&g, "input", 6, 8, 3, &err), &err);
  const int a = must(um_graph_add_conv2d(&g, NULL, x, 5, three, one, UM_PAD_SAME, UM_ACT_RELU, &err), &err);
  const int b = must(um_graph_add_conv2d(&g, NULL, x, 7, three, one, UM_PAD_SAME, UM_ACT_NONE, &err), &err);
  assert_string_equal(g.node[a].name, "conv2d");
  assert_string_equal(g.node[b].name, "conv2d_1");
  const int c = must(um_graph_add_simple(&g, NULL, UM_OP_CONCAT, (int[]){a, b, x}, 3, UM_ACT_NONE, &err), &err);
  assert_int_equal(g.node[c].dim[2], 15);
  const int p = must(um_graph_add_simple(&g, NULL, UM_OP_GLOBAL_AVG_POOL, &c, 1, UM_ACT_NONE, &err), &err);
  assert_int_equal(g.node[p].ndim, 1);
  assert_int_equal(g.node[p].dim[0], 15);

  /* Each of these is refused, says so, and leaves the graph as it was. */
  const int count = g.count;
  assert_int_equal(um_graph_add_dense(&g, "conv2d", p, 2, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "conv2d"));
  assert_int_equal(um_graph_add_dense(&g, "a/b", p, 2, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_dense(&g, "", p, 2, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_dense(&g, "d", c, 2, UM_ACT_NONE, &err), UM_ECONFIG); /* not flat */
  assert_non_null(strstr(err.text, "flatten"));
  assert_int_equal(um_graph_add_dense(&g, "d", p, 0, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_dense(&g, "d", count, 2, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_dense(&g, "d", -1, 2, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_simple(&g, "s", UM_OP_ADD, (int[]){a, b}, 2, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_simple(&g, "s", UM_OP_CONCAT, (int[]){a, p}, 2, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_simple(&g, "s", UM_OP_RELU, (int[]){a, b}, 2, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_simple(&g, "s", UM_OP_ADD, (int[]){a}, UM_MAX_INPUTS + 1, UM_ACT_NONE, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_pool(&g, "p", UM_OP_MAX_POOL, a, (int[]){7, 2}, two, UM_PAD_VALID, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_pool(&g, "p", UM_OP_MAX_POOL, a, two, (int[]){0, 1}, UM_PAD_VALID, &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_input(&g, "second", 8, 8, 3, &err), UM_ECONFIG);
  assert_int_equal(g.count, count);
  um_graph_free(&g);
}

static void assert_same(const um_graph *a, const um_graph *b) {
  assert_int_equal(a->count, b->count);
  for (int i = 0; i < a->count; i++) {
    const um_node *x = &a->node[i], *y = &b->node[i];
    assert_string_equal(x->name, y->name);
    assert_int_equal(x->op, y->op);
    assert_int_equal(x->activation, y->activation);
    assert_int_equal(x->units, y->units);
    assert_int_equal(x->ndim, y->ndim);
    assert_int_equal(x->n_inputs, y->n_inputs);
    assert_memory_equal(x->input, y->input, sizeof *x->input * (size_t)x->n_inputs);
    assert_memory_equal(x->dim, y->dim, sizeof *x->dim * (size_t)x->ndim);
    assert_memory_equal(&x->window, &y->window, sizeof x->window);
  }
}

static void round_trip(const um_graph *g) {
  um_graph back;
  um_error err = {0};
  char *text = NULL, *again = NULL;
  must(um_graph_to_json(g, &text, &err), &err);
  must(um_graph_from_json(&back, text, &err), &err);
  assert_same(g, &back);
  must(um_graph_to_json(&back, &again, &err), &err);
  assert_string_equal(text, again);
  um_graph_free(&back);
  free(text), free(again);
}

static void test_json(void **state) {
  um_graph g;
  um_error err = {0};
  (void)state;
  build_recipe(&g);
  round_trip(&g);
  um_graph_free(&g);

  g = (um_graph){0};
  const int x = must(um_graph_add_input(&g, "\"quoted\\", 9, 5, 1, &err), &err);
  const int a = must(um_graph_add_conv2d(&g, "\xc3\xa9tage", x, 4, (int[]){1, 4}, (int[]){2, 1}, UM_PAD_SAME, UM_ACT_NONE, &err), &err);
  const int b = must(um_graph_add_pool(&g, NULL, UM_OP_AVG_POOL, a, three, two, UM_PAD_SAME, &err), &err);
  const int c = must(um_graph_add_simple(&g, NULL, UM_OP_RELU, &b, 1, UM_ACT_NONE, &err), &err);
  const int d = must(um_graph_add_simple(&g, NULL, UM_OP_ADD, (int[]){b, c}, 2, UM_ACT_RELU, &err), &err);
  const int e = must(um_graph_add_simple(&g, NULL, UM_OP_CONCAT, (int[]){d, b, d}, 3, UM_ACT_NONE, &err), &err);
  must(um_graph_add_simple(&g, NULL, UM_OP_GLOBAL_AVG_POOL, &e, 1, UM_ACT_NONE, &err), &err);
  round_trip(&g);
  um_graph_free(&g);
}

#define INPUT        "{\"name\":\"x\",\"op\":\"input\",\"inputs\":[],\"shape\":[8,8,3]}"
#define GRAPH(nodes) "{\"format\":1,\"nodes\":[" nodes "]}"
#define CONV(fields) GRAPH(INPUT ",{\"name\":\"c\",\"op\":\"conv2d\",\"inputs\":[0]," fields "}")
#define WINDOW       "\"kernel\":[3,3],\"stride\":[1,1],\"padding\":[1,1,1,1]"

static void test_hostile_json(void **state) {
  /* Text, and what its message must name. */
  static const char *const bad[][2] = {
      {"", "not JSON"},
      {"{\"format\":1,\"nodes\":[", "not JSON"},
      {GRAPH(INPUT) " trailing", "not JSON"},
      {"[]", "format"},
      {"{\"format\":2,\"nodes\":[" INPUT "]}", "format"},
      {"{\"format\":1}", "nodes"},
      {"{\"format\":1,\"nodes\":[]}", "nodes"},
      {"{\"format\":1,\"nodes\":7}", "nodes"},
      {GRAPH("3"), "nodes[0]"},
      {GRAPH("{\"name\":7,\"op\":\"input\"}"), "nodes[0]"},
      {GRAPH("{\"name\":\"x\",\"op\":\"teleport\",\"inputs\":[]}"), "\"teleport\""},
      {GRAPH("{\"name\":\"x\",\"op\":\"input\",\"inputs\":[]}"), "shape"},
      {GRAPH("{\"name\":\"x\",\"op\":\"input\",\"inputs\":[],\"shape\":[8,8]}"), "shape"},
      {GRAPH("{\"name\":\"x\",\"op\":\"input\",\"inputs\":[],\"shape\":[8,8,1e300]}"), "shape"},
      {GRAPH("{\"name\":\"x\",\"op\":\"input\",\"inputs\":[],\"shape\":[8,8.5,3]}"), "shape"},
      {GRAPH("{\"name\":\"x\",\"op\":\"input\",\"inputs\":[],\"shape\":[-8,8,3]}"), "dimension 0"},
      {GRAPH("{\"name\":\"x\",\"op\":\"input\",\"inputs\":[],\"shape\":[8,0,3]}"), "dimension 1"},
      {GRAPH("{\"name\":\"x\",\"op\":\"input\",\"inputs\":[],\"shape\":[65536,65536,16777216]}"), "numbers a sample"},
      {GRAPH("{\"name\":\"x\",\"op\":\"input\",\"inputs\":[0],\"shape\":[8,8,3]}"), "1 inputs"},
      {GRAPH("{\"name\":\"x\",\"op\":\"relu\",\"inputs\":[0]}"), "earlier"},
      {GRAPH(INPUT "," INPUT), "two nodes"},
      {GRAPH(INPUT ",{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[1]}"), "earlier"},
      {GRAPH(INPUT ",{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[-1]}"), "earlier"},
      {GRAPH(INPUT ",{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[2147483647]}"), "earlier"},
      {GRAPH(INPUT ",{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[4294967296]}"), "inputs"},
      {GRAPH(INPUT ",{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[]}"), "inputs"},
      {GRAPH(INPUT ",{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[0,0,0,0,0,0,0,0,0]}"), "inputs"},
      {GRAPH(INPUT ",{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[0],\"units\":3}"), "\"units\""},
      {GRAPH(INPUT ",{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[0],\"dilation\":3}"), "\"dilation\""},
      {GRAPH(INPUT ",{\"name\":\"d\",\"op\":\"dense\",\"inputs\":[0],\"units\":3}"), "flat"},
      {GRAPH(INPUT ",{\"name\":\"f\",\"op\":\"flatten\",\"inputs\":[0]},{\"name\":\"d\",\"op\":\"dense\",\"inputs\":[1],\"units\":1e99}"),
       "units"},
      {GRAPH(INPUT ",{\"name\":\"f\",\"op\":\"flatten\",\"inputs\":[0]},{\"name\":\"d\",\"op\":\"dense\",\"inputs\":[1],\"units\":0}"),
       "0 units"},
      {CONV("\"units\":4"), "kernel"},
      {CONV("\"units\":99999999," WINDOW), "units"},
      {CONV("\"units\":4,\"kernel\":[0,3],\"stride\":[1,1],\"padding\":[0,0,0,0]"), "window"},
      {CONV("\"units\":4,\"kernel\":[3,3],\"stride\":[0,1],\"padding\":[0,0,0,0]"), "stride"},
      {CONV("\"units\":4,\"kernel\":[3,3],\"stride\":[1,-1],\"padding\":[0,0,0,0]"), "stride"},
      {CONV("\"units\":4,\"kernel\":[3,3],\"stride\":[1,1],\"padding\":[0,0,0,2147483647]"), "padding"},
      {CONV("\"units\":4,\"kernel\":[3,3],\"stride\":[1,1],\"padding\":[0,-1,0,0]"), "padding"},
      {CONV("\"units\":4,\"kernel\":[3,9],\"stride\":[1,1],\"padding\":[0,0,0,0]"), "fit"},
      {CONV("\"units\":4,\"activation\":\"gelu\"," WINDOW), "activation"},
      {GRAPH("{\"name\":\"\",\"op\":\"input\",\"inputs\":[],\"shape\":[8,8,3]}"), "name"},
      {GRAPH("{\"name\":\"a/b\",\"op\":\"input\",\"inputs\":[],\"shape\":[8,8,3]}"), "name"},
      {GRAPH("{\"name\":\"0123456789012345678901234567890123456789012345678901234567890123\",\"op\":\"input\",\"inputs\":[],"
             "\"shape\":[8,8,3]}"),
       "name"},
  };
  um_graph g;
  um_error err = {0};
  (void)state;
  must(um_graph_from_json(&g, CONV("\"units\":4," WINDOW), &err), &err); /* what the bad ones vary is good */
  um_graph_free(&g);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    err.text[0] = 0;
    if (um_graph_from_json(&g, bad[i][0], &err) != UM_EFORMAT || g.node || g.count) fail_msg("accepted: %s", bad[i][0]);
    if (!strstr(err.text, bad[i][1])) fail_msg("%s: message \"%s\" does not name %s", bad[i][0], err.text, bad[i][1]);
  }
}

/* A thousand arrays within one another, and more nodes than there may be. */
static void test_deep_and_long_json(void **state) {
  enum { DEEP = 100000, MANY = 5000 };
  um_graph g;
  um_error err = {0};
  char *text = malloc(DEEP + MANY * 64), *at = text;
  (void)state;
  assert_non_null(text);
  memset(text, '[', DEEP);
  text[DEEP] = 0;
  assert_int_equal(um_graph_from_json(&g, text, &err), UM_EFORMAT);
  at += sprintf(at, "{\"format\":1,\"nodes\":[" INPUT);
  for (int i = 0; i < MANY; i++) at += sprintf(at, ",{\"name\":\"r%d\",\"op\":\"relu\",\"inputs\":[%d]}", i, i);
  sprintf(at, "]}");
  assert_int_equal(um_graph_from_json(&g, text, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "more than"));
  free(text);
}

/* Poolings in ceil mode: window after window while one begins inside and, before the last, none reached the end. */
static void test_ceil_padding(void **state) {
  (void)state;
  for (int in = 1; in < 40; in++)
    for (int size = 1; size <= 5; size++)
      for (int stride = 1; stride <= 4; stride++) {
        int windows = 0, end = 0;
        if (in < size && in + stride <= size) continue; /* PyTorch has no output then */
        for (int at = 0; at < in && (windows == 0 || end < in); at += stride) windows++, end = at + size;
        um_graph g = {0};
        um_error err = {0};
        um_window w = {.kernel = {size, size}, .stride = {stride, stride}};
        w.pad_after[0] = w.pad_after[1] = um_pool_ceil_padding(in, size, stride);
        must(um_graph_add_input(&g, NULL, in, in, 3, &err), &err);
        const int at = must(um_graph_add_pool_window(&g, NULL, UM_OP_MAX_POOL, 0, &w, &err), &err);
        if (g.node[at].dim[0] != windows)
          fail_msg("%d by %d, stride %d: %d windows, expected %d", in, size, stride, (int)g.node[at].dim[0], windows);
        um_graph_free(&g);
      }
}

/* PReLU, softmax, dropout and given windows there and back; rates that are none. */
static void test_more_ops(void **state) {
  um_graph g = {0}, back;
  um_error err = {0};
  char *text = NULL, *again = NULL;
  const um_window w = {.kernel = {3, 2}, .stride = {2, 2}, .pad_before = {1, 0}, .pad_after = {2, 1}};
  (void)state;
  int at = must(um_graph_add_input(&g, NULL, 11, 9, 3, &err), &err);
  at = must(um_graph_add_conv2d_window(&g, "c", at, 4, &w, UM_ACT_NONE, &err), &err);
  at = must(um_graph_add_prelu(&g, NULL, at, &err), &err);
  assert_string_equal(g.node[at].name, "p_re_lu");
  at = must(um_graph_add_dropout(&g, NULL, at, 0.1, &err), &err);
  at = must(um_graph_add_simple(&g, NULL, UM_OP_SOFTMAX, &at, 1, UM_ACT_NONE, &err), &err);
  assert_int_equal(g.node[at].ndim, 3);
  assert_int_equal(g.node[at].dim[2], 4);
  must(um_graph_to_json(&g, &text, &err), &err);
  assert_non_null(strstr(text, "\"op\":\"dropout\",\"inputs\":[2],\"rate\":0.1}"));
  must(um_graph_from_json(&back, text, &err), &err);
  assert_true(back.node[3].rate == 0.1);
  must(um_graph_to_json(&back, &again, &err), &err);
  assert_string_equal(text, again);
  free(text), free(again);
  um_graph_free(&back);
  const double bad[] = {1, -0.1, 2, NAN};
  for (int i = 0; i < 4; i++) assert_int_equal(um_graph_add_dropout(&g, NULL, 0, bad[i], &err), UM_ECONFIG);
  assert_int_equal(um_graph_add_pool_window(&g, NULL, UM_OP_CONV2D, 0, &w, &err), UM_ECONFIG);
  assert_int_equal(um_graph_from_json(&back,
                                      "{\"format\":1,\"nodes\":[{\"name\":\"i\",\"op\":\"input\",\"inputs\":[],\"shape\":[4,4,3]},"
                                      "{\"name\":\"d\",\"op\":\"dropout\",\"inputs\":[0]}]}",
                                      &err),
                   UM_EFORMAT);
  assert_non_null(strstr(err.text, "rate: expected a number"));
  um_graph_free(&g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ceil_padding),
      cmocka_unit_test(test_more_ops),
      cmocka_unit_test(test_vgg16),
      cmocka_unit_test(test_dct),
      cmocka_unit_test(test_dct_kernel),
      cmocka_unit_test(test_padding),
      cmocka_unit_test(test_names_and_shapes),
      cmocka_unit_test(test_json),
      cmocka_unit_test(test_hostile_json),
      cmocka_unit_test(test_deep_and_long_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
