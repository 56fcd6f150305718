/* A picture of a batch as the model sees it: augmented.png. */
#ifndef UM_DATA_GRID_H
#define UM_DATA_GRID_H

#include "core/error.h"
#include "core/ops.h"

/* Writes the n pictures of a warped batch (n x height x width x 3 floats, in host memory) as one PNG, side by side with a thin line
 * between them, undoing how's scale, mean and channel order. */
int um_grid_write(const float *nhwc, int n, int height, int width, const um_warp *how, const char *path, um_error *err);

#endif
