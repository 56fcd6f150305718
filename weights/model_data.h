/* A model outside of a backend: graph, preprocessing and every parameter as plain host floats. What importers make and exporters take. */
#ifndef UM_WEIGHTS_MODEL_DATA_H
#define UM_WEIGHTS_MODEL_DATA_H

#include "weights/source.h"

typedef struct um_model_data {
  um_graph graph;
  um_preprocess preprocess;
  unsigned said;     /* UM_SAYS_ bits: what of preprocess the file said */
  um_tensor *tensor; /* f32, plain, our layouts; data malloc'd */
  char **name;       /* "block1_conv1/kernel", "block1_conv1/bias" ..., in the graph's order */
  int count;
} um_model_data;

/* Reads a model of any format (by content). Where the file carries no graph (a state dict, weights alone), `graph` gives it; else it
 * may be NULL, and where it is not, must be the file's own. Every parameter must be there. kind (96 bytes, may be NULL): for people. */
int um_model_data_read(um_model_data *d, const char *path, const um_graph *graph, char *kind, um_error *err);
void um_model_data_free(um_model_data *d);

/* A model for inference on the backend with these parameters. */
int um_model_data_bind(um_model **m, const um_model_data *d, um_backend *be, int64_t batch, um_precision precision, um_error *err);
/* The same with all that may be said of a model. */
int um_model_data_bind_with(um_model **m, const um_model_data *d, um_backend *be, const um_model_options *options, um_error *err);
/* Our own model file (DESIGN, section 4). */
int um_model_data_save(const um_model_data *d, const char *path, um_error *err);

typedef struct um_export_options {
  bool channels_first;     /* onnx: N C H W input */
  bool bytes;              /* onnx: uint8 pixels in place of float; implies the preprocessing inside */
  bool with_preprocessing; /* onnx: rescale or BGR minus mean inside the graph: the input is pixels from 0 to 255 */
} um_export_options;

/* Each writes `path` whole (the caller has it renamed into place). Class names and preprocessing go into the format's own metadata. */
typedef int um_exporter(const um_model_data *d, const um_export_options *o, const char *path, um_error *err);
um_exporter
    um_export_keras_h5;      /* export_keras.c: .h5, opens with keras.models.load_model of Keras 2 and 3 as a flat model of named layers */
um_exporter um_export_keras; /* export_keras.c: .keras, the same for Keras 3 */
um_exporter um_export_torch; /* export_torch.c: safetensors with torchvision's names and PyTorch's layouts */
um_exporter um_export_onnx;  /* export_onnx.c */
um_exporter um_export_npz;   /* export_npz.c */

/* The metadata that all formats carry, as string pairs key, value, ..., NULL ("unmask.classes": "[\"fake\", \"real\"]",
 * "unmask.preprocessing": {...}, "unmask.positive": "real" ...); malloc'd as one block. And the way back. */
char **um_model_metadata(const um_model_data *d, um_error *err);
unsigned um_model_metadata_read(um_preprocess *p, const char *(*find)(void *arg, const char *key), void *arg);

#endif
