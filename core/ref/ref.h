/* The ref backend's parts: one op family a file, contracts in core/ops.h. Everything is plain f32; sums are kept in double. */
#ifndef UM_CORE_REF_REF_H
#define UM_CORE_REF_REF_H

#include "core/ops.h"

/* Shapes of a convolution or a pooling by the names of the field. */
typedef struct ref_shape {
  int64_t N, H, W, C, K, P, Q; /* batch; input height, width, channels; output channels, height, width */
  int R, S;                    /* window height, width */
  int stride_h, stride_w, pad_h, pad_w;
} ref_shape;
ref_shape ref_shape_of(const um_op_desc *d);

/* y = max(y, 0) where the activation is RELU. */
double ref_activate(um_activation activation, double value);

int ref_conv2d_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch, um_error *err);
int ref_conv2d_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err);
int ref_conv2d_backward_weights(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                um_error *err);
size_t ref_conv2d_scratch(const um_op_desc *d);

int ref_dense_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch, um_error *err);
int ref_dense_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err);
int ref_dense_backward_weights(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                               um_error *err);
size_t ref_dense_scratch(const um_op_desc *d);

int ref_pool_forward(um_op *op, um_tensor *y, void *workspace, const um_tensor *x, void *scratch, um_error *err);
int ref_pool_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const void *workspace, void *scratch, um_error *err);
size_t ref_pool_workspace(const um_op_desc *d);

int ref_activation_forward(um_op *op, um_tensor *y, const um_tensor *x, um_error *err);
int ref_activation_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err);
int ref_softmax_forward(um_tensor *y, const um_tensor *x);
int ref_softmax_backward(um_tensor *dx, const um_tensor *dy, const um_tensor *y);
int ref_prelu_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *alpha, um_error *err);
int ref_prelu_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *x, const um_tensor *alpha, um_error *err);
int ref_prelu_backward_weights(um_op *op, um_tensor *dalpha, const um_tensor *x, const um_tensor *dy, void *scratch, um_error *err);
int ref_dropout(um_op *op, um_tensor *y, const um_tensor *x, const um_control *control, um_error *err);
int ref_add_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err);
int ref_concat_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err);
int ref_concat_backward(um_op *op, um_tensor *const *dx, const um_tensor *dy, um_error *err);
int ref_accumulate(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err);

int ref_reorder(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err);

int ref_warp(um_backend *be, um_tensor *y, const um_tensor *pixels, const um_warp_sample *sample, const um_control *control,
             const um_warp *how, um_error *err);

int ref_bce_logits(um_backend *be, um_tensor *dz, um_report *report, const um_tensor *z, const float *labels, const float *weights,
                   const um_control *control, um_error *err);
int ref_optimizer_step(um_backend *be, const um_optimizer *o, float *w, uint16_t *copy, float *m, float *v, um_report *report,
                       const float *g, const uint32_t *decay, int64_t count, const um_control *control, um_error *err);
int ref_sum_squares(um_backend *be, double *out, const float *x, int64_t count, um_error *err);

#endif
