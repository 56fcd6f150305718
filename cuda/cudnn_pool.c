/* cuDNN's max and average pooling as an alternate to pool.cu's, taken where the engine is "cudnn". (With "auto" ours stay: they move each
 * byte once, and a pooling of cuDNN's takes a second to compile.)
 *
 * The older cudnnPoolingBackward wants x and y, which our contract does not keep. The graph API's resample operation writes the place of
 * each maximum into an index of a byte an output, which is our workspace. Which of equal values it takes is not documented, and ours is
 * the first: so a plan is compared with our own pooling on data full of equal values before it is used, and left where it differs. */
#include "cuda/cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#ifdef UM_HAVE_CUDNN
#include "cuda/cudnn_graph.h"

enum { X = 1, Y, INDEX };
enum { ALIGN = 256, MOST_PLACES = 127, PROBE = 1 << 18 };

/* A pooling's plans. Plans outlive their graphs' makers by themselves. */
typedef struct pool {
  um_cudnn_plan *forward, *backward; /* backward NULL: not asked for */
  bool index;
  size_t index_bytes; /* rounded */
} pool;

static void free_pool(void *plan) {
  pool *p = plan;

  if (!p) return;
  um_cudnn_plan_free(p->forward);
  um_cudnn_plan_free(p->backward);
  free(p);
}

static void fractions(um_cudnn_graph *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, const int64_t v[2]) {
  um_cudnn_set(b, d, name, CUDNN_TYPE_INT64, 2, v);
}

/* The graph of one direction, and its first engine that can be planned. */
static um_cudnn_plan *plan_of(um_cudnn *c, const um_op_desc *d, bool backward, bool index, um_error *err) {
  const bool maximum = d->kind == UM_OP_MAX_POOL;
  const cudnnDataType_t type = d->x[0].dtype == UM_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT, f32 = CUDNN_DATA_FLOAT;
  const cudnnResampleMode_t mode = maximum ? CUDNN_RESAMPLE_MAXPOOL : CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING;
  const cudnnPaddingMode_t padding = maximum ? CUDNN_NEG_INF_PAD : CUDNN_ZERO_PAD;
  const int64_t *x = d->x[0].dim, *y = d->y.dim;
  const um_cudnn_wish wish = {.tensor_cores = true, .most = 3, .compiled = 3};
  um_cudnn_graph *b = um_cudnn_graph_new(c);
  um_cudnn_plan *plan[3], *taken = NULL;
  cudnnBackendDescriptor_t how, op, in, out, places = NULL;
  int64_t size[2], stride[2], before[2], after[2];
  int n = 0;

  if (!b) {
    um_fail(err, UM_ENOMEM, "no memory for a graph");
    return NULL;
  }
  for (int i = 0; i < 2; i++) {
    size[i] = d->window.kernel[i];
    stride[i] = d->window.stride[i];
    before[i] = d->window.pad_before[i];
    after[i] = (y[1 + i] - 1) * stride[i] + size[i] - x[1 + i] - before[i];
    if (after[i] < 0) after[i] = 0; /* the last rows are not read: output sizes round down */
  }
  how = um_cudnn_part(b, CUDNN_BACKEND_RESAMPLE_DESCRIPTOR);
  um_cudnn_set(b, how, CUDNN_ATTR_RESAMPLE_MODE, CUDNN_TYPE_RESAMPLE_MODE, 1, &mode);
  um_cudnn_set(b, how, CUDNN_ATTR_RESAMPLE_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &f32);
  um_cudnn_set_int(b, how, CUDNN_ATTR_RESAMPLE_SPATIAL_DIMS, 2);
  fractions(b, how, CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, size);
  fractions(b, how, CUDNN_ATTR_RESAMPLE_STRIDES, stride);
  fractions(b, how, CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, before);
  fractions(b, how, CUDNN_ATTR_RESAMPLE_POST_PADDINGS, after);
  um_cudnn_set(b, how, CUDNN_ATTR_RESAMPLE_PADDING_MODE, CUDNN_TYPE_PADDING_MODE, 1, &padding);
  um_cudnn_finish(b, how, "resample");
  in = um_cudnn_tensor(b, X, type, x[0], x[3], x[1], x[2], true);
  out = um_cudnn_tensor(b, Y, type, y[0], y[3], y[1], y[2], true);
  if (index) places = um_cudnn_tensor(b, INDEX, CUDNN_DATA_INT8, y[0], y[3], y[1], y[2], true);
  op = um_cudnn_part(b, backward ? CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR : CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR);
  um_cudnn_set_part(b, op, backward ? CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC : CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC, in);
  um_cudnn_set_part(b, op, backward ? CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC : CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC, out);
  if (index)
    um_cudnn_set_part(b, op, backward ? CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC : CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC, places);
  um_cudnn_set_part(b, op, backward ? CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC : CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC, how);
  um_cudnn_operation(b, op, "resample operation");
  if (um_cudnn_close_graph(b, err) == UM_OK) {
    um_fail(err, UM_EUNSUPPORTED, "cudnn: no engine for this pooling");
    n = um_cudnn_plans(b, &wish, plan);
  }
  for (int i = 0; i < n; i++) {
    if (!taken && um_cudnn_plan_build(plan[i], err) == UM_OK)
      taken = plan[i];
    else
      um_cudnn_plan_free(plan[i]);
  }
  um_cudnn_graph_release(b);
  return taken;
}

static size_t rounded(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

/* The scratch: an index for a forward that is given no workspace, then the engine's own. */
int um_cudnn_pool_forward(const um_cuda_op *op, void *y, void *workspace, const void *x, void *scratch, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->base.backend;
  const pool *p = op->way[0].plan;
  const int64_t id[3] = {X, Y, INDEX};
  void *const data[3] = {(void *)(uintptr_t)x, y, workspace ? workspace : scratch};

  return um_cudnn_plan_run(p->forward, p->index ? 3 : 2, id, data, (char *)scratch + p->index_bytes, cuda->queue, err);
}

int um_cudnn_pool_backward(const um_cuda_op *op, void *dx, const void *dy, const void *workspace, void *scratch, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->base.backend;
  const pool *p = op->way[0].plan;
  const int64_t id[3] = {X, Y, INDEX};
  void *const data[3] = {dx, (void *)(uintptr_t)dy, (void *)(uintptr_t)workspace};

  return um_cudnn_plan_run(p->backward, p->index ? 3 : 2, id, data, (char *)scratch + p->index_bytes, cuda->queue, err);
}

/* ---- comparing with ours ---- */

/* Values of which many are equal, both in f32 and bf16 exact; seeds differ for x and dy. */
static int fill(const um_cuda *cuda, void *device, um_dtype dtype, size_t count, uint32_t seed, um_error *err) {
  const size_t size = um_dtype_size(dtype), first = count < PROBE ? count : PROBE;
  unsigned char *host = malloc(first * size);
  cudaError_t e;

  if (!host) return um_fail(err, UM_ENOMEM, "no memory for %zu bytes", first * size);
  for (size_t i = 0; i < first; i++) {
    float v;
    uint32_t bits;
    seed = seed * 1664525u + 1013904223u;
    v = (float)((int)(seed >> 28) - 8) * 0.25f;
    memcpy(&bits, &v, 4);
    if (dtype == UM_BF16)
      memcpy(host + i * size, (const char *)&bits + 2, 2); /* the upper half, least byte first */
    else
      memcpy(host + i * size, &bits, 4);
  }
  e = cudaMemcpyAsync(device, host, first * size, cudaMemcpyHostToDevice, cuda->queue);
  for (size_t have = first; have < count && e == cudaSuccess;) {
    const size_t more = count - have < have ? count - have : have;
    e = cudaMemcpyAsync((char *)device + have * size, device, more * size, cudaMemcpyDeviceToDevice, cuda->queue);
    have += more;
  }
  if (e == cudaSuccess) e = cudaStreamSynchronize(cuda->queue);
  free(host);
  return um_cuda_check(e, err, "comparing poolings");
}

/* Whether the first and the last values of two results are the same, up to a last bit where averages round. */
static int same(const um_cuda *cuda, const void *a, const void *b, um_dtype dtype, size_t count, const char *what, um_error *err) {
  const size_t size = um_dtype_size(dtype), each = count < PROBE ? count : PROBE;
  unsigned char *host = malloc(2 * each * size);
  int status = host ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %zu bytes", 2 * each * size);

  for (int end = 0; end < 2 && status == UM_OK; end++) {
    const size_t at = end ? (count - each) * size : 0;
    cudaError_t e = cudaMemcpyAsync(host, (const char *)a + at, each * size, cudaMemcpyDeviceToHost, cuda->queue);
    if (e == cudaSuccess) e = cudaMemcpyAsync(host + each * size, (const char *)b + at, each * size, cudaMemcpyDeviceToHost, cuda->queue);
    if (e == cudaSuccess) e = cudaStreamSynchronize(cuda->queue);
    status = um_cuda_check(e, err, "comparing poolings");
    for (size_t i = 0; i < each && status == UM_OK; i++) {
      uint32_t u[2] = {0, 0};
      float v[2];
      for (int k = 0; k < 2; k++) memcpy((char *)&u[k] + (dtype == UM_BF16 ? 2 : 0), host + ((size_t)k * each + i) * size, size);
      memcpy(v, u, sizeof v);
      const float apart = v[0] > v[1] ? v[0] - v[1] : v[1] - v[0], bound = (dtype == UM_BF16 ? 0.01f : 1e-5f) * (v[0] < 0 ? -v[0] : v[0]);
      if (!(apart <= bound + 1e-6f))
        status = um_fail(err, UM_ENUMERIC, "%s is not like ours: %g, ours %g", what, (double)v[1], (double)v[0]);
    }
  }
  free(host);
  return status;
}

/* op has both: our own plan's sizes in base, cuDNN's in way[0]. */
static int compare(um_cuda_op *op, size_t ours, size_t theirs, size_t scratch, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->base.backend;
  const um_op_desc *d = &op->base.desc;
  const size_t nx = (size_t)um_tensor_count(&d->x[0]), ny = (size_t)um_tensor_count(&d->y), size = um_dtype_size(d->x[0].dtype);
  const bool backward = d->passes & UM_PASS_BACKWARD_DATA;
  const size_t bytes[] = {
      nx * size, ny * size, ny * size, ours, theirs, scratch, backward ? ny * size : 0, backward ? nx * size : 0, backward ? nx * size : 0};
  enum { IN, OUT, OUT2, WORK, WORK2, SCRATCH, DY, DX, DX2, ALL };
  void *m[ALL] = {NULL}, *const theirs_plan = op->way[0].plan;
  um_tensor x = d->x[0], y = d->y, dx = d->x[0], dy = d->y;
  int status = UM_OK;

  for (int i = 0; i < ALL && status == UM_OK; i++)
    if (bytes[i]) status = um_cuda_check(cudaMalloc(&m[i], bytes[i]), err, "comparing poolings");
  if (status == UM_OK) status = fill(cuda, m[IN], x.dtype, nx, 1, err);
  x.data = m[IN];
  y.data = m[OUT];
  op->way[0].plan = NULL;
  if (status == UM_OK) status = um_cuda_pool_forward(&op->base, &y, m[WORK], &x, m[SCRATCH], err);
  op->way[0].plan = theirs_plan;
  if (status == UM_OK) status = um_cudnn_pool_forward(op, m[OUT2], m[WORK2], m[IN], m[SCRATCH], err);
  if (status == UM_OK) status = same(cuda, m[OUT], m[OUT2], y.dtype, ny, "its result", err);
  if (status == UM_OK && backward) {
    dy.data = m[DY];
    dx.data = m[DX];
    status = fill(cuda, m[DY], dy.dtype, ny, 2, err);
    op->way[0].plan = NULL;
    if (status == UM_OK) status = um_cuda_pool_backward(&op->base, &dx, &dy, m[WORK], m[SCRATCH], err);
    op->way[0].plan = theirs_plan;
    if (status == UM_OK) status = um_cudnn_pool_backward(op, m[DX2], m[DY], m[WORK2], m[SCRATCH], err);
    if (status == UM_OK) status = same(cuda, m[DX], m[DX2], dx.dtype, nx, "its gradient", err);
  }
  if (status != UM_OK) (void)cudaGetLastError();
  for (int i = 0; i < ALL; i++) cudaFree(m[i]);
  return status;
}

/* ---- planning ---- */

bool um_cudnn_pool_plans(um_cudnn *c, const um_op_desc *d, um_conv_way *way, size_t *index_bytes, um_error *err) {
  const bool backward = d->passes & UM_PASS_BACKWARD_DATA, index = d->kind == UM_OP_MAX_POOL && backward;
  pool *p = calloc(1, sizeof *p);

  memset(way, 0, sizeof *way);
  if (!p) {
    um_fail(err, UM_ENOMEM, "no memory for a pooling");
    return false;
  }
  p->index = index;
  *index_bytes = index ? (size_t)um_tensor_count(&d->y) : 0;
  p->index_bytes = rounded(*index_bytes);
  p->forward = plan_of(c, d, false, index, err);
  if (p->forward && backward) p->backward = plan_of(c, d, true, index, err);
  if (!p->forward || (backward && !p->backward)) {
    free_pool(p);
    return false;
  }
  snprintf(way->name, sizeof way->name, "cudnn %.24s", p->forward->name);
  way->scratch = p->forward->workspace;
  if (backward && p->backward->workspace > way->scratch) way->scratch = p->backward->workspace;
  way->scratch += p->index_bytes;
  way->plan = p;
  way->free_plan = free_pool;
  return true;
}

void um_cudnn_plan_pool(um_cuda_op *op) {
  const um_cuda *cuda = (const um_cuda *)op->base.backend;
  const um_op_desc *d = &op->base.desc;
  um_conv_way way;
  um_error err;
  size_t index_bytes;
  bool good;

  if (cuda->engine != UM_ENGINE_CUDNN || !cuda->cudnn || cuda->recording || um_tensor_count(&d->y) == 0) return;
  if (d->kind == UM_OP_MAX_POOL && d->window.kernel[0] * d->window.kernel[1] > MOST_PLACES) return;
  good = um_cudnn_pool_plans(cuda->cudnn, d, &way, &index_bytes, &err);
  if (good && way.scratch > cuda->workspace_limit) {
    um_fail(&err, UM_EUNSUPPORTED, "%zu bytes of scratch, the limit is %zu", way.scratch, cuda->workspace_limit);
    good = false;
  }
  if (good) {
    op->way[0] = way;
    good = compare(op, op->base.workspace_bytes, index_bytes, way.scratch, &err) == UM_OK;
    if (!good) op->way[0] = (um_conv_way){.plan = NULL};
  }
  if (!good) {
    if (way.plan) free_pool(way.plan);
    um_log_once(UM_LOG_WARN, "engine cudnn: %s %dx%d: %s; native is taken", um_op_kind_name(d->kind), d->window.kernel[0],
                d->window.kernel[1], err.text);
    return;
  }
  op->base.workspace_bytes = index_bytes;
  op->base.scratch_bytes = way.scratch;
  snprintf(op->base.algorithm, sizeof op->base.algorithm, "%s", way.name);
}

#else

void um_cudnn_plan_pool(um_cuda_op *op) { (void)op; }

int um_cudnn_pool_forward(const um_cuda_op *op, void *y, void *workspace, const void *x, void *scratch, um_error *err) {
  (void)op;
  (void)y;
  (void)workspace;
  (void)x;
  (void)scratch;
  return um_fail(err, UM_EUNSUPPORTED, "built without cuDNN");
}

int um_cudnn_pool_backward(const um_cuda_op *op, void *dx, const void *dy, const void *workspace, void *scratch, um_error *err) {
  (void)op;
  (void)dx;
  (void)dy;
  (void)workspace;
  (void)scratch;
  return um_fail(err, UM_EUNSUPPORTED, "built without cuDNN");
}

bool um_cudnn_pool_plans(um_cudnn *c, const um_op_desc *d, um_conv_way *way, size_t *index_bytes, um_error *err) {
  (void)c;
  (void)d;
  (void)way;
  (void)index_bytes;
  um_fail(err, UM_EUNSUPPORTED, "built without cuDNN");
  return false;
}

#endif
