/* Identities, and the meshes of head, hair, ears, neck and torso in a pose. */
#include "tools/demo_clips/person.h"

#include <stddef.h>

#include "core/rng.h"

#define PI 3.14159265f
enum { ROWS = 88, COLS = 128 };

static vec3 between(const um_rng *at, uint32_t draw, const vec3 *palette, uint32_t count) {
  uint32_t i = um_rng_below(at, draw, count - 1);
  return mix(palette[i], palette[i + 1], (float)um_rng_uniform(at, draw + 1));
}

void person_draw(person *p, uint64_t seed, uint32_t identity) {
  static const vec3 skins[] = {{.82f, .58f, .46f}, {.74f, .48f, .35f}, {.62f, .37f, .25f}, {.44f, .24f, .145f}, {.30f, .155f, .09f}};
  static const vec3 irises[] = {{.10f, .20f, .33f}, {.14f, .22f, .16f}, {.13f, .09f, .04f}, {.06f, .03f, .015f}, {.03f, .015f, .01f}};
  static const vec3 hairs[] = {{.50f, .34f, .15f},    {.26f, .13f, .05f},    {.09f, .04f, .02f},
                               {.025f, .016f, .012f}, {.012f, .010f, .010f}, {.30f, .29f, .28f}};
  const um_rng at = {.seed = seed, .stream = UM_STREAM_DEMO, .epoch = 1, .sample = identity};
  uint32_t d = 0;
#define DRAW(low, high) ((float)um_rng_range(&at, d++, low, high))
  *p = (person){0};
  p->width = DRAW(.68, .77), p->jaw = DRAW(.02, .24), p->depth = DRAW(.80, .90), p->chin = DRAW(.02, .07);
  p->cheek = DRAW(.01, .05), p->brow_ridge = DRAW(.01, .045);
  p->nose_length = DRAW(.36, .44), p->nose_width = DRAW(.075, .115), p->nose_height = DRAW(.15, .23);
  p->eye_x = DRAW(.275, .31), p->eye_y = DRAW(-.02, .03), p->eye_size = DRAW(.125, .15), p->eye_tilt = DRAW(-.05, .12),
  p->eye_open = DRAW(.36, .50);
  p->brow_y = DRAW(.17, .23), p->brow_thick = DRAW(.022, .044), p->brow_arch = DRAW(.01, .06);
  p->mouth_y = DRAW(-.66, -.60), p->mouth_width = DRAW(.21, .27), p->lip_upper = DRAW(.03, .055), p->lip_lower = DRAW(.045, .075);
  p->skin = between(&at, d, skins, 5), d += 2;
  p->iris = between(&at, d, irises, 5), d += 2;
  p->hair = between(&at, d, hairs, 6), d += 2;
  p->redness = DRAW(.2, 1), p->freckles = DRAW(-1.5, 1), p->age = DRAW(.1, 1);
  bool woman = DRAW(0, 1) < .5;
  float beard = DRAW(-1.2, 1);
  p->beard = woman ? 0 : clampf(beard, 0, 1);
  p->make_up = woman ? DRAW(.3, 1) : 0;
  p->lip = mix(mul(p->skin, v3(.85f, .55f, .55f)), v3(.45f, .05f, .07f), woman ? DRAW(.15, .65) : .05f);
  float style = DRAW(0, 1);
  p->style = woman ? (style < .75f ? HAIR_LONG : HAIR_FULL) : (style < .18f ? HAIR_BALD : style < .72f ? HAIR_SHORT : HAIR_FULL);
  p->hair_line = DRAW(.54, .68), p->hair_part = DRAW(-.5, .5);
  p->hair_volume = p->style == HAIR_SHORT ? DRAW(.05, .09) : DRAW(.10, .17);
  p->glasses = DRAW(0, 1) < .12f;
  p->cloth.x = DRAW(.02, .5), p->cloth.y = DRAW(.02, .4), p->cloth.z = DRAW(.03, .5);
  p->cloth_2.x = DRAW(.3, .8), p->cloth_2.y = DRAW(.3, .8), p->cloth_2.z = DRAW(.3, .8);
  p->cloth_pattern = (int)um_rng_below(&at, d++, 3);
  p->texture_x = DRAW(0, 200), p->texture_y = DRAW(0, 200);
  if (woman) p->brow_ridge *= .5f, p->jaw = .12f + .5f * p->jaw, p->brow_thick *= .8f;
#undef DRAW
}

int body_alloc(body *b, um_error *err) {
  *b = (body){0};
  int rc = mesh_alloc(&b->head, ROWS, COLS, err);
  if (!rc) rc = mesh_alloc(&b->hair, ROWS, COLS, err);
  if (!rc) rc = mesh_alloc(&b->curtain, 32, 64, err);
  if (!rc) rc = mesh_alloc(&b->ear, 20, 24, err);
  if (!rc) rc = mesh_alloc(&b->neck, 24, 48, err);
  if (!rc) rc = mesh_alloc(&b->torso, 40, 64, err);
  if (rc) body_free(b);
  return rc;
}

void body_free(body *b) {
  mesh_free(&b->head), mesh_free(&b->hair), mesh_free(&b->curtain), mesh_free(&b->ear), mesh_free(&b->neck), mesh_free(&b->torso);
}

static float super(float x) { return copysignf(powf(fabsf(x), .84f), x); } /* squarer than an ellipse */

/* The skull without features: t in 0..1 from crown to chin, theta the longitude, 0 in front. */
static vec3 skull(const person *p, float t, float theta) {
  float y = cosf(PI * t), a = fabsf(y);
  float ring = sqrtf(fmaxf(0, 1 - powf(a, y > 0 ? 2.3f : 2.7f)));
  float taper = 1 - p->jaw * ramp(-.15f, -.95f, y) - .06f * ramp(.2f, .9f, y);
  float front = p->depth * .88f * (1 - .10f * ramp(.3f, 1, y)), back = p->depth * 1.1f * (1 - .35f * ramp(-.2f, -1, y));
  float c = cosf(theta);
  vec3 s = v3(p->width * ring * taper * super(sinf(theta)), y, (c > 0 ? front * ring : back * ring) * super(c));
  if (c > 0) s.z += p->depth * .10f * ramp(-.5f, -.95f, y) * c; /* the chin stands forward of the neck */
  return s;
}

/* How far the face stands out of the skull at (x, y). */
static float relief(const person *p, float x, float y) {
  float ax = fabsf(x), tip = p->eye_y + .02f - p->nose_length, bridge = p->eye_y + .10f;
  float t = clampf((bridge - y) / (bridge - tip), 0, 1);
  float ridge = (.03f + p->nose_height * powf(t, 1.25f)) * (y > bridge ? bell(y - bridge, .09f) : y < tip ? bell(y - tip, .045f) : 1);
  float z = ridge * bell(x, .045f + .035f * t * (p->nose_width / .095f));
  z += .5f * p->nose_width * bell2(ax - p->nose_width, y - tip + .005f, .042f, .04f);
  z -= .085f * bell2(ax - p->eye_x, y - p->eye_y, .15f, .10f);
  z += .055f * bell2(ax - p->eye_x, y - p->eye_y, .085f, .07f);
  z += p->brow_ridge * bell2(ax - .26f, y - p->brow_y, .20f, .055f);
  z += p->cheek * bell2(ax - .42f, y + .22f, .14f, .13f);
  z += .05f * bell2(x, y - p->mouth_y, .22f, .12f);
  z += .5f * p->lip_upper * bell2(x, y - p->mouth_y - .03f, p->mouth_width * .55f, .025f);
  z += .55f * p->lip_lower * bell2(x, y - p->mouth_y + .05f, p->mouth_width * .5f, .03f);
  z -= .03f * bell2(x, y - p->mouth_y + .14f, .16f, .035f);
  z += p->chin * bell2(x, y + .90f, .14f, .08f);
  z -= .012f * p->age * bell2(ax - .20f - (tip - y) * .25f, y - (tip + p->mouth_y) * .5f, .018f, .10f);
  return z;
}

typedef struct frame3 {
  vec3 x, y, z; /* the object's axes in camera space */
  float px, py, size;
  vec3 pivot;
} frame3;

static frame3 turn(const pose *h, float share) {
  float yaw = h->yaw * share, pitch = -h->pitch * share, roll = h->roll * share;
  float cy = cosf(yaw), sy = sinf(yaw), cp = cosf(pitch), sp = sinf(pitch), cr = cosf(roll), sr = sinf(roll);
  vec3 x = v3(cy, 0, -sy), y = v3(0, 1, 0), z = v3(sy, 0, cy);
  vec3 *axis[3] = {&x, &y, &z};
  for (int i = 0; i < 3; i++) {
    vec3 a = *axis[i];
    a = v3(a.x, cp * a.y - sp * a.z, sp * a.y + cp * a.z);
    *axis[i] = v3(cr * a.x - sr * a.y, sr * a.x + cr * a.y, a.z);
  }
  return (frame3){x, y, z, h->x, h->y, h->size, v3(0, -.85f, -.25f)};
}

/* Object space to pixels, with a little perspective (the camera stands nine units away). */
static void project(mesh *m, const frame3 *f) {
  for (int i = 0; i < m->rows * m->cols; i++) {
    vertex *v = &m->v[i];
    vec3 q = sub(v->p, f->pivot);
    vec3 c = add(add(add(scale(f->x, q.x), scale(f->y, q.y)), scale(f->z, q.z)), f->pivot);
    float near = 9 / (9 - c.z);
    v->x = f->px + c.x * near * f->size;
    v->y = f->py - c.y * near * f->size;
    v->z = c.z * f->size;
    v->n = add(add(scale(f->x, v->n.x), scale(f->y, v->n.y)), scale(f->z, v->n.z));
  }
}

static void build_head(mesh *m, const person *p, const pose *h) {
  for (int r = 0; r < m->rows; r++)
    for (int c = 0; c < m->cols; c++) {
      vec3 s = skull(p, .004f + .992f * (float)r / (float)(m->rows - 1), 2 * PI * (float)c / (float)m->cols - PI);
      float front = ramp(.05f, .35f, s.z);
      if (front > 0) s.z += front * relief(p, s.x, s.y);
      /* The jaw drops below the line between the lips. */
      s.y -= .17f * h->open * ramp(p->mouth_y + .01f, p->mouth_y - .05f, s.y) * ramp(-.3f, .2f, s.z);
      m->v[r * m->cols + c].p = s;
    }
  mesh_normals(m);
}

static void build_hair(mesh *m, const person *p) {
  for (int r = 0; r < m->rows; r++)
    for (int c = 0; c < m->cols; c++) {
      vec3 s = skull(p, .004f + .992f * (float)r / (float)(m->rows - 1), 2 * PI * (float)c / (float)m->cols - PI);
      float lift = 1 + p->hair_volume * (.55f + .45f * ramp(0, .8f, s.y)) * (.9f + .25f * noise(s.x * 5 + p->texture_x, s.z * 5 + s.y * 3));
      float side = p->style == HAIR_SHORT ? .5f : 1;
      m->v[r * m->cols + c].p = v3(s.x * (1 + (lift - 1) * side) + .01f * copysignf(1, s.x), s.y * lift, s.z * lift + .01f);
    }
  mesh_normals(m);
}

/* Long hair: a curtain behind the face from the crown to the shoulders. */
static void build_curtain(mesh *m, const person *p) {
  for (int r = 0; r < m->rows; r++)
    for (int c = 0; c < m->cols; c++) {
      float t = (float)r / (float)(m->rows - 1), theta = 2 * PI * (float)c / (float)m->cols - PI;
      float y = 1.02f - 2.55f * t, w = (p->width + .10f + p->hair_volume) * sqrtf(fmaxf(.02f, 1 - powf(clampf(1 - t * 2.1f, 0, 1), 2.4f)));
      w *= 1 - .10f * ramp(.5f, 1, t) + .05f * (noise(theta * 3 + p->texture_x, t * 4) - .5f);
      m->v[r * m->cols + c].p = v3(w * sinf(theta), y, -.36f + .42f * w * cosf(theta));
    }
  mesh_normals(m);
}

static void build_ear(mesh *m, const person *p, float side) {
  for (int r = 0; r < m->rows; r++)
    for (int c = 0; c < m->cols; c++) {
      float t = PI * (float)r / (float)(m->rows - 1), theta = 2 * PI * (float)c / (float)m->cols - PI;
      float y = cosf(t), w = sinf(t) * (1 - .25f * ramp(.2f, -1, y));
      m->v[r * m->cols + c].p = v3(side * (p->width * .985f + .02f) + .085f * w * sinf(theta) + side * .03f * y, p->eye_y - .12f + .21f * y,
                                   -.06f + .11f * w * cosf(theta));
    }
  mesh_normals(m);
}

static void build_neck(mesh *m, const person *p) {
  float w = p->width * (.62f - .35f * p->jaw);
  for (int r = 0; r < m->rows; r++)
    for (int c = 0; c < m->cols; c++) {
      float t = (float)r / (float)(m->rows - 1), theta = 2 * PI * (float)c / (float)m->cols - PI;
      float flare = 1 + .35f * ramp(.55f, 1, t);
      m->v[r * m->cols + c].p = v3(w * flare * sinf(theta), -.45f - 1.15f * t, -.16f + .9f * w * cosf(theta));
    }
  mesh_normals(m);
}

static void build_torso(mesh *m, const person *p) {
  float broad = p->make_up > 0 ? .92f : 1.05f;
  for (int r = 0; r < m->rows; r++)
    for (int c = 0; c < m->cols; c++) {
      float t = (float)r / (float)(m->rows - 1), theta = 2 * PI * (float)c / (float)m->cols - PI;
      float y = -1.20f - 2.6f * t, shoulder = ramp(0, .24f, t);
      float w = broad * (.40f + 1.12f * sqrtf(shoulder) * (1 - .05f * t)), d = .34f + .30f * ramp(0, .3f, t);
      m->v[r * m->cols + c].p = v3(w * super(sinf(theta)), y, -.2f + d * super(cosf(theta)));
    }
  mesh_normals(m);
}

void body_draw(film *f, body *b, const look *l, bool face_only) {
  const person *p = l->who;
  const pose *h = l->how;
  frame3 head = turn(h, 1), neck = turn(h, .45f), torso = turn(h, .12f);
  if (!face_only && p->style != HAIR_BALD) {
    build_hair(&b->hair, p);
    project(&b->hair, &head);
    mesh_draw(f, &b->hair, SURFACE_HAIR, hair_is_there, l);
  }
  build_head(&b->head, p, h);
  project(&b->head, &head);
  mesh_draw(f, &b->head, SURFACE_SKIN, face_only ? face_is_there : NULL, l);
  if (face_only) return;
  for (int side = -1; side <= 1; side += 2) {
    build_ear(&b->ear, p, (float)side);
    project(&b->ear, &head);
    mesh_draw(f, &b->ear, SURFACE_EAR, NULL, l);
  }
  build_neck(&b->neck, p);
  project(&b->neck, &neck);
  mesh_draw(f, &b->neck, SURFACE_NECK, NULL, l);
  build_torso(&b->torso, p);
  project(&b->torso, &torso);
  mesh_draw(f, &b->torso, SURFACE_TORSO, NULL, l);
  if (p->style != HAIR_LONG) return;
  build_curtain(&b->curtain, p);
  project(&b->curtain, &neck);
  mesh_draw(f, &b->curtain, SURFACE_CURTAIN, curtain_is_there, l);
}
