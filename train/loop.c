#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "train/run.h"

static int save_last(run *r, um_error *err) {
  char path[4096];
  int status = run_path(r, path, "last.safetensors", err);
  if (!status) status = um_checkpoint_save(path, r->model, &r->preprocess, &r->at, err);
  if (status == UM_ENUMERIC)
    return um_fail_context(err,
                           "after epoch %d, step %" PRId64 " in all, the model has diverged (a lower optimizer.learning_rate may help)",
                           r->at.epoch + (r->at.batch > 0), r->at.step);
  if (status) return status;
  r->saved = r->at;
  r->saved_when = um_seconds();
  return UM_OK;
}

/* A ReLU can hide from the loss that something before it is no number (max(NaN, 0) may be 0), and a step would spread it. */
static int check_gradients(const run *r, const um_batch *b, um_error *err) {
  int count, status;
  const um_param *p = um_model_params(r->model, &count);
  for (int i = 0; i < count; i++) {
    double squares;
    if (!p[i].grad.data) continue;
    if ((status = r->backend->ops->sum_squares(r->backend, &squares, p[i].grad.data, (int64_t)(p[i].grad.bytes / sizeof(float)), err)))
      return status;
    if (!isfinite(squares))
      return um_fail(err, UM_ENUMERIC,
                     "the gradient of %s is not finite at epoch %d, step %d of %d (%" PRId64
                     " in all); a lower optimizer.learning_rate may help",
                     p[i].name, b->epoch + 1, b->index + 1, um_loader_batches(r->loader), r->at.step + 1);
  }
  return UM_OK;
}

/* One batch: forward, backward, one step of the optimizer. The loss is looked at before the weights are touched. */
static int do_step(run *r, um_batch *b, um_error *err) {
  um_loss_sums sums = {0};
  int status;
  if (b->n == 0) return UM_OK; /* all of its pictures were unreadable */
  if ((status = um_model_feed_pixels(r->model, b->pixels, b->sample, b->n, &r->warp, err))) return status;
  if ((status = um_model_forward(r->model, err))) return status;
  if ((status = um_model_backward(r->model, &sums, b->label, err))) return status;
  if (!isfinite(sums.loss))
    return um_fail(err, UM_ENUMERIC,
                   "the loss is %g at epoch %d, step %d of %d (%" PRId64 " in all); a lower optimizer.learning_rate may help",
                   sums.loss / b->n, b->epoch + 1, b->index + 1, um_loader_batches(r->loader), r->at.step + 1);
  if ((status = check_gradients(r, b, err))) return status;
  if ((status = um_model_step(r->model, r->config.optimizer.learning_rate, err))) return status;
  r->at.step = um_model_steps(r->model);
  r->at.loss_sum += sums.loss;
  r->at.correct += sums.correct;
  r->at.samples += b->n;
  return UM_OK;
}

/* Says once that the pictures come too slowly, and what to do about it. */
static void note_waiting(const run *r, double waited, double took) {
  if (took < 10 || waited < 0.2 * took) return;
  um_log_once(UM_LOG_INFO, "%.0f %% of the time went by in waiting for pictures: more data.workers%s may help", 100 * waited / took,
              r->config.data.cache_bytes > 0 ? "" : ", or a data.cache (\"2G\")");
}

/* The steps of an epoch from r->at on. */
static int train_epoch(run *r, um_error *err) {
  int batches = um_loader_batches(r->loader), status = UM_OK;
  double before = r->at.seconds, start = um_seconds();
  um_loader_stats stats;
  progress p;

  um_loader_stats_of(r->loader, &stats);
  double waited = stats.wait_seconds;

  progress_begin(&p, "", batches, r->at.batch);
  while (r->at.batch < batches) {
    um_batch *b = NULL;
    if ((status = um_loader_next(r->loader, &b, err))) return status;
    if (!b || b->epoch != r->at.epoch || b->index != r->at.batch)
      return um_fail(err, UM_EINTERNAL, "expected batch %d of epoch %d from the loader", r->at.batch, r->at.epoch);
    int n = b->n;
    if (r->picture_due && n > 0) {
      status = run_write_picture(r, b, err);
      r->picture_due = false;
    }
    if (!status) status = do_step(r, b, err);
    um_loader_return(r->loader, b);
    run_name_skips(r->loader, &r->train, &r->train_skips);
    if (status) return status;
    r->at.batch++;
    r->at.seconds = before + um_seconds() - start;
    if (r->at.samples > 0)
      progress_show(&p, r->at.batch, n, r->at.loss_sum / (double)r->at.samples, (double)r->at.correct / (double)r->at.samples);
    if (stop_wanted()) return um_fail(err, UM_EINTERRUPTED, "stopped after epoch %d, step %d of %d", r->at.epoch + 1, r->at.batch, batches);
    double minutes = r->config.checkpoint_minutes;
    if (minutes > 0 && um_seconds() - r->saved_when >= 60 * minutes && (status = save_last(r, err))) return status;
  }
  um_loader_stats_of(r->loader, &stats);
  note_waiting(r, stats.wait_seconds - waited, um_seconds() - start);
  if (r->at.samples == 0) return um_fail(err, UM_EFORMAT, "none of the %d training pictures could be read", r->train.count);
  return UM_OK;
}

/* Validation, then the files, in an order that a stop between any two of them does no harm to: an epoch that last.safetensors does
 * not hold is done again and writes the same. */
static int end_epoch(run *r, um_error *err) {
  char path[4096], took[32], title[300];
  double start = um_seconds(), n = (double)r->at.samples;
  history_row row = {.epoch = r->at.epoch + 1, .learning_rate = r->config.optimizer.learning_rate};
  int status = run_validate(r, &row, err);
  if (status) return status;

  r->at.seconds += um_seconds() - start;
  row.loss = r->at.loss_sum / n;
  row.accuracy = (double)r->at.correct / n;
  row.seconds = r->at.seconds;
  duration_text(row.seconds, took, sizeof took);
  if (r->validator)
    um_log_progress(true, "%s - loss %.4f - accuracy %.4f - val_loss %.4f - val_accuracy %.4f", took, row.loss, row.accuracy, row.val_loss,
                    row.val_accuracy);
  else
    um_log_progress(true, "%s - loss %.4f - accuracy %.4f", took, row.loss, row.accuracy);

  if (r->validator && row.val_loss < r->at.best) {
    if ((status = run_path(r, path, "best.safetensors", err))) return status;
    if ((status = um_checkpoint_save(path, r->model, &r->preprocess, NULL, err))) return status;
    r->at.best = row.val_loss;
    r->at.best_epoch = r->at.epoch;
  }
  if ((status = history_add(&r->history, &row, err))) return status;
  if ((status = run_path(r, path, "history.csv", err)) || (status = history_write(&r->history, path, err))) return status;
  snprintf(title, sizeof title, "%s: %d of %d epochs", r->name, row.epoch, r->config.epochs);
  if ((status = run_path(r, path, "history.svg", err)) || (status = history_draw(&r->history, title, path, err))) return status;

  r->at.epoch++;
  r->at.batch = 0;
  r->at.samples = r->at.correct = 0;
  r->at.loss_sum = r->at.seconds = 0;
  return save_last(r, err);
}

int run_skipped(const run *r) { return r->train_skips + r->validation_skips; }

int run_train(run *r, um_error *err) {
  int status = UM_OK;
  um_loader_options o = {.batch_size = r->config.data.batch_size,
                         .height = r->config.data.target_size[0],
                         .width = r->config.data.target_size[1],
                         .interpolation = r->config.data.interpolation,
                         .seed = r->config.seed,
                         .workers = r->config.data.workers,
                         .cache_bytes = r->config.data.cache_bytes};
  um_loader_options training = o;
  training.shuffle = r->config.data.shuffle;
  training.augmentation = &r->config.augmentation;
  training.first_epoch = r->at.epoch;
  training.first_batch = r->at.batch;
  training.epochs = r->config.epochs;

  /* One cache each, of the sizes of the parts. */
  double share = (double)r->train.count / ((double)r->train.count + r->validation.count);
  training.cache_bytes = (int64_t)((double)o.cache_bytes * share);
  o.cache_bytes -= training.cache_bytes;

  r->saved_when = um_seconds();
  if ((status = um_loader_open(&r->loader, &r->train, &training, err))) return status;
  if (r->validation.count > 0 && (status = um_loader_open(&r->validator, &r->validation, &o, err))) return status;
  while (r->at.epoch < r->config.epochs && !status) {
    um_log_progress(true, "Epoch %d/%d", r->at.epoch + 1, r->config.epochs);
    status = train_epoch(r, err);
    if (!status) status = end_epoch(r, err);
  }
  if (status == UM_EINTERRUPTED) {
    um_error why = {0};
    int saved = save_last(r, &why);
    if (!saved) return status;
    um_log(UM_LOG_ERROR, "%s", err->text);
    *err = why;
    return saved;
  }
  return status;
}
