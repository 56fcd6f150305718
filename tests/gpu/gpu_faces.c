/* MTCNN on the device against the cpu backend, with the weights of weights/manifest.json (facenet/pnet, rnet, onet).
 *
 *   gpu_faces [--device cuda[:N]] [--small] [--seed N] [networks] [stages] [frames] [FILE.ppm...]
 *
 *   networks   each network's outputs, number by number
 *   stages     windows that PNet proposes in a picture; what RNet and ONet say of boxes all over it, beyond its border too
 *   frames     the detector over the given pictures, one by one and together: the same faces
 *
 * Left out, and said, where the weights are not there. The weights are found as elsewhere: UM_MANIFEST and UM_WEIGHTS, else weights/ of
 * the repository. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faces/mtcnn.h"
#include "support/gpu.h"
#include "weights/weights.h"

static const double near_enough = 3e-5; /* of 1 and the value: sums of up to 1,152 products in other orders */

typedef struct context {
  gpu_options o;
  um_backend *be, *cpu;
  um_mtcnn_weights weights[UM_MTCNN_NETS];
  const char *file[16];
  int files;
} context;

static bool fail(const um_error *err, const char *what) { return gpu_fail(what, err); }

/* Every number within near_enough of 1 + |want|. */
static bool near(const char *what, const float *got, const float *want, int64_t n) {
  float *one_more = gpu_room(n);
  double worst = 0;
  for (int64_t i = 0; one_more && i < n; i++)
    one_more[i] = 1 + fabsf(want[i]), worst = fmax(worst, fabs((double)got[i] - want[i]) / one_more[i]);
  const bool ok = one_more && gpu_near(what, got, want, one_more, n, (gpu_bound){near_enough, 0, 1e-4}, NULL);
  if (ok) printf("    %s: %lld numbers, worst off by %.1e\n", what, (long long)n, worst);
  free(one_more);
  return ok;
}

/* ---- networks ---- */

/* Outputs of a batch; malloc'd, NULL where that failed. */
static float *outputs(context *c, um_backend *be, um_mtcnn_net net, const int size[3], const float *x, int64_t count) {
  um_model *m = NULL;
  um_error err = {0};
  float *out = gpu_room(count);
  int status = out ? um_mtcnn_model(&m, net, size[1], size[2], size[0], &c->weights[net], be, &err) : UM_ENOMEM;
  if (status == UM_OK) status = um_model_feed(m, x, size[0], &err);
  if (status == UM_OK) status = um_model_forward(m, &err);
  if (status == UM_OK) status = um_model_output(m, out, &err);
  um_model_free(m);
  if (status == UM_OK) return out;
  fail(&err, "a network");
  free(out);
  return NULL;
}

static bool network(context *c, um_mtcnn_net net, int batch, int height, int width) {
  static const char *const name[] = {"pnet", "rnet", "onet"};
  const int size[3] = {batch, height, width};
  const int64_t values = (int64_t)batch * height * width * 3;
  const int64_t count = net == UM_MTCNN_PNET ? (int64_t)batch * um_mtcnn_cells(height) * um_mtcnn_cells(width) * UM_MTCNN_PNET_OUT
                                             : (int64_t)batch * (net == UM_MTCNN_RNET ? UM_MTCNN_RNET_OUT : UM_MTCNN_ONET_OUT);
  check_dice dice = {.seed = c->o.seed, .test = 360 + (uint32_t)net, .number = (uint32_t)height};
  char what[64];
  float *x = check_floats(&dice, values, -1, 1);
  float *want = x ? outputs(c, c->cpu, net, size, x, count) : NULL, *got = want ? outputs(c, c->be, net, size, x, count) : NULL;
  snprintf(what, sizeof what, "%s, %d of %dx%d", name[net], batch, height, width);
  const bool ok = got && near(what, got, want, count);
  free(x), free(want), free(got);
  return ok;
}

static bool networks(context *c) {
  const bool small = c->o.small;
  const int crops = small ? 2 : 64;
  return network(c, UM_MTCNN_PNET, 1, small ? 31 : 431, small ? 40 : 767) &&
         network(c, UM_MTCNN_PNET, small ? 2 : 8, small ? 13 : 108, small ? 21 : 191) && network(c, UM_MTCNN_PNET, 1, 12, 12) &&
         network(c, UM_MTCNN_RNET, crops, UM_MTCNN_RNET_SIDE, UM_MTCNN_RNET_SIDE) &&
         network(c, UM_MTCNN_ONET, crops, UM_MTCNN_ONET_SIDE, UM_MTCNN_ONET_SIDE);
}

/* ---- stages ---- */

enum { NUMBERS = 9 + 2 * UM_POINTS };

static bool same_boxes(const char *what, const um_mtcnn_boxes *got, const um_mtcnn_boxes *want) {
  CHECK(got->count == want->count, "%s: %d boxes, on the cpu backend %d", what, got->count, want->count);
  float *list[2] = {gpu_room((int64_t)want->count * NUMBERS), gpu_room((int64_t)want->count * NUMBERS)};
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < want->count && list[k]; i++) {
      const um_mtcnn_box *b = k ? &want->item[i] : &got->item[i];
      const float head[9] = {b->x1, b->y1, b->x2, b->y2, b->score, b->shift[0], b->shift[1], b->shift[2], b->shift[3]};
      memcpy(list[k] + (size_t)i * NUMBERS, head, sizeof head);
      memcpy(list[k] + (size_t)i * NUMBERS + 9, b->point, sizeof b->point);
    }
  const bool ok = list[0] && list[1] && near(what, list[0], list[1], (int64_t)want->count * NUMBERS);
  free(list[0]), free(list[1]);
  return ok;
}

/* Squares of many sizes all over the picture, some of them beyond its border. */
static int scatter(um_mtcnn_boxes *b, int side, int count, uint64_t seed, um_error *err) {
  check_dice dice = {.seed = seed, .test = 365};
  for (int i = 0; i < count; i++) {
    const float size = (float)check_int(&dice, 12, side), x = (float)check_int(&dice, -side / 4, side - 8),
                y = (float)check_int(&dice, -side / 4, side - 8);
    const um_mtcnn_box box = {.x1 = x, .y1 = y, .x2 = x + size, .y2 = y + size};
    const int status = um_mtcnn_boxes_add(b, &box, 1, err);
    if (status != UM_OK) return status;
  }
  return UM_OK;
}

static bool stages(context *c) {
  const int side = c->o.small ? 48 : 640, count = c->o.small ? 5 : 150;
  uint8_t *rgb = malloc((size_t)side * (size_t)side * 3);
  float label;
  um_mtcnn_boxes proposed[2] = {{0}}, judged[2] = {{0}}, again[2] = {{0}};
  um_error err = {0};
  bool ok = rgb != NULL;
  if (rgb) gpu_pictures(rgb, &label, c->o.seed, 5, 1, side);
  const um_mtcnn_picture picture = {rgb, (int64_t)side * 3, side, side};
  for (int k = 0; k < 2 && ok; k++) {
    um_mtcnn_context *run = NULL;
    int status = um_mtcnn_context_make(&run, c->weights, k ? c->cpu : c->be, 4, &err);
    if (status == UM_OK) status = um_mtcnn_propose(run, &proposed[k], &picture, 1, 20, &err);
    if (status == UM_OK) status = scatter(&judged[k], side, count, c->o.seed, &err);
    if (status == UM_OK) status = um_mtcnn_judge(run, UM_MTCNN_RNET, &judged[k], &picture, 1, -1, &err);
    if (status == UM_OK) status = scatter(&again[k], side, count, c->o.seed + 1, &err);
    if (status == UM_OK) status = um_mtcnn_judge(run, UM_MTCNN_ONET, &again[k], &picture, 1, -1, &err);
    um_mtcnn_context_free(run);
    ok = status == UM_OK || fail(&err, k ? "on the cpu backend" : "on the device");
  }
  ok = ok && same_boxes("proposed", &proposed[0], &proposed[1]) && same_boxes("by rnet", &judged[0], &judged[1]) &&
       same_boxes("by onet", &again[0], &again[1]);
  if (ok && judged[0].count < count / 2) ok = check_fail("rnet looked at %d of %d boxes", judged[0].count, count);
  for (int k = 0; k < 2; k++) um_mtcnn_boxes_free(&proposed[k]), um_mtcnn_boxes_free(&judged[k]), um_mtcnn_boxes_free(&again[k]);
  free(rgb);
  return ok;
}

/* ---- frames ---- */

/* A binary PPM of one byte a sample. */
static uint8_t *read_frame(const char *path, int *width, int *height) {
  FILE *f = fopen(path, "rb");
  int most = 0;
  uint8_t *rgb = NULL;
  if (f && fscanf(f, "P6 %d %d %d", width, height, &most) == 3 && fgetc(f) != EOF && most == 255 && *width > 0 && *height > 0 &&
      *width <= 8192 && *height <= 8192) {
    const size_t bytes = (size_t)*width * (size_t)*height * 3;
    rgb = malloc(bytes);
    if (rgb && fread(rgb, 1, bytes, f) != bytes) free(rgb), rgb = NULL;
  }
  if (f) fclose(f);
  if (!rgb) check_fail("%s: no binary PPM of 8 bits that could be read", path);
  return rgb;
}

static bool same_faces(int number, const um_found *got, const um_found *want, int *faces) {
  double off = 0, score = 0;
  CHECK(got->count == want->count, "picture %d: %d faces, on the cpu backend %d", number, got->count, want->count);
  for (int i = 0; i < want->count; i++) {
    const um_detection *a = &got->item[i], *b = &want->item[i];
    off = fmax(off, fmax(fmax(fabs(a->x - b->x), fabs(a->y - b->y)), fmax(fabs(a->width - b->width), fabs(a->height - b->height))));
    for (int k = 0; k < UM_POINTS; k++) off = fmax(off, fmax(fabs(a->point[k][0] - b->point[k][0]), fabs(a->point[k][1] - b->point[k][1])));
    score = fmax(score, fabs(a->score - b->score));
  }
  printf("    picture %d: %d faces, off by %.1e pixels and %.1e of a score\n", number, want->count, off,
         score); /* whose it is, a record need not say */
  CHECK(off <= 0.05 && score <= 1e-4, "picture %d: faces are %.3g pixels and %.3g of a score away from the cpu backend's", number, off,
        score);
  *faces += want->count;
  return true;
}

static bool frames(context *c) {
  um_detector *detector[2] = {NULL, NULL};
  um_view_of_frame view[16];
  um_found found[2][16] = {{{0}}};
  um_error err = {0};
  int faces = 0, done[2] = {0};
  bool ok = true;
  for (int k = 0; k < 2 && ok; k++) {
    const um_detector_options o = {.name = "mtcnn", .threads = 4, .backend = k ? NULL : c->be};
    ok = um_mtcnn_detector_open(&detector[k], &o, &err) == UM_OK || fail(&err, "the detector");
  }
  for (int i = 0; i < c->files; i++) {
    view[i] = (um_view_of_frame){0};
    view[i].rgb = ok ? read_frame(c->file[i], &view[i].width, &view[i].height) : NULL;
    ok = ok && view[i].rgb;
  }
  /* On the device together, on the CPU one by one. */
  if (ok)
    ok = detector[0]->find(detector[0], found[0], view, c->files, &err) == UM_OK ? (done[0] = c->files) > 0 : fail(&err, "on the device");
  for (int i = 0; i < c->files && ok; i++, done[1] = i)
    ok = detector[1]->find(detector[1], &found[1][i], &view[i], 1, &err) == UM_OK || fail(&err, "on the cpu backend");
  for (int i = 0; i < c->files && ok; i++) ok = same_faces(i + 1, &found[0][i], &found[1][i], &faces);
  if (ok && faces == 0) ok = check_fail("no face in any of %d pictures: nothing was compared", c->files);
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < c->files; i++) free(found[k][i].item);
    if (detector[k]) detector[k]->close(detector[k]);
  }
  for (int i = 0; i < c->files; i++) free((void *)(uintptr_t)view[i].rgb);
  return ok;
}

/* ---- all of it ---- */

static int read_weights(context *c, um_error *err) {
  static const char *const name[UM_MTCNN_NETS] = {"facenet/pnet", "facenet/rnet", "facenet/onet"};
  int status = UM_OK;
  for (int i = 0; i < UM_MTCNN_NETS && status == UM_OK; i++) {
    char path[4096];
    status = um_weights_find_known(path, sizeof path, name[i], err);
    if (status == UM_OK) status = um_mtcnn_weights_read(&c->weights[i], (um_mtcnn_net)i, path, err);
  }
  return status;
}

/* Files among the words become frames. */
static void take_files(context *c) {
  int words = 0;
  for (int i = 0; i < c->o.words; i++) {
    const char *w = c->o.word[i], *dot = strrchr(w, '.');
    if (dot && strcmp(dot, ".ppm") == 0)
      c->file[c->files++] = w;
    else
      c->o.word[words++] = w;
  }
  c->o.words = words;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    bool (*check)(context *);
  } part[] = {{"networks", networks}, {"stages", stages}, {"frames", frames}};
  static const um_engine engine[] = {UM_ENGINE_NATIVE, UM_ENGINE_AUTO};
  context c = {0};
  gpu_tally tally = {0};
  um_error err = {0};
  char text[256];
  if (!gpu_parse(&c.o, "networks|stages|frames|FILE.ppm", argc, argv)) return 2;
  take_files(&c);
  const int there = read_weights(&c, &err);
  if (there != UM_OK) {
    gpu_skip(&tally, "MTCNN: %s", err.text);
    /* Not there is one thing, unreadable another. */
    if (there != UM_EIO) tally.failed++;
  }
  for (int e = 0; e < (c.o.small ? 1 : 2) && there == UM_OK; e++) { /* engine auto is slow on the emulated device */
    int status = um_cpu_open(&c.cpu, 0, &err);
    if (status == UM_OK) status = gpu_open(&c.be, &c.o, engine[e], &err);
    if (status != UM_OK) {
      fprintf(stderr, "%s: %s\n", c.o.program, err.text);
      return um_exit_status(status);
    }
    c.be->ops->describe(c.be, text, sizeof text);
    if (e == 0) printf("%s\n", text);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
      if (!gpu_wanted(&c.o, part[i].name)) continue;
      if (part[i].check == frames && c.files == 0) {
        gpu_skip(&tally, "frames: no pictures are given");
        continue;
      }
      gpu_begin("%s: engine %s", part[i].name, gpu_engine_name(engine[e]));
      gpu_end(&tally, part[i].check(&c));
    }
    c.be->ops->close(c.be);
    c.cpu->ops->close(c.cpu);
  }
  for (int i = 0; i < UM_MTCNN_NETS; i++) um_mtcnn_weights_free(&c.weights[i]);
  return there == UM_EIO ? 0 : gpu_finish(&tally);
}
