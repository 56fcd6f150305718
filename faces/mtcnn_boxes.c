/* What is done to boxes between and after the networks: facenet-pytorch's models/utils/detect_face.py and torchvision's nms, in float. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "faces/mtcnn.h"

int um_mtcnn_boxes_add(um_mtcnn_boxes *b, const um_mtcnn_box *box, int count, um_error *err) {
  if (count == 0) return UM_OK;
  if (b->room - b->count < count) {
    const int64_t room = ((int64_t)b->count + count) * 2;
    um_mtcnn_box *more = room < 1 << 26 ? realloc(b->item, (size_t)room * sizeof *more) : NULL;
    if (!more) return um_fail(err, UM_ENOMEM, "face detection: no memory for %lld boxes", (long long)room);
    b->item = more, b->room = (int)room;
  }
  memcpy(b->item + b->count, box, (size_t)count * sizeof *box);
  b->count += count;
  return UM_OK;
}

void um_mtcnn_boxes_free(um_mtcnn_boxes *b) {
  free(b->item);
  *b = (um_mtcnn_boxes){0};
}

void um_mtcnn_cell(um_mtcnn_box *box, int row, int column, double scale) {
  const float s = (float)scale;
  box->x1 = floorf((float)(UM_MTCNN_STRIDE * column + 1) / s);
  box->y1 = floorf((float)(UM_MTCNN_STRIDE * row + 1) / s);
  box->x2 = floorf((float)(UM_MTCNN_STRIDE * column + UM_MTCNN_CELL) / s);
  box->y2 = floorf((float)(UM_MTCNN_STRIDE * row + UM_MTCNN_CELL) / s);
}

/* A box as suppression sees it. */
typedef struct rival {
  float x1, y1, x2, y2, area, score;
  int index; /* -1: suppressed */
} rival;

/* Falling score; torch's sort is stable, and so the first of equal ones comes first; nms_numpy takes them from the end of numpy's
 * rising order, and so the last. */
static int by_score(const void *pa, const void *pb) {
  const rival *a = pa, *b = pb;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->index < b->index ? -1 : 1;
}
static int by_score_last(const void *pa, const void *pb) {
  const rival *a = pa, *b = pb;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->index > b->index ? -1 : 1;
}

static float least(float a, float b) { return a < b ? a : b; }
static float most(float a, float b) { return a > b ? a : b; }

static bool overlaps_union(const rival *a, const rival *b, double threshold) {
  const float w = least(a->x2, b->x2) - most(a->x1, b->x1), h = least(a->y2, b->y2) - most(a->y1, b->y1);
  if (!(w > 0 && h > 0)) return false;
  const float inter = w * h;
  return (double)(inter / (a->area + b->area - inter)) > threshold;
}

static bool overlaps_least(const rival *a, const rival *b, float threshold) {
  const float w = least(a->x2, b->x2) - most(a->x1, b->x1) + 1, h = least(a->y2, b->y2) - most(a->y1, b->y1) + 1;
  return !(most(0, w) * most(0, h) / least(a->area, b->area) <= threshold);
}

int um_mtcnn_suppress(um_mtcnn_boxes *b, int first, double threshold, um_mtcnn_overlap overlap, um_error *err) {
  const int count = b->count - first;
  const float pixel = overlap == UM_MTCNN_LEAST ? 1 : 0;
  if (count < 1) return UM_OK;
  rival *r = malloc((size_t)count * sizeof *r);
  um_mtcnn_box *kept = malloc((size_t)count * sizeof *kept);
  int left = 0;
  if (!r || !kept) {
    free(r);
    free(kept);
    return um_fail(err, UM_ENOMEM, "face detection: no memory for %d boxes", count);
  }
  for (int i = 0; i < count; i++) {
    const um_mtcnn_box *x = &b->item[first + i];
    r[i] = (rival){x->x1, x->y1, x->x2, x->y2, (x->x2 - x->x1 + pixel) * (x->y2 - x->y1 + pixel), x->score, i};
  }
  qsort(r, (size_t)count, sizeof *r, overlap == UM_MTCNN_UNION ? by_score : by_score_last);
  /* Those that stay move to the front. */
  for (int i = 0, n = count; i < n; i++) {
    int m = i + 1;
    kept[left++] = b->item[first + r[i].index];
    for (int k = i + 1; k < n; k++) {
      const bool gone =
          overlap == UM_MTCNN_UNION ? overlaps_union(&r[i], &r[k], threshold) : overlaps_least(&r[i], &r[k], (float)threshold);
      if (!gone) r[m++] = r[k];
    }
    n = m;
  }
  memcpy(b->item + first, kept, (size_t)left * sizeof *kept);
  b->count = first + left;
  free(r);
  free(kept);
  return UM_OK;
}

static void shift_by(um_mtcnn_box *x, float w, float h) {
  x->x1 = x->x1 + x->shift[0] * w;
  x->y1 = x->y1 + x->shift[1] * h;
  x->x2 = x->x2 + x->shift[2] * w;
  x->y2 = x->y2 + x->shift[3] * h;
}

void um_mtcnn_shift_cells(um_mtcnn_boxes *b) {
  for (int i = 0; i < b->count; i++) shift_by(&b->item[i], b->item[i].x2 - b->item[i].x1, b->item[i].y2 - b->item[i].y1);
}

void um_mtcnn_shift(um_mtcnn_boxes *b) {
  for (int i = 0; i < b->count; i++) shift_by(&b->item[i], b->item[i].x2 - b->item[i].x1 + 1, b->item[i].y2 - b->item[i].y1 + 1);
}

void um_mtcnn_square(um_mtcnn_boxes *b) {
  for (int i = 0; i < b->count; i++) {
    um_mtcnn_box *x = &b->item[i];
    const float h = x->y2 - x->y1, w = x->x2 - x->x1, side = most(w, h);
    x->x1 = x->x1 + w * 0.5f - side * 0.5f;
    x->y1 = x->y1 + h * 0.5f - side * 0.5f;
    x->x2 = x->x1 + side;
    x->y2 = x->y1 + side;
  }
}

/* Towards zero, and never beyond what an int holds. */
static int whole(float v, int low, int high) { return !(v > (float)low) ? low : v > (float)high ? high : (int)v; }

bool um_mtcnn_pixels(const um_mtcnn_box *box, int width, int height, int *left, int *top, int *right, int *bottom) {
  *left = whole(box->x1, 1, width + 1) - 1;
  *top = whole(box->y1, 1, height + 1) - 1;
  *right = whole(box->x2, 0, width);
  *bottom = whole(box->y2, 0, height);
  return *right > *left && *bottom > *top;
}

int um_mtcnn_pyramid(um_mtcnn_level level[UM_MTCNN_LEVELS], int width, int height, int min_face) {
  const double factor = 0.709;
  double scale = (double)UM_MTCNN_CELL / min_face, side = (width < height ? width : height) * scale;
  int count = 0;
  for (; side >= UM_MTCNN_CELL && count < UM_MTCNN_LEVELS; count++) {
    level[count] = (um_mtcnn_level){scale, (int)(height * scale + 1), (int)(width * scale + 1)};
    scale = scale * factor;
    side = side * factor;
  }
  return count;
}
