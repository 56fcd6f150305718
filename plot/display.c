#include "plot/display.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void plot_drawing_free(plot_drawing *d) {
  free(d->shape);
  free(d->point);
  free(d->text);
  *d = (plot_drawing){0};
}

/* Room for `more` beyond `used`; doubles. */
static void *grow(plot_drawing *d, void *at, int used, int more, int *room, size_t size) {
  if (d->failed) return NULL;
  if (used > INT32_MAX / 2 - more) return d->failed = true, NULL;
  if (used + more <= *room) return at;
  const int wanted = 2 * (used + more);
  void *p = realloc(at, (size_t)wanted * size);
  if (p)
    *room = wanted;
  else
    d->failed = true;
  return p;
}

static plot_shape *add(plot_drawing *d, plot_shape s) {
  plot_shape *p = grow(d, d->shape, d->shapes, 1, &d->shape_room, sizeof *p);
  if (!p) return NULL;
  d->shape = p;
  d->shape[d->shapes] = s;
  return &d->shape[d->shapes++];
}

static bool room_for_text(plot_drawing *d, size_t more) {
  if (d->failed) return false;
  if (d->text_size + more <= d->text_room) return true;
  char *p = realloc(d->text, 2 * (d->text_size + more));
  if (!p) return d->failed = true, false;
  d->text = p;
  d->text_room = 2 * (d->text_size + more);
  return true;
}

long plot_add_string(plot_drawing *d, const char *text) {
  if (!text) return PLOT_NO_TEXT;
  const size_t room = 3 * strlen(text) + 8; /* a bad byte becomes U+FFFD, three */
  if (!room_for_text(d, room)) return PLOT_NO_TEXT;
  const long at = (long)d->text_size;
  plot_text_fit(d->text + at, room, text, 0, 1, false);
  d->text_size += strlen(d->text + at) + 1;
  return at;
}

long plot_add_format(plot_drawing *d, const char *format, ...) {
  char *text = NULL;
  va_list args;
  va_start(args, format);
  const int n = vasprintf(&text, format, args);
  va_end(args);
  if (n < 0) return d->failed = true, PLOT_NO_TEXT;
  const long at = plot_add_string(d, text);
  free(text);
  return at;
}

void plot_add_path(plot_drawing *d, const plot_point *p, int count, bool closed, plot_pen pen, long title) {
  plot_point *all = grow(d, d->point, d->points, count, &d->point_room, sizeof *all);
  if (!all || count == 0) return;
  d->point = all;
  memcpy(all + d->points, p, (size_t)count * sizeof *p);
  add(d, (plot_shape){
             .kind = PLOT_PATH, .first = d->points, .count = count, .closed = closed, .pen = pen, .text = PLOT_NO_TEXT, .title = title});
  d->points += count;
}

void plot_add_line(plot_drawing *d, double x0, double y0, double x1, double y1, plot_pen pen) {
  plot_add_path(d, (const plot_point[]){{x0, y0}, {x1, y1}}, 2, false, pen, PLOT_NO_TEXT);
}

void plot_add_rectangle(plot_drawing *d, double x, double y, double width, double height, plot_pen pen, long title) {
  const plot_point corner[] = {{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}};
  plot_add_path(d, corner, 4, true, pen, title);
}

void plot_add_circle(plot_drawing *d, double x, double y, double radius, plot_pen pen, long title) {
  add(d, (plot_shape){.kind = PLOT_CIRCLE, .at = {x, y}, .radius = radius, .pen = pen, .text = PLOT_NO_TEXT, .title = title});
}

void plot_add_text(plot_drawing *d, double x, double y, const char *text, double most, plot_font font) {
  char fitted[1024];
  const bool cut = plot_text_fit(fitted, sizeof fitted, text, most, font.size, font.bold);
  if (!*fitted) return;
  const long place = plot_add_string(d, fitted), title = cut ? plot_add_string(d, text) : PLOT_NO_TEXT;
  add(d, (plot_shape){.kind = PLOT_TEXT,
                      .at = {x, y},
                      .font = font,
                      .text = place,
                      .title = title,
                      .text_width = plot_text_width(fitted, font.size, font.bold)});
}

int plot_dashes(double dash[4], um_plot_dash kind, double width) {
  const double w = fmax(1, width);
  switch (kind) {
  case UM_DASH_DASHED: dash[0] = 3.5 * w, dash[1] = 2 * w; return 2;
  case UM_DASH_DOTTED: dash[0] = 1 * w, dash[1] = 1.5 * w; return 2;
  case UM_DASH_MIXED: dash[0] = 4 * w, dash[1] = 1.5 * w, dash[2] = w, dash[3] = 1.5 * w; return 4;
  default: return 0;
  }
}
