/* The sound of a file, copied packet by packet into another: a part of data/video_write.c. */
#ifndef UM_DATA_VIDEO_SOUND_H
#define UM_DATA_VIDEO_SOUND_H

#include "data/ffmpeg.h"

typedef struct um_sound_stream {
  int to;            /* its number in the output; -1: it is not copied */
  int64_t last_dts;  /* in the output's time base */
  int64_t remainder; /* of av_rescale_delta: times of coarse clocks become those of samples */
} um_sound_stream;

typedef struct um_sound {
  const char *path;
  AVFormatContext *from;
  AVPacket *packet; /* the next one, where `pending` */
  um_sound_stream *stream;
  int copied, left_out;
  int64_t damaged; /* packets that the muxer would not take */
  char names[128]; /* codecs of those that are left out */
  int64_t shift;   /* in ticks of unit seconds: taken off all times */
  AVRational unit;
  bool pending, ended;
} um_sound;

/* Adds a stream to `out`, whose header is not written yet, for each audio stream of the file that its container can hold; `path` stays
 * valid. Start s as {0}; it may be closed after a failure, too. */
int um_sound_open(um_sound *s, AVFormatContext *out, const char *path, int64_t shift, AVRational unit, um_error *err);
/* Writes the packets that begin before this second of the output (INFINITY: all). What is damaged in the source ends the sound. 0, or
 * FFmpeg's error of writing. */
int um_sound_until(um_sound *s, AVFormatContext *out, double second);
void um_sound_close(um_sound *s);

#endif
