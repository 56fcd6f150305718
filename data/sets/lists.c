#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/sets/scan.h"

int set_lines(const set_scan *s, const char *file, set_on_line *on_line, void *arg, um_error *err) {
  char path[PATH_MAX], shown[200], *text = NULL;
  size_t size = 0;
  long number = 0;
  int r = um_path_join(path, sizeof path, s->dir, file, err);
  if (r == UM_OK) r = um_file_read(&text, &size, path, SET_LIST_MAX, err);
  if (r == UM_OK && memchr(text, 0, size))
    r = um_fail(err, UM_EFORMAT, "%s: expected lines of text, got a zero byte", set_shown(shown, sizeof shown, path));
  char *at = text, *end;
  if (r == UM_OK && size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) at += 3;
  for (; r == UM_OK && at && *at; at = end) {
    number++;
    if ((end = strchr(at, '\n'))) *end++ = 0;
    while (isspace((unsigned char)*at)) at++;
    size_t n = strlen(at);
    while (n && isspace((unsigned char)at[n - 1])) at[--n] = 0;
    if (n >= PATH_MAX)
      r = um_fail(err, UM_EFORMAT, "%s: line %ld: %zu characters, longer than any path", set_shown(shown, sizeof shown, path), number, n);
    else if (n)
      r = on_line(arg, at, number, err);
  }
  free(text);
  return r;
}
