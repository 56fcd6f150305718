/* The order of what a detector found. */
#include <stdlib.h>

#include "faces/detector.h"

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
