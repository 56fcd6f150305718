/* PNG through libpng. libpng reports errors by longjmp: everything that must survive it lives in a struct that the caller of the
 * function with setjmp owns, so that no local variable changes between setjmp and longjmp. */
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/image_formats.h"

typedef struct reader {
  png_structp png;
  png_infop info;
  const uint8_t *at, *end;
  uint8_t *wide; /* a row of 16-bit grey, or all of them where it is interlaced */
  char reason[256];
} reader;

static void on_error(png_structp png, png_const_charp text) {
  char *reason = png_get_error_ptr(png);
  snprintf(reason, sizeof((reader *)0)->reason, "%s", text);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void on_read(png_structp png, png_bytep to, size_t n) {
  reader *r = png_get_io_ptr(png);
  if ((size_t)(r->end - r->at) < n) png_error(png, "the file is truncated");
  memcpy(to, r->at, n);
  r->at += n;
}

/* Grey of 16 bits, big-endian, becomes RGB clipped at 255: Pillow's conversion of mode I;16. */
static void clip_grey16(uint8_t *rgb, const uint8_t *wide, size_t pixels) {
  for (size_t i = 0; i < pixels; i++) memset(rgb + 3 * i, wide[2 * i] ? 255 : wide[2 * i + 1], 3);
}

static int decode(reader *r, um_image *im, const char *name, um_error *err) {
  if (setjmp(png_jmpbuf(r->png))) return um_fail(err, UM_EFORMAT, "%s: not a readable PNG: %s", name, r->reason);
  png_set_read_fn(r->png, r, on_read);
  png_set_user_limits(r->png, UM_IMAGE_MAX_PIXELS, UM_IMAGE_MAX_PIXELS);
  png_read_info(r->png, r->info);
  png_uint_32 width, height;
  int depth, type, interlace;
  png_get_IHDR(r->png, r->info, &width, &height, &depth, &type, &interlace, NULL, NULL);
  if ((uint64_t)width * height > UM_IMAGE_MAX_PIXELS) {
    return um_fail(err, UM_EFORMAT, "%s: %u x %u pixels are too many, at most %d in all", name, width, height, UM_IMAGE_MAX_PIXELS);
  }
  int status = um_image_alloc(im, (int)width, (int)height, err);
  if (status < 0) return um_fail_context(err, "%s", name);

  bool clip = type == PNG_COLOR_TYPE_GRAY && depth == 16;
  if (!clip) {
    if (depth == 16) png_set_strip_16(r->png);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(r->png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(r->png);
    if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(r->png);
    png_set_strip_alpha(r->png); /* also that of a transparent palette */
  }
  int passes = png_set_interlace_handling(r->png);
  png_read_update_info(r->png, r->info);
  size_t row = clip ? (size_t)width * 2 : (size_t)width * 3;
  if (png_get_rowbytes(r->png, r->info) != row) png_error(r->png, "unexpected length of a row");
  bool whole = clip && passes > 1;
  if (clip) {
    r->wide = malloc(whole ? row * height : row);
    if (!r->wide) return um_fail(err, UM_ENOMEM, "%s: no memory for %u x %u pixels", name, width, height);
  }
  for (int pass = 0; pass < passes; pass++) {
    for (size_t y = 0; y < height; y++) {
      uint8_t *rgb = im->pixels + y * width * 3;
      png_read_row(r->png, whole ? r->wide + y * row : clip ? r->wide : rgb, NULL);
      if (clip && !whole) clip_grey16(rgb, r->wide, width);
    }
  }
  if (whole) clip_grey16(im->pixels, r->wide, (size_t)width * height);
  /* What follows the pixels does not matter: as Pillow, a file without its IEND chunk is read. */
  return UM_OK;
}

int um_png_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err) {
  reader r = {.at = data, .end = data + size};
  int status;
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r.reason, on_error, on_warning);
  if (r.png) r.info = png_create_info_struct(r.png);
  if (r.info)
    status = decode(&r, im, name, err);
  else
    status = um_fail(err, UM_ENOMEM, "%s: no memory for libpng", name);
  png_destroy_read_struct(&r.png, &r.info, NULL);
  free(r.wide);
  return status;
}

typedef struct writer {
  png_structp png;
  png_infop info;
  char reason[256];
} writer;

static int encode(writer *w, const um_image *im, FILE *file, const char *path, um_error *err) {
  errno = 0; /* libpng says only "Write Error" */
  if (setjmp(png_jmpbuf(w->png))) return um_fail(err, UM_EIO, "%s: cannot write: %s", path, errno ? strerror(errno) : w->reason);
  png_init_io(w->png, file);
  png_set_IHDR(w->png, w->info, (png_uint_32)im->width, (png_uint_32)im->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(w->png, w->info);
  for (int y = 0; y < im->height; y++) png_write_row(w->png, im->pixels + (size_t)y * (size_t)im->width * 3);
  png_write_end(w->png, w->info);
  return UM_OK;
}

static int write_png(const um_image *im, FILE *file, const char *path, um_error *err) {
  writer w = {0};
  int status;
  w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, w.reason, on_error, on_warning);
  if (w.png) w.info = png_create_info_struct(w.png);
  if (w.info)
    status = encode(&w, im, file, path, err);
  else
    status = um_fail(err, UM_ENOMEM, "%s: no memory for libpng", path);
  png_destroy_write_struct(&w.png, &w.info);
  return status;
}

int um_image_write_png(const um_image *im, const char *path, um_error *err) {
  um_writer w = {0};
  int status = um_writer_open(&w, path, err);
  if (status < 0) return status;
  status = write_png(im, w.file, path, err);
  if (status == UM_OK) status = um_writer_commit(&w, err);
  um_writer_abandon(&w);
  return status;
}

int um_image_encode_png(uint8_t **data, size_t *size, const um_image *im, um_error *err) {
  char *bytes = NULL;
  *data = NULL;
  FILE *file = open_memstream(&bytes, size);
  if (!file) return um_fail(err, UM_ENOMEM, "no memory for a PNG of %d x %d", im->width, im->height);
  int status = write_png(im, file, "PNG", err);
  if (fclose(file) != 0 && status == UM_OK) status = um_fail(err, UM_ENOMEM, "no memory for a PNG of %d x %d", im->width, im->height);
  if (status == UM_OK)
    *data = (uint8_t *)bytes;
  else
    free(bytes);
  return status;
}
