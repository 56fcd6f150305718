#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "tools/extract/extract.h"

#define JOBS_MAX 64

atomic_int interrupted;

static const char usage[] =
    "usage: extract [option]... VIDEO|IMAGE|FOLDER...\n"
    "Cuts the faces out of videos and pictures: OUT/{fake,real}/VIDEO_FRAME_FACE.png and OUT/manifest.csv.\n"
    "\n"
    "  --out DIR          where to write (faces); an earlier run's manifest there is added to\n"
    "  --fps N|all        frames a second to look at (2), or every one\n"
    "  --labels FILE      what is fake and what real: metadata.json in DFDC's format\n"
    "  --label fake|real  all inputs are this; without either, folders named fake and real tell\n"
    "  --faces largest|all  of each frame, the largest face (default) or every one\n"
    "  --margin F         widen the crop by this share of its radius (0)\n"
    "  --size PX          resize crops to PX x PX (0: as they are)\n"
    "  --max-size PX      frames are scaled to fit PX x PX before (1000; 0: as they are)\n"
    "  --detector NAME    haar (default): frontal faces, and where there are none a second cascade that keeps turned heads;\n"
    "                     haar-strict: the first one only\n"
    "  --draw DIR         also write the frames, each face marked by a red dashed square, as DIR/VIDEO_FRAME.jpg\n"
    "  --jobs N           videos at once (0: as many as there are processors)\n"
    "  --quiet            no progress\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 done; 1 failed; 2 bad usage; 3 done, but some inputs were skipped (named on stderr); 130 stopped by the user.\n";

static void on_signal(int signal) {
  (void)signal;
  atomic_store(&interrupted, 1);
}

/* The value of option `name`: in the next argument or after '='. NULL where there is none. */
static const char *value_of(int argc, char **argv, int *i, const char *name) {
  size_t n = strlen(name);
  if (argv[*i][n] == '=') return argv[*i] + n + 1;
  if (*i + 1 < argc) return argv[++*i];
  return NULL;
}

static bool is(const char *argument, const char *name) {
  size_t n = strlen(name);
  return strncmp(argument, name, n) == 0 && (argument[n] == 0 || argument[n] == '=');
}

static int number(double *out, const char *name, const char *value, double min, double max, bool whole, um_error *err) {
  char *end;
  double v = strtod(value, &end);
  if (end == value || *end || !isfinite(v) || v < min || v > max || (whole && v != floor(v)))
    return um_fail(err, UM_ECONFIG, "%s: expected a %snumber from %g to %g, got \"%s\"", name, whole ? "whole " : "", min, max, value);
  *out = v;
  return UM_OK;
}

/* One option with a value. */
static int set(options *o, const char *name, const char *v, um_error *err) {
  double x = 0;
  int r = UM_OK;
  if (strcmp(name, "--out") == 0)
    o->out = v;
  else if (strcmp(name, "--labels") == 0)
    o->labels = v;
  else if (strcmp(name, "--draw") == 0)
    o->draw = v;
  else if (strcmp(name, "--fps") == 0) {
    if (strcmp(v, "all") == 0)
      o->face.settings.fps = 0;
    else if ((r = number(&x, name, v, 0.001, 1000, false, err)) < 0)
      return um_fail(err, UM_ECONFIG, "--fps: expected a number from 0.001 to 1000 or all, got \"%s\"", v);
    else
      o->face.settings.fps = x;
  } else if (strcmp(name, "--label") == 0) {
    o->label = strcmp(v, "fake") == 0 ? 0 : strcmp(v, "real") == 0 ? 1 : -1;
    if (o->label < 0) r = um_fail(err, UM_ECONFIG, "--label: expected fake or real, got \"%s\"", v);
  } else if (strcmp(name, "--faces") == 0) {
    o->face.settings.choice = strcmp(v, "all") == 0 ? UM_FACES_ALL : UM_FACES_LARGEST;
    if (o->face.settings.choice != UM_FACES_ALL && strcmp(v, "largest") != 0)
      r = um_fail(err, UM_ECONFIG, "--faces: expected largest or all, got \"%s\"", v);
  } else if (strcmp(name, "--margin") == 0) {
    if ((r = number(&x, name, v, -0.9, 4, false, err)) == UM_OK) o->face.settings.margin = x;
  } else if (strcmp(name, "--size") == 0) {
    if ((r = number(&x, name, v, 0, 4096, true, err)) == UM_OK) o->face.settings.size = (int)x;
  } else if (strcmp(name, "--max-size") == 0) {
    if ((r = number(&x, name, v, 0, 16384, true, err)) == UM_OK) o->face.settings.max_size = (int)x;
  } else if (strcmp(name, "--jobs") == 0) {
    if ((r = number(&x, name, v, 0, JOBS_MAX, true, err)) == UM_OK) o->jobs = (int)x;
  } else if (snprintf(o->face.settings.detector, sizeof o->face.settings.detector, "%s", v) >= (int)sizeof o->face.settings.detector) {
    r = um_fail(err, UM_ECONFIG, "--detector: expected haar or haar-strict, got \"%s\"", v);
  }
  return r;
}

/* Fills o and moves the inputs to the front of argv; returns their number. */
static int parse(options *o, int argc, char **argv, um_error *err) {
  static const char *const with_value[] = {"--out",  "--fps",      "--labels",   "--label", "--faces", "--margin",
                                           "--size", "--max-size", "--detector", "--draw",  "--jobs"};
  int inputs = 0, r;
  bool only_inputs = false;
  for (int i = 1; i < argc; i++) {
    char *a = argv[i];
    if (only_inputs || a[0] != '-' || a[1] == 0)
      argv[inputs++] = a;
    else if (strcmp(a, "--") == 0)
      only_inputs = true;
    else if (strcmp(a, "--quiet") == 0)
      o->quiet = true;
    else {
      const char *name = NULL;
      for (size_t k = 0; k < sizeof with_value / sizeof *with_value; k++)
        if (is(a, with_value[k])) name = with_value[k];
      if (!name) return um_fail(err, UM_ECONFIG, "%s: no such option; extract --help lists them", a);
      const char *v = value_of(argc, argv, &i, name);
      if (!v || !*v) return um_fail(err, UM_ECONFIG, "%s: expected a value after it", name);
      if ((r = set(o, name, v, err)) < 0) return r;
    }
  }
  if (o->labels && o->label >= 0) return um_fail(err, UM_ECONFIG, "--labels and --label: expected one of them");
  if (inputs == 0) return um_fail(err, UM_ECONFIG, "no input: expected videos, pictures or folders of them; extract --help tells more");
  return inputs;
}

static int make_writable(const char *folder, um_error *err) {
  int r = um_mkdirs(folder, err);
  if (r == UM_OK && access(folder, W_OK | X_OK) != 0) r = um_fail(err, UM_EIO, "%s: cannot write there: %s", folder, strerror(errno));
  return r;
}

static bool rewritten(const job *j, const row *line) {
  for (int i = 0; i < j->sources->count; i++)
    if (j->result[i].code == UM_OK && strcmp(j->sources->item[i].path, line->field[2]) == 0) return true;
  return false;
}

/* Old rows of videos that were not done now, and the new ones. Crops that the old run made of a video and the new one did not are
 * removed. */
static int finish(job *j, rows *old, um_error *err) {
  rows all = {0};
  int r = UM_OK;
  char path[4096];
  for (int i = 0; i < old->count && r == UM_OK; i++) {
    row *line = &old->item[i];
    bool again = rewritten(j, line), kept = !again;
    for (int k = 0; again && !kept && k < j->sources->count; k++)
      for (int n = 0; !kept && n < j->result[k].rows.count; n++) kept = strcmp(j->result[k].rows.item[n].field[0], line->field[0]) == 0;
    if (!kept && um_path_join(path, sizeof path, j->o->out, line->field[0], NULL) == UM_OK) unlink(path);
    if (!again) r = rows_add(&all, line, err), *line = (row){{0}};
  }
  for (int k = 0; k < j->sources->count && r == UM_OK; k++)
    for (int n = 0; n < j->result[k].rows.count && r == UM_OK; n++) {
      row *line = &j->result[k].rows.item[n];
      r = rows_add(&all, line, err), *line = (row){{0}};
    }
  if (r == UM_OK) r = manifest_write(&all, j->o->out, err);
  rows_free(&all);
  return r;
}

static int run(options *o, const char *const *input, int inputs, um_error *err) {
  um_sources sources = {0};
  rows old = {0};
  pthread_t thread[JOBS_MAX];
  job j = {.o = o, .sources = &sources, .lock = PTHREAD_MUTEX_INITIALIZER};
  int r, done = 0, skipped = 0, threads = 0, cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
  if ((r = make_writable(o->out, err)) < 0 || (o->draw && (r = make_writable(o->draw, err)) < 0) ||
      (r = manifest_read(&old, o->out, err)) < 0 || (r = um_sources_collect(&sources, input, inputs, err)) < 0)
    goto done;
  if (sources.count == 0) {
    r = um_fail(err, UM_EIO, "%s: no videos or pictures in it", input[0]);
    goto done;
  }
  if (o->labels)
    r = um_sources_label_metadata(&sources, o->labels, err);
  else if (o->label >= 0)
    um_sources_label_all(&sources, o->label);
  else
    um_sources_label_folders(&sources);
  if (r < 0 || (r = manifest_settle_names(&sources, &old, err)) < 0) goto done;
  int jobs = o->jobs ? o->jobs : cores;
  if (jobs > sources.count) jobs = sources.count;
  if (jobs > JOBS_MAX) jobs = JOBS_MAX;
  o->face.always_rgb = o->draw != NULL;
  o->face.always_rgb = o->draw != NULL;
  o->face.threads = o->face.decode_threads = cores / jobs > 0 ? cores / jobs : 1;
  if ((r = um_face_finder_open(&j.finder, &o->face, err)) < 0) goto done;
  if (!(j.result = calloc((size_t)sources.count, sizeof *j.result))) {
    r = um_fail(err, UM_ENOMEM, "no memory for %d inputs", sources.count);
    goto done;
  }
  j.started = j.shown = um_seconds();
  for (; threads + 1 < jobs; threads++)
    if (pthread_create(&thread[threads], NULL, work, &j) != 0) break;
  work(&j);
  for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  for (int i = 0; i < sources.count; i++) done += j.result[i].code == UM_OK, skipped += j.result[i].code < 0;
  /* What was finished is kept, whatever stopped the rest. */
  if (done > 0) r = finish(&j, &old, err);
  if (atomic_load(&j.failed)) *err = j.error, r = err->code;
  if (r < 0) goto done;
  printf("%d inputs, %d skipped: %lld faces in %s\n", sources.count, skipped, (long long)atomic_load(&j.faces), o->out);
  if (atomic_load(&interrupted))
    r = um_fail(err, UM_EINTERRUPTED, "stopped: what was finished is in %s", o->out);
  else if (done == 0)
    r = um_fail(err, UM_EFORMAT, "nothing was extracted: all %d inputs were skipped", skipped);
  else
    r = skipped ? 3 : UM_OK;
done:
  for (int i = 0; j.result && i < sources.count; i++) rows_free(&j.result[i].rows);
  free(j.result);
  um_face_finder_close(j.finder);
  um_sources_free(&sources);
  rows_free(&old);
  return r;
}

int main(int argc, char **argv) {
  um_error err = {0};
  options o = {.out = "faces", .label = -1};
  um_face_settings_recipe(&o.face.settings);
  um_log_open("extract", UM_LOG_INFO);
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return fputs(usage, stdout) < 0;
    if (strcmp(argv[i], "--version") == 0) return puts("extract " UM_VERSION) < 0;
  }
  int r = parse(&o, argc, argv, &err);
  if (r > 0) {
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}; /* a second Ctrl-C kills */
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    r = run(&o, (const char *const *)argv, r, &err);
  }
  if (r < 0) um_log(UM_LOG_ERROR, "%s", err.text);
  if (fflush(stdout) != 0 && r >= 0) {
    um_log(UM_LOG_ERROR, "stdout: %s", strerror(errno));
    return 1;
  }
  return r > 0 ? r : um_exit_status(r);
}
