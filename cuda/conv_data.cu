/* Backward data: dx[n,h,w][c] = sum over r, s, k of dy[n, (h + pad - r) / stride, (w + pad - s) / stride, k] w[r,s,c][k], where that is a
 * position of dy. With a stride most taps of a row are none: the general tile looks at all of them. */
#include "cuda/conv_gemm.cuh"

um_conv_tile_info um_conv_data_tile(um_precision precision, um_conv_tile tile) {
  um_conv_tile_info i = {};
  with_pass<UM_CONV_BACKWARD_DATA>(precision, tile, [&](auto t) { i = info_of<decltype(t)>(); });
  return i;
}

void um_conv_data_launch(const um_conv_gemm *p, um_conv_tile tile, cudaStream_t stream) {
  with_pass<UM_CONV_BACKWARD_DATA>(p->g.precision, tile, [&](auto t) { launch_tiling<decltype(t)>(p, stream); });
}
