#include "data/transform.h"

#include <math.h>

#define PI 3.14159265358979323846

typedef struct matrix {
  double m[3][3];
} matrix;

static matrix multiply(const matrix *a, const matrix *b) {
  matrix c;
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) c.m[i][j] = a->m[i][0] * b->m[0][j] + a->m[i][1] * b->m[1][j] + a->m[i][2] * b->m[2][j];
  return c;
}

/* A shift below 1 is a fraction of the size. A whole number n of pixels means, as np.random.choice(n) with a random sign does, one
 * of -(n - 1) .. n - 1, 0 twice as likely; any other number of pixels is a range. */
static double draw_shift(const um_rng *at, uint32_t draw, double range, int size) {
  if (range < 1) return um_rng_range(at, draw, -range, range) * size;
  if (range != floor(range) || range > 1 << 30) return um_rng_range(at, draw, -range, range);
  uint32_t n = (uint32_t)range, k = um_rng_below(at, draw, 2 * n);
  return k < n ? (double)k : -(double)(k - n);
}

void um_transform_draw(um_transform *t, const um_rng *at, const um_augmentation_config *a, int height, int width) {
  *t = (um_transform){.zx = 1, .zy = 1};
  if (a->rotation_range != 0) t->theta = um_rng_range(at, 0, -a->rotation_range, a->rotation_range);
  if (a->height_shift_range != 0) t->tx = draw_shift(at, 1, a->height_shift_range, height);
  if (a->width_shift_range != 0) t->ty = draw_shift(at, 2, a->width_shift_range, width);
  if (a->shear_range != 0) t->shear = um_rng_range(at, 3, -a->shear_range, a->shear_range);
  if (a->zoom_range[0] != 1 || a->zoom_range[1] != 1) {
    t->zx = um_rng_range(at, 4, a->zoom_range[0], a->zoom_range[1]);
    t->zy = um_rng_range(at, 5, a->zoom_range[0], a->zoom_range[1]);
  }
  t->flip_horizontal = um_rng_uniform(at, 6) < 0.5 && a->horizontal_flip;
  t->flip_vertical = um_rng_uniform(at, 7) < 0.5 && a->vertical_flip;
}

void um_transform_matrix(um_warp_sample *s, const um_transform *t, um_semantics semantics, int height, int width) {
  matrix all = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  bool identity = true;
  /* A step that does nothing is left out, as in Keras: were it multiplied in, rounding could differ. */
  if (t->theta != 0) {
    double c = cos(t->theta * (PI / 180)), n = sin(t->theta * (PI / 180));
    all = (matrix){{{c, -n, 0}, {n, c, 0}, {0, 0, 1}}};
    identity = false;
  }
  if (t->tx != 0 || t->ty != 0) {
    matrix shift = {{{1, 0, t->tx}, {0, 1, t->ty}, {0, 0, 1}}};
    all = multiply(&all, &shift);
    identity = false;
  }
  if (t->shear != 0) {
    matrix shear = {{{1, -sin(t->shear * (PI / 180)), 0}, {0, cos(t->shear * (PI / 180)), 0}, {0, 0, 1}}};
    all = multiply(&all, &shear);
    identity = false;
  }
  if (t->zx != 1 || t->zy != 1) {
    matrix zoom = {{{t->zx, 0, 0}, {0, t->zy, 0}, {0, 0, 1}}};
    all = multiply(&all, &zoom);
    identity = false;
  }
  *s = (um_warp_sample){
      .m = {1, 0, 0, 0, 1, 0}, .identity = identity, .flip_horizontal = t->flip_horizontal, .flip_vertical = t->flip_vertical};
  if (identity) return;

  double half = semantics == UM_KERAS2 ? 0.5 : -0.5;
  double x = height / 2.0 + half, y = width / 2.0 + half;
  matrix there = {{{1, 0, x}, {0, 1, y}, {0, 0, 1}}}, back = {{{1, 0, -x}, {0, 1, -y}, {0, 0, 1}}};
  all = multiply(&there, &all);
  all = multiply(&all, &back);
  /* Keras 2.9 and later take the matrix as one of (x, y) and turn it for arrays: columns, then rows, change places, the offset with
   * its row. The centre was not turned, which moves pictures that are not square; so be it. */
  int row = semantics == UM_KERAS2 ? 0 : 1, column = 1 - row;
  s->m[0] = all.m[row][row];
  s->m[1] = all.m[row][column];
  s->m[2] = all.m[row][2];
  s->m[3] = all.m[column][row];
  s->m[4] = all.m[column][column];
  s->m[5] = all.m[column][2];
}
