/* The inputs of extract and infer: videos and pictures, named one by one, by folder or by dataset (data/sets/sets.h), with what is
 * known of each. */
#ifndef UM_DATA_SOURCES_H
#define UM_DATA_SOURCES_H

#include "core/error.h"

/* No string of a source is NULL; what is not known is "". */
typedef struct um_source {
  char *path;
  char *
      name; /* fit for a file's name and unlike that of any other source: the file's name without folder and ending, or a dataset's way to say more */
  int label;     /* 0 fake, 1 real (the order of the classes), -1 not known */
  char *group;   /* the original footage; sources of one group must not end up on both sides of a split */
  char *dataset; /* "ffpp", ...; "" of inputs that um_sources_collect found */
  char *method;  /* of a fake, how it was made, as the dataset calls it; "" of a real one */
  char *quality; /* compression or distortion, as the dataset calls it: "c23" */
  char *part;    /* "train", "val", "test" */
} um_source;

typedef struct um_sources {
  um_source *item;
  int count;
} um_sources;

extern const char *const um_label_name[2]; /* "fake", "real" */
int um_label_parse(const char *text);      /* 0 fake, 1 real in any case, else -1 */

typedef enum um_ending { UM_ENDING_OTHER, UM_ENDING_PICTURE, UM_ENDING_VIDEO } um_ending;
um_ending um_ending_of(const char *path); /* by the ending, in any case */

/* Files as they are named, whatever they hold (opening them tells); of folders, walked recursively in the order of names, the files
 * with the ending of a video or picture. Each file once. A path that does not exist stays in the list. Labels are -1, groups those
 * of um_footage_group (data/sets/footage.h) by the file's name. */
int um_sources_collect(um_sources *s, const char *const *input, int count, um_error *err);
void um_sources_free(um_sources *s);

/* Labels and groups from a metadata.json in DFDC's format: {"a.mp4": {"label": "FAKE", "original": "b.mp4"}, ...}. Sources that it
 * does not name keep what they have. UM_EFORMAT where the file is not that. */
int um_sources_label_metadata(um_sources *s, const char *path, um_error *err);
/* Labels from the nearest folder above a source that is called fake or real (in any case). */
void um_sources_label_folders(um_sources *s);
void um_sources_label_all(um_sources *s, int label);

/* For those who fill a list: appends a source of this path (the rest "" and -1; the pointer is good until the next one). NULL: no memory. */
um_source *um_sources_add(um_sources *s, const char *path);
/* first[i]: the first source that is the same file as the i-th (by device and inode; i itself, and for what is not there). Room for all. */
int um_sources_same_files(int *first, const um_sources *s, um_error *err);
int um_source_set(char **field, const char *text); /* UM_ENOMEM, or UM_OK; the old text is freed */
/* Makes each name (where it is "", the file's without folder and ending) fit for a file's name, then unlike the others: of equal ones
 * the later get "-2", "-3", ... A group that is still "" becomes um_footage_group's or the name. */
int um_sources_settle(um_sources *s, um_error *err);
void um_source_free(um_source *item);

#endif
