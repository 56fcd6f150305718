/* Forward convolution: y[n,p,q][k] = act(sum over r, s, c of x[n, p stride + r - pad, q stride + s - pad, c] w[r,s,c][k] + bias[k]). */
#include "cuda/conv_gemm.cuh"

template <int PRECISION> static um_conv_tile_info info(um_conv_tile tile) {
  um_conv_tile_info i = {};
  with_tiling<UM_CONV_FORWARD, PRECISION>(tile, [&](auto t) { i = info_of<decltype(t)>(); });
  return i;
}

template <int PRECISION> static void launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream) {
  with_tiling<UM_CONV_FORWARD, PRECISION>(tile, [&](auto t) { launch_tiling<decltype(t)>(p, stream); });
}

um_conv_tile_info um_conv_forward_tile(um_precision precision, um_conv_tile tile) {
  return precision == UM_PRECISION_BF16   ? info<UM_PRECISION_BF16>(tile)
         : precision == UM_PRECISION_TF32 ? info<UM_PRECISION_TF32>(tile)
                                          : info<UM_PRECISION_FP32>(tile);
}

void um_conv_forward_launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream) {
  if (p->g.precision == UM_PRECISION_BF16)
    launch<UM_PRECISION_BF16>(p, tile, stream);
  else if (p->g.precision == UM_PRECISION_TF32)
    launch<UM_PRECISION_TF32>(p, tile, stream);
  else
    launch<UM_PRECISION_FP32>(p, tile, stream);
}
