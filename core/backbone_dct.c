/* A small residual network for forgeries, to be trained from random weights on faces of 96x96 to 160x160 with pixels times 1/255
 * (data.rescale).
 *
 * What gives a swapped face away is faint: a softer or sharper patch, a seam, noise that stops. In pixels it drowns in brightness, and
 * a first layer of random filters hands on little of it, so that training stands still for long. Here the first layer begins as a 4x4
 * cosine transform (JPEG's, smaller) in steps of 2, each coefficient scaled so that on faces all are about as large as each other, and
 * is trained on from there; a network on such coefficients: Xu et al., "Learning in the Frequency Domain", CVPR 2020. The rest is that
 * of He et al. 2016 without normalisation, and a 1x1 convolution at the end that leaves few enough channels for a head which looks at
 * each place by itself ("flatten"). 496,608 parameters, a sixteenth of the height and width. */
#include <math.h>
#include <stdio.h>

#include "core/graph.h"

enum { FILTERS = 16, SIZE = 4 };

/* A row a filter: which plane (brightness, blue less brightness, red less brightness), how many half waves down and across. The ten
 * lowest of brightness in JPEG's order, the three lowest of each colour. */
static const struct {
  int plane, down, across;
} coefficient[FILTERS] = {{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 2, 0}, {0, 1, 1}, {0, 0, 2}, {0, 0, 3}, {0, 1, 2},
                          {0, 2, 1}, {0, 3, 0}, {1, 0, 0}, {1, 0, 1}, {1, 1, 0}, {2, 0, 0}, {2, 0, 1}, {2, 1, 0}};

/* One over the root mean square of the coefficients, by down + across, over 300 DFDC faces at 128x128; rounded. */
static const double brightness_gain[] = {1, 12, 40, 100}, colour_gain[] = {3, 70};

static double cosine(int k, int at) { return cos((2 * at + 1) * k * acos(-1) / (2 * SIZE)) * sqrt((k ? 2.0 : 1.0) / SIZE); }

void um_dct_kernel(float *kernel) {
  static const double mix[3][3] = {{0.299, 0.587, 0.114}, {-0.299, -0.587, 0.886}, {0.701, -0.587, -0.114}};
  for (int y = 0; y < SIZE; y++)
    for (int x = 0; x < SIZE; x++)
      for (int c = 0; c < 3; c++)
        for (int f = 0; f < FILTERS; f++) {
          const int plane = coefficient[f].plane, down = coefficient[f].down, across = coefficient[f].across;
          const double gain = plane ? colour_gain[down + across] : brightness_gain[down + across];
          *kernel++ = (float)(gain * mix[plane][c] * cosine(down, y) * cosine(across, x));
        }
}

/* x + conv(relu(conv(x))), then ReLU. */
static int residual(um_graph *g, const char *name, int x, int64_t filters, um_error *err) {
  static const int three[2] = {3, 3}, one[2] = {1, 1};
  char part[UM_NAME_MAX];
  snprintf(part, sizeof part, "%.50s_conv1", name);
  int inner = um_graph_add_conv2d(g, part, x, filters, three, one, UM_PAD_SAME, UM_ACT_RELU, err);
  if (inner < 0) return inner;
  snprintf(part, sizeof part, "%.50s_conv2", name);
  inner = um_graph_add_conv2d(g, part, inner, filters, three, one, UM_PAD_SAME, UM_ACT_NONE, err);
  if (inner < 0) return inner;
  return um_graph_add_simple(g, name, UM_OP_ADD, (const int[]){x, inner}, 2, UM_ACT_RELU, err);
}

int um_graph_add_dct(um_graph *g, int64_t height, int64_t width, um_error *err) {
  static const int filters[3] = {32, 64, 128};
  static const int four[2] = {SIZE, SIZE}, three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  char name[UM_NAME_MAX];
  if (height < 16 || width < 16) return um_fail(err, UM_ECONFIG, "dct: expected pictures of at least 16x16");
  int last = um_graph_add_input(g, "input", height, width, 3, err);
  if (last >= 0) last = um_graph_add_conv2d(g, "dct", last, FILTERS, four, two, UM_PAD_SAME, UM_ACT_NONE, err);
  if (last >= 0) g->node[last].init = UM_INIT_DCT;
  if (last >= 0) last = um_graph_add_conv2d(g, "block0_conv", last, 32, three, one, UM_PAD_SAME, UM_ACT_RELU, err);
  for (int b = 0; b < 3 && last >= 0; b++) {
    snprintf(name, sizeof name, "block%d_conv", b + 1);
    last = um_graph_add_conv2d(g, name, last, filters[b], three, two, UM_PAD_SAME, UM_ACT_RELU, err);
    if (last < 0) break;
    snprintf(name, sizeof name, "block%d", b + 1);
    last = residual(g, name, last, filters[b], err);
  }
  if (last >= 0) last = um_graph_add_conv2d(g, "reduce", last, 16, one, one, UM_PAD_SAME, UM_ACT_RELU, err);
  return last;
}
