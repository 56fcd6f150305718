/* export and inspect as programs: every format there and back, what is refused and why, and that nothing half-done is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "data/image.h"
#include "tests/support/picture.h"
#include "tests/support/tmp.h"

static char folder[4096];

static const char *in(const char *name) {
  static char ring[4][4200];
  static int at;
  char *out = ring[at++ % 4];
  snprintf(out, sizeof ring[0], "%.4000s/%s", folder, name);
  return out;
}

/* Exit status; what it printed goes to the file `log`. $D: our folder, $B: the programs. */
static int run(const char *command) {
  char line[9000];
  snprintf(line, sizeof line, "D=%s; B=%s; %s >$D/log 2>&1", folder, getenv("UM_BIN") ? getenv("UM_BIN") : "bin", command);
  const int status = system(line);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *said(void) {
  static char *text;
  size_t size;
  um_error err = {0};
  free(text);
  text = NULL;
  if (um_file_read(&text, &size, in("log"), 1 << 20, &err)) fail_msg("%s", err.text);
  return text;
}

#define RUN(expected, command)                                                                                                             \
  do {                                                                                                                                     \
    const int got_ = run(command);                                                                                                         \
    if (got_ != (expected)) fail_msg("%s: exit status %d, expected %d: %s", command, got_, expected, said());                              \
  } while (0)
#define SAYS(text)                                                                                                                         \
  do {                                                                                                                                     \
    if (!strstr(said(), text)) fail_msg("expected \"%s\" in: %s", text, said());                                                           \
  } while (0)

static const um_preprocess preprocess = {.target_size = {16, 20},
                                         .interpolation = UM_BILINEAR,
                                         .rescale = 1 / 255.0,
                                         .faces.detector = "haar",
                                         .faces.fps = 2,
                                         .faces.max_size = 1000,
                                         .classes = {"fake", "real"}};

/* A tiny model with random weights, and another that differs in one value. */
static int set_up(void **state) {
  um_graph g = {0};
  um_backend *be;
  um_model *m;
  um_error err = {0};
  float bias[8];
  int at;
  (void)state;
  snprintf(folder, sizeof folder, "%s", tmp_path("export/x"));
  *strrchr(folder, '/') = 0;
  if ((at = um_graph_add_tiny(&g, 16, 20, &err)) < 0 ||
      (at = um_graph_add_simple(&g, NULL, UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, &err)) < 0 ||
      (at = um_graph_add_dense(&g, NULL, at, 8, UM_ACT_RELU, &err)) < 0 ||
      (at = um_graph_add_dense(&g, NULL, at, 1, UM_ACT_NONE, &err)) < 0 ||
      um_graph_add_simple(&g, NULL, UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, &err) < 0)
    return -1;
  if (um_ref_open(&be, &err) || um_model_create(&m, &g, be, &(um_model_options){.batch = 1}, &err) || um_model_init(m, 5, &err)) return -1;
  for (int i = 0; i < 8; i++) bias[i] = (float)i / 16;
  if (um_model_set(m, 'w', 9, bias, &err) || um_checkpoint_save(in("m.safetensors"), m, &preprocess, NULL, &err)) return -1;
  bias[3] += 1e-3f;
  if (um_model_set(m, 'w', 9, bias, &err) || um_checkpoint_save(in("other.safetensors"), m, &preprocess, NULL, &err)) return -1;
  um_model_free(m);
  be->ops->close(be);
  um_graph_free(&g);
  for (int i = 0; i < 5; i++) {
    um_image im = {0};
    char name[32];
    snprintf(name, sizeof name, "pics/%d.png", i);
    if (um_mkdirs(in("pics"), &err) || um_image_alloc(&im, 30, 25, &err)) return -1;
    test_picture(im.pixels, 25, 30);
    im.pixels[0] = (uint8_t)(40 * i);
    if (um_image_write_png(&im, in(name), &err)) return -1;
    um_image_free(&im);
  }
  return 0;
}

/* Every format: read back, compared on random inputs and on pictures, and back to ours bit for bit. */
static void there_and_back(void **state) {
  static const char *const formats[] = {"safetensors", "keras-h5", "keras", "torch", "onnx", "onnx --layout nchw --uint8", "npz"};
  (void)state;
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    char command[600];
    snprintf(command, sizeof command, "$B/export --model $D/m.safetensors --to %s --out $D/out.file --check $D/pics", formats[i]);
    RUN(0, command);
    SAYS("compared  8 random inputs: largest difference of two logits 0; parameters equal bit for bit");
    SAYS("compared  5 pictures: largest difference of two logits 0");
    RUN(0, "$B/inspect $D/m.safetensors $D/out.file");
    SAYS("the same: 12 tensors");
    RUN(0, "$B/export --model $D/out.file --to safetensors --out $D/back.safetensors --quiet");
    RUN(0, "$B/inspect $D/back.safetensors $D/m.safetensors");
    RUN(0, "$B/inspect $D/out.file");
    SAYS("values");
    RUN(1, "$B/inspect $D/out.file $D/other.safetensors");
    SAYS("1 of 8 values differ, by at most 0.001");
    SAYS("11 tensors are the same, 1 are not");
    RUN(0, "$B/inspect --tolerance 0.002 $D/out.file $D/other.safetensors");
    RUN(0, "$B/infer --model $D/out.file --faces-are-cut --json $D/scores.json $D/pics");
  }
}

/* A file that says nothing of classes is refused until a person says them. */
static void what_must_be_said(void **state) {
  (void)state;
  RUN(1, "$B/infer --model tests/golden/weights/keras3_full.h5 --faces-are-cut $D/pics");
  RUN(2, "$B/export --model $D/m.safetensors --to jpeg --out $D/no");
  SAYS("--to: expected safetensors, keras-h5, keras, torch, onnx or npz, got \"jpeg\"");
  RUN(2, "$B/export --model $D/m.safetensors --to onnx");
  SAYS("--out FILE: not given");
  RUN(2, "$B/export --model $D/m.safetensors --to npz --out $D/no --classes real");
  SAYS("--classes: expected two names");
  RUN(0, "$B/export --model $D/m.safetensors --to npz --out $D/named.npz --classes human,machine --rescale 1/127.5 --quiet");
  RUN(0, "$B/export --model $D/named.npz --to safetensors --out $D/named.safetensors --quiet && strings $D/named.safetensors");
  SAYS("[\\\"human\\\",\\\"machine\\\"]");
  RUN(1, "$B/infer --model $D/named.safetensors --faces-are-cut $D/pics");
  SAYS("one of them must be named fake or real");
}

/* Nothing is left where something fails: the old file stays, no temporary one lies about. */
static void nothing_half_done(void **state) {
  (void)state;
  RUN(0, "cd $D && rm -rf place && mkdir place && (echo old >place/x.onnx)");
  RUN(1, "$B/export --model $D/pics/1.png --to onnx --out $D/place/x.onnx");
  SAYS("none of the formats that are read");
  RUN(1, "$B/export --model $D/m.safetensors --to onnx --out $D/place/x.onnx --check $D/place");
  SAYS("no picture in it could be read");
  RUN(1, "$B/export --model $D/m.safetensors --to onnx --out $D/nowhere/x.onnx");
  RUN(0, "test \"$(ls -A $D/place)\" = x.onnx && test \"$(cat $D/place/x.onnx)\" = old");
}

/* A model file whose numbers were changed is not what its fingerprint says. */
static void fingerprint(void **state) {
  size_t size;
  char *data;
  um_error err = {0};
  (void)state;
  assert_int_equal(um_file_read(&data, &size, in("m.safetensors"), 1 << 24, &err), UM_OK);
  data[size - 5] ^= 1;
  tmp_write(in("edited.safetensors"), data, size);
  free(data);
  RUN(1, "$B/infer --model $D/edited.safetensors --faces-are-cut $D/pics");
  SAYS("not what its fingerprint stands for");
  RUN(1, "$B/export --model $D/edited.safetensors --to npz --out $D/edited.npz");
  SAYS("not what its fingerprint stands for");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(what_must_be_said),
                                     cmocka_unit_test(nothing_half_done), cmocka_unit_test(fingerprint)};
  return cmocka_run_group_tests(tests, set_up, NULL);
}
