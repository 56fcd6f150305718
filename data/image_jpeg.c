/* JPEG through libjpeg-turbo with its defaults (accurate integer DCT, fancy upsampling), which are Pillow's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/image_formats.h"
#include "data/jpeg.h"

#define SCANS_MAX 100 /* as many as libjpeg's own tools write; a progressive file of few bytes can ask for many passes over many pixels */

static void on_error(j_common_ptr c) {
  um_jpeg_handler *h = (um_jpeg_handler *)c->err;
  c->err->format_message(c, h->reason);
  longjmp(h->jump, 1);
}

void um_jpeg_stop(j_common_ptr c, const char *reason) {
  um_jpeg_handler *h = (um_jpeg_handler *)c->err;
  snprintf(h->reason, sizeof h->reason, "%s", reason);
  longjmp(h->jump, 1);
}

static void on_message(j_common_ptr c, int level) {
  (void)c;
  (void)level;
}

void um_jpeg_handle(um_jpeg_handler *h) {
  jpeg_std_error(&h->manager);
  h->manager.error_exit = on_error;
  h->manager.emit_message = on_message;
}

static void source_nothing(j_decompress_ptr c) { (void)c; }

/* libjpeg's own memory source makes up an end of image here; Pillow calls such a file truncated, and so do we. */
static boolean source_more(j_decompress_ptr c) { um_jpeg_stop((j_common_ptr)c, "the file is truncated"); }

static void source_skip(j_decompress_ptr c, long n) {
  if (n <= 0) return;
  if ((size_t)n > c->src->bytes_in_buffer) source_more(c);
  c->src->next_input_byte += n;
  c->src->bytes_in_buffer -= (size_t)n;
}

static void on_progress(j_common_ptr c) {
  if (c->is_decompressor && ((j_decompress_ptr)c)->input_scan_number > SCANS_MAX) um_jpeg_stop(c, "too many scans");
}

typedef struct reader {
  struct jpeg_decompress_struct c;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  um_jpeg_handler error;
  uint8_t *cmyk; /* one row */
} reader;

/* a b / 255, rounded, as Pillow's MULDIV255. */
static unsigned muldiv255(unsigned a, unsigned b) {
  unsigned t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

/* Pillow takes every CMYK JPEG for Adobe's inverted one ("CMYK;I"), then converts by c -> 255 - k - c (255 - k) / 255. A stored
 * byte v is the ink 255 - v. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, rgb += 3, cmyk += 4) {
    unsigned light = cmyk[3];
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(light - muldiv255(255u - cmyk[c], light));
  }
}

static int decode(reader *r, um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err) {
  j_decompress_ptr c = &r->c;
  if (setjmp(r->error.jump)) return um_fail(err, UM_EFORMAT, "%s: not a readable JPEG: %s", name, r->error.reason);
  jpeg_create_decompress(c);
  r->source = (struct jpeg_source_mgr){.next_input_byte = data,
                                       .bytes_in_buffer = size,
                                       .init_source = source_nothing,
                                       .fill_input_buffer = source_more,
                                       .skip_input_data = source_skip,
                                       .resync_to_restart = jpeg_resync_to_restart,
                                       .term_source = source_nothing};
  c->src = &r->source;
  r->progress.progress_monitor = on_progress;
  c->progress = &r->progress;
  jpeg_read_header(c, TRUE);
  uint64_t pixels = (uint64_t)c->image_width * c->image_height;
  if (pixels > UM_IMAGE_MAX_PIXELS)
    return um_fail(err, UM_EFORMAT, "%s: %u x %u pixels are too many, at most %d in all", name, c->image_width, c->image_height,
                   UM_IMAGE_MAX_PIXELS);
  if (c->num_components != 1 && c->num_components != 3 && c->num_components != 4)
    return um_fail(err, UM_EFORMAT, "%s: a JPEG of %d components: expected 1, 3 or 4", name, c->num_components);
  /* A Huffman code has at least one bit, and each block of 8x8 needs one. (Arithmetic coding needs less only where a picture has one colour.)
   * libjpeg makes grey of what is not there, and asks for memory of the size that a few bytes claim. */
  uint64_t blocks = 0;
  for (int i = 0; i < c->num_components; i++) blocks += (uint64_t)c->comp_info[i].width_in_blocks * c->comp_info[i].height_in_blocks;
  if (blocks / 8 > size)
    return um_fail(err, UM_EFORMAT, "%s: not a readable JPEG: %zu bytes are too few for %u x %u pixels", name, size, c->image_width,
                   c->image_height);
  int status = um_image_alloc(im, (int)c->image_width, (int)c->image_height, err);
  if (status < 0) return um_fail_context(err, "%s", name);
  bool cmyk = c->num_components == 4;
  c->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  size_t width = c->image_width;
  if (cmyk) {
    r->cmyk = malloc(width * 4);
    if (!r->cmyk) return um_fail(err, UM_ENOMEM, "%s: no memory for a row of %zu pixels", name, width);
  }
  jpeg_start_decompress(c);
  while (c->output_scanline < c->output_height) {
    uint8_t *rgb = im->pixels + c->output_scanline * width * 3;
    JSAMPROW row = cmyk ? r->cmyk : rgb;
    if (jpeg_read_scanlines(c, &row, 1) != 1) um_jpeg_stop((j_common_ptr)c, "the file is truncated");
    if (cmyk) cmyk_to_rgb(rgb, r->cmyk, width);
  }
  /* No jpeg_finish_decompress: all pixels are here, and as Pillow we take a file whose end marker is missing. */
  return UM_OK;
}

int um_jpeg_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err) {
  reader r = {0};
  um_jpeg_handle(&r.error);
  r.c.err = &r.error.manager;
  int status = decode(&r, im, data, size, name, err);
  jpeg_destroy_decompress(&r.c);
  free(r.cmyk);
  return status;
}

void um_jpeg_compress(j_compress_ptr c, const uint8_t *pixels, int width, int height, int quality) {
  c->image_width = (JDIMENSION)width;
  c->image_height = (JDIMENSION)height;
  c->input_components = 3;
  c->in_color_space = JCS_RGB;
  jpeg_set_defaults(c);
  jpeg_set_quality(c, quality, TRUE);
  jpeg_start_compress(c, TRUE);
  while (c->next_scanline < c->image_height) {
    /* libjpeg does not write to it. */
    JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + c->next_scanline * (size_t)width * 3);
    jpeg_write_scanlines(c, &row, 1);
  }
  jpeg_finish_compress(c);
}

typedef struct writer {
  struct jpeg_compress_struct c;
  um_jpeg_handler error;
  um_writer file;
} writer;

static int encode(writer *w, FILE *to, const um_image *im, const char *path, int quality, um_error *err) {
  j_compress_ptr c = &w->c;
  errno = 0; /* libjpeg knows only that writing failed */
  if (setjmp(w->error.jump)) return um_fail(err, UM_EIO, "%s: cannot write: %s", path, errno ? strerror(errno) : w->error.reason);
  jpeg_create_compress(c);
  jpeg_stdio_dest(c, to);
  um_jpeg_compress(c, im->pixels, im->width, im->height, quality);
  return UM_OK;
}

int um_image_write_jpeg(const um_image *im, const char *path, int quality, um_error *err) {
  writer w = {0};
  int status = um_writer_open(&w.file, path, err);
  if (status < 0) return status;
  um_jpeg_handle(&w.error);
  w.c.err = &w.error.manager;
  status = encode(&w, w.file.file, im, path, quality, err);
  jpeg_destroy_compress(&w.c);
  if (status == UM_OK) status = um_writer_commit(&w.file, err);
  um_writer_abandon(&w.file);
  return status;
}

int um_image_encode_jpeg(uint8_t **data, size_t *size, const um_image *im, int quality, um_error *err) {
  writer w = {0};
  char *bytes = NULL;
  *data = NULL;
  FILE *f = open_memstream(&bytes, size);
  if (!f) return um_fail(err, UM_ENOMEM, "no memory for a picture of %d x %d", im->width, im->height);
  um_jpeg_handle(&w.error);
  w.c.err = &w.error.manager;
  int status = encode(&w, f, im, "a picture in memory", quality, err);
  jpeg_destroy_compress(&w.c);
  if (fclose(f) && status == UM_OK) status = um_fail(err, UM_ENOMEM, "no memory for a picture of %d x %d", im->width, im->height);
  if (status == UM_OK)
    *data = (uint8_t *)bytes;
  else
    free(bytes);
  return status;
}
