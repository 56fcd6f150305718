/* Which way does a convolution pass: um_cuda_choose.
 *
 * Measuring a way: one run by itself (libraries load and compile on the first), whose result must be like that of the first native
 * way; then the way is recorded into a graph, as a training step is, and the graph's time is taken between two events, the median of
 * several. Data are random (zeros make a GPU faster than it is) and the result's place holds NaNs before the first run. Answers are
 * kept (tune_file.c), so a geometry is measured once on a machine. */
#include "cuda/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "core/rng.h"
#include "cuda/cudnn.h"

enum { RANDOM_BYTES = 1 << 20, SAMPLES = 5, PROBES = 3, PROBE = 512 };

/* After so many seconds of measuring in one program only the likely best way of each source is still tried. */
static const double budget = 15.0;

struct um_tuner {
  um_tuned_file file;
  um_tuner_counts counts;
  bool loaded;
  char cache_dir[3800];
  bool default_dir;
};

/* Device memory for one geometry's measurements. */
typedef struct bench {
  const um_cuda *cuda;
  const um_cuda_conv *g;
  um_conv_pass pass;
  void *out, *a, *b, *scratch;
  float *bias;
  size_t out_count, out_bytes, scratch_bytes;
  um_dtype out_dtype;
  cudaEvent_t start, stop;
  float reference[PROBES * PROBE]; /* of the trusted way's result */
  double scale;                    /* its root mean square; 0: nothing to compare with yet */
} bench;

static const char *const pass_name[UM_CONV_PASSES] = {"forward", "backward data", "backward weights"};
static const char *const precision_name[] = {"fp32", "tf32", "bf16"};

static void describe(char *text, size_t size, const um_cuda_conv *g, um_conv_pass pass) {
  snprintf(text, size, "%s %dx%dx%dx%d -> %dx%dx%d, kernel %dx%d, stride %dx%d, %s", pass_name[pass], g->N, g->H, g->W, g->C, g->P, g->Q,
           g->K, g->R, g->S, g->stride[0], g->stride[1], precision_name[g->precision]);
}

static void free_way(um_conv_way *way) {
  if (way->free_plan && way->plan) way->free_plan(way->plan);
  way->plan = NULL;
}

static void free_ways(um_conv_way *ways, int n, int but) {
  for (int i = 0; i < n; i++)
    if (i != but) free_way(&ways[i]);
}

/* ---- opening and closing ---- */

int um_cuda_tuner_open(um_cuda *cuda, const um_backend_options *o, um_error *err) {
  um_tuner *t = calloc(1, sizeof *t);

  if (!t) return um_fail(err, UM_ENOMEM, "no memory for the tuner");
  t->default_dir = !o->cache_dir;
  if (o->cache_dir && strlen(o->cache_dir) >= sizeof t->cache_dir) {
    free(t);
    return um_fail(err, UM_EIO, "cache folder: the path is longer than %zu characters", sizeof t->cache_dir - 1);
  }
  if (o->cache_dir) snprintf(t->cache_dir, sizeof t->cache_dir, "%s", o->cache_dir);
  cuda->tuner = t;
  return UM_OK;
}

/* The file is looked at when the first question comes: engine native asks none. */
static void load(const um_cuda *cuda) {
  um_tuner *t = cuda->tuner;
  um_error err;
  char device[sizeof cuda->name];

  if (t->loaded) return;
  t->loaded = true;
  snprintf(device, sizeof device, "%s", cuda->name);
  for (char *p = device; *p; p++)
    if ((unsigned char)*p < ' ') *p = ' ';
  snprintf(t->file.key, sizeof t->file.key,
           "version %s\ndevice %s\ncapability %d.%d\nmultiprocessors %d\ndriver %d\nruntime %d\ncudnn %s\ncublaslt %s\n", UM_VERSION,
           device, cuda->major, cuda->minor, cuda->multiprocessors, cuda->driver, cuda->runtime,
           cuda->cudnn ? um_cudnn_version(cuda->cudnn) : "none", cuda->cublas ? um_cublas_version(cuda->cublas) : "none");
  um_tuned_path(&t->file, t->default_dir ? NULL : t->cache_dir);
  if (um_tuned_load(&t->file, &err) != UM_OK) um_log_once(UM_LOG_WARN, "tuner: %s; everything is measured anew", err.text);
}

static void save(const um_cuda *cuda) {
  um_error err;

  if (um_tuned_save(&cuda->tuner->file, &err) != UM_OK) {
    um_log_once(UM_LOG_WARN, "tuner: what was measured cannot be kept: %s", err.text);
    cuda->tuner->file.path[0] = 0;
  }
}

void um_cuda_tuner_close(um_cuda *cuda) {
  /* Every answer was written when it came. */
  if (!cuda->tuner) return;
  if (cuda->verbose && cuda->tuner->loaded)
    um_log(UM_LOG_INFO, "tuner: %d answers measured in %.1f s, %d remembered%s%s", cuda->tuner->counts.measured,
           cuda->tuner->counts.seconds, cuda->tuner->counts.remembered, cuda->tuner->file.path[0] ? "; kept in " : "",
           cuda->tuner->file.path);
  um_tuned_free(&cuda->tuner->file);
  free(cuda->tuner);
  cuda->tuner = NULL;
}

um_tuner_counts um_cuda_tuner_counts(const um_cuda *cuda) { return cuda->tuner->counts; }

/* ---- measuring ---- */

static void bench_free(bench *m) {
  if (m->start) cudaEventDestroy(m->start);
  if (m->stop) cudaEventDestroy(m->stop);
  cudaFree(m->out);
  cudaFree(m->a);
  cudaFree(m->b);
  cudaFree(m->bias);
  cudaFree(m->scratch);
}

/* Random values in [-1, 1) all over count elements. */
static int fill_random(const bench *m, void *device, um_dtype dtype, size_t count, uint32_t which, um_error *err) {
  size_t size = um_dtype_size(dtype), block = RANDOM_BYTES / 4, first = count < block ? count : block;
  um_rng at = {.seed = 1, .stream = UM_STREAM_TEST, .sample = which};
  unsigned char *host = malloc(first * size);
  cudaError_t e;

  if (!host) return um_fail(err, UM_ENOMEM, "no memory for %zu bytes", first * size);
  for (size_t i = 0; i < first; i++) {
    float v = (float)um_rng_range(&at, (uint32_t)i, -1, 1);
    uint32_t bits;
    memcpy(&bits, &v, 4);
    if (dtype == UM_BF16) {
      uint16_t half = (uint16_t)(bits >> 16);
      memcpy(host + i * size, &half, 2);
    } else {
      memcpy(host + i * size, &bits, 4);
    }
  }
  e = cudaMemcpyAsync(device, host, first * size, cudaMemcpyHostToDevice, m->cuda->compute);
  for (size_t have = first; have < count && e == cudaSuccess;) {
    size_t more = count - have < have ? count - have : have;
    e = cudaMemcpyAsync((char *)device + have * size, device, more * size, cudaMemcpyDeviceToDevice, m->cuda->compute);
    have += more;
  }
  if (e == cudaSuccess) e = cudaStreamSynchronize(m->cuda->compute);
  free(host);
  return um_cuda_check(e, err, "random data");
}

/* Memory and data for all but the scratch. */
static int bench_make(bench *m, const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_error *err) {
  um_dtype dtype = g->precision == UM_PRECISION_BF16 ? UM_BF16 : UM_F32;
  size_t size = um_dtype_size(dtype), x = (size_t)g->N * (size_t)g->H * (size_t)g->W * (size_t)g->C;
  size_t y = (size_t)g->N * (size_t)g->P * (size_t)g->Q * (size_t)g->K, w = (size_t)g->R * (size_t)g->S * (size_t)g->C * (size_t)g->K;
  size_t a = pass == UM_CONV_BACKWARD_DATA ? y : x, b = pass == UM_CONV_BACKWARD_WEIGHTS ? y : w;
  int status;

  m->cuda = cuda;
  m->g = g;
  m->pass = pass;
  m->out_count = pass == UM_CONV_FORWARD ? y : pass == UM_CONV_BACKWARD_DATA ? x : w;
  m->out_dtype = pass == UM_CONV_BACKWARD_WEIGHTS ? UM_F32 : dtype;
  m->out_bytes = m->out_count * um_dtype_size(m->out_dtype);
  status = um_cuda_check(cudaEventCreate(&m->start), err, "event");
  if (status == UM_OK) status = um_cuda_check(cudaEventCreate(&m->stop), err, "event");
  if (status == UM_OK) status = um_cuda_check(cudaMalloc(&m->out, m->out_bytes), err, "memory to measure in");
  if (status == UM_OK) status = um_cuda_check(cudaMalloc(&m->a, a * size), err, "memory to measure in");
  if (status == UM_OK) status = um_cuda_check(cudaMalloc(&m->b, b * size), err, "memory to measure in");
  if (status == UM_OK) status = um_cuda_check(cudaMalloc((void **)&m->bias, (size_t)g->K * sizeof(float)), err, "memory to measure in");
  if (status == UM_OK) status = fill_random(m, m->a, dtype, a, 1, err);
  if (status == UM_OK) status = fill_random(m, m->b, dtype, b, 2, err);
  if (status == UM_OK) status = fill_random(m, m->bias, UM_F32, (size_t)g->K, 3, err);
  return status;
}

/* Scratch of at least this many bytes; UM_ENOMEM leaves what there was. */
static int bench_scratch(bench *m, size_t bytes, um_error *err) {
  void *p = NULL;

  if (bytes <= m->scratch_bytes) return UM_OK;
  cudaFree(m->scratch);
  m->scratch = NULL;
  m->scratch_bytes = 0;
  if (cudaMalloc(&p, bytes) != cudaSuccess) {
    (void)cudaGetLastError(); /* short memory is an answer, not a failure of what comes next */
    return um_fail(err, UM_ENOMEM, "no device memory for %zu bytes of scratch", bytes);
  }
  m->scratch = p;
  m->scratch_bytes = bytes;
  return UM_OK;
}

static int run(const bench *m, const um_conv_way *way, um_error *err) {
  return way->run(m->cuda, m->g, way, m->out, m->a, m->b, m->pass == UM_CONV_FORWARD ? m->bias : NULL, m->scratch, m->cuda->compute, err);
}

static int settle(const bench *m, um_error *err) { return um_cuda_check(cudaStreamSynchronize(m->cuda->compute), err, "measuring"); }

/* Some of the result, from its start, its middle and its end, as floats. */
static int probe(const bench *m, float *out, size_t *count, um_error *err) {
  size_t size = um_dtype_size(m->out_dtype), each = m->out_count < PROBE ? m->out_count : PROBE;
  size_t at[PROBES] = {0, (m->out_count - each) / 2, m->out_count - each};
  unsigned char raw[PROBE * 4];

  for (int i = 0; i < PROBES; i++) {
    int status = um_cuda_check(cudaMemcpy(raw, (const char *)m->out + at[i] * size, each * size, cudaMemcpyDeviceToHost), err, "result");
    if (status != UM_OK) return status;
    for (size_t k = 0; k < each; k++) {
      uint32_t bits = 0;
      if (m->out_dtype == UM_BF16) {
        uint16_t half;
        memcpy(&half, raw + 2 * k, 2);
        bits = (uint32_t)half << 16;
      } else {
        memcpy(&bits, raw + 4 * k, 4);
      }
      memcpy(&out[(size_t)i * each + k], &bits, 4);
    }
  }
  *count = PROBES * each;
  return UM_OK;
}

/* Whether the result in m->out is like the trusted way's. The bounds only tell a wrong computation from a rounded one: they are
 * shares of the result's root mean square, a few times what rounding the inputs can do to it. */
static int compare(bench *m, bool trusted, um_error *err) {
  static const double bound[] = {1e-3, 2e-2, 1e-1};
  float got[PROBES * PROBE];
  double sum = 0, worst = 0;
  size_t n;
  int status = probe(m, got, &n, err);

  if (status != UM_OK) return status;
  if (m->scale == 0) {
    for (size_t i = 0; i < n; i++) {
      if (!isfinite(got[i])) return um_fail(err, UM_ENUMERIC, "its result is not finite");
      sum += (double)got[i] * (double)got[i];
    }
    if (trusted) {
      memcpy(m->reference, got, n * sizeof *got);
      m->scale = sqrt(sum / (double)n) + 1e-30;
    }
    return UM_OK;
  }
  for (size_t i = 0; i < n; i++) {
    double d = fabs((double)got[i] - (double)m->reference[i]) / m->scale;
    if (!(d <= worst)) worst = d; /* a NaN stays */
  }
  if (!(worst <= bound[m->g->precision]))
    return um_fail(err, UM_ENUMERIC, "its result is wrong: off by %.3g of the root mean square, at most %.3g is rounding", worst,
                   bound[m->g->precision]);
  return UM_OK;
}

static int compare_double(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Milliseconds of what is queued by the graph, or by one direct run where graph is NULL. */
static int time_once(const bench *m, const um_conv_way *way, cudaGraphExec_t graph, double *ms, um_error *err) {
  float t = 0;
  int status = um_cuda_check(cudaEventRecord(m->start, m->cuda->compute), err, "event");

  if (status == UM_OK) status = graph ? um_cuda_check(cudaGraphLaunch(graph, m->cuda->compute), err, "graph") : run(m, way, err);
  if (status == UM_OK) status = um_cuda_check(cudaEventRecord(m->stop, m->cuda->compute), err, "event");
  if (status == UM_OK) status = um_cuda_check(cudaEventSynchronize(m->stop), err, "measuring");
  if (status == UM_OK) status = um_cuda_check(cudaEventElapsedTime(&t, m->start, m->stop), err, "event");
  *ms = t;
  return status;
}

/* `times` runs as a graph. */
static int record(const bench *m, const um_conv_way *way, int times, cudaGraphExec_t *out, um_error *err) {
  cudaGraph_t graph = NULL;
  um_error second;
  int status = um_cuda_check(cudaStreamBeginCapture(m->cuda->compute, cudaStreamCaptureModeThreadLocal), err, "recording");

  *out = NULL;
  if (status != UM_OK) return status;
  for (int i = 0; i < times && status == UM_OK; i++) status = run(m, way, err);
  /* The recording must end whatever happened in it. */
  if (um_cuda_check(cudaStreamEndCapture(m->cuda->compute, &graph), &second, "recording") != UM_OK && status == UM_OK)
    status = um_fail(err, second.code, "%s", second.text);
  if (status == UM_OK) status = um_cuda_check(cudaGraphInstantiate(out, graph, 0), err, "recording");
  if (graph) cudaGraphDestroy(graph);
  if (status != UM_OK) (void)cudaGetLastError();
  return status;
}

/* The median time of one run. best: of the ways before it; a way that is far from it is not looked at closely. */
static int measure(bench *m, const um_conv_way *way, bool trusted, double best, double *ms, um_error *err) {
  cudaGraphExec_t graph = NULL;
  double t, sample[SAMPLES];
  int times, status;

  status = um_cuda_check(cudaMemsetAsync(m->out, 0xff, m->out_bytes, m->cuda->compute), err, "result");
  if (status == UM_OK) status = run(m, way, err);
  if (status == UM_OK) status = settle(m, err);
  if (status == UM_OK) status = compare(m, trusted, err);
  if (status == UM_OK) status = record(m, way, 1, &graph, err);
  if (status == UM_OK) status = time_once(m, way, graph, &t, err);
  if (status != UM_OK) goto done;
  if (t > 4 * best + 0.05) {
    *ms = t;
    goto done;
  }
  /* Short runs are timed several together, so that the events' own time does not count. */
  times = t < 0.5 ? (int)(0.5 / (t + 0.02)) + 1 : 1;
  if (times > 1) {
    cudaGraphExecDestroy(graph);
    graph = NULL;
    status = record(m, way, times, &graph, err);
  }
  for (int i = 0; i < SAMPLES && status == UM_OK; i++) status = time_once(m, way, graph, &sample[i], err);
  if (status == UM_OK) {
    qsort(sample, SAMPLES, sizeof *sample, compare_double);
    *ms = sample[SAMPLES / 2] / times;
  }
done:
  if (graph) cudaGraphExecDestroy(graph);
  return status;
}

/* ---- choosing ---- */

static size_t memory_free(void) {
  size_t have = 0, all = 0;

  if (cudaMemGetInfo(&have, &all) != cudaSuccess) (void)cudaGetLastError();
  return have;
}

static size_t limit_of(const um_cuda *cuda) { return cuda->workspace_limit ? cuda->workspace_limit : (size_t)512 << 20; }

/* The ways of one source that may be taken: not rough, not above the limit. */
static int list_ways(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const um_way_source *s, um_conv_way *ways, int max) {
  int n, kept = 0;

  if (max <= 0) return 0;
  memset(ways, 0, (size_t)max * sizeof *ways);
  n = s->list(cuda, g, pass, ways, max);
  for (int i = 0; i < n; i++) {
    um_conv_way way = ways[i];
    if (way.rough || way.scratch > limit_of(cuda)) {
      if (cuda->verbose && !way.rough)
        um_log(UM_LOG_INFO, "  %-32s left out: %zu bytes of scratch, the limit is %zu", way.name, way.scratch, limit_of(cuda));
      free_way(&way);
    } else {
      ways[kept++] = way;
    }
  }
  memset(ways + kept, 0, (size_t)(max - kept) * sizeof *ways);
  return kept;
}

static int prepare(const um_cuda *cuda, const um_cuda_conv *g, const um_way_source *s, um_conv_way *way, um_error *err) {
  return s->prepare ? s->prepare(cuda, g, way, err) : UM_OK;
}

/* The remembered way, if its source still offers it and it can be made ready. */
static bool take_remembered(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const um_way_source *sources, int n,
                            const um_tuned *t, um_conv_way *way) {
  um_conv_way ways[UM_CONV_WAYS];
  um_error err;

  for (int s = 0; s < n; s++) {
    size_t length = strlen(sources[s].name);
    int count, found = -1;
    if (!sources[s].candidate || strncmp(t->name, sources[s].name, length) != 0 || t->name[length] != ' ') continue;
    memset(ways, 0, sizeof *ways);
    if (sources[s].find) {
      count = found = 0;
      if (!sources[s].find(cuda, g, pass, t->name, ways)) return false;
      count = 1;
      if (ways[0].rough || ways[0].scratch > limit_of(cuda)) found = -1;
    } else {
      count = list_ways(cuda, g, pass, &sources[s], ways, UM_CONV_WAYS);
    }
    for (int i = 0; i < count && found < 0 && !sources[s].find; i++)
      if (strcmp(ways[i].name, t->name) == 0) found = i;
    if (found >= 0 && (ways[found].scratch > memory_free() || prepare(cuda, g, &sources[s], &ways[found], &err) != UM_OK)) found = -1;
    free_ways(ways, count, found);
    if (found < 0) return false;
    *way = ways[found];
    return true;
  }
  return false;
}

/* The first way that can be made ready, unmeasured: there was no memory to measure in. */
static int take_first(const um_cuda *cuda, const um_cuda_conv *g, const um_way_source *const *source, um_conv_way *ways, int n, int *best,
                      um_error *err) {
  for (int i = 0; i < n; i++) {
    if (!source[i]->candidate || ways[i].scratch > memory_free() || prepare(cuda, g, source[i], &ways[i], err) != UM_OK) continue;
    um_log_once(UM_LOG_WARN, "tuner: no device memory to measure convolutions in (%zu bytes free): the first way that fits is taken",
                memory_free());
    *best = i;
    return UM_OK;
  }
  return UM_OK;
}

/* Measures all ways of one question. *best: the fastest's index, or -1. *whole: no way was left out for want of memory. */
static int measure_all(um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const um_way_source *const *source, um_conv_way *ways,
                       int n, int *best, double *best_ms, bool *whole, um_error *err) {
  bench m = {.cuda = cuda};
  um_error why;
  int status = bench_make(&m, cuda, g, pass, err);
  double ms[UM_CONV_WAYS * 3];
  bool saw_trusted = false;

  *best = -1;
  *best_ms = INFINITY;
  *whole = status == UM_OK;
  if (status == UM_ENOMEM) {
    (void)cudaGetLastError();
    bench_free(&m);
    return take_first(cuda, g, source, ways, n, best, err);
  }
  for (int i = 0; i < n && status == UM_OK; i++) {
    bool first_trusted = source[i]->trusted && !saw_trusted;
    ms[i] = INFINITY;
    if (!source[i]->candidate && m.scale != 0) continue;
    if (bench_scratch(&m, ways[i].scratch, &why) != UM_OK) {
      um_log_once(UM_LOG_WARN, "tuner: %s: %s; the next way is taken", ways[i].name, why.text);
      *whole = false;
      continue;
    }
    if (prepare(cuda, g, source[i], &ways[i], &why) != UM_OK || measure(&m, &ways[i], first_trusted, *best_ms, &ms[i], &why) != UM_OK) {
      ms[i] = INFINITY;
      if (why.code == UM_ENUMERIC && m.scale != 0)
        um_log(UM_LOG_WARN, "tuner: %s is left out: %s", ways[i].name, why.text);
      else if (cuda->verbose)
        um_log(UM_LOG_INFO, "  %-32s left out: %s", ways[i].name, why.text);
      /* A fault of the device stays with the process: there is nothing to go on with. */
      if (cudaStreamSynchronize(cuda->compute) != cudaSuccess) status = um_fail(err, UM_EINTERNAL, "%s: %s", ways[i].name, why.text);
      continue;
    }
    saw_trusted |= source[i]->trusted;
    if (source[i]->candidate && ms[i] < *best_ms) {
      *best = i;
      *best_ms = ms[i];
    }
  }
  for (int i = 0; i < n && cuda->verbose && status == UM_OK; i++)
    if (source[i]->candidate && isfinite(ms[i])) um_log(UM_LOG_INFO, "  %-32s %9.4f ms%s", ways[i].name, ms[i], i == *best ? "  <-" : "");
  bench_free(&m);
  return status;
}

int um_cuda_choose_among(um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const um_way_source *sources, int n, um_conv_way *way,
                         um_error *err) {
  um_tuner *t = cuda->tuner;
  um_tuned question = {.conv = *g, .pass = pass, .engine = cuda->engine, .limit = limit_of(cuda)};
  um_conv_way *ways = NULL;
  const um_way_source *source[UM_CONV_WAYS * 3];
  const um_tuned *remembered;
  double start = um_seconds(), ms = 0;
  int count = 0, best = -1, candidates = 0, status;
  bool whole = true;
  char what[160];

  memset(way, 0, sizeof *way);
  if (cuda->recording) return um_fail(err, UM_EINTERNAL, "a convolution cannot be planned while a step is recorded");
  load(cuda);
  describe(what, sizeof what, g, pass);
  remembered = um_tuned_find(&t->file, &question);
  if (remembered && take_remembered(cuda, g, pass, sources, n, remembered, way)) {
    t->counts.remembered++;
    if (cuda->verbose) um_log(UM_LOG_INFO, "%s: %s, %.4f ms (remembered)", what, way->name, remembered->ms);
    return UM_OK;
  }
  ways = calloc(UM_CONV_WAYS * 3, sizeof *ways);
  if (!ways) return um_fail(err, UM_ENOMEM, "no memory for a list of ways");
  if (cuda->verbose) um_log(UM_LOG_INFO, "%s:", what);
  for (int s = 0; s < n; s++) {
    int room = UM_CONV_WAYS * 3 - count, got, most = room < UM_CONV_WAYS ? room : UM_CONV_WAYS;
    got = list_ways(cuda, g, pass, &sources[s], ways + count, most);
    if ((!sources[s].candidate || t->counts.seconds > budget) && got > 1) {
      free_ways(ways + count + 1, got - 1, -1);
      got = 1;
    }
    for (int i = 0; i < got; i++) source[count + i] = &sources[s];
    if (sources[s].candidate) candidates += got;
    count += got;
  }
  status = candidates == 0 ? UM_OK : measure_all(cuda, g, pass, source, ways, count, &best, &ms, &whole, err);
  if (status == UM_OK && best < 0)
    status = um_fail(err, UM_EUNSUPPORTED, "%s: none of %d ways works within %zu bytes of scratch (--verbose says why)", what, candidates,
                     limit_of(cuda));
  if (status == UM_OK) {
    *way = ways[best];
    if (whole && isfinite(ms)) {
      question.ms = ms;
      snprintf(question.name, sizeof question.name, "%s", way->name);
      if (um_tuned_put(&t->file, &question, NULL) == UM_OK) save(cuda);
    }
    t->counts.measured++;
  }
  free_ways(ways, count, status == UM_OK ? best : -1);
  free(ways);
  t->counts.seconds += um_seconds() - start;
  return status;
}

/* The first native way: no measuring, so the same choice on every run and machine of a kind. */
static int choose_native(um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *way, um_error *err) {
  static const um_way_source native = {"native", true, true, um_cuda_native_ways, NULL, NULL};
  um_conv_way ways[UM_CONV_WAYS];
  size_t least = SIZE_MAX;
  int n = list_ways(cuda, g, pass, &native, ways, UM_CONV_WAYS), best = -1;
  char what[160];

  for (int i = 0; i < n && best < 0; i++) {
    if (ways[i].scratch < least) least = ways[i].scratch;
    if (ways[i].scratch <= memory_free()) best = i;
    if (best > 0)
      um_log_once(UM_LOG_WARN, "tuner: %s: no device memory for %zu bytes of scratch; %s is taken", ways[0].name, ways[0].scratch,
                  ways[best].name);
  }
  free_ways(ways, n, best);
  describe(what, sizeof what, g, pass);
  if (best < 0 && n > 0)
    return um_fail(err, UM_ENOMEM, "%s: needs %zu bytes of scratch, the device has %zu free", what, least, memory_free());
  if (best < 0)
    return um_fail(err, UM_EUNSUPPORTED, "%s: no native way needs less than the limit of %zu bytes of scratch", what, limit_of(cuda));
  *way = ways[best];
  return UM_OK;
}

int um_cuda_choose(um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *way, um_error *err) {
  const bool vendors = cuda->engine != UM_ENGINE_NATIVE, ours = cuda->engine != UM_ENGINE_CUDNN;
  const um_way_source sources[] = {{"native", ours, true, um_cuda_native_ways, NULL, NULL},
                                   {"cudnn", vendors, false, um_cudnn_candidates, um_cudnn_prepare, um_cudnn_find},
                                   {"cublaslt", vendors, false, um_cublas_ways, NULL, NULL}};
  char why[256], what[160];
  um_error none;
  int status;

  memset(way, 0, sizeof *way);
  if (cuda->engine == UM_ENGINE_NATIVE) return choose_native(cuda, g, pass, way, err);
  if (cuda->engine == UM_ENGINE_AUTO) return um_cuda_choose_among(cuda, g, pass, sources, 3, way, err);
  if (!cuda->cudnn) {
    um_cudnn *there = um_cudnn_open(cuda, why, sizeof why);
    um_cudnn_close(there);
    return um_fail(err, UM_ECONFIG, "engine cudnn: %s; install cuDNN 9 where the loader finds it, or set engine to auto or native",
                   there ? "the backend was opened without it" : why);
  }
  status = um_cuda_choose_among(cuda, g, pass, sources, 3, way, &none);
  if (status != UM_EUNSUPPORTED) return status == UM_OK ? UM_OK : um_fail(err, status, "%s", none.text);
  describe(what, sizeof what, g, pass);
  um_log_once(UM_LOG_WARN, "engine cudnn: no way of the vendor's for %s; native is taken", what);
  return choose_native(cuda, g, pass, way, err);
}
