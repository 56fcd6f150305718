#include "data/sources.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/sets/footage.h"
#include "data/sets/metadata.h"

#define DEPTH_MAX 64

const char *const um_label_name[2] = {"fake", "real"};

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

um_ending um_ending_of(const char *path) {
  static const char *const video[] = {"mp4", "m4v", "mov", "avi",  "mkv", "webm", "mpg", "mpeg", "wmv",
                                      "flv", "ts",  "mts", "m2ts", "3gp", "ogv",  "vob", "y4m",  "gif"};
  static const char *const picture[] = {"png", "jpg", "jpeg", "bmp", "ppm", "pgm", "tiff", "tif", "webp"};
  const char *dot = strrchr(base_name(path), '.');
  for (size_t i = 0; dot && i < sizeof video / sizeof *video; i++)
    if (strcasecmp(dot + 1, video[i]) == 0) return UM_ENDING_VIDEO;
  for (size_t i = 0; dot && i < sizeof picture / sizeof *picture; i++)
    if (strcasecmp(dot + 1, picture[i]) == 0) return UM_ENDING_PICTURE;
  return UM_ENDING_OTHER;
}

int um_label_parse(const char *text) {
  for (int i = 0; i < 2; i++)
    if (strcasecmp(text, um_label_name[i]) == 0) return i;
  return -1;
}

void um_source_free(um_source *item) {
  free(item->path);
  free(item->name);
  free(item->group);
  free(item->dataset);
  free(item->method);
  free(item->quality);
  free(item->part);
}

int um_source_set(char **field, const char *text) {
  char *copy = strdup(text);
  if (!copy) return UM_ENOMEM;
  free(*field);
  *field = copy;
  return UM_OK;
}

um_source *um_sources_add(um_sources *s, const char *path) {
  if ((s->count & (s->count - 1)) == 0) { /* room is a power of two */
    um_source *grown = s->count < INT_MAX / 2 ? realloc(s->item, (s->count ? 2 * (size_t)s->count : 1) * sizeof *grown) : NULL;
    if (!grown) return NULL;
    s->item = grown;
  }
  um_source *item = &s->item[s->count];
  char **const field[] = {&item->name, &item->group, &item->dataset, &item->method, &item->quality, &item->part};
  *item = (um_source){.path = strdup(path), .label = -1};
  bool good = item->path;
  for (size_t i = 0; i < sizeof field / sizeof *field; i++) good = (*field[i] = strdup("")) && good;
  if (!good) {
    um_source_free(item);
    return NULL;
  }
  s->count++;
  return item;
}

static int add(um_sources *s, const char *path, um_error *err) {
  return um_sources_add(s, path) ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The entries of a folder by name, hidden ones left out. */
static int list(char ***out, int *count, const char *folder, um_error *err) {
  char **name = NULL;
  int n = 0, r = UM_OK;
  DIR *d = opendir(folder);
  if (!d) return um_fail(err, UM_EIO, "%s: cannot read the folder", folder);
  for (struct dirent *e; (e = readdir(d));) {
    if (e->d_name[0] == '.') continue;
    if ((n & (n - 1)) == 0) {
      char **grown = realloc(name, (n ? 2 * (size_t)n : 1) * sizeof *grown);
      if (grown)
        name = grown;
      else
        r = UM_ENOMEM;
    }
    if (r < 0 || !(name[n] = strdup(e->d_name))) {
      r = um_fail(err, UM_ENOMEM, "%s: no memory for its names", folder);
      break;
    }
    n++;
  }
  closedir(d);
  if (n > 0) qsort(name, (size_t)n, sizeof *name, by_name);
  *out = name, *count = n;
  return r;
}

static int walk(um_sources *s, const char *folder, int depth, um_error *err) {
  char **name = NULL, path[4096];
  int n = 0;
  if (depth > DEPTH_MAX) return um_fail(err, UM_EIO, "%s: folders nested deeper than %d (a link to itself?)", folder, DEPTH_MAX);
  int r = list(&name, &n, folder, err);
  for (int i = 0; r == UM_OK && i < n; i++) {
    if ((r = um_path_join(path, sizeof path, folder, name[i], err)) < 0) break;
    if (um_is_folder(path))
      r = walk(s, path, depth + 1, err);
    else if (um_ending_of(name[i]) != UM_ENDING_OTHER)
      r = add(s, path, err);
  }
  for (int i = 0; i < n; i++) free(name[i]);
  free(name);
  return r;
}

/* A source by what tells it from others: device and inode for files, the name for names. */
typedef struct key {
  dev_t device;
  ino_t inode;
  const char *name;
  int index;
} key;

static int by_file(const void *pa, const void *pb) {
  const key *a = pa, *b = pb;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  if (a->inode != b->inode) return a->inode < b->inode ? -1 : 1;
  return a->index - b->index;
}

static int by_given_name(const void *pa, const void *pb) {
  const key *a = pa, *b = pb;
  int order = strcmp(a->name, b->name);
  return order ? order : a->index - b->index;
}

int um_sources_same_files(int *first, const um_sources *s, um_error *err) {
  key *k = calloc((size_t)s->count + 1, sizeof *k);
  int n = 0;
  struct stat st;
  if (!k) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
  for (int i = 0; i < s->count; i++) {
    first[i] = i;
    if (stat(s->item[i].path, &st) == 0) k[n++] = (key){.device = st.st_dev, .inode = st.st_ino, .index = i};
  }
  qsort(k, (size_t)n, sizeof *k, by_file);
  for (int i = 1; i < n; i++)
    if (k[i].device == k[i - 1].device && k[i].inode == k[i - 1].inode) first[k[i].index] = first[k[i - 1].index];
  free(k);
  return UM_OK;
}

/* Takes out files that were given twice; the first stays. */
static int drop_doubles(um_sources *s, um_error *err) {
  int *first = malloc(((size_t)s->count + 1) * sizeof *first), kept = 0;
  int r = first ? um_sources_same_files(first, s, err) : um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
  for (int i = 0, n = s->count; r == UM_OK && i < n; i++)
    if (first[i] == i)
      s->item[kept++] = s->item[i];
    else
      um_source_free(&s->item[i]);
  if (r == UM_OK) s->count = kept;
  free(first);
  return r;
}

static char *stem_of(const char *path) {
  char *stem = strdup(base_name(path)), *dot = stem ? strrchr(stem, '.') : NULL;
  if (dot && dot != stem) *dot = 0;
  return stem;
}

static bool taken(const key *k, int n, const char *name) {
  int low = 0, high = n;
  while (low < high) {
    const int mid = low + (high - low) / 2, order = strcmp(k[mid].name, name);
    if (order == 0) return true;
    if (order < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return false;
}

/* Names that were numbered here are unlike each other, since the last number takes them apart: they need only be unlike those that
 * were there before. */
static int number_doubles(um_sources *s, um_error *err) {
  key *k = calloc((size_t)s->count + 1, sizeof *k);
  char **made = calloc((size_t)s->count + 1, sizeof *made);
  int r = k && made ? UM_OK : UM_ENOMEM;
  for (int i = 0; r == UM_OK && i < s->count; i++) k[i] = (key){.name = s->item[i].name, .index = i};
  if (r == UM_OK) qsort(k, (size_t)s->count, sizeof *k, by_given_name);
  for (int i = 1, number = 2; r == UM_OK && i < s->count; i++) {
    if (strcmp(k[i].name, k[i - 1].name) != 0) {
      number = 2;
      continue;
    }
    do {
      free(made[i]);
      if (asprintf(&made[i], "%s-%d", k[i].name, number++) < 0) made[i] = NULL, r = UM_ENOMEM;
    } while (r == UM_OK && taken(k, s->count, made[i]));
  }
  for (int i = 1; r == UM_OK && i < s->count; i++)
    if (made[i]) {
      free(s->item[k[i].index].name);
      s->item[k[i].index].name = made[i];
      made[i] = NULL;
    }
  for (int i = 0; made && i < s->count; i++) free(made[i]);
  free(made);
  free(k);
  return r == UM_OK ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for the names of %d inputs", s->count);
}

/* What does not belong into a file's name is replaced; and so that a number still fits below the usual limit of 255 bytes, long ones are
 * cut, not inside a UTF-8 character. */
static void make_fit(char *name) {
  size_t n = 180;
  for (char *c = name; *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr("-_.+", *c) && !((unsigned char)*c & 0x80)) *c = '_';
  if (*name == '.') *name = '_';
  if (strlen(name) <= n) return;
  while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80) n--;
  name[n] = 0;
}

int um_sources_settle(um_sources *s, um_error *err) {
  for (int i = 0; i < s->count; i++) {
    um_source *item = &s->item[i];
    if (!*item->name) {
      free(item->name);
      if (!(item->name = stem_of(item->path))) return um_fail(err, UM_ENOMEM, "no memory for the names of %d inputs", s->count);
    }
    make_fit(item->name);
  }
  const int r = number_doubles(s, err);
  for (int i = 0; r == UM_OK && i < s->count; i++) {
    um_source *item = &s->item[i];
    if (*item->group) continue;
    char *stem = stem_of(item->path), *group = stem ? um_footage_group(stem, item->name) : NULL;
    free(stem);
    if (!group) return um_fail(err, UM_ENOMEM, "no memory for the groups of %d inputs", s->count);
    free(item->group);
    item->group = group;
  }
  return r;
}

int um_sources_collect(um_sources *s, const char *const *input, int count, um_error *err) {
  int r = UM_OK;
  *s = (um_sources){0};
  for (int i = 0; i < count && r == UM_OK; i++) r = um_is_folder(input[i]) ? walk(s, input[i], 0, err) : add(s, input[i], err);
  if (r == UM_OK) r = drop_doubles(s, err);
  if (r == UM_OK) r = um_sources_settle(s, err);
  if (r < 0) um_sources_free(s);
  return r;
}

void um_sources_free(um_sources *s) {
  for (int i = 0; i < s->count; i++) um_source_free(&s->item[i]);
  free(s->item);
  *s = (um_sources){0};
}

int um_sources_label_metadata(um_sources *s, const char *path, um_error *err) {
  set_entries e = {0};
  int r = set_entries_json(&e, path, base_name(path), err);
  if (r == UM_OK) r = set_entries_merge(&e, err);
  for (int i = 0; r == UM_OK && i < s->count; i++) {
    um_source *item = &s->item[i];
    const set_entry *found = set_entries_find(&e, base_name(item->path));
    if (!found) continue;
    if (found->label < 0) {
      r = um_fail(err, UM_EFORMAT, "%s: %.200s: label: expected \"FAKE\" or \"REAL\", got none", path, found->path);
      break;
    }
    item->label = found->label;
    if (!found->original) continue;
    char *group = um_footage_group(found->original, found->original);
    if (!group) {
      r = um_fail(err, UM_ENOMEM, "%s: no memory", path);
      break;
    }
    free(item->group);
    item->group = group;
  }
  set_entries_free(&e);
  return r;
}

void um_sources_label_folders(um_sources *s) {
  for (int i = 0; i < s->count; i++) {
    const char *path = s->item[i].path, *end = base_name(path);
    while (end > path && s->item[i].label < 0) { /* end is behind a slash */
      const char *start = end - 1;
      char name[8];
      while (start > path && start[-1] != '/') start--;
      if (snprintf(name, sizeof name, "%.*s", (int)(end - 1 - start), start) < (int)sizeof name) s->item[i].label = um_label_parse(name);
      end = start;
    }
  }
}

void um_sources_label_all(um_sources *s, int label) {
  for (int i = 0; i < s->count; i++) s->item[i].label = label;
}
