/* Files that were made to do harm: what fuzzing (tests/fuzz) found and a status alone does not show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/file.h"
#include "data/image.h"
#include "weights/model_data.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER 1
#endif
#endif

/* A graph costs a file nothing: 3 KB may speak of a layer of 3 GB. That its tensors are not there must be found without its memory. */
static void test_graph_far_larger_than_its_file(void **state) {
  static const char path[] = "tests/fuzz/corpus/model/far_too_large.safetensors";
  struct rlimit old, low;
  um_model_data d;
  um_error err = {0};
  (void)state;
#ifdef SANITIZER
  skip(); /* it takes the address space for itself; the fuzz targets bound memory in their own way */
#endif
  assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
  low = old;
  low.rlim_cur = (rlim_t)1 << 31;
  assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
  const int status = um_model_data_read(&d, path, NULL, NULL, &err);
  setrlimit(RLIMIT_AS, &old);
  assert_int_equal(status, UM_EFORMAT);
  assert_non_null(strstr(err.text, "cannot hold"));
}

/* 16383 x 16383 pixels of a few hundred bytes: libjpeg would fill them with grey, for ten seconds and 800 MB. */
static void test_jpeg_of_few_bytes(void **state) {
  uint8_t *data;
  size_t size, at = 2;
  um_image im = {0};
  um_error err = {0};
  (void)state;
  assert_int_equal(um_file_read((char **)&data, &size, "tests/fuzz/corpus/image/rgb.jpg", 1 << 20, &err), UM_OK);
  assert_int_equal(um_image_decode(&im, data, size, "small", &err), UM_OK);
  while (at + 9 < size && data[at + 1] != 0xc0) at += 2 + (size_t)(data[at + 2] << 8 | data[at + 3]); /* to the frame header */
  assert_true(at + 9 < size);
  data[at + 5] = data[at + 7] = 0x3f, data[at + 6] = data[at + 8] = 0xff;
  assert_int_equal(um_image_decode(&im, data, size, "large", &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "too few for 16383 x 16383 pixels"));
  um_image_free(&im);
  free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_jpeg_of_few_bytes), cmocka_unit_test(test_graph_far_larger_than_its_file)};
  return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
