/* What follows from scores once more: of each input, and the metrics. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/verify.h"

/* Scored again, and not another file meanwhile. */
static const input *scored_again(const verification *v, const checked *x) {
  return x->now < 0 || x->outcome > DIFFERS ? NULL : &v->now.at[x->now];
}

int inputs_merged(inputs *all, const verification *v, bool missing, int *again, bool *whole, um_error *err) {
  const checks *c = &v->checks;
  *all = (inputs){.at = malloc(((size_t)c->count + 1) * sizeof *all->at)};
  *again = 0, *whole = true;
  if (!all->at) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", c->count);
  for (; all->count < c->count; all->count++) {
    const checked *x = &c->at[all->count];
    const input *now = scored_again(v, x);
    input *to = &all->at[all->count];
    *to = now ? *now : *x->then;
    if (now)
      ++*again;
    else if (x->outcome != SAME)
      *whole = false;
    if (!now && missing) to->skipped = true, to->score = to->raw = NAN, to->faces = 0, to->verdict = UM_VERDICT_NONE;
  }
  return UM_OK;
}

/* ---- of each input ---- */

/* Whether the file says when the video shows each picture, by which its seconds go. */
static bool says_when(const input *then) {
  for (int i = 0; i < then->faces; i++)
    if (isnan(then->detail[i].shown_s)) return false;
  return true;
}

static int summarize(part *p, const cJSON *then, const checked *x, const input *now, const um_calibration *c, bool older, um_error *err) {
  const char *slash = strrchr(x->then->path, '/');
  char place[96];
  cJSON *is = cJSON_CreateObject(), *was = cJSON_CreateObject();
  bool whole = is && was && result_rest_put(is, now, c);
  const cJSON *member;
  if (whole && !says_when(x->then)) cJSON_DeleteItemFromObjectCaseSensitive(is, "seconds"), p->lacking++;
  cJSON_ArrayForEach(member, then) {
    if (whole && cJSON_GetObjectItemCaseSensitive(is, member->string))
      whole = cJSON_AddItemReferenceToObject(was, member->string, (cJSON *)member);
  }
  snprintf(place, sizeof place, "%.64s", slash ? slash + 1 : x->then->path);
  if (whole) part_compare(p, place, was, is, older);
  cJSON_Delete(is), cJSON_Delete(was);
  return whole ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory", x->then->path);
}

/* Of the same scores another machine makes the same numbers but for the last bits of a logarithm. */
static double explained(const verification *v) { return !v->explaining ? 0 : count_of(&v->checks, CLOSE) ? EXPLAINED : 1e-9; }

int summary_again(verification *v, um_error *err) {
  part *p = &v->summary;
  const checks *c = &v->checks;
  const cJSON *result = cJSON_GetObjectItemCaseSensitive(v->record.root, "results")->child;
  int rc = UM_OK;
  for (int i = 0; !rc && i < c->count; i++, result = result->next) {
    const input *now = scored_again(v, &c->at[i]);
    if (now) rc = summarize(p, result, &c->at[i], now, &v->scorer.preprocess.calibration, v->record.older, err), p->recorded = true;
  }
  if (p->lacking) snprintf(p->note, sizeof p->note, "%d not compared, which an older infer did not write or wrote otherwise", p->lacking);
  part_settle(p, explained(v));
  return rc;
}

/* ---- metrics ---- */

/* The numbers of these inputs as JSON. */
static int make(cJSON **out, const inputs *in, const um_preprocess *p, const options *o, um_error *err) {
  const um_scoring rule = um_preprocess_scoring(p);
  um_findings f = {0};
  int rc = findings_make(&f, in, &rule, &p->calibration, o, err);
  *out = rc ? NULL : cJSON_CreateObject();
  if (!rc && (!*out || !um_findings_put(*out, &f))) rc = um_fail(err, UM_ENOMEM, "no memory for the metrics");
  um_findings_free(&f);
  return rc;
}

static void compare_all(part *p, const record *r, const cJSON *now, bool with_settings) {
  char number[2][32];
  cJSON *then = cJSON_Duplicate(r->metrics, false);
  const cJSON *c;
  /* Of parts an older file does not say which inputs belong to them. */
  cJSON_ArrayForEach(c, r->metrics) if (then && (!r->older || strcmp(c->string, "by")))
      cJSON_AddItemReferenceToObject(then, c->string, (cJSON *)c);
  part_compare(p, "metrics", then, now, r->older);
  cJSON_Delete(then);
  if (!with_settings) return;
  snprintf(number[0], sizeof *number, "%d", r->seed), snprintf(number[1], sizeof *number, "%d", UM_BOOTSTRAP_SEED);
  part_differs(p, "settings.bootstrap_seed", number[0], number[1]);
  snprintf(number[0], sizeof *number, "%.17g", r->threshold), snprintf(number[1], sizeof *number, "%.17g", THRESHOLD);
  part_differs(p, "settings.threshold", number[0], number[1]);
}

static void note_add(part *p, const char *text) {
  const size_t n = strlen(p->note);
  snprintf(p->note + n, sizeof p->note - n, "%s%s", n ? "; " : "", text);
}

/* Whether the numbers are those of the recorded scores: then it is the scores that are not what they were. */
static int blame_scores(part *p, const record *r, const options *o, um_error *err) {
  part other = {0};
  cJSON *now;
  const int rc = make(&now, &r->in, &r->preprocess, o, err);
  if (rc) return rc;
  compare_all(&other, r, now, false);
  cJSON_Delete(now);
  note_add(p, other.differences.count ? "they do not follow from the scores in the result, either"
                                      : "they follow from the scores in the result");
  return UM_OK;
}

int metrics_again(verification *v, um_error *err) {
  part *p = &v->metrics;
  const record *r = &v->record;
  inputs all;
  cJSON *now;
  options o = v->o;
  char text[128];
  int labelled = 0, again;
  bool whole;
  if (!r->metrics) return UM_OK;
  p->recorded = true, p->outcome = UNCHECKED;
  for (int i = 0; i < r->in.count; i++) labelled += r->in.at[i].label != LABEL_NONE;
  if (!labelled || r->resamples < 0 || r->seed < 0 || isnan(r->threshold)) {
    note_add(p, "not recorded well enough to be done again");
    return UM_OK;
  }
  o.resamples = r->resamples, o.by = r->in.labels.by;
  int rc = inputs_merged(&all, v, false, &again, &whole, err);
  if (!rc) rc = make(&now, &all, &v->scorer.preprocess, &o, err);
  free(all.at);
  if (rc) return rc;
  compare_all(p, r, now, true);
  cJSON_Delete(now);
  part_settle(p, explained(v));
  if (r->older && cJSON_GetObjectItemCaseSensitive(r->metrics, "by"))
    note_add(p, "those by column not recorded well enough to be done again");
  if (p->lacking) snprintf(text, sizeof text, "%d that an older infer did not write", p->lacking), note_add(p, text);
  if (!whole) {
    snprintf(text, sizeof text, "from %d input%s scored again and of the others the scores in the result", again, again == 1 ? "" : "s");
    note_add(p, text);
  }
  return p->outcome == DIFFERS ? blame_scores(p, r, &o, err) : UM_OK;
}
