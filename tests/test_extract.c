/* The extract program: what it writes, that it writes the same whatever the number of jobs, and how it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "data/csv.h"
#include "data/image.h"
#include "faces/detector.h"
#include "tests/support/clip.h"
#include "tests/support/extract_run.h"
#include "tests/support/tmp.h"

#define RECIPE "--detector haar --faces largest "

static const char *inputs(void) { return extract_inputs("extract"); }

/* Rows of a manifest; calls back with the fields. */
static int manifest(const char *folder, void (*call)(const char *const *field, const char *folder)) {
  char path[4096];
  um_csv *csv;
  um_error err = {0};
  const char *const *field;
  int n = 0;
  snprintf(path, sizeof path, "%s/manifest.csv", folder);
  if (um_csv_open(&csv, path, &err) < 0) fail_msg("%s", err.text);
  assert_int_equal(um_csv_columns(csv), M_COLUMNS);
  while (um_csv_next(csv, &field, &err) > 0) {
    if (call) call(field, folder);
    n++;
  }
  um_csv_close(csv);
  return n;
}

static void check_row(const char *const *field, const char *folder) {
  char path[4096], expected[4096];
  um_image im = {0};
  um_error err = {0};
  const char *stem = strrchr(field[2], '/') + 1;
  bool second = strstr(field[2], "/real/a.mp4") != NULL; /* the name was taken */
  snprintf(path, sizeof path, "%s/%s", folder, field[0]);
  snprintf(expected, sizeof expected, "%s/%.*s%s_%06d_00.png", field[1], (int)(strchr(stem, '.') - stem), stem, second ? "-2" : "",
           atoi(field[3]));
  assert_string_equal(field[0], expected);
  assert_non_null(strstr(field[2], field[1])); /* the label is the folder's */
  double time = strtod(field[4], NULL);
  assert_true(time > 0.5 * atoi(field[3]) - 1e-3 && time < 0.5 * atoi(field[3]) + 1e-3);
  /* The square about the box of the detector, clean (the scene has no red). */
  if (um_image_read(&im, path, &err) < 0) fail_msg("%s", err.text);
  int side = 2 * (int)((atoi(field[7]) + atoi(field[8])) / 4. + 0.5) + 1;
  assert_in_range(im.width, side - 2, side + 2);
  assert_int_equal(im.width, im.height);
  for (int i = 0; i < im.width * im.height; i++) assert_true(im.pixels[3 * i] < im.pixels[3 * i + 1] + 12);
  um_image_free(&im);
}

static void writes_crops_and_manifest(void **state) {
  const char *to = tmp_path("extract/first"), *drawn = tmp_path("extract/drawn");
  char path[4096], *text;
  um_error err;
  (void)state;
  extract_expect(extract_run(RECIPE "--out %s --draw %s %s", to, drawn, inputs()), 0, "3 inputs: 3 done; 9 faces in");
  /* 2.8 s at 2 a second: 6 frames, the last two without a face; 2 s: 4 frames; a picture: 1. */
  assert_non_null(strstr(extract_out, "fake/a.mp4: 6 frames read, 2 without a face; 4 faces of 1 person kept"));
  assert_non_null(strstr(extract_out, "real/a.mp4: 4 frames read, 0 without a face; 4 faces of 1 person kept"));
  assert_non_null(strstr(extract_out, "real/p.png: 1 frames read, 0 without a face; 1 face of 1 person kept"));
  assert_int_equal(manifest(to, check_row), 9);
  assert_int_equal(um_file_read(&text, NULL, (snprintf(path, sizeof path, "%s/manifest.csv", to), path), 1 << 20, &err), UM_OK);
  assert_int_equal(
      strncmp(text, "path,label,video,frame,time_s,x,y,width,height,score,track,group,dataset,method,part,quality,points\n", 99), 0);
  free(text);
  snprintf(path, sizeof path, "%s/fake", to);
  assert_int_equal(files_in(path), 4);
  snprintf(path, sizeof path, "%s/real", to);
  assert_int_equal(files_in(path), 5);
  assert_int_equal(files_in(drawn), 11);
  assert_int_equal(files_in(to), 6); /* and no more than the two folders, both CSV files, extract.json, the contact sheet */
  snprintf(path, sizeof path, "%s/.extract", to);
  assert_false(um_is_folder(path));
  um_image im = {0};
  int red = 0;
  snprintf(path, sizeof path, "%s/a_000000.jpg", drawn);
  assert_int_equal(um_image_read(&im, path, &err), UM_OK);
  assert_int_equal(im.width, 1000);
  for (int i = 0; i < im.width * im.height; i++) red += im.pixels[3 * i] > 180 && im.pixels[3 * i + 1] < 90;
  assert_true(red > 400);
  snprintf(path, sizeof path, "%s/contact_sheet.jpg", to);
  assert_int_equal(um_image_read(&im, path, &err), UM_OK);
  assert_true(im.width >= 3 * 96);
  um_image_free(&im);
}

static void same_whatever_the_jobs(void **state) {
  const char *one = tmp_path("extract/one"), *three = tmp_path("extract/three");
  (void)state;
  extract_expect(extract_run("--detector haar --max-size 400 --faces all --jobs 1 --out %s %s", one, inputs()), 0, "3 done");
  assert_int_equal(manifest(one, NULL), 27);
  extract_expect(extract_run("--detector haar --max-size 400 --faces all --jobs 3 --quiet --out %s %s", three, inputs()), 0, "3 done");
  char a[4096], b[4096];
  static const char *const names[] = {"manifest.csv", "fake", "real", "contact_sheet.jpg"};
  for (int i = 0; i < 4; i++) {
    snprintf(a, sizeof a, "%s/%s", one, names[i]);
    snprintf(b, sizeof b, "%s/%s", three, names[i]);
    assert_same_files(a, b, NULL);
  }
}

static void crops_cut_otherwise_are_not_mixed(void **state) {
  const char *to = tmp_path("extract/mixed");
  char path[4096];
  (void)state;
  extract_expect(extract_run("--detector haar --max-size 400 --faces all --out %s %s", to, inputs()), 0, "3 done");
  extract_expect(extract_run("--detector haar --max-size 400 --faces largest --out %s %s", to, inputs()), 2,
                 "extract.json: faces: the crops there were made with all, now it is largest; choose another --out");
  extract_expect(extract_run("--detector haar --max-size 400 --faces all --format jpeg --out %s %s", to, inputs()), 2,
                 "format: the crops there were made with png, now it is jpeg");
  /* What is only about resizing says nothing where nothing is resized; "auto" goes on with what OUT was begun with. */
  extract_expect(extract_run("--interpolation nearest --max-size 400 --faces all --out %s %s", to, inputs()), 0,
                 "3 of the inputs were done before");
  assert_non_null(strstr(extract_out, "detector: haar, as in"));
  assert_int_equal(manifest(to, NULL), 27);
  extract_expect(extract_run("--force --detector haar --max-size 400 --faces largest --out %s %s/fake", to, inputs()), 0,
                 "all are removed");
  assert_int_equal(manifest(to, NULL), 4); /* also those of inputs that are not named now */
  snprintf(path, sizeof path, "%s/real", to);
  assert_int_equal(files_in(path), 0);
  snprintf(path, sizeof path, "%s/fake", to);
  assert_int_equal(files_in(path), 4);
  /* --force with the same settings does only these again. */
  extract_expect(extract_run("--detector haar --max-size 400 --faces largest --out %s %s/real", to, inputs()), 0, "2 inputs");
  extract_expect(extract_run("--force --detector haar --max-size 400 --faces largest --out %s %s/fake", to, inputs()), 0, "6 frames read");
  assert_int_equal(manifest(to, NULL), 9);
  /* A folder of an extract that wrote no extract.json. */
  snprintf(path, sizeof path, "%s/extract.json", to);
  assert_int_equal(unlink(path), 0);
  extract_expect(extract_run("--detector haar --max-size 400 --faces largest --out %s %s", to, inputs()), 2, "it is not known how");
}

static void adds_to_an_earlier_run(void **state) {
  const char *to = tmp_path("extract/added");
  (void)state;
  extract_expect(extract_run(RECIPE "--size 64 --margin 0.3 --max-size 400 --label fake --out %s %s/fake", to, inputs()), 0, "1 input:");
  assert_int_equal(manifest(to, NULL), 4);
  extract_expect(extract_run(RECIPE "--size 64 --margin 0.3 --max-size 400 --label real --out %s %s/real/a.mp4", to, inputs()), 0,
                 "1 input:");
  assert_int_equal(manifest(to, NULL), 8);
  um_image im = {0};
  um_error err = {0};
  char path[4096];
  snprintf(path, sizeof path, "%s/real/a-2_000001_00.png", to); /* "a" belongs to the fake one */
  if (um_image_read(&im, path, &err) < 0) fail_msg("%s", err.text);
  assert_int_equal(im.width, 64);
  um_image_free(&im);
  assert_string_equal(csv_cell(to, "ledger.csv", "real/a.mp4", "name"), "a-2");
  assert_string_equal(csv_cell(to, "ledger.csv", "real/a.mp4", "group"), "a-2");
}

/* The first crop of fake/a.mp4 with these options, and its box. */
static void one_crop(um_image *im, int box[2], const char *name, const char *options) {
  char path[4096], where[64];
  um_error err = {0};
  snprintf(where, sizeof where, "extract/%s", name);
  const char *to = tmp_path(where);
  extract_expect(extract_run("--detector haar --max-size 400 %s --out %s %s/fake", options, to, inputs()), 0, "1 done");
  snprintf(path, sizeof path, "%s/%s", to, csv_cell(to, "manifest.csv", "_000001_00.png", "path"));
  if (path[strlen(to) + 1] == 0) snprintf(path, sizeof path, "%s/%s", to, csv_cell(to, "manifest.csv", "_000001_00.jpg", "path"));
  if (um_image_read(im, path, &err) < 0) fail_msg("%s", err.text);
  const char *key = strrchr(path, '/');
  box[0] = atoi(csv_cell(to, "manifest.csv", key, "width"));
  box[1] = atoi(csv_cell(to, "manifest.csv", key, "height"));
}

static void crops_as_asked_for(void **state) {
  um_image im = {0};
  int box[2];
  char first[4];
  FILE *f;
  (void)state;
  one_crop(&im, box, "tight", "--crop tight");
  assert_int_equal(im.width, box[0]);
  assert_int_equal(im.height, box[1]);
  one_crop(&im, box, "square", "--crop square"); /* 0.3 wider */
  assert_int_equal(im.width, (int)(1.3 * (box[0] > box[1] ? box[0] : box[1]) + 0.5));
  assert_int_equal(im.height, im.width);
  one_crop(&im, box, "margin", "--crop square --margin=0");
  assert_int_equal(im.width, box[0] > box[1] ? box[0] : box[1]);
  one_crop(&im, box, "sized", "--crop tight --size 50 --interpolation nearest --format jpeg --quality 30");
  assert_int_equal(im.width, 50);
  assert_int_equal(im.height, 50);
  assert_non_null(f = fopen(tmp_path("extract/sized/fake/a_000001_00.jpg"), "rb"));
  assert_int_equal(fread(first, 1, 3, f), 3);
  fclose(f);
  assert_memory_equal(first, "\xff\xd8\xff", 3);
  um_image_free(&im);
}

static void labels_from_metadata(void **state) {
  const char *to = tmp_path("extract/labelled"), *json = tmp_path("extract/metadata.json");
  static const char text[] = "{\"a.mp4\": {\"label\": \"REAL\", \"original\": \"orig.mp4\"}}";
  (void)state;
  tmp_write(json, text, sizeof text - 1);
  extract_expect(extract_run(RECIPE "--max-size 400 --labels %s --out %s %s/fake/a.mp4 %s/real/p.png", json, to, inputs(), inputs()), 3,
                 "p.png: the metadata does not say whether it is fake or real");
  char path[4096];
  snprintf(path, sizeof path, "%s/real/a_000000_00.png", to);
  assert_true(um_is_file(path));
  assert_string_equal(csv_cell(to, "manifest.csv", "a_000000_00.png", "group"), "orig");
  assert_string_equal(csv_cell(to, "ledger.csv", "p.png", "status"), "unlabelled");
  extract_expect(extract_run(RECIPE "--out %s %s/fake/../fake/a.mp4 %s", tmp_path("extract/nowhere"), inputs(), json), 3,
                 "give --label, --labels or --dataset");
}

/* Two parts as DFDC comes; one video that the metadata names is not there, another is not in the metadata. */
static void datasets(void **state) {
  const char *to = tmp_path("extract/dataset"), *tree = tmp_path("extract/dfdc");
  char path[4096], target[4096];
  static const char *const first = "{\"aaa.mp4\": {\"label\": \"FAKE\", \"split\": \"train\", \"original\": \"bbb.mp4\"}, "
                                   "\"bbb.mp4\": {\"label\": \"REAL\", \"split\": \"train\"}}",
                           *const second = "{\"ccc.mp4\": {\"label\": \"FAKE\", \"split\": \"train\", \"original\": \"bbb.mp4\"}}";
  (void)state;
  tmp_write(tmp_path("extract/dfdc/dfdc_train_part_0/metadata.json"), first, strlen(first));
  tmp_write(tmp_path("extract/dfdc/dfdc_train_part_1/metadata.json"), second, strlen(second));
  static const char *const names[][2] = {{"dfdc_train_part_0/aaa.mp4", "fake/a.mp4"},
                                         {"dfdc_train_part_0/bbb.mp4", "real/a.mp4"},
                                         {"dfdc_train_part_1/ddd.mp4", "fake/a.mp4"}};
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", tree, names[i][0]);
    snprintf(target, sizeof target, "%s/%s", inputs(), names[i][1]);
    assert_int_equal(symlink(target, path), 0);
  }
  snprintf(path, sizeof path, "%s/%s", tree, names[2][0]);
  extract_clip(path, 5, 3, true);
  extract_expect(extract_run(RECIPE "--max-size 400 --dataset dfdc --out %s %s", to, tree), 3, "4 inputs: 2 done, 1 unlabelled, 1 missing");
  assert_string_equal(csv_cell(to, "ledger.csv", "part_1/ccc.mp4", "status"), "missing");
  assert_string_equal(csv_cell(to, "ledger.csv", "part_1/ddd.mp4", "status"), "unlabelled");
  assert_string_equal(csv_cell(to, "ledger.csv", "part_0/aaa.mp4", "status"), "done");
  assert_string_equal(csv_cell(to, "manifest.csv", "_000000_00.png", "dataset"), "dfdc");
  assert_string_equal(csv_cell(to, "ledger.csv", "aaa.mp4", "group"), csv_cell(to, "ledger.csv", "bbb.mp4", "group"));
  /* Once cut, the videos may go. */
  snprintf(path, sizeof path, "%s/%s", tree, names[0][0]);
  assert_int_equal(unlink(path), 0);
  extract_expect(extract_run(RECIPE "--max-size 400 --dataset auto --out %s %s", to, tree), 3, "4 inputs: 2 done, 1 unlabelled, 1 missing");
  assert_int_equal(manifest(to, NULL), 8);
  extract_expect(extract_run("--dataset nothing %s", tree), 2, "dataset: expected");
  extract_expect(extract_run("--compression c23 %s", tree), 2, "--compression: is about datasets");
  extract_expect(extract_run("--dataset dfdc --label fake %s", tree), 2, "expected one of them");
}

/* Five points of a crop, in its pixels. */
static void points_of(double p[10], const char *to) {
  const char *at = csv_cell(to, "manifest.csv", "_00.png", "points");
  char *end = (char *)at;
  for (int i = 0; i < 10; i++, at = end) {
    p[i] = strtod(at, &end);
    if (end == at) fail_msg("%s: expected ten numbers, found \"%s\"", to, csv_cell(to, "manifest.csv", "_00.png", "points"));
  }
  assert_int_equal(*end, 0);
}

/* The default detector with its defaults, on a picture of one face; then aligned and resized. */
static void points_in_the_manifest(void **state) {
  static const char photo[] = "../shared/data/photos/astronaut.png";
  const char *to = tmp_path("extract/points"), *aligned = tmp_path("extract/aligned");
  um_image im = {0};
  um_error err = {0};
  double p[10];
  char path[4096];
  (void)state;
  if (!um_is_file(photo) || strcmp(um_detector_best(), "mtcnn") != 0) {
    print_message("skipped: ../shared/data/photos or mtcnn's weights are not here\n");
    skip();
  }
  extract_expect(extract_run("--label real --out %s %s", to, photo), 0, "detector: mtcnn");
  extract_expect(0, 0, "1 input: 1 done; 1 face in");
  snprintf(path, sizeof path, "%s/real/astronaut_000000_00.png", to);
  if (um_image_read(&im, path, &err) < 0) fail_msg("%s", err.text);
  const double box = fmax(atof(csv_cell(to, "manifest.csv", "_00.png", "width")), atof(csv_cell(to, "manifest.csv", "_00.png", "height")));
  assert_true(fabs(im.width - 1.3 * box) <= 1.5 && im.width == im.height); /* a square, 0.3 wider */
  points_of(p, to);
  for (int i = 0; i < 10; i++) assert_true(p[i] > 0 && p[i] < im.width);
  assert_true(p[0] + 0.2 * im.width < p[2] && p[6] + 0.1 * im.width < p[8]);                        /* left and right as seen */
  assert_true(p[1] < p[5] && p[3] < p[5] && p[5] < p[7] && p[5] < p[9]);                            /* eyes, nose, mouth */
  assert_true(fabs((p[0] + p[2]) / 2 - im.width / 2.) < 0.15 * im.width && p[1] > 0.2 * im.height); /* in the middle */
  extract_expect(extract_run("--align --size 160 --label real --out %s %s", aligned, photo), 0, "1 face in");
  points_of(p, aligned);
  assert_true(fabs(p[1] - p[3]) < 0.25); /* level */
  for (int i = 0; i < 10; i++) assert_true(p[i] > 0 && p[i] < 160);
  um_image_free(&im);
}

static void bad_usage(void **state) {
  (void)state;
  extract_expect(extract_run("--help"), 0, "usage: extract");
  extract_expect(extract_run("--version"), 0, "extract ");
  extract_expect(extract_run(" "), 2, "no input");
  extract_expect(extract_run("--fps x.mp4"), 2, "--fps: expected a number");
  extract_expect(extract_run("--fps -3 x.mp4"), 2, "--fps");
  extract_expect(extract_run("--faces some x.mp4"), 2, "--faces: expected largest, all or main, got \"some\"");
  extract_expect(extract_run("--crop round x.mp4"), 2, "--crop: expected recipe, square or tight");
  extract_expect(extract_run("--format gif x.mp4"), 2, "--format: expected png or jpeg");
  extract_expect(extract_run("--quality 101 x.mp4"), 2, "--quality: expected a whole number from 1 to 100");
  extract_expect(extract_run("--align=yes x.mp4"), 2, "--align: expected no value");
  extract_expect(extract_run("--align --detector haar --out %s x.mp4", tmp_path("extract/none")), 2, "haar finds no eyes");
  extract_expect(extract_run("--label maybe x.mp4"), 2, "--label: expected fake or real");
  extract_expect(extract_run("--label fake --labels m.json x.mp4"), 2, "expected one of them");
  extract_expect(extract_run("--detector cnn --out %s x.mp4", tmp_path("extract/none")), 2, "--detector: expected haar, haar-strict, ");
  extract_expect(extract_run("--size 1e9 x.mp4"), 2, "--size");
  extract_expect(extract_run("--colour x.mp4"), 2, "no such option");
  extract_expect(extract_run("--out"), 2, "expected a value");
}

static void bad_inputs_are_skipped(void **state) {
  const char *to = tmp_path("extract/bad");
  char list[16384];
  (void)state;
  tmp_write(tmp_path("extract/mix/empty.mp4"), "", 0);
  tmp_write(tmp_path("extract/mix/text.mp4"), "hello, hello, hello\n", 20);
  tmp_write(tmp_path("extract/mix/cut.png"), "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", 18);
  clip c = {.path = tmp_path("extract/mix/sound.mp4"), .sound_only = true};
  clip_write(&c);
  clip blank = {.path = tmp_path("extract/mix/blank.mp4"), .width = 64, .height = 48, .frames = 10, .rate = 5};
  clip_write(&blank);
  snprintf(list, sizeof list, RECIPE "--max-size 400 --label fake --out %s %s %s/fake %s", to, tmp_path("extract/mix"), inputs(),
           tmp_path("extract/not_there.mp4"));
  extract_expect(extract_run("%s", list), 3, "empty.mp4: the file is empty");
  extract_expect(3, 3, "text.mp4: expected a video");
  extract_expect(3, 3, "cut.png");
  extract_expect(3, 3, "sound.mp4: no video stream");
  extract_expect(3, 3, "not_there.mp4: No such file");
  extract_expect(3, 3, "7 inputs: 1 done, 1 no_face, 4 unreadable, 1 missing; 4 faces");
  assert_int_equal(manifest(to, NULL), 4);
  /* A line for each. */
  assert_int_equal(csv_lines(to, "ledger.csv"), 7);
  static const char *const cells[][3] = {{"/empty.mp4", "status", "unreadable"},
                                         {"/blank.mp4", "status", "no_face"},
                                         {"/blank.mp4", "frames", "4"},
                                         {"/blank.mp4", "frames_without_face", "4"},
                                         {"/not_there.mp4", "status", "missing"},
                                         {"fake/a.mp4", "status", "done"},
                                         {"fake/a.mp4", "frames", "6"},
                                         {"fake/a.mp4", "frames_without_face", "2"},
                                         {"fake/a.mp4", "faces", "4"},
                                         {"fake/a.mp4", "kept", "4"},
                                         {"fake/a.mp4", "dropped", "0"},
                                         {"fake/a.mp4", "tracks", "1"},
                                         {"fake/a.mp4", "label", "fake"}};
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
    assert_string_equal(csv_cell(to, "ledger.csv", cells[i][0], cells[i][1]), cells[i][2]);
  assert_non_null(strstr(csv_cell(to, "ledger.csv", "/sound.mp4", "reason"), "no video stream"));
  /* Nothing but such: failed. */
  assert_int_equal(unlink(blank.path), 0);
  extract_expect(extract_run(RECIPE "--max-size 400 --label fake --out %s %s", to, tmp_path("extract/mix")), 1, "nothing was extracted");
  assert_int_equal(manifest(to, NULL), 4); /* what was there stays */
  /* Crops are no inputs, also where they lie among these. */
  snprintf(list, sizeof list, "%s/faces", inputs());
  extract_expect(extract_run(RECIPE "--max-size 400 --out %s %s", list, inputs()), 0, "3 inputs: 3 done");
  extract_expect(extract_run(RECIPE "--max-size 400 --out %s %s", list, inputs()), 0, "3 inputs: 3 done");
  snprintf(list, sizeof list, "rm -r '%s/faces'", inputs());
  assert_int_equal(system(list), 0);
}

static void cannot_write(void **state) {
  const char *file = tmp_path("extract/file"), *to = tmp_path("extract/limited");
  char arguments[8192];
  (void)state;
  tmp_write(file, "x", 1);
  extract_expect(extract_run(RECIPE "--out %s/faces %s", file, inputs()), 1, "cannot make the folder");
  tmp_write(tmp_path("extract/foreign/manifest.csv"), "a,b\n1,2\n", 8);
  extract_expect(extract_run(RECIPE "--out %s %s", tmp_path("extract/foreign"), inputs()), 1, "choose another --out");
  /* No file may grow beyond 4 KiB: what a full disk does. No half of a crop is left, nor a row of one. */
  snprintf(arguments, sizeof arguments, RECIPE "--max-size 400 --out %s %s/fake", to, inputs());
  extract_expect(extract_run_after("trap '' XFSZ; ulimit -f 8;", arguments), 1, "");
  assert_true(strstr(extract_out, "File too large") || strstr(extract_out, "No space") || strstr(extract_out, "png"));
  char path[4096];
  snprintf(path, sizeof path, "%s/fake", to);
  assert_int_equal(files_in(path), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_crops_and_manifest),
      cmocka_unit_test(same_whatever_the_jobs),
      cmocka_unit_test(crops_cut_otherwise_are_not_mixed),
      cmocka_unit_test(adds_to_an_earlier_run),
      cmocka_unit_test(crops_as_asked_for),
      cmocka_unit_test(labels_from_metadata),
      cmocka_unit_test(datasets),
      cmocka_unit_test(points_in_the_manifest),
      cmocka_unit_test(bad_usage),
      cmocka_unit_test(bad_inputs_are_skipped),
      cmocka_unit_test(cannot_write),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
