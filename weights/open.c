/* The reader of a weights file, by what the file begins with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "weights/source.h"

/* True where the bytes occur in the first part of a file: a zip's first names, say. */
static bool holds(const unsigned char *head, size_t n, const char *text) { return memmem(head, n, text, strlen(text)) != NULL; }

int um_weight_source_open(um_weight_source *s, const char *path, const um_graph *graph, int64_t room, um_error *err) {
  static const unsigned char hdf5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  unsigned char head[4096];
  struct stat st;
  FILE *f = fopen(path, "rb");
  if (!f) return um_fail(err, UM_EIO, "%s: cannot be opened: %s", path, strerror(errno));
  if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
    fclose(f);
    return um_fail(err, UM_EFORMAT, "%s: a folder or a device, expected a file", path);
  }
  const size_t n = fread(head, 1, sizeof head, f);
  fclose(f);
  if (n >= 8 && memcmp(head, hdf5, sizeof hdf5) == 0) return um_weight_source_apart(s, path, graph, um_keras_h5_open, room, err);
  if (n >= 9 && head[8] == '{') return um_st_source_open(s, path, graph, err);
  if (n >= 4 && memcmp(head, "PK\3\4", 4) == 0) {
    /* All three are zips; their first entries differ. */
    if (holds(head, n, "metadata.json") || holds(head, n, "config.json") || holds(head, n, "model.weights.h5"))
      return um_weight_source_apart(s, path, graph, um_keras_zip_open, room, err);
    return holds(head, n, ".npy") ? um_npz_open(s, path, graph, err) : um_torch_open(s, path, graph, err);
  }
  if (n >= 6 && memcmp(head, "\x93NUMPY", 6) == 0) return um_npz_open(s, path, graph, err);
  if (n >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5) return um_torch_open(s, path, graph, err); /* a pickle */
  if (n >= 2 && head[0] == 0x08 && head[1] >= 1 && head[1] <= 32) return um_onnx_open(s, path, graph, err); /* ir_version */
  return um_fail(err, UM_EFORMAT, "%s: %s; expected Keras (.h5, .weights.h5, .keras), safetensors, PyTorch (.pt, .pth), ONNX or .npz", path,
                 n == 0  ? "an empty file"
                 : n < 9 ? "too short for a weights file"
                         : "none of the formats that are read, by its first bytes");
}
