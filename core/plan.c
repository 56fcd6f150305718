#include "core/plan.h"

#include <stdint.h>
#include <stdlib.h>

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* Largest first; equal ones in their own order, so that a plan is always the same. */
static int by_size(const void *a, const void *b) {
  const um_storage *const *x = a, *const *y = b;
  if ((*x)->bytes != (*y)->bytes) return (*x)->bytes < (*y)->bytes ? 1 : -1;
  return *x < *y ? -1 : *x > *y;
}

/* The offset of the smallest gap that s fits into between those of the placed (sorted by offset) that live when it does, or else
 * where the last of them ends. */
static size_t best_fit(const um_storage *s, um_storage *const *placed, int count) {
  size_t end = 0, best = SIZE_MAX, best_gap = SIZE_MAX;
  for (int i = 0; i < count; i++) {
    const um_storage *p = placed[i];
    if (p->last < s->first || p->first > s->last) continue;
    if (p->offset >= end) {
      size_t gap = p->offset - end;
      if (gap >= aligned(s->bytes) && gap < best_gap) best = end, best_gap = gap;
    }
    if (p->offset + aligned(p->bytes) > end) end = p->offset + aligned(p->bytes);
  }
  return best_gap < SIZE_MAX ? best : end;
}

int um_plan_arena(um_storage *storage, int count, size_t *arena, um_error *err) {
  um_storage **order = malloc(sizeof *order * (2 * (size_t)count + 1)), **placed = order + count;
  if (!order) return um_fail(err, UM_ENOMEM, "memory plan: no memory for %d pieces", count);
  for (int i = 0; i < count; i++) order[i] = &storage[i];
  qsort(order, (size_t)count, sizeof *order, by_size);
  *arena = 0;
  for (int i = 0; i < count; i++) {
    um_storage *s = order[i];
    int at = i;
    s->offset = best_fit(s, placed, i);
    if (s->offset + aligned(s->bytes) > *arena) *arena = s->offset + aligned(s->bytes);
    for (; at > 0 && placed[at - 1]->offset > s->offset; at--) placed[at] = placed[at - 1];
    placed[at] = s;
  }
  free(order);
  return UM_OK;
}
