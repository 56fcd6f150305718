/* What kernels that stream through memory share: several values an access, grid-stride loops, grids that fill the device once. */
#ifndef UM_CUDA_VECTOR_CUH
#define UM_CUDA_VECTOR_CUH

#include "cuda/device.cuh"

enum { UM_BLOCK = 256 }; /* threads of a streaming kernel's block */

/* Enough blocks for one value a thread, at most those that the device holds at a time (2048 threads a multiprocessor). */
static inline dim3 um_grid(const um_cuda *cuda, int64_t items) {
  const int64_t need = (items + UM_BLOCK - 1) / UM_BLOCK, most = (int64_t)cuda->multiprocessors * (2048 / UM_BLOCK);
  return dim3((unsigned)(need < most ? need : most));
}

/* i takes each of 0 .. count - 1 in one thread of the grid. */
#define um_each(i, count)                                                                                                                  \
  for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += (int64_t)gridDim.x * blockDim.x)

/* How many T are one access: 16 bytes. */
template <class T> constexpr int um_wide = 16 / (int)sizeof(T);

static inline bool um_aligned(const void *p) { return (uintptr_t)p % 16 == 0; }

/* *p = v in one store: left to itself the compiler splits it where the parts of v come out of branches. */
#ifdef UM_CUDA_HOST
#define um_store(p, v) (*(p) = (v))
#else
#define um_store(p, v) __stwb(p, v)
#endif

/* V values at p as floats, and back (rounded to nearest even). V of 4 or 8 takes p aligned to V values or 16 bytes. */
template <int V> static __device__ inline void um_read(float (&out)[V], const float *p) {
  if constexpr (V % 4 == 0) {
    for (int i = 0; i < V; i += 4) {
      const float4 v = *(const float4 *)(p + i);
      out[i] = v.x, out[i + 1] = v.y, out[i + 2] = v.z, out[i + 3] = v.w;
    }
  } else {
    for (int i = 0; i < V; i++) out[i] = p[i];
  }
}

static __device__ inline void um_unpack_bf16(float &low, float &high, uint32_t two) {
  low = um_to_float(um_bf16{(uint16_t)two});
  high = um_to_float(um_bf16{(uint16_t)(two >> 16)});
}

template <int V> static __device__ inline void um_read(float (&out)[V], const um_bf16 *p) {
  if constexpr (V == 8) {
    const uint4 v = *(const uint4 *)p;
    um_unpack_bf16(out[0], out[1], v.x);
    um_unpack_bf16(out[2], out[3], v.y);
    um_unpack_bf16(out[4], out[5], v.z);
    um_unpack_bf16(out[6], out[7], v.w);
  } else if constexpr (V == 4) {
    const uint2 v = *(const uint2 *)p;
    um_unpack_bf16(out[0], out[1], v.x);
    um_unpack_bf16(out[2], out[3], v.y);
  } else {
    for (int i = 0; i < V; i++) out[i] = um_to_float(p[i]);
  }
}

template <int V> static __device__ inline void um_write(float *p, const float (&in)[V]) {
  if constexpr (V % 4 == 0) {
    for (int i = 0; i < V; i += 4) um_store((float4 *)(p + i), make_float4(in[i], in[i + 1], in[i + 2], in[i + 3]));
  } else {
    for (int i = 0; i < V; i++) p[i] = in[i];
  }
}

template <int V> static __device__ inline void um_write(um_bf16 *p, const float (&in)[V]) {
  if constexpr (V == 8) {
    um_store((uint4 *)p,
             make_uint4(um_pack_bf16(in[0], in[1]), um_pack_bf16(in[2], in[3]), um_pack_bf16(in[4], in[5]), um_pack_bf16(in[6], in[7])));
  } else if constexpr (V == 4) {
    um_store((uint2 *)p, make_uint2(um_pack_bf16(in[0], in[1]), um_pack_bf16(in[2], in[3])));
  } else {
    for (int i = 0; i < V; i++) p[i] = um_to_bf16(in[i]);
  }
}

/* UM_OK where both are plain and of one type, f32 or bf16. */
static inline int um_same_type(const um_tensor *a, const um_tensor *b, const char *what, um_error *err) {
  if (a->dtype == b->dtype && (a->dtype == UM_F32 || a->dtype == UM_BF16) && !a->layout && !b->layout) return UM_OK;
  return um_fail(err, UM_EUNSUPPORTED, "cuda: %s: expected plain tensors of one type, f32 or bf16; got %s and %s", what,
                 um_dtype_name(a->dtype), um_dtype_name(b->dtype));
}

#endif
