/* The surfaces: skin with eyes, brows, lips and nostrils painted on, hair, clothes; and the light on them. */
#include "core/rng.h"
#include "tools/demo_clips/person.h"

enum { LATTICE = 64 };
static float lattice[LATTICE][LATTICE];

void noise_open(uint64_t seed) {
  for (uint32_t i = 0; i < LATTICE * LATTICE; i += 4) {
    const um_rng at = {.seed = seed, .stream = UM_STREAM_DEMO};
    for (uint32_t k = 0; k < 4; k++) lattice[(i + k) / LATTICE][(i + k) % LATTICE] = (float)um_rng_uniform(&at, i + k);
  }
}

float noise(float x, float y) {
  float fx = floorf(x), fy = floorf(y), tx = x - fx, ty = y - fy;
  int ix = (int)fx & (LATTICE - 1), iy = (int)fy & (LATTICE - 1), jx = (ix + 1) & (LATTICE - 1), jy = (iy + 1) & (LATTICE - 1);
  tx = tx * tx * (3 - 2 * tx), ty = ty * ty * (3 - 2 * ty);
  return mixf(mixf(lattice[iy][ix], lattice[iy][jx], tx), mixf(lattice[jy][ix], lattice[jy][jx], tx), ty);
}

vec3 lit(const light *l, vec3 albedo, vec3 n, float gloss, float shininess) {
  float d = clampf((dot(n, l->towards) + .25f) / 1.25f, 0, 1);
  vec3 half = unit(add(l->towards, v3(0, 0, 1)));
  float s = gloss * powf(clampf(dot(n, half), 0, 1), shininess);
  vec3 sky = mix(l->ground, l->sky, .5f + .5f * n.y);
  return add(mul(albedo, add(scale(l->key, d), sky)), scale(l->key, s));
}

static vec3 tint(vec3 a, vec3 b, float t) { return mix(a, b, clampf(t, 0, 1)); }
/* 1 inside (x < edge), 0 outside, one pixel soft. */
static float inside(const look *l, float x, float edge) { return ramp(edge + l->pixel, edge - l->pixel, x); }

/* Skin alone: mottled, redder on cheeks and nose, shaved or bearded below. */
static vec3 bare_skin(const look *l, float x, float y) {
  const person *p = l->who;
  float ax = fabsf(x), tip = p->eye_y + .02f - p->nose_length;
  vec3 a = scale(p->skin, 1 + .16f * (noise(x * 7 + p->texture_x, y * 7 + p->texture_y) - .5f) +
                              .08f * (noise(x * 23 + p->texture_y, y * 23) - .5f) + .06f * (noise(x * 61, y * 61 + p->texture_x) - .5f));
  float red =
      p->redness * (bell2(ax - .40f, y + .26f, .15f, .12f) + .8f * bell2(x, y - tip, .09f, .07f) + .3f * bell2(x, y + .92f, .12f, .06f));
  a = mul(a, v3(1 + .06f * red, 1 - .12f * red, 1 - .10f * red));
  if (p->freckles > 0) {
    float f = noise(x * 34 + p->texture_x, y * 34 + p->texture_y);
    a = scale(a, 1 - .35f * p->freckles * ramp(.74f, .86f, f) * bell2(x, y + .15f, .35f, .22f));
  }
  float jawline = ramp(-.38f, -.60f, y - .55f * ramp(.30f, .62f, ax)) * (1 - .9f * bell2(x, y - p->mouth_y + .02f, .16f, .04f));
  float moustache = bell2(ax - .10f, y - (tip + p->mouth_y) * .5f + .03f, .11f, .05f);
  float beard = p->beard * clampf(jawline + moustache, 0, 1);
  if (beard <= 0) return a;
  float strands = .55f + .45f * noise(x * 70 + p->texture_x, y * 38);
  return tint(a, scale(p->hair, 1.3f), beard * (p->beard > .55f ? .85f : .35f) * strands);
}

/* One eye: almond between two lids, iris, pupil, a glint, lashes and the crease above. Returns how glossy the place is. */
static float paint_eye(const look *l, vec3 *a, float x, float y, float side) {
  const person *p = l->who;
  const pose *h = l->how;
  float s = p->eye_size, ex = (x * side - p->eye_x) / s, ey = (y - p->eye_y) / s - p->eye_tilt * ex, soft = l->pixel / s;
  if (fabsf(ex) > 1.7f || ey > 1.6f || ey < -1.5f) return 0;
  float t = 1 - ex * ex, arc = t > 0 ? sqrtf(t) * (.75f + .25f * t) : 0;
  float open = p->eye_open * (1 - h->blink) * 1.15f + .02f, upper = open * arc * (1 - .10f * ex) - .12f * h->blink * arc,
        lower = -.30f * arc * (1 - .25f * h->blink);
  /* Lid and socket. */
  float crease = (p->eye_open * 1.15f + .24f) * powf(clampf(1 - ex * ex * .75f, 0, 1), .6f);
  *a = scale(*a, 1 - .34f * (1 - .5f * h->blink) * bell(ey - crease, .07f + soft * .5f) * ramp(1.25f, .8f, fabsf(ex)));
  *a = scale(*a, 1 - .16f * p->age * bell(ey + .55f + .1f * ex * ex, .09f) * ramp(1.1f, .5f, fabsf(ex)));
  if (p->make_up > 0) *a = tint(*a, scale(p->lip, .55f), .28f * p->make_up * bell2(ex, ey - .5f, .7f, .22f));
  float in = ramp(upper + soft, upper - soft, ey) * ramp(lower - soft, lower + soft, ey) * ramp(1 + soft, 1 - soft, fabsf(ex));
  if (in > 0) {
    vec3 ball = scale(v3(.74f, .70f, .67f), .80f + .2f * ramp(1, .3f, fabsf(ex)));
    ball = tint(ball, v3(.6f, .3f, .27f), .35f * bell(ex * side * side + .95f, .14f)); /* the inner corner */
    float ix = ex * side - .30f * h->gaze_x, iy = ey - .08f - .22f * h->gaze_y, r = sqrtf(ix * ix + iy * iy);
    vec3 iris = scale(p->iris, 1.2f * (.55f + .9f * r / .42f) * (.75f + .5f * noise(atan2f(iy, ix) * 6, r * 4)));
    ball = tint(ball, scale(p->iris, .35f), ramp(.46f + soft, .44f - soft, r));
    ball = tint(ball, iris, ramp(.41f + soft, .37f - soft, r));
    ball = tint(ball, v3(.004f, .004f, .004f), ramp(.18f + soft, .16f - soft, r));
    ball = scale(ball, 1 - .5f * ramp(.30f, 0, upper - ey)); /* shade of the upper lid */
    float gx = ix - .16f, gy = iy - .18f;
    ball = tint(ball, v3(1.6f, 1.6f, 1.6f), ramp(.10f + soft, .06f, sqrtf(gx * gx + gy * gy)));
    *a = tint(*a, ball, in);
  }
  float lash = (.055f + .05f * p->make_up) * ramp(1.15f, .9f, fabsf(ex)) + .03f * p->make_up * ramp(.2f, 1, ex);
  *a = tint(*a, v3(.012f, .009f, .008f),
            .92f * ramp(lash + soft, lash - soft, fabsf(ey - upper - lash * .5f)) * ramp(1.12f, .98f, fabsf(ex)));
  *a = scale(*a, 1 - .35f * bell(ey - lower + .03f, .035f + soft * .5f) * ramp(1.05f, .85f, fabsf(ex)));
  return in;
}

static void paint_brow(const look *l, vec3 *a, float x, float y) {
  const person *p = l->who;
  float t = (fabsf(x) - .11f) / .37f;
  if (t < -.1f || t > 1.1f) return;
  float line = p->brow_y + .045f * l->how->brow + p->brow_arch * sinf(3.14159265f * clampf(t, 0, 1) * .8f) - .02f * t,
        thick = p->brow_thick * (1 - .6f * t);
  if (fabsf(y - line) > thick + .012f) return;
  float strands = .6f + .4f * noise(x * 55 + y * 40, y * 70 + p->texture_x);
  float in = ramp(thick + .012f, thick - .012f, fabsf(y - line)) * ramp(-.06f, .08f, t) * ramp(1.06f, .85f, t);
  *a = tint(*a, scale(p->hair, p->hair.x > .25f ? .45f : .9f), .88f * in * strands);
}

/* Lips, and between them the dark of the mouth with teeth and tongue. */
static float paint_mouth(const look *l, vec3 *a, float x, float y) {
  const person *p = l->who;
  const pose *h = l->how;
  float half = p->mouth_width * (1 + .14f * h->wide + .10f * h->smile), t = x / half, k = 1 - t * t;
  if (fabsf(t) > 1.3f || fabsf(y - p->mouth_y) > .4f) return 0;
  float base = p->mouth_y + (.055f * h->smile - .006f) * t * t, arc = k > 0 ? powf(k, .7f) : 0;
  float top = base + .010f * h->open * arc, bottom = base - .165f * h->open * arc;
  float bow = 1 - .28f * bell(t, .13f) + .10f * bell(fabsf(t) - .26f, .15f);
  float upper = top + p->lip_upper * arc * bow + .002f, lower = bottom - p->lip_lower * (k > 0 ? powf(k, .6f) : 0) - .002f;
  float middle = ramp(1.02f, .90f, fabsf(t));
  float lips = inside(l, y, upper) * inside(l, -y, -lower) * middle;
  float groove = .88f + .12f * noise(x * 60, y * 12 + p->texture_x);
  *a = tint(*a, scale(p->lip, groove), lips * (.62f + .3f * p->make_up));
  *a = scale(*a, 1 - .22f * bell(y - lower + .02f, .02f) * middle * (1 - .3f * fabsf(t)));
  float gap = inside(l, y, top) * inside(l, -y, -bottom) * ramp(1, .94f, fabsf(t));
  if (h->open > .04f && gap > 0) {
    vec3 in = v3(.035f, .010f, .010f);
    float room = top - bottom;
    in = tint(in, v3(.28f, .075f, .075f), .8f * bell2(t, (y - bottom) / fmaxf(room, .01f) - .12f, .5f, .22f));
    float teeth = inside(l, -y, -(top - fminf(.055f, room * .62f))) * ramp(.78f, .62f, fabsf(t));
    float gaps = 1 - .25f * ramp(.88f, 1, fabsf(sinf(x * 52)));
    in = tint(in, scale(v3(.62f, .58f, .50f), gaps * (.55f + .45f * k)), teeth * ramp(.06f, .2f, h->open));
    *a = tint(*a, in, gap);
  }
  float seam = bell(y - top, .007f + l->pixel * .4f) + (h->open > .04f ? 0 : .4f * bell(y - top, .018f));
  *a = scale(*a, 1 - .72f * clampf(seam, 0, 1) * ramp(1.06f, .96f, fabsf(t)));
  *a = scale(*a, 1 - .30f * bell2(fabsf(t) - 1.02f, y - base, .06f, .018f));
  return lips * (1 - gap) * bell2(t, y - (bottom - p->lip_lower * .45f), .45f, .015f);
}

float inner_face(const look *l, vec3 p) {
  float x = p.x / .55f, y = (p.y + .24f) / .60f;
  return p.z > 0 ? ramp(1 + l->feather, 1 - l->feather, sqrtf(x * x + y * y)) : 0;
}

static vec3 shade_skin(const look *l, vec3 q, vec3 n) {
  const person *p = l->who;
  float x = q.x, y = q.y, ax = fabsf(x), gloss = .05f, tip = p->eye_y + .02f - p->nose_length;
  vec3 a = bare_skin(l, x, y);
  if (q.z > 0) {
    a = scale(a, 1 - .30f * bell2(ax - p->eye_x * .55f, y - p->eye_y - .02f, .055f, .08f)); /* beside the bridge */
    a = scale(a, 1 - .16f * bell2(ax - p->eye_x, y - p->eye_y - .03f, .15f, .10f));
    a = scale(a, 1 - .30f * bell2(ax - p->nose_width - .035f, y - tip + .01f, .022f, .045f)); /* the wing's edge */
    a = scale(a, 1 - .22f * bell2(x, y - tip + .075f, .11f, .03f));                           /* under the nose */
    a = scale(a, 1 - .10f * bell2(x, y - (tip + p->mouth_y) * .5f, .018f, .06f));
    a = scale(a, 1 - (.10f + .22f * p->age) * bell(ax - .155f - (tip - y) * .42f, .018f) * ramp(tip + .05f, tip - .04f, y) *
                         ramp(p->mouth_y - .06f, p->mouth_y + .05f, y));
    if (p->age > .5f) a = scale(a, 1 - .14f * (p->age - .4f) * bell(sinf((y - .35f) * 40 + 2 * x), .25f) * bell2(x, y - .40f, .3f, .09f));
    float hole = bell2(ax - .058f, y - tip + .045f, .024f, .014f);
    a = tint(a, v3(.02f, .008f, .006f), .9f * ramp(.3f, .8f, hole));
    gloss += .05f * bell2(x, y - tip - .02f, .05f, .06f) + .04f * bell2(x, y - .35f, .25f, .12f);
    gloss += .12f * paint_eye(l, &a, x, y, 1) + .12f * paint_eye(l, &a, x, y, -1);
    paint_brow(l, &a, x, y);
    gloss += .10f * paint_mouth(l, &a, x, y);
    if (p->glasses) {
      float gx = (ax - p->eye_x - .01f) / .22f, gy = (y - p->eye_y + .02f) / .165f, r = powf(gx * gx * gx * gx + gy * gy * gy * gy, .25f);
      float rim = bell(r - 1, .045f) + bell(y - p->eye_y - .03f, .014f) * ramp(.10f, .08f, ax) +
                  bell(y - p->eye_y - .04f, .014f) * ramp(.50f, .52f, ax);
      a = tint(a, v3(.015f, .013f, .012f), .95f * ramp(.25f, .7f, rim));
    }
  }
  /* Where the wig begins its shade falls on the forehead. */
  if (p->style != HAIR_BALD) a = scale(a, 1 - .30f * ramp(p->hair_line - .10f, p->hair_line + .02f, y + .25f * ax * ax));
  return lit(l->lit, a, n, gloss, 18);
}

static vec3 shade_ear(const look *l, vec3 q, vec3 n) {
  float y = (q.y - l->who->eye_y + .12f) / .21f, x = (fabsf(q.x) - l->who->width) / .085f;
  vec3 a = mul(l->who->skin, v3(.98f, .86f, .84f));
  a = scale(a, 1 - .45f * bell2(x - .1f, y - .1f, .35f, .42f));
  return lit(l->lit, a, n, .03f, 12);
}

static vec3 shade_neck(const look *l, vec3 q, vec3 n) {
  vec3 a = bare_skin(l, q.x, -.2f + .2f * q.y);
  a = scale(a, .50f + .40f * ramp(-.85f, -1.45f, q.y)); /* the chin's shadow */
  a = scale(a, 1 - .18f * bell(fabsf(q.x) - .13f + .12f * (q.y + 1.5f), .03f));
  return lit(l->lit, a, n, .02f, 12);
}

static vec3 shade_torso(const look *l, vec3 q, vec3 n) {
  const person *p = l->who;
  float ax = fabsf(q.x), collar = p->make_up > 0 ? -1.72f + .9f * ax : -1.50f + .75f * ax * ax;
  vec3 a = p->cloth;
  if (p->cloth_pattern == 1) a = tint(a, p->cloth_2, .8f * ramp(.1f, .3f, sinf(q.y * 26)));
  if (p->cloth_pattern == 2) {
    float lapel = ax - .10f - .42f * ramp(-2.6f, -1.3f, q.y);
    a = tint(a, p->cloth_2, inside(l, lapel, 0));
    a = scale(a, 1 - .5f * bell(lapel, .03f));
  }
  a = scale(a, 1 - .20f * (noise(q.x * 3 + p->texture_x, q.y * 2.2f) - .3f));
  if (q.z > -.2f) {
    float skin = inside(l, -q.y, -collar);
    a = tint(a, scale(bare_skin(l, q.x * .5f, .2f), .85f), skin);
    a = scale(a, 1 - .4f * bell(q.y - collar, .025f));
  }
  return lit(l->lit, a, n, .01f, 8);
}

/* Strands run down from the parting; the gloss is a band. */
static vec3 hair_colour(const look *l, float along, float across, vec3 n) {
  const person *p = l->who;
  float s = .5f * noise(across * 26 + p->texture_x, along * 2) + .5f * noise(across * 75 + p->texture_y, along * 4);
  vec3 a = scale(p->hair, .55f + .95f * s);
  vec3 c = lit(l->lit, a, n, .0f, 10);
  float band = bell(n.y - .45f - .15f * s, .16f) * clampf(dot(n, l->lit->towards) + .2f, 0, 1);
  return add(c, scale(mix(p->hair, v3(.25f, .25f, .25f), .25f), .55f * band * s));
}

/* The height where the wig begins. */
static float wig_edge(const person *p, vec3 q) {
  float line = p->hair_line + .10f * q.x * p->hair_part - .30f * ramp(.40f, .66f, fabsf(q.x));
  if (p->style == HAIR_FULL || p->style == HAIR_LONG) line -= .16f * bell(q.x - p->hair_part, .30f);
  line = mixf(line, p->style == HAIR_LONG ? -.45f : -.10f, ramp(.42f, .12f, q.z));
  return mixf(line, p->style == HAIR_SHORT ? -.55f : -.75f, ramp(-.05f, -.30f, q.z));
}

bool hair_is_there(const void *arg, vec3 q) {
  const person *p = ((const look *)arg)->who;
  if (q.y < -.8f) return false;
  return q.y >= wig_edge(p, q) + .05f * (noise(q.x * 22 + p->texture_x, q.z * 14) - .5f) + .03f * (noise(q.x * 60, q.z * 30) - .5f);
}

bool curtain_is_there(const void *arg, vec3 q) {
  return q.y >= -1.28f + .22f * (noise(q.x * 18 + ((const look *)arg)->who->texture_x, 3) - .5f);
}

bool face_is_there(const void *arg, vec3 q) { return inner_face(arg, q) > 0; }

vec3 shade(const void *arg, int surface, vec3 q, vec3 n, float *mask) {
  const look *l = arg;
  *mask = 0;
  switch (surface) {
  case SURFACE_SKIN: *mask = inner_face(l, q); return shade_skin(l, q, n);
  case SURFACE_EAR: return shade_ear(l, q, n);
  case SURFACE_NECK: return shade_neck(l, q, n);
  case SURFACE_TORSO: return shade_torso(l, q, n);
  case SURFACE_HAIR: {
    float edge = wig_edge(l->who, q);
    return scale(hair_colour(l, q.y - q.z * .5f, q.x / (1.2f + .5f * q.y) + .3f * q.z, n), .75f + .25f * ramp(edge, edge + .12f, q.y));
  }
  default: return scale(hair_colour(l, q.y, q.x, n), .55f + .25f * ramp(.55f, .9f, fabsf(q.x)));
  }
}
