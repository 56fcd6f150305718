/* Joining raw hits: cv::groupRectangles and cv::partition of OpenCV 4.6 (objdetect/cascadedetect.cpp, core/operations.hpp). */
#include "faces/haar_internal.h"

#include <math.h>
#include <stdlib.h>

#define EPS 0.2

static bool similar(const um_box *a, const um_box *b) {
  int width = a->width < b->width ? a->width : b->width, height = a->height < b->height ? a->height : b->height;
  double delta = EPS * (width + height) * 0.5;
  return abs(a->x - b->x) <= delta && abs(a->y - b->y) <= delta && abs(a->x + a->width - b->x - b->width) <= delta &&
         abs(a->y + a->height - b->y - b->height) <= delta;
}

static int by_x(const void *pa, const void *pb) {
  const um_box *a = pa, *b = pb;
  if (a->x != b->x) return a->x < b->x ? -1 : 1;
  if (a->y != b->y) return a->y < b->y ? -1 : 1;
  return a->width < b->width ? -1 : a->width > b->width;
}

static int root_of(int *parent, int i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

/* Hides r1 when a well supported r2 contains it (n: sizes of their groups). */
static bool hidden(const um_box *r1, const um_box *r2) {
  int n1 = (int)r1->score, n2 = (int)r2->score;
  int dx = (int)lrint(r2->width * EPS), dy = (int)lrint(r2->height * EPS);
  return r1->x >= r2->x - dx && r1->y >= r2->y - dy && r1->x + r1->width <= r2->x + r2->width + dx &&
         r1->y + r1->height <= r2->y + r2->height + dy && (n2 > (n1 > 3 ? n1 : 3) || n1 < 3);
}

int haar_group(um_box *box, int n, int min_neighbours) {
  if (n == 0) return 0;
  if (min_neighbours <= 0) {
    for (int i = 0; i < n; i++) box[i].score = 1;
    return n;
  }
  struct total {
    int64_t x, y, width, height, n;
  } *total = calloc((size_t)n, sizeof *total);
  int *parent = malloc((size_t)n * sizeof *parent);
  um_box *group = malloc((size_t)n * sizeof *group);
  int groups = 0, kept = -1;
  if (!total || !parent || !group) goto done;

  /* Similar boxes are less than 0.2 (w + h) / 2 apart in x, so that with boxes sorted by x few pairs need a look. */
  qsort(box, (size_t)n, sizeof *box, by_x);
  for (int i = 0; i < n; i++) parent[i] = i;
  for (int i = 0; i < n; i++) {
    double reach = EPS * (box[i].width + box[i].height) * 0.5;
    for (int j = i + 1; j < n && box[j].x - box[i].x <= reach; j++)
      if (similar(&box[i], &box[j])) {
        int a = root_of(parent, i), b = root_of(parent, j);
        if (a != b) parent[a > b ? a : b] = a < b ? a : b;
      }
  }
  for (int i = 0; i < n; i++) {
    struct total *t = &total[root_of(parent, i)];
    t->x += box[i].x, t->y += box[i].y, t->width += box[i].width, t->height += box[i].height, t->n++;
  }
  for (int i = 0; i < n; i++) {
    const struct total *t = &total[i];
    if (t->n <= min_neighbours) continue;
    float s = 1.f / (float)t->n; /* the mean in single precision, rounded half to even, as there */
    group[groups++] = (um_box){.x = (int)lrintf((float)t->x * s),
                               .y = (int)lrintf((float)t->y * s),
                               .width = (int)lrintf((float)t->width * s),
                               .height = (int)lrintf((float)t->height * s),
                               .score = (double)t->n};
  }
  kept = 0;
  for (int i = 0; i < groups; i++) {
    bool hide = false;
    for (int j = 0; j < groups && !hide; j++) hide = j != i && hidden(&group[i], &group[j]);
    if (!hide) box[kept++] = group[i];
  }
done:
  free(total);
  free(parent);
  free(group);
  return kept;
}
