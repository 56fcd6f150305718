/* The train and infer programs themselves, linked with the emulated device: train --device cuda from the first message to the last file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/rng.h"
#include "data/image.h"
#include "tests/support/tmp.h"

static char folder[4096], programs[4096];

static const char *in(const char *name) {
  static char ring[8][4200];
  static int at;
  char *out = ring[at++ % 8];
  snprintf(out, sizeof ring[0], "%.4000s/%s", folder, name);
  return out;
}

/* Exit status of PROGRAM with these arguments ($D: our folder), its messages in the file `log`. */
static int run(const char *program, const char *arguments) {
  char command[12000];
  snprintf(command, sizeof command, "D=%s; %s/%s %s >$D/log 2>&1", folder, programs, program, arguments);
  const int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *content(const char *name, size_t *size) {
  um_error err = {0};
  char *data;
  if (um_file_read(&data, size, in(name), 1 << 26, &err)) fail_msg("%s", err.text);
  return data;
}

#define RUN(expected, program, arguments)                                                                                                  \
  do {                                                                                                                                     \
    const int got_ = run(program, arguments);                                                                                              \
    size_t n_;                                                                                                                             \
    if (got_ != (expected)) fail_msg("exit status %d, expected %d: %s", got_, expected, content("log", &n_));                              \
  } while (0)
#define SAYS(text)                                                                                                                         \
  do {                                                                                                                                     \
    size_t n_;                                                                                                                             \
    char *log_ = content("log", &n_);                                                                                                      \
    if (!strstr(log_, text)) fail_msg("expected \"%s\" in: %s", text, log_);                                                               \
    free(log_);                                                                                                                            \
  } while (0)

static bool same_files(const char *a, const char *b) {
  size_t n, m;
  char *x = content(a, &n), *y = content(b, &m);
  const bool same = n == m && memcmp(x, y, n) == 0;
  free(x), free(y);
  return same;
}

/* Noisy pictures of 20x24, told apart by their red. */
static void make_pictures(int n) {
  um_error err = {0};
  for (int label = 0; label < 2; label++)
    for (int i = 0; i < n; i++) {
      um_image im = {0};
      char name[64];
      const um_rng at = {.seed = 3, .stream = UM_STREAM_TEST, .epoch = (uint32_t)label, .sample = (uint32_t)i};
      snprintf(name, sizeof name, "pics/%s", label ? "real" : "fake");
      assert_int_equal(um_mkdirs(in(name), &err), UM_OK);
      assert_int_equal(um_image_alloc(&im, 20, 24, &err), UM_OK);
      for (int k = 0; k < 20 * 24 * 3; k++)
        im.pixels[k] = (uint8_t)(60 + (int)um_rng_below(&at, (uint32_t)k, 130) + (k % 3 == 0 ? (label ? -60 : 60) : 0));
      snprintf(name, sizeof name, "pics/%s/%03d.png", label ? "real" : "fake", i);
      assert_int_equal(um_image_write_png(&im, in(name), &err), UM_OK);
      um_image_free(&im);
    }
}

static int set_up(void **state) {
  char text[2048];
  (void)state;
  if (setenv("OMP_WAIT_POLICY", "passive", 0)) return -1;
  snprintf(folder, sizeof folder, "%s", tmp_path("program/x"));
  *strrchr(folder, '/') = 0;
  /* Beside this very program. */
  const ssize_t length = readlink("/proc/self/exe", programs, sizeof programs - 1);
  if (length <= 0) return -1;
  programs[length] = 0;
  *strrchr(programs, '/') = 0;
  make_pictures(10);
  snprintf(text, sizeof text,
           "{\"data\": {\"train_dir\": \"%.1000s/pics\", \"target_size\": [16, 16], \"batch_size\": 4, \"validation_split\": 0.25},\n"
           " \"augmentation\": {\"rotation_range\": 20, \"horizontal_flip\": true, \"zoom_range\": 0.2},\n"
           " \"model\": {\"backbone\": \"tiny\", \"weights\": null},\n"
           " \"optimizer\": {\"name\": \"rmsprop\", \"learning_rate\": 1e-3}, \"engine\": \"native\", \"epochs\": 2}\n",
           folder);
  tmp_write(in("tiny.json"), text, strlen(text));
  return 0;
}

/* Two runs of one seed are the same bits, with other numbers of workers too; a run that goes on after its first epoch ends with the
 * same bits; and what came out scores. */
static void trains_resumes_scores(void **state) {
  (void)state;
  size_t n;
  RUN(0, "train", "--config $D/tiny.json --out $D/a --device cuda");
  SAYS("Device      cuda:0, emulated device");
  SAYS("engine native");
  SAYS("MB are free");
  RUN(0, "train", "--config $D/tiny.json --out $D/b --device cuda --set data.workers=3 --quiet");
  assert_true(same_files("a/last.safetensors", "b/last.safetensors"));
  RUN(0, "train", "--config $D/tiny.json --out $D/c --device cuda --set epochs=1 --quiet");
  RUN(0, "train", "--resume $D/c --device cuda --set epochs=2 --quiet");
  char *a = content("a/last.safetensors", &n), *c;
  size_t m;
  c = content("c/last.safetensors", &m);
  /* All but the seconds in the header. */
  assert_int_equal(n, m);
  assert_memory_equal(a + n / 2, c + n / 2, n - n / 2);
  free(a), free(c);
  RUN(0, "infer", "--model $D/a/best.safetensors --faces-are-cut --device cuda --json $D/cuda.json $D/pics/fake");
  RUN(0, "infer", "--model $D/a/best.safetensors --faces-are-cut --device cuda --precision bf16 $D/pics/fake");
  RUN(2, "infer", "--model $D/a/best.safetensors --faces-are-cut --device cuda:7x $D/pics/fake");
  SAYS("cuda:N");
  RUN(1, "infer", "--model $D/a/best.safetensors --faces-are-cut --device cuda:7 $D/pics/fake");
  SAYS("there is 1 GPU here");
}

/* Its own times of the two queues: each worked no longer than the steps took, by the host's clock; and memory was taken. */
static void speed(void **state) {
  (void)state;
  static const char columns[] = "epoch,pictures,images_per_second,seconds,steps,wait,feed,compute,validation,saving,memory_mb,device_mb\n";
  size_t n;
  int lines = 0;
  RUN(0, "train", "--config $D/tiny.json --out $D/speed --device cuda");
  SAYS(" img/s: wait ");
  char *text = content("speed/speed.csv", &n), *at = text;
  assert_int_equal(strncmp(text, columns, strlen(columns)), 0);
  while ((at = strchr(at, '\n')) && *++at) {
    double v[12];
    for (int i = 0; i < 12; i++) v[i] = strtod(i ? at + 1 : at, &at);
    assert_true(*at == '\n' && v[0] == ++lines && v[1] == 16);
    const double seconds = v[3], steps = v[4], wait = v[5], feed = v[6], compute = v[7];
    if (!(feed > 0 && compute > 0 && feed < steps && compute < steps && wait < steps))
      fail_msg("%g, %g, %g of %g s", wait, feed, compute, steps);
    assert_true(steps + v[8] + v[9] < 1.0001 * seconds && v[11] > 1);
  }
  assert_int_equal(lines, 2);
  free(text);
}

/* Every precision learns this; none is far from fp32. */
static void precisions(void **state) {
  (void)state;
  RUN(0, "train", "--config $D/tiny.json --out $D/tf32 --device cuda --set precision=tf32");
  SAYS("tf32, engine native");
  RUN(0, "train", "--config $D/tiny.json --out $D/bf16 --device cuda --set precision=bf16");
  SAYS("with copies in bf16");
  RUN(1, "train", "--config $D/tiny.json --out $D/wino --device cuda --set model.convolution=winograd");
  SAYS("no Winograd");
  RUN(1, "train", "--config $D/tiny.json --out $D/cudnn --device cuda --set engine=cudnn");
  SAYS("cuDNN");
}

/* Two phases with schedules, dropout, weights of the classes and decay: the reference backend sees the same losses and scores, the batches
 * and the replays being queued here; and what is resumed between the phases ends with the same bits. */
static void phases(void **state) {
  (void)state;
  static const char how[] =
      "--config $D/tiny.json --set epochs=4 --set 'phases=[{\"epochs\": 2, \"trainable\": \"head\"}, {\"trainable\": \"tiny_conv3\", "
      "\"learning_rate\": 1e-4, \"learning_rate_schedule\": {\"name\": \"exponential\", \"warmup_steps\": 2}}]' --set optimizer.name=adam "
      "--set "
      "optimizer.weight_decay=0.01 --set class_weight={\\\"fake\\\":1,\\\"real\\\":2} --set 'model.head=[{\"flatten\": {}}, {\"dropout\": "
      "{\"rate\": 0.25}}, {\"dense\": {\"units\": 32, \"activation\": \"relu\"}}, {\"dense\": {\"units\": 1}}]' --quiet";
  char arguments[2048];
  double row[2][8];
  size_t n;
  snprintf(arguments, sizeof arguments, "%s --out $D/p-cuda --device cuda", how);
  RUN(0, "train", arguments);
  snprintf(arguments, sizeof arguments, "%s --out $D/p-ref --device ref", how);
  RUN(0, "train", arguments);
  char *text[2] = {content("p-cuda/history.csv", &n), content("p-ref/history.csv", &n)}, *at[2] = {text[0], text[1]};
  for (int e = 1; e <= 4; e++)
    for (int d = 0; d < 2; d++) {
      double *v = row[d];
      assert_non_null(at[d] = strchr(at[d] + 1, '\n'));
      assert_int_equal(sscanf(at[d] + 1, "%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7), 8);
      assert_true(v[0] == e);
      for (int k = 1; d == 1 && k < 8; k++)
        if (k != 6 && fabs(row[0][k] - v[k]) > 1e-4) fail_msg("epoch %d, column %d: %.9g, on ref %.9g", e, k, row[0][k], v[k]);
    }
  free(text[0]), free(text[1]);
  snprintf(arguments, sizeof arguments, "%s --out $D/p-two --device cuda --set epochs=3", how);
  RUN(0, "train", arguments);
  RUN(0, "train", "--resume $D/p-two --device cuda --set epochs=4 --quiet");
  assert_true(same_files("p-cuda/last.safetensors", "p-two/last.safetensors"));
}

/* A device too small for the batch: said before anything is done, with the largest that fits, which then does. */
static void largest_batch(void **state) {
  (void)state;
  char *log, *at, arguments[200];
  size_t n;
  int fits = 0;
  assert_int_equal(setenv("UM_CUDA_HOST_MEMORY", "150M", 1), 0);
  RUN(1, "train", "--config $D/tiny.json --out $D/big --device cuda --set data.batch_size=4000");
  SAYS("data.batch_size: 4000 needs ");
  log = content("log", &n);
  at = strstr(log, "--set data.batch_size=");
  assert_non_null(at);
  assert_int_equal(sscanf(at, "--set data.batch_size=%d", &fits), 1);
  assert_in_range(fits, 5, 3999);
  free(log);
  snprintf(arguments, sizeof arguments, "--config $D/tiny.json --out $D/fits --device cuda --set data.batch_size=%d --set epochs=1", fits);
  RUN(0, "train", arguments);
  snprintf(arguments, sizeof arguments, "--config $D/tiny.json --out $D/no --device cuda --set data.batch_size=%d --set epochs=1",
           fits + 1);
  RUN(1, "train", arguments);
  unsetenv("UM_CUDA_HOST_MEMORY");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(trains_resumes_scores), cmocka_unit_test(speed), cmocka_unit_test(precisions),
                                     cmocka_unit_test(phases), cmocka_unit_test(largest_batch)};
  return cmocka_run_group_tests(tests, set_up, NULL);
}
