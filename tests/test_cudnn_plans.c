/* What cuDNN plans for our convolutions and poolings on a described GPU: every descriptor, attribute and engine choice of
 * cuda/cudnn*.c goes through the real library, on a machine without a GPU. Nothing is computed. Engines that are compiled when they are
 * planned need the driver, so the passes that only they can do (bf16 forward and backward weights) may have no way here.
 *
 * Skipped where the library cannot be had or does not know the description's format (its own, undocumented). UM_VERBOSE=1 prints all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef UM_HAVE_CUDNN
int main(void) {
  printf("skipped: cudnn plans: built without cuDNN\n[  SKIPPED ] 1 test(s).\n");
  return 0;
}
#else
#include "cuda/cudnn.h"

#define GPU(name, capability, multiprocessors, shared)                                                                                     \
  "{\"deviceName\":\"" name "\",\"deviceVer\":" #capability ",\"driverVer\":13000,\"cudaDeviceId\":0,\"regsPerBlock\":65536,"              \
  "\"multiProcessorCount\":" #multiprocessors ",\"smClockRateKHz\":1980000,\"memClockRateKHz\":2619000,\"l2CacheSize\":52428800,"          \
  "\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":" #shared ",\"reservedSharedMemoryPerBlock\":1024,"  \
  "\"maxRegistersPerSM\":65536,\"pciDeviceId\":0,\"maxCtasPerSM\":32,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,"                \
  "\"isTccDriver\":0,\"supportCoopLaunch\":1,\"totalGlobalMem\":85520809984,\"maxGridSize\":[2147483647,65535,65535],"                     \
  "\"maxBlockSize\":[1024,1024,64]}"

static const char *const device[] = {GPU("NVIDIA H100 80GB HBM3", 900, 132, 232448), GPU("NVIDIA A100-SXM4-80GB", 800, 108, 166912)};
static const char *const device_name[] = {"sm_90", "sm_80"};
static const char *const precision_name[] = {"fp32", "tf32", "bf16"}, *const pass_name[] = {"forward", "backward data", "backward weights"};

typedef struct shape {
  int H, C, K, R, stride, pad, P;
} shape;

static int passed, failed;
static bool verbose;

#ifdef __SANITIZE_ADDRESS__
/* The library leaks: what its heuristics make, and handles of products that cannot be had without a GPU. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

static void check(bool good, const char *what) {
  if (good) return;
  failed++;
  printf("  failed: %s\n", what);
}

/* Lists, plans and finds again the ways of one question; returns how many are not rough. */
static int look(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, int *rough) {
  um_conv_way ways[UM_CONV_WAYS], again;
  um_error err;
  int n = um_cudnn_ways(cuda, g, pass, ways, UM_CONV_WAYS), good = 0;
  char text[256];

  *rough = 0;
  for (int i = 0; i < n; i++) {
    int status = um_cudnn_prepare(cuda, g, &ways[i], &err);
    snprintf(text, sizeof text, "%dx%dx%d %d->%d %s %s: %.31s", g->N, g->H, g->W, g->C, g->K, precision_name[g->precision], pass_name[pass],
             ways[i].name);
    if (verbose) printf("    %-60s %12zu bytes%s%.300s\n", text, ways[i].scratch, status ? "; " : "", status ? err.text : "");
    check(status == UM_OK, text);
    for (int k = 0; k < i; k++) check(strcmp(ways[k].name, ways[i].name) != 0, "two ways of one name");
    if (ways[i].rough) {
      (*rough)++;
    } else {
      good++;
      bool found = um_cudnn_find(cuda, g, pass, ways[i].name, &again);
      check(found, "a way is not found again by its name");
      if (!found) continue;
      check(strcmp(again.name, ways[i].name) == 0 && again.scratch == ways[i].scratch, "another way is found by its name");
      check(um_cudnn_prepare(cuda, g, &again, &err) == status, "a way that was found again is planned otherwise");
      again.free_plan(again.plan);
    }
  }
  for (int i = 0; i < n; i++) ways[i].free_plan(ways[i].plan);
  return good;
}

static um_cuda_conv conv_of(const shape *s, int N, um_precision precision) {
  return (um_cuda_conv){.N = N,
                        .H = s->H,
                        .W = s->H,
                        .C = s->C,
                        .K = s->K,
                        .P = s->P,
                        .Q = s->P,
                        .R = s->R,
                        .S = s->R,
                        .stride = {s->stride, s->stride},
                        .pad = {s->pad, s->pad},
                        .precision = precision,
                        .activation = UM_ACT_RELU};
}

/* The plans of a pooling. On a machine without a driver every engine for them is refused when it is compiled; that the graphs are good
 * shows in the words. */
static void look_at_pool(const um_cuda *cuda, um_op_kind kind, um_dtype dtype, int64_t size, int kernel, int stride, int pad) {
  um_op_desc d = {.kind = kind,
                  .passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA,
                  .n_inputs = 1,
                  .window = {{kernel, kernel}, {stride, stride}, {pad, pad}, {pad, pad}}};
  const int64_t out = (size + 2 * pad - kernel) / stride + 1;
  um_conv_way way;
  um_error err = {0};
  size_t index;

  d.x[0] = um_tensor_plain(dtype, 4, (const int64_t[]){32, size, size, 64});
  d.y = um_tensor_plain(dtype, 4, (const int64_t[]){32, out, out, 64});
  if (um_cudnn_pool_plans(cuda->cudnn, &d, &way, &index, &err)) {
    if (verbose)
      printf("    %s %s %d/%d: %s, %zu bytes\n", um_op_kind_name(kind), um_dtype_name(dtype), kernel, stride, way.name, way.scratch);
    check(index == (kind == UM_OP_MAX_POOL ? (size_t)(32 * out * out * 64) : 0), "the index has another size");
    way.free_plan(way.plan);
    return;
  }
  if (verbose) printf("    %s %s %d/%d: %.200s\n", um_op_kind_name(kind), um_dtype_name(dtype), kernel, stride, err.text);
  check(strstr(err.text, "attribute") == NULL && strstr(err.text, "operation") == NULL && strstr(err.text, "graph") == NULL, err.text);
}

int main(void) {
  /* VGG16's first and a later layer, a 1x1, one padded at the bottom and right alone (TensorFlow's "same" at stride 2), a 5x5, and one
   * of odd channels. */
  static const shape shapes[] = {{150, 3, 64, 3, 1, 1, 150}, {37, 128, 256, 3, 1, 1, 37}, {28, 256, 128, 1, 1, 0, 28},
                                 {56, 64, 128, 3, 2, 0, 28}, {32, 32, 64, 5, 1, 2, 32},   {17, 20, 36, 3, 1, 1, 17}};
  static const size_t shapes_of[] = {sizeof shapes / sizeof *shapes, 3}; /* a question takes some 50 ms */
  char why[600] = "";

  verbose = getenv("UM_VERBOSE") != NULL;
  for (int d = 0; d < 2; d++) {
    um_cuda cuda = {.workspace_limit = 0};
    int before = failed, listed = 0, none = 0;
    printf("[ RUN      ] cudnn_plans_%s\n", device_name[d]);
    cuda.cudnn = um_cudnn_open_described(device[d], why, sizeof why);
    if (!cuda.cudnn) {
      printf("skipped: cudnn plans: %s\n[  SKIPPED ] 1 test(s).\n", why);
      return 0;
    }
    for (size_t i = 0; i < shapes_of[d]; i++) {
      for (int p = UM_PRECISION_FP32; p <= UM_PRECISION_BF16; p++) {
        um_cuda_conv g = conv_of(&shapes[i], 32, (um_precision)p);
        for (int pass = 0; pass < UM_CONV_PASSES; pass++) {
          int rough, n = look(&cuda, &g, (um_conv_pass)pass, &rough);
          bool compiled = p == UM_PRECISION_BF16 && pass != UM_CONV_BACKWARD_DATA;
          if (verbose && n + rough == 0)
            printf("    nothing: %dx%d %d->%d %s %s\n", g.H, g.W, g.C, g.K, precision_name[p], pass_name[pass]);
          /* Channels that are no multiple of 8 (bf16) or 4 (TF32) may have none. */
          if (shapes[i].C % 8 == 0) check(compiled ? rough > 0 : n > 0, "a common geometry without a way");
          listed += n + rough;
          none += n + rough == 0;
        }
      }
    }
    for (int t = 0; t < 2; t++) {
      look_at_pool(&cuda, UM_OP_MAX_POOL, t ? UM_BF16 : UM_F32, 75, 2, 2, 0);
      look_at_pool(&cuda, UM_OP_MAX_POOL, t ? UM_BF16 : UM_F32, 75, 3, 2, 1);
      look_at_pool(&cuda, UM_OP_AVG_POOL, t ? UM_BF16 : UM_F32, 75, 3, 2, 1);
    }
    um_cudnn_close(cuda.cudnn);
    if (verbose) printf("  %d ways, %d questions without any\n", listed, none);
    printf(failed == before ? "[       OK ] cudnn_plans_%s\n" : "[  FAILED  ] cudnn_plans_%s\n", device_name[d]);
    passed += failed == before;
  }
  printf("[  PASSED  ] %d test(s).\n", passed);
  if (failed) printf("[  FAILED  ] %d test(s).\n", 2 - passed);
  return failed != 0;
}
#endif
