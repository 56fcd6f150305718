/* Numbers as weight files hold them, to float32. */
#ifndef UM_WEIGHTS_NUMBERS_H
#define UM_WEIGHTS_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum um_number {
  UM_NUMBER_F16, /* IEEE 754 binary16 */
  UM_NUMBER_BF16,
  UM_NUMBER_F32,
  UM_NUMBER_F64,
  UM_NUMBER_I8,
  UM_NUMBER_U8,
  UM_NUMBER_BOOL, /* a byte, 0 or 1 */
  UM_NUMBER_I16,
  UM_NUMBER_U16,
  UM_NUMBER_I32,
  UM_NUMBER_U32,
  UM_NUMBER_I64,
  UM_NUMBER_U64,
  UM_NUMBERS
} um_number;

size_t um_number_size(um_number type);
const char *um_number_name(um_number type); /* "f32", "bf16", "bool" ... */

/* `count` numbers from any address, little-endian or (big) big-endian; to the nearest float32 where that has fewer digits. */
void um_number_floats(float *out, const uint8_t *from, int64_t count, um_number type, bool big);

#endif
