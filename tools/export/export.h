/* What the parts of export share. */
#ifndef UM_TOOLS_EXPORT_H
#define UM_TOOLS_EXPORT_H

#include "weights/model_data.h"

/* How far two models are from each other. */
typedef struct difference {
  double logit;   /* the largest distance of two logits */
  int pictures;   /* how many were compared */
  int64_t values; /* parameters whose bits differ */
  int unreadable; /* pictures of the folder that could not be read */
} difference;

/* Both on the same random inputs, and parameter by parameter. */
int compare_models(difference *d, const um_model_data *a, const um_model_data *b, um_error *err);
/* Both on every picture below a folder, each with its own preprocessing. */
int compare_on_pictures(difference *d, const um_model_data *a, const um_model_data *b, const char *folder, um_error *err);

#endif
