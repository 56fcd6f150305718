/* A series in its box: lines, tints, bars, whiskers and markers, cut to the box. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot/panel.h"

enum { MANY = 2000 }; /* markers: beyond, they have no titles and are one path */

double plot_x_of(const um_plot_series *s, int i) { return s->x ? s->x[i] : i; }

plot_look plot_look_of(const um_plot_panel *p, int series) {
  static const uint32_t palette[] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9}; /* Okabe & Ito */
  const um_plot_series *s = &p->series[series];
  plot_look l = {.colour = s->colour, .dash = s->dash, .marker = s->marker, .width = s->width > 0 ? s->width : 2, .fill = s->fill};
  if (l.colour == 0) l.colour = palette[series % 6];
  if (l.dash == UM_DASH_AUTO) l.dash = s->colour ? UM_DASH_SOLID : (um_plot_dash)(UM_DASH_SOLID + series % 4);
  if (l.marker == UM_MARKER_AUTO && s->kind == UM_PLOT_POINTS) l.marker = (um_plot_marker)(UM_MARKER_CIRCLE + series % 4);
  if (l.fill <= 0) l.fill = s->kind == UM_PLOT_AREA ? .2 : 0;
  return l;
}

/* What drawing a series needs. */
typedef struct brush {
  plot_drawing *d;
  const um_plot_panel *p;
  const um_plot_series *s;
  const plot_scale *x, *y;
  plot_look look;
  plot_window box;
} brush;

static plot_point place(const brush *b, double x, double y) {
  /* Far outside: no nearer than a line to it could show. */
  const double px = plot_pixel(b->x, x), py = plot_pixel(b->y, y);
  return (plot_point){fmax(-1e7, fmin(1e7, px)), fmax(-1e7, fmin(1e7, py))};
}

static bool is_there(const um_plot_series *s, int i) { return plot_drawable(plot_x_of(s, i)) && plot_drawable(s->y[i]); }

static bool within(const brush *b, plot_point p) {
  const double slack = 1e-6;
  return p.x >= b->box.left - slack && p.x <= b->box.right + slack && p.y >= b->box.top - slack && p.y <= b->box.bottom + slack;
}

static long title_of(const brush *b, int i) {
  const um_plot_series *s = b->s;
  const um_plot_axis *ax = &b->p->x, *ay = &b->p->y;
  char x[PLOT_LABEL], y[PLOT_LABEL], low[PLOT_LABEL], high[PLOT_LABEL], interval[2 * PLOT_LABEL + 16] = "";
  const double vx = plot_x_of(s, i);
  const bool named = ax->names && vx >= 0 && vx < ax->names_count;
  plot_value_text(x, vx, ax->unit, 6);
  plot_value_text(y, s->y[i], ay->unit, 4);
  if (s->low && s->high && plot_drawable(s->low[i]) && plot_drawable(s->high[i]))
    snprintf(interval, sizeof interval, " (%s to %s)", plot_value_text(low, s->low[i], ay->unit, 4),
             plot_value_text(high, s->high[i], ay->unit, 4));
  const char *what = ay->name ? ay->name : b->p->title ? b->p->title : "";
  return plot_add_format(b->d, "%s%s%s%s%s, %s%s%s%s", s->name ? s->name : "", s->name ? ": " : "", named || !ax->name ? "" : ax->name,
                         named || !ax->name ? "" : " ", named ? ax->names[(int)vx] : x, what, *what ? " " : "", y, interval);
}

/* The corners of a marker of radius r, about the middle; returns how many. */
static int corners(plot_point p[4], um_plot_marker m, plot_point at, double r) {
  if (m == UM_MARKER_SQUARE) {
    const double h = .89 * r;
    p[0] = (plot_point){at.x - h, at.y - h}, p[1] = (plot_point){at.x + h, at.y - h};
    p[2] = (plot_point){at.x + h, at.y + h}, p[3] = (plot_point){at.x - h, at.y + h};
    return 4;
  }
  if (m == UM_MARKER_TRIANGLE) {
    p[0] = (plot_point){at.x, at.y - 1.25 * r}, p[1] = (plot_point){at.x + 1.15 * r, at.y + .8 * r};
    p[2] = (plot_point){at.x - 1.15 * r, at.y + .8 * r};
    return 3;
  }
  p[0] = (plot_point){at.x, at.y - 1.3 * r}, p[1] = (plot_point){at.x + 1.3 * r, at.y};
  p[2] = (plot_point){at.x, at.y + 1.3 * r}, p[3] = (plot_point){at.x - 1.3 * r, at.y};
  return 4;
}

static void marker(plot_drawing *d, um_plot_marker m, plot_point at, double r, uint32_t colour, long title) {
  const plot_pen pen = {.stroke = 0xffffff, .fill = colour, .width = .8, .density = 1};
  plot_point p[4];
  if (m == UM_MARKER_CIRCLE)
    plot_add_circle(d, at.x, at.y, r, pen, title);
  else {
    const int n = corners(p, m, at, r);
    plot_add_path(d, p, n, true, pen, title);
  }
}

static double radius_of(const brush *b) { return b->s->kind == UM_PLOT_POINTS ? 3.5 : 1.5 + .75 * b->look.width; }

/* Those that another would cover are left out; a thousand and more of them are one path of small squares. */
static void draw_crowd(const brush *b) {
  const int columns = (int)((b->box.right - b->box.left) / 2) + 2, rows = (int)((b->box.bottom - b->box.top) / 2) + 2;
  bool *taken = calloc((size_t)columns * (size_t)rows, sizeof *taken);
  plot_point *p = malloc(5 * (size_t)columns * (size_t)rows * sizeof *p);
  int n = 0;
  for (int i = 0; taken && p && i < b->s->count; i++) {
    if (!is_there(b->s, i)) continue;
    const plot_point at = place(b, plot_x_of(b->s, i), b->s->y[i]);
    if (!within(b, at)) continue;
    bool *cell = &taken[(int)((at.y - b->box.top) / 2 + .25) * columns + (int)((at.x - b->box.left) / 2 + .25)];
    if (*cell) continue;
    *cell = true;
    n += corners(p + n, UM_MARKER_SQUARE, at, 1.4);
    p[n++] = (plot_point){NAN, NAN};
  }
  if (!taken || !p) b->d->failed = true;
  if (n > 0) plot_add_path(b->d, p, n - 1, true, (plot_pen){.stroke = PLOT_NO_COLOUR, .fill = b->look.colour, .density = 1}, PLOT_NO_TEXT);
  free(taken);
  free(p);
}

static void draw_markers(const brush *b) {
  const um_plot_series *s = b->s;
  plot_point last = {-1e9, -1e9};
  int shown = 0;
  for (int i = 0; i < s->count; i++) shown += is_there(s, i) && within(b, place(b, plot_x_of(s, i), s->y[i]));
  if (s->kind == UM_PLOT_POINTS && shown > MANY) {
    draw_crowd(b);
    return;
  }
  for (int i = 0; i < s->count; i++) {
    if (!is_there(s, i)) continue;
    const plot_point at = place(b, plot_x_of(s, i), s->y[i]);
    if (!within(b, at)) continue;
    /* Along a line some are enough. */
    if (s->kind != UM_PLOT_POINTS && (shown > 200 ? fabs(at.x - last.x) : hypot(at.x - last.x, at.y - last.y)) < 8) continue;
    last = at;
    marker(b->d, b->look.marker, at, radius_of(b), b->look.colour, title_of(b, i));
  }
}

/* A vertical line with caps; what reaches beyond the box has no cap there. */
static void whisker(const brush *b, double x, double low, double high) {
  if (!plot_drawable(low) || !plot_drawable(high)) return;
  plot_point from = place(b, x, low), to = place(b, x, high);
  from.x = to.x = x >= b->x->low && x <= b->x->high ? from.x : -1e7;
  const plot_point ends[2] = {from, to};
  const plot_pen pen = {.stroke = b->s->kind == UM_PLOT_BARS ? PLOT_INK : b->look.colour, .fill = PLOT_NO_COLOUR, .width = 1.2};
  if (!plot_clip_line(&from, &to, &b->box)) return;
  plot_add_line(b->d, from.x, from.y, to.x, to.y, pen);
  for (int i = 0; i < 2; i++)
    if (within(b, ends[i])) plot_add_line(b->d, ends[i].x - 3.5, ends[i].y, ends[i].x + 3.5, ends[i].y, pen);
}

/* The line of the run from `first` to before `end`, in pixels, thinned. Room for twice the count. */
static int run_points(const brush *b, plot_point *out, int first, int end, const double *y) {
  int n = 0;
  for (int i = first; i < end; i++) {
    const plot_point at = place(b, plot_x_of(b->s, i), y[i]);
    if (b->s->kind == UM_PLOT_STEPS && n > 0) out[n] = (plot_point){at.x, out[n - 1].y}, n++;
    out[n++] = at;
  }
  return plot_thin(out, n);
}

static void fill(const brush *b, const plot_point *polygon, int n, double density) {
  const size_t room = 6 * (size_t)n + 16;
  plot_point *out = malloc(2 * room * sizeof *out);
  if (!out) {
    b->d->failed = true;
    return;
  }
  n = plot_clip_polygon(out, out + room, polygon, n, &b->box);
  if (n > 2)
    plot_add_path(b->d, out, n, true, (plot_pen){.stroke = PLOT_NO_COLOUR, .fill = b->look.colour, .density = density}, PLOT_NO_TEXT);
  free(out);
}

/* The line itself, in the parts of it that lie in the box. */
static void stroke(const brush *b, const plot_point *p, int n) {
  plot_point *out = malloc(3 * (size_t)n * sizeof *out);
  int m = 0;
  if (!out) {
    b->d->failed = true;
    return;
  }
  for (int i = 0; i + 1 < n; i++) {
    plot_point from = p[i], to = p[i + 1];
    if (!plot_clip_line(&from, &to, &b->box)) continue;
    if (m == 0 || out[m - 1].x != from.x || out[m - 1].y != from.y) {
      if (m > 0) out[m++] = (plot_point){NAN, NAN};
      out[m++] = from;
    }
    out[m++] = to;
  }
  const plot_pen pen = {.stroke = b->look.colour, .fill = PLOT_NO_COLOUR, .width = b->look.width, .dash = b->look.dash};
  if (m > 1) plot_add_path(b->d, out, m, false, pen, PLOT_NO_TEXT);
  free(out);
}

/* line: room for four times the count of the series and 4. */
static void draw_run(const brush *b, plot_point *line, int first, int end) {
  const um_plot_series *s = b->s;
  const int n = run_points(b, line, first, end, s->y);
  if (b->look.fill > 0 && n > 1) {
    const double base = plot_pixel(b->y, fmax(b->y->low, fmin(b->y->high, 0)));
    line[n] = (plot_point){line[n - 1].x, base};
    line[n + 1] = (plot_point){line[0].x, base};
    fill(b, line, n + 2, b->look.fill);
  }
  if (n > 1)
    stroke(b, line, n);
  else if (n == 1 && b->look.marker == UM_MARKER_AUTO && within(b, line[0]))
    marker(b->d, UM_MARKER_CIRCLE, line[0], radius_of(b), b->look.colour, title_of(b, first)); /* a line of one point */
}

static void draw_band(const brush *b, plot_point *line, int first, int end) {
  const int n = run_points(b, line, first, end, b->s->high), m = run_points(b, line + n, first, end, b->s->low);
  for (int i = 0; i < m / 2; i++) {
    const plot_point p = line[n + i];
    line[n + i] = line[n + m - 1 - i], line[n + m - 1 - i] = p;
  }
  if (n + m > 3) fill(b, line, n + m, .18);
}

static bool has_interval(const um_plot_series *s, int i) { return plot_drawable(s->low[i]) && plot_drawable(s->high[i]); }

static void draw_lines(const brush *b) {
  const um_plot_series *s = b->s;
  plot_point *line = malloc((4 * (size_t)s->count + 4) * sizeof *line);
  if (!line) {
    b->d->failed = true;
    return;
  }
  for (int pass = s->low && s->high ? 0 : 1; pass < 2; pass++)
    for (int i = 0, j; i < s->count; i = j) {
      for (j = i; j < s->count && is_there(s, j) && (pass == 1 || has_interval(s, j));) j++;
      if (j > i && pass == 0) draw_band(b, line, i, j);
      if (j > i && pass == 1) draw_run(b, line, i, j);
      if (j == i) j++;
    }
  free(line);
}

/* Lines at 45 degrees through a rectangle, leaning as the dash says. */
static void hatch(plot_drawing *d, plot_window w, um_plot_dash dash, uint32_t colour) {
  const plot_pen pen = {.stroke = colour, .fill = PLOT_NO_COLOUR, .width = 1};
  const double height = w.bottom - w.top;
  for (int lean = 0; lean < 2; lean++) {
    if (dash == UM_DASH_DASHED && lean == 1) continue;
    if (dash == UM_DASH_DOTTED && lean == 0) continue;
    for (double at = floor((w.left - height) / 5) * 5; at < w.right; at += 5) {
      plot_point a = {at, lean ? w.top : w.bottom}, b = {at + height, lean ? w.bottom : w.top};
      if (plot_clip_line(&a, &b, &w) && hypot(a.x - b.x, a.y - b.y) > .5) plot_add_line(d, a.x, a.y, b.x, b.y, pen);
    }
  }
}

static void bar(plot_drawing *d, plot_window w, const plot_look *l, long title) {
  const bool solid = l->dash == UM_DASH_SOLID;
  const plot_pen pen = {.stroke = l->colour, .fill = l->colour, .width = 1, .density = solid ? .75 : .15};
  plot_add_rectangle(d, w.left, w.top, w.right - w.left, w.bottom - w.top, pen, title);
  if (!solid) hatch(d, w, l->dash, l->colour);
}

static void draw_bars(const brush *b) {
  const um_plot_series *s = b->s;
  int of = 0, all = 0;
  for (int i = 0; i < b->p->series_count; i++) {
    if (&b->p->series[i] == s) of = all;
    all += b->p->series[i].kind == UM_PLOT_BARS;
  }
  /* Nine tenths of the distance, alone (a histogram); eight of ten side by side. */
  const double step = fabs(plot_pixel(b->x, b->x->low + plot_spacing(s)) - plot_pixel(b->x, b->x->low));
  const double group = step * (all > 1 ? .8 : .9), width = fmin(group / all, 80);
  const double zero = plot_pixel(b->y, fmax(b->y->low, fmin(b->y->high, 0)));
  double column = -1e9; /* of bars thinner than a pixel the highest of each */
  double highest = 0;
  for (int i = 0; i < s->count; i++) {
    if (!is_there(s, i)) continue;
    const plot_point at = place(b, plot_x_of(s, i), s->y[i]);
    const double left = at.x - width * all / 2 + width * of;
    if (width < 1 && floor(left) == column && fabs(at.y - zero) <= highest) continue;
    column = floor(left), highest = fabs(at.y - zero);
    plot_window w = {fmax(left, b->box.left), fmax(fmin(at.y, zero), b->box.top), fmin(left + width, b->box.right),
                     fmin(fmax(at.y, zero), b->box.bottom)};
    if (w.right <= w.left || w.bottom < w.top) continue;
    bar(b->d, w, &b->look, title_of(b, i));
    if (s->low && s->high) {
      const double middle = b->x->low + (left + width / 2 - b->x->from) / (b->x->to - b->x->from) * (b->x->high - b->x->low);
      whisker(b, middle, s->low[i], s->high[i]);
    }
  }
}

void plot_draw_series(plot_drawing *d, const um_plot_panel *p, int series, const plot_scale *x, const plot_scale *y) {
  const um_plot_series *s = &p->series[series];
  const brush b = {d, p, s, x, y, plot_look_of(p, series), {x->from, y->to, x->to, y->from}};
  if (s->count <= 0 || !s->y) return;
  if (s->kind == UM_PLOT_BARS) {
    draw_bars(&b);
    return;
  }
  if (s->kind != UM_PLOT_POINTS)
    draw_lines(&b);
  else if (s->low && s->high)
    for (int i = 0; i < s->count && s->count <= MANY; i++)
      if (is_there(s, i)) whisker(&b, plot_x_of(s, i), s->low[i], s->high[i]);
  if (b.look.marker != UM_MARKER_AUTO) draw_markers(&b);
}

void plot_draw_sample(plot_drawing *d, const um_plot_panel *p, int series, double x, double y) {
  const um_plot_series *s = &p->series[series];
  const plot_look l = plot_look_of(p, series);
  if (s->kind == UM_PLOT_BARS) {
    bar(d, (plot_window){x + 4, y - 6, x + 22, y + 6}, &l, PLOT_NO_TEXT);
    return;
  }
  const plot_pen tint = {.stroke = PLOT_NO_COLOUR, .fill = l.colour, .density = l.fill};
  const plot_pen line = {.stroke = l.colour, .fill = PLOT_NO_COLOUR, .width = l.width, .dash = l.dash};
  if (s->kind != UM_PLOT_POINTS && l.fill > 0) plot_add_rectangle(d, x, y, 26, 6, tint, PLOT_NO_TEXT);
  if (s->kind != UM_PLOT_POINTS) plot_add_line(d, x, y, x + 26, y, line);
  if (l.marker != UM_MARKER_AUTO)
    marker(d, l.marker, (plot_point){x + 13, y}, s->kind == UM_PLOT_POINTS ? 3.5 : 1.5 + .75 * l.width, l.colour, PLOT_NO_TEXT);
}

int plot_covered(const um_plot_panel *p, const plot_scale *x, const plot_scale *y, double left, double top, double width, double height) {
  const plot_window w = {left, top, left + width, top + height};
  int hits = 0;
  for (int i = 0; i < p->series_count; i++) {
    const um_plot_series *s = &p->series[i];
    const brush b = {NULL, p, s, x, y, {0}, w};
    plot_point before = {NAN, NAN};
    for (int k = 0; k < s->count; k++) {
      if (!is_there(s, k)) {
        before.x = NAN;
        continue;
      }
      const plot_point at = place(&b, plot_x_of(s, k), s->y[k]);
      plot_point from = isnan(before.x) || s->kind == UM_PLOT_POINTS || s->kind == UM_PLOT_BARS ? at : before, to = at;
      if (s->kind == UM_PLOT_BARS) from.y = y->from;
      if (plot_clip_line(&from, &to, &w)) hits++;
      before = at;
    }
  }
  return hits;
}
