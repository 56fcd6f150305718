#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/csv.h"
#include "faces/footage_internal.h"

enum { FRAME, TIME, TRACK, X, Y, WIDTH, HEIGHT, SCORE, POINTS, OFFSET, BYTES, COLUMNS };
static const char *const column[COLUMNS] = {"frame", "time_s", "track", "x", "y", "width", "height", "score", "points", "offset", "bytes"};

void um_footage_list_free(list *l) {
  free(l->item);
  *l = (list){0};
}

int um_footage_list_add(list *l, const entry *e, um_error *err) {
  if (l->count == l->capacity) {
    const int capacity = l->capacity ? 2 * l->capacity : 64;
    entry *more = capacity > l->capacity ? realloc(l->item, (size_t)capacity * sizeof *more) : NULL;
    if (!more) return um_fail(err, UM_ENOMEM, "no memory for %d faces", l->count);
    l->item = more, l->capacity = capacity;
  }
  l->item[l->count++] = *e;
  return UM_OK;
}

/* Whole numbers of a file, up to 2^53. */
static bool whole(int64_t *out, const char *text, double low, double high) {
  char *end;
  const double v = strtod(text, &end);
  if (end == text || *end || !(v >= low && v <= high) || floor(v) != v) return false;
  *out = (int64_t)v;
  return true;
}

static bool real(double *out, const char *text, double most) {
  char *end;
  *out = strtod(text, &end);
  return end != text && *end == 0 && fabs(*out) <= most;
}

static bool parse_points(um_detection *at, const char *text) {
  char *end;
  at->has_points = *text != 0;
  if (!at->has_points) return true;
  for (int i = 0; i < 2 * UM_POINTS; i++, text = end) {
    const double v = strtod(text, &end);
    if (end == text || !(fabs(v) <= 1e9)) return false;
    at->point[i / 2][i % 2] = v;
  }
  return *text == 0;
}

/* One line; the pictures lie in the pack one after the other, without gaps. */
static bool parse(entry *e, const char *const *field, const int *at, int64_t expected_offset) {
  int64_t track;
  um_detection *d = &e->face.at;
  *e = (entry){0};
  if (!whole(&e->face.frame, field[at[FRAME]], 0, 9e15) || !real(&e->face.time_s, field[at[TIME]], 1e12) ||
      !whole(&track, field[at[TRACK]], -1, 1e9) || !real(&d->x, field[at[X]], 1e6) || !real(&d->y, field[at[Y]], 1e6) ||
      !real(&d->width, field[at[WIDTH]], 1e6) || !real(&d->height, field[at[HEIGHT]], 1e6) || !real(&d->score, field[at[SCORE]], 1e9) ||
      !parse_points(d, field[at[POINTS]]) || !whole(&e->offset, field[at[OFFSET]], 0, 9e15) ||
      !whole(&e->bytes, field[at[BYTES]], 1, 1 << 30))
    return false;
  e->face.track = (int)track;
  return d->width > 0 && d->height > 0 && e->offset == expected_offset;
}

int um_footage_list_read(list *l, const char *path, um_error *err) {
  um_csv *csv = NULL;
  const char *const *field;
  int at[COLUMNS];
  int64_t offset = 0, frame = 0;
  *l = (list){0};
  int r = um_csv_open(&csv, path, err);
  for (int i = 0; r == UM_OK && i < COLUMNS; i++)
    if ((at[i] = um_csv_column(csv, column[i])) < 0) r = um_fail(err, UM_EFORMAT, "%s: column %s: not there", path, column[i]);
  while (r >= 0 && (r = um_csv_next(csv, &field, err)) > 0) {
    entry e;
    if (!parse(&e, field, at, offset) || e.face.frame < frame) {
      r = um_fail(err, UM_EFORMAT, "%s: line %ld is no face", path, um_csv_line(csv));
      break;
    }
    offset += e.bytes;
    frame = e.face.frame;
    r = um_footage_list_add(l, &e, err);
  }
  um_csv_close(csv);
  if (r < 0) um_footage_list_free(l);
  return r;
}

int um_footage_list_write(const list *l, const char *path, um_error *err) {
  um_writer w = {0};
  int r = um_writer_open(&w, path, err);
  if (r < 0) return r;
  um_csv_writer csv = {.file = w.file};
  for (int i = 0; i < COLUMNS; i++) um_csv_put(&csv, column[i]);
  um_csv_end_line(&csv);
  for (int i = 0; i < l->count; i++) {
    const entry *e = &l->item[i];
    const um_detection *d = &e->face.at;
    char points[32 * 2 * UM_POINTS] = "";
    for (int k = 0, n = 0; d->has_points && k < 2 * UM_POINTS; k++)
      n += snprintf(points + n, sizeof points - (size_t)n, "%s%.17g", k ? " " : "", d->point[k / 2][k % 2]);
    um_csv_printf(&csv, "%lld", (long long)e->face.frame);
    um_csv_printf(&csv, "%.17g", e->face.time_s);
    um_csv_printf(&csv, "%d", e->face.track);
    const double number[] = {d->x, d->y, d->width, d->height, d->score};
    for (int k = 0; k < 5; k++) um_csv_printf(&csv, "%.17g", number[k]);
    um_csv_put(&csv, points);
    um_csv_printf(&csv, "%lld", (long long)e->offset);
    um_csv_printf(&csv, "%lld", (long long)e->bytes);
    um_csv_end_line(&csv);
  }
  r = um_writer_commit(&w, err);
  um_writer_abandon(&w);
  return r;
}
