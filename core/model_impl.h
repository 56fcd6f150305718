/* Inside a model: a program of steps over views of storages. model_build.c writes the program, model.c gives it memory,
 * model_run.c runs it. Tests read it to check the plan. */
#ifndef UM_CORE_MODEL_IMPL_H
#define UM_CORE_MODEL_IMPL_H

#include "core/model.h"
#include "core/plan.h"

/* A tensor in the arena. Several views may share a storage: flatten's input and output, an activation done in place. */
typedef struct um_view {
  um_tensor t; /* data set once there is an arena */
  int storage;
} um_view;

typedef enum um_step_kind {
  UM_STEP_REORDER,             /* out[0] = in[0] in another layout, or as a copy */
  UM_STEP_ACCUMULATE,          /* out[0] += in[0] */
  UM_STEP_FORWARD,             /* out[0] = op(in[...]); a dropout out of training: out[0] = in[0] */
  UM_STEP_LOSS,                /* out[0] = gradient of the logits in[0]; out[0] is -1 in inference: nothing is done */
  UM_STEP_ACTIVATION_BACKWARD, /* out[0] = in[0] * f'(in[1]) */
  UM_STEP_BACKWARD_WEIGHTS,    /* gradients of the node's parameters; in[0] its input, in[1] its gradient */
  UM_STEP_BACKWARD_DATA        /* out[...] (-1: not needed) from the gradient in[0]; PRELU: in[1] its input */
} um_step_kind;

enum { UM_SLOTS = 2 };

/* A slot of the input. Offsets into the model's input memory. */
typedef struct um_slot {
  size_t pixels, x, head;     /* pixels: bytes as fed; x: the input of the first node; head: control, samples, labels, weights */
  char *host;                 /* the head on the host */
  um_recording *recording[2]; /* of forward and loss; of a training step */
  bool warm[2];               /* was run once without recording */
} um_slot;

/* Views by index, -1 where there is none. */
typedef struct um_step {
  um_step_kind kind;
  int node;
  int n_out, out[UM_MAX_INPUTS];
  int n_in, in[UM_MAX_INPUTS];
  int workspace, scratch; /* storages */
} um_step;

typedef enum um_model_state { UM_MODEL_EMPTY, UM_MODEL_FED, UM_MODEL_FORWARD, UM_MODEL_BACKWARD } um_model_state;

struct um_model {
  um_backend *be;
  um_graph graph;
  um_model_options options; /* trainable and gradient_at are not kept */
  um_op **op;               /* by node; NULL for INPUT, a view (FLATTEN, DROPOUT that is idle) and a final SIGMOID */
  int logit;                /* the node whose output the loss takes */
  int lowest;               /* the first trainable node */
  int target;               /* the node of options.gradient_at, or -1 */

  um_param *param; /* kernel and bias, or alpha, of each node with parameters, in topological order */
  int params;
  int *param_of;        /* by node: index of its first, or -1 */
  size_t frozen;        /* bytes of the parameter buffer before the first trainable one */
  float **kept;         /* by parameter: plain numbers of frozen kernels in a backend's layout (training only); may be NULL */
  float *w, *g, *m, *v; /* the parameter buffer; the others cover what is not frozen */
  uint16_t *c;          /* the copies, of the whole parameter buffer; may be NULL */
  uint32_t *d;          /* which of the trainable values decay, for optimizer_step; may be NULL */

  um_view *view;
  int views;
  um_storage *storage;
  int storages;
  um_step *step;
  int steps, forward_steps;  /* the first forward_steps of them are the forward pass */
  int *value;                /* by node: the view of its output, or -1 */
  bool *overwritten;         /* by node: an activation was done in place over its output */
  int (*use)[UM_MAX_INPUTS]; /* by node and input: the view that it reads (the input's value, or a reordered copy) */
  int *gradient;             /* by node: the view of its output's gradient, or -1 */
  bool *reached;             /* by node: the backward pass comes to it: a trainable parameter, or the target, is in it or before it */
  int *workspace;            /* by node: a storage, or -1 */
  int input;                 /* the storage of the input: not in the arena, but in a slot */
  int z;                     /* view: the plain logits */
  char *arena;

  um_slot slot[UM_SLOTS];
  int slots, at;                                     /* at: the slot that the views point to */
  size_t pixel_bytes, head_bytes;                    /* of a slot */
  size_t sample_offset, label_offset, weight_offset; /* within a head */
  bool dropping;                                     /* the steps that run now are of training: dropouts are at work */
  char *in;                                          /* the slots, then two reports: of what is queued, of what is not */
  size_t report_offset;
  um_report *host_report; /* page-locked */
  um_model_memory memory;

  um_model_state state;
  int64_t n; /* samples fed */
  int64_t steps_done;
  double fed, computed; /* seconds of the calls since um_model_busy; not counted where the backend's busy is asked */
  bool timing;
  um_node_times *times, outside;
};

/* Fills a zeroed model with everything but memory: ops, parameters' descriptions, program, offsets, m->memory. What it has made
 * lies in m also when it fails; um_model_free frees it. */
int um_model_build(um_model *m, const um_graph *graph, um_backend *be, const um_model_options *options, um_error *err);

/* model_run.c: the steps first to last - 1. */
int um_model_run_steps(um_model *m, int first, int last, um_error *err);
um_tensor *um_model_tensor(um_model *m, int view); /* NULL for a view below 0 */

/* model_feed.c */
const um_control *um_model_control(um_model *m); /* on the device: of the slot that the views point to */
void um_model_plan_input(um_model *m);           /* sizes and offsets of the slots */
void um_model_enter(um_model *m, int slot);      /* points the views to a slot's input */
void um_model_drop_recordings(um_model *m);
/* The backward pass of a model with a target, from a gradient of 1 by each logit. */
int um_model_backward_logit(um_model *m, um_error *err);
int um_model_reset_reports(um_model *m, um_error *err);

#endif
