/* What the readers of weights files have in common: a list of named tensors, described first and read later, so that everything is
 * checked against the model before a byte of it changes or any memory is asked for. Internal to weights/, but for tools/inspect. */
#ifndef UM_WEIGHTS_SOURCE_H
#define UM_WEIGHTS_SOURCE_H

#include "core/checkpoint.h"
#include "core/graph.h"

enum { UM_WEIGHT_MAX_DIMS = 8 };

/* How a tensor lies in the file, against how our model keeps it (kernels H W I O, dense kernels in x out, inputs flattened H W C). */
typedef enum um_weight_layout {
  UM_WEIGHT_OURS,
  UM_WEIGHT_OIHW,   /* convolution, PyTorch and ONNX */
  UM_WEIGHT_OI,     /* dense, out x in */
  UM_WEIGHT_OI_CHW, /* dense, out x in, and the inputs are a flattened C H W */
  UM_WEIGHT_IO_CHW  /* dense, in x out, and the inputs are a flattened C H W */
} um_weight_layout;

typedef struct um_weight_item {
  char *name; /* as the model would call it: "block1_conv1/kernel"; as the file does where the file is of no model of ours */
  char *from; /* where it lies in the file: "block1_conv1/block1_conv1_W_1:0" */
  int ndim;
  int64_t dim[UM_WEIGHT_MAX_DIMS]; /* in the file's order */
  um_weight_layout layout;
  int64_t chw[3]; /* _CHW: the picture that was flattened */
  char dtype[12]; /* in the file: "f32", "f16", "bf16", "f64", "u8", "i64" ... */
} um_weight_item;

typedef struct um_weight_source {
  const char *path; /* for messages; the caller's */
  um_weight_item *item;
  int count, room;
  char kind[96];  /* "Keras HDF5, keras 2.3.1", "safetensors", "PyTorch state dict (zip), torchvision's names" */
  char note[192]; /* what people should know ("trained on BGR minus the ImageNet mean"), or "" */
  void *handle;
  /* Values of an item as float32, row-major in the file's order; count is the product of its dimensions, which the caller has checked. */
  int (*read)(struct um_weight_source *s, int index, float *values, int64_t count, um_error *err);
  void (*close)(struct um_weight_source *s);
  /* The model in the file, where the format carries one (NULL elsewhere): its graph in our ops, and what it says of preprocessing and
   * classes (said: UM_SAYS_ bits; the rest of p stays as it is). UM_EUNSUPPORTED names the first part that we do not have. */
  int (*model)(struct um_weight_source *s, um_graph *graph, um_preprocess *p, unsigned *said, um_error *err);
} um_weight_source;

enum { UM_SAYS_CLASSES = 1, UM_SAYS_PREPROCESS = 2 };

/* Opens a file and lists its tensors; trusts nothing in it. The graph (may be NULL: then names are the file's, and every layout OURS
 * unless the format says otherwise) tells which names are layers of ours, and what was flattened. On failure there is nothing to close. */
typedef int um_weight_open(um_weight_source *s, const char *path, const um_graph *graph, um_error *err);
um_weight_open um_keras_h5_open;  /* keras_h5.c: notop, full .h5, .weights.h5 */
um_weight_open um_keras_zip_open; /* keras_zip.c: .keras */
um_weight_open um_st_source_open; /* st_source.c: safetensors, names of ours, torchvision's or timm's */
um_weight_open um_torch_open;     /* torch.c: .pt and .pth, zip or legacy pickle */
um_weight_open um_onnx_open;      /* onnx.c */
um_weight_open um_npz_open;       /* npz.c: names of ours */

/* open.c: the reader for what the file begins with (never its name). room: the most values that read() will be asked for. */
int um_weight_source_open(um_weight_source *s, const char *path, const um_graph *graph, int64_t room, um_error *err);

/* The same in a process of its own (weights/apart.c), for a reader whose library may crash on a damaged file. room: the most values
 * that read() will be asked for. */
int um_weight_source_apart(um_weight_source *s, const char *path, const um_graph *graph, um_weight_open *open_file, int64_t room,
                           um_error *err);

/* items.c: appends an item with copies of the texts; dim, layout and dtype are set by the caller. NULL when memory is short. */
um_weight_item *um_weight_source_add(um_weight_source *s, const char *name, const char *from);
void um_weight_source_close(um_weight_source *s); /* close(), then the items; safe on a zeroed struct */

/* layout.c: the dimensions that an item has in our layout; false where they do not go with its layout. */
bool um_weight_shape(const um_weight_item *item, int *ndim, int64_t dim[UM_WEIGHT_MAX_DIMS]);
/* layout.c: its values in our layout. count: of values, room for as many twice: what read() gives lies in `spare` before it is turned. */
int um_weight_read(um_weight_source *s, int index, float *values, float *spare, int64_t count, um_error *err);
/* The way back, for writers: values in our layout into the file's; item says which. */
void um_weight_turn_back(const um_weight_item *item, float *out, const float *values);

/* match.c: a parameter that a model wants, its plain tensor described. */
typedef struct um_weight_want {
  const char *name;
  int node;
  um_tensor plain;
} um_weight_want;
/* Which item goes into each parameter (-1: none), by name, with every shape compared. remedy: the end of the message where one differs. */
int um_weight_match(int *item_of, const um_weight_source *s, const um_weight_want *want, int count, const char *remedy, um_error *err);
/* UM_EFORMAT where a parameter up to the node `last` (NULL: the graph's last) has no item. */
int um_weight_cover(const int *item_of, const um_weight_source *s, const um_graph *graph, const um_weight_want *want, int count,
                    const char *last, um_error *err);
const char *um_weight_shape_text(char *text, size_t size, const int64_t *dim, int ndim); /* "3x3x3x64", and "scalar" */

/* torch_names.c: renames the items of a file with PyTorch's names (torchvision's and timm's vgg16: features.0.weight ...; the two dense
 * layers of our own export) to the graph's, and sets their layouts. Items of other names stay. True where the file is one of those;
 * scheme gets its name for people. Given no graph it only looks. */
bool um_torch_names(um_weight_source *s, const um_graph *graph, const char **scheme);

#endif
