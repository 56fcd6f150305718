/* safetensors, as a file of weights and as a model file of ours. Every byte of every tensor is read. */
#include "tests/fuzz/fuzz.h"

#include "core/checkpoint.h"
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
  if (s->model && s->model(s, &g, &p, &said, &err) == UM_OK) um_graph_free(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = fuzz_file(data, size);
  um_st *st = NULL;
  um_graph g;
  um_preprocess p;
  um_error err;
  um_weight_source s;
  if (um_st_open(&st, path, &err) != UM_OK) return 0;
  for (int i = 0; i < um_st_count(st); i++) {
    const um_st_entry *e = um_st_at(st, i);
    FUZZ_CHECK(um_st_find(st, e->name) == e && (size_t)um_tensor_count(&e->tensor) * um_dtype_size(e->tensor.dtype) == e->tensor.bytes);
    void *copy = malloc(e->tensor.bytes + 1);
    FUZZ_CHECK(copy);
    if (e->tensor.bytes > 0) memcpy(copy, e->tensor.data, e->tensor.bytes);
    free(copy);
  }
  um_st_close(st);
  if (um_checkpoint_open(&st, &g, &p, path, &err) == UM_OK) {
    char hex[65];
    um_checkpoint_verify(st, hex, path, &err);
    um_st_close(st);
    um_graph_free(&g);
  }
  if (um_st_source_open(&s, path, NULL, &err) == UM_OK) {
    read_all(&s);
    um_weight_source_close(&s);
  }
  return 0;
}
