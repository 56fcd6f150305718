#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/log.h"
#include "train/run.h"

void run_name_skips(um_loader *l, const um_dataset *d, int *named) {
  um_loader_stats stats;
  um_loader_stats_of(l, &stats);
  for (; *named < stats.skipped; ++*named) {
    int item = 0;
    const char *reason = um_loader_skipped(l, *named, &item), *path = d->item[item].path;
    /* Most reasons begin with the path. */
    if (reason && strncmp(reason, path, strlen(path)) == 0)
      um_log(UM_LOG_WARN, "skipped: %s", reason);
    else
      um_log(UM_LOG_WARN, "skipped: %s: %s", path, reason ? reason : "unreadable");
  }
}

int run_validate(run *r, history_row *row, um_error *err) {
  double loss = 0;
  int64_t samples = 0, correct = 0;
  int batches, status = UM_OK;
  progress p;

  row->val_loss = row->val_accuracy = NAN;
  if (!r->validator) return UM_OK;
  batches = um_loader_batches(r->validator);
  progress_begin(&p, "validation ", batches, 0);
  for (int i = 0; i < batches; i++) {
    um_batch *b = NULL;
    um_loss_sums sums = {0};
    if (stop_wanted()) return um_fail(err, UM_EINTERRUPTED, "stopped in the validation of epoch %d", r->at.epoch + 1);
    if ((status = um_loader_next(r->validator, &b, err))) return status;
    if (!b) return um_fail(err, UM_EINTERNAL, "the validation pictures ended at batch %d of %d", i, batches);
    int n = b->n;
    if (n > 0) {
      /* No transform: these pictures are scored as infer will. */
      status = um_model_feed_pixels(r->model, b->pixels, NULL, n, &r->warp, err);
      if (!status) status = um_model_forward(r->model, err);
      if (!status) status = um_model_loss(r->model, &sums, b->label, err);
    }
    um_loader_return(r->validator, b);
    run_name_skips(r->validator, &r->validation, &r->validation_skips);
    if (status) return status;
    loss += sums.loss, correct += sums.correct, samples += n;
    if (samples > 0) progress_show(&p, i + 1, n, loss / (double)samples, (double)correct / (double)samples);
  }
  if (samples == 0) return um_fail(err, UM_EFORMAT, "none of the %d validation pictures could be read", r->validation.count);
  row->val_loss = loss / (double)samples;
  row->val_accuracy = (double)correct / (double)samples;
  if (!isfinite(row->val_loss))
    return um_fail(err, UM_ENUMERIC,
                   "the validation loss is %g after epoch %d (step %" PRId64 "); a lower optimizer.learning_rate may help", row->val_loss,
                   r->at.epoch + 1, r->at.step);
  return UM_OK;
}
