/* MTCNN on the emulated device: the networks against golden numbers, and a small picture searched whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/mtcnn_fixture.h"

static um_backend *open_device(void) {
  const um_backend_options o = {.device = "cuda", .engine = UM_ENGINE_NATIVE, .cache_dir = ""};
  um_backend *be = NULL;
  um_error err = {0};
  if (um_backend_open_with(&be, &o, &err) != UM_OK) fail_msg("%s", err.text);
  return be;
}

static void networks(void **state) {
  um_backend *be = open_device();
  (void)state;
  mtcnn_check_networks(be);
  be->ops->close(be);
}

static void search(void **state) {
  um_backend *be = open_device();
  (void)state;
  mtcnn_check_search(be, true);
  be->ops->close(be);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(networks), cmocka_unit_test(search)};
  return cmocka_run_group_tests(tests, mtcnn_setup, mtcnn_teardown);
}
