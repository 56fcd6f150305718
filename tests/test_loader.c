/* The loader: what it gives out must follow from the dataset, the seed and the place in the run, and from nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/rng.h"
#include "data/blend.h"
#include "data/degrade.h"
#include "data/image.h"
#include "data/loader.h"
#include "tests/support/picture.h"
#include "tests/support/tmp.h"

enum { PICTURES = 23, H = 20, W = 26, PIXELS = H * W * 3 };

static um_dataset dataset;
static const um_augmentation_config recipe = {.rotation_range = 40,
                                              .width_shift_range = 0.2,
                                              .height_shift_range = 0.2,
                                              .shear_range = 0.2,
                                              .zoom_range = {0.8, 1.2},
                                              .horizontal_flip = true};

/* Pictures of many sizes, some of them of the target's. */
static int make_dataset(void **state) {
  um_error err;
  um_image im = {0};
  (void)state;
  for (int i = 0; i < PICTURES; i++) {
    char name[64];
    int height = i % 5 ? 11 + 3 * i : H, width = i % 5 ? 60 - 2 * i : W;
    if (um_image_alloc(&im, width, height, &err) < 0) return -1;
    test_picture(im.pixels, height, width);
    for (size_t k = 0; k < (size_t)width * (size_t)height * 3; k++) im.pixels[k] = (uint8_t)(im.pixels[k] + i);
    snprintf(name, sizeof name, "loader/%s/%02d.%s", i % 3 ? "real" : "fake", i, i % 2 ? "png" : "jpg");
    int status = i % 2 ? um_image_write_png(&im, tmp_path(name), &err) : um_image_write_jpeg(&im, tmp_path(name), 90, &err);
    if (status < 0) return -1;
  }
  um_image_free(&im);
  return um_dataset_open(&dataset, tmp_path("loader"), &err);
}

static int free_dataset(void **state) {
  (void)state;
  um_dataset_free(&dataset);
  return 0;
}

static um_loader_options options(void) { return (um_loader_options){.batch_size = 5, .height = H, .width = W, .workers = 2, .epochs = 1}; }

static um_loader *open_loader(const um_dataset *d, const um_loader_options *o) {
  um_loader *l;
  um_error err;
  if (um_loader_open(&l, d, o, &err) < 0) fail_msg("%s", err.text);
  return l;
}

static um_batch *next(um_loader *l) {
  um_batch *b;
  um_error err;
  if (um_loader_next(l, &b, &err) < 0) fail_msg("%s", err.text);
  return b;
}

static void gives_the_pictures(void **state) {
  (void)state;
  for (int how = UM_NEAREST; how <= UM_BILINEAR; how++) {
    um_loader_options o = options();
    o.interpolation = (um_interpolation)how;
    um_loader *l = open_loader(&dataset, &o);
    um_image im = {0};
    um_error err;
    int seen = 0, batches = 0;
    assert_int_equal(um_loader_batches(l), 5); /* ceil(23 / 5) */
    for (um_batch *b; (b = next(l)); um_loader_return(l, b), batches++) {
      assert_int_equal(b->epoch, 0);
      assert_int_equal(b->index, batches);
      assert_int_equal(b->n, batches == 4 ? 3 : 5);
      for (int i = 0; i < b->n; i++, seen++) {
        uint8_t expected[PIXELS];
        assert_int_equal(b->item[i], seen);
        assert_true(b->label[i] == (float)dataset.item[seen].label);
        assert_true(b->weight[i] == 1);
        assert_true(b->sample[i].identity);
        assert_false(b->sample[i].flip_horizontal);
        assert_int_equal(um_image_read(&im, dataset.item[seen].path, &err), UM_OK);
        assert_int_equal(um_resize(expected, H, W, &im, (um_interpolation)how, &err), UM_OK);
        assert_memory_equal(b->pixels + i * PIXELS, expected, PIXELS);
      }
    }
    assert_int_equal(seen, PICTURES);
    assert_null(next(l)); /* and stays at the end */
    um_loader_close(l);
    um_image_free(&im);
  }
}

/* All that a run gives out from a place on, as one hash a batch (FNV-1a). */
static int trace(uint64_t *hash, int room, const um_dataset *d, const um_loader_options *o) {
  um_loader *l = open_loader(d, o);
  int n = 0;
  for (um_batch *b; (b = next(l)); um_loader_return(l, b), n++) {
    assert_true(n < room);
    const struct {
      const void *at;
      size_t size;
    } part[] = {{b->pixels, (size_t)b->n * PIXELS},
                {b->label, (size_t)b->n * sizeof *b->label},
                {b->weight, (size_t)b->n * sizeof *b->weight},
                {b->item, (size_t)b->n * sizeof *b->item},
                {&b->epoch, sizeof b->epoch},
                {&b->index, sizeof b->index}};
    uint64_t h = 14695981039346656037u;
    for (size_t p = 0; p < sizeof part / sizeof *part; p++)
      for (size_t i = 0; i < part[p].size; i++) h = (h ^ ((const uint8_t *)part[p].at)[i]) * 1099511628211u;
    for (int i = 0; i < b->n; i++) { /* not the padding of the struct */
      uint8_t bytes[sizeof b->sample[i].m];
      memcpy(bytes, b->sample[i].m, sizeof bytes);
      for (size_t k = 0; k < sizeof bytes; k++) h = (h ^ bytes[k]) * 1099511628211u;
      h = (h ^ (unsigned)(b->sample[i].identity | b->sample[i].flip_horizontal << 1 | b->sample[i].flip_vertical << 2)) * 1099511628211u;
    }
    hash[n] = h;
  }
  um_loader_close(l);
  return n;
}

static um_loader_options training(void) {
  um_loader_options o = options();
  o.shuffle = true;
  o.augmentation = &recipe;
  o.seed = 42;
  o.epochs = 4;
  return o;
}

static void same_with_any_workers(void **state) {
  static const struct {
    int workers, batches;
    int64_t cache;
  } ways[] = {{2, 4, 0}, {5, 2, 0}, {16, 3, 0}, {1, 1, 0}, {3, 1, 10 * PIXELS}, {4, 7, 1 << 20}, {0, 0, 5 * PIXELS + 1}};
  uint64_t expected[20], got[20];
  um_loader_options o = training();
  (void)state;
  o.workers = 1;
  assert_int_equal(trace(expected, 20, &dataset, &o), 20);
  for (int i = 0; i < 20; i++)
    for (int k = 0; k < i; k++) assert_true(expected[i] != expected[k]);
  for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
    o.workers = ways[w].workers;
    o.batches = ways[w].batches;
    o.cache_bytes = ways[w].cache;
    assert_int_equal(trace(got, 20, &dataset, &o), 20);
    assert_memory_equal(got, expected, sizeof expected);
  }
}

/* From any batch of any epoch on, the rest of the run is the same. */
static void resumes(void **state) {
  uint64_t expected[20], got[20];
  um_loader_options o = training();
  (void)state;
  assert_int_equal(trace(expected, 20, &dataset, &o), 20);
  for (int at = 0; at <= 20; at += at % 3 + 1) {
    o.first_epoch = at / 5;
    o.first_batch = at % 5;
    assert_int_equal(trace(got, 20, &dataset, &o), 20 - at);
    assert_memory_equal(got, expected + at, (size_t)(20 - at) * sizeof *got);
  }
  o.first_epoch = 1; /* after the last batch of epoch 1 is before the first one of epoch 2 */
  o.first_batch = 5;
  assert_int_equal(trace(got, 20, &dataset, &o), 10);
  assert_memory_equal(got, expected + 10, 10 * sizeof *got);
}

/* Orders and draws are those of their addresses. */
static void addresses(void **state) {
  um_loader_options o = training();
  (void)state;
  o.first_epoch = 2;
  o.epochs = 4;
  o.augmentation = &recipe;
  um_loader *l = open_loader(&dataset, &o);
  for (int epoch = 2; epoch < 4; epoch++) {
    const um_rng order_at = {.seed = 42, .stream = UM_STREAM_SHUFFLE, .epoch = (uint32_t)epoch};
    uint32_t order[PICTURES];
    for (uint32_t i = 0; i < PICTURES; i++) order[i] = i;
    um_rng_shuffle(&order_at, order, PICTURES);
    for (int k = 0, seen = 0; k < 5; k++) {
      um_batch *b = next(l);
      assert_non_null(b);
      assert_int_equal(b->epoch, epoch);
      for (int i = 0; i < b->n; i++, seen++) {
        const um_rng at = {.seed = 42, .stream = UM_STREAM_AUGMENT, .epoch = (uint32_t)epoch, .sample = order[seen]};
        um_transform t;
        um_warp_sample s;
        assert_int_equal(b->item[i], order[seen]);
        um_transform_draw(&t, &at, &recipe, H, W);
        um_transform_matrix(&s, &t, UM_KERAS2, H, W);
        assert_memory_equal(s.m, b->sample[i].m, sizeof s.m);
        assert_int_equal(s.flip_horizontal, b->sample[i].flip_horizontal);
      }
      um_loader_return(l, b);
    }
  }
  assert_null(next(l));
  um_loader_close(l);
}

/* The dataset with some of its files replaced by bad ones. */
static void spoil(um_dataset *d, const int *bad, int n) {
  um_error err;
  assert_int_equal(um_dataset_open(d, tmp_path("loader"), &err), UM_OK);
  for (int i = 0; i < n; i++) {
    char name[64], *data;
    size_t size;
    assert_int_equal(um_file_read(&data, &size, d->item[bad[i]].path, 1 << 20, &err), UM_OK);
    snprintf(name, sizeof name, "spoiled/%d", i);
    const char *path = tmp_path(name);
    switch (i % 4) {
    case 0: tmp_write(path, data, size / 2); break;
    case 1: tmp_write(path, "no picture", 10); break;
    case 2: tmp_write(path, "", 0); break;
    default: path = "/nonexistent/picture.png";
    }
    free(data);
    free(d->item[bad[i]].path);
    d->item[bad[i]].path = strdup(path);
  }
}

static void leaves_out_the_unreadable(void **state) {
  /* Of batches 0 1 2 3 4: one; none; all; the first and the last; the last of the short one. */
  static const int bad[] = {3, 10, 11, 12, 13, 14, 15, 19, 22}, left[] = {4, 5, 0, 3, 2};
  enum { BAD = sizeof bad / sizeof *bad };
  um_dataset d;
  (void)state;
  spoil(&d, bad, BAD);
  for (int workers = 1; workers <= 4; workers++) {
    um_loader_options o = options();
    um_loader_stats stats;
    um_image im = {0};
    um_error err;
    o.workers = workers;
    o.epochs = 3;
    um_loader *l = open_loader(&d, &o);
    for (int k = 0; k < 15; k++) {
      um_batch *b = next(l);
      assert_non_null(b);
      assert_int_equal(b->n, left[k % 5]);
      for (int i = 0; i < b->n; i++) {
        uint8_t expected[PIXELS];
        if (i) assert_true(b->item[i] > b->item[i - 1]);
        for (int j = 0; j < BAD; j++) assert_int_not_equal(b->item[i], bad[j]);
        assert_true(b->label[i] == (float)d.item[b->item[i]].label);
        assert_int_equal(um_image_read(&im, d.item[b->item[i]].path, &err), UM_OK);
        assert_int_equal(um_resize(expected, H, W, &im, UM_NEAREST, &err), UM_OK);
        assert_memory_equal(b->pixels + i * PIXELS, expected, PIXELS);
      }
      um_loader_return(l, b);
    }
    assert_null(next(l));
    um_loader_stats_of(l, &stats);
    assert_int_equal(stats.skipped, BAD);
    assert_int_equal(stats.decoded, 3 * (PICTURES - BAD));
    int found = 0;
    for (int i = 0; i < BAD; i++) {
      int item = -1;
      const char *reason = um_loader_skipped(l, i, &item);
      assert_non_null(reason);
      for (int j = 0; j < BAD; j++) found += bad[j] == item;
      assert_non_null(strstr(reason, d.item[item].path)); /* names the file */
    }
    assert_int_equal(found, BAD);
    assert_null(um_loader_skipped(l, BAD, &found));
    um_loader_close(l);
    um_image_free(&im);
  }
  um_dataset_free(&d);
}

/* The draws of a picture do not depend on its place in the batch: what is left out moves nothing else. */
static void skips_move_no_draws(void **state) {
  static const int bad[] = {0, 7};
  um_loader_options o = training();
  um_dataset d;
  (void)state;
  o.epochs = 1;
  spoil(&d, bad, 2);
  um_loader *whole = open_loader(&dataset, &o), *less = open_loader(&d, &o);
  for (int k = 0; k < 5; k++) {
    um_batch *a = next(whole), *b = next(less);
    int j = 0;
    for (int i = 0; i < a->n; i++) {
      if (a->item[i] == bad[0] || a->item[i] == bad[1]) continue;
      assert_true(j < b->n);
      assert_int_equal(b->item[j], a->item[i]);
      assert_memory_equal(b->sample[j].m, a->sample[i].m, sizeof a->sample[i].m);
      assert_memory_equal(b->pixels + j * PIXELS, a->pixels + i * PIXELS, PIXELS);
      j++;
    }
    assert_int_equal(j, b->n);
    um_loader_return(whole, a);
    um_loader_return(less, b);
  }
  um_loader_close(whole);
  um_loader_close(less);
  um_dataset_free(&d);
}

static void caches(void **state) {
  um_loader_options o = options();
  um_loader_stats stats;
  (void)state;
  o.epochs = 4;
  o.batches = 1; /* so that no epoch begins before the last one ends */
  for (int kept = 0; kept <= PICTURES + 5; kept += 7) {
    o.cache_bytes = (int64_t)kept * PIXELS + PIXELS / 2;
    um_loader *l = open_loader(&dataset, &o);
    for (um_batch *b; (b = next(l));) um_loader_return(l, b);
    um_loader_stats_of(l, &stats);
    int expected = kept < PICTURES ? kept : PICTURES;
    assert_int_equal(stats.cached, 3 * expected);
    assert_int_equal(stats.decoded, 4 * PICTURES - 3 * expected);
    assert_true(stats.wait_seconds >= 0);
    um_loader_close(l);
  }
}

/* Everything that can be switched on, each in half of the samples. */
static um_augmentation_config everything(void) {
  um_augmentation_config a = recipe;
  a.color_probability = a.blur_probability = a.downscale_probability = 0.5;
  a.noise_probability = a.jpeg_probability = a.cutout_probability = 0.5;
  a.brightness_range[0] = a.contrast_range[0] = a.saturation_range[0] = 0.8;
  a.brightness_range[1] = a.contrast_range[1] = a.saturation_range[1] = 1.2;
  a.rgb_shift_range = 20;
  a.blur_sigma[0] = 0.3, a.blur_sigma[1] = 2;
  a.downscale_factor[0] = 0.3, a.downscale_factor[1] = 0.9;
  a.noise_sigma[0] = 1, a.noise_sigma[1] = 10;
  a.jpeg_quality[0] = 30, a.jpeg_quality[1] = 95;
  a.cutout_count = 1;
  a.cutout_size[0] = 0.1, a.cutout_size[1] = 0.3;
  return a;
}

/* The dataset with a twin of every second real item; some of them know where the face is. */
static void make_twins(um_dataset *d) {
  um_error err;
  assert_int_equal(um_dataset_open(d, tmp_path("loader"), &err), UM_OK);
  for (int i = 0; i < d->count; i += 3) {
    d->item[i].has_points = true;
    um_outline_guess(d->item[i].points, 20, 60); /* of pictures that are all near that size */
  }
  assert_int_equal(um_dataset_add_blends(d, 0.5, 7, &err), UM_OK);
  assert_int_equal(d->count, PICTURES + 8); /* half of 15 */
}

/* Changed pictures, blends, balance and weights: the same whatever the workers and the cache, and from any batch on. */
static void all_of_it_is_deterministic(void **state) {
  static const struct {
    int workers, batches;
    int64_t cache;
  } ways[] = {{2, 4, 0}, {5, 2, 3 * PIXELS}, {16, 3, 1 << 20}, {1, 1, 10 * PIXELS}};
  static const float weight[2] = {0.75f, 1.5f};
  enum { EPOCH = 7, BATCHES = 3 * EPOCH }; /* 8 + 8 fakes, 15 reals: 32 draws */
  uint64_t expected[BATCHES], got[BATCHES];
  const um_augmentation_config all = everything();
  um_loader_options o = training();
  um_dataset d;
  (void)state;
  make_twins(&d);
  o.augmentation = &all;
  o.balanced = true;
  o.class_weight = weight;
  o.epochs = 3;
  o.workers = 1;
  assert_int_equal(trace(expected, BATCHES, &d, &o), BATCHES);
  for (int i = 0; i < BATCHES; i++)
    for (int k = 0; k < i; k++) assert_true(expected[i] != expected[k]);
  for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
    um_loader_options way = o;
    way.workers = ways[w].workers;
    way.batches = ways[w].batches;
    way.cache_bytes = ways[w].cache;
    assert_int_equal(trace(got, BATCHES, &d, &way), BATCHES);
    assert_memory_equal(got, expected, sizeof expected);
    for (int at = 1; at < BATCHES; at += 4) {
      way.first_epoch = at / EPOCH;
      way.first_batch = at % EPOCH;
      assert_int_equal(trace(got, BATCHES, &d, &way), BATCHES - at);
      assert_memory_equal(got, expected + at, (size_t)(BATCHES - at) * sizeof *got);
    }
  }
  um_dataset_free(&d);
}

/* Originals are untouched; a twin is its origin's picture through um_blend at its own address and um_degrade at its origin's. */
static void blends(void **state) {
  um_dataset d;
  um_error err;
  um_image im = {0};
  um_blender *blender;
  um_degrader *degrader;
  um_augmentation_config a = {.zoom_range = {1, 1}, .jpeg_probability = 0.5, .jpeg_quality = {20, 60}};
  (void)state;
  make_twins(&d);
  assert_int_equal(um_blender_open(&blender, H, W, &err), UM_OK);
  assert_int_equal(um_degrader_open(&degrader, H, W, &err), UM_OK);
  for (int how = 0; how < 3; how++) { /* no augmentation; one; with a cache */
    um_loader_options o = options();
    um_loader_stats stats;
    uint8_t last[PICTURES + 8][PIXELS];
    int guesses = 0, known = 0, same = 0;
    o.seed = 5;
    o.epochs = 3;
    o.augmentation = how ? &a : NULL;
    o.cache_bytes = how == 2 ? 1 << 20 : 0;
    o.batches = 1;
    um_loader *l = open_loader(&d, &o);
    for (um_batch *b; (b = next(l)); um_loader_return(l, b))
      for (int i = 0; i < b->n; i++) {
        const um_item *item = &d.item[b->item[i]];
        uint8_t expected[PIXELS];
        um_rng at = {.seed = 5, .stream = UM_STREAM_BLEND, .epoch = how ? (uint32_t)b->epoch : 0, .sample = (uint32_t)b->item[i]};
        assert_int_equal(um_image_read(&im, item->path, &err), UM_OK);
        assert_int_equal(um_resize(expected, H, W, &im, UM_NEAREST, &err), UM_OK);
        assert_true(b->label[i] == (item->blend ? 0 : (float)item->label));
        if (item->blend) {
          um_blend_draw drawn;
          float points[10];
          bool guessed;
          for (int k = 0; k < 10; k++)
            points[k] = (item->points[k] + 0.5f) * (k % 2 ? (float)H / (float)im.height : (float)W / (float)im.width) - 0.5f;
          um_blend_draw_at(&drawn, &at);
          assert_int_equal(um_blend(blender, expected, item->has_points ? points : NULL, &drawn, &at, &guessed, &err), UM_OK);
          guesses += guessed;
          known += !guessed;
          same += b->epoch > 0 && memcmp(last[b->item[i]], b->pixels + i * PIXELS, PIXELS) == 0;
        }
        at.stream = UM_STREAM_DEGRADE;
        if (item->blend) at.sample = (uint32_t)item->origin; /* what its origin goes through */
        if (how) assert_int_equal(um_degrade(degrader, expected, &a, &at, &err), UM_OK);
        assert_memory_equal(b->pixels + i * PIXELS, expected, PIXELS);
        memcpy(last[b->item[i]], b->pixels + i * PIXELS, PIXELS);
      }
    assert_true(known > 0 && guesses > 0);
    assert_int_equal(same, how ? 0 : 2 * 8); /* for validation the same every time */
    um_loader_stats_of(l, &stats);
    assert_int_equal(stats.blended, 3 * 8);
    assert_int_equal(stats.guessed, guesses);
    if (how == 2) assert_int_equal(stats.decoded, PICTURES); /* what is kept is the picture before blending, for both */
    um_loader_close(l);
  }
  um_blender_close(blender);
  um_degrader_close(degrader);
  um_image_free(&im);
  um_dataset_free(&d);
}

/* 8 fakes and 15 reals: each real once, each fake once or twice, all once before any comes again; in another order each epoch. */
static void balances(void **state) {
  static const float weight[2] = {2, 0.5f};
  um_loader_options o = training();
  uint8_t first_order[2][30];
  int labels = 0;
  (void)state;
  o.balanced = true;
  o.class_weight = weight;
  o.epochs = 2;
  um_loader *l = open_loader(&dataset, &o);
  assert_int_equal(um_loader_batches(l), 6);
  for (int epoch = 0; epoch < 2; epoch++) {
    int times[PICTURES] = {0}, seen = 0;
    um_warp_sample sample[PICTURES];
    for (int k = 0; k < 6; k++) {
      um_batch *b = next(l);
      assert_non_null(b);
      assert_int_equal(b->n, 5);
      for (int i = 0; i < b->n; i++) {
        int item = b->item[i];
        assert_true(b->weight[i] == weight[dataset.item[item].label]);
        if (times[item]) assert_memory_not_equal(sample[item].m, b->sample[i].m, sizeof b->sample[i].m); /* draws of its own */
        sample[item] = b->sample[i];
        times[item]++;
        labels += k < 3 && dataset.item[item].label;
        first_order[epoch][seen++] = (uint8_t)item;
      }
      um_loader_return(l, b);
    }
    int twice = 0;
    for (int i = 0; i < PICTURES; i++) {
      assert_in_range(times[i], 1, dataset.item[i].label ? 1 : 2);
      twice += times[i] == 2;
    }
    assert_int_equal(twice, 7);
  }
  assert_memory_not_equal(first_order[0], first_order[1], 30);
  assert_in_range(labels, 6, 24); /* classes are mixed: of the 30 in the first halves about 15 */
  assert_null(next(l));
  um_loader_close(l);
  /* Balanced already, or a class alone: what an epoch without balance has. */
  um_dataset reals = {.item = dataset.item, .count = 0, .classes = 2};
  while (reals.item->label == 0) reals.item++;
  reals.count = 15;
  l = open_loader(&reals, &o);
  assert_int_equal(um_loader_batches(l), 3);
  um_loader_close(l);
}

static int made_up(void *context, int item, um_image *im, um_error *err) {
  if (item == *(int *)context) return um_fail(err, UM_EFORMAT, "item %d is not there", item);
  int status = um_image_alloc(im, 3, 2, err);
  if (status == UM_OK) memset(im->pixels, item, 18);
  return status;
}

/* Pixels from elsewhere: by item, a twin's by its origin's; failures are named. */
static void reads_from_elsewhere(void **state) {
  um_dataset d;
  um_error err;
  int missing = 4, seen = 0, item;
  (void)state;
  make_twins(&d);
  um_loader_options o = options();
  o.read = made_up;
  o.read_context = &missing;
  um_loader *l = open_loader(&d, &o);
  for (um_batch *b; (b = next(l)); um_loader_return(l, b))
    for (int i = 0; i < b->n; i++, seen++) {
      uint8_t expected[PIXELS];
      assert_int_not_equal(b->item[i], missing);
      memset(expected, b->item[i], PIXELS);
      if (!d.item[b->item[i]].blend) assert_memory_equal(b->pixels + i * PIXELS, expected, PIXELS);
    }
  assert_int_equal(seen, PICTURES + 8 - 1);
  assert_string_equal(um_loader_skipped(l, 0, &item), "item 4 is not there");
  assert_int_equal(item, missing);
  um_loader_close(l);
  /* A blend of a blend, or of nothing, is refused. */
  d.item[d.count - 1].origin = d.count - 2;
  assert_int_equal(um_loader_open(&l, &d, &o, &err), UM_EINTERNAL);
  d.item[d.count - 1].origin = d.count;
  assert_int_equal(um_loader_open(&l, &d, &o, &err), UM_EINTERNAL);
  um_dataset_free(&d);
}

static void wait_ms(int ms) {
  const struct timespec t = {.tv_nsec = ms * 1000000L};
  nanosleep(&t, NULL);
}

/* Workers stop when the batches in flight are full, and go on when one comes back. */
static void is_bounded(void **state) {
  um_loader_options o = options();
  um_loader_stats stats = {0};
  um_batch *b;
  um_error err;
  (void)state;
  o.batches = 2;
  o.epochs = 0; /* never ends */
  o.workers = 4;
  um_loader *l = open_loader(&dataset, &o);
  for (int i = 0; i < 5000 && stats.decoded < 10; i++, wait_ms(2)) um_loader_stats_of(l, &stats);
  wait_ms(30);
  um_loader_stats_of(l, &stats);
  assert_int_equal(stats.decoded, 10);
  um_batch *first = next(l), *second = next(l);
  assert_int_equal(um_loader_next(l, &b, &err), UM_EINTERNAL); /* rather than waiting for ever */
  assert_non_null(strstr(err.text, "all 2 batches"));
  um_loader_return(l, second); /* the other way round */
  um_loader_return(l, first);
  for (int k = 2; k < 40; k++) {
    b = next(l);
    assert_int_equal(b->epoch * 5 + b->index, k);
    um_loader_return(l, b);
  }
  um_loader_return(l, NULL);
  um_loader_close(l);
}

static void closes_at_any_time(void **state) {
  um_loader_options o = training();
  (void)state;
  o.epochs = 0;
  for (int i = 0; i < 60; i++) {
    o.workers = 1 + i % 7;
    o.batches = 1 + i % 4;
    o.cache_bytes = i % 2 ? 1 << 20 : 0;
    um_loader *l = open_loader(&dataset, &o);
    for (int k = 0; k < i % 5; k++) {
      um_batch *b = next(l);
      if (k + 1 < i % 5) um_loader_return(l, b); /* the last one stays in our hands */
    }
    um_loader_close(l);
  }
  um_loader_close(NULL);
}

static void refuses(void **state) {
  um_loader *l;
  um_error err;
  const um_dataset none = {0};
  um_loader_options o;
  (void)state;
  o = options();
  assert_int_equal(um_loader_open(&l, &none, &o, &err), UM_EFORMAT);
  assert_null(l);
  o.batch_size = 0;
  assert_int_equal(um_loader_open(&l, &dataset, &o, &err), UM_ECONFIG);
  o = options();
  o.height = 1 << 20, o.width = 1 << 20;
  assert_int_equal(um_loader_open(&l, &dataset, &o, &err), UM_ECONFIG);
  o = options();
  o.first_batch = 6;
  assert_int_equal(um_loader_open(&l, &dataset, &o, &err), UM_ECONFIG);
  o = options();
  o.workers = 100000;
  assert_int_equal(um_loader_open(&l, &dataset, &o, &err), UM_ECONFIG);
  o = options(); /* nothing left to do is no error */
  o.first_epoch = 3;
  l = open_loader(&dataset, &o);
  assert_null(next(l));
  um_loader_close(l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gives_the_pictures),
      cmocka_unit_test(same_with_any_workers),
      cmocka_unit_test(resumes),
      cmocka_unit_test(addresses),
      cmocka_unit_test(leaves_out_the_unreadable),
      cmocka_unit_test(skips_move_no_draws),
      cmocka_unit_test(caches),
      cmocka_unit_test(all_of_it_is_deterministic),
      cmocka_unit_test(blends),
      cmocka_unit_test(balances),
      cmocka_unit_test(reads_from_elsewhere),
      cmocka_unit_test(is_bounded),
      cmocka_unit_test(closes_at_any_time),
      cmocka_unit_test(refuses),
  };
  return cmocka_run_group_tests(tests, make_dataset, free_dataset);
}
