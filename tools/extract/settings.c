/* What decides about the pixels of crops: the options completed, and OUT/extract.json. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "tools/extract/extract.h"

#define SQUARE_MARGIN 0.3 /* of any detector's squares, where none is given */

static const char *const formats[] = {"png", "jpeg"};

static bool is_haar(const char *detector) { return strncmp(detector, "haar", 4) == 0; }

static int json_path(char *path, size_t size, const char *out, um_error *err) { return um_path_join(path, size, out, "extract.json", err); }

static int known_detector(const char *name, um_error *err) {
  char list[256] = "";
  for (int i = 0; um_detector_name(i); i++) {
    if (strcmp(um_detector_name(i), name) == 0) return UM_OK;
    const size_t n = strlen(list);
    snprintf(list + n, sizeof list - n, "%s, ", um_detector_name(i));
  }
  return um_fail(err, UM_ECONFIG, "--detector: expected %sor auto, got \"%.60s\"", list, name);
}

int settings_resolve(options *o, um_error *err) {
  um_face_settings *s = &o->face.settings, begun;
  char path[4096];
  const char *name = o->detector ? o->detector : "auto";
  int r;
  if (strcmp(name, "auto") == 0) {
    if ((r = json_path(path, sizeof path, o->out, err)) < 0) return r;
    const bool there = !o->force && um_is_file(path);
    if (there && (r = um_face_settings_read(&begun, path, err)) < 0) return r;
    name = there ? begun.detector : um_detector_best();
    if (there)
      um_log(UM_LOG_INFO, "detector: %s, as in %s", name, path);
    else if (is_haar(name))
      um_log(UM_LOG_INFO, "detector: %s (for mtcnn, which is better: make weights)", name);
    else
      um_log(UM_LOG_INFO, "detector: %s, as its weights are here", name);
  }
  if ((r = known_detector(name, err)) < 0) return r;
  snprintf(s->detector, sizeof s->detector, "%s", name);
  const bool haar = is_haar(s->detector);
  um_face_settings usual;
  um_face_settings_usual(&usual, s->detector);
  s->choice = o->choice >= 0 ? (um_face_choice)o->choice : usual.choice;
  s->crop = o->crop >= 0 ? (um_crop_shape)o->crop : usual.crop;
  s->margin = !isnan(o->margin) ? o->margin : s->crop == UM_CROP_SQUARE ? SQUARE_MARGIN : 0;
  if (s->align && haar)
    return um_fail(err, UM_ECONFIG, "--align: %s finds no eyes to align by; expected a detector that gives points, as mtcnn does",
                   s->detector);
  return UM_OK;
}

/* The members that decide: two folders' crops can stand beside each other where they are equal. */
static cJSON *deciding(const um_face_settings *s, int format, int quality) {
  cJSON *o = cJSON_CreateObject();
  bool ok = o && um_face_settings_put(o, s) && cJSON_AddStringToObject(o, "format", formats[format]);
  if (ok && format == 1) ok = cJSON_AddNumberToObject(o, "quality", quality);
  if (ok && s->size == 0) cJSON_DeleteItemFromObject(o, "crop_interpolation"); /* nothing is resized */
  if (!ok) {
    cJSON_Delete(o);
    return NULL;
  }
  return o;
}

/* Whether some input is finished, so that there is something to agree with. */
static bool begun(const store *s) {
  for (int i = 0; i < s->entries; i++) {
    const outcome st = outcome_of(s->entry[i].line);
    if (s->entry[i].crops > 0 || st == DONE || st == NO_FACE) return true;
  }
  return false;
}

static void shown(char *out, size_t size, const cJSON *o, const char *key) {
  const cJSON *c = cJSON_GetObjectItemCaseSensitive(o, key);
  if (cJSON_IsString(c))
    snprintf(out, size, "%s", c->valuestring);
  else if (cJSON_IsNumber(c))
    snprintf(out, size, "%g", c->valuedouble);
  else
    snprintf(out, size, "not given");
}

static int compare(const cJSON *now, const cJSON *then, const char *path, um_error *err) {
  for (int turn = 0; turn < 2; turn++)
    for (const cJSON *c = (turn ? then : now)->child; c; c = c->next)
      if (!cJSON_Compare(c, cJSON_GetObjectItemCaseSensitive(turn ? now : then, c->string), true)) {
        char was[64], is[64];
        shown(was, sizeof was, then, c->string);
        shown(is, sizeof is, now, c->string);
        return um_fail(err, UM_ECONFIG,
                       "%s: %s: the crops there were made with %s, now it is %s; choose another --out, or --force to do all again", path,
                       c->string, was, is);
      }
  return UM_OK;
}

int settings_check(const options *o, const store *s, bool *other, um_error *err) {
  enum { MOST = 1 << 20 };
  char path[4096], *text = NULL;
  um_face_settings was;
  cJSON *now = NULL, *then = NULL, *file = NULL;
  int64_t quality = 0;
  int format = 0, r;
  *other = false;
  if (!begun(s)) return UM_OK;
  if ((r = json_path(path, sizeof path, s->out, err)) < 0) return r;
  if (!um_is_file(path)) {
    r = um_fail(err, UM_ECONFIG,
                "%s: not there, so that it is not known how the crops in %s were made; choose another --out, or --force to do all again",
                path, s->out);
    goto done;
  }
  if ((r = um_file_read(&text, NULL, path, MOST, err)) < 0 || (r = um_face_settings_read(&was, path, err)) < 0) goto done;
  file = cJSON_Parse(text);
  if (!um_json_word(file, "format", formats, 2, &format) || (format == 1 && !um_json_int(file, "quality", 1, 100, &quality))) {
    r = um_fail(
        err, UM_EFORMAT,
        "%s: format: expected \"png\", or \"jpeg\" and a quality, as extract writes it; choose another --out, or --force to do all again",
        path);
    goto done;
  }
  now = deciding(&o->face.settings, o->format, o->quality);
  then = deciding(&was, format, (int)quality);
  r = now && then ? compare(now, then, path, err) : um_fail(err, UM_ENOMEM, "%s: no memory", path);
done:
  if (o->force && (r == UM_ECONFIG || r == UM_EFORMAT)) *other = true, r = UM_OK;
  cJSON_Delete(now);
  cJSON_Delete(then);
  cJSON_Delete(file);
  free(text);
  return r;
}

int settings_write(const options *o, int argc, char *const *argv, um_error *err) {
  char path[4096], *text = NULL;
  um_writer w = {0};
  cJSON *all = cJSON_CreateObject(), *command = NULL;
  int r = json_path(path, sizeof path, o->out, err);
  bool ok = all && cJSON_AddStringToObject(all, "program", "extract") && cJSON_AddStringToObject(all, "version", UM_VERSION) &&
            um_face_settings_put(all, &o->face.settings) && cJSON_AddStringToObject(all, "format", formats[o->format]);
  if (ok && o->format == 1) ok = cJSON_AddNumberToObject(all, "quality", o->quality);
  ok = ok && (command = cJSON_AddArrayToObject(all, "command"));
  for (int i = 0; ok && i < argc; i++) {
    cJSON *word = cJSON_CreateString(argv[i]);
    ok = word && cJSON_AddItemToArray(command, word);
  }
  if (r == UM_OK && (!ok || !(text = cJSON_Print(all)))) r = um_fail(err, UM_ENOMEM, "%s: no memory", path);
  if (r == UM_OK && (r = um_writer_open(&w, path, err)) == UM_OK) {
    fprintf(w.file, "%s\n", text);
    r = um_writer_commit(&w, err);
  }
  um_writer_abandon(&w);
  cJSON_Delete(all);
  free(text);
  return r;
}
