/* Pooling: maximum, average over what is not padding, average over the whole image. Contracts are in core/ops.h; a maximum keeps its
 * place (row-major within the window, padding counted) in one byte an output, in two for windows of more than 256 positions.
 * Backward gathers: each input looks at the windows that cover it, in row-major order, so sums have a fixed order. Sums are in f32.
 *
 * A thread does the same pixel of V neighbouring channels: 16 bytes where C and the addresses allow, else one. */
#include <stdio.h>

#include "cuda/cudnn.h"
#include "cuda/vector.cuh"

/* Numbers of a window over N H W C to N P Q C. */
struct window {
  int64_t N, H, W, C, P, Q;
  int R, S, stride_h, stride_w, pad_h, pad_w;
};

static window window_of(const um_op_desc *d) {
  const int64_t *x = d->x[0].dim, *y = d->y.dim;
  const um_window *w = &d->window;
  return window{
      x[0], x[1], x[2], x[3], y[1], y[2], w->kernel[0], w->kernel[1], w->stride[0], w->stride[1], w->pad_before[0], w->pad_before[1]};
}

/* The V channels from c on of pixel (n, row, column). */
struct place {
  int64_t n, row, column, c;
};

static __device__ inline place place_of(int64_t i, int64_t rows, int64_t columns, int64_t channels, int V) {
  const uint64_t groups = (uint64_t)channels / (uint64_t)V, pixel = (uint64_t)i / groups, line = pixel / (uint64_t)columns;
  place p;
  p.c = (int64_t)((uint64_t)i - pixel * groups) * V;
  p.column = (int64_t)(pixel - line * (uint64_t)columns);
  p.n = (int64_t)(line / (uint64_t)rows);
  p.row = (int64_t)(line - (uint64_t)p.n * (uint64_t)rows);
  return p;
}

/* The part of output p's window that is inside an input of `size`. */
static __device__ inline void inside(int64_t p, int stride, int pad, int kernel, int64_t size, int64_t &first, int64_t &last) {
  first = p * stride - pad;
  last = first + kernel;
  if (first < 0) first = 0;
  if (last > size) last = size;
}

/* The outputs [first, last) whose windows cover input h. */
static __device__ inline void covering(int64_t h, int stride, int pad, int kernel, int64_t outputs, int64_t &first, int64_t &last) {
  const int64_t from = h + pad - kernel + 1;
  first = from <= 0 ? 0 : (from + stride - 1) / stride;
  last = (h + pad) / stride + 1;
  if (last > outputs) last = outputs;
}

/* V places of type At (one or two bytes each) as one access; `at` aligned to it. */
template <class At, int V> static __device__ inline void write_places(At *to, const int (&at)[V]) {
  constexpr int size = (int)sizeof(At), words = V * size / 4, each = 4 / size;
  if constexpr (words == 0) {
    for (int k = 0; k < V; k++) to[k] = (At)at[k];
  } else {
    uint32_t word[words];
    for (int i = 0; i < words; i++) {
      word[i] = 0;
      for (int k = 0; k < each; k++) word[i] |= (uint32_t)at[i * each + k] << k * size * 8;
    }
    if constexpr (words == 4) {
      um_store((uint4 *)to, make_uint4(word[0], word[1], word[2], word[3]));
    } else if constexpr (words == 2) {
      um_store((uint2 *)to, make_uint2(word[0], word[1]));
    } else {
      *(uint32_t *)to = word[0];
    }
  }
}

template <class At, int V> static __device__ inline void read_places(int (&at)[V], const At *from) {
  constexpr int size = (int)sizeof(At), words = V * size / 4, each = 4 / size;
  if constexpr (words == 0) {
    for (int k = 0; k < V; k++) at[k] = from[k];
  } else {
    uint32_t word[words];
    if constexpr (words == 4) {
      const uint4 v = *(const uint4 *)from;
      word[0] = v.x, word[1] = v.y, word[2] = v.z, word[3] = v.w;
    } else if constexpr (words == 2) {
      const uint2 v = *(const uint2 *)from;
      word[0] = v.x, word[1] = v.y;
    } else {
      word[0] = *(const uint32_t *)from;
    }
    for (int k = 0; k < V; k++) at[k] = (int)(word[k / each] >> k % each * size * 8 & (size == 1 ? 0xff : 0xffff));
  }
}

/* ---- maximum ---- */

/* where may be NULL. The first value stands until a greater one comes: a NaN that comes first stays, one that comes later is passed
 * over, as in ref. */
template <class T, class At, int V> static __global__ void __launch_bounds__(UM_BLOCK) max_forward(T *y, At *where, const T *x, window d) {
  um_each(i, d.N * d.P * d.Q * (d.C / V)) {
    const place o = place_of(i, d.P, d.Q, d.C, V);
    int64_t h0, h1, w0, w1;
    inside(o.row, d.stride_h, d.pad_h, d.R, d.H, h0, h1);
    inside(o.column, d.stride_w, d.pad_w, d.S, d.W, w0, w1);
    const int r0 = (int)(h0 - (o.row * d.stride_h - d.pad_h)), s0 = (int)(w0 - (o.column * d.stride_w - d.pad_w));
    float best[V], v[V];
    int at[V];
    um_read(best, x + ((o.n * d.H + h0) * d.W + w0) * d.C + o.c);
    for (int k = 0; k < V; k++) at[k] = r0 * d.S + s0;
    for (int64_t h = h0; h < h1; h++)
      for (int64_t w = w0; w < w1; w++) {
        const int here = (r0 + (int)(h - h0)) * d.S + s0 + (int)(w - w0);
        um_read(v, x + ((o.n * d.H + h) * d.W + w) * d.C + o.c);
        for (int k = 0; k < V; k++)
          if (v[k] > best[k]) best[k] = v[k], at[k] = here;
      }
    um_write(y + i * V, best);
    if (where) write_places(where + i * V, at);
  }
}

template <class T, class At, int V>
static __global__ void __launch_bounds__(UM_BLOCK) max_backward(T *dx, const T *dy, const At *where, window d) {
  um_each(i, d.N * d.H * d.W * (d.C / V)) {
    const place o = place_of(i, d.H, d.W, d.C, V);
    int64_t p0, p1, q0, q1;
    covering(o.row, d.stride_h, d.pad_h, d.R, d.P, p0, p1);
    covering(o.column, d.stride_w, d.pad_w, d.S, d.Q, q0, q1);
    float sum[V], v[V];
    int at[V];
    for (int k = 0; k < V; k++) sum[k] = 0;
    for (int64_t p = p0; p < p1; p++)
      for (int64_t q = q0; q < q1; q++) {
        const int64_t out = ((o.n * d.P + p) * d.Q + q) * d.C + o.c;
        const int here = (int)((o.row + d.pad_h - p * d.stride_h) * d.S + o.column + d.pad_w - q * d.stride_w);
        read_places(at, where + out);
        um_read(v, dy + out);
        for (int k = 0; k < V; k++)
          if (at[k] == here) sum[k] += v[k];
      }
    um_write(dx + i * V, sum);
  }
}

/* VGG's: 2x2, stride 2, no padding. Four loads under way at once, no bounds. */
template <class T, int V> static __global__ void __launch_bounds__(UM_BLOCK) max2_forward(T *y, uint8_t *where, const T *x, window d) {
  um_each(i, d.N * d.P * d.Q * (d.C / V)) {
    const place o = place_of(i, d.P, d.Q, d.C, V);
    const T *from = x + ((o.n * d.H + 2 * o.row) * d.W + 2 * o.column) * d.C + o.c;
    float best[V], v[3][V];
    int at[V];
    um_read(best, from);
    um_read(v[0], from + d.C);
    um_read(v[1], from + d.W * d.C);
    um_read(v[2], from + d.W * d.C + d.C);
    for (int k = 0; k < V; k++) {
      at[k] = 0;
      for (int j = 0; j < 3; j++)
        if (v[j][k] > best[k]) best[k] = v[j][k], at[k] = j + 1;
    }
    um_write(y + i * V, best);
    if (where) write_places(where + i * V, at);
  }
}

/* A thread writes the four inputs of one window; where H or W is odd, what lies beyond the last window becomes zero. */
template <class T, int V>
static __global__ void __launch_bounds__(UM_BLOCK) max2_backward(T *dx, const T *dy, const uint8_t *where, window d) {
  const int64_t rows = (d.H + 1) / 2, columns = (d.W + 1) / 2;
  um_each(i, d.N * rows * columns * (d.C / V)) {
    const place o = place_of(i, rows, columns, d.C, V);
    float v[V], own[V];
    int at[V];
    if (o.row < d.P && o.column < d.Q) {
      const int64_t out = ((o.n * d.P + o.row) * d.Q + o.column) * d.C + o.c;
      um_read(v, dy + out);
      read_places(at, where + out);
    } else {
      for (int k = 0; k < V; k++) v[k] = 0, at[k] = 0;
    }
    T *to = dx + ((o.n * d.H + 2 * o.row) * d.W + 2 * o.column) * d.C + o.c;
    for (int j = 0; j < 4; j++) {
      if (2 * o.row + j / 2 >= d.H || 2 * o.column + j % 2 >= d.W) continue;
      for (int k = 0; k < V; k++) own[k] = at[k] == j ? v[k] : 0;
      um_write(to + (j / 2 * d.W + j % 2) * d.C, own);
    }
  }
}

/* ---- average ---- */

template <class T, int V> static __global__ void __launch_bounds__(UM_BLOCK) average_forward(T *y, const T *x, window d) {
  um_each(i, d.N * d.P * d.Q * (d.C / V)) {
    const place o = place_of(i, d.P, d.Q, d.C, V);
    int64_t h0, h1, w0, w1;
    inside(o.row, d.stride_h, d.pad_h, d.R, d.H, h0, h1);
    inside(o.column, d.stride_w, d.pad_w, d.S, d.W, w0, w1);
    float sum[V], v[V];
    for (int k = 0; k < V; k++) sum[k] = 0;
    for (int64_t h = h0; h < h1; h++)
      for (int64_t w = w0; w < w1; w++) {
        um_read(v, x + ((o.n * d.H + h) * d.W + w) * d.C + o.c);
        for (int k = 0; k < V; k++) sum[k] += v[k];
      }
    const float size = (float)((h1 - h0) * (w1 - w0));
    for (int k = 0; k < V; k++) sum[k] /= size;
    um_write(y + i * V, sum);
  }
}

template <class T, int V> static __global__ void __launch_bounds__(UM_BLOCK) average_backward(T *dx, const T *dy, window d) {
  um_each(i, d.N * d.H * d.W * (d.C / V)) {
    const place o = place_of(i, d.H, d.W, d.C, V);
    int64_t p0, p1, q0, q1, h0, h1, w0, w1;
    covering(o.row, d.stride_h, d.pad_h, d.R, d.P, p0, p1);
    covering(o.column, d.stride_w, d.pad_w, d.S, d.Q, q0, q1);
    float sum[V], v[V];
    for (int k = 0; k < V; k++) sum[k] = 0;
    for (int64_t p = p0; p < p1; p++)
      for (int64_t q = q0; q < q1; q++) {
        inside(p, d.stride_h, d.pad_h, d.R, d.H, h0, h1);
        inside(q, d.stride_w, d.pad_w, d.S, d.W, w0, w1);
        const float size = (float)((h1 - h0) * (w1 - w0));
        um_read(v, dy + ((o.n * d.P + p) * d.Q + q) * d.C + o.c);
        for (int k = 0; k < V; k++) sum[k] += v[k] / size;
      }
    um_write(dx + i * V, sum);
  }
}

/* ---- average over the whole image ---- */

enum { ACROSS = 8, DOWN = UM_BLOCK / ACROSS };

/* y[n][c] = mean of x[n][...][c]. A block does one image's ACROSS groups of V channels; its DOWN rows of threads take every DOWN-th
 * pixel, then are added up by halves. blockIdx.x: image and groups. Shared: UM_BLOCK * V floats. */
template <class T, int V> static __global__ void __launch_bounds__(UM_BLOCK) global_forward(T *y, const T *x, int64_t area, int64_t C) {
  float *part = (float *)um_shared();
  const int64_t groups = C / V, columns = (groups + ACROSS - 1) / ACROSS, n = blockIdx.x / columns;
  const int across = (int)threadIdx.x % ACROSS, down = (int)threadIdx.x / ACROSS;
  const int64_t group = blockIdx.x % columns * ACROSS + across;
  float sum[V], v[V];
  for (int k = 0; k < V; k++) sum[k] = 0;
  if (group < groups)
    for (int64_t i = down; i < area; i += DOWN) {
      um_read(v, x + (n * area + i) * C + group * V);
      for (int k = 0; k < V; k++) sum[k] += v[k];
    }
  for (int k = 0; k < V; k++) part[k * UM_BLOCK + threadIdx.x] = sum[k];
  for (int half = DOWN / 2; half > 0; half /= 2) {
    __syncthreads();
    if (down < half)
      for (int k = 0; k < V; k++) part[k * UM_BLOCK + threadIdx.x] += part[k * UM_BLOCK + threadIdx.x + half * ACROSS];
  }
  if (down > 0 || group >= groups) return;
  for (int k = 0; k < V; k++) sum[k] = part[k * UM_BLOCK + threadIdx.x] / (float)area;
  um_write(y + n * C + group * V, sum);
}

template <class T, int V>
static __global__ void __launch_bounds__(UM_BLOCK) global_backward(T *dx, const T *dy, int64_t N, int64_t area, int64_t C) {
  um_each(i, N * area * (C / V)) {
    const place o = place_of(i, 1, area, C, V);
    float v[V];
    um_read(v, dy + o.n * C + o.c);
    for (int k = 0; k < V; k++) v[k] /= (float)area;
    um_write(dx + i * V, v);
  }
}

/* ---- launches ---- */

static bool is_max2(const window *d) {
  return d->R == 2 && d->S == 2 && d->stride_h == 2 && d->stride_w == 2 && d->pad_h == 0 && d->pad_w == 0 && 2 * d->P <= d->H &&
         2 * d->Q <= d->W;
}

static int64_t positions(const um_op_desc *d) { return (int64_t)d->window.kernel[0] * d->window.kernel[1]; }

/* Bytes of a place. */
static size_t place_size(const um_op_desc *d) { return positions(d) <= 256 ? 1 : 2; }

template <class T, int V> static void forward(const um_op *op, T *y, void *workspace, const T *x) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  const um_op_desc *d = &op->desc;
  const int64_t *dim = d->x[0].dim;
  if (d->kind == UM_OP_GLOBAL_AVG_POOL) {
    const int64_t columns = (dim[3] / V + ACROSS - 1) / ACROSS;
    um_launch((global_forward<T, V>), dim3((unsigned)(dim[0] * columns)), dim3(UM_BLOCK), UM_BLOCK * V * sizeof(float), cuda->queue, y, x,
              dim[1] * dim[2], dim[3]);
    return;
  }
  const window w = window_of(d);
  const dim3 grid = um_grid(cuda, um_tensor_count(&d->y) / V), block = dim3(UM_BLOCK);
  if (d->kind == UM_OP_AVG_POOL)
    um_launch((average_forward<T, V>), grid, block, 0, cuda->queue, y, x, w);
  else if (is_max2(&w))
    um_launch((max2_forward<T, V>), grid, block, 0, cuda->queue, y, (uint8_t *)workspace, x, w);
  else if (place_size(d) == 1)
    um_launch((max_forward<T, uint8_t, V>), grid, block, 0, cuda->queue, y, (uint8_t *)workspace, x, w);
  else
    um_launch((max_forward<T, uint16_t, V>), grid, block, 0, cuda->queue, y, (uint16_t *)workspace, x, w);
}

template <class T, int V> static void backward(const um_op *op, T *dx, const T *dy, const void *workspace) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  const um_op_desc *d = &op->desc;
  const int64_t *dim = d->x[0].dim;
  const dim3 grid = um_grid(cuda, um_tensor_count(&d->x[0]) / V), block = dim3(UM_BLOCK);
  if (d->kind == UM_OP_GLOBAL_AVG_POOL) {
    um_launch((global_backward<T, V>), grid, block, 0, cuda->queue, dx, dy, dim[0], dim[1] * dim[2], dim[3]);
    return;
  }
  const window w = window_of(d);
  if (d->kind == UM_OP_AVG_POOL)
    um_launch((average_backward<T, V>), grid, block, 0, cuda->queue, dx, dy, w);
  else if (is_max2(&w))
    um_launch((max2_backward<T, V>), um_grid(cuda, w.N * ((w.H + 1) / 2) * ((w.W + 1) / 2) * (w.C / V)), block, 0, cuda->queue, dx, dy,
              (const uint8_t *)workspace, w);
  else if (place_size(d) == 1)
    um_launch((max_backward<T, uint8_t, V>), grid, block, 0, cuda->queue, dx, dy, (const uint8_t *)workspace, w);
  else
    um_launch((max_backward<T, uint16_t, V>), grid, block, 0, cuda->queue, dx, dy, (const uint16_t *)workspace, w);
}

/* Whether V channels at a time lie as they must: each pixel's group at a multiple of 16 bytes. */
static bool groups(const um_op *op, int V, const void *a, const void *b, const void *workspace) {
  return op->desc.x[0].dim[3] % V == 0 && um_aligned(a) && um_aligned(b) && um_aligned(workspace);
}

int um_cuda_pool_forward(um_op *op, um_tensor *y, void *workspace, const um_tensor *x, void *scratch, um_error *err) {
  const int status = um_same_type(y, x, "pooling", err);
  if (status != UM_OK || um_tensor_count(y) == 0) return status;
  const um_cuda_op *planned = (const um_cuda_op *)op;
  if (planned->way[0].plan) return um_cudnn_pool_forward(planned, y->data, workspace, x->data, scratch, err);
  if (y->dtype == UM_F32) {
    if (groups(op, 4, y->data, x->data, workspace))
      forward<float, 4>(op, (float *)y->data, workspace, (const float *)x->data);
    else
      forward<float, 1>(op, (float *)y->data, workspace, (const float *)x->data);
  } else {
    if (groups(op, 8, y->data, x->data, workspace))
      forward<um_bf16, 8>(op, (um_bf16 *)y->data, workspace, (const um_bf16 *)x->data);
    else
      forward<um_bf16, 1>(op, (um_bf16 *)y->data, workspace, (const um_bf16 *)x->data);
  }
  return um_cuda_launched(err, "pooling forward");
}

int um_cuda_pool_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const void *workspace, void *scratch, um_error *err) {
  const int status = um_same_type(dx, dy, "pooling backward", err);
  if (status != UM_OK || um_tensor_count(dx) == 0) return status;
  const um_cuda_op *planned = (const um_cuda_op *)op;
  if (planned->way[0].plan) return um_cudnn_pool_backward(planned, dx->data, dy->data, workspace, scratch, err);
  if (dx->dtype == UM_F32) {
    if (groups(op, 4, dx->data, dy->data, workspace))
      backward<float, 4>(op, (float *)dx->data, (const float *)dy->data, workspace);
    else
      backward<float, 1>(op, (float *)dx->data, (const float *)dy->data, workspace);
  } else {
    if (groups(op, 8, dx->data, dy->data, workspace))
      backward<um_bf16, 8>(op, (um_bf16 *)dx->data, (const um_bf16 *)dy->data, workspace);
    else
      backward<um_bf16, 1>(op, (um_bf16 *)dx->data, (const um_bf16 *)dy->data, workspace);
  }
  return um_cuda_launched(err, "pooling backward");
}

/* x and y are there already, in the type that the precision says; whatever comes in another is reordered by the caller. */
int um_cuda_plan_pool(um_cuda_op *op, um_error *err) {
  um_op *base = &op->base;
  const um_op_desc *d = &base->desc;
  const um_window *w = &d->window;
  snprintf(base->algorithm, sizeof base->algorithm, "own");
  if (d->kind == UM_OP_GLOBAL_AVG_POOL) return UM_OK;
  for (int i = 0; i < 2; i++)
    if (w->kernel[i] < 1 || w->stride[i] < 1 || w->pad_before[i] < 0 || w->pad_before[i] >= w->kernel[i] || w->pad_after[i] >= w->kernel[i])
      return um_fail(err, UM_EUNSUPPORTED, "cuda: %s: a window of %dx%d with padding %d %d %d %d: a window may lie in padding alone",
                     um_op_kind_name(d->kind), w->kernel[0], w->kernel[1], w->pad_before[0], w->pad_before[1], w->pad_after[0],
                     w->pad_after[1]);
  if (d->kind == UM_OP_MAX_POOL && (d->passes & UM_PASS_BACKWARD_DATA)) {
    if (positions(d) > 65536)
      return um_fail(err, UM_EUNSUPPORTED, "cuda: max_pool: a window of %dx%d: at most 65536 positions", w->kernel[0], w->kernel[1]);
    base->workspace_bytes = (size_t)um_tensor_count(&d->y) * place_size(d);
  }
  um_cudnn_plan_pool(op);
  return UM_OK;
}
