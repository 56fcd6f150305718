/* What the readers of datasets share (data/sets). A reader looks at the files of the tree by their paths from the dataset's folder, takes
 * those that are sources, and says of the others why not; what it leaves untouched is noted for it. */
#ifndef UM_DATA_SETS_SCAN_H
#define UM_DATA_SETS_SCAN_H

#include "data/sets/sets.h"

#define SET_DEPTH_MAX 64                 /* folders in folders */
#define SET_FILES_MAX (1 << 26)          /* files below the folder */
#define SET_JSON_MAX  ((size_t)32 << 20) /* bytes; cJSON takes up to some 30 times that */
#define SET_LIST_MAX  ((size_t)16 << 20)

typedef struct set_file {
  char *path; /* from the dataset's folder */
  um_ending ending;
  bool seen; /* taken, read or noted */
} set_file;

/* Footage that must stay together, by groups: everything that was made from or with one of them. */
typedef struct set_tie {
  char *child, *parent;
} set_tie;

typedef struct set_scan {
  const char *dir;
  const char *list; /* a CSV that was given itself: its name in dir; NULL */
  const um_set_options *o;
  um_sources *out;
  um_set_report *report;
  set_file *file; /* by path */
  int files;
  set_tie *tie;
  int ties;
} set_scan;

typedef struct set_layout {
  const char *kind;
  const struct set_layout *instead; /* another one that it looks like, less said: not recognized beside it */
  /* What in this folder tells that it is one, for people; NULL: nothing. `top` are the names of what lies in it. */
  const char *(*recognize)(const char *dir, char *const *top, int tops);
  /* Why a folder need not be looked into; NULL: it must. */
  const char *(*skip)(const set_scan *s, const char *path);
  int (*read)(set_scan *s, um_error *err);
} set_layout;
extern const set_layout set_dfdc, set_ffpp, set_celebdf, set_deeperforensics, set_uadfv, set_folders, set_csv;

/* ---- the tree (tree.c) ---- */

int set_walk(set_scan *s, const char *(*skip)(const set_scan *s, const char *path), um_error *err);
set_file *set_find(const set_scan *s, const char *path);
/* Names in a folder, hidden ones too, sorted; free with set_names_free. */
int set_names(char ***name, int *count, const char *folder, um_error *err);
void set_names_free(char **name, int count);

/* ---- results (scan.c) ---- */

/* NULL: no memory (err is set). The path is from the dataset's folder; label -1 is noted as unlabelled, for this reason. */
um_source *set_take(set_scan *s, set_file *f, int label, const char *unlabelled_why, um_error *err);
int set_describe(um_source *item, const char *method, const char *quality, const char *part, um_error *err);
int set_name(um_source *item, um_error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
int set_group(um_source *item, um_error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
int set_note(set_scan *s, um_set_fate fate, const char *what, const char *why, um_error *err);
bool set_wanted(const set_scan *s, int label, const char *method, const char *quality, const char *part); /* by the options */
int set_ignore(set_scan *s, set_file *f, const char *why, um_error *err);

/* ---- groups that belong together (ties.c) ---- */

/* Whatever a chain of ties links becomes one group; it takes the name of its first parent that is nobody's child, by strcmp. */
int set_tie_groups(set_scan *s, const char *child, const char *parent, um_error *err);
int set_ties_apply(set_scan *s, um_error *err);

/* ---- lists (lists.c) ---- */

/* Calls back for each line of a text file of the tree (its name from the dataset's folder), without its end and the blanks around it;
 * empty ones are passed over. UM_EFORMAT for what is no text, or a line longer than any path. */
typedef int set_on_line(void *arg, char *line, long number, um_error *err);
int set_lines(const set_scan *s, const char *file, set_on_line *on_line, void *arg, um_error *err);

/* ---- words (words.c) ---- */

/* "train", "val" or "test" for what datasets call them; NULL: it is none of them. */
const char *set_part(const char *text);
/* The nearest folder of the path that is called like a part; "". */
const char *set_part_of_path(const char *path);
/* The file's name in a path; the path's last part without its ending into stem. */
const char *set_base(const char *path);
void set_stem(char *stem, size_t size, const char *path);
/* The path's folders and file, at most `max` of them; they point into `room`, a copy. The number, or -1 where there are more or one is too long. */
int set_split(char *part[], int max, char *room, size_t size, const char *path);
bool set_listed(const char *list, const char *word); /* in "a,b,c", in any case; NULL holds all */
/* For messages: without control characters, the middle of long ones left out. The result is buffer. */
const char *set_shown(char *buffer, size_t size, const char *text);
/* NULL where the path stays below its folder, else what is wrong with it: it is empty, absolute, or has a ".." in it. */
const char *set_leads_out(const char *path);

#endif
