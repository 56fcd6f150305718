#include "faces/detector.h"

#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  int (*open)(um_detector **out, const um_detector_options *o, um_error *err);
} detectors[] = {
    {"haar", um_haar_detector_open},
    {"haar-strict", um_haar_detector_open},
    {"mtcnn", um_mtcnn_detector_open},
};
enum { DETECTORS = sizeof detectors / sizeof *detectors };

const char *um_detector_name(int i) { return i >= 0 && i < DETECTORS ? detectors[i].name : NULL; }

const char *um_detector_best(void) { return um_mtcnn_there() ? "mtcnn" : "haar"; }

int um_detector_open(um_detector **out, const um_detector_options *o, um_error *err) {
  char names[128] = "";
  *out = NULL;
  for (int i = 0; i < DETECTORS; i++) {
    if (strcmp(detectors[i].name, o->name) == 0) return detectors[i].open(out, o, err);
    strcat(strcat(names, i == 0 ? "" : i == DETECTORS - 1 ? " or " : ", "), detectors[i].name);
  }
  return um_fail(err, UM_ECONFIG, "detector: expected %s, got \"%s\"", names, o->name);
}

void um_detector_close(um_detector *d) {
  if (d) d->close(d);
}

static int by_size(const void *pa, const void *pb) {
  const um_detection *a = pa, *b = pb;
  const double area_a = a->width * a->height, area_b = b->width * b->height;
  if (area_a != area_b) return area_a > area_b ? -1 : 1;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  if (a->y != b->y) return a->y < b->y ? -1 : 1;
  return a->x < b->x ? -1 : a->x > b->x;
}

void um_found_sort(um_found *f) {
  if (f->count > 1) qsort(f->item, (size_t)f->count, sizeof *f->item, by_size);
}
