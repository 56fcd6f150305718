/* Plots. A plot is plain data: panels with axes, series, marks and shaded spans. It is laid out once, and that drawing is written as SVG (text
 * stays text; no ids, no style sheet and no script, so that any number of plots can stand in one HTML page) and as PNG through cairo. Nothing
 * here knows what the numbers mean; plot/evaluation_plots.h and plot/timeline.h make plots of scores.
 *
 *     const double x[] = {1, 2, 3}, y[] = {.9, .6, .5};
 *     const um_plot_series line = {.name = "training", .x = x, .y = y, .count = 3};
 *     const um_plot_panel panel = {.title = "loss", .x = {.name = "epoch", .unit = UM_PLOT_WHOLE}, .series = &line, .series_count = 1};
 *     const um_plot plot = {.title = "a run", .panels = &panel, .panel_count = 1};
 *     status = um_plot_write(&plot, "reports", "run", &err);   // reports/run.svg and reports/run.png
 *
 * A struct set to zero is a good beginning: every field's 0 means "as usual". Strings are UTF-8; what is not, and control characters, is
 * replaced. The plot and what it points to are the caller's and only read, but for plots that a maker made (um_plot_free). Lengths are
 * in CSS pixels: units of the SVG's viewBox, half a pixel of the PNG each. */
#ifndef UM_PLOT_PLOT_H
#define UM_PLOT_PLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* Colours that people who see colours differently tell apart (Okabe & Ito 2008): 0xRRGGBB. */
enum { UM_PLOT_FAKE = 0xd55e00, UM_PLOT_REAL = 0x0072b2, UM_PLOT_UNCERTAIN = 0x8a8a8a };

typedef enum um_plot_unit {
  UM_PLOT_NUMBER,
  UM_PLOT_WHOLE,   /* ticks at whole numbers only: epochs, counts */
  UM_PLOT_PERCENT, /* 0.5 reads 50 % */
  UM_PLOT_TIME     /* seconds; 90 reads 1:30 */
} um_plot_unit;

typedef struct um_plot_axis {
  const char *name; /* NULL: none */
  double low, high; /* NaN: from the data; equal (as both 0): both from the data */
  um_plot_unit unit;
  const char *const *names; /* x alone: the values 0, 1, ... names_count - 1 are categories with these names */
  int names_count;
} um_plot_axis;

typedef enum um_plot_kind {
  UM_PLOT_LINE,   /* straight between the points */
  UM_PLOT_STEPS,  /* y[i] holds from x[i] to x[i + 1] */
  UM_PLOT_POINTS, /* not joined */
  UM_PLOT_BARS,   /* from 0; those of several series stand side by side. Solid: filled; other dashes: hatched */
  UM_PLOT_AREA    /* a line with what lies between it and 0 tinted */
} um_plot_kind;

/* So that a plot without its colours can be read, too. */
typedef enum um_plot_dash { UM_DASH_AUTO, UM_DASH_SOLID, UM_DASH_DASHED, UM_DASH_DOTTED, UM_DASH_MIXED } um_plot_dash;
typedef enum um_plot_marker {
  UM_MARKER_AUTO, /* lines: none; points: by the series' place in the panel */
  UM_MARKER_CIRCLE,
  UM_MARKER_SQUARE,
  UM_MARKER_TRIANGLE,
  UM_MARKER_DIAMOND
} um_plot_marker;

typedef struct um_plot_series {
  const char *name; /* in the legend; NULL: not in it */
  um_plot_kind kind;
  uint32_t colour;       /* 0: the next of a palette */
  um_plot_dash dash;     /* AUTO: solid where a colour is given, else the next */
  um_plot_marker marker; /* markers carry their numbers as <title>; on a line with more of them than have room only some are drawn */
  double width;          /* of the line; 0: 2 */
  double fill;           /* how dense the tint below steps or an area is, 0 to 1; 0: none for steps, .2 for an area */
  const double *x, *y;   /* x NULL: 0, 1, ...; where one of the two is not finite (or beyond 1e100) there is a gap */
  const double *low,
      *high; /* an interval of each y: a tinted band of lines, whiskers of points and bars; both or neither NULL; NaN: none */
  int count;
} um_plot_series;

/* A line across the panel at a value of one axis. */
typedef struct um_plot_mark {
  double at;
  bool horizontal; /* at is a y */
  const char *label;
  uint32_t colour;   /* 0: dark grey */
  um_plot_dash dash; /* AUTO: dashed */
} um_plot_mark;

/* A shaded part of the panel, behind everything. */
typedef struct um_plot_span {
  double low, high; /* -INFINITY and INFINITY reach to the panel's edge */
  bool horizontal;  /* low and high are y; the label stands at the right */
  const char *label;
  uint32_t colour; /* 0: grey */
  double density;  /* 0 to 1; 0: .12 */
} um_plot_span;

typedef struct um_plot_panel {
  const char *title;
  um_plot_axis x, y;
  bool square;   /* the box is as high as it is wide */
  double height; /* of the box; 0: two thirds of its width, within limits */
  const um_plot_series *series;
  int series_count;
  const um_plot_mark *marks;
  int mark_count;
  const um_plot_span *spans;
  int span_count;
} um_plot_panel;

typedef struct um_plot {
  const char *title, *description; /* description: for those who do not see the plot; NULL: made of the numbers */
  double width; /* it is laid out for; 0: 460 with one panel, 860 with more. A phone shows 320 to 360. Text keeps its size */
  int columns;  /* 0: as many panels beside each other as have room */
  const um_plot_panel *panels;
  int panel_count;
  void *memory; /* of a plot that a maker made: what um_plot_free frees; else NULL */
} um_plot;

/* The plot as <svg>...</svg>, malloc'd: to be put into an HTML page as it is, or into a file. It scales with what it stands in, up to its
 * own width. */
int um_plot_svg(char **svg, const um_plot *plot, um_error *err);
/* Twice: for windows from its width on and, laid out for a phone, for narrower ones; wrapped in a <div>, with a style that hides one. */
int um_plot_html(char **html, const um_plot *plot, um_error *err);
/* DIR/NAME.svg and DIR/NAME.png (twice as many pixels as the SVG has units). */
int um_plot_write(const um_plot *plot, const char *dir, const char *name, um_error *err);
/* For plots of makers; harmless on others. */
void um_plot_free(um_plot *plot);

/* Where in the drawing the box of a panel lies and which values its edges have: a value v of x is at left + width * (v - x_low) /
 * (x_high - x_low). */
typedef struct um_plot_box {
  double left, top, width, height, x_low, x_high, y_low, y_high;
} um_plot_box;
int um_plot_box_of(um_plot_box *box, const um_plot *plot, int panel, um_error *err);

/* Ticks: the multiples between low and high of the smallest step that is a power of ten times 1, 2 or 5 (of time: what clocks have) and gives at
 * most `most` steps. Writes up to `room` of them and returns how many; 0 where low < high does not hold. */
int um_plot_ticks(double *tick, int room, double low, double high, int most, um_plot_unit unit);

#endif
