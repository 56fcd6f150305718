#include "ops_more.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers.h"

typedef struct context {
  um_backend *be, *cpu;
  const gpu_options *o;
  check_dice dice;
  um_precision precision; /* now */
  bool vendor;            /* the engine may take others' algorithms */
} context;

static bool bf16(const context *c) { return c->precision == UM_PRECISION_BF16; }

/* Random numbers that the device can hold. */
static float *random_values(context *c, int64_t n, double low, double high) {
  float *x = check_floats(&c->dice, n, low, high);
  if (x && bf16(c)) gpu_round_bf16(x, n);
  return x;
}

/* The description for the device: its precision, its type of activations. */
static um_op_desc of_device(const context *c, const um_op_desc *d) {
  const um_dtype type = bf16(c) ? UM_BF16 : UM_F32;
  um_op_desc mine = *d;
  mine.precision = c->precision;
  mine.algorithm = UM_ALGO_AUTO;
  mine.x[0] = um_tensor_plain(type, d->x[0].ndim, d->x[0].dim);
  mine.y = um_tensor_plain(type, d->y.ndim, d->y.dim);
  return mine;
}

/* ---- convolutions and dense layers ---- */

typedef struct linear_shape {
  const char *name;
  int batch, height, width, in, out, kernel, stride;
  bool same;    /* padding as Keras' "same"; else none */
  bool forward; /* the network is only ever run forward */
} linear_shape;

static const linear_shape linear[] = {
    /* dct at 128x128 */
    {"dct", 32, 128, 128, 3, 16, 4, 2, true, false},
    {"dct block0_conv", 32, 64, 64, 16, 32, 3, 1, true, false},
    {"dct block1_conv", 32, 64, 64, 32, 32, 3, 2, true, false},
    {"dct block1", 32, 32, 32, 32, 32, 3, 1, true, false},
    {"dct block2_conv", 32, 32, 32, 32, 64, 3, 2, true, false},
    {"dct block2", 32, 16, 16, 64, 64, 3, 1, true, false},
    {"dct block3_conv", 32, 16, 16, 64, 128, 3, 2, true, false},
    {"dct block3", 32, 8, 8, 128, 128, 3, 1, true, false},
    {"dct reduce", 32, 8, 8, 128, 16, 1, 1, true, false},
    /* PNet on a level of a 1920x1080 frame; odd sides on purpose */
    {"pnet conv1", 1, 431, 767, 3, 10, 3, 1, false, true},
    {"pnet conv2", 1, 214, 382, 10, 16, 3, 1, false, true},
    {"pnet conv3", 1, 212, 380, 16, 32, 3, 1, false, true},
    {"pnet conv4_1", 1, 210, 378, 32, 2, 1, 1, false, true},
    {"pnet conv4_2", 1, 210, 378, 32, 4, 1, 1, false, true},
    /* RNet and ONet on crops */
    {"rnet conv1", 64, 24, 24, 3, 28, 3, 1, false, true},
    {"rnet conv2", 64, 11, 11, 28, 48, 3, 1, false, true},
    {"rnet conv3", 64, 4, 4, 48, 64, 2, 1, false, true},
    {"rnet dense4", 64, 1, 1, 576, 128, 1, 1, false, true},
    {"rnet dense5_1", 64, 1, 1, 128, 2, 1, 1, false, true},
    {"onet conv1", 64, 48, 48, 3, 32, 3, 1, false, true},
    {"onet conv2", 64, 23, 23, 32, 64, 3, 1, false, true},
    {"onet conv3", 64, 10, 10, 64, 64, 3, 1, false, true},
    {"onet conv4", 64, 4, 4, 64, 128, 2, 1, false, true},
    {"onet dense5", 64, 1, 1, 1152, 256, 1, 1, false, true},
    {"onet dense6_3", 64, 1, 1, 256, 10, 1, 1, false, true},
};

/* For the emulated device: few pictures, small maps, the channels as they are. */
static linear_shape smaller(linear_shape s) {
  s.batch = s.batch > 2 ? 2 : 1;
  s.height = s.height > 11 ? 7 + s.height % 4 : s.height;
  s.width = s.width > 11 ? 7 + s.width % 4 : s.width;
  return s;
}

static um_op_desc describe(const linear_shape *s) {
  um_op_desc d = {.kind = UM_OP_CONV2D, .activation = UM_ACT_RELU, .algorithm = UM_ALGO_DIRECT, .n_inputs = 1};
  const int in[2] = {s->height, s->width};
  int out[2];
  d.passes = UM_PASS_FORWARD | (s->forward ? 0 : UM_PASS_BACKWARD_DATA | UM_PASS_BACKWARD_WEIGHTS);
  if (s->height == 1 && s->width == 1) {
    d.kind = UM_OP_DENSE;
    d.x[0] = um_tensor_plain(UM_F32, 2, (int64_t[]){s->batch, s->in});
    d.y = um_tensor_plain(UM_F32, 2, (int64_t[]){s->batch, s->out});
    return d;
  }
  for (int i = 0; i < 2; i++) {
    out[i] = s->same ? (in[i] + s->stride - 1) / s->stride : (in[i] - s->kernel) / s->stride + 1;
    const int pad = s->same ? (out[i] - 1) * s->stride + s->kernel - in[i] : 0, whole = pad > 0 ? pad : 0;
    d.window.kernel[i] = s->kernel, d.window.stride[i] = s->stride;
    d.window.pad_before[i] = whole / 2, d.window.pad_after[i] = whole - whole / 2;
  }
  d.x[0] = um_tensor_plain(UM_F32, 4, (int64_t[]){s->batch, s->height, s->width, s->in});
  d.y = um_tensor_plain(UM_F32, 4, (int64_t[]){s->batch, out[0], out[1], s->out});
  return d;
}

enum { Y, DX, DW, DB, OUTPUTS };

/* A layer's outputs on a backend; *status as check_run's. */
static int run(um_backend *be, const um_op_desc *d, float *const in[4], float *const out[OUTPUTS]) {
  check_operands o = {.x = {in[0]}, .w = in[1], .b = in[2], .y = out[Y], .raw = true};
  if (d->passes != UM_PASS_FORWARD) o.dy = in[3], o.dx[0] = out[DX], o.dw = out[DW], o.db = out[DB];
  return check_run(be, d, &o, NULL);
}

/* Against the cpu backend in fp32, direct, and the sums of absolute values that it gives. */
static bool layer(context *c, const linear_shape *s) {
  static const char *const name[OUTPUTS] = {"y", "dx", "dw", "db"};
  um_op_desc d = describe(s), plain = d, mine = of_device(c, &d);
  const int64_t w = (int64_t)s->kernel * s->kernel * s->in * s->out;
  const int64_t in[4] = {um_tensor_count(&d.x[0]), w, s->out, um_tensor_count(&d.y)}, out[OUTPUTS] = {in[3], in[0], w, s->out};
  float *given[4] = {0}, *size[4] = {0}, *want[OUTPUTS] = {0}, *magnitude[OUTPUTS] = {0}, *got[OUTPUTS] = {0};
  bool ok = true;
  for (int i = 0; i < 4; i++) {
    given[i] = i == 2 ? check_floats(&c->dice, in[i], -1, 1) : random_values(c, in[i], -1, 1);
    size[i] = given[i] ? gpu_absolute(given[i], in[i]) : NULL;
    want[i] = gpu_room(out[i]), magnitude[i] = gpu_room(out[i]), got[i] = gpu_room(out[i]);
    ok = ok && given[i] && size[i] && want[i] && magnitude[i] && got[i];
  }
  plain.activation = UM_ACT_NONE;
  ok = ok && run(c->cpu, &d, given, want) == UM_OK && run(c->cpu, &plain, size, magnitude) == UM_OK &&
       run(c->be, &mine, given, got) == UM_OK;
  for (int k = 0; k < (s->forward ? 1 : OUTPUTS) && ok; k++) {
    const int pass = k == Y ? GPU_FORWARD : k == DX ? GPU_BACKWARD_DATA : GPU_BACKWARD_WEIGHTS;
    const int64_t taps = (int64_t)s->kernel * s->kernel, products = k == Y ? taps * s->in : k == DX ? taps * s->out : in[3] / s->out;
    gpu_bound bound = k == DB ? (gpu_bound){2e-6, 0, 1e-4} : gpu_pass_bound(c->precision, c->vendor, pass, products);
    bound.of_norm *= 1 + 4 / sqrt((double)out[k]); /* of few values a norm is no mean */
    ok = gpu_near(name[k], got[k], want[k], magnitude[k], out[k], bound, NULL);
  }
  for (int i = 0; i < 4; i++) free(given[i]), free(size[i]), free(want[i]), free(magnitude[i]), free(got[i]);
  return ok || check_fail("%s: %dx%dx%dx%d to %d, kernel %d, stride %d", s->name, s->batch, s->height, s->width, s->in, s->out, s->kernel,
                          s->stride);
}

static bool layers(context *c) {
  for (size_t i = 0; i < sizeof linear / sizeof *linear; i++) {
    const linear_shape s = c->o->small ? smaller(linear[i]) : linear[i];
    if (!layer(c, &s)) return false;
  }
  return true;
}

/* ---- PReLU, softmax, dropout ---- */

typedef struct shape {
  int ndim;
  int64_t dim[4];
} shape;

/* A tensor of this shape; on the emulated device with small maps. */
static um_tensor form(const context *c, const shape *s) {
  int64_t dim[4];
  memcpy(dim, s->dim, sizeof dim);
  for (int i = 0; i < s->ndim - 1 && c->o->small; i++) dim[i] = 1 + dim[i] % 7;
  return um_tensor_plain(UM_F32, s->ndim, dim);
}

/* The op on both, with dy. seen: softmax' y for the slope, as the device can hold it. */
typedef struct point {
  float *x, *alpha, *dy, *seen;
  float *want[3], *got[3]; /* y, dx, dalpha */
  int64_t count, channels;
} point;

static bool point_run(context *c, point *p, um_op_desc *d, const shape *s, int64_t step) {
  d->x[0] = d->y = form(c, s);
  d->n_inputs = 1;
  d->passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_DATA | (d->kind == UM_OP_PRELU ? UM_PASS_BACKWARD_WEIGHTS : 0);
  p->count = um_tensor_count(&d->y), p->channels = s->dim[s->ndim - 1];
  p->x = random_values(c, p->count, -3, 3), p->dy = random_values(c, p->count, -1, 1),
  p->alpha = check_floats(&c->dice, p->channels, -0.5, 1);
  bool ok = p->x && p->dy && p->alpha;
  for (int i = 0; i < 3; i++) {
    p->want[i] = gpu_room(i < 2 ? p->count : p->channels), p->got[i] = gpu_room(i < 2 ? p->count : p->channels);
    ok = ok && p->want[i] && p->got[i];
  }
  const um_op_desc mine = of_device(c, d);
  check_operands o = {.x = {p->x}, .w = p->alpha, .dy = p->dy, .y = p->want[0], .dx = {p->want[1]}, .dw = p->want[2], .step = step};
  if (ok && d->kind == UM_OP_SOFTMAX) { /* the slope of a y that the device can hold */
    ok = check_run(c->cpu, d, &o, NULL) == UM_OK && (p->seen = gpu_room(p->count));
    if (ok) memcpy(p->seen, p->want[0], sizeof *p->seen * (size_t)p->count);
    if (ok && bf16(c)) gpu_round_bf16(p->seen, p->count);
    o.y_seen = p->seen;
  }
  ok = ok && check_run(c->cpu, d, &o, NULL) == UM_OK;
  o.y = p->got[0], o.dx[0] = p->got[1], o.dw = p->got[2];
  return ok && check_run(c->be, &mine, &o, NULL) == UM_OK;
}

static void point_free(point *p) {
  free(p->x), free(p->alpha), free(p->dy), free(p->seen);
  for (int i = 0; i < 3; i++) free(p->want[i]), free(p->got[i]);
  *p = (point){0};
}

static bool of_shapes(context *c, const shape *s, int count, bool (*check)(context *, const shape *)) {
  for (int i = 0; i < count; i++)
    if (!check(c, &s[i])) return check_fail("%dx%dx%dx%d", (int)s[i].dim[0], (int)s[i].dim[1], (int)s[i].dim[2], (int)s[i].dim[3]);
  return true;
}

static bool prelu_of(context *c, const shape *s) {
  um_op_desc d = {.kind = UM_OP_PRELU};
  const gpu_bound once = bf16(c) ? (gpu_bound){0, 0.004, 0.003} : (gpu_bound){0, 1e-7, 1e-7}; /* one product, rounded once */
  point p = {0};
  bool ok = point_run(c, &p, &d, s, 0);
  float *magnitude = calloc((size_t)p.channels, sizeof *magnitude);
  for (int64_t i = 0; i < p.count && ok && magnitude; i++)
    if (p.x[i] <= 0) magnitude[i % p.channels] += fabsf(p.x[i] * p.dy[i]);
  ok = ok && magnitude && gpu_near("y", p.got[0], p.want[0], NULL, p.count, once, NULL) &&
       gpu_near("dx", p.got[1], p.want[1], NULL, p.count, once, NULL) &&
       gpu_near("dalpha", p.got[2], p.want[2], magnitude, p.channels, (gpu_bound){2e-6, 0, 1e-3}, NULL); /* sums of both signs */
  free(magnitude);
  point_free(&p);
  return ok;
}

static bool prelus(context *c) {
  static const shape s[] = {{4, {1, 429, 765, 10}}, {4, {1, 212, 380, 16}}, {4, {1, 210, 378, 32}}, {4, {64, 22, 22, 28}},
                            {4, {64, 9, 9, 48}},    {4, {64, 3, 3, 64}},    {4, {64, 46, 46, 32}},  {4, {64, 3, 3, 128}},
                            {2, {64, 256}},         {4, {10, 150, 150, 64}}};
  return of_shapes(c, s, sizeof s / sizeof *s, prelu_of);
}

static bool softmax_of(context *c, const shape *s) {
  um_op_desc d = {.kind = UM_OP_SOFTMAX};
  const gpu_bound near = bf16(c) ? (gpu_bound){4e-6, 0.004, 0.003} : (gpu_bound){0, 4e-6, 2e-6}; /* expf, and a sum */
  point p = {0};
  bool ok = point_run(c, &p, &d, s, 0);
  float *magnitude = gpu_room(p.count);
  for (int64_t row = 0; row < p.count && ok && magnitude; row += p.channels) { /* dx = y (dy - sum of dy y) */
    double all = 0;
    for (int64_t i = row; i < row + p.channels; i++) all += fabs((double)p.dy[i] * p.seen[i]);
    for (int64_t i = row; i < row + p.channels; i++) magnitude[i] = (float)(p.seen[i] * (fabs((double)p.dy[i]) + all));
  }
  ok = ok && magnitude && gpu_near("y", p.got[0], p.want[0], NULL, p.count, near, NULL) &&
       gpu_near("dx", p.got[1], p.want[1], magnitude, p.count, (gpu_bound){4e-6, bf16(c) ? 0.004 : 0, bf16(c) ? 0.003 : 4e-6}, NULL);
  free(magnitude);
  point_free(&p);
  return ok;
}

static bool softmaxes(context *c) {
  static const shape s[] = {{4, {1, 210, 378, 2}}, {2, {64, 2}}, {2, {10, 1000}}, {2, {33, 8192}}};
  return of_shapes(c, s, sizeof s / sizeof *s, softmax_of);
}

/* The same elements as on the cpu backend, to the bit; as many as the rate says; other ones in another step. */
static bool dropout_of(context *c, const shape *s) {
  static const double rate[] = {0.5, 0.3};
  bool ok = true;
  for (int i = 0; i < 2 && ok; i++) {
    um_op_desc d = {.kind = UM_OP_DROPOUT, .rate = rate[i], .seed = c->o->seed + 77, .node = 5};
    point p[2] = {{0}};
    int64_t kept = 0, moved = 0, there = 0;
    for (int k = 0; k < 2 && ok; k++) ok = point_run(c, &p[k], &d, s, 7 + k);
    for (int k = 0; k < 2 && ok; k++) {
      if (bf16(c)) gpu_round_bf16(p[k].want[0], p[k].count), gpu_round_bf16(p[k].want[1], p[k].count);
      ok = gpu_near("y", p[k].got[0], p[k].want[0], NULL, p[k].count, (gpu_bound){0, 0, 0}, NULL) &&
           gpu_near("dx", p[k].got[1], p[k].want[1], NULL, p[k].count, (gpu_bound){0, 0, 0}, NULL);
    }
    for (int64_t j = 0; j < p[0].count && ok; j++) {
      if (p[0].x[j] == 0 || p[1].x[j] == 0) continue;
      there++, kept += p[0].got[0][j] != 0, moved += (p[0].got[0][j] != 0) != (p[1].got[0][j] != 0);
    }
    const double n = (double)there, expected = (1 - rate[i]) * n, spread = sqrt(n * rate[i] * (1 - rate[i]));
    if (ok && fabs((double)kept - expected) > 5 * spread + 1)
      ok = check_fail("rate %g: %lld of %lld are kept", rate[i], (long long)kept, (long long)there);
    if (ok && moved == 0) ok = check_fail("rate %g: two steps drop the same", rate[i]);
    point_free(&p[0]), point_free(&p[1]);
  }
  return ok;
}

static bool dropouts(context *c) {
  static const shape s[] = {{2, {10, 8192}}, {2, {32, 256}}, {4, {3, 7, 5, 33}}, {4, {10, 150, 150, 64}}};
  return of_shapes(c, s, sizeof s / sizeof *s, dropout_of);
}

/* ---- all of them ---- */

void gpu_ops_more(gpu_tally *t, const gpu_options *o, um_backend *be, const char *engine, bool only) {
  static const struct {
    const char *name;
    bool (*check)(context *);
    bool linear; /* in every precision, and by libraries */
  } part[] = {{"convolutions and dense layers of dct and MTCNN", layers, true},
              {"prelu", prelus, false},
              {"softmax", softmaxes, false},
              {"dropout", dropouts, false}};
  context c = {.be = be, .o = o, .vendor = only};
  um_error err = {0};
  if (um_cpu_open(&c.cpu, 0, &err) != UM_OK) {
    gpu_begin("more: engine %s", engine);
    gpu_end(t, gpu_fail("the cpu backend", &err));
    return;
  }
  for (size_t i = 0; i < sizeof part / sizeof *part; i++)
    for (int precision = 0; precision < 3 && (part[i].linear || !only); precision++) {
      um_dtype type;
      if (precision == UM_PRECISION_TF32 && !part[i].linear) continue; /* no products of matrices */
      if (!be->ops->precision(be, (um_precision)precision, &type)) {
        gpu_skip(t, "%s in %s: the device does not compute in it", part[i].name, gpu_precision_name((um_precision)precision));
        continue;
      }
      c.precision = (um_precision)precision;
      c.dice = (check_dice){.seed = o->seed, .test = 340 + (uint32_t)i, .number = (uint32_t)precision};
      gpu_begin("more: %s, %s, engine %s", part[i].name, gpu_precision_name(c.precision), engine);
      gpu_end(t, part[i].check(&c));
    }
  c.cpu->ops->close(c.cpu);
}
