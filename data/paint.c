#include "data/paint.h"

#include <math.h>

/* How much of the pixel at i the stretch from a to b covers. */
static double covered(int i, double a, double b) { return fmax(0, fmin(b, i + 1.) - fmax(a, i)); }

static void mix(uint8_t *pixel, const um_paint *with, double cover) {
  const double a = with->alpha * cover;
  for (int c = 0; c < 3; c++) pixel[c] = (uint8_t)(pixel[c] + a * (with->rgb[c] - pixel[c]) + 0.5);
}

void um_paint_rectangle(um_image *im, double x, double y, double width, double height, um_paint with) {
  const double right = fmin(x + width, im->width), below = fmin(y + height, im->height);
  const int x0 = (int)floor(fmax(x, 0)), y0 = (int)floor(fmax(y, 0)); /* NaN: 0, and nothing is covered */
  for (int v = y0; v < below; v++) {
    const double down = covered(v, y, below);
    for (int u = x0; u < right; u++) mix(im->pixels + ((size_t)v * (size_t)im->width + (size_t)u) * 3, &with, down * covered(u, x, right));
  }
}

void um_paint_frame(um_image *im, double x, double y, double width, double height, double thickness, um_paint with) {
  const double t = fmin(thickness, fmin(width, height) / 2);
  um_paint_rectangle(im, x, y, width, t, with);
  um_paint_rectangle(im, x, y + height - t, width, t, with);
  um_paint_rectangle(im, x, y + t, t, height - 2 * t, with);
  um_paint_rectangle(im, x + width - t, y + t, t, height - 2 * t, with);
}
