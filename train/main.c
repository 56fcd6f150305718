/* train: fine-tunes a model on folders of pictures. */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/file.h"
#include "core/log.h"
#include "train/run.h"

#ifndef UM_VERSION
#define UM_VERSION "?"
#endif

static const char usage[] = "usage: train --config FILE [--set KEY=VALUE]... [--out DIR] [options]\n"
                            "       train --resume DIR [--set KEY=VALUE]... [options]\n"
                            "\n"
                            "Trains a model on a folder that holds a folder of pictures a class (fake,\n"
                            "real), and writes a run folder: config.json, history.csv, history.svg and .png,\n"
                            "augmented.png, last.safetensors (to go on from), best.safetensors (lowest\n"
                            "validation loss; give it to infer), validation.csv (all numbers of the held-out\n"
                            "part), speed.csv (where the time went) and, with a test part, test.json.\n"
                            "The folder may hold videos, too: their faces are cut out on the way.\n"
                            "\n"
                            "  --config FILE    the config; without a folder it is looked for here, in\n"
                            "                   configs/ and where unmask is installed\n"
                            "  --set KEY=VALUE  overrides a key of the config: epochs=3,\n"
                            "                   data.train_dir=faces, optimizer.name=adam\n"
                            "  --out DIR        the run folder (default: runs/CONFIG-DATE-TIME)\n"
                            "  --resume DIR     goes on with the run in DIR; --set may change what extends\n"
                            "                   it (epochs) or leaves its numbers alone (data.workers)\n"
                            "  --device NAME    auto, cpu, ref, cuda or cuda:N (default: auto)\n"
                            "  --threads N      compute threads (default: all)\n"
                            "  --force          trains although the same footage or nearly the same\n"
                            "                   pictures stand on both sides of the split, and says so\n"
                            "  --verbose        on a GPU, also how each way to run a layer was timed\n"
                            "  --quiet          warnings and errors only\n"
                            "  --help, --version\n"
                            "\n"
                            "Ctrl-C ends after the step and saves; a second one ends at once. Exit status:\n"
                            "0 done, 1 failed, 2 wrong usage or config, 3 done but some pictures were\n"
                            "unreadable, 130 stopped.\n"
                            "\n"
                            "Keys of the config (those of one optimizer only are refused for others), what\n"
                            "they may be, and [their default]:\n";

typedef struct options {
  const char *config, *out, *resume, *device;
  const char **set;
  int set_count, threads;
  bool quiet, verbose, force, done; /* done: --help or --version was all */
} options;

/* Words in lines of 80 columns, behind an indent. */
static void print_wrapped(const char *text, int indent) {
  int column = indent;
  printf("%*s", indent, "");
  while (*text) {
    const int n = (int)strcspn(text, " ");
    if (column + 1 + n > 80 && column > indent) {
      printf("\n%*s", indent, "");
      column = indent;
    } else if (column > indent) {
      putchar(' ');
      column++;
    }
    printf("%.*s", n, text);
    column += n;
    text += n + strspn(text + n, " ");
  }
  putchar('\n');
}

static void print_help(void) {
  um_config_key_info k;
  char name[512];
  fputs(usage, stdout);
  for (int i = 0; um_config_key(i, &k); i++) {
    snprintf(name, sizeof name, "%s [%s]", k.name, k.fallback);
    putchar('\n');
    print_wrapped(name, 2);
    print_wrapped(k.help, 6);
    print_wrapped(k.expected, 6);
  }
}

static int read_options(options *o, int argc, char **argv, um_error *err) {
  static const struct option known[] = {
      {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},    {"out", required_argument, NULL, 'o'},
      {"resume", required_argument, NULL, 'r'}, {"device", required_argument, NULL, 'd'}, {"threads", required_argument, NULL, 't'},
      {"force", no_argument, NULL, 'f'},        {"quiet", no_argument, NULL, 'q'},        {"verbose", no_argument, NULL, 'V'},
      {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
  char *end;
  *o = (options){.device = "auto"};
  o->set = calloc((size_t)argc, sizeof *o->set);
  if (!o->set) return um_fail(err, UM_ENOMEM, "no memory for the options");
  opterr = 0;
  for (int c; (c = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
    switch (c) {
    case 'c': o->config = optarg; break;
    case 's': o->set[o->set_count++] = optarg; break;
    case 'o': o->out = optarg; break;
    case 'r': o->resume = optarg; break;
    case 'd': o->device = optarg; break;
    case 'q': o->quiet = true; break;
    case 'f': o->force = true; break;
    case 'V': o->verbose = true; break;
    case 't': {
      long n = strtol(optarg, &end, 10);
      if (end == optarg || *end || n < 1 || n > 4096)
        return um_fail(err, UM_ECONFIG, "--threads: expected a number from 1 to 4096, got \"%s\"", optarg);
      o->threads = (int)n;
      break;
    }
    case 'h':
      print_help();
      o->done = true;
      return UM_OK;
    case 'v':
      puts("train (unmask) " UM_VERSION);
      o->done = true;
      return UM_OK;
    case ':': return um_fail(err, UM_ECONFIG, "%s: expected a value; --help shows the usage", argv[optind - 1]);
    default: return um_fail(err, UM_ECONFIG, "%s: not an option of train; --help shows the usage", argv[optind - 1]);
    }
  }
  if (optind < argc)
    return um_fail(err, UM_ECONFIG, "%s: not an option of train; pictures are named in the config: --set data.train_dir=%s", argv[optind],
                   argv[optind]);
  if (o->resume && (o->config || o->out))
    return um_fail(err, UM_ECONFIG, "--resume takes the config and the folder from the run; leave %s out",
                   o->config ? "--config" : "--out");
  if (!o->resume && !o->config)
    return um_fail(err, UM_ECONFIG, "no config: expected --config FILE, such as --config vgg16_finetune.json; --help shows the usage");
  return UM_OK;
}

/* "configs/vgg16_finetune.json" -> "vgg16_finetune". */
static void name_run(run *r, const char *config) {
  const char *slash = strrchr(config, '/');
  snprintf(r->name, sizeof r->name, "%s", slash ? slash + 1 : config);
  size_t n = strlen(r->name);
  if (n > 5 && strcmp(r->name + n - 5, ".json") == 0) r->name[n - 5] = 0;
}

static int configure_new(run *r, const options *o, um_error *err) {
  time_t now = time(NULL);
  struct tm t;
  char when[32];
  int status = um_config_load(&r->config, o->config, o->set, o->set_count, err);
  if (status) return status;
  name_run(r, o->config);
  strftime(when, sizeof when, "%Y%m%d-%H%M%S", localtime_r(&now, &t));
  int n = o->out ? snprintf(r->out, sizeof r->out, "%s", o->out) : snprintf(r->out, sizeof r->out, "runs/%s-%s", r->name, when);
  if (n <= 0 || n >= (int)sizeof r->out)
    return um_fail(err, UM_ECONFIG, "--out: expected a folder's path of up to %zu bytes", sizeof r->out - 1);
  for (int i = 2; !o->out && um_is_folder(r->out); i++) snprintf(r->out, sizeof r->out, "runs/%s-%s-%d", r->name, when, i);
  r->picture_due = true;
  return run_check_free(r, err);
}

static int configure_resumed(run *r, const options *o, um_error *err) {
  char path[4096], key[128];
  um_config before;
  int status;

  if (snprintf(r->out, sizeof r->out, "%s", o->resume) >= (int)sizeof r->out)
    return um_fail(err, UM_ECONFIG, "--resume: the path is too long");
  for (size_t n = strlen(r->out); n > 1 && r->out[n - 1] == '/'; n--) r->out[n - 1] = 0;
  r->resumed = true;
  if ((status = run_path(r, path, "last.safetensors", err))) return status;
  if (!um_is_file(path)) return um_fail(err, UM_EIO, "--resume %s: no run to go on with: there is no last.safetensors in it", o->resume);
  if ((status = run_path(r, path, "config.json", err))) return status;
  if ((status = um_config_load(&before, path, NULL, 0, err))) return status;
  status = um_config_load(&r->config, path, o->set, o->set_count, err);
  if (!status && um_config_differs(&before, &r->config, key, sizeof key))
    status =
        um_fail(err, UM_ECONFIG,
                "--set: %s: cannot change in a run that is resumed: it would end with other numbers; begin a new one (its weights: --set "
                "model.weights=%s/last.safetensors)",
                key, r->out);
  um_config_free(&before);
  name_run(r, r->out);
  return status;
}

/* After a failure: what is left, and how to go on. */
static void say_what_is_kept(const run *r) {
  if (r->saved.epoch < 0) {
    um_log(UM_LOG_WARN, "no checkpoint had been written yet");
    return;
  }
  um_log(UM_LOG_WARN, "%s/last.safetensors holds the run after epoch %d, step %d; go on with: train --resume %s", r->out,
         r->saved.epoch + (r->saved.batch > 0), r->saved.batch, r->out);
}

static void say_what_came_out(const run *r) {
  if (r->at.best_epoch >= 0)
    um_log_progress(true, "best: epoch %d, validation loss %.4f: %s/best.safetensors", r->at.best_epoch + 1, r->at.best, r->out);
  else
    um_log_progress(true, "no held-out part, so no best.safetensors: the model is %s/last.safetensors", r->out);
  um_log_progress(true, "score with: infer --model %s/%s.safetensors VIDEO...", r->out, r->at.best_epoch >= 0 ? "best" : "last");
}

static int train(run *r, const options *o, um_error *err) {
  r->force = o->force;
  int status = o->resume ? configure_resumed(r, o, err) : configure_new(r, o, err);
  if (status) return status;
  if ((status = run_prepare(r, o->device, o->threads, o->verbose, err))) return status;
  run_describe(r);
  if (!r->resumed && (status = run_guard(r, err))) return status; /* one that goes on has passed it */
  if ((status = run_load(r, err))) return status;
  if ((status = run_open_folder(r, err))) return status;
  if (r->resumed && run_is_over(r)) {
    if (run_stopped_early(r))
      um_log(UM_LOG_INFO, "the run stopped early after epoch %d; --set early_stopping=null goes on", r->at.epoch);
    else
      um_log(UM_LOG_INFO, "all %d epochs are done; --set epochs=N goes on", run_epochs(r));
    return UM_OK;
  }
  if (r->resumed) um_log_progress(true, "Resuming    after epoch %d, step %d", r->at.epoch + (r->at.batch > 0), r->at.batch);
  stop_listen();
  status = run_train(r, err);
  if (status == UM_OK) say_what_came_out(r);
  if (status == UM_OK) status = run_summarize(r, err);
  if (status == UM_OK) status = run_test(r, err);
  return status;
}

int main(int argc, char **argv) {
  run r = {.saved = {.epoch = -1}}; /* no checkpoint yet */
  options o;
  um_error err = {0};
  int exit_status;

  um_log_open("train", UM_LOG_INFO);
  int status = read_options(&o, argc, argv, &err);
  if (!status && !o.done) {
    if (o.quiet) um_log_open("train", UM_LOG_WARN);
    status = train(&r, &o, &err);
  }
  exit_status = um_exit_status(status);
  if (status) um_log(UM_LOG_ERROR, "%s", err.text);
  if (status && r.loader) say_what_is_kept(&r);
  if (run_skipped(&r) > 0) {
    um_log(UM_LOG_WARN, "%d of %d pictures could not be read and were left out (named above)", run_skipped(&r),
           r.train.count + r.validation.count + r.test.count);
    if (status == UM_OK) exit_status = 3;
  }
  run_free(&r);
  free(o.set);
  return exit_status;
}
