#include "data/draw.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define DASH 8

static const uint8_t red[3] = {255, 0, 0}, green[3] = {0, 255, 0}, black[3] = {0, 0, 0};

static void put(um_image *im, int x, int y, const uint8_t colour[3]) {
  if (x < 0 || y < 0 || x >= im->width || y >= im->height) return;
  memcpy(im->pixels + ((size_t)y * (size_t)im->width + (size_t)x) * 3, colour, 3);
}
static void dot(um_image *im, int x, int y) { put(im, x, y, red); }

void um_draw_box(um_image *im, int x, int y, int side) {
  int last = side - 1;
  for (int i = 0; i < side; i++) {
    if (i / DASH % 2) continue;
    for (int k = 0; k < 2 && k <= last - k; k++) {
      dot(im, x + i, y + k), dot(im, x + i, y + last - k); /* above, below */
      dot(im, x + k, y + i), dot(im, x + last - k, y + i); /* left, right */
    }
  }
}

/* The pixel that holds a place; far outside of any picture where that is no int. */
static int pixel(double at) { return at > -1e6 && at < 1e6 ? (int)floor(at) : -1; }

void um_draw_outline(um_image *im, const double corner[4][2]) {
  for (int side = 0; side < 4; side++) {
    const double *from = corner[side], *to = corner[(side + 1) % 4];
    const double x = to[0] - from[0], y = to[1] - from[1], length = hypot(x, y);
    if (!(length > 0 && length < 1e6)) continue;
    for (int i = 0; i < length; i++) {
      if (i / DASH % 2) continue;
      for (int k = 0; k < 2; k++) /* inwards, which is to the right of the way */
        dot(im, pixel(from[0] + (x * (i + 0.5) - y * (k + 0.5)) / length), pixel(from[1] + (y * (i + 0.5) + x * (k + 0.5)) / length));
    }
  }
}

void um_draw_point(um_image *im, double x, double y) {
  for (int v = -1; v <= 1; v++)
    for (int u = -1; u <= 1; u++) put(im, pixel(x + u), pixel(y + v), green);
}

/* Five rows of three pixels, the highest first, an octal digit a row. */
static int glyph(char c) {
  static const int digits[] = {075557, 026227, 071747, 071717, 055711, 074717, 074757, 071222, 075757, 075717};
  static const int letters[] = {025755, 065656, 034443, 065556, 074647, 074644, 034553, 055755, 072227, 011152, 055655, 044447, 057755,
                                065555, 025552, 065644, 025563, 065655, 034216, 072222, 055557, 055552, 055775, 055255, 055222, 071247};
  const int upper = toupper((unsigned char)c);
  if (upper >= '0' && upper <= '9') return digits[upper - '0'];
  if (upper >= 'A' && upper <= 'Z') return letters[upper - 'A'];
  static const char marks[] = "-_.:/<>";
  static const int mark[] = {000700, 000007, 000002, 002020, 011244, 012421, 042124};
  const char *at = c ? strchr(marks, c) : NULL;
  return at ? mark[at - marks] : 0;
}

void um_draw_text(um_image *im, int x, int y, const char *text) {
  for (; *text; text++, x += UM_TEXT_WIDTH) {
    const int rows = glyph(*text);
    for (int v = 0; v < UM_TEXT_HEIGHT; v++)
      for (int u = 0; u < 6; u++)
        if (rows >> (3 * (4 - v / 2) + 2 - u / 2) & 1) put(im, x + u, y + v, black);
  }
}
