/* What train refuses to take for a validation: footage or pictures that training sees; the test part, which is looked at once; and faces
 * that come straight from videos. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "tests/support/clip.h"
#include "tests/support/picture.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"
#include "tests/support/train_run.h"

/* n photographs a class, NAME/{fake,real}/I.png; first: which ones. */
static void make_photos(const char *name, int n, int first) {
  um_error err = {0};
  for (int label = 0; label < 2; label++)
    for (int i = 0; i < n; i++) {
      char path[4096];
      um_image im = {0};
      snprintf(path, sizeof path, "%s/%s/%s", folder, name, label ? "real" : "fake");
      assert_int_equal(um_mkdirs(path, &err), UM_OK);
      snprintf(path, sizeof path, "%s/%s/%s/%d.png", folder, name, label ? "real" : "fake", i);
      test_photo(&im, 48, 48, (uint32_t)(first + 2 * i + label));
      assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
      um_image_free(&im);
    }
}

static void manifest(const char *name, const char *text) { tmp_write(in(name), text, strlen(text)); }

#define COMMON "--config $D/tiny.json --device cpu --threads 1 --set epochs=1 --set data.validation_split=0 "

static void groups(void **state) {
  (void)state;
  make_photos("a", 4, 0);
  make_photos("b", 4, 100);
  manifest("a/manifest.csv",
           "path,group\nfake/0.png,one\nfake/1.png,two\nfake/2.png,three\nfake/3.png,four\nreal/0.png,five\nreal/1.png,six\n"
           "real/2.png,seven\nreal/3.png,eight\n");
  manifest("b/manifest.csv",
           "path,group\nfake/0.png,nine\nfake/1.png,six\nfake/2.png,ten\nfake/3.png,ten\nreal/0.png,two\nreal/1.png,eleven\n"
           "real/2.png,six\nreal/3.png,twelve\n");
  RUN(1, "$T " COMMON "--set data.train_dir=$D/a --set data.validation_dir=$D/b --out $D/g1");
  SAYS("the same footage stands in the training and in the validation part: 2 groups (six, two)");
  SAYS("--force");
  RUN(0, "$T " COMMON "--force --set data.train_dir=$D/a --set data.validation_dir=$D/b --out $D/g2");
  SAYS("2 groups (six, two): scores on the latter are too good");
  /* Keras' split by files does not look at groups; the guard does. */
  manifest("a/manifest.csv", "path,group\nfake/0.png,one\nfake/1.png,one\nfake/2.png,one\nfake/3.png,one\nreal/0.png,five\nreal/1.png,six\n"
                             "real/2.png,seven\nreal/3.png,eight\n");
  RUN(1, "$T --config $D/tiny.json --device cpu --set data.train_dir=$D/a --set data.split_by=files --set epochs=1 --out $D/g3");
  SAYS("1 groups (one)");
  /* Without a manifest a group is a file's name, which says nothing. */
  RUN(0, "rm $D/a/manifest.csv $D/b/manifest.csv; $T " COMMON "--set data.train_dir=$D/a --set data.validation_dir=$D/b --out $D/g4");
}

static void near_pictures(void **state) {
  um_error err = {0};
  um_image im = {0}, other = {0};
  (void)state;
  make_photos("c", 6, 200);
  make_photos("d", 6, 300);
  RUN(0, "$T " COMMON "--set data.train_dir=$D/c --set data.validation_dir=$D/d --out $D/n1");
  /* One recompressed and smaller, one mirrored. */
  assert_int_equal(um_image_read(&im, in("c/fake/2.png"), &err), UM_OK);
  assert_int_equal(um_image_alloc(&other, 40, 40, &err), UM_OK);
  assert_int_equal(um_resize(other.pixels, 40, 40, &im, UM_BILINEAR, &err), UM_OK);
  assert_int_equal(um_image_write_jpeg(&other, in("d/real/copy.jpg"), 70, &err), UM_OK);
  assert_int_equal(um_image_read(&im, in("c/real/4.png"), &err), UM_OK);
  assert_int_equal(um_image_alloc(&other, 48, 48, &err), UM_OK);
  for (int i = 0; i < 48 * 48; i++) memcpy(other.pixels + 3 * i, im.pixels + 3 * (i / 48 * 48 + 47 - i % 48), 3);
  assert_int_equal(um_image_write_png(&other, in("d/fake/mirrored.png"), &err), UM_OK);
  um_image_free(&im), um_image_free(&other);
  RUN(1, "$T " COMMON "--set data.train_dir=$D/c --set data.validation_dir=$D/d --out $D/n2");
  SAYS("d/real/copy.jpg: looks like");
  SAYS("c/fake/2.png of the training part");
  SAYS("d/fake/mirrored.png: looks like");
  SAYS("c/real/4.png of the training part");
  SAYS("2 pictures of the validation part look like one of the training part");
  RUN(0, "$T " COMMON "--force --set data.train_dir=$D/c --set data.validation_dir=$D/d --out $D/n3");
  SAYS("2 pictures of the validation part look like one of the training part");
  RUN(0, "$T " COMMON "--set data.duplicate_bits=0 --set data.train_dir=$D/c --set data.validation_dir=$D/d --out $D/n4");
  assert_null(strstr(said, "look like"));
  RUN(1, "$T " COMMON "--set data.train_dir=$D/d --set data.test_dir=$D/c --out $D/n5"); /* a test part, too */
  SAYS("of the test part look like one of the training part");
  /* A run that goes on has been looked at. */
  RUN(0, "$T --resume $D/n3 --set epochs=2");
  assert_null(strstr(said, "look like"));
}

static double number(const char *name, const char *key) {
  size_t size;
  char *text = content(name, &size);
  cJSON *o = cJSON_Parse(text);
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  assert_true(cJSON_IsNumber(v));
  const double x = v->valuedouble;
  cJSON_Delete(o);
  free(text);
  return x;
}

static void parts(void **state) {
  char text[4096] = "path,group,part\n";
  (void)state;
  make_photos("e", 10, 400);
  for (int label = 0; label < 2; label++)
    for (int i = 0; i < 10; i++) {
      const size_t at = strlen(text);
      snprintf(text + at, sizeof text - at, "%s/%d.png,g%d,%s\n", label ? "real" : "fake", i, 10 * label + i,
               i < 6   ? "train"
               : i < 8 ? "val"
                       : "Test");
    }
  manifest("e/manifest.csv", text);
  RUN(0, "$T " COMMON "--set data.split_by=part --set data.train_dir=$D/e --out $D/p1");
  SAYS("training  12 pictures");
  SAYS("held out  4 pictures");
  SAYS("test      4 pictures");
  SAYS("test: 4 pictures - loss");
  assert_true(number("p1/test.json", "pictures") == 4);
  /* infer's numbers for the same pictures and model. */
  RUN(0, "mkdir -p $D/t/fake $D/t/real; for c in fake real; do cp $D/e/$c/8.png $D/e/$c/9.png $D/t/$c; done; "
         "$UM_BIN/infer --model $D/p1/best.safetensors --device cpu --faces-are-cut --labels folders --json $D/t.json $D/t");
  size_t size;
  char *json = content("t.json", &size);
  cJSON *o = cJSON_Parse(json), *frame = cJSON_GetObjectItem(cJSON_GetObjectItem(o, "metrics"), "frame");
  assert_true(fabs(number("p1/test.json", "loss") - cJSON_GetObjectItem(frame, "log_loss")->valuedouble) < 1e-5);
  assert_true(fabs(number("p1/test.json", "auc") - cJSON_GetObjectItem(frame, "auc")->valuedouble) < 1e-9);
  assert_true(fabs(number("p1/test.json", "accuracy") - cJSON_GetObjectItem(frame, "accuracy")->valuedouble) < 1e-9);
  cJSON_Delete(o);
  free(json);
  /* What the test part holds changes nothing of the model, and without it there is no such file. */
  RUN(0, "rm $D/e/*/8.png $D/e/*/9.png; $T " COMMON "--set data.split_by=part --set data.train_dir=$D/e --out $D/p2");
  assert_true(same_files("p1/best.safetensors", "p2/best.safetensors"));
  assert_false(um_is_file(in("p2/test.json")));
  /* It may not validate. */
  make_photos("h", 4, 500);
  manifest("h/manifest.csv", "path,group,part\nfake/0.png,a,test\nfake/1.png,b,test\nfake/2.png,c,val\nfake/3.png,d,val\n");
  make_photos("i", 4, 600);
  RUN(1, "$T " COMMON "--set data.train_dir=$D/i --set data.validation_dir=$D/h --out $D/p3");
  SAYS("2 of its 8 pictures are of the dataset's test part");
  RUN(0, "$T " COMMON "--force --set data.train_dir=$D/i --set data.validation_dir=$D/h --out $D/p4");
  /* A picture of no part, and a split that is asked for twice. */
  RUN(1, "$T " COMMON "--set data.split_by=part --set data.train_dir=$D/i --out $D/p5");
  SAYS("8 of 8 pictures are neither of the part train nor of val");
  RUN(2, "$T --config $D/tiny.json --device cpu --set data.split_by=part --set data.train_dir=$D/e --out $D/p6");
  SAYS("take data.validation_split out");
}

/* Training on a folder of videos is training on what extract makes of it, to the last digit; and what was looked at is kept. */
static void videos(void **state) {
  static const char *const names[] = {"v/fake/a.mp4", "v/fake/b.mp4", "v/real/c.mp4", "v/real/d.mp4"};
  static int shift[4] = {0, 5, 11, 17};
  (void)state;
  for (int i = 0; i < 4; i++) {
    char dir[4096];
    um_error err;
    snprintf(dir, sizeof dir, "%s", in(names[i]));
    *strrchr(dir, '/') = 0;
    assert_int_equal(um_mkdirs(dir, &err), UM_OK);
    clip c = {.path = in(names[i]),
              .width = SCENE_WIDTH,
              .height = SCENE_HEIGHT,
              .frames = 6,
              .rate = 5,
              .draw = scene_draw_walking,
              .arg = &shift[i]};
    clip_write(&c);
  }
#define FACES "--set faces.detector=haar --set faces.faces=all --set faces.max_size=400 --set faces.fps=5 "
#define RUN_OPTIONS                                                                                                                        \
  "--config $D/tiny.json --device cpu --threads 1 --set epochs=2 --set data.duplicate_bits=0 --set data.validation_split=0.5 "
  RUN(0, "$UM_BIN/extract --quiet --detector haar --faces all --max-size 400 --fps 5 --out $D/cut $D/v && "
         "$T " RUN_OPTIONS FACES "--set data.train_dir=$D/cut --out $D/v1");
  RUN(0, "$T " RUN_OPTIONS FACES "--set data.train_dir=$D/v --set data.video_cache_dir=$D/cache --out $D/v2");
  SAYS("faces of 4 videos (haar); 4 looked at now, 0 before");
  for (int epoch = 0; epoch < 2; epoch++) {
    static const char *const columns[] = {"loss", "accuracy", "val_loss", "val_accuracy"};
    for (int i = 0; i < 4; i++) {
      char first[64];
      snprintf(first, sizeof first, "%s", history_field("v1/history.csv", epoch, columns[i]));
      assert_true(strlen(first) > 2);
      assert_string_equal(history_field("v2/history.csv", epoch, columns[i]), first);
    }
  }
  assert_true(same_files("v1/validation.csv", "v2/validation.csv"));
  RUN(0, "$T " RUN_OPTIONS FACES "--set data.train_dir=$D/v --set data.video_cache_dir=$D/cache --set data.video_cache=20000 --out $D/v3");
  SAYS("0 looked at now, 4 before");
  char loss[64];
  snprintf(loss, sizeof loss, "%s", history_field("v2/history.csv", 1, "loss"));
  assert_string_equal(history_field("v3/history.csv", 1, "loss"), loss);
  RUN(0, "$T --resume $D/v2 --set epochs=3 --set data.video_cache_dir=$D/elsewhere");
  SAYS("4 looked at now");
}

static int set_up(void **state) {
  (void)state;
  return train_run_set_up("guard");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(groups), cmocka_unit_test(near_pictures), cmocka_unit_test(parts),
                                     cmocka_unit_test(videos)};
  return cmocka_run_group_tests(tests, set_up, NULL);
}
