/* How right the scores are: the tables, within 80 columns, and the JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "infer/infer.h"

static const char *put(char text[16], double v) {
  snprintf(text, 16, isnan(v) ? "-" : "%.4f", v);
  return text;
}

static const char *put_interval(char text[48], um_interval i) {
  char a[16], b[16];
  if (isnan(i.low))
    text[0] = 0;
  else
    snprintf(text, 48, "[%s, %s]", put(a, i.low), put(b, i.high));
  return text;
}

static void print_counts(const char *name, double frame, double video) { printf("%-25s  %6.0f  %-16s  %6.0f\n", name, frame, "", video); }

static void print_all(const findings *r) {
  const evaluation *f = &r->all.frame, *v = &r->all.video;
  const um_confusion *a = &f->measures.confusion, *b = &v->measures.confusion;
  char text[2][16], interval[2][48];
  printf("\n%-25s  %6s  %-16s  %6s  %s\n", "", "frames", r->resamples ? "95 % interval" : "", "videos",
         r->resamples ? "95 % interval" : "");
  for (int m = 0; m < UM_METRICS; m++)
    printf("%-25s  %6s  %-16s  %6s  %s\n", um_metric_name(m), put(text[0], f->measures.value[m]), put_interval(interval[0], f->interval[m]),
           put(text[1], v->measures.value[m]), put_interval(interval[1], v->interval[m]));
  print_counts("fake, called fake", a->true_positive, b->true_positive);
  print_counts("fake, called real", a->false_negative, b->false_negative);
  print_counts("real, called fake", a->false_positive, b->false_positive);
  print_counts("real, called real", a->true_negative, b->true_negative);
  print_counts("footage (drawn as groups)", f->groups, v->groups);
}

/* The end of a long value tells more than its beginning. */
static void print_parts(const findings *r) {
  enum { WIDTH = 20 };
  char text[3][16], interval[48];
  printf("\n%-*s  %6s  %6s  %8s  %8s  %s\n", WIDTH, r->by, "videos", "fake", "accuracy", "ROC AUC", r->resamples ? "95 % interval" : "");
  for (int i = 0; i < r->parts; i++) {
    const part *p = &r->part[i];
    const evaluation *v = &p->video;
    const size_t n = strlen(p->value);
    printf("%s%-*s  %6d  %6d  %8s  %8s  %s\n", n > WIDTH ? ".." : "", n > WIDTH ? WIDTH - 2 : WIDTH,
           n > WIDTH ? p->value + n - WIDTH + 2 : p->value, v->count, v->fakes, put(text[0], v->measures.value[UM_ACCURACY]),
           put(text[1], v->measures.value[UM_AUC]), put_interval(interval, v->interval[UM_AUC]));
  }
}

void findings_print(const findings *r, const inputs *in) {
  int without = 0, unlabelled = 0, outside = 0;
  for (int i = 0; i < in->count; i++)
    without += in->at[i].label != LABEL_NONE && isnan(in->at[i].score), unlabelled += in->at[i].label == LABEL_NONE;
  for (int i = 0; r->by && i < r->subjects.count; i++) outside += !r->subjects.at[i].by;
  print_all(r);
  if (r->by) print_parts(r);
  if (without) printf("%d labelled input%s without a score not counted\n", without, without == 1 ? "" : "s");
  if (unlabelled) printf("%d input%s without a label not counted\n", unlabelled, unlabelled == 1 ? "" : "s");
  if (outside) printf("%d video%s not in the manifest, in no line of --by %s\n", outside, outside == 1 ? "" : "s", r->by);
}

static bool put_number(cJSON *o, const char *key, double v) {
  return isnan(v) ? cJSON_AddNullToObject(o, key) : cJSON_AddNumberToObject(o, key, v);
}

static bool put_interval_to(cJSON *o, const char *key, um_interval i) {
  if (isnan(i.low)) return cJSON_AddNullToObject(o, key);
  cJSON *pair = cJSON_CreateDoubleArray((const double[]){i.low, i.high}, 2);
  if (pair && cJSON_AddItemToObject(o, key, pair)) return true;
  cJSON_Delete(pair);
  return false;
}

static bool put_evaluation(cJSON *to, const char *key, const evaluation *e) {
  const um_confusion *c = &e->measures.confusion;
  cJSON *o = cJSON_AddObjectToObject(to, key), *confusion, *intervals;
  bool whole = o && put_number(o, "count", e->count) && put_number(o, "fake", e->fakes) && put_number(o, "groups", e->groups);
  for (int m = 0; whole && m < UM_METRICS; m++) whole = put_number(o, um_metric_key(m), e->measures.value[m]);
  whole = whole && (confusion = cJSON_AddObjectToObject(o, "confusion")) && put_number(confusion, "fake_called_fake", c->true_positive) &&
          put_number(confusion, "fake_called_real", c->false_negative) && put_number(confusion, "real_called_fake", c->false_positive) &&
          put_number(confusion, "real_called_real", c->true_negative) && (intervals = cJSON_AddObjectToObject(o, "intervals"));
  for (int m = 0; whole && m < UM_METRICS; m++) whole = put_interval_to(intervals, um_metric_key(m), e->interval[m]);
  return whole;
}

bool findings_put(cJSON *o, const findings *r) {
  bool whole =
      put_evaluation(o, "frame", &r->all.frame) && put_evaluation(o, "video", &r->all.video) && put_number(o, "resamples", r->resamples);
  if (!whole || !r->by) return whole;
  cJSON *by = cJSON_AddObjectToObject(o, "by"), *list;
  whole = by && cJSON_AddStringToObject(by, "column", r->by) && (list = cJSON_AddArrayToObject(by, "parts"));
  for (int i = 0; whole && i < r->parts; i++) {
    const part *p = &r->part[i];
    cJSON *one = cJSON_CreateObject();
    whole = one && cJSON_AddItemToArray(list, one);
    if (!whole) cJSON_Delete(one);
    whole = whole && cJSON_AddStringToObject(one, "value", p->value) && put_evaluation(one, "frame", &p->frame) &&
            put_evaluation(one, "video", &p->video);
  }
  return whole;
}
