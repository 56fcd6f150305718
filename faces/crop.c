/* Crops of faces. An upright crop is the frame's own pixels; a turned one is sampled between them, linearly, at the frame's own scale. What
 * is resized is so after that, by um_resize, which averages where it shrinks. */
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

/* How far the line from eye to eye is turned, clockwise as seen. */
static double tilt(const um_detection *f) {
  const double x = f->point[UM_POINT_RIGHT_EYE][0] - f->point[UM_POINT_LEFT_EYE][0];
  const double y = f->point[UM_POINT_RIGHT_EYE][1] - f->point[UM_POINT_LEFT_EYE][1];
  const double angle = atan2(y, x);
  return isfinite(angle) ? angle : 0;
}

void um_face_crop_place(um_crop *c, const um_detection *f, const um_face_settings *s) {
  const double angle = s->align && f->has_points ? tilt(f) : 0;
  if (s->crop == UM_CROP_RECIPE) {
    place_recipe(c, f, s->margin);
    c->angle = angle;
    return;
  }
  double w = f->width, h = f->height;
  if (s->crop == UM_CROP_SQUARE) w = h = w > h ? w : h;
  w = fmax(1, nearbyint(w * (1 + s->margin))), h = fmax(1, nearbyint(h * (1 + s->margin)));
  *c = (um_crop){.x = f->x + (f->width - w) / 2, .y = f->y + (f->height - h) / 2, .width = w, .height = h, .angle = angle};
  if (angle == 0) c->x = nearbyint(c->x), c->y = nearbyint(c->y);
}

/* From the crop's own axes, (0, 0) its upper left corner, to the frame. */
static void to_frame(double out[2], const um_crop *c, double x, double y) {
  const double cosine = cos(c->angle), sine = sin(c->angle), u = x - c->width / 2, v = y - c->height / 2;
  out[0] = c->x + c->width / 2 + cosine * u - sine * v;
  out[1] = c->y + c->height / 2 + sine * u + cosine * v;
}

void um_face_crop_corners(double corner[4][2], const um_crop *c) {
  to_frame(corner[0], c, 0, 0);
  to_frame(corner[1], c, c->width, 0);
  to_frame(corner[2], c, c->width, c->height);
  to_frame(corner[3], c, 0, c->height);
}

bool um_face_crop_points(double point[UM_POINTS][2], const um_detection *f, const um_face_settings *s) {
  um_crop c;
  if (!f->has_points) return false;
  um_face_crop_place(&c, f, s);
  const double cosine = cos(c.angle), sine = sin(c.angle);
  const double scale_x = s->size ? s->size / c.width : 1, scale_y = s->size ? s->size / c.height : 1;
  for (int i = 0; i < UM_POINTS; i++) {
    const double x = f->point[i][0] - c.x - c.width / 2, y = f->point[i][1] - c.y - c.height / 2;
    point[i][0] = (cosine * x + sine * y + c.width / 2) * scale_x;
    point[i][1] = (cosine * y - sine * x + c.height / 2) * scale_y;
  }
  return true;
}

static int within(int i, int n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

/* The pixels of an upright crop. */
static int cut(um_image *out, const um_image *frame, const um_crop *c, um_error *err) {
  const int x0 = (int)c->x, y0 = (int)c->y, width = (int)c->width, height = (int)c->height;
  int r = um_image_alloc(out, width, height, err);
  if (r < 0) return r;
  for (int y = 0; y < height; y++) {
    const uint8_t *row = frame->pixels + (size_t)within(y0 + y, frame->height) * (size_t)frame->width * 3;
    uint8_t *d = out->pixels + (size_t)y * (size_t)width * 3;
    for (int x = 0; x < width; x++, d += 3) memcpy(d, row + (size_t)within(x0 + x, frame->width) * 3, 3);
  }
  return UM_OK;
}

/* The pixels of a turned crop: at each one's centre the frame's, linear between the centres of its pixels. */
static int cut_turned(um_image *out, const um_image *frame, const um_crop *c, um_error *err) {
  const int width = (int)c->width, height = (int)c->height;
  const double cosine = cos(c->angle), sine = sin(c->angle);
  const int r = um_image_alloc(out, width, height, err);
  if (r < 0) return r;
  uint8_t *d = out->pixels;
  for (int y = 0; y < height; y++) {
    double start[2];
    to_frame(start, c, 0.5, y + 0.5);
    for (int x = 0; x < width; x++, d += 3) {
      const double sx = start[0] + cosine * x - 0.5, sy = start[1] + sine * x - 0.5, left = floor(sx), above = floor(sy);
      const double fx = sx - left, fy = sy - above;
      const int x0 = within((int)left, frame->width), x1 = within((int)left + 1, frame->width);
      const uint8_t *row0 = frame->pixels + (size_t)within((int)above, frame->height) * (size_t)frame->width * 3;
      const uint8_t *row1 = frame->pixels + (size_t)within((int)above + 1, frame->height) * (size_t)frame->width * 3;
      for (int k = 0; k < 3; k++) {
        const double top = row0[3 * x0 + k] * (1 - fx) + row0[3 * x1 + k] * fx;
        const double bottom = row1[3 * x0 + k] * (1 - fx) + row1[3 * x1 + k] * fx;
        d[k] = (uint8_t)(top * (1 - fy) + bottom * fy + 0.5);
      }
    }
  }
  return UM_OK;
}

int um_face_crop(um_image *out, const um_image *frame, const um_detection *face, const um_face_settings *s, um_error *err) {
  um_image whole = {0};
  um_crop c;
  um_face_crop_place(&c, face, s);
  int (*const take)(um_image *, const um_image *, const um_crop *, um_error *) = c.angle == 0 ? cut : cut_turned;
  if (s->size == 0 || (c.width == s->size && c.height == s->size)) return take(out, frame, &c, err);
  int r = take(&whole, frame, &c, err);
  if (r == UM_OK && (r = um_image_alloc(out, s->size, s->size, err)) == UM_OK)
    r = um_resize(out->pixels, s->size, s->size, &whole, s->resize, err);
  um_image_free(&whole);
  return r;
}
