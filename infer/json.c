/* Results as JSON (docs/evidence.md): verdicts, and all that it takes to come to them again. */
#include "infer/infer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "core/json.h"

/* A score, and beside it what it was before calibration, where the model has one. */
static bool put_score(cJSON *o, const um_calibration *c, double score, double raw) {
  return um_json_put_number(o, "score", score) && (c->method == UM_CALIBRATION_NONE || um_json_put_number(o, "raw_score", raw));
}

/* Prints and frees; what an object could not hold for lack of memory is an error, not a gap in the file. */
static bool flush(FILE *f, cJSON *o, bool whole) {
  char *text = whole ? um_json_print(o, false) : NULL;
  cJSON_Delete(o);
  bool ok = text && fputs(text, f) >= 0;
  cJSON_free(text);
  return ok;
}

static bool put_model(FILE *f, const scorer *s, const options *o) {
  const char *const names[2] = {s->preprocess.classes[0], s->preprocess.classes[1]};
  cJSON *m = cJSON_CreateObject(), *classes = cJSON_CreateStringArray(names, 2);
  bool whole = m && classes && um_json_put_text(m, "file", o->model) && um_json_put_text(m, "sha256", s->sha256) &&
               um_json_put_number(m, "bytes", (double)s->bytes) && um_json_put_text(m, "fingerprint", s->fingerprint);
  const um_scoring rule = um_preprocess_scoring(&s->preprocess);
  cJSON *scoring = whole ? cJSON_AddObjectToObject(m, "scoring") : NULL;
  whole = scoring && um_scoring_put(scoring, &rule);
  if (!whole || !cJSON_AddItemToObject(m, "classes", classes)) cJSON_Delete(classes), whole = false;
  return flush(f, m, whole);
}

/* All that goes into a score, as it was used. */
static bool put_settings(FILE *f, const scorer *s, const options *o, const evidence *e) {
  cJSON *m = cJSON_CreateObject();
  return flush(f, m,
               m && um_preprocess_put(m, &s->preprocess) && cJSON_AddBoolToObject(m, "faces_are_cut", o->faces_are_cut) &&
                   um_json_put_text(m, "precision", um_precision_name(o->precision)) && um_json_put_number(m, "batch", e->batch) &&
                   um_json_put_number(m, "threshold", THRESHOLD) && um_json_put_number(m, "resamples", o->resamples) &&
                   um_json_put_number(m, "bootstrap_seed", UM_BOOTSTRAP_SEED) && um_json_put_text(m, "forced", s->forced));
}

static bool put_file(cJSON *list, const used_file *u) {
  cJSON *o = cJSON_CreateObject();
  const bool whole = o && um_json_put_text(o, "file", u->path) && um_json_put_text(o, "sha256", u->sha256) &&
                     um_json_put_number(o, "bytes", (double)u->bytes);
  if (whole && cJSON_AddItemToArray(list, o)) return true;
  cJSON_Delete(o);
  return false;
}

cJSON *evidence_json(const evidence *e) {
  cJSON *m = cJSON_CreateObject(), *o = m ? cJSON_AddObjectToObject(m, "program") : NULL;
  bool whole = o && um_json_put_text(o, "version", UM_VERSION) && um_json_put_text(o, "sha256", e->program_sha256) &&
               um_json_put_text(o, "compiler", e->compiler);
  whole = whole && (o = cJSON_AddObjectToObject(m, "libraries"));
  for (int i = 0; whole && i < e->libraries; i++) whole = um_json_put_text(o, e->library[i].name, e->library[i].version);
  whole = whole && (o = cJSON_AddObjectToObject(m, "device")) && um_json_put_text(o, "backend", e->backend) &&
          um_json_put_text(o, "gpu", e->device) && um_json_put_text(o, "processor", e->processor) &&
          um_json_put_text(o, "instructions", e->instructions) && um_json_put_text(o, "onednn_instructions", e->onednn_isa);
  whole = whole && (o = cJSON_AddArrayToObject(m, "detector_files"));
  for (int i = 0; whole && i < e->detector_files; i++) whole = put_file(o, &e->detector[i]);
  if (whole) return m;
  cJSON_Delete(m);
  return NULL;
}

cJSON *run_json(const evidence *e) {
  cJSON *m = cJSON_CreateObject(), *words = cJSON_CreateStringArray((const char *const *)e->command, e->words);
  bool whole = m && words && um_json_put_text(m, "note", "not part of any verdict") && um_json_put_text(m, "started", e->started) &&
               um_json_put_number(m, "seconds", e->seconds) && um_json_put_number(m, "threads", e->threads) &&
               um_json_put_number(m, "jobs", e->jobs);
  if (whole && cJSON_AddItemToObject(m, "command", words)) return m;
  cJSON_Delete(words), cJSON_Delete(m);
  return NULL;
}

static bool put(FILE *f, cJSON *o) { return flush(f, o, o != NULL); }

/* Keys of the reasons for which a face does not count. */
static const char *const why[UM_FATES] = {[UM_ONE_FRAME] = "one_frame", [UM_DOUBTFUL] = "doubtful", [UM_NOT_MAIN] = "not_main"};

static bool put_dropped(cJSON *r, const input *in) {
  cJSON *o = cJSON_AddObjectToObject(r, "dropped");
  bool whole = o != NULL;
  for (int i = UM_KEPT + 1; whole && i < UM_FATES; i++) whole = um_json_put_number(o, why[i], in->dropped[i]);
  return whole;
}

/* A score each, where there are several people. */
static bool put_people(cJSON *r, const input *in, const um_calibration *c) {
  cJSON *list = cJSON_AddArrayToObject(r, "people");
  bool whole = list != NULL;
  for (int i = 0; whole && i < in->people; i++) {
    const um_person *p = &in->person_score[i];
    cJSON *o = cJSON_CreateObject();
    whole = o && cJSON_AddItemToArray(list, o);
    if (!whole) cJSON_Delete(o);
    whole = whole && um_json_put_number(o, "person", p->person) && um_json_put_number(o, "faces", p->faces) &&
            put_score(o, c, p->score, p->raw);
  }
  return whole;
}

static bool put_seconds(cJSON *r, const input *in) {
  span at[SPANS];
  int count;
  um_error err;
  cJSON *list = cJSON_AddArrayToObject(r, "seconds");
  bool whole = list && suspicious_seconds(at, &count, in, &err) == UM_OK;
  for (int i = 0; whole && i < count; i++) {
    cJSON *o = cJSON_CreateObject();
    whole = o && um_json_put_number(o, "start_s", at[i].start) && um_json_put_number(o, "end_s", at[i].end) &&
            um_json_put_number(o, "score", at[i].score) && um_json_put_number(o, "moments", at[i].moments);
    if (!whole || !cJSON_AddItemToArray(list, o)) cJSON_Delete(o), whole = false;
  }
  return whole;
}

/* With --explain alone. */
static bool put_pictures(cJSON *r, const input *in, const um_calibration *map, const options *opt) {
  if (!opt->explain) return true;
  cJSON *list = cJSON_AddArrayToObject(r, "pictures");
  bool whole = list != NULL;
  for (int i = 0; whole && i < in->candidates; i++) {
    const candidate *c = &in->candidate[i];
    cJSON *o = cJSON_CreateObject();
    whole = o && um_json_put_text(o, "file", c->name) && um_json_put_number(o, "frame", (double)c->d.frame) &&
            um_json_put_number(o, "track", c->d.track < 0 ? NAN : c->d.track) && put_score(o, map, c->d.score, c->d.raw);
    if (!whole || !cJSON_AddItemToArray(list, o)) cJSON_Delete(o), whole = false;
  }
  return whole;
}

/* What the numbers take from a labelled input. */
static bool put_label(cJSON *r, const input *in) {
  if (in->label == LABEL_NONE) return true;
  return um_json_put_text(r, "label", label_name(in->label)) && um_json_put_text(r, "group", in->group) &&
         um_json_put_text(r, "video", in->video) && (!in->by || um_json_put_text(r, "by", in->by));
}

bool result_rest_put(cJSON *r, const input *in, const um_calibration *c) {
  return um_json_put_text(r, "kind", kind_name(in->kind)) && um_json_put_number(r, "faces", in->faces) && put_dropped(r, in) &&
         put_people(r, in, c) && put_seconds(r, in);
}

static bool put_result(FILE *f, const input *in, const um_calibration *c, const options *opt) {
  cJSON *r = cJSON_CreateObject(), *list;
  char text[1300];
  bool whole = r && um_json_put_text(r, "path", in->path) && um_json_put_text(r, "sha256", in->sha256) &&
               (*in->sha256 ? um_json_put_number(r, "bytes", (double)in->bytes) : um_json_put_text(r, "bytes", NULL)) &&
               cJSON_AddBoolToObject(r, "skipped", in->skipped) && put_score(r, c, in->score, in->raw) &&
               um_json_put_text(r, "verdict", verdict(in)) && um_json_put_text(r, "reason", reason(text, sizeof text, in)) &&
               um_json_put_number(r, "frames", (double)in->frames) && result_rest_put(r, in, c) && put_label(r, in) &&
               put_pictures(r, in, c, opt) && (list = cJSON_AddArrayToObject(r, "detail"));
  for (int i = 0; whole && i < in->faces; i++) {
    const detail *d = &in->detail[i];
    cJSON *o = cJSON_CreateObject(), *box = cJSON_CreateIntArray(d->box, 4);
    whole = o && box && um_json_put_number(o, "frame", (double)d->frame) && um_json_put_number(o, "time_s", d->time_s) &&
            um_json_put_number(o, "shown_s", d->shown_s);
    if (whole && cJSON_AddItemToObject(o, "box", box))
      whole = um_json_put_number(o, "track", d->track < 0 ? NAN : d->track) && put_score(o, c, d->score, d->raw);
    else
      cJSON_Delete(box), whole = false;
    if (!whole || !cJSON_AddItemToArray(list, o)) cJSON_Delete(o), whole = false;
  }
  return flush(f, r, whole);
}

static bool put_labels(FILE *f, const labelling *l) {
  if (!l->word) return fputs("null", f) >= 0;
  cJSON *o = cJSON_CreateObject(), *list = NULL;
  bool whole = o && um_json_put_text(o, "from", l->word) && um_json_put_text(o, "by", l->by) && (list = cJSON_AddArrayToObject(o, "files"));
  for (int i = 0; whole && i < l->files; i++) whole = put_file(list, &l->file[i]);
  return flush(f, o, whole);
}

static bool put_metrics(FILE *f, const um_findings *r) {
  if (!r) return fputs("null", f) >= 0;
  cJSON *o = cJSON_CreateObject();
  return flush(f, o, o && um_findings_put(o, r));
}

/* With --ladder alone. */
static bool put_ladder(FILE *f, const ladder *l) {
  if (!l) return true;
  cJSON *o = cJSON_CreateObject();
  const bool whole = fputs(",\n\"ladder\": ", f) >= 0 && o && ladder_put(o, l);
  return flush(f, o, whole);
}

/* Written piece by piece: the details of many videos need not be in memory twice. */
int write_json(const char *path, const inputs *in, const scorer *s, const options *o, const evidence *e, const um_findings *r,
               const ladder *l, um_error *err) {
  bool to_stdout = !strcmp(path, "-");
  um_writer w = {0};
  int rc = to_stdout ? UM_OK : um_writer_open(&w, path, err);
  if (rc) return rc;
  FILE *f = to_stdout ? stdout : w.file;
  bool ok = fputs("{\"format\": \"" RESULT_FORMAT "\",\n\"model\": ", f) >= 0 && put_model(f, s, o) && fputs(",\n\"settings\": ", f) >= 0 &&
            put_settings(f, s, o, e) && fputs(",\n\"evidence\": ", f) >= 0 && put(f, evidence_json(e)) && fputs(",\n\"run\": ", f) >= 0 &&
            put(f, run_json(e)) && fputs(",\n\"labels\": ", f) >= 0 && put_labels(f, &in->labels) && fputs(",\n\"results\": [", f) >= 0;
  for (int i = 0; ok && i < in->count; i++)
    ok = fputs(i ? ",\n" : "\n", f) >= 0 && put_result(f, &in->at[i], &s->preprocess.calibration, o);
  ok = ok && fputs("],\n\"metrics\": ", f) >= 0 && put_metrics(f, r) && put_ladder(f, l) && fputs("}\n", f) >= 0;
  if (!to_stdout) {
    if (ok || ferror(f)) return um_writer_commit(&w, err);
    um_writer_abandon(&w);
  } else if (ok && fflush(f)) {
    return um_fail(err, UM_EIO, "standard output: could not be written");
  }
  return ok ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for the results, or nowhere to write them", path);
}

int json_write(const char *path, cJSON *o, bool whole, um_error *err) {
  char *text = whole ? um_json_print(o, true) : NULL;
  cJSON_Delete(o);
  if (!text) return um_fail(err, UM_ENOMEM, "%s: no memory for the results", path);
  um_writer w = {0};
  int rc = UM_OK;
  if (!strcmp(path, "-")) {
    if (puts(text) < 0 || fflush(stdout)) rc = um_fail(err, UM_EIO, "standard output: could not be written");
  } else if (!(rc = um_writer_open(&w, path, err))) {
    fprintf(w.file, "%s\n", text);
    rc = um_writer_commit(&w, err);
  }
  cJSON_free(text);
  return rc;
}
