/* Pictures in memory and their formats: PNG through libpng, JPEG through libjpeg-turbo, PNM here, BMP, TIFF and WebP through FFmpeg. */
#ifndef UM_DATA_IMAGE_H
#define UM_DATA_IMAGE_H

#include "core/config.h"
#include "core/error.h"

/* height x width x 3 bytes, RGB, dense, row-major. Start it as {0}. */
typedef struct um_image {
  uint8_t *pixels; /* malloc'd; NULL when empty */
  int width, height;
  size_t capacity; /* bytes that pixels holds room for: a picture that is filled again keeps its memory where it suffices */
} um_image;

#define UM_IMAGE_MAX_PIXELS (1 << 28)

void um_image_free(um_image *im);
/* Makes room for width x height (pixels undefined). im is {0} or holds an earlier picture. UM_EFORMAT where a side is below 1 or the
 * picture is above UM_IMAGE_MAX_PIXELS; im is as it was on failure. */
int um_image_alloc(um_image *im, int width, int height, um_error *err);

/* Decodes a file by content, not by name, into RGB as Pillow's convert("RGB") does: alpha dropped, grey and palette expanded, 16
 * bits reduced to their high byte (but grey of 16 bits is clipped at 255, as Pillow does), CMYK by Pillow's formula, EXIF
 * orientation and colour profiles not applied. Equal to Pillow's to the byte, but for lossy WebP, CMYK TIFF and BMP of 16 bits (other rounding). Pictures above UM_IMAGE_MAX_PIXELS are refused before memory is asked for;
 * a truncated file is UM_EFORMAT. im is {0} or an earlier picture, whose memory is used again. */
int um_image_read(um_image *im, const char *path, um_error *err);
int um_image_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err);

/* um_image_read for many files in a row: the file's bytes go through a buffer that is kept. Start it as {0}. */
typedef struct um_image_buffer {
  uint8_t *data;
  size_t capacity;
} um_image_buffer;
int um_image_read_with(um_image *im, um_image_buffer *buffer, const char *path, um_error *err);
void um_image_buffer_free(um_image_buffer *buffer);

int um_image_write_png(const um_image *im, const char *path, um_error *err);              /* temporary file, then renamed */
int um_image_encode_png(uint8_t **data, size_t *size, const um_image *im, um_error *err); /* the same bytes in memory, malloc'd */
int um_image_write_jpeg(const um_image *im, const char *path, int quality, um_error *err);
int um_image_encode_jpeg(uint8_t **data, size_t *size, const um_image *im, int quality, um_error *err); /* the same bytes, malloc'd */

/* As Pillow resizes. Nearest: a = in/out in double, source = a/2, then += a, truncated. Bilinear: Pillow's antialiased two-pass
 * filter with its fixed-point rounding. out: height x width x 3. */
int um_resize(uint8_t *out, int out_height, int out_width, const um_image *in, um_interpolation how, um_error *err);

/* As OpenCV's cvtColor makes grey of RGB on 8 bits. out: height x width. */
void um_image_grey(uint8_t *out, const um_image *in);

#endif
