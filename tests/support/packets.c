#include "tests/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/ffmpeg.h"

static int by_time(const void *a, const void *b) {
  const double x = ((const packet *)a)->time_s, y = ((const packet *)b)->time_s;
  return x < y ? -1 : x > y;
}

void packets_read(packets *p, const char *path, char kind, int n) {
  AVFormatContext *f = NULL;
  AVPacket *packet_in = av_packet_alloc();
  int index = -1, capacity = 0;
  double begin = INFINITY;
  *p = (packets){0};
  um_ffmpeg_quiet();
  if (avformat_open_input(&f, path, NULL, NULL) < 0) fail_msg("%s does not open", path);
  assert_true(avformat_find_stream_info(f, NULL) >= 0);
  for (unsigned i = 0; i < f->nb_streams; i++)
    if (f->streams[i]->codecpar->codec_type == (kind == 'v' ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO) && n-- == 0) index = (int)i;
  if (index >= 0) {
    const AVStream *st = f->streams[index];
    snprintf(p->codec, sizeof p->codec, "%s", avcodec_get_name(st->codecpar->codec_id));
    p->length_s = st->duration == AV_NOPTS_VALUE ? 0 : (double)st->duration * av_q2d(st->time_base);
    p->width = st->codecpar->width, p->height = st->codecpar->height;
  }
  while (av_read_frame(f, packet_in) >= 0) {
    const AVStream *of = f->streams[packet_in->stream_index];
    if (of->codecpar->codec_type == AVMEDIA_TYPE_VIDEO) begin = fmin(begin, (double)packet_in->pts * av_q2d(of->time_base));
    if (packet_in->stream_index == index) {
      const double tick = av_q2d(of->time_base);
      if (p->count == capacity) p->at = realloc(p->at, (size_t)(capacity = 2 * capacity + 64) * sizeof *p->at);
      assert_non_null(p->at);
      packet *to = &p->at[p->count++];
      *to = (packet){(double)packet_in->pts * tick, (double)packet_in->duration * tick, packet_in->size, {0}};
      um_sha256(to->sha256, packet_in->data, (size_t)packet_in->size);
    }
    av_packet_unref(packet_in);
  }
  p->begin_s = isfinite(begin) ? begin : 0;
  if (kind == 'v' && p->count) qsort(p->at, (size_t)p->count, sizeof *p->at, by_time);
  av_packet_free(&packet_in);
  avformat_close_input(&f);
}

void packets_free(packets *p) {
  free(p->at);
  *p = (packets){0};
}

void packets_same(const packets *a, const packets *b, double late) {
  assert_string_equal(a->codec, b->codec);
  assert_int_equal(a->count, b->count);
  for (int i = 0; i < a->count; i++) {
    assert_int_equal(a->at[i].size, b->at[i].size);
    assert_memory_equal(a->at[i].sha256, b->at[i].sha256, 32);
    const double x = a->at[i].time_s - a->begin_s, y = b->at[i].time_s - b->begin_s;
    if (fabs(x - y) > late) fail_msg("packet %d at %.6f s and %.6f s", i, x, y);
  }
}
