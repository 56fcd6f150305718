#include "tools/extract/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "data/csv.h"
#include "data/sources.h"

const char *const manifest_column[M_COLUMNS] = {"path",  "label", "video", "frame",   "time_s", "x",    "y",       "width", "height",
                                                "score", "track", "group", "dataset", "method", "part", "quality", "points"};
enum { COLUMNS_MAX = 32 };
enum { M_NEEDED = M_DATASET }; /* columns that every manifest of ours has had */
const char *const ledger_column[L_COLUMNS] = {"video", "label", "group",   "status",  "reason",  "frames",     "frames_without_face",
                                              "faces", "kept",  "dropped", "tracks",  "damaged", "duration_s", "seconds",
                                              "size",  "mtime", "name",    "dataset", "method",  "part",       "quality"};
const char *const outcome_name[OUTCOMES] = {"done", "no_face", "unreadable", "unlabelled", "missing", "unfinished"};

void draft_add(draft *d, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(d->text + d->used, sizeof d->text - d->used, format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof d->text - d->used)
    d->full = true;
  else
    d->used += (size_t)n + 1;
}

char *draft_line(draft *d, um_error *err) {
  char *line = d->full ? NULL : malloc(d->used);
  if (line) memcpy(line, d->text, d->used);
  if (d->full)
    um_fail(err, UM_EFORMAT, "%.60s...: a line of a CSV file would be above %zu bytes", d->text, sizeof d->text);
  else if (!line)
    um_fail(err, UM_ENOMEM, "no memory for a line of a CSV file");
  d->used = 0, d->full = false;
  return line;
}

const char *line_field(const char *line, int i) {
  while (i-- > 0) line += strlen(line) + 1;
  return line;
}

outcome outcome_of(const char *line) {
  const char *text = line_field(line, L_STATUS);
  for (int i = 0; i < OUTCOMES; i++)
    if (strcmp(text, outcome_name[i]) == 0) return i;
  return UNFINISHED;
}

void entry_free(entry *e) {
  for (int i = 0; i < e->crops; i++) free(e->crop[i]);
  free(e->crop);
  free(e->line);
  *e = (entry){0};
}

/* Room is a power of two. */
static int grow(void **item, int count, size_t size, um_error *err) {
  if ((count & (count - 1)) != 0) return UM_OK;
  void *more = realloc(*item, (count ? 2 * (size_t)count : 1) * size);
  if (!more) return um_fail(err, UM_ENOMEM, "no memory for %d lines", count);
  *item = more;
  return UM_OK;
}

int entry_add_crop(entry *e, char *line, um_error *err) {
  void *item = e->crop;
  int r = grow(&item, e->crops, sizeof *e->crop, err);
  e->crop = item;
  if (r < 0)
    free(line);
  else
    e->crop[e->crops++] = line;
  return r;
}

static int by_video(const void *a, const void *b) { return strcmp(((const entry *)a)->line, ((const entry *)b)->line); }
static int by_video_key(const void *key, const void *b) { return strcmp(key, ((const entry *)b)->line); }
static int by_line(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); } /* the first field */
static int by_line_key(const void *key, const void *b) { return strcmp(key, *(char *const *)b); }

entry *store_find(const store *s, const char *video) {
  return s->entries ? bsearch(video, s->entry, (size_t)s->entries, sizeof *s->entry, by_video_key) : NULL;
}

int store_put(store *s, char **line, int lines, um_error *err) {
  const int before = s->entries;
  int r = UM_OK, kept = 0;
  for (int i = 0; i < lines; i++) {
    entry *known = before ? bsearch(line[i], s->entry, (size_t)before, sizeof *s->entry, by_video_key) : NULL;
    void *item = s->entry;
    if (known) {
      free(known->line);
      known->line = line[i];
      continue;
    }
    if (r == UM_OK) r = grow(&item, s->entries, sizeof *s->entry, err);
    s->entry = item;
    if (r < 0)
      free(line[i]);
    else
      s->entry[s->entries++] = (entry){.line = line[i]};
  }
  if (s->entries > before) qsort(s->entry, (size_t)s->entries, sizeof *s->entry, by_video);
  for (int i = 0; i < s->entries; i++) /* the same new one twice: the first stays */
    if (kept > 0 && strcmp(s->entry[kept - 1].line, s->entry[i].line) == 0)
      entry_free(&s->entry[i]);
    else
      s->entry[kept++] = s->entry[i];
  s->entries = kept;
  return r;
}

/* Reads a CSV file whose first `needed` columns must be there, in any order; others that are missing are "". */
static int read_lines(char ***out, int *count, const char *path, const char *const *column, int columns, int needed, um_error *err) {
  um_csv *csv = NULL;
  const char *const *field;
  int r, at[COLUMNS_MAX];
  draft *d = calloc(1, sizeof *d);
  *out = NULL, *count = 0;
  if (!d) return um_fail(err, UM_ENOMEM, "%s: no memory", path);
  r = um_is_file(path) ? um_csv_open(&csv, path, err) : UM_OK;
  if (r < 0 || !csv) goto done;
  for (int i = 0; i < columns; i++) at[i] = um_csv_column(csv, column[i]);
  for (int i = 0; i < needed; i++)
    if (at[i] < 0) {
      r = um_fail(err, UM_EFORMAT, "%s: column %s: not there, so that the file is not extract's: choose another --out", path, column[i]);
      goto done;
    }
  while ((r = um_csv_next(csv, &field, err)) > 0) {
    void *item = *out;
    for (int i = 0; i < columns; i++) draft_add(d, "%s", at[i] < 0 ? "" : field[at[i]]);
    char *line = draft_line(d, err);
    if (!line) {
      r = err->code;
      break;
    }
    r = grow(&item, *count, sizeof **out, err);
    *out = item;
    if (r < 0) {
      free(line);
      break;
    }
    (*out)[(*count)++] = line;
  }
done:
  um_csv_close(csv);
  free(d);
  return r;
}

static int read_ledger(store *s, um_error *err) {
  char path[4096], **line = NULL;
  int lines = 0, r = um_path_join(path, sizeof path, s->out, "ledger.csv", err);
  if (r == UM_OK) r = read_lines(&line, &lines, path, ledger_column, L_COLUMNS, L_COLUMNS, err);
  for (int i = 0; i < lines && r == UM_OK; i++) {
    const char *name = line_field(line[i], L_NAME);
    if (strchr(name, '/') || strlen(name) > 255)
      r = um_fail(err, UM_EFORMAT, "%s: name: expected what crops' names begin with, found \"%.60s\"; choose another --out", path, name);
  }
  if (r < 0)
    for (int i = 0; i < lines; i++) free(line[i]);
  else
    r = store_put(s, line, lines, err);
  free(line);
  return r;
}

/* A line of the ledger for a video that only the manifest knows: it counts as unfinished. */
static char *line_for(const char *crop, draft *d, um_error *err) {
  const char *file = strchr(line_field(crop, M_PATH), '/') + 1, *end = strrchr(file, '_');
  while (end && end > file && *--end != '_') {} /* NAME_000001_00.png */
  for (int i = 0; i < L_COLUMNS; i++) switch (i) {
    case L_VIDEO: draft_add(d, "%s", line_field(crop, M_VIDEO)); break;
    case L_LABEL: draft_add(d, "%s", line_field(crop, M_LABEL)); break;
    case L_GROUP: draft_add(d, "%s", line_field(crop, M_GROUP)); break;
    case L_STATUS: draft_add(d, "%s", outcome_name[UNFINISHED]); break;
    case L_REASON: draft_add(d, "in the manifest, but not in the ledger"); break;
    case L_NAME: draft_add(d, "%.*s", end ? (int)(end - file) : 0, file); break;
    default: draft_add(d, "%s", "");
    }
  return draft_line(d, err);
}

static int read_manifest(store *s, um_error *err) {
  char path[4096], **line = NULL, **unknown = NULL;
  int lines = 0, unknowns = 0, r = um_path_join(path, sizeof path, s->out, "manifest.csv", err);
  draft *d = calloc(1, sizeof *d);
  if (r == UM_OK) r = read_lines(&line, &lines, path, manifest_column, M_COLUMNS, M_NEEDED, err);
  if (r == UM_OK && (!d || !(unknown = malloc(((size_t)lines + 1) * sizeof *unknown)))) r = um_fail(err, UM_ENOMEM, "%s: no memory", path);
  for (int i = 0; i < lines && r == UM_OK; i++) {
    if (!crop_path_ok(line[i]))
      r = um_fail(err, UM_EFORMAT, "%s: path: expected a crop in fake/ or real/, found \"%.60s\"; choose another --out", path, line[i]);
    else if (!store_find(s, line_field(line[i], M_VIDEO)) && !(unknown[unknowns] = line_for(line[i], d, err)))
      r = err->code;
    else if (!store_find(s, line_field(line[i], M_VIDEO)))
      unknowns++;
  }
  if (r == UM_OK)
    r = store_put(s, unknown, unknowns, err);
  else
    for (int i = 0; i < unknowns; i++) free(unknown[i]);
  for (int i = 0; i < lines; i++)
    if (r == UM_OK)
      r = entry_add_crop(store_find(s, line_field(line[i], M_VIDEO)), line[i], err);
    else
      free(line[i]);
  free(line);
  free(unknown);
  free(d);
  return r;
}

static int stage_of(char *folder, size_t size, const store *s, const char *name, um_error *err) {
  char with_ending[512];
  snprintf(with_ending, sizeof with_ending, "%s.d", name);
  return um_path_join(folder, size, s->work, with_ending, err);
}

/* Removes a stage with what is in it. */
static void remove_stage(const char *folder) {
  char path[4096];
  DIR *d = opendir(folder);
  if (!d) return;
  for (struct dirent *e; (e = readdir(d));)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && um_path_join(path, sizeof path, folder, e->d_name, NULL) == UM_OK)
      unlink(path);
  closedir(d);
  rmdir(folder);
}

void store_unstage(const store *s, const char *name) {
  char folder[4096];
  if (stage_of(folder, sizeof folder, s, name, NULL) == UM_OK) remove_stage(folder);
}

int store_stage(const store *s, char *folder, size_t size, const char *name, um_error *err) {
  int r = stage_of(folder, size, s, name, err);
  if (r == UM_OK) remove_stage(folder), r = um_mkdirs(folder, err);
  return r;
}

/* All stages of a process that is gone. */
static void remove_stages(const store *s) {
  char folder[4096];
  DIR *d = opendir(s->work);
  if (!d) return;
  for (struct dirent *e; (e = readdir(d));) {
    const size_t n = strlen(e->d_name);
    if (n > 2 && strcmp(e->d_name + n - 2, ".d") == 0 && um_path_join(folder, sizeof folder, s->work, e->d_name, NULL) == UM_OK)
      remove_stage(folder);
  }
  closedir(d);
}

/* Crops from the stage to their places; those of `old` that are not among them go. With `again` this may have been done before. */
static int place(const store *s, const entry *now, const entry *old, bool again, um_error *err) {
  char stage[4096], from[4096], to[4096];
  char **sorted = NULL;
  int r = stage_of(stage, sizeof stage, s, line_field(now->line, L_NAME), err);
  for (int i = 0; i < now->crops && r == UM_OK; i++) {
    const char *path = line_field(now->crop[i], M_PATH);
    if ((r = um_path_join(from, sizeof from, stage, strchr(path, '/') + 1, err)) < 0 ||
        (r = um_path_join(to, sizeof to, s->out, path, err)) < 0)
      break;
    if (i == 0) { /* all crops of an input have one label */
      char *slash = strrchr(to, '/');
      *slash = 0;
      if ((r = um_mkdirs(to, err)) < 0) break;
      *slash = '/';
    }
    if (rename(from, to) != 0 && !(again && errno == ENOENT))
      r = um_fail(err, UM_EIO, "%s: cannot move it to %s: %s", from, to, strerror(errno));
  }
  if (r == UM_OK && old && old->crops) {
    if (!(sorted = malloc(((size_t)now->crops + 1) * sizeof *sorted))) return um_fail(err, UM_ENOMEM, "no memory for %d crops", now->crops);
    if (now->crops) memcpy(sorted, now->crop, (size_t)now->crops * sizeof *sorted);
    qsort(sorted, (size_t)now->crops, sizeof *sorted, by_line);
    for (int i = 0; i < old->crops; i++)
      if (!bsearch(old->crop[i], sorted, (size_t)now->crops, sizeof *sorted, by_line_key) &&
          um_path_join(to, sizeof to, s->out, line_field(old->crop[i], M_PATH), NULL) == UM_OK)
        unlink(to);
    free(sorted);
  }
  if (r == UM_OK) remove_stage(stage);
  return r;
}

/* Takes now over. */
static int take(store *s, entry *now, bool again, um_error *err) {
  entry *old = store_find(s, line_field(now->line, L_VIDEO));
  int r = place(s, now, old, again, err);
  if (r == UM_OK && !old) {
    void *item = s->entry;
    r = grow(&item, s->entries, sizeof *s->entry, err);
    s->entry = item;
    if (r == UM_OK) {
      s->entry[s->entries++] = *now;
      *now = (entry){0};
      qsort(s->entry, (size_t)s->entries, sizeof *s->entry, by_video);
    }
  } else if (r == UM_OK) {
    entry_free(old);
    *old = *now;
    *now = (entry){0};
  }
  entry_free(now);
  return r;
}

/* Adds a line to the journal; one that cannot be written whole is taken back. */
static int note(const store *s, const char *text, um_error *err) {
  const off_t start = lseek(s->journal, 0, SEEK_END);
  size_t size = strlen(text), written = 0;
  int e = start < 0 ? errno : 0;
  while (!e && written < size) {
    ssize_t n = write(s->journal, text + written, size - written);
    if (n >= 0)
      written += (size_t)n;
    else if (errno != EINTR)
      e = errno;
  }
  if (!e && fdatasync(s->journal) != 0) e = errno;
  if (!e) return UM_OK;
  if (start >= 0 && ftruncate(s->journal, start) != 0) um_log(UM_LOG_WARN, "%s/journal: %s", s->work, strerror(errno));
  return um_fail(err, UM_EIO, "%s/journal: cannot write: %s", s->work, strerror(e));
}

int store_settle(const store *s, const entry *now, um_error *err) {
  char stage[4096], path[4096];
  if (now->crops == 0) return UM_OK;
  int r = stage_of(stage, sizeof stage, s, line_field(now->line, L_NAME), err);
  for (int i = 0; i < now->crops && r == UM_OK; i++) {
    r = um_path_join(path, sizeof path, stage, strchr(line_field(now->crop[i], M_PATH), '/') + 1, err);
    if (r == UM_OK) r = um_file_sync(path, err);
  }
  if (r == UM_OK) um_folder_sync(stage), um_folder_sync(s->work);
  return r;
}

int store_commit(store *s, entry *now, um_error *err) {
  char *text = record_text(now);
  int r = text ? note(s, text, err) : um_fail(err, UM_ENOMEM, "no memory for %d crops", now->crops);
  free(text);
  if (r == UM_OK) return take(s, now, false, err);
  entry_free(now);
  return r;
}

static int reset(store *s, um_error *err) {
  char path[4096];
  for (int i = 0; i < s->entries; i++) {
    for (int k = 0; k < s->entry[i].crops; k++)
      if (um_path_join(path, sizeof path, s->out, line_field(s->entry[i].crop[k], M_PATH), NULL) == UM_OK) unlink(path);
    entry_free(&s->entry[i]);
  }
  free(s->entry);
  s->entry = NULL, s->entries = 0;
  int r = um_path_join(path, sizeof path, s->out, "extract.json", err);
  if (r == UM_OK) unlink(path);
  return r;
}

int store_reset(store *s, um_error *err) {
  int r = note(s, "{\"reset\":true}\n", err);
  if (r == UM_OK) r = reset(s, err);
  return r < 0 ? r : store_write(s, err);
}

static int write_lines(const store *s, const char *name, const char *const *column, int columns, char *const *line, int lines,
                       um_error *err) {
  char path[4096];
  um_writer w = {0};
  int r = um_path_join(path, sizeof path, s->out, name, err);
  if (r < 0 || (r = um_writer_open(&w, path, err)) < 0) return r;
  um_csv_writer csv = {.file = w.file};
  for (int i = 0; i < columns; i++) um_csv_put(&csv, column[i]);
  um_csv_end_line(&csv);
  for (int k = 0; k < lines; k++) {
    const char *field = line[k];
    for (int i = 0; i < columns; i++, field += strlen(field) + 1) um_csv_put(&csv, field);
    um_csv_end_line(&csv);
  }
  r = um_writer_commit(&w, err);
  um_writer_abandon(&w);
  return r;
}

int store_write(store *s, um_error *err) {
  char path[4096];
  size_t n = (size_t)s->entries, k = 0;
  for (int i = 0; i < s->entries; i++) n += (size_t)s->entry[i].crops;
  char **line = malloc((n + 1) * sizeof *line);
  if (!line) return um_fail(err, UM_ENOMEM, "no memory for %zu lines", n);
  for (int i = 0; i < s->entries; i++) {
    if (s->entry[i].crops) memcpy(line + k, s->entry[i].crop, (size_t)s->entry[i].crops * sizeof *line);
    k += (size_t)s->entry[i].crops;
  }
  if (k) qsort(line, k, sizeof *line, by_line);
  int r = write_lines(s, "manifest.csv", manifest_column, M_COLUMNS, line, (int)k, err);
  for (int i = 0; i < s->entries; i++) line[i] = s->entry[i].line;
  if (r == UM_OK) r = write_lines(s, "ledger.csv", ledger_column, L_COLUMNS, line, s->entries, err);
  free(line);
  if (r < 0) return r;
  for (int i = 0; i < 2; i++) /* the crops' new places survive a power cut: the journal is not needed any more */
    if (um_path_join(path, sizeof path, s->out, um_label_name[i], NULL) == UM_OK) um_folder_sync(path);
  if (ftruncate(s->journal, 0) != 0 || fdatasync(s->journal) != 0)
    return um_fail(err, UM_EIO, "%s/journal: cannot write: %s", s->work, strerror(errno));
  return UM_OK;
}

/* Does what the journal says. A last line that was not written whole is no line. */
static int replay(store *s, int *records, um_error *err) {
  char *line = NULL;
  size_t room = 0;
  int r = UM_OK, fd = dup(s->journal);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
  *records = 0;
  if (!f) {
    if (fd >= 0) close(fd);
    return um_fail(err, UM_EIO, "%s/journal: cannot read: %s", s->work, strerror(errno));
  }
  for (ssize_t n; r == UM_OK && (n = getline(&line, &room, f)) > 0 && line[n - 1] == '\n';) {
    record one;
    if ((r = record_parse(&one, line, err)) < 0)
      um_fail_context(err, "%s/journal", s->work);
    else
      r = one.reset ? reset(s, err) : take(s, &one.now, true, err);
    ++*records;
  }
  if (r == UM_OK && ferror(f)) r = um_fail(err, UM_EIO, "%s/journal: cannot read: %s", s->work, strerror(errno));
  free(line);
  fclose(f);
  return r;
}

static int lock(store *s, um_error *err) {
  char path[4096];
  struct stat st;
  int r = um_path_join(path, sizeof path, s->work, "journal", err);
  if (r < 0) return r;
  if ((s->journal = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
    return um_fail(err, UM_EIO, "%s: cannot write: %s", path, strerror(errno));
  /* Without links: the other process was just done and removed it. */
  if (flock(s->journal, LOCK_EX | LOCK_NB) != 0 || fstat(s->journal, &st) != 0 || st.st_nlink == 0) {
    close(s->journal);
    s->journal = -1;
    return um_fail(err, UM_EIO, "%s: another extract is writing there; wait for it, or choose another --out", s->out);
  }
  return UM_OK;
}

int store_open(store *s, const char *out, int *recovered, um_error *err) {
  int records = 0, r;
  struct stat st;
  *s = (store){.journal = -1};
  if (recovered) *recovered = 0;
  if (snprintf(s->out, sizeof s->out, "%s", out) >= (int)sizeof s->out - 512)
    return um_fail(err, UM_EIO, "%.60s...: the path is too long", out);
  if ((r = um_path_join(s->work, sizeof s->work, out, ".extract", err)) < 0 || (r = um_mkdirs(s->work, err)) < 0) return r;
  if ((r = lock(s, err)) < 0 || (r = read_ledger(s, err)) < 0 || (r = read_manifest(s, err)) < 0 || (r = replay(s, &records, err)) < 0)
    goto done;
  if (fstat(s->journal, &st) == 0 && st.st_size > 0 && (r = store_write(s, err)) < 0) goto done;
  remove_stages(s);
  um_writer_sweep(out);
  if (recovered) *recovered = records;
done:
  if (r < 0) store_close(s);
  return r;
}

void store_close(store *s) {
  char path[4096];
  struct stat st;
  if (s->journal > 0) {
    /* What the journal holds is still needed where the CSV files could not be written. */
    if (fstat(s->journal, &st) == 0 && st.st_size == 0) {
      remove_stages(s);
      if (um_path_join(path, sizeof path, s->work, "journal", NULL) == UM_OK) unlink(path);
      rmdir(s->work);
    }
    close(s->journal);
  }
  for (int i = 0; i < s->entries; i++) entry_free(&s->entry[i]);
  free(s->entry);
  *s = (store){.journal = -1};
}
