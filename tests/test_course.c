/* The course of a run of train: learning-rate schedules, early stopping; and that a run which was stopped and resumed goes the same way.
 * The rates themselves are compared with Keras in test_schedule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(schedules),
      cmocka_unit_test(early_stopping),
      cmocka_unit_test(what_is_watched_must_be_there),
      cmocka_unit_test(an_older_run_goes_on),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
