/* infer --verify (docs/evidence.md): what its parts share. */
#ifndef UM_INFER_VERIFY_H
#define UM_INFER_VERIFY_H

#include <cjson/cJSON.h>

#include "infer/infer.h"

/* ---- record.c: a file of infer --json, of which nothing is believed ---- */

typedef struct record {
  cJSON *root;
  char sha256[65];        /* of the file */
  const char *model_path; /* texts lie in root */
  const char *model_sha256, *fingerprint;
  const char *forced;       /* "" where nothing was */
  const cJSON *evidence;    /* an object */
  char backend[16];         /* "cpu", "cuda", "ref" */
  um_preprocess preprocess; /* without the classes */
  bool faces_are_cut;
  um_precision precision;
  int batch, threads, jobs;
  inputs in; /* each with path, sha256, bytes, skipped, scores, verdict, frames, and the faces' frame, times, box, track and scores */
} record;

/* UM_EFORMAT names what is wrong. */
int record_read(record *r, const char *path, um_error *err);
void record_free(record *r);

/* ---- verify_find.c: where the inputs lie now ---- */

typedef enum outcome {
  SAME,      /* verdict, scores and faces, bit for bit; or as unreadable as it was */
  CLOSE,     /* the same verdict, and a score that another version, device or number of threads explains */
  DIFFERS,   /* another verdict or score */
  CHANGED,   /* a file of this name is there, of other contents */
  MISSING,   /* no file */
  UNHASHED,  /* no hash was recorded: a pipe, a file that was not there or changed meanwhile */
  UNCHECKED, /* not among the inputs that were asked for */
  OUTCOMES
} outcome;

/* One recorded input. */
typedef struct checked {
  const input *then;
  outcome outcome;
  char *path;        /* where it was found; NULL: nowhere */
  int now;           /* its place among the inputs that are scored again, or -1 */
  double difference; /* of the scores; NaN where there are none */
  int faces;         /* that differ */
  char sha256[65];   /* of a file that CHANGED */
} checked;

typedef struct checks {
  checked *at;
  int count, asked_for; /* all; those that are not UNCHECKED */
  int strangers;        /* files that were asked for and are not in the record */
} checks;

/* Looks where each input was, then below `root` (may be NULL). With paths given, files and folders, only what lies there is checked, and found
 * by its contents; a file among them that the record does not have is named on standard error and counted. What is found is left SAME, to be scored. */
int checks_find(checks *c, const record *r, const char *root, const char *const *path, int count, um_error *err);
void checks_free(checks *c);

/* ---- verify_diff.c: what is not as it was ---- */

enum { DIFFERENCES = 64 };
typedef struct difference {
  char what[96], then[160], now[160]; /* fit to be printed, "-": nothing */
} difference;

typedef struct differences {
  difference at[DIFFERENCES];
  int count, more; /* more: beyond those */
} differences;

/* Text from a file is not to move a terminal's cursor: what is no character of a line becomes a question mark. */
void text_clean(char *text);
void difference_add(differences *d, const char *what, const char *then, const char *now);
/* Members of two objects that differ, by name ("libraries.libavcodec"); of files their hash counts, not their path. */
void differences_add(differences *d, const char *prefix, const cJSON *then, const cJSON *now);

/* ---- verify_report.c ---- */

typedef struct verification {
  options o; /* as used: the result's, and where the model lies */
  record record;
  checks checks;
  scorer scorer;
  evidence evidence;
  inputs now;
  differences differences;
  int explaining; /* so many of them, the first, can be why a score differs */
} verification;

int count_of(const checks *c, outcome which);
bool holds(const checks *c);
void report_print(const verification *v);
int report_write(const char *path, const verification *v, um_error *err);

#endif
