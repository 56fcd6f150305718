/* Times on the device, by events around work that is queued without the host: a group of launches is captured into a graph and replayed
 * where that can be done, so that the gaps between launches are the device's own. */
#ifndef UM_TESTS_GPU_SUPPORT_TIMER_H
#define UM_TESTS_GPU_SUPPORT_TIMER_H

#include "cuda/cuda.h"
#include "gpu.h"

typedef struct gpu_timer {
  um_cuda *cuda;
  cudaEvent_t start, end;
  int rounds;     /* the median of so many counts */
  double seconds; /* that a round should last */
} gpu_timer;

int gpu_timer_open(gpu_timer *t, um_backend *be, bool small, um_error *err);
void gpu_timer_close(gpu_timer *t);

/* Queues the i-th launch of something on cuda->compute; i tells which of several sets of operands to take. */
typedef int (*gpu_work)(void *context, int i, um_error *err);

typedef struct gpu_time {
  double median, least, most; /* seconds a launch */
} gpu_time;

/* sets: how many sets of operands the work goes round, so that none of them is in the cache any more when it comes again. */
int gpu_timer_run(gpu_timer *t, gpu_time *out, gpu_work work, void *context, int sets, um_error *err);
/* The same for work that queues several things by itself (whole steps): count of them a round, no graph, `warm` before. */
int gpu_timer_steps(gpu_timer *t, gpu_time *out, gpu_work work, void *context, int warm, um_error *err);

#endif
