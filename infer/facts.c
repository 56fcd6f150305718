/* What a manifest says of the inputs. Files are told by device and number, so that it does not matter how a path is written. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/csv.h"
#include "data/sources.h"
#include "infer/infer.h"

typedef struct known_file {
  dev_t device;
  ino_t inode;
  input *in;
  long line; /* that named it; 0: none yet */
} known_file;

static int by_file(const void *pa, const void *pb) {
  const known_file *a = pa, *b = pb;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  return (a->inode > b->inode) - (a->inode < b->inode);
}

/* Columns by what they give; -1 where there is none. */
typedef struct known_columns {
  int path, label, group, video, track, by;
} known_columns;

static int find_columns(known_columns *c, const um_csv *csv, const char *name, bool labels, const char *by, um_error *err) {
  *c = (known_columns){um_csv_column(csv, "path"),  um_csv_column(csv, "label"), um_csv_column(csv, "group"),
                       um_csv_column(csv, "video"), um_csv_column(csv, "track"), by ? um_csv_column(csv, by) : -1};
  if (c->path < 0) return um_fail(err, UM_EFORMAT, "%s: expected a column named path, found none", name);
  if (labels && c->label < 0) return um_fail(err, UM_EFORMAT, "%s: expected a column named label, found none", name);
  if (by && c->by < 0) return um_fail(err, UM_ECONFIG, "--by %s: %s has no such column", by, name);
  if (!labels) c->label = -1;
  return UM_OK;
}

static bool set(char **to, const char *const *field, int column) {
  if (column < 0) return true;
  free(*to);
  return (*to = strdup(field[column])) != NULL;
}

static int take_row(known_file *k, const known_columns *c, const char *const *field, const char *name, long line, um_error *err) {
  input *in = k->in;
  if (k->line) return um_fail(err, UM_EFORMAT, "%s: line %ld: %.300s was named in line %ld already", name, line, field[c->path], k->line);
  k->line = line;
  if (c->label >= 0) {
    const int l = um_label_parse(field[c->label]);
    if (l < 0 && *field[c->label])
      return um_fail(err, UM_EFORMAT, "%s: line %ld: label: expected fake, real or nothing, got \"%.40s\"", name, line, field[c->label]);
    in->label = l == 0 ? LABEL_FAKE : l == 1 ? LABEL_REAL : LABEL_NONE;
  }
  if (c->track >= 0 && *field[c->track]) {
    char *end;
    const long track = strtol(field[c->track], &end, 10);
    if (*end || track < -1 || track > INT_MAX)
      return um_fail(err, UM_EFORMAT, "%s: line %ld: track: expected a whole number, got \"%.40s\"", name, line, field[c->track]);
    in->person = (int)track;
  }
  const bool grouped = c->group < 0 || !*field[c->group] || set(&in->group, field, c->group);
  const bool filmed = c->video < 0 || !*field[c->video] || set(&in->video, field, c->video);
  return grouped && filmed && set(&in->by, field, c->by) ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for its rows", name);
}

int facts_read(inputs *in, const char *csv, bool labels, const char *by, int *named, um_error *err) {
  um_csv *table = NULL;
  known_columns c;
  known_file *known = calloc((size_t)in->count + 1, sizeof *known);
  const char *const *field, *slash = strrchr(csv, '/');
  struct stat st;
  char path[8192];
  int n = 0, more = 0;
  *named = 0;
  int rc = known ? um_csv_open(&table, csv, err) : um_fail(err, UM_ENOMEM, "no memory for %d inputs", in->count);
  if (!rc) rc = find_columns(&c, table, csv, labels, by, err);
  for (int i = 0; !rc && i < in->count; i++)
    if (stat(input_file(&in->at[i]), &st) == 0) known[n++] = (known_file){st.st_dev, st.st_ino, &in->at[i], 0};
  if (!rc) qsort(known, (size_t)n, sizeof *known, by_file);
  while (!rc && (more = um_csv_next(table, &field, err)) > 0) {
    const int folder = field[c.path][0] != '/' && slash ? (int)(slash - csv + 1) : 0;
    const int length = snprintf(path, sizeof path, "%.*s%s", folder, csv, field[c.path]);
    if (length < 0 || (size_t)length >= sizeof path || stat(path, &st)) continue; /* not one of the inputs */
    const known_file wanted = {.device = st.st_dev, .inode = st.st_ino};
    known_file *k = n ? bsearch(&wanted, known, (size_t)n, sizeof *known, by_file) : NULL;
    if (k) rc = take_row(k, &c, field, csv, um_csv_line(table), err), ++*named;
  }
  if (!rc && more < 0) rc = more;
  um_csv_close(table);
  free(known);
  return rc;
}
