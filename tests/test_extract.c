/* The extract program: what it writes, that it writes the same whatever the number of jobs, and how it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "data/csv.h"
#include "data/image.h"
#include "tests/support/clip.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

static char out[1 << 16]; /* what the last run printed, stdout and stderr */

static const char *program(void) {
  static char path[4096];
  const char *bin = getenv("UM_BIN");
  snprintf(path, sizeof path, "%s/extract", bin ? bin : "bin");
  return path;
}

/* Exit status; before: shell words before the program. */
static int run_after(const char *before, const char *arguments) {
  char command[16384];
  snprintf(command, sizeof command, "%s %s %s 2>&1", before, program(), arguments);
  FILE *p = popen(command, "r");
  assert_non_null(p);
  size_t n = fread(out, 1, sizeof out - 1, p);
  out[n] = 0;
  int status = pclose(p);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...) {
  char arguments[12288];
  va_list args;
  va_start(args, format);
  vsnprintf(arguments, sizeof arguments, format, args);
  va_end(args);
  return run_after("", arguments);
}

static void expect(int status, int wanted, const char *says) {
  if (status != wanted || !strstr(out, says)) fail_msg("exit %d, expected %d and \"%s\"; it said:\n%s", status, wanted, says, out);
}

/* The scene, drifting; from frame 10 on without faces. */
static void draw_scene(uint8_t *grey, int width, int height, int i, void *arg) {
  scene_face face[3];
  (void)arg;
  for (int k = 0; k < 3; k++) face[k] = scene_faces[k], face[k].x += i / 5;
  scene_draw(grey, width, height, face, i < 10 ? 3 : 0);
}

/* Two clips of two seconds at 5 a second with faces in the first, and a picture, made once: in/fake/a.mp4, in/real/a.mp4, in/real/p.png. */
static const char *inputs(void) {
  static char folder[4096];
  um_image im = {0};
  um_error err = {0};
  if (folder[0]) return folder;
  snprintf(folder, sizeof folder, "%s", tmp_path("extract/in"));
  clip c = {
      .path = tmp_path("extract/in/fake/a.mp4"), .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = 14, .rate = 5, .draw = draw_scene};
  clip_write(&c);
  c.path = tmp_path("extract/in/real/a.mp4"), c.frames = 10;
  clip_write(&c);
  uint8_t *grey = malloc(SCENE_WIDTH * SCENE_HEIGHT);
  scene_draw(grey, SCENE_WIDTH, SCENE_HEIGHT, scene_faces, 3);
  if (um_image_alloc(&im, SCENE_WIDTH, SCENE_HEIGHT, &err) < 0) fail_msg("%s", err.text);
  for (int i = 0; i < SCENE_WIDTH * SCENE_HEIGHT; i++) memset(im.pixels + 3 * i, grey[i], 3);
  if (um_image_write_png(&im, tmp_path("extract/in/real/p.png"), &err) < 0) fail_msg("%s", err.text);
  um_image_free(&im);
  free(grey);
  return folder;
}

static int files_in(const char *folder) {
  int n = 0;
  DIR *d = opendir(folder);
  if (!d) return 0;
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

/* Rows of a manifest; calls back with the twelve fields. */
static int manifest(const char *folder, void (*call)(const char *const *field, const char *folder)) {
  char path[4096];
  um_csv *csv;
  um_error err = {0};
  const char *const *field;
  int n = 0;
  snprintf(path, sizeof path, "%s/manifest.csv", folder);
  if (um_csv_open(&csv, path, &err) < 0) fail_msg("%s", err.text);
  assert_int_equal(um_csv_columns(csv), 12);
  while (um_csv_next(csv, &field, &err) > 0) {
    if (call) call(field, folder);
    n++;
  }
  um_csv_close(csv);
  return n;
}

static void check_row(const char *const *field, const char *folder) {
  char path[4096], expected[4096];
  um_image im = {0};
  um_error err = {0};
  const char *stem = strrchr(field[2], '/') + 1;
  bool second = strstr(field[2], "/real/a.mp4") != NULL; /* the name was taken */
  snprintf(path, sizeof path, "%s/%s", folder, field[0]);
  snprintf(expected, sizeof expected, "%s/%.*s%s_%06d_00.png", field[1], (int)(strchr(stem, '.') - stem), stem, second ? "-2" : "",
           atoi(field[3]));
  assert_string_equal(field[0], expected);
  assert_non_null(strstr(field[2], field[1])); /* the label is the folder's */
  double time = strtod(field[4], NULL);
  assert_true(time > 0.5 * atoi(field[3]) - 1e-3 && time < 0.5 * atoi(field[3]) + 1e-3);
  /* The square about the box of the detector, clean (the scene has no red). */
  if (um_image_read(&im, path, &err) < 0) fail_msg("%s", err.text);
  int side = 2 * (int)((atoi(field[7]) + atoi(field[8])) / 4. + 0.5) + 1;
  assert_in_range(im.width, side - 2, side + 2);
  assert_int_equal(im.width, im.height);
  for (int i = 0; i < im.width * im.height; i++) assert_true(im.pixels[3 * i] < im.pixels[3 * i + 1] + 12);
  um_image_free(&im);
}

static void writes_crops_and_manifest(void **state) {
  const char *to = tmp_path("extract/first"), *drawn = tmp_path("extract/drawn");
  char path[4096], *text;
  um_error err;
  (void)state;
  expect(run("--out %s --draw %s %s", to, drawn, inputs()), 0, "3 inputs, 0 skipped");
  /* 2.8 s at 2 a second: 6 frames, the last two without a face; 2 s: 4 frames; a picture: 1. */
  assert_non_null(strstr(out, "fake/a.mp4: 6 frames read, 2 without a face, 4 faces written"));
  assert_non_null(strstr(out, "real/a.mp4: 4 frames read, 0 without a face, 4 faces written"));
  assert_non_null(strstr(out, "real/p.png: 1 frames read, 0 without a face, 1 faces written"));
  assert_int_equal(manifest(to, check_row), 9);
  assert_int_equal(um_file_read(&text, NULL, (snprintf(path, sizeof path, "%s/manifest.csv", to), path), 1 << 20, &err), UM_OK);
  assert_int_equal(strncmp(text, "path,label,video,frame,time_s,x,y,width,height,score,track,group\n", 65), 0);
  free(text);
  snprintf(path, sizeof path, "%s/fake", to);
  assert_int_equal(files_in(path), 4);
  snprintf(path, sizeof path, "%s/real", to);
  assert_int_equal(files_in(path), 5);
  assert_int_equal(files_in(drawn), 11);
  um_image im = {0};
  int red = 0;
  snprintf(path, sizeof path, "%s/a_000000.jpg", drawn);
  assert_int_equal(um_image_read(&im, path, &err), UM_OK);
  assert_int_equal(im.width, 1000);
  for (int i = 0; i < im.width * im.height; i++) red += im.pixels[3 * i] > 180 && im.pixels[3 * i + 1] < 90;
  assert_true(red > 400);
  um_image_free(&im);
}

static void same_whatever_the_jobs(void **state) {
  const char *one = tmp_path("extract/one"), *three = tmp_path("extract/three");
  char command[16384];
  (void)state;
  expect(run("--max-size 400 --faces all --jobs 1 --out %s %s", one, inputs()), 0, "0 skipped");
  assert_int_equal(manifest(one, NULL), 27);
  expect(run("--max-size 400 --faces all --jobs 3 --quiet --out %s %s", three, inputs()), 0, "0 skipped");
  snprintf(command, sizeof command, "diff -r %s %s", one, three);
  assert_int_equal(system(command), 0);
  /* Again into the same folder: nothing is doubled, what is no longer made goes. */
  expect(run("--max-size 400 --faces largest --out %s %s", three, inputs()), 0, "0 skipped");
  assert_int_equal(manifest(three, NULL), 9);
  char path[4096];
  snprintf(path, sizeof path, "%s/real", three);
  assert_int_equal(files_in(path), 5);
}

static void adds_to_an_earlier_run(void **state) {
  const char *to = tmp_path("extract/added");
  (void)state;
  expect(run("--max-size 400 --label fake --out %s %s/fake", to, inputs()), 0, "1 inputs");
  assert_int_equal(manifest(to, NULL), 4);
  expect(run("--max-size 400 --label real --size 64 --margin 0.3 --out %s %s/real/a.mp4", to, inputs()), 0, "1 inputs");
  assert_int_equal(manifest(to, NULL), 8);
  um_image im = {0};
  um_error err = {0};
  char path[4096];
  snprintf(path, sizeof path, "%s/real/a-2_000001_00.png", to); /* "a" belongs to the fake one */
  if (um_image_read(&im, path, &err) < 0) fail_msg("%s", err.text);
  assert_int_equal(im.width, 64);
  um_image_free(&im);
}

static void labels_from_metadata(void **state) {
  const char *to = tmp_path("extract/labelled"), *json = tmp_path("extract/metadata.json");
  static const char text[] = "{\"a.mp4\": {\"label\": \"REAL\", \"original\": \"orig.mp4\"}}";
  (void)state;
  tmp_write(json, text, sizeof text - 1);
  expect(run("--max-size 400 --labels %s --out %s %s/fake/a.mp4 %s/real/p.png", json, to, inputs(), inputs()), 3,
         "p.png: not known whether it is fake or real");
  char path[4096];
  snprintf(path, sizeof path, "%s/real/a_000000_00.png", to);
  assert_true(um_is_file(path));
  snprintf(path, sizeof path, "grep -c ',orig$' %s/manifest.csv | grep -qx 4", to);
  assert_int_equal(system(path), 0);
}

static void bad_usage(void **state) {
  (void)state;
  expect(run("--help"), 0, "usage: extract");
  expect(run("--version"), 0, "extract ");
  expect(run(" "), 2, "no input");
  expect(run("--fps x.mp4"), 2, "--fps: expected a number");
  expect(run("--fps -3 x.mp4"), 2, "--fps");
  expect(run("--faces some x.mp4"), 2, "--faces: expected largest or all");
  expect(run("--label maybe x.mp4"), 2, "--label: expected fake or real");
  expect(run("--label fake --labels m.json x.mp4"), 2, "expected one of them");
  expect(run("--detector cnn --out %s x.mp4", tmp_path("extract/none")), 2, "detector: expected haar");
  expect(run("--size 1e9 x.mp4"), 2, "--size");
  expect(run("--colour x.mp4"), 2, "no such option");
  expect(run("--out"), 2, "expected a value");
}

static void bad_inputs_are_skipped(void **state) {
  const char *to = tmp_path("extract/bad");
  char list[16384];
  (void)state;
  tmp_write(tmp_path("extract/mix/empty.mp4"), "", 0);
  tmp_write(tmp_path("extract/mix/text.mp4"), "hello, hello, hello\n", 20);
  tmp_write(tmp_path("extract/mix/cut.png"), "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", 18);
  clip c = {.path = tmp_path("extract/mix/sound.mp4"), .sound_only = true};
  clip_write(&c);
  snprintf(list, sizeof list, "--max-size 400 --label fake --out %s %s %s/fake %s", to, tmp_path("extract/mix"), inputs(),
           tmp_path("extract/not_there.mp4"));
  expect(run("%s", list), 3, "empty.mp4: the file is empty");
  expect(3, 3, "text.mp4: expected a video");
  expect(3, 3, "cut.png");
  expect(3, 3, "sound.mp4: no video stream");
  expect(3, 3, "not_there.mp4: No such file");
  expect(3, 3, "6 inputs, 5 skipped: 4 faces");
  assert_int_equal(manifest(to, NULL), 4);
  /* Nothing but such: failed. */
  expect(run("--max-size 400 --label fake --out %s %s", to, tmp_path("extract/mix")), 1, "nothing was extracted");
  assert_int_equal(manifest(to, NULL), 4); /* what was there stays */
  expect(run("--max-size 400 --label fake --out %s %s", to, tmp_path("extract/hollow/..")), 3, "skipped");
}

static void cannot_write(void **state) {
  const char *file = tmp_path("extract/file"), *to = tmp_path("extract/limited");
  char arguments[8192];
  (void)state;
  tmp_write(file, "x", 1);
  expect(run("--out %s/faces %s", file, inputs()), 1, "cannot make the folder");
  tmp_write(tmp_path("extract/foreign/manifest.csv"), "a,b\n1,2\n", 8);
  expect(run("--out %s %s", tmp_path("extract/foreign"), inputs()), 1, "choose another --out");
  /* No file may grow beyond 4 KiB: what a full disk does. No half of a crop is left, nor a row of one. */
  snprintf(arguments, sizeof arguments, "--max-size 400 --out %s %s/fake", to, inputs());
  expect(run_after("trap '' XFSZ; ulimit -f 8;", arguments), 1, "");
  assert_true(strstr(out, "File too large") || strstr(out, "No space") || strstr(out, "png"));
  char path[4096];
  snprintf(path, sizeof path, "%s/fake", to);
  assert_int_equal(files_in(path), 0);
}

/* Ctrl-C after the first clip is through: it is kept, the second leaves nothing, exit 130. */
static void stopped_by_the_user(void **state) {
  const char *to = tmp_path("extract/stopped");
  char path[4096], log[4096];
  int status = 0;
  (void)state;
  clip c = {.path = tmp_path("extract/long/z.mp4"), .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = 500, .rate = 5};
  clip_write(&c);
  snprintf(path, sizeof path, "%s/fake/a.mp4", inputs());
  snprintf(log, sizeof log, "%s", tmp_path("extract/stopped.log"));
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    if (!freopen(log, "w", stdout)) _exit(99);
    execl(program(), "extract", "--jobs", "1", "--label", "fake", "--fps", "all", "--max-size", "400", "--quiet", "--out", to, path, c.path,
          (char *)NULL);
    _exit(99);
  }
  assert_true(pid > 0);
  for (int i = 0; i < 600; i++) { /* until the first clip's line is out */
    char *text = NULL;
    um_error err;
    usleep(50000);
    bool through = um_file_read(&text, NULL, log, 1 << 20, &err) == UM_OK && strstr(text, "faces written");
    free(text);
    if (through) break;
  }
  kill(pid, SIGINT);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 130);
  assert_int_equal(manifest(to, NULL), 10);
  snprintf(path, sizeof path, "%s/fake", to);
  assert_int_equal(files_in(path), 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_crops_and_manifest),
      cmocka_unit_test(same_whatever_the_jobs),
      cmocka_unit_test(adds_to_an_earlier_run),
      cmocka_unit_test(labels_from_metadata),
      cmocka_unit_test(bad_usage),
      cmocka_unit_test(bad_inputs_are_skipped),
      cmocka_unit_test(cannot_write),
      cmocka_unit_test(stopped_by_the_user),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
