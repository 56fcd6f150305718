/* Dense layers: y = act(x w + b), x N x in, w in x out. Most are 1x1 convolutions over pictures of 1x1 and go the convolutions' ways; one
 * of few outputs (the logit) would leave nearly all of a tile empty and has kernels of its own, whose products are f32 ones in TF32
 * precision too. */
#include <limits.h>
#include <stdio.h>

#include "cuda/vector.cuh"

enum { NARROW = 16 /* outputs */, THREADS = 128 };

/* ---- narrow: T is the type of x, y, dx, dy and of w's copy ---- */

/* y[n][o], block (n, o): threads' sums by xor within a warp, then warps in their order. Shared: a float a warp. */
template <class T>
static __global__ void __launch_bounds__(THREADS) narrow_forward(T *y, const T *x, const T *w, const float *b, int in, int out, bool relu) {
  float *part = (float *)um_shared(), sum = 0;
  const int n = (int)blockIdx.x, o = (int)blockIdx.y;
#pragma unroll 4
  for (int i = (int)threadIdx.x; i < in; i += THREADS) sum += um_to_float(x[(int64_t)n * in + i]) * um_to_float(w[(int64_t)i * out + o]);
  sum = um_warp_sum(sum);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  sum = b[o];
  for (int k = 0; k < THREADS / 32; k++) sum += part[k];
  y[(int64_t)n * out + o] = um_from_float<T>(relu ? fmaxf(sum, 0.0f) : sum);
}

/* dx[n][i] = sum over o of dy[n][o] w[i][o] */
template <class T>
static __global__ void __launch_bounds__(UM_BLOCK) narrow_data(T *dx, const T *dy, const T *w, int64_t N, int in, int out) {
  um_each(at, N * in) {
    const int64_t n = at / in, i = at % in;
    float sum = 0;
    for (int o = 0; o < out; o++) sum += um_to_float(dy[n * out + o]) * um_to_float(w[i * out + o]);
    dx[at] = um_from_float<T>(sum);
  }
}

/* dw[i][o] = sum over n of x[n][i] dy[n][o] */
template <class T>
static __global__ void __launch_bounds__(UM_BLOCK) narrow_weights(float *dw, const T *x, const T *dy, int N, int in, int out) {
  um_each(at, (int64_t)in * out) {
    const int64_t i = at / out, o = at % out;
    float sum = 0;
#pragma unroll 4
    for (int n = 0; n < N; n++) sum += um_to_float(x[(int64_t)n * in + i]) * um_to_float(dy[(int64_t)n * out + o]);
    dw[at] = sum;
  }
}

template <class T>
static void launch_forward(const um_cuda *cuda, const um_cuda_conv *g, void *y, const void *x, const void *w, const void *b) {
  um_launch(narrow_forward<T>, dim3((unsigned)g->N, (unsigned)g->K), dim3(THREADS), THREADS / 32 * sizeof(float), cuda->queue, (T *)y,
            (const T *)x, (const T *)w, (const float *)b, g->C, g->K, g->activation == UM_ACT_RELU);
}

template <class T> static void launch_data(const um_cuda *cuda, const um_cuda_conv *g, void *dx, const void *dy, const void *w) {
  um_launch(narrow_data<T>, um_grid(cuda, (int64_t)g->N * g->C), dim3(UM_BLOCK), 0, cuda->queue, (T *)dx, (const T *)dy, (const T *)w, g->N,
            g->C, g->K);
}

template <class T> static void launch_weights(const um_cuda *cuda, const um_cuda_conv *g, void *dw, const void *x, const void *dy) {
  um_launch(narrow_weights<T>, um_grid(cuda, (int64_t)g->C * g->K), dim3(UM_BLOCK), 0, cuda->queue, (float *)dw, (const T *)x,
            (const T *)dy, g->N, g->C, g->K);
}

/* ---- the op ---- */

int um_cuda_plan_dense(um_cuda_op *op, um_error *err) {
  static const char *const names[] = {"fwd", "bwd-d", "bwd-w"};
  static const unsigned bit[] = {UM_PASS_FORWARD, UM_PASS_BACKWARD_DATA, UM_PASS_BACKWARD_WEIGHTS};
  um_op *base = &op->base;
  um_cuda *cuda = (um_cuda *)base->backend;
  const um_op_desc *d = &base->desc;
  const int64_t N = d->x[0].dim[0], in = d->x[0].dim[1], out = d->y.dim[1], w[2] = {in, out};
  size_t at = 0;
  if (N > INT_MAX || in > INT_MAX || out > INT_MAX) return um_fail(err, UM_EUNSUPPORTED, "cuda: dense: a dimension above %d", INT_MAX);
  base->w = um_tensor_plain(UM_F32, 2, w);
  base->b = um_tensor_plain(UM_F32, 1, &out);
  base->compute = d->precision == UM_PRECISION_BF16 ? UM_BF16 : UM_F32;
  um_cuda_conv *g = &op->conv;
  *g = {};
  g->N = (int)N, g->C = (int)in, g->K = (int)out;
  g->H = g->W = g->P = g->Q = g->R = g->S = g->stride[0] = g->stride[1] = 1;
  g->precision = d->precision, g->activation = d->activation;
  op->narrow = out <= NARROW;
  if (op->narrow) snprintf(base->algorithm, sizeof base->algorithm, "narrow");
  for (int p = 0; p < UM_CONV_PASSES && !op->narrow; p++) {
    if (!(d->passes & bit[p])) continue;
    const int status = um_cuda_choose(cuda, g, (um_conv_pass)p, &op->way[p], err);
    if (status != UM_OK) return status;
    if (op->way[p].scratch > base->scratch_bytes) base->scratch_bytes = op->way[p].scratch;
    const int n = snprintf(base->algorithm + at, sizeof base->algorithm - at, "%s%s %s", at ? ", " : "", names[p], op->way[p].name);
    at = n > 0 && at + (size_t)n < sizeof base->algorithm ? at + (size_t)n : sizeof base->algorithm - 1;
  }
  if (d->passes & UM_PASS_BACKWARD_WEIGHTS) {
    const size_t bias = um_cuda_bias_scratch(cuda, N, g->K);
    if (bias > base->scratch_bytes) base->scratch_bytes = bias;
  }
  return UM_OK;
}

static int run(const um_cuda_op *op, um_conv_pass pass, void *out, const void *a, const void *b, const float *bias, void *scratch,
               um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->base.backend;
  return op->way[pass].run(cuda, &op->conv, &op->way[pass], out, a, b, bias, scratch, cuda->queue, err);
}

int um_cuda_dense_forward(um_op *base, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch,
                          um_error *err) {
  const um_cuda_op *op = (const um_cuda_op *)base;
  const um_cuda *cuda = (const um_cuda *)base->backend;
  if (!op->narrow) return run(op, UM_CONV_FORWARD, y->data, x->data, w->data, (const float *)b->data, scratch, err);
  if (x->dtype == UM_BF16)
    launch_forward<um_bf16>(cuda, &op->conv, y->data, x->data, w->data, b->data);
  else
    launch_forward<float>(cuda, &op->conv, y->data, x->data, w->data, b->data);
  return um_cuda_launched(err, "dense forward");
}

int um_cuda_dense_backward_data(um_op *base, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err) {
  const um_cuda_op *op = (const um_cuda_op *)base;
  const um_cuda *cuda = (const um_cuda *)base->backend;
  if (!op->narrow) return run(op, UM_CONV_BACKWARD_DATA, dx->data, dy->data, w->data, NULL, scratch, err);
  if (dy->dtype == UM_BF16)
    launch_data<um_bf16>(cuda, &op->conv, dx->data, dy->data, w->data);
  else
    launch_data<float>(cuda, &op->conv, dx->data, dy->data, w->data);
  return um_cuda_launched(err, "dense backward data");
}

int um_cuda_dense_backward_weights(um_op *base, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                   um_error *err) {
  const um_cuda_op *op = (const um_cuda_op *)base;
  const um_cuda *cuda = (const um_cuda *)base->backend;
  int status = UM_OK;
  if (!op->narrow) {
    status = run(op, UM_CONV_BACKWARD_WEIGHTS, dw->data, x->data, dy->data, NULL, scratch, err);
  } else {
    if (x->dtype == UM_BF16)
      launch_weights<um_bf16>(cuda, &op->conv, dw->data, x->data, dy->data);
    else
      launch_weights<float>(cuda, &op->conv, dw->data, x->data, dy->data);
    status = um_cuda_launched(err, "dense backward weights");
  }
  if (status != UM_OK) return status;
  return um_cuda_bias_gradient(cuda, (float *)db->data, dy->data, dy->dtype, op->conv.N, op->conv.K, scratch, cuda->queue, err);
}
