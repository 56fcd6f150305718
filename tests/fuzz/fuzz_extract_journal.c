/* A line of extract's journal. What is read is written, and reads back as the same; no crop lies outside of its two folders. */
#include "tests/fuzz/fuzz.h"

#include "tools/extract/journal.c"
#include "tools/extract/store.c"

static void check_same(const char *a, const char *b, int columns) {
  for (int i = 0; i < columns; i++) FUZZ_CHECK(strcmp(line_field(a, i), line_field(b, i)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = fuzz_text(data, size), *written = NULL;
  record r, again;
  um_error err;
  const int status = record_parse(&r, text, &err);
  free(text);
  if (status < 0) {
    FUZZ_CHECK(!r.now.line && !r.now.crop);
    return 0;
  }
  if (r.reset) return 0;
  FUZZ_CHECK(!strchr(line_field(r.now.line, L_NAME), '/'));
  FUZZ_CHECK((written = record_text(&r.now)));
  FUZZ_CHECK(record_parse(&again, written, &err) == UM_OK && !again.reset && again.now.crops == r.now.crops);
  check_same(r.now.line, again.now.line, L_COLUMNS);
  for (int i = 0; i < r.now.crops; i++) {
    const char *path = line_field(r.now.crop[i], M_PATH);
    FUZZ_CHECK((strncmp(path, "fake/", 5) == 0 || strncmp(path, "real/", 5) == 0) && !strchr(path + 5, '/'));
    check_same(r.now.crop[i], again.now.crop[i], M_COLUMNS);
  }
  free(written);
  entry_free(&r.now);
  entry_free(&again.now);
  return 0;
}
