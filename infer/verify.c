/* infer --verify: does what a result says once more, and says whether it still holds. */
#include "infer/verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "core/log.h"

/* ---- settings ---- */

static char *text_of(const um_preprocess *p) {
  cJSON *o = cJSON_CreateObject();
  char *text = o && um_preprocess_put(o, p) ? um_json_print(o, false) : NULL;
  cJSON_Delete(o);
  return text;
}

/* Scores by the settings of the record: the model's own, but for those that --force took then and the record names. */
static int settle(scorer *s, const record *r, const char *file, bool other_model, bool force, um_error *err) {
  um_preprocess asked = s->preprocess;
  asked.faces = r->preprocess.faces, asked.scoring = r->preprocess.scoring;
  asked.faces.size = s->preprocess.faces.size, asked.faces.resize = s->preprocess.faces.resize;
  settings_told(s->forced, sizeof s->forced, &asked, &s->preprocess);
  char *ours = text_of(&asked), *recorded = text_of(&r->preprocess);
  int rc = ours && recorded ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for its settings", file);
  if (!rc && !other_model && !force && strcmp(s->forced, r->forced))
    rc = um_fail(err, UM_EFORMAT, "%s: settings: it has %s, but says that %s was asked for: changed by hand? --force goes on", file,
                 *s->forced ? s->forced : "the model's own", *r->forced ? r->forced : "nothing else");
  else if (!rc && !other_model && strcmp(ours, recorded))
    rc = um_fail(err, UM_EFORMAT, "%s: settings: not those of its model: changed by hand", file);
  s->preprocess = asked;
  free(ours), free(recorded);
  return rc;
}

static int open_model(scorer *s, options *m, const record *r, const char *file, um_error *err) {
  const char *const path = m->model;
  if (!stamp_of(path).file)
    return um_fail(err, UM_EIO, "%s: the model is not there; --model FILE says where it is now (SHA-256 %s)", path, r->model_sha256);
  int rc = scorer_open(s, m, r->batch, err);
  if (rc) return rc;
  const bool other = strcmp(s->sha256, r->model_sha256) != 0;
  if (other && !m->force)
    rc = um_fail(err, UM_EFORMAT,
                 "%s: not the file that %s was made with%s: its SHA-256 is %s, then it was %s; --model FILE names the right one, --force "
                 "takes this one",
                 path, file, *r->fingerprint && !strcmp(r->fingerprint, s->fingerprint) ? " (the network in it is the same)" : "",
                 s->sha256, r->model_sha256);
  if (!rc) rc = settle(s, r, file, other, m->force, err);
  if (rc) scorer_close(s);
  return rc;
}

/* ---- scores ---- */

static bool copy(char **to, const char *from) { return !from || (*to = strdup(from)); }

/* By their old paths, which say what is drawn for them and how they are called, with their labels. */
static int gather(inputs *in, checks *c, const record *r, um_error *err) {
  if (!(in->at = calloc((size_t)c->count + 1, sizeof *in->at))) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", c->count);
  for (int i = 0; i < c->count; i++) {
    checked *x = &c->at[i];
    const input *then = x->then;
    if (x->outcome != SAME || !x->path) continue;
    input *new = &in->at[in->count];
    *new = (input){.label = then->label, .score = NAN, .raw = NAN, .person = -1};
    x->now = in->count++;
    if (!copy(&new->path, then->path) || !copy(&new->lies, strcmp(x->path, then->path) ? x->path : NULL) ||
        !copy(&new->group, then->group) || !copy(&new->video, then->video) || !copy(&new->by, then->by))
      return um_fail(err, UM_ENOMEM, "%s: no memory", x->path);
    /* Of a face that was cut before, who it is of came from a manifest. */
    if (r->faces_are_cut && then->faces == 1) new->person = then->person;
  }
  return UM_OK;
}

static bool same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static bool same_face(const detail *then, const detail *now) {
  return then->frame == now->frame && then->time_s == now->time_s && (isnan(then->shown_s) || then->shown_s == now->shown_s) &&
         !memcmp(then->box, now->box, sizeof then->box) && then->track == now->track && then->score == now->score && then->raw == now->raw;
}

static void compare_one(checked *x, const input *now, bool explained) {
  const input *then = x->then;
  if (strcmp(now->sha256, then->sha256)) { /* between the look and the scoring */
    x->outcome = CHANGED;
    memcpy(x->sha256, now->sha256, sizeof x->sha256);
    return;
  }
  const int common = then->faces < now->faces ? then->faces : now->faces;
  x->faces = then->faces + now->faces - 2 * common;
  for (int i = 0; i < common; i++) x->faces += !same_face(&then->detail[i], &now->detail[i]);
  x->difference = fabs(now->score - then->score);
  const bool verdict = then->verdict == now->verdict && then->skipped == now->skipped;
  if (verdict && !x->faces && then->frames == now->frames && same_number(then->score, now->score) && same_number(then->raw, now->raw))
    x->outcome = SAME;
  else
    x->outcome = verdict && explained && !(x->difference > EXPLAINED) ? CLOSE : DIFFERS;
}

typedef struct watch {
  int done, count;
} watch;

static void progress(void *arg, input *in) {
  watch *w = arg;
  (void)in;
  um_log_progress(false, "infer: %d of %d", ++w->done, w->count);
}

static void announce(const verification *v) {
  const int rungs = ladder_count(ladder_wanted(&v->record, &v->o));
  if (!v->o.quiet && rungs && v->now.count)
    um_log(UM_LOG_INFO,
           "%d input%s to be scored again, then %d rungs of the ladder, each as much work once more; --ladder=KINDS takes "
           "some of them, --ladder=none none",
           v->now.count, v->now.count == 1 ? "" : "s", rungs);
}

/* ---- what differs ---- */

static int list_differences(verification *v, um_error *err) {
  const record *r = &v->record;
  const evidence *e = &v->evidence;
  differences *d = &v->differences;
  char then[16], now[16];
  cJSON *o = evidence_json(e);
  if (!o) return um_fail(err, UM_ENOMEM, "no memory for what differs");
  difference_add(d, "model", r->model_sha256, v->scorer.sha256);
  difference_add(d, "settings", r->forced, v->scorer.forced);
  differences_add(d, "", r->evidence, o);
  snprintf(then, sizeof then, "%d", r->threads), snprintf(now, sizeof now, "%d", e->threads);
  difference_add(d, "threads", then, now);
  v->explaining = d->count; /* which inputs are read at a time changes no bit */
  snprintf(then, sizeof then, "%d", r->jobs), snprintf(now, sizeof now, "%d", e->jobs);
  difference_add(d, "jobs", then, now);
  cJSON_Delete(o);
  return UM_OK;
}

/* The device that the result was made on, where nobody asks for another one. */
static const char *device_of(const options *o, const record *r) {
  if (strcmp(o->device, "auto")) return o->device;
  return strcmp(r->backend, "cuda") ? r->backend : "auto";
}

static int check_all(verification *v, const volatile bool *stop, um_error *err) {
  const double start = um_seconds();
  checks *c = &v->checks;
  if (!v->o.jobs) v->o.jobs = v->scorer.backend->threads > 0 ? v->scorer.backend->threads : 1;
  int rc = evidence_take(&v->evidence, &v->scorer, &v->o, v->record.batch, err);
  if (!rc) rc = list_differences(v, err);
  if (!rc && c->asked_for) rc = labels_again(&v->labels, &v->record, c, err);
  if (!rc) rc = gather(&v->now, c, &v->record, err);
  if (!rc) announce(v);
  watch w = {.count = v->now.count};
  const double since = um_seconds();
  if (!rc && v->now.count) rc = pipeline_run(&v->now, &v->scorer, &v->o, NULL, v->record.batch, progress, &w, stop, err);
  for (int i = 0; !rc && i < c->count; i++)
    if (c->at[i].now >= 0) compare_one(&c->at[i], &v->now.at[c->at[i].now], v->explaining > 0);
  const double seconds = um_seconds() - since;
  if (!rc) rc = summary_again(v, err);
  if (!rc && c->asked_for) rc = metrics_again(v, err);
  if (!rc && c->asked_for) rc = ladder_again(v, seconds, stop, err);
  v->evidence.seconds = um_seconds() - start;
  return rc;
}

int verify(const options *o, const char *const *path, int count, const volatile bool *stop, bool *it_holds, um_error *err) {
  verification *v = calloc(1, sizeof *v);
  bool open = false;
  *it_holds = false;
  if (!v) return um_fail(err, UM_ENOMEM, "no memory");
  v->o = *o;
  int rc = record_read(&v->record, o->verify, err);
  if (!rc && v->record.comparison) {
    rc = compare_again(&v->record, o, path, count, it_holds, err);
    goto done;
  }
  if (!rc) rc = ladder_check(ladder_wanted(&v->record, o), err);
  if (!rc) rc = checks_find(&v->checks, &v->record, o->root, path, count, err);
  if (rc) goto done;
  if (!o->model) v->o.model = v->record.model_path;
  v->o.device = device_of(o, &v->record), v->o.precision = v->record.precision, v->o.faces_are_cut = v->record.faces_are_cut;
  rc = open_model(&v->scorer, &v->o, &v->record, o->verify, err), open = !rc;
  if (!rc) rc = check_all(v, stop, err);
  if (!o->quiet) um_log_progress(false, "%s", ""); /* the line is the table's */
  if (!rc && !o->quiet && !(o->json && !strcmp(o->json, "-"))) report_print(v);
  if (!rc && o->json) rc = report_write(o->json, v, err);
  if (!rc) *it_holds = holds(v);
done:
  if (open) scorer_close(&v->scorer);
  inputs_free(&v->now);
  checks_free(&v->checks);
  record_free(&v->record);
  free(v);
  return rc;
}
