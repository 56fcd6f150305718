/* infer --verify (docs/evidence.md): what its parts share. */
#ifndef UM_INFER_VERIFY_H
#define UM_INFER_VERIFY_H

#include <cjson/cJSON.h>

#include "infer/infer.h"

/* ---- record.c: a file of infer --json, of which nothing is believed ---- */

typedef struct record {
  cJSON *root;
  char sha256[65]; /* of the file */
  bool comparison; /* it is one of infer --compare: `in` are its two results, by path, sha256 and bytes; of the rest resamples alone */
  const char *model_path; /* texts lie in root */
  const char *model_sha256, *fingerprint;
  const char *forced;       /* "" where nothing was */
  const cJSON *evidence;    /* an object */
  char backend[16];         /* "cpu", "cuda", "ref" */
  um_preprocess preprocess; /* without the classes */
  bool faces_are_cut;
  um_precision precision;
  int batch, threads, jobs;
  bool older;                    /* a file from before labels had a source */
  const cJSON *metrics, *ladder; /* objects, of which nothing is known yet; NULL: none */
  int resamples, seed;           /* of the metrics' intervals; -1: not recorded */
  double threshold;              /* NaN: not recorded */
  /* Each with path, sha256, bytes, skipped, scores, verdict, frames, the faces' frame, times, box, track and scores; label, group, video and
   * by where there are labels, and in in.labels where these came from: word NULL: not recorded. */
  inputs in;
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
  used_file *labels;    /* the record's files of labels, each with the path where its contents lie now, or its old one */
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

/* ---- verify_numbers.c: what follows from scores ---- */

/* How far numbers may differ for something that differs to explain it: what people read of a score is two digits. */
#define EXPLAINED 0.01

/* The summary, labels, metrics or the ladder. */
typedef struct part {
  bool recorded;   /* there is one in the result */
  outcome outcome; /* SAME, CLOSE, DIFFERS, or UNCHECKED: note says why */
  int numbers;     /* that were compared */
  int lacking;     /* members that an older file does not have */
  double most;     /* the largest difference of two numbers; infinite where something else differs */
  differences differences;
  char note[320];
} part;

void part_differs(part *p, const char *what, const char *then, const char *now);
/* All of two values: numbers to the bit. `what` names them ("metrics"), members by their path. older: what `then` lacks is counted, no
 * difference. */
void part_compare(part *p, const char *what, const cJSON *then, const cJSON *now, bool older);
/* SAME, or CLOSE where no number differs by more than something explains (0: nothing does), or DIFFERS. */
void part_settle(part *p, double explained);

/* ---- verify_labels.c, verify_parts.c, verify_ladder.c ---- */

typedef struct verification verification;
/* Reads the labels of the record's inputs again, where their files have the same hashes; they take the place of the recorded ones. */
int labels_again(part *p, record *r, const checks *c, um_error *err);
/* The record's inputs with the scores that were made again, and, where there are none, those of the record, or with `missing` none: to be
 * freed, its texts and faces stay where they are. *again: how many were scored again; *whole: all that ever were. */
int inputs_merged(inputs *all, const verification *v, bool missing, int *again, bool *whole, um_error *err);
/* What stands of each input beside its faces and score. */
int summary_again(verification *v, um_error *err);
int metrics_again(verification *v, um_error *err);
/* The rungs that are to be done, as bits of kinds; 0: none. */
unsigned ladder_wanted(const record *r, const options *o);
/* seconds: what scoring the inputs took. */
int ladder_again(verification *v, double seconds, const volatile bool *stop, um_error *err);

/* ---- verify_compare.c ---- */

/* Makes a comparison again from its two results, looked for as inputs are, and writes the report; *holds whether it is the same. */
int compare_again(const record *r, const options *o, const char *const *path, int count, bool *it_holds, um_error *err);

/* ---- verify_report.c ---- */

extern const char *const outcome_name[OUTCOMES];
bool part_put(cJSON *to, const char *key, const part *p); /* null where the result has none */
void part_print(const char *name, const part *p);         /* a line */
void part_print_differences(const char *name, const part *p);

struct verification {
  options o; /* as used: the result's, and where the model lies */
  record record;
  checks checks;
  scorer scorer;
  evidence evidence;
  inputs now;
  differences differences;
  int explaining; /* so many of them, the first, can be why a score differs */
  part summary, labels, metrics, ladder;
};

int count_of(const checks *c, outcome which);
bool holds(const verification *v);
void report_print(const verification *v);
int report_write(const char *path, const verification *v, um_error *err);

#endif
