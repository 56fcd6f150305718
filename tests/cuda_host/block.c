/* The emulated device: a launch, its blocks, their threads as fibers. See emu.h. */
#include "internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
enum { STACK = 256 * 1024 };
#else
enum { STACK = 64 * 1024 };
#endif

enum {
  GUARD = 4096,
  WARP = 32,
  MAX_WARPS = UM_EMU_MAX_THREADS / WARP,
  SHARED_MAP = (UM_EMU_SHARED_OPT_IN + 8191) / 4096 * 4096,
  WATCHED = 256
};

um_emu_thread *um_emu_self;
uint3 um_emu_block;
dim3 um_emu_block_dim, um_emu_grid_dim;
unsigned char *um_emu_shared;

static um_emu_thread threads[UM_EMU_MAX_THREADS];
static um_emu_thread host; /* where run_block goes on */

/* The launch that runs, and how far its block is. */
static const um_emu_launch *current;
static int n_threads, n_warps;
static unsigned char *shared_end;
static int warp_order[MAX_WARPS], warp_at; /* this phase: from one __syncthreads to the next */
static um_emu_meeting parked[MAX_WARPS];
/* The segment of a warp: from one warp-wide function to the next. */
static um_emu_thread *lanes;
static int n_lanes, lane_at;
static unsigned lane_step, lane_first;
static bool mixed;
static cudaError_t failure;

static _Thread_local volatile sig_atomic_t in_kernel;
static _Thread_local const char *volatile doing;

/* ---- the schedule ---- */

static uint64_t random_state = 1;

uint64_t um_emu_seed(void) {
  static bool known;
  static uint64_t seed = 1;
  if (!known) {
    const char *text = getenv("UM_CUDA_HOST_SEED");
    if (text && *text) seed = strtoull(text, NULL, 10);
    known = true;
  }
  return seed;
}

static uint64_t mix(uint64_t v) { /* splitmix64's */
  v += 0x9e3779b97f4a7c15u;
  v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
  v = (v ^ v >> 27) * 0x94d049bb133111ebu;
  return v ^ v >> 31;
}

void um_emu_random_begin(uint64_t a, uint64_t b) { random_state = mix(mix(mix(um_emu_seed()) ^ a) ^ b) | 1; }

uint64_t um_emu_random(void) { /* xorshift64* */
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * 0x2545f4914f6cdd1du >> 16;
}

/* ---- a call left out ---- */

int um_emu_skip_line;
static char skip_file[200];
static uint64_t skipped;

bool um_emu_skips_call(const char *file, int line) {
  const size_t n = strlen(file), m = strlen(skip_file);
  const bool skips = line == um_emu_skip_line && n >= m && strcmp(file + n - m, skip_file) == 0 && (n == m || file[n - m - 1] == '/');
  skipped += skips;
  return skips;
}

static void tell_skipped(void) {
  fprintf(stderr, "cuda_host: %s:%d was left out %" PRIu64 " times\n", skip_file, um_emu_skip_line, skipped);
}

static void begin_skipping(void) {
  static bool known;
  if (known) return;
  known = true;
  const char *text = getenv("UM_CUDA_HOST_SKIP"), *colon = text ? strrchr(text, ':') : NULL;
  if (!colon || (size_t)(colon - text) >= sizeof skip_file) return;
  memcpy(skip_file, text, (size_t)(colon - text));
  um_emu_skip_line = atoi(colon + 1);
  atexit(tell_skipped);
}

/* ---- fibers ---- */

static void fiber(void);

#if defined(__x86_64__) && !defined(UM_EMU_UCONTEXT)

/* Saves what a function must leave as it was and goes on where the other stack stopped. */
void um_emu_switch(void **from, void *to);
__asm__(".text\n.globl um_emu_switch\n.type um_emu_switch, @function\num_emu_switch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
        ".size um_emu_switch, . - um_emu_switch\n");

static void prepare(um_emu_thread *t, unsigned char *top) {
  void **sp = (void **)((uintptr_t)top & ~(uintptr_t)15);
  *--sp = NULL; /* the address that fiber() would return to: the stack is aligned as after a call */
  *--sp = (void *)(uintptr_t)fiber;
  for (int i = 0; i < 6; i++) *--sp = NULL;
  t->sp = sp;
}

#else

static void prepare(um_emu_thread *t, unsigned char *top) {
  static ucontext_t contexts[UM_EMU_MAX_THREADS + 1];
  ucontext_t *c = &contexts[t->number];
  getcontext(c);
  c->uc_stack.ss_sp = t->stack;
  c->uc_stack.ss_size = (size_t)(top - t->stack);
  makecontext(c, fiber, 0);
  t->sp = c;
  host.sp = &contexts[UM_EMU_MAX_THREADS];
}

static void um_emu_switch(void **from, void *to) { swapcontext((ucontext_t *)*from, (ucontext_t *)to); }

#endif

/* AddressSanitizer is told of the ways to the fibers and back to the host, not from fiber to fiber, which it would make ten times slower:
 * it takes all of them for the first one. That matters to its search for uses after return (off by default) alone. */
#if defined(__SANITIZE_ADDRESS__)
static const void *host_bottom;
static size_t host_size;
static bool crossing;
#endif

static void switch_to(um_emu_thread *from, um_emu_thread *to) {
  um_emu_self = to;
#if defined(__SANITIZE_ADDRESS__)
  crossing = from == &host || to == &host;
  if (crossing)
    __sanitizer_start_switch_fiber(&from->sanitizer, to == &host ? host_bottom : to->stack, to == &host ? host_size : (size_t)STACK);
#endif
  um_emu_switch(&from->sp, to->sp);
#if defined(__SANITIZE_ADDRESS__)
  if (crossing) __sanitizer_finish_switch_fiber(from->sanitizer, NULL, NULL);
#endif
}

static void fiber(void) {
#if defined(__SANITIZE_ADDRESS__)
  const void *bottom;
  size_t size;
  if (crossing) {
    __sanitizer_finish_switch_fiber(NULL, &bottom, &size);
    host_bottom = bottom, host_size = size; /* the first fiber of a launch is entered from the host's stack */
  }
#endif
  for (;;) { /* once a block */
    current->run(current->arguments);
    if (um_emu_self->n_copies) um_emu_fail("ends before %d of its um_copy16 have come", um_emu_self->n_copies);
    um_emu_stop(UM_EMU_EXIT, NULL, 0);
  }
}

/* Stacks, each below a guard page; they start at different offsets so that equal frames do not fall into equal cache sets. */
static bool prepare_threads(dim3 dim) {
  static unsigned char *stacks;
  const size_t slot = STACK + GUARD;
  if (!stacks) {
    stacks = mmap(NULL, UM_EMU_MAX_THREADS * slot, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) {
      stacks = NULL;
      return false;
    }
    for (size_t i = 0; i < UM_EMU_MAX_THREADS; i++)
      if (mprotect(stacks + i * slot + GUARD, STACK, PROT_READ | PROT_WRITE)) return false;
  }
  int i = 0;
  for (unsigned z = 0; z < dim.z; z++)
    for (unsigned y = 0; y < dim.y; y++)
      for (unsigned x = 0; x < dim.x; x++, i++) {
        um_emu_thread *t = &threads[i];
        t->index = (uint3){x, y, z};
        t->number = i;
        t->stack = stacks + (size_t)i * slot + GUARD;
        t->sanitizer = NULL;
#if defined(__SANITIZE_ADDRESS__)
        ASAN_UNPOISON_MEMORY_REGION(t->stack, STACK);
#endif
        prepare(t, t->stack + STACK - (size_t)(i % 61) * 320);
      }
  return true;
}

/* ---- failures ---- */

static const char *const MEETING[UM_EMU_MEETINGS] = {
    "nothing",     "the kernel's end", "__syncthreads", "__syncthreads_or", "__syncwarp",        "__shfl_xor_sync", "__shfl_down_sync",
    "__shfl_sync", "um_warp_sum",      "um_warp_sum",   "um_ldmatrix",      "um_ldmatrix_trans", "um_mma_bf16",     "um_mma_tf32"};

/* Tells it and leaves all fibers of the block where they are. */
_Noreturn static void end_launch(cudaError_t e, const char *text) {
  const uint3 t = um_emu_self->index, b = um_emu_block;
  fprintf(stderr, "cuda_host: %s: block (%u,%u,%u) thread (%u,%u,%u): %s (seed %" PRIu64 ")\n", um_emu_kernel_name(current->kernel), b.x,
          b.y, b.z, t.x, t.y, t.z, text, um_emu_seed());
  failure = e;
  in_kernel = 0;
  switch_to(um_emu_self, &host);
  abort();
}

void um_emu_fail(const char *format, ...) {
  char text[400];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  end_launch(cudaErrorLaunchFailure, text);
}

static void place(char *text, size_t size, const um_emu_thread *t) {
  if (t->file)
    snprintf(text, size, "%s (%s:%d)", MEETING[t->at], t->file, t->line);
  else
    snprintf(text, size, "%s", MEETING[t->at]);
}

/* Not all came to the same place. The first thread of each kind is named. */
static void fail_apart(const um_emu_thread *first, int n, const char *who) {
  const um_emu_thread *a = first, *b = first;
  char here[120], there[120];
  while (b < first + n && b->at == a->at) b++;
  um_emu_self = (um_emu_thread *)a;
  place(here, sizeof here, a);
  place(there, sizeof there, b);
  um_emu_fail("is at %s, but thread (%u,%u,%u) of the same %s is at %s", here, b->index.x, b->index.y, b->index.z, who, there);
}

void um_emu_doing(const char *what) { doing = what; }

static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
static struct sigaction before[sizeof FAULTS / sizeof *FAULTS];

static void on_fault(int number, siginfo_t *info, void *context) {
  char where[200], text[300];
  const char *how = "touches";
#if defined(__x86_64__)
  if (number == SIGSEGV) how = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & 2 ? "writes to" : "reads";
#endif
  (void)context;
  const bool trapped = number == SIGILL || number == SIGTRAP || (number == SIGSEGV && info->si_code == SI_KERNEL);
  if (trapped) /* -fsanitize=alignment's trap, or the processor's own for a vector */
    snprintf(text, sizeof text, "uses a misaligned address");
  else {
    um_emu_describe(where, sizeof where, info->si_addr);
    const unsigned char *p = (const unsigned char *)info->si_addr;
    if (in_kernel && shared_end && p >= shared_end - SHARED_MAP - GUARD && p < shared_end + GUARD)
      snprintf(where, sizeof where, "outside of the %zu bytes of shared memory (offset %td)", current->shared, p - um_emu_shared);
    if (in_kernel && um_emu_self->stack && p < um_emu_self->stack && p >= um_emu_self->stack - GUARD)
      snprintf(where, sizeof where, "below its stack of %d bytes", (int)STACK);
    snprintf(text, sizeof text, "%s %p, %s", how, info->si_addr, where);
  }
  if (in_kernel) end_launch(trapped ? cudaErrorMisalignedAddress : cudaErrorIllegalAddress, text);
  fprintf(stderr, "cuda_host: %s %s\n", doing ? doing : "the host (outside of kernels and copies)", text);
  for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++)
    if (FAULTS[i] == number) sigaction(number, &before[i], NULL); /* the instruction is run again, and ends as it would have */
}

/* Again and again: test programs put handlers of their own in its place. */
void um_emu_catch_faults(void) {
  static _Thread_local bool stacked;
  if (!stacked) { /* a fiber's own stack may be what is used up */
    stack_t s = {.ss_size = 64 * 1024};
    s.ss_sp = mmap(NULL, s.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s.ss_sp != MAP_FAILED) sigaltstack(&s, NULL);
    stacked = true;
  }
  struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  sigemptyset(&a.sa_mask);
  for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
    struct sigaction old;
    sigaction(FAULTS[i], &a, &old);
    if (!(old.sa_flags & SA_SIGINFO) || old.sa_sigaction != on_fault) before[i] = old;
  }
}

/* ---- asynchronous copies ---- */

void um_emu_check_shared(um_emu_thread *t, const void *p, const char *what) {
  const unsigned char *s = (const unsigned char *)p;
  if (s < um_emu_shared || s + 16 > um_emu_shared + current->shared) {
    um_emu_self = t;
    um_emu_fail("%s at offset %td of %zu bytes of shared memory", what, s - um_emu_shared, current->shared);
  }
  if ((uintptr_t)s % 16) {
    um_emu_self = t;
    um_emu_fail("%s at offset %td of shared memory, which is not aligned to 16", what, s - um_emu_shared);
  }
}

static bool still_poison(const unsigned char *p, const unsigned char *end) {
  while (p < end && *p == 0xff) p++;
  return p == end;
}

static void do_copy(const um_emu_copy *c) {
  if (c->global)
    memcpy(c->shared, c->global, 16);
  else
    memset(c->shared, 0, 16);
}

/* A late copy. Nobody may have written to its destination meanwhile. */
static void land(um_emu_thread *t) {
  const um_emu_copy *c = &t->copies[t->first_copy++];
  t->n_copies--;
  if (!still_poison(c->shared, c->shared + 16))
    um_emu_fail("shared memory at offset %td was written to while um_copy16 was on its way there", c->shared - um_emu_shared);
  do_copy(c);
}

void um_emu_copy16(void *shared, const void *global, bool there) {
  um_emu_thread *t = um_emu_self;
  um_emu_check_shared(t, shared, "um_copy16");
  if ((uintptr_t)global % 16) um_emu_fail("um_copy16 from %p, which is not aligned to 16", global);
  (void)*(const volatile unsigned char *)global; /* must be readable even where it is not `there` */
  const um_emu_copy c = {(unsigned char *)shared, there ? (const unsigned char *)global : NULL, t->group};
  if ((um_emu_random() & 3) == 0) {
    do_copy(&c);
    return;
  }
  memset(shared, 0xff, 16);
  if (t->first_copy + t->n_copies == t->max_copies) {
    if (t->first_copy) memmove(t->copies, t->copies + t->first_copy, (size_t)t->n_copies * sizeof *t->copies);
    t->first_copy = 0;
    if (t->n_copies >= t->max_copies / 2) {
      t->max_copies = t->max_copies ? t->max_copies * 2 : 64;
      t->copies = (um_emu_copy *)realloc(t->copies, (size_t)t->max_copies * sizeof *t->copies);
      if (!t->copies) abort();
    }
  }
  t->copies[t->first_copy + t->n_copies++] = c;
}

void um_emu_copy_wait(unsigned n) {
  um_emu_thread *t = um_emu_self;
  while (t->n_copies && t->copies[t->first_copy].group + n < t->group) land(t);
  if (!t->n_copies) t->first_copy = 0;
}

/* ---- meetings ---- */

/* A third each: lanes forward, backward, in a random stride. */
static um_emu_thread *begin_segment(int warp) {
  const uint64_t r = um_emu_random();
  lanes = threads + warp * WARP;
  n_lanes = n_threads - warp * WARP < WARP ? n_threads - warp * WARP : WARP;
  lane_at = 0;
  mixed = false;
  const unsigned how = (unsigned)(r % 3);
  lane_first = how == 0 ? 0 : how == 1 ? (unsigned)n_lanes - 1 : (unsigned)(r >> 8) % (unsigned)n_lanes;
  lane_step = how == 0 ? 1 : how == 1 ? (unsigned)n_lanes - 1 : n_lanes == WARP ? (unsigned)(r >> 16) | 1 : 1;
  return &lanes[lane_first];
}

static um_emu_thread *begin_phase(void) {
  const uint64_t r = um_emu_random();
  for (int w = 0; w < n_warps; w++) warp_order[w] = r % 3 == 1 ? n_warps - 1 - w : w;
  if (r % 3 == 2)
    for (int w = n_warps - 1; w > 0; w--) {
      const int o = (int)(um_emu_random() % (unsigned)(w + 1)), t = warp_order[w];
      warp_order[w] = warp_order[o];
      warp_order[o] = t;
    }
  warp_at = 0;
  return begin_segment(warp_order[0]);
}

/* All warps stand at a barrier or at the end. */
static um_emu_thread *end_phase(void) {
  for (int w = 1; w < n_warps; w++)
    if (parked[w] != parked[0]) fail_apart(threads, n_threads, "block");
  if (parked[0] == UM_EMU_EXIT) return &host;
  if (parked[0] == UM_EMU_SYNCTHREADS_OR) {
    int any = 0;
    for (int i = 0; i < n_threads; i++) any |= threads[i].argument != 0;
    for (int i = 0; i < n_threads; i++) threads[i].argument = any;
  }
  return begin_phase();
}

/* All lanes of the warp have stopped. */
static um_emu_thread *end_segment(um_emu_meeting m) {
  if (mixed) fail_apart(lanes, n_lanes, "warp");
  const int warp = warp_order[warp_at];
  if (m >= UM_EMU_SYNCWARP) {
    if (n_lanes < WARP) um_emu_fail("%s in a warp of %d threads", MEETING[m], n_lanes);
    um_emu_meet(lanes, m);
    return begin_segment(warp);
  }
  parked[warp] = m;
  return ++warp_at < n_warps ? begin_segment(warp_order[warp_at]) : end_phase();
}

void um_emu_stop(um_emu_meeting m, const char *file, int line) {
  um_emu_thread *self = um_emu_self;
  self->at = m;
  self->file = file;
  self->line = line;
  if (lanes[lane_first].at != m) mixed = true;
  um_emu_thread *next = ++lane_at < n_lanes ? &lanes[(lane_first + (unsigned)lane_at * lane_step) % (unsigned)n_lanes] : end_segment(m);
  if (next != self) switch_to(self, next);
}

/* ---- launches ---- */

static bool shared_ready(void) {
  static unsigned char *map;
  if (map) return true;
  unsigned char *m = mmap(NULL, SHARED_MAP + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED || mprotect(m + GUARD, SHARED_MAP, PROT_READ | PROT_WRITE)) return false;
  map = m;
  shared_end = m + GUARD + SHARED_MAP;
  return true;
}

static void run_block(void) {
  memset(um_emu_shared - WATCHED, 0xff, (size_t)(shared_end - um_emu_shared) + WATCHED);
  for (int i = 0; i < n_threads; i++) {
    threads[i].at = UM_EMU_RUNNING;
    threads[i].first_copy = threads[i].n_copies = 0;
    threads[i].group = 0;
  }
  in_kernel = 1;
  switch_to(&host, begin_phase());
  in_kernel = 0;
  if (!failure && (!still_poison(um_emu_shared + current->shared, shared_end) || !still_poison(um_emu_shared - WATCHED, um_emu_shared))) {
    fprintf(stderr, "cuda_host: %s: block (%u,%u,%u) writes outside of its %zu bytes of shared memory\n",
            um_emu_kernel_name(current->kernel), um_emu_block.x, um_emu_block.y, um_emu_block.z, current->shared);
    failure = cudaErrorIllegalAddress;
  }
}

cudaError_t um_emu_run(const um_emu_launch *l) {
  static uint64_t launches;
  const uint64_t launch = ++launches, blocks = (uint64_t)l->grid.x * l->grid.y * l->grid.z;
  um_emu_catch_faults();
  begin_skipping();
  current = l;
  failure = cudaSuccess;
  n_threads = (int)(l->block.x * l->block.y * l->block.z);
  n_warps = (n_threads + WARP - 1) / WARP;
  um_emu_block_dim = l->block;
  um_emu_grid_dim = l->grid;
  if (!shared_ready() || !prepare_threads(l->block)) {
    fprintf(stderr, "cuda_host: no memory for the stacks of the emulated threads\n");
    return cudaErrorLaunchOutOfResources;
  }
  um_emu_shared = shared_end - (l->shared + 127) / 128 * 128;
  for (int i = 0; i < l->n_pointers; i++)
    if (l->pointers[i] && !um_emu_find(l->pointers[i], 0)) {
      char where[200];
      um_emu_describe(where, sizeof where, l->pointers[i]);
      fprintf(stderr, "cuda_host: %s: pointer argument %d of the launch is %p, %s\n", um_emu_kernel_name(l->kernel), i, l->pointers[i],
              where);
      return cudaErrorIllegalAddress;
    }
  um_emu_record(l->kernel);
  um_emu_random_begin(launch, 0);
  const bool backward = um_emu_random() & 1;
  for (uint64_t i = 0; i < blocks && !failure; i++) {
    const uint64_t b = backward ? blocks - 1 - i : i;
    um_emu_random_begin(launch, b + 1);
    um_emu_block = (uint3){(unsigned)(b % l->grid.x), (unsigned)(b / l->grid.x % l->grid.y), (unsigned)(b / l->grid.x / l->grid.y)};
    run_block();
  }
  if (!um_emu_memory_intact(um_emu_kernel_name(l->kernel)) && !failure) failure = cudaErrorIllegalAddress;
  return failure;
}
