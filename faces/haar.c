/* The detector: scales, bands of rows shared out over threads, grouping. */
#include "faces/haar_internal.h"

#include "core/file.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCALES_MAX 256
#define BAND       128 /* rows of windows a task: its sums stay in a core's own cache */
#define PAD        64  /* elements that a vector may read past a row */
#define SIDE_MAX   65535

int um_haar_load(um_haar **out, const char *path, um_error *err) {
  char *text = NULL;
  size_t size = 0;
  um_haar *h = NULL;
  *out = NULL;
  int r = um_file_read(&text, &size, path, (size_t)1 << 28, err);
  if (r < 0) return r;
  if (!(h = calloc(1, sizeof *h)))
    r = um_fail(err, UM_ENOMEM, "%s: no memory", path);
  else
    r = haar_parse(h, text, size, path, err);
  free(text);
  if (r < 0)
    free(h);
  else
    *out = h;
  return r;
}

void um_haar_free(um_haar *h) {
  if (h) haar_clear(h);
  free(h);
}

int um_haar_find(char *path, size_t size, const char *name, um_error *err) {
  const char *own = getenv("UM_CASCADES");
  const char *const folder[] = {own && *own ? own : NULL, "/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades",
                                "/usr/local/share/opencv4/haarcascades", "/opt/homebrew/share/opencv4/haarcascades"};
  for (size_t i = 0; i < sizeof folder / sizeof *folder; i++) {
    if (!folder[i]) continue;
    int n = snprintf(path, size, "%s/%s", folder[i], name);
    if (n > 0 && (size_t)n < size && um_is_file(path)) return UM_OK;
  }
  return um_fail(err, UM_EIO,
                 "%s: not found in $UM_CASCADES, /usr/share/opencv4/haarcascades and the like: install opencv-data ('make deps')", name);
}

/* One scale: the picture resized to width x height. */
typedef struct layer {
  float scale;
  int width, height, step;
  int columns;      /* windows of a row */
  int rows;         /* y runs below this */
  haar_tap *x, *y;  /* width and height of them */
  int box_w, box_h; /* of a hit, in the picture */
  int task, tasks;  /* bands */
} layer;

typedef struct search {
  const um_haar *h;
  const uint8_t *grey;
  int width, height, stride;
  haar_row *row;
  layer layer[SCALES_MAX];
  int layers, tasks;
  haar_plane plane[2]; /* geometry for step 1 and 2 (pointers only serve offsets) */
  haar_scan scan[2];
  int plane_rows, columns_max, width_max;
  atomic_int next, failed;
  pthread_mutex_t lock;
  um_box *box; /* raw hits */
  int boxes, room;
} search;

/* Where a window with this many columns or rows of picture ends, as OpenCV rounds. */
static int rounded(double v) { return (int)lrint(v); }

/* The scales of cv::CascadeClassifier: factor by factor while the window fits; sizes of pictures from single precision. */
static int find_layers(search *s, const um_haar_options *o, um_error *err) {
  const um_haar *h = s->h;
  int max_w = o->max_size > 0 ? o->max_size : s->width, max_h = o->max_size > 0 ? o->max_size : s->height, stripes = 0;
  for (double factor = 1;; factor *= o->scale_factor) {
    int w = rounded(h->width * factor), hh = rounded(h->height * factor);
    if (w > max_w || hh > max_h || w > s->width || hh > s->height) break;
    if (w < o->min_size || hh < o->min_size) continue;
    if (s->layers == SCALES_MAX)
      return um_fail(err, UM_ECONFIG, "face detection: scale factor %g: more than %d scales", o->scale_factor, SCALES_MAX);
    layer *l = &s->layer[s->layers];
    float scale = (float)factor;
    l->scale = scale;
    l->width = (int)lrintf((float)s->width / scale), l->height = (int)lrintf((float)s->height / scale);
    l->step = scale >= 2 ? 1 : 2;
    int across = l->width + 1 - h->width, down = l->height + 1 - h->height;
    if (s->layers == 0) stripes = (across > 0 ? across : 0) / 32 + ((across > 0 ? across : 0) % 32 != 0);
    s->layers++;
    if (across <= 0 || down <= 0 || stripes == 0) continue;
    l->columns = (across + l->step - 1) / l->step;
    /* OpenCV deals rows out in stripes of equal size and forgets the one that a division leaves over; so must we. */
    int stripe = (down / l->step + stripes - 1) / stripes;
    int covered = (stripe > 1 ? stripe : 1) * l->step * stripes;
    l->rows = covered < down ? covered : down;
    l->box_w = (int)lrintf((float)h->width * scale), l->box_h = (int)lrintf((float)h->height * scale);
    l->task = s->tasks;
    l->tasks = (l->rows + BAND - 1) / BAND;
    s->tasks += l->tasks;
    if (l->columns > s->columns_max) s->columns_max = l->columns;
    if (l->width > s->width_max) s->width_max = l->width;
    l->x = malloc((size_t)l->width * sizeof *l->x);
    l->y = malloc((size_t)l->height * sizeof *l->y);
    if (!l->x || !l->y) return um_fail(err, UM_ENOMEM, "face detection: no memory");
    haar_taps(l->x, l->width, s->width);
    haar_taps(l->y, l->height, s->height);
  }
  return UM_OK;
}

static bool keep(search *s, const layer *l, const int *hit, int hits, int y) {
  bool ok = true;
  if (hits == 0) return true;
  pthread_mutex_lock(&s->lock);
  if (s->boxes + hits > s->room) {
    int room = 2 * (s->boxes + hits) + 64;
    um_box *grown = realloc(s->box, (size_t)room * sizeof *grown);
    if (grown)
      s->box = grown, s->room = room;
    else
      ok = false;
  }
  for (int i = 0; ok && i < hits; i++)
    s->box[s->boxes++] = (um_box){.x = (int)lrintf((float)(hit[i] * l->step) * l->scale),
                                  .y = (int)lrintf((float)y * l->scale),
                                  .width = l->box_w,
                                  .height = l->box_h,
                                  .score = 1};
  pthread_mutex_unlock(&s->lock);
  return ok;
}

/* A worker: takes bands until there are none left. What it finds does not depend on who takes which. */
static void *work(void *arg) {
  search *s = arg;
  size_t plane = (size_t)s->plane_rows * (size_t)s->plane[0].stride, planes = s->h->tilted ? 3 : 2;
  int32_t *sums = malloc((plane * planes + PAD) * sizeof *sums);
  void *scratch = malloc(haar_integrate_scratch(s->width, s->width_max));
  float *row_scratch = malloc(((size_t)s->columns_max + 64) * sizeof(float) + (size_t)s->columns_max + 64);
  int *hit = malloc((size_t)s->columns_max * sizeof *hit);
  if (!sums || !scratch || !row_scratch || !hit)
    atomic_store(&s->failed, 1);
  else
    memset(sums + plane * planes, 0, PAD * sizeof *sums);
  for (int task; !atomic_load(&s->failed) && (task = atomic_fetch_add(&s->next, 1)) < s->tasks;) {
    const layer *l = s->layer;
    while (task >= l->task + l->tasks) l++;
    haar_plane p = s->plane[l->step - 1];
    p.sum = sums;
    p.square = sums + plane * (planes - 1); /* last, so that reading past the last row's end stays inside */
    p.tilted = s->h->tilted ? sums + plane : NULL;
    int first = (task - l->task) * BAND, last = first + BAND < l->rows ? first + BAND : l->rows;
    int rows = last - 1 + s->h->height; /* windows of the last row reach down to here */
    rows = (rows < l->height ? rows : l->height) - first;
    haar_integrate(&p, s->grey, s->width, s->stride, l->x, l->width, l->y, first, rows, scratch);
    for (int y = first; y < last; y += l->step) {
      ptrdiff_t at = (ptrdiff_t)(y - first) * p.stride;
      int hits = s->row(&s->scan[l->step - 1], p.sum + at, p.square + at, l->columns, row_scratch, hit);
      if (!keep(s, l, hit, hits, y)) atomic_store(&s->failed, 1);
    }
  }
  free(sums);
  free(scratch);
  free(row_scratch);
  free(hit);
  return NULL;
}

static int clip(um_box *box, int n, int width, int height) {
  int kept = 0;
  for (int i = 0; i < n; i++) {
    um_box b = box[i];
    int right = b.x + b.width, bottom = b.y + b.height;
    if (b.x < 0) b.x = 0;
    if (b.y < 0) b.y = 0;
    b.width = (right < width ? right : width) - b.x, b.height = (bottom < height ? bottom : height) - b.y;
    if (b.width > 0 && b.height > 0) box[kept++] = b;
  }
  return kept;
}

/* In reading order. */
static int by_place(const void *pa, const void *pb) {
  const um_box *a = pa, *b = pb;
  if (a->y != b->y) return a->y < b->y ? -1 : 1;
  if (a->x != b->x) return a->x < b->x ? -1 : 1;
  return a->width != b->width ? (a->width < b->width ? -1 : 1) : (a->score > b->score ? -1 : a->score < b->score);
}

int haar_detect_with(haar_row *row, const um_haar *h, const uint8_t *grey, int width, int height, int stride, const um_haar_options *o,
                     um_box **box, int *count, um_error *err) {
  int r = UM_OK;
  uint8_t *equal = NULL;
  pthread_t thread[64];
  int threads = 0;
  *box = NULL;
  *count = 0;
  if (width < 1 || height < 1 || stride < width || width > SIDE_MAX || height > SIDE_MAX)
    return um_fail(err, UM_EFORMAT, "face detection: a picture of %dx%d, expected sides from 1 to %d", width, height, SIDE_MAX);
  if (!(o->scale_factor > 1.001 && o->scale_factor < 100))
    return um_fail(err, UM_ECONFIG, "face detection: scale factor %g, expected above 1.001", o->scale_factor);
  search *s = calloc(1, sizeof *s);
  if (!s) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  pthread_mutex_init(&s->lock, NULL);
  s->h = h, s->row = row, s->grey = grey, s->width = width, s->height = height, s->stride = stride;
  if ((r = find_layers(s, o, err)) < 0 || s->tasks == 0) goto done;
  if (o->equalize) {
    if (!(equal = malloc((size_t)width * (size_t)height))) {
      r = um_fail(err, UM_ENOMEM, "face detection: no memory for a picture of %dx%d", width, height);
      goto done;
    }
    haar_equalize(equal, grey, width, height, stride);
    s->grey = equal, s->stride = width;
  }
  /* An odd number of cache lines a row, so that rows do not fall into the same few sets. */
  int line = (s->width_max + 2 + PAD + 15) / 16 | 1;
  s->plane_rows = BAND + h->height + 1;
  for (int step = 1; step <= 2; step++) {
    haar_plane *p = &s->plane[step - 1];
    p->step = step, p->stride = line * 16, p->half = (s->width_max + 2) / 2;
    if ((r = haar_scan_init(&s->scan[step - 1], h, p, (ptrdiff_t)s->plane_rows * p->stride, err)) < 0) goto done;
  }
  int want = o->threads < 1 ? 1 : o->threads > 64 ? 64 : o->threads;
  for (; threads + 1 < want && threads + 1 < s->tasks; threads++)
    if (pthread_create(&thread[threads], NULL, work, s) != 0) break; /* fewer do the same */
  work(s);
  for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  if (atomic_load(&s->failed)) {
    r = um_fail(err, UM_ENOMEM, "face detection: no memory for a picture of %dx%d", width, height);
    goto done;
  }
  int n = haar_group(s->box, s->boxes, o->min_neighbours);
  if (n < 0) {
    r = um_fail(err, UM_ENOMEM, "face detection: no memory to group %d hits", s->boxes);
    goto done;
  }
  n = clip(s->box, n, width, height);
  if (n == 0) goto done; /* *box stays NULL */
  qsort(s->box, (size_t)n, sizeof *s->box, by_place);
  *box = s->box;
  *count = n;
  s->box = NULL;
done:
  for (int i = 0; i < s->layers; i++) free(s->layer[i].x), free(s->layer[i].y);
  haar_scan_free(&s->scan[0]);
  haar_scan_free(&s->scan[1]);
  pthread_mutex_destroy(&s->lock);
  free(s->box);
  free(s);
  free(equal);
  return r;
}

int um_haar_detect(const um_haar *h, const uint8_t *grey, int width, int height, int stride, const um_haar_options *o, um_box **box,
                   int *count, um_error *err) {
  return haar_detect_with(haar_row_best(), h, grey, width, height, stride, o, box, count, err);
}
