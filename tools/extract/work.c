/* One source at a time: walk it, write its crops, note its rows. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "data/draw.h"
#include "tools/extract/extract.h"

typedef struct worker {
  job *j;
  const um_source *source;
  result *result;
  um_video_info info;
  um_image drawn, crop;
  bool write_failed;
} worker;

static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *format, ...) {
  char *out = NULL;
  va_list args;
  va_start(args, format);
  if (vasprintf(&out, format, args) < 0) out = NULL;
  va_end(args);
  return out;
}

/* Lines of finished sources go to stdout in the order of the inputs, whoever finishes first. The caller holds the lock. */
static void print_finished(job *j) {
  for (; j->printed < j->sources->count && j->result[j->printed].done; j->printed++) {
    const um_source *s = &j->sources->item[j->printed];
    const result *r = &j->result[j->printed];
    if (r->code < 0) {
      if (r->code != UM_EINTERRUPTED) um_log(UM_LOG_ERROR, "skipped: %s", r->error.text);
      continue;
    }
    printf("%s: %lld frames read, %lld without a face, %lld faces written", s->path, (long long)r->report.frames,
           (long long)r->report.frames_without_face, (long long)r->report.faces);
    if (r->report.damaged) printf(", %lld damaged packets passed over", (long long)r->report.damaged);
    printf("\n");
    fflush(stdout);
  }
}

/* At most five times a second. The caller holds the lock. */
static void show_progress(job *j) {
  double now = um_seconds(), share = 0;
  int done = 0;
  if (j->o->quiet || now - j->shown < 0.2) return;
  j->shown = now;
  for (int i = 0; i < j->sources->count; i++) share += j->result[i].done ? 1 : j->result[i].share, done += j->result[i].done;
  double spent = now - j->started, left = share > 0 ? spent / share * (j->sources->count - share) : 0;
  um_log_progress(false, "%d of %d inputs, %lld frames, %lld faces, %.1f frames/s, %d:%02d left", done, j->sources->count,
                  (long long)atomic_load(&j->frames), (long long)atomic_load(&j->faces),
                  (double)atomic_load(&j->frames) / (spent > 0 ? spent : 1), (int)left / 60, (int)left % 60);
}

static int write_crop(worker *w, const um_face_frame *frame, int index, um_error *err) {
  const um_face *face = &frame->face[index];
  const options *o = w->j->o;
  const um_source *s = w->source;
  char path[4096], folder[4096];
  int r;
  row line = {{0}};
  if ((r = um_face_crop(&w->crop, frame->image, &face->at, &o->face.settings, err)) < 0) return r;
  line.field[0] = text("%s/%s_%06lld_%02d.png", um_label_name[s->label], s->name, (long long)frame->number, index);
  line.field[1] = text("%s", um_label_name[s->label]);
  line.field[2] = text("%s", s->path);
  line.field[3] = text("%lld", (long long)frame->number);
  line.field[4] = text("%.3f", frame->time_s);
  line.field[5] = text("%ld", lrint(face->at.x));
  line.field[6] = text("%ld", lrint(face->at.y));
  line.field[7] = text("%ld", lrint(face->at.width));
  line.field[8] = text("%ld", lrint(face->at.height));
  line.field[9] = text("%g", face->at.score);
  line.field[10] = face->track >= 0 ? text("%d", face->track) : text("%s", "");
  line.field[11] = text("%s", s->group);
  if (!line.field[0]) r = um_fail(err, UM_ENOMEM, "no memory");
  if (r < 0 || (r = um_path_join(path, sizeof path, o->out, line.field[0], err)) < 0 ||
      (r = um_path_join(folder, sizeof folder, o->out, um_label_name[s->label], err)) < 0) {
    row_free(&line);
    return r;
  }
  if ((w->result->rows.count == 0 && (r = um_mkdirs(folder, err)) < 0) || (r = um_image_write_png(&w->crop, path, err)) < 0) {
    w->write_failed = true;
    row_free(&line);
    return r;
  }
  atomic_fetch_add(&w->j->faces, 1);
  return rows_add(&w->result->rows, &line, err);
}

static int draw(worker *w, const um_face_frame *frame, um_error *err) {
  char path[4096], name[512];
  const size_t bytes = (size_t)frame->width * (size_t)frame->height * 3;
  int r = um_image_alloc(&w->drawn, frame->width, frame->height, err);
  if (r < 0) return r;
  memcpy(w->drawn.pixels, frame->image->pixels, bytes);
  for (int i = 0; i < frame->count; i++) {
    um_crop c;
    um_face_crop_place(&c, &frame->face[i].at, &w->j->o->face.settings);
    um_draw_box(&w->drawn, (int)c.x, (int)c.y, (int)c.width);
  }
  snprintf(name, sizeof name, "%s_%06lld.jpg", w->source->name, (long long)frame->number);
  r = um_path_join(path, sizeof path, w->j->o->draw, name, err);
  if (r == UM_OK && (r = um_image_write_jpeg(&w->drawn, path, 92, err)) < 0) w->write_failed = true;
  return r;
}

static int on_frame(void *arg, const um_face_frame *frame, um_error *err) {
  worker *w = arg;
  job *j = w->j;
  int r = UM_OK;
  if (atomic_load(&interrupted)) return um_fail(err, UM_EINTERRUPTED, "%s: stopped", w->source->path);
  if (atomic_load(&j->failed)) return um_fail(err, UM_EINTERRUPTED, "%s: stopped", w->source->path);
  for (int i = 0; r == UM_OK && i < frame->count; i++) r = write_crop(w, frame, i, err);
  if (r == UM_OK && j->o->draw) r = draw(w, frame, err);
  atomic_fetch_add(&j->frames, 1);
  pthread_mutex_lock(&j->lock);
  if (w->info.duration_s > 0) w->result->share = frame->time_s < w->info.duration_s ? frame->time_s / w->info.duration_s : 1;
  show_progress(j);
  pthread_mutex_unlock(&j->lock);
  return r;
}

/* A source that was not finished leaves no crops behind. */
static void take_back(worker *w) {
  char path[4096];
  for (int i = 0; i < w->result->rows.count; i++)
    if (um_path_join(path, sizeof path, w->j->o->out, w->result->rows.item[i].field[0], NULL) == UM_OK) unlink(path);
  rows_free(&w->result->rows);
}

void *work(void *arg) {
  job *j = arg;
  worker w = {.j = j};
  for (int i; (i = atomic_fetch_add(&j->next, 1)) < j->sources->count;) {
    result *r = &j->result[i];
    w.source = &j->sources->item[i], w.result = r, w.write_failed = false;
    if (atomic_load(&interrupted) || atomic_load(&j->failed))
      r->code = um_fail(&r->error, UM_EINTERRUPTED, "%s: not begun", w.source->path);
    else if (w.source->label < 0)
      r->code =
          um_fail(&r->error, UM_ECONFIG, "%s: not known whether it is fake or real: %s", w.source->path,
                  j->o->labels ? "--labels does not name it" : "give --labels or --label, or put it into a folder named fake or real");
    else
      r->code = um_faces_walk(j->finder, w.source->path, on_frame, &w, &w.info, NULL, &r->report, &r->error);
    if (r->code < 0) take_back(&w);
    pthread_mutex_lock(&j->lock);
    if (w.write_failed && !atomic_exchange(&j->failed, true)) j->error = r->error;
    r->done = true;
    print_finished(j);
    pthread_mutex_unlock(&j->lock);
  }
  um_image_free(&w.drawn);
  um_image_free(&w.crop);
  return NULL;
}
