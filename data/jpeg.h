/* What our uses of libjpeg-turbo share. It reports errors by a function that must not return: longjmp, with all that must survive it in a struct
 * owned by the caller of setjmp. */
#ifndef UM_DATA_JPEG_H
#define UM_DATA_JPEG_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

/* The `err` of a jpeg_compress_struct or jpeg_decompress_struct is its manager. Warnings say nothing. */
typedef struct um_jpeg_handler {
  struct jpeg_error_mgr manager; /* first: libjpeg knows only this part */
  jmp_buf jump;
  char reason[JMSG_LENGTH_MAX]; /* where it jumped: why */
} um_jpeg_handler;
void um_jpeg_handle(um_jpeg_handler *h);
/* Jumps, for a reason that libjpeg does not know. */
_Noreturn void um_jpeg_stop(j_common_ptr c, const char *reason);

/* All of a picture of 3 bytes a pixel, with libjpeg's defaults. c was created and has its destination. Jumps where it fails. */
void um_jpeg_compress(j_compress_ptr c, const uint8_t *pixels, int width, int height, int quality);

#endif
