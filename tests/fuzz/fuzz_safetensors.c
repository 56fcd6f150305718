/* safetensors, as a file of weights, as a model file of ours and as a checkpoint to go on from. Every byte of every tensor is read. */
#include "core/checkpoint.h"
#include "tests/fuzz/small_graph.h"
#include "tests/fuzz/weights_all.h"

/* The model that checkpoint.safetensors is of; made once. */
static um_model *model(void) {
  static const um_model_options o = {
      .batch = 1, .training = true, .optimizer = {.kind = UM_OPT_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}};
  static um_model *m;
  um_backend *ref;
  um_graph g;
  um_error err;
  if (m) return m;
  FUZZ_CHECK(small_graph(&g, &err) > 0 && um_ref_open(&ref, &err) == UM_OK && um_model_create(&m, &g, ref, &o, &err) == UM_OK);
  um_graph_free(&g);
  return m;
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
    um_position position;
    um_checkpoint_verify(st, hex, path, &err);
    um_checkpoint_load(model(), st, &position, &err);
    um_checkpoint_load(model(), st, NULL, &err);
    um_st_close(st);
    um_graph_free(&g);
  }
  if (um_st_source_open(&s, path, NULL, &err) == UM_OK) {
    weights_read(&s);
    um_weight_source_close(&s);
  }
  return 0;
}
