#include "faces/detector.h"

#include <string.h>

static const struct {
  const char *name;
  int (*open)(um_detector **out, const um_detector_options *o, um_error *err);
  int (*files)(char path[UM_DETECTOR_FILES][4096], int *count, const char *name, um_error *err);
} detectors[] = {
    {"haar", um_haar_detector_open, um_haar_detector_files},
    {"haar-strict", um_haar_detector_open, um_haar_detector_files},
    {"mtcnn", um_mtcnn_detector_open, um_mtcnn_detector_files},
};
enum { DETECTORS = sizeof detectors / sizeof *detectors };

const char *um_detector_name(int i) { return i >= 0 && i < DETECTORS ? detectors[i].name : NULL; }

const char *um_detector_best(void) { return um_mtcnn_there() ? "mtcnn" : "haar"; }

/* The place of a name in the table, or UM_ECONFIG. */
static int place_of(const char *name, um_error *err) {
  char names[128] = "";
  for (int i = 0; i < DETECTORS; i++) {
    if (strcmp(detectors[i].name, name) == 0) return i;
    strcat(strcat(names, i == 0 ? "" : i == DETECTORS - 1 ? " or " : ", "), detectors[i].name);
  }
  return um_fail(err, UM_ECONFIG, "detector: expected %s, got \"%s\"", names, name);
}

int um_detector_open(um_detector **out, const um_detector_options *o, um_error *err) {
  const int i = place_of(o->name, err);
  *out = NULL;
  return i < 0 ? i : detectors[i].open(out, o, err);
}

int um_detector_files(char path[UM_DETECTOR_FILES][4096], int *count, const char *name, um_error *err) {
  const int i = place_of(name, err);
  *count = 0;
  return i < 0 ? i : detectors[i].files(path, count, name, err);
}

void um_detector_close(um_detector *d) {
  if (d) d->close(d);
}
