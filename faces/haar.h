/* Haar cascades (Viola & Jones 2001; Lienhart & Maydt 2002) on integral images, matching OpenCV 4.6's CascadeClassifier with
 * CASCADE_SCALE_IMAGE. Reads opencv-data's XML in both of its formats, stumps and trees, tilted features included. */
#ifndef UM_FACES_HAAR_H
#define UM_FACES_HAAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct um_haar um_haar; /* a loaded cascade: read-only, shared by threads */

typedef struct um_box {
  int x, y, width, height;
  double score;
} um_box;

typedef struct um_haar_options {
  double scale_factor; /* 1.1 */
  int min_neighbours;  /* 2 */
  int min_size;        /* 30 */
  int max_size;        /* 0: none */
  bool equalize;       /* true: as cv::equalizeHist before */
  int threads;         /* 1 or more */
} um_haar_options;

int um_haar_load(um_haar **out, const char *path, um_error *err);
void um_haar_free(um_haar *h);
/* Boxes in a grey picture, malloc'd in *box (NULL where there are none), in reading order. score: the number of raw hits that were grouped. */
int um_haar_detect(const um_haar *h, const uint8_t *grey, int width, int height, int stride, const um_haar_options *o, um_box **box,
                   int *count, um_error *err);
/* Where haarcascade_frontalface_alt.xml lies on this machine (Debian's opencv-data and a few usual places, $UM_CASCADES first). */
int um_haar_find(char *path, size_t size, const char *name, um_error *err);

#endif
