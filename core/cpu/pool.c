/* Max and average pooling through oneDNN; global average pooling by hand on plain or channel-blocked tensors. */
#include "core/cpu/cpu.h"

#include <stdio.h>
#include <string.h>

static int plan_windowed(um_cpu_op *op, um_error *err) {
  um_op *base = &op->base;
  const um_op_desc *d = &base->desc;
  um_cpu *cpu = um_cpu_of(base);
  const bool training = d->passes & UM_PASS_BACKWARD_DATA;
  const dnnl_alg_kind_t algorithm = d->kind == UM_OP_MAX_POOL ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
  const um_dnnl_window window = um_cpu_window(&d->window);
  const um_tensor *y = &d->y;
  dnnl_primitive_attr_t attr = NULL;
  dnnl_primitive_desc_t forward = NULL, backward = NULL, copy = NULL;
  um_md plain_x = NULL, plain_y = NULL, any_y = NULL;
  um_md_ref x, out, workspace;
  int status = UM_OK;
  dnnl_status_t s = um_attr_make(&attr, false);
  if (s == dnnl_success) s = um_cpu_plain_activation(&plain_x, &d->x[0]);
  if (s == dnnl_success) s = um_cpu_plain_activation(&plain_y, y);
  if (s == dnnl_success) s = um_md_tagged(&any_y, 4, (int64_t[12]){y->dim[0], y->dim[3], y->dim[1], y->dim[2]}, dnnl_format_tag_any);
  x = d->x[0].layout ? d->x[0].layout->md : plain_x;
  if (s == dnnl_success)
    s = um_pd_pool_forward(&forward, cpu->engine, training ? dnnl_forward_training : dnnl_forward_inference, algorithm, x, any_y, &window,
                           attr);
  if (s == dnnl_success && training)
    s = um_pd_pool_backward(&backward, cpu->engine, algorithm, x, um_pd_md(forward, dnnl_query_dst_md), &window, forward, attr);
  if (s == dnnl_success) s = dnnl_primitive_desc_clone(&copy, forward);
  if (s != dnnl_success) {
    status = um_dnnl_fail(err, s, "pooling");
    if (backward) dnnl_primitive_desc_destroy(backward);
    goto done;
  }
  out = um_pd_md(forward, dnnl_query_dst_md);
  workspace = um_pd_md(forward, dnnl_query_workspace_md);
  status = um_cpu_set_layout(cpu, &base->x[0], x, plain_x, err);
  if (status == UM_OK) status = um_cpu_set_layout(cpu, &base->y, out, plain_y, err);
  /* The workspace comes last among the named arguments, so that without one the list just ends. */
  if (status == UM_OK) {
    base->workspace_bytes = workspace ? um_md_bytes(workspace) : 0;
    status = um_prim_make(&op->forward, cpu, copy, (int[]){DNNL_ARG_DST, DNNL_ARG_SRC, workspace ? DNNL_ARG_WORKSPACE : 0, 0},
                          (um_md_ref[]){out, x, workspace}, err);
    copy = NULL;
  }
  if (status == UM_OK && backward) {
    status = um_prim_make(&op->backward_data, cpu, backward,
                          (int[]){DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST, workspace ? DNNL_ARG_WORKSPACE : 0, 0},
                          (um_md_ref[]){x, out, workspace}, err);
    backward = NULL;
  }
  base->scratch_bytes = op->forward.scratch > op->backward_data.scratch ? op->forward.scratch : op->backward_data.scratch;
  snprintf(base->algorithm, sizeof base->algorithm, "%s", op->forward.name);
  if (backward) dnnl_primitive_desc_destroy(backward);
  if (copy) dnnl_primitive_desc_destroy(copy);
done:
  if (forward) dnnl_primitive_desc_destroy(forward);
  if (attr) dnnl_primitive_attr_destroy(attr);
  um_md_free(plain_x);
  um_md_free(plain_y);
  um_md_free(any_y);
  return status;
}

int um_cpu_plan_pool(um_cpu_op *op, um_error *err) {
  um_op *base = &op->base;
  if (base->desc.kind != UM_OP_GLOBAL_AVG_POOL) return plan_windowed(op, err);
  if (base->desc.x[0].layout && base->desc.x[0].layout->block) base->x[0] = base->desc.x[0]; /* else plain, as it is set already */
  snprintf(base->algorithm, sizeof base->algorithm, "own");
  return UM_OK;
}

/* Element (n, 0, 0, c) of an N H W C tensor and the distance between its pixels. */
static size_t channel_at(const um_tensor *t, int64_t n, int64_t c, int64_t *pixel) {
  const int64_t area = t->dim[1] * t->dim[2], channels = t->dim[3];
  if (!t->layout) {
    *pixel = channels;
    return (size_t)(n * area * channels + c);
  }
  const int64_t block = t->layout->block, blocks = (channels + block - 1) / block;
  *pixel = block;
  return (size_t)(((n * blocks + c / block) * area) * block + c % block);
}

static void global_forward(um_tensor *y, const um_tensor *x) {
  const int64_t n = x->dim[0], area = x->dim[1] * x->dim[2], channels = x->dim[3];
  float *out = y->data;
#pragma omp parallel for collapse(2)
  for (int64_t i = 0; i < n; i++)
    for (int64_t c = 0; c < channels; c++) {
      int64_t pixel;
      const float *from = (const float *)x->data + channel_at(x, i, c, &pixel);
      double sum = 0;
      for (int64_t j = 0; j < area; j++) sum += (double)from[j * pixel];
      out[i * channels + c] = (float)(sum / (double)area);
    }
}

static void global_backward(um_tensor *dx, const um_tensor *dy) {
  const int64_t n = dx->dim[0], area = dx->dim[1] * dx->dim[2], channels = dx->dim[3];
  const float *from = dy->data;
  if (dx->layout && dx->layout->padded) memset(dx->data, 0, dx->bytes);
#pragma omp parallel for collapse(2)
  for (int64_t i = 0; i < n; i++)
    for (int64_t c = 0; c < channels; c++) {
      int64_t pixel;
      float *to = (float *)dx->data + channel_at(dx, i, c, &pixel);
      const float value = from[i * channels + c] / (float)area;
      for (int64_t j = 0; j < area; j++) to[j * pixel] = value;
    }
}

int um_cpu_pool_forward(um_op *base, um_tensor *y, void *workspace, const um_tensor *x, void *scratch, um_error *err) {
  um_cpu_op *op = (um_cpu_op *)base;
  um_cpu *cpu = um_cpu_of(base);
  if (base->desc.kind == UM_OP_GLOBAL_AVG_POOL) {
    um_cpu_enter(cpu);
    global_forward(y, x);
    return UM_OK;
  }
  if (base->workspace_bytes) return um_prim_run(cpu, &op->forward, (void *[]){y->data, x->data, workspace, scratch}, err);
  return um_prim_run(cpu, &op->forward, (void *[]){y->data, x->data, scratch}, err);
}

int um_cpu_pool_backward(um_op *base, um_tensor *dx, const um_tensor *dy, const void *workspace, void *scratch, um_error *err) {
  um_cpu_op *op = (um_cpu_op *)base;
  um_cpu *cpu = um_cpu_of(base);
  if (base->desc.kind == UM_OP_GLOBAL_AVG_POOL) {
    um_cpu_enter(cpu);
    global_backward(dx, dy);
    return UM_OK;
  }
  if (base->workspace_bytes) {
    union {
      const void *in;
      void *out; /* oneDNN's handles are not const; a backward primitive only reads its workspace */
    } ws = {workspace};
    return um_prim_run(cpu, &op->backward_data, (void *[]){dx->data, dy->data, ws.out, scratch}, err);
  }
  return um_prim_run(cpu, &op->backward_data, (void *[]){dx->data, dy->data, scratch}, err);
}
