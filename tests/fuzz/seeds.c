/* Writes the seeds that our own programs make: model files, a checkpoint, graphs. Not part of the tests; by hand, from the root:
 *   make build/libunmask.a && cc -I. -D_GNU_SOURCE -o build/seeds tests/fuzz/seeds.c build/libunmask.a -fopenmp -ldnnl \
 *     $(pkg-config --cflags --libs libcjson)  -lm -pthread && build/seeds tests/fuzz/corpus */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checkpoint.h"
#include "tests/fuzz/small_graph.h"

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

int main(int argc, char **argv) {
  um_preprocess p = {.target_size = {6, 8},
                     .rescale = 1.0 / 255,
                     .faces.detector = "haar",
                     .faces.margin = 0.25,
                     .faces.max_size = 1000,
                     .classes = {"fake", "real"}};
  const um_position position = {
      .epoch = 1, .batch = 2, .step = 3, .loss_sum = 1.5, .samples = 4, .correct = 3, .best = INFINITY, .best_epoch = -1, .states = 3};
  um_graph g = {0}, vgg16 = {0}, pooled = {0};
  um_backend *ref;
  um_model *m;
  char path[1024], *text;
  if (argc != 2) return 2;
  must(um_ref_open(&ref, &err));
  must(small_graph(&g, &err));
  const um_model_options o = {
      .batch = 1, .training = true, .optimizer = {.kind = UM_OPT_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}};
  must(um_model_create(&m, &g, ref, &o, &err));
  must(um_model_init(m, 7, &err));
  snprintf(path, sizeof path, "%s/safetensors/model.safetensors", argv[1]);
  must(um_checkpoint_save(path, m, &p, NULL, &err));
  snprintf(path, sizeof path, "%s/safetensors/checkpoint.safetensors", argv[1]);
  must(um_checkpoint_save(path, m, &p, &position, &err));
  p.calibration = (um_calibration){UM_CALIBRATION_PLATT, .5, -.25, true, .75, .25, .05, .05, 40, 30};
  snprintf(path, sizeof path, "%s/safetensors/calibrated.safetensors", argv[1]);
  must(um_checkpoint_save(path, m, &p, NULL, &err));
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
