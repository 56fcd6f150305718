#include "tests/support/tmp.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

static char own[64], shared[3072];

static void remove_own(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", own);
  if (system(command) != 0) fprintf(stderr, "%s was not removed\n", own);
}

static void die(const char *what) {
  fprintf(stderr, "test: %s\n", what);
  exit(1);
}

const char *tmp_path(const char *name) {
  static char ring[16][4096];
  static int at;
  char *out = ring[at++ % 16], *slash;
  const char *root = getenv("UM_TMP");
  um_error err;
  if (!root) {
    if (!own[0]) {
      snprintf(own, sizeof own, "/tmp/unmask-test-XXXXXX");
      if (!mkdtemp(own)) die("no temporary folder");
      atexit(remove_own);
    }
    root = own;
  } else {
    if (!shared[0]) snprintf(shared, sizeof shared, "%s/%s-%d", root, program_invocation_short_name, (int)getpid());
    root = shared;
  }
  snprintf(out, sizeof ring[0], "%s/%s", root, name);
  slash = strrchr(out, '/');
  *slash = 0;
  if (um_mkdirs(out, &err)) die(err.text);
  *slash = '/';
  return out;
}

void tmp_write(const char *path, const void *data, unsigned long size) {
  FILE *f = fopen(path, "wb");
  if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) die(path);
}

int files_in(const char *folder) {
  int n = 0;
  DIR *d = opendir(folder);
  if (!d) return 0;
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}
