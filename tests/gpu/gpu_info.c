/* The device in a line of each of its properties, for the records of gpu-test and gpu-bench; without a GPU one line that says what is
 * missing, in the driver's words, and exit status 1.
 *
 *   gpu_info [--device cuda[:N]] [name] */
#include <stdio.h>
#include <string.h>

#include "cuda/cuda.h"
#include "support/gpu.h"

/* "NVIDIA H100 80GB HBM3" as part of a file's name: "nvidia-h100-80gb-hbm3". */
static void print_name(const char *name) {
  bool dash = false;
  for (; *name; name++) {
    const char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain) putchar(c);
    if (!plain && !dash) putchar('-');
    dash = !plain;
  }
  putchar('\n');
}

int main(int argc, char **argv) {
  gpu_options o;
  um_backend *be;
  um_error err = {0};
  struct cudaDeviceProp p;
  char text[512];
  if (!gpu_parse(&o, "name", argc, argv)) return 2;
  if (gpu_open(&be, &o, UM_ENGINE_AUTO, &err) != UM_OK || strcmp(be->ops->name, "cuda") != 0) {
    fprintf(stderr, "%s: %s\n", o.program, err.text[0] ? err.text : "this device is no GPU");
    return 1;
  }
  const um_cuda *c = (const um_cuda *)be;
  if (o.words && strcmp(o.word[0], "name") == 0) {
    print_name(c->name);
  } else {
    be->ops->describe(be, text, sizeof text);
    printf("device     %s\n", text);
    if (cudaGetDeviceProperties(&p, c->device) == cudaSuccess)
      printf("memory     %.1f GB, of which %.1f are free; L2 %.0f MB; %d multiprocessors\n", (double)p.totalGlobalMem / 1e9,
             (double)be->ops->memory_free(be) / 1e9, (double)p.l2CacheSize / 1e6, p.multiProcessorCount);
    printf("cuDNN      %s\n", c->cudnn ? um_cudnn_version(c->cudnn) : "none");
    printf("cuBLASLt   %s\n", c->cublas ? um_cublas_version(c->cublas) : "none");
  }
  be->ops->close(be);
  return 0;
}
