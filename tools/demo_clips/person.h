/* Who is drawn (identity), what they do at one moment (pose), and how they are lit. */
#ifndef DEMO_PERSON_H
#define DEMO_PERSON_H

#include <stdint.h>

#include "tools/demo_clips/raster.h"

typedef enum hair_style { HAIR_BALD, HAIR_SHORT, HAIR_FULL, HAIR_LONG, HAIR_STYLES } hair_style;

/* Lengths are in half heads: the chin lies near y = -1, the crown at +1, the eyes at about 0; x to the right of the picture,
 * z towards the viewer. Colours are linear. */
typedef struct person {
  float width, jaw, depth, chin, cheek, brow_ridge;
  float nose_length, nose_width, nose_height;
  float eye_x, eye_y, eye_size, eye_tilt, eye_open;
  float brow_y, brow_thick, brow_arch;
  float mouth_y, mouth_width, lip_upper, lip_lower;
  vec3 skin, lip, iris, hair, cloth, cloth_2;
  float redness, freckles, age, beard, make_up;
  hair_style style;
  float hair_line, hair_volume, hair_part;
  bool glasses;
  int cloth_pattern; /* 0 plain, 1 stripes, 2 open collar over a shirt */
  float texture_x, texture_y;
} person;

typedef struct pose {
  float yaw, pitch, roll; /* radians; yaw > 0 turns to the right of the picture, pitch > 0 looks up */
  float x, y, size;       /* where the head's origin lies, and pixels a unit, on the canvas */
  float open, wide;       /* mouth: 0 closed to 1; -1 pursed to 1 broad */
  float smile, blink;     /* 0 to 1 */
  float gaze_x, gaze_y;   /* -1 to 1 */
  float brow;             /* raised: 0 to 1 */
} pose;

typedef struct light {
  vec3 towards; /* unit, to the key light */
  vec3 key, sky, ground;
} light;

/* What the shaders are given. */
typedef struct look {
  const person *who;
  const pose *how;
  const light *lit;
  float pixel;   /* size of a pixel in units of the head, for soft edges */
  float feather; /* of the inner face's mask, as a share of its radius */
} look;

/* Meshes that are used again for every frame. */
typedef struct body {
  mesh head, hair, curtain, ear, neck, torso;
} body;

void person_draw(person *p, uint64_t seed, uint32_t identity);
int body_alloc(body *b, um_error *err);
void body_free(body *b);

/* Draws the whole person, or its inner face alone (for the donor of a swap). */
void body_draw(film *f, body *b, const look *l, bool face_only);

/* Lattice noise in [0, 1], the same for every run of a seed. */
void noise_open(uint64_t seed);
float noise(float x, float y);

/* Light reflected by a matt surface with a little gloss. */
vec3 lit(const light *l, vec3 albedo, vec3 n, float gloss, float shininess);

/* The inner face, what a swap replaces: 1 well inside of it, 0 outside. */
float inner_face(const look *l, vec3 p);

enum { SURFACE_SKIN = 1, SURFACE_EAR, SURFACE_NECK, SURFACE_TORSO, SURFACE_HAIR, SURFACE_CURTAIN };
vec3 shade(const void *look, int surface, vec3 p, vec3 n, float *mask);
bool hair_is_there(const void *look, vec3 p);
bool curtain_is_there(const void *look, vec3 p);
bool face_is_there(const void *look, vec3 p); /* the inner face and a little more */

#endif
