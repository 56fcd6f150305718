/* infer --compare: two models on the same inputs, paired by footage. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/results.h"
#include "infer/infer.h"

/* Why inputs are not compared. */
enum { ONLY_A, ONLY_B, UNLABELLED, NO_SCORE, REASONS };
static const char *const why[REASONS] = {"only in the first file", "only in the second file", "without a label",
                                         "without a score in one of the files"};
static const char *const why_key[REASONS] = {"only_a", "only_b", "unlabelled", "no_score"};

typedef struct kind {
  um_measures a, b;
  um_difference difference[UM_METRICS];
  int count[2], groups;
} kind;

typedef struct comparison {
  um_results a, b;
  int left_out[REASONS], videos, resamples;
  kind frame, video;
} comparison;

static int by_path(const void *a, const void *b) { return strcmp(((const um_result *)a)->path, ((const um_result *)b)->path); }

/* Sorted by path, each path once. */
static int settle(um_results *in, const char *name, um_error *err) {
  qsort(in->at, (size_t)in->count, sizeof *in->at, by_path);
  for (int i = 1; i < in->count; i++)
    if (!strcmp(in->at[i - 1].path, in->at[i].path)) return um_fail(err, UM_EFORMAT, "%s: %s is there twice", name, in->at[i].path);
  return UM_OK;
}

/* What is not compared loses its label; the footage is as the first file says. */
static int pair_up(comparison *c, const char *name_b, um_error *err) {
  const char *first[REASONS] = {NULL};
  for (int i = 0, k = 0; i < c->a.count || k < c->b.count;) {
    um_result *a = i < c->a.count ? &c->a.at[i] : NULL, *b = k < c->b.count ? &c->b.at[k] : NULL;
    const int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
    const um_result *of = order > 0 ? b : a;
    int reason = REASONS;
    if (order <= 0) i++;
    if (order >= 0) k++;
    if (order) {
      reason = order < 0 ? ONLY_A : ONLY_B;
    } else if (a->label != b->label) {
      return um_fail(err, UM_EFORMAT, "%s: %s: its label is another one than in the first file", name_b, b->path);
    } else if (a->label < 0) {
      reason = UNLABELLED;
    } else if (isnan(a->score) || isnan(b->score)) {
      reason = NO_SCORE;
    }
    if (reason < REASONS) {
      if (!c->left_out[reason]++) first[reason] = of->path;
      if (order <= 0) a->label = -1;
      if (order >= 0) b->label = -1;
      continue;
    }
    free(b->group), free(b->video);
    b->group = strdup(a->group), b->video = a->video ? strdup(a->video) : NULL;
    if (!b->group || (a->video && !b->video)) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", c->b.count);
  }
  for (int r = 0; r < REASONS; r++)
    if (first[r])
      um_log(UM_LOG_WARN, "not compared: %d input%s %s (%s%s)", c->left_out[r], c->left_out[r] == 1 ? "" : "s", why[r], first[r],
             c->left_out[r] == 1 ? "" : ", ...");
  return UM_OK;
}

static int compare_kind(kind *k, const um_subjects *a, const um_subjects *b, bool by_frame, const um_evaluation_settings e[2],
                        um_error *err) {
  um_ranking *x = NULL, *y = NULL;
  int rc = um_subjects_rank(&x, a, by_frame, &e[0], err);
  if (!rc) rc = um_subjects_rank(&y, b, by_frame, &e[1], err);
  if (!rc) {
    um_ranking_measure(&k->a, x, NULL), um_ranking_measure(&k->b, y, NULL);
    k->count[0] = um_ranking_count(x), k->count[1] = um_ranking_count(y), k->groups = um_ranking_groups(x);
    rc = um_bootstrap_difference(k->difference, x, y, e[0].resamples, UM_BOOTSTRAP_SEED, err);
  }
  um_ranking_free(x), um_ranking_free(y);
  return rc;
}

static const char *put(char text[16], const char *format, double v) {
  if (isnan(v))
    snprintf(text, 16, "-");
  else if (*format == '+')
    snprintf(text, 16, "%+.4f", v);
  else
    snprintf(text, 16, "%.4f", v);
  return text;
}

static void print_kind(const kind *k, const char *name) {
  printf("\n%-25s  %6s  %6s  %7s  %-18s  %6s\n", name, "A", "B", "B - A", "95 % interval", "p");
  for (int m = 0; m < UM_METRICS; m++) {
    const um_difference *d = &k->difference[m];
    char a[16], b[16], value[16], low[16], high[16], p[16], interval[40] = "";
    if (!isnan(d->interval.low))
      snprintf(interval, sizeof interval, "[%s, %s]", put(low, "+", d->interval.low), put(high, "+", d->interval.high));
    printf("%-25s  %6s  %6s  %7s  %-18s  %6s\n", um_metric_name(m), put(a, "", k->a.value[m]), put(b, "", k->b.value[m]),
           put(value, "+", d->value), interval, put(p, "", d->p));
  }
}

static void print_all(const comparison *c, const char *a, const char *b) {
  printf("A: %s\nB: %s\n%d videos of %d groups\n", a, b, c->videos, c->video.groups);
  print_kind(&c->frame, "by frame");
  print_kind(&c->video, "by video");
}

static bool put_number(cJSON *o, const char *key, double v) {
  return isnan(v) ? cJSON_AddNullToObject(o, key) : cJSON_AddNumberToObject(o, key, v);
}

static bool put_kind(cJSON *to, const char *key, const kind *k) {
  cJSON *o = cJSON_AddObjectToObject(to, key), *one, *pair;
  bool whole = o && put_number(o, "count_a", k->count[0]) && put_number(o, "count_b", k->count[1]) && put_number(o, "groups", k->groups);
  for (int m = 0; whole && m < UM_METRICS; m++) {
    const um_difference *d = &k->difference[m];
    whole = (one = cJSON_AddObjectToObject(o, um_metric_key(m))) && put_number(one, "a", k->a.value[m]) &&
            put_number(one, "b", k->b.value[m]) && put_number(one, "difference", d->value) && put_number(one, "p", d->p);
    if (whole && isnan(d->interval.low)) {
      whole = cJSON_AddNullToObject(one, "interval");
    } else if (whole) {
      pair = cJSON_CreateDoubleArray((const double[]){d->interval.low, d->interval.high}, 2);
      whole = pair && cJSON_AddItemToObject(one, "interval", pair);
      if (!whole) cJSON_Delete(pair);
    }
  }
  return whole;
}

/* What --verify knows a result by. */
static bool put_file(cJSON *list, const um_results *r, const char *path) {
  cJSON *o = cJSON_CreateObject();
  if (!o || !cJSON_AddItemToArray(list, o)) {
    cJSON_Delete(o);
    return false;
  }
  return um_json_put_text(o, "file", path) && um_json_put_text(o, "sha256", r->sha256) &&
         um_json_put_number(o, "bytes", (double)r->bytes) && um_json_put_text(o, "model_sha256", r->model_sha256) &&
         um_json_put_text(o, "model_fingerprint", r->fingerprint);
}

/* NULL without memory. */
static cJSON *comparison_json(const comparison *c, const char *a, const char *b) {
  cJSON *o = cJSON_CreateObject(), *left_out, *files;
  bool whole = o && cJSON_AddStringToObject(o, "format", COMPARISON_FORMAT) && (files = cJSON_AddArrayToObject(o, "files")) &&
               put_file(files, &c->a, a) && put_file(files, &c->b, b) && put_number(o, "bootstrap_seed", UM_BOOTSTRAP_SEED) &&
               cJSON_AddStringToObject(o, "a", a) && cJSON_AddStringToObject(o, "b", b) && put_number(o, "videos", c->videos) &&
               put_number(o, "resamples", c->resamples) && (left_out = cJSON_AddObjectToObject(o, "not_compared"));
  for (int r = 0; whole && r < REASONS; r++) whole = put_number(left_out, why_key[r], c->left_out[r]);
  whole = whole && put_kind(o, "frame", &c->frame) && put_kind(o, "video", &c->video);
  if (whole) return o;
  cJSON_Delete(o);
  return NULL;
}

static int collect(um_subjects *s, const um_results *r, const um_evaluation_settings *e, um_error *err) {
  um_scored *list;
  int count, rc = um_results_scored(&list, &count, r, err);
  if (!rc) rc = um_subjects_collect(s, list, count, e, err);
  free(list);
  return rc;
}

static int comparison_make(comparison *c, const char *a, const char *b, const options *o, um_error *err) {
  um_subjects x = {0}, y = {0};
  *c = (comparison){.resamples = o->resamples};
  int rc = um_results_read(&c->a, a, err);
  if (!rc) rc = um_results_read(&c->b, b, err);
  if (!rc) rc = settle(&c->a, a, err);
  if (!rc) rc = settle(&c->b, b, err);
  if (!rc) rc = pair_up(c, b, err);
  const um_evaluation_settings of[2] = {evaluation_settings(&c->a.rule, &c->a.calibration, o),
                                        evaluation_settings(&c->b.rule, &c->b.calibration, o)};
  if (!rc) rc = collect(&x, &c->a, &of[0], err);
  if (!rc) rc = collect(&y, &c->b, &of[1], err);
  if (!rc && x.count == 0)
    rc = um_fail(err, UM_EFORMAT, "%s and %s: no labelled input has a score in both; were both made by infer --labels of the same inputs?",
                 a, b);
  c->videos = x.count;
  if (!rc) rc = compare_kind(&c->frame, &x, &y, true, of, err);
  if (!rc) rc = compare_kind(&c->video, &x, &y, false, of, err);
  um_subjects_free(&x), um_subjects_free(&y);
  return rc;
}

static void comparison_free(comparison *c) { um_results_free(&c->a), um_results_free(&c->b); }

int compare(const char *a, const char *b, const options *o, um_error *err) {
  comparison c;
  int rc = comparison_make(&c, a, b, o, err);
  if (!rc && !o->quiet && !(o->json && !strcmp(o->json, "-"))) print_all(&c, a, b);
  if (!rc && o->json) {
    cJSON *all = comparison_json(&c, a, b);
    rc = json_write(o->json, all, all != NULL, err);
  }
  comparison_free(&c);
  return rc;
}

int compare_json(cJSON **out, const char *a, const char *b, const options *o, um_error *err) {
  comparison c;
  int rc = comparison_make(&c, a, b, o, err);
  *out = rc ? NULL : comparison_json(&c, a, b);
  if (!rc && !*out) rc = um_fail(err, UM_ENOMEM, "no memory for the comparison");
  comparison_free(&c);
  return rc;
}
