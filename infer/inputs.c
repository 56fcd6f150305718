/* What to score: files, folders, labels. */
#include "infer/infer.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <cjson/cJSON.h>

#include "core/file.h"

enum { DEPTH_MAX = 64, LABELS_MAX = 256 << 20 };

static int append(inputs *in, const char *path, um_error *err) {
  if (in->count == in->capacity) {
    int capacity = in->capacity ? 2 * in->capacity : 64;
    input *at = realloc(in->at, (size_t)capacity * sizeof *at);
    if (!at) return um_fail(err, UM_ENOMEM, "no memory for a list of %d inputs", capacity);
    in->at = at, in->capacity = capacity;
  }
  char *copy = strdup(path);
  if (!copy) return um_fail(err, UM_ENOMEM, "%s: no memory for its name", path);
  in->at[in->count++] = (input){.path = copy, .label = LABEL_NONE, .score = NAN};
  return UM_OK;
}

void inputs_free(inputs *in) {
  for (int i = 0; i < in->count; i++) free(in->at[i].path), free(in->at[i].detail);
  free(in->at);
  *in = (inputs){0};
}

/* By the name's ending: files of these kinds are inputs even where they turn out to be broken. */
static bool named_as(const char *path, const char *const *ending) {
  const char *dot = strrchr(path, '.');
  if (!dot) return false;
  for (int i = 0; ending[i]; i++)
    if (!strcasecmp(dot + 1, ending[i])) return true;
  return false;
}

static bool is_input(const char *path, bool pictures_only) {
  static const char *const pictures[] = {"png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff", "webp", NULL};
  static const char *const videos[] = {"mp4", "mov", "m4v", "avi", "mkv", "webm", "mpg", "mpeg",
                                       "wmv", "flv", "3gp", "ts",  "mts", "m2ts", "ogv", NULL};
  static const char *const others[] = {"json", "csv", "txt", "md", "py", "xml", "html", "svg", "log", "safetensors", "h5", NULL};
  if (named_as(path, pictures)) return true;
  if (named_as(path, videos)) return !pictures_only;
  if (named_as(path, others)) return false;
  um_media kind = um_media_probe(path);
  return kind == UM_MEDIA_IMAGE || (kind == UM_MEDIA_VIDEO && !pictures_only);
}

static int visible(const struct dirent *e) { return e->d_name[0] != '.'; }
static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int walk(inputs *in, const char *folder, bool pictures_only, int depth, um_error *err) {
  struct dirent **entry = NULL;
  int n = scandir(folder, &entry, visible, by_name), rc = UM_OK;
  if (n < 0) return um_fail(err, UM_EIO, "%s: %s", folder, strerror(errno));
  for (int i = 0; i < n; i++) {
    char path[4096];
    struct stat st;
    if (!rc) rc = um_path_join(path, sizeof path, folder, entry[i]->d_name, err);
    free(entry[i]);
    if (rc || stat(path, &st)) continue; /* a link that leads nowhere */
    if (S_ISDIR(st.st_mode)) {
      /* Deeper than any real collection: a link that leads back up. */
      if (depth < DEPTH_MAX) rc = walk(in, path, pictures_only, depth + 1, err);
    } else if (S_ISREG(st.st_mode) && is_input(path, pictures_only)) {
      rc = append(in, path, err);
    }
  }
  free(entry);
  return rc;
}

int inputs_add(inputs *in, const char *path, bool pictures_only, um_error *err) {
  if (!um_is_folder(path)) return append(in, path, err);
  int before = in->count, rc = walk(in, path, pictures_only, 0, err);
  if (!rc && in->count == before)
    return um_fail(err, UM_EIO, "%s: no %s in this folder or below it", path, pictures_only ? "picture" : "video or picture");
  return rc;
}

/* The folder nearest to the file that is named fake or real, in any case. */
static label by_folder(const char *path) {
  const char *end = strrchr(path, '/');
  while (end && end > path) {
    const char *start = end;
    while (start > path && start[-1] != '/') start--;
    size_t n = (size_t)(end - start);
    if (n == 4 && !strncasecmp(start, "fake", 4)) return LABEL_FAKE;
    if (n == 4 && !strncasecmp(start, "real", 4)) return LABEL_REAL;
    end = start > path ? start - 1 : NULL;
  }
  return LABEL_NONE;
}

typedef struct named_label {
  const char *name;
  label label;
} named_label;

static int by_label_name(const void *a, const void *b) { return strcmp(((const named_label *)a)->name, ((const named_label *)b)->name); }

/* DFDC's format: {"clip.mp4": {"label": "FAKE", ...}, ...}, by the file's name without its folder. */
static int by_metadata(inputs *in, const char *path, um_error *err) {
  char *text = NULL;
  size_t size;
  int rc = um_file_read(&text, &size, path, LABELS_MAX, err);
  if (rc) return rc;
  cJSON *root = cJSON_Parse(text);
  named_label *list = NULL;
  int n = 0;
  free(text);
  if (!cJSON_IsObject(root)) {
    rc = um_fail(err, UM_EFORMAT, "%s: expected a JSON object {\"clip.mp4\": {\"label\": \"FAKE\" or \"REAL\"}, ...}", path);
    goto done;
  }
  list = calloc((size_t)cJSON_GetArraySize(root) + 1, sizeof *list);
  if (!list) {
    rc = um_fail(err, UM_ENOMEM, "%s: no memory for %d labels", path, cJSON_GetArraySize(root));
    goto done;
  }
  for (const cJSON *c = root->child; c; c = c->next) {
    const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c, "label"));
    bool fake = word && !strcasecmp(word, "FAKE");
    if (!fake && (!word || strcasecmp(word, "REAL"))) {
      rc = um_fail(err, UM_EFORMAT, "%s: %s: label: expected \"FAKE\" or \"REAL\", got %.60s", path, c->string, word ? word : "none");
      goto done;
    }
    list[n++] = (named_label){c->string, fake ? LABEL_FAKE : LABEL_REAL};
  }
  qsort(list, (size_t)n, sizeof *list, by_label_name);
  for (int i = 0; i < in->count; i++) {
    const char *slash = strrchr(in->at[i].path, '/');
    const named_label key = {.name = slash ? slash + 1 : in->at[i].path},
                      *found = bsearch(&key, list, (size_t)n, sizeof *list, by_label_name);
    in->at[i].label = found ? found->label : LABEL_NONE;
  }
done:
  free(list);
  cJSON_Delete(root);
  return rc;
}

int inputs_label(inputs *in, const char *labels, int *labelled, um_error *err) {
  int rc = UM_OK;
  *labelled = 0;
  if (strcmp(labels, "folders")) {
    rc = by_metadata(in, labels, err);
  } else {
    for (int i = 0; i < in->count; i++) in->at[i].label = by_folder(in->at[i].path);
  }
  for (int i = 0; i < in->count; i++) *labelled += in->at[i].label != LABEL_NONE;
  if (!rc && !*labelled)
    rc = um_fail(err, UM_EFORMAT,
                 strcmp(labels, "folders") ? "%s: names none of the inputs" : "--labels %s: no input lies in a folder named fake or real",
                 labels);
  return rc;
}
