/* What the programs of tests/gpu share: their command line, a backend, the count of what passed, pictures that can be learned from, models,
 * and numbers in bf16. They run on a GPU, on the emulated device of tests/cuda_host and, where that makes sense, on the cpu backend. */
#ifndef UM_TESTS_GPU_SUPPORT_GPU_H
#define UM_TESTS_GPU_SUPPORT_GPU_H

#include "core/graph.h"
#include "core/model.h"
#include "tests/support/check.h"

/* ---- the command line and the result ---- */

typedef struct gpu_options {
  const char *program;
  const char *device; /* "cuda", "cuda:N", "cpu", "ref" */
  bool small;         /* shapes for the emulated device: the same paths in seconds */
  int batch;          /* 0: the program's own */
  int steps;          /* 0: the program's own */
  uint64_t seed;
  const char *cache;    /* folder for what engine auto measured; "": nothing is kept */
  const char *json;     /* a file that gets a line of JSON for each measurement, or NULL */
  const char *only;     /* gpu_bench: LAYER/PASS/PRECISION[/WAY], or NULL */
  bool floors;          /* gpu_bench */
  const char *word[16]; /* what is left: names of parts; none: all parts */
  int words;
} gpu_options;

/* --device D --small --batch N --steps N --seed N --cache DIR --json FILE --only PASS --floors WORD...; false (and the usage is printed) where that is not what is there. */
bool gpu_parse(gpu_options *o, const char *words, int argc, char **argv);
bool gpu_wanted(const gpu_options *o, const char *part);

/* Opens the device with an engine. */
int gpu_open(um_backend **out, const gpu_options *o, um_engine engine, um_error *err);

bool gpu_emulated(const um_backend *be);    /* the device of tests/cuda_host */
void gpu_remove_folder(const char *folder); /* with the files in it; folders in it stay */

typedef struct gpu_tally {
  int passed, failed, skipped;
} gpu_tally;

void gpu_begin(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool gpu_end(gpu_tally *t, bool ok); /* of what was begun last; ok comes back */
void gpu_skip(gpu_tally *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
int gpu_finish(const gpu_tally *t); /* prints the sums; the program's exit status */

/* check_fail with err's text; false. */
bool gpu_fail(const char *what, const um_error *err);

const char *gpu_engine_name(um_engine engine);          /* "auto", "native", "cudnn" */
const char *gpu_precision_name(um_precision precision); /* "fp32", "tf32", "bf16" */

/* ---- numbers ---- */

float gpu_from_bf16(uint16_t bits);
float *gpu_room(int64_t n); /* malloc'd; never NULL for n <= 0 */
float *gpu_absolute(const float *x, int64_t n);
void gpu_round_bf16(float *x, int64_t n);

/* Device memory with guards (see check.h) that holds n host floats as f32 or, rounded, bf16, and must not change; NULL where that failed. */
void *gpu_input(check_lab *lab, const float *x, int64_t n, um_dtype dtype, const char *what);
/* The other way. */
bool gpu_output(check_lab *lab, float *x, const void *device, int64_t n, um_dtype dtype);

/* |got - want| <= of_magnitude * magnitude + of_value * |want| for every element (magnitude NULL: |want|), and the norm of the
 * differences at most of_norm times the norm of want. NaN is never close. */
typedef struct gpu_bound {
  double of_magnitude, of_value, of_norm;
} gpu_bound;
bool gpu_near(const char *what, const float *got, const float *want, const float *magnitude, int64_t n, gpu_bound b, double *norm_error);

/* ---- models ---- */

/* VGG16 at side x side (small: four small convolutions), flatten, dense 256 (small: 16) with ReLU, dense 1, sigmoid. */
int gpu_graph(um_graph *g, bool small, int side, um_error *err);
/* The same with the dct backbone in VGG16's place where asked for, and a dropout before each dense layer where its rate is not 0. */
int gpu_graph_of(um_graph *g, bool dct, double dropout, bool small, int side, um_error *err);
/* Initial weights of the seed, the convolutions' scaled by sqrt(2) (He et al. 2015, "Delving deep into rectifiers"): with Glorot's
 * thirteen ReLU layers let next to nothing through. */
int gpu_init(um_model *m, uint64_t seed, um_error *err);

/* Pictures `first` to first + n - 1 of an endless supply, and their labels: waves and noise, redder or less red; the label says
 * which, and lies in one of five, so that no loss falls to nothing and relative differences of losses stay meaningful. */
void gpu_pictures(uint8_t *pixels, float *labels, uint64_t seed, int64_t first, int64_t n, int side);
/* Random transforms for them: turned, moved, sheared, flipped; one in eight passes as it is. */
void gpu_samples(um_warp_sample *sample, uint64_t seed, int64_t first, int64_t n, int side);

/* ---- times ---- */

double gpu_median(double *x, int n); /* sorts x */

#endif
