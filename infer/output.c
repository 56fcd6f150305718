/* Results: the table, JSON, CSV, and how right they are. */
#include "infer/infer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "data/csv.h"

const char *verdict(const input *in) { return isnan(in->score) ? "none" : in->score > THRESHOLD ? "fake" : "real"; }
static const char *label_name(label l) { return l == LABEL_FAKE ? "fake" : l == LABEL_REAL ? "real" : ""; }
static const char *kind_name(um_media kind) { return kind == UM_MEDIA_IMAGE ? "image" : kind == UM_MEDIA_VIDEO ? "video" : NULL; }

void print_head(void) { printf("%-7s  %6s  %5s  %6s  %-5s  %s\n", "verdict", "score", "faces", "frames", "label", "file"); }

void print_row(const input *in) {
  char score[16] = "-";
  if (!isnan(in->score)) snprintf(score, sizeof score, "%.4f", in->score);
  printf("%-7s  %6s  %5d  %6lld  %-5s  %s\n", verdict(in), score, in->faces, (long long)in->frames, label_name(in->label), in->path);
}

void print_dropped(const int dropped[UM_FATES]) {
  for (int i = UM_KEPT + 1; i < UM_FATES; i++)
    if (dropped[i]) printf("%d face%s not counted: %s\n", dropped[i], dropped[i] == 1 ? "" : "s", um_fate_text((um_fate)i));
}

/* A number, or null where there is none. */
static bool put_number(cJSON *o, const char *key, double v) {
  return isnan(v) ? cJSON_AddNullToObject(o, key) : cJSON_AddNumberToObject(o, key, v);
}
static bool put_text(cJSON *o, const char *key, const char *v) {
  return v && *v ? cJSON_AddStringToObject(o, key, v) : cJSON_AddNullToObject(o, key);
}

/* Prints and frees; what an object could not hold for lack of memory is an error, not a gap in the file. */
static bool flush(FILE *f, cJSON *o, bool whole) {
  char *text = whole ? cJSON_PrintUnformatted(o) : NULL;
  cJSON_Delete(o);
  bool ok = text && fputs(text, f) >= 0;
  cJSON_free(text);
  return ok;
}

static bool put_model(FILE *f, const scorer *s, const options *o) {
  const char *const names[2] = {s->preprocess.classes[0], s->preprocess.classes[1]};
  cJSON *m = cJSON_CreateObject(), *classes = cJSON_CreateStringArray(names, 2);
  bool whole = m && classes && put_text(m, "file", o->model) && put_text(m, "sha256", s->sha256);
  const um_scoring rule = um_preprocess_scoring(&s->preprocess);
  cJSON *scoring = whole ? cJSON_AddObjectToObject(m, "scoring") : NULL;
  whole = scoring && um_scoring_put(scoring, &rule);
  if (!whole || !cJSON_AddItemToObject(m, "classes", classes)) cJSON_Delete(classes), whole = false;
  return flush(f, m, whole);
}

/* Keys of the reasons for which a face does not count. */
static const char *const why[UM_FATES] = {[UM_ONE_FRAME] = "one_frame", [UM_DOUBTFUL] = "doubtful", [UM_NOT_MAIN] = "not_main"};

static bool put_dropped(cJSON *r, const input *in) {
  cJSON *o = cJSON_AddObjectToObject(r, "dropped");
  bool whole = o != NULL;
  for (int i = UM_KEPT + 1; whole && i < UM_FATES; i++) whole = put_number(o, why[i], in->dropped[i]);
  return whole;
}

/* A score each, where there are several people. */
static bool put_people(cJSON *r, const input *in) {
  cJSON *list = cJSON_AddArrayToObject(r, "people");
  bool whole = list != NULL;
  for (int i = 0; whole && i < in->people; i++) {
    const um_person *p = &in->person_score[i];
    cJSON *o = cJSON_CreateObject();
    whole = o && cJSON_AddItemToArray(list, o);
    if (!whole) cJSON_Delete(o);
    whole = whole && put_number(o, "person", p->person) && put_number(o, "faces", p->faces) && put_number(o, "score", p->score);
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
    whole = o && put_number(o, "start_s", at[i].start) && put_number(o, "end_s", at[i].end) && put_number(o, "score", at[i].score) &&
            put_number(o, "moments", at[i].moments);
    if (!whole || !cJSON_AddItemToArray(list, o)) cJSON_Delete(o), whole = false;
  }
  return whole;
}

/* With --explain alone. */
static bool put_pictures(cJSON *r, const input *in, const options *opt) {
  if (!opt->explain) return true;
  cJSON *list = cJSON_AddArrayToObject(r, "pictures");
  bool whole = list != NULL;
  for (int i = 0; whole && i < in->candidates; i++) {
    const candidate *c = &in->candidate[i];
    cJSON *o = cJSON_CreateObject();
    whole = o && put_text(o, "file", c->name) && put_number(o, "frame", (double)c->d.frame) &&
            put_number(o, "track", c->d.track < 0 ? NAN : c->d.track) && put_number(o, "score", c->d.score);
    if (!whole || !cJSON_AddItemToArray(list, o)) cJSON_Delete(o), whole = false;
  }
  return whole;
}

/* What the numbers take from a labelled input. */
static bool put_label(cJSON *r, const input *in) {
  if (in->label == LABEL_NONE) return true;
  return put_text(r, "label", label_name(in->label)) && put_text(r, "group", in->group) && put_text(r, "video", in->video);
}

static bool put_result(FILE *f, const input *in, const options *opt) {
  cJSON *r = cJSON_CreateObject(), *list;
  bool whole = r && put_text(r, "path", in->path) && put_text(r, "kind", kind_name(in->kind)) && put_number(r, "score", in->score) &&
               put_text(r, "verdict", verdict(in)) && put_text(r, "reason", in->reason) && put_number(r, "frames", (double)in->frames) &&
               put_number(r, "faces", in->faces) && put_dropped(r, in) && put_label(r, in) && put_people(r, in) && put_seconds(r, in) &&
               put_pictures(r, in, opt) && (list = cJSON_AddArrayToObject(r, "detail"));
  for (int i = 0; whole && i < in->faces; i++) {
    const detail *d = &in->detail[i];
    cJSON *o = cJSON_CreateObject(), *box = cJSON_CreateIntArray(d->box, 4);
    whole = o && box && put_number(o, "frame", (double)d->frame) && put_number(o, "time_s", d->time_s);
    if (whole && cJSON_AddItemToObject(o, "box", box))
      whole = put_number(o, "track", d->track < 0 ? NAN : d->track) && put_number(o, "score", d->score);
    else
      cJSON_Delete(box), whole = false;
    if (!whole || !cJSON_AddItemToArray(list, o)) cJSON_Delete(o), whole = false;
  }
  return flush(f, r, whole);
}

static bool put_metrics(FILE *f, const um_findings *r) {
  if (!r) return fputs("null", f) >= 0;
  cJSON *o = cJSON_CreateObject();
  return flush(f, o, o && um_findings_put(o, r));
}

/* Written piece by piece: the details of many videos need not be in memory twice. */
int write_json(const char *path, const inputs *in, const scorer *s, const options *o, const um_findings *r, um_error *err) {
  bool to_stdout = !strcmp(path, "-");
  um_writer w = {0};
  int rc = to_stdout ? UM_OK : um_writer_open(&w, path, err);
  if (rc) return rc;
  FILE *f = to_stdout ? stdout : w.file;
  bool ok = fputs("{\"model\": ", f) >= 0 && put_model(f, s, o) && fputs(",\n\"results\": [", f) >= 0;
  for (int i = 0; ok && i < in->count; i++) ok = fputs(i ? ",\n" : "\n", f) >= 0 && put_result(f, &in->at[i], o);
  ok = ok && fputs("],\n\"metrics\": ", f) >= 0 && put_metrics(f, r) && fputs("}\n", f) >= 0;
  if (!to_stdout) {
    if (ok || ferror(f)) return um_writer_commit(&w, err);
    um_writer_abandon(&w);
  } else if (ok && fflush(f)) {
    return um_fail(err, UM_EIO, "standard output: could not be written");
  }
  return ok ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for the results, or nowhere to write them", path);
}

int write_csv(const char *path, const inputs *in, um_error *err) {
  static const char *const columns[] = {"path", "kind", "label", "score", "verdict", "reason", "frames", "faces", "dropped"};
  um_writer w = {0};
  int rc = um_writer_open(&w, path, err);
  if (rc) return rc;
  um_csv_writer c = {.file = w.file};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) um_csv_put(&c, columns[i]);
  um_csv_end_line(&c);
  for (int i = 0; i < in->count; i++) {
    const input *r = &in->at[i];
    um_csv_put(&c, r->path);
    um_csv_put(&c, kind_name(r->kind) ? kind_name(r->kind) : "");
    um_csv_put(&c, label_name(r->label));
    if (isnan(r->score))
      um_csv_put(&c, "");
    else
      um_csv_printf(&c, "%.9g", r->score);
    um_csv_put(&c, verdict(r));
    um_csv_put(&c, r->reason);
    um_csv_printf(&c, "%lld", (long long)r->frames);
    um_csv_printf(&c, "%d", r->faces);
    um_csv_printf(&c, "%d", r->dropped[UM_ONE_FRAME] + r->dropped[UM_DOUBTFUL] + r->dropped[UM_NOT_MAIN]);
    um_csv_end_line(&c);
  }
  return um_writer_commit(&w, err);
}
