/* The host side of cuda/device.cuh: CUDA's words and the device primitives for kernels that g++ compiles (-x c++ -DUM_CUDA_HOST). The
 * twin is cuda/device_gpu.cuh. */
#ifndef UM_CUDA_HOST_DEVICE_HOST_H
#define UM_CUDA_HOST_DEVICE_HOST_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "emu.h"

/* noipa: a kernel keeps its own name in the symbol table and its arguments as they are written. */
#if defined(__clang__)
#define __global__ __attribute__((noinline))
#else
#define __global__ __attribute__((noipa))
#endif
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__    __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

#define threadIdx (um_emu_self->index)
#define blockIdx  um_emu_block
#define blockDim  um_emu_block_dim
#define gridDim   um_emu_grid_dim
#define warpSize  32

/* Where a function of the device is called: parameters that nobody gives. */
#define UM_EMU_AT   const char *file, int line
#define UM_EMU_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned int x, y;
};
struct alignas(16) uint4 {
  unsigned int x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(4) uchar4 {
  unsigned char x, y, z, w;
};

static inline float2 make_float2(float x, float y) { return float2{x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return float4{x, y, z, w}; }
static inline int2 make_int2(int x, int y) { return int2{x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return int4{x, y, z, w}; }
static inline uint2 make_uint2(unsigned int x, unsigned int y) { return uint2{x, y}; }
static inline uint4 make_uint4(unsigned int x, unsigned int y, unsigned int z, unsigned int w) { return uint4{x, y, z, w}; }
static inline double2 make_double2(double x, double y) { return double2{x, y}; }
static inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) { return uchar4{x, y, z, w}; }

/* nvcc's own min and max, for equal types. */
#define UM_EMU_MIN_MAX(T)                                                                                                                  \
  static inline T min(T a, T b) { return b < a ? b : a; }                                                                                  \
  static inline T max(T a, T b) { return a < b ? b : a; }
UM_EMU_MIN_MAX(int)
UM_EMU_MIN_MAX(unsigned int)
UM_EMU_MIN_MAX(long)
UM_EMU_MIN_MAX(unsigned long)
UM_EMU_MIN_MAX(long long)
UM_EMU_MIN_MAX(unsigned long long)
#undef UM_EMU_MIN_MAX
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }

template <class To, class From> static inline To um_emu_bits(From v) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  To r;
  memcpy(&r, &v, sizeof r);
  return r;
}

static inline unsigned int __float_as_uint(float v) { return um_emu_bits<unsigned int>(v); }
static inline int __float_as_int(float v) { return um_emu_bits<int>(v); }
static inline float __uint_as_float(unsigned int v) { return um_emu_bits<float>(v); }
static inline float __int_as_float(int v) { return um_emu_bits<float>(v); }
static inline long long __double_as_longlong(double v) { return um_emu_bits<long long>(v); }
static inline double __longlong_as_double(long long v) { return um_emu_bits<double>(v); }

/* Compiled with -ffp-contract=off. */
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }

/* ---- launches ---- */

template <class T> struct um_same { typedef T type; };

static inline void um_emu_note(um_emu_launch *l, const void *pointer) {
  if (l->n_pointers < UM_EMU_POINTERS) l->pointers[l->n_pointers++] = pointer;
}
template <class T> static inline void um_emu_argument(um_emu_launch *, const T &) {}
template <class T> static inline void um_emu_argument(um_emu_launch *l, T *const &p) { um_emu_note(l, (const void *)p); }

template <class Work> static inline void um_emu_queue(um_emu_launch *l, const Work &work, cudaStream_t stream) {
  l->run = [](const void *w) { (*(const Work *)w)(); };
  l->arguments = &work;
  l->bytes = sizeof work;
  um_emu_queue_launch(l, stream);
}

template <class... P>
static inline void um_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                             typename um_same<P>::type... args) {
  if (shared > UM_EMU_SHARED_DEFAULT &&
      cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared) != cudaSuccess)
    return;
  um_emu_launch l = {};
  l.kernel = (const void *)kernel;
  l.grid = grid;
  l.block = block;
  l.shared = shared;
  int each[] = {0, (um_emu_argument(&l, args), 0)...};
  (void)each;
  um_emu_queue(
      &l, [=]() { kernel(args...); }, stream);
}

/* The overloads that nvcc's cuda_runtime.h has. */
template <class T> static inline cudaError_t cudaFuncSetAttribute(T *kernel, enum cudaFuncAttribute attr, int value) {
  return cudaFuncSetAttribute((const void *)kernel, attr, value);
}
template <class T> static inline cudaError_t cudaMalloc(T **p, size_t size) { return cudaMalloc((void **)p, size); }
template <class T> static inline cudaError_t cudaMallocHost(T **p, size_t size) { return cudaMallocHost((void **)p, size); }
template <class T>
static inline cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, T *kernel, int block_size, size_t shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, (const void *)kernel, block_size, shared);
}

static inline unsigned char *um_shared() { return um_emu_shared; }

/* ---- conversions ---- */

static inline float um_to_float(um_bf16 v) { return __uint_as_float((uint32_t)v.bits << 16); }
static inline float um_to_float(float v) { return v; }

/* As cvt.rn.bf16.f32: every NaN becomes 0x7fff. */
static inline um_bf16 um_to_bf16(float v) {
  const uint32_t u = __float_as_uint(v);
  um_bf16 r;
  r.bits = (u & 0x7fffffffu) > 0x7f800000u ? (uint16_t)0x7fff : (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
  return r;
}

template <class T> static inline T um_from_float(float v);
template <> inline float um_from_float<float>(float v) { return v; }
template <> inline um_bf16 um_from_float<um_bf16>(float v) { return um_to_bf16(v); }

static inline uint32_t um_pack_bf16(float low, float high) {
  return (uint32_t)um_to_bf16(low).bits | (uint32_t)um_to_bf16(high).bits << 16;
}

/* As cvt.rna.tf32.f32; infinities stay, every NaN becomes 0x7fffffff. */
static inline uint32_t um_to_tf32(float v) {
  const uint32_t u = __float_as_uint(v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fffffffu;
  if ((u & 0x7f800000u) == 0x7f800000u) return u;
  return (u + 0x1000u) & ~0x1fffu;
}

/* ---- copies into shared memory ---- */

static inline void um_copy16(void *shared, const void *global, bool there) { um_emu_copy16(shared, global, there); }
static inline void um_copy16_near(void *shared, const void *global, bool there) { um_emu_copy16(shared, global, there); }
static inline void um_copy_commit() { um_emu_self->group++; }
template <int N> static inline void um_copy_wait(UM_EMU_HERE) {
  if (!um_emu_skips(file, line)) um_emu_copy_wait(N);
}

/* ---- meetings ---- */

static inline void __syncthreads(UM_EMU_HERE) {
  if (!um_emu_skips(file, line)) um_emu_stop(UM_EMU_SYNCTHREADS, file, line);
}

static inline int __syncthreads_or(int predicate, UM_EMU_HERE) {
  um_emu_self->argument = predicate;
  um_emu_stop(UM_EMU_SYNCTHREADS_OR, file, line);
  return um_emu_self->argument;
}

static inline void um_emu_whole(unsigned int mask) {
  if (mask != 0xffffffffu) um_emu_fail("a warp-wide function with the mask 0x%08x", mask);
}

static inline void __syncwarp(unsigned int mask = 0xffffffffu, UM_EMU_HERE) {
  um_emu_whole(mask);
  if (!um_emu_skips(file, line)) um_emu_stop(UM_EMU_SYNCWARP, file, line);
}

template <class T> static inline T um_emu_shuffle(um_emu_meeting how, unsigned int mask, T v, int argument, UM_EMU_AT) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "32 or 64 bits");
  um_emu_whole(mask);
  um_emu_thread *self = um_emu_self;
  self->value.u = 0;
  memcpy(&self->value.u, &v, sizeof v);
  self->argument = argument;
  um_emu_stop(how, file, line);
  memcpy(&v, &self->value.u, sizeof v);
  return v;
}

template <class T> static inline T __shfl_xor_sync(unsigned int mask, T v, int lanes, UM_EMU_HERE) {
  return um_emu_shuffle(UM_EMU_SHFL_XOR, mask, v, lanes, file, line);
}
template <class T> static inline T __shfl_down_sync(unsigned int mask, T v, unsigned int delta, UM_EMU_HERE) {
  return um_emu_shuffle(UM_EMU_SHFL_DOWN, mask, v, (int)delta, file, line);
}
template <class T> static inline T __shfl_sync(unsigned int mask, T v, int lane, UM_EMU_HERE) {
  return um_emu_shuffle(UM_EMU_SHFL, mask, v, lane, file, line);
}

static inline double um_warp_sum(double v, UM_EMU_HERE) {
  um_emu_thread *self = um_emu_self;
  self->value.f64 = v;
  um_emu_stop(UM_EMU_SUM_DOUBLE, file, line);
  return self->value.f64;
}

static inline float um_warp_sum(float v, UM_EMU_HERE) {
  um_emu_thread *self = um_emu_self;
  self->value.f = v;
  um_emu_stop(UM_EMU_SUM_FLOAT, file, line);
  return self->value.f;
}

static inline void um_emu_fragments(um_emu_meeting m, void *d, const void *a, const void *b, UM_EMU_AT) {
  um_emu_thread *self = um_emu_self;
  self->d = d;
  self->a = a;
  self->b = b;
  um_emu_stop(m, file, line);
}

static inline void um_ldmatrix(uint32_t r[4], const void *row, UM_EMU_HERE) {
  um_emu_fragments(UM_EMU_LDMATRIX, r, row, nullptr, file, line);
}
static inline void um_ldmatrix_trans(uint32_t r[4], const void *row, UM_EMU_HERE) {
  um_emu_fragments(UM_EMU_LDMATRIX_TRANS, r, row, nullptr, file, line);
}
static inline void um_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2], UM_EMU_HERE) {
  um_emu_fragments(UM_EMU_MMA_BF16, d, a, b, file, line);
}
static inline void um_mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2], UM_EMU_HERE) {
  um_emu_fragments(UM_EMU_MMA_TF32, d, a, b, file, line);
}

/* One thread runs at a time. */
static inline unsigned long long atomicMin(unsigned long long *p, unsigned long long v) {
  const unsigned long long old = *p;
  if (v < old) *p = v;
  return old;
}

#endif
