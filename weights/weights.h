/* Weights from files into a model, whatever the format (found by content, weights/open.c). */
#ifndef UM_WEIGHTS_WEIGHTS_H
#define UM_WEIGHTS_WEIGHTS_H

#include "core/model.h"

/* What became of each tensor; texts are malloc'd lines for people. */
typedef struct um_weights_report {
  char **loaded;
  int loaded_count; /* "block1_conv1/kernel  3x3x3x64  from block1_conv1/block1_conv1_W_1:0" */
  char **skipped;
  int skipped_count; /* in the file, not in the model: "predictions ... (not in the model)" */
  char **fresh;
  int fresh_count;          /* in the model, not in the file: initialised */
  char kind[96], note[192]; /* what the file is, and what people should know of its weights, or "" */
} um_weights_report;
void um_weights_report_free(um_weights_report *r);

/* Loads every tensor of the file that the model has by name; a tensor whose name matches but whose shape does not is an error that
 * names layer, both shapes and the remedy. Parameters that the file lacks stay as they are ("fresh"); `backbone_last` names the
 * last node that the file must cover (NULL: the whole model must be there). Names and shapes are checked before the model changes;
 * where the data itself turns out unreadable or not finite, parameters already read have changed. report may be NULL; on failure it
 * is empty. */
int um_weights_load(um_model *m, const char *path, const char *backbone_last, um_weights_report *report, um_error *err);

/* A row of weights/manifest.json. */
typedef struct um_known_weights {
  char name[64];                                    /* "imagenet/vgg16" */
  char file[256];                                   /* its name in the cache */
  char url[512], sha256[65], md5[33], licence[128]; /* "" where the manifest has null */
  char set[64];                                     /* a name for several rows: "mtcnn"; or "" */
  char wheel[64], member[256];                      /* the Python package that carries the file too, and where in it; or "" */
  int64_t size;
} um_known_weights;

/* The rows of the manifest; malloc'd. $UM_MANIFEST names one (a mirror's, a test's); else it is looked for in the source tree that the
 * program was built in, in weights/ here, and where `make install` put it. */
int um_weights_manifest(um_known_weights **row, int *count, um_error *err);

/* The folder that files are fetched to: $UM_WEIGHTS, else weights/cache of the source tree, else ~/.cache/unmask. Not made here. */
int um_weights_cache(char *path, size_t size, um_error *err);

/* Where the file of "imagenet" for this backbone lies ($UM_WEIGHTS, the cache, ~/.keras/models), verified; UM_EIO with the exact
 * commands to run when it is nowhere, UM_ECONFIG when the manifest has none for this backbone. Any other `weights` is a file's path. */
int um_weights_find(char *path, size_t size, const char *weights, const char *backbone, um_error *err);

/* Where the file of a row ("facenet/pnet") lies ($UM_WEIGHTS, the cache), verified; UM_EIO with what to do when it is nowhere. */
int um_weights_find_known(char *path, size_t size, const char *name, um_error *err);

/* Size and checksum (SHA-256, or MD5 where there is no other) of a file against its row. What was verified is remembered beside the file
 * (PATH.verified: size, time, checksum) and not read again until size or time change. */
int um_weights_verify(const char *path, const um_known_weights *row, um_error *err);

#endif
