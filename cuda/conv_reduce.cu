/* The sum of a convolution's splits: out[i] = act(partial[0][i] + partial[1][i] + ... + bias[i % N]), f32 or bf16. Where there are many
 * splits, GROUPS threads share an element: each adds every GROUPSth split up, then their sums are added in order. */
#include "cuda/conv_native.h"
#include "cuda/vector.cuh"

enum { GROUPS = 8 };

/* A thread of each group has V elements of a row: 4, or 1 where rows are no whole vectors. Shared: V floats a thread, where there are
 * groups. */
template <class T, int V, int GROUP_COUNT>
static __global__ void __launch_bounds__(UM_BLOCK)
    reduce(T *out, const float *partial, int splits, int64_t count, int N, const float *bias, bool relu) {
  constexpr int across = UM_BLOCK / GROUP_COUNT;
  const int group = (int)threadIdx.x / across, column = (int)threadIdx.x % across;
  const int64_t at = ((int64_t)blockIdx.x * across + column) * V;
  float sum[V] = {};
  if (at < count) {
#pragma unroll 8
    for (int s = group; s < splits; s += GROUP_COUNT) {
      float v[V];
      um_read(v, partial + s * count + at);
#pragma unroll
      for (int e = 0; e < V; e++) sum[e] += v[e];
    }
  }
  if constexpr (GROUP_COUNT > 1) {
    float *shared = (float *)um_shared();
#pragma unroll
    for (int e = 0; e < V; e++) shared[(int)threadIdx.x * V + e] = sum[e];
    __syncthreads();
    if (group == 0)
      for (int g = 1; g < GROUP_COUNT; g++)
#pragma unroll
        for (int e = 0; e < V; e++) sum[e] += shared[(g * across + column) * V + e];
  }
  if (group > 0 || at >= count) return;
#pragma unroll
  for (int e = 0; e < V; e++) {
    if (bias) sum[e] += bias[at % N + e];
    if (relu) sum[e] = fmaxf(sum[e], 0.0f);
  }
  um_write(out + at, sum);
}

template <class T, int V>
static void launch(T *out, const float *partial, int splits, int64_t count, int N, const float *bias, bool relu, cudaStream_t stream) {
  const bool many = splits >= 2 * GROUPS;
  const int64_t threads = count / V, each = many ? UM_BLOCK / GROUPS : UM_BLOCK;
  const dim3 grid((unsigned)((threads + each - 1) / each));
  if (many)
    um_launch((reduce<T, V, GROUPS>), grid, dim3(UM_BLOCK), UM_BLOCK * V * sizeof(float), stream, out, partial, splits, count, N, bias,
              relu);
  else
    um_launch((reduce<T, V, 1>), grid, dim3(UM_BLOCK), 0, stream, out, partial, splits, count, N, bias, relu);
}

void um_conv_reduce_launch(void *out, um_dtype dtype, const float *partial, int splits, int64_t count, int N, const float *bias, bool relu,
                           cudaStream_t stream) {
  const bool whole = N % 4 == 0;
  if (dtype == UM_BF16 && whole)
    launch<um_bf16, 4>((um_bf16 *)out, partial, splits, count, N, bias, relu, stream);
  else if (dtype == UM_BF16)
    launch<um_bf16, 1>((um_bf16 *)out, partial, splits, count, N, bias, relu, stream);
  else if (whole)
    launch<float, 4>((float *)out, partial, splits, count, N, bias, relu, stream);
  else
    launch<float, 1>((float *)out, partial, splits, count, N, bias, relu, stream);
}
