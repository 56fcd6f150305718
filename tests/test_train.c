/* The program train, driven as a user would: the run folder, exit statuses, messages, and that a run which was stopped and resumed
 * ends with the bits of one that was not. The pictures are small and made here; the backbone is tiny. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "tests/support/tmp.h"
#include "tests/support/train_run.h"

static int set_up(void **state) {
  (void)state;
  return train_run_set_up("train");
}

static void usage_and_version(void **state) {
  (void)state;
  RUN(0, "$T --version");
  SAYS("train (unmask) ");
  RUN(0, "$T --help");
  SAYS("usage: train --config FILE");
  SAYS("  augmentation.rotation_range [0]\n      degrees to either side\n      a number from 0 to 180\n");
  for (const char *line = said, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
    if (end - line > 80) fail_msg("longer than 80 columns: %.*s", (int)(end - line), line);
  RUN(2, "$T");
  SAYS("train: no config: expected --config FILE");
  RUN(2, "$T --confg x");
  SAYS("train: --confg: not an option of train");
  RUN(2, "$T --config");
  SAYS("train: --config: expected a value");
  RUN(2, "$T --config $D/tiny.json pics");
  SAYS("train: pics: not an option of train; pictures are named in the config");
  RUN(2, "$T --config $D/tiny.json --threads many");
  SAYS("train: --threads: expected a number from 1 to 4096, got \"many\"");
  RUN(2, "$T --config $D/tiny.json --resume $D/out");
  SAYS("leave --config out");
  RUN(2, "$T --config $D/tiny.json --out ''");
  SAYS("train: --out: expected a folder");
  RUN(2, "$T --config $D/tiny.json --device gpu --out $D/never");
  SAYS("device \"gpu\": expected");
}

static void wrong_configs(void **state) {
  (void)state;
  RUN(2, "$T --config missing.json");
  SAYS("train: missing.json: no such config here, in configs/, in ");
  RUN(2, "$T --config $D/tiny.json --set epochs=many");
  SAYS("train: --set: epochs: expected a whole number from 1 to 1000000, got \"many\"");
  RUN(2, "$T --config $D/tiny.json --set data.batchsize=3");
  SAYS("unknown key; did you mean data.batch_size?");
  tmp_write(in("broken.json"), "{\n \"epochs\": 3,\n}", 17);
  RUN(2, "$T --config $D/broken.json");
  SAYS("broken.json: line 3, column 1: not JSON from here on: }");
  RUN(2, "$T --config $D/tiny.json --set data.target_size=[8,16]");
  SAYS("train: tiny: data.target_size: [8, 16] is too small for tiny, expected at least [16, 16]");
  RUN(2, "$T --config $D/tiny.json --set precision=bf16");
  SAYS("train: tiny: precision: the device cpu computes in \"fp32\" only, got \"bf16\"; --set precision=fp32");
  RUN(2, "$T --config $D/tiny.json --set data.train_dir=null");
  SAYS("train: data.train_dir: not set");
  RUN(2, "$T --config $D/tiny.json --set data.validation_dir=$D/pics");
  SAYS("data.validation_dir and data.validation_split are both set");
  RUN(2, "$T --config $D/tiny.json --set model.trainable=block9");
  SAYS("block9");
  RUN(1, "$T --config $D/tiny.json --set model.weights=$D/none.h5");
  SAYS("train: model.weights: ");
  SAYS("none.h5: no such file; expected \"imagenet\", a weights file, or null");
  assert_int_equal(sh("ls -d runs/tiny-* 2>/dev/null"), 2); /* nothing of this got as far as a run folder */
}

static void wrong_data(void **state) {
  (void)state;
  RUN(1, "$T --config $D/tiny.json --set data.train_dir=$D/nowhere --out $D/never");
  SAYS("train: data.train_dir: ");
  SAYS("nowhere: no such folder");
  RUN(1, "mkdir -p $D/empty && $T --config $D/tiny.json --set data.train_dir=$D/empty --out $D/never");
  SAYS("train: data.train_dir: ");
  RUN(1, "mkdir -p $D/one/real && cp $D/pics/real/00* $D/one/real && $T --config $D/tiny.json --set data.train_dir=$D/one --out $D/never");
  SAYS("found 1 class folder (real), expected two, such as fake and real");
  RUN(1,
      "mkdir -p $D/three/a $D/three/b && cp -r $D/one/real $D/three && cp $D/pics/real/00* $D/three/a && cp $D/pics/real/00* $D/three/b && "
      "$T --config $D/tiny.json --set data.train_dir=$D/three --out $D/never");
  SAYS("found 3 class folders (a, b, real), expected two");
  RUN(1,
      "mkdir -p $D/hollow/fake && cp -r $D/one/real $D/hollow && $T --config $D/tiny.json --set data.train_dir=$D/hollow --out $D/never");
  SAYS("fake");
  RUN(1, "mkdir -p $D/other && cp -r $D/pics/real $D/other/good && cp -r $D/pics/fake $D/other/bad && $T --config $D/tiny.json --set "
         "data.validation_split=0 --set data.validation_dir=$D/other --out $D/never");
  SAYS("its classes are bad and good, expected fake and real as in data.train_dir");
  assert_false(um_is_folder(in("never")));
}

static void a_run_and_its_folder(void **state) {
  (void)state;
  um_error err = {0};
  um_st *st;
  um_graph g;
  um_preprocess p;
  um_config c;
  size_t n;

  RUN(0, "$T --config $D/tiny.json --out $D/out/a --set data.workers=2");
  SAYS("  training  18 pictures: fake 9, real 9");
  SAYS("  held out  6 pictures: fake 3, real 3");
  SAYS("  tiny_conv1             16x16x16                        448\n");
  SAYS("  all                                                 62,625\n");
  SAYS("  to be trained                                       62,625\n");
  SAYS("Training    3 epochs of 5 steps of 4 pictures, rmsprop, learning rate 0.001");
  SAYS("Epoch 3/3");
  SAYS("out/a/best.safetensors");

  char *csv = content("out/a/history.csv", &n);
  assert_int_equal(strncmp(csv, "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds,val_auc\n1,", 74), 0);
  free(csv);
  assert_string_equal(history_field("out/a/history.csv", 2, "epoch"), "3");
  assert_string_equal(history_field("out/a/history.csv", 3, "epoch"), "");
  assert_string_equal(history_field("out/a/history.csv", 0, "learning_rate"), "0.001");
  assert_true(atof(history_field("out/a/history.csv", 0, "val_loss")) > 0);

  assert_int_equal(um_config_load(&c, in("out/a/config.json"), NULL, 0, &err), UM_OK);
  assert_int_equal(c.data.workers, 2);
  um_config_free(&c);
  char *png = content("out/a/augmented.png", &n), *svg = content("out/a/history.svg", &n);
  assert_memory_equal(png, "\x89PNG", 4);
  free(png);
  for (int epoch = 0; epoch < 3; epoch++) {
    static const char *const lines[][3] = {
        {"training", "loss", "loss"}, {"validation", "loss", "val_loss"}, {"validation", "AUC", "val_auc"}};
    for (int i = 0; i < 3; i++) {
      char title[128];
      snprintf(title, sizeof title, "<title>%s: epoch %d, %s %.4g</title>", lines[i][0], epoch + 1, lines[i][1],
               atof(history_field("out/a/history.csv", epoch, lines[i][2])));
      if (!strstr(svg, title)) fail_msg("no %s in history.svg", title);
    }
  }
  png = content("out/a/history.png", &n);
  assert_memory_equal(png, "\x89PNG", 4);
  free(png);
  free(svg);

  /* best is a model to score with, last one to go on from; both say what scoring must repeat. */
  assert_int_equal(um_checkpoint_open(&st, &g, &p, in("out/a/best.safetensors"), &err), UM_OK);
  assert_int_equal(um_st_count(st), 12);
  assert_string_equal(p.classes[0], "fake");
  assert_string_equal(p.classes[1], "real");
  assert_int_equal(p.target_size[0], 16);
  assert_true(p.rescale == 1.0 / 255 && p.faces.fps == 2 && p.faces.max_size == 1000);
  um_st_close(st);
  um_graph_free(&g);
  assert_int_equal(um_st_open(&st, in("out/a/last.safetensors"), &err), UM_OK);
  assert_int_equal(um_st_count(st), 24);
  assert_non_null(strstr(um_st_metadata(st, "position"), "\"epoch\":3,\"batch\":0,\"step\":15,"));
  um_st_close(st);

  RUN(2, "$T --config $D/tiny.json --out $D/out/a");
  SAYS("out/a: already holds a run; go on with it by --resume ");
  RUN(0, "$T --resume $D/out/a/");
  SAYS("all 3 epochs are done; --set epochs=N goes on");
  RUN(0, "$T --config $D/tiny.json --out $D/out/quiet --quiet");
  assert_string_equal(said, "");
}

static void learning_is_seen(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --out $D/out/learns --quiet --set epochs=20 --set data.batch_size=2");
  double first = atof(history_field("out/learns/history.csv", 0, "loss")), last = atof(history_field("out/learns/history.csv", 19, "loss"));
  assert_true(last < 0.5 * first);
  assert_true(atof(history_field("out/learns/history.csv", 19, "val_accuracy")) >= 0.9);
}

static void without_held_out_pictures(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --out $D/out/all --set data.validation_split=0 --set epochs=1");
  SAYS("held out  nothing: there will be no best.safetensors");
  SAYS("no held-out part, so no best.safetensors: the model is ");
  assert_false(um_is_file(in("out/all/best.safetensors")));
  assert_true(um_is_file(in("out/all/last.safetensors")));
  assert_string_equal(history_field("out/all/history.csv", 0, "val_loss"), "");
}

static void neither_workers_nor_cache_change_anything(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --out $D/out/w1 --quiet --set data.workers=1");
  RUN(0, "$T --config $D/tiny.json --out $D/out/w4 --quiet --set data.workers=4 --set data.cache=1M");
  assert_true(same_files("out/w1/last.safetensors", "out/w4/last.safetensors"));
  assert_true(same_files("out/w1/best.safetensors", "out/w4/best.safetensors"));
  RUN(0, "$T --config $D/tiny.json --out $D/out/seed --quiet --set seed=43");
  assert_false(same_files("out/w1/best.safetensors", "out/seed/best.safetensors"));
}

static bool inside_an_epoch(const char *name) {
  um_error err = {0};
  um_st *st;
  assert_int_equal(um_st_open(&st, in(name), &err), UM_OK);
  const char *position = um_st_metadata(st, "position");
  assert_non_null(position);
  bool inside = !strstr(position, "\"batch\":0,");
  um_st_close(st);
  return inside;
}

static void stopped_and_resumed_is_the_same(void **state) {
  (void)state;
  const char *set[] = {"--set", "epochs=5", "--set", "data.batch_size=1"};
  int stops = 0, inside = 0;
  RUN(0, "$T --config $D/tiny.json --out $D/out/straight --quiet --set epochs=5 --set data.batch_size=1 --set data.workers=1 --device ref");

  /* The reference backend is slow enough to be stopped inside an epoch of 18 steps. */
  char config[4096], out[4096], mark[4096];
  snprintf(config, sizeof config, "%s", in("tiny.json"));
  snprintf(out, sizeof out, "%s", in("out/stops"));
  snprintf(mark, sizeof mark, "%s", in("out/stops/augmented.png"));
  const char *start[] = {"train", "--config", config, "--out", out, "--device", "ref", set[0], set[1], set[2], set[3], NULL};
  int status = interrupted(start, mark, 30000, SIGINT, false);
  for (int i = 0; i < 12 && status == 130; i++) {
    static const char *const workers[] = {"data.workers=4", "data.workers=1", "data.workers=3"};
    const char *go_on[] = {"train", "--resume", out, "--device", "ref", "--set", workers[i % 3], NULL};
    stops++;
    if (inside_an_epoch("out/stops/last.safetensors")) inside++;
    static const int signals[] = {SIGTERM, SIGKILL, SIGINT};
    status = interrupted(go_on, in("out/stops/config.json"), 60000 + 40000 * (useconds_t)i, signals[i % 3], false);
    /* Killed, by SIGKILL or before it listened: the last checkpoint counts. */
    if (status > 1000) status = 130;
  }
  RUN(0, "$T --resume $D/out/stops --device ref --quiet"); /* to the end, where it has not got there */
  assert_true(stops >= 1 && inside >= 1);
  assert_int_equal(sh("ls $D/out/stops/*.tmp"), 2);
  assert_true(same_files("out/straight/last.safetensors", "out/stops/last.safetensors"));
  assert_true(same_files("out/straight/best.safetensors", "out/stops/best.safetensors"));
  assert_true(same_files("out/straight/validation.csv", "out/stops/validation.csv"));
  static const char *const columns[] = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_auc"};
  for (int row = 0; row < 6; row++)
    for (int c = 0; c < 6; c++) {
      char one[64];
      snprintf(one, sizeof one, "%s", history_field("out/straight/history.csv", row, columns[c]));
      assert_string_equal(one, history_field("out/stops/history.csv", row, columns[c]));
    }
}

/* A step of the reference backend on pictures of this size takes seconds: the second signal does not wait for its end. */
static void a_second_signal_ends_at_once(void **state) {
  (void)state;
  char config[4096], out[4096];
  snprintf(config, sizeof config, "%s", in("tiny.json"));
  snprintf(out, sizeof out, "%s", in("out/twice"));
  const char *start[] = {"train", "--config", config, "--out", out, "--device", "ref", "--set", "data.target_size=[640,640]", NULL};
  double began = um_seconds();
  assert_int_equal(interrupted(start, in("out/twice/augmented.png"), 0, SIGINT, true), 130);
  double took = um_seconds() - began;
  assert_false(um_is_file(in("out/twice/last.safetensors")));
  assert_true(took < 20);
}

/* The same on the CPU backend, where a checkpoint goes through its own layouts, for each optimizer. */
static void extended_is_the_same(void **state) {
  (void)state;
  static const char *const names[] = {"rmsprop", "adam", "sgd"};
  for (int i = 0; i < 3; i++) {
    RUN(0, "$T --config $D/tiny.json --out $D/out/long-%s --quiet --set epochs=4 --set optimizer.name=%s", names[i], names[i]);
    RUN(0, "$T --config $D/tiny.json --out $D/out/short-%s --quiet --set epochs=1 --set optimizer.name=%s", names[i], names[i]);
    RUN(0, "$T --resume $D/out/short-%s --quiet --set epochs=2 --set data.workers=1", names[i]);
    RUN(0, "$T --resume $D/out/short-%s --quiet --set epochs=4", names[i]);
    char a[64], b[64];
    snprintf(a, sizeof a, "out/long-%s/last.safetensors", names[i]);
    snprintf(b, sizeof b, "out/short-%s/last.safetensors", names[i]);
    assert_true(same_files(a, b));
  }
}

static void what_resume_refuses(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --out $D/out/r --quiet --set epochs=1");
  RUN(2, "$T --resume $D/out/r --set optimizer.learning_rate=1 --set epochs=2");
  SAYS("train: --set: optimizer.learning_rate: cannot change in a run that is resumed");
  RUN(1, "$T --resume $D/nowhere");
  SAYS("nowhere: no run to go on with: there is no last.safetensors in it");
  RUN(1, "cp -r $D/pics $D/more && cp $D/more/fake/000.png $D/more/fake/new.png && $T --resume $D/out/r --set epochs=2 --set "
         "data.train_dir=$D/more");
  SAYS("the pictures are not those that the run began with");
  RUN(0, "cp -r $D/pics $D/moved && $T --resume $D/out/r --quiet --set epochs=2 --set data.train_dir=$D/moved");
  assert_string_equal(history_field("out/r/history.csv", 1, "epoch"), "2");
  RUN(0, "rm $D/out/r/history.csv && $T --resume $D/out/r --set epochs=3");
  SAYS("history.csv: No such file or directory; the history begins anew");
  assert_string_equal(history_field("out/r/history.csv", 0, "epoch"), "3");
  RUN(1, "head -c 5000 $D/out/r/last.safetensors >$D/cut && mv $D/cut $D/out/r/last.safetensors && $T --resume $D/out/r --set epochs=4");
  SAYS("last.safetensors: ");
  SAYS("it is cut");
}

static void unreadable_pictures(void **state) {
  (void)state;
  RUN(3, "cp -r $D/pics $D/bad && head -c 300 $D/pics/fake/003.png >$D/bad/fake/003.png && echo hello >$D/bad/real/note.jpg && "
         ": >$D/bad/real/000.png && $T --config $D/tiny.json --out $D/out/bad --set data.train_dir=$D/bad --set data.batch_size=1");
  SAYS("train: skipped: ");
  SAYS("bad/fake/003.png");
  SAYS("bad/real/note.jpg");
  SAYS("bad/real/000.png");
  SAYS("train: 3 of 25 pictures could not be read and were left out (named above)");
  char *first = strstr(said, "bad/real/note.jpg");
  assert_null(strstr(first + 30, "bad/real/note.jpg")); /* once, not once an epoch */
  SAYS("Epoch 3/3");
  RUN(1, "mkdir -p $D/worse/fake $D/worse/real && for i in 1 2 3 4; do echo x >$D/worse/fake/$i.png; echo x >$D/worse/real/$i.png; done; "
         "$T --config $D/tiny.json --out $D/out/worse --set data.train_dir=$D/worse");
  SAYS("training pictures could be read");
  SAYS("no checkpoint had been written yet");
}

static void a_loss_that_is_not_a_number(void **state) {
  (void)state;
  um_error err = {0};
  um_st *st;
  /* SGD with such a rate: the weights overflow in a few steps, and the next loss is no number. */
  RUN(1, "$T --config $D/tiny.json --out $D/out/nan --set optimizer.name=sgd --set optimizer.learning_rate=100 --set checkpoint_minutes=0");
  if (!strstr(said, "train: the loss is ")) SAYS("train: the gradient of ");
  SAYS(" at epoch 1, step ");
  SAYS("a lower optimizer.learning_rate may help");
  SAYS("no checkpoint had been written yet");
  assert_false(um_is_file(in("out/nan/last.safetensors")));

  /* With a checkpoint after each step: what is kept is finite, whatever came first, a bad loss or a bad weight. */
  RUN(1, "$T --config $D/tiny.json --out $D/out/kept --set optimizer.learning_rate=100 --set checkpoint_minutes=0.0000001");
  SAYS("a lower optimizer.learning_rate may help");
  SAYS("last.safetensors holds the run after epoch ");
  assert_int_equal(um_st_open(&st, in("out/kept/last.safetensors"), &err), UM_OK);
  for (int i = 0; i < um_st_count(st); i++) {
    const um_tensor *t = &um_st_at(st, i)->tensor;
    for (int64_t k = 0; k < um_tensor_count(t); k++) assert_true(isfinite(((const float *)t->data)[k]));
  }
  um_st_close(st);
}

static void a_full_disk(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --out $D/out/full --quiet --set epochs=1");
  RUN(0, "cp $D/out/full/last.safetensors $D/before");
  /* A limit on the size of files, 50 KB, stands for the disk: a checkpoint is 480 KB. */
  RUN(1, "ulimit -f 100; $T --resume $D/out/full --set epochs=2");
  SAYS("safetensors: cannot write: File too large; nothing was changed");
  SAYS("last.safetensors holds the run after epoch 1, step 0; go on with: train --resume ");
  assert_true(same_files("out/full/last.safetensors", "before"));
  assert_int_equal(sh("ls $D/out/full/*.tmp"), 2);
  RUN(0, "$T --resume $D/out/full --quiet --set epochs=2");
}

static void folders_that_cannot_be(void **state) {
  (void)state;
  RUN(1, "$T --config $D/tiny.json --out /proc/none/out");
  SAYS("train: /proc/none: cannot make the folder");
  RUN(1, "$T --config $D/tiny.json --out $D/tiny.json/out");
  SAYS("tiny.json: cannot make the folder: Not a directory");
}

/* Only the head moves. */
static void frozen_layers_stay(void **state) {
  (void)state;
  um_error err = {0};
  um_st *a, *b;
  RUN(0, "$T --config $D/tiny.json --out $D/out/head1 --set epochs=1 --set model.trainable=head");
  SAYS("  tiny_conv4             2x2x64                       36,928  frozen\n");
  SAYS("  to be trained                                        2,113\n");
  RUN(0, "$T --config $D/tiny.json --out $D/out/head2 --quiet --set epochs=2 --set model.trainable=head");
  assert_int_equal(um_st_open(&a, in("out/head1/last.safetensors"), &err), UM_OK);
  assert_int_equal(um_st_open(&b, in("out/head2/last.safetensors"), &err), UM_OK);
  assert_int_equal(um_st_count(a), 16);
  for (int i = 0; i < um_st_count(a); i++) {
    const um_st_entry *x = um_st_at(a, i), *y = um_st_find(b, x->name);
    assert_non_null(y);
    bool frozen = strncmp(x->name, "tiny_", 5) == 0;
    assert_int_equal(memcmp(x->tensor.data, y->tensor.data, x->tensor.bytes) == 0, frozen);
  }
  um_st_close(a);
  um_st_close(b);
}

static void weights_of_another_run(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --out $D/out/first --quiet --set epochs=1");
  RUN(0, "$T --config $D/tiny.json --out $D/out/second --set epochs=1 --set model.weights=$D/out/first/best.safetensors");
  SAYS("Weights     12 tensors loaded, 0 skipped, 0 fresh");
  SAYS("tiny_conv1/kernel");
}

static void real_faces(void **state) {
  (void)state;
  const char *shared = getenv("UM_SHARED");
  char faces[4096];
  snprintf(faces, sizeof faces, "%s/faces/train", shared ? shared : "../shared/data");
  if (!um_is_folder(faces)) {
    puts("skipped: real faces, ../shared/data is not here");
    skip();
  }
  RUN(0,
      "$T --config $D/tiny.json --out $D/out/faces --set data.train_dir=%s --set data.max_per_class=40 --set data.target_size=[64,64] "
      "--set epochs=1",
      faces);
  SAYS("groups");
  SAYS("by group (footage)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(usage_and_version),
      cmocka_unit_test(wrong_configs),
      cmocka_unit_test(wrong_data),
      cmocka_unit_test(a_run_and_its_folder),
      cmocka_unit_test(learning_is_seen),
      cmocka_unit_test(without_held_out_pictures),
      cmocka_unit_test(neither_workers_nor_cache_change_anything),
      cmocka_unit_test(stopped_and_resumed_is_the_same),
      cmocka_unit_test(a_second_signal_ends_at_once),
      cmocka_unit_test(extended_is_the_same),
      cmocka_unit_test(what_resume_refuses),
      cmocka_unit_test(unreadable_pictures),
      cmocka_unit_test(a_loss_that_is_not_a_number),
      cmocka_unit_test(a_full_disk),
      cmocka_unit_test(folders_that_cannot_be),
      cmocka_unit_test(frozen_layers_stay),
      cmocka_unit_test(weights_of_another_run),
      cmocka_unit_test(real_faces),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
