/* Python pickles as values, for files of torch.save: the opcodes that state dicts are made of, protocols 2 to 5. Nothing is ever
 * executed: a call in the file becomes a value that says what would have been called, and any opcode or global that the caller does
 * not know is refused by name. Depth, stack, memo and the number of values are bounded; values may be shared, and a list may hold
 * itself, so whoever walks them counts. */
#ifndef UM_WEIGHTS_PICKLE_H
#define UM_WEIGHTS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef enum um_pickle_kind {
  UM_PICKLE_NONE,
  UM_PICKLE_BOOL,
  UM_PICKLE_INT,
  UM_PICKLE_BIG, /* an integer of more than 64 bits: its bytes, little-endian, two's complement */
  UM_PICKLE_REAL,
  UM_PICKLE_TEXT,
  UM_PICKLE_TUPLE,
  UM_PICKLE_LIST,
  UM_PICKLE_DICT,      /* also collections.OrderedDict; keys may repeat */
  UM_PICKLE_GLOBAL,    /* a name */
  UM_PICKLE_CALL,      /* item[0], a global, called with item[1], a tuple */
  UM_PICKLE_PERSISTENT /* item[0]: what the file's writer put outside of the pickle */
} um_pickle_kind;

typedef struct um_pickle_value um_pickle_value;
struct um_pickle_value {
  um_pickle_kind kind;
  uint32_t count; /* TEXT, BIG: bytes; TUPLE, LIST: items; DICT: items, keys and values in turn */
  uint32_t room;  /* internal */
  union {
    int64_t integer; /* BOOL, INT; GLOBAL: index in the list of those that the caller knows */
    double real;
    const char *text; /* in the pickle's bytes; no zero byte behind */
    um_pickle_value **item;
  };
};

typedef struct um_pickle {
  const um_pickle_value *root;
  size_t used; /* bytes from the start to behind the final STOP */
  struct um_pickle_block *block;
} um_pickle;

/* The pickle that `data` begins with; the values point into it. globals: "module.name" of those that may appear, NULL last. `where`
 * is what messages call it. */
int um_pickle_read(um_pickle *p, const uint8_t *data, size_t size, const char *const *globals, const char *where, um_error *err);
void um_pickle_free(um_pickle *p); /* safe on a zeroed struct */

/* Every value of a kind, in no order, each once. */
void um_pickle_each(const um_pickle *p, um_pickle_kind kind, void (*visit)(void *arg, const um_pickle_value *v), void *arg);
bool um_pickle_is(const um_pickle_value *v, const char *text); /* a TEXT of just these bytes */
/* The value of a text key, the last one as in Python; NULL where there is none, or v is no DICT. */
const um_pickle_value *um_pickle_find(const um_pickle_value *v, const char *key);

#endif
