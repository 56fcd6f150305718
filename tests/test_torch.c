/* State dicts that the real torch.save wrote (tests/golden/torch_files.py) into a model; our export and back; files that are damaged or
 * mean harm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/damage.h"
#include "tests/support/tmp.h"
#include "tests/support/weights_model.h"
#include "weights/pickle.h"

#define DIR "tests/golden/weights/"
static void reads_state_dicts(void **state) {
  (void)state;
  weights_model_check(DIR "torch_zip.pt", -1, "PyTorch state dict (zip), torchvision's names");
  weights_model_check(DIR "torch_legacy.pt", -1, "PyTorch state dict (legacy), torchvision's names");
  weights_model_check(DIR "torch_legacy_old.pt", -1, "PyTorch state dict (legacy), torchvision's names");
  weights_model_check(DIR "torch_protocol4.pt", -1, "PyTorch state dict (zip), torchvision's names");
  weights_model_check(DIR "torch_protocol5.pt", -1, "PyTorch state dict (zip), torchvision's names");
  weights_model_check(DIR "torch_deflated.pt", -1, "PyTorch state dict (zip), torchvision's names");
  weights_model_check(DIR "torch_newer.pt", -1, "PyTorch state dict (zip), torchvision's names");
  weights_model_check(DIR "torch_checkpoint.pth", -1, "PyTorch state dict (zip), torchvision's names");
  weights_model_check(DIR "torch_views.pt", -1, "PyTorch state dict (zip), torchvision's names");
  weights_model_check(DIR "torch_views_legacy.pt", -1, "PyTorch state dict (legacy), torchvision's names");
  weights_model_check(DIR "torch_types.pt", 1, "PyTorch state dict (zip), torchvision's names");
  weights_model_check(DIR "torch_dropout.pt", -1, "PyTorch state dict (zip), torchvision's names");
}

static const um_weight_item *find(const um_weight_source *s, const char *name) {
  for (int i = 0; i < s->count; i++)
    if (strcmp(s->item[i].name, name) == 0) return &s->item[i];
  fail_msg("no %s", name);
  return NULL;
}

static void lists_what_is_there(void **state) {
  um_weight_source s;
  float value[8];
  (void)state;
  OK(um_torch_open(&s, DIR "torch_types.pt", NULL, err));
  assert_int_equal(s.count, 9);
  assert_string_equal(find(&s, "features.0.weight")->dtype, "f16");
  assert_int_equal(find(&s, "features.0.weight")->layout, UM_WEIGHT_OURS);
  assert_string_equal(find(&s, "features.0.bias")->dtype, "bf16");
  assert_string_equal(find(&s, "classifier.0.weight")->dtype, "f64");
  const um_weight_item *batches = find(&s, "num_batches_tracked"), *mask = find(&s, "mask"), *empty = find(&s, "empty");
  assert_string_equal(batches->dtype, "i64");
  assert_int_equal(batches->ndim, 0);
  OK(s.read(&s, (int)(batches - s.item), value, 1, err));
  assert_true(value[0] == 1234567);
  assert_string_equal(mask->dtype, "bool");
  OK(s.read(&s, (int)(mask - s.item), value, 2, err));
  assert_true(value[0] == 1 && value[1] == 0);
  assert_int_equal(empty->ndim, 2);
  assert_int_equal(empty->dim[0], 0);
  OK(s.read(&s, (int)(empty - s.item), value, 0, err));
  assert_null(s.model);
  um_weight_source_close(&s);

  OK(um_torch_open(&s, DIR "torch_checkpoint.pth", NULL, err));
  assert_int_equal(s.count, 6); /* not the optimizer's */
  assert_string_equal(s.item[0].name, "module.features.0.weight");
  um_weight_source_close(&s);

  /* Another head: the backbone alone gets our names. */
  OK(um_torch_open(&s, DIR "torch_timm.pt", &weights_model_graph, err));
  assert_string_equal(s.kind, "PyTorch state dict (zip), timm's names");
  assert_int_equal(find(&s, "block1_conv1/kernel")->layout, UM_WEIGHT_OIHW);
  assert_string_equal(find(&s, "block1_conv1/kernel")->from, "features.0.weight");
  find(&s, "block1_conv1/bias");
  find(&s, "pre_logits.fc1.weight");
  find(&s, "head.fc.weight");
  um_weight_source_close(&s);
}

/* The names that real networks have: torchvision's list for VGG16, and such as are not ours. */
static void names_vgg16(void **state) {
  static const int numbers[13] = {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28};
  um_graph vgg = {0};
  um_weight_source s = {.path = "x"};
  char name[64];
  const char *scheme;
  int at;
  (void)state;
  OK(at = um_graph_add_vgg16(&vgg, 150, 150, err));
  OK(at = um_graph_add_simple(&vgg, NULL, UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err));
  OK(at = um_graph_add_dense(&vgg, NULL, at, 256, UM_ACT_RELU, err));
  OK(at = um_graph_add_dense(&vgg, NULL, at, 1, UM_ACT_NONE, err));
  for (int with_head = 0; with_head < 2; with_head++) {
    for (int i = 0; i < 13; i++) {
      snprintf(name, sizeof name, "features.%d.weight", numbers[i]);
      um_weight_item *item = um_weight_source_add(&s, name, name);
      item->ndim = 4;
    }
    /* torchvision's own head is another: three layers, 1,000 classes. */
    for (int i = 0; i < 3; i++) {
      snprintf(name, sizeof name, "classifier.%d.weight", with_head ? 2 * i : 3 * i);
      if (with_head && i == 2) break;
      um_weight_item *item = um_weight_source_add(&s, name, name);
      item->ndim = 2;
      item->dim[0] = 1000;
    }
    assert_true(um_torch_names(&s, &vgg, &scheme));
    assert_string_equal(scheme, "torchvision's names");
    assert_int_equal(strncmp(s.note, "ImageNet weights", 16) == 0, !with_head);
    assert_string_equal(s.item[0].name, "block1_conv1/kernel");
    assert_string_equal(s.item[4].name, "block3_conv1/kernel");
    assert_string_equal(s.item[12].name, "block5_conv3/kernel");
    assert_string_equal(s.item[13].name, with_head ? "dense/kernel" : "classifier.0.weight");
    if (with_head) {
      assert_int_equal(s.item[13].layout, UM_WEIGHT_OI_CHW);
      assert_int_equal(s.item[13].chw[0], 512);
      assert_int_equal(s.item[13].chw[1], 4);
      assert_int_equal(s.item[13].chw[2], 4);
      assert_string_equal(s.item[14].name, "dense_1/kernel");
      assert_int_equal(s.item[14].layout, UM_WEIGHT_OI);
    }
    um_weight_source_close(&s);
  }
  /* vgg16_bn: batch normalization in between. */
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "features.%d.weight", i);
    um_weight_source_add(&s, name, name)->ndim = i == 1 ? 1 : 4;
  }
  assert_false(um_torch_names(&s, &vgg, &scheme));
  assert_string_equal(s.item[0].name, "features.0.weight");
  assert_non_null(strstr(s.note, "another network"));
  assert_true(um_torch_names(&s, NULL, &scheme));
  um_weight_source_close(&s);
  um_graph_free(&vgg);
}

static void exports(void **state) {
  (void)state;
  weights_model_round_trip(um_export_torch, "round.safetensors", "safetensors, torchvision's names");
}

static void says(const char *path, int code, const char *part) {
  um_weight_source s;
  um_error err = {0};
  int status = um_torch_open(&s, path, &weights_model_graph, &err);
  if (status != code || !strstr(err.text, part) || strncmp(err.text, path, strlen(path)) != 0)
    fail_msg("%s: code %d, expected %d with \"%s\": %s", path, status, code, part, err.text);
}

static void refuses_by_name(void **state) {
  const char *path = tmp_path("torch/x.pt");
  (void)state;
  unlink("/tmp/unmask-was-run");
  says(DIR "torch_system.pt", UM_EUNSUPPORTED, "refers to Python's posix.system, which tensors do not need; nothing of it was run");
  assert_int_not_equal(access("/tmp/unmask-was-run", F_OK), 0);
  says(DIR "torch_module.pt", UM_EUNSUPPORTED, "refers to Python's torch.nn.modules.container.Sequential");
  says(DIR "torch_script.pt", UM_EUNSUPPORTED, "a TorchScript program");
  says(DIR "python.zip", UM_EFORMAT, "not PyTorch's: it has no data.pkl");
  says(DIR "none.pt", UM_EIO, "cannot be opened");
  tmp_write(path, "", 0);
  says(path, UM_EFORMAT, "an empty file");
  tmp_write(path, "\x80\x02K\x05.", 5);
  says(path, UM_EFORMAT, "a pickle, but not of torch.save");
  tmp_write(path,
            "\x80\x02"
            "cos\nsystem\n(U\4truetR.",
            23);
  says(path, UM_EUNSUPPORTED, "Python's os.system");
  tmp_write(path, "\x80\x02(ios\nsystem\n", 14);
  says(path, UM_EUNSUPPORTED, "pickle opcode INST");
  tmp_write(path, "hello there", 11);
  says(path, UM_EFORMAT, "a memo that was never made");
}

/* ---- pickles ---- */

static void pickle_says(const void *data, size_t size, int code, const char *part) {
  um_pickle p;
  um_error err = {0};
  static const char *const globals[] = {"a.b", NULL};
  int status = um_pickle_read(&p, data, size, globals, "x", &err);
  if (status != code || (part && !strstr(err.text, part))) fail_msg("code %d, expected %d with \"%s\": %s", status, code, part, err.text);
  um_pickle_free(&p);
  um_pickle_free(&p);
}
#define PICKLE(bytes, code, part) pickle_says(bytes, sizeof bytes - 1, code, part)

static void reads_pickles(void **state) {
  um_pickle p;
  static const char *const globals[] = {"a.b", NULL};
  static const char text[] = "\x80\x04\x95\x05\0\0\0\0\0\0\0"
                             "(K\5M\0\1J\xff\xff\xff\xff\x8a\0\x8a\1\xff\x8a\x08\0\0\0\0\0\0\0\x80"
                             "G\x3f\xf8\0\0\0\0\0\0\x8c\2hi\x94h\0\x88N\x8c\1a\x8c\1b\x93t.rest";
  (void)state;
  OK(um_pickle_read(&p, (const uint8_t *)text, sizeof text - 1, globals, "x", err));
  assert_int_equal(p.used, sizeof text - 1 - 4);
  const um_pickle_value *v = p.root;
  assert_int_equal(v->kind, UM_PICKLE_TUPLE);
  assert_int_equal(v->count, 12);
  const int64_t want[6] = {5, 256, -1, 0, -1, INT64_MIN};
  for (int i = 0; i < 6; i++) assert_true(v->item[i]->kind == UM_PICKLE_INT && v->item[i]->integer == want[i]);
  assert_true(v->item[6]->real == 1.5);
  assert_true(um_pickle_is(v->item[7], "hi") && !um_pickle_is(v->item[7], "h") && v->item[8] == v->item[7]);
  assert_true(v->item[9]->kind == UM_PICKLE_BOOL && v->item[9]->integer == 1);
  assert_int_equal(v->item[10]->kind, UM_PICKLE_NONE);
  assert_true(v->item[11]->kind == UM_PICKLE_GLOBAL && v->item[11]->integer == 0);
  um_pickle_free(&p);

  OK(um_pickle_read(&p, (const uint8_t *)"}(U\1aK\1U\1aK\2N]u.", 18, globals, "x", err));
  assert_int_equal(um_pickle_find(p.root, "a")->integer, 2);
  assert_null(um_pickle_find(p.root, "b"));
  um_pickle_free(&p);
}

static void refuses_pickles(void **state) {
  (void)state;
  PICKLE("", UM_EFORMAT, "it ends in the middle");
  PICKLE("K", UM_EFORMAT, "it ends in the middle");
  PICKLE(".", UM_EFORMAT, "it stops too early");
  PICKLE("NN.", UM_EFORMAT, "it stops too early");
  PICKLE("(N.", UM_EFORMAT, "it stops too early");
  PICKLE("t.", UM_EFORMAT, "a mark is missing");
  PICKLE("N\x86.", UM_EFORMAT, "a value is missing");
  PICKLE("]Na(a.", UM_EFORMAT, "a value is missing");
  PICKLE("}Ns.", UM_EFORMAT, "a value is missing");
  PICKLE("NNa.", UM_EFORMAT, "items for what has none");
  PICKLE("}(Nu.", UM_EFORMAT, "items for what has none");
  PICKLE("](N(e.", UM_EFORMAT, "items for what has none");
  PICKLE("]((Ne.", UM_EFORMAT, "a value is missing");
  PICKLE("NN\x93.", UM_EFORMAT, "a global without a name");
  PICKLE("NNR.", UM_EFORMAT, "a call of what is no function");
  PICKLE("NNb.", UM_EFORMAT, "attributes of what has none");
  PICKLE("Q.", UM_EFORMAT, "a value is missing");
  PICKLE("h\7.", UM_EFORMAT, "a memo that was never made");
  PICKLE("Nr\xff\xff\xff\xff.", UM_EFORMAT, "a memo beyond all values");
  PICKLE("X\xff\xff\xff\xff", UM_EFORMAT, "it ends in the middle of a text");
  PICKLE("\x8a\xff", UM_EFORMAT, "it ends in the middle");
  PICKLE("\x95\xff\xff\xff\xff\xff\xff\xff\x7f", UM_EFORMAT, "it ends in the middle");
  PICKLE("\x80\1.", UM_EUNSUPPORTED, "protocol 1, expected 2 to 5");
  PICKLE("ca", UM_EFORMAT, "in the middle of a name");
  PICKLE("ca\nc\n", UM_EUNSUPPORTED, "Python's a.c,");
  PICKLE("ca\tb\nc\n", UM_EUNSUPPORTED, "Python's a?b.c,");
  PICKLE("ca\nb\n(t\x81", UM_EUNSUPPORTED, "opcode NEWOBJ");
  PICKLE("I01\n", UM_EUNSUPPORTED, "opcode INT");
  PICKLE("\x01", UM_EFORMAT, "no pickle opcode is 0x01");
  PICKLE("ccollections\nOrderedDict\nN\x85R.", UM_EFORMAT, "an OrderedDict of something else");
  PICKLE("ccollections\nOrderedDict\n]Na\x85R.", UM_EFORMAT, "an OrderedDict of something else");

  static const char again[] = "\x94"
                              "ccollections\nOrderedDict\n\x94";
  size_t n = 1 << 20;
  char *many = malloc(n);
  memset(many, '(', n);
  pickle_says(many, n, UM_EFORMAT, "nested too deeply");
  memset(many, 'N', n);
  pickle_says(many, n, UM_EFORMAT, "its stack is too deep");
  /* A list of itself, and a list that is copied over and over. */
  PICKLE("]q\0h\0a.", UM_OK, NULL);
  strcpy(many, "](");
  size_t at = 2;
  for (int i = 0; i < 20000; i++) at += (size_t)sprintf(many + at, "NN%c", 0x86);
  many[at++] = 'e';
  memcpy(many + at, again, sizeof again - 1);
  at += sizeof again - 1;
  while (at + 5 < n) {
    memcpy(many + at, "h\1h\0\x85R", 6);
    at += 6;
  }
  pickle_says(many, at, UM_EUNSUPPORTED, "items in its containers");
  free(many);
}

static void survives_damage(void **state) {
  static const char *const good[] = {"torch_zip.pt",   "torch_legacy.pt",    "torch_legacy_old.pt",  "torch_views_legacy.pt",
                                     "torch_types.pt", "torch_protocol4.pt", "torch_checkpoint.pth", "torch_deflated.pt"};
  char path[128], message[1024];
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    snprintf(path, sizeof path, DIR "%s", good[i]);
    if (weights_model_read_torch(path, message)) fail_msg("%s", message);
    damage_all(path, 1500, 700, weights_model_read_torch);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_state_dicts), cmocka_unit_test(lists_what_is_there), cmocka_unit_test(names_vgg16),
      cmocka_unit_test(exports),           cmocka_unit_test(refuses_by_name),     cmocka_unit_test(reads_pickles),
      cmocka_unit_test(refuses_pickles),   cmocka_unit_test(survives_damage),
  };
  return cmocka_run_group_tests(tests, weights_model_build, weights_model_drop);
}
