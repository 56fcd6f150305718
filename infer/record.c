/* Reading back all of what infer --json wrote, for --verify. The file comes from anywhere. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "infer/verify.h"

enum { PATH_LONGEST = 4095, TEXT_LONGEST = 1 << 20, LABEL_FILES = 10000, BATCH_LARGEST = 256 };
#define WHOLE 9007199254740992.0 /* 2^53 */

static const cJSON *get(const cJSON *o, const char *key) { return cJSON_GetObjectItemCaseSensitive(o, key); }

/* A text of at most `longest` bytes; *out is "" where it is null, which must be allowed. */
static bool text_of(const char **out, const cJSON *o, const char *key, size_t longest, bool may_be_null) {
  const cJSON *v = get(o, key);
  *out = "";
  if (may_be_null && cJSON_IsNull(v)) return true;
  if (!cJSON_IsString(v) || strlen(v->valuestring) > longest) return false;
  *out = v->valuestring;
  return may_be_null || **out;
}

/* 64 hexadecimal digits in lower case. */
static bool hash_of(const char **out, const cJSON *o, const char *key, bool may_be_null) {
  if (!text_of(out, o, key, 64, may_be_null)) return false;
  return (may_be_null && !**out) || (strlen(*out) == 64 && strspn(*out, "0123456789abcdef") == 64);
}

static bool bool_of(bool *out, const cJSON *o, const char *key) {
  const cJSON *v = get(o, key);
  *out = cJSON_IsTrue(v);
  return cJSON_IsBool(v);
}

static bool int_of(int *out, const cJSON *o, const char *key, double low, double high) {
  int64_t v = 0;
  const bool ok = um_json_int(o, key, low, high, &v);
  *out = (int)v;
  return ok;
}

/* As shown, and before calibration where there is one; both NaN where they are null. */
static bool scores_of(double *score, double *raw, const cJSON *o, bool calibrated) {
  *score = *raw = NAN;
  if (!cJSON_IsNull(get(o, "score")) && !um_json_number(o, "score", 0, 1, score)) return false;
  if (!calibrated) *raw = *score;
  if (calibrated && !cJSON_IsNull(get(o, "raw_score")) && !um_json_number(o, "raw_score", 0, 1, raw)) return false;
  return isnan(*score) == isnan(*raw);
}

static bool face_of(detail *d, const cJSON *o, bool calibrated) {
  const cJSON *box = get(o, "box"), *side;
  int64_t track = -1;
  int i = 0;
  d->shown_s = NAN; /* older files do not say */
  bool ok = um_json_int(o, "frame", 0, WHOLE, &d->frame) && um_json_number(o, "time_s", -1e9, 1e9, &d->time_s) &&
            (!get(o, "shown_s") || um_json_number(o, "shown_s", -1e9, 1e9, &d->shown_s)) && cJSON_IsArray(box) &&
            cJSON_GetArraySize(box) == 4 && (cJSON_IsNull(get(o, "track")) || um_json_int(o, "track", 0, INT_MAX, &track)) &&
            scores_of(&d->score, &d->raw, o, calibrated) && !isnan(d->score);
  if (ok) cJSON_ArrayForEach(side, box) {
      const double v = cJSON_IsNumber(side) ? side->valuedouble : NAN;
      ok = ok && v >= -1e9 && v <= 1e9 && floor(v) == v;
      if (ok) d->box[i++] = (int)v;
    }
  d->track = (int)track;
  return ok;
}

static bool verdict_of(um_verdict *out, const cJSON *o) {
  const char *word = cJSON_GetStringValue(get(o, "verdict"));
  for (int v = UM_VERDICT_NONE; word && v <= UM_VERDICT_FAKE; v++)
    if (!strcmp(word, um_verdict_name((um_verdict)v))) {
      *out = (um_verdict)v;
      return true;
    }
  return false;
}

/* Where text stands, a copy; NULL where null does, or where nothing does. */
static bool copy_of(char **out, const cJSON *o, const char *key) {
  const char *text;
  *out = NULL;
  if (!get(o, key)) return true;
  return text_of(&text, o, key, TEXT_LONGEST, true) && (!*text || (*out = strdup(text)));
}

/* What is known of footage; with a label there is a group, and the column of --by where the file has one, each "" for null. */
static bool label_of(input *in, const cJSON *o, const labelling *l) {
  const char *word;
  in->label = LABEL_NONE;
  if (!get(o, "label")) return true;
  if (!text_of(&word, o, "label", 4, false) || (strcmp(word, "fake") && strcmp(word, "real"))) return false;
  in->label = strcmp(word, "fake") ? LABEL_REAL : LABEL_FAKE;
  if (!copy_of(&in->group, o, "group") || !copy_of(&in->video, o, "video") || !copy_of(&in->by, o, "by")) return false;
  if (l->by && get(o, "by") && !in->by && !(in->by = strdup(""))) return false;
  return in->group || (in->group = strdup(""));
}

/* A verdict, a score and faces come together; what was skipped has none of them. */
static bool input_of(input *in, const cJSON *o, bool calibrated, const labelling *l) {
  const char *path, *hash;
  const cJSON *list = get(o, "detail"), *face;
  *in = (input){.score = NAN, .raw = NAN, .person = -1};
  if (!text_of(&path, o, "path", PATH_LONGEST, false) || !hash_of(&hash, o, "sha256", true) || !bool_of(&in->skipped, o, "skipped") ||
      !verdict_of(&in->verdict, o) || !scores_of(&in->score, &in->raw, o, calibrated) || !um_json_int(o, "frames", 0, WHOLE, &in->frames) ||
      !cJSON_IsArray(list))
    return false;
  if (*hash ? !um_json_int(o, "bytes", 0, WHOLE, &in->bytes) : !cJSON_IsNull(get(o, "bytes"))) return false;
  const int n = cJSON_GetArraySize(list);
  if (isnan(in->score) != (n == 0) || isnan(in->score) != (in->verdict == UM_VERDICT_NONE) || (in->skipped && n > 0) || !label_of(in, o, l))
    return false;
  strcpy(in->sha256, hash);
  if (!(in->path = strdup(path)) || !(in->detail = calloc((size_t)n + 1, sizeof *in->detail))) return false;
  cJSON_ArrayForEach(face, list) if (!face_of(&in->detail[in->faces++], face, calibrated)) return false;
  if (in->faces == 1) in->person = in->detail[0].track;
  return true;
}

static bool model_of(record *r, const cJSON *o) {
  return cJSON_IsObject(o) && text_of(&r->model_path, o, "file", PATH_LONGEST, false) && hash_of(&r->model_sha256, o, "sha256", false) &&
         hash_of(&r->fingerprint, o, "fingerprint", true);
}

static bool precision_of(record *r, const cJSON *o) {
  const char *word = cJSON_GetStringValue(get(o, "precision"));
  for (int i = 0; word && um_precision_name(i); i++)
    if (!strcmp(word, um_precision_name(i))) {
      r->precision = (um_precision)i;
      return true;
    }
  return false;
}

/* NULL, or the first key of the settings that is wrong. */
static const char *settings_of(record *r, const cJSON *o) {
  int known = 0;
  if (!um_preprocess_get(&r->preprocess, o)) return "how faces are found, cut, scaled or scored";
  while (um_detector_name(known) && strcmp(um_detector_name(known), r->preprocess.faces.detector)) known++;
  if (!um_detector_name(known)) return "detector";
  /* What flags can ask for; beyond it frames would be made that no memory holds. */
  const um_face_settings *f = &r->preprocess.faces;
  if (f->fps != 0 && !(f->fps >= .001 && f->fps <= 1000)) return "fps";
  if (!(f->margin > -.9 && f->margin <= 4)) return "margin";
  if (f->max_size > 16384) return "max_size";
  if (f->min_face > 10000) return "min_face";
  if (!bool_of(&r->faces_are_cut, o, "faces_are_cut")) return "faces_are_cut";
  if (!precision_of(r, o)) return "precision";
  if (!int_of(&r->batch, o, "batch", 1, BATCH_LARGEST)) return "batch";
  r->resamples = r->seed = -1, r->threshold = NAN;
  if ((!r->older || get(o, "resamples")) && !int_of(&r->resamples, o, "resamples", 0, 1e6)) return "resamples";
  if ((!r->older || get(o, "bootstrap_seed")) && !int_of(&r->seed, o, "bootstrap_seed", 0, INT_MAX)) return "bootstrap_seed";
  if ((!r->older || get(o, "threshold")) && !um_json_number(o, "threshold", 0, 1, &r->threshold)) return "threshold";
  return text_of(&r->forced, o, "forced", 1023, true) ? NULL : "forced";
}

/* Where labels came from; false where it is not as it should be. */
static bool labels_of(record *r, const cJSON *o) {
  labelling *l = &r->in.labels;
  const cJSON *list = get(o, "files"), *one;
  const char *text;
  const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
  if (!o || cJSON_IsNull(o)) return true;
  if (!cJSON_IsObject(o) || !text_of(&l->word, o, "from", PATH_LONGEST, false) || !text_of(&l->by, o, "by", TEXT_LONGEST, true) ||
      !cJSON_IsArray(list) || n > LABEL_FILES || !(l->file = calloc((size_t)n + 1, sizeof *l->file)))
    return false;
  if (!*l->by) l->by = NULL;
  cJSON_ArrayForEach(one, list) {
    used_file *u = &l->file[l->files++];
    if (!text_of(&text, one, "file", PATH_LONGEST, false)) return false;
    strcpy(u->path, text);
    if (!hash_of(&text, one, "sha256", true)) return false;
    strcpy(u->sha256, text);
    if (!um_json_int(one, "bytes", 0, WHOLE, &u->bytes)) return false;
  }
  return true;
}

/* What follows from scores, if it is there. */
static bool parts_of(record *r) {
  const cJSON *numbers = get(r->root, "metrics"), *steps = get(r->root, "ladder");
  r->metrics = cJSON_IsObject(numbers) ? numbers : NULL, r->ladder = cJSON_IsObject(steps) ? steps : NULL;
  return (!numbers || r->metrics || cJSON_IsNull(numbers)) && (!steps || r->ladder);
}

static bool evidence_of(record *r, const cJSON *o, const cJSON *run) {
  static const char *const backends[] = {"cpu", "cuda", "ref"};
  int backend = 0;
  r->evidence = o;
  if (!cJSON_IsObject(o) || !cJSON_IsObject(run) || !um_json_word(get(o, "device"), "backend", backends, 3, &backend)) return false;
  strcpy(r->backend, backends[backend]);
  return int_of(&r->threads, run, "threads", 0, 1e6) && int_of(&r->jobs, run, "jobs", 0, 1e6);
}

/* One of the two results that were compared. */
static bool compared_of(input *in, const cJSON *o) {
  const char *name, *hash;
  *in = (input){.score = NAN, .raw = NAN, .person = -1};
  if (!text_of(&name, o, "file", PATH_LONGEST, false) || !hash_of(&hash, o, "sha256", false) ||
      !um_json_int(o, "bytes", 0, WHOLE, &in->bytes))
    return false;
  strcpy(in->sha256, hash);
  return (in->path = strdup(name)) != NULL;
}

static int parse_comparison(record *r, const char *path, um_error *err) {
  const cJSON *list = get(r->root, "files");
  bool good = cJSON_IsArray(list) && cJSON_GetArraySize(list) == 2 && int_of(&r->resamples, r->root, "resamples", 0, 1e6);
  r->comparison = true;
  if (!(r->in.at = calloc(2, sizeof *r->in.at))) return um_fail(err, UM_ENOMEM, "%s: no memory", path);
  for (int i = 0; good && i < 2; i++) good = compared_of(&r->in.at[r->in.count++], cJSON_GetArrayItem(list, i));
  return good ? UM_OK : um_fail(err, UM_EFORMAT, "%s: expected files and resamples as infer --compare writes them", path);
}

static int parse(record *r, const char *path, um_error *err) {
  const char *const format = cJSON_GetStringValue(get(r->root, "format"));
  if (format && !strcmp(format, COMPARISON_FORMAT)) return parse_comparison(r, path, err);
  if (!format && get(r->root, "not_compared"))
    return um_fail(err, UM_EFORMAT, "%s: an older infer --compare wrote it, without the hashes of the two results; compare them again",
                   path);
  const cJSON *list = get(r->root, "results"), *o;
  const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
  if (!format && get(r->root, "model") && n >= 0)
    return um_fail(err, UM_EFORMAT, "%s: an older infer wrote it, without hashes and settings; score the inputs again", path);
  if (!format || n < 0) return um_fail(err, UM_EFORMAT, "%s: expected what infer --json wrote, found something else", path);
  if (strcmp(format, RESULT_FORMAT))
    return um_fail(err, UM_EFORMAT, "%s: format: expected \"" RESULT_FORMAT "\", got \"%.40s\"", path, format);
  if (!model_of(r, get(r->root, "model")))
    return um_fail(err, UM_EFORMAT, "%s: model: expected file, sha256 and fingerprint as infer --json writes them", path);
  r->older = !get(r->root, "labels");
  const char *const wrong = settings_of(r, get(r->root, "settings"));
  if (wrong) return um_fail(err, UM_EFORMAT, "%s: settings: %s: missing, or out of its range", path, wrong);
  if (!evidence_of(r, get(r->root, "evidence"), get(r->root, "run")))
    return um_fail(err, UM_EFORMAT, "%s: evidence or run: expected device, threads and jobs as infer --json writes them", path);
  if (!labels_of(r, get(r->root, "labels")))
    return um_fail(err, UM_EFORMAT, "%s: labels: expected from, by and files as infer --json writes them", path);
  if (!parts_of(r)) return um_fail(err, UM_EFORMAT, "%s: metrics or ladder: expected an object", path);
  if (!(r->in.at = calloc((size_t)n + 1, sizeof *r->in.at))) return um_fail(err, UM_ENOMEM, "%s: no memory for %d results", path, n);
  cJSON_ArrayForEach(o, list) {
    if (input_of(&r->in.at[r->in.count++], o, r->preprocess.calibration.method != UM_CALIBRATION_NONE, &r->in.labels)) continue;
    return um_fail(err, UM_EFORMAT, "%s: result %d: expected path, sha256, verdict, score, detail and the like as infer --json writes them",
                   path, r->in.count);
  }
  return n ? UM_OK : um_fail(err, UM_EFORMAT, "%s: holds no result", path);
}

int record_read(record *r, const char *path, um_error *err) {
  char *text = NULL;
  size_t size;
  um_digest d;
  *r = (record){0};
  int rc = um_file_read(&text, &size, path, 1u << 30, err);
  if (rc) return rc;
  um_sha256_begin(&d);
  um_digest_add(&d, text, size);
  um_sha256_end(&d, r->sha256);
  r->root = cJSON_Parse(text);
  free(text);
  rc = parse(r, path, err);
  if (rc) record_free(r);
  return rc;
}

void record_free(record *r) {
  inputs_free(&r->in);
  cJSON_Delete(r->root);
  *r = (record){0};
}
