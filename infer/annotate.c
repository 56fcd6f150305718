/* The copies: every picture of a video at its own time, its sound as it is. */
#include "infer/annotate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/log.h"
#include "data/sources.h"
#include "data/video_write.h"

enum { AHEAD_MAX = 16, CRF = 18 };

static bool ends_with(const char *path, const char *const *ending) {
  const char *dot = strrchr(path, '.');
  for (; dot && *ending; ending++)
    if (!strcasecmp(dot, *ending)) return true;
  return false;
}
/* "a.txt", not ".hidden" or "folder/". */
static bool has_ending(const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
  return dot && dot != name && dot[1];
}
static const char *const videos[] = {".mp4", ".m4v", ".mov", ".mkv", NULL}, *const stills[] = {".png", ".jpg", ".jpeg", NULL};

static int no_memory(um_error *err) { return um_fail(err, UM_ENOMEM, "no memory for the names of annotated copies"); }

/* One input, one file. */
static int name_one(annotation *a, const input *in, const options *o, um_error *err) {
  const um_media kind = um_media_probe(in->path);
  if (kind == UM_MEDIA_NONE) return UM_OK;
  const bool still = kind == UM_MEDIA_IMAGE;
  if (!ends_with(o->annotate, still ? stills : videos))
    return um_fail(err, UM_ECONFIG, "--annotate %s: expected a name that ends in %s, as %s is a %s; a folder of this name is %s/",
                   o->annotate, still ? ".png or .jpg" : ".mp4, .mov or .mkv", in->path, still ? "picture" : "video", o->annotate);
  a->to[0] = strdup(o->annotate);
  return a->to[0] ? UM_OK : no_memory(err);
}

/* NAME.mp4 and NAME.png in the folder. */
static int name_all(annotation *a, const inputs *in, const options *o, um_error *err) {
  um_sources s = {0};
  char file[4096], path[4096];
  int rc = UM_OK;
  for (int i = 0; !rc && i < in->count; i++)
    if (!um_sources_add(&s, in->at[i].path)) rc = no_memory(err);
  if (!rc) rc = um_sources_settle(&s, err);
  for (int i = 0; !rc && i < in->count; i++) {
    const um_media kind = um_media_probe(in->at[i].path);
    if (kind == UM_MEDIA_NONE) continue;
    snprintf(file, sizeof file, "%s.%s", s.item[i].name, kind == UM_MEDIA_IMAGE ? "png" : "mp4");
    rc = um_path_join(path, sizeof path, o->annotate, file, err);
    if (!rc && !(a->to[i] = strdup(path))) rc = no_memory(err);
  }
  um_sources_free(&s);
  return rc ? rc : um_mkdirs(o->annotate, err);
}

/* An input is evidence: it is never written over. */
static int keep_inputs(const char *to, const inputs *in, um_error *err) {
  struct stat there, from;
  if (stat(to, &there)) return UM_OK;
  for (int k = 0; k < in->count; k++)
    if (!stat(in->at[k].path, &from) && from.st_dev == there.st_dev && from.st_ino == there.st_ino)
      return um_fail(err, UM_ECONFIG, "--annotate: %s would be written over, which is an input; name another file or folder", to);
  return UM_OK;
}

int annotation_open(annotation *a, const inputs *in, const char *const *named, int words, const options *o, um_error *err) {
  const bool one = words == 1 && in->count == 1 && !um_is_folder(named[0]);
  const bool file =
      !um_is_folder(o->annotate) && (ends_with(o->annotate, videos) || ends_with(o->annotate, stills) || (one && has_ending(o->annotate)));
  *a = (annotation){.to = calloc((size_t)in->count + 1, sizeof *a->to), .count = in->count};
  if (!a->to) return no_memory(err);
  int rc;
  if (file && !one)
    rc = um_fail(err, UM_ECONFIG, "--annotate %s: with several inputs, or a folder of them, expected a folder for the copies", o->annotate);
  else
    rc = file ? name_one(a, &in->at[0], o, err) : name_all(a, in, o, err);
  a->file = file;
  for (int i = 0; !rc && i < a->count; i++)
    if (a->to[i]) rc = keep_inputs(a->to[i], in, err);
  if (rc) annotation_free(a);
  return rc;
}

void annotation_free(annotation *a) {
  for (int i = 0; i < a->count; i++) free(a->to[i]);
  free(a->to);
  *a = (annotation){0};
}

/* A picture that is not written yet: whether people are about to come into view is seen in those that follow. */
typedef struct held {
  um_image im;
  int64_t tick, duration;
  double time_s;
  bool cut; /* the first of a shot */
} held;

typedef struct copy {
  const annotation *all;
  const inputs *inputs;
  const input *in;
  char to[4096];
  um_video *video;
  um_video_writer *writer;
  um_video_info info;
  int width, height; /* of the copy */
  overlay look;
  ways ways;
  mark *marks;            /* room for one a way */
  held at[AHEAD_MAX + 1]; /* a ring */
  int first, count, ahead;
  double shot_s; /* when the shot of the oldest of them began */
  um_glance glance;
  int64_t read, written;
} copy;

/* The faces that are there at this time, those of a still all. */
static void draw(const copy *c, um_image *im, double time_s, double until) {
  int n = 0;
  for (int i = 0; i < c->ways.count; i++) {
    mark *m = &c->marks[n];
    m->number = c->in->people > 1 ? i + 1 : 0;
    n += way_at(&m->face, &c->ways, &c->ways.at[i], time_s, c->shot_s, until);
  }
  overlay_faces(&c->look, im, c->marks, n);
  overlay_verdict(&c->look, im);
}

/* What is to be drawn, in pictures of this size. */
static int open_marks(copy *c, int width, int height, double interval_s, const scorer *s, um_error *err) {
  int looked_width, looked_height; /* of the frames that were looked at */
  um_fit(&looked_width, &looked_height, width, height, s->preprocess.faces.max_size);
  int rc = ways_make(&c->ways, c->in, (double)width / looked_width, (double)height / looked_height, interval_s, err);
  if (rc) return rc;
  if (!(c->marks = calloc((size_t)c->ways.count + 1, sizeof *c->marks)))
    return um_fail(err, UM_ENOMEM, "%s: no memory for %d people", c->in->path, c->ways.count);
  overlay_open(&c->look, c->in, &s->preprocess.calibration, &c->ways, width, height);
  return UM_OK;
}

static int write_oldest(copy *c, um_error *err) {
  held *h = &c->at[c->first];
  double until = INFINITY;
  if (h->cut) c->shot_s = h->time_s;
  for (int i = c->count - 1; i > 0; i--) {
    const held *later = &c->at[(c->first + i) % (AHEAD_MAX + 1)];
    if (later->cut) until = later->time_s;
  }
  draw(c, &h->im, h->time_s, until);
  c->first = (c->first + 1) % (AHEAD_MAX + 1), c->count--, c->written++;
  return um_video_writer_add(c->writer, &h->im, h->tick, h->duration, err);
}

/* Sound that MP4 cannot hold is worth a file that can, where the name is ours to choose. */
static int open_writer(copy *c, const um_image *im, const options *o, um_error *err) {
  const um_video_info *info = &c->info;
  const um_video_write_options w = {.width = im->width,
                                    .height = im->height,
                                    .tick_num = info->tick_num,
                                    .tick_den = info->tick_den,
                                    .rate = info->rate > 0 ? info->rate : 25,
                                    .crf = CRF,
                                    .preset = "veryfast",
                                    .threads = o->threads,
                                    .colours = info->colours,
                                    .audio_from = c->in->path,
                                    .audio_shift = info->start > 0 ? info->start : 0};
  char as[sizeof c->to];
  um_video_sound sound;
  int rc = um_video_writer_open(&c->writer, c->to, &w, err);
  if (rc) return rc;
  um_video_writer_sound(c->writer, &sound);
  const size_t stem = strlen(c->to) - 4;
  if (sound.left_out && !c->all->file) {
    snprintf(as, sizeof as, "%.*s.mkv", (int)stem, c->to);
    um_log(UM_LOG_WARN, "%s: MP4 cannot hold its sound (%s): the copy is %s", c->in->path, sound.names, as);
    um_video_writer_close(c->writer), c->writer = NULL;
    snprintf(c->to, sizeof c->to, "%s", as);
    rc = keep_inputs(c->to, c->inputs, err);
    if (!rc) rc = um_video_writer_open(&c->writer, c->to, &w, err);
    if (rc) return rc;
    um_video_writer_sound(c->writer, &sound);
  }
  if (sound.left_out)
    um_log(UM_LOG_WARN, "%s: its sound (%s) cannot be in such a file and is left out; a name that ends in .mkv keeps it", c->to,
           sound.names);
  return UM_OK;
}

/* A frame as decoded becomes the newest of those that are held. */
static int hold(copy *c, const um_frame *f, const scorer *s, const options *o, um_error *err) {
  held *h = &c->at[(c->first + c->count) % (AHEAD_MAX + 1)];
  um_glance glance;
  um_image im = {0};
  int rc = um_video_rgb(c->video, &h->im, err);
  if (!rc && !c->writer) {
    const double rate = c->info.rate > 0 ? c->info.rate : 25, fps = s->preprocess.faces.fps > 0 ? s->preprocess.faces.fps : rate;
    rc = open_marks(c, h->im.width, h->im.height, 1 / fps, s, err);
    if (!rc) rc = open_writer(c, &h->im, o, err);
    c->width = h->im.width, c->height = h->im.height;
    c->ahead = (int)fmin(AHEAD_MAX, ceil(c->ways.hold_s * rate));
  }
  if (rc) return rc;
  if (h->im.width != c->width || h->im.height != c->height) {
    /* Some videos change their size on the way; a file that is written has one. */
    rc = um_image_alloc(&im, c->width, c->height, err);
    if (!rc) rc = um_resize(im.pixels, c->height, c->width, &h->im, UM_BILINEAR, err);
    um_image_free(&h->im);
    h->im = im;
    if (rc) return rc;
  }
  um_glance_take(&glance, f->grey, f->width, f->height, f->grey_stride);
  h->tick = f->tick - (c->info.start > 0 ? c->info.start : 0), h->duration = f->duration;
  h->time_s = (double)f->tick * c->info.tick_num / c->info.tick_den;
  h->cut = c->read > 0 && um_glance_cut(&c->glance, &glance);
  c->glance = glance, c->count++, c->read++;
  return UM_OK;
}

static void show_progress(const copy *c, double *last) {
  const double now = um_seconds(), all = c->info.duration_s * c->info.rate;
  if (now - *last < .2) return;
  *last = now;
  if (all >= 1)
    um_log_progress(false, "annotate: %s: picture %lld of about %.0f", c->in->path, (long long)c->written, all);
  else
    um_log_progress(false, "annotate: %s: picture %lld", c->in->path, (long long)c->written);
}

static int copy_video(const annotation *a, const inputs *all, int i, const scorer *s, const options *o, const volatile bool *stop,
                      um_error *err) {
  const input *in = &all->at[i];
  copy *c = calloc(1, sizeof *c);
  const um_video_options every = {.threads = o->threads};
  um_frame f;
  um_error broken = {0};
  double shown = um_seconds();
  if (!c) return um_fail(err, UM_ENOMEM, "%s: no memory", in->path);
  c->all = a, c->inputs = all, c->in = in, c->shot_s = -INFINITY;
  snprintf(c->to, sizeof c->to, "%s", a->to[i]);
  int rc = um_video_open(&c->video, in->path, &every, err), more = 0;
  if (rc) goto done;
  c->info = *um_video_info_of(c->video);
  while (!rc && !*stop && (more = um_video_next(c->video, &f, &broken)) > 0) {
    rc = hold(c, &f, s, o, err);
    if (!rc && c->count > c->ahead) rc = write_oldest(c, err);
    if (!o->quiet) show_progress(c, &shown);
  }
  while (!rc && !*stop && c->count) rc = write_oldest(c, err);
  if (!rc && *stop) rc = um_fail(err, UM_EINTERRUPTED, "stopped; %s was not written", c->to);
  if (!rc && !c->writer) rc = um_fail(err, UM_EFORMAT, "%s", broken.text);
  if (!rc) rc = um_video_writer_finish(c->writer, err);
  if (rc) goto done;
  um_video_sound sound;
  um_video_writer_sound(c->writer, &sound);
  if (sound.damaged) um_log(UM_LOG_WARN, "%s: damaged pieces of the sound are not in it: %lld", c->to, (long long)sound.damaged);
  if (more < 0)
    um_log(UM_LOG_WARN, "%s: it breaks off: %s", c->to, broken.text);
  else if (um_video_damaged(c->video))
    um_log(UM_LOG_WARN, "%s: damaged pieces of the video are not in it: %lld", c->to, (long long)um_video_damaged(c->video));
  um_log(UM_LOG_INFO, "%s: %lld pictures", c->to, (long long)c->written);
done:
  um_video_writer_close(c->writer);
  um_video_close(c->video);
  free(c->marks);
  ways_free(&c->ways);
  for (int k = 0; k <= AHEAD_MAX; k++) um_image_free(&c->at[k].im);
  free(c);
  return rc;
}

static int copy_still(const input *in, const char *to, const scorer *s, um_error *err) {
  copy c = {.in = in};
  um_image im = {0};
  int rc = um_image_read(&im, in->path, err);
  if (!rc) rc = open_marks(&c, im.width, im.height, 1, s, err);
  if (rc) goto done;
  draw(&c, &im, 0, INFINITY);
  rc = ends_with(to, (const char *const[]){".jpg", ".jpeg", NULL}) ? um_image_write_jpeg(&im, to, 95, err)
                                                                   : um_image_write_png(&im, to, err);
  if (!rc) um_log(UM_LOG_INFO, "%s: written", to);
done:
  free(c.marks);
  ways_free(&c.ways);
  um_image_free(&im);
  return rc;
}

int annotation_write(const annotation *a, const inputs *in, const scorer *s, const options *o, const volatile bool *stop, um_error *err) {
  int rc = UM_OK;
  for (int i = 0; !rc && i < a->count; i++) {
    const input *of = &in->at[i];
    if (!a->to[i] || of->skipped) continue;
    rc = of->kind == UM_MEDIA_IMAGE ? copy_still(of, a->to[i], s, err) : copy_video(a, in, i, s, o, stop, err);
  }
  return rc;
}
