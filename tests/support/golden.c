#include "tests/support/golden.h"

#include <stdio.h>
#include <string.h>

static uint32_t mix(uint32_t h) {
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  h ^= h >> 16;
  return h;
}

int golden_open(um_st **out, const char *path) {
  um_error err;
  if (um_st_open(out, path, &err) == UM_OK) return 0;
  fprintf(stderr, "%s\n", err.text);
  return -1;
}

uint32_t golden_word(uint32_t stream, uint32_t index) { return mix(index ^ mix(stream * 0x9e3779b9u + 1)); }

static int triangle(int x) {
  x &= 255;
  return x < 128 ? x : 255 - x;
}

void golden_image(uint8_t *pixels, uint32_t index) {
  int k[16];
  for (uint32_t i = 0; i < 16; i++) {
    static const uint32_t modulus[16] = {7, 7, 256, 64, 13, 13, 256, 64, 64, 64, 64, 192, 1, 1, 1, 1};
    k[i] = (int)(golden_word(3, index * 16 + i) % modulus[i]);
  }
  for (int r = 0; r < GOLDEN_SIDE; r++)
    for (int c = 0; c < GOLDEN_SIDE; c++)
      for (int ch = 0; ch < 3; ch++) {
        int at = (r * GOLDEN_SIDE + c) * 3 + ch;
        int a = triangle(r * k[0] + c * k[1] + k[2] + ch * k[3]), b = triangle(r * k[4] - c * k[5] + k[6] - ch * k[7]);
        int noise = (int)(golden_word(16 + index, (uint32_t)at) >> 27);
        pixels[at] = (uint8_t)(((a + b) / 2 + k[8 + ch] + noise) * (64 + k[11]) >> 8);
      }
}

float golden_label(uint32_t index) { return (float)(index & 1); }

void golden_sketch(double sketch[GOLDEN_BUCKETS], const float *values, size_t count, uint32_t stream) {
  memset(sketch, 0, GOLDEN_BUCKETS * sizeof *sketch);
  for (size_t i = 0; i < count; i++) {
    uint32_t h = golden_word(stream, (uint32_t)i);
    sketch[h & (GOLDEN_BUCKETS - 1)] += h >> 31 ? -(double)values[i] : (double)values[i];
  }
}

uint32_t golden_crc(const void *data, size_t size) {
  const uint8_t *p = data;
  uint32_t table[256], crc = 0xffffffffu;
  for (uint32_t i = 0; i < 256; i++) {
    table[i] = i;
    for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
  }
  for (size_t i = 0; i < size; i++) crc = table[(crc ^ p[i]) & 255] ^ crc >> 8;
  return ~crc;
}
