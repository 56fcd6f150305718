#include <math.h>
#include <string.h>

#include "faces/faces.h"

/* cvRound, half to even, of R's opencv package: centre and radius of the circle it draws. */
static void place_recipe(um_crop *c, const um_detection *f, double margin) {
  const double x = nearbyint(f->x + f->width * 0.5), y = nearbyint(f->y + f->height * 0.5);
  double r = nearbyint((f->width + f->height) * 0.25);
  if (margin != 0) r = nearbyint(r * (1 + margin));
  if (r < 1) r = 1;
  *c = (um_crop){.x = x - r, .y = y - r, .width = 2 * r + 1, .height = 2 * r + 1};
}

void um_face_crop_place(um_crop *c, const um_detection *f, const um_face_settings *s) {
  if (s->crop == UM_CROP_RECIPE) {
    place_recipe(c, f, s->margin);
    return;
  }
  double w = f->width, h = f->height;
  if (s->crop == UM_CROP_SQUARE) w = h = w > h ? w : h;
  w = fmax(1, nearbyint(w * (1 + s->margin))), h = fmax(1, nearbyint(h * (1 + s->margin)));
  *c = (um_crop){.x = nearbyint(f->x + (f->width - w) / 2), .y = nearbyint(f->y + (f->height - h) / 2), .width = w, .height = h};
}

/* The pixels of an upright crop. */
static int cut(um_image *out, const um_image *frame, const um_crop *c, um_error *err) {
  const int x0 = (int)c->x, y0 = (int)c->y, width = (int)c->width, height = (int)c->height;
  int r = um_image_alloc(out, width, height, err);
  if (r < 0) return r;
  for (int y = 0; y < height; y++) {
    int sy = y0 + y;
    sy = sy < 0 ? 0 : sy >= frame->height ? frame->height - 1 : sy;
    const uint8_t *row = frame->pixels + (size_t)sy * (size_t)frame->width * 3;
    uint8_t *d = out->pixels + (size_t)y * (size_t)width * 3;
    for (int x = 0; x < width; x++, d += 3) {
      int sx = x0 + x;
      sx = sx < 0 ? 0 : sx >= frame->width ? frame->width - 1 : sx;
      memcpy(d, row + (size_t)sx * 3, 3);
    }
  }
  return UM_OK;
}

int um_face_crop(um_image *out, const um_image *frame, const um_detection *face, const um_face_settings *s, um_error *err) {
  um_image whole = {0};
  um_crop c;
  um_face_crop_place(&c, face, s);
  if (s->size == 0 || (c.width == s->size && c.height == s->size)) return cut(out, frame, &c, err);
  int r = cut(&whole, frame, &c, err);
  if (r == UM_OK && (r = um_image_alloc(out, s->size, s->size, err)) == UM_OK)
    r = um_resize(out->pixels, s->size, s->size, &whole, s->resize, err);
  um_image_free(&whole);
  return r;
}
