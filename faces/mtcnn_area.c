/* Pictures made smaller by averaging areas. Sums are whole numbers: rows are added up first, then running sums along the row give
 * those of any span by one subtraction. */
#include <string.h>

#include "faces/mtcnn.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

typedef uint32_t sum4 __attribute__((vector_size(16)));
typedef uint32_t sum4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t whole4 __attribute__((vector_size(16)));
typedef float float4 __attribute__((vector_size(16)));
typedef float float4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

void um_mtcnn_spans(um_mtcnn_span *span, int in, int out) {
  for (int64_t i = 0; i < out; i++) span[i] = (um_mtcnn_span){(int)(i * in / out), (int)(((i + 1) * in + out - 1) / out)};
}

/* A row goes through in pieces of so many pixels, which stay in the first-level cache. */
enum { PIECE = 256, SUM_BYTES = (PIECE * 3 + 16) * 4 };

/* Column sums of a piece, then running sums of the row's pixels (four lanes each, the last unused). */
size_t um_mtcnn_area_room(int in_width) { return SUM_BYTES + ((size_t)in_width + 4) / 4 * 64; }

/* sum = (or +=) row, n bytes. */
static void add_plain(uint32_t *sum, const uint8_t *row, int64_t n, bool first) {
  if (first)
    for (int64_t i = 0; i < n; i++) sum[i] = row[i];
  else
    for (int64_t i = 0; i < n; i++) sum[i] += row[i];
}

#ifdef __x86_64__
__attribute__((target("avx512f"))) static void add_avx512(uint32_t *sum, const uint8_t *row, int64_t n, bool first) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(row + i)));
    _mm512_store_si512(sum + i, first ? v : _mm512_add_epi32(v, _mm512_load_si512(sum + i)));
  }
  add_plain(sum + i, row + i, n - i, first);
}
__attribute__((target("avx2"))) static void add_avx2(uint32_t *sum, const uint8_t *row, int64_t n, bool first) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(row + i)));
    __m256i *to = (__m256i *)(void *)(sum + i);
    _mm256_store_si256(to, first ? v : _mm256_add_epi32(v, _mm256_load_si256(to)));
  }
  add_plain(sum + i, row + i, n - i, first);
}
#endif

static void add_row(uint32_t *sum, const uint8_t *row, int64_t n, bool first) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) {
    add_avx512(sum, row, n, first);
    return;
  }
  if (__builtin_cpu_supports("avx2")) {
    add_avx2(sum, row, n, first);
    return;
  }
#endif
  add_plain(sum, row, n, first);
}

/* Of a column of the result, as the networks take it. */
static inline float4 mean(const sum4 *run, const um_mtcnn_span *column, int height) {
  const float area = (float)((column->last - column->first) * height);
  return (__builtin_convertvector((whole4)(run[column->last] - run[column->first]), float4) / area - 127.5f) * 0.0078125f;
}

/* Four columns, turned into pieces of three rows. */
static inline void store_four(float *out, int64_t plane, const sum4 *run, const um_mtcnn_span *column, int height) {
  const float4 p0 = mean(run, column, height), p1 = mean(run, column + 1, height);
  const float4 p2 = mean(run, column + 2, height), p3 = mean(run, column + 3, height);
  const float4 rg01 = __builtin_shufflevector(p0, p1, 0, 4, 1, 5), rg23 = __builtin_shufflevector(p2, p3, 0, 4, 1, 5);
  const float4 b01 = __builtin_shufflevector(p0, p1, 2, 6, 2, 6), b23 = __builtin_shufflevector(p2, p3, 2, 6, 2, 6);
  *(float4_unaligned *)out = __builtin_shufflevector(rg01, rg23, 0, 1, 4, 5);
  *(float4_unaligned *)(out + plane) = __builtin_shufflevector(rg01, rg23, 2, 3, 6, 7);
  *(float4_unaligned *)(out + 2 * plane) = __builtin_shufflevector(b01, b23, 0, 1, 4, 5);
}

void um_mtcnn_area(float *out, int64_t step, int64_t plane, const um_mtcnn_picture *in, um_mtcnn_span rows, const um_mtcnn_span *columns,
                   int out_width, void *room) {
  uint32_t *sum = room;
  sum4 *run = (void *)((char *)room + SUM_BYTES), at = {0};
  const int height = rows.last - rows.first;
  int64_t done = 0;
  run[0] = at;
  for (int64_t first = 0; first < in->width; first += PIECE) {
    const int64_t n = in->width - first < PIECE ? in->width - first : PIECE, end = first + n;
    for (int r = rows.first; r < rows.last; r++) add_row(sum, in->rgb + r * in->stride + first * 3, n * 3, r == rows.first);
    sum[n * 3] = 0; /* read with the last pixel */
    for (int64_t i = 0; i < n; i++) run[first + i + 1] = at += *(const sum4_unaligned *)(sum + 3 * i);
    for (; step == 1 && done + 4 <= out_width && columns[done + 3].last <= end; done += 4)
      store_four(out + done, plane, run, columns + done, height);
    for (; (step != 1 || end == in->width) && done < out_width && columns[done].last <= end; done++) {
      const float4 value = mean(run, &columns[done], height);
      out[done * step] = value[0];
      out[done * step + plane] = value[1];
      out[done * step + 2 * plane] = value[2];
    }
  }
}

void um_mtcnn_area_square(float *out, const um_mtcnn_picture *in, int side, void *room) {
  um_mtcnn_span rows[UM_MTCNN_ONET_SIDE], columns[UM_MTCNN_ONET_SIDE];
  um_mtcnn_spans(rows, in->height, side);
  um_mtcnn_spans(columns, in->width, side);
  for (int r = 0; r < side; r++) um_mtcnn_area(out + (int64_t)r * side * 3, 3, 1, in, rows[r], columns, side, room);
}
