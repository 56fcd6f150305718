#include "core/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t um_dtype_size(um_dtype dtype) {
  switch (dtype) {
  case UM_F32:
  case UM_I32: return 4;
  case UM_BF16:
  case UM_F16: return 2;
  case UM_U8: return 1;
  }
  return 0;
}

const char *um_dtype_name(um_dtype dtype) {
  switch (dtype) {
  case UM_F32: return "f32";
  case UM_BF16: return "bf16";
  case UM_F16: return "f16";
  case UM_U8: return "u8";
  case UM_I32: return "i32";
  }
  return "?";
}

um_tensor um_tensor_plain(um_dtype dtype, int ndim, const int64_t *dim) {
  um_tensor t = {.ndim = ndim, .dtype = dtype};
  for (int i = 0; i < ndim; i++) t.dim[i] = dim[i];
  t.bytes = (size_t)um_tensor_count(&t) * um_dtype_size(dtype);
  return t;
}

int64_t um_tensor_count(const um_tensor *t) {
  int64_t n = 1;
  for (int i = 0; i < t->ndim; i++) n *= t->dim[i];
  return n;
}

bool um_tensor_same_shape(const um_tensor *a, const um_tensor *b) {
  if (a->ndim != b->ndim) return false;
  for (int i = 0; i < a->ndim; i++)
    if (a->dim[i] != b->dim[i]) return false;
  return true;
}

const char *um_tensor_shape_text(const um_tensor *t, char *text, size_t size) {
  size_t at = 0;
  if (size > 0) text[0] = 0;
  for (int i = 0; i < t->ndim && at < size; i++) at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? "x" : "", t->dim[i]);
  return text;
}

uint16_t um_bf16_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
