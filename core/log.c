#include "core/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SEEN_MAX 64

static struct {
  pthread_mutex_t lock;
  const char *program;
  um_log_level max;
  bool progress_shown;     /* the terminal's last line is a progress line */
  uint64_t seen[SEEN_MAX]; /* hashes of what um_log_once has printed */
  int seen_count;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .program = "unmask", .max = UM_LOG_INFO};

void um_log_open(const char *program, um_log_level max) {
  logger.program = program;
  logger.max = max;
}

bool um_log_terminal(int *columns) {
  struct winsize w;
  bool is = isatty(STDERR_FILENO) == 1;
  if (columns) *columns = is && ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
  return is;
}

/* Caller holds the lock. */
static void print_line(const char *text) {
  if (logger.progress_shown) fputs("\r\033[K", stderr);
  logger.progress_shown = false;
  fprintf(stderr, "%s: %s\n", logger.program, text);
}

void um_log(um_log_level level, const char *format, ...) {
  char text[2048];
  va_list args;
  if (level > logger.max) return;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  pthread_mutex_lock(&logger.lock);
  print_line(text);
  pthread_mutex_unlock(&logger.lock);
}

void um_log_once(um_log_level level, const char *format, ...) {
  char text[2048];
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  for (const char *c = text; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u;
  pthread_mutex_lock(&logger.lock);
  bool seen = false;
  for (int i = 0; i < logger.seen_count; i++) seen |= logger.seen[i] == hash;
  if (!seen) {
    if (logger.seen_count < SEEN_MAX) logger.seen[logger.seen_count++] = hash;
    if (level <= logger.max) print_line(text);
  }
  pthread_mutex_unlock(&logger.lock);
}

void um_log_progress(bool milestone, const char *format, ...) {
  char text[2048];
  int columns;
  va_list args;
  if (logger.max < UM_LOG_INFO) return;
  bool terminal = um_log_terminal(&columns);
  if (!terminal && !milestone) return;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  pthread_mutex_lock(&logger.lock);
  if (!terminal) {
    fprintf(stderr, "%s\n", text);
  } else {
    /* A line that wraps could not be overwritten. A milestone is not overwritten, so it may. */
    if (!milestone && strlen(text) > (size_t)columns - 1) text[columns - 1] = 0;
    fprintf(stderr, "\r%s\033[K%s", text, milestone ? "\n" : "");
    logger.progress_shown = !milestone;
  }
  fflush(stderr);
  pthread_mutex_unlock(&logger.lock);
}
