/* The paper's two generators. Source and target: colours, and detail by a smaller size and back, blur or sharpening, on one of the two; the
 * source moved and scaled. Mask: hulls of a face's points, deformed, eroded, softened, times the ratio. Ranges are the paper's and its
 * authors' where they give them; theirs in pixels of large crops are taken as shares of the distance between the eyes. */
#include "data/blend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/degrade_internal.h"

enum { NODES = UM_ELASTIC_NODES, FIELD = 2 * NODES * NODES };

/* Addresses of the draws; the noise's words begin at 256. */
enum {
  DRAW_SIDE,
  DRAW_BRIGHTNESS,
  DRAW_CONTRAST,
  DRAW_SATURATION,
  DRAW_SHIFT, /* three */
  DRAW_SHIFTED = DRAW_SHIFT + 3,
  DRAW_DETAIL,
  DRAW_AMOUNT,
  DRAW_SCALE,                 /* two */
  DRAW_MOVE = DRAW_SCALE + 2, /* two */
  DRAW_OUTLINE = DRAW_MOVE + 2,
  DRAW_ELASTIC,
  DRAW_ERODE,
  DRAW_SOFTEN,
  DRAW_RATIO,
  DRAW_NOISE = 256
};

#define ELASTIC_SIGMA 0.2 /* of the deformation's smoothing, in distances between the eyes */
#define ELASTIC_NODES 8.0 /* and at most so many nodes */
#define MASK_SIGMA    0.1 /* the widest blur of the mask */

struct um_blender {
  int height, width;
  um_degrader *degrader;
  uint8_t *source;
  float *mask, *deformed, *scratch;
  float field[FIELD];
};

int um_blender_open(um_blender **out, int height, int width, um_error *err) {
  size_t n = (size_t)height * (size_t)width;
  um_blender *b = calloc(1, sizeof *b);
  int status = UM_OK;
  *out = NULL;
  if (b) {
    int side = height > width ? height : width;
    b->height = height;
    b->width = width;
    b->source = malloc(n * 3);
    b->mask = calloc(n, sizeof *b->mask);
    b->deformed = malloc(n * sizeof *b->deformed);
    /* A face's unit is at most two sides. */
    b->scratch = malloc(um_gaussian_scratch(height, width, 1, 2 * side * MASK_SIGMA) * sizeof *b->scratch);
    status = um_degrader_open(&b->degrader, height, width, err);
  }
  if (!b || !b->source || !b->mask || !b->deformed || !b->scratch)
    status = um_fail(err, UM_ENOMEM, "augmentation: no memory to blend pictures of %d x %d", height, width);
  if (status < 0) {
    um_blender_close(b);
    return status;
  }
  *out = b;
  return UM_OK;
}

void um_blender_close(um_blender *b) {
  if (!b) return;
  um_degrader_close(b->degrader);
  free(b->source);
  free(b->mask);
  free(b->deformed);
  free(b->scratch);
  free(b);
}

const float *um_blend_mask(const um_blender *b) { return b->mask; }

void um_blend_draw_at(um_blend_draw *d, const um_rng *at) {
  static const double ratio[] = {0.25, 0.5, 0.75, 1, 1, 1}; /* the paper's */
  static const double amount[][2] = {[UM_BLEND_DOWNSCALE] = {0.35, 0.8}, [UM_BLEND_BLUR] = {0.4, 1.2}, [UM_BLEND_SHARPEN] = {0.3, 1}};
  bool shifted = um_rng_uniform(at, DRAW_SHIFTED) < 0.3;
  *d = (um_blend_draw){.on_target = um_rng_uniform(at, DRAW_SIDE) < 0.5,
                       .brightness = um_rng_range(at, DRAW_BRIGHTNESS, 0.9, 1.1),
                       .contrast = um_rng_range(at, DRAW_CONTRAST, 0.9, 1.1),
                       .saturation = um_rng_range(at, DRAW_SATURATION, 0.7, 1.3),
                       .detail = (um_blend_detail)um_rng_below(at, DRAW_DETAIL, 3),
                       .outline = (um_outline_kind)um_rng_below(at, DRAW_OUTLINE, UM_OUTLINE_KINDS),
                       .elastic = um_rng_range(at, DRAW_ELASTIC, 0.01, 0.05),
                       .erode = um_rng_range(at, DRAW_ERODE, 0.01, 0.05),
                       .soften = um_rng_range(at, DRAW_SOFTEN, 0.02, 0.08),
                       .ratio = ratio[um_rng_below(at, DRAW_RATIO, sizeof ratio / sizeof *ratio)]};
  for (uint32_t c = 0; shifted && c < 3; c++) d->shift[c] = (int)lround(um_rng_range(at, DRAW_SHIFT + c, -20, 20));
  d->amount = um_rng_range(at, DRAW_AMOUNT, amount[d->detail][0], amount[d->detail][1]);
  for (uint32_t i = 0; i < 2; i++) d->scale[i] = um_rng_range(at, DRAW_SCALE + i, 0.95, 1 / 0.95);
  d->move[0] = um_rng_range(at, DRAW_MOVE, -0.015, 0.015);
  d->move[1] = um_rng_range(at, DRAW_MOVE + 1, -0.03, 0.03);
}

void um_elastic_field(float *field, double sigma, double size, const um_rng *at) {
  float scratch[NODES * NODES + 128];
  const uint32_t key[2] = {(uint32_t)at->seed, (uint32_t)(at->seed >> 32)};
  uint32_t counter[4] = {DRAW_NOISE / 4, at->sample, at->epoch, at->stream}, word[4];
  double square = 0;
  if (sigma > ELASTIC_NODES) sigma = ELASTIC_NODES;
  for (int i = 0; i < FIELD; i++) {
    if (i % 4 == 0) um_philox(word, counter, key), counter[0]++;
    field[i] = (float)(word[i % 4] * 0x1p-31 - 1);
  }
  for (int i = 0; i < 2; i++) um_gaussian_blur(field + i * NODES * NODES, NODES, NODES, 1, sigma, scratch);
  for (int i = 0; i < FIELD; i++) square += (double)field[i] * field[i];
  float scale = square > 0 ? (float)(size / sqrt(square / FIELD)) : 0;
  for (int i = 0; i < FIELD; i++) field[i] *= scale;
}

/* Linear between four values. */
static float between(const float *v, size_t below, float y, float x) {
  float top = v[0] + x * (v[1] - v[0]), bottom = v[below] + x * (v[below + 1] - v[below]);
  return top + y * (bottom - top);
}

/* The value at a place that need not be whole, 0 outside. */
static float look(const float *in, int height, int width, float y, float x) {
  if (!(y > -1 && y < (float)height && x > -1 && x < (float)width)) return 0;
  int row = (int)floorf(y), col = (int)floorf(x);
  float four[4] = {0};
  for (int i = 0; i < 4; i++) {
    int r = row + i / 2, c = col + i % 2;
    if (r >= 0 && r < height && c >= 0 && c < width) four[i] = in[(size_t)r * (size_t)width + (size_t)c];
  }
  return between(four, 2, y - (float)row, x - (float)col);
}

/* Which node a pixel lies after, and how far. */
static int node(int at, int side, float *share) {
  double place = side > 1 ? (double)at * (NODES - 1) / (side - 1) : 0;
  int n = (int)place < NODES - 2 ? (int)place : NODES - 2;
  *share = (float)(place - n);
  return n;
}

void um_elastic_warp(float *out, const float *in, int height, int width, const float *field) {
  for (int y = 0; y < height; y++) {
    float down, along, line[2][NODES];
    const float *rows = field + (size_t)node(y, height, &down) * NODES;
    for (int i = 0; i < 2; i++)
      for (int k = 0; k < NODES; k++) {
        const float *v = rows + i * NODES * NODES + k;
        line[i][k] = v[0] + down * (v[NODES] - v[0]);
      }
    for (int x = 0; x < width; x++) {
      int k = node(x, width, &along);
      float dy = line[0][k] + along * (line[0][k + 1] - line[0][k]), dx = line[1][k] + along * (line[1][k + 1] - line[1][k]);
      *out++ = look(in, height, width, (float)y + dy, (float)x + dx);
    }
  }
}

/* The source's place for a pixel of the target along one side: the inverse of a scale about the middle and a move. */
static double source_at(double at, int side, double scale, double move) {
  double middle = (side - 1) / 2.0;
  return (at - middle - move * side) / scale + middle;
}

static double target_at(double at, int side, double scale, double move) {
  double middle = (side - 1) / 2.0;
  return (at - middle) * scale + middle + move * side;
}

static float make_mask(um_blender *b, const float *points, const um_blend_draw *draw, const um_rng *at, bool *guessed) {
  size_t n = (size_t)b->height * (size_t)b->width;
  int side = b->height > b->width ? b->height : b->width;
  um_hulls h;
  float most = 0;
  *guessed = !um_outline(&h, draw->outline, points, b->height, b->width);
  memset(b->deformed, 0, n * sizeof *b->deformed);
  for (int i = 0; i < h.count; i++) {
    for (int k = 0; k < h.points[i]; k++) {
      um_point *p = &h.point[i][k];
      p->x = target_at(p->x, b->width, draw->scale[1], draw->move[1]);
      p->y = target_at(p->y, b->height, draw->scale[0], draw->move[0]);
    }
    um_fill_convex(b->deformed, b->height, b->width, h.point[i], h.points[i]);
  }
  um_elastic_field(b->field, ELASTIC_SIGMA * h.unit * (NODES - 1) / side, draw->elastic * h.unit, at);
  um_elastic_warp(b->mask, b->deformed, b->height, b->width, b->field);
  memcpy(b->deformed, b->mask, n * sizeof *b->mask);
  um_gaussian_blur(b->mask, b->height, b->width, 1, draw->erode * h.unit, b->scratch);
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    b->mask[i] = b->mask[i] > 0.999f; /* but for rounding 1 */
    any |= b->mask[i] > 0;
  }
  if (!any) memcpy(b->mask, b->deformed, n * sizeof *b->mask); /* all of a small part would be eroded */
  um_gaussian_blur(b->mask, b->height, b->width, 1, draw->soften * h.unit, b->scratch);
  for (size_t i = 0; i < n; i++) most = b->mask[i] > most ? b->mask[i] : most;
  float scale = most > 0 ? (float)draw->ratio / most : 0;
  for (size_t i = 0; i < n; i++) b->mask[i] *= scale;
  return most;
}

/* Adds a share of what a blur takes away. */
static void sharpen(um_blender *b, uint8_t *pixels, double share) {
  size_t n = (size_t)b->height * (size_t)b->width * 3;
  float *soft = b->degrader->values;
  for (size_t i = 0; i < n; i++) soft[i] = pixels[i];
  um_gaussian_blur(soft, b->height, b->width, 3, 1, b->degrader->scratch);
  for (size_t i = 0; i < n; i++) {
    float v = (float)pixels[i] + (float)share * ((float)pixels[i] - soft[i]) + 0.5f;
    pixels[i] = (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v);
  }
}

static int change(um_blender *b, uint8_t *pixels, const um_blend_draw *draw, um_error *err) {
  size_t n = (size_t)b->height * (size_t)b->width;
  um_adjust_brightness(pixels, n, (float)draw->brightness);
  um_adjust_contrast(pixels, n, (float)draw->contrast);
  um_adjust_saturation(pixels, n, (float)draw->saturation);
  um_shift_channels(pixels, n, draw->shift);
  switch (draw->detail) {
  case UM_BLEND_DOWNSCALE: {
    int height = (int)lround(draw->amount * b->height), width = (int)lround(draw->amount * b->width);
    return um_downscale(b->degrader, pixels, height < 1 ? 1 : height, width < 1 ? 1 : width, UM_BILINEAR, err);
  }
  case UM_BLEND_BLUR: um_blur(b->degrader, pixels, draw->amount); return UM_OK;
  case UM_BLEND_SHARPEN: sharpen(b, pixels, draw->amount); return UM_OK;
  }
  return UM_OK;
}

/* Where the mask is not 0: target + mask (source - target), the source read between its pixels, its edge repeated. */
static void mix(const um_blender *b, uint8_t *target, const um_blend_draw *draw) {
  size_t row = (size_t)b->width * 3;
  const float *mask = b->mask;
  for (int y = 0; y < b->height; y++) {
    double sy = fmin(fmax(source_at(y, b->height, draw->scale[0], draw->move[0]), 0), b->height - 1);
    int top = (int)sy < b->height - 2 ? (int)sy : b->height - 2;
    if (top < 0) top = 0;
    float fy = (float)(sy - top);
    const uint8_t *upper = b->source + (size_t)top * row, *lower = b->height > 1 ? upper + row : upper;
    for (int x = 0; x < b->width; x++, target += 3) {
      float m = *mask++;
      if (m == 0) continue;
      double sx = fmin(fmax(source_at(x, b->width, draw->scale[1], draw->move[1]), 0), b->width - 1);
      int left = (int)sx < b->width - 2 ? (int)sx : b->width - 2;
      if (left < 0) left = 0;
      float fx = (float)(sx - left);
      size_t p = 3 * (size_t)left, q = b->width > 1 ? p + 3 : p;
      for (size_t c = 0; c < 3; c++) {
        float over = (float)upper[p + c] + fx * (float)(upper[q + c] - upper[p + c]);
        float under = (float)lower[p + c] + fx * (float)(lower[q + c] - lower[p + c]);
        float source = over + fy * (under - over), to = (float)target[c];
        target[c] = (uint8_t)(int)(to + m * (source - to) + 0.5f);
      }
    }
  }
}

int um_blend(um_blender *b, uint8_t *pixels, const float points[10], const um_blend_draw *draw, const um_rng *at, bool *guessed,
             um_error *err) {
  memcpy(b->source, pixels, (size_t)b->height * (size_t)b->width * 3);
  float most = make_mask(b, points, draw, at, guessed);
  if (most == 0) make_mask(b, NULL, draw, at, guessed); /* nothing of that face lies in the picture */
  int status = change(b, draw->on_target ? pixels : b->source, draw, err);
  if (status == UM_OK) mix(b, pixels, draw);
  return status;
}
