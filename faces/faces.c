/* The walk: frames are decoded in order, looked at some at a time, and handed out in order with their faces. */
#include "faces/faces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

/* Mean score of a track from which even a brief one is believed: of six clips looked at, people had 0.96 and more (nearly all 0.999), patches in
 * view for a second up to 0.973. */
#define SURE 0.98

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
  uint8_t *grey; /* of a frame that was changed */
  size_t room;
  um_glance glance;
  um_found found; /* with repeated: nothing, those of the frame before count */
} waiting;

typedef struct walk {
  um_face_finder *f;
  um_video *video;
  const char *path;
  um_face_sink sink;
  void *arg;
  um_face_report *report;
  um_tracks *tracks;
  um_tracker *tracker;
  waiting *at; /* at_once of them */
  int at_once, count;
  um_glance glance; /* of the frame that was handed out last */
  um_found last;    /* its faces */
  int64_t original; /* number of the last frame that repeats none */
  um_face *face;    /* of the frame that is handed out */
  int *track;
  int room;
} walk;

/* The grey plane comes from the colours then. */
static int change(walk *w, waiting *at, um_error *err) {
  int r = um_video_rgb(w->video, &at->image, err);
  if (r < 0) return r;
  if (!at->frame.repeated) w->original = at->frame.number;
  if ((r = w->f->o.change(w->arg, &at->image, w->original, err)) != UM_OK) return r < 0 ? r : UM_OK;
  const size_t n = (size_t)at->image.width * (size_t)at->image.height;
  if (n > at->room) {
    uint8_t *more = realloc(at->grey, n);
    if (!more) return um_fail(err, UM_ENOMEM, "%s: no memory for frames of %d x %d", w->path, at->image.width, at->image.height);
    at->grey = more, at->room = n;
  }
  um_image_grey(at->grey, &at->image);
  at->frame.grey = at->grey, at->frame.grey_stride = at->image.width;
  return UM_OK;
}

/* Decodes up to at_once frames. 0 at the end with none, negative on failure. */
static int fill(walk *w, um_error *err) {
  int r = 0;
  for (w->count = 0; w->count < w->at_once; w->count++) {
    waiting *at = &w->at[w->count];
    if ((r = um_video_next(w->video, &at->frame, err)) <= 0) break;
    if (w->f->o.change && (r = change(w, at, err)) < 0) break;
    um_glance_take(&at->glance, at->frame.grey, at->frame.width, at->frame.height, at->frame.grey_stride);
    if (w->f->detector->rgb && !w->f->o.change && (r = um_video_rgb(w->video, &at->image, err)) < 0) break;
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
  for (int i = 0, k = 0; i < w->count; i++)
    if (w->at[i].frame.repeated)
      w->at[i].found = (um_found){0};
    else
      w->at[i].found = found[k++];
  return UM_OK;
}

/* Numbers the faces that were found last; returns how many were asked for, which are the first of w->face. */
static int choose(walk *w, const waiting *at, um_error *err) {
  const um_face_settings *s = &w->f->o.settings;
  const int found = w->last.count, n = s->choice == UM_FACES_LARGEST && found > 1 ? 1 : found;
  if (found > w->room) {
    um_face *more = realloc(w->face, (size_t)found * sizeof *more);
    if (more) w->face = more;
    int *numbers = realloc(w->track, (size_t)found * sizeof *numbers);
    if (numbers) w->track = numbers;
    if (!more || !numbers) return um_fail(err, UM_ENOMEM, "%s: no memory for %d faces", w->path, found);
    w->room = found;
  }
  const um_tracker_frame frame = {.number = at->frame.number,
                                  .time_s = at->frame.time_s,
                                  .cut = w->report->frames > 0 && um_glance_cut(&w->glance, &at->glance),
                                  .repeated = at->frame.repeated,
                                  .face = w->last.item,
                                  .count = found};
  int r = um_tracker_add(w->tracker, w->tracks, w->track, &frame, err);
  if (r < 0) return r;
  w->glance = at->glance;
  for (int i = 0; i < n; i++) {
    w->face[i] = (um_face){.at = w->last.item[i], .track = w->track[i]};
    w->tracks->item[w->track[i]].handed_out++;
    w->report->without_points += s->align && !w->last.item[i].has_points;
  }
  w->report->not_largest += found - n;
  return n;
}

/* What became of the faces, as far as the walk came. */
static void sum_up(walk *w) {
  const um_face_settings *s = &w->f->o.settings;
  const bool recipe = s->choice == UM_FACES_LARGEST && strcmp(w->f->detector->name, "haar-strict") == 0;
  um_tracker_finish(w->tracker, w->tracks, s->choice, !recipe && !um_video_info_of(w->video)->picture,
                    w->f->detector->probability ? SURE : 0);
  w->report->cuts = w->tracks->cuts;
  for (int i = 0; i < w->tracks->count; i++) {
    const um_track *t = &w->tracks->item[i];
    w->report->fate[t->fate] += t->handed_out;
    w->report->people += t->fate == UM_KEPT && t->handed_out > 0;
  }
}

static int hand_out(walk *w, waiting *at, um_error *err) {
  if (!at->frame.repeated) {
    free(w->last.item);
    w->last = at->found;
    at->found = (um_found){0};
  }
  int n = choose(w, at, err), r = UM_OK;
  if (n < 0) return n;
  const bool image = n > 0 || w->f->o.always_rgb;
  if (image && !w->f->detector->rgb && !w->f->o.change && (r = um_video_rgb(w->video, &at->image, err)) < 0) return r;
  w->report->frames++;
  w->report->faces += n;
  w->report->frames_without_face += n == 0;
  const um_video_info *info = um_video_info_of(w->video);
  const um_face_frame frame = {.number = at->frame.number,
                               .time_s = at->frame.time_s,
                               .shown_s = (double)at->frame.tick * info->tick_num / info->tick_den,
                               .width = at->frame.width,
                               .height = at->frame.height,
                               .image = image ? &at->image : NULL,
                               .face = w->face,
                               .count = n};
  return w->sink(w->arg, &frame, err);
}

int um_faces_walk(um_face_finder *f, const char *path, um_face_sink sink, void *arg, um_video_info *info, um_tracks *tracks,
                  um_face_report *report, um_error *err) {
  const um_face_settings *s = &f->o.settings;
  const um_video_options o = {.fps = s->fps, .max_size = s->max_size, .threads = f->o.decode_threads};
  um_face_report no_report = {0};
  um_tracks no_tracks = {0};
  walk w = {.f = f, .path = path, .sink = sink, .arg = arg, .report = report ? report : &no_report, .tracks = tracks ? tracks : &no_tracks};
  int r;
  *w.report = (um_face_report){0};
  w.tracks->count = w.tracks->cuts = 0, w.tracks->main = -1;
  w.at_once = f->detector->at_once < AT_ONCE_MAX ? f->detector->at_once : AT_ONCE_MAX;
  if ((r = um_video_open(&w.video, path, &o, err)) < 0) return r;
  if (info) *info = *um_video_info_of(w.video);
  if (!(w.at = calloc((size_t)w.at_once, sizeof *w.at)))
    r = um_fail(err, UM_ENOMEM, "%s: no memory", path);
  else
    r = um_tracker_open(&w.tracker, err);
  while (r >= 0 && (r = fill(&w, err)) > 0) {
    r = look(&w, err);
    for (int i = 0; r >= 0 && i < w.count; i++) r = hand_out(&w, &w.at[i], err);
    for (int i = 0; i < w.count; i++) free(w.at[i].found.item), w.at[i].found = (um_found){0};
  }
  w.report->damaged = um_video_damaged(w.video);
  if (w.tracker) sum_up(&w);
  for (int i = 0; w.at && i < w.at_once; i++) um_image_free(&w.at[i].image), free(w.at[i].grey);
  free(w.at);
  free(w.last.item);
  free(w.face);
  free(w.track);
  um_tracker_close(w.tracker);
  um_tracks_free(&no_tracks);
  um_video_close(w.video);
  return r;
}

void um_face_report_text(char *text, size_t size, const um_face_report *r) {
  int64_t dropped = 0;
  for (int i = UM_KEPT + 1; i < UM_FATES; i++) dropped += r->fate[i];
  int at = snprintf(text, size, "%lld face%s of %d %s kept, %lld dropped", (long long)r->fate[UM_KEPT], r->fate[UM_KEPT] == 1 ? "" : "s",
                    r->people, r->people == 1 ? "person" : "people", (long long)dropped);
  const char *mark = ": ";
  for (int i = UM_KEPT + 1; i < UM_FATES; i++)
    if (r->fate[i] && at >= 0 && (size_t)at < size) {
      at += snprintf(text + at, size - (size_t)at, "%s%lld %s", mark, (long long)r->fate[i], um_fate_text((um_fate)i));
      mark = ", ";
    }
}
