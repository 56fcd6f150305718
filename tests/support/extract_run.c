#include "tests/support/extract_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "data/csv.h"
#include "data/image.h"
#include "tests/support/clip.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

char extract_out[1 << 16];

const char *extract_program(void) {
  static char path[4096];
  const char *bin = getenv("UM_BIN");
  snprintf(path, sizeof path, "%s/extract", bin ? bin : "bin");
  return path;
}

int extract_run_after(const char *before, const char *arguments) {
  char command[16384];
  snprintf(command, sizeof command, "%s %s %s 2>&1", before, extract_program(), arguments);
  fflush(NULL);
  FILE *p = popen(command, "r");
  assert_non_null(p);
  size_t n = fread(extract_out, 1, sizeof extract_out - 1, p);
  extract_out[n] = 0;
  int status = pclose(p);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int extract_run(const char *format, ...) {
  char arguments[12288];
  va_list args;
  va_start(args, format);
  vsnprintf(arguments, sizeof arguments, format, args);
  va_end(args);
  return extract_run_after("", arguments);
}

void extract_expect(int status, int wanted, const char *says) {
  if (status != wanted || !strstr(extract_out, says))
    fail_msg("exit %d, expected %d and \"%s\"; it said:\n%s", status, wanted, says, extract_out);
}

typedef struct drift {
  int start;
  bool faces;
} drift;

static void draw_scene(uint8_t *grey, int width, int height, int i, void *arg) {
  const drift *d = arg;
  scene_face face[3];
  for (int k = 0; k < 3; k++) face[k] = scene_faces[k], face[k].x += (d->start + i) / 5;
  scene_draw(grey, width, height, face, i < 10 || d->faces ? 3 : 0);
}

void extract_clip(const char *path, int frames, int start, bool faces) {
  drift d = {start, faces};
  clip c = {.path = path, .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = frames, .rate = 5, .draw = draw_scene, .arg = &d};
  clip_write(&c);
}

const char *extract_inputs(const char *dir) {
  static char folder[4096], path[4096 + 16];
  char name[256];
  um_image im = {0};
  um_error err = {0};
  if (folder[0]) return folder;
  snprintf(name, sizeof name, "%s/in/fake/x", dir);
  tmp_path(name);
  snprintf(name, sizeof name, "%s/in/real/x", dir);
  tmp_path(name);
  snprintf(name, sizeof name, "%s/in", dir);
  snprintf(folder, sizeof folder, "%s", tmp_path(name));
  snprintf(path, sizeof path, "%s/fake/a.mp4", folder);
  extract_clip(path, 14, 0, false);
  snprintf(path, sizeof path, "%s/real/a.mp4", folder);
  extract_clip(path, 10, 0, false);
  uint8_t *grey = malloc(SCENE_WIDTH * SCENE_HEIGHT);
  assert_non_null(grey);
  scene_draw(grey, SCENE_WIDTH, SCENE_HEIGHT, scene_faces, 3);
  if (um_image_alloc(&im, SCENE_WIDTH, SCENE_HEIGHT, &err) < 0) fail_msg("%s", err.text);
  for (int i = 0; i < SCENE_WIDTH * SCENE_HEIGHT; i++) memset(im.pixels + 3 * i, grey[i], 3);
  snprintf(path, sizeof path, "%s/real/p.png", folder);
  if (um_image_write_png(&im, path, &err) < 0) fail_msg("%s", err.text);
  um_image_free(&im);
  free(grey);
  return folder;
}

static um_csv *open_csv(const char *out, const char *file) {
  char path[4096];
  um_csv *csv = NULL;
  um_error err = {0};
  snprintf(path, sizeof path, "%s/%s", out, file);
  if (um_csv_open(&csv, path, &err) < 0) fail_msg("%s", err.text);
  return csv;
}

const char *csv_cell(const char *out, const char *file, const char *key, const char *column) {
  static char cell[4096];
  um_csv *csv = open_csv(out, file);
  const int at = um_csv_column(csv, column);
  const char *const *field;
  um_error err = {0};
  if (at < 0) fail_msg("%s/%s: no column %s", out, file, column);
  cell[0] = 0;
  while (um_csv_next(csv, &field, &err) > 0) {
    const size_t n = strlen(field[0]), k = strlen(key);
    if (n >= k && strcmp(field[0] + n - k, key) == 0) snprintf(cell, sizeof cell, "%s", field[at]);
  }
  um_csv_close(csv);
  return cell;
}

int csv_lines(const char *out, const char *file) {
  um_csv *csv = open_csv(out, file);
  const char *const *field;
  um_error err = {0};
  int n = 0, r;
  while ((r = um_csv_next(csv, &field, &err)) > 0) n++;
  if (r < 0) fail_msg("%s", err.text);
  um_csv_close(csv);
  return n;
}

void assert_same_files(const char *a, const char *b, const char *but) {
  char command[8400];
  snprintf(command, sizeof command, "diff -r %s%s '%s' '%s' >&2", but ? "-x " : "", but ? but : "", a, b);
  if (system(command) != 0) fail_msg("%s and %s differ", a, b);
}
