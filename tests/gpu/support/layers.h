/* VGG16's convolutions and dense layers at 150x150 as problems: numbers on the host, what every pass of them must give, and operands on
 * a device. A dense layer is a 1x1 convolution over pictures of 1x1. */
#ifndef UM_TESTS_GPU_SUPPORT_LAYERS_H
#define UM_TESTS_GPU_SUPPORT_LAYERS_H

#include "cuda/cuda.h"
#include "gpu.h"

typedef struct gpu_layer {
  const char *name; /* of the first layer with this shape */
  int side, in, out, kernel;
  int count;  /* layers with this shape */
  bool first; /* nobody wants the gradient of its input */
} gpu_layer;

/* VGG16's, or small ones for the emulated device. */
const gpu_layer *gpu_layers(bool small, int *count);

enum { GPU_FORWARD, GPU_BACKWARD_DATA, GPU_BACKWARD_WEIGHTS, GPU_PASSES }; /* as um_conv_pass */
const char *gpu_pass_name(int pass);

double gpu_layer_flop(const gpu_layer *l, int batch); /* of one pass */
/* Bytes that a pass must move at least: its two inputs and its output once each. */
double gpu_layer_bytes(const gpu_layer *l, int batch, um_precision precision, int pass);

typedef struct gpu_problem {
  const gpu_layer *layer;
  int batch;
  int64_t x, w, b, y;            /* counts */
  float *in[4];                  /* x, w, b, dy: rounded to bf16 where asked for (b never is) */
  float *want[4], *magnitude[4]; /* y (with ReLU), dx, dw, db; and the sums of the absolute values that each adds up */
} gpu_problem;

/* Random numbers in [-1, 1), by the cpu backend in fp32 (direct convolutions). False where that failed. */
bool gpu_problem_make(gpu_problem *p, const gpu_layer *l, int batch, bool bf16, uint64_t seed, um_backend *cpu);
void gpu_problem_free(gpu_problem *p);

int64_t gpu_problem_count(const gpu_problem *p, int pass); /* values in the output of a pass */

/* Some values of a pass's output against sums in double: within bound of the magnitude that is added up on the way. */
bool gpu_problem_samples(const gpu_problem *p, int pass, const float *got, gpu_bound bound, int samples);

/* The op description of the layer at a precision, with ReLU. */
um_op_desc gpu_layer_desc(const gpu_layer *l, int batch, um_precision precision, um_dtype activations);
um_cuda_conv gpu_layer_geometry(const gpu_layer *l, int batch, um_precision precision); /* the same as the cuda backend has it */

/* How far a pass may be off. vendor: of a library of others, whose algorithms are not known: F(4,3)'s errors in fp32 (10 times direct
 * convolution's), operands cut off instead of rounded in TF32.
 *   fp32   a few dozen roundings of 6e-8 that do not all go one way
 *   tf32   two operands rounded to 10 bits: 2 x 2^-11 of a product, 2 x 2^-10 where they are cut off
 *   bf16   the operands are bf16 to begin with; where the output is, too, it is rounded to 7 bits: 2^-8 of the value
 * products: how many a value adds up. An f32 sum of n of both signs, one after the other, is off by 2.4e-8 sqrt(n) of the norm, and so is
 * what it is compared with: 6e-8 sqrt(n) for both. (Seen on the emulated device, 225,000 products of backward weights: 6.0e-6 to 8.1e-6,
 * most of it the cpu backend's.) Tensor cores cut the sum off after each step of 16 products (tf32: 8) instead of rounding it (Fasi, Higham,
 * Mikaitis & Pranesh 2021, "Numerical behavior of NVIDIA tensor cores"), which pulls it towards 0: done on a CPU it gave 2.5e-8 a step of
 * the norm and up to 1e-8 sqrt(n) of what is added up; twice that is allowed. */
gpu_bound gpu_pass_bound(um_precision precision, bool vendor, int pass, int64_t products);

int64_t gpu_problem_products(const gpu_problem *p, int pass); /* that a value of a pass' output adds up */

#endif
