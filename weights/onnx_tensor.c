/* TensorProto: sizes held against the bytes that are there, values of every type that weights come in. */
#include <inttypes.h>
#include <string.h>

#include "weights/onnx_impl.h"

typedef struct type_info {
  const char *name;
  int bytes;      /* in raw_data; 0: not read */
  uint32_t field; /* of the values that are not raw */
  int wire;
} type_info;

static type_info info_of(int type) {
  switch (type) {
  case ONNX_FLOAT: return (type_info){"f32", 4, 4, UM_PB_FIXED32};
  case ONNX_DOUBLE: return (type_info){"f64", 8, 10, UM_PB_FIXED64};
  case ONNX_FLOAT16: return (type_info){"f16", 2, 5, UM_PB_VARINT};
  case ONNX_BFLOAT16: return (type_info){"bf16", 2, 5, UM_PB_VARINT};
  case ONNX_UINT8: return (type_info){"u8", 1, 5, UM_PB_VARINT};
  case ONNX_INT8: return (type_info){"i8", 1, 5, UM_PB_VARINT};
  case ONNX_UINT16: return (type_info){"u16", 2, 5, UM_PB_VARINT};
  case ONNX_INT16: return (type_info){"i16", 2, 5, UM_PB_VARINT};
  case ONNX_INT32: return (type_info){"i32", 4, 5, UM_PB_VARINT};
  case ONNX_BOOL: return (type_info){"bool", 1, 5, UM_PB_VARINT};
  case ONNX_INT64: return (type_info){"i64", 8, 7, UM_PB_VARINT};
  case ONNX_UINT32: return (type_info){"u32", 4, 11, UM_PB_VARINT};
  case ONNX_UINT64: return (type_info){"u64", 8, 11, UM_PB_VARINT};
  default: return (type_info){"?", 0, 0, 0};
  }
}

const char *onnx_type_name(int type) { return info_of(type).name; }
bool onnx_is_float(int type) { return type == ONNX_FLOAT || type == ONNX_DOUBLE || type == ONNX_FLOAT16 || type == ONNX_BFLOAT16; }

/* How many values the field holds that belongs to the type; -1 where it is damaged. */
static int64_t count_values(const onnx_tensor *t, type_info info) {
  um_pb m = t->message;
  um_pb_field f;
  int64_t n = 0;
  uint64_t bits;
  int got;
  while ((got = um_pb_next(&m, &f)) > 0) {
    if (f.number != info.field) continue;
    um_pb_repeated r = um_pb_repeat(&f, info.wire);
    while ((got = um_pb_element(&r, &bits)) > 0) n++;
    if (got < 0) return -1;
  }
  return got < 0 ? -1 : n;
}

int onnx_tensor_open(onnx_tensor *t, um_pb message, const char *path, um_error *err) {
  um_pb m = message;
  um_pb_field f;
  char name[96];
  int got;
  bool external = false, many = false, bad = false, segment = false;
  *t = (onnx_tensor){.message = message, .count = 1};
  while ((got = um_pb_next(&m, &f)) > 0) {
    if (f.number == 1) {
      um_pb_repeated r = um_pb_repeat(&f, UM_PB_VARINT);
      uint64_t d;
      while ((got = um_pb_element(&r, &d)) > 0) {
        many |= t->ndim == UM_WEIGHT_MAX_DIMS;
        if (many) break;
        bad |= d > INT64_MAX || __builtin_mul_overflow(t->count, (int64_t)d, &t->count);
        t->dim[t->ndim++] = (int64_t)d;
      }
      if (got < 0) break;
    } else if (f.number == 2 && f.wire == UM_PB_VARINT) {
      t->type = f.value <= ONNX_BFLOAT16 ? (int)f.value : 0;
    } else if (f.number == 3) {
      segment = true;
    } else if (f.number == 8 && f.wire == UM_PB_BYTES) {
      t->name = f.bytes;
    } else if (f.number == 9 && f.wire == UM_PB_BYTES) {
      t->raw = f.bytes;
      t->has_raw = true;
    } else if (f.number == 13 || (f.number == 14 && f.value == 1)) {
      external = true;
    }
  }
  onnx_text(name, sizeof name, t->name);
  if (got < 0) return um_fail(err, UM_EFORMAT, "%s: tensor \"%s\": damaged; fetch or copy the file again", path, name);
  if (external || segment)
    return um_fail(err, UM_EUNSUPPORTED,
                   "%s: tensor \"%s\": its values lie %s, which is not followed; save the model with its weights inside (onnx.save(..., "
                   "save_as_external_data=False))",
                   path, name, external ? "in another file (external data)" : "in segments");
  if (many || bad) return um_fail(err, UM_EFORMAT, "%s: tensor \"%s\": its dimensions are out of range", path, name);
  const type_info info = info_of(t->type);
  if (info.bytes == 0) return UM_OK; /* listed; whoever needs its values is refused */
  if (t->has_raw) {
    const size_t have = um_pb_size(&t->raw);
    if (have % (size_t)info.bytes != 0 || (int64_t)(have / (size_t)info.bytes) != t->count)
      return um_fail(err, UM_EFORMAT, "%s: tensor \"%s\": %zu bytes of data, expected %" PRId64 " values of %d bytes", path, name, have,
                     t->count, info.bytes);
    return UM_OK;
  }
  const int64_t have = count_values(t, info);
  if (have != t->count)
    return um_fail(err, UM_EFORMAT, "%s: tensor \"%s\": %" PRId64 " values, expected %" PRId64, path, name, have, t->count);
  return UM_OK;
}

/* IEEE 754 binary16 to binary32; exact. */
static float half_to_float(uint32_t h) {
  const uint32_t sign = (h >> 15 & 1) << 31, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * (float)fraction / 16777216.0f;
  return um_pb_float(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13);
}

static float float_of(int type, uint64_t bits) {
  switch (type) {
  case ONNX_FLOAT: return um_pb_float(bits);
  case ONNX_DOUBLE: return (float)um_pb_double(bits);
  case ONNX_FLOAT16: return half_to_float((uint32_t)bits);
  case ONNX_BFLOAT16: return um_pb_float((bits & 0xffff) << 16);
  case ONNX_UINT64: return (float)bits;
  default: return (float)(int64_t)bits;
  }
}

/* Bits of a raw element, sign extended for the signed integers. */
static uint64_t raw_bits(int type, const uint8_t *at, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v |= (uint64_t)at[i] << 8 * i;
  const bool is_signed = type == ONNX_INT8 || type == ONNX_INT16 || type == ONNX_INT32;
  if (is_signed && v >> (8 * bytes - 1) & 1) v |= ~(uint64_t)0 << 8 * bytes;
  return v;
}

/* Calls for every value's bits; the sizes were checked by onnx_tensor_open. */
static int each(const onnx_tensor *t, float *floats, int64_t *ints, const char *path, um_error *err) {
  const type_info info = info_of(t->type);
  char name[96];
  int64_t i = 0;
  if (info.bytes == 0 || (ints && onnx_is_float(t->type)))
    return um_fail(err, UM_EUNSUPPORTED, "%s: tensor \"%s\": values of type %d, expected %s", path, onnx_text(name, sizeof name, t->name),
                   t->type, ints ? "integers" : "numbers");
  if (t->has_raw) {
    for (; i < t->count; i++) {
      const uint64_t bits = raw_bits(t->type, t->raw.at + i * info.bytes, info.bytes);
      if (ints)
        ints[i] = (int64_t)bits;
      else
        floats[i] = float_of(t->type, bits);
    }
    return UM_OK;
  }
  um_pb m = t->message;
  um_pb_field f;
  uint64_t bits;
  while (um_pb_next(&m, &f) > 0) {
    if (f.number != info.field) continue;
    um_pb_repeated r = um_pb_repeat(&f, info.wire);
    while (i < t->count && um_pb_element(&r, &bits) > 0) {
      if (ints)
        ints[i++] = (int64_t)bits;
      else
        floats[i++] = float_of(t->type, bits);
    }
  }
  return UM_OK;
}

int onnx_tensor_floats(const onnx_tensor *t, float *out, const char *path, um_error *err) {
  const uint16_t one = 1;
  if (t->type == ONNX_FLOAT && t->has_raw && *(const uint8_t *)&one == 1) { /* as it lies there */
    if (t->count) memcpy(out, t->raw.at, (size_t)t->count * sizeof *out);
    return UM_OK;
  }
  return each(t, out, NULL, path, err);
}

int onnx_tensor_ints(const onnx_tensor *t, int64_t *out, const char *path, um_error *err) { return each(t, NULL, out, path, err); }
