#include "tools/demo_clips/raster.h"

#include <stdlib.h>
#include <string.h>

int film_alloc(film *f, int width, int height, um_error *err) {
  size_t n = (size_t)width * (size_t)height;
  *f = (film){.width = width, .height = height, .depth = malloc(n * sizeof *f->depth), .at = malloc(n * sizeof *f->at)};
  if (f->depth && f->at) return UM_OK;
  film_free(f);
  return um_fail(err, UM_ENOMEM, "no memory for a film of %d x %d", width, height);
}

void film_free(film *f) {
  free(f->depth);
  free(f->at);
  *f = (film){0};
}

void film_clear(film *f) {
  size_t n = (size_t)f->width * (size_t)f->height;
  for (size_t i = 0; i < n; i++) f->depth[i] = FAR;
}

int canvas_alloc(canvas *c, int width, int height, um_error *err) {
  size_t n = (size_t)width * (size_t)height;
  *c = (canvas){.width = width, .height = height};
  c->rgb = calloc(n * 3, sizeof *c->rgb);
  c->cover = calloc(n, sizeof *c->cover);
  c->mask = calloc(n, sizeof *c->mask);
  if (c->rgb && c->cover && c->mask) return UM_OK;
  canvas_free(c);
  return um_fail(err, UM_ENOMEM, "no memory for a canvas of %d x %d", width, height);
}

void canvas_free(canvas *c) {
  free(c->rgb), free(c->cover), free(c->mask);
  *c = (canvas){0};
}

void film_develop(canvas *out, const film *f, shader shade, const void *arg) {
  for (int y = 0; y < out->height; y++)
    for (int x = 0; x < out->width; x++) {
      size_t first = (size_t)y * 2 * (size_t)f->width + (size_t)x * 2,
             index[4] = {first, first + 1, first + (size_t)f->width, first + (size_t)f->width + 1};
      const seen *s[4];
      int surface[4];
      for (int k = 0; k < 4; k++) {
        s[k] = &f->at[index[k]];
        surface[k] = f->depth[index[k]] > FAR ? s[k]->surface : 0;
      }
      size_t o = (size_t)y * (size_t)out->width + (size_t)x;
      vec3 sum = {0};
      float cover = 0, mask = 0, m;
      if (surface[0] == surface[1] && surface[0] == surface[2] && surface[0] == surface[3]) {
        if (surface[0]) {
          vec3 p = scale(add(add(s[0]->p, s[1]->p), add(s[2]->p, s[3]->p)), .25f);
          sum = shade(arg, surface[0], p, unit(add(add(s[0]->n, s[1]->n), add(s[2]->n, s[3]->n))), &mask);
          cover = 1;
        }
      } else {
        for (int k = 0; k < 4; k++) {
          if (!surface[k]) continue;
          sum = add(sum, scale(shade(arg, surface[k], s[k]->p, unit(s[k]->n), &m), .25f));
          cover += .25f, mask += .25f * m;
        }
      }
      out->rgb[o * 3] = sum.x, out->rgb[o * 3 + 1] = sum.y, out->rgb[o * 3 + 2] = sum.z;
      out->cover[o] = cover, out->mask[o] = mask;
    }
}

int mesh_alloc(mesh *m, int rows, int cols, um_error *err) {
  *m = (mesh){.rows = rows, .cols = cols, .v = calloc((size_t)rows * (size_t)cols, sizeof *m->v)};
  return m->v ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for a mesh of %d x %d", rows, cols);
}

void mesh_free(mesh *m) {
  free(m->v);
  *m = (mesh){0};
}

void mesh_normals(mesh *m) {
  for (int r = 0; r < m->rows; r++)
    for (int c = 0; c < m->cols; c++) {
      int above = r > 0 ? r - 1 : r, below = r + 1 < m->rows ? r + 1 : r;
      const vertex *row = m->v + r * m->cols;
      vec3 along = sub(row[(c + 1) % m->cols].p, row[(c + m->cols - 1) % m->cols].p);
      vec3 down = sub(m->v[below * m->cols + c].p, m->v[above * m->cols + c].p);
      m->v[r * m->cols + c].n = unit(cross(down, along));
    }
}

/* Samples whose centre lies in the triangle, by barycentric coordinates. Triangles seen from behind are left out. */
static void draw_triangle(film *f, const vertex *a, const vertex *b, const vertex *c, int surface, solid is, const void *arg) {
  float area = (b->x - a->x) * (c->y - a->y) - (c->x - a->x) * (b->y - a->y);
  if (!(area > 1e-6f)) return;
  int x0 = (int)ceilf(fminf(a->x, fminf(b->x, c->x)) - .5f), x1 = (int)floorf(fmaxf(a->x, fmaxf(b->x, c->x)) - .5f);
  int y0 = (int)ceilf(fminf(a->y, fminf(b->y, c->y)) - .5f), y1 = (int)floorf(fmaxf(a->y, fmaxf(b->y, c->y)) - .5f);
  if (x0 < 0) x0 = 0;
  if (y0 < 0) y0 = 0;
  if (x1 >= f->width) x1 = f->width - 1;
  if (y1 >= f->height) y1 = f->height - 1;
  float inverse = 1 / area;
  for (int y = y0; y <= y1; y++)
    for (int x = x0; x <= x1; x++) {
      float px = (float)x + .5f, py = (float)y + .5f;
      float wa = ((b->x - px) * (c->y - py) - (c->x - px) * (b->y - py)) * inverse;
      float wb = ((c->x - px) * (a->y - py) - (a->x - px) * (c->y - py)) * inverse;
      float wc = 1 - wa - wb;
      if (wa < 0 || wb < 0 || wc < 0) continue;
      size_t i = (size_t)y * (size_t)f->width + (size_t)x;
      float z = wa * a->z + wb * b->z + wc * c->z;
      if (z <= f->depth[i]) continue;
      vec3 p = add(add(scale(a->p, wa), scale(b->p, wb)), scale(c->p, wc));
      if (is && !is(arg, p)) continue;
      vec3 n = add(add(scale(a->n, wa), scale(b->n, wb)), scale(c->n, wc));
      f->depth[i] = z;
      f->at[i] = (seen){p, n, surface};
    }
}

void mesh_draw(film *f, const mesh *m, int surface, solid is, const void *arg) {
  for (int r = 0; r + 1 < m->rows; r++)
    for (int c = 0; c < m->cols; c++) {
      int d = (c + 1) % m->cols;
      const vertex *a = m->v + r * m->cols + c, *b = m->v + r * m->cols + d, *e = a + m->cols, *g = b + m->cols;
      draw_triangle(f, a, b, e, surface, is, arg);
      draw_triangle(f, b, g, e, surface, is, arg);
    }
}
