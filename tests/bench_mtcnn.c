/* How fast MTCNN is over whole frames of 1080p clips. Without arguments: 12 frames of the DFDC clips in ../shared/data, 5 times each.
 * bench_mtcnn --write DIR writes those frames as PNG, for tests/peers/mtcnn.sh; bench_mtcnn THREADS FRAME... prints, of one pass over
 * these pictures after another to warm up, seconds, processor seconds and faces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/file.h"
#include "data/video.h"
#include "faces/detector.h"

enum { FRAMES = 12, ROUNDS = 5 };

static void die(const um_error *err) {
  fprintf(stderr, "bench_mtcnn: %s\n", err->text);
  exit(1);
}

/* Four frames of each clip, two seconds apart, at their full size. */
static int frames_of_clips(um_image frame[FRAMES]) {
  static const char *const clip[] = {"fake/dfdc_widuwuoiur", "fake/dfdc_yhffcuhhjy", "real/dfdc_anndvqgoko"};
  const um_video_options o = {.fps = 0.5};
  int count = 0;
  for (int i = 0; i < 3; i++) {
    char path[256];
    um_video *v;
    um_frame f;
    um_error err = {0};
    snprintf(path, sizeof path, "../shared/data/clips/%s.mp4", clip[i]);
    if (!um_is_file(path)) continue;
    if (um_video_open(&v, path, &o, &err) < 0) die(&err);
    for (int k = 0; k < FRAMES / 3 && um_video_next(v, &f, &err) > 0; k++)
      if (um_video_rgb(v, &frame[count++], &err) < 0) die(&err);
    um_video_close(v);
  }
  return count;
}

static double processor_seconds(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + 1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* One picture after another, as the peer gets them. */
static void pass(um_detector *d, const um_image *frame, int count, double *seconds, double *processor, int *faces) {
  const double start = um_seconds(), start_processor = processor_seconds();
  *faces = 0;
  for (int i = 0; i < count; i++) {
    const um_view_of_frame view = {.width = frame[i].width, .height = frame[i].height, .rgb = frame[i].pixels};
    um_found found;
    um_error err;
    if (d->find(d, &found, &view, 1, &err) < 0) die(&err);
    *faces += found.count;
    free(found.item);
  }
  *seconds = um_seconds() - start;
  *processor = processor_seconds() - start_processor;
}

static int by_value(const void *a, const void *b) {
  return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

int main(int argc, char **argv) {
  um_image frame[64] = {{0}};
  um_error err = {0};
  um_detector *d;
  double seconds[ROUNDS], processor[ROUNDS];
  const bool writing = argc == 3 && strcmp(argv[1], "--write") == 0, given = argc > 2 && !writing;
  int count = 0, faces;
  if (!given) count = frames_of_clips(frame);
  for (int i = 2; given && i < argc && count < 64; i++)
    if (um_image_read(&frame[count++], argv[i], &err) < 0) die(&err);
  if (count == 0) {
    puts("skipped: ../shared/data/clips is not here");
    return 0;
  }
  for (int i = 0; writing && i < count; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%02d.png", argv[2], i);
    if (um_image_write_png(&frame[i], path, &err) < 0) die(&err);
  }
  if (writing) return 0;
  const um_detector_options o = {.name = "mtcnn", .threads = given ? atoi(argv[1]) : 2};
  if (um_detector_open(&d, &o, &err) < 0) {
    if (given || err.code != UM_EIO) die(&err);
    puts("skipped: the weights of mtcnn are not here");
    return 0;
  }
  pass(d, frame, count, &seconds[0], &processor[0], &faces);
  for (int r = 0; r < (given ? 1 : ROUNDS); r++) pass(d, frame, count, &seconds[r], &processor[r], &faces);
  if (given) {
    printf("%.4f %.4f %d\n", seconds[0], processor[0], faces);
  } else {
    qsort(seconds, ROUNDS, sizeof *seconds, by_value);
    qsort(processor, ROUNDS, sizeof *processor, by_value);
    printf("%d frames of %dx%d on %d threads: %.1f ms and %.1f ms of processor time a frame, %d faces (medians of %d)\n", count,
           frame[0].width, frame[0].height, o.threads, 1e3 * seconds[ROUNDS / 2] / count, 1e3 * processor[ROUNDS / 2] / count, faces,
           ROUNDS);
  }
  um_detector_close(d);
  for (int i = 0; i < count; i++) um_image_free(&frame[i]);
  return 0;
}
