/* What the hand-written convolutions' host side (conv_native.c) and kernels (conv_forward.cu, conv_data.cu, conv_weights.cu) share: each
 * pass is a matrix product
 *
 *                      rows M            columns N   depth
 *   forward            n, p, q           K           r, s, c
 *   backward data      n, h, w           C           r, s, k
 *   backward weights   r, s, c           K           n, p, q
 *
 * that is cut into tiles and, where these are too few to fill the GPU, the depth into splits. A split's sums are f32 and go to scratch; a
 * second kernel adds the splits up in a fixed order. */
#ifndef UM_CUDA_CONV_NATIVE_H
#define UM_CUDA_CONV_NATIVE_H

#include "cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tiles of rows x columns. GENERAL is 64x64 too: the one that takes channels which are not whole vectors of 16 bytes, and backward data
 * with a stride. */
typedef enum um_conv_tile {
  UM_TILE_256X128,
  UM_TILE_256X64,
  UM_TILE_128X128,
  UM_TILE_128X64,
  UM_TILE_64X64,
  UM_TILE_GENERAL,
  UM_CONV_TILES
} um_conv_tile;

typedef struct um_conv_tile_info {
  int rows, columns;
  int blocks;          /* that share a multiprocessor */
  size_t shared_bytes; /* 0: this pass and precision have no such tile */
} um_conv_tile_info;

/* What a kernel is told; by value. */
typedef struct um_conv_gemm {
  um_cuda_conv g;
  const void *a, *b;
  void *out;            /* splits > 1: the sums of all splits, f32 [splits][M][N] */
  const float *bias;    /* forward, one split */
  uint32_t M, N, depth; /* each below 2^31 */
  int splits, split_steps;
  /* How places follow each other that are counted in mixed radix: in the depth as r, s, channel or, chunked, as chunk, r, s; in backward
   * weights as n, p, q. step: from a thread's vector to its next; radix: of the last two. The launch fills them in. */
  int step[3], radix[2];
  bool chunked; /* the depth's channels are whole stages: they are walked by the stage, and all taps of one follow each other */
  bool relu;
  bool whole_a, whole_b, whole_out; /* rows of channels are whole vectors of 16 bytes */
} um_conv_gemm;

um_conv_tile_info um_conv_forward_tile(um_precision precision, um_conv_tile tile);
um_conv_tile_info um_conv_data_tile(um_precision precision, um_conv_tile tile);
um_conv_tile_info um_conv_weights_tile(um_precision precision, um_conv_tile tile);
void um_conv_forward_launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream);
void um_conv_data_launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream);
void um_conv_weights_launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream);

/* out[i] = act(sum over splits of partial[split][i], in a fixed order, + bias[i % N]); out f32 or bf16; bias may be NULL. */
void um_conv_reduce_launch(void *out, um_dtype dtype, const float *partial, int splits, int64_t count, int N, const float *bias, bool relu,
                           cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
