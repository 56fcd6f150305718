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

/* *asked gets the rule of the flags. */
static void take_scoring(char *text, size_t size, um_scoring *asked, const um_scoring *its, const options *o) {
  *asked = *its;
  if (o->aggregate >= 0) asked->frames = (um_frames_rule)o->aggregate;
  if (o->top_k > 0) asked->top_k = o->top_k;
  if (asked->top_k < 1) asked->top_k = UM_TOP_K;
  if (o->people >= 0) asked->together = o->people;
  if (asked->frames != its->frames) differ(text, size, "--aggregate", um_frames_rule_name(asked->frames), um_frames_rule_name(its->frames));
  if (asked->frames == its->frames && asked->frames == UM_FRAMES_TOP_K && asked->top_k != its->top_k)
    whole_number(text, size, "--top-k", asked->top_k, its->top_k);
  if (asked->together != its->together)
    differ(text, size, "--people", asked->together ? "together" : "highest", its->together ? "together" : "highest");
}

/* A model scores what it was trained on. Other settings by flag are refused, or with --force taken and said. */
static int take_flags(scorer *s, const options *o, um_error *err) {
  um_face_settings *its = &s->preprocess.faces, asked = *its;
  um_scoring rule;
  char text[1024] = "", a[32], b[32];
  if (o->fps >= 0) asked.fps = o->fps;
  if (o->margin >= 0) asked.margin = o->margin;
  if (o->detector) snprintf(asked.detector, sizeof asked.detector, "%s", o->detector);
  if (o->faces >= 0) asked.choice = (um_face_choice)o->faces;
  if (o->min_face >= 0) asked.min_face = o->min_face;
  if (o->crop >= 0) asked.crop = (um_crop_shape)o->crop;
  if (o->align >= 0) asked.align = o->align;
  if (o->max_size >= 0) asked.max_size = o->max_size;

  if (asked.fps != its->fps) differ(text, sizeof text, "--fps", number(a, asked.fps, 0), number(b, its->fps, 0));
  if (strcmp(asked.detector, its->detector)) differ(text, sizeof text, "--detector", asked.detector, its->detector);
  if (asked.choice != its->choice)
    differ(text, sizeof text, "--faces", um_face_choice_name(asked.choice), um_face_choice_name(its->choice));
  if (asked.min_face != its->min_face) whole_number(text, sizeof text, "--min-face", asked.min_face, its->min_face);
  if (asked.crop != its->crop) differ(text, sizeof text, "--crop", um_crop_shape_name(asked.crop), um_crop_shape_name(its->crop));
  if (asked.margin != its->margin) differ(text, sizeof text, "--margin", number(a, asked.margin, -1), number(b, its->margin, -1));
  if (asked.align != its->align) differ(text, sizeof text, "--align", asked.align ? "yes" : "no", its->align ? "yes" : "no");
  if (asked.max_size != its->max_size) whole_number(text, sizeof text, "--max-size", asked.max_size, its->max_size);
  take_scoring(text, sizeof text, &rule, &s->preprocess.scoring, o);
  if (o->top_k > 0 && rule.frames != UM_FRAMES_TOP_K)
    return um_fail(err, UM_ECONFIG, "--top-k %d: the rule is %s, which takes no number; --aggregate top_k does", o->top_k,
                   um_frames_rule_name(rule.frames));
  if (!*text) return UM_OK;
  if (!o->force)
    return um_fail(err, UM_ECONFIG, "%s: was trained on other settings than are asked for: %s; leave these out, or --force", o->model,
                   text);
  um_log(UM_LOG_WARN, "other settings than the model was trained on%s: %s",
         s->preprocess.calibration.method == UM_CALIBRATION_NONE ? "" : " and calibrated with", text);
  snprintf(s->forced, sizeof s->forced, "%s", text);
  *its = asked, s->preprocess.scoring = rule;
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
