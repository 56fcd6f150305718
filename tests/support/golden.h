/* Golden fixtures, and tests/golden/keras_formula.py in C: what the tests against Keras make by formula on both sides. */
#ifndef UM_TESTS_SUPPORT_GOLDEN_H
#define UM_TESTS_SUPPORT_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include "core/safetensors.h"

enum { GOLDEN_BUCKETS = 256, GOLDEN_SIDE = 150 };

/* Opens a fixture; says on stderr why it cannot, and returns -1, as a cmocka set-up does. */
int golden_open(um_st **out, const char *path);

uint32_t golden_word(uint32_t stream, uint32_t index);

/* Image `index`, GOLDEN_SIDE x GOLDEN_SIDE x 3 bytes, and its label. */
void golden_image(uint8_t *pixels, uint32_t index);
float golden_label(uint32_t index);

/* Count sketch: linear, so that the distance of two sketches estimates the distance of what they are of. */
void golden_sketch(double sketch[GOLDEN_BUCKETS], const float *values, size_t count, uint32_t stream);

/* CRC-32 (IEEE 802.3, as zlib's) of the bytes. */
uint32_t golden_crc(const void *data, size_t size);

#endif
