/* The model of a run and what is in it: initial weights, those of a file, or a checkpoint. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "train/run.h"
#include "weights/weights.h"

static void list_lines(const char *what, char *const *line, int count) {
  for (int i = 0; i < count; i++) um_log_progress(true, "  %-8s %s", what, line[i]);
}

static int load_weights(run *r, um_error *err) {
  um_weights_report report = {0};
  int status = um_weights_load(r->model, r->weights, r->graph.node[r->backbone_last].name, &report, err);
  if (!status) {
    um_log_progress(true, "Weights     %d tensors loaded, %d skipped, %d fresh (initialised from the seed)", report.loaded_count,
                    report.skipped_count, report.fresh_count);
    um_log_progress(true, "            %s%s%s", report.kind, report.note[0] ? "; " : "", report.note);
    if (strcmp(r->config.weights, "imagenet") == 0 && r->config.data.preprocessing == UM_PREPROCESS_NONE)
      um_log_progress(true,
                      "            Keras trained these on BGR minus the ImageNet mean (data.preprocessing caffe); this run feeds RGB");
    list_lines("loaded", report.loaded, report.loaded_count);
    list_lines("skipped", report.skipped, report.skipped_count);
    list_lines("fresh", report.fresh, report.fresh_count);
  }
  um_weights_report_free(&report);
  return status;
}

/* The structure in the file must be the one that the config makes: a checkpoint of another run could fit by its shapes. */
static int same_graph(const um_graph *a, const um_graph *b, um_error *err) {
  char *x = NULL, *y = NULL;
  int status = um_graph_to_json(a, &x, err);
  if (!status) status = um_graph_to_json(b, &y, err);
  if (!status && strcmp(x, y) != 0) status = um_fail(err, UM_EFORMAT, "its model is not the one of config.json beside it");
  free(x);
  free(y);
  return status;
}

int run_read_position(run *r, um_error *err) {
  char path[4096];
  um_st *st = NULL;
  int status = run_path(r, path, "last.safetensors", err);
  if (status || (status = um_st_open(&st, path, err))) return status;
  status = um_checkpoint_position(&r->at, st, err);
  if (!status && r->at.phase >= r->config.phases)
    status = um_fail(err, UM_EFORMAT, "it is in phase %d of %d of config.json beside it", r->at.phase + 1, r->config.phases);
  if (status) um_fail_context(err, "%s", path);
  um_st_close(st);
  return status;
}

int run_open_model(um_st **st, um_preprocess *p, const run *r, const char *name, um_error *err) {
  char path[4096];
  um_graph graph = {0};
  int status = run_path(r, path, name, err);
  if (!status) status = um_checkpoint_open(st, &graph, p, path, err);
  um_graph_free(&graph);
  return status;
}

static int load_checkpoint(run *r, um_error *err) {
  char path[4096];
  um_st *st = NULL;
  um_graph graph = {0};
  um_preprocess p;
  int status = run_path(r, path, "last.safetensors", err);

  if (status || (status = um_checkpoint_open(&st, &graph, &p, path, err))) return status;
  status = same_graph(&graph, &r->graph, err);
  if (!status) status = um_checkpoint_load(r->model, st, &r->at, err);
  const unsigned states = um_optimizer_states(&r->options.optimizer);
  const bool phase_begins = r->at.phase > 0 && r->at.step == 0 && r->at.states == 0;
  if (!status && r->at.states != states && !phase_begins)
    status = um_fail(err, UM_EFORMAT, "it does not hold the state of the config's optimizer");
  if (status) um_fail_context(err, "%s", path);
  if (!status && strcmp(r->at.data, r->digest) != 0)
    status =
        um_fail(err, UM_EFORMAT,
                "%s: the pictures are not those that the run began with (files were added, removed or renamed); to go on from its weights "
                "with these, begin a new run with --set model.weights=%s",
                r->config.data.train_dir, path);
  um_graph_free(&graph);
  um_st_close(st);
  r->saved = r->at;
  r->at.states = states;
  if (r->at.rate < 0) run_begin_course(r); /* written before there were schedules */
  return status;
}

/* Each phase counts its steps from 1, and drops out differently all the same. */
void run_take_phase(run *r) {
  r->phase = r->at.phase;
  r->options.trainable = run_phase(r)->trainable;
  r->options.seed = r->config.seed + (uint64_t)r->phase * 0x9e3779b97f4a7c15u;
}

int run_change_phase(run *r, um_error *err) {
  um_model_free(r->model);
  r->model = NULL;
  run_take_phase(r);
  int status = um_model_create(&r->model, &r->graph, r->backend, &r->options, err);
  if (!status) status = load_checkpoint(r, err);
  if (!status) run_describe_phase(r);
  return status;
}

int run_load(run *r, um_error *err) {
  int status = um_model_create(&r->model, &r->graph, r->backend, &r->options, err);
  if (status) return status;
  if (r->resumed) return load_checkpoint(r, err);
  r->at = (um_position){.best = INFINITY, .best_epoch = -1, .states = um_optimizer_states(&r->options.optimizer)};
  snprintf(r->at.data, sizeof r->at.data, "%s", r->digest);
  r->saved.epoch = -1;
  run_begin_course(r);
  if ((status = um_model_init(r->model, r->config.seed, err))) return status;
  return r->weights[0] ? load_weights(r, err) : UM_OK;
}
