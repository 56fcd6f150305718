/* ONNX: the messages, the graph, every value of every tensor; once as it is, once for a model that is given. */
#include "tests/fuzz/weights_all.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static um_graph tiny;
  const char *path = fuzz_file(data, size);
  um_error err;
  um_weight_source s;
  if (!tiny.count) FUZZ_CHECK(um_graph_add_tiny(&tiny, 32, 32, &err) >= 0);
  for (int pass = 0; pass < 2; pass++)
    if (um_onnx_open(&s, path, pass ? &tiny : NULL, &err) == UM_OK) {
      weights_read(&s);
      um_weight_source_close(&s);
    }
  return 0;
}
