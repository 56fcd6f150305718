/* Faces straight from videos: the same pixels as extract's pictures, a cache that is bounded, whole and used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "data/csv.h"
#include "faces/footage.h"
#include "tests/support/clip.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

static void draw_scene(uint8_t *grey, int width, int height, int i, void *arg) {
  scene_face face[3];
  const int *shift = arg;
  for (int k = 0; k < 3; k++) face[k] = scene_faces[k], face[k].x += i / 3 + *shift;
  scene_draw(grey, width, height, face, 3);
}

static void draw_nothing(uint8_t *grey, int width, int height, int i, void *arg) {
  (void)i, (void)arg;
  memset(grey, 90, (size_t)width * (size_t)height);
}

/* fake/a.mp4, fake/b.mp4, real/c.mp4 with faces, real/none.mp4 without, real/broken.mp4, which is no video. */
static void make_inputs(const char *folder) {
  static int shift[3] = {0, 4, 9};
  static const char *const names[] = {"fake/a.mp4", "fake/b.mp4", "real/c.mp4", "real/none.mp4"};
  for (int i = 0; i < 4; i++) {
    char name[256];
    snprintf(name, sizeof name, "%s/%s", folder, names[i]);
    clip c = {.path = tmp_path(name),
              .width = SCENE_WIDTH,
              .height = SCENE_HEIGHT,
              .frames = 10,
              .rate = 5,
              .draw = draw_scene,
              .arg = &shift[i]};
    if (i == 3) c.draw = draw_nothing;
    clip_write(&c);
  }
  char name[256];
  snprintf(name, sizeof name, "%s/real/broken.mp4", folder);
  tmp_write(tmp_path(name), "no video", 8);
}

static um_sources inputs(const char *folder) {
  um_sources s;
  um_error err = {0};
  const char *path = tmp_path(folder);
  if (um_sources_collect(&s, &path, 1, &err) < 0) fail_msg("%s", err.text);
  um_sources_label_folders(&s);
  assert_int_equal(s.count, 5);
  return s;
}

static um_footage *open_with(const um_sources *s, const char *cache, int64_t bytes) {
  um_footage *f;
  um_error err = {0};
  um_footage_options o = {.cache_dir = cache, .cache_bytes = bytes, .jobs = 2};
  um_face_settings_recipe(&o.settings);
  o.settings.fps = 5;
  o.settings.max_size = 400;
  o.settings.choice = UM_FACES_ALL;
  if (um_footage_open(&f, s, &o, &err) < 0) fail_msg("%s", err.text);
  return f;
}

/* Sums of pixels that no two pictures are likely to share. */
static uint64_t sum_of(const um_image *im) {
  uint64_t h = 1469598103934665603u;
  for (int i = 0; i < im->width * im->height * 3; i++) h = (h ^ im->pixels[i]) * 1099511628211u;
  return h ^ (uint64_t)im->width << 32;
}

static uint64_t sum_at(um_footage *f, int i) {
  um_image im = {0};
  um_error err = {0};
  if (um_footage_read(f, i, &im, &err) < 0) fail_msg("face %d: %s", i, err.text);
  uint64_t sum = sum_of(&im);
  um_image_free(&im);
  return sum;
}

static void as_extract_writes_them(void **state) {
  char command[16384];
  const char *bin = getenv("UM_BIN");
  um_error err = {0};
  um_csv *csv;
  const char *const *field;
  (void)state;
  make_inputs("footage/in");
  um_sources s = inputs("footage/in");
  um_footage *f = open_with(&s, tmp_path("footage/cache"), 1 << 30);
  int at = 0;
  snprintf(command, sizeof command, "%s/extract --quiet --detector haar --faces all --fps 5 --max-size 400 --out %s %s >%s 2>&1",
           bin ? bin : "bin", tmp_path("footage/out"), tmp_path("footage/in"), tmp_path("footage/log"));
  assert_int_equal(system(command) >> 8, 3); /* the broken one */
  assert_int_equal(um_csv_open(&csv, tmp_path("footage/out/manifest.csv"), &err), UM_OK);
  /* Both are in the order of labels, videos, frames, faces. */
  while (um_csv_next(csv, &field, &err) > 0) {
    um_image im = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", tmp_path("footage/out"), field[0]);
    assert_int_equal(um_image_read(&im, path, &err), UM_OK);
    assert_true(at < um_footage_count(f));
    const um_footage_face *face = um_footage_face_at(f, at);
    assert_string_equal(s.item[face->source].path, field[2]);
    assert_int_equal(face->frame, atoi(field[3]));
    if (sum_at(f, at) != sum_of(&im)) fail_msg("face %d is not %s", at, path);
    um_image_free(&im);
    at++;
  }
  um_csv_close(csv);
  assert_int_equal(at, um_footage_count(f));
  assert_in_range(at, 60, 90); /* three faces, ten frames, three videos */
  for (int i = 0; i < s.count; i++) {
    const char *why = um_footage_skipped(f, i);
    const bool none = strstr(s.item[i].path, "none") != NULL, broken = strstr(s.item[i].path, "broken") != NULL;
    assert_true((why != NULL) == (none || broken));
    if (none) assert_string_equal(why, "no face found");
  }
  um_dataset d;
  assert_int_equal(um_footage_dataset(&d, f, &err), UM_OK);
  assert_int_equal(d.classes, 2);
  assert_string_equal(d.class_name[0], "fake");
  assert_int_equal(d.count, at);
  assert_int_equal(d.class_count[0] + d.class_count[1], at);
  assert_true(d.class_count[0] == 2 * d.class_count[1]);
  for (int i = 0; i < d.count; i++) {
    assert_true(d.item[i].filmed && d.item[i].named && d.item[i].face == i);
    assert_int_equal(d.item[i].label, s.item[um_footage_face_at(f, i)->source].label);
    assert_int_equal(d.item[i].track, um_footage_face_at(f, i)->track);
    assert_string_equal(d.item[i].video, s.item[um_footage_face_at(f, i)->source].path);
  }
  assert_int_equal(um_footage_column(&d, f, "maker", &err), UM_ECONFIG);
  assert_int_equal(um_footage_column(&d, f, "group", &err), UM_OK);
  for (int i = 0; i < d.count; i++) assert_string_equal(d.item[i].by, d.item[i].group);
  assert_int_equal(um_dataset_by_folder(&d, tmp_path("footage/in"), &err), UM_OK);
  for (int i = 0; i < d.count; i++) assert_string_equal(d.item[i].by, um_label_name[d.item[i].label]);
  assert_non_null(strstr(d.item[1].path, "fake/a.mp4#000000_01"));
  um_dataset_free(&d);
  um_footage_close(f);
  um_sources_free(&s);
}

/* What is in the cache is used again; what was damaged or taken away comes again, to the same bytes. */
static void used_again(void **state) {
  um_footage_stats stats;
  (void)state;
  make_inputs("again/in");
  um_sources s = inputs("again/in");
  const char *cache = tmp_path("again/cache");
  um_footage *f = open_with(&s, cache, 1 << 30);
  const int n = um_footage_count(f);
  uint64_t *sum = malloc((size_t)n * sizeof *sum);
  for (int i = 0; i < n; i++) sum[i] = sum_at(f, i);
  um_footage_stats_of(f, &stats);
  assert_int_equal(stats.listed, 4);
  assert_int_equal(stats.packs_made, 0);
  um_footage_close(f);

  f = open_with(&s, cache, 1 << 30);
  um_footage_stats_of(f, &stats);
  assert_int_equal(stats.listed, 0);
  assert_int_equal(stats.listed_before, 4); /* that there is no face in one is remembered, too */
  assert_int_equal(um_footage_count(f), n);
  for (int i = 0; i < n; i++) assert_true(sum_at(f, i) == sum[i]);
  um_footage_stats_of(f, &stats);
  assert_int_equal(stats.packs_made, 0);
  um_footage_close(f);

  /* Cut a pack, remove one, turn bytes of one; spoil a list. */
  DIR *d = opendir(cache);
  int packs = 0, lists = 0;
  for (struct dirent *e; (e = readdir(d));) {
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", cache, e->d_name);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) continue;
    if (strstr(e->d_name, ".pack") && st.st_size > 0) {
      packs++;
      if (packs == 1) assert_int_equal(truncate(path, st.st_size / 2), 0);
      if (packs == 2) assert_int_equal(unlink(path), 0);
      if (packs == 3) {
        FILE *file = fopen(path, "r+b");
        fseek(file, 2000, SEEK_SET);
        fwrite("unmask unmask unmask", 1, 20, file);
        fclose(file);
      }
    } else if (strstr(e->d_name, ".csv") && lists++ == 0) {
      assert_int_equal(truncate(path, st.st_size - 7), 0);
    }
  }
  closedir(d);
  assert_int_equal(packs, 3);
  f = open_with(&s, cache, 1 << 30);
  um_footage_stats_of(f, &stats);
  assert_int_equal(stats.listed, 1);
  assert_int_equal(um_footage_count(f), n);
  for (int i = 0; i < n; i++) assert_true(sum_at(f, i) == sum[i]);
  um_footage_stats_of(f, &stats);
  assert_in_range(stats.packs_made, 2, 3); /* the one whose list was spoilt is made with it */
  um_footage_close(f);

  /* A video that changed is another one. */
  static int other = 30;
  clip c = {.path = tmp_path("again/in/fake/a.mp4"),
            .width = SCENE_WIDTH,
            .height = SCENE_HEIGHT,
            .frames = 10,
            .rate = 5,
            .draw = draw_scene,
            .arg = &other};
  clip_write(&c);
  f = open_with(&s, cache, 1 << 30);
  um_footage_stats_of(f, &stats);
  assert_int_equal(stats.listed, 1);
  assert_true(sum_at(f, 0) != sum[0]);
  um_footage_close(f);
  free(sum);
  um_sources_free(&s);
}

static int64_t bytes_in(const char *folder) {
  DIR *d = opendir(folder);
  int64_t bytes = 0;
  for (struct dirent *e; d && (e = readdir(d));) {
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (strstr(e->d_name, ".pack") && stat(path, &st) == 0) bytes += st.st_size;
  }
  if (d) closedir(d);
  return bytes;
}

typedef struct reader {
  um_footage *f;
  const uint64_t *sum;
  int start, step, wrong;
} reader;

static void *read_all(void *arg) {
  reader *r = arg;
  const int n = um_footage_count(r->f);
  for (int k = 0; k < n; k++) {
    const int i = (r->start + k * r->step) % n;
    um_image im = {0};
    r->wrong += um_footage_read(r->f, i, &im, NULL) < 0 || sum_of(&im) != r->sum[i];
    um_image_free(&im);
  }
  return NULL;
}

/* A cache that holds about one of the three packs: still the same pixels, for several readers at once, and never more on disk. */
static void bounded(void **state) {
  um_footage_stats stats;
  (void)state;
  make_inputs("bounded/in");
  um_sources s = inputs("bounded/in");
  um_footage *f = open_with(&s, tmp_path("bounded/all"), 1 << 30);
  const int n = um_footage_count(f);
  uint64_t *sum = malloc((size_t)n * sizeof *sum);
  for (int i = 0; i < n; i++) sum[i] = sum_at(f, i);
  um_footage_stats_of(f, &stats);
  const int64_t all = stats.bytes;
  assert_true(all > 100000 && bytes_in(tmp_path("bounded/all")) == all);
  um_footage_close(f);

  const int64_t limit = all * 2 / 5;
  f = open_with(&s, tmp_path("bounded/little"), limit);
  assert_in_range(bytes_in(tmp_path("bounded/little")), 1, limit);
  reader r[3] = {{f, sum, 0, 1, 0}, {f, sum, n / 2, 1, 0}, {f, sum, n - 1, 7, 0}};
  read_all(&r[0]);
  assert_in_range(bytes_in(tmp_path("bounded/little")), 1, limit);
  um_footage_stats_of(f, &stats);
  assert_in_range(stats.packs_made, 2, 3);
  pthread_t t[3];
  for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&t[i], NULL, read_all, &r[i]), 0);
  for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
  for (int i = 0; i < 3; i++) assert_int_equal(r[i].wrong, 0);
  um_footage_close(f);
  /* Another dataset's packs are what goes first. */
  f = open_with(&s, tmp_path("bounded/all"), all);
  um_footage_close(f);
  um_footage_options o = {.cache_dir = tmp_path("bounded/all"), .cache_bytes = 2 * all, .jobs = 1};
  um_error err = {0};
  um_face_settings_recipe(&o.settings);
  o.settings.fps = 5, o.settings.max_size = 400, o.settings.margin = 0.3;
  assert_int_equal(um_footage_open(&f, &s, &o, &err), UM_OK);
  assert_in_range(bytes_in(tmp_path("bounded/all")), all, 2 * all);
  const int others = um_footage_count(f);
  for (int i = 0; i < others; i++) sum_at(f, i);
  um_footage_stats_of(f, &stats);
  assert_int_equal(stats.packs_made, 0);
  um_footage_close(f);
  free(sum);
  um_sources_free(&s);
}

static void refused(void **state) {
  um_error err = {0};
  um_footage *f;
  (void)state;
  const char *none = tmp_path("refused/none.mp4"), *nowhere = tmp_path("refused/nowhere.mp4");
  clip c = {.path = none, .width = 64, .height = 64, .frames = 5, .rate = 5, .draw = draw_nothing};
  clip_write(&c);
  const char *const input[] = {none, nowhere};
  um_sources s;
  assert_int_equal(um_sources_collect(&s, input, 2, &err), UM_OK);
  um_sources_label_all(&s, 1);
  um_footage_options o = {.cache_dir = tmp_path("refused/cache"), .cache_bytes = 1 << 20};
  um_face_settings_recipe(&o.settings);
  assert_int_equal(um_footage_open(&f, &s, &o, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "no face was found in any of 2 videos"));
  tmp_write(tmp_path("refused/file"), "x", 1);
  char below[4096];
  snprintf(below, sizeof below, "%s/cache", tmp_path("refused/file"));
  o.cache_dir = below;
  assert_int_equal(um_footage_open(&f, &s, &o, &err), UM_EIO);
  um_sources_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_extract_writes_them), cmocka_unit_test(used_again), cmocka_unit_test(bounded),
                                     cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
