/* Haar cascades. One that is read must also be able to look at a picture. */
#include "tests/fuzz/fuzz.h"

#include "faces/haar_internal.h"

enum { WIDTH = 61, HEIGHT = 47 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t grey[WIDTH * HEIGHT];
  static const um_haar_options o = {.scale_factor = 1.3, .min_neighbours = 1, .min_size = 4, .equalize = true, .threads = 1};
  um_haar h;
  um_error err;
  if (haar_parse(&h, (const char *)data, size, "cascade", &err) != UM_OK) return 0;
  for (int i = 0; i < WIDTH * HEIGHT; i++) grey[i] = (uint8_t)(i * 2654435761u >> 24);
  um_box *box = NULL;
  int count = 0;
  if (um_haar_detect(&h, grey, WIDTH, HEIGHT, WIDTH, &o, &box, &count, &err) == UM_OK)
    for (int i = 0; i < count; i++) FUZZ_CHECK(box[i].width > 0 && box[i].height > 0);
  free(box);
  haar_clear(&h);
  return 0;
}
