/* The fake: another identity's inner face, with what real swaps leave behind. */
#include "tools/demo_clips/scene.h"

#include <stdlib.h>

void swap_draw(swap *s, uint64_t seed, uint32_t number) {
  *s = (swap){.at = {.seed = seed, .stream = UM_STREAM_DEMO, .epoch = 3, .sample = number}};
  uint32_t d = 1u << 20; /* far from the draws by frame */
  s->detail = (float)um_rng_range(&s->at, d++, .42, .68);
  s->feather = (float)um_rng_range(&s->at, d++, .03, .12);
  s->match = (float)um_rng_range(&s->at, d++, .75, .97);
  s->jitter = (float)um_rng_range(&s->at, d++, .005, .013);
  s->flicker = (float)um_rng_range(&s->at, d++, .005, .02);
  s->strength = (float)um_rng_range(&s->at, d++, .92, 1);
  for (int c = 0; c < 3; c++) {
    double cast = um_rng_range(&s->at, d++, .02, .08);
    s->tone[c] = (float)(um_rng_uniform(&s->at, d++) < .5 ? 1 - cast : 1 + cast);
  }
}

static float sample(const float *grid, int w, int h, int stride, float x, float y) {
  x = clampf(x, 0, (float)(w - 1)), y = clampf(y, 0, (float)(h - 1));
  int ix = (int)x, iy = (int)y, jx = ix + 1 < w ? ix + 1 : ix, jy = iy + 1 < h ? iy + 1 : iy;
  float tx = x - (float)ix, ty = y - (float)iy;
  return mixf(mixf(grid[(iy * w + ix) * stride], grid[(iy * w + jx) * stride], tx),
              mixf(grid[(jy * w + ix) * stride], grid[(jy * w + jx) * stride], tx), ty);
}

/* Mean of a w x h part of the donor at (x, y), cell by cell: the resolution that the generator works at. */
static void shrink(float *grid, int gw, int gh, const canvas *c, int x0, int y0, float step) {
  for (int gy = 0; gy < gh; gy++)
    for (int gx = 0; gx < gw; gx++) {
      int xa = x0 + (int)((float)gx * step), xb = x0 + (int)ceilf((float)(gx + 1) * step), ya = y0 + (int)((float)gy * step),
          yb = y0 + (int)ceilf((float)(gy + 1) * step);
      float sum[3] = {0}, cover = 1e-6f;
      for (int y = ya; y < yb && y < c->height; y++)
        for (int x = xa; x < xb && x < c->width; x++) {
          size_t i = (size_t)y * (size_t)c->width + (size_t)x;
          cover += c->cover[i];
          for (size_t k = 0; k < 3; k++) sum[k] += c->rgb[i * 3 + k];
        }
      for (int k = 0; k < 3; k++) grid[(gy * gw + gx) * 3 + k] = sum[k] / cover;
    }
}

int swap_apply(const swap *s, float *rgb, float *quiet, const canvas *donor, float unit_size, uint32_t frame, um_error *err) {
  int w = donor->width, h = donor->height, x0 = w, y0 = h, x1 = -1, y1 = -1;
  double mine[3] = {0}, theirs[3] = {0}, weight = 0;
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      size_t i = (size_t)y * (size_t)w + (size_t)x;
      quiet[i] = 0;
      float m = donor->mask[i];
      if (m <= 0) continue;
      if (x < x0) x0 = x;
      if (x > x1) x1 = x;
      if (y < y0) y0 = y;
      if (y > y1) y1 = y;
      weight += m;
      for (size_t k = 0; k < 3; k++) mine[k] += m * rgb[i * 3 + k], theirs[k] += m * donor->rgb[i * 3 + k];
    }
  if (weight <= 0) return UM_OK;

  float step = 1 / s->detail;
  int gw = (int)((float)(x1 - x0 + 1) / step) + 1, gh = (int)((float)(y1 - y0 + 1) / step) + 1;
  float *grid = malloc((size_t)gw * (size_t)gh * 3 * sizeof *grid);
  if (!grid) return um_fail(err, UM_ENOMEM, "no memory for a swap of %d x %d", gw, gh);
  shrink(grid, gw, gh, donor, x0, y0, step);

  float gain[3], flicker = 1 + s->flicker * (float)um_rng_normal(&s->at, frame * 8);
  for (int k = 0; k < 3; k++) gain[k] = powf((float)(mine[k] / fmax(theirs[k], 1e-6)), s->match) * s->tone[k] * flicker;
  /* A small affine map, another one in each frame. */
  float dx = s->jitter * unit_size * (float)um_rng_normal(&s->at, frame * 8 + 1),
        dy = s->jitter * unit_size * (float)um_rng_normal(&s->at, frame * 8 + 2);
  float angle = .6f * s->jitter * (float)um_rng_normal(&s->at, frame * 8 + 3),
        zoom = 1 + .7f * s->jitter * (float)um_rng_normal(&s->at, frame * 8 + 4);
  float c = cosf(angle) / zoom, n = sinf(angle) / zoom, cx = .5f * (float)(x0 + x1), cy = .5f * (float)(y0 + y1);
  for (int y = y0 > 6 ? y0 - 6 : 0; y < h && y <= y1 + 6; y++)
    for (int x = x0 > 6 ? x0 - 6 : 0; x < w && x <= x1 + 6; x++) {
      float u = (float)x - cx - dx, v = (float)y - cy - dy, sx = cx + c * u + n * v, sy = cy - n * u + c * v;
      if (sx < (float)x0 || sx > (float)x1 || sy < (float)y0 || sy > (float)y1) continue;
      size_t i = (size_t)y * (size_t)w + (size_t)x;
      float m = s->strength * sample(donor->mask, w, h, 1, sx, sy), gx = (sx - (float)x0 + .5f) / step - .5f,
            gy = (sy - (float)y0 + .5f) / step - .5f;
      if (m <= 0) continue;
      for (int k = 0; k < 3; k++) rgb[i * 3 + (size_t)k] = mixf(rgb[i * 3 + (size_t)k], gain[k] * sample(grid + k, gw, gh, 3, gx, gy), m);
      quiet[i] = m;
    }
  free(grid);
  return UM_OK;
}
