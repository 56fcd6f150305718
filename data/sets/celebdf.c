/* Celeb-DF (Li et al. 2020), both versions: Celeb-real/idA_NNNN.mp4, YouTube-real/NNNNN.mp4, Celeb-synthesis/idA_idB_NNNN.mp4 (the face of B on
 * idA_NNNN) and List_of_testing_videos.txt, lines such as "1 YouTube-real/00170.mp4": 1 is real, 0 is fake. A folder videos may stand
 * between; further ones below Celeb-synthesis are methods.
 *
 * What the list names is the part test, all else train, as its users take it. Groups: everyone's face is on some video of many others, so
 * that one group of all who are linked would be all of it. The group is the person A, whose body, room and video it is; B's own videos are
 * in B's group. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/sets/scan.h"

#define LIST "List_of_testing_videos.txt"

static const struct folder {
  const char *name;
  int label;
} folders[] = {{"Celeb-real", 1}, {"YouTube-real", 1}, {"Celeb-synthesis", 0}};
enum { FOLDERS = sizeof folders / sizeof *folders, YOUTUBE = 1 };

static int folder_of(const char *name) {
  for (int i = 0; i < FOLDERS; i++)
    if (strcasecmp(name, folders[i].name) == 0) return i;
  return -1;
}

static const char *recognize(const char *dir, char *const *top, int tops) {
  (void)dir;
  for (int i = 0; i < tops; i++) {
    if (folder_of(top[i]) >= 0) return folders[folder_of(top[i])].name;
    if (strcasecmp(top[i], LIST) == 0) return LIST;
  }
  return NULL;
}

static const char *skip(const set_scan *s, const char *path) {
  const char *name = set_base(path);
  (void)s;
  if (strcasecmp(name, "frames") == 0 || strcasecmp(name, "images") == 0 || strcasecmp(name, "landmarks") == 0)
    return "made from the videos; the videos are what is read";
  return NULL;
}

/* ---- the list ---- */

typedef struct listed {
  char *key;  /* folder and name without ending, in small letters */
  char *path; /* as the list has it */
  bool there;
} listed;

typedef struct list {
  listed *item;
  int count;
  const char *shown; /* for messages */
} list;

/* "Celeb-real/videos/id0_0000.mp4" and "celeb-real/id0_0000.MP4" have the same key. */
static int make_key(char *key, size_t size, const char *folder, const char *path) {
  char stem[NAME_MAX + 1];
  if (strlen(set_base(path)) > NAME_MAX) return -1;
  set_stem(stem, sizeof stem, path);
  const int n = snprintf(key, size, "%s/%s", folder, stem);
  for (char *c = key; *c; c++) *c = (char)tolower((unsigned char)*c);
  return n < (int)size ? 0 : -1;
}

static int on_line(void *arg, char *line, long number, um_error *err) {
  list *l = arg;
  char key[PATH_MAX], room[PATH_MAX], *part[SET_DEPTH_MAX + 2], b[100];
  char *path = line + 1 + strspn(line + 1, " \t");
  for (char *c = path; *c; c++)
    if (*c == '\\') *c = '/';
  if ((line[0] != '0' && line[0] != '1') || path == line + 1)
    return um_fail(err, UM_EFORMAT, "%s: line %ld: expected \"1 YouTube-real/00170.mp4\" (1 real, 0 fake), got \"%s\"", l->shown, number,
                   set_shown(b, sizeof b, line));
  if (set_leads_out(path))
    return um_fail(err, UM_EFORMAT, "%s: line %ld: \"%s\" %s; expected a file of the dataset", l->shown, number,
                   set_shown(b, sizeof b, path), set_leads_out(path));
  const int n = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, path), at = n > 1 ? folder_of(part[0]) : -1;
  if (at < 0 || make_key(key, sizeof key, part[0], path) < 0)
    return um_fail(err, UM_EFORMAT, "%s: line %ld: expected a video in Celeb-real, YouTube-real or Celeb-synthesis, got \"%s\"", l->shown,
                   number, set_shown(b, sizeof b, path));
  if (folders[at].label != line[0] - '0')
    return um_fail(err, UM_EFORMAT, "%s: line %ld: %c means %s in this list, but %s holds %s videos", l->shown, number, line[0],
                   um_label_name[line[0] - '0'], folders[at].name, um_label_name[folders[at].label]);
  if ((l->count & (l->count - 1)) == 0) {
    listed *grown = l->count < INT_MAX / 2 ? realloc(l->item, (l->count ? 2 * (size_t)l->count : 1) * sizeof *grown) : NULL;
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for a list of %d videos", l->count);
    l->item = grown;
  }
  listed *item = &l->item[l->count++];
  *item = (listed){.key = strdup(key), .path = strdup(path)};
  return item->key && item->path ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for a list of %d videos", l->count);
}

static int by_key(const void *a, const void *b) { return strcmp(((const listed *)a)->key, ((const listed *)b)->key); }

/* Reads the list where there is one, sorted, each video once. */
static int read_list(list *l, set_scan *s, bool *any, um_error *err) {
  char shown[200];
  int n = 0, r = UM_OK;
  l->shown = shown;
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    if (strcasecmp(s->file[i].path, LIST) != 0) continue;
    s->file[i].seen = *any = true;
    set_shown(shown, sizeof shown, s->file[i].path);
    r = set_lines(s, s->file[i].path, on_line, l, err);
  }
  l->shown = NULL;
  if (r == UM_OK && l->count) qsort(l->item, (size_t)l->count, sizeof *l->item, by_key);
  for (int i = 0; r == UM_OK && i < l->count; i++)
    if (n && strcmp(l->item[n - 1].key, l->item[i].key) == 0) {
      free(l->item[i].key);
      free(l->item[i].path);
    } else {
      l->item[n++] = l->item[i];
    }
  if (r == UM_OK) l->count = n;
  return r;
}

/* ---- videos ---- */

static size_t digits(const char *p) { return strspn(p, "0123456789"); }

/* Takes "id12" off the front of *p with the "_" behind it; its length, 0 where it is not that. */
static size_t take_id(const char **p) {
  const size_t n = strncasecmp(*p, "id", 2) == 0 ? digits(*p + 2) : 0;
  if (n == 0 || (*p)[2 + n] != '_') return 0;
  *p += n + 3;
  return n + 2;
}

static int place(set_scan *s, um_source *item, const char *path, int folder, um_error *err) {
  char stem[NAME_MAX + 1];
  set_stem(stem, sizeof stem, path);
  const char *at = stem;
  const size_t target = folder == YOUTUBE ? 0 : take_id(&at), source = folder == YOUTUBE ? 0 : take_id(&at), number = digits(at);
  const bool good = number > 0 && at[number] == 0 && (folder == YOUTUBE || (target > 0 && (source > 0) == (folders[folder].label == 0)));
  if (good && folder == YOUTUBE) return set_group(item, err, "celebdf_youtube_%s", stem);
  if (good) return set_group(item, err, "celebdf_id%.*s", (int)target - 2, stem + 2);
  const int r = set_note(s, UM_SET_WARNING, path, "a name that does not tell its footage: taken as a group of its own", err);
  return r < 0 ? r : set_group(item, err, "%s", item->name);
}

static int take_video(set_scan *s, set_file *f, char **part, int n, int folder, list *l, bool any, um_error *err) {
  char key[PATH_MAX], stem[NAME_MAX + 1];
  const bool fake = folders[folder].label == 0;
  const char *method = fake ? folders[folder].name : "";
  set_stem(stem, sizeof stem, f->path);
  for (int i = 1; fake && i < n - 1; i++)
    if (strcasecmp(part[i], "videos") != 0) method = part[i];
  listed *hit = NULL;
  if (l->count && make_key(key, sizeof key, part[0], f->path) == 0)
    hit = bsearch(&(listed){.key = key}, l->item, (size_t)l->count, sizeof *l->item, by_key);
  if (hit) hit->there = true;
  um_source *item = set_take(s, f, folders[folder].label, "", err);
  if (!item) return UM_ENOMEM;
  int r = UM_OK;
  if (folder == YOUTUBE)
    r = set_name(item, err, "celebdf_youtube_%s", stem);
  else if (fake && method != folders[folder].name)
    r = set_name(item, err, "celebdf_%s_%s", method, stem);
  else
    r = set_name(item, err, "celebdf_%s", stem);
  if (r == UM_OK) r = set_describe(item, method, "", hit ? "test" : any ? "train" : "", err);
  return r == UM_OK ? place(s, item, f->path, folder, err) : r;
}

static int read(set_scan *s, um_error *err) {
  char room[PATH_MAX], *part[SET_DEPTH_MAX + 2], shown[200];
  list l = {0};
  bool any = false;
  int r = read_list(&l, s, &any, err);
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    if (f->ending != UM_ENDING_VIDEO) continue;
    const int n = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, f->path), folder = n > 1 ? folder_of(part[0]) : -1;
    if (folder >= 0) r = take_video(s, f, part, n, folder, &l, any, err);
  }
  if (r == UM_OK && s->out->count == 0)
    r = um_fail(err, UM_EFORMAT, "%s: expected videos in Celeb-real, YouTube-real and Celeb-synthesis, found none",
                set_shown(shown, sizeof shown, s->dir));
  if (r == UM_OK && !any) r = set_note(s, UM_SET_WARNING, LIST, "not there: nothing tells which videos are the part test", err);
  for (int i = 0; r == UM_OK && i < l.count; i++)
    if (!l.item[i].there && set_listed(s->o->part, "test")) r = set_note(s, UM_SET_MISSING, l.item[i].path, "named in " LIST, err);
  for (int i = 0; i < l.count; i++) {
    free(l.item[i].key);
    free(l.item[i].path);
  }
  free(l.item);
  return r;
}

const set_layout set_celebdf = {.kind = "celebdf", .recognize = recognize, .skip = skip, .read = read};
