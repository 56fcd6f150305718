/* How fast pictures come out of the loader. Without arguments: the JPEG faces of ../shared/data (or, where they are absent, drawn
 * pictures of the same size) and 150x150 PNG made of them, at 1 and 2 workers, against what a training step uses; then what degradations and
 * self-blending cost a picture, in one thread.
 * With arguments: bench_loader DIR WORKERS SECONDS prints the pictures per second alone, for tests/peers/loader.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "data/blend.h"
#include "data/degrade.h"
#include "data/image.h"
#include "data/loader.h"
#include "tests/support/picture.h"
#include "tests/support/tmp.h"

/* Pictures per second of the VGG16 training step at 150x150 on two threads that issue 2 measured beforehand (Winograd). */
#define STEP_RATE 19.0

enum { SIZE = 150, PICTURES = 400, ROUNDS = 3 };

static void die(const um_error *err) {
  fprintf(stderr, "bench_loader: %s\n", err->text);
  exit(1);
}

/* Pictures per second over at least `seconds`, the first batch, which waits for the threads to start, not counted. */
static double rate(const um_dataset *d, int workers, int64_t cache_bytes, double seconds) {
  static const um_augmentation_config recipe = {.rotation_range = 40,
                                                .width_shift_range = 0.2,
                                                .height_shift_range = 0.2,
                                                .shear_range = 0.2,
                                                .zoom_range = {0.8, 1.2},
                                                .horizontal_flip = true};
  const um_loader_options o = {.batch_size = 10,
                               .height = SIZE,
                               .width = SIZE,
                               .shuffle = true,
                               .augmentation = &recipe,
                               .seed = 1,
                               .workers = workers,
                               .cache_bytes = cache_bytes};
  um_loader *l;
  um_batch *b;
  um_error err;
  int64_t pictures = 0;
  double start = 0, now;
  if (um_loader_open(&l, d, &o, &err) < 0) die(&err);
  /* With a cache the first epoch fills it. */
  for (int first = cache_bytes ? um_loader_batches(l) : 1; first-- > 0; um_loader_return(l, b))
    if (um_loader_next(l, &b, &err) < 0) die(&err);
  start = um_seconds();
  do {
    if (um_loader_next(l, &b, &err) < 0) die(&err);
    pictures += b->n;
    um_loader_return(l, b);
    now = um_seconds();
  } while (now - start < seconds);
  um_loader_close(l);
  return (double)pictures / (now - start);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_rate(const um_dataset *d, const char *what, int workers, int64_t cache_bytes) {
  double r[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) r[i] = rate(d, workers, cache_bytes, 0.5);
  qsort(r, ROUNDS, sizeof *r, by_value);
  printf("loader  %-34s %d worker%s %8.0f images/s, %5.0f times the step's %.0f\n", what, workers, workers == 1 ? " " : "s", r[ROUNDS / 2],
         r[ROUNDS / 2] / STEP_RATE, STEP_RATE);
}

/* Milliseconds of processor time a picture of size x size, the best of some rounds; kind: which degradation, -1 all of them, -2 a blend. */
static double cost(const um_image *im, int size, int kind) {
  enum { TIMES = 50 };
  um_augmentation_config a = {.brightness_range = {0.8, 1.2},
                              .contrast_range = {0.8, 1.2},
                              .saturation_range = {0.8, 1.2},
                              .rgb_shift_range = 10,
                              .blur_sigma = {0.3, 2},
                              .downscale_factor = {0.3, 0.9},
                              .noise_sigma = {1, 10},
                              .jpeg_quality = {30, 95},
                              .cutout_size = {0.1, 0.3},
                              .cutout_count = 1,
                              .downscale_interpolation = UM_BILINEAR};
  double *const probability[] = {&a.color_probability, &a.blur_probability, &a.downscale_probability,
                                 &a.noise_probability, &a.jpeg_probability, &a.cutout_probability};
  size_t bytes = (size_t)size * (size_t)size * 3;
  uint8_t *original = malloc(bytes), *pixels = malloc(bytes);
  um_degrader *d = NULL;
  um_blender *b = NULL;
  um_error err;
  double best = 1e9;
  if (!original || !pixels || um_resize(original, size, size, im, UM_BILINEAR, &err) < 0) exit(1);
  if (um_degrader_open(&d, size, size, &err) < 0 || um_blender_open(&b, size, size, &err) < 0) die(&err);
  for (int k = 0; k < 6; k++) *probability[k] = kind == -1 || kind == k;
  for (int round = 0; round < 9; round++) {
    clock_t start = clock();
    for (uint32_t i = 0; i < TIMES; i++) {
      um_rng at = {.seed = 1, .stream = UM_STREAM_TEST, .sample = i};
      um_blend_draw draw;
      bool guessed;
      memcpy(pixels, original, bytes);
      um_blend_draw_at(&draw, &at);
      if ((kind == -2 ? um_blend(b, pixels, NULL, &draw, &at, &guessed, &err) : um_degrade(d, pixels, &a, &at, &err)) < 0) die(&err);
    }
    double took = (double)(clock() - start) / CLOCKS_PER_SEC / TIMES;
    best = took < best ? took : best;
  }
  um_degrader_close(d);
  um_blender_close(b);
  free(original);
  free(pixels);
  return 1e3 * best;
}

static void print_costs(const um_image *im) {
  static const char *const name[] = {"self-blended", "all of them", "colour", "blur", "downscale", "noise", "JPEG", "cut-out"};
  for (int kind = -2; kind < 6; kind++)
    printf("augment %-34s %6.2f ms a picture of 128x128, %6.2f of 224x224\n", name[kind + 2], cost(im, 128, kind), cost(im, 224, kind));
}

int main(int argc, char **argv) {
  um_dataset faces, png;
  um_error err;
  um_image im = {0}, small = {0};
  const char *shared = getenv("UM_SHARED");
  char dir[4096];
  if (argc == 4) {
    if (um_dataset_open(&faces, argv[1], &err) < 0) die(&err);
    rate(&faces, atoi(argv[2]), 0, 0.2);
    printf("%.1f\n", rate(&faces, atoi(argv[2]), 0, atof(argv[3])));
    um_dataset_free(&faces);
    return 0;
  }
  snprintf(dir, sizeof dir, "%s/faces/train", shared ? shared : "../shared/data");
  bool real = um_is_folder(dir);
  if (!real) {
    if (um_image_alloc(&im, 224, 224, &err) < 0) die(&err);
    for (int i = 0; i < PICTURES; i++) {
      char name[64];
      test_picture(im.pixels, 224, 224);
      for (int k = 0; k < 224 * 224 * 3; k++) im.pixels[k] = (uint8_t)(im.pixels[k] / 4 + i % 64); /* soft, as photographs are */
      snprintf(name, sizeof name, "bench/jpeg/%s/%d.jpg", i % 2 ? "fake" : "real", i);
      if (um_image_write_jpeg(&im, tmp_path(name), 90, &err) < 0) die(&err);
    }
    snprintf(dir, sizeof dir, "%s", tmp_path("bench/jpeg"));
  }
  if (um_dataset_open(&faces, dir, &err) < 0 || um_dataset_limit(&faces, PICTURES / 2, 1, &err) < 0) die(&err);
  if (um_image_alloc(&small, SIZE, SIZE, &err) < 0) die(&err);
  for (int i = 0; i < faces.count; i++) {
    char name[64];
    if (um_image_read(&im, faces.item[i].path, &err) < 0 || um_resize(small.pixels, SIZE, SIZE, &im, UM_BILINEAR, &err) < 0) die(&err);
    snprintf(name, sizeof name, "bench/png/%s/%d.png", faces.item[i].label ? "real" : "fake", i);
    if (um_image_write_png(&small, tmp_path(name), &err) < 0) die(&err);
  }
  if (um_dataset_open(&png, tmp_path("bench/png"), &err) < 0) die(&err);
  for (int workers = 1; workers <= 2; workers++) {
    print_rate(&faces, real ? "224x224 JPEG faces to 150x150" : "224x224 drawn JPEG to 150x150", workers, 0);
    print_rate(&png, "150x150 PNG", workers, 0);
    print_rate(&faces, "from the cache, 150x150", workers, INT64_C(1) << 30);
  }
  print_costs(&im);
  um_dataset_free(&faces);
  um_dataset_free(&png);
  um_image_free(&im);
  um_image_free(&small);
  return 0;
}
