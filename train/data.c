/* What a run learns from, is validated on and tested on: folders of pictures, or of videos whose faces are cut out on the way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "data/manifest.h"
#include "data/sets/sets.h"
#include "train/run.h"

/* ---- videos ---- */

static void show_listing(void *arg, int done, int count, int64_t faces) {
  (void)arg;
  um_log_progress(false, "faces of videos: %d of %d videos, %lld faces", done, count, (long long)faces);
}

static bool holds_videos(const char *dir) {
  um_sources s;
  bool videos = false, pictures = false;
  if (um_sources_collect(&s, &dir, 1, NULL) < 0) return false;
  for (int i = 0; i < s.count; i++) {
    const um_ending ending = um_ending_of(s.item[i].path);
    videos |= ending == UM_ENDING_VIDEO;
    pictures |= ending == UM_ENDING_PICTURE;
  }
  um_sources_free(&s);
  return videos && !pictures;
}

/* How faces of videos are cut: as the config says; "auto": by the best detector that is here, with what goes best with it where the config
 * leaves the rest as it is by default. */
static void settle_faces(run *r) {
  um_face_settings *s = &r->config.faces, plain;
  um_face_settings_recipe(&plain);
  if (strcmp(s->detector, "auto") != 0) return;
  snprintf(s->detector, sizeof s->detector, "%s", plain.detector);
  const bool untouched = um_face_settings_same(s, &plain);
  snprintf(s->detector, sizeof s->detector, "%s", um_detector_best());
  if (untouched) um_face_settings_usual(s, um_detector_best());
}

static int open_videos(um_dataset *d, run *r, run_videos *v, const char *dir, um_error *err) {
  const um_data_config *c = &r->config.data;
  um_set_report report = {0};
  char cache[4096], *text = NULL;
  int status = um_sets_scan(&v->sources, &report, c->dataset, dir, NULL, err);
  if (status && strcmp(c->dataset, "auto") == 0) um_fail_context(err, "data.dataset=auto");
  if (!status) status = um_set_report_text(&text, &v->sources, &report, err);
  if (!status) um_log_progress(true, "%s", text);
  free(text);
  um_set_report_free(&report);
  if (!status && c->video_cache_dir[0]) snprintf(cache, sizeof cache, "%s", c->video_cache_dir);
  if (!status && !c->video_cache_dir[0]) status = um_footage_default_dir(cache, sizeof cache, err);
  if (status) return status;
  settle_faces(r);
  const um_footage_options o = {
      .settings = r->config.faces, .cache_dir = cache, .cache_bytes = c->video_cache_bytes, .progress = show_listing};
  if ((status = um_footage_open(&v->footage, &v->sources, &o, err))) return status;
  um_footage_stats stats;
  um_footage_stats_of(v->footage, &stats);
  int skipped = 0;
  for (int i = 0; i < v->sources.count; i++) {
    const char *why = um_footage_skipped(v->footage, i);
    if (why && skipped++ < 10) um_log(UM_LOG_WARN, "%s: left out: %s", v->sources.item[i].path, why);
  }
  if (skipped > 10) um_log(UM_LOG_WARN, "%d videos in all were left out", skipped);
  um_log_progress(true, "Videos      %d faces of %d videos (%s); %d looked at now, %d before; %.1f MB in %s", um_footage_count(v->footage),
                  v->sources.count - skipped, r->config.faces.detector, stats.listed, stats.listed_before, (double)stats.bytes / 1e6,
                  cache);
  return um_footage_dataset(d, v->footage, err);
}

void run_videos_free(run_videos *v) {
  um_footage_close(v->footage);
  um_sources_free(&v->sources);
  *v = (run_videos){0};
}

int run_read_picture(const run_part *p, int item, um_image *im, um_image_buffer *buffer, um_error *err) {
  const um_item *i = &p->d->item[item];
  if (i->filmed) return um_footage_read(p->footage, i->face, im, err);
  return buffer ? um_image_read_with(im, buffer, i->path, err) : um_image_read(im, i->path, err);
}

static int read_hook(void *part, int item, um_image *im, um_error *err) { return run_read_picture(part, item, im, NULL, err); }

void run_read_from(um_loader_options *o, run_part *p) {
  if (!p->footage) return; /* files: the loader's own way keeps its buffers */
  o->read = read_hook;
  o->read_context = p;
}

/* ---- folders ---- */

/* The values of evaluation.by. */
static int take_values(um_dataset *d, const run *r, const run_videos *v, const char *dir, um_error *err) {
  const char *by = r->config.evaluation.by;
  int status;
  if (!*by || d->count == 0) return UM_OK;
  if (strcmp(by, "folder") == 0)
    status = um_dataset_by_folder(d, dir, err);
  else if (v->footage)
    status = um_footage_column(d, v->footage, by, err);
  else
    status = um_manifest_column(d, dir, by, err);
  return status ? um_fail_context(err, "evaluation.by") : UM_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Before hours of training, not after the first epoch. */
static int check_values(const run *r, const um_dataset *d, um_error *err) {
  const char **value = malloc(((size_t)d->count + 1) * sizeof *value);
  int n = 0, different = 0;
  if (!value) return um_fail(err, UM_ENOMEM, "no memory for the values of evaluation.by");
  for (int i = 0; i < d->count; i++)
    if (d->item[i].by && *d->item[i].by) value[n++] = d->item[i].by;
  qsort(value, (size_t)n, sizeof *value, by_text);
  for (int i = 0; i < n; i++) different += i == 0 || strcmp(value[i - 1], value[i]) != 0;
  free(value);
  if (different <= UM_PARTS_MAX) return UM_OK;
  return um_fail(err, UM_ECONFIG, "evaluation.by: expected a column of at most %d different values, found %d in \"%s\"", UM_PARTS_MAX,
                 different, r->config.evaluation.by);
}

static int open_folder(um_dataset *d, run *r, run_videos *v, const char *key, const char *dir, um_error *err) {
  int status;
  if (!um_is_folder(dir)) return um_fail(err, UM_EIO, "%s: %s: no such folder", key, dir);
  status = um_dataset_open(d, dir, err);
  if (status == UM_EFORMAT && holds_videos(dir)) status = open_videos(d, r, v, dir, err);
  if (status) return um_fail_context(err, "%s", key);
  if (r->config.augmentation.self_blend > 0 && (status = um_dataset_expect_fakes(d, err))) return status;
  if (d->classes != 2) {
    char names[256] = "";
    size_t at = 0;
    for (int i = 0; i < d->classes && at < sizeof names; i++)
      at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", d->class_name[i]);
    return um_fail(err, UM_EFORMAT, "%s: %s: found %d class folder%s (%s), expected two, such as fake and real%s", key, dir, d->classes,
                   d->classes == 1 ? "" : "s", names,
                   strcmp(names, "real") == 0 ? "; with real ones alone, augmentation.self_blend=1 makes fakes of them" : "");
  }
  return UM_OK;
}

static int same_classes(const run *r, const um_dataset *d, const char *key, const char *dir, um_error *err) {
  for (int i = 0; i < 2; i++)
    if (strcmp(r->train.class_name[i], d->class_name[i]) != 0)
      return um_fail(err, UM_EFORMAT, "%s: %s: its classes are %s and %s, expected %s and %s as in data.train_dir", key, dir,
                     d->class_name[0], d->class_name[1], r->train.class_name[0], r->train.class_name[1]);
  return UM_OK;
}

/* Self-blended fakes, on the side of the split that their originals are on. Validation measures fakes as they come, and blends only where it has
 * none. */
static int add_blends(run *r, um_error *err) {
  double share = r->config.augmentation.self_blend;
  int status;
  if (share == 0) return UM_OK;
  if ((status = um_dataset_add_blends(&r->train, share, r->config.seed, err))) return status;
  if (r->validation.count == 0 || r->validation.class_count[0] > 0) return UM_OK;
  um_log(UM_LOG_WARN, "no fakes are held out: validation is on self-blended ones, which says how well those are told apart, not others");
  return um_dataset_add_blends(&r->validation, 1, r->config.seed, err);
}

static int check_keys(const um_data_config *c, um_error *err) {
  if (!c->train_dir[0])
    return um_fail(err, UM_ECONFIG, "data.train_dir: not set; expected a folder of class folders: --set data.train_dir=DIR");
  if (c->validation_dir[0] && c->validation_split > 0)
    return um_fail(err, UM_ECONFIG, "data.validation_dir and data.validation_split are both set; take one of them out");
  if (c->split_by == UM_SPLIT_PART && (c->validation_dir[0] || c->validation_split > 0))
    return um_fail(err, UM_ECONFIG, "data.split_by: \"part\" takes the dataset's own validation part; take data.%s out",
                   c->validation_dir[0] ? "validation_dir" : "validation_split");
  return UM_OK;
}

/* The test part takes no part in training, nor in the choice of the checkpoint. */
static int open_test(run *r, um_dataset *all, um_error *err) {
  const um_data_config *c = &r->config.data;
  um_dataset of_train;
  int status = um_dataset_take_part(&of_train, all, UM_PART_TEST, err);
  if (status) return status;
  if (!c->test_dir[0]) {
    r->test = of_train;
    return take_values(&r->test, r, &r->videos[0], c->train_dir, err);
  }
  if (of_train.count > 0) um_log(UM_LOG_INFO, "data.train_dir: %d pictures of the part test (manifest.csv) are left out", of_train.count);
  um_dataset_free(&of_train);
  status = open_folder(&r->test, r, &r->videos[2], "data.test_dir", c->test_dir, err);
  return status ? status : take_values(&r->test, r, &r->videos[2], c->test_dir, err);
}

static int open_validation_dir(run *r, um_error *err) {
  const char *dir = r->config.data.validation_dir;
  um_dataset_free(&r->validation);
  int status = open_folder(&r->validation, r, &r->videos[1], "data.validation_dir", dir, err);
  if (!status) status = um_dataset_limit(&r->validation, r->config.data.max_per_class, r->config.seed, err);
  if (!status) status = same_classes(r, &r->validation, "data.validation_dir", dir, err);
  if (!status) status = take_values(&r->validation, r, &r->videos[1], dir, err);
  if (status || r->force) return status;
  int of_test = 0;
  for (int i = 0; i < r->validation.count; i++) of_test += r->validation.item[i].part == UM_PART_TEST;
  if (of_test == 0) return UM_OK;
  return um_fail(err, UM_EFORMAT,
                 "data.validation_dir: %s: %d of its %d pictures are of the dataset's test part (manifest.csv), which may not choose the "
                 "checkpoint; give them as data.test_dir, or --force",
                 dir, of_test, r->validation.count);
}

int run_open_data(run *r, um_error *err) {
  const um_data_config *c = &r->config.data;
  um_dataset all = {0};
  int status = check_keys(c, err);

  if (status) return status;
  if ((status = open_folder(&all, r, &r->videos[0], "data.train_dir", c->train_dir, err))) goto done;
  if ((status = open_test(r, &all, err))) goto done;
  if ((status = um_dataset_limit(&all, c->max_per_class, r->config.seed, err))) goto done;
  if ((status = um_dataset_split(&r->train, &r->validation, &all, c->validation_split, c->split_by, r->config.seed, err))) goto done;
  status = c->validation_dir[0] ? open_validation_dir(r, err) : take_values(&r->validation, r, &r->videos[0], c->train_dir, err);
  if (status) goto done;
  if (r->test.count > 0 && (status = same_classes(r, &r->test, "data.test_dir", c->test_dir, err))) goto done;
  if ((status = add_blends(r, err))) goto done;
  if ((status = check_values(r, &r->validation, err)) || (status = check_values(r, &r->test, err))) goto done;
  for (int i = 0; i < 2; i++) {
    if (strlen(r->train.class_name[i]) >= sizeof r->preprocess.classes[i]) {
      status = um_fail(err, UM_EFORMAT, "%s: the class folder's name %.80s... is too long", c->train_dir, r->train.class_name[i]);
      goto done;
    }
    snprintf(r->preprocess.classes[i], sizeof r->preprocess.classes[i], "%s", r->train.class_name[i]);
  }
  r->part[0] = (run_part){.d = &r->train, .footage = r->videos[0].footage};
  r->part[1] = (run_part){.d = &r->validation, .footage = r->videos[c->validation_dir[0] ? 1 : 0].footage};
  r->part[2] = (run_part){.d = &r->test, .footage = r->videos[c->test_dir[0] ? 2 : 0].footage};
done:
  um_dataset_free(&all);
  return status;
}
