/* Geometry: what of a line or a polygon lies in the box, and which points of a line can be seen. */
#include <math.h>
#include <string.h>

#include "plot/panel.h"

bool plot_clip_line(plot_point *a, plot_point *b, const plot_window *w) {
  /* Liang & Barsky 1984. */
  const double dx = b->x - a->x, dy = b->y - a->y;
  const double p[4] = {-dx, dx, -dy, dy}, q[4] = {a->x - w->left, w->right - a->x, a->y - w->top, w->bottom - a->y};
  double t0 = 0, t1 = 1;
  for (int i = 0; i < 4; i++) {
    if (p[i] == 0) {
      if (q[i] < 0) return false;
      continue;
    }
    const double t = q[i] / p[i];
    if (p[i] < 0)
      t0 = fmax(t0, t);
    else
      t1 = fmin(t1, t);
  }
  if (t0 > t1) return false;
  const plot_point from = *a;
  if (t0 > 0) *a = (plot_point){from.x + t0 * dx, from.y + t0 * dy};
  if (t1 < 1) *b = (plot_point){from.x + t1 * dx, from.y + t1 * dy};
  return true;
}

/* How far inside of one edge of the window a point is. */
static double inside(plot_point p, const plot_window *w, int edge) {
  switch (edge) {
  case 0: return p.x - w->left;
  case 1: return w->right - p.x;
  case 2: return p.y - w->top;
  default: return w->bottom - p.y;
  }
}

int plot_clip_polygon(plot_point *out, plot_point *scratch, const plot_point *p, int n, const plot_window *w) {
  memcpy(out, p, (size_t)n * sizeof *p);
  for (int edge = 0; edge < 4; edge++) {
    int kept = 0;
    for (int i = 0; i < n; i++) {
      const plot_point a = out[i], b = out[(i + 1) % n];
      const double in_a = inside(a, w, edge), in_b = inside(b, w, edge);
      if (in_a >= 0) scratch[kept++] = a;
      if ((in_a < 0) != (in_b < 0)) {
        const double t = in_a / (in_a - in_b);
        scratch[kept++] = (plot_point){a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)};
      }
    }
    memcpy(out, scratch, (size_t)kept * sizeof *p);
    n = kept;
  }
  return n;
}

/* Whether b lies between a and c on a line along an axis. */
static bool between(plot_point a, plot_point b, plot_point c) {
  return (a.x == b.x && b.x == c.x && (b.y - a.y) * (c.y - b.y) >= 0) || (a.y == b.y && b.y == c.y && (b.x - a.x) * (c.x - b.x) >= 0);
}

static int push(plot_point *p, int n, plot_point next) {
  if (n > 0 && p[n - 1].x == next.x && p[n - 1].y == next.y) return n;
  if (n > 1 && between(p[n - 2], p[n - 1], next)) n--;
  p[n] = next;
  return n + 1;
}

int plot_thin(plot_point *p, int n) {
  int kept = 0;
  for (int i = 0, j; i < n; i = j) {
    const double column = floor(2 * p[i].x);
    int low = i, high = i;
    for (j = i + 1; j < n && floor(2 * p[j].x) == column; j++) {
      if (p[j].y < p[low].y) low = j;
      if (p[j].y > p[high].y) high = j;
    }
    /* At most four of the points i to j - 1, of which as many or more have been read. */
    const plot_point first = p[i], one = p[low < high ? low : high], other = p[low < high ? high : low], last = p[j - 1];
    const int count = j - i;
    kept = push(p, kept, first);
    if (count > 2) kept = push(p, kept, one), kept = push(p, kept, other);
    if (count > 1) kept = push(p, kept, last);
  }
  return kept;
}
