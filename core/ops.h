/* The op table: what a backend fills in, and the contract of each op. `ref` (plain C, double accumulation) is the oracle that
 * every other backend must match within the tolerances of tests/checkops.
 *
 * Conventions. Outputs come first in the arguments. "y = f(x)" overwrites, "y += f(x)" accumulates; every op here overwrites
 * unless it says otherwise, and may be given poisoned outputs. Activations are N H W C, convolution kernels H W I O (R S C K),
 * dense kernels in x out: that is the meaning of dim[], whatever the layout. A gradient has the shape and the layout of what it
 * is the gradient of. No op allocates: what it needs beyond its operands is the workspace (lives from forward to backward) and
 * the scratch (lives during one call), both sized by plan(). Tensors passed to an op have exactly the shapes and layouts that
 * its um_op states.
 *
 * A backend may queue work: an op then returns before it is done, and later ops see its results because they are done in the order
 * in which they were queued. The host meets the queue in download, wait and sum_squares. Arguments that an op reads or writes on the
 * device are marked so; on `ref` and `cpu` the device is the host.
 *
 * Every function returns UM_OK or a negative um_code with err set. All are required unless marked optional; a backend that cannot
 * do what a description asks says UM_EUNSUPPORTED in plan(), never later. */
#ifndef UM_CORE_OPS_H
#define UM_CORE_OPS_H

#include "core/error.h"
#include "core/tensor.h"

#define UM_MAX_INPUTS 8

typedef enum um_op_kind {
  UM_OP_INPUT,
  UM_OP_CONV2D,
  UM_OP_MAX_POOL,
  UM_OP_AVG_POOL,
  UM_OP_GLOBAL_AVG_POOL, /* N H W C -> N C */
  UM_OP_DENSE,
  UM_OP_FLATTEN, /* N H W C -> N (H W C); its y is plain */
  UM_OP_RELU,
  UM_OP_SIGMOID,
  UM_OP_ADD,     /* y = x0 + x1 + ... */
  UM_OP_CONCAT,  /* along the last dimension */
  UM_OP_PRELU,   /* y = x where x > 0, else alpha[c] x (He et al. 2015, "Delving deep into rectifiers"); an alpha a channel */
  UM_OP_SOFTMAX, /* over the last dimension */
  UM_OP_DROPOUT, /* Srivastava et al. 2014, inverted as in Keras; outside of training its output is its input */
  UM_OP_KINDS
} um_op_kind;

/* Of the arithmetic. FP32: f32 throughout. TF32: f32 in memory, products of values rounded to 10 bits of mantissa, sums in f32. BF16:
 * activations, their gradients and a copy of the parameters in bf16; sums, masters and parameter gradients in f32. */
typedef enum um_precision { UM_PRECISION_FP32, UM_PRECISION_TF32, UM_PRECISION_BF16 } um_precision;

const char *um_precision_name(int precision); /* "fp32", "tf32", "bf16"; NULL past the last */

typedef enum um_activation { UM_ACT_NONE, UM_ACT_RELU } um_activation;

/* Which convolution algorithm a layer may use. AUTO lets the backend choose for each pass (by measurement or table). */
typedef enum um_algorithm { UM_ALGO_AUTO, UM_ALGO_DIRECT, UM_ALGO_WINOGRAD } um_algorithm;

/* Whose code runs an op where a backend has a choice (cuda): our own kernels, the vendor's libraries, or the faster one, measured. */
typedef enum um_engine { UM_ENGINE_AUTO, UM_ENGINE_NATIVE, UM_ENGINE_CUDNN } um_engine;

/* The window of a convolution or a pooling, in elements; output size is (in + pad_before + pad_after - kernel) / stride + 1. */
typedef struct um_window {
  int kernel[2]; /* height, width */
  int stride[2];
  int pad_before[2]; /* top, left */
  int pad_after[2];  /* bottom, right */
} um_window;

enum { UM_PASS_FORWARD = 1, UM_PASS_BACKWARD_DATA = 2, UM_PASS_BACKWARD_WEIGHTS = 4 };

/* The parameters of an op, in their order: kernel and bias (CONV2D, DENSE), alpha (PRELU), or none. */
enum { UM_OP_PARAMS = 2 };
int um_op_params(um_op_kind kind);
const char *um_op_param_name(um_op_kind kind, int index); /* "kernel", "bias", "alpha" */

/* What an op is asked to be. Shapes are given; x[i].layout and x[i].dtype are how that input will arrive. */
typedef struct um_op_desc {
  um_op_kind kind;
  um_activation activation; /* fused after the sum: CONV2D, DENSE, ADD */
  um_algorithm algorithm;   /* CONV2D */
  um_precision precision;   /* one that the backend's precision() agreed to */
  bool sizes_only;          /* the op will not run: choose without timing anything */
  unsigned passes;          /* UM_PASS_ bits; without the backward bits the backend may keep nothing for it (inference) */
  int n_inputs;
  um_tensor x[UM_MAX_INPUTS];
  um_tensor y;
  um_window window; /* CONV2D, MAX_POOL, AVG_POOL */
  double rate;      /* DROPOUT: the share that is dropped, 0 <= rate < 1 */
  uint64_t seed;    /* DROPOUT */
  uint32_t node;    /* DROPOUT: which of its model's, at most 4095 */
} um_op_desc;

typedef struct um_backend um_backend;

/* A planned op: what the backend decided. A backend's own struct begins with this one. */
typedef struct um_op {
  um_backend *backend;
  um_op_desc desc;
  um_tensor x[UM_MAX_INPUTS]; /* shape, layout, dtype, bytes that the op wants; where they differ from desc.x[i]'s the caller
                                 reorders before forward, and dx after backward */
  um_tensor y;
  um_tensor w, b;         /* parameters (f32), of PRELU w alone: its alpha, plain; w.bytes is what the parameter buffer must hold. ndim 0
                             where there is none */
  um_dtype compute;       /* BF16: forward and backward_data take a bf16 copy of w, plain, in its place (b stays f32) */
  size_t workspace_bytes; /* written by forward, read by backward */
  size_t scratch_bytes;   /* largest of the passes */
  char algorithm[128];    /* what was chosen, for tables: "direct", "fwd wino, bwd-d wino, bwd-w direct" */
} um_op;

/* The affine map of one sample, from output pixel (row, column) to input pixel, as in scipy.ndimage.affine_transform:
 * in_row = m[0] row + m[1] col + m[2], in_col = m[3] row + m[4] col + m[5]; flips are applied to the output. */
typedef struct um_warp_sample {
  double m[6];
  bool identity; /* no interpolation at all: pixels pass as they are (flips still apply) */
  bool flip_horizontal;
  bool flip_vertical;
} um_warp_sample;

typedef enum um_fill_mode { UM_FILL_NEAREST, UM_FILL_CONSTANT, UM_FILL_REFLECT, UM_FILL_WRAP } um_fill_mode;

typedef struct um_warp {
  um_fill_mode fill;
  float cval;    /* constant fill, in 0..255 */
  float scale;   /* y = value * scale - mean[c] */
  float mean[3]; /* by output channel */
  bool bgr;      /* output channel 0 is blue */
} um_warp;

/* What changes from step to step. It lies in the device's memory, so that a recorded step can be run again with other numbers. */
typedef struct um_control {
  int64_t n;    /* samples in the batch, 1 to its size */
  int64_t step; /* the optimizer's, from 1 */
  double rate;  /* um_optimizer_rate(): the learning rate with Adam's bias corrections in it */
  double decay; /* the learning rate times um_optimizer.weight_decay */
} um_control;

#define UM_NEVER UINT64_MAX

/* What passes over batches leave in the device's memory: ops add to it, in the order in which they run. */
typedef struct um_report {
  double loss;     /* sum over samples of the cross-entropy, times their weights */
  int64_t correct; /* samples with (p > 0.5) == (label > 0.5) */
  int64_t samples;
  uint64_t bad_loss;     /* the first step whose loss was not finite, or UM_NEVER */
  uint64_t bad_gradient; /* the least step << 36 | index for which gradient[index] was not finite, or UM_NEVER */
} um_report;

/* Sums over the samples of a batch. */
typedef struct um_loss_sums {
  double loss;
  int64_t correct;
} um_loss_sums;

typedef enum um_optimizer_kind { UM_OPT_RMSPROP, UM_OPT_SGD, UM_OPT_ADAM } um_optimizer_kind;

typedef struct um_optimizer {
  um_optimizer_kind kind;
  double learning_rate; /* see um_optimizer_rate */
  double rho;           /* RMSprop */
  double momentum;      /* SGD, and RMSprop where not 0 */
  bool nesterov;        /* SGD */
  double beta1, beta2;  /* Adam */
  double epsilon;
  double weight_decay; /* decoupled (Loshchilov & Hutter 2019, as Keras' weight_decay): w -= w weight_decay lr before the step; of
                          kernels only. 0: none */
  bool epsilon_inside; /* RMSprop and Adam: sqrt(v + eps) ("keras3" RMSprop) instead of sqrt(v) + eps ("keras2"). Keras 2, too, has
                          it inside where RMSprop has momentum: um_model_create sees to that */
} um_optimizer;

typedef struct um_recording um_recording; /* a backend's own: queued work that can be run again */

/* The table. */
typedef struct um_ops {
  const char *name; /* "ref", "cpu", "cuda" */

  void (*close)(um_backend *be);
  /* One line about the device for people: name, threads, instruction set. */
  void (*describe)(const um_backend *be, char *text, size_t size);
  /* Bytes that the device has free now; 0 where that is not known. */
  size_t (*memory_free)(const um_backend *be);
  /* Whether the backend computes at this precision, and then in which type it keeps activations. */
  bool (*precision)(const um_backend *be, um_precision precision, um_dtype *activations);

  /* Device memory, aligned to 64 bytes at least, contents undefined. */
  int (*alloc)(um_backend *be, void **out, size_t bytes, um_error *err);
  void (*free)(um_backend *be, void *p);
  /* The host's memory may be written again when upload returns (between feed_begin and feed_end: after feed_wait). */
  int (*upload)(um_backend *be, void *device, const void *host, size_t bytes, um_error *err);
  int (*download)(um_backend *be, void *host, const void *device, size_t bytes, um_error *err);
  int (*zero)(um_backend *be, void *device, size_t bytes, um_error *err);
  /* Host memory that the device can copy from by itself, aligned to 64 bytes at least. */
  int (*host_alloc)(um_backend *be, void **out, size_t bytes, um_error *err);
  void (*host_free)(um_backend *be, void *p);

  /* Queues: all of the next ten, or none of them (NULL) where every call is done when it returns.
   * A slot is one of two sets of a batch's input. What is called between feed_begin and feed_end (upload, warp) goes to a queue
   * beside the one that computes: it waits until the slot's last use is over and then runs while other work computes. Work between
   * use_begin and use_end waits for the slot's feed. */
  int (*feed_begin)(um_backend *be, int slot, um_error *err);
  int (*feed_end)(um_backend *be, int slot, um_error *err);
  int (*feed_wait)(um_backend *be, int slot, um_error *err); /* until the slot's last feed is done */
  int (*use_begin)(um_backend *be, int slot, um_error *err);
  int (*use_end)(um_backend *be, int slot, um_error *err);
  /* What is called between these two is not run but kept; replay queues it once, with the memory's contents of that time. Recording
   * is off after a failure between them, too, once record_end was called (out may then be NULL). */
  int (*record_begin)(um_backend *be, um_error *err);
  int (*record_end)(um_backend *be, um_recording **out, um_error *err);
  int (*replay)(um_backend *be, um_recording *r, um_error *err);
  void (*recording_free)(um_backend *be, um_recording *r);
  /* Until all that was queued is done; an error of any of it comes out here. NULL with the queues. */
  int (*wait)(um_backend *be, um_error *err);
  /* Optional; NULL without queues, where a clock around the calls says as much. Adds the seconds that the device spent between begin and
   * end of each feed and of each use that are done and were not counted before. What a feed waits for its slot and a use for its feed
   * is not in them; feeds run beside uses, so that the two may add up to more than the time that went by. Waits for nothing. */
  int (*busy)(um_backend *be, double *feed, double *use, um_error *err);

  /* dst = src, converting layout and dtype; same shape. Exact where the dtypes agree; padding of a blocked layout becomes zero. */
  int (*reorder)(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err);

  /* Chooses algorithms and layouts and makes whatever is made once (primitives, descriptors). */
  int (*plan)(um_backend *be, const um_op_desc *desc, um_op **out, um_error *err);
  void (*plan_free)(um_op *op);

  /* y = act(conv(x, w) + b), cross-correlation as in Keras: y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-pad, q*stride+s-pad, c] w[r,s,c,k] + b[k]. */
  int (*conv2d_forward)(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch, um_error *err);
  /* dx = gradient by x; dy is the gradient before the activation (activation_backward is called first). */
  int (*conv2d_backward_data)(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err);
  /* dw, db = gradients by the parameters, summed over the batch. */
  int (*conv2d_backward_weights)(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                 um_error *err);

  /* y = act(x w + b): x N x in, w in x out. Backward as for conv2d. */
  int (*dense_forward)(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch, um_error *err);
  int (*dense_backward_data)(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err);
  int (*dense_backward_weights)(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                um_error *err);

  /* Max, average (padding does not count in the divisor, as in Keras) and global average pooling; max: the first of equal values
   * in row-major order of the window wins. workspace may be NULL in inference. */
  int (*pool_forward)(um_op *op, um_tensor *y, void *workspace, const um_tensor *x, void *scratch, um_error *err);
  int (*pool_backward)(um_op *op, um_tensor *dx, const um_tensor *dy, const void *workspace, void *scratch, um_error *err);

  /* RELU, SIGMOID, SOFTMAX as nodes: y = f(x); y may be x (in place). SOFTMAX: y = exp(x - max) / sum of exp(x - max) over the last
   * dimension. */
  int (*activation_forward)(um_op *op, um_tensor *y, const um_tensor *x, um_error *err);
  /* dx = dy * f'(.), f' from the output y: for RELU and SIGMOID nodes, and for a fused activation (op's desc says which); SOFTMAX:
   * dx = y (dy - sum of dy y). dx may be dy. */
  int (*activation_backward)(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err);

  /* PRELU: y = x > 0 ? x : alpha[c] x, c the index of the last dimension (a NaN stays one); y may be x. */
  int (*prelu_forward)(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *alpha, um_error *err);
  /* dx = x > 0 ? dy : alpha[c] dy; dx may be dy. */
  int (*prelu_backward_data)(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *x, const um_tensor *alpha, um_error *err);
  /* dalpha[c] = sum of dy x over the elements of channel c with x <= 0 (0 where there is none). */
  int (*prelu_backward_weights)(um_op *op, um_tensor *dalpha, const um_tensor *x, const um_tensor *dy, void *scratch, um_error *err);

  /* DROPOUT: y = kept ? x / (1 - rate) : 0 (times the f32 nearest to 1 / (1 - rate)). What is kept follows from desc's rate, seed
   * and node, control's step and the element's place in the plain tensor (um_dropout_words); y may be x. Backward is the same function of dy. On the device: control. */
  int (*dropout)(um_op *op, um_tensor *y, const um_tensor *x, const um_control *control, um_error *err);

  /* y = act(sum of x[i]); backward by each input is activation_backward alone. */
  int (*add_forward)(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err);
  /* y = x[0] | x[1] | ... along the last dimension, and its inverse. dx[i] may be NULL (not needed). */
  int (*concat_forward)(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err);
  int (*concat_backward)(um_op *op, um_tensor *const *dx, const um_tensor *dy, um_error *err);

  /* dst += src: same shape, layout and dtype (a value with several readers). */
  int (*accumulate)(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err);

  /* y (plain, N H W 3, f32 or bf16) = scale and mean over the affine-warped, flipped pixels (u8, plain, N H W 3, RGB, same H W), in
   * Keras' order: affine (bilinear, spline order 1, over float values) -> flips -> rescale. The first control->n samples; the rest
   * become 0. On the device: sample (N of them, that um_warp_check has passed) and control. */
  int (*warp)(um_backend *be, um_tensor *y, const um_tensor *pixels, const um_warp_sample *sample, const um_control *control,
              const um_warp *how, um_error *err);

  /* Binary cross-entropy from logits z (N x 1, plain, f32), stable form max(z,0) - z t + log(1 + exp(-|z|)), t the labels (N floats
   * in [0, 1]); times the sample's weight (N floats, or NULL for 1 each). report += the sums over the first n = control->n samples,
   * added up in their order; right answers are not weighted. dz = weight (sigmoid(z) - t) / n for them, the mean being over n whatever the
   * weights, as in Keras; and 0 for the rest (dz may be NULL). A loss that is not finite sets report->bad_loss. On the device: report,
   * labels, weights, control. */
  int (*bce_logits)(um_backend *be, um_tensor *dz, um_report *report, const um_tensor *z, const float *labels, const float *weights,
                    const um_control *control, um_error *err);

  /* One step of the optimizer over count f32 values; m and v are its states (see um_optimizer_states), lr is control->rate.
   *   RMSprop: v = rho v + (1-rho) g^2; w -= lr g / (sqrt(v) + eps)   or   lr g / sqrt(v + eps); with momentum m = mom m + that; w -= m.
   *   SGD: m = momentum m - lr g; w += m   (nesterov: w += momentum m - lr g).
   *   Adam (Kingma & Ba 2014, as in Keras): w -= lr m / (sqrt(v) + eps).
   * decay, where not NULL, says which values decay: bit (i / 16) % 32 of decay[i / 512]; for these w -= control->decay w comes first.
   * copy, where not NULL, becomes w rounded to bf16. A value whose gradient is not finite stays as it is and sets report->bad_gradient;
   * nothing at all is changed where report->bad_loss is set. On the device: everything but o. */
  int (*optimizer_step)(um_backend *be, const um_optimizer *o, float *w, uint16_t *copy, float *m, float *v, um_report *report,
                        const float *g, const uint32_t *decay, int64_t count, const um_control *control, um_error *err);

  /* *out (host) = sum of squares of count f32 values, in double; not finite when any value is not. */
  int (*sum_squares)(um_backend *be, double *out, const float *x, int64_t count, um_error *err);
} um_ops;

/* A backend's own struct begins with this one. */
struct um_backend {
  const um_ops *ops;
  int threads;
};

/* threads: 0 for all that the process may use. */
int um_ref_open(um_backend **out, um_error *err);
int um_cpu_open(um_backend **out, int threads, um_error *err);

/* How a backend is opened. Zeroed is a fair default for all but device. */
typedef struct um_backend_options {
  const char *device;     /* "auto", "cpu", "ref", "cuda", "cuda:N" */
  int threads;            /* 0: all that the process may use */
  um_engine engine;       /* cuda */
  size_t workspace_limit; /* cuda: most bytes of scratch that an op may ask for; 0: 512 MiB */
  const char *cache_dir;  /* cuda: folder for what was measured; NULL: $XDG_CACHE_HOME/unmask or ~/.cache/unmask; "": nothing is kept */
  bool verbose;           /* cuda: log the table of what was measured */
} um_backend_options;

/* Opens the backend of a --device value. "auto" takes cuda where this program has it and a GPU answers, else cpu (and says once why).
 * The one place that names CUDA (core/backend.c). */
int um_backend_open_with(um_backend **out, const um_backend_options *o, um_error *err);
int um_backend_open(um_backend **out, const char *device, int threads, um_error *err);

/* cuda/backend.cu. Weak: NULL in a program that was linked without it. o->device is "cuda" or "cuda:N". */
__attribute__((weak)) int um_cuda_open(um_backend **out, const um_backend_options *o, um_error *err);

/* UM_ENUMERIC where a matrix is not finite or leads further than 1e9 pixels away. Host arrays. */
int um_warp_check(const um_warp_sample *sample, int64_t n, int64_t height, int64_t width, um_error *err);

/* Nodes whose slope follows from their output: RELU, SIGMOID, SOFTMAX. */
static inline bool um_is_activation(um_op_kind kind) { return kind == UM_OP_RELU || kind == UM_OP_SIGMOID || kind == UM_OP_SOFTMAX; }

/* Bytes of optimizer_step's decay for `bytes` of parameters. */
static inline size_t um_decay_bytes(size_t bytes) { return (bytes / 64 + 31) / 32 * 4; }

/* How many state buffers an optimizer needs: bit 0 = m, bit 1 = v. */
unsigned um_optimizer_states(const um_optimizer *o);

/* The rate of step `step` (from 1): lr, for Adam lr sqrt(1-b2^t)/(1-b1^t). */
double um_optimizer_rate(const um_optimizer *o, double learning_rate, int64_t step);

void um_report_reset(um_report *r);

/* What a dropout's mask is made of, for all backends alike. An element is kept where the word of Philox at its address (see um_rng_bits:
 * stream UM_STREAM_DROPOUT, epoch the low 32 bits of the step, sample node | draw's high bits << 12, draw the element's place) is
 * at least the threshold: rate 2^32, rounded. um_dropout_words gives the words of elements 4 block to 4 block + 3. */
uint32_t um_dropout_threshold(double rate);
void um_dropout_words(uint32_t word[4], const um_op_desc *d, int64_t step, int64_t block);

const char *um_op_kind_name(um_op_kind kind); /* "conv2d", "max_pool", ... as in the graph's JSON */

#endif
