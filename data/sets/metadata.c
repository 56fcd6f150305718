#include "data/sets/metadata.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "data/csv.h"
#include "data/sets/scan.h"

/* Appends what `file` says of `name`. */
static int add(set_entries *e, const char *file, const char *name, int label, const char *original, const char *part, um_error *err) {
  char path[PATH_MAX], stem[NAME_MAX + 1], a[200], b[100];
  const char *wrong = set_leads_out(name);
  if (wrong)
    return um_fail(err, UM_EFORMAT, "%s: a video's name %s: \"%s\"; expected a file in the metadata's folder", set_shown(a, sizeof a, file),
                   wrong, set_shown(b, sizeof b, name));
  const int n = snprintf(path, sizeof path, "%.*s%s", (int)(set_base(file) - file), file, name);
  if (n < 0 || n >= (int)sizeof path || strlen(set_base(name)) > NAME_MAX)
    return um_fail(err, UM_EFORMAT, "%s: \"%s\": the name is too long", set_shown(a, sizeof a, file), set_shown(b, sizeof b, name));
  if ((e->count & (e->count - 1)) == 0) {
    set_entry *grown = e->count < INT_MAX / 2 ? realloc(e->item, (e->count ? 2 * (size_t)e->count : 1) * sizeof *grown) : NULL;
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for %d names", e->count);
    e->item = grown;
  }
  set_entry *item = &e->item[e->count++];
  *item = (set_entry){.path = strdup(path), .label = label, .part = part, .file = file};
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

int set_entries_json(set_entries *e, const char *path, const char *file, um_error *err) {
  char *text = NULL, a[200], b[100];
  cJSON *root = NULL;
  int r = um_file_read(&text, NULL, path, SET_JSON_MAX, err);
  if (r == UM_OK && (!(root = cJSON_ParseWithOpts(text, NULL, true)) || !cJSON_IsObject(root)))
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

int set_entries_csv(set_entries *e, const char *path, const char *file, um_error *err) {
  char a[200], b[60];
  um_csv *csv = NULL;
  const char *const *field;
  int r = um_csv_open(&csv, path, err);
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
  const set_entry *a = pa, *b = pb;
  const int order = strcmp(a->path, b->path);
  return order ? order : strcmp(a->file, b->file);
}

static int by_path_key(const void *key, const void *b) { return strcmp(key, ((const set_entry *)b)->path); }

set_entry *set_entries_find(const set_entries *e, const char *path) {
  return e->count ? bsearch(path, e->item, (size_t)e->count, sizeof *e->item, by_path_key) : NULL;
}

int set_entries_merge(set_entries *e, um_error *err) {
  int n = 0, r = UM_OK;
  char a[200], b[200];
  if (e->count) qsort(e->item, (size_t)e->count, sizeof *e->item, by_path);
  for (int i = 0; i < e->count; i++) {
    set_entry *last = n ? &e->item[n - 1] : NULL, *item = &e->item[i];
    if (!last || strcmp(last->path, item->path) != 0) {
      e->item[n++] = *item;
      continue;
    }
    if (r == UM_OK && last->label >= 0 && item->label >= 0 && last->label != item->label)
      r = um_fail(err, UM_EFORMAT, "%s: %s: fake in one place and real in another", set_shown(a, sizeof a, item->file),
                  set_shown(b, sizeof b, item->path));
    if (r == UM_OK && last->original && item->original && strcmp(last->original, item->original) != 0)
      r = um_fail(err, UM_EFORMAT, "%s: %s: made from %.60s in one place and from %.60s in another", set_shown(a, sizeof a, item->file),
                  set_shown(b, sizeof b, item->path), last->original, item->original);
    if (last->label < 0) last->label = item->label;
    if (!last->part) last->part = item->part;
    if (!last->original) last->original = item->original, item->original = NULL;
    free(item->original);
    free(item->path);
  }
  e->count = n;
  return r;
}

void set_entries_free(set_entries *e) {
  for (int i = 0; i < e->count; i++) {
    free(e->item[i].path);
    free(e->item[i].original);
  }
  free(e->item);
  *e = (set_entries){0};
}
