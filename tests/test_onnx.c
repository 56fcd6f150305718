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
  *d = (um_model_data){.preprocess = {.target_size = {12, 10},
                                      .rescale = 1 / 255.0,
                                      .faces.detector = "haar",
                                      .faces.margin = 0.1,
                                      .faces.fps = 2,
                                      .faces.max_size = 1000}};
  d->preprocess.preprocessing = preprocessing;
  snprintf(d->preprocess.classes[0], 64, "%s", class_0);
  snprintf(d->preprocess.classes[1], 64, "%s", class_1);
  OK(at = um_graph_add_input(g, "input_1", 12, 10, 3, err));
  OK(a = um_graph_add_conv2d(g, "conv_a", at, 4, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(b = um_graph_add_conv2d(g, "conv_b", a, 4, three, one, UM_PAD_SAME, UM_ACT_NONE, err));
  in[0] = a, in[1] = b;
  OK(at = um_graph_add_simple(g, "add", UM_OP_ADD, in, 2, UM_ACT_RELU, err));
  OK(a = um_graph_add_pool(g, "pool_max", UM_OP_MAX_POOL, at, three, two, UM_PAD_SAME, err));
  OK(at = um_graph_add_prelu(g, "slopes", at, err));
  OK(b = um_graph_add_pool(g, "pool_avg", UM_OP_AVG_POOL, at, three, two, UM_PAD_SAME, err));
  in[0] = a, in[1] = b;
  OK(at = um_graph_add_simple(g, "concat", UM_OP_CONCAT, in, 2, UM_ACT_NONE, err));
  OK(at = um_graph_add_simple(g, "relu", UM_OP_RELU, &at, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_simple(g, "share", UM_OP_SOFTMAX, &at, 1, UM_ACT_NONE, err));
  in[0] = at, in[1] = a;
  OK(at = um_graph_add_simple(g, "add_share", UM_OP_ADD, in, 2, UM_ACT_NONE, err));
  OK(a = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_prelu(g, "list_slopes", a, err));
  OK(a = um_graph_add_dense(g, "dense", a, 5, UM_ACT_RELU, err));
  OK(a = um_graph_add_simple(g, "list_share", UM_OP_SOFTMAX, &a, 1, UM_ACT_NONE, err));
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
    if (um_op_params(n->op) == 0) continue;
    const um_node *x = &g->node[n->input[0]];
    const int64_t conv[4] = {n->window.kernel[0], n->window.kernel[1], x->dim[x->ndim - 1], n->units}, *dense = conv + 2;
    for (int part = 0; part < um_op_params(n->op); part++) {
      um_tensor *t = &d->tensor[d->count];
      *t = part                    ? um_tensor_plain(UM_F32, 1, &n->units)
           : n->op == UM_OP_PRELU  ? um_tensor_plain(UM_F32, 1, &n->dim[n->ndim - 1])
           : n->op == UM_OP_CONV2D ? um_tensor_plain(UM_F32, 4, conv)
                                   : um_tensor_plain(UM_F32, 2, dense);
      float *value = t->data = malloc(t->bytes);
      for (int64_t k = 0; k < um_tensor_count(t); k++) value[k] = value_of(100 + (uint32_t)d->count, k) / 4;
      char name[96];
      snprintf(name, sizeof name, "%s/%s", n->name, um_op_param_name(n->op, part));
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
  assert_true(a->preprocess.faces.margin == b->preprocess.faces.margin);
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

/* ---- what other tools wrote ---- */

static void score_file(const char *path, double rescale, double *score) {
  enum { SIDE = 32, PIXELS = SIDE * SIDE * 3 };
  static uint8_t pixels[3 * PIXELS];
  um_model_data d;
  um_backend *be;
  um_model *m;
  um_warp how;
  float logit[3];
  for (uint32_t n = 0; n < 3; n++)
    for (uint32_t i = 0; i < PIXELS; i++) pixels[n * PIXELS + i] = (uint8_t)golden_word(60 + n, i);
  OK(um_model_data_read(&d, path, NULL, NULL, err));
  if (!(d.said & UM_SAYS_PREPROCESS)) d.preprocess.rescale = rescale;
  um_preprocess_warp(&how, &d.preprocess);
  OK(um_ref_open(&be, err));
  OK(um_model_data_bind(&m, &d, be, 3, UM_PRECISION_FP32, err));
  OK(um_model_feed_pixels(m, pixels, NULL, 3, &how, err));
  OK(um_model_forward(m, err));
  OK(um_model_logits(m, logit, err));
  for (int i = 0; i < 3; i++) score[i] = 1 / (1 + exp(-(double)logit[i]));
  um_model_free(m);
  be->ops->close(be);
  um_model_data_free(&d);
}

/* onnxruntime's scores, to what float32 sums in another order leave (half precision inside: to what it leaves). */
static void test_foreign(void **state) {
  char name[64], layout[8];
  double factor, want[3], got[3], worst = 0;
  int files = 0;
  FILE *f = fopen(DIR "expected.txt", "r");
  (void)state;
  assert_non_null(f);
  while (fscanf(f, "%63s %7s %lf %lf %lf %lf", name, layout, &factor, &want[0], &want[1], &want[2]) == 6) {
    char path[128];
    const double tolerance = strstr(name, "half") ? 2e-3 : 1e-5;
    snprintf(path, sizeof path, DIR "%s.onnx", name);
    score_file(path, factor, got);
    for (int i = 0; i < 3; i++) {
      if (!(fabs(got[i] - want[i]) <= tolerance)) fail_msg("%s: picture %d: %.9g, onnxruntime %.9g", name, i, got[i], want[i]);
      if (tolerance < 1e-4 && fabs(got[i] - want[i]) > worst) worst = fabs(got[i] - want[i]);
    }
    files++;
  }
  fclose(f);
  print_message("%d files, at most %.1e from onnxruntime\n", files, worst);
  assert_int_equal(files, 10);
}

/* What is said of a file: what its layers came from, and what it does to the pixels. */
static void test_lists(void **state) {
  um_weight_source s;
  um_graph g = {0};
  um_preprocess p = {0};
  unsigned said = 0;
  (void)state;
  OK(um_weight_source_open(&s, DIR "torch_vgg_norm.onnx", NULL, 1, err));
  assert_string_equal(s.kind, "ONNX, opset 15, written by pytorch 1.13.0");
  assert_int_equal(s.item[0].layout, UM_WEIGHT_OIHW);
  OK(s.model(&s, &g, &p, &said, err));
  assert_int_equal(said, 0);
  assert_int_equal(g.node[0].dim[2], 3);
  um_graph_free(&g);
  um_weight_source_close(&s);
  OK(um_weight_source_open(&s, DIR "helper_gemm.onnx", NULL, 1, err));
  assert_string_equal(s.item[0].name, "conv2d/kernel"); /* neither tensor nor node has a name that says more */
  assert_string_equal(s.item[2].from, "g, with what follows it");
  assert_int_equal(s.item[2].layout, UM_WEIGHT_OI_CHW);
  assert_int_equal(s.item[2].chw[0], 4);
  um_weight_source_close(&s);
  OK(um_weight_source_open(&s, DIR "helper_caffe.onnx", NULL, 1, err));
  assert_string_equal(s.note, "it takes BGR minus the ImageNet mean (preprocessing \"caffe\")");
  OK(s.model(&s, &g, &p, &said, err));
  assert_int_equal(said, UM_SAYS_PREPROCESS);
  assert_int_equal(p.preprocessing, UM_PREPROCESS_CAFFE);
  um_graph_free(&g);
  um_weight_source_close(&s);
  OK(um_weight_source_open(&s, DIR "helper_bytes.onnx", NULL, 1, err));
  OK(s.model(&s, &g, &p, &said, err));
  assert_true((float)p.rescale == 1 / 255.0f && said == UM_SAYS_PREPROCESS);
  um_graph_free(&g);
  um_weight_source_close(&s);
}

/* A model's own names are lent to a file whose layers are the same in the same order, as its convolutions are here. */
static void test_names_of_a_model(void **state) {
  const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  um_graph g = {0};
  um_weight_source s;
  int at;
  (void)state;
  OK(at = um_graph_add_input(&g, "input_1", 16, 16, 3, err));
  OK(at = um_graph_add_conv2d(&g, "block1_conv1", at, 6, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(at = um_graph_add_pool(&g, "block1_pool", UM_OP_MAX_POOL, at, two, two, UM_PAD_VALID, err));
  OK(at = um_graph_add_conv2d(&g, "block2_conv1", at, 8, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(at = um_graph_add_simple(&g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(&g, "dense", at, 1, UM_ACT_NONE, err));
  OK(um_weight_source_open(&s, DIR "torch_vgg_view.onnx", &g, 1, err));
  assert_string_equal(s.item[0].name, "block1_conv1/kernel");
  assert_string_equal(s.item[0].from, "0.weight");
  assert_string_equal(s.item[3].name, "block2_conv1/bias");
  assert_string_equal(s.item[4].name, "7/kernel"); /* another head: its own name */
  um_weight_source_close(&s);
  um_graph_free(&g);
}

/* ---- files that are refused, damaged, or mean harm ---- */

/* The message of a file that must not become a model. */
static const char *failure(const char *path, int code) {
  static um_error err;
  um_model_data d;
  const int got = um_model_data_read(&d, path, NULL, NULL, &err);
  if (got == UM_OK) fail_msg("%s: read, but must not be", path);
  if (got != code) fail_msg("%s: code %d, expected %d: %s", path, got, code, err.text);
  if (!strstr(err.text, path)) fail_msg("the message does not name the file: %s", err.text);
  if (strchr(err.text, '\n')) fail_msg("a line break in the message: %s", err.text);
  return err.text;
}

#define SAYS(path, code, part)                                                                                                             \
  do {                                                                                                                                     \
    const char *text_ = failure(path, code);                                                                                               \
    if (!strstr(text_, part)) fail_msg("expected \"%s\" in: %s", part, text_);                                                             \
  } while (0)

/* A small writer of models for what no tool writes. */
typedef struct maker {
  um_pb_out graph;
} maker;

static void put_io(maker *m, uint32_t field, const char *name, int type, const int64_t *dim, int ndim) {
  um_pb_out info = {0}, of = {0}, tensor = {0}, shape = {0};
  for (int i = 0; i < ndim; i++) {
    um_pb_out d = {0};
    if (dim[i] > 0) um_pb_put_varint(&d, 1, (uint64_t)dim[i]);
    um_pb_put_message(&shape, 1, &d);
  }
  um_pb_put_varint(&tensor, 1, (uint64_t)type);
  um_pb_put_message(&tensor, 2, &shape);
  um_pb_put_message(&of, 1, &tensor);
  um_pb_put_text(&info, 1, name);
  um_pb_put_message(&info, 2, &of);
  um_pb_put_message(&m->graph, field, &info);
}

static void put_tensor(maker *m, const char *name, int type, const int64_t *dim, int ndim, const void *data, size_t bytes) {
  um_pb_out t = {0};
  for (int i = 0; i < ndim; i++) um_pb_put_varint(&t, 1, (uint64_t)dim[i]);
  um_pb_put_varint(&t, 2, (uint64_t)type);
  um_pb_put_text(&t, 8, name);
  if (data) um_pb_put_bytes(&t, 9, data, bytes);
  um_pb_put_message(&m->graph, 5, &t);
}

static void put_node(maker *m, const char *op, const char *a, const char *b, const char *out) {
  um_pb_out n = {0};
  um_pb_put_text(&n, 1, a);
  if (b) um_pb_put_text(&n, 1, b);
  um_pb_put_text(&n, 2, out);
  um_pb_put_text(&n, 3, op);
  um_pb_put_text(&n, 4, op);
  um_pb_put_message(&m->graph, 1, &n);
}

static const char *finish(maker *m, const char *name) {
  um_pb_out model = {0}, opset = {0};
  const char *path = tmp_path(name);
  um_pb_put_varint(&model, 1, 7);
  um_pb_put_varint(&opset, 2, 13);
  um_pb_put_message(&model, 8, &opset);
  um_pb_put_message(&model, 7, &m->graph);
  assert_false(model.failed);
  tmp_write(path, model.data, model.size);
  um_pb_out_free(&model);
  *m = (maker){0};
  return path;
}

static void begin(maker *m) {
  *m = (maker){0};
  put_io(m, 11, "x", ONNX_FLOAT, (const int64_t[]){-1, 3, 8, 8}, 4);
  put_io(m, 12, "y", ONNX_FLOAT, NULL, 0);
}

static void test_refused(void **state) {
  static const float ones[64] = {1};
  const int64_t kernel[4] = {1, 3, 1, 1}, huge[4] = {1 << 30, 1 << 30, 1 << 30, 1 << 30};
  maker m;
  (void)state;

  begin(&m);
  put_node(&m, "Clip", "x", NULL, "y");
  SAYS(finish(&m, "onnx/clip.onnx"), UM_EUNSUPPORTED, "node \"Clip\" (Clip): an op that is not read here");
  begin(&m);
  put_node(&m, "Conv", "x", "w", "y");
  SAYS(finish(&m, "onnx/nowhere.onnx"), UM_EFORMAT, "a node reads \"w\", which is nowhere");
  begin(&m);
  put_tensor(&m, "w", ONNX_FLOAT, huge, 4, ones, 12);
  put_node(&m, "Conv", "x", "w", "y");
  SAYS(finish(&m, "onnx/huge.onnx"), UM_EFORMAT, "dimensions are out of range");
  begin(&m);
  put_tensor(&m, "w", ONNX_FLOAT, huge, 2, ones, 12);
  put_node(&m, "Conv", "x", "w", "y");
  SAYS(finish(&m, "onnx/short.onnx"), UM_EFORMAT, "12 bytes of data, expected 1152921504606846976 values of 4 bytes");
  begin(&m);
  put_tensor(&m, "w", ONNX_FLOAT, kernel, 4, NULL, 0);
  put_node(&m, "Conv", "x", "w", "y");
  SAYS(finish(&m, "onnx/empty.onnx"), UM_EFORMAT, "0 values, expected 3");
  begin(&m);
  put_tensor(&m, "w", ONNX_FLOAT, kernel, 4, ones, 12);
  put_tensor(&m, "w", ONNX_FLOAT, kernel, 4, ones, 12);
  SAYS(finish(&m, "onnx/twice.onnx"), UM_EFORMAT, "two values are called \"w\"");
  begin(&m);
  put_io(&m, 11, "x2", ONNX_FLOAT, kernel, 4);
  SAYS(finish(&m, "onnx/inputs.onnx"), UM_EUNSUPPORTED, "its graph has 2 inputs");
  m = (maker){0};
  put_io(&m, 11, "x", ONNX_FLOAT, (const int64_t[]){-1, 3, -1, -1}, 4);
  put_io(&m, 12, "y", ONNX_FLOAT, NULL, 0);
  put_node(&m, "Conv", "x", "x", "y");
  SAYS(finish(&m, "onnx/open.onnx"), UM_EUNSUPPORTED, "leaves dimension 2 open");
  m = (maker){0};
  put_io(&m, 11, "x", ONNX_FLOAT, (const int64_t[]){-1, 3, 60000, 60000}, 4);
  put_io(&m, 12, "y", ONNX_FLOAT, NULL, 0);
  put_node(&m, "Relu", "x", NULL, "y");
  SAYS(finish(&m, "onnx/large.onnx"), UM_EUNSUPPORTED, "more than");
  /* Of a type that is not read, with a shape that nothing bounds: it is no tensor for anybody. */
  um_weight_source s;
  begin(&m);
  put_tensor(&m, "odd", ONNX_STRING, huge, 2, NULL, 0);
  put_node(&m, "Relu", "x", NULL, "y");
  OK(um_weight_source_open(&s, finish(&m, "onnx/odd.onnx"), NULL, 1, err));
  assert_int_equal(s.count, 0);
  um_weight_source_close(&s);
  /* External data: no other file is opened. */
  um_pb_out t = {0}, entry = {0};
  begin(&m);
  um_pb_put_text(&t, 8, "w");
  um_pb_put_varint(&t, 1, 3);
  um_pb_put_varint(&t, 2, ONNX_FLOAT);
  um_pb_put_text(&entry, 1, "location");
  um_pb_put_text(&entry, 2, "/etc/passwd");
  um_pb_put_message(&t, 13, &entry);
  um_pb_put_varint(&t, 14, 1);
  um_pb_put_message(&m.graph, 5, &t);
  SAYS(finish(&m, "onnx/external.onnx"), UM_EUNSUPPORTED, "tensor \"w\": its values lie in another file (external data)");
  /* A diagonal of 128 MB for each batch normalisation that nothing before it takes in: 23 KB of file. */
  enum { MANY = 5793 };
  static float values[MANY];
  const int64_t many[1] = {MANY};
  char from[16] = "x", to[16];
  m = (maker){0};
  put_io(&m, 11, "x", ONNX_FLOAT, (const int64_t[]){-1, MANY, 1, 2}, 4);
  put_io(&m, 12, "s49", ONNX_FLOAT, NULL, 0);
  put_tensor(&m, "v", ONNX_FLOAT, many, 1, values, sizeof values);
  for (int i = 0; i < 50; i++) {
    um_pb_out n = {0};
    snprintf(to, sizeof to, "b%d", i);
    um_pb_put_text(&n, 1, from);
    for (int k = 0; k < 4; k++) um_pb_put_text(&n, 1, "v");
    um_pb_put_text(&n, 2, to);
    um_pb_put_text(&n, 4, "BatchNormalization");
    um_pb_put_message(&m.graph, 1, &n);
    snprintf(from, sizeof from, "s%d", i);
    put_node(&m, "Sigmoid", to, NULL, from);
  }
  SAYS(finish(&m, "onnx/diagonals.onnx"), UM_EUNSUPPORTED, "is far more than the file holds");
}

static int try_file(const char *path, um_error *err) {
  um_model_data d;
  const int status = um_model_data_read(&d, path, NULL, NULL, err);
  if (!status) um_model_data_free(&d);
  return status;
}

/* Cut at every 1 % of its length, and each byte of what is no tensor's data changed in three ways. */
static void test_damage(void **state) {
  static const char *const files[] = {DIR "helper_caffe.onnx", DIR "helper_keras_like.onnx", DIR "helper_bytes.onnx"};
  static const uint8_t flips[3] = {0x01, 0x80, 0xff};
  const char *path = tmp_path("onnx/damaged.onnx");
  um_error why;
  int read = 0, refused = 0;
  (void)state;
  for (int i = 0; i < 3; i++) {
    char *data;
    size_t size;
    OK(um_file_read(&data, &size, files[i], 1 << 20, err));
    for (int percent = 0; percent < 100; percent++) {
      tmp_write(path, data, size * (size_t)percent / 100);
      assert_true(try_file(path, &why) < 0);
      assert_non_null(strstr(why.text, path));
    }
    for (size_t at = 0; at < size; at++)
      for (int k = 0; k < 3; k++) {
        if (at > 200 && at % 61) continue; /* most of it is values */
        data[at] = (char)(data[at] ^ flips[k]);
        tmp_write(path, data, size);
        if (try_file(path, &why)) {
          refused++;
          if (!strstr(why.text, path) || strchr(why.text, '\n')) fail_msg("no message for people: %s", why.text);
        } else {
          read++;
        }
        data[at] = (char)(data[at] ^ flips[k]);
      }
    free(data);
  }
  print_message("of files with one byte changed %d were refused, %d read\n", refused, read);
  assert_true(refused > 300 && read > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_foreign), cmocka_unit_test(test_lists),
      cmocka_unit_test(test_names_of_a_model), cmocka_unit_test(test_refused), cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}
