/* What a score rests on: pictures of the most suspicious faces with heat maps over them, and the most suspicious seconds of a video. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/heat.h"
#include "infer/infer.h"

/* Which faces count is known at a video's end only, so more candidates are kept than pictures are wanted; of a face's track no more
 * than are wanted, as more cannot be shown. */
enum { POOL_FACTOR = 8, SIDE = 256 };

int candidate_face(um_image *out, const um_image *face, um_error *err) {
  const int longer = face->width > face->height ? face->width : face->height;
  const double scale = longer > SIDE ? (double)SIDE / longer : 1;
  int rc = um_image_alloc(out, (int)fmax(1, round(face->width * scale)), (int)fmax(1, round(face->height * scale)), err);
  return rc ? rc : um_resize(out->pixels, out->height, out->width, face, UM_BILINEAR, err);
}

/* The order in which faces are shown: the higher score, then the earlier face. */
static bool before(const candidate *a, const candidate *b) {
  return a->d.score != b->d.score ? a->d.score > b->d.score : a->face_index < b->face_index;
}

/* Of the track of which the fewest faces were seen so far, the face that is last in order: such tracks are those that are dropped as
 * background or because they are not the main person's. */
static int worst_of_shortest(const input *in) {
  int worst = 0;
  for (int i = 1; i < in->candidates; i++) {
    const candidate *a = &in->candidate[i], *b = &in->candidate[worst];
    if (a->seen < b->seen || (a->seen == b->seen && before(b, a))) worst = i;
  }
  return worst;
}

int candidate_add(input *in, int face, um_image *picture, const uint8_t *pixels, size_t bytes, int wanted, um_error *err) {
  const detail *d = &in->detail[face];
  candidate new = {.d = *d, .face_index = face, .seen = 1};
  int same = 0, last = -1, at;
  for (int i = 0; i < in->candidates; i++) {
    candidate *c = &in->candidate[i];
    if (c->d.track != d->track) continue;
    same++, new.seen = ++c->seen;
    if (last < 0 || before(&in->candidate[last], c)) last = i;
  }
  if (same >= wanted) { /* takes the place of its track's last, or none */
    if (!before(&new, &in->candidate[last])) return UM_OK;
    at = last;
  } else if (in->candidates == POOL_FACTOR * wanted) {
    at = worst_of_shortest(in);
    const candidate *c = &in->candidate[at];
    if (c->seen > new.seen || (c->seen == new.seen && !before(&new, c))) return UM_OK;
  } else {
    if (!in->candidate && !(in->candidate = calloc((size_t)(POOL_FACTOR * wanted), sizeof *in->candidate)))
      return um_fail(err, UM_ENOMEM, "%s: no memory for its faces", in->path);
    at = in->candidates;
  }
  if (!(new.pixels = malloc(bytes))) return um_fail(err, UM_ENOMEM, "%s: no memory for its faces", in->path);
  memcpy(new.pixels, pixels, bytes);
  new.face = *picture, *picture = (um_image){0};
  if (at == in->candidates)
    in->candidates++;
  else
    candidate_free(&in->candidate[at]);
  in->candidate[at] = new;
  return UM_OK;
}

static int by_score(const void *a, const void *b) { return before(a, b) ? -1 : before(b, a) ? 1 : 0; }

void candidates_choose(input *in, int wanted) {
  int kept = 0;
  for (int i = 0; i < in->candidates; i++) {
    if (in->detail[in->candidate[i].face_index].fate == UM_KEPT)
      in->candidate[kept++] = in->candidate[i];
    else
      candidate_free(&in->candidate[i]);
  }
  in->candidates = kept;
  if (kept) qsort(in->candidate, (size_t)kept, sizeof *in->candidate, by_score);
  while (in->candidates > wanted) candidate_free(&in->candidate[--in->candidates]);
}

/* NUMBER-STEM-frameN-faceN.png; the number of the input tells files of one name in several folders apart. */
static void name_picture(char *name, size_t size, int number, const char *path, const detail *d) {
  const char *base = strrchr(path, '/');
  char stem[81];
  snprintf(stem, sizeof stem, "%s", base ? base + 1 : path);
  char *dot = strrchr(stem, '.');
  if (dot && dot != stem) *dot = 0;
  for (char *c = stem; *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr("-_.", *c)) *c = '_';
  snprintf(name, size, "%04d-%s-frame%06lld-face%d.png", number, stem, (long long)d->frame, d->track < 0 ? 0 : d->track);
}

static int write_picture(candidate *c, const scorer *s, const input *in, const float *map, const char *folder, um_error *err) {
  char path[4096], text[96];
  um_image out = {0};
  const int at = snprintf(text, sizeof text, "fake %.4f", c->d.score);
  if (in->kind != UM_MEDIA_IMAGE)
    snprintf(text + at, sizeof text - (size_t)at, "   %.2f s   frame %lld   face %d", c->d.time_s, (long long)c->d.frame,
             c->d.track < 0 ? 0 : c->d.track);
  if (snprintf(path, sizeof path, "%s/%s", folder, c->name) >= (int)sizeof path)
    return um_fail(err, UM_EIO, "--explain %s: the path is too long", folder);
  int rc = um_heat_picture(&out, &c->face, map, (int)s->cam.height, (int)s->cam.width, SIDE, text, err);
  if (!rc) rc = um_image_write_png(&out, path, err);
  um_image_free(&out);
  return rc;
}

enum { QUALITY = 82 };

static int make_thumbnail(thumbnail *t, const um_image *im, um_error *err) {
  t->width = im->width, t->height = im->height;
  return um_image_encode_jpeg(&t->data, &t->size, im, QUALITY, err);
}

/* The two pictures of a face for the page; map: NULL for the face alone. */
static int make_thumbnails(candidate *c, const scorer *s, const float *map, int side, um_error *err) {
  const int longer = c->face.width > c->face.height ? c->face.width : c->face.height;
  const int w = (int)fmax(1, round((double)c->face.width * side / longer)), h = (int)fmax(1, round((double)c->face.height * side / longer));
  um_image im = {0};
  float *large = NULL;
  int rc = um_image_alloc(&im, w, h, err);
  if (!rc) rc = um_resize(im.pixels, h, w, &c->face, UM_BILINEAR, err);
  if (!rc) rc = make_thumbnail(&c->plain, &im, err);
  if (!rc && map && !(large = malloc((size_t)w * (size_t)h * sizeof *large))) rc = um_fail(err, UM_ENOMEM, "no memory for a heat map");
  if (!rc && map) {
    um_gradcam_resize(large, h, w, map, s->cam.height, s->cam.width);
    um_heat_overlay(&im, large);
    rc = make_thumbnail(&c->heat, &im, err);
  }
  um_image_free(&im);
  free(large);
  return rc;
}

/* What is asked for of n candidates, from the first on; maps: theirs, or NULL. */
static int make_pictures(scorer *s, inputs *all, int index, int first, int n, const float *maps, const options *o, um_error *err) {
  const size_t places = (size_t)(s->cam.height * s->cam.width);
  input *in = &all->at[index];
  int rc = UM_OK;
  for (int i = 0; !rc && i < n; i++) {
    candidate *c = &in->candidate[first + i];
    const float *map = maps ? maps + (size_t)i * places : NULL;
    if (o->explain) {
      name_picture(c->name, sizeof c->name, index + 1, in->path, &c->d);
      rc = write_picture(c, s, in, map, o->explain, err);
    }
    if (!rc && in->shown && first + i < gallery_faces(all, o)) rc = make_thumbnails(c, s, map, gallery_side(all, o), err);
  }
  return rc;
}

static int run_maps(scorer *s, float *maps, const uint8_t *pixels, int n, um_error *err) {
  int rc = um_model_feed_pixels(s->map_model, pixels, NULL, n, &s->warp, err);
  if (!rc) rc = um_model_forward(s->map_model, err);
  return rc ? rc : um_gradcam_run(&s->cam, maps, NULL, s->fake == 1 ? 1 : -1, err);
}

int explain_input(scorer *s, inputs *all, int index, const options *o, um_error *err) {
  input *in = &all->at[index];
  const size_t bytes = (size_t)s->preprocess.target_size[0] * (size_t)s->preprocess.target_size[1] * 3;
  const int batch = s->map_model ? (int)um_model_batch(s->map_model) : 1;
  float *maps = malloc((size_t)batch * (size_t)(s->cam.height * s->cam.width) * sizeof *maps + 1);
  uint8_t *pixels = malloc((size_t)batch * bytes);
  const bool shown = o->report && gallery_take(all, index);
  const int wanted = o->explain                               ? in->candidates
                     : !shown                                 ? 0
                     : in->candidates < gallery_faces(all, o) ? in->candidates
                                                              : gallery_faces(all, o);
  int rc = maps && pixels ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for heat maps", in->path);
  for (int first = 0; !rc && first < wanted; first += batch) {
    const int n = wanted - first < batch ? wanted - first : batch;
    for (int i = 0; i < n; i++) memcpy(pixels + (size_t)i * bytes, in->candidate[first + i].pixels, bytes);
    if (s->map_model) rc = run_maps(s, maps, pixels, n, err);
    if (!rc) rc = make_pictures(s, all, index, first, n, s->map_model ? maps : NULL, o, err);
  }
  for (int i = 0; i < in->candidates; i++) {
    um_image_free(&in->candidate[i].face);
    free(in->candidate[i].pixels), in->candidate[i].pixels = NULL;
  }
  free(maps), free(pixels);
  return rc;
}

/* ---- seconds ---- */

typedef struct moment {
  double time, score, before; /* before: sum of the scores of all earlier moments */
} moment;

static int earlier(const void *a, const void *b) {
  const moment *x = a, *y = b;
  return x->time != y->time ? (x->time < y->time ? -1 : 1) : x->score < y->score ? -1 : x->score > y->score;
}

/* Faces of one time are one moment, of the highest score among them. */
static int collect(moment *m, const input *in) {
  int n = 0;
  for (int i = 0; i < in->faces; i++) m[i] = (moment){.time = in->detail[i].time_s, .score = in->detail[i].score};
  qsort(m, (size_t)in->faces, sizeof *m, earlier);
  for (int i = 0; i < in->faces; i++) {
    if (n && m[n - 1].time == m[i].time)
      m[n - 1].score = m[i].score;
    else
      m[n++] = m[i];
  }
  double sum = 0;
  for (int i = 0; i < n; i++) m[i].before = sum, sum += m[i].score;
  m[n].before = sum;
  return n;
}

int suspicious_seconds(span out[SPANS], int *count, const input *in, um_error *err) {
  *count = 0;
  if (in->kind != UM_MEDIA_VIDEO || in->faces == 0) return UM_OK;
  moment *m = calloc((size_t)in->faces + 1, sizeof *m);
  int *end = malloc((size_t)in->faces * sizeof *end), fullest = 0;
  int rc = m && end ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for its seconds", in->path);
  const int n = rc ? 0 : collect(m, in);
  for (int i = 0, k = 0; i < n; i++) {
    while (k < n && m[k].time < m[i].time + SPAN_SECONDS) k++;
    end[i] = k;
    if (k - i > fullest) fullest = k - i;
  }
  while (!rc && *count < SPANS) {
    span best = {.score = -1};
    for (int i = 0; i < n; i++) {
      const span s = {m[i].time, m[end[i] - 1].time, (m[end[i]].before - m[i].before) / (end[i] - i), end[i] - i};
      bool free_of_others = true;
      for (int k = 0; k < *count; k++) free_of_others &= s.end < out[k].start || s.start > out[k].end;
      if (free_of_others && 2 * s.moments >= fullest && s.score > best.score) best = s;
    }
    if (best.score < 0) break;
    out[(*count)++] = best;
  }
  free(m), free(end);
  return rc;
}
