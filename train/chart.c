/* history.svg: two panels, loss and accuracy, each with a line for the training and one for the validation part. */
#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>

#include "core/file.h"
#include "train/run.h"

#define WIDTH        900.0
#define HEIGHT       380.0
#define LEFT         60.0
#define TOP          56.0
#define PANEL_WIDTH  360.0
#define PANEL_HEIGHT 264.0
#define GAP          80.0

typedef struct panel {
  double x, y;      /* of its upper left corner */
  double low, high; /* of the value axis */
  int first, last;  /* epochs */
} panel;

/* Which number of a row: 0 loss, 1 accuracy; of the validation part or not. */
static double value_of(const history_row *r, int which, bool validation) {
  if (which == 0) return validation ? r->val_loss : r->loss;
  return validation ? r->val_accuracy : r->accuracy;
}

/* The power of ten times 1, 2 or 5 that divides the span into at most six parts. */
static double tick_of(double span) {
  double ten = pow(10, floor(log10(span / 5)));
  double part = span / 5 / ten;
  return ten * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static double x_of(const panel *p, double epoch) {
  return p->last == p->first ? p->x + PANEL_WIDTH / 2 : p->x + PANEL_WIDTH * (epoch - p->first) / (p->last - p->first);
}

static double y_of(const panel *p, double value) { return p->y + PANEL_HEIGHT * (p->high - value) / (p->high - p->low); }

static void range(panel *p, const history *h, int which) {
  p->low = INFINITY, p->high = -INFINITY;
  for (int i = 0; i < h->count; i++)
    for (int v = 0; v < 2; v++) {
      double y = value_of(&h->row[i], which, v);
      if (!isfinite(y)) continue;
      p->low = fmin(p->low, y), p->high = fmax(p->high, y);
    }
  if (!(p->low <= p->high)) p->low = 0, p->high = 1;
  if (p->high - p->low < 1e-3) p->low -= 0.01, p->high += 0.01;
  double tick = tick_of(p->high - p->low);
  p->low = tick * floor(p->low / tick), p->high = tick * ceil(p->high / tick);
  p->first = h->count > 0 ? h->row[0].epoch : 1;
  p->last = h->count > 0 ? h->row[h->count - 1].epoch : 1;
}

/* align: 0 left of the text at x, 0.5 its middle, 1 its right end. */
static void text_at(cairo_t *c, double x, double y, double align, const char *text) {
  cairo_text_extents_t e;
  cairo_text_extents(c, text, &e);
  cairo_move_to(c, x - align * e.x_advance, y);
  cairo_show_text(c, text);
}

static void draw_axes(cairo_t *c, const panel *p, const char *title) {
  char label[32];
  double tick = tick_of(p->high - p->low);
  cairo_set_line_width(c, 1);
  for (int i = 0; p->low + i * tick <= p->high + tick / 2; i++) {
    double v = p->low + i * tick, y = y_of(p, v);
    cairo_set_source_rgb(c, 0.87, 0.87, 0.87);
    cairo_move_to(c, p->x, y);
    cairo_line_to(c, p->x + PANEL_WIDTH, y);
    cairo_stroke(c);
    cairo_set_source_rgb(c, 0.25, 0.25, 0.25);
    snprintf(label, sizeof label, "%.4g", fabs(v) < tick / 1e6 ? 0 : v);
    text_at(c, p->x - 8, y + 4, 1, label);
  }
  int step = (int)fmax(1, tick_of(fmax(1, p->last - p->first)));
  for (int e = p->first; e <= p->last; e += step) {
    snprintf(label, sizeof label, "%d", e);
    text_at(c, x_of(p, e), p->y + PANEL_HEIGHT + 18, 0.5, label);
  }
  text_at(c, p->x + PANEL_WIDTH / 2, p->y + PANEL_HEIGHT + 38, 0.5, "epoch");
  cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
  text_at(c, p->x, p->y - 10, 0, title);
  cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
}

/* Blue for training, orange for validation: told apart by most who see colours differently, and dashed besides. */
static void set_pen(cairo_t *c, bool validation) {
  static const double dashes[] = {6, 3};
  if (validation)
    cairo_set_source_rgb(c, 0.84, 0.37, 0.0);
  else
    cairo_set_source_rgb(c, 0.0, 0.45, 0.70);
  cairo_set_dash(c, dashes, validation ? 2 : 0, 0);
  cairo_set_line_width(c, 2);
}

static void draw_line(cairo_t *c, const panel *p, const history *h, int which, bool validation) {
  bool pen_down = false;
  set_pen(c, validation);
  for (int i = 0; i < h->count; i++) {
    double v = value_of(&h->row[i], which, validation), x = x_of(p, h->row[i].epoch), y = y_of(p, v);
    if (!isfinite(v)) {
      pen_down = false;
      continue;
    }
    if (pen_down)
      cairo_line_to(c, x, y);
    else
      cairo_move_to(c, x, y);
    pen_down = true;
  }
  cairo_stroke(c);
  cairo_set_dash(c, NULL, 0, 0);
  for (int i = 0; i < h->count; i++) {
    double v = value_of(&h->row[i], which, validation);
    if (!isfinite(v)) continue;
    cairo_arc(c, x_of(p, h->row[i].epoch), y_of(p, v), 2.5, 0, 6.283185307179586);
    cairo_fill(c);
  }
}

static void draw_legend(cairo_t *c, bool validation_too) {
  static const char *const names[] = {"training", "validation"};
  double x = LEFT + 2 * PANEL_WIDTH + GAP - 200;
  for (int v = 0; v < (validation_too ? 2 : 1); v++, x += 100) {
    set_pen(c, v);
    cairo_move_to(c, x, 20);
    cairo_line_to(c, x + 24, 20);
    cairo_stroke(c);
    cairo_set_dash(c, NULL, 0, 0);
    cairo_set_source_rgb(c, 0.25, 0.25, 0.25);
    text_at(c, x + 30, 24, 0, names[v]);
  }
}

static cairo_status_t to_file(void *file, const unsigned char *data, unsigned int n) {
  return fwrite(data, 1, n, file) == n ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

int history_draw(const history *h, const char *title, const char *path, um_error *err) {
  static const char *const names[] = {"loss", "accuracy"};
  um_writer w;
  bool validation = false;
  int status = um_writer_open(&w, path, err);
  if (status) return status;
  cairo_surface_t *surface = cairo_svg_surface_create_for_stream(to_file, w.file, WIDTH, HEIGHT);
  cairo_t *c = cairo_create(surface);
  for (int i = 0; i < h->count; i++) validation |= isfinite(h->row[i].val_loss);
  cairo_set_source_rgb(c, 1, 1, 1);
  cairo_paint(c);
  cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(c, 12);
  cairo_set_source_rgb(c, 0.25, 0.25, 0.25);
  text_at(c, LEFT, 24, 0, title);
  for (int which = 0; which < 2; which++) {
    panel p = {.x = LEFT + which * (PANEL_WIDTH + GAP), .y = TOP};
    range(&p, h, which);
    draw_axes(c, &p, names[which]);
    draw_line(c, &p, h, which, false);
    if (validation) draw_line(c, &p, h, which, true);
  }
  draw_legend(c, validation);
  cairo_destroy(c);
  cairo_surface_finish(surface);
  cairo_status_t drawn = cairo_surface_status(surface);
  cairo_surface_destroy(surface);
  if (drawn != CAIRO_STATUS_SUCCESS) {
    um_writer_abandon(&w);
    return um_fail(err, drawn == CAIRO_STATUS_NO_MEMORY ? UM_ENOMEM : UM_EIO, "%s: cannot be drawn: %s", path,
                   cairo_status_to_string(drawn));
  }
  return um_writer_commit(&w, err);
}
