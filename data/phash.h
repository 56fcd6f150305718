/* Perceptual hashes: pictures that look alike have hashes that differ in few of their 256 bits, whatever their size, format and
 * compression. The scheme is "pHash" as the Python package imagehash computes it (imagehash.phash with hash_size 16), but that the picture
 * is shrunk with Pillow's bilinear filter: grey, 64 x 64, cosine transform (DCT-II) of rows and columns, the 16 x 16 lowest frequencies,
 * a bit each for those above their median. The usual 64 bits tell faces apart too badly: all of them look alike. */
#ifndef UM_DATA_PHASH_H
#define UM_DATA_PHASH_H

#include "data/image.h"

enum { UM_PHASH_BITS = 256 };
typedef struct um_phash {
  uint64_t word[UM_PHASH_BITS / 64]; /* the highest bit of the first is the constant part, then along the row, as imagehash prints them */
} um_phash;

int um_phash_of(um_phash *hash, const um_image *im, um_error *err);
/* The same of the picture and of its mirror image (left and right swapped). */
int um_phash_both(um_phash hash[2], const um_image *im, um_error *err);

/* Bits that differ. */
static inline int um_phash_distance(const um_phash *a, const um_phash *b) {
  int bits = 0;
  for (int i = 0; i < UM_PHASH_BITS / 64; i++) bits += __builtin_popcountll(a->word[i] ^ b->word[i]);
  return bits;
}

/* Two pictures that look alike: a's index in the first list, b's in the second. */
typedef struct um_phash_pair {
  int a, b, distance;
} um_phash_pair;

/* For each hash of the second list the nearest of the first (the first of equals) where it is at most `most` bits away; the pairs in
 * the order of b, malloc'd (freed by the caller also where there are none). threads: 1 or more. */
int um_phash_near(um_phash_pair **pair, int *count, const um_phash *a, int n_a, const um_phash *b, int n_b, int most, int threads,
                  um_error *err);

#endif
