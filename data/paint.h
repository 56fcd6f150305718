/* Marks on pictures that people look at: surfaces, frames and letters of any size, with smooth edges. Places are in pixels, (0, 0) the
 * outer corner of the first one; what lies outside of the picture is left out. alpha: 1 covers, 0 leaves the picture as it is. */
#ifndef UM_DATA_PAINT_H
#define UM_DATA_PAINT_H

#include "data/image.h"

typedef struct um_paint {
  uint8_t rgb[3];
  double alpha;
} um_paint;

/* A pixel that is covered in part gets as much of the colour. */
void um_paint_rectangle(um_image *im, double x, double y, double width, double height, um_paint with);
/* The band of this thickness inside the rectangle's edges. */
void um_paint_frame(um_image *im, double x, double y, double width, double height, double thickness, um_paint with);

/* Letters drawn with a round pen: `size` is the height of a capital in pixels, `weight` the pen's width as a part of it (0.13; bold 0.18).
 * ASCII's letters and digits and . , : ; % / - + _ ( ) ? ! ' < > and the blank, which any other character becomes. x: the left edge of the
 * first letter; y: the upper edge of capitals; letters reach from y to y + size, their tails to y + 1.3 size. */
void um_paint_text(um_image *im, double x, double y, double size, double weight, const char *text, um_paint with);
/* How wide that is. */
double um_paint_text_width(double size, double weight, const char *text);

#endif
