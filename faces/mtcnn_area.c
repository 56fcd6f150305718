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

void um_mtcnn_spans(um_mtcnn_span *span, int in, int out) {
  for (int64_t i = 0; i < out; i++) span[i] = (um_mtcnn_span){(int)(i * in / out), (int)(((i + 1) * in + out - 1) / out)};
}

/* Column sums, then running sums of pixels (four lanes each, the last unused). */
static size_t sums_bytes(int in_width) { return ((size_t)in_width * 3 + 16 + 15) / 16 * 64; }
size_t um_mtcnn_area_room(int in_width) { return sums_bytes(in_width) + ((size_t)in_width + 4) / 4 * 64; }

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

void um_mtcnn_area(float *out, int64_t step, int64_t plane, const um_mtcnn_picture *in, um_mtcnn_span rows, const um_mtcnn_span *columns,
                   int out_width, void *room) {
  uint32_t *sum = room;
  sum4 *run = (void *)((char *)room + sums_bytes(in->width)), at = {0};
  const int64_t n = (int64_t)in->width * 3;
  const int height = rows.last - rows.first;
  for (int r = rows.first; r < rows.last; r++) add_row(sum, in->rgb + r * in->stride, n, r == rows.first);
  sum[n] = 0; /* read with the last pixel */
  run[0] = at;
  for (int64_t i = 0; i < in->width; i++) run[i + 1] = at += *(const sum4_unaligned *)(sum + 3 * i);
  for (int64_t i = 0; i < out_width; i++) {
    const float area = (float)((columns[i].last - columns[i].first) * height);
    const float4 total = __builtin_convertvector((whole4)(run[columns[i].last] - run[columns[i].first]), float4);
    const float4 value = (total / area - 127.5f) * 0.0078125f;
    out[i * step] = value[0];
    out[i * step + plane] = value[1];
    out[i * step + 2 * plane] = value[2];
  }
}

void um_mtcnn_area_square(float *out, const um_mtcnn_picture *in, int side, void *room) {
  um_mtcnn_span rows[UM_MTCNN_ONET_SIDE], columns[UM_MTCNN_ONET_SIDE];
  um_mtcnn_spans(rows, in->height, side);
  um_mtcnn_spans(columns, in->width, side);
  for (int r = 0; r < side; r++) um_mtcnn_area(out + (int64_t)r * side * 3, 3, 1, in, rows[r], columns, side, room);
}
