/* out = in transposed, with a change of type on the way: in is rows x columns, out columns x rows, both dense. For the vendor's
 * filters: ours are R S C K, cuDNN's K R S C, so rows = R S C and columns = K there, and the other way round on the way back.
 *
 * A block takes a square tile through shared memory, whose lines are one word longer than the tile so that a column of it is as fast
 * as a line. Both sides of memory are read and written along their lines. Values are held as f32 in between: bf16 fits in it. */
#include "cuda/cudnn.h"
#include "cuda/device.cuh"

enum { TILE = 32, LINES = 8, PITCH = TILE + 1 };

template <class To, class From>
static __global__ void __launch_bounds__(TILE *LINES) transpose(To *out, const From *in, int rows, int columns) {
  float *tile = (float *)um_shared();
  const int x = (int)threadIdx.x, y = (int)threadIdx.y;
  const int64_t down = (rows + TILE - 1) / TILE, across = (columns + TILE - 1) / TILE;

  for (int64_t t = blockIdx.x; t < down * across; t += gridDim.x) {
    const int row = (int)(t / across) * TILE, column = (int)(t % across) * TILE;
    for (int i = y; i < TILE; i += LINES)
      if (row + i < rows && column + x < columns) tile[i * PITCH + x] = um_to_float(in[(int64_t)(row + i) * columns + column + x]);
    __syncthreads();
    for (int i = y; i < TILE; i += LINES)
      if (column + i < columns && row + x < rows) out[(int64_t)(column + i) * rows + row + x] = um_from_float<To>(tile[x * PITCH + i]);
    __syncthreads(); /* the tile is read before the next one is written */
  }
}

template <class To, class From> static int launch(To *out, const From *in, int rows, int columns, cudaStream_t stream, um_error *err) {
  const int64_t tiles = ((int64_t)rows + TILE - 1) / TILE * (((int64_t)columns + TILE - 1) / TILE), most = 65535;

  um_launch((transpose<To, From>), dim3((unsigned)(tiles < most ? tiles : most)), dim3(TILE, LINES), TILE * PITCH * sizeof(float), stream,
            out, in, rows, columns);
  return um_cuda_launched(err, "transpose");
}

int um_cuda_transpose(void *out, um_dtype out_type, const void *in, um_dtype in_type, int rows, int columns, cudaStream_t stream,
                      um_error *err) {
  if (out_type == UM_F32 && in_type == UM_F32) return launch((float *)out, (const float *)in, rows, columns, stream, err);
  if (out_type == UM_BF16 && in_type == UM_BF16) return launch((um_bf16 *)out, (const um_bf16 *)in, rows, columns, stream, err);
  if (out_type == UM_F32 && in_type == UM_BF16) return launch((float *)out, (const um_bf16 *)in, rows, columns, stream, err);
  if (out_type == UM_BF16 && in_type == UM_F32) return launch((um_bf16 *)out, (const float *)in, rows, columns, stream, err);
  return um_fail(err, UM_EUNSUPPORTED, "transpose: no kernel from %s to %s", um_dtype_name(in_type), um_dtype_name(out_type));
}
