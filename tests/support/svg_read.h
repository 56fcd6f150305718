/* An SVG as plots write it, read back with expat, for tests; and where values of a plot lie. All fail the test that calls them where
 * something is wrong. */
#ifndef UM_TESTS_SUPPORT_SVG_READ_H
#define UM_TESTS_SUPPORT_SVG_READ_H

#include <stdbool.h>

#include "plot/display.h"

enum { SVG_ELEMENTS = 20000 };
typedef struct svg_element {
  char name[16], *path, *text; /* text: without that of a <title> inside, which is `title` */
  char *title, anchor[8], stroke[16], fill[16];
  double x, y, r, size, angle;
  bool bold;
} svg_element;

typedef struct svg_document {
  svg_element *at;
  int count, depth, in_title, open, ids; /* open: its text goes on */
  double width, height;
  char role[16];
} svg_document;

/* Well-formed, role="img", no id anywhere, <title> and <desc> first. */
svg_document svg_parse(const char *svg);
void svg_free(svg_document *d);
svg_document svg_draw(const um_plot *p); /* um_plot_svg, parsed */
int svg_count(const svg_document *d, const char *name);
const svg_element *svg_find_text(const svg_document *d, const char *text); /* NULL: there is none */
/* The points of all lines (paths that are not filled) of a stroke colour; *parts: how many lines they make. */
int svg_points(plot_point *p, int room, int *parts, const svg_document *d, const char *stroke);

/* um_plot_box_of, and where a value is in it. */
um_plot_box plot_box(const um_plot *p, int panel);
double plot_x(const um_plot_box *b, double v);
double plot_y(const um_plot_box *b, double v);

#define NEAR(got, expected)                                                                                                                \
  do {                                                                                                                                     \
    const double g_ = (got), e_ = (expected);                                                                                              \
    if (!(fabs(g_ - e_) <= .0051)) fail_msg("%s: got %.6f, expected %.6f", #got, g_, e_); /* two decimals are written */                   \
  } while (0)

#endif
