/* The tile engine of the convolutions: out[m][n] = sum over depth of a[m][depth] b[depth][n], a tile of BM x BN a block.
 *
 * A block walks over the depth in steps of 64 bytes (32 bf16, 16 f32), which wait in a ring of STAGES slots of shared memory: while
 * one is multiplied the next ones are copied (cp.async). What is copied is the affair of the loader (conv_gemm.cuh); here is how a tile
 * lies in shared memory and how it is multiplied:
 *
 *   shallow  rows of m (or n), 64 bytes of depth each. Two rows are a line of 128 bytes, in which the eight vectors of 16 bytes are
 *            permuted by the line's number: neither the copies nor ldmatrix meet a bank conflict.
 *   deep     rows of depth, BM (or BN) elements each and padding: 16 bytes for bf16, whose rows ldmatrix transposes, 32 bytes for f32,
 *            which is read a word at a time (bank 8 t + g).
 *
 * FP32 is multiplied with FFMA, a warp's lanes 8 x 4, each with rows ty + 8 i and a few columns; TF32 and BF16 with mma.sync. Every sum
 * runs in the order of the depth. */
#ifndef UM_CUDA_GEMM_CUH
#define UM_CUDA_GEMM_CUH

#include "cuda/device.cuh"

#include <string.h>

/* What a precision's operands are in memory. */
template <int PRECISION> struct um_element { typedef float type; };
template <> struct um_element<UM_PRECISION_BF16> { typedef um_bf16 type; };

/* A way of tiling for one pass. A's tile is deep in backward weights only, b's in all but backward data. */
template <int PASS_, int PRECISION_, int BM_, int BN_, int WM_, int WN_, int STAGES_, int BLOCKS_, bool GENERAL_> struct um_tiling {
  typedef typename um_element<PRECISION_>::type type;
  static constexpr int pass = PASS_, precision = PRECISION_;
  static constexpr int BM = BM_, BN = BN_, WM = WM_, WN = WN_, stages = STAGES_;
  static constexpr int blocks = BLOCKS_;    /* a multiprocessor, that the registers must allow */
  static constexpr bool general = GENERAL_; /* takes operands that are not whole vectors, and backward data with a stride */
  static constexpr int warps_n = BN / WN, warps = BM / WM * warps_n, threads = 32 * warps;
  static constexpr int size = (int)sizeof(type), vec = 16 / size, depth = 64 / size;
  static constexpr bool deep_a = PASS_ == UM_CONV_BACKWARD_WEIGHTS, deep_b = PASS_ != UM_CONV_BACKWARD_DATA;
  static constexpr int pad = size == 2 ? 16 : 32;
  static constexpr int pitch_a = BM * size + pad, pitch_b = BN * size + pad; /* of deep tiles */
  static constexpr int bytes_a = deep_a ? depth * pitch_a : BM * 64, bytes_b = deep_b ? depth * pitch_b : BN * 64;
  static constexpr int stage_bytes = bytes_a + bytes_b;
  static constexpr int pitch_out = WN * 2 + 16, bytes_out = size == 2 ? warps * WM * pitch_out : 0; /* where bf16 results are gathered */
  static constexpr int shared_bytes = stages * stage_bytes > bytes_out ? stages *stage_bytes : bytes_out;
  /* Vectors of 16 bytes that a thread copies: of a shallow tile column t % 4 of rows t / 4 + i threads / 4, of a deep one column
   * t % across of rows t / across + i threads / across. */
  static constexpr int across_a = deep_a ? BM / vec : 4, across_b = deep_b ? BN / vec : 4;
  static constexpr int down_a = threads / across_a, down_b = threads / across_b;
  static constexpr int count_a = (deep_a ? depth : BM) / down_a, count_b = (deep_b ? depth : BN) / down_b;
  static_assert(count_a * down_a == (deep_a ? depth : BM) && count_b * down_b == (deep_b ? depth : BN), "threads do not fit the tile");
};

static __device__ __forceinline__ float float_of(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* Where vector v of a row lies in a shallow tile. */
static __device__ __forceinline__ int shallow_at(int row, int v) {
  return (row >> 1) * 128 + ((((row & 1) << 2 | v) ^ (row >> 1 & 3)) << 4);
}

/* ---- tensor cores ---- */

/* One mma step (16 bf16 or 8 f32) of a warp's rows of a and columns of b. */
template <class T> struct fragments { uint32_t a[T::WM / 16][4], b[T::WN / 8 * 2]; };

/* Brings mma step kk (0 or 1) of a stage into registers. m, n: the warp's corner. The tiles of ldmatrix are in the order of the registers
 * of mma's fragments; a row of 16 bytes is 8 bf16 or 4 f32, so that shallow tiles are the same for both. */
template <class T>
static __device__ __forceinline__ void load_fragments(fragments<T> &f, const unsigned char *a, const unsigned char *b, int kk, int m, int n,
                                                      int lane) {
  const int g = lane >> 2, t = lane & 3, row = lane & 15, half = lane >> 4;
  if constexpr (!T::deep_a) {
#pragma unroll
    for (int i = 0; i < T::WM / 16; i++) um_ldmatrix(f.a[i], a + shallow_at(m + row, 2 * kk + half) + i * 1024);
  } else if constexpr (T::size == 2) {
    const unsigned char *at = a + (kk * 16 + (lane & 7) + half * 8) * T::pitch_a + (m + (lane & 8)) * 2;
#pragma unroll
    for (int i = 0; i < T::WM / 16; i++) um_ldmatrix_trans(f.a[i], at + i * 32);
  } else {
    const unsigned char *at = a + (kk * 8 + t) * T::pitch_a + (m + g) * 4;
#pragma unroll
    for (int i = 0; i < T::WM / 16; i++)
#pragma unroll
      for (int j = 0; j < 4; j++) f.a[i][j] = *(const uint32_t *)(at + (j >> 1) * 4 * T::pitch_a + (i * 16 + (j & 1) * 8) * 4);
  }
  if constexpr (!T::deep_b) {
    const int column = n + (lane & 7) + half * 8;
#pragma unroll
    for (int j = 0; j < T::WN / 8; j += 2) um_ldmatrix(f.b + 2 * j, b + shallow_at(column, 2 * kk + (lane >> 3 & 1)) + j * 512);
  } else if constexpr (T::size == 2) {
    const unsigned char *at = b + (kk * 16 + row) * T::pitch_b + (n + half * 8) * 2;
#pragma unroll
    for (int j = 0; j < T::WN / 8; j += 2) um_ldmatrix_trans(f.b + 2 * j, at + j * 16);
  } else {
    const unsigned char *at = b + (kk * 8 + t) * T::pitch_b + (n + g) * 4;
#pragma unroll
    for (int j = 0; j < T::WN / 8; j++)
#pragma unroll
      for (int e = 0; e < 2; e++) f.b[2 * j + e] = *(const uint32_t *)(at + e * 4 * T::pitch_b + j * 32);
  }
  if constexpr (T::precision == UM_PRECISION_TF32) {
#pragma unroll
    for (int i = 0; i < T::WM / 16; i++)
#pragma unroll
      for (int j = 0; j < 4; j++) f.a[i][j] = um_to_tf32(float_of(f.a[i][j]));
#pragma unroll
    for (int j = 0; j < T::WN / 8; j++)
#pragma unroll
      for (int e = 0; e < 2; e++) f.b[2 * j + e] = um_to_tf32(float_of(f.b[2 * j + e]));
  }
}

template <class T> static __device__ __forceinline__ void multiply(float (&sum)[T::WM / 16][T::WN / 8][4], const fragments<T> &f) {
#pragma unroll
  for (int i = 0; i < T::WM / 16; i++)
#pragma unroll
    for (int j = 0; j < T::WN / 8; j++) {
      if constexpr (T::precision == UM_PRECISION_BF16)
        um_mma_bf16(sum[i][j], f.a[i], f.b + 2 * j);
      else
        um_mma_tf32(sum[i][j], f.a[i], f.b + 2 * j);
    }
}

/* ---- plain f32 ---- */

/* Column j of a lane's: of a deep b in groups of four that lie together. */
template <class T> static __device__ __forceinline__ int plain_column(int j, int tx) {
  return T::deep_b ? (j >> 2) * 16 + tx * 4 + (j & 3) : j * 4 + tx;
}

/* One stage of a warp's tile: sum[i][j] belongs to row m + ty + 8 i and column n + plain_column(j). */
template <class T>
static __device__ __forceinline__ void multiply_plain(float (&sum)[T::WM / 8][T::WN / 4], const unsigned char *a, const unsigned char *b,
                                                      int m, int n, int lane) {
  const int ty = lane >> 2, tx = lane & 3;
#pragma unroll
  for (int v = 0; v < 4; v++) {
    float fa[T::WM / 8][4], fb[T::WN / 4][4];
#pragma unroll
    for (int i = 0; i < T::WM / 8; i++) {
      if constexpr (!T::deep_a) {
        const float4 q = *(const float4 *)(a + shallow_at(m + ty + 8 * i, v));
        fa[i][0] = q.x, fa[i][1] = q.y, fa[i][2] = q.z, fa[i][3] = q.w;
      } else {
#pragma unroll
        for (int e = 0; e < 4; e++) fa[i][e] = *(const float *)(a + (4 * v + e) * T::pitch_a + (m + ty + 8 * i) * 4);
      }
    }
    if constexpr (!T::deep_b) {
#pragma unroll
      for (int j = 0; j < T::WN / 4; j++) {
        const float4 q = *(const float4 *)(b + shallow_at(n + plain_column<T>(j, tx), v));
        fb[j][0] = q.x, fb[j][1] = q.y, fb[j][2] = q.z, fb[j][3] = q.w;
      }
    } else {
#pragma unroll
      for (int j = 0; j < T::WN / 4; j += 4)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const float4 q = *(const float4 *)(b + (4 * v + e) * T::pitch_b + (n + plain_column<T>(j, tx)) * 4);
          fb[j][e] = q.x, fb[j + 1][e] = q.y, fb[j + 2][e] = q.z, fb[j + 3][e] = q.w;
        }
    }
#pragma unroll
    for (int e = 0; e < 4; e++)
#pragma unroll
      for (int i = 0; i < T::WM / 8; i++)
#pragma unroll
        for (int j = 0; j < T::WN / 4; j++) sum[i][j] += fa[i][e] * fb[j][e];
  }
}

#endif
