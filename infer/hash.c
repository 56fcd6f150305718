/* Files by their contents. What was hashed must be what was read: a file's stamp is taken before and compared after. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "infer/infer.h"

static stamp stamp_from(const struct stat *st) {
  return (stamp){S_ISREG(st->st_mode), st->st_dev, st->st_ino, (int64_t)st->st_size, st->st_mtim, st->st_ctim};
}

stamp stamp_of(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? stamp_from(&st) : (stamp){0};
}

static bool same_time(struct timespec a, struct timespec b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

bool stamp_same(const stamp *a, const stamp *b) {
  return a->file == b->file && a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
         same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

/* As many bytes as the stamp says and no more: what lies in /proc has no size and may have no end. */
static int add_bytes(um_digest *d, int fd, const char *path, int64_t bytes, um_error *err) {
  enum { CHUNK = 1 << 18 };
  uint8_t *buffer = malloc(CHUNK);
  int rc = buffer ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for %d bytes", path, CHUNK);
  while (!rc && bytes > 0) {
    const ssize_t n = read(fd, buffer, bytes < CHUNK ? (size_t)bytes : CHUNK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) rc = um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
    if (n == 0) rc = um_fail(err, UM_EFORMAT, "%s: became shorter while it was read", path);
    if (n > 0) um_digest_add(d, buffer, (size_t)n), bytes -= n;
  }
  free(buffer);
  return rc;
}

int hash_file(char hex[65], const char *path, const stamp *as, um_error *err) {
  um_digest d;
  struct stat st;
  *hex = 0;
  if (!as->file) return um_fail(err, UM_EIO, "%s: expected a file", path);
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  um_sha256_begin(&d);
  int rc = fstat(fd, &st) == 0 ? UM_OK : um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  for (int after = 0; !rc && after < 2; after++) {
    if (after) rc = add_bytes(&d, fd, path, as->bytes, err);
    if (!rc && after) rc = fstat(fd, &st) == 0 ? UM_OK : um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
    const stamp now = stamp_from(&st);
    if (!rc && !stamp_same(&now, as)) rc = um_fail(err, UM_EFORMAT, "%s: changed while it was read", path);
  }
  if (!rc) um_sha256_end(&d, hex);
  close(fd);
  return rc;
}
