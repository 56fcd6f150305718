#include <math.h>
#include <stdlib.h>

#include "core/model.h"
#include "core/rng.h"

int um_model_init(um_model *m, uint64_t seed, um_error *err) {
  int count, status = UM_OK;
  const um_param *p = um_model_params(m, &count);
  int64_t largest = 1;
  for (int i = 0; i < count; i++)
    if (um_tensor_count(&p[i].plain) > largest) largest = um_tensor_count(&p[i].plain);
  float *values = malloc(sizeof *values * (size_t)largest);
  if (!values) return um_fail(err, UM_ENOMEM, "init: no memory for %lld values", (long long)largest);
  for (int i = 0; i < count && status == UM_OK; i++) {
    const um_tensor *t = &p[i].plain;
    const int64_t n = um_tensor_count(t);
    double limit = 0; /* a bias */
    if (t->ndim > 1) {
      /* All but the last two dimensions are the window: it multiplies both fans. */
      const int64_t in = t->dim[t->ndim - 2], out = t->dim[t->ndim - 1], window = n / (in * out);
      limit = sqrt(6.0 / (double)(window * (in + out)));
    }
    /* Four numbers a block of the generator: draw by draw this would take four times as long. */
    uint32_t bits[4] = {0};
    for (int64_t k = 0; k < n; k++) {
      const uint32_t counter[4] = {(uint32_t)(k / 4), (uint32_t)i, 0, UM_STREAM_INIT};
      const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
      if (limit != 0 && k % 4 == 0) um_philox(bits, counter, key);
      values[k] = limit == 0 ? 0.0f : (float)(-limit + 2 * limit * (bits[k % 4] * 0x1p-32));
    }
    if (t->ndim > 1 && um_model_graph(m)->node[p[i].node].init == UM_INIT_DCT) um_dct_kernel(values);
    status = um_model_set(m, 'w', i, values, err);
  }
  free(values);
  return status;
}
