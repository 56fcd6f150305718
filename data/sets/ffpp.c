/* FaceForensics++ (Rossler et al. 2019) with FaceShifter and DeepFakeDetection:
 *   original_sequences/{youtube,actors}/{raw,c23,c40}/videos/004.mp4, 01__scene.mp4
 *   manipulated_sequences/METHOD/{raw,c23,c40}/videos/TARGET_SOURCE.mp4, TARGET_SOURCE__scene__ID.mp4 (of actors)
 * or, as others hand it on, METHOD/TARGET_SOURCE.mp4 and original/004.mp4 alone; and, anywhere, its split files train.json, val.json, test.json: [["071", "054"], ...]. Without them the makers' split is known by heart.
 *
 * Groups: in a pair either face is on the other's video, so that a pair is one group (footage.h); of actors it is the target, whose
 * body and room are seen. A fake of videos that are no pair ties the two pairs together, as do pairs of split files that are not the makers'. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "data/sets/footage.h"
#include "data/sets/scan.h"

enum { VIDEOS = 1000 };

/* What the split files say. */
typedef struct split {
  const char *part[VIDEOS]; /* NULL: nothing */
  int partner[VIDEOS];      /* -1: none */
  bool any;
} split;

static const char *const methods[] = {"Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter", "DeepFakeDetection"};

static const char *const actors_method = "DeepFakeDetection";

/* The makers' spelling of one of their methods; NULL. */
static const char *known_method(const char *folder) {
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcasecmp(folder, methods[i]) == 0) return methods[i];
  return NULL;
}

static const char *recognize(const char *dir, char *const *top, int tops) {
  const char *found = NULL;
  char path[PATH_MAX];
  bool deeper = false;
  for (int i = 0; i < tops; i++) {
    if (strcasecmp(top[i], "manipulated_sequences") == 0) return "manipulated_sequences";
    if (strcasecmp(top[i], "original_sequences") == 0) found = "original_sequences";
    if (strncasecmp(top[i], "manipulated_videos", 18) == 0) deeper = true;
    if (!known_method(top[i]) || um_path_join(path, sizeof path, dir, top[i], NULL) < 0) continue;
    if (um_is_folder(path) && !found) found = known_method(top[i]);
  }
  return deeper ? NULL : found; /* original sequences alone are lent to DeeperForensics */
}

static const char *skip(const set_scan *s, const char *path) {
  const char *name = set_base(path);
  (void)s;
  if (strcasecmp(name, "masks") == 0) return "masks of what was changed, not videos of faces";
  if (strcasecmp(name, "models") == 0) return "models, not videos";
  if (strcasecmp(name, "images") == 0 || strcasecmp(name, "frames") == 0) return "single frames; the videos are what is read";
  if (strncasecmp(path, "downloaded_videos", 17) == 0 && !strchr(path, '/')) return "what the original sequences were cut from";
  return NULL;
}

/* "raw", "c23" or "c40" (raw is also called c0); NULL. */
static const char *quality_of(const char *folder) {
  static const char *const known[] = {"raw", "c23", "c40"};
  if (strcasecmp(folder, "c0") == 0) return "raw";
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcasecmp(folder, known[i]) == 0) return known[i];
  return NULL;
}

/* What the folders of a video say. */
typedef struct origin {
  const char *method; /* "youtube" and "actors" of real ones */
  const char *quality;
  bool fake;
} origin;

/* NULL, or why a video does not belong there. part: the n parts of its path. */
static const char *origin_of(origin *o, const set_scan *s, char **part, int n) {
  static const char elsewhere[] = "a video, but not where FaceForensics++ has its own";
  *o = (origin){.method = "youtube", .quality = ""};
  if (n == 2 && (known_method(part[0]) || strcasecmp(part[0], "original") == 0)) {
    const size_t length = strlen(s->dir);
    o->fake = known_method(part[0]);
    if (o->fake) o->method = known_method(part[0]);
    if (length > 3 && quality_of(s->dir + length - 3)) o->quality = quality_of(s->dir + length - 3); /* .../FaceForensics++_C23 */
    return NULL;
  }
  if (n < 4 || n > 5 || strcasecmp(part[n - 2], "videos") != 0) return elsewhere;
  o->fake = strcasecmp(part[0], "manipulated_sequences") == 0;
  if (!o->fake && strcasecmp(part[0], "original_sequences") != 0) return elsewhere;
  if (n == 4 && o->fake) return elsewhere; /* early downloads have original_sequences/c23/videos, without youtube */
  if (n == 5) o->method = known_method(part[1]) ? known_method(part[1]) : part[1];
  o->quality = quality_of(part[n - 3]);
  return o->quality ? NULL : "in a folder that is not called raw, c23 or c40";
}

/* ---- split files ---- */

static int video_of(const cJSON *v) {
  if (cJSON_IsNumber(v))
    return v->valuedouble >= 0 && v->valuedouble < VIDEOS && v->valuedouble == (int)v->valuedouble ? (int)v->valuedouble : -1;
  if (!cJSON_IsString(v) || strlen(v->valuestring) != 3) return -1;
  for (int i = 0; i < 3; i++)
    if (!isdigit((unsigned char)v->valuestring[i])) return -1;
  return atoi(v->valuestring);
}

static int read_split(split *p, const set_scan *s, const char *file, const char *part, um_error *err) {
  char path[PATH_MAX], shown[200], *text = NULL;
  cJSON *root = NULL;
  int r = um_path_join(path, sizeof path, s->dir, file, err);
  if (r == UM_OK) r = um_file_read(&text, NULL, path, SET_JSON_MAX, err);
  if (r < 0) return r;
  set_shown(shown, sizeof shown, path);
  if (!(root = cJSON_ParseWithOpts(text, NULL, true)) || !cJSON_IsArray(root))
    r = um_fail(err, UM_EFORMAT, "%s: expected a split of FaceForensics++, [[\"071\", \"054\"], ...]", shown);
  int number = 0;
  for (const cJSON *c = root ? root->child : NULL; r == UM_OK && c; c = c->next) {
    const int pair[2] = {cJSON_IsArray(c) ? video_of(cJSON_GetArrayItem(c, 0)) : -1,
                         cJSON_IsArray(c) ? video_of(cJSON_GetArrayItem(c, 1)) : -1};
    number++;
    if (pair[0] < 0 || pair[1] < 0 || pair[0] == pair[1] || c->child->next->next)
      r = um_fail(err, UM_EFORMAT, "%s: entry %d: expected a pair of videos, [\"071\", \"054\"]", shown, number);
    for (int i = 0; r == UM_OK && i < 2; i++) {
      const int video = pair[i], other = pair[1 - i];
      if (p->part[video] && strcmp(p->part[video], part) != 0)
        r = um_fail(err, UM_EFORMAT, "%s: video %03d is in another part too, %s; expected each in one", shown, video, p->part[video]);
      else if (p->partner[video] >= 0 && p->partner[video] != other)
        r = um_fail(err, UM_EFORMAT, "%s: video %03d is in two pairs, with %03d and %03d; expected each in one", shown, video,
                    p->partner[video], other);
      p->part[video] = part;
      p->partner[video] = other;
      p->any = true;
    }
  }
  cJSON_Delete(root);
  free(text);
  return r;
}

static int read_splits(split *p, set_scan *s, um_error *err) {
  static const char *const name[] = {"train.json", "val.json", "test.json"}, *const part[] = {"train", "val", "test"};
  int r = UM_OK;
  for (int i = 0; i < VIDEOS; i++) p->partner[i] = -1;
  for (int i = 0; r == UM_OK && i < s->files; i++)
    for (int k = 0; r == UM_OK && k < 3; k++)
      if (strcasecmp(set_base(s->file[i].path), name[k]) == 0) {
        s->file[i].seen = true;
        r = read_split(p, s, s->file[i].path, part[k], err);
      }
  for (int i = 0; r == UM_OK && i < VIDEOS; i++) {
    char a[16], b[16];
    if (p->partner[i] < i) continue;
    um_ffpp_group(a, i);
    um_ffpp_group(b, p->partner[i]);
    if (strcmp(a, b) != 0) r = set_tie_groups(s, strcmp(a, b) < 0 ? b : a, strcmp(a, b) < 0 ? a : b, err);
  }
  return r;
}

static const char *part_of(const split *p, int video) {
  const char *part = p->any ? p->part[video] : um_ffpp_part(video);
  return part ? part : "";
}

/* ---- videos ---- */

/* "01_02__scene__ID" or "01__scene" of the actors: the target's number into actor. */
static bool actor_of(char actor[8], const char *stem) {
  size_t n = strspn(stem, "0123456789");
  if (n == 0 || n > 4 || !strstr(stem, "__")) return false;
  snprintf(actor, 8, "%.*s", (int)n, stem);
  if (stem[n] == '_' && stem[n + 1] != '_') { /* the source */
    const size_t m = strspn(stem + n + 1, "0123456789");
    return m > 0 && strncmp(stem + n + 1 + m, "__", 2) == 0;
  }
  return strncmp(stem + n, "__", 2) == 0;
}

/* Group and part by the name. */
static int place(set_scan *s, um_source *item, const char *path, const split *p, bool fake, um_error *err) {
  char stem[NAME_MAX + 1], group[16], other[16], actor[8];
  int target, source;
  set_stem(stem, sizeof stem, path);
  const size_t n = strlen(stem);
  if (n == (fake ? 7 : 3) && um_ffpp_name(stem, &target, &source) && (source >= 0) == fake) {
    um_ffpp_group(group, target);
    const char *part = part_of(p, target);
    int r = set_group(item, err, "%s", group);
    if (r == UM_OK && fake && strcmp(part, part_of(p, source)) != 0) {
      part = "";
      r = set_note(s, UM_SET_WARNING, path, "target and source are in different parts of the split: taken without a part", err);
    }
    if (r == UM_OK) r = um_source_set(&item->part, part) < 0 ? um_fail(err, UM_ENOMEM, "no memory for a source") : UM_OK;
    if (r < 0 || !fake) return r;
    um_ffpp_group(other, source);
    const int order = strcmp(group, other);
    return order ? set_tie_groups(s, order < 0 ? other : group, order < 0 ? group : other, err) : UM_OK;
  }
  if (actor_of(actor, stem)) return set_group(item, err, "ffpp_actor_%s", actor);
  const int r = set_note(s, UM_SET_WARNING, path, "a name that does not tell its footage: taken as a group of its own", err);
  return r < 0 ? r : set_group(item, err, "%s", item->name);
}

static int take_video(set_scan *s, set_file *f, char **part, int n, const split *p, um_error *err) {
  char stem[NAME_MAX + 1];
  origin o;
  const char *why = origin_of(&o, s, part, n);
  if (why) return set_ignore(s, f, why, err);
  /* Of actors, DeepFakeDetection alone was made; of youtube, all the others. */
  const bool actors = !o.fake && strcasecmp(o.method, "actors") == 0;
  if (!o.fake && s->o->method && (actors ? !set_listed(s->o->method, actors_method) : strcasecmp(s->o->method, actors_method) == 0)) {
    f->seen = true;
    return set_note(s, UM_SET_LEFT_OUT, f->path, "real ones of which no method that was asked for was made", err);
  }
  um_source *item = set_take(s, f, o.fake ? 0 : 1, "", err);
  if (!item) return UM_ENOMEM;
  set_stem(stem, sizeof stem, f->path);
  int r = set_name(item, err, "ffpp_%s%s%s_%s", o.method, *o.quality ? "_" : "", o.quality, stem);
  if (r == UM_OK) r = set_describe(item, o.fake ? o.method : "", o.quality, "", err);
  return r == UM_OK ? place(s, item, f->path, p, o.fake, err) : r;
}

/* Videos that the split files name and that a folder of videos lacks. */
static int note_missing(set_scan *s, const split *p, um_error *err) {
  char path[PATH_MAX], room[PATH_MAX], *part[SET_DEPTH_MAX + 2];
  const char *folder = "";
  size_t length = 0;
  int r = UM_OK;
  origin o;
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    const char *at = s->file[i].path, *base = set_base(at);
    const size_t here = (size_t)(base - at);
    int target, source;
    char stem[NAME_MAX + 1];
    if (s->file[i].ending != UM_ENDING_VIDEO || (here == length && strncmp(at, folder, here) == 0)) continue;
    const int n = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, at);
    set_stem(stem, sizeof stem, at);
    if (n < 0 || origin_of(&o, s, part, n) || !um_ffpp_name(stem, &target, &source) || strlen(stem) != (o.fake ? 7 : 3)) continue;
    folder = at;
    length = here;
    for (int v = 0; r == UM_OK && v < VIDEOS; v++) {
      if (!p->part[v]) continue;
      if (o.fake)
        snprintf(path, sizeof path, "%.*s%03d_%03d%s", (int)here, at, v, p->partner[v], strrchr(base, '.'));
      else
        snprintf(path, sizeof path, "%.*s%03d%s", (int)here, at, v, strrchr(base, '.'));
      if (!set_find(s, path) && set_wanted(s, o.fake ? 0 : 1, o.method, o.quality, p->part[v]))
        r = set_note(s, UM_SET_MISSING, path, "named in the split files", err);
    }
  }
  return r;
}

static int read(set_scan *s, um_error *err) {
  char room[PATH_MAX], *part[SET_DEPTH_MAX + 2], shown[200];
  split *p = calloc(1, sizeof *p);
  int r = p ? read_splits(p, s, err) : um_fail(err, UM_ENOMEM, "no memory for a split");
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    const int n = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, f->path);
    if (n > 0 && f->ending == UM_ENDING_VIDEO) r = take_video(s, f, part, n, p, err);
  }
  if (r == UM_OK && s->out->count == 0)
    r = um_fail(err, UM_EFORMAT,
                "%s: expected videos in original_sequences/ and manipulated_sequences/METHOD/, raw, c23 or c40, videos; found none",
                set_shown(shown, sizeof shown, s->dir));
  if (r == UM_OK && p->any) r = note_missing(s, p, err);
  free(p);
  return r;
}

const set_layout set_ffpp = {.kind = "ffpp", .recognize = recognize, .skip = skip, .read = read};
