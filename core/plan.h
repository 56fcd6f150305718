/* The memory planner: many pieces of memory, each needed during an interval of steps, laid into one arena. */
#ifndef UM_CORE_PLAN_H
#define UM_CORE_PLAN_H

#include <stddef.h>

#include "core/error.h"

typedef struct um_storage {
  size_t bytes;
  int first, last; /* the steps that write it first and use it last, both included */
  size_t offset;   /* set by um_plan_arena: a multiple of 64 */
} um_storage;

/* Gives every storage an offset such that no two whose intervals meet overlap; *arena gets the bytes of the whole. Greedy with best
 * fit, largest first (Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference", algorithm 2); other
 * orders are tried too, while the arena is larger than what lives at once in the fullest step. Always the same plan for the same
 * storages. */
int um_plan_arena(um_storage *storage, int count, size_t *arena, um_error *err);

#endif
