#include "data/ffmpeg.h"

#include <stdlib.h>

/* Demuxers that would read other files or devices than the one that was named. */
static bool refers_elsewhere(const AVInputFormat *f) {
  static const char *const names[] = {"hls", "concat", "dash", "sdp", "imf", "image2", "lavfi", "tty"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(f->name, names[i]) == 0) return true;
  return false;
}

int um_ffmpeg_open(AVFormatContext **out, const char *path, um_error *err) {
  AVDictionary *options = NULL;
  size_t size = strlen(path) + 8;
  char *url = malloc(size);
  int r;
  um_ffmpeg_quiet();
  if (!url) return um_fail(err, UM_ENOMEM, "%s: no memory to decode it", path);
  snprintf(url, size, "file:%s", path); /* a name such as http://... or concat:... is a file's name here */
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  r = avformat_open_input(out, url, NULL, &options);
  if (r == AVERROR(ENOMEM))
    r = um_fail(err, UM_ENOMEM, "%s: no memory to decode it", path);
  else if (r < 0)
    r = um_fail(err, UM_EFORMAT, "%s: expected a video, got something that FFmpeg cannot open (%s): cut short or not a video", path,
                av_err2str(r));
  else if (refers_elsewhere((*out)->iformat))
    r = um_fail(err, UM_EFORMAT, "%s: expected a video, got a list of other files or text (%s)", path, (*out)->iformat->name);
  else if ((r = avformat_find_stream_info(*out, NULL)) < 0)
    r = um_fail(err, UM_EFORMAT, "%s: no stream can be read (%s)", path, av_err2str(r));
  else
    r = UM_OK;
  if (r < 0) avformat_close_input(out);
  av_dict_free(&options);
  free(url);
  return r;
}
