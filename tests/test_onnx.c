/* ONNX in and out: a round trip, files of real tools (tests/golden/onnx_files.py) with what onnxruntime makes of them, ops that are refused
 * by name, and files that are damaged or mean harm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/file.h"
#include "tests/support/golden.h"
#include "tests/support/tmp.h"
#include "weights/model_data.h"
#include "weights/onnx_impl.h"

#define DIR "tests/golden/onnx/"
#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error failure_ = {0}, *err = &failure_;                                                                                             \
    if ((call) < 0) fail_msg("%s: %s", #call, failure_.text);                                                                              \
  } while (0)

static float value_of(uint32_t stream, int64_t i) { return (float)((int)(golden_word(stream, (uint32_t)i) % 2001) - 1000) / 1024; }

/* A model with every op that we have, values by formula. */
static void make_model(um_model_data *d, const char *class_0, const char *class_1, um_preprocessing preprocessing) {
  const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  um_graph *g = &d->graph;
  int at, a, b, in[2];
  *d = (um_model_data){
      .preprocess = {.target_size = {12, 10}, .rescale = 1 / 255.0, .detector = "haar", .margin = 0.1, .fps = 2, .max_size = 1000}};
  d->preprocess.preprocessing = preprocessing;
  snprintf(d->preprocess.classes[0], 64, "%s", class_0);
  snprintf(d->preprocess.classes[1], 64, "%s", class_1);
  OK(at = um_graph_add_input(g, "input_1", 12, 10, 3, err));
  OK(a = um_graph_add_conv2d(g, "conv_a", at, 4, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(b = um_graph_add_conv2d(g, "conv_b", a, 4, three, one, UM_PAD_SAME, UM_ACT_NONE, err));
  in[0] = a, in[1] = b;
  OK(at = um_graph_add_simple(g, "add", UM_OP_ADD, in, 2, UM_ACT_RELU, err));
  OK(a = um_graph_add_pool(g, "pool_max", UM_OP_MAX_POOL, at, three, two, UM_PAD_SAME, err));
  OK(b = um_graph_add_pool(g, "pool_avg", UM_OP_AVG_POOL, at, three, two, UM_PAD_SAME, err));
  in[0] = a, in[1] = b;
  OK(at = um_graph_add_simple(g, "concat", UM_OP_CONCAT, in, 2, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "relu", UM_OP_RELU, &at, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_dense(g, "dense", a, 5, UM_ACT_RELU, err));
  OK(b = um_graph_add_simple(g, "mean", UM_OP_GLOBAL_AVG_POOL, &at, 1, UM_ACT_NONE, err));
  OK(b = um_graph_add_simple(g, "gate", UM_OP_SIGMOID, &b, 1, UM_ACT_NONE, err));
  in[0] = a, in[1] = b;
  OK(at = um_graph_add_simple(g, "both", UM_OP_CONCAT, in, 2, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense_1", at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "score", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err));
  d->tensor = calloc(2 * (size_t)g->count, sizeof *d->tensor);
  d->name = calloc(2 * (size_t)g->count, sizeof *d->name);
  for (int i = 0; i < g->count; i++) {
    const um_node *n = &g->node[i];
    if (n->op != UM_OP_CONV2D && n->op != UM_OP_DENSE) continue;
    const um_node *x = &g->node[n->input[0]];
    const int64_t conv[4] = {n->window.kernel[0], n->window.kernel[1], x->dim[x->ndim - 1], n->units}, *dense = conv + 2;
    for (int part = 0; part < 2; part++) {
      um_tensor *t = &d->tensor[d->count];
      *t = part                    ? um_tensor_plain(UM_F32, 1, &n->units)
           : n->op == UM_OP_CONV2D ? um_tensor_plain(UM_F32, 4, conv)
                                   : um_tensor_plain(UM_F32, 2, dense);
      float *value = t->data = malloc(t->bytes);
      for (int64_t k = 0; k < um_tensor_count(t); k++) value[k] = value_of(100 + (uint32_t)d->count, k) / 4;
      char name[96];
      snprintf(name, sizeof name, "%s/%s", n->name, part ? "bias" : "kernel");
      d->name[d->count++] = strdup(name);
    }
  }
}

static void logits_of(float *out, const um_model_data *d, const float *x, int n) {
  um_backend *be;
  um_model *m;
  OK(um_ref_open(&be, err));
  OK(um_model_data_bind(&m, d, be, n, UM_PRECISION_FP32, err));
  OK(um_model_feed(m, x, n, err));
  OK(um_model_forward(m, err));
  OK(um_model_logits(m, out, err));
  um_model_free(m);
  be->ops->close(be);
}

static void check_same(const um_model_data *a, const um_model_data *b) {
  char *x = NULL, *y = NULL;
  OK(um_graph_to_json(&a->graph, &x, err));
  OK(um_graph_to_json(&b->graph, &y, err));
  assert_string_equal(x, y);
  free(x);
  free(y);
  assert_int_equal(a->count, b->count);
  for (int i = 0; i < a->count; i++) {
    assert_string_equal(a->name[i], b->name[i]);
    assert_true(um_tensor_same_shape(&a->tensor[i], &b->tensor[i]));
    assert_memory_equal(a->tensor[i].data, b->tensor[i].data, a->tensor[i].bytes);
  }
  assert_string_equal(a->preprocess.classes[0], b->preprocess.classes[0]);
  assert_string_equal(a->preprocess.classes[1], b->preprocess.classes[1]);
  assert_true(a->preprocess.rescale == b->preprocess.rescale);
  assert_int_equal(a->preprocess.preprocessing, b->preprocess.preprocessing);
  assert_true(a->preprocess.margin == b->preprocess.margin);
}

/* Every variant gives back the very model: graph, names, bits, classes, preprocessing, logits. */
static void test_round_trip(void **state) {
  static const char *const classes[3][2] = {{"fake", "real"}, {"real", "fake"}, {"cats", "dogs"}};
  (void)state;
  for (int variant = 0; variant < 3 * 2 * 2 * 3; variant++) {
    um_model_data d, back;
    char kind[96];
    float x[2 * 12 * 10 * 3], a[2], b[2];
    const char *const *class = classes[variant % 3], *path = tmp_path("onnx/round.onnx");
    const int pixels = variant / 12;
    const um_export_options o = {.channels_first = variant / 3 % 2, .bytes = pixels == 2, .with_preprocessing = pixels >= 1};
    make_model(&d, class[0], class[1], variant / 6 % 2 ? UM_PREPROCESS_CAFFE : UM_PREPROCESS_NONE);
    OK(um_export_onnx(&d, &o, path, err));
    OK(um_model_data_read(&back, path, NULL, kind, err));
    assert_non_null(strstr(kind, "ONNX, opset 13, written by unmask"));
    assert_int_equal(back.said, UM_SAYS_CLASSES | UM_SAYS_PREPROCESS);
    check_same(&d, &back);
    for (int i = 0; i < 2 * 12 * 10 * 3; i++) x[i] = value_of(7, i);
    logits_of(a, &d, x, 2);
    logits_of(b, &back, x, 2);
    assert_memory_equal(a, b, sizeof a);
    um_model_data_free(&d);
    um_model_data_free(&back);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
  };
  return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}
