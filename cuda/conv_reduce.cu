/* The sum of a convolution's splits: out[i] = act(partial[0][i] + partial[1][i] + ... + bias[i % N]), in this order, f32 or bf16. */
#include "cuda/conv_native.h"
#include "cuda/vector.cuh"

static __device__ __forceinline__ float finish(float sum, const float *bias, int n, bool relu) {
  if (bias) sum += bias[n];
  return relu ? fmaxf(sum, 0.0f) : sum;
}

/* A thread has four elements of a row. */
template <class T>
static __global__ void __launch_bounds__(UM_BLOCK)
    reduce4(T *out, const float *partial, int splits, int64_t count, int N, const float *bias, bool relu) {
  const int64_t at = ((int64_t)blockIdx.x * UM_BLOCK + threadIdx.x) * 4;
  if (at >= count) return;
  float4 sum = *(const float4 *)(partial + at);
#pragma unroll 8
  for (int s = 1; s < splits; s++) {
    const float4 q = *(const float4 *)(partial + s * count + at);
    sum.x += q.x, sum.y += q.y, sum.z += q.z, sum.w += q.w;
  }
  const int n = (int)(at % N);
  const float v[4] = {finish(sum.x, bias, n, relu), finish(sum.y, bias, n + 1, relu), finish(sum.z, bias, n + 2, relu),
                      finish(sum.w, bias, n + 3, relu)};
  um_write(out + at, v);
}

/* Rows that are no whole vectors. */
template <class T>
static __global__ void __launch_bounds__(UM_BLOCK)
    reduce1(T *out, const float *partial, int splits, int64_t count, int N, const float *bias, bool relu) {
  const int64_t at = (int64_t)blockIdx.x * UM_BLOCK + threadIdx.x;
  if (at >= count) return;
  float sum = partial[at];
  for (int s = 1; s < splits; s++) sum += partial[s * count + at];
  out[at] = um_from_float<T>(finish(sum, bias, (int)(at % N), relu));
}

template <class T>
static void launch(T *out, const float *partial, int splits, int64_t count, int N, const float *bias, bool relu, cudaStream_t stream) {
  const int64_t threads = N % 4 == 0 ? count / 4 : count;
  const dim3 grid((unsigned)((threads + UM_BLOCK - 1) / UM_BLOCK));
  if (N % 4 == 0)
    um_launch(reduce4<T>, grid, dim3(UM_BLOCK), 0, stream, out, partial, splits, count, N, bias, relu);
  else
    um_launch(reduce1<T>, grid, dim3(UM_BLOCK), 0, stream, out, partial, splits, count, N, bias, relu);
}

void um_conv_reduce_launch(void *out, um_dtype dtype, const float *partial, int splits, int64_t count, int N, const float *bias, bool relu,
                           cudaStream_t stream) {
  if (dtype == UM_BF16)
    launch((um_bf16 *)out, partial, splits, count, N, bias, relu, stream);
  else
    launch((float *)out, partial, splits, count, N, bias, relu, stream);
}
