/* Perceptual hashes against scipy and Pillow (tests/golden/phash.py), and what they are for: the same picture in another format is
 * near, another picture is far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "data/phash.h"
#include "tests/support/picture.h"
#include "tests/support/tmp.h"

/* As tests/golden/phash.py makes it. */
static void make(um_image *im, int width, int height, int kind) {
  um_error err;
  assert_int_equal(um_image_alloc(im, width, height, &err), UM_OK);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < 3; c++) {
        const int dx = x - width / (2 + c), dy = y - height / 3;
        const int v = kind == 0   ? (x * x + 3 * y * (c + 1) + x * y / 7) % 256
                      : kind == 1 ? 255 * 900 / (900 + dx * dx + dy * dy)
                                  : (x * 255 / width + 40 * ((y / 9 + c) % 3)) % 256;
        im->pixels[3 * (width * y + x) + c] = (uint8_t)v;
      }
}

static um_phash parse(const char *hex) {
  um_phash h = {{0}};
  for (int i = 0; i < 64; i++) {
    const char digit[2] = {hex[i], 0};
    h.word[i / 16] = h.word[i / 16] << 4 | strtoul(digit, NULL, 16);
  }
  return h;
}

/* A frequency that is the median to the last digit may fall to either side: sums are added in another order there. */
static void as_imagehash(void **state) {
  char hex[65], mirrored[65];
  int width, height, kind, lines = 0;
  um_error err = {0};
  (void)state;
  FILE *f = fopen("tests/golden/phash.txt", "r");
  assert_non_null(f);
  while (fscanf(f, "%d %d %d %64s %64s", &width, &height, &kind, hex, mirrored) == 5) {
    um_image im = {0};
    um_phash one, both[2];
    const um_phash expected[2] = {parse(hex), parse(mirrored)};
    make(&im, width, height, kind);
    assert_int_equal(um_phash_of(&one, &im, &err), UM_OK);
    assert_int_equal(um_phash_both(both, &im, &err), UM_OK);
    assert_memory_equal(&one, &both[0], sizeof one);
    for (int k = 0; k < 2; k++)
      if (um_phash_distance(&both[k], &expected[k]) > (k ? 6 : 2)) /* the mirror image is shrunk anew there: other roundings to 8 bits */
        fail_msg("%d x %d, kind %d: %s is %d bits from scipy's", width, height, kind, k ? "mirrored" : "as it is",
                 um_phash_distance(&both[k], &expected[k]));
    um_image_free(&im);
    lines++;
  }
  fclose(f);
  assert_int_equal(lines, 15);
}

static void survives_formats(void **state) {
  um_error err = {0};
  um_phash first[3];
  (void)state;
  for (uint32_t which = 0; which < 3; which++) {
    const char *path = tmp_path("q40.jpg");
    um_image im = {0}, again = {0}, small = {0};
    um_phash h, mirrored[2];
    test_photo(&im, 224, 200, which);
    assert_int_equal(um_phash_of(&first[which], &im, &err), UM_OK);
    assert_int_equal(um_image_write_jpeg(&im, path, 40, &err), UM_OK);
    assert_int_equal(um_image_read(&again, path, &err), UM_OK);
    assert_int_equal(um_phash_of(&h, &again, &err), UM_OK);
    assert_in_range(um_phash_distance(&first[which], &h), 0, 24);
    assert_int_equal(um_image_alloc(&small, 112, 100, &err), UM_OK);
    assert_int_equal(um_resize(small.pixels, 100, 112, &im, UM_BILINEAR, &err), UM_OK);
    assert_int_equal(um_phash_of(&h, &small, &err), UM_OK);
    assert_in_range(um_phash_distance(&first[which], &h), 0, 24);
    for (int y = 0; y < 200; y++) /* mirrored */
      for (int x = 0; x < 224; x++) memcpy(again.pixels + 3 * (224 * y + x), im.pixels + 3 * (224 * y + 223 - x), 3);
    assert_int_equal(um_phash_both(mirrored, &again, &err), UM_OK);
    assert_in_range(um_phash_distance(&first[which], &mirrored[0]), 60, 256);
    assert_in_range(um_phash_distance(&first[which], &mirrored[1]), 0, 6);
    um_image_free(&im), um_image_free(&again), um_image_free(&small);
  }
  for (int a = 0; a < 3; a++)
    for (int b = 0; b < a; b++) assert_in_range(um_phash_distance(&first[a], &first[b]), 60, 256);
}

/* Against the plain search over all pairs. */
static void nearest_of_many(void **state) {
  enum { A = 300, B = 170, MOST = 20 };
  static um_phash a[A], b[B];
  um_error err = {0};
  (void)state;
  for (int i = 0; i < A; i++)
    for (int w = 0; w < 4; w++) {
      const um_rng at = {.seed = 5, .stream = UM_STREAM_TEST, .sample = (uint32_t)i};
      a[i].word[w] = (uint64_t)um_rng_bits(&at, 2 * w) << 32 | um_rng_bits(&at, 2 * w + 1);
    }
  a[40] = a[7];                 /* of equals the first */
  for (int j = 0; j < B; j++) { /* b is one of a's with j % 40 bits turned */
    const um_rng at = {.seed = 6, .stream = UM_STREAM_TEST, .sample = (uint32_t)j};
    b[j] = a[j == 0 ? 40 : j % A];
    for (int k = 0; k < j % 40; k++) {
      const int bit = (k * 6 + (int)um_rng_below(&at, (uint32_t)k, 6)) % 256;
      b[j].word[bit / 64] ^= 1ull << bit % 64;
    }
  }
  for (int threads = 1; threads <= 3; threads += 2) {
    um_phash_pair *pair;
    int count, seen = 0;
    assert_int_equal(um_phash_near(&pair, &count, a, A, b, B, MOST, threads, &err), UM_OK);
    for (int j = 0; j < B; j++) {
      int best = -1, distance = MOST + 1;
      for (int i = 0; i < A; i++)
        if (um_phash_distance(&a[i], &b[j]) < distance) best = i, distance = um_phash_distance(&a[i], &b[j]);
      if (best < 0) continue;
      assert_true(seen < count);
      assert_int_equal(pair[seen].b, j);
      assert_int_equal(pair[seen].a, best);
      assert_int_equal(pair[seen].distance, distance);
      seen++;
    }
    assert_int_equal(seen, count);
    assert_true(count > 80 && pair[0].a == 7 && pair[0].distance == 0);
    free(pair);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_imagehash), cmocka_unit_test(survives_formats), cmocka_unit_test(nearest_of_many)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
