/* Between how other tools lay tensors out and how we do. */
#include <inttypes.h>
#include <string.h>

#include "weights/source.h"

static bool product_is(const int64_t chw[3], int64_t n) {
  int64_t product = 1;
  for (int i = 0; i < 3; i++)
    if (chw[i] < 1 || __builtin_mul_overflow(product, chw[i], &product)) return false;
  return product == n;
}

bool um_weight_shape(const um_weight_item *item, int *ndim, int64_t dim[UM_WEIGHT_MAX_DIMS]) {
  const int64_t *d = item->dim;
  *ndim = item->ndim;
  memcpy(dim, d, sizeof item->dim);
  switch (item->layout) {
  case UM_WEIGHT_OURS: return true;
  case UM_WEIGHT_OIHW: dim[0] = d[2], dim[1] = d[3], dim[2] = d[1], dim[3] = d[0]; return item->ndim == 4;
  case UM_WEIGHT_OI:
  case UM_WEIGHT_OI_CHW:
    dim[0] = d[1], dim[1] = d[0];
    return item->ndim == 2 && (item->layout == UM_WEIGHT_OI || product_is(item->chw, d[1]));
  case UM_WEIGHT_IO_CHW: return item->ndim == 2 && product_is(item->chw, d[0]);
  }
  return false;
}

/* Row r of a kernel whose inputs are flattened C H W, as a row of ours: (h W + w) C + c. */
static int64_t row_of(const int64_t chw[3], int64_t r) {
  const int64_t area = chw[1] * chw[2];
  return r % area * chw[0] + r / area;
}

/* Where element i of the file's order lies in ours. */
static int64_t place(const um_weight_item *item, int64_t i) {
  const int64_t *d = item->dim;
  switch (item->layout) {
  case UM_WEIGHT_OURS: break;
  case UM_WEIGHT_OIHW: {
    const int64_t w = i % d[3], h = i / d[3] % d[2], in = i / (d[3] * d[2]) % d[1], out = i / (d[3] * d[2] * d[1]);
    return ((h * d[3] + w) * d[1] + in) * d[0] + out;
  }
  case UM_WEIGHT_OI: return i % d[1] * d[0] + i / d[1];
  case UM_WEIGHT_OI_CHW: return row_of(item->chw, i % d[1]) * d[0] + i / d[1];
  case UM_WEIGHT_IO_CHW: return row_of(item->chw, i / d[1]) * d[1] + i % d[1];
  }
  return i;
}

int um_weight_read(um_weight_source *s, int index, float *values, float *spare, int64_t count, um_error *err) {
  const um_weight_item *item = &s->item[index];
  if (item->layout == UM_WEIGHT_OURS) return s->read(s, index, values, count, err);
  const int status = s->read(s, index, spare, count, err);
  for (int64_t i = 0; status == UM_OK && i < count; i++) values[place(item, i)] = spare[i];
  return status;
}

void um_weight_turn_back(const um_weight_item *item, float *out, const float *values) {
  int64_t count = 1;
  for (int i = 0; i < item->ndim; i++) count *= item->dim[i];
  for (int64_t i = 0; i < count; i++) out[i] = values[place(item, i)];
}
