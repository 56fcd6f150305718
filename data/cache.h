/* Decoded, resized pictures kept in memory: a bounded number, each written once, read by any thread without a lock. */
#ifndef UM_DATA_CACHE_H
#define UM_DATA_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct um_cache um_cache;

/* Room for the first items of `items`, `bytes` each, as many as limit allows: which ones are kept does not depend on the order in which they
 * come. *out is NULL where none fits. The memory is taken from the system only as it is filled. */
int um_cache_open(um_cache **out, int items, size_t bytes, int64_t limit, um_error *err);
void um_cache_close(um_cache *c);
bool um_cache_get(um_cache *c, int item, uint8_t *to); /* c may be NULL */
void um_cache_put(um_cache *c, int item, const uint8_t *from);

#endif
