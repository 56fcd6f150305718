/* The walk: frames are decoded in order, looked at some at a time, and handed out in order with their faces. */
#include "faces/faces.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"

enum { AT_ONCE_MAX = 64 };

struct um_face_finder {
  um_face_options o;
  um_detector *detector;
};

int um_face_finder_open(um_face_finder **out, const um_face_options *o, um_error *err) {
  const um_face_settings *s = &o->settings;
  *out = NULL;
  if (!(s->margin > -0.9 && s->margin <= 4)) return um_fail(err, UM_ECONFIG, "margin: expected -0.9 to 4, got %g", s->margin);
  um_face_finder *f = calloc(1, sizeof *f);
  if (!f) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  f->o = *o;
  const um_detector_options d = {.name = s->detector, .min_face = s->min_face, .threads = o->threads, .backend = o->backend};
  int r = um_detector_open(&f->detector, &d, err);
  if (r < 0) {
    free(f);
    return r;
  }
  *out = f;
  return UM_OK;
}

void um_face_finder_close(um_face_finder *f) {
  if (!f) return;
  um_detector_close(f->detector);
  free(f);
}

/* A frame that waits for its faces. */
typedef struct waiting {
  um_frame frame;
  um_image image;
  um_found found; /* with repeated: nothing, those of the frame before count */
} waiting;

typedef struct walk {
  um_face_finder *f;
  um_video *video;
  const char *path;
  um_face_sink sink;
  void *arg;
  um_face_report *report;
  waiting *at; /* at_once of them */
  int at_once, count;
  um_found last; /* of the frame that was handed out last */
  um_face *face; /* of the frame that is handed out */
  int room;
} walk;

/* Decodes up to at_once frames. 0 at the end with none, negative on failure. */
static int fill(walk *w, um_error *err) {
  int r = 0;
  for (w->count = 0; w->count < w->at_once; w->count++) {
    waiting *at = &w->at[w->count];
    if ((r = um_video_next(w->video, &at->frame, err)) <= 0) break;
    if (w->f->detector->rgb && (r = um_video_rgb(w->video, &at->image, err)) < 0) break;
  }
  return r < 0 ? r : w->count;
}

static int look(walk *w, um_error *err) {
  um_view_of_frame view[AT_ONCE_MAX];
  um_found found[AT_ONCE_MAX];
  int n = 0;
  for (int i = 0; i < w->count; i++) {
    const waiting *at = &w->at[i];
    if (at->frame.repeated) continue;
    view[n++] = (um_view_of_frame){.width = at->frame.width,
                                   .height = at->frame.height,
                                   .rgb = w->f->detector->rgb ? at->image.pixels : NULL,
                                   .grey = at->frame.grey,
                                   .grey_stride = at->frame.grey_stride};
  }
  int r = n ? w->f->detector->find(w->f->detector, found, view, n, err) : UM_OK;
  if (r < 0) {
    um_fail_context(err, "%s", w->path);
    return r;
  }
  for (int i = 0, k = 0; i < w->count; i++) w->at[i].found = w->at[i].frame.repeated ? (um_found){0} : found[k++];
  return UM_OK;
}

/* The faces that were asked for of those found last. */
static int choose(walk *w, um_error *err) {
  const int n = w->f->o.settings.choice == UM_FACES_LARGEST && w->last.count > 1 ? 1 : w->last.count;
  if (n > w->room) {
    um_face *more = realloc(w->face, (size_t)n * sizeof *more);
    if (!more) return um_fail(err, UM_ENOMEM, "%s: no memory for %d faces", w->path, n);
    w->face = more, w->room = n;
  }
  for (int i = 0; i < n; i++) w->face[i] = (um_face){.at = w->last.item[i], .track = -1};
  return n;
}

static int hand_out(walk *w, waiting *at, um_error *err) {
  if (!at->frame.repeated) {
    free(w->last.item);
    w->last = at->found;
    at->found = (um_found){0};
  }
  int n = choose(w, err), r = UM_OK;
  if (n < 0) return n;
  const bool image = n > 0 || w->f->o.always_rgb;
  if (image && !w->f->detector->rgb && (r = um_video_rgb(w->video, &at->image, err)) < 0) return r;
  w->report->frames++;
  w->report->faces += n;
  w->report->frames_without_face += n == 0;
  const um_face_frame frame = {.number = at->frame.number,
                               .time_s = at->frame.time_s,
                               .width = at->frame.width,
                               .height = at->frame.height,
                               .image = image ? &at->image : NULL,
                               .face = w->face,
                               .count = n};
  return w->sink(w->arg, &frame, err);
}

int um_faces_walk(um_face_finder *f, const char *path, um_face_sink sink, void *arg, um_video_info *info, um_face_report *report,
                  um_error *err) {
  const um_face_settings *s = &f->o.settings;
  const um_video_options o = {.fps = s->fps, .max_size = s->max_size, .threads = f->o.decode_threads};
  um_face_report unused;
  walk w = {.f = f, .path = path, .sink = sink, .arg = arg, .report = report ? report : &unused};
  int r;
  *w.report = (um_face_report){0};
  w.at_once = f->detector->at_once < AT_ONCE_MAX ? f->detector->at_once : AT_ONCE_MAX;
  if ((r = um_video_open(&w.video, path, &o, err)) < 0) return r;
  if (info) *info = *um_video_info_of(w.video);
  if (!(w.at = calloc((size_t)w.at_once, sizeof *w.at))) r = um_fail(err, UM_ENOMEM, "%s: no memory", path);
  while (r >= 0 && (r = fill(&w, err)) > 0) {
    r = look(&w, err);
    for (int i = 0; r >= 0 && i < w.count; i++) r = hand_out(&w, &w.at[i], err);
    for (int i = 0; i < w.count; i++) free(w.at[i].found.item), w.at[i].found = (um_found){0};
  }
  w.report->damaged = um_video_damaged(w.video);
  for (int i = 0; w.at && i < w.at_once; i++) um_image_free(&w.at[i].image);
  free(w.at);
  free(w.last.item);
  free(w.face);
  um_video_close(w.video);
  return r;
}
