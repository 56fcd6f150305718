/* A z-buffered rasteriser of closed grid meshes. Surfaces are drawn at twice the picture's size into a buffer of what is seen
 * where; colours are worked out afterwards, once a pixel where its four samples show one surface, else once a sample. */
#ifndef DEMO_RASTER_H
#define DEMO_RASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "tools/demo_clips/vec.h"

enum { SUPERSAMPLE = 2 };

/* What is seen at a sample. */
typedef struct seen {
  vec3 p; /* in the object's own space: where its texture lives */
  vec3 n; /* normal in camera space, not of unit length */
  int surface;
} seen;

typedef struct film {
  int width, height; /* in samples */
  float *depth;      /* larger is nearer; FAR: nothing is seen, and `at` not set */
  seen *at;
} film;

#define FAR -1e30f

/* A picture of what was drawn: linear light, not gamma; rows from the top. */
typedef struct canvas {
  int width, height;
  float *rgb;   /* height x width x 3, multiplied by cover */
  float *cover; /* height x width: 0 where nothing was drawn */
  float *mask;  /* height x width: a channel of the shader's own, multiplied by cover */
} canvas;

typedef struct vertex {
  vec3 p, n;
  float x, y, z; /* in samples; z in the same unit, towards the viewer */
} vertex;

/* rows x cols vertices; the last column is joined to the first. */
typedef struct mesh {
  int rows, cols;
  vertex *v;
} mesh;

/* True where the surface is there (a wig has holes). */
typedef bool (*solid)(const void *arg, vec3 p);
/* Colour of surface `which` at a point. */
typedef vec3 (*shader)(const void *arg, int which, vec3 p, vec3 n, float *mask);

int film_alloc(film *f, int width, int height, um_error *err);
void film_free(film *f);
void film_clear(film *f);
/* out is exactly half of the film. */
void film_develop(canvas *out, const film *f, shader shade, const void *arg);

int canvas_alloc(canvas *c, int width, int height, um_error *err);
void canvas_free(canvas *c);

int mesh_alloc(mesh *m, int rows, int cols, um_error *err);
void mesh_free(mesh *m);
/* Normals from neighbours in object space, before they are turned into camera space. */
void mesh_normals(mesh *m);
/* is may be NULL: solid all over. */
void mesh_draw(film *f, const mesh *m, int surface, solid is, const void *arg);

#endif
