/* The walk, as Keras 2 and 3 do it (DirectoryIterator and _iter_valid_files): class folders sorted by name; within one, os.walk's
 * folders sorted by path, and the files of each by name. Python sorts text by code point, strcmp UTF-8 by byte: the same order. */
#include "data/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/rng.h"
#include "data/manifest.h"

#define ITEMS_MAX (1 << 28)
#define DEPTH_MAX 64

/* Names of folders and of files found on the way; both relative to the class folder. */
typedef struct names {
  char **name;
  int count, room;
} names;

static void names_free(names *n) {
  for (int i = 0; i < n->count; i++) free(n->name[i]);
  free(n->name);
  *n = (names){0};
}

static int names_add(names *n, const char *folder, const char *name, um_error *err) {
  if (n->count == n->room) {
    if (n->count >= ITEMS_MAX) return um_fail(err, UM_EUNSUPPORTED, "more than %d files", ITEMS_MAX);
    int room = n->room ? 2 * n->room : 64;
    char **more = realloc(n->name, (size_t)room * sizeof *more);
    if (!more) return um_fail(err, UM_ENOMEM, "no memory for the names of %d files", room);
    n->name = more;
    n->room = room;
  }
  size_t a = strlen(folder), b = strlen(name);
  char *text = malloc(a + b + 2);
  if (!text) return um_fail(err, UM_ENOMEM, "no memory for the names of %d files", n->count);
  memcpy(text, folder, a);
  if (a) text[a++] = '/';
  memcpy(text + a, name, b + 1);
  n->name[n->count++] = text;
  return UM_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void names_sort(names *n) {
  if (n->count) qsort(n->name, (size_t)n->count, sizeof *n->name, by_text);
}

/* Keras looks at the end of the name, not for a dot: a file called "png" counts. */
static bool is_picture_name(const char *name) {
  static const char *const extension[] = {"png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff"};
  size_t n = strlen(name);
  for (size_t i = 0; i < sizeof extension / sizeof *extension; i++) {
    size_t e = strlen(extension[i]);
    if (n >= e && strcasecmp(name + n - e, extension[i]) == 0) return true;
  }
  return false;
}

/* Lists dir/folder: the names of its pictures into files (where wanted), of its folders into folders, each with `folder`/ before
 * it. A link to a folder counts as a folder where `links`, and not at all otherwise. */
static int list(names *files, names *folders, const char *dir, const char *folder, bool links, um_error *err) {
  char path[PATH_MAX];
  int status = *folder ? um_path_join(path, sizeof path, dir, folder, err) : um_path_join(path, sizeof path, dir, ".", err);
  if (status < 0) return status;
  DIR *d = opendir(path);
  if (!d) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  struct dirent *e;
  while (status == UM_OK && (errno = 0, e = readdir(d))) {
    struct stat st;
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    bool is_folder = e->d_type == DT_DIR, is_link = e->d_type == DT_LNK;
    if (e->d_type == DT_UNKNOWN && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
      is_folder = S_ISDIR(st.st_mode), is_link = S_ISLNK(st.st_mode);
    bool to_folder = is_link && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
    if (is_folder || (to_folder && links))
      status = names_add(folders, folder, e->d_name, err);
    else if (!to_folder && files && is_picture_name(e->d_name))
      status = names_add(files, folder, e->d_name, err);
  }
  if (status == UM_OK && errno) status = um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  closedir(d);
  return status;
}

/* All folders below dir/folder, itself first. */
static int walk(names *folders, const char *dir, const char *folder, int depth, um_error *err) {
  names below = {0};
  if (depth > DEPTH_MAX) return um_fail(err, UM_EUNSUPPORTED, "%s/%s: folders more than %d deep", dir, folder, DEPTH_MAX);
  int status = names_add(folders, "", folder, err);
  if (status == UM_OK) status = list(NULL, &below, dir, folder, false, err);
  for (int i = 0; status == UM_OK && i < below.count; i++) status = walk(folders, dir, below.name[i], depth + 1, err);
  names_free(&below);
  return status;
}

/* The pictures of one class in Keras' order, relative to the class folder. */
static int list_class(names *files, const char *dir, um_error *err) {
  names folders = {0};
  int status = walk(&folders, dir, "", 0, err);
  names_sort(&folders);
  for (int i = 0; status == UM_OK && i < folders.count; i++) {
    names here = {0}, ignored = {0};
    status = list(&here, &ignored, dir, folders.name[i], false, err);
    names_sort(&here);
    /* Moves the names over: those of one folder stay together, sorted. */
    for (int k = 0; status == UM_OK && k < here.count; k++) status = names_add(files, "", here.name[k], err);
    names_free(&here);
    names_free(&ignored);
  }
  names_free(&folders);
  return status;
}

void um_item_free(um_item *item) {
  free(item->path);
  free(item->group);
  free(item->video);
  free(item->by);
  *item = (um_item){0};
}

bool um_item_copy(um_item *to, const um_item *from) {
  *to = *from;
  to->path = strdup(from->path);
  to->group = strdup(from->group);
  to->video = from->video ? strdup(from->video) : NULL;
  to->by = from->by ? strdup(from->by) : NULL;
  return to->path && to->group && (to->video || !from->video) && (to->by || !from->by);
}

void um_dataset_free(um_dataset *d) {
  for (int i = 0; i < d->count; i++) um_item_free(&d->item[i]);
  free(d->item);
  for (int i = 0; i < d->classes; i++) free(d->class_name[i]);
  *d = (um_dataset){0};
}

static int add_class(um_dataset *d, const char *dir, const char *name, um_error *err) {
  const int classes_max = sizeof d->class_name / sizeof *d->class_name;
  char folder[PATH_MAX];
  names files = {0};
  int label = d->classes;
  if (label == classes_max) return um_fail(err, UM_EFORMAT, "%s: more than %d class folders", dir, classes_max);
  int status = um_path_join(folder, sizeof folder, dir, name, err);
  if (status == UM_OK) status = list_class(&files, folder, err);
  if (status < 0) goto done;
  status = UM_ENOMEM;
  d->class_name[label] = strdup(name);
  if (!d->class_name[label]) goto done;
  d->classes++;
  d->class_count[label] = files.count;
  if (files.count > ITEMS_MAX - d->count) goto done;
  if (files.count) {
    um_item *more = realloc(d->item, (size_t)(d->count + files.count) * sizeof *more);
    if (!more) goto done;
    d->item = more;
  }
  size_t n = strlen(folder);
  for (int i = 0; i < files.count; i++) {
    char *path = malloc(n + strlen(files.name[i]) + 2);
    if (!path) goto done;
    memcpy(path, folder, n);
    path[n] = '/';
    strcpy(path + n + 1, files.name[i]);
    d->item[d->count++] = (um_item){.path = path, .label = label, .group = files.name[i], .track = -1};
    files.name[i] = NULL;
  }
  status = UM_OK;
done:
  if (status == UM_ENOMEM) um_fail(err, UM_ENOMEM, "%s: no memory for the list of %d files", dir, d->count + files.count);
  names_free(&files);
  return status;
}

int um_dataset_open(um_dataset *d, const char *dir, um_error *err) {
  names classes = {0};
  *d = (um_dataset){0};
  int status = list(NULL, &classes, dir, "", true, err);
  names_sort(&classes);
  for (int i = 0; status == UM_OK && i < classes.count; i++) status = add_class(d, dir, classes.name[i], err);
  if (status == UM_OK && d->classes == 0)
    status = um_fail(err, UM_EFORMAT, "%s: expected a folder a class (such as fake and real) with pictures in it, got no folder", dir);
  char empty[512] = "";
  for (int i = 0; status == UM_OK && i < d->classes; i++) {
    size_t n = strlen(empty);
    if (!d->class_count[i]) snprintf(empty + n, sizeof empty - n, "%s%s", n ? ", " : "", d->class_name[i]);
  }
  if (status == UM_OK && *empty)
    status =
        um_fail(err, UM_EFORMAT, "%s: no pictures (png jpg jpeg bmp ppm tif tiff) in %s; put some there or remove the folder", dir, empty);
  if (status == UM_OK) status = um_manifest_apply(d, dir, err);
  names_free(&classes);
  if (status < 0) um_dataset_free(d);
  return status;
}

int um_dataset_by_folder(um_dataset *d, const char *dir, um_error *err) {
  size_t n = strlen(dir);
  while (n > 0 && dir[n - 1] == '/') n--;
  for (int i = 0; i < d->count; i++) {
    um_item *item = &d->item[i];
    const char *path = item->filmed ? item->video : item->path;
    if (strncmp(path, dir, n) == 0 && path[n] == '/') path += n;
    while (*path == '/') path++;
    const char *slash = strrchr(path, '/');
    free(item->by);
    if (!(item->by = slash ? strndup(path, (size_t)(slash - path)) : strdup(".")))
      return um_fail(err, UM_ENOMEM, "no memory for the folders of %d pictures", d->count);
  }
  return UM_OK;
}

int um_dataset_expect_fakes(um_dataset *d, um_error *err) {
  if (d->classes != 1 || strcasecmp(d->class_name[0], "real") != 0) return UM_OK;
  char *fake = strdup("fake");
  if (!fake) return um_fail(err, UM_ENOMEM, "no memory for a class");
  d->class_name[1] = d->class_name[0], d->class_name[0] = fake;
  d->class_count[1] = d->class_count[0], d->class_count[0] = 0;
  d->classes = 2;
  for (int i = 0; i < d->count; i++) d->item[i].label = 1;
  return UM_OK;
}

/* The real items that get a twin: choice[i] over the real ones, in order. */
static void choose_real(bool *choice, int reals, int twins, uint64_t seed, uint32_t *order) {
  const um_rng at = {.seed = seed, .stream = UM_STREAM_BLEND, .epoch = UINT32_MAX}; /* no epoch's draws */
  for (int i = 0; i < reals; i++) order[i] = (uint32_t)i;
  um_rng_shuffle(&at, order, (uint32_t)reals);
  for (int i = 0; i < twins; i++) choice[order[i]] = true;
}

int um_dataset_add_blends(um_dataset *d, double share, uint64_t seed, um_error *err) {
  int reals = 0, status = UM_ENOMEM;
  if (!(share >= 0 && share <= 1)) return um_fail(err, UM_ECONFIG, "augmentation.self_blend: expected 0 to 1, got %g", share);
  if (d->classes != 2 || (strcasecmp(d->class_name[0], "fake") != 0 && strcasecmp(d->class_name[1], "real") != 0))
    return um_fail(err, UM_EFORMAT, "augmentation.self_blend: needs a class folder named real (and fake, or none): found %s%s%s",
                   d->classes ? d->class_name[0] : "none", d->classes > 1 ? ", " : "", d->classes > 1 ? d->class_name[1] : "");
  for (int i = 0; i < d->count; i++) reals += d->item[i].label == 1 && !d->item[i].blend;
  if (reals == 0) return um_fail(err, UM_EFORMAT, "augmentation.self_blend: no real picture to blend");
  int twins = (int)lround(share * reals), first = d->count;
  if (twins > ITEMS_MAX - d->count) return um_fail(err, UM_EUNSUPPORTED, "augmentation.self_blend: more than %d pictures", ITEMS_MAX);
  um_item *more = realloc(d->item, ((size_t)d->count + (size_t)twins + 1) * sizeof *more);
  uint32_t *order = malloc((size_t)reals * sizeof *order);
  bool *choice = calloc((size_t)reals, sizeof *choice);
  if (more) d->item = more;
  if (!more || !order || !choice) goto done;
  choose_real(choice, reals, twins, seed, order);
  for (int i = 0, real = 0; i < first; i++) {
    const um_item *one = &d->item[i];
    if (one->label != 1 || one->blend || !choice[real++]) continue;
    um_item *twin = &d->item[d->count++];
    const bool whole = um_item_copy(twin, one);
    twin->label = 0;
    twin->blend = true;
    twin->origin = i;
    d->class_count[0]++;
    d->blends++;
    d->grouped += twin->named;
    if (!whole) goto done;
  }
  status = UM_OK;
done:
  if (status == UM_ENOMEM) um_fail(err, UM_ENOMEM, "augmentation.self_blend: no memory for %d more pictures", twins);
  free(order);
  free(choice);
  return status;
}
