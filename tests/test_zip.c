/* zip archives: one that Python wrote (tests/golden/zip_fixture.py), our own, and such as lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "tests/support/damage.h"
#include "tests/support/tmp.h"
#include "weights/zip.h"

#define FIXTURE "tests/golden/weights/python.zip"
#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error failure_ = {0}, *err = &failure_;                                                                                             \
    if ((call) < 0) fail_msg("%s: %s", #call, failure_.text);                                                                              \
  } while (0)

static uint8_t pattern[3000], zeros[100000];

static int fill(void **state) {
  (void)state;
  for (int i = 0; i < 3000; i++) pattern[i] = (uint8_t)(i * i / 7 % 256);
  return 0;
}

static void check_entry(um_zip *z, const char *name, int method, const void *data, size_t size) {
  um_zip_bytes b;
  int i = um_zip_find(z, name);
  assert_true(i >= 0);
  assert_string_equal(um_zip_at(z, i)->name, name);
  assert_int_equal(um_zip_at(z, i)->size, size);
  assert_int_equal(um_zip_at(z, i)->method, method);
  OK(um_zip_get(&b, z, i, size, err));
  assert_int_equal(b.size, size);
  if (size) assert_memory_equal(b.data, data, size);
  um_zip_drop(&b);
  um_zip_drop(&b);
  uint8_t head[100];
  size_t n = sizeof head;
  OK(um_zip_head(z, i, head, &n, err));
  assert_int_equal(n, size < sizeof head ? size : sizeof head);
  if (size) assert_memory_equal(head, data, n);
  if (size) {
    um_error err = {0};
    assert_int_equal(um_zip_get(&b, z, i, size - 1, &err), UM_EFORMAT);
    assert_non_null(strstr(err.text, "expected at most"));
    assert_null(b.data);
  }
}

static void check_fixture(um_zip *z) {
  um_zip_bytes b;
  um_error err = {0};
  assert_int_equal(um_zip_count(z), 8);
  check_entry(z, "stored", 0, pattern, 3000);
  check_entry(z, "deflated", 8, pattern, 3000);
  check_entry(z, "zeros", 8, zeros, sizeof zeros);
  check_entry(z, "folder/empty", 0, "", 0);
  check_entry(z, "folder/empty deflated", 8, "", 0);
  check_entry(z, "zip64", 8, pattern, 99);
  check_entry(z,
              "n\xc3\xa9"
              "e",
              0, "name in UTF-8", 13);
  assert_int_equal(um_zip_get(&b, z, um_zip_find(z, "bzip2"), 1 << 20, &err), UM_EUNSUPPORTED);
  assert_non_null(strstr(err.text, "bzip2: compression method 12"));
  assert_int_equal(um_zip_find(z, "folder"), -1);
  assert_int_equal(um_zip_find(z, ""), -1);
  assert_null(um_zip_at(z, 8));
  assert_null(um_zip_at(z, -1));
}

static void reads_pythons(void **state) {
  um_zip *z;
  char *data;
  size_t size;
  (void)state;
  OK(um_zip_open(&z, FIXTURE, err));
  check_fixture(z);
  um_zip_close(z);
  OK(um_file_read(&data, &size, FIXTURE, 1 << 20, err));
  OK(um_zip_open_memory(&z, data, size, "memory", err));
  check_fixture(z);
  um_zip_close(z);
  free(data);
}

static void write_archive(const char *path, const um_zip_options *options) {
  um_zip_writer *w;
  const um_zip_part two[] = {{pattern, 1000}, {NULL, 0}, {pattern + 1000, 2000}}, one = {zeros, sizeof zeros};
  OK(um_zip_create(&w, path, options, err));
  OK(um_zip_add(w, "a/pattern", two, 3, err));
  OK(um_zip_add(w, "empty", NULL, 0, err));
  OK(um_zip_add(w, "zeros", &one, 1, err));
  assert_int_equal(um_zip_add(w, "empty", NULL, 0, NULL), UM_EINTERNAL);
  OK(um_zip_commit(w, err));
}

static void reads_its_own(void **state) {
  const um_zip_options options[] = {{0}, {.align = 64}, {.zip64 = true}, {.align = 64, .zip64 = true}, {.align = 4096}, {.align = 2}};
  um_zip *z;
  um_zip_bytes b;
  (void)state;
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    const char *path = tmp_path("zip/own.zip");
    write_archive(path, &options[i]);
    OK(um_zip_open(&z, path, err));
    assert_int_equal(um_zip_count(z), 3);
    check_entry(z, "a/pattern", 0, pattern, 3000);
    check_entry(z, "empty", 0, "", 0);
    check_entry(z, "zeros", 0, zeros, sizeof zeros);
    for (int e = 0; e < 3 && options[i].align; e++) {
      OK(um_zip_get(&b, z, e, 1 << 20, err));
      assert_int_equal((uintptr_t)b.data % options[i].align, 0); /* the map begins at a page */
      um_zip_drop(&b);
    }
    um_zip_close(z);
  }
}

static void leaves_the_old_file(void **state) {
  um_zip_writer *w;
  um_zip *z;
  const char *path = tmp_path("zip/old.zip");
  const um_zip_options odd = {.align = 48};
  (void)state;
  write_archive(path, NULL);
  OK(um_zip_create(&w, path, NULL, err));
  OK(um_zip_add(w, "other", NULL, 0, err));
  um_zip_abandon(w);
  OK(um_zip_open(&z, path, err));
  assert_int_equal(um_zip_count(z), 3);
  um_zip_close(z);
  assert_int_equal(um_zip_create(&w, path, &odd, NULL), UM_EINTERNAL);
  um_zip_abandon(NULL);
  um_zip_close(NULL);
}

/* Opens and reads every entry but those of methods that are not read. */
static int read_all(const char *path, char message[1024]) {
  um_zip *z;
  um_zip_bytes b;
  um_error err = {0};
  int status = um_zip_open(&z, path, &err);
  for (int i = 0; !status && i < um_zip_count(z); i++) {
    if (um_zip_at(z, i)->method != 12) status = um_zip_get(&b, z, i, 1 << 20, &err);
    if (!status) um_zip_drop(&b);
  }
  um_zip_close(z);
  snprintf(message, 1024, "%s", err.text);
  return status;
}

static void survives_damage(void **state) {
  char message[1024];
  const char *path = tmp_path("zip/good.zip");
  const um_zip_options options = {.align = 64, .zip64 = true};
  (void)state;
  assert_int_equal(read_all(FIXTURE, message), 0);
  assert_true(damage_all(FIXTURE, 200, 700, read_all) > 0);
  write_archive(path, &options);
  assert_int_equal(read_all(path, message), 0);
  damage_all(path, 200, 700, read_all);
}

/* ---- archives that lie: each is the good one with one thing changed ---- */

static uint8_t *archive;
static size_t archive_size;

/* Place of the nth mark of four bytes in the archive. */
static size_t find(const char *mark, int nth) {
  for (size_t i = 0; i + 4 <= archive_size; i++)
    if (memcmp(archive + i, mark, 4) == 0 && nth-- == 0) return i;
  fail_msg("no such mark");
  return 0;
}

static void put(size_t at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) archive[at + (size_t)i] = (uint8_t)(value >> 8 * i);
}

static void fresh(const um_zip_options *options) {
  const char *path = tmp_path("zip/base.zip");
  um_zip_writer *w;
  const um_zip_part part = {pattern, 100};
  OK(um_zip_create(&w, path, options, err));
  OK(um_zip_add(w, "aa", &part, 1, err));
  OK(um_zip_add(w, "bb", &part, 1, err));
  OK(um_zip_commit(w, err));
  free(archive);
  OK(um_file_read((char **)&archive, &archive_size, path, 1 << 20, err));
}

static void says(int code, const char *part) {
  um_error err = {0};
  um_zip *z = NULL;
  um_zip_bytes b = {0};
  int status = um_zip_open_memory(&z, archive, archive_size, "x.zip", &err);
  if (!status) status = um_zip_get(&b, z, 0, UINT64_MAX, &err);
  um_zip_drop(&b);
  um_zip_close(z);
  if (status != code || !strstr(err.text, part) || strncmp(err.text, "x.zip: ", 7) != 0)
    fail_msg("code %d, expected %d with \"%s\": %s", status, code, part, err.text);
}

#define LOCAL_MARK   "PK\3\4"
#define CENTRAL_MARK "PK\1\2"
#define END_MARK     "PK\5\6"
#define END64_MARK   "PK\6\6"
#define LOC64_MARK   "PK\6\7"

static void refuses_lies(void **state) {
  const um_zip_options wide = {.zip64 = true};
  (void)state;
  fresh(NULL);
  put(find(END_MARK, 0) + 10, 3, 2);
  put(find(END_MARK, 0) + 8, 3, 2);
  says(UM_EFORMAT, "its directory is said to be 3 entries");
  fresh(NULL);
  put(find(END_MARK, 0) + 10, 1, 2);
  put(find(END_MARK, 0) + 8, 1, 2);
  says(UM_EFORMAT, "its directory goes on after its 1 entries");
  fresh(NULL);
  put(find(CENTRAL_MARK, 1), 0, 4);
  says(UM_EFORMAT, "entry 1 of 2 is not in its directory");
  fresh(NULL);
  put(find(END_MARK, 0) + 10, 60000, 2);
  put(find(END_MARK, 0) + 8, 60000, 2);
  says(UM_EFORMAT, "its directory is said to be 60000 entries");
  fresh(NULL);
  put(find(END_MARK, 0) + 16, 0xfffffff0, 4);
  says(UM_EFORMAT, "its directory is said to be 2 entries");
  fresh(NULL);
  put(find(END_MARK, 0) + 4, 1, 2);
  says(UM_EUNSUPPORTED, "in several parts");
  fresh(NULL);
  put(find(END_MARK, 0) + 20, 5, 2);
  says(UM_EFORMAT, "without its end");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 28, 0, 2);
  says(UM_EFORMAT, "has no name that can be");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 28, 60000, 2);
  says(UM_EFORMAT, "has no name that can be");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 46, 0, 1);
  says(UM_EFORMAT, "has no name that can be");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 46, 'c', 1);
  says(UM_EFORMAT, "ca: called otherwise where it begins");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 8, 1, 2);
  says(UM_EUNSUPPORTED, "aa: encrypted");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 20, 1000, 4);
  says(UM_EFORMAT, "aa: 1000 bytes from byte");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 24, 99, 4);
  says(UM_EFORMAT, "aa: stored, yet 99 bytes take 100");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 10, 8, 2);
  put(find(CENTRAL_MARK, 0) + 24, 0xf0000000, 4);
  says(UM_EFORMAT, "aa: said to unpack to 4026531840 bytes from 100");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 10, 8, 2);
  says(UM_EFORMAT, "aa: does not unpack to its 100 bytes");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 16, 1, 4);
  says(UM_EFORMAT, "aa: its checksum is wrong");
  fresh(NULL);
  archive[35] ^= 1;
  says(UM_EFORMAT, "aa: its checksum is wrong");
  fresh(NULL);
  put(find(CENTRAL_MARK, 0) + 42, 5, 4);
  says(UM_EFORMAT, "aa: said to begin at byte 5, but does not");
  fresh(NULL);
  put(find(LOCAL_MARK, 0) + 28, 32, 2);
  says(UM_EFORMAT, "aa and bb overlap");
  fresh(NULL);
  put(find(CENTRAL_MARK, 1) + 42, 0, 4);
  put(find(CENTRAL_MARK, 1) + 46, 'a', 1);
  put(find(CENTRAL_MARK, 1) + 47, 'a', 1);
  says(UM_EFORMAT, "overlap");
  fresh(NULL);
  for (int i = 0; i < 2; i++) put(find(CENTRAL_MARK, 1) + 46 + (size_t)i, 'a', 1), put(find(LOCAL_MARK, 1) + 30 + (size_t)i, 'a', 1);
  says(UM_EFORMAT, "aa stands there twice");

  fresh(&wide);
  put(find(LOC64_MARK, 0) + 8, UINT64_MAX - 8, 8);
  says(UM_EFORMAT, "its zip64 record is said to be at byte 18446744073709551607");
  fresh(&wide);
  put(find(END64_MARK, 0) + 48, UINT64_MAX - 8, 8);
  says(UM_EFORMAT, "its directory is said to be");
  fresh(&wide);
  put(find(END64_MARK, 0) + 32, UINT64_MAX / 46, 8);
  put(find(END64_MARK, 0) + 24, UINT64_MAX / 46, 8);
  says(UM_EFORMAT, "its directory is said to be");
  fresh(&wide);
  put(find(CENTRAL_MARK, 0) + 48 + 2, 8, 2);
  says(UM_EFORMAT, "aa: its zip64 field is damaged");
  fresh(&wide);
  put(find(CENTRAL_MARK, 0) + 48 + 2, 60000, 2);
  says(UM_EFORMAT, "aa: its zip64 field is damaged");
  fresh(&wide);
  put(find(CENTRAL_MARK, 0) + 48 + 12, UINT64_MAX - 10, 8);
  says(UM_EFORMAT, "aa: 18446744073709551605 bytes from byte");
  fresh(&wide);
  put(find(CENTRAL_MARK, 0) + 48 + 20, UINT64_MAX - 10, 8);
  says(UM_EFORMAT, "aa: said to begin at byte 18446744073709551605");

  free(archive);
  archive = calloc(1, 100);
  archive_size = 100;
  says(UM_EFORMAT, "without its end");
  archive_size = 10;
  says(UM_EFORMAT, "10 bytes, too short");
  archive_size = 0;
  says(UM_EFORMAT, "0 bytes, too short");
  free(archive);
  archive = NULL;
}

static void refuses_what_is_no_file(void **state) {
  um_zip *z;
  um_error err = {0};
  (void)state;
  assert_int_equal(um_zip_open(&z, "tests/golden/none.zip", &err), UM_EIO);
  assert_int_equal(um_zip_open(&z, "tests/golden", &err), UM_EIO);
  assert_non_null(strstr(err.text, "found a folder"));
  tmp_write(tmp_path("zip/empty.zip"), "", 0);
  assert_int_equal(um_zip_open(&z, tmp_path("zip/empty.zip"), &err), UM_EFORMAT);
  assert_null(z);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_pythons),   cmocka_unit_test(reads_its_own), cmocka_unit_test(leaves_the_old_file),
      cmocka_unit_test(survives_damage), cmocka_unit_test(refuses_lies),  cmocka_unit_test(refuses_what_is_no_file),
  };
  return cmocka_run_group_tests(tests, fill, NULL);
}
