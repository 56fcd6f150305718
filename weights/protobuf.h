/* Protobuf's wire format (https://protobuf.dev/programming-guides/encoding): a reader that never leaves the bytes it was given, and a
 * small writer. No schema: callers know their field numbers. */
#ifndef UM_WEIGHTS_PROTOBUF_H
#define UM_WEIGHTS_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UM_PB_VARINT = 0, UM_PB_FIXED64 = 1, UM_PB_BYTES = 2, UM_PB_FIXED32 = 5 };
enum { UM_PB_DEPTH = 32 }; /* messages within messages */

/* A message, a text or raw bytes: [at, end) of memory that outlives it. depth: how many messages it lies in. */
typedef struct um_pb {
  const uint8_t *at, *end;
  int depth;
} um_pb;

typedef struct um_pb_field {
  uint32_t number;
  int wire;       /* UM_PB_ above */
  uint64_t value; /* VARINT, FIXED64, FIXED32: the bits */
  um_pb bytes;    /* BYTES; elsewhere empty */
} um_pb_field;

static inline um_pb um_pb_of(const void *data, size_t size) {
  return (um_pb){(const uint8_t *)data, size ? (const uint8_t *)data + size : (const uint8_t *)data, 0};
}
static inline size_t um_pb_size(const um_pb *p) { return (size_t)(p->end - p->at); }

/* The next field of a message: 1, 0 at its end, -1 where it is damaged (a number cut or too long, a length past the end, a group,
 * field number 0, messages nested deeper than UM_PB_DEPTH): the message is at its end then. */
int um_pb_next(um_pb *message, um_pb_field *f);

/* Elements of a packed field, one by one; false at the end and where the bytes are damaged (then at is not at the end). */
bool um_pb_varint(um_pb *p, uint64_t *value);
bool um_pb_fixed32(um_pb *p, uint32_t *value);
bool um_pb_fixed64(um_pb *p, uint64_t *value);

/* A repeated field's occurrence, packed or not, as a stream of elements: set from a field, then asked for one at a time. wire is that
 * of one element. 1, 0 at the end, -1 where the field is of another type or damaged. */
typedef struct um_pb_repeated {
  um_pb packed;
  um_pb_field single;
  int wire;
  bool is_packed, done;
} um_pb_repeated;
um_pb_repeated um_pb_repeat(const um_pb_field *f, int wire);
int um_pb_element(um_pb_repeated *r, uint64_t *bits);

float um_pb_float(uint64_t bits);   /* of FIXED32 */
double um_pb_double(uint64_t bits); /* of FIXED64 */

/* Writer: appends to memory that grows. What fails (memory) is remembered in `failed`, and nothing more is appended. */
typedef struct um_pb_out {
  uint8_t *data;
  size_t size, room;
  bool failed;
} um_pb_out;
void um_pb_put_varint(um_pb_out *o, uint32_t field, uint64_t value);
void um_pb_put_float(um_pb_out *o, uint32_t field, float value);
void um_pb_put_bytes(um_pb_out *o, uint32_t field, const void *data, size_t size);
void um_pb_put_text(um_pb_out *o, uint32_t field, const char *text);
/* The inner message as a field, and frees it. */
void um_pb_put_message(um_pb_out *o, uint32_t field, um_pb_out *inner);
/* Tag and length of a field whose bytes the caller writes after it. */
void um_pb_put_head(um_pb_out *o, uint32_t field, uint64_t length);
void um_pb_put_raw(um_pb_out *o, const void *data, size_t size);
void um_pb_out_free(um_pb_out *o);

#endif
