#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/csv.h"
#include "tools/extract/extract.h"

enum { PATH = 0, VIDEO = 2 };
const char *const manifest_column[12] = {"path", "label", "video",  "frame", "time_s", "x",
                                         "y",    "width", "height", "score", "track",  "group"};

void row_free(row *r) {
  for (int i = 0; i < 12; i++) free(r->field[i]);
}

void rows_free(rows *r) {
  for (int i = 0; i < r->count; i++) row_free(&r->item[i]);
  free(r->item);
  *r = (rows){0};
}

int rows_add(rows *to, row *r, um_error *err) {
  bool whole = true;
  for (int i = 0; i < 12; i++) whole = whole && r->field[i];
  if (whole && (to->count & (to->count - 1)) == 0) { /* room is a power of two */
    row *grown = realloc(to->item, (to->count ? 2 * (size_t)to->count : 1) * sizeof *grown);
    if (grown) to->item = grown;
    whole = grown != NULL;
  }
  if (!whole) {
    row_free(r);
    return um_fail(err, UM_ENOMEM, "no memory for %d faces", to->count);
  }
  to->item[to->count++] = *r;
  return UM_OK;
}

int manifest_read(rows *old, const char *out, um_error *err) {
  char path[4096];
  um_csv *csv = NULL;
  const char *const *field;
  int r, column[12];
  *old = (rows){0};
  if ((r = um_path_join(path, sizeof path, out, "manifest.csv", err)) < 0) return r;
  if (!um_is_file(path)) return UM_OK;
  if ((r = um_csv_open(&csv, path, err)) < 0) goto done;
  for (int i = 0; i < 12; i++)
    if ((column[i] = um_csv_column(csv, manifest_column[i])) < 0) {
      r = um_fail(err, UM_EFORMAT, "%s: column %s: not there, so that it is no manifest of ours: choose another --out", path,
                  manifest_column[i]);
      goto done;
    }
  while ((r = um_csv_next(csv, &field, err)) > 0) {
    row line;
    for (int i = 0; i < 12; i++) line.field[i] = strdup(field[column[i]]);
    if ((r = rows_add(old, &line, err)) < 0) break;
  }
done:
  um_csv_close(csv);
  if (r < 0) rows_free(old);
  return r;
}

static int by_path(const void *a, const void *b) { return strcmp(((const row *)a)->field[PATH], ((const row *)b)->field[PATH]); }

/* "fake/NAME_000001_00.png": the length of NAME, which begins at *start; 0 where the path is another. */
static size_t name_in(const char *path, const char **start) {
  const char *slash = strchr(path, '/'), *end;
  if (!slash) return 0;
  *start = slash + 1;
  end = strrchr(*start, '_');
  if (!end || end == *start) return 0;
  do end--;
  while (end > *start && *end != '_');
  return (size_t)(end - *start);
}

/* Names of an old manifest with the video that each belongs to, one of each. */
typedef struct taken {
  const char *name, *video;
  size_t size;
} taken;

int manifest_settle_names(um_sources *s, const rows *old, um_error *err) {
  taken *t = malloc(((size_t)old->count + 1) * sizeof *t);
  int n = 0, r = UM_OK;
  if (!t) return um_fail(err, UM_ENOMEM, "no memory for the manifest");
  for (int i = 0; i < old->count; i++) {
    const char *name = NULL, *video = old->item[i].field[VIDEO];
    size_t size = name_in(old->item[i].field[PATH], &name);
    if (size == 0 || (n > 0 && t[n - 1].size == size && strncmp(t[n - 1].name, name, size) == 0)) continue;
    t[n++] = (taken){name, video, size};
  }
  for (int i = 0; i < s->count && r == UM_OK; i++) {
    um_source *item = &s->item[i];
    char *name = NULL;
    bool known = false;
    for (int k = 0; k < n && !known; k++)
      if (strcmp(t[k].video, item->path) == 0) {
        known = true;
        if (asprintf(&name, "%.*s", (int)t[k].size, t[k].name) < 0) name = NULL;
      }
    for (int number = 1; !known; number++) {
      bool clash = false;
      free(name);
      name = NULL;
      if ((number == 1 ? asprintf(&name, "%s", item->name) : asprintf(&name, "%s-%d", item->name, number)) < 0) name = NULL;
      for (int k = 0; name && k < n && !clash; k++) clash = t[k].size == strlen(name) && strncmp(t[k].name, name, t[k].size) == 0;
      for (int k = 0; name && number > 1 && k < s->count && !clash; k++) clash = k != i && strcmp(s->item[k].name, name) == 0;
      known = !clash;
    }
    if (!name) {
      r = um_fail(err, UM_ENOMEM, "no memory for the manifest");
      break;
    }
    if (strcmp(item->group, item->name) == 0) { /* a group that was but the name */
      free(item->group);
      if (!(item->group = strdup(name))) r = um_fail(err, UM_ENOMEM, "no memory for the manifest");
    }
    free(item->name);
    item->name = name;
  }
  free(t);
  return r;
}

int manifest_write(const rows *all, const char *out, um_error *err) {
  char path[4096];
  um_writer w = {0};
  row *sorted = malloc(((size_t)all->count + 1) * sizeof *sorted);
  int r;
  if (!sorted) return um_fail(err, UM_ENOMEM, "no memory for the manifest");
  if (all->count) memcpy(sorted, all->item, (size_t)all->count * sizeof *sorted);
  qsort(sorted, (size_t)all->count, sizeof *sorted, by_path);
  if ((r = um_path_join(path, sizeof path, out, "manifest.csv", err)) < 0 || (r = um_writer_open(&w, path, err)) < 0) goto done;
  um_csv_writer csv = {.file = w.file};
  for (int i = 0; i < 12; i++) um_csv_put(&csv, manifest_column[i]);
  um_csv_end_line(&csv);
  for (int k = 0; k < all->count; k++) {
    for (int i = 0; i < 12; i++) um_csv_put(&csv, sorted[k].field[i]);
    um_csv_end_line(&csv);
  }
  r = um_writer_commit(&w, err);
done:
  um_writer_abandon(&w);
  free(sorted);
  return r;
}
