#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int um_fail(um_error *err, int code, const char *format, ...) {
  if (err) {
    va_list args;
    err->code = code;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    /* Names of files are in it, and those may hold anything: a line end, or what a terminal obeys. */
    for (char *c = err->text; *c; c++)
      if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
  }
  return code;
}

int um_fail_context(um_error *err, const char *format, ...) {
  char text[sizeof(((um_error *)0)->text)];
  va_list args;
  if (!err) return UM_EINTERNAL;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof text - 3) return err->code;
  snprintf(text + n, sizeof text - (size_t)n, ": %.*s", (int)(sizeof text - (size_t)n - 3), err->text);
  memcpy(err->text, text, sizeof text);
  return err->code;
}

int um_exit_status(int code) {
  switch (code) {
  case UM_OK: return 0;
  case UM_ECONFIG: return 2;
  case UM_EINTERRUPTED: return 130;
  default: return 1;
  }
}
