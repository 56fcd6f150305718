/* The test part: looked at once, when the model is finished and chosen. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "train/run.h"

/* The weights of best.safetensors, where there is one, into the model, and its calibration. */
static int load_best(run *r, const char *name, um_error *err) {
  um_st *st = NULL;
  um_preprocess p;
  int status = run_open_model(&st, &p, r, name, err);
  if (status) return status;
  status = um_checkpoint_load(r->model, st, NULL, err);
  if (status) um_fail_context(err, "%s/%s", r->out, name);
  if (!status) r->preprocess.calibration = p.calibration;
  um_st_close(st);
  return status;
}

static int write_json(const run *r, const measures *m, const um_findings *f, const char *model, um_error *err) {
  char path[4096], *text = NULL;
  um_writer w = {0};
  cJSON *o = cJSON_CreateObject();
  const int epoch = r->at.best_epoch >= 0 ? r->at.best_epoch + 1 : r->at.epoch;
  if (cJSON_AddStringToObject(o, "model", model) && cJSON_AddNumberToObject(o, "epoch", epoch) &&
      cJSON_AddNumberToObject(o, "pictures", (double)m->pictures) && um_json_put_number(o, "loss", m->loss) &&
      um_json_put_number(o, "accuracy", m->accuracy) && um_json_put_number(o, "auc", m->auc) && um_findings_put(o, f))
    text = um_json_print(o, true);
  cJSON_Delete(o);
  int status = text ? run_path(r, path, "test.json", err) : um_fail(err, UM_ENOMEM, "no memory");
  if (!status) status = um_writer_open(&w, path, err);
  if (!status) {
    fprintf(w.file, "%s\n", text);
    status = um_writer_commit(&w, err);
  }
  um_writer_abandon(&w);
  free(text);
  return status;
}

/* By video, where that is another count than by picture. */
static void say_videos(const um_findings *f) {
  const um_evaluation *v = &f->all.video;
  const um_interval *auc = &v->interval[UM_AUC];
  char interval[48] = "";
  if (v->count == f->all.frame.count || isnan(v->measures.value[UM_AUC])) return;
  if (!isnan(auc->low)) snprintf(interval, sizeof interval, " [%.4f, %.4f]", auc->low, auc->high);
  um_log_progress(true, "      %d videos - auc %.4f%s - equal error rate %.4f", v->count, v->measures.value[UM_AUC], interval,
                  v->measures.value[UM_EQUAL_ERROR_RATE]);
}

int run_test(run *r, um_error *err) {
  const um_data_config *c = &r->config.data;
  const char *model = r->at.best_epoch >= 0 ? "best.safetensors" : "last.safetensors";
  um_loader_options o = {.batch_size = c->batch_size,
                         .height = c->target_size[0],
                         .width = c->target_size[1],
                         .interpolation = c->interpolation,
                         .seed = r->config.seed,
                         .workers = c->workers,
                         .epochs = 1};
  um_loader *loader = NULL;
  measures m;
  run_scores scores = {0};
  um_findings found = {0};
  if (r->test.count == 0) return UM_OK;
  run_read_from(&o, &r->part[2]);
  int status = load_best(r, model, err);
  if (!status) status = um_loader_open(&loader, &r->test, &o, err);
  if (!status) status = run_measure(r, &m, &scores, loader, &r->test, &r->test_skips, "test ", err);
  um_loader_close(loader);
  if (!status) status = run_judge(&found, r, &r->test, &scores, err);
  if (!status) status = write_json(r, &m, &found, model, err);
  if (!status)
    um_log_progress(true, "test: %lld pictures - loss %.4f - accuracy %.4f - auc %.4f (%s)", (long long)m.pictures, m.loss, m.accuracy,
                    m.auc, model);
  if (!status) say_videos(&found);
  um_findings_free(&found);
  run_scores_free(&scores);
  return status;
}
