/* The config of a Keras model, which is JSON: into layers, and into a graph. In process: no HDF5 here. */
#include "tests/fuzz/fuzz.h"

#include "weights/keras.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  um_keras_config c;
  um_error err = {0};
  char *text = fuzz_text(data, size), *json;
  if (um_keras_config_read(&c, text, &err) == UM_OK) {
    FUZZ_CHECK((c.graph.count > 0) == (c.error.code == UM_OK));
    for (int i = 0; i < c.count; i++) {
      const um_keras_layer *l = &c.layer[i];
      FUZZ_CHECK(l->end > i && l->end <= c.count && l->into < c.count && l->into != i);
      if (!l->model) FUZZ_CHECK(um_keras_config_find(&c, l->name) >= 0 && um_keras_config_at(&c, l->store) >= 0);
    }
    /* What it makes is a graph like any other: it goes through our own format. */
    if (c.graph.count > 0) {
      um_graph again;
      FUZZ_CHECK(um_graph_to_json(&c.graph, &json, &err) == UM_OK && um_graph_from_json(&again, json, &err) == UM_OK);
      FUZZ_CHECK(again.count == c.graph.count);
      um_graph_free(&again);
      free(json);
    }
  }
  um_keras_config_free(&c);
  free(text);
  return 0;
}
