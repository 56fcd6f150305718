/* Between the files of the ONNX reader: onnx.c (the source of weights), onnx_proto.c (the file's messages), onnx_tensor.c (values),
 * onnx_graph.c, onnx_ops.c, onnx_shape.c (the graph in ops of ours). Formats: onnx.proto of ONNX 1.23. */
#ifndef UM_WEIGHTS_ONNX_IMPL_H
#define UM_WEIGHTS_ONNX_IMPL_H

#include "weights/map.h"
#include "weights/protobuf.h"
#include "weights/source.h"

enum {
  ONNX_FLOAT = 1,
  ONNX_UINT8,
  ONNX_INT8,
  ONNX_UINT16,
  ONNX_INT16,
  ONNX_INT32,
  ONNX_INT64,
  ONNX_STRING,
  ONNX_BOOL,
  ONNX_FLOAT16,
  ONNX_DOUBLE,
  ONNX_UINT32,
  ONNX_UINT64,
  ONNX_BFLOAT16 = 16
};
enum { ONNX_MAX_NODES = 1 << 14, ONNX_MAX_TENSORS = 1 << 16, ONNX_MAX_OPERANDS = 1 << 17, ONNX_MAX_PROPS = 1 << 10 };

/* A TensorProto whose values lie in the file; what it claims of its size has been held against them. */
typedef struct onnx_tensor {
  um_pb name, message, raw;
  bool has_raw;
  bool constant; /* the value of a Constant node, no initialiser */
  bool claimed;  /* a parameter of our graph comes from it */
  int type, ndim;
  int64_t dim[UM_WEIGHT_MAX_DIMS], count;
} onnx_tensor;

typedef struct onnx_node {
  um_pb name, op, domain, message;
  int first_input, inputs, first_output, outputs; /* of file->operand */
} onnx_node;

/* An input or an output of the graph; a dimension that is not given is -1, all of them unknown: ndim -1. */
typedef struct onnx_info {
  um_pb name;
  int type, ndim;
  int64_t dim[UM_WEIGHT_MAX_DIMS];
} onnx_info;

typedef struct onnx_prop {
  um_pb key, value;
} onnx_prop;

typedef struct onnx_file {
  const char *path;
  um_map map;
  onnx_tensor *tensor;
  onnx_node *node;
  um_pb *operand;
  onnx_info *input, *output;
  onnx_prop *prop;
  int tensors, nodes, operands, inputs, outputs, props;
  int64_t opset; /* of the standard domain; 0: not said */
  um_pb producer, producer_version;
} onnx_file;

/* onnx.c: which of the two classes is the fake one, as infer has it; -1: none is. */
int um_onnx_fake_class(const um_preprocess *p);

/* onnx_proto.c: maps the file and lists what is in it. */
int onnx_file_open(onnx_file *f, const char *path, um_error *err);
void onnx_file_close(onnx_file *f);
bool onnx_is(um_pb text, const char *word);
char *onnx_text(char *out, size_t size, um_pb text); /* a copy for messages: cut, and control characters become '?' */
/* Attributes of a node. */
bool onnx_attribute(const onnx_node *n, const char *name, um_pb *attribute);
int64_t onnx_int(const onnx_node *n, const char *name, int64_t fallback);
float onnx_float(const onnx_node *n, const char *name, float fallback);
bool onnx_string(const onnx_node *n, const char *name, um_pb *text);
int onnx_ints(const onnx_node *n, const char *name, int64_t *out, int room); /* how many; -1: not there; -2: more than room, damaged */

/* onnx_tensor.c */
int onnx_tensor_open(onnx_tensor *t, um_pb message, const char *path, um_error *err);
const char *onnx_type_name(int type); /* "f32" ... */
bool onnx_is_float(int type);
/* All values as float32, or as int64 (integers only); count is the tensor's. */
int onnx_tensor_floats(const onnx_tensor *t, float *out, const char *path, um_error *err);
int onnx_tensor_ints(const onnx_tensor *t, int64_t *out, const char *path, um_error *err);

/* How the order of an ONNX value's elements goes with ours. dim[0] is the batch. */
typedef enum onnx_order {
  ONNX_ROW,    /* the same order, whatever the dimensions are */
  ONNX_CHW,    /* N C H W (or N C W), ours N H W C */
  ONNX_HWC,    /* N H W C (or N W C) */
  ONNX_ROW_CHW /* N K: a flattened C H W; ours is flattened H W C */
} onnx_order;

typedef enum onnx_kind { ONNX_NONE, ONNX_TENSOR, ONNX_NUMBERS, ONNX_VALUE } onnx_kind;

#define ONNX_BATCH INT64_MIN /* among numbers: the batch, whatever it is */

/* What a name in the graph stands for. */
typedef struct onnx_value {
  onnx_kind kind;
  int readers;
  bool shared;  /* somebody else reads the same node's output, too */
  bool pending; /* the input itself, and the arithmetic on it is still collected (onnx_pre) */
  bool floats;  /* false: integers, which only a cast may follow */
  int tensor;   /* TENSOR */
  bool turned;  /* a matrix, transposed */
  int n;        /* NUMBERS: how many, or -1: a scalar */
  int64_t number[UM_WEIGHT_MAX_DIMS];
  int node; /* VALUE: of our graph */
  onnx_order order;
  int ndim;
  int64_t dim[UM_WEIGHT_MAX_DIMS];
  int64_t chw[3]; /* ROW_CHW */
  int pad[4];     /* zeros around it that the next window takes over: top, left, bottom, right; dim counts them, the node does not */
  bool padded;
} onnx_value;

/* How the parameters of a node of ours come about: kernel = gain[o] w, bias = bias_gain[o] b + shift[o] (by output channel; NULL: as
 * they are). */
typedef struct onnx_recipe {
  bool used;
  int w, b; /* tensors; w -1: `fill` at (from[o], o), by default (o, o), and 0 elsewhere; b -1: zeros */
  um_weight_layout layout;
  int64_t chw[3];
  float fill;
  int from[4];
  bool permuted;
  bool bends; /* a PRELU: alpha is this tensor, one value or one a channel; nothing else of the recipe is used */
  int alpha;
  double *gain, *bias_gain, *shift;
} onnx_recipe;

/* Arithmetic on the input: y[c] = scale[c] x[from[c]] + offset[c]. */
typedef struct onnx_pre {
  double scale[4], offset[4];
  int from[4];
  bool any;
} onnx_pre;

enum { ONNX_MAX_PRE = 4, ONNX_MAX_DIAGONAL = 8192 };

typedef struct onnx_graph {
  const onnx_file *file;
  const char *path;
  um_graph graph;
  onnx_recipe *recipe; /* by node of the graph */
  int recipes;
  onnx_value *value;
  int values;
  int *operand;     /* of file->operand: its value, -1: none */
  bool *needed;     /* by ONNX node */
  uint32_t *bucket; /* names to values: value + 1, 0: empty */
  um_pb *name;      /* by value */
  uint32_t mask;
  const onnx_value *output;
  int64_t batch; /* of the input, -1: any */
  int64_t cost;  /* values of all kernels so far */
  onnx_pre pre;
  bool rescales, caffe, bytes; /* what the graph does of preprocessing; its input is u8 */
  bool negated, stripped;      /* its output is that of our sigmoid's other class; the Neg that does it was found */
  float rescale;
  um_error *err;
} onnx_graph;

/* onnx_graph.c. size: of the input where the file leaves height and width open, or NULL. False class: the file's own metadata say that the
 * output is the probability of class 0. On failure what was made so far stays (its parameters are known), and err says why. */
int onnx_graph_make(onnx_graph *g, const onnx_file *f, const int64_t size[2], bool other_class, um_error *err);
void onnx_graph_free(onnx_graph *g);

/* For the ops. A node's input (NULL: not there) and output. */
onnx_value *onnx_in(onnx_graph *g, const onnx_node *n, int i);
void onnx_out(onnx_graph *g, const onnx_node *n, int i, const onnx_value *v);
__attribute__((format(printf, 3, 4))) int onnx_refuse(onnx_graph *g, const onnx_node *n, const char *format, ...);
/* The value of input i as a node of our graph, floats, arithmetic on the input settled; v gets a copy of it. */
int onnx_take(onnx_graph *g, const onnx_node *n, int i, onnx_value *v);
int onnx_take_padded(onnx_graph *g, const onnx_node *n, int i, onnx_value *v); /* for what knows of v->pad; the others refuse it */
/* Appends a node named after the weights, else the ONNX node; its index or a negative um_code. w: a tensor or -1. */
int onnx_add(onnx_graph *g, const onnx_node *n, const um_node *like, int w);
onnx_recipe *onnx_recipe_of(onnx_graph *g, const onnx_node *n, int node, int w, int b, um_weight_layout layout);
/* y = gain x + shift by channel of the node's output, in its recipe. */
int onnx_fold(onnx_graph *g, int node, const double *gain, const double *shift);
/* The same as a convolution or a dense layer of its own over v. fill: of the diagonal. */
int onnx_diagonal(onnx_graph *g, const onnx_node *n, onnx_value *v, const um_window *window, float fill, const int *from);
int64_t onnx_channels(const onnx_graph *g, const onnx_value *v); /* of our node: its last dimension */
bool onnx_row_order(const onnx_value *v);                        /* its elements lie as ours do */
int onnx_flat(onnx_graph *g, const onnx_node *n,
              onnx_value *v); /* its node with one dimension, a FLATTEN put after it where it has three */
int onnx_window(onnx_graph *g, const onnx_node *n, const onnx_value *x, const int64_t *kernel, um_window *w, bool ceil_mode);
void onnx_set_chw(onnx_graph *g, onnx_value *v, int node); /* v is now that node, N C H W */
bool onnx_foldable(const onnx_graph *g, const onnx_value *v);
/* Input i as a tensor of the file: its index, -1: not there; UM_EUNSUPPORTED where it is no constant of numbers. */
int onnx_constant_in(onnx_graph *g, const onnx_node *n, int i, const char *what);
/* y = gain x + shift by channel, folded into the layer before it where that has no other reader, else as a layer of its own. */
int onnx_affine(onnx_graph *g, const onnx_node *n, onnx_value *v, const double *gain, const double *shift);
int onnx_axis(int64_t axis, int ndim);    /* from 0; -1: out of range */
int64_t onnx_sample(const onnx_value *v); /* values a picture */

typedef int onnx_op(onnx_graph *g, const onnx_node *n);
/* onnx_ops.c */
onnx_op onnx_conv, onnx_max_pool, onnx_average_pool, onnx_global_average_pool, onnx_reduce_mean, onnx_gemm, onnx_matmul, onnx_relu,
    onnx_sigmoid, onnx_prelu, onnx_softmax, onnx_batch_norm, onnx_pad;
/* onnx_arith.c */
onnx_op onnx_add_op, onnx_arithmetic, onnx_neg, onnx_gather, onnx_concat;
/* onnx_shape.c */
onnx_op onnx_same, onnx_cast, onnx_dropout, onnx_flatten, onnx_reshape, onnx_squeeze, onnx_transpose, onnx_shape, onnx_constant;
int onnx_numbers(onnx_graph *g, const onnx_node *n, int i, onnx_value *out); /* input i as a list of dimensions */

#endif
