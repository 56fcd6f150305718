/* Folders of pictures: the walk (Keras' flow_from_directory), groups, the split. */
#ifndef UM_DATA_DATASET_H
#define UM_DATA_DATASET_H

#include "core/config.h"

typedef struct um_item {
  char *path;  /* absolute or relative to the working folder: ready to open */
  int label;   /* index of the class */
  char *group; /* the footage that it comes from; the path within its class folder where no manifest says */
} um_item;

typedef struct um_dataset {
  um_item *item; /* sorted by class folder, then name */
  int count;
  char *class_name[16];
  int classes;
  int class_count[16];
  int grouped; /* items whose group came from a manifest */
} um_dataset;

/* Class folders below `dir`, sorted (so fake = 0, real = 1), files png jpg jpeg bmp ppm tif tiff in any case, sub-folders walked.
 * Exactly two classes are needed by the callers, checked there. A manifest.csv beside or above the class folders (columns path
 * and group among others) names groups. Empty class folders are an error that names them. */
int um_dataset_open(um_dataset *d, const char *dir, um_error *err);
void um_dataset_free(um_dataset *d);

/* Splits into training and validation, both owned by the caller (they borrow nothing). By group: whole groups are held out,
 * chosen by the seed, until the fraction of items is reached; by files: Keras' own, the first fraction of each class's files. */
int um_dataset_split(um_dataset *train, um_dataset *validation, const um_dataset *all, double fraction, um_split_by by, uint64_t seed,
                     um_error *err);
/* Keeps at most n items a class (whole groups first come after a seeded shuffle). */
int um_dataset_limit(um_dataset *d, int n, uint64_t seed, um_error *err);

#endif
