/* Weights from files into a model, whatever the format (found by content): safetensors of ours, Keras HDF5 (notop and full). */
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
  int fresh_count; /* in the model, not in the file: initialised */
} um_weights_report;
void um_weights_report_free(um_weights_report *r);

/* Loads every tensor of the file that the model has by name; a tensor whose name matches but whose shape does not is an error that
 * names layer, both shapes and the remedy. Parameters that the file lacks stay as they are ("fresh"); `backbone_last` names the
 * last node that the file must cover (NULL: the whole model must be there). */
int um_weights_load(um_model *m, const char *path, const char *backbone_last, um_weights_report *report, um_error *err);

/* A row of weights/manifest.json. */
typedef struct um_known_weights {
  char name[64];  /* "imagenet/vgg16" */
  char file[256]; /* its name in the cache */
  char url[512], sha256[65], md5[33], licence[128];
  int64_t size;
} um_known_weights;

/* The rows of the manifest (looked for beside the program's source tree, then where `make install` put it); malloc'd. */
int um_weights_manifest(um_known_weights **row, int *count, um_error *err);
/* Where the file of "imagenet" for this backbone lies (weights/cache/, $UM_WEIGHTS, ~/.keras/models); UM_EIO with the exact commands
 * to run when it is nowhere. The checksum is verified once and remembered beside the file. */
int um_weights_find(char *path, size_t size, const char *weights, const char *backbone, um_error *err);

#endif
