/* The convolution kernel: how each pass's operands come into the tile engine's shared memory (implicit GEMM: no matrix of windows is ever
 * made), the walk over the depth, and where the sums go.
 *
 * The fast loaders copy vectors of 16 bytes and number them with 32 bits. A vector's place in the depth (tap, channel) is kept in registers
 * and moved on without divisions. The general loader takes the same vectors where an operand has them, else element after element
 * through registers. */
#ifndef UM_CUDA_CONV_GEMM_CUH
#define UM_CUDA_CONV_GEMM_CUH

#include "cuda/conv_native.h"
#include "cuda/gemm.cuh"

/* A thread's share of the copies. n, y, x: of the next thing to copy, forward and backward data: its place in the depth (see place()),
 * backward weights: its position n, p, q. */
template <class T> struct loader {
  int n, y, x;
  int r, s, c;                                                 /* backward weights: tap and channel of its column, which stay */
  int row_n[T::count_a], row_y[T::count_a], row_x[T::count_a]; /* forward, backward data: of a's rows, see start_rows() */
};

/* Adds (dn, dy, dx) to a position in mixed radix; each is below its radix. */
static __device__ __forceinline__ void advance(int &n, int &y, int &x, int dn, int dy, int dx, int Y, int X) {
  x += dx, y += dy, n += dn;
  if (x >= X) x -= X, y++;
  if (y >= Y) y -= Y, n++;
}

/* n, y, x of position i. */
static __device__ __forceinline__ void position(uint32_t i, int &n, int &y, int &x, int Y, int X) {
  const uint32_t line = i / (uint32_t)X;
  x = (int)(i - line * (uint32_t)X);
  n = (int)(line / (uint32_t)Y);
  y = (int)(line - (uint32_t)n * (uint32_t)Y);
}

static __device__ __forceinline__ bool within(int i, int size) { return (uint32_t)i < (uint32_t)size; }

/* Channels of a in the depth of forward and backward data. */
template <class T> static __host__ __device__ __forceinline__ int depth_channels(const um_conv_gemm &p) {
  return T::pass == UM_CONV_BACKWARD_DATA ? p.g.K : p.g.C;
}

enum { NOWHERE = -(1 << 30) }; /* a row that no tap brings into a picture */

/* Rows of forward (n, p, q) and backward data (n, h, w): row_y and row_x are the coordinates in a that tap 0 reads; a tap's own are added
 * (forward) or taken away. row_n is the picture or, for the fast loader, the number of the vector at that place, which may lie outside
 * of a: it wraps, and its sum with a tap's, where there is something, wraps back. */
template <class T> static __device__ __forceinline__ void start_rows(const um_conv_gemm &p, loader<T> &l, uint32_t m0) {
  const um_cuda_conv &g = p.g;
  const bool data = T::pass == UM_CONV_BACKWARD_DATA;
  const int Y = data ? g.H : g.P, X = data ? g.W : g.Q;
  const int top = data ? -g.pad[0] : g.pad[0], left = data ? -g.pad[1] : g.pad[1];
  const int stride_y = data ? 1 : g.stride[0], stride_x = data ? 1 : g.stride[1];
  const int a_y = data ? g.P : g.H, a_x = data ? g.Q : g.W, channels = depth_channels<T>(p);
#pragma unroll
  for (int i = 0; i < T::count_a; i++) {
    const uint32_t m = m0 + threadIdx.x / 4 + (uint32_t)(i * T::down_a);
    int n, y, x;
    position(m, n, y, x, Y, X);
    l.row_y[i] = m < p.M ? y * stride_y - top : NOWHERE;
    l.row_x[i] = x * stride_x - left;
    l.row_n[i] = n;
    if (!T::general)
      l.row_n[i] = (int)((((uint32_t)n * (uint32_t)a_y + (uint32_t)l.row_y[i]) * (uint32_t)a_x + (uint32_t)l.row_x[i]) *
                         (uint32_t)(channels / T::vec));
  }
}

/* The depth is walked in one of two orders. Chunked (where channels are whole stages): a stage's channels, all taps of them, s the
 * fastest, then the next channels; a tap finds most of its rows in the L1 cache, where the tap before it left them. Else r, s, channel
 * as they lie. */
template <class T> static __device__ __forceinline__ bool chunked(const um_conv_gemm &p) { return !T::general && p.chunked; }

template <class T> static __device__ __forceinline__ void place(const um_conv_gemm &p, const loader<T> &l, int &r, int &s, int &c) {
  r = chunked<T>(p) ? l.y : l.n;
  s = chunked<T>(p) ? l.x : l.y;
  c = chunked<T>(p) ? l.n * T::depth + (int)(threadIdx.x % 4) * T::vec : l.x;
}

template <class T> static __device__ __forceinline__ void start(const um_conv_gemm &p, loader<T> &l, uint32_t m0, uint32_t step) {
  if constexpr (T::deep_a) {
    position(step * T::depth + threadIdx.x / T::across_a, l.n, l.y, l.x, p.radix[0], p.radix[1]);
    position(m0 + threadIdx.x % T::across_a * T::vec, l.r, l.s, l.c, p.g.S, p.g.C);
  } else {
    start_rows<T>(p, l, m0);
    position(chunked<T>(p) ? step : step * T::depth + threadIdx.x % 4 * T::vec, l.n, l.y, l.x, p.radix[0], p.radix[1]);
  }
}

/* On by a stage (forward, backward data) or by the rows that a thread copies at once (backward weights). */
template <class T> static __device__ __forceinline__ void advance(const um_conv_gemm &p, loader<T> &l) {
  advance(l.n, l.y, l.x, p.step[0], p.step[1], p.step[2], p.radix[0], p.radix[1]);
}

/* The vector of 16 bytes number `index` of base, or zeros. NEAR: other taps will read it again. */
template <bool NEAR> static __device__ __forceinline__ void copy_vector(unsigned char *to, const void *base, uint32_t index, bool there) {
  const unsigned char *from = (const unsigned char *)base + (size_t)(there ? index : 0) * 16;
  if (NEAR)
    um_copy16_near(to, from, there);
  else
    um_copy16(to, from, there);
}

/* ---- whole vectors ---- */

template <class T> static __device__ __forceinline__ void load_a(const um_conv_gemm &p, loader<T> &l, unsigned char *a, bool live) {
  const um_cuda_conv &g = p.g;
  if constexpr (T::deep_a) {
    const uint32_t wide = (uint32_t)(g.C / T::vec);
    const int top = l.r - g.pad[0], left = l.s - g.pad[1];
    unsigned char *to = a + threadIdx.x / T::across_a * T::pitch_a + threadIdx.x % T::across_a * 16;
#pragma unroll
    for (int i = 0; i < T::count_a; i++) {
      const int h = l.y * g.stride[0] + top, w = l.x * g.stride[1] + left;
      const bool there = live && l.r < g.R && l.n < g.N && within(h, g.H) && within(w, g.W);
      const uint32_t index = (((uint32_t)l.n * (uint32_t)g.H + (uint32_t)h) * (uint32_t)g.W + (uint32_t)w) * wide + (uint32_t)l.c / T::vec;
      copy_vector<true>(to + i * T::down_a * T::pitch_a, p.a, index, there);
      advance(p, l);
    }
  } else {
    const bool data = T::pass == UM_CONV_BACKWARD_DATA;
    const int a_y = data ? g.P : g.H, a_x = data ? g.Q : g.W;
    int r, s, c;
    place(p, l, r, s, c);
    const uint32_t wide = (uint32_t)(depth_channels<T>(p) / T::vec), tap = (uint32_t)(r * a_x + s) * wide;
    const uint32_t move = (data ? 0u - tap : tap) + (uint32_t)c / T::vec;
#pragma unroll
    for (int i = 0; i < T::count_a; i++) {
      const int y = data ? l.row_y[i] - r : l.row_y[i] + r, x = data ? l.row_x[i] - s : l.row_x[i] + s;
      const bool there = live && r < g.R && within(y, a_y) && within(x, a_x);
      copy_vector<true>(a + shallow_at((int)(threadIdx.x / 4) + i * T::down_a, (int)(threadIdx.x % 4)), p.a, (uint32_t)l.row_n[i] + move,
                        there);
    }
  }
}

/* b as it lies: rows of the depth (deep), or w's rows c of a tap (backward data). step: of the stage. */
template <class T>
static __device__ __forceinline__ void load_b(const um_conv_gemm &p, const loader<T> &l, unsigned char *b, uint32_t n0, uint32_t step,
                                              bool live) {
  const um_cuda_conv &g = p.g;
  const uint32_t wide = (uint32_t)(g.K / T::vec);
  if constexpr (T::deep_b) {
    const bool jumps = T::pass == UM_CONV_FORWARD && chunked<T>(p);
    const uint32_t first = jumps ? (uint32_t)(l.y * g.S + l.x) * (uint32_t)g.C + (uint32_t)(l.n * T::depth) : step * T::depth;
    const uint32_t row = first + threadIdx.x / T::across_b, column = n0 + threadIdx.x % T::across_b * T::vec;
    unsigned char *to = b + threadIdx.x / T::across_b * T::pitch_b + threadIdx.x % T::across_b * 16;
    uint32_t index = row * wide + column / T::vec;
#pragma unroll
    for (int i = 0; i < T::count_b; i++) {
      copy_vector<false>(to + i * T::down_b * T::pitch_b, p.b, index, live && row + (uint32_t)(i * T::down_b) < p.depth && column < p.N);
      index += T::down_b * wide;
    }
  } else {
    int r, s, c;
    place(p, l, r, s, c);
    const uint32_t tap = (uint32_t)(r * g.S + s) * (uint32_t)g.C;
#pragma unroll
    for (int i = 0; i < T::count_b; i++) {
      const int row = (int)(threadIdx.x / 4) + i * T::down_b;
      const uint32_t column = n0 + (uint32_t)row;
      copy_vector<false>(b + shallow_at(row, (int)(threadIdx.x % 4)), p.b, (tap + column) * wide + (uint32_t)c / T::vec,
                         live && r < g.R && column < p.N);
    }
  }
}

/* ---- anything ---- */

/* Whether tap (r, s) of a row whose tap 0 reads (y, x) lies in a's picture, and then where in it channel c is. */
template <class T>
static __device__ __forceinline__ bool element_of_a(const um_conv_gemm &p, int y, int x, int r, int s, int c, uint32_t &at) {
  const um_cuda_conv &g = p.g;
  if constexpr (T::pass == UM_CONV_BACKWARD_DATA) {
    const int h = y - r, w = x - s;
    if (r >= g.R || h < 0 || w < 0 || h % g.stride[0] != 0 || w % g.stride[1] != 0) return false;
    const int P = h / g.stride[0], Q = w / g.stride[1];
    at = ((uint32_t)P * (uint32_t)g.Q + (uint32_t)Q) * (uint32_t)g.K + (uint32_t)c;
    return P < g.P && Q < g.Q;
  } else {
    const int h = y + r, w = x + s;
    at = ((uint32_t)h * (uint32_t)g.W + (uint32_t)w) * (uint32_t)g.C + (uint32_t)c;
    return r < g.R && within(h, g.H) && within(w, g.W);
  }
}

template <class E> static __device__ __forceinline__ void store16(unsigned char *to, const E *value) {
  uint4 q;
  memcpy(&q, value, sizeof q);
  *(uint4 *)to = q;
}

/* A vector of a: elements of picture n that begin at (r, s, c) and run on through channels and taps; y, x as above. */
template <class T>
static __device__ __forceinline__ void gather_a(const um_conv_gemm &p, unsigned char *to, int n, int y, int x, int r, int s, int c) {
  const um_cuda_conv &g = p.g;
  const bool data = T::pass == UM_CONV_BACKWARD_DATA;
  const int channels = data ? g.K : g.C;
  const typename T::type *a = (const typename T::type *)p.a + (int64_t)n * (data ? (int64_t)g.P * g.Q * g.K : (int64_t)g.H * g.W * g.C);
  uint32_t at = 0;
  if (p.whole_a) {
    const bool there = element_of_a<T>(p, y, x, r, s, c, at);
    um_copy16_near(to, there ? a + at : (const typename T::type *)p.a, there);
    return;
  }
  typename T::type value[T::vec] = {};
  if (r < g.R && y != NOWHERE) {
#pragma unroll
    for (int e = 0; e < T::vec; e++) {
      if (element_of_a<T>(p, y, x, r, s, c, at)) value[e] = a[at];
      if (++c == channels) {
        c = 0;
        if (++s == g.S) s = 0, r++;
      }
    }
  }
  store16(to, value);
}

/* A vector of b: `count` elements from index on, the rest zeros (count may be 0 or less). */
template <class T> static __device__ __forceinline__ void gather_b(const um_conv_gemm &p, unsigned char *to, int64_t index, int count) {
  const typename T::type *b = (const typename T::type *)p.b;
  if (p.whole_b) {
    um_copy16(to, b + (count > 0 ? index : 0), count > 0);
    return;
  }
  typename T::type value[T::vec] = {};
#pragma unroll
  for (int e = 0; e < T::vec; e++)
    if (e < count) value[e] = b[index + e];
  store16(to, value);
}

/* A vector of w's row `column` of a tap, for backward data: its depth may run from one tap into the next, whose rows are further away. */
template <class T>
static __device__ __forceinline__ void gather_w(const um_conv_gemm &p, unsigned char *to, int tap, uint32_t column, int k) {
  const um_cuda_conv &g = p.g;
  const typename T::type *w = (const typename T::type *)p.b;
  typename T::type value[T::vec] = {};
  if (p.whole_b) {
    gather_b<T>(p, to, ((int64_t)tap * g.C + column) * g.K + k, tap < g.R * g.S && column < p.N ? T::vec : 0);
    return;
  }
#pragma unroll
  for (int e = 0; e < T::vec; e++) {
    if (tap < g.R * g.S && column < p.N) value[e] = w[((int64_t)tap * g.C + column) * g.K + k];
    if (++k == g.K) k = 0, tap++;
  }
  store16(to, value);
}

template <class T>
static __device__ __forceinline__ void load_general(const um_conv_gemm &p, loader<T> &l, unsigned char *a, unsigned char *b, uint32_t n0,
                                                    uint32_t step) {
  const um_cuda_conv &g = p.g;
  const int row_a = (int)threadIdx.x / T::across_a, column_a = (int)threadIdx.x % T::across_a;
  const int row_b = (int)threadIdx.x / T::across_b, column_b = (int)threadIdx.x % T::across_b;
#pragma unroll
  for (int i = 0; i < T::count_a; i++) {
    if constexpr (T::deep_a) {
      gather_a<T>(p, a + (row_a + i * T::down_a) * T::pitch_a + column_a * 16, l.n, l.n < g.N ? l.y * g.stride[0] - g.pad[0] : (int)NOWHERE,
                  l.x * g.stride[1] - g.pad[1], l.r, l.s, l.c);
      advance(p, l);
    } else {
      gather_a<T>(p, a + shallow_at(row_a + i * T::down_a, column_a), l.row_n[i], l.row_y[i], l.row_x[i], l.n, l.y, l.x);
    }
  }
#pragma unroll
  for (int i = 0; i < T::count_b; i++) {
    if constexpr (T::deep_b) {
      const uint32_t column = n0 + (uint32_t)(column_b * T::vec), depth = step * T::depth + (uint32_t)(row_b + i * T::down_b);
      gather_b<T>(p, b + (row_b + i * T::down_b) * T::pitch_b + column_b * 16, (int64_t)depth * g.K + column,
                  depth < p.depth && column < p.N ? (int)(p.N - column) : 0);
    } else {
      gather_w<T>(p, b + shallow_at(row_b + i * T::down_b, column_b), l.n * g.S + l.y, n0 + (uint32_t)(row_b + i * T::down_b), l.x);
    }
  }
}

/* A stage that is not live is filled with zeros: the loop has no branches, out of which the compiler could not move what hides latencies.
 * The general loader, which is long, leaves it as it is; nobody multiplies it. */
template <class T>
static __device__ __forceinline__ void load_stage(const um_conv_gemm &p, loader<T> &l, unsigned char *stage, uint32_t n0, uint32_t step,
                                                  bool live) {
  if constexpr (T::general) {
    if (live) load_general<T>(p, l, stage, stage + T::bytes_a, n0, step);
  } else {
    load_a<T>(p, l, stage, live);
    load_b<T>(p, l, stage + T::bytes_a, n0, step, live);
  }
  if constexpr (!T::deep_a) advance(p, l);
}

/* ---- results ---- */

static __device__ __forceinline__ float finished(float sum, float bias, bool relu) {
  sum += bias;
  return relu ? fmaxf(sum, 0.0f) : sum;
}

template <class T> static __device__ __forceinline__ float bias_of(const um_conv_gemm &p, uint32_t n) {
  return T::pass == UM_CONV_FORWARD && p.bias && n < p.N ? p.bias[n] : 0.0f;
}

/* COUNT (1, 2 or 4) f32 that lie together in row m from column n on. */
template <class T, int COUNT>
static __device__ __forceinline__ void store_floats(const um_conv_gemm &p, float *out, uint32_t m, uint32_t n, const float *sum) {
  if (m >= p.M || n >= p.N) return;
  float v[COUNT], *to = out + (size_t)m * p.N + n;
#pragma unroll
  for (int e = 0; e < COUNT; e++) v[e] = finished(sum[e], bias_of<T>(p, n + e), p.relu);
  if (COUNT > 1 && (!T::general || p.whole_out)) {
    if constexpr (COUNT == 4) *(float4 *)to = make_float4(v[0], v[1], v[2], v[3]);
    if constexpr (COUNT == 2) *(float2 *)to = make_float2(v[0], v[1]);
  } else {
#pragma unroll
    for (int e = 0; e < COUNT; e++)
      if (n + e < p.N) to[e] = v[e];
  }
}

/* A warp's tile as bf16, by way of shared memory that is the warp's alone, so that rows are written in vectors of 16 bytes. m, n: the
 * tile's corner. */
template <class T>
static __device__ __forceinline__ void store_bf16(const um_conv_gemm &p, float (&sum)[T::WM / 16][T::WN / 8][4], unsigned char *room,
                                                  uint32_t m, uint32_t n, int lane) {
  const int g = lane >> 2, t = lane & 3;
#pragma unroll
  for (int j = 0; j < T::WN / 8; j++) {
    const uint32_t column = n + j * 8 + 2 * t;
    const float b0 = bias_of<T>(p, column), b1 = bias_of<T>(p, column + 1);
#pragma unroll
    for (int i = 0; i < T::WM / 16; i++)
#pragma unroll
      for (int h = 0; h < 2; h++)
        *(uint32_t *)(room + (i * 16 + h * 8 + g) * T::pitch_out + (j * 8 + 2 * t) * 2) =
            um_pack_bf16(finished(sum[i][j][2 * h], b0, p.relu), finished(sum[i][j][2 * h + 1], b1, p.relu));
  }
  __syncwarp();
  constexpr int across = T::WN / 8, down = 32 / across;
  um_bf16 *out = (um_bf16 *)p.out;
  const uint32_t column = n + lane % across * 8;
#pragma unroll
  for (int i = 0; i < T::WM / down; i++) {
    const int row = lane / across + i * down;
    const unsigned char *from = room + row * T::pitch_out + lane % across * 16;
    if (m + row >= p.M || column >= p.N) continue;
    um_bf16 *to = out + (size_t)(m + row) * p.N + column;
    if (!T::general || p.whole_out) {
      *(uint4 *)to = *(const uint4 *)from;
    } else {
      for (int e = 0; e < 8 && column + e < p.N; e++) to[e] = ((const um_bf16 *)from)[e];
    }
  }
}

/* ---- the kernel: block (tile, split) ---- */

template <class T> __global__ void __launch_bounds__(T::threads, T::blocks) conv_kernel(const um_conv_gemm p) {
  unsigned char *shared = um_shared();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int wm = warp / T::warps_n * T::WM, wn = warp % T::warps_n * T::WN;
  const uint32_t tiles_n = (p.N + T::BN - 1) / T::BN;
  const uint32_t m0 = blockIdx.x / tiles_n * T::BM, n0 = blockIdx.x % tiles_n * T::BN;
  const uint32_t steps_all = (p.depth + T::depth - 1) / T::depth, first = blockIdx.y * (uint32_t)p.split_steps;
  const uint32_t steps = first >= steps_all ? 0 : steps_all - first < (uint32_t)p.split_steps ? steps_all - first : (uint32_t)p.split_steps;
  float *partial = (float *)p.out + (size_t)blockIdx.y * p.M * p.N;
  loader<T> l;
  start<T>(p, l, m0, first);

  for (uint32_t i = 0; i < T::stages - 1; i++) {
    load_stage<T>(p, l, shared + i * T::stage_bytes, n0, first + i, i < steps);
    um_copy_commit();
  }
  um_copy_wait<T::stages - 2>();
  __syncthreads();
  uint32_t now = 0, next = T::stages - 1; /* slots: the one multiplied, and the one copied to, which was multiplied last */

  if constexpr (T::precision == UM_PRECISION_FP32) {
    float sum[T::WM / 8][T::WN / 4] = {};
    for (uint32_t step = 0; step < steps; step++) {
      load_stage<T>(p, l, shared + next * T::stage_bytes, n0, first + step + T::stages - 1, step + T::stages - 1 < steps);
      um_copy_commit();
      const unsigned char *stage = shared + now * T::stage_bytes;
      multiply_plain<T>(sum, stage, stage + T::bytes_a, wm, wn, lane);
      next = now, now = now + 1 == T::stages ? 0 : now + 1;
      um_copy_wait<T::stages - 2>();
      __syncthreads();
    }
    um_copy_wait<0>(); /* the zeros of stages that are not live */
#pragma unroll
    for (int i = 0; i < T::WM / 8; i++) {
      const uint32_t m = m0 + wm + (lane >> 2) + 8 * i;
      if constexpr (T::deep_b) {
#pragma unroll
        for (int j = 0; j < T::WN / 4; j += 4) store_floats<T, 4>(p, partial, m, n0 + wn + plain_column<T>(j, lane & 3), &sum[i][j]);
      } else {
#pragma unroll
        for (int j = 0; j < T::WN / 4; j++) store_floats<T, 1>(p, partial, m, n0 + wn + plain_column<T>(j, lane & 3), &sum[i][j]);
      }
    }
  } else {
    float sum[T::WM / 16][T::WN / 8][4] = {};
    fragments<T> f0, f1;
    load_fragments<T>(f0, shared, shared + T::bytes_a, 0, wm, wn, lane);
    for (uint32_t step = 0; step < steps; step++) {
      const unsigned char *stage = shared + now * T::stage_bytes;
      load_fragments<T>(f1, stage, stage + T::bytes_a, 1, wm, wn, lane);
      multiply<T>(sum, f0);
      load_stage<T>(p, l, shared + next * T::stage_bytes, n0, first + step + T::stages - 1, step + T::stages - 1 < steps);
      um_copy_commit();
      next = now, now = now + 1 == T::stages ? 0 : now + 1;
      um_copy_wait<T::stages - 2>();
      __syncthreads();
      stage = shared + now * T::stage_bytes;
      load_fragments<T>(f0, stage, stage + T::bytes_a, 0, wm, wn, lane);
      multiply<T>(sum, f1);
    }
    um_copy_wait<0>(); /* the zeros of stages that are not live */
    if constexpr (T::precision == UM_PRECISION_BF16 && T::pass != UM_CONV_BACKWARD_WEIGHTS) {
      if (p.splits == 1) {
        __syncthreads(); /* nobody's zeros may fall on the results */
        store_bf16<T>(p, sum, shared + warp * T::WM * T::pitch_out, m0 + wm, n0 + wn, lane);
        return;
      }
    }
#pragma unroll
    for (int i = 0; i < T::WM / 16; i++)
#pragma unroll
      for (int h = 0; h < 2; h++)
#pragma unroll
        for (int j = 0; j < T::WN / 8; j++)
          store_floats<T, 2>(p, partial, m0 + wm + i * 16 + h * 8 + (lane >> 2), n0 + wn + j * 8 + 2 * (lane & 3), &sum[i][j][2 * h]);
  }
}

/* ---- the host's side of a tiling ---- */

template <class T> static void launch_tiling(const um_conv_gemm *given, cudaStream_t stream) {
  um_conv_gemm p = *given;
  const uint64_t tiles = ((uint64_t)p.M + T::BM - 1) / T::BM * ((p.N + T::BN - 1) / T::BN);
  if (T::deep_a)
    p.radix[0] = p.g.P, p.radix[1] = p.g.Q;
  else if (!T::general && p.chunked)
    p.radix[0] = p.g.R, p.radix[1] = p.g.S;
  else
    p.radix[0] = p.g.S, p.radix[1] = depth_channels<T>(p);
  const int step = T::deep_a ? T::down_a : !T::general && p.chunked ? 1 : T::depth;
  p.step[0] = step / p.radix[1] / p.radix[0], p.step[1] = step / p.radix[1] % p.radix[0], p.step[2] = step % p.radix[1];
  um_launch((conv_kernel<T>), dim3((unsigned)tiles, (unsigned)p.splits), dim3(T::threads), T::shared_bytes, stream, p);
}

template <class T> static um_conv_tile_info info_of(void) { return {T::BM, T::BN, T::blocks, T::shared_bytes}; }

/* The tilings that there are; `tile` is taken as one of them. */
template <int PASS, int PRECISION, class F> static void with_tiling(um_conv_tile tile, const F &f) {
  constexpr bool plain = PRECISION == UM_PRECISION_FP32, wide = PRECISION == UM_PRECISION_BF16 && PASS != UM_CONV_BACKWARD_WEIGHTS;
  constexpr int few = plain ? 3 : 4;
  switch (tile) {
  case UM_TILE_256X128:
    if constexpr (PRECISION == UM_PRECISION_BF16) f(um_tiling<PASS, PRECISION, 256, 128, 64, 64, 4, 1, false>());
    break;
  case UM_TILE_256X64:
    if constexpr (wide) f(um_tiling<PASS, PRECISION, 256, 64, 64, 64, 4, 2, false>());
    break;
  case UM_TILE_128X128:
    if constexpr (plain)
      f(um_tiling<PASS, PRECISION, 128, 128, 64, 32, 4, 1, false>());
    else
      f(um_tiling<PASS, PRECISION, 128, 128, 64, 64, 4, 2, false>());
    break;
  case UM_TILE_128X64:
    if constexpr (!plain) f(um_tiling<PASS, PRECISION, 128, 64, 64, 32, 4, 3, false>());
    break;
  case UM_TILE_64X64: f(um_tiling<PASS, PRECISION, 64, 64, 32, 32, 4, few, false>()); break;
  default: f(um_tiling<PASS, PRECISION, 64, 64, 32, 32, 3, 3, true>()); break;
  }
}

/* The same, by a precision that is known when the program runs. */
template <int PASS, class F> static void with_pass(um_precision precision, um_conv_tile tile, const F &f) {
  if (precision == UM_PRECISION_BF16)
    with_tiling<PASS, UM_PRECISION_BF16>(tile, f);
  else if (precision == UM_PRECISION_TF32)
    with_tiling<PASS, UM_PRECISION_TF32>(tile, f);
  else
    with_tiling<PASS, UM_PRECISION_FP32>(tile, f);
}

#endif
