#include "core/graph.h"

#include <inttypes.h>
#include <stdio.h>

/* Configuration D of Simonyan & Zisserman 2014, table 1, as keras.applications.VGG16(include_top=False) builds it: 3x3
 * convolutions with stride 1, "same" padding and ReLU, each block closed by a 2x2 maximum with stride 2. */
int um_graph_add_vgg16(um_graph *g, int64_t height, int64_t width, um_error *err) {
  static const struct { int convolutions, filters; } block[] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}};
  static const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};

  if (height < 32 || width < 32)
    return um_fail(err, UM_ECONFIG,
                   "vgg16: an input of %" PRId64 "x%" PRId64 " is too small for its five poolings, expected at least 32x32", height, width);
  int last = um_graph_add_input(g, "input", height, width, 3, err);
  for (int b = 0; b < 5 && last >= 0; b++) {
    char name[UM_NAME_MAX];
    for (int c = 0; c < block[b].convolutions && last >= 0; c++) {
      snprintf(name, sizeof name, "block%d_conv%d", b + 1, c + 1);
      last = um_graph_add_conv2d(g, name, last, block[b].filters, three, one, UM_PAD_SAME, UM_ACT_RELU, err);
    }
    if (last < 0) break;
    snprintf(name, sizeof name, "block%d_pool", b + 1);
    last = um_graph_add_pool(g, name, UM_OP_MAX_POOL, last, two, two, UM_PAD_VALID, err);
  }
  return last;
}
