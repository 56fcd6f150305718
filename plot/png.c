/* A drawing as PNG, by cairo, two pixels a unit. */
#include <cairo.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "plot/display.h"

enum { SCALE = 2, LARGEST = 32767 /* cairo's */ };

static void colour(cairo_t *c, uint32_t rgb, double density) {
  cairo_set_source_rgba(c, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0, density);
}

/* Draws what the path holds. */
static void draw(cairo_t *c, const plot_pen *p, bool closed) {
  double dash[4];
  if (p->fill != PLOT_NO_COLOUR) {
    colour(c, p->fill, p->density);
    cairo_fill_preserve(c);
  }
  if (p->stroke != PLOT_NO_COLOUR) {
    colour(c, p->stroke, 1);
    cairo_set_line_width(c, p->width);
    cairo_set_line_join(c, closed ? CAIRO_LINE_JOIN_MITER : CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(c, dash, plot_dashes(dash, p->dash, p->width), 0);
    cairo_stroke_preserve(c);
  }
  cairo_new_path(c);
}

static void path(cairo_t *c, const plot_point *p, const plot_shape *s) {
  bool begin = true;
  for (int i = 0; i < s->count; i++) {
    if (isnan(p[i].x)) {
      if (s->closed) cairo_close_path(c);
      begin = true;
      continue;
    }
    if (begin)
      cairo_move_to(c, p[i].x, p[i].y);
    else
      cairo_line_to(c, p[i].x, p[i].y);
    begin = false;
  }
  if (s->closed) cairo_close_path(c);
  draw(c, &s->pen, s->closed);
}

static void text(cairo_t *c, const char *string, const plot_shape *s) {
  const plot_font *t = &s->font;
  cairo_text_extents_t extents;
  cairo_save(c);
  cairo_select_font_face(c, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, t->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(c, t->size);
  cairo_text_extents(c, string, &extents);
  cairo_translate(c, s->at.x, s->at.y);
  cairo_rotate(c, t->angle * M_PI / 180);
  /* Another font, or characters that the layout only guessed the width of: narrower, so that they stay in their place. */
  if (extents.x_advance > s->text_width * 1.01) cairo_scale(c, s->text_width / extents.x_advance, 1);
  cairo_move_to(c, t->anchor == PLOT_START ? 0 : t->anchor == PLOT_MIDDLE ? -extents.x_advance / 2 : -extents.x_advance, 0);
  if (t->halo) {
    cairo_text_path(c, string);
    draw(c, &(plot_pen){.stroke = 0xffffff, .fill = t->colour, .width = 3, .density = 1}, false);
    cairo_move_to(c, t->anchor == PLOT_START ? 0 : t->anchor == PLOT_MIDDLE ? -extents.x_advance / 2 : -extents.x_advance, 0);
  }
  colour(c, t->colour, 1);
  cairo_show_text(c, string);
  cairo_new_path(c);
  cairo_restore(c);
}

static cairo_status_t write_to(void *file, const unsigned char *data, unsigned int size) {
  return fwrite(data, 1, size, file) == size ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

int plot_drawing_png(FILE *f, const plot_drawing *d, const char *path_name, um_error *err) {
  const double width = ceil(SCALE * d->width), height = ceil(SCALE * d->height);
  if (!(width <= LARGEST && height <= LARGEST))
    return um_fail(err, UM_EUNSUPPORTED,
                   "%s: a plot of %.0f x %.0f pixels is too large for a picture, at most %d each; give it fewer panels", path_name, width,
                   height, LARGEST);
  cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
  cairo_t *c = cairo_create(surface);
  cairo_font_options_t *options = cairo_font_options_create();
  /* Letters as wide as the layout thinks, not fitted to the pixels. */
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_set_font_options(c, options);
  cairo_font_options_destroy(options);
  cairo_scale(c, SCALE, SCALE);
  for (int i = 0; i < d->shapes; i++) {
    const plot_shape *s = &d->shape[i];
    if (s->kind == PLOT_PATH)
      path(c, d->point + s->first, s);
    else if (s->kind == PLOT_TEXT)
      text(c, d->text + s->text, s);
    else {
      cairo_arc(c, s->at.x, s->at.y, s->radius, 0, 2 * M_PI);
      draw(c, &s->pen, false);
    }
  }
  errno = 0;
  cairo_status_t status = cairo_status(c);
  cairo_destroy(c);
  if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_write_to_png_stream(surface, write_to, f);
  cairo_surface_destroy(surface);
  if (status == CAIRO_STATUS_SUCCESS) return UM_OK;
  return um_fail(err, status == CAIRO_STATUS_NO_MEMORY ? UM_ENOMEM : UM_EIO, "%s: cannot write: %s", path_name,
                 errno ? strerror(errno) : cairo_status_to_string(status));
}
