/* demo_clips: makes a small set of talking-head clips, half of them fake, for trying unmask out without anybody's footage. */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "data/video_write.h"
#include "tools/demo_clips/scene.h"

typedef struct options {
  const char *out, *stills;
  int train, test, fps, width, height, jobs;
  double seconds;
  uint64_t seed;
} options;

/* Clip 2 k is real, clip 2 k + 1 the fake that was made from it. */
typedef struct clip {
  bool fake;
  uint32_t take, identity, donor;
  char name[16];
  const char *folder; /* "train", "heldout" */
} clip;

typedef struct work {
  const options *o;
  const clip *clip;
  int count;
  atomic_int next, done;
  atomic_bool failed;
  pthread_mutex_t lock;
  um_error error;
} work;

static volatile sig_atomic_t interrupted;
static void on_signal(int number) { (void)number, interrupted = 1; }

static const char usage[] = "usage: demo_clips [--out DIR] [--train N] [--test N] [--seconds S] [--seed K]\n"
                            "                  [--fps N] [--size WxH] [--jobs N] [--stills DIR]\n"
                            "\n"
                            "Draws short clips of talking heads, half of them fake: another identity's inner\n"
                            "face is blended in, with the seam, colour shift, lower resolution and jitter that\n"
                            "real swaps leave. All of it is drawn by this program; nobody was filmed.\n"
                            "\n"
                            "  --out DIR      where they go: DIR/train and DIR/heldout, a metadata.json each in\n"
                            "                 the format of the DFDC set (default demo/clips)\n"
                            "  --train N      clips for training, real and fake together (default 64)\n"
                            "  --test N       clips held out, of identities that training never shows (24)\n"
                            "  --seconds S    length of a clip (3)\n"
                            "  --seed K       the same seed makes the same clips (1)\n"
                            "  --fps N        frames a second (15)\n"
                            "  --size WxH     of the frames, even numbers (480x360)\n"
                            "  --jobs N       clips made at a time (default: one a core)\n"
                            "  --stills DIR   also writes the middle frame of each clip as DIR/NAME.png\n";

static bool number(const char *text, double low, double high, double *out) {
  char *end;
  *out = strtod(text, &end);
  return end != text && !*end && *out >= low && *out <= high;
}

/* 0, or the exit status that main returns (with *stop set when all is done). */
static int read_options(options *o, int argc, char **argv, bool *stop) {
  static const struct option known[] = {{"out", 1, 0, 'o'},    {"train", 1, 0, 'a'}, {"test", 1, 0, 'e'},    {"seconds", 1, 0, 's'},
                                        {"seed", 1, 0, 'k'},   {"fps", 1, 0, 'f'},   {"size", 1, 0, 'z'},    {"jobs", 1, 0, 'j'},
                                        {"stills", 1, 0, 'p'}, {"help", 0, 0, 'h'},  {"version", 0, 0, 'v'}, {0, 0, 0, 0}};
  static const struct {
    char key;
    const char *name;
    double low, high;
  } range[] = {{'a', "--train", 2, 100000},          {'e', "--test", 0, 100000}, {'s', "--seconds", .1, 3600},
               {'k', "--seed", 0, 9007199254740992}, {'f', "--fps", 1, 120},     {'j', "--jobs", 1, 256}};
  int key;
  while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
    double value = 0;
    for (size_t i = 0; i < sizeof range / sizeof *range; i++)
      if (range[i].key == key && !number(optarg, range[i].low, range[i].high, &value)) {
        um_log(UM_LOG_ERROR, "%s: expected a number from %g to %g, got \"%s\"", range[i].name, range[i].low, range[i].high, optarg);
        return 2;
      }
    switch (key) {
    case 'o': o->out = optarg; break;
    case 'p': o->stills = optarg; break;
    case 'a': o->train = (int)value; break;
    case 'e': o->test = (int)value; break;
    case 's': o->seconds = value; break;
    case 'k': o->seed = (uint64_t)value; break;
    case 'f': o->fps = (int)value; break;
    case 'j': o->jobs = (int)value; break;
    case 'z': {
      char rest;
      if (sscanf(optarg, "%dx%d%c", &o->width, &o->height, &rest) != 2 || o->width < 64 || o->height < 64 || o->width > 4096 ||
          o->height > 4096 || o->width % 2 || o->height % 2) {
        um_log(UM_LOG_ERROR, "--size: expected WIDTHxHEIGHT, even numbers from 64 to 4096, got \"%s\"", optarg);
        return 2;
      }
      break;
    }
    case 'h': fputs(usage, stdout), *stop = true; return 0;
    case 'v': puts("demo_clips (unmask) " UM_VERSION), *stop = true; return 0;
    default: fputs(usage, stderr); return 2;
    }
  }
  if (optind < argc) {
    um_log(UM_LOG_ERROR, "unexpected argument \"%s\"; see --help", argv[optind]);
    return 2;
  }
  return 0;
}

/* Ten letters, as DFDC names its clips: real and fake cannot be told by the name. */
static void name_clip(char name[16], uint64_t seed, uint32_t number) {
  const um_rng at = {.seed = seed, .stream = UM_STREAM_DEMO, .epoch = 0, .sample = 1 + number};
  for (uint32_t i = 0; i < 10; i++) name[i] = (char)('a' + um_rng_below(&at, i, 26));
  name[10] = 0;
}

static void plan(clip *c, int first, int count, const char *folder, uint64_t seed) {
  /* Identities by part: training has its own, the held-out clips have theirs. A donor is another identity of the same part. */
  int takes = (count + 1) / 2;
  for (int i = 0; i < count; i++) {
    uint32_t sitting = (uint32_t)(first / 2 + i / 2), base = (uint32_t)(first / 2);
    const um_rng at = {.seed = seed, .stream = UM_STREAM_DEMO, .epoch = 0x80000000u, .sample = sitting};
    uint32_t other = takes > 1 ? (uint32_t)(i / 2 + 1 + (int)um_rng_below(&at, 0, (uint32_t)takes - 1)) % (uint32_t)takes : 0;
    c[i] = (clip){.fake = i % 2 == 1, .take = sitting, .identity = base + (uint32_t)(i / 2), .donor = base + other, .folder = folder};
    if (takes == 1) c[i].donor = 0x40000000u + c[i].identity; /* nobody else in this part: one made for the purpose */
    name_clip(c[i].name, seed, (uint32_t)(first + i));
  }
}

/* Buffers of one worker. */
typedef struct studio {
  film film;
  canvas sitter, donor;
  float *rgb, *quiet;
  uint8_t *out;
  body meshes;
} studio;

static void studio_close(studio *s) {
  film_free(&s->film), canvas_free(&s->sitter), canvas_free(&s->donor), body_free(&s->meshes);
  free(s->rgb), free(s->quiet), free(s->out);
}

static int studio_open(studio *s, int w, int h, um_error *err) {
  size_t n = (size_t)w * (size_t)h;
  *s = (studio){0};
  int rc = film_alloc(&s->film, w * SUPERSAMPLE, h * SUPERSAMPLE, err);
  if (!rc) rc = canvas_alloc(&s->sitter, w, h, err);
  if (!rc) rc = canvas_alloc(&s->donor, w, h, err);
  if (!rc) rc = body_alloc(&s->meshes, err);
  s->rgb = malloc(n * 3 * sizeof *s->rgb), s->quiet = malloc(n * sizeof *s->quiet), s->out = malloc(n * 3);
  if (!rc && (!s->rgb || !s->quiet || !s->out)) rc = um_fail(err, UM_ENOMEM, "no memory for frames of %d x %d", w, h);
  if (rc) studio_close(s);
  return rc;
}

static int shoot(studio *s, const options *o, const clip *c, um_error *err) {
  char folder[4096], file[32], path[4096];
  take t = {0};
  um_video_writer *e = NULL;
  person who, donor;
  swap trace;
  person_draw(&who, o->seed, c->identity);
  person_draw(&donor, o->seed, c->donor);
  swap_draw(&trace, o->seed, c->take);
  snprintf(file, sizeof file, "%s.mp4", c->name);
  int frames = (int)lrint(o->seconds * o->fps);
  if (frames < 1) frames = 1;

  int rc = um_path_join(folder, sizeof folder, o->out, c->folder, err);
  if (!rc) rc = um_path_join(path, sizeof path, folder, file, err);
  if (!rc) rc = take_open(&t, o->seed, c->take, o->width, o->height, err);
  /* The clips run in parallel; one thread each is also what keeps the bytes the same. */
  const um_video_write_options w = {
      .width = o->width, .height = o->height, .tick_num = 1, .tick_den = o->fps, .crf = 22, .preset = "veryfast", .threads = 1};
  if (!rc) rc = um_video_writer_open(&e, path, &w, err);
  for (int i = 0; !rc && i < frames; i++) {
    if (interrupted) {
      rc = um_fail(err, UM_EINTERRUPTED, "stopped");
      break;
    }
    float now = (float)i / (float)o->fps;
    pose p;
    take_pose(&t, &p, now, SUPERSAMPLE);
    look l = {.who = &who, .how = &p, .lit = &t.lit, .pixel = .75f / p.size, .feather = trace.feather};
    film_clear(&s->film);
    body_draw(&s->film, &s->meshes, &l, false);
    film_develop(&s->sitter, &s->film, shade, &l);
    take_compose(&t, s->rgb, &s->sitter, now);
    if (c->fake) {
      l.who = &donor;
      film_clear(&s->film);
      body_draw(&s->film, &s->meshes, &l, true);
      film_develop(&s->donor, &s->film, shade, &l);
      rc = swap_apply(&trace, s->rgb, s->quiet, &s->donor, p.size / SUPERSAMPLE, (uint32_t)i, err);
      if (rc) break;
    }
    take_develop(&t, s->out, s->rgb, c->fake ? s->quiet : NULL, (uint32_t)i);
    const um_image im = {.pixels = s->out, .width = o->width, .height = o->height};
    rc = um_video_writer_add(e, &im, i, 1, err);
    if (!rc && o->stills && i == frames / 2) {
      snprintf(file, sizeof file, "%s.png", c->name);
      rc = um_path_join(path, sizeof path, o->stills, file, err);
      if (!rc) rc = um_image_write_png(&im, path, err);
    }
  }
  if (!rc) rc = um_video_writer_finish(e, err);
  um_video_writer_close(e);
  take_close(&t);
  return rc;
}

static void *worker(void *arg) {
  work *w = arg;
  studio s;
  um_error err = {0};
  int rc = studio_open(&s, w->o->width, w->o->height, &err);
  for (int i; !rc && !atomic_load(&w->failed) && (i = atomic_fetch_add(&w->next, 1)) < w->count;) {
    rc = shoot(&s, w->o, &w->clip[i], &err);
    if (rc) break;
    int done = atomic_fetch_add(&w->done, 1) + 1;
    um_log_progress(done == w->count || done % 16 == 0, "demo_clips: %d of %d clips", done, w->count);
  }
  if (rc) {
    pthread_mutex_lock(&w->lock);
    if (!atomic_exchange(&w->failed, true)) w->error = err;
    pthread_mutex_unlock(&w->lock);
  } else {
    studio_close(&s);
    return NULL;
  }
  studio_close(&s);
  return NULL;
}

/* {"abcdefghij.mp4": {"label": "FAKE", "split": "train", "original": "....mp4"}, ...}: the names are letters, nothing to escape. */
static int write_metadata(const options *o, const clip *c, int count, const char *folder, um_error *err) {
  char dir[4096], path[4096];
  um_writer w = {0};
  int rc = um_path_join(dir, sizeof dir, o->out, folder, err);
  if (!rc) rc = um_path_join(path, sizeof path, dir, "metadata.json", err);
  if (!rc) rc = um_writer_open(&w, path, err);
  if (rc) return rc;
  const char *split = strcmp(folder, "train") ? "test" : "train", *comma = "";
  fputs("{", w.file);
  for (int i = 0; i < count; i++) {
    if (strcmp(c[i].folder, folder)) continue;
    fprintf(w.file, "%s\n  \"%s.mp4\": {\"label\": \"%s\", \"split\": \"%s\", \"original\": ", comma, c[i].name,
            c[i].fake ? "FAKE" : "REAL", split);
    if (c[i].fake)
      fprintf(w.file, "\"%s.mp4\"}", c[i - 1].name);
    else
      fputs("null}", w.file);
    comma = ",";
  }
  fputs("\n}\n", w.file);
  return um_writer_commit(&w, err);
}

int main(int argc, char **argv) {
  options o = {.out = "demo/clips", .train = 64, .test = 24, .fps = 15, .width = 480, .height = 360, .seconds = 3, .seed = 1};
  um_error err = {0};
  bool stop = false;
  um_log_open("demo_clips", UM_LOG_INFO);
  int rc = read_options(&o, argc, argv, &stop);
  if (rc || stop) return rc;

  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (o.jobs < 1) o.jobs = cores > 0 ? (int)cores : 1;
  int count = o.train + o.test;
  if (o.jobs > count) o.jobs = count;
  const char *codec = um_video_encoder();
  if (!codec) {
    um_log(UM_LOG_ERROR,
           "this libavcodec can encode neither H.264 nor MPEG-4; install FFmpeg's libraries with libx264 (Debian: libavcodec59)");
    return 1;
  }
  if (!strcmp(codec, "mpeg4")) um_log(UM_LOG_WARN, "no H.264 encoder in this libavcodec: the clips are MPEG-4 part 2 instead");

  clip *clips = calloc((size_t)count, sizeof *clips);
  pthread_t *thread = calloc((size_t)o.jobs, sizeof *thread);
  char path[4096];
  int started = 0;
  work w = {.o = &o, .clip = clips, .count = count, .lock = PTHREAD_MUTEX_INITIALIZER};
  rc = clips && thread ? UM_OK : um_fail(&err, UM_ENOMEM, "no memory for %d clips", count);
  if (!rc) rc = um_path_join(path, sizeof path, o.out, "train", &err);
  if (!rc) rc = um_mkdirs(path, &err);
  if (!rc && o.test) rc = um_path_join(path, sizeof path, o.out, "heldout", &err);
  if (!rc && o.test) rc = um_mkdirs(path, &err);
  if (!rc && o.stills) rc = um_mkdirs(o.stills, &err);
  if (rc) goto done;

  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL), sigaction(SIGTERM, &action, NULL);
  plan(clips, 0, o.train, "train", o.seed);
  plan(clips + o.train, (o.train + 1) / 2 * 2, o.test, "heldout", o.seed);
  noise_open(o.seed);
  grain_open(o.seed);
  while (started < o.jobs && !pthread_create(&thread[started], NULL, worker, &w)) started++;
  if (!started) worker(&w);
  for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
  if (atomic_load(&w.failed)) {
    err = w.error, rc = err.code;
    goto done;
  }
  rc = write_metadata(&o, clips, count, "train", &err);
  if (!rc && o.test) rc = write_metadata(&o, clips, count, "heldout", &err);
  if (!rc)
    printf("%d clips in %s/train, %d in %s/heldout (%s, %dx%d, %g s, synthetic)\n", o.train, o.out, o.test, o.out, codec, o.width, o.height,
           o.seconds);
done:
  if (rc) um_log(UM_LOG_ERROR, "%s", err.text);
  free(clips), free(thread);
  return um_exit_status(rc);
}
