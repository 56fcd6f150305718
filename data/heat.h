/* Heat maps as pictures. */
#ifndef UM_DATA_HEAT_H
#define UM_DATA_HEAT_H

#include "data/image.h"

/* The colour of a value from 0 (dark blue) over green to 1 (dark red), RGB: the Turbo map (Mikhailov, "Turbo, An Improved Rainbow
 * Colormap for Visualization", 2019) by the polynomials that were published with it, within 22 of 255 of its table, 32 at the dark end.
 * What lies outside is as at the end. */
void um_heat_colour(uint8_t rgb[3], double value);

/* Colours over a picture: heat is height x width (the picture's) of values from 0 to 1. Where it is 0 the picture stays as it is; the
 * colours become denser with the heat, up to 3 in 5 parts. */
void um_heat_overlay(um_image *im, const float *heat);

/* A picture to look at: the face, beside it the same face with the heat over it, and below both, on white, a line of text (um_draw_text).
 * Each is `side` pixels high or wide, whichever is more, and the heat, height x width, is made as large as the face. out is {0} or an
 * earlier picture. */
int um_heat_picture(um_image *out, const um_image *face, const float *heat, int height, int width, int side, const char *text,
                    um_error *err);

#endif
