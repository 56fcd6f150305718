#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checkpoint.h"
#include "core/file.h"

int gpu_run_open(gpu_run *r, const gpu_options *o, const gpu_recipe *recipe, um_error *err) {
  const um_model_options options = {.batch = recipe->batch,
                                    .training = recipe->training,
                                    .algorithm = UM_ALGO_DIRECT,
                                    .precision = recipe->precision,
                                    .seed = o->seed,
                                    .optimizer = {.kind = UM_OPT_RMSPROP, .rho = 0.9, .epsilon = 1e-7, .weight_decay = recipe->decay}};
  const size_t pixels = (size_t)recipe->batch * (size_t)recipe->side * (size_t)recipe->side * 3;
  int status;
  *r = (gpu_run){.side = recipe->side,
                 .batch = recipe->batch,
                 .how = {.fill = UM_FILL_NEAREST, .scale = 1 / 255.f},
                 .seed = o->seed,
                 .weighted = recipe->weights};
  if ((status = gpu_open(&r->be, o, recipe->engine, err)) != UM_OK) return status;
  if ((status = gpu_graph_of(&r->graph, recipe->dct, recipe->dropout, o->small, recipe->side, err)) != UM_OK) return status;
  if ((status = um_model_create(&r->model, &r->graph, r->be, &options, err)) != UM_OK) return status;
  for (int s = 0; s < um_model_slots(r->model) && status == UM_OK; s++) {
    void *p = NULL;
    status = r->be->ops->host_alloc(r->be, &p, pixels, err);
    r->pixels[s] = p;
    r->sample[s] = malloc(sizeof *r->sample[s] * (size_t)recipe->batch);
    r->labels[s] = malloc(sizeof *r->labels[s] * (size_t)recipe->batch);
    r->weights[s] = malloc(sizeof *r->weights[s] * (size_t)recipe->batch);
    if (!r->sample[s] || !r->labels[s] || !r->weights[s]) return um_fail(err, UM_ENOMEM, "no memory for a batch of %d", recipe->batch);
  }
  return status == UM_OK ? gpu_init(r->model, o->seed, err) : status;
}

void gpu_run_close(gpu_run *r) {
  um_model_free(r->model);
  um_graph_free(&r->graph);
  for (int s = 0; s < 2; s++) {
    if (r->pixels[s]) r->be->ops->host_free(r->be, r->pixels[s]);
    free(r->sample[s]), free(r->labels[s]), free(r->weights[s]);
  }
  if (r->be) r->be->ops->close(r->be);
  *r = (gpu_run){0};
}

int gpu_run_queue(gpu_run *r, int steps, int64_t n, double rate, bool train, um_error *err) {
  int status = UM_OK;
  for (int i = 0; i < steps && status == UM_OK; i++, r->step++) {
    const int slot = (int)(r->step % um_model_slots(r->model));
    const um_feed feed = {.pixels = r->pixels[slot],
                          .sample = r->sample[slot],
                          .labels = r->labels[slot],
                          .weights = r->weighted ? r->weights[slot] : NULL,
                          .n = n ? n : r->batch,
                          .how = &r->how,
                          .learning_rate = rate};
    if ((status = um_model_fetched(r->model, slot, err)) != UM_OK) return status;
    if (!r->fixed || !r->filled[slot]) {
      gpu_pictures(r->pixels[slot], r->labels[slot], r->seed, r->step * r->batch, r->batch, r->side);
      gpu_samples(r->sample[slot], r->seed, r->step * r->batch, r->batch, r->side);
      for (int64_t k = 0; k < r->batch; k++) r->weights[slot][k] = (float)((r->step * r->batch + k) % 6) / 2;
      r->filled[slot] = true;
    }
    status = um_model_prefetch(r->model, slot, &feed, err);
    if (status == UM_OK) status = um_model_queue(r->model, slot, train, err);
  }
  return status;
}

int gpu_run_train(gpu_run *r, int steps, double rate, int every, double *loss, um_error *err) {
  um_report before, now;
  int status = um_model_report(r->model, &before, err);
  for (int done = 0; done < steps && status == UM_OK;) {
    const int count = steps - done < every ? steps - done : every;
    status = gpu_run_queue(r, count, 0, rate, true, err);
    if (status == UM_OK) status = um_model_report(r->model, &now, err);
    if (status == UM_OK) status = um_model_check(r->model, &now, err);
    if (status == UM_OK && now.samples - before.samples != (int64_t)count * r->batch)
      status = um_fail(err, UM_EINTERNAL, "the report counts %lld samples in %d steps", (long long)(now.samples - before.samples), count);
    if (status == UM_OK && loss) *loss++ = (now.loss - before.loss) / (double)(now.samples - before.samples);
    before = now;
    done += count;
  }
  return status;
}

int gpu_run_digest(gpu_run *r, char text[65], um_error *err) {
  static const char which[] = {'w', 'm', 'v'};
  int count, status;
  const um_param *p = um_model_params(r->model, &count);
  int64_t total = 0;
  for (int i = 0; i < count; i++) total += um_tensor_count(&p[i].plain);
  float *all = calloc((size_t)total * 3, sizeof *all), *at = all;
  uint8_t digest[32];
  if (!all) return um_fail(err, UM_ENOMEM, "no memory for %lld parameters", (long long)total);
  for (int i = 0; i < count; i++)
    for (int k = 0; k < 3; k++, at += um_tensor_count(&p[i].plain)) {
      status = um_model_get(r->model, which[k], i, at, err);
      if (status != UM_OK && status != UM_EUNSUPPORTED) { /* RMSprop has no m */
        free(all);
        return status;
      }
    }
  um_sha256(digest, all, (size_t)total * 3 * sizeof *all);
  free(all);
  for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
  return UM_OK;
}

int gpu_run_save(gpu_run *r, const char *path, um_error *err) {
  const um_preprocess preprocess = {
      .target_size = {r->side, r->side}, .rescale = 1 / 255.0, .faces.detector = "haar", .classes = {"fake", "real"}};
  const um_position at = {.step = um_model_steps(r->model), .states = 2, .best = INFINITY, .best_epoch = -1};
  return um_checkpoint_save(path, r->model, &preprocess, &at, err);
}

int gpu_run_load(gpu_run *r, const char *path, bool training, um_error *err) {
  um_st *st = NULL;
  um_graph g = {0};
  um_preprocess p;
  um_position at;
  int status = um_checkpoint_open(&st, &g, &p, path, err);
  if (status == UM_OK) status = um_checkpoint_load(r->model, st, training ? &at : NULL, err);
  if (status == UM_OK && training) r->step = um_model_steps(r->model);
  um_graph_free(&g);
  um_st_close(st);
  return status;
}

int gpu_run_logits(gpu_run *r, int64_t first, int64_t count, float *logits, um_error *err) {
  const size_t size = (size_t)r->side * (size_t)r->side * 3;
  uint8_t *pixels = malloc(size * (size_t)count);
  float *labels = malloc(sizeof *labels * (size_t)count);
  int status = pixels && labels ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %lld pictures", (long long)count);
  if (status == UM_OK) gpu_pictures(pixels, labels, r->seed, first, count, r->side);
  for (int64_t at = 0; at < count && status == UM_OK; at += r->batch) {
    const int64_t n = count - at < r->batch ? count - at : r->batch;
    status = um_model_feed_pixels(r->model, pixels + size * (size_t)at, NULL, n, &r->how, err);
    if (status == UM_OK) status = um_model_forward(r->model, err);
    if (status == UM_OK) status = um_model_logits(r->model, logits + at, err);
  }
  free(pixels), free(labels);
  return status;
}
