/* What to score, with the labels where they are known. */
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

/* What a manifest says beside the labels. */
static int read_facts(inputs *in, const char *const *path, int count, const options *o, um_error *err) {
  const bool csv = is_csv(o->labels), folder = o->by && !strcmp(o->by, "folder");
  const char *column = folder ? NULL : o->by;
  char name[4096];
  int rc = UM_OK, named = 0, manifests = 0, n;
  if (csv) rc = facts_read(in, o->labels, true, column, &named, err), manifests = 1;
  for (int i = 0; !rc && !strcmp(o->labels, "folders") && i < count; i++) {
    if (!um_is_folder(path[i]) || !manifest_of(name, sizeof name, path[i])) continue;
    rc = facts_read(in, name, false, column, &n, err), manifests++;
  }
  if (!rc && folder) rc = by_folder(in, err);
  if (!rc && column && !manifests)
    rc = um_fail(err, UM_ECONFIG,
                 "--by %s: expected a manifest with such a column: --labels FILE.csv, or manifest.csv in or above the inputs; "
                 "without one there is --by folder",
                 column);
  if (!rc && csv && !named) rc = um_fail(err, UM_EFORMAT, "%s: names none of the inputs; its paths are relative to its folder", o->labels);
  return rc;
}

int inputs_open(inputs *in, const char *const *path, int count, const options *o, um_error *err) {
  um_sources s = {0};
  const char *labels = o->labels;
  const bool folders = labels && !strcmp(labels, "folders");
  int known = 0, rc = um_sources_collect(&s, path, count, err);
  *in = (inputs){0};
  if (!rc && s.count == 0)
    rc = um_fail(err, UM_EIO, "%s%s: no video or picture in it or below it", path[0], count > 1 ? " and the others" : "");
  if (!rc && labels && !folders && !is_csv(labels)) rc = um_sources_label_metadata(&s, labels, err);
  if (!rc && folders) um_sources_label_folders(&s);
  if (!rc && !(in->at = calloc((size_t)s.count, sizeof *in->at))) rc = um_fail(err, UM_ENOMEM, "no memory for %d inputs", s.count);
  for (int i = 0; !rc && i < s.count; i++) {
    /* Sources number the classes, fake first; here a label answers whether it is fake. */
    const label l = s.item[i].label == 0 ? LABEL_FAKE : s.item[i].label == 1 ? LABEL_REAL : LABEL_NONE;
    in->at[in->count++] = (input){.path = s.item[i].path, .group = s.item[i].group, .label = l, .score = NAN, .person = -1};
    s.item[i].path = s.item[i].group = NULL; /* handed over */
  }
  um_sources_free(&s);
  if (!rc && labels) rc = read_facts(in, path, count, o, err);
  for (int i = 0; !rc && i < in->count; i++) known += in->at[i].label != LABEL_NONE;
  if (!rc && labels && known == 0)
    rc = um_fail(err, UM_EFORMAT, folders ? "--labels %s: no input lies below a folder named fake or real" : "%s: names none of the inputs",
                 labels);
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
    free(in->at[i].group);
    free(in->at[i].video);
    free(in->at[i].by);
    free(in->at[i].detail);
    free(in->at[i].person_score);
    for (int k = 0; k < in->at[i].candidates; k++) candidate_free(&in->at[i].candidate[k]);
    free(in->at[i].candidate);
  }
  free(in->at);
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
    whole = (to->path = strdup(from->path)) && (!from->group || (to->group = strdup(from->group))) &&
            (!from->video || (to->video = strdup(from->video))) && (!from->by || (to->by = strdup(from->by)));
  }
  if (whole) return UM_OK;
  inputs_free(out);
  return um_fail(err, UM_ENOMEM, "no memory for %d inputs", in->count);
}
