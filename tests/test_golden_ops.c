/* The optimizers against both generations of Keras, the warp against scipy: numbers made by tests/golden/{optimizers,warp}.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/ops.h"

static um_backend *open_ref(void **state) {
  um_backend *be;
  um_error err = {0};
  (void)state;
  if (um_ref_open(&be, &err) != UM_OK) fail_msg("%s", err.text);
  return be;
}

static FILE *open_fixture(const char *path) {
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("%s: cannot be read; tests run from the repository root", path);
  return f;
}

/* A word, which must be `name`, then count floats. */
static void read_line(FILE *f, const char *name, float *out, int count) {
  char word[32];
  if (name && (fscanf(f, "%31s", word) != 1 || strcmp(word, name) != 0)) fail_msg("the fixture has no \"%s\" here", name);
  for (int i = 0; i < count; i++)
    if (fscanf(f, "%f", &out[i]) != 1) fail_msg("the fixture ends early");
}

static void test_optimizers(void **state) {
  enum { MAX = 64 };
  um_backend *be = open_ref(state);
  um_error err = {0};
  FILE *f = open_fixture("tests/golden/optimizers.txt");
  int cases, steps, count;
  float w0[MAX], g[16][MAX], w[MAX], m[MAX], v[MAX], golden[MAX];
  assert_int_equal(fscanf(f, "%d %d %d", &cases, &steps, &count), 3);
  assert_true(cases > 0 && steps > 0 && steps <= 16 && count > 0 && count <= MAX);
  read_line(f, "w0", w0, count);
  for (int s = 0; s < steps; s++) read_line(f, "g", g[s], count);
  for (int c = 0; c < cases; c++) {
    char name[64], kind[16];
    int nesterov, inside;
    um_optimizer o = {0};
    assert_int_equal(fscanf(f, "%63s %15s %lf %lf %lf %d %lf %lf %lf %d %lf", name, kind, &o.learning_rate, &o.rho, &o.momentum, &nesterov,
                            &o.beta1, &o.beta2, &o.epsilon, &inside, &o.weight_decay),
                     11);
    const uint32_t decay[1] = {1}; /* all of the 12: they share a bit */
    assert_true(count <= 16);
    o.kind = kind[0] == 'r' ? UM_OPT_RMSPROP : kind[0] == 's' ? UM_OPT_SGD : UM_OPT_ADAM;
    o.nesterov = nesterov, o.epsilon_inside = inside;
    memcpy(w, w0, sizeof w);
    memset(m, 0, sizeof m), memset(v, 0, sizeof v);
    /* A state that the optimizer says it does not need must not be touched. */
    const unsigned states = um_optimizer_states(&o);
    for (int s = 0; s < steps; s++) {
      read_line(f, "w", golden, count);
      const um_control control = {
          .step = s + 1, .rate = um_optimizer_rate(&o, o.learning_rate, s + 1), .decay = o.learning_rate * o.weight_decay};
      um_report report;
      um_report_reset(&report);
      if (be->ops->optimizer_step(be, &o, w, NULL, states & 1 ? m : NULL, states & 2 ? v : NULL, &report, g[s],
                                  o.weight_decay != 0 ? decay : NULL, count, &control, &err) != UM_OK)
        fail_msg("%s", err.text);
      /* Both are f32; they may round each of a step's few operations differently: a few units in the last place of what has been
       * added up so far. */
      for (int i = 0; i < count; i++) {
        const double tolerance = 2.5e-7 * (s + 1) * fabs(golden[i]) + 2e-6 * fabs((double)golden[i] - w0[i]);
        if (!(fabs((double)w[i] - golden[i]) <= tolerance))
          fail_msg("%s: step %d, weight %d: %.9g, Keras has %.9g", name, s + 1, i, w[i], golden[i]);
      }
    }
  }
  fclose(f);
  be->ops->close(be);
}

static void test_warp(void **state) {
  static const char *const modes[] = {"nearest", "constant", "reflect", "wrap"};
  um_backend *be = open_ref(state);
  um_error err = {0};
  FILE *f = open_fixture("tests/golden/warp.txt");
  int cases;
  assert_int_equal(fscanf(f, "%d", &cases), 1);
  for (int c = 0; c < cases; c++) {
    enum { MAX = 512 };
    um_warp how = {.cval = 37};
    um_warp_sample sample = {0};
    int height, width, h, v, bgr, pixel;
    char mode[16];
    uint8_t pixels[2 * MAX] = {0};
    float golden[MAX], values[2 * MAX];
    assert_int_equal(fscanf(f, "%d %d %15s %d %d %d %f", &height, &width, mode, &h, &v, &bgr, &how.scale), 7);
    const int n = height * width * 3;
    assert_true(n <= MAX);
    while (strcmp(modes[how.fill], mode) != 0) how.fill++;
    sample.flip_horizontal = h, sample.flip_vertical = v, how.bgr = bgr;
    read_line(f, NULL, how.mean, 3);
    for (int i = 0; i < 6; i++) assert_int_equal(fscanf(f, "%lf", &sample.m[i]), 1);
    for (int i = 0; i < n; i++) {
      assert_int_equal(fscanf(f, "%d", &pixel), 1);
      pixels[i] = (uint8_t)pixel;
    }
    read_line(f, NULL, golden, n);
    memset(values, 0xff, sizeof values);
    um_tensor x = um_tensor_plain(UM_U8, 4, (int64_t[]){2, height, width, 3}), y = um_tensor_plain(UM_F32, 4, x.dim);
    x.data = pixels, y.data = values;
    if (be->ops->warp(be, &y, &x, &sample, &(um_control){.n = 1}, &how, &err) != UM_OK) fail_msg("%s", err.text);
    /* The fixture has seven digits; the sums are in double on both sides. */
    for (int i = 0; i < n; i++)
      if (!(fabs(values[i] - golden[i]) <= 1e-4 * how.scale))
        fail_msg("case %d (%dx%d, %s), value %d: %.7g, scipy has %.7g", c, height, width, mode, i, values[i], golden[i]);
    for (int i = n; i < 2 * n; i++) assert_true(values[i] == 0); /* beyond the first n samples */
  }
  fclose(f);
  be->ops->close(be);
}

/* A matrix that is not a number, or that leads to the end of the world, is refused rather than converted to an index. */
static void test_warp_refuses(void **state) {
  const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, -1e18};
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    for (int k = 0; k < 6; k++) {
      um_error err = {0};
      um_warp_sample sample[2] = {{.m = {1, 0, 0, 0, 1, 0}}, {.m = {1, 0, 0, 0, 1, 0}}};
      assert_int_equal(um_warp_check(sample, 2, 2, 2, &err), UM_OK);
      sample[1].m[k] = bad[i];
      assert_int_equal(um_warp_check(sample, 1, 2, 2, &err), UM_OK);
      assert_int_equal(um_warp_check(sample, 2, 2, 2, &err), UM_ENUMERIC);
      sample[1].identity = true; /* then nobody reads it */
      assert_int_equal(um_warp_check(sample, 2, 2, 2, &err), UM_OK);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_optimizers),
      cmocka_unit_test(test_warp),
      cmocka_unit_test(test_warp_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
