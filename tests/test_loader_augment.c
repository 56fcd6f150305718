/* The loader with degraded and self-blended pictures, balanced classes, weights and other sources of pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/blend.h"
#include "data/degrade.h"
#include "data/image.h"
#include "data/loader.h"
#include "tests/support/loader_fixture.h"
#include "tests/support/tmp.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_of_it_is_deterministic),
      cmocka_unit_test(blends),
      cmocka_unit_test(balances),
      cmocka_unit_test(reads_from_elsewhere),
  };
  return cmocka_run_group_tests(tests, make_dataset, free_dataset);
}
