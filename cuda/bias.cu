/* Gradients of vectors: of a bias, db[k] = sum over rows of dy[rows][k], and of a PReLU's alpha, in which x <= 0 gates and multiplies dy. Stage one sums runs of rows, a block each, in f32; stage two adds the runs' sums
 * up, in double. The order depends on rows, K and the number of multiprocessors alone. */
#include "cuda/vector.cuh"

enum { THREADS = 256, BLOCKS = 4 /* a multiprocessor */, LEAST_ROWS = 64, COLUMNS = 8 /* of stage two's block */ };

/* BENT: each dy counts as many times as x says where x <= 0, and else not at all.
 * Block (column tile, run): thread t has COUNT columns (1, or a vector of 16 bytes) of every (THREADS / across)th row of the run; then
 * the threads of a column are added up in their order. across is a power of two up to 32. */
template <class T, int COUNT, bool BENT>
static __global__ void __launch_bounds__(THREADS)
    sum_rows(float *partial, const T *dy, const T *x, int64_t rows, int K, int64_t run, int across) {
  float *shared = (float *)um_shared(); /* THREADS / across x across x COUNT */
  const int down = THREADS / across, row = (int)threadIdx.x / across,
            column = ((int)blockIdx.x * across + (int)threadIdx.x % across) * COUNT;
  const int64_t first = blockIdx.y * run, end = first + run < rows ? first + run : rows;
  float sum[COUNT] = {};
  if (column < K) {
    const T *at = dy + (first + row) * K + column, *gate = BENT ? x + (first + row) * K + column : NULL;
#pragma unroll 4
    for (int64_t i = first + row; i < end; i += down, at += (int64_t)down * K) {
      float v[COUNT], g[COUNT];
      um_read(v, at);
      if (BENT) {
        um_read(g, gate);
        gate += (int64_t)down * K;
#pragma unroll
        for (int e = 0; e < COUNT; e++) v[e] = g[e] > 0 ? 0 : v[e] * g[e];
      }
#pragma unroll
      for (int e = 0; e < COUNT; e++) sum[e] += v[e];
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

/* Block: COLUMNS columns; a thread adds every (THREADS / COLUMNS)th run up, then the threads of a column are added up in their order. */
static __global__ void __launch_bounds__(THREADS) sum_runs(float *db, const float *partial, int K, int runs) {
  double *shared = (double *)um_shared(), sum = 0; /* a double a thread */
  const int column = (int)threadIdx.x % COLUMNS, k = (int)blockIdx.x * COLUMNS + column;
  if (k < K) {
#pragma unroll 4
    for (int r = (int)threadIdx.x / COLUMNS; r < runs; r += THREADS / COLUMNS) sum += partial[(int64_t)r * K + k];
  }
  shared[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x >= COLUMNS || k >= K) return;
  for (int i = 1; i < THREADS / COLUMNS; i++) sum += shared[i * COLUMNS + column];
  db[k] = (float)sum;
}

/* Runs of rows: enough blocks for the GPU, no run shorter than LEAST_ROWS but the last. */
static int64_t run_length(const um_cuda *cuda, int64_t rows) {
  const int64_t blocks = (int64_t)cuda->multiprocessors * BLOCKS, run = (rows + blocks - 1) / blocks;
  return run < LEAST_ROWS ? (int64_t)LEAST_ROWS : run;
}

static int64_t run_count(const um_cuda *cuda, int64_t rows) {
  const int64_t run = run_length(cuda, rows);
  return (rows + run - 1) / run;
}

size_t um_cuda_bias_scratch(const um_cuda *cuda, int64_t rows, int K) { return (size_t)run_count(cuda, rows) * (size_t)K * sizeof(float); }

template <class T, int COUNT, bool BENT>
static void launch(float *partial, const T *dy, const T *x, int64_t rows, int K, int64_t run, int64_t runs, cudaStream_t stream) {
  const int columns = (K + COUNT - 1) / COUNT;
  int across = 1;
  while (across < columns && across < 32) across *= 2;
  const dim3 grid((unsigned)((columns + across - 1) / across), (unsigned)runs);
  um_launch((sum_rows<T, COUNT, BENT>), grid, dim3(THREADS), THREADS * COUNT * sizeof(float), stream, partial, dy, x, rows, K, run, across);
}

template <bool BENT>
static int gradient(const um_cuda *cuda, float *db, const void *dy, const void *x, um_dtype dtype, int64_t rows, int K, void *scratch,
                    cudaStream_t stream, um_error *err) {
  const int64_t run = run_length(cuda, rows), runs = run_count(cuda, rows);
  float *partial = (float *)scratch;
  if (dtype == UM_BF16 && K % um_wide<um_bf16> == 0)
    launch<um_bf16, um_wide<um_bf16>, BENT>(partial, (const um_bf16 *)dy, (const um_bf16 *)x, rows, K, run, runs, stream);
  else if (dtype == UM_BF16)
    launch<um_bf16, 1, BENT>(partial, (const um_bf16 *)dy, (const um_bf16 *)x, rows, K, run, runs, stream);
  else if (K % um_wide<float> == 0)
    launch<float, um_wide<float>, BENT>(partial, (const float *)dy, (const float *)x, rows, K, run, runs, stream);
  else
    launch<float, 1, BENT>(partial, (const float *)dy, (const float *)x, rows, K, run, runs, stream);
  const int status = um_cuda_launched(err, "gradient of a vector");
  if (status != UM_OK) return status;
  um_launch(sum_runs, dim3((unsigned)((K + COLUMNS - 1) / COLUMNS)), dim3(THREADS), THREADS * sizeof(double), stream, db,
            (const float *)partial, K, (int)runs);
  return um_cuda_launched(err, "gradient of a vector, second stage");
}

int um_cuda_bias_gradient(const um_cuda *cuda, float *db, const void *dy, um_dtype dtype, int64_t rows, int K, void *scratch,
                          cudaStream_t stream, um_error *err) {
  return gradient<false>(cuda, db, dy, NULL, dtype, rows, K, scratch, stream, err);
}

int um_cuda_prelu_backward_weights(um_op *op, um_tensor *dalpha, const um_tensor *x, const um_tensor *dy, void *scratch, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  const int64_t K = x->dim[x->ndim - 1];
  const int status = um_same_type(x, dy, "prelu backward", err);
  if (status != UM_OK) return status;
  return gradient<true>(cuda, (float *)dalpha->data, dy->data, x->data, x->dtype, um_tensor_count(x) / K, (int)K, scratch, cuda->queue,
                        err);
}
