#include "data/draw.h"

#define DASH 8

static void dot(um_image *im, int x, int y) {
  if (x < 0 || y < 0 || x >= im->width || y >= im->height) return;
  uint8_t *p = im->pixels + ((size_t)y * (size_t)im->width + (size_t)x) * 3;
  p[0] = 255, p[1] = p[2] = 0;
}

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
