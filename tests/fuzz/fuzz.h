/* What the fuzz targets share. A target is one file, fuzz_NAME.c, with LLVMFuzzerTestOneInput: it gives the bytes to a reader, which
 * must return a status, whatever they are, and touches everything that the reader hands out. Seeds are in corpus/NAME/, words of the
 * format in NAME.dict. */
#ifndef UM_TESTS_FUZZ_H
#define UM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input is: a reader that breaks its contract without touching wrong memory. */
#define FUZZ_CHECK(condition)                                                                                                              \
  do {                                                                                                                                     \
    if (!(condition)) {                                                                                                                    \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                                       \
      abort();                                                                                                                             \
    }                                                                                                                                      \
  } while (0)

/* The path of a file, in memory, with these bytes. There is one: the next call changes it. */
static inline const char *fuzz_file(const uint8_t *data, size_t size) {
  static char path[64];
  static int fd = -1;
  if (fd < 0) {
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  }
  FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
  return path;
}

/* The bytes as text, malloc'd, exactly as long as it must be. */
static inline char *fuzz_text(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  FUZZ_CHECK(text);
  if (size > 0) memcpy(text, data, size);
  text[size] = 0;
  return text;
}

#endif
