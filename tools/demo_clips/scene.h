/* A take: one sitting of one person before a camera, from which a real clip is made and, with a donor, a fake one. */
#ifndef DEMO_SCENE_H
#define DEMO_SCENE_H

#include "core/rng.h"
#include "tools/demo_clips/person.h"

enum { BLINKS = 16 };

typedef struct swing { /* a slow movement: three sines */
  float amount[3], hertz[3], phase[3];
} swing;

typedef struct take {
  um_rng at; /* stream DEMO, epoch 2, sample = number of the take */
  int width, height;
  light lit;
  pose rest;
  swing yaw, pitch, roll, x, y, size, speech, gaze_x, gaze_y, brow, smile;
  float blink[BLINKS]; /* seconds */
  float syllables;     /* a second */
  float grain;         /* standard deviation, of 1 */
  float exposure, vignette, shake;
  vec3 balance;
  float *backdrop; /* linear, (height + 2 margin) x (width + 2 margin) x 3 */
} take;

int take_open(take *t, uint64_t seed, uint32_t number, int width, int height, um_error *err);
void take_close(take *t);
/* Fills the tables of grain and tones: once, before the first take_develop. */
void grain_open(uint64_t seed);
/* The pose on a canvas `zoom` times the picture's size. */
void take_pose(const take *t, pose *p, float seconds, float zoom);
/* rgb (linear, height x width x 3): the backdrop behind a canvas of the picture's size. */
void take_compose(const take *t, float *rgb, const canvas *sitter, float seconds);
/* The camera: exposure, colour balance, vignette, gamma and grain; quiet (may be NULL) damps the grain where it is 1. */
void take_develop(const take *t, uint8_t *out, const float *rgb, const float *quiet, uint32_t frame);

/* What one fake leaves behind. */
typedef struct swap {
  um_rng at;     /* epoch 3, sample = number of the fake */
  float detail;  /* resolution inside, as a share of the picture's */
  float feather; /* softness of the seam */
  float tone[3]; /* what is left of the colour difference, and a cast of its own */
  float match;   /* share of the colour difference that was taken away */
  float jitter, flicker, strength;
} swap;

void swap_draw(swap *s, uint64_t seed, uint32_t number);
/* Blends the donor's inner face (a canvas of the picture's size) into rgb; quiet becomes where. */
int swap_apply(const swap *s, float *rgb, float *quiet, const canvas *donor, float unit, uint32_t frame, um_error *err);

#endif
