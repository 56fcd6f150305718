/* Datasets in their makers' layouts: small made-up trees against the manifests that they must give, and what is wrong with wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/sets/footage.h"
#include "data/sets/sets.h"
#include "tests/support/tmp.h"

/* Each of the 1000 videos has one partner, which has it; the makers' split is 720, 140 and 140 videos and keeps pairs together. */
static void pairs_of_faceforensics(void **state) {
  int count[3] = {0};
  (void)state;
  for (int i = 0; i < 1000; i++) {
    const int other = um_ffpp_partner(i);
    const char *part = um_ffpp_part(i);
    assert_in_range(other, 0, 999);
    assert_int_not_equal(other, i);
    assert_int_equal(um_ffpp_partner(other), i);
    assert_string_equal(um_ffpp_part(other), part);
    count[*part == 'v' ? 1 : part[1] == 'e' ? 2 : 0]++;
  }
  assert_int_equal(count[0], 720);
  assert_int_equal(count[1], 140);
  assert_int_equal(count[2], 140);
  assert_int_equal(um_ffpp_partner(1000), -1);
  assert_string_equal(um_ffpp_part(-1), "");
  /* one of each of the published files */
  assert_int_equal(um_ffpp_partner(71), 54);
  assert_string_equal(um_ffpp_part(71), "train");
  assert_int_equal(um_ffpp_partner(982), 4);
  assert_string_equal(um_ffpp_part(4), "val");
  assert_int_equal(um_ffpp_partner(0), 3);
  assert_string_equal(um_ffpp_part(3), "test");
}

static void folders_and_kinds(void **state) {
  um_sources s;
  um_set_report r;
  um_error err = {0};
  (void)state;
  tmp_write(tmp_path("two/train/FAKE/swap/a.mp4"), "", 0);
  tmp_write(tmp_path("two/train/real/a.mp4"), "", 0);
  tmp_write(tmp_path("two/notes.txt"), "", 0);
  const char *dir = tmp_path("two");
  assert_int_equal(um_sets_scan(&s, &r, "folders", dir, NULL, &err), UM_OK);
  assert_int_equal(s.count, 2);
  assert_int_equal(s.item[0].label, 0);
  assert_string_equal(s.item[0].method, "swap");
  assert_string_equal(s.item[0].part, "train");
  assert_string_equal(s.item[1].name, "a-2");
  assert_int_equal(r.count[UM_SET_IGNORED], 1);
  assert_string_equal(r.note[0].what, "notes.txt");
  um_sources_free(&s);
  um_set_report_free(&r);
  assert_int_equal(um_sets_scan(&s, &r, "nothing", dir, NULL, &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "folders"));
  assert_int_equal(um_sets_scan(&s, &r, "dfdc", dir, NULL, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "metadata.json"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pairs_of_faceforensics), cmocka_unit_test(folders_and_kinds)};
  return cmocka_run_group_tests_name("sets", tests, NULL, NULL);
}
