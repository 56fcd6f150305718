/* The hand-written convolutions, host side: which tiles and splits there are for a geometry, in the order of an estimate of their time,
 * and how one is run. */
#include "cuda/conv_native.h"

#include <limits.h>
#include <stdio.h>

static const char *const tile_name[UM_CONV_TILES] = {"256x128", "256x64", "128x128", "128x64", "64x64", "general"};

static um_conv_tile_info tile_info(um_conv_pass pass, um_precision precision, um_conv_tile tile) {
  switch (pass) {
  case UM_CONV_FORWARD: return um_conv_forward_tile(precision, tile);
  case UM_CONV_BACKWARD_DATA: return um_conv_data_tile(precision, tile);
  default: return um_conv_weights_tile(precision, tile);
  }
}

static int element_size(const um_cuda_conv *g) { return g->precision == UM_PRECISION_BF16 ? 2 : 4; }

/* The matrix product of a pass; false where a side of it is beyond the kernels' 31 bits or a picture beyond 32. */
static bool sides(const um_cuda_conv *g, um_conv_pass pass, um_conv_gemm *p) {
  const int64_t in = (int64_t)g->N * g->H * g->W, out = (int64_t)g->N * g->P * g->Q, taps = (int64_t)g->R * g->S;
  const int64_t M = pass == UM_CONV_FORWARD ? out : pass == UM_CONV_BACKWARD_DATA ? in : taps * g->C;
  const int64_t N = pass == UM_CONV_BACKWARD_DATA ? g->C : g->K;
  const int64_t depth = pass == UM_CONV_FORWARD ? taps * g->C : pass == UM_CONV_BACKWARD_DATA ? taps * g->K : out;
  const int vec = 16 / element_size(g), vec_out = pass == UM_CONV_BACKWARD_WEIGHTS ? 4 : vec;
  if ((int64_t)g->H * g->W > UINT32_MAX / g->C || (int64_t)g->P * g->Q > UINT32_MAX / g->K) return false;
  if (in > INT_MAX || out > INT_MAX || M > INT_MAX || N > INT_MAX || depth > INT_MAX) return false;
  *p = (um_conv_gemm){.g = *g, .M = (uint32_t)M, .N = (uint32_t)N, .depth = (uint32_t)depth};
  p->whole_a = (pass == UM_CONV_BACKWARD_DATA ? g->K : g->C) % vec == 0;
  p->whole_b = g->K % vec == 0;
  p->whole_out = N % vec_out == 0;
  p->chunked = pass != UM_CONV_BACKWARD_WEIGHTS && (pass == UM_CONV_FORWARD ? g->C : g->K) % (64 / element_size(g)) == 0;
  return true;
}

/* Whether the fast tiles can: whole vectors, few enough for 32 bits, and a backward data without a stride. */
static bool fast(const um_conv_gemm *p, um_conv_pass pass) {
  const um_cuda_conv *g = &p->g;
  const int vec = 16 / element_size(g);
  const uint64_t in = (uint64_t)g->N * (uint64_t)g->H * (uint64_t)g->W * (uint64_t)((g->C + vec - 1) / vec);
  const uint64_t out = (uint64_t)g->N * (uint64_t)g->P * (uint64_t)g->Q * (uint64_t)((g->K + vec - 1) / vec);
  const uint64_t w = (uint64_t)g->R * (uint64_t)g->S * (uint64_t)g->C * (uint64_t)((g->K + vec - 1) / vec);
  if (!p->whole_a || !p->whole_b || !p->whole_out || in > UINT32_MAX || out > UINT32_MAX || w > UINT32_MAX) return false;
  return pass != UM_CONV_BACKWARD_DATA || (g->stride[0] == 1 && g->stride[1] == 1);
}

static uint64_t tiles_of(const um_conv_gemm *p, const um_conv_tile_info *t) {
  return ((uint64_t)p->M + (unsigned)t->rows - 1) / (unsigned)t->rows *
         (((uint64_t)p->N + (unsigned)t->columns - 1) / (unsigned)t->columns);
}

/* Clock cycles, by a model: a multiprocessor multiplies at a tile's rate, lower where too few blocks share it to hide their latencies; a
 * block costs some steps more than it has; splits are written, read and added up. The rates are estimates from the words of shared
 * memory that a warp reads for each mma and from the bytes that come from the L2 for each product: where taps follow each other a's are
 * in the L1, in backward weights they are not and large tiles gain more. None is measured. */
static double cycles(const um_cuda *cuda, const um_conv_gemm *p, um_conv_pass pass, um_conv_tile tile, const um_conv_tile_info *t,
                     int splits, int split_steps) {
  static const double rates[2][UM_CONV_TILES] = {{0.97, 0.95, 1.0, 0.85, 0.6, 0.1}, {1.05, 0.9, 0.95, 0.75, 0.5, 0.1}};
  const double rate = rates[pass == UM_CONV_BACKWARD_WEIGHTS][tile];
  const double step = (double)t->rows * t->columns / (p->g.precision == UM_PRECISION_FP32 ? 8.0 : 32.0) / rate;
  const double blocks = (double)tiles_of(p, t) * splits, shared_by = blocks / cuda->multiprocessors;
  const int64_t turns = (int64_t)((blocks + cuda->multiprocessors - 1) / cuda->multiprocessors);
  const double full = shared_by < t->blocks ? 0.5 + 0.5 * (shared_by < 1 ? 1 : shared_by) / t->blocks : 1;
  double sum = (double)turns * (split_steps + 8) * step / full;
  if (splits > 1) sum += 3000 + 2.0 * splits * p->M * p->N * 4 / (20.0 * cuda->multiprocessors);
  return sum;
}

static int run_native(const um_cuda *cuda, const um_cuda_conv *g, const um_conv_way *way, void *out, const void *a, const void *b,
                      const float *bias, void *scratch, cudaStream_t stream, um_error *err, um_conv_pass pass) {
  (void)cuda;
  um_conv_gemm p;
  const um_conv_tile tile = (um_conv_tile)way->variant;
  const bool forward = pass == UM_CONV_FORWARD, relu = forward && g->activation == UM_ACT_RELU;
  const int step = 64 / element_size(g);
  if (!sides(g, pass, &p)) return um_fail(err, UM_EINTERNAL, "%s: a convolution too large for it", way->name);
  p.a = a, p.b = b;
  p.splits = way->splits;
  p.split_steps = (int)(((p.depth + (unsigned)step - 1) / (unsigned)step + (unsigned)way->splits - 1) / (unsigned)way->splits);
  p.out = p.splits > 1 ? scratch : out;
  if (p.splits == 1) p.bias = forward ? bias : NULL, p.relu = relu;
  if (forward)
    um_conv_forward_launch(&p, tile, stream);
  else if (pass == UM_CONV_BACKWARD_DATA)
    um_conv_data_launch(&p, tile, stream);
  else
    um_conv_weights_launch(&p, tile, stream);
  int status = um_cuda_launched(err, way->name);
  if (status == UM_OK && p.splits > 1) {
    const um_dtype dtype = pass == UM_CONV_BACKWARD_WEIGHTS || g->precision != UM_PRECISION_BF16 ? UM_F32 : UM_BF16;
    um_conv_reduce_launch(out, dtype, scratch, p.splits, (int64_t)p.M * p.N, (int)p.N, forward ? bias : NULL, relu, stream);
    status = um_cuda_launched(err, "sum of splits");
  }
  return status;
}

static int run_forward(const um_cuda *cuda, const um_cuda_conv *g, const um_conv_way *way, void *out, const void *a, const void *b,
                       const float *bias, void *scratch, cudaStream_t stream, um_error *err) {
  return run_native(cuda, g, way, out, a, b, bias, scratch, stream, err, UM_CONV_FORWARD);
}

static int run_data(const um_cuda *cuda, const um_cuda_conv *g, const um_conv_way *way, void *out, const void *a, const void *b,
                    const float *bias, void *scratch, cudaStream_t stream, um_error *err) {
  return run_native(cuda, g, way, out, a, b, bias, scratch, stream, err, UM_CONV_BACKWARD_DATA);
}

static int run_weights(const um_cuda *cuda, const um_cuda_conv *g, const um_conv_way *way, void *out, const void *a, const void *b,
                       const float *bias, void *scratch, cudaStream_t stream, um_error *err) {
  return run_native(cuda, g, way, out, a, b, bias, scratch, stream, err, UM_CONV_BACKWARD_WEIGHTS);
}

typedef struct candidate {
  um_conv_tile tile;
  int splits;
  double cycles;
} candidate;

enum { MOST_SPLITS = 512, SHORTEST_SPLIT = 4 /* steps */, TURNS = 3, CANDIDATES = UM_CONV_TILES * (TURNS + 1) };

/* Keeps the list in the order of cycles; the same way is not listed twice. */
static void add(candidate *list, int *n, candidate c) {
  int i = *n;
  for (int k = 0; k < *n; k++)
    if (list[k].tile == c.tile && list[k].splits == c.splits) return;
  for (; i > 0 && list[i - 1].cycles > c.cycles; i--) list[i] = list[i - 1];
  list[i] = c;
  ++*n;
}

int um_cuda_native_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max) {
  static const um_conv_run run[UM_CONV_PASSES] = {run_forward, run_data, run_weights};
  um_conv_gemm p;
  candidate list[CANDIDATES];
  int n = 0;
  if (!sides(g, pass, &p)) return 0;
  const bool whole = fast(&p, pass);
  const int steps = (int)((p.depth + 64u / (unsigned)element_size(g) - 1) / (64u / (unsigned)element_size(g)));
  const size_t one = (size_t)p.M * p.N * sizeof(float), limit = cuda->workspace_limit ? cuda->workspace_limit : (size_t)512 << 20;
  for (int k = 0; k < UM_CONV_TILES; k++) {
    const um_conv_tile tile = (um_conv_tile)k;
    const um_conv_tile_info t = tile_info(pass, g->precision, tile);
    if ((tile == UM_TILE_GENERAL) == whole || t.shared_bytes == 0 || t.shared_bytes > cuda->shared_limit) continue;
    const uint64_t tiles = tiles_of(&p, &t);
    if (tiles > INT_MAX) continue;
    /* One split, and as many as let the blocks fill the GPU once, twice, ... */
    for (int turn = 0; turn <= TURNS; turn++) {
      int splits = turn == 0 ? 1 : (int)((uint64_t)turn * (uint64_t)t.blocks * (uint64_t)cuda->multiprocessors / tiles);
      if (splits > steps / SHORTEST_SPLIT) splits = steps / SHORTEST_SPLIT;
      if (splits > MOST_SPLITS) splits = MOST_SPLITS;
      if (splits < 1) splits = 1;
      const int split_steps = (steps + splits - 1) / splits;
      splits = (steps + split_steps - 1) / split_steps; /* none without work */
      if (splits > 1 && (size_t)splits > limit / one) continue;
      add(list, &n, (candidate){tile, splits, cycles(cuda, &p, pass, tile, &t, splits, split_steps)});
    }
  }
  if (n > max) n = max;
  for (int i = 0; i < n; i++) {
    const int splits = list[i].splits;
    ways[i] =
        (um_conv_way){.scratch = splits > 1 ? (size_t)splits * one : 0, .run = run[pass], .variant = (int)list[i].tile, .splits = splits};
    snprintf(ways[i].name, sizeof ways[i].name, "native %s k%d", tile_name[list[i].tile], splits);
  }
  return n;
}
