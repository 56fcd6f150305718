/* Frames of a video or a picture, in order, decoded forward once, through FFmpeg's libraries (data/ffmpeg.h holds what differs
 * between its versions). */
#ifndef UM_DATA_VIDEO_H
#define UM_DATA_VIDEO_H

#include "data/image.h"

typedef struct um_video um_video;

typedef struct um_video_info {
  int width, height;             /* as displayed: rotation and sample aspect ratio applied, before scaling */
  int frame_width, frame_height; /* of the frames handed out: scaled down to fit max_size where larger */
  double duration_s;             /* 0 where unknown */
  double rate;                   /* average frame rate; 0 where unknown */
  char codec[32];
  bool picture; /* a still picture: one frame */
} um_video_info;

typedef struct um_video_options {
  double fps;   /* as FFmpeg's filter fps=N samples; 0: every frame */
  int max_size; /* frames are scaled down to fit max_size x max_size keeping the aspect ratio; 0: as they are. The recipe: 1000 */
  int threads;  /* of the decoder; 0: auto */
} um_video_options;

typedef struct um_frame {
  int64_t number; /* counts frames handed out from 0 */
  double time_s;
  int width, height;
  const uint8_t *grey; /* width x height, stride = grey_stride: luma, full range, as OpenCV's grey of the RGB within rounding */
  int grey_stride;
} um_frame;

int um_video_open(um_video **out, const char *path, const um_video_options *o, um_error *err);
const um_video_info *um_video_info_of(const um_video *v);
/* 1: *f is the next frame (valid until the next call), 0: the end, negative: an error. A damaged packet is counted and passed over. */
int um_video_next(um_video *v, um_frame *f, um_error *err);
/* The current frame in RGB (converted on demand: most frames need only the grey plane). */
int um_video_rgb(um_video *v, um_image *im, um_error *err);
int64_t um_video_damaged(const um_video *v); /* packets or frames that could not be decoded */
void um_video_close(um_video *v);

/* What kind of input a path is, by content. */
typedef enum um_media { UM_MEDIA_NONE, UM_MEDIA_IMAGE, UM_MEDIA_VIDEO } um_media;
um_media um_media_probe(const char *path);

#endif
