/* One input at a time: walk it, write its crops beside the finished ones, keep those of the faces that are kept, put it into the store. */
#include <math.h>
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
  input *in;
  entry now;
  int *track; /* of each of its crops */
  int tracks_room;
  char stage[4096];
  um_video_info info;
  um_image drawn, crop;
  bool write_failed; /* not the input's fault */
  draft draft;
} worker;

/* "x y" of each point in pixels of the crop, or nothing. */
static void add_points(worker *w, const um_face *face) {
  double p[UM_POINTS][2];
  char text[256] = "";
  size_t n = 0;
  if (um_face_crop_points(p, &face->at, &w->j->o->face.settings))
    for (int i = 0; i < UM_POINTS && n < sizeof text; i++)
      n += (size_t)snprintf(text + n, sizeof text - n, "%s%.1f %.1f", i ? " " : "", p[i][0], p[i][1]);
  draft_add(&w->draft, "%s", text);
}

static int note_crop(worker *w, const um_face_frame *frame, const um_face *face, const char *file, um_error *err) {
  const um_source *s = w->source;
  draft *d = &w->draft;
  draft_add(d, "%s/%s", um_label_name[s->label], file);
  draft_add(d, "%s", um_label_name[s->label]);
  draft_add(d, "%s", s->path);
  draft_add(d, "%lld", (long long)frame->number);
  draft_add(d, "%.3f", frame->time_s);
  draft_add(d, "%ld", lrint(face->at.x));
  draft_add(d, "%ld", lrint(face->at.y));
  draft_add(d, "%ld", lrint(face->at.width));
  draft_add(d, "%ld", lrint(face->at.height));
  draft_add(d, "%.4g", face->at.score);
  if (face->track >= 0)
    draft_add(d, "%d", face->track);
  else
    draft_add(d, "%s", "");
  draft_add(d, "%s", s->group);
  draft_add(d, "%s", s->dataset);
  draft_add(d, "%s", s->method);
  draft_add(d, "%s", s->part);
  draft_add(d, "%s", s->quality);
  add_points(w, face);
  char *line = draft_line(d, err);
  if (!line) return err->code;
  if (w->now.crops == w->tracks_room) {
    const int room = w->tracks_room ? 2 * w->tracks_room : 64;
    int *more = realloc(w->track, (size_t)room * sizeof *more);
    if (!more) {
      free(line);
      return um_fail(err, UM_ENOMEM, "%s: no memory for %d faces", s->path, room);
    }
    w->track = more, w->tracks_room = room;
  }
  w->track[w->now.crops] = face->track;
  return entry_add_crop(&w->now, line, err);
}

static int write_crop(worker *w, const um_face_frame *frame, int index, um_error *err) {
  const um_face *face = &frame->face[index];
  const options *o = w->j->o;
  char path[4096], file[320];
  int r;
  if ((r = um_face_crop(&w->crop, frame->image, &face->at, &o->face.settings, err)) < 0) return r;
  snprintf(file, sizeof file, "%s_%06lld_%02d.%s", w->source->name, (long long)frame->number, index, o->format == 1 ? "jpg" : "png");
  if ((r = um_path_join(path, sizeof path, w->stage, file, err)) < 0) return r;
  uint8_t *data;
  size_t size;
  r = o->format == 1 ? um_image_encode_jpeg(&data, &size, &w->crop, o->quality, err) : um_image_encode_png(&data, &size, &w->crop, err);
  if (r == UM_OK) r = um_file_put(path, data, size, err), free(data);
  if (r < 0) {
    w->write_failed = true;
    return r;
  }
  atomic_fetch_add(&w->j->faces, 1);
  return note_crop(w, frame, face, file, err);
}

static int draw(worker *w, const um_face_frame *frame, um_error *err) {
  char path[4096], name[512];
  const size_t bytes = (size_t)frame->width * (size_t)frame->height * 3;
  int r = um_image_alloc(&w->drawn, frame->width, frame->height, err);
  if (r < 0) return r;
  memcpy(w->drawn.pixels, frame->image->pixels, bytes);
  for (int i = 0; i < frame->count; i++) {
    const um_detection *at = &frame->face[i].at;
    double corner[4][2];
    um_crop c;
    um_face_crop_place(&c, at, &w->j->o->face.settings);
    um_face_crop_corners(corner, &c);
    um_draw_outline(&w->drawn, corner);
    for (int k = 0; at->has_points && k < UM_POINTS; k++) um_draw_point(&w->drawn, at->point[k][0], at->point[k][1]);
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
  if (atomic_load(&interrupted) || atomic_load(&j->failed)) return um_fail(err, UM_EINTERRUPTED, "%s: stopped", w->source->path);
  for (int i = 0; r == UM_OK && i < frame->count; i++) r = write_crop(w, frame, i, err);
  if (r == UM_OK && j->o->draw) r = draw(w, frame, err);
  atomic_fetch_add(&j->frames, 1);
  pthread_mutex_lock(&j->lock);
  w->in->duration = w->info.duration_s;
  if (w->info.duration_s > 0) w->in->share = frame->time_s < w->info.duration_s ? frame->time_s / w->info.duration_s : 1;
  show_progress(j);
  pthread_mutex_unlock(&j->lock);
  return r;
}

/* Takes back the crops of faces that turned out to be dropped. */
static void drop(worker *w, const um_tracks *tracks) {
  char path[4096];
  int kept = 0;
  for (int i = 0; i < w->now.crops; i++) {
    char *line = w->now.crop[i];
    if (um_track_kept(tracks, w->track[i])) {
      w->now.crop[kept++] = line;
      continue;
    }
    if (um_path_join(path, sizeof path, w->stage, strchr(line, '/') + 1, NULL) == UM_OK) unlink(path);
    free(line);
  }
  w->now.crops = kept;
}

/* Its line in the ledger. */
static int finish_line(worker *w, outcome st, const char *reason, const um_face_report *r, double seconds, um_error *err) {
  draft *d = &w->draft;
  ledger_begin(d, w->source, outcome_name[st], reason);
  draft_add(d, "%lld", (long long)r->frames);
  draft_add(d, "%lld", (long long)r->frames_without_face);
  draft_add(d, "%lld", (long long)r->faces);
  draft_add(d, "%d", w->now.crops);
  draft_add(d, "%lld", (long long)r->faces - w->now.crops);
  draft_add(d, "%d", r->people);
  draft_add(d, "%lld", (long long)r->damaged);
  draft_add(d, "%.3f", w->info.duration_s);
  draft_add(d, "%.2f", seconds);
  ledger_end(d, w->in);
  w->now.line = draft_line(d, err);
  return w->now.line ? UM_OK : err->code;
}

/* The caller holds the lock. */
static void say(job *j, const um_source *s, outcome st, const um_face_report *r, const um_error *why) {
  char text[512];
  if (st == UNREADABLE) {
    um_log(UM_LOG_ERROR, "skipped: %s", why->text);
    return;
  }
  um_face_report_text(text, sizeof text, r);
  if (!j->o->quiet) um_log_progress(false, "%s", ""); /* makes room on the terminal */
  printf("%s: %lld frames read, %lld without a face; %s", s->path, (long long)r->frames, (long long)r->frames_without_face, text);
  if (r->damaged) printf("; %lld damaged packets passed over", (long long)r->damaged);
  printf("\n");
  fflush(stdout);
}

static void add_up(um_face_report *sum, const um_face_report *r) {
  sum->frames += r->frames, sum->frames_without_face += r->frames_without_face, sum->damaged += r->damaged;
  sum->faces += r->faces, sum->not_largest += r->not_largest, sum->without_points += r->without_points;
  sum->people += r->people, sum->cuts += r->cuts;
  for (int i = 0; i < UM_FATES; i++) sum->fate[i] += r->fate[i];
}

/* What stops all: the disk is full, memory is short. */
static void give_up(job *j, const um_error *err) {
  pthread_mutex_lock(&j->lock);
  if (!atomic_exchange(&j->failed, true)) j->error = *err;
  pthread_mutex_unlock(&j->lock);
}

static int one(worker *w, um_error *err) {
  job *j = w->j;
  const double started = um_seconds();
  um_face_report report = {0};
  um_tracks tracks = {0};
  um_error why = {0};
  char reason[600] = "";
  outcome st = DONE;
  int r = store_stage(j->store, w->stage, sizeof w->stage, w->source->name, err);
  w->write_failed = false;
  w->info = (um_video_info){0};
  if (r < 0) return r;
  r = um_faces_walk(j->finder, w->source->path, on_frame, w, &w->info, &tracks, &report, &why);
  if (r == UM_EINTERRUPTED || w->write_failed || r == UM_ENOMEM) {
    *err = why;
    goto done;
  }
  if (r < 0) {
    for (int i = 0; i < w->now.crops; i++) free(w->now.crop[i]);
    w->now.crops = 0;
    st = UNREADABLE;
    snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, why.text);
    store_unstage(j->store, w->source->name);
  } else {
    drop(w, &tracks);
    if (w->now.crops == 0) st = NO_FACE;
    if (report.fate[UM_KEPT] < report.faces || w->now.crops == 0) um_face_report_text(reason, sizeof reason, &report);
  }
  if ((r = finish_line(w, st, reason, &report, um_seconds() - started, err)) < 0) goto done;
  if ((r = store_settle(j->store, &w->now, err)) < 0) goto done;
  pthread_mutex_lock(&j->lock);
  r = store_commit(j->store, &w->now, err);
  if (r == UM_OK) {
    w->in->done = true, w->in->duration = w->info.duration_s;
    if (st != UNREADABLE) add_up(&j->sum, &report);
    say(j, w->source, st, &report, &why);
  }
  pthread_mutex_unlock(&j->lock);
done:
  if (r < 0) store_unstage(j->store, w->source->name);
  entry_free(&w->now);
  um_tracks_free(&tracks);
  return r;
}

void *work(void *arg) {
  job *j = arg;
  um_error err = {0};
  worker *w = calloc(1, sizeof *w);
  if (!w) {
    um_fail(&err, UM_ENOMEM, "no memory for a worker");
    give_up(j, &err);
    return NULL;
  }
  w->j = j;
  for (int i; !atomic_load(&interrupted) && !atomic_load(&j->failed) && (i = atomic_fetch_add(&j->next, 1)) < j->in->todo;) {
    w->in = &j->in->item[j->in->order[i]], w->source = w->in->source;
    pthread_mutex_lock(&j->lock);
    w->in->begun = true;
    pthread_mutex_unlock(&j->lock);
    const int r = one(w, &err);
    if (r < 0 && r != UM_EINTERRUPTED) give_up(j, &err);
  }
  um_image_free(&w->drawn);
  um_image_free(&w->crop);
  free(w->track);
  free(w);
  return NULL;
}
