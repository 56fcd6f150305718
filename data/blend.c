/* The paper's two generators. Source and target: colours, and detail by a smaller size and back, blur or sharpening, on one of the two; the
 * source moved and scaled. Mask: hulls of a face's points, deformed, eroded, softened, times the ratio. docs/augmentation.md says which ranges
 * are the authors' and which are ours. */
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
#define ELASTIC_NODES 8   /* and at most so many nodes */
#define ELASTIC_REACH (3 * ELASTIC_NODES)
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
    size_t blur = um_gaussian_scratch(height, width, 1, 2 * side * MASK_SIGMA), warp = um_elastic_scratch(height, width);
    b->scratch = malloc((blur > warp ? blur : warp) * sizeof *b->scratch);
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
  float scratch[(NODES + 2 * ELASTIC_REACH) * NODES + NODES + 3 * ELASTIC_REACH + 1]; /* um_gaussian_scratch */
  const uint32_t key[2] = {(uint32_t)at->seed, (uint32_t)(at->seed >> 32)};
  uint32_t counter[4] = {DRAW_NOISE / 4, at->sample, at->epoch, at->stream};
  double square = 0;
  if (sigma > ELASTIC_NODES) sigma = ELASTIC_NODES;
  for (int i = 0; i < FIELD; i += 4, counter[0]++) {
    uint32_t word[4];
    um_philox(word, counter, key);
    for (int k = 0; k < 4 && i + k < FIELD; k++) field[i + k] = (float)(word[k] * 0x1p-31 - 1);
  }
  for (int i = 0; i < 2; i++) um_gaussian_blur(field + i * NODES * NODES, NODES, NODES, 1, sigma, scratch);
  for (int i = 0; i < FIELD; i++) square += (double)field[i] * field[i];
  float scale = square > 0 ? (float)(size / sqrt(square / FIELD)) : 0;
  for (int i = 0; i < FIELD; i++) field[i] *= scale;
}

/* Which node a pixel lies after, and how far. */
static int node(int at, int side, float *share) {
  double place = side > 1 ? (double)at * (NODES - 1) / (side - 1) : 0;
  int n = (int)place < NODES - 2 ? (int)place : NODES - 2;
  *share = (float)(place - n);
  return n;
}

size_t um_elastic_scratch(int height, int width) { return ((size_t)height + 3) * ((size_t)width + 3) + 2 * (size_t)width; }

/* A copy within a border of zeros; the rows first to last that hold anything else. */
static void put_in_border(float *bordered, const float *in, int height, int width, int *first, int *last) {
  size_t row = (size_t)width + 3;
  memset(bordered, 0, ((size_t)height + 3) * row * sizeof *bordered);
  *first = height, *last = -1;
  for (int y = 0; y < height; y++, in += width) {
    int x = 0;
    while (x < width && in[x] == 0) x++;
    if (x == width) continue;
    if (*first == height) *first = y;
    *last = y;
    memcpy(bordered + ((size_t)y + 1) * row + 1, in, (size_t)width * sizeof *in);
  }
}

void um_elastic_warp(float *out, const float *in, int height, int width, const float *field, float *scratch) {
  size_t row = (size_t)width + 3;
  float *share = scratch + ((size_t)height + 3) * row, *column = share + width, furthest = 0;
  int first, last;
  put_in_border(scratch, in, height, width, &first, &last);
  for (int i = 0; i < NODES * NODES; i++) furthest = fabsf(field[i]) > furthest ? fabsf(field[i]) : furthest;
  for (int x = 0; x < width; x++) column[x] = (float)node(x, width, &share[x]);
  for (int y = 0; y < height; y++, out += width) {
    float down, line[2][NODES];
    if ((float)y < (float)first - furthest - 1 || (float)y > (float)last + furthest + 1) {
      memset(out, 0, (size_t)width * sizeof *out);
      continue;
    }
    const float *rows = field + (size_t)node(y, height, &down) * NODES;
    for (int i = 0; i < 2; i++)
      for (int k = 0; k < NODES; k++) {
        const float *v = rows + i * NODES * NODES + k;
        line[i][k] = v[0] + down * (v[NODES] - v[0]);
      }
    for (int x = 0; x < width; x++) {
      int k = (int)column[x];
      /* Within the border, where what is further out is as on it. */
      float sy = (float)(y + 1) + line[0][k] + share[x] * (line[0][k + 1] - line[0][k]);
      float sx = (float)(x + 1) + line[1][k] + share[x] * (line[1][k + 1] - line[1][k]);
      sy = sy < 0 ? 0 : sy > (float)(height + 1) ? (float)(height + 1) : sy;
      sx = sx < 0 ? 0 : sx > (float)(width + 1) ? (float)(width + 1) : sx;
      const float *v = scratch + (size_t)(int)sy * row + (size_t)(int)sx;
      float fy = sy - (float)(int)sy, fx = sx - (float)(int)sx;
      float over = v[0] + fx * (v[1] - v[0]), under = v[row] + fx * (v[row + 1] - v[row]);
      out[x] = over + fy * (under - over);
    }
  }
}

/* The source's pixel before the place that a pixel of the target comes from, along one side, and how far from it: the inverse of target_at. */
static int source_at(int at, int side, double scale, double move, float *share) {
  double middle = (side - 1) / 2.0, place = (at - middle - move * side) / scale + middle;
  place = place < 0 ? 0 : place > side - 1 ? side - 1 : place;
  int before = (int)place < side - 2 ? (int)place : side - 2;
  if (before < 0) before = 0;
  *share = (float)(place - before);
  return before;
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
  um_elastic_warp(b->mask, b->deformed, b->height, b->width, b->field, b->scratch);
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
  float *soft = b->degrader->values, part = (float)share;
#pragma omp simd
  for (size_t i = 0; i < n; i++) soft[i] = pixels[i];
  um_gaussian_blur(soft, b->height, b->width, 3, 1, b->degrader->scratch);
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    float v = (float)pixels[i] + part * ((float)pixels[i] - soft[i]) + 0.5f;
    v = v < 0 ? 0 : v;
    v = v > 255 ? 255 : v;
    pixels[i] = (uint8_t)(int)v;
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

/* A pixel's channels, and a value that follows; at any address. */
typedef float pixel __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t whole __attribute__((vector_size(16)));

/* Where the mask is not 0: target + mask (source - target), the source read between its pixels, its edge repeated. */
static void mix(um_blender *b, uint8_t *target, const um_blend_draw *draw) {
  size_t row = (size_t)b->width * 3, next = b->width > 1 ? 3 : 0, n = (size_t)b->height * row;
  const float *mask = b->mask;
  float *share = b->scratch, *left = share + b->width, *source = b->degrader->values;
#pragma omp simd
  for (size_t i = 0; i < n; i++) source[i] = b->source[i];
  for (int x = 0; x < b->width; x++) left[x] = (float)(3 * source_at(x, b->width, draw->scale[1], draw->move[1], &share[x]));
  for (int y = 0; y < b->height; y++) {
    float fy;
    const float *upper = source + (size_t)source_at(y, b->height, draw->scale[0], draw->move[0], &fy) * row;
    const float *lower = b->height > 1 ? upper + row : upper;
    for (int x = 0; x < b->width; x++, target += 3) {
      float m = *mask++;
      if (m == 0) continue;
      const float *p = upper + (int)left[x], *q = lower + (int)left[x];
      pixel over = *(const pixel *)p, under = *(const pixel *)q, to = {target[0], target[1], target[2]};
      over += (*(const pixel *)(p + next) - over) * share[x];
      under += (*(const pixel *)(q + next) - under) * share[x];
      to += (over + (under - over) * fy - to) * m + 0.5f;
      whole result = __builtin_convertvector(to, whole);
      target[0] = (uint8_t)result[0], target[1] = (uint8_t)result[1], target[2] = (uint8_t)result[2];
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
