/* Pictures into a video file: H.264 (x264) in MP4, MOV or Matroska, with the sound of another file copied beside it. */
#ifndef UM_DATA_VIDEO_WRITE_H
#define UM_DATA_VIDEO_WRITE_H

#include "data/image.h"
#include "data/video.h"

typedef struct um_video_writer um_video_writer;

typedef struct um_video_write_options {
  int width, height;      /* of every picture; where one is odd the video has its last column or row twice: 4:2:0 knows even sizes only */
  int tick_num, tick_den; /* times are whole ticks of tick_num / tick_den seconds: 1/25 for 25 frames a second, or the source's */
  double rate;            /* frames a second, about: for the distance of key frames (2 s); 0: one a tick */
  double crf;             /* x264's constant rate factor, 0 (no loss) to 51; another encoder gets a bit rate or quantizer about as good */
  const char *preset;     /* x264's; NULL: "medium" */
  int threads;            /* of the encoder; 0: auto. The bytes of a file depend on it; with 1 they are always the same */
  um_colours colours;     /* of the pictures; {0} is BT.601, and the file says nothing of them */
  const char *encoder;    /* FFmpeg's name; NULL: the best that there is */
  const char *audio_from; /* a file of which every audio stream is copied, packet by packet, or NULL */
  int64_t audio_shift;    /* ticks taken off its times */
} um_video_write_options;

/* What videos are encoded with here: "libx264" where FFmpeg has it, else "libopenh264" or "mpeg4" (which is no H.264); NULL: nothing. */
const char *um_video_encoder(void);

/* The container goes by the path's ending: .mkv, .mov, and MP4 for all others. Writes to a temporary file in the same folder.
 * UM_EUNSUPPORTED where this FFmpeg has no encoder; that it is not x264 is logged once. */
int um_video_writer_open(um_video_writer **out, const char *path, const um_video_write_options *o, um_error *err);
/* A picture is shown from `tick` on, the last one for `duration` ticks. One that is not later than the one before is put a tick after. */
int um_video_writer_add(um_video_writer *w, const um_image *im, int64_t tick, int64_t duration, um_error *err);
/* Writes what is left, syncs and renames. Without one picture it fails. */
int um_video_writer_finish(um_video_writer *w, um_error *err);
/* Frees; a file that was not finished is removed. NULL is fine. */
void um_video_writer_close(um_video_writer *w);

/* What became of the sound. */
typedef struct um_video_sound {
  int copied, left_out; /* audio streams: that are copied, and that the container cannot hold */
  char names[128];      /* codecs of those that are left out: "pcm_s16le" */
  int64_t damaged;      /* packets so far that the muxer would not take */
} um_video_sound;
void um_video_writer_sound(const um_video_writer *w, um_video_sound *s);

#endif
