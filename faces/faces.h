/* From a video or picture to face crops: one code for extract, infer and training. */
#ifndef UM_FACES_FACES_H
#define UM_FACES_FACES_H

#include "core/face_settings.h"
#include "data/video.h"
#include "faces/track.h"

typedef struct um_face {
  um_detection at; /* in the frame handed out */
  int track;       /* who: an index into the walk's um_tracks; a person is one track of a video */
} um_face;

/* Where a crop lies: a rectangle of the frame, which may lie partly outside of it, turned by `angle` around its centre. */
typedef struct um_crop {
  double x, y, width, height; /* before turning; width and height are whole numbers, x and y where angle is 0 */
  double angle;               /* radians, clockwise as seen */
} um_crop;

/* Changes a frame before faces are looked for: they are found in, and cut out of, what it leaves; the size stays. arg is the walk's;
 * number the frame's, of a frame that repeats another that one's. 1: it left the frame as it was. */
typedef int (*um_frame_change)(void *arg, um_image *frame, int64_t number, um_error *err);

typedef struct um_face_options {
  um_face_settings settings;
  int threads;            /* of the detector, a frame */
  int decode_threads;     /* of the decoder; 0: auto */
  um_backend *backend;    /* of the detector's networks; see um_detector_options */
  bool always_rgb;        /* frames without a face are handed out in colour, too */
  um_frame_change change; /* NULL: frames stay as they are */
} um_face_options;

/* Counts of what became of a video. faces = kept + what was dropped. */
typedef struct um_face_report {
  int64_t frames, frames_without_face, damaged;
  int64_t faces;          /* handed out */
  int64_t fate[UM_FATES]; /* of these: kept, and dropped for which reason */
  int64_t not_largest;    /* found, but not handed out, as a larger one was in the frame */
  int64_t without_points; /* handed out although settings.align wants eyes and there are none: cropped upright */
  int people, cuts;       /* tracks that are kept; changes of the shot */
} um_face_report;

/* A frame with its faces (count may be 0), in order. image is NULL where there are none (but with always_rgb). */
typedef struct um_face_frame {
  int64_t number;
  double time_s;
  double shown_s; /* when the video itself shows this picture: time_s is that of the sampling at a frame rate */
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
/* Walks one video or picture, with the frames' pictures in memory only while they are looked at. info is filled before the first frame.
 * Which faces are kept is known at the end only: the sink gets each with its track's number, and then tracks (may be NULL) and report
 * (may be NULL) say what became of it; a caller drops what it made of the faces for which um_track_kept is false. They are filled too
 * where the walk fails on the way.
 * Dropped are, with UM_FACES_MAIN, the people but one, and background: a track of one picture where the shot has another picture within a
 * second of it. Never dropped as background is a face of a still, and with the detector "haar-strict" and UM_FACES_LARGEST, as the recipe
 * has it, nothing is dropped. */
int um_faces_walk(um_face_finder *f, const char *path, um_face_sink sink, void *arg, um_video_info *info, um_tracks *tracks,
                  um_face_report *report, um_error *err);

/* crop.c: where the crop of a face lies, and its pixels (edges repeated beyond the border), resized where the settings say so. With
 * settings.align a face that has points is turned around its box's centre until its eyes are level. */
void um_face_crop_place(um_crop *crop, const um_detection *face, const um_face_settings *s);
int um_face_crop(um_image *out, const um_image *frame, const um_detection *face, const um_face_settings *s, um_error *err);
/* The corners in the frame, from the crop's upper left one clockwise: for um_draw_outline. */
void um_face_crop_corners(double corner[4][2], const um_crop *crop);
/* The face's points in pixels of the crop that um_face_crop makes, (0, 0) the outer corner of its first pixel; they may lie outside of
 * it. False without points. */
bool um_face_crop_points(double point[UM_POINTS][2], const um_detection *face, const um_face_settings *s);
/* "41 faces of 2 people kept, 3 dropped: 2 seen in one frame only, 1 not the main person" */
void um_face_report_text(char *text, size_t size, const um_face_report *r);

#endif
