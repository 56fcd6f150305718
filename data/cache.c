#include "data/cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { EMPTY, WRITING, FILLED };

struct um_cache {
  uint8_t *memory;
  atomic_uchar *state;
  size_t bytes;
  int items;
};

int um_cache_open(um_cache **out, int items, size_t bytes, int64_t limit, um_error *err) {
  *out = NULL;
  if (items <= 0 || bytes == 0 || limit < 0 || (uint64_t)limit < bytes) return UM_OK;
  uint64_t most = (uint64_t)limit / bytes;
  um_cache *c = calloc(1, sizeof *c);
  if (c) {
    c->items = most < (uint64_t)items ? (int)most : items;
    c->bytes = bytes;
    c->memory = malloc((size_t)c->items * bytes);
    c->state = calloc((size_t)c->items, sizeof *c->state);
  }
  if (!c || !c->memory || !c->state) {
    uint64_t want = (most < (uint64_t)items ? most : (uint64_t)items) * bytes;
    um_cache_close(c);
    return um_fail(err, UM_ENOMEM, "no memory for a cache of %llu bytes; give data.cache_bytes a smaller value", (unsigned long long)want);
  }
  *out = c;
  return UM_OK;
}

void um_cache_close(um_cache *c) {
  if (!c) return;
  free(c->memory);
  free(c->state);
  free(c);
}

bool um_cache_get(um_cache *c, int item, uint8_t *to) {
  if (!c || item >= c->items || atomic_load_explicit(&c->state[item], memory_order_acquire) != FILLED) return false;
  memcpy(to, c->memory + (size_t)item * c->bytes, c->bytes);
  return true;
}

void um_cache_put(um_cache *c, int item, const uint8_t *from) {
  unsigned char empty = EMPTY;
  /* Where one epoch ends and the next begins two workers may hold the same picture: the first one writes. */
  if (!c || item >= c->items || !atomic_compare_exchange_strong(&c->state[item], &empty, WRITING)) return;
  memcpy(c->memory + (size_t)item * c->bytes, from, c->bytes);
  atomic_store_explicit(&c->state[item], FILLED, memory_order_release);
}
