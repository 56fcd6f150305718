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

/* A loss that is not finite comes out at the end, with what to do about it. */
static int look(lane *l, um_report *report, um_error *err) {
  const int status = lane_read(l, report, err);
  return status == UM_ENUMERIC ? UM_OK : status;
}

int run_validate(run *r, history_row *row, um_error *err) {
  lane l = {.run = r, .loader = r->validator};
  int batches, pushed = 0, status;
  um_report sums;
  progress p;

  row->val_loss = row->val_accuracy = NAN;
  if (!r->validator) return UM_OK;
  um_report_reset(&sums);
  if ((status = um_model_set_report(r->model, &sums, err))) return status;
  batches = um_loader_batches(r->validator);
  progress_begin(&p, "validation ", batches, 0);
  for (int i = 0; i < batches && !status; i++) {
    um_batch *b = NULL;
    if (stop_wanted()) status = um_fail(err, UM_EINTERRUPTED, "stopped in the validation of epoch %d", r->at.epoch + 1);
    if (!status) status = um_loader_next(r->validator, &b, err);
    if (!status && !b) status = um_fail(err, UM_EINTERNAL, "the validation pictures ended at batch %d of %d", i, batches);
    if (status) break;
    pushed += b->n;
    status = lane_push(&l, b, false, err);
    run_name_skips(r->validator, &r->validation, &r->validation_skips);
    if (status || (!lane_due(&l) && i + 1 < batches)) continue;
    if ((status = look(&l, &sums, err))) break;
    if (sums.samples > 0) progress_show(&p, i + 1, pushed, sums.loss / (double)sums.samples, (double)sums.correct / (double)sums.samples);
    pushed = 0;
  }
  for (int slot = 0; slot < um_model_slots(r->model); slot++) lane_free(&l, slot, NULL);
  if (status) return status;
  if (sums.samples == 0) return um_fail(err, UM_EFORMAT, "none of the %d validation pictures could be read", r->validation.count);
  row->val_loss = sums.loss / (double)sums.samples;
  row->val_accuracy = (double)sums.correct / (double)sums.samples;
  if (!isfinite(row->val_loss))
    return um_fail(err, UM_ENUMERIC,
                   "the validation loss is %g after epoch %d (step %" PRId64 "); a lower optimizer.learning_rate may help", row->val_loss,
                   r->at.epoch + 1, r->at.step);
  return UM_OK;
}
