/* A file mapped for reading. */
#ifndef UM_WEIGHTS_MAP_H
#define UM_WEIGHTS_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct um_map {
  const uint8_t *data; /* NULL: not open, or an empty file */
  size_t size;
} um_map;

/* A regular file; UM_EIO where it cannot be opened or is none. */
int um_map_open(um_map *map, const char *path, um_error *err);
void um_map_close(um_map *map); /* safe on a zeroed struct */

#endif
