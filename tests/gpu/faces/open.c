/* weights/open.c's part for gpu_faces, which shall run where there is no HDF5: PyTorch's files and safetensors alone. */
#include <stdio.h>
#include <string.h>

#include "weights/source.h"

int um_weight_source_open(um_weight_source *s, const char *path, const um_graph *graph, int64_t room, um_error *err) {
  unsigned char head[16];
  FILE *f = fopen(path, "rb");
  (void)room;
  if (!f) return um_fail(err, UM_EIO, "%s: cannot be opened", path);
  const size_t n = fread(head, 1, sizeof head, f);
  fclose(f);
  if (n >= 9 && head[8] == '{') return um_st_source_open(s, path, graph, err);
  if (n >= 4 && memcmp(head, "PK\3\4", 4) == 0) return um_torch_open(s, path, graph, err);
  if (n >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5) return um_torch_open(s, path, graph, err); /* a pickle */
  return um_fail(err, UM_EFORMAT, "%s: expected safetensors or PyTorch's; this program reads no other", path);
}
