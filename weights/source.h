/* What the readers of weights files have in common: a list of named tensors, described first and read later, so that everything is
 * checked against the model before a byte of it changes or any memory is asked for. Internal to weights/. */
#ifndef UM_WEIGHTS_SOURCE_H
#define UM_WEIGHTS_SOURCE_H

#include "core/graph.h"

enum { UM_WEIGHT_MAX_DIMS = 8 };

typedef struct um_weight_item {
  char *name; /* as the model would call it: "block1_conv1/kernel" */
  char *from; /* where it lies in the file: "block1_conv1/block1_conv1_W_1:0" */
  int ndim;
  int64_t dim[UM_WEIGHT_MAX_DIMS];
} um_weight_item;

typedef struct um_weight_source {
  const char *path; /* for messages; the caller's */
  um_weight_item *item;
  int count, room;
  char kind[96]; /* "Keras HDF5, keras 2.3.1", "safetensors" */
  void *handle;
  /* Values of an item as float32, row-major; count is the product of its dimensions, which the caller has checked. */
  int (*read)(struct um_weight_source *s, int index, float *values, int64_t count, um_error *err);
  void (*close)(struct um_weight_source *s);
} um_weight_source;

/* Opens a file and lists its tensors; trusts nothing in it. The graph tells which part of a Keras name is a layer's. On failure
 * there is nothing to close. */
typedef int um_weight_open(um_weight_source *s, const char *path, const um_graph *graph, um_error *err);
um_weight_open um_keras_h5_open;
int um_st_source_open(um_weight_source *s, const char *path, um_error *err);

/* The same in a process of its own (weights/apart.c), for a reader whose library may crash on a damaged file. room: the most values
 * that read() will be asked for. */
int um_weight_source_apart(um_weight_source *s, const char *path, const um_graph *graph, um_weight_open *open_file, int64_t room,
                           um_error *err);

/* Appends an item with copies of the texts; dim is set by the caller. NULL when memory is short. */
um_weight_item *um_weight_source_add(um_weight_source *s, const char *name, const char *from);
void um_weight_source_close(um_weight_source *s); /* close(), then the items; safe on a zeroed struct */

#endif
