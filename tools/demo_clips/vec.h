/* Small float vectors and the curves that drawing needs. */
#ifndef DEMO_VEC_H
#define DEMO_VEC_H

#include <math.h>

typedef struct vec3 {
  float x, y, z;
} vec3;

static inline vec3 v3(float x, float y, float z) { return (vec3){x, y, z}; }
static inline vec3 add(vec3 a, vec3 b) { return v3(a.x + b.x, a.y + b.y, a.z + b.z); }
static inline vec3 sub(vec3 a, vec3 b) { return v3(a.x - b.x, a.y - b.y, a.z - b.z); }
static inline vec3 mul(vec3 a, vec3 b) { return v3(a.x * b.x, a.y * b.y, a.z * b.z); }
static inline vec3 scale(vec3 a, float s) { return v3(a.x * s, a.y * s, a.z * s); }
static inline float dot(vec3 a, vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static inline vec3 cross(vec3 a, vec3 b) { return v3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x); }
static inline vec3 unit(vec3 a) {
  float n = sqrtf(dot(a, a));
  return n > 0 ? scale(a, 1 / n) : a;
}
static inline float clampf(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
static inline float mixf(float a, float b, float t) { return a + (b - a) * t; }
static inline vec3 mix(vec3 a, vec3 b, float t) { return v3(mixf(a.x, b.x, t), mixf(a.y, b.y, t), mixf(a.z, b.z, t)); }
/* 0 at a, 1 at b (a may lie above b), smooth between. */
static inline float ramp(float a, float b, float x) {
  float t = clampf((x - a) / (b - a), 0, 1);
  return t * t * (3 - 2 * t);
}
static inline float bell(float x, float width) {
  float t = x * x / (2 * width * width);
  return t > 12 ? 0 : expf(-t);
}
static inline float bell2(float x, float y, float wx, float wy) {
  float t = x * x / (2 * wx * wx) + y * y / (2 * wy * wy);
  return t > 12 ? 0 : expf(-t);
}

#endif
