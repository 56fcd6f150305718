/* A tensor: shape, type and where its numbers are. It does not own memory; copying the struct makes another view. */
#ifndef UM_CORE_TENSOR_H
#define UM_CORE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UM_MAX_DIMS 4

typedef enum um_dtype { UM_F32, UM_BF16, UM_F16, UM_U8, UM_I32 } um_dtype;

/* How the numbers lie in memory. NULL is plain: dense, row-major in the order of dim[] (activations N H W C, convolution kernels
 * H W I O, dense kernels in x out). Anything else is a backend's own (blocked, say), made by plan() and opaque to everybody
 * else: only that backend's reorder() converts it. Owned by the backend, valid while an op lives that has a tensor of it; equal
 * layouts have equal pointers. */
typedef struct um_layout um_layout;

typedef struct um_tensor {
  void *data;              /* device pointer of the backend that the tensor belongs to; NULL in a description */
  const um_layout *layout; /* NULL: plain */
  size_t bytes;            /* storage, padding of the layout included */
  int64_t dim[UM_MAX_DIMS];
  int ndim;
  um_dtype dtype;
} um_tensor;

/* A float rounded to bf16 (nearest, ties to even; NaN stays NaN), as its bits. */
uint16_t um_bf16_of(float x);

size_t um_dtype_size(um_dtype dtype);
const char *um_dtype_name(um_dtype dtype); /* "f32", "bf16", "f16", "u8", "i32" */

/* A plain description (data NULL) of the given shape. */
um_tensor um_tensor_plain(um_dtype dtype, int ndim, const int64_t *dim);

int64_t um_tensor_count(const um_tensor *t); /* product of dim[] */
bool um_tensor_same_shape(const um_tensor *a, const um_tensor *b);

/* "10x150x150x3" into text; returns text. */
const char *um_tensor_shape_text(const um_tensor *t, char *text, size_t size);

#endif
