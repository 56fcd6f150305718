/* The files below a dataset's folder. Links are followed, but no folder is read twice. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/sets/scan.h"

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void set_names_free(char **name, int count) {
  for (int i = 0; i < count; i++) free(name[i]);
  free(name);
}

int set_names(char ***out, int *count, const char *folder, um_error *err) {
  char **name = NULL;
  int n = 0, r = UM_OK;
  DIR *d = opendir(folder);
  *out = NULL, *count = 0;
  if (!d) return um_fail(err, UM_EIO, "%s: %s", folder, strerror(errno));
  for (struct dirent *e; r == UM_OK && (errno = 0, e = readdir(d));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    if ((n & (n - 1)) == 0) { /* room is a power of two */
      char **grown = n < SET_FILES_MAX ? realloc(name, (n ? 2 * (size_t)n : 1) * sizeof *grown) : NULL;
      if (grown)
        name = grown;
      else
        r = UM_ENOMEM;
    }
    if (r == UM_OK && (name[n] = strdup(e->d_name)))
      n++;
    else
      r = UM_ENOMEM;
  }
  if (r < 0)
    um_fail(err, r, "%s: no memory for its names", folder);
  else if (errno)
    r = um_fail(err, UM_EIO, "%s: %s", folder, strerror(errno));
  closedir(d);
  if (r < 0) {
    set_names_free(name, n);
    return r;
  }
  if (n > 0) qsort(name, (size_t)n, sizeof *name, by_text);
  *out = name, *count = n;
  return UM_OK;
}

/* A folder that was read, in a tree of them. */
typedef struct place {
  dev_t device;
  ino_t inode;
} place;

static int by_place(const void *pa, const void *pb) {
  const place *a = pa, *b = pb;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  return a->inode < b->inode ? -1 : a->inode > b->inode;
}

typedef struct walker {
  set_scan *s;
  void *seen;
  const char *(*skip)(const set_scan *s, const char *path);
} walker;

/* 1: the folder is new; 0: it was read already. */
static int enter(walker *w, const struct stat *st, um_error *err) {
  place *p = malloc(sizeof *p), **found;
  if (!p) return um_fail(err, UM_ENOMEM, "%s: no memory", w->s->dir);
  *p = (place){st->st_dev, st->st_ino};
  found = tsearch(p, &w->seen, by_place);
  if (!found) {
    free(p);
    return um_fail(err, UM_ENOMEM, "%s: no memory", w->s->dir);
  }
  if (*found == p) return 1;
  free(p);
  return 0;
}

static int add_file(set_scan *s, const char *path, um_error *err) {
  if (s->files >= SET_FILES_MAX) return um_fail(err, UM_EUNSUPPORTED, "%s: more than %d files below it", s->dir, SET_FILES_MAX);
  if ((s->files & (s->files - 1)) == 0) {
    set_file *grown = realloc(s->file, (s->files ? 2 * (size_t)s->files : 1) * sizeof *grown);
    if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for %d files", s->dir, s->files);
    s->file = grown;
  }
  s->file[s->files] = (set_file){.path = strdup(path), .ending = um_ending_of(path)};
  if (!s->file[s->files].path) return um_fail(err, UM_ENOMEM, "%s: no memory for %d files", s->dir, s->files);
  s->files++;
  return UM_OK;
}

/* `path` is from the dataset's folder, "" for itself. */
static int walk(walker *w, const char *path, int depth, um_error *err) {
  char **name = NULL, full[PATH_MAX], below[PATH_MAX], here[2 * PATH_MAX];
  int n = 0;
  struct stat st;
  int r = *path ? um_path_join(full, sizeof full, w->s->dir, path, err) : UM_OK;
  if (r == UM_OK && (r = set_names(&name, &n, *path ? full : w->s->dir, err)) == UM_EIO && *path)
    return set_note(w->s, UM_SET_WARNING, path, "a folder that cannot be read", err);
  for (int i = 0; r == UM_OK && i < n; i++) {
    if (*path)
      r = um_path_join(below, sizeof below, path, name[i], err);
    else if (strlen(name[i]) < sizeof below)
      strcpy(below, name[i]);
    if (r == UM_OK) r = um_path_join(here, sizeof here, w->s->dir, below, err);
    if (r < 0) break;
    const char *why = NULL;
    if (name[i][0] == '.')
      r = set_note(w->s, UM_SET_IGNORED, below, "hidden", err);
    else if (stat(here, &st) != 0)
      r = set_note(w->s, UM_SET_WARNING, below, "a link that leads nowhere, or a file that cannot be looked at", err);
    else if (S_ISREG(st.st_mode))
      r = add_file(w->s, below, err);
    else if (!S_ISDIR(st.st_mode))
      r = set_note(w->s, UM_SET_IGNORED, below, "neither a file nor a folder", err);
    else if (w->skip && (why = w->skip(w->s, below)))
      r = set_note(w->s, UM_SET_IGNORED, below, why, err);
    else if (depth >= SET_DEPTH_MAX)
      r = set_note(w->s, UM_SET_WARNING, below, "a folder below too many others, not looked into", err);
    else if ((r = enter(w, &st, err)) == 0)
      r = set_note(w->s, UM_SET_IGNORED, below, "a folder that was read already (a link to it)", err);
    else if (r > 0)
      r = walk(w, below, depth + 1, err);
  }
  set_names_free(name, n);
  return r;
}

static int by_path(const void *a, const void *b) { return strcmp(((const set_file *)a)->path, ((const set_file *)b)->path); }

int set_walk(set_scan *s, const char *(*skip)(const set_scan *s, const char *path), um_error *err) {
  walker w = {.s = s, .skip = skip};
  struct stat st;
  int r = stat(s->dir, &st) == 0 ? enter(&w, &st, err) : um_fail(err, UM_EIO, "%s: %s", s->dir, strerror(errno));
  if (r > 0) r = walk(&w, "", 0, err);
  if (r == UM_OK && s->files) qsort(s->file, (size_t)s->files, sizeof *s->file, by_path);
  tdestroy(w.seen, free);
  return r;
}

set_file *set_find(const set_scan *s, const char *path) {
  set_file key = {.path = (char *)path};
  return s->files ? bsearch(&key, s->file, (size_t)s->files, sizeof key, by_path) : NULL;
}
