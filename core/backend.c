#include <string.h>

#include "core/ops.h"

int um_backend_open(um_backend **out, const char *device, int threads, um_error *err) {
  *out = NULL;
  if (strcmp(device, "auto") == 0 || strcmp(device, "cpu") == 0) return um_cpu_open(out, threads, err);
  if (strcmp(device, "ref") == 0) return um_ref_open(out, err);
  if (strcmp(device, "cuda") == 0 || strncmp(device, "cuda:", 5) == 0)
    return um_fail(err, UM_EUNSUPPORTED, "device \"%s\": this build has no CUDA backend; take --device cpu", device);
  return um_fail(err, UM_ECONFIG, "device \"%s\": expected auto, cpu, ref or cuda[:N]", device);
}
