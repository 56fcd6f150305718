#include "tests/support/picture.h"

void test_picture(uint8_t *rgb, int height, int width) {
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < 3; c++) {
        int64_t v = (int64_t)x * x * 13 + (int64_t)y * y * 7 + (int64_t)x * y * 3 + c * 85 + ((x >> 3) ^ (y >> 3)) * 37;
        *rgb++ = (uint8_t)(v >> (1 + c));
      }
}
