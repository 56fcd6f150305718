/* Pictures in memory and their formats: PNG through libpng, JPEG through libjpeg-turbo, anything else through FFmpeg. */
#ifndef UM_DATA_IMAGE_H
#define UM_DATA_IMAGE_H

#include "core/config.h"
#include "core/error.h"

/* height x width x 3 bytes, RGB, dense, row-major. */
typedef struct um_image {
  uint8_t *pixels; /* malloc'd; NULL when empty */
  int width, height;
} um_image;

void um_image_free(um_image *im);
int um_image_alloc(um_image *im, int width, int height, um_error *err);

/* Decodes a file by content, not by name, into RGB as Pillow's convert("RGB") does (alpha dropped, grey and palette expanded, 16
 * bits reduced to 8). Pictures above 2^28 pixels are refused before memory is asked for; a truncated file is UM_EFORMAT. */
int um_image_read(um_image *im, const char *path, um_error *err);
int um_image_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err);

int um_image_write_png(const um_image *im, const char *path, um_error *err); /* temporary file, then renamed */
int um_image_write_jpeg(const um_image *im, const char *path, int quality, um_error *err);

/* As Pillow resizes. Nearest: a = in/out in double, source = a/2, then += a, truncated. Bilinear: Pillow's antialiased two-pass
 * filter with its fixed-point rounding. out: height x width x 3. */
int um_resize(uint8_t *out, int out_height, int out_width, const um_image *in, um_interpolation how, um_error *err);

#endif
