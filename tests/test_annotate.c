/* infer --annotate on drawn clips in grey: whatever has a colour in the copy was drawn by it. Where that must be is worked out here once
 * more from the faces that --json lists; times, sizes and sound are compared with the source's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "data/paint.h"
#include "data/video.h"
#include "tests/support/clip.h"
#include "tests/support/infer_run.h"
#include "tests/support/packets.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

enum { RATE = 30, LINE = 3 };
static const double fps = 4;

static um_calibration band; /* of the models that are written */

/* P(fake) grows with brightness; faces of all people, four times a second, in frames of at most 400 pixels. */
static void write_model(const char *path, float weight, float bias) {
  um_preprocess p = {.target_size = {32, 32}, .rescale = 1 / 255., .faces.detector = "haar", .faces.fps = fps, .faces.max_size = 400};
  const float values[3] = {weight / 3, weight / 3, weight / 3};
  p.faces.choice = UM_FACES_ALL, p.calibration = band;
  snprintf(p.classes[0], sizeof p.classes[0], "real");
  snprintf(p.classes[1], sizeof p.classes[1], "fake");
  infer_save_mean(path, &p, values, bias);
}

/* Somebody who moves to the right and down, and somebody farther away who stays; all of it grows brighter. */
typedef struct story {
  int move;          /* pixels of the middle size in 30 pictures */
  int comes, leaves; /* before and from these pictures on (0: never) nobody is there, and the picture is another one: a cut */
  bool nobody;       /* at all */
  bool lying;        /* the pictures are stored lying on their left side, to be turned by a quarter */
  int frames;
} story;

static void draw_upright(uint8_t *grey, int width, int height, int i, const story *s) {
  const int scale = width / 400;
  const scene_face face[2] = {{(110 + s->move * i / 30) * scale, (130 + s->move * i / 60) * scale, 70 * scale},
                              {330 * scale, 90 * scale, 40 * scale}};
  const bool gone = s->nobody || i < s->comes || (s->leaves && i >= s->leaves);
  scene_draw(grey, width, height, face, gone ? 0 : 2);
  for (int k = 0; k < width * height; k++)
    grey[k] = gone && !s->nobody ? (uint8_t)(k % width < width / 2 ? 250 : 5) : (uint8_t)(grey[k] * (60 + 40 * i / s->frames) / 100);
}

static void draw_story(uint8_t *grey, int width, int height, int i, void *arg) {
  const story *s = arg;
  if (!s->lying) {
    draw_upright(grey, width, height, i, s);
    return;
  }
  uint8_t *upright = malloc((size_t)width * (size_t)height);
  assert_non_null(upright);
  draw_upright(upright, height, width, i, s);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) grey[y * width + x] = upright[x * height + height - 1 - y];
  free(upright);
}

/* One face of --json: when the video shows it, where in the copy. */
typedef struct seen {
  double time_s, box[4], score;
  int track;
} seen;

/* The picture that was looked at for a time of the sampling: FFmpeg's filter fps takes the last one whose time, rounded to its ticks, is
 * not later. */
static double shown(double time_s, const packets *source) {
  double at = 0;
  for (int i = 0; i < source->count; i++)
    if (floor(source->at[i].time_s * fps + .5) <= floor(time_s * fps + .5)) at = source->at[i].time_s;
  return at;
}

static int read_faces(seen *out, const cJSON *result, const packets *source, double scale) {
  const cJSON *d;
  int n = 0;
  cJSON_ArrayForEach(d, infer_get(result, "detail")) {
    assert_true(n < 256);
    seen *s = &out[n++];
    s->time_s = infer_get(d, "shown_s")->valuedouble;
    assert_true(fabs(s->time_s - shown(infer_get(d, "time_s")->valuedouble, source)) < 1e-6);
    s->score = infer_get(d, "score")->valuedouble;
    s->track = (int)infer_get(d, "track")->valuedouble;
    for (int k = 0; k < 4; k++) s->box[k] = scale * cJSON_GetArrayItem(infer_get(d, "box"), k)->valuedouble;
  }
  return n;
}

/* Between two pictures that were looked at: on the line between them. False before the first and after the last. */
static bool between(seen *out, const seen *all, int n, int track, double time_s) {
  const seen *a = NULL, *b = NULL;
  for (int i = 0; i < n; i++) {
    if (all[i].track != track) continue;
    if (all[i].time_s <= time_s + 1e-6) a = &all[i];
    if (all[i].time_s >= time_s - 1e-6 && !b) b = &all[i];
  }
  if (!a || !b) return false;
  const double t = b->time_s > a->time_s ? (time_s - a->time_s) / (b->time_s - a->time_s) : 0;
  *out = *a;
  for (int k = 0; k < 4; k++) out->box[k] += t * (b->box[k] - a->box[k]);
  out->score += t * (b->score - a->score);
  return true;
}

/* 'f', 'r' where a pixel is of the colour of fake or real, 0 where it has none. Chroma is that of 2 x 2 pixels. */
static char colour(const um_image *im, int x, int y) {
  if (x < 0 || y < 0 || x >= im->width || y >= im->height) return 0;
  const uint8_t *p = im->pixels + ((size_t)y * (size_t)im->width + (size_t)x) * 3;
  const int warm = p[0] - p[2];
  return warm > 40 ? 'f' : warm < -40 ? 'r' : 0;
}

/* Where a colour begins from x to the right: -1 nowhere within `far`. */
static int begins(const um_image *im, int x, int y, int far, char which) {
  for (int k = 0; k < far; k++)
    if (colour(im, x + k, y) == which) return x + k;
  return -1;
}

static void check_face(const um_image *im, const seen *s) {
  const char want = s->score > .5 ? 'f' : 'r';
  const int x = (int)lrint(s->box[0]), y = (int)lrint(s->box[1]), w = (int)lrint(s->box[2]), h = (int)lrint(s->box[3]);
  const int row = y + h / 2, column = x + w / 2;
  if (fabs(s->score - .5) < .01) return; /* the colour changes about here */
  const int left = begins(im, x - 12, row, 24, want);
  if (abs(left - x) > 2) fail_msg("left side at %d, expected %d (%g s)", left, x, s->time_s);
  const int right = begins(im, x + w - LINE - 10, row, 24, want);
  if (abs(right - (x + w - LINE)) > 2) fail_msg("right side at %d, expected %d", right, x + w - LINE);
  assert_int_equal(colour(im, column, y + 1), want);
  assert_int_equal(colour(im, column, y + h - 2), want);
  assert_int_equal(colour(im, column, row), 0); /* the face itself stays as it is */
  assert_int_equal(colour(im, x + w / 4, y + h / 3), 0);
  /* Above the box a dark line with the bar in its middle, above that words on the colour. Sizes follow from a capital's height. */
  const double capital = fmax(8, round(im->height * .022)), pad = round(capital * .4);
  const int room = w - 2 * (int)pad, from = x + (int)pad, end = from + (int)lrint(room * s->score), half = from + room / 2;
  const int bar = y - (int)(round(capital * .3) + fmax(5, round(capital * .45)) / 2);
  assert_int_equal(colour(im, x + 2, bar - (int)(capital + pad)), want);
  for (int k = from + 3; k < from + room - 3; k++) {
    if (abs(k - end) < 8 || abs(k - half) < 6) continue; /* where it ends; the threshold's mark */
    if (colour(im, k, bar) != (k < end ? want : 0)) fail_msg("bar of %.3f at %d of %d", s->score, k - from, room);
  }
}

/* The panel with the verdict is in one of the corners. */
static bool corner(const um_image *im, int x, int y) {
  return (x < im->width / 3 || x >= im->width - im->width / 3) && (y < im->height / 5 || y >= im->height - im->height / 5);
}

/* Nothing differs from the source but what lies in a box, above it, or in a corner. */
static void check_rest(const um_image *im, const um_image *plain, const seen *face, int faces) {
  for (int y = 0; y < im->height; y += 3)
    for (int x = 0; x < im->width; x += 3) {
      bool drawn = corner(im, x, y);
      for (int i = 0; i < faces; i++) {
        const double *b = face[i].box;
        drawn |= x > b[0] - 4 && x < b[0] + b[2] + 4 && y > b[1] - 50 && y < b[1] + b[3] + 4;
      }
      if (drawn) continue;
      const size_t at = ((size_t)y * (size_t)im->width + (size_t)x) * 3;
      for (int c = 0; c < 3; c++)
        if (abs(im->pixels[at + c] - plain->pixels[at + c]) > 30) fail_msg("(%d, %d) differs from the source", x, y);
    }
}

typedef struct copy_of {
  const char *model, *video, *out;
  double scale; /* of the copy against the frames that were looked at */
  bool no_sound, rest;
} copy_of;

/* Runs infer; compares times, sizes and sound with the source; looks at every picture of the copy. How many pictures show no box. */
static int check_copy(const copy_of *c) {
  const char *json = tmp_path("annotate/result.json");
  seen all[256];
  packets a, b, sound_a, sound_b;
  assert_int_equal(infer_run("--model %s --quiet --annotate %s --json %s %s 2>%s.txt", c->model, c->out, json, c->video, c->out), 0);
  packets_read(&a, c->video, 'v', 0), packets_read(&b, c->out, 'v', 0);
  packets_read(&sound_a, c->video, 'a', 0), packets_read(&sound_b, c->out, 'a', 0);
  assert_int_equal(b.count, a.count);
  const double late = strstr(c->out, ".mkv") ? 1.1e-3 : 1e-4;
  for (int i = 0; i < a.count; i++) assert_true(fabs(a.at[i].time_s - b.at[i].time_s) < late);
  if (strstr(c->video, ".mp4")) assert_true(fabs(a.length_s - b.length_s) < late);
  if (c->no_sound)
    assert_int_equal(sound_b.count, 0);
  else
    packets_same(&sound_a, &sound_b, late);

  cJSON *root = infer_json(json);
  const int n = read_faces(all, infer_get(root, "results")->child, &a, c->scale);
  um_video *copy, *source;
  um_frame f, g;
  um_image im = {0}, plain = {0};
  um_error err = {0};
  int bare = 0, seen_at = 0, first = 1000, last = -1;
  for (int i = 0; i < n; i++) first = all[i].track < first ? all[i].track : first, last = all[i].track > last ? all[i].track : last;
  assert_int_equal(um_video_open(&copy, c->out, &(um_video_options){0}, &err), UM_OK);
  assert_int_equal(um_video_open(&source, c->video, &(um_video_options){0}, &err), UM_OK);
  while (um_video_next(copy, &f, &err) > 0) {
    seen now[64];
    int there = 0;
    assert_int_equal(um_video_next(source, &g, &err), 1);
    assert_true(f.width == g.width && f.height == g.height);
    assert_int_equal(um_video_rgb(copy, &im, &err), UM_OK);
    assert_int_equal(um_video_rgb(source, &plain, &err), UM_OK);
    for (int track = first; track <= last; track++)
      if (between(&now[there], all, n, track, g.time_s)) check_face(&im, &now[there]), there++;
    bool box = false;
    for (int y = 0; y < im.height && !box; y += 2)
      for (int x = 0; x < im.width && !box; x += 2) box = !corner(&im, x, y) && colour(&im, x, y);
    if (there && c->rest) check_rest(&im, &plain, now, there);
    assert_true(there == 0 || box);
    bare += !box;
    seen_at += there > 0;
  }
  assert_int_equal(um_video_next(source, &g, &err), 0);
  assert_true(n == 0 || seen_at > 7);
  um_video_close(copy), um_video_close(source);
  um_image_free(&im), um_image_free(&plain);
  cJSON_Delete(root);
  packets_free(&a), packets_free(&b), packets_free(&sound_a), packets_free(&sound_b);
  return bare;
}

/* Two people, one of whom moves; they become fake on the way as all grows brighter. The copy is larger than what was looked at. */
static void boxes_and_bars(void **state) {
  const char *video = tmp_path("annotate/people.mp4");
  story s = {.move = 25, .frames = 44};
  const clip c = {.path = video,
                  .width = 800,
                  .height = 600,
                  .frames = 28,
                  .rate = RATE,
                  .sound = "aac",
                  .sound_ms = 1200,
                  .b_frames = 1,
                  .draw = draw_story,
                  .arg = &s};
  const copy_of k = {tmp_path("annotate/m.safetensors"), video, tmp_path("annotate/people-out.mp4"), 2, false, true};
  (void)state;
  write_model(k.model, 20, -9);
  clip_write(&c);
  assert_int_equal(check_copy(&k), 0);
}

/* Pictures of unlike length, stored lying on their side. */
static void turned_and_uneven(void **state) {
  const char *video = tmp_path("annotate/lying.mp4");
  int time[44], at = 0;
  story s = {.move = 20, .lying = true, .frames = 44};
  const clip c = {
      .path = video, .width = 300, .height = 400, .frames = 44, .rate = RATE, .time = time, .turn = 90, .draw = draw_story, .arg = &s};
  const copy_of k = {tmp_path("annotate/m.safetensors"), video, tmp_path("annotate/lying-out.mp4"), 1, false, true};
  (void)state;
  for (int i = 0; i < 44; i++) time[i] = at, at += i % 5 == 2 ? 47 : 17;
  write_model(k.model, 20, -9);
  clip_write(&c);
  assert_int_equal(check_copy(&k), 0);
}

/* Boxes are held for half of the time between two looks, but not into another shot. Looked at are, of 30 pictures a second, those before
 * 0.125 s, 0.375 s, ...: 3, 11, 18, 26, 33. */
static void held_within_a_shot(void **state) {
  static const struct { int comes, leaves, bare; } of[] = {{0, 28, 36 - 28}, {0, 32, 36 - 30}, {24, 0, 24}, {21, 0, 23}};
  (void)state;
  for (int i = 0; i < 4; i++) {
    const char *video = tmp_path("annotate/cut.mp4");
    story s = {.comes = of[i].comes, .leaves = of[i].leaves, .frames = 36};
    const clip c = {.path = video, .width = 400, .height = 300, .frames = 36, .rate = RATE, .draw = draw_story, .arg = &s};
    const copy_of k = {tmp_path("annotate/m.safetensors"), video, tmp_path("annotate/cut-out.mp4"), 1, false, false};
    write_model(k.model, 20, -9);
    clip_write(&c);
    assert_int_equal(check_copy(&k), of[i].bare);
  }
}

/* Sound that MP4 cannot hold is left out, and that is said; .mkv holds it. A clip of nobody has no box and no verdict. */
static void sound_and_nobody(void **state) {
  const char *video = tmp_path("annotate/pcm.avi");
  story s = {.nobody = true, .frames = 20};
  const clip c = {.path = video,
                  .width = 400,
                  .height = 300,
                  .frames = 20,
                  .rate = RATE,
                  .sound = "wmav2",
                  .sound_ms = 700,
                  .draw = draw_story,
                  .arg = &s};
  copy_of k = {tmp_path("annotate/m.safetensors"), video, tmp_path("annotate/pcm-out.mp4"), 1, true, false};
  (void)state;
  write_model(k.model, 20, -9);
  clip_write(&c);
  assert_int_equal(check_copy(&k), 20);
  assert_true(infer_says(k.out, "its sound (wmav2) cannot be in such a file and is left out"));
  k.out = tmp_path("annotate/pcm-out.mkv"), k.no_sound = false;
  assert_int_equal(check_copy(&k), 20);
  assert_false(infer_says(k.out, "left out"));
  /* In a folder the file's kind is ours to choose. */
  const char *folder = tmp_path("annotate/pcm-folder"), *said = tmp_path("annotate/said");
  assert_int_equal(infer_run("--model %s --quiet --annotate %s %s 2>%s.txt", k.model, folder, video, said), 0);
  assert_true(infer_says(said, "MP4 cannot hold its sound (wmav2): the copy is"));
  packets a, b;
  packets_read(&a, video, 'a', 0), packets_read(&b, tmp_path("annotate/pcm-folder/pcm.mkv"), 'a', 0);
  packets_same(&a, &b, 1.1e-3);
  packets_free(&a), packets_free(&b);
}

/* Of several inputs of one name each has a copy of its own; a picture's is a picture. */
static void several(void **state) {
  const char *model = tmp_path("annotate/m.safetensors"), *out = tmp_path("annotate/several");
  story s = {.frames = 16};
  char one[1024], two[1024], still[1024], from[1024];
  um_image im = {0};
  um_error err;
  (void)state;
  write_model(model, 20, -2);
  snprintf(one, sizeof one, "%s", tmp_path("annotate/in/a/clip.mp4")), snprintf(two, sizeof two, "%s", tmp_path("annotate/in/b/clip.mp4"));
  snprintf(still, sizeof still, "%s", tmp_path("annotate/in/still.png"));
  clip_write(&(clip){.path = one, .width = 400, .height = 300, .frames = 16, .rate = 8, .draw = draw_story, .arg = &s});
  clip_write(&(clip){.path = two, .width = 201, .height = 151, .frames = 5, .rate = 8});
  assert_int_equal(um_image_alloc(&im, 800, 600, &err), UM_OK);
  uint8_t *grey = malloc(800 * 600);
  draw_upright(grey, 800, 600, 8, &s);
  for (int i = 0; i < 800 * 600 * 3; i++) im.pixels[i] = grey[i / 3];
  assert_int_equal(um_image_write_png(&im, still, &err), UM_OK);
  snprintf(from, sizeof from, "%s", tmp_path("annotate/in"));
  assert_int_equal(infer_run("--model %s --quiet --annotate %s %s 2>&1", model, out, from), 0);
  assert_int_equal(files_in(out), 3);
  packets p;
  snprintf(from, sizeof from, "%s/clip.mp4", out);
  packets_read(&p, from, 'v', 0);
  assert_int_equal(p.count, 16);
  packets_free(&p);
  snprintf(from, sizeof from, "%s/clip-2.mp4", out);
  packets_read(&p, from, 'v', 0);
  assert_true(p.count == 5 && p.width == 202 && p.height == 152); /* even sizes */
  packets_free(&p);
  snprintf(from, sizeof from, "%s/still.png", out);
  assert_int_equal(um_image_read(&im, from, &err), UM_OK);
  assert_true(im.width == 800 && im.height == 600);
  int coloured = 0, changed = 0;
  for (int y = 130; y < 600; y++)
    for (int x = 0; x < 800; x++) {
      const uint8_t *q = im.pixels + (y * 800 + x) * 3;
      if (q[0] == 0xd5 && q[1] == 0x5e && q[2] == 0x00) coloured++; /* no codec in between: the colour itself */
      changed += q[0] != grey[y * 800 + x];
    }
  assert_true(coloured > 2000 && changed < 800 * 470 / 10);
  free(grey);
  um_image_free(&im);
  /* One picture alone. */
  snprintf(from, sizeof from, "%s", tmp_path("annotate/one.jpg"));
  assert_int_equal(infer_run("--model %s --quiet --annotate %s %s", model, from, still), 0);
  assert_int_equal(um_media_probe(from), UM_MEDIA_IMAGE);
}

/* A picture of 800x600, of a person. */
static void write_still(const char *path) {
  story s = {.frames = 2};
  um_image im = {0};
  um_error err;
  uint8_t *grey = malloc(800 * 600);
  assert_non_null(grey);
  draw_upright(grey, 800, 600, 1, &s);
  assert_int_equal(um_image_alloc(&im, 800, 600, &err), UM_OK);
  for (int i = 0; i < 800 * 600 * 3; i++) im.pixels[i] = grey[i / 3];
  assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
  um_image_free(&im);
  free(grey);
}

/* A picture, which no codec touches: colours and places to the pixel, with a band of uncertainty. */
static void uncertain(void **state) {
  const char *model = tmp_path("annotate/band.safetensors"), *still = tmp_path("annotate/band.png"),
             *out = tmp_path("annotate/band-out.png"), *json = tmp_path("annotate/band.json");
  static const uint8_t colours[3][3] = {{0x00, 0x72, 0xb2}, {0x8a, 0x8a, 0x8a}, {0xd5, 0x5e, 0x00}};
  um_image im = {0};
  um_error err;
  (void)state;
  write_still(still);
  for (int k = 0; k < 3; k++) {
    band = (um_calibration){.band = true, .real_below = 0.25, .fake_above = 0.75};
    write_model(model, 2, (float)(k - 1) * 3 - 1);
    band = (um_calibration){0};
    assert_int_equal(infer_run("--model %s --quiet --annotate %s --json %s %s", model, out, json, still), 0);
    assert_int_equal(um_image_read(&im, out, &err), UM_OK);
    cJSON *root = infer_json(json);
    const cJSON *r = infer_get(root, "results")->child, *d;
    int faces = 0;
    cJSON_ArrayForEach(d, infer_get(r, "detail")) {
      int b[4];
      for (int i = 0; i < 4; i++) b[i] = 2 * cJSON_GetArrayItem(infer_get(d, "box"), i)->valueint;
      const double score = infer_get(d, "score")->valuedouble;
      const int of = score > .75 ? 2 : score < .25 ? 0 : 1, pad = 5, room = b[2] - 2 * pad, bar = b[1] - 4 - 3; /* capitals of 13 pixels */
      for (int i = LINE; i < b[3] - LINE; i++)
        for (int side = 0; side < 2; side++) {
          const int x = b[0] + (side ? b[2] - LINE : 0), y = b[1] + i;
          for (int t = 0; t < LINE; t++) assert_memory_equal(im.pixels + (y * 800 + x + t) * 3, colours[of], 3);
          if (of == 1) continue; /* the picture's own grey may be that */
          assert_memory_not_equal(im.pixels + (y * 800 + x - 2) * 3, colours[of], 3);
          assert_memory_not_equal(im.pixels + (y * 800 + x + LINE + 1) * 3, colours[of], 3);
        }
      const int end = (int)round(room * score);
      for (int x = 0; x < room; x++) {
        const uint8_t *p = im.pixels + (bar * 800 + b[0] + pad + x) * 3;
        const double at = x / (double)(room - 1);
        const bool mark = p[0] == 255 && p[1] == 255 && p[2] == 255;
        if (mark != (x == (int)round((room - 1) * .25) || x == (int)round((room - 1) * .75))) fail_msg("threshold at %g", at);
        if (!mark) assert_int_equal(memcmp(p, colours[of], 3) == 0, x < end);
      }
      faces++;
    }
    assert_int_equal(faces, 2);
    assert_string_equal(infer_get(r, "verdict")->valuestring, k == 0 ? "real" : k == 1 ? "uncertain" : "fake");
    cJSON_Delete(root);
  }
  um_image_free(&im);
}

/* The panel is as wide as its words: of a picture that scores 0.996 they are not those of certainty, "FAKE 1.00". */
static void nearly_certain(void **state) {
  const char *model = tmp_path("annotate/nearly.safetensors"), *still = tmp_path("annotate/nearly.png"),
             *out = tmp_path("annotate/nearly-out.png");
  static const uint8_t fake[3] = {0xd5, 0x5e, 0x00};
  enum { PAD = 7, LETTERS = 16 }; /* with capitals of 13 pixels beside the faces */
  um_image im = {0};
  um_error err;
  int rows = 0;
  const int width = (int)ceil(um_paint_text_width(LETTERS, .17, "Picture: FAKE >0.99") + 2 * PAD);
  (void)state;
  write_still(still);
  write_model(model, 0, 5.52f);
  assert_int_equal(infer_run("--model %s --quiet --annotate %s %s", model, out, still), 0);
  assert_int_equal(um_image_read(&im, out, &err), UM_OK);
  for (int y = 0; y < 600; y++)
    for (int x = 0, run = 0; x < 800; x++) {
      run = memcmp(im.pixels + (y * 800 + x) * 3, fake, 3) ? 0 : run + 1;
      if (x == 799 || memcmp(im.pixels + (y * 800 + x + 1) * 3, fake, 3)) rows += run == width;
    }
  assert_true(rows >= 2 * PAD); /* above its words and below them */
  um_image_free(&im);
}

static void refused(void **state) {
  const char *model = tmp_path("annotate/m.safetensors"), *said = tmp_path("annotate/said");
  char video[1024], still[1024], folder[1024];
  const uint8_t grey[3] = {90, 90, 90};
  (void)state;
  write_model(model, 20, -9);
  snprintf(folder, sizeof folder, "%s", tmp_path("annotate/refused"));
  snprintf(video, sizeof video, "%s", tmp_path("annotate/refused/v.mp4")),
      snprintf(still, sizeof still, "%s", tmp_path("annotate/refused/s.png"));
  clip_write(&(clip){.path = video, .width = 64, .height = 48, .frames = 5, .rate = 5});
  infer_colour(still, grey, 64, 48);
  const struct {
    const char *more, *to, *inputs;
    int status;
    const char *says;
  } of[] = {{"--faces-are-cut", "x.png", still, 2, "nothing is looked for"},
            {"", "x.mp4", folder, 2, "expected a folder"},
            {"", "x.png", video, 2, "expected a name that ends in .mp4"},
            {"", "x.mp4", still, 2, "expected a name that ends in .png"},
            {"", "annotated.txt", video, 2, "expected a name that ends in .mp4, .mov or .mkv, as "},
            {"", "annotated.txt", video, 2, "; a folder of this name is annotated.txt/"},
            {"", "annotated.webm", still, 2, "expected a name that ends in .png or .jpg, as "},
            {"", video, video, 2, "is an input"},
            {"", folder, folder, 2, "is an input"},
            {"", "/nonexistent/x.mp4", video, 1, "cannot write"},
            {"", "/dev/null/below", folder, 1, "cannot make the folder"}};
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    assert_int_equal(infer_run("--model %s --quiet %s --annotate %s %s 2>%s.txt", model, of[i].more, of[i].to, of[i].inputs, said),
                     of[i].status);
    if (!infer_says(said, of[i].says)) fail_msg("expected it to say: %s", of[i].says);
  }
  assert_int_equal(files_in(folder), 2);
  assert_int_equal(access("annotated.txt", F_OK), -1);
  /* A dot makes no file of what is a folder, or is said to be one, or that several go into. */
  const char *const folders[] = {"annotate/said.v2/", "annotate/said.v2", "annotate/.hidden"};
  for (int i = 0; i < 3; i++) {
    char to[1200];
    snprintf(to, sizeof to, "%s%s", tmp_path(folders[i]), i == 0 ? "/" : "");
    assert_int_equal(infer_run("--model %s --quiet --annotate %s %s 2>/dev/null", model, to, video), 0);
    assert_int_equal(files_in(to), 1);
  }
  assert_int_equal(infer_run("--model %s --quiet --annotate %s %s %s 2>/dev/null", model, tmp_path("annotate/both.v2"), still, video), 0);
  assert_int_equal(files_in(tmp_path("annotate/both.v2")), 2);
}

/* A video that breaks off is copied as far as it goes; where there is no room for the copy, or somebody stops, nothing stays. */
static void broken_full_stopped(void **state) {
  const char *model = tmp_path("annotate/m.safetensors"), *whole = tmp_path("annotate/whole.mp4"), *cut = tmp_path("annotate/cut-off.mp4");
  const char *out = tmp_path("annotate/broken/x.mp4"), *folder = tmp_path("annotate/broken"), *said = tmp_path("annotate/said");
  packets a, b;
  char *data;
  size_t size;
  um_error err;
  (void)state;
  write_model(model, 20, -9);
  clip_write(
      &(clip){.path = whole, .width = 400, .height = 300, .frames = 250, .rate = 100, .sound = "aac", .sound_ms = 2500, .faststart = true});
  assert_int_equal(um_file_read(&data, &size, whole, 1 << 26, &err), UM_OK);
  tmp_write(cut, data, size * 6 / 10);
  free(data);
  assert_int_equal(infer_run("--model %s --quiet --annotate %s %s 2>%s.txt", model, out, cut, said), 0);
  packets_read(&a, whole, 'v', 0), packets_read(&b, out, 'v', 0);
  assert_true(b.count > 20 && b.count < a.count);
  for (int i = 0; i < b.count; i++) assert_true(fabs(a.at[i].time_s - b.at[i].time_s) < 1e-4);
  packets_free(&a), packets_free(&b);
  unlink(out);

  const char *bin = getenv("UM_BIN");
  char command[4096];
  snprintf(command, sizeof command, "trap '' XFSZ; ulimit -f 8; exec %s/infer --model %s --quiet --annotate %s %s 2>%s.txt",
           bin ? bin : "bin", model, out, whole, said);
  assert_int_equal(WEXITSTATUS(system(command)), 1);
  assert_int_equal(files_in(folder), 0);

  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    snprintf(command, sizeof command, "%s/infer", bin ? bin : "bin");
    execl(command, "infer", "--model", model, "--quiet", "--annotate", out, whole, (char *)NULL);
    _exit(99);
  }
  for (int i = 0; i < 60000 && files_in(folder) == 0 && waitpid(child, NULL, WNOHANG) == 0; i++) usleep(1000);
  int status;
  kill(child, SIGINT);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 130);
  assert_int_equal(files_in(folder), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(boxes_and_bars),   cmocka_unit_test(turned_and_uneven), cmocka_unit_test(held_within_a_shot),
      cmocka_unit_test(sound_and_nobody), cmocka_unit_test(several),           cmocka_unit_test(uncertain),
      cmocka_unit_test(nearly_certain),   cmocka_unit_test(refused),           cmocka_unit_test(broken_full_stopped)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
