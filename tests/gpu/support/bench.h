/* gpu_bench's parts. */
#ifndef UM_TESTS_GPU_SUPPORT_BENCH_H
#define UM_TESTS_GPU_SUPPORT_BENCH_H

#include <stdio.h>

#include "layers.h"
#include "timer.h"

typedef struct bench {
  gpu_options o;
  um_backend *be; /* engine auto: has the libraries, where they are there */
  gpu_timer timer;
  FILE *json;
  double flops[3]; /* the peaks: by precision, FLOP/s */
  double copy;     /* bytes/s, read and written */
} bench;

int bench_peaks(bench *b, um_error *err);
int bench_layers(bench *b, um_error *err);
int bench_rest(bench *b, um_error *err);
int bench_steps(bench *b, um_error *err);
/* o.only launched o.steps times (2 where that is 0) and nothing else, no time taken: for a profiler. */
int bench_only(bench *b, um_error *err);
/* The multiplications and the least bytes of every convolution pass, as tables in Markdown: arithmetic alone, no device. */
void bench_floors(const gpu_options *o);

/* ---- for its parts ---- */

enum { BENCH_SETS = 24 };

/* Device memory that is freed all at once. */
typedef struct bench_memory {
  um_backend *be;
  void *piece[8 * BENCH_SETS];
  int pieces;
} bench_memory;
void *bench_alloc(bench_memory *m, size_t bytes, um_error *err); /* NULL where that failed */
void bench_free(bench_memory *m);
/* Random values in [-1, 1) in `count` values of the type. */
int bench_fill(bench_memory *m, void *p, int64_t count, um_dtype type, um_error *err);

/* Sets of operands of `bytes` each, such that all of them together are three times the L2 cache (at most BENCH_SETS). */
int bench_sets(const bench *b, double bytes);

extern const char *const bench_provider[3]; /* "native", "cudnn", "cublaslt" */
typedef int (*bench_ways)(const um_cuda *, const um_cuda_conv *, um_conv_pass, um_conv_way *, int);
extern const bench_ways bench_ways_of[3];

/* The fastest way of a provider; name "" where it has none. */
typedef struct bench_best {
  gpu_time time;
  char name[32];
} bench_best;

/* Times every way of every provider for a pass: the fastest of each to best[3], each one's to `every` where not NULL. Ways that run out of
 * memory are passed over. */
typedef void (*bench_every)(bench *b, int provider, const um_conv_way *way, const gpu_time *t, void *context);
int bench_pass(bench *b, bench_best best[3], const um_cuda_conv *g, int pass, bench_every every, void *context, um_error *err);

/* One way launched `count` times, over the sets of operands in turn. */
int bench_launch(bench *b, const um_cuda_conv *g, int pass, const um_conv_way *way, int count, um_error *err);

#endif
