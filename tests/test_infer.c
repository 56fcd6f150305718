/* infer, on models whose scores are known without it: a global average and one weight a channel, so that a picture of one colour
 * has the logit w . rgb / 255 + b. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cjson/cJSON.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "data/csv.h"
#include "data/image.h"
#include "tests/support/clip.h"
#include "tests/support/infer_run.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

static const uint8_t colours[4][3] = {{255, 0, 0}, {10, 200, 30}, {120, 120, 120}, {0, 255, 255}};

/* Pictures of one colour: 0 and 1 in fake/, 2 and 3 in real/. */
static const char *colour_folder(void) {
  static const char *const name[4] = {"colours/fake/a.png", "colours/fake/b.png", "colours/real/c.png", "colours/real/deep/d.png"};
  for (int i = 0; i < 4; i++) infer_colour(tmp_path(name[i]), colours[i], 20 + 13 * i, 50);
  return tmp_path("colours");
}

/* Single-precision sums over 1024 pixels. */
#define CLOSE 1e-5

static void known_scores(void **state) {
  const char *folder = colour_folder(), *model = tmp_path("keras.safetensors"), *other = tmp_path("other.safetensors");
  const char *json = tmp_path("keras.json"), *json_2 = tmp_path("other.json"), *csv = tmp_path("keras.csv");
  char hex[65];
  um_error err;
  (void)state;
  infer_model(model, "fake", "real");
  infer_model(other, "REAL", "FAKE");
  assert_int_equal(infer_run("--model %s --faces-are-cut --json %s --csv %s --labels folders %s >/dev/null 2>&1", model, json, csv, folder),
                   0);
  assert_int_equal(infer_run("--model %s --faces-are-cut --json - %s 2>/dev/null >%s", other, folder, json_2), 0);
  cJSON *a = infer_json(json), *b = infer_json(json_2);

  const cJSON *about = infer_get(a, "model"), *results = infer_get(a, "results");
  assert_string_equal(infer_get(about, "file")->valuestring, model);
  assert_int_equal(um_sha256_file(hex, model, &err), UM_OK);
  assert_string_equal(infer_get(about, "sha256")->valuestring, hex);
  assert_string_equal(cJSON_GetArrayItem(infer_get(about, "classes"), 0)->valuestring, "fake");
  assert_string_equal(cJSON_GetArrayItem(infer_get(about, "classes"), 1)->valuestring, "real");
  assert_true(cJSON_IsNull(infer_get(b, "metrics")));

  double loss = 0;
  int right = 0;
  assert_int_equal(cJSON_GetArraySize(results), 4);
  for (int i = 0; i < 4; i++) {
    const cJSON *r = cJSON_GetArrayItem(results, i), *d = cJSON_GetArrayItem(infer_get(r, "detail"), 0), *box = infer_get(d, "box");
    double fake = 1 - infer_known(colours[i]), other_fake = infer_known(colours[i]);
    assert_true(fabs(infer_get(r, "score")->valuedouble - fake) < CLOSE);
    assert_true(fabs(infer_get(d, "score")->valuedouble - fake) < CLOSE);
    assert_true(fabs(infer_get(cJSON_GetArrayItem(infer_get(b, "results"), i), "score")->valuedouble - other_fake) < CLOSE);
    assert_string_equal(infer_get(r, "verdict")->valuestring, fake > .5 ? "fake" : "real");
    assert_string_equal(infer_get(r, "kind")->valuestring, "image");
    assert_true(cJSON_IsNull(infer_get(r, "reason")) && cJSON_IsNull(infer_get(d, "track")));
    assert_int_equal(infer_get(r, "frames")->valueint, 1);
    assert_int_equal(infer_get(r, "faces")->valueint, 1);
    assert_int_equal(infer_get(d, "frame")->valueint, 0);
    assert_true(infer_get(d, "time_s")->valuedouble == 0);
    assert_int_equal(cJSON_GetArrayItem(box, 2)->valueint, 20 + 13 * i);
    assert_int_equal(cJSON_GetArrayItem(box, 3)->valueint, 50);
    loss -= log(i < 2 ? fake : 1 - fake) / 4;
    right += (fake > .5) == (i < 2);
  }
  /* Colours 0 and 1 are fake: of the four pairs, how many are in order is counted by hand from the known scores. */
  double pairs = 0;
  for (int f = 0; f < 2; f++)
    for (int r = 2; r < 4; r++) pairs += infer_known(colours[f]) < infer_known(colours[r]);
  for (int k = 0; k < 2; k++) {
    const cJSON *n = infer_get(infer_get(a, "metrics"), k ? "video" : "frame");
    assert_true(fabs(infer_get(n, "log_loss")->valuedouble - loss) < CLOSE);
    assert_true(infer_get(n, "accuracy")->valuedouble == right / 4.);
    assert_true(infer_get(n, "auc")->valuedouble == pairs / 4);
  }
  cJSON_Delete(a), cJSON_Delete(b);

  um_csv *c;
  const char *const *field;
  int rows = 0;
  assert_int_equal(um_csv_open(&c, csv, &err), UM_OK);
  int score = um_csv_column(c, "score"), label = um_csv_column(c, "label");
  assert_true(score >= 0 && label >= 0);
  for (; um_csv_next(c, &field, &err) == 1; rows++) {
    assert_true(fabs(atof(field[score]) - (1 - infer_known(colours[rows]))) < CLOSE);
    assert_string_equal(field[label], rows < 2 ? "fake" : "real");
  }
  assert_int_equal(rows, 4);
  um_csv_close(c);
}

/* Nearly certain scores: nobody reads 0 or 1 in the table, the page or a picture; JSON and CSV have all digits. */
static void nearly_certain(void **state) {
  char model[1024], picture[1024], json[1024], csv[1024], out[1000], page[1024];
  const um_preprocess p = {
      .target_size = {8, 8}, .rescale = 1 / 255., .faces.detector = "haar", .faces.fps = 2, .classes = {"real", "fake"}};
  const float black[3] = {0};
  (void)state;
  snprintf(picture, sizeof picture, "%s", tmp_path("certain.png")), snprintf(out, sizeof out, "%s", tmp_path("certain"));
  snprintf(json, sizeof json, "%s.json", out), snprintf(csv, sizeof csv, "%s.csv", out), snprintf(page, sizeof page, "%s/index", out);
  snprintf(model, sizeof model, "%s.safetensors", out);
  infer_colour(picture, colours[1], 20, 20);
  for (int fake = 0; fake < 2; fake++) {
    char text[64], *data;
    size_t size;
    um_error err;
    um_csv *c;
    const char *const *field;
    infer_save_mean(model, &p, black, fake ? 10.3f : -10.3f);
    assert_int_equal(
        infer_run("--model %s --faces-are-cut --json %s --csv %s --report %s %s >%s.txt 2>/dev/null", model, json, csv, out, picture, out),
        0);
    cJSON *root = infer_json(json);
    const double score = infer_get(infer_get(root, "results")->child, "score")->valuedouble;
    assert_true(fabs(score - 1 / (1 + exp(fake ? -10.3 : 10.3))) < 1e-6);
    snprintf(text, sizeof text, fake ? "fake       >0.9999      1" : "real       <0.0001      1");
    assert_true(infer_says(out, text));
    assert_int_equal(um_csv_open(&c, csv, &err), UM_OK);
    assert_int_equal(um_csv_next(c, &field, &err), 1);
    assert_true(strtod(field[um_csv_column(c, "score")], NULL) == score);
    um_csv_close(c);
    snprintf(page, sizeof page, "%s/index.html", out);
    assert_int_equal(um_file_read(&data, &size, page, 1 << 26, &err), UM_OK);
    assert_null(strstr(data, fake ? "1.0000<" : "0.0000<"));
    assert_null(strstr(data, fake ? "1.00 " : "0.00 "));
    assert_non_null(strstr(data, fake ? "&#62;0.9999</data>" : "&#60;0.0001</data>"));
    assert_non_null(strstr(data, fake ? "does not mean that more than 99 of 100" : "does not mean that fewer than 1 of 100"));
    free(data);
    cJSON_Delete(root);
  }
}

/* What cannot be read is named with a reason, scores nothing, and the rest is scored: exit status 3. */
static void unreadable_inputs(void **state) {
  const char *model = tmp_path("keras.safetensors"), *json = tmp_path("bad.json"), *log = tmp_path("bad.log");
  const char *cut = tmp_path("bad/cut.png"), *empty = tmp_path("bad/empty.mp4"), *text = tmp_path("bad/text.jpg"),
             *good = tmp_path("bad/good.png");
  char *bytes;
  size_t size;
  um_error err;
  (void)state;
  infer_model(model, "fake", "real");
  infer_colour(good, colours[1], 64, 64);
  assert_int_equal(um_file_read(&bytes, &size, good, 1 << 20, &err), UM_OK);
  tmp_write(cut, bytes, size / 2);
  free(bytes);
  tmp_write(empty, "", 0);
  tmp_write(text, "not a picture at all", 20);
  tmp_write(tmp_path("bad/notes.txt"), "passed over without a word", 26);
  assert_int_equal(infer_run("--model %s --json %s %s %s >/dev/null 2>%s", model, json, tmp_path("bad"), tmp_path("nowhere.mp4"), log), 3);
  cJSON *root = infer_json(json);
  const cJSON *results = infer_get(root, "results");
  assert_int_equal(cJSON_GetArraySize(results), 5);
  for (int i = 0; i < 5; i++) {
    const cJSON *r = cJSON_GetArrayItem(results, i);
    /* good.png, the fourth, holds no face: that is a result, not a failure. None has a score. */
    assert_true(cJSON_IsNull(infer_get(r, "score")));
    assert_string_equal(infer_get(r, "verdict")->valuestring, "none");
    assert_true(strlen(infer_get(r, "reason")->valuestring) > 5);
    if (strstr(infer_get(r, "path")->valuestring, "good.png"))
      assert_string_equal(infer_get(r, "reason")->valuestring, "no face found in 1 frame");
  }
  cJSON_Delete(root);
  assert_int_equal(um_file_read(&bytes, &size, log, 1 << 20, &err), UM_OK);
  assert_non_null(strstr(bytes, "cut.png"));
  assert_non_null(strstr(bytes, "empty.mp4"));
  assert_non_null(strstr(bytes, "text.jpg"));
  assert_non_null(strstr(bytes, "nowhere.mp4"));
  assert_null(strstr(bytes, "notes.txt"));
  free(bytes);
  /* The same folder as cut faces: only good.png can be one. */
  assert_int_equal(infer_run("--model %s --faces-are-cut --json %s %s >/dev/null 2>&1", model, json, tmp_path("bad")), 3);
  root = infer_json(json);
  assert_int_equal(cJSON_GetArraySize(infer_get(root, "results")), 4);
  assert_true(fabs(infer_get(cJSON_GetArrayItem(infer_get(root, "results"), 2), "score")->valuedouble - (1 - infer_known(colours[1]))) <
              CLOSE);
  cJSON_Delete(root);
}

/* Drawn clips: each gets a score, the mean over its faces; any number of jobs gives the same bytes; --fps counts. */
static void videos(void **state) {
  const char *model = tmp_path("keras.safetensors"), *clips = tmp_path("drawn"), *one = tmp_path("one.json"),
             *three = tmp_path("three.json");
  const char *bin = getenv("UM_BIN");
  char command[12288];
  (void)state;
  infer_model(model, "fake", "real");
  snprintf(command, sizeof command, "%s/demo_clips --out %s --train 4 --test 0 --seconds 1 --fps 5 --size 320x240 >/dev/null 2>&1",
           bin ? bin : "bin", clips);
  assert_int_equal(system(command), 0);
  assert_int_equal(infer_run("--model %s --jobs 1 --json %s --labels %s/train/metadata.json %s >/dev/null 2>&1", model, one, clips, clips),
                   0);
  assert_int_equal(
      infer_run("--model %s --jobs 3 --json %s --labels %s/train/metadata.json %s >/dev/null 2>&1", model, three, clips, clips), 0);
  char *with_one = infer_verdicts(one), *with_three = infer_verdicts(three);
  assert_string_equal(with_one, with_three);
  free(with_one), free(with_three);
  cJSON *root = infer_json(one);
  assert_int_equal(cJSON_GetArraySize(infer_get(root, "results")), 4);
  for (const cJSON *r = infer_get(root, "results")->child, *d; r; r = r->next) {
    double sum = 0;
    assert_string_equal(infer_get(r, "kind")->valuestring, "video");
    assert_int_equal(infer_get(r, "frames")->valueint, 2);
    assert_int_equal(infer_get(r, "faces")->valueint, cJSON_GetArraySize(infer_get(r, "detail")));
    assert_true(infer_get(r, "faces")->valueint >= 1);
    cJSON_ArrayForEach(d, infer_get(r, "detail")) {
      const cJSON *box = infer_get(d, "box");
      sum += infer_get(d, "score")->valuedouble;
      assert_true(fabs(infer_get(d, "time_s")->valuedouble - .5 * infer_get(d, "frame")->valuedouble) < 1e-6);
      /* In the frame of 1000 x 750: a face of these clips is a third to two thirds of the height, and lies in the picture. */
      assert_in_range(cJSON_GetArrayItem(box, 2)->valueint, 750 / 4, 750 * 3 / 4);
      assert_true(cJSON_GetArrayItem(box, 0)->valueint >= 0);
      assert_true(cJSON_GetArrayItem(box, 0)->valueint + cJSON_GetArrayItem(box, 2)->valueint <= 1000);
    }
    assert_true(fabs(infer_get(r, "score")->valuedouble - sum / infer_get(r, "faces")->valueint) < 1e-12);
  }
  assert_true(cJSON_IsNumber(infer_get(infer_get(infer_get(root, "metrics"), "video"), "auc")));
  char *first = strdup(infer_get(infer_get(root, "results")->child, "path")->valuestring);
  cJSON_Delete(root);
  assert_non_null(first);
  assert_int_equal(infer_run("--model %s --fps all --margin 0.5 %s 2>%s.txt >/dev/null", model, first, one), 2); /* not as it was trained */
  assert_true(infer_says(one, "--fps all (the model's: 2), --margin 0.5 (the model's: 0)"));
  assert_int_equal(infer_run("--model %s --fps 2 --detector haar %s >/dev/null 2>&1", model, first), 0); /* as it was trained */
  assert_int_equal(infer_run("--model %s --force --fps all --json %s %s >/dev/null 2>&1", model, one, first), 0);
  free(first);
  root = infer_json(one);
  assert_int_equal(infer_get(infer_get(root, "results")->child, "frames")->valueint, 5);
  cJSON_Delete(root);
}

/* Two people, one of whom turns away once, and a patch that shows up in one frame. */
static void draw_people(uint8_t *grey, int width, int height, int i, void *arg) {
  scene_face face[3];
  int n = 0;
  (void)arg;
  if (i != 4) face[n++] = scene_faces[0];
  face[n++] = scene_faces[1];
  if (i == 2) face[n++] = scene_faces[2];
  scene_draw(grey, width, height, face, n);
}

/* Faces by track: the dropped ones are counted, by why, and do not score. */
static void people(void **state) {
  const char *model = tmp_path("keras.safetensors"), *json = tmp_path("people.json"), *csv = tmp_path("people.csv"),
             *video = tmp_path("people.mp4");
  const clip c = {.path = video, .width = SCENE_WIDTH, .height = SCENE_HEIGHT, .frames = 8, .rate = 2, .draw = draw_people};
  um_error err;
  (void)state;
  infer_model(model, "fake", "real");
  clip_write(&c);
  for (int k = 0; k < 2; k++) {
    assert_int_equal(infer_run("--model %s --force --faces %s --max-size 0 --json %s --csv %s %s >%s.txt 2>&1", model, k ? "main" : "all",
                               json, csv, video, json),
                     0);
    cJSON *root = infer_json(json);
    const cJSON *r = infer_get(root, "results")->child, *d;
    double sum[2] = {0, 0};
    int count[2] = {0, 0};
    assert_int_equal(infer_get(r, "faces")->valueint, k ? 8 : 15);
    assert_int_equal(infer_get(infer_get(r, "dropped"), "one_frame")->valueint, 1);
    assert_int_equal(infer_get(infer_get(r, "dropped"), "not_main")->valueint, k ? 7 : 0);
    assert_int_equal(cJSON_GetArraySize(infer_get(r, "detail")), k ? 8 : 15);
    cJSON_ArrayForEach(d, infer_get(r, "detail")) {
      const cJSON *box = infer_get(d, "box");
      const int x = cJSON_GetArrayItem(box, 0)->valueint + cJSON_GetArrayItem(box, 2)->valueint / 2;
      const int who = abs(x - scene_faces[0].x) < 20 ? 0 : 1; /* the tracks as the first frame lists them, largest first */
      assert_int_equal(abs(x - scene_faces[who].x) < 20, 1);
      assert_int_equal(infer_get(d, "track")->valueint, who);
      if (k) assert_int_equal(who, 1);
      sum[who] += infer_get(d, "score")->valuedouble, count[who]++;
    }
    /* All: the person with the highest score. Main: one face a frame, and its mean. */
    const cJSON *list = infer_get(r, "people");
    assert_int_equal(cJSON_GetArraySize(list), k ? 0 : 2);
    for (int i = 0; !k && i < 2; i++) {
      const cJSON *person = cJSON_GetArrayItem(list, i);
      assert_int_equal(infer_get(person, "person")->valueint, i);
      assert_int_equal(infer_get(person, "faces")->valueint, count[i]);
      assert_true(fabs(infer_get(person, "score")->valuedouble - sum[i] / count[i]) < 1e-12);
    }
    const double expected = k ? sum[1] / count[1] : fmax(sum[0] / count[0], sum[1] / count[1]);
    assert_true(fabs(infer_get(r, "score")->valuedouble - expected) < 1e-12);
    cJSON_Delete(root);
    assert_true(infer_says(json, "1 face not counted: seen in one frame only"));
    assert_int_equal(infer_says(json, "7 faces not counted: not the main person"), k);
    um_csv *table;
    const char *const *field;
    assert_int_equal(um_csv_open(&table, csv, &err), UM_OK);
    assert_int_equal(um_csv_next(table, &field, &err), 1);
    assert_int_equal(atoi(field[um_csv_column(table, "dropped")]), k ? 8 : 1);
    um_csv_close(table);
  }
}

/* Each flag that is not as the model was trained is refused by name, and what is as it was trained is not. */
static void flags_for_faces(void **state) {
  static const struct {
    const char *flag, *says;
  } other[] = {{"--faces main", "--faces main (the model's: largest)"},
               {"--faces all", "--faces all (the model's: largest)"},
               {"--min-face 50", "--min-face 50 (the model's: 0)"},
               {"--crop square", "--crop square (the model's: recipe)"},
               {"--crop tight", "--crop tight (the model's: recipe)"},
               {"--align yes", "--align yes (the model's: no)"},
               {"--max-size 500", "--max-size 500 (the model's: 1000)"},
               {"--detector haar-strict", "--detector haar-strict (the model's: haar)"},
               {"--detector mtcnn", "--detector mtcnn (the model's: haar)"},
               {"--faces all --fps 1", "--fps 1 (the model's: 2), --faces all (the model's: largest)"}};
  static const char *const wrong[] = {"--faces both",  "--faces 1",      "--crop round",   "--align maybe",
                                      "--min-face -1", "--max-size big", "--detector lbp", "--detector auto"};
  const char *model = tmp_path("keras.safetensors"), *log = tmp_path("flags"), *folder = colour_folder();
  (void)state;
  infer_model(model, "fake", "real");
  for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
    assert_int_equal(infer_run("--model %s %s %s >/dev/null 2>%s.txt", model, other[i].flag, folder, log), 2);
    if (!infer_says(log, other[i].says)) fail_msg("%s: not \"%s\"", other[i].flag, other[i].says);
    if (strstr(other[i].flag, "mtcnn")) continue; /* its weights may not be here */
    assert_int_equal(infer_run("--model %s --force %s %s >/dev/null 2>%s.txt", model, other[i].flag, folder, log), 0);
    assert_true(infer_says(log, other[i].says));
  }
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(infer_run("--model %s --force %s %s >/dev/null 2>%s.txt", model, wrong[i], folder, log), 2);
    assert_true(infer_says(log, "expected"));
  }
  assert_int_equal(
      infer_run("--model %s --faces largest --min-face 0 --crop recipe --align no --max-size 1000 --margin 0 %s >/dev/null 2>&1", model,
                folder),
      0);
  /* Weights that are not there: the command that gets them. */
  const char *kept = getenv("UM_WEIGHTS");
  setenv("UM_WEIGHTS", tmp_path("nothing"), 1);
  assert_int_equal(infer_run("--model %s --force --detector mtcnn %s >/dev/null 2>%s.txt", model, folder, log), 1);
  assert_true(infer_says(log, "weights fetch"));
  kept ? setenv("UM_WEIGHTS", kept, 1) : unsetenv("UM_WEIGHTS");
}

static void wrong_usage_and_models(void **state) {
  const char *folder = colour_folder(), *model = tmp_path("keras.safetensors"), *odd = tmp_path("odd.safetensors"),
             *junk = tmp_path("junk.safetensors");
  const char *labels = tmp_path("labels.json");
  (void)state;
  infer_model(model, "fake", "real");
  infer_model(odd, "cats", "dogs");
  tmp_write(junk, "not a model", 11);
  assert_int_equal(infer_run("%s >/dev/null 2>&1", folder), 2);
  assert_int_equal(infer_run("--model %s >/dev/null 2>&1", model), 2);
  assert_int_equal(infer_run("--model %s --fps fast %s >/dev/null 2>&1", model, folder), 2);
  assert_int_equal(infer_run("--model %s --device abacus %s >/dev/null 2>&1", model, folder), 2);
  assert_int_equal(infer_run("--model %s --nonsense %s >/dev/null 2>&1", model, folder), 2);
  assert_int_equal(infer_run("--model %s %s >/dev/null 2>&1", tmp_path("none.safetensors"), folder), 1);
  assert_int_equal(infer_run("--model %s %s >/dev/null 2>&1", junk, folder), 1);
  assert_int_equal(infer_run("--model %s --faces-are-cut %s >/dev/null 2>&1", odd, folder), 1);
  tmp_write(labels, "{\"a.png\": {\"label\": \"MAYBE\"}}", 29);
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels %s %s >/dev/null 2>&1", model, labels, folder), 1);
  tmp_write(labels, "{\"z.png\": {\"label\": \"REAL\"}}", 28);
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels %s %s >/dev/null 2>&1", model, labels, folder), 1);
  tmp_write(labels, "{\"a.png\": {\"label\": \"REAL\"}}", 28);
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels %s %s >/dev/null 2>&1", model, labels, folder), 0);
  /* What cannot be written is said before anything is scored. */
  const char *said = tmp_path("said");
  for (int csv = 0; csv < 2; csv++) {
    assert_int_equal(
        infer_run("--model %s --faces-are-cut --%s %s/no/such/file %s >%s.txt 2>&1", model, csv ? "csv" : "json", folder, folder, said), 1);
    assert_true(infer_says(said, "/no/such/file: cannot write: ") && !infer_says(said, "a.png"));
  }
  assert_int_equal(infer_run("--model %s --faces-are-cut --labels foldrs %s >%s.txt 2>&1", model, folder, said), 1);
  assert_true(infer_says(
      said, "--labels foldrs: cannot be read (No such file or directory); expected a metadata.json, a CSV, or the word folders"));
  assert_int_equal(infer_run("--help >/dev/null"), 0);
  assert_int_equal(infer_run("--version >/dev/null"), 0);
}

/* The real clips: each gets a score or a reason. */
static void real_clips(void **state) {
  const char *model = tmp_path("keras.safetensors"), *json = tmp_path("clips.json"), *shared = getenv("UM_SHARED");
  char clips[4096];
  (void)state;
  snprintf(clips, sizeof clips, "%s/clips", shared ? shared : "../shared/data");
  if (!um_is_folder(clips)) {
    printf("skipped: scores of whole real clips, %s is not there\n", clips);
    skip();
  }
  infer_model(model, "fake", "real");
  assert_int_equal(infer_run("--model %s --force --fps 0.3 --json %s --labels folders %s >/dev/null 2>&1", model, json, clips), 0);
  cJSON *root = infer_json(json);
  const cJSON *r;
  assert_int_equal(cJSON_GetArraySize(infer_get(root, "results")), 6);
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    assert_true(infer_get(r, "frames")->valueint > 0);
    if (cJSON_IsNull(infer_get(r, "score")))
      assert_true(cJSON_IsString(infer_get(r, "reason")));
    else
      assert_in_range((int)(1e6 * infer_get(r, "score")->valuedouble), 0, 1000000);
  }
  cJSON_Delete(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_scores),
                                     cmocka_unit_test(nearly_certain),
                                     cmocka_unit_test(unreadable_inputs),
                                     cmocka_unit_test(videos),
                                     cmocka_unit_test(people),
                                     cmocka_unit_test(flags_for_faces),
                                     cmocka_unit_test(wrong_usage_and_models),
                                     cmocka_unit_test(real_clips)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
