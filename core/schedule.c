#include "core/schedule.h"

#include <math.h>

static int64_t steps_of(int steps, double epochs, int64_t epoch_steps) { return steps > 0 ? steps : llround(epochs * (double)epoch_steps); }

int64_t um_schedule_warmup(const um_schedule *s, int64_t epoch_steps) { return steps_of(s->warmup_steps, s->warmup_epochs, epoch_steps); }

bool um_schedule_needs_epochs(const um_schedule *s) { return s->kind == UM_SCHEDULE_COSINE && s->decay_steps == 0 && s->decay_epochs == 0; }

/* keras.optimizers.schedules.CosineDecay; t from 0 to 1. */
static double cosine(const um_schedule *s, double t) { return (1 - s->alpha) * 0.5 * (1 + cos(acos(-1) * fmin(t, 1))) + s->alpha; }

static double exponential(const um_schedule *s, double t) { return pow(s->decay_rate, s->staircase ? floor(t) : t); }

/* keras.optimizers.schedules.PiecewiseConstantDecay */
static double piece(const um_schedule *s, int64_t step) {
  int i = 0;
  while (i < s->boundaries.count && (double)step > s->boundaries.value[i]) i++;
  return s->values.value[i];
}

double um_schedule_rate(const um_schedule *s, double rate, int64_t step, int64_t epoch_steps, int epochs) {
  const int64_t warmup = um_schedule_warmup(s, epoch_steps);
  const bool pieces = s->kind == UM_SCHEDULE_STEP && s->boundaries.count > 0;
  if (pieces) rate = s->values.value[0];
  if (step < warmup) {
    const double from = s->warmup_from * rate;
    return from + (rate - from) * ((double)step / (double)warmup);
  }
  step -= warmup;
  int64_t length = steps_of(s->decay_steps, s->decay_epochs, epoch_steps);
  switch (s->kind) {
  case UM_SCHEDULE_COSINE:
    if (um_schedule_needs_epochs(s)) length = epochs * epoch_steps - warmup;
    return rate * cosine(s, length > 0 ? (double)step / (double)length : 1);
  case UM_SCHEDULE_EXPONENTIAL:
    if (length < 1) length = epoch_steps;
    return rate * exponential(s, (double)step / (double)length);
  case UM_SCHEDULE_STEP:
    if (pieces) return piece(s, step);
    return rate * pow(s->factor, (double)(step / (s->every_epochs * epoch_steps)));
  case UM_SCHEDULE_CONSTANT:
  case UM_SCHEDULE_PLATEAU: break;
  }
  return rate;
}

const char *um_monitor_name(um_monitor m) {
  static const char *const names[] = {"val_loss", "val_accuracy", "val_auc", "loss"};
  return names[m];
}

bool um_monitor_rises(um_monitor m) { return m == UM_MONITOR_VAL_ACCURACY || m == UM_MONITOR_VAL_AUC; }

void um_watch_begin(um_watch *w, um_monitor m) { *w = (um_watch){.best = um_monitor_rises(m) ? -INFINITY : INFINITY}; }

static bool better(um_monitor m, double value, double best, double min_delta) {
  return um_monitor_rises(m) ? value > best + min_delta : value < best - min_delta;
}

/* Line by line its on_epoch_end. */
double um_plateau_rate(um_watch *w, const um_schedule *s, double rate, double value) {
  if (w->cooldown > 0) {
    w->cooldown--;
    w->wait = 0;
  }
  if (better(s->monitor, value, w->best, s->min_delta)) {
    w->best = value;
    w->wait = 0;
  } else if (w->cooldown == 0) {
    w->wait++;
    if (w->wait >= s->patience && rate > s->min_lr) {
      rate = fmax(rate * s->factor, s->min_lr);
      w->cooldown = s->cooldown;
      w->wait = 0;
    }
  }
  return rate;
}

void um_early_stopping_note(um_watch *w, const um_early_stopping *e, double value) {
  if (better(e->monitor, value, w->best, e->min_delta)) {
    w->best = value;
    w->wait = 0;
  } else {
    w->wait++;
  }
}

bool um_early_stopping_due(const um_watch *w, const um_early_stopping *e) { return e->on && w->wait > 0 && w->wait >= e->patience; }
