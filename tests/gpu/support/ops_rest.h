/* gpu_ops' third part: the ops that are no matrix products, at VGG16's shapes, in f32 and bf16. */
#ifndef UM_TESTS_GPU_SUPPORT_OPS_REST_H
#define UM_TESTS_GPU_SUPPORT_OPS_REST_H

#include "gpu.h"

/* only: those that a library may do in place of our kernels (pooling). */
void gpu_ops_rest(gpu_tally *t, const gpu_options *o, um_backend *be, const char *engine, bool only, int batch);

#endif
