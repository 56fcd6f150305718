/* JPEG into memory through libjpeg-turbo. Errors come by a function that must not return: longjmp, with all that must survive it in a
 * struct owned by the caller. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "data/degrade_internal.h"

typedef struct encoder {
  struct jpeg_compress_struct c;
  struct jpeg_destination_mgr to;
  struct jpeg_error_mgr error;
  jmp_buf jump;
  um_degrader *d;
  char reason[JMSG_LENGTH_MAX];
} encoder;

static void on_error(j_common_ptr c) {
  encoder *e = c->client_data;
  c->err->format_message(c, e->reason);
  longjmp(e->jump, 1);
}

static void on_message(j_common_ptr c, int level) {
  (void)c;
  (void)level;
}

static void begin(j_compress_ptr c) {
  encoder *e = c->client_data;
  e->to.next_output_byte = e->d->jpeg;
  e->to.free_in_buffer = e->d->jpeg_capacity;
}

/* The buffer is full: a larger one. */
static boolean grow(j_compress_ptr c) {
  encoder *e = c->client_data;
  size_t used = e->d->jpeg_capacity;
  uint8_t *more = realloc(e->d->jpeg, 2 * used);
  if (!more) {
    snprintf(e->reason, sizeof e->reason, "no memory for %zu bytes", 2 * used);
    longjmp(e->jump, 1);
  }
  e->d->jpeg = more;
  e->d->jpeg_capacity = 2 * used;
  e->to.next_output_byte = more + used;
  e->to.free_in_buffer = used;
  return TRUE;
}

static void end(j_compress_ptr c) { (void)c; }

static int encode(encoder *e, size_t *size, const uint8_t *pixels, int quality, um_error *err) {
  j_compress_ptr c = &e->c;
  if (setjmp(e->jump)) return um_fail(err, UM_EINTERNAL, "augmentation.jpeg: cannot compress: %s", e->reason);
  jpeg_create_compress(c);
  c->dest = &e->to;
  c->image_width = (JDIMENSION)e->d->width;
  c->image_height = (JDIMENSION)e->d->height;
  c->input_components = 3;
  c->in_color_space = JCS_RGB;
  jpeg_set_defaults(c);
  jpeg_set_quality(c, quality, TRUE);
  jpeg_start_compress(c, TRUE);
  while (c->next_scanline < c->image_height) {
    /* libjpeg does not write to it. */
    JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + c->next_scanline * (size_t)e->d->width * 3);
    jpeg_write_scanlines(c, &row, 1);
  }
  jpeg_finish_compress(c);
  *size = e->d->jpeg_capacity - e->to.free_in_buffer;
  return UM_OK;
}

int um_jpeg_encode(um_degrader *d, size_t *size, const uint8_t *pixels, int quality, um_error *err) {
  encoder e = {.d = d, .to = {.init_destination = begin, .empty_output_buffer = grow, .term_destination = end}};
  e.c.err = jpeg_std_error(&e.error);
  e.c.client_data = &e;
  e.error.error_exit = on_error;
  e.error.emit_message = on_message;
  int status = encode(&e, size, pixels, quality, err);
  jpeg_destroy_compress(&e.c);
  return status;
}
