/* The robustness ladder: the same inputs once more for each rung, changed by one thing on the way to the face detector
 * (data/distort.h), and what that does to the scores. One rung is in memory at a time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "data/reencode.h"
#include "infer/infer.h"

/* From the weakest to the strongest; docs/robustness.md gives the reasons. */
static const struct {
  double strength[4];
  int count;
} rungs[UM_DISTORTIONS] = {
    [UM_DISTORT_H264] = {{23, 28, 33, 40}, 4}, [UM_DISTORT_JPEG] = {{90, 70, 50, 30}, 4}, [UM_DISTORT_DOWNSCALE] = {{75, 50, 33, 25}, 4},
    [UM_DISTORT_BLUR] = {{1, 2, 3, 4}, 4},     [UM_DISTORT_NOISE] = {{5, 10, 20, 40}, 4}, [UM_DISTORT_BRIGHTNESS] = {{-40, -20, 20, 40}, 4},
    [UM_DISTORT_CROP] = {{5, 10, 20}, 3},      [UM_DISTORT_BORDERS] = {{25, 50}, 2},
};

bool ladder_words(unsigned *kinds, const char *text) {
  *kinds = 0;
  for (const char *at = text;; at++) {
    const size_t n = strcspn(at, ",");
    int kind = 0;
    while (kind < UM_DISTORTIONS && (strlen(um_distortion_name(kind)) != n || strncmp(um_distortion_name(kind), at, n))) kind++;
    if (kind == UM_DISTORTIONS) return false;
    *kinds |= 1u << kind;
    at += n;
    if (!*at) return true;
  }
}

int ladder_count(unsigned kinds) {
  int n = 0;
  for (int k = 0; k < UM_DISTORTIONS; k++) n += kinds >> k & 1 ? rungs[k].count : 0;
  return n;
}

int ladder_check(unsigned kinds, um_error *err) {
  const int rc = kinds & 1u << UM_DISTORT_H264 ? um_reencode_check(err) : UM_OK;
  return rc ? um_fail_context(err, "--ladder"), rc : UM_OK;
}

/* How far it is. */
typedef struct watch {
  const ladder *l;
  const options *o;
  int rung, done;
  double since;
} watch;

static void tell(void *arg, input *in) {
  watch *w = arg;
  char name[32];
  (void)in;
  w->done++;
  if (w->o->quiet) return;
  const double so_far = w->rung + (double)w->done / w->l->inputs, left = (um_seconds() - w->since) * (w->l->rungs - so_far) / so_far;
  um_log_progress(false, "infer: ladder: %s, %d of %d: input %d of %d, about %.0f min left", rung_name(name, w->l->rung[w->rung].how),
                  w->rung + 1, w->l->rungs, w->done, w->l->inputs, ceil(left / 60));
}

/* What is true of scores alone. */
static int compare_scores(rung *r, const inputs *now, const inputs *plain, um_error *err) {
  double sum[2] = {0}; /* of real and of fake inputs */
  int count[2] = {0};
  double all = 0;
  if (!(r->score = malloc(((size_t)now->count + 1) * sizeof *r->score)))
    return um_fail(err, UM_ENOMEM, "no memory for the scores of %d inputs", now->count);
  for (int i = 0; i < now->count; i++) {
    const input *a = &plain->at[i], *b = &now->at[i];
    r->score[i] = b->score;
    r->scored += !isnan(b->score), r->without += isnan(b->score);
    if (isnan(a->score) || isnan(b->score)) continue;
    r->compared++, r->changed += a->verdict != b->verdict;
    all += b->score - a->score;
    if (b->label != LABEL_NONE) sum[b->label == LABEL_FAKE] += b->score - a->score, count[b->label == LABEL_FAKE]++;
  }
  r->shift = r->compared ? all / r->compared : NAN;
  for (int i = 0; i < 2; i++) r->shift_of[i] = count[i] ? sum[i] / count[i] : NAN;
  return UM_OK;
}

/* Videos by their scores in `in`, of inputs that have one in both. */
static int rank_common(um_ranking **out, const inputs *in, const inputs *other, const um_preprocess *p, const options *o, um_error *err) {
  inputs some = {.at = malloc(((size_t)in->count + 1) * sizeof *some.at)}; /* owns nothing but the array */
  options plain = *o;
  um_findings f = {0};
  const um_scoring rule = um_preprocess_scoring(p);
  *out = NULL, plain.resamples = 0;
  if (!some.at) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", in->count);
  for (int i = 0; i < in->count; i++)
    if (!isnan(in->at[i].score) && !isnan(other->at[i].score)) some.at[some.count++] = in->at[i];
  int rc = findings_make(&f, &some, &rule, &p->calibration, &plain, err);
  if (!rc) rc = um_subjects_rank(out, &f.subjects, false, &f.settings, err);
  um_findings_free(&f);
  free(some.at);
  return rc;
}

static int compare_aucs(rung *r, const inputs *now, const inputs *plain, const um_preprocess *p, const options *o, um_error *err) {
  um_ranking *a = NULL, *b = NULL;
  um_difference all[UM_METRICS];
  int rc = rank_common(&a, plain, now, p, o, err);
  if (!rc) rc = rank_common(&b, now, plain, p, o, err);
  if (!rc) rc = um_bootstrap_difference(all, a, b, o->resamples, UM_BOOTSTRAP_SEED, err);
  if (!rc) r->change = all[UM_AUC];
  um_ranking_free(a), um_ranking_free(b);
  return rc;
}

static int measure(rung *r, const inputs *now, const inputs *plain, const um_preprocess *p, const options *o, um_error *err) {
  const um_scoring rule = um_preprocess_scoring(p);
  um_findings f = {0};
  int rc = compare_scores(r, now, plain, err);
  if (rc || !o->labels) return rc;
  rc = findings_make(&f, now, &rule, &p->calibration, o, err);
  if (!rc) r->frame = f.all.frame, r->video = f.all.video;
  um_findings_free(&f);
  return rc || now == plain ? rc : compare_aucs(r, now, plain, p, o, err);
}

static int climb(ladder *l, watch *w, const inputs *plain, scorer *s, const options *o, int batch, const volatile bool *stop,
                 um_error *err) {
  rung *r = &l->rung[w->rung];
  inputs now;
  w->done = 0;
  int rc = inputs_again(&now, plain, err);
  if (!rc) rc = pipeline_run(&now, s, o, &r->how, batch, tell, w, stop, err);
  if (!rc) rc = measure(r, &now, plain, &s->preprocess, o, err);
  inputs_free(&now);
  return rc;
}

/* Inputs that could not be read as they are are not tried again. */
int ladder_run(ladder *l, const inputs *in, scorer *s, const options *asked, int batch, double seconds, bool table,
               const volatile bool *stop, um_error *err) {
  options o = *asked;
  o.explain = o.annotate = o.report = o.by = NULL; /* pictures are of the inputs as they are */
  watch w = {.l = l, .o = &o, .since = um_seconds()};
  *l = (ladder){.inputs = in->count, .labelled = o.labels != NULL};
  const int wanted = ladder_count(o.ladder);
  int rc = measure(&l->plain, in, in, &s->preprocess, &o, err);
  if (!rc && !(l->rung = calloc((size_t)wanted + 1, sizeof *l->rung))) rc = um_fail(err, UM_ENOMEM, "no memory for %d rungs", wanted);
  for (int k = 0; !rc && k < UM_DISTORTIONS; k++)
    for (int i = 0; (o.ladder >> k & 1) && i < rungs[k].count; i++)
      l->rung[l->rungs++].how = (um_distortion){(um_distortion_kind)k, rungs[k].strength[i]};
  if (!rc)
    um_log(UM_LOG_INFO, "ladder: %d rungs, each as much work as what took %.0f s: about %.0f min%s", l->rungs, seconds,
           ceil(seconds * l->rungs / 60), o.ladder & 1u << UM_DISTORT_H264 ? ", and more for h264, which encodes every frame" : "");
  if (!rc && table) ladder_print_head(), ladder_print_row(l, NULL);
  for (w.rung = 0; !rc && w.rung < l->rungs; w.rung++) {
    rc = climb(l, &w, in, s, &o, batch, stop, err);
    if (!rc && table) ladder_print_row(l, &l->rung[w.rung]), fflush(stdout);
  }
  if (!rc && table) ladder_print_foot(l);
  if (rc) ladder_free(l);
  return rc;
}

void ladder_free(ladder *l) {
  for (int i = 0; i < l->rungs; i++) free(l->rung[i].score);
  free(l->plain.score);
  free(l->rung);
  *l = (ladder){0};
}
