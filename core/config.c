#include "core/json.h"
#include "core/config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config_internal.h"
#include "core/file.h"

#ifndef UM_DATADIR
#define UM_DATADIR "/usr/local/share/unmask"
#endif
#define FILE_MAX       (1u << 20)
#define NAME_MAX_CHARS 64

/* Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours. */
static int edit_distance(const char *a, const char *b) {
  int row[3][NAME_MAX_CHARS + 1], n = (int)strlen(a), m = (int)strlen(b);
  if (n > NAME_MAX_CHARS || m > NAME_MAX_CHARS) return INT_MAX;
  int *before = row[0], *last = row[1], *now = row[2];
  for (int j = 0; j <= m; j++) last[j] = j, before[j] = 0;
  for (int i = 1; i <= n; i++) {
    now[0] = i;
    for (int j = 1; j <= m; j++) {
      int best = last[j - 1] + (a[i - 1] != b[j - 1]);
      if (last[j] + 1 < best) best = last[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best) best = before[j - 2] + 1;
      now[j] = best;
    }
    int *t = before;
    before = last, last = now, now = t;
  }
  return last[m];
}

static const char *leaf_of(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot ? dot + 1 : name;
}

const char *um_nearest(const char *word, const char *const *name, int count) {
  const char *best = NULL, *leaf = leaf_of(word);
  int best_distance = INT_MAX;
  for (int i = 0; i < count; i++) {
    /* The key may be misspelt, or be right and stand in the wrong section. */
    const char *its = leaf_of(name[i]);
    bool same_section = its - name[i] == leaf - word && strncmp(name[i], word, (size_t)(leaf - word)) == 0;
    int d = edit_distance(leaf, its);
    if (d != INT_MAX && !same_section) d++;
    if (d < best_distance) best_distance = d, best = name[i];
  }
  int near = (int)strlen(leaf) / 3;
  return best_distance <= (near < 2 ? 2 : near) ? best : NULL;
}

/* Whether `name` is the section of some key ("data" of "data.workers"). */
static bool is_section(const char *name) {
  size_t n = strlen(name);
  for (int i = 0; i < um_keys_count; i++)
    if (strncmp(um_keys[i].name, name, n) == 0 && um_keys[i].name[n] == '.') return true;
  return false;
}

static int unknown_key(const char *where, const char *key, um_error *err) {
  const char *names[128];
  int count = 0;
  for (; count < um_keys_count && count < 128; count++) names[count] = um_keys[count].name;
  const char *near = um_nearest(key, names, count);
  if (near) return um_fail(err, UM_ECONFIG, "%s: %.200s: unknown key; did you mean %s?", where, key, near);
  return um_fail(err, UM_ECONFIG, "%s: %.200s: unknown key; --help lists them", where, key);
}

const char *um_config_where(const um_config_source *s, const char *key) {
  size_t n = strlen(key), section = strcspn(key, ".");
  for (int i = 0; i < s->set_count; i++) {
    size_t m = strcspn(s->set[i], "=");
    if ((m == n || m == section) && strncmp(s->set[i], key, m) == 0) return "--set";
  }
  return s->name;
}

/* Errors come in the order of the file. */
int um_config_read_object(um_config *c, const cJSON *object, const char *section, const um_config_source *s, um_error *err) {
  for (const cJSON *item = object->child; item; item = item->next) {
    char key[256], where[1400];
    int status;
    if (snprintf(key, sizeof key, "%s%s%s", section, *section ? "." : "", item->string) >= (int)sizeof key)
      return unknown_key(s->name, key, err);
    const char *from = um_config_where(s, key);
    const um_key *k = um_key_find(key);
    if (!k && !(*section == 0 && is_section(key))) return unknown_key(from, key, err);
    for (const cJSON *other = object->child; other != item; other = other->next)
      if (strcmp(other->string, item->string) == 0) return um_fail(err, UM_ECONFIG, "%s: %s: stands there twice", from, key);
    snprintf(where, sizeof where, "%s: %s", from, key);
    if (k) {
      if ((status = um_key_read(c, k, item, where, err))) return status;
    } else if (cJSON_IsObject(item)) {
      if ((status = um_config_read_object(c, item, key, s, err))) return status;
    } else if (!cJSON_IsNull(item)) {
      char got[96];
      return um_fail(err, UM_ECONFIG, "%s: expected an object { ... } or null, got %s", where, um_json_brief(item, got, sizeof got));
    }
  }
  return UM_OK;
}

int um_config_check_applies(const um_config *c, const cJSON *root, const char *section, const um_config_source *s, um_error *err) {
  const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, section);
  char key[128], name[32] = "";
  snprintf(key, sizeof key, "%s.name", section);
  cJSON *kind = um_key_write(c, um_key_find(key));
  if (kind) snprintf(name, sizeof name, "%s", kind->valuestring);
  cJSON_Delete(kind);
  for (const cJSON *item = object ? object->child : NULL; item; item = item->next) {
    snprintf(key, sizeof key, "%s.%s", section, item->string);
    if (!um_key_applies(um_key_find(key), c))
      return um_fail(err, UM_ECONFIG, "%s: %s: not a setting of %s (%s.name); take it out", um_config_where(s, key), key, name, section);
  }
  return UM_OK;
}

/* Puts one "key.path=value" into the tree. */
static int apply_set(cJSON *root, const char *set, um_error *err) {
  const char *equals = strchr(set, '=');
  char key[256];
  if (!equals || equals == set || equals - set >= (int)sizeof key)
    return um_fail(err, UM_ECONFIG, "--set %.100s: expected key.path=value, such as epochs=3 or data.batch_size=8", set);
  snprintf(key, sizeof key, "%.*s", (int)(equals - set), set);
  const um_key *k = um_key_find(key);
  if (!k && !is_section(key)) return unknown_key("--set", key, err);

  /* JSON where it is JSON; but a folder may be called 2024. */
  cJSON *value = cJSON_ParseWithOpts(equals + 1, NULL, 1), *parent = root;
  bool text = k && (k->type == UM_KEY_TEXT || k->type == UM_KEY_TRAINABLE);
  if (value && text && !cJSON_IsString(value) && !cJSON_IsNull(value)) {
    cJSON_Delete(value);
    value = NULL;
  }
  if (!value) value = cJSON_CreateString(equals + 1);
  char *leaf = strrchr(key, '.');
  if (leaf) {
    *leaf++ = 0;
    parent = cJSON_GetObjectItemCaseSensitive(root, key);
    if (!parent || cJSON_IsNull(parent)) {
      cJSON_DeleteItemFromObjectCaseSensitive(root, key);
      parent = cJSON_AddObjectToObject(root, key);
    }
  } else {
    leaf = key;
  }
  if (!value || !parent) {
    cJSON_Delete(value);
    return um_fail(err, UM_ENOMEM, "--set %.100s: no memory", set);
  }
  /* Where the section is no object, reading it says so. */
  if (!cJSON_IsObject(parent)) {
    cJSON_Delete(value);
    return UM_OK;
  }
  cJSON_DeleteItemFromObjectCaseSensitive(parent, leaf);
  if (!cJSON_AddItemToObject(parent, leaf, value)) {
    cJSON_Delete(value);
    return um_fail(err, UM_ENOMEM, "--set %.100s: no memory", set);
  }
  return UM_OK;
}

static int syntax_error(const char *text, const char *at, const char *name, um_error *err) {
  int line = 1, column = 1, n = 0;
  if (!at) at = text;
  /* Where a key had to come, cJSON stops one behind what it found instead. */
  if (at - text > 1 && at[-1] != '"') {
    const char *before = at - 2;
    while (before > text && strchr(" \t\r\n", *before)) before--;
    if ((*before == ',' || *before == '{') && !strchr(" \t\r\n0123456789", at[-1])) at--;
  }
  for (const char *c = text; c < at && *c; c++) {
    column++;
    if (*c == '\n') line++, column = 1;
  }
  while (n < 24 && at[n] && at[n] != '\n' && at[n] != '\r') n++;
  if (*at == 0) return um_fail(err, UM_ECONFIG, "%s: line %d, column %d: not JSON: ends too early", name, line, column);
  return um_fail(err, UM_ECONFIG, "%s: line %d, column %d: not JSON from here on: %.*s", name, line, column, n, at);
}

int um_config_defaults(um_config *c, const char *section, um_error *err) {
  const size_t n = strlen(section);
  for (int i = 0; i < um_keys_count; i++) {
    const um_key *k = &um_keys[i];
    if (n > 0 && (strncmp(k->name, section, n) != 0 || k->name[n] != '.')) continue;
    cJSON *value = cJSON_Parse(k->fallback);
    const int status = value ? um_key_read(c, k, value, k->name, err) : um_fail(err, UM_ENOMEM, "no memory for the config");
    cJSON_Delete(value);
    if (status) return status;
  }
  return UM_OK;
}

int um_config_parse(um_config *c, const char *text, const char *name, const char *const *set, int set_count, um_error *err) {
  const um_config_source s = {name, set, set_count};
  const char *end = NULL;
  cJSON *root = NULL;
  int status = UM_OK;

  memset(c, 0, sizeof *c);
  if ((status = um_config_defaults(c, "", err))) goto done;
  root = cJSON_ParseWithOpts(text, &end, 1);
  if (!root) {
    status = syntax_error(text, end, name, err);
    goto done;
  }
  if (!cJSON_IsObject(root)) {
    status = um_fail(err, UM_ECONFIG, "%s: expected an object { ... }", name);
    goto done;
  }
  for (int i = 0; i < set_count; i++)
    if ((status = apply_set(root, set[i], err))) goto done;
  if ((status = um_config_read_object(c, root, "", &s, err))) goto done;
  c->early_stopping.on = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(root, "early_stopping"));
  if ((status = um_config_check_applies(c, root, "optimizer", &s, err))) goto done;
  if ((status = um_config_check_applies(c, root, "learning_rate_schedule", &s, err))) goto done;
  status = um_course_read(c, root, &s, err);
done:
  cJSON_Delete(root);
  if (status) um_config_free(c);
  return status;
}

/* The configs folder of the source tree that the running program was built in (bin/train beside configs/). */
static void beside_program(char *out, size_t size) {
  char exe[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  out[0] = 0;
  if (n <= 0) return;
  exe[n] = 0;
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(exe, '/');
    if (!slash) return;
    *slash = 0;
  }
  snprintf(out, size, "%.*s/configs", (int)(size - 16), exe);
}

int um_config_find(char *out, size_t size, const char *path, um_error *err) {
  char beside[2048];
  const char *folder[] = {"configs", beside, UM_DATADIR "/configs"};
  size_t n = strlen(path);

  if (n >= size) return um_fail(err, UM_ECONFIG, "%.60s...: the path is too long", path);
  memcpy(out, path, n + 1);
  if (um_is_file(path)) return UM_OK;
  if (strchr(path, '/')) return um_fail(err, UM_ECONFIG, "%s: no such config", path);
  beside_program(beside, sizeof beside);
  for (int i = 0; i < 3; i++)
    if (folder[i][0] && um_path_join(out, size, folder[i], path, err) == UM_OK && um_is_file(out)) return UM_OK;
  return um_fail(err, UM_ECONFIG, "%s: no such config here, in configs/, in %s or in %s", path, beside, folder[2]);
}

int um_config_load(um_config *c, const char *path, const char *const *set, int set_count, um_error *err) {
  char found[4096], *text = NULL;
  size_t size;
  int status;

  memset(c, 0, sizeof *c);
  if ((status = um_config_find(found, sizeof found, path, err))) return status;
  status = um_file_read(&text, &size, found, FILE_MAX, err);
  if (status) {
    if (err && status != UM_ENOMEM) status = err->code = UM_ECONFIG;
    return status;
  }
  if (strlen(text) != size)
    status = um_fail(err, UM_ECONFIG, "%s: holds a zero byte: not a text file", found);
  else
    status = um_config_parse(c, text, found, set, set_count, err);
  free(text);
  return status;
}

void um_config_free(um_config *c) {
  free(c->head);
  c->head = NULL;
}

int um_config_to_json(const um_config *c, char **text, um_error *err) {
  cJSON *root = cJSON_CreateObject();
  bool ok = root != NULL;
  *text = NULL;
  for (int i = 0; ok && i < um_keys_count; i++) {
    const um_key *k = &um_keys[i];
    const char *leaf = leaf_of(k->name);
    cJSON *parent = root;
    if (!um_key_applies(k, c)) continue;
    if (leaf != k->name) {
      char section[64];
      snprintf(section, sizeof section, "%.*s", (int)(leaf - k->name - 1), k->name);
      parent = cJSON_GetObjectItemCaseSensitive(root, section);
      if (!parent) parent = cJSON_AddObjectToObject(root, section);
    }
    cJSON *value = um_key_write(c, k);
    ok = parent && value && cJSON_AddItemToObject(parent, leaf, value);
    if (!ok) cJSON_Delete(value);
  }
  if (ok) *text = um_json_print(root, true);
  cJSON_Delete(root);
  return *text ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for the config's text");
}

bool um_config_differs(const um_config *a, const um_config *b, char *key, size_t size) {
  for (int i = 0; i < um_keys_count; i++) {
    const um_key *k = &um_keys[i];
    if ((k->flags & UM_KEY_FREE) || !um_key_applies(k, a) || !um_key_applies(k, b)) continue;
    cJSON *x = um_key_write(a, k), *y = um_key_write(b, k);
    bool same = cJSON_Compare(x, y, 1);
    cJSON_Delete(x);
    cJSON_Delete(y);
    if (same) continue;
    snprintf(key, size, "%s", k->name);
    return true;
  }
  /* More epochs extend a run, but not one whose first rates were chosen for so many. */
  if (a->epochs == b->epochs || !um_schedule_needs_epochs(&a->phase[a->phases - 1].schedule)) return false;
  snprintf(key, size, "epochs");
  return true;
}

bool um_config_key(int i, um_config_key_info *info) {
  if (i < 0 || i >= um_keys_count) return false;
  info->name = um_keys[i].name;
  info->fallback = um_keys[i].fallback;
  info->help = um_keys[i].help;
  um_key_expected(&um_keys[i], info->expected, sizeof info->expected);
  return true;
}
