/* Protobuf's wire format: every field as a message, as packed and unpacked numbers of each kind; what is written is read back. */
#include "tests/fuzz/fuzz.h"

#include "weights/protobuf.h"

static void walk(um_pb m, int *budget) {
  static const int wire[3] = {UM_PB_VARINT, UM_PB_FIXED32, UM_PB_FIXED64};
  um_pb_field f;
  while (--*budget > 0 && um_pb_next(&m, &f) > 0) {
    FUZZ_CHECK(f.number > 0 && f.bytes.at <= f.bytes.end && f.bytes.end <= m.end);
    for (int w = 0; w < 3; w++) {
      um_pb_repeated r = um_pb_repeat(&f, wire[w]);
      uint64_t bits;
      while (--*budget > 0 && um_pb_element(&r, &bits) > 0) {}
    }
    if (f.wire == UM_PB_BYTES) walk(f.bytes, budget);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int budget = 100000;
  um_pb_out o = {0}, inner = {0};
  um_pb_field f;
  uint64_t value = size;
  walk(um_pb_of(data, size), &budget);
  for (size_t i = 0; i < size && i < 8; i++) value = value << 8 | data[i];
  um_pb_put_varint(&inner, 1, value);
  um_pb_put_bytes(&inner, 2, data, size);
  um_pb_put_message(&o, 3, &inner);
  um_pb m = um_pb_of(o.data, o.size);
  FUZZ_CHECK(um_pb_next(&m, &f) == 1 && f.number == 3 && m.at == m.end);
  m = f.bytes;
  FUZZ_CHECK(um_pb_next(&m, &f) == 1 && f.value == value && um_pb_next(&m, &f) == 1 && um_pb_size(&f.bytes) == size);
  FUZZ_CHECK(size == 0 || memcmp(f.bytes.at, data, size) == 0);
  um_pb_out_free(&o);
  return 0;
}
