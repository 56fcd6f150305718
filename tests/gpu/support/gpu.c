#include "gpu.h"

#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/rng.h"

/* ---- the command line and the result ---- */

static bool number(const char *text, int least, int *out) {
  char *end;
  const long v = strtol(text, &end, 10);
  if (*text == 0 || *end != 0 || v < least || v > 1000000) return false;
  *out = (int)v;
  return true;
}

bool gpu_parse(gpu_options *o, const char *words, int argc, char **argv) {
  const char *slash = strrchr(argv[0], '/');
  bool ok = true;
  *o = (gpu_options){.program = slash ? slash + 1 : argv[0], .device = "cuda", .cache = "", .seed = 42};
  for (int i = 1; i < argc && ok; i++) {
    const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    int seed = 0;
    if (strcmp(a, "--small") == 0) {
      o->small = true;
    } else if (strcmp(a, "--floors") == 0) {
      o->floors = true;
    } else if (a[0] != '-') {
      ok = o->words < (int)(sizeof o->word / sizeof *o->word);
      if (ok) o->word[o->words++] = a;
    } else if (value) {
      i++;
      if (strcmp(a, "--device") == 0)
        o->device = value;
      else if (strcmp(a, "--cache") == 0)
        o->cache = value;
      else if (strcmp(a, "--json") == 0)
        o->json = value;
      else if (strcmp(a, "--only") == 0)
        o->only = value;
      else if (strcmp(a, "--batch") == 0)
        ok = number(value, 1, &o->batch);
      else if (strcmp(a, "--steps") == 0)
        ok = number(value, 1, &o->steps);
      else if (strcmp(a, "--seed") == 0 && (ok = number(value, 0, &seed)))
        o->seed = (uint64_t)seed;
      else
        ok = false;
    } else {
      ok = false;
    }
  }
  if (o->small) setenv("UM_CUDA_HOST_MEMORY", "1G", 0); /* the emulated device: small, so that something does not fit */
  if (!ok)
    fprintf(stderr, "usage: %s [--device D] [--small] [--batch N] [--steps N] [--seed N] [--cache DIR] [--json FILE] [%s...]\n", o->program,
            words);
  return ok;
}

bool gpu_wanted(const gpu_options *o, const char *part) {
  for (int i = 0; i < o->words; i++)
    if (strcmp(o->word[i], part) == 0) return true;
  return o->words == 0;
}

int gpu_open(um_backend **out, const gpu_options *o, um_engine engine, um_error *err) {
  const um_backend_options b = {.device = o->device, .engine = engine, .cache_dir = o->cache};
  return um_backend_open_with(out, &b, err);
}

bool gpu_emulated(const um_backend *be) {
  char text[512];
  be->ops->describe(be, text, sizeof text);
  return strstr(text, "emulated device") != NULL;
}

void gpu_remove_folder(const char *folder) {
  DIR *d = opendir(folder);
  char path[512];
  for (struct dirent *e; d && (e = readdir(d));) {
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (e->d_name[0] != '.') unlink(path);
  }
  if (d) closedir(d);
  rmdir(folder);
}

void gpu_begin(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("[ RUN      ] ");
  vprintf(format, args);
  printf("\n");
  fflush(stdout);
  va_end(args);
}

bool gpu_end(gpu_tally *t, bool ok) {
  printf("[ %s ]\n", ok ? "      OK" : " FAILED ");
  fflush(stdout);
  t->passed += ok, t->failed += !ok;
  return ok;
}

void gpu_skip(gpu_tally *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("left out: ");
  vprintf(format, args);
  printf("\n");
  va_end(args);
  t->skipped++;
}

int gpu_finish(const gpu_tally *t) {
  printf("[  PASSED  ] %d test(s).\n", t->passed);
  if (t->failed) printf("[  FAILED  ] %d test(s)\n", t->failed);
  return t->failed != 0 || t->passed == 0;
}

bool gpu_fail(const char *what, const um_error *err) { return check_fail("%s: %s", what, err->text); }

const char *gpu_engine_name(um_engine engine) {
  static const char *const name[] = {"auto", "native", "cudnn"};
  return name[engine];
}

const char *gpu_precision_name(um_precision precision) {
  static const char *const name[] = {"fp32", "tf32", "bf16"};
  return name[precision];
}

/* ---- numbers ---- */

float gpu_from_bf16(uint16_t half) {
  const uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

float *gpu_room(int64_t n) { return malloc(sizeof(float) * (size_t)(n > 0 ? n : 1)); }

float *gpu_absolute(const float *x, int64_t n) {
  float *a = gpu_room(n);
  for (int64_t i = 0; a && i < n; i++) a[i] = fabsf(x[i]);
  return a;
}

void gpu_round_bf16(float *x, int64_t n) {
#pragma omp parallel for
  for (int64_t i = 0; i < n; i++) x[i] = gpu_from_bf16(um_bf16_of(x[i]));
}

void *gpu_input(check_lab *lab, const float *x, int64_t n, um_dtype dtype, const char *what) {
  const size_t bytes = (size_t)n * um_dtype_size(dtype);
  um_error err = {0};
  void *device = check_memory(lab, bytes, what);
  char *host = malloc(bytes);
  if (!device || !host) {
    free(host);
    return NULL;
  }
  if (dtype == UM_F32) {
    memcpy(host, x, bytes);
  } else {
    uint16_t *h = (uint16_t *)host;
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) h[i] = um_bf16_of(x[i]);
  }
  if (lab->be->ops->upload(lab->be, device, host, bytes, &err) != UM_OK) {
    gpu_fail(what, &err);
    device = NULL;
  }
  lab->piece[lab->pieces - 1].before = host;
  return device;
}

bool gpu_output(check_lab *lab, float *x, const void *device, int64_t n, um_dtype dtype) {
  const size_t bytes = (size_t)n * um_dtype_size(dtype);
  um_error err = {0};
  if (dtype == UM_F32) return lab->be->ops->download(lab->be, x, device, bytes, &err) == UM_OK || gpu_fail("download", &err);
  uint16_t *h = malloc(bytes);
  if (!h || lab->be->ops->download(lab->be, h, device, bytes, &err) != UM_OK) {
    free(h);
    return gpu_fail("download", &err);
  }
#pragma omp parallel for
  for (int64_t i = 0; i < n; i++) x[i] = gpu_from_bf16(h[i]);
  free(h);
  return true;
}

bool gpu_near(const char *what, const float *got, const float *want, const float *magnitude, int64_t n, gpu_bound b, double *norm_error) {
  double off = 0, size = 0;
  int64_t far = 0, first = n;
#pragma omp parallel for reduction(+ : off, size, far) reduction(min : first)
  for (int64_t i = 0; i < n; i++) {
    const double w = want[i], d = (double)got[i] - w;
    off += d * d, size += w * w;
    if (!(fabs(d) <= b.of_magnitude * fabs(magnitude ? magnitude[i] : w) + b.of_value * fabs(w))) {
      far++;
      first = i < first ? i : first;
    }
  }
  const double norm = size > 0 ? sqrt(off / size) : off > 0 ? INFINITY : 0;
  if (norm_error) *norm_error = norm;
  if (far)
    return check_fail("%s: %lld of %lld values are too far off; the first is [%lld] %.9g, expected %.9g (magnitude %.3g)", what,
                      (long long)far, (long long)n, (long long)first, got[first], want[first],
                      magnitude ? magnitude[first] : fabsf(want[first]));
  CHECK(norm <= b.of_norm, "%s: differs by %.3g of the norm, allowed %.3g", what, norm, b.of_norm);
  return true;
}

/* ---- models ---- */

static int drop(um_graph *g, const char *name, int at, double rate, um_error *err) {
  return at < 0 || rate == 0 ? at : um_graph_add_dropout(g, name, at, rate, err);
}

int gpu_graph_of(um_graph *g, bool dct, double dropout, bool small, int side, um_error *err) {
  *g = (um_graph){0};
  int at = dct     ? um_graph_add_dct(g, side, side, err)
           : small ? um_graph_add_tiny(g, side, side, err)
                   : um_graph_add_vgg16(g, side, side, err);
  if (at >= 0) at = um_graph_add_simple(g, "flatten", UM_OP_FLATTEN, &at, 1, UM_ACT_NONE, err);
  at = drop(g, "dropout", at, dropout, err);
  if (at >= 0) at = um_graph_add_dense(g, "dense", at, small ? 16 : 256, UM_ACT_RELU, err);
  at = drop(g, "dropout_1", at, dropout, err);
  if (at >= 0) at = um_graph_add_dense(g, "dense_1", at, 1, UM_ACT_NONE, err);
  if (at >= 0) at = um_graph_add_simple(g, "sigmoid", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, err);
  return at < 0 ? at : UM_OK;
}

int gpu_graph(um_graph *g, bool small, int side, um_error *err) { return gpu_graph_of(g, false, 0, small, side, err); }

int gpu_init(um_model *m, uint64_t seed, um_error *err) {
  int count, status = um_model_init(m, seed, err);
  const um_param *p = um_model_params(m, &count);
  for (int i = 0; i < count && status == UM_OK; i++) {
    if (p[i].plain.ndim != 4) continue;
    const int64_t n = um_tensor_count(&p[i].plain);
    float *w = gpu_room(n);
    if (!w) return um_fail(err, UM_ENOMEM, "no memory for %s", p[i].name);
    status = um_model_get(m, 'w', i, w, err);
    for (int64_t k = 0; k < n; k++) w[k] *= 1.41421356f;
    if (status == UM_OK) status = um_model_set(m, 'w', i, w, err);
    free(w);
  }
  return status;
}

void gpu_pictures(uint8_t *pixels, float *labels, uint64_t seed, int64_t first, int64_t n, int side) {
#pragma omp parallel for
  for (int64_t s = 0; s < n; s++) {
    const um_rng at = {.seed = seed, .stream = UM_STREAM_TEST, .epoch = 900, .sample = (uint32_t)(first + s)};
    const bool red = um_rng_uniform(&at, 0) < 0.5, lie = um_rng_below(&at, 1000000, 5) == 0;
    const double fy = um_rng_range(&at, 1, -0.3, 0.3), fx = um_rng_range(&at, 2, -0.3, 0.3), phase = um_rng_range(&at, 3, 0, 6.28);
    uint8_t *p = pixels + s * side * side * 3;
    labels[s] = red != lie;
    for (int i = 0; i < side * side; i++) {
      const double wave = 128 + 50 * sin(fy * (i / side) + fx * (i % side) + phase);
      const uint32_t noise = um_rng_bits(&at, (uint32_t)i + 4);
      for (int c = 0; c < 3; c++) {
        const double v = wave + (double)(noise >> (8 * c) & 63) - 32 + (c == 0 ? (red ? 12 : -12) : 0);
        p[3 * i + c] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
      }
    }
  }
}

void gpu_samples(um_warp_sample *sample, uint64_t seed, int64_t first, int64_t n, int side) {
  for (int64_t s = 0; s < n; s++) {
    const um_rng at = {.seed = seed, .stream = UM_STREAM_TEST, .epoch = 901, .sample = (uint32_t)(first + s)};
    const double angle = um_rng_range(&at, 0, -0.7, 0.7), shear = um_rng_range(&at, 1, -0.2, 0.2), zoom = um_rng_range(&at, 2, 0.8, 1.2),
                 middle = side / 2.0 - 0.5;
    um_warp_sample *a = &sample[s];
    *a = (um_warp_sample){.identity = um_rng_below(&at, 3, 8) == 0, .flip_horizontal = um_rng_below(&at, 4, 2) == 0};
    a->m[0] = zoom * cos(angle), a->m[1] = -zoom * sin(angle + shear);
    a->m[3] = zoom * sin(angle), a->m[4] = zoom * cos(angle + shear);
    a->m[2] = middle - a->m[0] * middle - a->m[1] * middle + um_rng_range(&at, 5, -0.2, 0.2) * side;
    a->m[5] = middle - a->m[3] * middle - a->m[4] * middle + um_rng_range(&at, 6, -0.2, 0.2) * side;
  }
}

/* ---- times ---- */

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double gpu_median(double *x, int n) {
  qsort(x, (size_t)n, sizeof *x, by_value);
  return n < 1 ? 0 : n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}
