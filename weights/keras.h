/* What the readers of Keras files share: the config of a model, taken apart; an open HDF5 file; the list of tensors that comes of both.
 * Internal to weights/. */
#ifndef UM_WEIGHTS_KERAS_H
#define UM_WEIGHTS_KERAS_H

#include "weights/h5_util.h"
#include "weights/source.h"

/* A layer of a model's config, or a model inside of it. */
typedef struct um_keras_layer {
  char *name;       /* its own */
  char *store;      /* where Keras 3 keeps its variables: "layers/functional/layers/conv2d_3"; "" for the model itself */
  const char *kind; /* its class: "Conv2D"; "" where the config does not say */
  bool model;       /* it has layers of its own: the entries from the next one to end - 1 */
  bool bias;        /* Conv2D, Dense: use_bias */
  bool scale, center;
  double epsilon; /* BatchNormalization */
  int into;       /* BatchNormalization: the Conv2D or Dense that it is folded into, or -1 */
  int end;        /* one past the last entry of what lies inside of it */
  const void *json;
} um_keras_layer;

/* A model's config: every layer in the order of the text, models inside of models included; the graph in our ops, where it is made of
 * such, else why not. */
typedef struct um_keras_config {
  um_keras_layer *layer;
  int count;
  um_graph graph; /* count 0 where error says why */
  um_error error;
  double rescale; /* what a Rescaling layer before all others multiplies with; 1 where there is none */
  bool rescaled;
  bool linear;         /* the last layer is one unit without a sigmoid: taken for the logit */
  bool channels_first; /* the text says so somewhere */
  void *parsed;        /* the JSON */
} um_keras_config;

enum { UM_KERAS_CONFIG_MAX = 8 << 20 }; /* bytes; the largest of keras.applications has 2 MB */

/* keras_config.c. Takes the text of a config apart: that of Keras 2 and 3, Sequential and functional. Whatever is wrong with the text
 * is in c->error; fails (UM_ENOMEM) only where memory is short. Safe to free after any outcome, and zeroed. */
int um_keras_config_read(um_keras_config *c, const char *text, um_error *err);
void um_keras_config_free(um_keras_config *c);
/* The layer (no model) of this name, or kept at this place in the store; -1 where there is none. */
int um_keras_config_find(const um_keras_config *c, const char *name);
int um_keras_config_at(const um_keras_config *c, const char *store);

/* keras_graph.c, keras_ops.c: fills graph, rescale, linear and every `into` from the layers; UM_EUNSUPPORTED names the first layer that we have not. */
int um_keras_graph(um_keras_config *c, um_error *err);

/* An open file. */
typedef struct um_keras_file {
  hid_t file, weights; /* the file, and the group that paths of tensors begin at */
  uint64_t size;       /* of the HDF5 file, in bytes */
  char *metadata;      /* metadata.json of a .keras file, or NULL */
  bool has_config;
  um_keras_config config;
  struct um_keras_item *item; /* beside the source's, once um_keras_finish has been called */
  int items;
  H5E_auto2_t print; /* what printed HDF5's errors before us, and its context */
  void *print_context;
} um_keras_file;

/* keras_h5.c. Makes s->handle with nothing open in it; um_weight_source_close closes what has been opened since. */
int um_keras_begin(um_weight_source *s, const char *path, um_error *err);
/* keras_h5.c: finds out of which of Keras' layouts k->file is and lists it, named with k->config where there is one. */
int um_keras_list(um_weight_source *s, const um_graph *graph, um_error *err);

/* keras_store.c: lists Keras 3's store (.weights.h5, and what lies in .keras), in k->file. */
bool um_keras_is_store(const um_keras_file *k);
int um_keras_store_list(um_weight_source *s, const um_graph *graph, um_error *err);

/* keras_items.c. After the listing: biases that layers have not (zeros), and kernels and biases with a BatchNormalization folded in. */
int um_keras_finish(um_weight_source *s, const um_graph *graph, um_error *err);
int um_keras_read_item(um_weight_source *s, int index, float *values, int64_t count, um_error *err);
/* keras_items.c: the source's `model`. */
int um_keras_model(um_weight_source *s, um_graph *graph, um_preprocess *p, unsigned *said, um_error *err);

/* "x_12" -> "x"; false where there is no number to cut. */
bool um_keras_cut_number(char *text);

#endif
