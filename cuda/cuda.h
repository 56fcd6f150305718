/* The cuda backend's parts: host code in C11 (*.c), kernels and their launchers in CUDA (*.cu, one op family a file). Contracts are
 * in core/ops.h; kernel-level ones on top of each file. Everything here also compiles for the host, against the emulated device of
 * tests/cuda_host, which is how the kernels are tested without a GPU.
 *
 * All tensors are plain (layout NULL), f32 or bf16; activations N H W C, kernels H W I O. */
#ifndef UM_CUDA_CUDA_H
#define UM_CUDA_CUDA_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "core/ops.h"

typedef struct um_cudnn um_cudnn;   /* cudnn.c: the library, opened at run time */
typedef struct um_cublas um_cublas; /* cublas.c: likewise */
typedef struct um_tuner um_tuner;   /* tune.c: what was measured, and its file */

enum { UM_CUDA_SLOTS = 2, UM_CUDA_PARTIALS = 1024, UM_CUDA_SPANS = 32 };

/* The times of what a queue does: a pair of events for each span of work, read once the device is past them. A loop that asks more often
 * than every UM_CUDA_SPANS spans misses none. */
typedef struct um_cuda_clock {
  cudaEvent_t begin[UM_CUDA_SPANS], end[UM_CUDA_SPANS];
  unsigned ended, counted; /* spans so far */
  double seconds;          /* of those counted, since busy was asked */
} um_cuda_clock;

typedef struct um_cuda {
  um_backend base;
  int device;
  char name[256];   /* "NVIDIA H100 80GB HBM3" */
  int major, minor; /* compute capability */
  int multiprocessors;
  size_t shared_limit;        /* bytes of shared memory that a block may ask for (opt-in) */
  int driver, runtime;        /* versions, as 13000 */
  cudaStream_t compute, side; /* where work is queued; side: feeds */
  cudaStream_t queue;         /* where an op queues its work now: compute, or side within a feed */
  cudaEvent_t fed[UM_CUDA_SLOTS], used[UM_CUDA_SLOTS];
  um_cuda_clock feeds, uses;
  bool recording;
  double *partials; /* device: UM_CUDA_PARTIALS sums on their way; one op at a time of the compute queue */
  double *sum;      /* host, page-locked */
  um_engine engine;
  size_t workspace_limit;
  bool verbose;
  um_cudnn *cudnn; /* NULL: not there, not wanted, or not built in */
  um_cublas *cublas;
  um_tuner *tuner;
} um_cuda;

/* ---- convolutions and dense layers (a dense layer is a 1x1 convolution over pictures of 1x1) ---- */

typedef enum um_conv_pass { UM_CONV_FORWARD, UM_CONV_BACKWARD_DATA, UM_CONV_BACKWARD_WEIGHTS, UM_CONV_PASSES } um_conv_pass;

/* x: N H W C, y: N P Q K, w: R S C K. */
typedef struct um_cuda_conv {
  int N, H, W, C, K, P, Q, R, S;
  int stride[2], pad[2]; /* height, width; pad: top, left (the other sides follow from P and Q) */
  um_precision precision;
  um_activation activation; /* fused into forward */
} um_cuda_conv;

typedef struct um_conv_way um_conv_way;

/* One pass, queued on stream:
 *   forward            out = y   a = x    b = w (the copy)  bias: y = act(conv(x, w) + bias)
 *   backward data      out = dx  a = dy   b = w (the copy)
 *   backward weights   out = dw (f32)     a = x   b = dy
 * x, y, dx, dy and the copy of w are f32, in BF16 precision bf16. scratch: way->scratch bytes. All pointers are aligned to 32 bytes at least. */
typedef int (*um_conv_run)(const um_cuda *cuda, const um_cuda_conv *g, const um_conv_way *way, void *out, const void *a, const void *b,
                           const float *bias, void *scratch, cudaStream_t stream, um_error *err);

/* One way to do one pass of one geometry. */
struct um_conv_way {
  char name[32]; /* "native 128x64 k4", "cudnn 31", "cublaslt 2": without a comma; the same name is the same work and the same bits */
  size_t scratch;
  um_conv_run run;
  bool rough;          /* rounds more than our ops do (a bf16 gradient of weights, say): to compare speeds with, never chosen */
  int variant, splits; /* run's own */
  void *plan;          /* run's own; freed by free_plan where not NULL */
  void (*free_plan)(void *plan);
};

enum { UM_CONV_WAYS = 24 };

/* Each fills ways[] with at most `max` and returns how many (0: it has none, which is no error), the likely best first. The native
 * ones always have at least one that works for any geometry on any GPU from sm_80 on. */
int um_cuda_native_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max);
int um_cudnn_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max);
int um_cublas_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max);

/* The way for a pass by the backend's engine: native takes the first native one, auto measures all of them once for each geometry
 * (tune.c), cudnn takes the vendor's best by measurement. Ways above the workspace limit are left out; when the device has no memory
 * for one the next is taken, and said once. The others' plans are freed. */
int um_cuda_choose(um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *way, um_error *err);
int um_cuda_tuner_open(um_cuda *cuda, const um_backend_options *o, um_error *err);
void um_cuda_tuner_close(um_cuda *cuda); /* writes what is new in it */

/* NULL and a reason in why (size bytes) where the library cannot be had. */
um_cudnn *um_cudnn_open(const um_cuda *cuda, char *why, size_t size);
void um_cudnn_close(um_cudnn *c);
const char *um_cudnn_version(const um_cudnn *c); /* "9.1.0" */
um_cublas *um_cublas_open(const um_cuda *cuda, char *why, size_t size);
void um_cublas_close(um_cublas *c);
const char *um_cublas_version(const um_cublas *c);

/* db[k] = sum over rows of dy[rows][k], in a fixed order. scratch: um_cuda_bias_scratch bytes. */
size_t um_cuda_bias_scratch(const um_cuda *cuda, int64_t rows, int K);
int um_cuda_bias_gradient(const um_cuda *cuda, float *db, const void *dy, um_dtype dtype, int64_t rows, int K, void *scratch,
                          cudaStream_t stream, um_error *err);

/* ---- a planned op ---- */

typedef struct um_cuda_op {
  um_op base;
  um_cuda_conv conv;               /* CONV2D, DENSE */
  um_conv_way way[UM_CONV_PASSES]; /* of the passes that were asked for */
  bool narrow;                     /* DENSE of a few outputs: dense.cu's own kernels in place of way[] */
} um_cuda_op;

/* plan()'s part for each family: fills x, y, w, b, workspace_bytes, scratch_bytes, algorithm of a zeroed op that has its desc. */
int um_cuda_plan_conv(um_cuda_op *op, um_error *err);  /* conv.c */
int um_cuda_plan_dense(um_cuda_op *op, um_error *err); /* dense.cu */
int um_cuda_plan_pool(um_cuda_op *op, um_error *err);  /* pool.cu */

/* ---- the table's functions ---- */

int um_cuda_conv_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch, um_error *err);
int um_cuda_conv_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err);
int um_cuda_conv_backward_weights(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                  um_error *err);
int um_cuda_dense_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch,
                          um_error *err);
int um_cuda_dense_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err);
int um_cuda_dense_backward_weights(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                   um_error *err);
int um_cuda_pool_forward(um_op *op, um_tensor *y, void *workspace, const um_tensor *x, void *scratch, um_error *err);
int um_cuda_pool_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const void *workspace, void *scratch, um_error *err);
int um_cuda_activation_forward(um_op *op, um_tensor *y, const um_tensor *x, um_error *err);
int um_cuda_activation_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err);
int um_cuda_softmax_forward(um_op *op, um_tensor *y, const um_tensor *x, um_error *err);
int um_cuda_softmax_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err);
int um_cuda_prelu_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *alpha, um_error *err);
int um_cuda_prelu_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *x, const um_tensor *alpha, um_error *err);
int um_cuda_prelu_backward_weights(um_op *op, um_tensor *dalpha, const um_tensor *x, const um_tensor *dy, void *scratch, um_error *err);
int um_cuda_dropout(um_op *op, um_tensor *y, const um_tensor *x, const um_control *control, um_error *err);
int um_cuda_add_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err);
int um_cuda_concat_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err);
int um_cuda_concat_backward(um_op *op, um_tensor *const *dx, const um_tensor *dy, um_error *err);
int um_cuda_accumulate(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err);
int um_cuda_reorder(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err); /* f32 <-> bf16, or a copy */
int um_cuda_warp(um_backend *be, um_tensor *y, const um_tensor *pixels, const um_warp_sample *sample, const um_control *control,
                 const um_warp *how, um_error *err);
int um_cuda_bce_logits(um_backend *be, um_tensor *dz, um_report *report, const um_tensor *z, const float *labels, const float *weights,
                       const um_control *control, um_error *err);
int um_cuda_optimizer_step(um_backend *be, const um_optimizer *o, float *w, uint16_t *copy, float *m, float *v, um_report *report,
                           const float *g, const uint32_t *decay, int64_t count, const um_control *control, um_error *err);
int um_cuda_sum_squares(um_backend *be, double *out, const float *x, int64_t count, um_error *err);

/* ---- errors ---- */

/* UM_OK, or err says what failed in the runtime's words; out of memory is UM_ENOMEM. */
int um_cuda_check(cudaError_t e, um_error *err, const char *what);
/* After a launch: takes the last error. */
int um_cuda_launched(um_error *err, const char *kernel);

#ifdef __cplusplus
}
#endif
#endif
