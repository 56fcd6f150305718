/* How right the scores are: the tables, within 80 columns. */
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

static void print_all(const um_findings *r) {
  const um_evaluation *f = &r->all.frame, *v = &r->all.video;
  char text[2][16], interval[2][48];
  printf("\n%-25s  %6s  %-16s  %6s  %s\n", "", "frames", r->settings.resamples ? "95 % interval" : "", "videos",
         r->settings.resamples ? "95 % interval" : "");
  for (int m = 0; m < UM_METRICS; m++)
    printf("%-25s  %6s  %-16s  %6s  %s\n", um_metric_name(m), put(text[0], f->measures.value[m]), put_interval(interval[0], f->interval[m]),
           put(text[1], v->measures.value[m]), put_interval(interval[1], v->interval[m]));
  for (int fake = 1; fake >= 0; fake--)
    for (int called = UM_VERDICT_FAKE; called >= UM_VERDICT_REAL; called--) {
      char name[40];
      if (called == UM_VERDICT_UNCERTAIN && !r->settings.calibration.band) continue;
      snprintf(name, sizeof name, "%s, called %s", fake ? "fake" : "real", um_verdict_name((um_verdict)called));
      print_counts(name, f->verdict[fake][called], v->verdict[fake][called]);
    }
  print_counts("footage (drawn as groups)", f->groups, v->groups);
}

/* The end of a long value tells more than its beginning. */
static void print_parts(const um_findings *r) {
  enum { WIDTH = 20 };
  char text[3][16], interval[48];
  printf("\n%-*s  %6s  %6s  %8s  %8s  %s\n", WIDTH, r->settings.by, "videos", "fake", "accuracy", "ROC AUC",
         r->settings.resamples ? "95 % interval" : "");
  for (int i = 0; i < r->parts; i++) {
    const um_evaluation_part *p = &r->part[i];
    const um_evaluation *v = &p->video;
    const size_t n = strlen(p->value);
    printf("%s%-*s  %6d  %6d  %8s  %8s  %s\n", n > WIDTH ? ".." : "", n > WIDTH ? WIDTH - 2 : WIDTH,
           n > WIDTH ? p->value + n - WIDTH + 2 : p->value, v->count, v->fakes, put(text[0], v->measures.value[UM_ACCURACY]),
           put(text[1], v->measures.value[UM_AUC]), put_interval(interval, v->interval[UM_AUC]));
  }
}

void findings_print(const um_findings *r, const inputs *in) {
  int without = 0, unlabelled = 0, outside = 0;
  for (int i = 0; i < in->count; i++)
    without += in->at[i].label != LABEL_NONE && isnan(in->at[i].score), unlabelled += in->at[i].label == LABEL_NONE;
  for (int i = 0; r->settings.by && i < r->subjects.count; i++) outside += !r->subjects.at[i].by;
  print_all(r);
  if (r->settings.by) print_parts(r);
  if (without) printf("%d labelled input%s without a score not counted\n", without, without == 1 ? "" : "s");
  if (unlabelled) printf("%d input%s without a label not counted\n", unlabelled, unlabelled == 1 ? "" : "s");
  if (outside) printf("%d video%s not in the manifest, in no line of --by %s\n", outside, outside == 1 ? "" : "s", r->settings.by);
}
