/* Whole models out of Keras' files and into them. The files are those that the real Keras wrote (tests/golden/keras_files.py), whose own
 * logits must come out here. */
#include <inttypes.h>
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
#include "core/graph_impl.h"
#include "tests/support/golden.h"
#include "tests/support/tmp.h"
#include "weights/keras.h"
#include "weights/model_data.h"

#define DIR "tests/golden/weights/"
#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error failure_ = {0}, *err = &failure_;                                                                                             \
    if ((call) < 0) fail_msg("%s: %s", #call, failure_.text);                                                                              \
  } while (0)

enum { PICTURES = 3 };

/* Logits of the pictures of keras_files.py, times `scale`. */
static void run(float logit[PICTURES], const um_model_data *d, double scale) {
  um_backend *be;
  um_model *m;
  const int64_t *dim = d->graph.node[0].dim, n = dim[0] * dim[1] * dim[2];
  float *x = malloc(sizeof *x * (size_t)n * PICTURES);
  for (uint32_t s = 0; s < PICTURES; s++)
    for (uint32_t i = 0; i < n; i++) x[s * n + i] = (float)(golden_word(900 + s, i) % (64 + 96 * s)) * (float)scale;
  OK(um_ref_open(&be, err));
  OK(um_model_data_bind(&m, d, be, PICTURES, UM_PRECISION_FP32, err));
  OK(um_model_feed(m, x, PICTURES, err));
  OK(um_model_forward(m, err));
  OK(um_model_logits(m, logit, err));
  um_model_free(m);
  be->ops->close(be);
  free(x);
}

/* Keras computes in float32 as well: both are off by a few units of the sums' last place. */
static void check_logits(const um_model_data *d, double scale, const char *golden, const char *path) {
  float logit[PICTURES];
  um_st *st;
  OK(um_st_open(&st, strstr(golden, "bent") ? "tests/golden/keras_bent.safetensors" : "tests/golden/keras_files.safetensors", err));
  const um_st_entry *want = um_st_find(st, golden);
  assert_non_null(want);
  run(logit, d, scale);
  for (int i = 0; i < PICTURES; i++) {
    const float keras = ((const float *)want->tensor.data)[i];
    if (!(fabsf(logit[i] - keras) <= 4e-6f * fabsf(keras)))
      fail_msg("%s: picture %d: logit %.7g, Keras has %.7g", path, i, (double)logit[i], (double)keras);
  }
  um_st_close(st);
}

static void check_file(const char *path, const um_graph *graph, double scale, const char *golden, const char *kind_begins) {
  um_model_data d;
  char kind[96];
  OK(um_model_data_read(&d, path, graph, kind, err));
  if (strncmp(kind, kind_begins, strlen(kind_begins)) != 0) fail_msg("%s: kind \"%s\"", path, kind);
  check_logits(&d, scale, golden, path);
  um_model_data_free(&d);
}

static void test_models(void **state) {
  um_model_data d;
  (void)state;
  check_file(DIR "keras3_tiny.h5", NULL, 1 / 255.0, "keras3_tiny", "Keras HDF5, keras 3.8.0");
  check_file(DIR "keras3_tiny.keras", NULL, 1 / 255.0, "keras3_tiny", "Keras .keras, keras 3.8.0");
  check_file(DIR "tfkeras_tiny.h5", NULL, 1 / 255.0, "tfkeras_tiny", "Keras HDF5, keras 2.18.0");
  check_file(DIR "tfkeras_tiny.keras", NULL, 1 / 255.0, "tfkeras_tiny", "Keras .keras, keras 2.18.0");
  check_file(DIR "keras3_stacked.keras", NULL, 1 / 255.0, "keras3_stacked", "Keras .keras");
  check_file(DIR "keras3_bent.h5", NULL, 1 / 255.0, "keras3_bent", "Keras HDF5, keras 3.8.0");
  check_file(DIR "keras3_bent.keras", NULL, 1 / 255.0, "keras3_bent", "Keras .keras, keras 3.8.0");
  check_file(DIR "tfkeras_bent.h5", NULL, 1 / 255.0, "tfkeras_bent", "Keras HDF5, keras 2.18.0");
  OK(um_model_data_read(&d, DIR "keras3_bent.keras", NULL, NULL, err));
  assert_int_equal(d.graph.node[um_graph_find(&d.graph, "drop1")].op, UM_OP_DROPOUT);
  assert_true(d.graph.node[um_graph_find(&d.graph, "drop1")].rate == 0.25);
  check_file(DIR "keras3_bent.weights.h5", &d.graph, 1 / 255.0, "keras3_bent", "Keras .weights.h5");
  um_model_data_free(&d);
  const char *const dags[3][2] = {
      {DIR "keras3_dag.h5", "keras3_dag"}, {DIR "keras3_dag.keras", "keras3_dag"}, {DIR "tfkeras_dag.h5", "tfkeras_dag"}};
  for (int i = 0; i < 3; i++) {
    OK(um_model_data_read(&d, dags[i][0], NULL, NULL, err));
    assert_int_equal(d.said, UM_SAYS_PREPROCESS); /* Rescaling */
    assert_int_equal(d.preprocess.preprocessing, UM_PREPROCESS_NONE);
    assert_true(fabs(d.preprocess.rescale * 255 - 1) < 1e-15);
    assert_string_equal(d.preprocess.faces.detector, "haar"); /* what the file does not say stays */
    check_logits(&d, d.preprocess.rescale, dags[i][1], dags[i][0]);
    um_model_data_free(&d);
  }
}

/* The message of a read that must fail. */
static const char *refusal(const char *path, const um_graph *graph, int code) {
  static um_error err;
  um_model_data d;
  const int got = um_model_data_read(&d, path, graph, NULL, &err);
  if (got == UM_OK) fail_msg("%s: read, but must not be", path);
  if (got != code) fail_msg("%s: code %d, expected %d: %s", path, got, code, err.text);
  if (!strstr(err.text, path)) fail_msg("the message does not name the file: %s", err.text);
  return err.text;
}

#define SAYS(text, part)                                                                                                                   \
  do {                                                                                                                                     \
    const char *text_ = text;                                                                                                              \
    if (!strstr(text_, part)) fail_msg("expected \"%s\" in: %s", part, text_);                                                             \
  } while (0)

/* .weights.h5 has no config: the graph is another file's, and names are the attribute's (Keras 3) or found by order (tf_keras). */
static void test_weights_alone(void **state) {
  um_model_data d;
  um_graph g;
  (void)state;
  OK(um_model_data_read(&d, DIR "keras3_tiny.keras", NULL, NULL, err));
  OK(um_graph_copy(&g, &d.graph, err));
  um_model_data_free(&d);
  check_file(DIR "keras3_tiny.weights.h5", &g, 1 / 255.0, "keras3_tiny", "Keras .weights.h5");
  check_file(DIR "tfkeras_tiny.weights.h5", &g, 1 / 255.0, "tfkeras_tiny", "Keras .weights.h5");
  check_file(DIR "keras3_stacked.weights.h5", &g, 1 / 255.0, "keras3_stacked", "Keras .weights.h5");
  SAYS(refusal(DIR "keras3_tiny.weights.h5", NULL, UM_EUNSUPPORTED), "weights without a model");

  snprintf(g.node[1].name, sizeof g.node[1].name, "first"); /* no longer by name: by order */
  check_file(DIR "keras3_tiny.weights.h5", &g, 1 / 255.0, "keras3_tiny", "Keras .weights.h5");
  check_file(DIR "keras3_stacked.weights.h5", &g, 1 / 255.0, "keras3_stacked", "Keras .weights.h5");

  g.node[3].units = 5; /* tiny_conv2 */
  SAYS(refusal(DIR "tfkeras_tiny.weights.h5", &g, UM_EFORMAT),
       "layers/conv2d_1/vars/0 is 3x3x2x3, tiny_conv2 of the model 3x3x2x5: layers have no names in this file");
  um_graph_free(&g);

  OK(um_model_data_read(&d, DIR "keras3_dag.keras", NULL, NULL, err));
  SAYS(refusal(DIR "tfkeras_tiny.weights.h5", &d.graph, UM_EUNSUPPORTED), "the model is no chain");
  um_model_data_free(&d);

  const int one[2] = {1, 1};
  int at;
  g = (um_graph){0};
  OK(at = um_graph_add_input(&g, "in", 8, 8, 3, err));
  OK(um_graph_add_conv2d(&g, "only", at, 2, (const int[]){3, 3}, one, UM_PAD_SAME, UM_ACT_NONE, err));
  SAYS(refusal(DIR "tfkeras_tiny.weights.h5", &g, UM_EFORMAT), "4 convolutions, the model has 1");
  um_graph_free(&g);
}

static void *read_all(const char *path, size_t *size) {
  char *data;
  OK(um_file_read(&data, size, path, 1 << 20, err));
  return data;
}

static void check_same(const um_model_data *a, const um_model_data *b) {
  assert_int_equal(a->count, b->count);
  for (int i = 0; i < a->count; i++) {
    assert_string_equal(a->name[i], b->name[i]);
    assert_int_equal(a->tensor[i].bytes, b->tensor[i].bytes);
    assert_memory_equal(a->tensor[i].data, b->tensor[i].data, a->tensor[i].bytes);
  }
}

/* Out, and in again: the same graph, bit for bit the same parameters, the same preprocessing; and the same bytes when written twice. */
static void round_trip(um_model_data *d) {
  static um_exporter *const write[2] = {um_export_keras_h5, um_export_keras};
  const char *const names[2] = {"keras/out.h5", "keras/out.keras"};
  const um_export_options options = {0};
  char *graph, *again;
  d->preprocess = (um_preprocess){.target_size = {(int)d->graph.node[0].dim[0], (int)d->graph.node[0].dim[1]},
                                  .interpolation = UM_BILINEAR,
                                  .rescale = 1 / 127.5,
                                  .faces.detector = "haar",
                                  .faces.margin = 0.25,
                                  .faces.fps = 3,
                                  .faces.max_size = 800,
                                  .scoring.top_k = UM_TOP_K,
                                  .classes = {"forged", "genuine"}};
  OK(um_graph_to_json(&d->graph, &graph, err));
  for (int k = 0; k < 2; k++) {
    um_model_data back;
    size_t size[2];
    const char *path = tmp_path(names[k]);
    OK(write[k](d, &options, path, err));
    char *first = read_all(path, &size[0]);
    OK(um_model_data_read(&back, path, NULL, NULL, err));
    OK(um_graph_to_json(&back.graph, &again, err));
    assert_string_equal(graph, again);
    check_same(d, &back);
    assert_int_equal(back.said, UM_SAYS_CLASSES | UM_SAYS_PREPROCESS);
    assert_memory_equal(&back.preprocess, &d->preprocess, sizeof d->preprocess);
    OK(write[k](&back, &options, path, err));
    char *second = read_all(path, &size[1]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(first, second, size[0]);
    um_model_data_free(&back);
    free(first);
    free(second);
    free(again);
  }
  free(graph);
}

/* Parameters by formula for a graph, as um_model_data. */
static void fill(um_model_data *d, um_graph *g) {
  int nodes = 0;
  *d = (um_model_data){
      .graph = *g, .tensor = calloc(2 * (size_t)g->count, sizeof *d->tensor), .name = calloc(2 * (size_t)g->count, sizeof(char *))};
  for (int i = 0; i < g->count; i++) {
    const um_node *n = &g->node[i];
    if (um_op_params(n->op) == 0) continue;
    const um_node *x = &g->node[n->input[0]];
    const int64_t in = x->dim[x->ndim - 1], conv[4] = {n->window.kernel[0], n->window.kernel[1], in, n->units}, dense[2] = {in, n->units};
    nodes++;
    for (int b = 0; b < um_op_params(n->op); b++) {
      um_tensor *t = &d->tensor[d->count];
      *t = b                       ? um_tensor_plain(UM_F32, 1, &n->units)
           : n->op == UM_OP_PRELU  ? um_tensor_plain(UM_F32, 1, &n->dim[n->ndim - 1])
           : n->op == UM_OP_CONV2D ? um_tensor_plain(UM_F32, 4, conv)
                                   : um_tensor_plain(UM_F32, 2, dense);
      t->data = malloc(t->bytes);
      for (int64_t e = 0; e < um_tensor_count(t); e++)
        ((float *)t->data)[e] = (float)((int)(golden_word(700 + (uint32_t)d->count, (uint32_t)e) % 2001) - 900) / 3000;
      assert_true(asprintf(&d->name[d->count], "%s/%s", n->name, um_op_param_name(n->op, b)) > 0);
      d->count++;
    }
  }
  assert_true(nodes > 0);
}

static void test_round_trip(void **state) {
  um_model_data d;
  (void)state;
  OK(um_model_data_read(&d, DIR "keras3_tiny.keras", NULL, NULL, err));
  round_trip(&d);
  um_model_data_free(&d);
  OK(um_model_data_read(&d, DIR "tfkeras_dag.h5", NULL, NULL, err));
  round_trip(&d);
  um_model_data_free(&d);
}

/* What no config of ours makes, but a file may: paddings of every kind, an ADD with its ReLU, sigmoids in the middle. */
static void test_every_op(void **state) {
  um_model_data d;
  um_graph g = {0};
  int at, a, b;
  (void)state;
  OK(at = um_graph_add_input(&g, "in", 17, 14, 3, err));
  const um_node odd = {.op = UM_OP_CONV2D,
                       .activation = UM_ACT_RELU,
                       .n_inputs = 1,
                       .input = {at},
                       .units = 4,
                       .window = {.kernel = {4, 3}, .stride = {2, 1}, .pad_before = {3, 0}, .pad_after = {0, 2}}};
  OK(a = um_graph_append(&g, "odd", &odd, err));
  const um_node padded = {
      .op = UM_OP_MAX_POOL, .n_inputs = 1, .input = {a}, .window = {.kernel = {3, 3}, .stride = {2, 2}, .pad_before = {1, 1}}};
  OK(a = um_graph_append(&g, "padded", &padded, err));
  OK(b = um_graph_add_conv2d(&g, "side", a, 4, (const int[]){1, 1}, (const int[]){1, 1}, UM_PAD_VALID, UM_ACT_NONE, err));
  OK(b = um_graph_add_simple(&g, "side_sigmoid", UM_OP_SIGMOID, &b, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_simple(&g, "sum", UM_OP_ADD, (const int[]){a, b}, 2, UM_ACT_RELU, err));
  OK(b = um_graph_add_pool(&g, "mean", UM_OP_AVG_POOL, a, (const int[]){2, 3}, (const int[]){2, 2}, UM_PAD_SAME, err));
  OK(b = um_graph_add_conv2d(&g, "last", b, 5, (const int[]){3, 3}, (const int[]){2, 2}, UM_PAD_SAME, UM_ACT_NONE, err));
  OK(b = um_graph_add_prelu(&g, "slopes", b, err));
  OK(b = um_graph_add_dropout(&g, "drop", b, 0.25, err));
  OK(a = um_graph_add_simple(&g, "bend", UM_OP_RELU, &b, 1, UM_ACT_NONE, err));
  OK(b = um_graph_add_simple(&g, "gap", UM_OP_GLOBAL_AVG_POOL, &a, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_simple(&g, "flat", UM_OP_FLATTEN, &a, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_simple(&g, "both", UM_OP_CONCAT, (const int[]){a, b, b}, 3, UM_ACT_NONE, err));
  OK(b = um_graph_add_dense(&g, "share", a, 3, UM_ACT_NONE, err));
  OK(b = um_graph_add_simple(&g, "share_softmax", UM_OP_SOFTMAX, &b, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_prelu(&g, "list_slopes", a, err));
  OK(a = um_graph_add_simple(&g, "list_share", UM_OP_SOFTMAX, &a, 1, UM_ACT_NONE, err));
  OK(a = um_graph_add_simple(&g, "all", UM_OP_CONCAT, (const int[]){a, b}, 2, UM_ACT_NONE, err));
  OK(a = um_graph_add_dense(&g, "dense", a, 1, UM_ACT_NONE, err));
  OK(um_graph_add_simple(&g, "dense_sigmoid", UM_OP_SIGMOID, &a, 1, UM_ACT_NONE, err));
  fill(&d, &g);
  round_trip(&d);
  um_model_data_free(&d);

  /* Its Keras would not be the same: an average that counts what is not there. */
  g = (um_graph){0};
  OK(at = um_graph_add_input(&g, "in", 8, 8, 3, err));
  const um_node mean = {.op = UM_OP_AVG_POOL, .n_inputs = 1, .window = {.kernel = {2, 2}, .stride = {2, 2}, .pad_before = {1, 1}}};
  OK(at = um_graph_append(&g, "mean", &mean, err));
  OK(at = um_graph_add_conv2d(&g, "c", at, 1, (const int[]){1, 1}, (const int[]){1, 1}, UM_PAD_SAME, UM_ACT_NONE, err));
  fill(&d, &g);
  um_error err = {0};
  assert_int_equal(um_export_keras(&d, NULL, tmp_path("keras/never.keras"), &err), UM_EUNSUPPORTED);
  SAYS(err.text, "layer mean: Keras' poolings have no such padding");
  um_model_data_free(&d);
}

/* ---- configs ---- */

#define SEQUENTIAL(layers)                                                                                                                 \
  "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"m\", \"layers\": [{\"class_name\": \"InputLayer\", \"config\": "              \
  "{\"name\": \"in\", \"batch_shape\": [null, 8, 8, 3]}}" layers "]}}"
#define LAYER(kind, config) ", {\"class_name\": \"" kind "\", \"config\": {\"name\": \"it\"" config "}}"
#define CONV(name, config)                                                                                                                 \
  ", {\"class_name\": \"Conv2D\", \"config\": {\"name\": \"" name "\", \"filters\": 2, \"kernel_size\": 3" config "}}"

static void refused(const char *text, const char *part) {
  um_keras_config c;
  OK(um_keras_config_read(&c, text, err));
  if (c.graph.count) fail_msg("taken, but must not be: %s", text);
  assert_true(c.error.code == UM_EUNSUPPORTED || c.error.code == UM_EFORMAT);
  if (!strstr(c.error.text, part)) fail_msg("expected \"%s\" in: %s", part, c.error.text);
  um_keras_config_free(&c);
}

static void taken(const char *text, const char *graph_has) {
  um_keras_config c;
  char *json;
  OK(um_keras_config_read(&c, text, err));
  if (!c.graph.count) fail_msg("%s: %s", c.error.text, text);
  OK(um_graph_to_json(&c.graph, &json, err));
  if (!strstr(json, graph_has)) fail_msg("expected %s in: %s", graph_has, json);
  free(json);
  um_keras_config_free(&c);
}

static void test_configs(void **state) {
  (void)state;
  taken(SEQUENTIAL(CONV("it", "")),
        "\"name\":\"it\",\"op\":\"conv2d\",\"inputs\":[0],\"units\":2,\"kernel\":[3,3],\"stride\":[1,1],\"padding\":[0,0,0,0]}");
  taken(SEQUENTIAL(LAYER("ZeroPadding2D", ", \"padding\": [[1, 2], [0, 1]]") CONV("c", ", \"strides\": [2, 1]")),
        "\"stride\":[2,1],\"padding\":[1,0,2,1]}");
  taken(SEQUENTIAL(CONV("c", ", \"padding\": \"same\", \"strides\": 2, \"activation\": \"relu\"")),
        "\"padding\":[0,0,1,1],\"activation\":\"relu\"}");
  taken(SEQUENTIAL(CONV("c", ", \"activation\": {\"class_name\": \"function\", \"config\": \"relu\"}")), "\"activation\":\"relu\"");
  taken(SEQUENTIAL(LAYER("Dropout", ", \"rate\": 0.5")), "\"name\":\"it\",\"op\":\"dropout\",\"inputs\":[0],\"rate\":0.5}");
  taken(SEQUENTIAL(LAYER("PReLU", ", \"shared_axes\": [1, 2]")), "\"name\":\"it\",\"op\":\"prelu\",\"inputs\":[0]}");
  taken(SEQUENTIAL(CONV("it", ", \"activation\": \"softmax\"")), "\"name\":\"it_softmax\",\"op\":\"softmax\",\"inputs\":[1]}");
  taken(SEQUENTIAL(LAYER("Softmax", ", \"axis\": [-1]")), "\"name\":\"it\",\"op\":\"softmax\"");
  /* Behind a Dropout a BatchNormalization still goes into the convolution; the ReLU then cannot. */
  taken(SEQUENTIAL(CONV("c", "") LAYER("Dropout", ", \"rate\": 0.1") ", {\"class_name\": \"BatchNormalization\", \"config\": {\"name\": "
                                                                     "\"b\"}}, {\"class_name\": \"ReLU\", \"config\": {\"name\": \"r\"}}"),
        "{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[2]}");
  taken(SEQUENTIAL(LAYER("Dropout", "") LAYER("Flatten", "") LAYER("RandomFlip", "")), "\"name\":\"it\",\"op\":\"flatten\",\"inputs\":[0]");
  taken(SEQUENTIAL(CONV("c", "") LAYER("BatchNormalization", ", \"axis\": [3]") LAYER("ReLU", "")), "\"name\":\"c\",\"op\":\"conv2d\"");
  taken(SEQUENTIAL(LAYER("MaxPooling2D", ", \"pool_size\": [3, 2]")), "\"stride\":[3,2]"); /* as the pool */
  /* An early Sequential: a list, the input's shape in the first layer. */
  taken("{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"c\", \"batch_input_shape\": "
        "[null, 8, 8, 3], \"filters\": 2, \"kernel_size\": [3, 3]}}]}",
        "\"name\":\"c\",\"op\":\"conv2d\",\"inputs\":[0]");

  refused("", "not JSON");
  refused("{\"class_name\": ", "not JSON");
  refused("{}", "a model of class \"\"");
  refused("{\"class_name\": \"MyModel\", \"config\": {}}", "class \"MyModel\"");
  refused(SEQUENTIAL(LAYER("LSTM", "")), "its layer \"it\" (LSTM): there is no such op here");
  refused(SEQUENTIAL(LAYER("Lambda", "")), "(Lambda): there is no such op here");
  refused(SEQUENTIAL(CONV("it", ", \"activation\": \"gelu\"")), "activation \"gelu\"");
  refused(SEQUENTIAL(LAYER("PReLU", "")), "its alpha is not one a channel");
  refused(SEQUENTIAL(LAYER("PReLU", ", \"shared_axes\": [1, 2, 3]")), "its alpha is not one a channel");
  refused(SEQUENTIAL(LAYER("PReLU", ", \"shared_axes\": [1]")), "its alpha is not one a channel");
  refused(SEQUENTIAL(LAYER("Softmax", ", \"axis\": 1")), "its axis is not the last");
  refused(SEQUENTIAL(LAYER("Dropout", ", \"rate\": 1.5")), "rate 1.5, expected 0 to less than 1");
  refused(SEQUENTIAL(LAYER("Dense", ", \"units\": 2")), "takes a flat input");
  refused(SEQUENTIAL(CONV("it", ", \"data_format\": \"channels_first\"")), "data_format \"channels_first\"");
  refused(SEQUENTIAL(CONV("it", ", \"dilation_rate\": [2, 2]")), "dilation_rate");
  refused(SEQUENTIAL(CONV("it", ", \"groups\": 3")), "groups");
  refused(SEQUENTIAL(CONV("it", ", \"padding\": \"causal\"")), "padding \"causal\"");
  refused(SEQUENTIAL(CONV("it", ", \"strides\": 0")), "strides");
  refused(SEQUENTIAL(CONV("it", ", \"strides\": 1e9")), "strides");
  refused(SEQUENTIAL(LAYER("Conv2D", ", \"filters\": 1.5, \"kernel_size\": 3")), "filters");
  refused(SEQUENTIAL(LAYER("Conv2D", ", \"filters\": 2, \"kernel_size\": [3, 3, 3]")), "kernel_size");
  refused(SEQUENTIAL(LAYER("Conv2D", ", \"filters\": 2, \"kernel_size\": 9")), "does not fit");
  refused(SEQUENTIAL(CONV("a/b", "")), "a slash");
  refused(SEQUENTIAL(CONV("c", "") CONV("c", "")), "two nodes are called \"c\"");
  refused(SEQUENTIAL(LAYER("ReLU", ", \"max_value\": 6.0")), "max_value");
  refused(SEQUENTIAL(LAYER("ReLU", ", \"negative_slope\": 0.1")), "negative_slope");
  refused(SEQUENTIAL(LAYER("Rescaling", ", \"scale\": 0.0078, \"offset\": -1")), "offset");
  refused(SEQUENTIAL(CONV("c", "") LAYER("Rescaling", ", \"scale\": 2")), "before all others");
  refused(SEQUENTIAL(LAYER("BatchNormalization", "")), "right before it");
  refused(SEQUENTIAL(CONV("c", ", \"activation\": \"relu\"") LAYER("BatchNormalization", "")), "right before it");
  refused(SEQUENTIAL(CONV("c", "") LAYER("BatchNormalization", ", \"axis\": 1")), "its axis");
  refused(SEQUENTIAL(LAYER("ZeroPadding2D", ", \"padding\": 1") LAYER("MaxPooling2D", ", \"pool_size\": 2")), "zeros put around");
  refused(SEQUENTIAL(LAYER("ZeroPadding2D", ", \"padding\": 1") LAYER("Flatten", "")), "zeros put around");
  refused(SEQUENTIAL(LAYER("ZeroPadding2D", ", \"padding\": 1")), "its output is not");
  refused(SEQUENTIAL(LAYER("ZeroPadding2D", ", \"padding\": 5") CONV("c", "")), "padding 5 and 5 around a window of 3");
  refused(SEQUENTIAL(LAYER("GlobalAveragePooling2D", ", \"keepdims\": true")), "keepdims");
  refused(SEQUENTIAL(LAYER("Add", "")), "1 inputs, expected 2");
  refused("{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"in\", "
          "\"batch_shape\": [null, null, null, 3]}}]}}",
          "no fixed height");
}

#define FUNCTIONAL(layers, in, out)                                                                                                        \
  "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": [{\"class_name\": \"InputLayer\", \"name\": \"in\", "        \
  "\"config\": {\"batch_input_shape\": [null, 8, 8, 3]}, \"inbound_nodes\": []}" layers "], \"input_layers\": " in                         \
  ", \"output_layers\": " out "}}"
#define NODE(name, kind, config, calls)                                                                                                    \
  ", {\"class_name\": \"" kind "\", \"name\": \"" name "\", \"config\": {" config "}, \"inbound_nodes\": " calls "}"
#define C "\"filters\": 2, \"kernel_size\": 1"

static void test_functional_configs(void **state) {
  (void)state;
  taken(FUNCTIONAL(NODE("c", "Conv2D", C, "[[[\"in\", 0, 0, {}]]]"), "[[\"in\", 0, 0]]", "[[\"c\", 0, 0]]"), "\"name\":\"c\"");
  taken(FUNCTIONAL(NODE("c", "Conv2D", C, "[[\"in\", 0, 0, {}]]"), "[\"in\", 0, 0]", "[\"c\", 0, 0]"), "\"name\":\"c\"");
  taken(FUNCTIONAL(NODE("d", "Dropout", "", "[[[\"in\", 0, 0, {\"training\": false}]]]") NODE("c", "Conv2D", C, "[[[\"d\", 0, 0]]]"),
                   "[[\"in\", 0, 0]]", "[[\"c\", 0, 0]]"),
        "\"name\":\"c\"");
  refused(FUNCTIONAL(NODE("d", "Dropout", "", "[[[\"in\", 0, 0, {\"training\": true}]]]"), "[[\"in\", 0, 0]]", "[[\"d\", 0, 0]]"),
          "is called with training");
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[[[\"in\", 0, 0, {}]], [[\"in\", 0, 0, {}]]]"), "[[\"in\", 0, 0]]", "[[\"c\", 1, 0]]"),
          "is called 2 times");
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[[[\"c\", 0, 0, {}]]]"), "[[\"in\", 0, 0]]", "[[\"c\", 0, 0]]"), "comes before \"c\"");
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[[[\"x\", 0, 0, {}]]]"), "[[\"in\", 0, 0]]", "[[\"c\", 0, 0]]"),
          "inputs cannot be understood");
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[[[\"in\", 0, 1, {}]]]"), "[[\"in\", 0, 0]]", "[[\"c\", 0, 0]]"),
          "inputs cannot be understood");
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[7]"), "[[\"in\", 0, 0]]", "[[\"c\", 0, 0]]"), "inputs cannot be understood");
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[{\"args\": [7], \"kwargs\": {}}]"), "[[\"in\", 0, 0]]", "[[\"c\", 0, 0]]"),
          "no output of a layer");
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[[[\"in\", 0, 0, {}]]]"), "[[\"in\", 0, 0]]", "[[\"c\", 0, 0], [\"in\", 0, 0]]"),
          "output_layers: expected one");
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[[[\"in\", 0, 0, {}]]]"), "[[\"in\", 0, 0], [\"c\", 0, 0]]", "[[\"c\", 0, 0]]"),
          "input_layers: expected one");
  refused(FUNCTIONAL(NODE("i", "InputLayer", "", "[]") NODE("c", "Add", "", "[[[\"in\", 0, 0, {}], [\"i\", 0, 0, {}]]]"),
                     "[[\"in\", 0, 0]]", "[[\"c\", 0, 0]]"),
          "a second input");
  /* A BatchNormalization behind a convolution that something else takes, too. */
  refused(FUNCTIONAL(NODE("c", "Conv2D", C, "[[[\"in\", 0, 0, {}]]]") NODE("b", "BatchNormalization", "", "[[[\"c\", 0, 0, {}]]]")
                         NODE("a", "Add", "", "[[[\"b\", 0, 0, {}], [\"c\", 0, 0, {}]]]"),
                     "[[\"in\", 0, 0]]", "[[\"a\", 0, 0]]"),
          "that nothing else takes");

  /* Models inside of models, without end. */
  char *deep = malloc(1 << 16), *at = deep;
  for (int i = 0; i < 100; i++) at += sprintf(at, "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [");
  for (int i = 0; i < 100; i++) at += sprintf(at, "]}}");
  refused(deep, "models inside of models");
  memset(deep, '[', 60000);
  deep[60000] = 0;
  refused(deep, "not JSON");
  free(deep);
}

/* ---- damage ---- */

/* Reads a file that may be damaged: either it is read, or there is a message that names it. */
static void try(const char *path, const um_graph *graph, int *read, int *refused_count) {
  um_model_data d;
  um_error err = {0};
  if (um_model_data_read(&d, path, graph, NULL, &err)) {
    (*refused_count)++;
    if (!strstr(err.text, path) || strchr(err.text, '\n')) fail_msg("message: %s", err.text);
    assert_true(err.code == UM_EFORMAT || err.code == UM_EUNSUPPORTED);
  } else {
    (*read)++;
    um_model_data_free(&d);
  }
}

/* Cut at every 1 % of its length, and with each byte of its headers changed in three ways. */
static void damage(const char *name, const um_graph *graph, const size_t (*headers)[2], int count) {
  static const unsigned char bits[3] = {0x01, 0x80, 0xff};
  size_t size;
  unsigned char *data = read_all(name, &size);
  char *path = strdup(tmp_path("keras/damaged.bin"));
  int read = 0, refused_count = 0;
  for (int i = 0; i < 100; i++) {
    tmp_write(path, data, size * (size_t)i / 100);
    try(path, graph, &read, &refused_count);
  }
  if (read) fail_msg("%s: %d of its beginnings were read", name, read);
  for (int h = 0; h < count; h++)
    for (size_t at = headers[h][0]; at < headers[h][1]; at++)
      for (int b = 0; b < 3; b++) {
        assert_true(at < size);
        data[at] ^= bits[b];
        tmp_write(path, data, size);
        data[at] ^= bits[b];
        try(path, graph, &read, &refused_count);
      }
  print_message("%s: %d changed files read, %d refused\n", name, read, refused_count);
  free(path);
  free(data);
}

static void test_damage_h5(void **state) {
  (void)state;
  const size_t superblock[1][2] = {{0, 96}};
  um_model_data d;
  damage(DIR "tfkeras_tiny.h5", NULL, superblock, 1);
  /* Two that fuzzing found: HDF5 1.10.8 reads the one without end, and is asked for gigabytes by the other. */
  setenv("UM_HDF5_SECONDS", "1", 1);
  SAYS(refusal(DIR "damaged_endless.h5", NULL, UM_EFORMAT), "not read within 1 s");
  unsetenv("UM_HDF5_SECONDS");
  refusal("tests/fuzz/corpus/keras_h5/found_long_text.h5", NULL, UM_EFORMAT);
  OK(um_model_data_read(&d, DIR "keras3_tiny.keras", NULL, NULL, err));
  damage(DIR "keras3_tiny.weights.h5", &d.graph, superblock, 1);
  um_model_data_free(&d);
}

/* Where the headers of a zip lie: each entry's, and the directory. */
static void test_damage_keras(void **state) {
  size_t size, headers[4][2], at = 0;
  unsigned char *data = read_all(DIR "tfkeras_tiny.keras", &size);
  int n = 0;
  (void)state;
  while (n < 3 && at + 30 < size && memcmp(data + at, "PK\3\4", 4) == 0) {
    const size_t packed = data[at + 18] | data[at + 19] << 8 | (size_t)data[at + 20] << 16, head = 30u + data[at + 26] + data[at + 28];
    headers[n][0] = at, headers[n][1] = at + head;
    at += head + packed;
    n++;
  }
  assert_int_equal(n, 3);
  headers[3][0] = at, headers[3][1] = size;
  free(data);
  damage(DIR "tfkeras_tiny.keras", NULL, (const size_t(*)[2])headers, 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_models),    cmocka_unit_test(test_weights_alone), cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_every_op),  cmocka_unit_test(test_configs),       cmocka_unit_test(test_functional_configs),
      cmocka_unit_test(test_damage_h5), cmocka_unit_test(test_damage_keras),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
