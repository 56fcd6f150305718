#include "data/grid.h"

#include <math.h>
#include <string.h>

#include "data/image.h"

#define GAP 2 /* white pixels between pictures */

/* y = value * scale - mean, taken back. A value that is not a number shows as black. */
static uint8_t undo(float y, float mean, float scale) {
  float v = scale != 0 ? (y + mean) / scale : 0;
  return v >= 255 ? 255 : v > 0 ? (uint8_t)lrintf(v) : 0;
}

int um_grid_write(const float *nhwc, int n, int height, int width, const um_warp *how, const char *path, um_error *err) {
  um_image grid = {0};
  if (n < 1 || height < 1 || width < 1 || (int64_t)height * width > UM_IMAGE_MAX_PIXELS || n > UM_IMAGE_MAX_PIXELS)
    return um_fail(err, UM_EINTERNAL, "%s: no grid of %d pictures of %d x %d", path, n, height, width);
  int columns = (int)ceil(sqrt(n)), rows = (n - 1) / columns + 1;
  int64_t grid_width = (int64_t)columns * (width + GAP) - GAP, grid_height = (int64_t)rows * (height + GAP) - GAP;
  if (grid_width > UM_IMAGE_MAX_PIXELS || grid_height > UM_IMAGE_MAX_PIXELS)
    return um_fail(err, UM_EINTERNAL, "%s: no grid of %d pictures of %d x %d", path, n, height, width);
  int status = um_image_alloc(&grid, (int)grid_width, (int)grid_height, err);
  if (status < 0) return um_fail_context(err, "%s", path);
  memset(grid.pixels, 255, (size_t)grid_width * (size_t)grid_height * 3);
  for (int i = 0; i < n; i++) {
    int left = i % columns * (width + GAP), top = i / columns * (height + GAP);
    for (int y = 0; y < height; y++) {
      const float *from = nhwc + ((size_t)i * (size_t)height + (size_t)y) * (size_t)width * 3;
      uint8_t *to = grid.pixels + ((size_t)(top + y) * (size_t)grid_width + (size_t)left) * 3;
      for (int x = 0; x < width; x++, from += 3, to += 3)
        for (int c = 0; c < 3; c++) to[how->bgr ? 2 - c : c] = undo(from[c], how->mean[c], how->scale);
    }
  }
  status = um_image_write_png(&grid, path, err);
  um_image_free(&grid);
  return status;
}
