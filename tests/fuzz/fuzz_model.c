/* A model in any format, found by content, as infer and export read it: its graph, then every parameter that the graph asks for; and where
 * the file carries no graph, with one that the seeds go with. Files that HDF5 would be asked about are left out: that is done in a
 * process of its own (weights/apart.c), which takes longer than a run here should. */
#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "tests/fuzz/small_graph.h"
#include "weights/model_data.h"

/* Reads without HDF5: .h5, and .keras, which is a zip around one. */
static bool asks_hdf5(const uint8_t *data, size_t size) {
  const size_t n = size < 4096 ? size : 4096;
  static const char *const names[] = {"metadata.json", "config.json", "model.weights.h5"};
  if (size >= 4 && memcmp(data, "\x89HDF", 4) == 0) return true;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (size >= 4 && memcmp(data, "PK\3\4", 4) == 0 && memmem(data, n, names[i], strlen(names[i]))) return true;
  return false;
}

static void check(const um_model_data *d) {
  FUZZ_CHECK(d->graph.count > 0 && d->preprocess.target_size[0] == d->graph.node[0].dim[0]);
  for (int i = 0; i < d->count; i++)
    for (int64_t k = 0; k < um_tensor_count(&d->tensor[i]); k++) FUZZ_CHECK(isfinite(((const float *)d->tensor[i].data)[k]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = fuzz_file(data, size);
  um_model_data d;
  um_graph g;
  um_error err;
  char kind[96], **metadata;
  if (asks_hdf5(data, size)) return 0;
  int status = um_model_data_read(&d, path, NULL, kind, &err);
  if (status == UM_EUNSUPPORTED) {
    FUZZ_CHECK(small_graph(&g, &err) > 0);
    status = um_model_data_read(&d, path, &g, kind, &err);
    um_graph_free(&g);
  }
  if (status != UM_OK) return 0;
  check(&d);
  FUZZ_CHECK((metadata = um_model_metadata(&d, &err)));
  free(metadata);
  um_model_data_free(&d);
  return 0;
}
