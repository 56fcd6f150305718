#include "weights/map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int um_map_open(um_map *map, const char *path, um_error *err) {
  struct stat s;
  int status = UM_OK, fd = open(path, O_RDONLY | O_CLOEXEC);
  *map = (um_map){0};
  if (fd < 0) return um_fail(err, UM_EIO, "%s: cannot be opened: %s", path, strerror(errno));
  if (fstat(fd, &s) != 0) {
    status = um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  } else if (!S_ISREG(s.st_mode)) {
    status = um_fail(err, UM_EIO, "%s: expected a file, found %s", path, S_ISDIR(s.st_mode) ? "a folder" : "something else");
  } else if (s.st_size > 0) {
    void *data = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
      status = um_fail(err, UM_EIO, "%s: cannot be mapped: %s", path, strerror(errno));
    else
      *map = (um_map){data, (size_t)s.st_size};
  }
  close(fd);
  return status;
}

void um_map_close(um_map *map) {
  if (map->data) munmap((void *)(uintptr_t)map->data, map->size);
  *map = (um_map){0};
}
