/* Self-blended pictures (Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022): a fake made from one real face,
 * with what face swaps of all kinds leave behind and nothing else: two versions of the picture, which differ in colour or in sharpness, the
 * one moved and scaled a little and blended into the other through a mask of the face. */
#ifndef UM_DATA_BLEND_H
#define UM_DATA_BLEND_H

#include <stddef.h>

#include "core/error.h"
#include "core/rng.h"
#include "data/blend_outline.h"

typedef enum um_blend_detail { UM_BLEND_DOWNSCALE, UM_BLEND_BLUR, UM_BLEND_SHARPEN } um_blend_detail;

/* Everything that is drawn but for the noise of the elastic deformation. Lengths of the mask are shares of the distance between the eyes. */
typedef struct um_blend_draw {
  bool on_target; /* which version is changed: the one that stays outside of the mask (target), or that inside of it (source) */
  double brightness, contrast, saturation;
  int shift[3];
  um_blend_detail detail;
  double amount;            /* the smaller size as a share of the sides; the blur's sigma in pixels; the share of detail added */
  double scale[2], move[2]; /* of the source and its mask: rows, columns; moves in shares of the sides */
  um_outline_kind outline;
  double elastic; /* root mean square of the deformation in each direction */
  double erode;   /* sigma of the first blur; what it leaves below 1 is then 0 */
  double soften;  /* sigma of the second */
  double ratio;   /* what the mask is multiplied by */
} um_blend_draw;

/* A thread's memory for pictures of one size. */
typedef struct um_blender um_blender;

int um_blender_open(um_blender **out, int height, int width, um_error *err);
void um_blender_close(um_blender *b);

/* Draws at `at` (stream BLEND). */
void um_blend_draw_at(um_blend_draw *draw, const um_rng *at);

/* Makes the picture a blend of itself, in place; `at` gives the deformation's noise. points: where eyes, nose and corners of the mouth are, in pixels
 * of this picture, x y each, as in um_item; NULL where nobody knows. *guessed: the outline is that of a face that fills its crop, as
 * there were no points or none that a face can have. */
int um_blend(um_blender *b, uint8_t *pixels, const float points[10], const um_blend_draw *draw, const um_rng *at, bool *guessed,
             um_error *err);

/* The last blend's mask: height x width, 0 to ratio. */
const float *um_blend_mask(const um_blender *b);

/* The parts. The deformation: a grid of um_elastic_nodes x um_elastic_nodes displacements (rows first, then columns, in pixels), uniform noise
 * smoothed as um_gaussian_blur does with sigma in nodes, scaled to the root mean square `size` over both. */
enum { UM_ELASTIC_NODES = 33 };
void um_elastic_field(float *field, double sigma, double size, const um_rng *at);
/* out(y, x) = in(y + dy, x + dx), linear, 0 outside; the field's nodes are spread evenly from corner to corner, linear in between. Equal to
 * scipy.ndimage.map_coordinates(order=1, mode="grid-constant"). */
void um_elastic_warp(float *out, const float *in, int height, int width, const float *field, float *scratch);
size_t um_elastic_scratch(int height, int width); /* floats */

#endif
