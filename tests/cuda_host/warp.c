/* The emulated device: what the 32 lanes of a warp do together. Fragment layouts are those of the PTX ISA ("Matrix multiply-accumulate
 * operation using mma instruction": m16n8k16 for .bf16, m16n8k8 for .tf32; "ldmatrix"). */
#include "internal.h"

#include <string.h>

enum { WARP = 32, M = 16, N = 8 };

typedef float row __attribute__((vector_size(N * sizeof(float))));

static float from_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

/* d += a b. Products are exact in float (of 8 or of 11 bits of mantissa each), and are added to d one by one, k upward, each sum
 * rounded to nearest. A tensor core adds several products at once and truncates: near, not the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx2", "default")))
#endif
static void
multiply(row *d, const float *a, const row *b, int depth) {
  for (int m = 0; m < M; m++) {
    row sum = d[m];
    for (int k = 0; k < depth; k++) sum += a[m * 16 + k] * b[k];
    d[m] = sum;
  }
}

static inline __attribute__((always_inline)) void mma(um_emu_thread *lanes, const bool bf16) {
  float a[M][16];
  union {
    row r[16];
    float f[16][N];
  } b;
  union {
    row r[M];
    float f[M][N];
  } d;
  for (int l = 0; l < WARP; l++) {
    const int g = l >> 2, t = l & 3;
    const uint32_t *x = (const uint32_t *)lanes[l].a, *y = (const uint32_t *)lanes[l].b;
    const float *z = (const float *)lanes[l].d;
    memcpy(&d.f[g][2 * t], z, 8);
    memcpy(&d.f[g + 8][2 * t], z + 2, 8);
    if (bf16) {
      for (int i = 0; i < 4; i++) { /* a[i]: row g or g + 8, columns 2t and 2t + 1, from 8 on for i >= 2; the lower half first */
        const uint32_t pair[2] = {x[i] << 16, x[i] & 0xffff0000u};
        memcpy(&a[g + i % 2 * 8][i / 2 * 8 + 2 * t], pair, 8);
      }
      for (int i = 0; i < 2; i++) {
        b.f[i * 8 + 2 * t][g] = from_bits(y[i] << 16);
        b.f[i * 8 + 2 * t + 1][g] = from_bits(y[i] & 0xffff0000u);
      }
    } else { /* of a word the upper 19 bits count */
      for (int i = 0; i < 4; i++) a[g + i % 2 * 8][i / 2 * 4 + t] = from_bits(x[i] & 0xffffe000u);
      for (int i = 0; i < 2; i++) b.f[i * 4 + t][g] = from_bits(y[i] & 0xffffe000u);
    }
  }
  multiply(d.r, a[0], b.r, bf16 ? 16 : 8);
  for (int l = 0; l < WARP; l++) {
    const int g = l >> 2, t = l & 3;
    float *z = (float *)lanes[l].d;
    memcpy(z, &d.f[g][2 * t], 8);
    memcpy(z + 2, &d.f[g + 8][2 * t], 8);
  }
}

/* Lane 8 i + j gives row j of tile i; lane l gets elements 2 (l % 4) and the next of row l / 4 of each tile, or of its transpose. */
static void ldmatrix(um_emu_thread *lanes, bool transposed) {
  uint16_t tile[4][8][8];
  for (int l = 0; l < WARP; l++) {
    um_emu_check_shared(&lanes[l], lanes[l].a, "um_ldmatrix");
    memcpy(tile[l / 8][l % 8], lanes[l].a, 16);
  }
  for (int l = 0; l < WARP; l++) {
    uint32_t *r = (uint32_t *)lanes[l].d;
    const int g = l / 4, c = l % 4 * 2;
    for (int i = 0; i < 4; i++)
      r[i] = transposed ? tile[i][c][g] | (uint32_t)tile[i][c + 1][g] << 16 : tile[i][g][c] | (uint32_t)tile[i][g][c + 1] << 16;
  }
}

static void shuffle(um_emu_thread *lanes, um_emu_meeting m) {
  uint64_t v[WARP];
  for (int l = 0; l < WARP; l++) v[l] = lanes[l].value.u;
  for (int l = 0; l < WARP; l++) {
    const int n = lanes[l].argument;
    const unsigned from = m == UM_EMU_SHFL_XOR ? (unsigned)(l ^ n) : m == UM_EMU_SHFL_DOWN ? (unsigned)l + (unsigned)n : (unsigned)n % WARP;
    lanes[l].value.u = v[from < WARP ? from : (unsigned)l];
  }
}

void um_emu_meet(um_emu_thread *lanes, um_emu_meeting m) {
  switch (m) {
  case UM_EMU_SHFL_XOR:
  case UM_EMU_SHFL_DOWN:
  case UM_EMU_SHFL: shuffle(lanes, m); break;
  case UM_EMU_SUM_FLOAT: /* the butterfly of um_warp_sum; every lane gets the same bits, so one half is enough */
    for (int o = 16; o; o >>= 1)
      for (int l = 0; l < o; l++) lanes[l].value.f += lanes[l + o].value.f;
    for (int l = 1; l < WARP; l++) lanes[l].value.f = lanes[0].value.f;
    break;
  case UM_EMU_SUM_DOUBLE:
    for (int o = 16; o; o >>= 1)
      for (int l = 0; l < o; l++) lanes[l].value.f64 += lanes[l + o].value.f64;
    for (int l = 1; l < WARP; l++) lanes[l].value.f64 = lanes[0].value.f64;
    break;
  case UM_EMU_LDMATRIX: ldmatrix(lanes, false); break;
  case UM_EMU_LDMATRIX_TRANS: ldmatrix(lanes, true); break;
  case UM_EMU_MMA_BF16: mma(lanes, true); break;
  case UM_EMU_MMA_TF32: mma(lanes, false); break;
  default: break; /* SYNCWARP: to have met is all */
  }
}
