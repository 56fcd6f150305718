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

int candidate_face(um_image *out, const um_image *face, const inputs *in, const options *o, um_error *err) {
  const int longer = face->width > face->height ? face->width : face->height, side = o->explain ? SIDE : gallery_side(in, o);
  const double scale = longer > side ? (double)side / longer : 1;
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
  char path[4096], text[96], score[UM_SCORE_TEXT];
  um_image out = {0};
  const int at = snprintf(text, sizeof text, "fake %s", um_score_text(score, c->d.score, 4));
  if (in->kind != UM_MEDIA_IMAGE)
    snprintf(text + at, sizeof text - (size_t)at, "   %.2f s   frame %lld   face %d", c->d.shown_s, (long long)c->d.frame,
             c->d.track < 0 ? 0 : c->d.track);
  if (snprintf(path, sizeof path, "%s/%s", folder, c->name) >= (int)sizeof path)
    return um_fail(err, UM_EIO, "--explain %s: the path is too long", folder);
  int rc = um_heat_picture(&out, &c->face, map, (int)s->cam.height, (int)s->cam.width, SIDE, text, err);
  if (!rc) rc = um_image_write_png(&out, path, err);
  um_image_free(&out);
  return rc;
}

/* The maps of at most a batch of candidates. */
static int run_maps(scorer *s, float *maps, uint8_t *pixels, candidate *const *c, int n, um_error *err) {
  const size_t bytes = (size_t)s->preprocess.target_size[0] * (size_t)s->preprocess.target_size[1] * 3;
  for (int i = 0; i < n; i++) memcpy(pixels + (size_t)i * bytes, c[i]->pixels, bytes);
  int rc = um_model_feed_pixels(s->map_model, pixels, NULL, n, &s->warp, err);
  if (!rc) rc = um_model_forward(s->map_model, err);
  return rc ? rc : um_gradcam_run(&s->cam, maps, NULL, s->fake == 1 ? 1 : -1, err);
}

int candidates_map(scorer *s, candidate *const *c, int count, mapped_fn mapped, void *arg, um_error *err) {
  const size_t bytes = (size_t)s->preprocess.target_size[0] * (size_t)s->preprocess.target_size[1] * 3;
  const size_t places = (size_t)(s->cam.height * s->cam.width);
  const int batch = s->map_model ? (int)um_model_batch(s->map_model) : 1;
  float *maps = malloc((size_t)batch * places * sizeof *maps + 1);
  uint8_t *pixels = malloc((size_t)batch * bytes);
  int rc = maps && pixels ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for heat maps");
  for (int first = 0; !rc && first < count; first += batch) {
    const int n = count - first < batch ? count - first : batch;
    if (s->map_model) rc = run_maps(s, maps, pixels, c + first, n, err);
    for (int i = 0; !rc && i < n; i++) rc = mapped(arg, c[first + i], s->map_model ? maps + (size_t)i * places : NULL, err);
  }
  free(maps), free(pixels);
  return rc;
}

typedef struct writing {
  const scorer *s;
  const input *in;
  int number;
  const char *folder;
} writing;

static int write_mapped(void *arg, candidate *c, const float *map, um_error *err) {
  const writing *w = arg;
  name_picture(c->name, sizeof c->name, w->number, w->in->path, &c->d);
  return write_picture(c, w->s, w->in, map, w->folder, err);
}

int explain_input(scorer *s, inputs *all, int index, const options *o, um_error *err) {
  input *in = &all->at[index];
  int rc = UM_OK;
  if (o->explain && in->candidates) {
    writing w = {s, in, index + 1, o->explain};
    candidate **list = malloc((size_t)in->candidates * sizeof *list);
    for (int i = 0; list && i < in->candidates; i++) list[i] = &in->candidate[i];
    rc = list ? candidates_map(s, list, in->candidates, write_mapped, &w, err) : um_fail(err, UM_ENOMEM, "%s: no memory", in->path);
    free(list);
  }
  const int kept = !rc && o->report && gallery_take(all, index) ? gallery_faces(all, o) : 0;
  for (int i = kept; i < in->candidates; i++) candidate_drop(&in->candidate[i]);
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

/* Faces of one picture are one moment, of the highest score among them. */
static int collect(moment *m, const input *in) {
  int n = 0;
  for (int i = 0; i < in->faces; i++) m[i] = (moment){.time = in->detail[i].shown_s, .score = in->detail[i].score};
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
