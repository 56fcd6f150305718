/* inspect: what is in a weights file of any format; and whether two of them hold the same weights. */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/log.h"
#include "weights/source.h"

#ifndef UM_VERSION
#define UM_VERSION "?"
#endif

static const char usage[] = "usage: inspect [options] FILE\n"
                            "       inspect [options] A B\n"
                            "\n"
                            "Lists the tensors of a weights file, whatever its format (found by content):\n"
                            "Keras .h5, .weights.h5 and .keras, safetensors, PyTorch .pt and .pth, ONNX,\n"
                            ".npz; and what a model's file says beside them. Of two files it says whether\n"
                            "they hold the same weights: names are translated and layouts turned, so that\n"
                            "they may be of different formats.\n"
                            "\n"
                            "  --config FILE   the config whose model the weights are for, where neither file\n"
                            "                  carries one (else: VGG16 and the recipe's head)\n"
                            "  --tolerance T   two values are the same when they are at most so far apart (0)\n"
                            "  --help, --version\n"
                            "\n"
                            "Exit status: 0 done, or the two hold the same; 1 they differ, or a file could\n"
                            "not be read; 2 wrong usage.\n";

typedef struct options {
  const char *config;
  double tolerance;
} options;

/* An open file and room for its largest tensor. */
typedef struct opened {
  um_weight_source s;
  int64_t largest;
  float *values, *spare;
} opened;

static void close_opened(opened *f) {
  um_weight_source_close(&f->s);
  free(f->values);
  free(f->spare);
  *f = (opened){0};
}

/* The values of an item; -1 where they cannot be counted, or are more than a file of this size can hold even when it is compressed. */
static int64_t count_of(const um_weight_item *item, int64_t bytes) {
  const int64_t deflate = 1032; /* bytes that one byte of a deflated stream can stand for */
  int64_t n = 1;
  for (int d = 0; d < item->ndim; d++)
    if (item->dim[d] < 0 || __builtin_mul_overflow(n, item->dim[d], &n)) return -1;
  return n / deflate <= bytes ? n : -1;
}

static int open_file(opened *f, const char *path, const um_graph *graph, um_error *err) {
  struct stat st;
  int status = um_weight_source_open(&f->s, path, graph, 1, err);
  if (status) return status;
  if (stat(path, &st) != 0) st.st_size = 0;
  f->largest = 1;
  for (int i = 0; i < f->s.count; i++) {
    const int64_t n = count_of(&f->s.item[i], st.st_size);
    if (n < 0) {
      status = um_fail(err, UM_EFORMAT, "%s: %s: is said to have more values than the file can hold", path, f->s.item[i].from);
      um_weight_source_close(&f->s);
      return status;
    }
    if (n > f->largest) f->largest = n;
  }
  /* Some readers work in another process and need to know how much will be asked for. */
  um_weight_source_close(&f->s);
  if ((status = um_weight_source_open(&f->s, path, graph, f->largest, err))) return status;
  f->values = malloc(sizeof *f->values * (size_t)f->largest);
  f->spare = malloc(sizeof *f->spare * (size_t)f->largest);
  if (f->values && f->spare) return UM_OK;
  close_opened(f);
  return um_fail(err, UM_ENOMEM, "%s: no memory for a tensor of %" PRId64 " values", path, f->largest);
}

/* What of a tensor is shown. The checksum is of its values as f32 in our layout: the same in every format. */
static int print_item(opened *f, int i, um_error *err) {
  const um_weight_item *item = &f->s.item[i];
  const int64_t n = count_of(item, INT64_MAX);
  char shape[96], hex[65];
  double low = INFINITY, high = -INFINITY, sum = 0;
  int64_t nans = 0;
  um_digest d;
  int status = um_weight_read(&f->s, i, f->values, f->spare, n, err);
  if (status) return status;
  for (int64_t k = 0; k < n; k++) {
    const double v = f->values[k];
    if (isnan(v)) {
      nans++;
      continue;
    }
    low = fmin(low, v), high = fmax(high, v), sum += v;
  }
  um_sha256_begin(&d);
  um_digest_add(&d, f->values, sizeof *f->values * (size_t)n);
  um_sha256_end(&d, hex);
  um_weight_shape_text(shape, sizeof shape, item->dim, item->ndim);
  printf("%-34s %-16s %-5s", item->name, shape, item->dtype);
  if (n > nans)
    printf(" %11.4g %11.4g %11.4g", low, high, sum / (double)(n - nans));
  else
    printf(" %11s %11s %11s", "-", "-", "-");
  printf(" %5" PRId64 "  %.12s\n", nans, hex);
  if (strcmp(item->name, item->from) != 0) printf("    as %s\n", item->from);
  return UM_OK;
}

/* Which thresholds its verdicts have, of a file that says what scoring must know. */
static void print_calibration(um_weight_source *s) {
  um_graph graph = {0};
  um_preprocess p = {0};
  um_error why;
  unsigned said = 0;
  char text[512];
  if (!s->model || s->model(s, &graph, &p, &said, &why)) return;
  if (said & UM_SAYS_PREPROCESS) printf("calibration: %s\n", um_calibration_text(text, sizeof text, &p.calibration));
  um_graph_free(&graph);
}

static int inspect_one(const char *path, um_error *err) {
  opened f = {0};
  int64_t total = 0;
  int status = open_file(&f, path, NULL, err);
  if (status) return status;
  printf("%s: %s\n", path, f.s.kind);
  if (f.s.note[0]) printf("note: %s\n", f.s.note);
  print_calibration(&f.s);
  printf("%-34s %-16s %-5s %11s %11s %11s %5s  %s\n", "tensor", "shape", "type", "min", "max", "mean", "NaN", "SHA-256");
  for (int i = 0; i < f.s.count && !status; i++) {
    status = print_item(&f, i, err);
    total += count_of(&f.s.item[i], INT64_MAX);
  }
  if (!status) printf("%d tensors, %" PRId64 " values\n", f.s.count, total);
  close_opened(&f);
  return status;
}

/* The graph that tells what the names of both files mean: of either of them, of the config, or the recipe's. */
static int find_graph(um_graph *graph, const char *const path[2], const options *o, um_error *err) {
  um_config config;
  int status;
  for (int k = 0; k < 2 && !o->config; k++) {
    um_weight_source s = {0};
    um_preprocess p = {0};
    unsigned said;
    um_error why = {0};
    if ((status = um_weight_source_open(&s, path[k], NULL, 1, err))) return status;
    status = s.model ? s.model(&s, graph, &p, &said, &why) : UM_EUNSUPPORTED;
    um_weight_source_close(&s);
    if (!status) return status;
  }
  status = o->config ? um_config_load(&config, o->config, NULL, 0, err) : um_config_parse(&config, "{}", "the recipe", NULL, 0, err);
  if (status) return status;
  status = um_config_graph(graph, NULL, &config, err);
  um_config_free(&config);
  return status;
}

static int find_item(const um_weight_source *s, const char *name) {
  for (int i = 0; i < s->count; i++)
    if (strcmp(s->item[i].name, name) == 0) return i;
  return -1;
}

/* One tensor of A against B's of the same name; *differs where they are not the same. */
static int compare_item(opened *a, int i, opened *b, double tolerance, bool *differs, um_error *err) {
  const um_weight_item *x = &a->s.item[i];
  const int k = find_item(&b->s, x->name);
  int64_t dim[2][UM_WEIGHT_MAX_DIMS], n = count_of(x, INT64_MAX), off = 0;
  int ndim[2], status;
  char text[2][96];
  double worst = 0;
  *differs = true;
  if (k < 0) {
    printf("%-34s only in %s\n", x->name, a->s.path);
    return UM_OK;
  }
  const um_weight_item *y = &b->s.item[k];
  bool same = um_weight_shape(x, &ndim[0], dim[0]) && um_weight_shape(y, &ndim[1], dim[1]) && ndim[0] == ndim[1];
  for (int d = 0; same && d < ndim[0]; d++) same = dim[0][d] == dim[1][d];
  if (!same) {
    printf("%-34s %s and %s\n", x->name, um_weight_shape_text(text[0], sizeof text[0], dim[0], ndim[0]),
           um_weight_shape_text(text[1], sizeof text[1], dim[1], ndim[1]));
    return UM_OK;
  }
  if ((status = um_weight_read(&a->s, i, a->values, a->spare, n, err))) return status;
  if ((status = um_weight_read(&b->s, k, b->values, b->spare, n, err))) return status;
  for (int64_t v = 0; v < n; v++) {
    const double distance = fabs((double)a->values[v] - b->values[v]);
    const bool equal = distance <= tolerance || (isnan(a->values[v]) && isnan(b->values[v]));
    off += !equal;
    if (!equal && !(distance <= worst)) worst = distance;
  }
  *differs = off > 0;
  if (off) printf("%-34s %" PRId64 " of %" PRId64 " values differ, by at most %.4g\n", x->name, off, n, worst);
  return UM_OK;
}

/* True where the name is a parameter's of the graph: LAYER/kernel, LAYER/bias or LAYER/alpha. Files hold other things too (a run's optimizer state,
 * constants of the preprocessing), which say nothing of whether two models are the same. */
static bool is_parameter(const um_graph *graph, const char *name) {
  char layer[256];
  const char *slash = strrchr(name, '/');
  if (!slash || (strcmp(slash, "/kernel") != 0 && strcmp(slash, "/bias") != 0 && strcmp(slash, "/alpha") != 0)) return false;
  snprintf(layer, sizeof layer, "%.*s", (int)(slash - name), name);
  return um_graph_find(graph, layer) >= 0;
}

static int compare_all(opened f[2], const um_graph *graph, double tolerance, bool *differ, um_error *err) {
  int differing = 0, same = 0, others = 0, status = UM_OK;
  for (int i = 0; !status && i < f[0].s.count; i++) {
    bool differs;
    if (!is_parameter(graph, f[0].s.item[i].name)) {
      others++;
      continue;
    }
    status = compare_item(&f[0], i, &f[1], tolerance, &differs, err);
    differing += differs, same += !differs;
  }
  for (int i = 0; !status && i < f[1].s.count; i++) {
    const char *name = f[1].s.item[i].name;
    if (!is_parameter(graph, name)) {
      others++;
    } else if (find_item(&f[0].s, name) < 0) {
      printf("%-34s only in %s\n", name, f[1].s.path);
      differing++;
    }
  }
  *differ = differing > 0;
  if (status) return status;
  if (others) printf("not compared: %d tensors that are no parameters of the model (a run's state, constants, other layers)\n", others);
  if (differing)
    printf("%d tensors are the same, %d are not\n", same, differing);
  else
    printf("the same: %d tensors\n", same);
  if (same + differing == 0)
    return um_fail(err, UM_EFORMAT, "%s and %s have no parameter of this model; --config says which model they are for", f[0].s.path,
                   f[1].s.path);
  return UM_OK;
}

static int inspect_two(const char *const path[2], const options *o, bool *differ, um_error *err) {
  opened f[2];
  um_graph graph = {0};
  memset(f, 0, sizeof f);
  int status = find_graph(&graph, path, o, err);
  for (int k = 0; k < 2 && !status; k++) {
    status = open_file(&f[k], path[k], &graph, err);
    if (!status) printf("%c  %s: %s\n", 'A' + k, path[k], f[k].s.kind);
  }
  if (!status) status = compare_all(f, &graph, o->tolerance, differ, err);
  for (int k = 0; k < 2; k++) close_opened(&f[k]);
  um_graph_free(&graph);
  return status;
}

int main(int argc, char **argv) {
  static const struct option known[] = {
      {"config", 1, 0, 'c'}, {"tolerance", 1, 0, 't'}, {"help", 0, 0, 'h'}, {"version", 0, 0, 'v'}, {0, 0, 0, 0}};
  options o = {0};
  um_error err = {0};
  bool differ = false;
  char *end;
  um_log_open("inspect", UM_LOG_INFO);
  for (int key; (key = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (key) {
    case 'c': o.config = optarg; break;
    case 't':
      o.tolerance = strtod(optarg, &end);
      if (end != optarg && !*end && o.tolerance >= 0) break;
      um_log(UM_LOG_ERROR, "--tolerance: expected a number from 0 on, got \"%s\"", optarg);
      return 2;
    case 'h': fputs(usage, stdout); return 0;
    case 'v': puts("inspect (unmask) " UM_VERSION); return 0;
    default: um_log(UM_LOG_ERROR, "see inspect --help"); return 2;
    }
  if (argc - optind != 1 && argc - optind != 2) {
    um_log(UM_LOG_ERROR, "expected one file, or two to compare, got %d; see inspect --help", argc - optind);
    return 2;
  }
  const char *const path[2] = {argv[optind], argv[argc - 1]};
  int rc = argc - optind == 1 ? inspect_one(path[0], &err) : inspect_two(path, &o, &differ, &err);
  if (rc) um_log(UM_LOG_ERROR, "%s", err.text);
  return rc ? um_exit_status(rc) : differ;
}
