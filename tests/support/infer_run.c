#include "tests/support/infer_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "core/json.h"
#include "data/image.h"
#include "tests/support/tmp.h"

static const float weights[3] = {3, -5, 2.5f}, known_bias = .25f;

void infer_save(const char *path, um_graph *g, const um_preprocess *p, const float *const *values) {
  um_backend *be;
  um_model *m;
  um_error err;
  int count;
  assert_int_equal(um_ref_open(&be, &err), UM_OK);
  assert_int_equal(um_model_create(&m, g, be, &(um_model_options){.batch = 1}, &err), UM_OK);
  um_model_params(m, &count);
  for (int i = 0; i < count; i++) assert_int_equal(um_model_set(m, 'w', i, values[i], &err), UM_OK);
  assert_int_equal(um_checkpoint_save(path, m, p, NULL, &err), UM_OK);
  um_model_free(m);
  be->ops->close(be);
  um_graph_free(g);
}

void infer_save_mean(const char *path, const um_preprocess *p, const float channel[3], float bias) {
  um_graph g = {0};
  um_error err;
  int at = um_graph_add_input(&g, "input", p->target_size[0], p->target_size[1], 3, &err);
  at = um_graph_add_simple(&g, "mean", UM_OP_GLOBAL_AVG_POOL, &at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_dense(&g, "dense", at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_simple(&g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, &err);
  assert_true(at > 0);
  infer_save(path, &g, p, (const float *const[]){channel, &bias});
}

void infer_model(const char *path, const char *class_0, const char *class_1) {
  um_preprocess p = {.target_size = {32, 32}, .rescale = 1 / 255., .faces.detector = "haar", .faces.fps = 2, .faces.max_size = 1000};
  snprintf(p.classes[0], sizeof p.classes[0], "%s", class_0);
  snprintf(p.classes[1], sizeof p.classes[1], "%s", class_1);
  infer_save_mean(path, &p, weights, known_bias);
}

enum { HEAT_SIDE = 32 };

void infer_calibrated_model(const char *path, const char *class_0, const char *class_1, float weight, float bias, bool grey,
                            const um_calibration *calibration) {
  const float red_not_green[3] = {1, -1, 0}, brightness[3] = {1, 1, 1}, zero = 0;
  um_graph g = {0};
  um_error err;
  um_preprocess p = {.target_size = {HEAT_SIDE, HEAT_SIDE}, .rescale = 1 / 255., .faces.detector = "haar", .faces.fps = 4};
  p.faces.choice = UM_FACES_ALL;
  if (calibration) p.calibration = *calibration;
  snprintf(p.classes[0], sizeof p.classes[0], "%s", class_0);
  snprintf(p.classes[1], sizeof p.classes[1], "%s", class_1);
  int at = um_graph_add_input(&g, "input", HEAT_SIDE, HEAT_SIDE, 3, &err);
  at = um_graph_add_conv2d(&g, "conv", at, 1, (const int[]){1, 1}, (const int[]){1, 1}, UM_PAD_VALID, UM_ACT_RELU, &err);
  at = um_graph_add_simple(&g, "mean", UM_OP_GLOBAL_AVG_POOL, &at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_dense(&g, "dense", at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_simple(&g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, &err);
  assert_true(at > 0);
  infer_save(path, &g, &p, (const float *const[]){grey ? brightness : red_not_green, &zero, &weight, &bias});
}

void infer_heat_model(const char *path, const char *class_0, const char *class_1, float weight, float bias, bool grey) {
  infer_calibrated_model(path, class_0, class_1, weight, bias, grey, NULL);
}

double infer_known(const uint8_t rgb[3]) {
  double z = known_bias;
  for (int c = 0; c < 3; c++) z += weights[c] * rgb[c] / 255;
  return 1 / (1 + exp(-z));
}

void infer_colour(const char *path, const uint8_t rgb[3], int width, int height) {
  um_image im = {0};
  um_error err;
  assert_int_equal(um_image_alloc(&im, width, height, &err), UM_OK);
  for (int i = 0; i < width * height * 3; i++) im.pixels[i] = rgb[i % 3];
  assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
  um_image_free(&im);
}

int infer_run(const char *format, ...) {
  char command[16384], arguments[12288];
  const char *bin = getenv("UM_BIN");
  va_list args;
  va_start(args, format);
  vsnprintf(arguments, sizeof arguments, format, args);
  va_end(args);
  snprintf(command, sizeof command, "%s/infer %s", bin ? bin : "bin", arguments);
  int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

cJSON *infer_json(const char *path) {
  char *text;
  size_t size;
  um_error err;
  assert_int_equal(um_file_read(&text, &size, path, 1 << 26, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  free(text);
  assert_non_null(root);
  return root;
}

void infer_edit(const char *from, const char *to, const char *way, const char *value) {
  cJSON *root = infer_json(from), *at = root, *new = cJSON_CreateRaw(value);
  char part[64];
  while (at) {
    const size_t n = strcspn(way, "/");
    snprintf(part, sizeof part, "%.*s", (int)n, way);
    if (!way[n]) break;
    at = cJSON_IsArray(at) ? cJSON_GetArrayItem(at, atoi(part)) : cJSON_GetObjectItemCaseSensitive(at, part);
    way += n + 1;
  }
  assert_non_null(at);
  if (!*value && cJSON_IsArray(at))
    cJSON_DeleteItemFromArray(at, atoi(part)), cJSON_Delete(new);
  else if (!*value)
    cJSON_DeleteItemFromObjectCaseSensitive(at, part), cJSON_Delete(new);
  else if (cJSON_IsArray(at))
    assert_true(cJSON_ReplaceItemInArray(at, atoi(part), new));
  else if (cJSON_HasObjectItem(at, part))
    assert_true(cJSON_ReplaceItemInObjectCaseSensitive(at, part, new));
  else
    assert_true(cJSON_AddItemToObject(at, part, new));
  char *text = um_json_print(root, false);
  assert_non_null(text);
  tmp_write(to, text, strlen(text));
  cJSON_free(text), cJSON_Delete(root);
}

char *infer_verdicts(const char *path) {
  cJSON *all = infer_json(path);
  cJSON_DeleteItemFromObjectCaseSensitive(all, "run");
  cJSON_DeleteItemFromObjectCaseSensitive(all, "labels");
  char *text = um_json_print(all, false);
  cJSON_Delete(all);
  assert_non_null(text);
  return text;
}

const cJSON *infer_get(const cJSON *o, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  if (!v) fail_msg("no key %s", key);
  return v;
}

bool infer_says(const char *path, const char *text) {
  char name[4200], *data = NULL;
  size_t size;
  um_error err = {0};
  snprintf(name, sizeof name, "%s.txt", path);
  const bool found = um_file_read(&data, &size, name, 1 << 20, &err) == UM_OK && strstr(data, text);
  free(data);
  return found;
}
