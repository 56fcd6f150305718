/* Folders called fake and real, of videos or pictures, anywhere below the folder that is given; above or between them may lie folders of
 * methods and parts: fake/Deepfakes/000_003.mp4, train/real/000/0001.png. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "data/sets/footage.h"
#include "data/sets/scan.h"

static bool has_label(char *const *name, int names) {
  for (int i = 0; i < names; i++)
    if (um_label_parse(name[i]) >= 0) return true;
  return false;
}

static const char *recognize(const char *dir, char *const *top, int tops) {
  bool found = has_label(top, tops);
  for (int i = 0; i < tops && !found; i++) {
    char path[PATH_MAX], **name;
    int n;
    if (!set_part(top[i]) || um_path_join(path, sizeof path, dir, top[i], NULL) < 0 || set_names(&name, &n, path, NULL) < 0) continue;
    found = has_label(name, n);
    set_names_free(name, n);
  }
  return found ? "a folder called fake or real" : NULL;
}

/* Sources that share their way below the fake and the real folder are taken for the same footage: fake/trip/a.mp4 and real/trip/a.mp4. Of
 * pictures in folders, a folder is taken for one clip. */
static int name_and_group(um_source *item, char **part, int label_at, int parts, bool clip, um_error *err) {
  char group[PATH_MAX] = "", stem[NAME_MAX + 1], text[16];
  int target, source;
  set_stem(stem, sizeof stem, part[parts - 1]);
  const char *last = clip ? part[parts - 2] : stem;
  for (int i = label_at + 1; i < parts - 1; i++) {
    const size_t n = strlen(group);
    snprintf(group + n, sizeof group - n, "%s%s", n ? "/" : "", part[i]);
  }
  const size_t n = strlen(group);
  if (!clip) snprintf(group + n, sizeof group - n, "%s%s", n ? "/" : "", stem);
  if (um_ffpp_name(last, &target, &source)) {
    um_ffpp_group(text, target);
    snprintf(group, sizeof group, "%s", text);
  }
  int r = set_group(item, err, "%s", group);
  if (r == UM_OK && clip) r = set_name(item, err, "%s_%s", last, stem);
  return r;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* A folder below fake may be a method, and a name may end in "fake": fake/Deepfakes/trip and fake/trip_fake belong to real/trip where there is
 * such a one. */
static int tie_methods(set_scan *s, um_error *err) {
  const char **real = calloc((size_t)s->out->count + 1, sizeof *real);
  int n_real = 0, r = UM_OK;
  if (!real) return um_fail(err, UM_ENOMEM, "no memory for the groups of %d files", s->out->count);
  for (int i = 0; i < s->out->count; i++)
    if (s->out->item[i].label == 1) real[n_real++] = s->out->item[i].group;
  if (n_real) qsort(real, (size_t)n_real, sizeof *real, by_text);
  for (int i = 0; r == UM_OK && n_real && i < s->out->count; i++) {
    const um_source *item = &s->out->item[i];
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s", item->group);
    const size_t n = strlen(name);
    const char *slash = strchr(name, '/'), *rest[2] = {slash ? slash + 1 : name, name};
    if (n > 5 && strcasecmp(name + n - 4, "fake") == 0 && strchr("_-", name[n - 5])) name[n - 5] = 0;
    for (int k = 0; r == UM_OK && item->label == 0 && k < 2; k++)
      if (strcmp(rest[k], item->group) != 0 && bsearch(&rest[k], real, (size_t)n_real, sizeof *real, by_text))
        r = set_tie_groups(s, item->group, rest[k], err);
  }
  free(real);
  return r;
}

static int read(set_scan *s, um_error *err) {
  char room[PATH_MAX], *part[SET_DEPTH_MAX + 2], shown[256];
  int labelled = 0, r = UM_OK;
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    const int n = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, f->path);
    int at = n - 2;
    if (n < 0 || f->ending == UM_ENDING_OTHER) continue;
    while (at >= 0 && um_label_parse(part[at]) < 0) at--;
    const int label = at >= 0 ? um_label_parse(part[at]) : -1;
    um_source *item = set_take(s, f, label, "no folder called fake or real above it", err);
    if (!item) return UM_ENOMEM;
    if (at < 0) continue;
    const bool clip = f->ending == UM_ENDING_PICTURE && at < n - 2;
    const char *method = label == 1 ? "" : at + (clip ? 2 : 1) < n - 1 && !set_part(part[at + 1]) ? part[at + 1] : "unknown";
    if ((r = set_describe(item, method, "", set_part_of_path(f->path), err)) == UM_OK) r = name_and_group(item, part, at, n, clip, err);
    labelled++;
  }
  if (r == UM_OK) r = tie_methods(s, err);
  if (r == UM_OK && !labelled)
    r = um_fail(err, UM_EFORMAT, "%s: expected videos or pictures in folders called fake and real, found none",
                set_shown(shown, sizeof shown, s->dir));
  return r;
}

const set_layout set_folders = {.kind = "folders", .recognize = recognize, .read = read};
