/* The decoders behind um_image_decode, one file each; data is the whole file. */
#ifndef UM_DATA_IMAGE_FORMATS_H
#define UM_DATA_IMAGE_FORMATS_H

#include "data/image.h"

int um_png_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err);
int um_jpeg_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err);
/* P1 to P6: the two bytes are there. */
int um_pnm_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err);
/* BMP, TIFF, WebP. UM_EFORMAT where the content is none of them. */
int um_ffmpeg_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err);

#endif
