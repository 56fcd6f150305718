/* Pictures: PNG, JPEG and PNM whole; of BMP, TIFF and WebP our own look at them, which ends where FFmpeg's decoder would begin: that one
 * is the system's library, not built here, and fuzzed by those who make it. libpng and libjpeg are the system's, too, but how we
 * call them (rows, limits, longjmp) is ours. */
#include "tests/fuzz/fuzz.h"

#include <libavcodec/avcodec.h>

#include "data/image.h"

/* In place of libavcodec's. */
const AVCodec *avcodec_find_decoder(enum AVCodecID id) {
  (void)id;
  return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  um_image im = {0}, half = {0};
  um_error err;
  if (um_image_decode(&im, data, size, "picture", &err) == UM_OK) {
    FUZZ_CHECK(im.width > 0 && im.height > 0 && im.capacity >= (size_t)im.width * (size_t)im.height * 3);
    uint8_t small[8 * 8 * 3];
    FUZZ_CHECK(um_resize(small, 8, 8, &im, UM_NEAREST, &err) == UM_OK);
    if (im.width < 2048 && im.height < 2048) FUZZ_CHECK(um_resize(small, 8, 8, &im, UM_BILINEAR, &err) == UM_OK);
  }
  /* A picture that is filled again, with a file that was cut. */
  if (um_image_alloc(&half, 3, 5, &err) == UM_OK) um_image_decode(&half, data, size / 2, "half", &err);
  um_image_free(&half);
  um_image_free(&im);
  return 0;
}
