/* The model: opened, bound to a backend, run on batches of faces. */
#include "infer/infer.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"

/* The sigmoid is P(class 1); Keras sorts folders, so class 1 is usually "real". */
static int find_fake(scorer *s, const char *path, um_error *err) {
  char(*name)[64] = s->preprocess.classes;
  for (int i = 0; i < 2; i++)
    if (!strcasecmp(name[i], "fake") || !strcasecmp(name[1 - i], "real")) {
      s->fake = i;
      return UM_OK;
    }
  return um_fail(err, UM_EUNSUPPORTED,
                 "%s: its classes are \"%s\" and \"%s\": one of them must be named fake or real to say which score means fake", path,
                 name[0], name[1]);
}

int scorer_open(scorer *s, const options *o, int batch, um_error *err) {
  um_st *st = NULL;
  *s = (scorer){0};
  int rc = um_checkpoint_open(&st, &s->graph, &s->preprocess, o->model, err);
  if (!rc) rc = find_fake(s, o->model, err);
  if (!rc) rc = um_sha256_file(s->sha256, o->model, err);
  /* Our own kernels: what a score is does not depend on what was measured on some day. */
  const um_backend_options backend = {.device = o->device, .threads = o->threads, .engine = UM_ENGINE_NATIVE};
  if (!rc) rc = um_backend_open_with(&s->backend, &backend, err);
  if (!rc) rc = um_model_create(&s->model, &s->graph, s->backend, &(um_model_options){.batch = batch, .precision = o->precision}, err);
  if (!rc) rc = um_checkpoint_load(s->model, st, NULL, err);
  if (st) um_st_close(st);
  um_preprocess_warp(&s->warp, &s->preprocess);
  if (rc) scorer_close(s);
  return rc;
}

void scorer_close(scorer *s) {
  um_model_free(s->model);
  if (s->backend) s->backend->ops->close(s->backend);
  um_graph_free(&s->graph);
  *s = (scorer){0};
}

int scorer_run(scorer *s, double *score, const uint8_t *pixels, int n, um_error *err) {
  float logit[256];
  int rc = um_model_feed_pixels(s->model, pixels, NULL, n, &s->warp, err);
  if (!rc) rc = um_model_forward(s->model, err);
  if (!rc) rc = um_model_logits(s->model, logit, err);
  for (int i = 0; !rc && i < n; i++) {
    if (!isfinite(logit[i])) return um_fail(err, UM_ENUMERIC, "the model's output is not a number; its weights are damaged");
    /* Of the class that is fake, from its own side of the sigmoid: no digits are lost near 1. */
    score[i] = 1 / (1 + exp(s->fake == 1 ? -(double)logit[i] : (double)logit[i]));
  }
  return rc;
}
