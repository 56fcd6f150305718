#include "core/results.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"

/* A text that may be null or missing; false without memory, or where it is something else. */
static bool take_text(char **out, const cJSON *o, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
  if (!v || cJSON_IsNull(v)) return true;
  return cJSON_IsString(v) && (*out = strdup(v->valuestring));
}

/* A calibrated model's scores have the raw ones beside them. */
static bool take_score(double *raw, const cJSON *o, const um_calibration *c) {
  const char *const key = c->method == UM_CALIBRATION_NONE ? "score" : "raw_score";
  *raw = NAN;
  return cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(o, key)) || um_json_number(o, key, 0, 1, raw);
}

static bool take_faces(um_result *r, const cJSON *list, const um_calibration *c) {
  const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
  if (n < 0 || !(r->face = calloc((size_t)n + 1, sizeof *r->face))) return false;
  const cJSON *d;
  cJSON_ArrayForEach(d, list) {
    um_person_face *face = &r->face[r->faces++];
    int64_t track = -1;
    const cJSON *t = cJSON_GetObjectItemCaseSensitive(d, "track");
    if (!cJSON_IsNull(t) && !um_json_int(d, "track", 0, INT_MAX, &track)) return false;
    face->person = (int)track;
    if (!take_score(&face->score, d, c) || isnan(face->score)) return false;
  }
  return true;
}

/* A score and faces come together. */
static bool take_result(um_result *r, const cJSON *o, const um_calibration *c) {
  char *word = NULL;
  *r = (um_result){.label = -1, .score = NAN};
  bool ok = take_text(&r->path, o, "path") && r->path && take_text(&r->group, o, "group") && take_text(&r->video, o, "video") &&
            take_text(&word, o, "label") && take_score(&r->score, o, c) &&
            take_faces(r, cJSON_GetObjectItemCaseSensitive(o, "detail"), c) && isnan(r->score) == (r->faces == 0);
  if (word) r->label = !strcmp(word, "fake") ? 1 : !strcmp(word, "real") ? 0 : -1;
  if (word && r->label < 0) ok = false;
  if (ok && !r->group) ok = (r->group = strdup(r->path)) != NULL;
  free(word);
  return ok;
}

/* What made the scores. */
static bool take_model(um_results *r, const cJSON *root) {
  const cJSON *model = cJSON_GetObjectItemCaseSensitive(root, "model"), *scoring = cJSON_GetObjectItemCaseSensitive(model, "scoring");
  const cJSON *settings = cJSON_GetObjectItemCaseSensitive(root, "settings"); /* older files have none */
  um_json_text(model, "sha256", r->model_sha256, sizeof r->model_sha256);
  um_json_text(model, "fingerprint", r->fingerprint, sizeof r->fingerprint);
  um_json_text(settings, "forced", r->forced, sizeof r->forced);
  return cJSON_IsObject(scoring) && um_scoring_get(&r->rule, scoring) &&
         um_calibration_get(&r->calibration, cJSON_GetObjectItemCaseSensitive(settings, "calibration"));
}

int um_results_read(um_results *r, const char *path, um_error *err) {
  char *text = NULL;
  size_t size;
  um_digest d;
  *r = (um_results){0};
  int rc = um_file_read(&text, &size, path, 1u << 30, err);
  if (rc) return rc;
  um_sha256_begin(&d);
  um_digest_add(&d, text, size);
  um_sha256_end(&d, r->sha256);
  r->bytes = (int64_t)size;
  cJSON *root = cJSON_Parse(text);
  free(text);
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "results"), *o;
  const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
  if (n < 0 || !take_model(r, root))
    rc = um_fail(err, UM_EFORMAT, "%s: expected what infer --json wrote (model with scoring, results), found something else", path);
  else if (!(r->at = calloc((size_t)n + 1, sizeof *r->at)))
    rc = um_fail(err, UM_ENOMEM, "%s: no memory for %d results", path, n);
  if (!rc) cJSON_ArrayForEach(o, list) {
      if (take_result(&r->at[r->count++], o, &r->calibration)) continue;
      rc = um_fail(err, UM_EFORMAT, "%s: result %d: expected path, label, %s and detail as infer --json writes them", path, r->count,
                   r->calibration.method == UM_CALIBRATION_NONE ? "score" : "score, raw_score");
      break;
    }
  cJSON_Delete(root);
  if (rc) um_results_free(r);
  return rc;
}

void um_results_free(um_results *r) {
  for (int i = 0; i < r->count; i++) {
    um_result *one = &r->at[i];
    free(one->path), free(one->group), free(one->video), free(one->face);
  }
  free(r->at);
  *r = (um_results){0};
}

int um_results_scored(um_scored **out, int *count, const um_results *r, um_error *err) {
  um_scored *list = malloc(((size_t)r->count + 1) * sizeof *list);
  *out = list, *count = 0;
  if (!list) return um_fail(err, UM_ENOMEM, "no memory for %d results", r->count);
  for (int i = 0; i < r->count; i++) {
    const um_result *one = &r->at[i];
    if (one->label < 0 || isnan(one->score)) continue;
    list[(*count)++] = (um_scored){.name = one->video && *one->video ? one->video : one->path,
                                   .key = one->path,
                                   .group = one->group,
                                   .fake = one->label == 1,
                                   .score = one->score,
                                   .face = one->face,
                                   .faces = one->faces};
  }
  return UM_OK;
}
