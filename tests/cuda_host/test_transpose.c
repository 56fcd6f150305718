/* transpose.cu, which only the vendor's filters need and no op reaches on the emulated device: every pair of types, ragged shapes, and
 * more tiles than there are blocks. */
#include "cuda/cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const um_dtype types[2] = {UM_F32, UM_BF16};

static size_t size_of(um_dtype t) { return t == UM_F32 ? 4 : 2; }

/* Value i, which bf16 can hold. */
static float value_of(int64_t i) { return (float)(i * 7 % 251 - 125); }

static void put(void *p, um_dtype t, int64_t i, float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  if (t == UM_F32)
    ((float *)p)[i] = v;
  else
    ((uint16_t *)p)[i] = (uint16_t)(u >> 16);
}

static bool same(const void *p, um_dtype t, int64_t i, float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  return t == UM_F32 ? ((const float *)p)[i] == v : ((const uint16_t *)p)[i] == u >> 16;
}

static bool run(int rows, int columns, um_dtype to, um_dtype from) {
  const int64_t n = (int64_t)rows * columns;
  const size_t in_bytes = (size_t)n * size_of(from), out_bytes = (size_t)n * size_of(to);
  void *host = malloc(in_bytes > out_bytes ? in_bytes : out_bytes), *in = NULL, *out = NULL;
  um_error err = {0};
  bool right = host && cudaMalloc(&in, in_bytes) == cudaSuccess && cudaMalloc(&out, out_bytes) == cudaSuccess;
  for (int64_t i = 0; right && i < n; i++) put(host, from, i, value_of(i));
  right = right && cudaMemcpy(in, host, in_bytes, cudaMemcpyHostToDevice) == cudaSuccess &&
          um_cuda_transpose(out, to, in, from, rows, columns, NULL, &err) == UM_OK &&
          cudaMemcpy(host, out, out_bytes, cudaMemcpyDeviceToHost) == cudaSuccess;
  for (int c = 0; right && c < columns; c++)
    for (int r = 0; right && r < rows; r++) right = same(host, to, (int64_t)c * rows + r, value_of((int64_t)r * columns + c));
  if (!right) printf("transpose of %d x %d, %d bytes to %d: wrong %s\n", rows, columns, (int)size_of(from), (int)size_of(to), err.text);
  cudaFree(in);
  cudaFree(out);
  free(host);
  return right;
}

int main(void) {
  static const int shapes[][2] = {{1, 1}, {1, 70}, {70, 1}, {32, 32}, {33, 31}, {27, 64}, {576, 129}, {33 * 1024, 40}};
  int passed = 0, failed = 0;
  for (int t = 0; t < 4; t++) {
    bool right = true;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
      right = run(shapes[i][0], shapes[i][1], types[t / 2], types[t % 2]) && right;
    if (right)
      passed++;
    else
      failed++;
  }
  printf("[  PASSED  ] %d test(s).\n", passed);
  if (failed) printf("[  FAILED  ] %d test(s)\n", failed);
  return failed != 0;
}
