#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

#include "core/file.h"
#include "core/log.h"
#include "train/run.h"
#include "weights/weights.h"

int run_path(const run *r, char path[4096], const char *name, um_error *err) { return um_path_join(path, 4096, r->out, name, err); }

/* Names within their folder, labels, which part: what must be the same for a run to go on. */
static int digest_data(run *r, um_error *err) {
  const um_dataset *part[2] = {&r->train, &r->validation};
  const char *dir[2] = {r->config.data.train_dir,
                        r->config.data.validation_dir[0] ? r->config.data.validation_dir : r->config.data.train_dir};
  uint8_t digest[32];
  size_t size = 0, at = 0;
  char *text;
  for (int p = 0; p < 2; p++)
    for (int i = 0; i < part[p]->count; i++) size += strlen(part[p]->item[i].path) + 4;
  text = malloc(size + 1);
  if (!text) return um_fail(err, UM_ENOMEM, "no memory for the names of %d pictures", r->train.count + r->validation.count);
  for (int p = 0; p < 2; p++)
    for (int i = 0; i < part[p]->count; i++) {
      const char *path = part[p]->item[i].path;
      size_t n = strlen(dir[p]);
      if (strncmp(path, dir[p], n) == 0) path += n;
      while (*path == '/') path++;
      at += (size_t)snprintf(text + at, size + 1 - at, "%d%d%s\n", p, part[p]->item[i].label, path);
    }
  um_sha256(digest, text, at);
  free(text);
  for (int i = 0; i < 32; i++) snprintf(r->digest + 2 * i, 3, "%02x", digest[i]);
  return UM_OK;
}

/* How extract cut the faces of train_dir: extract.json there or one folder above. False where there is none. */
static int read_extract(um_face_settings *s, bool *found, const char *dir, um_error *err) {
  static const char *const where[] = {"extract.json", "../extract.json"};
  char path[4096];
  *found = false;
  for (int i = 0; i < 2; i++) {
    int status = um_path_join(path, sizeof path, dir, where[i], err);
    if (status) return status;
    if (!um_is_file(path)) continue;
    *found = true;
    return um_face_settings_read(s, path, err);
  }
  return UM_OK;
}

static int fill_faces(run *r, um_error *err) {
  um_face_settings *s = &r->preprocess.faces, cut;
  bool found;
  int status = read_extract(&cut, &found, r->config.data.train_dir, err);
  if (status) return status;
  *s = r->config.faces;
  if (strcmp(s->detector, "auto") == 0 && found) *s = cut;
  um_face_settings_settle(s);
  if (found && !um_face_settings_same(s, &cut))
    um_log(UM_LOG_WARN, "faces: the config says otherwise than %s was cut (extract.json); infer will cut faces as the config says",
           r->config.data.train_dir);
  return UM_OK;
}

static int fill_preprocess(run *r, um_error *err) {
  const um_config *c = &r->config;
  um_preprocess *p = &r->preprocess;
  p->target_size[0] = c->data.target_size[0], p->target_size[1] = c->data.target_size[1];
  p->interpolation = c->data.interpolation;
  p->rescale = c->data.rescale;
  p->preprocessing = c->data.preprocessing;
  p->scoring = c->scoring;
  um_preprocess_warp(&r->warp, p);
  r->warp.fill = c->augmentation.fill_mode;
  r->warp.cval = (float)c->augmentation.cval;
  return fill_faces(r, err);
}

static int open_device(run *r, const char *device, int threads, bool verbose, um_error *err) {
  static const char *const names[] = {"fp32", "tf32", "bf16"};
  const um_config *c = &r->config;
  const um_backend_options o = {
      .device = device, .threads = threads, .engine = c->engine, .workspace_limit = (size_t)c->workspace_limit, .verbose = verbose};
  um_dtype activations;
  int status = um_backend_open_with(&r->backend, &o, err);
  if (status) return status;
  if (!r->backend->ops->precision(r->backend, c->precision, &activations))
    return um_fail(err, UM_ECONFIG, "%s: precision: the device %s computes in \"fp32\" only, got \"%s\"; --set precision=fp32", r->name,
                   r->backend->ops->name, names[c->precision]);
  r->memory_free = r->backend->ops->memory_free(r->backend);
  return UM_OK;
}

/* Said before hours of work and not in the middle of it: what is needed, what there is, and what would do. */
static int check_memory(const run *r, const um_model_options *o, um_error *err) {
  const um_model_memory *m = &r->memory;
  int64_t fits = 0;
  if (r->memory_free == 0 || m->total <= r->memory_free) return UM_OK;
  int status = um_model_fit(&fits, &r->graph, r->backend, o, r->memory_free, err);
  if (status) return status;
  if (fits == 0)
    return um_fail(err, UM_ENOMEM,
                   "%s: the model needs %.0f MB and the device has %.0f MB free: not even one picture at a time fits; take a "
                   "smaller data.target_size",
                   r->name, (double)m->total / 1e6, (double)r->memory_free / 1e6);
  return um_fail(err, UM_ENOMEM,
                 "%s: data.batch_size: %d needs %.0f MB and the device has %.0f MB free; the largest that fits is %d: --set "
                 "data.batch_size=%d",
                 r->name, r->config.data.batch_size, (double)m->total / 1e6, (double)r->memory_free / 1e6, (int)fits, (int)fits);
}

/* For the phase that needs the most. Each phase's layers are looked up by it, too. */
static int measure_phases(run *r, um_error *err) {
  for (int i = r->at.phase; i < r->config.phases; i++) {
    um_model_memory m;
    um_model_options o = r->options;
    o.trainable = r->config.phase[i].trainable;
    int status = um_model_measure(&m, &r->graph, r->backend, &o, err);
    if (!status && m.total > r->memory.total) {
      r->memory = m;
      status = check_memory(r, &o, err);
    }
    if (status && r->config.phases_given) um_fail_context(err, "phases[%d]", i);
    if (status) return status;
  }
  return UM_OK;
}

/* Known before anything that takes long. */
static int find_weights(run *r, um_error *err) {
  const um_config *c = &r->config;
  if (r->resumed || !c->weights[0]) return UM_OK;
  if (strcmp(c->weights, "imagenet") == 0) return um_weights_find(r->weights, sizeof r->weights, c->weights, c->backbone, err);
  if (!um_is_file(c->weights))
    return um_fail(err, UM_EIO, "model.weights: %s: no such file; expected \"imagenet\", a weights file, or null for random weights",
                   c->weights);
  snprintf(r->weights, sizeof r->weights, "%s", c->weights);
  return UM_OK;
}

int run_prepare(run *r, const char *device, int threads, bool verbose, um_error *err) {
  um_config *c = &r->config;
  int status;

  if ((status = um_config_graph(&r->graph, &r->backbone_last, c, err))) return um_fail_context(err, "%s", r->name);
  if ((status = open_device(r, device, threads, verbose, err))) return status;
  if ((status = find_weights(r, err))) return status;
  if ((status = run_open_data(r, err))) return status;
  if ((status = digest_data(r, err))) return status;
  const char *const names[] = {r->train.class_name[0], r->train.class_name[1]};
  double weight[2];
  if ((status = um_config_class_weights(weight, c, names, r->train.class_count, err))) return status;
  for (int i = 0; i < 2; i++) r->class_weight[i] = (float)weight[i];
  if ((status = run_check_course(r, err))) return status;
  if ((status = fill_preprocess(r, err))) return status;
  if (r->resumed && (status = run_read_position(r, err))) return status;
  r->options = (um_model_options){
      .batch = c->data.batch_size, .training = true, .algorithm = c->algorithm, .precision = c->precision, .optimizer = c->optimizer};
  run_take_phase(r);
  if ((status = measure_phases(r, err))) return status;
  return UM_OK;
}

/* A run that finds no room for its first checkpoint has worked for nothing: better said before. */
static int check_room(const run *r, um_error *err) {
  struct statvfs fs;
  double last = (double)r->memory.parameters + (double)r->memory.optimizer, need = last + (double)r->memory.parameters;
  if (!r->resumed) need += last; /* an old file stays until the new one is complete */
  if (statvfs(r->out, &fs) != 0) return UM_OK;
  double free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
  if (free_bytes >= need) return UM_OK;
  return um_fail(err, UM_EIO, "%s: %.0f MB are free there, but checkpoints need %.0f MB; make room or take another --out", r->out,
                 free_bytes / 1e6, need / 1e6);
}

int run_check_free(const run *r, um_error *err) {
  static const char *const marks[] = {"last.safetensors", "best.safetensors"};
  char path[4096];
  for (int i = 0; i < 2; i++) {
    int status = run_path(r, path, marks[i], err);
    if (status) return status;
    if (um_is_file(path))
      return um_fail(err, UM_ECONFIG, "%s: already holds a run; go on with it by --resume %s, or take another --out", r->out, r->out);
  }
  return UM_OK;
}

int run_open_folder(run *r, um_error *err) {
  char path[4096], *text = NULL;
  um_writer w;
  int status;

  if ((status = um_mkdirs(r->out, err))) return status;
  um_writer_sweep(r->out);
  if ((status = check_room(r, err))) return status;
  if ((status = run_path(r, path, "config.json", err))) return status;
  if ((status = um_config_to_json(&r->config, &text, err))) return status;
  status = um_writer_open(&w, path, err);
  if (!status) {
    fprintf(w.file, "%s\n", text);
    status = um_writer_commit(&w, err);
  }
  free(text);
  if (status || !r->resumed) return status;

  if ((status = run_path(r, path, "history.csv", err))) return status;
  if (r->at.epoch > 0 && history_read(&r->history, path, r->at.epoch, err) != UM_OK) {
    um_log(UM_LOG_WARN, "%s; the history begins anew", err->text);
    *err = (um_error){0};
  }
  if ((status = run_path(r, path, "validation.csv", err))) return status;
  if (validation_read(&r->judged, path, r->at.epoch, err) != UM_OK) {
    um_log(UM_LOG_WARN, "%s; validation.csv begins anew", err->text);
    *err = (um_error){0};
  }
  if ((status = run_path(r, path, "speed.csv", err))) return status;
  if (speed_read(&r->speed, path, r->at.epoch, err) != UM_OK) {
    um_log(UM_LOG_WARN, "%s; speed.csv begins anew", err->text);
    *err = (um_error){0};
  }
  return UM_OK;
}

void run_free(run *r) {
  um_loader_close(r->loader);
  um_loader_close(r->validator);
  um_model_free(r->model);
  um_graph_free(&r->graph);
  if (r->backend) r->backend->ops->close(r->backend);
  run_board_close(r);
  for (int i = 0; i < RUN_PARTS; i++) run_videos_free(&r->videos[i]);
  um_dataset_free(&r->train);
  um_dataset_free(&r->validation);
  um_dataset_free(&r->test);
  history_free(&r->history);
  speed_free(&r->speed);
  validation_free(&r->judged);
  um_config_free(&r->config);
}
