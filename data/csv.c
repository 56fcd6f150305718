#include "data/csv.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

struct um_csv {
  char *text; /* the whole file; fields are unquoted and ended in place, which never makes them longer */
  char *at, *end;
  char *name;
  long line, row_line;
  const char **header, **row;
  int columns;
};

void um_csv_close(um_csv *c) {
  if (!c) return;
  free(c->text);
  free(c->name);
  free(c->header);
  free(c->row);
  free(c);
}

/* Takes one field off c->at, unquoting in place. *last: it ended its line. */
static int take_field(um_csv *c, const char **field, bool *last, um_error *err) {
  char *from = c->at, *to = c->at;
  *field = to;
  if (from < c->end && *from == '"') {
    from++;
    for (;;) {
      if (from == c->end) return um_fail(err, UM_EFORMAT, "%s: line %ld: a quote is not closed", c->name, c->row_line);
      if (*from == '"' && from[1] != '"') break; /* text has a zero byte after its end, so from[1] may be read */
      if (*from == '"') from++;
      if (*from == '\n') c->line++;
      *to++ = *from++;
    }
    from++;
    if (from < c->end && *from == '\r' && from[1] == '\n') from++;
    if (from < c->end && *from != ',' && *from != '\n')
      return um_fail(err, UM_EFORMAT, "%s: line %ld: expected a comma or the line's end after a closing quote", c->name, c->line);
  } else {
    while (from < c->end && *from != ',' && *from != '\n') from++;
    to = from;
    if (from < c->end && *from == '\n' && to > c->at && to[-1] == '\r') to--;
  }
  *last = from == c->end || *from == '\n';
  if (from < c->end && *from == '\n') c->line++;
  c->at = from < c->end ? from + 1 : from;
  *to = 0;
  return UM_OK;
}

/* Takes one line's fields, at most max. Returns their number, 0 at the end of the file. */
static int take_line(um_csv *c, const char **field, int max, um_error *err) {
  while (c->at < c->end && (*c->at == '\n' || (*c->at == '\r' && c->at[1] == '\n'))) {
    c->at += *c->at == '\r' ? 2 : 1;
    c->line++;
  }
  if (c->at == c->end) return 0;
  c->row_line = c->line;
  for (int n = 0;;) {
    bool last = false;
    if (n == max)
      return um_fail(err, UM_EFORMAT, "%s: line %ld: expected %s%d fields, got more", c->name, c->row_line, c->columns ? "" : "at most ",
                     max);
    int status = take_field(c, &field[n++], &last, err);
    if (status < 0) return status;
    if (last) return n;
  }
}

/* Takes over text, which has size bytes and a zero byte after them. */
static int parse(um_csv **out, char *text, size_t size, const char *name, um_error *err) {
  um_csv *c = calloc(1, sizeof *c);
  int status = UM_OK;
  *out = NULL;
  if (c) {
    c->text = text;
    c->name = strdup(name);
    c->header = calloc(UM_CSV_MAX_COLUMNS, sizeof *c->header);
  } else {
    free(text);
  }
  if (!c || !c->name || !c->header) {
    status = um_fail(err, UM_ENOMEM, "%s: out of memory", name);
    goto done;
  }
  if (memchr(text, 0, size)) {
    status = um_fail(err, UM_EFORMAT, "%s: expected CSV text, got a zero byte", name);
    goto done;
  }
  c->at = text;
  c->end = text + size;
  c->line = 1;
  if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) c->at += 3;
  int n = take_line(c, c->header, UM_CSV_MAX_COLUMNS, err);
  if (n <= 0) {
    status = n < 0 ? n : um_fail(err, UM_EFORMAT, "%s: expected a line that names the columns, got an empty file", name);
    goto done;
  }
  c->columns = n;
  c->row = calloc((size_t)n, sizeof *c->row);
  if (!c->row) status = um_fail(err, UM_ENOMEM, "%s: out of memory", name);
done:
  if (status < 0) {
    um_csv_close(c);
    c = NULL;
  }
  *out = c;
  return status;
}

int um_csv_open(um_csv **out, const char *path, um_error *err) {
  char *text;
  size_t size;
  *out = NULL;
  int status = um_file_read(&text, &size, path, UM_CSV_MAX_BYTES, err);
  return status < 0 ? status : parse(out, text, size, path, err);
}

int um_csv_parse(um_csv **out, const char *data, size_t size, const char *name, um_error *err) {
  *out = NULL;
  if (size > UM_CSV_MAX_BYTES) return um_fail(err, UM_EFORMAT, "%s: %zu bytes are too many, at most %u", name, size, UM_CSV_MAX_BYTES);
  char *text = malloc(size + 1);
  if (!text) return um_fail(err, UM_ENOMEM, "%s: out of memory", name);
  memcpy(text, data, size);
  text[size] = 0;
  return parse(out, text, size, name, err);
}

int um_csv_columns(const um_csv *c) { return c->columns; }

int um_csv_column(const um_csv *c, const char *name) {
  for (int i = 0; i < c->columns; i++)
    if (strcmp(c->header[i], name) == 0) return i;
  return -1;
}

int um_csv_next(um_csv *c, const char *const **field, um_error *err) {
  int n = take_line(c, c->row, c->columns, err);
  if (n <= 0) return n;
  if (n < c->columns) return um_fail(err, UM_EFORMAT, "%s: line %ld: expected %d fields, got %d", c->name, c->row_line, c->columns, n);
  *field = c->row;
  return 1;
}

long um_csv_line(const um_csv *c) { return c->row_line; }

void um_csv_put(um_csv_writer *w, const char *text) {
  if (w->fields++) fputc(',', w->file);
  /* A line of one empty field would read back as an empty line. */
  if (*text && !strpbrk(text, ",\"\r\n")) {
    fputs(text, w->file);
    return;
  }
  if (!*text && w->fields > 1) return;
  fputc('"', w->file);
  for (; *text; text++) {
    if (*text == '"') fputc('"', w->file);
    fputc(*text, w->file);
  }
  fputc('"', w->file);
}

void um_csv_printf(um_csv_writer *w, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  um_csv_put(w, text);
}

void um_csv_number(um_csv_writer *w, double value) {
  char text[32];
  snprintf(text, sizeof text, "%.15g", value);
  um_csv_printf(w, strtod(text, NULL) == value ? "%.15g" : "%.17g", value);
}

void um_csv_end_line(um_csv_writer *w) {
  fputc('\n', w->file);
  w->fields = 0;
}
