/* um_resize against Pillow (tests/golden/pillow.py): equal to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/safetensors.h"
#include "data/image.h"
#include "tests/support/picture.h"

static void as_pillow(void **state) {
  um_st *golden;
  um_error err;
  int cases = 0, wrong = 0;
  um_image in = {0};
  (void)state;
  assert_int_equal(um_st_open(&golden, "tests/golden/pillow.safetensors", &err), UM_OK);
  for (int i = 0; i < um_st_count(golden); i++) {
    const um_st_entry *e = um_st_at(golden, i);
    char method[16];
    int in_height, in_width, height, width;
    if (sscanf(e->name, "resize/%15[a-z]/%dx%d/%dx%d", method, &in_height, &in_width, &height, &width) != 5) continue;
    um_interpolation how = strcmp(method, "nearest") == 0 ? UM_NEAREST : UM_BILINEAR;
    size_t bytes = (size_t)height * (size_t)width * 3;
    uint8_t *out = malloc(bytes), digest[32];
    assert_non_null(out);
    memset(out, 0xa5, bytes);
    assert_int_equal(um_image_alloc(&in, in_width, in_height, &err), UM_OK);
    test_picture(in.pixels, in_height, in_width);
    assert_int_equal(um_resize(out, height, width, &in, how, &err), UM_OK);
    um_sha256(digest, out, bytes);
    bool same = e->tensor.ndim == 1 ? memcmp(digest, e->tensor.data, 32) == 0 : memcmp(out, e->tensor.data, bytes) == 0;
    if (!same) print_message("%s differs\n", e->name);
    wrong += !same;
    cases++;
    free(out);
  }
  um_image_free(&in);
  um_st_close(golden);
  assert_true(cases >= 50);
  assert_int_equal(wrong, 0);
}

static void refuses(void **state) {
  um_image in = {0};
  um_error err;
  uint8_t out[3];
  (void)state;
  assert_int_equal(um_resize(out, 1, 1, &in, UM_NEAREST, &err), UM_EINTERNAL);
  assert_int_equal(um_image_alloc(&in, 2, 2, &err), UM_OK);
  assert_int_equal(um_resize(out, 0, 1, &in, UM_NEAREST, &err), UM_EFORMAT);
  assert_int_equal(um_resize(out, 1 << 20, 1 << 20, &in, UM_BILINEAR, &err), UM_EFORMAT);
  /* More inputs than a weight of 22 bits can be shared among. */
  assert_int_equal(um_image_alloc(&in, 1 << 21, 1, &err), UM_OK);
  memset(in.pixels, 7, in.capacity);
  assert_int_equal(um_resize(out, 1, 1, &in, UM_BILINEAR, &err), UM_EUNSUPPORTED);
  assert_int_equal(um_resize(out, 1, 1, &in, UM_NEAREST, &err), UM_OK);
  assert_int_equal(out[2], 7);
  um_image_free(&in);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_pillow), cmocka_unit_test(refuses)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
