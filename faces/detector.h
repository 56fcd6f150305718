/* What finds faces in a picture: one interface over Haar cascades, MTCNN and others. */
#ifndef UM_FACES_DETECTOR_H
#define UM_FACES_DETECTOR_H

#include "core/ops.h"
#include "data/image.h"

/* Points of a face, left and right as seen in the picture. */
typedef enum um_face_point {
  UM_POINT_LEFT_EYE,
  UM_POINT_RIGHT_EYE,
  UM_POINT_NOSE,
  UM_POINT_MOUTH_LEFT,
  UM_POINT_MOUTH_RIGHT,
  UM_POINTS
} um_face_point;

/* In pixels of the picture: x to the right, y down, (0, 0) the outer corner of the first pixel. */
typedef struct um_detection {
  double x, y, width, height;
  double score; /* mtcnn: 0 to 1; haar: how many raw hits were grouped */
  bool has_points;
  double point[UM_POINTS][2];
} um_detection;

/* A picture to look at: 8 bits, dense rows. A detector looks at one of the two. */
typedef struct um_view_of_frame {
  int width, height;
  const uint8_t *rgb;  /* width x height x 3; NULL where the detector does not want it */
  const uint8_t *grey; /* luma, rows grey_stride bytes apart; NULL likewise */
  int grey_stride;
} um_view_of_frame;

/* Faces of one picture, largest first. */
typedef struct um_found {
  um_detection *item; /* malloc'd; NULL where there are none */
  int count;
} um_found;

typedef struct um_detector_options {
  const char *name;    /* "haar", "haar-strict", "mtcnn" ... */
  int min_face;        /* pixels; 0: its own least (haar 30, mtcnn 20) */
  int threads;         /* of one find */
  um_backend *backend; /* what networks compute on; NULL: the cpu backend with `threads` threads, opened and closed by the detector */
} um_detector_options;

typedef struct um_detector um_detector;
struct um_detector {
  const char *name;
  bool probability; /* scores are from 0 to 1 */
  bool rgb;         /* looks at the colour picture, else at the grey one */
  int at_once;      /* pictures that find is best given together */
  /* Faces of `count` pictures, found[i] of the i-th; several threads may call it at the same time. On failure nothing is to be freed. */
  int (*find)(um_detector *d, um_found *found, const um_view_of_frame *picture, int count, um_error *err);
  void (*close)(um_detector *d);
};

/* UM_ECONFIG for a name that is none (the message lists them), UM_EIO with what to do where its files are not there. */
int um_detector_open(um_detector **out, const um_detector_options *o, um_error *err);
void um_detector_close(um_detector *d); /* NULL is fine */
/* The best detector whose files are here: "mtcnn" where its weights are, else "haar". */
const char *um_detector_best(void);
/* The names, "haar", ...; NULL past the last. */
const char *um_detector_name(int i);
/* The files (weights, cascades) that the detector of this name is made of, as um_detector_open would find them; failures as there. */
enum { UM_DETECTOR_FILES = 3 };
int um_detector_files(char path[UM_DETECTOR_FILES][4096], int *count, const char *name, um_error *err);

/* The detectors' own openers. */
int um_haar_detector_open(um_detector **out, const um_detector_options *o, um_error *err);  /* haar_detector.c */
int um_mtcnn_detector_open(um_detector **out, const um_detector_options *o, um_error *err); /* mtcnn_detector.c */
int um_haar_detector_files(char path[UM_DETECTOR_FILES][4096], int *count, const char *name, um_error *err);
int um_mtcnn_detector_files(char path[UM_DETECTOR_FILES][4096], int *count, const char *name, um_error *err);
bool um_mtcnn_there(void); /* its weights, verified */

/* Sorts largest first; equal ones by score, then by place, so that the order never depends on chance. */
void um_found_sort(um_found *f);

#endif
