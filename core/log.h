/* The logger: the one piece of global state. Programs name themselves once; everything goes to stderr, a line each, with the
 * program's name before it. Libraries use it only to announce a fallback (um_log_once). */
#ifndef UM_CORE_LOG_H
#define UM_CORE_LOG_H

#include <stdbool.h>

typedef enum um_log_level { UM_LOG_ERROR, UM_LOG_WARN, UM_LOG_INFO, UM_LOG_DEBUG } um_log_level;

/* program: the name printed before each line (kept by pointer). max: the most talkative level that is printed. */
void um_log_open(const char *program, um_log_level max);

void um_log(um_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints only the first time that this exact text comes; for fallbacks ("what, why"). */
void um_log_once(um_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line of progress: on a terminal it overwrites the last one, elsewhere it is dropped unless `milestone`. um_log clears it first. */
void um_log_progress(bool milestone, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True when stderr is a terminal; then also its width in columns. */
bool um_log_terminal(int *columns);

#endif
