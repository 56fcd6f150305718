/* A backbone for tests and quick experiments: four 3x3 convolutions with ReLU (16, 32, 64, 64 filters), each followed by a 2x2 max
 * pool; 60,512 parameters. It trains in seconds on small pictures; it is no detector. */
#include <stdio.h>

#include "core/graph.h"

int um_graph_add_tiny(um_graph *g, int64_t height, int64_t width, um_error *err) {
  static const int filters[4] = {16, 32, 64, 64};
  static const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  int last;
  if (height < 16 || width < 16) return um_fail(err, UM_ECONFIG, "tiny: expected pictures of at least 16x16");
  last = um_graph_add_input(g, "input", height, width, 3, err);
  for (int i = 0; i < 4 && last >= 0; i++) {
    char name[UM_NAME_MAX];
    snprintf(name, sizeof name, "tiny_conv%d", i + 1);
    last = um_graph_add_conv2d(g, name, last, filters[i], three, one, UM_PAD_SAME, UM_ACT_RELU, err);
    if (last < 0) break;
    snprintf(name, sizeof name, "tiny_pool%d", i + 1);
    last = um_graph_add_pool(g, name, UM_OP_MAX_POOL, last, two, two, UM_PAD_VALID, err);
  }
  return last;
}
