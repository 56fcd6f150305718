/* Every primitive of cuda/device.cuh against what it is defined to do, computed on the host. The same file runs on the emulated device
 * (make test) and, compiled with nvcc, on a real one: that is how the emulation is known to mean the same as the hardware. */
#include "cuda/device.cuh"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a small frame ---- */

static int failures;

#define CHECK(condition, ...)                                                                                                              \
  do {                                                                                                                                     \
    if (!(condition) && failures++ < 10) printf("%s:%d: %s: ", __FILE__, __LINE__, #condition), printf(__VA_ARGS__), printf("\n");         \
  } while (0)

static void ok(cudaError_t e, const char *what) {
  if (e == cudaSuccess) return;
  printf("%s: %s\n", what, cudaGetErrorString(e));
  exit(1);
}

template <class T> static T *to_device(const T *host, size_t n) {
  T *p;
  ok(cudaMalloc((void **)&p, n * sizeof(T)), "cudaMalloc");
  if (host) ok(cudaMemcpy(p, host, n * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  return p;
}

template <class T> static T *to_host(T *device, size_t n) {
  T *p = (T *)malloc(n * sizeof(T));
  if (!p) exit(1);
  ok(cudaMemcpy(p, device, n * sizeof(T), cudaMemcpyDeviceToHost), "a kernel");
  ok(cudaFree(device), "cudaFree");
  return p;
}

static uint32_t random_bits() {
  static uint64_t s = 12345;
  s = s * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(s >> 32);
}

static float small_integer() { return (float)((int)(random_bits() % 15) - 7); }

static float bits_to_float(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

static uint32_t float_to_bits(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  return u;
}

static uint16_t exact_bf16(float f) { return (uint16_t)(float_to_bits(f) >> 16); } /* of a value that is one */

/* ---- products ---- */

enum { M = 16, N = 8 };

/* One warp: D = A B + C, fragments by the tables of the PTX ISA. A: M x K, B: K x N, bf16 as bits, or f32. */
static __global__ void product_bf16(float *d, const uint16_t *a, const uint16_t *b, const float *c) {
  const int l = threadIdx.x, g = l / 4, t = l % 4;
  uint32_t fa[4], fb[2];
  float fd[4];
  for (int i = 0; i < 8; i++) { /* element i of a */
    const int r = i < 2 || (i >= 4 && i < 6) ? g : g + 8, k = t * 2 + (i & 1) + (i >= 4 ? 8 : 0);
    const uint32_t v = a[r * 16 + k];
    fa[i / 2] = i & 1 ? fa[i / 2] | v << 16 : v;
  }
  for (int i = 0; i < 4; i++) {
    const uint32_t v = b[(t * 2 + (i & 1) + (i >= 2 ? 8 : 0)) * N + g];
    fb[i / 2] = i & 1 ? fb[i / 2] | v << 16 : v;
  }
  for (int i = 0; i < 4; i++) fd[i] = c[(i < 2 ? g : g + 8) * N + t * 2 + (i & 1)];
  um_mma_bf16(fd, fa, fb);
  for (int i = 0; i < 4; i++) d[(i < 2 ? g : g + 8) * N + t * 2 + (i & 1)] = fd[i];
}

static __global__ void product_tf32(float *d, const float *a, const float *b, const float *c) {
  const int l = threadIdx.x, g = l / 4, t = l % 4;
  uint32_t fa[4], fb[2];
  float fd[4];
  for (int i = 0; i < 4; i++) fa[i] = __float_as_uint(a[(i == 0 || i == 2 ? g : g + 8) * 8 + (i < 2 ? t : t + 4)]);
  for (int i = 0; i < 2; i++) fb[i] = __float_as_uint(b[(i == 0 ? t : t + 4) * N + g]);
  for (int i = 0; i < 4; i++) fd[i] = c[(i < 2 ? g : g + 8) * N + t * 2 + (i & 1)];
  um_mma_tf32(fd, fa, fb);
  for (int i = 0; i < 4; i++) d[(i < 2 ? g : g + 8) * N + t * 2 + (i & 1)] = fd[i];
}

static void test_mma_bf16() {
  float a[M * 16], b[16 * N], c[M * N];
  uint16_t a16[M * 16], b16[16 * N];
  for (int i = 0; i < M * 16; i++) a16[i] = exact_bf16(a[i] = small_integer());
  for (int i = 0; i < 16 * N; i++) b16[i] = exact_bf16(b[i] = small_integer());
  for (int i = 0; i < M * N; i++) c[i] = small_integer();
  float *d = to_device<float>(nullptr, M * N);
  um_launch(product_bf16, dim3(1), dim3(32), 0, nullptr, d, to_device(a16, M * 16), to_device(b16, 16 * N), to_device(c, M * N));
  ok(cudaGetLastError(), "launch");
  d = to_host(d, M * N);
  for (int m = 0; m < M; m++)
    for (int n = 0; n < N; n++) {
      float sum = c[m * N + n];
      for (int k = 0; k < 16; k++) sum += a[m * 16 + k] * b[k * N + n];
      CHECK(d[m * N + n] == sum, "[%d][%d] is %g, not %g", m, n, d[m * N + n], sum);
    }
  free(d);
}

/* The lower 13 bits of a word must not count: they are set here. */
static void test_mma_tf32() {
  float a[M * 8], b[8 * N], c[M * N], dirty_a[M * 8], dirty_b[8 * N];
  for (int i = 0; i < M * 8; i++) dirty_a[i] = bits_to_float(float_to_bits(a[i] = small_integer()) | (random_bits() & 0x1fff));
  for (int i = 0; i < 8 * N; i++) dirty_b[i] = bits_to_float(float_to_bits(b[i] = small_integer()) | (random_bits() & 0x1fff));
  for (int i = 0; i < M * N; i++) c[i] = small_integer();
  float *d = to_device<float>(nullptr, M * N);
  um_launch(product_tf32, dim3(1), dim3(32), 0, nullptr, d, to_device(dirty_a, M * 8), to_device(dirty_b, 8 * N), to_device(c, M * N));
  ok(cudaGetLastError(), "launch");
  d = to_host(d, M * N);
  for (int m = 0; m < M; m++)
    for (int n = 0; n < N; n++) {
      float sum = c[m * N + n];
      for (int k = 0; k < 8; k++) sum += a[m * 8 + k] * b[k * N + n];
      CHECK(d[m * N + n] == sum, "[%d][%d] is %g, not %g", m, n, d[m * N + n], sum);
    }
  free(d);
}

/* ---- ldmatrix ---- */

static __global__ void load_tiles(uint32_t *out, const uint16_t *in, bool transposed) {
  uint16_t *s = (uint16_t *)um_shared();
  const int l = threadIdx.x;
  for (int i = 0; i < 8; i++) s[l * 8 + i] = in[l * 8 + i];
  __syncthreads();
  uint32_t r[4];
  if (transposed)
    um_ldmatrix_trans(r, s + l * 8);
  else
    um_ldmatrix(r, s + l * 8);
  for (int i = 0; i < 4; i++) out[l * 4 + i] = r[i];
}

static void test_ldmatrix() {
  uint16_t in[4][8][8];
  for (int i = 0; i < 256; i++) in[i / 64][i / 8 % 8][i % 8] = (uint16_t)i;
  for (int transposed = 0; transposed < 2; transposed++) {
    uint32_t *out = to_device<uint32_t>(nullptr, 128);
    um_launch(load_tiles, dim3(1), dim3(32), 512, nullptr, out, to_device(&in[0][0][0], 256), transposed != 0);
    ok(cudaGetLastError(), "launch");
    out = to_host(out, 128);
    for (int l = 0; l < 32; l++)
      for (int i = 0; i < 4; i++) {
        const int r = l / 4, c = l % 4 * 2;
        const uint32_t low = transposed ? in[i][c][r] : in[i][r][c], high = transposed ? in[i][c + 1][r] : in[i][r][c + 1];
        CHECK(out[l * 4 + i] == (low | high << 16), "%d: lane %d register %d is %08x", transposed, l, i, out[l * 4 + i]);
      }
    free(out);
  }
}

/* ---- conversions ---- */

static __global__ void convert(uint16_t *bf16, uint32_t *tf32, uint32_t *packed, float *back, const float *in, int n) {
  const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  bf16[i] = um_to_bf16(in[i]).bits;
  tf32[i] = um_to_tf32(in[i]);
  packed[i] = um_pack_bf16(in[i], -in[i]);
  back[i] = um_to_float(um_to_bf16(in[i])) + um_to_float(0.0f) + um_to_float(um_from_float<um_bf16>(0.0f)) + um_from_float<float>(0.0f);
}

/* Rounds to a float with `drop` fewer bits, by distances in double. */
static uint32_t rounded(uint32_t u, int drop, bool even) {
  const uint32_t low = u & ~((1u << drop) - 1u), high = low + (1u << drop); /* by magnitude; may be infinity */
  if (low == u) return u;
  const double v = fabs((double)bits_to_float(u)), a = fabs((double)bits_to_float(low));
  const double b = (high & 0x7fffffffu) == 0x7f800000u ? ldexp(1.0, 128) : fabs((double)bits_to_float(high));
  if (v - a != b - v) return v - a < b - v ? low : high;
  return even && !(low >> drop & 1u) ? low : high;
}

static void test_conversions() {
  static const uint32_t ends[] = {0, 1, 0xfff, 0x1000, 0x1001, 0x1fff, 0x2fff, 0x3000, 0x3001, 0x7fff, 0x8000, 0x8001, 0xffff};
  const int each = sizeof ends / sizeof *ends, n = 65536 * each;
  float *in = (float *)malloc((size_t)n * sizeof *in);
  if (!in) exit(1);
  for (int i = 0; i < n; i++) in[i] = bits_to_float((uint32_t)(i / each) << 16 | ends[i % each]);
  uint16_t *bf16 = to_device<uint16_t>(nullptr, n);
  uint32_t *tf32 = to_device<uint32_t>(nullptr, n), *packed = to_device<uint32_t>(nullptr, n);
  float *back = to_device<float>(nullptr, n);
  um_launch(convert, dim3((n + 255) / 256), dim3(256), 0, nullptr, bf16, tf32, packed, back, to_device(in, n), n);
  ok(cudaGetLastError(), "launch");
  bf16 = to_host(bf16, n), tf32 = to_host(tf32, n), packed = to_host(packed, n), back = to_host(back, n);
  for (int i = 0; i < n; i++) {
    const uint32_t u = float_to_bits(in[i]);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
      CHECK(bf16[i] == 0x7fff && packed[i] == 0x7fff7fffu, "a NaN, %08x, became %04x and %08x", u, bf16[i], packed[i]);
      CHECK((tf32[i] & 0x7fffffffu) > 0x7f800000u && isnan(back[i]), "a NaN, %08x, became %08x and %g", u, tf32[i], back[i]);
      continue;
    }
    const uint32_t want = rounded(u, 16, true) >> 16;
    CHECK(bf16[i] == want, "%08x became %04x, not %04x", u, bf16[i], want);
    CHECK(packed[i] == (want | (want ^ 0x8000u) << 16), "%08x became %08x", u, packed[i]);
    CHECK(back[i] == bits_to_float(want << 16), "%08x came back as %g", u, back[i]);
    CHECK((tf32[i] & ~0x1fffu) == rounded(u, 13, false), "%08x became %08x, not %08x", u, tf32[i], rounded(u, 13, false));
  }
  free(in), free(bf16), free(tf32), free(packed), free(back);
}

/* ---- shuffles, sums, votes ---- */

static __global__ void exchange(double *out, const double *in) {
  const int l = threadIdx.x;
  const double v = in[l];
  out[l] = __shfl_xor_sync(0xffffffffu, v, 5);
  out[32 + l] = (double)__shfl_down_sync(0xffffffffu, (float)v, 3);
  out[64 + l] = __shfl_sync(0xffffffffu, (int)v, 7);
  out[96 + l] = um_warp_sum(v);
  out[128 + l] = (double)um_warp_sum((float)v);
  __syncwarp();
  out[160 + l] = __shfl_sync(0xffffffffu, v, (l * 3 + 40) % 32);
}

static void test_shuffles() {
  double in[32], sum = 0;
  float sums[32];
  for (int l = 0; l < 32; l++) in[l] = 100 + l * l + 1e-6 * l;
  double tree[32];
  for (int l = 0; l < 32; l++) tree[l] = in[l], sums[l] = (float)in[l];
  for (int o = 16; o; o >>= 1)
    for (int l = 0; l < o; l++) tree[l] += tree[l + o], sums[l] += sums[l + o];
  sum = tree[0];
  double *out = to_device<double>(nullptr, 192);
  um_launch(exchange, dim3(1), dim3(32), 0, nullptr, out, to_device(in, 32));
  ok(cudaGetLastError(), "launch");
  out = to_host(out, 192);
  for (int l = 0; l < 32; l++) {
    CHECK(out[l] == in[l ^ 5], "lane %d: %g", l, out[l]);
    CHECK(out[32 + l] == (double)(float)in[l + 3 < 32 ? l + 3 : l], "lane %d: %g", l, out[32 + l]);
    CHECK(out[64 + l] == (int)in[7], "lane %d: %g", l, out[64 + l]);
    CHECK(out[96 + l] == sum, "lane %d: %.17g, not %.17g", l, out[96 + l], sum);
    CHECK(out[128 + l] == (double)sums[0], "lane %d: %.9g, not %.9g", l, out[128 + l], (double)sums[0]);
    CHECK(out[160 + l] == in[(l * 3 + 40) % 32], "lane %d: %g", l, out[160 + l]);
  }
  free(out);
}

static __global__ void vote(int *out, int who) {
  const int t = (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
  const int first = __syncthreads_or(t == who), second = __syncthreads_or(t == -1);
  out[blockIdx.x * 96 + t] = (first != 0) + 2 * (second != 0) + 4 * (gridDim.x == 2);
}

static __global__ void least(unsigned long long *p) {
  const unsigned long long i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicMin(p, (i * 7919 + 13) % 1024 + 3);
  if (i == 0) atomicMin(p + 1, 5ull), atomicMin(p + 1, 9ull);
}

static void test_votes_and_atomics() {
  for (int who = 0; who < 97; who += 31) {
    int *out = to_device<int>(nullptr, 192);
    um_launch(vote, dim3(2), dim3(4, 8, 3), 0, nullptr, out, who);
    ok(cudaGetLastError(), "launch");
    out = to_host(out, 192);
    for (int i = 0; i < 192; i++) CHECK(out[i] == (who < 96) + 4, "who %d, thread %d: %d", who, i, out[i]);
    free(out);
  }
  unsigned long long start[2] = {~0ull, ~0ull}, *p = to_device(start, 2);
  um_launch(least, dim3(4), dim3(256), 0, nullptr, p);
  ok(cudaGetLastError(), "launch");
  p = to_host(p, 2);
  CHECK(p[0] == 3 && p[1] == 5, "%llu, %llu", p[0], p[1]);
  free(p);
}

/* ---- asynchronous copies ---- */

/* Three stages in flight; odd 16-byte pieces are not there. */
static __global__ void pipeline(uint32_t *out, const uint4 *in, int steps) {
  uint4 *s = (uint4 *)um_shared();
  const int t = threadIdx.x, n = blockDim.x;
  for (int i = 0; i < 2; i++) {
    um_copy16(s + i * n + t, in + i * n + t, (t & 1) == 0);
    um_copy_commit();
  }
  for (int i = 0; i < steps; i++) {
    um_copy_wait<1>();
    __syncthreads();
    if (i + 2 < steps) um_copy16(s + (i + 2) % 3 * n + t, in + (i + 2) * n + t, (t & 1) == 0);
    um_copy_commit();
    const uint4 v = s[i % 3 * n + (t + 33) % n]; /* another thread's */
    out[i * n + t] = v.x + v.y * 3 + v.z * 5 + v.w * 7;
  }
}

static void test_copies() {
  enum { THREADS = 128, STEPS = 9 };
  uint32_t in[STEPS * THREADS * 4];
  for (int i = 0; i < STEPS * THREADS * 4; i++) in[i] = random_bits();
  uint32_t *out = to_device<uint32_t>(nullptr, STEPS * THREADS);
  um_launch(pipeline, dim3(1), dim3(THREADS), 60000, nullptr, out, (const uint4 *)to_device(in, STEPS * THREADS * 4), (int)STEPS);
  ok(cudaGetLastError(), "launch");
  out = to_host(out, STEPS * THREADS);
  for (int i = 0; i < STEPS * THREADS; i++) {
    const int from = (i % THREADS + 33) % THREADS;
    const uint32_t *v = in + ((i / THREADS) * THREADS + from) * 4;
    const uint32_t want = from & 1 ? 0 : v[0] + v[1] * 3 + v[2] * 5 + v[3] * 7;
    CHECK(out[i] == want, "[%d] is %08x, not %08x", i, out[i], want);
  }
  free(out);
}

/* ---- sums that are rounded each by itself ---- */

static __global__ void uncontracted(double *out, const double *in) {
  const float a = (float)in[0], b = (float)in[1], c = (float)in[2];
  out[0] = (double)__fadd_rn(__fmul_rn(a, b), c);
  out[1] = __dadd_rn(__dmul_rn(in[0], in[1]), in[2]);
}

static void test_uncontracted() {
  const double in[3] = {1.0 + ldexp(1.0, -23), 1.0 - ldexp(1.0, -23), -1.0}; /* a product that float rounds to 1 */
  double *out = to_device<double>(nullptr, 2);
  um_launch(uncontracted, dim3(1), dim3(1), 0, nullptr, out, to_device(in, 3));
  ok(cudaGetLastError(), "launch");
  out = to_host(out, 2);
  CHECK(out[0] == 0 && out[1] == -ldexp(1.0, -46), "%g %g", out[0], out[1]);
  free(out);
}

int main() {
  static const struct {
    const char *name;
    void (*run)();
  } tests[] = {
      {"mma_bf16", test_mma_bf16},       {"mma_tf32", test_mma_tf32},         {"ldmatrix", test_ldmatrix},
      {"conversions", test_conversions}, {"shuffles", test_shuffles},         {"votes_and_atomics", test_votes_and_atomics},
      {"copies", test_copies},           {"uncontracted", test_uncontracted},
  };
  int passed = 0, failed = 0;
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    failures = 0;
    tests[i].run();
    printf("[ %s ] %s\n", failures ? " FAILED " : "      OK", tests[i].name);
    if (failures)
      failed++;
    else
      passed++;
  }
  printf("[  PASSED  ] %d test(s).\n", passed);
  if (failed) printf("[  FAILED  ] %d test(s)\n", failed);
  return failed != 0;
}
