/* Between graph.c and graph_json.c. */
#ifndef UM_CORE_GRAPH_IMPL_H
#define UM_CORE_GRAPH_IMPL_H

#include "core/graph.h"

/* Appends a node of like's op, inputs, window, units, activation (and, for INPUT, shape) after checking every one of them, and
 * infers its shape; returns its index or a negative um_code. name as in um_graph_add_*. */
int um_graph_append(um_graph *g, const char *name, const um_node *like, um_error *err);

#endif
