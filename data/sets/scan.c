/* Which dataset it is, and what all of them have in common: choosing, doubles, groups, names, what is left over. */
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "data/sets/scan.h"

static const set_layout *const layout[] = {&set_dfdc, &set_ffpp, &set_celebdf, &set_deeperforensics, &set_uadfv, &set_folders, &set_csv};
enum { LAYOUTS = sizeof layout / sizeof *layout };

const char *const um_set_kind[] = {"dfdc", "ffpp", "celebdf", "deeperforensics", "uadfv", "folders", "csv", NULL};

/* ---- what readers call ---- */

int set_note(set_scan *s, um_set_fate fate, const char *what, const char *why, um_error *err) {
  um_set_report *r = s->report;
  if ((r->notes & (r->notes - 1)) == 0) {
    um_set_note *grown = r->notes < INT_MAX / 2 ? realloc(r->note, (r->notes ? 2 * (size_t)r->notes : 1) * sizeof *grown) : NULL;
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for the notes on %d files", r->notes);
    r->note = grown;
  }
  r->note[r->notes] = (um_set_note){.fate = fate, .what = strdup(what), .why = why};
  if (!r->note[r->notes].what) return um_fail(err, UM_ENOMEM, "no memory for the notes on %d files", r->notes);
  r->notes++;
  r->count[fate]++;
  return UM_OK;
}

int set_ignore(set_scan *s, set_file *f, const char *why, um_error *err) {
  f->seen = true;
  return set_note(s, UM_SET_IGNORED, f->path, why, err);
}

um_source *set_take(set_scan *s, set_file *f, int label, const char *unlabelled_why, um_error *err) {
  char path[PATH_MAX];
  if (um_path_join(path, sizeof path, s->dir, f->path, err) < 0) return NULL;
  um_source *item = um_sources_add(s->out, path);
  if (!item || um_source_set(&item->dataset, s->report->kind) < 0) {
    um_fail(err, UM_ENOMEM, "no memory for %d sources", s->out->count);
    return NULL;
  }
  f->seen = true;
  item->label = label;
  return label < 0 && set_note(s, UM_SET_UNLABELLED, f->path, unlabelled_why, err) < 0 ? NULL : item;
}

int set_describe(um_source *item, const char *method, const char *quality, const char *part, um_error *err) {
  if (um_source_set(&item->method, method) < 0 || um_source_set(&item->quality, quality) < 0 || um_source_set(&item->part, part) < 0)
    return um_fail(err, UM_ENOMEM, "no memory for a source");
  return UM_OK;
}

static int set_text(char **field, um_error *err, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
static int set_text(char **field, um_error *err, const char *format, va_list args) {
  char *text = NULL;
  if (vasprintf(&text, format, args) < 0) return um_fail(err, UM_ENOMEM, "no memory for a source");
  free(*field);
  *field = text;
  return UM_OK;
}

int set_name(um_source *item, um_error *err, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const int r = set_text(&item->name, err, format, args);
  va_end(args);
  return r;
}

int set_group(um_source *item, um_error *err, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const int r = set_text(&item->group, err, format, args);
  va_end(args);
  return r;
}

/* ---- after the reader ---- */

/* The path that notes speak of: from the dataset's folder. */
static const char *relative(const set_scan *s, const char *path) {
  size_t n = strlen(s->dir);
  if (strncmp(path, s->dir, n) != 0) return path;
  while (path[n] == '/') n++;
  return path + n;
}

bool set_wanted(const set_scan *s, int label, const char *method, const char *quality, const char *part) {
  return set_listed(s->o->quality, quality) && set_listed(s->o->part, part) && (label == 1 || set_listed(s->o->method, method));
}

/* A word of an option that no source has is a slip of the pen. `at` is the field's place in a source. */
static int check_words(const set_scan *s, const char *option, const char *list, size_t at, bool fakes, um_error *err) {
  enum { SHOWN = 12 };
  const char *there[SHOWN];
  char words[512] = "", b[64];
  int known = 0;
  for (int i = 0; list && i < s->out->count; i++) {
    const um_source *item = &s->out->item[i];
    const char *value = *(char *const *)((const char *)item + at);
    int k = 0;
    if (!*value || (fakes && item->label == 1)) continue;
    while (k < known && strcmp(there[k], value) != 0) k++;
    if (k < known || known == SHOWN) continue;
    there[known++] = value;
    const size_t n = strlen(words);
    snprintf(words + n, sizeof words - n, "%s%s", n ? ", " : "", set_shown(b, 32, value));
  }
  for (const char *word = list; word; word = strchr(word, ',') ? strchr(word, ',') + 1 : NULL) {
    const size_t n = strcspn(word, ",");
    bool found = false;
    for (int i = 0; i < s->out->count && !found; i++) {
      const um_source *item = &s->out->item[i];
      const char *value = *(char *const *)((const char *)item + at);
      found = !(fakes && item->label == 1) && strlen(value) == n && strncasecmp(value, word, n) == 0;
    }
    if (found) continue;
    snprintf(b, sizeof b, "%.*s", n < 40 ? (int)n : 40, word);
    return um_fail(err, UM_ECONFIG, "%s: nothing in this dataset is \"%s\"; there is %s", option, b,
                   *words ? words : "nothing to choose by");
  }
  return UM_OK;
}

static int by_path(const void *a, const void *b) { return strcmp(((const um_source *)a)->path, ((const um_source *)b)->path); }

/* The same file under two names: the first that is wanted stays. */
static int note_double(set_scan *s, const um_source *one, const um_source *other, um_error *err) {
  if (one->label == other->label)
    return set_note(s, UM_SET_IGNORED, relative(s, other->path), "the same file as another (a link to it, or named twice)", err);
  return set_note(s, UM_SET_WARNING, relative(s, other->path), "the same file as another, with another label: left out", err);
}

/* Takes out what the options do not want, then files that are there under two names. */
static int choose(set_scan *s, um_error *err) {
  um_sources *out = s->out;
  int kept = 0, r = UM_OK, *first = malloc(((size_t)out->count + 1) * sizeof *first);
  if (!first) return um_fail(err, UM_ENOMEM, "no memory for %d sources", out->count);
  if (out->count) qsort(out->item, (size_t)out->count, sizeof *out->item, by_path);
  const int all = out->count;
  for (int i = 0; i < all; i++) {
    um_source *item = &out->item[i];
    if (r == UM_OK && !set_wanted(s, item->label, item->method, item->quality, item->part)) {
      r = set_note(s, UM_SET_LEFT_OUT, relative(s, item->path), "not what was asked for", err);
      um_source_free(item);
    } else {
      out->item[kept++] = *item;
    }
  }
  out->count = kept;
  if (r == UM_OK) r = um_sources_same_files(first, out, err);
  for (int i = 0; r == UM_OK && i < out->count; i++)
    if (first[i] != i) r = note_double(s, &out->item[first[i]], &out->item[i], err);
  kept = 0;
  for (int i = 0, n = out->count; r == UM_OK && i < n; i++)
    if (first[i] == i)
      out->item[kept++] = out->item[i];
    else
      um_source_free(&out->item[i]);
  if (r == UM_OK) out->count = kept;
  free(first);
  return r;
}

static int note_leftovers(set_scan *s, um_error *err) {
  int r = UM_OK;
  for (int i = 0; r == UM_OK && i < s->files; i++)
    if (!s->file[i].seen)
      r = set_note(s, UM_SET_IGNORED, s->file[i].path,
                   s->file[i].ending == UM_ENDING_OTHER ? "neither a video nor a picture" : "has no place in this dataset", err);
  return r;
}

static int by_fate(const void *pa, const void *pb) {
  const um_set_note *a = pa, *b = pb;
  if (a->fate != b->fate) return (int)a->fate - (int)b->fate;
  const int order = strcmp(a->why, b->why);
  return order ? order : strcmp(a->what, b->what);
}

/* ---- which one it is ---- */

static int unknown_kind(const char *kind, um_error *err) {
  char names[256] = "";
  for (int i = 0; um_set_kind[i]; i++) {
    const size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", um_set_kind[i]);
  }
  return um_fail(err, UM_ECONFIG, "dataset: expected %s or auto, got \"%.60s\"", names, kind);
}

/* What in a folder tells which dataset it is, by layout; NULL: nothing. The folder's names are for the caller to free. */
static int look_into(const char *why[LAYOUTS], char ***top, int *tops, const char *dir, um_error *err) {
  const int r = set_names(top, tops, dir, err);
  for (int i = 0; i < LAYOUTS; i++) why[i] = r == UM_OK ? layout[i]->recognize(dir, *top, *tops) : NULL;
  for (int i = 0; i < LAYOUTS; i++)
    for (int k = 0; why[i] && k < LAYOUTS; k++)
      if (layout[i]->instead == layout[k]) why[k] = NULL;
  return r;
}

/* Nothing is known: but a folder further down may be it, as archives in folders of their own name come out. */
static int nothing_known(const set_scan *s, char *const *top, int tops, um_error *err) {
  char path[PATH_MAX], a[256], b[100];
  set_shown(a, sizeof a, s->dir);
  for (int i = 0; i < tops; i++) {
    const char *why[LAYOUTS];
    char **below;
    int n, k = 0;
    if (top[i][0] == '.' || um_path_join(path, sizeof path, s->dir, top[i], NULL) < 0 || !um_is_folder(path)) continue;
    if (look_into(why, &below, &n, path, NULL) < 0) continue;
    set_names_free(below, n);
    while (k < LAYOUTS && !why[k]) k++;
    if (k < LAYOUTS)
      return um_fail(err, UM_ECONFIG, "%s: no dataset lies right there, but %s in it looks like %s (%s); give that folder", a,
                     set_shown(b, sizeof b, top[i]), layout[k]->kind, why[k]);
  }
  return um_fail(err, UM_ECONFIG, "%s: no dataset that is known lies there; say which it is, or give the folder right above its own", a);
}

/* The layout that lies in dir. */
static int recognize(const set_layout **out, set_scan *s, um_error *err) {
  char **top = NULL, choices[512] = "", shown[256];
  const char *why[LAYOUTS];
  int tops = 0, found = 0;
  int r = look_into(why, &top, &tops, s->dir, err);
  *out = NULL;
  for (int i = 0; r == UM_OK && i < LAYOUTS; i++) {
    if (!why[i]) continue;
    const size_t n = strlen(choices);
    snprintf(choices + n, sizeof choices - n, "%s%s (%s)", n ? " or " : "", layout[i]->kind, why[i]);
    if (!found++ && !(s->report->because = strdup(why[i]))) r = um_fail(err, UM_ENOMEM, "no memory");
    *out = layout[i];
  }
  if (r == UM_OK && found > 1)
    r = um_fail(err, UM_ECONFIG, "%s: may be %s; say which", set_shown(shown, sizeof shown, s->dir), choices);
  else if (r == UM_OK && found == 0)
    r = nothing_known(s, top, tops, err);
  set_names_free(top, tops);
  return r;
}

/* A CSV instead of a folder: its folder into dir (malloc'd), its name into s->list. */
static int open_list(char **dir, set_scan *s, um_error *err) {
  const char *base = set_base(s->dir);
  const size_t n = (size_t)(base - s->dir);
  s->list = base;
  *dir = n == 0 ? strdup(".") : strndup(s->dir, n > 1 ? n - 1 : n);
  s->dir = *dir;
  return *dir ? UM_OK : um_fail(err, UM_ENOMEM, "no memory");
}

static bool is_csv_file(const char *path) {
  const size_t n = strlen(path);
  return n > 4 && strcasecmp(path + n - 4, ".csv") == 0 && um_is_file(path);
}

/* Everything after the choice of the layout. */
static int scan(set_scan *s, const set_layout *which, um_error *err) {
  const bool elsewhere = s->list || (which == &set_csv && s->o->root); /* what is named is not what lies in the folder */
  int r = elsewhere ? UM_OK : set_walk(s, which->skip, err);
  if (r == UM_OK) r = which->read(s, err);
  if (r == UM_OK) r = note_leftovers(s, err);
  if (r == UM_OK) r = set_ties_apply(s, err);
  if (r == UM_OK) r = check_words(s, "compression", s->o->quality, offsetof(um_source, quality), false, err);
  if (r == UM_OK) r = check_words(s, "method", s->o->method, offsetof(um_source, method), true, err);
  if (r == UM_OK) r = check_words(s, "part", s->o->part, offsetof(um_source, part), false, err);
  if (r == UM_OK) r = choose(s, err);
  if (r == UM_OK) r = um_sources_settle(s->out, err);
  return r;
}

int um_sets_scan(um_sources *out, um_set_report *report, const char *kind, const char *dir, const um_set_options *o, um_error *err) {
  static const um_set_options all;
  set_scan s = {.o = o ? o : &all, .out = out, .report = report};
  const set_layout *which = NULL;
  const bool automatic = strcasecmp(kind, "auto") == 0;
  char *folder = NULL;
  int r = UM_OK;
  *out = (um_sources){0};
  *report = (um_set_report){.dir = strdup(dir)};
  if (!report->dir) r = um_fail(err, UM_ENOMEM, "no memory");
  for (size_t n = r == UM_OK ? strlen(dir) : 0; n > 1 && report->dir[n - 1] == '/'; n--) report->dir[n - 1] = 0;
  s.dir = report->dir;
  for (int i = 0; i < LAYOUTS; i++)
    if (strcasecmp(kind, layout[i]->kind) == 0) which = layout[i];
  if (r == UM_OK && !which && !automatic) r = unknown_kind(kind, err);
  if (r == UM_OK && (automatic || which == &set_csv) && is_csv_file(dir)) {
    which = &set_csv;
    r = open_list(&folder, &s, err);
  } else if (r == UM_OK && !um_is_folder(dir)) {
    char shown[256];
    r = um_fail(err, UM_EIO, "%s: expected the folder of a dataset%s, found %s", set_shown(shown, sizeof shown, dir),
                automatic || which == &set_csv ? " or a CSV" : "", um_is_file(dir) ? "another file" : "nothing");
  } else if (r == UM_OK && automatic) {
    r = recognize(&which, &s, err);
  }
  if (r == UM_OK) {
    report->kind = which->kind;
    r = scan(&s, which, err);
  }
  if (r == UM_OK && report->notes) qsort(report->note, (size_t)report->notes, sizeof *report->note, by_fate);
  for (int i = 0; i < s.files; i++) free(s.file[i].path);
  free(s.file);
  for (int i = 0; i < s.ties; i++) free(s.tie[i].child), free(s.tie[i].parent);
  free(s.tie);
  free(folder);
  if (r < 0) {
    um_sources_free(out);
    um_set_report_free(report);
  }
  return r;
}
