#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/csv.h"
#include "train/run.h"

static const char *const columns[] = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds", "val_auc"};
enum { COLUMNS = sizeof columns / sizeof *columns, COLUMNS_BEFORE = 7 /* of older programs */ };

int history_add(history *h, const history_row *row, um_error *err) {
  history_row *grown = realloc(h->row, ((size_t)h->count + 1) * sizeof *grown);
  if (!grown) return um_fail(err, UM_ENOMEM, "no memory for the history");
  h->row = grown;
  h->row[h->count++] = *row;
  return UM_OK;
}

void history_free(history *h) {
  free(h->row);
  h->row = NULL;
  h->count = 0;
}

static void put(um_csv_writer *csv, double value) {
  if (isnan(value))
    um_csv_put(csv, "");
  else
    um_csv_printf(csv, "%.9g", value);
}

int history_write(const history *h, const char *path, um_error *err) {
  um_writer w;
  int status = um_writer_open(&w, path, err);
  if (status) return status;
  um_csv_writer csv = {.file = w.file};
  for (int i = 0; i < COLUMNS; i++) um_csv_put(&csv, columns[i]);
  um_csv_end_line(&csv);
  for (int i = 0; i < h->count; i++) {
    const history_row *r = &h->row[i];
    const double value[] = {r->loss, r->accuracy, r->val_loss, r->val_accuracy};
    um_csv_printf(&csv, "%d", r->epoch);
    for (int k = 0; k < 4; k++) put(&csv, value[k]);
    um_csv_printf(&csv, "%.9g", r->learning_rate);
    um_csv_printf(&csv, "%.1f", r->seconds);
    put(&csv, r->val_auc);
    um_csv_end_line(&csv);
  }
  return um_writer_commit(&w, err);
}

/* A number, or NaN for an empty field; false for anything else. */
static bool number(const char *text, double *out) {
  char *end;
  *out = *text ? strtod(text, &end) : (double)NAN;
  return !*text || *end == 0;
}

int history_read(history *h, const char *path, int epochs_done, um_error *err) {
  um_csv *csv = NULL;
  const char *const *field;
  int at[COLUMNS], more, status = um_csv_open(&csv, path, err);
  memset(h, 0, sizeof *h);
  if (status) return status;
  for (int i = 0; i < COLUMNS && !status; i++) {
    at[i] = um_csv_column(csv, columns[i]);
    if (i < COLUMNS_BEFORE && at[i] < 0) status = um_fail(err, UM_EFORMAT, "%s: no column %s", path, columns[i]);
  }
  while (!status && (more = um_csv_next(csv, &field, err)) != 0) {
    double v[COLUMNS];
    if (more < 0) {
      status = more;
      break;
    }
    for (int i = 0; i < COLUMNS && !status; i++)
      if (!number(at[i] < 0 ? "" : field[at[i]], &v[i]))
        status = um_fail(err, UM_EFORMAT, "%s: line %ld: %s: expected a number, got \"%.40s\"", path, um_csv_line(csv), columns[i],
                         field[at[i]]);
    /* An epoch may stand there that the checkpoint has not: it is done again. */
    if (status || !(v[0] >= 1 && v[0] <= epochs_done)) continue;
    history_row row = {(int)v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]};
    status = history_add(h, &row, err);
  }
  um_csv_close(csv);
  if (status) history_free(h);
  return status;
}
