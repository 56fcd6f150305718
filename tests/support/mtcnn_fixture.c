#include "tests/support/mtcnn_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/safetensors.h"
#include "tests/support/picture.h"
#include "tests/support/tmp.h"

#define GOLDEN "tests/golden/mtcnn.txt"

/* Not cmocka's fail_msg: this file is linked into programs without it, too. */
#define MUST(condition, ...)                                                                                                               \
  do {                                                                                                                                     \
    if (!(condition)) {                                                                                                                    \
      fprintf(stderr, __VA_ARGS__);                                                                                                        \
      fputc('\n', stderr);                                                                                                                 \
      exit(1);                                                                                                                             \
    }                                                                                                                                      \
  } while (0)
#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error err = {0};                                                                                                                    \
    MUST((call) == UM_OK, "%s", err.text);                                                                                                 \
  } while (0)

/* ---- weights ---- */

typedef struct shape {
  const char *name;
  int dim[4]; /* of torch: O I H W, O I, or the number of channels */
} shape;

static const shape pnet[] = {{"conv1.weight", {10, 3, 3, 3}},
                             {"conv1.bias", {10}},
                             {"prelu1.weight", {10}},
                             {"conv2.weight", {16, 10, 3, 3}},
                             {"conv2.bias", {16}},
                             {"prelu2.weight", {16}},
                             {"conv3.weight", {32, 16, 3, 3}},
                             {"conv3.bias", {32}},
                             {"prelu3.weight", {32}},
                             {"conv4_1.weight", {2, 32, 1, 1}},
                             {"conv4_1.bias", {2}},
                             {"conv4_2.weight", {4, 32, 1, 1}},
                             {"conv4_2.bias", {4}}};
static const shape rnet[] = {{"conv1.weight", {28, 3, 3, 3}},
                             {"conv1.bias", {28}},
                             {"prelu1.weight", {28}},
                             {"conv2.weight", {48, 28, 3, 3}},
                             {"conv2.bias", {48}},
                             {"prelu2.weight", {48}},
                             {"conv3.weight", {64, 48, 2, 2}},
                             {"conv3.bias", {64}},
                             {"prelu3.weight", {64}},
                             {"dense4.weight", {128, 576}},
                             {"dense4.bias", {128}},
                             {"prelu4.weight", {128}},
                             {"dense5_1.weight", {2, 128}},
                             {"dense5_1.bias", {2}},
                             {"dense5_2.weight", {4, 128}},
                             {"dense5_2.bias", {4}}};
static const shape onet[] = {{"conv1.weight", {32, 3, 3, 3}},
                             {"conv1.bias", {32}},
                             {"prelu1.weight", {32}},
                             {"conv2.weight", {64, 32, 3, 3}},
                             {"conv2.bias", {64}},
                             {"prelu2.weight", {64}},
                             {"conv3.weight", {64, 64, 3, 3}},
                             {"conv3.bias", {64}},
                             {"prelu3.weight", {64}},
                             {"conv4.weight", {128, 64, 2, 2}},
                             {"conv4.bias", {128}},
                             {"prelu4.weight", {128}},
                             {"dense5.weight", {256, 1152}},
                             {"dense5.bias", {256}},
                             {"prelu5.weight", {256}},
                             {"dense6_1.weight", {2, 256}},
                             {"dense6_1.bias", {2}},
                             {"dense6_2.weight", {4, 256}},
                             {"dense6_2.bias", {4}},
                             {"dense6_3.weight", {10, 256}},
                             {"dense6_3.bias", {10}}};
static const struct {
  const char *file;
  const shape *shape;
  int count;
  float face_bias;
} nets[UM_MTCNN_NETS] = {{"pnet", pnet, sizeof pnet / sizeof *pnet, -1.5F},
                         {"rnet", rnet, sizeof rnet / sizeof *rnet, 6.5F},
                         {"onet", onet, sizeof onet / sizeof *onet, 5.0F}};

/* noise() of tests/golden/mtcnn.py. */
static float noise(uint32_t i, int seed) {
  uint32_t h = (i + (uint32_t)seed * 1000003u) * 2654435761u;
  h = (h ^ h >> 16) * 2246822519u;
  h = (h ^ h >> 13) * 3266489917u;
  h ^= h >> 16;
  return (float)((double)(h >> 8) / (1 << 23) - 1);
}

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* fill() of tests/golden/mtcnn.py. */
static um_st_entry tensor_of(const shape *s, int seed, float face_bias) {
  int64_t dim[4], count = 1, fan = 1;
  int ndim = 0;
  while (ndim < 4 && s->dim[ndim]) dim[ndim] = s->dim[ndim], count *= dim[ndim], ndim++;
  for (int d = 1; d < ndim; d++) fan *= dim[d];
  um_st_entry e = {.name = s->name, .tensor = um_tensor_plain(UM_F32, ndim, dim)};
  float *v = e.tensor.data = malloc((size_t)count * sizeof *v), scale = ndim > 1 ? (float)sqrt(6.0 / (double)fan) : 0.25F;
  MUST(v, "no memory");
  if (begins(s->name, "conv4_2.") || begins(s->name, "dense5_2.") || begins(s->name, "dense6_2.")) scale *= 0.0625F;
  for (int64_t i = 0; i < count; i++) v[i] = noise((uint32_t)i, seed) * scale;
  if (!strcmp(s->name, "conv4_1.bias") || !strcmp(s->name, "dense5_1.bias") || !strcmp(s->name, "dense6_1.bias")) v[1] += face_bias;
  return e;
}

um_mtcnn_weights mtcnn_weights[UM_MTCNN_NETS];

int mtcnn_setup(void **state) {
  char manifest[4096] = "{\"weights\": [", path[4200], sum[65];
  int seed = 0;
  (void)state;
  for (int n = 0; n < UM_MTCNN_NETS; n++) {
    um_st_entry entry[32];
    struct stat st;
    for (int i = 0; i < nets[n].count; i++) entry[i] = tensor_of(&nets[n].shape[i], ++seed, nets[n].face_bias);
    snprintf(path, sizeof path, "%s", tmp_path("mtcnn/nets"));
    OK(um_mkdirs(path, &err));
    snprintf(path, sizeof path, "%s", tmp_path("mtcnn/nets/"));
    strcat(path, nets[n].file);
    OK(um_st_write(path, entry, nets[n].count, NULL, &err));
    for (int i = 0; i < nets[n].count; i++) free(entry[i].tensor.data);
    OK(um_mtcnn_weights_read(&mtcnn_weights[n], (um_mtcnn_net)n, path, &err));
    OK(um_sha256_file(sum, path, &err));
    MUST(stat(path, &st) == 0, "%s: not there", path);
    snprintf(manifest + strlen(manifest), sizeof manifest - strlen(manifest),
             "%s{\"name\": \"facenet/%s\", \"file\": \"%s\", \"url\": \"none\", \"size\": %lld, \"sha256\": \"%s\", \"licence\": \"none\"}",
             n ? ", " : "", nets[n].file, nets[n].file, (long long)st.st_size, sum);
  }
  strcat(manifest, "]}");
  tmp_write(tmp_path("mtcnn/manifest.json"), manifest, strlen(manifest));
  setenv("UM_MANIFEST", tmp_path("mtcnn/manifest.json"), 1);
  setenv("UM_WEIGHTS", tmp_path("mtcnn/nets"), 1);
  return 0;
}

int mtcnn_teardown(void **state) {
  (void)state;
  for (int n = 0; n < UM_MTCNN_NETS; n++) um_mtcnn_weights_free(&mtcnn_weights[n]);
  return 0;
}

/* ---- golden numbers ---- */

double *mtcnn_golden(const char *path, const char *name, int *count) {
  char word[128];
  FILE *f = fopen(path, "r");
  MUST(f, "%s: cannot be read; tests run from the repository root", path);
  while (fscanf(f, "%127s %d", word, count) == 2) {
    MUST(*count >= 0 && *count < 1 << 20, "%s: %s: %d numbers", path, word, *count);
    double *v = malloc(((size_t)*count + 1) * sizeof *v);
    MUST(v, "no memory");
    for (int i = 0; i < *count; i++) MUST(fscanf(f, "%lf", &v[i]) == 1, "%s: ends early", path);
    if (strcmp(word, name) == 0) {
      fclose(f);
      return v;
    }
    free(v);
  }
  MUST(false, "%s: no %s in it", path, name);
  return NULL;
}

void mtcnn_near(const char *what, const float *got, const double *want, int count, double tolerance) {
  for (int i = 0; i < count; i++)
    MUST(fabs((double)got[i] - want[i]) <= tolerance, "%s: number %d is %.7g, expected %.7g", what, i, (double)got[i], want[i]);
}

double mtcnn_same_faces(const char *what, const um_found *found, const double *want, int count, double *score) {
  enum { NUMBERS = 15 };
  double worst = 0;
  MUST(found->count == count / NUMBERS, "%s: %d faces, expected %d", what, found->count, count / NUMBERS);
  for (int i = 0; i < found->count; i++) {
    const um_detection *d = &found->item[i];
    const double *w = want + (ptrdiff_t)i * NUMBERS, box[4] = {d->x, d->y, d->x + d->width, d->y + d->height};
    MUST(d->has_points, "%s: no points", what);
    for (int k = 0; k < 4; k++) worst = fmax(worst, fabs(box[k] - w[k]));
    for (int k = 0; k < UM_POINTS; k++)
      for (int e = 0; e < 2; e++) worst = fmax(worst, fabs(d->point[k][e] - w[5 + 2 * k + e]));
    *score = fmax(*score, fabs(d->score - w[4]));
  }
  return worst;
}

/* ---- checks ---- */

/* Pictures from the formula, as the networks see them: the first as it is, the second its negative. */
static float *inputs(int height, int width, int count) {
  const int n = height * width * 3;
  uint8_t *rgb = malloc((size_t)n);
  float *v = malloc((size_t)(n * count) * sizeof *v);
  MUST(rgb && v, "no memory");
  test_picture(rgb, height, width);
  for (int i = 0; i < n * count; i++) v[i] = ((float)(i < n ? rgb[i] : 255 - rgb[i - n]) - 127.5F) * 0.0078125F;
  free(rgb);
  return v;
}

void mtcnn_check_networks(um_backend *be) {
  static const struct {
    const char *name;
    int height, width, count;
  } cases[UM_MTCNN_NETS] = {{"pnet_31x40", 31, 40, 1}, {"rnet", 24, 24, 2}, {"onet", 48, 48, 2}};
  for (int n = 0; n < UM_MTCNN_NETS; n++) {
    um_model *m = NULL;
    int numbers;
    double *want = mtcnn_golden(GOLDEN, cases[n].name, &numbers);
    float *x = inputs(cases[n].height, cases[n].width, cases[n].count), *got = malloc((size_t)numbers * sizeof *got);
    MUST(got, "no memory");
    OK(um_mtcnn_model(&m, (um_mtcnn_net)n, cases[n].height, cases[n].width, cases[n].count, &mtcnn_weights[n], be, &err));
    OK(um_model_feed(m, x, cases[n].count, &err));
    OK(um_model_forward(m, &err));
    OK(um_model_output(m, got, &err));
    mtcnn_near(cases[n].name, got, want, numbers, 2e-5); /* sums of up to 1,152 products, of values of a few units */
    um_model_free(m);
    free(x);
    free(got);
    free(want);
  }
}

void mtcnn_check_search(um_backend *be, bool small) {
  static const struct {
    const char *name;
    int height, width;
  } cases[] = {{"found_81x66", 81, 66}, {"found_300x220", 300, 220}};
  const um_detector_options o = {.name = "mtcnn", .threads = 2, .backend = be};
  um_detector *d = NULL;
  OK(um_detector_open(&d, &o, &err));
  for (int k = 0; k < (small ? 1 : 2); k++) {
    const int h = cases[k].height, w = cases[k].width;
    uint8_t *rgb = malloc((size_t)(h * w) * 3), *other = malloc((size_t)(h * w) * 3);
    um_view_of_frame view[3] = {
        {.width = w, .height = h, .rgb = rgb}, {.width = w, .height = h, .rgb = other}, {.width = w, .height = h, .rgb = rgb}};
    um_found found[3], alone;
    int numbers;
    double score = 0, *want = mtcnn_golden(GOLDEN, cases[k].name, &numbers);
    MUST(rgb && other, "no memory");
    test_picture(rgb, h, w);
    for (int i = 0; i < h * w * 3; i++) other[i] = (uint8_t)(rgb[i] / 2 + 40);
    OK(d->find(d, found, view, 3, &err));
    OK(d->find(d, &alone, view + 1, 1, &err));
    for (int i = 0; i < 3; i += 2) {
      const double distance = mtcnn_same_faces(cases[k].name, &found[i], want, numbers, &score);
      MUST(distance < 0.01 && score < 1e-4, "%s: %g pixels and %g of a score away", cases[k].name, distance, score);
    }
    MUST(alone.count == found[1].count, "%s: a picture alone has %d faces, among others %d", cases[k].name, alone.count, found[1].count);
    for (int i = 0; i < alone.count; i++) /* batches of other sizes: other roundings */
      MUST(fabs(alone.item[i].x - found[1].item[i].x) < 0.01 && fabs(alone.item[i].score - found[1].item[i].score) < 1e-4,
           "%s: a picture alone and among others: not the same faces", cases[k].name);
    for (int i = 0; i < 3; i++) free(found[i].item);
    free(alone.item);
    free(want);
    free(rgb);
    free(other);
  }
  um_detector_close(d);
}
