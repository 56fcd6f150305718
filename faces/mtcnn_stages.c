/* Running the networks: PNet over the levels of pictures of one size, RNet and ONet over crops of all of them, in batches of a few
 * sizes. Models are made when they are first needed; those of the levels, which depend on the pictures' size, within bounds.
 *
 * On a CPU, RNet and ONet, too small to share out, run on one thread each, many batches at the same time: every thread has a lane of
 * its own. Their batches are of 16 at most: one of 64 takes three times the memory, falls out of a core's cache, and ONet is slower with
 * it (by 14 to 24 %). */
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "faces/mtcnn.h"

enum { LEVEL_MODELS = 64, BATCHES = 4 };
static const size_t level_bytes_most = (size_t)768 << 20; /* of all levels' models together, once more than one is there */
static const int64_t level_pixels = 3 << 20;              /* of a PNet's batch: larger levels go through in bands */
static const int batch_sizes[BATCHES] = {64, 16, 4, 1};   /* on a CPU without the first */

typedef struct level_model {
  um_model *model;
  int height, width;
  int64_t batch;
  uint64_t used;
} level_model;

/* A backend with models for crops, and room for a batch of them. */
typedef struct lane {
  um_backend *be, *own; /* own: opened for this lane, or NULL */
  um_model *model[UM_MTCNN_NETS][BATCHES];
  float *input, *output;
} lane;

struct um_mtcnn_context {
  const um_mtcnn_weights *weights;
  um_backend *be;
  int at_once, threads;
  um_mtcnn_rows *rows; /* NULL: PNet runs on the backend, like the others */
  level_model level[LEVEL_MODELS];
  int levels;
  size_t level_bytes;
  uint64_t clock;
  lane *lane;
  int lanes;
  int largest;     /* index of the largest batch size */
  void *buffer[3]; /* inputs, outputs, room of the threads */
  size_t bytes[3];
};
enum { INPUT, OUTPUT, ROOM };

static int open_lane(um_mtcnn_context *c, lane *l, bool shared, um_error *err) {
  const size_t batch = (size_t)batch_sizes[c->largest];
  l->be = c->be;
  l->input = malloc(batch * UM_MTCNN_ONET_SIDE * UM_MTCNN_ONET_SIDE * 3 * sizeof *l->input);
  l->output = malloc(batch * UM_MTCNN_ONET_OUT * sizeof *l->output);
  if (!l->input || !l->output) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  if (shared) return UM_OK;
  const int status = um_cpu_open(&l->own, 1, err);
  if (status == UM_OK) l->be = l->own;
  return status;
}

static void close_lane(lane *l) {
  for (int n = 0; n < UM_MTCNN_NETS; n++)
    for (int i = 0; i < BATCHES; i++) um_model_free(l->model[n][i]);
  if (l->own) l->own->ops->close(l->own);
  free(l->input);
  free(l->output);
}

int um_mtcnn_context_make(um_mtcnn_context **out, const um_mtcnn_weights weights[UM_MTCNN_NETS], um_backend *be, int at_once,
                          um_error *err) {
  const bool cpu = strcmp(be->ops->name, "cpu") == 0;
  um_mtcnn_context *c = calloc(1, sizeof *c);
  *out = NULL;
  if (!c) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  c->weights = weights;
  c->be = be;
  c->at_once = at_once;
#ifdef _OPENMP
  c->threads = be->threads > 0 ? be->threads : 1;
#else
  c->threads = 1;
#endif
  c->lanes = cpu ? c->threads : 1;
  c->largest = cpu ? 1 : 0;
  c->lane = calloc((size_t)c->lanes, sizeof *c->lane);
  int status = c->lane ? UM_OK : um_fail(err, UM_ENOMEM, "face detection: no memory");
  for (int i = 0; i < c->lanes && status == UM_OK; i++) status = open_lane(c, &c->lane[i], c->lanes == 1, err);
  if (status == UM_OK && cpu) status = um_mtcnn_rows_make(&c->rows, &weights[UM_MTCNN_PNET], c->threads, true, err);
  if (status != UM_OK)
    um_mtcnn_context_free(c);
  else
    *out = c;
  return status;
}

void um_mtcnn_context_free(um_mtcnn_context *c) {
  if (!c) return;
  for (int i = 0; i < c->levels; i++) um_model_free(c->level[i].model);
  for (int i = 0; c->lane && i < c->lanes; i++) close_lane(&c->lane[i]);
  for (int i = 0; i < 3; i++) free(c->buffer[i]);
  um_mtcnn_rows_free(c->rows);
  free(c->lane);
  free(c);
}

/* One of the buffers, at least so large; what was in it is lost. */
static int room_for(um_mtcnn_context *c, int which, size_t bytes, um_error *err) {
  if (bytes <= c->bytes[which]) return UM_OK;
  free(c->buffer[which]);
  bytes = (bytes + 63) / 64 * 64;
  c->buffer[which] = aligned_alloc(64, bytes);
  c->bytes[which] = c->buffer[which] ? bytes : 0;
  return c->buffer[which] ? UM_OK : um_fail(err, UM_ENOMEM, "face detection: no memory for %zu bytes", bytes);
}

static void *room_of_thread(const um_mtcnn_context *c, size_t bytes) {
#ifdef _OPENMP
  return (char *)c->buffer[ROOM] + bytes * (size_t)omp_get_thread_num();
#else
  (void)bytes;
  return c->buffer[ROOM];
#endif
}

/* ---- PNet ---- */

static void drop_level(um_mtcnn_context *c, int i) {
  c->level_bytes -= um_model_memory_of(c->level[i].model)->total;
  um_model_free(c->level[i].model);
  c->level[i] = c->level[--c->levels];
}

/* The model of such pictures; those that were not asked for the longest go when there are too many. */
static int level_of(um_mtcnn_context *c, um_model **out, int height, int width, int64_t batch, um_error *err) {
  um_model *m;
  for (int i = 0; i < c->levels; i++) {
    level_model *l = &c->level[i];
    if (l->height != height || l->width != width || l->batch != batch) continue;
    l->used = ++c->clock;
    *out = l->model;
    return UM_OK;
  }
  while (c->levels && (c->levels == LEVEL_MODELS || c->level_bytes > level_bytes_most)) {
    int oldest = 0;
    for (int i = 1; i < c->levels; i++)
      if (c->level[i].used < c->level[oldest].used) oldest = i;
    drop_level(c, oldest);
  }
  const int status = um_mtcnn_model(&m, UM_MTCNN_PNET, height, width, batch, &c->weights[UM_MTCNN_PNET], c->be, err);
  if (status != UM_OK) return status;
  c->level[c->levels++] = (level_model){m, height, width, batch, ++c->clock};
  c->level_bytes += um_model_memory_of(m)->total;
  *out = m;
  return UM_OK;
}

/* Rows first to first + rows - 1 of the level of each picture, one after the other. */
static int resize(um_mtcnn_context *c, float *out, const um_mtcnn_picture *picture, int count, const um_mtcnn_level *level, int first,
                  int rows, um_error *err) {
  const size_t bytes = um_mtcnn_area_room(picture->width);
  um_mtcnn_span *span = malloc(((size_t)level->width + (size_t)level->height) * sizeof *span);
  const int status = room_for(c, ROOM, bytes * (size_t)c->threads, err);
  if (!span) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  if (status == UM_OK) {
    um_mtcnn_spans(span, picture->width, level->width);
    um_mtcnn_spans(span + level->width, picture->height, level->height);
#pragma omp parallel for num_threads(c->threads) schedule(dynamic, 8) collapse(2)
    for (int p = 0; p < count; p++)
      for (int r = 0; r < rows; r++)
        um_mtcnn_area(out + ((int64_t)p * rows + r) * level->width * 3, 3, 1, &picture[p], span[level->width + first + r], span,
                      level->width, room_of_thread(c, bytes));
  }
  free(span);
  return status;
}

/* Windows of a band of rows that begins at the level's row `top`. */
static int collect(um_mtcnn_boxes *found, const float *out, int rows, int columns, int top, double scale, um_error *err) {
  for (int r = 0; r < rows; r++)
    for (int q = 0; q < columns; q++) {
      const float *v = out + ((int64_t)r * columns + q) * UM_MTCNN_PNET_OUT;
      if (!(v[1] >= um_mtcnn_proposed)) continue;
      um_mtcnn_box box = {.score = v[1]};
      memcpy(box.shift, v + UM_MTCNN_BOX, sizeof box.shift);
      um_mtcnn_cell(&box, top / UM_MTCNN_STRIDE + r, q, scale);
      const int status = um_mtcnn_boxes_add(found, &box, 1, err);
      if (status != UM_OK) return status;
    }
  return UM_OK;
}

/* Some pictures' band of a level through PNet. */
static int band(um_mtcnn_context *c, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count, int64_t batch,
                const um_mtcnn_level *level, int top, int height, um_error *err) {
  const int rows = um_mtcnn_cells(height), columns = um_mtcnn_cells(level->width);
  const size_t values = (size_t)rows * (size_t)columns * UM_MTCNN_PNET_OUT;
  um_model *m;
  int status = room_for(c, INPUT, (size_t)count * (size_t)height * (size_t)level->width * 3 * sizeof(float), err);
  if (status == UM_OK) status = room_for(c, OUTPUT, (size_t)count * values * sizeof(float), err);
  if (status == UM_OK) status = resize(c, c->buffer[INPUT], picture, count, level, top, height, err);
  if (status == UM_OK) status = level_of(c, &m, height, level->width, batch, err);
  if (status == UM_OK) status = um_model_feed(m, c->buffer[INPUT], count, err);
  if (status == UM_OK) status = um_model_forward(m, err);
  if (status == UM_OK) status = um_model_output(m, c->buffer[OUTPUT], err);
  for (int p = 0; p < count && status == UM_OK; p++)
    status = collect(&found[p], (const float *)c->buffer[OUTPUT] + (size_t)p * values, rows, columns, top, level->scale, err);
  return status;
}

/* A level in bands of an even number of rows, which overlap by what a window is larger than its step. */
static int look_at_level(um_mtcnn_context *c, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count,
                         const um_mtcnn_level *level, um_error *err) {
  const int overlap = UM_MTCNN_CELL - UM_MTCNN_STRIDE;
  int64_t fit = level_pixels / level->width / 2 * 2;
  if (fit < 4 * overlap) fit = 4 * overlap;
  const int most = level->height <= fit ? level->height : (int)fit;
  int64_t batch = level_pixels / ((int64_t)most * level->width);
  batch = batch < 1 ? 1 : batch > c->at_once ? c->at_once : batch;
  int status = UM_OK;
  for (int p = 0; p < count && status == UM_OK; p += (int)batch)
    for (int top = 0; top + overlap < level->height && status == UM_OK; top += most - overlap) {
      const int height = level->height - top < most ? level->height - top : most, some = count - p < batch ? count - p : (int)batch;
      if (um_mtcnn_cells(height) > 0) status = band(c, found + p, picture + p, some, batch, level, top, height, err);
    }
  return status;
}

int um_mtcnn_propose(um_mtcnn_context *c, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count, int min_face, um_error *err) {
  um_mtcnn_level level[UM_MTCNN_LEVELS];
  const int levels = um_mtcnn_pyramid(level, picture->width, picture->height, min_face);
  int status = UM_OK;
  if (c->rows) return um_mtcnn_rows_propose(c->rows, found, picture, count, min_face, err);
  for (int l = 0; l < levels && status == UM_OK; l++) {
    int before[64];
    for (int p = 0; p < count; p++) before[p] = found[p].count;
    status = look_at_level(c, found, picture, count, &level[l], err);
    for (int p = 0; p < count && status == UM_OK; p++) status = um_mtcnn_suppress(&found[p], before[p], 0.5, UM_MTCNN_UNION, err);
  }
  return status;
}

/* ---- RNet and ONet ---- */

/* A crop to look at. */
typedef struct crop {
  um_mtcnn_box *box;
  um_mtcnn_picture pixels;
} crop;

/* A part of the crops, and the size of the batch that it goes through in. */
typedef struct part {
  int first, count, size;
} part;

/* The largest batches that are full and leave something for every lane; the rest in one that has room for more. */
static int share_out(const um_mtcnn_context *c, part *list, int crops) {
  const int fair = (crops + c->lanes - 1) / c->lanes;
  int parts = 0;
  for (int at = 0; at < crops; at += list[parts++].count) {
    int size = c->largest;
    while (size + 1 < BATCHES && (batch_sizes[size] > crops - at || batch_sizes[size] > fair)) size++;
    list[parts] = (part){at, crops - at < batch_sizes[size] ? crops - at : batch_sizes[size], size};
  }
  return parts;
}

static int side_of(um_mtcnn_net net) { return net == UM_MTCNN_RNET ? UM_MTCNN_RNET_SIDE : UM_MTCNN_ONET_SIDE; }

/* room: of one thread, or, where there is one lane, of all of them. */
static void resize_crops(const um_mtcnn_context *c, float *out, const crop *crops, int count, int side, char *room, size_t room_bytes) {
  const int64_t values = (int64_t)side * side * 3;
  if (c->lanes > 1) {
    for (int i = 0; i < count; i++) um_mtcnn_area_square(out + i * values, &crops[i].pixels, side, room);
    return;
  }
#pragma omp parallel for num_threads(c->threads) schedule(dynamic, 4)
  for (int i = 0; i < count; i++) um_mtcnn_area_square(out + i * values, &crops[i].pixels, side, room_of_thread(c, room_bytes));
}

static int judge_part(const um_mtcnn_context *c, lane *l, um_mtcnn_net net, const crop *crops, const part *p, char *room, size_t room_bytes,
                      um_error *err) {
  const int outs = net == UM_MTCNN_RNET ? UM_MTCNN_RNET_OUT : UM_MTCNN_ONET_OUT, side = side_of(net);
  um_model **m = &l->model[net][p->size];
  int status = UM_OK;
  resize_crops(c, l->input, crops + p->first, p->count, side, room, room_bytes);
  if (!*m) status = um_mtcnn_model(m, net, side, side, batch_sizes[p->size], &c->weights[net], l->be, err);
  if (status == UM_OK) status = um_model_feed(*m, l->input, p->count, err);
  if (status == UM_OK) status = um_model_forward(*m, err);
  if (status == UM_OK) status = um_model_output(*m, l->output, err);
  for (int i = 0; i < p->count && status == UM_OK; i++) {
    const float *v = l->output + (int64_t)i * outs;
    um_mtcnn_box *b = crops[p->first + i].box;
    b->score = v[1];
    memcpy(b->shift, v + UM_MTCNN_BOX, sizeof b->shift);
    for (int k = 0; net == UM_MTCNN_ONET && k < UM_POINTS; k++)
      for (int d = 0; d < 2; d++) b->point[k][d] = v[UM_MTCNN_POINT + d * UM_POINTS + k];
  }
  return status;
}

static int judge_all(um_mtcnn_context *c, um_mtcnn_net net, const crop *crops, const part *list, int parts, size_t room, um_error *err) {
  int status = UM_OK;
  if (c->lanes == 1) {
    for (int i = 0; i < parts && status == UM_OK; i++) status = judge_part(c, c->lane, net, crops, &list[i], c->buffer[ROOM], room, err);
    return status;
  }
#pragma omp parallel for num_threads(c->lanes) schedule(dynamic, 1)
  for (int i = 0; i < parts; i++) {
    um_error own;
#ifdef _OPENMP
    const int me = omp_get_thread_num();
#else
    const int me = 0;
#endif
    const int s = judge_part(c, &c->lane[me], net, crops, &list[i], (char *)c->buffer[ROOM] + room * (size_t)me, room, &own);
#pragma omp critical
    if (s != UM_OK) *err = own, status = s;
  }
  return status;
}

int um_mtcnn_judge(um_mtcnn_context *c, um_mtcnn_net net, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count,
                   float threshold, um_error *err) {
  const size_t room = um_mtcnn_area_room(picture->width);
  int total = 0, crops = 0, status;
  for (int p = 0; p < count; p++) total += found[p].count;
  if (total == 0) return UM_OK;
  crop *list = malloc((size_t)total * sizeof *list);
  part *parts = malloc((size_t)total * sizeof *parts);
  status = list && parts ? room_for(c, ROOM, room * (size_t)c->threads, err)
                         : um_fail(err, UM_ENOMEM, "face detection: no memory for %d crops", total);
  if (status != UM_OK) goto done;
  for (int p = 0; p < count; p++)
    for (int i = 0; i < found[p].count; i++) {
      um_mtcnn_box *b = &found[p].item[i];
      int left, top, right, bottom;
      b->score = -1;
      if (!um_mtcnn_pixels(b, picture[p].width, picture[p].height, &left, &top, &right, &bottom)) continue;
      const uint8_t *first = picture[p].rgb + top * picture[p].stride + (int64_t)left * 3;
      list[crops++] = (crop){b, {first, picture[p].stride, right - left, bottom - top}};
    }
  status = judge_all(c, net, list, parts, share_out(c, parts, crops), room, err);
  for (int p = 0; p < count; p++) {
    int kept = 0;
    for (int i = 0; i < found[p].count; i++)
      if (found[p].item[i].score > threshold) found[p].item[kept++] = found[p].item[i];
    found[p].count = kept;
  }
done:
  free(list);
  free(parts);
  return status;
}
