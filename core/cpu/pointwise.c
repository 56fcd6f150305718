/* PReLU on plain and channel-blocked tensors; softmax and dropout on plain ones. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu/cpu.h"

/* Where the channels of a tensor lie: `planes` runs of `pixels` x `width` numbers; run i holds the channels of group i % groups. Plain:
 * one run of all pixels. Blocked: a run a sample and block of 8 or 16 channels. */
typedef struct channel_runs {
  int64_t planes, pixels;
  int groups, width, channels;
} channel_runs;

static channel_runs runs_of(const um_tensor *t) {
  const int64_t channels = t->dim[t->ndim - 1], all = um_tensor_count(t) / channels;
  if (!t->layout) return (channel_runs){.planes = 1, .pixels = all, .groups = 1, .width = (int)channels, .channels = (int)channels};
  const int block = t->layout->block, groups = (int)((channels + block - 1) / block);
  return (channel_runs){
      .planes = t->dim[0] * groups, .pixels = all / t->dim[0], .groups = groups, .width = block, .channels = (int)channels};
}

enum { PATTERN = 1024, PARTS = 32 /* sums of fixed parts, added in order: they do not depend on the number of threads */ };

static size_t padded_channels(const channel_runs *r) { return (size_t)r->groups * (size_t)r->width; }

int um_cpu_plan_prelu(um_cpu_op *op, um_error *err) {
  um_op *base = &op->base;
  const um_op_desc *d = &base->desc;
  (void)err;
  base->w = um_tensor_plain(UM_F32, 1, &d->y.dim[d->y.ndim - 1]);
  if (d->x[0].layout && d->x[0].layout->block) {
    base->x[0] = d->x[0];
    base->y.layout = d->x[0].layout;
    base->y.bytes = d->x[0].bytes;
  }
  const channel_runs r = runs_of(&base->x[0]);
  if (d->passes & UM_PASS_BACKWARD_WEIGHTS) base->scratch_bytes = PARTS * padded_channels(&r) * sizeof(double);
  snprintf(base->algorithm, sizeof base->algorithm, "own");
  return UM_OK;
}

/* The alphas of a group, as many times over as make the inner loop long; 0 for channels that are padding. Returns their number, a
 * multiple of the group's width. */
static int fill_pattern(float pattern[PATTERN], const channel_runs *r, int group, const float *alpha) {
  const int repeats = r->width < PATTERN ? PATTERN / r->width : 1, count = repeats * r->width;
  for (int i = 0; i < r->width; i++) {
    const int c = group * r->width + i;
    pattern[i] = c < r->channels ? alpha[c] : 0;
  }
  for (int i = r->width; i < count; i++) pattern[i] = pattern[i - r->width];
  return count;
}

/* to = gate > 0 ? from : alpha from, for n numbers; alpha is `period` long and begins anew after them. */
static inline __attribute__((always_inline)) void bend(float *to, const float *from, const float *gate, const float *alpha, int64_t period,
                                                       int64_t n) {
  for (int64_t at = 0; at < n; at += period) {
    const int64_t count = n - at < period ? n - at : period;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
      const float v = from[at + i], bent = alpha[i] * v;
      to[at + i] = gate[at + i] > 0 ? v : bent;
    }
  }
}

typedef void bend_fn(float *, const float *, const float *, const float *, int64_t, int64_t);

static void bend_any(float *to, const float *from, const float *gate, const float *alpha, int64_t period, int64_t n) {
  bend(to, from, gate, alpha, period, n);
}
#ifdef __x86_64__
__attribute__((target("avx2"))) static void bend_avx2(float *to, const float *from, const float *gate, const float *alpha, int64_t period,
                                                      int64_t n) {
  bend(to, from, gate, alpha, period, n);
}
__attribute__((target("avx512f"))) static void bend_avx512(float *to, const float *from, const float *gate, const float *alpha,
                                                           int64_t period, int64_t n) {
  bend(to, from, gate, alpha, period, n);
}
#endif

static bend_fn *choose_bend(void) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return bend_avx512;
  if (__builtin_cpu_supports("avx2")) return bend_avx2;
#endif
  return bend_any;
}

static void bend_all(const um_op *op, um_tensor *y, const um_tensor *from, const um_tensor *gate, const float *alpha) {
  const channel_runs r = runs_of(y);
  const int64_t run = r.pixels * r.width;
  bend_fn *const bend_with = choose_bend();
  um_cpu_enter(um_cpu_of(op));
  if (r.width > PATTERN) { /* plain, and a pixel is long enough by itself */
#pragma omp parallel for
    for (int64_t i = 0; i < r.pixels; i++) {
      const int64_t at = i * r.width;
      bend_with((float *)y->data + at, (const float *)from->data + at, (const float *)gate->data + at, alpha, r.width, r.width);
    }
    return;
  }
  const int64_t chunk = (int64_t)16 * (PATTERN / r.width) * r.width, chunks = (run + chunk - 1) / chunk;
#pragma omp parallel for
  for (int64_t k = 0; k < r.planes * chunks; k++) {
    const int64_t plane = k / chunks, first = k % chunks * chunk, end = first + chunk < run ? first + chunk : run;
    float pattern[PATTERN];
    const int period = fill_pattern(pattern, &r, (int)(plane % r.groups), alpha);
    const int64_t at = plane * run + first;
    bend_with((float *)y->data + at, (const float *)from->data + at, (const float *)gate->data + at, pattern, period, end - first);
  }
}

int um_cpu_prelu_forward(um_op *op, um_tensor *y, const um_tensor *x, const um_tensor *alpha, um_error *err) {
  (void)err;
  bend_all(op, y, x, x, alpha->data);
  return UM_OK;
}

int um_cpu_prelu_backward_data(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *x, const um_tensor *alpha, um_error *err) {
  (void)err;
  bend_all(op, dx, dy, x, alpha->data);
  return UM_OK;
}

/* sum[c] += dy x over the pixels [first, last) of all samples' planes, where x <= 0. */
static void add_bent(double *sum, const channel_runs *r, const float *x, const float *dy, int64_t first, int64_t last) {
  for (int64_t plane = 0; plane < r->planes; plane++) {
    double *to = sum + plane % r->groups * r->width;
    for (int64_t i = first; i < last; i++) {
      const float *a = x + (plane * r->pixels + i) * r->width, *b = dy + (plane * r->pixels + i) * r->width;
#pragma omp simd
      for (int c = 0; c < r->width; c++) {
        const double term = (double)a[c] * (double)b[c];
        to[c] += a[c] > 0 ? 0 : term;
      }
    }
  }
}

int um_cpu_prelu_backward_weights(um_op *op, um_tensor *dalpha, const um_tensor *x, const um_tensor *dy, void *scratch, um_error *err) {
  (void)err;
  const channel_runs r = runs_of(x);
  const size_t width = padded_channels(&r);
  const int64_t each = (r.pixels + PARTS - 1) / PARTS;
  double *sum = scratch;
  float *out = dalpha->data;
  um_cpu_enter(um_cpu_of(op));
#pragma omp parallel for
  for (int k = 0; k < PARTS; k++) {
    const int64_t first = k * each, last = first + each < r.pixels ? first + each : r.pixels;
    memset(sum + (size_t)k * width, 0, width * sizeof *sum);
    add_bent(sum + (size_t)k * width, &r, x->data, dy->data, first, last);
  }
  for (int c = 0; c < r.channels; c++) {
    double all = 0;
    for (int k = 0; k < PARTS; k++) all += sum[(size_t)k * width + (size_t)c];
    out[c] = (float)all;
  }
  return UM_OK;
}

int um_cpu_softmax_forward(um_op *op, um_tensor *y, const um_tensor *x) {
  const int64_t channels = y->dim[y->ndim - 1], rows = um_tensor_count(y) / channels;
  um_cpu_enter(um_cpu_of(op));
#pragma omp parallel for
  for (int64_t row = 0; row < rows; row++) {
    const float *from = (const float *)x->data + row * channels;
    float *to = (float *)y->data + row * channels;
    double most = from[0], sum = 0;
    for (int64_t c = 1; c < channels; c++)
      if (from[c] > most) most = from[c];
    for (int64_t c = 0; c < channels; c++) {
      const double e = from[c] == most ? 1 : exp(from[c] - most); /* of two classes one is the largest */
      to[c] = (float)e;
      sum += e;
    }
    for (int64_t c = 0; c < channels; c++) to[c] = (float)(to[c] / sum);
  }
  return UM_OK;
}

int um_cpu_softmax_backward(um_op *op, um_tensor *dx, const um_tensor *dy, const um_tensor *y) {
  const int64_t channels = y->dim[y->ndim - 1], rows = um_tensor_count(y) / channels;
  um_cpu_enter(um_cpu_of(op));
#pragma omp parallel for
  for (int64_t row = 0; row < rows; row++) {
    const float *out = (const float *)y->data + row * channels, *from = (const float *)dy->data + row * channels;
    float *to = (float *)dx->data + row * channels;
    double sum = 0;
    for (int64_t c = 0; c < channels; c++) sum += (double)from[c] * (double)out[c];
    for (int64_t c = 0; c < channels; c++) to[c] = (float)((double)out[c] * ((double)from[c] - sum));
  }
  return UM_OK;
}

int um_cpu_dropout(um_op *op, um_tensor *y, const um_tensor *x, const um_control *control, um_error *err) {
  (void)err;
  const um_op_desc *d = &op->desc;
  const float *from = x->data, scale = (float)(1 / (1 - d->rate));
  float *to = y->data;
  const int64_t count = um_tensor_count(y), blocks = (count + 3) / 4, step = control->step;
  const uint32_t threshold = um_dropout_threshold(d->rate);
  um_cpu_enter(um_cpu_of(op));
#pragma omp parallel for
  for (int64_t block = 0; block < blocks; block++) {
    uint32_t word[4];
    um_dropout_words(word, d, step, block);
    for (int64_t i = 4 * block; i < 4 * block + 4 && i < count; i++) {
      const float v = from[i] * scale;
      to[i] = word[i % 4] >= threshold ? v : 0;
    }
  }
  return UM_OK;
}
