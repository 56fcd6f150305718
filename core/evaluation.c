#include "core/evaluation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- from entries to videos ---- */

/* Faces of one video stand together; a truth of its own makes one its own. */
static int by_name(const void *pa, const void *pb) {
  const um_scored *a = *(const um_scored *const *)pa, *b = *(const um_scored *const *)pb;
  const int order = strcmp(a->name, b->name);
  if (order) return order;
  return a->fake != b->fake ? a->fake - b->fake : strcmp(a->key, b->key);
}

static bool same_subject(const um_scored *a, const um_scored *b) { return a->fake == b->fake && !strcmp(a->name, b->name); }

static int by_group_name(const void *pa, const void *pb) {
  return strcmp((*(const um_subject *const *)pa)->group_name, (*(const um_subject *const *)pb)->group_name);
}

static int number_groups(um_subjects *s, um_error *err) {
  um_subject **order = malloc(((size_t)s->count + 1) * sizeof *order);
  if (!order) return um_fail(err, UM_ENOMEM, "no memory for %d groups", s->count);
  for (int i = 0; i < s->count; i++) order[i] = &s->at[i];
  qsort(order, (size_t)s->count, sizeof(um_subject *), by_group_name);
  s->groups = 0;
  for (int i = 0; i < s->count; i++) {
    if (i > 0 && strcmp(order[i]->group_name, order[i - 1]->group_name)) s->groups++;
    order[i]->group = s->groups;
  }
  if (s->count) s->groups++;
  free(order);
  return UM_OK;
}

static int score_one(um_subject *s, const um_scoring *rule, um_error *err) {
  const size_t n = (size_t)s->faces;
  um_person_face *face = malloc(n * sizeof *face);
  um_person *person = malloc(n * sizeof *person);
  double *scratch = malloc(n * sizeof *scratch);
  int people;
  const int rc = face && person && scratch ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %d faces", s->faces);
  for (int i = 0; !rc && i < s->faces; i++) face[i] = (um_person_face){.person = s->person[i], .score = s->face[i]};
  if (!rc) s->score = um_scoring_video(rule, person, &people, face, s->faces, scratch);
  free(face), free(person), free(scratch);
  return rc;
}

int um_subjects_score(um_subjects *s, const um_scoring *rule, um_error *err) {
  int rc = UM_OK;
  for (int i = 0; !rc && i < s->count; i++) rc = score_one(&s->at[i], rule, err);
  return rc;
}

/* One of n entries, whose faces are written to `face` and `person`. */
static int collect_one(um_subject *out, const um_scored *const *in, int n, double *face, int *person, const um_scoring *rule,
                       um_error *err) {
  int faces = 0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < in[i]->faces; k++) face[faces] = in[i]->face[k].score, person[faces++] = in[i]->face[k].person;
  *out = (um_subject){in[0]->name, in[0]->group, in[0]->by, in[0]->fake, 0, in[0]->score, face, person, faces};
  return n == 1 && !isnan(out->score) ? UM_OK : score_one(out, rule, err);
}

int um_subjects_collect(um_subjects *s, const um_scored *scored, int count, const um_evaluation_settings *e, um_error *err) {
  const um_scored **order = malloc(((size_t)count + 1) * sizeof *order);
  size_t faces = 1, at = 0;
  int rc = UM_OK;
  for (int i = 0; order && i < count; i++) order[i] = &scored[i], faces += (size_t)scored[i].faces;
  *s = (um_subjects){.at = malloc(((size_t)count + 1) * sizeof *s->at),
                     .face = malloc(faces * sizeof *s->face),
                     .person = malloc(faces * sizeof *s->person)};
  if (!order || !s->at || !s->face || !s->person) rc = um_fail(err, UM_ENOMEM, "no memory for %zu scores", faces);
  if (!rc) qsort(order, (size_t)count, sizeof *order, by_name);
  for (int i = 0, k; !rc && i < count; i += k) {
    for (k = 1; i + k < count && same_subject(order[i], order[i + k]);) k++;
    rc = collect_one(&s->at[s->count], order + i, k, s->face + at, s->person + at, &e->rule, err);
    at += (size_t)s->at[s->count++].faces;
  }
  if (!rc) rc = number_groups(s, err);
  free(order);
  if (rc) um_subjects_free(s);
  return rc;
}

void um_subjects_free(um_subjects *s) {
  free(s->at);
  free(s->face);
  free(s->person);
  *s = (um_subjects){0};
}

/* ---- numbers ---- */

/* The scores of some subjects as arrays, and their groups numbered without gaps. */
static int rank_some(um_ranking **out, const um_subjects *s, const char *value, bool by_frame, const um_evaluation_settings *how,
                     um_evaluation *e, um_error *err) {
  size_t most = 1;
  for (int i = 0; i < s->count; i++) most += 1 + (size_t)s->at[i].faces;
  double *score = malloc(most * sizeof *score);
  bool *fake = malloc(most * sizeof *fake);
  int *group = malloc(most * sizeof *group), *number = calloc((size_t)s->groups + 1, sizeof *number), n = 0, groups = 0;
  int rc = score && fake && group && number ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %zu scores", most);
  *out = NULL;
#define WANTED(x) (!value || ((x)->by && (!*(x)->by || !strcmp((x)->by, value))))
  for (int i = 0; !rc && i < s->count; i++)
    if (WANTED(&s->at[i])) number[s->at[i].group] = 1;
  for (int g = 0; !rc && g < s->groups; g++)
    if (number[g]) number[g] = groups++;
  for (int i = 0; !rc && i < s->count; i++) {
    const um_subject *x = &s->at[i];
    for (int k = 0; WANTED(x) && k < (by_frame ? x->faces : 1); k++) {
      score[n] = um_calibrated(&how->calibration, by_frame ? x->face[k] : x->score);
      if (e) e->fakes += x->fake, e->verdict[x->fake][um_verdict_of(&how->calibration, score[n])]++;
      group[n] = number[x->group], fake[n++] = x->fake;
    }
  }
#undef WANTED
  if (e) e->count = n, e->groups = groups;
  if (!rc) rc = um_ranking_make(out, score, fake, group, n, groups, how->threshold, err);
  free(score), free(fake), free(group), free(number);
  return rc;
}

int um_subjects_rank(um_ranking **out, const um_subjects *s, bool by_frame, const um_evaluation_settings *e, um_error *err) {
  return rank_some(out, s, NULL, by_frame, e, NULL, err);
}

static int evaluate(um_evaluation *out, const um_subjects *s, const char *value, bool by_frame, const um_evaluation_settings *e,
                    um_error *err) {
  um_ranking *r;
  *out = (um_evaluation){0};
  int rc = rank_some(&r, s, value, by_frame, e, out, err);
  if (!rc) um_ranking_measure(&out->measures, r, NULL);
  if (!rc) rc = um_bootstrap(out->interval, r, e->resamples, UM_BOOTSTRAP_SEED, err);
  um_ranking_free(r);
  return rc;
}

int um_subjects_measure(um_evaluation *out, const um_subjects *s, bool by_frame, const um_evaluation_settings *e, um_error *err) {
  return evaluate(out, s, NULL, by_frame, e, err);
}

static int evaluate_part(um_evaluation_part *p, const um_subjects *s, const char *value, const um_evaluation_settings *e, um_error *err) {
  p->value = value;
  const int rc = evaluate(&p->frame, s, value, true, e, err);
  return rc ? rc : evaluate(&p->video, s, value, false, e, err);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* The values that there are, each once. */
static int list_values(const char ***out, int *count, const um_subjects *s, um_error *err) {
  const char **value = malloc(((size_t)s->count + 1) * sizeof *value);
  int n = 0, kept = 0;
  if (!value) return um_fail(err, UM_ENOMEM, "no memory for %d values", s->count);
  for (int i = 0; i < s->count; i++)
    if (s->at[i].by && *s->at[i].by) value[n++] = s->at[i].by;
  qsort(value, (size_t)n, sizeof *value, by_text);
  for (int i = 0; i < n; i++)
    if (kept == 0 || strcmp(value[kept - 1], value[i])) value[kept++] = value[i];
  *out = value, *count = kept;
  if (kept <= UM_PARTS_MAX) return UM_OK;
  return um_fail(err, UM_ECONFIG, "expected at most %d different values, found %d", UM_PARTS_MAX, kept);
}

int um_findings_make(um_findings *r, const um_scored *scored, int count, const um_evaluation_settings *e, um_error *err) {
  const char **value = NULL;
  *r = (um_findings){.settings = *e};
  int rc = um_subjects_collect(&r->subjects, scored, count, e, err);
  if (!rc) rc = evaluate_part(&r->all, &r->subjects, NULL, e, err);
  if (!rc && e->by) rc = list_values(&value, &r->parts, &r->subjects, err);
  if (!rc && e->by && !(r->part = calloc((size_t)r->parts + 1, sizeof *r->part)))
    rc = um_fail(err, UM_ENOMEM, "no memory for %d parts", r->parts);
  for (int i = 0; !rc && i < r->parts; i++) rc = evaluate_part(&r->part[i], &r->subjects, value[i], e, err);
  free(value);
  if (rc) um_findings_free(r);
  return rc;
}

void um_findings_free(um_findings *r) {
  free(r->part);
  um_subjects_free(&r->subjects);
  *r = (um_findings){0};
}

/* ---- JSON ---- */

static bool put_number(cJSON *o, const char *key, double v) {
  return isnan(v) ? cJSON_AddNullToObject(o, key) : cJSON_AddNumberToObject(o, key, v);
}

static bool put_interval(cJSON *o, const char *key, um_interval i) {
  if (isnan(i.low)) return cJSON_AddNullToObject(o, key);
  cJSON *pair = cJSON_CreateDoubleArray((const double[]){i.low, i.high}, 2);
  if (pair && cJSON_AddItemToObject(o, key, pair)) return true;
  cJSON_Delete(pair);
  return false;
}

/* "fake_called_real", "fake_uncertain". */
static bool put_verdicts(cJSON *to, const um_evaluation *e) {
  cJSON *o = cJSON_AddObjectToObject(to, "verdicts");
  bool whole = o != NULL;
  char key[40];
  for (int fake = 1; fake >= 0; fake--)
    for (int v = UM_VERDICT_FAKE; whole && v >= UM_VERDICT_REAL; v--) {
      snprintf(key, sizeof key, "%s_%s%s", fake ? "fake" : "real", v == UM_VERDICT_UNCERTAIN ? "" : "called_",
               um_verdict_name((um_verdict)v));
      whole = put_number(o, key, e->verdict[fake][v]);
    }
  return whole;
}

static bool put_evaluation(cJSON *to, const char *key, const um_evaluation *e) {
  const um_confusion *c = &e->measures.confusion;
  cJSON *o = cJSON_AddObjectToObject(to, key), *confusion, *intervals;
  bool whole = o && put_number(o, "count", e->count) && put_number(o, "fake", e->fakes) && put_number(o, "groups", e->groups);
  for (int m = 0; whole && m < UM_METRICS; m++) whole = put_number(o, um_metric_key(m), e->measures.value[m]);
  whole = whole && (confusion = cJSON_AddObjectToObject(o, "confusion")) && put_number(confusion, "fake_called_fake", c->true_positive) &&
          put_number(confusion, "fake_called_real", c->false_negative) && put_number(confusion, "real_called_fake", c->false_positive) &&
          put_number(confusion, "real_called_real", c->true_negative) && put_verdicts(o, e) &&
          (intervals = cJSON_AddObjectToObject(o, "intervals"));
  for (int m = 0; whole && m < UM_METRICS; m++) whole = put_interval(intervals, um_metric_key(m), e->interval[m]);
  return whole;
}

bool um_findings_put(cJSON *o, const um_findings *r) {
  const char *column = r->settings.by;
  bool whole = put_evaluation(o, "frame", &r->all.frame) && put_evaluation(o, "video", &r->all.video) &&
               put_number(o, "resamples", r->settings.resamples);
  if (!whole || !column) return whole;
  cJSON *by = cJSON_AddObjectToObject(o, "by"), *list;
  whole = by && cJSON_AddStringToObject(by, "column", column) && (list = cJSON_AddArrayToObject(by, "parts"));
  for (int i = 0; whole && i < r->parts; i++) {
    const um_evaluation_part *p = &r->part[i];
    cJSON *one = cJSON_CreateObject();
    whole = one && cJSON_AddItemToArray(list, one);
    if (!whole) cJSON_Delete(one);
    whole = whole && cJSON_AddStringToObject(one, "value", p->value) && put_evaluation(one, "frame", &p->frame) &&
            put_evaluation(one, "video", &p->video);
  }
  return whole;
}
