/* Arrays that the real numpy wrote (tests/golden/npz_files.py) into a model, our export, and files that are damaged or lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "tests/support/damage.h"
#include "tests/support/golden.h"
#include "tests/support/tmp.h"
#include "tests/support/weights_model.h"
#include "weights/zip.h"

#define DIR "tests/golden/weights/"

static void reads_numpys(void **state) {
  (void)state;
  weights_model_check(DIR "npz_stored.npz", -1, "numpy .npz");
  weights_model_check(DIR "npz_deflated.npz", -1, "numpy .npz");
  weights_model_check(DIR "npz_versions.npz", -1, "numpy .npz");
  weights_model_check(DIR "npz_types.npz", -1, "numpy .npz");
}

static int index_of(const um_weight_source *s, const char *name) {
  for (int i = 0; i < s->count; i++)
    if (strcmp(s->item[i].name, name) == 0) return i;
  fail_msg("no %s", name);
  return -1;
}

static void lists_what_is_there(void **state) {
  um_weight_source s;
  float value[96];
  (void)state;
  OK(um_npz_open(&s, DIR "npz_types.npz", NULL, err));
  assert_int_equal(s.count, 10);
  assert_string_equal(s.item[index_of(&s, "block1_conv1/kernel")].dtype, "f16");
  assert_string_equal(s.item[index_of(&s, "block1_conv1/kernel")].from, "block1_conv1/kernel:0");
  assert_string_equal(s.item[index_of(&s, "dense/kernel")].dtype, "f64");
  assert_string_equal(s.item[index_of(&s, "flags")].dtype, "bool");
  assert_string_equal(s.note, "fields was left out: fields are no numbers");
  assert_int_equal(s.item[index_of(&s, "count")].ndim, 0);
  OK(s.read(&s, index_of(&s, "count"), value, 1, err));
  assert_true(value[0] == 7);
  OK(s.read(&s, index_of(&s, "cube"), value, 24, err));
  for (int i = 0; i < 24; i++) assert_true(value[i] == (float)i);
  OK(s.read(&s, index_of(&s, "empty"), value, 0, err));
  um_graph g;
  um_preprocess p;
  unsigned said;
  um_error why = {0};
  assert_int_equal(s.model(&s, &g, &p, &said, &why), UM_EUNSUPPORTED);
  assert_non_null(strstr(why.text, "weights without a model"));
  um_weight_source_close(&s);

  OK(um_npz_open(&s, DIR "npz_one.npy", NULL, err));
  assert_string_equal(s.kind, "numpy .npy");
  assert_int_equal(s.count, 1);
  assert_int_equal(s.item[0].dim[0], 32);
  assert_int_equal(s.item[0].dim[1], 3);
  OK(s.read(&s, 0, value, 96, err));
  for (int i = 0; i < 96; i++) assert_true(value[i] == weights_model_value(2, (uint32_t)i));
  um_weight_source_close(&s);
}

/* What goes out comes back bit by bit, with what is said of the model; and twice the same file. */
static void exports(void **state) {
  (void)state;
  weights_model_round_trip(um_export_npz, "round.npz", "numpy .npz");
}

/* ---- headers that lie ---- */

static void says(const char *header, size_t data, int code, const char *part) {
  char file[1024] = "\x93NUMPY\1";
  const char *path = tmp_path("npz/x.npy");
  um_weight_source s;
  um_error err = {0};
  size_t n = strlen(header);
  file[8] = (char)n;
  memcpy(file + 10, header, n);
  tmp_write(path, file, 10 + n + data);
  int status = um_npz_open(&s, path, NULL, &err);
  if (status == UM_OK) um_weight_source_close(&s);
  if (status != code || !strstr(err.text, part) || (status && strncmp(err.text, path, strlen(path)) != 0))
    fail_msg("%s: code %d, expected %d with \"%s\": %s", header, status, code, part, err.text);
}

static void reads_headers(void **state) {
  (void)state;
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", 24, UM_OK, "");
  says("{\"shape\":(2L,),\"fortran_order\":True,\"descr\":\"|u1\"}", 2, UM_OK, "");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, UM_OK, "");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 0), }", 0, UM_EFORMAT, "0 bytes of data");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 0), }", 0, UM_OK, "");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, UM_EFORMAT, "9 bytes of data are not what");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, UM_EFORMAT, "7 bytes of data are not what");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 0, UM_EFORMAT, "0 bytes of data are not what");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 0, UM_EFORMAT, "cannot be understood");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, UM_EFORMAT, "at most 8 dimensions");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, UM_EFORMAT, "cannot be understood");
  says("{'descr': '<f4', 'fortran_order': False, 'shape': 5, }", 4, UM_EFORMAT, "cannot be understood");
  says("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", 4, UM_EFORMAT, "cannot be understood");
  says("{'descr': '<f4', 'fortran_order': False, }", 4, UM_EFORMAT, "cannot be understood");
  says("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", 4, UM_EFORMAT, "cannot be understood");
  says("{'descr': '<f4', 'other': 5, 'fortran_order': False, 'shape': (1,)}", 4, UM_EFORMAT, "cannot be understood");
  says("{'descr': '<f4", 0, UM_EFORMAT, "cannot be understood");
  says("", 0, UM_EFORMAT, "no array of numpy");
  says("{}", 0, UM_EFORMAT, "cannot be understood");
  says("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 4, UM_EUNSUPPORTED, "|O are no numbers");
  says("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, UM_EUNSUPPORTED, "<c8 are no numbers");

  um_weight_source s;
  um_error err = {0};
  const char *path = tmp_path("npz/long.npy");
  tmp_write(path, "\x93NUMPY\2\0\xff\xff\xff\xff{}", 14);
  assert_int_equal(um_npz_open(&s, path, NULL, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "a header of 4294967295 bytes, expected at most 2"));
  tmp_write(path, "\x93NUMPY\4\0\xff\xff\xff\xff{}", 14);
  assert_int_equal(um_npz_open(&s, path, NULL, &err), UM_EUNSUPPORTED);
  assert_int_equal(um_npz_open(&s, DIR "python.zip", NULL, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "no arrays of numbers"));
}

static void survives_damage(void **state) {
  char message[1024];
  (void)state;
  static const char *const good[] = {DIR "npz_stored.npz", DIR "npz_deflated.npz", DIR "npz_types.npz", DIR "npz_one.npy"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    if (weights_model_read_all(um_npz_open, good[i], message)) fail_msg("%s", message);
    damage_all(good[i], 600, 900, weights_model_read_npz);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_numpys),  cmocka_unit_test(lists_what_is_there), cmocka_unit_test(exports),
      cmocka_unit_test(reads_headers), cmocka_unit_test(survives_damage),
  };
  return cmocka_run_group_tests(tests, weights_model_build, weights_model_drop);
}
