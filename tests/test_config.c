/* The config: defaults, types, ranges, messages, overrides, what may change on resume. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config.h"
#include "core/file.h"
#include "tests/support/tmp.h"

static void defaults(void **state) {
  (void)state;
  um_error err = {0};
  um_config c;
  assert_int_equal(um_config_parse(&c, "{}", "x.json", NULL, 0, &err), UM_OK);
  assert_int_equal(c.seed, 42);
  assert_string_equal(c.data.train_dir, "");
  assert_int_equal(c.data.target_size[0], 150);
  assert_int_equal(c.data.batch_size, 10);
  assert_int_equal(c.data.workers, 0);
  assert_true(c.data.shuffle);
  assert_true(c.data.rescale == 1.0 / 255);
  assert_true(c.augmentation.rotation_range == 0);
  assert_true(c.augmentation.zoom_range[0] == 1 && c.augmentation.zoom_range[1] == 1);
  assert_string_equal(c.backbone, "vgg16");
  assert_string_equal(c.weights, "imagenet");
  assert_string_equal(c.trainable, "all");
  assert_int_equal(c.optimizer.kind, UM_OPT_RMSPROP);
  assert_true(c.optimizer.learning_rate == 2e-5 && c.optimizer.rho == 0.9 && c.optimizer.epsilon == 1e-7);
  assert_true(c.optimizer.beta1 == 0.9 && c.optimizer.beta2 == 0.999);
  assert_false(c.optimizer.epsilon_inside);
  assert_true(c.calibration.method == UM_CALIBRATION_TEMPERATURE && c.calibration.false_alarms == 0.05 && c.calibration.misses == 0.05);
  assert_int_equal(c.precision, UM_PRECISION_FP32);
  assert_int_equal(c.engine, UM_ENGINE_AUTO);
  assert_int_equal(c.workspace_limit, 512 << 20);
  assert_true(c.faces.fps == 2 && c.faces.margin == 0);
  um_config_free(&c);
}

static void the_recipe(void **state) {
  (void)state;
  um_error err = {0};
  um_config c;
  assert_int_equal(um_config_load(&c, "vgg16_finetune.json", NULL, 0, &err), UM_OK);
  assert_string_equal(c.data.train_dir, "fakes_reals");
  assert_int_equal(c.data.split_by, UM_SPLIT_GROUP);
  assert_int_equal(c.data.interpolation, UM_NEAREST);
  assert_true(c.augmentation.rotation_range == 40 && c.augmentation.width_shift_range == 0.2 && c.augmentation.shear_range == 0.2);
  assert_true(c.augmentation.zoom_range[0] == 1 - 0.2 && c.augmentation.zoom_range[1] == 1 + 0.2);
  assert_true(c.augmentation.horizontal_flip && !c.augmentation.vertical_flip);
  assert_int_equal(c.augmentation.semantics, UM_KERAS2);
  assert_int_equal(c.epochs, 10);
  um_config_free(&c);
}

static void every_value_is_read(void **state) {
  (void)state;
  um_error err = {0};
  um_config c;
  static const char text[] =
      "{\"seed\": 9007199254740991, \"data\": {\"train_dir\": \"a\", \"validation_dir\": \"b\", \"validation_split\": 0.25, \"split_by\": "
      "\"files\","
      " \"target_size\": [32, 48], \"interpolation\": \"bilinear\", \"batch_size\": 3, \"rescale\": \"1/127.5\", \"preprocessing\": "
      "\"caffe\","
      " \"shuffle\": false, \"workers\": 3, \"cache\": \"1.5G\", \"max_per_class\": 7},"
      " \"augmentation\": {\"zoom_range\": [0.5, 2], \"vertical_flip\": true, \"fill_mode\": \"wrap\", \"cval\": 12.5, \"semantics\": "
      "\"keras3\"},"
      " \"model\": {\"backbone\": \"tiny\", \"weights\": null, \"trainable\": \"head\", \"convolution\": \"winograd\","
      " \"head\": [{\"global_average_pooling2d\": {}}, {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\", \"name\": \"out\"}}]},"
      " \"optimizer\": {\"name\": \"adam\", \"learning_rate\": 1, \"beta_1\": 0.5, \"beta_2\": 0.25, \"epsilon\": 0.125},"
      " \"precision\": \"bf16\", \"faces\": {\"margin\": 0.3, \"fps\": \"all\"},"
      " \"calibration\": {\"method\": \"platt\", \"false_alarms\": 0.01, \"misses\": 0}, \"epochs\": 2, \"checkpoint_minutes\": 0.5}";
  assert_int_equal(um_config_parse(&c, text, "x.json", NULL, 0, &err), UM_OK);
  assert_true(c.seed == 9007199254740991u);
  assert_string_equal(c.data.train_dir, "a");
  assert_string_equal(c.data.validation_dir, "b");
  assert_true(c.data.validation_split == 0.25);
  assert_int_equal(c.data.split_by, UM_SPLIT_FILES);
  assert_int_equal(c.data.target_size[0], 32);
  assert_int_equal(c.data.target_size[1], 48);
  assert_int_equal(c.data.interpolation, UM_BILINEAR);
  assert_true(c.data.rescale == 1 / 127.5);
  assert_int_equal(c.data.preprocessing, UM_PREPROCESS_CAFFE);
  assert_false(c.data.shuffle);
  assert_int_equal(c.data.workers, 3);
  assert_true(c.data.cache_bytes == 3ll << 29);
  assert_int_equal(c.data.max_per_class, 7);
  assert_true(c.augmentation.zoom_range[0] == 0.5 && c.augmentation.zoom_range[1] == 2);
  assert_int_equal(c.augmentation.fill_mode, UM_FILL_WRAP);
  assert_int_equal(c.augmentation.semantics, UM_KERAS3);
  assert_string_equal(c.weights, "");
  assert_int_equal(c.algorithm, UM_ALGO_WINOGRAD);
  assert_int_equal(c.optimizer.kind, UM_OPT_ADAM);
  assert_true(c.optimizer.beta1 == 0.5 && c.optimizer.beta2 == 0.25 && c.optimizer.epsilon == 0.125);
  assert_true(c.calibration.method == UM_CALIBRATION_PLATT && c.calibration.false_alarms == 0.01 && c.calibration.misses == 0);
  assert_true(c.faces.fps == 0 && c.faces.margin == 0.3 && c.checkpoint_minutes == 0.5);

  /* Written out and read back, it is the same. */
  um_config again;
  char *json, *twice, key[64];
  assert_int_equal(um_config_to_json(&c, &json, &err), UM_OK);
  assert_int_equal(um_config_parse(&again, json, "again", NULL, 0, &err), UM_OK);
  assert_int_equal(um_config_to_json(&again, &twice, &err), UM_OK);
  assert_string_equal(json, twice);
  assert_false(um_config_differs(&c, &again, key, sizeof key));
  assert_int_equal(c.data.cache_bytes, again.data.cache_bytes);
  assert_true(c.data.rescale == again.data.rescale);
  free(json);
  free(twice);
  um_config_free(&c);
  um_config_free(&again);
}

static void says(const char *text, const char *const *set, int n, const char *message) {
  um_error err = {0};
  um_config c;
  int code = um_config_parse(&c, text, "configs/x.json", set, n, &err);
  if (code != UM_ECONFIG || strcmp(err.text, message) != 0) fail_msg("%s\n  said    : %s\n  expected: %s", text, err.text, message);
}

static void messages(void **state) {
  (void)state;
  static const char *const wrong[][2] = {
      {"{\"augmentation\": {\"rotation_range\": \"forty\"}}",
       "configs/x.json: augmentation.rotation_range: expected a number from 0 to 180, got \"forty\""},
      {"{\"augmentation\": {\"rotation_range\": 181}}",
       "configs/x.json: augmentation.rotation_range: expected a number from 0 to 180, got 181"},
      {"{\"augmentation\": {\"rotation_range\": 1e999}}", /* infinite; JSON has no way to write it back */
       "configs/x.json: augmentation.rotation_range: expected a number from 0 to 180, got null"},
      {"{\"augmentation\": {\"rotation_rang\": 1}}",
       "configs/x.json: augmentation.rotation_rang: unknown key; did you mean augmentation.rotation_range?"},
      {"{\"data\": {\"rotation_range\": 1}}",
       "configs/x.json: data.rotation_range: unknown key; did you mean augmentation.rotation_range?"},
      {"{\"rotation_range\": 1}", "configs/x.json: rotation_range: unknown key; did you mean augmentation.rotation_range?"},
      {"{\"epoch\": 1}", "configs/x.json: epoch: unknown key; did you mean epochs?"},
      {"{\"optimizer\": {\"learnign_rate\": 1}}",
       "configs/x.json: optimizer.learnign_rate: unknown key; did you mean optimizer.learning_rate?"},
      {"{\"something_else_entirely\": 1}", "configs/x.json: something_else_entirely: unknown key; --help lists them"},
      {"{\"epochs\": 0}", "configs/x.json: epochs: expected a whole number from 1 to 1000000, got 0"},
      {"{\"epochs\": 1.5}", "configs/x.json: epochs: expected a whole number from 1 to 1000000, got 1.5"},
      {"{\"epochs\": null}", "configs/x.json: epochs: expected a whole number from 1 to 1000000, got null"},
      {"{\"epochs\": 1, \"epochs\": 2}", "configs/x.json: epochs: stands there twice"},
      {"{\"data\": {}, \"data\": {}}", "configs/x.json: data: stands there twice"},
      {"{\"seed\": -1}", "configs/x.json: seed: expected a whole number from 0 to 9007199254740992, got -1"},
      {"{\"data\": 3}", "configs/x.json: data: expected an object { ... } or null, got 3"},
      {"{\"data\": {\"shuffle\": 1}}", "configs/x.json: data.shuffle: expected true or false, got 1"},
      {"{\"data\": {\"split_by\": \"person\"}}",
       "configs/x.json: data.split_by: expected \"group\" or \"files\" or \"part\", got \"person\""},
      {"{\"data\": {\"target_size\": 150}}",
       "configs/x.json: data.target_size: expected [height, width], each a whole number from 1 to 4096, got 150"},
      {"{\"data\": {\"target_size\": [150, 150, 3]}}",
       "configs/x.json: data.target_size: expected [height, width], each a whole number from 1 to 4096, got [150,150,3]"},
      {"{\"data\": {\"rescale\": \"1/0\"}}",
       "configs/x.json: data.rescale: expected a number above 0 and up to 1e+06, or a quotient such as \"1/255\", got \"1/0\""},
      {"{\"data\": {\"rescale\": \"1/255x\"}}",
       "configs/x.json: data.rescale: expected a number above 0 and up to 1e+06, or a quotient such as \"1/255\", got \"1/255x\""},
      {"{\"data\": {\"workers\": \"many\"}}",
       "configs/x.json: data.workers: expected \"auto\" or a whole number from 1 to 256, got \"many\""},
      {"{\"data\": {\"cache\": \"2X\"}}",
       "configs/x.json: data.cache: expected a number of bytes, or text such as \"512M\" or \"2G\", got \"2X\""},
      {"{\"data\": {\"class_mode\": \"categorical\"}}", "configs/x.json: data.class_mode: expected \"binary\", got \"categorical\""},
      {"{\"metrics\": [\"auc\"]}", "configs/x.json: metrics: expected [\"accuracy\"], got [\"auc\"]"},
      {"{\"model\": {\"include_top\": true}}", "configs/x.json: model.include_top: expected false, got true"},
      {"{\"model\": {\"trainable\": null}}",
       "configs/x.json: model.trainable: expected \"all\", \"head\" or the name of a layer, got null"},
      {"{\"augmentation\": {\"zoom_range\": [2, 1]}}", "configs/x.json: augmentation.zoom_range: expected a number from 0 to below 1, or "
                                                       "[low, high] with 0 < low <= high <= 100, got [2,1]"},
      {"{\"optimizer\": {\"name\": \"sgd\", \"rho\": 0.9}}",
       "configs/x.json: optimizer.rho: not a setting of sgd (optimizer.name); take it out"},
      {"{\"model\": {\"head\": []}}",
       "configs/x.json: model.head: expected it to end in {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}: "
       "one score for two classes"},
      {"{\"model\": {\"head\": [{\"flaten\": {}}]}}", "configs/x.json: model.head[0]: expected a layer flatten, global_average_pooling2d, "
                                                      "dense or dropout, got \"flaten\"; did you mean flatten?"},
      {"{\"model\": {\"head\": [{\"dropout\": {}}]}}",
       "configs/x.json: model.head[0].dropout.rate: expected a number from 0 to below 1: the share that is dropped, got nothing"},
      {"{\"model\": {\"head\": [{\"dropout\": {\"rate\": 1}}]}}",
       "configs/x.json: model.head[0].dropout.rate: expected a number from 0 to below 1: the share that is dropped, got 1"},
      {"{\"model\": {\"head\": [{\"dropout\": {\"rat\": 1}}]}}",
       "configs/x.json: model.head[0].dropout.rat: unknown key; did you mean rate?"},
      {"{\"model\": {\"head\": [{\"dense\": {\"units\": 0}}]}}",
       "configs/x.json: model.head[0].dense.units: expected a whole number from 1 to 65536, got 0"},
      {"{\"model\": {\"head\": [{\"dense\": {\"unit\": 1}}]}}",
       "configs/x.json: model.head[0].dense.unit: unknown key; did you mean units?"},
      {"{\"model\": {\"head\": [{\"dense\": {\"units\": 1, \"activation\": \"softmax\"}}]}}",
       "configs/x.json: model.head[0].dense.activation: expected \"linear\", \"relu\" or \"sigmoid\", got \"softmax\""},
      {"{\"model\": {\"head\": [{\"dense\": {\"units\": 1, \"name\": \"a/b\"}}]}}",
       "configs/x.json: model.head[0].dense.name: expected letters, digits and _, fewer than 64, got \"a/b\""},
      {"", "configs/x.json: line 1, column 1: not JSON: ends too early"},
      {"[]", "configs/x.json: expected an object { ... }"},
      {"{\n  \"epochs\": 1,\n  \"seed\": oops\n}", "configs/x.json: line 3, column 11: not JSON from here on: oops"},
      {"{\n  \"epochs\": 1\n  \"seed\": 2\n}", "configs/x.json: line 3, column 3: not JSON from here on: \"seed\": 2"},
      {"{\"epochs\": 1,\n}", "configs/x.json: line 2, column 1: not JSON from here on: }"},
      {"{\"epochs\": 1, seed: 2}", "configs/x.json: line 1, column 15: not JSON from here on: seed: 2}"},
      {"{,}", "configs/x.json: line 1, column 2: not JSON from here on: ,}"},
      {"{\"epochs\": 1", "configs/x.json: line 1, column 13: not JSON: ends too early"},
      {"{} x", "configs/x.json: line 1, column 4: not JSON from here on: x"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) says(wrong[i][0], NULL, 0, wrong[i][1]);
}

static void messages_about_the_course(void **state) {
  (void)state;
  static const char *const wrong[][2] = {
      {"{\"learning_rate_schedule\": \"cosine\"}",
       "configs/x.json: learning_rate_schedule: expected an object { ... } or null, got \"cosine\""},
      {"{\"learning_rate_schedule\": {\"name\": \"cosin\"}}", "configs/x.json: learning_rate_schedule.name: expected \"constant\" or "
                                                              "\"cosine\" or \"step\" or \"exponential\" or \"plateau\", got "
                                                              "\"cosin\""},
      {"{\"learning_rate_schedule\": {\"name\": \"cosine\", \"factor\": 0.5}}",
       "configs/x.json: learning_rate_schedule.factor: not a setting of cosine (learning_rate_schedule.name); take it out"},
      {"{\"learning_rate_schedule\": {\"warmup_steps\": 3, \"warmup_epochs\": 1}}",
       "configs/x.json: learning_rate_schedule: warmup_steps and warmup_epochs are both set; take one of them out"},
      {"{\"learning_rate_schedule\": {\"name\": \"cosine\", \"decay_steps\": 3, \"decay_epochs\": 1}}",
       "configs/x.json: learning_rate_schedule: decay_steps and decay_epochs are both set; take one of them out"},
      {"{\"epochs\": 2, \"learning_rate_schedule\": {\"name\": \"cosine\", \"warmup_epochs\": 2}}",
       "configs/x.json: learning_rate_schedule.warmup_epochs: 2 of 2 epochs, which leaves none for the decay"},
      {"{\"learning_rate_schedule\": {\"name\": \"step\"}}",
       "configs/x.json: learning_rate_schedule: step takes either every_epochs and factor, or boundaries and values; neither is set"},
      {"{\"learning_rate_schedule\": {\"name\": \"step\", \"every_epochs\": 1, \"boundaries\": [3]}}",
       "configs/x.json: learning_rate_schedule: step takes either every_epochs and factor, or boundaries and values; take one of them out"},
      {"{\"learning_rate_schedule\": {\"name\": \"step\", \"boundaries\": [3, 5], \"values\": [1, 0.1]}}",
       "configs/x.json: learning_rate_schedule.values: expected one more than the 2 boundaries, got 2"},
      {"{\"learning_rate_schedule\": {\"name\": \"step\", \"boundaries\": [5, 3]}}",
       "configs/x.json: learning_rate_schedule.boundaries: expected a list of at most 32 growing whole numbers from 0 to 1e+12, got [5,3]"},
      {"{\"learning_rate_schedule\": {\"name\": \"plateau\", \"factor\": 1}}",
       "configs/x.json: learning_rate_schedule.factor: expected a number from 0 to 0.999999, got 1"},
      {"{\"early_stopping\": {\"patients\": 3}}",
       "configs/x.json: early_stopping.patients: unknown key; did you mean early_stopping.patience?"},
      {"{\"early_stopping\": {\"monitor\": \"auc\"}}",
       "configs/x.json: early_stopping.monitor: expected \"val_loss\" or \"val_accuracy\" or \"val_auc\" or \"loss\", got \"auc\""},
      {"{\"class_weight\": \"even\"}",
       "configs/x.json: class_weight: expected null, \"balanced\", or a weight each such as {\"fake\": 1, \"real\": 5}, got \"even\""},
      {"{\"class_weight\": {\"fake\": 1}}", "configs/x.json: class_weight: expected null, \"balanced\", or a weight each such as "
                                            "{\"fake\": 1, \"real\": 5}, got {\"fake\":1}"},
      {"{\"class_weight\": {\"fake\": 1, \"real\": 0}}",
       "configs/x.json: class_weight: expected null, \"balanced\", or a weight each such as "
       "{\"fake\": 1, \"real\": 5}, got {\"fake\":1,\"real\":0}"},
      {"{\"phases\": []}", "configs/x.json: phases: expected null, or up to 8 such as [{\"epochs\": 2, \"trainable\": \"head\"}, "
                           "{\"trainable\": \"all\"}], got []"},
      {"{\"phases\": [3]}", "configs/x.json: phases[0]: expected an object such as {\"epochs\": 2, \"trainable\": \"head\"}, got 3"},
      {"{\"phases\": [{\"epoch\": 3}]}", "configs/x.json: phases[0]: epoch: unknown key; did you mean epochs?"},
      {"{\"phases\": [{\"weights\": 3}]}", "configs/x.json: phases[0]: weights: unknown key: expected epochs, trainable, learning_rate or "
                                           "learning_rate_schedule"},
      {"{\"phases\": [{\"epochs\": 1, \"epochs\": 2}]}", "configs/x.json: phases[0]: epochs: stands there twice"},
      {"{\"phases\": [{\"epochs\": 0}]}", "configs/x.json: phases[0]: epochs: expected a whole number from 1 to 1000000, got 0"},
      {"{\"phases\": [{}, {\"epochs\": 1}]}", "configs/x.json: phases[0]: epochs: not set; only the last phase may leave it out"},
      {"{\"phases\": [{\"epochs\": 10}, {}]}", "configs/x.json: epochs: 10, but the phases before the last take 10; expected more"},
      {"{\"epochs\": 10, \"phases\": [{\"epochs\": 2}, {\"epochs\": 3}]}",
       "configs/x.json: epochs: 10, but the phases add up to 5; take epochs out of the config or of the last phase"},
      {"{\"phases\": [{\"epochs\": 2, \"learning_rate_schedule\": {\"name\": \"cosine\", \"alhpa\": 1}}]}",
       "configs/x.json: phases[0]: learning_rate_schedule.alhpa: unknown key; did you mean learning_rate_schedule.alpha?"},
      {"{\"phases\": [{\"epochs\": 2, \"learning_rate_schedule\": {\"name\": \"cosine\", \"patience\": 1}}]}",
       "configs/x.json: phases[0]: learning_rate_schedule.patience: not a setting of cosine (learning_rate_schedule.name); take it out"},
      {"{\"phases\": [{\"epochs\": 2, \"learning_rate_schedule\": {\"name\": \"cosine\", \"warmup_epochs\": 2}}]}",
       "configs/x.json: phases[0]: learning_rate_schedule.warmup_epochs: 2 of 2 epochs, which leaves none for the decay"},
      {"{\"optimizer\": {\"weight_decay\": -1}}", "configs/x.json: optimizer.weight_decay: expected a number from 0 to 1, got -1"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) says(wrong[i][0], NULL, 0, wrong[i][1]);
}

/* Written out and read back, it is the same; the last phase has what epochs leaves. */
static void the_course(void **state) {
  (void)state;
  um_error err = {0};
  um_config c, again;
  char *json, *twice, key[64];
  static const char text[] =
      "{\"learning_rate_schedule\": {\"name\": \"plateau\", \"patience\": 4}, \"early_stopping\": {}, \"class_weight\": {\"real\": 2.5, "
      "\"fake\": 0.5}, \"data\": {\"sampling\": \"balanced\"}, \"optimizer\": {\"learning_rate\": 0.5, \"weight_decay\": 0.01}, "
      "\"epochs\": 9,"
      "\"phases\": [{\"epochs\": 2, \"trainable\": \"head\", \"learning_rate\": 0.25, \"learning_rate_schedule\": null}, {\"epochs\": 3, "
      "\"learning_rate_schedule\": {\"name\": \"step\", \"boundaries\": [3, 7], \"values\": [1, 0.1, 0.01]}}, {\"trainable\": "
      "\"block5_conv1\"}]}";
  static const char *const more[] = {"epochs=20", "early_stopping=null"};
  if (um_config_parse(&c, text, "x.json", NULL, 0, &err)) fail_msg("%s", err.text);
  assert_int_equal(c.phases, 3);
  assert_true(c.early_stopping.on && c.early_stopping.patience == 3 && c.early_stopping.monitor == UM_MONITOR_VAL_LOSS);
  assert_int_equal(c.data.sampling, UM_SAMPLING_BALANCED);
  assert_string_equal(c.class_weight.name[0], "fake");
  assert_true(c.class_weight.weight[0] == 0.5 && c.class_weight.weight[1] == 2.5 && c.optimizer.weight_decay == 0.01);
  const um_phase *p = c.phase;
  assert_true(p[0].epochs == 2 && p[1].epochs == 3 && p[2].epochs == 4);
  assert_true(p[0].learning_rate == 0.25 && p[1].learning_rate == 0.5 && p[2].learning_rate == 0.5);
  assert_string_equal(p[0].trainable, "head");
  assert_string_equal(p[1].trainable, "all");
  assert_string_equal(p[2].trainable, "block5_conv1");
  assert_int_equal(p[0].schedule.kind, UM_SCHEDULE_CONSTANT);
  assert_true(p[1].schedule.kind == UM_SCHEDULE_STEP && p[1].schedule.values.count == 3 && p[1].schedule.boundaries.value[1] == 7);
  assert_true(p[2].schedule.kind == UM_SCHEDULE_PLATEAU && p[2].schedule.patience == 4);

  assert_int_equal(um_config_to_json(&c, &json, &err), UM_OK);
  if (um_config_parse(&again, json, "again", NULL, 0, &err)) fail_msg("%s", err.text);
  assert_int_equal(um_config_to_json(&again, &twice, &err), UM_OK);
  assert_string_equal(json, twice);
  assert_false(um_config_differs(&c, &again, key, sizeof key));
  um_config_free(&again);

  /* A resumed run may have more epochs. */
  if (um_config_parse(&again, json, "again", more, 2, &err)) fail_msg("%s", err.text);
  assert_int_equal(again.phase[2].epochs, 15);
  assert_false(again.early_stopping.on);
  assert_false(um_config_differs(&c, &again, key, sizeof key));
  um_config_free(&again);
  free(json);
  free(twice);
  um_config_free(&c);

  /* All given: they add up. */
  if (um_config_parse(&c, "{\"phases\": [{\"epochs\": 2}, {\"epochs\": 5}]}", "x.json", NULL, 0, &err)) fail_msg("%s", err.text);
  assert_int_equal(c.epochs, 7);
  um_config_free(&c);

  /* None: one phase. A cosine that reaches to the end ties a run to its epochs, one of a given length does not. */
  static const char *const cosine = "{\"learning_rate_schedule\": {\"name\": \"cosine\"}}",
                           *const five = "{\"learning_rate_schedule\": {\"name\": \"cosine\", \"decay_epochs\": 5}}";
  for (int i = 0; i < 2; i++) {
    assert_int_equal(um_config_parse(&c, i ? five : cosine, "x", NULL, 0, &err), UM_OK);
    assert_int_equal(um_config_parse(&again, i ? five : cosine, "x", more, 1, &err), UM_OK);
    assert_true(c.phases == 1 && c.phase[0].epochs == 10 && c.phase[0].learning_rate == 2e-5 && !c.phases_given);
    assert_int_equal(um_config_differs(&c, &again, key, sizeof key), i == 0);
    if (i == 0) assert_string_equal(key, "epochs");
    um_config_free(&c);
    um_config_free(&again);
  }
}

static void overrides(void **state) {
  (void)state;
  um_error err = {0};
  um_config c;
  const char *set[] = {"epochs=3",           "data.train_dir=2024", "data.target_size=[32,32]", "augmentation=null", "optimizer.name=sgd",
                       "model.weights=null", "data.rescale=1/255",  "optimizer.momentum=0.9",   "data.cache=1M"};
  static const char text[] = "{\"epochs\": 1, \"augmentation\": {\"rotation_range\": 40}, \"optimizer\": null}";
  assert_int_equal(um_config_parse(&c, text, "x", set, 9, &err), UM_OK);
  assert_int_equal(c.epochs, 3);
  assert_string_equal(c.data.train_dir, "2024");
  assert_int_equal(c.data.target_size[1], 32);
  assert_true(c.augmentation.rotation_range == 0);
  assert_int_equal(c.optimizer.kind, UM_OPT_SGD);
  assert_true(c.optimizer.momentum == 0.9);
  assert_string_equal(c.weights, "");
  assert_int_equal(c.data.cache_bytes, 1 << 20);
  um_config_free(&c);

  static const char *const wrong[][2] = {
      {"epochs", "--set epochs: expected key.path=value, such as epochs=3 or data.batch_size=8"},
      {"=3", "--set =3: expected key.path=value, such as epochs=3 or data.batch_size=8"},
      {"epochs=many", "--set: epochs: expected a whole number from 1 to 1000000, got \"many\""},
      {"data.batchsize=3", "--set: data.batchsize: unknown key; did you mean data.batch_size?"},
      {"data=3", "--set: data: expected an object { ... } or null, got 3"},
      {"data={\"batch_size\": \"x\"}", "--set: data.batch_size: expected a whole number from 1 to 65536, got \"x\""},
      {"model.head=[]", "--set: model.head: expected it to end in {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}: "
                        "one score for two classes"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) says("{}", &wrong[i][0], 1, wrong[i][1]);
}

/* Every key, changed alone: either free on resume or named. */
static void what_a_resumed_run_may_change(void **state) {
  (void)state;
  static const struct {
    const char *set;
    bool refused;
  } changes[] = {{"seed=1", true},
                 {"data.train_dir=elsewhere", false},
                 {"data.validation_dir=elsewhere", false},
                 {"data.validation_split=0.5", true},
                 {"data.split_by=files", true},
                 {"data.target_size=[150,151]", true},
                 {"data.interpolation=bilinear", true},
                 {"data.batch_size=11", true},
                 {"data.rescale=1", true},
                 {"data.preprocessing=caffe", true},
                 {"data.shuffle=false", true},
                 {"data.workers=3", false},
                 {"data.cache=100", false},
                 {"data.max_per_class=5", true},
                 {"augmentation.rotation_range=1", true},
                 {"augmentation.width_shift_range=1", true},
                 {"augmentation.height_shift_range=1", true},
                 {"augmentation.shear_range=1", true},
                 {"augmentation.zoom_range=0.5", true},
                 {"augmentation.horizontal_flip=true", true},
                 {"augmentation.vertical_flip=true", true},
                 {"augmentation.fill_mode=wrap", true},
                 {"augmentation.cval=1", true},
                 {"augmentation.semantics=keras3", true},
                 {"model.backbone=tiny", true},
                 {"model.weights=null", true},
                 {"model.trainable=head", true},
                 {"model.convolution=direct", true},
                 {"model.head=[{\"dense\":{\"units\":1}}]", true},
                 {"optimizer.name=sgd", true},
                 {"optimizer.learning_rate=1", true},
                 {"optimizer.rho=0.5", true},
                 {"optimizer.momentum=0.5", true},
                 {"optimizer.epsilon=0.5", true},
                 {"optimizer.semantics=keras3", true},
                 {"optimizer.weight_decay=0.5", true},
                 {"class_weight=balanced", true},
                 {"data.sampling=balanced", true},
                 {"learning_rate_schedule.name=cosine", true},
                 {"learning_rate_schedule.warmup_steps=1", true},
                 {"learning_rate_schedule.warmup_epochs=1", true},
                 {"learning_rate_schedule.warmup_from=1", true},
                 {"early_stopping.patience=1", false},
                 {"phases=[{\"trainable\":\"head\"}]", true},
                 {"precision=bf16", true},
                 {"faces.margin=1", false},
                 {"faces.fps=all", false},
                 {"epochs=11", false},
                 {"checkpoint_minutes=1", false}};
  um_error err = {0};
  um_config a, b;
  assert_int_equal(um_config_parse(&a, "{}", "a", NULL, 0, &err), UM_OK);
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    char key[64] = "", expected[64];
    snprintf(expected, sizeof expected, "%.*s", (int)strcspn(changes[i].set, "="), changes[i].set);
    if (um_config_parse(&b, "{}", "b", &changes[i].set, 1, &err) != UM_OK) fail_msg("%s: %s", changes[i].set, err.text);
    if (um_config_differs(&a, &b, key, sizeof key) != changes[i].refused) fail_msg("%s: %d", changes[i].set, changes[i].refused);
    if (changes[i].refused) assert_string_equal(key, expected);
    um_config_free(&b);
  }
  um_config_free(&a);
}

static void where_configs_are_looked_for(void **state) {
  (void)state;
  um_error err = {0};
  char found[4096], cwd[4096];
  um_config c;
  assert_int_equal(um_config_find(found, sizeof found, "vgg16_finetune.json", &err), UM_OK);
  assert_string_equal(found, "configs/vgg16_finetune.json");
  assert_int_equal(um_config_find(found, sizeof found, "configs/vgg16_finetune.json", &err), UM_OK);
  assert_int_equal(um_config_find(found, sizeof found, "no_such.json", &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "no_such.json: no such config here, in configs/, in /"));
  assert_int_equal(um_config_find(found, sizeof found, "elsewhere/vgg16_finetune.json", &err), UM_ECONFIG);
  assert_string_equal(err.text, "elsewhere/vgg16_finetune.json: no such config");
  assert_int_equal(um_config_load(&c, "/tmp", NULL, 0, &err), UM_ECONFIG);

  /* A file of the working folder comes first. */
  assert_non_null(getcwd(cwd, sizeof cwd));
  const char *folder = tmp_path("config/here/x");
  tmp_write(tmp_path("config/here/vgg16_finetune.json"), "{\"epochs\": 77}", 14);
  char dir[4096];
  snprintf(dir, sizeof dir, "%.*s", (int)(strlen(folder) - 2), folder);
  assert_int_equal(chdir(dir), 0);
  int status = um_config_load(&c, "vgg16_finetune.json", NULL, 0, &err);
  assert_int_equal(chdir(cwd), 0);
  assert_int_equal(status, UM_OK);
  assert_int_equal(c.epochs, 77);
  um_config_free(&c);

  const char *zero = tmp_path("config/zero.json");
  tmp_write(zero, "{}\0{}", 5);
  assert_int_equal(um_config_load(&c, zero, NULL, 0, &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "zero byte"));
}

static void the_graph_of_a_config(void **state) {
  (void)state;
  um_error err = {0};
  um_config c;
  um_graph g;
  int last;
  static const char *const names[] = {"flatten", "dense", "dense_1", "dense_1_sigmoid"}; /* as Keras counts them */
  assert_int_equal(um_config_load(&c, "vgg16_finetune.json", NULL, 0, &err), UM_OK);
  assert_int_equal(um_config_graph(&g, &last, &c, &err), UM_OK);
  assert_string_equal(g.node[last].name, "block5_pool");
  assert_int_equal(g.count, last + 5);
  for (int i = 0; i < 4; i++) assert_string_equal(g.node[last + 1 + i].name, names[i]);
  assert_int_equal(g.node[last + 1].dim[0], 8192);
  assert_int_equal(g.node[last + 4].op, UM_OP_SIGMOID);
  um_graph_free(&g);
  um_config_free(&c);

  static const char *const dropouts[] = {"model.head=[{\"flatten\":{}},{\"dropout\":{\"rate\":0.25}},{\"dense\":{\"units\":8}},"
                                         "{\"dropout\":{\"rate\":0.5}},{\"dense\":{\"units\":1,\"activation\":\"sigmoid\"}}]"};
  assert_int_equal(um_config_parse(&c, "{}", "x", dropouts, 1, &err), UM_OK);
  assert_int_equal(um_config_graph(&g, &last, &c, &err), UM_OK);
  assert_string_equal(g.node[last + 2].name, "dropout");
  assert_string_equal(g.node[last + 4].name, "dropout_1");
  assert_true(g.node[last + 2].op == UM_OP_DROPOUT && g.node[last + 2].rate == 0.25 && g.node[last + 4].rate == 0.5);
  um_graph_free(&g);
  um_config_free(&c);

  static const struct {
    const char *set, *says;
  } wrong[] = {
      {"data.target_size=[31,150]", "data.target_size: [31, 150] is too small for vgg16, expected at least [32, 32]"},
      {"model.head=[{\"dense\":{\"units\":1,\"activation\":\"sigmoid\"}}]", "model.head[0]: "},
      {"model.head=[{\"flatten\":{}},{\"dense\":{\"units\":2,\"name\":\"block1_conv1\"}},{\"dense\":{\"units\":1}}]", "model.head[1]: "},
      {"model.head=[{\"global_average_pooling2d\":{}},{\"flatten\":{}},{\"global_average_pooling2d\":{}},{\"dense\":{\"units\":1}}]",
       "model.head[2]: "},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(um_config_parse(&c, "{}", "x", &wrong[i].set, 1, &err), UM_OK);
    int status = um_config_graph(&g, NULL, &c, &err);
    if (status != UM_ECONFIG || strncmp(err.text, wrong[i].says, strlen(wrong[i].says)) != 0)
      fail_msg("%d: %d, %s", (int)i, status, err.text);
    um_config_free(&c);
  }
}

/* Every prefix of a config, and every byte of it changed: a status, never worse. */
static void survives_damage(void **state) {
  (void)state;
  um_error err = {0};
  um_config c;
  char *text;
  size_t size;
  int good = 0;
  assert_int_equal(um_file_read(&text, &size, "configs/vgg16_finetune.json", 1 << 16, &err), UM_OK);
  while (text[size - 1] != '}') text[--size] = 0;
  for (size_t n = 0; n < size; n++) {
    char old = text[n];
    text[n] = 0;
    assert_int_equal(um_config_parse(&c, text, "x", NULL, 0, &err), UM_ECONFIG);
    for (int how = 0; how < 4; how++) {
      text[n] = "\"}9 "[how];
      if (um_config_parse(&c, text, "x", NULL, 0, &err) == UM_OK) {
        good++;
        um_config_free(&c);
      }
    }
    text[n] = old;
  }
  free(text);
  assert_true(good > 0); /* a blank for a blank */
}

static void every_key_can_be_shown(void **state) {
  (void)state;
  um_config_key_info k;
  int n = 0;
  while (um_config_key(n, &k)) {
    assert_true(k.name[0] && k.help[0] && k.fallback[0] && k.expected[0]);
    n++;
  }
  assert_true(n > 40);
  assert_false(um_config_key(-1, &k));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults),
      cmocka_unit_test(the_recipe),
      cmocka_unit_test(every_value_is_read),
      cmocka_unit_test(messages),
      cmocka_unit_test(messages_about_the_course),
      cmocka_unit_test(the_course),
      cmocka_unit_test(overrides),
      cmocka_unit_test(what_a_resumed_run_may_change),
      cmocka_unit_test(where_configs_are_looked_for),
      cmocka_unit_test(the_graph_of_a_config),
      cmocka_unit_test(survives_damage),
      cmocka_unit_test(every_key_can_be_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
