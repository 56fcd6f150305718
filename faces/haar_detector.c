/* The recipe's call: detectMultiScale(equalizeHist(grey), 1.1, 2, CASCADE_SCALE_IMAGE, Size(30, 30)) of haarcascade_frontalface_alt.
 * "haar" looks again, with opencv-data's default frontal cascade, which keeps turned heads, where that finds nothing; "haar-strict"
 * does not. */
#include <stdlib.h>
#include <string.h>

#include "faces/detector.h"
#include "faces/haar.h"

/* The second cascade finds more, and more that is no face: it is asked for better support. */
#define SECOND_NEIGHBOURS 3

typedef struct haar_detector {
  um_detector base;
  um_haar *first, *second;
  int min_face, threads;
} haar_detector;

static int look(const haar_detector *h, const um_haar *cascade, int neighbours, um_box **box, int *count, const um_view_of_frame *picture,
                um_error *err) {
  const um_haar_options o = {
      .scale_factor = 1.1, .min_neighbours = neighbours, .min_size = h->min_face, .equalize = true, .threads = h->threads};
  return um_haar_detect(cascade, picture->grey, picture->width, picture->height, picture->grey_stride, &o, box, count, err);
}

static int find_one(const haar_detector *h, um_found *found, const um_view_of_frame *picture, um_error *err) {
  um_box *box = NULL;
  int n = 0;
  *found = (um_found){0};
  int r = look(h, h->first, 2, &box, &n, picture, err);
  if (r == UM_OK && n == 0 && h->second) r = look(h, h->second, SECOND_NEIGHBOURS, &box, &n, picture, err);
  if (r == UM_OK && n > 0 && !(found->item = calloc((size_t)n, sizeof *found->item)))
    r = um_fail(err, UM_ENOMEM, "face detection: no memory");
  for (int i = 0; found->item && i < n; i++)
    found->item[i] = (um_detection){.x = box[i].x, .y = box[i].y, .width = box[i].width, .height = box[i].height, .score = box[i].score};
  if (found->item) found->count = n;
  um_found_sort(found);
  free(box);
  return r;
}

static int find(um_detector *d, um_found *found, const um_view_of_frame *picture, int count, um_error *err) {
  for (int i = 0; i < count; i++) {
    int r = find_one((const haar_detector *)d, &found[i], &picture[i], err);
    if (r == UM_OK) continue;
    while (i > 0) free(found[--i].item);
    return r;
  }
  return UM_OK;
}

static void close_haar(um_detector *d) {
  haar_detector *h = (haar_detector *)d;
  um_haar_free(h->first);
  um_haar_free(h->second);
  free(h);
}

static const char *const cascades[2] = {"haarcascade_frontalface_alt.xml", "haarcascade_frontalface_default.xml"};

int um_haar_detector_files(char path[UM_DETECTOR_FILES][4096], int *count, const char *name, um_error *err) {
  const int n = strcmp(name, "haar-strict") == 0 ? 1 : 2;
  int r = UM_OK;
  for (*count = 0; !r && *count < n; ++*count) r = um_haar_find(path[*count], sizeof path[*count], cascades[*count], err);
  return r;
}

static int load(um_haar **h, const char *name, um_error *err) {
  char path[4096];
  int r = um_haar_find(path, sizeof path, name, err);
  return r < 0 ? r : um_haar_load(h, path, err);
}

int um_haar_detector_open(um_detector **out, const um_detector_options *o, um_error *err) {
  const bool strict = strcmp(o->name, "haar-strict") == 0;
  haar_detector *h = calloc(1, sizeof *h);
  int r;
  *out = NULL;
  if (!h) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  h->base = (um_detector){.name = strict ? "haar-strict" : "haar", .at_once = 1, .find = find, .close = close_haar};
  h->min_face = o->min_face > 0 ? o->min_face : 30;
  h->threads = o->threads > 0 ? o->threads : 1;
  if ((r = load(&h->first, cascades[0], err)) < 0 || (!strict && (r = load(&h->second, cascades[1], err)) < 0)) {
    close_haar(&h->base);
    return r;
  }
  *out = &h->base;
  return UM_OK;
}
