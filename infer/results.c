/* Reading back what infer --json wrote. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "infer/infer.h"

/* A text that may be null or missing; false without memory, or where it is something else. */
static bool take_text(char **out, const cJSON *o, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  if (!v || cJSON_IsNull(v)) return true;
  return cJSON_IsString(v) && (*out = strdup(v->valuestring));
}

/* The score as shown, and as it was before calibration; both NaN where there is none. */
static bool take_score(double *shown, double *raw, const cJSON *o, const um_calibration *c) {
  const char *const key = c->method == UM_CALIBRATION_NONE ? "score" : "raw_score";
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  *shown = *raw = NAN;
  if (!cJSON_IsNull(v) && !um_json_number(o, key, 0, 1, raw)) return false;
  *shown = um_calibrated(c, *raw);
  return true;
}

static bool take_faces(input *in, const cJSON *list, const um_calibration *c) {
  const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
  if (n < 0 || !(in->detail = calloc((size_t)n + 1, sizeof *in->detail))) return false;
  const cJSON *d;
  cJSON_ArrayForEach(d, list) {
    detail *face = &in->detail[in->faces++];
    int64_t track = -1;
    const cJSON *t = cJSON_GetObjectItemCaseSensitive(d, "track");
    if (!cJSON_IsNull(t) && !um_json_int(d, "track", 0, INT_MAX, &track)) return false;
    face->track = (int)track;
    if (!take_score(&face->score, &face->raw, d, c) || isnan(face->raw)) return false;
  }
  return true;
}

/* A score and faces come together. */
static bool take_result(input *in, const cJSON *o, const um_calibration *c) {
  char *word = NULL;
  *in = (input){.score = NAN, .raw = NAN, .person = -1};
  bool ok = take_text(&in->path, o, "path") && in->path && take_text(&in->group, o, "group") && take_text(&in->video, o, "video") &&
            take_text(&word, o, "label") && take_score(&in->score, &in->raw, o, c) &&
            take_faces(in, cJSON_GetObjectItemCaseSensitive(o, "detail"), c) && isnan(in->score) == (in->faces == 0);
  in->verdict = um_verdict_of(c, in->score);
  in->label = !word ? LABEL_NONE : !strcmp(word, "fake") ? LABEL_FAKE : LABEL_REAL;
  if (word && strcmp(word, "fake") && strcmp(word, "real")) ok = false;
  if (ok && !in->group) ok = (in->group = strdup(in->path)) != NULL;
  free(word);
  return ok;
}

int results_read(inputs *in, um_scoring *rule, um_calibration *c, const char *path, um_error *err) {
  char *text = NULL;
  size_t size;
  *in = (inputs){0};
  int rc = um_file_read(&text, &size, path, 1u << 30, err);
  if (rc) return rc;
  cJSON *root = cJSON_Parse(text);
  free(text);
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "results"), *o;
  const cJSON *model = cJSON_GetObjectItemCaseSensitive(root, "model");
  const cJSON *scoring = cJSON_GetObjectItemCaseSensitive(model, "scoring"),
              *map = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "settings"), "calibration");
  const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
  if (n < 0 || !cJSON_IsObject(scoring) || !um_scoring_get(rule, scoring) || !um_calibration_get(c, map))
    rc = um_fail(err, UM_EFORMAT, "%s: expected what infer --json wrote (model with scoring, results), found something else", path);
  else if (!(in->at = calloc((size_t)n + 1, sizeof *in->at)))
    rc = um_fail(err, UM_ENOMEM, "%s: no memory for %d results", path, n);
  if (!rc) cJSON_ArrayForEach(o, list) {
      if (take_result(&in->at[in->count++], o, c)) continue;
      rc = um_fail(err, UM_EFORMAT, "%s: result %d: expected path, label, score and detail as infer --json writes them", path, in->count);
      break;
    }
  cJSON_Delete(root);
  if (rc) inputs_free(in);
  return rc;
}
