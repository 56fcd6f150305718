/* infer: scores videos and pictures with a trained model. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "infer/annotate.h"

enum { BATCH = 16 };

static volatile bool stop;
static void on_signal(int number) { (void)number, stop = true; }
static void watch_signals(void) {
  const struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL), sigaction(SIGTERM, &action, NULL);
}

typedef struct progress {
  const options *o;
  int done, total, skipped;
  int dropped[UM_FATES];
  bool table;
} progress;

static void finished(void *arg, input *in) {
  progress *p = arg;
  p->done++;
  p->skipped += in->skipped;
  for (int i = 0; i < UM_FATES; i++) p->dropped[i] += in->dropped[i];
  if (in->reason[0]) {
    /* Most messages of libraries begin with the path. */
    bool named = !strncmp(in->reason, in->path, strlen(in->path));
    um_log(in->skipped ? UM_LOG_ERROR : UM_LOG_WARN, "%s%s%s", named ? "" : in->path, named ? "" : ": ", in->reason);
  }
  if (!p->o->quiet) um_log_progress(false, "%s", ""); /* on a terminal the table's row comes in its place */
  if (p->table) print_row(in), fflush(stdout);
  if (!p->o->quiet && p->done < p->total) um_log_progress(false, "infer: %d of %d", p->done, p->total);
}

/* What comes out at the end can be written: seen before hours of work, not after them. */
static int can_write(const char *path, um_error *err) {
  struct stat st;
  um_writer w = {0};
  if (!path || !strcmp(path, "-") || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) return UM_OK;
  const int rc = um_writer_open(&w, path, err);
  um_writer_abandon(&w);
  return rc;
}

int main(int argc, char **argv) {
  options o;
  inputs in = {0};
  scorer s = {0};
  um_findings r = {0};
  ladder l = {0};
  um_error err = {0};
  evidence e;
  annotation copies = {0};
  bool done = false, open = false, holds = true;
  progress p = {.o = &o};
  const double start = um_seconds();
  um_log_open("infer", UM_LOG_INFO);
  char **command = malloc((size_t)argc * sizeof *command); /* before getopt puts it in another order */
  if (command) memcpy(command, argv, (size_t)argc * sizeof *command);
  int rc = options_read(&o, argc, argv, &done);
  o.command = command, o.words = command ? argc : 0;
  if (rc || done) {
    free(command);
    return rc;
  }
  if (o.quiet) um_log_open("infer", UM_LOG_WARN);

  if ((rc = can_write(o.json, &err)) || (rc = can_write(o.csv, &err))) goto done;
  if (o.verify) {
    watch_signals();
    rc = verify(&o, (const char *const *)argv + optind, argc - optind, &stop, &holds, &err);
    goto done;
  }
  if (o.compare) {
    rc = compare(argv[optind], argv[optind + 1], &o, &err);
    goto done;
  }
  rc = ladder_check(o.ladder, &err);
  if (!rc) rc = inputs_open(&in, (const char *const *)argv + optind, argc - optind, &o, &err);
  if (!rc && o.annotate) rc = annotation_open(&copies, &in, (const char *const *)argv + optind, argc - optind, &o, &err);
  if (!rc) rc = scorer_open(&s, &o, BATCH, &err), open = !rc;
  if (!rc && o.explain) rc = um_mkdirs(o.explain, &err);
  if (!rc && o.report) rc = um_mkdirs(o.report, &err);
  if (!rc && o.report) rc = gallery_open(&in, &o, &err);
  if (rc) goto done;
  if (!o.jobs) o.jobs = s.backend->threads > 0 ? s.backend->threads : 1;
  if ((rc = evidence_take(&e, &s, &o, BATCH, &err))) goto done;
  watch_signals();

  p.total = in.count, p.table = !o.quiet && !(o.json && !strcmp(o.json, "-"));
  if (p.table) print_head();
  const double since = um_seconds();
  rc = pipeline_run(&in, &s, &o, NULL, BATCH, finished, &p, &stop, &err);
  const double seconds = um_seconds() - since;
  if (!rc && p.table) print_dropped(p.dropped);
  e.seconds = um_seconds() - start;
  const um_scoring rule = um_preprocess_scoring(&s.preprocess);
  if (!rc && o.labels) rc = findings_make(&r, &in, &rule, &s.preprocess.calibration, &o, &err);
  if (!rc && o.labels && p.table) findings_print(&r, &in);
  if (!rc && o.ladder) rc = ladder_run(&l, &in, &s, &o, BATCH, seconds, p.table, &stop, &err);
  if (!rc && o.json) rc = write_json(o.json, &in, &s, &o, &e, o.labels ? &r : NULL, o.ladder ? &l : NULL, &err);
  if (!rc && o.csv) rc = write_csv(o.csv, &in, &err);
  if (!rc && o.report) rc = gallery_pictures(&in, &s, &o, &err);
  if (!rc && o.report) rc = page_write(&in, &s, &o, &e, o.labels ? &r : NULL, o.ladder ? &l : NULL, &err);
  if (!rc && o.annotate) rc = annotation_write(&copies, &in, &s, &o, &stop, &err); /* last: it takes long, and results are safe by now */
  if (!rc && p.skipped) um_log(UM_LOG_WARN, "%d of %d inputs could not be read", p.skipped, in.count);
done:
  if (rc) um_log(UM_LOG_ERROR, "%s", err.text);
  int status = rc ? um_exit_status(rc) : p.skipped ? 3 : holds ? 0 : 1;
  if (open) scorer_close(&s);
  ladder_free(&l);
  um_findings_free(&r);
  annotation_free(&copies);
  inputs_free(&in);
  free(command);
  return status;
}
