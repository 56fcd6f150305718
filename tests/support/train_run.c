#include "tests/support/train_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/rng.h"
#include "data/csv.h"
#include "data/image.h"
#include "tests/support/tmp.h"

char folder[3000];
char said[1 << 16];

int sh(const char *format, ...) {
  char command[4096];
  va_list args;
  size_t n;
  int at = snprintf(command, sizeof command, "D='%s'; T=\"$UM_BIN/train\"; exec 2>&1; ", folder);
  va_start(args, format);
  vsnprintf(command + at, sizeof command - (size_t)at, format, args);
  va_end(args);
  FILE *p = popen(command, "r");
  assert_non_null(p);
  n = fread(said, 1, sizeof said - 1, p);
  said[n] = 0;
  int status = pclose(p);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void tell(void) { fprintf(stderr, "it said:\n%s\n", said); }

const char *in(const char *name) {
  static char ring[8][4096];
  static int at;
  char *out = ring[at++ % 8];
  snprintf(out, sizeof ring[0], "%s/%s", folder, name);
  return out;
}

void make_pictures(const char *name, int n) {
  um_error err = {0};
  for (int label = 0; label < 2; label++) {
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/%s/%s", folder, name, label ? "real" : "fake");
    assert_int_equal(um_mkdirs(dir, &err), UM_OK);
    for (int i = 0; i < n; i++) {
      um_image im = {0};
      char path[4200];
      const um_rng at = {.seed = 3, .stream = UM_STREAM_TEST, .epoch = (uint32_t)label, .sample = (uint32_t)i};
      assert_int_equal(um_image_alloc(&im, 20, 24, &err), UM_OK);
      for (int k = 0; k < 20 * 24 * 3; k++) {
        int x = k / 3 % 20, y = k / 60, v = 60 + (int)um_rng_below(&at, (uint32_t)k, 130);
        if (k % 3 == 0 && x > 4 && x < 15 && y > 5 && y < 18) v += label ? -60 : 60;
        im.pixels[k] = (uint8_t)v;
      }
      snprintf(path, sizeof path, "%s/%03d.png", dir, i);
      assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
      um_image_free(&im);
    }
  }
}

void write_config(const char *name, const char *data, const char *rest) {
  char text[4096];
  snprintf(text, sizeof text,
           "{\"data\": {\"train_dir\": \"%s/%s\", \"target_size\": [16, 16], \"batch_size\": 4, \"validation_split\": 0.25},\n"
           " \"augmentation\": {\"rotation_range\": 20, \"horizontal_flip\": true, \"zoom_range\": 0.2},\n"
           " \"model\": {\"backbone\": \"tiny\", \"weights\": null,\n"
           "  \"head\": [{\"flatten\": {}}, {\"dense\": {\"units\": 32, \"activation\": \"relu\"}}, {\"dense\": {\"units\": 1, "
           "\"activation\": \"sigmoid\"}}]},\n"
           " \"optimizer\": {\"name\": \"rmsprop\", \"learning_rate\": 1e-3}, \"epochs\": 3 %s}\n",
           folder, data, rest);
  tmp_write(in(name), text, strlen(text));
}

int train_run_set_up(const char *name) {
  if (setenv("UM_BIN", "bin", 0)) return -1;
  /* Programs this short on cores that others use spend their time in OpenMP's busy waiting otherwise. */
  if (setenv("OMP_WAIT_POLICY", "passive", 0)) return -1;
  char at[256];
  snprintf(at, sizeof at, "%s/x", name);
  snprintf(folder, sizeof folder, "%s", tmp_path(at));
  *strrchr(folder, '/') = 0;
  make_pictures("pics", 12);
  write_config("tiny.json", "pics", "");
  return 0;
}

char *content(const char *name, size_t *size) {
  um_error err = {0};
  char *data;
  if (um_file_read(&data, size, in(name), 1 << 26, &err)) fail_msg("%s", err.text);
  return data;
}

bool same_files(const char *a, const char *b) {
  size_t n, m;
  char *x = content(a, &n), *y = content(b, &m);
  bool same = n == m && memcmp(x, y, n) == 0;
  free(x);
  free(y);
  return same;
}

const char *history_field(const char *name, int row, const char *column) {
  static char text[64];
  um_error err = {0};
  um_csv *csv;
  const char *const *field;
  assert_int_equal(um_csv_open(&csv, in(name), &err), UM_OK);
  int at = um_csv_column(csv, column);
  assert_true(at >= 0);
  text[0] = 0;
  for (int i = 0; um_csv_next(csv, &field, &err) == 1; i++)
    if (i == row) snprintf(text, sizeof text, "%s", field[at]);
  um_csv_close(csv);
  return text;
}

int interrupted(const char *const *argv, const char *wait_for, useconds_t then, int number, bool twice) {
  int status;
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    int log = open(in("log"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    char program[4096];
    snprintf(program, sizeof program, "%s/train", getenv("UM_BIN"));
    dup2(log, STDERR_FILENO);
    execv(program, (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  for (int i = 0; i < 3000 && !um_is_file(wait_for) && waitpid(pid, &status, WNOHANG) == 0; i++) usleep(10000);
  usleep(then);
  kill(pid, number);
  if (twice) {
    usleep(200000);
    kill(pid, number);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
