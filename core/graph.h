/* A model's structure: nodes in topological order, a DAG from day one. No memory, no backend: only names, ops and shapes. */
#ifndef UM_CORE_GRAPH_H
#define UM_CORE_GRAPH_H

#include "core/ops.h"

#define UM_NAME_MAX 64

/* How a kernel begins where no weights are loaded. */
typedef enum um_init { UM_INIT_GLOROT, UM_INIT_DCT } um_init;

typedef struct um_node {
  char name[UM_NAME_MAX]; /* as in Keras: block1_conv1, block1_pool, flatten, dense, dense_1 */
  um_op_kind op;
  um_activation activation; /* fused: CONV2D, DENSE, ADD */
  int n_inputs;
  int input[UM_MAX_INPUTS]; /* indices of earlier nodes */
  um_window window;         /* CONV2D and pools; padding resolved when the node is added */
  int64_t units;            /* CONV2D: output channels; DENSE: outputs */
  double rate;              /* DROPOUT */
  um_init init;             /* CONV2D; not in a model's file, which has the weights */
  int ndim;                 /* shape of the output of one sample, without N: 3 (H W C) or 1 (C) */
  int64_t dim[3];
} um_node;

typedef struct um_graph {
  um_node *node;
  int count;
} um_graph;

typedef enum um_padding { UM_PAD_VALID, UM_PAD_SAME } um_padding;

/* Each um_graph_add_* appends a node, infers its shape and returns its index (>= 0), or a negative um_code. `name` must be new;
 * NULL makes one as Keras does (dense, dense_1, ...). */
int um_graph_add_input(um_graph *g, const char *name, int64_t height, int64_t width, int64_t channels, um_error *err);
int um_graph_add_conv2d(um_graph *g, const char *name, int input, int64_t filters, const int kernel[2], const int stride[2],
                        um_padding padding, um_activation activation, um_error *err);
int um_graph_add_pool(um_graph *g, const char *name, um_op_kind kind, int input, const int size[2], const int stride[2], um_padding padding,
                      um_error *err);
/* The same with the padding given; a pooling in ceil mode has padding after. A maximum takes no part of the padding, nor does an average. */
int um_graph_add_conv2d_window(um_graph *g, const char *name, int input, int64_t filters, const um_window *window, um_activation activation,
                               um_error *err);
int um_graph_add_pool_window(um_graph *g, const char *name, um_op_kind kind, int input, const um_window *window, um_error *err);
/* Padding after of a pooling in ceil mode, as PyTorch and ONNX have it: the last window may reach over the border, but begins inside. */
int um_pool_ceil_padding(int64_t in, int size, int stride);
int um_graph_add_dense(um_graph *g, const char *name, int input, int64_t units, um_activation activation, um_error *err);
/* alpha is a parameter, NAME/alpha, one a channel (the last dimension). */
int um_graph_add_prelu(um_graph *g, const char *name, int input, um_error *err);
/* rate: the share that is dropped in training, 0 <= rate < 1. */
int um_graph_add_dropout(um_graph *g, const char *name, int input, double rate, um_error *err);
/* FLATTEN, GLOBAL_AVG_POOL, RELU, SIGMOID, PRELU, SOFTMAX (one input), ADD, CONCAT (several). */
int um_graph_add_simple(um_graph *g, const char *name, um_op_kind kind, const int *input, int n_inputs, um_activation activation,
                        um_error *err);

void um_graph_free(um_graph *g);
int um_graph_copy(um_graph *out, const um_graph *g, um_error *err);
int um_graph_find(const um_graph *g, const char *name); /* index, or -1 */

/* The graph as JSON text and back (the `graph` metadata of a model file). The text is malloc'd. Reading trusts nothing. */
int um_graph_to_json(const um_graph *g, char **text, um_error *err);
int um_graph_from_json(um_graph *g, const char *text, um_error *err);

/* VGG16 without its top (Simonyan & Zisserman 2014), nodes named as in Keras, appended after an input of height x width x 3;
 * returns the index of block5_pool. Fails where the input is smaller than 32. */
int um_graph_add_vgg16(um_graph *g, int64_t height, int64_t width, um_error *err);

/* Four small convolutions (core/backbone_tiny.c), for tests and quick experiments; returns the index of tiny_pool4. Fails where the
 * input is smaller than 16. */
int um_graph_add_tiny(um_graph *g, int64_t height, int64_t width, um_error *err);

/* A small residual network behind a cosine transform (core/backbone_dct.c), for training from random weights; returns the index of
 * "reduce". Fails where the input is smaller than 16. */
int um_graph_add_dct(um_graph *g, int64_t height, int64_t width, um_error *err);
/* The kernel of UM_INIT_DCT: 4 x 4 x 3 x 16, H W I O. */
void um_dct_kernel(float *kernel);

#endif
