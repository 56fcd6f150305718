/* Reading back what infer --json wrote: whose truth is known, with the scores that it is to be measured by. */
#ifndef UM_CORE_RESULTS_H
#define UM_CORE_RESULTS_H

#include "core/evaluation.h"

/* A video, a picture, or a face that was cut out of a video. Scores are raw: before calibration. */
typedef struct um_result {
  char *path;
  char *group; /* the footage; the path where the file says none */
  char *video; /* of a face that was cut out before: what it is of; else NULL */
  int label;   /* 1 fake, 0 real, -1 not known */
  double score;
  um_person_face *face;
  int faces; /* 0 where the score is NaN, and only there */
} um_result;

typedef struct um_results {
  um_result *at;
  int count;
  um_scoring rule;            /* by which scores of faces became scores of videos */
  um_calibration calibration; /* of the model; all zero: none */
  char model_sha256[65];      /* "" where the file says none */
  char fingerprint[65];       /* of the model; "" where the file says none */
  char sha256[65];            /* of the file itself, and its size */
  int64_t bytes;
  char forced[1024]; /* settings that were taken against the model's; "" */
} um_results;

int um_results_read(um_results *r, const char *path, um_error *err);
void um_results_free(um_results *r);

/* Those with a label and a score, for core/evaluation.h; malloc'd. Texts and faces stay those of the results. */
int um_results_scored(um_scored **out, int *count, const um_results *r, um_error *err);

#endif
