/* speed.csv: where the time of each epoch went, and the most memory that the run took so far. What the columns mean to a reader is told
 * in docs/training.md. The numbers of epochs that a resumed run does not do again stay as they were. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/file.h"
#include "core/log.h"
#include "data/csv.h"
#include "train/run.h"

static const char *const columns[SPEED_COLUMNS] = {"epoch", "pictures", "images_per_second", "seconds", "steps",     "wait",
                                                   "feed",  "compute",  "validation",        "saving",  "memory_mb", "device_mb"};

const char *speed_column(int i) { return columns[i]; }

void speed_begin(run *r) { r->speed_now = (speed_row){0}; }

void speed_end(run *r, int epoch, double seconds) {
  speed_row *s = &r->speed_now;
  struct rusage used = {0};
  getrusage(RUSAGE_SELF, &used);
  s->v[SPEED_EPOCH] = epoch;
  s->v[SPEED_SECONDS] = seconds;
  s->v[SPEED_RATE] = s->v[SPEED_STEPS] > 0 ? s->v[SPEED_PICTURES] / s->v[SPEED_STEPS] : (double)NAN;
  s->v[SPEED_MEMORY] = (double)used.ru_maxrss * 1024 / 1e6;
  /* A device that works beside the host has memory of its own. */
  const um_ops *ops = r->backend->ops;
  const size_t left = ops->memory_free(r->backend);
  s->v[SPEED_DEVICE] = !ops->wait || !r->memory_free ? (double)NAN : left < r->memory_free ? (double)(r->memory_free - left) / 1e6 : 0;
}

static int speed_add(speed_log *log, const speed_row *row, um_error *err) {
  speed_row *grown = realloc(log->row, ((size_t)log->count + 1) * sizeof *grown);
  if (!grown) return um_fail(err, UM_ENOMEM, "no memory for speed.csv");
  log->row = grown;
  log->row[log->count++] = *row;
  return UM_OK;
}

void speed_free(speed_log *log) {
  free(log->row);
  *log = (speed_log){0};
}

int speed_write(run *r, um_error *err) {
  char path[4096];
  um_writer w;
  int status = speed_add(&r->speed, &r->speed_now, err);
  if (!status) status = run_path(r, path, "speed.csv", err);
  if (status || (status = um_writer_open(&w, path, err))) return status;
  um_csv_writer csv = {.file = w.file};
  for (int i = 0; i < SPEED_COLUMNS; i++) um_csv_put(&csv, columns[i]);
  um_csv_end_line(&csv);
  for (int k = 0; k < r->speed.count; k++) {
    for (int i = 0; i < SPEED_COLUMNS; i++) {
      const double v = r->speed.row[k].v[i];
      if (isnan(v))
        um_csv_put(&csv, "");
      else
        um_csv_printf(&csv, i < SPEED_RATE ? "%.0f" : i >= SPEED_MEMORY ? "%.1f" : "%.6g", v);
    }
    um_csv_end_line(&csv);
  }
  return um_writer_commit(&w, err);
}

int speed_read(speed_log *log, const char *path, int epochs_done, um_error *err) {
  um_csv *csv = NULL;
  const char *const *field;
  int at[SPEED_COLUMNS], more, status;
  *log = (speed_log){0};
  if (!um_is_file(path)) return UM_OK;
  if ((status = um_csv_open(&csv, path, err))) return status;
  for (int i = 0; i < SPEED_COLUMNS && !status; i++)
    if ((at[i] = um_csv_column(csv, columns[i])) < 0) status = um_fail(err, UM_EFORMAT, "%s: no column %s", path, columns[i]);
  while (!status && (more = um_csv_next(csv, &field, err)) != 0) {
    speed_row row;
    status = more < 0 ? more : UM_OK;
    for (int i = 0; i < SPEED_COLUMNS && !status; i++) {
      const char *text = field[at[i]];
      char *end = NULL;
      row.v[i] = *text ? strtod(text, &end) : (double)NAN;
      if (*text && *end)
        status = um_fail(err, UM_EFORMAT, "%s: line %ld: %s: expected a number, got \"%.40s\"", path, um_csv_line(csv), columns[i], text);
    }
    /* An epoch may stand there that the checkpoint has not: it is done again. */
    if (!status && row.v[SPEED_EPOCH] >= 1 && row.v[SPEED_EPOCH] <= epochs_done) status = speed_add(log, &row, err);
  }
  um_csv_close(csv);
  if (status) speed_free(log);
  return status;
}

void speed_say(const run *r, int indent) {
  const double *v = r->speed_now.v;
  const double percent = v[SPEED_SECONDS] > 0 ? 100 / v[SPEED_SECONDS] : 0;
  char validation[32] = "";
  if (r->validator) snprintf(validation, sizeof validation, "validate %.0f %%, ", percent * v[SPEED_VALIDATION]);
  um_log_progress(true, "%*s - %.*f img/s: wait %.0f %%, feed %.0f %%, compute %.0f %%, %ssave %.0f %%", indent, "",
                  v[SPEED_RATE] < 1000 ? 1 : 0, v[SPEED_RATE], percent * v[SPEED_WAIT], percent * v[SPEED_FEED], percent * v[SPEED_COMPUTE],
                  validation, percent * v[SPEED_SAVING]);
}
