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

/* prefix: what leads from the manifest's folder to the class folders, "" or "name/". Until a manifest names groups, an item's group
 * is its path within its class folder. */
static int table_make(entry **out, const um_dataset *d, const char *prefix, um_error *err) {
  entry *table = calloc((size_t)d->count, sizeof *table);
  for (int i = 0; table && i < d->count; i++) {
    table[i].item = i;
    if (asprintf(&table[i].path, "%s%s/%s", prefix, d->class_name[d->item[i].label], d->item[i].group) < 0) {
      table[i].path = NULL; /* asprintf leaves it undefined */
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

/* Takes groups, points and parts from the manifest at `path`, which lies in the folder `base`. */
static int apply(um_dataset *d, const char *path, const char *base, const char *prefix, um_error *err) {
  um_csv *csv = NULL;
  entry *table = NULL;
  char key[PATH_MAX];
  size_t base_length = strlen(base);
  const char *const *field;
  int status = um_csv_open(&csv, path, err);
  if (status < 0) goto done;
  int path_column = um_csv_column(csv, "path"), group_column = um_csv_column(csv, "group");
  int points_column = um_csv_column(csv, "points"), part_column = um_csv_column(csv, "part");
  if (path_column < 0 || group_column < 0) {
    status = um_fail(err, UM_EFORMAT, "%s: expected the columns path and group, got no %s; correct the file or move it away", path,
                     path_column < 0 ? "path" : "group");
    goto done;
  }
  status = table_make(&table, d, prefix, err);
  while (status == UM_OK && (status = um_csv_next(csv, &field, err)) > 0) {
    status = UM_OK;
    if (strlen(field[path_column]) >= sizeof key) continue; /* longer than any path: not one of ours */
    tidy(key, field[path_column]);
    bool inside = *key == '/' && strncmp(key, base, base_length) == 0 && key[base_length] == '/';
    entry *e = bsearch(inside ? key + base_length + 1 : key, table, (size_t)d->count, sizeof *table, by_path_key);
    if (!e) continue;
    if (part_column >= 0) d->item[e->item].part = um_part_parse(field[part_column]);
    if (points_column >= 0 && (status = take_points(&d->item[e->item], field[points_column], path, err)) < 0) goto done;
    if (!*field[group_column]) continue;
    char *group = strdup(field[group_column]);
    if (!group) {
      status = um_fail(err, UM_ENOMEM, "%s: no memory for its groups", path);
      goto done;
    }
    /* A second row for the same picture takes the place of the first. */
    um_item *item = &d->item[e->item];
    free(item->group);
    item->group = group;
    if (!item->named) d->grouped++;
    item->named = true;
  }
done:
  table_free(table, d->count);
  um_csv_close(csv);
  return status;
}

int um_manifest_apply(um_dataset *d, const char *dir, um_error *err) {
  char real[PATH_MAX], path[PATH_MAX];
  if (!realpath(dir, real)) return um_fail(err, UM_EIO, "%s: %s", dir, strerror(errno));
  bool beside = true;
  int status = um_path_join(path, sizeof path, dir, "manifest.csv", err);
  if (status < 0) return status;
  if (um_is_file(path)) {
    status = apply(d, path, real, "", err);
  } else {
    char prefix[PATH_MAX + 1];
    char *name = strrchr(real, '/') + 1; /* realpath's result begins with one */
    snprintf(prefix, sizeof prefix, "%s%s", name, *name ? "/" : "");
    name[-1] = 0;
    status = um_path_join(path, sizeof path, *real ? real : "/", "manifest.csv", err);
    if (status < 0) return status;
    if (!um_is_file(path)) return UM_OK;
    beside = false;
    status = apply(d, path, real, prefix, err);
  }
  if (status == UM_OK && d->grouped < d->count && (beside || d->grouped))
    um_log(UM_LOG_WARN, "%s: names the group of %d of %d pictures; each of the others is taken for a group of its own", path, d->grouped,
           d->count);
  return status;
}
