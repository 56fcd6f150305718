/* Training on the pictures of gpu_pictures, the way the train program does it: batches go round the model's slots, the host runs ahead of
 * the device and reads the report now and then. */
#ifndef UM_TESTS_GPU_SUPPORT_TRAIN_H
#define UM_TESTS_GPU_SUPPORT_TRAIN_H

#include "gpu.h"

/* A model with all that it stands on. */
typedef struct gpu_run {
  um_backend *be;
  um_graph graph;
  um_model *model;
  int side, batch;
  um_warp how;
  uint64_t seed;
  int64_t step; /* steps done: the next one takes pictures step * batch and on */
  bool fixed;   /* one batch of each slot over and over, made once: for times */
  uint8_t *pixels[2];
  um_warp_sample *sample[2];
  float *labels[2], *weights[2];
  bool weighted;
  bool filled[2];
} gpu_run;

/* What a run is made of. */
typedef struct gpu_recipe {
  um_engine engine;
  um_precision precision;
  int side, batch;
  bool training;
  /* Zero is none of it. */
  bool dct;       /* the dct backbone */
  double dropout; /* rate */
  double decay;   /* weight_decay */
  bool weights;   /* a sample weighs 0 to 2.5 */
} gpu_recipe;

/* Initial weights of o->seed (gpu_init), RMSprop as in the recipe (rho 0.9, epsilon 1e-7). What was made lies in r also where it failed. */
int gpu_run_open(gpu_run *r, const gpu_options *o, const gpu_recipe *recipe, um_error *err);
void gpu_run_close(gpu_run *r);

/* Queues `steps` steps (train) or passes without one, of n pictures each (0: the batch). */
int gpu_run_queue(gpu_run *r, int steps, int64_t n, double rate, bool train, um_error *err);
/* `steps` steps; loss[i] is the mean loss over the i-th `every` of them, of which the last may be fewer. loss may be NULL. */
int gpu_run_train(gpu_run *r, int steps, double rate, int every, double *loss, um_error *err);

/* SHA-256 over all parameters and optimizer states, as hex. */
int gpu_run_digest(gpu_run *r, char text[65], um_error *err);

/* A checkpoint of the run as it is, and the way back into a model of any kind; training: with the optimizer's states and the step. */
int gpu_run_save(gpu_run *r, const char *path, um_error *err);
int gpu_run_load(gpu_run *r, const char *path, bool training, um_error *err);

/* Logits of `count` pictures from `first` on, untransformed, with the weights as they are. */
int gpu_run_logits(gpu_run *r, int64_t first, int64_t count, float *logits, um_error *err);

#endif
