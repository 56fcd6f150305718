/* The ladder of a result once more: its rungs, found by what they are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/verify.h"

static const cJSON *member(const cJSON *o, const char *key) { return cJSON_GetObjectItemCaseSensitive(o, key); }

/* -1: not known. */
static int kind_of(const cJSON *o) {
  const char *word = cJSON_GetStringValue(member(o, "kind"));
  for (int k = 0; word && k < UM_DISTORTIONS; k++)
    if (!strcmp(um_distortion_name(k), word)) return k;
  return -1;
}

unsigned ladder_wanted(const record *r, const options *o) {
  unsigned kinds = 0;
  const cJSON *one;
  cJSON_ArrayForEach(one, member(r->ladder, "rungs")) {
    if (kind_of(one) >= 0) kinds |= 1u << kind_of(one);
  }
  return o->no_ladder ? 0 : o->ladder ? kinds & o->ladder : kinds;
}

static bool same_rung(const cJSON *a, const rung *b) {
  const cJSON *strength = member(a, "strength");
  return kind_of(a) == (int)b->how.kind && cJSON_IsNumber(strength) && strength->valuedouble == b->how.strength;
}

/* The scores of the inputs that were scored again. */
static void compare_rung_scores(part *p, const char *name, const cJSON *then, const cJSON *now, const inputs *all, bool whole) {
  char place[256];
  const cJSON *a = then ? then->child : NULL, *b = now->child;
  if (cJSON_GetArraySize(then) != all->count) {
    snprintf(place, sizeof place, "%s.scores", name);
    part_compare(p, place, then, now, false);
    return;
  }
  for (int i = 0; i < all->count; i++, a = a->next, b = b->next) {
    const char *path = all->at[i].path, *slash = strrchr(path, '/');
    snprintf(place, sizeof place, "%s, score of %.56s", name, slash ? slash + 1 : path);
    if (whole || !all->at[i].skipped) part_compare(p, place, a, b, false);
  }
}

/* One recorded rung, or the inputs as they are; of a part of the inputs its scores alone. */
static int compare_rung(part *p, const char *name, const cJSON *then, cJSON *now, const inputs *all, bool whole, bool older) {
  if (!cJSON_IsObject(then)) {
    part_differs(p, name, "(no object)", "(one)");
    return UM_OK;
  }
  cJSON *scores = cJSON_DetachItemFromObjectCaseSensitive(now, "scores"), *rest = cJSON_Duplicate(then, false);
  const cJSON *c;
  if (!rest) {
    cJSON_Delete(scores);
    return UM_ENOMEM;
  }
  cJSON_ArrayForEach(c, then) if (!scores || strcmp(c->string, "scores")) cJSON_AddItemReferenceToObject(rest, c->string, (cJSON *)c);
  if (whole) part_compare(p, name, rest, now, older);
  if (scores) compare_rung_scores(p, name, member(then, "scores"), scores, all, whole);
  cJSON_Delete(rest), cJSON_Delete(scores);
  return UM_OK;
}

/* Each recorded rung against the one of the same kind and strength. */
static int compare_ladder(part *p, const record *r, const ladder *l, cJSON *now, const inputs *all, bool whole, unsigned kinds) {
  const cJSON *all_rungs = member(r->ladder, "rungs"), *then;
  cJSON *list = cJSON_DetachItemFromObjectCaseSensitive(now, "rungs"), *plain = cJSON_DetachItemFromObjectCaseSensitive(now, "as_they_are");
  bool *met = calloc((size_t)l->rungs + 1, sizeof *met);
  char name[64], of[32];
  int rc = list && plain && met ? UM_OK : UM_ENOMEM, at = 0;
  if (!rc && member(r->ladder, "seed")) part_compare(p, "ladder.seed", member(r->ladder, "seed"), member(now, "seed"), false);
  if (!rc && !r->older && !member(r->ladder, "seed")) part_differs(p, "ladder.seed", "", "(there)");
  if (!rc) rc = compare_rung(p, "ladder.as_they_are", member(r->ladder, "as_they_are"), plain, all, whole, r->older);
  cJSON_ArrayForEach(then, all_rungs) {
    int i = 0;
    cJSON *one = list ? list->child : NULL;
    at++;
    if (rc || p->differences.more || (kind_of(then) >= 0 && !(kinds >> kind_of(then) & 1))) continue;
    for (; one && !same_rung(then, &l->rung[i]); i++) one = one->next;
    if (!one || met[i]) {
      snprintf(name, sizeof name, "ladder, rung %d", at);
      part_differs(p, name, one ? rung_name(of, l->rung[i].how) : "(recorded)", one ? "(there already)" : "(none of ours)");
      continue;
    }
    met[i] = true;
    snprintf(name, sizeof name, "ladder, %s", rung_name(of, l->rung[i].how));
    rc = compare_rung(p, name, then, one, all, whole, r->older);
  }
  for (int i = 0; !rc && i < l->rungs; i++)
    if (!met[i]) part_differs(p, rung_name(of, l->rung[i].how), "", "(a rung of the ladder)");
  cJSON_Delete(list), cJSON_Delete(plain), free(met);
  return rc;
}

int ladder_again(verification *v, double seconds, const volatile bool *stop, um_error *err) {
  part *p = &v->ladder;
  const record *r = &v->record;
  const unsigned kinds = ladder_wanted(r, &v->o);
  options o = v->o;
  inputs all;
  ladder l = {0};
  int again;
  bool whole, numbers;
  if (!r->ladder) return UM_OK;
  p->recorded = true, p->outcome = UNCHECKED;
  int rc = inputs_merged(&all, v, true, &again, &whole, err);
  if (!rc && (!kinds || !again)) {
    const bool asked = v->o.no_ladder || v->o.ladder;
    if (!asked && again) part_differs(p, "ladder.rungs", "(none that is known)", "");
    if (!asked && again) part_settle(p, 0);
    snprintf(p->note, sizeof p->note, "%s", asked ? "left out, as asked for" : again ? "" : "no input was scored again");
    free(all.at);
    return UM_OK;
  }
  numbers = whole && r->resamples >= 0;
  o.labels = numbers && r->metrics ? "" : NULL, o.by = NULL, o.resamples = r->resamples, o.ladder = kinds;
  if (!rc) rc = ladder_run(&l, &all, &v->scorer, &o, r->batch, seconds, false, stop, err);
  cJSON *now = rc ? NULL : cJSON_CreateObject();
  if (!rc && (!now || !ladder_put(now, &l) || compare_ladder(p, r, &l, now, &all, numbers, kinds)))
    rc = um_fail(err, UM_ENOMEM, "no memory for the ladder's %d rungs", l.rungs);
  cJSON_Delete(now);
  ladder_free(&l);
  free(all.at);
  if (rc) return rc;
  part_settle(p, v->explaining ? EXPLAINED : 0);
  const int recorded = cJSON_GetArraySize(member(r->ladder, "rungs")), done = ladder_count(kinds);
  int n = snprintf(p->note, sizeof p->note, done == recorded ? "%d rungs" : "%d of %d rungs", done, recorded);
  if (!numbers) n += snprintf(p->note + n, sizeof p->note - (size_t)n, ", of them the scores of %d of %d inputs", again, all.count);
  if (p->lacking) snprintf(p->note + n, sizeof p->note - (size_t)n, "; %d numbers that an older infer did not write", p->lacking);
  return UM_OK;
}
