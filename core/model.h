/* A graph bound to a backend: every buffer planned once (one arena, offsets by lifetime), every primitive made once. After
 * um_model_create nothing is allocated by forward, backward or step.
 *
 * The last node of the graph is a SIGMOID over one unit, or one unit itself; the logit is what goes into it. Training uses the
 * logit (the final sigmoid is never run); um_model_logits gives it.
 *
 * A dropout is a view of its input in a model for inference. In one for training it is at work in um_model_forward and in
 * um_model_queue(..., true); um_model_queue(..., false) goes without. Its mask is a function of the seed, the step, the node and the
 * element, so it is the same whatever the backend and its threads, and after a resume. */
#ifndef UM_CORE_MODEL_H
#define UM_CORE_MODEL_H

#include "core/graph.h"

typedef struct um_model um_model;

typedef struct um_model_options {
  int64_t batch;
  bool training;           /* plan the backward pass and the optimizer's state */
  const char *trainable;   /* "all", "head" (the nodes after the backbone's last: from the first DENSE on), or the first trainable
                               layer's name; NULL is "all" */
  um_algorithm algorithm;  /* convolutions */
  um_precision precision;  /* UM_EUNSUPPORTED where the backend has it not; the layer that makes the logit is always FP32 */
  um_optimizer optimizer;  /* decides the state buffers, and whether kernels decay */
  uint64_t seed;           /* training: of the dropouts' masks */
  bool any_output;         /* inference: the last node may be anything, um_model_output gives it; there is no logit and no loss */
  const char *gradient_at; /* inference: plan the backward pass, too, from the logit down to the output of the layer of this name, without
                              the gradient of any parameter: see um_model_gradient. NULL: none */
  bool sizes_only;         /* the plan is for its sizes: a backend chooses without timing anything */
} um_model_options;

/* A parameter tensor: a view of the one parameter buffer, in which the trainable ones are a contiguous suffix. Gradients and
 * optimizer states are buffers of that suffix alone, laid out alike. */
typedef struct um_param {
  char name[UM_NAME_MAX + 8]; /* "block1_conv1/kernel", "dense/bias", "p_re_lu/alpha" */
  int node;
  bool trainable;
  size_t offset;   /* bytes from the start of the parameter buffer, a multiple of 64 */
  um_tensor plain; /* its plain shape, data NULL */
  um_tensor value; /* as the backend keeps it */
  um_tensor grad;  /* data NULL where not trainable or not training */
  um_tensor copy;  /* what ops compute with, where that is not the value itself (bf16); else data NULL */
} um_param;

/* Bytes that a plan takes, for the message before a run. total is what the backend's alloc is asked for. */
typedef struct um_model_memory {
  size_t parameters, gradients, optimizer;
  size_t copies;      /* of the parameters, in bf16 */
  size_t decay;       /* which values decay, where some do */
  size_t input;       /* the slots of the input, labels and reports included */
  size_t activations; /* the arena: values, their gradients, workspaces and scratch, over one another where their times allow */
  size_t scratch;     /* the largest scratch of an op; lies within the arena */
  size_t total;       /* all but scratch */
} um_model_memory;

int um_model_create(um_model **out, const um_graph *graph, um_backend *backend, const um_model_options *options, um_error *err);
void um_model_free(um_model *m);

/* The plan's bytes without allocating any of it (fills `memory` alone). */
int um_model_measure(um_model_memory *memory, const um_graph *graph, um_backend *backend, const um_model_options *options, um_error *err);
/* The largest batch up to options->batch whose plan needs at most `available` bytes, by sizes alone (nothing is timed for it); 0
 * where not even one picture fits. */
int um_model_fit(int64_t *batch, const um_graph *graph, um_backend *backend, const um_model_options *options, size_t available,
                 um_error *err);
const um_model_memory *um_model_memory_of(const um_model *m);

const um_graph *um_model_graph(const um_model *m);
int64_t um_model_batch(const um_model *m);
int64_t um_model_fed(const um_model *m); /* samples of the batch that was fed last */
const um_param *um_model_params(const um_model *m, int *count);
const um_op *um_model_op(const um_model *m,
                         int node); /* NULL for INPUT, what is a view (FLATTEN, DROPOUT in inference), the final SIGMOID */

/* Glorot uniform kernels, limit sqrt(6 / (fan_in + fan_out)), and zero biases and alphas for every parameter (Glorot & Bengio 2010, as
 * Keras: fans of a convolution are R S C and R S K), from UM_STREAM_INIT, sample = index of the parameter. */
int um_model_init(um_model *m, uint64_t seed, um_error *err);

/* Parameters, gradients and optimizer states in plain layout, from and to host floats; index as in um_model_params. which: 'w', 'g', 'm', 'v';
 * UM_EUNSUPPORTED where the model has no such buffer for this parameter. These two may allocate for the conversion. */
int um_model_set(um_model *m, char which, int index, const float *plain, um_error *err);
int um_model_get(um_model *m, char which, int index, float *plain, um_error *err);

/* The next batch, n <= batch samples; the rest of the batch is zero and takes no part in loss or gradient.
 * pixels: n x H x W x 3, RGB. sample NULL: no transform. */
int um_model_feed_pixels(um_model *m, const uint8_t *pixels, const um_warp_sample *sample, int64_t n, const um_warp *how, um_error *err);
/* values: n x H x W x C floats, as they are. */
int um_model_feed(um_model *m, const float *values, int64_t n, um_error *err);

/* Once for each batch fed. Likewise backward, once for each forward: the plan reuses memory. */
int um_model_forward(um_model *m, um_error *err);
/* Logits of the n samples fed last. */
int um_model_logits(um_model *m, float *logits, um_error *err);
/* With any_output: the last node's values (plain) of the n samples fed last. */
int um_model_output(um_model *m, float *values, um_error *err);
/* Output of a node (plain) of the samples fed last; between forward and backward, for nodes whose memory the plan has not given to
 * later ones (in training that is nearly all of them); UM_EUNSUPPORTED for the others and for the final sigmoid. */
int um_model_activation(um_model *m, int node, float *values, um_error *err);
/* With gradient_at, once after each forward: the gradient of each sample's logit by that layer's output (plain, like
 * um_model_activation's values, which are to be had before) for the samples fed last. The logits stay. */
int um_model_gradient(um_model *m, float *values, um_error *err);
int um_model_gradient_node(const um_model *m); /* the node of gradient_at, or -1 */
/* Loss and accuracy of the batch fed last, after forward. */
int um_model_loss(um_model *m, um_loss_sums *sums, const float *labels, um_error *err);
/* Loss, then gradients down to the lowest trainable layer, after forward. */
int um_model_backward(um_model *m, um_loss_sums *sums, const float *labels, um_error *err);
/* The norm of all gradients together, in double; not finite when any of them is not. After backward. */
int um_model_gradient_norm(um_model *m, double *norm, um_error *err);
/* One optimizer step over all trainable parameters in one call, with the gradients as they are; counts steps from 1. UM_ENUMERIC
 * where the loss was not finite (nothing is changed then) or a gradient is not (its value stays as it is). */
int um_model_step(um_model *m, double learning_rate, um_error *err);
int64_t um_model_steps(const um_model *m);
void um_model_set_steps(um_model *m, int64_t steps);

/* ---- training without waiting ----
 * The same steps as above, queued: the host runs ahead of the device, the next batch is uploaded and warped beside the step that
 * runs, and the whole step is recorded and replayed where the backend can do that. A batch goes into one of um_model_slots slots;
 * a loop goes round them:
 *   um_model_fetched(slot); (the host memory of the slot's last batch is free) um_model_prefetch(slot, ...); um_model_queue(slot, true);
 * and reads um_model_report now and then. On a backend without queues everything is done when a call returns. */
typedef struct um_feed {
  const uint8_t *pixels;        /* n x H x W x 3, RGB; best from the backend's host_alloc; stays as it is until um_model_fetched */
  const um_warp_sample *sample; /* n, or NULL: no transform */
  const float *labels;          /* n, each in [0, 1] */
  const float *weights;         /* n: what a sample's loss and gradient are multiplied by; or NULL: 1 each */
  int64_t n;
  const um_warp *how;
  double learning_rate; /* of the step that this batch is for */
} um_feed;

int um_model_slots(const um_model *m); /* 1 or 2 */
int um_model_prefetch(um_model *m, int slot, const um_feed *feed, um_error *err);
int um_model_fetched(um_model *m, int slot, um_error *err);
/* train: forward, loss, backward, step; else forward and loss alone. Adds to the report. */
int um_model_queue(um_model *m, int slot, bool train, um_error *err);
/* Waits for what is queued and gives the logits of the n samples of the batch that was queued last, with train false. The next batch
 * may have been fetched ahead by then, but not queued. */
int um_model_queued_logits(um_model *m, int64_t n, float *logits, um_error *err);
/* Waits for what is queued and reads the report, which goes on from there; set gives it another beginning (um_report_reset). */
int um_model_report(um_model *m, um_report *report, um_error *err);
int um_model_set_report(um_model *m, const um_report *report, um_error *err);
/* Adds the seconds that feeding (upload and transform) and computing took since the last call, of what is done: all, right after
 * um_model_report. Where the device has queues they are its own times of either, which overlap (um_ops.busy); elsewhere those of the
 * calls. */
int um_model_busy(um_model *m, double *feed, double *compute, um_error *err);
/* UM_OK, or UM_ENUMERIC with what was not finite and in which step. */
int um_model_check(const um_model *m, const um_report *report, um_error *err);

/* Wall seconds by node and pass since timing was last switched on (which starts from zero); for make bench. other: reorders,
 * slopes of activations, sums of gradients. outside: feed (in forward), loss and optimizer (in other). */
typedef struct um_node_times {
  double forward, backward_data, backward_weights, other;
} um_node_times;
void um_model_time(um_model *m, bool on); /* of a backend without queues; elsewhere these are the seconds of queueing */
const um_node_times *um_model_times(const um_model *m, um_node_times *outside);

#endif
