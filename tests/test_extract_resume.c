/* extract stopped, killed and run again: nothing is lost but what was in work, nothing is done twice, and the end is the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "tests/support/extract_run.h"
#include "tests/support/tmp.h"
/* The store itself, as the program has it. */
#include "tools/extract/journal.c"
#include "tools/extract/store.c"

/* What is flushed to the disk in this process, in order: the C library's are passed over. */
static ino_t flushed[64];
static int flushes;
static int flush(long call, int fd) {
  struct stat st;
  if (fstat(fd, &st) == 0 && flushes < 64) flushed[flushes++] = st.st_ino;
  return (int)syscall(call, fd);
}
int fsync(int fd) { return flush(SYS_fsync, fd); }
int fdatasync(int fd) { return flush(SYS_fdatasync, fd); }

#define SETTINGS "--detector haar --faces largest --max-size 400 --fps all --quiet --label fake "
enum { CLIPS = 5 };

/* A folder of clips of one to three seconds. */
static const char *clips(void) {
  static char folder[4096];
  char path[4096 + 32];
  if (folder[0]) return folder;
  tmp_path("resume/clips/x");
  snprintf(folder, sizeof folder, "%s", tmp_path("resume/clips"));
  for (int i = 0; i < CLIPS; i++) {
    snprintf(path, sizeof path, "%s/c%d.mp4", folder, i);
    extract_clip(path, 5 + 3 * (i * 3 % CLIPS), 7 * i, true);
  }
  return folder;
}

/* What a run gives that nobody disturbed. */
static const char *undisturbed(void) {
  static char folder[4096];
  if (folder[0]) return folder;
  snprintf(folder, sizeof folder, "%s", tmp_path("resume/whole"));
  extract_expect(extract_run(SETTINGS "--jobs 1 --out %s %s", folder, clips()), 0, "5 done");
  return folder;
}

static void assert_as_undisturbed(const char *out) {
  static const char *const names[] = {"manifest.csv", "fake", "contact_sheet.jpg"};
  char a[4096 + 32], b[4096 + 32];
  for (int i = 0; i < 3; i++) {
    snprintf(a, sizeof a, "%s/%s", undisturbed(), names[i]);
    snprintf(b, sizeof b, "%s/%s", out, names[i]);
    assert_same_files(a, b, NULL);
  }
  snprintf(b, sizeof b, "%s/.extract", out);
  assert_false(um_is_folder(b));
}

static long journal_lines(const char *out) {
  char path[4096 + 32], *text = NULL;
  long n = 0;
  um_error err;
  snprintf(path, sizeof path, "%s/.extract/journal", out);
  if (um_file_read(&text, NULL, path, 1 << 24, &err) == UM_OK)
    for (const char *c = text; (c = strchr(c, '\n')); c++) n++;
  free(text);
  return n;
}

/* Starts extract, waits for so many finished inputs and so many milliseconds more, sends the signal. Its status as waitpid gives it. */
static int disturbed(const char *out, const char *jobs, int lines, int ms, int signal) {
  int status = 0;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(99);
    execl(extract_program(), "extract", "--detector", "haar", "--faces", "largest", "--max-size", "400", "--fps", "all", "--quiet",
          "--label", "fake", "--jobs", jobs, "--out", out, clips(), (char *)NULL);
    _exit(99);
  }
  assert_true(pid > 0);
  for (int i = 0; i < 12000 && journal_lines(out) < lines && waitpid(pid, &status, WNOHANG) == 0; i++) usleep(5000);
  usleep((useconds_t)ms * 1000);
  if (kill(pid, signal) == 0) waitpid(pid, &status, 0);
  return status;
}

static void killed_and_run_again(void **state) {
  static const char *const jobs[] = {"1", "4"};
  char name[64];
  int cut = 0;
  (void)state;
  undisturbed();
  for (int round = 0; round < 4; round++) {
    snprintf(name, sizeof name, "resume/killed-%d", round);
    const char *out = tmp_path(name), *j = jobs[round % 2];
    /* Twice, so that what was gone on with is cut off as well. */
    for (int turn = 0; turn < 2; turn++) {
      const int status = disturbed(out, j, 1 + turn, 29 * round + 40 * turn, SIGKILL);
      cut += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    /* What was finished is not done again. */
    long done = journal_lines(out);
    for (int i = 0; i < CLIPS; i++) {
      snprintf(name, sizeof name, "c%d.mp4", i);
      done += strcmp(csv_cell(out, "ledger.csv", name, "status"), "done") == 0;
    }
    snprintf(name, sizeof name, "%ld of the inputs were done before", done);
    extract_expect(extract_run(SETTINGS "--jobs %s --out %s %s", j, out, clips()), 0, "5 inputs: 5 done");
    extract_expect(0, 0, name);
    assert_as_undisturbed(out);
  }
  assert_true(cut >= 4); /* else nothing was proven */
}

/* Ctrl-C: what is finished is kept, what was in work leaves nothing but its line in the ledger; exit 130; the same command goes on. */
static void stopped_and_run_again(void **state) {
  const char *out = tmp_path("resume/stopped");
  char path[4096 + 32];
  (void)state;
  const int status = disturbed(out, "1", 2, 0, SIGINT);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 130);
  const int done = csv_lines(out, "manifest.csv");
  assert_true(done > 0 && done < csv_lines(undisturbed(), "manifest.csv"));
  assert_int_equal(csv_lines(out, "ledger.csv"), CLIPS);
  assert_string_equal(csv_cell(out, "ledger.csv", "c4.mp4", "status"), "unfinished");
  snprintf(path, sizeof path, "%s/fake", out);
  assert_int_equal(files_in(path), done);
  extract_expect(extract_run(SETTINGS "--out %s %s", out, clips()), 0, "of the inputs were done before and have not changed since");
  assert_as_undisturbed(out);
}

static void give_times(const char *path, const struct stat *st) {
  const struct timespec times[2] = {st->st_atim, st->st_mtim};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A finished input is not opened: it may have become unreadable behind our back. A changed one is done again. */
static void no_work_is_done_twice(void **state) {
  const char *out = tmp_path("resume/twice");
  char path[4096 + 32], keep[4096 + 32], command[12400];
  struct stat st;
  (void)state;
  snprintf(command, sizeof command, "cp -r '%s' '%s'", undisturbed(), out);
  assert_int_equal(system(command), 0);
  snprintf(path, sizeof path, "%s/c1.mp4", clips());
  snprintf(keep, sizeof keep, "%s/c1.keep", clips());
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(rename(path, keep), 0);
  char *zeros = calloc(1, (size_t)st.st_size);
  assert_non_null(zeros);
  tmp_write(path, zeros, (unsigned long)st.st_size);
  free(zeros);
  give_times(path, &st);
  extract_expect(extract_run(SETTINGS "--out %s %s", out, clips()), 0, "5 of the inputs were done before");
  assert_as_undisturbed(out);
  /* Another time: it is opened, and what was cut from what it had been goes. */
  const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
  assert_int_equal(utimensat(AT_FDCWD, path, now, 0), 0);
  extract_expect(extract_run(SETTINGS "--out %s %s", out, clips()), 3, "4 done, 1 unreadable");
  assert_string_equal(csv_cell(out, "manifest.csv", "c1_000000_00.png", "path"), "");
  snprintf(path, sizeof path, "%s/fake/c1_000000_00.png", out);
  assert_false(um_is_file(path));
  /* A shorter one in its place: of the longer one nothing stays. */
  snprintf(path, sizeof path, "%s/c1.mp4", clips());
  extract_clip(path, 3, 0, true);
  extract_expect(extract_run(SETTINGS "--out %s %s", out, clips()), 0, "c1.mp4: 3 frames read");
  assert_string_equal(csv_cell(out, "ledger.csv", "c1.mp4", "kept"), "3");
  assert_int_equal(rename(keep, path), 0);
  extract_expect(extract_run(SETTINGS "--out %s %s", out, clips()), 0, "5 done");
  assert_as_undisturbed(out);
  extract_clip(path, 3, 0, true);
  extract_expect(extract_run(SETTINGS "--out %s %s", out, clips()), 0, "5 done");
  snprintf(path, sizeof path, "%s/fake", out);
  assert_int_equal(files_in(path), csv_lines(out, "manifest.csv"));
  snprintf(command, sizeof command, "ls '%s' | grep -c '^c1_' | grep -qx 3", path);
  assert_int_equal(system(command), 0);
  snprintf(path, sizeof path, "%s/c1.mp4", clips());
  extract_clip(path, 5 + 3 * (1 * 3 % CLIPS), 7 * 1, true); /* as clips() made it, for the other tests */
}

/* Another group is written without looking at the video; another label moves the crops. */
static void facts_that_changed(void **state) {
  const char *in = tmp_path("resume/facts/in"), *out = tmp_path("resume/facts/out"), *json = tmp_path("resume/facts/metadata.json");
  char path[4096 + 32];
  (void)state;
  tmp_path("resume/facts/in/x");
  snprintf(path, sizeof path, "%s/v.mp4", in);
  extract_clip(path, 5, 0, true);
  static const char *const texts[] = {"{\"v.mp4\": {\"label\": \"FAKE\", \"original\": \"first.mp4\"}}",
                                      "{\"v.mp4\": {\"label\": \"FAKE\", \"original\": \"second.mp4\"}}",
                                      "{\"v.mp4\": {\"label\": \"REAL\"}}"};
#define FACTS "--detector haar --faces largest --max-size 400 --fps all --out %s"
  tmp_write(json, texts[0], strlen(texts[0]));
  extract_expect(extract_run(FACTS " --labels %s %s", out, json, in), 0, "5 frames read");
  assert_string_equal(csv_cell(out, "manifest.csv", "v_000004_00.png", "group"), "first");
  tmp_write(json, texts[1], strlen(texts[1]));
  extract_expect(extract_run(FACTS " --labels %s %s", out, json, in), 0, "1 of the inputs were done before");
  assert_string_equal(csv_cell(out, "manifest.csv", "v_000004_00.png", "group"), "second");
  assert_string_equal(csv_cell(out, "ledger.csv", "v.mp4", "group"), "second");
  /* Without a label now: what was known stays. */
  extract_expect(extract_run(FACTS " %s", out, in), 0, "1 of the inputs were done before");
  assert_string_equal(csv_cell(out, "ledger.csv", "v.mp4", "group"), "second");
  tmp_write(json, texts[2], strlen(texts[2]));
  extract_expect(extract_run(FACTS " --labels %s %s", out, json, in), 0, "5 frames read");
  snprintf(path, sizeof path, "%s/fake", out);
  assert_int_equal(files_in(path), 0);
  snprintf(path, sizeof path, "%s/real", out);
  assert_int_equal(files_in(path), 5);
  assert_int_equal(csv_lines(out, "manifest.csv"), 5);
}

/* ---- the store, cut off in the middle of a commit ---- */

static char *ledger_line(const char *video, const char *name) {
  um_error err;
  draft *d = calloc(1, sizeof *d);
  assert_non_null(d);
  for (int i = 0; i < L_COLUMNS; i++)
    draft_add(d, "%s", i == L_VIDEO ? video : i == L_NAME ? name : i == L_STATUS ? "done" : i == L_LABEL ? "fake" : "");
  char *line = draft_line(d, &err);
  assert_non_null(line);
  free(d);
  return line;
}

static entry an_entry(const char *video, const char *name, int crops, const char *folder) {
  entry e = {.line = ledger_line(video, name)};
  um_error err;
  draft *d = calloc(1, sizeof *d);
  char path[4096];
  assert_non_null(d);
  for (int k = 0; k < crops; k++) {
    for (int i = 0; i < M_COLUMNS; i++)
      if (i == M_PATH)
        draft_add(d, "fake/%s_%06d_00.png", name, k);
      else
        draft_add(d, "%s", i == M_VIDEO ? video : i == M_LABEL ? "fake" : "");
    char *line = draft_line(d, &err);
    assert_non_null(line);
    assert_int_equal(entry_add_crop(&e, line, &err), UM_OK);
    if (!folder) continue;
    snprintf(path, sizeof path, "%s/%s_%06d_00.png", folder, name, k);
    tmp_write(path, video, strlen(video));
  }
  free(d);
  return e;
}

static void open_store(store *s, const char *out, int recovered) {
  um_error err = {0};
  int n = -1;
  if (store_open(s, out, &n, &err) < 0) fail_msg("%s", err.text);
  assert_int_equal(n, recovered);
}

/* What a power cut leaves: the journal's line is written, `moved` of the crops are in their places. */
static void cut_commit(const char *out, int moved) {
  store s;
  um_error err = {0};
  char stage[4096], from[4096 + 32], to[4096 + 32];
  open_store(&s, out, 0);
  assert_int_equal(store_stage(&s, stage, sizeof stage, "v", &err), UM_OK);
  entry e = an_entry("a/v.mp4", "v", 4, stage);
  char *text = record_text(&e);
  assert_non_null(text);
  assert_int_equal(note(&s, text, &err), UM_OK);
  free(text);
  snprintf(to, sizeof to, "%s/fake", out);
  assert_int_equal(um_mkdirs(to, &err), UM_OK);
  for (int k = 0; k < moved; k++) {
    snprintf(from, sizeof from, "%s/v_%06d_00.png", stage, k);
    snprintf(to, sizeof to, "%s/fake/v_%06d_00.png", out, k);
    assert_int_equal(rename(from, to), 0);
  }
  entry_free(&e);
  /* Another input was in work, and the next line was not written whole. */
  assert_int_equal(store_stage(&s, stage, sizeof stage, "w", &err), UM_OK);
  e = an_entry("a/w.mp4", "w", 2, stage);
  text = record_text(&e);
  assert_non_null(text);
  const ssize_t half = (ssize_t)strlen(text) / 2;
  assert_int_equal(write(s.journal, text, (size_t)half), half);
  free(text);
  entry_free(&e);
  close(s.journal); /* and no store_close */
  for (int i = 0; i < s.entries; i++) entry_free(&s.entry[i]);
  free(s.entry);
}

static void a_commit_that_was_cut_off(void **state) {
  (void)state;
  for (int moved = 0; moved <= 4; moved++) {
    char name[64], path[4096 + 32];
    store s;
    um_error err = {0};
    snprintf(name, sizeof name, "resume/cut-%d", moved);
    const char *out = tmp_path(name);
    /* An earlier run had cut other crops, one of which comes again. */
    open_store(&s, out, 0);
    assert_int_equal(store_stage(&s, path, sizeof path, "v", &err), UM_OK);
    entry old = an_entry("a/v.mp4", "v", 7, path);
    if (store_commit(&s, &old, &err) < 0 || store_write(&s, &err) < 0) fail_msg("%s", err.text);
    store_close(&s);
    snprintf(path, sizeof path, "%s/fake", out);
    assert_int_equal(files_in(path), 7);
    cut_commit(out, moved);
    open_store(&s, out, 1);
    const entry *e = store_find(&s, "a/v.mp4");
    assert_non_null(e);
    assert_int_equal(e->crops, 4);
    assert_null(store_find(&s, "a/w.mp4"));
    store_close(&s);
    assert_int_equal(files_in(path), 4);
    assert_int_equal(csv_lines(out, "manifest.csv"), 4);
    assert_int_equal(csv_lines(out, "ledger.csv"), 1);
    snprintf(path, sizeof path, "%s/.extract", out);
    assert_false(um_is_folder(path));
    open_store(&s, out, 0); /* nothing is left to do */
    store_close(&s);
  }
}

static ino_t inode(const char *path) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  return st.st_ino;
}

/* A power cut leaves of what was not flushed anything or nothing: each crop, once, and the folders come before the journal's line that relies on them;
 * crops that are dropped are not flushed. */
static void flushed_before_it_is_said(void **state) {
  enum { CROPS = 5 };
  const char *out = tmp_path("resume/flushed");
  char stage[4096], path[4096 + 32];
  store s;
  um_error err = {0};
  ino_t crop[CROPS];
  (void)state;
  open_store(&s, out, 0);
  assert_int_equal(store_stage(&s, stage, sizeof stage, "v", &err), UM_OK);
  entry e = an_entry("a/v.mp4", "v", CROPS, stage);
  for (int k = 0; k < CROPS; k++) {
    snprintf(path, sizeof path, "%s/v_%06d_00.png", stage, k);
    crop[k] = inode(path);
  }
  snprintf(path, sizeof path, "%s/v_dropped.png", stage);
  tmp_write(path, "x", 1);
  const ino_t folder = inode(stage), work = inode(s.work);
  snprintf(path, sizeof path, "%s/journal", s.work);
  const ino_t journal = inode(path);
  flushes = 0;
  assert_int_equal(store_settle(&s, &e, &err), UM_OK);
  assert_int_equal(store_commit(&s, &e, &err), UM_OK);
  assert_int_equal(flushes, CROPS + 3);
  for (int k = 0; k < CROPS; k++) assert_int_equal(flushed[k], crop[k]);
  assert_true(flushed[CROPS] == folder && flushed[CROPS + 1] == work && flushed[CROPS + 2] == journal);
  /* The new places come before the journal is emptied. */
  flushes = 0;
  assert_int_equal(store_write(&s, &err), UM_OK);
  snprintf(path, sizeof path, "%s/fake", out);
  int placed = -1;
  for (int i = 0; i < flushes; i++)
    if (flushed[i] == inode(path)) placed = i;
  assert_true(placed >= 0 && placed < flushes - 1 && flushed[flushes - 1] == journal);
  /* A crop that is not there is not said to be. */
  assert_int_equal(store_stage(&s, stage, sizeof stage, "w", &err), UM_OK);
  e = an_entry("a/w.mp4", "w", 1, NULL);
  assert_int_equal(store_settle(&s, &e, &err), UM_EIO);
  assert_non_null(strstr(err.text, "w_000000_00.png"));
  entry_free(&e);
  store_close(&s);
}

static void a_reset_that_was_cut_off(void **state) {
  const char *out = tmp_path("resume/reset");
  char path[4096 + 32];
  store s;
  um_error err = {0};
  (void)state;
  open_store(&s, out, 0);
  assert_int_equal(store_stage(&s, path, sizeof path, "v", &err), UM_OK);
  entry e = an_entry("a/v.mp4", "v", 3, path);
  assert_int_equal(store_commit(&s, &e, &err), UM_OK);
  assert_int_equal(store_write(&s, &err), UM_OK);
  assert_int_equal(note(&s, "{\"reset\":true}\n", &err), UM_OK);
  close(s.journal);
  for (int i = 0; i < s.entries; i++) entry_free(&s.entry[i]);
  free(s.entry);
  open_store(&s, out, 1);
  assert_int_equal(s.entries, 0);
  store_close(&s);
  snprintf(path, sizeof path, "%s/fake", out);
  assert_int_equal(files_in(path), 0);
  assert_int_equal(csv_lines(out, "manifest.csv"), 0);
}

/* Files that are damaged or that would lead out of OUT are refused, and nothing is removed. */
static void hostile_files(void **state) {
  static const char good[] = "path,label,video,frame,time_s,x,y,width,height,score,track,group\n";
  static const char *const paths[] = {"../victim", "fake/../../victim", "/tmp/victim", "fake/", "fake/..", "other/a.png", ""};
  char text[4096], line[512];
  store s;
  um_error err;
  (void)state;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    snprintf(text, sizeof text, "%s%s,fake,v.mp4,0,0,0,0,1,1,1,,g\n", good, paths[i]);
    tmp_write(tmp_path("resume/hostile/manifest.csv"), text, strlen(text));
    assert_int_equal(store_open(&s, tmp_path("resume/hostile"), NULL, &err), UM_EFORMAT);
    assert_non_null(strstr(err.text, "expected a crop in fake/ or real/"));
  }
  snprintf(text, sizeof text, "%s", good);
  tmp_write(tmp_path("resume/hostile/manifest.csv"), text, strlen(text));
  static const char *const lines[] = {
      "{}\n", "[]\n", "nothing\n", "{\"input\": [1, 2]}\n",
      ("{\"input\": [\"v\",\"\",\"\",\"done\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"../../x\","
       "\"\",\"\",\"\",\"\"], \"crops\": []}\n")};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    tmp_write(tmp_path("resume/hostile/.extract/journal"), lines[i], strlen(lines[i]));
    assert_int_equal(store_open(&s, tmp_path("resume/hostile"), NULL, &err), UM_EFORMAT);
    assert_non_null(strstr(err.text, ".extract/journal"));
    assert_true(um_is_file(tmp_path("resume/hostile/.extract/journal"))); /* left to be looked at */
  }
  entry e = an_entry("v.mp4", "v", 1, NULL);
  free(e.crop[0]);
  snprintf(line, sizeof line, "fake/../../victim");
  draft *d = calloc(1, sizeof *d);
  assert_non_null(d);
  for (int i = 0; i < M_COLUMNS; i++) draft_add(d, "%s", i == M_PATH ? line : "");
  assert_non_null(e.crop[0] = draft_line(d, &err));
  free(d);
  char *note_of = record_text(&e);
  assert_non_null(note_of);
  tmp_write(tmp_path("resume/hostile/.extract/journal"), note_of, strlen(note_of));
  free(note_of);
  entry_free(&e);
  assert_int_equal(store_open(&s, tmp_path("resume/hostile"), NULL, &err), UM_EFORMAT);
  assert_non_null(strstr(err.text, "victim"));
}

static void one_at_a_time(void **state) {
  const char *out = tmp_path("resume/busy");
  store s;
  (void)state;
  open_store(&s, out, 0);
  extract_expect(extract_run(SETTINGS "--out %s %s", out, clips()), 1, "another extract is writing there");
  store_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_commit_that_was_cut_off),
      cmocka_unit_test(flushed_before_it_is_said),
      cmocka_unit_test(a_reset_that_was_cut_off),
      cmocka_unit_test(hostile_files),
      cmocka_unit_test(one_at_a_time),
      cmocka_unit_test(killed_and_run_again),
      cmocka_unit_test(stopped_and_run_again),
      cmocka_unit_test(no_work_is_done_twice),
      cmocka_unit_test(facts_that_changed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
