/* What the tuner remembers: a text file for each machine.
 *
 *   unmask tuner 2
 *   <the key: a line each for our version, the device, its driver and libraries>
 *   -
 *   N,H,W,C,K,P,Q,R,S,stride,stride,pad,pad,precision,activation,pass,engine,limit,ms,way
 *   ...
 *   sum <FNV-1a of all before this line, 16 hex digits>
 *
 * The file's name holds the key's hash, so machines that share a home folder do not meet. Nothing in the file is trusted: whatever is
 * not exactly as written above makes the whole file worthless, and an answer only ever names a way, which must still be offered. */
#include "cuda/tune.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

static const char head[] = "unmask tuner 2\n";
enum { LINE = 512, FILE_MAX = 1 << 20 };

static uint64_t fnv(const char *data, size_t size) {
  uint64_t h = 14695981039346656037u;

  for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)data[i]) * 1099511628211u;
  return h;
}

void um_tuned_path(um_tuned_file *f, const char *cache_dir) {
  char folder[3800];
  const char *base;

  f->path[0] = 0;
  if (cache_dir) {
    if (!cache_dir[0] || strlen(cache_dir) >= sizeof folder) return;
    snprintf(folder, sizeof folder, "%s", cache_dir);
  } else if ((base = getenv("XDG_CACHE_HOME")) && base[0] == '/' && strlen(base) < sizeof folder - 16) {
    snprintf(folder, sizeof folder, "%s/unmask", base);
  } else if ((base = getenv("HOME")) && base[0] && strlen(base) < sizeof folder - 32) {
    snprintf(folder, sizeof folder, "%s/.cache/unmask", base);
  } else {
    return;
  }
  snprintf(f->path, sizeof f->path, "%s/cuda-%016" PRIx64 ".tune", folder, fnv(f->key, strlen(f->key)));
}

static bool same_question(const um_tuned *a, const um_tuned *b) {
  const um_cuda_conv *x = &a->conv, *y = &b->conv;

  return x->N == y->N && x->H == y->H && x->W == y->W && x->C == y->C && x->K == y->K && x->P == y->P && x->Q == y->Q && x->R == y->R &&
         x->S == y->S && x->stride[0] == y->stride[0] && x->stride[1] == y->stride[1] && x->pad[0] == y->pad[0] && x->pad[1] == y->pad[1] &&
         x->precision == y->precision && x->activation == y->activation && a->pass == b->pass && a->engine == b->engine &&
         a->limit == b->limit;
}

const um_tuned *um_tuned_find(const um_tuned_file *f, const um_tuned *like) {
  for (int i = 0; i < f->count; i++)
    if (same_question(&f->entry[i], like)) return &f->entry[i];
  return NULL;
}

int um_tuned_put(um_tuned_file *f, const um_tuned *t, um_error *err) {
  for (int i = 0; i < f->count; i++) {
    if (same_question(&f->entry[i], t)) {
      f->entry[i] = *t;
      return UM_OK;
    }
  }
  if (f->count == UM_TUNED_MAX) {
    /* The oldest goes: nobody has that many layers. */
    memmove(f->entry, f->entry + 1, (UM_TUNED_MAX - 1) * sizeof *f->entry);
    f->entry[UM_TUNED_MAX - 1] = *t;
    return UM_OK;
  }
  if (f->count == f->capacity) {
    int capacity = f->capacity ? 2 * f->capacity : 64;
    um_tuned *grown = realloc(f->entry, (size_t)capacity * sizeof *grown);
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for %d measured answers", capacity);
    f->entry = grown;
    f->capacity = capacity;
  }
  f->entry[f->count++] = *t;
  return UM_OK;
}

void um_tuned_free(um_tuned_file *f) {
  free(f->entry);
  f->entry = NULL;
  f->count = f->capacity = 0;
}

/* One whole number in [low, high] and the character after it; NULL where that is not what stands there. */
static const char *whole(const char *p, int64_t low, int64_t high, char after, int64_t *out) {
  int64_t v = 0;
  int digits = 0;

  for (; *p >= '0' && *p <= '9'; p++) {
    if (++digits > 18) return NULL;
    v = 10 * v + (*p - '0');
  }
  if (!digits || *p != after || v < low || v > high) return NULL;
  *out = v;
  return p + 1;
}

/* An answer from a line (without its newline). */
static bool parse_line(um_tuned *t, const char *line) {
  enum { NUMBERS = 18 };
  static const int64_t high[NUMBERS] = {INT32_MAX, INT32_MAX,         INT32_MAX,   INT32_MAX,          INT32_MAX,       INT32_MAX,
                                        INT32_MAX, INT32_MAX,         INT32_MAX,   INT32_MAX,          INT32_MAX,       INT32_MAX,
                                        INT32_MAX, UM_PRECISION_BF16, UM_ACT_RELU, UM_CONV_PASSES - 1, UM_ENGINE_CUDNN, INT64_MAX};
  int64_t v[NUMBERS];
  const char *p = line;
  size_t length;
  char *end;

  memset(t, 0, sizeof *t);
  for (int i = 0; i < NUMBERS; i++) {
    p = whole(p, i < 11 ? 1 : 0, high[i], ',', &v[i]);
    if (!p) return false;
  }
  t->conv = (um_cuda_conv){.N = (int)v[0],
                           .H = (int)v[1],
                           .W = (int)v[2],
                           .C = (int)v[3],
                           .K = (int)v[4],
                           .P = (int)v[5],
                           .Q = (int)v[6],
                           .R = (int)v[7],
                           .S = (int)v[8],
                           .stride = {(int)v[9], (int)v[10]},
                           .pad = {(int)v[11], (int)v[12]},
                           .precision = (um_precision)v[13],
                           .activation = (um_activation)v[14]};
  t->pass = (um_conv_pass)v[15];
  t->engine = (um_engine)v[16];
  t->limit = (size_t)v[17];
  if (*p < '0' || *p > '9') return false;
  t->ms = strtod(p, &end);
  if (*end != ',' || !(t->ms >= 0 && t->ms < 1e9)) return false;
  p = end + 1;
  length = strlen(p);
  if (length == 0 || length >= sizeof t->name) return false;
  for (size_t i = 0; i < length; i++)
    if (p[i] < ' ' || p[i] > '~' || p[i] == ',') return false;
  memcpy(t->name, p, length + 1);
  return true;
}

/* Adds the answers of a file's text (size bytes and a zero) that f does not have. text is taken apart. */
static int parse(um_tuned_file *f, char *text, size_t size, um_error *err) {
  um_tuned_file read = {.count = 0};
  size_t h = strlen(head), k = strlen(f->key);
  char *last, *line, sum[32];
  int status = UM_OK;

  if (strlen(text) != size || size < h + k + 3 || memcmp(text, head, h) != 0)
    return um_fail(err, UM_EFORMAT, "%s: not a file of this version's tuner", f->path);
  if (memcmp(text + h, f->key, k) != 0 || memcmp(text + h + k, "-\n", 2) != 0)
    return um_fail(err, UM_EFORMAT, "%s: was measured on another machine, or with another driver or library", f->path);
  for (last = text + size - 1; last > text && last[-1] != '\n'; last--) {}
  snprintf(sum, sizeof sum, "sum %016" PRIx64 "\n", fnv(text, (size_t)(last - text)));
  if (strcmp(last, sum) != 0) return um_fail(err, UM_EFORMAT, "%s: damaged: the checksum does not fit", f->path);
  *last = 0;
  for (line = text + h + k + 2; *line && status == UM_OK;) {
    char *newline = strchr(line, '\n');
    um_tuned t;
    if (newline) *newline = 0;
    if (!newline || newline - line >= LINE || read.count >= UM_TUNED_MAX || !parse_line(&t, line))
      status = um_fail(err, UM_EFORMAT, "%s: damaged: found \"%.60s\", expected an answer of the tuner", f->path, line);
    else
      status = um_tuned_put(&read, &t, err);
    if (newline) line = newline + 1;
  }
  for (int i = 0; i < read.count && status == UM_OK; i++)
    if (!um_tuned_find(f, &read.entry[i])) status = um_tuned_put(f, &read.entry[i], err);
  um_tuned_free(&read);
  return status;
}

int um_tuned_load(um_tuned_file *f, um_error *err) {
  char *text = NULL;
  size_t size;
  int status;

  if (!f->path[0] || !um_is_file(f->path)) return UM_OK;
  status = um_file_read(&text, &size, f->path, FILE_MAX, err);
  if (status == UM_OK) status = parse(f, text, size, err);
  free(text);
  return status;
}

int um_tuned_save(um_tuned_file *f, um_error *err) {
  char folder[sizeof f->path], *text = NULL;
  size_t capacity, used;
  um_writer w;
  um_error ignored;
  int status;

  if (!f->path[0]) return UM_OK;
  snprintf(folder, sizeof folder, "%s", f->path);
  *strrchr(folder, '/') = 0;
  status = um_mkdirs(folder[0] ? folder : "/", err);
  if (status != UM_OK) return status;
  (void)um_tuned_load(f, &ignored); /* what is worthless there is written over */
  capacity = strlen(head) + strlen(f->key) + (size_t)f->count * LINE + 64;
  text = malloc(capacity);
  if (!text) return um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes", f->path, capacity);
  used = (size_t)snprintf(text, capacity, "%s%s-\n", head, f->key);
  for (int i = 0; i < f->count; i++) {
    const um_tuned *t = &f->entry[i];
    const um_cuda_conv *g = &t->conv;
    used += (size_t)snprintf(text + used, capacity - used, "%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%zu,%.6f,%s\n", g->N, g->H,
                             g->W, g->C, g->K, g->P, g->Q, g->R, g->S, g->stride[0], g->stride[1], g->pad[0], g->pad[1], (int)g->precision,
                             (int)g->activation, (int)t->pass, (int)t->engine, t->limit, t->ms, t->name);
  }
  used += (size_t)snprintf(text + used, capacity - used, "sum %016" PRIx64 "\n", fnv(text, used));
  status = um_writer_open(&w, f->path, err);
  if (status == UM_OK) {
    fwrite(text, 1, used, w.file); /* a short write shows in commit */
    status = um_writer_commit(&w, err);
  }
  free(text);
  return status;
}
