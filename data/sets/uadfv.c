/* UADFV (Yang, Li and Lyu 2019): real/0000.mp4 to 0048.mp4 and fake/0000_fake.mp4, made of the same number. The group is the number. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "data/sets/scan.h"

/* "0012" or "0012_fake": the length of the number; 0 where it is neither. */
static int number_of(const char *stem, bool *fake) {
  const size_t n = strspn(stem, "0123456789");
  *fake = strcasecmp(stem + n, "_fake") == 0;
  return n == 4 && (*fake || !stem[n]) ? (int)n : 0;
}

static const char *recognize(const char *dir, char *const *top, int tops) {
  for (int i = 0; i < tops; i++) {
    char path[PATH_MAX], stem[NAME_MAX + 1], **name;
    int n;
    bool found = false, fake;
    if (um_label_parse(top[i]) != 0 || um_path_join(path, sizeof path, dir, top[i], NULL) < 0 || set_names(&name, &n, path, NULL) < 0)
      continue;
    for (int k = 0; k < n && !found; k++) {
      set_stem(stem, sizeof stem, name[k]);
      found = um_ending_of(name[k]) == UM_ENDING_VIDEO && number_of(stem, &fake) && fake;
    }
    set_names_free(name, n);
    if (found) return "fake/NNNN_fake.mp4";
  }
  return NULL;
}

static int read(set_scan *s, um_error *err) {
  char room[PATH_MAX], *part[SET_DEPTH_MAX + 2], stem[NAME_MAX + 1], shown[200];
  int r = UM_OK;
  for (int i = 0; r == UM_OK && i < s->files; i++) {
    set_file *f = &s->file[i];
    bool fake;
    if (f->ending != UM_ENDING_VIDEO) continue;
    const int n = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, f->path), label = n > 1 ? um_label_parse(part[0]) : -1;
    set_stem(stem, sizeof stem, f->path);
    const int digits = number_of(stem, &fake);
    if (label < 0) continue;
    if (!digits || fake != (label == 0)) {
      r = set_ignore(s, f, "not called like UADFV's videos (real/0000.mp4, fake/0000_fake.mp4)", err);
      continue;
    }
    um_source *item = set_take(s, f, label, "", err);
    if (!item) return UM_ENOMEM;
    if ((r = set_name(item, err, "uadfv_%s", stem)) == UM_OK && (r = set_group(item, err, "uadfv_%.*s", digits, stem)) == UM_OK)
      r = set_describe(item, fake ? "uadfv" : "", "", "", err);
  }
  if (r == UM_OK && s->out->count == 0)
    r = um_fail(err, UM_EFORMAT, "%s: expected real/0000.mp4 and fake/0000_fake.mp4, found none such",
                set_shown(shown, sizeof shown, s->dir));
  return r;
}

const set_layout set_uadfv = {.kind = "uadfv", .instead = &set_folders, .recognize = recognize, .read = read};
