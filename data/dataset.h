/* Folders of pictures: the walk (Keras' flow_from_directory), groups, the split. */
#ifndef UM_DATA_DATASET_H
#define UM_DATA_DATASET_H

#include "core/config.h"

/* The part that a dataset's makers gave a picture to (manifest.csv's column part). */
typedef enum um_part { UM_PART_NONE, UM_PART_TRAIN, UM_PART_VALIDATION, UM_PART_TEST } um_part;
um_part um_part_parse(const char *text); /* "train", "val" or "validation", "test" in any case; NONE for others */

typedef struct um_item {
  char *path;  /* absolute or relative to the working folder: ready to open */
  int label;   /* index of the class */
  char *group; /* the footage that it comes from; the path within its class folder where no manifest says */
  bool named;  /* its group came from a manifest */
  char *video; /* that it is a frame of; NULL: not known, the picture counts as a video */
  int track;   /* the person in that video; -1: not known */
  char *by;    /* its value of the column that um_manifest_column took; NULL: none */
  bool has_points;
  float points[10]; /* where has_points: eyes, nose, corners of the mouth, left and right as seen; x y each, in pixels of the picture */
  um_part part;
  bool filmed; /* the picture is a face of a video (faces/footage.h): its number there is `face`, and path only names it */
  int face;
  bool blend; /* a self-blended fake (data/blend.h), made anew each epoch from the picture of item `origin` of this dataset */
  int origin;
} um_item;

typedef struct um_dataset {
  um_item *item; /* sorted by class folder, then name; then the blends */
  int count;
  char *class_name[16];
  int classes;
  int class_count[16];
  int grouped; /* items whose group came from a manifest */
  int blends;  /* items that are blends */
} um_dataset;

/* Class folders below `dir`, sorted (so fake = 0, real = 1), files whose names end in png jpg jpeg bmp ppm tif tiff in any case, sub-folders walked in
 * Keras' order (those of a folder sorted by name; folders sorted by path; links to folders not followed, but a class folder may be
 * one; hidden ones are as good as others). Exactly two classes are needed by the callers, checked there. Empty class folders are an
 * error that names them; more than 16, too.
 * A manifest.csv beside the class folders or one folder above (columns path, relative to the manifest, and group among others)
 * names groups; where there are such columns it gives the ten numbers of um_item.points, separated by spaces (points), and part, video
 * and track of each. One that is there and cannot be used is an error; one that leaves files out is warned about through the log. */
int um_dataset_open(um_dataset *d, const char *dir, um_error *err);
void um_dataset_free(um_dataset *d);
/* A copy that owns its texts; false without memory, *to can be freed then, too. */
bool um_item_copy(um_item *to, const um_item *from);
void um_item_free(um_item *item);
/* item.by of all becomes the folder that each one's file (of a filmed face: its video) lies in, less the folder `dir` that was opened;
 * "." for those right in it. */
int um_dataset_by_folder(um_dataset *d, const char *dir, um_error *err);

/* Splits into training and validation, both owned by the caller (they borrow nothing), in the order of `all`. fraction: 0 (validation
 * is then empty) to below 1. By group: whole groups are held out, chosen by the seed, so that each class is as near to the fraction
 * as whole groups allow. By files: Keras' own, the first int(fraction n) of each class's n files. By part: as item.part says, fraction
 * is 0; UM_EFORMAT where an item has none or is of the test part. UM_ECONFIG where training would
 * have no picture of a class, or validation none at all; a class that validation has not is warned about. */
int um_dataset_split(um_dataset *train, um_dataset *validation, const um_dataset *all, double fraction, um_split_by by, uint64_t seed,
                     um_error *err);
/* Moves the items of a part out of d into `out` (which is overwritten). */
int um_dataset_take_part(um_dataset *out, um_dataset *d, um_part part, um_error *err);
/* Keeps at most n items a class, taken group by group after a seeded shuffle of the groups; order is kept. n = 0: all. */
int um_dataset_limit(um_dataset *d, int n, uint64_t seed, um_error *err);

/* For self-blended fakes. Where `real` is the only class: adds the class fake, without items, before it. */
int um_dataset_expect_fakes(um_dataset *d, um_error *err);
/* Appends a twin, labelled fake, of round(share n) of the n real items, 0 <= share <= 1, chosen by the seed, in their order: same path,
 * group and points. Done after a split, so that a twin is on its original's side. UM_EFORMAT where the two classes are not fake
 * and real in this order (any case; one name of the two is enough), or no item is real. */
int um_dataset_add_blends(um_dataset *d, double share, uint64_t seed, um_error *err);

#endif
