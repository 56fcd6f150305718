/* Decoders against Pillow (tests/golden/pillow.py), and files that are not what they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/safetensors.h"
#include "data/grid.h"
#include "data/image.h"
#include "tests/support/golden.h"
#include "tests/support/picture.h"
#include "tests/support/tmp.h"

static um_st *golden;

static int open_golden(void **state) {
  (void)state;
  return golden_open(&golden, "tests/golden/pillow.safetensors");
}

static int close_golden(void **state) {
  (void)state;
  um_st_close(golden);
  return 0;
}

static int largest_difference(const uint8_t *a, const uint8_t *b, size_t n) {
  int most = 0;
  for (size_t i = 0; i < n; i++)
    if (abs(a[i] - b[i]) > most) most = abs(a[i] - b[i]);
  return most;
}

/* How far a decoder may be from Pillow's, in levels of 255; 0 for all but lossy WebP, whose chroma libwebp brings back its own way. */
static int tolerance(const char *name) { return strcmp(name, "lossy.webp") == 0 ? 4 : 0; }

static void decodes_as_pillow(void **state) {
  (void)state;
  int files = 0, wrong = 0;
  um_image im = {0}; /* used for all: its memory is kept */
  for (int i = 0; i < um_st_count(golden); i++) {
    const um_st_entry *file = um_st_at(golden, i);
    char key[128];
    um_error err;
    if (strncmp(file->name, "file/", 5) != 0) continue;
    const char *name = file->name + 5;
    snprintf(key, sizeof key, "rgb/%s", name);
    const um_st_entry *rgb = um_st_find(golden, key);
    assert_non_null(rgb);
    files++;
    if (um_image_decode(&im, file->tensor.data, file->tensor.bytes, name, &err) < 0) {
      print_message("%s\n", err.text);
      wrong++;
      continue;
    }
    assert_int_equal(im.height, rgb->tensor.dim[0]);
    assert_int_equal(im.width, rgb->tensor.dim[1]);
    int most = largest_difference(im.pixels, rgb->tensor.data, rgb->tensor.bytes);
    if (most > tolerance(name)) {
      print_message("%s: differs by up to %d\n", name, most);
      wrong++;
    }
  }
  um_image_free(&im);
  assert_true(files > 70);
  assert_int_equal(wrong, 0);
}

/* Every cut of a file either fails or, where only what follows the pixels is gone, gives all of them. */
static void truncation(void **state) {
  static const char *const names[] = {
      "rgb8.png",     "grey16_interlaced.png", "palette4.png", "rgb420.jpg", "progressive422.jpg", "cmyk.jpg",
      "rgb_raw.tif",  "rgb_tiff_lzw.tif",      "rgb.bmp",      "text.ppm",   "one_bit.pbm",        "rgb.ppm",
      "lossless.webp"};
  um_image im = {0};
  (void)state;
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    char key[64];
    um_error err;
    snprintf(key, sizeof key, "file/%s", names[k]);
    assert_non_null(um_st_find(golden, key));
    const um_tensor *file = &um_st_find(golden, key)->tensor;
    snprintf(key, sizeof key, "rgb/%s", names[k]);
    const um_tensor *rgb = &um_st_find(golden, key)->tensor;
    int failed = 0, cuts = 0;
    for (size_t n = 0; n < file->bytes; n += n < 64 ? 1 : 37) {
      int status = um_image_decode(&im, file->data, n, names[k], &err);
      cuts++;
      failed += status < 0;
      if (status == UM_OK && largest_difference(im.pixels, rgb->data, rgb->bytes) > tolerance(names[k]))
        fail_msg("%s cut at %zu of %zu bytes was taken for whole", names[k], n, file->bytes);
      if (status < 0) assert_true(status == UM_EFORMAT || status == UM_EUNSUPPORTED);
      if (status < 0) assert_non_null(strstr(err.text, names[k]));
    }
    assert_true(failed > cuts * 3 / 4);
  }
  um_image_free(&im);
}

/* Damaged bytes must neither crash, nor leak, nor write out of bounds: the sanitizer build watches. */
static void damage(void **state) {
  um_image im = {0};
  uint32_t random = 1;
  (void)state;
  for (int i = 0; i < um_st_count(golden); i++) {
    const um_st_entry *file = um_st_at(golden, i);
    um_error err;
    if (strncmp(file->name, "file/", 5) != 0) continue;
    uint8_t *copy = malloc(file->tensor.bytes);
    assert_non_null(copy);
    for (int trial = 0; trial < 12; trial++) {
      memcpy(copy, file->tensor.data, file->tensor.bytes);
      for (int k = 0; k <= trial; k++) {
        random = random * 1664525 + 1013904223;
        copy[(random >> 8) % file->tensor.bytes] ^= (uint8_t)(1 << (random >> 5) % 8);
      }
      int status = um_image_decode(&im, copy, file->tensor.bytes, "damaged", &err);
      if (status == UM_OK) assert_true(im.width > 0 && im.height > 0 && im.pixels);
    }
    free(copy);
  }
  um_image_free(&im);
}

static void expect_failure(const char *path, const void *data, size_t size, int code, const char *text) {
  um_image im = {0};
  um_error err = {0};
  tmp_write(path, data, size);
  int status = um_image_read(&im, path, &err);
  if (status != code || !strstr(err.text, text) || !strstr(err.text, path)) fail_msg("%s: %d: %s", path, status, err.text);
  um_image_free(&im);
}

static void refuses(void **state) {
  um_error err = {0};
  um_image im = {0};
  (void)state;
  expect_failure(tmp_path("image/empty.png"), "", 0, UM_EFORMAT, "empty");
  expect_failure(tmp_path("image/text.jpg"), "not a picture", 13, UM_EFORMAT, "expected a picture");
  expect_failure(tmp_path("image/signature.png"), "\x89PNG\r\n\x1a\n", 8, UM_EFORMAT, "truncated");
  expect_failure(tmp_path("image/start.jpg"), "\xff\xd8\xff", 3, UM_EFORMAT, "truncated");

  /* 65500 x 65500 pixels of JPEG, 2^31 - 1 squared of PNG, 40000 squared of PPM and BMP: a few bytes each. */
  static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xc0, 0,    17, 8,  0xff, 0xdc, 0xff, 0xdc, 3, 1, 0x22, 0, 2,  0x11, 0,
                                 3,    0x11, 0,    0xff, 0xda, 0,  12, 3,    1,    0,    2,    0, 3, 0,    0, 63, 0};
  static const uint8_t png[] = {0x89, 'P',  'N',  'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I',  'H',  'D',  'R', 0,
                                0,    0xff, 0xff, 0,   0,    0xff, 0xff, 8,    2, 0, 0, 0,  0x29, 0x9f, 0xaa, 0x83};
  static const uint8_t bmp[54] = {'B', 'M', 54, [10] = 54, [14] = 40, [18] = 0x40, 0x9c, [22] = 0x40, 0x9c, [26] = 1, [28] = 24};
  expect_failure(tmp_path("image/huge.jpg"), jpeg, sizeof jpeg, UM_EFORMAT, "65500 x 65500 pixels are too many");
  expect_failure(tmp_path("image/huge.png"), png, sizeof png, UM_EFORMAT, "huge.png");
  expect_failure(tmp_path("image/huge.ppm"), "P6 40000 40000 255\n", 19, UM_EFORMAT, "40000 x 40000 pixels are too many");
  expect_failure(tmp_path("image/huge.bmp"), bmp, sizeof bmp, UM_EFORMAT, "not a readable BMP");
  /* Width, height and depth whose product overflows 64 bits. */
  static const uint8_t wide[54] = {'B',  'M',  54,   [10] = 54, [14] = 40, [18] = 0xff, 0xff, 0xff, 0xf,
                                   0xff, 0xff, 0xff, 0x7f,      1,         0,           0xff, 0xff};
  expect_failure(tmp_path("image/wide.bmp"), wide, sizeof wide, UM_EFORMAT, "not a readable BMP");

  assert_int_equal(um_image_read(&im, tmp_path("image/absent.png"), &err), UM_EIO);
  assert_int_equal(um_image_read(&im, "tests", &err), UM_EIO); /* a folder */
  const char *pipe = tmp_path("image/pipe.png");
  assert_int_equal(mkfifo(pipe, 0600), 0);
  assert_int_equal(um_image_read(&im, pipe, &err), UM_EIO); /* and does not hang */
  assert_null(im.pixels);
  assert_int_equal(um_image_alloc(&im, 1 << 15, 1 << 14, &err), UM_EFORMAT);
  assert_int_equal(um_image_alloc(&im, 0, 5, &err), UM_EFORMAT);
  assert_int_equal(um_image_alloc(&im, 5, -1, &err), UM_EFORMAT);
}

/* What Pillow refuses, and what FFmpeg would turn black. */
static void refuses_as_pillow(void **state) {
  const um_tensor *cut = &um_st_find(golden, "bad/no_end.jpg")->tensor, *jpeg = &um_st_find(golden, "bad/jpeg.tif")->tensor;
  um_image im = {0};
  um_error err;
  (void)state;
  assert_int_equal(um_image_decode(&im, cut->data, cut->bytes, "cut", &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "truncated"));
  assert_int_equal(um_image_decode(&im, jpeg->data, jpeg->bytes, "jpeg.tif", &err), UM_EUNSUPPORTED);
  um_image_free(&im);
}

/* By content: a PNG with a JPEG's name is read. */
static void mislabelled(void **state) {
  const um_tensor *file = &um_st_find(golden, "file/rgb8.png")->tensor, *rgb = &um_st_find(golden, "rgb/rgb8.png")->tensor;
  um_image im = {0};
  um_error err;
  (void)state;
  const char *path = tmp_path("image/really_png.jpg");
  tmp_write(path, file->data, file->bytes);
  assert_int_equal(um_image_read(&im, path, &err), UM_OK);
  assert_memory_equal(im.pixels, rgb->data, rgb->bytes);
  um_image_free(&im);
}

static void memory_is_kept(void **state) {
  um_image im = {0};
  um_error err;
  (void)state;
  assert_int_equal(um_image_alloc(&im, 20, 10, &err), UM_OK);
  uint8_t *before = im.pixels;
  assert_int_equal(um_image_alloc(&im, 9, 22, &err), UM_OK);
  assert_ptr_equal(im.pixels, before);
  assert_int_equal(im.width, 9);
  assert_int_equal(um_image_alloc(&im, 1, 1, &err), UM_OK);
  assert_int_equal(im.capacity, 600);
  um_image_free(&im);
  assert_null(im.pixels);
}

static void writes_what_it_reads(void **state) {
  um_image im = {0}, back = {0};
  um_error err;
  (void)state;
  assert_int_equal(um_image_alloc(&im, 37, 21, &err), UM_OK);
  test_picture(im.pixels, 21, 37);
  const char *path = tmp_path("image/written.png");
  assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
  assert_int_equal(um_image_read(&back, path, &err), UM_OK);
  assert_int_equal(back.width, 37);
  assert_memory_equal(back.pixels, im.pixels, 37 * 21 * 3);
  path = tmp_path("image/written.jpg");
  for (int i = 0; i < 37 * 21 * 3; i++) im.pixels[i] = (uint8_t)(60 + i / 31); /* smooth, so that quality 95 is close */
  assert_int_equal(um_image_write_jpeg(&im, path, 95, &err), UM_OK);
  assert_int_equal(um_image_read(&back, path, &err), UM_OK);
  assert_true(largest_difference(back.pixels, im.pixels, 37 * 21 * 3) <= 12);
  assert_int_equal(um_image_write_png(&im, "/nonexistent/folder/x.png", &err), UM_EIO);
  assert_int_equal(um_image_write_jpeg(&im, "/nonexistent/folder/x.jpg", 90, &err), UM_EIO);
  /* A full disk. */
  um_image_free(&im);
  assert_int_equal(um_image_alloc(&im, 300, 300, &err), UM_OK);
  test_picture(im.pixels, 300, 300);
  assert_int_equal(um_image_write_png(&im, "/dev/full", &err), UM_EIO);
  assert_non_null(strstr(err.text, "/dev/full: cannot write: No space left"));
  assert_int_equal(um_image_write_jpeg(&im, "/dev/full", 95, &err), UM_EIO);
  assert_non_null(strstr(err.text, "/dev/full: cannot write: No space left"));
  um_image_free(&im);
  um_image_free(&back);
}

/* A grid of warped pictures shows the pixels that went in, whatever the scale, mean and channel order. */
static void grid(void **state) {
  enum { N = 3, H = 5, W = 7 };
  static const um_warp ways[] = {{.scale = 1 / 255.f}, {.scale = 1, .mean = {103.939f, 116.779f, 123.68f}, .bgr = true}};
  uint8_t rgb[N][H][W][3];
  um_error err;
  (void)state;
  for (int i = 0; i < N; i++) test_picture(rgb[i][0][0], H, W);
  rgb[1][2][3][0] = 200;
  for (size_t k = 0; k < 2; k++) {
    const um_warp *how = &ways[k];
    float batch[N * H * W * 3];
    um_image im = {0};
    const uint8_t *p = rgb[0][0][0];
    for (int i = 0; i < N * H * W; i++, p += 3)
      for (int c = 0; c < 3; c++) batch[3 * i + c] = p[how->bgr ? 2 - c : c] * how->scale - how->mean[c];
    batch[0] = -1e30f; /* black or white, never wrapped around */
    const char *path = tmp_path("image/grid.png");
    assert_int_equal(um_grid_write(batch, N, H, W, how, path, &err), UM_OK);
    assert_int_equal(um_image_read(&im, path, &err), UM_OK);
    assert_int_equal(im.width, 2 * W + 2);
    assert_int_equal(im.height, 2 * H + 2);
    for (int i = 0; i < N; i++)
      for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
          for (int c = 0; c < 3; c++) {
            int expected = i + y + x == 0 && c == (how->bgr ? 2 : 0) ? 0 : rgb[i][y][x][c];
            assert_int_equal(im.pixels[((i / 2 * (H + 2) + y) * im.width + i % 2 * (W + 2) + x) * 3 + c], expected);
          }
    um_image_free(&im);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decodes_as_pillow), cmocka_unit_test(truncation),           cmocka_unit_test(damage),
      cmocka_unit_test(refuses),           cmocka_unit_test(refuses_as_pillow),    cmocka_unit_test(mislabelled),
      cmocka_unit_test(memory_is_kept),    cmocka_unit_test(writes_what_it_reads), cmocka_unit_test(grid),
  };
  return cmocka_run_group_tests(tests, open_golden, close_golden);
}
