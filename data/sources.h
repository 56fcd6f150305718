/* The inputs of extract and infer: videos and pictures, named one by one or by folder, with their labels and groups. */
#ifndef UM_DATA_SOURCES_H
#define UM_DATA_SOURCES_H

#include "core/error.h"

typedef struct um_source {
  char *path;
  char *name;  /* the file's name without folder and ending, made fit for a file's name and unlike that of any other source */
  int label;   /* 0 fake, 1 real (the order of the classes), -1 not known */
  char *group; /* the original footage; sources of one group must not end up on both sides of a split */
} um_source;

typedef struct um_sources {
  um_source *item;
  int count;
} um_sources;

extern const char *const um_label_name[2]; /* "fake", "real" */

/* Files as they are named, whatever they hold (opening them tells); of folders, walked recursively in the order of names, the files
 * with the ending of a video or picture. Each file once. A path that does not exist stays in the list. Labels are -1, groups those
 * of FaceForensics++ file names (TARGET_SOURCE.mp4 and TARGET.mp4 share "ffpp_TARGET"), else the name. */
int um_sources_collect(um_sources *s, const char *const *input, int count, um_error *err);
void um_sources_free(um_sources *s);

/* Labels and groups from a metadata.json in DFDC's format: {"a.mp4": {"label": "FAKE", "original": "b.mp4"}, ...}. Sources that it
 * does not name keep what they have. UM_EFORMAT where the file is not that. */
int um_sources_label_metadata(um_sources *s, const char *path, um_error *err);
/* Labels from the nearest folder above a source that is called fake or real (in any case). */
void um_sources_label_folders(um_sources *s);
void um_sources_label_all(um_sources *s, int label);

#endif
