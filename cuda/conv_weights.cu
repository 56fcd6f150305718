/* Backward weights: dw[r,s,c][k] = sum over n, p, q of x[n, p stride + r - pad, q stride + s - pad, c] dy[n,p,q][k], in f32. */
#include "cuda/conv_gemm.cuh"

um_conv_tile_info um_conv_weights_tile(um_precision precision, um_conv_tile tile) {
  um_conv_tile_info i = {};
  with_pass<UM_CONV_BACKWARD_WEIGHTS>(precision, tile, [&](auto t) { i = info_of<decltype(t)>(); });
  return i;
}

void um_conv_weights_launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream) {
  with_pass<UM_CONV_BACKWARD_WEIGHTS>(p->g.precision, tile, [&](auto t) { launch_tiling<decltype(t)>(p, stream); });
}
