/* The metadata of DFDC: metadata.json, {"a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"}, ...} or with "is_fake": 1 for the
 * label; labels.csv with the columns filename and label, 1 for fake. They come from elsewhere: names that lead out of their folder and videos
 * that are fake here and real there are errors. */
#ifndef UM_DATA_SETS_METADATA_H
#define UM_DATA_SETS_METADATA_H

#include <stdbool.h>

#include "core/error.h"

/* A video as the metadata names it. */
typedef struct set_entry {
  char *path;       /* the metadata's folder and the name in it */
  char *original;   /* its name without ending; NULL */
  int label;        /* 0 fake, 1 real, -1 not said */
  const char *part; /* NULL: not said */
  const char *file; /* the metadata, borrowed */
  bool there;
} set_entry;

typedef struct set_entries {
  set_entry *item;
  int count;
} set_entries;

/* Appends what the file at `path` says; `file`, which must outlive the entries, is how it is called from the dataset's folder. */
int set_entries_json(set_entries *e, const char *path, const char *file, um_error *err);
int set_entries_csv(set_entries *e, const char *path, const char *file, um_error *err);
/* Sorts by path; of entries for one video one is left, with what all of them say. UM_EFORMAT where they contradict each other. */
int set_entries_merge(set_entries *e, um_error *err);
set_entry *set_entries_find(const set_entries *e, const char *path); /* after a merge; NULL */
void set_entries_free(set_entries *e);

#endif
