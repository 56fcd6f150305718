#include "data/manifest.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "data/csv.h"

/* An item by its path as a manifest would write it. */
typedef struct entry {
  char *path; /* from the manifest's folder */
  int item;
} entry;

static int by_path(const void *a, const void *b) { return strcmp(((const entry *)a)->path, ((const entry *)b)->path); }

static int by_path_key(const void *key, const void *b) { return strcmp(key, ((const entry *)b)->path); }

static void table_free(entry *table, int count) {
  for (int i = 0; table && i < count; i++) free(table[i].path);
  free(table);
}

/* A manifest: where it is, and where the class folders are from there. */
typedef struct place {
  char path[PATH_MAX];       /* "": there is none */
  char base[PATH_MAX];       /* its folder */
  char prefix[PATH_MAX + 1]; /* from there to the class folders: "" or "name/" */
  bool beside;               /* beside the class folders, not above them */
} place;

static int find(place *p, const char *dir, um_error *err) {
  *p = (place){.beside = true};
  if (!realpath(dir, p->base)) return um_fail(err, UM_EIO, "%s: %s", dir, strerror(errno));
  int status = um_path_join(p->path, sizeof p->path, dir, "manifest.csv", err);
  if (status < 0 || um_is_file(p->path)) return status;
  char *name = strrchr(p->base, '/') + 1; /* realpath's result begins with one */
  snprintf(p->prefix, sizeof p->prefix, "%s%s", name, *name ? "/" : "");
  name[-1] = 0;
  p->beside = false;
  status = um_path_join(p->path, sizeof p->path, *p->base ? p->base : "/", "manifest.csv", err);
  if (status == UM_OK && !um_is_file(p->path)) p->path[0] = 0;
  return status;
}

static int table_make(entry **out, const um_dataset *d, const char *dir, const char *prefix, um_error *err) {
  char folder[PATH_MAX];
  entry *table = calloc((size_t)d->count + 1, sizeof *table);
  for (int i = 0; table && i < d->count; i++) {
    const char *class = d->class_name[d->item[i].label];
    const int status = um_path_join(folder, sizeof folder, dir, class, err); /* what the item's path begins with */
    if (status < 0) {
      table_free(table, i);
      return status;
    }
    table[i].item = i;
    if (asprintf(&table[i].path, "%s%s%s", prefix, class, d->item[i].path + strlen(folder)) < 0) {
      table_free(table, i);
      table = NULL;
    }
  }
  *out = table;
  if (!table) return um_fail(err, UM_ENOMEM, "manifest: no memory for %d paths", d->count);
  qsort(table, (size_t)d->count, sizeof *table, by_path);
  return UM_OK;
}

/* Takes out "./" and doubled slashes. `to` has room for all of `from`. */
static void tidy(char *to, const char *from) {
  const char *start = to;
  while (*from) {
    bool begins = to == start || to[-1] == '/'; /* a part of the path */
    if (begins && from[0] == '.' && from[1] == '/')
      from += 2;
    else if (begins && to != start && from[0] == '/')
      from++;
    else
      *to++ = *from++;
  }
  *to = 0;
}

/* "x y x y ...", five points in pixels; a crop may end before a point, but not a million pixels before. */
static bool read_points(float points[10], const char *text) {
  char *end;
  for (int i = 0; i < 10; i++, text = end) {
    double v = strtod(text, &end);
    if (end == text || !(fabs(v) <= 1e6)) return false;
    points[i] = (float)v;
  }
  return text[strspn(text, " ")] == 0;
}

static int take_points(um_item *item, const char *text, const char *path, um_error *err) {
  item->has_points = read_points(item->points, text);
  if (item->has_points || text[strspn(text, " ")] == 0) return UM_OK;
  return um_fail(err, UM_EFORMAT, "%s: points of %.200s: expected ten numbers separated by spaces, got \"%.100s\"", path, item->path, text);
}

static int take_track(um_item *item, const char *text, const char *path, um_error *err) {
  char *end;
  const long track = strtol(text, &end, 10);
  if (*text && (*end || track < -1 || track > INT_MAX))
    return um_fail(err, UM_EFORMAT, "%s: track of %.200s: expected a whole number, got \"%.40s\"", path, item->path, text);
  item->track = *text ? (int)track : -1;
  return UM_OK;
}

static int take_text(char **to, const char *text, const char *path, um_error *err) {
  free(*to);
  *to = strdup(text);
  return *to ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for its rows", path);
}

/* Columns by what they give; -1 where there is none. */
typedef struct columns {
  int path, group, points, part, video, track, by;
} columns;

/* A second row for the same picture takes the place of the first. */
static int take_row(um_dataset *d, um_item *item, const columns *c, const char *const *field, const char *path, um_error *err) {
  int status = UM_OK;
  if (c->by >= 0) return take_text(&item->by, field[c->by], path, err);
  if (c->part >= 0) item->part = um_part_parse(field[c->part]);
  if (c->points >= 0) status = take_points(item, field[c->points], path, err);
  if (status == UM_OK && c->track >= 0) status = take_track(item, field[c->track], path, err);
  if (status == UM_OK && c->video >= 0 && *field[c->video]) status = take_text(&item->video, field[c->video], path, err);
  if (status < 0 || !*field[c->group]) return status;
  if (!item->named) d->grouped++;
  item->named = true;
  return take_text(&item->group, field[c->group], path, err);
}

/* Every row that names an item; by: that column alone, or NULL for all that are known. */
static int apply(um_dataset *d, const char *dir, const place *p, const char *by, um_error *err) {
  um_csv *csv = NULL;
  entry *table = NULL;
  char key[PATH_MAX];
  const size_t base = strlen(p->base);
  const char *const *field;
  int status = um_csv_open(&csv, p->path, err);
  if (status < 0) return status;
  const columns c = {um_csv_column(csv, "path"),  um_csv_column(csv, "group"), um_csv_column(csv, "points"),    um_csv_column(csv, "part"),
                     um_csv_column(csv, "video"), um_csv_column(csv, "track"), by ? um_csv_column(csv, by) : -1};
  if (c.path < 0 || c.group < 0)
    status = um_fail(err, UM_EFORMAT, "%s: expected the columns path and group, got no %s; correct the file or move it away", p->path,
                     c.path < 0 ? "path" : "group");
  else if (by && c.by < 0)
    status = um_fail(err, UM_ECONFIG, "%s has no column %.200s", p->path, by);
  if (status == UM_OK) status = table_make(&table, d, dir, p->prefix, err);
  while (status == UM_OK && (status = um_csv_next(csv, &field, err)) > 0) {
    status = UM_OK;
    if (strlen(field[c.path]) >= sizeof key) continue; /* longer than any path: not one of ours */
    tidy(key, field[c.path]);
    const bool inside = *key == '/' && strncmp(key, p->base, base) == 0 && key[base] == '/';
    const entry *e = bsearch(inside ? key + base + 1 : key, table, (size_t)d->count, sizeof *table, by_path_key);
    if (e) status = take_row(d, &d->item[e->item], &c, field, p->path, err);
  }
  table_free(table, d->count);
  um_csv_close(csv);
  return status;
}

int um_manifest_apply(um_dataset *d, const char *dir, um_error *err) {
  place p;
  int status = find(&p, dir, err);
  if (status < 0 || !*p.path) return status;
  status = apply(d, dir, &p, NULL, err);
  if (status == UM_OK && d->grouped < d->count && (p.beside || d->grouped))
    um_log(UM_LOG_WARN, "%s: names the group of %d of %d pictures; each of the others is taken for a group of its own", p.path, d->grouped,
           d->count);
  return status;
}

int um_manifest_column(um_dataset *d, const char *dir, const char *column, um_error *err) {
  place p;
  const int status = find(&p, dir, err);
  if (status < 0) return status;
  if (!*p.path)
    return um_fail(err, UM_ECONFIG, "column %.200s: there is no manifest.csv in %s or above it; without one there is \"folder\"", column,
                   dir);
  return apply(d, dir, &p, column, err);
}
