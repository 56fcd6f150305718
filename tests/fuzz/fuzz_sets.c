/* Datasets: the first byte chooses a small tree, the rest is its list (metadata.json, labels.csv, a split, ...) or, a line each, the names
 * of its videos. Whatever they are, names stay fit and unlike each other, and nothing vanishes. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/sets/sets.h"

enum { NAMES = 12 };

/* The list of a tree; where `list` is NULL, the folder that the names are for. */
static const struct tree {
  const char *kind, *list, *folder, *file[4];
} trees[] = {
    {"dfdc", "metadata.json", NULL, {"a.mp4", "b.mp4", "x/c.mp4"}},
    {"dfdc", "labels.csv", NULL, {"a.mp4", "b.mp4", "x/c.mp4"}},
    {"ffpp",
     "train.json",
     NULL,
     {"original_sequences/youtube/c23/videos/000.mp4", "manipulated_sequences/FaceSwap/c23/videos/000_003.mp4"}},
    {"celebdf",
     "List_of_testing_videos.txt",
     NULL,
     {"Celeb-real/id0_0000.mp4", "YouTube-real/00170.mp4", "Celeb-synthesis/id0_id1_0000.mp4"}},
    {"deeperforensics", "lists/splits/train.txt", NULL, {"manipulated_videos/end_to_end/000_M101.mp4", "target_videos/000.mp4"}},
    {"deeperforensics", "lists/manipulated_videos_end_to_end_list.txt", NULL, {"manipulated_videos/end_to_end/000_M101.mp4"}},
    {"csv", "list.csv", NULL, {"a.mp4", "x/b.png"}},
    {"auto", "metadata.json", NULL, {"fake/a.mp4", "real/a.mp4"}},
    {"dfdc", NULL, ".", {"labels.csv"}},
    {"ffpp", NULL, "manipulated_sequences/Deepfakes/c23/videos", {"original_sequences/actors/c23/videos/01__a.mp4"}},
    {"ffpp", NULL, "original_sequences/actors/raw/videos", {"manipulated_sequences/Deepfakes/raw/videos/000_003.mp4"}},
    {"celebdf", NULL, "Celeb-synthesis", {"Celeb-real/id0_0000.mp4"}},
    {"deeperforensics", NULL, "manipulated_videos/end_to_end_level_1", {"target_videos/000.mp4"}},
    {"uadfv", NULL, "fake", {"real/0000.mp4"}},
    {"folders", NULL, "fake/x", {"real/x/a.mp4"}},
};
enum { TREES = sizeof trees / sizeof *trees };

static char root[PATH_MAX];

static void remove_root(void) {
  char command[PATH_MAX + 16];
  snprintf(command, sizeof command, "rm -rf '%s'", root);
  if (system(command) != 0) fprintf(stderr, "%s was not removed\n", root);
}

static void put(const char *path, const void *data, size_t size) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size && close(fd) == 0);
}

static void make_trees(void) {
  char path[2 * PATH_MAX];
  um_error err;
  const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR"); /* in memory it is ten times as fast */
  snprintf(root, sizeof root, "%.3000s/fuzz-sets-XXXXXX", tmp ? tmp : "/tmp");
  FUZZ_CHECK(mkdtemp(root));
  atexit(remove_root);
  for (int i = 0; i < TREES; i++) {
    const char *file[] = {trees[i].file[0], trees[i].file[1], trees[i].file[2], trees[i].list ? trees[i].list : trees[i].folder};
    for (int k = 0; k < 4; k++) {
      if (!file[k]) continue;
      snprintf(path, sizeof path, "%s/%d/%s", root, i, file[k]);
      char *slash = strrchr(path, '/');
      const bool folder = k == 3 && !trees[i].list;
      if (!folder) *slash = 0;
      FUZZ_CHECK(um_mkdirs(path, &err) == UM_OK);
      *slash = '/';
      if (!folder) put(path, "filename,label\n", 15);
    }
  }
}

/* Makes videos of the lines' names; a zero byte or a slash ends a name. The number. */
static int make_names(char made[NAMES][PATH_MAX + 512], int tree, const uint8_t *data, size_t size) {
  int n = 0;
  for (size_t at = 0; at < size && n < NAMES;) {
    char name[200];
    size_t k = 0;
    while (at < size && data[at] != '\n' && data[at] != '/' && data[at] && k + 8 < sizeof name) name[k++] = (char)data[at++];
    at++;
    name[k] = 0;
    if (k == 0) continue;
    snprintf(made[n], sizeof made[n], "%s/%d/%s/%s%s", root, tree, trees[tree].folder, name, strchr(name, '.') ? "" : ".mp4");
    const int fd = open(made[n], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) continue; /* there already, or "." */
    close(fd);
    n++;
  }
  return n;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void check(const um_sources *s, const um_set_report *r, int files) {
  char **name = malloc(((size_t)s->count + 1) * sizeof *name), *text = NULL;
  int count = 0;
  um_error err;
  FUZZ_CHECK(name);
  for (int i = 0; i < s->count; i++) {
    const um_source *p = &s->item[i];
    FUZZ_CHECK(p->label >= -1 && p->label <= 1 && *p->name && *p->group && *p->dataset && !strchr(p->name, '/') && strlen(p->name) < 220);
    FUZZ_CHECK(!*p->part || strcmp(p->part, "train") == 0 || strcmp(p->part, "val") == 0 || strcmp(p->part, "test") == 0);
    FUZZ_CHECK(p->label == 0 || !*p->method || p->label == -1);
    name[i] = p->name;
  }
  if (s->count) qsort(name, (size_t)s->count, sizeof *name, by_name);
  for (int i = 1; i < s->count; i++) FUZZ_CHECK(strcmp(name[i], name[i - 1]) != 0);
  free(name);
  for (int i = 0; i < UM_SET_FATES; i++) count += r->count[i];
  FUZZ_CHECK(count == r->notes && s->count + r->notes >= files);
  FUZZ_CHECK(um_set_report_text(&text, s, r, &err) == UM_OK);
  for (const char *line = text; *line; line = strchr(line, '\n') + 1) FUZZ_CHECK(strcspn(line, "\n") <= 80);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char dir[PATH_MAX + 16], list[2 * PATH_MAX];
  static char made[NAMES][PATH_MAX + 512];
  int names = 0;
  um_sources s;
  um_set_report r;
  um_error err = {0};
  if (!*root) make_trees();
  if (size == 0) return 0;
  const int tree = *data % TREES;
  snprintf(dir, sizeof dir, "%s/%d", root, tree);
  if (trees[tree].list) {
    snprintf(list, sizeof list, "%s/%s", dir, trees[tree].list);
    put(list, data + 1, size - 1);
  } else {
    names = make_names(made, tree, data + 1, size - 1);
  }
  if (um_sets_scan(&s, &r, trees[tree].kind, dir, NULL, &err) == UM_OK) {
    check(&s, &r, names);
    um_sources_free(&s);
    um_set_report_free(&r);
  } else {
    FUZZ_CHECK(*err.text && !strchr(err.text, '\n') && !s.item && !r.note);
  }
  for (int i = 0; i < names; i++) unlink(made[i]);
  return 0;
}
