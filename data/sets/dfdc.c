/* DFDC (Dolhansky et al. 2020): parts dfdc_train_part_N with a metadata.json beside the videos, {"a.mp4": {"label": "FAKE", "split": "train",
 * "original": "b.mp4"}, ...}; sets for validation and test with a labels.csv (filename,label; 1 is fake) or a metadata.json that has
 * "is_fake". Any number of them in any folders; the group is the original. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "data/sets/footage.h"
#include "data/sets/metadata.h"
#include "data/sets/scan.h"

static bool is_metadata(const char *name) { return strcasecmp(name, "metadata.json") == 0; }
static bool is_list(const char *name) { return strcasecmp(name, "labels.csv") == 0 || strcasecmp(name, "label.csv") == 0; }

/* Whether the file begins like a metadata.json or labels.csv of DFDC, and not of somebody else. */
static bool begins_with(const char *path, const char *word, const char *or_word) {
  char text[4097];
  FILE *f = fopen(path, "rb");
  if (!f) return false;
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  fclose(f);
  return strstr(text, word) || strstr(text, or_word);
}

static const char *recognize_in(const char *dir, char *const *name, int names) {
  char path[PATH_MAX];
  for (int i = 0; i < names; i++) {
    if (um_path_join(path, sizeof path, dir, name[i], NULL) < 0) continue;
    if (strncasecmp(name[i], "dfdc_train_part", 15) == 0 && um_is_folder(path)) return "dfdc_train_part folders";
    if (!um_is_file(path)) continue;
    if (is_metadata(name[i]) && begins_with(path, "\"label\"", "\"is_fake\"")) return "metadata.json";
    if (is_list(name[i]) && begins_with(path, "filename", "filename")) return "labels.csv";
  }
  return NULL;
}

static const char *recognize(const char *dir, char *const *top, int tops) {
  const char *found = recognize_in(dir, top, tops);
  for (int i = 0; i < tops && !found; i++) { /* a folder down: train, validation, test */
    char path[PATH_MAX], **name;
    int n;
    if (top[i][0] == '.' || um_path_join(path, sizeof path, dir, top[i], NULL) < 0 || !um_is_folder(path)) continue;
    if (set_names(&name, &n, path, NULL) < 0) continue;
    found = recognize_in(path, name, n);
    set_names_free(name, n);
  }
  return found;
}

/* A video's name and where it is in the tree. */
typedef struct named {
  const char *name;
  int file;
} named;

static int by_name(const void *pa, const void *pb) {
  const named *a = pa, *b = pb;
  const int order = strcmp(a->name, b->name);
  return order ? order : a->file - b->file;
}

static int by_name_key(const void *key, const void *b) { return strcmp(key, ((const named *)b)->name); }

/* Entries whose video does not lie beside the metadata (labels.csv beside a folder of videos) take the one of that name further below. */
static int look_below(set_scan *s, set_entries *e, um_error *err) {
  named *k = calloc((size_t)s->files + 1, sizeof *k);
  int n = 0;
  bool moved = false;
  if (!k) return um_fail(err, UM_ENOMEM, "no memory for %d files", s->files);
  for (int i = 0; i < s->files; i++)
    if (s->file[i].ending == UM_ENDING_VIDEO && !set_entries_find(e, s->file[i].path)) k[n++] = (named){set_base(s->file[i].path), i};
  qsort(k, (size_t)n, sizeof *k, by_name);
  for (int i = 0; i < e->count; i++) {
    set_entry *item = &e->item[i];
    const size_t folder = (size_t)(set_base(item->file) - item->file);
    if (set_find(s, item->path)) continue;
    const named *hit = n ? bsearch(set_base(item->path), k, (size_t)n, sizeof *k, by_name_key) : NULL;
    if (!hit || (hit > k && strcmp(hit[-1].name, hit->name) == 0) || (hit + 1 < k + n && strcmp(hit[1].name, hit->name) == 0)) continue;
    const char *path = s->file[hit->file].path;
    if (strncmp(path, item->file, folder) != 0) continue;
    char *copy = strdup(path);
    if (!copy) {
      free(k);
      return um_fail(err, UM_ENOMEM, "no memory for %d files", s->files);
    }
    free(item->path);
    item->path = copy;
    moved = true;
  }
  free(k);
  return moved ? set_entries_merge(e, err) : UM_OK;
}

static int take_videos(set_scan *s, set_entries *e, um_error *err) {
  char stem[NAME_MAX + 1];
  int r = UM_OK;
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    if (f->ending != UM_ENDING_VIDEO) continue;
    set_entry *item = set_entries_find(e, f->path);
    um_source *source =
        set_take(s, f, item ? item->label : -1, item ? "the metadata does not say whether it is fake" : "not in the metadata", err);
    if (!source) return UM_ENOMEM;
    set_stem(stem, sizeof stem, f->path);
    char *group = um_footage_group(stem, stem), *from = item && item->original ? um_footage_group(item->original, item->original) : NULL;
    if (item) item->there = true;
    const char *part = item && item->part ? item->part : set_part_of_path(f->path);
    if (!group || (!from && item && item->original))
      r = um_fail(err, UM_ENOMEM, "no memory for the group of a video");
    else if ((r = set_name(source, err, "%s%s", strncmp(stem, "dfdc_", 5) ? "dfdc_" : "", stem)) == UM_OK &&
             (r = set_group(source, err, "%s", group)) == UM_OK &&
             (r = set_describe(source, source->label == 0 ? "dfdc" : "", "", part, err)) == UM_OK && from)
      r = set_tie_groups(s, group, from, err); /* and should the original have an original, so has this one */
    free(from);
    free(group);
  }
  for (int i = 0; r == UM_OK && i < e->count; i++)
    if (!e->item[i].there) r = set_note(s, UM_SET_MISSING, e->item[i].path, "named in the metadata", err);
  return r;
}

static int read(set_scan *s, um_error *err) {
  set_entries e = {0};
  int r = UM_OK, files = 0;
  char a[200], path[PATH_MAX];
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    const bool json = is_metadata(set_base(f->path));
    if (!json && !is_list(set_base(f->path))) continue;
    f->seen = true;
    files++;
    if ((r = um_path_join(path, sizeof path, s->dir, f->path, err)) == UM_OK)
      r = json ? set_entries_json(&e, path, f->path, err) : set_entries_csv(&e, path, f->path, err);
  }
  if (r == UM_OK && !files)
    r = um_fail(err, UM_EFORMAT, "%s: expected metadata.json or labels.csv in it or below it, as DFDC has them",
                set_shown(a, sizeof a, s->dir));
  if (r == UM_OK && (r = set_entries_merge(&e, err)) == UM_OK && (r = look_below(s, &e, err)) == UM_OK) r = take_videos(s, &e, err);
  set_entries_free(&e);
  return r;
}

const set_layout set_dfdc = {.kind = "dfdc", .recognize = recognize, .read = read};
