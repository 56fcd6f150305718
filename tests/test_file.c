/* Files and digests. The digests' vectors are those of FIPS 180-4 (NIST's examples) and RFC 1321, appendix A.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "core/file.h"
#include "tests/support/tmp.h"

static int entries(const char *folder) {
  DIR *d = opendir(folder);
  int n = 0;
  assert_non_null(d);
  while (readdir(d)) n++;
  closedir(d);
  return n - 2;
}

static void reading_is_bounded(void **state) {
  (void)state;
  um_error err = {0};
  char *data;
  size_t size;
  const char *path = tmp_path("file/read.txt");
  tmp_write(path, "twelve bytes", 12);
  assert_int_equal(um_file_read(&data, &size, path, 12, &err), UM_OK);
  assert_int_equal(size, 12);
  assert_string_equal(data, "twelve bytes");
  free(data);
  assert_int_equal(um_file_read(&data, &size, path, 11, &err), UM_EFORMAT);
  assert_null(data);
  assert_non_null(strstr(err.text, "12 bytes"));
  tmp_write(path, "", 0);
  assert_int_equal(um_file_read(&data, &size, path, 12, &err), UM_OK);
  assert_int_equal(size, 0);
  assert_string_equal(data, "");
  free(data);
  assert_int_equal(um_file_read(&data, &size, "/nowhere/at/all", 12, &err), UM_EIO);
  assert_string_equal(err.text, "/nowhere/at/all: No such file or directory");
  assert_int_equal(um_file_read(&data, &size, "/tmp", 12, &err), UM_EIO);
  assert_non_null(strstr(err.text, "found a folder"));
  /* No size known beforehand, and no end. */
  assert_int_equal(um_file_read(&data, &size, "/dev/zero", 100000, &err), UM_EFORMAT);
}

static void writing_happens_or_does_not(void **state) {
  (void)state;
  um_error err = {0};
  um_writer w;
  char *data;
  const char *folder = tmp_path("file/write/x"), *path = tmp_path("file/write/out.bin");
  char dir[4096];
  snprintf(dir, sizeof dir, "%.*s", (int)(strlen(folder) - 2), folder);

  assert_int_equal(um_writer_open(&w, path, &err), UM_OK);
  fputs("first", w.file);
  assert_false(um_is_file(path));
  assert_int_equal(um_writer_commit(&w, &err), UM_OK);
  um_writer_abandon(&w);
  assert_int_equal(um_file_read(&data, NULL, path, 100, &err), UM_OK);
  assert_string_equal(data, "first");
  free(data);

  assert_int_equal(um_writer_open(&w, path, &err), UM_OK);
  fputs("second", w.file);
  um_writer_abandon(&w);
  um_writer_abandon(&w);
  assert_int_equal(um_file_read(&data, NULL, path, 100, &err), UM_OK);
  assert_string_equal(data, "first");
  free(data);
  assert_int_equal(entries(dir), 1);

  assert_int_equal(um_writer_open(&w, "/nowhere/at/all", &err), UM_EIO);
  assert_int_equal(um_writer_open(&w, dir, &err), UM_EIO);
  assert_non_null(strstr(err.text, "is a folder"));
  um_writer_abandon(&w);
}

/* A write that fails half-way, as on a full disk: here the limit is the process' own (setrlimit). */
static void full_disk_keeps_the_old_file(void **state) {
  (void)state;
  um_error err = {0};
  um_writer w;
  struct rlimit old, small;
  static char big[1 << 16];
  char *data, dir[4096];
  const char *path = tmp_path("file/full/out.bin");
  snprintf(dir, sizeof dir, "%.*s", (int)(strlen(path) - strlen("/out.bin")), path);
  tmp_write(path, "old", 3);
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old;
  small.rlim_cur = 1000;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  int status = um_writer_open(&w, path, &err);
  if (!status) {
    fwrite(big, 1, sizeof big, w.file);
    status = um_writer_commit(&w, &err);
  }
  um_error other = {0};
  const int put = um_file_put(tmp_path("file/full/put.bin"), big, sizeof big, &other);
  setrlimit(RLIMIT_FSIZE, &old);
  assert_int_equal(status, UM_EIO);
  assert_int_equal(put, UM_EIO); /* and nothing of it stays */
  assert_non_null(strstr(other.text, "put.bin: cannot write: "));
  assert_non_null(strstr(err.text, path));
  assert_int_equal(um_file_read(&data, NULL, path, 100, &err), UM_OK);
  assert_string_equal(data, "old");
  free(data);
  assert_int_equal(entries(dir), 1);
}

static void what_killed_processes_left_is_swept(void **state) {
  (void)state;
  um_error err = {0};
  um_writer mine;
  char name[128], dir[4096];
  pid_t gone = fork();
  if (gone == 0) _exit(0);
  assert_int_equal(waitpid(gone, NULL, 0), gone);
  const char *kept[] = {"file/sweep/a", "file/sweep/a.tmp", "file/sweep/a.x-0.tmp", "file/sweep/a.12-.tmp", "file/sweep/.tmp"};
  for (int i = 0; i < 5; i++) tmp_write(tmp_path(kept[i]), "x", 1);
  snprintf(name, sizeof name, "file/sweep/last.safetensors.%ld-3.tmp", (long)gone);
  tmp_write(tmp_path(name), "x", 1);
  const char *path = tmp_path("file/sweep/b");
  snprintf(dir, sizeof dir, "%.*s", (int)strlen(path) - 2, path);
  assert_int_equal(um_writer_open(&mine, path, &err), UM_OK);
  assert_int_equal(entries(dir), 7);
  um_writer_sweep(dir);
  assert_int_equal(entries(dir), 6);
  assert_false(um_is_file(tmp_path(name)));
  assert_int_equal(um_writer_commit(&mine, &err), UM_OK);
  assert_true(um_is_file(tmp_path("file/sweep/b")));
  um_writer_sweep("/nowhere/at/all");
}

static void a_device_is_written_to_not_replaced(void **state) {
  (void)state;
  um_error err = {0};
  um_writer w;
  struct stat st;
  assert_int_equal(um_writer_open(&w, "/dev/null", &err), UM_OK);
  fputs("gone", w.file);
  assert_int_equal(um_writer_commit(&w, &err), UM_OK);
  assert_int_equal(stat("/dev/null", &st), 0);
  assert_true(S_ISCHR(st.st_mode));
}

static void folders_and_paths(void **state) {
  (void)state;
  um_error err = {0};
  char out[32];
  const char *deep = tmp_path("file/a/b/c/d");
  assert_int_equal(um_mkdirs(deep, &err), UM_OK);
  assert_int_equal(um_mkdirs(deep, &err), UM_OK);
  assert_true(um_is_folder(deep));
  assert_false(um_is_file(deep));
  const char *file = tmp_path("file/a/plain");
  tmp_write(file, "x", 1);
  assert_true(um_is_file(file));
  assert_int_equal(um_mkdirs(tmp_path("file/a") /* a folder */, &err), UM_OK);
  char below[4200];
  snprintf(below, sizeof below, "%s/below", file);
  assert_int_equal(um_mkdirs(below, &err), UM_EIO);
  assert_int_equal(um_mkdirs("", &err), UM_EIO);
  assert_int_equal(um_path_join(out, sizeof out, "dir", "name", &err), UM_OK);
  assert_string_equal(out, "dir/name");
  assert_int_equal(um_path_join(out, sizeof out, "dir/", "name", &err), UM_OK);
  assert_string_equal(out, "dir/name");
  assert_int_equal(um_path_join(out, 8, "dir", "name", &err), UM_EIO);
}

static void sha256_vectors(void **state) {
  (void)state;
  um_error err = {0};
  static const struct {
    const char *text, *hex;
  } v[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
           {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
           {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
           {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"}};
  char hex[65];
  uint8_t digest[32];
  const char *path = tmp_path("file/sha");
  for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
    tmp_write(path, v[i].text, strlen(v[i].text));
    assert_int_equal(um_sha256_file(hex, path, &err), UM_OK);
    assert_string_equal(hex, v[i].hex);
    um_sha256(digest, v[i].text, strlen(v[i].text));
    for (int k = 0; k < 32; k++) {
      char byte[3];
      snprintf(byte, sizeof byte, "%02x", digest[k]);
      assert_memory_equal(byte, hex + 2 * k, 2);
    }
  }
  char *million = malloc(1000000);
  assert_non_null(million);
  memset(million, 'a', 1000000);
  tmp_write(path, million, 1000000);
  free(million);
  assert_int_equal(um_sha256_file(hex, path, &err), UM_OK);
  assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  assert_int_equal(um_sha256_file(hex, "/nowhere/at/all", &err), UM_EIO);
  assert_int_equal(um_sha256_file(hex, "/tmp", &err), UM_EIO);
}

static void md5_vectors(void **state) {
  (void)state;
  um_error err = {0};
  static const struct {
    const char *text, *hex;
  } v[] = {{"", "d41d8cd98f00b204e9800998ecf8427e"},
           {"a", "0cc175b9c0f1b6a831c399e269772661"},
           {"abc", "900150983cd24fb0d6963f7d28e17f72"},
           {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
           {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
           {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
           {"12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a"}};
  char hex[33];
  const char *path = tmp_path("file/md5");
  for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
    tmp_write(path, v[i].text, strlen(v[i].text));
    assert_int_equal(um_md5_file(hex, path, &err), UM_OK);
    assert_string_equal(hex, v[i].hex);
  }
}

static void the_clock_runs_forward(void **state) {
  (void)state;
  double a = um_seconds();
  usleep(20000);
  double b = um_seconds();
  assert_true(b - a >= 0.02 && b - a < 10);
}

/* The examples of RFC 3720, appendix B.4. */
static void crc32c(void **state) {
  uint8_t bytes[32];
  (void)state;
  memset(bytes, 0, sizeof bytes);
  assert_true(um_crc32c(bytes, 32) == 0x8a9136aa);
  memset(bytes, 0xff, sizeof bytes);
  assert_true(um_crc32c(bytes, 32) == 0x62a8ab43);
  for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
  assert_true(um_crc32c(bytes, 32) == 0x46dd794e);
  for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(31 - i);
  assert_true(um_crc32c(bytes, 32) == 0x113fdb5c);
  assert_true(um_crc32c("", 0) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(crc32c),
      cmocka_unit_test(reading_is_bounded),
      cmocka_unit_test(writing_happens_or_does_not),
      cmocka_unit_test(full_disk_keeps_the_old_file),
      cmocka_unit_test(what_killed_processes_left_is_swept),
      cmocka_unit_test(a_device_is_written_to_not_replaced),
      cmocka_unit_test(folders_and_paths),
      cmocka_unit_test(sha256_vectors),
      cmocka_unit_test(md5_vectors),
      cmocka_unit_test(the_clock_runs_forward),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
