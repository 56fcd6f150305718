#include "tests/support/clip.h"

#include <math.h>
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

/* A tone that rises from packet to packet: no two are alike. */
static void write_sound(const clip *k, AVFormatContext *f, AVCodecContext *c, AVStream *st) {
  const int rate = c->sample_rate, samples = c->frame_size ? c->frame_size : 1024,
            frames = k->sound_ms ? (k->sound_ms * (rate / 1000) + samples - 1) / samples : 20;
  AVFrame *a = av_frame_alloc();
  a->format = c->sample_fmt, a->sample_rate = rate, a->nb_samples = samples;
  need(av_channel_layout_copy(&a->ch_layout, &c->ch_layout), "layout");
  need(av_frame_get_buffer(a, 0), "sound");
  for (int i = 0; i < frames; i++) {
    need(av_frame_make_writable(a), "sound");
    for (int n = 0; n < samples; n++) {
      const double v = 0.5 * sin((200 + 40 * i) * 6.283185307 * n / rate);
      if (c->sample_fmt == AV_SAMPLE_FMT_FLTP)
        ((float *)a->data[0])[n] = (float)v;
      else
        ((int16_t *)a->data[0])[n] = (int16_t)(30000 * v);
    }
    a->pts = (int64_t)i * samples + (int64_t)k->sound_late_ms * rate / 1000;
    need(avcodec_send_frame(c, a), "sound");
    drain(f, c, st, 0);
  }
  av_frame_free(&a);
}

/* Its encoder, and a stream for it. */
static AVCodecContext *open_sound(const clip *k, AVFormatContext *f, AVStream **st) {
  const AVCodec *codec = avcodec_find_encoder_by_name(k->sound ? k->sound : "aac");
  if (!codec) need(AVERROR_ENCODER_NOT_FOUND, "encoder of sound");
  AVCodecContext *c = avcodec_alloc_context3(codec);
  *st = avformat_new_stream(f, NULL);
  c->sample_fmt = strncmp(codec->name, "pcm_s16", 7) ? AV_SAMPLE_FMT_FLTP : AV_SAMPLE_FMT_S16, c->sample_rate = 48000, c->bit_rate = 64000;
  c->time_base = (AVRational){1, c->sample_rate};
  av_channel_layout_default(&c->ch_layout, 1);
  c->flags |= AV_CODEC_FLAG_BITEXACT;
  if (f->oformat->flags & AVFMT_GLOBALHEADER) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  need(avcodec_open2(c, codec, NULL), "encoder of sound");
  need(avcodec_parameters_from_context((*st)->codecpar, c), "stream");
  (*st)->time_base = c->time_base;
  return c;
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

static AVCodecContext *open_pictures(const clip *k, AVFormatContext *f, AVStream **stream) {
  const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
  if (!codec) need(AVERROR_ENCODER_NOT_FOUND, "encoder");
  AVStream *st = *stream = avformat_new_stream(f, NULL);
  AVCodecContext *c = avcodec_alloc_context3(codec);
  c->width = k->width, c->height = k->height, c->pix_fmt = AV_PIX_FMT_YUV420P;
  c->time_base = (AVRational){1, TICKS};
  c->framerate = (AVRational){k->rate, 1};
  c->max_b_frames = k->b_frames;
  c->gop_size = 12;
  c->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  c->global_quality = 2 * FF_QP2LAMBDA;
  c->thread_count = 1;
  if (k->sar_num) c->sample_aspect_ratio = st->sample_aspect_ratio = (AVRational){k->sar_num, k->sar_den};
  if (f->oformat->flags & AVFMT_GLOBALHEADER) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  need(avcodec_open2(c, codec, NULL), "encoder");
  need(avcodec_parameters_from_context(st->codecpar, c), "stream");
  st->time_base = c->time_base, st->avg_frame_rate = c->framerate;
  if (k->turn || k->mirror) {
    int32_t m[9];
    av_display_rotation_set(m, k->turn);
    if (k->mirror) av_display_matrix_flip(m, 1, 0);
    um_ffmpeg_set_display_matrix(st, m);
  }
  return c;
}

void clip_write(const clip *k) {
  AVFormatContext *f = NULL;
  AVDictionary *options = NULL;
  AVStream *pictures = NULL, *sound = NULL;
  um_ffmpeg_quiet();
  need(avformat_alloc_output_context2(&f, NULL, NULL, k->path), k->path);
  AVCodecContext *p = k->sound_only ? NULL : open_pictures(k, f, &pictures),
                 *s = k->sound_only || k->sound ? open_sound(k, f, &sound) : NULL;
  if (k->faststart) av_dict_set(&options, "movflags", "+faststart", 0);
  need(avio_open(&f->pb, k->path, AVIO_FLAG_WRITE), k->path);
  need(avformat_write_header(f, &options), k->path);
  if (s) write_sound(k, f, s, sound);
  if (p) write_pictures(k, f, p, pictures);
  if (s) avcodec_send_frame(s, NULL), drain(f, s, sound, 0);
  if (p) avcodec_send_frame(p, NULL), drain(f, p, pictures, 0);
  need(av_write_trailer(f), k->path);
  avio_closep(&f->pb);
  av_dict_free(&options);
  avcodec_free_context(&s), avcodec_free_context(&p);
  avformat_free_context(f);
}
