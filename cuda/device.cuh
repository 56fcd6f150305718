/* What kernels are made of: bf16, copies into shared memory, matrix fragments, sums over a warp. On a GPU these are one or two
 * instructions each; for the host they are calls of the emulated device (tests/cuda_host/device_host.h).
 *
 * Rules that keep the emulation honest:
 *   - shared memory is um_shared() alone: the dynamic shared memory of the launch, aligned to 128 bytes;
 *   - launches go through um_launch();
 *   - every lane of a warp comes to a warp-wide function (mma, ldmatrix, shuffles, sums), and every thread of the block to
 *     __syncthreads();
 *   - no warp-synchronous code: what another thread of the warp wrote to memory is read after __syncwarp() or __syncthreads();
 *   - no libdevice beyond fabsf, fminf, fmaxf, sqrtf, expf, log1pf, floor and their double forms. */
#ifndef UM_CUDA_DEVICE_CUH
#define UM_CUDA_DEVICE_CUH

#include "cuda/cuda.h"

/* A bf16 as its bits. */
struct um_bf16 {
  uint16_t bits;
};

#ifdef UM_CUDA_HOST
#include "device_host.h"
#else
#include "cuda/device_gpu.cuh"
#endif

/* Both of them give:
 *
 *   um_launch(kernel, grid, block, shared_bytes, stream, args...)   grid, block: dim3. Raises the kernel's limit of dynamic shared memory
 *                                                     where shared_bytes is above 48 KB. Errors: um_cuda_launched() after it.
 *   unsigned char *um_shared()
 *   float um_to_float(um_bf16), um_to_float(float);   um_bf16 um_to_bf16(float)                 round to nearest even
 *   template <T> T um_from_float(float)                                                 T is float or um_bf16
 *   uint32_t um_pack_bf16(float low, float high)
 *   uint32_t um_to_tf32(float)                                                          rounded to nearest, ties away (cvt.rna)
 *
 *   void um_copy16(void *shared, const void *global, bool there)        asynchronous copy of 16 bytes, both aligned to 16; zeros where
 *                                                                       not `there` (global must then still be a valid pointer)
 *   void um_copy16_near(...)                                            the same; the L1 cache keeps it, for what is soon read again
 *   void um_copy_commit(); template <int N> void um_copy_wait();        groups of copies; wait until at most N groups are under way.
 *                                                                       Other threads see what was copied after a __syncthreads().
 *                                                                       A thread waits for all of its copies before it ends.
 *
 *   void um_ldmatrix(uint32_t r[4], const void *row)        four 8x8 tiles of 16-bit values; lane l gives the address of row l%8 of tile l/8
 *   void um_ldmatrix_trans(uint32_t r[4], const void *row)  each tile transposed
 *   void um_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2])   d += a b, m16n8k16, PTX's fragment layouts
 *   void um_mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2])   d += a b, m16n8k8
 *
 *   T __shfl_xor_sync, __shfl_down_sync, __shfl_sync (32 and 64 bits); void __syncwarp(); __syncthreads(); int __syncthreads_or(int)
 *   unsigned long long atomicMin(unsigned long long *, unsigned long long)
 *   double um_warp_sum(double), float um_warp_sum(float)                      by xor shuffles, the same on every lane
 *   double __dmul_rn, __dadd_rn; float __fmul_rn, __fadd_rn                   never contracted
 *   float4, uint4, uint2, float2 and dim3; threadIdx, blockIdx, blockDim, gridDim
 */

#endif
