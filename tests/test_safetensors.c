/* safetensors against a file of the real library (tests/golden/safetensors_fixture.py), and against files that lie. */
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
#include "tests/support/tmp.h"

#define FIXTURE "tests/golden/python.safetensors"

static void check_entry(const um_st *st, const char *name, um_dtype dtype, int ndim, const int64_t *dim, const void *data) {
  const um_st_entry *e = um_st_find(st, name);
  assert_non_null(e);
  assert_int_equal(e->tensor.dtype, dtype);
  assert_int_equal(e->tensor.ndim, ndim);
  for (int i = 0; i < ndim; i++) assert_int_equal(e->tensor.dim[i], dim[i]);
  assert_null(e->tensor.layout);
  size_t bytes = (size_t)um_tensor_count(&e->tensor) * um_dtype_size(dtype);
  assert_int_equal(e->tensor.bytes, bytes);
  if (bytes) assert_memory_equal(e->tensor.data, data, bytes);
}

/* The fixture's content, in the library's order of writing. */
static float kernel[24], scalar = 0.1f;
static int32_t counts[3] = {-1, 0, INT32_MAX};
static uint16_t brain[2] = {0x3F80, 0xC020}, half[2] = {0x3C00, 0xC100};
static uint8_t text[5] = {1, 2, 3, 254, 255};
static const int64_t d234[] = {2, 3, 4}, d3[] = {3}, d05[] = {0, 5}, d21[] = {2, 1}, d2[] = {2}, d5[] = {5};
#define QUOTED   "text \"quoted\" \xc3\xa9"
#define METADATA "line one\nline \"two\" \\ \xc3\xa9"

static int fill(void **state) {
  (void)state;
  for (int i = 0; i < 24; i++) kernel[i] = (float)(i % 2 ? -i : i) / 8;
  return 0;
}

static void reads_the_library(void **state) {
  (void)state;
  um_error err = {0};
  um_st *st;
  assert_int_equal(um_st_open(&st, FIXTURE, &err), UM_OK);
  assert_int_equal(um_st_count(st), 7);
  check_entry(st, "block/kernel", UM_F32, 3, d234, kernel);
  check_entry(st, "block/scalar", UM_F32, 0, NULL, &scalar);
  check_entry(st, "count", UM_I32, 1, d3, counts);
  check_entry(st, "empty", UM_I32, 2, d05, NULL);
  check_entry(st, "brain", UM_BF16, 2, d21, brain);
  check_entry(st, "half", UM_F16, 1, d2, half);
  check_entry(st, QUOTED, UM_U8, 1, d5, text);
  assert_string_equal(um_st_metadata(st, "format"), METADATA);
  assert_null(um_st_metadata(st, "other"));
  assert_null(um_st_find(st, "block"));
  assert_null(um_st_at(st, 7));
  assert_null(um_st_at(st, -1));
  um_st_close(st);
}

/* Byte for byte what the library writes, so it reads what we write. */
static void writes_as_the_library(void **state) {
  (void)state;
  um_error err = {0};
  char *ours, *theirs;
  size_t our_size, their_size;
  um_st_entry e[] = {{QUOTED, um_tensor_plain(UM_U8, 1, d5)},
                     {"block/kernel", um_tensor_plain(UM_F32, 3, d234)},
                     {"block/scalar", um_tensor_plain(UM_F32, 0, NULL)},
                     {"brain", um_tensor_plain(UM_BF16, 2, d21)},
                     {"count", um_tensor_plain(UM_I32, 1, d3)},
                     {"empty", um_tensor_plain(UM_I32, 2, d05)},
                     {"half", um_tensor_plain(UM_F16, 1, d2)}};
  void *data[] = {text, kernel, &scalar, brain, counts, NULL, half};
  const char *metadata[] = {"format", METADATA, NULL};
  for (int i = 0; i < 7; i++) e[i].tensor.data = data[i];
  const char *path = tmp_path("st/ours.safetensors");
  assert_int_equal(um_st_write(path, e, 7, metadata, &err), UM_OK);
  assert_int_equal(um_file_read(&ours, &our_size, path, 1 << 20, &err), UM_OK);
  assert_int_equal(um_file_read(&theirs, &their_size, FIXTURE, 1 << 20, &err), UM_OK);
  assert_int_equal(our_size, their_size);
  assert_memory_equal(ours, theirs, our_size);
  free(ours);
  free(theirs);
  assert_int_equal(um_st_write("/nowhere/at/all", e, 7, NULL, &err), UM_EIO);
}

/* A file of `header` (padded to pad bytes where larger) and n bytes of data. */
static const char *lie(const char *header, size_t pad, size_t n) {
  static char file[1 << 16];
  size_t length = strlen(header);
  const char *path = tmp_path("st/lie.safetensors");
  memset(file, ' ', sizeof file);
  memcpy(file + 8, header, length);
  if (pad > length) length = pad;
  for (int i = 0; i < 8; i++) file[i] = (char)(length >> 8 * i);
  memset(file + 8 + length, 0, n);
  tmp_write(path, file, 8 + length + n);
  return path;
}

static void files_that_lie(void **state) {
  (void)state;
#define T(shape, begin, end) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"
  static const struct {
    const char *header;
    size_t data;
    int code;
    const char *says;
  } lies[] = {
      {"[]", 0, UM_EFORMAT, "does not begin with {"},
      {"{", 0, UM_EFORMAT, "does not begin with {"},
      {"{\"a\":}", 0, UM_EFORMAT, "not JSON"},
      {"{} {}", 0, UM_EFORMAT, "goes on after"},
      {"{\"a\":1}", 0, UM_EFORMAT, "a: expected an object"},
      {"{\"a\":{}}", 0, UM_EFORMAT, "a: no dtype"},
      {"{\"a\":{\"dtype\":3}}", 0, UM_EFORMAT, "a: no dtype"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, UM_EUNSUPPORTED, "dtype \"F64\""},
      {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, UM_EFORMAT, "no shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, UM_EFORMAT, "data_offsets: expected two"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, UM_EFORMAT, "data_offsets: expected two"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 8, UM_EFORMAT, "data_offsets: expected two"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, UM_EFORMAT, "unknown field \"x\""},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, UM_EFORMAT, "\"dtype\" stands there twice"},
      {"{\"a\":" T("[-1]", "0", "4") "}", 4, UM_EFORMAT, "dimension 0"},
      {"{\"a\":" T("[1.5]", "0", "4") "}", 4, UM_EFORMAT, "dimension 0"},
      {"{\"a\":" T("[1,\"1\"]", "0", "4") "}", 4, UM_EFORMAT, "dimension 1"},
      {"{\"a\":" T("[1e999]", "0", "4") "}", 4, UM_EFORMAT, "dimension 0"},
      {"{\"a\":" T("[1,1,1,1,1]", "0", "4") "}", 4, UM_EUNSUPPORTED, "more than 4 dimensions"},
      {"{\"a\":" T("[4294967296,4294967296]", "0", "0") "}", 0, UM_EFORMAT, "not a size"}, /* 2^64 elements wrap to 0 */
      {"{\"a\":" T("[4611686018427387904]", "0", "0") "}", 0, UM_EFORMAT, "not a size"},   /* 2^62 x 4 bytes do, too */
      {"{\"a\":" T("[1]", "4", "0") "}", 4, UM_EFORMAT, "from byte 4 to 0"},
      {"{\"a\":" T("[1]", "0", "-4") "}", 4, UM_EFORMAT, "data_offsets: expected two"},
      {"{\"a\":" T("[1]", "0.5", "4.5") "}", 4, UM_EFORMAT, "data_offsets: expected two"},
      {"{\"a\":" T("[2]", "0", "8") "}", 4, UM_EFORMAT, "holds 4 bytes of data; it is cut"},
      {"{\"a\":" T("[2]", "0", "4") "}", 4, UM_EFORMAT, "4 bytes of data, expected 8"},
      {"{\"a\":" T("[1]", "0", "4") "}", 8, UM_EFORMAT, "8 bytes of data, expected 4"},
      {"{\"a\":" T("[1]", "4", "8") "}", 8, UM_EFORMAT, "leave a gap"},
      {"{\"a\":" T("[2]", "0", "8") ",\"b\":" T("[2]", "4", "12") "}", 12, UM_EFORMAT, "overlap"},
      {"{\"a\":" T("[1]", "0", "4") ",\"a\":" T("[1]", "4", "8") "}", 8, UM_EFORMAT, "a: stands there twice"},
      {"{\"__metadata__\":{\"k\":1}}", 0, UM_EFORMAT, "__metadata__: k: expected text"},
      {"{\"__metadata__\":[]}", 0, UM_EFORMAT, "__metadata__: expected an object"},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, UM_EFORMAT, "__metadata__ stands there twice"},
  };
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    um_error err = {0};
    um_st *st = NULL;
    int code = um_st_open(&st, lie(lies[i].header, 0, lies[i].data), &err);
    if (code != lies[i].code || !strstr(err.text, lies[i].says)) fail_msg("%s: %d, %s", lies[i].header, code, err.text);
    assert_null(st);
  }

  um_error err = {0};
  um_st *st;
  char nest[5001] = "{\"a\":";
  memset(nest + 5, '[', 4995);
  assert_int_equal(um_st_open(&st, lie(nest, 0, 0), &err), UM_EFORMAT);
  assert_int_equal(um_st_open(&st, lie("{}", 64, 0), &err), UM_OK);
  assert_int_equal(um_st_count(st), 0);
  um_st_close(st);
}

static void sizes_that_lie(void **state) {
  (void)state;
  static const uint8_t header[][10] = {{255, 255, 255, 255, 255, 255, 255, 255, '{', '}'},
                                       {0, 0, 0, 0, 0, 0, 0, 128, '{', '}'},
                                       {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'},
                                       {1, 0, 0, 0, 0, 0, 0, 0, '{', '}'},
                                       {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'}};
  um_error err = {0};
  um_st *st;
  const char *path = tmp_path("st/size.safetensors");
  for (size_t i = 0; i < 5; i++) {
    tmp_write(path, header[i], 10);
    assert_int_equal(um_st_open(&st, path, &err), UM_EFORMAT);
  }
  for (size_t n = 0; n < 8; n++) {
    tmp_write(path, header[3], n);
    assert_int_equal(um_st_open(&st, path, &err), UM_EFORMAT);
  }
  assert_int_equal(um_st_open(&st, "/nowhere/at/all", &err), UM_EIO);
  assert_int_equal(um_st_open(&st, "/tmp", &err), UM_EIO);
  assert_int_equal(um_st_open(&st, "/dev/zero", &err), UM_EIO);
}

/* Floats behind an odd number of bytes: legal in the format, unreadable in place. */
static void misaligned_data_is_copied(void **state) {
  (void)state;
  um_error err = {0};
  um_st *st;
  char file[512], header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                             "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}";
  float values[2] = {1.5f, -3.25f};
  size_t n = strlen(header);
  memset(file, 0, 8);
  file[0] = (char)n;
  memcpy(file + 8, header, n);
  file[8 + n] = 7;
  memcpy(file + 9 + n, values, 8);
  const char *path = tmp_path("st/odd.safetensors");
  tmp_write(path, file, 8 + n + 9);
  assert_int_equal(um_st_open(&st, path, &err), UM_OK);
  const um_st_entry *b = um_st_find(st, "b");
  assert_non_null(b);
  assert_int_equal((uintptr_t)b->tensor.data % 4, 0);
  assert_memory_equal(b->tensor.data, values, 8);
  um_st_close(st);
}

/* Every length, and every byte of the header changed in several ways: a status each time, and what opens can be read to the end. */
static void survives_damage(void **state) {
  (void)state;
  um_error err = {0};
  char *file;
  size_t size;
  unsigned sum = 0;
  int opened = 0, refused = 0;
  const char *path = tmp_path("st/damaged.safetensors");
  assert_int_equal(um_file_read(&file, &size, FIXTURE, 1 << 20, &err), UM_OK);
  for (size_t n = 0; n < size; n++) {
    um_st *st;
    tmp_write(path, file, n);
    assert_int_equal(um_st_open(&st, path, &err), UM_EFORMAT);
  }
  for (size_t i = 0; i < 528; i++)
    for (int how = 0; how < 4; how++) {
      um_st *st;
      char old = file[i];
      file[i] = (char)(how == 0 ? old ^ 1 : how == 1 ? old ^ 0x80 : how == 2 ? 0 : '"');
      tmp_write(path, file, size);
      if (um_st_open(&st, path, &err) == UM_OK) {
        opened++;
        for (int k = 0; k < um_st_count(st); k++) {
          const um_tensor *t = &um_st_at(st, k)->tensor;
          for (size_t b = 0; b < t->bytes; b++) sum += ((const uint8_t *)t->data)[b];
        }
        um_st_close(st);
      } else {
        refused++;
        assert_true(err.text[0] != 0);
      }
      file[i] = old;
    }
  free(file);
  assert_true(sum > 0);
  /* Names and metadata may be anything, so some changes do no harm; most do. */
  assert_true(opened > 50 && refused > opened);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_the_library), cmocka_unit_test(writes_as_the_library),     cmocka_unit_test(files_that_lie),
      cmocka_unit_test(sizes_that_lie),    cmocka_unit_test(misaligned_data_is_copied), cmocka_unit_test(survives_damage),
  };
  return cmocka_run_group_tests(tests, fill, NULL);
}
