/* Marks on pictures. */
#ifndef UM_DATA_DRAW_H
#define UM_DATA_DRAW_H

#include "data/image.h"

/* The outline of the square of `side` pixels at (x, y), red, dashed (8 pixels on, 8 off: R's lty "dashed" at lwd 2), 2 pixels wide,
 * the outer one on the square's edge; what lies outside of the picture is left out. */
void um_draw_box(um_image *im, int x, int y, int side);
/* The same line along the four sides of any quadrilateral (x, y), each from corner to corner. */
void um_draw_outline(um_image *im, const double corner[4][2]);
/* A dot of 3 x 3 pixels, green. */
void um_draw_point(um_image *im, double x, double y);
/* Black letters from (x, y), the upper left corner of the first, to the right, UM_TEXT_WIDTH each: digits, letters (small ones look like
 * capitals), - _ . : / and the blank, which any other character becomes. */
enum { UM_TEXT_WIDTH = 8, UM_TEXT_HEIGHT = 10 };
void um_draw_text(um_image *im, int x, int y, const char *text);

#endif
