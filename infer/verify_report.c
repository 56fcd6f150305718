/* What came of infer --verify: a table of 80 columns, or JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "infer/verify.h"

enum { COLUMNS = 80, FILE_COLUMN = 48 };

const char *const outcome_name[OUTCOMES] = {"same", "close", "differs", "changed", "missing", "unhashed", "unchecked"};

int count_of(const checks *c, outcome which) {
  int n = 0;
  for (int i = 0; i < c->count; i++) n += c->at[i].outcome == which;
  return n;
}

enum { SUMMARY, LABELS, METRICS, LADDER, PARTS };
static const char *const part_name[PARTS] = {"summary", "labels", "metrics", "ladder"};
static const part *part_of(const verification *v, int i) {
  const part *const all[PARTS] = {&v->summary, &v->labels, &v->metrics, &v->ladder};
  return all[i];
}

/* A part of which it is said why it was not checked does not stand in the way. */
bool holds(const verification *v) {
  const checks *c = &v->checks;
  for (int i = 0; i < PARTS; i++)
    if (part_of(v, i)->outcome == DIFFERS) return false;
  return c->asked_for > 0 && c->strangers == 0 && count_of(c, SAME) + count_of(c, CLOSE) == c->asked_for;
}

static bool bit_for_bit(const verification *v) {
  for (int i = 0; i < PARTS; i++)
    if (part_of(v, i)->outcome == CLOSE) return false;
  return holds(v) && count_of(&v->checks, CLOSE) == 0;
}

/* The end of a path that fits into the last column. */
static const char *file_name(char out[COLUMNS], const char *path) {
  const size_t room = COLUMNS - FILE_COLUMN, n = strlen(path);
  snprintf(out, COLUMNS, "%s%s", n > room ? "..." : "", n > room ? path + n - (room - 3) : path);
  text_clean(out);
  return out;
}

static const input *scored_again(const verification *v, const checked *x) { return x->now < 0 ? NULL : &v->now.at[x->now]; }

static void print_checked(const verification *v, const checked *x) {
  const input *now = scored_again(v, x);
  char then_score[UM_SCORE_TEXT], now_score[UM_SCORE_TEXT], name[COLUMNS];
  printf("%-8s  %-9s %7s  %-9s %7s  %s\n", outcome_name[x->outcome], um_verdict_name(x->then->verdict),
         um_score_text(then_score, x->then->score, 4), now ? um_verdict_name(now->verdict) : "-",
         um_score_text(now_score, now ? now->score : NAN, 4), file_name(name, x->then->path));
}

/* What a row of the table cannot say. */
static void print_note(const verification *v, const checked *x) {
  const input *now = scored_again(v, x);
  char name[COLUMNS];
  if (x->outcome == SAME || x->outcome == UNCHECKED) return;
  printf("\n%s\n", file_name(name, x->then->path));
  switch (x->outcome) {
  case CHANGED:
    printf("  another file now: its SHA-256 was\n    %s\n  and is\n    %s\n", x->then->sha256, *x->sha256 ? x->sha256 : "-");
    break;
  case MISSING: printf("  not there any more; --root DIR looks for it by its contents below a folder\n"); break;
  case UNHASHED: printf("  cannot be checked: no hash of it was recorded\n"); break;
  default:
    if (now->skipped != x->then->skipped) printf("  %s\n", now->skipped ? "could not be read this time" : "could not be read then");
    if (now->frames != x->then->frames) printf("  frames: %lld now, %lld then\n", (long long)now->frames, (long long)x->then->frames);
    if (!isnan(x->difference)) printf("  the score differs by %.3g\n", x->difference);
    if (x->faces) printf("  %d of %d faces differ\n", x->faces, x->then->faces > now->faces ? x->then->faces : now->faces);
  }
}

static void print_differences(const differences *d, const char *title, int most) {
  if (d->count) printf("\n%s (was -> is):\n", title);
  for (int i = 0; i < d->count && i < most; i++) {
    const difference *x = &d->at[i];
    const size_t width = 2 + (strlen(x->what) > 28 ? strlen(x->what) : 28) + 2 + strlen(x->then) + 4 + strlen(x->now);
    printf(width <= COLUMNS ? "  %-28s  %s -> %s\n" : "  %s\n    %s\n    -> %s\n", x->what, x->then, x->now);
  }
  const int more = d->more + (d->count > most ? d->count - most : 0);
  if (more) printf("  and %d more\n", more);
}

void part_print(const char *name, const part *p) {
  char note[sizeof p->note], amount[48] = "";
  snprintf(note, sizeof note, "%s", p->note);
  text_clean(note);
  if (p->outcome == CLOSE)
    snprintf(amount, sizeof amount, "%d numbers within %.2g", p->numbers, p->most);
  else if (p->numbers)
    snprintf(amount, sizeof amount, "%d numbers", p->numbers);
  const bool fits = 21 + strlen(amount) + 2 + strlen(note) <= COLUMNS;
  printf("%-8s  %-9s  %s%s%s\n", name, outcome_name[p->outcome], amount, !*amount || !*note ? "" : fits ? "; " : ";\n          ", note);
}

void part_print_differences(const char *name, const part *p) {
  char title[64];
  snprintf(title, sizeof title, "What differs in the %s", name);
  print_differences(&p->differences, title, p->outcome == DIFFERS ? DIFFERENCES : 12);
}

/* Summary, labels, metrics, ladder: a line each, beneath it what differs. */
static void print_parts(const verification *v) {
  bool first = true;
  for (int i = 0; i < PARTS; i++) {
    const part *p = part_of(v, i);
    if (!p->recorded || (i == SUMMARY && p->outcome == SAME && !*p->note)) continue; /* of which nobody asks */
    if (first) printf("\n");
    part_print(part_name[i], p);
    first = false;
  }
  for (int i = 0; i < PARTS; i++) part_print_differences(part_name[i], part_of(v, i));
}

/* "holds: 6 of 6 inputs, bit for bit" */
static void print_verdict(const verification *v) {
  const checks *c = &v->checks;
  const int same = count_of(c, SAME), close = count_of(c, CLOSE);
  double most = 0;
  for (int i = 0; i < c->count; i++)
    if (c->at[i].outcome == CLOSE && c->at[i].difference > most) most = c->at[i].difference;
  if (c->asked_for == 0) {
    printf("\nnot checked: none of the %d result%s is about what was given\n", c->count, c->count == 1 ? "" : "s");
    return;
  }
  printf("\n%s: %d of %d input%s", holds(v) ? "holds" : "does not hold", same + close, c->asked_for, c->asked_for == 1 ? "" : "s");
  for (int i = LABELS; i < PARTS; i++)
    if (holds(v) && part_of(v, i)->recorded && part_of(v, i)->outcome != UNCHECKED) {
      printf(", %s", part_name[i]);
      if (part_of(v, i)->outcome == CLOSE) printf(" within %.2g", part_of(v, i)->most);
    }
  if (bit_for_bit(v)) printf(", bit for bit");
  if (close) printf(", %d bit for bit, %d within %.2g", same, close, most);
  for (int k = DIFFERS; k < UNCHECKED; k++)
    if (count_of(c, (outcome)k)) printf(", %d %s", count_of(c, (outcome)k), outcome_name[k]);
  for (int i = 0; i < PARTS; i++)
    if (part_of(v, i)->outcome == DIFFERS) printf(", the %s differ%s", part_name[i], i == LADDER || i == SUMMARY ? "s" : "");
  for (int i = METRICS; i < PARTS; i++)
    if (part_of(v, i)->recorded && part_of(v, i)->outcome == UNCHECKED) printf(", %s not checked", part_name[i]);
  if (c->strangers) printf(", %d not among the results", c->strangers);
  if (count_of(c, UNCHECKED)) printf(" (of %d results)", c->count);
  printf("\n");
}

void report_print(const verification *v) {
  const checks *c = &v->checks;
  if (c->asked_for) printf("%-8s  %-17s  %-17s  %s\n", "", "then", "now", "file");
  for (int i = 0; i < c->count; i++)
    if (c->at[i].outcome != UNCHECKED) print_checked(v, &c->at[i]);
  for (int i = 0; i < c->count; i++) print_note(v, &c->at[i]);
  print_parts(v);
  print_differences(&v->differences, "Not as it was then", DIFFERENCES);
  print_verdict(v);
}

/* ---- JSON ---- */

static bool put_side(cJSON *to, const char *key, const input *in) {
  if (!in) return cJSON_AddNullToObject(to, key);
  cJSON *o = cJSON_AddObjectToObject(to, key);
  return o && um_json_put_text(o, "verdict", um_verdict_name(in->verdict)) && um_json_put_number(o, "score", in->score) &&
         um_json_put_number(o, "faces", in->faces) && um_json_put_number(o, "frames", (double)in->frames) &&
         cJSON_AddBoolToObject(o, "skipped", in->skipped);
}

static bool put_checked(cJSON *list, const verification *v, const checked *x) {
  cJSON *o = cJSON_CreateObject();
  if (!o || !cJSON_AddItemToArray(list, o)) {
    cJSON_Delete(o);
    return false;
  }
  return um_json_put_text(o, "path", x->then->path) && um_json_put_text(o, "found", x->path) &&
         um_json_put_text(o, "sha256", x->then->sha256) && um_json_put_text(o, "sha256_now", x->outcome == CHANGED ? x->sha256 : NULL) &&
         um_json_put_text(o, "outcome", outcome_name[x->outcome]) && put_side(o, "then", x->then) &&
         put_side(o, "now", scored_again(v, x)) && um_json_put_number(o, "score_differs_by", x->difference) &&
         um_json_put_number(o, "faces_that_differ", x->faces);
}

static bool put_difference(cJSON *list, const difference *x) {
  cJSON *o = cJSON_CreateObject();
  if (!o || !cJSON_AddItemToArray(list, o)) {
    cJSON_Delete(o);
    return false;
  }
  return um_json_put_text(o, "what", x->what) && um_json_put_text(o, "then", x->then) && um_json_put_text(o, "now", x->now);
}

bool part_put(cJSON *to, const char *key, const part *p) {
  if (!p->recorded) return cJSON_AddNullToObject(to, key);
  cJSON *o = cJSON_AddObjectToObject(to, key), *list;
  bool whole = o && um_json_put_text(o, "outcome", outcome_name[p->outcome]) && um_json_put_text(o, "note", p->note) &&
               um_json_put_number(o, "numbers", p->numbers) && um_json_put_number(o, "not_recorded", p->lacking) &&
               (list = cJSON_AddArrayToObject(o, "differences"));
  for (int i = 0; whole && i < p->differences.count; i++) whole = put_difference(list, &p->differences.at[i]);
  return whole && um_json_put_number(o, "more_differences", p->differences.more);
}

static bool put_all(cJSON *o, const verification *v) {
  const checks *c = &v->checks;
  cJSON *to, *list, *now = evidence_json(&v->evidence), *run = run_json(&v->evidence);
  bool whole = now && run && um_json_put_text(o, "format", "unmask-verification/1") && cJSON_AddBoolToObject(o, "holds", holds(v)) &&
               cJSON_AddBoolToObject(o, "bit_for_bit", bit_for_bit(v)) && (to = cJSON_AddObjectToObject(o, "result")) &&
               um_json_put_text(to, "file", v->o.verify) && um_json_put_text(to, "sha256", v->record.sha256) &&
               (to = cJSON_AddObjectToObject(o, "model")) && um_json_put_text(to, "file", v->o.model) &&
               um_json_put_text(to, "sha256", v->scorer.sha256) && (to = cJSON_AddObjectToObject(o, "counts")) &&
               um_json_put_number(to, "results", c->count) && um_json_put_number(to, "checked", c->asked_for) &&
               um_json_put_number(to, "not_among_the_results", c->strangers);
  for (int k = 0; whole && k < OUTCOMES; k++) whole = um_json_put_number(to, outcome_name[k], count_of(c, (outcome)k));
  for (int i = 0; whole && i < PARTS; i++) whole = part_put(o, part_name[i], part_of(v, i));
  whole = whole && (list = cJSON_AddArrayToObject(o, "differences"));
  for (int i = 0; whole && i < v->differences.count; i++) whole = put_difference(list, &v->differences.at[i]);
  if (whole && (whole = cJSON_AddItemToObject(o, "evidence", now))) now = NULL;
  if (whole && (whole = cJSON_AddItemToObject(o, "run", run))) run = NULL;
  whole = whole && (list = cJSON_AddArrayToObject(o, "inputs"));
  for (int i = 0; whole && i < c->count; i++) whole = put_checked(list, v, &c->at[i]);
  cJSON_Delete(now), cJSON_Delete(run);
  return whole;
}

int report_write(const char *path, const verification *v, um_error *err) {
  cJSON *o = cJSON_CreateObject();
  return json_write(path, o, o && put_all(o, v), err);
}
