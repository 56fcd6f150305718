#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int um_file_read(char **data, size_t *size, const char *path, size_t max, um_error *err) {
  char *buffer = NULL;
  size_t used = 0, capacity;
  struct stat st;
  int fd, status = UM_OK;

  *data = NULL;
  if (size) *size = 0;
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  if (fstat(fd, &st) != 0) {
    status = um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
    goto done;
  }
  if (S_ISDIR(st.st_mode)) {
    status = um_fail(err, UM_EIO, "%s: expected a file, found a folder", path);
    goto done;
  }
  if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max) {
    status = um_fail(err, UM_EFORMAT, "%s: %lld bytes, expected at most %zu", path, (long long)st.st_size, max);
    goto done;
  }
  /* The size is a hint: a pipe has none, and a file may grow while it is read. */
  capacity = S_ISREG(st.st_mode) ? (size_t)st.st_size : 4096;
  for (;;) {
    char *grown = realloc(buffer, capacity + 1);
    if (!grown) {
      status = um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes", path, capacity);
      goto done;
    }
    buffer = grown;
    ssize_t n = read(fd, buffer + used, capacity + 1 - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      status = um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
      goto done;
    }
    used += (size_t)n;
    if (used > max) {
      status = um_fail(err, UM_EFORMAT, "%s: larger than the %zu bytes that are allowed", path, max);
      goto done;
    }
    if (n == 0) break;
    if (used == capacity + 1) capacity *= 2;
  }
  buffer[used] = 0;
  *data = buffer;
  if (size) *size = used;
  buffer = NULL;
done:
  free(buffer);
  close(fd);
  return status;
}

/* The folder of a path, "." where it has none. */
static void folder_of(char *folder, size_t size, const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash)
    snprintf(folder, size, ".");
  else if (slash == path)
    snprintf(folder, size, "/");
  else
    snprintf(folder, size, "%.*s", (int)(slash - path), path);
}

int um_writer_open(um_writer *w, const char *path, um_error *err) {
  struct stat st;
  int fd = -1;

  memset(w, 0, sizeof *w);
  if (strlen(path) >= sizeof w->path - 32) return um_fail(err, UM_EIO, "%.60s...: the path is too long", path);
  snprintf(w->path, sizeof w->path, "%s", path);
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return um_fail(err, UM_EIO, "%s: is a folder, expected a file to write", path);
  if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
    /* A pipe or a device (/dev/stdout): nothing to rename over. */
    w->file = fopen(path, "wb");
    if (!w->file) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
    return UM_OK;
  }
  /* O_EXCL and not mkstemp, so that the file's mode follows the umask. */
  for (int i = 0; i < 100 && fd < 0; i++) {
    snprintf(w->temporary, sizeof w->temporary, "%.*s.%ld-%d.tmp", (int)(sizeof w->temporary - 32), path, (long)getpid(), i);
    fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) break;
  }
  if (fd < 0) {
    int e = errno;
    w->temporary[0] = 0;
    return um_fail(err, UM_EIO, "%s: cannot write: %s", path, strerror(e));
  }
  w->file = fdopen(fd, "wb");
  if (!w->file) {
    int e = errno;
    close(fd);
    unlink(w->temporary);
    w->temporary[0] = 0;
    return um_fail(err, UM_EIO, "%s: cannot write: %s", path, strerror(e));
  }
  return UM_OK;
}

int um_writer_commit(um_writer *w, um_error *err) {
  char folder[sizeof w->path];
  int e = 0;

  if (!w->file) return um_fail(err, UM_EINTERNAL, "%s: not open for writing", w->path);
  if (ferror(w->file)) e = EIO;
  errno = 0;
  if (fflush(w->file) != 0) e = errno ? errno : EIO;
  if (!e && w->temporary[0] && fsync(fileno(w->file)) != 0) e = errno;
  if (fclose(w->file) != 0 && !e) e = errno;
  w->file = NULL;
  if (!e && w->temporary[0] && rename(w->temporary, w->path) != 0) e = errno;
  if (e) {
    um_writer_abandon(w);
    return um_fail(err, UM_EIO, "%s: cannot write: %s; nothing was changed", w->path, strerror(e));
  }
  if (w->temporary[0]) { /* the new name must survive a power cut too */
    folder_of(folder, sizeof folder, w->path);
    um_folder_sync(folder);
  }
  w->temporary[0] = 0;
  return UM_OK;
}

void um_writer_abandon(um_writer *w) {
  if (w->file) fclose(w->file);
  w->file = NULL;
  if (w->temporary[0]) unlink(w->temporary);
  w->temporary[0] = 0;
}

int um_file_put(const char *path, const void *data, size_t size, um_error *err) {
  FILE *f = fopen(path, "wbe");
  if (!f) return um_fail(err, UM_EIO, "%s: cannot write: %s", path, strerror(errno));
  int e = 0;
  if (fwrite(data, 1, size, f) != size) e = errno;
  if (fclose(f) != 0 && !e) e = errno;
  if (!e) return UM_OK;
  unlink(path);
  return um_fail(err, UM_EIO, "%s: cannot write: %s", path, strerror(e));
}

int um_file_sync(const char *path, um_error *err) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const int e = fd < 0 || fsync(fd) != 0 ? errno : 0;
  if (fd >= 0) close(fd);
  return e ? um_fail(err, UM_EIO, "%s: cannot be flushed to disk: %s", path, strerror(e)) : UM_OK;
}

void um_folder_sync(const char *folder) {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd); /* some file systems refuse to sync a folder; there is nothing to add then */
  close(fd);
}

/* Whether a name is "FILE.PID-N.tmp" with a PID that no process of this machine has. */
static bool left_behind(const char *name) {
  size_t n = strlen(name);
  long pid;
  int i, end = 0;
  if (n < 5 || strcmp(name + n - 4, ".tmp") != 0) return false;
  for (n -= 5; n > 0 && name[n] != '.'; n--) {}
  if (n == 0 || sscanf(name + n, ".%ld-%d.tmp%n", &pid, &i, &end) != 2 || name[n + (size_t)end] != 0 || end == 0 || pid <= 0) return false;
  return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void um_writer_sweep(const char *folder) {
  char path[4096];
  DIR *d = opendir(folder);
  if (!d) return;
  for (struct dirent *e; (e = readdir(d)) != NULL;)
    if (left_behind(e->d_name) && um_path_join(path, sizeof path, folder, e->d_name, NULL) == UM_OK) unlink(path);
  closedir(d);
}

int um_mkdirs(const char *path, um_error *err) {
  char part[4096];
  size_t n = strlen(path);

  if (n == 0 || n >= sizeof part) return um_fail(err, UM_EIO, "\"%.60s\": not a path that a folder can have", path);
  memcpy(part, path, n + 1);
  for (size_t i = 1; i <= n; i++) {
    if (part[i] != '/' && part[i] != 0) continue;
    char c = part[i];
    part[i] = 0;
    if (mkdir(part, 0777) != 0) {
      int e = errno;
      /* EEXIST may be a file; other errors (EROFS, EACCES) come for folders that exist, too. */
      if (!um_is_folder(part)) return um_fail(err, UM_EIO, "%s: cannot make the folder: %s", part, strerror(e == EEXIST ? ENOTDIR : e));
    }
    part[i] = c;
  }
  return UM_OK;
}

bool um_is_folder(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool um_is_file(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

int um_path_join(char *out, size_t size, const char *dir, const char *name, um_error *err) {
  size_t n = strlen(dir);
  int written = snprintf(out, size, "%s%s%s", dir, n > 0 && dir[n - 1] == '/' ? "" : "/", name);
  if (written < 0 || (size_t)written >= size) return um_fail(err, UM_EIO, "%.60s.../%s: the path is too long", dir, name);
  return UM_OK;
}

double um_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
