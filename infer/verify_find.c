/* Where the inputs of a result lie now: by their path, else by size and hash. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/log.h"
#include "infer/verify.h"

enum { DEPTH = 64 };

/* A file that may be one of the inputs. */
typedef struct place {
  char *path;
  stamp stamp;
  char sha256[65]; /* once it was wanted */
  bool tried;      /* it was, and could not be had where there is none */
  bool named;      /* on the command line, not found in a folder */
  bool used;
} place;

typedef struct places {
  place *at;
  int count, capacity;
} places;

static void places_free(places *p) {
  for (int i = 0; i < p->count; i++) free(p->at[i].path);
  free(p->at);
}

static const char *base_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Whether a file of this size or name can be one of the inputs or of their labels, or be taken for one. */
static bool of_interest(const record *r, const char *path, int64_t bytes) {
  for (int i = 0; i < r->in.labels.files; i++)
    if (*r->in.labels.file[i].sha256 && r->in.labels.file[i].bytes == bytes) return true;
  for (int i = 0; i < r->in.count; i++)
    if ((*r->in.at[i].sha256 && r->in.at[i].bytes == bytes) || !strcmp(base_of(r->in.at[i].path), base_of(path))) return true;
  return false;
}

static int add(places *p, const record *r, const char *path, bool named, um_error *err) {
  const stamp st = stamp_of(path);
  if (!named && (!st.file || !of_interest(r, path, st.bytes))) return UM_OK;
  if (p->count == p->capacity) {
    const int capacity = p->capacity ? 2 * p->capacity : 64;
    place *grown = realloc(p->at, (size_t)capacity * sizeof *grown);
    if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for %d files", path, capacity);
    p->at = grown, p->capacity = capacity;
  }
  char *copy = strdup(path);
  if (!copy) return um_fail(err, UM_ENOMEM, "%s: no memory", path);
  p->at[p->count++] = (place){.path = copy, .stamp = st, .named = named};
  return UM_OK;
}

/* All files below a folder in the order of their names. Links to folders are not followed. */
static int walk(places *p, const record *r, const char *folder, int depth, um_error *err) {
  struct dirent **entry = NULL;
  char path[4096];
  struct stat st;
  int rc = UM_OK;
  const int n = depth < DEPTH ? scandir(folder, &entry, NULL, alphasort) : 0;
  if (n < 0 && depth == 0) return um_fail(err, UM_EIO, "%s: this folder cannot be read", folder);
  for (int i = 0; i < n; i++) {
    const char *name = entry[i]->d_name;
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!rc && strcmp(name, ".") && strcmp(name, "..") && length < (int)sizeof path && lstat(path, &st) == 0)
      rc = S_ISDIR(st.st_mode) ? walk(p, r, path, depth + 1, err) : add(p, r, path, false, err);
    free(entry[i]);
  }
  free(entry);
  return rc;
}

/* "" where it cannot be had. */
static const char *hash_of(place *p) {
  um_error ignored;
  if (!p->tried && p->stamp.file) hash_file(p->sha256, p->path, &p->stamp, &ignored);
  p->tried = true;
  return p->sha256;
}

static int found_at(checked *c, const char *path, um_error *err) {
  free(c->path);
  return (c->path = strdup(path)) ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory", path);
}

static int by_contents(checked *c, places *p, um_error *err) {
  for (int i = 0; i < p->count; i++) {
    place *x = &p->at[i];
    if (!x->stamp.file || x->stamp.bytes != c->then->bytes || strcmp(hash_of(x), c->then->sha256)) continue;
    x->used = true, c->outcome = SAME;
    return found_at(c, x->path, err);
  }
  return UM_OK;
}

/* A file of its name, of other contents, that no other input is. */
static int by_name(checked *c, places *p, um_error *err) {
  for (int i = 0; i < p->count; i++) {
    place *x = &p->at[i];
    if (!x->stamp.file || x->used || strcmp(base_of(x->path), base_of(c->then->path))) continue;
    x->used = true, c->outcome = CHANGED;
    memcpy(c->sha256, hash_of(x), sizeof c->sha256);
    return found_at(c, x->path, err);
  }
  return UM_OK;
}

/* Where it was. */
static int by_path(checked *c, um_error *err) {
  place x = {.path = c->then->path, .stamp = stamp_of(c->then->path)};
  if (!x.stamp.file) return UM_OK;
  c->outcome = x.stamp.bytes == c->then->bytes && !strcmp(hash_of(&x), c->then->sha256) ? SAME : CHANGED;
  memcpy(c->sha256, hash_of(&x), sizeof c->sha256);
  return found_at(c, x.path, err);
}

static int find_all(checks *c, places *p, bool asked, um_error *err) {
  int rc = UM_OK;
  struct stat st;
  for (int i = 0; !rc && i < c->count; i++) {
    checked *x = &c->at[i];
    if (!*x->then->sha256) {
      /* What was not there and is not there is as it was. */
      x->outcome = asked ? UNCHECKED : x->then->skipped && stat(x->then->path, &st) != 0 ? SAME : UNHASHED;
      continue;
    }
    if (!asked) rc = by_path(x, err);
    if (!rc && x->outcome != SAME) rc = by_contents(x, p, err);
  }
  for (int i = 0; !rc && i < c->count; i++)
    if (*c->at[i].then->sha256 && (c->at[i].outcome == MISSING || c->at[i].outcome == UNCHECKED)) rc = by_name(&c->at[i], p, err);
  return rc;
}

/* Files of labels where they were, or else by their contents. */
static int find_labels(checks *c, const labelling *l, places *p, um_error *err) {
  if (!(c->labels = calloc((size_t)l->files + 1, sizeof *c->labels))) return um_fail(err, UM_ENOMEM, "no memory for %d files", l->files);
  for (int i = 0; i < l->files; i++) {
    used_file *u = &c->labels[i];
    *u = l->file[i];
    place there = {.path = u->path, .stamp = stamp_of(u->path)};
    if (!*u->sha256 || (there.stamp.file && there.stamp.bytes == u->bytes && !strcmp(hash_of(&there), u->sha256))) continue;
    for (int k = 0; k < p->count; k++) {
      place *x = &p->at[k];
      if (!x->stamp.file || x->stamp.bytes != u->bytes || strcmp(hash_of(x), u->sha256) || strlen(x->path) >= sizeof u->path) continue;
      strcpy(u->path, x->path), x->used = true;
      break;
    }
  }
  return UM_OK;
}

int checks_find(checks *c, const record *r, const char *root, const char *const *path, int count, um_error *err) {
  places p = {0};
  int rc = UM_OK;
  *c = (checks){.at = calloc((size_t)r->in.count, sizeof *c->at)};
  if (!c->at) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", r->in.count);
  for (; c->count < r->in.count; c->count++)
    c->at[c->count] = (checked){.then = &r->in.at[c->count], .outcome = count ? UNCHECKED : MISSING, .now = -1, .difference = NAN};
  if (root) rc = walk(&p, r, root, 0, err);
  for (int i = 0; !rc && i < count; i++) rc = um_is_folder(path[i]) ? walk(&p, r, path[i], 0, err) : add(&p, r, path[i], true, err);
  if (!rc) rc = find_all(c, &p, count > 0, err);
  if (!rc) rc = find_labels(c, &r->in.labels, &p, err);
  for (int i = 0; i < c->count; i++) c->asked_for += c->at[i].outcome != UNCHECKED;
  for (int i = 0; !rc && i < p.count; i++) {
    if (!p.at[i].named || p.at[i].used) continue;
    c->strangers++;
    um_log(UM_LOG_ERROR,
           p.at[i].stamp.file ? "%s: none of the files that were scored: no result has its hash" : "%s: there is no such file",
           p.at[i].path);
  }
  places_free(&p);
  if (rc) checks_free(c);
  return rc;
}

void checks_free(checks *c) {
  for (int i = 0; i < c->count; i++) free(c->at[i].path);
  free(c->at), free(c->labels);
  *c = (checks){0};
}
