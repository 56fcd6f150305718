/* Who is who in a video: faces of its frames linked over time, each person one track, and the pictures told apart by cuts. */
#ifndef UM_FACES_TRACK_H
#define UM_FACES_TRACK_H

#include "core/face_settings.h"
#include "faces/detector.h"

/* What becomes of a track's faces, known at the end of the video. */
typedef enum um_fate {
  UM_KEPT,
  UM_ONE_FRAME, /* dropped: a patch of background, as it shows up in one picture and in none around it */
  UM_DOUBTFUL,  /* dropped: in view for a second at most, while the shot went on without it, and of low score: background, mostly */
  UM_NOT_MAIN,  /* dropped: another person is longer in view */
  UM_FATES
} um_fate;

typedef struct um_track {
  int64_t first, last;    /* numbers of frames */
  double first_s, last_s; /* their times */
  int64_t faces;          /* found in so many frames */
  int64_t pictures;       /* of these, so many that do not repeat the frame before */
  int64_t handed_out;     /* faces that the walk gave to its sink */
  double size, score;     /* means over the faces: of the square root of the box's area, in pixels, and of the detector's score */
  bool partial;           /* its shot has a picture without it within a second before it or after it */
  um_fate fate;
} um_track;

/* All tracks of a video: a face's track is its index. Start it as {0}; each walk fills it anew. */
typedef struct um_tracks {
  um_track *item;
  int count, capacity;
  int main; /* the track that is longest in view, of those that are no background; the larger face, then the earlier of equals; -1: none */
  int cuts;
} um_tracks;
void um_tracks_free(um_tracks *t);
/* False for a face that is to be dropped. Track -1 (a face that was not tracked) is kept. */
bool um_track_kept(const um_tracks *t, int track);
/* "seen in one frame only", "not the main person"; for UM_KEPT "kept". */
const char *um_fate_text(um_fate fate);

/* track_cut.c: the little that is remembered of a picture to tell whether the next is of another shot. */
enum { UM_GLANCE_SIDE = 32, UM_GLANCE_BINS = 64 };
typedef struct um_glance {
  uint8_t thumbnail[UM_GLANCE_SIDE * UM_GLANCE_SIDE]; /* means of areas */
  float histogram[UM_GLANCE_BINS];                    /* shares of the pixels, by luma */
} um_glance;
void um_glance_take(um_glance *g, const uint8_t *grey, int width, int height, int stride);
/* The two are of different shots: their brightness is spread otherwise and their thumbnails do not resemble one another. A flash
 * changes the first alone, a camera that turns the second alone. */
bool um_glance_cut(const um_glance *before, const um_glance *after);

/* track_assign.c: the one-to-one pairing of rows and columns that has the greatest sum of gains (0 and up, rows x columns); column[i] is
 * the i-th row's, -1 where it has none. A gain of 0 pairs nobody. Of equal sums always the same one. (Kuhn 1955, Munkres 1957, with
 * potentials and shortest augmenting paths: rows^2 x columns steps.) */
int um_assign(int *column, const double *gain, int rows, int columns, um_error *err);

/* track.c: links faces frame by frame, and remembers only tracks that may go on. */
typedef struct um_tracker um_tracker;
int um_tracker_open(um_tracker **out, um_error *err);
void um_tracker_close(um_tracker *t); /* NULL is fine */

/* One frame that was looked at; frames come in order of time. */
typedef struct um_tracker_frame {
  int64_t number;
  double time_s;
  bool cut;      /* the first of a shot */
  bool repeated; /* the same picture as the frame before, with the same faces */
  const um_detection *face;
  int count;
} um_tracker_frame;

/* track[i] = the index into tracks->item of the i-th face. */
int um_tracker_add(um_tracker *t, um_tracks *tracks, int *track, const um_tracker_frame *frame, um_error *err);
/* After the last frame: decides the fates. choice MAIN keeps one track; background: tracks of one picture are dropped where the shot has
 * another within a second of it, and doubtful ones: those of a mean score below `sure` (0: none) that are in view for a second at most and not
 * all through their shot. */
void um_tracker_finish(um_tracker *t, um_tracks *tracks, um_face_choice choice, bool background, double sure);

#endif
