/* Inside the layout: scales, and what draws a panel's series into its box. */
#ifndef UM_PLOT_PANEL_H
#define UM_PLOT_PANEL_H

#include "plot/display.h"

enum { PLOT_TICKS = 64, PLOT_LABEL = 48, PLOT_TEXT_SIZE = 12, PLOT_LINE_HEIGHT = 16 };
#define PLOT_INK   0x333333
#define PLOT_GRID  0xe4e4e4
#define PLOT_FRAME 0x8c8c8c

typedef struct plot_scale {
  double low, high; /* values at the edges */
  double from, to;  /* pixels there */
  double tick[PLOT_TICKS];
  char label[PLOT_TICKS][PLOT_LABEL];
  int ticks;
} plot_scale;

double plot_pixel(const plot_scale *s, double value);
/* What is drawn at all: finite and within 1e100. */
bool plot_drawable(double v);
/* The value as a person reads it, `digits` significant ones of a number. */
const char *plot_value_text(char text[PLOT_LABEL], double v, um_plot_unit unit, int digits);
/* Edges from the axis and the data; ticks as many as give at most `most` steps, and automatic edges of y moved out to ticks. */
void plot_scale_set(plot_scale *s, const um_plot_panel *p, bool is_x, int most);

/* How a series looks: what was left to us is chosen. */
typedef struct plot_look {
  uint32_t colour;
  um_plot_dash dash;
  um_plot_marker marker; /* AUTO: none */
  double width, fill;
} plot_look;
plot_look plot_look_of(const um_plot_panel *p, int series);
double plot_x_of(const um_plot_series *s, int i);
/* The least distance of two neighbours among the x; 1 where there is none. */
double plot_spacing(const um_plot_series *s);

/* Everything of a series that lies in the box. */
void plot_draw_series(plot_drawing *d, const um_plot_panel *p, int series, const plot_scale *x, const plot_scale *y);
/* Its sample in a legend, 26 wide, about y. */
void plot_draw_sample(plot_drawing *d, const um_plot_panel *p, int series, double x, double y);
/* How many of the series' points and lines a rectangle would cover. */
int plot_covered(const um_plot_panel *p, const plot_scale *x, const plot_scale *y, double left, double top, double width, double height);

/* clip.c: the part of a line within a rectangle: false where there is none. */
typedef struct plot_window {
  double left, top, right, bottom;
} plot_window;
bool plot_clip_line(plot_point *a, plot_point *b, const plot_window *w);
/* Of a polygon (Sutherland & Hodgman 1974): out and scratch have room for 6 n + 16. Returns its points. */
int plot_clip_polygon(plot_point *out, plot_point *scratch, const plot_point *p, int n, const plot_window *w);
/* A line (no NaN) less the points that make no difference on the screen: of each half pixel's column the first, the lowest, the highest
 * and the last stay (Jugel et al., "M4", 2014), and of straight runs along an axis the ends. In place; returns how many. */
int plot_thin(plot_point *p, int n);

#endif
