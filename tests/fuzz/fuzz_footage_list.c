/* KEY.csv of the cache of faces: what is read, written and read again is the same, and its pictures lie one after the other. */
#include "tests/fuzz/fuzz.h"

#include <unistd.h>

#include "faces/footage_internal.h"

static char path[64];

static void remove_file(void) { unlink(path); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  list first, again;
  int64_t offset = 0;
  um_error err;
  if (!path[0]) {
    snprintf(path, sizeof path, "/tmp/fuzz_footage_%d.csv", (int)getpid());
    atexit(remove_file);
  }
  if (um_footage_list_read(&first, fuzz_file(data, size), &err) < 0) return 0;
  for (int i = 0; i < first.count; i++) {
    FUZZ_CHECK(first.item[i].offset == offset && first.item[i].bytes > 0);
    offset += first.item[i].bytes;
  }
  FUZZ_CHECK(um_footage_list_write(&first, path, &err) == 0);
  FUZZ_CHECK(um_footage_list_read(&again, path, &err) == 0);
  FUZZ_CHECK(again.count == first.count);
  for (int i = 0; i < first.count; i++) {
    const um_footage_face *a = &first.item[i].face, *b = &again.item[i].face;
    FUZZ_CHECK(a->frame == b->frame && a->time_s == b->time_s && a->track == b->track && a->at.x == b->at.x && a->at.score == b->at.score);
    FUZZ_CHECK(a->at.has_points == b->at.has_points && memcmp(a->at.point, b->at.point, sizeof a->at.point) == 0);
  }
  um_footage_list_free(&first);
  um_footage_list_free(&again);
  return 0;
}
