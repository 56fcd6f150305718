/* The emulated device: a CUDA device made of one host thread, for testing kernels and the backend without a GPU.
 *
 * Kernels. A block's threads are fibers, each with a guarded stack of its own; blocks run one after another. A fiber runs until it comes
 * to a function that others must come to as well (um_emu_stop): the lanes of a warp meet in warp-wide functions, the warps of a block in
 * __syncthreads. Between two such meetings lanes and warps run in an order that the schedule chooses, each as far as it can; so what
 * needs a barrier and has none reads what is not there yet or what is overwritten already. Asynchronous copies into shared memory are
 * done either at once or as late as their wait; until then their destination is poisoned, and nobody may write there; a thread that
 * ends without having waited for its copies, and whoever misses a meeting, is an error.
 *
 * Memory. Shared memory has exactly the launch's bytes and ends at a guard page, each device allocation ends at one too; what is left of
 * a page before and after is watched. All of it starts as NaN (bytes 0xff). Out of range: the kernel fails with cudaErrorIllegalAddress
 * and a message. Outside of kernels and copies device memory is closed to the host (UM_CUDA_HOST_PROTECT=0 leaves it open).
 *
 * Queues. What is queued on a stream is kept and run only when the host waits for something; which runnable stream goes next is the
 * schedule's choice, so that a missing wait shows. Page-locked memory is read and written when the copy runs.
 *
 * Environment: UM_CUDA_HOST_SEED (schedule, default 1), UM_CUDA_HOST_MEMORY (bytes of the device; K, M, G), UM_CUDA_HOST_PROTECT,
 * UM_CUDA_HOST_RECORD (file to which a program adds, when it ends, a line a kernel: launches, name, whole name), UM_CUDA_HOST_SKIP
 * (FILE:LINE of a __syncthreads, __syncwarp or um_copy_wait that is then left out: mutate.sh). */
#ifndef UM_CUDA_HOST_EMU_H
#define UM_CUDA_HOST_EMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a thread can stop. From SYNCWARP on: with the other lanes of its warp alone. */
typedef enum um_emu_meeting {
  UM_EMU_RUNNING,
  UM_EMU_EXIT,
  UM_EMU_SYNCTHREADS,
  UM_EMU_SYNCTHREADS_OR,
  UM_EMU_SYNCWARP,
  UM_EMU_SHFL_XOR,
  UM_EMU_SHFL_DOWN,
  UM_EMU_SHFL,
  UM_EMU_SUM_FLOAT,
  UM_EMU_SUM_DOUBLE,
  UM_EMU_LDMATRIX,
  UM_EMU_LDMATRIX_TRANS,
  UM_EMU_MMA_BF16,
  UM_EMU_MMA_TF32,
  UM_EMU_MEETINGS
} um_emu_meeting;

/* An asynchronous copy that is not done yet. */
typedef struct um_emu_copy {
  unsigned char *shared;
  const unsigned char *global; /* NULL: zeros */
  uint64_t group;
} um_emu_copy;

typedef struct um_emu_thread {
  void *sp; /* of the fiber while it does not run */
  uint3 index;
  int number; /* in the block, in linear order */
  um_emu_meeting at;
  const char *file; /* the call at which it stops */
  int line;
  /* operands and results of the function in which it stops */
  void *d;
  const void *a, *b;
  union {
    float f;
    double f64;
    uint64_t u;
  } value;
  int argument;
  um_emu_copy *copies; /* in the order of their issue */
  int first_copy, n_copies, max_copies;
  uint64_t group; /* committed so far */
  unsigned char *stack;
  void *sanitizer; /* AddressSanitizer's own */
} um_emu_thread;

/* The thread that runs, and its block. */
extern um_emu_thread *um_emu_self;
extern uint3 um_emu_block;
extern dim3 um_emu_block_dim, um_emu_grid_dim;
extern unsigned char *um_emu_shared;

/* To the meeting; returns when all have come and what they came for is done. */
void um_emu_stop(um_emu_meeting m, const char *file, int line);
/* Whether this call (a barrier, or a wait for copies) is the one that UM_CUDA_HOST_SKIP leaves out. */
bool um_emu_skips_call(const char *file, int line);
extern int um_emu_skip_line; /* 0: none */
static inline bool um_emu_skips(const char *file, int line) { return line == um_emu_skip_line && um_emu_skips_call(file, line); }
void um_emu_copy16(void *shared, const void *global, bool there);
void um_emu_copy_wait(unsigned n);
/* Ends the kernel with cudaErrorLaunchFailure and this message. */
#ifdef __cplusplus
[[noreturn]] void um_emu_fail(const char *format, ...);
#else
_Noreturn void um_emu_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif

enum { UM_EMU_POINTERS = 24, UM_EMU_MAX_THREADS = 1024, UM_EMU_SHARED_OPT_IN = 232448, UM_EMU_SHARED_DEFAULT = 49152 };

/* A kernel with its arguments: run(arguments) calls it for the thread that um_emu_self is. */
typedef struct um_emu_launch {
  const void *kernel;
  void (*run)(const void *arguments);
  const void *arguments; /* copied */
  size_t bytes;
  const void *pointers[UM_EMU_POINTERS]; /* those among the arguments: must lie in memory that the device can reach */
  int n_pointers;
  dim3 grid, block;
  size_t shared;
} um_emu_launch;

/* Queues it; what is wrong with it is cudaGetLastError's. */
void um_emu_queue_launch(const um_emu_launch *launch, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
