/* Between keras_graph.c, which goes through a model, and keras_ops.c, which knows its layers. Internal to both. */
#ifndef UM_WEIGHTS_KERAS_GRAPH_H
#define UM_WEIGHTS_KERAS_GRAPH_H

#include <cjson/cJSON.h>

#include "core/graph_impl.h"
#include "weights/keras.h"

/* What a layer gives: the output of a node, after zeros have been put around it. */
typedef struct um_keras_value {
  int node; /* -1: nothing yet */
  int pad_before[2], pad_after[2];
  int foldable; /* the Conv2D or Dense that made it, as an entry, while nothing has been done to its sums since; else -1 */
  bool folded;  /* a BatchNormalization has been */
  bool sole;    /* one layer alone takes it, and whatever it was made of since that node */
} um_keras_value;

typedef struct um_keras_work {
  um_keras_config *c;
  um_graph *g;
  um_keras_value *out; /* of each entry */
  int *uses;           /* of each entry: how many take it */
} um_keras_work;

static inline um_keras_value um_keras_made(int node) { return (um_keras_value){.node = node, .foldable = -1}; }

static inline bool um_keras_padded(const um_keras_value *v) {
  return v->pad_before[0] || v->pad_before[1] || v->pad_after[0] || v->pad_after[1];
}

/* keras_ops.c: a key of a layer's config, or NULL. */
const cJSON *um_keras_get(const um_keras_layer *l, const char *key);
/* UM_EUNSUPPORTED with the layer's name and class. */
int um_keras_refuse(um_error *err, const um_keras_layer *l, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A whole number, not below least and not too large. */
bool um_keras_whole(const cJSON *v, int least, int *out);
/* The status of an um_graph_* call: what a graph cannot be is refused. */
int um_keras_added(int status, const um_keras_layer *l, um_error *err);
/* A layer (no model, no InputLayer) of these inputs, into w->out[entry]. */
int um_keras_op(um_keras_work *w, int entry, const um_keras_value *in, int n, um_error *err);

#endif
