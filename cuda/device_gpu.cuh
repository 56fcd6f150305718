/* The GPU side of device.cuh: PTX for sm_80 and newer. Contracts are in device.cuh; the twin is tests/cuda_host/device_host.h. */
#ifndef UM_CUDA_DEVICE_GPU_CUH
#define UM_CUDA_DEVICE_GPU_CUH

#include <stddef.h>
#include <stdint.h>

/* ---- launches ---- */

/* Keeps an argument out of template deduction: the kernel alone decides the types. */
template <class T> struct um_same { typedef T type; };

template <class... P>
static inline void um_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                             typename um_same<P>::type... args) {
  if (shared > 48 * 1024 && cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared) != cudaSuccess) return;
  kernel<<<grid, block, shared, stream>>>(args...);
}

__device__ __forceinline__ unsigned char *um_shared() {
  extern __shared__ __align__(128) unsigned char um_dynamic_shared[];
  return um_dynamic_shared;
}

/* ---- conversions ---- */

__device__ __forceinline__ float um_to_float(um_bf16 v) { return __uint_as_float((uint32_t)v.bits << 16); }
__device__ __forceinline__ float um_to_float(float v) { return v; }

__device__ __forceinline__ um_bf16 um_to_bf16(float v) {
  um_bf16 r;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.bits) : "f"(v));
  return r;
}

template <class T> __device__ __forceinline__ T um_from_float(float v);
template <> __device__ __forceinline__ float um_from_float<float>(float v) { return v; }
template <> __device__ __forceinline__ um_bf16 um_from_float<um_bf16>(float v) { return um_to_bf16(v); }

__device__ __forceinline__ uint32_t um_pack_bf16(float low, float high) {
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}

__device__ __forceinline__ uint32_t um_to_tf32(float v) {
  uint32_t r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(v));
  return r;
}

/* ---- copies into shared memory ---- */

/* .cg: past the L1, where a tile is not read again. */
__device__ __forceinline__ void um_copy16(void *shared, const void *global, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((uint32_t)__cvta_generic_to_shared(shared)), "l"(global),
               "r"(there ? 16 : 0)
               : "memory");
}

/* .ca: by way of the L1. */
__device__ __forceinline__ void um_copy16_near(void *shared, const void *global, bool there) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"((uint32_t)__cvta_generic_to_shared(shared)), "l"(global),
               "r"(there ? 16 : 0)
               : "memory");
}

__device__ __forceinline__ void um_copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int N> __device__ __forceinline__ void um_copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

/* ---- matrix fragments ---- */

__device__ __forceinline__ void um_ldmatrix(uint32_t r[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"((uint32_t)__cvta_generic_to_shared(row))
               : "memory");
}

__device__ __forceinline__ void um_ldmatrix_trans(uint32_t r[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"((uint32_t)__cvta_generic_to_shared(row))
               : "memory");
}

__device__ __forceinline__ void um_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void um_mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* ---- sums over a warp ---- */

template <class T> __device__ __forceinline__ T um_warp_sum_of(T v) {
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}

__device__ __forceinline__ double um_warp_sum(double v) { return um_warp_sum_of(v); }
__device__ __forceinline__ float um_warp_sum(float v) { return um_warp_sum_of(v); }

#endif
