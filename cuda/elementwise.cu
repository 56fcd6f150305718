/* Activations (as nodes and fused into another op), sums and accumulation: one pass over memory each, 16 bytes an access. Contracts
 * are in core/ops.h. Values are computed in f32 and rounded once.
 *
 *   relu       y = x < 0 ? 0 : x (a NaN stays one)         dx = y > 0 ? dy : 0
 *   sigmoid    y = 1 / (1 + e^-x), by e^-|x|, which cannot overflow   dx = dy y (1 - y)
 */
#include "cuda/vector.cuh"

enum function { NONE, RELU, SIGMOID };

/* Which function the op applies: a node's own, or the one fused into it. */
static enum function function_of(const um_op *op) {
  if (op->desc.kind == UM_OP_RELU) return RELU;
  if (op->desc.kind == UM_OP_SIGMOID) return SIGMOID;
  return op->desc.activation == UM_ACT_RELU ? RELU : NONE;
}

template <int F> static __device__ inline float value_of(float x) {
  if (F == RELU) return x < 0 ? 0 : x;
  const float e = expf(-fabsf(x)), p = 1 / (1 + e);
  return x < 0 ? e * p : p;
}

template <int F> static __device__ inline float gradient_of(float dy, float y) {
  if (F == RELU) return y > 0 ? dy : 0;
  return dy * (y * (1 - y));
}

/* y may be x. */
template <class T, int V, int F> static __global__ void __launch_bounds__(UM_BLOCK) activate(T *y, const T *x, int64_t count) {
  um_each(i, count / V) {
    float v[V];
    um_read(v, x + i * V);
    for (int k = 0; k < V; k++) v[k] = value_of<F>(v[k]);
    um_write(y + i * V, v);
  }
  um_each(i, count % V) {
    const int64_t at = count - 1 - i;
    y[at] = um_from_float<T>(value_of<F>(um_to_float(x[at])));
  }
}

/* dx may be dy. */
template <class T, int V, int F> static __global__ void __launch_bounds__(UM_BLOCK) slope(T *dx, const T *dy, const T *y, int64_t count) {
  um_each(i, count / V) {
    float d[V], v[V];
    um_read(d, dy + i * V);
    um_read(v, y + i * V);
    for (int k = 0; k < V; k++) d[k] = gradient_of<F>(d[k], v[k]);
    um_write(dx + i * V, d);
  }
  um_each(i, count % V) {
    const int64_t at = count - 1 - i;
    dx[at] = um_from_float<T>(gradient_of<F>(um_to_float(dy[at]), um_to_float(y[at])));
  }
}

template <class T, int F> static void launch_activate(const um_cuda *cuda, um_tensor *y, const um_tensor *x) {
  const int64_t count = um_tensor_count(y);
  constexpr int V = um_wide<T>;
  if (um_aligned(y->data) && um_aligned(x->data))
    um_launch((activate<T, V, F>), um_grid(cuda, count / V + 1), dim3(UM_BLOCK), 0, cuda->queue, (T *)y->data, (const T *)x->data, count);
  else
    um_launch((activate<T, 1, F>), um_grid(cuda, count), dim3(UM_BLOCK), 0, cuda->queue, (T *)y->data, (const T *)x->data, count);
}

template <class T, int F> static void launch_slope(const um_cuda *cuda, um_tensor *dx, const um_tensor *dy, const um_tensor *y) {
  const int64_t count = um_tensor_count(dx);
  constexpr int V = um_wide<T>;
  if (um_aligned(dx->data) && um_aligned(dy->data) && um_aligned(y->data))
    um_launch((slope<T, V, F>), um_grid(cuda, count / V + 1), dim3(UM_BLOCK), 0, cuda->queue, (T *)dx->data, (const T *)dy->data,
              (const T *)y->data, count);
  else
    um_launch((slope<T, 1, F>), um_grid(cuda, count), dim3(UM_BLOCK), 0, cuda->queue, (T *)dx->data, (const T *)dy->data,
              (const T *)y->data, count);
}

static int copy(const um_cuda *cuda, um_tensor *to, const um_tensor *from, um_error *err) {
  if (to->data == from->data) return UM_OK;
  const size_t bytes = (size_t)um_tensor_count(to) * um_dtype_size(to->dtype);
  return um_cuda_check(cudaMemcpyAsync(to->data, from->data, bytes, cudaMemcpyDeviceToDevice, cuda->queue), err, "copy");
}

int um_cuda_activation_forward(um_op *op, um_tensor *y, const um_tensor *x, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  const enum function f = function_of(op);
  const bool wide = y->dtype == UM_F32;
  if (op->desc.kind == UM_OP_SOFTMAX) return um_cuda_softmax_forward(op, y, x, err);
  const int status = um_same_type(y, x, "activation", err);
  if (status != UM_OK || um_tensor_count(y) == 0) return status;
  if (f == NONE) return copy(cuda, y, x, err);
  if (f == RELU && wide) launch_activate<float, RELU>(cuda, y, x);
  if (f == RELU && !wide) launch_activate<um_bf16, RELU>(cuda, y, x);
  if (f == SIGMOID && wide) launch_activate<float, SIGMOID>(cuda, y, x);
  if (f == SIGMOID && !wide) launch_activate<um_bf16, SIGMOID>(cuda, y, x);
  return um_cuda_launched(err, "activation forward");
}

int um_cuda_activation_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  const enum function f = function_of(op);
  const bool wide = dx->dtype == UM_F32;
  if (op->desc.kind == UM_OP_SOFTMAX) return um_cuda_softmax_backward(op, dx, dy, y, err);
  int status = um_same_type(dx, dy, "activation backward", err);
  if (status == UM_OK && f != NONE) status = um_same_type(dx, y, "activation backward", err);
  if (status != UM_OK || um_tensor_count(dx) == 0) return status;
  if (f == NONE) return copy(cuda, dx, dy, err);
  if (f == RELU && wide) launch_slope<float, RELU>(cuda, dx, dy, y);
  if (f == RELU && !wide) launch_slope<um_bf16, RELU>(cuda, dx, dy, y);
  if (f == SIGMOID && wide) launch_slope<float, SIGMOID>(cuda, dx, dy, y);
  if (f == SIGMOID && !wide) launch_slope<um_bf16, SIGMOID>(cuda, dx, dy, y);
  return um_cuda_launched(err, "activation backward");
}

/* ---- sums ---- */

template <class T> struct summands {
  const T *x[UM_MAX_INPUTS];
  int n;
};

/* y = x[0] + x[1] + ... in this order, then ReLU where asked. y may be one of x. */
template <class T, int V> static __global__ void __launch_bounds__(UM_BLOCK) add(T *y, summands<T> s, bool relu, int64_t count) {
  um_each(i, count / V) {
    float sum[V], v[V];
    um_read(sum, s.x[0] + i * V);
    for (int j = 1; j < UM_MAX_INPUTS; j++) { /* a fixed count: unrolled, so that s stays where parameters are */
      if (j >= s.n) break;
      um_read(v, s.x[j] + i * V);
      for (int k = 0; k < V; k++) sum[k] += v[k];
    }
    for (int k = 0; k < V; k++) sum[k] = relu ? value_of<RELU>(sum[k]) : sum[k];
    um_write(y + i * V, sum);
  }
  um_each(i, count % V) {
    const int64_t at = count - 1 - i;
    float sum = um_to_float(s.x[0][at]);
    for (int j = 1; j < UM_MAX_INPUTS; j++)
      if (j < s.n) sum += um_to_float(s.x[j][at]);
    y[at] = um_from_float<T>(relu ? value_of<RELU>(sum) : sum);
  }
}

template <class T> static void launch_add(const um_cuda *cuda, um_tensor *y, const um_tensor *const *x, int n, bool relu) {
  const int64_t count = um_tensor_count(y);
  constexpr int V = um_wide<T>;
  bool aligned = um_aligned(y->data);
  summands<T> s = {};
  for (s.n = 0; s.n < n; s.n++) {
    s.x[s.n] = (const T *)x[s.n]->data;
    aligned = aligned && um_aligned(s.x[s.n]);
  }
  if (aligned)
    um_launch((add<T, V>), um_grid(cuda, count / V + 1), dim3(UM_BLOCK), 0, cuda->queue, (T *)y->data, s, relu, count);
  else
    um_launch((add<T, 1>), um_grid(cuda, count), dim3(UM_BLOCK), 0, cuda->queue, (T *)y->data, s, relu, count);
}

static int add_all(const um_cuda *cuda, um_tensor *y, const um_tensor *const *x, int n, bool relu, const char *what, um_error *err) {
  for (int i = 0; i < n; i++) {
    const int status = um_same_type(y, x[i], what, err);
    if (status != UM_OK) return status;
  }
  if (um_tensor_count(y) == 0) return UM_OK;
  if (y->dtype == UM_F32)
    launch_add<float>(cuda, y, x, n, relu);
  else
    launch_add<um_bf16>(cuda, y, x, n, relu);
  return um_cuda_launched(err, what);
}

int um_cuda_add_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err) {
  return add_all((const um_cuda *)op->backend, y, x, op->desc.n_inputs, op->desc.activation == UM_ACT_RELU, "add", err);
}

int um_cuda_accumulate(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err) {
  const um_tensor *both[2] = {dst, src};
  return add_all((const um_cuda *)be, dst, both, 2, false, "accumulate", err);
}
