/* Faces of frames: centre, radius and crop as the recipe takes them, inputs with labels and groups, and how many frames of real clips
 * have a face. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/draw.h"
#include "faces/faces.h"
#include "data/sources.h"
#include "tests/support/clip.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

static um_face_finder *finder(const char *detector, um_face_choice choice) {
  um_face_options o = {.threads = 2};
  um_face_finder *f;
  um_error err = {0};
  um_face_settings_recipe(&o.settings);
  snprintf(o.settings.detector, sizeof o.settings.detector, "%s", detector);
  o.settings.choice = choice;
  if (um_face_finder_open(&f, &o, &err) < 0) fail_msg("%s", err.text);
  return f;
}

static um_detector *detector(const char *name) {
  const um_detector_options o = {.name = name, .threads = 2};
  um_detector *d;
  um_error err = {0};
  if (um_detector_open(&d, &o, &err) < 0) fail_msg("%s", err.text);
  return d;
}

/* Faces of a grey picture. */
static um_found look(um_detector *d, const uint8_t *grey, int width, int height, int stride) {
  const um_view_of_frame view = {.width = width, .height = height, .grey = grey, .grey_stride = stride};
  um_found found;
  um_error err = {0};
  if (d->find(d, &found, &view, 1, &err) < 0) fail_msg("%s", err.text);
  return found;
}

/* R's opencv: Point center(cvRound(x + w / 2), cvRound(y + h / 2)), radius = cvRound((w + h) / 4), halves to even. */
static void face_of_a_box(void **state) {
  static const struct {
    um_detection at;
    double margin;
    int x, y, side;
  } cases[] = {
      {{100, 50, 40, 40, .score = 0}, 0, 100, 50, 41},  /* centre 120, 70, radius 20 */
      {{10, 20, 35, 35, .score = 0}, 0, 10, 20, 37},    /* 27.5 -> 28, 37.5 -> 38, 17.5 -> 18 */
      {{11, 21, 37, 37, .score = 0}, 0, 12, 22, 37},    /* 29.5 -> 30, 39.5 -> 40, 18.5 -> 18 */
      {{100, 50, 40, 40, .score = 0}, 0.5, 90, 40, 61}, /* radius 30 */
      {{0, 0, 31, 30, .score = 0}, 0, 1, 0, 31},        /* 15.5 -> 16, 15, 15.25 -> 15 */
      {{100, 50, 40, 40, .score = 0}, -0.5, 110, 60, 21},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    um_face_settings s;
    um_crop c;
    um_face_settings_recipe(&s);
    s.margin = cases[i].margin;
    um_face_crop_place(&c, &cases[i].at, &s);
    if (c.x != cases[i].x || c.y != cases[i].y || c.width != cases[i].side || c.height != cases[i].side)
      fail_msg("case %zu: (%g, %g) %g x %g", i, c.x, c.y, c.width, c.height);
  }
}

static void crops(void **state) {
  um_image frame = {0}, crop = {0};
  um_error err = {0};
  (void)state;
  assert_int_equal(um_image_alloc(&frame, 10, 8, &err), UM_OK);
  for (int y = 0; y < 8; y++)
    for (int x = 0; x < 10; x++)
      for (int c = 0; c < 3; c++) frame.pixels[3 * (10 * y + x) + c] = (uint8_t)(20 * y + 2 * x + c);
  /* Boxes whose recipe squares are (2, 3) 5, (-3, -2) 7, (6, 4) 9, (-50, 30) 3. */
  static const um_detection at[] = {
      {2, 3, 4, 4, .score = 0}, {-3, -2, 6, 6, .score = 0}, {6, 4, 8, 8, .score = 0}, {-50, 30, 2, 2, .score = 0}};
  static const int square[][3] = {{2, 3, 5}, {-3, -2, 7}, {6, 4, 9}, {-50, 30, 3}};
  um_face_settings s;
  um_face_settings_recipe(&s);
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
    assert_int_equal(um_face_crop(&crop, &frame, &at[i], &s, &err), UM_OK);
    assert_int_equal(crop.width, square[i][2]);
    assert_int_equal(crop.height, square[i][2]);
    for (int y = 0; y < crop.height; y++)
      for (int x = 0; x < crop.width; x++) { /* the nearest pixel of the frame */
        int sx = square[i][0] + x, sy = square[i][1] + y;
        sx = sx < 0 ? 0 : sx > 9 ? 9 : sx, sy = sy < 0 ? 0 : sy > 7 ? 7 : sy;
        assert_int_equal(crop.pixels[3 * (crop.width * y + x) + 1], 20 * sy + 2 * sx + 1);
      }
  }
  assert_int_equal(um_face_crop(&crop, &frame, &at[0], (s.size = 32, &s), &err), UM_OK);
  assert_int_equal(crop.width, 32);
  assert_int_equal(crop.pixels[1], 20 * 3 + 2 * 2 + 1); /* the corner stays what it was */
  um_image_free(&frame);
  um_image_free(&crop);
}

static void box_is_dashed(void **state) {
  um_image im = {0};
  um_error err = {0};
  int red = 0;
  (void)state;
  assert_int_equal(um_image_alloc(&im, 60, 50, &err), UM_OK);
  memset(im.pixels, 9, 60 * 50 * 3);
  um_draw_box(&im, 10, 5, 41);
  for (int y = 0; y < 50; y++)
    for (int x = 0; x < 60; x++) {
      const uint8_t *p = im.pixels + 3 * (60 * y + x);
      int dx = x - 10, dy = y - 5;
      bool on_edge = dx >= 0 && dy >= 0 && dx < 41 && dy < 41 && (dx < 2 || dy < 2 || dx > 38 || dy > 38);
      bool is_red = p[0] == 255 && p[1] == 0 && p[2] == 0;
      if (is_red)
        red++, assert_true(on_edge);
      else
        assert_int_equal(p[0], 9);
      if (dy == 0 && dx >= 0 && dx < 41) assert_int_equal(is_red, dx / 8 % 2 == 0 || dx < 2 || dx > 38 ? 1 : 0);
    }
  assert_in_range(red, 120, 200);
  um_draw_box(&im, -20, -20, 300); /* outside is left out */
  um_draw_box(&im, 58, 48, 1);
  um_image_free(&im);
}

static void scene_faces_in_order(void **state) {
  uint8_t *grey = malloc(SCENE_WIDTH * SCENE_HEIGHT);
  um_error err = {0};
  um_face_settings s;
  (void)state;
  um_face_settings_recipe(&s);
  scene_draw(grey, SCENE_WIDTH, SCENE_HEIGHT, scene_faces, 3);
  um_detector *d = detector("haar");
  um_found found = look(d, grey, SCENE_WIDTH, SCENE_HEIGHT, SCENE_WIDTH);
  assert_int_equal(found.count, 3);
  for (int i = 0; i < 3; i++) { /* largest first, as the scene lists them; what OpenCV finds is in test_haar */
    um_crop c;
    um_face_crop_place(&c, &found.item[i], &s);
    int cx = (int)(c.x + c.width / 2), cy = (int)(c.y + c.height / 2);
    assert_in_range(cx + 20 - scene_faces[i].x, 0, 40);
    assert_in_range(cy + 20 - scene_faces[i].y, 0, 40);
  }
  free(found.item);
  um_detector_close(d);
  d = detector("haar-strict");
  found = look(d, grey, SCENE_WIDTH, SCENE_HEIGHT, SCENE_WIDTH);
  assert_true(found.count >= 1 && found.item[0].width > 148);
  free(found.item);
  um_detector_close(d);
  const um_detector_options bad = {.name = "lbp"};
  assert_int_equal(um_detector_open(&d, &bad, &err), UM_ECONFIG);
  free(grey);
}

static const um_source *find(const um_sources *s, const char *path) {
  for (int i = 0; i < s->count; i++)
    if (strstr(s->item[i].path, path)) return &s->item[i];
  fail_msg("%s is not among the inputs", path);
  return NULL;
}

static void inputs_labels_groups(void **state) {
  static const char *const files[] = {"in/fake/a b.mp4",
                                      "in/real/a b.mp4",
                                      "in/real/deep/er/004.mp4",
                                      "in/FAKE/004_982.mp4",
                                      "in/other/ffpp_Deepfakes_123_456.MOV",
                                      "in/other/ffpp_youtube_123.mkv",
                                      "in/other/notes.txt",
                                      "in/other/.hidden.mp4",
                                      "in/other/trip_2019.mp4"};
  static const char json[] = "{\"trip_2019.mp4\": {\"label\": \"FAKE\", \"original\": \"home.mp4\"}, \"004.mp4\": {\"label\": \"REAL\"}}";
  um_sources s;
  um_error err = {0};
  (void)state;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) tmp_write(tmp_path(files[i]), "x", 1);
  const char *input[] = {tmp_path("in"), tmp_path("in/other/trip_2019.mp4"), "/nowhere/none.mp4"};
  assert_int_equal(um_sources_collect(&s, input, 3, &err), UM_OK);
  assert_int_equal(s.count, 8); /* the one that was given twice is there once; a file that is not there stays, to be named later */
  assert_string_equal(s.item[0].name, "004_982"); /* FAKE sorts before fake */
  um_sources_label_folders(&s);
  assert_int_equal(find(&s, "fake/a b")->label, 0);
  assert_int_equal(find(&s, "real/a b")->label, 1);
  assert_int_equal(find(&s, "FAKE/004_982")->label, 0);
  assert_int_equal(find(&s, "er/004.mp4")->label, 1);
  assert_int_equal(find(&s, "trip")->label, -1);
  assert_string_equal(find(&s, "fake/a b")->name, "a_b");
  assert_string_equal(find(&s, "real/a b")->name, "a_b-2");
  assert_string_equal(find(&s, "FAKE/004_982")->group, "ffpp_004");
  assert_string_equal(find(&s, "er/004.mp4")->group, "ffpp_004");
  assert_string_equal(find(&s, "Deepfakes_123_456")->group, "ffpp_119"); /* 119 and 123 are a pair */
  assert_string_equal(find(&s, "youtube_123")->group, "ffpp_119");
  assert_string_equal(find(&s, "trip")->group, "trip_2019");
  tmp_write(tmp_path("in/metadata.json"), json, sizeof json - 1);
  assert_int_equal(um_sources_label_metadata(&s, tmp_path("in/metadata.json"), &err), UM_OK);
  assert_int_equal(find(&s, "trip")->label, 0);
  assert_string_equal(find(&s, "trip")->group, "home");
  um_sources_free(&s);
  static const char *const bad[] = {"", "[1]", "{\"a b.mp4\": {\"label\": \"MAYBE\"}}", "{\"a b.mp4\": 7}", "{\"a b.mp4\":"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(um_sources_collect(&s, input, 1, &err), UM_OK);
    tmp_write(tmp_path("in/metadata.json"), bad[i], strlen(bad[i]));
    assert_int_equal(um_sources_label_metadata(&s, tmp_path("in/metadata.json"), &err), UM_EFORMAT);
    um_sources_free(&s);
  }
}

typedef struct tally {
  int frames, found, luma_boxes, same;
} tally;

/* Largest distance of a side. */
static double apart(const um_detection *a, const um_detection *b) {
  const double d[4] = {fabs(a->x - b->x), fabs(a->y - b->y), fabs(a->width - b->width), fabs(a->height - b->height)};
  double most = 0;
  for (int i = 0; i < 4; i++) most = d[i] > most ? d[i] : most;
  return most;
}

/* A frame by its luma and by way of its colours: RGB, then OpenCV's grey. */
static void luma_and_grey(tally *t, um_detector *d, const um_frame *frame, um_video *v) {
  um_image im = {0};
  um_error err = {0};
  if (um_video_rgb(v, &im, &err) < 0) fail_msg("%s", err.text);
  uint8_t *grey = malloc((size_t)frame->width * (size_t)frame->height);
  for (int i = 0; i < frame->width * frame->height; i++)
    grey[i] = (uint8_t)((im.pixels[3 * i] * 9798u + im.pixels[3 * i + 1] * 19235u + im.pixels[3 * i + 2] * 3735u + 16384u) >> 15);
  um_found luma = look(d, frame->grey, frame->width, frame->height, frame->grey_stride);
  um_found colour = look(d, grey, frame->width, frame->height, frame->width);
  if (luma.count > 0) {
    double nearest = 1e9;
    for (int k = 0; k < colour.count; k++) nearest = fmin(nearest, apart(&luma.item[0], &colour.item[k]));
    t->luma_boxes++;
    t->same += nearest <= luma.item[0].width / 10;
  }
  free(luma.item), free(colour.item), free(grey);
  um_image_free(&im);
}

static int on_frame(void *arg, const um_face_frame *frame, um_error *err) {
  tally *t = arg;
  (void)err;
  assert_true((frame->image != NULL) == (frame->count > 0));
  t->frames++;
  t->found += frame->count > 0;
  return UM_OK;
}

static void real_clips_have_faces(void **state) {
  static const char *const names[] = {"fake/dfdc_widuwuoiur.mp4", "fake/dfdc_yhffcuhhjy.mp4", "fake/ffpp_NeuralTextures_004_982.mp4",
                                      "fake/uadfv_0017_fake.mp4", "real/dfdc_anndvqgoko.mp4", "real/ffpp_youtube_004.mp4"};
  const char *shared = getenv("UM_SHARED");
  const um_video_options o = {.fps = 2, .max_size = 1000, .threads = 2};
  tally t = {0};
  (void)state;
  um_face_finder *f = finder("haar", UM_FACES_LARGEST);
  um_detector *strict = detector("haar-strict");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[4096];
    um_error err = {0};
    um_video *v;
    um_frame frame;
    snprintf(path, sizeof path, "%s/data/clips/%s", shared ? shared : "../shared", names[i]);
    if (!um_is_file(path)) continue;
    if (um_faces_walk(f, path, on_frame, &t, NULL, NULL, NULL, &err) < 0) fail_msg("%s", err.text);
    if (um_video_open(&v, path, &o, &err) < 0) fail_msg("%s", err.text);
    while (um_video_next(v, &frame, &err) > 0)
      if (frame.number % 8 == 0) luma_and_grey(&t, strict, &frame, v);
    um_video_close(v);
  }
  um_face_finder_close(f);
  um_detector_close(strict);
  if (t.frames == 0) {
    print_message("skipped: faces of real clips, ../shared/data is not here\n");
    skip();
  }
  print_message("%d frames, a face in %d (%.1f %%); largest face on luma and on grey of RGB within a tenth of its width: %d of %d\n",
                t.frames, t.found, 100. * t.found / t.frames, t.same, t.luma_boxes);
  assert_int_equal(t.frames, 118); /* as ffmpeg -vf fps=2 gives */
  assert_true(t.found >= 0.97 * t.frames);
  assert_true(t.same >= 0.9 * t.luma_boxes);
}

/* Three drawn people, frame by frame of a video of 2 a second: a bit each, the largest first. */
enum { FRAMES = 9 };
typedef struct cast {
  int seen[FRAMES];
  int other_from; /* from this frame on another place is shown */
} cast;

static void draw_cast(uint8_t *grey, int width, int height, int i, void *arg) {
  const cast *c = arg;
  scene_face face[3];
  int n = 0;
  for (int k = 0; k < 3; k++)
    if (c->seen[i] >> k & 1) face[n++] = scene_faces[k];
  scene_draw(grey, width, height, face, n);
  if (i >= c->other_from)
    for (int k = 0; k < width * height; k++) grey[k] = (uint8_t)(k % width < width / 3 ? 20 : k / width < height / 2 ? 235 : 60);
}

/* The bits of each frame's faces that are handed out and, after the walk, kept. */
typedef struct seen {
  int who[4 * FRAMES], frame[4 * FRAMES], track[4 * FRAMES], count;
} seen;

static int note_faces(void *arg, const um_face_frame *frame, um_error *err) {
  seen *s = arg;
  (void)err;
  for (int i = 0; i < frame->count; i++) {
    const um_detection *d = &frame->face[i].at;
    int who = -1;
    for (int k = 0; k < 3; k++)
      if (hypot(d->x + d->width / 2 - scene_faces[k].x, d->y + d->height / 2 - scene_faces[k].y) < 20) who = k;
    assert_in_range(s->count, 0, 4 * FRAMES - 1);
    s->who[s->count] = who, s->frame[s->count] = (int)frame->number, s->track[s->count++] = frame->face[i].track;
  }
  return UM_OK;
}

/* kept[frame]: bits of the faces that were kept. */
static um_face_report people(int kept[FRAMES], const cast *c, const char *name, um_face_choice choice) {
  const char *path = tmp_path("cast.mp4");
  cast copy = *c;
  um_tracks tracks = {0};
  um_face_report report, again;
  um_error err = {0};
  const clip video = {
      .path = path, .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = FRAMES, .rate = 2, .draw = draw_cast, .arg = &copy};
  clip_write(&video);
  um_face_options o = {.threads = 2};
  um_face_finder *f;
  um_face_settings_recipe(&o.settings);
  snprintf(o.settings.detector, sizeof o.settings.detector, "%s", name);
  o.settings.choice = choice, o.settings.max_size = 0;
  if (um_face_finder_open(&f, &o, &err) < 0) fail_msg("%s", err.text);
  seen s = {0};
  for (int k = 0; k < 2; k++) { /* a second walk fills the same tracks anew */
    s.count = 0;
    if (um_faces_walk(f, path, note_faces, &s, NULL, &tracks, &report, &err) < 0) fail_msg("%s", err.text);
  }
  if (um_faces_walk(f, path, on_frame, &(tally){0}, NULL, NULL, &again, &err) < 0) fail_msg("%s", err.text);
  assert_memory_equal(&again, &report, sizeof report);
  um_face_finder_close(f);
  memset(kept, 0, FRAMES * sizeof *kept);
  int64_t handed_out = 0, fates = 0;
  for (int i = 0; i < s.count; i++)
    if (um_track_kept(&tracks, s.track[i])) kept[s.frame[i]] |= s.who[i] < 0 ? 8 : 1 << s.who[i];
  for (int i = 0; i < tracks.count; i++) handed_out += tracks.item[i].handed_out;
  for (int i = 0; i < UM_FATES; i++) fates += report.fate[i];
  assert_int_equal(report.frames, FRAMES);
  assert_int_equal(report.faces, s.count);
  assert_int_equal(handed_out, s.count);
  assert_int_equal(fates, s.count);
  um_tracks_free(&tracks);
  return report;
}

static void same_bits(const int *kept, const int *wanted) {
  for (int i = 0; i < FRAMES; i++)
    if (kept[i] != wanted[i]) fail_msg("frame %d: %d, expected %d", i, kept[i], wanted[i]);
}

static void people_of_a_video(void **state) {
  /* The largest turns away at 2 s, the second is always there, the third shows up once. */
  static const cast three = {{3, 3, 3, 7, 2, 3, 3, 3, 3}, FRAMES};
  int kept[FRAMES];
  char text[200];
  (void)state;
  um_face_report r = people(kept, &three, "haar", UM_FACES_ALL);
  same_bits(kept, (int[]){3, 3, 3, 3, 2, 3, 3, 3, 3});
  assert_int_equal(r.fate[UM_KEPT], 17);
  assert_int_equal(r.fate[UM_ONE_FRAME], 1);
  assert_int_equal(r.people, 2);
  assert_int_equal(r.cuts, 0);
  assert_int_equal(r.not_largest, 0);
  um_face_report_text(text, sizeof text, &r);
  assert_string_equal(text, "17 faces of 2 people kept, 1 dropped: 1 seen in one frame only");
  r = people(kept, &three, "haar", UM_FACES_MAIN);
  same_bits(kept, (int[]){2, 2, 2, 2, 2, 2, 2, 2, 2});
  assert_int_equal(r.fate[UM_NOT_MAIN], 8);
  um_face_report_text(text, sizeof text, &r);
  assert_string_equal(text, "9 faces of 1 person kept, 9 dropped: 1 seen in one frame only, 8 not the main person");
  um_face_report_text(text, 20, &r);
  assert_string_equal(text, "9 faces of 1 person");
  r = people(kept, &three, "haar", UM_FACES_LARGEST);
  same_bits(kept, (int[]){1, 1, 1, 1, 2, 1, 1, 1, 1});
  assert_int_equal(r.fate[UM_KEPT], 9);
  assert_int_equal(r.not_largest, 9);
  assert_int_equal(r.people, 2);
}

/* As the recipe has it nothing is dropped; elsewhere a patch is, but for one that is alone in its shot. */
static void nothing_is_dropped_of_the_recipe(void **state) {
  static const cast patch = {{1, 1, 1, 2, 1, 1, 1, 1, 1}, FRAMES}, other_place = {{1, 1, 1, 1, 1, 1, 0, 0, 0}, 6},
                    alone = {{1, 0, 0, 0, 0, 0, 0, 0, 0}, 1};
  int kept[FRAMES];
  (void)state;
  um_face_report r = people(kept, &patch, "haar", UM_FACES_LARGEST);
  same_bits(kept, (int[]){1, 1, 1, 0, 1, 1, 1, 1, 1});
  assert_int_equal(r.fate[UM_ONE_FRAME], 1);
  r = people(kept, &patch, "haar-strict", UM_FACES_LARGEST);
  same_bits(kept, patch.seen);
  r = people(kept, &patch, "haar-strict", UM_FACES_ALL);
  same_bits(kept, (int[]){1, 1, 1, 0, 1, 1, 1, 1, 1});
  r = people(kept, &other_place, "haar", UM_FACES_ALL);
  same_bits(kept, other_place.seen);
  assert_int_equal(r.cuts, 1);
  assert_int_equal(r.frames_without_face, 3);
  r = people(kept, &alone, "haar", UM_FACES_MAIN);
  same_bits(kept, alone.seen);
}

/* A still has no other frame: all its faces are kept, or with MAIN the largest. */
static void people_of_a_picture(void **state) {
  const char *path = tmp_path("still.png");
  um_image im = {0};
  um_tracks tracks = {0};
  um_face_report r;
  um_error err = {0};
  uint8_t *grey = malloc(SCENE_WIDTH * SCENE_HEIGHT);
  (void)state;
  scene_draw(grey, SCENE_WIDTH, SCENE_HEIGHT, scene_faces, 3);
  assert_int_equal(um_image_alloc(&im, SCENE_WIDTH, SCENE_HEIGHT, &err), UM_OK);
  for (int i = 0; i < SCENE_WIDTH * SCENE_HEIGHT; i++) memset(im.pixels + 3 * i, grey[i], 3);
  if (um_image_write_png(&im, path, &err) < 0) fail_msg("%s", err.text);
  for (int choice = UM_FACES_LARGEST; choice <= UM_FACES_MAIN; choice++) {
    seen s = {0};
    um_face_options o = {.threads = 1};
    um_face_finder *f;
    um_face_settings_recipe(&o.settings);
    o.settings.choice = (um_face_choice)choice, o.settings.max_size = 0, o.settings.align = true;
    if (um_face_finder_open(&f, &o, &err) < 0) fail_msg("%s", err.text);
    if (um_faces_walk(f, path, note_faces, &s, NULL, &tracks, &r, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(s.count, choice == UM_FACES_LARGEST ? 1 : 3);
    for (int i = 0; i < s.count; i++) assert_int_equal(um_track_kept(&tracks, s.track[i]), choice != UM_FACES_MAIN || s.who[i] == 0);
    assert_int_equal(r.without_points, s.count); /* haar has none, so that they are cut upright */
    assert_int_equal(r.fate[UM_ONE_FRAME], 0);
    um_face_finder_close(f);
  }
  um_tracks_free(&tracks);
  um_image_free(&im);
  free(grey);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(people_of_a_video),
      cmocka_unit_test(nothing_is_dropped_of_the_recipe),
      cmocka_unit_test(people_of_a_picture),
      cmocka_unit_test(face_of_a_box),
      cmocka_unit_test(crops),
      cmocka_unit_test(box_is_dashed),
      cmocka_unit_test(scene_faces_in_order),
      cmocka_unit_test(inputs_labels_groups),
      cmocka_unit_test(real_clips_have_faces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
