/* What lies in OUT: manifest.csv, a line a crop; ledger.csv, a line an input and what became of it; and while extract runs
 * OUT/.extract: `journal`, to which each finished input is added, and a folder for each input in work, with its crops so far.
 *
 * Crops are written without flushing them to the disk: until its input is finished nobody relies on one. store_settle then flushes those
 * that are kept, their folder and its name, and after that store_commit adds the line to the journal and flushes it. So a line in the
 * journal means whole crops, whatever the power does: N + 3 times something is flushed for N crops, and not once for what is dropped.
 * An input is finished when its line in the journal is on the disk: its crops then go to their places, and those that an earlier run
 * made of it and this one did not are removed. A process that is killed loses only what was in work: store_open does the rest of what the
 * journal says and throws the other crops away. store_write turns the journal into the two CSV files, and flushes the crops' new
 * places before it empties the journal. */
#ifndef UM_TOOLS_EXTRACT_STORE_H
#define UM_TOOLS_EXTRACT_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* A line of a CSV file: its fields one after the other, each with its zero, in one piece of memory. */
typedef struct draft {
  char text[20480];
  size_t used;
  bool full; /* it did not fit */
} draft;
void draft_add(draft *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *draft_line(draft *d, um_error *err); /* malloc'd, and the draft is empty again; NULL: no memory, or it was full */
const char *line_field(const char *line, int i);

enum manifest_column {
  M_PATH, /* fake/NAME_FRAME_FACE.png */
  M_LABEL,
  M_VIDEO,
  M_FRAME,
  M_TIME,
  M_X,
  M_Y,
  M_WIDTH,
  M_HEIGHT,
  M_SCORE,
  M_TRACK,
  M_GROUP,
  M_DATASET,
  M_METHOD,
  M_PART,
  M_QUALITY,
  M_POINTS,
  M_COLUMNS
};
extern const char *const manifest_column[M_COLUMNS];

enum ledger_column {
  L_VIDEO, /* its path as it was given */
  L_LABEL,
  L_GROUP,
  L_STATUS,
  L_REASON,
  L_FRAMES,
  L_WITHOUT_FACE,
  L_FACES,
  L_KEPT,
  L_DROPPED,
  L_TRACKS,
  L_DAMAGED,
  L_DURATION,
  L_SECONDS,
  L_SIZE, /* bytes */
  L_MTIME,
  L_NAME, /* what its crops' names begin with */
  L_DATASET,
  L_METHOD,
  L_PART,
  L_QUALITY,
  L_COLUMNS
};
extern const char *const ledger_column[L_COLUMNS];

typedef enum outcome { DONE, NO_FACE, UNREADABLE, UNLABELLED, MISSING, UNFINISHED, OUTCOMES } outcome;
extern const char *const outcome_name[OUTCOMES]; /* as in the ledger */
outcome outcome_of(const char *line);            /* of a line of the ledger; UNFINISHED where it says nothing known */

/* An input. */
typedef struct entry {
  char *line;  /* of the ledger */
  char **crop; /* lines of the manifest; NULL where there are none */
  int crops;
} entry;
void entry_free(entry *e);
int entry_add_crop(entry *e, char *line, um_error *err); /* takes the line over, also on failure */

typedef struct store {
  char out[4096], work[4096]; /* OUT and OUT/.extract */
  entry *entry;               /* by L_VIDEO */
  int entries;
  int journal; /* its descriptor, locked */
} store;

/* Makes the folders; UM_EIO where another process is at work there; UM_EFORMAT where the files are none of ours. What a process that was
 * killed left is put in order: *recovered (may be NULL) inputs of its journal were taken over. */
int store_open(store *s, const char *out, int *recovered, um_error *err);
void store_close(store *s); /* safe on a zeroed struct */
entry *store_find(const store *s, const char *video);
/* Lines of the ledger, taken over (also on failure): each replaces the one of its input, whose crops stay, or is a new input. */
int store_put(store *s, char **line, int lines, um_error *err);
/* The folder for crops of the input of this name until it is finished, empty. */
int store_stage(const store *s, char *folder, size_t size, const char *name, um_error *err);
/* Flushes the input's crops, which lie in its stage, to the disk. It changes nothing of the store: threads may do it at a time. */
int store_settle(const store *s, const entry *now, um_error *err);
/* The input is finished: takes `now` over (also on failure), whose crops were settled. */
int store_commit(store *s, entry *now, um_error *err);
/* Removes an unfinished input's stage. */
void store_unstage(const store *s, const char *name);
/* Removes all crops and what is known of them, and OUT/extract.json. */
int store_reset(store *s, um_error *err);
/* Writes manifest.csv and ledger.csv; empties the journal. */
int store_write(store *s, um_error *err);

/* journal.c: a line of the journal, a JSON object of ours and back. */
typedef struct record {
  bool reset; /* all that was before is void */
  entry now;
} record;
char *record_text(const entry *now); /* malloc'd, with its newline; NULL: no memory */
/* UM_EFORMAT where it is not a whole one, or names a crop outside of the two folders. */
int record_parse(record *r, const char *text, um_error *err);
bool crop_path_ok(const char *path); /* "fake/x.png" or "real/x.jpg" without further slashes */

#endif
