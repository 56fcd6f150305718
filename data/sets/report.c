/* What was found, in words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/sets/scan.h"

enum { WIDTH = 80, EXAMPLES = 3 };

void um_set_report_free(um_set_report *r) {
  for (int i = 0; i < r->notes; i++) free(r->note[i].what);
  free(r->note);
  free(r->dir);
  free(r->because);
  *r = (um_set_report){0};
}

/* Sources that are alike but for the file. */
static int alike(const um_source *a, const um_source *b) {
  int order = strcmp(a->method, b->method);
  if (!order) order = strcmp(a->quality, b->quality);
  if (!order) order = strcmp(a->part, b->part);
  return order ? order : a->label - b->label;
}

static int by_kind(const void *a, const void *b) { return alike(*(const um_source *const *)a, *(const um_source *const *)b); }

static int by_group(const void *pa, const void *pb) {
  const um_source *a = *(const um_source *const *)pa, *b = *(const um_source *const *)pb;
  const int order = strcmp(a->group, b->group);
  return order ? order : strcmp(a->part, b->part);
}

static void row(FILE *f, const char *label, const char *method, const char *quality, const char *part, int count) {
  char a[32], b[32];
  fprintf(f, "  %-10s %-28s %-20s %-5s %10d\n", label, set_shown(a, 29, method), set_shown(b, 21, quality), part, count);
}

static void table(FILE *f, const um_source **s, int n) {
  if (n) qsort(s, (size_t)n, sizeof *s, by_kind);
  fprintf(f, "  %-10s %-28s %-20s %-5s %10s\n", "label", "method", "quality", "part", "sources");
  for (int i = 0, from = 0; i < n; i++) {
    if (i + 1 < n && alike(s[i], s[i + 1]) == 0) continue;
    row(f, s[i]->label < 0 ? "unlabelled" : um_label_name[s[i]->label], s[i]->method, s[i]->quality, s[i]->part, i + 1 - from);
    from = i + 1;
  }
}

/* A sentence, broken between words; lines after the first are set in by two blanks. */
static void sentence(FILE *f, const char *text) {
  size_t column = 0;
  while (*text) {
    const size_t n = strcspn(text, " ");
    if (column && column + 1 + n > WIDTH)
      column = (size_t)fprintf(f, "\n  %.*s", (int)n, text) - 1;
    else
      column += (size_t)fprintf(f, "%s%.*s", column ? " " : "", (int)n, text);
    text += n + (text[n] == ' ');
  }
  fprintf(f, "\n");
}

/* Groups, and how many of them stand in more than one part. */
static void groups(FILE *f, const um_source **s, int n) {
  int count = 0, torn = 0;
  const char *example = NULL;
  char shown[32], text[256];
  if (n) qsort(s, (size_t)n, sizeof *s, by_group);
  for (int i = 0, from = 0; i < n; i++) {
    if (i + 1 < n && strcmp(s[i]->group, s[i + 1]->group) == 0) continue;
    count++;
    if (strcmp(s[from]->part, s[i]->part) != 0) {
      if (!torn++) example = s[from]->group;
    }
    from = i + 1;
  }
  if (torn)
    snprintf(text, sizeof text, "%d group%s of footage; %d of them in more than one part (such as %s), so these parts are no clean split",
             count, count == 1 ? "" : "s", torn, set_shown(shown, sizeof shown, example));
  else
    snprintf(text, sizeof text, "%d group%s of footage", count, count == 1 ? "" : "s");
  sentence(f, text);
}

static void notes(FILE *f, const um_set_report *r) {
  static const char *const fate[UM_SET_FATES] = {"missing", "unlabelled", "ignored", "left out", "to look at"};
  char shown[WIDTH - 3], text[256];
  for (int i = 0, from = 0; i < r->notes; i++) {
    const um_set_note *note = &r->note[i];
    if (i + 1 < r->notes && r->note[i + 1].fate == note->fate && strcmp(r->note[i + 1].why, note->why) == 0) continue;
    snprintf(text, sizeof text, "%s: %d: %s", fate[note->fate], i + 1 - from, note->why);
    sentence(f, text);
    for (int k = from; k <= i && k < from + EXAMPLES; k++) fprintf(f, "    %s\n", set_shown(shown, sizeof shown, r->note[k].what));
    if (i + 1 - from > EXAMPLES) fprintf(f, "    ... and %d more\n", i + 1 - from - EXAMPLES);
    from = i + 1;
  }
}

int um_set_report_text(char **text, const um_sources *s, const um_set_report *r, um_error *err) {
  size_t size = 0;
  char shown[WIDTH];
  *text = NULL;
  const um_source **by = calloc((size_t)s->count + 1, sizeof *by);
  FILE *f = by ? open_memstream(text, &size) : NULL;
  if (f) {
    for (int i = 0; i < s->count; i++) by[i] = &s->item[i];
    fprintf(f, "%s\n  read as %s", set_shown(shown, sizeof shown, r->dir), r->kind);
    if (r->because) fprintf(f, " (found %s there)", r->because);
    fprintf(f, ": %d source%s\n", s->count, s->count == 1 ? "" : "s");
    if (s->count) table(f, by, s->count);
    if (s->count) groups(f, by, s->count);
    notes(f, r);
  }
  free(by);
  const bool good = f && !ferror(f);
  if ((f && fclose(f) != 0) || !good) {
    free(*text);
    *text = NULL;
    return um_fail(err, UM_ENOMEM, "no memory for the summary");
  }
  return UM_OK;
}
