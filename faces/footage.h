/* Faces straight from videos: the pictures that extract would write, kept in a bounded cache on disk, without a folder of them.
 *
 * A folder of the cache holds two files a video, named by a fingerprint of its path, size, time and of how faces are cut: KEY.csv, the
 * list of its faces, and KEY.pack, their pictures one after the other as PNG. Making the list means decoding the video and looking for
 * faces once; a pack that had to go (the cache is bounded) is made again from the list by decoding alone, to the same bytes. Both are
 * whole or not there, so what was begun goes on where it was. */
#ifndef UM_FACES_FOOTAGE_H
#define UM_FACES_FOOTAGE_H

#include "data/dataset.h"
#include "data/sources.h"
#include "faces/faces.h"

typedef struct um_footage um_footage;

typedef struct um_footage_face {
  int source; /* index into the sources */
  int64_t frame;
  double time_s;
  int track;
  um_detection at; /* in the frame */
} um_footage_face;

/* How far um_footage_open is: videos done of all, faces so far. Called from its threads, one at a time. */
typedef void (*um_footage_progress)(void *arg, int done, int count, int64_t faces);

typedef struct um_footage_options {
  um_face_settings settings;
  const char *cache_dir;        /* made where it is not there */
  int64_t cache_bytes;          /* of all packs in cache_dir; the one that is being read may go beyond */
  int jobs;                     /* videos at once; 0: as many as there are processors */
  um_footage_progress progress; /* may be NULL */
  void *progress_arg;
} um_footage_options;

/* $XDG_CACHE_HOME/unmask/faces or ~/.cache/unmask/faces. */
int um_footage_default_dir(char *path, size_t size, um_error *err);

/* Lists the faces of all sources (videos and pictures), which stay the caller's and as they are until close. Sources that cannot be
 * read are left out, um_footage_skipped names them; UM_EFORMAT where none has a face. */
int um_footage_open(um_footage **out, const um_sources *sources, const um_footage_options *o, um_error *err);
void um_footage_close(um_footage *f);
/* Faces in the order of the sources, then of frames. */
int um_footage_count(const um_footage *f);
const um_footage_face *um_footage_face_at(const um_footage *f, int i);
/* Its picture, cut as the settings say. Several threads may call it at once. */
int um_footage_read(um_footage *f, int i, um_image *im, um_error *err);
/* Why the source's faces are not there (unreadable, no face ...); NULL: they are. */
const char *um_footage_skipped(const um_footage *f, int source);

typedef struct um_footage_stats {
  int listed, listed_before; /* videos looked at by this open; videos whose list was there */
  int64_t packs_made;        /* since open, without those of videos that were looked at */
  int64_t bytes;             /* of packs in the cache now */
} um_footage_stats;
void um_footage_stats_of(um_footage *f, um_footage_stats *s);

/* As a dataset of classes fake and real, in the order of labels, then of faces; item.face is the index here. Sources without a label are
 * left out. */
int um_footage_dataset(um_dataset *d, const um_footage *f, um_error *err);
/* item.by of its items from what is known of their videos: column dataset, method, quality, part or group; UM_ECONFIG with another. */
int um_footage_column(um_dataset *d, const um_footage *f, const char *column, um_error *err);

#endif
