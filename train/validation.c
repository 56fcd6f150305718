/* validation.csv: every number of the validation part, a line for each epoch, way of counting, rule and sub-part. Lines of past epochs are
 * kept as text, so that a resumed run leaves the file that one which was not stopped leaves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/csv.h"
#include "train/run.h"

static const char *const before[] = {"epoch", "by", "rule", "people", "part", "scores", "count", "fake", "groups"};
static const char *const counts[] = {"fake_called_fake", "fake_called_real", "real_called_fake", "real_called_real"};
/* Of a rule less the config's, on the same resamples. */
static const um_metric compared[] = {UM_AUC, UM_LOG_LOSS};
enum {
  BEFORE = sizeof before / sizeof *before,
  COUNTS = sizeof counts / sizeof *counts,
  COMPARED = sizeof compared / sizeof *compared,
  COLUMNS = BEFORE + 3 * UM_METRICS + COUNTS + 3 * COMPARED
};

/* The name of column i, from 0. */
static const char *column(char text[64], int i) {
  static const char *const ends[] = {"", "_low", "_high"};
  if (i < BEFORE) return before[i];
  i -= BEFORE;
  if (i < 3 * UM_METRICS) {
    snprintf(text, 64, "%s%s", um_metric_key(i / 3), ends[i % 3]);
    return text;
  }
  i -= 3 * UM_METRICS;
  if (i < COUNTS) return counts[i];
  i -= COUNTS;
  snprintf(text, 64, "%s_difference%s", um_metric_key((int)compared[i / 3]), ends[i % 3]);
  return text;
}

static void put_header(um_csv_writer *csv) {
  char text[64];
  for (int i = 0; i < COLUMNS; i++) um_csv_put(csv, column(text, i));
  um_csv_end_line(csv);
}

static void put(um_csv_writer *csv, double value) {
  if (isnan(value))
    um_csv_put(csv, "");
  else
    um_csv_printf(csv, "%.9g", value);
}

static void put_interval(um_csv_writer *csv, double value, um_interval i) { put(csv, value), put(csv, i.low), put(csv, i.high); }

/* rule NULL: by frame. difference: by metric, or NULL. */
static void put_line(um_csv_writer *csv, int epoch, const um_scoring *rule, const char *part, const char *scores, const um_evaluation *e,
                     const um_difference *difference) {
  const um_difference none = {NAN, {NAN, NAN}, NAN};
  const um_confusion *c = &e->measures.confusion;
  const double called[COUNTS] = {c->true_positive, c->false_negative, c->false_positive, c->true_negative};
  um_csv_printf(csv, "%d", epoch);
  um_csv_put(csv, rule ? "video" : "frame");
  um_csv_put(csv, rule ? um_frames_rule_name((int)rule->frames) : "");
  um_csv_put(csv, !rule ? "" : rule->together ? "together" : "highest");
  um_csv_put(csv, part ? part : "");
  um_csv_put(csv, scores);
  um_csv_printf(csv, "%d", e->count);
  um_csv_printf(csv, "%d", e->fakes);
  um_csv_printf(csv, "%d", e->groups);
  for (int m = 0; m < UM_METRICS; m++) put_interval(csv, e->measures.value[m], e->interval[m]);
  for (int i = 0; i < COUNTS; i++) um_csv_printf(csv, "%.0f", called[i]);
  for (int i = 0; i < COMPARED; i++) {
    const um_difference *d = difference ? &difference[compared[i]] : &none;
    put_interval(csv, d->value, d->interval);
  }
  um_csv_end_line(csv);
}

static bool several_faces(const um_subjects *s) {
  for (int i = 0; i < s->count; i++)
    if (s->at[i].faces > 1) return true;
  return false;
}

static bool several_people(const um_subjects *s) {
  for (int i = 0; i < s->count; i++)
    for (int k = 1; k < s->at[i].faces; k++)
      if (s->at[i].person[k] != s->at[i].person[0]) return true;
  return false;
}

/* One rule on the videos whose scores by the config's are ranked in `own`. */
static int judge_rule(um_csv_writer *csv, int epoch, um_findings *f, const um_ranking *own, const um_scoring *rule, um_error *err) {
  um_difference difference[UM_METRICS];
  um_evaluation of;
  um_ranking *r = NULL;
  int status = um_subjects_score(&f->subjects, rule, err);
  if (!status) status = um_subjects_measure(&of, &f->subjects, false, &f->settings, err);
  if (!status) status = um_subjects_rank(&r, &f->subjects, false, &f->settings, err);
  if (!status) status = um_bootstrap_difference(difference, own, r, f->settings.resamples, UM_BOOTSTRAP_SEED, err);
  if (!status) put_line(csv, epoch, rule, NULL, "raw", &of, difference);
  um_ranking_free(r);
  return status;
}

/* The same faces and videos after calibration. */
static int judge_calibrated(um_csv_writer *csv, int epoch, const um_findings *f, const um_calibration *c, um_error *err) {
  um_evaluation_settings e = f->settings;
  um_evaluation frame, video;
  if (c->method == UM_CALIBRATION_NONE) return UM_OK;
  e.calibration = *c;
  int status = um_subjects_measure(&frame, &f->subjects, true, &e, err);
  if (!status) status = um_subjects_measure(&video, &f->subjects, false, &e, err);
  if (status) return status;
  put_line(csv, epoch, NULL, NULL, "calibrated", &frame, NULL);
  put_line(csv, epoch, &e.rule, NULL, "calibrated", &video, NULL);
  return UM_OK;
}

/* All rules but the config's, where they can differ. */
static int judge_rules(um_csv_writer *csv, int epoch, um_findings *f, bool people, um_error *err) {
  const um_scoring own = f->settings.rule;
  um_ranking *ranked = NULL;
  if (!several_faces(&f->subjects)) return UM_OK;
  const int ways = people && several_people(&f->subjects) ? 2 : 1;
  int status = um_subjects_rank(&ranked, &f->subjects, false, &f->settings, err);
  for (int way = 0; !status && way < ways; way++)
    for (int i = 0; !status && i < UM_FRAMES_RULES; i++) {
      const um_scoring rule = {(um_frames_rule)i, own.top_k, way == 0 ? own.together : !own.together};
      if (!um_scoring_same(&rule, &own)) status = judge_rule(csv, epoch, f, ranked, &rule, err);
    }
  um_ranking_free(ranked);
  const int restored = um_subjects_score(&f->subjects, &own, status ? NULL : err);
  return status ? status : restored;
}

static int put_epoch(um_csv_writer *csv, int epoch, um_findings *f, const um_calibration *c, bool people, um_error *err) {
  const um_scoring *rule = &f->settings.rule;
  put_line(csv, epoch, NULL, NULL, "raw", &f->all.frame, NULL);
  put_line(csv, epoch, rule, NULL, "raw", &f->all.video, NULL);
  int status = judge_calibrated(csv, epoch, f, c, err);
  for (int i = 0; !status && i < f->parts; i++) {
    put_line(csv, epoch, NULL, f->part[i].value, "raw", &f->part[i].frame, NULL);
    put_line(csv, epoch, rule, f->part[i].value, "raw", &f->part[i].video, NULL);
  }
  return status ? status : judge_rules(csv, epoch, f, people, err);
}

int validation_add(validation_log *v, int epoch, um_findings *f, const um_calibration *c, bool people, um_error *err) {
  char *text = NULL, *grown = NULL;
  size_t size = 0;
  um_csv_writer csv = {.file = open_memstream(&text, &size)};
  if (!csv.file) return um_fail(err, UM_ENOMEM, "no memory for validation.csv");
  int status = put_epoch(&csv, epoch, f, c, people, err);
  const bool whole = fclose(csv.file) == 0;
  if (!status && whole) grown = realloc(v->text, v->size + size + 1);
  if (grown) {
    memcpy(grown + v->size, text, size + 1);
    v->text = grown, v->size += size;
  } else if (!status) {
    status = um_fail(err, UM_ENOMEM, "no memory for validation.csv");
  }
  free(text);
  return status;
}

int validation_write(const validation_log *v, const char *path, um_error *err) {
  um_writer w;
  const int status = um_writer_open(&w, path, err);
  if (status) return status;
  um_csv_writer csv = {.file = w.file};
  put_header(&csv);
  if (v->size) fwrite(v->text, 1, v->size, w.file);
  return um_writer_commit(&w, err);
}

int validation_open(um_csv **csv, const validation_log *v, um_error *err) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  um_csv_writer out = {.file = f};
  *csv = NULL;
  if (!f) return um_fail(err, UM_ENOMEM, "no memory for validation.csv");
  put_header(&out);
  if (v->size) fwrite(v->text, 1, v->size, f);
  const int status =
      fclose(f) == 0 ? um_csv_parse(csv, text, size, "validation.csv", err) : um_fail(err, UM_ENOMEM, "no memory for validation.csv");
  free(text);
  return status;
}

/* The lines by the names of their columns: a file of another version keeps what it has in common with ours. */
static int copy_lines(FILE *to, um_csv *csv, const char *path, int epochs_done, um_error *err) {
  um_csv_writer out = {.file = to};
  const char *const *field;
  char text[64], *end;
  int at[COLUMNS], more;
  for (int i = 0; i < COLUMNS; i++) at[i] = um_csv_column(csv, column(text, i));
  if (at[0] < 0) return um_fail(err, UM_EFORMAT, "%s: no column epoch", path);
  while ((more = um_csv_next(csv, &field, err)) > 0) {
    const long epoch = strtol(field[at[0]], &end, 10);
    if (end == field[at[0]] || *end)
      return um_fail(err, UM_EFORMAT, "%s: line %ld: epoch: expected a number, got \"%.40s\"", path, um_csv_line(csv), field[at[0]]);
    /* An epoch may stand there that the checkpoint has not: it is done again. */
    if (epoch < 1 || epoch > epochs_done) continue;
    for (int i = 0; i < COLUMNS; i++) um_csv_put(&out, at[i] < 0 ? "" : field[at[i]]);
    um_csv_end_line(&out);
  }
  return more;
}

int validation_read(validation_log *v, const char *path, int epochs_done, um_error *err) {
  um_csv *csv = NULL;
  *v = (validation_log){0};
  if (!um_is_file(path)) return UM_OK;
  int status = um_csv_open(&csv, path, err);
  if (status) return status;
  FILE *f = open_memstream(&v->text, &v->size);
  if (!f) status = um_fail(err, UM_ENOMEM, "no memory for validation.csv");
  if (!status) status = copy_lines(f, csv, path, epochs_done, err);
  if (f && fclose(f) != 0 && !status) status = um_fail(err, UM_ENOMEM, "no memory for validation.csv");
  um_csv_close(csv);
  if (status) validation_free(v);
  return status;
}

void validation_free(validation_log *v) {
  free(v->text);
  *v = (validation_log){0};
}
