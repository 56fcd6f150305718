#include "data/faces.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The second cascade finds more, and more that is no face: it is asked only where the first finds nothing, and for better support. */
#define SECOND_NEIGHBOURS 3

struct um_face_finder {
  um_face_options o;
  um_haar *haar, *second;
};

static int load(um_haar **h, const char *name, um_error *err) {
  char path[4096];
  int r = um_haar_find(path, sizeof path, name, err);
  return r < 0 ? r : um_haar_load(h, path, err);
}

int um_face_finder_open(um_face_finder **out, const um_face_options *o, um_error *err) {
  int r;
  *out = NULL;
  bool strict = strcmp(o->detector, "haar-strict") == 0;
  if (!strict && strcmp(o->detector, "haar") != 0)
    return um_fail(err, UM_ECONFIG, "detector: expected haar or haar-strict, got \"%s\"", o->detector);
  if (!(o->margin > -0.9 && o->margin <= 4)) return um_fail(err, UM_ECONFIG, "margin: expected -0.9 to 4, got %g", o->margin);
  um_face_finder *f = calloc(1, sizeof *f);
  if (!f) return um_fail(err, UM_ENOMEM, "face detection: no memory");
  f->o = *o;
  if ((r = load(&f->haar, "haarcascade_frontalface_alt.xml", err)) < 0 ||
      (!strict && (r = load(&f->second, "haarcascade_frontalface_default.xml", err)) < 0)) {
    um_face_finder_close(f);
    return r;
  }
  *out = f;
  return UM_OK;
}

void um_face_finder_close(um_face_finder *f) {
  if (!f) return;
  um_haar_free(f->haar);
  um_haar_free(f->second);
  free(f);
}

/* Largest first; equal ones by how many hits they have, then by place, so that the order never depends on chance. */
static int by_size(const void *pa, const void *pb) {
  const um_face *a = pa, *b = pb;
  int64_t area_a = (int64_t)a->box.width * a->box.height, area_b = (int64_t)b->box.width * b->box.height;
  if (area_a != area_b) return area_a > area_b ? -1 : 1;
  if (a->box.score != b->box.score) return a->box.score > b->box.score ? -1 : 1;
  if (a->box.y != b->box.y) return a->box.y < b->box.y ? -1 : 1;
  return a->box.x < b->box.x ? -1 : a->box.x > b->box.x;
}

void um_face_from_box(um_face *face, const um_box *box, double margin) {
  /* cvRound, half to even, of R's opencv package: centre and radius of the circle it draws. */
  long x = lrint(box->x + box->width * 0.5), y = lrint(box->y + box->height * 0.5), r = lrint((box->width + box->height) * 0.25);
  if (margin != 0) r = lrint((double)r * (1 + margin));
  if (r < 1) r = 1;
  *face = (um_face){.box = *box, .x = (int)(x - r), .y = (int)(y - r), .side = (int)(2 * r + 1), .track = -1};
}

int um_faces_in(um_face_finder *f, const uint8_t *grey, int width, int height, int stride, um_face **face, int *count, um_error *err) {
  /* The recipe's call: detectMultiScale(equalizeHist(grey), 1.1, 2, CASCADE_SCALE_IMAGE, Size(30, 30)). */
  um_haar_options o = {.scale_factor = 1.1, .min_neighbours = 2, .min_size = 30, .equalize = true, .threads = f->o.threads};
  um_box *box = NULL;
  int n;
  *face = NULL;
  *count = 0;
  int r = um_haar_detect(f->haar, grey, width, height, stride, &o, &box, &n, err);
  if (r == UM_OK && n == 0 && f->second) {
    o.min_neighbours = SECOND_NEIGHBOURS;
    r = um_haar_detect(f->second, grey, width, height, stride, &o, &box, &n, err);
  }
  if (r < 0 || n == 0) goto done;
  if (!(*face = malloc((size_t)n * sizeof **face))) {
    r = um_fail(err, UM_ENOMEM, "face detection: no memory");
    goto done;
  }
  for (int i = 0; i < n; i++) um_face_from_box(&(*face)[i], &box[i], f->o.margin);
  qsort(*face, (size_t)n, sizeof **face, by_size);
  *count = f->o.all ? n : 1;
done:
  free(box);
  return r;
}

int um_faces_walk(um_face_finder *f, const char *path, um_face_sink sink, void *arg, um_video_info *info, um_face_report *report,
                  um_error *err) {
  um_video_options o = {.fps = f->o.fps, .max_size = f->o.max_size, .threads = f->o.decode_threads};
  um_video *v = NULL;
  um_face *face = NULL;
  um_frame frame = {0};
  um_face_report unused;
  int r, count = 0;
  if (!report) report = &unused;
  *report = (um_face_report){0};
  if ((r = um_video_open(&v, path, &o, err)) < 0) return r;
  if (info) *info = *um_video_info_of(v);
  while ((r = um_video_next(v, &frame, err)) > 0) {
    if (!frame.repeated) { /* else the faces are those of the frame before */
      free(face);
      face = NULL;
      if ((r = um_faces_in(f, frame.grey, frame.width, frame.height, frame.grey_stride, &face, &count, err)) < 0) {
        um_fail_context(err, "%s", path);
        break;
      }
    }
    report->frames++;
    report->faces += count;
    report->frames_without_face += count == 0;
    if ((r = sink(arg, &frame, v, face, count, err)) < 0) break;
  }
  report->damaged = um_video_damaged(v);
  free(face);
  um_video_close(v);
  return r;
}

int um_face_crop(um_image *out, const um_image *frame, const um_face *face, int size, um_error *err) {
  um_image cut = {0}, *to = size > 0 && size != face->side ? &cut : out;
  int r = um_image_alloc(to, face->side, face->side, err);
  if (r < 0) goto done;
  for (int y = 0; y < face->side; y++) {
    int sy = face->y + y;
    sy = sy < 0 ? 0 : sy >= frame->height ? frame->height - 1 : sy;
    const uint8_t *row = frame->pixels + (size_t)sy * (size_t)frame->width * 3;
    uint8_t *d = to->pixels + (size_t)y * (size_t)face->side * 3;
    for (int x = 0; x < face->side; x++, d += 3) {
      int sx = face->x + x;
      sx = sx < 0 ? 0 : sx >= frame->width ? frame->width - 1 : sx;
      memcpy(d, row + (size_t)sx * 3, 3);
    }
  }
  if (to == &cut && (r = um_image_alloc(out, size, size, err)) == UM_OK) r = um_resize(out->pixels, size, size, &cut, UM_BILINEAR, err);
done:
  um_image_free(&cut);
  return r;
}
