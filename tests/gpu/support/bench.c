#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const bench_provider[3] = {"native", "cudnn", "cublaslt"};
const bench_ways bench_ways_of[3] = {um_cuda_native_ways, um_cudnn_ways, um_cublas_ways};

void *bench_alloc(bench_memory *m, size_t bytes, um_error *err) {
  void *p = NULL;
  if (m->pieces == (int)(sizeof m->piece / sizeof *m->piece)) {
    um_fail(err, UM_EINTERNAL, "gpu_bench: too many pieces of memory");
    return NULL;
  }
  if (m->be->ops->alloc(m->be, &p, bytes, err) != UM_OK) return NULL;
  return m->piece[m->pieces++] = p;
}

void bench_free(bench_memory *m) {
  for (int i = 0; i < m->pieces; i++) m->be->ops->free(m->be, m->piece[i]);
  m->pieces = 0;
}

int bench_fill(bench_memory *m, void *p, int64_t count, um_dtype type, um_error *err) {
  const size_t bytes = (size_t)count * um_dtype_size(type);
  void *host = malloc(bytes);
  if (!host) return um_fail(err, UM_ENOMEM, "gpu_bench: no memory for %zu bytes", bytes);
#pragma omp parallel for
  for (int64_t i = 0; i < count; i++) { /* Weyl's sequence, mixed: fast, and good enough to time by */
    uint64_t v = (uint64_t)i * 0x9e3779b97f4a7c15u;
    v = (v ^ v >> 29) * 0xbf58476d1ce4e5b9u;
    const float x = (float)((double)(v >> 40) / (1 << 23) - 1);
    if (type == UM_F32)
      ((float *)host)[i] = x;
    else if (type == UM_BF16)
      ((uint16_t *)host)[i] = um_bf16_of(x);
    else
      ((uint8_t *)host)[i] = (uint8_t)(v >> 56);
  }
  const int status = m->be->ops->upload(m->be, p, host, bytes, err);
  free(host);
  return status;
}

int bench_sets(const bench *b, double bytes) {
  struct cudaDeviceProp p;
  if (b->o.small) return 1;
  const double cache = cudaGetDeviceProperties(&p, ((um_cuda *)b->be)->device) == cudaSuccess ? p.l2CacheSize : 6e7;
  const double sets = ceil(3 * cache / bytes);
  return sets < 1 ? 1 : sets > BENCH_SETS ? BENCH_SETS : (int)sets;
}

/* ---- a pass of a convolution ---- */

typedef struct job {
  const um_cuda *cuda;
  const um_cuda_conv *g;
  const um_conv_way *way;
  void *out[BENCH_SETS], *a[BENCH_SETS], *b[BENCH_SETS];
  float *bias;
  void *scratch;
  int sets;
  bool forward;
} job;

static int launch(void *context, int i, um_error *err) {
  const job *j = context;
  const int s = i % j->sets;
  return j->way->run(j->cuda, j->g, j->way, j->out[s], j->a[s], j->b[s], j->forward ? j->bias : NULL, j->scratch, j->cuda->compute, err);
}

static int operands(bench *b, bench_memory *m, job *j, const um_cuda_conv *g, int pass, um_error *err) {
  const um_dtype type = g->precision == UM_PRECISION_BF16 ? UM_BF16 : UM_F32;
  const int64_t x = (int64_t)g->N * g->H * g->W * g->C, y = (int64_t)g->N * g->P * g->Q * g->K, w = (int64_t)g->R * g->S * g->C * g->K;
  const int64_t out = pass == GPU_FORWARD ? y : pass == GPU_BACKWARD_DATA ? x : w;
  const int64_t a = pass == GPU_BACKWARD_DATA ? y : x, c = pass == GPU_BACKWARD_WEIGHTS ? y : w;
  const um_dtype out_type = pass == GPU_BACKWARD_WEIGHTS ? UM_F32 : type;
  *j = (job){.cuda = (um_cuda *)b->be, .g = g, .forward = pass == GPU_FORWARD};
  j->sets = bench_sets(b, (double)((size_t)out * um_dtype_size(out_type) + (size_t)(a + c) * um_dtype_size(type)));
  for (int s = 0; s < j->sets; s++) {
    j->out[s] = bench_alloc(m, (size_t)out * um_dtype_size(out_type), err);
    j->a[s] = bench_alloc(m, (size_t)a * um_dtype_size(type), err);
    j->b[s] = bench_alloc(m, (size_t)c * um_dtype_size(type), err);
    if (!j->out[s] || !j->a[s] || !j->b[s]) return UM_ENOMEM;
    int status = bench_fill(m, j->a[s], a, type, err);
    if (status == UM_OK) status = bench_fill(m, j->b[s], c, type, err);
    if (status != UM_OK) return status;
  }
  j->bias = bench_alloc(m, sizeof(float) * (size_t)g->K, err);
  return j->bias ? bench_fill(m, j->bias, g->K, UM_F32, err) : UM_ENOMEM;
}

/* One way's time; UM_ENOMEM where there is no memory for its scratch. */
static int time_way(bench *b, gpu_time *t, job *j, const um_conv_way *way, um_error *err) {
  bench_memory scratch = {.be = b->be};
  j->way = way;
  j->scratch = way->scratch ? bench_alloc(&scratch, way->scratch, err) : NULL;
  const int status = j->scratch || !way->scratch ? gpu_timer_run(&b->timer, t, launch, j, j->sets, err) : UM_ENOMEM;
  bench_free(&scratch);
  return status;
}

int bench_launch(bench *b, const um_cuda_conv *g, int pass, const um_conv_way *way, int count, um_error *err) {
  bench_memory m = {.be = b->be};
  job j;
  int status = operands(b, &m, &j, g, pass, err);
  j.way = way;
  if (status == UM_OK && way->scratch && !(j.scratch = bench_alloc(&m, way->scratch, err))) status = UM_ENOMEM;
  for (int i = 0; i < count && status == UM_OK; i++) status = launch(&j, i, err);
  if (status == UM_OK) status = b->be->ops->wait(b->be, err);
  bench_free(&m);
  return status;
}

int bench_pass(bench *b, bench_best best[3], const um_cuda_conv *g, int pass, bench_every every, void *context, um_error *err) {
  um_cuda *cuda = (um_cuda *)b->be;
  bench_memory m = {.be = b->be};
  job j;
  int status = operands(b, &m, &j, g, pass, err);
  for (int p = 0; p < 3; p++) {
    um_conv_way way[UM_CONV_WAYS] = {0};
    const int count = status == UM_OK ? bench_ways_of[p](cuda, g, (um_conv_pass)pass, way, UM_CONV_WAYS) : 0;
    best[p] = (bench_best){.time = {INFINITY, INFINITY, INFINITY}};
    for (int i = 0; i < count; i++) {
      gpu_time t;
      if (status == UM_OK && way[i].scratch <= cuda->workspace_limit) {
        const int timed = time_way(b, &t, &j, &way[i], err);
        if (timed == UM_OK && every) every(b, p, &way[i], &t, context);
        if (timed == UM_OK && t.median < best[p].time.median) {
          best[p].time = t;
          memcpy(best[p].name, way[i].name, sizeof best[p].name);
        }
        if (timed != UM_OK && timed != UM_ENOMEM) status = timed;
      }
      if (way[i].plan && way[i].free_plan) way[i].free_plan(way[i].plan);
    }
  }
  bench_free(&m);
  return status;
}

/* ---- peaks ---- */

typedef struct copy_job {
  void *to, *from;
  size_t bytes;
  cudaStream_t stream;
} copy_job;

static int copy(void *context, int i, um_error *err) {
  const copy_job *j = context;
  (void)i;
  return um_cuda_check(cudaMemcpyAsync(j->to, j->from, j->bytes, cudaMemcpyDeviceToDevice, j->stream), err, "copy");
}

int bench_peaks(bench *b, um_error *err) {
  const int n = b->o.small ? 64 : 8192;
  const size_t bytes = b->o.small ? 4096 : (size_t)1 << 30;
  bench_memory m = {.be = b->be};
  gpu_time t;
  int status;
  printf("\nPeaks\n");
  for (int precision = 0; precision < 3; precision++) {
    const um_cuda_conv g = {
        .N = n, .H = 1, .W = 1, .C = n, .K = n, .P = 1, .Q = 1, .R = 1, .S = 1, .stride = {1, 1}, .precision = (um_precision)precision};
    bench_best best[3];
    double least = INFINITY;
    if ((status = bench_pass(b, best, &g, GPU_FORWARD, NULL, NULL, err)) != UM_OK) return status;
    for (int p = 0; p < 3; p++) least = fmin(least, best[p].time.median);
    b->flops[precision] = 2.0 * n * n * n / least;
    printf("  %s matrix product of %d: %.1f TFLOP/s", gpu_precision_name((um_precision)precision), n, b->flops[precision] * 1e-12);
    for (int p = 0; p < 3; p++)
      if (best[p].name[0]) printf("; %s %.1f", best[p].name, 2e-12 * n * n * n / best[p].time.median);
    printf("\n");
  }
  copy_job j = {
      .to = bench_alloc(&m, bytes, err), .from = bench_alloc(&m, bytes, err), .bytes = bytes, .stream = ((um_cuda *)b->be)->compute};
  status = j.to && j.from ? bench_fill(&m, j.from, (int64_t)bytes, UM_U8, err) : UM_ENOMEM;
  if (status == UM_OK) status = gpu_timer_run(&b->timer, &t, copy, &j, 1, err);
  if (status == UM_OK) {
    b->copy = 2.0 * (double)bytes / t.median;
    printf("  copy of %zu MB: %.3f TB/s, read and written\n", bytes >> 20, b->copy * 1e-12);
  }
  bench_free(&m);
  return status;
}
