/* The program train, driven as a user would, on small pictures that are made here; its run folders, read. */
#ifndef UM_TESTS_SUPPORT_TRAIN_RUN_H
#define UM_TESTS_SUPPORT_TRAIN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

extern char folder[3000];  /* of this test's files */
extern char said[1 << 16]; /* what the last program wrote to stdout and stderr */

/* Makes the folder NAME below the tests' own, pics/ (12 pictures a class) and tiny.json in it. */
int train_run_set_up(const char *name);
/* Runs a shell command in which $T is bin/train and $D the test's folder; its exit status. */
int sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tell(void); /* what was said: cmocka cuts long messages short */
/* A path in the folder; one of the last eight. */
const char *in(const char *name);
/* n noisy pictures a class of 24x20, told apart by a square of more or less red. */
void make_pictures(const char *name, int n);
/* A config on pictures of 16x16: 18 to train on, 6 held out, three epochs; rest: further keys, ", \"seed\": 1". */
void write_config(const char *name, const char *data, const char *rest);
char *content(const char *name, size_t *size);
bool same_files(const char *a, const char *b);
/* The field of a row of a history, "" past its end; valid until the next call. */
const char *history_field(const char *name, int row, const char *column);

/* Starts train and sends it a signal (twice, a moment apart, where so said) once a file is there and some time went by; its exit
 * status, or 1000 and the signal that ended it. */
int interrupted(const char *const *argv, const char *wait_for, useconds_t then, int number, bool twice);

#define SAYS(text)                                                                                                                         \
  do {                                                                                                                                     \
    if (!strstr(said, text)) {                                                                                                             \
      tell();                                                                                                                              \
      fail_msg("no \"%s\" in that", text);                                                                                                 \
    }                                                                                                                                      \
  } while (0)
#define RUN(expected, ...)                                                                                                                 \
  do {                                                                                                                                     \
    int got_ = sh(__VA_ARGS__);                                                                                                            \
    if (got_ != (expected)) {                                                                                                              \
      tell();                                                                                                                              \
      fail_msg("exit status %d, expected %d", got_, expected);                                                                             \
    }                                                                                                                                      \
  } while (0)

#endif
