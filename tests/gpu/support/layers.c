#include "layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const gpu_layer *gpu_layers(bool small, int *count) {
  static const gpu_layer vgg[] = {
      {"block1_conv1", 150, 3, 64, 3, 1, true},    {"block1_conv2", 150, 64, 64, 3, 1, false},  {"block2_conv1", 75, 64, 128, 3, 1, false},
      {"block2_conv2", 75, 128, 128, 3, 1, false}, {"block3_conv1", 37, 128, 256, 3, 1, false}, {"block3_conv2", 37, 256, 256, 3, 2, false},
      {"block4_conv1", 18, 256, 512, 3, 1, false}, {"block4_conv2", 18, 512, 512, 3, 2, false}, {"block5_conv1", 9, 512, 512, 3, 3, false},
      {"dense", 1, 8192, 256, 1, 1, false},        {"dense_1", 1, 256, 1, 1, 1, false}};
  static const gpu_layer few[] = {{"3 to 16 at 9", 9, 3, 16, 3, 1, true},
                                  {"16 to 32 at 7", 7, 16, 32, 3, 1, false},
                                  {"32 to 64 at 5", 5, 32, 64, 3, 1, false},
                                  {"dense 128 to 16", 1, 128, 16, 1, 1, false},
                                  {"dense 16 to 1", 1, 16, 1, 1, 1, false}};
  *count = small ? (int)(sizeof few / sizeof *few) : (int)(sizeof vgg / sizeof *vgg);
  return small ? few : vgg;
}

const char *gpu_pass_name(int pass) {
  static const char *const name[] = {"forward", "backward data", "backward weights"};
  return name[pass];
}

static bool is_dense(const gpu_layer *l) { return l->side == 1; }

double gpu_layer_flop(const gpu_layer *l, int batch) {
  return 2.0 * batch * l->side * l->side * (double)l->in * l->out * l->kernel * l->kernel;
}

double gpu_layer_bytes(const gpu_layer *l, int batch, um_precision precision, int pass) {
  const double size = precision == UM_PRECISION_BF16 ? 2 : 4, pixels = (double)batch * l->side * l->side;
  const double kernel = (double)l->in * l->out * l->kernel * l->kernel;
  return size * pixels * (l->in + l->out) + (pass == GPU_BACKWARD_WEIGHTS ? 4 : size) * kernel;
}

um_cuda_conv gpu_layer_geometry(const gpu_layer *l, int batch, um_precision precision) {
  return (um_cuda_conv){.N = batch,
                        .H = l->side,
                        .W = l->side,
                        .C = l->in,
                        .K = l->out,
                        .P = l->side,
                        .Q = l->side,
                        .R = l->kernel,
                        .S = l->kernel,
                        .stride = {1, 1},
                        .pad = {l->kernel / 2, l->kernel / 2},
                        .precision = precision,
                        .activation = UM_ACT_RELU};
}

um_op_desc gpu_layer_desc(const gpu_layer *l, int batch, um_precision precision, um_dtype activations) {
  um_op_desc d = {.kind = is_dense(l) ? UM_OP_DENSE : UM_OP_CONV2D, .activation = UM_ACT_RELU, .precision = precision, .n_inputs = 1};
  const int pad = l->kernel / 2;
  d.passes = UM_PASS_FORWARD | UM_PASS_BACKWARD_WEIGHTS | (l->first ? 0 : UM_PASS_BACKWARD_DATA);
  if (is_dense(l)) {
    d.x[0] = um_tensor_plain(activations, 2, (int64_t[]){batch, l->in});
    d.y = um_tensor_plain(activations, 2, (int64_t[]){batch, l->out});
  } else {
    d.window = (um_window){{l->kernel, l->kernel}, {1, 1}, {pad, pad}, {pad, pad}};
    d.x[0] = um_tensor_plain(activations, 4, (int64_t[]){batch, l->side, l->side, l->in});
    d.y = um_tensor_plain(activations, 4, (int64_t[]){batch, l->side, l->side, l->out});
  }
  return d;
}

static gpu_bound bound_of_sums(um_precision precision, bool vendor, int pass) {
  if (precision == UM_PRECISION_FP32) return vendor ? (gpu_bound){1e-5, 0, 1e-5} : (gpu_bound){1.5e-6, 0, 3e-6};
  if (precision == UM_PRECISION_TF32) return vendor ? (gpu_bound){2.1e-3, 0, 1.2e-3} : (gpu_bound){1.05e-3, 0, 6e-4};
  if (pass == GPU_BACKWARD_WEIGHTS) return vendor ? (gpu_bound){1e-5, 0, 1e-5} : (gpu_bound){1.5e-6, 0, 3e-6};
  return (gpu_bound){vendor ? 1e-5 : 1.5e-6, 0.004, 2.5e-3};
}

gpu_bound gpu_pass_bound(um_precision precision, bool vendor, int pass, int64_t products) {
  gpu_bound bound = bound_of_sums(precision, vendor, pass);
  bound.of_norm += 6e-8 * sqrt((double)products);
  if (precision != UM_PRECISION_FP32) {
    bound.of_norm += 5e-8 * (double)products / (precision == UM_PRECISION_BF16 ? 16 : 8);
    bound.of_magnitude += 2e-8 * sqrt((double)products);
  }
  return bound;
}

int64_t gpu_problem_products(const gpu_problem *p, int pass) {
  const gpu_layer *l = p->layer;
  if (pass == GPU_BACKWARD_WEIGHTS) return (int64_t)p->batch * l->side * l->side;
  return (int64_t)l->kernel * l->kernel * (pass == GPU_FORWARD ? l->in : l->out);
}

int64_t gpu_problem_count(const gpu_problem *p, int pass) { return pass == GPU_FORWARD ? p->y : pass == GPU_BACKWARD_DATA ? p->x : p->w; }

void gpu_problem_free(gpu_problem *p) {
  for (int i = 0; i < 4; i++) free(p->in[i]), free(p->want[i]), free(p->magnitude[i]);
  *p = (gpu_problem){0};
}

static bool expect(gpu_problem *p, um_op_desc *d, float *const in[4], float *const out[4], um_backend *cpu) {
  check_operands o = {.x = {in[0]}, .w = in[1], .b = in[2], .dy = in[3], .y = out[0], .dw = out[2], .db = out[3], .raw = true};
  if (!p->layer->first) o.dx[0] = out[1];
  return check_run(cpu, d, &o, NULL) == UM_OK;
}

bool gpu_problem_make(gpu_problem *p, const gpu_layer *l, int batch, bool bf16, uint64_t seed, um_backend *cpu) {
  const int64_t pixels = (int64_t)batch * l->side * l->side;
  um_op_desc d = gpu_layer_desc(l, batch, UM_PRECISION_FP32, UM_F32);
  check_dice dice = {.seed = seed, .test = 300 + (uint32_t)l->in, .number = (uint32_t)l->out};
  float *size[4] = {0};
  bool ok = true;
  *p = (gpu_problem){.layer = l, .batch = batch, .x = pixels * l->in, .b = l->out, .y = pixels * l->out};
  p->w = (int64_t)l->kernel * l->kernel * l->in * l->out;
  const int64_t in[4] = {p->x, p->w, p->b, p->y}, out[4] = {p->y, p->x, p->w, p->b};
  for (int i = 0; i < 4; i++) {
    p->in[i] = check_floats(&dice, in[i], -1, 1);
    if (bf16 && i != 2 && p->in[i]) gpu_round_bf16(p->in[i], in[i]);
    size[i] = p->in[i] ? gpu_absolute(p->in[i], in[i]) : NULL;
    p->want[i] = gpu_room(out[i]), p->magnitude[i] = gpu_room(out[i]);
    ok = ok && p->in[i] && size[i] && p->want[i] && p->magnitude[i];
  }
  d.algorithm = UM_ALGO_DIRECT;
  if (!ok) check_fail("%s: no memory", l->name);
  ok = ok && expect(p, &d, p->in, p->want, cpu);
  d.activation = UM_ACT_NONE;
  ok = ok && expect(p, &d, size, p->magnitude, cpu);
  for (int i = 0; i < 4; i++) free(size[i]);
  return ok;
}

/* ---- in double ---- */

typedef struct sum {
  double value, magnitude;
} sum;

static void add(sum *s, float a, float b) {
  s->value += (double)a * b;
  s->magnitude += fabs((double)a * b);
}

/* One value of y, dx or dw. */
static sum exact(const gpu_problem *p, int pass, int64_t at) {
  const gpu_layer *l = p->layer;
  const int H = l->side, C = l->in, K = l->out, R = l->kernel, pad = R / 2;
  const float *x = p->in[0], *w = p->in[1], *dy = p->in[3];
  sum s = {0};
  if (pass == GPU_BACKWARD_WEIGHTS) {
    const int k = (int)(at % K), c = (int)(at / K % C), v = (int)(at / K / C % R), r = (int)(at / K / C / R);
    for (int64_t n = 0; n < p->batch; n++)
      for (int i = 0; i < H; i++)
        for (int j = 0; j < H; j++) {
          const int h = i + r - pad, q = j + v - pad;
          if (h >= 0 && h < H && q >= 0 && q < H) add(&s, x[((n * H + h) * H + q) * C + c], dy[((n * H + i) * H + j) * K + k]);
        }
    return s;
  }
  const int width = pass == GPU_FORWARD ? K : C, u = (int)(at % width), j = (int)(at / width % H), i = (int)(at / width / H % H);
  const int64_t n = at / width / H / H;
  for (int r = 0; r < R; r++)
    for (int v = 0; v < R; v++) {
      const int h = pass == GPU_FORWARD ? i + r - pad : i - r + pad, q = pass == GPU_FORWARD ? j + v - pad : j - v + pad;
      if (h < 0 || h >= H || q < 0 || q >= H) continue;
      const int64_t pixel = (n * H + h) * H + q, tap = (int64_t)(r * R + v) * C * K;
      if (pass == GPU_FORWARD)
        for (int c = 0; c < C; c++) add(&s, x[pixel * C + c], w[tap + (int64_t)c * K + u]);
      else
        for (int k = 0; k < K; k++) add(&s, dy[pixel * K + k], w[tap + (int64_t)u * K + k]);
    }
  if (pass == GPU_FORWARD) {
    add(&s, p->in[2][u], 1);
    s.value = s.value > 0 ? s.value : 0;
  }
  return s;
}

bool gpu_problem_samples(const gpu_problem *p, int pass, const float *got, gpu_bound bound, int samples) {
  const int64_t count = gpu_problem_count(p, pass);
  check_dice dice = {.seed = 7, .test = 310, .number = (uint32_t)pass};
  bool ok = true;
  for (int i = 0; i < samples && ok; i++) {
    /* The corners first; elsewhere anywhere. */
    int64_t at = i == 0 ? 0 : i == 1 ? count - 1 : (int64_t)check_int(&dice, 0, 0x7ffffffe) % count;
    const sum s = exact(p, pass, at);
    if (!(fabs(got[at] - s.value) <= bound.of_magnitude * s.magnitude + bound.of_value * fabs(s.value)))
      ok = check_fail("%s: [%lld] is %.9g, in double it is %.9g (magnitude %.3g)", gpu_pass_name(pass), (long long)at, got[at], s.value,
                      s.magnitude);
  }
  return ok;
}
