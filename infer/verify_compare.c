/* A comparison of two results once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "infer/verify.h"

static const char *const side[2] = {"A", "B"};

/* Paths are as they were: which files they are was found by what is in them. */
static bool rename_files(cJSON *now, const record *r) {
  cJSON *one = cJSON_GetObjectItemCaseSensitive(now, "files")->child;
  for (int i = 0; i < 2; i++, one = one->next) {
    cJSON *file = cJSON_CreateString(r->in.at[i].path), *name = cJSON_CreateString(r->in.at[i].path);
    if (!file || !cJSON_ReplaceItemInObjectCaseSensitive(one, "file", file) || !name ||
        !cJSON_ReplaceItemInObjectCaseSensitive(now, i ? "b" : "a", name))
      return false;
  }
  return true;
}

static int make_again(part *p, const record *r, const checks *c, const options *asked, um_error *err) {
  options o = *asked;
  cJSON *now;
  o.resamples = r->resamples;
  int rc = compare_json(&now, c->at[0].path, c->at[1].path, &o, err);
  if (!rc && !rename_files(now, r)) rc = um_fail(err, UM_ENOMEM, "no memory for the comparison");
  if (!rc) part_compare(p, "comparison", r->root, now, false);
  if (!rc) part_settle(p, 1e-9); /* logarithms of another C library */
  cJSON_Delete(now);
  return rc;
}

static void print_all(const part *p, const checks *c, bool good) {
  for (int i = 0; i < 2; i++) {
    char name[4096];
    snprintf(name, sizeof name, "%s", c->at[i].then->path);
    text_clean(name);
    printf("%-8s  %-9s  %s\n", side[i], outcome_name[c->at[i].outcome], name);
  }
  part_print("numbers", p);
  part_print_differences("comparison", p);
  printf("\n%s: the comparison of two results%s\n", good ? "holds" : "does not hold", good && p->outcome == SAME ? ", bit for bit" : "");
  if (good) printf("Whether their scores hold is checked by infer --verify of each.\n");
}

static int write_all(const options *o, const record *r, const part *p, const checks *c, bool good, um_error *err) {
  cJSON *all = cJSON_CreateObject(), *to, *list;
  bool whole = all && um_json_put_text(all, "format", "unmask-verification/1") && cJSON_AddBoolToObject(all, "holds", good) &&
               cJSON_AddBoolToObject(all, "bit_for_bit", good && p->outcome == SAME) && (to = cJSON_AddObjectToObject(all, "result")) &&
               um_json_put_text(to, "file", o->verify) && um_json_put_text(to, "sha256", r->sha256) &&
               (list = cJSON_AddArrayToObject(all, "files"));
  for (int i = 0; whole && i < 2; i++) {
    whole = (to = cJSON_CreateObject()) && cJSON_AddItemToArray(list, to);
    whole = whole && um_json_put_text(to, "path", c->at[i].then->path) && um_json_put_text(to, "found", c->at[i].path) &&
            um_json_put_text(to, "outcome", outcome_name[c->at[i].outcome]);
  }
  whole = whole && part_put(all, "comparison", p);
  return json_write(o->json, all, whole, err);
}

int compare_again(const record *r, const options *o, const char *const *path, int count, bool *it_holds, um_error *err) {
  checks c;
  part *p = calloc(1, sizeof *p);
  int rc = p ? checks_find(&c, r, o->root, path, count, err) : um_fail(err, UM_ENOMEM, "no memory");
  if (rc) {
    free(p);
    return rc;
  }
  const bool there = c.at[0].outcome == SAME && c.at[1].outcome == SAME;
  p->recorded = true, p->outcome = UNCHECKED;
  if (there)
    rc = make_again(p, r, &c, o, err);
  else
    snprintf(p->note, sizeof p->note, "both results must be there as they were; --root DIR looks for them by their contents");
  const bool good = there && !c.strangers && p->outcome != DIFFERS;
  if (!rc && !o->quiet && !(o->json && !strcmp(o->json, "-"))) print_all(p, &c, good);
  if (!rc && o->json) rc = write_all(o, r, p, &c, good, err);
  if (!rc) *it_holds = good;
  checks_free(&c);
  free(p);
  return rc;
}
