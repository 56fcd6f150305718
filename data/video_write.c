#include "data/video_write.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include <libavutil/avstring.h>
#include <libavutil/mathematics.h>
#include <libswscale/swscale.h>

#include "core/file.h"
#include "core/log.h"
#include "data/ffmpeg.h"
#include "data/video_sound.h"

enum { BUFFER = 1 << 16, SIDE_MAX = 16384, CLOCK_MAX = 1000000 };

/* A picture that the encoder has not given back yet. */
typedef struct pending {
  int64_t pts, tick, duration; /* pts: in the codec's time base */
} pending;

struct um_video_writer {
  um_writer file;
  int failed; /* errno of a write that failed */
  AVFormatContext *mux;
  AVIOContext *io;
  AVCodecContext *codec;
  AVFrame *frame;
  AVPacket *packet;
  struct SwsContext *convert;
  AVRational tick;
  bool reorders; /* x264 is given real times; the others, which reorder nothing, numbers of pictures */
  int width, height;
  AVFrame *picture; /* a picture's copy: swscale reads some bytes beyond its end */
  um_sound sound;
  pending *waiting;
  int waits, capacity;
  int64_t last, count;
  AVPacket *kept; /* the newest, not written yet: how long the last one lasts is known at the end */
  int64_t first_pts, first_dts, end;
  bool keeps;
};

static const char *const encoders[] = {"libx264", "libopenh264", "mpeg4"};

const char *um_video_encoder(void) {
  for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++)
    if (avcodec_find_encoder_by_name(encoders[i])) return encoders[i];
  return NULL;
}

static int fail(um_video_writer *w, const char *what, int rc, um_error *err) {
  if (w->failed) return um_fail(err, UM_EIO, "%s: cannot write: %s; nothing was changed", w->file.path, strerror(w->failed));
  return um_fail(err, rc == AVERROR(ENOMEM) ? UM_ENOMEM : UM_EINTERNAL, "%s: %s: %s", w->file.path, what, av_err2str(rc));
}

/* The file goes through core/file.h's writer. */
static int write_bytes(void *arg, um_ffmpeg_written *data, int size) {
  um_video_writer *w = arg;
  if (w->failed) return AVERROR(w->failed);
  errno = 0;
  if (fwrite(data, 1, (size_t)size, w->file.file) == (size_t)size) return size;
  w->failed = errno ? errno : EIO;
  return AVERROR(w->failed);
}

static int64_t seek_bytes(void *arg, int64_t offset, int whence) {
  um_video_writer *w = arg;
  struct stat st;
  if (whence == AVSEEK_SIZE) return fstat(fileno(w->file.file), &st) ? AVERROR(errno) : st.st_size;
  return fseeko(w->file.file, offset, whence & ~AVSEEK_FORCE) ? AVERROR(errno) : ftello(w->file.file);
}

static int open_file(um_video_writer *w, const char *path, um_error *err) {
  const char *dot = strrchr(path, '.'), *format = "mp4";
  if (dot && !strcasecmp(dot, ".mkv")) format = "matroska";
  if (dot && !strcasecmp(dot, ".mov")) format = "mov";
  int rc = um_writer_open(&w->file, path, err);
  if (rc) return rc;
  if (!w->file.temporary[0]) return um_fail(err, UM_EIO, "%s: a video needs a file that can be written out of order", path);
  setvbuf(w->file.file, NULL, _IONBF, 0); /* FFmpeg reads it again through its own handle to put the index in front */
  rc = avformat_alloc_output_context2(&w->mux, NULL, format, NULL);
  if (rc < 0) return fail(w, "FFmpeg's muxer", rc, err);
  uint8_t *buffer = av_malloc(BUFFER);
  w->io = buffer ? avio_alloc_context(buffer, BUFFER, 1, w, NULL, write_bytes, seek_bytes) : NULL;
  if (!w->io) av_free(buffer);
  if (!w->io || !(w->mux->url = av_asprintf("file:%s", w->file.temporary)))
    return um_fail(err, UM_ENOMEM, "%s: no memory for a video", path);
  w->mux->pb = w->io;
  w->mux->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT; /* no date and no version in the file: the same pictures, the same bytes */
  w->mux->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;  /* sound that MP4 holds by newer standards */
  return UM_OK;
}

/* Other encoders than x264, by rules of thumb: six steps of crf double the bits; MPEG-4's quantizer doubles with them. */
static void set_quality(AVCodecContext *c, AVDictionary **options, const um_video_write_options *o, double rate) {
  char text[32];
  const char *name = c->codec->name;
  if (!strcmp(name, "libx264")) {
    snprintf(text, sizeof text, "%.2f", o->crf);
    av_dict_set(options, "crf", text, 0);
    av_dict_set(options, "preset", o->preset ? o->preset : "medium", 0);
#if defined __x86_64__
    /* x264 0.164's AVX-512 code takes memory that nobody wrote into the weights of blocks: its bytes change from run to run. */
    if (__builtin_cpu_supports("avx512f")) av_dict_set(options, "x264-params", "asm=avx2", 0);
#endif
  } else if (!strcmp(name, "mpeg4")) {
    c->flags |= AV_CODEC_FLAG_QSCALE;
    c->global_quality = (int)lrint(FF_QP2LAMBDA * fmin(31, fmax(1, exp2((o->crf - 12) / 6))));
  } else {
    c->bit_rate = (int64_t)(fmax(o->width * (double)o->height * rate / 5, 1000) * exp2((22 - o->crf) / 6));
  }
}

static int matrix_of(const um_video_write_options *o) {
  const int m = o->colours.matrix;
  return m == AVCOL_SPC_BT709 || m == AVCOL_SPC_FCC || m == AVCOL_SPC_BT470BG || m == AVCOL_SPC_SMPTE170M || m == AVCOL_SPC_SMPTE240M ||
                 m == AVCOL_SPC_BT2020_NCL
             ? m
             : AVCOL_SPC_UNSPECIFIED;
}
static int said(int code) { return code > 0 ? code : 2; }

/* FFmpeg's error; the codec is freed then. */
static int open_codec(um_video_writer *w, const AVCodec *codec, const um_video_write_options *o) {
  const double rate = o->rate > 0 ? o->rate : (double)o->tick_den / o->tick_num;
  AVDictionary *options = NULL;
  AVCodecContext *c = w->codec = avcodec_alloc_context3(codec);
  if (!c) return AVERROR(ENOMEM);
  w->reorders = !strcmp(codec->name, "libx264");
  c->width = w->width, c->height = w->height, c->pix_fmt = AV_PIX_FMT_YUV420P;
  c->framerate = o->rate > 0 ? av_d2q(fmin(fmax(rate, .01), 1000), 60000) : av_inv_q(w->tick);
  c->time_base = w->reorders ? w->tick : (AVRational){1, (int)lrint(fmin(fmax(rate, 1), 1000))};
  c->gop_size = (int)fmax(1, lrint(fmin(2 * rate, 600)));
  c->thread_count = o->threads, c->max_b_frames = w->reorders ? -1 : 0;
  c->flags |= AV_CODEC_FLAG_BITEXACT;
  if (w->mux->oformat->flags & AVFMT_GLOBALHEADER) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  c->colorspace = matrix_of(o);
  c->color_primaries = said(o->colours.primaries), c->color_trc = said(o->colours.transfer);
  set_quality(c, &options, o, rate);
  const int rc = avcodec_open2(c, codec, &options);
  av_dict_free(&options);
  if (rc < 0) avcodec_free_context(&w->codec);
  return rc;
}

/* A build of FFmpeg may know the name of an encoder that does not start: the next one is tried then. */
static int open_encoder(um_video_writer *w, const um_video_write_options *o, um_error *err) {
  int rc = AVERROR_ENCODER_NOT_FOUND;
  const char *asked = "an H.264 encoder", *name = NULL;
  if (o->encoder) {
    const AVCodec *codec = avcodec_find_encoder_by_name(o->encoder);
    asked = o->encoder;
    if (codec) rc = open_codec(w, codec, o);
  }
  for (size_t i = 0; !o->encoder && rc < 0 && i < sizeof encoders / sizeof *encoders; i++) {
    const AVCodec *codec = avcodec_find_encoder_by_name(encoders[i]);
    if (codec) rc = open_codec(w, codec, o), name = encoders[i];
  }
  if (rc == AVERROR(ENOMEM)) return um_fail(err, UM_ENOMEM, "%s: no memory for an encoder of %d x %d", w->file.path, w->width, w->height);
  if (rc < 0)
    return um_fail(err, UM_EUNSUPPORTED,
                   "%s: expected %s in this FFmpeg, got none that takes %d x %d (%s): install FFmpeg's libraries with libx264",
                   w->file.path, asked, w->width, w->height, av_err2str(rc));
  if (name && name != encoders[0])
    um_log_once(UM_LOG_WARN, "this FFmpeg has no libx264: videos are encoded with %s%s", name,
                strcmp(name, "mpeg4") ? "" : ", which is no H.264");
  return UM_OK;
}

/* MP4 says when a stream begins in the file's own clock: one that holds the pictures' times exactly, and where that is no odd number the
 * sound's, too. */
static void set_clock(um_video_writer *w, AVDictionary **options) {
  int64_t clock = w->mux->streams[0]->time_base.den;
  while (clock < 10000) clock *= 2; /* as the muxer does */
  for (unsigned i = 1; i < w->mux->nb_streams; i++) {
    const int64_t rate = w->mux->streams[i]->time_base.den, both = clock / av_gcd(clock, rate) * rate;
    if (both <= CLOCK_MAX) clock = both;
  }
  av_dict_set_int(options, "movie_timescale", clock, 0);
  av_dict_set(options, "movflags", "+faststart", 0); /* a player may begin before it has all */
}

static int open_streams(um_video_writer *w, const um_video_write_options *o, um_error *err) {
  AVDictionary *options = NULL;
  AVStream *st = avformat_new_stream(w->mux, NULL);
  w->frame = av_frame_alloc(), w->picture = av_frame_alloc(), w->packet = av_packet_alloc(), w->kept = av_packet_alloc();
  w->convert = sws_getContext(w->width, w->height, AV_PIX_FMT_RGB24, w->width, w->height, AV_PIX_FMT_YUV420P,
                              SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
  int rc = open_encoder(w, o, err);
  if (rc) return rc;
  if (!st || !w->frame || !w->picture || !w->packet || !w->kept || !w->convert ||
      avcodec_parameters_from_context(st->codecpar, w->codec) < 0)
    return um_fail(err, UM_ENOMEM, "%s: no memory for a video of %d x %d", w->file.path, w->width, w->height);
  const int *full = sws_getCoefficients(SWS_CS_DEFAULT),
            *matrix = sws_getCoefficients(matrix_of(o) == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : matrix_of(o));
  sws_setColorspaceDetails(w->convert, full, 1, matrix, 0, 0, 1 << 16, 1 << 16);
  w->frame->format = AV_PIX_FMT_YUV420P, w->frame->width = w->width, w->frame->height = w->height;
  w->picture->format = AV_PIX_FMT_RGB24, w->picture->width = w->width, w->picture->height = w->height;
  if ((rc = av_frame_get_buffer(w->frame, 0)) < 0 || (rc = av_frame_get_buffer(w->picture, 0)) < 0) return fail(w, "a picture", rc, err);
  st->time_base = w->tick.den > CLOCK_MAX ? (AVRational){1, CLOCK_MAX} : w->tick;
  if (o->rate <= 0) st->avg_frame_rate = w->codec->framerate;
  if (o->audio_from && (rc = um_sound_open(&w->sound, w->mux, o->audio_from, o->audio_shift, w->tick, err)) < 0) return rc;
  if (strcmp(w->mux->oformat->name, "matroska")) set_clock(w, &options);
  rc = avformat_write_header(w->mux, &options);
  av_dict_free(&options);
  return rc < 0 ? fail(w, "the file's header", rc, err) : UM_OK;
}

int um_video_writer_open(um_video_writer **out, const char *path, const um_video_write_options *o, um_error *err) {
  *out = NULL;
  um_ffmpeg_quiet();
  if (o->width < 1 || o->height < 1 || o->width > SIDE_MAX || o->height > SIDE_MAX)
    return um_fail(err, UM_EUNSUPPORTED, "%s: a video of %d x %d pixels, sides from 1 to %d can be written", path, o->width, o->height,
                   SIDE_MAX);
  if (o->tick_num < 1 || o->tick_den < 1)
    return um_fail(err, UM_EINTERNAL, "%s: a video's clock of %d/%d seconds", path, o->tick_num, o->tick_den);
  um_video_writer *w = calloc(1, sizeof *w);
  if (!w) return um_fail(err, UM_ENOMEM, "%s: no memory for a video", path);
  w->tick = (AVRational){o->tick_num, o->tick_den}, w->end = INT64_MIN;
  w->width = (o->width + 1) / 2 * 2, w->height = (o->height + 1) / 2 * 2;
  int rc = open_file(w, path, err);
  if (!rc) rc = open_streams(w, o, err);
  if (rc)
    um_video_writer_close(w);
  else
    *out = w;
  return rc;
}

/* The picture that a packet is of. */
static pending take(um_video_writer *w, int64_t pts) {
  for (int i = 0; i < w->waits; i++)
    if (w->waiting[i].pts == pts) {
      const pending p = w->waiting[i];
      w->waiting[i] = w->waiting[--w->waits];
      return p;
    }
  return (pending){pts, pts, 0};
}

/* In MP4 a picture lasts until the next one is decoded. Where they are shown in another order and at uneven times the last one makes up
 * for what the sum of that lacks. */
static int write_kept(um_video_writer *w, bool last, um_error *err) {
  if (!w->keeps) return UM_OK;
  const int64_t rest = w->end - w->first_pts - (w->kept->dts - w->first_dts);
  if (last && rest > 0) w->kept->duration = rest;
  av_packet_rescale_ts(w->kept, w->tick, w->mux->streams[0]->time_base);
  w->keeps = false;
  const int rc = av_interleaved_write_frame(w->mux, w->kept); /* takes its data */
  return rc < 0 ? fail(w, "writing", rc, err) : UM_OK;
}

/* frame NULL: no more are to come. */
static int send(um_video_writer *w, const AVFrame *frame, um_error *err) {
  int rc = avcodec_send_frame(w->codec, frame);
  if (rc < 0) return fail(w, "encoding", rc, err);
  for (bool first = w->end == INT64_MIN;; first = false) {
    rc = avcodec_receive_packet(w->codec, w->packet);
    if (rc == AVERROR(EAGAIN)) return UM_OK;
    if (rc == AVERROR_EOF) return write_kept(w, true, err);
    if (rc < 0) return fail(w, "encoding", rc, err);
    const pending of = take(w, w->packet->pts);
    if (!w->reorders) w->packet->pts = w->packet->dts = of.tick;
    w->packet->duration = of.duration;
    w->packet->stream_index = 0;
    if (first) w->first_pts = w->packet->pts, w->first_dts = w->packet->dts;
    if (of.tick + of.duration > w->end) w->end = of.tick + of.duration;
    if ((rc = write_kept(w, false, err)) < 0) return rc;
    av_packet_move_ref(w->kept, w->packet);
    w->keeps = true;
  }
}

/* The picture; where a side is odd with its last column and row twice. */
static void take_picture(AVFrame *to, const um_image *im) {
  const size_t bytes = (size_t)im->width * 3;
  for (int y = 0; y < to->height; y++) {
    uint8_t *row = to->data[0] + (ptrdiff_t)y * to->linesize[0];
    memcpy(row, im->pixels + (size_t)(y < im->height ? y : im->height - 1) * bytes, bytes);
    if (to->width > im->width) memcpy(row + bytes, row + bytes - 3, 3);
  }
}

int um_video_writer_add(um_video_writer *w, const um_image *im, int64_t tick, int64_t duration, um_error *err) {
  if ((im->width + 1) / 2 * 2 != w->width || (im->height + 1) / 2 * 2 != w->height)
    return um_fail(err, UM_EINTERNAL, "%s: a picture of %d x %d in a video of %d x %d", w->file.path, im->width, im->height, w->width,
                   w->height);
  if (w->waits == w->capacity) {
    const int capacity = w->capacity ? 2 * w->capacity : 64;
    pending *grown = realloc(w->waiting, (size_t)capacity * sizeof *grown);
    if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for %d pictures", w->file.path, capacity);
    w->waiting = grown, w->capacity = capacity;
  }
  if (w->count && tick <= w->last) tick = w->last + 1;
  int rc = av_frame_make_writable(w->frame);
  if (rc < 0) return fail(w, "encoding", rc, err);
  take_picture(w->picture, im);
  sws_scale(w->convert, (const uint8_t *const *)w->picture->data, w->picture->linesize, 0, w->height, w->frame->data, w->frame->linesize);
  w->frame->pts = w->reorders ? tick : w->count;
  w->frame->quality = w->codec->global_quality;
  w->waiting[w->waits++] = (pending){w->frame->pts, tick, duration > 0 ? duration : 0};
  w->last = tick, w->count++;
  if ((rc = um_sound_until(&w->sound, w->mux, (double)tick * av_q2d(w->tick))) < 0) return fail(w, "writing sound", rc, err);
  return send(w, w->frame, err);
}

int um_video_writer_finish(um_video_writer *w, um_error *err) {
  if (w->count == 0) return um_fail(err, UM_EFORMAT, "%s: not one picture for a video; nothing was written", w->file.path);
  int rc = send(w, NULL, err);
  if (rc) return rc;
  if ((rc = um_sound_until(&w->sound, w->mux, INFINITY)) < 0) return fail(w, "writing sound", rc, err);
  rc = av_write_trailer(w->mux);
  avio_flush(w->io);
  if (rc < 0 || w->failed || w->io->error < 0) return fail(w, "writing", rc < 0 ? rc : w->io->error, err);
  return um_writer_commit(&w->file, err);
}

void um_video_writer_sound(const um_video_writer *w, um_video_sound *s) {
  *s = (um_video_sound){.copied = w->sound.copied, .left_out = w->sound.left_out, .damaged = w->sound.damaged};
  memcpy(s->names, w->sound.names, sizeof s->names);
}

void um_video_writer_close(um_video_writer *w) {
  if (!w) return;
  um_writer_abandon(&w->file);
  um_sound_close(&w->sound);
  av_frame_free(&w->picture);
  sws_freeContext(w->convert);
  av_packet_free(&w->packet), av_packet_free(&w->kept);
  av_frame_free(&w->frame);
  avcodec_free_context(&w->codec);
  if (w->mux) w->mux->pb = NULL;
  avformat_free_context(w->mux);
  if (w->io) av_freep(&w->io->buffer);
  avio_context_free(&w->io);
  free(w->waiting);
  free(w);
}
