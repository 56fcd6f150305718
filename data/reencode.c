#include "data/reencode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/video_write.h"

int um_reencode_check(um_error *err) {
  const char *name = um_video_encoder();
  if (name && !strcmp(name, "libx264")) return UM_OK;
  return um_fail(err, UM_EUNSUPPORTED, "h264: expected an FFmpeg with the encoder libx264, this one has %s", name ? name : "none");
}

static int make_folder(char path[4096], um_error *err) {
  const char *tmp = getenv("TMPDIR");
  if (!tmp || !*tmp) tmp = "/tmp";
  const int n = snprintf(path, 4000, "%s/unmask-clip-XXXXXX", tmp);
  if (n < 0 || n >= 4000) return um_fail(err, UM_EIO, "TMPDIR=%s: too long", tmp);
  if (!mkdtemp(path)) return um_fail(err, UM_EIO, "%s: no temporary folder: %s; TMPDIR names another place", tmp, strerror(errno));
  strcat(path, "/clip.mp4");
  return UM_OK;
}

void um_reencode_remove(const char *path) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", path);
  unlink(path);
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0, rmdir(folder);
}

static int encode(um_video_writer **w, const char *path, um_video *v, double crf, bool (*stopped)(void *arg), void *arg, um_error *err) {
  um_image image = {0};
  um_frame frame;
  int rc;
  while ((rc = um_video_next(v, &frame, err)) > 0) {
    if (stopped && stopped(arg)) {
      rc = um_fail(err, UM_EINTERRUPTED, "stopped");
      break;
    }
    if ((rc = um_video_rgb(v, &image, err)) < 0) break;
    if (!*w) {
      const um_video_info *info = um_video_info_of(v);
      const um_video_write_options o = {.width = image.width,
                                        .height = image.height,
                                        .tick_num = info->tick_num,
                                        .tick_den = info->tick_den,
                                        .rate = info->rate,
                                        .crf = crf,
                                        .threads = 1,
                                        .colours = info->colours};
      if ((rc = um_video_writer_open(w, path, &o, err)) < 0) break;
    }
    if ((rc = um_video_writer_add(*w, &image, frame.tick, frame.duration, err)) < 0) break;
  }
  um_image_free(&image);
  return rc;
}

int um_reencode(char path[4096], const char *video, double crf, bool (*stopped)(void *arg), void *arg, um_error *err) {
  const um_video_options o = {.threads = 1};
  um_video *v = NULL;
  um_video_writer *w = NULL;
  int rc = um_video_open(&v, video, &o, err);
  if (rc) return rc;
  rc = make_folder(path, err);
  if (rc) {
    um_video_close(v);
    return rc;
  }
  rc = encode(&w, path, v, crf, stopped, arg, err);
  if (!rc) rc = um_video_writer_finish(w, err);
  um_video_writer_close(w);
  um_video_close(v);
  if (rc) um_reencode_remove(path), path[0] = 0;
  return rc;
}

/* The frame, less the column and row that make its sides even. */
static int take_still(um_image *im, const char *path, um_error *err) {
  const um_video_options o = {.threads = 1};
  um_video *v = NULL;
  um_image image = {0};
  um_frame frame;
  int rc = um_video_open(&v, path, &o, err);
  if (!rc && (rc = um_video_next(v, &frame, err)) >= 0)
    rc = rc ? um_video_rgb(v, &image, err) : um_fail(err, UM_EINTERNAL, "%s: a frame was written and none is read", path);
  if (!rc && (image.width < im->width || image.height < im->height))
    rc = um_fail(err, UM_EINTERNAL, "%s: frames of %d x %d, %d x %d were written", path, image.width, image.height, im->width, im->height);
  for (int y = 0; !rc && y < im->height; y++)
    memcpy(im->pixels + 3 * (size_t)y * (size_t)im->width, image.pixels + 3 * (size_t)y * (size_t)image.width, 3 * (size_t)im->width);
  um_image_free(&image);
  um_video_close(v);
  return rc;
}

int um_reencode_picture(um_image *im, double crf, um_error *err) {
  const um_video_write_options o = {
      .width = im->width, .height = im->height, .tick_num = 1, .tick_den = 25, .rate = 25, .crf = crf, .threads = 1};
  char path[4096];
  um_video_writer *w = NULL;
  int rc = make_folder(path, err);
  if (rc) return rc;
  rc = um_video_writer_open(&w, path, &o, err);
  if (!rc) rc = um_video_writer_add(w, im, 0, 1, err);
  if (!rc) rc = um_video_writer_finish(w, err);
  um_video_writer_close(w);
  if (!rc) rc = take_still(im, path, err);
  um_reencode_remove(path);
  return rc;
}
