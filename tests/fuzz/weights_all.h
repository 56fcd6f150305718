/* A source of weights: every tensor described and read, with a graph and without one. */
#ifndef UM_TESTS_FUZZ_WEIGHTS_ALL_H
#define UM_TESTS_FUZZ_WEIGHTS_ALL_H

#include "tests/fuzz/fuzz.h"
#include "weights/source.h"

enum { WEIGHTS_MOST = 1 << 20 /* values of a tensor that are asked for */ };

/* The model that the files of tests/golden/weights/ are of; made once. */
static inline const um_graph *weights_graph(void) {
  static const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  static um_graph g;
  um_error err;
  if (g.count > 0) return &g;
  int at = um_graph_add_input(&g, "input_1", 8, 8, 3, &err);
  at = um_graph_add_conv2d(&g, "block1_conv1", at, 2, three, one, UM_PAD_SAME, UM_ACT_RELU, &err);
  at = um_graph_add_pool(&g, "block1_pool", UM_OP_MAX_POOL, at, two, two, UM_PAD_VALID, &err);
  at = um_graph_add_simple(&g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_dense(&g, "dense", at, 3, UM_ACT_RELU, &err);
  at = um_graph_add_dense(&g, "dense_1", at, 1, UM_ACT_NONE, &err);
  FUZZ_CHECK(at > 0);
  return &g;
}

static inline void weights_read(um_weight_source *s) {
  um_error err;
  um_preprocess p = {0};
  um_graph g = {0};
  unsigned said = 0;
  for (int i = 0; i < s->count; i++) {
    const um_weight_item *item = &s->item[i];
    int64_t dim[UM_WEIGHT_MAX_DIMS], count = 1;
    int ndim;
    FUZZ_CHECK(item->name && item->from && item->ndim >= 0 && item->ndim <= UM_WEIGHT_MAX_DIMS && item->dtype[0]);
    for (int d = 0; d < item->ndim; d++) {
      FUZZ_CHECK(item->dim[d] >= 0);
      if (count > 0) FUZZ_CHECK(!__builtin_mul_overflow(count, item->dim[d], &count));
    }
    if (count > WEIGHTS_MOST || !um_weight_shape(item, &ndim, dim)) continue;
    float *values = malloc((size_t)count * sizeof *values + 1), *spare = malloc((size_t)count * sizeof *values + 1);
    FUZZ_CHECK(values && spare);
    um_weight_read(s, i, values, spare, count, &err);
    free(spare);
    free(values);
  }
  if (s->model && s->model(s, &g, &p, &said, &err) == UM_OK) um_graph_free(&g);
}

static inline int weights_all(const uint8_t *data, size_t size, um_weight_open *open_file) {
  const char *path = fuzz_file(data, size);
  for (int with = 0; with < 2; with++) {
    um_weight_source s;
    um_error err = {0};
    const int status = open_file(&s, path, with ? weights_graph() : NULL, &err);
    FUZZ_CHECK(status == UM_OK || (err.code == status && err.text[0] && !strchr(err.text, '\n')));
    if (status != UM_OK) continue;
    weights_read(&s);
    um_weight_source_close(&s);
  }
  return 0;
}

#endif
