/* PBM, PGM and PPM, text and binary (P1 to P6), as Pillow reads them: a sample v of a file whose largest is m becomes 255 v / m, rounded
 * half to even. Grey of more than 8 bits is scaled to 65535 and then clipped at 255, which is what Pillow's modes I and RGB make
 * of it. (FFmpeg's decoder rounds in fixed point, and wraps around for some m, 254 among them.) */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "data/image_formats.h"

typedef struct cursor {
  const uint8_t *at, *end;
} cursor;

static void skip_space(cursor *c) {
  while (c->at < c->end && (isspace(*c->at) || *c->at == '#')) {
    if (*c->at == '#')
      while (c->at < c->end && *c->at != '\n' && *c->at != '\r') c->at++;
    else
      c->at++;
  }
}

/* The next number in decimal, or -1 where there is none below 10^9. */
static int64_t take_number(cursor *c) {
  int64_t n = 0;
  skip_space(c);
  if (c->at == c->end || !isdigit(*c->at)) return -1;
  for (; c->at < c->end && isdigit(*c->at); c->at++)
    if ((n = 10 * n + (*c->at - '0')) >= 1000000000) return -1;
  return n;
}

static uint8_t scale(int64_t v, int64_t most, bool grey) {
  if (grey && most > 255) {
    double wide = rint((double)v / (double)most * 65535);
    return wide > 255 ? 255 : (uint8_t)wide;
  }
  double byte = rint((double)v / (double)most * 255);
  return byte > 255 ? 255 : (uint8_t)byte;
}

/* Bits, 1 is black: each digit one (P1), or packed, rows padded to whole bytes (P4). Returns false where they end too early. */
static bool take_bits(um_image *im, cursor *c, bool text) {
  size_t width = (size_t)im->width;
  uint8_t *to = im->pixels;
  for (int y = 0; y < im->height; y++) {
    if (!text && (size_t)(c->end - c->at) < (width + 7) / 8) return false;
    for (size_t x = 0; x < width; x++, to += 3) {
      bool black;
      if (text) {
        skip_space(c);
        if (c->at == c->end || (*c->at != '0' && *c->at != '1')) return false;
        black = *c->at++ == '1';
      } else {
        black = c->at[x / 8] >> (7 - x % 8) & 1;
      }
      memset(to, black ? 0 : 255, 3);
    }
    if (!text) c->at += (width + 7) / 8;
  }
  return true;
}

static bool take_samples(um_image *im, cursor *c, int64_t most, bool grey, bool text) {
  size_t n = (size_t)im->width * (size_t)im->height * (grey ? 1 : 3), bytes = most > 255 ? 2 : 1;
  uint8_t table[256], *to = im->pixels;
  if (!text && (size_t)(c->end - c->at) / bytes < n) return false;
  for (int v = 0; v < 256; v++) table[v] = scale(v, most, grey);
  for (size_t i = 0; i < n; i++) {
    uint8_t byte;
    if (text) {
      int64_t v = take_number(c);
      if (v < 0 || v > most) return false;
      byte = scale(v, most, grey);
    } else if (bytes == 1) {
      byte = table[*c->at++];
    } else {
      byte = scale(c->at[0] << 8 | c->at[1], most, grey);
      c->at += 2;
    }
    for (int k = grey ? 3 : 1; k > 0; k--) *to++ = byte;
  }
  return true;
}

int um_pnm_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err) {
  cursor c = {data + 2, data + size};
  int kind = data[1] - '0';
  bool text = kind <= 3, bits = kind == 1 || kind == 4, grey = kind == 2 || kind == 5;
  int64_t width = take_number(&c), height = take_number(&c), most = bits ? 1 : take_number(&c);
  if (width < 1 || height < 1 || most < 1 || most > 65535)
    return um_fail(err, UM_EFORMAT, "%s: not a readable PNM: the file is truncated, or its header is not one", name);
  if (width > UM_IMAGE_MAX_PIXELS || height > UM_IMAGE_MAX_PIXELS || width * height > UM_IMAGE_MAX_PIXELS)
    return um_fail(err, UM_EFORMAT, "%s: %lld x %lld pixels are too many, at most %d in all", name, (long long)width, (long long)height,
                   UM_IMAGE_MAX_PIXELS);
  /* Text has at least a digit a sample, so that no memory is asked for what cannot be there. */
  int64_t samples = width * height * (bits || grey ? 1 : 3);
  if (!text && c.at < c.end) c.at++; /* one white space ends the header */
  int64_t need = text ? samples : kind == 4 ? (width + 7) / 8 * height : samples * (most > 255 ? 2 : 1);
  if (need > c.end - c.at) return um_fail(err, UM_EFORMAT, "%s: not a readable PNM: the file is truncated", name);
  int status = um_image_alloc(im, (int)width, (int)height, err);
  if (status < 0) return um_fail_context(err, "%s", name);
  if (!(bits ? take_bits(im, &c, text) : take_samples(im, &c, most, grey, text)))
    return um_fail(err, UM_EFORMAT, "%s: not a readable PNM: the file is truncated, or a sample is not a number from 0 to %lld", name,
                   (long long)most);
  return UM_OK;
}
