/* JPEG into memory through libjpeg-turbo. */
#include <stdlib.h>

#include "data/degrade_internal.h"
#include "data/jpeg.h"

typedef struct encoder {
  struct jpeg_compress_struct c;
  struct jpeg_destination_mgr to;
  um_jpeg_handler error;
  um_degrader *d;
} encoder;

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
    char reason[64];
    snprintf(reason, sizeof reason, "no memory for %zu bytes", 2 * used);
    um_jpeg_stop((j_common_ptr)c, reason);
    return FALSE; /* not reached, which cppcheck does not see */
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
  if (setjmp(e->error.jump)) return um_fail(err, UM_EINTERNAL, "augmentation.jpeg: cannot compress: %s", e->error.reason);
  jpeg_create_compress(c);
  c->dest = &e->to;
  um_jpeg_compress(c, pixels, e->d->width, e->d->height, quality);
  *size = e->d->jpeg_capacity - e->to.free_in_buffer;
  return UM_OK;
}

int um_jpeg_encode(um_degrader *d, size_t *size, const uint8_t *pixels, int quality, um_error *err) {
  encoder e = {.d = d, .to = {.init_destination = begin, .empty_output_buffer = grow, .term_destination = end}};
  um_jpeg_handle(&e.error);
  e.c.err = &e.error.manager;
  e.c.client_data = &e;
  int status = encode(&e, size, pixels, quality, err);
  jpeg_destroy_compress(&e.c);
  return status;
}
