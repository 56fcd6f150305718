/* cpu: oneDNN for convolutions, dense layers and pools, OpenMP for the rest; its device is the host's memory. */
#include <dlfcn.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/cpu/cpu.h"

static void cpu_close(um_backend *be) {
  um_cpu *cpu = (um_cpu *)be;
  um_cpu_reorders_free(cpu);
  for (struct um_layout *l = cpu->layouts; l; l = l->next) l->users = 0;
  um_cpu_drop_layouts(cpu);
  if (cpu->stream) dnnl_stream_destroy(cpu->stream);
  if (cpu->engine) dnnl_engine_destroy(cpu->engine);
  free(cpu);
}

static const char *isa(void) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return "AVX-512";
  if (__builtin_cpu_supports("avx2")) return "AVX2";
  return "SSE";
#else
  return "generic";
#endif
}

static void cpu_describe(const um_backend *be, char *text, size_t size) {
  char name[64] = "CPU";
  FILE *f = fopen("/proc/cpuinfo", "r");
  char line[256];
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "model name : %63[^\n]", name) == 1) break;
  if (f) fclose(f);
  const dnnl_version_t *v = dnnl_version();
  snprintf(text, size, "%s, %d thread%s, %s, oneDNN %d.%d.%d", name, be->threads, be->threads == 1 ? "" : "s", isa(), v->major, v->minor,
           v->patch);
}

static size_t cpu_memory_free(const um_backend *be) {
  (void)be;
  unsigned long long kb = 0;
  FILE *f = fopen("/proc/meminfo", "r");
  char line[256];
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1) break;
  if (f) fclose(f);
  return (size_t)kb * 1024;
}

static int cpu_alloc(um_backend *be, void **out, size_t bytes, um_error *err) {
  const size_t page = (size_t)2 << 20, align = bytes >= 4 * page ? page : 64, rounded = (bytes + align - 1) / align * align;
  (void)be;
  *out = rounded < bytes ? NULL : aligned_alloc(align, rounded ? rounded : align);
  if (!*out) return um_fail(err, UM_ENOMEM, "no memory for %zu bytes", bytes);
  /* A step goes through all of it: pages of 2 MB where the system gives them, for the sake of address translation. */
  if (align == page) madvise(*out, rounded, MADV_HUGEPAGE);
  return UM_OK;
}

static void cpu_free(um_backend *be, void *p) {
  (void)be;
  free(p);
}

static int cpu_copy(um_backend *be, void *to, const void *from, size_t bytes, um_error *err) {
  (void)be;
  (void)err;
  memcpy(to, from, bytes);
  return UM_OK;
}

static bool cpu_precision(const um_backend *be, um_precision precision, um_dtype *activations) {
  (void)be;
  *activations = UM_F32;
  return precision == UM_PRECISION_FP32;
}

static int cpu_zero(um_backend *be, void *device, size_t bytes, um_error *err) {
  (void)be;
  (void)err;
  memset(device, 0, bytes);
  return UM_OK;
}

static int cpu_reorder(um_backend *be, um_tensor *dst, const um_tensor *src, um_error *err) {
  um_cpu *cpu = (um_cpu *)be;
  if (!um_tensor_same_shape(dst, src) || dst->dtype != UM_F32 || src->dtype != UM_F32)
    return um_fail(err, UM_EUNSUPPORTED, "cpu: reorder from %s to %s, or between different shapes", um_dtype_name(src->dtype),
                   um_dtype_name(dst->dtype));
  if (dst->layout == src->layout) {
    if (dst->data != src->data) memcpy(dst->data, src->data, src->bytes);
    return UM_OK;
  }
  return um_cpu_reorder_tensor(cpu, dst, src, err);
}

static int cpu_plan(um_backend *be, const um_op_desc *d, um_op **out, um_error *err) {
  int status = UM_OK;
  *out = NULL;
  for (int i = 0; i <= d->n_inputs; i++) {
    const um_tensor *t = i < d->n_inputs ? &d->x[i] : &d->y;
    if (t->dtype != UM_F32)
      return um_fail(err, UM_EUNSUPPORTED, "cpu: %s: only f32 tensors, got %s", um_op_kind_name(d->kind), um_dtype_name(t->dtype));
  }
  um_cpu_op *op = calloc(1, sizeof *op);
  if (!op) return um_fail(err, UM_ENOMEM, "cpu: no memory for an op");
  op->base.backend = be;
  op->base.desc = *d;
  /* Plain unless a plan_ says otherwise. */
  for (int i = 0; i < d->n_inputs; i++) op->base.x[i] = um_tensor_plain(UM_F32, d->x[i].ndim, d->x[i].dim);
  op->base.y = um_tensor_plain(UM_F32, d->y.ndim, d->y.dim);
  um_cpu_enter((um_cpu *)be); /* oneDNN shares the work out for a number of threads when a primitive is made */
  switch (d->kind) {
  case UM_OP_CONV2D: status = um_cpu_plan_conv(op, err); break;
  case UM_OP_DENSE: status = um_cpu_plan_dense(op, err); break;
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL:
  case UM_OP_GLOBAL_AVG_POOL: status = um_cpu_plan_pool(op, err); break;
  case UM_OP_PRELU: status = um_cpu_plan_prelu(op, err); break;
  default: status = um_cpu_plan_simple(op, err); break;
  }
  um_cpu_count_layouts(&op->base, 1);
  if (status != UM_OK) {
    be->ops->plan_free(&op->base);
    return status;
  }
  *out = &op->base;
  return UM_OK;
}

static void cpu_plan_free(um_op *base) {
  um_cpu_op *op = (um_cpu_op *)base;
  if (!op) return;
  um_cpu_count_layouts(base, -1);
  um_cpu_drop_layouts(um_cpu_of(base));
  um_prim_free(&op->forward);
  um_prim_free(&op->backward_data);
  um_prim_free(&op->backward_weights);
  um_prim_free(&op->reorder_w);
  um_prim_free(&op->reorder_dw);
  free(op);
}

static const um_ops table = {
    .name = "cpu",
    .close = cpu_close,
    .describe = cpu_describe,
    .memory_free = cpu_memory_free,
    .precision = cpu_precision,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .upload = cpu_copy,
    .download = cpu_copy,
    .zero = cpu_zero,
    .host_alloc = cpu_alloc,
    .host_free = cpu_free,
    .reorder = cpu_reorder,
    .plan = cpu_plan,
    .plan_free = cpu_plan_free,
    .conv2d_forward = um_cpu_conv_forward,
    .conv2d_backward_data = um_cpu_conv_backward_data,
    .conv2d_backward_weights = um_cpu_conv_backward_weights,
    .dense_forward = um_cpu_conv_forward,
    .dense_backward_data = um_cpu_conv_backward_data,
    .dense_backward_weights = um_cpu_conv_backward_weights,
    .pool_forward = um_cpu_pool_forward,
    .pool_backward = um_cpu_pool_backward,
    .activation_forward = um_cpu_activation_forward,
    .activation_backward = um_cpu_activation_backward,
    .prelu_forward = um_cpu_prelu_forward,
    .prelu_backward_data = um_cpu_prelu_backward_data,
    .prelu_backward_weights = um_cpu_prelu_backward_weights,
    .dropout = um_cpu_dropout,
    .add_forward = um_cpu_add_forward,
    .concat_forward = um_cpu_concat_forward,
    .concat_backward = um_cpu_concat_backward,
    .accumulate = um_cpu_accumulate,
    .warp = um_cpu_warp,
    .bce_logits = um_cpu_bce_logits,
    .optimizer_step = um_cpu_optimizer_step,
    .sum_squares = um_cpu_sum_squares,
};

/* Processors that this process may use: its affinity mask, which a container's limit on CPU sets also shows. */
static int processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

int um_cpu_open(um_backend **out, int threads, um_error *err) {
  dnnl_status_t s;
  um_cpu *cpu = calloc(1, sizeof *cpu);
  *out = NULL;
  if (!cpu) return um_fail(err, UM_ENOMEM, "cpu: no memory for the backend");
  cpu->base.ops = &table;
  cpu->base.threads = threads > 0 ? threads : processors();
  /* By name: oneDNN brings its OpenMP runtime along, and our own objects need not be built with one (clang's would be another). */
  *(void **)&cpu->set_threads = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
  um_cpu_enter(cpu);
  s = dnnl_engine_create(&cpu->engine, dnnl_cpu, 0);
  if (s == dnnl_success) s = dnnl_stream_create(&cpu->stream, cpu->engine, dnnl_stream_default_flags);
  if (s != dnnl_success) {
    cpu_close(&cpu->base);
    return um_dnnl_fail(err, s, "cpu: opening oneDNN");
  }
  *out = &cpu->base;
  return UM_OK;
}
