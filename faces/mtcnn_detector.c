/* "mtcnn": the three stages over pictures, and who may use which context when. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "faces/mtcnn.h"
#include "weights/weights.h"

enum { LEAST_FACE = 6, AT_ONCE = 4, AT_ONCE_DEVICE = 8 };

/* A context, and the backend that was opened for it (NULL: the caller's). */
typedef struct worker {
  um_mtcnn_context *context;
  um_backend *own;
  struct worker *next;
} worker;

typedef struct mtcnn {
  um_detector base;
  um_mtcnn_weights weights[UM_MTCNN_NETS];
  int min_face, threads;
  um_backend *given; /* serves one at a time */
  pthread_mutex_t lock;
  pthread_cond_t returned;
  worker *idle;
  bool lent; /* the only worker of a given backend */
} mtcnn;

static void free_worker(worker *w) {
  if (!w) return;
  um_mtcnn_context_free(w->context);
  if (w->own) w->own->ops->close(w->own);
  free(w);
}

static int make_worker(mtcnn *d, worker **out, um_error *err) {
  worker *w = calloc(1, sizeof *w);
  int status = w ? UM_OK : um_fail(err, UM_ENOMEM, "face detection: no memory");
  if (status == UM_OK && !d->given) status = um_cpu_open(&w->own, d->threads, err);
  if (status == UM_OK) status = um_mtcnn_context_make(&w->context, d->weights, d->given ? d->given : w->own, d->base.at_once, err);
  if (status != UM_OK) free_worker(w), w = NULL;
  *out = w;
  return status;
}

/* As many workers as there are callers at the same time; of a given backend just one, which they wait for. */
static int take(mtcnn *d, worker **out, um_error *err) {
  pthread_mutex_lock(&d->lock);
  while (d->given && d->lent) pthread_cond_wait(&d->returned, &d->lock);
  *out = d->idle;
  if (*out) d->idle = (*out)->next;
  d->lent = true;
  pthread_mutex_unlock(&d->lock);
  const int status = *out ? UM_OK : make_worker(d, out, err);
  if (status == UM_OK) return status;
  pthread_mutex_lock(&d->lock);
  d->lent = false;
  pthread_cond_signal(&d->returned);
  pthread_mutex_unlock(&d->lock);
  return status;
}

static void give_back(mtcnn *d, worker *w) {
  pthread_mutex_lock(&d->lock);
  w->next = d->idle;
  d->idle = w;
  d->lent = false;
  pthread_cond_signal(&d->returned);
  pthread_mutex_unlock(&d->lock);
}

/* ONet's points are shares of the box before it is shifted; facenet-pytorch counts its pixels from 1 there. */
static void place_points(um_mtcnn_boxes *b) {
  for (int i = 0; i < b->count; i++) {
    um_mtcnn_box *x = &b->item[i];
    const float w = x->x2 - x->x1 + 1, h = x->y2 - x->y1 + 1;
    for (int k = 0; k < UM_POINTS; k++) {
      x->point[k][0] = w * x->point[k][0] + x->x1 - 1;
      x->point[k][1] = h * x->point[k][1] + x->y1 - 1;
    }
  }
}

static int three_stages(um_mtcnn_context *c, um_mtcnn_boxes *b, const um_mtcnn_picture *picture, int count, int min_face, um_error *err) {
  int status = um_mtcnn_propose(c, b, picture, count, min_face, err);
  for (int p = 0; p < count && status == UM_OK; p++) {
    status = um_mtcnn_suppress(&b[p], 0, 0.7, UM_MTCNN_UNION, err);
    um_mtcnn_shift_cells(&b[p]);
    um_mtcnn_square(&b[p]);
  }
  if (status == UM_OK) status = um_mtcnn_judge(c, UM_MTCNN_RNET, b, picture, count, 0.7f, err);
  for (int p = 0; p < count && status == UM_OK; p++) {
    status = um_mtcnn_suppress(&b[p], 0, 0.7, UM_MTCNN_UNION, err);
    um_mtcnn_shift(&b[p]);
    um_mtcnn_square(&b[p]);
  }
  if (status == UM_OK) status = um_mtcnn_judge(c, UM_MTCNN_ONET, b, picture, count, 0.7f, err);
  for (int p = 0; p < count && status == UM_OK; p++) {
    place_points(&b[p]);
    um_mtcnn_shift(&b[p]);
    status = um_mtcnn_suppress(&b[p], 0, 0.7, UM_MTCNN_LEAST, err);
  }
  return status;
}

static int hand_over(um_found *found, const um_mtcnn_boxes *b, um_error *err) {
  *found = (um_found){0};
  if (b->count == 0) return UM_OK;
  if (!(found->item = calloc((size_t)b->count, sizeof *found->item))) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  found->count = b->count;
  for (int i = 0; i < b->count; i++) {
    const um_mtcnn_box *x = &b->item[i];
    um_detection *at = &found->item[i];
    *at = (um_detection){.x = (double)x->x1,
                         .y = (double)x->y1,
                         .width = (double)x->x2 - (double)x->x1,
                         .height = (double)x->y2 - (double)x->y1,
                         .score = (double)x->score,
                         .has_points = true};
    for (int k = 0; k < UM_POINTS; k++)
      for (int e = 0; e < 2; e++) at->point[k][e] = (double)x->point[k][e];
  }
  um_found_sort(found);
  return UM_OK;
}

/* Some pictures of one size. */
static int find_some(mtcnn *d, um_mtcnn_context *c, um_found *found, const um_view_of_frame *view, int count, um_error *err) {
  um_mtcnn_picture picture[AT_ONCE_DEVICE];
  um_mtcnn_boxes box[AT_ONCE_DEVICE] = {{0}};
  for (int i = 0; i < count; i++) picture[i] = (um_mtcnn_picture){view[i].rgb, (int64_t)view[i].width * 3, view[i].width, view[i].height};
  int status = three_stages(c, box, picture, count, d->min_face, err);
  int done = 0;
  while (done < count && status == UM_OK) {
    status = hand_over(&found[done], &box[done], err);
    if (status == UM_OK) done++;
  }
  for (int i = 0; i < count; i++) um_mtcnn_boxes_free(&box[i]);
  while (status != UM_OK && done > 0) free(found[--done].item);
  return status;
}

static int find(um_detector *base, um_found *found, const um_view_of_frame *picture, int count, um_error *err) {
  mtcnn *d = (mtcnn *)base;
  worker *w;
  int at = 0, status = take(d, &w, err);
  if (status != UM_OK) return status;
  while (at < count && status == UM_OK) {
    int some = 1;
    while (some < base->at_once && at + some < count && picture[at + some].width == picture[at].width &&
           picture[at + some].height == picture[at].height)
      some++;
    status = find_some(d, w->context, found + at, picture + at, some, err);
    if (status == UM_OK) at += some;
  }
  give_back(d, w);
  while (status != UM_OK && at > 0) free(found[--at].item);
  return status;
}

static void close_mtcnn(um_detector *base) {
  mtcnn *d = (mtcnn *)base;
  while (d->idle) {
    worker *w = d->idle;
    d->idle = w->next;
    free_worker(w);
  }
  for (int i = 0; i < UM_MTCNN_NETS; i++) um_mtcnn_weights_free(&d->weights[i]);
  pthread_mutex_destroy(&d->lock);
  pthread_cond_destroy(&d->returned);
  free(d);
}

static const char *const files[UM_MTCNN_NETS] = {"facenet/pnet", "facenet/rnet", "facenet/onet"};

bool um_mtcnn_there(void) {
  char path[4096];
  for (int i = 0; i < UM_MTCNN_NETS; i++)
    if (um_weights_find_known(path, sizeof path, files[i], NULL) != UM_OK) return false;
  return true;
}

int um_mtcnn_detector_files(char path[UM_DETECTOR_FILES][4096], int *count, const char *name, um_error *err) {
  int status = UM_OK;
  for (*count = 0; status == UM_OK && *count < UM_MTCNN_NETS; ++*count)
    status = um_weights_find_known(path[*count], sizeof path[*count], files[*count], err);
  return status == UM_OK ? UM_OK : um_fail_context(err, "detector %s", name);
}

int um_mtcnn_detector_open(um_detector **out, const um_detector_options *o, um_error *err) {
  *out = NULL;
  if (o->min_face != 0 && o->min_face < LEAST_FACE)
    return um_fail(err, UM_ECONFIG, "detector mtcnn: min_face: expected at least %d pixels, got %d", LEAST_FACE, o->min_face);
  mtcnn *d = calloc(1, sizeof *d);
  if (!d) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->returned, NULL);
  const bool device = o->backend && o->backend->ops->wait;
  d->base = (um_detector){
      .name = "mtcnn", .probability = true, .rgb = true, .at_once = device ? AT_ONCE_DEVICE : AT_ONCE, .find = find, .close = close_mtcnn};
  d->min_face = o->min_face ? o->min_face : 20;
  d->threads = o->threads > 0 ? o->threads : 1;
  d->given = o->backend;
  int status = UM_OK;
  for (int i = 0; i < UM_MTCNN_NETS && status == UM_OK; i++) {
    char path[4096];
    status = um_weights_find_known(path, sizeof path, files[i], err);
    if (status != UM_OK)
      um_fail_context(err, "detector mtcnn");
    else
      status = um_mtcnn_weights_read(&d->weights[i], (um_mtcnn_net)i, path, err);
  }
  if (status != UM_OK) {
    close_mtcnn(&d->base);
    return status;
  }
  *out = &d->base;
  return UM_OK;
}
