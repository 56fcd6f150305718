/* The cpu backend's own types: oneDNN primitives made once in plan() and run on whatever buffers a call brings. */
#ifndef UM_CORE_CPU_CPU_H
#define UM_CORE_CPU_CPU_H

#include "core/cpu/dnnl_compat.h"
#include "core/cpu/winograd.h"
#include "core/ops.h"

/* Interned by the backend, and kept while an op has a tensor of it. The dims of a oneDNN descriptor are N C H W (activations) or O I H W (kernels) whatever the strides. */
struct um_layout {
  um_md md;    /* this layout */
  um_md plain; /* the same values as the rest of the program knows them: N H W C, H W I O, in x out */
  size_t bytes;
  int block;    /* channels that lie together (8 or 16: nChw8c, nChw16c); 0 for any other layout */
  bool padded;  /* holds more elements than the shape says: they are zero and must stay so */
  um_wino wino; /* wino.k > 0: a kernel as um_wino_kernel makes it; md and plain are NULL */
  int users;    /* tensors of ops that are planned */
  struct um_layout *next;
};

typedef struct um_cpu {
  um_backend base;
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  struct um_layout *layouts;
  struct um_cpu_reorder *reorders; /* made when first needed, by the pair of layouts */
  void (*set_threads)(int);        /* the OpenMP runtime's own */
} um_cpu;

/* A primitive with the memory objects of its arguments, in the order of um_prim_make's. */
#define UM_PRIM_ARGS 6
typedef struct um_prim {
  dnnl_primitive_t primitive;
  int count;
  dnnl_exec_arg_t arg[UM_PRIM_ARGS];
  void *bound[UM_PRIM_ARGS]; /* the pointer each memory object holds now */
  size_t scratch;            /* bytes of its scratchpad */
  char name[40];             /* implementation, as oneDNN calls it */
} um_prim;

/* args end at 0; a scratchpad is added as the last argument by itself. Takes pd, also when it fails. */
int um_prim_make(um_prim *p, um_cpu *cpu, dnnl_primitive_desc_t pd, const int *args, const um_md_ref *mds, um_error *err);
/* One pointer an argument, then the scratchpad's where p->scratch is not 0. */
int um_prim_run(um_cpu *cpu, um_prim *p, void *const *data, um_error *err);
void um_prim_free(um_prim *p);

typedef struct um_cpu_op {
  um_op base;
  um_prim forward, backward_data, backward_weights;
  /* Where a pass wants other layouts than the model's buffers have: */
  um_prim reorder_w;  /* kernel -> what backward data reads */
  um_prim reorder_dw; /* what backward weights writes -> kernel gradient */
  size_t w_bytes, dw_bytes;
  /* All passes by core/cpu/winograd.c instead, where wino.k > 0. */
  um_wino wino;
  bool transformed; /* its kernel comes transformed (inference) */
} um_cpu_op;

static inline um_cpu *um_cpu_of(const um_op *op) { return (um_cpu *)op->backend; }

int um_dnnl_fail(um_error *err, dnnl_status_t status, const char *what);

/* The layout of md for a tensor whose plain descriptor is plain; *out NULL where they are equal. */
int um_cpu_layout(um_cpu *cpu, const um_layout **out, um_md_ref md, um_md_ref plain, um_error *err);
/* The layout of a transformed kernel. */
int um_cpu_wino_layout(um_cpu *cpu, const um_layout **out, const um_wino *g, um_error *err);
/* Plain descriptors in oneDNN's order of dims; the caller frees. */
dnnl_status_t um_cpu_plain_activation(um_md *out, const um_tensor *t); /* N H W C or N C */
dnnl_status_t um_cpu_plain_kernel(um_md *out, const um_tensor *t);     /* H W I O or in x out */
dnnl_status_t um_cpu_plain_vector(um_md *out, int64_t count);
/* Gives t the layout of md (bytes too). */
int um_cpu_set_layout(um_cpu *cpu, um_tensor *t, um_md_ref md, um_md_ref plain, um_error *err);
/* Both of one shape, their layouts different. Exact; the primitive is kept for the next time. */
int um_cpu_reorder_tensor(um_cpu *cpu, um_tensor *dst, const um_tensor *src, um_error *err);
void um_cpu_reorders_free(um_cpu *cpu);
/* Counts an op's tensors as users of their layouts, or (by -1) no longer; then layouts that nobody uses are dropped, and the reorders
 * from and to them: pictures of ever new sizes must not fill the memory. */
void um_cpu_count_layouts(um_op *op, int by);
void um_cpu_drop_layouts(um_cpu *cpu);
um_dnnl_window um_cpu_window(const um_window *w);

/* plan() by kind: op->base.desc, x, y hold the description; each sets layouts and sizes and makes the primitives. */
int um_cpu_plan_conv(um_cpu_op *op, um_error *err);
int um_cpu_plan_dense(um_cpu_op *op, um_error *err);
int um_cpu_plan_pool(um_cpu_op *op, um_error *err);
int um_cpu_plan_prelu(um_cpu_op *op, um_error *err);
int um_cpu_plan_simple(um_cpu_op *op, um_error *err);

int um_cpu_conv_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch, um_error *err);
int um_cpu_conv_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err);
int um_cpu_conv_backward_weights(um_op *op, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                 um_error *err);
int um_cpu_pool_forward(um_op *op, um_tensor *y, void *workspace, const um_tensor *x, void *scratch, um_error *err);
int um_cpu_pool_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const void *workspace, void *scratch, um_error *err);
int um_cpu_activation_forward(um_op *op, um_tensor *y, const um_tensor *x, um_error *err);
int um_cpu_activation_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y, um_error *err);
int um_cpu_softmax_forward(um_op *op, um_tensor *y, const um_tensor *x);
int um_cpu_softmax_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y);
int um_cpu_prelu_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *alpha, um_error *err);
int um_cpu_prelu_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *x, const um_tensor *alpha, um_error *err);
int um_cpu_prelu_backward_weights(um_op *op, um_tensor *dalpha, const um_tensor *x, const um_tensor *dy, void *scratch, um_error *err);
int um_cpu_dropout(um_op *op, um_tensor *y, const um_tensor *x, const um_control *control, um_error *err);
int um_cpu_add_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err);
int um_cpu_concat_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err);
int um_cpu_concat_backward(um_op *op, um_tensor *const *dx, const um_tensor *dy, um_error *err);
int um_cpu_accumulate(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err);
int um_cpu_warp(um_backend *be, um_tensor *y, const um_tensor *pixels, const um_warp_sample *sample, const um_control *control,
                const um_warp *how, um_error *err);
int um_cpu_bce_logits(um_backend *be, um_tensor *dz, um_report *report, const um_tensor *z, const float *labels, const float *weights,
                      const um_control *control, um_error *err);
int um_cpu_optimizer_step(um_backend *be, const um_optimizer *o, float *w, uint16_t *copy, float *m, float *v, um_report *report,
                          const float *g, const uint32_t *decay, int64_t count, const um_control *control, um_error *err);
int um_cpu_sum_squares(um_backend *be, double *out, const float *x, int64_t count, um_error *err);

/* Before a parallel region or a primitive: the calling thread's regions get the backend's number of threads. */
static inline void um_cpu_enter(const um_cpu *cpu) {
  if (cpu->set_threads) cpu->set_threads(cpu->base.threads);
}

#endif
