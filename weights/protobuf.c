#include "weights/protobuf.h"

#include <stdlib.h>
#include <string.h>

bool um_pb_varint(um_pb *p, uint64_t *value) {
  uint64_t v = 0;
  const uint8_t *at = p->at;
  for (int shift = 0; shift < 70 && at < p->end; shift += 7) {
    uint8_t byte = *at++;
    if (shift == 63 && byte > 1) return false; /* more than 64 bits */
    v |= (uint64_t)(byte & 127) << shift;
    if (byte & 128) continue;
    p->at = at;
    *value = v;
    return true;
  }
  return false;
}

bool um_pb_fixed32(um_pb *p, uint32_t *value) {
  if (p->end - p->at < 4) return false;
  *value = 0;
  for (int i = 0; i < 4; i++) *value |= (uint32_t)p->at[i] << 8 * i;
  p->at += 4;
  return true;
}

bool um_pb_fixed64(um_pb *p, uint64_t *value) {
  if (p->end - p->at < 8) return false;
  *value = 0;
  for (int i = 0; i < 8; i++) *value |= (uint64_t)p->at[i] << 8 * i;
  p->at += 8;
  return true;
}

static int damaged(um_pb *message) {
  message->at = message->end;
  return -1;
}

int um_pb_next(um_pb *message, um_pb_field *f) {
  uint64_t key;
  uint32_t word;
  if (message->at >= message->end) return 0;
  *f = (um_pb_field){0};
  if (message->depth >= UM_PB_DEPTH || !um_pb_varint(message, &key) || key >> 3 == 0 || key >> 3 >= 1u << 29) return damaged(message);
  f->number = (uint32_t)(key >> 3);
  f->wire = (int)(key & 7);
  switch (f->wire) {
  case UM_PB_VARINT: return um_pb_varint(message, &f->value) ? 1 : damaged(message);
  case UM_PB_FIXED64: return um_pb_fixed64(message, &f->value) ? 1 : damaged(message);
  case UM_PB_FIXED32:
    if (!um_pb_fixed32(message, &word)) return damaged(message);
    f->value = word;
    return 1;
  case UM_PB_BYTES:
    if (!um_pb_varint(message, &key) || key > um_pb_size(message)) return damaged(message);
    f->bytes = (um_pb){message->at, message->at + key, message->depth + 1};
    message->at += key;
    return 1;
  default: return damaged(message);
  }
}

um_pb_repeated um_pb_repeat(const um_pb_field *f, int wire) {
  return (um_pb_repeated){.packed = f->bytes, .single = *f, .wire = wire, .is_packed = f->wire == UM_PB_BYTES && wire != UM_PB_BYTES};
}

int um_pb_element(um_pb_repeated *r, uint64_t *bits) {
  uint32_t word;
  bool ok;
  if (!r->is_packed) {
    if (r->done) return 0;
    r->done = true;
    *bits = r->single.value;
    return r->single.wire == r->wire ? 1 : -1;
  }
  if (r->packed.at >= r->packed.end) return 0;
  if (r->wire == UM_PB_VARINT) {
    ok = um_pb_varint(&r->packed, bits);
  } else if (r->wire == UM_PB_FIXED64) {
    ok = um_pb_fixed64(&r->packed, bits);
  } else {
    ok = um_pb_fixed32(&r->packed, &word);
    if (ok) *bits = word;
  }
  return ok ? 1 : damaged(&r->packed);
}

float um_pb_float(uint64_t bits) {
  uint32_t word = (uint32_t)bits;
  float value;
  memcpy(&value, &word, sizeof value);
  return value;
}

double um_pb_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

void um_pb_put_raw(um_pb_out *o, const void *data, size_t size) {
  if (o->failed) return;
  if (size > o->room - o->size) {
    size_t room = o->room ? o->room : 256;
    while (room - o->size < size && room <= SIZE_MAX / 2) room *= 2;
    uint8_t *grown = room - o->size < size ? NULL : realloc(o->data, room);
    if (!grown) {
      o->failed = true;
      return;
    }
    o->data = grown;
    o->room = room;
  }
  if (size) memcpy(o->data + o->size, data, size);
  o->size += size;
}

static void put_number(um_pb_out *o, uint64_t value) {
  uint8_t text[10];
  size_t n = 0;
  do {
    text[n++] = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
    value >>= 7;
  } while (value);
  um_pb_put_raw(o, text, n);
}

void um_pb_put_varint(um_pb_out *o, uint32_t field, uint64_t value) {
  put_number(o, (uint64_t)field << 3 | UM_PB_VARINT);
  put_number(o, value);
}

void um_pb_put_float(um_pb_out *o, uint32_t field, float value) {
  uint32_t word;
  uint8_t byte[4];
  memcpy(&word, &value, sizeof word);
  for (int i = 0; i < 4; i++) byte[i] = (uint8_t)(word >> 8 * i);
  put_number(o, (uint64_t)field << 3 | UM_PB_FIXED32);
  um_pb_put_raw(o, byte, sizeof byte);
}

void um_pb_put_head(um_pb_out *o, uint32_t field, uint64_t length) {
  put_number(o, (uint64_t)field << 3 | UM_PB_BYTES);
  put_number(o, length);
}

void um_pb_put_bytes(um_pb_out *o, uint32_t field, const void *data, size_t size) {
  um_pb_put_head(o, field, size);
  um_pb_put_raw(o, data, size);
}

void um_pb_put_text(um_pb_out *o, uint32_t field, const char *text) { um_pb_put_bytes(o, field, text, strlen(text)); }

void um_pb_put_message(um_pb_out *o, uint32_t field, um_pb_out *inner) {
  um_pb_put_bytes(o, field, inner->data, inner->size);
  o->failed |= inner->failed;
  um_pb_out_free(inner);
}

void um_pb_out_free(um_pb_out *o) {
  free(o->data);
  *o = (um_pb_out){0};
}
