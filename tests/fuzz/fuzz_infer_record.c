/* What infer --verify reads: a result with its settings, hashes and versions, and what is said of the differences; labels read again,
 * metrics made again from the recorded scores, and a ladder on which every input scores the same. */
#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "infer/evaluate.c"
#include "infer/facts.c"
#include "infer/hash.c"
#include "infer/inputs.c"
#include "infer/ladder.c"
#include "infer/ladder_tables.c"
#include "infer/output.c"
#include "infer/record.c"
#include "infer/verify_diff.c"
#include "infer/verify_labels.c"
#include "infer/verify_ladder.c"
#include "infer/verify_numbers.c"
#include "infer/verify_parts.c"

/* Instead of a model: each input has one face. */
int pipeline_run(inputs *in, scorer *s, const options *o, const um_distortion *how, int batch, finished_fn finished, void *arg,
                 const volatile bool *stop, um_error *err) {
  (void)o, (void)batch, (void)stop, (void)err;
  for (int i = 0; i < in->count; i++) {
    input *one = &in->at[i];
    if (one->done) continue;
    one->detail = calloc(1, sizeof *one->detail), one->faces = one->detail != NULL;
    FUZZ_CHECK(one->detail);
    one->raw = one->detail->raw = .25, one->score = one->detail->score = um_calibrated(&s->preprocess.calibration, .25);
    one->verdict = um_verdict_of(&s->preprocess.calibration, one->score), one->done = true;
    FUZZ_CHECK(how);
    finished(arg, one);
  }
  return UM_OK;
}

/* Of a summary what needs no more of infer. */
bool result_rest_put(cJSON *r, const input *in, const um_calibration *c) {
  cJSON *list = cJSON_AddArrayToObject(r, "people"), *one = cJSON_CreateObject();
  FUZZ_CHECK(list && one && cJSON_AddItemToArray(list, one));
  return um_json_put_number(r, "faces", in->faces) && um_json_put_number(one, "score", um_calibrated(c, .5));
}

int count_of(const checks *c, outcome which) {
  int n = 0;
  for (int i = 0; i < c->count; i++) n += c->at[i].outcome == which;
  return n;
}

static const char here[] =
    "{\"program\":{\"version\":\"1\",\"sha256\":null},\"libraries\":{\"oneDNN\":\"2.6.3\",\"libpng\":\"1.6\"},"
    "\"device\":{\"backend\":\"cpu\",\"gpu\":null},\"detector_files\":[{\"file\":\"a\",\"sha256\":\"b\",\"bytes\":7}]}";

static void check_input(const input *in) {
  FUZZ_CHECK(in->path && strlen(in->path) < 4096 && strlen(in->sha256) % 64 == 0 && in->bytes >= 0 && in->frames >= 0);
  FUZZ_CHECK(isnan(in->score) == (in->faces == 0) && isnan(in->raw) == isnan(in->score) && !(in->skipped && in->faces));
  FUZZ_CHECK(isnan(in->score) || (in->score >= 0 && in->score <= 1 && in->raw >= 0 && in->raw <= 1));
  FUZZ_CHECK((in->verdict == UM_VERDICT_NONE) == isnan(in->score) && in->verdict <= UM_VERDICT_FAKE);
  for (int i = 0; i < in->faces; i++) {
    const detail *d = &in->detail[i];
    FUZZ_CHECK(d->score >= 0 && d->score <= 1 && d->raw >= 0 && d->raw <= 1 && isfinite(d->time_s) && !isinf(d->shown_s) &&
               d->track >= -1 && d->frame >= 0);
  }
}

static void check_text(const char *text) {
  FUZZ_CHECK(*text);
  for (; *text; text++) FUZZ_CHECK((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_differences(const differences *d) {
  FUZZ_CHECK(d->count <= DIFFERENCES && (d->more == 0 || d->count == DIFFERENCES));
  for (int i = 0; i < d->count; i++) check_text(d->at[i].what), check_text(d->at[i].then), check_text(d->at[i].now);
}

static void check_part(const part *p, bool there) {
  FUZZ_CHECK(p->recorded || !there);
  FUZZ_CHECK(p->outcome == SAME || p->outcome == DIFFERS || p->outcome == UNCHECKED);
  FUZZ_CHECK((p->outcome == DIFFERS) == (p->differences.count > 0) && strlen(p->note) < sizeof p->note);
  check_differences(&p->differences);
}

/* What follows from the scores, were they the recorded ones when they were made again. */
static void again(record *r) {
  verification *v = calloc(1, sizeof *v);
  const volatile bool stop = false;
  um_error err = {0};
  int rc;
  FUZZ_CHECK(v);
  v->o = (options){.quiet = true};
  if (r->resamples > 20) r->resamples = 20;
  v->checks = (checks){.at = calloc((size_t)r->in.count, sizeof *v->checks.at), .count = r->in.count, .labels = r->in.labels.file};
  FUZZ_CHECK(v->checks.at);
  FUZZ_CHECK(labels_again(&v->labels, r, &v->checks, &err) == UM_OK);
  check_part(&v->labels, false);
  v->record = *r, v->scorer.preprocess = r->preprocess;
  v->now = r->in;
  for (int i = 0; i < r->in.count; i++) v->checks.at[i] = (checked){.then = &r->in.at[i], .outcome = SAME, .now = i};
  FUZZ_CHECK(summary_again(v, &err) == UM_OK);
  check_part(&v->summary, true);
  rc = metrics_again(v, &err);
  FUZZ_CHECK(rc == UM_OK || rc == UM_ECONFIG); /* too many parts */
  if (!rc) check_part(&v->metrics, r->metrics);
  rc = ladder_again(v, 1, &stop, &err);
  FUZZ_CHECK(rc == UM_OK);
  check_part(&v->ladder, r->ladder);
  free(v->checks.at), free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  record r;
  um_error err;
  differences d = {0};
  if (record_read(&r, fuzz_file(data, size), &err)) {
    FUZZ_CHECK(!r.root && !r.in.at && err.text[0]);
    return 0;
  }
  if (r.comparison) {
    FUZZ_CHECK(r.in.count == 2 && r.resamples >= 0 && r.resamples <= 1000000);
    for (int i = 0; i < 2; i++) FUZZ_CHECK(r.in.at[i].path && strlen(r.in.at[i].sha256) == 64 && r.in.at[i].bytes >= 0);
    record_free(&r);
    return 0;
  }
  FUZZ_CHECK(r.in.count > 0 && r.batch >= 1 && r.batch <= 256 && r.precision <= UM_PRECISION_BF16 && um_precision_name(r.precision));
  FUZZ_CHECK(*r.model_path && strlen(r.model_sha256) == 64 && strlen(r.fingerprint) % 64 == 0 && r.threads >= 0 && r.jobs >= 0);
  FUZZ_CHECK(r.preprocess.faces.fps >= 0 && r.preprocess.faces.fps <= 1000 && r.preprocess.faces.max_size <= 16384);
  for (int i = 0; i < r.in.count; i++) check_input(&r.in.at[i]);
  cJSON *now = cJSON_Parse(here);
  FUZZ_CHECK(now);
  differences_add(&d, "", r.evidence, now);
  check_differences(&d);
  cJSON_Delete(now);
  again(&r);
  record_free(&r);
  return 0;
}
