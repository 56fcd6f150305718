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
#include "data/image.h"
#include "data/loader.h"
#include "tests/support/loader_fixture.h"
#include "tests/support/tmp.h"

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
      cmocka_unit_test(is_bounded),
      cmocka_unit_test(closes_at_any_time),
      cmocka_unit_test(refuses),
  };
  return cmocka_run_group_tests(tests, make_dataset, free_dataset);
}
