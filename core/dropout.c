/* Dropout's masks: what ref and cpu read and what cuda computes likewise. */
#include <math.h>

#include "core/ops.h"
#include "core/rng.h"

uint32_t um_dropout_threshold(double rate) {
  const double words = floor(rate * 0x1p32 + 0.5);
  return words >= 0x1p32 ? UINT32_MAX : (uint32_t)words;
}

void um_dropout_words(uint32_t word[4], const um_op_desc *d, int64_t step, int64_t block) {
  const uint64_t at = (uint64_t)block;
  const uint32_t counter[4] = {(uint32_t)at, d->node | (uint32_t)(at >> 32) << 12, (uint32_t)step, UM_STREAM_DROPOUT};
  const uint32_t key[2] = {(uint32_t)d->seed, (uint32_t)(d->seed >> 32)};
  um_philox(word, counter, key);
}
