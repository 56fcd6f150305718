/* Folders of pictures: the walk (Keras' flow_from_directory), groups, the split. */
#ifndef UM_DATA_DATASET_H
#define UM_DATA_DATASET_H

#include "core/config.h"

typedef struct um_item {
  char *path;  /* absolute or relative to the working folder: ready to open */
  int label;   /* index of the class */
  char *group; /* the footage that it comes from; the path within its class folder where no manifest says */
  bool named;  /* its group came from a manifest */
} um_item;

typedef struct um_dataset {
  um_item *item; /* sorted by class folder, then name */
  int count;
  char *class_name[16];
  int classes;
  int class_count[16];
  int grouped; /* items whose group came from a manifest */
} um_dataset;

/* Class folders below `dir`, sorted (so fake = 0, real = 1), files whose names end in png jpg jpeg bmp ppm tif tiff in any case, sub-folders walked in
 * Keras' order (those of a folder sorted by name; folders sorted by path; links to folders not followed, but a class folder may be
 * one; hidden ones are as good as others). Exactly two classes are needed by the callers, checked there. Empty class folders are an
 * error that names them; more than 16, too.
 * A manifest.csv beside the class folders or one folder above (columns path, relative to the manifest, and group among others)
 * names groups; one that is there and cannot be used is an error; one that leaves files out is warned about through the log. */
int um_dataset_open(um_dataset *d, const char *dir, um_error *err);
void um_dataset_free(um_dataset *d);

/* Splits into training and validation, both owned by the caller (they borrow nothing), in the order of `all`. fraction: 0 (validation
 * is then empty) to below 1. By group: whole groups are held out, chosen by the seed, so that each class is as near to the fraction
 * as whole groups allow. By files: Keras' own, the first int(fraction n) of each class's n files. UM_ECONFIG where training would
 * have no picture of a class, or validation none at all; a class that validation has not is warned about. */
int um_dataset_split(um_dataset *train, um_dataset *validation, const um_dataset *all, double fraction, um_split_by by, uint64_t seed,
                     um_error *err);
/* Keeps at most n items a class, taken group by group after a seeded shuffle of the groups; order is kept. n = 0: all. */
int um_dataset_limit(um_dataset *d, int n, uint64_t seed, um_error *err);

#endif
