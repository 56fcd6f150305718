/* PNet on a CPU in one go: the rows of a level are resized, convolved and judged one after another, and nothing but the last few rows
 * of each layer is kept, so that all of it stays in a core's caches. mtcnn_rows.inc has the layers; values equal those of the node list
 * but for the order of sums. Bands of rows of all levels and pictures are shared out to the threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "faces/mtcnn.h"

#ifdef __x86_64__
#include <immintrin.h>

enum { CONV1 = 10, CONV2 = 16, CONV3 = 32, HEADS = 6, BAND = 48 };

/* conv4's difference that a P(face) of 0.6 needs, log(0.6 / 0.4), and a little less: near it, the exact value decides. */
static const float least_difference = 0.405f;

/* Weights in the order in which they are read: [group of channels][input channel][row][column][channel]; conv4 [channel][input channel]. */
typedef struct pnet_pack {
  float conv1[27 * CONV1], conv2[9 * CONV1 * CONV2], conv3[9 * CONV2 * CONV3], conv4[CONV3 * HEADS];
  float bias1[CONV1], bias2[CONV2], bias3[CONV3], bias4[HEADS];
  float alpha1[CONV1], alpha2[CONV2], alpha3[CONV3];
} pnet_pack;

/* A column that may be a face: conv4's first two sums, and the channels that the others are made of, `step` floats apart. */
typedef int pnet_each(void *arg, int column, float no, float yes, const float *hidden, int step, um_error *err);

typedef struct pnet_kernels {
  int lanes, first_group, group;
  void (*first)(float *out, const pnet_pack *w, const float *const in[4], int64_t plane, int width, bool second, int64_t out_plane);
  void (*second)(float *out, const pnet_pack *w, const float *const in[3], int64_t plane, int width);
  int (*third)(const pnet_pack *w, const float *const in[3], int64_t plane, int width, pnet_each *each, void *arg, um_error *err);
} pnet_kernels;

#define TARGET      __attribute__((target("avx2,fma")))
#define NAME(x)     x##_avx2
#define LANES       8
#define FIRST       2
#define SOME        4
#define vec         __m256
#define ZERO        _mm256_setzero_ps()
#define LOAD        _mm256_loadu_ps
#define STORE       _mm256_storeu_ps
#define SPREAD      _mm256_set1_ps
#define FMA         _mm256_fmadd_ps
#define SUB         _mm256_sub_ps
#define MAX         _mm256_max_ps
#define MIN         _mm256_min_ps
#define PAIRS(v)    _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(v), 0xd8))
#define EVEN(a, b)  PAIRS(_mm256_shuffle_ps(a, b, 0x88))
#define ODD(a, b)   PAIRS(_mm256_shuffle_ps(a, b, 0xdd))
#define ABOVE(a, b) (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ))
TARGET static inline float lane_avx2(__m256 v, int l) {
  float f[8];
  _mm256_storeu_ps(f, v);
  return f[l];
}
#include "faces/mtcnn_rows.inc"
#undef TARGET
#undef NAME
#undef LANES
#undef FIRST
#undef SOME
#undef vec
#undef ZERO
#undef LOAD
#undef STORE
#undef SPREAD
#undef FMA
#undef SUB
#undef MAX
#undef MIN
#undef EVEN
#undef ODD
#undef ABOVE

#define TARGET      __attribute__((target("avx512f")))
#define NAME(x)     x##_avx512
#define LANES       16
#define FIRST       5
#define SOME        8
#define vec         __m512
#define ZERO        _mm512_setzero_ps()
#define LOAD        _mm512_loadu_ps
#define STORE       _mm512_storeu_ps
#define SPREAD      _mm512_set1_ps
#define FMA         _mm512_fmadd_ps
#define SUB         _mm512_sub_ps
#define MAX         _mm512_max_ps
#define MIN         _mm512_min_ps
#define EVEN(a, b)  _mm512_permutex2var_ps(a, _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0), b)
#define ODD(a, b)   _mm512_permutex2var_ps(a, _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1), b)
#define ABOVE(a, b) (unsigned)_mm512_cmp_ps_mask(a, b, _CMP_GE_OQ)
TARGET static inline float lane_avx512(__m512 v, int l) {
  float f[16];
  _mm512_storeu_ps(f, v);
  return f[l];
}
#include "faces/mtcnn_rows.inc"

static const pnet_kernels *kernels(bool wide) {
  static const pnet_kernels avx2 = {8, 2, 4, first_avx2, second_avx2, third_avx2};
  static const pnet_kernels avx512 = {16, 5, 8, first_avx512, second_avx512, third_avx512};
  if (wide && __builtin_cpu_supports("avx512f")) return &avx512;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &avx2 : NULL;
}

/* A level of the pyramid, and how its layers lie in a thread's room. */
typedef struct plan {
  const um_mtcnn_level *level;
  const um_mtcnn_span *columns, *rows;
  int conv_width, conv_height, pool_width, pool_height, cell_columns, cell_rows;
  int64_t in_plane, plane; /* floats */
} plan;

/* Rows of cells of a level of a picture: what one thread does at a time. */
typedef struct item {
  int picture, level, first, last;
  um_mtcnn_boxes found;
  int status;
} item;

struct um_mtcnn_rows {
  pnet_pack pack;
  const pnet_kernels *k;
  int threads;
  float *room;
  size_t room_floats, area_bytes; /* of a thread; the last area_bytes of it are um_mtcnn_area's */
};

/* [row][column][input][output] into groups. */
static void pack_kernel(float *to, const float *from, int ins, int outs, int group) {
  for (int o = 0; o < outs; o++)
    for (int i = 0; i < ins; i++)
      for (int t = 0; t < 9; t++) to[(((o / group) * ins + i) * 9 + t) * group + o % group] = from[(t * ins + i) * outs + o];
}

int um_mtcnn_rows_make(um_mtcnn_rows **out, const um_mtcnn_weights *w, int threads, bool wide, um_error *err) {
  const pnet_kernels *k = kernels(wide);
  *out = NULL;
  if (!k) return UM_OK;
  um_mtcnn_rows *r = calloc(1, sizeof *r);
  if (!r) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  pnet_pack *p = &r->pack;
  r->k = k;
  r->threads = threads;
  pack_kernel(p->conv1, um_mtcnn_values(w, "conv1/kernel"), 3, CONV1, k->first_group);
  pack_kernel(p->conv2, um_mtcnn_values(w, "conv2/kernel"), CONV1, CONV2, k->group);
  pack_kernel(p->conv3, um_mtcnn_values(w, "conv3/kernel"), CONV2, CONV3, k->group);
  for (int o = 0; o < HEADS; o++) {
    const float *kernel = um_mtcnn_values(w, o < 2 ? "conv4_1/kernel" : "conv4_2/kernel");
    const int outs = o < 2 ? 2 : 4, at = o < 2 ? o : o - 2;
    for (int i = 0; i < CONV3; i++) p->conv4[o * CONV3 + i] = kernel[i * outs + at];
    p->bias4[o] = um_mtcnn_values(w, o < 2 ? "conv4_1/bias" : "conv4_2/bias")[at];
  }
  memcpy(p->bias1, um_mtcnn_values(w, "conv1/bias"), sizeof p->bias1);
  memcpy(p->bias2, um_mtcnn_values(w, "conv2/bias"), sizeof p->bias2);
  memcpy(p->bias3, um_mtcnn_values(w, "conv3/bias"), sizeof p->bias3);
  memcpy(p->alpha1, um_mtcnn_values(w, "prelu1/alpha"), sizeof p->alpha1);
  memcpy(p->alpha2, um_mtcnn_values(w, "prelu2/alpha"), sizeof p->alpha2);
  memcpy(p->alpha3, um_mtcnn_values(w, "prelu3/alpha"), sizeof p->alpha3);
  *out = r;
  return UM_OK;
}

void um_mtcnn_rows_free(um_mtcnn_rows *r) {
  if (!r) return;
  free(r->room);
  free(r);
}

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* Rows are read in whole vectors, and two columns further: what is there is never used, but must be memory. */
static plan plan_of(const um_mtcnn_rows *r, const um_mtcnn_level *level, const um_mtcnn_span *columns, const um_mtcnn_span *rows) {
  const int lanes = r->k->lanes;
  plan p = {.level = level, .columns = columns, .rows = rows, .conv_width = level->width - 2, .conv_height = level->height - 2};
  p.pool_width = (p.conv_width + 1) / 2, p.pool_height = (p.conv_height + 1) / 2;
  p.cell_columns = p.pool_width - 4, p.cell_rows = p.pool_height - 4;
  p.in_plane = up(level->width, 2 * lanes) + 2 * lanes;
  p.plane = up(p.pool_width, 3 * lanes) + 3 * lanes;
  return p;
}

/* Four rows of the level, three of each layer. */
static size_t floats_of(const plan *p) { return (size_t)(4 * 3 * p->in_plane + 3 * (CONV1 + CONV2) * p->plane); }

/* ---- a band ---- */

typedef struct cell_arg {
  const pnet_pack *w;
  um_mtcnn_boxes *found;
  int row;
  double scale;
} cell_arg;

static int take_cell(void *arg, int column, float no, float yes, const float *hidden, int step, um_error *err) {
  const cell_arg *a = arg;
  const float most = no > yes ? no : yes, e0 = expf(no - most), e1 = expf(yes - most);
  um_mtcnn_box box = {.score = e1 / (e0 + e1)};
  if (!(box.score >= um_mtcnn_proposed)) return UM_OK;
  for (int o = 0; o < 4; o++) {
    const float *kernel = a->w->conv4 + (2 + o) * CONV3;
    float sum = a->w->bias4[2 + o];
    for (int c = 0; c < CONV3; c++) sum += kernel[c] * hidden[c * step];
    box.shift[o] = sum;
  }
  um_mtcnn_cell(&box, a->row, column, a->scale);
  return um_mtcnn_boxes_add(a->found, &box, 1, err);
}

static int run_item(const um_mtcnn_rows *r, item *it, const plan *p, const um_mtcnn_picture *picture, float *room, um_error *err) {
  float *const in = room, *const pooled = in + 4 * 3 * p->in_plane, *const conv2 = pooled + 3 * CONV1 * p->plane;
  void *const area = room + r->room_floats - r->area_bytes / sizeof *room;
  const int64_t in_row = 3 * p->in_plane, pool_row = CONV1 * p->plane, conv2_row = CONV2 * p->plane;
  int resized = 2 * it->first; /* rows of the level that are there */
  for (int y = it->first; y < it->last + 4; y++) {
    const bool second = 2 * y + 1 < p->conv_height;
    for (; resized < 2 * y + (second ? 4 : 3); resized++)
      um_mtcnn_area(in + resized % 4 * in_row, 1, p->in_plane, picture, p->rows[resized], p->columns, p->level->width, area);
    const float *rows[4];
    for (int i = 0; i < 4; i++) rows[i] = in + (2 * y + i) % 4 * in_row;
    r->k->first(pooled + y % 3 * pool_row, &r->pack, rows, p->in_plane, p->conv_width, second, p->plane);
    if (y < it->first + 2) continue;
    for (int i = 0; i < 3; i++) rows[i] = pooled + (y - 2 + i) % 3 * pool_row;
    r->k->second(conv2 + (y - 2) % 3 * conv2_row, &r->pack, rows, p->plane, p->pool_width - 2);
    if (y < it->first + 4) continue;
    for (int i = 0; i < 3; i++) rows[i] = conv2 + (y - 4 + i) % 3 * conv2_row;
    cell_arg arg = {&r->pack, &it->found, y - 4, p->level->scale};
    const int status = r->k->third(&r->pack, rows, p->plane, p->cell_columns, take_cell, &arg, err);
    if (status != UM_OK) return status;
  }
  return UM_OK;
}

/* ---- all of it ---- */

static int make_room(um_mtcnn_rows *r, const plan *p, int levels, int width, um_error *err) {
  const size_t area = um_mtcnn_area_room(width);
  size_t most = 0;
  for (int l = 0; l < levels; l++) most = floats_of(&p[l]) > most ? floats_of(&p[l]) : most;
  const size_t floats = (most + 15) / 16 * 16 + area / sizeof(float);
  r->area_bytes = area;
  if (floats <= r->room_floats) return UM_OK;
  free(r->room);
  r->room_floats = 0;
  r->room = aligned_alloc(64, floats * sizeof(float) * (size_t)r->threads);
  if (!r->room) return um_fail(err, UM_ENOMEM, "face detection: no memory for %zu bytes", floats * sizeof(float) * (size_t)r->threads);
  r->room_floats = floats;
  memset(r->room, 0, floats * sizeof(float) * (size_t)r->threads);
  return UM_OK;
}

/* Each picture's and level's windows of all its bands, suppressed; then one level after the other. */
static int gather(um_mtcnn_boxes *found, const item *list, int items, int count, int levels, um_error *err) {
  um_mtcnn_boxes *of = calloc((size_t)(count * levels), sizeof *of);
  int status = of ? UM_OK : um_fail(err, UM_ENOMEM, "face detection: no memory");
  for (int i = 0; i < items && status == UM_OK; i++)
    status = um_mtcnn_boxes_add(&of[list[i].picture * levels + list[i].level], list[i].found.item, list[i].found.count, err);
  for (int i = 0; i < count * levels && status == UM_OK; i++) status = um_mtcnn_suppress(&of[i], 0, 0.5, UM_MTCNN_UNION, err);
  for (int i = 0; of && i < count * levels && status == UM_OK; i++)
    status = um_mtcnn_boxes_add(&found[i / levels], of[i].item, of[i].count, err);
  for (int i = 0; of && i < count * levels; i++) um_mtcnn_boxes_free(&of[i]);
  free(of);
  return status;
}

int um_mtcnn_rows_propose(um_mtcnn_rows *r, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count, int min_face,
                          um_error *err) {
  um_mtcnn_level level[UM_MTCNN_LEVELS];
  plan p[UM_MTCNN_LEVELS];
  const int levels = um_mtcnn_pyramid(level, picture->width, picture->height, min_face);
  size_t spans = 0;
  int items = 0, status = UM_OK;
  if (levels == 0) return UM_OK;
  for (int l = 0; l < levels; l++) {
    spans += (size_t)level[l].width + (size_t)level[l].height;
    items += count * ((um_mtcnn_cells(level[l].height) + BAND - 1) / BAND);
  }
  um_mtcnn_span *span = malloc(spans * sizeof *span), *at = span;
  item *list = calloc((size_t)items, sizeof *list);
  if (!span || !list) status = um_fail(err, UM_ENOMEM, "face detection: no memory");
  for (int l = 0, i = 0; l < levels && status == UM_OK; l++) {
    um_mtcnn_spans(at, picture->width, level[l].width);
    um_mtcnn_spans(at + level[l].width, picture->height, level[l].height);
    p[l] = plan_of(r, &level[l], at, at + level[l].width);
    at += level[l].width + level[l].height;
    for (int k = 0; k < count; k++)
      for (int first = 0; first < p[l].cell_rows; first += BAND)
        list[i++] = (item){k, l, first, first + BAND < p[l].cell_rows ? first + BAND : p[l].cell_rows, {0}, UM_OK};
  }
  if (status == UM_OK) status = make_room(r, p, levels, picture->width, err);
  if (status == UM_OK) {
#pragma omp parallel for num_threads(r->threads) schedule(dynamic, 1)
    for (int i = 0; i < items; i++) {
      um_error own;
#ifdef _OPENMP
      float *room = r->room + r->room_floats * (size_t)omp_get_thread_num();
#else
      float *room = r->room;
#endif
      const int s = run_item(r, &list[i], &p[list[i].level], &picture[list[i].picture], room, &own);
#pragma omp critical
      if (s != UM_OK) *err = own, status = s;
    }
  }
  if (status == UM_OK) status = gather(found, list, items, count, levels, err);
  for (int i = 0; list && i < items; i++) um_mtcnn_boxes_free(&list[i].found);
  free(list);
  free(span);
  return status;
}

#else
int um_mtcnn_rows_make(um_mtcnn_rows **out, const um_mtcnn_weights *w, int threads, bool wide, um_error *err) {
  (void)w, (void)threads, (void)wide, (void)err;
  *out = NULL;
  return UM_OK;
}
void um_mtcnn_rows_free(um_mtcnn_rows *r) { (void)r; }
int um_mtcnn_rows_propose(um_mtcnn_rows *r, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count, int min_face,
                          um_error *err) {
  (void)r, (void)found, (void)picture, (void)count, (void)min_face;
  return um_fail(err, UM_EUNSUPPORTED, "mtcnn: no fast way on this processor");
}
#endif
