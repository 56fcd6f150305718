/* What the emulator's own files share. Everything here is called with the runtime's lock held (queue.c). */
#ifndef UM_CUDA_HOST_INTERNAL_H
#define UM_CUDA_HOST_INTERNAL_H

#include "emu.h"

/* ---- memory.c ---- */

typedef struct um_emu_allocation {
  struct um_emu_allocation *next;
  unsigned char *map; /* guard page, pages, guard page */
  size_t map_bytes;
  unsigned char *start; /* aligned to 256; start + bytes is up to 255 bytes before the guard page */
  size_t bytes;
  bool device; /* or page-locked memory of the host */
} um_emu_allocation;

size_t um_emu_memory_total(void);
size_t um_emu_memory_used(void);
um_emu_allocation *um_emu_allocate(size_t bytes, bool device); /* NULL: no memory */
bool um_emu_release(void *start, bool device);
void um_emu_release_all(void);
/* The allocation that has all of these bytes, or NULL. */
um_emu_allocation *um_emu_find(const void *p, size_t bytes);
/* Device memory open to reads and writes, or closed. */
void um_emu_memory_open(void);
void um_emu_memory_close(void);
/* Whether the bytes around every allocation are as they were; where not, says so to stderr and mends them. */
bool um_emu_memory_intact(const char *after);
/* What lies at an address, in words. */
void um_emu_describe(char *text, size_t size, const void *p);

/* ---- block.c ---- */

/* Runs every block of it. A failure was told to stderr. */
cudaError_t um_emu_run(const um_emu_launch *l);
/* Installs the handler of faults and gives this host thread a stack for it. */
void um_emu_catch_faults(void);
/* While copying on behalf of what; NULL: over. */
void um_emu_doing(const char *what);

/* The schedule's next number. */
uint64_t um_emu_random(void);
void um_emu_random_begin(uint64_t a, uint64_t b); /* a series of its own for (seed, a, b) */
uint64_t um_emu_seed(void);

/* ---- warp.c ---- */

/* What 32 lanes do together, for the meetings from SHFL_XOR on. */
void um_emu_meet(um_emu_thread *lanes, um_emu_meeting m);
/* Fails as that thread where [p, p + 16) is not shared memory of the block, aligned to 16. */
void um_emu_check_shared(um_emu_thread *t, const void *p, const char *what);

/* ---- record.c ---- */

/* The kernel's name with template arguments, without parameters: "conv_forward<float, 64>". Valid until the end. */
const char *um_emu_kernel_name(const void *kernel);
void um_emu_record(const void *kernel);

#endif
