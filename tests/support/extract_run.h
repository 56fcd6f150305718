/* The extract program as tests run it: what it said, what it wrote. */
#ifndef UM_TESTS_SUPPORT_EXTRACT_RUN_H
#define UM_TESTS_SUPPORT_EXTRACT_RUN_H

#include <stdbool.h>

#include "tools/extract/store.h"

extern char extract_out[1 << 16]; /* what the last run printed, stdout and stderr */

const char *extract_program(void);
/* Exit status, 128 + signal where it was killed. before: shell words before the program. */
int extract_run_after(const char *before, const char *arguments);
int extract_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Fails the test where the status is another one or the last run did not print `says`. */
void extract_expect(int status, int wanted, const char *says);

/* Clips of drawn faces and a picture, made once in DIR/in: fake/a.mp4 (2.8 s, the last 0.8 s without a face), real/a.mp4 (2 s), real/p.png.
 * DIR is below the tests' temporary folder. */
const char *extract_inputs(const char *dir);
/* A clip of drawn faces: `frames` at 5 a second, drifting from `start` on; its first 10 have faces (with `faces`: all). */
void extract_clip(const char *path, int frames, int start, bool faces);

/* The fields of a column of OUT/manifest.csv or ledger.csv in the line whose first field ends in `key`, "" where there is none; valid until the
 * next call. */
const char *csv_cell(const char *out, const char *file, const char *key, const char *column);
int csv_lines(const char *out, const char *file); /* without the head */
/* Fails where the two files or folders differ; `but` is a file name that may, or NULL. */
void assert_same_files(const char *a, const char *b, const char *but);

#endif
