/* The weights that are known by name: weights/manifest.json, where their files lie, whether they are what they should be. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "weights/weights.h"

#ifndef UM_DATADIR
#define UM_DATADIR "/usr/local/share/unmask"
#endif

enum { MAX_MANIFEST = 1 << 20, MAX_ROWS = 1024, PATH_SIZE = 4096 };

/* The root of the source tree that the running program lies in (bin/NAME, build/tests/NAME, build/clang/bin/NAME); false where it was
 * installed elsewhere. */
static bool source_tree(char *root) {
  char path[PATH_SIZE + 32];
  ssize_t n = readlink("/proc/self/exe", root, PATH_SIZE - 1);
  if (n <= 0) return false;
  root[n] = 0;
  for (int up = 0; up < 4; up++) {
    char *slash = strrchr(root, '/');
    if (!slash || slash == root) return false;
    *slash = 0;
    snprintf(path, sizeof path, "%s/weights/manifest.json", root);
    if (up > 0 && um_is_file(path)) return true;
  }
  return false;
}

static int copy_text(char *to, size_t size, const cJSON *row, const char *key, bool required, const char *path, um_error *err) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(row, key);
  to[0] = 0;
  if (!required && (!value || cJSON_IsNull(value))) return UM_OK;
  if (!cJSON_IsString(value) || !value->valuestring[0] || strlen(value->valuestring) >= size)
    return um_fail(err, UM_EFORMAT, "%s: weights: %s: expected a text of 1 to %zu bytes", path, key, size - 1);
  memcpy(to, value->valuestring, strlen(value->valuestring) + 1);
  return UM_OK;
}

static int parse_row(um_known_weights *w, const cJSON *row, const char *path, um_error *err) {
  int code;
  const cJSON *size = cJSON_GetObjectItemCaseSensitive(row, "size");
  if ((code = copy_text(w->name, sizeof w->name, row, "name", true, path, err)) ||
      (code = copy_text(w->file, sizeof w->file, row, "file", true, path, err)) ||
      (code = copy_text(w->url, sizeof w->url, row, "url", true, path, err)) ||
      (code = copy_text(w->sha256, sizeof w->sha256, row, "sha256", false, path, err)) ||
      (code = copy_text(w->md5, sizeof w->md5, row, "md5", false, path, err)) ||
      (code = copy_text(w->licence, sizeof w->licence, row, "licence", true, path, err)) ||
      (code = copy_text(w->set, sizeof w->set, row, "set", false, path, err)) ||
      (code = copy_text(w->wheel, sizeof w->wheel, row, "wheel", false, path, err)) ||
      (code = copy_text(w->member, sizeof w->member, row, "member", w->wheel[0] != 0, path, err)))
    return code;
  if (w->wheel[0] == '-') return um_fail(err, UM_EFORMAT, "%s: %s: wheel: expected a package, got \"%s\"", path, w->name, w->wheel);
  if (strchr(w->file, '/') || w->file[0] == '.')
    return um_fail(err, UM_EFORMAT, "%s: %s: file: expected a name without folder, got \"%s\"", path, w->name, w->file);
  if (!w->sha256[0] && !w->md5[0]) return um_fail(err, UM_EFORMAT, "%s: %s: expected a sha256 or an md5", path, w->name);
  if (!cJSON_IsNumber(size) || size->valuedouble < 1 || size->valuedouble > 1e12)
    return um_fail(err, UM_EFORMAT, "%s: %s: size: expected a number of bytes", path, w->name);
  w->size = (int64_t)size->valuedouble;
  return UM_OK;
}

int um_weights_manifest(um_known_weights **row, int *count, um_error *err) {
  char path[PATH_SIZE + 32], root[PATH_SIZE];
  const char *given = getenv("UM_MANIFEST");
  char *text = NULL;
  cJSON *json = NULL;
  int code, n = 0;

  *row = NULL;
  *count = 0;
  if (given)
    snprintf(path, sizeof path, "%s", given);
  else if (source_tree(root))
    snprintf(path, sizeof path, "%s/weights/manifest.json", root);
  else if (um_is_file("weights/manifest.json"))
    snprintf(path, sizeof path, "weights/manifest.json");
  else
    snprintf(path, sizeof path, "%s/weights/manifest.json", UM_DATADIR);
  if ((code = um_file_read(&text, NULL, path, MAX_MANIFEST, err))) return code;
  json = cJSON_Parse(text);
  const cJSON *list = json ? cJSON_GetObjectItemCaseSensitive(json, "weights") : NULL, *item;
  if (!cJSON_IsArray(list) || (n = cJSON_GetArraySize(list)) > MAX_ROWS) {
    code = um_fail(err, UM_EFORMAT, "%s: expected an object with an array \"weights\" of at most %d rows", path, MAX_ROWS);
    goto done;
  }
  if (!(*row = calloc((size_t)n + 1, sizeof **row))) {
    code = um_fail(err, UM_ENOMEM, "%s: no memory for %d rows", path, n);
    goto done;
  }
  cJSON_ArrayForEach(item, list) if ((code = parse_row(&(*row)[(*count)++], item, path, err))) break;
done:
  if (code) {
    free(*row);
    *row = NULL;
    *count = 0;
  }
  cJSON_Delete(json);
  free(text);
  return code;
}

int um_weights_cache(char *path, size_t size, um_error *err) {
  char root[PATH_SIZE];
  const char *given = getenv("UM_WEIGHTS"), *home = getenv("HOME"), *cache = getenv("XDG_CACHE_HOME");
  if (given && given[0]) {
    const char *slash = strrchr(given, '/');
    int n = !um_is_file(given) ? (int)strlen(given) : slash ? (int)(slash - given) : 0; /* of a file, its folder */
    if (snprintf(path, size, "%.*s", n ? n : 1, n ? given : slash ? "/" : ".") >= (int)size)
      return um_fail(err, UM_EIO, "UM_WEIGHTS: %.60s...: the path is too long", given);
    return UM_OK;
  }
  if (source_tree(root)) return um_path_join(path, size, root, "weights/cache", err);
  if (um_is_file("weights/manifest.json")) return um_path_join(path, size, "weights", "cache", err);
  if (cache && cache[0] == '/') return um_path_join(path, size, cache, "unmask", err);
  if (home && home[0]) return um_path_join(path, size, home, ".cache/unmask", err);
  return um_fail(err, UM_EIO, "no folder for weights: set UM_WEIGHTS or HOME");
}

/* The state of a file that a checksum was made of. */
static bool stamp(char *text, size_t size, const char *path, const char *sum) {
  struct stat st;
  if (stat(path, &st) != 0) return false;
  snprintf(text, size, "%lld bytes, %lld.%09ld s, %s\n", (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, sum);
  return true;
}

int um_weights_verify(const char *path, const um_known_weights *row, um_error *err) {
  char marker[PATH_SIZE + 16], now[256], sum[65], *before = NULL;
  const char *want = row->sha256[0] ? row->sha256 : row->md5, *kind = row->sha256[0] ? "sha256" : "md5";
  struct stat st;
  um_error ignored;
  int code;

  if (stat(path, &st) != 0) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  if (st.st_size != row->size)
    return um_fail(err, UM_EFORMAT, "%s: %lld bytes, expected %" PRId64 ": cut, or another file; remove it and run: make weights", path,
                   (long long)st.st_size, row->size);
  if (!stamp(now, sizeof now, path, want)) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  snprintf(marker, sizeof marker, "%s.verified", path);
  bool known = um_is_file(marker) && um_file_read(&before, NULL, marker, sizeof now, &ignored) == UM_OK && strcmp(before, now) == 0;
  free(before);
  if (known) return UM_OK;
  if ((code = row->sha256[0] ? um_sha256_file(sum, path, err) : um_md5_file(sum, path, err))) return code;
  if (strcmp(sum, want) != 0)
    return um_fail(err, UM_EFORMAT, "%s: %s is %s, expected %s: damaged, or another file; remove it and run: make weights", path, kind, sum,
                   want);
  /* A folder that cannot be written only means that the sum is made again next time. */
  um_writer w;
  if (um_writer_open(&w, marker, &ignored) == UM_OK) {
    fputs(now, w.file);
    um_writer_commit(&w, &ignored);
  }
  return UM_OK;
}

static bool look(char *path, size_t size, const char *folder, const char *file) {
  um_error ignored;
  return folder && folder[0] && um_path_join(path, size, folder, file, &ignored) == UM_OK && um_is_file(path);
}

/* The manifest, the cache's path, and which row has this name (count: none). */
static int row_named(um_known_weights **row, int *count, int *index, char cache[PATH_SIZE], const char *name, um_error *err) {
  int code = um_weights_manifest(row, count, err);
  if (!code) code = um_weights_cache(cache, PATH_SIZE, err);
  for (*index = 0; !code && *index < *count && strcmp((*row)[*index].name, name) != 0;) ++*index;
  return code;
}

int um_weights_find_known(char *path, size_t size, const char *name, um_error *err) {
  char cache[PATH_SIZE];
  const char *given = getenv("UM_WEIGHTS");
  um_known_weights *row = NULL;
  int count = 0, i = 0, code = row_named(&row, &count, &i, cache, name, err);
  if (code) goto done;
  if (i == count)
    code = um_fail(err, UM_ECONFIG, "%s: not in the manifest of known weights", name);
  else if (!look(path, size, given, row[i].file) && !look(path, size, cache, row[i].file))
    code = um_fail(err, UM_EIO, "%s is not in %s; fetch it (%.1f MB): weights fetch %s; or bring it there from %s", row[i].file, cache,
                   (double)row[i].size / 1e6, row[i].set[0] ? row[i].set : row[i].name, row[i].url);
  else
    code = um_weights_verify(path, &row[i], err);
done:
  if (code && size) path[0] = 0;
  free(row);
  return code;
}

int um_weights_find(char *path, size_t size, const char *weights, const char *backbone, um_error *err) {
  char name[128], cache[PATH_SIZE], keras[PATH_SIZE];
  const char *given = getenv("UM_WEIGHTS"), *home = getenv("HOME");
  um_known_weights *row = NULL;
  int count = 0, i = 0, code;

  if (strcmp(weights, "imagenet") != 0) {
    if (!um_is_file(weights))
      return um_fail(err, UM_EIO, "model.weights: %s: no such file; expected \"imagenet\", a file of weights or null", weights);
    if (snprintf(path, size, "%s", weights) >= (int)size) return um_fail(err, UM_EIO, "model.weights: %s: path too long", weights);
    return UM_OK;
  }
  snprintf(name, sizeof name, "imagenet/%s", backbone);
  if ((code = row_named(&row, &count, &i, cache, name, err))) goto done;
  if (i == count) {
    code = um_fail(err, UM_ECONFIG,
                   "model.weights: no ImageNet weights are known for the backbone %s; start from random ones: --set "
                   "model.weights=null",
                   backbone);
    goto done;
  }
  snprintf(keras, sizeof keras, "%s/.keras/models", home ? home : "");
  if (given && um_is_file(given)) {
    snprintf(path, size, "%s", given);
  } else if (!look(path, size, given, row[i].file) && !look(path, size, cache, row[i].file) &&
             !(home && look(path, size, keras, row[i].file))) {
    code = um_fail(err, UM_EIO,
                   "model.weights: imagenet: %s is neither in %s nor in ~/.keras/models; fetch it (%.0f MB): make weights; or: curl -L "
                   "--create-dirs -o %s/%s %s; or start from random weights: --set model.weights=null",
                   row[i].file, cache, (double)row[i].size / 1e6, cache, row[i].file, row[i].url);
    goto done;
  }
  code = um_weights_verify(path, &row[i], err);
done:
  if (code && size) path[0] = 0;
  free(row);
  return code;
}
