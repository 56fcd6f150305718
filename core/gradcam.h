/* Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017): which places
 * of a picture raise the logit. A layer's channels are weighted by the mean over its places of the logit's gradient by them; the map is
 * what is positive of the weighted sum of the channels. */
#ifndef UM_CORE_GRADCAM_H
#define UM_CORE_GRADCAM_H

#include "core/model.h"

/* The layer that a map is made of: the one of that name, or with NULL the last convolution (its PReLU or ReLU where that is a layer by
 * itself and nobody else reads the convolution). Its index, or UM_ECONFIG: no such layer, or its output is no picture (H W C). */
int um_gradcam_layer(const um_graph *graph, const char *name, um_error *err);

/* One map, height x width, of one sample's activations and gradients, height x width x channels each. sign: 1 for what raises the logit,
 * -1 for what lowers it. As it comes: not scaled. */
void um_gradcam_map(float *map, const float *activation, const float *gradient, int64_t height, int64_t width, int64_t channels, int sign);

/* A model for maps beside one for scores: made with options.gradient_at that layer's name. */
typedef struct um_gradcam {
  um_model *model;
  int node;
  int64_t height, width, channels; /* of the layer's output */
  float *activation, *gradient;    /* of a batch */
} um_gradcam;

/* model: made with gradient_at; it stays its caller's. */
int um_gradcam_open(um_gradcam *g, um_model *model, um_error *err);
void um_gradcam_close(um_gradcam *g);
/* After um_model_forward: the maps of the samples fed last, each height x width and scaled so that its greatest value is 1; a map without
 * anything positive is 0 everywhere. peak (may be NULL): what each was divided by. */
int um_gradcam_run(um_gradcam *g, float *maps, float *peak, int sign, um_error *err);

/* A map made as large as a picture, bilinear between the middles of its cells and constant outside of the outermost (as PyTorch's
 * interpolate with align_corners=False and Keras' resize do it). out: out_height x out_width. */
void um_gradcam_resize(float *out, int64_t out_height, int64_t out_width, const float *map, int64_t height, int64_t width);

#endif
