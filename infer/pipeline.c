/* Several threads walk the inputs and cut faces into the slots of a ring; the caller's thread scores them in batches. Memory is
 * bounded by the ring, whatever the videos hold. Faces of many inputs share a batch. */
#include "infer/infer.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/reencode.h"

typedef struct slot {
  input *in;
  int face;         /* index into in->detail */
  um_image picture; /* with --explain or --report: the face as cut */
} slot;

typedef struct pipeline {
  inputs *in;
  scorer *s;
  const options *o;
  const um_distortion *how; /* NULL: inputs are as they are */
  const volatile bool *stop;
  um_face_finder *finder; /* NULL: pictures are faces */
  um_backend *detecting;  /* the finder's own on a GPU; NULL: the finder makes its own for the CPU */
  int height, width, batch, next;

  pthread_mutex_t lock;
  pthread_cond_t room, work; /* a slot became free; a slot was filled, or a walker ended */
  slot *slot;
  uint8_t *pixels; /* capacity x height x width x 3 */
  int capacity, first, filled, walkers;
  bool failed;
  um_error error;
} pipeline;

/* What a walker has beside it. */
typedef struct walker {
  pipeline *p;
  input *in;
  um_image frame, crop;
  um_video_info info;
  um_tracks tracks;
  um_distorter *distorter; /* with p->how */
  um_distorted which;
  bool changed; /* the file that is walked is the changed one already */
} walker;

static bool stopped(const pipeline *p) { return p->failed || *p->stop; }

/* Puts a face into the ring, waiting for room. */
static int push(walker *w, const um_image *face, const detail *d, um_error *err) {
  pipeline *p = w->p;
  size_t bytes = (size_t)p->height * (size_t)p->width * 3;
  uint8_t *scaled = malloc(bytes); /* outside of the lock: resizing takes longer than anything below */
  if (!scaled) return um_fail(err, UM_ENOMEM, "no memory for a face of %d x %d", p->width, p->height);
  um_image picture = {0};
  int rc = um_resize(scaled, p->height, p->width, face, p->s->preprocess.interpolation, err);
  if (!rc && wants_pictures(p->o)) rc = candidate_face(&picture, face, p->in, p->o, err);
  if (rc) goto done;
  pthread_mutex_lock(&p->lock);
  while (p->filled == p->capacity && !stopped(p)) pthread_cond_wait(&p->room, &p->lock);
  input *in = w->in;
  if (stopped(p)) {
    rc = um_fail(err, UM_EINTERRUPTED, "stopped");
  } else if (in->faces == in->capacity) {
    int capacity = in->capacity ? 2 * in->capacity : 16;
    detail *grown = realloc(in->detail, (size_t)capacity * sizeof *grown);
    if (grown)
      in->detail = grown, in->capacity = capacity;
    else
      rc = um_fail(err, UM_ENOMEM, "%s: no memory for %d faces", in->path, capacity);
  }
  if (!rc) {
    int k = (p->first + p->filled++) % p->capacity;
    memcpy(p->pixels + (size_t)k * bytes, scaled, bytes);
    um_image_free(&p->slot[k].picture);
    p->slot[k] = (slot){in, in->faces, picture};
    picture = (um_image){0};
    in->detail[in->faces++] = *d;
    in->faces_to_come++;
    pthread_cond_signal(&p->work);
  }
  pthread_mutex_unlock(&p->lock);
done:
  um_image_free(&picture);
  free(scaled);
  return rc;
}

static int on_frame(void *arg, const um_face_frame *frame, um_error *err) {
  walker *w = arg;
  if (stopped(w->p)) return um_fail(err, UM_EINTERRUPTED, "stopped");
  int rc = UM_OK;
  for (int i = 0; !rc && i < frame->count; i++) {
    const um_detection *b = &frame->face[i].at;
    const detail d = {.frame = frame->number,
                      .time_s = frame->time_s,
                      .shown_s = frame->shown_s,
                      .track = frame->face[i].track,
                      .box = {(int)lrint(b->x), (int)lrint(b->y), (int)lrint(b->width), (int)lrint(b->height)}};
    rc = um_face_crop(&w->crop, frame->image, b, &w->p->s->preprocess.faces, err);
    if (!rc) rc = push(w, &w->crop, &d, err);
  }
  return rc;
}

static int change(void *arg, um_image *frame, int64_t number, um_error *err) {
  walker *w = arg;
  if (stopped(w->p)) return um_fail(err, UM_EINTERRUPTED, "stopped");
  if (w->changed) return 1;
  w->which.frame = (uint32_t)number;
  return um_distort(w->distorter, frame, *w->p->how, w->which, err);
}

static bool stopped_too(void *p) { return stopped(p); }

/* What is drawn for an input depends on its name alone, not on where it lies and what is scored beside it. instead: the path of a file to be
 * walked in its place, or "". */
static int prepare(walker *w, char instead[4096], um_error *err) {
  const um_distortion *how = w->p->how;
  const char *slash = strrchr(w->in->path, '/'), *name = slash ? slash + 1 : w->in->path;
  instead[0] = 0, w->changed = false;
  w->which = (um_distorted){.input = um_crc32c(name, strlen(name))};
  if (!how) return UM_OK;
  if (how->kind == UM_DISTORT_H264 && w->p->finder && um_media_probe(input_file(w->in)) == UM_MEDIA_VIDEO) {
    w->changed = true;
    return um_reencode(instead, input_file(w->in), how->strength, stopped_too, w->p, err);
  }
  return w->distorter ? UM_OK : um_distorter_open(&w->distorter, err);
}

/* A picture that is a face already. */
static int walk_cut(walker *w, um_face_report *report, um_error *err) {
  int rc = um_image_read(&w->frame, input_file(w->in), err);
  if (!rc && w->p->how) rc = change(w, &w->frame, 0, err);
  if (rc) return rc;
  const detail d = {.track = w->in->person, .box = {0, 0, w->frame.width, w->frame.height}};
  *report = (um_face_report){.frames = 1, .faces = 1};
  return push(w, &w->frame, &d, err);
}

static void walk_one(walker *w) {
  pipeline *p = w->p;
  input *in = w->in;
  um_error err = {0}, other = {0};
  um_face_report report = {0};
  w->info = (um_video_info){0};
  w->tracks.count = 0;
  /* The hash is that of the bytes that are decoded: where they change meanwhile there is no verdict. */
  const char *const file = input_file(in);
  const stamp before = stamp_of(file);
  int changed = before.file ? hash_file(in->sha256, file, &before, &other) : UM_OK;
  in->bytes = before.bytes;
  char instead[4096];
  int rc = prepare(w, instead, &err);
  if (!rc && p->finder)
    rc = um_faces_walk(p->finder, *instead ? instead : file, on_frame, w, &w->info, &w->tracks, &report, &err);
  else if (!rc)
    rc = walk_cut(w, &report, &err);
  if (*instead) um_reencode_remove(instead);
  um_media kind = um_media_probe(file);
  const stamp after = stamp_of(file);
  if (!changed && !stamp_same(&before, &after))
    changed = um_fail(&other, UM_EFORMAT, "%s: changed while it was read; score it again", file);
  pthread_mutex_lock(&p->lock);
  in->kind = kind;
  in->frames = report.frames;
  in->done = true;
  int kept = 0;
  for (int i = 0; i < in->faces; i++) {
    detail *d = &in->detail[i];
    d->fate = um_track_kept(&w->tracks, d->track) ? UM_KEPT : w->tracks.item[d->track].fate;
    if (d->fate == UM_KEPT)
      kept++;
    else
      in->dropped[d->fate]++;
  }
  if (!rc && changed) {
    in->skipped = true, *in->sha256 = 0;
    snprintf(in->reason, sizeof in->reason, "%s", other.text);
  } else if (rc == UM_EINTERRUPTED || rc == UM_ENOMEM || rc == UM_EINTERNAL) {
    if (!p->failed && !*p->stop) p->failed = true, p->error = err;
  } else if (rc) {
    /* What came before a video broke off is scored all the same. */
    in->skipped = in->faces == 0;
    snprintf(in->reason, sizeof in->reason, "%s", err.text);
  } else if (report.frames == 0) {
    in->skipped = true;
    snprintf(in->reason, sizeof in->reason, "no frame could be decoded");
  } else if (report.faces == 0) {
    snprintf(in->reason, sizeof in->reason, "no face found in %lld frame%s", (long long)report.frames, report.frames == 1 ? "" : "s");
  } else if (kept == 0) {
    um_face_report_text(in->reason, sizeof in->reason, &report);
  }
  pthread_cond_broadcast(&p->work);
  if (stopped(p)) pthread_cond_broadcast(&p->room);
  pthread_mutex_unlock(&p->lock);
}

static void *walk_inputs(void *arg) {
  pipeline *p = arg;
  walker w = {.p = p};
  for (;;) {
    pthread_mutex_lock(&p->lock);
    int i = stopped(p) ? p->in->count : p->next;
    if (i < p->in->count)
      p->next++;
    else
      p->walkers--, pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    if (i >= p->in->count) break;
    w.in = &p->in->at[i];
    if (!w.in->done) walk_one(&w);
  }
  um_image_free(&w.frame);
  um_image_free(&w.crop);
  um_tracks_free(&w.tracks);
  um_distorter_close(w.distorter);
  return NULL;
}

/* Takes up to a batch of faces out of the ring once a batch is there or no more can come; 0: all is done. The pixels of a batch lie
 * together because the ring holds whole batches. Called with the lock held. */
static int take(pipeline *p) {
  for (;;) {
    int whole = p->capacity - p->first < p->batch ? p->capacity - p->first : p->batch;
    if (p->filled >= whole || p->walkers == 0 || stopped(p)) return p->filled < whole ? p->filled : whole;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200 * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L, until.tv_nsec %= 1000000000L;
    /* A signal handler cannot wake this thread by itself: look at *stop from time to time. */
    pthread_cond_timedwait(&p->work, &p->lock, &until);
  }
}

/* Inputs are handed on in order; with --explain or --report their pictures are made before. Called with the lock held. */
static int hand_on(pipeline *p, int next, finished_fn finished, void *arg) {
  for (; !p->failed && next < p->in->count && p->in->at[next].done && p->in->at[next].faces_to_come == 0; next++) {
    input *in = &p->in->at[next];
    int kept = 0;
    candidates_choose(in, in->skipped ? 0 : p->o->explain_faces);
    for (int i = 0; !in->skipped && i < in->faces; i++)
      if (in->detail[i].fate == UM_KEPT) in->detail[kept++] = in->detail[i];
    in->faces = kept;
    um_error err = {0};
    if (score_input(in, &p->s->preprocess, &err) && !p->failed) p->failed = true, p->error = err;
    if (!p->failed && wants_pictures(p->o) && explain_input(p->s, p->in, next, p->o, &err)) {
      p->failed = true, p->error = err;
      break;
    }
    finished(arg, in);
  }
  return next;
}

static int score_all(pipeline *p, finished_fn finished, void *arg, um_error *err) {
  double score[256];
  size_t bytes = (size_t)p->height * (size_t)p->width * 3;
  int rc = UM_OK, handed = 0;
  pthread_mutex_lock(&p->lock);
  for (;;) {
    int n = take(p);
    if (stopped(p)) break;
    handed = hand_on(p, handed, finished, arg);
    if (n == 0 && p->walkers == 0) break;
    if (n == 0) continue;
    int first = p->first;
    pthread_mutex_unlock(&p->lock);
    rc = scorer_run(p->s, score, p->pixels + (size_t)first * bytes, n, err);
    pthread_mutex_lock(&p->lock);
    if (rc) {
      p->failed = true, p->error = *err;
      break;
    }
    for (int i = 0; i < n; i++) {
      slot *s = &p->slot[first + i];
      s->in->detail[s->face].score = score[i];
      s->in->faces_to_come--;
      if (wants_pictures(p->o))
        rc = candidate_add(s->in, s->face, &s->picture, p->pixels + (size_t)(first + i) * bytes, bytes, p->o->explain_faces, err);
      if (rc) break;
    }
    if (rc) {
      p->failed = true, p->error = *err;
      break;
    }
    p->first = (p->first + n) % p->capacity, p->filled -= n;
    pthread_cond_broadcast(&p->room);
    handed = hand_on(p, handed, finished, arg);
  }
  pthread_cond_broadcast(&p->room);
  pthread_mutex_unlock(&p->lock);
  return rc;
}

/* Networks that find faces run where the model does. A GPU's backend serves one thread, and here walkers look for faces while the
 * caller's thread scores: so the finder gets one of its own, which the detector gives to one walker at a time. Walkers have the process's
 * first GPU as theirs; for another one faces are found on the CPU. */
static int open_detecting(pipeline *p, um_error *err) {
  const char *const device = p->o->device;
  if (!p->s->backend->ops->wait) return UM_OK;
  if (strcmp(device, "auto") && strcmp(device, "cuda") && strcmp(device, "cuda:0")) return UM_OK;
  const um_backend_options own = {.device = "cuda", .engine = UM_ENGINE_NATIVE};
  return um_backend_open_with(&p->detecting, &own, err);
}

int pipeline_run(inputs *in, scorer *s, const options *o, const um_distortion *how, int batch, finished_fn finished, void *arg,
                 const volatile bool *stop, um_error *err) {
  int threads = s->backend->threads > 0 ? s->backend->threads : 1, jobs = o->jobs < in->count ? o->jobs : in->count, started = 0;
  if (jobs < 1) jobs = 1;
  pipeline p = {.in = in,
                .s = s,
                .o = o,
                .how = how,
                .stop = stop,
                .batch = batch,
                .height = s->preprocess.target_size[0],
                .width = s->preprocess.target_size[1],
                .capacity = 2 * batch,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .room = PTHREAD_COND_INITIALIZER,
                .work = PTHREAD_COND_INITIALIZER};
  pthread_t *thread = calloc((size_t)jobs, sizeof *thread);
  p.slot = calloc((size_t)p.capacity, sizeof *p.slot);
  p.pixels = malloc((size_t)p.capacity * (size_t)p.height * (size_t)p.width * 3);
  int rc =
      thread && p.slot && p.pixels ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %d faces of %d x %d", p.capacity, p.width, p.height);
  if (!rc && !o->faces_are_cut) rc = open_detecting(&p, err);
  if (!rc && !o->faces_are_cut) {
    const um_face_options f = {.settings = s->preprocess.faces,
                               .backend = p.detecting,
                               .change = how ? change : NULL,
                               .threads = threads / jobs > 1 ? threads / jobs : 1,
                               .decode_threads = threads / jobs > 1 ? threads / jobs : 1};
    rc = um_face_finder_open(&p.finder, &f, err);
  }
  if (rc) goto done;
  pthread_mutex_lock(&p.lock);
  while (started < jobs && !pthread_create(&thread[started], NULL, walk_inputs, &p)) started++, p.walkers++;
  pthread_mutex_unlock(&p.lock);
  rc = started ? score_all(&p, finished, arg, err) : um_fail(err, UM_EINTERNAL, "no thread could be started");
  for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
  if (!rc && p.failed) {
    if (err) *err = p.error;
    rc = p.error.code;
  } else if (!rc && *stop) {
    rc = um_fail(err, UM_EINTERRUPTED, "stopped; nothing was written");
  }
done:
  um_face_finder_close(p.finder);
  if (p.detecting) p.detecting->ops->close(p.detecting);
  for (int i = 0; p.slot && i < p.capacity; i++) um_image_free(&p.slot[i].picture);
  free(p.pixels), free(p.slot), free(thread);
  return rc;
}
