#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "train/run.h"

static int save_last(run *r, um_error *err) {
  char path[4096];
  const double start = um_seconds();
  int status = run_path(r, path, "last.safetensors", err);
  if (!status) status = um_checkpoint_save(path, r->model, &r->preprocess, &r->at, err);
  r->speed_now.v[SPEED_SAVING] += um_seconds() - start;
  if (status == UM_ENUMERIC)
    return um_fail_context(err,
                           "after epoch %d, step %" PRId64 " in all, the model has diverged (a lower optimizer.learning_rate may help)",
                           r->at.epoch + (r->at.batch > 0), r->at.before + r->at.step);
  if (status) return status;
  r->saved = r->at;
  r->saved_when = um_seconds();
  return UM_OK;
}

/* The report of the epoch so far into r->at. A number that is not finite ends the run: where, and what may help. */
static int read_report(run *r, lane *l, um_error *err) {
  um_report report;
  int status = lane_read(l, &report, err);
  if (status == UM_ENUMERIC) {
    const int64_t bad = (int64_t)(report.bad_loss != UM_NEVER ? report.bad_loss : report.bad_gradient >> 36);
    char what[256];
    snprintf(what, sizeof what, "%.*s", (int)strcspn(err->text, "("), err->text);
    return um_fail(err, status, "%sat epoch %d, step %" PRId64 " of %d (%" PRId64 " in all); a lower optimizer.learning_rate may help",
                   what, r->at.epoch + 1, bad - r->epoch_first, um_loader_batches(r->loader), r->at.before + bad);
  }
  if (status) return status;
  r->at.step = um_model_steps(r->model);
  r->at.loss_sum = report.loss;
  r->at.correct = report.correct;
  r->at.samples = report.samples;
  return UM_OK;
}

/* So that the sums of an epoch are the same, added in the same order, whether it was stopped in the middle or not. */
static int begin_report(run *r, um_error *err) {
  um_report report;
  um_report_reset(&report);
  report.loss = r->at.loss_sum;
  report.correct = r->at.correct;
  report.samples = r->at.samples;
  r->epoch_first = um_model_steps(r->model) - r->at.batch;
  return um_model_set_report(r->model, &report, err);
}

/* Says once that the pictures come too slowly, and what to do about it. */
static void note_waiting(const run *r, double waited, double took) {
  if (took < 10 || waited < 0.2 * took) return;
  um_log_once(UM_LOG_INFO, "%.0f %% of the time went by in waiting for pictures: more data.workers%s may help", 100 * waited / took,
              r->config.data.cache_bytes > 0 ? "" : ", or a data.cache (\"2G\")");
}

/* One batch into the lane; every now and then a look at how it goes. */
static int push(run *r, lane *l, progress *p, int *pushed, um_error *err) {
  um_batch *b = NULL;
  int status = um_loader_next(r->loader, &b, err);
  if (status) return status;
  if (!b || b->epoch != r->at.epoch || b->index != r->at.batch)
    return um_fail(err, UM_EINTERNAL, "expected batch %d of epoch %d from the loader", r->at.batch, r->at.epoch);
  *pushed += b->n;
  if (r->picture_due && b->n > 0) {
    status = run_write_picture(r, b, err);
    r->picture_due = false;
    if (!status) run_board_picture(r);
  }
  if (status)
    um_loader_return(r->loader, b);
  else
    status = lane_push(l, b, true, err);
  run_name_skips(r->loader, &r->train, &r->train_skips);
  if (status) return status;
  r->at.batch++;
  if (!lane_due(l) && r->at.batch < um_loader_batches(r->loader) && !stop_wanted()) return UM_OK;
  if ((status = read_report(r, l, err))) return status;
  run_board_steps(r);
  if (r->at.samples > 0)
    progress_show(p, r->at.batch, *pushed, r->at.loss_sum / (double)r->at.samples, (double)r->at.correct / (double)r->at.samples);
  *pushed = 0;
  return UM_OK;
}

/* The steps of an epoch from r->at on. */
static int train_epoch(run *r, um_error *err) {
  int batches = um_loader_batches(r->loader), status, pushed = 0;
  double before = r->at.seconds, start = um_seconds();
  const double minutes = r->config.checkpoint_minutes;
  lane l = {.run = r, .loader = r->loader};
  um_loader_stats stats;
  progress p;

  um_loader_stats_of(r->loader, &stats);
  double waited = stats.wait_seconds;
  if ((status = begin_report(r, err))) return status;
  const int64_t done = r->at.samples;
  run_board_begin_epoch(r);
  r->preprocess.calibration = (um_calibration){0}; /* the last epoch's is not that of the weights any more */

  progress_begin(&p, "", batches, r->at.batch);
  while (r->at.batch < batches && !status) {
    status = push(r, &l, &p, &pushed, err);
    r->at.seconds = before + um_seconds() - start;
    if (status) break;
    const bool due = minutes > 0 && um_seconds() - r->saved_when >= 60 * minutes;
    if (due || stop_wanted()) status = read_report(r, &l, err);
    if (!status && stop_wanted())
      status = um_fail(err, UM_EINTERRUPTED, "stopped after epoch %d, step %d of %d", r->at.epoch + 1, r->at.batch, batches);
    else if (!status && due)
      status = save_last(r, err);
  }
  for (int slot = 0; slot < um_model_slots(r->model); slot++) lane_free(&l, slot, NULL);
  if (status) return status;
  um_loader_stats_of(r->loader, &stats);
  const double took = um_seconds() - start;
  double *v = r->speed_now.v;
  v[SPEED_PICTURES] = (double)(r->at.samples - done);
  v[SPEED_STEPS] = took - v[SPEED_SAVING];
  v[SPEED_WAIT] = stats.wait_seconds - waited;
  v[SPEED_FEED] = l.feed, v[SPEED_COMPUTE] = l.compute;
  note_waiting(r, v[SPEED_WAIT], took);
  if (r->at.samples == 0) return um_fail(err, UM_EFORMAT, "none of the %d training pictures could be read", r->train.count);
  return UM_OK;
}

/* The map to probabilities and the thresholds for this epoch's model, which is about to be saved. */
static int calibrate(run *r, const um_findings *f, um_error *err) {
  const um_subjects *s = &f->subjects;
  double *raw = malloc(((size_t)s->count + 1) * sizeof *raw);
  bool *fake = malloc(((size_t)s->count + 1) * sizeof *fake);
  int status = raw && fake ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for the scores of %d videos", s->count);
  for (int i = 0; !status && i < s->count; i++) raw[i] = s->at[i].score, fake[i] = s->at[i].fake;
  if (!status)
    status = um_calibration_fit(&r->preprocess.calibration, r->epoch_note, sizeof r->epoch_note, &r->config.calibration, raw, fake,
                                s->count, err);
  free(raw), free(fake);
  return status;
}

/* What the held-out part says of the epoch's model: the numbers of its history, and all others. */
static int validate(run *r, history_row *row, um_findings *found, um_error *err) {
  const bool people = r->preprocess.faces.choice == UM_FACES_ALL;
  run_scores scores;
  int status = run_validate(r, row, &scores, err);
  if (status || !r->validator) return status;
  status = run_judge(found, r, &r->validation, &scores, err);
  run_scores_free(&scores);
  if (!status) status = calibrate(r, found, err);
  return status ? status : validation_add(&r->judged, row->epoch, found, &r->preprocess.calibration, people, err);
}

static void say_epoch(const run *r, const history_row *row, const um_findings *found) {
  char took[32], auc[64] = "";
  duration_text(row->seconds, took, sizeof took);
  um_log_progress(true, "%s - loss %.4f - accuracy %.4f", took, row->loss, row->accuracy);
  if (!r->validator) return;
  const double by_video = found->all.video.measures.value[UM_AUC];
  if (isfinite(row->val_auc)) snprintf(auc, sizeof auc, " - val_auc %.4f", row->val_auc);
  if (isfinite(by_video) && found->all.video.count < found->all.frame.count)
    snprintf(auc, sizeof auc, " - val_auc %.4f (video %.4f)", row->val_auc, by_video);
  um_log_progress(true, "%*s - val_loss %.4f - val_accuracy %.4f%s", (int)strlen(took), "", row->val_loss, row->val_accuracy, auc);
}

/* The files about all epochs. */
static int write_course(run *r, const history_row *row, um_error *err) {
  char path[4096], title[300];
  int status = history_add(&r->history, row, err);
  if (status) return status;
  if ((status = run_path(r, path, "history.csv", err)) || (status = history_write(&r->history, path, err))) return status;
  snprintf(title, sizeof title, "%s: %d of %d epochs", r->name, row->epoch, run_epochs(r));
  if ((status = history_draw(&r->history, title, r->out, err))) return status;
  if (!r->validator) return UM_OK;
  status = run_path(r, path, "validation.csv", err);
  return status ? status : validation_write(&r->judged, path, err);
}

/* Validation, then the files, in an order that a stop between any two of them does no harm to: an epoch that last.safetensors does
 * not hold is done again and writes the same. But for speed.csv, which comes last and may then lack an epoch that is done. started: of
 * the epoch, um_seconds. */
static int end_epoch(run *r, double started, um_error *err) {
  char path[4096], took[32];
  double start = um_seconds(), n = (double)r->at.samples;
  history_row row = {.epoch = r->at.epoch + 1, .learning_rate = run_rate(r, um_model_steps(r->model) - 1)};
  um_findings found = {0};
  int status = validate(r, &row, &found, err);
  if (status) goto done;

  const double validated = um_seconds();
  r->speed_now.v[SPEED_VALIDATION] = validated - start;
  r->at.seconds += validated - start;
  row.loss = r->at.loss_sum / n;
  row.accuracy = (double)r->at.correct / n;
  row.seconds = r->at.seconds;
  say_epoch(r, &row, &found);
  if (r->validator && row.val_loss < r->at.best) {
    if ((status = run_path(r, path, "best.safetensors", err))) goto done;
    if ((status = um_checkpoint_save(path, r->model, &r->preprocess, NULL, err))) goto done;
    r->at.best = row.val_loss;
    r->at.best_epoch = r->at.epoch;
    memcpy(r->best_note, r->epoch_note, sizeof r->best_note);
  }
  run_board_epoch(r, &row, r->validator ? &found : NULL);
  if ((status = write_course(r, &row, err))) goto done;
  r->speed_now.v[SPEED_SAVING] += um_seconds() - validated;

  r->at.epoch++;
  r->at.batch = 0;
  r->at.samples = r->at.correct = 0;
  r->at.loss_sum = r->at.seconds = 0;
  run_end_epoch(r, &row);
  if ((status = save_last(r, err))) goto done;
  speed_end(r, row.epoch, um_seconds() - started);
  speed_say(r, (int)strlen(duration_text(row.seconds, took, sizeof took)));
  run_board_speed(r);
  status = speed_write(r, err);
done:
  um_findings_free(&found);
  return status;
}

static void *host_alloc(void *backend, size_t bytes) {
  um_backend *be = backend;
  void *p = NULL;
  return be->ops->host_alloc(be, &p, bytes, NULL) == UM_OK ? p : NULL;
}
static void host_free(void *backend, void *p) {
  um_backend *be = backend;
  be->ops->host_free(be, p);
}

int run_skipped(const run *r) { return r->train_skips + r->validation_skips + r->test_skips; }

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
  training.balanced = r->config.data.sampling == UM_SAMPLING_BALANCED;
  training.class_weight = r->class_weight;
  training.augmentation = &r->config.augmentation;
  training.first_epoch = r->at.epoch;
  training.first_batch = r->at.batch;
  training.epochs = run_epochs(r);
  o.memory = training.memory = (um_loader_memory){host_alloc, host_free, r->backend};

  /* One cache each, of the sizes of the parts. */
  double share = (double)r->train.count / ((double)r->train.count + r->validation.count);
  training.cache_bytes = (int64_t)((double)o.cache_bytes * share);
  o.cache_bytes -= training.cache_bytes;

  r->saved_when = um_seconds();
  run_read_from(&training, &r->part[0]);
  run_read_from(&o, &r->part[1]);
  if ((status = um_loader_open(&r->loader, &r->train, &training, err))) return status;
  if (r->validation.count > 0 && (status = um_loader_open(&r->validator, &r->validation, &o, err))) return status;
  run_board_open(r);
  while (!run_is_over(r) && !status) {
    if (r->phase != r->at.phase && (status = run_change_phase(r, err))) break;
    um_log_progress(true, "Epoch %d/%d", r->at.epoch + 1, run_epochs(r));
    const double started = um_seconds();
    speed_begin(r);
    status = train_epoch(r, err);
    if (!status) status = end_epoch(r, started, err);
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
