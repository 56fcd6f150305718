/* How fast the device is, and how near to what it could be.
 *
 *   gpu_bench [--device cuda[:N]] [--small] [--batch N] [--json FILE] [peaks] [layers] [rest] [steps]
 *   gpu_bench [--device cuda[:N]] [--small] [--batch N] [--steps N] --only LAYER/PASS/PRECISION[/WAY]
 *   gpu_bench [--batch N] --floors
 *
 *   peaks    a matrix product of 8192 in each precision (the fastest way of cuBLASLt and of our own kernels), a copy of 1 GB
 *   layers   every way of every pass of VGG16's layers at batch 32 (or --batch): the fastest of each provider, beside two floors: the
 *            arithmetic at the peak's rate, and the bytes (each operand once) at the copy's
 *   rest     what moves bytes: pools, slopes, casts, the random transform, the optimizer, beside the copy's rate
 *   steps    the whole training step at batch 10, 32 and 128 (or --batch) by engine and precision: a new batch of bytes is uploaded and
 *            warped beside each step
 *
 * Times are medians by CUDA events after a warm-up; the operands go round several sets, so that none is still in the L2 cache when it
 * comes again. --json appends a line for each step and way, for tests/gpu/ratios.py. Peaks are always measured.
 *
 * --only launches one native pass and nothing else, for a profiler (tests/gpu/profile.sh): "block1_conv2/backward weights/bf16" by the way
 * that engine native takes, or "block1_conv2/backward weights/bf16/native 128x64 k4". --floors needs no device: what each convolution
 * pass must multiply and move at least. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/bench.h"

static int run(bench *b, um_error *err) {
  if (b->o.only) return bench_only(b, err);
  int status = bench_peaks(b, err);
  if (status == UM_OK && gpu_wanted(&b->o, "layers")) status = bench_layers(b, err);
  if (status == UM_OK && gpu_wanted(&b->o, "rest")) status = bench_rest(b, err);
  if (status == UM_OK && gpu_wanted(&b->o, "steps")) status = bench_steps(b, err);
  return status;
}

int main(int argc, char **argv) {
  bench b = {0};
  um_error err = {0};
  char text[512];
  int status;
  if (!gpu_parse(&b.o, "peaks|layers|rest|steps", argc, argv)) return 2;
  if (b.o.floors) {
    bench_floors(&b.o);
    return 0;
  }
  /* A profiler shall see no kernels of the libraries. */
  if ((status = gpu_open(&b.be, &b.o, b.o.only ? UM_ENGINE_NATIVE : UM_ENGINE_AUTO, &err)) != UM_OK) goto done;
  if (strcmp(b.be->ops->name, "cuda") != 0) {
    status = um_fail(&err, UM_ECONFIG, "--device %s: expected cuda or cuda:N", b.o.device);
    goto done;
  }
  if (b.o.json && !(b.json = fopen(b.o.json, "a"))) {
    status = um_fail(&err, UM_EIO, "%s: cannot be written", b.o.json);
    goto done;
  }
  b.be->ops->describe(b.be, text, sizeof text);
  printf("%s\n", text);
  if ((status = gpu_timer_open(&b.timer, b.be, b.o.small, &err)) != UM_OK) goto done;
  status = run(&b, &err);
  gpu_timer_close(&b.timer);
  if (status == UM_OK && b.o.small && !b.o.only)
    printf("[  PASSED  ] 1 test(s).\n"); /* times of so little mean nothing: that it runs is the test */
done:
  if (status != UM_OK) fprintf(stderr, "%s: %s\n", b.o.program, err.text);
  if (b.json) fclose(b.json);
  if (b.be) b.be->ops->close(b.be);
  return um_exit_status(status);
}
