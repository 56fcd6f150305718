/* Writes the seeds that our own programs make: model files, a checkpoint, graphs. Not part of the tests; by hand, from the root:
 *   make build/libunmask.a && cc -I. -D_GNU_SOURCE -o build/seeds tests/fuzz/seeds.c build/libunmask.a -fopenmp -ldnnl \
 *     $(pkg-config --cflags --libs libcjson) -lm -pthread && build/seeds tests/fuzz/corpus */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checkpoint.h"
#include "core/file.h"

static um_error err;

static void must(int status) {
  if (status >= 0) return;
  fprintf(stderr, "seeds: %s\n", err.text);
  exit(1);
}

static void write_text(const char *folder, const char *name, const char *text) {
  char path[1024];
  snprintf(path, sizeof path, "%s/graph/%s", folder, name);
  FILE *f = fopen(path, "wb");
  if (!f || fputs(text, f) < 0 || fclose(f)) exit(1);
}

/* Every op once: two ways that meet in a sum and a row of channels. */
static void make_graph(um_graph *g) {
  static const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  int a, b, both[2];
  must(a = um_graph_add_input(g, "input", 6, 8, 3, &err));
  must(a = um_graph_add_conv2d(g, "conv", a, 2, three, one, UM_PAD_SAME, UM_ACT_RELU, &err));
  must(b = um_graph_add_conv2d(g, "beside", a, 2, one, one, UM_PAD_VALID, UM_ACT_NONE, &err));
  both[0] = a, both[1] = b;
  must(a = um_graph_add_simple(g, "add", UM_OP_ADD, both, 2, UM_ACT_RELU, &err));
  must(b = um_graph_add_pool(g, "max", UM_OP_MAX_POOL, a, two, two, UM_PAD_VALID, &err));
  must(a = um_graph_add_pool(g, "mean", UM_OP_AVG_POOL, a, two, two, UM_PAD_SAME, &err));
  both[0] = a, both[1] = b;
  must(a = um_graph_add_simple(g, "concat", UM_OP_CONCAT, both, 2, UM_ACT_NONE, &err));
  must(a = um_graph_add_simple(g, "relu", UM_OP_RELU, &a, 1, UM_ACT_NONE, &err));
  must(a = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &a, 1, UM_ACT_NONE, &err));
  must(a = um_graph_add_dense(g, "dense", a, 3, UM_ACT_RELU, &err));
  must(a = um_graph_add_dense(g, "dense_1", a, 1, UM_ACT_NONE, &err));
  must(um_graph_add_simple(g, "dense_1_sigmoid", UM_OP_SIGMOID, &a, 1, UM_ACT_NONE, &err));
}

int main(int argc, char **argv) {
  const um_preprocess p = {
      .target_size = {6, 8}, .rescale = 1.0 / 255, .detector = "haar", .margin = 0.25, .max_size = 1000, .classes = {"fake", "real"}};
  const um_position position = {
      .epoch = 1, .batch = 2, .step = 3, .loss_sum = 1.5, .samples = 4, .correct = 3, .best = INFINITY, .best_epoch = -1, .states = 3};
  um_graph g = {0}, vgg16 = {0}, pooled = {0};
  um_backend *ref;
  um_model *m;
  char path[1024], *text;
  if (argc != 2) return 2;
  must(um_ref_open(&ref, &err));
  make_graph(&g);
  const um_model_options o = {
      .batch = 1, .training = true, .optimizer = {.kind = UM_OPT_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}};
  must(um_model_create(&m, &g, ref, &o, &err));
  must(um_model_init(m, 7, &err));
  snprintf(path, sizeof path, "%s/safetensors/model.safetensors", argv[1]);
  must(um_checkpoint_save(path, m, &p, NULL, &err));
  snprintf(path, sizeof path, "%s/safetensors/checkpoint.safetensors", argv[1]);
  must(um_checkpoint_save(path, m, &p, &position, &err));
  must(um_graph_to_json(&g, &text, &err));
  write_text(argv[1], "every_op.json", text);
  free(text);
  must(um_graph_add_vgg16(&vgg16, 32, 32, &err));
  must(um_graph_to_json(&vgg16, &text, &err));
  write_text(argv[1], "vgg16.json", text);
  free(text);
  int last;
  must(last = um_graph_add_tiny(&pooled, 16, 16, &err));
  must(um_graph_add_simple(&pooled, NULL, UM_OP_GLOBAL_AVG_POOL, &last, 1, UM_ACT_NONE, &err));
  must(um_graph_to_json(&pooled, &text, &err));
  write_text(argv[1], "tiny.json", text);
  free(text);
  um_model_free(m);
  um_graph_free(&g);
  um_graph_free(&vgg16);
  um_graph_free(&pooled);
  ref->ops->close(ref);
  return 0;
}
