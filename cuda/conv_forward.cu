/* Forward convolution: y[n,p,q][k] = act(sum over r, s, c of x[n, p stride + r - pad, q stride + s - pad, c] w[r,s,c][k] + bias[k]). */
#include "cuda/conv_gemm.cuh"

um_conv_tile_info um_conv_forward_tile(um_precision precision, um_conv_tile tile) {
  um_conv_tile_info i = {};
  with_pass<UM_CONV_FORWARD>(precision, tile, [&](auto t) { i = info_of<decltype(t)>(); });
  return i;
}

void um_conv_forward_launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream) {
  with_pass<UM_CONV_FORWARD>(p->g.precision, tile, [&](auto t) { launch_tiling<decltype(t)>(p, stream); });
}
