#include "tests/support/gradcam_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/golden.h"

void build_gradcam(um_graph *g, const char *name) {
  int at;
  *g = (um_graph){0};
  if (strcmp(name, "tiny") == 0)
    OK(at = um_graph_add_tiny(g, 32, 32, err));
  else
    OK(at = um_graph_add_dct(g, 64, 64, err));
  OK(at = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense", at, 8, UM_ACT_RELU, err));
  OK(at = um_graph_add_dense(g, "dense_1", at, 1, UM_ACT_NONE, err));
  OK(um_graph_add_simple(g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err));
}

static void set_weights(um_model *m) {
  int count;
  const um_param *p = um_model_params(m, &count);
  for (int i = 0; i < count; i++) {
    const int64_t n = um_tensor_count(&p[i].plain);
    const double fan = (double)n / (double)p[i].plain.dim[p[i].plain.ndim - 1];
    const bool bias = p[i].plain.ndim == 1;
    const double scale = bias ? 1 / 8192. : exp2(floor(log2(sqrt(12 / fan)))) / 2048;
    float *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    for (int64_t k = 0; k < n; k++) x[k] = (float)(((int)(golden_word(300 + (uint32_t)i, (uint32_t)k) % 2001) - 1000) * scale);
    OK(um_model_set(m, 'w', i, x, err));
    free(x);
  }
}

void open_gradcam(gradcam_fixture *f, const char *device, const char *name, const char *layer, int64_t batch) {
  const um_backend_options o = {.device = device, .engine = UM_ENGINE_NATIVE, .cache_dir = ""};
  *f = (gradcam_fixture){0};
  build_gradcam(&f->graph, name);
  OK(um_backend_open_with(&f->be, &o, err));
  OK(um_model_create(&f->model, &f->graph, f->be, &(um_model_options){.batch = batch, .gradient_at = layer}, err));
  set_weights(f->model);
  if (layer) OK(um_gradcam_open(&f->cam, f->model, err));
}

void feed_gradcam(gradcam_fixture *f) {
  const um_node *in = &f->graph.node[0];
  const uint32_t n = (uint32_t)(in->dim[0] * in->dim[1] * in->dim[2]);
  float *x = malloc((size_t)n * GRADCAM_PICTURES * sizeof *x);
  assert_non_null(x);
  for (uint32_t s = 0; s < GRADCAM_PICTURES; s++)
    for (uint32_t i = 0; i < n; i++) x[s * n + i] = (float)(golden_word(900 + s, i) % (64 + 96 * s)) / 256;
  OK(um_model_feed(f->model, x, GRADCAM_PICTURES, err));
  OK(um_model_forward(f->model, err));
  free(x);
}

void close_gradcam(gradcam_fixture *f) {
  um_gradcam_close(&f->cam);
  um_model_free(f->model);
  um_graph_free(&f->graph);
  f->be->ops->close(f->be);
}
