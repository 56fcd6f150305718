/* A list of one's own: a CSV with the columns path and label (fake or real), and any of group, part (or split), method, quality, dataset
 * and name. Paths are from the CSV's folder, or from the folder that the options name, and may not lead out of it. The folder of the CSV
 * may be given instead: then videos and pictures in it that the CSV does not name are noted. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "data/csv.h"
#include "data/sets/scan.h"

enum { PATH, LABEL, GROUP, PART, METHOD, QUALITY, DATASET, NAME, COLUMNS };

/* Columns of the header: -1 where there is none. */
static void columns_of(int at[COLUMNS], const um_csv *csv) {
  static const char *const name[COLUMNS] = {"path", "label", "group", "part", "method", "quality", "dataset", "name"};
  for (int i = 0; i < COLUMNS; i++) at[i] = um_csv_column(csv, name[i]);
  if (at[PART] < 0) at[PART] = um_csv_column(csv, "split");
}

static bool is_csv(const char *name) { return strlen(name) > 4 && strcasecmp(name + strlen(name) - 4, ".csv") == 0; }

/* The one CSV among the names that has the columns; NULL: none, or more than one (*many). */
static const char *choose(const char *dir, char *const *name, int names, bool *many) {
  const char *found = NULL;
  *many = false;
  for (int i = 0; i < names; i++) {
    char path[PATH_MAX];
    int at[COLUMNS];
    um_csv *csv;
    if (!is_csv(name[i]) || name[i][0] == '.' || um_path_join(path, sizeof path, dir, name[i], NULL) < 0 || !um_is_file(path)) continue;
    if (um_csv_open(&csv, path, NULL) < 0) continue;
    columns_of(at, csv);
    um_csv_close(csv);
    if (at[PATH] < 0 || at[LABEL] < 0) continue;
    *many = found != NULL;
    found = name[i];
    if (*many) break;
  }
  return *many ? NULL : found;
}

static const char *recognize(const char *dir, char *const *top, int tops) {
  bool many;
  return choose(dir, top, tops, &many) || many ? "a CSV with the columns path and label" : NULL;
}

/* A row's path from the folder that they are from. */
static int clean(char *out, size_t size, const char *root, const char *path) {
  const size_t n = strlen(root);
  if (*path == '/' && strncmp(path, root, n) == 0 && (path[n] == '/' || (n && root[n - 1] == '/'))) {
    path += n;
    while (*path == '/') path++;
  }
  while (path[0] == '.' && path[1] == '/') path += 2;
  if (set_leads_out(path) || strlen(path) >= size) return -1;
  strcpy(out, path);
  return 0;
}

typedef struct csv_row {
  char *path;
  int label;
} csv_row;

typedef struct reader {
  set_scan *s;
  const char *root, *shown;
  um_csv *csv;
  int at[COLUMNS];
  csv_row *row; /* of each source: what tells doubles */
  int rows;
} reader;

static const char *cell(const reader *p, const char *const *field, int column) { return p->at[column] < 0 ? "" : field[p->at[column]]; }

static int take_row(reader *p, const char *const *field, um_error *err) {
  const long line = um_csv_line(p->csv);
  char path[PATH_MAX], full[PATH_MAX], b[100];
  const char *given = cell(p, field, PATH), *label_text = cell(p, field, LABEL), *part_text = cell(p, field, PART);
  const int label = um_label_parse(label_text);
  if (clean(path, sizeof path, p->root, given) < 0)
    return um_fail(err, UM_EFORMAT, "%s: line %ld: path: \"%s\" %s; expected a path below %s (--root DIR gives another folder)", p->shown,
                   line, set_shown(b, sizeof b, given), set_leads_out(given) ? set_leads_out(given) : "is too long", p->root);
  if (label < 0 && *label_text)
    return um_fail(err, UM_EFORMAT, "%s: line %ld: label: expected fake or real%s, got \"%s\"", p->shown, line,
                   strspn(label_text, "01") == strlen(label_text) ? " (0 and 1 mean one thing here and another there)" : "",
                   set_shown(b, sizeof b, label_text));
  if (*part_text && !set_part(part_text))
    return um_fail(err, UM_EFORMAT, "%s: line %ld: part: expected train, val or test, got \"%s\"", p->shown, line,
                   set_shown(b, sizeof b, part_text));
  int r = um_path_join(full, sizeof full, p->root, path, err);
  if (r < 0) return r;
  set_file *f = set_find(p->s, path), made = {.path = path, .ending = um_ending_of(path)};
  if (!um_is_file(full)) return set_note(p->s, UM_SET_MISSING, path, "named in the CSV", err);
  if ((p->rows & (p->rows - 1)) == 0) {
    csv_row *grown = p->rows < INT_MAX / 2 ? realloc(p->row, (p->rows ? 2 * (size_t)p->rows : 1) * sizeof *grown) : NULL;
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for %d rows", p->rows);
    p->row = grown;
  }
  if (!(p->row[p->rows] = (csv_row){strdup(path), label}).path) return um_fail(err, UM_ENOMEM, "no memory for %d rows", p->rows);
  p->rows++;
  um_source *item = set_take(p->s, f ? f : &made, label, "no label in the CSV", err);
  if (!item) return UM_ENOMEM;
  const char *method = cell(p, field, METHOD);
  if (*cell(p, field, NAME)) r = set_name(item, err, "%s", cell(p, field, NAME));
  if (r == UM_OK && *cell(p, field, GROUP)) r = set_group(item, err, "%s", cell(p, field, GROUP));
  if (r == UM_OK && *cell(p, field, DATASET) && um_source_set(&item->dataset, cell(p, field, DATASET)) < 0)
    r = um_fail(err, UM_ENOMEM, "no memory");
  if (r == UM_OK)
    r = set_describe(item,
                     label == 1             ? ""
                     : *method || label < 0 ? method
                                            : "unknown",
                     cell(p, field, QUALITY), *part_text ? set_part(part_text) : "", err);
  return r;
}

static int by_row(const void *pa, const void *pb) {
  const csv_row *a = pa, *b = pb;
  const int order = strcmp(a->path, b->path);
  return order ? order : a->label - b->label;
}

static int read_rows(reader *p, const char *path, um_error *err) {
  const char *const *field;
  int r = um_csv_open(&p->csv, path, err);
  if (r < 0) return r;
  columns_of(p->at, p->csv);
  if (p->at[PATH] < 0 || p->at[LABEL] < 0)
    r = um_fail(err, UM_EFORMAT, "%s: expected the columns path and label, got no %s", p->shown, p->at[PATH] < 0 ? "path" : "label");
  while (r == UM_OK && (r = um_csv_next(p->csv, &field, err)) > 0) r = take_row(p, field, err);
  if (r == UM_OK && p->rows) qsort(p->row, (size_t)p->rows, sizeof *p->row, by_row);
  for (int i = 1; r == UM_OK && i < p->rows; i++) {
    char b[200];
    if (strcmp(p->row[i].path, p->row[i - 1].path) == 0 && p->row[i].label != p->row[i - 1].label)
      r = um_fail(err, UM_EFORMAT, "%s: \"%s\" is there twice, with different labels", p->shown, set_shown(b, sizeof b, p->row[i].path));
  }
  return r;
}

static int read(set_scan *s, um_error *err) {
  char path[PATH_MAX], shown[200];
  reader p = {.s = s, .shown = shown};
  int r = UM_OK;
  if (s->list) {
    r = um_path_join(path, sizeof path, s->dir, s->list, err);
  } else {
    char **name;
    int names;
    bool many;
    if ((r = set_names(&name, &names, s->dir, err)) < 0) return r;
    const char *found = choose(s->dir, name, names, &many);
    set_shown(shown, sizeof shown, s->dir);
    if (!found)
      r = um_fail(err, UM_EFORMAT, "%s: %s CSV with the columns path and label there%s", shown, many ? "more than one" : "no",
                  many ? "; give the one that is meant" : "");
    else
      r = um_path_join(path, sizeof path, s->dir, found, err);
    set_file *f = found ? set_find(s, found) : NULL;
    if (f) f->seen = true;
    set_names_free(name, names);
  }
  if (r == UM_OK) {
    set_shown(shown, sizeof shown, path);
    if (s->o->root) s->dir = s->o->root;
    p.root = s->dir;
    r = read_rows(&p, path, err);
  }
  for (int i = 0; i < p.rows; i++) free(p.row[i].path);
  free(p.row);
  um_csv_close(p.csv);
  return r;
}

const set_layout set_csv = {.kind = "csv", .recognize = recognize, .read = read};
