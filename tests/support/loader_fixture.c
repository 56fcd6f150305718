#include "tests/support/loader_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "data/image.h"
#include "tests/support/picture.h"
#include "tests/support/tmp.h"

um_dataset dataset;
const um_augmentation_config recipe = {.rotation_range = 40,
                                       .width_shift_range = 0.2,
                                       .height_shift_range = 0.2,
                                       .shear_range = 0.2,
                                       .zoom_range = {0.8, 1.2},
                                       .horizontal_flip = true};

int make_dataset(void **state) {
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

int free_dataset(void **state) {
  (void)state;
  um_dataset_free(&dataset);
  return 0;
}

um_loader_options options(void) { return (um_loader_options){.batch_size = 5, .height = H, .width = W, .workers = 2, .epochs = 1}; }

um_loader *open_loader(const um_dataset *d, const um_loader_options *o) {
  um_loader *l;
  um_error err;
  if (um_loader_open(&l, d, o, &err) < 0) fail_msg("%s", err.text);
  return l;
}

um_batch *next(um_loader *l) {
  um_batch *b;
  um_error err;
  if (um_loader_next(l, &b, &err) < 0) fail_msg("%s", err.text);
  return b;
}

int trace(uint64_t *hash, int room, const um_dataset *d, const um_loader_options *o) {
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

um_loader_options training(void) {
  um_loader_options o = options();
  o.shuffle = true;
  o.augmentation = &recipe;
  o.seed = 42;
  o.epochs = 4;
  return o;
}
