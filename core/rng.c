#include "core/rng.h"

#include <math.h>

#define PI 3.14159265358979323846

void um_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u; /* golden ratio */
    k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

uint32_t um_rng_bits(const um_rng *at, uint32_t draw) {
  uint32_t out[4];
  const uint32_t counter[4] = {draw / 4, at->sample, at->epoch, at->stream};
  const uint32_t key[2] = {(uint32_t)at->seed, (uint32_t)(at->seed >> 32)};
  um_philox(out, counter, key);
  return out[draw % 4];
}

double um_rng_uniform(const um_rng *at, uint32_t draw) { return um_rng_bits(at, draw) * 0x1p-32; }

double um_rng_range(const um_rng *at, uint32_t draw, double low, double high) { return low + (high - low) * um_rng_uniform(at, draw); }

uint32_t um_rng_below(const um_rng *at, uint32_t draw, uint32_t n) { return (uint32_t)(((uint64_t)um_rng_bits(at, draw) * n) >> 32); }

double um_rng_normal(const um_rng *at, uint32_t draw) {
  /* 1 - u lies in (0, 1], so the logarithm is finite. */
  double u = um_rng_uniform(at, 2 * draw), v = um_rng_uniform(at, 2 * draw + 1);
  return sqrt(-2.0 * log(1.0 - u)) * cos(2.0 * PI * v);
}

void um_rng_shuffle(const um_rng *at, uint32_t *index, uint32_t n) {
  for (uint32_t i = n; i > 1; i--) {
    uint32_t j = um_rng_below(at, i - 1, i), t = index[i - 1];
    index[i - 1] = index[j];
    index[j] = t;
  }
}
