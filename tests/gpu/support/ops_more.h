/* gpu_ops' fourth part: the shapes of the dct backbone and of MTCNN's networks, and what they and the training recipe have beside VGG16's
 * ops: PReLU, softmax, dropout. */
#ifndef UM_TESTS_GPU_SUPPORT_OPS_MORE_H
#define UM_TESTS_GPU_SUPPORT_OPS_MORE_H

#include "gpu.h"

/* only: those that a library may do in place of our kernels (convolutions and dense layers). */
void gpu_ops_more(gpu_tally *t, const gpu_options *o, um_backend *be, const char *engine, bool only);

#endif
