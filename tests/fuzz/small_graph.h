/* The graph of the seeds' models: every op once, two ways that meet in a sum and in a row of channels. */
#ifndef UM_TESTS_FUZZ_SMALL_GRAPH_H
#define UM_TESTS_FUZZ_SMALL_GRAPH_H

#include "core/graph.h"

/* The index of the last node, or a negative um_code. */
static inline int small_graph(um_graph *g, um_error *err) {
  static const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  *g = (um_graph){0};
  int a = um_graph_add_input(g, "input", 6, 8, 3, err);
  a = um_graph_add_conv2d(g, "conv", a, 2, three, one, UM_PAD_SAME, UM_ACT_RELU, err);
  int b = um_graph_add_conv2d(g, "beside", a, 2, one, one, UM_PAD_VALID, UM_ACT_NONE, err);
  a = um_graph_add_simple(g, "add", UM_OP_ADD, (const int[]){a, b}, 2, UM_ACT_RELU, err);
  b = um_graph_add_pool(g, "max", UM_OP_MAX_POOL, a, two, two, UM_PAD_VALID, err);
  a = um_graph_add_pool(g, "mean", UM_OP_AVG_POOL, a, two, two, UM_PAD_SAME, err);
  a = um_graph_add_simple(g, "concat", UM_OP_CONCAT, (const int[]){a, b}, 2, UM_ACT_NONE, err);
  a = um_graph_add_simple(g, "relu", UM_OP_RELU, &a, 1, UM_ACT_NONE, err);
  a = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &a, 1, UM_ACT_NONE, err);
  a = um_graph_add_dense(g, "dense", a, 3, UM_ACT_RELU, err);
  a = um_graph_add_dense(g, "dense_1", a, 1, UM_ACT_NONE, err);
  return um_graph_add_simple(g, "dense_1_sigmoid", UM_OP_SIGMOID, &a, 1, UM_ACT_NONE, err);
}

#endif
