/* The emulated device: names of kernels, and the record of which ones ran. See emu.h. */
#include "internal.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of libstdc++, by the C++ ABI. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

typedef struct kernel {
  const void *address;
  char *name; /* template arguments and all */
  uint64_t launches;
} kernel;

static kernel *kernels;
static size_t n_kernels;
static const unsigned char *image; /* the program's file */
static uintptr_t base;

static int first_object(struct dl_phdr_info *info, size_t size, void *out) {
  (void)size;
  *(uintptr_t *)out = info->dlpi_addr;
  return 1; /* the program itself comes first */
}

static void open_image(void) {
  static bool tried;
  if (tried) return;
  tried = true;
  const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd >= 0 && fstat(fd, &st) == 0) {
    const void *m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (m != MAP_FAILED) image = (const unsigned char *)m;
  }
  if (fd >= 0) close(fd);
  dl_iterate_phdr(first_object, &base);
}

/* Our own program's symbol table, static functions and all (dladdr knows only what is exported). Calls each() for every function until
 * it returns false. */
static void symbols(bool (*each)(const char *name, const void *address, void *context), void *context) {
  open_image();
  if (!image) return;
  const ElfW(Ehdr) *eh = (const ElfW(Ehdr) *)image;
  const ElfW(Shdr) *sh = (const ElfW(Shdr) *)(image + eh->e_shoff);
  for (int i = 0; i < eh->e_shnum; i++) {
    if (sh[i].sh_type != SHT_SYMTAB) continue;
    const ElfW(Sym) *s = (const ElfW(Sym) *)(image + sh[i].sh_offset);
    const char *names = (const char *)image + sh[sh[i].sh_link].sh_offset;
    for (size_t n = sh[i].sh_size / sizeof *s; n--; s++)
      if ((s->st_info & 15) == STT_FUNC && s->st_value && !each(names + s->st_name, (const void *)(base + s->st_value), context)) return;
  }
}

/* "void conv<float, 64>(float*, int)" -> "conv<float, 64>"; the caller frees. */
static char *clean(const char *symbol) {
  int status;
  char *text = __cxa_demangle(symbol, NULL, NULL, &status);
  if (!text) return strdup(symbol);
  size_t end = strlen(text);
  char *clone = strstr(text, " [clone");
  if (clone) end = (size_t)(clone - text);
  if (end && text[end - 1] == ')') { /* the parameters: the last pair of parentheses */
    int depth = 0;
    while (end--) {
      depth += text[end] == ')';
      depth -= text[end] == '(';
      if (depth == 0) break;
    }
  }
  text[end] = 0;
  if (strncmp(text, "void ", 5) == 0) memmove(text, text + 5, end - 4);
  return text;
}

typedef struct wanted {
  const void *address;
  char *name;
} wanted;

static bool match(const char *name, const void *address, void *context) {
  wanted *w = (wanted *)context;
  if (address != w->address) return true;
  w->name = clean(name);
  return false;
}

static kernel *find(const void *address) {
  for (size_t i = 0; i < n_kernels; i++)
    if (kernels[i].address == address) return &kernels[i];
  kernel *grown = (kernel *)realloc(kernels, (n_kernels + 1) * sizeof *kernels);
  if (!grown) abort();
  kernels = grown;
  wanted w = {address, NULL};
  symbols(match, &w);
  if (!w.name) {
    char text[40];
    snprintf(text, sizeof text, "kernel at %p", address);
    w.name = strdup(text);
  }
  kernels[n_kernels] = (kernel){address, w.name, 0};
  return &kernels[n_kernels++];
}

const char *um_emu_kernel_name(const void *address) { return find(address)->name; }

static int base_length(const char *name) {
  const char *p = strchr(name, '<');
  return p ? (int)(p - name) : (int)strlen(name);
}

/* Instantiations that the program has and that never ran, of kernels of which others did. */
static bool never_ran(const char *name, const void *address, void *context) {
  for (size_t i = 0; i < n_kernels; i++)
    if (kernels[i].address == address) return true;
  for (size_t i = 0; i < n_kernels; i++) {
    const int n = base_length(kernels[i].name);
    char part[200];
    if (kernels[i].name[n] != '<' || snprintf(part, sizeof part, "%d%.*sI", n, n, kernels[i].name) >= (int)sizeof part) continue;
    if (!strstr(name, part)) continue;
    char *text = clean(name);
    if (strncmp(text, kernels[i].name, (size_t)n + 1) == 0) fprintf((FILE *)context, "0\t%.*s\t%s\n", n, text, text);
    free(text);
    return true;
  }
  return true;
}

static void write_record(void) {
  const char *path = getenv("UM_CUDA_HOST_RECORD");
  FILE *f = path && *path ? fopen(path, "a") : NULL;
  if (!f) return;
  for (size_t i = 0; i < n_kernels; i++)
    fprintf(f, "%llu\t%.*s\t%s\n", (unsigned long long)kernels[i].launches, base_length(kernels[i].name), kernels[i].name, kernels[i].name);
  symbols(never_ran, f);
  fclose(f);
}

void um_emu_record(const void *address) {
  static bool registered;
  if (!registered) atexit(write_record);
  registered = true;
  find(address)->launches++;
}
