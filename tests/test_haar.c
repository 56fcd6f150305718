/* The Haar detector against OpenCV 4.6 (tests/golden/haar.py, haar.txt), hit by hit. With --dump DIR instead of testing: writes the
 * grey planes of the real pictures that the fixture is made from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "faces/haar_internal.h"
#include "data/video.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

#define FIXTURE "tests/golden/haar.txt"
#define EVERY   8 /* frames of a clip at 2 a second that the fixture holds */

/* A line of the fixture: words. */
typedef struct line {
  char text[4096];
  char *word[512];
  int words;
} line;

static bool next_line(FILE *f, line *l) {
  do
    if (!fgets(l->text, sizeof l->text, f)) return false;
  while (l->text[0] == '#');
  l->words = 0;
  for (char *w = strtok(l->text, " \n"); w && l->words < 512; w = strtok(NULL, " \n")) l->word[l->words++] = w;
  return l->words > 0;
}

static int num(const line *l, int i) { return i < l->words ? (int)strtol(l->word[i], NULL, 10) : -1; }
static uint32_t sum_of(const line *l, int i) { return (uint32_t)strtoul(l->word[i], NULL, 10); }

/* CRC-32 as in zlib (polynomial 0xedb88320). */
static uint32_t crc32_of(uint32_t crc, const void *data, size_t n) {
  const uint8_t *p = data;
  crc = ~crc;
  for (size_t i = 0; i < n; i++) {
    crc ^= p[i];
    for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ (0xedb88320u & -(crc & 1));
  }
  return ~crc;
}

static int by_xywh(const void *pa, const void *pb) {
  const um_box *a = pa, *b = pb;
  int order[4] = {a->x - b->x, a->y - b->y, a->width - b->width, a->height - b->height};
  for (int i = 0; i < 4; i++)
    if (order[i]) return order[i];
  return 0;
}

static uint32_t crc_of_boxes(um_box *box, int n) {
  uint32_t crc = 0;
  if (n > 0) qsort(box, (size_t)n, sizeof *box, by_xywh);
  for (int i = 0; i < n; i++) {
    int32_t v[4] = {box[i].x, box[i].y, box[i].width, box[i].height};
    crc = crc32_of(crc, v, sizeof v); /* little-endian machines */
  }
  return crc;
}

static um_haar *load(const char *name) {
  char path[4096];
  um_haar *h = NULL;
  um_error err = {0};
  if (um_haar_find(path, sizeof path, name, &err) < 0) {
    /* OpenCV 4.10 gave this one another name. */
    const bool plate = !strcmp(name, "haarcascade_licence_plate_rus_16stages.xml");
    if (!plate || um_haar_find(path, sizeof path, "haarcascade_license_plate_rus_16stages.xml", &err) < 0) fail_msg("%s", err.text);
  }
  if (um_haar_load(&h, path, &err) < 0) fail_msg("%s", err.text);
  return h;
}

static um_box *detect(haar_row *row, const um_haar *h, const uint8_t *grey, int width, int height, int neighbours, int small, int threads,
                      int *n) {
  um_haar_options o = {.scale_factor = 1.1, .min_neighbours = neighbours, .min_size = small, .equalize = true, .threads = threads};
  um_box *box;
  um_error err = {0};
  if (haar_detect_with(row, h, grey, width, height, width, &o, &box, n, &err) < 0) fail_msg("%s", err.text);
  return box;
}

/* Raw hits and boxes as the fixture's line says from word `at` on; the number of boxes. */
static int compare(const line *l, int at, const um_haar *h, const uint8_t *grey, int width, int height, int small) {
  int n;
  um_box *box = detect(haar_row_best(), h, grey, width, height, 0, small, 2, &n);
  if (n != num(l, at) || (n > 0 && crc_of_boxes(box, n) != sum_of(l, at + 1)))
    fail_msg("%s %s: %d raw hits, OpenCV has %d (or others)", l->word[0], l->word[1], n, num(l, at));
  n = haar_group(box, n, 2);
  if (n > 0) qsort(box, (size_t)n, sizeof *box, by_xywh);
  assert_int_equal(n, num(l, at + 2));
  for (int i = 0; i < n; i++) {
    int k = at + 3 + 4 * i;
    if (box[i].x != num(l, k) || box[i].y != num(l, k + 1) || box[i].width != num(l, k + 2) || box[i].height != num(l, k + 3))
      fail_msg("%s %s: box %d differs", l->word[0], l->word[1], i);
  }
  free(box);
  return n;
}

static uint8_t *scene(void) {
  uint8_t *grey = malloc(SCENE_WIDTH * SCENE_HEIGHT);
  assert_non_null(grey);
  scene_draw(grey, SCENE_WIDTH, SCENE_HEIGHT, scene_faces, 3);
  return grey;
}

static FILE *fixture(void) {
  FILE *f = fopen(FIXTURE, "r");
  assert_non_null(f);
  return f;
}

static void pictures_as_opencv(void **state) {
  uint8_t *grey = scene(), *equal = malloc(SCENE_WIDTH * SCENE_HEIGHT), flat[30 * 40], flat_out[30 * 40];
  int seen = 0;
  line l;
  FILE *f = fixture();
  (void)state;
  while (next_line(f, &l)) {
    if (strcmp(l.word[0], "scene") == 0) {
      assert_int_equal(crc32_of(0, grey, SCENE_WIDTH * SCENE_HEIGHT), sum_of(&l, 3));
    } else if (strcmp(l.word[0], "equalized") == 0) {
      haar_equalize(equal, grey, SCENE_WIDTH, SCENE_HEIGHT, SCENE_WIDTH);
      assert_int_equal(crc32_of(0, equal, SCENE_WIDTH * SCENE_HEIGHT), sum_of(&l, 1));
    } else if (strcmp(l.word[0], "flat") == 0) {
      memset(flat, 77, sizeof flat);
      haar_equalize(flat_out, flat, 40, 30, 40);
      assert_int_equal(crc32_of(0, flat_out, sizeof flat_out), sum_of(&l, 1));
    } else {
      continue;
    }
    seen++;
  }
  fclose(f);
  free(grey);
  free(equal);
  assert_int_equal(seen, 3);
}

/* Resized and summed up in one go, in both layouts of memory, as cv::resize(INTER_LINEAR_EXACT) and cv::integral do one by one. */
static void integrals_as_opencv(void **state) {
  uint8_t *grey = scene();
  int seen = 0;
  line l;
  FILE *f = fixture();
  (void)state;
  while (next_line(f, &l)) {
    if (strcmp(l.word[0], "integral") != 0) continue;
    int width = num(&l, 1), height = num(&l, 2);
    haar_tap *x = malloc((size_t)width * sizeof *x), *y = malloc((size_t)height * sizeof *y);
    void *scratch = malloc(haar_integrate_scratch(SCENE_WIDTH, width));
    haar_taps(x, width, SCENE_WIDTH);
    haar_taps(y, height, SCENE_HEIGHT);
    for (int step = 1; step <= 2; step++) {
      haar_plane p = {.step = step, .half = (width + 2) / 2, .stride = width + 70};
      size_t count = (size_t)p.stride * (size_t)(height + 1);
      int32_t *plane[3];
      for (int k = 0; k < 3; k++) plane[k] = malloc(count * sizeof **plane), memset(plane[k], 0x5a, count * sizeof **plane);
      p.sum = plane[0], p.square = plane[1], p.tilted = plane[2];
      haar_integrate(&p, grey, SCENE_WIDTH, SCENE_WIDTH, x, width, y, 0, height, scratch);
      for (int k = 0; k < 3; k++) {
        uint32_t crc = 0;
        for (int row = 0; row <= height; row++)
          for (int column = 0; column <= width; column++) {
            int at = row * p.stride + (step == 2 ? (column & 1) * p.half + (column >> 1) : column);
            crc = crc32_of(crc, &plane[k][at], 4);
          }
        if (crc != sum_of(&l, 4 + k)) fail_msg("%dx%d, step %d: sums of kind %d differ", width, height, step, k);
        free(plane[k]);
      }
    }
    free(x), free(y), free(scratch);
    seen++;
  }
  fclose(f);
  free(grey);
  assert_int_equal(seen, 7);
}

static void every_cascade_as_opencv(void **state) {
  uint8_t *grey = scene();
  int seen = 0, faces = 0;
  line l;
  FILE *f = fixture();
  (void)state;
  while (next_line(f, &l)) {
    if (strcmp(l.word[0], "cascade") != 0) continue;
    um_haar *h = load(l.word[1]);
    int n = compare(&l, 2, h, grey, SCENE_WIDTH, SCENE_HEIGHT, 1);
    if (strcmp(l.word[1], "haarcascade_frontalface_alt.xml") == 0) faces = n;
    um_haar_free(h);
    seen++;
  }
  fclose(f);
  free(grey);
  assert_int_equal(seen, 17);
  assert_int_equal(faces, 3);
}

/* Every set of instructions finds what the plain function finds: stumps, trees, tilted features; odd widths; any threads. */
static void variants_agree(void **state) {
  static const char *const names[] = {"haarcascade_frontalface_alt.xml", "haarcascade_frontalface_alt2.xml",
                                      "haarcascade_righteye_2splits.xml", "haarcascade_smile.xml", "haarcascade_eye_tree_eyeglasses.xml"};
  static const int sizes[][2] = {{400, 300}, {157, 83}, {36, 31}, {20, 20}};
  uint8_t *grey = scene();
  int tried = 0;
  (void)state;
  for (size_t c = 0; c < sizeof names / sizeof *names; c++) {
    um_haar *h = load(names[c]);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      int width = sizes[s][0], height = sizes[s][1], n, m;
      uint8_t *part = malloc((size_t)width * (size_t)height);
      for (int y = 0; y < height; y++)
        memcpy(part + y * width, grey + (SCENE_HEIGHT - height) / 2 * SCENE_WIDTH + y * SCENE_WIDTH + (SCENE_WIDTH - width) / 2,
               (size_t)width);
      um_box *plain = detect(haar_row_plain, h, part, width, height, 0, 1, 1, &n);
      uint32_t crc = crc_of_boxes(plain, n);
      haar_row *row;
      const char *name;
      for (int v = 0; (row = haar_row_variant(v, &name)); v++) {
        um_box *box = detect(row, h, part, width, height, 0, 1, 1 + v, &m);
        if (m != n || crc_of_boxes(box, m) != crc) fail_msg("%s, %dx%d: %s finds %d, plain %d", names[c], width, height, name, m, n);
        free(box);
        tried++;
      }
      free(plain);
      free(part);
    }
    um_haar_free(h);
  }
  free(grey);
  assert_true(tried >= 20);
}

static void groups_as_opencv(void **state) {
  int seen = 0;
  line l;
  FILE *f = fixture();
  (void)state;
  while (next_line(f, &l)) {
    if (strcmp(l.word[0], "group") != 0) continue;
    uint32_t random = (uint32_t)num(&l, 1);
    int n = 40 * num(&l, 1);
    assert_in_range(n, 40, 320);
    um_box *box = calloc(320, sizeof *box);
    for (int i = 0; i < n; i++) {
      int v[4];
      for (int k = 0; k < 4; k++) v[k] = (int)((random = random * 1664525u + 1013904223u) >> 16);
      int k = v[0] % 7, size = 30 + 17 * k + v[1] % 9;
      box[i] = (um_box){40 * k + v[2] % 23, 25 * k + v[3] % 19, size, size, 1};
    }
    n = haar_group(box, n, 2);
    qsort(box, (size_t)n, sizeof *box, by_xywh);
    assert_int_equal(n, num(&l, 2));
    for (int i = 0; i < n; i++) {
      int k = 3 + 5 * i;
      assert_int_equal(box[i].x, num(&l, k));
      assert_int_equal(box[i].y, num(&l, k + 1));
      assert_int_equal(box[i].width, num(&l, k + 2));
      assert_int_equal(box[i].height, num(&l, k + 3));
      assert_int_equal((int)box[i].score, num(&l, k + 4));
    }
    free(box);
    seen++;
  }
  fclose(f);
  assert_int_equal(seen, 8);
}

/* The cascade in the older XML, written from the loaded one: the same hits as OpenCV has on its own conversion. */
static void older_format(void **state) {
  const char *path = tmp_path("haar/old.xml");
  um_haar *h = load("haarcascade_frontalface_alt2.xml"), *old;
  um_error err = {0};
  FILE *f = fopen(path, "w");
  (void)state;
  assert_non_null(f);
  fprintf(f, "<?xml version=\"1.0\"?>\n<opencv_storage><old type_id=\"opencv-haar-classifier\"><size>%d %d</size><stages>\n", h->width,
          h->height);
  for (int s = 0; s < h->stages; s++) {
    fprintf(f, "<_><trees>");
    for (int t = 0; t < h->stage[s].trees; t++) {
      const haar_tree *tree = &h->tree[h->stage[s].tree + t];
      fprintf(f, "<_>");
      for (int i = 0; i < tree->nodes; i++) {
        const haar_node *n = &h->node[tree->node + i];
        const haar_feature *feature = &h->feature[n->feature];
        fprintf(f, "<_><feature><rects>");
        for (int r = 0; r < HAAR_RECTS && feature->rect[r].weight != 0; r++)
          fprintf(f, "<_>%d %d %d %d %.9g</_>", feature->rect[r].x, feature->rect[r].y, feature->rect[r].width, feature->rect[r].height,
                  (double)feature->rect[r].weight);
        fprintf(f, "</rects><tilted>%d</tilted></feature><threshold>%.9g</threshold>", feature->tilted, (double)n->threshold);
        for (int side = 0; side < 2; side++) {
          int c = side ? n->right : n->left;
          const char *word = side ? "right" : "left";
          if (c > 0)
            fprintf(f, "<%s_node>%d</%s_node>", word, c, word);
          else
            fprintf(f, "<%s_val>%.9g</%s_val>", word, (double)h->leaf[tree->leaf - c], word);
        }
        fprintf(f, "</_>");
      }
      fprintf(f, "</_>\n");
    }
    fprintf(f, "</trees><stage_threshold>%.12g</stage_threshold><parent>-1</parent><next>-1</next></_>\n",
            (double)h->stage[s].threshold + 1e-5);
  }
  fprintf(f, "</stages></old></opencv_storage>\n");
  fclose(f);
  if (um_haar_load(&old, path, &err) < 0) fail_msg("%s", err.text);
  uint8_t *grey = scene();
  int seen = 0;
  line l;
  f = fixture();
  while (next_line(f, &l))
    if (strcmp(l.word[0], "old") == 0) compare(&l, 2, old, grey, SCENE_WIDTH, SCENE_HEIGHT, 1), seen++;
  fclose(f);
  free(grey);
  um_haar_free(h);
  um_haar_free(old);
  assert_int_equal(seen, 1);
}

static void expect_refused(const char *text, size_t size, int code, const char *says) {
  um_haar h;
  um_error err = {0};
  int r = haar_parse(&h, text, size, "x.xml", &err);
  if (r != code || !strstr(err.text, says)) fail_msg("expected %d \"%s\", got %d \"%s\"", code, says, r, err.text);
  haar_clear(&h);
}

#define CASCADE(width, stage, nodes, leaves, rect)                                                                                         \
  "<opencv_storage><cascade type_id=\"opencv-cascade-classifier\"><stageType>BOOST</stageType><featureType>HAAR</featureType><height>20"   \
  "</height><width>" width "</width><stages><_><stageThreshold>" stage "</stageThreshold><weakClassifiers><_><internalNodes>" nodes        \
  "</internalNodes><leafValues>" leaves "</leafValues></_></weakClassifiers></_></stages><features><_><rects><_>" rect                     \
  "</_></rects></_></features></cascade></opencv_storage>"
#define REFUSE(text, code, says) expect_refused(text, strlen(text), code, says)

static void bad_cascades(void **state) {
  char path[4096], *text;
  size_t size;
  um_haar h, *loaded;
  um_error err = {0};
  (void)state;
  const char *good = CASCADE("20", "0.5", "0 -1 0 0.1", "1 2", "1 1 4 4 -1.");
  assert_int_equal(haar_parse(&h, good, strlen(good), "x.xml", &err), UM_OK);
  haar_clear(&h);
  REFUSE("", UM_EFORMAT, "not a cascade");
  REFUSE("hello", UM_EFORMAT, "not a cascade");
  REFUSE("<opencv_storage></opencv_storage>", UM_EFORMAT, "not a cascade");
  REFUSE("<svg><a/></svg>", UM_EFORMAT, "not a cascade");
  REFUSE(CASCADE("2000000000", "0.5", "0 -1 0 0.1", "1 2", "1 1 4 4 -1."), UM_EFORMAT, "width, height");
  REFUSE(CASCADE("20", "nan", "0 -1 0 0.1", "1 2", "1 1 4 4 -1."), UM_EFORMAT, "stageThreshold");
  REFUSE(CASCADE("20", "0.5", "0 -1 7 0.1", "1 2", "1 1 4 4 -1."), UM_EFORMAT, "a feature that is not there");
  REFUSE(CASCADE("20", "0.5", "0 -9 0 0.1", "1 2", "1 1 4 4 -1."), UM_EFORMAT, "a child that is not there");
  REFUSE(CASCADE("20", "0.5", "0 1 0 0.1 0 1 0 0.1", "1 2 3", "1 1 4 4 -1."), UM_EFORMAT, "a child that is not there");
  REFUSE(CASCADE("20", "0.5", "0 -1 0", "1 2", "1 1 4 4 -1."), UM_EFORMAT, "internalNodes");
  REFUSE(CASCADE("20", "0.5", "0 -1 0 0.1", "1", "1 1 4 4 -1."), UM_EFORMAT, "leafValues");
  REFUSE(CASCADE("20", "0.5", "0 -1 0 0.1", "1 2", "18 1 4 4 -1."), UM_EFORMAT, "rectangle outside");
  REFUSE(CASCADE("20", "0.5", "0 -1 0 0.1", "1 2", "-1 1 4 4 -1."), UM_EFORMAT, "rectangle outside");
  REFUSE(CASCADE("20", "0.5", "0 -1 0 0.1", "1 2", "1 1 4 x -1."), UM_EFORMAT, "five numbers");
  /* Local binary patterns are refused by name. */
  if (um_is_file("/usr/share/opencv4/lbpcascades/lbpcascade_frontalface.xml")) {
    assert_int_equal(um_haar_load(&loaded, "/usr/share/opencv4/lbpcascades/lbpcascade_frontalface.xml", &err), UM_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "LBP"));
  }
  /* A real one cut anywhere is refused, not read past its end. */
  assert_int_equal(um_haar_find(path, sizeof path, "haarcascade_eye.xml", &err), UM_OK);
  assert_int_equal(um_file_read(&text, &size, path, 1 << 24, &err), UM_OK);
  for (size_t cut = 1; cut < size; cut += size / 13) {
    char *part = malloc(cut);
    memcpy(part, text, cut);
    assert_true(haar_parse(&h, part, cut, "cut.xml", &err) < 0);
    free(part);
  }
  free(text);
  assert_int_equal(um_haar_load(&loaded, tmp_path("haar/none.xml"), &err), UM_EIO);
  assert_int_equal(um_haar_find(path, sizeof path, "no_such_cascade.xml", &err), UM_EIO);
  assert_non_null(strstr(err.text, "opencv-data"));
}

static void odd_pictures(void **state) {
  um_haar *h = load("haarcascade_frontalface_alt.xml");
  um_haar_options o = {.scale_factor = 1.1, .min_neighbours = 2, .min_size = 30, .equalize = true, .threads = 3};
  uint8_t *grey = calloc(1, 70000), pixel = 9;
  um_box *box;
  um_error err = {0};
  int n = -1;
  (void)state;
  assert_int_equal(um_haar_detect(h, &pixel, 1, 1, 1, &o, &box, &n, &err), UM_OK);
  assert_int_equal(n, 0);
  assert_null(box);
  assert_int_equal(um_haar_detect(h, grey, 70000, 1, 70000, &o, &box, &n, &err), UM_EFORMAT);
  assert_int_equal(um_haar_detect(h, grey, 200, 300, 200, &o, &box, &n, &err), UM_OK); /* all black */
  assert_int_equal(n, 0);
  o.scale_factor = 1;
  assert_int_equal(um_haar_detect(h, grey, 200, 300, 200, &o, &box, &n, &err), UM_ECONFIG);
  um_haar_free(h);
  free(grey);
}

/* Calls back for each real picture and every EVERY-th frame of the clips; the number of them, 0 where there is no shared data. */
typedef void (*on_grey)(void *arg, const char *name, const um_frame *frame);

static int each_real_picture(on_grey call, void *arg) {
  static const char *const names[] = {
      "photos/2007_007763.jpg",         "photos/2008_001009.jpg",         "photos/2008_001322.jpg",
      "photos/2008_002079.jpg",         "photos/astronaut.png",           "photos/dogs.jpg",
      "clips/fake/dfdc_widuwuoiur.mp4", "clips/fake/dfdc_yhffcuhhjy.mp4", "clips/fake/ffpp_NeuralTextures_004_982.mp4",
      "clips/fake/uadfv_0017_fake.mp4", "clips/real/dfdc_anndvqgoko.mp4", "clips/real/ffpp_youtube_004.mp4"};
  const char *shared = getenv("UM_SHARED");
  int seen = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[4096];
    um_video *v;
    um_error err = {0};
    um_frame f;
    um_video_options o = {.fps = 2, .max_size = 1000};
    snprintf(path, sizeof path, "%s/data/%s", shared ? shared : "../shared", names[i]);
    if (!um_is_file(path)) continue;
    if (um_video_open(&v, path, &o, &err) < 0) fail_msg("%s", err.text);
    while (um_video_next(v, &f, &err) > 0)
      if (f.number % EVERY == 0) call(arg, strrchr(names[i], '/') + 1, &f), seen++;
    um_video_close(v);
  }
  return seen;
}

typedef struct real {
  um_haar *cascade;
  int boxes, equal, near, extra, other_pixels;
} real;

static void compare_real(void *arg, const char *name, const um_frame *frame) {
  real *r = arg;
  uint8_t *grey = malloc((size_t)frame->width * (size_t)frame->height);
  int n;
  bool seen = false;
  line l;
  FILE *f = fixture();
  for (int y = 0; y < frame->height; y++)
    memcpy(grey + (size_t)y * (size_t)frame->width, frame->grey + (size_t)y * (size_t)frame->grey_stride, (size_t)frame->width);
  while (!seen && next_line(f, &l))
    seen = strcmp(l.word[0], "frame") == 0 && strcmp(l.word[1], name) == 0 && num(&l, 2) == (int)frame->number;
  fclose(f);
  if (!seen) fail_msg("%s %lld: not in the fixture", name, (long long)frame->number);
  if (crc32_of(0, grey, (size_t)frame->width * (size_t)frame->height) != sum_of(&l, 5)) {
    r->other_pixels++; /* another FFmpeg's decoder or scaler */
    free(grey);
    return;
  }
  um_box *box = detect(haar_row_best(), r->cascade, grey, frame->width, frame->height, 2, 30, 2, &n);
  int wanted = num(&l, 8);
  r->boxes += wanted;
  r->extra += n > wanted ? n - wanted : 0;
  for (int k = 0; k < wanted; k++) {
    int far = 1 << 20;
    for (int i = 0; i < n; i++) {
      int d[4] = {abs(box[i].x - num(&l, 9 + 4 * k)), abs(box[i].y - num(&l, 10 + 4 * k)), abs(box[i].width - num(&l, 11 + 4 * k)),
                  abs(box[i].height - num(&l, 12 + 4 * k))};
      int most = 0;
      for (int j = 0; j < 4; j++) most = d[j] > most ? d[j] : most;
      far = most < far ? most : far;
    }
    r->near += far <= 2;
    r->equal += far == 0;
  }
  free(box);
  free(grey);
}

static void real_pictures_as_opencv(void **state) {
  real r = {.cascade = load("haarcascade_frontalface_alt.xml")};
  (void)state;
  int seen = each_real_picture(compare_real, &r);
  um_haar_free(r.cascade);
  if (seen == 0) {
    print_message("skipped: boxes on real pictures, ../shared/data is not here\n");
    skip();
  }
  print_message("%d pictures: %d boxes of OpenCV, %d equal, %d within 2 px, %d extra; %d pictures with other pixels than the fixture's\n",
                seen, r.boxes, r.equal, r.near, r.extra, r.other_pixels);
  if (r.other_pixels == seen) {
    print_message("skipped: boxes on real pictures, this FFmpeg decodes them to other pixels than the fixture's\n");
    skip();
  }
  assert_true(r.boxes > 0);
  assert_true(r.near >= 0.99 * r.boxes);
  assert_int_equal(r.extra, 0);
}

static void dump(void *arg, const char *name, const um_frame *frame) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s@%06lld.pgm", (const char *)arg, name, (long long)frame->number);
  FILE *f = fopen(path, "wb");
  if (!f) return;
  fprintf(f, "P5\n%d %d\n255\n", frame->width, frame->height);
  for (int y = 0; y < frame->height; y++) fwrite(frame->grey + (size_t)y * (size_t)frame->grey_stride, 1, (size_t)frame->width, f);
  fclose(f);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--dump") == 0) return each_real_picture(dump, argv[2]) == 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_as_opencv), cmocka_unit_test(integrals_as_opencv), cmocka_unit_test(every_cascade_as_opencv),
      cmocka_unit_test(variants_agree),     cmocka_unit_test(groups_as_opencv),    cmocka_unit_test(older_format),
      cmocka_unit_test(bad_cascades),       cmocka_unit_test(odd_pictures),        cmocka_unit_test(real_pictures_as_opencv),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
