/* Keras' random transform (ImageDataGenerator): the draws of a sample, and the matrix that they mean in either generation. */
#ifndef UM_DATA_TRANSFORM_H
#define UM_DATA_TRANSFORM_H

#include "core/config.h"
#include "core/rng.h"

/* What is drawn, in the order of drawing. theta and shear in degrees, shifts in pixels. */
typedef struct um_transform {
  double theta, tx, ty, shear, zx, zy;
  bool flip_horizontal, flip_vertical;
} um_transform;

/* Draws 0..7 at `at`, in PARITY's order; both flip draws are always made. */
void um_transform_draw(um_transform *t, const um_rng *at, const um_augmentation_config *a, int height, int width);

/* The matrix about the generation's centre, output to input coordinates. */
void um_transform_matrix(um_warp_sample *s, const um_transform *t, um_semantics semantics, int height, int width);

#endif
