/* What TensorBoard shows of a run: OUT/tensorboard/{train,validation}, named as Keras' callback names them (epoch_loss, epoch_accuracy
 * ...), loss and accuracy of the steps between two looks at the report, numbers by video (video/auc ...), those of speed.csv (speed/wait
 * ...), and the augmented batch. A resumed run writes further files, in which what it does again has the same numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "data/image.h"
#include "train/events.h"
#include "train/run.h"

enum { TRAIN, VALIDATION, SIDES };

struct board {
  events *side[SIDES];
  double loss; /* sums of the epoch at the last look */
  int64_t correct, samples;
};

void run_board_close(run *r) {
  if (!r->board) return;
  for (int i = 0; i < SIDES; i++) events_close(r->board->side[i]);
  free(r->board);
  r->board = NULL;
}

/* A full disk must not end a training for the sake of curves; that there are none is said. */
static void give_up(run *r, const um_error *why) {
  um_log(UM_LOG_WARN, "no more events for TensorBoard: %s", why->text);
  run_board_close(r);
}

static void flush(run *r) {
  um_error err;
  for (int i = 0; r->board && i < SIDES; i++)
    if (r->board->side[i] && events_flush(r->board->side[i], &err)) give_up(r, &err);
}

void run_board_open(run *r) {
  static const char *const names[SIDES] = {"tensorboard/train", "tensorboard/validation"};
  um_error err = {0};
  if (!r->config.tensorboard) return;
  int status = (r->board = calloc(1, sizeof *r->board)) ? UM_OK : um_fail(&err, UM_ENOMEM, "no memory");
  for (int i = 0; !status && i < (r->validator ? SIDES : 1); i++) {
    char path[4096];
    status = run_path(r, path, names[i], &err);
    if (!status) status = events_open(&r->board->side[i], path, &err);
  }
  if (status) give_up(r, &err);
}

void run_board_begin_epoch(run *r) {
  if (!r->board) return;
  r->board->loss = r->at.loss_sum, r->board->correct = r->at.correct, r->board->samples = r->at.samples;
}

void run_board_steps(run *r) {
  board *b = r->board;
  if (!b || r->at.samples == b->samples) return;
  const double n = (double)(r->at.samples - b->samples);
  const int64_t step = r->at.before + r->at.step;
  events_scalar(b->side[TRAIN], "batch_loss", step, (r->at.loss_sum - b->loss) / n);
  events_scalar(b->side[TRAIN], "batch_accuracy", step, (double)(r->at.correct - b->correct) / n);
  run_board_begin_epoch(r);
}

/* Of the numbers by video, those to look at; what is no number is left out. */
static void put_videos(events *e, int64_t epoch, const um_measures *m) {
  static const um_metric shown[] = {UM_AUC,   UM_AVERAGE_PRECISION, UM_BALANCED_ACCURACY, UM_LOG_LOSS, UM_EQUAL_ERROR_RATE, UM_TPR_AT_5,
                                    UM_BRIER, UM_CALIBRATION_ERROR};
  char tag[64];
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    snprintf(tag, sizeof tag, "video/%s", um_metric_key((int)shown[i]));
    if (!isnan(m->value[shown[i]])) events_scalar(e, tag, epoch, m->value[shown[i]]);
  }
}

void run_board_epoch(run *r, const history_row *row, const um_findings *f) {
  board *b = r->board;
  if (!b) return;
  const int64_t epoch = row->epoch - 1; /* as Keras counts */
  events_scalar(b->side[TRAIN], "epoch_loss", epoch, row->loss);
  events_scalar(b->side[TRAIN], "epoch_accuracy", epoch, row->accuracy);
  events_scalar(b->side[TRAIN], "epoch_learning_rate", epoch, row->learning_rate);
  if (b->side[VALIDATION]) {
    events_scalar(b->side[VALIDATION], "epoch_loss", epoch, row->val_loss);
    events_scalar(b->side[VALIDATION], "epoch_accuracy", epoch, row->val_accuracy);
    events_scalar(b->side[VALIDATION], "epoch_auc", epoch, row->val_auc);
    if (f) put_videos(b->side[VALIDATION], epoch, &f->all.video.measures);
  }
  flush(r);
}

void run_board_speed(run *r) {
  char tag[64];
  if (!r->board) return;
  for (int i = SPEED_EPOCH + 1; i < SPEED_COLUMNS; i++) {
    snprintf(tag, sizeof tag, "speed/%s", speed_column(i));
    if (!isnan(r->speed_now.v[i])) events_scalar(r->board->side[TRAIN], tag, (int64_t)r->speed_now.v[SPEED_EPOCH] - 1, r->speed_now.v[i]);
  }
  flush(r);
}

void run_board_picture(run *r) {
  enum { MOST = 1 << 28 };
  char path[4096], *data = NULL;
  size_t size;
  um_image im = {0};
  um_error err = {0};
  if (!r->board) return;
  int status = run_path(r, path, "augmented.png", &err);
  if (!status) status = um_file_read(&data, &size, path, MOST, &err);
  if (!status) status = um_image_decode(&im, (const uint8_t *)data, size, path, &err);
  if (status)
    give_up(r, &err);
  else
    events_image_png(r->board->side[TRAIN], "augmented", 0, data, size, im.height, im.width);
  um_image_free(&im);
  free(data);
  flush(r);
}
