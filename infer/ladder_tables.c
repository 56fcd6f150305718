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

const char *const ladder_heading[LADDER_COLUMNS] = {"", "scored", "none", "AUC", "95 % interval", "right", "shift", "changed"};
const char ladder_legend[] = "none: inputs without a score, most of them because no face was found; AUC and\n"
                             "right (share whose verdict is right) by video, of those with a score; shift:\n"
                             "mean change of the score; changed: inputs whose verdict is another; *: an AUC\n"
                             "that differs from that of the inputs as they are (95 %, paired bootstrap)";

static void put(char cell[LADDER_CELL], const char *form, double v) {
  snprintf(cell, LADDER_CELL, isnan(v) ? "-" : *form == '+' ? "%+.3f" : *form == '%' ? "%.1f %%" : "%.3f", v);
}

void ladder_row_make(ladder_row *row, const ladder *l, const rung *r) {
  const bool plain = !r;
  if (plain) r = &l->plain;
  const um_interval i = r->video.interval[UM_AUC];
  char(*cell)[LADDER_CELL] = row->cell;
  if (plain)
    snprintf(cell[0], LADDER_CELL, "as they are");
  else
    rung_name(cell[0], r->how);
  snprintf(cell[1], LADDER_CELL, "%d", r->scored);
  snprintf(cell[2], LADDER_CELL, "%d", r->without);
  put(cell[3], "", l->labelled ? r->video.measures.value[UM_AUC] : NAN);
  const um_interval d = r->change.interval;
  if (!plain && l->labelled && (d.low > 0 || d.high < 0)) strcat(cell[3], "*");
  cell[4][0] = 0;
  if (l->labelled && !isnan(i.low)) snprintf(cell[4], LADDER_CELL, "[%.3f, %.3f]", i.low, i.high);
  put(cell[5], "", l->labelled ? r->video.measures.value[UM_ACCURACY] : NAN);
  put(cell[6], "+", plain ? NAN : r->shift);
  put(cell[7], "%", plain || !r->compared ? NAN : 100. * r->changed / r->compared);
}

static void print_cells(const char *const cell[LADDER_COLUMNS]) {
  printf("%-16s %6s %6s  %6s  %-14s  %5s  %6s  %7s\n", cell[0], cell[1], cell[2], cell[3], cell[4], cell[5], cell[6], cell[7]);
}

void ladder_print_head(void) {
  putchar('\n');
  print_cells(ladder_heading);
}

void ladder_print_row(const ladder *l, const rung *r) {
  ladder_row row = {0};
  const char *cell[LADDER_COLUMNS];
  ladder_row_make(&row, l, r);
  for (int i = 0; i < LADDER_COLUMNS; i++) cell[i] = row.cell[i];
  print_cells(cell);
}

void ladder_print_foot(const ladder *l) {
  puts(ladder_legend);
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
  if (!plain && l->labelled) {
    const um_interval *d = &r->change.interval;
    cJSON *change = whole ? cJSON_AddObjectToObject(o, "auc_change") : NULL;
    whole = change && put_number(change, "value", r->change.value) && put_number(change, "low", d->low) &&
            put_number(change, "high", d->high) && put_number(change, "p", r->change.p);
  }
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
  bool whole =
      plain && put_number(o, "seed", UM_DISTORT_SEED) && put_rung(plain, l, &l->plain) && (list = cJSON_AddArrayToObject(o, "rungs"));
  for (int i = 0; whole && i < l->rungs; i++) {
    cJSON *one = cJSON_CreateObject();
    whole = one && cJSON_AddItemToArray(list, one);
    if (!whole) cJSON_Delete(one);
    whole = whole && put_rung(one, l, &l->rung[i]);
  }
  return whole;
}
