/* Which backend a --device value means, and what all backends share. */
#include <math.h>
#include <string.h>

#include "core/log.h"
#include "core/ops.h"

const char *um_precision_name(int precision) {
  static const char *const name[] = {"fp32", "tf32", "bf16"};
  return precision >= 0 && precision < 3 ? name[precision] : NULL;
}

int um_backend_open_with(um_backend **out, const um_backend_options *o, um_error *err) {
  const char *device = o->device;
  const bool any = strcmp(device, "auto") == 0, cuda = strcmp(device, "cuda") == 0 || strncmp(device, "cuda:", 5) == 0;
  *out = NULL;
  if (strcmp(device, "ref") == 0) return um_ref_open(out, err);
  if (cuda && !um_cuda_open)
    return um_fail(err, UM_EUNSUPPORTED, "device \"%s\": this program was built without CUDA (make CUDA=1); take --device cpu", device);
  if (cuda) return um_cuda_open(out, o, err);
  if (any && um_cuda_open) {
    um_backend_options first = *o;
    um_error why = {0};
    first.device = "cuda";
    if (um_cuda_open(out, &first, &why) == UM_OK) return UM_OK;
    if (o->engine == UM_ENGINE_CUDNN) return um_fail(err, UM_ECONFIG, "engine: \"cudnn\" needs a GPU: %s", why.text);
    um_log_once(UM_LOG_INFO, "on the CPU: %s", why.text);
  }
  if (!any && strcmp(device, "cpu") != 0) return um_fail(err, UM_ECONFIG, "device \"%s\": expected auto, cpu, ref or cuda[:N]", device);
  if (o->engine == UM_ENGINE_CUDNN) return um_fail(err, UM_ECONFIG, "engine: \"cudnn\" needs --device cuda, this is the CPU");
  return um_cpu_open(out, o->threads, err);
}

int um_backend_open(um_backend **out, const char *device, int threads, um_error *err) {
  return um_backend_open_with(out, &(um_backend_options){.device = device, .threads = threads}, err);
}

int um_warp_check(const um_warp_sample *sample, int64_t n, int64_t height, int64_t width, um_error *err) {
  const double far = 1e9; /* beyond it a matrix is none of ours, and a coordinate does not fit an index */
  for (int64_t s = 0; s < n; s++) {
    const double *m = sample[s].m;
    for (int i = 0; i < 2 && !sample[s].identity; i++)
      if (!(fabs(m[3 * i]) * (double)height + fabs(m[3 * i + 1]) * (double)width + fabs(m[3 * i + 2]) <= far))
        return um_fail(err, UM_ENUMERIC, "warp: sample %d: its matrix is not finite or leads %g pixels away", (int)s, far);
  }
  return UM_OK;
}
