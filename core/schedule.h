/* The learning rate over the steps of a training, and when to end it: Keras 3.8's CosineDecay, PiecewiseConstantDecay, ExponentialDecay,
 * ReduceLROnPlateau and EarlyStopping. Everything is counted from the beginning of a phase (um_phase, core/config.h), as Keras counts
 * from compile and fit. In double, where Keras has floats. */
#ifndef UM_CORE_SCHEDULE_H
#define UM_CORE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum um_schedule_kind {
  UM_SCHEDULE_CONSTANT,
  UM_SCHEDULE_COSINE,
  UM_SCHEDULE_STEP,
  UM_SCHEDULE_EXPONENTIAL,
  UM_SCHEDULE_PLATEAU
} um_schedule_kind;

/* What is looked at after an epoch. */
typedef enum um_monitor { UM_MONITOR_VAL_LOSS, UM_MONITOR_VAL_ACCURACY, UM_MONITOR_VAL_AUC, UM_MONITOR_LOSS } um_monitor;

enum { UM_LIST_MAX = 32 };
typedef struct um_list {
  int count;
  double value[UM_LIST_MAX];
} um_list;

typedef struct um_schedule {
  um_schedule_kind kind;
  /* Warm-up: linear from warmup_from * rate to the rate; the rest is counted from its end. One of the two is 0. */
  int warmup_steps;
  double warmup_epochs, warmup_from;
  int decay_steps;            /* cosine, exponential: the length of the decay; both 0: cosine all of the phase that is left, */
  double decay_epochs;        /* exponential one epoch */
  double alpha;               /* cosine: the last rate, as a share of the first */
  double decay_rate;          /* exponential */
  bool staircase;             /* exponential: in steps of the length */
  double factor;              /* step, plateau */
  int every_epochs;           /* step: by factor, every so many epochs; 0: by boundaries */
  um_list boundaries, values; /* step: values[i] up to and with step boundaries[i] (steps from 0), then values[count] */
  um_monitor monitor;         /* plateau, and what follows */
  int patience, cooldown;
  double min_delta, min_lr;
} um_schedule;

typedef struct um_early_stopping {
  bool on;
  um_monitor monitor;
  int patience;
  double min_delta;
} um_early_stopping;

/* What ReduceLROnPlateau and EarlyStopping keep from epoch to epoch. */
typedef struct um_watch {
  double best;
  int wait, cooldown;
} um_watch;

/* The rate of a step (from 0): rate is the config's, or what the plateau has left of it; a phase has `epochs` of `epoch_steps`. */
double um_schedule_rate(const um_schedule *s, double rate, int64_t step, int64_t epoch_steps, int epochs);
/* Steps of warm-up. */
int64_t um_schedule_warmup(const um_schedule *s, int64_t epoch_steps);
/* Whether the rates of the first steps depend on how many epochs there will be. */
bool um_schedule_needs_epochs(const um_schedule *s);

const char *um_monitor_name(um_monitor m); /* as in history.csv */
/* Whether more of it is better. */
bool um_monitor_rises(um_monitor m);
/* As before the first epoch. */
void um_watch_begin(um_watch *w, um_monitor m);
/* After an epoch with this value of what is monitored: the rate for the next one. */
double um_plateau_rate(um_watch *w, const um_schedule *s, double rate, double value);
/* After an epoch: notes the value; um_early_stopping_due then says whether to stop. */
void um_early_stopping_note(um_watch *w, const um_early_stopping *e, double value);
bool um_early_stopping_due(const um_watch *w, const um_early_stopping *e);

#endif
