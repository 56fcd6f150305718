#include "data/video.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "data/ffmpeg.h"

#define PIXELS_MAX  (1 << 27) /* of a video's frame: four times 8K */
#define ERRORS_MAX  1000      /* damaged packets in a row before we give a file up */
#define GAP_MAX_S   3600.0    /* a later jump in time is taken for damage, not for a picture that stands still */
#define PROBE_BYTES (1 << 16)

/* One scaled picture of the current frame. */
typedef struct view {
  struct SwsContext *sws;
  uint8_t *scaled, *turned; /* as stored, then as displayed */
  size_t room;
} view;

struct um_video {
  um_video_info info;
  um_video_options o;
  char *path;

  um_image picture; /* a still: scaled; NULL pixels in a video */
  uint8_t *picture_grey;
  bool picture_given;

  AVFormatContext *format;
  AVCodecContext *codec;
  AVStream *stream;
  AVPacket *packet;
  AVFrame *decoded, *shown, *before;
  um_frame last; /* as handed out */
  AVFilterGraph *graph;
  AVFilterContext *source, *sink;
  AVRational time_base;      /* of shown->pts */
  bool ended;                /* the graph has been told */
  int64_t last_pts, end_pts; /* of the last frame decoded: when it begins and ends */
  bool swap, flip_x, flip_y;
  double aspect; /* of a sample: displayed width / height, before turning */
  view grey, rgb;
  int64_t number, damaged;
  int errors; /* in a row */
};

void um_fit(int *out_width, int *out_height, double width, double height, int max_size) {
  double scale = max_size > 0 ? fmin(max_size / width, max_size / height) : 1;
  *out_width = (int)fmax(1, floor(width * scale + 0.5));
  *out_height = (int)fmax(1, floor(height * scale + 0.5));
}

/* The first bytes of a file decide what reads it: the formats that um_image_read knows, else FFmpeg's demuxers. */
static bool is_picture(const uint8_t *d, size_t n) {
  return (n >= 8 && memcmp(d, "\x89PNG\r\n\x1a\n", 8) == 0) || (n >= 3 && memcmp(d, "\xff\xd8\xff", 3) == 0) ||
         (n >= 2 && memcmp(d, "BM", 2) == 0) || (n >= 3 && d[0] == 'P' && d[1] >= '1' && d[1] <= '6' && strchr(" \t\r\n#", d[2])) ||
         (n >= 4 && (memcmp(d, "II*\0", 4) == 0 || memcmp(d, "MM\0*", 4) == 0)) ||
         (n >= 12 && memcmp(d, "RIFF", 4) == 0 && memcmp(d + 8, "WEBP", 4) == 0);
}

/* Reads the beginning of a file, zeroes after it; the number of bytes or -1 (errno). */
static ssize_t read_start(uint8_t *data, size_t size, const char *path) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  ssize_t n = -1;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
    n = read(fd, data, size);
  else if (errno == 0 || S_ISDIR(st.st_mode))
    errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
  close(fd);
  return n;
}

um_media um_media_probe(const char *path) {
  uint8_t *data = calloc(1, PROBE_BYTES + AVPROBE_PADDING_SIZE);
  um_media kind = UM_MEDIA_NONE;
  ssize_t n = data ? read_start(data, PROBE_BYTES, path) : -1;
  if (n > 0 && is_picture(data, (size_t)n)) {
    kind = UM_MEDIA_IMAGE;
  } else if (n > 0) {
    um_ffmpeg_quiet();
    AVProbeData p = {.filename = "", .buf = data, .buf_size = (int)n};
    int score = 0;
    const AVInputFormat *f = av_probe_input_format3(&p, 1, &score);
    if (f && score > AVPROBE_SCORE_RETRY) kind = UM_MEDIA_VIDEO;
  }
  free(data);
  return kind;
}

static int no_memory(const um_video *v, um_error *err) { return um_fail(err, UM_ENOMEM, "%s: no memory to decode it", v->path); }

static int open_picture(um_video *v, um_error *err) {
  um_image im = {0};
  int w, h, r = um_image_read(&im, v->path, err);
  if (r < 0) goto done;
  v->info.picture = true;
  v->info.width = im.width, v->info.height = im.height, v->info.tick_den = 1;
  snprintf(v->info.codec, sizeof v->info.codec, "picture");
  um_fit(&w, &h, im.width, im.height, v->o.max_size);
  if (w == im.width && h == im.height) {
    v->picture = im;
    im = (um_image){0};
  } else if ((r = um_image_alloc(&v->picture, w, h, err)) < 0 || (r = um_resize(v->picture.pixels, h, w, &im, UM_BILINEAR, err)) < 0) {
    r = um_fail_context(err, "%s", v->path);
    goto done;
  }
  v->info.frame_width = w, v->info.frame_height = h;
  if (!(v->picture_grey = malloc((size_t)w * (size_t)h))) {
    r = no_memory(v, err);
    goto done;
  }
  um_image_grey(v->picture_grey, &v->picture);
done:
  um_image_free(&im);
  return r;
}

/* Which way round the picture is shown. A matrix maps (x, y) to (a x + c y, b x + d y); anything but quarter turns and mirrors is
 * taken as the nearest of them, as players do. */
static void read_matrix(um_video *v, const int32_t *m) {
  if (!m) return;
  v->swap = fabs((double)m[1]) + fabs((double)m[3]) > fabs((double)m[0]) + fabs((double)m[4]);
  v->flip_x = (v->swap ? m[3] : m[0]) < 0;
  v->flip_y = (v->swap ? m[1] : m[4]) < 0;
}

static int open_video(um_video *v, um_error *err) {
  const char *path = v->path;
  int index, r = um_ffmpeg_open(&v->format, path, err);
  if (r < 0) return r;
  index = av_find_best_stream(v->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
  if (index < 0 || v->format->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC)
    return um_fail(err, UM_EFORMAT, "%s: no video stream in it (%u streams, %s)", path, v->format->nb_streams, v->format->iformat->name);
  v->stream = v->format->streams[index];
  for (unsigned i = 0; i < v->format->nb_streams; i++)
    if ((int)i != index) v->format->streams[i]->discard = AVDISCARD_ALL;
  const AVCodecParameters *par = v->stream->codecpar;
  snprintf(v->info.codec, sizeof v->info.codec, "%s", avcodec_get_name(par->codec_id));
  const AVCodec *codec = avcodec_find_decoder(par->codec_id);
  if (!codec) {
    char tag[AV_FOURCC_MAX_STRING_SIZE];
    return um_fail(err, UM_EUNSUPPORTED, "%s: this FFmpeg has no decoder for its video (codec %s, tag %s): convert it to H.264", path,
                   v->info.codec, av_fourcc_make_string(tag, par->codec_tag));
  }
  if ((int64_t)par->width * par->height > PIXELS_MAX)
    return um_fail(err, UM_EFORMAT, "%s: frames of %dx%d, at most %d pixels are read", path, par->width, par->height, PIXELS_MAX);
  v->codec = avcodec_alloc_context3(codec);
  v->packet = av_packet_alloc();
  v->decoded = av_frame_alloc();
  v->shown = av_frame_alloc();
  v->before = av_frame_alloc();
  if (!v->codec || !v->packet || !v->decoded || !v->shown || !v->before) return no_memory(v, err);
  v->codec->max_pixels = PIXELS_MAX;
  v->codec->thread_count = v->o.threads;
  v->codec->pkt_timebase = v->stream->time_base;
  if (avcodec_parameters_to_context(v->codec, par) < 0 || (r = avcodec_open2(v->codec, codec, NULL)) < 0)
    return um_fail(err, UM_EFORMAT, "%s: FFmpeg's decoder for %s does not start on it", path, v->info.codec);
  read_matrix(v, um_ffmpeg_display_matrix(v->stream));
  AVRational sar = av_guess_sample_aspect_ratio(v->format, v->stream, NULL);
  v->aspect = sar.num > 0 && sar.den > 0 ? av_q2d(sar) : 1;
  if (v->aspect < 1 / 16. || v->aspect > 16) v->aspect = 1; /* nobody means that */
  double w = par->width * v->aspect, h = par->height;
  v->info.width = (int)fmax(1, floor((v->swap ? h : w) + 0.5)), v->info.height = (int)fmax(1, floor((v->swap ? w : h) + 0.5));
  um_fit(&v->info.frame_width, &v->info.frame_height, v->swap ? h : w, v->swap ? w : h, v->o.max_size);
  if (v->format->duration > 0) v->info.duration_s = (double)v->format->duration / AV_TIME_BASE;
  AVRational rate = av_guess_frame_rate(v->format, v->stream, NULL);
  if (rate.num > 0 && rate.den > 0) v->info.rate = av_q2d(rate);
  v->time_base = v->stream->time_base;
  v->last_pts = AV_NOPTS_VALUE;
  v->info.tick_num = v->time_base.num, v->info.tick_den = v->time_base.den;
  if (v->format->start_time != AV_NOPTS_VALUE) v->info.start = av_rescale_q(v->format->start_time, AV_TIME_BASE_Q, v->time_base);
  v->info.colours = (um_colours){par->color_space, par->color_primaries, par->color_trc};
  return UM_OK;
}

int um_video_open(um_video **out, const char *path, const um_video_options *o, um_error *err) {
  uint8_t start[16] = {0};
  *out = NULL;
  errno = 0;
  ssize_t n = read_start(start, sizeof start, path);
  if (n < 0) return um_fail(err, UM_EIO, "%s: %s", path, errno ? strerror(errno) : "not a file");
  if (n == 0) return um_fail(err, UM_EFORMAT, "%s: the file is empty", path);
  um_video *v = calloc(1, sizeof *v);
  if (!v || !(v->path = strdup(path))) {
    free(v);
    return um_fail(err, UM_ENOMEM, "%s: no memory", path);
  }
  v->o = *o;
  int r = is_picture(start, (size_t)n) ? open_picture(v, err) : open_video(v, err);
  if (r < 0)
    um_video_close(v);
  else
    *out = v;
  return r;
}

const um_video_info *um_video_info_of(const um_video *v) { return &v->info; }
int64_t um_video_damaged(const um_video *v) { return v->damaged; }

static void free_view(view *w) {
  sws_freeContext(w->sws);
  av_free(w->scaled);
  av_free(w->turned);
}

void um_video_close(um_video *v) {
  if (!v) return;
  um_image_free(&v->picture);
  free(v->picture_grey);
  avfilter_graph_free(&v->graph);
  av_frame_free(&v->decoded);
  av_frame_free(&v->shown);
  av_frame_free(&v->before);
  av_packet_free(&v->packet);
  avcodec_free_context(&v->codec);
  avformat_close_input(&v->format);
  free_view(&v->grey);
  free_view(&v->rgb);
  free(v->path);
  free(v);
}

/* Frames without a time get the one after the last. False: a jump that only damage explains. */
static bool settle_time(um_video *v, AVFrame *f) {
  AVRational tb = v->stream->time_base;
  int64_t step = um_ffmpeg_duration(f);
  if (step <= 0) step = v->info.rate > 0 ? (int64_t)llrint(1 / (v->info.rate * av_q2d(tb))) : 1;
  f->pts = f->best_effort_timestamp;
  if (f->pts == AV_NOPTS_VALUE) f->pts = v->last_pts == AV_NOPTS_VALUE ? 0 : v->last_pts + step;
  if (v->last_pts != AV_NOPTS_VALUE && (double)(f->pts - v->last_pts) * av_q2d(tb) > GAP_MAX_S) return false;
  f->best_effort_timestamp = f->pts; /* the filter changes pts alone */
  if (v->last_pts == AV_NOPTS_VALUE || f->pts > v->last_pts) v->last_pts = f->pts, v->end_pts = f->pts + step;
  return true;
}

/* 1: v->decoded is the next frame, 0: there are no more. Whatever is damaged is counted and passed over. */
static int decode(um_video *v) {
  for (;;) {
    int r = avcodec_receive_frame(v->codec, v->decoded);
    if (r == 0) {
      bool broken = v->decoded->flags & AV_FRAME_FLAG_CORRUPT || v->decoded->decode_error_flags || !settle_time(v, v->decoded);
      if (!broken) {
        v->errors = 0;
        return 1;
      }
      v->damaged++;
      av_frame_unref(v->decoded);
      continue;
    }
    if (r == AVERROR_EOF) return 0;
    if (r != AVERROR(EAGAIN)) {
      v->damaged++;
      if (++v->errors > ERRORS_MAX) return 0;
      continue;
    }
    r = av_read_frame(v->format, v->packet);
    if (r < 0) {
      if (r != AVERROR_EOF && r != AVERROR(EAGAIN)) v->damaged++;
      if (r == AVERROR_EOF || r == AVERROR(EIO) || ++v->errors > ERRORS_MAX) avcodec_send_packet(v->codec, NULL);
      continue;
    }
    if (v->packet->stream_index == v->stream->index && avcodec_send_packet(v->codec, v->packet) < 0) {
      v->damaged++;
      if (++v->errors > ERRORS_MAX) avcodec_send_packet(v->codec, NULL);
    }
    av_packet_unref(v->packet);
  }
}

/* buffer -> fps -> buffersink, made for the first frame. Frames pass by reference; sizes are settled later, frame by frame. */
static int open_graph(um_video *v, const AVFrame *f, um_error *err) {
  int r = AVERROR(ENOMEM);
  char text[64];
  AVRational fps = av_d2q(v->o.fps, 1001000);
  AVFilterContext *filter = NULL;
  AVBufferSrcParameters *p = av_buffersrc_parameters_alloc();
  v->graph = avfilter_graph_alloc();
  if (!p || !v->graph) goto done;
  v->graph->nb_threads = 1;
  p->format = f->format, p->width = f->width, p->height = f->height, p->time_base = v->stream->time_base;
  p->sample_aspect_ratio = f->sample_aspect_ratio;
  p->frame_rate = av_guess_frame_rate(v->format, v->stream, NULL);
  um_ffmpeg_source_colours(p, f);
  v->source = avfilter_graph_alloc_filter(v->graph, avfilter_get_by_name("buffer"), "in");
  if (!v->source || (r = av_buffersrc_parameters_set(v->source, p)) < 0 || (r = avfilter_init_str(v->source, NULL)) < 0) goto done;
  snprintf(text, sizeof text, "fps=%d/%d", fps.num, fps.den);
  if ((r = avfilter_graph_create_filter(&filter, avfilter_get_by_name("fps"), "fps", text, NULL, v->graph)) < 0 ||
      (r = avfilter_graph_create_filter(&v->sink, avfilter_get_by_name("buffersink"), "out", NULL, NULL, v->graph)) < 0 ||
      (r = avfilter_link(v->source, 0, filter, 0)) < 0 || (r = avfilter_link(filter, 0, v->sink, 0)) < 0 ||
      (r = avfilter_graph_config(v->graph, NULL)) < 0)
    goto done;
  v->time_base = av_buffersink_get_time_base(v->sink);
done:
  av_free(p);
  return r < 0 ? um_fail(err, r == AVERROR(ENOMEM) ? UM_ENOMEM : UM_EINTERNAL, "%s: FFmpeg's filter fps=%g: %s", v->path, v->o.fps,
                         av_err2str(r))
               : UM_OK;
}

/* 1: v->shown is the next frame to hand out. */
static int next_shown(um_video *v, um_error *err) {
  int r;
  av_frame_unref(v->shown);
  if (v->o.fps <= 0) {
    if (!decode(v)) return 0;
    av_frame_move_ref(v->shown, v->decoded);
    return 1;
  }
  for (;;) {
    if (v->sink) {
      r = av_buffersink_get_frame(v->sink, v->shown);
      if (r >= 0) return 1;
      if (r == AVERROR_EOF) return 0;
      if (r != AVERROR(EAGAIN)) return um_fail(err, UM_EINTERNAL, "%s: FFmpeg's filter fps: %s", v->path, av_err2str(r));
    }
    if (v->ended) return 0;
    if (decode(v)) {
      if (!v->graph && (r = open_graph(v, v->decoded, err)) < 0) return r;
      r = av_buffersrc_add_frame(v->source, v->decoded); /* takes the reference */
    } else {
      v->ended = true;
      r = v->source ? av_buffersrc_close(v->source, v->end_pts, AV_BUFFERSRC_FLAG_PUSH) : 0;
    }
    if (r < 0) return um_fail(err, r == AVERROR(ENOMEM) ? UM_ENOMEM : UM_EINTERNAL, "%s: FFmpeg's filter fps: %s", v->path, av_err2str(r));
  }
}

/* Scales the current frame into w as stored, then turns it; *out points at the result, rows of *stride bytes. */
static int make_view(um_video *v, view *w, enum AVPixelFormat to, uint8_t **out, int *width, int *height, int *stride, um_error *err) {
  const AVFrame *f = v->shown;
  int bytes = to == AV_PIX_FMT_GRAY8 ? 1 : 3, shown_w, shown_h;
  double aspect_w = f->width * v->aspect, aspect_h = f->height;
  um_fit(&shown_w, &shown_h, v->swap ? aspect_h : aspect_w, v->swap ? aspect_w : aspect_h, v->o.max_size);
  int stored_w = v->swap ? shown_h : shown_w, stored_h = v->swap ? shown_w : shown_h;
  int stored_stride = (stored_w * bytes + 63) / 64 * 64, shown_stride = (shown_w * bytes + 63) / 64 * 64;
  bool turn = v->swap || v->flip_x || v->flip_y;
  if ((int64_t)shown_w * shown_h > PIXELS_MAX)
    return um_fail(err, UM_EFORMAT, "%s: frames of %dx%d are too large", v->path, shown_w, shown_h);
  size_t stored = (size_t)stored_stride * (size_t)stored_h + 64, shown = (size_t)shown_stride * (size_t)shown_h + 64;
  size_t need = stored > shown ? stored : shown;
  if (need > w->room) {
    av_freep(&w->scaled);
    av_freep(&w->turned);
    w->room = 0;
    w->scaled = av_malloc(need);
    w->turned = turn ? av_malloc(need) : NULL;
    if (!w->scaled || (turn && !w->turned)) return no_memory(v, err);
    w->room = need;
  }
  w->sws = sws_getCachedContext(w->sws, f->width, f->height, f->format, stored_w, stored_h, to,
                                SWS_AREA | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
  if (!w->sws)
    return um_fail(err, UM_EUNSUPPORTED, "%s: frames of %dx%d (%s) cannot be scaled to %dx%d", v->path, f->width, f->height,
                   av_get_pix_fmt_name(f->format), stored_w, stored_h);
  /* Without a word about the colours FFmpeg, and OpenCV through it, assume BT.601. */
  const int *in = sws_getCoefficients(f->colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : (int)f->colorspace);
  sws_setColorspaceDetails(w->sws, in, f->color_range == AVCOL_RANGE_JPEG, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
  uint8_t *plane[4] = {w->scaled};
  int strides[4] = {stored_stride};
  if (sws_scale(w->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, plane, strides) != stored_h)
    return um_fail(err, UM_EINTERNAL, "%s: libswscale did not convert a frame", v->path);
  *width = shown_w, *height = shown_h;
  if (!turn) {
    *out = w->scaled, *stride = stored_stride;
    return UM_OK;
  }
  for (int y = 0; y < shown_h; y++) {
    uint8_t *d = w->turned + (size_t)y * (size_t)shown_stride;
    int along = v->flip_y ? shown_h - 1 - y : y; /* the stored row, or with swap the stored column */
    for (int x = 0; x < shown_w; x++) {
      int across = v->flip_x ? shown_w - 1 - x : x;
      const uint8_t *s =
          w->scaled + (size_t)(v->swap ? across : along) * (size_t)stored_stride + (size_t)(v->swap ? along : across) * (size_t)bytes;
      for (int k = 0; k < bytes; k++) *d++ = s[k];
    }
  }
  *out = w->turned, *stride = shown_stride;
  return UM_OK;
}

int um_video_next(um_video *v, um_frame *f, um_error *err) {
  int r;
  uint8_t *grey;
  if (v->info.picture) {
    if (v->picture_given) return 0;
    v->picture_given = true;
    *f = (um_frame){.width = v->picture.width, .height = v->picture.height, .grey = v->picture_grey, .grey_stride = v->picture.width};
    return 1;
  }
  /* The filter repeats a frame by reference. Holding the last one keeps its memory from being given to another. */
  av_frame_unref(v->before);
  av_frame_move_ref(v->before, v->shown);
  if ((r = next_shown(v, err)) < 0) return r;
  if (r == 0) {
    if (v->number > 0) return 0;
    return um_fail(err, UM_EFORMAT, "%s: not one frame could be decoded (%s, %lld damaged packets)", v->path, v->info.codec,
                   (long long)v->damaged);
  }
  v->last.repeated = v->number > 0 && v->shown->data[0] == v->before->data[0];
  if (!v->last.repeated) {
    r = make_view(v, &v->grey, AV_PIX_FMT_GRAY8, &grey, &v->last.width, &v->last.height, &v->last.grey_stride, err);
    if (r < 0) return r;
    v->last.grey = grey;
  }
  v->last.number = v->number++;
  v->last.time_s = v->shown->pts == AV_NOPTS_VALUE ? 0 : (double)v->shown->pts * av_q2d(v->time_base);
  v->last.tick = v->shown->best_effort_timestamp == AV_NOPTS_VALUE ? 0 : v->shown->best_effort_timestamp;
  v->last.duration = v->o.fps > 0 ? 0 : um_ffmpeg_duration(v->shown);
  *f = v->last;
  return 1;
}

int um_video_rgb(um_video *v, um_image *im, um_error *err) {
  int r, width, height, stride;
  uint8_t *rgb;
  if (v->info.picture) {
    if ((r = um_image_alloc(im, v->picture.width, v->picture.height, err)) < 0) return um_fail_context(err, "%s", v->path);
    memcpy(im->pixels, v->picture.pixels, (size_t)im->width * (size_t)im->height * 3);
    return UM_OK;
  }
  if (!v->shown->data[0]) return um_fail(err, UM_EINTERNAL, "%s: no frame to convert", v->path);
  if ((r = make_view(v, &v->rgb, AV_PIX_FMT_RGB24, &rgb, &width, &height, &stride, err)) < 0) return r;
  if ((r = um_image_alloc(im, width, height, err)) < 0) return um_fail_context(err, "%s", v->path);
  for (int y = 0; y < height; y++) memcpy(im->pixels + (size_t)y * (size_t)width * 3, rgb + (size_t)y * (size_t)stride, (size_t)width * 3);
  return UM_OK;
}
