/* A reader of Keras files on fuzzed bytes, in a process of its own, as everywhere: libhdf5 1.10.8 itself crashes on damaged files, which is
 * an answer here. What must not crash, hang or lie is this process. */
#ifndef UM_TESTS_FUZZ_KERAS_APART_H
#define UM_TESTS_FUZZ_KERAS_APART_H

#include "tests/fuzz/fuzz.h"

#include "weights/source.h"

/* The path of a file in $TMPDIR with these bytes: HDF5 takes none that has no real path, such as one in memory. */
static const char *keras_file(const uint8_t *data, size_t size) {
  static char path[4096];
  static int fd = -1;
  if (fd < 0) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/fuzz_keras_XXXXXX", folder ? folder : "/tmp");
    fd = mkstemp(path);
  }
  FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
  return path;
}

static int keras_apart(const uint8_t *data, size_t size, um_weight_open *open_file) {
  enum { ROOM = 1 << 16 };
  um_weight_source s;
  um_error err = {0};
  setenv("UM_HDF5_SECONDS", "1", 0);
  if (um_weight_source_apart(&s, keras_file(data, size), NULL, open_file, ROOM, &err) != UM_OK) {
    FUZZ_CHECK(err.code != UM_OK && err.text[0]);
    return 0;
  }
  float *values = malloc(ROOM * sizeof *values);
  FUZZ_CHECK(values);
  for (int i = 0; i < s.count; i++) {
    const um_weight_item *item = &s.item[i];
    int64_t count = 1;
    FUZZ_CHECK(item->name && item->from && item->ndim >= 0 && item->ndim <= UM_WEIGHT_MAX_DIMS);
    for (int k = 0; k < item->ndim && count <= ROOM; k++) {
      FUZZ_CHECK(item->dim[k] > 0);
      count = item->dim[k] > ROOM ? ROOM + 1 : count * item->dim[k];
    }
    if (count <= ROOM && s.read(&s, i, values, count, &err) != UM_OK) break;
  }
  free(values);
  if (s.model) {
    um_graph graph = {0};
    um_preprocess p = {.rescale = 1, .faces.fps = 1};
    unsigned said = 0;
    if (s.model(&s, &graph, &p, &said, &err) == UM_OK) FUZZ_CHECK(graph.count > 0);
    um_graph_free(&graph);
  }
  um_weight_source_close(&s);
  return 0;
}

#endif
