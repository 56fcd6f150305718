/* DeeperForensics-1.0 (Jiang et al. 2020): manipulated_videos/VARIANT/NNN_MNNN.mp4, the face of actor MNNN (or WNNN) on video NNN of
 * FaceForensics++; VARIANT is end_to_end, reenact_postprocess, or end_to_end_ and a distortion (level_1 to level_5, random_level,
 * mix_2_distortions to mix_4_distortions). lists/splits/{train,val,test}.txt name fakes; lists/manipulated_videos_lists/ name all of them.
 *
 * Real videos are not part of it: they are those of FaceForensics++, read along where original_sequences/youtube/c23 (or a link to it) lies
 * in the folder, or a folder target_videos with them. source_videos/MNNN/... show the actors; its makers say that they are not its real
 * part, and they are taken only where the options ask for them.
 *
 * Groups: the actor, as its makers ask for, tied with every video that the actor's face was put on, which comes to one group an actor. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/sets/scan.h"

static const char *recognize(const char *dir, char *const *top, int tops) {
  (void)dir;
  for (int i = 0; i < tops; i++) {
    if (strncasecmp(top[i], "manipulated_videos", 18) == 0) return "manipulated_videos";
    if (strncasecmp(top[i], "source_videos", 13) == 0) return "source_videos";
  }
  return NULL;
}

static const char *skip(const set_scan *s, const char *path) {
  if (!strchr(path, '/') && strncasecmp(path, "source_videos", 13) == 0 && !s->o->sources)
    return "videos of the actors, which the makers do not mean as the real part";
  return NULL;
}

/* "123" or "M101" and "W101". */
static bool is_target(const char *p) {
  return isdigit((unsigned char)p[0]) && isdigit((unsigned char)p[1]) && isdigit((unsigned char)p[2]);
}
static bool is_actor(const char *p) { return *p && strchr("MWmw", *p) && is_target(p + 1); }
static bool is_fake(const char *stem) { return strlen(stem) == 8 && is_target(stem) && stem[3] == '_' && is_actor(stem + 4); }

static void variant_of(const char *folder, const char **method, const char **quality) {
  *method = folder, *quality = "raw";
  if (strncasecmp(folder, "end_to_end_", 11) == 0 && folder[11]) *method = "end_to_end", *quality = folder + 11;
}

/* ---- lists ---- */

/* A line of a list: a fake as "VARIANT/NNN_MNNN" or, of the splits, "NNN_MNNN". */
typedef struct line {
  char *key;
  const char *part; /* NULL: of a list of all */
} line;

typedef struct lines {
  line *item;
  int count;
  const char *part, *variant; /* of the list that is being read */
  size_t variant_length;
  const char *shown;
} lines;

static int on_line(void *arg, char *text, long number, um_error *err) {
  lines *l = arg;
  char stem[NAME_MAX + 1], b[100], *key = NULL;
  if (set_leads_out(text) || strlen(set_base(text)) > NAME_MAX)
    return um_fail(err, UM_EFORMAT, "%s: line %ld: \"%s\": expected a manipulated video such as 000_M101.mp4", l->shown, number,
                   set_shown(b, sizeof b, text));
  set_stem(stem, sizeof stem, text);
  if (!is_fake(stem))
    return um_fail(err, UM_EFORMAT, "%s: line %ld: expected a manipulated video such as 000_M101.mp4, got \"%s\"", l->shown, number,
                   set_shown(b, sizeof b, text));
  if ((l->count & (l->count - 1)) == 0) {
    line *grown = l->count < INT_MAX / 2 ? realloc(l->item, (l->count ? 2 * (size_t)l->count : 1) * sizeof *grown) : NULL;
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for a list of %d videos", l->count);
    l->item = grown;
  }
  const int n = l->part ? asprintf(&key, "%s", stem) : asprintf(&key, "%.*s/%s", (int)l->variant_length, l->variant, stem);
  if (n < 0) return um_fail(err, UM_ENOMEM, "no memory for a list of %d videos", l->count);
  l->item[l->count++] = (line){key, l->part};
  return UM_OK;
}

static int by_key(const void *a, const void *b) { return strcmp(((const line *)a)->key, ((const line *)b)->key); }

/* lists/splits/train.txt and the like into `split`, manipulated_videos_VARIANT_list.txt into `all`. */
static int read_lists(lines *split, lines *all, set_scan *s, um_error *err) {
  static const char head[] = "manipulated_videos_", tail[] = "_list.txt";
  char shown[200];
  int r = UM_OK;
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    const char *base = set_base(f->path), *dot = strrchr(base, '.');
    const size_t n = strlen(base);
    if (!dot || strcasecmp(dot, ".txt") != 0) continue;
    char stem[NAME_MAX + 1];
    set_stem(stem, sizeof stem, base);
    set_shown(shown, sizeof shown, f->path);
    if (strcasecmp(stem, "train") == 0 || strcasecmp(stem, "val") == 0 || strcasecmp(stem, "test") == 0) {
      split->part = set_part(stem), split->shown = shown;
      f->seen = true;
      r = set_lines(s, f->path, on_line, split, err);
    } else if (n > sizeof head - 1 + sizeof tail - 1 && strncasecmp(base, head, sizeof head - 1) == 0 &&
               strcasecmp(base + n - (sizeof tail - 1), tail) == 0) {
      all->variant = base + sizeof head - 1, all->variant_length = n - (sizeof head - 1) - (sizeof tail - 1), all->shown = shown;
      f->seen = true;
      r = set_lines(s, f->path, on_line, all, err);
    } else if (strstr(f->path, "lists/") || strstr(base, "_list.txt") || strstr(base, "_meta.txt")) {
      r = set_ignore(s, f, "a list that tells nothing about label, group or part", err);
    }
  }
  split->shown = all->shown = NULL;
  if (r == UM_OK && split->count) qsort(split->item, (size_t)split->count, sizeof *split->item, by_key);
  if (r == UM_OK && all->count) qsort(all->item, (size_t)all->count, sizeof *all->item, by_key);
  for (int i = 1; r == UM_OK && i < split->count; i++)
    if (strcmp(split->item[i].key, split->item[i - 1].key) == 0 && strcmp(split->item[i].part, split->item[i - 1].part) != 0)
      r = um_fail(err, UM_EFORMAT, "lists/splits: %s is in %s.txt and in %s.txt; expected it in one of them", split->item[i].key,
                  split->item[i - 1].part, split->item[i].part);
  return r;
}

static void lines_free(lines *l) {
  for (int i = 0; i < l->count; i++) free(l->item[i].key);
  free(l->item);
}

static const char *part_of(const lines *split, const char *stem) {
  const line *hit =
      split->count ? bsearch(&(line){.key = (char *)stem}, split->item, (size_t)split->count, sizeof *split->item, by_key) : NULL;
  return hit ? hit->part : "";
}

/* ---- videos ---- */

static void capital(char *actor) { *actor = (char)toupper((unsigned char)*actor); }

static int take_fake(set_scan *s, set_file *f, const char *variant, const lines *split, um_error *err) {
  char stem[NAME_MAX + 1], target[32], actor[32];
  const char *method, *quality;
  set_stem(stem, sizeof stem, f->path);
  um_source *item = set_take(s, f, 0, "", err);
  if (!item) return UM_ENOMEM;
  variant_of(variant, &method, &quality);
  int r = set_name(item, err, "deeperforensics_%s_%s", variant, stem);
  if (r == UM_OK) r = set_describe(item, method, quality, part_of(split, stem), err);
  if (r == UM_OK && !is_fake(stem)) {
    r = set_note(s, UM_SET_WARNING, f->path, "a name that does not tell its footage: taken as a group of its own", err);
    return r == UM_OK ? set_group(item, err, "%s", item->name) : r;
  }
  if (r < 0) return r;
  capital(stem + 4);
  snprintf(target, sizeof target, "deeperforensics_%.3s", stem);
  snprintf(actor, sizeof actor, "deeperforensics_%.4s", stem + 4);
  return (r = set_group(item, err, "%s", actor)) == UM_OK ? set_tie_groups(s, target, actor, err) : r;
}

/* A video of FaceForensics++: its part is that of the fakes made of it. */
static int take_real(set_scan *s, set_file *f, const char *const part[1000], um_error *err) {
  char stem[NAME_MAX + 1];
  set_stem(stem, sizeof stem, f->path);
  if (strlen(stem) != 3 || !is_target(stem)) return set_ignore(s, f, "not a video of FaceForensics++ (000.mp4 to 999.mp4)", err);
  um_source *item = set_take(s, f, 1, "", err);
  if (!item) return UM_ENOMEM;
  int r = set_name(item, err, "deeperforensics_target_%s", stem);
  if (r == UM_OK) r = set_describe(item, "", "raw", part[atoi(stem)] ? part[atoi(stem)] : "", err);
  return r == UM_OK ? set_group(item, err, "deeperforensics_%s", stem) : r;
}

static int take_actor(set_scan *s, set_file *f, const char *folder, um_error *err) {
  char stem[NAME_MAX + 1], actor[5];
  if (strlen(folder) != 4 || !is_actor(folder)) return set_ignore(s, f, "not in the folder of an actor (M004, W101)", err);
  set_stem(stem, sizeof stem, f->path);
  snprintf(actor, sizeof actor, "%s", folder);
  capital(actor);
  um_source *item = set_take(s, f, 1, "", err);
  if (!item) return UM_ENOMEM;
  int r = set_name(item, err, "deeperforensics_%s", stem);
  if (r == UM_OK) r = set_describe(item, "", "raw", "", err);
  return r == UM_OK ? set_group(item, err, "deeperforensics_%s", actor) : r;
}

/* Whether the options want what a line of a list names. */
static bool line_wanted(const set_scan *s, const line *l, const lines *split) {
  char variant[NAME_MAX + 1];
  const char *slash = strchr(l->key, '/'), *method, *quality;
  if (!slash) return set_listed(s->o->part, l->part);
  snprintf(variant, sizeof variant, "%.*s", (int)(slash - l->key), l->key);
  variant_of(variant, &method, &quality);
  return set_wanted(s, 0, method, quality, part_of(split, slash + 1));
}

static int note_missing(set_scan *s, const lines *all, const lines *split, um_error *err) {
  char **there = calloc((size_t)s->files + 1, sizeof *there), room[PATH_MAX], *part[SET_DEPTH_MAX + 2], stem[NAME_MAX + 1];
  line *have = calloc((size_t)s->files * 2 + 1, sizeof *have);
  int n = 0, r = there && have ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %d files", s->files);
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    if (strncasecmp(s->file[i].path, "manipulated_videos", 18) != 0 || s->file[i].ending != UM_ENDING_VIDEO) continue;
    const int parts = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, s->file[i].path);
    set_stem(stem, sizeof stem, s->file[i].path);
    if (parts < 3) continue;
    if (asprintf(&there[i], "%s/%s", part[1], stem) < 0) {
      there[i] = NULL;
      r = um_fail(err, UM_ENOMEM, "no memory for %d files", s->files);
      break;
    }
    have[n++].key = there[i];
    have[n++].key = strchr(there[i], '/') + 1;
  }
  if (r == UM_OK && n) qsort(have, (size_t)n, sizeof *have, by_key);
  for (int k = 0; k < 2; k++) {
    const lines *l = k ? split : all;
    const char *why = k ? "named in lists/splits" : "named in lists/manipulated_videos_lists";
    for (int i = 0; r == UM_OK && i < l->count; i++) {
      char path[PATH_MAX];
      if ((i && strcmp(l->item[i].key, l->item[i - 1].key) == 0) || (n && bsearch(&l->item[i], have, (size_t)n, sizeof *have, by_key)))
        continue;
      /* The splits name no variant: all are made from end_to_end. */
      snprintf(path, sizeof path, "manipulated_videos/%s%s.mp4", k ? "end_to_end/" : "", l->item[i].key);
      if (line_wanted(s, &l->item[i], split)) r = set_note(s, UM_SET_MISSING, path, why, err);
    }
  }
  for (int i = 0; there && i < s->files; i++) free(there[i]);
  free(there);
  free(have);
  return r;
}

static int read(set_scan *s, um_error *err) {
  char room[PATH_MAX], *part[SET_DEPTH_MAX + 2], shown[200];
  const char *target_part[1000] = {NULL};
  lines split = {0}, all = {0};
  int r = read_lists(&split, &all, s, err);
  for (int i = 0; r == UM_OK && i < split.count; i++) {
    const char **at = &target_part[atoi(split.item[i].key)];
    *at = *at && strcmp(*at, split.item[i].part) != 0 ? "" : split.item[i].part;
  }
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    if (f->ending != UM_ENDING_VIDEO) continue;
    const int n = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, f->path);
    if (n >= 3 && strncasecmp(part[0], "manipulated_videos", 18) == 0)
      r = take_fake(s, f, part[1], &split, err);
    else if (n >= 2 && (strcasecmp(part[0], "target_videos") == 0 || strcasecmp(part[0], "original_sequences") == 0))
      r = take_real(s, f, target_part, err);
    else if (n >= 3 && strncasecmp(part[0], "source_videos", 13) == 0)
      r = take_actor(s, f, part[1], err);
  }
  if (r == UM_OK && s->out->count == 0)
    r = um_fail(err, UM_EFORMAT, "%s: expected videos in manipulated_videos/end_to_end and the like, found none",
                set_shown(shown, sizeof shown, s->dir));
  if (r == UM_OK) r = note_missing(s, &all, &split, err);
  lines_free(&split);
  lines_free(&all);
  return r;
}

const set_layout set_deeperforensics = {.kind = "deeperforensics", .recognize = recognize, .skip = skip, .read = read};
