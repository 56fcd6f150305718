/* The graph of a model file. One that is read is written again, and reads back as the same. */
#include "tests/fuzz/fuzz.h"

#include "core/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = fuzz_text(data, size), *one = NULL, *two = NULL;
  um_graph g, h;
  um_error err;
  if (um_graph_from_json(&g, text, &err) == UM_OK) {
    FUZZ_CHECK(um_graph_to_json(&g, &one, &err) == UM_OK);
    FUZZ_CHECK(um_graph_from_json(&h, one, &err) == UM_OK);
    FUZZ_CHECK(um_graph_to_json(&h, &two, &err) == UM_OK);
    FUZZ_CHECK(g.count == h.count && strcmp(one, two) == 0);
    um_graph_free(&h);
    free(two);
    free(one);
  }
  um_graph_free(&g);
  free(text);
  return 0;
}
