#include "core/plan.h"

#include <stdint.h>
#include <stdlib.h>

#include "core/rng.h"

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* Equal ones stay in their own order, so that a plan is always the same. */
static int by_place(const um_storage *x, const um_storage *y) { return x < y ? -1 : x > y; }

static int by_size(const void *a, const void *b) {
  const um_storage *x = *(um_storage *const *)a, *y = *(um_storage *const *)b;
  return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : by_place(x, y);
}

static int by_time(const void *a, const void *b) {
  const um_storage *x = *(um_storage *const *)a, *y = *(um_storage *const *)b;
  return x->first != y->first ? x->first - y->first : by_place(x, y);
}

static int by_duration(const void *a, const void *b) {
  const um_storage *x = *(um_storage *const *)a, *y = *(um_storage *const *)b;
  const int dx = x->last - x->first, dy = y->last - y->first;
  return dx != dy ? dy - dx : by_size(a, b);
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

/* Places them in this order; returns the bytes of the whole. */
static size_t place(um_storage **order, um_storage **placed, int count) {
  size_t whole = 0;
  for (int i = 0; i < count; i++) {
    um_storage *s = order[i];
    int at = i;
    s->offset = best_fit(s, placed, i);
    if (s->offset + aligned(s->bytes) > whole) whole = s->offset + aligned(s->bytes);
    for (; at > 0 && placed[at - 1]->offset > s->offset; at--) placed[at] = placed[at - 1];
    placed[at] = s;
  }
  return whole;
}

/* The bytes that live in the fullest step: no plan can do with less. */
static size_t lower_bound(const um_storage *storage, int count) {
  size_t most = 0;
  for (int i = 0; i < count; i++) { /* a fullest step is one in which something begins */
    size_t now = 0;
    for (int k = 0; k < count; k++)
      if (storage[k].first <= storage[i].first && storage[i].first <= storage[k].last) now += aligned(storage[k].bytes);
    if (now > most) most = now;
  }
  return most;
}

static void swap(um_storage **order, uint32_t i, uint32_t k) {
  um_storage *t = order[i];
  order[i] = order[k], order[k] = t;
}

int um_plan_arena(um_storage *storage, int count, size_t *arena, um_error *err) {
  int (*const rule[])(const void *, const void *) = {by_size, by_duration, by_time};
  enum { RULES = sizeof rule / sizeof *rule, EFFORT = 20000000 }; /* EFFORT: some tens of milliseconds */
  um_storage **order = malloc(sizeof *order * (2 * (size_t)count + 1));
  const size_t least = lower_bound(storage, count);
  int best = 0;
  if (!order) return um_fail(err, UM_ENOMEM, "memory plan: no memory for %d pieces", count);
  um_storage **placed = order + count;
  *arena = SIZE_MAX;
  for (int k = 0; k <= RULES; k++) { /* once each, then the best of them for good */
    for (int i = 0; i < count; i++) order[i] = &storage[i];
    qsort(order, (size_t)count, sizeof *order, rule[k < RULES ? k : best]);
    const size_t whole = place(order, placed, count);
    if (whole < *arena) *arena = whole, best = k;
  }
  /* Small graphs with one large scratch are where no rule does well: exchanges of two, kept where they do no harm. */
  const um_rng dice = {0}; /* any address will do */
  const int64_t swaps = EFFORT / ((int64_t)count * count + 1);
  for (uint32_t k = 0; k < swaps && k < 5000 && *arena > least; k++) {
    const uint32_t a = um_rng_below(&dice, 2 * k, (uint32_t)count), b = um_rng_below(&dice, 2 * k + 1, (uint32_t)count);
    swap(order, a, b);
    const size_t whole = place(order, placed, count);
    if (whole <= *arena)
      *arena = whole;
    else
      swap(order, a, b);
  }
  *arena = place(order, placed, count);
  free(order);
  return UM_OK;
}
