/* F(4x4, 3x3): Y = A' [(G g G') . (B' d B)] A for every tile of 6x6 inputs and 4x4 outputs (Winograd 1980; Lavin & Gray 2016). The
 * sums over channels of the products "." are 36 matrix products. Points 0, +-5/8, +-3/2 and infinity instead of 0, +-1, +-2: the
 * transforms' entries are of one size, which loses fewer digits (oneDNN has the same ones).
 *
 * Matrices with a row a tile (V: inputs transformed, tiles x C; D: output gradients transformed, tiles x K; M: products, tiles x K)
 * come in groups of at most ROWS tiles and panels of 16 channels: [group][channel / 16][xi][ROWS][16], so that what a tile's
 * transform touches lies together, and what one matrix product reads are runs of ROWS lines. Kernels (U: C x K, transformed) are
 * [column / 16][row / 16][xi][16][16]. xi = 0..35 are the places of a tile.
 *
 * Forward is M = V U; backward data the same with the kernel turned about and its roles swapped; backward weights U = V' D. Groups
 * go through in chunks. Where U fits a core's cache, each thread takes chunks of its own through all phases, V and M staying in its
 * cache; where it does not, all threads share a larger chunk, and so each read of U, and meet between the phases. */
#include "core/cpu/winograd.h"

#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#ifdef __x86_64__
#include <immintrin.h>

#define FAST   __attribute__((target("avx512f")))
#define INLINE static inline __attribute__((always_inline, target("avx512f")))

typedef __m512 vec;

enum {
  XI = 36,
  ROWS = 14,              /* of tiles in a group: 14 x 2 sums and their operands are the 32 registers */
  PANEL = XI * ROWS * 16, /* floats of a group's panel */
  BLOCK = XI * 16 * 16    /* floats of a kernel's block */
};

static const float A1 = 0.625f, A2 = 0.625f * 0.625f, B1 = 1.5f, B2 = 1.5f * 1.5f;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

bool um_wino_here(void) { return __builtin_cpu_supports("avx512f"); }

/* ---- one-dimensional transforms; d and the results are 16 channels each ---- */

/* B' d: rows e +- o of the two pairs of points, even and odd parts apart. */
INLINE void input_1d(vec r[6], const vec d[6]) {
  const vec a2 = _mm512_set1_ps(A2), b2 = _mm512_set1_ps(B2), ab = _mm512_set1_ps(A2 * B2), sum = _mm512_set1_ps(A2 + B2);
  const vec ea = _mm512_fnmadd_ps(b2, d[2], d[4]), oa = _mm512_mul_ps(_mm512_set1_ps(A1), _mm512_fnmadd_ps(b2, d[1], d[3]));
  const vec eb = _mm512_fnmadd_ps(a2, d[2], d[4]), ob = _mm512_mul_ps(_mm512_set1_ps(B1), _mm512_fnmadd_ps(a2, d[1], d[3]));
  r[0] = _mm512_fmadd_ps(ab, d[0], _mm512_fnmadd_ps(sum, d[2], d[4]));
  r[1] = _mm512_add_ps(ea, oa);
  r[2] = _mm512_sub_ps(ea, oa);
  r[3] = _mm512_add_ps(eb, ob);
  r[4] = _mm512_sub_ps(eb, ob);
  r[5] = _mm512_fmadd_ps(ab, d[1], _mm512_fnmadd_ps(sum, d[3], d[5]));
}

/* A' m: 6 to 4. */
INLINE void output_1d(vec r[4], const vec m[6]) {
  const vec sa = _mm512_add_ps(m[1], m[2]), da = _mm512_mul_ps(_mm512_set1_ps(A1), _mm512_sub_ps(m[1], m[2]));
  const vec sb = _mm512_add_ps(m[3], m[4]), db = _mm512_mul_ps(_mm512_set1_ps(B1), _mm512_sub_ps(m[3], m[4]));
  const vec a2 = _mm512_set1_ps(A2), b2 = _mm512_set1_ps(B2);
  r[0] = _mm512_add_ps(m[0], _mm512_add_ps(sa, sb));
  r[1] = _mm512_add_ps(da, db);
  r[2] = _mm512_fmadd_ps(a2, sa, _mm512_mul_ps(b2, sb));
  r[3] = _mm512_add_ps(_mm512_fmadd_ps(a2, da, _mm512_mul_ps(b2, db)), m[5]);
}

/* A g: 4 to 6, the adjoint of output_1d. */
INLINE void gradient_1d(vec r[6], const vec g[4]) {
  const vec a2 = _mm512_set1_ps(A2), b2 = _mm512_set1_ps(B2);
  const vec ea = _mm512_fmadd_ps(a2, g[2], g[0]), oa = _mm512_mul_ps(_mm512_set1_ps(A1), _mm512_fmadd_ps(a2, g[3], g[1]));
  const vec eb = _mm512_fmadd_ps(b2, g[2], g[0]), ob = _mm512_mul_ps(_mm512_set1_ps(B1), _mm512_fmadd_ps(b2, g[3], g[1]));
  r[0] = g[0];
  r[1] = _mm512_add_ps(ea, oa);
  r[2] = _mm512_sub_ps(ea, oa);
  r[3] = _mm512_add_ps(eb, ob);
  r[4] = _mm512_sub_ps(eb, ob);
  r[5] = g[3];
}

/* G's rows are [1, +-p, p^2] times these, for the points 0, +-A, +-B. */
static const float G0 = 1 / (0.390625f * 2.25f), GA = 1 / (2 * 0.390625f * (0.390625f - 2.25f)), GB = 1 / (2 * 2.25f * (2.25f - 0.390625f));

/* G g: 3 to 6. */
INLINE void kernel_1d(vec r[6], const vec g[3]) {
  const vec ga = _mm512_set1_ps(GA), gb = _mm512_set1_ps(GB);
  const vec ea = _mm512_mul_ps(ga, _mm512_fmadd_ps(_mm512_set1_ps(A2), g[2], g[0])), oa = _mm512_mul_ps(_mm512_set1_ps(GA * A1), g[1]);
  const vec eb = _mm512_mul_ps(gb, _mm512_fmadd_ps(_mm512_set1_ps(B2), g[2], g[0])), ob = _mm512_mul_ps(_mm512_set1_ps(GB * B1), g[1]);
  r[0] = _mm512_mul_ps(_mm512_set1_ps(G0), g[0]);
  r[1] = _mm512_add_ps(ea, oa);
  r[2] = _mm512_sub_ps(ea, oa);
  r[3] = _mm512_add_ps(eb, ob);
  r[4] = _mm512_sub_ps(eb, ob);
  r[5] = g[2];
}

/* G' u: 6 to 3, the adjoint of kernel_1d. */
INLINE void kernel_gradient_1d(vec r[3], const vec u[6]) {
  const vec sa = _mm512_mul_ps(_mm512_set1_ps(GA), _mm512_add_ps(u[1], u[2])), da = _mm512_sub_ps(u[1], u[2]);
  const vec sb = _mm512_mul_ps(_mm512_set1_ps(GB), _mm512_add_ps(u[3], u[4])), db = _mm512_sub_ps(u[3], u[4]);
  r[0] = _mm512_fmadd_ps(_mm512_set1_ps(G0), u[0], _mm512_add_ps(sa, sb));
  r[1] = _mm512_fmadd_ps(_mm512_set1_ps(GA * A1), da, _mm512_mul_ps(_mm512_set1_ps(GB * B1), db));
  r[2] = _mm512_add_ps(_mm512_fmadd_ps(_mm512_set1_ps(A2), sa, _mm512_mul_ps(_mm512_set1_ps(B2), sb)), u[5]);
}

/* ---- tiles ---- */

/* A picture of channels in nChw16c and the tiles over it. */
typedef struct plane {
  int64_t channels, height, width;
  int64_t rows, cols;    /* of tiles */
  int pad_top, pad_left; /* where tile 0's corner lies outside */
} plane;

INLINE const float *tile_at(const plane *p, const float *x, int64_t tile, int64_t block, int64_t *top, int64_t *left) {
  const int64_t n = tile / (p->rows * p->cols), in = tile % (p->rows * p->cols);
  *top = in / p->cols * 4 - p->pad_top;
  *left = in % p->cols * 4 - p->pad_left;
  return x + (n * (p->channels / 16) + block) * p->height * p->width * 16;
}

/* Into its row of a group's panel. */
FAST static void input_tile(const plane *p, float *v, const float *x, int64_t tile, int64_t block) {
  int64_t top, left;
  const float *from = tile_at(p, x, tile, block, &top, &left);
  const bool inside = top >= 0 && left >= 0 && top + 6 <= p->height && left + 6 <= p->width;
  vec t[6][6];
  for (int r = 0; r < 6; r++) {
    vec d[6];
    const float *at = from + ((top + r) * p->width + left) * 16;
    if (inside) {
      for (int c = 0; c < 6; c++) d[c] = _mm512_loadu_ps(at + c * 16);
    } else {
      const bool row_inside = top + r >= 0 && top + r < p->height;
      for (int c = 0; c < 6; c++)
        d[c] = row_inside && left + c >= 0 && left + c < p->width ? _mm512_loadu_ps(at + c * 16) : _mm512_setzero_ps();
    }
    input_1d(t[r], d);
  }
  for (int c = 0; c < 6; c++) {
    const vec d[6] = {t[0][c], t[1][c], t[2][c], t[3][c], t[4][c], t[5][c]};
    vec r[6];
    input_1d(r, d);
    for (int i = 0; i < 6; i++) _mm512_storeu_ps(v + (i * 6 + c) * (ROWS * 16), r[i]);
  }
}

FAST static void output_tile(const plane *p, float *y, const float *m, int64_t tile, int64_t block, const float *bias, bool relu) {
  int64_t top, left;
  float *to = y + (tile_at(p, y, tile, block, &top, &left) - y);
  const vec add = bias ? _mm512_loadu_ps(bias + block * 16) : _mm512_setzero_ps();
  vec t[4][6];
  for (int c = 0; c < 6; c++) {
    vec d[6], r[4];
    for (int i = 0; i < 6; i++) d[i] = _mm512_loadu_ps(m + (i * 6 + c) * (ROWS * 16));
    output_1d(r, d);
    for (int i = 0; i < 4; i++) t[i][c] = r[i];
  }
  const int64_t rows = least(4, p->height - top), cols = least(4, p->width - left);
  for (int64_t i = 0; i < rows; i++) {
    vec r[4];
    float *at = to + ((top + i) * p->width + left) * 16;
    output_1d(r, t[i]);
    for (int c = 0; c < 4; c++) {
      r[c] = _mm512_add_ps(r[c], add);
      if (relu) r[c] = _mm512_max_ps(_mm512_setzero_ps(), r[c]); /* the second operand where one is a NaN: it stays one */
    }
    for (int c = 0; c < cols; c++) _mm512_storeu_ps(at + c * 16, r[c]);
  }
}

/* The adjoint of output_tile; sum gets the tile's gradients added. */
FAST static void gradient_tile(const plane *p, float *d, const float *dy, int64_t tile, int64_t block, float *sum) {
  int64_t top, left;
  const float *from = tile_at(p, dy, tile, block, &top, &left);
  vec t[4][6], total = _mm512_loadu_ps(sum);
  for (int i = 0; i < 4; i++) {
    vec g[4];
    const float *at = from + ((top + i) * p->width + left) * 16;
    for (int c = 0; c < 4; c++) {
      g[c] = top + i < p->height && left + c < p->width ? _mm512_loadu_ps(at + c * 16) : _mm512_setzero_ps();
      total = _mm512_add_ps(total, g[c]);
    }
    gradient_1d(t[i], g);
  }
  _mm512_storeu_ps(sum, total);
  for (int c = 0; c < 6; c++) {
    const vec g[4] = {t[0][c], t[1][c], t[2][c], t[3][c]};
    vec r[6];
    gradient_1d(r, g);
    for (int i = 0; i < 6; i++) _mm512_storeu_ps(d + (i * 6 + c) * (ROWS * 16), r[i]);
  }
}

/* ---- kernels ---- */

/* Into its row of a block. */
INLINE void store_kernel(float *u, const vec g[3][3]) {
  vec t[3][6];
  for (int r = 0; r < 3; r++) kernel_1d(t[r], g[r]);
  for (int c = 0; c < 6; c++) {
    const vec d[3] = {t[0][c], t[1][c], t[2][c]};
    vec r[6];
    kernel_1d(r, d);
    for (int i = 0; i < 6; i++) _mm512_storeu_ps(u + (i * 6 + c) * 256, r[i]);
  }
}

/* One block of 16 x 16 channels of OIhw16i16o to rows of C, columns of K. */
FAST static void kernel_block(const um_wino *g, float *u, const float *w, int64_t kb, int64_t cb) {
  float *to = u + (kb * (g->c / 16) + cb) * BLOCK;
  const float *from = w + (kb * (g->c / 16) + cb) * 9 * 256;
  for (int i = 0; i < 16; i++) {
    vec k[3][3];
    for (int r = 0; r < 9; r++) k[r / 3][r % 3] = _mm512_loadu_ps(from + r * 256 + i * 16);
    store_kernel(to + i * 16, (const vec(*)[3])k);
  }
}

/* The same for backward data: turned by 180 degrees, rows of K, columns of C. */
FAST static void kernel_block_turned(const um_wino *g, float *u, const float *w, int64_t kb, int64_t cb) {
  float *to = u + (cb * (g->k / 16) + kb) * BLOCK;
  const float *from = w + (kb * (g->c / 16) + cb) * 9 * 256;
  float turned[9][16][16];
  for (int r = 0; r < 9; r++)
    for (int i = 0; i < 16; i++)
      for (int o = 0; o < 16; o++) turned[8 - r][o][i] = from[r * 256 + i * 16 + o];
  for (int o = 0; o < 16; o++) {
    vec k[3][3];
    for (int r = 0; r < 9; r++) k[r / 3][r % 3] = _mm512_loadu_ps(turned[r][o]);
    store_kernel(to + o * 16, (const vec(*)[3])k);
  }
}

FAST static void kernel_block_plain(const um_wino *g, float *u, const float *w, int64_t kb, int64_t c) {
  float *to = u + (kb * (g->c / 16) + c / 16) * BLOCK + c % 16 * 16;
  vec k[3][3];
  for (int r = 0; r < 9; r++) k[r / 3][r % 3] = _mm512_loadu_ps(w + (r * g->c + c) * g->k + kb * 16);
  store_kernel(to, (const vec(*)[3])k);
}

FAST static void kernel_gradient_block(const um_wino *g, float *dw, const float *u, int64_t kb, int64_t cb) {
  float *to = dw + (kb * (g->c / 16) + cb) * 9 * 256;
  for (int i = 0; i < 16; i++) {
    const float *from = u + (kb * (g->c / 16) + cb) * BLOCK + i * 16;
    vec t[3][6];
    for (int c = 0; c < 6; c++) {
      vec d[6], r[3];
      for (int j = 0; j < 6; j++) d[j] = _mm512_loadu_ps(from + (j * 6 + c) * 256);
      kernel_gradient_1d(r, d);
      for (int j = 0; j < 3; j++) t[j][c] = r[j];
    }
    for (int j = 0; j < 3; j++) {
      vec r[3];
      kernel_gradient_1d(r, t[j]);
      for (int c = 0; c < 3; c++) _mm512_storeu_ps(to + (j * 3 + c) * 256 + i * 16, r[c]);
    }
  }
}

/* ---- matrix products ---- */

/* rows of M = V U for one group, one xi and `cols` panels: a is the group's first panel at xi, b the first block of the column panel
 * at xi, b_panel floats from one column panel to the next. Everything but pointers and depth is known when this is inlined, so that
 * the sums live in registers. Blocks of b come from far: the next one is asked for while this one is used. */
INLINE void product(const int rows, const int cols, float *out, const float *a, const float *b, size_t b_panel, int64_t blocks) {
  vec s[ROWS][2];
#pragma GCC unroll 14
  for (int m = 0; m < rows; m++)
#pragma GCC unroll 2
    for (int j = 0; j < cols; j++) s[m][j] = _mm512_setzero_ps();
  for (int64_t d = 0; d < blocks; d++, a += PANEL, b += BLOCK)
    for (int i = 0; i < 16; i++) {
      const vec b0 = _mm512_loadu_ps(b + i * 16), b1 = cols > 1 ? _mm512_loadu_ps(b + b_panel + i * 16) : b0;
      _mm_prefetch((const char *)(b + BLOCK + i * 16), _MM_HINT_T0);
      if (cols > 1) _mm_prefetch((const char *)(b + b_panel + BLOCK + i * 16), _MM_HINT_T0);
      _mm_prefetch((const char *)(a + PANEL + i * 16), _MM_HINT_T0);
#pragma GCC unroll 14
      for (int m = 0; m < rows; m++) {
        const vec v = _mm512_set1_ps(a[m * 16 + i]);
        s[m][0] = _mm512_fmadd_ps(v, b0, s[m][0]);
        if (cols > 1) s[m][1] = _mm512_fmadd_ps(v, b1, s[m][1]);
      }
    }
#pragma GCC unroll 14
  for (int m = 0; m < rows; m++)
#pragma GCC unroll 2
    for (int j = 0; j < cols; j++) _mm512_storeu_ps(out + j * PANEL + m * 16, s[m][j]);
}

typedef void product_fn(float *out, const float *a, const float *b, size_t b_panel, int64_t blocks);

#define PRODUCT(R)                                                                                                                         \
  FAST static void product_##R##_1(float *out, const float *a, const float *b, size_t b_panel, int64_t blocks) {                           \
    product(R, 1, out, a, b, b_panel, blocks);                                                                                             \
  }                                                                                                                                        \
  FAST static void product_##R##_2(float *out, const float *a, const float *b, size_t b_panel, int64_t blocks) {                           \
    product(R, 2, out, a, b, b_panel, blocks);                                                                                             \
  }
/* clang-format off */
PRODUCT(1) PRODUCT(2) PRODUCT(3) PRODUCT(4) PRODUCT(5) PRODUCT(6) PRODUCT(7)
PRODUCT(8) PRODUCT(9) PRODUCT(10) PRODUCT(11) PRODUCT(12) PRODUCT(13) PRODUCT(14)
/* clang-format on */

#define BOTH(R)                                                                                                                            \
  { product_##R##_1, product_##R##_2 }
        static product_fn *const products[ROWS + 1][2] = {{NULL, NULL}, BOTH(1), BOTH(2),  BOTH(3),  BOTH(4),  BOTH(5),  BOTH(6), BOTH(7),
                                                          BOTH(8),      BOTH(9), BOTH(10), BOTH(11), BOTH(12), BOTH(13), BOTH(14)};

/* Tiles in groups of equal shares of at most ROWS. */
typedef struct groups {
  int64_t tiles, count;
} groups;

static groups groups_of(int64_t tiles) { return (groups){tiles, (tiles + ROWS - 1) / ROWS}; }
static int64_t first_tile(groups g, int64_t group) { return group * g.tiles / g.count; }
static int64_t tiles_in(groups g, int64_t group) { return first_tile(g, group + 1) - first_tile(g, group); }

/* M = V U for one xi and a pair of panels (the last may be single) over groups first to last; v and m begin at group first. */
static void product_panels(float *m, const float *v, const float *u, int64_t xi, int64_t panel, int64_t panels, int64_t blocks, groups g,
                           int64_t first, int64_t last) {
  const int two = panel + 1 < panels;
  for (int64_t i = first; i < last; i++)
    products[tiles_in(g, i)][two](m + ((i - first) * panels + panel) * PANEL + xi * (ROWS * 16),
                                  v + (i - first) * blocks * PANEL + xi * (ROWS * 16), u + panel * blocks * BLOCK + xi * 256,
                                  (size_t)blocks * BLOCK, blocks);
}

/* U (+)= V' D for 8 rows and one or two panels, over the tiles of some groups. */
INLINE void outer(const int cols, bool add, float *u, size_t u_panel, const float *v, size_t v_group, const float *d, size_t d_group,
                  groups g, int64_t first, int64_t last) {
  vec s[8][2];
#pragma GCC unroll 8
  for (int m = 0; m < 8; m++)
#pragma GCC unroll 2
    for (int j = 0; j < cols; j++) s[m][j] = add ? _mm512_loadu_ps(u + (size_t)j * u_panel + m * 16) : _mm512_setzero_ps();
  for (int64_t i = first; i < last; i++, v += v_group, d += d_group) {
    const int64_t rows = tiles_in(g, i);
    for (int64_t t = 0; t < rows; t++) {
      const vec d0 = _mm512_loadu_ps(d + t * 16), d1 = cols > 1 ? _mm512_loadu_ps(d + PANEL + t * 16) : d0;
      _mm_prefetch((const char *)(v + v_group + t * 16), _MM_HINT_T0);
#pragma GCC unroll 8
      for (int m = 0; m < 8; m++) {
        const vec a = _mm512_set1_ps(v[t * 16 + m]);
        s[m][0] = _mm512_fmadd_ps(a, d0, s[m][0]);
        if (cols > 1) s[m][1] = _mm512_fmadd_ps(a, d1, s[m][1]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < 8; m++)
#pragma GCC unroll 2
    for (int j = 0; j < cols; j++) _mm512_storeu_ps(u + (size_t)j * u_panel + m * 16, s[m][j]);
}

FAST static void outer_panels(float *u, const float *v, const float *d, int64_t xi, int64_t panel, int64_t panels, int64_t blocks, groups g,
                              int64_t first, int64_t last, bool add) {
  const float *b = d + panel * PANEL + xi * (ROWS * 16);
  for (int64_t m = 0; m < blocks * 16; m += 8) {
    float *to = u + (panel * blocks + m / 16) * BLOCK + xi * 256 + m % 16 * 16;
    const float *a = v + m / 16 * PANEL + xi * (ROWS * 16) + m % 16;
    if (panel + 1 < panels) {
      outer(2, add, to, (size_t)blocks * BLOCK, a, (size_t)blocks * PANEL, b, (size_t)panels * PANEL, g, first, last);
    } else {
      outer(1, add, to, 0, a, (size_t)blocks * PANEL, b, (size_t)panels * PANEL, g, first, last);
    }
  }
}

/* ---- passes ---- */

static int64_t tiles_of(int64_t n, int64_t height, int64_t width) { return n * ((height + 3) / 4) * ((width + 3) / 4); }

static size_t kernel_floats(const um_wino *g) { return (size_t)(g->c / 16 * (g->k / 16)) * BLOCK; }
size_t um_wino_kernel_bytes(const um_wino *g) { return kernel_floats(g) * sizeof(float); }

/* Floats of a group's V and M (or V and D) together. */
static size_t group_floats(const um_wino *g) { return (size_t)((g->c + g->k) / 16) * PANEL; }

/* Whether threads go through the phases each on its own: where U leaves room in a core's cache. */
static bool apart(const um_wino *g) { return um_wino_kernel_bytes(g) <= (size_t)3 << 20; }

/* Groups of a chunk, measured (docs/performance.md). Apart: V and M well inside a core's cache. Together: as much again as the
 * cores' caches hold, but where U does not fit the last-level cache beside it, enough tiles to make reading it anew for each chunk
 * cheap. Backward weights reads and writes U for each chunk, and so takes larger ones sooner. */
static int64_t chunk_groups(const um_wino *g, groups all, bool alone, bool weights) {
  const int64_t bytes = (int64_t)(group_floats(g) * sizeof(float)), u = (int64_t)um_wino_kernel_bytes(g);
  const int64_t large = most(9, (8 << 20) / bytes);
  int64_t at_most = most(2, (2 << 20) / bytes);
  if (alone)
    at_most = most(1, (256 << 10) / bytes);
  else if (weights ? u > 3 << 20 : u > 12 << 20)
    at_most = large;
  const int64_t chunks = (all.count + at_most - 1) / at_most;
  return (all.count + chunks - 1) / chunks;
}

static size_t convolve_floats(const um_wino *g, groups all) {
  return (size_t)chunk_groups(g, all, apart(g), false) * group_floats(g) * (apart(g) ? (size_t)g->threads : 1);
}

size_t um_wino_forward_scratch(const um_wino *g, bool transformed) {
  return ((transformed ? 0 : kernel_floats(g)) + convolve_floats(g, groups_of(tiles_of(g->n, g->out_h, g->out_w)))) * sizeof(float);
}
size_t um_wino_backward_data_scratch(const um_wino *g) {
  return (kernel_floats(g) + convolve_floats(g, groups_of(tiles_of(g->n, g->height, g->width)))) * sizeof(float);
}
size_t um_wino_backward_weights_scratch(const um_wino *g) {
  const groups all = groups_of(tiles_of(g->n, g->out_h, g->out_w));
  const int64_t chunk = chunk_groups(g, all, false, true);
  return (kernel_floats(g) + (size_t)chunk * group_floats(g) + (size_t)(chunk * g->k)) * sizeof(float);
}

void um_wino_kernel(const um_wino *g, float *u, const float *plain) {
#pragma omp parallel for
  for (int64_t c = 0; c < g->c; c++)
    for (int64_t kb = 0; kb < g->k / 16; kb++) kernel_block_plain(g, u, plain, kb, c);
}

/* Forward and backward data: `from` to `to` through u, channels of from x channels of to. */
typedef struct job {
  const plane *to, *from;
  float *y;
  const float *x, *u, *bias;
  bool relu;
  groups all;
  int64_t blocks, panels; /* of 16 channels, of from and to */
} job;

static void input_group(const job *j, float *v, int64_t group, int64_t block) {
  const int64_t tile = first_tile(j->all, group), count = tiles_in(j->all, group);
  for (int64_t t = 0; t < count; t++) input_tile(j->from, v + t * 16, j->x, tile + t, block);
}

static void output_group(const job *j, const float *m, int64_t group, int64_t panel) {
  const int64_t tile = first_tile(j->all, group), count = tiles_in(j->all, group);
  for (int64_t t = 0; t < count; t++) output_tile(j->to, j->y, m + t * 16, tile + t, panel, j->bias, j->relu);
}

static int thread_index(void) {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

static void convolve_apart(const um_wino *w, const job *j, float *scratch) {
  const int64_t chunk = chunk_groups(w, j->all, true, false), chunks = (j->all.count + chunk - 1) / chunk;
#pragma omp parallel for schedule(dynamic)
  for (int64_t k = 0; k < chunks; k++) {
    float *v = scratch + (size_t)thread_index() * (size_t)chunk * group_floats(w), *m = v + chunk * j->blocks * PANEL;
    const int64_t first = k * chunk, last = least(first + chunk, j->all.count);
    for (int64_t g = first; g < last; g++)
      for (int64_t b = 0; b < j->blocks; b++) input_group(j, v + ((g - first) * j->blocks + b) * PANEL, g, b);
    for (int64_t xi = 0; xi < XI; xi++)
      for (int64_t p = 0; p < j->panels; p += 2) product_panels(m, v, j->u, xi, p, j->panels, j->blocks, j->all, first, last);
    for (int64_t g = first; g < last; g++)
      for (int64_t p = 0; p < j->panels; p++) output_group(j, m + ((g - first) * j->panels + p) * PANEL, g, p);
  }
}

static void convolve_together(const um_wino *w, const job *j, float *scratch) {
  const int64_t chunk = chunk_groups(w, j->all, false, false);
  float *v = scratch, *m = v + chunk * j->blocks * PANEL;
#pragma omp parallel
  for (int64_t first = 0; first < j->all.count; first += chunk) {
    const int64_t last = least(first + chunk, j->all.count);
#pragma omp for collapse(2)
    for (int64_t g = first; g < last; g++)
      for (int64_t b = 0; b < j->blocks; b++) input_group(j, v + ((g - first) * j->blocks + b) * PANEL, g, b);
#pragma omp for collapse(2)
    for (int64_t xi = 0; xi < XI; xi++)
      for (int64_t p = 0; p < j->panels; p += 2) product_panels(m, v, j->u, xi, p, j->panels, j->blocks, j->all, first, last);
#pragma omp for collapse(2)
    for (int64_t g = first; g < last; g++)
      for (int64_t p = 0; p < j->panels; p++) output_group(j, m + ((g - first) * j->panels + p) * PANEL, g, p);
  }
}

static void convolve(const um_wino *w, const job *j, float *scratch) {
  if (apart(w)) {
    convolve_apart(w, j, scratch);
  } else {
    convolve_together(w, j, scratch);
  }
}

void um_wino_forward(const um_wino *g, float *y, const float *x, const float *w, bool transformed, const float *b, bool relu,
                     void *scratch) {
  const int64_t rows = (g->out_h + 3) / 4, cols = (g->out_w + 3) / 4;
  const plane to = {g->k, g->out_h, g->out_w, rows, cols, 0, 0}, from = {g->c, g->height, g->width, rows, cols, g->pad_top, g->pad_left};
  job j = {&to, &from, y, x, w, b, relu, groups_of(g->n * rows * cols), g->c / 16, g->k / 16};
  float *rest = scratch;
  if (!transformed) {
    j.u = rest;
#pragma omp parallel for collapse(2)
    for (int64_t kb = 0; kb < g->k / 16; kb++)
      for (int64_t cb = 0; cb < g->c / 16; cb++) kernel_block(g, rest, w, kb, cb);
    rest += kernel_floats(g);
  }
  convolve(g, &j, rest);
}

void um_wino_backward_data(const um_wino *g, float *dx, const float *dy, const float *w, void *scratch) {
  const int64_t rows = (g->height + 3) / 4, cols = (g->width + 3) / 4;
  const plane to = {g->c, g->height, g->width, rows, cols, 0, 0};
  const plane from = {g->k, g->out_h, g->out_w, rows, cols, 2 - g->pad_top, 2 - g->pad_left};
  const job j = {&to, &from, dx, dy, scratch, NULL, false, groups_of(g->n * rows * cols), g->k / 16, g->c / 16};
  float *u = scratch;
#pragma omp parallel for collapse(2)
  for (int64_t cb = 0; cb < g->c / 16; cb++)
    for (int64_t kb = 0; kb < g->k / 16; kb++) kernel_block_turned(g, u, w, kb, cb);
  convolve(g, &j, u + kernel_floats(g));
}

void um_wino_backward_weights(const um_wino *w, float *dw, float *db, const float *x, const float *dy, void *scratch) {
  const int64_t rows = (w->out_h + 3) / 4, cols = (w->out_w + 3) / 4;
  const plane out = {w->k, w->out_h, w->out_w, rows, cols, 0, 0}, in = {w->c, w->height, w->width, rows, cols, w->pad_top, w->pad_left};
  const groups all = groups_of(w->n * rows * cols);
  const int64_t blocks = w->c / 16, panels = w->k / 16, chunk = chunk_groups(w, all, false, true);
  const job j = {.from = &in, .x = x, .all = all};
  float *u = scratch, *v = u + kernel_floats(w), *d = v + chunk * blocks * PANEL;
  float *part = d + chunk * panels * PANEL; /* sums of dy by group of a chunk: added in order, so that threads do not matter */
  memset(part, 0, (size_t)(chunk * w->k) * sizeof *part);
#pragma omp parallel
  {
    for (int64_t first = 0; first < all.count; first += chunk) {
      const int64_t last = least(first + chunk, all.count);
#pragma omp for collapse(2) nowait
      for (int64_t g = first; g < last; g++)
        for (int64_t b = 0; b < blocks; b++) input_group(&j, v + ((g - first) * blocks + b) * PANEL, g, b);
#pragma omp for collapse(2)
      for (int64_t g = first; g < last; g++)
        for (int64_t p = 0; p < panels; p++)
          for (int64_t t = 0; t < tiles_in(all, g); t++)
            gradient_tile(&out, d + ((g - first) * panels + p) * PANEL + t * 16, dy, first_tile(all, g) + t, p,
                          part + (g - first) * w->k + p * 16);
#pragma omp for collapse(2)
      for (int64_t xi = 0; xi < XI; xi++)
        for (int64_t p = 0; p < panels; p += 2) outer_panels(u, v, d, xi, p, panels, blocks, all, first, last, first > 0);
    }
#pragma omp for collapse(2)
    for (int64_t kb = 0; kb < panels; kb++)
      for (int64_t cb = 0; cb < blocks; cb++) kernel_gradient_block(w, dw, u, kb, cb);
  }
  for (int64_t k = 0; k < w->k; k++) {
    double sum = 0;
    for (int64_t g = 0; g < chunk; g++) sum += (double)part[g * w->k + k];
    db[k] = (float)sum;
  }
}
#else
/* Never called: um_wino_here says no. */
bool um_wino_here(void) { return false; }
size_t um_wino_kernel_bytes(const um_wino *g) { return (void)g, 0; }
size_t um_wino_forward_scratch(const um_wino *g, bool transformed) { return (void)g, (void)transformed, 0; }
size_t um_wino_backward_data_scratch(const um_wino *g) { return (void)g, 0; }
size_t um_wino_backward_weights_scratch(const um_wino *g) { return (void)g, 0; }
void um_wino_kernel(const um_wino *g, float *u, const float *plain) { (void)g, (void)u, (void)plain; }
void um_wino_forward(const um_wino *g, float *y, const float *x, const float *w, bool transformed, const float *b, bool relu,
                     void *scratch) {
  (void)g, (void)y, (void)x, (void)w, (void)transformed, (void)b, (void)relu, (void)scratch;
}
void um_wino_backward_data(const um_wino *g, float *dx, const float *dy, const float *w, void *scratch) {
  (void)g, (void)dx, (void)dy, (void)w, (void)scratch;
}
void um_wino_backward_weights(const um_wino *g, float *dw, float *db, const float *x, const float *dy, void *scratch) {
  (void)g, (void)dw, (void)db, (void)x, (void)dy, (void)scratch;
}
#endif
