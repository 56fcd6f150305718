/* The formats beyond PNG, JPEG and PNM, through libavcodec: the whole file is one packet of the codec that its first bytes name. No
 * demuxer takes part, so that no file can send us to another one or to the network. */
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "data/ffmpeg.h"
#include "data/image_formats.h"

static const struct format {
  const char *magic, *then; /* the first bytes, and those at offset 8 */
  const char *name;
  enum AVCodecID codec;
} formats[] = {
    {"BM", "", "BMP", AV_CODEC_ID_BMP},
    {"II*", "", "TIFF", AV_CODEC_ID_TIFF},
    {"MM", "", "TIFF", AV_CODEC_ID_TIFF},
    {"RIFF", "WEBP", "WebP", AV_CODEC_ID_WEBP},
};

static const struct format *find_format(const uint8_t *data, size_t size) {
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    const struct format *f = &formats[i];
    size_t magic = strlen(f->magic), then = strlen(f->then);
    if (size < magic || memcmp(data, f->magic, magic) != 0) continue;
    if (f->codec == AV_CODEC_ID_TIFF && (size < 4 || memcmp(data + 2, *data == 'I' ? "*\0" : "\0*", 2) != 0)) continue;
    if (then && (size < 8 + then || memcmp(data + 8, f->then, then) != 0)) continue;
    return f;
  }
  return NULL;
}

/* Whether a frame's pixels are 8-bit samples side by side; then where R, G and B lie. */
static bool is_packed(enum AVPixelFormat format, int *step, int offset[3]) {
  const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
  if (!d || d->flags & (AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL)) return false;
  bool grey = d->nb_components <= 2;
  if (!grey && !(d->flags & AV_PIX_FMT_FLAG_RGB)) return false;
  *step = d->comp[0].step;
  for (int c = 0; c < 3; c++) {
    const AVComponentDescriptor *k = &d->comp[grey ? 0 : c];
    if (k->plane != 0 || k->shift != 0 || (k->depth != 8 && k->depth != 16)) return false;
    /* 16 bits are reduced to their high byte. */
    offset[c] = k->offset + (k->depth == 16 && !(d->flags & AV_PIX_FMT_FLAG_BE));
  }
  return true;
}

static int convert(um_image *im, const AVFrame *f, const char *name, um_error *err) {
  int step, offset[3];
  int status = um_image_alloc(im, f->width, f->height, err);
  if (status < 0) return um_fail_context(err, "%s", name);
  uint8_t *to = im->pixels;
  if (f->format == AV_PIX_FMT_GRAY16LE || f->format == AV_PIX_FMT_GRAY16BE) { /* clipped at 255: Pillow's conversion of mode I;16 */
    int high = f->format == AV_PIX_FMT_GRAY16LE;
    for (int y = 0; y < f->height; y++) {
      const uint8_t *p = f->data[0] + (ptrdiff_t)y * f->linesize[0];
      for (int x = 0; x < f->width; x++, p += 2, to += 3) memset(to, p[high] ? 255 : p[!high], 3);
    }
    return UM_OK;
  }
  if (is_packed(f->format, &step, offset)) {
    for (int y = 0; y < f->height; y++) {
      const uint8_t *p = f->data[0] + (ptrdiff_t)y * f->linesize[0];
      for (int x = 0; x < f->width; x++, p += step, to += 3) to[0] = p[offset[0]], to[1] = p[offset[1]], to[2] = p[offset[2]];
    }
    return UM_OK;
  }
  if (f->format == AV_PIX_FMT_PAL8) {
    for (int y = 0; y < f->height; y++) {
      const uint8_t *p = f->data[0] + (ptrdiff_t)y * f->linesize[0];
      for (int x = 0; x < f->width; x++, to += 3) {
        uint32_t argb;
        memcpy(&argb, f->data[1] + 4 * p[x], 4);
        to[0] = (uint8_t)(argb >> 16), to[1] = (uint8_t)(argb >> 8), to[2] = (uint8_t)argb;
      }
    }
    return UM_OK;
  }
  if (f->format == AV_PIX_FMT_MONOWHITE || f->format == AV_PIX_FMT_MONOBLACK) {
    for (int y = 0; y < f->height; y++) {
      const uint8_t *p = f->data[0] + (ptrdiff_t)y * f->linesize[0];
      for (int x = 0; x < f->width; x++, to += 3) {
        bool set = p[x / 8] >> (7 - x % 8) & 1;
        memset(to, set == (f->format == AV_PIX_FMT_MONOBLACK) ? 255 : 0, 3);
      }
    }
    return UM_OK;
  }
  /* Planes of luma and chroma (lossy WebP, some TIFF) and what else there may be. */
  struct SwsContext *sws = sws_getContext(f->width, f->height, f->format, f->width, f->height, AV_PIX_FMT_RGB24,
                                          SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
  if (!sws) return um_fail(err, UM_EUNSUPPORTED, "%s: pixels of format %s cannot be converted", name, av_get_pix_fmt_name(f->format));
  uint8_t *const plane[4] = {im->pixels};
  const int stride[4] = {3 * f->width};
  int rows = sws_scale(sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, plane, stride);
  sws_freeContext(sws);
  return rows == f->height ? UM_OK : um_fail(err, UM_EINTERNAL, "%s: libswscale did not convert the picture", name);
}

static uint32_t little32(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* FFmpeg decodes what there is of a BMP; Pillow refuses one whose rows are not all there, and so do we. */
static bool is_cut_bmp(const uint8_t *data, size_t size) {
  if (size < 34) return true;
  if (little32(data + 14) < 40 || little32(data + 30) != 0) return false; /* the oldest kind, and compressed ones */
  int64_t width = (int32_t)little32(data + 18), height = (int32_t)little32(data + 22), bits = little32(data + 26) >> 16;
  if (height < 0) height = -height;
  if (width < 1 || width > UM_IMAGE_MAX_PIXELS || height > UM_IMAGE_MAX_PIXELS || bits > 32) return false; /* the decoder refuses it */
  return little32(data + 10) + (width * bits + 31) / 32 * 4 * height > (int64_t)size;
}

static unsigned tiff_number(const uint8_t *p, int bytes, bool big) {
  unsigned n = 0;
  for (int i = 0; i < bytes; i++) n |= (unsigned)p[i] << 8 * (big ? bytes - 1 - i : i);
  return n;
}

/* The Compression tag of a TIFF's first picture; 0 where there is none to find. */
static unsigned tiff_compression(const uint8_t *data, size_t size) {
  bool big = *data == 'M';
  if (size < 8) return 0;
  size_t at = tiff_number(data + 4, 4, big);
  if (at > size || size - at < 2) return 0;
  size_t entries = tiff_number(data + at, 2, big);
  for (at += 2; entries > 0 && size - at >= 12; entries--, at += 12)
    if (tiff_number(data + at, 2, big) == 259) return tiff_number(data + at + 8, 2, big);
  return 0;
}

int um_ffmpeg_decode(um_image *im, const uint8_t *data, size_t size, const char *name, um_error *err) {
  const struct format *format = find_format(data, size);
  if (!format) return um_fail(err, UM_EFORMAT, "%s: expected a picture (PNG, JPEG, BMP, PNM, TIFF, WebP), got something else", name);
  if (format->codec == AV_CODEC_ID_BMP && is_cut_bmp(data, size))
    return um_fail(err, UM_EFORMAT, "%s: not a readable BMP: the file is truncated", name);
  unsigned compression = format->codec == AV_CODEC_ID_TIFF ? tiff_compression(data, size) : 0;
  if (compression == 6 || compression == 7) /* FFmpeg 5 gives black pixels and no error */
    return um_fail(err, UM_EUNSUPPORTED, "%s: a TIFF with JPEG inside cannot be read; store it as PNG", name);
  um_ffmpeg_quiet();
  const AVCodec *codec = avcodec_find_decoder(format->codec);
  if (!codec) return um_fail(err, UM_EUNSUPPORTED, "%s: this FFmpeg has no decoder for %s", name, format->name);
  AVCodecContext *context = avcodec_alloc_context3(codec);
  AVPacket *packet = av_packet_alloc();
  AVFrame *frame = av_frame_alloc();
  int status;
  if (!context || !packet || !frame || av_new_packet(packet, (int)size) < 0) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory to decode %zu bytes", name, size);
    goto done;
  }
  memcpy(packet->data, data, size);
  context->max_pixels = UM_IMAGE_MAX_PIXELS;
  context->thread_count = 1;
  /* TIFF would then refuse a file for a tag that it does not know. */
  if (format->codec != AV_CODEC_ID_TIFF) context->err_recognition = AV_EF_EXPLODE;
  if (avcodec_open2(context, codec, NULL) < 0) {
    status = um_fail(err, UM_EUNSUPPORTED, "%s: FFmpeg's decoder for %s does not start", name, format->name);
  } else {
    int result = avcodec_send_packet(context, packet);
    if (result >= 0) avcodec_send_packet(context, NULL);
    if (result >= 0) result = avcodec_receive_frame(context, frame);
    if (result >= 0 && !frame->decode_error_flags)
      status = convert(im, frame, name, err);
    else
      status = um_fail(err, UM_EFORMAT, "%s: not a readable %s: %s", name, format->name, result < 0 ? av_err2str(result) : "damaged");
  }
done:
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&context);
  return status;
}
