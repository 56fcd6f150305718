/* A drawn picture that face detectors find three faces in: the same pixels as tests/golden/scene.py makes. */
#ifndef UM_TESTS_SUPPORT_SCENE_H
#define UM_TESTS_SUPPORT_SCENE_H

#include <stdint.h>

#define SCENE_WIDTH  400
#define SCENE_HEIGHT 300

typedef struct scene_face {
  int x, y, half; /* centre, half width */
} scene_face;
extern const scene_face scene_faces[3];

/* grey: width x height. */
void scene_draw(uint8_t *grey, int width, int height, const scene_face *face, int faces);
/* The three of them in picture i of a clip, two pixels farther to the right in each; shift: an int, where they begin. For clip.draw. */
void scene_draw_walking(uint8_t *grey, int width, int height, int i, void *shift);

#endif
