/* zip archives, of a file and in memory: every entry's first bytes and the whole of it. */
#include "tests/fuzz/fuzz.h"

#include "weights/zip.h"

enum { MOST = 1 << 20, HEAD = 100 };

static void read_all(um_zip *z) {
  uint8_t head[HEAD];
  um_error err;
  for (int i = 0; i < um_zip_count(z); i++) {
    const um_zip_entry *e = um_zip_at(z, i);
    um_zip_bytes b;
    size_t n = sizeof head;
    FUZZ_CHECK(um_zip_find(z, e->name) == i);
    const int first = um_zip_head(z, i, head, &n, &err);
    if (first == UM_OK) FUZZ_CHECK(n == (e->size < sizeof head ? e->size : sizeof head));
    if (um_zip_get(&b, z, i, MOST, &err) != UM_OK) continue;
    FUZZ_CHECK(b.size == e->size && b.size <= MOST && first == UM_OK && (b.size == 0 || memcmp(head, b.data, n) == 0));
    volatile uint8_t last = b.size > 0 ? b.data[b.size - 1] : 0;
    (void)last;
    um_zip_drop(&b);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  um_zip *z;
  um_error err;
  int count = -1;
  if (um_zip_open(&z, fuzz_file(data, size), &err) == UM_OK) {
    count = um_zip_count(z);
    read_all(z);
    um_zip_close(z);
  }
  if (um_zip_open_memory(&z, data, size, "memory", &err) == UM_OK) {
    FUZZ_CHECK(um_zip_count(z) == count);
    um_zip_close(z);
  } else {
    FUZZ_CHECK(count == -1);
  }
  return 0;
}
