/* cuBLASLt for what is one matrix product: dense layers and 1x1 convolutions without stride or padding. Opened at run time; nothing
 * links to it.
 *
 * It thinks in columns, we in rows: our rows x columns is its columns x rows. So with P = N H W pixels
 *   forward            y  (K x P) = w (K x C)            x (C x P)
 *   backward data      dx (C x P) = w (K x C) transposed dy (K x P)
 *   backward weights   dw (K x C) = dy (K x P)           x (C x P) transposed
 * A bias goes along the rows of its result, as ours does, but has the result's type: in f32 and TF32 it is fused with the ReLU; for bf16
 * the product stays f32 in the scratch and um_conv_reduce_launch adds the f32 bias and rounds once.
 *
 * Splits of the depth are only taken where their sums are kept in f32 and added in a step of its own, so that the same call gives the
 * same bits. */
#include "cuda/cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef UM_HAVE_CUBLAS
#include <cublasLt.h>
#include <dlfcn.h>

#include "cuda/conv_native.h"

enum { OLDEST = 110000, WAYS = 4, ALIGN = 256 };

struct um_cublas {
  void *library;
  cublasLtHandle_t handle;
  char version[24];
  size_t (*get_version)(void);
  const char *(*status_string)(cublasStatus_t);
  cublasStatus_t (*create)(cublasLtHandle_t *);
  cublasStatus_t (*destroy)(cublasLtHandle_t);
  cublasStatus_t (*matmul)(cublasLtHandle_t, cublasLtMatmulDesc_t, const void *, const void *, cublasLtMatrixLayout_t, const void *,
                           cublasLtMatrixLayout_t, const void *, const void *, cublasLtMatrixLayout_t, void *, cublasLtMatrixLayout_t,
                           const cublasLtMatmulAlgo_t *, void *, size_t, cudaStream_t);
  cublasStatus_t (*desc_create)(cublasLtMatmulDesc_t *, cublasComputeType_t, cudaDataType_t);
  cublasStatus_t (*desc_destroy)(cublasLtMatmulDesc_t);
  cublasStatus_t (*desc_set)(cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t, const void *, size_t);
  cublasStatus_t (*layout_create)(cublasLtMatrixLayout_t *, cudaDataType, uint64_t, uint64_t, int64_t);
  cublasStatus_t (*layout_destroy)(cublasLtMatrixLayout_t);
  cublasStatus_t (*preference_create)(cublasLtMatmulPreference_t *);
  cublasStatus_t (*preference_destroy)(cublasLtMatmulPreference_t);
  cublasStatus_t (*preference_set)(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, const void *, size_t);
  cublasStatus_t (*heuristic)(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int,
                              cublasLtMatmulHeuristicResult_t *, int *);
  cublasStatus_t (*algo_get)(const cublasLtMatmulAlgo_t *, cublasLtMatmulAlgoConfigAttributes_t, void *, size_t, size_t *);
};

/* ---- the library ---- */

static bool symbol(um_cublas *c, void *out, const char *name, char *why, size_t size) {
  void *p = dlsym(c->library, name);

  if (!p) snprintf(why, size, "the library has no %s", name);
  memcpy(out, &p, sizeof p);
  return p != NULL;
}

void um_cublas_close(um_cublas *c) {
  if (!c) return;
  if (c->handle) c->destroy(c->handle);
  /* The library stays: kernels that it loaded belong to the device's context. */
  free(c);
}

um_cublas *um_cublas_open(const um_cuda *cuda, char *why, size_t size) {
  static const char *const name[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"};
  um_cublas *c = calloc(1, sizeof *c);
  cublasStatus_t s;
  size_t version;

  (void)cuda;
  if (!c) {
    snprintf(why, size, "no memory");
    return NULL;
  }
  for (int i = 0; i < 3 && !c->library; i++) {
    c->library = dlopen(name[i], RTLD_NOW | RTLD_LOCAL);
    if (!c->library && i == 0) {
      const char *words = dlerror();
      snprintf(why, size, "%s", words ? words : "libcublasLt.so.13 cannot be opened");
    }
  }
  if (!c->library || !symbol(c, &c->get_version, "cublasLtGetVersion", why, size)) goto failed;
  version = c->get_version();
  if (version < OLDEST) {
    snprintf(why, size, "cuBLASLt %zu is too old, 11 or later is needed", version);
    goto failed;
  }
  /* 12 and before: major * 10000 + minor * 100 + patch; 13 on as well. */
  snprintf(c->version, sizeof c->version, "%zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
  if (!symbol(c, &c->status_string, "cublasLtGetStatusString", why, size) || !symbol(c, &c->create, "cublasLtCreate", why, size) ||
      !symbol(c, &c->destroy, "cublasLtDestroy", why, size) || !symbol(c, &c->matmul, "cublasLtMatmul", why, size) ||
      !symbol(c, &c->desc_create, "cublasLtMatmulDescCreate", why, size) ||
      !symbol(c, &c->desc_destroy, "cublasLtMatmulDescDestroy", why, size) ||
      !symbol(c, &c->desc_set, "cublasLtMatmulDescSetAttribute", why, size) ||
      !symbol(c, &c->layout_create, "cublasLtMatrixLayoutCreate", why, size) ||
      !symbol(c, &c->layout_destroy, "cublasLtMatrixLayoutDestroy", why, size) ||
      !symbol(c, &c->preference_create, "cublasLtMatmulPreferenceCreate", why, size) ||
      !symbol(c, &c->preference_destroy, "cublasLtMatmulPreferenceDestroy", why, size) ||
      !symbol(c, &c->preference_set, "cublasLtMatmulPreferenceSetAttribute", why, size) ||
      !symbol(c, &c->heuristic, "cublasLtMatmulAlgoGetHeuristic", why, size) ||
      !symbol(c, &c->algo_get, "cublasLtMatmulAlgoConfigGetAttribute", why, size))
    goto failed;
  s = c->create(&c->handle);
  if (s == CUBLAS_STATUS_SUCCESS) return c;
  snprintf(why, size, "cublasLtCreate: %s (%d)", c->status_string(s), (int)s);
  c->handle = NULL;
failed:
  um_cublas_close(c);
  return NULL;
}

const char *um_cublas_version(const um_cublas *c) { return c->version; }

static int check(const um_cublas *c, cublasStatus_t s, um_error *err, const char *what) {
  if (s == CUBLAS_STATUS_SUCCESS) return UM_OK;
  return um_fail(err, s == CUBLAS_STATUS_NOT_SUPPORTED ? UM_EUNSUPPORTED : UM_EINTERNAL, "cublaslt: %s: %s (%d)", what, c->status_string(s),
                 (int)s);
}

/* ---- products ---- */

/* D = op(A) op(B), in the library's columns. */
typedef struct product {
  um_cublas *c;
  int users; /* ways that share it */
  um_conv_pass pass;
  bool separate_bias;
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t a, b, d;
} product;

typedef struct plan {
  product *product;
  cublasLtMatmulAlgo_t algo;
  size_t workspace;
} plan;

static void release(product *p) {
  if (!p || --p->users > 0) return;
  if (p->desc) p->c->desc_destroy(p->desc);
  if (p->a) p->c->layout_destroy(p->a);
  if (p->b) p->c->layout_destroy(p->b);
  if (p->d) p->c->layout_destroy(p->d);
  free(p);
}

static void free_plan(void *way_plan) {
  plan *p = way_plan;
  if (!p) return;
  release(p->product);
  free(p);
}

static product *product_of(um_cublas *c, const um_cuda_conv *g, um_conv_pass pass) {
  const bool bf16 = g->precision == UM_PRECISION_BF16, forward = pass == UM_CONV_FORWARD;
  const cudaDataType type = bf16 ? CUDA_R_16BF : CUDA_R_32F;
  const cublasComputeType_t compute = g->precision == UM_PRECISION_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  const cublasOperation_t as_is = CUBLAS_OP_N, transposed = CUBLAS_OP_T;
  const uint64_t P = (uint64_t)g->N * (uint64_t)g->H * (uint64_t)g->W, C = (uint64_t)g->C, K = (uint64_t)g->K;
  const uint32_t epilogue = g->activation == UM_ACT_RELU ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
  const void *somewhere = (const void *)(uintptr_t)ALIGN; /* heuristics only look at how it is aligned */
  product *p = calloc(1, sizeof *p);
  bool good;

  if (!p) return NULL;
  p->c = c;
  p->users = 1;
  p->pass = pass;
  p->separate_bias = forward && bf16;
  good = c->desc_create(&p->desc, compute, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
         c->desc_set(p->desc, CUBLASLT_MATMUL_DESC_TRANSA, pass == UM_CONV_BACKWARD_DATA ? &transposed : &as_is, sizeof as_is) ==
             CUBLAS_STATUS_SUCCESS &&
         c->desc_set(p->desc, CUBLASLT_MATMUL_DESC_TRANSB, pass == UM_CONV_BACKWARD_WEIGHTS ? &transposed : &as_is, sizeof as_is) ==
             CUBLAS_STATUS_SUCCESS;
  if (good && forward && !p->separate_bias)
    good = c->desc_set(p->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue) == CUBLAS_STATUS_SUCCESS &&
           c->desc_set(p->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &somewhere, sizeof somewhere) == CUBLAS_STATUS_SUCCESS;
  switch (pass) {
  case UM_CONV_FORWARD:
    good = good && c->layout_create(&p->a, type, K, C, g->K) == CUBLAS_STATUS_SUCCESS &&
           c->layout_create(&p->b, type, C, P, g->C) == CUBLAS_STATUS_SUCCESS &&
           c->layout_create(&p->d, CUDA_R_32F, K, P, g->K) == CUBLAS_STATUS_SUCCESS;
    break;
  case UM_CONV_BACKWARD_DATA:
    good = good && c->layout_create(&p->a, type, K, C, g->K) == CUBLAS_STATUS_SUCCESS &&
           c->layout_create(&p->b, type, K, P, g->K) == CUBLAS_STATUS_SUCCESS &&
           c->layout_create(&p->d, type, C, P, g->C) == CUBLAS_STATUS_SUCCESS;
    break;
  default:
    good = good && c->layout_create(&p->a, type, K, P, g->K) == CUBLAS_STATUS_SUCCESS &&
           c->layout_create(&p->b, type, C, P, g->C) == CUBLAS_STATUS_SUCCESS &&
           c->layout_create(&p->d, CUDA_R_32F, K, C, g->K) == CUBLAS_STATUS_SUCCESS;
    break;
  }
  if (good) return p;
  release(p);
  return NULL;
}

static cublasLtMatmulPreference_t preference_of(const um_cuda *cuda, um_cublas *c, const um_cuda_conv *g) {
  const uint64_t workspace = cuda->workspace_limit ? cuda->workspace_limit : (uint64_t)512 << 20;
  const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, align = 16;
  const uint64_t plain =
      CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA | CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_32F | CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_32F;
  const uint64_t narrow =
      CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_16F |
      (g->precision == UM_PRECISION_TF32 ? CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16F | CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16BF : 0);
  const uint64_t mask = g->precision == UM_PRECISION_FP32 ? plain : ~narrow;
  cublasLtMatmulPreference_t p = NULL;

  if (c->preference_create(&p) != CUBLAS_STATUS_SUCCESS) return NULL;
  if (c->preference_set(p, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace) == CUBLAS_STATUS_SUCCESS &&
      c->preference_set(p, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes) == CUBLAS_STATUS_SUCCESS &&
      c->preference_set(p, CUBLASLT_MATMUL_PREF_IMPL_MASK, &mask, sizeof mask) == CUBLAS_STATUS_SUCCESS &&
      c->preference_set(p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &align, sizeof align) == CUBLAS_STATUS_SUCCESS &&
      c->preference_set(p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &align, sizeof align) == CUBLAS_STATUS_SUCCESS &&
      c->preference_set(p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &align, sizeof align) == CUBLAS_STATUS_SUCCESS &&
      c->preference_set(p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &align, sizeof align) == CUBLAS_STATUS_SUCCESS)
    return p;
  c->preference_destroy(p);
  return NULL;
}

/* ---- ways ---- */

/* The scratch: the f32 product before its bias (bf16 forward), then the library's workspace. */
static size_t product_bytes(const um_cuda_conv *g, const product *p) {
  const size_t bytes = (size_t)g->N * (size_t)g->H * (size_t)g->W * (size_t)g->K * sizeof(float);
  return p->separate_bias ? (bytes + ALIGN - 1) / ALIGN * ALIGN : 0;
}

static int run(const um_cuda *cuda, const um_cuda_conv *g, const um_conv_way *way, void *out, const void *a, const void *b,
               const float *bias, void *scratch, cudaStream_t stream, um_error *err) {
  const plan *p = way->plan;
  const product *m = p->product;
  const um_cublas *c = m->c;
  const float one = 1, zero = 0;
  const bool forward = m->pass == UM_CONV_FORWARD;
  const void *left = b, *right = a; /* the filter, or dy, comes first */
  void *d = m->separate_bias ? scratch : out;
  int status = UM_OK;

  (void)cuda;
  if (forward && !bias) return um_fail(err, UM_EINTERNAL, "cublaslt: a product without a bias");
  if (forward && !m->separate_bias)
    status = check(c, c->desc_set(m->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias), err, "bias");
  if (status == UM_OK)
    status = check(c,
                   c->matmul(c->handle, m->desc, &one, left, m->a, right, m->b, &zero, d, m->d, d, m->d, &p->algo,
                             (char *)scratch + product_bytes(g, m), p->workspace, stream),
                   err, way->name);
  if (status != UM_OK || !m->separate_bias) return status;
  um_conv_reduce_launch(out, UM_BF16, d, 1, (int64_t)g->N * g->H * g->W * g->K, g->K, bias, g->activation == UM_ACT_RELU, stream);
  return um_cuda_launched(err, "bias of a product");
}

/* An algorithm's settings, all of them: "66.20.1.0.0.0.36.0.2". False where they cannot be read or do not fit. */
static bool algo_name(const um_cublas *c, const cublasLtMatmulAlgo_t *algo, char *text, size_t size) {
  static const struct {
    cublasLtMatmulAlgoConfigAttributes_t name;
    size_t bytes;
  } part[] = {{CUBLASLT_ALGO_CONFIG_ID, 4},
              {CUBLASLT_ALGO_CONFIG_TILE_ID, 4},
              {CUBLASLT_ALGO_CONFIG_SPLITK_NUM, 4},
              {CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, 4},
              {CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, 4},
              {CUBLASLT_ALGO_CONFIG_STAGES_ID, 4},
              {CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, 2},
              {CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, 2}};
  size_t used = 0;

  for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
    uint32_t wide = 0;
    uint16_t narrow = 0;
    size_t written;
    if (c->algo_get(algo, part[i].name, part[i].bytes == 2 ? (void *)&narrow : (void *)&wide, part[i].bytes, &written) !=
        CUBLAS_STATUS_SUCCESS)
      return false;
    used += (size_t)snprintf(text + used, size - used, "%s%u", i ? "." : "", part[i].bytes == 2 ? narrow : wide);
    if (used >= size) return false;
  }
  return true;
}

int um_cublas_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max) {
  um_cublas *c = cuda->cublas;
  cublasLtMatmulHeuristicResult_t result[WAYS];
  cublasLtMatmulPreference_t preference;
  product *p;
  int found = 0, n = 0;

  if (!c || g->R != 1 || g->S != 1 || g->stride[0] != 1 || g->stride[1] != 1 || g->pad[0] || g->pad[1] || g->P != g->H || g->Q != g->W)
    return 0;
  p = product_of(c, g, pass);
  if (!p) return 0;
  preference = preference_of(cuda, c, g);
  if (preference && c->heuristic(c->handle, p->desc, p->a, p->b, p->d, p->d, preference, WAYS, result, &found) != CUBLAS_STATUS_SUCCESS)
    found = 0;
  for (int i = 0; i < found && n < max; i++) {
    um_conv_way *way = &ways[n];
    char name[23];
    plan *made;
    bool again = false;
    if (result[i].state != CUBLAS_STATUS_SUCCESS || !algo_name(c, &result[i].algo, name, sizeof name)) continue;
    memset(way, 0, sizeof *way);
    snprintf(way->name, sizeof way->name, "cublaslt %s", name);
    for (int k = 0; k < n; k++) again |= strcmp(ways[k].name, way->name) == 0;
    made = again ? NULL : malloc(sizeof *made);
    if (!made) continue;
    *made = (plan){.product = p, .algo = result[i].algo, .workspace = result[i].workspaceSize};
    p->users++;
    way->run = run;
    way->plan = made;
    way->free_plan = free_plan;
    way->scratch = product_bytes(g, p) + made->workspace;
    n++;
  }
  if (preference) c->preference_destroy(preference);
  release(p);
  return n;
}

#else

um_cublas *um_cublas_open(const um_cuda *cuda, char *why, size_t size) {
  (void)cuda;
  snprintf(why, size, "this program was built without cuBLASLt");
  return NULL;
}

void um_cublas_close(um_cublas *c) { (void)c; }

const char *um_cublas_version(const um_cublas *c) {
  (void)c;
  return "none";
}

int um_cublas_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max) {
  (void)cuda;
  (void)g;
  (void)pass;
  (void)ways;
  (void)max;
  return 0;
}

#endif
