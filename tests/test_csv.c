/* CSV: what is written reads back; damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "data/csv.h"
#include "tests/support/tmp.h"

/* What is written reads back, whatever is in the fields. */
static void csv_round_trip(void **state) {
  static const char *const rows[][3] = {
      {"plain", "with, comma", "with \"quotes\""}, {"", "", ""}, {"line\nend", "cr\rlf\r\n", "\""}, {" spaces ", "\xc3\xa9", ",\",\""}};
  const char *path = tmp_path("csv/rows.csv");
  um_error err;
  um_csv *csv;
  const char *const *field;
  (void)state;
  um_csv_writer w = {.file = fopen(path, "wb")};
  assert_non_null(w.file);
  um_csv_put(&w, "a");
  um_csv_put(&w, "b, b");
  um_csv_printf(&w, "%d%s", 3, "c");
  um_csv_end_line(&w);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    for (int k = 0; k < 3; k++) um_csv_put(&w, rows[i][k]);
    um_csv_end_line(&w);
  }
  fclose(w.file);
  assert_int_equal(um_csv_open(&csv, path, &err), UM_OK);
  assert_int_equal(um_csv_columns(csv), 3);
  assert_int_equal(um_csv_column(csv, "b, b"), 1);
  assert_int_equal(um_csv_column(csv, "3c"), 2);
  assert_int_equal(um_csv_column(csv, "b"), -1);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(um_csv_next(csv, &field, &err), 1);
    for (int k = 0; k < 3; k++) assert_string_equal(field[k], rows[i][k]);
  }
  assert_int_equal(um_csv_next(csv, &field, &err), 0);
  um_csv_close(csv);
}

/* One column: an empty field is not an empty line. */
static void csv_one_column(void **state) {
  um_csv *csv;
  um_error err;
  const char *const *field;
  static const char text[] = "\xef\xbb\xbf"
                             "name\r\n\r\nx\r\n\"\"\n\n\ny";
  (void)state;
  assert_int_equal(um_csv_parse(&csv, text, sizeof text - 1, "text", &err), UM_OK);
  assert_int_equal(um_csv_column(csv, "name"), 0);
  assert_int_equal(um_csv_next(csv, &field, &err), 1);
  assert_string_equal(field[0], "x");
  assert_int_equal(um_csv_line(csv), 3);
  assert_int_equal(um_csv_next(csv, &field, &err), 1);
  assert_string_equal(field[0], "");
  assert_int_equal(um_csv_next(csv, &field, &err), 1);
  assert_string_equal(field[0], "y");
  assert_int_equal(um_csv_line(csv), 7);
  assert_int_equal(um_csv_next(csv, &field, &err), 0);
  um_csv_close(csv);
}

static int parse_all(const char *text, size_t size, um_error *err) {
  um_csv *csv;
  const char *const *field;
  int status = um_csv_parse(&csv, text, size, "text", err);
  while (status >= 0 && (status = um_csv_next(csv, &field, err)) > 0)
    for (int k = 0; k < um_csv_columns(csv); k++) assert_true(strlen(field[k]) <= size);
  um_csv_close(csv);
  return status;
}

static void csv_hostile(void **state) {
  um_error err;
  char wide[1024];
  (void)state;
  assert_int_equal(parse_all("", 0, &err), UM_EFORMAT);
  assert_int_equal(parse_all("\n\n", 2, &err), UM_EFORMAT);
  assert_int_equal(parse_all("a,b\n1,\0\n", 8, &err), UM_EFORMAT);
  assert_int_equal(parse_all("a,b\n1,2,3\n", 10, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "expected 2 fields, got more"));
  assert_int_equal(parse_all("a,b\n1,\"2\"x\n", 11, &err), UM_EFORMAT);
  assert_int_equal(parse_all("a,\"b", 4, &err), UM_EFORMAT);
  assert_int_equal(parse_all("a,b\n1,2", 7, &err), 0);
  memset(wide, ',', sizeof wide);
  assert_int_equal(parse_all(wide, sizeof wide, &err), UM_EFORMAT);
  /* Any bytes at all: ends, within bounds. */
  for (uint32_t trial = 0; trial < 3000; trial++) {
    static const char letters[] = "a,\"\n\r,\"\n";
    const um_rng at = {.seed = 1, .stream = UM_STREAM_TEST, .sample = trial};
    char text[24];
    for (uint32_t i = 0; i < sizeof text; i++) text[i] = letters[um_rng_below(&at, i, sizeof letters - 1)];
    parse_all(text, trial % sizeof text, &err);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(csv_round_trip), cmocka_unit_test(csv_one_column), cmocka_unit_test(csv_hostile)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
