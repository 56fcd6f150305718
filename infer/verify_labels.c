/* The labels of a result once more, from the files that they came from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "data/sources.h"
#include "infer/verify.h"

static const char *text(const char *may_be_null) { return may_be_null ? may_be_null : ""; }

/* Why the files cannot be read again; false where they can. */
static bool files_changed(char *why, size_t size, const used_file *file, int count) {
  char hex[65];
  um_error ignored;
  for (int i = 0; i < count; i++) {
    const used_file *u = &file[i];
    const stamp is = stamp_of(u->path);
    *why = 0;
    if (!*u->sha256)
      snprintf(why, size, "no hash of %.200s was recorded", u->path);
    else if (!is.file)
      snprintf(why, size, "%.200s is not there any more", u->path);
    else if (is.bytes != u->bytes || hash_file(hex, u->path, &is, &ignored) || strcmp(hex, u->sha256))
      snprintf(why, size, "%.200s is another file now", u->path);
    if (*why) return true;
  }
  return false;
}

/* The recorded inputs as sources without labels. */
static int sources_of(um_sources *s, const inputs *in, um_error *err) {
  *s = (um_sources){0};
  for (int i = 0; i < in->count; i++)
    if (!um_sources_add(s, in->at[i].path)) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", in->count);
  return um_sources_settle(s, err);
}

static int read_again(inputs *out, const record *r, const checks *c, um_error *err) {
  const labelling *l = &r->in.labels;
  um_sources s;
  *out = (inputs){.labels = {.word = l->word, .by = l->by}};
  int rc = sources_of(&s, &r->in, err);
  if (!rc && !(out->labels.file = malloc(((size_t)l->files + 1) * sizeof *l->file)))
    rc = um_fail(err, UM_ENOMEM, "no memory for %d files", l->files);
  if (!rc) {
    if (l->files) memcpy(out->labels.file, c->labels, (size_t)l->files * sizeof *l->file);
    out->labels.files = l->files;
    rc = inputs_take(out, &s, err);
  }
  /* Names are the old ones; manifests find files where they lie. */
  for (int i = 0; !rc && i < out->count; i++)
    if (c->at[i].path && !(out->at[i].lies = strdup(c->at[i].path))) rc = um_fail(err, UM_ENOMEM, "%s: no memory", c->at[i].path);
  if (!rc) rc = inputs_facts(out, err);
  for (int i = 0; !rc && i < l->files; i++) /* between the look and the reading */
    if (strcmp(out->labels.file[i].sha256, l->file[i].sha256)) rc = um_fail(err, UM_EFORMAT, "%s: another file now", l->file[i].path);
  um_sources_free(&s);
  if (rc) inputs_free(out);
  return rc;
}

static void differ(part *p, const input *in, const char *what, const char *then, const char *now) {
  char place[96];
  const char *slash = strrchr(in->path, '/');
  snprintf(place, sizeof place, "%s of %.64s", what, slash ? slash + 1 : in->path);
  part_differs(p, place, then, now);
}

static void swap(char **a, char **b) {
  char *const c = *a;
  *a = *b, *b = c;
}

/* The recorded one against the one that was read again, which takes its place. */
static void settle_one(part *p, input *then, input *now, bool cut) {
  char person[2][16];
  differ(p, then, "label", label_name(then->label), label_name(now->label));
  if (now->label != LABEL_NONE && then->label != LABEL_NONE) {
    differ(p, then, "group", text(then->group), text(now->group));
    differ(p, then, "video", text(then->video), text(now->video));
    differ(p, then, "by", text(then->by), text(now->by));
    if (!then->by != !now->by) differ(p, then, "by", then->by ? "(nothing)" : "", now->by ? "(nothing)" : "");
  }
  if (cut && then->faces == 1) {
    snprintf(person[0], sizeof *person, "%d", then->person), snprintf(person[1], sizeof *person, "%d", now->person);
    differ(p, then, "track", person[0], person[1]);
    then->person = now->person;
  }
  then->label = now->label;
  swap(&then->group, &now->group), swap(&then->video, &now->video), swap(&then->by, &now->by);
}

int labels_again(part *p, record *r, const checks *c, um_error *err) {
  const labelling *l = &r->in.labels;
  inputs now;
  um_error why;
  char reason[256];
  int known = 0, moved = 0;
  for (int i = 0; i < r->in.count; i++) known += r->in.at[i].label != LABEL_NONE;
  p->recorded = known > 0 || r->metrics || l->word, p->outcome = UNCHECKED;
  if (!l->word && !r->older && p->recorded) {
    part_differs(p, "where they came from", "(nothing)", "");
    part_settle(p, 0);
    return UM_OK;
  }
  if (!l->word) {
    snprintf(p->note, sizeof p->note, "taken from the result: an older infer did not write where they came from");
    return UM_OK;
  }
  if (files_changed(reason, sizeof reason, c->labels, l->files)) {
    snprintf(p->note, sizeof p->note, "taken from the result: %s", reason);
    return UM_OK;
  }
  const int rc = read_again(&now, r, c, &why);
  if (rc) {
    snprintf(p->note, sizeof p->note, "taken from the result: %.250s", why.text);
    if (rc == UM_ENOMEM && err) *err = why;
    return rc == UM_ENOMEM ? rc : UM_OK;
  }
  /* A manifest knows files by where they are: of those that are there no more its word cannot be had. */
  const size_t n = strlen(l->word);
  const bool by_file = l->files > 0 && (!strcmp(l->word, "folders") || (n > 4 && !strcasecmp(l->word + n - 4, ".csv")));
  for (int i = 0; i < r->in.count; i++) {
    if (by_file && !stamp_of(input_file(&now.at[i])).file)
      moved++;
    else
      settle_one(p, &r->in.at[i], &now.at[i], r->faces_are_cut);
  }
  inputs_free(&now);
  part_settle(p, 0);
  if (l->files)
    snprintf(p->note, sizeof p->note, "read again from %.200s%s", c->labels[0].path, l->files > 1 ? " and others" : "");
  else
    snprintf(p->note, sizeof p->note, "by the names of folders");
  if (moved)
    snprintf(p->note + strlen(p->note), sizeof p->note - strlen(p->note), "; of %d input%s that moved taken from the result", moved,
             moved == 1 ? "" : "s");
  return UM_OK;
}
