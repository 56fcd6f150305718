/* From a video or picture to face crops: one code for extract and infer. */
#ifndef UM_DATA_FACES_H
#define UM_DATA_FACES_H

#include "data/haar.h"
#include "data/video.h"

/* The recipe's face: a centre (rounded) and a radius round((w + h) / 4); the crop is the square of side 2 r + 1 at (x - r, y - r). */
typedef struct um_face {
  um_box box;     /* of the detector, in the frame handed out */
  int x, y, side; /* the crop, margin included; may lie partly outside of the frame */
  int track;      /* -1: not tracked */
} um_face;

typedef struct um_face_options {
  char detector[32];  /* "haar-strict": the recipe's cascade alone; "haar": frames in which it finds nothing are looked at again with
                       * opencv-data's default frontal cascade, which keeps turned heads */
  double fps;         /* 0: all */
  double margin;      /* grows the radius by this share: r = round(r (1 + margin)); 0: the recipe's */
  bool all;           /* every face of a frame, or the largest only */
  int max_size;       /* 1000 */
  int size;           /* crops are resized to size x size; 0: as they are */
  int threads;        /* of the detector, a frame */
  int decode_threads; /* of the decoder; 0: auto */
} um_face_options;

/* Counts of what became of a video. */
typedef struct um_face_report {
  int64_t frames, frames_without_face, faces, damaged;
} um_face_report;

/* Called for each frame in order with its faces (count may be 0). rgb gives the frame's picture; crops are cut with um_face_crop.
 * A negative return stops the walk and is handed on. */
typedef int (*um_face_sink)(void *arg, const um_frame *frame, um_video *video, const um_face *face, int count, um_error *err);

typedef struct um_face_finder um_face_finder; /* detector loaded once, shared by threads */
int um_face_finder_open(um_face_finder **out, const um_face_options *o, um_error *err);
void um_face_finder_close(um_face_finder *f);
/* Walks one video or picture. */
int um_faces_walk(um_face_finder *f, const char *path, um_face_sink sink, void *arg, um_video_info *info, um_face_report *report,
                  um_error *err);

/* One grey picture: its faces, largest first (only that one unless `all`), malloc'd. */
int um_faces_in(um_face_finder *f, const uint8_t *grey, int width, int height, int stride, um_face **face, int *count, um_error *err);
/* Centre, radius and crop of a box. */
void um_face_from_box(um_face *face, const um_box *box, double margin);

/* Cuts the crop (edge-padded at the border) and resizes it where asked. */
int um_face_crop(um_image *out, const um_image *frame, const um_face *face, int size, um_error *err);

#endif
