/* Lines of OUT/.extract/journal: {"input": [fields of the ledger], "crops": [[fields of the manifest], ...]} or {"reset": true}. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "data/sources.h"
#include "tools/extract/store.h"

bool crop_path_ok(const char *path) {
  for (int i = 0; i < 2; i++) {
    const size_t n = strlen(um_label_name[i]);
    if (strncmp(path, um_label_name[i], n) == 0 && path[n] == '/')
      return strcmp(path + n, "/") != 0 && strcmp(path + n, "/.") != 0 && strcmp(path + n, "/..") != 0 && !strchr(path + n + 1, '/') &&
             strlen(path) < 300;
  }
  return false;
}

static cJSON *fields(const char *line, int columns) {
  cJSON *a = cJSON_CreateArray();
  for (int i = 0; a && i < columns; i++) {
    cJSON *text = cJSON_CreateString(line);
    if (!text || !cJSON_AddItemToArray(a, text)) {
      cJSON_Delete(text);
      cJSON_Delete(a);
      return NULL;
    }
    line += strlen(line) + 1;
  }
  return a;
}

char *record_text(const entry *now) {
  cJSON *o = cJSON_CreateObject(), *input = fields(now->line, L_COLUMNS), *crops = NULL;
  char *text = NULL;
  bool ok = o && input && cJSON_AddItemToObject(o, "input", input);
  if (!ok) cJSON_Delete(input);
  ok = ok && (crops = cJSON_AddArrayToObject(o, "crops"));
  for (int i = 0; ok && i < now->crops; i++) {
    cJSON *line = fields(now->crop[i], M_COLUMNS);
    ok = line && cJSON_AddItemToArray(crops, line);
    if (!ok) cJSON_Delete(line);
  }
  if (ok && (text = cJSON_PrintUnformatted(o))) {
    const size_t n = strlen(text);
    char *longer = realloc(text, n + 2);
    if (longer)
      text = longer, text[n] = '\n', text[n + 1] = 0;
    else
      free(text), text = NULL;
  }
  cJSON_Delete(o);
  return text;
}

/* NULL where it is no array of so many texts. */
static char *line_from(const cJSON *a, int columns, um_error *err) {
  static const char what[] = "expected a line of extract's journal, found something else";
  draft *d = NULL;
  char *line = NULL;
  if (!cJSON_IsArray(a) || cJSON_GetArraySize(a) != columns) {
    um_fail(err, UM_EFORMAT, what);
    return NULL;
  }
  if (!(d = calloc(1, sizeof *d))) {
    um_fail(err, UM_ENOMEM, "no memory for the journal");
    return NULL;
  }
  for (const cJSON *c = a->child; c; c = c->next) {
    if (!cJSON_IsString(c)) {
      um_fail(err, UM_EFORMAT, what);
      goto done;
    }
    draft_add(d, "%s", c->valuestring);
  }
  line = draft_line(d, err);
done:
  free(d);
  return line;
}

int record_parse(record *r, const char *text, um_error *err) {
  cJSON *o = cJSON_Parse(text);
  const cJSON *crops = cJSON_GetObjectItemCaseSensitive(o, "crops");
  int rc = UM_OK;
  *r = (record){.reset = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "reset"))};
  if (r->reset) goto done;
  if (!(r->now.line = line_from(cJSON_GetObjectItemCaseSensitive(o, "input"), L_COLUMNS, err))) {
    rc = err->code;
    goto done;
  }
  const char *name = line_field(r->now.line, L_NAME);
  if (!*line_field(r->now.line, L_VIDEO) || strchr(name, '/') || strlen(name) > 255)
    rc = um_fail(err, UM_EFORMAT, "expected the name of an input in the journal, found \"%.60s\"", name);
  for (const cJSON *c = cJSON_IsArray(crops) ? crops->child : NULL; c && rc == UM_OK; c = c->next) {
    char *line = line_from(c, M_COLUMNS, err);
    if (!line)
      rc = err->code;
    else if (!crop_path_ok(line_field(line, M_PATH))) {
      rc = um_fail(err, UM_EFORMAT, "\"%.60s\": expected a crop's path in fake/ or real/", line_field(line, M_PATH));
      free(line);
    } else
      rc = entry_add_crop(&r->now, line, err);
  }
done:
  cJSON_Delete(o);
  if (rc < 0) entry_free(&r->now);
  return rc;
}
