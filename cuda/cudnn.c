/* cuDNN's convolutions as alternates to ours. The library is opened when the backend is; nothing links to it.
 *
 * The graph API of version 9 is used, not the older cudnnConvolutionForward and its kin: only the graph API adds an f32 bias and the
 * ReLU to a bf16 convolution in one pass, gives f32 gradients of bf16 weights, says of each engine whether it is deterministic and
 * whether it uses tensor cores on f32 (TF32), and has max pooling that keeps places in an index; the older functions are deprecated.
 *
 * Our activations are N H W C, as its fast engines want them; its filters are K R S C and ours R S C K, so a filter is transposed into
 * the scratch before, and its gradient out of the scratch after. That is part of a way's run and of what is measured. */
#include "cuda/cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef UM_HAVE_CUDNN
#include <dlfcn.h>

#include "cuda/cudnn_graph.h"

enum { OLDEST = 90000, WAYS = 8, ROUGH_WAYS = 3, ALIGN = 256 };
enum { X = 1, FILTER, Y, BIAS, SUM, BIASED };

/* ---- the library ---- */

static bool symbol(um_cudnn *c, void *out, const char *name, char *why, size_t size) {
  void *p = dlsym(c->library, name);

  if (!p && why) snprintf(why, size, "the library has no %s", name);
  memcpy(out, &p, sizeof p);
  return p != NULL;
}

static um_cudnn *open_library(char *why, size_t size) {
  static const char *const name[] = {"libcudnn.so.9", "libcudnn.so"};
  um_cudnn *c = calloc(1, sizeof *c);
  const char *words = NULL;

  if (!c) {
    snprintf(why, size, "no memory");
    return NULL;
  }
  for (int i = 0; i < 2 && !c->library; i++) {
    c->library = dlopen(name[i], RTLD_NOW | RTLD_LOCAL);
    if (!c->library && i == 0) {
      words = dlerror();
      snprintf(why, size, "%s", words ? words : "libcudnn.so.9 cannot be opened");
    }
  }
  if (!c->library) goto failed;
  if (!symbol(c, &c->get_version, "cudnnGetVersion", why, size)) goto failed;
  c->number = c->get_version();
  snprintf(c->version, sizeof c->version, "%zu.%zu.%zu", c->number / 10000, c->number / 100 % 100, c->number % 100);
  if (c->number < OLDEST) {
    /* 8 and before: major * 1000 + minor * 100 + patch */
    snprintf(why, size, "cuDNN %zu.%zu is too old, 9.0 or later is needed", c->number / 1000, c->number / 100 % 10);
    goto failed;
  }
  if (!symbol(c, &c->error_string, "cudnnGetErrorString", why, size) || !symbol(c, &c->create, "cudnnCreate", why, size) ||
      !symbol(c, &c->destroy, "cudnnDestroy", why, size) || !symbol(c, &c->set_stream, "cudnnSetStream", why, size) ||
      !symbol(c, &c->create_descriptor, "cudnnBackendCreateDescriptor", why, size) ||
      !symbol(c, &c->destroy_descriptor, "cudnnBackendDestroyDescriptor", why, size) ||
      !symbol(c, &c->finalize, "cudnnBackendFinalize", why, size) || !symbol(c, &c->set, "cudnnBackendSetAttribute", why, size) ||
      !symbol(c, &c->get, "cudnnBackendGetAttribute", why, size) || !symbol(c, &c->execute, "cudnnBackendExecute", why, size))
    goto failed;
  symbol(c, &c->last_error, "cudnnGetLastErrorString", NULL, 0);
  return c;
failed:
  um_cudnn_close(c);
  return NULL;
}

um_cudnn *um_cudnn_open(const um_cuda *cuda, char *why, size_t size) {
  um_cudnn *c = open_library(why, size);
  um_error err;

  (void)cuda;
  if (c && um_cudnn_check(c, c->create(&c->handle), &err, "cudnnCreate") != UM_OK) {
    snprintf(why, size, "%s", err.text);
    c->handle = NULL;
    um_cudnn_close(c);
    return NULL;
  }
  return c;
}

um_cudnn *um_cudnn_open_described(const char *device_json, char *why, size_t size) {
#if CUDNN_VERSION >= 90800
  um_cudnn *c = open_library(why, size);
  um_error err;
  int status;

  if (!c) return NULL;
  status = um_cudnn_check(c, c->create_descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &c->device), &err, "device");
  if (status == UM_OK)
    status = um_cudnn_check(
        c, c->set(c->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, (int64_t)strlen(device_json), device_json), &err,
        "device");
  if (status == UM_OK) status = um_cudnn_check(c, c->finalize(c->device), &err, "device");
  if (status == UM_OK) return c;
  snprintf(why, size, "%s", err.text);
  um_cudnn_close(c);
  return NULL;
#else
  (void)device_json;
  snprintf(why, size, "built with the headers of cuDNN %d, described devices came with 9.8", CUDNN_VERSION);
  return NULL;
#endif
}

void um_cudnn_close(um_cudnn *c) {
  if (!c) return;
  if (c->device) c->destroy_descriptor(c->device);
  if (c->handle) c->destroy(c->handle);
  /* The library stays: its sub-libraries keep threads and device state that do not survive being closed. */
  free(c);
}

const char *um_cudnn_version(const um_cudnn *c) { return c->version; }

/* ---- graphs ---- */

static cudnnDataType_t type_of(const um_cuda_conv *g) { return g->precision == UM_PRECISION_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT; }

/* Padding at the bottom and right, from the output's size; negative where the last rows or columns are not read. */
static int pad_after(int in, int out, int kernel, int stride, int pad) { return (out - 1) * stride + kernel - in - pad; }

static cudnnBackendDescriptor_t convolution(um_cudnn_graph *b, const um_cuda_conv *g) {
  cudnnBackendDescriptor_t d = um_cudnn_part(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const cudnnDataType_t f32 = CUDNN_DATA_FLOAT;
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  const int64_t before[2] = {g->pad[0], g->pad[1]}, stride[2] = {g->stride[0], g->stride[1]}, dilation[2] = {1, 1};
  int64_t after[2] = {pad_after(g->H, g->P, g->R, g->stride[0], g->pad[0]), pad_after(g->W, g->Q, g->S, g->stride[1], g->pad[1])};

  for (int i = 0; i < 2; i++)
    if (after[i] < 0) after[i] = 0; /* rows that no window reaches need no negative padding: output sizes round down */
  um_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &f32);
  um_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  um_cudnn_set_int(b, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
  um_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, before);
  um_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, after);
  um_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
  um_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
  um_cudnn_finish(b, d, "convolution");
  return d;
}

/* op = the convolution with a = alpha 1 and beta 0 in between its three tensors; the attributes are those of one pass. */
typedef struct names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, how, x, filter, y;
} names;

static const names names_of[UM_CONV_PASSES] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY}};

/* The graph of a pass. rough: in bf16 with a bf16 bias, or bf16 gradients of the weights. */
static um_cudnn_graph *graph_of(um_cudnn *c, const um_cuda_conv *g, um_conv_pass pass, bool rough, um_error *err) {
  const names *is = &names_of[pass];
  const cudnnDataType_t type = type_of(g), f32 = CUDNN_DATA_FLOAT;
  const bool forward = pass == UM_CONV_FORWARD, widen = pass == UM_CONV_BACKWARD_WEIGHTS && type != f32 && !rough;
  const float one = 1, zero = 0;
  um_cudnn_graph *b = um_cudnn_graph_new(c);
  cudnnBackendDescriptor_t how, op, x, filter, y;

  if (!b) {
    um_fail(err, UM_ENOMEM, "no memory for a graph");
    return NULL;
  }
  how = convolution(b, g);
  x = um_cudnn_tensor(b, X, type, g->N, g->C, g->H, g->W, true);
  /* No engine turns bf16 products into an f32 gradient by itself, but some do in front of an identity. */
  filter = um_cudnn_tensor(b, widen ? SUM : FILTER, widen ? f32 : type, g->K, g->C, g->R, g->S, !widen);
  y = um_cudnn_tensor(b, forward ? SUM : Y, forward ? f32 : type, g->N, g->K, g->P, g->Q, !forward);
  op = um_cudnn_part(b, is->type);
  um_cudnn_set(b, op, is->alpha, CUDNN_TYPE_FLOAT, 1, &one);
  um_cudnn_set(b, op, is->beta, CUDNN_TYPE_FLOAT, 1, &zero);
  um_cudnn_set_part(b, op, is->how, how);
  um_cudnn_set_part(b, op, is->x, x);
  um_cudnn_set_part(b, op, is->filter, filter);
  um_cudnn_set_part(b, op, is->y, y);
  um_cudnn_operation(b, op, "convolution operation");
  if (widen) um_cudnn_pointwise(b, CUDNN_POINTWISE_IDENTITY, filter, NULL, um_cudnn_tensor(b, FILTER, f32, g->K, g->C, g->R, g->S, true));
  if (forward) {
    const bool relu = g->activation == UM_ACT_RELU;
    cudnnBackendDescriptor_t bias = um_cudnn_tensor(b, BIAS, rough ? type : f32, 1, g->K, 1, 1, true);
    cudnnBackendDescriptor_t sum = um_cudnn_tensor(b, relu ? BIASED : Y, relu ? f32 : type, g->N, g->K, g->P, g->Q, !relu);
    um_cudnn_pointwise(b, CUDNN_POINTWISE_ADD, y, bias, sum);
    if (relu) um_cudnn_pointwise(b, CUDNN_POINTWISE_RELU_FWD, sum, NULL, um_cudnn_tensor(b, Y, type, g->N, g->K, g->P, g->Q, true));
  }
  if (um_cudnn_close_graph(b, err) == UM_OK) return b;
  um_cudnn_graph_release(b);
  return NULL;
}

/* ---- ways ---- */

static size_t rounded(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

static int filter_rows(const um_cuda_conv *g) { return g->R * g->S * g->C; }

/* The scratch: the filter as K R S C, then a bf16 bias (rough), then the engine's workspace. */
static size_t filter_bytes(const um_cuda_conv *g, um_dtype type) {
  return rounded((size_t)filter_rows(g) * (size_t)g->K * um_dtype_size(type));
}

enum { ROUGH = 1 }; /* in way->variant, beside the pass */
static um_conv_pass pass_of(const um_conv_way *way) { return (um_conv_pass)(way->variant >> 1); }

static um_dtype filter_type(const um_cuda_conv *g, const um_conv_way *way) {
  const bool weights = pass_of(way) == UM_CONV_BACKWARD_WEIGHTS, rough = way->variant & ROUGH;
  return g->precision == UM_PRECISION_BF16 && (!weights || rough) ? UM_BF16 : UM_F32;
}

static size_t bias_bytes(const um_cuda_conv *g, const um_conv_way *way) {
  return way->variant & ROUGH && pass_of(way) == UM_CONV_FORWARD ? rounded((size_t)g->K * 2) : 0;
}

static int run(const um_cuda *cuda, const um_cuda_conv *g, const um_conv_way *way, void *out, const void *a, const void *b,
               const float *bias, void *scratch, cudaStream_t stream, um_error *err) {
  const um_conv_pass pass = pass_of(way);
  const um_dtype type = filter_type(g, way);
  char *filter = scratch, *rounded_bias = filter + filter_bytes(g, type), *workspace = rounded_bias + bias_bytes(g, way);
  int64_t id[4] = {X, FILTER, Y, BIAS};
  void *data[4] = {NULL, filter, NULL, NULL};
  int status = UM_OK;

  (void)cuda;
  if (pass == UM_CONV_FORWARD && !bias) return um_fail(err, UM_EINTERNAL, "cudnn: a convolution without a bias");
  if (pass != UM_CONV_BACKWARD_WEIGHTS) status = um_cuda_transpose(filter, type, b, type, filter_rows(g), g->K, stream, err);
  if (status == UM_OK && bias_bytes(g, way)) status = um_cuda_transpose(rounded_bias, UM_BF16, bias, UM_F32, 1, g->K, stream, err);
  if (status != UM_OK) return status;
  /* The library only reads what is an input; its interface has one type for all. */
  switch (pass) {
  case UM_CONV_FORWARD:
    data[0] = (void *)(uintptr_t)a;
    data[2] = out;
    data[3] = bias_bytes(g, way) ? (void *)rounded_bias : (void *)(uintptr_t)bias;
    break;
  case UM_CONV_BACKWARD_DATA:
    data[0] = out;
    data[2] = (void *)(uintptr_t)a;
    break;
  default:
    data[0] = (void *)(uintptr_t)a;
    data[2] = (void *)(uintptr_t)b;
    break;
  }
  status = um_cudnn_plan_run(way->plan, pass == UM_CONV_FORWARD ? 4 : 3, id, data, workspace, stream, err);
  if (status == UM_OK && pass == UM_CONV_BACKWARD_WEIGHTS)
    status = um_cuda_transpose(out, UM_F32, filter, type, g->K, filter_rows(g), stream, err);
  return status;
}

static void make_way(um_conv_way *way, um_cudnn_plan *p, const um_cuda_conv *g, um_conv_pass pass, bool rough) {
  memset(way, 0, sizeof *way);
  snprintf(way->name, sizeof way->name, "cudnn%s %.24s", rough ? "~" : "", p->name);
  way->rough = rough;
  way->variant = (int)pass << 1 | (rough ? ROUGH : 0);
  way->run = run;
  way->plan = p;
  way->free_plan = um_cudnn_plan_free;
  way->scratch = filter_bytes(g, filter_type(g, way)) + bias_bytes(g, way) + p->workspace;
}

/* Planning all of a model's passes with engine "auto" is to take seconds, so one compiled engine a question must do. */
static um_cudnn_wish wish_of(const um_cuda *cuda, const um_cuda_conv *g, int most) {
  return (um_cudnn_wish){
      .tensor_cores = g->precision != UM_PRECISION_FP32, .most = most, .compiled = cuda->engine == UM_ENGINE_CUDNN ? 3 : 1};
}

static int list(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, bool rough, um_conv_way *ways, int max) {
  um_cudnn_plan *plan[WAYS];
  um_cudnn_wish wish = wish_of(cuda, g, max < WAYS ? max : WAYS);
  um_cudnn_graph *b = graph_of(cuda->cudnn, g, pass, rough, NULL);
  int n;

  if (!b) return 0; /* a geometry that it cannot describe */
  n = um_cudnn_plans(b, &wish, plan);
  for (int i = 0; i < n; i++) make_way(&ways[i], plan[i], g, pass, rough);
  um_cudnn_graph_release(b);
  return n;
}

int um_cudnn_candidates(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max) {
  return cuda->cudnn && max > 0 ? list(cuda, g, pass, false, ways, max) : 0;
}

int um_cudnn_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max) {
  const int n = um_cudnn_candidates(cuda, g, pass, ways, max), rough = max - n < ROUGH_WAYS ? max - n : ROUGH_WAYS;

  if (!cuda->cudnn || g->precision != UM_PRECISION_BF16 || pass == UM_CONV_BACKWARD_DATA || rough <= 0) return n;
  return n + list(cuda, g, pass, true, ways + n, rough);
}

bool um_cudnn_find(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const char *name, um_conv_way *way) {
  const um_cudnn_wish wish = wish_of(cuda, g, 1);
  um_cudnn_graph *b;
  um_cudnn_plan *p;

  if (!cuda->cudnn || strncmp(name, "cudnn ", 6) != 0) return false;
  b = graph_of(cuda->cudnn, g, pass, false, NULL);
  if (!b) return false;
  p = um_cudnn_plan_named(b, &wish, name + 6);
  if (p) make_way(way, p, g, pass, false);
  um_cudnn_graph_release(b);
  return p != NULL;
}

int um_cudnn_prepare(const um_cuda *cuda, const um_cuda_conv *g, um_conv_way *way, um_error *err) {
  (void)cuda;
  (void)g;
  return um_cudnn_plan_build(way->plan, err);
}

#else

static um_cudnn *without(char *why, size_t size) {
  snprintf(why, size, "this program was built without cuDNN");
  return NULL;
}

um_cudnn *um_cudnn_open(const um_cuda *cuda, char *why, size_t size) {
  (void)cuda;
  return without(why, size);
}

um_cudnn *um_cudnn_open_described(const char *device_json, char *why, size_t size) {
  (void)device_json;
  return without(why, size);
}

void um_cudnn_close(um_cudnn *c) { (void)c; }

const char *um_cudnn_version(const um_cudnn *c) {
  (void)c;
  return "none";
}

int um_cudnn_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max) {
  (void)cuda;
  (void)g;
  (void)pass;
  (void)ways;
  (void)max;
  return 0;
}

int um_cudnn_candidates(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max) {
  return um_cudnn_ways(cuda, g, pass, ways, max);
}

bool um_cudnn_find(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const char *name, um_conv_way *way) {
  (void)cuda;
  (void)g;
  (void)pass;
  (void)name;
  (void)way;
  return false;
}

int um_cudnn_prepare(const um_cuda *cuda, const um_cuda_conv *g, um_conv_way *way, um_error *err) {
  (void)cuda;
  (void)g;
  (void)way;
  return um_fail(err, UM_EUNSUPPORTED, "built without cuDNN");
}

#endif
