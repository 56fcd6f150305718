#include "data/heat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/gradcam.h"
#include "data/draw.h"

void um_heat_colour(uint8_t rgb[3], double value) {
  /* Coefficients by rising power, as published (Apache License 2.0, Google LLC). */
  static const double turbo[3][6] = {{0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943},
                                     {0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604},
                                     {0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973}};
  const double x = value > 0 ? fmin(value, 1) : 0;
  for (int c = 0; c < 3; c++) {
    double y = turbo[c][5];
    for (int k = 4; k >= 0; k--) y = y * x + turbo[c][k];
    rgb[c] = (uint8_t)(255 * fmin(fmax(y, 0), 1) + 0.5);
  }
}

void um_heat_overlay(um_image *im, const float *heat) {
  const size_t n = (size_t)im->width * (size_t)im->height;
  for (size_t i = 0; i < n; i++) {
    const double h = heat[i] > 0 ? fmin((double)heat[i], 1) : 0, share = 0.6 * fmin(1, 2 * h);
    uint8_t colour[3], *p = im->pixels + 3 * i;
    um_heat_colour(colour, h);
    for (int c = 0; c < 3; c++) p[c] = (uint8_t)((1 - share) * p[c] + share * colour[c] + 0.5);
  }
}

enum { GAP = 8, LINE = UM_TEXT_HEIGHT + 2 * GAP };

int um_heat_picture(um_image *out, const um_image *face, const float *heat, int height, int width, int side, const char *text,
                    um_error *err) {
  const int longer = face->width > face->height ? face->width : face->height;
  const int w = (int)fmax(1, round((double)face->width * side / longer)), h = (int)fmax(1, round((double)face->height * side / longer));
  um_image scaled = {0};
  float *large = malloc((size_t)w * (size_t)h * sizeof *large);
  int status = large ? um_image_alloc(&scaled, w, h, err) : um_fail(err, UM_ENOMEM, "no memory for a picture of %d x %d", w, h);
  if (status == UM_OK) status = um_resize(scaled.pixels, h, w, face, UM_BILINEAR, err);
  if (status == UM_OK) status = um_image_alloc(out, 2 * w + GAP, h + LINE, err);
  if (status != UM_OK) goto done;
  memset(out->pixels, 255, (size_t)out->width * (size_t)out->height * 3);
  um_gradcam_resize(large, h, w, heat, height, width);
  for (int part = 0; part < 2; part++) {
    if (part) um_heat_overlay(&scaled, large);
    for (int y = 0; y < h; y++)
      memcpy(out->pixels + ((size_t)y * (size_t)out->width + (size_t)(part * (w + GAP))) * 3, scaled.pixels + (size_t)y * (size_t)w * 3,
             (size_t)w * 3);
  }
  um_draw_text(out, GAP, h + GAP, text);
done:
  um_image_free(&scaled);
  free(large);
  return status;
}
