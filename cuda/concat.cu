/* Tensors side by side along the last dimension, and apart again. Rows of bytes are copied in the widest unit (16, 4 or 2 bytes) that
 * divides every part's row and address, so the type of the values does not matter. */
#include "cuda/vector.cuh"

struct parts {
  void *part[UM_MAX_INPUTS];  /* NULL: left out (apart only) */
  int64_t end[UM_MAX_INPUTS]; /* where the part's row ends in the whole row, in units */
  int n;
};

/* row: units of a whole row. TOGETHER: whole = parts; else parts = whole. */
template <class U, bool TOGETHER> static __global__ void __launch_bounds__(UM_BLOCK) join(U *whole, parts p, int64_t row, int64_t count) {
  um_each(i, count) {
    const int64_t r = (int64_t)((uint64_t)i / (uint64_t)row), at = i - r * row;
    int64_t begin = 0;
    int k = 0;
    while (at >= p.end[k]) begin = p.end[k++];
    U *part = (U *)p.part[k];
    if (!part) continue;
    const int64_t in = r * (p.end[k] - begin) + at - begin;
    if (TOGETHER)
      whole[i] = part[in];
    else
      part[in] = whole[i];
  }
}

template <class U, bool TOGETHER>
static int launch(const um_cuda *cuda, void *whole, parts p, int64_t row_bytes, int64_t rows, um_error *err) {
  const int64_t unit = (int64_t)sizeof(U), row = row_bytes / unit;
  for (int k = 0; k < p.n; k++) p.end[k] /= unit;
  um_launch((join<U, TOGETHER>), um_grid(cuda, row * rows), dim3(UM_BLOCK), 0, cuda->queue, (U *)whole, p, row, row * rows);
  return um_cuda_launched(err, "concat");
}

template <bool TOGETHER> static int run(const um_op *op, void *const *part, void *whole, um_dtype dtype, um_error *err) {
  const um_cuda *cuda = (const um_cuda *)op->backend;
  const um_tensor *y = &op->desc.y;
  const int64_t size = (int64_t)um_dtype_size(dtype), row = y->dim[y->ndim - 1] * size;
  parts p = {};
  uint64_t bits = (uint64_t)(uintptr_t)whole;
  if (um_tensor_count(y) == 0) return UM_OK;
  for (int64_t end = 0; p.n < op->desc.n_inputs; p.n++) {
    const um_tensor *x = &op->desc.x[p.n];
    end += x->dim[x->ndim - 1] * size;
    p.part[p.n] = part[p.n];
    p.end[p.n] = end;
    bits |= (uint64_t)(uintptr_t)part[p.n] | (uint64_t)end;
  }
  const int64_t rows = um_tensor_count(y) * size / row;
  if (bits % 16 == 0) return launch<uint4, TOGETHER>(cuda, whole, p, row, rows, err);
  if (bits % 4 == 0) return launch<uint32_t, TOGETHER>(cuda, whole, p, row, rows, err);
  if (bits % 2 == 0) return launch<uint16_t, TOGETHER>(cuda, whole, p, row, rows, err);
  return um_fail(err, UM_EUNSUPPORTED, "cuda: concat: expected f32 or bf16, got %s", um_dtype_name(dtype));
}

int um_cuda_concat_forward(um_op *op, um_tensor *y, const um_tensor *const *x, um_error *err) {
  void *part[UM_MAX_INPUTS] = {};
  for (int i = 0; i < op->desc.n_inputs; i++) {
    const int status = um_same_type(y, x[i], "concat", err);
    if (status != UM_OK) return status;
    part[i] = x[i]->data;
  }
  return run<true>(op, part, y->data, y->dtype, err);
}

int um_cuda_concat_backward(um_op *op, um_tensor *const *dx, const um_tensor *dy, um_error *err) {
  void *part[UM_MAX_INPUTS] = {};
  for (int i = 0; i < op->desc.n_inputs; i++) {
    const int status = dx[i] ? um_same_type(dy, dx[i], "concat backward", err) : UM_OK;
    if (status != UM_OK) return status;
    part[i] = dx[i] ? dx[i]->data : NULL;
  }
  return run<false>(op, part, dy->data, dy->dtype, err);
}
