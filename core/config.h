/* The config: JSON, keys as in Keras, with defaults, ranges and the nearest known key for an unknown one. Every key is a row of
 * one table (core/config_keys.c): name, type, range, default, help. */
#ifndef UM_CORE_CONFIG_H
#define UM_CORE_CONFIG_H

#include "core/calibration.h"
#include "core/face_settings.h"
#include "core/graph.h"
#include "core/schedule.h"
#include "core/scoring.h"

typedef enum um_semantics { UM_KERAS2, UM_KERAS3 } um_semantics;
typedef enum um_split_by { UM_SPLIT_GROUP, UM_SPLIT_FILES, UM_SPLIT_PART } um_split_by;
typedef enum um_sampling { UM_SAMPLING_NATURAL, UM_SAMPLING_BALANCED } um_sampling;
typedef enum um_preprocessing {
  UM_PREPROCESS_NONE,
  UM_PREPROCESS_CAFFE
} um_preprocessing; /* caffe: BGR minus the ImageNet mean, no rescale */

typedef struct um_data_config {
  char train_dir[1024];
  char validation_dir[1024]; /* "" : none; else takes the place of validation_split */
  char test_dir[1024];       /* "" : none */
  double validation_split;   /* 0 to below 1 */
  um_split_by split_by;
  int target_size[2]; /* height, width */
  um_interpolation interpolation;
  int batch_size;
  double rescale; /* "1/255" or a number */
  um_preprocessing preprocessing;
  bool shuffle;
  um_sampling sampling; /* balanced: both classes equally often in an epoch */
  int workers;          /* 0: auto */
  int64_t cache_bytes;  /* decoded images kept in memory; 0: none */
  int duplicate_bits;   /* pictures of two parts that differ in so few bits of their hashes (data/phash.h) are refused; 0: not looked for */
  char dataset[32];     /* the layout of folders of videos: "auto" or one of um_set_kind (data/sets/sets.h) */
  char video_cache_dir[1024]; /* "": the user's cache; faces of videos (faces/footage.h) */
  int64_t video_cache_bytes;
  int max_per_class; /* 0: all; a smaller experiment otherwise (the first after a seeded shuffle of groups) */
} um_data_config;

typedef struct um_augmentation_config {
  double rotation_range;                        /* degrees, 0..180 */
  double width_shift_range, height_shift_range; /* fraction of the size where below 1, else pixels, as in Keras */
  double shear_range;                           /* degrees */
  double zoom_range[2];                         /* low, high; a number z means [1-z, 1+z] */
  bool horizontal_flip, vertical_flip;
  um_fill_mode fill_mode;
  double cval;
  um_semantics semantics;
  /* What a picture has been through, each with a probability of its own; [low, high] are drawn from. data/degrade.h says what they do. */
  double color_probability, brightness_range[2], contrast_range[2], saturation_range[2], rgb_shift_range;
  double blur_probability, blur_sigma[2]; /* pixels */
  double downscale_probability, downscale_factor[2];
  um_interpolation downscale_interpolation;
  double noise_probability, noise_sigma[2]; /* of 255 */
  double jpeg_probability, jpeg_quality[2];
  double cutout_probability, cutout_size[2]; /* of the picture's sides */
  int cutout_count;
  double cutout_value;
  double self_blend; /* share of the real pictures that get a self-blended fake (data/blend.h) */
} um_augmentation_config;

/* How scores of the validation and the test part are judged. */
typedef struct um_evaluation_config {
  int resamples; /* of each interval; 0: none */
  char by[64];   /* a column of manifest.csv or "folder": its values are judged one by one, too; "": none */
} um_evaluation_config;

/* How much the pictures of a class count in the training loss. */
typedef struct um_class_weight {
  enum { UM_CLASS_WEIGHT_NONE, UM_CLASS_WEIGHT_BALANCED, UM_CLASS_WEIGHT_GIVEN } mode;
  char name[2][64]; /* given: the classes' names, sorted */
  double weight[2];
} um_class_weight;

/* A part of the training with its own rate and its own layers; the optimizer's state begins anew with it. */
enum { UM_PHASES_MAX = 8 };
typedef struct um_phase {
  int epochs;
  char trainable[UM_NAME_MAX];
  double learning_rate;
  um_schedule schedule;
} um_phase;

typedef struct um_config {
  uint64_t seed;
  um_data_config data;
  um_augmentation_config augmentation;
  char backbone[32];
  char weights[1024]; /* "imagenet", a file, or "" for null */
  char trainable[UM_NAME_MAX];
  um_algorithm algorithm; /* model.convolution: "auto", "direct", "winograd" */
  char *head;             /* the head as JSON text (an array), as given or by default */
  um_class_weight class_weight;
  um_optimizer optimizer;
  um_schedule schedule; /* learning_rate_schedule */
  um_early_stopping early_stopping;
  um_phase phase[UM_PHASES_MAX]; /* where the config names none: one, of trainable, optimizer.learning_rate, schedule and epochs */
  int phases;
  bool phases_given;
  um_precision precision;
  um_engine engine;        /* cuda */
  int64_t workspace_limit; /* cuda: bytes */
  um_face_settings faces; /* what infer repeats on videos; detector "auto": as the folder was extracted (extract.json), else the recipe's */
  um_scoring scoring;     /* what infer makes of the faces of a video */
  um_evaluation_config evaluation;
  um_calibration_settings calibration; /* how the model is calibrated on the validation part */
  int epochs;                          /* of all phases */
  bool tensorboard;                    /* event files in the run folder */
  double checkpoint_minutes;           /* 0: only at an epoch's end */
} um_config;

/* Reads `path` (looked for as given, then in configs/, then in the installed configs folder when it has no folder), applies the
 * `set_count` overrides "key.path=value" and checks everything. UM_ECONFIG with "file: key: expected ..., got ..." otherwise. */
int um_config_load(um_config *c, const char *path, const char *const *set, int set_count, um_error *err);
/* The same from JSON text; `name` is what messages call it. */
int um_config_parse(um_config *c, const char *text, const char *name, const char *const *set, int set_count, um_error *err);
void um_config_free(um_config *c);
/* Where `path` is: as given, else (where it has no folder) in configs/, in configs/ beside the program's source tree, in the
 * installed configs. UM_ECONFIG, naming these, where it is in none. */
int um_config_find(char *out, size_t size, const char *path, um_error *err);
/* The resolved config, every key written out; malloc'd. Reading it back gives the same config. */
int um_config_to_json(const um_config *c, char **text, um_error *err);
/* The weights of classes with these names and so many pictures; UM_ECONFIG where class_weight names others. "balanced" is
 * n / (2 count), as scikit-learn's compute_class_weight. */
int um_config_class_weights(double weight[2], const um_config *c, const char *const name[2], const int count[2], um_error *err);
/* Keys that differ between two configs in a way that changes the numbers of a run (so not workers, paths, cache, epochs...):
 * the first one's name into `key`; false where there is none. */
bool um_config_differs(const um_config *a, const um_config *b, char *key, size_t size);

/* Backbone and head as a graph; *backbone_last (may be NULL) gets the index of the backbone's last node. UM_ECONFIG where the
 * pictures are too small for the backbone or the head does not end in one sigmoid unit. */
int um_config_graph(um_graph *g, int *backbone_last, const um_config *c, um_error *err);

/* The i-th key for people; false past the last. */
typedef struct um_config_key_info {
  const char *name, *fallback, *help; /* fallback: the default, as JSON */
  char expected[256];                 /* "a number from 0 to 180" */
} um_config_key_info;
bool um_config_key(int i, um_config_key_info *info);

#endif
