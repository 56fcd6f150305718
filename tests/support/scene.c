#include "tests/support/scene.h"

#include <stdlib.h>
#include <string.h>

const scene_face scene_faces[3] = {{110, 130, 70}, {270, 90, 40}, {330, 220, 26}};

/* Of a face, in percent of its half width: centre, half axes; grey. */
static const int parts[][5] = {
    {0, -20, 112, 130, 45},                          /* hair */
    {0, 12, 92, 118, 175},                           /* skin */
    {-40, -12, 34, 20, 120}, {40, -12, 34, 20, 120}, /* sockets */
    {-40, -32, 30, 6, 70},   {40, -32, 30, 6, 70},   /* brows */
    {-40, -10, 20, 9, 45},   {40, -10, 20, 9, 45},   /* eyes */
    {0, 12, 9, 36, 200},                             /* nose */
    {0, 48, 20, 6, 115},                             /* nostrils */
    {0, 78, 36, 8, 85},                              /* mouth */
    {-55, 40, 20, 22, 190},  {55, 40, 20, 22, 190},  /* cheeks */
};

static int noise(int x, int y) {
  uint32_t n = (uint32_t)x * 374761393u + (uint32_t)y * 668265263u;
  n = (n ^ (n >> 13)) * 1274126177u;
  return (int)((n ^ (n >> 16)) & 0xff);
}

static void smooth(int *to, const int *from, int width, int height) {
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      int sum = 0;
      for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
          int sx = x + dx < 0 ? 0 : x + dx >= width ? width - 1 : x + dx, sy = y + dy < 0 ? 0 : y + dy >= height ? height - 1 : y + dy;
          sum += from[sy * width + sx];
        }
      to[y * width + x] = (sum + 4) / 9;
    }
}

void scene_draw(uint8_t *grey, int width, int height, const scene_face *face, int faces) {
  const size_t pixels = (size_t)width * (size_t)height;
  int *a = calloc(pixels, sizeof *a), *b = calloc(pixels, sizeof *b);
  if (!a || !b) abort();
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      int g = 60 + x / 8 + y / 8 + noise(x, y) / 16 + noise(x / 7, y / 7) / 6 + noise(x / 31, y / 31) / 4;
      for (int f = 0; f < faces; f++)
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
          int64_t half = face[f].half, dx = 100 * (x - face[f].x) - parts[k][0] * half, dy = 100 * (y - face[f].y) - parts[k][1] * half;
          int64_t pa = parts[k][2] * half, pb = parts[k][3] * half;
          if (dx * dx * pb * pb + dy * dy * pa * pa <= pa * pa * pb * pb) g = parts[k][4] + noise(x, y) / 32;
        }
      a[y * width + x] = g;
    }
  smooth(b, a, width, height);
  smooth(a, b, width, height);
  for (int i = 0; i < width * height; i++) grey[i] = (uint8_t)(a[i] > 255 ? 255 : a[i]);
  free(a);
  free(b);
}

void scene_draw_walking(uint8_t *grey, int width, int height, int i, void *shift) {
  scene_face face[3];
  for (int k = 0; k < 3; k++) face[k] = scene_faces[k], face[k].x += 2 * i + *(const int *)shift;
  scene_draw(grey, width, height, face, 3);
}
