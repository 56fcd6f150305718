#include "weights/numbers.h"

#include <string.h>

static const struct {
  const char *name;
  uint8_t size;
} types[UM_NUMBERS] = {
    [UM_NUMBER_F16] = {"f16", 2}, [UM_NUMBER_BF16] = {"bf16", 2}, [UM_NUMBER_F32] = {"f32", 4},   [UM_NUMBER_F64] = {"f64", 8},
    [UM_NUMBER_I8] = {"i8", 1},   [UM_NUMBER_U8] = {"u8", 1},     [UM_NUMBER_BOOL] = {"bool", 1}, [UM_NUMBER_I16] = {"i16", 2},
    [UM_NUMBER_U16] = {"u16", 2}, [UM_NUMBER_I32] = {"i32", 4},   [UM_NUMBER_U32] = {"u32", 4},   [UM_NUMBER_I64] = {"i64", 8},
    [UM_NUMBER_U64] = {"u64", 8},
};

size_t um_number_size(um_number type) { return types[type].size; }
const char *um_number_name(um_number type) { return types[type].name; }

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static float half_to_float(uint32_t h) {
  uint32_t sign = (h >> 15) << 31, exponent = (h >> 10) & 31, fraction = h & 1023;
  if (exponent == 31) return float_of(sign | 0x7f800000u | fraction << 13); /* infinity, not a number */
  if (exponent > 0) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
  float value = (float)fraction / 16777216.0f; /* zero, subnormal: fraction / 2^24 */
  return sign ? -value : value;
}

static float one(uint64_t bits, um_number type) {
  double d;
  switch (type) {
  case UM_NUMBER_F16: return half_to_float((uint32_t)bits);
  case UM_NUMBER_BF16: return float_of((uint32_t)bits << 16); /* the upper half of a float32 */
  case UM_NUMBER_F32: return float_of((uint32_t)bits);
  case UM_NUMBER_F64: memcpy(&d, &bits, sizeof d); return (float)d;
  case UM_NUMBER_I8: return (float)(int8_t)bits;
  case UM_NUMBER_I16: return (float)(int16_t)bits;
  case UM_NUMBER_I32: return (float)(int32_t)bits;
  case UM_NUMBER_I64: return (float)(int64_t)bits;
  default: return (float)bits;
  }
}

void um_number_floats(float *out, const uint8_t *from, int64_t count, um_number type, bool big) {
  const size_t size = types[type].size;
  if (count <= 0) return;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (type == UM_NUMBER_F32 && !big) {
    memcpy(out, from, (size_t)count * size);
    return;
  }
#endif
  for (int64_t i = 0; i < count; i++, from += size) {
    uint64_t bits = 0;
    for (size_t k = 0; k < size; k++) bits = bits << 8 | from[big ? k : size - 1 - k];
    out[i] = one(bits, type);
  }
}
