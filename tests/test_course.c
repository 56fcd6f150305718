/* The course of a run of train: learning-rate schedules, early stopping; and that a run which was stopped and resumed goes the same way.
 * The rates themselves are compared with Keras in test_schedule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "data/image.h"
#include "tests/support/tmp.h"
#include "tests/support/train_run.h"

static int set_up(void **state) {
  (void)state;
  return train_run_set_up("course");
}

static double rate_of(const char *name, int row) { return atof(history_field(name, row, "learning_rate")); }

/* The rate of the last of an epoch's five steps stands in the history; a resumed run ends with the bits of a straight one. */
static void schedules(void **state) {
  static const struct {
    const char *name, *schedule, *says;
    double rate[4]; /* of each epoch's last step, as shares of 1e-3 */
    bool epochs_may_change;
  } cases[] = {
      {"cosine", "{\"name\":\"cosine\",\"alpha\":0.1}", "            cosine down to 0.1 of it, to the end\n", {0}, false},
      {"cosine4",
       "{\"name\":\"cosine\",\"decay_epochs\":4,\"warmup_steps\":3}",
       "            warm-up of 3 steps from 0 of it,\n",
       {0},
       true},
      {"step", "{\"name\":\"step\",\"every_epochs\":2,\"factor\":0.5}", "            times 0.5 every 2 epochs\n", {1, 1, 0.5, 0.5}, true},
      {"pieces",
       "{\"name\":\"step\",\"boundaries\":[4,12],\"values\":[0.001,0.0005,0.0001]}",
       "            0.001 until step 4, in 2 steps down to 0.0001\n",
       {1, 0.5, 0.1, 0.1},
       true},
      {"exponential",
       "{\"name\":\"exponential\",\"decay_rate\":0.5,\"staircase\":true}",
       "            times 0.5 every epoch, at once\n",
       {1, 0.5, 0.25, 0.125},
       true},
      {"plateau",
       "{\"name\":\"plateau\",\"patience\":1,\"factor\":0.5,\"min_delta\":10}",
       "val_loss was no better for 1 epoch: learning rate 0.0005 from here on\n",
       {1, 1, 0.5, 0.25},
       true},
      {"warm", "{\"warmup_epochs\":2,\"warmup_from\":0.5}", "            warm-up of 2 epochs from 0.5 of it\n", {0.7, 0.95, 1, 1}, true},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *n = cases[i].name;
    char a[64], b[64], history[64];
    RUN(0, "$T --config $D/tiny.json --out $D/out/%s --set epochs=4 --set 'learning_rate_schedule=%s'", n, cases[i].schedule);
    SAYS(cases[i].says);
    snprintf(history, sizeof history, "out/%s/history.csv", n);
    for (int e = 0; e < 4; e++)
      if (cases[i].rate[e] > 0 && fabs(rate_of(history, e) - 1e-3 * cases[i].rate[e]) > 1e-12)
        fail_msg("%s, epoch %d: %.9g", n, e, rate_of(history, e));
    if (!cases[i].epochs_may_change) {
      RUN(2, "$T --resume $D/out/%s --set epochs=5", n);
      SAYS("train: --set: epochs: cannot change in a run that is resumed");
      continue;
    }
    RUN(0, "$T --config $D/tiny.json --out $D/out/%s-2 --quiet --set epochs=%d --set 'learning_rate_schedule=%s'", n, (int)i % 2 + 1,
        cases[i].schedule);
    RUN(0, "$T --resume $D/out/%s-2 --quiet --set epochs=3", n);
    RUN(0, "$T --resume $D/out/%s-2 --quiet --set epochs=4", n);
    snprintf(a, sizeof a, "out/%s/last.safetensors", n), snprintf(b, sizeof b, "out/%s-2/last.safetensors", n);
    assert_true(same_files(a, b));
  }
  /* The cosine: 20 steps, the last one of each epoch of 5. */
  for (int e = 0; e < 4; e++) {
    const double at = (5 * e + 4) / 20.0, expected = 1e-3 * (0.9 * 0.5 * (1 + cos(acos(-1) * at)) + 0.1);
    assert_true(fabs(rate_of("out/cosine/history.csv", e) - expected) < 1e-8 * expected);
  }
}

static void early_stopping(void **state) {
  (void)state;
  /* Nothing is better by 10: the first epoch is the best, two more are waited. */
  RUN(0, "$T --config $D/tiny.json --out $D/out/early --set epochs=9 --set early_stopping.patience=2 --set early_stopping.min_delta=10");
  SAYS("            ends where val_loss is no better for 2 epochs\n");
  SAYS("Stopped early: val_loss was no better for 2 epochs\n");
  SAYS("out/early/best.safetensors");
  assert_string_equal(history_field("out/early/history.csv", 2, "epoch"), "3");
  assert_string_equal(history_field("out/early/history.csv", 3, "epoch"), "");
  RUN(0, "$T --resume $D/out/early");
  SAYS("the run stopped early after epoch 3; --set early_stopping=null goes on");
  RUN(0, "$T --resume $D/out/early --set early_stopping.patience=3");
  SAYS("Stopped early: val_loss was no better for 3 epochs\n");
  assert_string_equal(history_field("out/early/history.csv", 4, "epoch"), "");
  RUN(2, "$T --resume $D/out/early --set early_stopping.monitor=loss");
  SAYS("early_stopping.monitor: cannot change in a run that is resumed");
  RUN(0, "$T --resume $D/out/early --quiet --set early_stopping=null");
  assert_string_equal(history_field("out/early/history.csv", 8, "epoch"), "9");

  /* It has done no more than end the run. */
  RUN(0, "$T --config $D/tiny.json --out $D/out/late --quiet --set epochs=9");
  assert_true(same_files("out/early/best.safetensors", "out/late/best.safetensors"));

  /* What was waited is kept when the run is resumed. */
  RUN(0, "$T --config $D/tiny.json --out $D/out/kept --quiet --set epochs=2 --set early_stopping.patience=2 --set "
         "early_stopping.min_delta=10");
  RUN(0, "$T --resume $D/out/kept --set epochs=9");
  assert_string_equal(history_field("out/kept/history.csv", 2, "epoch"), "3");
  assert_string_equal(history_field("out/kept/history.csv", 3, "epoch"), "");
}

static void what_is_watched_must_be_there(void **state) {
  (void)state;
  RUN(2, "$T --config $D/tiny.json --out $D/out/none --set data.validation_split=0 --set early_stopping.patience=2");
  SAYS("train: early_stopping.monitor: val_loss needs a held-out part: set data.validation_split or data.validation_dir, or watch loss\n");
  RUN(2, "$T --config $D/tiny.json --out $D/out/none --set data.validation_split=0 --set learning_rate_schedule.name=plateau");
  SAYS("train: learning_rate_schedule.monitor: val_loss needs a held-out part");
  RUN(2,
      "$T --config $D/tiny.json --out $D/out/none --set data.split_by=files --set data.validation_split=0.05 --set 'data.max_per_class=12' "
      "--set early_stopping.monitor=val_auc --set data.train_dir=$D/pics --set data.validation_split=0");
  SAYS("val_auc needs a held-out part");
  RUN(0, "$T --config $D/tiny.json --out $D/out/loss --quiet --set data.validation_split=0 --set early_stopping.monitor=loss --set "
         "early_stopping.min_delta=10 --set early_stopping.patience=1 --set epochs=5");
  assert_string_equal(history_field("out/loss/history.csv", 1, "epoch"), "2");
  assert_string_equal(history_field("out/loss/history.csv", 2, "epoch"), "");
  assert_false(um_is_folder(in("out/none")));
}

/* 12 fake and 12 real, of which 6 real go: as many draws as of fake in an epoch all the same. */
static void balance(void **state) {
  (void)state;
  RUN(0, "cp -r $D/pics $D/uneven && rm $D/uneven/real/00[0-5].png && $T --config $D/tiny.json --out $D/out/sampled --set "
         "data.train_dir=$D/uneven --set data.validation_split=0 --set epochs=1 --set data.sampling=balanced");
  SAYS("  training  18 pictures: fake 12, real 6\n");
  SAYS("Training    1 epoch of 6 steps of 4 pictures");
  SAYS("            both classes equally often, real again\n");
  RUN(0, "$T --config $D/tiny.json --out $D/out/weighted --set data.train_dir=$D/uneven --set data.validation_split=0 --set epochs=1 --set "
         "class_weight=balanced");
  SAYS("Training    1 epoch of 5 steps of 4 pictures");
  SAYS("            in the loss fake counts 0.75, real 1.5\n");
  RUN(0, "$T --config $D/tiny.json --out $D/out/plain --quiet --set data.train_dir=$D/uneven --set data.validation_split=0 --set epochs=1");
  assert_false(same_files("out/plain/last.safetensors", "out/sampled/last.safetensors"));
  RUN(2, "$T --config $D/tiny.json --out $D/out/both --set class_weight=balanced --set data.sampling=balanced");
  SAYS("train: --set: class_weight and data.sampling: both are balanced, which would count the smaller class twice over; take one of them "
       "out\n");
  RUN(2, "$T --config $D/tiny.json --out $D/out/both --set 'class_weight={\"real\": 1, \"forged\": 2}'");
  SAYS("train: class_weight: its classes are forged and real, expected fake and real, as the class folders are called\n");
}

/* The history of a program that had no val_auc yet, and a checkpoint that says nothing of schedules and phases. */
static void an_older_run_goes_on(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --out $D/out/new --quiet --set epochs=2");
  assert_true(atof(history_field("out/new/history.csv", 0, "val_auc")) > 0);
  RUN(0, "cut -d, -f1-7 $D/out/new/history.csv >$D/cut && mv $D/cut $D/out/new/history.csv");
  RUN(0, "$T --resume $D/out/new --set epochs=3");
  assert_null(strstr(said, "history begins anew"));
  assert_string_equal(history_field("out/new/history.csv", 0, "val_auc"), "");
  assert_string_equal(history_field("out/new/history.csv", 2, "epoch"), "3");
  assert_true(atof(history_field("out/new/history.csv", 2, "val_auc")) > 0);
}

/* ---- a run of everything at once, stopped wherever it may be ---- */

static const char phased[] =
    "--set epochs=5 --set data.batch_size=1 --set 'phases=[{\"epochs\": 2, \"trainable\": \"head\", \"learning_rate_schedule\": {\"name\": "
    "\"plateau\", "
    "\"patience\": 1, \"min_delta\": 10}}, {\"trainable\": \"tiny_conv3\", \"learning_rate\": 1e-4, \"learning_rate_schedule\": {\"name\": "
    "\"cosine\", "
    "\"warmup_steps\": 7}}]' --set optimizer.name=adam --set optimizer.weight_decay=0.01 --set data.sampling=balanced --set "
    "class_weight={\\\"fake\\\":2,\\\"real\\\":1} --set 'model.head=[{\"flatten\": {}}, {\"dropout\": {\"rate\": 0.25}}, {\"dense\": "
    "{\"units\": 32, "
    "\"activation\": \"relu\"}}, {\"dropout\": {\"rate\": 0.5}}, {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}]' --device ref";

/* Where last.safetensors of a run stands; false where there is none yet. */
static bool position_of(const char *out, um_position *at) {
  char path[128];
  um_error err = {0};
  um_st *st;
  snprintf(path, sizeof path, "%s/last.safetensors", out);
  if (!um_is_file(in(path)) || um_st_open(&st, in(path), &err)) return false;
  const bool ok = um_checkpoint_position(at, st, &err) == UM_OK;
  um_st_close(st);
  return ok;
}

/* Begins a run, or goes on with the one that is there, until its checkpoint is at this place or past it, then ends it there. */
static void go_on(const char *out, int phase, int epoch, int batch, int number) {
  char command[4096];
  um_position at = {0};
  /* A checkpoint a step; but the one between two phases is to stay until the end of an epoch. */
  const char *minutes = batch > 0 ? "0.0000001" : "0";
  const bool anew = !um_is_folder(in(out));
  snprintf(command, sizeof command, "D='%s'; exec 2>$D/log; exec \"$UM_BIN/train\" %s$D/%s %s --quiet --set checkpoint_minutes=%s", folder,
           anew ? "--config $D/tiny.json --out " : "--resume ", out, anew ? phased : "--device ref", minutes);
  const pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  for (int i = 0; i < 60000; i++) {
    if (position_of(out, &at) && at.phase >= phase && at.epoch >= epoch && at.batch >= batch) break;
    usleep(1000);
  }
  kill(pid, number);
  waitpid(pid, NULL, 0);
}

/* The same, within that phase: on a machine that is busy the run may be past it when its end comes, and is put back then. */
static void go_until(const char *out, int phase, int epoch, int batch, int number) {
  um_position at = {0};
  RUN(0, "rm -rf $D/%s.before; [ ! -d $D/%s ] || cp -a $D/%s $D/%s.before", out, out, out, out);
  for (int try = 0; try < 40; try++) {
    go_on(out, phase, epoch, batch, number);
    assert_true(position_of(out, &at));
    const bool there = batch > 0 ? at.epoch >= epoch && at.batch >= batch : at.epoch == epoch && at.batch == 0;
    if (at.phase == phase && there) return;
    RUN(0, "rm -rf $D/%s; [ ! -d $D/%s.before ] || cp -a $D/%s.before $D/%s", out, out, out, out);
  }
  fail_msg("phase %d, epoch %d, batch %d was missed forty times", phase, epoch, batch);
}

static void phases_stopped_and_resumed(void **state) {
  (void)state;
  um_position at = {0};
  RUN(0, "$T --config $D/tiny.json --out $D/out/straight %s", phased);
  SAYS("  phase 1   2 epochs, trains head, learning rate 0.001\n");
  SAYS("  phase 2   3 epochs, trains tiny_conv3, learning rate 0.0001\n");
  SAYS("Phase 2/2   trains tiny_conv3: 57,537 parameters, learning rate 0.0001\n");
  SAYS("Epoch 5/5\n");
  go_until("out/stops", 0, 0, 5, SIGINT);
  go_until("out/stops", 0, 1, 1, SIGKILL);
  go_until("out/stops", 1, 2, 0, SIGKILL);
  assert_true(position_of("out/stops", &at) && at.phase_epoch == 2 && at.epoch == 2 && at.batch == 0 && at.step == 0 && at.states == 0);
  assert_int_equal(at.before, 2 * 18);
  go_until("out/stops", 1, 2, 7, SIGINT);
  go_until("out/stops", 1, 4, 1, SIGKILL);
  RUN(0, "$T --resume $D/out/stops --device ref --set data.workers=1");
  assert_true(same_files("out/straight/last.safetensors", "out/stops/last.safetensors"));
  assert_true(same_files("out/straight/best.safetensors", "out/stops/best.safetensors"));
  RUN(0, "cd $D/out && cut -d, -f1-6,8 straight/history.csv >a && cut -d, -f1-6,8 stops/history.csv >b && cmp a b");

  /* More epochs would have made another cosine of it. */
  RUN(2, "$T --resume $D/out/stops --set epochs=6");
  SAYS("--set: epochs: cannot change");
  RUN(2, "$T --resume $D/out/stops --set phases=null");
  SAYS("--set: phases: cannot change");
}

/* ---- whole trainings, as the real Keras did them (tests/golden/course.py): the same formulas for pictures and weights ---- */

enum { SIDE = 16 };

static uint32_t word(uint32_t stream, uint32_t i) {
  uint32_t h = i * 2654435761u + stream * 40503u + 12345u;
  h ^= h >> 15;
  h *= 2246822519u;
  return h ^ h >> 13;
}

static void make_part(const char *name, uint32_t part, const int count[2]) {
  um_error err = {0};
  for (uint32_t label = 0; label < 2; label++) {
    char dir[4096], path[4200];
    snprintf(dir, sizeof dir, "%s/%s/%s", folder, name, label ? "real" : "fake");
    assert_int_equal(um_mkdirs(dir, &err), UM_OK);
    for (uint32_t i = 0; (int)i < count[label]; i++) {
      um_image im = {0};
      assert_int_equal(um_image_alloc(&im, SIDE, SIDE, &err), UM_OK);
      for (uint32_t k = 0; k < SIDE * SIDE * 3; k++)
        im.pixels[k] = (uint8_t)((word(1000 + part * 500 + label * 100 + i, k) >> 25) + 40 + (k % 3 == 0 && !label ? 24 : 0));
      snprintf(path, sizeof path, "%s/%03d.png", dir, (int)i);
      assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
      um_image_free(&im);
    }
  }
}

/* The initial weights as a model file. */
static void make_weights(const um_config *c, const char *path) {
  const um_model_options o = {.batch = 1, .training = true};
  um_preprocess p = {.target_size = {SIDE, SIDE}, .rescale = 1.0 / 255, .classes = {"fake", "real"}};
  um_error err = {0};
  um_graph g;
  um_backend *be;
  um_model *m;
  int count;
  assert_int_equal(um_config_graph(&g, NULL, c, &err), UM_OK);
  assert_int_equal(um_backend_open(&be, "ref", 1, &err), UM_OK);
  assert_int_equal(um_model_create(&m, &g, be, &o, &err), UM_OK);
  const um_param *param = um_model_params(m, &count);
  for (int i = 0; i < count; i++) {
    const um_tensor *t = &param[i].plain;
    const int64_t n = um_tensor_count(t), fan = t->ndim == 4 ? 9 * (t->dim[2] + t->dim[3]) : t->ndim == 2 ? t->dim[0] + t->dim[1] : 1;
    float *values = malloc((size_t)n * sizeof *values);
    assert_non_null(values);
    for (int64_t k = 0; k < n; k++)
      values[k] = t->ndim == 1 ? 0 : (float)(((double)(word((uint32_t)i / 2, (uint32_t)k) % 2001) - 1000) / 1000 * sqrt(6 / (double)fan));
    assert_int_equal(um_model_set(m, 'w', i, values, &err), UM_OK);
    free(values);
  }
  snprintf(p.faces.detector, sizeof p.faces.detector, "haar");
  if (um_checkpoint_save(path, m, &p, NULL, &err)) fail_msg("%s", err.text);
  um_model_free(m);
  be->ops->close(be);
  um_graph_free(&g);
}

static void near(const char *what, const char *name, double ours, double theirs, double tolerance) {
  if (!(fabs(ours - theirs) <= tolerance * fmax(1, fabs(theirs)))) fail_msg("%s: %s: %.9g, expected %.9g", name, what, ours, theirs);
}

static void compare_with_keras(const cJSON *c, const char *out, double tolerance) {
  static const char *const columns[] = {"loss", "accuracy", "val_loss", "val_accuracy", "val_auc"};
  const char *name = cJSON_GetObjectItem(c, "name")->valuestring;
  char history[128], path[128], tensor[80];
  um_error err = {0};
  const cJSON *v;
  um_st *st;
  int epochs = 0, i = 0;
  snprintf(history, sizeof history, "%s/history.csv", out);
  snprintf(path, sizeof path, "%s/last.safetensors", out);
  for (int k = 0; k < 5; k++) {
    epochs = 0;
    cJSON_ArrayForEach(v, cJSON_GetObjectItem(c, columns[k])) {
      char what[64];
      snprintf(what, sizeof what, "epoch %d, %s", epochs + 1, columns[k]);
      near(what, name, atof(history_field(history, epochs++, columns[k])), v->valuedouble, tolerance);
    }
  }
  assert_string_equal(history_field(history, epochs, "epoch"), "");
  assert_int_equal(um_st_open(&st, in(path), &err), UM_OK);
  cJSON_ArrayForEach(v, cJSON_GetObjectItem(c, "norms")) {
    double sum = 0;
    snprintf(tensor, sizeof tensor, "%s/kernel", v->string);
    const um_st_entry *e = um_st_find(st, tensor);
    assert_non_null(e);
    for (int64_t k = 0; k < um_tensor_count(&e->tensor); k++) sum += pow((double)((const float *)e->tensor.data)[k], 2);
    near(tensor, name, sqrt(sum), v->valuedouble, tolerance);
  }
  const um_st_entry *last = um_st_find(st, "dense_1/kernel");
  cJSON_ArrayForEach(v, cJSON_GetObjectItem(c, "last"))
      near("dense_1/kernel", name, (double)((const float *)last->tensor.data)[i++], v->valuedouble, tolerance);
  assert_int_equal(i, 32);
  um_st_close(st);
}

/* What Keras' fits and ours do in the same order is the same to the rounding of floats, which grows from step to step: 1e-6 was seen
 * with Adam, which makes much of small gradients. */
static void as_keras(void **state) {
  static const int train[2] = {14, 6}, held_out[2] = {5, 7};
  um_error err = {0};
  um_config config;
  char *text;
  size_t size;
  const cJSON *c;
  int cases = 0;
  (void)state;
  make_part("keras/train", 0, train);
  make_part("keras/val", 1, held_out);
  snprintf(
      said, sizeof said,
      "{\"data\": {\"train_dir\": \"%s/keras/train\", \"validation_dir\": \"%s/keras/val\", \"target_size\": [16, 16], \"batch_size\": 4, "
      "\"shuffle\": false}, \"model\": {\"backbone\": \"tiny\", \"weights\": \"%s/keras.safetensors\", \"head\": [{\"flatten\": {}}, "
      "{\"dense\": {\"units\": 32, \"activation\": \"relu\"}}, {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}]}}",
      folder, folder, folder);
  tmp_write(in("keras.json"), said, strlen(said));
  if (um_config_load(&config, in("keras.json"), NULL, 0, &err)) fail_msg("%s", err.text);
  make_weights(&config, in("keras.safetensors"));
  um_config_free(&config);
  assert_int_equal(um_file_read(&text, &size, "tests/golden/course.json", 1 << 20, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  free(text);
  cJSON_ArrayForEach(c, cJSON_GetObjectItem(root, "cases")) {
    char set[2048] = "", out[64];
    const cJSON *key;
    cJSON_ArrayForEach(key, cJSON_GetObjectItem(c, "config")) {
      char *json = cJSON_PrintUnformatted(key);
      const size_t n = strlen(set);
      snprintf(set + n, sizeof set - n, " --set '%s=%s'", key->string, json);
      free(json);
    }
    snprintf(out, sizeof out, "out/keras%d", cases++);
    RUN(0, "$T --config $D/keras.json --out $D/%s %s", out, set);
    compare_with_keras(c, out, 1e-5);
  }
  assert_int_equal(cases, 7);
  cJSON_Delete(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(schedules), cmocka_unit_test(early_stopping),       cmocka_unit_test(what_is_watched_must_be_there),
      cmocka_unit_test(balance),   cmocka_unit_test(an_older_run_goes_on), cmocka_unit_test(phases_stopped_and_resumed),
      cmocka_unit_test(as_keras),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
