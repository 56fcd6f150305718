/* From the scores of faces to the score of a video. A model's file carries which rule it was validated with, and scoring repeats it. */
#ifndef UM_CORE_SCORING_H
#define UM_CORE_SCORING_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Of one person's n faces, whose scores are P(fake):
 * MEAN; MEAN_LOGIT: the sigmoid of the mean of log(p / (1 - p)), p clipped to [1e-7, 1 - 1e-7]; MEDIAN: of an even number the mean of the
 * middle two; TOP_K: the mean of the k highest, of all where there are fewer; CONFIDENT: Selim Seferbekov's, who won DFDC
 * (github.com/selimsef/dfdc_deepfake_challenge, confident_strategy): where more than 11 faces and more than floor(n / 2.5) are above
 * 0.8, the mean of those; else where more than 0.9 n are below 0.2, the mean of those; else the mean. */
typedef enum um_frames_rule {
  UM_FRAMES_MEAN,
  UM_FRAMES_MEAN_LOGIT,
  UM_FRAMES_MEDIAN,
  UM_FRAMES_TOP_K,
  UM_FRAMES_CONFIDENT,
  UM_FRAMES_RULES
} um_frames_rule;

typedef struct um_scoring {
  um_frames_rule frames;
  int top_k;     /* at least 1 with TOP_K */
  bool together; /* all people's faces as if of one; else each person has a score, and the highest is the video's */
} um_scoring;

enum { UM_TOP_K = 10 };
void um_scoring_defaults(um_scoring *s); /* the mean, the UM_TOP_K highest where that is asked for, the highest person */
/* "mean", "mean_logit", "median", "top_k", "confident"; NULL past the last. */
const char *um_frames_rule_name(int rule);
/* Members of a JSON object, and back: what is missing is the default; false where a member is wrong. */
bool um_scoring_put(cJSON *o, const um_scoring *s);
bool um_scoring_get(um_scoring *s, const cJSON *o);
/* The same rules: top_k counts where it is used. */
bool um_scoring_same(const um_scoring *a, const um_scoring *b);

/* Of one person; score is put in another order. NaN where n is 0. */
double um_scoring_person(const um_scoring *s, double *score, int n);

typedef struct um_person_face {
  int person, at; /* at: its place among the faces, filled in by um_scoring_video */
  double score;
} um_person_face;
/* A person's score; raw is that before calibration (core/calibration.h), here the same. */
typedef struct um_person {
  int person, faces;
  double score, raw;
} um_person;
/* Of a video: sorts the n faces by person (those of one stay in their order), writes up to n people to `person` in the order of their
 * numbers, *people how many there are (with `together`, one, whose number is -1), and gives the highest score; NaN where n is 0.
 * scratch: n doubles. */
double um_scoring_video(const um_scoring *s, um_person *person, int *people, um_person_face *face, int n, double *scratch);

/* A score as people read it, with so many digits after the point, at most 9. One that is neither 0 nor 1 does not look like it: ">0.9999" and
 * "<0.0001" (a letter wider) stand for what would be rounded to them. NaN: "-". */
enum { UM_SCORE_TEXT = 32 };
const char *um_score_text(char text[UM_SCORE_TEXT], double score, int digits);

#endif
