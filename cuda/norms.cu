/* Sum of squares in double, in two stages of a fixed order that depends on the count alone: the same bits on every device. */
#include "cuda/vector.cuh"

/* The block's sum, in thread 0. Every thread comes here. Shared: a double a warp. */
static __device__ inline double block_sum(double value) {
  double *part = (double *)um_shared();
  const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, warps = (int)blockDim.x / 32;
  value = um_warp_sum(value);
  if (lane == 0) part[warp] = value;
  __syncthreads();
  double sum = 0;
  if (threadIdx.x == 0)
    for (int i = 0; i < warps; i++) sum += part[i];
  return sum;
}

/* Whether x is aligned changes how it is read, not what is added to what. */
template <bool ALIGNED> static __global__ void __launch_bounds__(UM_BLOCK, 6) squares(double *partials, const float *x, int64_t count) {
  double sum[4] = {0, 0, 0, 0}, all = 0;
  um_each(i, count / 4) {
    float v[4];
    if (ALIGNED)
      um_read(v, x + i * 4);
    else
      for (int k = 0; k < 4; k++) v[k] = x[i * 4 + k];
    for (int k = 0; k < 4; k++) sum[k] += (double)v[k] * v[k]; /* the product is exact, contracted or not */
  }
  um_each(i, count % 4) all += (double)x[count - 1 - i] * x[count - 1 - i];
  for (int k = 0; k < 4; k++) all += sum[k];
  all = block_sum(all);
  if (threadIdx.x == 0) partials[blockIdx.x] = all;
}

/* partials[0] = their sum. One block. */
static __global__ void __launch_bounds__(UM_BLOCK) total(double *partials, int n) {
  double sum = 0;
  for (int i = (int)threadIdx.x; i < n; i += UM_BLOCK) sum += partials[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) partials[0] = sum;
}

int um_cuda_sum_squares(um_backend *be, double *out, const float *x, int64_t count, um_error *err) {
  um_cuda *cuda = (um_cuda *)be;
  enum { EACH = 16 }; /* values a thread, until there are blocks enough */
  const int64_t wanted = (count + UM_BLOCK * EACH - 1) / (UM_BLOCK * EACH);
  const int64_t most = UM_CUDA_PARTIALS;
  const int blocks = (int)(wanted < 1 ? 1 : wanted < most ? wanted : most);
  const size_t shared = UM_BLOCK / 32 * sizeof(double);
  if (cuda->recording) return um_fail(err, UM_EINTERNAL, "cuda: sum_squares waits for the device and cannot be recorded");
  if (um_aligned(x))
    um_launch(squares<true>, dim3((unsigned)blocks), dim3(UM_BLOCK), shared, cuda->queue, cuda->partials, x, count);
  else
    um_launch(squares<false>, dim3((unsigned)blocks), dim3(UM_BLOCK), shared, cuda->queue, cuda->partials, x, count);
  um_launch(total, dim3(1), dim3(UM_BLOCK), shared, cuda->queue, cuda->partials, blocks);
  int status = um_cuda_launched(err, "sum_squares");
  if (status == UM_OK)
    status =
        um_cuda_check(cudaMemcpyAsync(cuda->sum, cuda->partials, sizeof(double), cudaMemcpyDeviceToHost, cuda->queue), err, "sum_squares");
  if (status == UM_OK) status = um_cuda_check(cudaStreamSynchronize(cuda->queue), err, "sum_squares");
  if (status == UM_OK) *out = *cuda->sum;
  return status;
}
