/* The walk and the split by files against Keras (tests/golden/walk.py); manifests, the split by group, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "core/rng.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "data/manifest.h"
#include "tests/support/tmp.h"

static const char *path_in(const char *dir, const char *name) {
  char both[2048];
  snprintf(both, sizeof both, "%s/%s", dir, name);
  return tmp_path(both);
}

static void touch(const char *dir, const char *name) { tmp_write(path_in(dir, name), "", 0); }

/* Makes the tree that walk.csv describes. */
static void make_tree(const char *dir) {
  um_csv *csv;
  um_error err;
  const char *const *field;
  assert_int_equal(um_csv_open(&csv, "tests/golden/walk.csv", &err), UM_OK);
  while (um_csv_next(csv, &field, &err) > 0) {
    if (strcmp(field[0], "file") == 0) touch(dir, field[1]);
    if (strcmp(field[0], "link") == 0) assert_int_equal(symlink(field[2], path_in(dir, field[1])), 0);
  }
  um_csv_close(csv);
}

/* The dataset lists exactly the rows of one kind, in their order. */
static void check_rows(const um_dataset *d, const char *root, const char *what) {
  um_csv *csv;
  um_error err;
  const char *const *field;
  int i = 0;
  assert_int_equal(um_csv_open(&csv, "tests/golden/walk.csv", &err), UM_OK);
  while (um_csv_next(csv, &field, &err) > 0) {
    char expected[2048];
    if (strcmp(field[0], what) != 0) continue;
    assert_true(i < d->count);
    snprintf(expected, sizeof expected, "%s/%s", root, field[1]);
    assert_string_equal(d->item[i].path, expected);
    assert_int_equal(d->item[i].label, atoi(field[2]));
    assert_string_equal(d->item[i].group, strchr(field[1], '/') + 1);
    i++;
  }
  assert_int_equal(i, d->count);
  assert_true(i > 5);
  um_csv_close(csv);
}

static void walks_as_keras(void **state) {
  um_dataset all, train, validation;
  um_error err;
  char root[1024];
  (void)state;
  make_tree("walk");
  snprintf(root, sizeof root, "%s", tmp_path("walk"));
  assert_int_equal(um_dataset_open(&all, root, &err), UM_OK);
  assert_int_equal(all.classes, 4);
  assert_string_equal(all.class_name[0], "fake");
  assert_string_equal(all.class_name[3], "real");
  assert_int_equal(all.class_count[1], 1);
  assert_int_equal(all.grouped, 0);
  check_rows(&all, root, "all");
  um_log_open("test_dataset", UM_LOG_ERROR); /* some classes have no validation picture, which is warned about */
  assert_int_equal(um_dataset_split(&train, &validation, &all, 0.3, UM_SPLIT_FILES, 1, &err), UM_OK);
  um_log_open("test_dataset", UM_LOG_INFO);
  check_rows(&train, root, "training");
  check_rows(&validation, root, "validation");
  um_dataset_free(&all);
  um_dataset_free(&train);
  um_dataset_free(&validation);
}

static void expect_open_failure(const char *dir, int code, const char *text) {
  um_dataset d;
  um_error err = {0};
  int status = um_dataset_open(&d, dir, &err);
  if (status != code || !strstr(err.text, text)) fail_msg("%s: %d: %s", dir, status, err.text);
  assert_int_equal(d.count, 0);
  assert_null(d.item);
}

static void bad_folders(void **state) {
  (void)state;
  expect_open_failure("/nonexistent/folder", UM_EIO, "/nonexistent/folder");
  touch("flat", "a.png");
  expect_open_failure(tmp_path("flat"), UM_EFORMAT, "expected a folder a class");
  touch("empty", "fake/notes.txt");
  touch("empty", "real/a.png");
  touch("empty", "spare/b.doc");
  expect_open_failure(tmp_path("empty"), UM_EFORMAT, "in fake, spare");
  for (int i = 0; i < 17; i++) {
    char name[32];
    snprintf(name, sizeof name, "c%d/a.png", i);
    touch("many", name);
  }
  expect_open_failure(tmp_path("many"), UM_EFORMAT, "more than 16 class folders");
}

/* Ten fakes and ten reals; what `text` says goes into a manifest. */
static void make_twenty(const char *dir, const char *manifest, const char *text) {
  for (int i = 0; i < 20; i++) {
    char name[64];
    snprintf(name, sizeof name, "train/%s/%d.png", i % 2 ? "fake" : "real", i / 2);
    touch(dir, name);
  }
  if (manifest) tmp_write(path_in(dir, manifest), text, strlen(text));
}

/* um_dataset_open, and what it said on stderr. */
static int open_listening(um_dataset *d, const char *dir, char *said, size_t size) {
  um_error err;
  const char *path = tmp_path("said");
  fflush(stderr);
  int keep = dup(STDERR_FILENO);
  assert_non_null(freopen(path, "wb", stderr));
  int status = um_dataset_open(d, dir, &err);
  fflush(stderr);
  dup2(keep, STDERR_FILENO);
  close(keep);
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  said[fread(said, 1, size - 1, f)] = 0;
  fclose(f);
  return status;
}

static const char *group_of(const um_dataset *d, const char *end) {
  for (int i = 0; i < d->count; i++) {
    size_t n = strlen(d->item[i].path), e = strlen(end);
    if (n > e && strcmp(d->item[i].path + n - e, end) == 0) return d->item[i].group;
  }
  return "no such item";
}

static void manifests(void **state) {
  um_dataset d;
  char text[2048];
  (void)state;
  /* Above the class folders, paths from where it lies; quoted, with ./, doubled slashes, CRLF, columns in any order. */
  make_twenty("above", "manifest.csv",
              "group,label,path\r\n\"a \"\"quoted\"\", group\",fake,train/fake/0.png\r\ng1,real,./train//real/3.png\r\n"
              "g2,real,train/real/absent.png\r\n,real,train/real/4.png\r\ng9,real,\"train/real/5.png\"\r\n");
  assert_int_equal(open_listening(&d, tmp_path("above/train"), text, sizeof text), UM_OK);
  assert_non_null(strstr(text, "manifest.csv: names the group of 3 of 20 pictures"));
  assert_int_equal(d.grouped, 3);
  assert_string_equal(group_of(&d, "fake/0.png"), "a \"quoted\", group");
  assert_string_equal(group_of(&d, "real/3.png"), "g1");
  assert_string_equal(group_of(&d, "real/4.png"), "4.png");
  assert_string_equal(group_of(&d, "real/5.png"), "g9");
  um_dataset_free(&d);
  /* One beside the class folders comes first; absolute paths do as well; the last row of a picture counts. */
  snprintf(text, sizeof text, "path,group\n%s/fake/0.png,absolute\nreal/1.png,first\nreal/1.png,second\n", tmp_path("above/train"));
  tmp_write(tmp_path("above/train/manifest.csv"), text, strlen(text));
  char slash[1024];
  snprintf(slash, sizeof slash, "%s/", tmp_path("above/train"));
  assert_int_equal(open_listening(&d, slash, text, sizeof text), UM_OK);
  assert_non_null(strstr(text, "names the group of 2 of 20 pictures"));
  assert_int_equal(d.grouped, 2);
  assert_string_equal(group_of(&d, "fake/0.png"), "absolute");
  assert_string_equal(group_of(&d, "real/1.png"), "second");
  assert_string_equal(group_of(&d, "real/3.png"), "3.png");
  um_dataset_free(&d);

  /* One above that names none of the pictures is somebody else's; without any, nothing is said. */
  make_twenty("other", "manifest.csv", "path,group\ntest/fake/0.png,g\n");
  assert_int_equal(open_listening(&d, tmp_path("other/train"), text, sizeof text), UM_OK);
  assert_string_equal(text, "");
  assert_int_equal(d.grouped, 0);
  um_dataset_free(&d);

  make_twenty("wrong", "train/manifest.csv", "path,label\nfake/0.png,fake\n");
  expect_open_failure(tmp_path("wrong/train"), UM_EFORMAT, "got no group");
  make_twenty("wrong", "train/manifest.csv", "path,group\nfake/0.png\n");
  expect_open_failure(tmp_path("wrong/train"), UM_EFORMAT, "line 2: expected 2 fields, got 1");
  make_twenty("wrong", "train/manifest.csv", "path,group\nfake/0.png,g\n\"fake/1.png,g\n");
  expect_open_failure(tmp_path("wrong/train"), UM_EFORMAT, "line 3: a quote is not closed");
  make_twenty("wrong", "train/manifest.csv", "");
  expect_open_failure(tmp_path("wrong/train"), UM_EFORMAT, "empty");
}

/* Where faces are: by the column points, with groups or without. */
static void points(void **state) {
  um_dataset d;
  char said[2048];
  (void)state;
  make_twenty("points", "manifest.csv",
              "path,points,group\ntrain/fake/0.png,1 2 3.5 -4 5 6 7 8 9 1e1,g\ntrain/real/1.png,\"0 0  1 1 2 2 3 3 4 4 \",\n"
              "train/real/2.png,,h\ntrain/real/3.png, ,h\n");
  assert_int_equal(open_listening(&d, tmp_path("points/train"), said, sizeof said), UM_OK);
  static const float first[10] = {1, 2, 3.5f, -4, 5, 6, 7, 8, 9, 10};
  int known = 0;
  for (int i = 0; i < d.count; i++) known += d.item[i].has_points;
  assert_int_equal(known, 2);
  assert_true(d.item[0].has_points && d.item[11].has_points && !d.item[12].has_points);
  assert_memory_equal(d.item[0].points, first, sizeof first);
  assert_true(d.item[11].points[9] == 4);
  assert_string_equal(d.item[11].group, "1.png");
  assert_int_equal(d.grouped, 3);
  um_dataset_free(&d);
  static const char *const wrong[] = {"1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 8 9 10 11", "1 2 3 4 5 6 7 8 9 x", "1 2 3 4 nan 6 7 8 9 10",
                                      "1 2 3 4 5 6 7 8 9 1e9"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char text[256];
    snprintf(text, sizeof text, "path,group,points\nfake/1.png,g,%s\n", wrong[i]);
    make_twenty("wrong", "train/manifest.csv", text);
    expect_open_failure(tmp_path("wrong/train"), UM_EFORMAT, "fake/1.png: expected ten numbers separated by spaces, got");
  }
}

/* What a picture is a frame of, the person, and a column of the user's; a copy keeps them; a folder takes the place of a column. */
static void videos_and_columns(void **state) {
  um_dataset d, train, validation;
  um_error err;
  char said[2048];
  (void)state;
  make_twenty("videos", "manifest.csv",
              "path,group,video,track,method\ntrain/fake/0.png,g,a.mp4,3,swap\ntrain/fake/1.png,g,a.mp4,,swap\n"
              "train/real/2.png,g,b.mp4,-1,\ntrain/real/3.png,h,,0,none\n");
  assert_int_equal(open_listening(&d, tmp_path("videos/train"), said, sizeof said), UM_OK);
  for (int i = 0; i < 20; i++) assert_null(d.item[i].by);
  assert_int_equal(um_manifest_column(&d, tmp_path("videos/train"), "method", &err), UM_OK);
  assert_int_equal(um_dataset_add_blends(&d, 1, 1, &err), UM_OK);
  assert_int_equal(um_dataset_split(&train, &validation, &d, .5, UM_SPLIT_FILES, 1, &err), UM_OK);
  for (int part = 0; part < 2; part++) {
    const um_dataset *of = part ? &validation : &d;
    for (int i = 0; i < of->count; i++) {
      const um_item *item = &of->item[i];
      const char *name = strrchr(item->path, '/') + 1, *folder = strstr(item->path, "train/") + 6;
      const bool fake = !strncmp(folder, "fake", 4);
      const char *video = fake ? (*name < '2' ? "a.mp4" : NULL) : *name == '2' ? "b.mp4" : NULL;
      const char *by = fake ? (*name < '2' ? "swap" : NULL) : *name == '2' ? "" : *name == '3' ? "none" : NULL;
      assert_int_equal(item->track, fake && *name == '0' ? 3 : !fake && *name == '3' ? 0 : -1);
      assert_true(!video == !item->video && (!video || !strcmp(video, item->video)));
      assert_true(!by == !item->by && (!by || !strcmp(by, item->by)));
    }
  }
  char slash[1024];
  snprintf(slash, sizeof slash, "%s//", tmp_path("videos/train"));
  assert_int_equal(um_dataset_by_folder(&d, slash, &err), UM_OK);
  for (int i = 0; i < d.count; i++) assert_string_equal(d.item[i].by, strstr(d.item[i].path, "/fake/") ? "fake" : "real");
  assert_int_equal(um_dataset_by_folder(&d, tmp_path("videos"), &err), UM_OK);
  assert_string_equal(d.item[0].by, "train/fake");
  assert_int_equal(um_dataset_by_folder(&d, tmp_path("videos/train/fake"), &err), UM_OK);
  assert_string_equal(d.item[0].by, ".");
  assert_int_equal(um_manifest_column(&d, tmp_path("videos/train"), "maker", &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "manifest.csv has no column maker"));
  assert_int_equal(um_manifest_column(&d, tmp_path("videos/train/fake"), "method", &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "there is no manifest.csv"));
  um_dataset_free(&d), um_dataset_free(&train), um_dataset_free(&validation);
  make_twenty("wrong", "train/manifest.csv", "path,group,track\nfake/1.png,g,first\n");
  expect_open_failure(tmp_path("wrong/train"), UM_EFORMAT, "fake/1.png: expected a whole number, got \"first\"");
}

/* Twins: of the share asked for, after their originals, everything theirs but the label; on their side of a split as they come after it. */
static void twins(void **state) {
  um_dataset d, train, held;
  um_error err;
  (void)state;
  make_twenty("twins", "manifest.csv", "path,points,group\ntrain/real/1.png,1 2 3 4 5 6 7 8 9 10,g\n");
  assert_int_equal(um_dataset_open(&d, tmp_path("twins/train"), &err), UM_OK);
  assert_int_equal(um_dataset_split(&train, &held, &d, 0.3, UM_SPLIT_GROUP, 1, &err), UM_OK);
  int reals = train.class_count[1], fakes = train.class_count[0], before = train.count;
  assert_int_equal(um_dataset_add_blends(&train, 1, 3, &err), UM_OK);
  assert_int_equal(train.count, before + reals);
  assert_int_equal(train.blends, reals);
  assert_int_equal(train.class_count[0], fakes + reals);
  assert_int_equal(train.class_count[1], reals);
  for (int i = 0; i < train.count; i++) {
    const um_item *twin = &train.item[i], *one = &train.item[twin->origin];
    assert_int_equal(twin->blend, i >= before);
    if (!twin->blend) continue;
    assert_true(one->label == 1 && twin->label == 0 && one != twin && !one->blend);
    if (i > before) assert_true(twin->origin > train.item[i - 1].origin);
    assert_string_equal(twin->path, one->path);
    assert_string_equal(twin->group, one->group);
    assert_int_equal(twin->has_points, one->has_points);
    assert_memory_equal(twin->points, one->points, sizeof one->points);
  }
  um_dataset_free(&train);
  um_dataset_free(&held);
  /* A share: round(share n), others by another seed, the same by the same. */
  int chosen[3] = {0};
  for (int k = 0; k < 3; k++) {
    assert_int_equal(um_dataset_split(&train, &held, &d, 0, UM_SPLIT_GROUP, 1, &err), UM_OK);
    assert_int_equal(um_dataset_add_blends(&train, 0.44, k < 2 ? 1 : 2, &err), UM_OK);
    assert_int_equal(train.blends, 4);
    for (int i = 20; i < 24; i++) chosen[k] |= 1 << train.item[i].origin;
    um_dataset_free(&train);
    um_dataset_free(&held);
  }
  assert_int_equal(chosen[0], chosen[1]);
  assert_int_not_equal(chosen[0], chosen[2]);
  assert_int_equal(um_dataset_add_blends(&d, 0, 1, &err), UM_OK);
  assert_int_equal(d.count, 20);
  assert_int_equal(um_dataset_add_blends(&d, 1.5, 1, &err), UM_ECONFIG);
  um_dataset_free(&d);
  /* Real ones alone, whatever the case of the name; other names, or no real one, are refused. */
  touch("alone", "Real/a.png");
  touch("alone", "Real/b.png");
  assert_int_equal(um_dataset_open(&d, tmp_path("alone"), &err), UM_OK);
  assert_int_equal(um_dataset_add_blends(&d, 1, 1, &err), UM_EFORMAT);
  assert_int_equal(um_dataset_expect_fakes(&d, &err), UM_OK);
  assert_int_equal(d.classes, 2);
  assert_string_equal(d.class_name[0], "fake");
  assert_string_equal(d.class_name[1], "Real");
  assert_true(d.class_count[0] == 0 && d.class_count[1] == 2 && d.item[0].label == 1 && d.item[1].label == 1);
  assert_int_equal(um_dataset_split(&train, &held, &d, 0.5, UM_SPLIT_GROUP, 1, &err), UM_OK); /* the empty class is nobody's loss */
  assert_true(train.count == 1 && held.count == 1);
  assert_int_equal(um_dataset_add_blends(&held, 1, 1, &err), UM_OK);
  assert_true(held.class_count[0] == 1 && held.item[1].blend && held.item[1].origin == 0);
  um_dataset_free(&train);
  um_dataset_free(&held);
  um_dataset_free(&d);
  touch("others", "a/a.png");
  touch("others", "b/b.png");
  assert_int_equal(um_dataset_open(&d, tmp_path("others"), &err), UM_OK);
  assert_int_equal(um_dataset_expect_fakes(&d, &err), UM_OK);
  assert_int_equal(um_dataset_add_blends(&d, 1, 1, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "found a, b"));
  um_dataset_free(&d);
}

/* A dataset from memory: classes items each, group by number. */
static void make_dataset(um_dataset *d, const int (*group_size)[2], int groups) {
  *d = (um_dataset){.classes = 2, .class_name = {strdup("fake"), strdup("real")}};
  for (int label = 0; label < 2; label++) {
    for (int g = 0; g < groups; g++) {
      for (int i = 0; i < group_size[g][label]; i++) {
        char path[64], group[32];
        snprintf(path, sizeof path, "x/%s/%d_%d.png", d->class_name[label], g, i);
        snprintf(group, sizeof group, "g%d", g);
        d->item = realloc(d->item, (size_t)(d->count + 1) * sizeof *d->item);
        assert_non_null(d->item);
        d->item[d->count++] = (um_item){.path = strdup(path), .label = label, .group = strdup(group), .named = true};
        d->class_count[label]++;
      }
    }
  }
  d->grouped = d->count;
}

static bool has_group(const um_dataset *d, const char *group) {
  for (int i = 0; i < d->count; i++)
    if (strcmp(d->item[i].group, group) == 0) return true;
  return false;
}

static void free_three(um_dataset *a, um_dataset *b, um_dataset *c) {
  um_dataset_free(a);
  um_dataset_free(b);
  um_dataset_free(c);
}

static void splits_by_group(void **state) {
  enum { GROUPS = 200 };
  int size[GROUPS][2];
  um_dataset all, train, validation, train2, validation2;
  um_error err;
  (void)state;
  /* As in DFDC: several fakes to one real, 1 to 6 frames each. */
  for (int g = 0; g < GROUPS; g++) {
    const um_rng at = {.seed = 5, .stream = UM_STREAM_TEST, .sample = (uint32_t)g};
    size[g][0] = (int)um_rng_below(&at, 0, 7);
    size[g][1] = 1 + (int)um_rng_below(&at, 1, 3);
  }
  make_dataset(&all, size, GROUPS);
  for (int seed = 0; seed < 10; seed++) {
    const double fraction = 0.05 + 0.09 * seed;
    assert_int_equal(um_dataset_split(&train, &validation, &all, fraction, UM_SPLIT_GROUP, (uint64_t)seed, &err), UM_OK);
    assert_int_equal(train.count + validation.count, all.count);
    assert_int_equal(train.grouped, train.count);
    for (int i = 0; i < validation.count; i++) assert_false(has_group(&train, validation.item[i].group));
    /* Each class near its share, closer than a group is large. */
    for (int c = 0; c < 2; c++) assert_true(abs(validation.class_count[c] - (int)(fraction * all.class_count[c] + 0.5)) <= 2);
    /* Order is kept. */
    for (int i = 1; i < train.count; i++)
      assert_true(train.item[i - 1].label < train.item[i].label || train.item[i - 1].label == train.item[i].label);
    /* The same seed chooses the same, another one another. */
    assert_int_equal(um_dataset_split(&train2, &validation2, &all, fraction, UM_SPLIT_GROUP, (uint64_t)seed, &err), UM_OK);
    assert_int_equal(validation2.count, validation.count);
    for (int i = 0; i < validation.count; i++) assert_string_equal(validation.item[i].path, validation2.item[i].path);
    um_dataset_free(&train2);
    um_dataset_free(&validation2);
    assert_int_equal(um_dataset_split(&train2, &validation2, &all, fraction, UM_SPLIT_GROUP, (uint64_t)seed + 100, &err), UM_OK);
    bool same = validation2.count == validation.count;
    for (int i = 0; same && i < validation.count; i++) same = strcmp(validation.item[i].path, validation2.item[i].path) == 0;
    assert_false(same);
    free_three(&train, &train2, &validation);
    um_dataset_free(&validation2);
  }
  assert_int_equal(um_dataset_split(&train, &validation, &all, 0, UM_SPLIT_GROUP, 1, &err), UM_OK);
  assert_int_equal(train.count, all.count);
  assert_int_equal(validation.count, 0);
  free_three(&all, &train, &validation);
}

/* The choice depends on names, not on the order in which the items come. */
static void split_ignores_order(void **state) {
  static const int size[12][2] = {{1, 1}, {2, 1}, {1, 3}, {1, 1}, {2, 2}, {1, 1}, {3, 1}, {1, 1}, {1, 2}, {1, 1}, {1, 1}, {2, 1}};
  um_dataset all, train, validation, train2, validation2;
  um_error err;
  (void)state;
  make_dataset(&all, size, 12);
  assert_int_equal(um_dataset_split(&train, &validation, &all, 0.3, UM_SPLIT_GROUP, 3, &err), UM_OK);
  for (int i = 0; i < all.count / 2; i++) {
    um_item t = all.item[i];
    all.item[i] = all.item[all.count - 1 - i];
    all.item[all.count - 1 - i] = t;
  }
  assert_int_equal(um_dataset_split(&train2, &validation2, &all, 0.3, UM_SPLIT_GROUP, 3, &err), UM_OK);
  assert_int_equal(validation.count, validation2.count);
  for (int i = 0; i < validation.count; i++) assert_true(has_group(&validation2, validation.item[i].group));
  free_three(&all, &train, &train2);
  um_dataset_free(&validation);
  um_dataset_free(&validation2);
}

static void impossible_splits(void **state) {
  static const int one[1][2] = {{10, 10}}, two[2][2] = {{10, 0}, {0, 10}};
  um_dataset all, train, validation;
  um_error err;
  (void)state;
  make_dataset(&all, one, 1);
  assert_int_equal(um_dataset_split(&train, &validation, &all, 0.2, UM_SPLIT_GROUP, 1, &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "leaves none for validation"));
  assert_non_null(strstr(err.text, "data.split_by=files"));
  assert_null(train.item);
  assert_int_equal(um_dataset_split(&train, &validation, &all, 0.04, UM_SPLIT_FILES, 1, &err), UM_ECONFIG);
  assert_int_equal(um_dataset_split(&train, &validation, &all, 1, UM_SPLIT_FILES, 1, &err), UM_ECONFIG);
  assert_int_equal(um_dataset_split(&train, &validation, &all, -0.1, UM_SPLIT_FILES, 1, &err), UM_ECONFIG);
  um_dataset_free(&all);
  make_dataset(&all, two, 2);
  assert_int_equal(um_dataset_split(&train, &validation, &all, 0.8, UM_SPLIT_GROUP, 1, &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "for training"));
  um_dataset_free(&all);
}

static void limits(void **state) {
  static const int size[6][2] = {{4, 2}, {4, 2}, {4, 2}, {4, 2}, {4, 2}, {4, 2}};
  um_dataset d;
  um_error err;
  (void)state;
  make_dataset(&d, size, 6);
  assert_int_equal(um_dataset_limit(&d, 0, 1, &err), UM_OK);
  assert_int_equal(d.count, 36);
  assert_int_equal(um_dataset_limit(&d, 8, 1, &err), UM_OK);
  assert_int_equal(d.class_count[0], 8);
  assert_int_equal(d.class_count[1], 8);
  assert_int_equal(d.count, 16);
  /* Two whole groups of fakes; of reals the same two and two more. */
  int fakes = 0, reals = 0;
  for (int g = 0; g < 6; g++) {
    int n[2] = {0};
    char name[8];
    snprintf(name, sizeof name, "g%d", g);
    for (int i = 0; i < d.count; i++)
      if (strcmp(d.item[i].group, name) == 0) n[d.item[i].label]++;
    assert_true(n[0] == 0 || n[0] == 4);
    assert_true(n[1] == 0 || n[1] == 2);
    assert_true(n[0] == 0 || n[1] == 2);
    fakes += n[0] > 0, reals += n[1] > 0;
  }
  assert_int_equal(fakes, 2);
  assert_int_equal(reals, 4);
  assert_int_equal(um_dataset_limit(&d, -1, 1, &err), UM_ECONFIG);
  um_dataset_free(&d);
}

/* The real faces: all grouped by the manifest above, and a fifth held out to the picture, no footage on both sides. */
static void real_faces(void **state) {
  const char *shared = getenv("UM_SHARED");
  char dir[2048];
  um_dataset all, train, validation;
  um_error err;
  (void)state;
  snprintf(dir, sizeof dir, "%s/faces/train", shared ? shared : "../shared/data");
  if (!um_is_folder(dir)) {
    print_message("skipped: the split of real faces, %s is not here\n", dir);
    skip();
  }
  assert_int_equal(um_dataset_open(&all, dir, &err), UM_OK);
  assert_int_equal(all.classes, 2);
  assert_string_equal(all.class_name[0], "fake");
  assert_int_equal(all.grouped, all.count);
  assert_int_equal(um_dataset_split(&train, &validation, &all, 0.2, UM_SPLIT_GROUP, 42, &err), UM_OK);
  for (int c = 0; c < 2; c++) assert_true(abs(5 * validation.class_count[c] - all.class_count[c]) <= 10);
  for (int i = 0; i < validation.count; i += 7) assert_false(has_group(&train, validation.item[i].group));
  free_three(&all, &train, &validation);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(walks_as_keras),  cmocka_unit_test(bad_folders),         cmocka_unit_test(manifests),
      cmocka_unit_test(points),          cmocka_unit_test(videos_and_columns),  cmocka_unit_test(twins),
      cmocka_unit_test(splits_by_group), cmocka_unit_test(split_ignores_order), cmocka_unit_test(impossible_splits),
      cmocka_unit_test(limits),          cmocka_unit_test(real_faces),

  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
