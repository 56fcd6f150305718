/* How right the scores of labelled inputs are, by face and by video, as a whole and in parts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "infer/infer.h"

enum { PARTS_MAX = 200 };

static const char *name_of(const input *in) { return in->video && *in->video ? in->video : in->path; }

/* Faces of one video stand together; a label of its own makes one its own. */
static int by_name(const void *pa, const void *pb) {
  const input *a = *(const input *const *)pa, *b = *(const input *const *)pb;
  const int order = strcmp(name_of(a), name_of(b));
  if (order) return order;
  return a->label != b->label ? (a->label > b->label) - (a->label < b->label) : strcmp(a->path, b->path);
}

static bool same_subject(const input *a, const input *b) { return a->label == b->label && !strcmp(name_of(a), name_of(b)); }

static int by_group_name(const void *pa, const void *pb) {
  return strcmp((*(const subject *const *)pa)->group_name, (*(const subject *const *)pb)->group_name);
}

static int number_groups(subjects *s, um_error *err) {
  subject **order = malloc(((size_t)s->count + 1) * sizeof *order);
  if (!order) return um_fail(err, UM_ENOMEM, "no memory for %d groups", s->count);
  for (int i = 0; i < s->count; i++) order[i] = &s->at[i];
  qsort(order, (size_t)s->count, sizeof(subject *), by_group_name);
  s->groups = 0;
  for (int i = 0; i < s->count; i++) {
    if (i > 0 && strcmp(order[i]->group_name, order[i - 1]->group_name)) s->groups++;
    order[i]->group = s->groups;
  }
  if (s->count) s->groups++;
  free(order);
  return UM_OK;
}

/* One of n inputs, whose faces are written to `face`. */
static int collect_one(subject *out, const input *const *in, int n, double *face, const um_scoring *rule, um_error *err) {
  int faces = 0, people;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < in[i]->faces; k++) face[faces++] = in[i]->detail[k].score;
  *out = (subject){name_of(in[0]), in[0]->group, in[0]->by, in[0]->label == LABEL_FAKE, 0, in[0]->score, face, faces};
  if (n == 1) return UM_OK;
  um_person_face *all = malloc((size_t)faces * sizeof *all);
  um_person *person = malloc((size_t)faces * sizeof *person);
  double *scratch = malloc((size_t)faces * sizeof *scratch);
  const int rc = all && person && scratch ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %d faces", faces);
  for (int i = 0, at = 0; !rc && i < n; i++)
    for (int k = 0; k < in[i]->faces; k++) all[at++] = (um_person_face){.person = in[i]->detail[k].track, .score = in[i]->detail[k].score};
  if (!rc) out->score = um_scoring_video(rule, person, &people, all, faces, scratch);
  free(all), free(person), free(scratch);
  return rc;
}

int subjects_collect(subjects *s, const inputs *in, const um_scoring *rule, um_error *err) {
  const input **order = malloc(((size_t)in->count + 1) * sizeof *order);
  size_t faces = 0;
  int n = 0, rc = UM_OK;
  for (int i = 0; order && i < in->count; i++)
    if (in->at[i].label != LABEL_NONE && !isnan(in->at[i].score)) order[n++] = &in->at[i], faces += (size_t)in->at[i].faces;
  *s = (subjects){.at = malloc(((size_t)n + 1) * sizeof *s->at), .face = malloc((faces + 1) * sizeof *s->face)};
  if (!order || !s->at || !s->face) rc = um_fail(err, UM_ENOMEM, "no memory for %zu scores", faces);
  if (!rc) qsort(order, (size_t)n, sizeof *order, by_name);
  double *face = s->face;
  for (int i = 0, k; !rc && i < n; i += k) {
    for (k = 1; i + k < n && same_subject(order[i], order[i + k]);) k++;
    rc = collect_one(&s->at[s->count], order + i, k, face, rule, err);
    face += s->at[s->count++].faces;
  }
  if (!rc) rc = number_groups(s, err);
  free(order);
  if (rc) subjects_free(s);
  return rc;
}

void subjects_free(subjects *s) {
  free(s->at);
  free(s->face);
  *s = (subjects){0};
}

/* The scores of some subjects as arrays, and their groups numbered without gaps. */
static int rank_some(um_ranking **out, const subjects *s, const char *value, bool by_frame, evaluation *e, um_error *err) {
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
    const subject *x = &s->at[i];
    for (int k = 0; WANTED(x) && k < (by_frame ? x->faces : 1); k++) {
      score[n] = by_frame ? x->face[k] : x->score, group[n] = number[x->group], fake[n++] = x->fake;
      if (e) e->fakes += x->fake;
    }
  }
#undef WANTED
  if (e) e->count = n, e->groups = groups;
  if (!rc) rc = um_ranking_make(out, score, fake, group, n, groups, THRESHOLD, err);
  free(score), free(fake), free(group), free(number);
  return rc;
}

int subjects_rank(um_ranking **out, const subjects *s, bool by_frame, um_error *err) {
  return rank_some(out, s, NULL, by_frame, NULL, err);
}

static int evaluate(evaluation *e, const subjects *s, const char *value, bool by_frame, int resamples, um_error *err) {
  um_ranking *r;
  *e = (evaluation){0};
  int rc = rank_some(&r, s, value, by_frame, e, err);
  if (!rc) um_ranking_measure(&e->measures, r, NULL);
  if (!rc) rc = um_bootstrap(e->interval, r, resamples, BOOTSTRAP_SEED, err);
  um_ranking_free(r);
  return rc;
}

static int evaluate_part(part *p, const subjects *s, const char *value, int resamples, um_error *err) {
  p->value = value;
  const int rc = evaluate(&p->frame, s, value, true, resamples, err);
  return rc ? rc : evaluate(&p->video, s, value, false, resamples, err);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* The values that there are, each once. */
static int list_values(const char ***out, int *count, const subjects *s, const char *by, um_error *err) {
  const char **value = malloc(((size_t)s->count + 1) * sizeof *value);
  int n = 0, kept = 0;
  if (!value) return um_fail(err, UM_ENOMEM, "no memory for %d values", s->count);
  for (int i = 0; i < s->count; i++)
    if (s->at[i].by && *s->at[i].by) value[n++] = s->at[i].by;
  qsort(value, (size_t)n, sizeof *value, by_text);
  for (int i = 0; i < n; i++)
    if (kept == 0 || strcmp(value[kept - 1], value[i])) value[kept++] = value[i];
  *out = value, *count = kept;
  if (kept <= PARTS_MAX) return UM_OK;
  return um_fail(err, UM_ECONFIG, "--by %s: expected at most %d different values, found %d", by, PARTS_MAX, kept);
}

int findings_make(findings *r, const inputs *in, const um_scoring *rule, const options *o, um_error *err) {
  const char **value = NULL;
  *r = (findings){.resamples = o->resamples, .by = o->by};
  int rc = subjects_collect(&r->subjects, in, rule, err);
  if (!rc) rc = evaluate_part(&r->all, &r->subjects, NULL, o->resamples, err);
  if (!rc && o->by) rc = list_values(&value, &r->parts, &r->subjects, o->by, err);
  if (!rc && o->by && !(r->part = calloc((size_t)r->parts + 1, sizeof *r->part)))
    rc = um_fail(err, UM_ENOMEM, "no memory for %d parts", r->parts);
  for (int i = 0; !rc && i < r->parts; i++) rc = evaluate_part(&r->part[i], &r->subjects, value[i], o->resamples, err);
  free(value);
  if (rc) findings_free(r);
  return rc;
}

void findings_free(findings *r) {
  free(r->part);
  subjects_free(&r->subjects);
  *r = (findings){0};
}
