#include "tests/support/weights_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "tests/support/golden.h"
#include "tests/support/tmp.h"

um_graph weights_model_graph;

int weights_model_build(void **state) {
  const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  um_graph *g = &weights_model_graph;
  int at;
  (void)state;
  OK(at = um_graph_add_input(g, "input_1", 8, 8, 3, err));
  OK(at = um_graph_add_conv2d(g, "block1_conv1", at, 2, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(at = um_graph_add_pool(g, "block1_pool", UM_OP_MAX_POOL, at, two, two, UM_PAD_VALID, err));
  OK(at = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(g, "dense", at, 3, UM_ACT_RELU, err));
  OK(at = um_graph_add_dense(g, "dense_1", at, 1, UM_ACT_NONE, err));
  return 0;
}

int weights_model_drop(void **state) {
  (void)state;
  um_graph_free(&weights_model_graph);
  return 0;
}

float weights_model_value(int p, uint32_t i) { return (float)((int)(golden_word(100 + (uint32_t)p, i) % 2001) - 1000) / 1024; }

static float as_bf16(float x) {
  uint32_t bits = (uint32_t)um_bf16_of(x) << 16;
  memcpy(&x, &bits, sizeof x);
  return x;
}

void weights_model_check(const char *path, int rounded, const char *kind) {
  um_model_data d;
  char found[96];
  OK(um_model_data_read(&d, path, &weights_model_graph, found, err));
  assert_int_equal(d.count, 6);
  for (int p = 0; p < 6; p++) {
    const float *value = d.tensor[p].data;
    for (int64_t i = 0; i < um_tensor_count(&d.tensor[p]); i++) {
      float want = weights_model_value(p, (uint32_t)i);
      if (p == rounded) want = as_bf16(want);
      if (value[i] != want) fail_msg("%s: %s[%d] is %g, expected %g", path, d.name[p], (int)i, (double)value[i], (double)want);
    }
  }
  assert_string_equal(found, kind);
  um_model_data_free(&d);
}

void weights_model_round_trip(um_exporter *export_model, const char *name, const char *kind) {
  const um_export_options options = {0};
  um_model_data d, back;
  char found[96], folder[64], *path, *again, *first, *second;
  size_t first_size, second_size;
  snprintf(folder, sizeof folder, "export/%.40s", name);
  path = strdup(tmp_path(folder));
  snprintf(folder, sizeof folder, "export/again-%.40s", name);
  again = strdup(tmp_path(folder));

  OK(um_model_data_read(&d, "tests/golden/weights/npz_stored.npz", &weights_model_graph, NULL, err));
  for (int p = 0; p < d.count; p++) {
    uint32_t *bits = d.tensor[p].data;
    for (int64_t i = 0; i < um_tensor_count(&d.tensor[p]); i++) {
      bits[i] = golden_word(200 + (uint32_t)p, (uint32_t)i);
      if ((bits[i] & 0x7f800000) == 0x7f800000) bits[i] ^= 0x40000000; /* finite: denormals and negative zero may be */
    }
  }
  ((uint32_t *)d.tensor[0].data)[0] = 0x80000000;
  ((uint32_t *)d.tensor[0].data)[1] = 1;
  d.preprocess = (um_preprocess){.target_size = {8, 8},
                                 .interpolation = UM_BILINEAR,
                                 .rescale = 1 / 127.5,
                                 .faces.detector = "haar",
                                 .faces.margin = 0.25,
                                 .faces.fps = 3,
                                 .faces.max_size = 700,
                                 .classes = {"fake \"x\"", "r\xc3\xa9"
                                                           "al"}};
  OK(export_model(&d, &options, path, err));
  OK(export_model(&d, &options, again, err));
  OK(um_file_read(&first, &first_size, path, 1 << 24, err));
  OK(um_file_read(&second, &second_size, again, 1 << 24, err));
  assert_int_equal(first_size, second_size);
  assert_memory_equal(first, second, first_size);
  free(first);
  free(second);

  OK(um_model_data_read(&back, path, NULL, found, err));
  assert_string_equal(found, kind);
  assert_int_equal(back.count, d.count);
  for (int p = 0; p < d.count; p++) {
    assert_string_equal(back.name[p], d.name[p]);
    assert_true(um_tensor_same_shape(&back.tensor[p], &d.tensor[p]));
    assert_memory_equal(back.tensor[p].data, d.tensor[p].data, d.tensor[p].bytes);
  }
  assert_int_equal(back.said, UM_SAYS_CLASSES | UM_SAYS_PREPROCESS);
  const um_preprocess *a = &d.preprocess, *b = &back.preprocess;
  assert_int_equal(b->target_size[0], a->target_size[0]);
  assert_int_equal(b->interpolation, a->interpolation);
  assert_true(b->rescale == a->rescale && b->faces.margin == a->faces.margin && b->faces.fps == a->faces.fps);
  assert_int_equal(b->faces.max_size, a->faces.max_size);
  assert_string_equal(b->classes[0], a->classes[0]);
  assert_string_equal(b->classes[1], a->classes[1]);
  um_model_data_free(&back);
  um_model_data_free(&d);
  free(path);
  free(again);
}

int weights_model_read_all(um_weight_open *open_file, const char *path, char message[1024]) {
  um_weight_source s;
  um_error err = {0};
  float value[512];
  int status = open_file(&s, path, &weights_model_graph, &err);
  if (!status) {
    for (int i = 0; i < s.count && !status; i++) {
      int64_t n = 1;
      for (int d = 0; d < s.item[i].ndim; d++)
        if (__builtin_mul_overflow(n, s.item[i].dim[d], &n)) n = 513;
      if (n <= 512) status = s.read(&s, i, value, n, &err);
    }
    um_weight_source_close(&s);
  }
  snprintf(message, 1024, "%s", err.text);
  return status;
}

int weights_model_read_npz(const char *path, char message[1024]) { return weights_model_read_all(um_npz_open, path, message); }
int weights_model_read_torch(const char *path, char message[1024]) { return weights_model_read_all(um_torch_open, path, message); }
