/* weights: lists the weights of weights/manifest.json and fetches them with curl into the cache: resumed where a fetch was broken off,
 * verified by size and checksum, and only then given their name. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "weights/weights.h"

extern char **environ;

static const char usage[] = "usage: weights list\n"
                            "       weights fetch [NAME]...\n"
                            "\n"
                            "list   the weights that are known, where each lies and whether it is whole\n"
                            "fetch  NAME (all, where none is given) into the cache, through curl; a fetch that was broken off is resumed\n"
                            "\n"
                            "  --help     this text\n"
                            "  --version  the version\n"
                            "\n"
                            "UM_WEIGHTS    the folder to use instead of weights/cache (~/.cache/unmask where unmask is installed)\n"
                            "UM_MANIFEST   a manifest to use instead of weights/manifest.json\n";

static int64_t file_size(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1;
}

/* Runs curl; its exit status, or -1 with err set. Its progress goes to our stderr. */
static int run_curl(const char *url, const char *part, um_error *err) {
  char *const argument[] = {"curl",
                            "--fail",
                            "--location",
                            "--show-error",
                            isatty(2) ? "--progress-bar" : "--silent",
                            "--retry",
                            "3",
                            "--connect-timeout",
                            "20",
                            "--speed-limit",
                            "1000",
                            "--speed-time",
                            "60",
                            "--continue-at",
                            "-",
                            "--output",
                            (char *)part,
                            "--",
                            (char *)url,
                            NULL};
  pid_t child;
  int status, code = posix_spawnp(&child, "curl", NULL, NULL, argument, environ);
  if (code == ENOENT) {
    um_fail(err, UM_EIO, "the program curl is not installed: apt-get install curl (or make deps), then run this again");
    return -1;
  }
  if (code != 0) {
    um_fail(err, UM_EIO, "curl cannot be started: %s", strerror(code));
    return -1;
  }
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) {
      um_fail(err, UM_EIO, "curl: %s", strerror(errno));
      return -1;
    }
  if (WIFSIGNALED(status)) {
    um_fail(err, UM_EINTERRUPTED, "curl was stopped by signal %d; what came is kept, the next fetch goes on from there", WTERMSIG(status));
    return -1;
  }
  return WEXITSTATUS(status);
}

/* What the statuses that people meet mean (curl's manual, EXIT CODES). */
static int explain(int status, const um_known_weights *w, const char *path, um_error *err) {
  const char *what = status == 6 || status == 5     ? "no network: the name of the server cannot be resolved"
                     : status == 7 || status == 28  ? "the server cannot be reached, or is too slow"
                     : status == 22                 ? "the server has no such file (HTTP error)"
                     : status == 23                 ? "the file cannot be written; is the disk full?"
                     : status == 37                 ? "there is no such file"
                     : status == 35 || status == 60 ? "no secure connection to the server; are ca-certificates installed?"
                                                    : "the transfer failed";
  return um_fail(
      err, UM_EIO,
      "%s: %s (curl: %d). What came is kept: run this again to go on. Or bring the file from another machine, from %s to %s; or train "
      "from random weights: --set model.weights=null",
      w->name, what, status, w->url, path);
}

static int fetch(const um_known_weights *w, const char *cache, um_error *err) {
  char path[4096], part[4096 + 8];
  int code, status;

  if ((code = um_path_join(path, sizeof path, cache, w->file, err))) return code;
  snprintf(part, sizeof part, "%s.part", path);
  if (um_is_file(path)) {
    if ((code = um_weights_verify(path, w, err))) return code;
    um_log(UM_LOG_INFO, "%s: is here and whole: %s", w->name, path);
    return UM_OK;
  }
  um_log(UM_LOG_INFO, "%s: %.0f MB from %s", w->name, (double)w->size / 1e6, w->url);
  um_log(UM_LOG_INFO, "%s: licence: %s", w->name, w->licence);
  if (file_size(part) > w->size) unlink(part); /* not ours */
  if (file_size(part) > 0 && file_size(part) < w->size)
    um_log(UM_LOG_INFO, "%s: goes on from %.0f MB that came before", w->name, (double)file_size(part) / 1e6);
  if (file_size(part) < w->size) {
    status = run_curl(w->url, part, err);
    if ((status == 33 || status == 36) && unlink(part) == 0) { /* the server, or curl, cannot resume: from the start */
      um_log(UM_LOG_WARN, "%s: cannot be resumed (curl: %d); from the start", w->name, status);
      status = run_curl(w->url, part, err);
    }
    if (status < 0) return err->code;
    if (status != 0) return explain(status, w, path, err);
  }
  if ((code = um_weights_verify(part, w, err))) {
    /* A whole file with another content will not get better by going on. */
    if (code == UM_EFORMAT) unlink(part);
    return um_fail_context(err, "%s: what came from %s is not what was expected and was removed", w->name, w->url);
  }
  int fd = open(part, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd);
    close(fd);
  }
  if (rename(part, path) != 0) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  char old[sizeof part + 16];
  snprintf(old, sizeof old, "%s.verified", part);
  unlink(old);
  if ((code = um_weights_verify(path, w, err))) return code;
  um_log(UM_LOG_INFO, "%s: verified, in %s", w->name, path);
  return UM_OK;
}

static int fetch_named(char **name, int names, const um_known_weights *row, int count, um_error *err) {
  char cache[4096];
  int code = um_weights_cache(cache, sizeof cache, err);
  if (!code) code = um_mkdirs(cache, err);
  for (int n = 0; n < names && !code; n++) {
    int i = 0;
    while (i < count && strcmp(row[i].name, name[n]) != 0) i++;
    if (i == count)
      return um_fail(err, UM_ECONFIG, "%s: not in the manifest; known: %s%s", name[n], count ? row[0].name : "none",
                     count > 1 ? ", ..." : "");
    code = fetch(&row[i], cache, err);
  }
  for (int i = 0; i < count && names == 0 && !code; i++) code = fetch(&row[i], cache, err);
  return code;
}

static void list(const um_known_weights *row, int count) {
  char path[4096];
  for (int i = 0; i < count; i++) {
    um_error err = {0};
    const char *backbone = strchr(row[i].name, '/');
    int code = um_weights_find(path, sizeof path, "imagenet", backbone ? backbone + 1 : row[i].name, &err);
    printf("%s\n  file     %s, %" PRId64 " bytes\n  url      %s\n  licence  %s\n  here     %s%s\n", row[i].name, row[i].file, row[i].size,
           row[i].url, row[i].licence,
           code == UM_OK    ? "whole: "
           : code == UM_EIO ? "no"
                            : "damaged: ",
           code == UM_OK    ? path
           : code == UM_EIO ? "; weights fetch (or make weights) fetches it"
                            : err.text);
  }
}

int main(int argc, char **argv) {
  um_known_weights *row = NULL;
  um_error err = {0};
  int count = 0, code;

  um_log_open("weights", UM_LOG_INFO);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) {
      fputs(usage, stdout);
      return 0;
    }
    if (strcmp(argv[i], "--version") == 0) {
      printf("weights (unmask) %s\n", UM_VERSION);
      return 0;
    }
  }
  bool fetching = argc > 1 && strcmp(argv[1], "fetch") == 0, listing = argc == 2 && strcmp(argv[1], "list") == 0;
  if ((!fetching && !listing) || (argc > 2 && argv[2][0] == '-')) {
    fputs(usage, stderr);
    return 2;
  }
  code = um_weights_manifest(&row, &count, &err);
  if (!code && fetching) code = fetch_named(argv + 2, argc - 2, row, count, &err);
  if (!code && listing) list(row, count);
  if (code) um_log(UM_LOG_ERROR, "%s", err.text);
  free(row);
  return um_exit_status(code);
}
