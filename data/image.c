#include "data/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/image_formats.h"

#define FILE_MAX ((size_t)1 << 30) /* bytes of a picture file */
#define SLACK    64                /* zero bytes after a file's own: FFmpeg's decoders read past the end */

void um_image_free(um_image *im) {
  free(im->pixels);
  *im = (um_image){0};
}

int um_image_alloc(um_image *im, int width, int height, um_error *err) {
  if (width < 1 || height < 1 || (int64_t)width * height > UM_IMAGE_MAX_PIXELS)
    return um_fail(err, UM_EFORMAT, "a picture of %d x %d pixels: expected 1 to %d in all", width, height, UM_IMAGE_MAX_PIXELS);
  size_t need = (size_t)width * (size_t)height * 3;
  if (need > im->capacity) {
    uint8_t *pixels = malloc(need);
    if (!pixels) return um_fail(err, UM_ENOMEM, "no memory for %d x %d pixels (%zu bytes)", width, height, need);
    free(im->pixels);
    im->pixels = pixels;
    im->capacity = need;
  }
  im->width = width;
  im->height = height;
  return UM_OK;
}

/* Weights of 2^-15 (OpenCV's imgproc/color_rgb.simd.hpp). */
void um_image_grey(uint8_t *out, const um_image *in) {
  const size_t n = (size_t)in->width * (size_t)in->height;
  for (size_t i = 0; i < n; i++) {
    const uint8_t *p = in->pixels + 3 * i;
    out[i] = (uint8_t)((p[0] * 9798u + p[1] * 19235u + p[2] * 3735u + 16384u) >> 15);
  }
}

void um_image_buffer_free(um_image_buffer *buffer) {
  free(buffer->data);
  *buffer = (um_image_buffer){0};
}

/* The whole file into the buffer, SLACK zero bytes after it. */
static int read_file(um_image_buffer *buffer, size_t *size, const char *path, um_error *err) {
  struct stat st;
  int status = UM_OK;
  /* O_NONBLOCK: opening a pipe that nobody writes to must not hang; fstat then refuses it. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  if (fstat(fd, &st) < 0) {
    status = um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  } else if (!S_ISREG(st.st_mode)) {
    status = um_fail(err, UM_EIO, "%s: expected a file", path);
  } else if (st.st_size == 0) {
    status = um_fail(err, UM_EFORMAT, "%s: the file is empty", path);
  } else if ((uintmax_t)st.st_size > FILE_MAX) {
    status = um_fail(err, UM_EFORMAT, "%s: %jd bytes are too many for a picture, at most %zu", path, (intmax_t)st.st_size, FILE_MAX);
  }
  if (status < 0) goto done;
  size_t need = (size_t)st.st_size, got = 0;
  if (need + SLACK > buffer->capacity) {
    uint8_t *data = malloc(need + SLACK);
    if (!data) {
      status = um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes", path, need + SLACK);
      goto done;
    }
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = need + SLACK;
  }
  while (got < need) {
    ssize_t n = read(fd, buffer->data + got, need - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      status = um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
      goto done;
    }
    if (n == 0) break; /* it became shorter meanwhile: the decoder will say so */
    got += (size_t)n;
  }
  memset(buffer->data + got, 0, SLACK);
  *size = got;
done:
  close(fd);
  return status;
}

/* data has SLACK bytes after it. */
static int decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err) {
  if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) return um_png_decode(im, data, size, name, err);
  if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0) return um_jpeg_decode(im, data, size, name, err);
  if (size >= 2 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6') return um_pnm_decode(im, data, size, name, err);
  return um_ffmpeg_decode(im, data, size, name, err);
}

int um_image_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err) {
  if (size == 0) return um_fail(err, UM_EFORMAT, "%s: the file is empty", name);
  if (size > FILE_MAX) return um_fail(err, UM_EFORMAT, "%s: %zu bytes are too many for a picture, at most %zu", name, size, FILE_MAX);
  uint8_t *copy = malloc(size + SLACK);
  if (!copy) return um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes", name, size + SLACK);
  memcpy(copy, data, size);
  memset(copy + size, 0, SLACK);
  int status = decode(im, copy, size, name, err);
  free(copy);
  return status;
}

int um_image_read_with(um_image *im, um_image_buffer *buffer, const char *path, um_error *err) {
  size_t size;
  int status = read_file(buffer, &size, path, err);
  return status < 0 ? status : decode(im, buffer->data, size, path, err);
}

int um_image_read(um_image *im, const char *path, um_error *err) {
  um_image_buffer buffer = {0};
  int status = um_image_read_with(im, &buffer, path, err);
  um_image_buffer_free(&buffer);
  return status;
}
