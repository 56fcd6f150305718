#include "tests/support/damage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/file.h"

typedef int damage_reader(const char *path, char message[1024]);

/* A file in memory: thousands of small files on a disk take seconds. */
static int read_one(int fd, const char *data, size_t size, const char *how, size_t at, damage_reader *reader) {
  char path[64], message[1024] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) fail_msg("no memory for a file");
  int status = reader(path, message);
  if (status && !message[0]) fail_msg("%s %zu: failed (%d) without a message", how, at, status);
  if (status && strchr(message, '\n')) fail_msg("%s %zu: a line break in the message: %s", how, at, message);
  return status;
}

int damage_all(const char *good, size_t header, size_t tail, damage_reader *reader) {
  static const uint8_t pattern[3] = {0x01, 0x80, 0xff};
  char *data;
  size_t size;
  int fine = 0, fd = memfd_create("damaged", MFD_CLOEXEC);
  um_error err;
  if (fd < 0 || um_file_read(&data, &size, good, (size_t)1 << 24, &err)) fail_msg("%s: cannot be copied", good);
  for (size_t i = 0; i < 100; i++)
    if (read_one(fd, data, size * i / 100, "cut at per cent", i, reader) == 0) fail_msg("%s: read, cut at %zu %%", good, i);
  for (size_t i = 0; i < size; i++) {
    if (i >= header && size - i > tail) continue;
    for (int k = 0; k < 3; k++) {
      data[i] = (char)(data[i] ^ (char)pattern[k]);
      fine += read_one(fd, data, size, "changed at byte", i, reader) == 0;
      data[i] = (char)(data[i] ^ (char)pattern[k]);
    }
  }
  free(data);
  close(fd);
  return fine;
}
