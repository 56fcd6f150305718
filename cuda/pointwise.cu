/* PReLU, softmax and dropout: one pass over memory each (softmax: one from memory, two more from the cache). Contracts are in
 * core/ops.h. Values are computed in f32 and rounded once. A PReLU's dalpha is in bias.cu. */
#include "core/rng.h"
#include "cuda/vector.cuh"

/* ---- PReLU ---- */

/* y = gate > 0 ? x : alpha[c] x; V divides C. y may be x or gate. */
template <class T, int V>
static __global__ void __launch_bounds__(UM_BLOCK) bend(T *y, const T *x, const T *gate, const float *alpha, int64_t count, int C) {
  um_each(i, count / V) {
    const int c = (int)(i * V % C);
    float v[V], g[V];
    um_read(v, x + i * V);
    um_read(g, gate + i * V);
    for (int k = 0; k < V; k++) v[k] = g[k] > 0 ? v[k] : alpha[c + k] * v[k];
    um_write(y + i * V, v);
  }
}

template <class T>
static void launch_bend(const um_cuda *cuda, um_tensor *y, const um_tensor *x, const um_tensor *gate, const float *alpha) {
  constexpr int V = um_wide<T>;
  const int64_t count = um_tensor_count(y);
  const int C = (int)y->dim[y->ndim - 1];
  T *to = (T *)y->data;
  const T *from = (const T *)x->data, *sign = (const T *)gate->data;
  if (C % V == 0 && um_aligned(to) && um_aligned(from) && um_aligned(sign))
    um_launch((bend<T, V>), um_grid(cuda, count / V), dim3(UM_BLOCK), 0, cuda->queue, to, from, sign, alpha, count, C);
  else
    um_launch((bend<T, 1>), um_grid(cuda, count), dim3(UM_BLOCK), 0, cuda->queue, to, from, sign, alpha, count, C);
}

static int bend_any(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *gate, const um_tensor *alpha, const char *what,
                    um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  int status = um_same_type(y, x, what, err);
  if (status == UM_OK) status = um_same_type(y, gate, what, err);
  if (status != UM_OK || um_tensor_count(y) == 0) return status;
  if (y->dtype == UM_F32)
    launch_bend<float>(cuda, y, x, gate, (const float *)alpha->data);
  else
    launch_bend<um_bf16>(cuda, y, x, gate, (const float *)alpha->data);
  return um_cuda_launched(err, what);
}

int um_cuda_prelu_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *alpha, um_error *err) {
  return bend_any(op, y, x, x, alpha, "prelu", err);
}

int um_cuda_prelu_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *x, const um_tensor *alpha, um_error *err) {
  return bend_any(op, dx, dy, x, alpha, "prelu backward", err);
}

/* ---- softmax ---- */

/* Over the `lanes` neighbours (a power of two) that share a row; every lane of the warp comes here. */
static __device__ inline float most_of(float v, int lanes) {
  for (int i = lanes / 2; i > 0; i /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffff, v, i));
  return v;
}

static __device__ inline float sum_of(float v, int lanes) {
  for (int i = lanes / 2; i > 0; i /= 2) v += __shfl_xor_sync(0xffffffff, v, i);
  return v;
}

/* `lanes` threads a row: thread l has its columns l, l + lanes, ... row is that of this thread, or rows where the warp's last turn has
 * none for it. FORWARD: out = softmax(a), b unused. Else out = b (a - sum of a b): a is dy and b is y. out may be a. */
template <class T, bool FORWARD>
static __global__ void __launch_bounds__(UM_BLOCK) softmax(T *out, const T *a, const T *b, int64_t rows, int C, int lanes) {
  const int lane = (int)threadIdx.x % lanes, rows_a_warp = 32 / lanes;
  const int64_t warps = (int64_t)gridDim.x * (UM_BLOCK / 32), warp = (int64_t)blockIdx.x * (UM_BLOCK / 32) + (int)threadIdx.x / 32;
  for (int64_t first = warp * rows_a_warp; first < rows; first += warps * rows_a_warp) { /* the same turns for the whole warp */
    const int64_t row = first + (int)threadIdx.x % 32 / lanes, at = row * C;
    const int end = row < rows ? C : 0;
    float most = -3.402823466e38f, sum = 0;
    if (FORWARD) {
      for (int c = lane; c < end; c += lanes) most = fmaxf(most, um_to_float(a[at + c]));
      most = most_of(most, lanes);
    }
    for (int c = lane; c < end; c += lanes) {
      const float v = um_to_float(a[at + c]);
      sum += FORWARD ? expf(v - most) : v * um_to_float(b[at + c]);
    }
    sum = sum_of(sum, lanes);
    for (int c = lane; c < end; c += lanes) {
      const float v = um_to_float(a[at + c]);
      out[at + c] = um_from_float<T>(FORWARD ? expf(v - most) / sum : um_to_float(b[at + c]) * (v - sum));
    }
  }
}

template <class T, bool FORWARD> static void launch_softmax(const um_cuda *cuda, um_tensor *out, const um_tensor *a, const um_tensor *b) {
  const int C = (int)out->dim[out->ndim - 1];
  const int64_t rows = um_tensor_count(out) / C;
  int lanes = 1;
  while (lanes < C && lanes < 32) lanes *= 2;
  um_launch((softmax<T, FORWARD>), um_grid(cuda, rows * lanes), dim3(UM_BLOCK), 0, cuda->queue, (T *)out->data, (const T *)a->data,
            (const T *)b->data, rows, C, lanes);
}

int um_cuda_softmax_forward(um_op *op, um_tensor *y, const um_tensor *x, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  const int status = um_same_type(y, x, "softmax", err);
  if (status != UM_OK || um_tensor_count(y) == 0) return status;
  if (y->dtype == UM_F32)
    launch_softmax<float, true>(cuda, y, x, x);
  else
    launch_softmax<um_bf16, true>(cuda, y, x, x);
  return um_cuda_launched(err, "softmax");
}

int um_cuda_softmax_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  int status = um_same_type(dx, dy, "softmax backward", err);
  if (status == UM_OK) status = um_same_type(dx, y, "softmax backward", err);
  if (status != UM_OK || um_tensor_count(dx) == 0) return status;
  if (dx->dtype == UM_F32)
    launch_softmax<float, false>(cuda, dx, dy, y);
  else
    launch_softmax<um_bf16, false>(cuda, dx, dy, y);
  return um_cuda_launched(err, "softmax backward");
}

/* ---- dropout ---- */

/* What um_dropout_words says, on the device. */
struct mask {
  uint32_t key[2], node, threshold;
  float scale;
};

static __device__ inline void words_of(uint32_t word[4], const mask &m, int64_t step, int64_t block) {
  uint32_t c0 = (uint32_t)block, c1 = m.node | (uint32_t)((uint64_t)block >> 32) << 12, c2 = (uint32_t)step, c3 = UM_STREAM_DROPOUT;
  uint32_t k0 = m.key[0], k1 = m.key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  word[0] = c0, word[1] = c1, word[2] = c2, word[3] = c3;
}

/* A thread makes four elements; WIDE reads and writes them at once. y may be x. */
template <class T, bool WIDE>
static __global__ void __launch_bounds__(UM_BLOCK) dropout(T *y, const T *x, mask m, const um_control *control, int64_t count) {
  const int64_t step = control->step;
  um_each(i, (count + 3) / 4) {
    uint32_t word[4];
    words_of(word, m, step, i);
    if (WIDE && i * 4 + 4 <= count) {
      float v[4];
      um_read(v, x + i * 4);
      for (int k = 0; k < 4; k++) v[k] = word[k] >= m.threshold ? v[k] * m.scale : 0;
      um_write(y + i * 4, v);
    } else {
      for (int k = 0; k < 4 && i * 4 + k < count; k++)
        y[i * 4 + k] = um_from_float<T>(word[k] >= m.threshold ? um_to_float(x[i * 4 + k]) * m.scale : 0);
    }
  }
}

template <class T>
static void launch_dropout(const um_cuda *cuda, um_tensor *y, const um_tensor *x, const mask &m, const um_control *control) {
  const int64_t count = um_tensor_count(y);
  T *to = (T *)y->data;
  const T *from = (const T *)x->data;
  if (um_aligned(to) && um_aligned(from))
    um_launch((dropout<T, true>), um_grid(cuda, count / 4 + 1), dim3(UM_BLOCK), 0, cuda->queue, to, from, m, control, count);
  else
    um_launch((dropout<T, false>), um_grid(cuda, count / 4 + 1), dim3(UM_BLOCK), 0, cuda->queue, to, from, m, control, count);
}

int um_cuda_dropout(um_op *op, um_tensor *y, const um_tensor *x, const um_control *control, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  const um_op_desc *d = &op->desc;
  const mask m = {{(uint32_t)d->seed, (uint32_t)(d->seed >> 32)}, d->node, um_dropout_threshold(d->rate), (float)(1 / (1 - d->rate))};
  const int status = um_same_type(y, x, "dropout", err);
  if (status != UM_OK || um_tensor_count(y) == 0) return status;
  if (y->dtype == UM_F32)
    launch_dropout<float>(cuda, y, x, m, control);
  else
    launch_dropout<um_bf16>(cuda, y, x, m, control);
  return um_cuda_launched(err, "dropout");
}
