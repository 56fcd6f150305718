#include "data/video_sound.h"

#include <stdio.h>
#include <stdlib.h>

#include <libavutil/mathematics.h>

enum { ERRORS_MAX = 1000 }; /* failed reads in a row before the sound is given up */

/* Those that the container cannot hold are named once each. */
static void leave_out(um_sound *s, const char *name) {
  size_t used = strlen(s->names);
  s->left_out++;
  if (!strstr(s->names, name)) snprintf(s->names + used, sizeof s->names - used, "%s%s", used ? ", " : "", name);
}

static int add_stream(um_sound *s, AVFormatContext *out, unsigned i, um_error *err) {
  AVStream *in = s->from->streams[i];
  const AVCodecParameters *par = in->codecpar;
  s->stream[i] = (um_sound_stream){.to = -1, .last_dts = AV_NOPTS_VALUE, .remainder = AV_NOPTS_VALUE};
  in->discard = AVDISCARD_ALL;
  if (par->codec_type != AVMEDIA_TYPE_AUDIO) return UM_OK;
  if (par->sample_rate <= 0 || avformat_query_codec(out->oformat, par->codec_id, FF_COMPLIANCE_EXPERIMENTAL) != 1) {
    leave_out(s, avcodec_get_name(par->codec_id));
    return UM_OK;
  }
  AVStream *st = avformat_new_stream(out, NULL);
  if (!st || avcodec_parameters_copy(st->codecpar, par) < 0) return um_fail(err, UM_ENOMEM, "%s: no memory to copy its sound", s->path);
  st->codecpar->codec_tag = 0; /* every container has its own */
  st->time_base = (AVRational){1, par->sample_rate};
  st->disposition = in->disposition;
  const AVDictionaryEntry *language = av_dict_get(in->metadata, "language", NULL, 0);
  if (language) av_dict_set(&st->metadata, "language", language->value, 0);
  in->discard = AVDISCARD_DEFAULT;
  s->stream[i].to = st->index;
  s->copied++;
  return UM_OK;
}

int um_sound_open(um_sound *s, AVFormatContext *out, const char *path, int64_t shift, AVRational unit, um_error *err) {
  int rc = um_ffmpeg_open(&s->from, path, err);
  if (rc) return rc;
  s->path = path, s->shift = shift, s->unit = unit;
  s->packet = av_packet_alloc();
  s->stream = calloc(s->from->nb_streams + 1u, sizeof *s->stream);
  if (!s->packet || !s->stream) return um_fail(err, UM_ENOMEM, "%s: no memory to copy its sound", path);
  for (unsigned i = 0; !rc && i < s->from->nb_streams; i++) rc = add_stream(s, out, i, err);
  return rc;
}

/* Reads up to the next packet of a stream that is copied; false at the end. */
static bool next(um_sound *s) {
  for (int errors = 0; !s->pending && !s->ended;) {
    const int r = av_read_frame(s->from, s->packet);
    if (r == AVERROR_EOF || r == AVERROR(EIO) || (r < 0 && ++errors > ERRORS_MAX)) s->ended = true;
    if (r < 0) continue;
    const int i = s->packet->stream_index; /* a stream may turn up late, when it can no longer be copied */
    s->pending = i >= 0 && (unsigned)i < s->from->nb_streams && s->from->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO &&
                 s->from->streams[i]->discard != AVDISCARD_ALL && s->stream[i].to >= 0;
    if (!s->pending) av_packet_unref(s->packet);
  }
  return s->pending;
}

/* Times in the output's clock. As ffmpeg's own copying does: a clock coarser than samples is smoothed by what the packets last. */
static void settle_times(um_sound *s, const AVStream *in, const AVStream *to, um_sound_stream *of) {
  AVPacket *p = s->packet;
  const int64_t shift = av_rescale_q(s->shift, s->unit, in->time_base);
  int lasts = av_get_audio_frame_duration2(in->codecpar, p->size);
  if (!lasts) lasts = in->codecpar->frame_size;
  int64_t at = p->dts != AV_NOPTS_VALUE ? p->dts : p->pts;
  if (at == AV_NOPTS_VALUE)
    at = of->last_dts == AV_NOPTS_VALUE
             ? 0
             : of->last_dts + (lasts > 0 ? av_rescale_q(lasts, (AVRational){1, in->codecpar->sample_rate}, to->time_base) : 1);
  else if (lasts > 0)
    at = av_rescale_delta(in->time_base, at - shift, (AVRational){1, in->codecpar->sample_rate}, lasts, &of->remainder, to->time_base);
  else
    at = av_rescale_q(at - shift, in->time_base, to->time_base);
  if (of->last_dts != AV_NOPTS_VALUE && at <= of->last_dts) at = of->last_dts + 1;
  p->pts = p->dts = of->last_dts = at;
  p->duration = av_rescale_q(p->duration, in->time_base, to->time_base);
  p->pos = -1, p->stream_index = to->index;
}

int um_sound_until(um_sound *s, AVFormatContext *out, double second) {
  while (s->from && next(s)) {
    const int i = s->packet->stream_index;
    const AVStream *in = s->from->streams[i];
    const int64_t at = s->packet->dts != AV_NOPTS_VALUE ? s->packet->dts : s->packet->pts;
    if (at != AV_NOPTS_VALUE && (double)at * av_q2d(in->time_base) - (double)s->shift * av_q2d(s->unit) >= second) return 0;
    settle_times(s, in, out->streams[s->stream[i].to], &s->stream[i]);
    s->pending = false;
    const int r = av_interleaved_write_frame(out, s->packet); /* takes the packet's data */
    if (r == AVERROR_INVALIDDATA || r == AVERROR(EINVAL))
      s->damaged++; /* as of a recording of bad reception: the rest of the sound is worth having */
    else if (r < 0)
      return r;
  }
  return 0;
}

void um_sound_close(um_sound *s) {
  avformat_close_input(&s->from);
  av_packet_free(&s->packet);
  free(s->stream);
  *s = (um_sound){0};
}
