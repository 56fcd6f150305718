/* A drawing: lines, filled shapes and texts at their places, in the order of drawing. What layout makes and both back ends read. */
#ifndef UM_PLOT_DISPLAY_H
#define UM_PLOT_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "plot/plot.h"

typedef struct plot_point {
  double x, y;
} plot_point;

#define PLOT_NO_COLOUR UINT32_MAX
enum { PLOT_NO_TEXT = -1 };

typedef enum plot_shape_kind { PLOT_PATH, PLOT_CIRCLE, PLOT_TEXT } plot_shape_kind;
typedef enum plot_anchor { PLOT_START, PLOT_MIDDLE, PLOT_END } plot_anchor;

typedef struct plot_pen {
  uint32_t stroke, fill; /* PLOT_NO_COLOUR: not drawn */
  double width, density; /* of the line; of the fill, 0 to 1 */
  um_plot_dash dash;
} plot_pen;

typedef struct plot_font {
  double size;
  bool bold, halo; /* halo: white around the letters, where they stand on lines */
  uint32_t colour;
  plot_anchor anchor;
  double angle; /* degrees, clockwise, about the anchor */
} plot_font;

typedef struct plot_shape {
  plot_shape_kind kind;
  int first, count; /* of a path: its points; one with NaN begins another part */
  bool closed;
  plot_point at; /* of a circle its middle, of a text its anchor on the base line */
  double radius;
  plot_pen pen;
  plot_font font;
  double text_width; /* that the layout counts on */
  long text, title;  /* places in `text` of the drawing, or PLOT_NO_TEXT */
} plot_shape;

typedef struct plot_drawing {
  double width, height;
  plot_shape *shape;
  int shapes, shape_room;
  plot_point *point;
  int points, point_room;
  char *text;
  size_t text_size, text_room;
  bool failed; /* there was no memory: adding does nothing more */
  long title, description;
} plot_drawing;

void plot_drawing_free(plot_drawing *d);
/* A copy of UTF-8 text, what XML and cairo refuse replaced; where a drawing's text is. PLOT_NO_TEXT for NULL. */
long plot_add_string(plot_drawing *d, const char *text);
long plot_add_format(plot_drawing *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void plot_add_path(plot_drawing *d, const plot_point *p, int count, bool closed, plot_pen pen, long title);
void plot_add_line(plot_drawing *d, double x0, double y0, double x1, double y1, plot_pen pen);
void plot_add_rectangle(plot_drawing *d, double x, double y, double width, double height, plot_pen pen, long title);
void plot_add_circle(plot_drawing *d, double x, double y, double radius, plot_pen pen, long title);
/* Cut with an ellipsis to at most `most` wide (0: whole); what was cut is then whole in its <title>. */
void plot_add_text(plot_drawing *d, double x, double y, const char *text, double most, plot_font font);

/* text.c: widths are those of DejaVu Sans (Verdana's, nearly), among the widest of the usual fonts, so that others have room as well. */
double plot_text_width(const char *text, double size, bool bold);
/* The next character of UTF-8, at least one byte on; U+FFFD for what is not UTF-8 or not a character of XML, a space for control characters. */
uint32_t plot_next_character(const char **text);
/* Puts a clean copy of text into out, cut with an ellipsis to at most `most` wide (0: whole). Returns whether it was cut. */
bool plot_text_fit(char *out, size_t room, const char *text, double most, double size, bool bold);
/* Breaks text at spaces into at most `most_lines` lines of at most `width`; the last is cut by plot_add_text. Calls of *text move on: returns
 * the next line in out, false at the end. `last`: take all that is left. */
bool plot_text_line(char *out, size_t room, const char **text, double width, double size, bool bold, bool last);

/* svg.c, png.c */
int plot_drawing_svg(FILE *file, const plot_drawing *d, const char *class_name, const char *path, um_error *err);
int plot_drawing_png(FILE *file, const plot_drawing *d, const char *path, um_error *err);
/* Lengths of dashes and gaps of a line of this width; 0 of them where it is solid. */
int plot_dashes(double dash[4], um_plot_dash kind, double width);

/* layout.c: the whole plot; boxes (NULL: not wanted) get each panel's. */
int plot_layout(plot_drawing *d, um_plot_box *boxes, const um_plot *plot, double width, um_error *err);

#endif
