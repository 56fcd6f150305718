/* Where everything goes. Nothing is laid over anything else: titles, legends and the labels of vertical lines stand above the box, those
 * of horizontal spans at its right; only the labels of horizontal lines stand inside, where they cover least. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot/panel.h"

enum { EDGE = 12, GAP = 26, TITLE_SIZE = 15, HEAD_SIZE = 13, SAMPLE = 26, ROW = 18, MOST_PANELS = 200, MOST_LABELS = 64 };

static const plot_font plain = {.size = PLOT_TEXT_SIZE, .colour = PLOT_INK};

/* A label above the box. */
typedef struct over {
  double at; /* pixels */
  const char *text;
  double left, width;
  int row;
} over;

typedef struct cell {
  const um_plot_panel *p;
  double x, y, width;              /* of the cell */
  double left, right, top, bottom; /* room around the box */
  double box_width, box_height;
  double beyond; /* of the last tick's label beyond the box */
  plot_scale sx, sy;
  bool legend; /* has one of its own */
  int turned;  /* names of categories: 0 level, else room for them at 45 degrees, each so long */
  int every;   /* every n-th is written */
  over over[MOST_LABELS];
  int overs, over_rows;
} cell;

static int lines_of(const char *text, double width, double size, int most) {
  char line[1024];
  int n = 0;
  while (text && n < most && plot_text_line(line, sizeof line, &text, width, size, true, n == most - 1)) n++;
  return n;
}

/* A title of at most `most` lines from y down; returns its height. */
static double draw_title(plot_drawing *d, const char *text, double x, double y, double width, double size, int most) {
  char line[1024];
  const double height = ceil(1.3 * size);
  int n = 0;
  for (; text && n < most && plot_text_line(line, sizeof line, &text, width, size, true, n == most - 1); n++)
    plot_add_text(d, x, y + n * height + size, line, width, (plot_font){.size = size, .bold = true, .colour = 0x1a1a1a});
  return n * height;
}

static int named(const um_plot_panel *p) {
  int n = 0;
  for (int i = 0; i < p->series_count; i++) n += p->series[i].name != NULL;
  return n;
}

/* The names of the series from y down, as many in a row as have room; d NULL: only measured. Returns the height. */
static double legend(plot_drawing *d, const um_plot_panel *p, double x, double y, double width) {
  double at = 0, row = 0;
  if (named(p) == 0) return 0;
  for (int i = 0; i < p->series_count; i++) {
    const char *name = p->series[i].name;
    if (!name) continue;
    const double most = width - SAMPLE - 8, text = fmin(most, plot_text_width(name, PLOT_TEXT_SIZE, false));
    if (at > 0 && at + SAMPLE + 8 + text > width + .5) at = 0, row += ROW;
    if (d) {
      plot_draw_sample(d, p, i, x + at, y + row + ROW / 2.0);
      plot_add_text(d, x + at + SAMPLE + 8, y + row + ROW / 2.0 + 4, name, most, plain);
    }
    at += SAMPLE + 8 + text + 18;
  }
  return row + ROW;
}

/* Whether the legend of q says nothing that p's does not: the same names drawn alike. */
static bool legend_holds(const um_plot_panel *p, const um_plot_panel *q) {
  for (int i = 0; i < q->series_count; i++) {
    bool found = !q->series[i].name;
    for (int k = 0; k < p->series_count && !found; k++) {
      const plot_look a = plot_look_of(p, k), b = plot_look_of(q, i);
      found = p->series[k].name && strcmp(p->series[k].name, q->series[i].name) == 0 && p->series[k].kind == q->series[i].kind &&
              a.colour == b.colour && a.dash == b.dash && a.marker == b.marker;
    }
    if (!found) return false;
  }
  return true;
}

/* The panel whose legend serves all of them, or -1. */
static int common_legend(const um_plot *plot) {
  for (int i = 0; i < plot->panel_count && plot->panel_count > 1; i++) {
    bool all = named(&plot->panels[i]) > 0;
    int with = 0;
    for (int k = 0; k < plot->panel_count && all; k++) {
      all = legend_holds(&plot->panels[i], &plot->panels[k]);
      with += named(&plot->panels[k]) > 0;
    }
    if (all && with > 1) return i;
  }
  return -1;
}

/* The ticks of x whose labels have room, and what they need below and beside the box. */
static void fit_x(cell *c) {
  const um_plot_axis *a = &c->p->x;
  double widest = 0;
  c->turned = 0, c->every = 1, c->beyond = 0;
  c->bottom = 8 + PLOT_TEXT_SIZE + 4;
  if (a->names && a->names_count > 0) {
    plot_scale_set(&c->sx, c->p, true, 1);
    for (int i = 0; i < a->names_count; i++)
      if (a->names[i]) widest = fmax(widest, plot_text_width(a->names[i], PLOT_TEXT_SIZE, false));
    const double step = c->box_width / a->names_count;
    if (widest + 8 > step) {
      c->turned = (int)fmin(ceil(widest), 130);
      c->every = (int)ceil(PLOT_LINE_HEIGHT * 1.1 / step);
      c->bottom = 12 + .71 * (c->turned + PLOT_TEXT_SIZE);
    }
  } else {
    for (int most = (int)fmax(1, c->box_width / 30); most >= 1; most--) {
      plot_scale_set(&c->sx, c->p, true, most);
      widest = 0;
      for (int i = 0; i < c->sx.ticks; i++) widest = fmax(widest, plot_text_width(c->sx.label[i], PLOT_TEXT_SIZE, false));
      if (c->sx.ticks < 2) break;
      const double step = (c->sx.tick[1] - c->sx.tick[0]) / (c->sx.high - c->sx.low) * c->box_width;
      if (widest + 12 <= step) break;
    }
    if (c->sx.ticks > 0) {
      /* The last label may reach beyond the box. */
      const int last = c->sx.ticks - 1;
      const double beyond = plot_text_width(c->sx.label[last], PLOT_TEXT_SIZE, false) / 2 -
                            (c->sx.high - c->sx.tick[last]) / (c->sx.high - c->sx.low) * c->box_width;
      c->beyond = fmax(0, beyond + 2);
    }
  }
  if (a->name) c->bottom += PLOT_LINE_HEIGHT + 4;
}

static void fit_y(cell *c) {
  double widest = 0;
  plot_scale_set(&c->sy, c->p, false, (int)fmax(2, fmin(8, c->box_height / 27)));
  for (int i = 0; i < c->sy.ticks; i++) widest = fmax(widest, plot_text_width(c->sy.label[i], PLOT_TEXT_SIZE, false));
  c->left = widest + 8 + (c->p->y.name ? PLOT_LINE_HEIGHT + 4 : 0);
  c->right = 8;
  for (int i = 0; i < c->p->span_count; i++)
    if (c->p->spans[i].horizontal && c->p->spans[i].label)
      c->right = fmax(c->right, 6 + fmin(100, plot_text_width(c->p->spans[i].label, PLOT_TEXT_SIZE, false)));
}

static double least_height(const cell *c) { return c->p->height > 0 ? c->p->height : 0; }

/* First guess from the cell's width; the second pass knows what stands left and right of the box. */
static void size_box(cell *c) {
  c->box_width = fmax(40, c->width - c->left - c->right);
  if (c->p->square) c->box_width = fmin(c->box_width, 420);
  c->box_height = least_height(c) > 0 ? least_height(c) : c->p->square ? c->box_width : fmax(170, fmin(300, .66 * (c->width - 60)));
}

static int by_place(const void *a, const void *b) {
  const double x = ((const over *)a)->at, y = ((const over *)b)->at;
  return (x > y) - (x < y);
}

static void add_over(cell *c, double value, const char *text) {
  if (!text || !*text || c->overs == MOST_LABELS || !(value >= c->sx.low && value <= c->sx.high)) return;
  c->over[c->overs++] = (over){.at = (value - c->sx.low) / (c->sx.high - c->sx.low) * c->box_width, .text = text};
}

/* Labels of vertical lines and spans, in rows from the box up: about their line; of two too near each other the left one ends at its line and the
 * right one begins there. */
static void fit_overs(cell *c) {
  const um_plot_panel *p = c->p;
  c->overs = c->over_rows = 0;
  for (int i = 0; i < p->mark_count; i++)
    if (!p->marks[i].horizontal) add_over(c, p->marks[i].at, p->marks[i].label);
  for (int i = 0; i < p->span_count; i++) {
    const um_plot_span *s = &p->spans[i];
    const double low = fmax(s->low, c->sx.low), high = fmin(s->high, c->sx.high);
    if (!s->horizontal && low <= high) add_over(c, (low + high) / 2, s->label);
  }
  qsort(c->over, (size_t)c->overs, sizeof *c->over, by_place);
  const double from = -c->left, to = c->box_width + c->right;
  for (int i = 0; i < c->overs; i++) {
    over *o = &c->over[i];
    o->width = fmin(to - from, plot_text_width(o->text, PLOT_TEXT_SIZE, false));
    o->left = o->at - o->width / 2;
  }
  for (int i = 0; i + 1 < c->overs; i++) {
    over *o = &c->over[i], *next = o + 1;
    if (o->left + o->width + 8 <= next->left) continue;
    if (o->left == o->at - o->width / 2) o->left = o->at - o->width + 2;
    next->left = next->at - 2;
  }
  for (int i = 0; i < c->overs; i++) {
    over *o = &c->over[i];
    o->left = fmax(from, fmin(to - o->width, o->left));
    bool clear = false;
    for (o->row = 0; !clear; o->row += !clear) {
      clear = true;
      for (int k = 0; k < i && clear; k++)
        clear = c->over[k].row != o->row || c->over[k].left + c->over[k].width + 8 <= o->left || o->left + o->width + 8 <= c->over[k].left;
    }
    c->over_rows = o->row + 1 > c->over_rows ? o->row + 1 : c->over_rows;
  }
}

/* left, right: what must be beside the box at least, so that boxes of a column begin and end alike. */
static void measure(cell *c, double left, double right) {
  c->left = fmax(left, 50), c->right = fmax(right, 16);
  for (int pass = 0; pass < 3; pass++) {
    size_box(c);
    fit_y(c);
    c->left = fmax(c->left, left), c->right = fmax(fmax(c->right, c->beyond), right);
    size_box(c);
    fit_x(c);
  }
  fit_overs(c);
}

/* What stands above the box; the legend is as wide as the cell. */
static double head_height(const cell *c) {
  double h = lines_of(c->p->title, c->width, HEAD_SIZE, 2) * ceil(1.3 * HEAD_SIZE);
  if (c->legend) h += legend(NULL, c->p, 0, 0, c->width) + 2;
  return h + c->over_rows * PLOT_LINE_HEIGHT + 10;
}

/* Labels of horizontal spans, right of the box, each at the height of its span or as near as the others let it. */
static void label_spans(plot_drawing *d, const cell *c) {
  over o[MOST_LABELS] = {0};
  int n = 0;
  for (int i = 0; i < c->p->span_count && n < MOST_LABELS; i++) {
    const um_plot_span *s = &c->p->spans[i];
    const double low = fmax(s->low, c->sy.low), high = fmin(s->high, c->sy.high);
    if (s->horizontal && s->label && low <= high) o[n++] = (over){.at = plot_pixel(&c->sy, (low + high) / 2) + 4, .text = s->label};
  }
  qsort(o, (size_t)n, sizeof *o, by_place);
  for (int i = 1; i < n; i++) o[i].at = fmax(o[i].at, o[i - 1].at + PLOT_LINE_HEIGHT);
  double lowest = c->sy.from;
  for (int i = n - 1; i >= 0; i--, lowest -= PLOT_LINE_HEIGHT) o[i].at = fmin(o[i].at, lowest);
  for (int i = 0; i < n; i++) plot_add_text(d, c->sx.to + 5, o[i].at, o[i].text, c->x + c->width - c->sx.to - 5, plain);
}

static void draw_spans(plot_drawing *d, const cell *c) {
  for (int i = 0; i < c->p->span_count; i++) {
    const um_plot_span *s = &c->p->spans[i];
    const plot_scale *a = s->horizontal ? &c->sy : &c->sx;
    const double low = fmax(s->low, a->low), high = fmin(s->high, a->high);
    if (!(low <= high)) continue;
    const double from = plot_pixel(a, low), to = plot_pixel(a, high);
    const plot_pen pen = {.stroke = PLOT_NO_COLOUR, .fill = s->colour ? s->colour : 0x606060, .density = s->density > 0 ? s->density : .12};
    if (s->horizontal)
      plot_add_rectangle(d, c->sx.from, to, c->box_width, from - to, pen, PLOT_NO_TEXT);
    else /* a moment is still a pixel wide */
      plot_add_rectangle(d, from, c->sy.to, fmax(1, to - from), c->box_height, pen, PLOT_NO_TEXT);
  }
}

static void draw_grid(plot_drawing *d, const cell *c) {
  const plot_pen grid = {.stroke = PLOT_GRID, .fill = PLOT_NO_COLOUR, .width = 1},
                 tick = {.stroke = PLOT_FRAME, .fill = PLOT_NO_COLOUR, .width = 1};
  const um_plot_axis *a = &c->p->x;
  plot_font font = plain;
  const double bottom = c->sy.from;
  for (int i = 0; i < c->sy.ticks; i++) {
    const double y = plot_pixel(&c->sy, c->sy.tick[i]);
    plot_add_line(d, c->sx.from, y, c->sx.to, y, grid);
    font.anchor = PLOT_END;
    plot_add_text(d, c->sx.from - 6, y + 4, c->sy.label[i], 0, font);
  }
  font.anchor = PLOT_MIDDLE;
  for (int i = 0; i < c->sx.ticks; i++) {
    const double x = plot_pixel(&c->sx, c->sx.tick[i]);
    plot_add_line(d, x, c->sy.to, x, bottom, grid);
    plot_add_line(d, x, bottom, x, bottom + 4, tick);
    plot_add_text(d, x, bottom + 8 + PLOT_TEXT_SIZE, c->sx.label[i], 0, font);
  }
  if (a->names) {
    for (int i = 0; i < a->names_count; i += c->every) {
      const double x = plot_pixel(&c->sx, i);
      if (!a->names[i]) continue;
      plot_add_line(d, x, bottom, x, bottom + 4, tick);
      if (c->turned == 0)
        plot_add_text(d, x, bottom + 8 + PLOT_TEXT_SIZE, a->names[i], 0, font);
      else
        /* To the left of the first ones there is only so much room. */
        plot_add_text(d, x + 4, bottom + 14, a->names[i], fmin(c->turned, (x - c->x) / .71),
                      (plot_font){.size = PLOT_TEXT_SIZE, .colour = PLOT_INK, .anchor = PLOT_END, .angle = -45});
    }
  }
}

static void draw_axes(plot_drawing *d, const cell *c) {
  const plot_pen frame = {.stroke = PLOT_FRAME, .fill = PLOT_NO_COLOUR, .width = 1};
  const double bottom = c->sy.from;
  plot_add_path(d, (const plot_point[]){{c->sx.from, c->sy.to}, {c->sx.from, bottom}, {c->sx.to, bottom}}, 3, false, frame, PLOT_NO_TEXT);
  if (c->p->x.name)
    plot_add_text(d, (c->sx.from + c->sx.to) / 2, bottom + c->bottom - 5, c->p->x.name, c->box_width + 2 * fmin(c->left, c->right),
                  (plot_font){.size = PLOT_TEXT_SIZE, .colour = PLOT_INK, .anchor = PLOT_MIDDLE});
  if (c->p->y.name)
    plot_add_text(d, c->x + PLOT_TEXT_SIZE, (c->sy.to + bottom) / 2, c->p->y.name, c->box_height,
                  (plot_font){.size = PLOT_TEXT_SIZE, .colour = PLOT_INK, .anchor = PLOT_MIDDLE, .angle = -90});
}

/* The label of a horizontal line: above or below it, left, in the middle or right, where it covers least and no other label. */
static void label_line(plot_drawing *d, const cell *c, const char *text, double y, plot_window taken[], int *n) {
  const double width = fmin(c->box_width - 8, plot_text_width(text, PLOT_TEXT_SIZE, false)), height = PLOT_LINE_HEIGHT - 2;
  plot_window best = {0};
  int least = INT32_MAX;
  for (int i = 0; i < 6; i++) {
    const double left = i / 2 == 0 ? c->sx.from + 4 : i / 2 == 1 ? c->sx.to - width - 4 : (c->sx.from + c->sx.to - width) / 2;
    const double top = i % 2 == 0 ? y - height - 2 : y + 2;
    int covered = plot_covered(c->p, &c->sx, &c->sy, left - 2, top, width + 4, height);
    if (top < c->sy.to || top + height > c->sy.from) covered += 1 << 28;
    for (int k = 0; k < *n; k++)
      if (left < taken[k].right && taken[k].left < left + width && top < taken[k].bottom && taken[k].top < top + height) covered += 1 << 24;
    if (covered < least) least = covered, best = (plot_window){left, top, left + width, top + height};
  }
  if (*n < MOST_LABELS) taken[(*n)++] = best;
  plot_add_text(d, best.left, best.bottom - 3, text, width + .1, (plot_font){.size = PLOT_TEXT_SIZE, .colour = PLOT_INK, .halo = true});
}

static void draw_marks(plot_drawing *d, const cell *c) {
  for (int i = 0; i < c->p->mark_count; i++) {
    const um_plot_mark *m = &c->p->marks[i];
    const plot_scale *a = m->horizontal ? &c->sy : &c->sx;
    if (!(m->at >= a->low && m->at <= a->high)) continue;
    const double at = plot_pixel(a, m->at);
    const plot_pen pen = {
        .stroke = m->colour ? m->colour : PLOT_INK, .fill = PLOT_NO_COLOUR, .width = 1.3, .dash = m->dash ? m->dash : UM_DASH_DASHED};
    if (m->horizontal)
      plot_add_line(d, c->sx.from, at, c->sx.to, at, pen);
    else
      plot_add_line(d, at, c->sy.to - 4, at, c->sy.from, pen);
  }
}

static void label_marks(plot_drawing *d, const cell *c) {
  plot_window taken[MOST_LABELS];
  int labels = 0;
  for (int i = 0; i < c->p->mark_count; i++) {
    const um_plot_mark *m = &c->p->marks[i];
    if (m->horizontal && m->label && *m->label && m->at >= c->sy.low && m->at <= c->sy.high)
      label_line(d, c, m->label, plot_pixel(&c->sy, m->at), taken, &labels);
  }
}

static void draw_cell(plot_drawing *d, cell *c) {
  const double left = c->x + c->left, top = c->y + c->top;
  double y = c->y;
  bool any = false;
  c->sx.from = left, c->sx.to = left + c->box_width;
  c->sy.from = top + c->box_height, c->sy.to = top;
  y += draw_title(d, c->p->title, c->x, y, c->width, HEAD_SIZE, 2);
  if (c->legend) legend(d, c->p, c->x, y, c->width);
  for (int i = 0; i < c->overs; i++) {
    const over *o = &c->over[i];
    plot_add_text(d, left + o->left, top - 8 - o->row * PLOT_LINE_HEIGHT, o->text, o->width + .1, plain);
  }
  draw_spans(d, c);
  label_spans(d, c);
  draw_grid(d, c);
  draw_axes(d, c);
  draw_marks(d, c);
  for (int i = 0; i < c->p->series_count; i++) {
    plot_draw_series(d, c->p, i, &c->sx, &c->sy);
    for (int k = 0; k < c->p->series[i].count && !any; k++)
      any = plot_drawable(c->p->series[i].y[k]) && plot_drawable(plot_x_of(&c->p->series[i], k));
  }
  label_marks(d, c);
  if (!any)
    plot_add_text(d, left + c->box_width / 2, top + c->box_height / 2, "no data", c->box_width,
                  (plot_font){.size = HEAD_SIZE, .colour = 0x707070, .anchor = PLOT_MIDDLE, .halo = true});
}

/* For those who do not see it: each panel, and of each series how many points, the first and the last. */
static void describe(plot_drawing *d, const um_plot *plot) {
  char *text = NULL, v[4][PLOT_LABEL];
  size_t size;
  FILE *f = open_memstream(&text, &size);
  if (!f) {
    d->failed = true;
    return;
  }
  for (int i = 0; i < plot->panel_count; i++) {
    const um_plot_panel *p = &plot->panels[i];
    fprintf(f, "%s%s", i > 0 ? " " : "", p->title ? p->title : p->y.name ? p->y.name : "Plot");
    if (p->x.name) fprintf(f, " by %s", p->x.name);
    fputc(':', f);
    for (int k = 0; k < p->series_count; k++) {
      const um_plot_series *s = &p->series[k];
      int first = -1, last = -1, n = 0;
      for (int j = 0; j < s->count; j++)
        if (plot_drawable(s->y[j]) && plot_drawable(plot_x_of(s, j))) first = first < 0 ? j : first, last = j, n++;
      fprintf(f, "%s %s%s%d point%s", k > 0 ? ";" : "", s->name ? s->name : "", s->name ? ", " : "", n, n == 1 ? "" : "s");
      if (n > 0)
        fprintf(f, ", from %s at %s to %s at %s", plot_value_text(v[0], s->y[first], p->y.unit, 4),
                plot_value_text(v[1], plot_x_of(s, first), p->x.unit, 4), plot_value_text(v[2], s->y[last], p->y.unit, 4),
                plot_value_text(v[3], plot_x_of(s, last), p->x.unit, 4));
    }
    for (int k = 0; k < p->mark_count; k++)
      if (p->marks[k].label)
        fprintf(f, "; %s at %s", p->marks[k].label,
                plot_value_text(v[0], p->marks[k].at, p->marks[k].horizontal ? p->y.unit : p->x.unit, 4));
    fputc('.', f);
  }
  if (fclose(f) != 0)
    d->failed = true;
  else
    d->description = plot_add_string(d, text);
  free(text);
}

/* Cells of a row: boxes begin and end at the same height, those of all rows at the same place beside. Returns the height. */
static double arrange_row(cell *c, int n, double y) {
  double top = 0, below = 0, height = 0;
  for (int i = 0; i < n; i++) {
    c[i].y = y;
    top = fmax(top, head_height(&c[i])), below = fmax(below, c[i].bottom), height = fmax(height, c[i].box_height);
  }
  for (int i = 0; i < n; i++) c[i].top = top;
  return top + height + below;
}

int plot_layout(plot_drawing *d, um_plot_box *boxes, const um_plot *plot, double width, um_error *err) {
  const int n = plot->panel_count;
  *d = (plot_drawing){.title = PLOT_NO_TEXT, .description = PLOT_NO_TEXT};
  if (n < 0 || n > MOST_PANELS) return um_fail(err, UM_EUNSUPPORTED, "a plot of %d panels: expected at most %d", n, MOST_PANELS);
  cell *c = calloc((size_t)n + 1, sizeof *c);
  if (!c) return um_fail(err, UM_ENOMEM, "no memory to lay a plot out");
  width = fmax(200, fmin(4000, width));
  const double inner = width - 2 * EDGE;
  int columns = plot->columns > 0 ? plot->columns : (int)fmax(1, (inner + GAP) / (240 + GAP));
  if (columns > n) columns = n > 0 ? n : 1;
  if (plot->columns <= 0) columns = (n + (n + columns - 1) / columns - 1) / (n > 0 ? (n + columns - 1) / columns : 1);
  const int shared = common_legend(plot);

  d->title = plot_add_string(d, plot->title                       ? plot->title
                                : n > 0 && plot->panels[0].title  ? plot->panels[0].title
                                : n > 0 && plot->panels[0].y.name ? plot->panels[0].y.name
                                                                  : "plot");
  if (plot->description)
    d->description = plot_add_string(d, plot->description);
  else
    describe(d, plot);
  d->width = width;
  plot_add_rectangle(d, 0, 0, width, 0, (plot_pen){.stroke = PLOT_NO_COLOUR, .fill = 0xffffff, .density = 1}, PLOT_NO_TEXT);
  double y = EDGE;
  if (plot->title) y += draw_title(d, plot->title, EDGE, y, inner, TITLE_SIZE, 3) + 4;
  if (shared >= 0) y += legend(d, &plot->panels[shared], EDGE, y, inner) + 4;
  for (int i = 0; i < n; i++) {
    c[i] = (cell){.p = &plot->panels[i], .legend = shared < 0 && named(&plot->panels[i]) > 0};
    c[i].width = (inner - GAP * (columns - 1)) / columns;
    c[i].x = EDGE + i % columns * (c[i].width + GAP);
    measure(&c[i], 0, 0);
  }
  for (int i = 0; i < columns && n > columns; i++) {
    double left = 0, right = 0;
    for (int k = i; k < n; k += columns) left = fmax(left, c[k].left), right = fmax(right, c[k].right);
    for (int k = i; k < n; k += columns) measure(&c[k], left, right);
  }
  for (int i = 0; i < n; i += columns) {
    const int row = n - i < columns ? n - i : columns;
    y += (i > 0 ? 12 : 0) + arrange_row(c + i, row, y + (i > 0 ? 12 : 0));
    for (int k = i; k < i + row; k++) draw_cell(d, &c[k]);
  }
  d->height = ceil(y + EDGE / 2.0);
  if (!d->failed) d->point[d->shape[0].first + 2].y = d->point[d->shape[0].first + 3].y = d->height;
  for (int i = 0; boxes && i < n; i++)
    boxes[i] =
        (um_plot_box){c[i].sx.from, c[i].sy.to, c[i].box_width, c[i].box_height, c[i].sx.low, c[i].sx.high, c[i].sy.low, c[i].sy.high};
  free(c);
  if (!d->failed) return UM_OK;
  plot_drawing_free(d);
  return um_fail(err, UM_ENOMEM, "no memory for a plot");
}
