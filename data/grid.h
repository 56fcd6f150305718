/* Many pictures as one: a batch as the model sees it (augmented.png), a sheet of crops (contact_sheet.jpg). */
#ifndef UM_DATA_GRID_H
#define UM_DATA_GRID_H

#include "core/error.h"
#include "core/ops.h"

/* Writes the n pictures of a warped batch (n x height x width x 3 floats, in host memory) as one PNG, side by side with a thin line
 * between them, undoing how's scale, mean and channel order. */
int um_grid_write(const float *nhwc, int n, int height, int width, const um_warp *how, const char *path, um_error *err);

typedef struct um_sheet_item {
  const char *path;  /* of a picture */
  const char *label; /* written below it (see um_draw_text), of a long one its end; NULL: none */
  int group;         /* of a video: items of a group follow one another */
} um_sheet_item;

/* Writes up to `most` of the pictures as one JPEG, each scaled to fit side x side, in the order of the items. They are taken evenly: as
 * many of each group as of the others (of a small one all), and within a group spread over it. A picture that cannot be read is an
 * error. */
int um_contact_sheet_write(const char *path, const um_sheet_item *item, int count, int most, int side, um_error *err);

#endif
