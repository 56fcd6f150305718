#include "data/grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/draw.h"
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

/* The items that are shown, ascending; returns their number. Every group gets `share`, and of what that leaves over the first groups that
 * have more one each. */
static int choose(int *shown, const um_sheet_item *item, int count, int most) {
  int share = 0, over = most, n = 0;
  for (bool more = true; more; share++) { /* one more for each group that has it, while all of these can have it */
    int wish = 0;
    for (int i = 0, size; i < count; i += size) {
      for (size = 1; i + size < count && item[i + size].group == item[i].group; size++) {}
      wish += size > share;
    }
    more = wish > 0 && wish <= over;
    if (!more) break;
    over -= wish;
  }
  for (int i = 0, size; i < count; i += size) {
    for (size = 1; i + size < count && item[i + size].group == item[i].group; size++) {}
    int take = size < share ? size : share;
    if (size > take && over > 0) take++, over--;
    for (int k = 0; k < take; k++) shown[n++] = i + (int)((2 * (int64_t)k + 1) * size / (2 * (int64_t)take));
  }
  return n;
}

/* A picture into its cell, scaled to fit, in the middle. */
static int place(um_image *sheet, int left, int top, int side, const um_sheet_item *item, um_error *err) {
  um_image im = {0}, scaled = {0};
  int r = um_image_read(&im, item->path, err);
  if (r < 0) return r;
  const double scale = (double)side / (im.width > im.height ? im.width : im.height);
  const int width = (int)fmax(1, lrint(im.width * scale)), height = (int)fmax(1, lrint(im.height * scale));
  if ((r = um_image_alloc(&scaled, width, height, err)) == UM_OK) r = um_resize(scaled.pixels, height, width, &im, UM_BILINEAR, err);
  for (int y = 0; r == UM_OK && y < height; y++)
    memcpy(sheet->pixels + ((size_t)(top + (side - height) / 2 + y) * (size_t)sheet->width + (size_t)(left + (side - width) / 2)) * 3,
           scaled.pixels + (size_t)y * (size_t)width * 3, (size_t)width * 3);
  um_image_free(&im);
  um_image_free(&scaled);
  return r;
}

int um_contact_sheet_write(const char *path, const um_sheet_item *item, int count, int most, int side, um_error *err) {
  enum { QUALITY = 90, LABEL = UM_TEXT_HEIGHT + 4 };
  um_image sheet = {0};
  if (count < 1 || most < 1 || side < 8 || side > 4096 || most > 1 << 20)
    return um_fail(err, UM_EINTERNAL, "%s: no sheet of %d of %d pictures of %d pixels", path, most, count, side);
  int *shown = malloc((size_t)(most < count ? most : count) * sizeof *shown);
  if (!shown) return um_fail(err, UM_ENOMEM, "%s: no memory for %d pictures", path, most);
  const int n = choose(shown, item, count, most), columns = (int)ceil(sqrt(n)), rows = (n - 1) / columns + 1;
  int r = um_image_alloc(&sheet, columns * (side + GAP) - GAP, rows * (side + LABEL + GAP) - GAP, err);
  if (r < 0) goto done;
  memset(sheet.pixels, 255, (size_t)sheet.width * (size_t)sheet.height * 3);
  for (int i = 0; r == UM_OK && i < n; i++) {
    const um_sheet_item *at = &item[shown[i]];
    const int left = i % columns * (side + GAP), top = i / columns * (side + LABEL + GAP);
    char label[512];
    size_t fits = (size_t)side / UM_TEXT_WIDTH;
    if (fits >= sizeof label) fits = sizeof label - 1;
    r = place(&sheet, left, top, side, at, err);
    if (!at->label) continue;
    const size_t length = strlen(at->label);
    strcpy(label, length > fits ? at->label + length - fits : at->label); /* of a long one its end */
    um_draw_text(&sheet, left, top + side + 2, label);
  }
  if (r == UM_OK) r = um_image_write_jpeg(&sheet, path, QUALITY, err);
done:
  free(shown);
  um_image_free(&sheet);
  return r;
}
