/* Model files and checkpoints (DESIGN, section 4): safetensors, tensors named as in Keras, metadata as strings. */
#ifndef UM_CORE_CHECKPOINT_H
#define UM_CORE_CHECKPOINT_H

#include "core/calibration.h"
#include "core/config.h"
#include "core/model.h"
#include "core/safetensors.h"
#include "core/scoring.h"

/* What scoring must repeat. */
typedef struct um_preprocess {
  int target_size[2];
  um_interpolation interpolation;
  double rescale;
  um_preprocessing preprocessing;
  um_face_settings faces;
  um_scoring scoring;         /* how a video's score comes from its faces' */
  um_calibration calibration; /* what makes a probability of it, and a verdict; all zero: it is taken as it is */
  char classes[2][64];
} um_preprocess;

/* Pixels to the model's input, as it was trained: rescale, or for caffe BGR minus ImageNet's mean. The fill is nearest. */
void um_preprocess_warp(um_warp *how, const um_preprocess *p);
/* The rule that scores a video: people are told apart where all faces are taken; else there is one face a frame, and a track that was
 * lost and found again would pass for two people. */
um_scoring um_preprocess_scoring(const um_preprocess *p);
/* The class that scores are for: the one named fake, in any case, or beside one named real; -1: neither is there. */
int um_preprocess_fake(const um_preprocess *p);

/* The preprocessing (without the classes) as members of a JSON object, false without memory; and back, false where one is wrong: what
 * older files have not is the recipe's. */
bool um_preprocess_put(cJSON *o, const um_preprocess *p);
bool um_preprocess_get(um_preprocess *p, const cJSON *o);
/* The preprocessing (without the classes) and the class names as JSON text, malloc'd; and back: false where the texts, which may be
 * NULL, do not say all of it. */
char *um_preprocess_text(const um_preprocess *p);
char *um_classes_text(const um_preprocess *p);
bool um_preprocess_parse(um_preprocess *p, const char *text);
bool um_classes_parse(um_preprocess *p, const char *text);

/* Position in a run. */
typedef struct um_position {
  int epoch, batch; /* the next batch to do */
  int64_t step;     /* optimizer steps done, of this phase */
  double loss_sum;  /* of the epoch so far, and the samples and hits that go with it */
  int64_t samples, correct;
  double best;     /* best validation loss so far */
  int best_epoch;  /* -1: none */
  double seconds;  /* of the epoch so far */
  unsigned states; /* of the optimizer, as um_optimizer_states says; saved and loaded with the weights */
  int phase;       /* of the config's */
  int phase_epoch; /* the first epoch of the phase */
  int64_t before;  /* optimizer steps of the phases before */
  double rate;     /* learning rate that the plateau schedule has left; below 0 in a file written before there were schedules */
  um_watch plateau, stopping;
  char data[65]; /* SHA-256 of what the run learns from (names and labels), as hex; "" where nobody said */
} um_position;

/* The fingerprint of a model, 64 hexadecimal digits: SHA-256 over structure, classes, preprocessing and every parameter. A file carries
 * its own, and reading compares. */

/* position NULL: a model file (no optimizer state). UM_ENUMERIC where a number is not finite; the old file stays then, as with
 * any other failure. */
int um_checkpoint_save(const char *path, um_model *m, const um_preprocess *p, const um_position *position, um_error *err);

/* The graph and the preprocessing of a file (the caller closes st and frees g); then, once a model is made from the graph, its
 * tensors, and where position is not NULL the optimizer's states and the position: UM_EFORMAT where the file holds none. A tensor
 * that is missing, of another shape, or unknown is UM_EFORMAT with its name. */
int um_checkpoint_open(um_st **st, um_graph *g, um_preprocess *p, const char *path, um_error *err);
/* The position alone, before there is a model. */
int um_checkpoint_position(um_position *position, const um_st *st, um_error *err);
int um_checkpoint_load(um_model *m, const um_st *st, um_position *position, um_error *err);

/* UM_EFORMAT where the file's contents are not those that its fingerprint stands for; a file without one (written before there were
 * any) passes. hex (65 bytes, may be NULL) gets the fingerprint of the contents. */
int um_checkpoint_verify(const um_st *st, char *hex, const char *path, um_error *err);

#endif
