/* doctor: what it says and its exit status, with all there and with things missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/file.h"
#include "tests/support/tmp.h"

/* Runs a program with `before` (assignments of variables) and arguments; its output, to be freed, and its exit status. */
static char *run_program(int *status, const char *before, const char *program, const char *arguments) {
  const char *bin = getenv("UM_BIN"), *log = tmp_path("doctor.log");
  char command[16384], *text;
  um_error err;
  snprintf(command, sizeof command, "%s %s/%s %s >%s 2>&1", before, bin ? bin : "bin", program, arguments, log);
  int code = system(command);
  *status = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
  assert_int_equal(um_file_read(&text, NULL, log, 1 << 20, &err), UM_OK);
  return text;
}

static char *run(int *status, const char *before, const char *arguments) { return run_program(status, before, "doctor", arguments); }

/* No line of more than 80 columns but for one that is a single word (a path, a URL) behind the indent. */
static void check_width(const char *text) {
  for (const char *p = text; *p;) {
    size_t n = strcspn(p, "\n");
    const char *last = p + n;
    while (last > p && last[-1] != ' ') last--;
    if (n > 80 && last - p > 18) fail_msg("a line of %zu columns: %.*s", n, (int)n, p);
    p += n + (p[n] == '\n');
  }
}

static void all_there(void **state) {
  /* What this build was made with must be named; versions as pkg-config knows them. */
  static const char *const package[] = {"libpng", "libjpeg", "libcjson", "expat"};
  int status;
  char *text = run(&status, "", "");
  (void)state;
  assert_int_equal(status, 0);
  check_width(text);
  assert_non_null(strstr(text, "unmask " UM_VERSION));
  for (size_t i = 0; i < sizeof package / sizeof *package; i++) {
    char command[128], version[64] = "";
    snprintf(command, sizeof command, "pkg-config --modversion %s 2>/dev/null", package[i]);
    FILE *f = popen(command, "r");
    if (f && fgets(version, sizeof version, f)) version[strcspn(version, "\n")] = 0;
    if (f) pclose(f);
    if (*version && !strstr(text, version)) fail_msg("%s %s is not named", package[i], version);
  }
  assert_non_null(strstr(text, "H.264"));
  assert_non_null(strstr(text, "haarcascade_frontalface_alt.xml"));
  assert_non_null(strstr(text, "vgg16_finetune.json"));
  assert_non_null(strstr(text, "imagenet/vgg16"));
  assert_null(strstr(text, "PROBLEM"));
  free(text);
}

static void something_needed_is_missing(void **state) {
  int status;
  char before[8192];
  (void)state;
  /* A temporary folder that is not there. */
  snprintf(before, sizeof before, "TMPDIR=%s", tmp_path("no/such/folder"));
  char *text = run(&status, before, "");
  assert_int_equal(status, 1);
  check_width(text);
  assert_non_null(strstr(text, "PROBLEM"));
  assert_non_null(strstr(text, "set TMPDIR"));
  free(text);
  /* A cascade that is cut off. */
  char *cascade = NULL;
  size_t size;
  um_error err;
  if (um_file_read(&cascade, &size, "/usr/share/opencv4/haarcascades/haarcascade_frontalface_alt.xml", 64 << 20, &err)) skip();
  tmp_write(tmp_path("cascades/haarcascade_frontalface_alt.xml"), cascade, size / 2);
  free(cascade);
  snprintf(before, sizeof before, "UM_CASCADES=%s", tmp_path("cascades"));
  text = run(&status, before, "");
  assert_int_equal(status, 1);
  assert_non_null(strstr(text, "PROBLEM"));
  free(text);
}

/* Weights that are not there cost nothing but a note with the way to get them. */
static void weights_are_not_needed(void **state) {
  int status;
  char before[8192];
  (void)state;
  assert_int_equal(um_mkdirs(tmp_path("empty"), NULL), UM_OK);
  snprintf(before, sizeof before, "HOME=%s UM_WEIGHTS=%s", tmp_path("empty"), tmp_path("empty"));
  char *text = run(&status, before, "");
  assert_int_equal(status, 0);
  assert_non_null(strstr(text, "not usable"));
  assert_non_null(strstr(text, "make weights"));
  free(text);
}

static void usage(void **state) {
  int status;
  (void)state;
  free(run(&status, "", "--nonsense"));
  assert_int_equal(status, 2);
  free(run(&status, "", "more"));
  assert_int_equal(status, 2);
  char *text = run(&status, "", "--version");
  assert_int_equal(status, 0);
  assert_string_equal(text, "doctor (unmask) " UM_VERSION "\n");
  free(text);
  free(run(&status, "", "--help"));
  assert_int_equal(status, 0);
}

/* What each program says of itself can be read on the narrowest terminal, and names its exit statuses. */
static void every_help(void **state) {
  static const char *const program[] = {"train", "infer", "extract", "export", "calibrate", "inspect", "doctor"};
  int status;
  (void)state;
  for (size_t i = 0; i < sizeof program / sizeof *program; i++) {
    char *text = run_program(&status, "", program[i], "--help");
    assert_int_equal(status, 0);
    assert_int_equal(strncmp(text, "usage: ", 7), 0);
    assert_int_equal(strncmp(text + 7, program[i], strlen(program[i])), 0);
    check_width(text);
    if (!strcasestr(text, "exit status") && !strcasestr(text, "exit\nstatus")) fail_msg("%s --help: no exit status", program[i]);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(all_there), cmocka_unit_test(something_needed_is_missing),
                                     cmocka_unit_test(weights_are_not_needed), cmocka_unit_test(usage), cmocka_unit_test(every_help)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
