/* The course of a run: which phase of the config it is in, the learning rate of each step, and when it is over. What it depends on is
 * in r->at, so that a resumed run goes on the same. */
#include <inttypes.h>
#include <stdio.h>

#include "core/log.h"
#include "train/run.h"

const um_phase *run_phase(const run *r) { return &r->config.phase[r->at.phase]; }

int run_batches(const run *r) {
  const int *n = r->train.class_count;
  const int draws = r->config.data.sampling == UM_SAMPLING_BALANCED ? 2 * (n[0] > n[1] ? n[0] : n[1]) : r->train.count;
  return (draws - 1) / r->config.data.batch_size + 1;
}

int run_epochs(const run *r) {
  int n = r->at.phase_epoch;
  for (int i = r->at.phase; i < r->config.phases; i++) n += r->config.phase[i].epochs;
  return n;
}

double run_rate(const run *r, int64_t step) {
  const um_phase *p = run_phase(r);
  const double rate = p->schedule.kind == UM_SCHEDULE_PLATEAU ? r->at.rate : p->learning_rate;
  return um_schedule_rate(&p->schedule, rate, step, run_batches(r), p->epochs);
}

static int check_monitor(const run *r, const char *key, um_monitor m, um_error *err) {
  const um_dataset *v = &r->validation;
  if (m == UM_MONITOR_LOSS) return UM_OK;
  if (v->count == 0)
    return um_fail(err, UM_ECONFIG, "%s: %s needs a held-out part: set data.validation_split or data.validation_dir, or watch loss", key,
                   um_monitor_name(m));
  if (m == UM_MONITOR_VAL_AUC && (v->class_count[0] == 0 || v->class_count[1] == 0))
    return um_fail(err, UM_ECONFIG, "%s: val_auc needs both classes in the held-out part; there is no %s in it", key,
                   v->class_name[v->class_count[0] > 0]);
  return UM_OK;
}

int run_check_course(const run *r, um_error *err) {
  const um_config *c = &r->config;
  int status = c->early_stopping.on ? check_monitor(r, "early_stopping.monitor", c->early_stopping.monitor, err) : UM_OK;
  for (int i = 0; i < c->phases && !status; i++) {
    char key[80];
    snprintf(key, sizeof key, "learning_rate_schedule.monitor");
    if (c->phases_given) snprintf(key, sizeof key, "phases[%d].learning_rate_schedule.monitor", i);
    if (c->phase[i].schedule.kind == UM_SCHEDULE_PLATEAU) status = check_monitor(r, key, c->phase[i].schedule.monitor, err);
  }
  return status;
}

void run_begin_course(run *r) {
  const um_phase *p = run_phase(r);
  r->at.rate = p->learning_rate;
  um_watch_begin(&r->at.plateau, p->schedule.monitor);
  um_watch_begin(&r->at.stopping, r->config.early_stopping.monitor);
}

bool run_stopped_early(const run *r) { return um_early_stopping_due(&r->at.stopping, &r->config.early_stopping); }

static bool phase_is_over(const run *r) { return r->at.epoch >= r->at.phase_epoch + run_phase(r)->epochs || run_stopped_early(r); }

bool run_is_over(const run *r) { return r->at.phase + 1 == r->config.phases && phase_is_over(r); }

static double value_of(const history_row *row, um_monitor m) {
  const double value[] = {row->val_loss, row->val_accuracy, row->val_auc, row->loss};
  return value[m];
}

void run_end_epoch(run *r, const history_row *row) {
  const um_schedule *s = &run_phase(r)->schedule;
  const um_early_stopping *e = &r->config.early_stopping;
  if (s->kind == UM_SCHEDULE_PLATEAU) {
    const double before = r->at.rate;
    r->at.rate = um_plateau_rate(&r->at.plateau, s, before, value_of(row, s->monitor));
    if (r->at.rate != before)
      um_log_progress(true, "%s was no better for %d epoch%s: learning rate %g from here on", um_monitor_name(s->monitor), s->patience,
                      s->patience == 1 ? "" : "s", r->at.rate);
  }
  if (e->on) um_early_stopping_note(&r->at.stopping, e, value_of(row, e->monitor));
  if (run_stopped_early(r))
    um_log_progress(true, "Stopped early: %s was no better for %d epoch%s", um_monitor_name(e->monitor), r->at.stopping.wait,
                    r->at.stopping.wait == 1 ? "" : "s");
  if (!phase_is_over(r) || run_is_over(r)) return;
  r->at.phase++;
  r->at.phase_epoch = r->at.epoch;
  r->at.before += r->at.step;
  r->at.step = 0;
  r->at.states = 0; /* the checkpoint that is written now begins the next phase: it has no state of an optimizer yet */
  run_begin_course(r);
}
