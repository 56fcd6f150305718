#include "timer.h"

#include <math.h>

enum { ROUNDS = 7, MOST_LAUNCHES = 256 };

int gpu_timer_open(gpu_timer *t, um_backend *be, bool small, um_error *err) {
  *t = (gpu_timer){.cuda = (um_cuda *)be, .rounds = small ? 1 : ROUNDS, .seconds = small ? 1e-6 : 3e-3};
  cudaError_t e = cudaEventCreate(&t->start);
  if (e == cudaSuccess) e = cudaEventCreate(&t->end);
  return um_cuda_check(e, err, "events");
}

void gpu_timer_close(gpu_timer *t) {
  if (t->start) cudaEventDestroy(t->start);
  if (t->end) cudaEventDestroy(t->end);
  *t = (gpu_timer){0};
}

static int queue(gpu_work work, void *context, int first, int count, um_error *err) {
  int status = UM_OK;
  for (int i = 0; i < count && status == UM_OK; i++) status = work(context, first + i, err);
  return status;
}

/* Seconds of `count` launches, or of one replay of the graph. */
static int once(gpu_timer *t, double *seconds, gpu_work work, void *context, int count, cudaGraphExec_t graph, um_error *err) {
  float ms = 0;
  int status = um_cuda_check(cudaEventRecord(t->start, t->cuda->compute), err, "events");
  if (status == UM_OK)
    status = graph ? um_cuda_check(cudaGraphLaunch(graph, t->cuda->compute), err, "replay") : queue(work, context, 0, count, err);
  if (status == UM_OK) status = um_cuda_check(cudaEventRecord(t->end, t->cuda->compute), err, "events");
  if (status == UM_OK) status = um_cuda_check(cudaEventSynchronize(t->end), err, "timed work");
  if (status == UM_OK) status = um_cuda_check(cudaEventElapsedTime(&ms, t->start, t->end), err, "events");
  *seconds = ms * 1e-3;
  return status;
}

static int rounds(gpu_timer *t, gpu_time *out, gpu_work work, void *context, int count, cudaGraphExec_t graph, um_error *err) {
  double each[64];
  int status = UM_OK;
  for (int i = 0; i < t->rounds && status == UM_OK; i++) {
    status = once(t, &each[i], work, context, count, graph, err);
    each[i] /= count;
  }
  if (status != UM_OK) return status;
  out->median = gpu_median(each, t->rounds);
  out->least = each[0], out->most = each[t->rounds - 1]; /* sorted by now */
  return UM_OK;
}

/* Not all that libraries queue can be captured: then *exec stays NULL. */
static void capture(gpu_timer *t, cudaGraph_t *graph, cudaGraphExec_t *exec, gpu_work work, void *context, int count) {
  um_error err = {0};
  *graph = NULL, *exec = NULL;
  if (cudaStreamBeginCapture(t->cuda->compute, cudaStreamCaptureModeThreadLocal) != cudaSuccess) return;
  const int status = queue(work, context, 0, count, &err);
  if (cudaStreamEndCapture(t->cuda->compute, graph) != cudaSuccess || status != UM_OK ||
      cudaGraphInstantiate(exec, *graph, 0) != cudaSuccess)
    *exec = NULL;
  cudaGetLastError();
}

int gpu_timer_run(gpu_timer *t, gpu_time *out, gpu_work work, void *context, int sets, um_error *err) {
  double guess = 0;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  int status = queue(work, context, 0, 3, err);
  if (status == UM_OK) status = once(t, &guess, work, context, 3, NULL, err);
  if (status != UM_OK) return status;
  double count = ceil(t->seconds / fmax(guess / 3, 1e-7) / sets) * sets; /* whole turns of the sets */
  if (count > MOST_LAUNCHES) count = MOST_LAUNCHES;
  capture(t, &graph, &exec, work, context, (int)count);
  if (exec) status = once(t, &guess, work, context, (int)count, exec, err); /* the first replay uploads the graph */
  if (status == UM_OK) status = rounds(t, out, work, context, (int)count, exec, err);
  if (exec) cudaGraphExecDestroy(exec);
  if (graph) cudaGraphDestroy(graph);
  return status;
}

int gpu_timer_steps(gpu_timer *t, gpu_time *out, gpu_work work, void *context, int warm, um_error *err) {
  double guess = 0;
  int status = queue(work, context, 0, warm, err);
  if (status == UM_OK) status = once(t, &guess, work, context, warm, NULL, err);
  if (status != UM_OK) return status;
  const double count = ceil(100 * t->seconds / fmax(guess / warm, 1e-6));
  return rounds(t, out, work, context, count > 1000 ? 1000 : (int)count, NULL, err);
}
