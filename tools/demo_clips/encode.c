#include "tools/demo_clips/encode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

struct encoder {
  char path[4096], temporary[4104];
  AVFormatContext *file;
  AVCodecContext *codec;
  AVFrame *frame;
  AVPacket *packet;
  struct SwsContext *convert;
  int64_t count;
  bool finished;
};

static const AVCodec *find(void) {
  static const char *const names[] = {"libx264", "libopenh264", "mpeg4"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const AVCodec *c = avcodec_find_encoder_by_name(names[i]);
    if (c) return c;
  }
  return NULL;
}

const char *encoder_name(void) {
  const AVCodec *c = find();
  return c ? c->name : NULL;
}

static int fail(um_error *err, const encoder *e, const char *what, int rc) {
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(rc, text, sizeof text);
  return um_fail(err,
                 rc == AVERROR(ENOMEM)                                                     ? UM_ENOMEM
                 : rc == AVERROR(ENOSPC) || rc == AVERROR(EACCES) || rc == AVERROR(ENOENT) ? UM_EIO
                                                                                           : UM_EINTERNAL,
                 "%s: %s: %s", e->path, what, text);
}

int encoder_open(encoder **out, const char *path, int width, int height, int fps, um_error *err) {
  const AVCodec *codec = find();
  if (!codec) return um_fail(err, UM_EUNSUPPORTED, "this libavcodec has no H.264 or MPEG-4 encoder; install one built with libx264");
  encoder *e = calloc(1, sizeof *e);
  if (!e) return um_fail(err, UM_ENOMEM, "no memory for an encoder");
  AVDictionary *options = NULL;
  int rc = UM_OK;
  if (snprintf(e->path, sizeof e->path, "%s", path) >= (int)sizeof e->path) {
    rc = um_fail(err, UM_EIO, "%.200s...: the path is too long", path);
    goto done;
  }
  snprintf(e->temporary, sizeof e->temporary, "%s.part", path);
  rc = avformat_alloc_output_context2(&e->file, NULL, "mp4", e->temporary);
  if (rc < 0) {
    rc = fail(err, e, "opening an MP4 file", rc);
    goto done;
  }
  e->file->flags |= AVFMT_FLAG_BITEXACT; /* no date and no version in the file: the same seed gives the same bytes */
  AVStream *stream = avformat_new_stream(e->file, NULL);
  e->codec = avcodec_alloc_context3(codec);
  e->frame = av_frame_alloc();
  e->packet = av_packet_alloc();
  e->convert = sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                              SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
  if (!stream || !e->codec || !e->frame || !e->packet || !e->convert) {
    rc = um_fail(err, UM_ENOMEM, "%s: no memory for an encoder of %d x %d", path, width, height);
    goto done;
  }
  AVCodecContext *c = e->codec;
  c->width = width, c->height = height, c->pix_fmt = AV_PIX_FMT_YUV420P;
  c->time_base = (AVRational){1, fps}, c->framerate = (AVRational){fps, 1};
  c->gop_size = 2 * fps, c->thread_count = 1; /* the clips run in parallel; one thread each is also what keeps the bytes the same */
  c->flags |= AV_CODEC_FLAG_BITEXACT;
  if (e->file->oformat->flags & AVFMT_GLOBALHEADER) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (!strcmp(codec->name, "libx264")) {
    av_dict_set(&options, "preset", "veryfast", 0);
    av_dict_set(&options, "crf", "22", 0);
  } else {
    c->bit_rate = (int64_t)width * height * fps / 5;
  }
  rc = avcodec_open2(c, codec, &options);
  if (rc < 0) {
    rc = fail(err, e, codec->name, rc);
    goto done;
  }
  stream->time_base = c->time_base, stream->avg_frame_rate = c->framerate;
  e->frame->format = c->pix_fmt, e->frame->width = width, e->frame->height = height;
  rc = avcodec_parameters_from_context(stream->codecpar, c);
  if (rc >= 0) rc = av_frame_get_buffer(e->frame, 0);
  if (rc >= 0) rc = avio_open(&e->file->pb, e->temporary, AVIO_FLAG_WRITE);
  if (rc >= 0) rc = avformat_write_header(e->file, NULL);
  rc = rc < 0 ? fail(err, e, "opening it for writing", rc) : UM_OK;
done:
  av_dict_free(&options);
  if (rc) encoder_close(e), e = NULL;
  *out = e;
  return rc;
}

/* frame NULL: no more are to come. */
static int send(encoder *e, const AVFrame *frame, um_error *err) {
  AVStream *stream = e->file->streams[0];
  int rc = avcodec_send_frame(e->codec, frame);
  if (rc < 0) return fail(err, e, "encoding", rc);
  for (;;) {
    rc = avcodec_receive_packet(e->codec, e->packet);
    if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return UM_OK;
    if (rc < 0) return fail(err, e, "encoding", rc);
    e->packet->duration = 1;
    av_packet_rescale_ts(e->packet, e->codec->time_base, stream->time_base);
    e->packet->stream_index = 0;
    rc = av_interleaved_write_frame(e->file, e->packet);
    if (rc < 0) return fail(err, e, "writing", rc);
  }
}

int encoder_frame(encoder *e, const uint8_t *rgb, um_error *err) {
  int rc = av_frame_make_writable(e->frame);
  if (rc < 0) return fail(err, e, "encoding", rc);
  const uint8_t *const from[4] = {rgb};
  const int stride[4] = {3 * e->codec->width};
  sws_scale(e->convert, from, stride, 0, e->codec->height, e->frame->data, e->frame->linesize);
  e->frame->pts = e->count++;
  return send(e, e->frame, err);
}

int encoder_finish(encoder *e, um_error *err) {
  int rc = send(e, NULL, err);
  if (rc) return rc;
  rc = av_write_trailer(e->file);
  int closed = avio_closep(&e->file->pb);
  if (rc < 0 || closed < 0) return fail(err, e, "writing", rc < 0 ? rc : closed);
  if (rename(e->temporary, e->path)) return um_fail(err, UM_EIO, "%s: renaming it into place: %s", e->path, strerror(errno));
  e->finished = true;
  return UM_OK;
}

void encoder_close(encoder *e) {
  if (!e) return;
  bool opened = e->file && (e->file->pb || e->count > 0);
  if (e->file && e->file->pb) avio_closep(&e->file->pb);
  if (opened && !e->finished) unlink(e->temporary);
  sws_freeContext(e->convert);
  av_packet_free(&e->packet);
  av_frame_free(&e->frame);
  avcodec_free_context(&e->codec);
  avformat_free_context(e->file);
  free(e);
}
