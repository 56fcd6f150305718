/* ONNX: the messages, the graph, every value of every tensor; once as it is, once for a model that is given. */
#include "tests/fuzz/fuzz.h"

#include "weights/source.h"

static void read_all(um_weight_source *s) {
  um_error err;
  um_preprocess p = {0};
  um_graph g = {0};
  unsigned said = 0;
  for (int i = 0; i < s->count; i++) {
    int64_t dim[UM_WEIGHT_MAX_DIMS], count = 1;
    int ndim;
    FUZZ_CHECK(um_weight_shape(&s->item[i], &ndim, dim));
    for (int k = 0; k < ndim; k++) count *= dim[k];
    float *values = malloc((size_t)count * sizeof *values + 1), *spare = malloc((size_t)count * sizeof *values + 1);
    FUZZ_CHECK(values && spare);
    um_weight_read(s, i, values, spare, count, &err);
    free(spare);
    free(values);
  }
  if (s->model(s, &g, &p, &said, &err) == UM_OK) {
    FUZZ_CHECK(g.count > 0);
    um_graph_free(&g);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static um_graph tiny;
  const char *path = fuzz_file(data, size);
  um_error err;
  um_weight_source s;
  if (!tiny.count) FUZZ_CHECK(um_graph_add_tiny(&tiny, 32, 32, &err) >= 0);
  for (int pass = 0; pass < 2; pass++)
    if (um_onnx_open(&s, path, pass ? &tiny : NULL, &err) == UM_OK) {
      read_all(&s);
      um_weight_source_close(&s);
    }
  return 0;
}
