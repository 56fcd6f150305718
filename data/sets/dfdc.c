/* DFDC (Dolhansky et al. 2020): parts dfdc_train_part_N with a metadata.json beside the videos, {"a.mp4": {"label": "FAKE", "split": "train",
 * "original": "b.mp4"}, ...}; sets for validation and test with a labels.csv (filename,label; 1 is fake) or a metadata.json that has
 * "is_fake". Any number of them in any folders; the group is the original. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "data/csv.h"
#include "data/sets/footage.h"
#include "data/sets/scan.h"

/* A video as the metadata names it. */
typedef struct entry {
  char *path;     /* the metadata's folder and the name in it */
  char *original; /* its name without ending; NULL */
  int label;
  const char *part, *file; /* file: the metadata, borrowed from the tree */
  bool there;
} entry;

typedef struct entries {
  entry *item;
  int count;
} entries;

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
    if (is_list(name[i]) && begins_with(path, "filename,", ",filename")) return "labels.csv";
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

/* Appends what `file` (a path in the tree) says of `name`. */
static int add(entries *e, const char *file, const char *name, int label, const char *original, const char *part, um_error *err) {
  char path[PATH_MAX], stem[NAME_MAX + 1], a[200], b[100];
  const char *wrong = set_leads_out(name);
  if (wrong)
    return um_fail(err, UM_EFORMAT, "%s: a video's name %s: \"%s\"; expected a file in the metadata's folder", set_shown(a, sizeof a, file),
                   wrong, set_shown(b, sizeof b, name));
  const int n = snprintf(path, sizeof path, "%.*s%s", (int)(set_base(file) - file), file, name);
  if (n < 0 || n >= (int)sizeof path || strlen(set_base(name)) > NAME_MAX)
    return um_fail(err, UM_EFORMAT, "%s: \"%s\": the name is too long", set_shown(a, sizeof a, file), set_shown(b, sizeof b, name));
  if ((e->count & (e->count - 1)) == 0) {
    entry *grown = e->count < INT_MAX / 2 ? realloc(e->item, (e->count ? 2 * (size_t)e->count : 1) * sizeof *grown) : NULL;
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for %d names", e->count);
    e->item = grown;
  }
  entry *item = &e->item[e->count++];
  *item = (entry){.path = strdup(path), .label = label, .part = part, .file = file};
  if (original && *original) {
    set_stem(stem, sizeof stem, original);
    item->original = strdup(stem);
  }
  return item->path && (item->original || !original || !*original) ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %d names", e->count);
}

/* 0 fake, 1 real, -1 nothing said, -2 something that is neither. */
static int label_of(const cJSON *v) {
  const cJSON *label = cJSON_GetObjectItemCaseSensitive(v, "label"), *fake = cJSON_GetObjectItemCaseSensitive(v, "is_fake");
  if (cJSON_IsString(label)) return um_label_parse(label->valuestring) >= 0 ? um_label_parse(label->valuestring) : -2;
  if (label && !cJSON_IsNull(label)) return -2;
  if (cJSON_IsBool(fake)) return cJSON_IsTrue(fake) ? 0 : 1;
  if (cJSON_IsNumber(fake)) return fake->valuedouble == 1 ? 0 : fake->valuedouble == 0 ? 1 : -2;
  return fake && !cJSON_IsNull(fake) ? -2 : -1;
}

static int read_json(entries *e, set_scan *s, const char *file, um_error *err) {
  char path[PATH_MAX], *text = NULL, a[200], b[100];
  cJSON *root = NULL;
  int r = um_path_join(path, sizeof path, s->dir, file, err);
  if (r == UM_OK) r = um_file_read(&text, NULL, path, SET_JSON_MAX, err);
  if (r == UM_OK && (!(root = cJSON_Parse(text)) || !cJSON_IsObject(root)))
    r = um_fail(err, UM_EFORMAT, "%s: expected metadata.json in DFDC's format, {\"a.mp4\": {\"label\": \"FAKE\", ...}, ...}",
                set_shown(a, sizeof a, path));
  for (const cJSON *c = root ? root->child : NULL; r == UM_OK && c; c = c->next) {
    const cJSON *original = cJSON_GetObjectItemCaseSensitive(c, "original"), *split = cJSON_GetObjectItemCaseSensitive(c, "split");
    const int label = label_of(c);
    set_shown(a, sizeof a, path);
    set_shown(b, sizeof b, c->string);
    if (!cJSON_IsObject(c))
      r = um_fail(err, UM_EFORMAT, "%s: %s: expected an object, {\"label\": \"FAKE\", ...}", a, b);
    else if (label == -2)
      r = um_fail(err, UM_EFORMAT, "%s: %s: label: expected \"FAKE\" or \"REAL\" (or is_fake: 1 or 0)", a, b);
    else if (original && !cJSON_IsNull(original) && (!cJSON_IsString(original) || strlen(set_base(original->valuestring)) > NAME_MAX))
      r = um_fail(err, UM_EFORMAT, "%s: %s: original: expected a video's name", a, b);
    else
      r = add(e, file, c->string, label, cJSON_IsString(original) ? original->valuestring : NULL,
              cJSON_IsString(split) ? set_part(split->valuestring) : NULL, err);
  }
  cJSON_Delete(root);
  free(text);
  return r;
}

static int read_csv(entries *e, set_scan *s, const char *file, um_error *err) {
  char path[PATH_MAX], a[200], b[60];
  um_csv *csv = NULL;
  const char *const *field;
  int r = um_path_join(path, sizeof path, s->dir, file, err);
  if (r == UM_OK) r = um_csv_open(&csv, path, err);
  if (r < 0) return r;
  const int name = um_csv_column(csv, "filename"), label = um_csv_column(csv, "label");
  if (name < 0 || label < 0)
    r = um_fail(err, UM_EFORMAT, "%s: expected the columns filename and label, got no %s", set_shown(a, sizeof a, path),
                name < 0 ? "filename" : "label");
  while (r == UM_OK && (r = um_csv_next(csv, &field, err)) > 0) {
    const char *v = field[label];
    const int value = strcmp(v, "1") == 0 ? 0 : strcmp(v, "0") == 0 ? 1 : um_label_parse(v);
    if (value < 0)
      r = um_fail(err, UM_EFORMAT, "%s: line %ld: label: expected 1 or FAKE, 0 or REAL, got \"%s\"", set_shown(a, sizeof a, path),
                  um_csv_line(csv), set_shown(b, sizeof b, v));
    else
      r = add(e, file, field[name], value, NULL, NULL, err);
  }
  um_csv_close(csv);
  return r;
}

static int by_path(const void *pa, const void *pb) {
  const entry *a = pa, *b = pb;
  const int order = strcmp(a->path, b->path);
  return order ? order : strcmp(a->file, b->file);
}

static int by_path_key(const void *key, const void *b) { return strcmp(key, ((const entry *)b)->path); }

/* Of entries for one video one is left, with what all of them say. */
static int merge(entries *e, um_error *err) {
  int n = 0, r = UM_OK;
  char a[200], b[200];
  if (e->count) qsort(e->item, (size_t)e->count, sizeof *e->item, by_path);
  for (int i = 0; i < e->count; i++) {
    entry *last = n ? &e->item[n - 1] : NULL, *item = &e->item[i];
    if (!last || strcmp(last->path, item->path) != 0) {
      e->item[n++] = *item;
      continue;
    }
    if (r == UM_OK && last->label >= 0 && item->label >= 0 && last->label != item->label)
      r = um_fail(err, UM_EFORMAT, "%s: %s: fake in one place and real in another", set_shown(a, sizeof a, item->file),
                  set_shown(b, sizeof b, item->path));
    if (last->label < 0) last->label = item->label;
    if (!last->part) last->part = item->part;
    if (!last->original) last->original = item->original, item->original = NULL;
    free(item->original);
    free(item->path);
  }
  e->count = n;
  return r;
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
static int look_below(set_scan *s, entries *e, um_error *err) {
  named *k = calloc((size_t)s->files + 1, sizeof *k);
  int n = 0;
  bool moved = false;
  if (!k) return um_fail(err, UM_ENOMEM, "no memory for %d files", s->files);
  for (int i = 0; i < s->files; i++)
    if (s->file[i].ending == UM_ENDING_VIDEO && !bsearch(s->file[i].path, e->item, (size_t)e->count, sizeof *e->item, by_path_key))
      k[n++] = (named){set_base(s->file[i].path), i};
  qsort(k, (size_t)n, sizeof *k, by_name);
  for (int i = 0; i < e->count; i++) {
    entry *item = &e->item[i];
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
  return moved ? merge(e, err) : UM_OK;
}

static int take_videos(set_scan *s, entries *e, um_error *err) {
  char stem[NAME_MAX + 1];
  int r = UM_OK;
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    if (f->ending != UM_ENDING_VIDEO) continue;
    entry *item = e->count ? bsearch(f->path, e->item, (size_t)e->count, sizeof *e->item, by_path_key) : NULL;
    um_source *source =
        set_take(s, f, item ? item->label : -1, item ? "the metadata does not say whether it is fake" : "not in the metadata", err);
    if (!source) return UM_ENOMEM;
    set_stem(stem, sizeof stem, f->path);
    char *group = um_footage_group(item && item->original ? item->original : stem, item && item->original ? item->original : stem);
    if (!group) return um_fail(err, UM_ENOMEM, "no memory for the group of a video");
    if (item) item->there = true;
    const char *part = item && item->part ? item->part : set_part_of_path(f->path);
    if ((r = set_name(source, err, "%s%s", strncmp(stem, "dfdc_", 5) ? "dfdc_" : "", stem)) == UM_OK &&
        (r = set_group(source, err, "%s", group)) == UM_OK)
      r = set_describe(source, source->label == 0 ? "dfdc" : "", "", part, err);
    free(group);
  }
  for (int i = 0; r == UM_OK && i < e->count; i++)
    if (!e->item[i].there) r = set_note(s, UM_SET_MISSING, e->item[i].path, "named in the metadata", err);
  return r;
}

static int read(set_scan *s, um_error *err) {
  entries e = {0};
  int r = UM_OK, files = 0;
  char a[200];
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    const bool json = is_metadata(set_base(f->path));
    if (!json && !is_list(set_base(f->path))) continue;
    f->seen = true;
    files++;
    r = json ? read_json(&e, s, f->path, err) : read_csv(&e, s, f->path, err);
  }
  if (r == UM_OK && !files)
    r = um_fail(err, UM_EFORMAT, "%s: expected metadata.json or labels.csv in it or below it, as DFDC has them",
                set_shown(a, sizeof a, s->dir));
  if (r == UM_OK && (r = merge(&e, err)) == UM_OK && (r = look_below(s, &e, err)) == UM_OK) r = take_videos(s, &e, err);
  for (int i = 0; i < e.count; i++) {
    free(e.item[i].path);
    free(e.item[i].original);
  }
  free(e.item);
  return r;
}

const set_layout set_dfdc = {.kind = "dfdc", .recognize = recognize, .read = read};
