/* Windows of a row through the stages. The plain function is OpenCV's own arithmetic (predictOrdered and predictOrderedStump of
 * objdetect/cascadedetect.hpp: values in single precision, sums of leaves in double); the others take 4, 8 or 16 neighbouring
 * windows at a time (haar_row.inc) and decide each of them exactly as the plain one. */
#include "faces/haar_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static int corner(const haar_plane *p, int x, int y) { return y * p->stride + (p->step == 2 ? (x & 1) * p->half + (x >> 1) : x); }

int haar_scan_init(haar_scan *s, const um_haar *h, const haar_plane *p, ptrdiff_t tilted, um_error *err) {
  s->cascade = h;
  s->weak = calloc((size_t)h->nodes, sizeof *s->weak);
  if (!s->weak) return um_fail(err, UM_ENOMEM, "face detection: no memory for %d weak classifiers", h->nodes);
  int right = h->width - 1, bottom = h->height - 1;
  s->norm[0] = corner(p, 1, 1), s->norm[1] = corner(p, right, 1);
  s->norm[2] = corner(p, 1, bottom), s->norm[3] = corner(p, right, bottom);
  s->area = (double)(h->width - 2) * (h->height - 2);
  for (int t = 0; t < h->trees; t++) {
    const haar_tree *tree = &h->tree[t];
    for (int i = 0; i < tree->nodes; i++) {
      const haar_node *n = &h->node[tree->node + i];
      const haar_feature *f = &h->feature[n->feature];
      haar_weak *w = &s->weak[tree->node + i];
      w->threshold = n->threshold;
      for (int side = 0; side < 2; side++) {
        int c = side ? n->right : n->left;
        w->child[side] = (int16_t)(c > 0 ? c : 0);
        w->leaf[side] = c > 0 ? 0 : h->leaf[tree->leaf - c];
      }
      for (int k = 0; k < HAAR_RECTS; k++) {
        int x = f->rect[k].x, y = f->rect[k].y, rw = f->rect[k].width, rh = f->rect[k].height;
        int *c = w->corner[k];
        w->weight[k] = f->rect[k].weight;
        if (f->tilted && w->weight[k] != 0) {
          int plane = (int)tilted;
          c[0] = plane + corner(p, x, y), c[1] = plane + corner(p, x - rh, y + rh);
          c[2] = plane + corner(p, x + rw, y + rw), c[3] = plane + corner(p, x + rw - rh, y + rw + rh);
        } else {
          c[0] = corner(p, x, y), c[1] = corner(p, x + rw, y);
          c[2] = corner(p, x, y + rh), c[3] = corner(p, x + rw, y + rh);
        }
      }
    }
  }
  return UM_OK;
}

void haar_scan_free(haar_scan *s) {
  free(s->weak);
  s->weak = NULL;
}

/* The value of a feature, not yet divided by the window's spread. */
static inline float feature_value(const haar_weak *w, const int32_t *at) {
  float v[2];
  for (int k = 0; k < 2; k++) {
    const int *c = w->corner[k];
    v[k] = w->weight[k] * (float)(int32_t)((uint32_t)at[c[0]] - (uint32_t)at[c[1]] - (uint32_t)at[c[2]] + (uint32_t)at[c[3]]);
  }
  float value = v[0] + v[1];
  if (w->weight[2] != 0) {
    const int *c = w->corner[2];
    value += w->weight[2] * (float)(int32_t)((uint32_t)at[c[0]] - (uint32_t)at[c[1]] - (uint32_t)at[c[2]] + (uint32_t)at[c[3]]);
  }
  return value;
}

/* Whether the window at `at` passes a stage. */
static bool passes(const haar_scan *s, int stage, const int32_t *at, float norm) {
  const haar_stage *st = &s->cascade->stage[stage];
  const haar_tree *tree = s->cascade->tree + st->tree;
  double sum = 0;
  for (int t = 0; t < st->trees; t++) {
    const haar_weak *weak = s->weak + tree[t].node;
    for (int i = 0;;) {
      const haar_weak *w = &weak[i];
      int side = !(feature_value(w, at) * norm < w->threshold);
      if ((i = w->child[side]) == 0) {
        sum += (double)w->leaf[side];
        break;
      }
    }
  }
  return !(sum < (double)st->threshold);
}

static bool passes_from(const haar_scan *s, int stage, const int32_t *at, float norm) {
  for (; stage < s->cascade->stages; stage++)
    if (!passes(s, stage, at, norm)) return false;
  return true;
}

/* 1 / (area * standard deviation) of the window's inner rectangle; 0 where the window is too flat to be looked at. */
static inline float window_norm(const haar_scan *s, const int32_t *sum, const int32_t *square) {
  const int *n = s->norm;
  int32_t total = (int32_t)((uint32_t)sum[n[0]] - (uint32_t)sum[n[1]] - (uint32_t)sum[n[2]] + (uint32_t)sum[n[3]]);
  uint32_t squares = (uint32_t)square[n[0]] - (uint32_t)square[n[1]] - (uint32_t)square[n[2]] + (uint32_t)square[n[3]];
  double spread = s->area * squares - (double)total * total;
  if (!(spread > 0)) return 0;
  float norm = (float)(1. / sqrt(spread));
  return s->area * norm < 1e-1 ? norm : 0;
}

int haar_row_plain(const haar_scan *s, const int32_t *sum, const int32_t *square, int n, float *scratch, int *hit) {
  int hits = 0;
  (void)scratch;
  for (int i = 0; i < n; i++) {
    float norm = window_norm(s, sum + i, square + i);
    if (norm == 0) continue;
    if (!passes(s, 0, sum + i, norm))
      i++;
    else if (passes_from(s, 1, sum + i, norm))
      hit[hits++] = i;
  }
  return hits;
}

/* Below this many windows left of a block, each goes on alone. */
#define ALONE(lanes) ((lanes) / 8)

#define LANES 4
#define TARGET
#define NAME(x) x##_4
#include "faces/haar_row.inc"
#undef LANES
#undef TARGET
#undef NAME

#if defined(__x86_64__)
#define LANES   8
#define TARGET  __attribute__((target("avx2")))
#define NAME(x) x##_avx2
#define BITS(m) ((unsigned)_mm256_movemask_ps((__m256)(m)))
#include "faces/haar_row.inc"
#undef LANES
#undef TARGET
#undef NAME

#define LANES   16
#define TARGET  __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw")))
#define NAME(x) x##_avx512
#define BITS(m) ((unsigned)_mm512_movepi32_mask((__m512i)(m)))
#include "faces/haar_row.inc"
#undef LANES
#undef TARGET
#undef NAME
#endif

haar_row *haar_row_variant(int i, const char **name) {
  struct {
    haar_row *row;
    const char *name;
    bool here;
  } all[] = {
#if defined(__x86_64__)
    {haar_row_avx512, "avx512",
     __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw")},
    {haar_row_avx2, "avx2", __builtin_cpu_supports("avx2")},
#endif
    {haar_row_4, "vector of 4", true},
  };
  for (size_t k = 0; k < sizeof all / sizeof *all; k++)
    if (all[k].here && i-- == 0) {
      if (name) *name = all[k].name;
      return all[k].row;
    }
  return NULL;
}

haar_row *haar_row_best(void) { return haar_row_variant(0, NULL); }
