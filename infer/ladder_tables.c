/* What the ladder found: the table, within 80 columns, and the JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "infer/infer.h"

const char *rung_name(char name[32], um_distortion how) {
  static const char *const before[UM_DISTORTIONS] = {[UM_DISTORT_H264] = "crf ", [UM_DISTORT_JPEG] = "quality "};
  static const char *const after[UM_DISTORTIONS] = {[UM_DISTORT_DOWNSCALE] = " %",
                                                    [UM_DISTORT_BLUR] = " px",
                                                    [UM_DISTORT_BRIGHTNESS] = " %",
                                                    [UM_DISTORT_CROP] = " %",
                                                    [UM_DISTORT_BORDERS] = " %"};
  const char *b = before[how.kind], *a = after[how.kind];
  snprintf(name, 32, "%s %s%s%g%s", um_distortion_name((int)how.kind), b ? b : "",
           how.kind == UM_DISTORT_BRIGHTNESS && how.strength > 0 ? "+" : "", how.strength, a ? a : "");
  return name;
}

void ladder_print_head(void) {
  printf("\n%-16s %6s %6s  %5s  %-14s  %5s  %6s  %7s\n", "", "scored", "none", "AUC", "95 % interval", "right", "shift", "changed");
}

static const char *put(char text[32], const char *form, double v) {
  snprintf(text, 32, isnan(v) ? "-" : *form == '+' ? "%+.3f" : *form == '%' ? "%.1f %%" : "%.3f", v);
  return text;
}

void ladder_print_row(const ladder *l, const rung *r) {
  const bool plain = !r;
  char name[32], auc[32], interval[64] = "", right[32], shift[32], changed[32];
  if (plain) r = &l->plain;
  const um_interval i = r->video.interval[UM_AUC];
  if (l->labelled && !isnan(i.low)) snprintf(interval, sizeof interval, "[%.3f, %.3f]", i.low, i.high);
  printf("%-16s %6d %6d  %5s  %-14s  %5s  %6s  %7s\n", plain ? "as they are" : rung_name(name, r->how), r->scored, r->without,
         put(auc, "", l->labelled ? r->video.measures.value[UM_AUC] : NAN), interval,
         put(right, "", l->labelled ? r->video.measures.value[UM_ACCURACY] : NAN), put(shift, "+", plain ? NAN : r->shift),
         put(changed, "%", plain || !r->compared ? NAN : 100. * r->changed / r->compared));
}

void ladder_print_foot(const ladder *l) {
  puts("none: inputs without a score, most of them because no face was found; AUC and\n"
       "right (share whose verdict is right) by video, of those with a score; shift:\n"
       "mean change of the score; changed: inputs whose verdict is another");
  if (!l->labelled) puts("no AUC without --labels");
}

/* A number, or null where there is none. */
static bool put_number(cJSON *o, const char *key, double v) {
  return isnan(v) ? cJSON_AddNullToObject(o, key) : cJSON_AddNumberToObject(o, key, v);
}

static bool put_evaluation(cJSON *to, const char *key, const um_evaluation *e) {
  const um_interval *i = &e->interval[UM_AUC];
  cJSON *o = cJSON_AddObjectToObject(to, key), *pair = NULL;
  bool whole = o && put_number(o, "count", e->count) && put_number(o, "fake", e->fakes) && put_number(o, "groups", e->groups) &&
               put_number(o, um_metric_key(UM_AUC), e->measures.value[UM_AUC]) &&
               put_number(o, um_metric_key(UM_ACCURACY), e->measures.value[UM_ACCURACY]);
  if (!whole || isnan(i->low)) return whole && cJSON_AddNullToObject(o, "auc_interval");
  whole = (pair = cJSON_CreateDoubleArray((const double[]){i->low, i->high}, 2)) && cJSON_AddItemToObject(o, "auc_interval", pair);
  if (!whole) cJSON_Delete(pair);
  return whole;
}

static bool put_rung(cJSON *o, const ladder *l, const rung *r) {
  const bool plain = r == &l->plain;
  bool whole =
      plain || (cJSON_AddStringToObject(o, "kind", um_distortion_name((int)r->how.kind)) && put_number(o, "strength", r->how.strength));
  whole = whole && put_number(o, "scored", r->scored) && put_number(o, "without_score", r->without);
  if (!plain)
    whole = whole && put_number(o, "compared", r->compared) && put_number(o, "changed_verdicts", r->changed) &&
            put_number(o, "shift", r->shift);
  if (!plain && l->labelled)
    whole = whole && put_number(o, "shift_of_fake", r->shift_of[1]) && put_number(o, "shift_of_real", r->shift_of[0]);
  if (l->labelled) whole = whole && put_evaluation(o, "frame", &r->frame) && put_evaluation(o, "video", &r->video);
  if (plain || !whole) return whole; /* those of the results */
  cJSON *list = cJSON_AddArrayToObject(o, "scores");
  for (int i = 0; list && i < l->inputs; i++) {
    cJSON *v = isnan(r->score[i]) ? cJSON_CreateNull() : cJSON_CreateNumber(r->score[i]);
    if (!v || !cJSON_AddItemToArray(list, v)) return cJSON_Delete(v), false;
  }
  return list;
}

bool ladder_put(cJSON *o, const ladder *l) {
  cJSON *plain = cJSON_AddObjectToObject(o, "as_they_are"), *list;
  bool whole = plain && put_rung(plain, l, &l->plain) && (list = cJSON_AddArrayToObject(o, "rungs"));
  for (int i = 0; whole && i < l->rungs; i++) {
    cJSON *one = cJSON_CreateObject();
    whole = one && cJSON_AddItemToArray(list, one);
    if (!whole) cJSON_Delete(one);
    whole = whole && put_rung(one, l, &l->rung[i]);
  }
  return whole;
}
