/* Marks on pictures. */
#ifndef UM_DATA_DRAW_H
#define UM_DATA_DRAW_H

#include "data/image.h"

/* The outline of the square of `side` pixels at (x, y), red, dashed (8 pixels on, 8 off: R's lty "dashed" at lwd 2), 2 pixels wide,
 * the outer one on the square's edge; what lies outside of the picture is left out. */
void um_draw_box(um_image *im, int x, int y, int side);

#endif
