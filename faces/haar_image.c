/* The grey picture made ready for the windows: equalised, resized and summed up as OpenCV 4.6 does it, bit for bit. */
#include "faces/haar_internal.h"

#include <math.h>
#include <string.h>

void haar_equalize(uint8_t *dst, const uint8_t *src, int width, int height, int stride) {
  uint32_t count[4][256] = {{0}}; /* four, so that equal neighbours do not wait for each other */
  uint8_t lut[256] = {0};
  for (int y = 0; y < height; y++) {
    const uint8_t *s = src + (size_t)y * (size_t)stride;
    int x = 0;
    for (; x + 4 <= width; x += 4)
      for (int k = 0; k < 4; k++) count[k][s[x + k]]++;
    for (; x < width; x++) count[0][s[x]]++;
  }
  int64_t total = (int64_t)width * height, sum = 0;
  for (int i = 0; i < 256; i++) count[0][i] += count[1][i] + count[2][i] + count[3][i];
  int first = 0;
  while (first < 255 && !count[0][first]) first++;
  if (count[0][first] == total) { /* one grey value: left as it is */
    lut[first] = (uint8_t)first;
  } else {
    float scale = 255.f / (float)(total - count[0][first]);
    for (int i = first + 1; i < 256; i++) {
      sum += count[0][i];
      long v = lrintf((float)sum * scale);
      lut[i] = (uint8_t)(v > 255 ? 255 : v);
    }
  }
  for (int y = 0; y < height; y++) {
    const uint8_t *s = src + (size_t)y * (size_t)stride;
    uint8_t *d = dst + (size_t)y * (size_t)width;
    for (int x = 0; x < width; x++) d[x] = lut[s[x]];
  }
}

void haar_taps(haar_tap *tap, int out, int in) {
  double scale = 1.0 / ((double)out / in);
  for (int i = 0; i < out; i++) {
    double at = scale * (i + 0.5) - 0.5;
    int whole = (int)floor(at);
    if (whole < 0)
      tap[i] = (haar_tap){0, 0};
    else if (whole >= in - 1)
      tap[i] = (haar_tap){in - 2, 256};
    else
      tap[i] = (haar_tap){whole, (int)lrint((at - whole) * 256)};
  }
}

size_t haar_integrate_scratch(int src_width, int width) { return (size_t)src_width * 2 + (size_t)width * 2 + 64; }

/* Both axes are exact in integers (8 bits of pixel, 8 of each part, rounded once at the end), so their order is free: down first,
 * where neighbours lie side by side, then across, once for each pixel that comes out. */
static void blend_rows(uint16_t *restrict out, const uint8_t *restrict a, const uint8_t *restrict b, int part, int width) {
  unsigned pa = 256u - (unsigned)part, pb = (unsigned)part;
  for (int x = 0; x < width; x++) out[x] = (uint16_t)(a[x] * pa + b[x] * pb);
}

/* T(x, y) of Lienhart & Maydt: all pixels above the two diagonals that go up from corner (x, y). In terms of the two rows before;
 * at the borders the neighbours that are outside hold what makes the sums right (pixels outside are zero). */
static void tilt_row(const haar_plane *p, int y, const uint8_t *line, const uint8_t *before, int width) {
#define AT(x, row) p->tilted[(ptrdiff_t)(row)*p->stride + (p->step == 2 ? ((x)&1) * p->half + ((x) >> 1) : (x))]
  AT(0, y) = AT(1, y - 1);
  for (int x = 1; x <= width; x++) {
    uint32_t t = (uint32_t)AT(x - 1, y - 1) + line[x - 1];
    if (y > 1) {
      t += before[x - 1];
      if (x < width) t += (uint32_t)AT(x + 1, y - 1) - (uint32_t)AT(x, y - 2);
    }
    AT(x, y) = (int32_t)t;
  }
#undef AT
}

void haar_integrate(const haar_plane *p, const uint8_t *src, int src_width, int src_stride, const haar_tap *x_tap, int width,
                    const haar_tap *y_tap, int row, int rows, void *scratch) {
  uint16_t *blended = scratch;
  uint8_t *line = (uint8_t *)(blended + src_width), *before = line + width;
  size_t row_bytes = (size_t)p->stride * sizeof *p->sum;
  memset(p->sum, 0, row_bytes);
  memset(p->square, 0, row_bytes);
  if (p->tilted) memset(p->tilted, 0, row_bytes);
  for (int y = 1; y <= rows; y++) {
    const haar_tap *t = &y_tap[row + y - 1];
    const uint8_t *a = src + (size_t)t->at * (size_t)src_stride;
    blend_rows(blended, a, a + src_stride, t->part, src_width);
    for (int x = 0; x < width; x++) {
      const uint16_t *b = blended + x_tap[x].at;
      unsigned part = (unsigned)x_tap[x].part;
      line[x] = (uint8_t)((b[0] * (256u - part) + b[1] * part + 32768u) >> 16);
    }
    int32_t *sum = p->sum + (ptrdiff_t)y * p->stride, *square = p->square + (ptrdiff_t)y * p->stride;
    const int32_t *sum_above = sum - p->stride, *square_above = square - p->stride;
    uint32_t s = 0, q = 0;
    sum[0] = square[0] = 0;
    if (p->step == 1) {
      for (int x = 0; x < width; x++) {
        s += line[x], q += (uint32_t)line[x] * line[x];
        sum[x + 1] = (int32_t)((uint32_t)sum_above[x + 1] + s);
        square[x + 1] = (int32_t)((uint32_t)square_above[x + 1] + q);
      }
    } else {
      for (int x = 0; x < width; x++) {
        int at = ((x + 1) & 1) * p->half + ((x + 1) >> 1);
        s += line[x], q += (uint32_t)line[x] * line[x];
        sum[at] = (int32_t)((uint32_t)sum_above[at] + s);
        square[at] = (int32_t)((uint32_t)square_above[at] + q);
      }
    }
    if (p->tilted) {
      tilt_row(p, y, line, before, width);
      uint8_t *swap = line;
      line = before, before = swap;
    }
  }
}
