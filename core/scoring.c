#include "core/scoring.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

#define CERTAIN 1e-7

static const char *const rules[UM_FRAMES_RULES] = {"mean", "mean_logit", "median", "top_k", "confident"};
static const char *const peoples[] = {"highest", "together"};

const char *um_frames_rule_name(int rule) { return rule >= 0 && rule < UM_FRAMES_RULES ? rules[rule] : NULL; }

void um_scoring_defaults(um_scoring *s) { *s = (um_scoring){.frames = UM_FRAMES_MEAN, .top_k = UM_TOP_K}; }

bool um_scoring_put(cJSON *o, const um_scoring *s) {
  return cJSON_AddStringToObject(o, "frames", rules[s->frames]) &&
         (s->frames != UM_FRAMES_TOP_K || cJSON_AddNumberToObject(o, "top_k", s->top_k)) &&
         cJSON_AddStringToObject(o, "people", peoples[s->together]);
}

bool um_scoring_get(um_scoring *s, const cJSON *o) {
  int frames = UM_FRAMES_MEAN, together = 0;
  int64_t k;
  um_scoring_defaults(s);
  k = s->top_k;
  if (cJSON_HasObjectItem(o, "frames") && !um_json_word(o, "frames", rules, UM_FRAMES_RULES, &frames)) return false;
  if (cJSON_HasObjectItem(o, "top_k") && !um_json_int(o, "top_k", 1, 1000000, &k)) return false;
  if (cJSON_HasObjectItem(o, "people") && !um_json_word(o, "people", peoples, 2, &together)) return false;
  *s = (um_scoring){(um_frames_rule)frames, (int)k, together};
  return true;
}

bool um_scoring_same(const um_scoring *a, const um_scoring *b) {
  return a->frames == b->frames && (a->frames != UM_FRAMES_TOP_K || a->top_k == b->top_k) && a->together == b->together;
}

static int descending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

static double mean(const double *score, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += score[i];
  return n > 0 ? sum / n : NAN;
}

static double mean_logit(const double *score, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) {
    const double p = score[i] < CERTAIN ? CERTAIN : score[i] > 1 - CERTAIN ? 1 - CERTAIN : score[i];
    sum += log(p / (1 - p));
  }
  return 1 / (1 + exp(-sum / n));
}

/* The faces are moved so that those which count come first; their mean. */
static double confident(double *score, int n) {
  int high = 0, low = 0;
  for (int i = 0; i < n; i++) high += score[i] > .8, low += score[i] < .2;
  const bool fake = high > floor(n / 2.5) && high > 11;
  if (!fake && !(low > .9 * n)) return mean(score, n);
  int kept = 0;
  for (int i = 0; i < n; i++)
    if (fake ? score[i] > .8 : score[i] < .2) score[kept++] = score[i];
  return mean(score, kept);
}

double um_scoring_person(const um_scoring *s, double *score, int n) {
  if (n <= 0) return NAN;
  switch (s->frames) {
  case UM_FRAMES_MEAN_LOGIT: return mean_logit(score, n);
  case UM_FRAMES_CONFIDENT: return confident(score, n);
  case UM_FRAMES_MEDIAN: qsort(score, (size_t)n, sizeof *score, descending); return (score[(n - 1) / 2] + score[n / 2]) / 2;
  case UM_FRAMES_TOP_K: qsort(score, (size_t)n, sizeof *score, descending); return mean(score, s->top_k < n ? s->top_k : n);
  default: return mean(score, n);
  }
}

static int by_person(const void *pa, const void *pb) {
  const um_person_face *a = pa, *b = pb;
  return a->person != b->person ? (a->person > b->person) - (a->person < b->person) : (a->at > b->at) - (a->at < b->at);
}

double um_scoring_video(const um_scoring *s, um_person *person, int *people, um_person_face *face, int n, double *scratch) {
  double highest = NAN;
  *people = 0;
  for (int i = 0; i < n; i++) face[i].at = i;
  if (!s->together && n > 1) qsort(face, (size_t)n, sizeof *face, by_person);
  for (int i = 0; i < n;) {
    int k = 0;
    const int who = s->together ? -1 : face[i].person;
    for (; i + k < n && (s->together || face[i + k].person == who); k++) scratch[k] = face[i + k].score;
    const double score = um_scoring_person(s, scratch, k);
    person[(*people)++] = (um_person){who, k, score, score};
    if (isnan(highest) || score > highest) highest = score;
    i += k;
  }
  return highest;
}

const char *um_score_text(char text[UM_SCORE_TEXT], double score, int digits) {
  char end[UM_SCORE_TEXT];
  if (isnan(score)) return "-";
  snprintf(text, UM_SCORE_TEXT, "%.*f", digits, score);
  for (int i = 0; i < 2; i++) {
    snprintf(end, sizeof end, "%.*f", digits, (double)i);
    if (score == i || strcmp(text, end)) continue;
    const double step = pow(10, -digits);
    snprintf(text, UM_SCORE_TEXT, "%c%.*f", i ? '>' : '<', digits, i ? 1 - step : step);
    break;
  }
  return text;
}
