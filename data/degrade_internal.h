/* What the files of the degradations share. */
#ifndef UM_DATA_DEGRADE_INTERNAL_H
#define UM_DATA_DEGRADE_INTERNAL_H

#include "data/degrade.h"
#include "data/image.h"

enum { UM_NOISE_LEVELS = 1024 };

struct um_degrader {
  int height, width;
  float *values, *scratch; /* the picture as floats; what blurring it needs */
  uint8_t *small;          /* a smaller picture */
  um_image decoded;
  uint8_t *jpeg;
  size_t jpeg_capacity;
  float normal[UM_NOISE_LEVELS];
};

/* Compresses into d->jpeg, which grows as needed; *size gets the bytes. */
int um_jpeg_encode(um_degrader *d, size_t *size, const uint8_t *pixels, int quality, um_error *err);

#endif
