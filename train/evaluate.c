#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/metrics.h"
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

/* Room for what the AUC needs of each picture. */
typedef struct scores {
  float *logit;
  double *score;
  bool *real;
  int n;
} scores;

static void free_scores(scores *s) {
  free(s->logit);
  free(s->score);
  free(s->real);
}

static int alloc_scores(scores *s, int count, um_error *err) {
  const size_t n = (size_t)count;
  *s = (scores){.logit = malloc(n * sizeof *s->logit), .score = malloc(n * sizeof *s->score), .real = malloc(n * sizeof *s->real)};
  if (s->logit && s->score && s->real) return UM_OK;
  free_scores(s);
  return um_fail(err, UM_ENOMEM, "no memory for the scores of %d pictures", count);
}

/* The same for either class as the positive one. */
static double auc_of(scores *s) {
  for (int i = 0; i < s->n; i++) s->score[i] = 1 / (1 + exp(-(double)s->logit[i]));
  return um_auc(s->score, s->real, s->n);
}

static int pass(run *r, lane *l, scores *all, um_report *sums, const um_dataset *d, int *skips, const char *what, um_error *err) {
  const int batches = um_loader_batches(l->loader);
  int pushed = 0, status = UM_OK;
  progress p;
  progress_begin(&p, what, batches, 0);
  for (int i = 0; i < batches && !status; i++) {
    um_batch *b = NULL;
    if (stop_wanted()) return um_fail(err, UM_EINTERRUPTED, "stopped in the %sof epoch %d", what, r->at.epoch + 1);
    if ((status = um_loader_next(l->loader, &b, err))) return status;
    if (!b) return um_fail(err, UM_EINTERNAL, "the %spictures ended at batch %d of %d", what, i, batches);
    pushed += b->n;
    for (int k = 0; k < b->n; k++) all->real[all->n++] = b->label[k] > 0.5f;
    status = lane_push(l, b, false, err);
    run_name_skips(l->loader, d, skips);
    if (status || (!lane_due(l) && i + 1 < batches)) continue;
    if ((status = look(l, sums, err))) break;
    if (sums->samples > 0)
      progress_show(&p, i + 1, pushed, sums->loss / (double)sums->samples, (double)sums->correct / (double)sums->samples);
    pushed = 0;
  }
  return status;
}

int run_measure(run *r, measures *m, um_loader *loader, const um_dataset *d, int *skips, const char *what, um_error *err) {
  scores all;
  um_report sums;
  int status;
  um_report_reset(&sums);
  if ((status = um_model_set_report(r->model, &sums, err))) return status;
  if ((status = alloc_scores(&all, d->count, err))) return status;
  lane l = {.run = r, .loader = loader, .logits = all.logit};
  status = pass(r, &l, &all, &sums, d, skips, what, err);
  for (int slot = 0; slot < um_model_slots(r->model); slot++) lane_free(&l, slot, NULL);
  if (!status) m->auc = auc_of(&all);
  free_scores(&all);
  if (status) return status;
  if (sums.samples == 0) return um_fail(err, UM_EFORMAT, "none of the %d %spictures could be read", d->count, what);
  m->loss = sums.loss / (double)sums.samples;
  m->accuracy = (double)sums.correct / (double)sums.samples;
  m->pictures = sums.samples;
  return UM_OK;
}

int run_validate(run *r, history_row *row, um_error *err) {
  measures m;
  row->val_loss = row->val_accuracy = row->val_auc = NAN;
  if (!r->validator) return UM_OK;
  int status = run_measure(r, &m, r->validator, &r->validation, &r->validation_skips, "validation ", err);
  if (status) return status;
  row->val_loss = m.loss, row->val_accuracy = m.accuracy, row->val_auc = m.auc;
  if (!isfinite(row->val_loss))
    return um_fail(err, UM_ENUMERIC,
                   "the validation loss is %g after epoch %d (step %" PRId64 "); a lower optimizer.learning_rate may help", row->val_loss,
                   r->at.epoch + 1, r->at.before + r->at.step);
  return UM_OK;
}
