/* Small models for tests: a chain, a DAG, one full of views, one with PReLU, softmax and dropout, and VGG16; a backend, a graph and a model opened together. */
#ifndef UM_TESTS_SUPPORT_MODEL_FIXTURE_H
#define UM_TESTS_SUPPORT_MODEL_FIXTURE_H

#include "core/model.h"
#include "core/model_impl.h"

#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error e_ = {0};                                                                                                                     \
    um_error *err = &e_;                                                                                                                   \
    if ((call) < 0) fail_msg("%s: %s", #call, e_.text);                                                                                    \
  } while (0)

double fixture_uniform(uint32_t sample, uint32_t draw); /* in [-1, 1) */
void fixture_fill(float *x, int64_t n, uint32_t sample);

void build_chain(um_graph *g);
void build_dag(um_graph *g);
void build_views(um_graph *g);
void build_bent(um_graph *g);
void build_vgg(um_graph *g);

typedef struct fixture {
  um_backend *be;
  um_graph graph;
  um_model *model;
  int64_t in; /* floats a sample */
} fixture;

/* RMSprop as in the recipe; initial weights of seed 3. */
extern const um_optimizer fixture_rmsprop;
void open_fixture_on(fixture *f, const char *device, void (*build)(um_graph *), int64_t batch, bool training, const char *trainable);
void open_fixture(fixture *f, void (*build)(um_graph *), int64_t batch, bool training, const char *trainable); /* on ref */
void open_fixture_with(fixture *f, const char *device, void (*build)(um_graph *), const um_model_options *o);
void close_fixture(fixture *f);

extern const float labels[8];

#endif
