/* What becomes of pictures and videos on their way to us, one thing at a time and at a given strength: the rungs of a robustness ladder.
 * (data/degrade.h is the same for training, on faces that are cut out, drawn at random.) docs/robustness.md says why these. */
#ifndef UM_DATA_DISTORT_H
#define UM_DATA_DISTORT_H

#include "data/image.h"

typedef enum um_distortion_kind {
  UM_DISTORT_H264,       /* x264's constant rate factor, 0 to 51 */
  UM_DISTORT_JPEG,       /* libjpeg's quality, 1 to 100 */
  UM_DISTORT_DOWNSCALE,  /* to so many percent of both sides and up again, as Pillow's bilinear resize does */
  UM_DISTORT_BLUR,       /* Gaussian, sigma in pixels, up to 20 */
  UM_DISTORT_NOISE,      /* Gaussian, sigma in 255ths, of each value by itself, up to 1000 */
  UM_DISTORT_BRIGHTNESS, /* percent more or less of each value, -100 to 300 */
  UM_DISTORT_CROP, /* so many percent of both sides are cut away, 0 to 99, what is left is scaled up to the whole; where it lies is drawn,
                            once for all frames of an input */
  UM_DISTORT_BORDERS, /* the whole, smaller by so many percent, 0 to 99, in the middle of black */
  UM_DISTORTIONS
} um_distortion_kind;

typedef struct um_distortion {
  um_distortion_kind kind;
  double strength; /* in the unit that stands beside the kind */
} um_distortion;

/* "h264", "jpeg", "downscale", "blur", "noise", "brightness", "crop", "borders"; NULL past the last. */
const char *um_distortion_name(int kind);

/* A thread's memory. */
typedef struct um_distorter um_distorter;
int um_distorter_open(um_distorter **out, um_error *err);
void um_distorter_close(um_distorter *d); /* NULL is fine */

/* Which picture it is: what is drawn depends on these numbers and this seed, and nothing else. */
enum { UM_DISTORT_SEED = 42 };
typedef struct um_distorted {
  uint32_t input, frame;
} um_distorted;

/* Changes the picture, which keeps its size, in place. With UM_DISTORT_H264 as um_reencode_picture does; videos go through
 * um_reencode whole instead. */
int um_distort(um_distorter *d, um_image *im, um_distortion how, um_distorted which, um_error *err);

/* Where the part that a crop leaves lies in a picture of this size. */
void um_distort_window(int *x, int *y, int *window_width, int *window_height, int width, int height, double percent, uint32_t input);

#endif
