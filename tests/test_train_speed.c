/* speed.csv: the seconds of an epoch against each other and against clocks that are not train's; who waits for whom; what a resumed run
 * leaves of it. */
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

#include "core/file.h"
#include "core/rng.h"
#include "data/image.h"
#include "tests/support/tmp.h"
#include "tests/support/train_run.h"

static int set_up(void **state) {
  (void)state;
  return train_run_set_up("train_speed");
}

static double number(const char *file, int row, const char *column) {
  char *end;
  const char *text = history_field(file, row, column);
  const double v = strtod(text, &end);
  if (!*text || *end) fail_msg("%s, row %d: %s: \"%s\"", file, row, column, text);
  return v;
}

/* What must hold of every line of a backend whose calls are done when they return. Its seconds. */
static double check_line(const char *file, int row, int pictures) {
  const double seconds = number(file, row, "seconds"), steps = number(file, row, "steps");
  const double parts = number(file, row, "wait") + number(file, row, "feed") + number(file, row, "compute");
  const double all = steps + number(file, row, "validation") + number(file, row, "saving");
  assert_true(number(file, row, "epoch") == row + 1);
  assert_true(number(file, row, "pictures") == pictures);
  assert_true(number(file, row, "feed") > 0 && number(file, row, "compute") > 0 && number(file, row, "saving") > 0);
  /* Six digits of each. */
  if (parts > 1.0001 * steps || all > 1.0001 * seconds) fail_msg("row %d: %g of %g s, %g of %g s", row, parts, steps, all, seconds);
  if (seconds - all > 0.1 + 0.2 * seconds) fail_msg("row %d: %g of %g s are nowhere", row, seconds - all, seconds);
  assert_true(fabs(number(file, row, "images_per_second") * steps / pictures - 1) < 1e-3);
  assert_true(number(file, row, "memory_mb") > 1);
  assert_string_equal(history_field(file, row, "device_mb"), "");
  return seconds;
}

static void the_sums(void **state) {
  (void)state;
  static const char *const devices[] = {"cpu", "ref"};
  for (int d = 0; d < 2; d++) {
    char speed[64], history[64];
    double listed = 0;
    snprintf(speed, sizeof speed, "out/%s/speed.csv", devices[d]);
    snprintf(history, sizeof history, "out/%s/history.csv", devices[d]);
    const double start = um_seconds();
    RUN(0, "$T --config $D/tiny.json --out $D/out/%s --device %s", devices[d], devices[d]);
    const double took = um_seconds() - start;
    SAYS(" img/s: wait ");
    SAYS(" %, validate ");
    for (const char *line = said, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
      if (strstr(line, "img/s: ") && end - line > 80 && strstr(line, "img/s: ") < end) fail_msg("too long: %.*s", (int)(end - line), line);
    for (int row = 0; row < 3; row++) {
      listed += check_line(speed, row, 18);
      /* history.csv has a digit after the point, and neither files nor what comes between */
      assert_true(number(speed, row, "seconds") > number(history, row, "seconds") - 0.06);
      assert_true(fabs(number(speed, row, "steps") + number(speed, row, "validation") - number(history, row, "seconds")) < 0.1);
    }
    assert_string_equal(history_field(speed, 3, "epoch"), "");
    assert_true(listed < took);
  }
}

/* Pictures of four megapixels in PNG, of which the network sees 16x16: nearly all is waiting. And a slow network on pictures that are there:
 * nearly nothing is. */
static void who_waits(void **state) {
  (void)state;
  um_error err = {0};
  for (int label = 0; label < 2; label++)
    for (int i = 0; i < 5; i++) {
      um_image im = {0};
      char name[64];
      snprintf(name, sizeof name, "large/%s", label ? "real" : "fake");
      assert_int_equal(um_mkdirs(in(name), &err), UM_OK);
      assert_int_equal(um_image_alloc(&im, 2000, 2000, &err), UM_OK);
      const um_rng at = {.seed = 3, .stream = UM_STREAM_TEST, .epoch = (uint32_t)label, .sample = (uint32_t)i};
      for (int k = 0; k < 2000 * 2000 * 3; k++) im.pixels[k] = (uint8_t)(k / 64);
      im.pixels[0] = (uint8_t)um_rng_below(&at, 0, 256);
      snprintf(name, sizeof name, "large/%s/%d.png", label ? "real" : "fake", i);
      assert_int_equal(um_image_write_png(&im, in(name), &err), UM_OK);
      um_image_free(&im);
    }
  RUN(0, "$T --config $D/tiny.json --force --out $D/out/slow --quiet --device cpu --threads 1 --set data.train_dir=$D/large --set epochs=2 "
         "--set data.validation_split=0 --set data.workers=1 --set data.batch_size=1");
  check_line("out/slow/speed.csv", 1, 10); /* the first epoch has oneDNN's first calls in it */
  assert_true(number("out/slow/speed.csv", 1, "wait") > 0.5 * number("out/slow/speed.csv", 1, "steps"));
  assert_true(number("out/slow/speed.csv", 1, "wait") > 2 * number("out/slow/speed.csv", 1, "compute"));
  assert_true(number("out/slow/speed.csv", 1, "validation") < 0.05 * number("out/slow/speed.csv", 1, "seconds"));
  RUN(0, "$T --config $D/tiny.json --out $D/out/fast --quiet --device ref --set epochs=1 --set 'data.target_size=[48,48]'");
  assert_true(number("out/fast/speed.csv", 0, "wait") < 0.2 * number("out/fast/speed.csv", 0, "steps"));
  assert_true(number("out/fast/speed.csv", 0, "compute") > 0.5 * number("out/fast/speed.csv", 0, "steps"));
}

static void resumed(void **state) {
  (void)state;
  size_t n, m;
  RUN(0, "$T --config $D/tiny.json --out $D/out/r --quiet --set epochs=2");
  char *before = content("out/r/speed.csv", &n);
  RUN(0, "$T --resume $D/out/r --quiet --set epochs=3");
  char *after = content("out/r/speed.csv", &m);
  assert_true(m > n);
  assert_memory_equal(before, after, n);
  free(before), free(after);
  for (int row = 0; row < 3; row++) check_line("out/r/speed.csv", row, 18);
  /* Without it, as an older train leaves its folder, and with what is none. */
  RUN(0, "rm $D/out/r/speed.csv && $T --resume $D/out/r --set epochs=4");
  assert_null(strstr(said, "begins anew"));
  assert_string_equal(history_field("out/r/speed.csv", 0, "epoch"), "4");
  RUN(0, "sed -i '2s/,18,/,many,/' $D/out/r/speed.csv && $T --resume $D/out/r --set epochs=5");
  SAYS("speed.csv: line 2: pictures: expected a number, got \"many\"; speed.csv begins anew");
  RUN(0, "echo epoch,pictures >$D/out/r/speed.csv && $T --resume $D/out/r --set epochs=6");
  SAYS("speed.csv: no column images_per_second; speed.csv begins anew");
  assert_string_equal(history_field("out/r/speed.csv", 0, "epoch"), "6");
}

/* Stopped within an epoch: its line tells of the part after the resume alone. */
static void stopped_within(void **state) {
  (void)state;
  char config[4096], out[4096];
  snprintf(config, sizeof config, "%s", in("tiny.json"));
  snprintf(out, sizeof out, "%s", in("out/stopped"));
  const char *start[] = {"train", "--config",          config,  "--out",    out, "--device", "ref", "--set", "data.target_size=[64,64]",
                         "--set", "data.batch_size=1", "--set", "epochs=1", NULL};
  assert_int_equal(interrupted(start, in("out/stopped/augmented.png"), 0, SIGINT, false), 130);
  assert_false(um_is_file(in("out/stopped/speed.csv")));
  RUN(0, "$T --resume $D/out/stopped --quiet --device ref");
  const double pictures = number("out/stopped/speed.csv", 0, "pictures");
  assert_true(pictures >= 1 && pictures < 18);
  check_line("out/stopped/speed.csv", 0, (int)pictures);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_sums), cmocka_unit_test(who_waits), cmocka_unit_test(resumed),
                                     cmocka_unit_test(stopped_within)};
  return cmocka_run_group_tests(tests, set_up, NULL);
}
