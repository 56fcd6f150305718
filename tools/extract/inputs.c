/* What there is to do: the files or the dataset of the command line, and what an earlier run has done of them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/log.h"
#include "tools/extract/extract.h"

/* Moves the sources of `from` behind those of `to`. */
static int append(um_sources *to, um_sources *from, um_error *err) {
  size_t room = 1; /* of a list of sources: a power of two */
  while (room < (size_t)(to->count + from->count)) room *= 2;
  um_source *more = realloc(to->item, room * sizeof *more);
  if (!more) return um_fail(err, UM_ENOMEM, "no memory for %d inputs", to->count + from->count);
  to->item = more;
  if (from->count) memcpy(to->item + to->count, from->item, (size_t)from->count * sizeof *more);
  to->count += from->count;
  free(from->item);
  *from = (um_sources){0};
  return UM_OK;
}

static int add_missing(inputs *in, const um_set_report *r, um_error *err) {
  const size_t room = (size_t)(in->missings + r->count[UM_SET_MISSING]) + 1;
  char path[4096];
  void *more;
  if (!(more = realloc(in->missing, room * sizeof *in->missing))) goto no_memory;
  in->missing = more;
  if (!(more = realloc(in->why, room * sizeof *in->why))) goto no_memory;
  in->why = more;
  for (int i = 0; i < r->notes; i++) {
    if (r->note[i].fate != UM_SET_MISSING || um_path_join(path, sizeof path, r->dir, r->note[i].what, NULL) < 0) continue;
    if (!(in->missing[in->missings] = strdup(path))) goto no_memory;
    in->why[in->missings++] = r->note[i].why;
  }
  return UM_OK;
no_memory:
  return um_fail(err, UM_ENOMEM, "%s: no memory for what is missing", r->dir);
}

/* Several folders of one kind, as DFDC's parts may lie, are one dataset. */
static int scan(inputs *in, const options *o, const char *const *path, int paths, um_error *err) {
  int r = UM_OK;
  for (int i = 0; i < paths && r == UM_OK; i++) {
    um_sources part;
    um_set_report report;
    char *text = NULL;
    if ((r = um_sets_scan(&part, &report, o->dataset, path[i], &o->set, err)) < 0) break;
    if ((r = um_set_report_text(&text, &part, &report, err)) == UM_OK) printf("%s", text);
    free(text);
    if (r == UM_OK) r = add_missing(in, &report, err);
    if (r == UM_OK) r = append(&in->sources, &part, err);
    um_sources_free(&part);
    um_set_report_free(&report);
  }
  fflush(stdout);
  return r == UM_OK && paths > 1 ? um_sources_settle(&in->sources, err) : r;
}

/* Crops of an earlier run are no inputs, also where OUT lies among these. */
static void leave_out_own(um_sources *s, const char *out, const char *const *path, int paths) {
  char own[PATH_MAX], real[PATH_MAX];
  bool inside = false;
  int kept = 0;
  if (!realpath(out, own)) return;
  const size_t n = strlen(own);
  for (int i = 0; i < paths; i++)
    inside |= realpath(path[i], real) && strncmp(own, real, strlen(real)) == 0 &&
              (own[strlen(real)] == '/' || strcmp(real, "/") == 0 || !own[strlen(real)]);
  if (!inside) return;
  for (int i = 0; i < s->count; i++)
    if (realpath(s->item[i].path, real) && strncmp(real, own, n) == 0 && real[n] == '/')
      um_source_free(&s->item[i]);
    else
      s->item[kept++] = s->item[i];
  s->count = kept;
}

int inputs_collect(inputs *in, const options *o, const char *const *path, int paths, um_error *err) {
  int r;
  *in = (inputs){0};
  if (o->dataset) {
    r = scan(in, o, path, paths, err);
  } else if ((r = um_sources_collect(&in->sources, path, paths, err)) == UM_OK) {
    if (o->labels)
      r = um_sources_label_metadata(&in->sources, o->labels, err);
    else if (o->label >= 0)
      um_sources_label_all(&in->sources, o->label);
    else
      um_sources_label_folders(&in->sources);
  }
  if (r == UM_OK) leave_out_own(&in->sources, o->out, path, paths);
  if (r == UM_OK && in->sources.count == 0)
    r = um_fail(err, UM_EIO, "%s: no videos or pictures in it%s", path[0], o->dataset ? " that are wanted" : "");
  if (r < 0) inputs_free(in);
  return r;
}

void inputs_free(inputs *in) {
  for (int i = 0; i < in->missings; i++) free(in->missing[i]);
  free(in->missing);
  free(in->why);
  free(in->item);
  free(in->order);
  um_sources_free(&in->sources);
  *in = (inputs){0};
}

/* ---- names ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_text_key(const void *key, const void *b) { return strcmp(key, *(char *const *)b); }

/* An input that the ledger knows keeps its name there; another one whose name is taken there gets a new one: "a-2". */
static int settle_names(um_sources *s, const store *ledger, um_error *err) {
  const char **name = malloc(((size_t)s->count + (size_t)ledger->entries + 1) * sizeof *name);
  int n = 0, r = UM_OK;
  if (!name) return um_fail(err, UM_ENOMEM, "no memory for %d names", s->count);
  for (int i = 0; i < ledger->entries; i++)
    if (*line_field(ledger->entry[i].line, L_NAME)) name[n++] = line_field(ledger->entry[i].line, L_NAME);
  const int known = n;
  if (known) qsort(name, (size_t)known, sizeof *name, by_text);
  /* What other inputs are called must stay theirs, too. */
  char **others = malloc(((size_t)s->count + 1) * sizeof *others);
  if (!others) {
    free(name);
    return um_fail(err, UM_ENOMEM, "no memory for %d names", s->count);
  }
  for (int i = 0; i < s->count; i++) others[i] = strdup(s->item[i].name);
  for (int i = 0; i < s->count; i++)
    if (!others[i]) r = um_fail(err, UM_ENOMEM, "no memory for %d names", s->count);
  if (r == UM_OK && s->count) qsort(others, (size_t)s->count, sizeof *others, by_text);
  for (int i = 0; i < s->count && r == UM_OK; i++) {
    um_source *item = &s->item[i];
    const entry *e = store_find(ledger, item->path);
    char *to = NULL;
    if (e && *line_field(e->line, L_NAME)) {
      to = strdup(line_field(e->line, L_NAME));
    } else {
      if (!known || !bsearch(item->name, name, (size_t)known, sizeof *name, by_text_key)) continue;
      for (int number = 2;; number++) {
        free(to);
        if (asprintf(&to, "%s-%d", item->name, number) < 0) to = NULL;
        if (!to || (!bsearch(to, name, (size_t)known, sizeof *name, by_text_key) &&
                    !bsearch(to, others, (size_t)s->count, sizeof *others, by_text_key)))
          break;
      }
    }
    if (!to || (strcmp(item->group, item->name) == 0 && um_source_set(&item->group, to) < 0)) /* a group that was but the name */
      r = um_fail(err, UM_ENOMEM, "no memory for %d names", s->count);
    if (r == UM_OK) free(item->name), item->name = to;
    if (r < 0) free(to);
  }
  for (int i = 0; i < s->count; i++) free(others[i]);
  free(others);
  free(name);
  return r;
}

/* ---- the ledger ---- */

void ledger_begin(draft *d, const um_source *s, const char *what, const char *reason) {
  draft_add(d, "%s", s->path);
  draft_add(d, "%s", s->label < 0 ? "" : um_label_name[s->label]);
  draft_add(d, "%s", s->group);
  draft_add(d, "%s", what);
  draft_add(d, "%s", reason);
}

void ledger_end(draft *d, const input *in) {
  const um_source *s = in->source;
  draft_add(d, "%lld", (long long)in->size);
  draft_add(d, "%s", in->mtime);
  draft_add(d, "%s", s->name);
  draft_add(d, "%s", s->dataset);
  draft_add(d, "%s", s->method);
  draft_add(d, "%s", s->part);
  draft_add(d, "%s", s->quality);
}

/* The line of an input of which nothing was read. */
static char *bare_line(draft *d, const input *in, outcome st, const char *reason, um_error *err) {
  ledger_begin(d, in->source, outcome_name[st], reason);
  for (int i = L_FRAMES; i < L_SIZE; i++) draft_add(d, "%s", "");
  ledger_end(d, in);
  return draft_line(d, err);
}

/* An earlier run's line, with what is known of the input now. */
static char *same_line(draft *d, const input *in, const char *old, um_error *err) {
  ledger_begin(d, in->source, line_field(old, L_STATUS), line_field(old, L_REASON));
  for (int i = L_FRAMES; i < L_SIZE; i++) draft_add(d, "%s", line_field(old, i));
  ledger_end(d, in);
  return draft_line(d, err);
}

/* Its crops likewise: the same pictures, of another group, say. */
static int same_crops(draft *d, const um_source *s, entry *e, um_error *err) {
  for (int i = 0; i < e->crops; i++) {
    for (int k = 0; k < M_COLUMNS; k++)
      draft_add(d, "%s",
                k == M_GROUP     ? s->group
                : k == M_DATASET ? s->dataset
                : k == M_METHOD  ? s->method
                : k == M_PART    ? s->part
                : k == M_QUALITY ? s->quality
                                 : line_field(e->crop[i], k));
    char *line = draft_line(d, err);
    if (!line) return err->code;
    free(e->crop[i]);
    e->crop[i] = line;
  }
  return UM_OK;
}

static bool facts_differ(const um_source *s, const char *line) {
  return strcmp(s->group, line_field(line, L_GROUP)) != 0 || strcmp(s->dataset, line_field(line, L_DATASET)) != 0 ||
         strcmp(s->method, line_field(line, L_METHOD)) != 0 || strcmp(s->part, line_field(line, L_PART)) != 0 ||
         strcmp(s->quality, line_field(line, L_QUALITY)) != 0;
}

static bool is_done(const char *line) {
  const outcome st = outcome_of(line);
  return st == DONE || st == NO_FACE;
}

/* Finished by an earlier run, and neither the file nor its label has changed since. */
static bool finished(const input *in, const char *line) {
  char size[32];
  snprintf(size, sizeof size, "%lld", (long long)in->size);
  return is_done(line) && strcmp(line_field(line, L_SIZE), size) == 0 && strcmp(line_field(line, L_MTIME), in->mtime) == 0 &&
         strcmp(line_field(line, L_LABEL), um_label_name[in->source->label]) == 0;
}

/* What is not known now, but was when the input was done. */
static int recall(um_source *s, const char *line, um_error *err) {
  if (s->label >= 0) return UM_OK;
  s->label = um_label_parse(line_field(line, L_LABEL));
  if (s->label < 0) return UM_OK;
  const struct {
    char **to;
    int column;
  } facts[] = {{&s->group, L_GROUP}, {&s->dataset, L_DATASET}, {&s->method, L_METHOD}, {&s->part, L_PART}, {&s->quality, L_QUALITY}};
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
    if (um_source_set(facts[i].to, line_field(line, facts[i].column)) < 0) return um_fail(err, UM_ENOMEM, "%s: no memory", s->path);
  return UM_OK;
}

/* The line for one input, NULL with err set, or NULL without where it stays. */
static char *decide(input *in, inputs *all, const options *o, store *s, draft *d, um_error *err) {
  entry *e = store_find(s, in->source->path);
  struct stat st;
  err->code = UM_OK;
  if (stat(in->source->path, &st) != 0) {
    const int e_no = errno;
    if (e && is_done(e->line)) { /* the video was removed, its crops are here */
      all->before++;
      return NULL;
    }
    return bare_line(d, in, e_no == ENOENT || e_no == ENOTDIR ? MISSING : UNREADABLE, strerror(e_no), err);
  }
  in->size = st.st_size;
  snprintf(in->mtime, sizeof in->mtime, "%lld.%09ld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  if (in->source->label < 0)
    return bare_line(
        d, in, UNLABELLED,
        o->labels || o->dataset ? "the metadata does not say whether it is fake or real" : "not known whether it is fake or real", err);
  if (e && !o->force && finished(in, e->line)) {
    all->before++;
    if (!facts_differ(in->source, e->line)) return NULL;
    return same_crops(d, in->source, e, err) < 0 ? NULL : same_line(d, in, e->line, err);
  }
  in->todo = true;
  all->todo++;
  return bare_line(d, in, UNFINISHED, "", err);
}

static int longest_first(const void *pa, const void *pb, void *arg) {
  const input *item = arg;
  const int a = *(const int *)pa, b = *(const int *)pb;
  if (item[a].size != item[b].size) return item[a].size > item[b].size ? -1 : 1;
  return a - b;
}

int inputs_plan(inputs *in, const options *o, store *s, um_error *err) {
  const int count = in->sources.count;
  draft *d = calloc(1, sizeof *d);
  char **line = calloc((size_t)count + (size_t)in->missings + 1, sizeof *line);
  int lines = 0, r = settle_names(&in->sources, s, err);
  in->item = calloc((size_t)count + 1, sizeof *in->item);
  in->order = malloc(((size_t)count + 1) * sizeof *in->order);
  if (r == UM_OK && (!d || !line || !in->item || !in->order)) r = um_fail(err, UM_ENOMEM, "no memory for %d inputs", count);
  in->count = count;
  for (int i = 0; i < count && r == UM_OK; i++) {
    const entry *e = store_find(s, in->sources.item[i].path);
    in->item[i].source = &in->sources.item[i];
    if (e && (r = recall(&in->sources.item[i], e->line, err)) < 0) break;
    char *made = decide(&in->item[i], in, o, s, d, err);
    if (made)
      line[lines++] = made;
    else
      r = err->code;
  }
  for (int i = 0; i < in->missings && r == UM_OK; i++) {
    const um_source absent = {
        .path = in->missing[i], .name = "", .label = -1, .group = "", .dataset = "", .method = "", .part = "", .quality = ""};
    const input missing = {.source = &absent};
    const entry *e = store_find(s, in->missing[i]);
    if (e && is_done(e->line)) continue;
    if (!(line[lines] = bare_line(d, &missing, MISSING, in->why[i], err)))
      r = err->code;
    else
      lines++;
  }
  if (r == UM_OK)
    r = store_put(s, line, lines, err);
  else
    for (int i = 0; i < lines; i++) free(line[i]);
  for (int i = 0, n = 0; i < count && r == UM_OK; i++)
    if (in->item[i].todo) in->order[n++] = i;
  /* With several at once the largest come first, so that none of them is begun when all others are through. */
  if (r == UM_OK && o->jobs > 1) qsort_r(in->order, (size_t)in->todo, sizeof *in->order, longest_first, in->item);
  free(line);
  free(d);
  return r;
}
