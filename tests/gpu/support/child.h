/* This program once more, as a process beside this one: told what to do by its words, and talked with by lines. */
#ifndef UM_TESTS_GPU_SUPPORT_CHILD_H
#define UM_TESTS_GPU_SUPPORT_CHILD_H

#include <sys/types.h>

#include "gpu.h"

typedef struct gpu_child {
  pid_t pid;       /* 0: none */
  int to, from;    /* its standard input, its standard output */
  char text[8192]; /* what came from it and was not taken yet */
  size_t length;
} gpu_child;

typedef struct gpu_child_options {
  const char *const *words; /* ended by NULL */
  const char *errors;       /* file that gets its standard error; NULL: this program's */
  const char *library_path; /* folder that comes first where it looks for shared libraries; NULL: none */
} gpu_child_options;

/* Starts it with this program's device, size, seed, steps and cache. */
bool gpu_child_start(gpu_child *c, const gpu_options *o, const gpu_child_options *how);

/* The next line that begins with `word` and a space or its end; what follows goes to rest (may be NULL). Lines before it are
 * printed. False, with a message, where none comes within the seconds or the child ends before. */
bool gpu_child_line(gpu_child *c, const char *word, char *rest, size_t size, double seconds);

/* Writes a line to it. False where it does not listen. */
bool gpu_child_say(gpu_child *c, const char *line);

/* Waits for its end: its exit status, 1000 and the signal's number, or -1, with a message, where it is still there after the seconds (and
 * is killed). *seconds_taken (may be NULL): how long that took. Safe on a zeroed struct. */
int gpu_child_end(gpu_child *c, double seconds, double *seconds_taken);

double gpu_now(void); /* seconds, the same clock in all processes */

#endif
