/* Frames of a video or a picture, in order, decoded forward once, through FFmpeg's libraries (data/ffmpeg.h holds what differs
 * between its versions). */
#ifndef UM_DATA_VIDEO_H
#define UM_DATA_VIDEO_H

#include "data/image.h"

typedef struct um_video um_video;

/* What the numbers of a video's pictures stand for, by the codes of ITU-T H.273 (FFmpeg's AVCOL_SPC_, AVCOL_PRI_, AVCOL_TRC_); 0 and 2:
 * not said. */
typedef struct um_colours {
  int matrix, primaries, transfer;
} um_colours;

typedef struct um_video_info {
  int width, height;             /* as displayed: rotation and sample aspect ratio applied, before scaling */
  int frame_width, frame_height; /* of the frames handed out: scaled to fit max_size */
  double duration_s;             /* 0 where unknown */
  double rate;                   /* average frame rate; 0 where unknown */
  int tick_num, tick_den;        /* seconds a tick of um_frame.tick; 0/1 of a picture */
  int64_t start;                 /* ticks: when the earliest of the file's streams begins */
  um_colours colours;
  char codec[32];
  bool picture; /* a still picture: one frame */
} um_video_info;

typedef struct um_video_options {
  double fps;   /* as FFmpeg's filter fps=N samples (a frame repeated where the video has a gap); 0: every frame */
  int max_size; /* frames are scaled, up or down, to fit max_size x max_size keeping the aspect ratio; 0: as they are. The recipe: 1000 */
  int threads;  /* of the decoder; 0: auto */
} um_video_options;

typedef struct um_frame {
  int64_t number; /* counts frames handed out from 0 */
  double time_s;
  int64_t tick; /* when the video itself shows this picture, in its own ticks: with options.fps it may be later or earlier than time_s */
  int64_t duration; /* for how many ticks; 0 where unknown, and with options.fps */
  int width, height;
  const uint8_t *grey; /* width x height, stride = grey_stride: luma, full range, as OpenCV's grey of the RGB within rounding */
  int grey_stride;
  bool repeated; /* the same picture as the frame before */
} um_frame;

/* UM_EIO where the file cannot be read; UM_EFORMAT where it is empty, is no video, holds no video stream or no whole header;
 * UM_EUNSUPPORTED where this FFmpeg has no decoder for it. Only that file is opened, whatever it refers to. */
int um_video_open(um_video **out, const char *path, const um_video_options *o, um_error *err);
const um_video_info *um_video_info_of(const um_video *v);
/* 1: *f is the next frame (valid until the next call), 0: the end, negative: an error. A damaged packet is counted and passed over; a
 * video of which nothing can be decoded is UM_EFORMAT. */
int um_video_next(um_video *v, um_frame *f, um_error *err);
/* The current frame in RGB (converted on demand: most frames need only the grey plane). */
int um_video_rgb(um_video *v, um_image *im, um_error *err);
int64_t um_video_damaged(const um_video *v); /* packets or frames that could not be decoded */
void um_video_close(um_video *v);

/* The size that fits max_size x max_size and has the aspect ratio of width:height (each side at least 1, halves rounded up). */
void um_fit(int *out_width, int *out_height, double width, double height, int max_size);

/* What kind of input a path is, by content. */
typedef enum um_media { UM_MEDIA_NONE, UM_MEDIA_IMAGE, UM_MEDIA_VIDEO } um_media;
um_media um_media_probe(const char *path);

#endif
