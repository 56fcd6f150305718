#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "data/grid.h"
#include "tools/extract/extract.h"

#define THREADS_MAX 64

atomic_int interrupted;

static void on_signal(int signal) {
  (void)signal;
  atomic_store(&interrupted, 1);
}

static int make_writable(const char *folder, um_error *err) {
  int r = um_mkdirs(folder, err);
  if (r == UM_OK && access(folder, W_OK | X_OK) != 0) r = um_fail(err, UM_EIO, "%s: cannot write there: %s", folder, strerror(errno));
  return r;
}

/* OUT/contact_sheet.jpg: some crops of each input, in the order of the manifest. */
static int write_sheet(const store *s, um_error *err) {
  enum { MOST = 160, SIDE = 96 };
  char sheet[4096], path[4096];
  int n = 0, count = 0, r = um_path_join(sheet, sizeof sheet, s->out, "contact_sheet.jpg", err);
  for (int i = 0; i < s->entries; i++) n += s->entry[i].crops;
  if (r < 0 || n == 0) return r;
  um_sheet_item *item = calloc((size_t)n, sizeof *item);
  if (!item) return um_fail(err, UM_ENOMEM, "%s: no memory", sheet);
  for (int i = 0; i < s->entries && r == UM_OK; i++)
    for (int k = 0; k < s->entry[i].crops && r == UM_OK; k++, count++) {
      const char *line = s->entry[i].crop[k];
      r = um_path_join(path, sizeof path, s->out, line_field(line, M_PATH), err);
      char *copy = r == UM_OK ? strdup(path) : NULL;
      if (r == UM_OK && !copy) r = um_fail(err, UM_ENOMEM, "%s: no memory", sheet);
      item[count] = (um_sheet_item){.path = copy, .label = line_field(line, M_LABEL), .group = i};
    }
  if (r == UM_OK) r = um_contact_sheet_write(sheet, item, count, MOST, SIDE, err);
  for (int i = 0; i < n; i++) free((char *)item[i].path);
  free(item);
  return r;
}

/* A run that was killed between its manifest and its sheet leaves the manifest newer. */
static bool sheet_is_old(const char *out) {
  char path[4096];
  struct stat sheet, manifest;
  if (um_path_join(path, sizeof path, out, "manifest.csv", NULL) < 0 || stat(path, &manifest) != 0) return false;
  if (um_path_join(path, sizeof path, out, "contact_sheet.jpg", NULL) < 0 || stat(path, &sheet) != 0) return true;
  if (sheet.st_mtim.tv_sec != manifest.st_mtim.tv_sec) return sheet.st_mtim.tv_sec < manifest.st_mtim.tv_sec;
  return sheet.st_mtim.tv_nsec < manifest.st_mtim.tv_nsec;
}

/* Inputs that are skipped before any work, each named. */
static int name_skipped(const inputs *in, const store *s, const options *o) {
  int skipped = 0;
  for (int i = 0; i < in->count; i++) {
    const entry *e = store_find(s, in->item[i].source->path);
    const outcome st = e ? outcome_of(e->line) : UNFINISHED;
    if (st != UNLABELLED && st != MISSING && st != UNREADABLE) continue;
    skipped++;
    um_log(UM_LOG_ERROR, "skipped: %s: %s%s", in->item[i].source->path, line_field(e->line, L_REASON),
           st == UNLABELLED && !o->labels && !o->dataset
               ? "; give --label, --labels or --dataset, or put it into a folder named fake or real"
               : "");
  }
  return skipped;
}

/* The sums, from the ledger: what became of this run's inputs. Returns how many were skipped. */
static int sum_up(const inputs *in, const store *s, const um_face_report *now, const char *out) {
  int count[OUTCOMES] = {0}, all = in->count + in->missings, kept = 0;
  char text[512];
  for (int i = 0; i < all; i++) {
    const entry *e = store_find(s, i < in->count ? in->item[i].source->path : in->missing[i - in->count]);
    if (!e) continue;
    count[outcome_of(e->line)]++;
    kept += e->crops;
  }
  if (now->frames) {
    um_face_report_text(text, sizeof text, now);
    printf("now: %lld frames read, %lld without a face; %s\n", (long long)now->frames, (long long)now->frames_without_face, text);
  }
  if (in->before) printf("%d of the inputs were done before and have not changed since\n", in->before);
  printf("%d input%s:", all, all == 1 ? "" : "s");
  for (int i = 0, first = 1; i < OUTCOMES; i++)
    if (count[i]) printf("%s %d %s", first ? "" : ",", count[i], outcome_name[i]), first = 0;
  printf("; %d face%s in %s\n", kept, kept == 1 ? "" : "s", out);
  return count[UNREADABLE] + count[UNLABELLED] + count[MISSING];
}

static void start(job *j, int jobs) {
  pthread_t thread[THREADS_MAX];
  int threads = 0;
  j->started = j->shown = j->noted = um_seconds();
  for (; threads + 1 < jobs; threads++)
    if (pthread_create(&thread[threads], NULL, work, j) != 0) break;
  work(j);
  for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  if (!j->o->quiet) um_log_progress(false, "%s", "");
}

static int prepare(options *o, store *s, const char *const *path, int paths, inputs *in, um_error *err) {
  int recovered = 0, r;
  bool other = false;
  if ((r = settings_resolve(o, err)) < 0 || (r = make_writable(o->out, err)) < 0 || (o->draw && (r = make_writable(o->draw, err)) < 0) ||
      (r = store_open(s, o->out, &recovered, err)) < 0)
    return r;
  if (recovered)
    um_log(UM_LOG_INFO, "%s: the last run there was cut off; %d inputs that it had finished were taken over", o->out, recovered);
  if ((r = settings_check(o, s, &other, err)) < 0 || (r = inputs_collect(in, o, path, paths, err)) < 0) return r;
  if (other) {
    um_log(UM_LOG_WARN, "--force: the crops in %s were made another way: all are removed", o->out);
    if ((r = store_reset(s, err)) < 0) return r;
  }
  return inputs_plan(in, o, s, err);
}

static int run(options *o, int argc, char *const *argv, const char *const *path, int paths, um_error *err) {
  const int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
  store s = {0};
  inputs in = {0};
  job j = {.o = o, .in = &in, .store = &s, .lock = PTHREAD_MUTEX_INITIALIZER};
  int r;
  if (o->jobs == 0) o->jobs = cores < 1 ? 1 : cores < THREADS_MAX ? cores : THREADS_MAX;
  if ((r = prepare(o, &s, path, paths, &in, err)) < 0) goto done;
  if (o->jobs > in.todo) o->jobs = in.todo > 0 ? in.todo : 1;
  o->face.always_rgb = o->draw != NULL;
  o->face.threads = o->face.decode_threads = (cores + o->jobs - 1) / o->jobs;
  if (in.todo && (r = um_face_finder_open(&j.finder, &o->face, err)) < 0) goto done;
  const bool sheet = o->sheet && (in.todo || sheet_is_old(o->out));
  if ((r = settings_write(o, argc, argv, err)) < 0 || (r = store_write(&s, err)) < 0) goto done;
  name_skipped(&in, &s, o);
  if (in.todo) start(&j, o->jobs);
  r = store_write(&s, err);
  if (atomic_load(&j.failed)) *err = j.error, r = err->code;
  if (r < 0) goto done;
  if (sheet && write_sheet(&s, err) < 0) um_log(UM_LOG_WARN, "no contact sheet: %s", err->text); /* a crop was removed by hand */
  const int skipped = sum_up(&in, &s, &j.sum, o->out), all = in.count + in.missings;
  if (atomic_load(&interrupted))
    r = um_fail(err, UM_EINTERRUPTED, "stopped: what was finished is in %s; the same command again goes on", o->out);
  else if (skipped == all)
    r = um_fail(err, UM_EFORMAT, "nothing was extracted: %s skipped; %s/ledger.csv says why",
                all == 1 ? "the input was" : "all inputs were", o->out);
  else
    r = skipped ? 3 : UM_OK;
done:
  um_face_finder_close(j.finder);
  store_close(&s);
  inputs_free(&in);
  return r;
}

int main(int argc, char **argv) {
  um_error err = {0};
  options o = {.out = "faces", .label = -1, .choice = -1, .crop = -1, .margin = NAN, .quality = 95, .sheet = true};
  um_face_settings_recipe(&o.face.settings);
  um_log_open("extract", UM_LOG_INFO);
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return options_usage();
    if (strcmp(argv[i], "--version") == 0) return puts("extract " UM_VERSION) < 0;
  }
  char **words = malloc((size_t)argc * sizeof *words); /* argv is put in another order */
  int r = words ? UM_OK : um_fail(&err, UM_ENOMEM, "no memory");
  if (words) memcpy(words, argv, (size_t)argc * sizeof *words);
  if (r == UM_OK) r = options_parse(&o, argc, argv, &err);
  if (r > 0) {
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}; /* a second Ctrl-C kills */
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    r = run(&o, argc, words, (const char *const *)argv, r, &err);
  }
  free(words);
  if (r < 0) um_log(UM_LOG_ERROR, "%s", err.text);
  if (fflush(stdout) != 0 && r >= 0) {
    um_log(UM_LOG_ERROR, "stdout: %s", strerror(errno));
    return 1;
  }
  return r > 0 ? r : um_exit_status(r);
}
