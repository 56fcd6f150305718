/* extract: faces out of videos, as crops in OUT/{fake,real} with OUT/manifest.csv and OUT/ledger.csv. */
#ifndef UM_TOOLS_EXTRACT_H
#define UM_TOOLS_EXTRACT_H

#include <pthread.h>
#include <stdatomic.h>

#include "data/sets/sets.h"
#include "faces/faces.h"
#include "tools/extract/store.h"

typedef struct options {
  um_face_options face; /* settings as resolved */
  const char *out, *draw;
  const char *labels, *dataset; /* NULL: not given */
  um_set_options set;
  int label;   /* -1: not given */
  int format;  /* 0 png, 1 jpeg */
  int quality; /* of JPEG */
  int jobs;    /* 0: auto */
  bool sheet, force, quiet;
  /* What was given of the settings; the rest depends on the detector. */
  const char *detector;
  int choice, crop; /* -1: not given */
  double margin;    /* NaN: not given */
} options;

/* options.c: fills o and moves the inputs to the front of argv; returns their number. */
int options_parse(options *o, int argc, char **argv, um_error *err);
int options_usage(void); /* prints it; 1 where that fails */

/* settings.c: what decides about the pixels of crops, and OUT/extract.json, which keeps it. */
/* Completes the settings: the detector ("auto": the one that OUT was begun with, else the best that is here) and what follows from it. */
int settings_resolve(options *o, um_error *err);
/* UM_ECONFIG where OUT holds crops that were cut otherwise. *other: as then, but with --force, so that they are to go. */
int settings_check(const options *o, const store *s, bool *other, um_error *err);
int settings_write(const options *o, int argc, char *const *argv, um_error *err);

/* One input and what becomes of it. */
typedef struct input {
  const um_source *source;
  int64_t size; /* bytes */
  char mtime[40];
  bool todo;
  bool begun, done; /* by a worker */
  double duration;  /* of the video, seconds; 0 while unknown */
  double share;     /* of it that is done, 0 to 1 */
} input;

/* inputs.c */
typedef struct inputs {
  um_sources sources;
  input *item; /* one a source */
  int count;
  int todo, before; /* before: finished by an earlier run, and the file has not changed since */
  char **missing;   /* named in a dataset's metadata, but not there */
  const char **why; /* that they are taken to be missing */
  int missings;
  int *order; /* the `todo` ones, as they are to be taken */
} inputs;
/* The files or the dataset that the command line names, with labels and groups; says what a dataset holds. */
int inputs_collect(inputs *in, const options *o, const char *const *path, int paths, um_error *err);
/* Which are to be done; the others' lines of the ledger, and of those that are to be done the line "unfinished", are put into the store. */
int inputs_plan(inputs *in, const options *o, store *s, um_error *err);
void inputs_free(inputs *in);

typedef struct job {
  const options *o;
  inputs *in;
  store *store;
  um_face_finder *finder;
  pthread_mutex_t lock; /* of the store and all below */
  atomic_int next;      /* of the inputs' order */
  atomic_bool failed;   /* nothing can be written: `error` says why */
  um_error error;
  um_face_report sum; /* of all that were finished */
  atomic_llong frames, faces;
  double started, shown, noted;
} job;

extern atomic_int interrupted; /* set by the signal handler */

/* work.c: takes inputs until there are none. */
void *work(void *arg);

/* progress.c: at most five times a second; the caller holds the lock. */
void show_progress(job *j);

/* The first fields of an input's line in the ledger, up to the status, and the last ones. */
void ledger_begin(draft *d, const um_source *s, const char *status, const char *reason);
void ledger_end(draft *d, const input *in);

#endif
