/* What cudnn.c (the library, convolutions) and cudnn_pool.c share of cuDNN's graph API: descriptors, engines, plans (cudnn_graph.c).
 * Only included where the headers of cuDNN are there. */
#ifndef UM_CUDA_CUDNN_GRAPH_H
#define UM_CUDA_CUDNN_GRAPH_H

#include <cudnn.h>

#include "cuda/cudnn.h"

struct um_cudnn {
  void *library;
  cudnnHandle_t handle;            /* NULL: a described device */
  cudnnBackendDescriptor_t device; /* the described device, or NULL */
  char version[24];
  size_t number; /* 91900 */
  size_t (*get_version)(void);
  const char *(*error_string)(cudnnStatus_t);
  void (*last_error)(char *, size_t); /* NULL: not in this version */
  cudnnStatus_t (*create)(cudnnHandle_t *);
  cudnnStatus_t (*destroy)(cudnnHandle_t);
  cudnnStatus_t (*set_stream)(cudnnHandle_t, cudaStream_t);
  cudnnStatus_t (*create_descriptor)(cudnnBackendDescriptorType_t, cudnnBackendDescriptor_t *);
  cudnnStatus_t (*destroy_descriptor)(cudnnBackendDescriptor_t);
  cudnnStatus_t (*finalize)(cudnnBackendDescriptor_t);
  cudnnStatus_t (*set)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t, cudnnBackendAttributeType_t, int64_t, const void *);
  cudnnStatus_t (*get)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t, cudnnBackendAttributeType_t, int64_t, int64_t *, void *);
  cudnnStatus_t (*execute)(cudnnHandle_t, cudnnBackendDescriptor_t, cudnnBackendDescriptor_t);
};

/* UM_OK, or err says what failed, in the library's words. */
int um_cudnn_check(const um_cudnn *c, cudnnStatus_t s, um_error *err, const char *what);

/* A graph of operations and the descriptors that it is made of. Several plans share one; the last one frees it. Building goes on after a
 * failure without doing anything: the first failure is in `error`. */
enum { UM_CUDNN_PARTS = 24 };
typedef struct um_cudnn_graph {
  um_cudnn *c;
  int users;
  um_error error;
  int parts;
  cudnnBackendDescriptor_t part[UM_CUDNN_PARTS];
  int operations;
  cudnnBackendDescriptor_t operation[4];
  cudnnBackendDescriptor_t graph;
} um_cudnn_graph;

um_cudnn_graph *um_cudnn_graph_new(um_cudnn *c); /* one user; NULL without memory */
void um_cudnn_graph_release(um_cudnn_graph *b);

/* Parts of a graph; NULL after a failure. */
cudnnBackendDescriptor_t um_cudnn_part(um_cudnn_graph *b, cudnnBackendDescriptorType_t type);
void um_cudnn_set(um_cudnn_graph *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  int64_t count, const void *value);
void um_cudnn_set_int(um_cudnn_graph *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, int64_t value);
void um_cudnn_set_part(um_cudnn_graph *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part);
void um_cudnn_finish(um_cudnn_graph *b, cudnnBackendDescriptor_t d, const char *what);
/* N C H W are the sizes, the memory is N H W C. A virtual tensor is never in memory. */
cudnnBackendDescriptor_t um_cudnn_tensor(um_cudnn_graph *b, int64_t id, cudnnDataType_t type, int64_t n, int64_t c, int64_t h, int64_t w,
                                         bool in_memory);
/* y = mode(x) or mode(x, with), computed in f32. */
void um_cudnn_pointwise(um_cudnn_graph *b, cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t with,
                        cudnnBackendDescriptor_t y);
void um_cudnn_operation(um_cudnn_graph *b, cudnnBackendDescriptor_t operation, const char *what); /* finishes and adds it */
int um_cudnn_close_graph(um_cudnn_graph *b, um_error *err);

/* An engine with its settings, and later its plan. */
enum { UM_CUDNN_TENSORS = 6 };
typedef struct um_cudnn_plan {
  um_cudnn_graph *graph; /* a share in it */
  cudnnBackendDescriptor_t config, plan;
  int engine;
  bool compiled_at_run_time; /* takes a second or so to plan */
  size_t workspace;
  bool sized;    /* workspace is known */
  char name[25]; /* engine and settings: "62 4.0.0.1.8.1" */
} um_cudnn_plan;

/* Which engines. All of them give the same bits on every run. */
typedef struct um_cudnn_wish {
  bool tensor_cores; /* else f32 throughout */
  int most;          /* plans */
  int compiled;      /* of them, those that take a second or so to plan because they are compiled then */
} um_cudnn_wish;

/* Fills plan[] with at most wish->most engines that say they can do the graph, the likely best first, and returns how many. */
int um_cudnn_plans(um_cudnn_graph *b, const um_cudnn_wish *wish, um_cudnn_plan **plan);
/* The engine and settings of such a plan's name; NULL where that cannot be made. */
um_cudnn_plan *um_cudnn_plan_named(um_cudnn_graph *b, const um_cudnn_wish *wish, const char *name);
int um_cudnn_plan_build(um_cudnn_plan *p, um_error *err); /* if it is not yet */
int um_cudnn_plan_run(um_cudnn_plan *p, int n, const int64_t *id, void *const *data, void *workspace, cudaStream_t stream, um_error *err);
void um_cudnn_plan_free(void *plan);

#endif
