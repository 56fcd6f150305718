/* train and infer without FFmpeg, whose libraries weigh three times what all others do (tests/gpu/train_pack.sh): in place of data/video.c,
 * video_write.c and image_ffmpeg.c, and of FFmpeg's own words about its version. PNG, JPEG and PNM are read as ever; videos and the other
 * formats are refused, and said to be. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/image_formats.h"
#include "data/video_write.h"

static int refuse(const char *path, um_error *err) {
  return um_fail(err, UM_EUNSUPPORTED, "%s: this program was built without FFmpeg; it reads pictures of faces in PNG, JPEG and PNM only",
                 path);
}

int um_ffmpeg_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err) {
  (void)im, (void)data, (void)size;
  return refuse(name, err);
}

um_media um_media_probe(const char *path) {
  uint8_t d[3] = {0};
  FILE *f = fopen(path, "rb");
  const size_t n = f ? fread(d, 1, sizeof d, f) : 0;
  if (f) fclose(f);
  if (n < sizeof d) return UM_MEDIA_NONE;
  const bool pnm = d[0] == 'P' && d[1] >= '1' && d[1] <= '6' && strchr(" \t\r\n#", d[2]);
  return memcmp(d, "\x89PN", 3) == 0 || memcmp(d, "\xff\xd8\xff", 3) == 0 || pnm ? UM_MEDIA_IMAGE : UM_MEDIA_NONE;
}

int um_video_open(um_video **out, const char *path, const um_video_options *o, um_error *err) {
  (void)o;
  *out = NULL;
  return refuse(path, err);
}
/* None of these is ever given a video. */
const um_video_info *um_video_info_of(const um_video *v) {
  static const um_video_info none;
  (void)v;
  return &none;
}
int um_video_next(um_video *v, um_frame *f, um_error *err) { return (void)v, (void)f, refuse("video", err); }
int um_video_rgb(um_video *v, um_image *im, um_error *err) { return (void)v, (void)im, refuse("video", err); }
int64_t um_video_damaged(const um_video *v) { return (void)v, 0; }
void um_video_close(um_video *v) { (void)v; }
void um_fit(int *out_width, int *out_height, double width, double height, int max_size) {
  const double scale = max_size > 0 ? fmin(max_size / width, max_size / height) : 1;
  *out_width = (int)fmax(1, floor(width * scale + 0.5));
  *out_height = (int)fmax(1, floor(height * scale + 0.5));
}

const char *um_video_encoder(void) { return NULL; }
int um_video_writer_open(um_video_writer **out, const char *path, const um_video_write_options *o, um_error *err) {
  (void)o;
  *out = NULL;
  return refuse(path, err);
}
int um_video_writer_add(um_video_writer *w, const um_image *im, int64_t tick, int64_t duration, um_error *err) {
  (void)w, (void)im, (void)tick, (void)duration;
  return refuse("video", err);
}
int um_video_writer_finish(um_video_writer *w, um_error *err) { return (void)w, refuse("video", err); }
void um_video_writer_close(um_video_writer *w) { (void)w; }
void um_video_writer_sound(const um_video_writer *w, um_video_sound *s) {
  (void)w;
  *s = (um_video_sound){0};
}

/* libavutil, libavcodec, libavformat, libavfilter, libswscale: what infer records of them. */
const char *av_version_info(void);
unsigned avutil_version(void), avcodec_version(void), avformat_version(void), avfilter_version(void), swscale_version(void);
const char *av_version_info(void) { return "none"; }
unsigned avutil_version(void) { return 0; }
unsigned avcodec_version(void) { return 0; }
unsigned avformat_version(void) { return 0; }
unsigned avfilter_version(void) { return 0; }
unsigned swscale_version(void) { return 0; }
