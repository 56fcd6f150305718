/* Weights files into a model: files that each generation of Keras wrote (tests/golden/keras_weights.py), safetensors, and files that
 * are damaged or mean harm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hdf5.h>

#include "core/file.h"
#include "core/safetensors.h"
#include "tests/support/golden.h"
#include "tests/support/tmp.h"
#include "weights/weights.h"

#define DIR "tests/golden/weights/"
#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error failure_ = {0}, *err = &failure_;                                                                                             \
    if ((call) < 0) fail_msg("%s: %s", #call, failure_.text);                                                                              \
  } while (0)

typedef struct fixture {
  um_backend *be;
  um_graph graph;
  um_model *model;
} fixture;

/* The model of tests/golden/keras_weights.py. */
static void build(fixture *f, int64_t dense_units, const char *conv_name) {
  const int three[2] = {3, 3}, two[2] = {2, 2}, one[2] = {1, 1};
  const um_model_options options = {.batch = 1};
  int at;
  *f = (fixture){0};
  OK(um_ref_open(&f->be, err));
  OK(at = um_graph_add_input(&f->graph, "input_1", 8, 8, 3, err));
  OK(at = um_graph_add_conv2d(&f->graph, conv_name, at, 2, three, one, UM_PAD_SAME, UM_ACT_RELU, err));
  OK(at = um_graph_add_pool(&f->graph, "block1_pool", UM_OP_MAX_POOL, at, two, two, UM_PAD_VALID, err));
  OK(at = um_graph_add_simple(&f->graph, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(&f->graph, "dense", at, dense_units, UM_ACT_RELU, err));
  OK(at = um_graph_add_dense(&f->graph, "dense_1", at, 1, UM_ACT_NONE, err));
  OK(um_model_create(&f->model, &f->graph, f->be, &options, err));
  OK(um_model_init(f->model, 5, err));
}

static void drop(fixture *f) {
  um_model_free(f->model);
  um_graph_free(&f->graph);
  f->be->ops->close(f->be);
}

static float expected(int parameter, uint32_t i) { return (float)((int)(golden_word(100 + (uint32_t)parameter, i) % 2001) - 1000) / 1024; }

/* Parameters first .. last - 1 hold exactly the fixture's values. */
static void check_values(const fixture *f, int first, int last) {
  int count;
  const um_param *param = um_model_params(f->model, &count);
  float value[128];
  assert_int_equal(count, 6);
  for (int p = first; p < last; p++) {
    int64_t n = um_tensor_count(&param[p].plain);
    assert_true(n <= 128);
    OK(um_model_get(f->model, 'w', p, value, err));
    for (int64_t i = 0; i < n; i++)
      if (value[i] != expected(p, (uint32_t)i))
        fail_msg("%s[%d] is %g, expected %g", param[p].name, (int)i, (double)value[i], (double)expected(p, (uint32_t)i));
  }
}

static void load_whole(const char *path) {
  fixture f;
  um_weights_report report;
  um_error err = {0};
  build(&f, 3, "block1_conv1");
  if (um_weights_load(f.model, path, NULL, &report, &err)) fail_msg("%s", err.text);
  check_values(&f, 0, 6);
  assert_int_equal(report.loaded_count, 6);
  assert_int_equal(report.fresh_count, 0);
  assert_int_equal(report.skipped_count, 0);
  um_weights_report_free(&report);
  drop(&f);
}

static void test_full_models(void **state) {
  (void)state;
  load_whole(DIR "keras3_full.h5");
  load_whole(DIR "keras3_nested.h5");
  load_whole(DIR "keras3_split.h5");
  load_whole(DIR "keras3_new.weights.h5");
  load_whole(DIR "tfkeras_full.h5");
  load_whole(DIR "tfkeras_nested.h5");
  load_whole(DIR "tfkeras_half.h5");
  load_whole(DIR "tfkeras_double.h5");
}

static void load_backbone(const char *path, const char *line) {
  fixture f;
  um_weights_report report;
  um_error error = {0};
  float before[96], after[96];
  build(&f, 3, "block1_conv1");
  OK(um_model_get(f.model, 'w', 2, before, err));
  if (um_weights_load(f.model, path, "block1_pool", &report, &error)) fail_msg("%s", error.text);
  check_values(&f, 0, 2);
  assert_int_equal(report.loaded_count, 2);
  assert_string_equal(report.loaded[0], line);
  assert_int_equal(report.fresh_count, 4);
  assert_string_equal(report.fresh[0], "dense/kernel  32x3  (not in the file)");
  OK(um_model_get(f.model, 'w', 2, after, err));
  assert_memory_equal(before, after, sizeof before); /* what the file lacks stays as it was */
  um_weights_report_free(&report);
  /* The same file is not enough where the whole model must come from it. */
  assert_int_equal(um_weights_load(f.model, path, NULL, &report, &error), UM_EFORMAT);
  assert_non_null(strstr(error.text, "has no dense/kernel (32x3)"));
  drop(&f);
}

static void test_backbones(void **state) {
  (void)state;
  load_backbone(DIR "tfkeras_notop.h5", "block1_conv1/kernel  3x3x3x2  from block1_conv1/block1_conv1/kernel:0");
  load_backbone(DIR "keras1_names.h5", "block1_conv1/kernel  3x3x3x2  from block1_conv1/block1_conv1_W_1:0");
}

static void test_skipped(void **state) {
  fixture f;
  um_weights_report report;
  um_error err = {0};
  (void)state;
  build(&f, 3, "other_conv");
  if (um_weights_load(f.model, DIR "tfkeras_full.h5", "input_1", &report, &err)) fail_msg("%s", err.text);
  check_values(&f, 2, 6);
  assert_int_equal(report.loaded_count, 4);
  assert_int_equal(report.fresh_count, 2);
  assert_int_equal(report.skipped_count, 2);
  assert_string_equal(report.skipped[0], "block1_conv1/block1_conv1/kernel:0  3x3x3x2  (not in the model)");
  um_weights_report_free(&report);
  drop(&f);
}

/* The message of a load that must fail, after checking that it names the file. */
static const char *failure(const char *path, int code) {
  static um_error err;
  fixture f;
  um_weights_report report;
  build(&f, 3, "block1_conv1");
  int got = um_weights_load(f.model, path, "block1_pool", &report, &err);
  if (got == UM_OK) fail_msg("%s: loaded, but must not", path);
  if (got != code) fail_msg("%s: code %d, expected %d: %s", path, got, code, err.text);
  assert_int_equal(report.loaded_count + report.skipped_count + report.fresh_count, 0);
  if (!strstr(err.text, path)) fail_msg("the message does not name the file: %s", err.text);
  if (strchr(err.text, '\n')) fail_msg("a line break in the message: %s", err.text);
  drop(&f);
  return err.text;
}

#define SAYS(path, code, part)                                                                                                             \
  do {                                                                                                                                     \
    const char *text_ = failure(path, code);                                                                                               \
    if (!strstr(text_, part)) fail_msg("expected \"%s\" in: %s", part, text_);                                                             \
  } while (0)

static void test_other_model(void **state) {
  fixture f;
  um_weights_report report;
  um_error err = {0};
  (void)state;
  build(&f, 4, "block1_conv1");
  assert_int_equal(um_weights_load(f.model, DIR "keras3_full.h5", "block1_pool", &report, &err), UM_EFORMAT);
  assert_string_equal(err.text,
                      DIR "keras3_full.h5: dense/kernel is 32x3 in the file, 32x4 in the model; give the weights of this very model, "
                          "set data.target_size and model.head as they were when the file was made, or start without it "
                          "(--set model.weights=null)");
  drop(&f);
  build(&f, 3, "conv9");
  assert_int_equal(um_weights_load(f.model, DIR "keras3_full.h5", "block1_pool", &report, &err), UM_EFORMAT);
  assert_non_null(
      strstr(err.text, "has no conv9/kernel (3x3x3x2), which the model needs; it has 6 tensors, the first block1_conv1/kernel"));
  drop(&f);
}

static void test_other_formats(void **state) {
  char *path = strdup(tmp_path("weights/x.bin"));
  (void)state;
  SAYS("tests/golden/weights/none.h5", UM_EIO, "No such file");
  SAYS("tests/golden/weights", UM_EFORMAT, "expected a file");
  tmp_write(path, "", 0);
  SAYS(path, UM_EFORMAT, "an empty file");
  tmp_write(path, "\x89HDF", 4);
  SAYS(path, UM_EFORMAT, "too short");
  tmp_write(path, "GIF89a and so on", 16);
  SAYS(path, UM_EFORMAT, "none of the formats that are read");
  tmp_write(path, "\x89HDF\r\n\x1a\n and nothing more", 24);
  SAYS(path, UM_EFORMAT, "not readable as HDF5");
  free(path);
}

static void *read_all(const char *path, size_t *size) {
  char *data;
  um_error err = {0};
  if (um_file_read(&data, size, path, 1 << 20, &err)) fail_msg("%s", err.text);
  return data;
}

/* Cut at every 499th byte, and with a byte changed at 500 places: an error with a message, or (where the change hit nothing that
 * matters, or values) a load. Some of these files make HDF5 1.10.8 itself crash, which must be an error message here. */
static void test_damage(void **state) {
  size_t size;
  char *data = read_all(DIR "tfkeras_full.h5", &size), *path = strdup(tmp_path("weights/damaged.h5"));
  um_weights_report report;
  um_error err = {0};
  fixture f;
  int loaded = 0, refused = 0, crashed = 0;
  (void)state;
  build(&f, 3, "block1_conv1");
  for (size_t n = 9; n < size; n += 499) {
    tmp_write(path, data, n);
    assert_int_equal(um_weights_load(f.model, path, NULL, &report, &err), UM_EFORMAT);
    assert_non_null(strstr(err.text, "fetch or copy the file again"));
  }
  for (uint32_t i = 0; i < 500; i++) {
    size_t at = 8 + golden_word(50, i) % (size - 8);
    char old = data[at];
    data[at] ^= (char)(1 + golden_word(51, i) % 255);
    tmp_write(path, data, size);
    data[at] = old;
    if (um_weights_load(f.model, path, NULL, &report, &err)) {
      refused++;
      crashed += strstr(err.text, "breaks down") != NULL;
      assert_non_null(strstr(err.text, path));
    } else {
      loaded++;
      um_weights_report_free(&report);
    }
  }
  print_message("500 changed bytes: %d loaded, %d refused, of these %d after a crash in HDF5\n", loaded, refused, crashed);
  assert_true(refused > 20 && loaded > 50);
  drop(&f);
  free(path);
  free(data);
}

/* Files that mean harm, made from a good one through HDF5 itself. */
static const char *tampered(const char *name, hid_t *file) {
  size_t size;
  char *data = read_all(DIR "tfkeras_notop.h5", &size);
  const char *path = tmp_path(name);
  tmp_write(path, data, size);
  free(data);
  *file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  assert_true(*file >= 0);
  return path;
}

#define KERNEL "block1_conv1/block1_conv1/kernel:0"

/* Puts another dataset where the kernel was. */
static void replace_kernel(hid_t file, hid_t type, const hsize_t dim[4], hid_t properties, bool write) {
  float ones[54];
  for (int i = 0; i < 54; i++) ones[i] = 1;
  assert_true(H5Ldelete(file, KERNEL, H5P_DEFAULT) >= 0);
  const hsize_t limit[4] = {H5S_UNLIMITED, H5S_UNLIMITED, H5S_UNLIMITED, H5S_UNLIMITED};
  hid_t space = H5Screate_simple(4, dim, properties != H5P_DEFAULT && H5Pget_layout(properties) == H5D_CHUNKED ? limit : NULL),
        set = H5Dcreate2(file, KERNEL, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  assert_true(set >= 0);
  if (write) assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, ones) >= 0);
  H5Dclose(set);
  H5Sclose(space);
}

static void test_hostile(void **state) {
  const hsize_t right[4] = {3, 3, 3, 2}, huge[4] = {1u << 20, 1u << 20, 1u << 20, 512};
  const char *path;
  hid_t file, properties;
  (void)state;

  path = tampered("weights/soft.h5", &file);
  H5Ldelete(file, KERNEL, H5P_DEFAULT);
  H5Lcreate_soft("/block1_conv1/block1_conv1/bias:0", file, KERNEL, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "soft link");

  path = tampered("weights/external_link.h5", &file);
  H5Ldelete(file, "block1_conv1", H5P_DEFAULT);
  H5Lcreate_external("tfkeras_notop.h5", "/block1_conv1", file, "block1_conv1", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "external link");

  path = tampered("weights/external_data.h5", &file);
  properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(properties, "/etc/passwd", 0, 54 * 4);
  replace_kernel(file, H5T_IEEE_F32LE, right, properties, false);
  H5Pclose(properties);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "another file");

  path = tampered("weights/huge.h5", &file); /* 2 to the 71 bytes */
  properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, 4, right);
  replace_kernel(file, H5T_IEEE_F32LE, huge, properties, false);
  H5Pclose(properties);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "1048576x1048576x1048576x512 in the file, 3x3x3x2 in the model");

  path = tampered("weights/chunk.h5", &file); /* one chunk of 3.5 GiB */
  properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, 4, (hsize_t[]){512, 512, 512, 7});
  replace_kernel(file, H5T_IEEE_F32LE, right, properties, false);
  H5Pclose(properties);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "chunks of more than");

  path = tampered("weights/unwritten.h5", &file);
  replace_kernel(file, H5T_IEEE_F32LE, right, H5P_DEFAULT, false);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "bytes of storage");

  path = tampered("weights/unwritten_chunks.h5", &file);
  properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, 4, (hsize_t[]){1, 3, 3, 2});
  H5Pset_deflate(properties, 9);
  replace_kernel(file, H5T_IEEE_F32LE, right, properties, false);
  H5Pclose(properties);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "never written");

  path = tampered("weights/integers.h5", &file);
  replace_kernel(file, H5T_STD_I32LE, right, H5P_DEFAULT, true);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "expected floating point");

  path = tampered("weights/filter.h5", &file);
  properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, 4, right);
  H5Pset_scaleoffset(properties, H5Z_SO_FLOAT_DSCALE, 3);
  replace_kernel(file, H5T_IEEE_F32LE, right, properties, true);
  H5Pclose(properties);
  H5Fclose(file);
  SAYS(path, UM_EUNSUPPORTED, "h5repack");

  path = tampered("weights/gone.h5", &file);
  H5Ldelete(file, KERNEL, H5P_DEFAULT);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "no such object");

  path = tampered("weights/group.h5", &file);
  H5Ldelete(file, KERNEL, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, KERNEL, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "expected a dataset");

  path = tampered("weights/names.h5", &file); /* layer_names of integers */
  H5Adelete(file, "layer_names");
  hid_t space = H5Screate_simple(1, (hsize_t[]){3}, NULL);
  H5Aclose(H5Acreate2(file, "layer_names", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "expected strings");

  path = tampered("weights/foreign.h5", &file);
  H5Adelete(file, "layer_names");
  H5Fclose(file);
  SAYS(path, UM_EFORMAT, "not one of Keras");
}

static void test_meaning(void **state) {
  const char *path;
  hid_t file;
  (void)state;
  path = tampered("weights/theano.h5", &file);
  H5Adelete(file, "backend");
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), attribute;
  H5Tset_size(type, 6);
  attribute = H5Acreate2(file, "backend", type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, "theano");
  H5Aclose(attribute);
  H5Fclose(file);
  SAYS(path, UM_EUNSUPPORTED, "Theano");

  path = tampered("weights/first.h5", &file);
  static const char config[] = "{\"layers\": [{\"data_format\": \"channels_first\"}]}";
  H5Tset_size(type, sizeof config);
  attribute = H5Acreate2(file, "model_config", type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, config);
  H5Aclose(attribute);
  H5Fclose(file);
  H5Tclose(type);
  H5Sclose(space);
  SAYS(path, UM_EUNSUPPORTED, "channels_last");

  path = tampered("weights/nan.h5", &file);
  float bias[2] = {0, NAN};
  hid_t set = H5Dopen2(file, "block1_conv1/block1_conv1/bias:0", H5P_DEFAULT);
  H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, bias);
  H5Dclose(set);
  H5Fclose(file);
  fixture f;
  um_error err = {0};
  build(&f, 3, "block1_conv1");
  assert_int_equal(um_weights_load(f.model, path, "block1_pool", NULL, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "holds nan at element 1"));
  drop(&f);
}

static void test_safetensors(void **state) {
  static const struct {
    const char *name;
    int ndim;
    int64_t dim[4];
  } shape[6] = {{"block1_conv1/kernel", 4, {3, 3, 3, 2}},
                {"block1_conv1/bias", 1, {2}},
                {"dense/kernel", 2, {32, 3}},
                {"dense/bias", 1, {3}},
                {"dense_1/kernel", 2, {3, 1}},
                {"dense_1/bias", 1, {1}}};
  float data[6][128];
  uint16_t half[128], brain[128];
  um_st_entry entry[6];
  char *path = strdup(tmp_path("weights/ours.safetensors"));
  (void)state;
  for (int p = 0; p < 6; p++) {
    entry[p] = (um_st_entry){shape[p].name, um_tensor_plain(UM_F32, shape[p].ndim, shape[p].dim)};
    entry[p].tensor.data = data[p];
    for (uint32_t i = 0; i < (uint32_t)um_tensor_count(&entry[p].tensor); i++) data[p][i] = expected(p, i);
  }
  OK(um_st_write(path, entry, 6, (const char *[]){"format", "test", NULL}, err));
  load_whole(path);

  /* float16 of what it holds exactly, written bit by bit here: sign, exponent + 15, ten bits of fraction. */
  for (uint32_t i = 0; i < 96; i++) {
    int exponent;
    float m = frexpf(fabsf(data[2][i]), &exponent);
    half[i] = (uint16_t)((signbit(data[2][i]) ? 0x8000 : 0) | (data[2][i] == 0 ? 0 : ((exponent + 14) << 10 | ((int)(m * 2048) & 1023))));
  }
  entry[2].tensor = um_tensor_plain(UM_F16, 2, shape[2].dim);
  entry[2].tensor.data = half;
  OK(um_st_write(path, entry, 6, NULL, err));
  load_whole(path);

  /* bfloat16: the upper half of a float. */
  fixture f;
  uint32_t bits;
  float value[128];
  for (uint32_t i = 0; i < 96; i++) {
    memcpy(&bits, &data[2][i], 4);
    brain[i] = (uint16_t)(bits >> 16);
  }
  entry[2].tensor = um_tensor_plain(UM_BF16, 2, shape[2].dim);
  entry[2].tensor.data = brain;
  OK(um_st_write(path, entry, 6, NULL, err));
  build(&f, 3, "block1_conv1");
  OK(um_weights_load(f.model, path, NULL, NULL, err));
  OK(um_model_get(f.model, 'w', 2, value, err));
  for (uint32_t i = 0; i < 96; i++) {
    bits = (uint32_t)brain[i] << 16;
    assert_memory_equal(&value[i], &bits, 4);
  }
  drop(&f);

  entry[2].tensor = um_tensor_plain(UM_I32, 2, shape[2].dim);
  entry[2].tensor.data = data[2];
  OK(um_st_write(path, entry, 6, NULL, err));
  SAYS(path, UM_EFORMAT, "expected floating point, found i32");

  entry[2].tensor = um_tensor_plain(UM_F32, 2, (const int64_t[]){3, 32}); /* torch's order, out x in */
  entry[2].tensor.data = data[2];
  OK(um_st_write(path, entry, 6, NULL, err));
  SAYS(path, UM_EFORMAT, "dense/kernel is 3x32 in the file, 32x3 in the model");
  free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_full_models), cmocka_unit_test(test_backbones),     cmocka_unit_test(test_skipped),
      cmocka_unit_test(test_other_model), cmocka_unit_test(test_other_formats), cmocka_unit_test(test_damage),
      cmocka_unit_test(test_hostile),     cmocka_unit_test(test_meaning),       cmocka_unit_test(test_safetensors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
