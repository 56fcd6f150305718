/* Backdrops, light, movement and the camera. */
#include "tools/demo_clips/scene.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"

#define TAU 6.28318531f
enum { MARGIN = 12, GRAIN = 1 << 14, TONES = 1024, TONE_TOP = 4 };

static float draw(const um_rng *at, uint32_t *d, float low, float high) { return (float)um_rng_range(at, (*d)++, low, high); }

static void swing_draw(swing *s, const um_rng *at, uint32_t *d, float amount, float hertz) {
  for (int i = 0; i < 3; i++) {
    s->amount[i] = amount * draw(at, d, .4f, 1) / (float)(1 + i);
    s->hertz[i] = hertz * (1 + 1.3f * (float)i) * draw(at, d, .7f, 1.3f);
    s->phase[i] = draw(at, d, 0, TAU);
  }
}

static float swing_at(const swing *s, float t) {
  float v = 0;
  for (int i = 0; i < 3; i++) v += s->amount[i] * sinf(TAU * s->hertz[i] * t + s->phase[i]);
  return v;
}

/* One of five places, out of focus. u and v run over the picture's height. */
static vec3 place(int kind, const float *k, float u, float v) {
  vec3 wall = v3(.10f + .55f * k[0], .10f + .5f * k[1], .10f + .5f * k[2]);
  float fade = .75f + .35f * bell2(u - k[3] * 1.4f, v - .2f, .7f, .6f);
  switch (kind) {
  case 0: { /* a wall with a picture on it */
    vec3 c = scale(wall, fade * (1 + .05f * noise(u * 40, v * 40)));
    float x = u - .12f - .9f * k[4], y = v - .22f, in = ramp(.17f, .15f, fabsf(x)) * ramp(.14f, .12f, fabsf(y)),
          mat = ramp(.13f, .12f, fabsf(x)) * ramp(.10f, .09f, fabsf(y));
    c = mix(c, v3(.04f, .03f, .025f), in);
    return mix(c, scale(v3(k[5], .4f, k[6]), .3f + .5f * noise(u * 12, v * 12)), mat);
  }
  case 1: { /* shelves */
    float shelf = v * 3.2f + k[3], row = floorf(shelf), in = shelf - row;
    float book = floorf(u * 22 + 7 * noise(row * 3.7f, .5f)), h = .55f + .35f * noise(book * 1.7f, row * 2.3f);
    vec3 c = scale(wall, .18f);
    vec3 spine = v3(.05f + .4f * noise(book * 3.1f, row + k[4] * 30), .04f + .3f * noise(book * 5.3f, row + 9),
                    .04f + .3f * noise(book * 7.7f, row + 17));
    c = mix(c, spine, ramp(1 - h - .04f, 1 - h + .04f, in) * ramp(.96f, .90f, in));
    return mix(mix(c, v3(.12f, .10f, .09f), .55f), v3(.16f, .09f, .045f), ramp(.90f, .95f, in));
  }
  case 2: { /* a window */
    float x = u - .2f - .9f * k[3], in = ramp(.36f, .30f, fabsf(x)) * ramp(.44f, .38f, fabsf(v - .40f));
    vec3 sky = mix(v3(.75f, .85f, 1), v3(.35f, .45f, .30f), ramp(.30f, .65f, v + .1f * noise(u * 6, 3)));
    vec3 c = mix(scale(wall, .7f * fade), scale(sky, .9f), in);
    return mix(c, scale(wall, .9f), in * ramp(.03f, .015f, fabsf(fabsf(x) < .2f ? x : 1)));
  }
  case 3: { /* out of doors */
    vec3 c = mix(v3(.35f, .5f, .7f), v3(.08f, .16f, .05f), ramp(.15f, .7f, v + .3f * (noise(u * 3 + 9 * k[3], v * 3) - .5f)));
    for (int i = 0; i < 9; i++) {
      float x = u - 1.4f * noise((float)i * 1.9f + 20 * k[4], 2), y = v - .8f * noise((float)i * 2.7f, 8 * k[5]), r = sqrtf(x * x + y * y),
            size = .03f + .07f * noise((float)i * 4.1f, k[6] * 9);
      c = mix(c, v3(.6f, .6f, .4f), .35f * ramp(size, size * .8f, r));
    }
    return c;
  }
  default: { /* a curtain */
    float fold = sinf(u * (18 + 20 * k[3]) + 2.5f * noise(u * 3, v));
    return scale(wall, fade * (.72f + .22f * fold));
  }
  }
}

int take_open(take *t, uint64_t seed, uint32_t number, int width, int height, um_error *err) {
  *t = (take){.at = {.seed = seed, .stream = UM_STREAM_DEMO, .epoch = 2, .sample = number}, .width = width, .height = height};
  uint32_t d = 0;
  float key = draw(&t->at, &d, .62f, .95f), azimuth = draw(&t->at, &d, -1.0f, 1.0f), rise = draw(&t->at, &d, -.05f, .75f),
        warm = draw(&t->at, &d, -.16f, .16f);
  t->lit.towards = v3(sinf(azimuth) * cosf(rise), sinf(rise), cosf(azimuth) * cosf(rise));
  t->lit.key = v3(key * (1 + warm), key, key * (1 - warm));
  float sky = draw(&t->at, &d, .20f, .42f), cool = draw(&t->at, &d, -.1f, .1f);
  t->lit.sky = v3(sky * (1 - cool), sky, sky * (1 + cool));
  t->lit.ground = scale(t->lit.sky, draw(&t->at, &d, .35f, .65f));

  float h = (float)height;
  t->rest.size = h * draw(&t->at, &d, .26f, .34f);
  t->rest.x = (float)width * draw(&t->at, &d, .40f, .60f), t->rest.y = h * draw(&t->at, &d, .44f, .50f);
  t->rest.yaw = draw(&t->at, &d, -.16f, .16f), t->rest.pitch = draw(&t->at, &d, -.06f, .08f), t->rest.roll = draw(&t->at, &d, -.05f, .05f);
  t->rest.wide = draw(&t->at, &d, -.3f, .6f), t->rest.smile = draw(&t->at, &d, 0, .7f);
  swing_draw(&t->yaw, &t->at, &d, .07f, .25f), swing_draw(&t->pitch, &t->at, &d, .035f, .4f), swing_draw(&t->roll, &t->at, &d, .03f, .2f);
  swing_draw(&t->x, &t->at, &d, .022f * h, .15f), swing_draw(&t->y, &t->at, &d, .012f * h, .3f),
      swing_draw(&t->size, &t->at, &d, .015f, .1f);
  swing_draw(&t->speech, &t->at, &d, .8f, .35f), swing_draw(&t->gaze_x, &t->at, &d, .3f, .3f),
      swing_draw(&t->gaze_y, &t->at, &d, .12f, .3f);
  swing_draw(&t->brow, &t->at, &d, .5f, .3f), swing_draw(&t->smile, &t->at, &d, .2f, .2f);
  float at = draw(&t->at, &d, .2f, 2.5f);
  for (int i = 0; i < BLINKS; i++) t->blink[i] = at, at += draw(&t->at, &d, 1.2f, 4.5f);
  t->syllables = draw(&t->at, &d, 3.2f, 5.2f);
  t->grain = draw(&t->at, &d, .005f, .022f), t->exposure = draw(&t->at, &d, .85f, 1.15f), t->vignette = draw(&t->at, &d, 0, .35f);
  t->shake = draw(&t->at, &d, 0, 1.5f);
  float tint = draw(&t->at, &d, -.06f, .06f);
  t->balance = v3(1 + tint, 1, 1 - tint);

  float k[8];
  for (int i = 0; i < 8; i++) k[i] = draw(&t->at, &d, 0, 1);
  int kind = (int)um_rng_below(&t->at, d++, 5), w = width + 2 * MARGIN, rows = height + 2 * MARGIN;
  t->backdrop = malloc((size_t)w * (size_t)rows * 3 * sizeof *t->backdrop);
  if (!t->backdrop) return um_fail(err, UM_ENOMEM, "no memory for a backdrop of %d x %d", w, rows);
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < w; x++) {
      vec3 c = place(kind, k, (float)x / h, (float)y / h);
      float *p = t->backdrop + ((size_t)y * (size_t)w + (size_t)x) * 3;
      p[0] = c.x, p[1] = c.y, p[2] = c.z;
    }
  return UM_OK;
}

void take_close(take *t) {
  free(t->backdrop);
  t->backdrop = NULL;
}

void take_pose(const take *t, pose *p, float s, float zoom) {
  *p = t->rest;
  p->yaw += swing_at(&t->yaw, s), p->pitch += swing_at(&t->pitch, s), p->roll += swing_at(&t->roll, s);
  /* Beyond these the frontal cascade begins to lose the face. */
  p->yaw = clampf(p->yaw, -.30f, .30f), p->pitch = clampf(p->pitch, -.14f, .16f), p->roll = clampf(p->roll, -.13f, .13f);
  p->x = (p->x + swing_at(&t->x, s)) * zoom, p->y = (p->y + swing_at(&t->y, s)) * zoom;
  p->size *= (1 + swing_at(&t->size, s)) * zoom;
  float voice = clampf(.45f + swing_at(&t->speech, s), 0, 1), beat = TAU * t->syllables * s;
  p->open = clampf(voice * (.42f + .38f * sinf(beat) + .2f * sinf(beat * .43f + 1)), 0, 1);
  p->wide = clampf(p->wide + .5f * voice * sinf(beat * .5f + 2), -1, 1);
  p->smile = clampf(p->smile + swing_at(&t->smile, s), 0, 1), p->brow = clampf(swing_at(&t->brow, s), 0, 1);
  p->gaze_x = clampf(swing_at(&t->gaze_x, s) - .8f * t->rest.yaw, -1, 1), p->gaze_y = clampf(swing_at(&t->gaze_y, s), -.6f, .6f);
  for (int i = 0; i < BLINKS; i++) p->blink = fmaxf(p->blink, 1.15f * bell(s - t->blink[i], .06f));
  p->blink = clampf(p->blink, 0, 1);
}

void take_compose(const take *t, float *rgb, const canvas *sitter, float seconds) {
  int dx = MARGIN + (int)lrintf(t->shake * 2 * sinf(1.7f * seconds)), dy = MARGIN + (int)lrintf(t->shake * 2 * sinf(2.3f * seconds + 1));
  size_t w = (size_t)(t->width + 2 * MARGIN);
  for (int y = 0; y < t->height; y++) {
    const float *back = t->backdrop + ((size_t)(y + dy) * w + (size_t)dx) * 3;
    for (int x = 0; x < t->width; x++) {
      size_t i = (size_t)y * (size_t)t->width + (size_t)x;
      for (size_t c = 0; c < 3; c++) rgb[i * 3 + c] = sitter->rgb[i * 3 + c] + (1 - sitter->cover[i]) * back[(size_t)x * 3 + c];
    }
  }
}

/* A table of normal numbers, read from another place in every row of every frame. */
static float grain[GRAIN];
/* v / (1 + 0.22 v), a shoulder so that highlights do not clip hard, then gamma; over v = 0..TONE_TOP. */
static float tone[TONES + 2];

void grain_open(uint64_t seed) {
  const um_rng at = {.seed = seed, .stream = UM_STREAM_DEMO, .epoch = 4};
  for (uint32_t i = 0; i < GRAIN; i++) grain[i] = (float)um_rng_normal(&at, i);
  for (int i = 0; i < TONES + 2; i++) {
    float v = TONE_TOP * ((float)i / TONES) * ((float)i / TONES); /* by the square root: finer in the dark */
    tone[i] = powf(v / (1 + .22f * v), 1 / 2.2f);
  }
}

void take_develop(const take *t, uint8_t *out, const float *rgb, const float *quiet, uint32_t frame) {
  const float balance[3] = {t->balance.x, t->balance.y, t->balance.z};
  um_rng at = t->at;
  at.epoch = 5 + 2 * frame + (quiet != NULL);
  for (int y = 0; y < t->height; y++) {
    uint32_t offset = um_rng_bits(&at, (uint32_t)y);
    for (int x = 0; x < t->width; x++) {
      size_t i = (size_t)y * (size_t)t->width + (size_t)x;
      float fx = 2 * ((float)x + .5f) / (float)t->width - 1, fy = 2 * ((float)y + .5f) / (float)t->height - 1;
      float gain = t->exposure * (1 - t->vignette * .5f * (fx * fx + fy * fy)), still = quiet ? 1 - .7f * quiet[i] : 1;
      float luma = grain[(offset + (uint32_t)x * 3) % GRAIN];
      for (size_t c = 0; c < 3; c++) {
        float v = fmaxf(0, rgb[i * 3 + c] * gain * balance[c]);
        float place_on = sqrtf(v * (1.f / TONE_TOP)) * TONES;
        int k = place_on < TONES ? (int)place_on : TONES;
        v = mixf(tone[k], tone[k + 1], clampf(place_on - (float)k, 0, 1)) +
            t->grain * still * (.8f * luma + .6f * grain[(offset + 7777 + (uint32_t)x * 3 + (uint32_t)c) % GRAIN]);
        out[i * 3 + c] = (uint8_t)(255 * clampf(v, 0, 1) + .5f);
      }
    }
  }
}
