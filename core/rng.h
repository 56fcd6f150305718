/* Counter-based randomness: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 * There is no state: a number is a function of the seed and its address (stream, epoch, sample, draw), so a run is the same
 * whatever the thread count, and a resumed run goes on exactly. */
#ifndef UM_CORE_RNG_H
#define UM_CORE_RNG_H

#include <stdint.h>

typedef enum um_stream {
  UM_STREAM_SHUFFLE = 1,    /* the order of an epoch */
  UM_STREAM_AUGMENT = 2,    /* the random transform of a sample */
  UM_STREAM_INIT = 3,       /* initial weights: sample = index of the parameter tensor */
  UM_STREAM_SPLIT = 4,      /* which groups are held out */
  UM_STREAM_DEMO = 5,       /* the demo's clips */
  UM_STREAM_TEST = 6,       /* tests and benches */
  UM_STREAM_DEGRADE = 7,    /* blur, noise, JPEG and the like of a sample */
  UM_STREAM_BLEND = 8,      /* the self-blended picture of a sample */
  UM_STREAM_DROPOUT = 9,    /* masks, see um_dropout_words */
  UM_STREAM_BOOTSTRAP = 10, /* which groups are in a resample */
  UM_STREAM_LADDER = 11     /* noise and crops of the robustness ladder: epoch = frame, sample = input */
} um_stream;

typedef struct um_rng {
  uint64_t seed;
  uint32_t stream;
  uint32_t epoch;
  uint32_t sample;
} um_rng;

/* The bijection itself: out = Philox4x32-10(counter, key). */
void um_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* The draw-th 32-bit word at this address: word draw % 4 of the block with counter (draw / 4, sample, epoch, stream) and key = seed. */
uint32_t um_rng_bits(const um_rng *at, uint32_t draw);

/* Uniform in [0, 1) with 32 bits: bits / 2^32. */
double um_rng_uniform(const um_rng *at, uint32_t draw);

/* Uniform in [low, high). */
double um_rng_range(const um_rng *at, uint32_t draw, double low, double high);

/* Uniform integer in [0, n), n >= 1, by multiply-shift (bias below n / 2^32). */
uint32_t um_rng_below(const um_rng *at, uint32_t draw, uint32_t n);

/* Standard normal (Box-Muller over draws 2 draw and 2 draw + 1). */
double um_rng_normal(const um_rng *at, uint32_t draw);

/* Fisher-Yates over index[0..n), starting from what it holds. */
void um_rng_shuffle(const um_rng *at, uint32_t *index, uint32_t n);

#endif
