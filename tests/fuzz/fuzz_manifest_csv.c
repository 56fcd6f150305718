/* manifest.csv, beside the class folders: the groups and points of a small dataset from it. */
#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "core/log.h"
#include "data/manifest.h"

static char folder[64];

/* A folder whose manifest.csv is the file in memory. */
static const char *folder_with(const char *file) {
  char path[96];
  if (folder[0]) return folder;
  strcpy(folder, "/tmp/fuzz_manifest_XXXXXX");
  FUZZ_CHECK(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/manifest.csv", folder);
  FUZZ_CHECK(symlink(file, path) == 0);
  return folder;
}

static void remove_folder(void) {
  char path[96];
  snprintf(path, sizeof path, "%s/manifest.csv", folder);
  unlink(path);
  rmdir(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct {
    int label;
    const char *group;
  } items[] = {{0, "a_000001_00.png"}, {0, "a_000002_00.png"}, {0, "b/c.png"}, {1, "a_000001_00.png"}, {1, "d e, \"f\".png"}};
  enum { ITEMS = sizeof items / sizeof *items };
  um_dataset d = {.item = calloc(ITEMS, sizeof *d.item), .class_name = {strdup("fake"), strdup("real")}, .classes = 2};
  um_error err;
  if (!folder[0]) atexit(remove_folder);
  um_log_open("fuzz", UM_LOG_ERROR);
  const char *dir = folder_with(fuzz_file(data, size));
  FUZZ_CHECK(d.item);
  for (int i = 0; i < ITEMS; i++) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s/%s", dir, d.class_name[items[i].label], items[i].group);
    d.item[d.count++] = (um_item){.path = strdup(path), .label = items[i].label, .group = strdup(items[i].group), .track = -1};
  }
  um_manifest_apply(&d, dir, &err);
  um_manifest_column(&d, dir, "method", &err);
  int named = 0;
  for (int i = 0; i < ITEMS; i++) {
    named += d.item[i].named;
    FUZZ_CHECK(d.item[i].group && d.item[i].track >= -1);
    for (int k = 0; k < 10; k++) FUZZ_CHECK(!d.item[i].has_points || fabsf(d.item[i].points[k]) <= 1e6f);
  }
  FUZZ_CHECK(named == d.grouped);
  um_dataset_free(&d);
  return 0;
}
