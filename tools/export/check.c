/* Does a file that was written mean what the model meant? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/rng.h"
#include "data/image.h"
#include "data/sources.h"
#include "tools/export/export.h"

enum { BATCH = 4, INPUTS = 8 };

typedef struct pair {
  um_backend *be;
  um_model *model[2];
} pair;

static int open_pair(pair *p, const um_model_data *a, const um_model_data *b, um_error *err) {
  *p = (pair){0};
  int status = um_backend_open(&p->be, "cpu", 0, err);
  if (!status) status = um_model_data_bind(&p->model[0], a, p->be, BATCH, UM_PRECISION_FP32, err);
  if (!status) status = um_model_data_bind(&p->model[1], b, p->be, BATCH, UM_PRECISION_FP32, err);
  return status;
}

static void close_pair(pair *p) {
  um_model_free(p->model[0]);
  um_model_free(p->model[1]);
  if (p->be) p->be->ops->close(p->be);
}

static int same_input(const um_model_data *a, const um_model_data *b, um_error *err) {
  const um_node *x = &a->graph.node[0], *y = &b->graph.node[0];
  if (x->ndim == y->ndim && memcmp(x->dim, y->dim, sizeof x->dim) == 0) return UM_OK;
  return um_fail(err, UM_EFORMAT, "its input is %dx%dx%d, the model's %dx%dx%d", (int)y->dim[0], (int)y->dim[1], (int)y->dim[2],
                 (int)x->dim[0], (int)x->dim[1], (int)x->dim[2]);
}

/* Of n logits. */
static void take(difference *d, const float *a, const float *b, int n) {
  for (int i = 0; i < n; i++) {
    const double off = fabs((double)a[i] - b[i]);
    if (!(off <= d->logit)) d->logit = off; /* NaN too */
  }
  d->pictures += n;
}

static void compare_parameters(difference *d, const um_model_data *a, const um_model_data *b) {
  for (int i = 0; i < a->count; i++)
    for (int k = 0; k < b->count; k++) {
      if (strcmp(a->name[i], b->name[k]) != 0 || !um_tensor_same_shape(&a->tensor[i], &b->tensor[k])) continue;
      const uint32_t *x = a->tensor[i].data, *y = b->tensor[k].data;
      for (int64_t v = 0; v < um_tensor_count(&a->tensor[i]); v++) d->values += x[v] != y[v];
    }
}

int compare_models(difference *d, const um_model_data *a, const um_model_data *b, um_error *err) {
  const um_node *in = &a->graph.node[0];
  const int64_t count = in->dim[0] * in->dim[1] * in->dim[2];
  float *values = NULL, logit[2][BATCH];
  pair p = {0};
  int status = same_input(a, b, err);
  *d = (difference){0};
  if (!status) status = open_pair(&p, a, b, err);
  if (!status && !(values = malloc(sizeof *values * BATCH * (size_t)count))) status = um_fail(err, UM_ENOMEM, "no memory for its inputs");
  for (int first = 0; first < INPUTS && !status; first += BATCH) {
    for (int s = 0; s < BATCH; s++) {
      const um_rng at = {.seed = 1, .stream = UM_STREAM_TEST, .sample = (uint32_t)(first + s)};
      for (int64_t i = 0; i < count; i++) values[s * count + i] = (float)um_rng_uniform(&at, (uint32_t)i);
    }
    for (int k = 0; k < 2 && !status; k++) {
      status = um_model_feed(p.model[k], values, BATCH, err);
      if (!status) status = um_model_forward(p.model[k], err);
      if (!status) status = um_model_logits(p.model[k], logit[k], err);
    }
    if (!status) take(d, logit[0], logit[1], BATCH);
  }
  if (!status) compare_parameters(d, a, b);
  free(values);
  close_pair(&p);
  return status;
}

/* One batch of pictures through both, each with its own preprocessing. */
static int run_pictures(difference *d, pair *p, const um_model_data *const m[2], const uint8_t *const pixels[2], int n, um_error *err) {
  float logit[2][BATCH];
  int status = UM_OK;
  for (int k = 0; k < 2 && !status; k++) {
    um_warp how;
    um_preprocess_warp(&how, &m[k]->preprocess);
    status = um_model_feed_pixels(p->model[k], pixels[k], NULL, n, &how, err);
    if (!status) status = um_model_forward(p->model[k], err);
    if (!status) status = um_model_logits(p->model[k], logit[k], err);
  }
  if (!status) take(d, logit[0], logit[1], n);
  return status;
}

int compare_on_pictures(difference *d, const um_model_data *a, const um_model_data *b, const char *folder, um_error *err) {
  const um_model_data *const m[2] = {a, b};
  const int height = (int)a->graph.node[0].dim[0], width = (int)a->graph.node[0].dim[1];
  const size_t bytes = (size_t)height * (size_t)width * 3;
  uint8_t *pixels[2] = {malloc(bytes * BATCH), malloc(bytes * BATCH)};
  um_sources list = {0};
  um_image image = {0};
  pair p = {0};
  int n = 0, status = pixels[0] && pixels[1] ? same_input(a, b, err) : um_fail(err, UM_ENOMEM, "no memory for pictures");
  *d = (difference){0};
  if (!status) status = um_sources_collect(&list, &folder, 1, err);
  if (!status) status = open_pair(&p, a, b, err);
  for (int i = 0; i < list.count && !status; i++) {
    um_error why = {0};
    if (um_image_read(&image, list.item[i].path, &why)) {
      um_log(UM_LOG_WARN, "left out: %s", why.text);
      d->unreadable++;
    } else {
      for (int k = 0; k < 2 && !status; k++)
        status = um_resize(pixels[k] + bytes * (size_t)n, height, width, &image, m[k]->preprocess.interpolation, err);
      n++;
    }
    if (!status && (n == BATCH || (n > 0 && i + 1 == list.count))) {
      status = run_pictures(d, &p, m, (const uint8_t *const *)pixels, n, err);
      n = 0;
    }
  }
  if (!status && n > 0) status = run_pictures(d, &p, m, (const uint8_t *const *)pixels, n, err);
  if (!status && d->pictures == 0) status = um_fail(err, UM_EIO, "--check %s: no picture in it could be read", folder);
  um_image_free(&image);
  um_sources_free(&list);
  close_pair(&p);
  free(pixels[0]);
  free(pixels[1]);
  return status;
}
