/* Convolution and dense layers: direct through oneDNN, or Winograd's (winograd.c). Layouts are chosen here once; what forward wants
 * is what the model's buffers have. */
#include "core/cpu/cpu.h"

#include <stdio.h>
#include <string.h>

typedef enum pass { BACKWARD_DATA, BACKWARD_WEIGHTS } pass;

/* Everything that plan() makes on the way; freed together. */
typedef struct plan {
  um_cpu_op *op;
  um_cpu *cpu;
  dnnl_engine_t engine;
  um_dnnl_window window;
  dnnl_primitive_attr_t attr, attr_relu;
  um_md plain_x, plain_y, plain_w, bias; /* as the program knows them */
  um_md any_x, any_y, any_w;
  dnnl_primitive_desc_t hint; /* the forward description */
  um_md_ref x, y, w;          /* its choices */
} plan;

/* A reference implementation is hundreds of times slower than a reorder and the right one. */
static bool slow(const_dnnl_primitive_desc_t pd) { return strstr(um_pd_implementation(pd), "ref") != NULL; }

static dnnl_status_t conv_forward_pd(plan *p, dnnl_primitive_desc_t *pd, um_md_ref x) {
  const um_op_desc *d = &p->op->base.desc;
  const dnnl_prop_kind_t prop = d->passes & ~(unsigned)UM_PASS_FORWARD ? dnnl_forward_training : dnnl_forward_inference;
  return um_pd_conv_forward(pd, p->engine, prop, dnnl_convolution_direct, x, p->any_w, p->bias, p->any_y, &p->window,
                            d->activation == UM_ACT_RELU ? p->attr_relu : p->attr);
}

/* Takes x as it arrives where a fast implementation does, else lets oneDNN choose. */
static dnnl_status_t conv_choose_forward(plan *p) {
  const um_layout *arrives = p->op->base.desc.x[0].layout;
  if (arrives && conv_forward_pd(p, &p->hint, arrives->md) == dnnl_success) {
    if (!slow(p->hint)) return dnnl_success;
    dnnl_primitive_desc_destroy(p->hint);
    p->hint = NULL;
  }
  return conv_forward_pd(p, &p->hint, p->any_x);
}

static dnnl_status_t conv_backward_pd(plan *p, dnnl_primitive_desc_t *pd, pass which, um_md_ref w) {
  const dnnl_alg_kind_t algorithm = dnnl_convolution_direct;
  if (which == BACKWARD_DATA) return um_pd_conv_backward_data(pd, p->engine, algorithm, p->x, w, p->y, &p->window, p->hint, p->attr);
  return um_pd_conv_backward_weights(pd, p->engine, algorithm, p->x, w, p->bias, p->y, &p->window, p->hint, p->attr);
}

/* The kernel as the model has it where a fast implementation takes that, else as oneDNN likes it and a reorder in the pass. */
static dnnl_status_t conv_choose_backward(plan *p, dnnl_primitive_desc_t *pd, pass which) {
  dnnl_primitive_desc_t same = NULL, any = NULL;
  dnnl_status_t s = conv_backward_pd(p, &same, which, p->w);
  if (s == dnnl_success && !slow(same)) {
    *pd = same;
    return s;
  }
  const dnnl_status_t t = conv_backward_pd(p, &any, which, p->any_w);
  if (t == dnnl_success && (s != dnnl_success || !slow(any))) {
    if (same) dnnl_primitive_desc_destroy(same);
    *pd = any;
    return t;
  }
  if (any) dnnl_primitive_desc_destroy(any);
  *pd = same;
  return s;
}

static int make_reorder(um_prim *out, um_cpu *cpu, um_md_ref from, um_md_ref to, um_error *err) {
  dnnl_primitive_desc_t pd = NULL;
  dnnl_primitive_attr_t attr = NULL;
  dnnl_status_t s = um_attr_make(&attr, false);
  if (s == dnnl_success) s = dnnl_reorder_primitive_desc_create(&pd, from, cpu->engine, to, cpu->engine, attr);
  if (attr) dnnl_primitive_attr_destroy(attr);
  if (s != dnnl_success) return um_dnnl_fail(err, s, "reorder of a kernel");
  return um_prim_make(out, cpu, pd, (int[]){DNNL_ARG_FROM, DNNL_ARG_TO, 0}, (um_md_ref[]){from, to}, err);
}

static size_t align64(size_t n) { return (n + 63) / 64 * 64; }

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

/* The primitives of the three passes from their descriptions (backward ones may be NULL), layouts and sizes into the op. */
static int finish(plan *p, dnnl_primitive_desc_t backward_data, dnnl_primitive_desc_t backward_weights, um_error *err) {
  um_cpu_op *op = p->op;
  um_op *base = &op->base;
  int status = um_cpu_set_layout(p->cpu, &base->x[0], p->x, p->plain_x, err);
  if (status == UM_OK) status = um_cpu_set_layout(p->cpu, &base->y, p->y, p->plain_y, err);
  if (status == UM_OK) status = um_cpu_set_layout(p->cpu, &base->w, p->w, p->plain_w, err);
  if (status == UM_OK) {
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = dnnl_primitive_desc_clone(&pd, p->hint);
    if (s != dnnl_success) status = um_dnnl_fail(err, s, "a description");
    if (status == UM_OK)
      status = um_prim_make(&op->forward, p->cpu, pd, (int[]){DNNL_ARG_DST, DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, 0},
                            (um_md_ref[]){p->y, p->x, p->w, p->bias}, err);
    base->scratch_bytes = op->forward.scratch;
  }
  if (status == UM_OK && backward_data) {
    um_md_ref w = um_pd_md(backward_data, dnnl_query_weights_md);
    if (!um_md_equal(w, p->w)) {
      op->w_bytes = align64(um_md_bytes(w));
      status = make_reorder(&op->reorder_w, p->cpu, p->w, w, err);
    }
    if (status == UM_OK) {
      status = um_prim_make(&op->backward_data, p->cpu, backward_data, (int[]){DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, 0},
                            (um_md_ref[]){p->x, p->y, w}, err);
      backward_data = NULL;
    }
    base->scratch_bytes = most(base->scratch_bytes, op->w_bytes + most(op->backward_data.scratch, op->reorder_w.scratch));
  }
  if (status == UM_OK && backward_weights) {
    um_md_ref w = um_pd_md(backward_weights, dnnl_query_diff_weights_md);
    if (!um_md_equal(w, p->w)) {
      op->dw_bytes = align64(um_md_bytes(w));
      status = make_reorder(&op->reorder_dw, p->cpu, w, p->w, err);
    }
    if (status == UM_OK) {
      status = um_prim_make(&op->backward_weights, p->cpu, backward_weights,
                            (int[]){DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS, DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, 0},
                            (um_md_ref[]){w, p->bias, p->x, p->y}, err);
      backward_weights = NULL;
    }
    base->scratch_bytes = most(base->scratch_bytes, op->dw_bytes + most(op->backward_weights.scratch, op->reorder_dw.scratch));
  }
  if (backward_data) dnnl_primitive_desc_destroy(backward_data);
  if (backward_weights) dnnl_primitive_desc_destroy(backward_weights);
  return status;
}

/* What dense and convolution share: parameters' shapes, plain descriptors, attributes. */
static int begin(plan *p, um_cpu_op *op, um_error *err) {
  um_op *base = &op->base;
  const um_tensor *x = &base->desc.x[0], *y = &base->desc.y;
  const int64_t channels = y->dim[y->ndim - 1];
  dnnl_status_t s;
  memset(p, 0, sizeof *p);
  p->op = op;
  p->cpu = um_cpu_of(base);
  p->engine = p->cpu->engine;
  p->window = um_cpu_window(&base->desc.window);
  if (x->ndim == 4) {
    base->w = um_tensor_plain(UM_F32, 4, (int64_t[]){base->desc.window.kernel[0], base->desc.window.kernel[1], x->dim[3], channels});
  } else {
    base->w = um_tensor_plain(UM_F32, 2, (int64_t[]){x->dim[1], channels});
  }
  base->b = um_tensor_plain(UM_F32, 1, &channels);
  s = um_attr_make(&p->attr, false);
  if (s == dnnl_success) s = um_attr_make(&p->attr_relu, true);
  if (s == dnnl_success) s = um_cpu_plain_activation(&p->plain_x, x);
  if (s == dnnl_success) s = um_cpu_plain_activation(&p->plain_y, y);
  if (s == dnnl_success) s = um_cpu_plain_kernel(&p->plain_w, &base->w);
  if (s == dnnl_success) s = um_cpu_plain_vector(&p->bias, channels);
  return s == dnnl_success ? UM_OK : um_dnnl_fail(err, s, "a description");
}

static void end(plan *p) {
  if (p->attr) dnnl_primitive_attr_destroy(p->attr);
  if (p->attr_relu) dnnl_primitive_attr_destroy(p->attr_relu);
  um_md_free(p->plain_x);
  um_md_free(p->plain_y);
  um_md_free(p->plain_w);
  um_md_free(p->bias);
  um_md_free(p->any_x);
  um_md_free(p->any_y);
  um_md_free(p->any_w);
  if (p->hint) dnnl_primitive_desc_destroy(p->hint);
}

/* Whether the convolution is done by core/cpu/winograd.c.
 * AUTO is a rule, not a timing, so that a resumed run computes exactly what an uninterrupted one does. It compares pixels, which
 * direct convolution pays for, with tiles of 4x4, a part of which may lie outside, plus what the transform of the kernel costs,
 * which inference has behind it: about 5 pixels a tile and 150 pixels on a Zen 4 core, whatever the channels from 16 to 512
 * (docs/performance.md). */
static bool winograd_wanted(const um_op_desc *d) {
  const um_window *w = &d->window;
  const bool training = d->passes & ~(unsigned)UM_PASS_FORWARD;
  const int64_t n = d->y.dim[0], height = d->y.dim[1], width = d->y.dim[2];
  if (d->algorithm == UM_ALGO_DIRECT) return false;
  if (w->kernel[0] != 3 || w->kernel[1] != 3 || w->stride[0] != 1 || w->stride[1] != 1) return false;
  if (d->x[0].dim[3] % 16 != 0 || d->y.dim[3] % 16 != 0 || !um_wino_here()) return false;
  for (int i = 0; i < 2; i++)
    if (w->pad_before[i] > 2 || w->pad_after[i] > 2) return false;
  if (d->algorithm == UM_ALGO_WINOGRAD) return true;
  return n * height * width > 5 * (n * ((height + 3) / 4) * ((width + 3) / 4)) + (training ? 150 : 0);
}

/* Channel blocks of 16 and kernels in OIhw16i16o, transformed ahead where nothing will train them. */
static int plan_winograd(um_cpu_op *op, um_error *err) {
  um_op *base = &op->base;
  const um_op_desc *d = &base->desc;
  um_cpu *cpu = um_cpu_of(base);
  const um_tensor *x = &d->x[0], *y = &d->y;
  const int64_t n = x->dim[0], c = x->dim[3], k = y->dim[3];
  const um_wino g = {.n = n,
                     .c = c,
                     .k = k,
                     .height = x->dim[1],
                     .width = x->dim[2],
                     .out_h = y->dim[1],
                     .out_w = y->dim[2],
                     .pad_top = d->window.pad_before[0],
                     .pad_left = d->window.pad_before[1],
                     .threads = cpu->base.threads};
  um_md blocked_x = NULL, blocked_y = NULL, blocked_w = NULL;
  plan p;
  int status = begin(&p, op, err);
  if (status != UM_OK) goto done;
  dnnl_status_t s = um_md_tagged(&blocked_x, 4, (int64_t[12]){n, c, g.height, g.width}, dnnl_nChw16c);
  if (s == dnnl_success) s = um_md_tagged(&blocked_y, 4, (int64_t[12]){n, k, g.out_h, g.out_w}, dnnl_nChw16c);
  if (s == dnnl_success) s = um_md_tagged(&blocked_w, 4, (int64_t[12]){k, c, 3, 3}, dnnl_OIhw16i16o);
  if (s != dnnl_success) {
    status = um_dnnl_fail(err, s, "a description");
    goto done;
  }
  op->wino = g;
  op->transformed = d->passes == UM_PASS_FORWARD;
  status = um_cpu_set_layout(cpu, &base->x[0], blocked_x, p.plain_x, err);
  if (status == UM_OK) status = um_cpu_set_layout(cpu, &base->y, blocked_y, p.plain_y, err);
  if (status == UM_OK && op->transformed) {
    status = um_cpu_wino_layout(cpu, &base->w.layout, &g, err);
    base->w.bytes = um_wino_kernel_bytes(&g);
  } else if (status == UM_OK) {
    status = um_cpu_set_layout(cpu, &base->w, blocked_w, p.plain_w, err);
  }
  base->scratch_bytes = um_wino_forward_scratch(&g, op->transformed);
  if (d->passes & UM_PASS_BACKWARD_DATA) base->scratch_bytes = most(base->scratch_bytes, um_wino_backward_data_scratch(&g));
  if (d->passes & UM_PASS_BACKWARD_WEIGHTS) base->scratch_bytes = most(base->scratch_bytes, um_wino_backward_weights_scratch(&g));
  snprintf(base->algorithm, sizeof base->algorithm, "winograd");
done:
  um_md_free(blocked_x);
  um_md_free(blocked_y);
  um_md_free(blocked_w);
  end(&p);
  return status;
}

int um_cpu_plan_conv(um_cpu_op *op, um_error *err) {
  um_op *base = &op->base;
  const um_op_desc *d = &base->desc;
  plan p;
  dnnl_primitive_desc_t backward_data = NULL, backward_weights = NULL;
  dnnl_status_t s = dnnl_success;
  if (winograd_wanted(d)) return plan_winograd(op, err);
  int status = begin(&p, op, err);
  if (status != UM_OK) goto done;
  {
    const um_tensor *x = &d->x[0], *y = &d->y;
    s = um_md_tagged(&p.any_x, 4, (int64_t[12]){x->dim[0], x->dim[3], x->dim[1], x->dim[2]}, dnnl_format_tag_any);
    /* Left to itself oneDNN takes N H W C for some, and the neighbours that Winograd does would reorder them back. */
    const dnnl_format_tag_t like = um_wino_here() && y->dim[3] % 16 == 0 ? dnnl_nChw16c : dnnl_format_tag_any;
    if (s == dnnl_success) s = um_md_tagged(&p.any_y, 4, (int64_t[12]){y->dim[0], y->dim[3], y->dim[1], y->dim[2]}, like);
    if (s == dnnl_success)
      s = um_md_tagged(&p.any_w, 4, (int64_t[12]){y->dim[3], x->dim[3], d->window.kernel[0], d->window.kernel[1]}, dnnl_format_tag_any);
  }
  if (s == dnnl_success) s = conv_choose_forward(&p);
  if (s != dnnl_success) {
    status = um_dnnl_fail(err, s, "convolution");
    goto done;
  }
  p.x = um_pd_md(p.hint, dnnl_query_src_md);
  p.y = um_pd_md(p.hint, dnnl_query_dst_md);
  p.w = um_pd_md(p.hint, dnnl_query_weights_md);
  if (d->passes & UM_PASS_BACKWARD_DATA) s = conv_choose_backward(&p, &backward_data, BACKWARD_DATA);
  if (s == dnnl_success && d->passes & UM_PASS_BACKWARD_WEIGHTS) s = conv_choose_backward(&p, &backward_weights, BACKWARD_WEIGHTS);
  if (s != dnnl_success) {
    if (backward_data) dnnl_primitive_desc_destroy(backward_data);
    status = um_dnnl_fail(err, s, "convolution, backward");
    goto done;
  }
  status = finish(&p, backward_data, backward_weights, err);
  snprintf(base->algorithm, sizeof base->algorithm, "direct (%.30s)", op->forward.name);
done:
  end(&p);
  return status;
}

/* A dense layer's operands stay plain: at a few dozen rows it is one pass over the kernel, which any layout makes at memory speed. */
int um_cpu_plan_dense(um_cpu_op *op, um_error *err) {
  const um_op_desc *d = &op->base.desc;
  plan p;
  dnnl_primitive_desc_t backward_data = NULL, backward_weights = NULL;
  dnnl_status_t s;
  int status = begin(&p, op, err);
  if (status != UM_OK) goto done;
  s = um_pd_dense_forward(&p.hint, p.engine, dnnl_forward_training, p.plain_x, p.plain_w, p.bias, p.plain_y,
                          d->activation == UM_ACT_RELU ? p.attr_relu : p.attr);
  if (s == dnnl_success && d->passes & UM_PASS_BACKWARD_DATA)
    s = um_pd_dense_backward_data(&backward_data, p.engine, p.plain_x, p.plain_w, p.plain_y, p.hint, p.attr);
  if (s == dnnl_success && d->passes & UM_PASS_BACKWARD_WEIGHTS)
    s = um_pd_dense_backward_weights(&backward_weights, p.engine, p.plain_x, p.plain_w, p.bias, p.plain_y, p.hint, p.attr);
  if (s != dnnl_success) {
    if (backward_data) dnnl_primitive_desc_destroy(backward_data);
    status = um_dnnl_fail(err, s, "dense");
    goto done;
  }
  p.x = p.plain_x;
  p.y = p.plain_y;
  p.w = p.plain_w;
  status = finish(&p, backward_data, backward_weights, err);
  snprintf(op->base.algorithm, sizeof op->base.algorithm, "%s", op->forward.name);
done:
  end(&p);
  return status;
}

int um_cpu_conv_forward(um_op *base, um_tensor *y, const um_tensor *x, const um_tensor *w, const um_tensor *b, void *scratch,
                        um_error *err) {
  um_cpu_op *op = (um_cpu_op *)base;
  if (op->wino.k > 0) {
    um_cpu_enter(um_cpu_of(base));
    um_wino_forward(&op->wino, y->data, x->data, w->data, op->transformed, b->data, base->desc.activation == UM_ACT_RELU, scratch);
    return UM_OK;
  }
  return um_prim_run(um_cpu_of(base), &op->forward, (void *[]){y->data, x->data, w->data, b->data, scratch}, err);
}

int um_cpu_conv_backward_data(um_op *base, um_tensor *dx, const um_tensor *dy, const um_tensor *w, void *scratch, um_error *err) {
  um_cpu_op *op = (um_cpu_op *)base;
  void *kernel = w->data, *rest = scratch;
  if (op->wino.k > 0) {
    um_cpu_enter(um_cpu_of(base));
    um_wino_backward_data(&op->wino, dx->data, dy->data, w->data, scratch);
    return UM_OK;
  }
  if (op->w_bytes) {
    kernel = scratch;
    rest = (char *)scratch + op->w_bytes;
    const int status = um_prim_run(um_cpu_of(base), &op->reorder_w, (void *[]){w->data, kernel, rest}, err);
    if (status != UM_OK) return status;
  }
  return um_prim_run(um_cpu_of(base), &op->backward_data, (void *[]){dx->data, dy->data, kernel, rest}, err);
}

int um_cpu_conv_backward_weights(um_op *base, um_tensor *dw, um_tensor *db, const um_tensor *x, const um_tensor *dy, void *scratch,
                                 um_error *err) {
  um_cpu_op *op = (um_cpu_op *)base;
  if (op->wino.k > 0) {
    um_cpu_enter(um_cpu_of(base));
    um_wino_backward_weights(&op->wino, dw->data, db->data, x->data, dy->data, scratch);
    return UM_OK;
  }
  void *kernel = op->dw_bytes ? scratch : dw->data, *rest = (char *)scratch + op->dw_bytes;
  int status = um_prim_run(um_cpu_of(base), &op->backward_weights, (void *[]){kernel, db->data, x->data, dy->data, rest}, err);
  if (status == UM_OK && op->dw_bytes) status = um_prim_run(um_cpu_of(base), &op->reorder_dw, (void *[]){kernel, dw->data, rest}, err);
  return status;
}
