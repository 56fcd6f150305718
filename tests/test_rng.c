/* Philox against the known-answer vectors of its authors, and what is built on it against what it says of itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rng.h"

/* Random123 1.14, tests/kat_vectors, the three lines "philox4x32 10". */
static void test_known_answers(void **state) {
  static const struct {
    uint32_t counter[4], key[2], expected[4];
  } kat[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  (void)state;
  for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
    uint32_t out[4];
    um_philox(out, kat[i].counter, kat[i].key);
    assert_memory_equal(out, kat[i].expected, sizeof out);
  }
}

/* The address of a draw is what the header says, so that other programs (and the GPU) can make the same numbers. */
static void test_addresses(void **state) {
  /* The third vector again, its counter and key as an address: block 0x243f6a88 holds draws 0x90fdaa20 to 0x90fdaa23. */
  const um_rng at = {.seed = 0x299f31d0a4093822u, .stream = 0x03707344, .epoch = 0x13198a2e, .sample = 0x85a308d3};
  const uint32_t expected[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}, block = 0x243f6a88;
  (void)state;
  for (uint32_t i = 0; i < 4; i++) assert_int_equal(um_rng_bits(&at, 4 * block + i), expected[i]);
  assert_true(um_rng_uniform(&at, 4 * block) == 0xd16cfe09 / 4294967296.0);
  assert_true(fabs(um_rng_range(&at, 4 * block, -40, 40) - (-40 + 80 * (0xd16cfe09 / 4294967296.0))) < 1e-12);
}

/* Moments of the uniform and the normal numbers: within five standard errors of what theory says. */
static void test_moments(void **state) {
  enum { N = 200000 };
  const um_rng at = {.seed = 42, .stream = UM_STREAM_TEST};
  double u1 = 0, u2 = 0, n1 = 0, n2 = 0, n4 = 0;
  (void)state;
  for (uint32_t i = 0; i < N; i++) {
    const double u = um_rng_uniform(&at, i), n = um_rng_normal(&at, i);
    assert_true(u >= 0 && u < 1);
    u1 += u, u2 += u * u, n1 += n, n2 += n * n, n4 += n * n * n * n;
  }
  assert_true(fabs(u1 / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
  assert_true(fabs(u2 / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
  assert_true(fabs(n1 / N) < 5 * sqrt(1.0 / N));
  assert_true(fabs(n2 / N - 1) < 5 * sqrt(2.0 / N));
  assert_true(fabs(n4 / N - 3) < 5 * sqrt(96.0 / N));
}

static void test_below(void **state) {
  enum { N = 70000 };
  const um_rng at = {.seed = 1, .stream = UM_STREAM_TEST};
  int seen[7] = {0};
  (void)state;
  for (uint32_t i = 0; i < N; i++) {
    const uint32_t k = um_rng_below(&at, i, 7);
    assert_true(k < 7);
    seen[k]++;
    assert_int_equal(um_rng_below(&at, i, 1), 0);
  }
  double chi = 0; /* 6 degrees of freedom: 22.5 is the 99.9 % quantile */
  for (int k = 0; k < 7; k++) chi += (seen[k] - N / 7.0) * (seen[k] - N / 7.0) / (N / 7.0);
  assert_true(chi < 22.5);
}

/* A shuffle is a permutation, the same for the same address and another for another, and every order of three comes as often. */
static void test_shuffle(void **state) {
  enum { N = 1000, ROUNDS = 12000 };
  static uint32_t a[N], b[N], c[N];
  bool seen[N] = {false};
  int order[27] = {0}, differ = 0;
  (void)state;
  for (uint32_t i = 0; i < N; i++) a[i] = b[i] = c[i] = i;
  const um_rng one = {.seed = 5, .stream = UM_STREAM_SHUFFLE, .epoch = 1}, two = {.seed = 5, .stream = UM_STREAM_SHUFFLE, .epoch = 2};
  um_rng_shuffle(&one, a, N);
  um_rng_shuffle(&one, b, N);
  um_rng_shuffle(&two, c, N);
  assert_memory_equal(a, b, sizeof a);
  for (int i = 0; i < N; i++) {
    assert_true(a[i] < N && !seen[a[i]]);
    seen[a[i]] = true;
    differ += a[i] != c[i];
  }
  assert_true(differ > N * 9 / 10);
  for (uint32_t r = 0; r < ROUNDS; r++) {
    const um_rng at = {.seed = 9, .stream = UM_STREAM_SHUFFLE, .epoch = r};
    uint32_t p[3] = {0, 1, 2};
    um_rng_shuffle(&at, p, 3);
    order[p[0] * 9 + p[1] * 3 + p[2]]++;
  }
  double chi = 0; /* 5 degrees of freedom: 20.5 is the 99.9 % quantile */
  int orders = 0;
  for (int i = 0; i < 27; i++)
    if (order[i]) chi += (order[i] - ROUNDS / 6.0) * (order[i] - ROUNDS / 6.0) / (ROUNDS / 6.0), orders++;
  assert_int_equal(orders, 6);
  assert_true(chi < 20.5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_answers), cmocka_unit_test(test_addresses), cmocka_unit_test(test_moments),
      cmocka_unit_test(test_below),         cmocka_unit_test(test_shuffle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
