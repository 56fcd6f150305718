/* cuda: a GPU through the CUDA runtime. Everything is queued on streams; the host meets them in download, wait and sum_squares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "cuda/cuda.h"

struct um_recording {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
};

int um_cuda_check(cudaError_t e, um_error *err, const char *what) {
  if (e == cudaSuccess) return UM_OK;
  cudaGetLastError(); /* it was taken note of */
  return um_fail(err, e == cudaErrorMemoryAllocation ? UM_ENOMEM : UM_EINTERNAL, "cuda: %s: %s (%s)", what, cudaGetErrorString(e),
                 cudaGetErrorName(e));
}

int um_cuda_launched(um_error *err, const char *kernel) { return um_cuda_check(cudaGetLastError(), err, kernel); }

static um_cuda *cuda_of(um_backend *be) { return (um_cuda *)be; }

/* ---- how long a queue works ---- */

static cudaError_t make_clock(um_cuda_clock *k) {
  cudaError_t e = cudaSuccess;
  for (int i = 0; i < UM_CUDA_SPANS && e == cudaSuccess; i++) {
    e = cudaEventCreateWithFlags(&k->begin[i], cudaEventDefault);
    if (e == cudaSuccess) e = cudaEventCreateWithFlags(&k->end[i], cudaEventDefault);
  }
  return e;
}

static void free_clock(um_cuda_clock *k) {
  for (int i = 0; i < UM_CUDA_SPANS; i++) {
    if (k->begin[i]) cudaEventDestroy(k->begin[i]);
    if (k->end[i]) cudaEventDestroy(k->end[i]);
  }
}

/* Of the spans that are done; waits for none. */
static cudaError_t count_spans(um_cuda_clock *k) {
  for (; k->counted != k->ended; k->counted++) {
    const unsigned i = k->counted % UM_CUDA_SPANS;
    float ms;
    const cudaError_t e = cudaEventElapsedTime(&ms, k->begin[i], k->end[i]);
    if (e != cudaSuccess) cudaGetLastError(); /* no later launch is to be blamed for it */
    if (e == cudaErrorNotReady) break;
    if (e != cudaSuccess) return e;
    k->seconds += (double)ms / 1e3;
  }
  return cudaSuccess;
}

/* Only where nobody asks for so long, and all of the spans are still under way, is the oldest given up. */
static cudaError_t span_begin(um_cuda_clock *k, cudaStream_t queue) {
  const cudaError_t e = k->ended - k->counted == UM_CUDA_SPANS ? count_spans(k) : cudaSuccess;
  if (e != cudaSuccess) return e;
  if (k->ended - k->counted == UM_CUDA_SPANS) k->counted++;
  return cudaEventRecord(k->begin[k->ended % UM_CUDA_SPANS], queue);
}

static cudaError_t span_end(um_cuda_clock *k, cudaStream_t queue) {
  const cudaError_t e = cudaEventRecord(k->end[k->ended % UM_CUDA_SPANS], queue);
  if (e == cudaSuccess) k->ended++;
  return e;
}

static int cuda_busy(um_backend *be, double *feed, double *use, um_error *err) {
  um_cuda *c = cuda_of(be);
  cudaError_t e = count_spans(&c->feeds);
  if (e == cudaSuccess) e = count_spans(&c->uses);
  *feed += c->feeds.seconds, *use += c->uses.seconds;
  c->feeds.seconds = c->uses.seconds = 0;
  return um_cuda_check(e, err, "times of the queues");
}

static void cuda_close(um_backend *be) {
  um_cuda *c = cuda_of(be);
  if (c->compute) cudaStreamSynchronize(c->compute);
  if (c->side) cudaStreamSynchronize(c->side);
  um_cuda_tuner_close(c);
  um_cudnn_close(c->cudnn);
  um_cublas_close(c->cublas);
  for (int s = 0; s < UM_CUDA_SLOTS; s++) {
    if (c->fed[s]) cudaEventDestroy(c->fed[s]);
    if (c->used[s]) cudaEventDestroy(c->used[s]);
  }
  free_clock(&c->feeds);
  free_clock(&c->uses);
  if (c->partials) cudaFree(c->partials);
  if (c->sum) cudaFreeHost(c->sum);
  if (c->side) cudaStreamDestroy(c->side);
  if (c->compute) cudaStreamDestroy(c->compute);
  free(c);
}

static void cuda_describe(const um_backend *be, char *text, size_t size) {
  const um_cuda *c = (const um_cuda *)be;
  const int n =
      snprintf(text, size, "cuda:%d, %s, compute capability %d.%d, %d multiprocessors, driver %d.%d, runtime %d.%d", c->device, c->name,
               c->major, c->minor, c->multiprocessors, c->driver / 1000, c->driver / 10 % 100, c->runtime / 1000, c->runtime / 10 % 100);
  if (n > 0 && (size_t)n < size && (c->cudnn || c->cublas))
    snprintf(text + n, size - (size_t)n, ", cuDNN %s, cuBLASLt %s", c->cudnn ? um_cudnn_version(c->cudnn) : "none",
             c->cublas ? um_cublas_version(c->cublas) : "none");
}

static size_t cuda_memory_free(const um_backend *be) {
  size_t available = 0, total = 0;
  (void)be;
  const size_t reserve = (size_t)128 << 20; /* for kernels, recordings and the libraries' own */
  if (cudaMemGetInfo(&available, &total) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return available > reserve ? available - reserve : 1;
}

/* Every GPU that our kernels are built for (from sm_80 on) has all three. */
static bool cuda_precision(const um_backend *be, um_precision precision, um_dtype *activations) {
  (void)be;
  *activations = precision == UM_PRECISION_BF16 ? UM_BF16 : UM_F32;
  return true;
}

static int cuda_alloc(um_backend *be, void **out, size_t bytes, um_error *err) {
  const cudaError_t e = cudaMalloc(out, bytes ? bytes : 1);
  if (e == cudaSuccess) return UM_OK;
  *out = NULL;
  cudaGetLastError();
  if (e != cudaErrorMemoryAllocation) return um_cuda_check(e, err, "cudaMalloc");
  return um_fail(err, UM_ENOMEM, "cuda: no memory for %zu bytes, %zu are free", bytes, cuda_memory_free(be));
}

static void cuda_free(um_backend *be, void *p) {
  (void)be;
  if (p && cudaFree(p) != cudaSuccess) cudaGetLastError();
}

static int cuda_host_alloc(um_backend *be, void **out, size_t bytes, um_error *err) {
  (void)be;
  *out = NULL;
  return um_cuda_check(cudaMallocHost(out, bytes ? bytes : 1), err, "page-locked memory");
}

static void cuda_host_free(um_backend *be, void *p) {
  (void)be;
  if (p && cudaFreeHost(p) != cudaSuccess) cudaGetLastError();
}

/* In a feed the copy goes on by itself; elsewhere it is waited for. */
static int cuda_upload(um_backend *be, void *device, const void *host, size_t bytes, um_error *err) {
  um_cuda *c = cuda_of(be);
  cudaError_t e = cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, c->queue);
  if (e == cudaSuccess && c->queue == c->compute) e = cudaStreamSynchronize(c->compute);
  return um_cuda_check(e, err, "upload");
}

static int cuda_download(um_backend *be, void *host, const void *device, size_t bytes, um_error *err) {
  um_cuda *c = cuda_of(be);
  cudaError_t e = cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, c->compute);
  if (e == cudaSuccess) e = cudaStreamSynchronize(c->compute);
  return um_cuda_check(e, err, "download");
}

static int cuda_zero(um_backend *be, void *device, size_t bytes, um_error *err) {
  return um_cuda_check(cudaMemsetAsync(device, 0, bytes, cuda_of(be)->queue), err, "zero");
}

/* ---- queues ---- */

static int cuda_feed_begin(um_backend *be, int slot, um_error *err) {
  um_cuda *c = cuda_of(be);
  cudaError_t e = cudaStreamWaitEvent(c->side, c->used[slot], 0);
  if (e == cudaSuccess) e = span_begin(&c->feeds, c->side);
  if (e == cudaSuccess) c->queue = c->side;
  return um_cuda_check(e, err, "feed");
}

static int cuda_feed_end(um_backend *be, int slot, um_error *err) {
  um_cuda *c = cuda_of(be);
  c->queue = c->compute;
  cudaError_t e = span_end(&c->feeds, c->side);
  if (e == cudaSuccess) e = cudaEventRecord(c->fed[slot], c->side);
  return um_cuda_check(e, err, "feed");
}

static int cuda_feed_wait(um_backend *be, int slot, um_error *err) {
  return um_cuda_check(cudaEventSynchronize(cuda_of(be)->fed[slot]), err, "feed");
}

static int cuda_use_begin(um_backend *be, int slot, um_error *err) {
  um_cuda *c = cuda_of(be);
  cudaError_t e = cudaStreamWaitEvent(c->compute, c->fed[slot], 0);
  if (e == cudaSuccess) e = span_begin(&c->uses, c->compute);
  return um_cuda_check(e, err, "step");
}

static int cuda_use_end(um_backend *be, int slot, um_error *err) {
  um_cuda *c = cuda_of(be);
  cudaError_t e = span_end(&c->uses, c->compute);
  if (e == cudaSuccess) e = cudaEventRecord(c->used[slot], c->compute);
  return um_cuda_check(e, err, "step");
}

static int cuda_record_begin(um_backend *be, um_error *err) {
  um_cuda *c = cuda_of(be);
  const int status = um_cuda_check(cudaStreamBeginCapture(c->compute, cudaStreamCaptureModeThreadLocal), err, "recording a step");
  c->recording = status == UM_OK;
  return status;
}

static void cuda_recording_free(um_backend *be, um_recording *r) {
  (void)be;
  if (!r) return;
  if (r->exec) cudaGraphExecDestroy(r->exec);
  if (r->graph) cudaGraphDestroy(r->graph);
  free(r);
}

static int cuda_record_end(um_backend *be, um_recording **out, um_error *err) {
  um_cuda *c = cuda_of(be);
  um_recording *r = calloc(1, sizeof *r);
  cudaGraph_t graph = NULL;
  cudaError_t e = cudaStreamEndCapture(c->compute, &graph);
  c->recording = false;
  *out = NULL;
  if (r) r->graph = graph;
  if (e == cudaSuccess && r) e = cudaGraphInstantiate(&r->exec, graph, 0);
  if (e == cudaSuccess && r) {
    *out = r;
    return UM_OK;
  }
  if (!r && graph) cudaGraphDestroy(graph);
  cuda_recording_free(be, r);
  return r ? um_cuda_check(e, err, "recording a step") : um_fail(err, UM_ENOMEM, "cuda: no memory for a recording");
}

static int cuda_replay(um_backend *be, um_recording *r, um_error *err) {
  return um_cuda_check(cudaGraphLaunch(r->exec, cuda_of(be)->compute), err, "replaying a step");
}

static int cuda_wait(um_backend *be, um_error *err) {
  um_cuda *c = cuda_of(be);
  const int status = um_cuda_check(cudaStreamSynchronize(c->side), err, "feed");
  return status == UM_OK ? um_cuda_check(cudaStreamSynchronize(c->compute), err, "step") : status;
}

/* ---- plans ---- */

static void plan_prelu(um_cuda_op *op) {
  const um_op_desc *d = &op->base.desc;
  const int64_t channels = d->y.dim[d->y.ndim - 1];
  op->base.w = um_tensor_plain(UM_F32, 1, &channels);
  if (d->passes & UM_PASS_BACKWARD_WEIGHTS)
    op->base.scratch_bytes = um_cuda_bias_scratch(cuda_of(op->base.backend), um_tensor_count(&d->y) / channels, (int)channels);
}

static int cuda_plan(um_backend *be, const um_op_desc *d, um_op **out, um_error *err) {
  const um_dtype type = d->precision == UM_PRECISION_BF16 ? UM_BF16 : UM_F32;
  int status = UM_OK;
  *out = NULL;
  if (d->algorithm == UM_ALGO_WINOGRAD && d->kind == UM_OP_CONV2D)
    return um_fail(err, UM_EUNSUPPORTED, "cuda: conv2d: no Winograd here; model.convolution is \"auto\" or \"direct\" on a GPU");
  um_cuda_op *op = calloc(1, sizeof *op);
  if (!op) return um_fail(err, UM_ENOMEM, "cuda: no memory for an op");
  op->base.backend = be;
  op->base.desc = *d;
  op->base.compute = UM_F32;
  for (int i = 0; i < d->n_inputs; i++) op->base.x[i] = um_tensor_plain(type, d->x[i].ndim, d->x[i].dim);
  op->base.y = um_tensor_plain(type, d->y.ndim, d->y.dim);
  const um_engine engine = cuda_of(be)->engine;
  if (d->sizes_only) cuda_of(be)->engine = UM_ENGINE_NATIVE;
  switch (d->kind) {
  case UM_OP_CONV2D: status = um_cuda_plan_conv(op, err); break;
  case UM_OP_DENSE: status = um_cuda_plan_dense(op, err); break;
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL:
  case UM_OP_GLOBAL_AVG_POOL: status = um_cuda_plan_pool(op, err); break;
  case UM_OP_PRELU: plan_prelu(op); break;
  default: break;
  }
  cuda_of(be)->engine = engine;
  if (status != UM_OK) {
    be->ops->plan_free(&op->base);
    return status;
  }
  *out = &op->base;
  return UM_OK;
}

static void cuda_plan_free(um_op *base) {
  um_cuda_op *op = (um_cuda_op *)base;
  if (!op) return;
  for (int p = 0; p < UM_CONV_PASSES; p++)
    if (op->way[p].plan) op->way[p].free_plan(op->way[p].plan);
  free(op);
}

static const um_ops table = {
    .name = "cuda",
    .close = cuda_close,
    .describe = cuda_describe,
    .memory_free = cuda_memory_free,
    .precision = cuda_precision,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .upload = cuda_upload,
    .download = cuda_download,
    .zero = cuda_zero,
    .host_alloc = cuda_host_alloc,
    .host_free = cuda_host_free,
    .feed_begin = cuda_feed_begin,
    .feed_end = cuda_feed_end,
    .feed_wait = cuda_feed_wait,
    .use_begin = cuda_use_begin,
    .use_end = cuda_use_end,
    .record_begin = cuda_record_begin,
    .record_end = cuda_record_end,
    .replay = cuda_replay,
    .recording_free = cuda_recording_free,
    .wait = cuda_wait,
    .busy = cuda_busy,
    .reorder = um_cuda_reorder,
    .plan = cuda_plan,
    .plan_free = cuda_plan_free,
    .conv2d_forward = um_cuda_conv_forward,
    .conv2d_backward_data = um_cuda_conv_backward_data,
    .conv2d_backward_weights = um_cuda_conv_backward_weights,
    .dense_forward = um_cuda_dense_forward,
    .dense_backward_data = um_cuda_dense_backward_data,
    .dense_backward_weights = um_cuda_dense_backward_weights,
    .pool_forward = um_cuda_pool_forward,
    .pool_backward = um_cuda_pool_backward,
    .activation_forward = um_cuda_activation_forward,
    .activation_backward = um_cuda_activation_backward,
    .prelu_forward = um_cuda_prelu_forward,
    .prelu_backward_data = um_cuda_prelu_backward_data,
    .prelu_backward_weights = um_cuda_prelu_backward_weights,
    .dropout = um_cuda_dropout,
    .add_forward = um_cuda_add_forward,
    .concat_forward = um_cuda_concat_forward,
    .concat_backward = um_cuda_concat_backward,
    .accumulate = um_cuda_accumulate,
    .warp = um_cuda_warp,
    .bce_logits = um_cuda_bce_logits,
    .optimizer_step = um_cuda_optimizer_step,
    .sum_squares = um_cuda_sum_squares,
};

/* ---- opening ---- */

static int device_number(int *number, const char *device, um_error *err) {
  char *end = NULL;
  *number = 0;
  if (strcmp(device, "cuda") == 0) return UM_OK;
  const long n = strncmp(device, "cuda:", 5) == 0 ? strtol(device + 5, &end, 10) : -1;
  if (n < 0 || n > 1023 || end == device + 5 || *end)
    return um_fail(err, UM_ECONFIG, "device \"%s\": expected cuda or cuda:N, N counting from 0", device);
  *number = (int)n;
  return UM_OK;
}

static int attribute(int *value, enum cudaDeviceAttr what, int device, int status, um_error *err) {
  return status == UM_OK ? um_cuda_check(cudaDeviceGetAttribute(value, what, device), err, "asking the device") : status;
}

static int look_at_device(um_cuda *c, um_error *err) {
  struct cudaDeviceProp properties;
  int count = 0, shared = 0, status;
  const cudaError_t e = cudaGetDeviceCount(&count);
  if (e != cudaSuccess || count == 0) {
    cudaGetLastError();
    return um_fail(err, UM_EUNSUPPORTED, "cuda: no GPU to be had: %s", e == cudaSuccess ? "none was found" : cudaGetErrorString(e));
  }
  if (c->device >= count)
    return um_fail(err, UM_EUNSUPPORTED, "device \"cuda:%d\": there %s %d GPU%s here, counted from 0", c->device, count == 1 ? "is" : "are",
                   count, count == 1 ? "" : "s");
  if ((status = um_cuda_check(cudaSetDevice(c->device), err, "taking the device")) != UM_OK) return status;
  if ((status = um_cuda_check(cudaGetDeviceProperties(&properties, c->device), err, "asking the device")) != UM_OK) return status;
  snprintf(c->name, sizeof c->name, "%s", properties.name);
  status = attribute(&c->major, cudaDevAttrComputeCapabilityMajor, c->device, status, err);
  status = attribute(&c->minor, cudaDevAttrComputeCapabilityMinor, c->device, status, err);
  status = attribute(&c->multiprocessors, cudaDevAttrMultiProcessorCount, c->device, status, err);
  status = attribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, c->device, status, err);
  c->shared_limit = (size_t)shared;
  if (status != UM_OK) return status;
  if (c->major < 8)
    return um_fail(err, UM_EUNSUPPORTED, "cuda: %s has compute capability %d.%d, expected 8.0 or newer; take --device cpu", c->name,
                   c->major, c->minor);
  if (cudaDriverGetVersion(&c->driver) != cudaSuccess || cudaRuntimeGetVersion(&c->runtime) != cudaSuccess)
    return um_cuda_check(cudaGetLastError(), err, "asking for versions");
  return UM_OK;
}

static int make_queues(um_cuda *c, um_error *err) {
  cudaError_t e = cudaStreamCreateWithFlags(&c->compute, cudaStreamNonBlocking);
  if (e == cudaSuccess) e = cudaStreamCreateWithFlags(&c->side, cudaStreamNonBlocking);
  for (int s = 0; s < UM_CUDA_SLOTS && e == cudaSuccess; s++) {
    e = cudaEventCreateWithFlags(&c->fed[s], cudaEventDisableTiming);
    if (e == cudaSuccess) e = cudaEventCreateWithFlags(&c->used[s], cudaEventDisableTiming);
  }
  if (e == cudaSuccess) e = make_clock(&c->feeds);
  if (e == cudaSuccess) e = make_clock(&c->uses);
  if (e == cudaSuccess) e = cudaMalloc((void **)&c->partials, UM_CUDA_PARTIALS * sizeof *c->partials);
  if (e == cudaSuccess) e = cudaMallocHost((void **)&c->sum, sizeof *c->sum);
  c->queue = c->compute;
  return um_cuda_check(e, err, "making streams");
}

/* The vendor's libraries, where they are wanted. That they are missing is only said where somebody asked for them. */
static int open_libraries(um_cuda *c, um_error *err) {
  char why[256] = "";
  if (c->engine == UM_ENGINE_NATIVE) return UM_OK;
  c->cudnn = um_cudnn_open(c, why, sizeof why);
  if (!c->cudnn && c->engine == UM_ENGINE_CUDNN)
    return um_fail(err, UM_EUNSUPPORTED, "engine: \"cudnn\": cuDNN cannot be had: %s; take \"native\" or \"auto\"", why);
  if (!c->cudnn) um_log_once(UM_LOG_INFO, "without cuDNN: %s", why);
  c->cublas = um_cublas_open(c, why, sizeof why);
  if (!c->cublas) um_log_once(UM_LOG_INFO, "without cuBLASLt: %s", why);
  return UM_OK;
}

int um_cuda_open(um_backend **out, const um_backend_options *o, um_error *err) {
  int status;
  um_cuda *c = calloc(1, sizeof *c);
  *out = NULL;
  if (!c) return um_fail(err, UM_ENOMEM, "cuda: no memory for the backend");
  c->base.ops = &table;
  c->base.threads = 1;
  c->engine = o->engine;
  c->verbose = o->verbose;
  c->workspace_limit = o->workspace_limit ? o->workspace_limit : (size_t)512 << 20;
  status = device_number(&c->device, o->device, err);
  if (status == UM_OK) status = look_at_device(c, err);
  if (status == UM_OK) status = make_queues(c, err);
  if (status == UM_OK) status = open_libraries(c, err);
  if (status == UM_OK) status = um_cuda_tuner_open(c, o, err);
  if (status != UM_OK) {
    cuda_close(&c->base);
    return status;
  }
  *out = &c->base;
  return UM_OK;
}
