/* Bias gradients: db[k] = sum over rows of dy[rows][k]. Stage one sums runs of rows, a block each, in f32; stage two adds the blocks' sums up in
 * their order, in double. The order depends on rows, K and the GPU's size alone. */
#include "cuda/device.cuh"

enum { THREADS = 256, BLOCKS = 4 /* a multiprocessor */, LEAST_ROWS = 64 };

/* Columns that a thread reads at once. */
template <class T> static bool whole(int K) { return K % (16 / (int)sizeof(T)) == 0; }

static __device__ __forceinline__ void add16(const float *from, float sum[4]) {
  const float4 q = *(const float4 *)from;
  sum[0] += q.x, sum[1] += q.y, sum[2] += q.z, sum[3] += q.w;
}

static __device__ __forceinline__ void add_pair(uint32_t pair, float *low, float *high) {
  um_bf16 a, b;
  a.bits = (uint16_t)pair, b.bits = (uint16_t)(pair >> 16);
  *low += um_to_float(a), *high += um_to_float(b);
}

static __device__ __forceinline__ void add16(const um_bf16 *from, float sum[8]) {
  const uint4 q = *(const uint4 *)from;
  add_pair(q.x, sum, sum + 1), add_pair(q.y, sum + 2, sum + 3), add_pair(q.z, sum + 4, sum + 5), add_pair(q.w, sum + 6, sum + 7);
}

/* Block (column tile, run): thread t has COUNT columns (1, or a vector of 16 bytes) of every (THREADS / across)th row of the run; then the threads of a
 * column are added up in their order. across is a power of two up to 32. */
template <class T, int COUNT>
static __global__ void sum_rows(float *partial, const T *dy, int64_t rows, int K, int64_t run, int across) {
  float *shared = (float *)um_shared(); /* THREADS / across x across x COUNT */
  const int down = THREADS / across, row = (int)threadIdx.x / across, column = ((int)blockIdx.x * across + (int)threadIdx.x % across) * COUNT;
  const int64_t first = blockIdx.y * run, end = first + run < rows ? first + run : rows;
  float sum[COUNT] = {};
  if (column < K) {
    const T *at = dy + (first + row) * K + column;
#pragma unroll 4
    for (int64_t i = first + row; i < end; i += down, at += (int64_t)down * K) {
      if constexpr (COUNT == 1)
        sum[0] += um_to_float(*at);
      else
        add16(at, sum);
    }
  }
#pragma unroll
  for (int e = 0; e < COUNT; e++) shared[(int)threadIdx.x * COUNT + e] = sum[e];
  __syncthreads();
  const int width = across * COUNT, base = (int)blockIdx.x * width;
  for (int c = (int)threadIdx.x; c < width && base + c < K; c += THREADS) {
    float all = 0;
    for (int r = 0; r < down; r++) all += shared[r * width + c];
    partial[(int64_t)blockIdx.y * K + base + c] = all;
  }
}

static __global__ void sum_runs(float *db, const float *partial, int K, int runs) {
  const int k = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  if (k >= K) return;
  double sum = 0;
#pragma unroll 8
  for (int r = 0; r < runs; r++) sum += partial[(int64_t)r * K + k];
  db[k] = (float)sum;
}

/* Runs of rows: enough blocks for the GPU, no run shorter than LEAST_ROWS but the last. */
static int64_t run_length(const um_cuda *cuda, int64_t rows) {
  const int64_t blocks = (int64_t)cuda->multiprocessors * BLOCKS, run = (rows + blocks - 1) / blocks;
  return run < LEAST_ROWS ? LEAST_ROWS : run;
}

static int64_t run_count(const um_cuda *cuda, int64_t rows) {
  const int64_t run = run_length(cuda, rows);
  return (rows + run - 1) / run;
}

size_t um_cuda_bias_scratch(const um_cuda *cuda, int64_t rows, int K) {
  return (size_t)run_count(cuda, rows) * (size_t)K * sizeof(float);
}

template <class T, int COUNT>
static void launch(float *partial, const T *dy, int64_t rows, int K, int64_t run, int64_t runs, cudaStream_t stream) {
  const int columns = (K + COUNT - 1) / COUNT;
  int across = 1;
  while (across < columns && across < 32) across *= 2;
  const dim3 grid((unsigned)((columns + across - 1) / across), (unsigned)runs);
  um_launch((sum_rows<T, COUNT>), grid, dim3(THREADS), THREADS * COUNT * sizeof(float), stream, partial, dy, rows, K, run, across);
}

int um_cuda_bias_gradient(const um_cuda *cuda, float *db, const void *dy, um_dtype dtype, int64_t rows, int K, void *scratch,
                          cudaStream_t stream, um_error *err) {
  const int64_t run = run_length(cuda, rows), runs = run_count(cuda, rows);
  float *partial = (float *)scratch;
  if (dtype == UM_BF16 && whole<um_bf16>(K))
    launch<um_bf16, 8>(partial, (const um_bf16 *)dy, rows, K, run, runs, stream);
  else if (dtype == UM_BF16)
    launch<um_bf16, 1>(partial, (const um_bf16 *)dy, rows, K, run, runs, stream);
  else if (whole<float>(K))
    launch<float, 4>(partial, (const float *)dy, rows, K, run, runs, stream);
  else
    launch<float, 1>(partial, (const float *)dy, rows, K, run, runs, stream);
  const int status = um_cuda_launched(err, "bias gradient");
  if (status != UM_OK) return status;
  um_launch(sum_runs, dim3((unsigned)((K + 63) / 64)), dim3(64), 0, stream, db, (const float *)partial, K, (int)runs);
  return um_cuda_launched(err, "bias gradient, second stage");
}
