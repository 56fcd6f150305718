/* How right scores are, by face and by video, as a whole and in parts: what infer, train and the tools share. It works on plain arrays,
 * whatever they come from. The numbers: core/metrics.h and docs/evaluation.md. */
#ifndef UM_CORE_EVALUATION_H
#define UM_CORE_EVALUATION_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/calibration.h"
#include "core/metrics.h"
#include "core/scoring.h"

/* What was scored and whose truth is known: a video or a picture with its faces, or one face of a video, which other entries of the same
 * name and truth make whole. The texts stay the caller's and must outlast what is made of them; faces are copied. */
typedef struct um_scored {
  const char *name;  /* of the video */
  const char *key;   /* orders the entries of one video: a path */
  const char *group; /* the footage, which is resampled whole */
  const char *by;    /* its value of the column that makes parts; "" counts with every value, NULL with none */
  bool fake;
  double score;               /* its own by the rule, before calibration, for an entry that is a whole video; NaN: made from its faces */
  const um_person_face *face; /* person and P(fake) of each, as the network gives it */
  int faces;                  /* at least 1 */
} um_scored;

/* A video with its score. Scores here are raw; those that are ranked and measured are calibrated. */
typedef struct um_subject {
  const char *name, *group_name, *by;
  bool fake;
  int group; /* from 0, in the order of the names of groups */
  double score;
  const double *face; /* its faces' scores, and whose they are */
  const int *person;
  int faces;
} um_subject;

/* In the order of their names. */
typedef struct um_subjects {
  um_subject *at;
  int count, groups;
  double *face;
  int *person;
} um_subjects;

typedef struct um_evaluation_settings {
  um_scoring rule;
  um_calibration calibration; /* of the scores that are ranked; its thresholds make the verdicts */
  double threshold;           /* above it a score is called fake, for accuracy and confusion */
  int resamples;              /* of each interval; 0: none */
  const char *by;             /* name of the column that makes parts; NULL: no parts */
} um_evaluation_settings;

/* The seed of all resamples: the same scores have the same intervals. */
enum { UM_BOOTSTRAP_SEED = 42 };

int um_subjects_collect(um_subjects *s, const um_scored *scored, int count, const um_evaluation_settings *e, um_error *err);
void um_subjects_free(um_subjects *s);
/* Scores all anew from their faces by another rule. */
int um_subjects_score(um_subjects *s, const um_scoring *rule, um_error *err);
/* Their scores, by face or by video, as a ranking. Two collections of the same names have the same groups: they can be compared by
 * um_bootstrap_difference. */
int um_subjects_rank(um_ranking **out, const um_subjects *s, bool by_frame, const um_evaluation_settings *e, um_error *err);

/* Numbers of one kind: by face or by video. A face's verdict is that of a video of this face alone. */
typedef struct um_evaluation {
  int count, fakes, groups;
  um_measures measures;
  int verdict[2][UM_VERDICT_FAKE + 1]; /* how many of the real ones, of the fake ones, are called what */
  um_interval interval[UM_METRICS];
} um_evaluation;
int um_subjects_measure(um_evaluation *out, const um_subjects *s, bool by_frame, const um_evaluation_settings *e, um_error *err);

/* Both kinds of all videos, or of those with one value of the column (and those with ""). */
typedef struct um_evaluation_part {
  const char *value; /* NULL: all */
  um_evaluation frame, video;
} um_evaluation_part;

typedef struct um_findings {
  um_evaluation_part all;
  um_evaluation_part *part; /* in the order of their values */
  int parts;
  um_evaluation_settings settings;
  um_subjects subjects;
} um_findings;

/* UM_ECONFIG where the column has more than UM_PARTS_MAX values. */
enum { UM_PARTS_MAX = 200 };
int um_findings_make(um_findings *r, const um_scored *scored, int count, const um_evaluation_settings *e, um_error *err);
void um_findings_free(um_findings *r);
/* As members of a JSON object: frame, video, resamples and, with a column, by; false without memory. What is no number is null. */
bool um_findings_put(cJSON *o, const um_findings *r);

#endif
