/* Which inputs a page shows in all detail, and the pictures of their faces. */
#include <math.h>
#include <stdlib.h>

#include "data/heat.h"
#include "infer/infer.h"

/* Faces that a page shows at most, but for one of each input; and how large they are by how many there may be. */
enum { FACES_MAX = 1000, FACES_LARGE = 60, FACES_MIDDLE = 400, QUALITY = 82 };

static int list_of(const input *in) { return in->label == LABEL_FAKE; }

int gallery_open(inputs *in, const options *o, um_error *err) {
  gallery *g = &in->gallery;
  int of[2] = {0, 0};
  for (int i = 0; i < in->count; i++) of[list_of(&in->at[i])]++;
  if (in->count > o->report_details) {
    const int half = o->report_details / 2;
    g->most[1] = of[1] < half ? of[1] : half;
    g->most[0] = o->report_details - g->most[1];
    if (g->most[0] > of[0]) g->most[1] += g->most[0] - of[0], g->most[0] = of[0];
  } else {
    g->most[0] = of[0], g->most[1] = of[1];
  }
  for (int i = 0; i < 2; i++)
    if (!(g->at[i] = malloc(((size_t)g->most[i] + 1) * sizeof *g->at[i])))
      return um_fail(err, UM_ENOMEM, "no memory for %d inputs", g->most[i]);
  return UM_OK;
}

int gallery_faces(const inputs *in, const options *o) {
  const int inputs_shown = in->gallery.most[0] + in->gallery.most[1], each = FACES_MAX / (inputs_shown > 0 ? inputs_shown : 1);
  return o->explain_faces < each ? o->explain_faces : each > 1 ? each : 1;
}

int gallery_side(const inputs *in, const options *o) {
  const int faces = gallery_faces(in, o) * (in->gallery.most[0] + in->gallery.most[1]);
  return faces <= FACES_LARGE ? 256 : faces <= FACES_MIDDLE ? 160 : 112;
}

/* How far to the front: a score that is none comes last. */
static double weight(const input *in) { return isnan(in->score) ? -1 : list_of(in) ? 1 - in->score : in->score; }

static void drop(input *in) {
  for (int i = 0; i < in->candidates; i++) candidate_drop(&in->candidate[i]);
  in->shown = false;
}

bool gallery_take(inputs *in, int index) {
  const int list = list_of(&in->at[index]), most = in->gallery.most[list];
  int *at = in->gallery.at[list], *count = &in->gallery.count[list], place = *count;
  while (place > 0 && weight(&in->at[at[place - 1]]) < weight(&in->at[index])) place--;
  if (place == most) return false;
  if (*count == most) drop(&in->at[at[--*count]]);
  for (int i = *count; i > place; i--) at[i] = at[i - 1];
  at[place] = index, ++*count;
  return in->at[index].shown = true;
}

static int make_thumbnail(thumbnail *t, const um_image *im, um_error *err) {
  t->width = im->width, t->height = im->height;
  return um_image_encode_jpeg(&t->data, &t->size, im, QUALITY, err);
}

typedef struct making {
  const scorer *s;
  int side;
} making;

/* The two pictures of a face for the page; map: NULL for the face alone. */
static int make_thumbnails(void *arg, candidate *c, const float *map, um_error *err) {
  const making *m = arg;
  const int longer = c->face.width > c->face.height ? c->face.width : c->face.height;
  const int w = (int)fmax(1, round((double)c->face.width * m->side / longer));
  const int h = (int)fmax(1, round((double)c->face.height * m->side / longer));
  um_image im = {0};
  float *large = NULL;
  int rc = um_image_alloc(&im, w, h, err);
  if (!rc) rc = um_resize(im.pixels, h, w, &c->face, UM_BILINEAR, err);
  if (!rc) rc = make_thumbnail(&c->plain, &im, err);
  if (!rc && map && !(large = malloc((size_t)w * (size_t)h * sizeof *large))) rc = um_fail(err, UM_ENOMEM, "no memory for a heat map");
  if (!rc && map) {
    um_gradcam_resize(large, h, w, map, m->s->cam.height, m->s->cam.width);
    um_heat_overlay(&im, large);
    rc = make_thumbnail(&c->heat, &im, err);
  }
  um_image_free(&im);
  free(large);
  candidate_drop(c);
  return rc;
}

int gallery_pictures(inputs *in, scorer *s, const options *o, um_error *err) {
  const int faces = gallery_faces(in, o);
  making m = {s, gallery_side(in, o)};
  candidate **list = malloc(((size_t)(in->gallery.count[0] + in->gallery.count[1]) * (size_t)faces + 1) * sizeof *list);
  int n = 0;
  if (!list) return um_fail(err, UM_ENOMEM, "no memory for the faces of the page");
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < in->gallery.count[k]; i++) {
      input *one = &in->at[in->gallery.at[k][i]];
      for (int c = 0; c < one->candidates && c < faces; c++) list[n++] = &one->candidate[c];
    }
  const int rc = candidates_map(s, list, n, make_thumbnails, &m, err);
  free(list);
  return rc;
}
