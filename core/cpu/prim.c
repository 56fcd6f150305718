/* Primitives and layouts: what every op file of this folder is built on. */
#include "core/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int um_dnnl_fail(um_error *err, dnnl_status_t status, const char *what) {
  switch (status) {
  case dnnl_out_of_memory: return um_fail(err, UM_ENOMEM, "%s: oneDNN: out of memory", what);
  case dnnl_unimplemented: return um_fail(err, UM_EUNSUPPORTED, "%s: oneDNN has no implementation for this", what);
  default: return um_fail(err, UM_EINTERNAL, "%s: oneDNN failed with status %d", what, (int)status);
  }
}

int um_prim_make(um_prim *p, um_cpu *cpu, dnnl_primitive_desc_t pd, const int *args, const um_md_ref *mds, um_error *err) {
  dnnl_status_t s = dnnl_success;
  um_md_ref scratchpad = um_pd_md(pd, dnnl_query_scratchpad_md);
  memset(p, 0, sizeof *p);
  snprintf(p->name, sizeof p->name, "%s", um_pd_implementation(pd));
  for (int i = 0; args[i] && s == dnnl_success; i++) {
    p->arg[p->count].arg = args[i];
    s = dnnl_memory_create(&p->arg[p->count].memory, mds[i], cpu->engine, DNNL_MEMORY_NONE);
    if (s == dnnl_success) p->count++;
  }
  if (s == dnnl_success && scratchpad) {
    p->scratch = um_md_bytes(scratchpad);
    p->arg[p->count].arg = DNNL_ARG_SCRATCHPAD;
    s = dnnl_memory_create(&p->arg[p->count].memory, scratchpad, cpu->engine, DNNL_MEMORY_NONE);
    if (s == dnnl_success) p->count++;
  }
  if (s == dnnl_success) s = dnnl_primitive_create(&p->primitive, pd);
  dnnl_primitive_desc_destroy(pd);
  if (s != dnnl_success) {
    um_prim_free(p);
    return um_dnnl_fail(err, s, "making a primitive");
  }
  return UM_OK;
}

int um_prim_run(um_cpu *cpu, um_prim *p, void *const *data, um_error *err) {
  dnnl_status_t s = dnnl_success;
  um_cpu_enter(cpu);
  for (int i = 0; i < p->count && s == dnnl_success; i++) {
    if (p->bound[i] == data[i]) continue;
    s = dnnl_memory_set_data_handle(p->arg[i].memory, data[i]);
    p->bound[i] = data[i];
  }
  if (s == dnnl_success) s = dnnl_primitive_execute(p->primitive, cpu->stream, p->count, p->arg);
  if (s == dnnl_success) s = dnnl_stream_wait(cpu->stream);
  return s == dnnl_success ? UM_OK : um_dnnl_fail(err, s, p->name);
}

void um_prim_free(um_prim *p) {
  for (int i = 0; i < p->count; i++) dnnl_memory_destroy(p->arg[i].memory);
  if (p->primitive) dnnl_primitive_destroy(p->primitive);
  memset(p, 0, sizeof *p);
}

dnnl_status_t um_cpu_plain_activation(um_md *out, const um_tensor *t) {
  if (t->ndim == 4) {
    const int64_t n = t->dim[0], h = t->dim[1], w = t->dim[2], c = t->dim[3];
    return um_md_strided(out, 4, (int64_t[12]){n, c, h, w}, (int64_t[12]){h * w * c, 1, w * c, c});
  }
  if (t->ndim == 2) return um_md_strided(out, 2, (int64_t[12]){t->dim[0], t->dim[1]}, (int64_t[12]){t->dim[1], 1});
  return dnnl_invalid_arguments;
}

dnnl_status_t um_cpu_plain_kernel(um_md *out, const um_tensor *t) {
  if (t->ndim == 4) {
    const int64_t h = t->dim[0], w = t->dim[1], i = t->dim[2], o = t->dim[3];
    return um_md_strided(out, 4, (int64_t[12]){o, i, h, w}, (int64_t[12]){1, o, w * i * o, i * o});
  }
  if (t->ndim == 2) return um_md_strided(out, 2, (int64_t[12]){t->dim[1], t->dim[0]}, (int64_t[12]){1, t->dim[1]});
  return dnnl_invalid_arguments;
}

dnnl_status_t um_cpu_plain_vector(um_md *out, int64_t count) { return um_md_strided(out, 1, (int64_t[12]){count}, (int64_t[12]){1}); }

static int block_of(um_md_ref md, um_md_ref plain) {
  static const struct {
    dnnl_format_tag_t tag;
    int block;
  } known[] = {{dnnl_nChw16c, 16}, {dnnl_nChw8c, 8}};
  int64_t dim[4];
  if (!um_md_dims(plain, 4, dim)) return 0;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    um_md tagged;
    if (um_md_tagged(&tagged, 4, dim, known[i].tag) != dnnl_success) continue;
    const bool same = um_md_equal(tagged, md);
    um_md_free(tagged);
    if (same) return known[i].block;
  }
  return 0;
}

int um_cpu_layout(um_cpu *cpu, const um_layout **out, um_md_ref md, um_md_ref plain, um_error *err) {
  dnnl_status_t s = dnnl_success;
  *out = NULL;
  if (um_md_equal(md, plain)) return UM_OK;
  for (struct um_layout *l = cpu->layouts; l; l = l->next)
    if (l->md && um_md_equal(l->md, md) && um_md_equal(l->plain, plain)) {
      *out = l;
      return UM_OK;
    }
  struct um_layout *l = calloc(1, sizeof *l);
  if (!l) return um_fail(err, UM_ENOMEM, "a layout: out of memory");
  s = um_md_clone(&l->md, md);
  if (s == dnnl_success) s = um_md_clone(&l->plain, plain);
  if (s != dnnl_success) {
    um_md_free(l->md);
    free(l);
    return um_dnnl_fail(err, s, "a layout");
  }
  l->bytes = um_md_bytes(md);
  l->padded = l->bytes != um_md_bytes(plain);
  l->block = block_of(md, plain);
  l->next = cpu->layouts;
  cpu->layouts = l;
  *out = l;
  return UM_OK;
}

int um_cpu_wino_layout(um_cpu *cpu, const um_layout **out, const um_wino *g, um_error *err) {
  for (struct um_layout *l = cpu->layouts; l; l = l->next)
    if (l->wino.k == g->k && l->wino.c == g->c) {
      *out = l;
      return UM_OK;
    }
  struct um_layout *l = calloc(1, sizeof *l);
  if (!l) return um_fail(err, UM_ENOMEM, "a layout: out of memory");
  l->wino = *g;
  l->bytes = um_wino_kernel_bytes(g);
  l->padded = true;
  l->next = cpu->layouts;
  cpu->layouts = l;
  *out = l;
  return UM_OK;
}

int um_cpu_set_layout(um_cpu *cpu, um_tensor *t, um_md_ref md, um_md_ref plain, um_error *err) {
  t->bytes = um_md_bytes(md);
  return um_cpu_layout(cpu, &t->layout, md, plain, err);
}

um_dnnl_window um_cpu_window(const um_window *w) {
  um_dnnl_window d = {0};
  for (int i = 0; i < 2; i++) {
    d.kernel[i] = w->kernel[i];
    d.stride[i] = w->stride[i];
    d.pad_before[i] = w->pad_before[i];
    d.pad_after[i] = w->pad_after[i];
  }
  return d;
}

typedef struct um_cpu_reorder {
  const um_layout *from, *to; /* NULL: plain; not both */
  um_prim prim;
  struct um_cpu_reorder *next;
} um_cpu_reorder;

int um_cpu_reorder_tensor(um_cpu *cpu, um_tensor *dst, const um_tensor *src, um_error *err) {
  um_cpu_reorder *r = cpu->reorders;
  if (dst->layout && dst->layout->wino.k > 0 && !src->layout) {
    um_cpu_enter(cpu);
    um_wino_kernel(&dst->layout->wino, dst->data, src->data);
    return UM_OK;
  }
  if ((dst->layout && dst->layout->wino.k > 0) || (src->layout && src->layout->wino.k > 0))
    return um_fail(err, UM_EUNSUPPORTED,
                   "cpu: a kernel transformed for inference does not come back; plan with a backward pass to keep it");
  while (r && (r->from != src->layout || r->to != dst->layout)) r = r->next;
  if (!r) {
    um_md_ref from = src->layout ? src->layout->md : dst->layout->plain, to = dst->layout ? dst->layout->md : src->layout->plain;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = dnnl_reorder_primitive_desc_create(&pd, from, cpu->engine, to, cpu->engine, NULL);
    if (s != dnnl_success) return um_dnnl_fail(err, s, "reorder");
    if (!(r = calloc(1, sizeof *r))) {
      dnnl_primitive_desc_destroy(pd);
      return um_fail(err, UM_ENOMEM, "reorder: out of memory");
    }
    um_cpu_enter(cpu);
    const int status = um_prim_make(&r->prim, cpu, pd, (int[]){DNNL_ARG_FROM, DNNL_ARG_TO, 0}, (um_md_ref[]){from, to}, err);
    if (status != UM_OK) {
      free(r);
      return status;
    }
    r->from = src->layout;
    r->to = dst->layout;
    r->next = cpu->reorders;
    cpu->reorders = r;
  }
  return um_prim_run(cpu, &r->prim, (void *[]){src->data, dst->data}, err);
}

void um_cpu_reorders_free(um_cpu *cpu) {
  while (cpu->reorders) {
    um_cpu_reorder *r = cpu->reorders;
    cpu->reorders = r->next;
    um_prim_free(&r->prim);
    free(r);
  }
}

/* Of an interned layout, which callers see as const. */
static void count(um_cpu *cpu, const um_layout *layout, int by) {
  struct um_layout *l = cpu->layouts;
  while (l && l != layout) l = l->next;
  if (l) l->users += by;
}

void um_cpu_count_layouts(um_op *op, int by) {
  um_cpu *cpu = um_cpu_of(op);
  for (int i = 0; i < op->desc.n_inputs; i++) count(cpu, op->x[i].layout, by);
  count(cpu, op->y.layout, by);
  count(cpu, op->w.layout, by);
}

static void drop_reorders(um_cpu *cpu, const um_layout *layout) {
  for (um_cpu_reorder **at = &cpu->reorders; *at;) {
    um_cpu_reorder *r = *at;
    if (r->from != layout && r->to != layout) {
      at = &r->next;
      continue;
    }
    *at = r->next;
    um_prim_free(&r->prim);
    free(r);
  }
}

void um_cpu_drop_layouts(um_cpu *cpu) {
  for (struct um_layout **at = &cpu->layouts; *at;) {
    struct um_layout *l = *at;
    if (l->users > 0) {
      at = &l->next;
      continue;
    }
    *at = l->next;
    drop_reorders(cpu, l);
    um_md_free(l->md);
    um_md_free(l->plain);
    free(l);
  }
}
