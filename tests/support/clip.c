#include "tests/support/clip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>

#include "data/ffmpeg.h"

#define TICKS 600

static void need(int r, const char *what) {
  if (r >= 0) return;
  fprintf(stderr, "clip: %s: %s\n", what, av_err2str(r));
  exit(1);
}

int clip_level(int i) { return 20 + 14 * (i % 16); }

int clip_index(const uint8_t *grey, int width, int height, int stride) {
  int64_t sum = 0;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) sum += grey[(int64_t)y * stride + x];
  double mean = (double)sum / width / height;
  return (int)((mean - 20) / 14 + 0.5);
}

/* late: seconds added to the packets' times. */
static void drain(AVFormatContext *f, AVCodecContext *c, AVStream *st, int late) {
  AVPacket *p = av_packet_alloc();
  while (avcodec_receive_packet(c, p) == 0) {
    if (p->duration == 0 && c->framerate.num) p->duration = av_rescale_q(1, av_inv_q(c->framerate), c->time_base);
    av_packet_rescale_ts(p, c->time_base, st->time_base);
    p->pts += av_rescale_q(late, (AVRational){1, 1}, st->time_base), p->dts += av_rescale_q(late, (AVRational){1, 1}, st->time_base);
    p->stream_index = st->index;
    need(av_interleaved_write_frame(f, p), "packet");
  }
  av_packet_free(&p);
}

static void write_sound(AVFormatContext *f, AVCodecContext *c, AVStream *st) {
  AVFrame *a = av_frame_alloc();
  a->format = c->sample_fmt, a->sample_rate = c->sample_rate, a->nb_samples = 1024;
  need(av_channel_layout_copy(&a->ch_layout, &c->ch_layout), "layout");
  need(av_frame_get_buffer(a, 0), "sound");
  memset(a->data[0], 0, (size_t)a->linesize[0]);
  for (int i = 0; i < 20; i++) {
    a->pts = i * 1024;
    need(avcodec_send_frame(c, a), "sound");
    drain(f, c, st, 0);
  }
  av_frame_free(&a);
}

static void write_pictures(const clip *k, AVFormatContext *f, AVCodecContext *c, AVStream *st) {
  AVFrame *v = av_frame_alloc();
  uint8_t *grey = malloc((size_t)k->width * (size_t)k->height);
  v->format = c->pix_fmt, v->width = k->width, v->height = k->height;
  need(av_frame_get_buffer(v, 0), "picture");
  for (int i = 0; i < k->frames; i++) {
    need(av_frame_make_writable(v), "picture");
    if (k->draw)
      k->draw(grey, k->width, k->height, i, k->arg);
    else
      memset(grey, clip_level(i), (size_t)k->width * (size_t)k->height);
    for (int y = 0; y < k->height; y++) /* full range to 16..235 */
      for (int x = 0; x < k->width; x++) v->data[0][y * v->linesize[0] + x] = (uint8_t)(16 + (grey[y * k->width + x] * 219 + 127) / 255);
    for (int p = 1; p < 3; p++)
      for (int y = 0; y < (k->height + 1) / 2; y++) memset(v->data[p] + y * v->linesize[p], 128, (size_t)(k->width + 1) / 2);
    v->pts = k->time ? k->time[i] : (int64_t)i * TICKS / k->rate;
    need(avcodec_send_frame(c, v), "picture");
    drain(f, c, st, i + 1 == k->frames ? k->last_late_s : 0);
  }
  free(grey);
  av_frame_free(&v);
}

void clip_write(const clip *k) {
  AVFormatContext *f = NULL;
  AVDictionary *options = NULL;
  um_ffmpeg_quiet();
  need(avformat_alloc_output_context2(&f, NULL, NULL, k->path), k->path);
  const AVCodec *codec = avcodec_find_encoder(k->sound_only ? AV_CODEC_ID_AAC : AV_CODEC_ID_MPEG4);
  if (!codec) need(AVERROR_ENCODER_NOT_FOUND, "encoder");
  AVStream *st = avformat_new_stream(f, NULL);
  AVCodecContext *c = avcodec_alloc_context3(codec);
  if (k->sound_only) {
    c->sample_fmt = AV_SAMPLE_FMT_FLTP, c->sample_rate = 44100, c->bit_rate = 64000;
    c->time_base = (AVRational){1, 44100};
    av_channel_layout_default(&c->ch_layout, 1);
  } else {
    c->width = k->width, c->height = k->height, c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){1, TICKS};
    c->framerate = (AVRational){k->rate, 1};
    c->max_b_frames = k->b_frames;
    c->gop_size = 12;
    c->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    c->global_quality = 2 * FF_QP2LAMBDA;
    c->thread_count = 1;
    if (k->sar_num) c->sample_aspect_ratio = st->sample_aspect_ratio = (AVRational){k->sar_num, k->sar_den};
  }
  if (f->oformat->flags & AVFMT_GLOBALHEADER) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  need(avcodec_open2(c, codec, NULL), "encoder");
  need(avcodec_parameters_from_context(st->codecpar, c), "stream");
  st->time_base = c->time_base;
  if (!k->sound_only) st->avg_frame_rate = c->framerate;
  if (k->turn || k->mirror) {
    int32_t m[9];
    av_display_rotation_set(m, k->turn);
    if (k->mirror) av_display_matrix_flip(m, 1, 0);
    um_ffmpeg_set_display_matrix(st, m);
  }
  if (k->faststart) av_dict_set(&options, "movflags", "+faststart", 0);
  need(avio_open(&f->pb, k->path, AVIO_FLAG_WRITE), k->path);
  need(avformat_write_header(f, &options), k->path);
  if (k->sound_only)
    write_sound(f, c, st);
  else
    write_pictures(k, f, c, st);
  avcodec_send_frame(c, NULL);
  drain(f, c, st, 0);
  need(av_write_trailer(f), k->path);
  avio_closep(&f->pb);
  av_dict_free(&options);
  avcodec_free_context(&c);
  avformat_free_context(f);
}
