/* extract: faces out of videos, as crops in OUT/{fake,real} with OUT/manifest.csv. */
#ifndef UM_TOOLS_EXTRACT_H
#define UM_TOOLS_EXTRACT_H

#include <pthread.h>
#include <stdatomic.h>

#include "faces/faces.h"
#include "data/sources.h"

/* One crop: a line of the manifest. */
typedef struct row {
  char *field[12];
} row;
extern const char *const manifest_column[12];

typedef struct rows {
  row *item;
  int count;
} rows;
void rows_free(rows *r);
void row_free(row *r);
/* Takes r over; UM_ENOMEM frees it. */
int rows_add(rows *to, row *r, um_error *err);

/* The manifest that an earlier run left in `out`; none: no rows. */
int manifest_read(rows *old, const char *out, um_error *err);
/* A source that is in the old manifest keeps its name there; another one whose name is taken there gets a new one. */
int manifest_settle_names(um_sources *s, const rows *old, um_error *err);
/* All rows, sorted by path. */
int manifest_write(const rows *all, const char *out, um_error *err);

typedef struct options {
  um_face_options face;
  const char *out, *labels, *draw;
  int label; /* -1: not given */
  int jobs;  /* 0: auto */
  bool quiet;
} options;

/* What became of a source. */
typedef struct result {
  rows rows;
  um_face_report report;
  um_error error;
  int code;     /* UM_OK, or why it was skipped */
  bool done;    /* the worker is through with it */
  double share; /* of the video that is done, 0 to 1 */
} result;

typedef struct job {
  const options *o;
  const um_sources *sources;
  um_face_finder *finder;
  result *result; /* one a source */
  pthread_mutex_t lock;
  int printed;        /* sources whose line is out */
  atomic_int next;    /* source to take */
  atomic_bool failed; /* nothing can be written: `error` says why */
  um_error error;
  atomic_llong frames, faces;
  double started, shown;
} job;

extern atomic_int interrupted; /* set by the signal handler */

/* Takes sources until there are none. */
void *work(void *arg);

#endif
