/* infer --annotate: copies of the inputs with what was found drawn on them. */
#ifndef UM_INFER_ANNOTATE_H
#define UM_INFER_ANNOTATE_H

#include "infer/infer.h"

/* annotate.c. Where the copy of each input goes; NULL: it is neither video nor picture. */
typedef struct annotation {
  char **to;
  int count;
  bool file; /* the user named the file itself, and its kind */
} annotation;
/* Decides on the files and makes their folder. named: what the command line named, of that many words. UM_ECONFIG where o->annotate does
 * not fit the inputs, or would write over one. */
int annotation_open(annotation *a, const inputs *in, const char *const *named, int words, const options *o, um_error *err);
void annotation_free(annotation *a);
/* Writes the copies of all inputs that could be read. UM_EINTERRUPTED where *stop became true; nothing half-written stays. */
int annotation_write(const annotation *a, const inputs *in, const scorer *s, const options *o, const volatile bool *stop, um_error *err);

/* ways.c: where people are between the frames that were looked at. */
typedef struct sighting {
  double time_s;
  double box[4]; /* x, y, width, height in the video's own pixels */
  double score;
} sighting;

typedef struct way {
  int track;
  sighting *at; /* in the order of time, no two of one */
  int count;
} way;

typedef struct ways {
  way *at; /* in the order of their tracks, as the input's people; a picture's faces are one each */
  int count;
  sighting *all;
  double hold_s; /* half the time between two frames that were looked at */
  double gap_s;  /* between two sightings that are further apart nothing is drawn */
} ways;
/* x, y: from the pixels of the frame that was looked at to those of the video. interval_s: between two such frames. */
int ways_make(ways *w, const input *in, double x, double y, double interval_s, um_error *err);
void ways_free(ways *w);
/* Between two sightings a straight line; before the first, after the last and in a gap the nearest, for hold_s. from and until: the shot
 * that this time is in; what was seen outside of it is not held. False: nobody is there. */
bool way_at(sighting *out, const ways *w, const way *of, double time_s, double from, double until);

/* overlay.c: how it looks. */
typedef struct area {
  double x, y, width, height;
} area;

/* A face of a picture. */
typedef struct mark {
  sighting face;
  int number; /* of the person, from 1; 0: none is shown */
  area words; /* where its words and bar are: overlay_faces says */
} mark;

typedef struct overlay {
  um_calibration calibration;
  const input *in;
  double letters; /* the height of capitals, in pixels */
  int corner;     /* of the panel with the verdict: 0 upper left, 1 upper right, 2 lower left, 3 lower right */
} overlay;
/* For pictures of this size. The panel goes where it hides the faces least. */
void overlay_open(overlay *v, const input *in, const um_calibration *c, const ways *w, int width, int height);
/* All faces of a picture: what is written of one is above its box, or where it hides less of the others. */
void overlay_faces(const overlay *v, um_image *im, mark *all, int count);
void overlay_verdict(const overlay *v, um_image *im);

#endif
