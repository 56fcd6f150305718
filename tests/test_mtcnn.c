/* MTCNN against facenet-pytorch (tests/golden/mtcnn.py): areas, networks and the whole search with weights from a formula, always; the
 * faces of photos and of clips with the real weights, where weights and ../shared/data are here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/video.h"
#include "tests/support/mtcnn_fixture.h"
#include "tests/support/picture.h"
#include "tests/support/tmp.h"
#include "weights/weights.h"

#define GOLDEN       "tests/golden/mtcnn.txt"
#define GOLDEN_FACES "tests/golden/mtcnn_faces.txt"
#define DATA         "../shared/data"
#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error err = {0};                                                                                                                    \
    if ((call) != UM_OK) fail_msg("%s", err.text);                                                                                         \
  } while (0)

static bool real; /* whether the real weights were there before the test's own took their place */

/* ---- pixels ---- */

static void areas(void **state) {
  static const struct {
    const char *name;
    int height, width, to_height, to_width;
  } cases[] = {{"area_47x61_to_9x13", 47, 61, 9, 13}, {"area_19x7_to_9x11", 19, 7, 9, 11}, {"area_300x5_to_2x3", 300, 5, 2, 3}};
  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const int h = cases[k].height, w = cases[k].width, th = cases[k].to_height, tw = cases[k].to_width;
    int count;
    double *want = mtcnn_golden(GOLDEN, cases[k].name, &count);
    um_mtcnn_span rows[16], columns[16];
    uint8_t *rgb = malloc((size_t)(h * w) * 3);
    float *out = malloc((size_t)(th * tw) * 3 * sizeof *out), *planes = malloc((size_t)(th * tw) * 3 * sizeof *out);
    void *room = aligned_alloc(64, um_mtcnn_area_room(w));
    test_picture(rgb, h, w);
    const um_mtcnn_picture in = {rgb, (int64_t)w * 3, w, h};
    um_mtcnn_spans(rows, h, th);
    um_mtcnn_spans(columns, w, tw);
    assert_int_equal(count, th * tw * 3);
    for (int r = 0; r < th; r++) {
      um_mtcnn_area(out + r * tw * 3, 3, 1, &in, rows[r], columns, tw, room);
      um_mtcnn_area(planes + r * tw, 1, th * tw, &in, rows[r], columns, tw, room);
    }
    mtcnn_near(cases[k].name, out, want, count, 3e-7); /* seven digits are written */
    for (int i = 0; i < th * tw; i++)
      for (int c = 0; c < 3; c++) assert_true(planes[c * th * tw + i] == out[3 * i + c]);
    free(want), free(rgb), free(out), free(planes), free(room);
  }
}

/* ---- boxes ---- */

/* detect_face.py's pad: 1 to the size, towards zero; nothing left of a box that lies outside. */
static void pixels_of_boxes(void **state) {
  static const struct {
    um_mtcnn_box box;
    bool any;
    int left, top, right, bottom;
  } cases[] = {
      {{.x1 = 3.9F, .y1 = 2.2F, .x2 = 9.9F, .y2 = 8.1F}, true, 2, 1, 9, 8},
      {{.x1 = -5, .y1 = 0.7F, .x2 = 500, .y2 = 99}, true, 0, 0, 100, 50},
      {{.x1 = 101, .y1 = 3, .x2 = 120, .y2 = 9}, false, 0, 0, 0, 0},
      {{.x1 = 100, .y1 = 50, .x2 = 120, .y2 = 60}, true, 99, 49, 100, 50},
      {{.x1 = -9, .y1 = 3, .x2 = 0.5F, .y2 = 9}, false, 0, 0, 0, 0},
      {{.x1 = NAN, .y1 = 3, .x2 = 1e30F, .y2 = 9}, true, 0, 2, 100, 9},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int left, top, right, bottom;
    assert_int_equal(um_mtcnn_pixels(&cases[i].box, 100, 50, &left, &top, &right, &bottom), cases[i].any);
    if (!cases[i].any) continue;
    if (left != cases[i].left || top != cases[i].top || right != cases[i].right || bottom != cases[i].bottom)
      fail_msg("case %zu: %d %d %d %d", i, left, top, right, bottom);
  }
}

/* By hand: of two that share 60 of 100 + 100 - 60, union 0.43; the smaller one inside the larger, least 1. Equal scores: the first one
 * stays in the first kind, the last in the second, as torch's stable sort and numpy's rising order have it. */
static void suppression(void **state) {
  static const um_mtcnn_box boxes[] = {{.x1 = 0, .y1 = 0, .x2 = 10, .y2 = 10, .score = 0.5F, .shift = {1}},
                                       {.x1 = 4, .y1 = 0, .x2 = 14, .y2 = 10, .score = 0.9F, .shift = {2}},
                                       {.x1 = 0, .y1 = 0, .x2 = 10, .y2 = 10, .score = 0.5F, .shift = {3}},
                                       {.x1 = 40, .y1 = 40, .x2 = 60, .y2 = 60, .score = 0.1F, .shift = {4}},
                                       {.x1 = 45, .y1 = 45, .x2 = 50, .y2 = 50, .score = 0.2F, .shift = {5}}};
  static const struct {
    double threshold;
    um_mtcnn_overlap overlap;
    int count, first, stay[5];
  } cases[] = {{0.4, UM_MTCNN_UNION, 3, 0, {2, 5, 4}},
               {0.5, UM_MTCNN_UNION, 4, 0, {2, 1, 5, 4}},
               {0.7, UM_MTCNN_LEAST, 3, 0, {2, 3, 5}},
               {0.5, UM_MTCNN_UNION, 5, 2, {1, 2, 3, 5, 4}}};
  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    um_mtcnn_boxes b = {0};
    OK(um_mtcnn_boxes_add(&b, boxes, 5, &err));
    OK(um_mtcnn_suppress(&b, cases[k].first, cases[k].threshold, cases[k].overlap, &err));
    assert_int_equal(b.count, cases[k].count);
    for (int i = 0; i < b.count; i++) assert_int_equal((int)b.item[i].shift[0], cases[k].stay[i]);
    um_mtcnn_boxes_free(&b);
  }
}

/* ---- networks and search, weights from a formula ---- */

static um_backend *open_backend(const char *name) {
  um_backend *be = NULL;
  OK(um_backend_open(&be, name, 2, &err));
  return be;
}

static void networks_as_theirs(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    um_backend *be = open_backend(i ? "cpu" : "ref");
    mtcnn_check_networks(be);
    be->ops->close(be);
  }
}

static void search_as_theirs(void **state) {
  (void)state;
  mtcnn_check_search(NULL, false);
  for (int i = 0; i < 2; i++) {
    um_backend *be = open_backend(i ? "cpu" : "ref");
    mtcnn_check_search(be, i == 0);
    be->ops->close(be);
  }
}

/* The picture, with noise that no two places share: no two windows look the same. */
static uint8_t *uneven(int height, int width, uint32_t seed) {
  const int64_t n = (int64_t)height * width * 3;
  uint8_t *rgb = malloc((size_t)n);
  assert_non_null(rgb);
  test_picture(rgb, height, width);
  for (int64_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    rgb[i] = (uint8_t)(rgb[i] + (seed >> 29));
  }
  return rgb;
}

static int by_place(const void *pa, const void *pb) {
  const um_mtcnn_box *a = pa, *b = pb;
  const float d[] = {a->x1 - b->x1, a->y1 - b->y1, a->x2 - b->x2, a->y2 - b->y2};
  for (int i = 0; i < 4; i++)
    if (d[i] != 0) return d[i] < 0 ? -1 : 1;
  return 0;
}

/* The same windows; their order may differ where scores are nearly equal. */
static void same_windows(um_mtcnn_boxes *got, um_mtcnn_boxes *want) {
  assert_int_equal(got->count, want->count);
  if (got->count) qsort(got->item, (size_t)got->count, sizeof *got->item, by_place);
  if (want->count) qsort(want->item, (size_t)want->count, sizeof *want->item, by_place);
  for (int i = 0; i < got->count; i++) {
    const um_mtcnn_box *a = &got->item[i], *b = &want->item[i];
    assert_int_equal(by_place(a, b), 0);
    assert_true(fabsf(a->score - b->score) < 1e-5F); /* sums in float against sums in double */
    for (int s = 0; s < 4; s++) assert_true(fabsf(a->shift[s] - b->shift[s]) < 1e-5F);
  }
}

/* The fast way of the first stage against the node list on ref: the same windows, whatever the size (odd ones, one column of cells, more
 * than a band of rows), the instruction set and the number of threads. */
static void rows_as_the_nodes(void **state) {
  static const int sizes[][2] = {{20, 20}, {21, 43}, {47, 22}, {64, 301}, {331, 40}, {150, 151}};
  um_backend *ref = open_backend("ref");
  um_mtcnn_context *c = NULL;
  int windows = 0;
  (void)state;
  OK(um_mtcnn_context_make(&c, mtcnn_weights, ref, 2, &err));
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    const int h = sizes[k][0], w = sizes[k][1];
    uint8_t *rgb[] = {uneven(h, w, 1), uneven(h, w, 2)};
    const um_mtcnn_picture two[] = {{rgb[0], (int64_t)w * 3, w, h}, {rgb[1], (int64_t)w * 3, w, h}};
    um_mtcnn_boxes want[2] = {{0}};
    OK(um_mtcnn_propose(c, want, two, 2, 14, &err));
    windows += want[0].count;
    for (int way = 0; way < 4; way++) {
      um_mtcnn_rows *rows = NULL;
      um_mtcnn_boxes got[2] = {{0}};
      OK(um_mtcnn_rows_make(&rows, &mtcnn_weights[UM_MTCNN_PNET], 1 + way / 2, way % 2, &err));
      if (!rows) break;
      OK(um_mtcnn_rows_propose(rows, got, two, 2, 14, &err));
      for (int p = 0; p < 2; p++) {
        same_windows(&got[p], &want[p]);
        um_mtcnn_boxes_free(&got[p]);
      }
      um_mtcnn_rows_free(rows);
    }
    for (int p = 0; p < 2; p++) {
      um_mtcnn_boxes_free(&want[p]);
      free(rgb[p]);
    }
  }
  if (windows < 20) fail_msg("%d windows: too few to tell", windows);
  um_mtcnn_context_free(c);
  ref->ops->close(ref);
}

/* A level that is larger than a batch may be goes through the nodes in bands: the same windows as from the fast way, which has none. */
static void levels_in_bands(void **state) {
  enum { H = 2100, W = 1700 };
  um_backend *be = open_backend("cpu");
  um_mtcnn_context *c = NULL;
  um_mtcnn_rows *rows = NULL;
  um_mtcnn_boxes nodes = {0}, fast = {0};
  const um_ops *own = be->ops;
  um_ops table = *own;
  (void)state;
  OK(um_mtcnn_rows_make(&rows, &mtcnn_weights[UM_MTCNN_PNET], 2, true, &err));
  if (!rows) {
    be->ops->close(be);
    skip();
  }
  uint8_t *rgb = uneven(H, W, 3);
  const um_mtcnn_picture picture = {rgb, (int64_t)W * 3, W, H};
  table.name = "nodes"; /* by this name it has no fast way */
  be->ops = &table;
  OK(um_mtcnn_context_make(&c, mtcnn_weights, be, 1, &err));
  OK(um_mtcnn_propose(c, &nodes, &picture, 1, 12, &err));
  OK(um_mtcnn_rows_propose(rows, &fast, &picture, 1, 12, &err));
  assert_true(nodes.count > 100);
  same_windows(&nodes, &fast);
  um_mtcnn_boxes_free(&nodes);
  um_mtcnn_boxes_free(&fast);
  um_mtcnn_rows_free(rows);
  um_mtcnn_context_free(c);
  be->ops = own;
  be->ops->close(be);
  free(rgb);
}

/* What a thread's networks hold for hundreds of crops at a time: their inputs, the weights three times, and the values of 16 crops. By the
 * networks' shapes that is 17 MiB; 64 crops at a time would be 33 more. Every job of extract and infer has its own. */
static void a_worker_is_small(void **state) {
  enum { SIDE = 400, CROPS = 300, MIB = 1 << 20 };
  um_backend *be = NULL;
  um_mtcnn_context *c = NULL;
  uint8_t *rgb = uneven(SIDE, SIDE, 5);
  const um_mtcnn_picture picture = {rgb, (int64_t)SIDE * 3, SIDE, SIDE};
  (void)state;
  OK(um_cpu_open(&be, 1, &err));
  const struct mallinfo2 before = mallinfo2();
  OK(um_mtcnn_context_make(&c, mtcnn_weights, be, 1, &err));
  for (int net = UM_MTCNN_RNET; net <= UM_MTCNN_ONET; net++)
    for (int count = CROPS; count > 0; count /= 2) { /* batches of every size */
      um_mtcnn_boxes found = {0};
      for (int i = 0; i < count; i++) {
        const um_mtcnn_box box = {
            .x1 = (float)(i % 17 * 20), .y1 = (float)(i / 17 * 18), .x2 = (float)(i % 17 * 20 + 50), .y2 = (float)(i / 17 * 18 + 50)};
        OK(um_mtcnn_boxes_add(&found, &box, 1, &err));
      }
      OK(um_mtcnn_judge(c, (um_mtcnn_net)net, &found, &picture, 1, -2, &err));
      assert_int_equal(found.count, count);
      um_mtcnn_boxes_free(&found);
    }
  const struct mallinfo2 after = mallinfo2();
  const double held = ((double)after.uordblks + (double)after.hblkhd - (double)before.uordblks - (double)before.hblkhd) / MIB;
  if (held > 24) fail_msg("%.1f MiB", held);
  um_mtcnn_context_free(c);
  be->ops->close(be);
  free(rgb);
}

/* ---- many callers ---- */

typedef struct caller {
  um_detector *d;
  const uint8_t *rgb;
  um_found found;
  int status;
} caller;

static void *call(void *arg) {
  caller *c = arg;
  um_error err;
  const um_view_of_frame view = {.width = 66, .height = 81, .rgb = c->rgb};
  for (int i = 0; i < 3; i++) {
    if (i) free(c->found.item);
    c->status = c->d->find(c->d, &c->found, &view, 1, &err);
    if (c->status != UM_OK) break;
  }
  return NULL;
}

static void threads_at_once(void **state) {
  enum { CALLERS = 4 };
  uint8_t rgb[81 * 66 * 3];
  int numbers;
  double score = 0, *want = mtcnn_golden(GOLDEN, "found_81x66", &numbers);
  (void)state;
  test_picture(rgb, 81, 66);
  for (int given = 0; given < 2; given++) {
    um_backend *be = given ? open_backend("cpu") : NULL;
    const um_detector_options o = {.name = "mtcnn", .threads = 1, .backend = be};
    um_detector *d = NULL;
    pthread_t thread[CALLERS];
    caller c[CALLERS];
    OK(um_detector_open(&d, &o, &err));
    for (int i = 0; i < CALLERS; i++) {
      c[i] = (caller){.d = d, .rgb = rgb};
      assert_int_equal(pthread_create(&thread[i], NULL, call, &c[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
      pthread_join(thread[i], NULL);
      assert_int_equal(c[i].status, UM_OK);
      assert_true(mtcnn_same_faces("a thread's", &c[i].found, want, numbers, &score) < 0.01 && score < 1e-4);
      free(c[i].found.item);
    }
    um_detector_close(d);
    if (be) be->ops->close(be);
  }
  free(want);
}

/* ---- what is wrong is said ---- */

static void refused(void **state) {
  um_detector_options o = {.name = "mtcnn", .threads = 1, .min_face = 3};
  um_detector *d;
  um_error err = {0};
  um_mtcnn_weights w;
  (void)state;
  assert_int_equal(um_detector_open(&d, &o, &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "min_face"));
  assert_int_equal(um_mtcnn_weights_read(&w, UM_MTCNN_RNET, tmp_path("mtcnn/nets/pnet"), &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "expected 28x3x3x3, got 10x3x3x3"));
  assert_int_equal(um_mtcnn_weights_read(&w, UM_MTCNN_ONET, tmp_path("mtcnn/manifest.json"), &err), UM_EFORMAT);
  assert_null(w.param);
  setenv("UM_WEIGHTS", tmp_path("mtcnn/nowhere"), 1);
  o.min_face = 0;
  assert_int_equal(um_detector_open(&d, &o, &err), UM_EIO);
  assert_non_null(strstr(err.text, "weights fetch"));
  assert_string_equal(um_detector_best(), "haar");
  setenv("UM_WEIGHTS", tmp_path("mtcnn/nets"), 1);
  assert_string_equal(um_detector_best(), "mtcnn");
}

/* Pictures without a window, and a strange shape. */
static void odd_pictures(void **state) {
  static const int sizes[][2] = {{1, 1}, {19, 400}, {20, 20}, {21, 3000}};
  const um_detector_options o = {.name = "mtcnn", .threads = 2};
  um_detector *d = NULL;
  (void)state;
  OK(um_detector_open(&d, &o, &err));
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    const int h = sizes[k][0], w = sizes[k][1];
    uint8_t *rgb = malloc((size_t)(h * w) * 3);
    um_found found;
    memset(rgb, 128, (size_t)(h * w) * 3);
    const um_view_of_frame view = {.width = w, .height = h, .rgb = rgb};
    OK(d->find(d, &found, &view, 1, &err));
    assert_true(found.count < 100);
    free(found.item);
    free(rgb);
  }
  um_detector_close(d);
}

/* ---- real faces ---- */

typedef struct tally {
  int pictures, with_face, faces;
  double distance, score;
} tally;

static void compare(um_detector *d, const um_image *im, const char *name, tally *t) {
  const um_view_of_frame view = {.width = im->width, .height = im->height, .rgb = im->pixels};
  int numbers;
  double *want = mtcnn_golden(GOLDEN_FACES, name, &numbers);
  um_found found;
  OK(d->find(d, &found, &view, 1, &err));
  t->distance = fmax(t->distance, mtcnn_same_faces(name, &found, want, numbers, &t->score));
  t->pictures++, t->with_face += found.count > 0, t->faces += found.count;
  free(found.item);
  free(want);
}

static um_detector *real_detector(void) {
  const um_detector_options o = {.name = "mtcnn", .threads = 2};
  um_detector *d = NULL;
  if (!real || !um_is_folder(DATA "/photos") || !um_is_folder(DATA "/clips")) {
    printf("skipped: %s\n", real ? DATA " is not there" : "the weights of mtcnn are not there; weights fetch mtcnn gets them");
    skip();
  }
  unsetenv("UM_MANIFEST");
  unsetenv("UM_WEIGHTS");
  OK(um_detector_open(&d, &o, &err));
  return d;
}

/* Left, top, width and height of a marked face; how many of the detector's boxes have their centre in one of those. */
static void photos_as_theirs(void **state) {
  static const char *const photos[] = {"2007_007763.jpg", "2008_001009.jpg", "2008_001322.jpg",
                                       "2008_002079.jpg", "astronaut.png",   "dogs.jpg"};
  um_detector *d = real_detector();
  tally t = {0};
  (void)state;
  for (size_t i = 0; i < sizeof photos / sizeof *photos; i++) {
    char path[256];
    um_image im = {0};
    const int before = t.faces;
    snprintf(path, sizeof path, DATA "/photos/%s", photos[i]);
    OK(um_image_read(&im, path, &err));
    compare(d, &im, photos[i], &t);
    if (strcmp(photos[i], "dogs.jpg") == 0) assert_int_equal(t.faces, before);
    um_image_free(&im);
  }
  um_detector_close(d);
  printf("photos: %d faces; boxes and points at most %.2g pixels and scores %.2g from facenet-pytorch's\n", t.faces, t.distance, t.score);
  assert_true(t.distance < 1 && t.score < 1e-3);
}

static const char *const clips[] = {"fake/dfdc_widuwuoiur", "fake/dfdc_yhffcuhhjy", "fake/ffpp_NeuralTextures_004_982",
                                    "fake/uadfv_0017_fake", "real/dfdc_anndvqgoko", "real/ffpp_youtube_004"};

/* Each frame of the clips, as extract sees them by default. */
static void each_frame(void (*use)(const um_image *im, const char *name, void *arg), void *arg) {
  for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
    const um_video_options o = {.fps = 2, .max_size = 1000, .threads = 1};
    char path[256], name[128];
    um_video *v = NULL;
    um_frame frame;
    um_image im = {0};
    um_error end = {0};
    snprintf(path, sizeof path, DATA "/clips/%s.mp4", clips[i]);
    OK(um_video_open(&v, path, &o, &err));
    while (um_video_next(v, &frame, &end) > 0) {
      OK(um_video_rgb(v, &im, &err));
      snprintf(name, sizeof name, "%s_%03d", strchr(clips[i], '/') + 1, (int)frame.number);
      use(&im, name, arg);
    }
    if (end.code) fail_msg("%s", end.text);
    um_image_free(&im);
    um_video_close(v);
  }
}

typedef struct looker {
  um_detector *d;
  tally t;
} looker;

static void look(const um_image *im, const char *name, void *arg) {
  looker *l = arg;
  compare(l->d, im, name, &l->t);
}

static void clips_as_theirs(void **state) {
  looker l = {.d = real_detector()};
  (void)state;
  each_frame(look, &l);
  um_detector_close(l.d);
  printf("clips: %d frames, %d with a face, %d faces; boxes and points at most %.2g pixels and scores %.2g from facenet-pytorch's\n",
         l.t.pictures, l.t.with_face, l.t.faces, l.t.distance, l.t.score);
  assert_int_equal(l.t.pictures, 118);
  assert_int_equal(l.t.with_face, 118);
  assert_true(l.t.distance < 1 && l.t.score < 1e-3);
}

/* For tests/golden/mtcnn.py. */
static void dump(const um_image *im, const char *name, void *arg) {
  char path[4096];
  um_error err = {0};
  snprintf(path, sizeof path, "%s/%s.png", (const char *)arg, name);
  if (um_image_write_png(im, path, &err) != UM_OK) fprintf(stderr, "%s\n", err.text), exit(1);
}

static int setup(void **state) {
  char path[4096];
  um_error err;
  real = um_weights_find_known(path, sizeof path, "facenet/pnet", &err) == UM_OK && um_mtcnn_there();
  return mtcnn_setup(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(areas),
      cmocka_unit_test(pixels_of_boxes),
      cmocka_unit_test(suppression),
      cmocka_unit_test(networks_as_theirs),
      cmocka_unit_test(search_as_theirs),
      cmocka_unit_test(rows_as_the_nodes),
      cmocka_unit_test(levels_in_bands),
      cmocka_unit_test(a_worker_is_small),
      cmocka_unit_test(threads_at_once),
      cmocka_unit_test(refused),
      cmocka_unit_test(odd_pictures),
      cmocka_unit_test(photos_as_theirs),
      cmocka_unit_test(clips_as_theirs),
  };
  char *folder = getenv("UM_DUMP_FRAMES");
  if (folder) {
    each_frame(dump, folder);
    return 0;
  }
  return cmocka_run_group_tests(tests, setup, mtcnn_teardown);
}
