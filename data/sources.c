#include "data/sources.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <cjson/cJSON.h>

#include "core/file.h"

#define DEPTH_MAX    64
#define METADATA_MAX ((size_t)256 << 20)

const char *const um_label_name[2] = {"fake", "real"};

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool known_ending(const char *name) {
  static const char *const endings[] = {"mp4", "m4v", "mov",  "avi",  "mkv", "webm", "mpg",  "mpeg", "wmv",
                                        "flv", "ts",  "mts",  "m2ts", "3gp", "ogv",  "vob",  "y4m",  "gif",
                                        "png", "jpg", "jpeg", "bmp",  "ppm", "pgm",  "tiff", "tif",  "webp"};
  const char *dot = strrchr(name, '.');
  for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
    if (strcasecmp(dot + 1, endings[i]) == 0) return true;
  return false;
}

static int add(um_sources *s, const char *path, um_error *err) {
  if ((s->count & (s->count - 1)) == 0) { /* room is a power of two */
    um_source *grown = realloc(s->item, (s->count ? 2 * (size_t)s->count : 1) * sizeof *grown);
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
    s->item = grown;
  }
  um_source *item = &s->item[s->count];
  *item = (um_source){.path = strdup(path), .label = -1};
  if (!item->path) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
  s->count++;
  return UM_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The entries of a folder by name, hidden ones left out. */
static int list(char ***out, int *count, const char *folder, um_error *err) {
  char **name = NULL;
  int n = 0, r = UM_OK;
  DIR *d = opendir(folder);
  if (!d) return um_fail(err, UM_EIO, "%s: cannot read the folder", folder);
  for (struct dirent *e; (e = readdir(d));) {
    if (e->d_name[0] == '.') continue;
    if ((n & (n - 1)) == 0) {
      char **grown = realloc(name, (n ? 2 * (size_t)n : 1) * sizeof *grown);
      if (grown)
        name = grown;
      else
        r = UM_ENOMEM;
    }
    if (r < 0 || !(name[n] = strdup(e->d_name))) {
      r = um_fail(err, UM_ENOMEM, "%s: no memory for its names", folder);
      break;
    }
    n++;
  }
  closedir(d);
  if (n > 0) qsort(name, (size_t)n, sizeof *name, by_name);
  *out = name, *count = n;
  return r;
}

static int walk(um_sources *s, const char *folder, int depth, um_error *err) {
  char **name = NULL, path[4096];
  int n = 0;
  if (depth > DEPTH_MAX) return um_fail(err, UM_EIO, "%s: folders nested deeper than %d (a link to itself?)", folder, DEPTH_MAX);
  int r = list(&name, &n, folder, err);
  for (int i = 0; r == UM_OK && i < n; i++) {
    if ((r = um_path_join(path, sizeof path, folder, name[i], err)) < 0) break;
    if (um_is_folder(path))
      r = walk(s, path, depth + 1, err);
    else if (known_ending(name[i]))
      r = add(s, path, err);
  }
  for (int i = 0; i < n; i++) free(name[i]);
  free(name);
  return r;
}

/* A source by what tells it from others: device and inode for files (the same file given twice), the name for names. */
typedef struct key {
  dev_t device;
  ino_t inode;
  const char *name;
  int index;
} key;

static int by_file(const void *pa, const void *pb) {
  const key *a = pa, *b = pb;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  if (a->inode != b->inode) return a->inode < b->inode ? -1 : 1;
  return a->index - b->index;
}

static int by_given_name(const void *pa, const void *pb) {
  const key *a = pa, *b = pb;
  int order = strcmp(a->name, b->name);
  return order ? order : a->index - b->index;
}

static void drop(um_source *item) {
  free(item->path);
  free(item->name);
  free(item->group);
}

/* Takes out files that were given twice; the first stays. */
static int drop_doubles(um_sources *s, um_error *err) {
  key *k = calloc((size_t)s->count + 1, sizeof *k);
  int n = 0, kept = 0;
  struct stat st;
  if (!k) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
  for (int i = 0; i < s->count; i++)
    if (stat(s->item[i].path, &st) == 0) k[n++] = (key){.device = st.st_dev, .inode = st.st_ino, .index = i};
  qsort(k, (size_t)n, sizeof *k, by_file);
  for (int i = 1; i < n; i++)
    if (k[i].device == k[i - 1].device && k[i].inode == k[i - 1].inode) {
      drop(&s->item[k[i].index]);
      s->item[k[i].index].path = NULL;
    }
  for (int i = 0; i < s->count; i++)
    if (s->item[i].path) s->item[kept++] = s->item[i];
  s->count = kept;
  free(k);
  return UM_OK;
}

/* FaceForensics++ calls a fake TARGET_SOURCE and a real one TARGET, three digits each, after the method or "youtube" where several
 * are put together. True: *target are the digits of the footage. */
static bool faceforensics(const char *stem, char target[4]) {
  static const char *const words[] = {"ffpp",     "ff++",           "faceforensics", "deepfakes", "face2face",
                                      "faceswap", "neuraltextures", "faceshifter",   "youtube",   "original"};
  size_t n = strlen(stem);
  const char *digits = stem;
  bool known = false;
#define THREE(p) (isdigit((unsigned char)(p)[0]) && isdigit((unsigned char)(p)[1]) && isdigit((unsigned char)(p)[2]))
  if (n >= 7 && THREE(stem + n - 7) && stem[n - 4] == '_' && THREE(stem + n - 3))
    digits = stem + n - 7;
  else if (n >= 3 && THREE(stem + n - 3))
    digits = stem + n - 3;
  else
    return false;
#undef THREE
  if (digits == stem)
    known = true;
  else if (digits[-1] != '_')
    return false;
  for (size_t i = 0; !known && i < sizeof words / sizeof *words; i++) {
    const char *at = strcasestr(stem, words[i]);
    known = at && at < digits;
  }
  if (known) memcpy(target, digits, 3), target[3] = 0;
  return known;
}

static char *make_group(const char *stem, const char *name) {
  char target[4], *group = NULL;
  if (!faceforensics(stem, target)) return strdup(name);
  return asprintf(&group, "ffpp_%s", target) < 0 ? NULL : group;
}

static char *stem_of(const char *path) {
  char *stem = strdup(base_name(path)), *dot = stem ? strrchr(stem, '.') : NULL;
  if (dot && dot != stem) *dot = 0;
  return stem;
}

/* Names: the stem with what does not belong into a file's name replaced; of several equal ones the later get "-2", "-3", ... */
static int make_names(um_sources *s, um_error *err) {
  key *k = calloc((size_t)s->count + 1, sizeof *k);
  int r = UM_OK;
  bool again = true;
  if (!k) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
  for (int i = 0; i < s->count; i++) {
    char *name = stem_of(s->item[i].path);
    if (!name) goto no_memory;
    for (char *c = name; *c; c++)
      if (!isalnum((unsigned char)*c) && !strchr("-_.+", *c) && !((unsigned char)*c & 0x80)) *c = '_';
    if (strlen(name) > 180) name[180] = 0; /* room for numbers below the usual limit of 255 */
    s->item[i].name = name;
  }
  for (int round = 0; again && round < 100; round++) { /* a new name may itself be taken */
    again = false;
    for (int i = 0; i < s->count; i++) k[i] = (key){.name = s->item[i].name, .index = i};
    qsort(k, (size_t)s->count, sizeof *k, by_given_name);
    for (int i = 0, first = 0; i < s->count; i++) {
      if (strcmp(k[i].name, k[first].name) != 0) first = i;
      if (i == first) continue;
      char *name = NULL;
      if (asprintf(&name, "%s-%d", k[first].name, i - first + 1) < 0) goto no_memory;
      free(s->item[k[i].index].name);
      s->item[k[i].index].name = name;
      k[i].name = k[first].name; /* what the next ones compare with */
      again = true;
    }
  }
  for (int i = 0; i < s->count; i++) {
    char *stem = stem_of(s->item[i].path);
    if (stem) s->item[i].group = make_group(stem, s->item[i].name);
    free(stem);
    if (!s->item[i].group) goto no_memory;
  }
  free(k);
  return r;
no_memory:
  free(k);
  return um_fail(err, UM_ENOMEM, "no memory for %d inputs", s->count);
}

int um_sources_collect(um_sources *s, const char *const *input, int count, um_error *err) {
  int r = UM_OK;
  *s = (um_sources){0};
  for (int i = 0; i < count && r == UM_OK; i++) r = um_is_folder(input[i]) ? walk(s, input[i], 0, err) : add(s, input[i], err);
  if (r == UM_OK) r = drop_doubles(s, err);
  if (r == UM_OK) r = make_names(s, err);
  if (r < 0) um_sources_free(s);
  return r;
}

void um_sources_free(um_sources *s) {
  for (int i = 0; i < s->count; i++) drop(&s->item[i]);
  free(s->item);
  *s = (um_sources){0};
}

/* An object's members by name: cJSON itself looks through them one by one. */
typedef struct member {
  const char *name;
  const cJSON *value;
} member;

static int by_member(const void *a, const void *b) { return strcmp(((const member *)a)->name, ((const member *)b)->name); }

int um_sources_label_metadata(um_sources *s, const char *path, um_error *err) {
  char *text = NULL;
  member *m = NULL;
  cJSON *root = NULL;
  int n = 0, r = um_file_read(&text, NULL, path, METADATA_MAX, err);
  if (r < 0) return r;
  if (!(root = cJSON_Parse(text)) || !cJSON_IsObject(root)) {
    r = um_fail(err, UM_EFORMAT, "%s: expected metadata.json in DFDC's format, {\"a.mp4\": {\"label\": \"FAKE\", ...}, ...}", path);
    goto done;
  }
  if (!(m = calloc((size_t)cJSON_GetArraySize(root) + 1, sizeof *m))) {
    r = um_fail(err, UM_ENOMEM, "%s: no memory", path);
    goto done;
  }
  for (const cJSON *c = root->child; c; c = c->next) m[n++] = (member){c->string, c};
  qsort(m, (size_t)n, sizeof *m, by_member);
  for (int i = 0; i < s->count; i++) {
    um_source *item = &s->item[i];
    member wanted = {.name = base_name(item->path)};
    const member *found = bsearch(&wanted, m, (size_t)n, sizeof *m, by_member);
    if (!found) continue;
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(found->value, "label");
    const cJSON *original = cJSON_GetObjectItemCaseSensitive(found->value, "original");
    if (!cJSON_IsString(label) || (strcasecmp(label->valuestring, "fake") != 0 && strcasecmp(label->valuestring, "real") != 0)) {
      r = um_fail(err, UM_EFORMAT, "%s: %s: label: expected \"FAKE\" or \"REAL\", got %s", path, wanted.name,
                  cJSON_IsString(label) ? label->valuestring : "something else");
      goto done;
    }
    item->label = strcasecmp(label->valuestring, "real") == 0;
    if (cJSON_IsString(original) && *original->valuestring) {
      char *stem = stem_of(original->valuestring), *group = stem ? make_group(stem, stem) : NULL;
      free(stem);
      if (!group) {
        r = um_fail(err, UM_ENOMEM, "%s: no memory", path);
        goto done;
      }
      free(item->group);
      item->group = group;
    }
  }
done:
  cJSON_Delete(root);
  free(text);
  free(m);
  return r;
}

void um_sources_label_folders(um_sources *s) {
  for (int i = 0; i < s->count; i++) {
    const char *path = s->item[i].path, *end = base_name(path);
    while (end > path) { /* end is behind a slash */
      const char *start = end - 1;
      while (start > path && start[-1] != '/') start--;
      size_t n = (size_t)(end - 1 - start);
      if (n == 4 && strncasecmp(start, "fake", 4) == 0)
        s->item[i].label = 0;
      else if (n == 4 && strncasecmp(start, "real", 4) == 0)
        s->item[i].label = 1;
      if (s->item[i].label >= 0) break;
      end = start;
    }
  }
}

void um_sources_label_all(um_sources *s, int label) {
  for (int i = 0; i < s->count; i++) s->item[i].label = label;
}
