/* CSV. What is read is written, and reads back as the same fields. */
#include "tests/fuzz/fuzz.h"

#include "data/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  um_csv *c = NULL, *again = NULL;
  um_csv_writer w = {0};
  char *written = NULL;
  size_t length = 0;
  const char *const *field, *const *same;
  um_error err;
  if (um_csv_parse(&c, (const char *)data, size, "csv", &err) != UM_OK) return 0;
  const int columns = um_csv_columns(c);
  FUZZ_CHECK(columns >= 1 && columns <= UM_CSV_MAX_COLUMNS);
  um_csv_column(c, "path");
  FUZZ_CHECK((w.file = open_memstream(&written, &length)));
  for (int i = 0; i < columns; i++) um_csv_put(&w, i ? "x" : "head");
  um_csv_end_line(&w);
  while (um_csv_next(c, &field, &err) > 0) {
    FUZZ_CHECK(um_csv_line(c) > 1);
    for (int i = 0; i < columns; i++) um_csv_put(&w, field[i]);
    um_csv_end_line(&w);
  }
  um_csv_close(c);
  fclose(w.file);
  /* The same rows a second time, beside what was written of them. */
  FUZZ_CHECK(um_csv_parse(&c, (const char *)data, size, "csv", &err) == UM_OK);
  FUZZ_CHECK(um_csv_parse(&again, written, length, "written", &err) == UM_OK);
  while (um_csv_next(c, &field, &err) > 0) {
    FUZZ_CHECK(um_csv_next(again, &same, &err) > 0);
    for (int i = 0; i < columns; i++) FUZZ_CHECK(strcmp(field[i], same[i]) == 0);
  }
  FUZZ_CHECK(um_csv_next(again, &same, &err) == 0);
  um_csv_close(again);
  um_csv_close(c);
  free(written);
  return 0;
}
