/* The emulated device's kernels: what is wrong must be caught, under every schedule, and what is right must pass. */
#include "cases.h"

/* ---- kernels with a barrier left out ---- */

/* What a mutation leaves out of the product. */
enum { NOTHING, COPY_WAIT, LOOP_BARRIER, WAIT_ONE_TOO_FEW, STAGE_TOO_FEW };
enum { BM = 64, BN = 64, BK = 32, GEMM_THREADS = 128 };

/* C = A B in bf16: 4 warps of 32 x 32, stages of um_copy16. */
template <int LEFT_OUT>
static __global__ void __launch_bounds__(GEMM_THREADS) gemm(float *c, const um_bf16 *a, const um_bf16 *b, int N, int K) {
  um_bf16 *s = (um_bf16 *)um_shared();
  const int STAGES = LEFT_OUT == STAGE_TOO_FEW ? 2 : 3, LA = BK + 8, LB = BN + 8, STAGE = BM * LA + BK * LB;
  const int t = threadIdx.x, w = t / 32, l = t % 32, m0 = blockIdx.x * BM, n0 = blockIdx.y * BN;
  auto load = [&](int k) {
    um_bf16 *sa = s + k % STAGES * STAGE, *sb = sa + BM * LA;
    if (k < K / BK) {
      for (int i = t; i < BM * BK / 8; i += GEMM_THREADS) {
        const int r = i / (BK / 8), q = i % (BK / 8) * 8;
        um_copy16(sa + r * LA + q, a + (size_t)(m0 + r) * K + k * BK + q, true);
      }
      for (int i = t; i < BK * BN / 8; i += GEMM_THREADS) {
        const int r = i / (BN / 8), q = i % (BN / 8) * 8;
        um_copy16(sb + r * LB + q, b + (size_t)(k * BK + r) * N + n0 + q, true);
      }
    }
    um_copy_commit();
  };
  float d[2][4][4] = {};
  load(0);
  load(1);
  for (int k = 0; k < K / BK; k++) {
    if (LEFT_OUT == WAIT_ONE_TOO_FEW)
      um_copy_wait<2>();
    else if (LEFT_OUT != COPY_WAIT)
      um_copy_wait<1>();
    if (LEFT_OUT != LOOP_BARRIER) __syncthreads();
    load(k + 2);
    um_bf16 *sa = s + k % STAGES * STAGE, *sb = sa + BM * LA;
    for (int kk = 0; kk < BK; kk += 16) {
      uint32_t fa[2][4], fb[2][4];
      for (int i = 0; i < 2; i++) um_ldmatrix(fa[i], sa + (w / 2 * 32 + i * 16 + l % 16) * LA + kk + l / 16 * 8);
      for (int i = 0; i < 2; i++) um_ldmatrix_trans(fb[i], sb + (kk + l % 16) * LB + w % 2 * 32 + i * 16 + l / 16 * 8);
      for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++) um_mma_bf16(d[i][j], fa[i], fb[j / 2] + j % 2 * 2);
    }
  }
  um_copy_wait<0>();
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 4; j++)
      for (int e = 0; e < 4; e++)
        c[(size_t)(m0 + w / 2 * 32 + i * 16 + l / 4 + e / 2 * 8) * N + n0 + w % 2 * 32 + j * 8 + l % 4 * 2 + e % 2] = d[i][j][e];
}

/* 0: the product is right; 1: it is wrong, or the kernel failed. */
template <int LEFT_OUT> static int run_gemm() {
  enum { M_ = 128, N_ = 64, K_ = 160 };
  um_bf16 *a = (um_bf16 *)device_bytes(M_ * K_ * 2), *b = (um_bf16 *)device_bytes(K_ * N_ * 2);
  float *c = (float *)device_bytes(M_ * N_ * 4), *h = host_array<float>(M_ * N_);
  um_bf16 *ha = host_array<um_bf16>(M_ * K_), *hb = host_array<um_bf16>(K_ * N_);
  for (int i = 0; i < M_ * K_; i++) ha[i] = um_to_bf16((float)(i * 7 % 13 - 6));
  for (int i = 0; i < K_ * N_; i++) hb[i] = um_to_bf16((float)(i * 5 % 11 - 5));
  must(cudaMemcpyAsync(a, ha, M_ * K_ * 2, cudaMemcpyHostToDevice, nullptr));
  must(cudaMemcpyAsync(b, hb, K_ * N_ * 2, cudaMemcpyHostToDevice, nullptr));
  um_launch(gemm<LEFT_OUT>, dim3(M_ / BM, N_ / BN), dim3(GEMM_THREADS), 3 * (BM * (BK + 8) + BK * (BN + 8)) * 2, nullptr, c, a, b, (int)N_,
            (int)K_);
  must(cudaGetLastError());
  must(cudaMemcpyAsync(h, c, M_ * N_ * 4, cudaMemcpyDeviceToHost, nullptr));
  if (cudaDeviceSynchronize() != cudaSuccess) return 1;
  for (int m = 0; m < M_; m++)
    for (int n = 0; n < N_; n++) {
      float v = 0;
      for (int k = 0; k < K_; k++) v += um_to_float(ha[m * K_ + k]) * um_to_float(hb[k * N_ + n]);
      if (!(v == h[m * N_ + n])) return 1;
    }
  return 0;
}

/* Neighbours through shared memory, round after round: a barrier before the reads and one before the next writes. */
template <int LEFT_OUT> static __global__ void neighbours(int *out, int rounds) {
  int *s = (int *)um_shared(), v = threadIdx.x;
  const int t = threadIdx.x, n = blockDim.x;
  for (int i = 0; i < rounds; i++) {
    s[t] = v;
    if (LEFT_OUT != 1) __syncthreads();
    v = s[(t + 1) % n] + i;
    if (LEFT_OUT != 2) __syncthreads();
  }
  out[t] = v;
}

/* The same within a warp, through __syncwarp alone. */
template <int LEFT_OUT> static __global__ void lane_neighbours(int *out, int rounds) {
  int *s = (int *)um_shared() + threadIdx.x / 32 * 32, v = threadIdx.x;
  const int l = threadIdx.x % 32;
  for (int i = 0; i < rounds; i++) {
    s[l] = v;
    if (LEFT_OUT != 1) __syncwarp();
    v = s[(l + 1) % 32] + i;
    if (LEFT_OUT != 2) __syncwarp();
  }
  out[threadIdx.x] = v;
}

static int run_neighbours(void (*kernel)(int *, int), int ring) {
  enum { THREADS = 192, ROUNDS = 5 };
  int *out = (int *)device_bytes(THREADS * 4), *h = host_array<int>(THREADS);
  um_launch(kernel, dim3(1), dim3(THREADS), THREADS * 4, nullptr, out, (int)ROUNDS);
  must(cudaMemcpyAsync(h, out, THREADS * 4, cudaMemcpyDeviceToHost, nullptr));
  must(cudaDeviceSynchronize());
  for (int t = 0; t < THREADS; t++)
    if (h[t] != t / ring * ring + (t % ring + ROUNDS) % ring + ROUNDS * (ROUNDS - 1) / 2) return 1;
  return 0;
}

static int gemm_right() { return run_gemm<NOTHING>(); }
static int gemm_no_wait() { return run_gemm<COPY_WAIT>(); }
static int gemm_wait_one_too_few() { return run_gemm<WAIT_ONE_TOO_FEW>(); }
static int gemm_no_barrier() { return run_gemm<LOOP_BARRIER>(); }
static int gemm_stage_too_few() { return run_gemm<STAGE_TOO_FEW>(); }
static int neighbours_right() { return run_neighbours(neighbours<0>, 192) | run_neighbours(lane_neighbours<0>, 32); }
static int neighbours_no_first() { return run_neighbours(neighbours<1>, 192); }
static int neighbours_no_second() { return run_neighbours(neighbours<2>, 192); }
static int lanes_no_first() { return run_neighbours(lane_neighbours<1>, 32); }
static int lanes_no_second() { return run_neighbours(lane_neighbours<2>, 32); }

/* ---- kernels that reach out of range ---- */

enum {
  READ_PAST,
  READ_BEFORE,
  WRITE_JUST_PAST,
  WRITE_JUST_BEFORE,
  SHARED_PAST,
  SHARED_JUST_PAST,
  SHARED_BEFORE,
  LDMATRIX_PAST,
  COPY_PAST,
  COPY_ODD,
  COPY_LEFT,
  COPY_FROM_PAST,
  STACK,
  MISALIGNED
};

static int deep(volatile int *p, int n) {
  volatile int frame[256];
  frame[n % 256] = *p;
  return n ? deep(p, n - 1) + frame[n % 256] : 0;
}

static __global__ void reach(int *p, int n, int how) {
  unsigned char *s = um_shared();
  const int t = threadIdx.x;
  uint32_t r[4];
  p[t] = t;
  if (how == LDMATRIX_PAST) {
    um_ldmatrix(r, s + 16 * (t + 1));
    p[t] = (int)r[0];
  }
  if (t != 37) return;
  switch (how) {
  case READ_PAST: p[0] = p[n + 64]; break;
  case READ_BEFORE: p[0] = p[-2048]; break;
  case WRITE_JUST_PAST: p[n] = 1; break;
  case WRITE_JUST_BEFORE: p[-1] = 1; break;
  case SHARED_PAST: s[512 + 128] = 1; break;
  case SHARED_JUST_PAST: s[500] = 1; break;
  case SHARED_BEFORE: s[-1] = 1; break;
  case COPY_PAST: um_copy16(s + 496, p, true); break;
  case COPY_LEFT:
    for (int i = 0; i < 8; i++) um_copy16(s + 16 * i, p, true);
    um_copy_commit();
    break;
  case COPY_ODD: um_copy16(s + 4, p, true); break;
  case COPY_FROM_PAST: um_copy16(s, p + n + 64, false); break;
  case MISALIGNED: *(float2 *)(p + 1) = make_float2(1, 2); break;
  case STACK: p[0] = deep(p, 100000); break;
  default: break;
  }
}

/* 0: no error; 1: a misaligned address; 2: an illegal one; 3: a failed launch. */
static int kind(cudaError_t e) {
  switch (e) {
  case cudaSuccess: return 0;
  case cudaErrorMisalignedAddress: return 1;
  case cudaErrorIllegalAddress: return 2;
  case cudaErrorLaunchFailure: return 3;
  default: return 97;
  }
}

/* The error comes out at the first wait, and stays. */
static int end() {
  const int first = kind(cudaDeviceSynchronize());
  void *p;
  if (kind(cudaMalloc(&p, 4)) != first || kind(cudaGetLastError()) != first || kind(cudaDeviceSynchronize()) != first) return 97;
  return first;
}

template <int HOW> static int reaches() {
  const int n = 1000; /* so that 96 bytes are left before the guard page */
  int *p = (int *)device_bytes(n * 4);
  um_launch(reach, dim3(2), dim3(64), 500, nullptr, p, n, (int)HOW);
  return end();
}

static int in_range() { return reaches<-1>(); }

static __global__ void touch(int *p) { p[threadIdx.x] = 1; }

static int after_free() {
  int *p = (int *)device_bytes(4096), **box = (int **)device_bytes(8);
  (void)box;
  must(cudaFree(p));
  um_launch(touch, dim3(1), dim3(1), 0, nullptr, p);
  return end();
}

struct boxed {
  int *p;
};
static __global__ void touch_boxed(boxed b) { b.p[threadIdx.x] = 1; }

static int after_free_boxed() {
  boxed b = {(int *)device_bytes(4096)};
  must(cudaFree(b.p));
  um_launch(touch_boxed, dim3(1), dim3(1), 0, nullptr, b);
  return end();
}

static int host_pointer() {
  int *p = (int *)malloc(4096);
  um_launch(touch, dim3(1), dim3(1), 0, nullptr, p);
  return end();
}

static int page_locked_pointer() {
  int *p = host_array<int>(64);
  um_launch(touch, dim3(1), dim3(64), 0, nullptr, p);
  const int e = end();
  for (int i = 0; i < 64; i++)
    if (p[i] != 1) return 96;
  return e;
}

static int host_touches() {
  volatile int *p = (volatile int *)device_bytes(4096);
  must(cudaMemset((void *)p, 0, 4096));
  must(cudaDeviceSynchronize());
  return p[0];
}

/* ---- meetings that not all come to ---- */

enum { HALF_A_BLOCK, EARLY_END, ONE_LANE, MIXED_FUNCTIONS, PART_OF_A_WARP, PARTIAL_MASK, OR_AND_SYNC };

static __global__ void part(float *p, int how) {
  const int t = threadIdx.x;
  float d[4] = {};
  uint32_t a[4] = {}, b[2] = {};
  switch (how) {
  case HALF_A_BLOCK:
    if (t < 32) __syncthreads();
    break;
  case EARLY_END:
    if (t == 63) return;
    __syncthreads();
    break;
  case ONE_LANE:
    if (t != 5) um_mma_bf16(d, a, b);
    break;
  case MIXED_FUNCTIONS:
    if (t % 2)
      um_mma_bf16(d, a, b);
    else
      um_mma_tf32(d, a, b);
    break;
  case PART_OF_A_WARP: d[0] = um_warp_sum(1.0f); break;
  case PARTIAL_MASK: d[0] = __shfl_xor_sync(0xffffu, 1.0f, 1); break;
  case OR_AND_SYNC:
    if (t < 32)
      __syncthreads();
    else
      __syncthreads_or(1);
    break;
  default: break;
  }
  p[t] = d[0];
}

template <int HOW> static int parts() {
  float *p = (float *)device_bytes(256);
  um_launch(part, dim3(1), dim3(HOW == PART_OF_A_WARP ? 40 : 64), 0, nullptr, p, (int)HOW);
  return end();
}

/* ---- launches that are refused ---- */

static int refused() {
  int *p = (int *)device_bytes(4096), missing = 0;
  um_launch(touch, dim3(0), dim3(32), 0, nullptr, p);
  missing += cudaGetLastError() != cudaErrorInvalidConfiguration;
  um_launch(touch, dim3(1), dim3(1056), 0, nullptr, p);
  missing += cudaGetLastError() != cudaErrorInvalidConfiguration;
  um_launch(touch, dim3(1, 65536), dim3(32), 0, nullptr, p);
  missing += cudaGetLastError() != cudaErrorInvalidConfiguration;
  um_launch(touch, dim3(1), dim3(32), 232449, nullptr, p);
  missing += cudaGetLastError() != cudaErrorInvalidValue;
  missing += cudaGetLastError() != cudaSuccess;
  um_launch(touch, dim3(1), dim3(32), 232448, nullptr, p);
  missing += cudaGetLastError() != cudaSuccess;
  return missing + kind(cudaDeviceSynchronize());
}

static const emu_case cases[] = {
    {"gemm", gemm_right, 0},
    {"gemm without um_copy_wait is caught", gemm_no_wait, 1},
    {"gemm that waits for one group too few is caught", gemm_wait_one_too_few, 1},
    {"gemm without __syncthreads is caught", gemm_no_barrier, 1},
    {"gemm with one stage too few is caught", gemm_stage_too_few, 1},
    {"neighbours", neighbours_right, 0},
    {"a missing __syncthreads before a read is caught", neighbours_no_first, 1},
    {"a missing __syncthreads before a write is caught", neighbours_no_second, 1},
    {"a missing __syncwarp before a read is caught", lanes_no_first, 1},
    {"a missing __syncwarp before a write is caught", lanes_no_second, 1},
    {"in range", in_range, 0},
    {"a read past the end", reaches<READ_PAST>, 2},
    {"a read before the beginning", reaches<READ_BEFORE>, 2},
    {"a write just past the end", reaches<WRITE_JUST_PAST>, 2},
    {"a write just before the beginning", reaches<WRITE_JUST_BEFORE>, 2},
    {"shared memory past the end", reaches<SHARED_PAST>, 2},
    {"shared memory just past the end", reaches<SHARED_JUST_PAST>, 2},
    {"shared memory before the beginning", reaches<SHARED_BEFORE>, 2},
    {"ldmatrix past the end", reaches<LDMATRIX_PAST>, 3},
    {"um_copy16 past the end", reaches<COPY_PAST>, 3},
    {"um_copy16 to an odd place", reaches<COPY_ODD>, 3},
    {"um_copy16 that nobody waits for", reaches<COPY_LEFT>, 3},
    {"um_copy16 from nowhere", reaches<COPY_FROM_PAST>, 2},
    {"a stack that is used up", reaches<STACK>, 2},
    {"a misaligned vector", reaches<MISALIGNED>, 1},
    {"a kernel after cudaFree", after_free, 2},
    {"a kernel after cudaFree, by a struct", after_free_boxed, 2},
    {"a pointer of the host's", host_pointer, 2},
    {"page-locked memory in a kernel", page_locked_pointer, 0},
    {"the host reads device memory", host_touches, CRASHES},
    {"__syncthreads by half a block", parts<HALF_A_BLOCK>, 3},
    {"__syncthreads after one thread has left", parts<EARLY_END>, 3},
    {"mma without one lane", parts<ONE_LANE>, 3},
    {"two kinds of mma in one warp", parts<MIXED_FUNCTIONS>, 3},
    {"a sum over part of a warp", parts<PART_OF_A_WARP>, 3},
    {"a shuffle with a partial mask", parts<PARTIAL_MASK>, 3},
    {"two kinds of __syncthreads in one block", parts<OR_AND_SYNC>, 3},
    {"launches that are refused", refused, 0},
};

int main() { return run_cases(cases, sizeof cases / sizeof *cases); }
