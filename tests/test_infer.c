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
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

static const float weights[3] = {3, -5, 2.5f}, bias = .25f;

/* A model file of 32 x 32 faces at 2 frames a second. */
static void write_model(const char *path, const char *class_0, const char *class_1) {
  um_graph g = {0};
  um_backend *be;
  um_model *m;
  um_error err;
  um_preprocess p = {.target_size = {32, 32}, .rescale = 1 / 255., .faces.detector = "haar", .faces.fps = 2, .faces.max_size = 1000};
  snprintf(p.classes[0], sizeof p.classes[0], "%s", class_0);
  snprintf(p.classes[1], sizeof p.classes[1], "%s", class_1);
  int at = um_graph_add_input(&g, "input", 32, 32, 3, &err);
  at = um_graph_add_simple(&g, "mean", UM_OP_GLOBAL_AVG_POOL, &at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_dense(&g, "dense", at, 1, UM_ACT_NONE, &err);
  at = um_graph_add_simple(&g, "out", UM_OP_SIGMOID, &at, 1, UM_ACT_NONE, &err);
  assert_true(at > 0);
  assert_int_equal(um_ref_open(&be, &err), UM_OK);
  assert_int_equal(um_model_create(&m, &g, be, &(um_model_options){.batch = 1}, &err), UM_OK);
  int count;
  const um_param *param = um_model_params(m, &count);
  for (int i = 0; i < count; i++) assert_int_equal(um_model_set(m, 'w', i, strstr(param[i].name, "bias") ? &bias : weights, &err), UM_OK);
  assert_int_equal(um_checkpoint_save(path, m, &p, NULL, &err), UM_OK);
  um_model_free(m);
  be->ops->close(be);
  um_graph_free(&g);
}

/* P(class 1) of a colour. */
static double known(const uint8_t rgb[3]) {
  double z = bias;
  for (int c = 0; c < 3; c++) z += weights[c] * rgb[c] / 255;
  return 1 / (1 + exp(-z));
}

static const uint8_t colours[4][3] = {{255, 0, 0}, {10, 200, 30}, {120, 120, 120}, {0, 255, 255}};

static void write_colour(const char *path, const uint8_t rgb[3], int width, int height) {
  um_image im = {0};
  um_error err;
  assert_int_equal(um_image_alloc(&im, width, height, &err), UM_OK);
  for (int i = 0; i < width * height * 3; i++) im.pixels[i] = rgb[i % 3];
  assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
  um_image_free(&im);
}

/* Pictures of one colour: 0 and 1 in fake/, 2 and 3 in real/. */
static const char *colour_folder(void) {
  static const char *const name[4] = {"colours/fake/a.png", "colours/fake/b.png", "colours/real/c.png", "colours/real/deep/d.png"};
  for (int i = 0; i < 4; i++) write_colour(tmp_path(name[i]), colours[i], 20 + 13 * i, 50);
  return tmp_path("colours");
}

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...) {
  char command[16384], arguments[12288];
  const char *bin = getenv("UM_BIN");
  va_list args;
  va_start(args, format);
  vsnprintf(arguments, sizeof arguments, format, args);
  va_end(args);
  snprintf(command, sizeof command, "%s/infer %s", bin ? bin : "bin", arguments);
  int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static cJSON *read_json(const char *path) {
  char *text;
  size_t size;
  um_error err;
  assert_int_equal(um_file_read(&text, &size, path, 1 << 26, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  free(text);
  assert_non_null(root);
  return root;
}

static const cJSON *get(const cJSON *o, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  if (!v) fail_msg("no key %s", key);
  return v;
}

/* Single-precision sums over 1024 pixels. */
#define CLOSE 1e-5

static void known_scores(void **state) {
  const char *folder = colour_folder(), *model = tmp_path("keras.safetensors"), *other = tmp_path("other.safetensors");
  const char *json = tmp_path("keras.json"), *json_2 = tmp_path("other.json"), *csv = tmp_path("keras.csv");
  char hex[65];
  um_error err;
  (void)state;
  write_model(model, "fake", "real");
  write_model(other, "REAL", "FAKE");
  assert_int_equal(run("--model %s --faces-are-cut --json %s --csv %s --labels folders %s >/dev/null 2>&1", model, json, csv, folder), 0);
  assert_int_equal(run("--model %s --faces-are-cut --json - %s 2>/dev/null >%s", other, folder, json_2), 0);
  cJSON *a = read_json(json), *b = read_json(json_2);

  const cJSON *about = get(a, "model"), *results = get(a, "results");
  assert_string_equal(get(about, "file")->valuestring, model);
  assert_int_equal(um_sha256_file(hex, model, &err), UM_OK);
  assert_string_equal(get(about, "sha256")->valuestring, hex);
  assert_string_equal(cJSON_GetArrayItem(get(about, "classes"), 0)->valuestring, "fake");
  assert_string_equal(cJSON_GetArrayItem(get(about, "classes"), 1)->valuestring, "real");
  assert_true(cJSON_IsNull(get(b, "metrics")));

  double loss = 0;
  int right = 0;
  assert_int_equal(cJSON_GetArraySize(results), 4);
  for (int i = 0; i < 4; i++) {
    const cJSON *r = cJSON_GetArrayItem(results, i), *d = cJSON_GetArrayItem(get(r, "detail"), 0), *box = get(d, "box");
    double fake = 1 - known(colours[i]), other_fake = known(colours[i]);
    assert_true(fabs(get(r, "score")->valuedouble - fake) < CLOSE);
    assert_true(fabs(get(d, "score")->valuedouble - fake) < CLOSE);
    assert_true(fabs(get(cJSON_GetArrayItem(get(b, "results"), i), "score")->valuedouble - other_fake) < CLOSE);
    assert_string_equal(get(r, "verdict")->valuestring, fake > .5 ? "fake" : "real");
    assert_string_equal(get(r, "kind")->valuestring, "image");
    assert_true(cJSON_IsNull(get(r, "reason")) && cJSON_IsNull(get(d, "track")));
    assert_int_equal(get(r, "frames")->valueint, 1);
    assert_int_equal(get(r, "faces")->valueint, 1);
    assert_int_equal(get(d, "frame")->valueint, 0);
    assert_true(get(d, "time_s")->valuedouble == 0);
    assert_int_equal(cJSON_GetArrayItem(box, 2)->valueint, 20 + 13 * i);
    assert_int_equal(cJSON_GetArrayItem(box, 3)->valueint, 50);
    loss -= log(i < 2 ? fake : 1 - fake) / 4;
    right += (fake > .5) == (i < 2);
  }
  /* Colours 0 and 1 are fake: of the four pairs, how many are in order is counted by hand from the known scores. */
  double pairs = 0;
  for (int f = 0; f < 2; f++)
    for (int r = 2; r < 4; r++) pairs += known(colours[f]) < known(colours[r]);
  for (int k = 0; k < 2; k++) {
    const cJSON *n = get(get(a, "metrics"), k ? "video" : "frame");
    assert_true(fabs(get(n, "log_loss")->valuedouble - loss) < CLOSE);
    assert_true(get(n, "accuracy")->valuedouble == right / 4.);
    assert_true(get(n, "auc")->valuedouble == pairs / 4);
  }
  cJSON_Delete(a), cJSON_Delete(b);

  um_csv *c;
  const char *const *field;
  int rows = 0;
  assert_int_equal(um_csv_open(&c, csv, &err), UM_OK);
  int score = um_csv_column(c, "score"), label = um_csv_column(c, "label");
  assert_true(score >= 0 && label >= 0);
  for (; um_csv_next(c, &field, &err) == 1; rows++) {
    assert_true(fabs(atof(field[score]) - (1 - known(colours[rows]))) < CLOSE);
    assert_string_equal(field[label], rows < 2 ? "fake" : "real");
  }
  assert_int_equal(rows, 4);
  um_csv_close(c);
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
  write_model(model, "fake", "real");
  write_colour(good, colours[1], 64, 64);
  assert_int_equal(um_file_read(&bytes, &size, good, 1 << 20, &err), UM_OK);
  tmp_write(cut, bytes, size / 2);
  free(bytes);
  tmp_write(empty, "", 0);
  tmp_write(text, "not a picture at all", 20);
  tmp_write(tmp_path("bad/notes.txt"), "passed over without a word", 26);
  assert_int_equal(run("--model %s --json %s %s %s >/dev/null 2>%s", model, json, tmp_path("bad"), tmp_path("nowhere.mp4"), log), 3);
  cJSON *root = read_json(json);
  const cJSON *results = get(root, "results");
  assert_int_equal(cJSON_GetArraySize(results), 5);
  for (int i = 0; i < 5; i++) {
    const cJSON *r = cJSON_GetArrayItem(results, i);
    /* good.png, the fourth, holds no face: that is a result, not a failure. None has a score. */
    assert_true(cJSON_IsNull(get(r, "score")));
    assert_string_equal(get(r, "verdict")->valuestring, "none");
    assert_true(strlen(get(r, "reason")->valuestring) > 5);
    if (strstr(get(r, "path")->valuestring, "good.png")) assert_string_equal(get(r, "reason")->valuestring, "no face found in 1 frame");
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
  assert_int_equal(run("--model %s --faces-are-cut --json %s %s >/dev/null 2>&1", model, json, tmp_path("bad")), 3);
  root = read_json(json);
  assert_int_equal(cJSON_GetArraySize(get(root, "results")), 4);
  assert_true(fabs(get(cJSON_GetArrayItem(get(root, "results"), 2), "score")->valuedouble - (1 - known(colours[1]))) < CLOSE);
  cJSON_Delete(root);
}

/* True where PATH.txt holds the text. */
static bool says(const char *path, const char *text) {
  char name[4200], *data = NULL;
  size_t size;
  um_error err = {0};
  snprintf(name, sizeof name, "%s.txt", path);
  const bool found = um_file_read(&data, &size, name, 1 << 20, &err) == UM_OK && strstr(data, text);
  free(data);
  return found;
}

/* Drawn clips: each gets a score, the mean over its faces; any number of jobs gives the same bytes; --fps counts. */
static void videos(void **state) {
  const char *model = tmp_path("keras.safetensors"), *clips = tmp_path("drawn"), *one = tmp_path("one.json"),
             *three = tmp_path("three.json");
  const char *bin = getenv("UM_BIN");
  char command[12288], hex[2][65];
  um_error err;
  (void)state;
  write_model(model, "fake", "real");
  snprintf(command, sizeof command, "%s/demo_clips --out %s --train 4 --test 0 --seconds 1 --fps 5 --size 320x240 >/dev/null 2>&1",
           bin ? bin : "bin", clips);
  assert_int_equal(system(command), 0);
  assert_int_equal(run("--model %s --jobs 1 --json %s --labels %s/train/metadata.json %s >/dev/null 2>&1", model, one, clips, clips), 0);
  assert_int_equal(run("--model %s --jobs 3 --json %s --labels %s/train/metadata.json %s >/dev/null 2>&1", model, three, clips, clips), 0);
  assert_int_equal(um_sha256_file(hex[0], one, &err), UM_OK);
  assert_int_equal(um_sha256_file(hex[1], three, &err), UM_OK);
  assert_string_equal(hex[0], hex[1]);
  cJSON *root = read_json(one);
  assert_int_equal(cJSON_GetArraySize(get(root, "results")), 4);
  for (const cJSON *r = get(root, "results")->child, *d; r; r = r->next) {
    double sum = 0;
    assert_string_equal(get(r, "kind")->valuestring, "video");
    assert_int_equal(get(r, "frames")->valueint, 2);
    assert_int_equal(get(r, "faces")->valueint, cJSON_GetArraySize(get(r, "detail")));
    assert_true(get(r, "faces")->valueint >= 1);
    cJSON_ArrayForEach(d, get(r, "detail")) {
      const cJSON *box = get(d, "box");
      sum += get(d, "score")->valuedouble;
      assert_true(fabs(get(d, "time_s")->valuedouble - .5 * get(d, "frame")->valuedouble) < 1e-6);
      /* In the frame of 1000 x 750: a face of these clips is a third to two thirds of the height, and lies in the picture. */
      assert_in_range(cJSON_GetArrayItem(box, 2)->valueint, 750 / 4, 750 * 3 / 4);
      assert_true(cJSON_GetArrayItem(box, 0)->valueint >= 0);
      assert_true(cJSON_GetArrayItem(box, 0)->valueint + cJSON_GetArrayItem(box, 2)->valueint <= 1000);
    }
    assert_true(fabs(get(r, "score")->valuedouble - sum / get(r, "faces")->valueint) < 1e-12);
  }
  assert_true(cJSON_IsNumber(get(get(get(root, "metrics"), "video"), "auc")));
  char *first = strdup(get(get(root, "results")->child, "path")->valuestring);
  cJSON_Delete(root);
  assert_non_null(first);
  assert_int_equal(run("--model %s --fps all --margin 0.5 %s 2>%s.txt >/dev/null", model, first, one), 2); /* not as it was trained */
  assert_true(says(one, "--fps all (the model's: 2), --margin 0.5 (the model's: 0)"));
  assert_int_equal(run("--model %s --fps 2 --detector haar %s >/dev/null 2>&1", model, first), 0); /* as it was trained */
  assert_int_equal(run("--model %s --force --fps all --json %s %s >/dev/null 2>&1", model, one, first), 0);
  free(first);
  root = read_json(one);
  assert_int_equal(get(get(root, "results")->child, "frames")->valueint, 5);
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
  write_model(model, "fake", "real");
  clip_write(&c);
  for (int k = 0; k < 2; k++) {
    assert_int_equal(run("--model %s --force --faces %s --max-size 0 --json %s --csv %s %s >%s.txt 2>&1", model, k ? "main" : "all", json,
                         csv, video, json),
                     0);
    cJSON *root = read_json(json);
    const cJSON *r = get(root, "results")->child, *d;
    double sum = 0;
    assert_int_equal(get(r, "faces")->valueint, k ? 8 : 15);
    assert_int_equal(get(get(r, "dropped"), "one_frame")->valueint, 1);
    assert_int_equal(get(get(r, "dropped"), "not_main")->valueint, k ? 7 : 0);
    assert_int_equal(cJSON_GetArraySize(get(r, "detail")), k ? 8 : 15);
    cJSON_ArrayForEach(d, get(r, "detail")) {
      const cJSON *box = get(d, "box");
      const int x = cJSON_GetArrayItem(box, 0)->valueint + cJSON_GetArrayItem(box, 2)->valueint / 2;
      const int who = abs(x - scene_faces[0].x) < 20 ? 0 : 1; /* the tracks as the first frame lists them, largest first */
      assert_int_equal(abs(x - scene_faces[who].x) < 20, 1);
      assert_int_equal(get(d, "track")->valueint, who);
      if (k) assert_int_equal(who, 1);
      sum += get(d, "score")->valuedouble;
    }
    assert_true(fabs(get(r, "score")->valuedouble - sum / get(r, "faces")->valueint) < 1e-12);
    cJSON_Delete(root);
    assert_true(says(json, "1 face not counted: seen in one frame only"));
    assert_int_equal(says(json, "7 faces not counted: not the main person"), k);
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
  write_model(model, "fake", "real");
  for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
    assert_int_equal(run("--model %s %s %s >/dev/null 2>%s.txt", model, other[i].flag, folder, log), 2);
    if (!says(log, other[i].says)) fail_msg("%s: not \"%s\"", other[i].flag, other[i].says);
    if (strstr(other[i].flag, "mtcnn")) continue; /* its weights may not be here */
    assert_int_equal(run("--model %s --force %s %s >/dev/null 2>%s.txt", model, other[i].flag, folder, log), 0);
    assert_true(says(log, other[i].says));
  }
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(run("--model %s --force %s %s >/dev/null 2>%s.txt", model, wrong[i], folder, log), 2);
    assert_true(says(log, "expected"));
  }
  assert_int_equal(
      run("--model %s --faces largest --min-face 0 --crop recipe --align no --max-size 1000 --margin 0 %s >/dev/null 2>&1", model, folder),
      0);
  /* Weights that are not there: the command that gets them. */
  const char *kept = getenv("UM_WEIGHTS");
  setenv("UM_WEIGHTS", tmp_path("nothing"), 1);
  assert_int_equal(run("--model %s --force --detector mtcnn %s >/dev/null 2>%s.txt", model, folder, log), 1);
  assert_true(says(log, "weights fetch"));
  kept ? setenv("UM_WEIGHTS", kept, 1) : unsetenv("UM_WEIGHTS");
}

static void wrong_usage_and_models(void **state) {
  const char *folder = colour_folder(), *model = tmp_path("keras.safetensors"), *odd = tmp_path("odd.safetensors"),
             *junk = tmp_path("junk.safetensors");
  const char *labels = tmp_path("labels.json");
  (void)state;
  write_model(model, "fake", "real");
  write_model(odd, "cats", "dogs");
  tmp_write(junk, "not a model", 11);
  assert_int_equal(run("%s >/dev/null 2>&1", folder), 2);
  assert_int_equal(run("--model %s >/dev/null 2>&1", model), 2);
  assert_int_equal(run("--model %s --fps fast %s >/dev/null 2>&1", model, folder), 2);
  assert_int_equal(run("--model %s --device abacus %s >/dev/null 2>&1", model, folder), 2);
  assert_int_equal(run("--model %s --nonsense %s >/dev/null 2>&1", model, folder), 2);
  assert_int_equal(run("--model %s %s >/dev/null 2>&1", tmp_path("none.safetensors"), folder), 1);
  assert_int_equal(run("--model %s %s >/dev/null 2>&1", junk, folder), 1);
  assert_int_equal(run("--model %s --faces-are-cut %s >/dev/null 2>&1", odd, folder), 1);
  tmp_write(labels, "{\"a.png\": {\"label\": \"MAYBE\"}}", 29);
  assert_int_equal(run("--model %s --faces-are-cut --labels %s %s >/dev/null 2>&1", model, labels, folder), 1);
  tmp_write(labels, "{\"z.png\": {\"label\": \"REAL\"}}", 28);
  assert_int_equal(run("--model %s --faces-are-cut --labels %s %s >/dev/null 2>&1", model, labels, folder), 1);
  tmp_write(labels, "{\"a.png\": {\"label\": \"REAL\"}}", 28);
  assert_int_equal(run("--model %s --faces-are-cut --labels %s %s >/dev/null 2>&1", model, labels, folder), 0);
  assert_int_equal(run("--model %s --faces-are-cut --json %s/no/such/folder.json %s >/dev/null 2>&1", model, folder, folder), 1);
  assert_int_equal(run("--help >/dev/null"), 0);
  assert_int_equal(run("--version >/dev/null"), 0);
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
  write_model(model, "fake", "real");
  assert_int_equal(run("--model %s --force --fps 0.3 --json %s --labels folders %s >/dev/null 2>&1", model, json, clips), 0);
  cJSON *root = read_json(json);
  const cJSON *r;
  assert_int_equal(cJSON_GetArraySize(get(root, "results")), 6);
  cJSON_ArrayForEach(r, get(root, "results")) {
    assert_true(get(r, "frames")->valueint > 0);
    if (cJSON_IsNull(get(r, "score")))
      assert_true(cJSON_IsString(get(r, "reason")));
    else
      assert_in_range((int)(1e6 * get(r, "score")->valuedouble), 0, 1000000);
  }
  cJSON_Delete(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_scores),    cmocka_unit_test(unreadable_inputs),      cmocka_unit_test(videos),    cmocka_unit_test(people),
      cmocka_unit_test(flags_for_faces), cmocka_unit_test(wrong_usage_and_models), cmocka_unit_test(real_clips)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
