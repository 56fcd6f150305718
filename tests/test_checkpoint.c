/* Model files and checkpoints: what is saved comes back bit for bit, and what is wrong is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "tests/support/tmp.h"

typedef struct fixture {
  um_config config;
  um_graph graph;
  um_backend *ref;
  um_model *model;
  um_model_options options;
} fixture;

static const um_preprocess preprocess = {.target_size = {16, 20},
                                         .interpolation = UM_BILINEAR,
                                         .rescale = 1.0 / 255,
                                         .preprocessing = UM_PREPROCESS_CAFFE,
                                         .scoring = {UM_FRAMES_TOP_K, 4, true},
                                         .calibration = {UM_CALIBRATION_PLATT, 1 / 3., -.1, true, .7, .2, .05, .01, 30, 40},
                                         .faces.detector = "haar",
                                         .faces.margin = 0.3,
                                         .faces.fps = 2.5,
                                         .faces.max_size = 1000,
                                         .classes = {"fake", "re\"al"}};

static void make(fixture *f, const char *optimizer, bool training, const char *trainable) {
  um_error err = {0};
  char set[64];
  snprintf(set, sizeof set, "optimizer.name=%s", optimizer);
  const char *sets[] = {set, "model.backbone=tiny", "data.target_size=[16,20]"};
  memset(f, 0, sizeof *f);
  assert_int_equal(um_config_parse(&f->config, "{}", "x", sets, 3, &err), UM_OK);
  assert_int_equal(um_config_graph(&f->graph, NULL, &f->config, &err), UM_OK);
  assert_int_equal(um_ref_open(&f->ref, &err), UM_OK);
  f->options = (um_model_options){.batch = 2, .training = training, .trainable = trainable, .optimizer = f->config.optimizer};
  if (um_model_create(&f->model, &f->graph, f->ref, &f->options, &err)) fail_msg("%s", err.text);
}

static void drop(fixture *f) {
  um_model_free(f->model);
  f->ref->ops->close(f->ref);
  um_graph_free(&f->graph);
  um_config_free(&f->config);
}

/* A few steps, so that weights and states are what training leaves. */
static void train(fixture *f) {
  um_error err = {0};
  um_loss_sums sums;
  um_warp how = {.scale = 1 / 255.f};
  uint8_t pixels[2 * 16 * 20 * 3];
  const float labels[2] = {0, 1};
  assert_int_equal(um_model_init(f->model, 7, &err), UM_OK);
  for (int s = 0; s < 3; s++) {
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 + (size_t)s * 11);
    assert_int_equal(um_model_feed_pixels(f->model, pixels, NULL, 2, &how, &err), UM_OK);
    assert_int_equal(um_model_forward(f->model, &err), UM_OK);
    assert_int_equal(um_model_backward(f->model, &sums, labels, &err), UM_OK);
    assert_int_equal(um_model_step(f->model, 1e-3, &err), UM_OK);
  }
}

static float *numbers(um_model *m, char which, int i, size_t *bytes) {
  um_error err = {0};
  int count;
  const um_param *p = um_model_params(m, &count);
  *bytes = (size_t)um_tensor_count(&p[i].plain) * sizeof(float);
  float *v = malloc(*bytes);
  assert_non_null(v);
  assert_int_equal(um_model_get(m, which, i, v, &err), UM_OK);
  return v;
}

static bool same(um_model *a, um_model *b, char which) {
  int count;
  bool equal = true;
  const um_param *p = um_model_params(a, &count);
  for (int i = 0; i < count; i++) {
    size_t n, m;
    if (which != 'w' && !p[i].trainable) continue;
    float *x = numbers(a, which, i, &n), *y = numbers(b, which, i, &m);
    equal = equal && n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
  }
  return equal;
}

static void a_run_comes_back(void **state) {
  (void)state;
  static const char *const names[] = {"rmsprop", "sgd", "adam"};
  static const char *const trainable[] = {"all", "head", "tiny_conv3"};
  for (int k = 0; k < 9; k++) {
    um_error err = {0};
    fixture a, b;
    um_st *st;
    um_graph g;
    um_preprocess p;
    const char *path = tmp_path("checkpoint/run.safetensors");
    make(&a, names[k % 3], true, trainable[k / 3]);
    make(&b, names[k % 3], true, trainable[k / 3]);
    train(&a);
    um_position at = {.epoch = 3,
                      .batch = 17,
                      .step = 123456789012,
                      .loss_sum = 0.1 + 1e-17,
                      .samples = 340,
                      .correct = 170,
                      .best = k % 2 ? INFINITY : 1.0 / 3,
                      .best_epoch = k % 2 ? -1 : 2,
                      .seconds = 1e-300,
                      .states = um_optimizer_states(&a.options.optimizer),
                      .phase = k % 3,
                      .phase_epoch = k % 4,
                      .before = 987654321098,
                      .rate = 1e-3 / 3,
                      .plateau = {.best = k % 2 ? INFINITY : 0.1, .wait = 3, .cooldown = 2},
                      .stopping = {.best = k % 2 ? -INFINITY : 0.2, .wait = 5},
                      .data = "abc"},
                back;
    if (um_checkpoint_save(path, a.model, &preprocess, &at, &err)) fail_msg("%s", err.text);
    if (um_checkpoint_open(&st, &g, &p, path, &err)) fail_msg("%s", err.text);
    assert_int_equal(g.count, a.graph.count);
    assert_int_equal(p.target_size[0], 16);
    assert_int_equal(p.target_size[1], 20);
    assert_int_equal(p.interpolation, UM_BILINEAR);
    assert_int_equal(p.preprocessing, UM_PREPROCESS_CAFFE);
    assert_true(p.scoring.frames == UM_FRAMES_TOP_K && p.scoring.top_k == 4 && p.scoring.together);
    assert_true(p.calibration.method == UM_CALIBRATION_PLATT && p.calibration.slope == 1 / 3. && p.calibration.offset == -.1 &&
                p.calibration.fake_above == .7 && p.calibration.fake == 40);
    assert_true(p.rescale == 1.0 / 255 && p.faces.margin == 0.3 && p.faces.fps == 2.5 && p.faces.max_size == 1000);
    assert_string_equal(p.faces.detector, "haar");
    assert_string_equal(p.classes[1], "re\"al");
    assert_false(same(a.model, b.model, 'w'));
    if (um_checkpoint_load(b.model, st, &back, &err)) fail_msg("%s", err.text);
    assert_true(same(a.model, b.model, 'w'));
    if (at.states & 1) assert_true(same(a.model, b.model, 'm'));
    if (at.states & 2) assert_true(same(a.model, b.model, 'v'));
    assert_int_equal(back.epoch, at.epoch);
    assert_int_equal(back.batch, at.batch);
    assert_true(back.step == at.step && um_model_steps(b.model) == at.step);
    assert_true(back.loss_sum == at.loss_sum && back.best == at.best && back.seconds == at.seconds);
    assert_true(back.samples == 340 && back.correct == 170);
    assert_int_equal(back.best_epoch, at.best_epoch);
    assert_int_equal(back.states, at.states);
    assert_string_equal(back.data, "abc");
    assert_true(back.phase == at.phase && back.phase_epoch == at.phase_epoch && back.before == at.before && back.rate == at.rate);
    assert_true(back.plateau.best == at.plateau.best && back.plateau.wait == 3 && back.plateau.cooldown == 2);
    assert_true(back.stopping.best == at.stopping.best && back.stopping.wait == 5 && back.stopping.cooldown == 0);
    um_st_close(st);
    um_graph_free(&g);
    drop(&a);
    drop(&b);
  }
}

static void a_model_file_is_for_scoring(void **state) {
  (void)state;
  um_error err = {0};
  fixture a, b;
  um_st *st;
  um_graph g;
  um_preprocess p;
  um_position at;
  const char *path = tmp_path("checkpoint/model.safetensors");
  make(&a, "adam", true, "all");
  make(&b, "adam", false, NULL);
  train(&a);
  assert_int_equal(um_checkpoint_save(path, a.model, &preprocess, NULL, &err), UM_OK);
  assert_int_equal(um_checkpoint_open(&st, &g, &p, path, &err), UM_OK);
  assert_int_equal(um_st_count(st), 12);
  assert_non_null(um_st_find(st, "tiny_conv1/kernel"));
  assert_non_null(um_st_find(st, "dense_1/bias"));
  assert_null(um_st_metadata(st, "position"));
  assert_int_equal(um_checkpoint_load(b.model, st, NULL, &err), UM_OK);
  assert_true(same(a.model, b.model, 'w'));
  assert_int_equal(um_checkpoint_load(b.model, st, &at, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "without the state of its training"));
  um_st_close(st);
  um_graph_free(&g);

  /* A checkpoint is a model file, too. */
  um_position where = {.best = INFINITY, .best_epoch = -1, .states = 3};
  assert_int_equal(um_checkpoint_save(path, a.model, &preprocess, &where, &err), UM_OK);
  assert_int_equal(um_checkpoint_open(&st, &g, &p, path, &err), UM_OK);
  assert_int_equal(um_st_count(st), 36);
  assert_int_equal(um_checkpoint_load(b.model, st, NULL, &err), UM_OK);
  um_st_close(st);
  um_graph_free(&g);
  drop(&a);
  drop(&b);
}

/* A number that is not finite never gets over a good file. */
static void nan_is_not_saved(void **state) {
  (void)state;
  um_error err = {0};
  fixture a;
  char *before, *after;
  size_t n, m;
  const char *path = tmp_path("checkpoint/good.safetensors");
  make(&a, "rmsprop", true, "all");
  train(&a);
  assert_int_equal(um_checkpoint_save(path, a.model, &preprocess, NULL, &err), UM_OK);
  assert_int_equal(um_file_read(&before, &n, path, 1 << 26, &err), UM_OK);
  size_t bytes;
  float *v = numbers(a.model, 'w', 9, &bytes);
  v[bytes / 4 - 1] = NAN;
  assert_int_equal(um_model_set(a.model, 'w', 9, v, &err), UM_OK);
  free(v);
  assert_int_equal(um_checkpoint_save(path, a.model, &preprocess, NULL, &err), UM_ENUMERIC);
  assert_non_null(strstr(err.text, "dense/bias holds nan"));
  assert_int_equal(um_file_read(&after, &m, path, 1 << 26, &err), UM_OK);
  assert_int_equal(n, m);
  assert_memory_equal(before, after, n);
  free(before);
  free(after);
  drop(&a);
}

/* Copies the file's tensors with one piece of metadata replaced (value NULL: left out), or one tensor dropped, added or reshaped. */
static const char *altered(const char *from, const char *key, const char *value, const char *tensor, int what) {
  static const char *const keys[] = {"format", "format_version", "graph", "classes", "preprocessing", "position"};
  um_error err = {0};
  um_st *st;
  um_st_entry e[64];
  const char *metadata[16];
  int n = 0, m = 0;
  const char *path = tmp_path("checkpoint/altered.safetensors");
  assert_int_equal(um_st_open(&st, from, &err), UM_OK);
  for (int i = 0; i < um_st_count(st); i++) {
    e[n] = *um_st_at(st, i);
    if (tensor && strcmp(e[n].name, tensor) == 0) {
      if (what == 'd') continue;
      if (what == 'r') e[n].tensor.dim[0]--;
      if (what == 'a') {
        n++;
        e[n] = e[n - 1];
        e[n].name = "stranger/kernel";
      }
    }
    n++;
  }
  for (int i = 0; i < 6; i++) {
    const char *v = um_st_metadata(st, keys[i]);
    if (key && strcmp(key, keys[i]) == 0) v = value;
    if (!v) continue;
    metadata[m++] = keys[i];
    metadata[m++] = v;
  }
  metadata[m] = NULL;
  assert_int_equal(um_st_write(path, e, n, metadata, &err), UM_OK);
  um_st_close(st);
  return path;
}

/* A position as it was written before there were schedules and phases, but for its end; and what came to it. */
#define OLD                                                                                                                                \
  "{\"epoch\":1,\"batch\":2,\"step\":7,\"loss_sum\":\"0x1p+0\",\"samples\":3,\"correct\":1,\"best\":\"inf\",\"best_epoch\":-1,"            \
  "\"seconds\":\"0x1p+0\",\"states\":2,\"data\":\"\""
#define COURSE(phase, epoch, rate, wait)                                                                                                   \
  ",\"phase\":" phase ",\"phase_epoch\":" epoch ",\"before\":5,\"rate\":\"" rate "\",\"plateau\":{\"best\":\"inf\",\"wait\":" wait         \
  ",\"cooldown\":0},\"stopping\":{\"best\":\"-inf\",\"wait\":0,\"cooldown\":0}}"

static void what_is_wrong_is_named(void **state) {
  (void)state;
  static const char pre[] =
      "{\"target_size\":[%s],\"interpolation\":\"%s\",\"rescale\":%s,\"preprocessing\":\"none\",\"detector\":\"haar\","
      "\"margin\":0,\"fps\":2,\"max_size\":1000}";
  char bad[6][320];
  snprintf(bad[0], sizeof bad[0], pre, "16,21", "nearest", "1");
  snprintf(bad[1], sizeof bad[1], pre, "16,20", "cubic", "1");
  snprintf(bad[2], sizeof bad[2], pre, "16,1e99", "nearest", "1");
  snprintf(bad[3], sizeof bad[3], pre, "16,20", "nearest", "-1");
  snprintf(bad[4], sizeof bad[4], pre, "16,20", "nearest", "1,\"calibration\":null");
  snprintf(bad[5], sizeof bad[5], pre, "16,20", "nearest",
           "1,\"calibration\":{\"method\":\"platt\",\"real\":9,\"fake\":9,\"slope\":-1,\"offset\":0}");
  const struct {
    const char *key, *value, *tensor;
    int what;
    const char *says;
  } wrong[] = {
      {"graph", NULL, NULL, 0, "no model of unmask"},
      {"graph", "{", NULL, 0, "graph"},
      {"format_version", "2", NULL, 0, "format version 2, expected 1"},
      {"classes", NULL, NULL, 0, "its preprocessing or its classes"},
      {"classes", "[\"fake\"]", NULL, 0, "its preprocessing or its classes"},
      {"classes", "[\"fake\",\"real\",\"other\"]", NULL, 0, "its preprocessing or its classes"},
      {"preprocessing", "{}", NULL, 0, "its preprocessing or its classes"},
      {"preprocessing", bad[0], NULL, 0, "its input is not 16x21x3"},
      {"preprocessing", bad[1], NULL, 0, "its preprocessing or its classes"},
      {"preprocessing", bad[2], NULL, 0, "its preprocessing or its classes"},
      {"preprocessing", bad[3], NULL, 0, "its preprocessing or its classes"},
      {"preprocessing", bad[4], NULL, 0, "its preprocessing or its classes"},
      {"preprocessing", bad[5], NULL, 0, "its preprocessing or its classes"},
      {"position", "{\"epoch\": 1}", NULL, 0, "its position in the run"},
      {"position", "[]", NULL, 0, "its position in the run"},
      {"position", OLD ", \"phase\": 0}", NULL, 0, "its position in the run"},
      {"position", OLD COURSE("8", "0", "0x1p-3", "3"), NULL, 0, "its position in the run"},
      {"position", OLD COURSE("0", "2", "0x1p-3", "3"), NULL, 0, "its position in the run"}, /* a phase that begins in the future */
      {"position", OLD COURSE("0", "0", "-0x1p-3", "3"), NULL, 0, "its position in the run"},
      {"position", OLD COURSE("0", "0", "inf", "3"), NULL, 0, "its position in the run"},
      {"position", OLD COURSE("0", "0", "0x1p-3", "-1"), NULL, 0, "its position in the run"},
      {NULL, NULL, "dense/kernel", 'd', "dense/kernel: not in the file"},
      {NULL, NULL, "dense/kernel", 'r', "dense/kernel: f32 63x256 in the file, expected f32 64x256"},
      {NULL, NULL, "dense/kernel", 'a', "stranger/kernel: in the file, but not in its model"},
      {NULL, NULL, "optimizer/v/tiny_conv2/bias", 'd', "optimizer/v/tiny_conv2/bias: not in the file"},
  };
  um_error err = {0};
  fixture a;
  um_position where = {.best = INFINITY, .best_epoch = -1, .states = 2};
  char path[4096];
  snprintf(path, sizeof path, "%s", tmp_path("checkpoint/right.safetensors"));
  make(&a, "rmsprop", true, "all");
  train(&a);
  assert_int_equal(um_checkpoint_save(path, a.model, &preprocess, &where, &err), UM_OK);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    um_st *st = NULL;
    um_graph g;
    um_preprocess p;
    um_position back;
    const char *file = altered(path, wrong[i].key, wrong[i].value, wrong[i].tensor, wrong[i].what);
    int status = um_checkpoint_open(&st, &g, &p, file, &err);
    if (!status) {
      status = um_checkpoint_load(a.model, st, &back, &err);
      um_st_close(st);
      um_graph_free(&g);
    }
    if (status != UM_EFORMAT || !strstr(err.text, wrong[i].says)) fail_msg("%d: %d, %s", (int)i, status, err.text);
  }
  drop(&a);
}

/* A position of a program that knew no schedules and phases, and one of a program that does. */
static void an_older_position(void **state) {
  (void)state;
  um_error err = {0};
  fixture a;
  um_position where = {.best = INFINITY, .best_epoch = -1, .states = 2};
  char path[4096];
  snprintf(path, sizeof path, "%s", tmp_path("checkpoint/older.safetensors"));
  make(&a, "rmsprop", true, "all");
  assert_int_equal(um_checkpoint_save(path, a.model, &preprocess, &where, &err), UM_OK);
  for (int i = 0; i < 2; i++) {
    um_st *st;
    um_position back;
    const char *file = altered(path, "position", i ? OLD COURSE("1", "1", "0x1p-3", "3") : OLD "}", NULL, 0);
    assert_int_equal(um_st_open(&st, file, &err), UM_OK);
    if (um_checkpoint_position(&back, st, &err)) fail_msg("%d: %s", i, err.text);
    assert_true(back.epoch == 1 && back.batch == 2 && back.step == 7 && back.states == 2);
    assert_true(back.phase == i && back.phase_epoch == i && back.rate == (i ? 0.125 : -1));
    assert_true(back.plateau.wait == (i ? 3 : 0) && back.before == (i ? 5 : 0));
    um_st_close(st);
  }
  drop(&a);
}

/* The calibration is part of what the fingerprint stands for; without one a file is as it was before there was any. */
static void the_calibration_of_a_model(void **state) {
  (void)state;
  um_error err = {0};
  fixture a;
  um_preprocess p = preprocess;
  char hex[3][65];
  const char *path = tmp_path("checkpoint/calibrated.safetensors");
  make(&a, "sgd", false, "all");
  for (int i = 0; i < 3; i++) {
    um_st *st;
    um_graph g;
    um_preprocess back;
    if (i == 1) p.calibration.fake_above = nextafter(p.calibration.fake_above, 1);
    if (i == 2) p.calibration = (um_calibration){.real = 3};
    assert_int_equal(um_checkpoint_save(path, a.model, &p, NULL, &err), UM_OK);
    if (um_checkpoint_open(&st, &g, &back, path, &err)) fail_msg("%s", err.text);
    assert_int_equal(um_checkpoint_verify(st, hex[i], path, &err), UM_OK);
    assert_true(back.calibration.fake_above == p.calibration.fake_above && back.calibration.method == p.calibration.method);
    assert_true((strstr(um_st_metadata(st, "preprocessing"), "calibration") == NULL) == (i == 2));
    um_st_close(st);
    um_graph_free(&g);
  }
  assert_string_not_equal(hex[0], hex[1]);
  assert_string_not_equal(hex[1], hex[2]);
  drop(&a);
}

static void the_warp_of_a_model(void **state) {
  (void)state;
  um_warp w;
  um_preprocess p = preprocess;
  um_preprocess_warp(&w, &p);
  assert_true(w.bgr && w.scale == 1 && w.mean[0] == 103.939f && w.mean[1] == 116.779f && w.mean[2] == 123.68f);
  p.preprocessing = UM_PREPROCESS_NONE;
  um_preprocess_warp(&w, &p);
  assert_true(!w.bgr && w.scale == (float)(1.0 / 255) && w.mean[0] == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_run_comes_back),           cmocka_unit_test(a_model_file_is_for_scoring), cmocka_unit_test(nan_is_not_saved),
      cmocka_unit_test(what_is_wrong_is_named),     cmocka_unit_test(an_older_position),           cmocka_unit_test(the_warp_of_a_model),
      cmocka_unit_test(the_calibration_of_a_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
