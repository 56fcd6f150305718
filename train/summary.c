/* What the end of a run says of its model beyond the loss: which rule would have made better scores of videos, and the calibration. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "train/run.h"

/* ---- the rules ---- */

/* A line of validation.csv by video. */
typedef struct rule_line {
  char frames[32], people[32];
  double auc[3], loss[3], more_auc[3], more_loss[3]; /* value, low, high; the last two: less the config's */
  double error;                                      /* expected calibration error */
  int videos;
} rule_line;

/* One for each rule, with and without people told apart, the config's first; then the config's after calibration. */
enum { LINES_MAX = 2 * UM_FRAMES_RULES };
typedef struct rule_lines {
  rule_line at[LINES_MAX], calibrated;
  int count;
  bool is_calibrated;
} rule_lines;

static double number(const um_csv *csv, const char *const *field, const char *name) {
  const int at = um_csv_column(csv, name);
  return at >= 0 && *field[at] ? strtod(field[at], NULL) : (double)NAN;
}

static int whole(const um_csv *csv, const char *const *field, const char *name) {
  const double v = number(csv, field, name);
  return v >= 0 && v <= INT_MAX ? (int)v : 0;
}

static void three(double out[3], const um_csv *csv, const char *const *field, const char *name) {
  static const char *const ends[] = {"", "_low", "_high"};
  char column[80];
  for (int i = 0; i < 3; i++) {
    snprintf(column, sizeof column, "%s%s", name, ends[i]);
    out[i] = number(csv, field, column);
  }
}

static const char *text(const um_csv *csv, const char *const *field, const char *name) {
  const int at = um_csv_column(csv, name);
  return at >= 0 ? field[at] : "";
}

static void take(rule_line *l, const um_csv *csv, const char *const *field) {
  snprintf(l->frames, sizeof l->frames, "%s", text(csv, field, "rule"));
  snprintf(l->people, sizeof l->people, "%s", text(csv, field, "people"));
  l->videos = whole(csv, field, "count");
  l->error = number(csv, field, "ece");
  three(l->auc, csv, field, "auc"), three(l->loss, csv, field, "log_loss");
  three(l->more_auc, csv, field, "auc_difference"), three(l->more_loss, csv, field, "log_loss_difference");
}

static int read_lines(rule_lines *all, const run *r, int epoch, um_error *err) {
  um_csv *csv;
  const char *const *field;
  int more, status = validation_open(&csv, &r->judged, err);
  *all = (rule_lines){0};
  if (status) return status;
  while ((more = um_csv_next(csv, &field, err)) > 0) {
    if (whole(csv, field, "epoch") != epoch || strcmp(text(csv, field, "by"), "video") || *text(csv, field, "part")) continue;
    if (!strcmp(text(csv, field, "scores"), "calibrated"))
      take(&all->calibrated, csv, field), all->is_calibrated = true;
    else if (all->count < LINES_MAX)
      take(&all->at[all->count++], csv, field);
  }
  um_csv_close(csv);
  return more;
}

/* "0.9123 [0.8812, 0.9401]". */
static const char *with_interval(char out[56], const double v[3], const char *format) {
  char a[16] = "-", b[16], c[16];
  if (!isnan(v[0])) snprintf(a, sizeof a, *format == '+' ? "%+.4f" : "%.4f", v[0]);
  snprintf(out, 56, "%s", a);
  if (isnan(v[1])) return out;
  snprintf(b, sizeof b, *format == '+' ? "%+.4f" : "%.4f", v[1]), snprintf(c, sizeof c, *format == '+' ? "%+.4f" : "%.4f", v[2]);
  snprintf(out, 56, "%s [%s, %s]", a, b, c);
  return out;
}

/* The keys by which a rule differs from the config's. */
static const char *keys(char out[96], const rule_line *l, const rule_line *own) {
  char people[48] = "";
  if (strcmp(l->people, own->people) != 0) snprintf(people, sizeof people, "scoring.people=%s", l->people);
  if (strcmp(l->frames, own->frames) != 0)
    snprintf(out, 96, "scoring.frames=%s%s%s", l->frames, *people ? " " : "", people);
  else
    snprintf(out, 96, "%s", people);
  return out;
}

/* The rule that ranks videos better than the config's by more than chance explains; else one that has a lower loss so and ranks them no
 * worse. NULL: none. */
static const rule_line *better(const rule_lines *all, bool *by_auc) {
  const rule_line *best = NULL;
  for (int i = 1; i < all->count; i++) {
    const rule_line *l = &all->at[i];
    if (l->more_auc[1] > 0 && (!best || l->more_auc[0] > best->more_auc[0])) best = l;
  }
  *by_auc = best != NULL;
  for (int i = 1; !*by_auc && i < all->count; i++) {
    const rule_line *l = &all->at[i];
    if (l->more_loss[2] < 0 && !(l->more_auc[2] < 0) && (!best || l->more_loss[0] < best->more_loss[0])) best = l;
  }
  return best;
}

static void say_rules(const rule_lines *all, int epoch, bool people) {
  char a[56], b[56], name[96];
  const rule_line *own = &all->at[0];
  bool by_auc;
  if (all->count < 2) return;
  um_log_progress(true, "From frames to the score of a video, on the %d held out, after epoch %d:", own->videos, epoch);
  um_log_progress(true, "  %-23s  %-23s  %s", people ? "rule, people" : "rule", "ROC AUC", "log loss");
  for (int i = 0; i < all->count; i++) {
    const rule_line *l = &all->at[i];
    snprintf(name, sizeof name, "%s%s%s", l->frames, people ? ", " : "", people ? l->people : "");
    um_log_progress(true, "%c %-23s  %-23s  %s", i == 0 ? '*' : ' ', name, with_interval(a, l->auc, ""), with_interval(b, l->loss, ""));
  }
  um_log_progress(true, "* the config's; before calibration; with 95 %% intervals where there are any");
  const rule_line *best = better(all, &by_auc);
  if (!best) return;
  um_log_progress(true, "%s: %s %s against it,", keys(name, best, own), by_auc ? "ROC AUC" : "log loss",
                  with_interval(a, by_auc ? best->more_auc : best->more_loss, "+"));
  um_log_progress(true, "  more than chance explains on these videos; if so on others, too, set it");
}

/* ---- the calibration ---- */

static int read_calibration(um_calibration *c, const run *r, const char *name, um_error *err) {
  um_st *st = NULL;
  um_preprocess p;
  const int status = run_open_model(&st, &p, r, name, err);
  if (!status) *c = p.calibration;
  um_st_close(st);
  return status;
}

/* In lines of at most 80 columns. */
static void say_words(const char *head, const char *text) {
  enum { INDENT = 12, COLUMNS = 80, ROOM = COLUMNS - INDENT };
  while (*text) {
    size_t n = strlen(text), fits = 0;
    for (size_t i = 0; n > ROOM && i <= ROOM; i++)
      if (text[i] == ' ') fits = i;
    if (fits > 0) n = fits;
    um_log_progress(true, "%-*s%.*s", INDENT, head, (int)n, text);
    text += n + strspn(text + n, " ");
    head = "";
  }
}

static void say_calibration(const um_calibration *c, const run *r, const rule_lines *all) {
  char line[512];
  say_words("Calibration", um_calibration_text(line, sizeof line, c));
  if (r->best_note[0]) say_words("", r->best_note);
  if (c->method == UM_CALIBRATION_NONE || !all->is_calibrated || all->count == 0) return;
  snprintf(line, sizeof line,
           "calibration error by video %.4f, before it %.4f: on the videos that it was fitted on; infer --labels says how it is on others",
           all->calibrated.error, all->at[0].error);
  say_words("", line);
}

int run_summarize(const run *r, um_error *err) {
  const bool best = r->at.best_epoch >= 0;
  const int epoch = best ? r->at.best_epoch + 1 : r->at.epoch;
  um_calibration c;
  rule_lines all;
  if (r->validation.count == 0) {
    if (r->config.calibration.method != UM_CALIBRATION_NONE)
      um_log_progress(true, "Calibration none: it is fitted on held-out videos (data.validation_split)");
    return UM_OK;
  }
  int status = read_lines(&all, r, epoch, err);
  if (!status) status = read_calibration(&c, r, best ? "best.safetensors" : "last.safetensors", err);
  if (status) return status;
  say_rules(&all, epoch, r->preprocess.faces.choice == UM_FACES_ALL);
  if (c.method != UM_CALIBRATION_NONE || r->config.calibration.method != UM_CALIBRATION_NONE) say_calibration(&c, r, &all);
  return UM_OK;
}
