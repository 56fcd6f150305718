/* Backward data: dx[n,h,w][c] = sum over r, s, k of dy[n, (h + pad - r) / stride, (w + pad - s) / stride, k] w[r,s,c][k], where that is a
 * position of dy. With a stride most taps of a row are none: the general tile looks at all of them. */
#include "cuda/conv_gemm.cuh"

template <int PRECISION> static um_conv_tile_info info(um_conv_tile tile) {
  um_conv_tile_info i = {};
  with_tiling<UM_CONV_BACKWARD_DATA, PRECISION>(tile, [&](auto t) { i = info_of<decltype(t)>(); });
  return i;
}

template <int PRECISION> static void launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream) {
  with_tiling<UM_CONV_BACKWARD_DATA, PRECISION>(tile, [&](auto t) { launch_tiling<decltype(t)>(p, stream); });
}

um_conv_tile_info um_conv_data_tile(um_precision precision, um_conv_tile tile) {
  return precision == UM_PRECISION_BF16   ? info<UM_PRECISION_BF16>(tile)
         : precision == UM_PRECISION_TF32 ? info<UM_PRECISION_TF32>(tile)
                                          : info<UM_PRECISION_FP32>(tile);
}

void um_conv_data_launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream) {
  if (p->g.precision == UM_PRECISION_BF16)
    launch<UM_PRECISION_BF16>(p, tile, stream);
  else if (p->g.precision == UM_PRECISION_TF32)
    launch<UM_PRECISION_TF32>(p, tile, stream);
  else
    launch<UM_PRECISION_FP32>(p, tile, stream);
}
