/* A model of ours as a list of Keras layers: what both of Keras' formats are written from. Internal to weights/. */
#ifndef UM_WEIGHTS_KERAS_LAYERS_H
#define UM_WEIGHTS_KERAS_LAYERS_H

#include <cjson/cJSON.h>

#include "weights/model_data.h"

typedef struct um_keras_out {
  char name[UM_NAME_MAX + 16];
  const char *kind;  /* its class: "Conv2D" */
  const char *store; /* its class in Keras 3's store: "conv2d" */
  int number;        /* among those of its class */
  cJSON *config;     /* as get_config() has it, the input's shape left out */
  int n_inputs, input[UM_MAX_INPUTS];
  int ndim;
  int64_t dim[3];      /* of the output, without N */
  int weight[2];       /* as tensors of the model; -1: none */
  const char *word[2]; /* how Keras calls them */
} um_keras_out;

typedef struct um_keras_layers {
  um_keras_out *layer;
  int count, room;
  int output; /* the layer that gives the model's output */
} um_keras_layers;

/* keras_layers.c. UM_EUNSUPPORTED names the node that Keras has no layer for. The output is the probability of classes[1]. */
int um_keras_layers_make(um_keras_layers *k, const um_model_data *d, um_error *err);
void um_keras_layers_free(um_keras_layers *k);

/* The config of the whole model as text, malloc'd; NULL when memory is short. keras3: as config.json of a .keras file has it, else as
 * the attribute model_config of an .h5 file, which Keras 2 and 3 read. */
char *um_keras_layers_config(const um_keras_layers *k, bool keras3);

#endif
