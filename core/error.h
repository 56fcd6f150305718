/* Errors: a library function that can fail returns UM_OK (0) or a negative um_code and fills the um_error its caller passed.
 * Libraries never print and never exit; only a program's main turns an error into a message and an exit status. */
#ifndef UM_CORE_ERROR_H
#define UM_CORE_ERROR_H

typedef enum um_code {
  UM_OK = 0,
  UM_ENOMEM = -1,       /* memory, host or device, was not to be had */
  UM_EIO = -2,          /* a file or folder could not be read or written */
  UM_EFORMAT = -3,      /* a file was read, but is not what it should be */
  UM_ECONFIG = -4,      /* the config or the command line is wrong (exit status 2) */
  UM_EUNSUPPORTED = -5, /* asked for something that this build or machine cannot do */
  UM_EINTERRUPTED = -6, /* stopped by the user (exit status 130) */
  UM_ENUMERIC = -7,     /* a loss or a gradient that is not a finite number */
  UM_EINTERNAL = -8     /* a library below us failed in a way that no input explains */
} um_code;

typedef struct um_error {
  int code;        /* UM_OK or the um_code of the failure */
  char text[1024]; /* what was found, what was expected, what to do; no newline, no program name */
} um_error;

/* Sets err (which may be NULL) and returns code, so that `return um_fail(err, UM_EIO, "%s: ...", path);` is one line. */
int um_fail(um_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that a lower function set; returns err's code (UM_EINTERNAL if err is NULL). */
int um_fail_context(um_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit status of a program that ends with this code: 0, 1, 2 or 130 (see DESIGN: section 3). */
int um_exit_status(int code);

#endif
