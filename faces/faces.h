/* From a video or picture to face crops: one code for extract, infer and training. */
#ifndef UM_FACES_FACES_H
#define UM_FACES_FACES_H

#include "core/face_settings.h"
#include "data/video.h"
#include "faces/detector.h"

typedef struct um_face {
  um_detection at; /* in the frame handed out */
  int track;       /* who: a person is one track of a video; -1: not tracked */
} um_face;

/* Where a crop lies: a rectangle of the frame, which may lie partly outside of it, turned by `angle` around its centre. */
typedef struct um_crop {
  double x, y, width, height; /* before turning; whole numbers where angle is 0 */
  double angle;               /* radians, clockwise as seen */
} um_crop;

typedef struct um_face_options {
  um_face_settings settings;
  int threads;         /* of the detector, a frame */
  int decode_threads;  /* of the decoder; 0: auto */
  um_backend *backend; /* of the detector's networks; see um_detector_options */
  bool always_rgb;     /* frames without a face are handed out in colour, too */
} um_face_options;

/* Counts of what became of a video. */
typedef struct um_face_report {
  int64_t frames, frames_without_face, faces, damaged;
} um_face_report;

/* A frame with its faces (count may be 0), in order. image is NULL where there are none (but with always_rgb). */
typedef struct um_face_frame {
  int64_t number;
  double time_s;
  int width, height;
  const um_image *image;
  const um_face *face;
  int count;
} um_face_frame;

/* A negative return stops the walk and is handed on. */
typedef int (*um_face_sink)(void *arg, const um_face_frame *frame, um_error *err);

typedef struct um_face_finder um_face_finder; /* detector loaded once, shared by threads */
int um_face_finder_open(um_face_finder **out, const um_face_options *o, um_error *err);
void um_face_finder_close(um_face_finder *f);
/* Walks one video or picture. info is filled before the first frame. */
int um_faces_walk(um_face_finder *f, const char *path, um_face_sink sink, void *arg, um_video_info *info, um_face_report *report,
                  um_error *err);

/* crop.c: where the crop of a face lies, and its pixels (edges repeated beyond the border), resized where the settings say so. */
void um_face_crop_place(um_crop *crop, const um_detection *face, const um_face_settings *s);
int um_face_crop(um_image *out, const um_image *frame, const um_detection *face, const um_face_settings *s, um_error *err);

#endif
