/* metadata.json in DFDC's format, for a few videos. */
#include "tests/fuzz/fuzz.h"

#include "data/sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const input[] = {"x/a.mp4", "x/b.mp4", "x/000_003.mp4", "fake/c.mp4", "REAL/sub/c.mp4"};
  um_sources s;
  um_error err;
  FUZZ_CHECK(um_sources_collect(&s, input, sizeof input / sizeof *input, &err) == UM_OK);
  um_sources_label_metadata(&s, fuzz_file(data, size), &err);
  for (int i = 0; i < s.count; i++) FUZZ_CHECK(s.item[i].label >= -1 && s.item[i].label <= 1 && s.item[i].group);
  um_sources_label_folders(&s);
  um_sources_free(&s);
  return 0;
}
