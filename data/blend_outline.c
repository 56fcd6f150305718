/* The mean face is the canonical face model of MediaPipe's face mesh (Kartynnik et al. 2019, "Real-time facial surface geometry from monocular video
 * on mobile GPUs"; canonical_face_model.obj, Apache License 2.0), seen from the front, in units of the distance between the
 * centres of the eyes, from the middle between them: x to the right, y down. It is symmetric; the right half stands here. */
#include "data/blend_outline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Vertices 10, 109, 67, 103, 54, 21, 162, 127: the forehead from the middle to the ear; 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152: from
 * there to the chin. */
static const um_point forehead[] = {{0.000, -0.894}, {0.300, -0.890}, {0.559, -0.854}, {0.815, -0.771},
                                    {0.996, -0.633}, {1.125, -0.446}, {1.199, -0.235}, {1.229, 0.041}};
static const um_point jaw[] = {{1.216, 0.310}, {1.197, 0.583}, {1.154, 0.875}, {1.066, 1.176}, {0.943, 1.404}, {0.807, 1.556},
                               {0.646, 1.685}, {0.510, 1.771}, {0.366, 1.841}, {0.205, 1.892}, {0.000, 1.909}};
/* 70, 63, 105, 66, 107: over the brows; 117, 118, 119: under the eye; 168, 36, 98, 2: the nose; 57, 43, 106, 182, 18: around the mouth. */
static const um_point brow[] = {{0.908, -0.259}, {0.791, -0.345}, {0.633, -0.394}, {0.438, -0.393}, {0.222, -0.379}};
static const um_point eye[] = {{0.834, 0.267}, {0.703, 0.302}, {0.524, 0.280}};
static const um_point nose[] = {{0.000, -0.103}, {0.451, 0.531}, {0.223, 0.689}, {0.000, 0.748}};
static const um_point mouth[] = {{0.492, 1.107}, {0.420, 1.211}, {0.344, 1.280}, {0.245, 1.340}, {0.000, 1.392}};
/* The five points: eyes midway between 33 and 133, the tip of the nose 1, the corners 61. */
static const um_point five[5] = {{-0.5, 0}, {0.5, 0}, {0, 0.595}, {-0.390, 1.106}, {0.390, 1.106}};

/* x' = a x - b y + x0, y' = b x + a y + y0 */
typedef struct similarity {
  double a, b, x0, y0;
} similarity;

/* Without reflections the least squares are linear in a and b. */
static similarity fit(const float points[UM_POINTS]) {
  double mx = 0, my = 0, px = 0, py = 0, dot = 0, cross = 0, square = 0;
  for (int i = 0; i < 5; i++) mx += five[i].x / 5, my += five[i].y / 5, px += points[2 * i] / 5.0, py += points[2 * i + 1] / 5.0;
  for (int i = 0; i < 5; i++) {
    double x = five[i].x - mx, y = five[i].y - my, u = points[2 * i] - px, v = points[2 * i + 1] - py;
    dot += x * u + y * v;
    cross += x * v - y * u;
    square += x * x + y * y;
  }
  similarity s = {.a = dot / square, .b = cross / square};
  s.x0 = px - s.a * mx + s.b * my;
  s.y0 = py - s.b * mx - s.a * my;
  return s;
}

/* Adds points of the mean face, and their mirror images, to a hull. */
static void add(um_hulls *h, int hull, const similarity *s, const um_point *part, int n) {
  for (int i = 0; i < n; i++)
    for (int sign = -1; sign <= 1; sign += 2) {
      double x = sign * part[i].x, y = part[i].y;
      h->point[hull][h->points[hull]++] = (um_point){s->a * x - s->b * y + s->x0, s->b * x + s->a * y + s->y0};
    }
}

#define ADD(hull, part) add(h, hull, &s, part, (int)(sizeof(part) / sizeof *(part)))

void um_outline_guess(float points[UM_POINTS], int height, int width) {
  static const float share[UM_POINTS] = {0.30f, 0.29f, 0.70f, 0.29f, 0.50f, 0.50f, 0.335f, 0.74f, 0.665f, 0.74f};
  for (int i = 0; i < UM_POINTS; i++) points[i] = share[i] * (float)(i % 2 ? height : width);
}

static bool is_face(const similarity *s, int height, int width) {
  double unit = hypot(s->a, s->b), side = height > width ? height : width;
  double x = s->x0 - 0.5 * s->b, y = s->y0 + 0.5 * s->a;                                           /* the middle of the face */
  return unit >= 0.01 * side && unit <= 2 * side && x >= 0 && x <= width && y >= 0 && y <= height; /* false for NaN */
}

bool um_outline(um_hulls *h, um_outline_kind kind, const float points[UM_POINTS], int height, int width) {
  float guess[UM_POINTS];
  similarity s = {0};
  bool known = points != NULL;
  if (known) s = fit(points);
  if (!known || !is_face(&s, height, width)) {
    known = false;
    um_outline_guess(guess, height, width);
    s = fit(guess);
  }
  memset(h, 0, sizeof *h);
  h->unit = hypot(s.a, s.b);
  h->count = kind == UM_OUTLINE_PARTS ? 2 : 1;
  switch (kind) {
  case UM_OUTLINE_FACE:
    ADD(0, forehead);
    ADD(0, jaw);
    break;
  case UM_OUTLINE_BROWS_DOWN:
    ADD(0, brow);
    ADD(0, jaw);
    break;
  case UM_OUTLINE_INNER:
    ADD(0, brow);
    ADD(0, eye);
    ADD(0, nose);
    ADD(0, mouth);
    break;
  default:
    ADD(0, brow);
    ADD(0, eye);
    ADD(1, nose);
    ADD(1, mouth);
  }
  for (int i = 0; i < h->count; i++) h->points[i] = um_convex_hull(h->point[i], h->points[i]);
  return known;
}

static int by_place(const void *a, const void *b) {
  const um_point *p = a, *q = b;
  if (p->x != q->x) return p->x < q->x ? -1 : 1;
  return p->y < q->y ? -1 : p->y > q->y;
}

static double turn(const um_point *o, const um_point *a, const um_point *b) {
  return (a->x - o->x) * (b->y - o->y) - (a->y - o->y) * (b->x - o->x);
}

int um_convex_hull(um_point *point, int n) {
  um_point hull[2 * UM_HULL_POINTS_MAX + 1];
  int k = 0;
  if (n < 3 || n > UM_HULL_POINTS_MAX) return n;
  qsort(point, (size_t)n, sizeof *point, by_place);
  for (int i = 0; i < n; i++) {
    while (k >= 2 && turn(&hull[k - 2], &hull[k - 1], &point[i]) <= 0) k--;
    hull[k++] = point[i];
  }
  for (int i = n - 2, lower = k + 1; i >= 0; i--) {
    while (k >= lower && turn(&hull[k - 2], &hull[k - 1], &point[i]) <= 0) k--;
    hull[k++] = point[i];
  }
  k--; /* the first one again */
  memcpy(point, hull, (size_t)k * sizeof *point);
  return k;
}

void um_fill_convex(float *values, int height, int width, const um_point *point, int n) {
  for (int y = 0; y < height; y++) {
    double left = INFINITY, right = -INFINITY;
    for (int i = 0; i < n; i++) {
      const um_point *p = &point[i], *q = &point[(i + 1) % n];
      double low = p->y < q->y ? p->y : q->y, high = p->y < q->y ? q->y : p->y;
      if (!(low <= y && y <= high)) continue;
      double a = p->x, b = q->x; /* where the edge lies along the row */
      if (low < high) a = b = p->x + (q->x - p->x) * ((y - p->y) / (q->y - p->y));
      left = fmin(left, fmin(a, b));
      right = fmax(right, fmax(a, b));
    }
    if (!(left <= right) || right < 0 || left > width - 1) continue;
    int first = left <= 0 ? 0 : (int)ceil(left), last = right >= width - 1 ? width - 1 : (int)floor(right);
    for (int x = first; x <= last; x++) values[(size_t)y * (size_t)width + (size_t)x] = 1;
  }
}
