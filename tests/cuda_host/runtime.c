/* The emulated device: what it says of itself, memory, attributes of kernels, launches. See emu.h. */
#include "queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

static const struct {
  cudaError_t e;
  const char *name, *words;
} ERRORS[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources", "too many resources requested for launch"},
    {cudaErrorMisalignedAddress, "cudaErrorMisalignedAddress", "misaligned address"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated", "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge", "operation would result in a merge of separate capture sequences"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched", "capture was not ended in the same stream as it began"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation", "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent", "operation not permitted on an event last recorded in a capturing stream"},
    {cudaErrorStreamCaptureWrongThread, "cudaErrorStreamCaptureWrongThread",
     "attempt to terminate a thread-local capture sequence from another thread"},
};

const char *cudaGetErrorName(cudaError_t error) {
  for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
    if (ERRORS[i].e == error) return ERRORS[i].name;
  return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error) {
  for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
    if (ERRORS[i].e == error) return ERRORS[i].words;
  return "unrecognized error code";
}

/* ---- the device ---- */

enum { MULTIPROCESSORS = 8, THREADS_PER_MULTIPROCESSOR = 2048, BLOCKS_PER_MULTIPROCESSOR = 32, SHARED_PER_MULTIPROCESSOR = 233472 };

static cudaError_t fail(cudaError_t e) {
  um_emu_lock();
  return um_emu_return(e);
}

cudaError_t cudaDriverGetVersion(int *version) {
  if (!version) return fail(cudaErrorInvalidValue);
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) { return cudaDriverGetVersion(version); }

/* UM_CUDA_HOST_DEVICES: 0 for a machine without one. */
cudaError_t cudaGetDeviceCount(int *count) {
  if (!count) return fail(cudaErrorInvalidValue);
  const char *text = getenv("UM_CUDA_HOST_DEVICES");
  *count = text && strcmp(text, "0") == 0 ? 0 : 1;
  return *count ? cudaSuccess : fail(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device) { return device == 0 ? um_emu_dead() : fail(cudaErrorInvalidDevice); }

cudaError_t cudaGetDevice(int *device) {
  if (!device) return fail(cudaErrorInvalidValue);
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device) {
  if (!prop || device) return fail(prop ? cudaErrorInvalidDevice : cudaErrorInvalidValue);
  *prop = (struct cudaDeviceProp){
      .name = "emulated device",
      .totalGlobalMem = um_emu_memory_total(),
      .sharedMemPerBlock = UM_EMU_SHARED_DEFAULT,
      .regsPerBlock = 65536,
      .warpSize = 32,
      .maxThreadsPerBlock = UM_EMU_MAX_THREADS,
      .maxThreadsDim = {1024, 1024, 64},
      .maxGridSize = {2147483647, 65535, 65535},
      .totalConstMem = 65536,
      .major = 9,
      .multiProcessorCount = MULTIPROCESSORS,
      .canMapHostMemory = 1,
      .concurrentKernels = 1,
      .asyncEngineCount = 2,
      .unifiedAddressing = 1,
      .memoryBusWidth = 5120,
      .l2CacheSize = 1 << 20,
      .maxThreadsPerMultiProcessor = THREADS_PER_MULTIPROCESSOR,
      .streamPrioritiesSupported = 1,
      .sharedMemPerMultiprocessor = SHARED_PER_MULTIPROCESSOR,
      .regsPerMultiprocessor = 65536,
      .sharedMemPerBlockOptin = UM_EMU_SHARED_OPT_IN,
      .maxBlocksPerMultiProcessor = BLOCKS_PER_MULTIPROCESSOR,
      .reservedSharedMemPerBlock = 1024,
  };
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attr, int device) {
  struct cudaDeviceProp p;
  if (!value) return fail(cudaErrorInvalidValue);
  const cudaError_t e = cudaGetDeviceProperties(&p, device);
  if (e) return e;
  switch (attr) {
  case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
  case cudaDevAttrMaxBlockDimX: *value = p.maxThreadsDim[0]; break;
  case cudaDevAttrMaxBlockDimY: *value = p.maxThreadsDim[1]; break;
  case cudaDevAttrMaxBlockDimZ: *value = p.maxThreadsDim[2]; break;
  case cudaDevAttrMaxGridDimX: *value = p.maxGridSize[0]; break;
  case cudaDevAttrMaxGridDimY: *value = p.maxGridSize[1]; break;
  case cudaDevAttrMaxGridDimZ: *value = p.maxGridSize[2]; break;
  case cudaDevAttrMaxSharedMemoryPerBlock: *value = (int)p.sharedMemPerBlock; break;
  case cudaDevAttrWarpSize: *value = p.warpSize; break;
  case cudaDevAttrMaxRegistersPerBlock: *value = p.regsPerBlock; break;
  case cudaDevAttrClockRate: *value = 1000000; break;
  case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
  case cudaDevAttrIntegrated: *value = p.integrated; break;
  case cudaDevAttrCanMapHostMemory: *value = p.canMapHostMemory; break;
  case cudaDevAttrConcurrentKernels: *value = p.concurrentKernels; break;
  case cudaDevAttrMemoryClockRate: *value = 1000000; break;
  case cudaDevAttrGlobalMemoryBusWidth: *value = p.memoryBusWidth; break;
  case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
  case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; break;
  case cudaDevAttrAsyncEngineCount: *value = p.asyncEngineCount; break;
  case cudaDevAttrUnifiedAddressing: *value = p.unifiedAddressing; break;
  case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
  case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
  case cudaDevAttrStreamPrioritiesSupported: *value = p.streamPrioritiesSupported; break;
  case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = (int)p.sharedMemPerMultiprocessor; break;
  case cudaDevAttrMaxRegistersPerMultiprocessor: *value = p.regsPerMultiprocessor; break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = (int)p.sharedMemPerBlockOptin; break;
  case cudaDevAttrMaxBlocksPerMultiprocessor: *value = p.maxBlocksPerMultiProcessor; break;
  case cudaDevAttrReservedSharedMemoryPerBlock: *value = (int)p.reservedSharedMemPerBlock; break;
  default: return fail(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *id, int len, int device) {
  if (!id || len < 13 || device) return fail(cudaErrorInvalidValue);
  snprintf(id, (size_t)len, "0000:00:00.0");
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return cudaSuccess;
}

/* ---- memory (what frees it and what copies is in queue.c) ---- */

static cudaError_t allocate(void **p, size_t size, bool device) {
  um_emu_lock();
  if (!p) return um_emu_return(cudaErrorInvalidValue);
  *p = NULL;
  cudaError_t e = um_emu_dead();
  if (!e) e = um_emu_unsafe();
  if (e || !size) return um_emu_return(e);
  um_emu_catch_faults();
  const um_emu_allocation *a = um_emu_allocate(size, device);
  if (!a) return um_emu_return(cudaErrorMemoryAllocation);
  *p = a->start;
  return um_emu_return(cudaSuccess);
}

cudaError_t cudaMalloc(void **p, size_t size) { return allocate(p, size, true); }
cudaError_t cudaMallocHost(void **p, size_t size) { return allocate(p, size, false); }

cudaError_t cudaHostAlloc(void **p, size_t size, unsigned int flags) {
  return flags > 7 ? fail(cudaErrorInvalidValue) : allocate(p, size, false);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  um_emu_lock();
  const size_t n = um_emu_memory_total(), used = um_emu_memory_used();
  if (available) *available = used < n ? n - used : 0;
  if (total) *total = n;
  return um_emu_return(um_emu_dead());
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *p) {
  um_emu_lock();
  if (!attributes) return um_emu_return(cudaErrorInvalidValue);
  const um_emu_allocation *a = um_emu_find(p, 1);
  *attributes = (struct cudaPointerAttributes){.device = -1};
  if (a) *attributes = (struct cudaPointerAttributes){.type = a->device ? cudaMemoryTypeDevice : cudaMemoryTypeHost};
  if (a) attributes->devicePointer = (void *)p;
  if (!a || !a->device) attributes->hostPointer = (void *)p;
  return um_emu_return(cudaSuccess);
}

/* ---- kernels ---- */

typedef struct limit {
  const void *kernel;
  int shared;
} limit;

static limit *limits;
static int n_limits;

static int shared_limit(const void *kernel) {
  for (int i = 0; i < n_limits; i++)
    if (limits[i].kernel == kernel) return limits[i].shared;
  return UM_EMU_SHARED_DEFAULT;
}

cudaError_t cudaFuncSetAttribute(const void *func, enum cudaFuncAttribute attr, int value) {
  um_emu_lock();
  if (!func) return um_emu_return(cudaErrorInvalidDeviceFunction);
  if (um_emu_dead()) return um_emu_return(um_emu_dead());
  if (attr == cudaFuncAttributePreferredSharedMemoryCarveout) return um_emu_return(cudaSuccess);
  if (attr != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || value > UM_EMU_SHARED_OPT_IN)
    return um_emu_return(cudaErrorInvalidValue);
  int i = 0;
  while (i < n_limits && limits[i].kernel != func) i++;
  if (i == n_limits) {
    limit *grown = (limit *)realloc(limits, (size_t)(n_limits + 1) * sizeof *grown);
    if (!grown) return um_emu_return(cudaErrorMemoryAllocation);
    limits = grown;
    n_limits++;
  }
  limits[i] = (limit){func, value};
  return um_emu_return(cudaSuccess);
}

/* By threads and shared memory; registers are not known here. */
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *func, int block_size, size_t shared) {
  if (!blocks || !func || block_size < 1 || block_size > UM_EMU_MAX_THREADS) return fail(cudaErrorInvalidValue);
  const int by_threads = THREADS_PER_MULTIPROCESSOR / ((block_size + 31) / 32 * 32),
            by_shared = (int)(SHARED_PER_MULTIPROCESSOR / (shared + 1024));
  *blocks = by_threads < by_shared ? by_threads : by_shared;
  if (*blocks > BLOCKS_PER_MULTIPROCESSOR) *blocks = BLOCKS_PER_MULTIPROCESSOR;
  return cudaSuccess;
}

static cudaError_t check(const um_emu_launch *l) {
  if (!l->kernel) return cudaErrorInvalidDeviceFunction;
  if (!l->grid.x || !l->grid.y || !l->grid.z || l->grid.x > 2147483647u || l->grid.y > 65535 || l->grid.z > 65535)
    return cudaErrorInvalidConfiguration;
  if (!l->block.x || !l->block.y || !l->block.z || l->block.x > 1024 || l->block.y > 1024 || l->block.z > 64 ||
      l->block.x * l->block.y * l->block.z > UM_EMU_MAX_THREADS)
    return cudaErrorInvalidConfiguration;
  if (l->shared > (size_t)shared_limit(l->kernel) && l->shared > UM_EMU_SHARED_DEFAULT) return cudaErrorInvalidValue;
  return l->bytes <= 4096 + 64 ? cudaSuccess : cudaErrorInvalidValue;
}

void um_emu_queue_launch(const um_emu_launch *l, cudaStream_t stream) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  cudaError_t e = s ? check(l) : cudaErrorInvalidResourceHandle;
  if (!e) {
    um_emu_op op = {.kind = UM_EMU_LAUNCH, .launch = *l, .owned = malloc(l->bytes + 1)};
    if (!op.owned) abort();
    memcpy(op.owned, l->arguments, l->bytes);
    op.launch.arguments = op.owned;
    e = um_emu_enqueue(s, &op);
  }
  um_emu_return(e);
}
