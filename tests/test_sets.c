/* Datasets in their makers' layouts: small made-up trees (tests/fixtures/make_datasets.sh) against the manifests that they must give
 * (tests/fixtures/datasets: written by this reader and read over line by line, so they guard against change and are no second opinion), and
 * what is said of wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "data/sets/footage.h"
#include "data/sets/sets.h"
#include "tests/support/tmp.h"

/* Each of the 1000 videos has one partner, which has it; the makers' split is 720, 140 and 140 videos and keeps pairs together. */
static void pairs_of_faceforensics(void **state) {
  int count[3] = {0};
  (void)state;
  for (int i = 0; i < 1000; i++) {
    const int other = um_ffpp_partner(i);
    const char *part = um_ffpp_part(i);
    assert_in_range(other, 0, 999);
    assert_int_not_equal(other, i);
    assert_int_equal(um_ffpp_partner(other), i);
    assert_string_equal(um_ffpp_part(other), part);
    count[*part == 'v' ? 1 : part[1] == 'e' ? 2 : 0]++;
  }
  assert_int_equal(count[0], 720);
  assert_int_equal(count[1], 140);
  assert_int_equal(count[2], 140);
  assert_int_equal(um_ffpp_partner(1000), -1);
  assert_string_equal(um_ffpp_part(-1), "");
  /* one of each of the published files */
  assert_int_equal(um_ffpp_partner(71), 54);
  assert_string_equal(um_ffpp_part(71), "train");
  assert_int_equal(um_ffpp_partner(982), 4);
  assert_string_equal(um_ffpp_part(4), "val");
  assert_int_equal(um_ffpp_partner(0), 3);
  assert_string_equal(um_ffpp_part(3), "test");
}

static const char *below(const char *dir, const char *path) {
  const size_t n = strlen(dir);
  return strncmp(path, dir, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

/* A line a source and a line a note. */
static char *manifest(const um_sources *s, const um_set_report *r, const char *dir) {
  static const char *const fate[UM_SET_FATES] = {"missing", "unlabelled", "ignored", "left out", "warning"};
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  assert_non_null(f);
  fprintf(f, "kind %s\n", r->kind);
  for (int i = 0; i < s->count; i++) {
    const um_source *p = &s->item[i];
    fprintf(f, "%s | %s | %s | %s | %s | %s | %s | %s\n", below(dir, p->path), p->name, p->label < 0 ? "-" : um_label_name[p->label],
            p->group, p->dataset, p->method, p->quality, p->part);
  }
  for (int i = 0; i < r->notes; i++) fprintf(f, "%s | %s | %s\n", fate[r->note[i].fate], r->note[i].what, r->note[i].why);
  assert_int_equal(fclose(f), 0);
  return text;
}

static char *fixtures; /* where make_datasets.sh made the trees */

static int make_fixtures(void **state) {
  char command[8192];
  (void)state;
  fixtures = strdup(tmp_path("datasets"));
  snprintf(command, sizeof command, "sh tests/fixtures/make_datasets.sh '%s'", fixtures);
  return fixtures ? system(command) : -1;
}

static int drop_fixtures(void **state) {
  (void)state;
  free(fixtures);
  return 0;
}

static void check(const char *tree, const char *kind, const um_set_options *o, const char *expected) {
  char dir[4096], path[256], *want = NULL;
  um_sources s;
  um_set_report r;
  um_error err = {0};
  snprintf(dir, sizeof dir, "%s/%s", fixtures, tree);
  snprintf(path, sizeof path, "tests/fixtures/datasets/%s.txt", expected);
  if (um_sets_scan(&s, &r, kind, dir, o, &err) < 0) fail_msg("%s: %s", tree, err.text);
  if (um_is_file(dir)) *strrchr(dir, '/') = 0; /* a CSV: its folder */
  if (dir[strlen(dir) - 1] == '/') dir[strlen(dir) - 1] = 0;
  char *got = manifest(&s, &r, dir);
  if (um_file_read(&want, NULL, path, 1 << 20, &err) < 0) print_error("%s\n", err.text);
  if (!want || strcmp(got, want) != 0) {
    const char *mine = tmp_path(expected);
    tmp_write(mine, got, strlen(got));
    char command[8192];
    snprintf(command, sizeof command, "diff '%s' '%s' >&2", path, mine);
    if (system(command) != 0) fail_msg("%s: the manifest is not that of %s", tree, path);
  }
  free(got);
  free(want);
  um_sources_free(&s);
  um_set_report_free(&r);
}

static void layouts(void **state) {
  (void)state;
  check("dfdc", "auto", NULL, "dfdc");
  check("dfdc_flat", "auto", NULL, "dfdc_flat");
  check("ffpp", "auto", NULL, "ffpp");
  check("ffpp_plain/", "auto", NULL, "ffpp_plain");
  check("FaceForensics++_C23/", "auto", NULL, "ffpp_short");
  check("celebdf", "auto", NULL, "celebdf");
  check("celebdf_folders", "auto", NULL, "celebdf_folders");
  check("deeperforensics", "auto", NULL, "deeperforensics");
  check("deeperforensics", "DeeperForensics", &(um_set_options){.sources = true, .quality = "raw"}, "deeperforensics_sources");
  check("uadfv", "auto", NULL, "uadfv");
  check("uadfv", "folders", NULL, "uadfv_folders");
  check("folders", "auto", NULL, "folders");
  check("csv", "auto", NULL, "csv");
  check("csv/list.csv", "auto", NULL, "csv_file");
}

static void choices(void **state) {
  (void)state;
  check("ffpp", "ffpp", &(um_set_options){.quality = "C23", .method = "deepfakes,NeuralTextures", .part = "val,test"}, "ffpp_chosen");
}

/* Whoever asks for DeepFakeDetection wants its actors alone, and whoever does not wants none of them. */
static void actors(void **state) {
  um_sources s;
  um_set_report r;
  um_error err = {0};
  char dir[4096];
  (void)state;
  snprintf(dir, sizeof dir, "%s/ffpp", fixtures);
  for (int of_actors = 0; of_actors < 2; of_actors++) {
    const um_set_options o = {.method = of_actors ? "deepfakedetection" : "Deepfakes"};
    int real = 0;
    assert_int_equal(um_sets_scan(&s, &r, "ffpp", dir, &o, &err), UM_OK);
    for (int i = 0; i < s.count; i++) {
      if (s.item[i].label == 1) assert_int_equal(strstr(s.item[i].path, "/actors/") != NULL, of_actors);
      real += s.item[i].label == 1;
    }
    assert_int_equal(real, of_actors ? 2 : 10);
    um_sources_free(&s);
    um_set_report_free(&r);
  }
}

static void write_at(const char *tree, const char *name, const char *text) {
  char path[2048];
  snprintf(path, sizeof path, "%s/%s", tree, name);
  tmp_write(tmp_path(path), text, strlen(text));
}

static void expect(const char *tree, const char *kind, const um_set_options *o, int code, const char *text) {
  um_sources s;
  um_set_report r;
  um_error err = {0};
  char dir[4096];
  snprintf(dir, sizeof dir, "%s", tmp_path(tree));
  const int status = um_sets_scan(&s, &r, kind, dir, o, &err);
  if (status != code || !strstr(err.text, text)) fail_msg("%s as %s: %d: %s\nexpected %d: %s", tree, kind, status, err.text, code, text);
  assert_int_equal(err.code, code);
  assert_null(strchr(err.text, '\n'));
  assert_null(s.item);
  assert_null(r.note);
  assert_null(r.dir);
}

/* Lists that are wrong, each in the tree that it belongs to. */
static void wrong_lists(void **state) {
  static const struct {
    const char *kind, *file, *text, *said;
  } wrong[] = {
      {"dfdc", "metadata.json", "", "metadata.json in DFDC's format"},
      {"dfdc", "metadata.json", "[1, 2]", "metadata.json in DFDC's format"},
      {"dfdc", "metadata.json", "{\"a.mp4\": {\"label\": \"FAKE\"}", "metadata.json in DFDC's format"},
      {"dfdc", "metadata.json", "{\"a.mp4\": 7}", "a.mp4: expected an object"},
      {"dfdc", "metadata.json", "{\"a.mp4\": {\"label\": \"MAYBE\"}}", "a.mp4: label: expected \"FAKE\" or \"REAL\""},
      {"dfdc", "metadata.json", "{\"a.mp4\": {\"label\": 1}}", "a.mp4: label"},
      {"dfdc", "metadata.json", "{\"a.mp4\": {\"is_fake\": 2}}", "a.mp4: label"},
      {"dfdc", "metadata.json", "{\"a.mp4\": {\"label\": \"FAKE\", \"original\": 3}}", "a.mp4: original: expected a video's name"},
      {"dfdc", "metadata.json", "{\"../../etc/passwd\": {\"label\": \"FAKE\"}}",
       "\"../../etc/passwd\"; expected a file in the metadata's folder"},
      {"dfdc", "metadata.json", "{\"/etc/passwd\": {\"label\": \"FAKE\"}}", "is absolute"},
      {"dfdc", "metadata.json", "{\"\": {\"label\": \"FAKE\"}}", "is empty"},
      {"dfdc", "metadata.json", "{\"a\\nb/..\": {\"label\": \"FAKE\"}}", "a?b/.."},
      {"dfdc", "metadata.json", "{\"a.mp4\": {\"label\": \"FAKE\"}, \"a.mp4\": {\"label\": \"REAL\"}}",
       "a.mp4: fake in one place and real in another"},
      {"dfdc", "labels.csv", "name,label\na.mp4,1\n", "got no filename"},
      {"dfdc", "labels.csv", "filename,label\na.mp4,2\n", "line 2: label: expected 1 or FAKE, 0 or REAL, got \"2\""},
      {"dfdc", "labels.csv", "filename,label\na.mp4,1\na.mp4,0\n", "a.mp4: fake in one place and real in another"},
      {"dfdc", "labels.csv", "filename,label\na.mp4\n", "line 2: expected 2 fields, got 1"},
      {"dfdc", "labels.csv", "filename,label\n../a.mp4,1\n", "leads out of the folder"},
      {"ffpp", "train.json", "{}", "expected a split of FaceForensics++"},
      {"ffpp", "train.json", "[[\"071\"", "expected a split of FaceForensics++"},
      {"ffpp", "train.json", "[[\"071\", \"054\"], [\"1\", \"054\"]]", "entry 2: expected a pair of videos"},
      {"ffpp", "val.json", "[[\"071\"]]", "entry 1: expected a pair"},
      {"ffpp", "val.json", "[[\"071\", \"054\", \"000\"]]", "entry 1: expected a pair"},
      {"ffpp", "val.json", "[\"071\"]", "entry 1: expected a pair"},
      {"ffpp", "val.json", "[[1000, 2]]", "entry 1: expected a pair"},
      {"ffpp", "val.json", "[[\"071\", \"071\"]]", "entry 1: expected a pair"},
      {"ffpp", "test.json", "[[\"071\", \"054\"], [\"071\", \"000\"]]", "video 071 is in two pairs, with 054 and 000"},
      {"ffpp", "test.json", "[[\"004\", \"982\"]]", "video 004 is in another part too"},
      {"celebdf", "List_of_testing_videos.txt", "YouTube-real/00170.mp4\n", "line 1: expected \"1 YouTube-real/00170.mp4\""},
      {"celebdf", "List_of_testing_videos.txt", "2 YouTube-real/00170.mp4\n", "line 1: expected \"1 YouTube-real/00170.mp4\""},
      {"celebdf", "List_of_testing_videos.txt", "1\n", "line 1: expected"},
      {"celebdf", "List_of_testing_videos.txt", "\n0 YouTube-real/00170.mp4\n",
       "line 2: 0 means fake in this list, but YouTube-real holds real videos"},
      {"celebdf", "List_of_testing_videos.txt", "1 ../etc/passwd\n", "\"../etc/passwd\" leads out of the folder"},
      {"celebdf", "List_of_testing_videos.txt", "1 Celeb-real/../../x.mp4\n", "leads out of the folder"},
      {"celebdf", "List_of_testing_videos.txt", "1 Elsewhere/00170.mp4\n", "line 1: expected a video in Celeb-real"},
      {"deeperforensics", "lists/splits/train.txt", "000_M101.mp4\n../x\n", "line 2: \"../x\": expected a manipulated video"},
      {"deeperforensics", "lists/splits/train.txt", "000.mp4\n",
       "line 1: expected a manipulated video such as 000_M101.mp4, got \"000.mp4\""},
      {"deeperforensics", "lists/splits/val.txt", "900_W111.mp4\n071_W017.mp4\n", "071_W017 is in "},
      {"csv", "list.csv", "path,lable\nclips/a.mp4,fake\n", "no CSV with the columns path and label there"},
      {"csv", "list.csv", "path,label\n../a.mp4,fake\n", "line 2: path: \"../a.mp4\" leads out of the folder"},
      {"csv", "list.csv", "path,label\n/etc/passwd,fake\n", "line 2: path: \"/etc/passwd\" is absolute"},
      {"csv", "list.csv", "path,label\n,fake\n", "line 2: path: \"\" is empty"},
      {"csv", "list.csv", "path,label\nclips/a.mp4,1\n",
       "line 2: label: expected fake or real (0 and 1 mean one thing here and another there), got \"1\""},
      {"csv", "list.csv", "path,label\nclips/a.mp4,genuine\n", "line 2: label: expected fake or real, got \"genuine\""},
      {"csv", "list.csv", "path,label,part\nclips/a.mp4,fake,holdout\n", "line 2: part: expected train, val or test, got \"holdout\""},
      {"csv", "list.csv", "path,label\nclips/a.mp4,fake\nclips/a.mp4,real\n", "\"clips/a.mp4\" is there twice, with different labels"},
      {"csv", "list.csv", "path,label\n\"clips/a.mp4,fake\n", "list.csv: line 2: a quote is not closed"},
      {"csv", "second.csv", "path,label\n", "more than one CSV"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char tree[64], command[8192];
    snprintf(tree, sizeof tree, "wrong/%zu", i);
    snprintf(command, sizeof command, "cp -R '%s/%s' '%s'", fixtures, wrong[i].kind, tmp_path(tree));
    assert_int_equal(system(command), 0);
    if (strcmp(wrong[i].file, "metadata.json") == 0 || strcmp(wrong[i].file, "labels.csv") == 0) write_at(tree, "a.mp4", "");
    write_at(tree, wrong[i].file, wrong[i].text);
    expect(tree, wrong[i].kind, NULL, UM_EFORMAT, wrong[i].said);
  }
}

static void wrong_places(void **state) {
  static const char zero[] = "1 YouTube-real/00170.mp4\n\0", json[] = "{\"a.mp4\": {\"label\": \"FAKE\"}}";
  (void)state;
  write_at("empty/below", "notes.txt", "");
  for (int i = 0; um_set_kind[i]; i++) expect("empty", um_set_kind[i], NULL, UM_EFORMAT, "empty");
  expect("empty", "auto", NULL, UM_ECONFIG, "no dataset that is known lies there");
  write_at("outer/Celeb-DF-v2/Celeb-real", "id0_0000.mp4", "");
  expect("outer", "auto", NULL, UM_ECONFIG, "but Celeb-DF-v2 in it looks like celebdf (Celeb-real); give that folder");
  expect("empty", "imagenet", NULL, UM_ECONFIG,
         "expected dfdc, ffpp, celebdf, deeperforensics, uadfv, folders, csv or auto, got \"imagenet\"");
  expect("datasets/ffpp", "ffpp", &(um_set_options){.quality = "c23,c32"}, UM_ECONFIG,
         "compression: nothing in this dataset is \"c32\"; there is c23, c40, raw");
  expect("datasets/ffpp", "ffpp", &(um_set_options){.method = "Deepfake"}, UM_ECONFIG,
         "method: nothing in this dataset is \"Deepfake\"; there is DeepFakeDetection, Deepfakes");
  expect("datasets/ffpp", "ffpp", &(um_set_options){.part = "validation"}, UM_ECONFIG,
         "part: nothing in this dataset is \"validation\"; there is test, train, val");
  expect("datasets/uadfv", "uadfv", &(um_set_options){.quality = "c23"}, UM_ECONFIG, "there is nothing to choose by");
  expect("empty/none", "auto", NULL, UM_EIO, "expected the folder of a dataset or a CSV, found nothing");
  expect("empty/below/notes.txt", "ffpp", NULL, UM_EIO, "expected the folder of a dataset, found another file");
  expect("no\nsuch\033", "ffpp", NULL, UM_EIO, "/no?such?: expected the folder"); /* no message obeys a name */
  expect("none.csv", "csv", NULL, UM_EIO, "found nothing");
  /* more than one */
  write_at("both", "metadata.json", json);
  write_at("both", "fake/a.mp4", "");
  expect("both", "auto", NULL, UM_ECONFIG, "may be dfdc (metadata.json) or folders (a folder called fake or real); say which");
  write_at("both", "Celeb-real/id0_0000.mp4", "");
  expect("both", "auto", NULL, UM_ECONFIG, "may be dfdc (metadata.json) or celebdf (Celeb-real) or folders");
  /* a metadata.json of somebody else tells nothing */
  write_at("both", "metadata.json", "{\"licence\": \"x\"}");
  expect("both", "auto", NULL, UM_ECONFIG, "may be celebdf (Celeb-real) or folders");
  write_at("zero", "YouTube-real/00170.mp4", "");
  tmp_write(tmp_path("zero/List_of_testing_videos.txt"), zero, sizeof zero);
  expect("zero", "celebdf", NULL, UM_EFORMAT, "expected lines of text, got a zero byte");
  char *longer = malloc(9000);
  assert_non_null(longer);
  memset(longer, 'x', 8999);
  longer[8999] = 0;
  write_at("zero", "List_of_testing_videos.txt", longer);
  free(longer);
  expect("zero", "celebdf", NULL, UM_EFORMAT, "line 1: 8999 characters, longer than any path");
}

/* A CSV of paths elsewhere: from a folder that is named, absolute ones below it too. */
static void csv_with_root(void **state) {
  char text[8192], root[4096];
  um_sources s;
  um_set_report r;
  um_error err = {0};
  (void)state;
  write_at("root/videos", "a.mp4", "");
  write_at("root/videos", "b.mp4", "");
  snprintf(root, sizeof root, "%s", tmp_path("root"));
  snprintf(text, sizeof text, "path,label\nvideos/a.mp4,fake\n%s/videos/b.mp4,real\n", root);
  write_at("lists", "mine.csv", text);
  expect("lists", "csv", NULL, UM_EFORMAT, "is absolute");
  const um_set_options o = {.root = root};
  assert_int_equal(um_sets_scan(&s, &r, "csv", tmp_path("lists/mine.csv"), &o, &err), UM_OK);
  assert_int_equal(s.count, 2);
  assert_int_equal(r.notes, 0);
  assert_string_equal(below(root, s.item[1].path), "videos/b.mp4");
  um_sources_free(&s);
  um_set_report_free(&r);
}

static const um_set_note *note_on(const um_set_report *r, const char *what) {
  for (int i = 0; i < r->notes; i++)
    if (strcmp(r->note[i].what, what) == 0) return &r->note[i];
  fail_msg("nothing is said of %s", what);
  return NULL;
}

/* Links, folders that cannot be read, names that try a terminal, endings in capitals. */
static void odd_trees(void **state) {
  um_sources s;
  um_set_report r;
  um_error err = {0};
  char *text, dir[4096], path[8192];
  (void)state;
  write_at("odd/fake", "a.mp4", "");
  write_at("odd/fake", "line\nbreak\033[31m\xc2\x9b.MP4", "");
  write_at("odd/fake", "Z\xc3\xbcrich, \"x\".Mov", "");
  write_at("odd/fake", "bytes\xff\xfe.avi", "");
  write_at("odd/fake", "-rf.webm", "");
  write_at("odd/fake", ".hidden.mp4", "");
  write_at("odd/fake", "mp4", "");
  write_at("odd/locked", "b.mp4", "");
  write_at("odd/real", "c.mp4", "");
  snprintf(dir, sizeof dir, "%s", tmp_path("odd"));
  static const char *const links[][2] = {{"../fake", "real/again"},
                                         {"..", "real/loop"},
                                         {"a.mp4", "fake/same.mp4"},
                                         {"../fake/a.mp4", "real/other.mp4"},
                                         {"gone.mp4", "real/gone.mp4"}};
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
    snprintf(path, sizeof path, "%s/%s", dir, links[i][1]);
    assert_int_equal(symlink(links[i][0], path), 0);
  }
  snprintf(path, sizeof path, "%s/fake/pipe.mp4", dir);
  assert_int_equal(mkfifo(path, 0600), 0);
  snprintf(path, sizeof path, "%s/locked", dir);
  assert_int_equal(chmod(path, 0), 0);
  const bool locked = access(path, R_OK) != 0; /* root reads everything */
  const int status = um_sets_scan(&s, &r, "folders", dir, NULL, &err);
  assert_int_equal(chmod(path, 0700), 0);
  if (status < 0) fail_msg("%s", err.text);
  assert_int_equal(s.count, locked ? 6 : 7);
  assert_string_equal(note_on(&r, "real/loop")->why, "a folder that was read already (a link to it)");
  assert_string_equal(note_on(&r, "real/again")->why, "a folder that was read already (a link to it)");
  assert_int_equal(note_on(&r, "fake/same.mp4")->fate, UM_SET_IGNORED);
  assert_string_equal(note_on(&r, "real/other.mp4")->why, "the same file as another, with another label: left out");
  assert_int_equal(note_on(&r, "real/gone.mp4")->fate, UM_SET_WARNING);
  assert_string_equal(note_on(&r, "fake/pipe.mp4")->why, "neither a file nor a folder");
  assert_string_equal(note_on(&r, "fake/.hidden.mp4")->why, "hidden");
  assert_string_equal(note_on(&r, "fake/mp4")->why, "neither a video nor a picture");
  if (locked) assert_string_equal(note_on(&r, "locked")->why, "a folder that cannot be read");
  for (int i = 0; i < s.count; i++) assert_null(strpbrk(s.item[i].name, "/\n\033\", "));
  assert_int_equal(um_set_report_text(&text, &s, &r, &err), UM_OK);
  assert_null(strpbrk(text, "\033"));
  free(text);
  um_sources_free(&s);
  um_set_report_free(&r);
}

/* Names are unlike each other, whatever they are. */
static void names_differ(void **state) {
  static const char *const path[] = {"1/a.mp4",   "2/a.mp4",     "3/a.mp4", "1/a-2.mp4", "2/a-2.mp4",
                                     "1/a-3.mp4", "1/a-2-2.mp4", "4/a.mp4", "1/a b.mp4", "1/a_b.mp4"};
  static const char *const name[] = {"a", "a-4", "a-5", "a-2", "a-2-3", "a-3", "a-2-2", "a-6", "a_b", "a_b-2"};
  um_sources s;
  um_error err = {0};
  (void)state;
  assert_int_equal(um_sources_collect(&s, path, sizeof path / sizeof *path, &err), UM_OK);
  for (int i = 0; i < s.count; i++) assert_string_equal(s.item[i].name, name[i]);
  um_sources_free(&s);
}

/* The summary: what is in it, and that it fits 80 columns. */
static void summary(void **state) {
  um_sources s;
  um_set_report r;
  um_error err = {0};
  char *text, dir[4096];
  (void)state;
  snprintf(dir, sizeof dir, "%s/ffpp", fixtures);
  assert_int_equal(um_sets_scan(&s, &r, "auto", dir, &(um_set_options){.quality = "c23,raw"}, &err), UM_OK);
  assert_int_equal(um_set_report_text(&text, &s, &r, &err), UM_OK);
  for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
    if (strcspn(line, "\n") > 80) fail_msg("more than 80 columns: %s", line);
  }
  assert_non_null(strstr(text, "\n  read as ffpp (found manipulated_sequences there): 18 sources\n"));
  assert_non_null(strstr(text, "  fake       Deepfakes                    c23                  test           2\n"));
  assert_non_null(strstr(text, "\nmissing: 17: named in the split files\n"));
  assert_non_null(strstr(text, "    ... and 14 more\n"));
  assert_non_null(strstr(text, "\nleft out: 7: not what was asked for\n"));
  assert_non_null(strstr(text, "1 of them in more than one part (such as ffpp_000)"));
  free(text);
  um_sources_free(&s);
  um_set_report_free(&r);
}

/* The seconds of the processor for a part of DFDC with n videos whose list lies above them and names as many that are not there, each a
 * fake of the one before it; and for n inputs of one name. */
static double seconds_for(int n) {
  char tree[64], dir[4096], path[8192], *json = NULL;
  size_t size = 0;
  um_sources s;
  um_set_report r;
  um_error err = {0};
  struct timespec a, b;
  const char **input = calloc((size_t)n, sizeof *input);
  assert_non_null(input);
  snprintf(tree, sizeof tree, "large/%d/videos/x", n);
  snprintf(dir, sizeof dir, "%s", tmp_path(tree));
  FILE *f = open_memstream(&json, &size);
  assert_non_null(f);
  for (int i = 0; i < 2 * n; i++)
    fprintf(f, "%s\"v%06d.mp4\": {\"label\": \"FAKE\", \"original\": \"v%06d.mp4\"}", i ? ", " : "{", i, i ? i - 1 : 0);
  fprintf(f, "}");
  assert_int_equal(fclose(f), 0);
  snprintf(path, sizeof path, "%.*smetadata.json", (int)strlen(dir) - 8, dir);
  tmp_write(path, json, size);
  free(json);
  for (int i = 0; i < n; i++) {
    snprintf(path, sizeof path, "%.*sv%06d.mp4", (int)strlen(dir) - 1, dir, i);
    tmp_write(path, "", 0);
    char *name = NULL;
    assert_true(asprintf(&name, "/nowhere/%d/v.mp4", i) > 0);
    input[i] = name;
  }
  dir[strlen(dir) - 9] = 0;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  if (um_sets_scan(&s, &r, "auto", dir, NULL, &err) < 0) fail_msg("%s", err.text);
  assert_int_equal(s.count, n);
  assert_int_equal(r.count[UM_SET_MISSING], n);
  assert_string_equal(s.item[n - 1].group, "v000000");
  um_sources_free(&s);
  um_set_report_free(&r);
  assert_int_equal(um_sources_collect(&s, input, n, &err), UM_OK);
  assert_int_equal(s.count, n);
  um_sources_free(&s);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  for (int i = 0; i < n; i++) free((char *)input[i]);
  free(input);
  return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

/* Ten times the files take about ten times as long; anything quadratic, a hundred times. */
static void large_trees(void **state) {
  (void)state;
  const double small = seconds_for(1000), large = seconds_for(10000);
  print_message("1,000 and 10,000 files: %.3f s and %.3f s\n", small, large);
  assert_true(large < 40 * (small > 0.002 ? small : 0.002));
}

/* The real clips, where they are: the labels of their folders are those of their metadata. */
static void real_clips(void **state) {
  static const char dir[] = "../shared/data/clips";
  um_sources s;
  um_set_report r;
  um_error err = {0};
  (void)state;
  if (!um_is_folder(dir)) {
    print_message("skipped: %s is not there\n", dir);
    skip();
  }
  assert_int_equal(um_sets_scan(&s, &r, "dfdc", dir, NULL, &err), UM_OK);
  assert_int_equal(s.count, 6);
  for (int i = 0; i < s.count; i++) assert_int_equal(s.item[i].label, strstr(s.item[i].path, "/real/") != NULL);
  for (int i = 0; i < s.count; i++)
    if (strstr(s.item[i].path, "004")) assert_string_equal(s.item[i].group, "ffpp_004");
  um_sources_free(&s);
  um_set_report_free(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pairs_of_faceforensics),
                                     cmocka_unit_test(layouts),
                                     cmocka_unit_test(choices),
                                     cmocka_unit_test(actors),
                                     cmocka_unit_test(wrong_lists),
                                     cmocka_unit_test(wrong_places),
                                     cmocka_unit_test(csv_with_root),
                                     cmocka_unit_test(odd_trees),
                                     cmocka_unit_test(names_differ),
                                     cmocka_unit_test(summary),
                                     cmocka_unit_test(large_trees),
                                     cmocka_unit_test(real_clips)};
  return cmocka_run_group_tests_name("sets", tests, make_fixtures, drop_fixtures);
}
