/* Between f32 and bf16 (rounded to nearest, ties to even), and plain copies. Eight values a thread. */
#include "cuda/vector.cuh"

template <class To, class From, int V> static __global__ void __launch_bounds__(UM_BLOCK) cast(To *to, const From *from, int64_t count) {
  um_each(i, count / V) {
    float v[V];
    um_read(v, from + i * V);
    um_write(to + i * V, v);
  }
  um_each(i, count % V) {
    const int64_t at = count - 1 - i;
    to[at] = um_from_float<To>(um_to_float(from[at]));
  }
}

template <class To, class From> static int launch(const um_cuda *cuda, um_tensor *dst, const um_tensor *src, um_error *err) {
  const int64_t count = um_tensor_count(dst);
  if (um_aligned(dst->data) && um_aligned(src->data))
    um_launch((cast<To, From, 8>), um_grid(cuda, count / 8 + 1), dim3(UM_BLOCK), 0, cuda->queue, (To *)dst->data, (const From *)src->data,
              count);
  else
    um_launch((cast<To, From, 1>), um_grid(cuda, count), dim3(UM_BLOCK), 0, cuda->queue, (To *)dst->data, (const From *)src->data, count);
  return um_cuda_launched(err, "cast");
}

int um_cuda_reorder(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)be;
  if (dst->layout || src->layout || !um_tensor_same_shape(dst, src))
    return um_fail(err, UM_EINTERNAL, "cuda: reorder between different shapes or layouts that are not plain");
  if (um_tensor_count(dst) == 0) return UM_OK;
  if (dst->dtype == src->dtype) {
    const size_t bytes = (size_t)um_tensor_count(dst) * um_dtype_size(dst->dtype);
    return um_cuda_check(cudaMemcpyAsync(dst->data, src->data, bytes, cudaMemcpyDeviceToDevice, cuda->queue), err, "reorder");
  }
  if (dst->dtype == UM_BF16 && src->dtype == UM_F32) return launch<um_bf16, float>(cuda, dst, src, err);
  if (dst->dtype == UM_F32 && src->dtype == UM_BF16) return launch<float, um_bf16>(cuda, dst, src, err);
  return um_fail(err, UM_EUNSUPPORTED, "cuda: no conversion from %s to %s", um_dtype_name(src->dtype), um_dtype_name(dst->dtype));
}
