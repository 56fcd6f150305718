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

/* Room for what is kept of each picture. */
typedef struct pass_scores {
  float *logit;
  bool *real;
  int *item;
  int n;
} pass_scores;

static void free_pass(pass_scores *s) {
  free(s->logit);
  free(s->real);
  free(s->item);
}

static int alloc_pass(pass_scores *s, int count, um_error *err) {
  const size_t n = (size_t)count;
  *s = (pass_scores){.logit = malloc(n * sizeof *s->logit), .real = malloc(n * sizeof *s->real), .item = malloc(n * sizeof *s->item)};
  if (s->logit && s->real && s->item) return UM_OK;
  free_pass(s);
  return um_fail(err, UM_ENOMEM, "no memory for the scores of %d pictures", count);
}

void run_scores_free(run_scores *s) {
  free(s->item);
  free(s->score);
  *s = (run_scores){0};
}

/* The AUC, which is the same for either class as the positive one, and P(fake) as infer has it: from its own side of the sigmoid. */
static int finish(double *auc, run_scores *out, const run *r, pass_scores *s, um_error *err) {
  const bool second = um_preprocess_fake(&r->preprocess) == 1;
  double *score = malloc(((size_t)s->n + 1) * sizeof *score);
  if (!score) return um_fail(err, UM_ENOMEM, "no memory for the scores of %d pictures", s->n);
  for (int i = 0; i < s->n; i++) score[i] = 1 / (1 + exp(-(double)s->logit[i]));
  *auc = um_auc(score, s->real, s->n);
  for (int i = 0; !second && i < s->n; i++) score[i] = 1 / (1 + exp((double)s->logit[i]));
  *out = (run_scores){s->item, score, s->n};
  s->item = NULL;
  return UM_OK;
}

static int pass(run *r, lane *l, pass_scores *all, um_report *sums, const um_dataset *d, int *skips, const char *what, um_error *err) {
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
    for (int k = 0; k < b->n; k++, all->n++) all->real[all->n] = b->label[k] > 0.5f, all->item[all->n] = b->item[k];
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

int run_measure(run *r, measures *m, run_scores *scores, um_loader *loader, const um_dataset *d, int *skips, const char *what,
                um_error *err) {
  pass_scores all;
  um_report sums;
  int status;
  *scores = (run_scores){0};
  um_report_reset(&sums);
  if ((status = um_model_set_report(r->model, &sums, err))) return status;
  if ((status = alloc_pass(&all, d->count, err))) return status;
  lane l = {.run = r, .loader = loader, .logits = all.logit};
  status = pass(r, &l, &all, &sums, d, skips, what, err);
  for (int slot = 0; slot < um_model_slots(r->model); slot++) lane_free(&l, slot, NULL);
  if (!status && sums.samples == 0) status = um_fail(err, UM_EFORMAT, "none of the %d %spictures could be read", d->count, what);
  if (!status) status = finish(&m->auc, scores, r, &all, err);
  free_pass(&all);
  if (status) return status;
  m->loss = sums.loss / (double)sums.samples;
  m->accuracy = (double)sums.correct / (double)sums.samples;
  m->pictures = sums.samples;
  return UM_OK;
}

int run_validate(run *r, history_row *row, run_scores *scores, um_error *err) {
  measures m;
  row->val_loss = row->val_accuracy = row->val_auc = NAN;
  *scores = (run_scores){0};
  if (!r->validator) return UM_OK;
  int status = run_measure(r, &m, scores, r->validator, &r->validation, &r->validation_skips, "validation ", err);
  if (status) return status;
  row->val_loss = m.loss, row->val_accuracy = m.accuracy, row->val_auc = m.auc;
  if (isfinite(row->val_loss)) return UM_OK;
  run_scores_free(scores);
  return um_fail(err, UM_ENUMERIC, "the validation loss is %g after epoch %d (step %" PRId64 "); a lower optimizer.learning_rate may help",
                 row->val_loss, r->at.epoch + 1, r->at.before + r->at.step);
}

int run_judge(um_findings *f, const run *r, const um_dataset *d, const run_scores *scores, um_error *err) {
  const int n = scores->n, found = um_preprocess_fake(&r->preprocess), fake = found < 0 ? 0 : found;
  const um_evaluation_settings e = {.rule = um_preprocess_scoring(&r->preprocess),
                                    .calibration = r->preprocess.calibration,
                                    .threshold = .5,
                                    .resamples = r->config.evaluation.resamples,
                                    .by = r->config.evaluation.by[0] ? r->config.evaluation.by : NULL};
  um_scored *scored = malloc(((size_t)n + 1) * sizeof *scored);
  um_person_face *face = malloc(((size_t)n + 1) * sizeof *face);
  int status = scored && face ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for the scores of %d pictures", n);
  for (int i = 0; !status && i < n; i++) {
    const um_item *item = &d->item[scores->item[i]];
    /* A picture among filmed faces has no tracks: each of its faces is a person. */
    face[i] = (um_person_face){.person = item->filmed && item->track < 0 ? item->face : item->track, .score = scores->score[i]};
    scored[i] = (um_scored){.name = item->video ? item->video : item->path,
                            .key = item->path,
                            .group = item->group,
                            .by = item->by,
                            .fake = item->label == fake,
                            .score = NAN,
                            .face = &face[i],
                            .faces = 1};
  }
  if (!status) status = um_findings_make(f, scored, n, &e, err);
  free(scored), free(face);
  return status;
}
