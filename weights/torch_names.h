/* What PyTorch calls the parameters of a graph, and how it lays them out. Internal to weights/. */
#ifndef UM_WEIGHTS_TORCH_NAMES_H
#define UM_WEIGHTS_TORCH_NAMES_H

#include "weights/source.h"

/* A layer with parameters: NAME.weight and NAME.bias; of a PReLU NAME.weight alone. */
typedef struct um_torch_slot {
  int node;
  char name[UM_NAME_MAX];  /* "features.0", "classifier.2"; in a graph that is no chain, the node's own */
  um_weight_layout layout; /* of the weight */
  int64_t chw[3];
  bool clear; /* false: its inputs are a mixture of flattened pictures and others, for which there is no layout */
} um_torch_slot;

/* The layers of a graph in its order, malloc'd. A chain is two torch.nn.Sequential, as in torchvision's vgg16: `features` up to a
 * flatten or a global pooling, in which convolution, ReLU and pooling are a module each, and `classifier` behind it. */
int um_torch_slots(um_torch_slot **out, int *count, bool *chain, const um_graph *graph, um_error *err);

#endif
