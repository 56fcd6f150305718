/* cuDNN, opened at run time (cudnn.c), as far as the tuner, pooling and tests reach into it. */
#ifndef UM_CUDA_CUDNN_H
#define UM_CUDA_CUDNN_H

#include "cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* um_cudnn_ways without the rough ones, which take as long to find as the others. */
int um_cudnn_candidates(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max);
/* Builds the plan of a way that um_cudnn_ways gave; its run would do it the first time. */
int um_cudnn_prepare(const um_cuda *cuda, const um_cuda_conv *g, um_conv_way *way, um_error *err);
/* The way of this name (of one that um_cudnn_ways gave, in this program or an earlier one), made without asking the heuristics for all
 * of them. False where it cannot be made that way. */
bool um_cudnn_find(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const char *name, um_conv_way *way);

/* transpose.cu: out (columns x rows) = in (rows x columns) transposed; both dense, f32 or bf16 each. */
int um_cuda_transpose(void *out, um_dtype out_type, const void *in, um_dtype in_type, int rows, int columns, cudaStream_t stream,
                      um_error *err);

/* cudnn_pool.c: gives a planned pooling cuDNN's plan in way[0], its workspace, scratch and name, where the engine is "cudnn" and cuDNN
 * does what ours does; else leaves op as it is (and says why once). */
void um_cudnn_plan_pool(um_cuda_op *op);
/* Of an op that has such a plan. */
int um_cudnn_pool_forward(const um_cuda_op *op, void *y, void *workspace, const void *x, void *scratch, um_error *err);
int um_cudnn_pool_backward(const um_cuda_op *op, void *dx, const void *dy, const void *workspace, void *scratch, um_error *err);
/* Its plans alone: way's name, scratch, plan and free_plan. */
bool um_cudnn_pool_plans(um_cudnn *c, const um_op_desc *d, um_conv_way *way, size_t *index_bytes, um_error *err);

/* For tests on a machine without a GPU: cuDNN over a described device (JSON as cuDNN 9.8 and later write it) in place of a real one.
 * Ways can be listed and planned, but not run. */
um_cudnn *um_cudnn_open_described(const char *device_json, char *why, size_t size);

#ifdef __cplusplus
}
#endif
#endif
