#include "tests/support/picture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "core/rng.h"

void test_picture(uint8_t *rgb, int height, int width) {
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < 3; c++) {
        int64_t v = (int64_t)x * x * 13 + (int64_t)y * y * 7 + (int64_t)x * y * 3 + c * 85 + ((x >> 3) ^ (y >> 3)) * 37;
        *rgb++ = (uint8_t)(v >> (1 + c));
      }
}

void test_photo(um_image *im, int width, int height, uint32_t which) {
  enum { WAVES = 400 };
  const um_rng at = {.seed = 8, .stream = UM_STREAM_TEST, .sample = which};
  double(*wave)[4] = malloc(WAVES * sizeof *wave);
  um_error err;
  assert_non_null(wave);
  assert_int_equal(um_image_alloc(im, width, height, &err), UM_OK);
  for (uint32_t k = 0; k < WAVES; k++) {
    const double f = um_rng_range(&at, 4 * k, 0.3, 12), angle = um_rng_range(&at, 4 * k + 1, 0, 6.2832);
    wave[k][0] = f * cos(angle), wave[k][1] = f * sin(angle), wave[k][2] = um_rng_range(&at, 4 * k + 2, 0, 6.2832), wave[k][3] = 14 / f;
  }
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      double v = 128;
      for (int k = 0; k < WAVES; k++)
        v += wave[k][3] * sin(6.2832 * (wave[k][0] * (x + .5) / width + wave[k][1] * (y + .5) / height) + wave[k][2]);
      uint8_t *p = im->pixels + 3 * (width * y + x);
      p[0] = p[1] = p[2] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
  free(wave);
}
