#include "data/phash.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 64, LOW = 16 };

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Pillow's convert("L"): ITU-R 601-2 luma in 16 bits of fraction. */
static double grey(const uint8_t *p) { return (double)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16); }

/* Of the first LOW frequencies, scipy.fftpack.dct of type 2 without its factor 2: out[k] = sum x[n] cos(pi k (2 n + 1) / (2 SIDE)). */
static double cosine[LOW][SIDE];
static void fill_cosines(void) {
  for (int k = 0; k < LOW; k++)
    for (int n = 0; n < SIDE; n++) cosine[k][n] = cos(M_PI * k * (2 * n + 1) / (2.0 * SIDE));
}
static void dct(double *out, const double *x, int stride) {
  for (int k = 0; k < LOW; k++) {
    out[k] = 0;
    for (int n = 0; n < SIDE; n++) out[k] += x[n * stride] * cosine[k][n];
  }
}

static um_phash bits_of(const double low[LOW * LOW]) {
  double sorted[LOW * LOW];
  um_phash hash = {{0}};
  memcpy(sorted, low, sizeof sorted);
  qsort(sorted, LOW * LOW, sizeof *sorted, ascending);
  const double median = (sorted[LOW * LOW / 2 - 1] + sorted[LOW * LOW / 2]) / 2;
  for (int i = 0; i < LOW * LOW; i++) hash.word[i / 64] = hash.word[i / 64] << 1 | (low[i] > median);
  return hash;
}

static int frequencies(double low[LOW * LOW], const um_image *im, um_error *err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  uint8_t small[SIDE * SIDE * 3];
  double pixel[SIDE * SIDE], column[SIDE][LOW], row[SIDE];
  pthread_once(&once, fill_cosines);
  int status = um_resize(small, SIDE, SIDE, im, UM_BILINEAR, err);
  if (status) return status;
  for (int i = 0; i < SIDE * SIDE; i++) pixel[i] = grey(small + 3 * i);
  for (int x = 0; x < SIDE; x++) dct(column[x], pixel + x, SIDE);
  for (int v = 0; v < LOW; v++) {
    for (int x = 0; x < SIDE; x++) row[x] = column[x][v];
    dct(low + v * LOW, row, 1);
  }
  return UM_OK;
}

int um_phash_of(um_phash *hash, const um_image *im, um_error *err) {
  double low[LOW * LOW];
  int status = frequencies(low, im, err);
  if (!status) *hash = bits_of(low);
  return status;
}

int um_phash_both(um_phash hash[2], const um_image *im, um_error *err) {
  double low[LOW * LOW];
  int status = frequencies(low, im, err);
  if (status) return status;
  hash[0] = bits_of(low);
  for (int i = 0; i < LOW * LOW; i++) /* a mirror turns the sign of the odd horizontal frequencies */
    if (i % LOW % 2) low[i] = -low[i];
  hash[1] = bits_of(low);
  return UM_OK;
}

/* A thread's share: hashes first to last - 1 of the second list. */
typedef struct share {
  const um_phash *a, *b;
  int n_a, first, last, most;
  um_phash_pair *nearest; /* by b; distance above most: none */
} share;

static void *search(void *arg) {
  const share *s = arg;
  for (int j = s->first; j < s->last; j++) {
    um_phash_pair best = {.a = -1, .b = j, .distance = s->most + 1};
    for (int i = 0; i < s->n_a; i++) {
      const int d = um_phash_distance(&s->a[i], &s->b[j]);
      if (d < best.distance) best.a = i, best.distance = d;
    }
    s->nearest[j] = best;
  }
  return NULL;
}

int um_phash_near(um_phash_pair **pair, int *count, const um_phash *a, int n_a, const um_phash *b, int n_b, int most, int threads,
                  um_error *err) {
  enum { THREADS_MAX = 64 };
  pthread_t thread[THREADS_MAX];
  share part[THREADS_MAX];
  bool started[THREADS_MAX] = {false};
  *pair = NULL;
  *count = 0;
  um_phash_pair *nearest = malloc(((size_t)n_b + 1) * sizeof *nearest);
  if (!nearest) return um_fail(err, UM_ENOMEM, "no memory to compare %d with %d pictures", n_a, n_b);
  if (threads > THREADS_MAX) threads = THREADS_MAX;
  if (threads < 1) threads = 1;
  for (int t = 0; t < threads; t++) {
    part[t] = (share){.a = a,
                      .b = b,
                      .n_a = n_a,
                      .first = (int)((int64_t)n_b * t / threads),
                      .last = (int)((int64_t)n_b * (t + 1) / threads),
                      .most = most,
                      .nearest = nearest};
    started[t] = t > 0 && pthread_create(&thread[t], NULL, search, &part[t]) == 0;
    if (t > 0 && !started[t]) search(&part[t]);
  }
  search(&part[0]);
  for (int t = 1; t < threads; t++)
    if (started[t]) pthread_join(thread[t], NULL);
  for (int j = 0; j < n_b; j++)
    if (nearest[j].a >= 0) nearest[(*count)++] = nearest[j];
  *pair = nearest;
  return UM_OK;
}
