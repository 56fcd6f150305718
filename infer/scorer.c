/* The model: opened, bound to a backend, run on batches of faces. */
#include "infer/infer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "weights/model_data.h"

/* The sigmoid is P(class 1); Keras sorts folders, so class 1 is usually "real". */
static int find_fake(scorer *s, const char *path, um_error *err) {
  s->fake = um_preprocess_fake(&s->preprocess);
  if (s->fake >= 0) return UM_OK;
  return um_fail(err, UM_EUNSUPPORTED,
                 "%s: its classes are \"%s\" and \"%s\": one of them must be named fake or real to say which score means fake", path,
                 s->preprocess.classes[0], s->preprocess.classes[1]);
}

/* One thing that was asked for and is not what the model was trained on; text gets " NAME ASKED (the model's: ITS)". */
static void differ(char *text, size_t size, const char *name, const char *asked, const char *its) {
  const size_t at = strlen(text);
  snprintf(text + at, size - at, "%s%s %s (the model's: %s)", at ? ", " : "", name, asked, its);
}

static const char *number(char text[32], double x, double all) {
  snprintf(text, 32, "%g", x);
  return x == all ? "all" : text;
}

static void whole_number(char *text, size_t size, const char *name, int asked, int its) {
  char a[16], b[16];
  snprintf(a, sizeof a, "%d", asked), snprintf(b, sizeof b, "%d", its);
  differ(text, size, name, a, b);
}

void settings_told(char *text, size_t size, const um_preprocess *asked, const um_preprocess *its) {
  const um_face_settings *a = &asked->faces, *b = &its->faces;
  const um_scoring *x = &asked->scoring, *y = &its->scoring;
  char p[32], q[32];
  *text = 0;
  if (a->fps != b->fps) differ(text, size, "--fps", number(p, a->fps, 0), number(q, b->fps, 0));
  if (strcmp(a->detector, b->detector)) differ(text, size, "--detector", a->detector, b->detector);
  if (a->choice != b->choice) differ(text, size, "--faces", um_face_choice_name(a->choice), um_face_choice_name(b->choice));
  if (a->min_face != b->min_face) whole_number(text, size, "--min-face", a->min_face, b->min_face);
  if (a->crop != b->crop) differ(text, size, "--crop", um_crop_shape_name(a->crop), um_crop_shape_name(b->crop));
  if (a->margin != b->margin) differ(text, size, "--margin", number(p, a->margin, -1), number(q, b->margin, -1));
  if (a->align != b->align) differ(text, size, "--align", a->align ? "yes" : "no", b->align ? "yes" : "no");
  if (a->max_size != b->max_size) whole_number(text, size, "--max-size", a->max_size, b->max_size);
  if (x->frames != y->frames) differ(text, size, "--aggregate", um_frames_rule_name(x->frames), um_frames_rule_name(y->frames));
  if (x->frames == y->frames && x->frames == UM_FRAMES_TOP_K && x->top_k != y->top_k)
    whole_number(text, size, "--top-k", x->top_k, y->top_k);
  if (x->together != y->together)
    differ(text, size, "--people", x->together ? "together" : "highest", y->together ? "together" : "highest");
}

/* A model scores what it was trained on. Other settings by flag are refused, or with --force taken and said. */
static int take_flags(scorer *s, const options *o, um_error *err) {
  um_preprocess asked = s->preprocess;
  um_face_settings *f = &asked.faces;
  um_scoring *rule = &asked.scoring;
  char text[1024];
  if (o->fps >= 0) f->fps = o->fps;
  if (o->margin >= 0) f->margin = o->margin;
  if (o->detector) snprintf(f->detector, sizeof f->detector, "%s", o->detector);
  if (o->faces >= 0) f->choice = (um_face_choice)o->faces;
  if (o->min_face >= 0) f->min_face = o->min_face;
  if (o->crop >= 0) f->crop = (um_crop_shape)o->crop;
  if (o->align >= 0) f->align = o->align;
  if (o->max_size >= 0) f->max_size = o->max_size;
  if (o->aggregate >= 0) rule->frames = (um_frames_rule)o->aggregate;
  if (o->top_k > 0) rule->top_k = o->top_k;
  if (rule->top_k < 1) rule->top_k = UM_TOP_K;
  if (o->people >= 0) rule->together = o->people;
  settings_told(text, sizeof text, &asked, &s->preprocess);
  if (o->top_k > 0 && rule->frames != UM_FRAMES_TOP_K)
    return um_fail(err, UM_ECONFIG, "--top-k %d: the rule is %s, which takes no number; --aggregate top_k does", o->top_k,
                   um_frames_rule_name(rule->frames));
  if (!*text) return UM_OK;
  if (!o->force)
    return um_fail(err, UM_ECONFIG, "%s: was trained on other settings than are asked for: %s; leave these out, or --force", o->model,
                   text);
  um_log(UM_LOG_WARN, "other settings than the model was trained on%s: %s",
         s->preprocess.calibration.method == UM_CALIBRATION_NONE ? "" : " and calibrated with", text);
  snprintf(s->forced, sizeof s->forced, "%s", text);
  s->preprocess = asked;
  return UM_OK;
}

/* A file of another tool need not say what scoring must know. */
static int check_said(const um_model_data *d, const char *path, um_error *err) {
  if ((d->said & UM_SAYS_CLASSES) && (d->said & UM_SAYS_PREPROCESS)) return UM_OK;
  return um_fail(
      err, UM_EFORMAT,
      "%s: says nothing of its %s: export --model %s --to safetensors --out model.safetensors, with --classes and --rescale, makes a "
      "file that does",
      path, d->said & UM_SAYS_CLASSES ? "preprocessing" : "classes", path);
}

/* A model of its own: one for scores keeps less, and its numbers do not change because pictures are asked for. A page does without heat
 * maps where the model has no convolution. */
static int open_maps(scorer *s, const um_model_data *d, const options *o, um_error *err) {
  const int layer = um_gradcam_layer(&d->graph, NULL, err);
  if (layer == UM_ECONFIG && !o->explain) return UM_OK;
  if (layer < 0) return layer;
  const um_model_options m = {.batch = 4, .precision = o->precision, .gradient_at = d->graph.node[layer].name};
  int rc = um_model_data_bind_with(&s->map_model, d, s->backend, &m, err);
  return rc ? rc : um_gradcam_open(&s->cam, s->map_model, err);
}

/* Which model this is: the hash of the bytes that were read, and of what they mean. */
static int identify(scorer *s, const char *path, const stamp *before, um_error *err) {
  um_st *st = NULL;
  um_error other_format;
  s->bytes = before->bytes;
  if (um_st_open(&st, path, &other_format) == UM_OK && um_checkpoint_verify(st, s->fingerprint, path, &other_format)) *s->fingerprint = 0;
  um_st_close(st);
  return hash_file(s->sha256, path, before, err);
}

int scorer_open(scorer *s, const options *o, int batch, um_error *err) {
  um_model_data d = {0};
  *s = (scorer){0};
  const stamp before = stamp_of(o->model);
  int rc = um_model_data_read(&d, o->model, NULL, NULL, err);
  if (!rc) rc = check_said(&d, o->model, err);
  if (!rc) s->preprocess = d.preprocess;
  if (!rc) rc = find_fake(s, o->model, err);
  if (!rc) rc = take_flags(s, o, err);
  if (!rc) rc = identify(s, o->model, &before, err);
  /* Our own kernels: what a score is does not depend on what was measured on some day. */
  const um_backend_options backend = {.device = o->device, .threads = o->threads, .engine = UM_ENGINE_NATIVE};
  if (!rc) rc = um_backend_open_with(&s->backend, &backend, err);
  if (!rc) rc = um_model_data_bind(&s->model, &d, s->backend, batch, o->precision, err);
  if (!rc && wants_pictures(o)) rc = open_maps(s, &d, o, err);
  um_model_data_free(&d);
  um_preprocess_warp(&s->warp, &s->preprocess);
  if (rc) scorer_close(s);
  return rc;
}

void scorer_close(scorer *s) {
  um_gradcam_close(&s->cam);
  um_model_free(s->map_model);
  um_model_free(s->model);
  if (s->backend) s->backend->ops->close(s->backend);
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
