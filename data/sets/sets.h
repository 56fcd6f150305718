/* Public datasets of deepfakes, read as they come from their makers (docs/datasets.md has the layouts): what lies where, what is fake,
 * what must stay on one side of a split. Reads names and small text files only, opens no video. */
#ifndef UM_DATA_SETS_SETS_H
#define UM_DATA_SETS_SETS_H

#include <stdbool.h>

#include "data/sources.h"

/* All kinds but "auto", which stands for whichever of them lies there; ends in NULL. */
extern const char *const um_set_kind[];

/* Which sources are wanted. Lists are "c23" or "c23,c40", in any case; NULL: all. */
typedef struct um_set_options {
  const char *quality;
  const char *method; /* of fakes; real ones stay */
  const char *part;
  const char *root; /* of a CSV: the folder that its paths may not lead out of; NULL: the CSV's own */
  bool sources;     /* DeeperForensics' source videos too: real people, but not what its makers mean as real */
} um_set_options;

typedef enum um_set_fate {
  UM_SET_MISSING,    /* named in the metadata, not there */
  UM_SET_UNLABELLED, /* a source, but nothing says whether it is fake */
  UM_SET_IGNORED,    /* there, but no source */
  UM_SET_LEFT_OUT,   /* a source, but the options do not want it */
  UM_SET_WARNING,    /* taken, but see why */
  UM_SET_FATES
} um_set_fate;

/* One file, folder or name and what became of it. */
typedef struct um_set_note {
  um_set_fate fate;
  char *what;      /* relative to the dataset's folder */
  const char *why; /* one of a few sentences */
} um_set_note;

typedef struct um_set_report {
  char *dir;
  const char *kind;  /* which of um_set_kind it was */
  char *because;     /* with "auto": what told it */
  um_set_note *note; /* by fate, reason and name */
  int notes;
  int count[UM_SET_FATES];
} um_set_report;

/* Reads the dataset in the folder `dir` (a CSV may be given itself). Sources are in the order of their paths; those without a label are
 * among them, with label -1. `o` may be NULL. UM_ECONFIG: no such kind or option; with "auto", nothing known lies there or more than one thing does
 * (the message names the choices). UM_EFORMAT: metadata that is damaged or that leads out of the folder. On failure both are empty. */
int um_sets_scan(um_sources *out, um_set_report *report, const char *kind, const char *dir, const um_set_options *o, um_error *err);
void um_set_report_free(um_set_report *r);

/* The summary for people, malloc'd, lines of up to 80 columns: what there is by label, part, method and quality, and the notes, counted with
 * examples. */
int um_set_report_text(char **text, const um_sources *s, const um_set_report *r, um_error *err);

#endif
