/* Small videos for tests, encoded with codecs that every FFmpeg has (MPEG-4 part 2, AAC, PCM). */
#ifndef UM_TESTS_SUPPORT_CLIP_H
#define UM_TESTS_SUPPORT_CLIP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct clip {
  const char *path; /* the ending chooses the container: mp4, mkv, avi */
  int width, height, frames;
  int rate;             /* frames a second; times are in 1/600 s */
  const int *time;      /* of each frame in 1/600 s, or NULL: evenly at rate */
  int turn;             /* display rotation, degrees clockwise, multiples of 90 */
  bool mirror;          /* and mirrored left to right before that */
  int sar_num, sar_den; /* 0: square */
  int b_frames;
  bool faststart;    /* the index before the data, so that a cut file still opens */
  bool sound_only;   /* AAC */
  const char *sound; /* beside the pictures: FFmpeg's name of an encoder ("aac", "pcm_s16le"), or NULL */
  int sound_ms;      /* how long it is; of sound_only 0: 20 * 1024 samples */
  int sound_late_ms; /* it begins later than the pictures */
  int last_late_s;   /* the last frame's time is this much later than it should be */
  /* Fills the grey picture of frame i (colour stays neutral); NULL: all pixels of value clip_level(i). */
  void (*draw)(uint8_t *grey, int width, int height, int i, void *arg);
  void *arg;
} clip;

/* Fails the program where FFmpeg does. */
void clip_write(const clip *c);

/* Levels that survive coding: frame i is told from its neighbours, and from the mean grey of a decoded frame comes i modulo 16. */
int clip_level(int i);
int clip_index(const uint8_t *grey, int width, int height, int stride);

#endif
