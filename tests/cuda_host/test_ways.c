/* Every hand-written way of every convolution pass in every precision against ref, on the emulated device (or a real one): fixed
 * geometries that reach the corners of the kernels, and random ones. um_cuda_choose would take one way a geometry; here each is run.
 *
 * Most numbers are sixteenths up to 1 in size: their products and the sums of some thousand of them are exact in f32 and the numbers
 * themselves in bf16, so that every sum must come out bit by bit whatever its order, rounded once where the result is bf16. The rest are
 * arbitrary, and compared within the rounding of the operands and a few dozen roundings of the sums.
 *
 *   test_ways [--seed N] [--cases N] [--verbose] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/conv_native.h"
#include "tests/support/check.h"

enum { GUARD = 256, PRECISIONS = 3 };

static const char *const precision_name[PRECISIONS] = {"fp32", "tf32", "bf16"};
static const char *const pass_name[UM_CONV_PASSES] = {"forward", "backward data", "backward weights"};
static const char *const tile_name[UM_CONV_TILES] = {"256x128", "256x64", "128x128", "128x64", "64x64", "general"};

/* How often each was run: with one split, with more. */
static int seen[PRECISIONS][UM_CONV_PASSES][UM_CONV_TILES][2];
static bool verbose;

/* ---- device memory with guards ---- */

typedef struct piece {
  char *base;
  size_t bytes;
} piece;

static bool make(piece *p, const void *from, size_t bytes) {
  const size_t total = bytes + 2 * GUARD;
  char *fill = malloc(total);
  *p = (piece){.bytes = bytes};
  if (!fill || cudaMalloc((void **)&p->base, total) != cudaSuccess) return check_fail("no memory for %zu bytes", total);
  memset(fill, 0xa5, total);
  if (from)
    memcpy(fill + GUARD, from, bytes);
  else
    memset(fill + GUARD, 0xff, bytes);
  const cudaError_t e = cudaMemcpy(p->base, fill, total, cudaMemcpyHostToDevice);
  free(fill);
  return e == cudaSuccess ? true : check_fail("%s", cudaGetErrorString(e));
}

static void *of(const piece *p) { return p->base + GUARD; }

/* The content into `to`; false where a guard has changed. */
static bool take(const piece *p, void *to, const char *what) {
  const size_t total = p->bytes + 2 * GUARD;
  unsigned char *now = malloc(total);
  bool ok = now && cudaMemcpy(now, p->base, total, cudaMemcpyDeviceToHost) == cudaSuccess;
  for (size_t i = 0; ok && i < GUARD; i++) ok = now[i] == 0xa5 && now[GUARD + p->bytes + i] == 0xa5;
  if (ok) memcpy(to, now + GUARD, p->bytes);
  free(now);
  return ok ? true : check_fail("%s cannot be read or was written outside of its %zu bytes", what, p->bytes);
}

static void drop(piece *p) {
  if (p->base) cudaFree(p->base);
  p->base = NULL;
}

/* ---- numbers ---- */

static uint16_t bf16_of(float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static float float_of(uint16_t bits) {
  const uint32_t u = (uint32_t)bits << 16;
  float v;
  memcpy(&v, &u, sizeof v);
  return v;
}

static float *numbers(check_dice *dice, int64_t n, bool exact, bool bf16) {
  float *x = check_floats(dice, n, -1, 1);
  for (int64_t i = 0; x && i < n; i++) x[i] = exact ? rintf(x[i] * 16) / 16 : bf16 ? float_of(bf16_of(x[i])) : x[i];
  return x;
}

static bool make_numbers(piece *p, const float *x, int64_t n, bool bf16) {
  if (!bf16) return make(p, x, (size_t)n * sizeof *x);
  uint16_t *bits = malloc((size_t)n * sizeof *bits);
  for (int64_t i = 0; bits && i < n; i++) bits[i] = bf16_of(x[i]);
  const bool ok = bits && make(p, bits, (size_t)n * sizeof *bits);
  free(bits);
  return ok;
}

static bool take_numbers(const piece *p, float *x, int64_t n, bool bf16, const char *what) {
  if (!bf16) return take(p, x, what);
  uint16_t *bits = malloc((size_t)n * sizeof *bits);
  const bool ok = bits && take(p, bits, what);
  for (int64_t i = 0; ok && i < n; i++) x[i] = float_of(bits[i]);
  free(bits);
  return ok;
}

/* ---- a case ---- */

typedef struct operands {
  int64_t count[4];         /* x, w, b, y */
  float *x, *w, *b, *dy;    /* given */
  float *want[3], *size[3]; /* y, dx, dw, and the sums of the absolute values of what they add up */
  bool exact;
} operands;

static void free_operands(operands *o) {
  free(o->x), free(o->w), free(o->b), free(o->dy);
  for (int i = 0; i < 3; i++) free(o->want[i]), free(o->size[i]);
}

/* ref's y, dx and dw. */
static bool reference(um_backend *ref, const um_cuda_conv *g, operands *o) {
  um_op_desc d = {.kind = UM_OP_CONV2D,
                  .activation = g->activation,
                  .passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA | UM_PASS_BACKWARD_WEIGHTS,
                  .n_inputs = 1,
                  .x = {um_tensor_plain(UM_F32, 4, (int64_t[]){g->N, g->H, g->W, g->C})},
                  .y = um_tensor_plain(UM_F32, 4, (int64_t[]){g->N, g->P, g->Q, g->K})};
  for (int i = 0; i < 2; i++) {
    const int in = i ? g->W : g->H, out = i ? g->Q : g->P, kernel = i ? g->S : g->R;
    d.window.kernel[i] = kernel, d.window.stride[i] = g->stride[i], d.window.pad_before[i] = g->pad[i];
    const int after = (out - 1) * g->stride[i] + kernel - in - g->pad[i];
    d.window.pad_after[i] = after > 0 ? after : 0;
  }
  float *db = malloc((size_t)g->K * sizeof *db), *in[4] = {o->x, o->w, o->b, o->dy}, *absolute[4] = {0};
  bool ok = db != NULL;
  for (int k = 0; k < 2 && ok; k++) {
    float **out = k ? o->size : o->want;
    for (int i = 0; i < 3; i++) ok = (out[i] = malloc((size_t)o->count[i == 0 ? 3 : i - 1] * sizeof(float))) != NULL && ok;
    for (int i = 0; i < 4 && k && ok; i++) {
      ok = (absolute[i] = malloc((size_t)o->count[i] * sizeof(float))) != NULL;
      for (int64_t j = 0; ok && j < o->count[i]; j++) absolute[i][j] = fabsf(in[i][j]);
    }
    float *const *a = k ? absolute : in;
    if (k) d.activation = UM_ACT_NONE;
    check_operands c = {.x = {a[0]}, .w = a[1], .b = a[2], .dy = a[3], .y = out[0], .dx = {out[1]}, .dw = out[2], .db = db, .raw = true};
    ok = ok && check_run(ref, &d, &c, NULL) == UM_OK;
  }
  for (int i = 0; i < 4; i++) free(absolute[i]);
  free(db);
  return ok;
}

static void describe(char *text, size_t size, const um_cuda_conv *g) {
  snprintf(text, size, "%dx%dx%dx%d -> %dx%dx%d, kernel %dx%d, stride %d %d, padding %d %d%s", g->N, g->H, g->W, g->C, g->P, g->Q, g->K,
           g->R, g->S, g->stride[0], g->stride[1], g->pad[0], g->pad[1], g->activation == UM_ACT_RELU ? ", relu" : "");
}

static bool run_way(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const um_conv_way *way, const operands *o) {
  const bool bf16 = g->precision == UM_PRECISION_BF16, bf16_out = bf16 && pass != UM_CONV_BACKWARD_WEIGHTS;
  const float *a = pass == UM_CONV_BACKWARD_DATA ? o->dy : o->x, *b = pass == UM_CONV_BACKWARD_WEIGHTS ? o->dy : o->w;
  const int64_t count_a = o->count[pass == UM_CONV_BACKWARD_DATA ? 3 : 0], count_b = o->count[pass == UM_CONV_BACKWARD_WEIGHTS ? 3 : 1];
  const int64_t count = o->count[pass == UM_CONV_FORWARD ? 3 : pass == UM_CONV_BACKWARD_DATA ? 0 : 1];
  piece pa = {0}, pb = {0}, bias = {0}, out = {0}, scratch = {0};
  um_error err = {0};
  float *got = malloc((size_t)count * sizeof *got), *want = malloc((size_t)count * sizeof *want);
  char *rest = malloc(way->scratch + 1);
  bool ok = got && want && rest && make_numbers(&pa, a, count_a, bf16) && make_numbers(&pb, b, count_b, bf16) &&
            make(&bias, o->b, (size_t)g->K * sizeof(float)) && make(&out, NULL, (size_t)count * (bf16_out ? 2 : 4)) &&
            make(&scratch, NULL, way->scratch);
  if (ok && way->run(cuda, g, way, of(&out), of(&pa), of(&pb), pass == UM_CONV_FORWARD ? of(&bias) : NULL, of(&scratch), cuda->compute,
                     &err) != UM_OK)
    ok = check_fail("%s", err.text);
  if (ok && cudaDeviceSynchronize() != cudaSuccess) ok = check_fail("%s", cudaGetErrorString(cudaGetLastError()));
  ok = ok && take_numbers(&out, got, count, bf16_out, "the output") && take(&scratch, rest, "scratch");
  if (ok) {
    /* bf16 results are rounded once: exact sums to the very bits. */
    for (int64_t i = 0; i < count; i++) want[i] = bf16_out && o->exact ? float_of(bf16_of(o->want[pass][i])) : o->want[pass][i];
    const double operands_off = g->precision == UM_PRECISION_TF32 ? 0x1p-10 : 0, result_off = bf16_out ? 0x1p-8 : 0;
    ok = check_near("out", got, want, o->size[pass], o->exact ? 0 : 1e-6 + operands_off + result_off, count);
  }
  drop(&pa), drop(&pb), drop(&bias), drop(&out), drop(&scratch);
  free(got), free(want), free(rest);
  return ok;
}

static bool run_case(um_backend *ref, um_cuda_conv g, check_dice *dice, bool exact, int *ways_run) {
  static const int multiprocessors[] = {132, 3};
  operands o = {.exact = exact};
  const bool bf16 = g.precision == UM_PRECISION_BF16;
  char text[160];
  describe(text, sizeof text, &g);
  o.count[0] = (int64_t)g.N * g.H * g.W * g.C, o.count[1] = (int64_t)g.R * g.S * g.C * g.K, o.count[2] = g.K;
  o.count[3] = (int64_t)g.N * g.P * g.Q * g.K;
  o.x = numbers(dice, o.count[0], exact, bf16), o.w = numbers(dice, o.count[1], exact, bf16);
  o.b = numbers(dice, o.count[2], exact, false), o.dy = numbers(dice, o.count[3], exact, bf16);
  bool ok = o.x && o.w && o.b && o.dy && reference(ref, &g, &o);
  for (int p = 0; p < UM_CONV_PASSES && ok; p++) {
    um_conv_way done[2 * UM_CONV_WAYS];
    int n_done = 0;
    for (int m = 0; m < 2 && ok; m++) {
      const um_cuda cuda = {.multiprocessors = multiprocessors[m], .shared_limit = 232448};
      um_conv_way way[UM_CONV_WAYS];
      const int n = um_cuda_native_ways(&cuda, &g, (um_conv_pass)p, way, UM_CONV_WAYS);
      if (n == 0) ok = check_fail("%s: no way", pass_name[p]);
      for (int i = 0; i < n && ok; i++) {
        bool again = false;
        for (int k = 0; k < n_done; k++) again = again || strcmp(done[k].name, way[i].name) == 0;
        if (again) continue;
        done[n_done++] = way[i];
        if (verbose) printf("    %s, %s: %s, %s\n", text, precision_name[g.precision], pass_name[p], way[i].name);
        ok = run_way(&cuda, &g, (um_conv_pass)p, &way[i], &o);
        if (!ok) check_fail("%s, %s", pass_name[p], way[i].name);
        seen[g.precision][p][way[i].variant][way[i].splits > 1]++;
        ++*ways_run;
      }
    }
  }
  if (!ok) check_fail("%s, %s, %s numbers", text, precision_name[g.precision], exact ? "exact" : "arbitrary");
  free_operands(&o);
  return ok;
}

/* ---- geometries ---- */

#define VGG(n, size, c, k)                                                                                                                 \
  {                                                                                                                                        \
    .N = n, .H = size, .W = size, .C = c, .K = k, .P = size, .Q = size, .R = 3, .S = 3, .stride = {1, 1}, .pad = { 1, 1 }                  \
  }
#define DENSE(n, in, out)                                                                                                                  \
  {                                                                                                                                        \
    .N = n, .H = 1, .W = 1, .C = in, .K = out, .P = 1, .Q = 1, .R = 1, .S = 1, .stride = { 1, 1 }                                          \
  }

static const um_cuda_conv fixed[] = {
    DENSE(1, 8, 8),      /* one vector of depth */
    DENSE(10, 264, 256), /* a depth that ends within a stage */
    DENSE(3, 100, 17),
    DENSE(5, 16, 512),
    DENSE(33, 16, 17),
    DENSE(3, 2304, 24), /* many splits */
    DENSE(2, 2100, 19),
    {.N = 9, .H = 16, .W = 16, .C = 8, .K = 8, .P = 16, .Q = 16, .R = 1, .S = 1, .stride = {1, 1}},
    VGG(2, 15, 3, 64), /* the first layer */
    VGG(1, 5, 32, 16), /* a tap a stage of bf16 */
    VGG(2, 9, 64, 128),
    VGG(1, 18, 128, 64), /* rows for tiles of 256 */
    VGG(3, 4, 8, 24),    /* several taps a stage, pictures smaller than a stage's rows */
    VGG(1, 1, 16, 16),   /* padding all around */
    VGG(2, 6, 40, 72),   /* taps that change within a stage; columns that end within a tile */
    VGG(2, 7, 5, 7),
    VGG(1, 9, 1, 1),
    VGG(2, 5, 16, 3), /* one operand whole, the other not */
    VGG(2, 5, 3, 16),
    VGG(1, 6, 35, 20), /* a long depth without whole vectors */
    {.N = 2, .H = 9, .W = 11, .C = 16, .K = 24, .P = 5, .Q = 6, .R = 3, .S = 3, .stride = {2, 2}, .pad = {1, 1}},
    {.N = 2, .H = 10, .W = 7, .C = 8, .K = 16, .P = 4, .Q = 3, .R = 5, .S = 5, .stride = {3, 2}, .pad = {2, 1}},
    {.N = 1, .H = 8, .W = 6, .C = 24, .K = 40, .P = 6, .Q = 6, .R = 5, .S = 5, .stride = {1, 1}, .pad = {0, 4}}, /* one side only */
    {.N = 2, .H = 5, .W = 9, .C = 8, .K = 8, .P = 5, .Q = 7, .R = 1, .S = 3, .stride = {1, 1}, .pad = {0, 0}},
    {.N = 1, .H = 7, .W = 7, .C = 32, .K = 32, .P = 4, .Q = 4, .R = 1, .S = 1, .stride = {2, 2}, .pad = {0, 0}},
    {.N = 1, .H = 12, .W = 12, .C = 4, .K = 12, .P = 3, .Q = 3, .R = 2, .S = 2, .stride = {5, 4}, .pad = {1, 0}}, /* x that nobody reads */
};

static um_cuda_conv random_geometry(check_dice *dice) {
  um_cuda_conv g = {.N = check_int(dice, 1, 3), .H = check_int(dice, 1, 12), .W = check_int(dice, 1, 12)};
  g.C = check_pick(dice, 1, 2, 3, 4, 6, 8, 12, 16, 24, 33, 64), g.K = check_pick(dice, 1, 2, 5, 8, 16, 19, 20, 32, 48, 64);
  for (int i = 0; i < 2; i++) {
    const int in = i ? g.W : g.H;
    int kernel, after;
    do {
      kernel = check_int(dice, 1, 5);
      g.stride[i] = check_pick(dice, 1, 1, 1, 2, 3);
      g.pad[i] = check_int(dice, 0, kernel - 1);
      after = check_int(dice, 0, kernel - 1);
    } while (in + g.pad[i] + after < kernel);
    *(i ? &g.S : &g.R) = kernel;
    *(i ? &g.Q : &g.P) = (in + g.pad[i] + after - kernel) / g.stride[i] + 1;
  }
  return g;
}

/* Every tile of every pass and precision was run, with one split and with more. */
static bool all_seen(void) {
  bool ok = true;
  for (int precision = 0; precision < PRECISIONS; precision++)
    for (int pass = 0; pass < UM_CONV_PASSES; pass++)
      for (int tile = 0; tile < UM_CONV_TILES; tile++) {
        const um_precision p = (um_precision)precision;
        const um_conv_tile t = (um_conv_tile)tile;
        const um_conv_tile_info info = pass == UM_CONV_FORWARD         ? um_conv_forward_tile(p, t)
                                       : pass == UM_CONV_BACKWARD_DATA ? um_conv_data_tile(p, t)
                                                                       : um_conv_weights_tile(p, t);
        for (int split = 0; split < 2 && info.shared_bytes; split++)
          if (!seen[precision][pass][tile][split])
            ok = check_fail("never run: %s, %s, %s, %s", precision_name[precision], pass_name[pass], tile_name[tile],
                            split ? "splits" : "one split");
      }
  return ok;
}

/* What um_cuda_native_ways lists: nothing beyond a limit, and always something. */
static bool lists(void) {
  static const size_t shared[] = {101376, 166912, 232448}; /* sm_86, sm_80, sm_90 */
  static const size_t limits[] = {1, 1 << 20, 0};
  um_conv_way way[UM_CONV_WAYS];
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
    for (int pass = 0; pass < UM_CONV_PASSES; pass++)
      for (int p = 0; p < PRECISIONS; p++)
        for (int k = 0; k < 9; k++) {
          const um_cuda cuda = {.multiprocessors = 1 + 131 * (k % 2), .shared_limit = shared[k % 3], .workspace_limit = limits[k / 3]};
          um_cuda_conv g = fixed[i];
          g.precision = (um_precision)p;
          const int n = um_cuda_native_ways(&cuda, &g, (um_conv_pass)pass, way, UM_CONV_WAYS);
          CHECK(n > 0, "geometry %d, %s, %s: no way", (int)i, pass_name[pass], precision_name[p]);
          for (int a = 0; a < n; a++) {
            CHECK(way[a].scratch <= (cuda.workspace_limit ? cuda.workspace_limit : (size_t)512 << 20), "%s: %zu bytes of scratch",
                  way[a].name, way[a].scratch);
            for (int b = 0; b < a; b++) CHECK(strcmp(way[a].name, way[b].name) != 0, "%s twice", way[a].name);
          }
          CHECK(um_cuda_native_ways(&cuda, &g, (um_conv_pass)pass, way, 1) == 1, "room for one way");
        }
  /* More vectors than 32 bits can number are the general tile's; more positions than 31 bits nobody's. */
  const um_cuda cuda = {.multiprocessors = 132, .shared_limit = 232448};
  um_cuda_conv large = VGG(1000, 1024, 64, 8), larger = VGG(1 << 16, 1024, 8, 8);
  large.precision = larger.precision = UM_PRECISION_BF16;
  CHECK(um_cuda_native_ways(&cuda, &large, UM_CONV_FORWARD, way, UM_CONV_WAYS) > 0 && strstr(way[0].name, "general"), "2^33 vectors: %s",
        way[0].name);
  large.N = 100;
  CHECK(um_cuda_native_ways(&cuda, &large, UM_CONV_FORWARD, way, UM_CONV_WAYS) > 0 && !strstr(way[0].name, "general"), "2^30 vectors: %s",
        way[0].name);
  CHECK(um_cuda_native_ways(&cuda, &larger, UM_CONV_FORWARD, way, UM_CONV_WAYS) == 0, "2^36 positions: %s", way[0].name);
  return true;
}

int main(int argc, char **argv) {
  um_backend *ref;
  um_error err = {0};
  uint64_t seed = 42;
  int cases = 24, passed = 0, failed = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = strtoull(argv[++i], NULL, 10);
    } else if (strcmp(argv[i], "--cases") == 0 && i + 1 < argc) {
      cases = atoi(argv[++i]);
    } else if (strcmp(argv[i], "--verbose") == 0) {
      verbose = true;
    } else {
      fprintf(stderr, "usage: test_ways [--seed N] [--cases N] [--verbose]\n");
      return 2;
    }
  }
  if (um_ref_open(&ref, &err) != UM_OK) {
    fprintf(stderr, "test_ways: %s\n", err.text);
    return 1;
  }
  for (int p = 0; p < PRECISIONS; p++) {
    const int n_fixed = (int)(sizeof fixed / sizeof *fixed);
    bool ok = true;
    int ways_run = 0;
    printf("[ RUN      ] test_ways: %s\n", precision_name[p]);
    for (int i = 0; i < n_fixed + cases && ok; i++) {
      check_dice dice = {.seed = seed, .test = 1000, .number = (uint32_t)i};
      um_cuda_conv g = i < n_fixed ? fixed[i] : random_geometry(&dice);
      g.precision = (um_precision)p;
      g.activation = check_chance(&dice, 0.5) ? UM_ACT_RELU : UM_ACT_NONE;
      ok = run_case(ref, g, &dice, i % 4 != 3, &ways_run);
      if (!ok) check_fail("case %d, seed %llu", i, (unsigned long long)seed);
    }
    printf("[ %s ] test_ways: %s, %d runs\n", ok ? "      OK" : " FAILED ", precision_name[p], ways_run);
    failed += !ok, passed += ok;
  }
  printf("[ RUN      ] test_ways: every one of them\n");
  const bool all = failed || all_seen();
  printf("[ %s ] test_ways: every one of them\n", all ? "      OK" : " FAILED ");
  failed += !all, passed += all;
  printf("[ RUN      ] test_ways: lists\n");
  const bool listed = lists();
  printf("[ %s ] test_ways: lists\n", listed ? "      OK" : " FAILED ");
  failed += !listed, passed += listed;
  ref->ops->close(ref);
  printf("[  PASSED  ] %d test(s).\n", passed);
  if (failed) printf("[  FAILED  ] %d test(s)\n", failed);
  return failed != 0;
}
