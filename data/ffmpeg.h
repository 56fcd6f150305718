/* The one place for what differs between FFmpeg 5 (libavcodec 59), 6 (60) and 7 (61), and for its logger, which is global. */
#ifndef UM_DATA_FFMPEG_H
#define UM_DATA_FFMPEG_H

#include <stdbool.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>

#include "core/error.h"

/* FFmpeg prints to stderr by default; our errors say what it returns instead. Setting it again is harmless. */
static inline void um_ffmpeg_quiet(void) { av_log_set_level(AV_LOG_QUIET); }

/* ffmpeg_open.c: opens a file for reading and finds its streams. Only that file is opened, whatever it refers to: UM_EFORMAT for a list of
 * others, and for what is no video or sound. */
int um_ffmpeg_open(AVFormatContext **out, const char *path, um_error *err);

/* The stream's display matrix (9 numbers), or NULL. 6.1 moved it from the stream to its codec parameters. */
static inline const int32_t *um_ffmpeg_display_matrix(const AVStream *st) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
  const AVPacketSideData *d =
      av_packet_side_data_get(st->codecpar->coded_side_data, st->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  return d && d->size >= 9 * sizeof(int32_t) ? (const int32_t *)d->data : NULL;
#else
  size_t size = 0;
  const uint8_t *d = av_stream_get_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, &size);
  return d && size >= 9 * sizeof(int32_t) ? (const int32_t *)d : NULL;
#endif
}

/* Gives an output stream one (false: no memory). */
static inline bool um_ffmpeg_set_display_matrix(AVStream *st, const int32_t m[9]) {
  size_t size = 9 * sizeof *m;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
  AVCodecParameters *par = st->codecpar;
  AVPacketSideData *d = av_packet_side_data_new(&par->coded_side_data, &par->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX, size, 0);
  uint8_t *to = d ? d->data : NULL;
#else
  uint8_t *to = av_stream_new_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, size);
#endif
  if (to) memcpy(to, m, size);
  return to != NULL;
}

/* How long a frame is shown, in units of its time base; 0 where unknown. Renamed in 6.0. */
static inline int64_t um_ffmpeg_duration(const AVFrame *f) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  return f->duration;
#else
  return f->pkt_duration;
#endif
}

/* What an AVIOContext of ours is given to write; const since 7.0. */
#if LIBAVFORMAT_VERSION_MAJOR >= 61
typedef const uint8_t um_ffmpeg_written;
#else
typedef uint8_t um_ffmpeg_written;
#endif

/* Since 7.0 a filter graph is told colours at its source as well; before, frames alone carry them. */
static inline void um_ffmpeg_source_colours(AVBufferSrcParameters *p, const AVFrame *f) {
#if LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(9, 16, 100)
  p->color_space = f->colorspace;
  p->color_range = f->color_range;
#else
  (void)p, (void)f;
#endif
}

#endif
