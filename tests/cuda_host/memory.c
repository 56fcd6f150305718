/* The emulated device: its memory, and the host's page-locked memory. See emu.h. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, ALIGN = 256, FREED = 64 };

static um_emu_allocation *all;
static size_t used;
static bool is_open;
static um_emu_allocation freed[FREED]; /* the last ones: their addresses stay closed, to catch who still uses them */
static unsigned n_freed;

size_t um_emu_memory_total(void) {
  const char *text = getenv("UM_CUDA_HOST_MEMORY");
  if (!text || !*text) return (size_t)4 << 30;
  char *end;
  const size_t n = (size_t)strtoull(text, &end, 10);
  return *end == 'K' ? n << 10 : *end == 'M' ? n << 20 : *end == 'G' ? n << 30 : n;
}

size_t um_emu_memory_used(void) { return used; }

static bool protects(void) {
  const char *text = getenv("UM_CUDA_HOST_PROTECT");
  return !text || strcmp(text, "0") != 0;
}

static size_t rounded(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

um_emu_allocation *um_emu_allocate(size_t bytes, bool device) {
  const size_t total = um_emu_memory_total(), pages = rounded(bytes + ALIGN);
  if (bytes > (size_t)1 << 40 || (device && (used > total || rounded(bytes) > total - used))) return NULL;
  um_emu_allocation *a = (um_emu_allocation *)calloc(1, sizeof *a);
  if (!a) return NULL;
  a->map_bytes = pages + 2 * PAGE;
  a->map = (unsigned char *)mmap(NULL, a->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (a->map == MAP_FAILED || mprotect(a->map + PAGE, pages, PROT_READ | PROT_WRITE)) {
    if (a->map != MAP_FAILED) munmap(a->map, a->map_bytes);
    free(a);
    return NULL;
  }
  a->start = a->map + PAGE + (pages - bytes) / ALIGN * ALIGN;
  a->bytes = bytes;
  a->device = device;
  memset(a->map + PAGE, 0xff, pages);
  if (device) used += rounded(bytes);
  if (device && !is_open && protects()) mprotect(a->map + PAGE, pages, PROT_NONE);
  a->next = all;
  all = a;
  return a;
}

bool um_emu_release(void *start, bool device) {
  um_emu_allocation **link = &all;
  while (*link && ((*link)->start != start || (*link)->device != device)) link = &(*link)->next;
  um_emu_allocation *a = *link;
  if (!a) return false;
  *link = a->next;
  if (device) used -= rounded(a->bytes);
  um_emu_allocation *old = &freed[n_freed++ % FREED];
  if (old->map) munmap(old->map, old->map_bytes);
  *old = *a;
  madvise(a->map, a->map_bytes, MADV_DONTNEED);
  mprotect(a->map, a->map_bytes, PROT_NONE);
  free(a);
  return true;
}

void um_emu_release_all(void) {
  while (all) um_emu_release(all->start, all->device);
}

um_emu_allocation *um_emu_find(const void *p, size_t bytes) {
  const unsigned char *q = (const unsigned char *)p;
  for (um_emu_allocation *a = all; a; a = a->next)
    if (q >= a->start && q <= a->start + a->bytes && bytes <= (size_t)(a->start + a->bytes - q)) return a;
  return NULL;
}

static void protect(int how) {
  for (um_emu_allocation *a = all; a; a = a->next)
    if (a->device) mprotect(a->map + PAGE, a->map_bytes - 2 * PAGE, how);
}

void um_emu_memory_open(void) {
  if (is_open) return;
  is_open = true;
  if (protects()) protect(PROT_READ | PROT_WRITE);
}

void um_emu_memory_close(void) {
  if (!is_open) return;
  is_open = false;
  if (protects()) protect(PROT_NONE);
}

static bool mend(unsigned char *p, unsigned char *end) {
  bool intact = true;
  for (; p < end; p++)
    if (*p != 0xff) intact = false, *p = 0xff;
  return intact;
}

bool um_emu_memory_intact(const char *after) {
  bool intact = true;
  for (um_emu_allocation *a = all; a; a = a->next) {
    const bool before = mend(a->map + PAGE, a->start), behind = mend(a->start + a->bytes, a->map + a->map_bytes - PAGE);
    if (before && behind) continue;
    fprintf(stderr, "cuda_host: %s: wrote %s an allocation of %zu bytes at %p\n", after, before ? "past the end of" : "in front of",
            a->bytes, (void *)a->start);
    intact = false;
  }
  return intact;
}

void um_emu_describe(char *text, size_t size, const void *p) {
  const unsigned char *q = (const unsigned char *)p;
  snprintf(text, size, "which is no memory of the device");
  for (int i = 0; i < FREED; i++)
    if (freed[i].map && q >= freed[i].map && q < freed[i].map + freed[i].map_bytes)
      snprintf(text, size, "%td bytes into memory that was freed (%zu bytes)", q - freed[i].start, freed[i].bytes);
  for (const um_emu_allocation *a = all; a; a = a->next) {
    if (q < a->map || q >= a->map + a->map_bytes) continue;
    const char *kind = a->device ? "device" : "page-locked";
    if (q < a->start)
      snprintf(text, size, "%td bytes in front of %zu bytes of %s memory", a->start - q, a->bytes, kind);
    else if (q >= a->start + a->bytes)
      snprintf(text, size, "%td bytes past the end of %zu bytes of %s memory", q - (a->start + a->bytes), a->bytes, kind);
    else
      snprintf(text, size, "%td bytes into %zu bytes of %s memory", q - a->start, a->bytes, kind);
    return;
  }
}
