#include "core/face_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

static const char *const choices[] = {"largest", "all", "main"};
static const char *const crops[] = {"recipe", "square", "tight"};
static const char *const alignments[] = {"none", "eyes"};
static const char *const interpolations[] = {"nearest", "bilinear"};

const char *um_face_choice_name(int choice) { return choice >= 0 && choice < 3 ? choices[choice] : NULL; }
const char *um_crop_shape_name(int crop) { return crop >= 0 && crop < 3 ? crops[crop] : NULL; }

void um_face_settings_recipe(um_face_settings *s) {
  *s = (um_face_settings){.detector = "haar", .resize = UM_BILINEAR, .fps = 2, .max_size = 1000};
}

bool um_face_settings_put(cJSON *o, const um_face_settings *s) {
  return cJSON_AddStringToObject(o, "detector", s->detector) && cJSON_AddStringToObject(o, "faces", choices[s->choice]) &&
         cJSON_AddNumberToObject(o, "min_face", s->min_face) && cJSON_AddStringToObject(o, "crop", crops[s->crop]) &&
         cJSON_AddNumberToObject(o, "margin", s->margin) && cJSON_AddStringToObject(o, "align", alignments[s->align]) &&
         cJSON_AddNumberToObject(o, "crop_size", s->size) && cJSON_AddStringToObject(o, "crop_interpolation", interpolations[s->resize]) &&
         cJSON_AddNumberToObject(o, "fps", s->fps) && cJSON_AddNumberToObject(o, "max_size", s->max_size);
}

/* A member that may be missing: *out stays then. */
static bool word_or_none(const cJSON *o, const char *key, const char *const *words, int count, int *out) {
  return !cJSON_HasObjectItem(o, key) || um_json_word(o, key, words, count, out);
}
static bool int_or_none(const cJSON *o, const char *key, double high, int *out) {
  int64_t v = *out;
  if (cJSON_HasObjectItem(o, key) && !um_json_int(o, key, 0, high, &v)) return false;
  *out = (int)v;
  return true;
}

bool um_face_settings_get(um_face_settings *s, const cJSON *o) {
  um_face_settings got;
  int choice = UM_FACES_LARGEST, crop = UM_CROP_RECIPE, align = 0, resize = UM_BILINEAR;
  int64_t max_size = 0;
  um_face_settings_recipe(&got);
  bool ok = um_json_text(o, "detector", got.detector, sizeof got.detector) && um_json_number(o, "margin", -0.9, 1000, &got.margin) &&
            um_json_number(o, "fps", 0, 100000, &got.fps) && um_json_int(o, "max_size", 0, 1 << 24, &max_size) &&
            word_or_none(o, "faces", choices, 3, &choice) && word_or_none(o, "crop", crops, 3, &crop) &&
            word_or_none(o, "align", alignments, 2, &align) && word_or_none(o, "crop_interpolation", interpolations, 2, &resize) &&
            int_or_none(o, "min_face", 1 << 24, &got.min_face) && int_or_none(o, "crop_size", 1 << 14, &got.size);
  if (!ok) return false;
  got.choice = choice, got.crop = crop, got.align = align, got.resize = resize, got.max_size = (int)max_size;
  *s = got;
  return true;
}

void um_face_settings_usual(um_face_settings *s, const char *detector) {
  um_face_settings_recipe(s);
  snprintf(s->detector, sizeof s->detector, "%s", detector);
  if (strncmp(detector, "haar", 4) == 0) return;
  s->choice = UM_FACES_MAIN;
  s->crop = UM_CROP_SQUARE;
  s->margin = 0.3;
}

void um_face_settings_settle(um_face_settings *s) {
  if (strcmp(s->detector, "auto") == 0) snprintf(s->detector, sizeof s->detector, "haar");
}

bool um_face_settings_same(const um_face_settings *a, const um_face_settings *b) {
  return strcmp(a->detector, b->detector) == 0 && a->choice == b->choice && a->min_face == b->min_face && a->crop == b->crop &&
         a->margin == b->margin && a->align == b->align && a->size == b->size && (a->size == 0 || a->resize == b->resize) &&
         a->fps == b->fps && a->max_size == b->max_size;
}

int um_face_settings_read(um_face_settings *s, const char *path, um_error *err) {
  enum { MOST = 1 << 20 };
  char *text = NULL;
  size_t size;
  int status = um_file_read(&text, &size, path, MOST, err);
  if (status) return status;
  cJSON *o = cJSON_Parse(text);
  if (!cJSON_IsObject(o) || !um_face_settings_get(s, o))
    status = um_fail(err, UM_EFORMAT, "%s: expected how faces were cut (detector, margin, fps, max_size ...), as extract writes it", path);
  cJSON_Delete(o);
  free(text);
  return status;
}
