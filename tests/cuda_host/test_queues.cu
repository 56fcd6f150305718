/* The emulated device's queues, graphs and memory: what is wrong must be caught, under every schedule, and what is right must pass. */
#include "cases.h"

#include <pthread.h>

/* ---- queues ---- */

static __global__ void add_to(int *out, const int *a, int v) { out[threadIdx.x] = a[threadIdx.x] + v; }
static __global__ void fill(int *out, int v) { out[threadIdx.x] = v; }

/* Two streams, ten rounds: one makes, the other takes. 0: every round is right. */
template <bool WAITS, bool WAITS_BACK> static int relay() {
  enum { N_ = 64, ROUNDS = 10 };
  int *x = (int *)device_bytes(N_ * 4), *y = (int *)device_bytes(ROUNDS * N_ * 4), *h = host_array<int>(ROUNDS * N_), wrong = 0;
  cudaStream_t make, take;
  cudaEvent_t made, taken;
  must(cudaStreamCreateWithFlags(&make, cudaStreamNonBlocking));
  must(cudaStreamCreateWithFlags(&take, cudaStreamNonBlocking));
  must(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
  must(cudaEventCreateWithFlags(&taken, cudaEventDisableTiming));
  for (int r = 0; r < ROUNDS; r++) {
    if (WAITS_BACK) must(cudaStreamWaitEvent(make, taken, 0));
    um_launch(fill, dim3(1), dim3(N_), 0, make, x, 100 * r);
    must(cudaEventRecord(made, make));
    if (WAITS) must(cudaStreamWaitEvent(take, made, 0));
    um_launch(add_to, dim3(1), dim3(N_), 0, take, y + r * N_, x, 7);
    must(cudaEventRecord(taken, take));
    if (r % 4 == 3) must(cudaStreamSynchronize(r % 8 == 3 ? take : make));
  }
  must(cudaMemcpyAsync(h, y, ROUNDS * N_ * 4, cudaMemcpyDeviceToHost, take));
  must(cudaStreamSynchronize(take));
  for (int i = 0; i < ROUNDS * N_; i++) wrong |= h[i] != 100 * (i / N_) + 7;
  return wrong;
}

/* The host reads before it waits, or writes again before the copy is done. */
template <bool READS_EARLY, bool WRITES_EARLY> static int host_side() {
  int *x = (int *)device_bytes(4), *h = host_array<int>(2);
  cudaStream_t s;
  cudaEvent_t e;
  must(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  must(cudaEventCreate(&e));
  h[0] = 41, h[1] = 0;
  must(cudaMemcpyAsync(x, h, 4, cudaMemcpyHostToDevice, s));
  if (!WRITES_EARLY) must(cudaStreamSynchronize(s));
  h[0] = 5;
  um_launch(add_to, dim3(1), dim3(1), 0, s, x, x, 1);
  must(cudaMemcpyAsync(h + 1, x, 4, cudaMemcpyDeviceToHost, s));
  must(cudaEventRecord(e, s));
  if (!READS_EARLY)
    while (cudaEventQuery(e) == cudaErrorNotReady) {}
  return h[1] != 42;
}

/* From pageable memory a copy takes the bytes at the call; to it, it has brought them when it returns. */
static int pageable() {
  int *x = (int *)device_bytes(4), v = 41, r = 0;
  cudaStream_t s;
  must(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  must(cudaMemcpyAsync(x, &v, 4, cudaMemcpyHostToDevice, s));
  v = 5;
  um_launch(add_to, dim3(1), dim3(1), 0, s, x, x, 1);
  must(cudaMemcpyAsync(&r, x, 4, cudaMemcpyDeviceToHost, s));
  return r != 42;
}

/* The legacy stream and one that waits for it; and one that does not. */
template <unsigned FLAGS> static int legacy() {
  int *x = (int *)device_bytes(4), *h = host_array<int>(1), wrong = 0;
  cudaStream_t s;
  must(cudaStreamCreateWithFlags(&s, FLAGS));
  for (int i = 0; i < 8; i++) {
    um_launch(fill, dim3(1), dim3(1), 0, nullptr, x, i);
    um_launch(add_to, dim3(1), dim3(1), 0, s, x, x, 100);
    must(cudaStreamSynchronize(s));
    must(cudaMemcpy(h, x, 4, cudaMemcpyDeviceToHost));
    wrong |= *h != i + 100;
  }
  return wrong;
}

/* ---- graphs ---- */

/* Two streams in one graph, replayed with other memory contents; page-locked memory is read at each replay. */
static int capture_and_replay() {
  int *in = host_array<int>(1), *out = host_array<int>(3), *x = (int *)device_bytes(12);
  cudaStream_t s, side;
  cudaEvent_t fork, join;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  enum cudaStreamCaptureStatus status;
  size_t nodes;
  must(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  must(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
  must(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  must(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
  must(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
  must(cudaMemcpyAsync(x, in, 4, cudaMemcpyHostToDevice, s));
  must(cudaEventRecord(fork, s));
  must(cudaStreamWaitEvent(side, fork, 0));
  um_launch(add_to, dim3(1), dim3(1), 0, side, x + 1, x, 10);
  um_launch(add_to, dim3(1), dim3(1), 0, s, x + 2, x, 20);
  must(cudaEventRecord(join, side));
  must(cudaStreamWaitEvent(s, join, 0));
  must(cudaMemcpyAsync(out, x, 12, cudaMemcpyDeviceToHost, s));
  must(cudaStreamIsCapturing(side, &status));
  if (status != cudaStreamCaptureStatusActive) return 1;
  must(cudaStreamEndCapture(s, &graph));
  must(cudaStreamIsCapturing(side, &status));
  if (status != cudaStreamCaptureStatusNone) return 2;
  must(cudaGraphGetNodes(graph, nullptr, &nodes));
  if (nodes != 4) return 3;
  must(cudaGraphInstantiate(&exec, graph, 0));
  must(cudaGraphDestroy(graph));
  for (int i = 0; i < 5; i++) {
    *in = 1000 * i;
    out[0] = out[1] = out[2] = -1;
    must(cudaGraphLaunch(exec, s));
    if (out[2] != -1) return 4;
    must(cudaStreamSynchronize(s));
    if (out[0] != 1000 * i || out[1] != 1000 * i + 10 || out[2] != 1000 * i + 20) return 5;
  }
  must(cudaGraphExecDestroy(exec));
  return 0;
}

/* What may not happen while a stream captures. */
static int capture_errors() {
  int *x = (int *)device_bytes(8), missing = 0, h = 0;
  void *p;
  cudaStream_t s, side, blocking;
  cudaEvent_t e;
  cudaGraph_t graph;
  must(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  must(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
  must(cudaStreamCreate(&blocking));
  must(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));
  for (int i = 0; i < 9; i++) {
    cudaStream_t c = i == 6 ? blocking : s;
    cudaError_t got = cudaSuccess, want = cudaErrorStreamCaptureUnsupported, at_end = cudaErrorStreamCaptureInvalidated;
    must(cudaEventRecord(e, side));
    must(cudaStreamBeginCapture(c, cudaStreamCaptureModeThreadLocal));
    switch (i) {
    case 0: got = cudaMalloc(&p, 4); break;
    case 1: got = cudaStreamSynchronize(s); break;
    case 2: got = cudaDeviceSynchronize(); break;
    case 3: got = cudaMemcpy(&h, x, 4, cudaMemcpyDeviceToHost); break;
    case 4: got = cudaStreamWaitEvent(s, e, 0), want = cudaErrorStreamCaptureIsolation; break;
    case 5: must(cudaEventRecord(e, s)), got = cudaEventSynchronize(e), want = cudaErrorCapturedEvent; break;
    case 6: got = cudaMemsetAsync(x, 0, 4, nullptr), want = cudaErrorStreamCaptureImplicit; break;
    case 7:
      must(cudaEventRecord(e, s));
      must(cudaStreamWaitEvent(side, e, 0));
      um_launch(fill, dim3(1), dim3(1), 0, side, x, 1);
      got = want = cudaSuccess, at_end = cudaErrorStreamCaptureUnjoined;
      break;
    default: got = cudaFree(x); break;
    }
    const cudaError_t ended = cudaStreamEndCapture(c, &graph);
    if (got != want || ended != at_end || graph) {
      fprintf(stderr, "%d: %s, %s\n", i, cudaGetErrorName(got), cudaGetErrorName(ended));
      missing++;
    }
  }
  cudaGetLastError();
  missing += cudaStreamEndCapture(s, &graph) != cudaErrorInvalidValue;
  um_launch(fill, dim3(1), dim3(2), 0, s, x, 3); /* and all is well again */
  must(cudaStreamSynchronize(s));
  return missing;
}

static void *allocates(void *out) {
  void *p;
  *(cudaError_t *)out = cudaMalloc(&p, 4);
  return nullptr;
}

/* A capture in thread-local mode leaves other threads alone; in global mode it does not. */
static int capture_threads() {
  cudaStream_t s;
  cudaGraph_t graph;
  must(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  for (int global = 0; global < 2; global++) {
    cudaError_t e = cudaErrorUnknown;
    pthread_t t;
    must(cudaStreamBeginCapture(s, global ? cudaStreamCaptureModeGlobal : cudaStreamCaptureModeThreadLocal));
    if (pthread_create(&t, nullptr, allocates, &e) || pthread_join(t, nullptr)) return 2;
    const cudaError_t ended = cudaStreamEndCapture(s, &graph);
    if ((e == cudaSuccess) == (global == 1) || (ended == cudaSuccess) == (global == 1)) return 1;
    if (graph) must(cudaGraphDestroy(graph));
  }
  return 0;
}

/* ---- memory ---- */

static int out_of_memory() {
  setenv("UM_CUDA_HOST_MEMORY", "1M", 1);
  void *a, *b;
  size_t available, total;
  if (cudaMalloc(&a, 600 << 10) != cudaSuccess || ((uintptr_t)a & 255)) return 1;
  if (cudaMalloc(&b, 600 << 10) != cudaErrorMemoryAllocation || b) return 2;
  if (cudaGetLastError() != cudaErrorMemoryAllocation || cudaGetLastError() != cudaSuccess) return 3;
  if (cudaMemGetInfo(&available, &total) != cudaSuccess || total != 1 << 20 || available != 424 << 10) return 4;
  if (cudaFree(a) != cudaSuccess || cudaMalloc(&b, 600 << 10) != cudaSuccess) return 5;
  if (cudaFree(a) != cudaErrorInvalidValue && a != b) return 6;
  return 0;
}

/* Fresh memory is NaN. */
static int poisoned() {
  float *p = (float *)device_bytes(400), h[100];
  must(cudaMemcpy(h, p, 400, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 100; i++)
    if (h[i] == h[i]) return 1;
  return 0;
}

static int bad_copies() {
  int *p = (int *)device_bytes(64), h[32];
  int missing = 0;
  missing += cudaMemcpy(h, p, 68, cudaMemcpyDeviceToHost) != cudaErrorInvalidValue;
  missing += cudaMemcpy(h, p, 64, cudaMemcpyHostToDevice) != cudaErrorInvalidValue;
  missing += cudaMemset(h, 0, 64) != cudaErrorInvalidValue;
  missing += cudaMemcpyAsync(p + 8, h, 36, cudaMemcpyHostToDevice, nullptr) != cudaErrorInvalidValue;
  missing += cudaMemcpy(h, p, 64, cudaMemcpyDefault) != cudaSuccess;
  return missing;
}

static const emu_case cases[] = {
    {"two streams", relay<true, true>, 0},
    {"a missing wait for what is made is caught", relay<false, true>, 1},
    {"a missing wait for what is taken is caught", relay<true, false>, 1},
    {"the host waits", host_side<false, false>, 0},
    {"the host reads too early", host_side<true, false>, 1},
    {"the host writes too early", host_side<false, true>, 1},
    {"pageable memory", pageable, 0},
    {"the legacy stream orders", legacy<cudaStreamDefault>, 0},
    {"the legacy stream does not order non-blocking ones", legacy<cudaStreamNonBlocking>, 1},
    {"capture and replay", capture_and_replay, 0},
    {"errors in captures", capture_errors, 0},
    {"captures and threads", capture_threads, 0},
    {"out of memory", out_of_memory, 0},
    {"fresh memory is NaN", poisoned, 0},
    {"copies that are refused", bad_copies, 0},
};

int main() { return run_cases(cases, sizeof cases / sizeof *cases); }
