/* What to score, with the labels where they are known. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/file.h"
#include "data/sources.h"
#include "infer/infer.h"

static bool is_csv(const char *path) {
  const size_t n = strlen(path);
  return n > 4 && !strcasecmp(path + n - 4, ".csv");
}

/* manifest.csv of a folder, or of the one above it; false where there is none. */
static bool manifest_of(char *out, size_t size, const char *path) {
  static const char *const where[] = {"manifest.csv", "../manifest.csv"};
  for (int i = 0; i < 2; i++) {
    const int n = snprintf(out, size, "%s/%s", path, where[i]);
    if (n > 0 && (size_t)n < size && access(out, R_OK) == 0) return true;
  }
  return false;
}

/* The folder of each file, less what all have in common. */
static int by_folder(inputs *in, um_error *err) {
  const char *first = in->at[0].path;
  size_t common = strlen(first);
  for (int i = 0; i < in->count; i++) {
    const char *path = in->at[i].path;
    size_t k = 0;
    while (k < common && path[k] && path[k] == first[k]) k++;
    while (k > 0 && path[k - 1] != '/') k--;
    common = k;
  }
  for (int i = 0; i < in->count; i++) {
    const char *from = in->at[i].path + common, *slash = strrchr(from, '/');
    if (!(in->at[i].by = slash ? strndup(from, (size_t)(slash - from)) : strdup("."))) return um_fail(err, UM_ENOMEM, "no memory");
  }
  return UM_OK;
}

static bool folders(const labelling *l) { return l->word && !strcmp(l->word, "folders"); }

static int add_file(labelling *l, const char *path, um_error *err) {
  used_file *grown = realloc(l->file, ((size_t)l->files + 1) * sizeof *grown);
  if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for %d files", path, l->files + 1);
  l->file = grown;
  used_file *new = &l->file[l->files++];
  *new = (used_file){0};
  if ((size_t)snprintf(new->path, sizeof new->path, "%s", path) < sizeof new->path) return UM_OK;
  return um_fail(err, UM_EIO, "%.200s...: too long for a path", path);
}

/* The file of --labels; with folders the manifests of folders of inputs. */
static int list_files(labelling *l, const char *const *path, int count, um_error *err) {
  char name[4096];
  if (l->word && !folders(l) && access(l->word, R_OK) != 0)
    return um_fail(err, UM_EIO, "--labels %s: cannot be read (%s); expected a metadata.json, a CSV, or the word folders", l->word,
                   strerror(errno));
  int rc = l->word && !folders(l) ? add_file(l, l->word, err) : UM_OK;
  for (int i = 0; !rc && folders(l) && i < count; i++)
    if (um_is_folder(path[i]) && manifest_of(name, sizeof name, path[i])) rc = add_file(l, name, err);
  return rc;
}

/* Hashes a file right before it is read. */
static int before(used_file *u, stamp *is, um_error *err) {
  *is = stamp_of(u->path);
  u->bytes = is->bytes;
  return is->file ? hash_file(u->sha256, u->path, is, err) : UM_OK;
}

static int after(const used_file *u, const stamp *was, um_error *err) {
  const stamp is = stamp_of(u->path);
  return !was->file || stamp_same(&is, was) ? UM_OK : um_fail(err, UM_EFORMAT, "%s: changed while it was read; try again", u->path);
}

static int label_sources(um_sources *s, labelling *l, um_error *err) {
  stamp was;
  if (folders(l)) um_sources_label_folders(s);
  if (!l->word || folders(l) || is_csv(l->word)) return UM_OK;
  int rc = before(&l->file[0], &was, err);
  if (!rc) rc = um_sources_label_metadata(s, l->file[0].path, err);
  return rc ? rc : after(&l->file[0], &was, err);
}

/* What manifests say: beside the labels, or with them. */
static int read_facts(inputs *in, um_error *err) {
  labelling *l = &in->labels;
  const bool csv = is_csv(l->word), folder = l->by && !strcmp(l->by, "folder");
  const char *column = folder ? NULL : l->by;
  int rc = UM_OK, named = 0, manifests = 0;
  for (int i = 0; !rc && (csv || folders(l)) && i < l->files; i++, manifests++) {
    stamp was;
    rc = before(&l->file[i], &was, err);
    if (!rc) rc = facts_read(in, l->file[i].path, csv, column, &named, err);
    if (!rc) rc = after(&l->file[i], &was, err);
  }
  if (!rc && folder) rc = by_folder(in, err);
  if (!rc && column && !manifests)
    rc = um_fail(err, UM_ECONFIG,
                 "--by %s: expected a manifest with such a column: --labels FILE.csv, or manifest.csv in or above the inputs; "
                 "without one there is --by folder",
                 column);
  if (!rc && csv && !named) rc = um_fail(err, UM_EFORMAT, "%s: names none of the inputs; its paths are relative to its folder", l->word);
  return rc;
}

int inputs_take(inputs *in, um_sources *s, um_error *err) {
  int rc = label_sources(s, &in->labels, err);
  if (!rc && !(in->at = calloc((size_t)s->count + 1, sizeof *in->at))) rc = um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
  for (int i = 0; !rc && i < s->count; i++) {
    /* Sources number the classes, fake first; here a label answers whether it is fake. */
    const label l = s->item[i].label == 0 ? LABEL_FAKE : s->item[i].label == 1 ? LABEL_REAL : LABEL_NONE;
    in->at[in->count++] = (input){.path = s->item[i].path, .group = s->item[i].group, .label = l, .score = NAN, .person = -1};
    s->item[i].path = s->item[i].group = NULL; /* handed over */
  }
  return rc;
}

int inputs_facts(inputs *in, um_error *err) { return in->labels.word ? read_facts(in, err) : UM_OK; }

int inputs_open(inputs *in, const char *const *path, int count, const options *o, um_error *err) {
  um_sources s = {0};
  int known = 0, rc = um_sources_collect(&s, path, count, err);
  *in = (inputs){.labels = {.word = o->labels, .by = o->by}};
  if (!rc && s.count == 0)
    rc = um_fail(err, UM_EIO, "%s%s: no video or picture in it or below it", path[0], count > 1 ? " and the others" : "");
  if (!rc) rc = list_files(&in->labels, path, count, err);
  if (!rc) rc = inputs_take(in, &s, err);
  if (!rc) rc = inputs_facts(in, err);
  um_sources_free(&s);
  for (int i = 0; !rc && i < in->count; i++) known += in->at[i].label != LABEL_NONE;
  if (!rc && o->labels && known == 0)
    rc = um_fail(err, UM_EFORMAT,
                 folders(&in->labels) ? "--labels %s: no input lies below a folder named fake or real" : "%s: names none of the inputs",
                 o->labels);
  if (rc) inputs_free(in);
  return rc;
}

void candidate_drop(candidate *c) {
  um_image_free(&c->face);
  free(c->pixels), c->pixels = NULL;
}

void candidate_free(candidate *c) {
  candidate_drop(c);
  free(c->plain.data), free(c->heat.data);
  *c = (candidate){0};
}

void inputs_free(inputs *in) {
  for (int i = 0; i < in->count; i++) {
    free(in->at[i].path);
    free(in->at[i].lies);
    free(in->at[i].group);
    free(in->at[i].video);
    free(in->at[i].by);
    free(in->at[i].detail);
    free(in->at[i].person_score);
    for (int k = 0; k < in->at[i].candidates; k++) candidate_free(&in->at[i].candidate[k]);
    free(in->at[i].candidate);
  }
  free(in->at);
  free(in->labels.file);
  for (int i = 0; i < 2; i++) free(in->gallery.at[i]);
  *in = (inputs){0};
}

int inputs_again(inputs *out, const inputs *in, um_error *err) {
  *out = (inputs){.at = calloc((size_t)in->count + 1, sizeof *out->at)};
  bool whole = out->at;
  for (int i = 0; whole && i < in->count; i++) {
    const input *from = &in->at[i];
    input *to = &out->at[out->count++];
    *to = (input){.kind = from->kind,
                  .label = from->label,
                  .person = from->person,
                  .skipped = from->skipped,
                  .done = from->skipped,
                  .score = NAN,
                  .raw = NAN};
    whole = (to->path = strdup(from->path)) && (!from->lies || (to->lies = strdup(from->lies))) &&
            (!from->group || (to->group = strdup(from->group))) && (!from->video || (to->video = strdup(from->video))) &&
            (!from->by || (to->by = strdup(from->by)));
  }
  if (whole) return UM_OK;
  inputs_free(out);
  return um_fail(err, UM_ENOMEM, "no memory for %d inputs", in->count);
}
