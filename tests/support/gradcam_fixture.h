/* The models and pictures of tests/golden/gradcam.py. */
#ifndef UM_TESTS_SUPPORT_GRADCAM_FIXTURE_H
#define UM_TESTS_SUPPORT_GRADCAM_FIXTURE_H

#include "core/gradcam.h"
#include "tests/support/model_fixture.h"

enum { GRADCAM_PICTURES = 3 };

typedef struct gradcam_fixture {
  um_backend *be;
  um_graph graph;
  um_model *model;
  um_gradcam cam; /* where there is a layer */
} gradcam_fixture;

void build_gradcam(um_graph *g, const char *name); /* "tiny" or "dct" */
/* layer NULL: a model for scores alone. */
void open_gradcam(gradcam_fixture *f, const char *device, const char *name, const char *layer, int64_t batch);
void feed_gradcam(gradcam_fixture *f); /* the pictures, and forward */
void close_gradcam(gradcam_fixture *f);

#endif
